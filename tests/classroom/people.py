"""A class with what it needs around it, and nobody in it that is real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guide.lessons import lesson, measured

from lab.classroom.classroom import Classroom, Face
from lab.classroom.model import Learner, PlaySetup
from lab.classroom.store import Store
from lab.guide.zoom import Layer, Zoom
from lab.scenario.lesson import Lesson
from lab.scenario.predictions import named, place_of

URL = "http://192.0.2.7/"


@dataclass
class Hub:
    """Writes down what it is told. `here` are the learners with a connection."""

    faces: list[Face] = field(default_factory=list)
    told: list[tuple[int, str, Mapping[str, Any]]] = field(default_factory=list)
    here: frozenset[int] = frozenset()

    def changed(self, face: Face) -> None:
        self.faces.append(face)

    def tell(self, learner: int, event: str, data: Mapping[str, Any]) -> None:
        self.told.append((learner, event, data))

    def connected(self) -> frozenset[int]:
        return self.here


@dataclass
class Runner:
    """Writes down what it is to do."""

    calls: list[tuple[object, ...]] = field(default_factory=list)

    def start(self, question: int, lesson: Lesson, scenario: int) -> None:
        self.calls.append(("start", question, lesson.name, scenario))

    def step(self, *, rest: bool) -> None:
        self.calls.append(("step", rest))

    def stop(self) -> None:
        self.calls.append(("stop",))

    def close(self) -> None:
        self.calls.append(("close",))


@dataclass
class Player:
    """The same, for free play."""

    calls: list[tuple[object, ...]] = field(default_factory=list)
    number: int = 0

    def start(self, setup: PlaySetup) -> None:
        self.calls.append(("start", setup))
        self.number = 0

    def send(self, who: str, text: str, learner: int | None, nickname: str) -> int:
        self.calls.append(("send", who, text, learner, nickname))
        self.number += 1
        return self.number

    def judge(self) -> None:
        self.calls.append(("judge",))

    def stop(self) -> None:
        self.calls.append(("stop",))

    def close(self) -> None:
        self.calls.append(("close",))


@dataclass
class Party:
    """A class, and who is around it."""

    room: Classroom
    hub: Hub
    runner: Runner
    player: Player

    def join(self, nickname: str) -> Learner:
        token, _ = self.room.join(self.room.code, nickname)
        learner = self.room.learner(token)
        assert learner is not None
        return learner

    def pick(self, scenario: int = 0, **arguments: Any) -> int:
        """The id of a new question."""
        self.room.act("pick", {"lesson": "short", "scenario": scenario, **arguments})
        question = self.room.document(Face.LEARNER)["question"]
        return int(question["id"])

    def do(self, *actions: str) -> None:
        for action in actions:
            self.room.act(action, {})

    def answer(self, learner: Learner, number: int = 1, reason: str | None = None, **said: str) -> dict[str, Any]:
        """Of the question that the class is at: body_server="hidden"."""
        question = self.room.document(Face.LEARNER)["question"]["id"]
        predictions = {name.replace("_", "@"): word for name, word in said.items()}
        return self.room.answer(learner, question, number, predictions, reason)

    def measure(self, question: int, scenario: int = 0) -> None:
        """All steps are done, and the lesson was right."""
        matrix = measured(lesson().scenarios[scenario])
        evidence = {
            named(place_of(one)): Zoom((Layer("bytes", f"what {one.observer} got", ("00 01",)),), "It ends here.")
            for one in matrix.cells
        }
        self.room.reached(question, 1, 1, "", ())
        self.room.measured(question, matrix, evidence)


def party(store: Store, *, alone: bool = False, of: Lesson | None = None) -> Party:
    made = Party(Classroom(store, [of or lesson()], "en", alone=alone, url=URL), Hub(), Runner(), Player())
    made.room.attach(made.hub, made.runner, made.player)
    return made


def state_file(folder: Path) -> Path:
    return folder / "class.sqlite"
