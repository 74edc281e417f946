"""Verdicts on records, without a network: each control can fail, and then nothing is hidden."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
from tests.judging.sabotage import tls_record

BODY = Secret("body", b"body-0123456789abcdef", tuple(b"body-%016x" % (0x9876543210 << at) for at in range(1, 5)))
CONFIRMED = {"body": Confirmed(2.0, passed=True)}
ASKED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nsealed"
ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def client_hello() -> bytes:
    """What a client begins TLS with."""
    sent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="chat.example")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


SERVER_HELLO = bytes.fromhex("16030300050200000100")


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


def exchange(
    number: int, body: bytes = b"sealed", line: bytes = b"POST / HTTP/1.1", answered: bytes = b"ok"
) -> list[Observation]:
    """What a front end records of one request that declares six bytes, and of its answer, which declares two."""
    parts = (
        (Direction.TO_SERVICE, "http.request_line", line),
        (Direction.TO_SERVICE, "http.header", b"Host: x\r\nContent-Length: 6\r\n"),
        (Direction.TO_SERVICE, "http.body", body),
        (Direction.TO_CLIENT, "http.status_line", b"HTTP/1.1 200 OK"),
        (Direction.TO_CLIENT, "http.header", b"Content-Length: 2\r\n"),
        (Direction.TO_CLIENT, "http.body", answered),
    )
    return [Observation(Observer.SERVER, name, "1", way, 1.0, data, number) for way, name, data in parts if data]


def at_server(*seen: Observation) -> tuple[Exposure, str]:
    notes = tuple(replace(one, observer=Observer.SERVER) for one in WHOLE.notes[:-1])
    end = Note(Observer.SERVER, Event.SEGMENT, 3.0, "", str(len(seen)))
    some = replace(WHOLE, observations=seen, notes=(*notes, end))
    view = server_view(some, lambda secrets: planting.in_requests(secrets, Record(some, Observer.SERVER)))
    cell = judge(some, [BODY], CONFIRMED, [view]).cell("body", "server")
    return cell.exposure, cell.reason


def test_a_server_that_lost_part_of_a_request_decides_nothing() -> None:
    assert at_server(*exchange(1), *exchange(2))[0] is Exposure.HIDDEN
    assert at_server(*exchange(1), *exchange(2, BODY.value))[0] is Exposure.EXPOSED
    assert at_server(*exchange(1, line=b"HEAD / HTTP/1.1", answered=b""))[0] is Exposure.HIDDEN
    for seen, why in (
        (exchange(1, b"sea"), "the body of a message is cut short: POST / HTTP/1.1"),
        (exchange(1, b""), "the body of a message is cut short: POST / HTTP/1.1"),
        (exchange(1, answered=b""), "the body of a message is cut short: HTTP/1.1 200 OK"),
        ([*exchange(1), *exchange(3)], "request 2 of connection 1 is not in the record"),
    ):
        exposure, reason = at_server(*seen)
        assert exposure is Exposure.INCONCLUSIVE
        assert why in reason


def test_a_network_that_lost_the_beginning_of_tls_decides_nothing() -> None:
    hello = client_hello()
    answered = SERVER_HELLO + tls_record(bytes(200))
    whole = capture(hello + tls_record(bytes(200)), answered)
    assert verdict(judged(whole))[0] is Exposure.HIDDEN
    for cut in (capture(tls_record(bytes(200)) * 2, answered), capture(hello + tls_record(bytes(200)), answered[10:])):
        exposure, reason = verdict(judged(cut))
        assert exposure is Exposure.INCONCLUSIVE
        assert "the beginning of TLS is missing in connection 1" in reason
    before = replace(
        whole,
        observations=tuple(replace(one, connection="", data=tls_record(bytes(200)) * 2) for one in whole.observations),
    )
    assert verdict(judged(before))[0] is Exposure.HIDDEN  # it began before the record


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
