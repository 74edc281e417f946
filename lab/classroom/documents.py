"""What each face is told, as JSON has it: pure functions of what is known. The learner's document is the same for all
learners, and before the reveal it holds nothing that is right, and nothing of other learners.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from lab.addresses import is_here
from lab.classroom.model import (
    ALONE,
    NOTHING,
    Action,
    Learner,
    Moment,
    Phase,
    PlaySetup,
    Question,
    Rounds,
    counting,
    default_cells,
    final,
    possible,
    right,
    rounds,
    truth,
    votes,
    wrong_share,
)
from lab.classroom.seen import Piece
from lab.guide.lesson_path import people, stops
from lab.guide.zoom import Zoom
from lab.model import Cell, LeakMatrix, Mode, Observer, SecretName
from lab.report.handout import markdown
from lab.report.lesson_words import WORDS
from lab.report.sentences import in_language
from lab.scenario.lesson import Expect, Lesson, Scenario
from lab.scenario.misconceptions import MISCONCEPTIONS
from lab.scenario.predictions import PREDICTABLE, named, place_of, table
from lab.scenario.vocabulary import claimable

type Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """The question that a class is at, with the lesson that it is from."""

    question: Question
    lesson: Lesson

    @property
    def scenario(self) -> Scenario:
        return self.lesson.scenarios[self.question.scenario]


@dataclass(frozen=True, slots=True)
class Now:
    """What everybody may know a part of."""

    language: str
    alone: bool
    moment: Moment
    asked: Asked | None


@dataclass(frozen=True, slots=True)
class Room:
    """What the starter of the command may know: `answers` are those to the question, by learner. `plays` says whether
    there can be free play."""

    code: str
    url: str
    learners: Sequence[Learner]
    answers: Mapping[int, Rounds]
    connected: frozenset[int]
    plays: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """The captures that are played in place of live runs, and how many times as fast. `recorded` are their scenarios
    (from 0), by the name of the lesson: only these can be run."""

    file: str
    speed: float
    recorded: Mapping[str, Collection[int]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What only the stage view shows: what observers got, what was measured of free play, the evidence that is open."""

    panes: Mapping[Mode, Mapping[Observer, Sequence[Document]]]
    matrices: Mapping[Mode, LeakMatrix]
    zoom: Mapping[str, Any] | None
    replay: Replay | None


@dataclass(frozen=True, slots=True)
class Own:
    """A message that a learner has typed in free play. `found` has an excerpt where it can be read; `measured` says
    whether the matrices are about it too."""

    number: int
    text: str
    tag: str = ""
    state: str = "waiting"
    found: Mapping[Mode, Mapping[Observer, str]] = field(default_factory=lambda: MappingProxyType({}))
    measured: bool = False


def for_learner(now: Now, version: int) -> Document:
    """The same for all learners."""
    moment = now.moment
    return {
        "version": version,
        "face": "learner",
        "language": now.language,
        "paused": moment.paused,
        "alone": now.alone,
        "phase": moment.phase,
        "question": None if now.asked is None else _question(now.asked, moment),
        "run": _run(now),
        "revealed": _revealed(now.asked, now.language) if now.asked and moment.phase is Phase.REVEAL else None,
        "play": None if moment.play is None else setup_fields(moment.play.setup),
        **({"actions": [one for one in Action if one in possible(moment) & ALONE]} if now.alone else {}),
    }


def for_teacher(now: Now, room: Room, version: int) -> Document:
    """Everything about the class."""
    actions = possible(now.moment) - (frozenset() if room.plays else {Action.PLAY})
    return {
        **for_learner(now, version),
        "face": "teacher",
        **_address(room),
        **_numbers(now, room),
        "lan": not is_here(urlsplit(room.url).hostname or ""),
        "learners": [_learner(one, now, room) for one in room.learners],
        "votes": {},
        "key": {},
        "wrong": {},
        "explain": {},
        "misconceptions": [],
        "measured": None,
        "minutes": None,
        **({} if now.asked is None else _for_teaching(now.asked, now, room)),
        "play": _play(now.moment),
        "selected": _selected(now.moment),
        "plays": room.plays,
        "actions": [one for one in Action if one in actions],
    }


