"""Profiles, reports and files with two faces on a real stage: what comes of them, and stories that go another way.

That each goes as its lesson tells it, the lessons themselves show.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import pytest

from lab import capture, controls, planting, resources
from lab.matrix import judge
from lab.messenger.operations import Operations
from lab.messenger.participant import Participant, Profile
from lab.model import Capture, Deed, Exposure, Mode, Observer, SecretName, Statement
from lab.record import Record
from lab.scenario import load, parse
from lab.scenario.director import play
from lab.scenario.lesson import Habit, Scenario
from lab.stage.stage import Stage

from .test_lesson_attackers import HELLO, lesson
from .test_lesson_outside import BELIEVED, FACE_BELIEVED, FACE_SHOWN, FACES, LIE_BELIEVED, MEAN, ONE_KEY, PROFILE

LESSON = load(resources.folder("scenarios") / "outside-the-envelope.feature.md")

SERVER, DATABASE = Observer.SERVER, Observer.DATABASE


def played(stage: Stage, path: Path, which: Callable[[Scenario], bool]) -> Capture:
    """The first scenario of the lesson of which this is true."""
    play(LESSON, next(filter(which, LESSON.scenarios)), stage, path, lambda _: None)
    return capture.read(path)


def exposures(recording: Capture, name: SecretName) -> dict[Observer, Exposure]:
    return {cell.observer: cell.exposure for cell in judge(recording).cells if cell.secret is name}


@pytest.fixture(scope="module")
def older(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """A report that the operator can only believe."""
    path = tmp_path_factory.mktemp("older") / "capture"
    return played(stage, path, lambda one: one.mode is Mode.E2EE and not one.habits)


# What must not happen unnoticed


def test_an_app_that_reports_more_than_it_was_asked_to_is_found_out(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: Capture
) -> None:
    """It puts all that it has shown into the report."""

    def report(self: Participant, message: str, **_: object) -> str:
        texts = [one.fields["text"] for one in self._shown.values()]
        return self._operations.report({"message": message, "text": "\n".join(texts)})

    monkeypatch.setattr(Participant, "report", report)
    leaky = played(stage, tmp_path / "capture", lambda one: one.mode is Mode.E2EE and not one.habits)
    assert leaky.missing == ()
    hidden = dict.fromkeys(older.story.observers, Exposure.HIDDEN)
    assert exposures(older, SecretName.BODY) == hidden
    assert exposures(leaky, SecretName.BODY) == {**hidden, SERVER: Exposure.EXPOSED, DATABASE: Exposure.EXPOSED}


def statement(recording: Capture, deed: Deed, **changed: object) -> Capture:
    """The recording with something else said about each such deed."""

    def change(one: Statement) -> Statement:
        return replace(one, **changed) if one.deed is deed else one  # type: ignore[arg-type]

    return replace(recording, statements=tuple(map(change, recording.statements)))


@pytest.mark.parametrize("observer", [SERVER, DATABASE])
@pytest.mark.parametrize(
    ("deed", "changed", "what"),
    [
        (Deed.REPORTED, {"message": "another"}, "the report of message another"),
        (Deed.SAW_PROFILE, {"peer": "somebody"}, "the profile of somebody"),
    ],
)
def test_what_is_not_in_the_record_hides_nothing(
    older: Capture, observer: Observer, deed: Deed, changed: dict[str, str], what: str
) -> None:
    assert controls.recorded(older, Record(older, observer)).passed
    told = statement(older, deed, **changed)
    control = controls.recorded(told, Record(told, observer))
    assert not control.passed
    assert control.detail.startswith(what)


@pytest.mark.parametrize(("name", "deed"), [(SecretName.PROFILE, Deed.SAW_PROFILE), (SecretName.REPORTED, Deed.READ)])
def test_what_nobody_saw_did_not_travel(older: Capture, name: SecretName, deed: Deed) -> None:
    assert controls.travelled(older, name).passed
    assert not controls.travelled(statement(older, deed, text="something else"), name).passed


@pytest.mark.parametrize(
    ("name", "asked", "field"),
    [
        (SecretName.PROFILE, "PUT /v1/profile ", "status"),
        (SecretName.REPORTED, "POST /v1/reports ", "text"),
    ],
)
def test_they_are_planted_as_apps_send_them(older: Capture, name: SecretName, asked: str, field: str) -> None:
    (secret,) = [one for one in older.secrets if one.name is name]
    line, _, body = planting.request(secret)
    real = next(one for one in Record(older, SERVER).exchanges if one.line.startswith(asked))
    assert real.line.encode() == line
    sent, mine = json.loads(real.request), json.loads(body)
    assert mine.keys() == sent.keys()
    assert mine[field] == sent[field] == secret.value.decode()


def test_a_profile_is_planted_in_answers_as_the_service_gives_it(older: Capture) -> None:
    (secret,) = [one for one in older.secrets if one.name is SecretName.PROFILE]
    _, header, body = planting.answer(secret)
    real = [one for one in Record(older, SERVER).exchanges if "/profile " in one.line and one.line.startswith("GET")]
    assert real != []
    assert all(json.loads(one.answer).keys() == json.loads(body).keys() for one in real)
    assert b"application/json" in header


# Stories that go another way than told


def held(stage: Stage, path: Path, given: list[str], story: list[str], habits: Collection[Habit] = ()) -> Capture:
    """What is recorded of this story, told by apps that have other `habits` than it says."""
    read = parse(lesson("e2ee mode", given, story), Path("f.feature.md"))
    scenario = read.scenarios[0]
    play(read, replace(scenario, habits=scenario.habits.union(habits)), stage, path, lambda _: None)
    return capture.read(path)


@pytest.mark.parametrize(
    ("given", "story", "habit", "what"),
    [
        ([], [MEAN, BELIEVED], Habit.COMMITTED, "the operator has found this about the report of bob: was sent"),
        ([], [LIE_BELIEVED], Habit.COMMITTED, "the operator has found this about the lie of bob: was not sent"),
        (
            [],
            [FACES, FACE_SHOWN],
            Habit.ONE_KEY,
            "the operator has seen the first face of the file, and has found: recipient says so",
        ),
        (
            [ONE_KEY],
            [FACES, FACE_BELIEVED],
            Habit.COMMITTED,
            "the operator has seen the first face of the file, and has found: was not sent",
        ),
    ],
    ids=["text", "lie", "shown", "believed"],
)
def test_what_comes_of_a_report_is_what_the_story_says(
    stage: Stage, tmp_path: Path, given: list[str], story: list[str], habit: Habit, what: str
) -> None:
    recording = held(stage, tmp_path / "capture", given, [HELLO, *story], [habit])
    (missing,) = recording.missing
    assert missing.what == f"the conversation broke off: {what}"
    assert set(exposures(recording, SecretName.BODY).values()) == {Exposure.INCONCLUSIVE}


def test_all_others_see_the_profile_as_it_was_set(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = [PROFILE, HELLO, 'bob sends carol "Hi"']
    recording = held(stage, tmp_path / "seen", [], story)
    assert recording.missing == ()
    seen = [one for one in recording.statements if one.deed is Deed.SAW_PROFILE]
    assert sorted(one.who for one in seen) == ["bob", "carol"]
    assert {one.text.partition(" [")[0] for one in seen} == {"At the lake"}
    monkeypatch.setattr(Operations, "profile", lambda *_: Profile("alice", "Away"))
    (missing,) = held(stage, tmp_path / "changed", [], story).missing
    assert missing.what.endswith("the app of bob has shown another profile of alice")
