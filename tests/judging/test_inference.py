"""What observers work out without reading: when a message was sent, and how long it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import calibration, inference
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
from .sabotage import DATABASE, NETWORK, SERVER, exchange_lost, nothing_recorded, record, row_missing

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


def an_inference(estimate: float, guess_error: float = 20.0) -> Inference:
    return Inference(NETWORK, SecretName.SIZE, estimate, 100.0, 16.0, guess_error, "bytes", "a guess")


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


def a_record(lengths: list[int], sizes: list[int], files: frozenset[int] = frozenset()) -> Capture:
    """The operator's record of messages with these lengths, the first ones the observer's own."""
    own = len(lengths) - 1
    line = b"POST /v1/conversations/c/messages HTTP/1.1"
    observations = [
        Observation(SERVER, place, "1", Direction.TO_SERVICE, float(number), data, number)
        for number, length in enumerate(lengths)
        for place, data in (("http.request_line", line), ("http.body", b"." * length))
    ]
    statements = [
        Statement(
            calibration.OBSERVERS_OWN if number < own else "alice",
            Deed.SENT,
            float(number),
            size=size,
            file=b"f" if number in files else b"",
        )
        for number, size in enumerate(sizes)
    ]
    story = Story("made up", "", Mode.TLS, (SERVER,), 0.0)
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
            else replace(one, data=b"Content-Type: application/json\r\n")
            if one.place == "http.header"
            else one
        )
    )
    assert cells(part)[SecretName.SIZE].exposure is Exposure.INFERRED
    cell = cells(pad(part, SERVER))[SecretName.SIZE]
    assert cell.exposure is Exposure.INCONCLUSIVE
    assert "control 'estimate' failed: messages of the observer's own, kept aside" in cell.reason
