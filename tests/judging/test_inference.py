"""What observers work out without reading: when a message was sent, and how long it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import calibration, inference
from lab.detect import tls
from lab.matrix import judge
from lab.model import (
    INFERRED_ONLY,
    Capture,
    Deed,
    Direction,
    Exposure,
    Inference,
    LeakMatrix,
    Mode,
    Observation,
    Observer,
    SecretName,
    Statement,
    Story,
)
from lab.record import Record
from lab.scenario.vocabulary import ON_STAGE

from .recordings import about, cells
from .sabotage import (
    DATABASE,
    NETWORK,
    SERVER,
    Break,
    at_rest,
    exchange_lost,
    nothing_recorded,
    record,
    row_missing,
    tell,
)

EVENTS: Mapping[Observer, Callable[[Record], list[inference.Event]]] = {
    NETWORK: inference.network_events,
    SERVER: inference.server_events,
    DATABASE: inference.database_events,
}
EVERYWHERE = [(mode, observer) for mode in Mode for observer in ON_STAGE]


def events_of(recording: Capture, observer: Observer) -> list[inference.Event]:
    """The messages that an observer notices, once all have joined: its own first one begins."""
    first = min(one.time for one in sent(recording))
    return [one for one in EVENTS[observer](Record(recording, observer)) if one.time >= first]


def sent(recording: Capture) -> list[Statement]:
    return [one for one in recording.statements if one.deed is Deed.SENT]


@pytest.mark.parametrize(("mode", "observer"), EVERYWHERE)
def test_every_observer_notices_every_message(captures: Mapping[Mode, Capture], mode: Mode, observer: Observer) -> None:
    events = events_of(captures[mode], observer)
    assert len(events) == len(sent(captures[mode])) == 8
    for event, one in zip(events, sent(captures[mode]), strict=True):
        assert abs(event.time - one.time) <= inference.TIME_TOLERANCE
        assert event.length >= one.size
    assert all(one.time < next_one.time for one, next_one in pairwise(events))


@pytest.mark.parametrize(("mode", "observer"), EVERYWHERE)
def test_longer_messages_look_longer(captures: Mapping[Mode, Capture], mode: Mode, observer: Observer) -> None:
    events = events_of(captures[mode], observer)
    told = list(zip(events, sent(captures[mode]), strict=True))
    for some in ([one for one in told if not one[1].file], [one for one in told if one[1].file]):
        by_size = sorted(some, key=lambda one: one[1].size)
        assert [event.length for event, _ in by_size] == sorted(event.length for event, _ in some)


@pytest.mark.parametrize("mode", Mode)
def test_estimates_hold_and_the_other_observers_record_adds_nothing(
    captures: Mapping[Mode, Capture], matrices: Mapping[Mode, LeakMatrix], mode: Mode
) -> None:
    made = matrices[mode].inferences
    observers = captures[mode].story.observers
    assert len(made) == len(observers) * len(INFERRED_ONLY) * 2
    assert all(one.holds for one in made)
    for observer in observers:
        alone = replace(
            captures[mode], observations=tuple(one for one in captures[mode].observations if one.observer is observer)
        )
        estimates = inference.estimate(alone, Record(alone, observer)).inferences
        assert list(estimates) == [one for one in made if one.observer is observer]


def test_a_conversation_about_which_nobody_asks_is_not_estimated(captures: Mapping[Mode, Capture]) -> None:
    part = replace(captures[Mode.TLS], facts=())
    assert inference.estimate(part, Record(part, NETWORK)) == inference.Estimates((), ())


@pytest.mark.parametrize("mode", Mode)
def test_what_keeps_a_connection_open_is_not_taken_for_a_message(captures: Mapping[Mode, Capture], mode: Mode) -> None:
    """A service that pushes nothing for a while says so on each event stream; after a burst that looks like a push."""
    part = Record(captures[mode], NETWORK)
    expected = inference.network_events(part)
    heartbeat = b"3\r\n:\n\n\r\n" if mode is Mode.PLAINTEXT else b"\x17\x03\x03\x00\x19" + bytes(25)
    with_heartbeats: list[Observation] = []
    for number, one in enumerate(part.observations):
        with_heartbeats.append(one)
        others = {each.connection for each in part.observations} - {one.connection}
        for other in sorted(others if one.direction is Direction.TO_SERVICE else ()):
            before = [each.direction for each in part.observations[:number] if each.connection == other]
            later = [each.direction for each in part.observations[number:] if each.connection == other]
            if before[-1:] == later[:1] == [Direction.TO_CLIENT]:
                with_heartbeats.append(Observation(NETWORK, one.place, other, Direction.TO_CLIENT, one.time, heartbeat))
    assert len(with_heartbeats) > len(part.observations) + 3
    noisy = replace(captures[mode], observations=tuple(with_heartbeats))
    assert inference.network_events(Record(noisy, NETWORK)) == expected


def an_inference(estimate: float, guess_error: float = 20.0, alike: tuple[int, int] | None = None) -> Inference:
    return Inference(NETWORK, SecretName.SIZE, estimate, 100.0, 16.0, guess_error, "bytes", "a guess", alike)


@pytest.mark.parametrize(
    ("estimate", "guess_error", "holds"),
    [
        pytest.param(116, 20, True, id="just within the tolerance"),
        pytest.param(84, 20, True, id="too small by as much"),
        pytest.param(117, 20, False, id="outside"),
        pytest.param(105, 6, True, id="better than the guess"),
        pytest.param(105, 5, False, id="as good as the guess"),
        pytest.param(100, 0, False, id="right, as is the guess"),
    ],
)
def test_an_inference_is_near_and_beats_the_guess(estimate: float, guess_error: float, holds: bool) -> None:
    assert an_inference(estimate, guess_error).holds is holds


@pytest.mark.parametrize(
    ("alike", "cannot_tell"), [((100, 180), True), ((20, 100), True), ((20, 99), False), ((101, 180), False)]
)
def test_who_cannot_tell_has_inferred_nothing_even_if_the_answer_is_right(
    alike: tuple[int, int], cannot_tell: bool
) -> None:
    assert an_inference(100).holds
    assert not an_inference(100).cannot_tell
    assert not an_inference(100, alike=alike).holds
    assert an_inference(100, alike=alike).cannot_tell is cannot_tell


@pytest.mark.parametrize("observer", ON_STAGE)
def test_a_guess_as_good_as_the_estimate_is_no_inference(
    captures: Mapping[Mode, Capture], monkeypatch: pytest.MonkeyPatch, observer: Observer
) -> None:
    part = about(captures[Mode.TLS], observer, frozenset({SecretName.SIZE}))
    assert cells(part)[SecretName.SIZE].exposure is Exposure.INFERRED
    text = next(one.size for one in sent(part) if one.who == "alice")
    monkeypatch.setattr(inference, "TYPICAL_SIZE", text)
    cell = cells(part)[SecretName.SIZE]
    assert cell.exposure is Exposure.INCONCLUSIVE
    assert cell.reason.startswith("estimated ")
    assert cell.reason.endswith(f"; the guess without a record (a typical text message, {text} bytes) comes as close")


@pytest.mark.parametrize("observer", ON_STAGE)
def test_an_estimate_that_misses_is_inconclusive_and_never_hidden(
    captures: Mapping[Mode, Capture], observer: Observer
) -> None:
    whole = about(captures[Mode.E2EE], observer, INFERRED_ONLY)
    told = tuple(
        replace(one, size=one.size + 500, time=one.time - 60) if one.who == "alice" and one.deed is Deed.SENT else one
        for one in whole.statements
    )
    for cell in cells(replace(whole, statements=told)).values():
        assert cell.exposure is Exposure.INCONCLUSIVE
        assert "is true" in cell.reason or "fewer are in the record" in cell.reason


# A message that an observer did not notice


def no_traffic_since_the_last_message(recording: Capture, observer: Observer) -> Capture:
    moment = sent(recording)[-1].time
    return record(lambda one: None if one.time >= moment else one)(recording, observer)


LOST = {
    NETWORK: no_traffic_since_the_last_message,
    SERVER: exchange_lost(b"/messages "),
    DATABASE: row_missing,
}


@pytest.mark.parametrize(("mode", "observer"), EVERYWHERE)
def test_a_message_that_went_unnoticed_makes_sizes_and_times_inconclusive(
    captures: Mapping[Mode, Capture], mode: Mode, observer: Observer
) -> None:
    lost = LOST[observer](about(captures[mode], observer, INFERRED_ONLY), observer)
    assert len(events_of(lost, observer)) == 7
    matrix = judge(lost)
    estimates = [control for control in matrix.controls if control.name == "estimate"]
    assert len(estimates) == 2
    for control in estimates:
        assert not control.passed
        assert control.detail.startswith("7 message events were noticed; 6 messages of the observer's own and 2 ")
    assert {cell.exposure for cell in matrix.cells} == {Exposure.INCONCLUSIVE}


def test_a_database_that_cannot_be_read_tells_no_size(captures: Mapping[Mode, Capture]) -> None:
    part = about(captures[Mode.TLS], DATABASE, INFERRED_ONLY)
    damaged = record(lambda one: replace(one, data=b"SQLite") if one.place == "database.file" else one)(part, DATABASE)
    for unreadable in (damaged, nothing_recorded(part, DATABASE)):
        estimates = inference.estimate(unreadable, Record(unreadable, DATABASE))
        assert estimates.inferences == ()
        assert [control.passed for control in estimates.controls] == [False, False]
        assert "cannot be read" in estimates.controls[0].detail


# From bytes on the wire to bytes of content: made-up records, in which each message takes what a test says


def a_record(
    lengths: Sequence[int],
    sizes: Sequence[int],
    files: frozenset[int] = frozenset(),
    *,
    own: int = -1,
    observer: Observer = SERVER,
    peers: Sequence[str] = (),
    answer: int | None = None,
) -> Capture:
    """The record of messages with these lengths: the first `own` the observer's own (else all but the last).

    They go to `peers`, if told. One of the observer's own may be an `answer`, by its other account.
    """
    own %= len(lengths)
    line = b"POST /v1/conversations/c/messages HTTP/1.1"
    observations = [
        Observation(observer, place, "1", Direction.TO_SERVICE, float(number), data, number)
        for number, length in enumerate(lengths)
        for place, data in (("http.request_line", line), ("http.body", b"." * length))
    ]
    statements = [
        Statement(
            calibration.OBSERVERS_OWN if number < own else "alice",
            Deed.SENT,
            float(number),
            account="there" if number == answer else "here",
            peer=peers[number] if peers else "",
            size=size,
            file=b"f" if number in files else b"",
        )
        for number, size in enumerate(sizes)
    ]
    story = Story("made up", "", Mode.TLS, (observer,), 0.0)
    return Capture(story, (), (SecretName.SIZE,), (), tuple(statements), tuple(observations))


def estimated(capture: Capture) -> tuple[Inference, bool]:
    estimates = inference.estimate(capture, Record(capture, SERVER))
    (answer,), (control,) = estimates.inferences, estimates.controls
    return answer, control.passed


@given(st.integers(1, 3), st.integers(0, 2000), st.integers(0, 5000))
def test_whatever_a_message_adds_the_scale_takes_it_off_again(factor: int, overhead: int, size: int) -> None:
    sizes = [*calibration.CALIBRATION_TEXTS, size]
    answer, passed = estimated(a_record([factor * one + overhead for one in sizes], sizes))
    assert passed
    assert answer.estimate == size


@given(st.integers(0, 2000), st.integers(500, 20_000))
def test_files_have_a_scale_of_their_own(overhead: int, size: int) -> None:
    texts, files = calibration.CALIBRATION_TEXTS, calibration.CALIBRATION_FILES
    sizes = [*texts, *files, max(size, files[0])]
    lengths = [one + overhead for one in texts] + [4 * one // 3 + 300 + overhead for one in sizes[3:]]
    answer, passed = estimated(a_record(lengths, sizes, frozenset({3, 4, 5, 6})))
    assert passed
    assert abs(answer.estimate - sizes[-1]) <= 2


@given(st.integers(1, 20_000), st.integers(0, 20_000))
def test_messages_padded_to_one_length_tell_nothing(length: int, size: int) -> None:
    sizes = [*calibration.CALIBRATION_TEXTS, size]
    _, passed = estimated(a_record([length] * 4, sizes))
    assert not passed


@pytest.mark.parametrize("bucket", [256, 4096])
def test_padding_to_a_bucket_is_noticed(bucket: int) -> None:
    sizes = [*calibration.CALIBRATION_TEXTS, 33]
    padded = [-(-one // bucket) * bucket for one in sizes]
    assert estimated(a_record(sizes, sizes))[1]
    assert not estimated(a_record(padded, sizes))[1]


def test_padded_messages_of_the_real_recording_are_inconclusive(captures: Mapping[Mode, Capture]) -> None:
    part = about(captures[Mode.E2EE], SERVER, frozenset({SecretName.SIZE}))
    lines = [one for one in part.observations if inference.MESSAGE_REQUEST.match(one.data)]
    posted = {(one.connection, one.exchange) for one in lines}
    pad = record(
        lambda one: (
            replace(one, data=one.data.ljust(20_000))
            if one.place == "http.body"
            and one.direction is Direction.TO_SERVICE
            and (one.connection, one.exchange) in posted
            else replace(one, data=b"Host: x\r\nContent-Type: application/json\r\n")
            if one.place == "http.header"
            else one
        )
    )
    assert cells(part)[SecretName.SIZE].exposure is Exposure.INFERRED
    cell = cells(pad(part, SERVER))[SecretName.SIZE]
    # The observer's own messages do not differ either: nothing shows that this observer would notice anything.
    assert cell.exposure is Exposure.INCONCLUSIVE
    assert "control 'estimate' failed: messages of the observer's own, kept aside" in cell.reason


# When a size is hidden: messages of very different sizes look exactly the same

OWN = calibration.CALIBRATION_TEXTS
TELLING = [Observer.INTERCEPTOR, SERVER]
"""Whoever reads requests, in records that are made up of requests."""


def padded(size: int, bucket: int = 160, overhead: int = 52) -> int:
    """As apps of the lab do it: up to the next multiple of `bucket`, with what stands around a text."""
    return -(-(size + overhead) // bucket) * bucket


def alike(capture: Capture) -> tuple[list[tuple[int, int] | None], bool]:
    """For each message of the story, the sizes that look the same; and whether the control passed."""
    (observer,) = capture.story.observers
    estimates = inference.estimate(capture, Record(capture, observer))
    (control,) = estimates.controls
    assert not control.passed or not any(one.holds for one in estimates.inferences if one.alike)
    return [one.alike for one in estimates.inferences], control.passed


@pytest.mark.parametrize("observer", TELLING)
@given(st.integers(1, 108), st.integers(0, 2000))
def test_a_padded_message_looks_like_others_of_its_step(observer: Observer, size: int, around: int) -> None:
    sizes = (*OWN, size)
    lengths = [padded(one) + around for one in sizes]
    assert alike(a_record(lengths, sizes, observer=observer)) == ([(16, 90)], True)


@pytest.mark.parametrize("observer", TELLING)
@given(st.integers(109, 5000), st.integers(0, 2000))
def test_a_message_longer_than_a_step_does_not(observer: Observer, size: int, around: int) -> None:
    sizes = (*OWN, size)
    lengths = [padded(one) + around for one in sizes]
    assert alike(a_record(lengths, sizes, observer=observer)) == ([None], False)


@given(st.integers(1, 108), st.integers(-200, 200).filter(bool))
def test_one_byte_more_or_less_is_not_the_same(size: int, off: int) -> None:
    """A padding that leaks by one byte, or by more."""
    sizes = (*OWN, size)
    lengths = [padded(one) + 300 for one in sizes]
    assert alike(a_record([*lengths[:-1], lengths[-1] + off], sizes)) == ([None], False)


@given(
    st.lists(st.integers(1, 6000), min_size=1, max_size=5), st.integers(1, 4), st.integers(1, 50), st.integers(0, 300)
)
def test_nothing_looks_alike_without_padding(story: list[int], factor: int, every: int, jump: int) -> None:
    """Whatever a length is made of: as long as a longer text takes more bytes, no two sizes look the same."""
    sizes = (*OWN, *story)
    shown, _ = alike(a_record([factor * one + jump * (one // every) for one in sizes], sizes, own=3))
    assert shown == [None] * len(story)


@given(st.integers(1, 600), st.integers(0, 600), st.integers(1, 500))
def test_the_step_has_to_hold_two_own_messages_the_guess_and_not_all(bucket: int, overhead: int, size: int) -> None:
    sizes = (*OWN, size)
    lengths = [padded(one, bucket, overhead) for one in sizes]
    short, long, middle, mine = lengths
    assert alike(a_record(lengths, sizes))[0] == [(16, 90) if short == middle == mine < long else None]


@pytest.mark.parametrize(("least", "expected"), [(62, (62, 150)), (63, None)])
def test_a_step_without_the_guess_hides_nothing(least: int, expected: tuple[int, int] | None) -> None:
    """Who sees that a message has 63 bytes or more knows more than that messages have 62 of them."""
    sizes = (least, 400, 150, 100)
    assert alike(a_record([padded(one, 300, 100) for one in sizes], sizes))[0] == [expected]


def test_where_nothing_looks_longer_nothing_is_hidden() -> None:
    sizes = (*OWN, 100)
    assert alike(a_record([padded(one, 300, 230) for one in sizes], sizes)) == ([None], False)


@pytest.mark.parametrize(("sizes", "expected"), [((50, 240, 83), (50, 83)), ((50, 240, 82), None)])
def test_sizes_within_one_tolerance_are_not_hidden(sizes: tuple[int, ...], expected: tuple[int, int] | None) -> None:
    """One answer, 66 bytes, is right for all of them, then."""
    lengths = [padded(one) for one in (*sizes, 60)]
    assert alike(a_record(lengths, (*sizes, 60)))[0] == [expected]


def test_each_message_of_the_story_has_to_look_like_the_others() -> None:
    sizes = (*OWN, 20, 200, 80)
    lengths = [padded(one) for one in sizes]
    assert alike(a_record(lengths, sizes, own=3)) == ([(16, 90), None, (16, 90)], False)
    del lengths[4]
    assert alike(a_record(lengths, (*OWN, 20, 80), own=3)) == ([(16, 90), (16, 90)], True)


@pytest.mark.parametrize("observer", TELLING)
def test_a_name_beside_the_message_is_no_part_of_its_size(observer: Observer) -> None:
    sizes, peers = (*OWN, 20, 80), ("observer",) * 3 + ("bob", "Zoë")
    lengths = [padded(one) + len(peer.encode()) for one, peer in zip(sizes, peers, strict=True)]
    assert alike(a_record(lengths, sizes, own=3, observer=observer, peers=peers)) == ([(16, 90)] * 2, True)
    assert (
        alike(a_record([padded(one) for one in sizes], sizes, own=3, observer=observer, peers=peers))[0] == [None] * 2
    )


def test_both_rounds_of_own_messages_have_to_be_padded() -> None:
    sizes = (*OWN, 9, *OWN, 20, 80)
    first = [padded(one) + 500 for one in OWN]
    again = [padded(one) for one in OWN]
    for answered, expected in ((again, ([(16, 90)] * 2, True)), (OWN, ([None] * 2, False))):
        for story in ([again[0]] * 2, [first[0], again[0]]):
            capture = a_record([*first, 100, *answered, *story], sizes, own=7, answer=3)
            assert alike(capture) == expected


def test_a_file_looks_like_no_text() -> None:
    sizes = (*OWN, *calibration.CALIBRATION_FILES, 20, 3000)
    lengths = [padded(one) for one in sizes]
    assert alike(a_record(lengths, sizes, frozenset({3, 4, 5, 7}), own=6)) == ([(16, 90), None], False)


# The same in a real recording

ONLY_SIZE = frozenset({SecretName.SIZE})


@pytest.mark.parametrize("observer", ON_STAGE)
def test_padding_hides_the_size_and_nothing_else_does(paddings: Mapping[bool, Capture], observer: Observer) -> None:
    hidden = cells(about(paddings[True], observer, INFERRED_ONLY))
    assert hidden[SecretName.SIZE].exposure is Exposure.HIDDEN
    assert hidden[SecretName.SIZE].reason.startswith("messages of 16 and of 90 bytes look exactly the same from here")
    assert hidden[SecretName.TIME].exposure is Exposure.INFERRED
    assert cells(about(paddings[False], observer, ONLY_SIZE))[SecretName.SIZE].exposure is Exposure.INFERRED


def a_byte_more_at_rest(recording: Capture, observer: Observer) -> Capture:
    return at_rest(
        recording,
        "UPDATE envelopes SET data = zeroblob(length(data) + 1) "
        "WHERE message = (SELECT id FROM messages ORDER BY sequence DESC LIMIT 1)",
    )


def a_byte_more_in_a_request(recording: Capture, observer: Observer) -> Capture:
    line = [one for one in recording.observations if inference.MESSAGE_REQUEST.match(one.data)][-1]

    def change(one: Observation) -> Observation:
        if (one.connection, one.exchange, one.direction) != (line.connection, line.exchange, line.direction):
            return one
        if one.place == "http.header":
            return replace(one, data=b"Host: x\r\nContent-Type: application/json\r\n")
        return replace(one, data=one.data + b" ") if one.place == "http.body" else one

    return record(change)(recording, observer)


def a_byte_more_on_the_way(recording: Capture, observer: Observer) -> Capture:
    moment = inference.network_events(Record(recording, observer))[-1].time
    first = next(
        one
        for one in recording.observations
        if one.observer is observer and one.time == moment and one.direction is Direction.TO_SERVICE
    )
    last = list(tls.records(first.data))[-1]
    assert last.end == len(first.data)
    length = last.end - last.start - tls.HEADER_LENGTH + 1
    longer = first.data[: last.start + 3] + length.to_bytes(2) + first.data[last.start + 5 :] + b"."
    return record(lambda one: replace(one, data=longer) if one is first else one)(recording, observer)


LONGER: Mapping[Observer, Break] = {
    NETWORK: a_byte_more_on_the_way,
    SERVER: a_byte_more_in_a_request,
    DATABASE: a_byte_more_at_rest,
}


@pytest.mark.parametrize("observer", ON_STAGE)
def test_padding_that_leaks_by_one_byte_hides_nothing(paddings: Mapping[bool, Capture], observer: Observer) -> None:
    part = about(paddings[True], observer, ONLY_SIZE)
    longer = LONGER[observer](part, observer)
    assert events_of(longer, observer)[-1].length == events_of(part, observer)[-1].length + 1
    cell = cells(longer)[SecretName.SIZE]
    assert cell.exposure is Exposure.INCONCLUSIVE
    assert cell.reason.startswith(
        "control 'estimate' failed: of the observer's own messages, those of 16 and 90 bytes "
    )
    assert cell.reason.endswith("and 240 look longer; but not each message of the story looks like these two")


@pytest.mark.parametrize("observer", ON_STAGE)
def test_a_truth_beyond_the_sizes_that_look_the_same_is_inconclusive(
    paddings: Mapping[bool, Capture], observer: Observer
) -> None:
    part = about(paddings[True], observer, ONLY_SIZE)
    told = tell(lambda one: replace(one, size=91) if (one.deed, one.size) == (Deed.SENT, 80) else one)
    cell = cells(told(part, observer))[SecretName.SIZE]
    assert cell.exposure is Exposure.INCONCLUSIVE
    assert cell.reason == "looks like 16 to 90 where 91 is true (bytes)"