def for_stage(now: Now, room: Room, shown: Shown, version: int) -> Document:
    """What everybody in the room sees on the wall: before the reveal no votes, and no evidence that nobody opened."""
    moment, asked = now.moment, now.asked
    learner = for_learner(now, version)
    panes = moment.phase in (Phase.RUN, Phase.PLAY)
    return {
        **learner,
        "face": "stage",
        **_address(room),
        **_numbers(now, room),
        "qr": "/qr.svg",
        "votes": None if asked is None or moment.phase is not Phase.REVEAL else _votes_shown(asked.question, now, room),
        "path": [] if asked is None else _path(asked.scenario),
        "people": [] if asked is None else list(people(asked.scenario)),
        "panes": {mode: {who: list(held) for who, held in each.items()} for mode, each in shown.panes.items()}
        if panes
        else {},
        "matrices": _matrices(now, shown),
        "selected": _selected(moment),
        "zoom": shown.zoom,
        "replay": None if shown.replay is None else {"file": shown.replay.file, "speed": shown.replay.speed},
        "play": _play(moment),
    }


def lessons(all_of_them: Iterable[Lesson], replay: Replay | None = None) -> list[Document]:
    """What can be picked: of a replay, what was recorded. The cells are named; nothing says what is right in them."""
    offered = ((one, _offered(one, replay)) for one in all_of_them)
    return [
        {
            "name": lesson.name,
            "title": lesson.title,
            "course": lesson.course,
            "minutes": None if lesson.minutes is None else lesson.minutes.demo,
            "scenarios": [
                {
                    "number": number,
                    "title": scenario.title,
                    "mode": scenario.mode,
                    "cells": [named(one) for one in table(scenario)],
                    "default": [named(one) for one in default_cells(scenario)],
                }
                for number, scenario in scenarios.items()
            ],
        }
        for lesson, scenarios in offered
        if scenarios
    ]


def _offered(lesson: Lesson, replay: Replay | None) -> dict[int, Scenario]:
    """Those that can be run, by their number."""
    recorded = None if replay is None else replay.recorded.get(lesson.name, ())
    return {number: one for number, one in enumerate(lesson.scenarios) if recorded is None or number in recorded}


def me(learner: Learner, asked: Question | None, sent: Rounds, own: Document, progress: Iterable[Document]) -> Document:
    """What one learner has said, typed and reached."""
    said = final(sent)
    reason = sent.get(2, NOTHING).reason or sent.get(1, NOTHING).reason
    return {
        "nickname": learner.nickname,
        "predictions": {} if asked is None else {named(one): said[one] for one in asked.cells if one in said},
        "reason": reason,
        "round_of": {
            str(number): {named(place): exposure for place, exposure in answer.predictions.items()}
            for number, answer in sorted(sent.items())
        },
        "own": own,
        "progress": list(progress),
    }


def progress(question: Question, lesson: Lesson | None, sent: Rounds) -> Document:
    """How one learner did at a question that was revealed."""
    return {
        "question": question.number,
        "lesson": question.lesson,
        "lesson_title": question.lesson if lesson is None else lesson.title,
        "title": "" if lesson is None else lesson.scenarios[question.scenario].title,
        "right": right(question, final(sent)) or 0,
        "of": len(question.cells),
    }


def own(messages: Iterable[Own], modes: Sequence[Mode], matrices: Mapping[Mode, LeakMatrix]) -> Document:
    """What became of the messages of one learner in each of `modes`."""
    return {
        "messages": [
            {
                "number": one.number,
                "text": one.text,
                "tag": one.tag,
                "state": one.state,
                "modes": {mode: _own_in(one, mode, matrices.get(mode)) for mode in modes},
            }
            for one in messages
        ]
    }


def piece(one: Piece) -> Document:
    """What an observer got."""
    return {
        "number": one.number,
        "what": one.what,
        "direction": one.direction,
        "size": one.size,
        "parts": [[part.text, part.secret, part.whose] for part in one.parts],
    }


