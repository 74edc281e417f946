"""What a pane shows of a real recording: marks are where the judge finds something, and nowhere else."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import count

import pytest
from judging.recordings import shortly_recorded

from classroom.heard import marks
from lab.classroom.panes import LATELY, SHOWN, Panes, Planted, bounded
from lab.classroom.seen import Part, Piece
from lab.matrix import judge
from lab.model import INFERRED_ONLY, Capture, Direction, Exposure, Mode, Observation, Observer, SecretName
from lab.stage.stage import Stage

TEXT = b"Meet me at 5pm [0123456789abcdef]"
BODY = Planted("body", TEXT)


def panes_of(recording: Capture) -> Panes:
    planted = [Planted(one.name, one.value) for one in recording.secrets]
    return Panes(recording.story.mode, planted, count(1))


@cache
def all_pieces(stage: Stage, mode: Mode) -> Sequence[Piece]:
    recording = shortly_recorded(stage)[mode]
    return tuple(panes_of(recording).pieces(recording.observations))


def shown(piece: Piece) -> str:
    return "".join(part.text for part in piece.parts)


@pytest.mark.parametrize("mode", list(Mode))
def test_what_is_marked_is_what_the_judge_finds(stage: Stage, mode: Mode) -> None:
    recording = shortly_recorded(stage)[mode]
    panes = panes_of(recording)
    pieces = panes.pieces(recording.observations)
    exposed = {
        (cell.secret, cell.observer)
        for cell in judge(recording).cells
        if cell.exposure is Exposure.EXPOSED and cell.secret not in INFERRED_ONLY
    }
    found = {
        (one.name, observer) for one in recording.secrets for observer in panes.found(Planted(one.name, one.value))
    }
    assert found == exposed
    readable = {(str(name), observer) for observer in recording.story.observers for name in marks(pieces, observer)}
    assert readable <= exposed
    # One account may be both: then the mark has one of the two names.
    assert {(name, observer) for name, observer in exposed - readable} <= {
        (name, observer) for observer in recording.story.observers for name in ("sender", "recipient")
    }


def test_a_message_in_plaintext_is_shown_as_text_and_in_tls_as_numbers(stage: Stage) -> None:
    plain, tls = (all_pieces(stage, mode) for mode in (Mode.PLAINTEXT, Mode.TLS))
    post = next(one for one in plain if one.observer is Observer.NETWORK and "body" in marks([one], Observer.NETWORK))
    assert post.what == "POST /v1/conversations/../messages"
    assert post.direction is Direction.TO_SERVICE
    assert "content" in shown(post)
    assert next(part.text for part in post.parts if part.secret == "body").startswith("Meet me at 5pm [")
    on_the_wire = [one for one in tls if one.observer is Observer.NETWORK]
    assert marks(on_the_wire, Observer.NETWORK) == {"service"}
    assert {one.what for one in on_the_wire if "service" in marks([one], Observer.NETWORK)} == {"TLS ClientHello"}
    data = next(one for one in on_the_wire if one.what == "TLS application data")
    assert shown(data).startswith("17 03 03 ")
    assert data.mode is Mode.TLS


def test_envelopes_are_cut_and_nothing_of_them_is_marked(stage: Stage) -> None:
    pieces = all_pieces(stage, Mode.E2EE)
    assert marks(pieces, Observer.SERVER).isdisjoint({"body", "attachment"})
    assert marks(pieces, Observer.DATABASE).isdisjoint({"body", "attachment"})
    envelope = next(one for one in pieces if one.observer is Observer.SERVER and '"envelopes"' in shown(one))
    assert '…"' in shown(envelope)


def test_pieces_are_numbered_and_no_longer_than_a_pane_can_show(stage: Stage) -> None:
    for mode in Mode:
        pieces = all_pieces(stage, mode)
        assert [one.number for one in pieces] == list(range(1, len(pieces) + 1))
        assert max(len(shown(one)) for one in pieces) <= SHOWN + 50
        assert all(one.parts or one.what for one in pieces)


def test_of_many_pieces_the_newest_are_shown(stage: Stage) -> None:
    recording = shortly_recorded(stage)[Mode.TLS]
    every, few = all_pieces(stage, Mode.TLS), panes_of(recording).pieces(recording.observations, 5)
    assert 0 < len(few) < len(every)
    last = [one for one in few if one.observer is Observer.SERVER]
    assert [shown(one) for one in last] == [shown(one) for one in every if one.observer is Observer.SERVER][
        -len(last) :
    ]


# Leaks on purpose, each with a twin in which nothing is to be marked


def got(data: bytes, place: str = "http.body", observer: Observer = Observer.SERVER, exchange: int = 1) -> Observation:
    return Observation(observer, place, "1", Direction.TO_SERVICE, 1.0, data, exchange)


def look(*observations: Observation, planted: Sequence[Planted] = (BODY,)) -> list[Piece]:
    return Panes(Mode.E2EE, planted, count(1)).pieces(observations)


ENCODINGS = {
    "as it is": TEXT,
    "base64": base64.b64encode(TEXT),
    "hex": TEXT.hex().encode(),
    "gzip": gzip.compress(TEXT),
    "json": b'{"text":"Meet me at 5pm [0123456789\\u0061bcdef]"}',
}


@pytest.mark.parametrize("how", list(ENCODINGS))
def test_a_leak_is_marked_however_it_is_encoded(how: str) -> None:
    header = got(b"X-Debug: 1\r\n", "http.header")
    [piece] = look(got(b"POST /v1/debug HTTP/1.1", "http.request_line"), header, got(ENCODINGS[how]))
    assert piece.what == "POST /v1/debug"
    assert [part.text for part in piece.parts if part.secret] == [TEXT.decode()]


def test_another_text_is_not_marked() -> None:
    other = TEXT.replace(b"0123", b"9999")
    assert [
        part
        for piece in look(got(other), got(base64.b64encode(other), exchange=2))
        for part in piece.parts
        if part.secret
    ] == []


def test_a_value_on_the_border_of_two_pieces_is_found() -> None:
    def sent(*pieces: bytes) -> list[Piece]:
        panes = Panes(Mode.PLAINTEXT, [BODY], count(1))
        stream = [got(one, "tcp.stream", Observer.NETWORK, 0) for one in pieces]
        return [piece for one in stream for piece in panes.pieces([one])]

    head = b"POST /v1/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % len(TEXT)
    [piece] = sent(head[:9], head[9:], TEXT[:20], TEXT[20:])
    assert [part.text for part in piece.parts if part.secret] == [TEXT.decode()]
    assert piece.size == len(head) + len(TEXT)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = sent(chunked, b"40\r\nevent: message\ndata: " + TEXT[:20], TEXT[20:] + b"\r\n")
    assert marks(pieces[-1:], Observer.NETWORK) == {"body"}
    assert [one.what for one in pieces] == ["200 OK", "event: message", "bytes"]


def test_a_leak_inside_of_tls_is_marked_in_its_record() -> None:
    def record(data: bytes) -> Observation:
        return got(b"\x17\x03\x03" + len(data).to_bytes(2) + data, "tcp.stream", Observer.NETWORK, 0)

    leaking, silent = look(record(bytes(range(200, 232)) + TEXT)), look(record(bytes(range(160, 232))))
    assert marks(leaking, Observer.NETWORK) == {"body"}
    assert marks(silent, Observer.NETWORK) == set()
    assert silent[0].what == leaking[0].what == "TLS application data"


def test_at_rest_only_what_is_new_is_shown() -> None:
    def page(data: bytes) -> Observation:
        return Observation(Observer.DATABASE, "database.wal", "", Direction.AT_REST, 1.0, data)

    panes = Panes(Mode.TLS, [BODY], count(1))
    [first] = panes.pieces([page(b"\x00\x01row of alice\x00\x02" + TEXT + b"\x00")])
    assert marks([first], Observer.DATABASE) == {"body"}
    assert first.size == len(TEXT) + 17
    assert panes.pieces([page(b"\x00\x05" + TEXT + b"\x00")]) == []
    [other] = panes.pieces([page(b"\x00\x05" + TEXT + b"\x00something else\x00")])
    assert [part for part in other.parts if part.secret] == []
    assert "something else" in shown(other)


def test_whose_message_it_is_stands_with_it_as_long_as_it_is_looked_for() -> None:
    panes = Panes(Mode.TLS, [Planted(SecretName.SERVICE, b"chat-0123456789abcdef.lab.test")], count(1))
    own = Planted("body", TEXT, "Kim")
    panes.look_for(own)
    [piece] = panes.pieces([got(TEXT)])
    assert [part.whose for part in piece.parts if part.secret] == ["Kim"]
    assert list(panes.found(own)) == [Observer.SERVER]
    for number in range(LATELY):
        panes.look_for(Planted("body", b"Another one [%016x]" % (number + 7_000_000_000), "Lou"))
    assert panes.found(own) == {}
    assert marks(panes.pieces([got(TEXT, exchange=2)]), Observer.SERVER) == set()


def test_what_is_long_is_cut_around_the_secrets() -> None:
    parts = bounded(
        [Part("a" * 1000), Part("secret", "body", "Kim"), Part("b" * 1000), Part("other", "size"), Part("c")]
    )
    text = "".join(part.text for part in parts)
    assert len(text) <= SHOWN
    assert text.startswith("…a")
    assert text.endswith("otherc")
    assert [part.secret for part in parts if part.secret] == ["body", "size"]
    assert parts == bounded(parts)
    many = bounded([part for _ in range(100) for part in (Part("x" * 20), Part("y" * 20, "body"))])
    assert sum(len(part.text) for part in many if part.secret) <= SHOWN
    assert bounded([Part("short")]) == (Part("short"),)
    assert bounded([]) == ()


def test_control_characters_are_written_out() -> None:
    [piece] = look(got("one\x00two\u202ethree and some more text".encode()))
    assert "\x00" not in shown(piece)
    assert "⟨U+202E⟩" in shown(piece)
    assert replace(piece, parts=()).what == "HTTP body"
