"""Free play on real taps: each message in all modes, found where it can be read, and refused where apps refuse."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from classroom.heard import Heard, marks
from lab.classroom import free_play
from lab.classroom.free_play import FreePlay
from lab.classroom.model import PlaySetup
from lab.model import Exposure, LabError, Mode, Observer
from lab.phones.phones import TypingError
from lab.stage.stage import Stage

ALL = tuple(Mode)
NETWORK, INTERCEPTOR, SERVER, DATABASE = Observer.NETWORK, Observer.INTERCEPTOR, Observer.SERVER, Observer.DATABASE


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def play(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, lend: Callable[[pytest.MonkeyPatch], None]
) -> Iterator[FreePlay]:
    lend(monkeypatch)
    with closing(FreePlay(heard, "en")) as play:
        yield play


def test_a_message_goes_out_in_all_modes_and_is_found_where_it_can_be_read(play: FreePlay, heard: Heard) -> None:
    play.start(PlaySetup(ALL))
    assert play.send("alice", "Grüße, Meet me at 5pm", 7, "Kim") == 1
    assert play.send("bob", "I will be there", None, "") == 2
    first, second = heard.next("played"), heard.next("played")
    assert [one.about[:2] for one in (first, second)] == [(1, "sent"), (2, "sent")]
    assert {mode: set(found) for mode, found in first.found.items()} == {
        Mode.PLAINTEXT: {NETWORK, SERVER, DATABASE},
        Mode.TLS: {SERVER, DATABASE},
        Mode.E2EE: set(),
    }
    tag = str(first.about[2])
    assert f"Grüße, Meet me at 5pm {tag}" in first.found[Mode.TLS][SERVER]
    own = {
        (piece.mode, piece.observer): part.text for piece in heard.pieces for part in piece.parts if part.whose == "Kim"
    }
    assert set(own) == {(mode, one) for mode, found in first.found.items() for one in found}
    assert set(own.values()) == {f"Grüße, Meet me at 5pm {tag}"}
    assert {part.whose for piece in heard.pieces for part in piece.parts if "there" in part.text} == {""}
    play.judge()
    judged = heard.next("judged")
    assert judged.about == ("",)
    assert {
        mode: {one for one in (NETWORK, SERVER, DATABASE) if matrix.cell("body", one).exposure is Exposure.EXPOSED}
        for mode, matrix in judged.matrices.items()
    } == {mode: set(found) for mode, found in first.found.items()}
    assert not any(cell.exposure is Exposure.INCONCLUSIVE for one in judged.matrices.values() for cell in one.cells)


def test_many_messages_are_sent_in_their_order(play: FreePlay, heard: Heard) -> None:
    play.start(PlaySetup((Mode.TLS,)))
    numbers = [play.send("alice", f"Hello from {one}", one, f"Kim {one}") for one in range(8)]
    assert [heard.next("played").about[:2] for _ in numbers] == [(one, "sent") for one in numbers]
    assert {part.whose for piece in heard.pieces for part in piece.parts} >= {f"Kim {one}" for one in range(8)}


def test_phones_refuse_an_interceptor_whom_they_do_not_trust(play: FreePlay, heard: Heard) -> None:
    play.start(PlaySetup((Mode.PLAINTEXT, Mode.TLS), interceptor="untrusted"))
    assert heard.next("judged").about == (
        "In tls mode nothing is sent any more: the phones refuse the certificate that they are shown.",
    )
    play.send("alice", "Meet me at 5pm", None, "")
    played = heard.next("played")
    assert played.about[1] == "sent"
    assert list(played.found) == [Mode.PLAINTEXT]
    assert any(piece.mode is Mode.TLS and piece.what == "TLS ClientHello" for piece in heard.pieces)
    stood_in = [piece for piece in heard.pieces if piece.mode is Mode.TLS and piece.observer is INTERCEPTOR]
    assert {piece.what for piece in stood_in} <= {"TLS ClientHello", "TLS alert"}  # nobody said anything more to it
    assert marks(stood_in, INTERCEPTOR) <= {"service"}


def test_a_trusted_interceptor_reads_along_but_not_in_end_to_end_encryption(play: FreePlay, heard: Heard) -> None:
    play.start(PlaySetup((Mode.TLS, Mode.E2EE), interceptor="trusted", padded=True))
    play.send("alice", "Meet me at 5pm", 1, "Kim")
    assert {mode: set(found) for mode, found in heard.next("played").found.items()} == {
        Mode.TLS: {INTERCEPTOR, SERVER, DATABASE},
        Mode.E2EE: set(),
    }
    for mode, secrets in ((Mode.TLS, {"body"}), (Mode.E2EE, set[str]())):
        pieces = [one for one in heard.pieces if one.mode is mode]
        assert marks(pieces, INTERCEPTOR) & {"body"} == secrets
        assert marks(pieces, NETWORK) == {"service"}
    play.judge()
    matrices = heard.next("judged").matrices
    assert matrices[Mode.TLS].cell("body", "interceptor").exposure is Exposure.EXPOSED
    assert matrices[Mode.E2EE].cell("body", "interceptor").exposure is Exposure.HIDDEN


def test_phones_that_know_the_key_refuse_even_a_trusted_interceptor(play: FreePlay, heard: Heard) -> None:
    play.start(PlaySetup((Mode.TLS,), interceptor="trusted", pinned=True))
    play.send("alice", "Meet me at 5pm", None, "")
    assert "know the key of the service" in str(heard.next("judged").about[0])
    assert heard.next("played").about[:2] == (1, "failed")
    play.judge()
    assert heard.next("judged").matrices == {}
    play.start(PlaySetup((Mode.TLS,), pinned=True))
    assert play.send("alice", "Meet me at 5pm", None, "") == 1
    assert heard.next("played", "judged").about[:2] == (1, "sent")


def test_a_mode_that_breaks_is_said_and_the_others_go_on(
    play: FreePlay, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes: list[Stage] = []
    of_stage = Stage.lanes

    def kept(stage: Stage, most: int) -> list[Stage]:
        lanes.extend(of_stage(stage, most))
        return list(lanes)

    monkeypatch.setattr(Stage, "lanes", kept)
    play.start(PlaySetup((Mode.PLAINTEXT, Mode.TLS)))
    play.send("alice", "Meet me at 5pm", None, "")
    assert list(heard.next("played").found) == [Mode.PLAINTEXT, Mode.TLS]
    os.kill(lanes[1].server.pid, 9)
    play.send("bob", "I will be there", None, "")
    assert str(heard.next("judged").about[0]).startswith("In tls mode nothing is sent any more: ")
    played = heard.next("played")
    assert played.about[:2] == (2, "sent")
    assert list(played.found) == [Mode.PLAINTEXT]


def test_what_cannot_be_sent_is_refused_at_once(play: FreePlay) -> None:
    with pytest.raises(LabError, match="No free play is on"):
        play.send("alice", "Meet me at 5pm", None, "")
    play.start(PlaySetup((Mode.PLAINTEXT,)))
    with pytest.raises(TypingError, match="nothing to send"):
        play.send("alice", "  ", None, "")
    with pytest.raises(TypingError, match="alice and bob"):
        play.send("eve", "Meet me", None, "")


def test_a_stage_that_cannot_be_set_up_is_said_and_nothing_is_sent(
    play: FreePlay, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise LabError("no room for temporary files")

    monkeypatch.setattr(free_play, "open_stage", fail)
    play.start(PlaySetup(ALL))
    assert heard.next("judged").about == ("This did not work: no room for temporary files.",)
    play.send("alice", "Meet me at 5pm", None, "")
    assert heard.next("played").about == (1, "failed", "")


def test_after_the_end_nothing_is_told(play: FreePlay, heard: Heard) -> None:
    play.start(PlaySetup(ALL))
    for one in range(5):
        play.send("alice", f"Hello {one}", None, "")
    heard.next("played")
    play.stop()
    while not heard.nothing_more():
        heard.next("seen", "played", "judged")
    assert [told.what for told in heard.all if told.what == "judged"] == []
    assert len([told for told in heard.all if told.what == "played"]) < 5
    play.stop()
    play.close()
