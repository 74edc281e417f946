"""What a teacher keeps of a class: tables for a spreadsheet, everything as JSON, and the questions. Pure."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.classroom.model import NOTHING, Learner, Question, Rounds, counting, final, right, truth, votes, wrong_share
from lab.export.gift import to_gift
from lab.model import Exposure
from lab.scenario.lesson import Lesson, Scenario
from lab.scenario.predictions import PREDICTABLE, Place, named

ROUNDS = (1, 2)

_FORMULA = ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠")
_CONTROL = ("\t", "\r", "\n")
"""What a spreadsheet may take for a formula when a cell begins with it, whatever the file says."""


@dataclass(frozen=True, slots=True)
class Class:
    """What was asked and answered; `answers` by question, learner and round."""

    language: str
    lessons: Mapping[str, Lesson]
    questions: Sequence[Question]
    learners: Sequence[Learner]
    answers: Mapping[int, Mapping[int, Rounds]]

    def scenario(self, question: Question) -> Scenario:
        return self.lessons[question.lesson].scenarios[question.scenario]


def export(name: str, kept: Class) -> str | None:
    """The file of this name; None: there is none."""
    make = _FILES.get(name)
    return None if make is None else make(kept)


def cell(value: object) -> str:
    """A value as a cell of a table: text that a spreadsheet would calculate gets an apostrophe before it."""
    text = "" if value is None else str(value)
    calculated = text.startswith(_CONTROL) or text.lstrip().startswith(_FORMULA)
    return f"'{text}" if isinstance(value, str) and calculated else text


def _answers(kept: Class) -> str:
    """A row for each learner and question."""
    head = ("question", "lesson", "scenario", "learner", "nickname", "answered", "of", "right")
    rounds = [f"{what}_{number}" for number in ROUNDS for what in ("predictions", "reason")]
    return _table((*head, *rounds), _answer_rows(kept))


def _answer_rows(kept: Class) -> Iterator[Sequence[object]]:
    for question in kept.questions:
        for learner in kept.learners:
            sent = kept.answers.get(question.id, {}).get(learner.id, {})
            said = final(sent)
            yield (
                *(question.number, question.lesson, kept.scenario(question).title, learner.id, learner.nickname),
                *(sum(place in said for place in question.cells), len(question.cells), right(question, said)),
                *(
                    text
                    for number in ROUNDS
                    for text in (
                        " ".join(f"{one}={word}" for one, word in _said(sent, number).items()),
                        sent.get(number, NOTHING).reason,
                    )
                ),
            )


def _cells(kept: Class) -> str:
    """A row for each cell, question and round."""
    head = ("question", "lesson", "scenario", "secret", "observer", "claimed", "measured", "round")
    return _table((*head, *PREDICTABLE, "wrong"), _cell_rows(kept))


def _cell_rows(kept: Class) -> Iterator[Sequence[object]]:
    for question in kept.questions:
        scenario = kept.scenario(question)
        answers = list(kept.answers.get(question.id, {}).values())
        claims = {(one.secret, one.observer): one.exposure for one in scenario.claims}
        known, measured = truth(question, scenario), _measured(question)
        for number in _asked_rounds(answers):
            counted = votes(question, answers, number, over=True)
            for place in question.cells:
                share = wrong_share(counted[place], known[place]) if place in known else None
                yield (
                    *(question.number, question.lesson, scenario.title, *place, claims.get(place), measured.get(place)),
                    *(number, *(counted[place][one] for one in PREDICTABLE)),
                    None if share is None else round(share, 3),
                )


def _whole(kept: Class) -> str:
    """Everything, by people and questions."""
    return json.dumps(
        {
            "format": "lab-class",
            "version": 1,
            "language": kept.language,
            "learners": [{"id": one.id, "nickname": one.nickname} for one in kept.learners],
            "questions": [_question(one, kept) for one in kept.questions],
        },
        ensure_ascii=False,
        indent=2,
    )


def _question(question: Question, kept: Class) -> dict[str, Any]:
    scenario = kept.scenario(question)
    return {
        "question": question.number,
        "lesson": question.lesson,
        "scenario": question.scenario + 1,
        "title": scenario.title,
        "mode": scenario.mode,
        "cells": [named(one) for one in question.cells],
        "claimed": {named((one.secret, one.observer)): one.exposure for one in scenario.claims},
        "measured": {named(place): exposure for place, exposure in _measured(question).items()},
        "answers": [
            {
                "learner": learner,
                "right": right(question, final(sent)),
                "rounds": {
                    str(number): {"predictions": _said(sent, number), "reason": answer.reason}
                    for number, answer in sorted(sent.items())
                },
            }
            for learner, sent in sorted(kept.answers.get(question.id, {}).items())
        ],
    }


def _gift(kept: Class) -> str:
    """The questions of all lessons, for a learning platform."""
    return "\n".join(to_gift(lesson) for lesson in kept.lessons.values())


def _said(sent: Rounds, number: int) -> dict[str, Exposure]:
    """What was sent in this very round, by the name of the cell."""
    return {named(place): exposure for place, exposure in counting(sent, number, over=False).items()}


def _measured(question: Question) -> dict[Place, Exposure]:
    return {place: cell.exposure for place, cell in question.known.items()}


def _asked_rounds(answers: Iterable[Rounds]) -> tuple[int, ...]:
    """The first, and the second if anybody has answered in it."""
    return ROUNDS if any(ROUNDS[-1] in sent for sent in answers) else ROUNDS[:1]


def _table(head: Iterable[str], rows: Iterable[Sequence[object]]) -> str:
    """With a byte-order mark, by which spreadsheets tell that it is UTF-8."""
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([cell(one) for one in row] for row in rows)
    return "".join(("\ufeff", *lines))


class _Lines(list[str]):
    """What is written, line by line."""

    def write(self, line: str) -> None:
        self.append(line)


_FILES: Mapping[str, Callable[[Class], str]] = {
    "answers.csv": _answers,
    "cells.csv": _cells,
    "class.json": _whole,
    "questions.gift": _gift,
}
