"""What each face is told. No sequence of actions gives a learner the key, or another learner's words, too early."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from guide.lessons import BODY_AT_SERVER, CAPTURE, lesson, measured
from hypothesis import given, settings
from hypothesis import strategies as st

from classroom.people import URL, Party, party, state_file
from lab.classroom import documents
from lab.classroom.classroom import Face, RefusedError
from lab.classroom.documents import Asked, Now, Own, Replay, Room, Shown
from lab.classroom.model import Action, Learner, Moment, Phase, Question, Running, default_cells
from lab.classroom.store import Store
from lab.guide.words import words_for
from lab.guide.zoom import zoom
from lab.model import Exposure, Mode, Observer
from lab.scenario import parse
from lab.scenario.library import shipped

KIM = Learner(1, "Kim")


def now(phase: Phase, *, cells: Any = None, of: Any = None, **moment: Any) -> Now:
    one = of or lesson()
    question = Question(1, 1, one.name, 0, (BODY_AT_SERVER,), cells, revealed=phase is Phase.REVEAL)
    return Now("en", False, Moment(phase, question=1, **moment), Asked(question, one))


def room(*learners: Learner, **kept: Any) -> Room:
    return Room("K7QX4P", kept.pop("url", URL), learners, kept.pop("answers", {}), frozenset({1}), plays=True)


def shown(**kept: Any) -> Shown:
    return Shown(kept.get("panes", {}), kept.get("matrices", {}), kept.get("zoom"), kept.get("replay"))


CELLS = tuple(measured(lesson().scenarios[0]).cells)
MEASURED = Running(1, 1, 1, measured=True)


def test_the_lobby_is_empty() -> None:
    empty = Now("de", False, Moment(), None)
    assert documents.for_learner(empty, 17) == {
        "version": 17,
        "face": "learner",
        "language": "de",
        "paused": False,
        "alone": False,
        "phase": "lobby",
        "question": None,
        "run": None,
        "revealed": None,
        "play": None,
    }


def test_a_question_is_told_without_what_is_right() -> None:
    told = documents.for_learner(now(Phase.FIRST), 1)["question"]
    assert told["cells"] == ["body@server"]
    assert told["steps"] == [
        {"keyword": "Given", "text": "a message service in tls mode"},
        {"keyword": "And", "text": "the secrets body and service"},
        {"keyword": "When", "text": 'alice sends bob "Meet me at 5pm"'},
    ]
    assert told["story"] == "<p>Alice writes to Bob.</p>\n<p>The service uses HTTPS.</p>\n"
    assert [one["name"] for one in told["exposures"]] == ["exposed", "hidden"]
    assert [one["name"] for one in told["observers"]] == ["network", "server", "database"]
    assert told["round"] == 1


def test_prose_is_never_markup_of_its_own() -> None:
    text = lesson_with("Alice <script>alert(1)</script> [writes](javascript:alert(1)) ![x](http://example.org/x.png)")
    story = documents.for_learner(now(Phase.STORY, of=text), 1)["question"]["story"]
    assert "<script" not in story
    assert "<img" not in story
    assert "href" not in story


def lesson_with(prose: str) -> Any:
    from guide.lessons import TEXT

    return parse(TEXT.replace("Alice writes to Bob.", prose), Path("short.feature.md"))


def test_after_the_reveal_the_whole_table_is_told() -> None:
    told = documents.for_learner(now(Phase.REVEAL, cells=CELLS, run=MEASURED), 1)["revealed"]
    assert len(told["cells"]) == len(lesson().scenarios[0].claims)
    assert told["cells"]["body@server"] == {
        "exposure": "exposed",
        "reason": "a reason",
        "disputed": False,
        "claimed": "exposed",
    }
    assert told["explanations"]["body@server"]["hidden"].startswith("<p>TLS ends at the service")


def test_a_cell_that_the_lesson_does_not_agree_with_is_disputed() -> None:
    cells = tuple(measured(lesson().scenarios[0], body_server=Exposure.HIDDEN).cells)
    told = documents.for_learner(now(Phase.REVEAL, cells=cells, run=MEASURED), 1)["revealed"]
    assert told["cells"]["body@server"]["disputed"] is True


@pytest.mark.parametrize(
    ("url", "lan"),
    [(URL, True), ("http://127.0.0.1:8080/", False), ("http://localhost:1/", False), ("http://[::1]/", False)],
)
def test_the_teacher_knows_whether_others_are_let_in(url: str, lan: bool) -> None:
    told = documents.for_teacher(now(Phase.STORY), room(KIM, url=url), 1)
    assert (told["lan"], told["code"], told["url"]) == (lan, "K7QX4P", url)


def test_the_teacher_sees_what_is_right_and_who_is_stuck() -> None:
    told = documents.for_teacher(now(Phase.FIRST), room(KIM, Learner(2, "Lee")), 1)
    assert told["key"] == {"body@server": "exposed"}
    assert told["measured"] is None
    assert told["learners"] == [
        {"id": 1, "nickname": "Kim", "connected": True, "answered": 0, "of": 1, "reason": "", "right": None},
        {"id": 2, "nickname": "Lee", "connected": False, "answered": 0, "of": 1, "reason": "", "right": None},
    ]
    assert (told["answered"], told["connected"]) == (0, 1)
    assert told["wrong"] == {"body@server": {"1": None}}
    assert told["minutes"] == {"demo": 5, "self_study": 15}
    assert told["actions"] == ["pick", "close", "lobby", "pause", "reset", "remove"]


@pytest.mark.parametrize("plays", [True, False])
def test_the_teacher_knows_whether_there_can_be_free_play(*, plays: bool) -> None:
    told = documents.for_teacher(Now("en", False, Moment(), None), replace(room(KIM), plays=plays), 1)
    assert (told["plays"], "play" in told["actions"]) == (plays, plays)


def test_the_stage_shows_the_path_of_the_scenario() -> None:
    told = documents.for_stage(
        now(Phase.STORY), room(KIM), shown(replay=Replay("tour.capture", 2.0, {"short": {0}})), 1
    )
    assert [one["name"] for one in told["path"]] == ["network", "server", "", "database"]
    assert told["people"] == ["alice", "bob"]
    assert (told["votes"], told["panes"], told["matrices"], told["zoom"]) == (None, {}, {}, None)
    assert told["replay"] == {"file": "tour.capture", "speed": 2.0}


def test_the_stage_shows_votes_and_verdicts_after_the_reveal() -> None:
    told = documents.for_stage(now(Phase.REVEAL, cells=CELLS, run=MEASURED, round=2), room(KIM), shown(), 1)
    assert set(told["votes"]) == {"first", "second"}
    assert told["matrices"]["tls"]["body@server"] == {"exposure": "exposed", "reason": "a reason"}


def test_a_german_class_is_told_the_reasons_in_german() -> None:
    cells = tuple(replace(cell, reason="not found, and all 5 controls passed") for cell in CELLS)
    english = now(
        Phase.REVEAL, cells=cells, run=replace(MEASURED, failed="the conversation broke off: nobody knows why")
    )
    german, why = replace(english, language="de"), "nicht gefunden, und alle 5 Kontrollen sind bestanden"
    assert documents.for_learner(german, 1)["revealed"]["cells"]["body@server"]["reason"] == why
    assert documents.for_teacher(german, room(KIM), 1)["measured"]["body@server"]["reason"] == why
    told = documents.for_stage(german, room(KIM), shown(), 1)
    assert told["matrices"]["tls"]["body@server"]["reason"] == why
    assert told["run"]["failed"] == "das Gespräch ist abgebrochen: nobody knows why"
    assert documents.for_learner(english, 1)["revealed"]["cells"]["body@server"]["reason"].startswith("not found")


def test_evidence_is_that_of_the_guide() -> None:
    matrix = measured(lesson().scenarios[0])
    told = documents.zoom(zoom(CAPTURE, matrix, matrix.cell("body", "network"), words_for("en")))
    assert told["end"]
    assert all(set(layer) == {"title", "note", "lines"} for layer in told["layers"])


def test_a_message_of_ones_own_has_the_verdict_of_its_own_row_if_there_is_one() -> None:
    from dataclasses import replace

    whole = measured(lesson().scenarios[0])
    row = [replace(one, secret="7", exposure=Exposure.HIDDEN) for one in whole.cells if one.secret == "body"]
    matrix = replace(whole, cells=(*whole.cells, *row))
    mine = [Own(number, "Hello", state="sent", measured=True) for number in (7, 8)]
    told = documents.own(mine, [Mode.TLS], {Mode.TLS: matrix})["messages"]
    assert [one["modes"]["tls"][Observer.SERVER]["verdict"] for one in told] == ["hidden", "exposed"]


@pytest.mark.parametrize(("state", "is_measured"), [("sent", False), ("failed", True), ("waiting", False)])
def test_a_message_that_was_not_measured_has_no_verdict(state: str, is_measured: bool) -> None:
    mine = [Own(7, "Hello", state=state, found={Mode.TLS: {Observer.SERVER: "Hello"}}, measured=is_measured)]
    told = documents.own(mine, [Mode.TLS], {Mode.TLS: measured(lesson().scenarios[0])})["messages"]
    assert told[0]["modes"]["tls"] == {"server": {"found": True, "verdict": None, "excerpt": "Hello"}}


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_lesson_of_the_course_can_be_told(language: str) -> None:
    lessons = shipped(language)
    for one, about in zip(lessons, documents.lessons(lessons), strict=True):
        json.dumps(about)
        for number, scenario in enumerate(about["scenarios"]):
            assert set(scenario["default"]) <= set(scenario["cells"])
            assert 1 <= len(scenario["default"]) <= 8
            question = Question(1, 1, one.name, number, default_cells(one.scenarios[number]))
            asked = Now(language, False, Moment(Phase.STORY, question=1), Asked(question, one))
            told = documents.for_teacher(asked, room(KIM), 1)
            json.dumps(told)
            json.dumps(documents.for_stage(asked, room(KIM), shown(), 1))
            assert len(told["misconceptions"]) == len(one.misconceptions)
            assert all(each["idea"] and each["truth"] for each in told["misconceptions"])


def test_of_a_replay_only_what_was_recorded_can_be_picked() -> None:
    def offered(replay: Replay | None) -> list[tuple[str, list[int]]]:
        told = documents.lessons([lesson(), replace(lesson(), name="another")], replay)
        return [(one["name"], [each["number"] for each in one["scenarios"]]) for one in told]

    assert offered(None) == [("short", [0, 1]), ("another", [0, 1])]
    assert offered(Replay("x", 1.0, {"another": {1}})) == [("another", [1])]
    (told,) = documents.lessons([lesson()], Replay("x", 1.0, {"short": {1}}))
    assert told["scenarios"] == [documents.lessons([lesson()])[0]["scenarios"][1]]


# Whatever a class does

SECRET_REASON = "because-xyzzy"
STEPS = st.lists(
    st.sampled_from(
        [
            *("pick", "open", "close", "run", "reached", "measured", "failed", "step", "rest", "stop", "reveal"),
            *("lobby", "play", "judge", "end_play", "pause", "resume", "reset", "select", "answer", "judged"),
        ]
    ),
    max_size=30,
)
LEADS_ON = ("pick", "open", "answer", "close", "run", "measured", "select", "reveal", "lobby")


def do(here: Party, step: str, kim: Learner) -> None:
    """Whatever cannot be done now is refused, and nothing more."""
    question = (here.room.document(Face.LEARNER)["question"] or {"id": 0})["id"]
    arguments: dict[str, Any] = {
        "pick": {"lesson": "short", "scenario": 0},
        "play": {"modes": ["tls"]},
        "select": {"cell": "body@server"},
    }
    try:
        match step:
            case "answer" if question:
                here.answer(kim, body_server="hidden", reason=SECRET_REASON)
            case "reached":
                here.room.reached(question, 0, 1, "alice sends bob a text", ())
            case "measured" if question:
                here.measure(question)
            case "failed":
                here.room.failed(question, "The tap is gone.")
            case "judged":
                here.room.judged({}, "nothing was typed")
            case _ if step in list(Action):
                here.room.act(step, arguments.get(step, {}))
    except RefusedError as error:
        assert str(error)  # noqa: PT017 - any refusal will do, as long as it says something


def check(here: Party) -> None:
    told = here.room.encoded(Face.LEARNER).decode()
    document = json.loads(told)
    assert document == here.room.document(Face.LEARNER)
    assert (document["revealed"] is not None) is (document["phase"] == "reveal")
    # Nothing of other learners, not even how many there are; and no reasons, claims or verdicts before the reveal.
    for never in (SECRET_REASON, "Kim-Nickname", "votes", "learners", "answered", here.room.key):
        assert never not in told
    if document["phase"] != "reveal":
        for too_early in ("claimed", "explanations", "disputed", "TLS ends at the service", "a reason", '"exposure"'):
            assert too_early not in told
        stage = here.room.document(Face.STAGE)
        assert (stage["votes"], stage["matrices"]) == (None, {})
        assert SECRET_REASON not in json.dumps(stage)
        assert "Kim-Nickname" not in json.dumps(stage)
    teacher = here.room.document(Face.TEACHER)
    assert here.room.key not in json.dumps(teacher)
    assert set(teacher["actions"]) <= set(Action)


@settings(max_examples=40)
@given(STEPS)
def test_no_learner_is_told_too_early_whatever_happens(steps: list[str]) -> None:
    with TemporaryDirectory() as folder, Store(state_file(Path(folder))) as store:
        here = party(store)
        kim = here.join("Kim-Nickname")
        for step in (*steps, *LEADS_ON, *steps):
            do(here, step, kim)
            check(here)


def test_the_way_to_the_reveal_is_among_what_was_tried(tmp_path: Path) -> None:
    with Store(state_file(tmp_path)) as store:
        here = party(store)
        kim = here.join("Kim-Nickname")
        phases = []
        for step in LEADS_ON:
            do(here, step, kim)
            check(here)
            phases.append(here.room.document(Face.LEARNER)["phase"])
        assert phases == ["story", "first", "first", "discuss", "run", "run", "run", "reveal", "lobby"]


def test_the_same_bytes_for_every_learner_until_something_changes(tmp_path: Path) -> None:
    with Store(state_file(tmp_path)) as store:
        here = party(store)
        kim = here.join("Kim")
        here.pick()
        here.do("open")
        told = here.room.encoded(Face.LEARNER)
        here.answer(kim, body_server="hidden")
        assert here.room.encoded(Face.LEARNER) is told
        here.do("close")
        assert json.loads(here.room.encoded(Face.LEARNER))["version"] > json.loads(told)["version"]


def test_versions_only_rise(tmp_path: Path) -> None:
    with Store(state_file(tmp_path)) as store:
        here = party(store)
        versions = []
        for _ in range(3):
            versions += [here.room.document(face)["version"] for face in (Face.TEACHER, Face.STAGE)]
            here.pick()
        assert versions == sorted(set(versions))


def test_what_can_be_done_is_told_to_who_studies_alone(tmp_path: Path) -> None:
    with Store(state_file(tmp_path)) as store:
        here = party(store, alone=True)
        here.pick()
        assert here.room.document(Face.LEARNER)["actions"] == ["pick", "open", "lobby"]
