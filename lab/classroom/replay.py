"""Recorded scenarios in place of live runs: the same pieces in the same order, out of captures.

A capture says when an observer got something, and what participants did when; it does not say when a step began. Where
each step of the lesson sends one message, a step begins where the one before has ended. Where steps do something else,
there is a stop before each message instead, and nothing is said about steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from lab import capture
from lab.calibration import OBSERVERS_OWN
from lab.classroom.catalogue import catalogue
from lab.classroom.panes import Panes, Planted
from lab.classroom.runs import SHOWN, evidence_of
from lab.classroom.turns import Follower, LeftError, Order
from lab.matrix import judge
from lab.model import Capture, Deed, LabError, Observation, Statement
from lab.scenario.director import acted
from lab.scenario.languages import LANGUAGES
from lab.scenario.lesson import Lesson, Scenario, SendFile, SendText, SendToGroup, Step
from lab.scenario.library import find, names

if TYPE_CHECKING:
    from lab.classroom.classroom import Teller

LONGEST_PAUSE = 2.0
"""Seconds. Whoever recorded may have taken a long pause; nobody is to sit through it."""

_TOGETHER = 0.02
"""Seconds within which what observers got is shown at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """What happened up to a stop and was not shown before; `text` is what comes behind it, "" after the last one."""

    text: str
    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A capture, and the scenario of a lesson that ships of which it is one. `scenario` counts from 0; `told` is it in
    the language of the recording, which `lesson` need not be in."""

    path: Path
    capture: Capture
    lesson: Lesson
    scenario: int
    told: Scenario


def open_recording(path: Path, language: str) -> Recording:
    """LabError: it is no capture, or of nothing that ships."""
    recorded = capture.read(path)
    story = recorded.story
    if story.scenario not in names():
        raise LabError(f"{path}: recorded in “{story.scenario}”, which is no lesson that ships; give another recording")
    versions = dict(_versions(story.scenario))
    for version in versions.values():
        for number, scenario in enumerate(version.scenarios):
            if (scenario.title, scenario.mode) == (story.title, story.mode):
                return Recording(path, recorded, versions.get(language, version), number, scenario)
    raise LabError(f"{path}: the lesson {story.scenario} has no scenario “{story.title}” any more; record it anew")


def _versions(name: str) -> Iterator[tuple[str, Lesson]]:
    """The lesson of this name in each language that it is in."""
    for code in LANGUAGES:
        with suppress(LabError):
            yield code, find(name, code)


class ReplayRunner(Follower):
    """A `Runner` that plays recordings, `speed` times as fast as they were made; 0: all that a step brings at once."""

    def __init__(self, teller: Teller, recordings: Sequence[Recording], language: str, speed: float = 1.0) -> None:
        super().__init__("replay")
        self._teller = teller
        self._say = catalogue(language).say
        self._language = language
        self._recordings = {(one.lesson.name, one.scenario): one for one in recordings}
        self.speed = speed
        """May be changed at any time."""

    def _work(self) -> None:
        turn = 0
        while (order := self._turns.following(turn)) is not None:
            turn = order.turn
            try:
                self._play(order)
            except LeftError:
                pass
            except LabError as error:
                self._teller.failed(order.question, self._say("run.broke_off", why=error))

    def _play(self, order: Order) -> None:
        recording = self._recordings.get((order.lesson.name, order.scenario))
        if recording is None:
            self._teller.failed(order.question, self._say("run.not_recorded", title=order.story.title))
            return
        planted = [Planted(one.name, one.value) for one in recording.capture.secrets]
        panes = Panes(recording.capture.story.mode, planted, count(1))
        before, *steps = parts(recording.capture, recording.told, [step.text for step in acted(order.story)])
        self._turns.reach(order, 0)
        shown = panes.pieces(before.observations, SHOWN)
        self._teller.reached(order.question, 0, len(steps), before.text, shown)
        for done, step in enumerate(steps):
            self._turns.wait_for(order, done)
            for pause, together in _bursts(step.observations):
                if self.speed > 0 and math.isfinite(self.speed):
                    self._turns.wait(order, min(pause, LONGEST_PAUSE) / self.speed)
                self._turns.check(order)
                if pieces := panes.pieces(together):
                    self._teller.seen(pieces)
            self._turns.reach(order, done + 1)
            self._teller.reached(order.question, done + 1, len(steps), step.text, ())
        matrix = judge(recording.capture)
        evidence = evidence_of(recording.capture, matrix, self._language)
        self._turns.check(order)
        self._teller.measured(order.question, matrix, evidence)


def parts(recorded: Capture, scenario: Scenario, texts: Sequence[str]) -> list[Part]:
    """What came before the first stop, and behind each one: a stop is before each step of `scenario`, else before each
    message. `texts` are what the steps are called."""
    sent = [one for one in recorded.statements if one.deed is Deed.SENT and one.who != OBSERVERS_OWN]
    sent.sort(key=lambda one: one.time)
    steps = acted(scenario)
    if len(texts) != len(steps) or not _tell_apart(steps, sent):
        texts = [f"{one.who} → {one.text or one.file_name}" for one in sent]
    moments = [-math.inf, *(_begins(recorded, one) for one in sent), math.inf]
    observations = sorted(recorded.observations, key=lambda one: one.time)
    return [
        Part(text, tuple(one for one in observations if first < one.time <= last))
        for (first, last), text in zip(pairwise(moments), [*texts, ""], strict=True)
    ]


def _tell_apart(steps: Sequence[Step], sent: Sequence[Statement]) -> bool:
    """Whether each of the steps sends one message, in this order, and no other one was sent."""
    return len(steps) == len(sent) and all(_sends(step, one) for step, one in zip(steps, sent, strict=True))


def _sends(step: Step, sent: Statement) -> bool:
    match step.action:
        case SendText() | SendToGroup() as action:
            return sent.who == action.sender and sent.text.startswith(action.text)
        case SendFile() as action:
            return sent.who == action.sender and bool(sent.file_name)
    return False


def _begins(recorded: Capture, sent: Statement) -> float:
    """When nothing of what was before this message was going on any more: the last thing that somebody did by then.
    Connections are made for what comes."""
    before = (one.time for one in recorded.statements if one.time < sent.time and one.deed is not Deed.CONNECTED)
    return max(before, default=sent.time)


def _bursts(observations: Sequence[Observation]) -> Iterator[tuple[float, list[Observation]]]:
    """What came at about the same time, and how long it was quiet before."""
    together: list[Observation] = []
    pause = 0.0
    for one in observations:
        if together and one.time - together[0].time > _TOGETHER:
            yield pause, together
            pause, together = one.time - together[0].time, []
        together.append(one)
    if together:
        yield pause, together
