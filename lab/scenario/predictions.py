"""Predictions of a lesson's table: its cells by name, and whether a prediction was right. Pure."""

from __future__ import annotations

from enum import StrEnum

from lab.model import Cell, Exposure, LabError, Observer, SecretName
from lab.scenario.lesson import Explanation, Scenario

type Place = tuple[SecretName, Observer]
"""One cell of a table."""

PREDICTABLE = (Exposure.EXPOSED, Exposure.INFERRED, Exposure.HIDDEN)
"""In the order of their keys, from 1."""


class Grade(StrEnum):
    """What became of a prediction."""

    RIGHT = "right"
    WRONG = "wrong"
    UNDECIDED = "undecided"
    """Nothing could be measured."""
    DISPUTED = "disputed"
    """The lesson says something else than what was measured, so one of the two is wrong."""


def table(scenario: Scenario) -> tuple[Place, ...]:
    """All cells of a scenario, row by row."""
    return tuple((secret, observer) for secret in scenario.secrets for observer in scenario.observers)


def place_of(cell: Cell) -> Place:
    """Where it stands. In a lesson, all cells are about secrets and observers of the lab's own."""
    return SecretName(cell.secret), Observer(cell.observer)


def named(place: Place) -> str:
    """As people write it: "body@server"."""
    return f"{place[0]}@{place[1]}"


def place_named(text: str) -> Place:
    """The cell that `named` gives this name. LabError: there is none."""
    secret, _, observer = text.strip().partition("@")
    if secret not in list(SecretName) or observer not in list(Observer):
        raise LabError(
            f"{text.strip()!r} is no cell; write SECRET@OBSERVER, with one of {', '.join(SecretName)} "
            f"and one of {', '.join(Observer)}"
        )
    return SecretName(secret), Observer(observer)


def grade(predicted: Exposure, cell: Cell) -> Grade:
    """What was measured decides, and only where the lesson says the same."""
    if cell.exposure is Exposure.INCONCLUSIVE:
        return Grade.UNDECIDED
    if cell.failed:
        return Grade.DISPUTED
    return Grade.RIGHT if predicted is cell.exposure else Grade.WRONG


def explanation(scenario: Scenario, place: Place, predicted: Exposure) -> Explanation | None:
    """What the lesson says to somebody who predicted that."""
    found = (one for one in scenario.explanations if (one.secret, one.observer, one.exposure) == (*place, predicted))
    return next(found, None)
