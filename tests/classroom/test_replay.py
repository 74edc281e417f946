"""The same class out of a recording: same pieces, same verdicts, at the speed that is wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from judging.recordings import TOUR, recorded_in, shortly_recorded

from classroom.heard import Heard, Told, marks
from lab import capture
from lab.capture import Fact, Writer
from lab.classroom import replay
from lab.classroom.replay import Recording, ReplayRunner, open_recording, parts
from lab.classroom.turns import Turns
from lab.matrix import judge
from lab.model import Capture, LabError, Mode, Observer
from lab.scenario.director import acted
from lab.scenario.lesson import Scenario
from lab.scenario.library import find
from lab.stage.stage import Stage

TLS = 1


def written(recording: Capture, path: Path) -> Path:
    with Writer(path, recording.story) as writer:
        writer.add(*recording.secrets, *(Fact(one) for one in recording.facts), *recording.claims)
        writer.add(*recording.statements, *recording.observations, *recording.notes)
    return path


@pytest.fixture
def path(stage: Stage, tmp_path: Path) -> Path:
    return written(shortly_recorded(stage)[Mode.TLS], tmp_path / "tour-2-tls.capture.jsonl")


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def recording(path: Path) -> Recording:
    return open_recording(path, "en")


@pytest.fixture
def runner(heard: Heard, recording: Recording) -> Iterator[ReplayRunner]:
    with closing(ReplayRunner(heard, [recording], "en", speed=0)) as runner:
        yield runner


def to_the_end(runner: ReplayRunner, heard: Heard, recording: Recording) -> Told:
    runner.start(1, recording.lesson, recording.scenario)
    heard.next("reached", "failed")
    runner.step(rest=True)
    return heard.next("measured", "failed")


def test_it_goes_through_the_steps_of_the_lesson(runner: ReplayRunner, heard: Heard, recording: Recording) -> None:
    texts = [step.text for step in acted(TOUR.scenarios[TLS])]
    runner.start(9, recording.lesson, recording.scenario)
    assert heard.next("reached").about == (9, 0, 2, texts[0])
    assert all("body" not in marks(heard.pieces, one) for one in Observer)
    assert heard.nothing_more()
    runner.step(rest=False)
    assert heard.next("reached").about == (9, 1, 2, texts[1])
    assert "body" in marks(heard.pieces, Observer.SERVER)
    assert "attachment" not in marks(heard.pieces, Observer.SERVER)
    runner.step(rest=False)
    assert heard.next("reached").about == (9, 2, 2, "")
    assert "attachment" in marks(heard.pieces, Observer.SERVER)
    assert marks(heard.pieces, Observer.NETWORK) <= {"service"}
    assert {"body", "attachment"} <= marks(heard.pieces, Observer.DATABASE)
    measured = heard.next("measured")
    assert measured.matrices[Mode.TLS] == judge(recording.capture)
    assert set(measured.evidence) == {f"{one.secret}@{one.observer}" for one in measured.matrices[Mode.TLS].cells}


def test_it_takes_as_long_as_it_took_divided_by_the_speed(
    runner: ReplayRunner, heard: Heard, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    verdicts = judge(recording.capture)
    monkeypatch.setattr(replay, "judge", lambda _: verdicts)
    monkeypatch.setattr(replay, "evidence_of", lambda *_: {})
    monkeypatch.setattr(Turns, "wait", lambda _self, _order, seconds: waited.append(seconds))
    to_the_end(runner, heard, recording)
    assert waited == []
    for speed in (1.0, 4.0):
        runner.speed = speed
        to_the_end(runner, heard, recording)
    real, fast = waited[: len(waited) // 2], waited[len(waited) // 2 :]
    assert sum(real) > 0
    assert sum(fast) == pytest.approx(sum(real) / 4)
    waited.clear()
    runner.speed = math.inf
    to_the_end(runner, heard, recording)
    assert waited == []


def test_it_can_be_stopped_and_begun_again(runner: ReplayRunner, heard: Heard, recording: Recording) -> None:
    runner.start(1, recording.lesson, recording.scenario)
    heard.next("reached")
    runner.stop()
    runner.start(2, recording.lesson, recording.scenario)
    assert heard.next("reached").about[0] == 2
    runner.step(rest=True)
    assert heard.next("measured").about == (2,)


def test_a_scenario_that_was_not_recorded_is_said(runner: ReplayRunner, heard: Heard, recording: Recording) -> None:
    runner.start(1, recording.lesson, 0)
    assert heard.next("failed").about == (1, f"There is no recording of “{TOUR.scenarios[0].title}” here.")


def test_the_class_may_speak_another_language_than_the_recording(path: Path, heard: Heard) -> None:
    recording = open_recording(path, "de")
    german = find("tour", "de")
    assert recording.lesson == german
    with closing(ReplayRunner(heard, [recording], "de", speed=0)) as runner:
        to_the_end(runner, heard, recording)
    texts = [told.about[3] for told in heard.all if told.what == "reached"]
    assert texts == [*(step.text for step in acted(german.scenarios[TLS])), ""]


def test_where_steps_cannot_be_told_apart_there_is_a_stop_before_each_message(stage: Stage) -> None:
    recording, scenario = recorded_in(stage, Mode.TLS), TOUR.scenarios[TLS]

    def stops(of: Scenario) -> list[str]:
        return [one.text for one in parts(recording, of, [step.text for step in acted(of)])]

    steps = [step.text for step in acted(scenario)]
    assert stops(scenario) == [*steps, ""]
    other = replace(scenario, steps=tuple(step for step in scenario.steps if step.text != steps[1]))
    first, second, last = stops(other)
    assert first.startswith("alice → Meet me at 5pm [")
    assert second.startswith("alice → plan-")
    assert last == ""
    whole = [one for part in parts(recording, scenario, steps) for one in part.observations]
    assert whole == sorted(recording.observations, key=lambda one: one.time)


def test_a_recording_of_nothing_that_ships_is_refused_in_a_sentence(stage: Stage, tmp_path: Path) -> None:
    short = shortly_recorded(stage)[Mode.TLS]
    for number, (story, why) in enumerate(
        [
            (replace(short.story, scenario="lab-up"), "“lab-up”, which is no lesson that ships"),
            (replace(short.story, scenario=str(TOUR.path)), "no lesson that ships"),
            (replace(short.story, title="Another title"), "has no scenario “Another title” any more"),
        ]
    ):
        path = written(replace(short, story=story), tmp_path / f"{number}{capture.SUFFIX}")
        with pytest.raises(LabError, match=why):
            open_recording(path, "en")
