"""Verdicts on records, without a network: each control can fail, and then nothing is hidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from lab.audit import planting
from lab.audit.canary import canary, like
from lab.audit.judging import Confirmed, Seen, judge, network_view, server_view
from lab.detect import Wanted
from lab.model import (
    Capture,
    Direction,
    Event,
    Exposure,
    LabError,
    LeakMatrix,
    Missing,
    Mode,
    Note,
    Observation,
    Observer,
    Story,
)
from lab.planting import Copy
from lab.record import Record
from lab.scan.wanted import Wanted as Secret

BODY = Secret("body", b"body-0123456789abcdef", tuple(b"body-%016x" % (0x9876543210 << at) for at in range(1, 5)))
CONFIRMED = {"body": Confirmed(2.0, passed=True)}
ASKED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nsealed"
ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def capture(asked: bytes = ASKED, answered: bytes = ANSWERED) -> Capture:
    """A record of one exchange on the network."""
    story = Story("a test", "a test", Mode.PLAINTEXT, (Observer.NETWORK,), 0.0)
    ways = ((Direction.TO_SERVICE, asked), (Direction.TO_CLIENT, answered))
    seen = tuple(Observation(Observer.NETWORK, "tcp.stream", "1", way, 1.0, data) for way, data in ways if data)
    notes = (
        Note(Observer.NETWORK, Event.OPENED, 0.5, "1"),
        Note(Observer.NETWORK, Event.CLOSED, 3.0, "1"),
        Note(Observer.NETWORK, Event.SEGMENT, 3.0, "", str(len(seen))),
    )
    return Capture(story, observations=seen, notes=notes)


def judged(some: Capture, **confirmed: Confirmed) -> LeakMatrix:
    record = Record(some, Observer.NETWORK)
    view = network_view(some, lambda secrets: planting.on_the_wire(secrets, record, http=True))
    return judge(some, [BODY], confirmed or CONFIRMED, [view])


def verdict(matrix: LeakMatrix) -> tuple[Exposure, str]:
    cell = matrix.cell("body", "network")
    return cell.exposure, cell.reason


def test_hidden_is_said_when_all_controls_pass_and_the_twin_is_exposed() -> None:
    assert verdict(judged(capture())) == (Exposure.HIDDEN, "not found, and all 5 controls passed")
    leaky = ASKED.replace(b"sealed", BODY.value).replace(b": 6", b": 21")
    assert verdict(judged(capture(leaky)))[0] is Exposure.EXPOSED


WHOLE = capture()
BROKEN = {
    "one direction is missing": (capture(answered=b""), "no connection carried bytes in both directions"),
    "the tap could not deliver": (replace(WHOLE, missing=(Missing("it died", Observer.NETWORK),)), "it died"),
    "another tap could not": (replace(WHOLE, missing=(Missing("it died", Observer.SERVER),)), ""),
    "the tap failed": (
        replace(WHOLE, notes=(Note(Observer.NETWORK, Event.FAILED, 1.0, "", "a bug"), *WHOLE.notes)),
        "the tap failed: a bug",
    ),
    "a connection broke": (
        replace(WHOLE, notes=(Note(Observer.NETWORK, Event.BROKEN, 1.0, "1", "reset"), *WHOLE.notes)),
        "connection 1 broke: reset",
    ),
    "no end": (replace(WHOLE, notes=WHOLE.notes[:-1]), "the record has no clean end"),
    "pieces were lost": (
        replace(WHOLE, notes=(*WHOLE.notes[:-1], replace(WHOLE.notes[-1], detail="9"))),
        "the tap got 9 pieces, the record holds 2",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_record_that_lacks_something_decides_nothing(what: str) -> None:
    some, why = BROKEN[what]
    exposure, reason = verdict(judged(some))
    assert exposure is (Exposure.INCONCLUSIVE if why else Exposure.HIDDEN)
    assert why in reason


def test_what_did_not_arrive_is_not_hidden() -> None:
    exposure, reason = verdict(judge(WHOLE, [BODY], {}, [_view(WHOLE)]))
    assert exposure is Exposure.INCONCLUSIVE
    assert "nobody confirmed that body arrived" in reason
    exposure, reason = verdict(judged(WHOLE, body=Confirmed(0.1, passed=False)))
    assert exposure is Exposure.INCONCLUSIVE
    assert "nothing had passed the taps yet" in reason


def _view(some: Capture) -> Seen:
    record = Record(some, Observer.NETWORK)
    return network_view(some, lambda secrets: planting.on_the_wire(secrets, record, http=True))


def test_a_detector_that_misses_what_was_planted_decides_nothing() -> None:
    def unreadable(secrets: Sequence[Wanted]) -> Iterator[Copy]:
        for copy in planting.on_the_wire(secrets, Record(WHOLE, Observer.NETWORK), http=True):
            yield replace(copy, observations=tuple(replace(one, data=b"?" * 9) for one in copy.observations))

    exposure, reason = verdict(judge(WHOLE, [BODY], CONFIRMED, [replace(_view(WHOLE), copies=unreadable)]))
    assert exposure is Exposure.INCONCLUSIVE
    assert "control 'detects' failed: planted whole, in a body to service, it was not found" in reason
    exposure, reason = verdict(judge(WHOLE, [BODY], CONFIRMED, [replace(_view(WHOLE), copies=lambda _: ())]))
    assert "the record holds nothing that it could be planted in" in reason


def test_decoys_in_the_record_decide_nothing_whether_it_is_read_or_not() -> None:
    decoy = ASKED.replace(b"sealed", BODY.decoys[0]).replace(b": 6", b": 21")
    assert len(BODY.decoys[0]) == 21
    for asked in (decoy, decoy + ASKED.replace(b"sealed", BODY.value).replace(b": 6", b": 21")):
        exposure, reason = verdict(judged(capture(asked)))
        assert exposure is Exposure.INCONCLUSIVE
        assert "control 'decoys' failed" in reason


def test_a_server_without_requests_decides_nothing() -> None:
    record = Record(WHOLE, Observer.SERVER)
    view = server_view(WHOLE, lambda secrets: planting.in_requests(secrets, record))
    cell = judge(WHOLE, [BODY], CONFIRMED, [view]).cell("body", "server")
    assert cell.exposure is Exposure.INCONCLUSIVE
    assert "no request came with an answer" in cell.reason


# Secrets


def test_a_secret_is_a_text_with_decoys_like_it() -> None:
    body = canary("body")
    assert isinstance(body, str)
    assert body.startswith("body-")
    assert len({body, *body.decoys}) == 5
    assert {len(one) for one in (body, *body.decoys)} == {len(body)}
    assert body.wanted == Secret("body", body.encode(), tuple(one.encode() for one in body.decoys))
    assert canary("body") != body


@pytest.mark.parametrize(
    "value", ["+49 170 1234567", "alice.4711@example.org", "0a1b2c3d-4e5f", "Ein Satz, den niemand sonst schreibt: 17"]
)
def test_values_that_are_given_have_decoys_of_their_shape(value: str) -> None:
    given = canary("given", value)
    assert given == value
    shapes = {"".join("a" if one.isalnum() else one for one in text) for text in (given, *given.decoys)}
    assert len(shapes) == 1
    assert like(value) != like(value)


@pytest.mark.parametrize(
    ("value", "why"), [("short", "5 bytes"), ("password", "too ordinary"), ("????????????!!!!", "too ordinary")]
)
def test_what_cannot_be_told_from_others_is_refused(value: str, why: str) -> None:
    with pytest.raises(LabError, match=why):
        canary("word", value)


def test_a_draw_without_chance_is_refused() -> None:
    with pytest.raises(LabError, match="no other values like this secret can be drawn"):
        canary("body", draw=lambda: "always the same 4711-0815")