def zoom(one: Zoom) -> Document:
    """The evidence for a cell."""
    return {
        "layers": [{"title": layer.title, "note": layer.note, "lines": list(layer.lines)} for layer in one.layers],
        "end": one.end,
    }


def setup_fields(setup: PlaySetup) -> Document:
    """How free play is set up."""
    return {
        "modes": list(setup.modes),
        "padded": setup.padded,
        "interceptor": setup.interceptor,
        "pinned": setup.pinned,
    }


def _question(asked: Asked, moment: Moment) -> Document:
    question, lesson, scenario = asked.question, asked.lesson, asked.scenario
    return {
        "id": question.id,
        "number": question.number,
        "lesson": lesson.name,
        "lesson_title": lesson.title,
        "title": scenario.title,
        "mode": scenario.mode,
        **_told(lesson, question.scenario),
        "exposures": [
            {"name": one, "means": WORDS[lesson.language].exposures[one]}
            for one in PREDICTABLE
            if any(one in claimable(secret) for secret, _ in question.cells)
        ],
        "cells": [named(one) for one in question.cells],
        "hints": list(lesson.hints),
        "round": moment.round,
    }


def _told(lesson: Lesson, number: int) -> Document:
    """The story, and the words in the table."""
    scenario, words = lesson.scenarios[number], WORDS[lesson.language]
    return {
        "story": _html("\n\n".join(part for part in (lesson.prose, scenario.prose) if part)),
        "steps": [
            {"keyword": step.keyword, "text": step.text}
            for step in scenario.steps
            if not isinstance(step.action, Expect)
        ],
        "secrets": [{"name": one, "means": words.secrets[one]} for one in scenario.secrets],
        "observers": [{"name": one, "means": words.observers[one]} for one in scenario.observers],
    }


def _run(now: Now) -> Document | None:
    run = now.moment.run
    if run is None:
        return None
    return {
        "step": max(run.done, 0),
        "of": run.of,
        "text": run.text,
        "waiting": run.waits,
        "measured": run.measured,
        "failed": in_language(run.failed, now.language),
    }


def _play(moment: Moment) -> Document | None:
    """Free play, with how it goes."""
    if moment.play is None:
        return None
    return {
        **setup_fields(moment.play.setup),
        "messages": moment.play.messages,
        "judging": moment.play.judging,
        "trouble": moment.play.trouble,
    }


def _selected(moment: Moment) -> str | None:
    return None if moment.selected is None else named(moment.selected)


def _revealed(asked: Asked, language: str) -> Document:
    return {
        "cells": {
            named(place_of(cell)): {**_verdict(cell, language), "claimed": cell.claimed}
            for cell in asked.question.measured or ()
        },
        "explanations": _explanations(asked.scenario),
    }


def _verdict(cell: Cell, language: str) -> Document:
    return {**_measured(cell, language), "disputed": cell.failed}


def _measured(cell: Cell, language: str) -> Document:
    return {"exposure": cell.exposure, "reason": in_language(cell.reason, language)}


def _explanations(scenario: Scenario) -> Document:
    found: Document = {}
    for one in scenario.explanations:
        found.setdefault(named((one.secret, one.observer)), {})[one.exposure] = _html(one.text)
    return found


@cache
def _html(text: str) -> str:
    return str(markdown(text))


def _address(room: Room) -> Document:
    return {"code": room.code, "url": room.url}


def _over(now: Now, number: int) -> bool:
    """Whether nothing more can be sent in this round."""
    return now.moment.phase not in (Phase.FIRST, Phase.SECOND) or number < now.moment.round


def _answered(learner: int, now: Now, room: Room) -> int:
    """How many cells this learner has answered in the round that is open, or was last."""
    if now.asked is None:
        return 0
    sent = counting(room.answers.get(learner, {}), now.moment.round, over=_over(now, now.moment.round))
    return sum(place in sent for place in now.asked.question.cells)


