"""The class as faces, runner and free play meet it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guide.lessons import lesson, measured

from classroom.people import URL, Hub, Party, Runner, party, state_file
from lab.classroom.classroom import KEPT_PIECES, MOST_OWN, Classroom, Face, Kind, RefusedError
from lab.classroom.documents import Replay
from lab.classroom.model import LONGEST_MESSAGE, LONGEST_REASON, Learner, PlaySetup
from lab.classroom.seen import Part, Piece
from lab.classroom.store import Store
from lab.guide.zoom import Layer, Zoom
from lab.model import Direction, LabError, Mode, Observer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(state_file(tmp_path)) as opened:
        yield opened


@pytest.fixture
def here(store: Store) -> Party:
    return party(store)


def refused(kind: Kind, call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(RefusedError) as found:
        call(*arguments, **named)
    assert found.value.kind is kind
    text = str(found.value)
    assert text.endswith(".")
    return text


def phase(here: Party) -> str:
    return str(here.room.document(Face.LEARNER)["phase"])


# Joining


def test_a_learner_joins_and_is_known_by_the_token(here: Party) -> None:
    token, nickname = here.room.join(f" {here.room.code.lower()} ", " Kim\u202e ")
    assert nickname == "Kim"
    learner = here.room.learner(token)
    assert learner is not None
    assert here.room.me(learner)["nickname"] == "Kim"
    assert here.room.learner(token[:-1]) is None
    assert here.room.learner("") is None
    assert here.room.learner("\ud800") is None
    assert here.hub.faces == [Face.TEACHER, Face.STAGE]


def test_two_learners_do_not_look_the_same(here: Party) -> None:
    assert [here.join(name).nickname for name in ("Kim", "Kim", "KIM")] == ["Kim", "Kim 2", "KIM 3"]


@pytest.mark.parametrize("code", ["", "AAAAAA", "ÄÖÜ", "\ud800"])
def test_nobody_joins_with_another_code(here: Party, code: str) -> None:
    refused(Kind.FORBIDDEN, here.room.join, code, "Kim")


@pytest.mark.parametrize("name", ["", " \u200b ", "x" * 25, "x" * 100_000])
def test_a_name_can_be_seen_and_is_short(here: Party, name: str) -> None:
    refused(Kind.WRONG, here.room.join, here.room.code, name)


def test_a_class_is_full_at_some_point(here: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.classroom.classroom.MOST_LEARNERS", 2)
    here.join("Kim")
    here.join("Lee")
    refused(Kind.FULL, here.room.join, here.room.code, "Max")
    assert len(here.room.document(Face.TEACHER)["learners"]) == 2


def test_tokens_are_kept_as_hashes_only(here: Party, tmp_path: Path) -> None:
    token, _ = here.room.join(here.room.code, "Kim")
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.encode() not in data
    assert hashlib.sha256(token.encode()).digest() in data


def test_code_and_key_are_drawn_for_each_class(here: Party, tmp_path: Path) -> None:
    with Store(tmp_path / "other.sqlite") as other:
        there = party(other)
        assert here.room.code != there.room.code
        assert here.room.key != there.room.key
    assert len(here.room.code) == 6
    assert len(here.room.key) * 6 >= 128


# Answers


def test_an_answer_is_kept_and_told_to_teacher_and_stage_alone(here: Party, tmp_path: Path) -> None:
    kim = here.join("Kim")
    here.pick()
    here.do("open")
    here.hub.faces.clear()
    version = here.room.document(Face.LEARNER)["version"]
    given = here.answer(kim, body_server="hidden", reason="  TLS\nhides it ")
    assert given == {"predictions": {"body@server": "hidden"}, "reason": "TLS hides it"}
    assert here.answer(kim, body_server="exposed")["reason"] == "TLS hides it"
    assert set(here.hub.faces) == {Face.TEACHER, Face.STAGE}
    assert here.room.document(Face.LEARNER)["version"] == version
    assert here.room.me(kim)["predictions"] == {"body@server": "exposed"}


def test_answers_that_do_not_fit_change_nothing(here: Party) -> None:
    kim = here.join("Kim")
    question = here.pick(cells=["body@server", "body@network"])
    answer = here.room.answer
    refused(Kind.NOT_NOW, answer, kim, question, 1, {"body@server": "hidden"}, None)
    here.do("open")
    refused(Kind.NOT_NOW, answer, kim, question + 1, 1, {"body@server": "hidden"}, None)
    refused(Kind.NOT_NOW, answer, kim, question, 2, {"body@server": "hidden"}, None)
    refused(Kind.WRONG, answer, kim, question, 1, {"body@server": "hidden", "body@moon": "hidden"}, None)
    refused(Kind.WRONG, answer, kim, question, 1, {"body@database": "hidden"}, None)
    refused(Kind.WRONG, answer, kim, question, 1, {"body@server": "inconclusive"}, None)
    refused(Kind.WRONG, answer, kim, question, 1, {"body@server": ["hidden"]}, None)
    refused(Kind.WRONG, answer, kim, question, 1, {}, "x" * (LONGEST_REASON + 1))
    refused(Kind.FORBIDDEN, answer, Learner(99, "Kim"), question, 1, {}, None)
    here.do("pause")
    assert "paused" in refused(Kind.NOT_NOW, answer, kim, question, 1, {"body@server": "hidden"}, None)
    here.do("resume")
    assert answer(kim, question, 1, {}, None) == {"predictions": {}, "reason": ""}
    here.do("close")
    refused(Kind.NOT_NOW, answer, kim, question, 1, {"body@server": "hidden"}, None)
    assert here.room.me(kim)["round_of"] == {}


def test_the_second_vote_begins_with_the_first(here: Party) -> None:
    kim, lee = here.join("Kim"), here.join("Lee")
    here.pick(cells=["body@server", "body@network"])
    here.do("open")
    here.answer(kim, body_server="hidden", body_network="hidden")
    here.answer(lee, body_server="hidden")
    here.do("close", "open")
    here.answer(kim, 2, body_server="exposed")
    mine = here.room.me(kim)
    assert mine["predictions"] == {"body@server": "exposed", "body@network": "hidden"}
    assert mine["round_of"] == {
        "1": {"body@server": "hidden", "body@network": "hidden"},
        "2": {"body@server": "exposed"},
    }
    teacher = here.room.document(Face.TEACHER)
    assert teacher["votes"]["body@server"]["2"] == {"exposed": 1, "inferred": 0, "hidden": 0}
    assert [one["answered"] for one in teacher["learners"]] == [1, 0]
    here.do("close")
    teacher = here.room.document(Face.TEACHER)
    assert teacher["votes"]["body@server"]["2"] == {"exposed": 1, "inferred": 0, "hidden": 1}
    assert [one["answered"] for one in teacher["learners"]] == [2, 1]


def test_many_answer_at_once(here: Party) -> None:
    learners = [here.join("Kim") for _ in range(24)]
    here.pick(cells=["body@server", "body@network"])
    here.do("open")

    def vote(one: Learner) -> None:
        here.answer(one, body_server="hidden")
        here.answer(one, body_network="exposed")
        here.answer(one, body_server="hidden")

    threads = [threading.Thread(target=vote, args=(one,)) for one in learners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    votes = here.room.document(Face.TEACHER)["votes"]
    assert votes["body@server"]["1"] == {"exposed": 0, "inferred": 0, "hidden": 24}
    assert here.room.document(Face.STAGE)["answered"] == 24


# The teacher


def test_what_the_teacher_may_do_now(here: Party) -> None:
    refused(Kind.WRONG, here.room.act, "dance", {})
    refused(Kind.NOT_NOW, here.room.act, "open", {})
    refused(Kind.UNKNOWN, here.room.act, "pick", {"lesson": "none", "scenario": 0})
    for number in (-1, 2, "0", True, None, 0.0):
        refused(Kind.UNKNOWN, here.room.act, "pick", {"lesson": "short", "scenario": number})
    for cells in ([], ["body@server", "body@server"], ["body@moon"], "body@server", [["body@server"]], 3):
        refused(Kind.WRONG, here.room.act, "pick", {"lesson": "short", "scenario": 0, "cells": cells})
    assert phase(here) == "lobby"
    assert here.room.document(Face.TEACHER)["actions"] == ["pick", "lobby", "play", "pause", "remove"]
    assert here.pick() == 1
    assert here.pick(1) == 2
    assert here.room.document(Face.LEARNER)["question"]["number"] == 2


def test_a_run_goes_step_by_step(here: Party) -> None:
    question = here.pick()
    here.do("open", "close", "run")
    refused(Kind.NOT_NOW, here.room.act, "step", {})
    here.room.reached(question, 0, 2, "alice sends bob a text", ())
    assert here.room.document(Face.LEARNER)["run"] == {
        "step": 0,
        "of": 2,
        "text": "alice sends bob a text",
        "waiting": True,
        "measured": False,
        "failed": "",
    }
    here.do("step")
    here.room.reached(question, 1, 2, "bob answers", ())
    here.do("rest")
    here.room.reached(question, 2, 2, "", ())
    refused(Kind.NOT_NOW, here.room.act, "reveal", {})
    here.measure(question)
    here.do("reveal")
    assert here.runner.calls == [("start", question, "short", 0), ("step", False), ("step", True)]
    here.do("lobby")
    assert phase(here) == "lobby"


def test_a_run_that_fails_is_said_and_stopped(here: Party) -> None:
    question = here.pick()
    here.do("open", "close", "run")
    here.room.failed(question, "The tap is gone.")
    assert here.room.document(Face.LEARNER)["run"]["failed"] == "The tap is gone."
    here.do("stop")
    assert (phase(here), here.runner.calls[-1]) == ("closed", ("stop",))
    here.room.reached(question, 1, 1, "too late", ())
    here.measure(question)
    assert here.room.document(Face.TEACHER)["measured"] is None


def test_a_runner_that_cannot_begin(here: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        raise LabError("no mitmdump here")

    monkeypatch.setattr(here.runner, "start", start)
    here.pick()
    here.do("open", "close", "run")
    assert here.room.document(Face.TEACHER)["run"]["failed"] == "no mitmdump here"


def test_a_story_that_broke_off_is_said(here: Party) -> None:
    from dataclasses import replace

    question = here.pick()
    here.do("open", "close", "run")
    here.room.measured(question, replace(measured(lesson().scenarios[0]), broken_off="bob was away"), {})
    assert here.room.document(Face.TEACHER)["run"]["failed"] == "bob was away"
    here.do("reveal")


def test_evidence_is_opened_on_the_stage_and_for_learners_after_the_reveal(here: Party) -> None:
    question = here.pick()
    here.do("open", "close", "run")
    refused(Kind.FORBIDDEN, here.room.evidence, question, "body@server", teacher=True)
    refused(Kind.UNKNOWN, here.room.evidence, 99, "body@server", teacher=True)
    here.measure(question)
    end = "It ends here."
    assert here.room.evidence(question, "body@server", teacher=True)["end"] == end
    refused(Kind.FORBIDDEN, here.room.evidence, question, "body@server", teacher=False)
    here.room.act("select", {"cell": "body@server"})
    assert here.room.document(Face.STAGE)["zoom"]["layers"][0]["note"] == "what server got"
    refused(Kind.WRONG, here.room.act, "select", {"cell": "body@moon"})
    here.room.act("select", {"cell": None})
    assert here.room.document(Face.STAGE)["zoom"] is None
    here.do("reveal")
    assert here.room.evidence(question, "body@server", teacher=False)["end"] == end
    refused(Kind.UNKNOWN, here.room.evidence, question, "body@moon", teacher=False)
    here.do("lobby")
    assert here.room.evidence(question, "body@server", teacher=False)["end"] == end


def test_one_learner_or_all_begin_again(here: Party) -> None:
    kim, lee = here.join("Kim"), here.join("Lee")
    here.pick()
    here.do("open")
    for one in (kim, lee):
        here.answer(one, body_server="hidden")
    here.room.act("reset", {"learner": kim.id})
    assert (here.room.me(kim)["predictions"], here.room.me(lee)["predictions"]) == ({}, {"body@server": "hidden"})
    assert here.hub.told == [(kim.id, "reset", {})]
    here.do("reset")
    assert here.room.me(lee)["predictions"] == {}
    refused(Kind.UNKNOWN, here.room.act, "reset", {"learner": 99})
    refused(Kind.UNKNOWN, here.room.act, "reset", {"learner": "1"})


def test_who_is_removed_has_to_join_again(here: Party) -> None:
    token, _ = here.room.join(here.room.code, "Kim")
    kim = here.room.learner(token)
    assert kim is not None
    question = here.pick()
    here.do("open")
    here.answer(kim, body_server="hidden")
    here.room.act("remove", {"learner": kim.id})
    assert here.room.learner(token) is None
    assert here.hub.told == [(kim.id, "removed", {})]
    assert here.room.document(Face.TEACHER)["votes"]["body@server"]["1"]["hidden"] == 0
    refused(Kind.FORBIDDEN, here.room.answer, kim, question, 1, {"body@server": "hidden"}, None)
    refused(Kind.FORBIDDEN, here.room.me, kim)
    refused(Kind.UNKNOWN, here.room.act, "remove", {"learner": kim.id})
    assert here.join("Kim").nickname == "Kim"


# Alone


def test_who_studies_alone_leads_the_class(store: Store) -> None:
    here = party(store, alone=True)
    kim = here.join("Kim")
    here.room.act("pick", {"lesson": "short", "scenario": 0}, alone=True)
    here.room.act("open", {}, alone=True)
    here.answer(kim, body_server="exposed")
    for action in ("close", "run"):
        here.room.act(action, {}, alone=True)
    here.measure(1)
    here.room.act("reveal", {}, alone=True)
    assert here.room.me(kim)["progress"] == [
        {
            "question": 1,
            "lesson": "short",
            "lesson_title": "A short lesson",
            "title": "The way is encrypted",
            "right": 1,
            "of": 1,
        }
    ]
    refused(Kind.FORBIDDEN, here.room.act, "remove", {"learner": kim.id}, alone=True)
    again = here.join("Kim again")
    assert again.id == kim.id
    assert len(here.room.me(again)["progress"]) == 1


def test_a_learner_among_others_leads_nothing(here: Party) -> None:
    refused(Kind.FORBIDDEN, here.room.act, "pick", {"lesson": "short", "scenario": 0}, alone=True)


# Free play

SETUP = {"modes": ["e2ee", "tls"], "padded": True, "interceptor": "untrusted", "pinned": True}


def test_free_play_passes_messages_on(here: Party) -> None:
    kim = here.join("Kim")
    refused(Kind.NOT_NOW, here.room.own, kim, "Hello")
    refused(Kind.NOT_NOW, here.room.play, "alice", "Hello")
    here.room.act("play", SETUP)
    refused(Kind.NOT_NOW, here.room.act, "judge", {})
    here.room.play("bob", " Hello \n")
    here.room.own(kim, "Hello from Kim")
    assert here.player.calls == [
        ("start", PlaySetup((Mode.TLS, Mode.E2EE), True, "untrusted", True)),
        ("send", "bob", "Hello", None, ""),
        ("send", "alice", "Hello from Kim", kim.id, "Kim"),
    ]
    assert here.hub.told[-1][:2] == (kim.id, "own")
    refused(Kind.NOT_NOW, here.room.own, kim, "and another")
    here.room.played(2, "sent", {Mode.TLS: {Observer.SERVER: "Hello from Kim [9f]"}}, "[9f]")
    here.do("judge")
    matrix = measured(lesson().scenarios[0])
    here.room.judged({Mode.TLS: matrix})
    _, event, told = here.hub.told[-1]
    message = told["messages"][0]
    assert (event, message["state"], message["tag"]) == ("own", "sent", "[9f]")
    assert message["modes"]["tls"]["server"] == {
        "found": True,
        "verdict": "exposed",
        "excerpt": "Hello from Kim [9f]",
    }
    assert message["modes"]["tls"]["network"] == {"found": False, "verdict": "hidden", "excerpt": ""}
    assert message["modes"]["e2ee"] == {}
    stage = here.room.document(Face.STAGE)
    assert (stage["play"]["messages"], stage["play"]["judging"]) == (2, False)
    assert stage["matrices"]["tls"]["body@server"]["exposure"] == "exposed"
    assert here.room.me(kim)["own"] == told
    here.room.own(kim, "Later")
    here.room.played(3, "sent", {Mode.TLS: {Observer.SERVER: "Later"}})
    later = here.room.me(kim)["own"]["messages"][1]
    assert later["modes"]["tls"]["server"]["verdict"] is None
    here.do("end_play")
    assert (phase(here), here.player.calls[-1]) == ("lobby", ("stop",))


def test_what_is_told_before_the_number_is_known_is_not_lost(here: Party) -> None:
    kim = here.join("Kim")
    here.room.act("play", SETUP)
    send = here.player.send

    def quick(who: str, text: str, learner: int | None, nickname: str) -> int:
        number = send(who, text, learner, nickname)
        here.room.played(number, "failed", {})
        return number

    here.player.send = quick  # type: ignore[method-assign]
    here.room.own(kim, "Hello")
    assert here.room.me(kim)["own"]["messages"][0]["state"] == "failed"


def test_typing_has_limits(here: Party) -> None:
    kim = here.join("Kim")
    here.room.act("play", SETUP)
    refused(Kind.WRONG, here.room.play, "mallory", "Hello")
    refused(Kind.WRONG, here.room.own, kim, " \u202e ")
    refused(Kind.WRONG, here.room.own, kim, "x" * (LONGEST_MESSAGE + 1))
    for number in range(1, MOST_OWN + 1):
        here.room.own(kim, "Hello")
        here.room.played(number, "sent", {})
    assert str(MOST_OWN) in refused(Kind.NOT_NOW, here.room.own, kim, "Hello")
    here.do("pause")
    refused(Kind.NOT_NOW, here.room.own, kim, "Hello")


@pytest.mark.parametrize(
    "wrong",
    [
        {"modes": []},
        {"modes": ["tls", "tls"]},
        {"modes": ["smoke"]},
        {"modes": "tls"},
        {"modes": [["tls"]]},
        {"interceptor": "mallory"},
        {"interceptor": ["none"]},
        {"padded": 1},
        {"pinned": "no"},
    ],
)
def test_a_setup_that_there_is_not(here: Party, wrong: dict[str, Any]) -> None:
    refused(Kind.WRONG, here.room.act, "play", {**SETUP, **wrong})


def test_without_a_player_there_is_no_free_play(store: Store) -> None:
    here = party(store)
    here.room.attach(here.hub, here.runner, None)
    refused(Kind.NOT_NOW, here.room.act, "play", SETUP)
    assert "play" not in here.room.document(Face.TEACHER)["actions"]


def test_a_pane_keeps_the_newest(here: Party) -> None:
    question = here.pick()
    here.do("open", "close", "run")
    parts = (Part("Meet me", "body", "Kim"),)
    many = [
        Piece(Observer.SERVER, Mode.TLS, number, "POST", Direction.TO_SERVICE, 7, parts)
        for number in range(1, KEPT_PIECES + 3)
    ]
    here.hub.faces.clear()
    here.room.seen(many)
    assert here.hub.faces == [Face.STAGE]
    held = here.room.document(Face.STAGE)["panes"]["tls"]["server"]
    assert [one["number"] for one in held] == list(range(3, KEPT_PIECES + 3))
    assert held[0] == {
        "number": 3,
        "what": "POST",
        "direction": "to service",
        "size": 7,
        "parts": [["Meet me", "body", "Kim"]],
    }
    here.do("stop", "run")
    here.room.reached(question, 0, 1, "", many[:1])
    assert len(here.room.document(Face.STAGE)["panes"]["tls"]["server"]) == 1


# Again


def reopened(path: Path, there: Party) -> tuple[Store, Party]:
    store = Store(path)
    again = party(store)
    assert (again.room.code, again.room.key) == (there.room.code, there.room.key)
    return store, again


def test_a_class_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    with Store(path) as store:
        there = party(store)
        token, _ = there.room.join(there.room.code, "Kim")
        kim = there.room.learner(token)
        assert kim is not None
        question = there.pick(cells=["body@server"])
        there.do("open")
        there.answer(kim, body_server="hidden", reason="TLS")
        before = there.room.me(kim), there.room.document(Face.LEARNER)
    store, again = reopened(path, there)
    with store:
        assert again.room.learner(token) == kim
        after = again.room.document(Face.LEARNER)
        assert again.room.me(kim) == before[0]
        assert after["version"] > before[1]["version"]
        assert {**after, "version": 0} == {**before[1], "version": 0}
        again.do("close", "run")
    store, again = reopened(path, there)
    with store:
        assert phase(again) == "closed"
        again.do("run")
        again.measure(question)
    store, again = reopened(path, there)
    with store:
        assert again.room.document(Face.TEACHER)["measured"]["body@server"]["exposure"] == "exposed"
        again.do("reveal")
        told = again.room.document(Face.LEARNER)["revealed"]
    store, again = reopened(path, there)
    with store:
        assert again.room.document(Face.LEARNER)["revealed"] == told
        assert again.room.evidence(question, "body@server", teacher=False)["end"] == "It ends here."
        assert again.room.me(kim)["progress"][0]["right"] == 0
        again.room.act("play", SETUP)
    store, again = reopened(path, there)
    with store:
        assert phase(again) == "lobby"


def test_a_class_goes_on_with_other_lessons(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    with Store(path) as store:
        party(store).pick()
    other = lesson("# Feature: Another\n" + lesson_text(), "another.feature.md")
    with Store(path) as store:
        here = party(store, of=other)
        assert phase(here) == "lobby"
        assert "short" not in here.room.export("cells.csv")


def lesson_text() -> str:
    from guide.lessons import TEXT

    return TEXT.partition("\n")[2]


@pytest.mark.parametrize(("language", "why"), [("en", "plays recordings"), ("de", "spielt Aufzeichnungen ab")])
@pytest.mark.parametrize("alone", [False, True])
def test_what_was_not_recorded_is_neither_offered_nor_picked(
    store: Store, language: str, why: str, *, alone: bool
) -> None:
    room = Classroom(store, [lesson()], language, alone=alone, url=URL)
    room.attach(Hub(), Runner(), None, Replay("short.capture.jsonl", 1.0, {"short": {1}}))
    assert [[one["number"] for one in told["scenarios"]] for told in room.lessons()] == [[1]]
    for arguments in ({"lesson": "short"}, {"lesson": "short", "scenario": 0}):
        said = refused(Kind.UNKNOWN, room.act, "pick", arguments, alone=alone)
        assert why in said
        assert lesson().scenarios[0].title in said
    assert room.document(Face.LEARNER)["phase"] == "lobby"
    room.act("pick", {"lesson": "short", "scenario": 1}, alone=alone)
    assert room.document(Face.LEARNER)["question"]["title"] == lesson().scenarios[1].title


def test_two_lessons_of_one_name(store: Store) -> None:
    with pytest.raises(LabError, match="same name"):
        Classroom(store, [lesson(), lesson()], "en", alone=False, url="http://127.0.0.1/")


def test_german(store: Store) -> None:
    room = Classroom(store, [lesson()], "de", alone=False, url="http://127.0.0.1/")
    assert "Klasse" in refused(Kind.FORBIDDEN, room.join, "", "Kim")


def test_nobody_is_told_while_a_lock_is_held(here: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is told may ask another thread for the document at once."""
    faces: list[str] = []

    def ask(face: Face) -> None:
        thread = threading.Thread(target=lambda: faces.append(here.room.document(face)["face"]))
        thread.start()
        thread.join(timeout=60)
        assert not thread.is_alive()

    monkeypatch.setattr(here.hub, "changed", ask)
    kim = here.join("Kim")
    question = here.pick()
    here.do("open")
    here.answer(kim, body_server="hidden")
    here.do("close", "run")
    here.room.reached(question, 0, 1, "a step", ())
    here.room.measured(question, measured(lesson().scenarios[0]), {"body@server": Zoom((Layer("", "", ()),), "")})
    assert set(faces) == {"learner", "teacher", "stage"}