def _numbers(now: Now, room: Room) -> Document:
    """How many have answered every cell, and how many are there."""
    wanted = 0 if now.asked is None else len(now.asked.question.cells)
    return {
        "answered": sum(0 < wanted == _answered(one.id, now, room) for one in room.learners),
        "connected": sum(one.id in room.connected for one in room.learners),
    }


def _learner(one: Learner, now: Now, room: Room) -> Document:
    sent = room.answers.get(one.id, {})
    question = None if now.asked is None else now.asked.question
    return {
        "id": one.id,
        "nickname": one.nickname,
        "connected": one.id in room.connected,
        "answered": _answered(one.id, now, room),
        "of": 0 if question is None else len(question.cells),
        "reason": sent.get(2, NOTHING).reason or sent.get(1, NOTHING).reason,
        "right": None if question is None else right(question, final(sent)),
    }


def _for_teaching(asked: Asked, now: Now, room: Room) -> Document:
    question, lesson, scenario = asked.question, asked.lesson, asked.scenario
    known = truth(question, scenario)
    counts = {
        number: votes(question, room.answers.values(), number, over=_over(now, number)) for number in rounds(now.moment)
    }
    measured = question.measured
    return {
        "votes": {
            named(place): {str(number): each[place] for number, each in counts.items()} for place in question.cells
        },
        "key": {named(place): known[place].exposure for place in question.cells if place in known},
        "wrong": {
            named(place): {str(number): wrong_share(each[place], known[place]) for number, each in counts.items()}
            for place in question.cells
            if place in known
        },
        "explain": _explanations(scenario),
        "misconceptions": [
            {
                "idea": wording.idea,
                "truth": wording.truth,
                "studies": [{"reference": one.reference, "found": one.found(lesson.language)} for one in studies],
            }
            for wording, studies in (
                (MISCONCEPTIONS[slug].wording(lesson.language), MISCONCEPTIONS[slug].studies)
                for slug in lesson.misconceptions
            )
        ],
        "measured": None
        if measured is None
        else {named(place_of(one)): _verdict(one, now.language) for one in measured},
        "minutes": None
        if lesson.minutes is None
        else {"demo": lesson.minutes.demo, "self_study": lesson.minutes.self_study},
    }


def _votes_shown(question: Question, now: Now, room: Room) -> Document:
    names = {1: "first", 2: "second"}
    return {
        names[number]: {
            named(place): counts for place, counts in votes(question, room.answers.values(), number, over=True).items()
        }
        for number in rounds(now.moment)
    }


def _path(scenario: Scenario) -> list[Document]:
    return [{"name": one.name, "observer": one.observer, "encrypted": one.encrypted} for one in stops(scenario)]


def _matrices(now: Now, shown: Shown) -> Document:
    asked = now.asked
    if asked is not None and now.moment.phase is Phase.REVEAL:
        return {asked.scenario.mode: _short(asked.question.measured or (), now.language)}
    if now.moment.phase is Phase.PLAY:
        return {mode: _short(matrix.cells, now.language) for mode, matrix in shown.matrices.items()}
    return {}


def _short(cells: Iterable[Cell], language: str) -> Document:
    return {f"{one.secret}@{one.observer}": _measured(one, language) for one in cells}


def _own_in(message: Own, mode: Mode, matrix: LeakMatrix | None) -> Document:
    """What became of it in one mode: at the observers that the matrix has, and at those where it was found."""
    found: Mapping[str, str] = {str(who): text for who, text in message.found.get(mode, {}).items()}
    known = matrix if message.measured and message.state == "sent" else None
    verdicts = {} if known is None else {one.observer: one.exposure for one in _cells_of(message, known)}
    return {
        who: {"found": bool(found.get(who)), "verdict": verdicts.get(who), "excerpt": found.get(who, "")}
        for who in dict.fromkeys((*found, *verdicts))
    }


def _cells_of(message: Own, matrix: LeakMatrix) -> Sequence[Cell]:
    """Those of this message, if there is a row of its own for it, else those of all texts."""
    mine = [one for one in matrix.cells if one.secret == str(message.number)]
    return mine or [one for one in matrix.cells if one.secret == SecretName.BODY]
