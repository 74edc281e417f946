"""Puts the results of all units together, in whatever order they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.scan.files import Listing
from lab.scan.result import Found, Missed, Report, in_order
from lab.scan.work import Step, Unit


@dataclass(slots=True)
class _Outcome:
    found: list[Found] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    bytes: int = 0


class Collector:
    """What came of each unit. `watch` is told the bytes done and the number of findings so far."""

    def __init__(self, listing: Listing, watch: Callable[[int, int], None]) -> None:
        self._listing = listing
        self._watch = watch
        self._outcomes: dict[int, _Outcome] = {}
        self._bytes = 0
        self._count = 0

    def add(self, unit: Unit, steps: Sequence[Step]) -> None:
        outcome = self._outcomes.setdefault(unit.number, _Outcome())
        for step in steps:
            if isinstance(step, Found):
                outcome.found.append(step)
                self._count += 1
            elif isinstance(step, Missed):
                outcome.missed.append(step)
            else:
                self._bytes += step.bytes - outcome.bytes
                outcome.bytes = step.bytes
        self._watch(self._bytes, self._count)

    def forget(self, unit: Unit) -> None:
        """The unit is done again from its beginning."""
        outcome = self._outcomes.pop(unit.number, _Outcome())
        self._bytes -= outcome.bytes
        self._count -= len(outcome.found)

    def report(self, wanted: Sequence[str], *, interrupted: bool = False) -> Report:
        """Everything so far, in the order of the files."""
        # By path: where names are covered, several files may have the same one.
        files: dict[Path, list[Found]] = {}
        missed = list(self._listing.missed)
        for unit, path in self._listing.units:
            outcome = self._outcomes.get(unit.number, _Outcome())
            files.setdefault(path, []).extend(outcome.found)
            missed += outcome.missed
        return Report(
            wanted=tuple(dict.fromkeys(wanted)),
            files=self._listing.files,
            bytes=self._bytes,
            found=tuple(one for found in files.values() for one in in_order(found)),
            missed=tuple(dict.fromkeys(missed)),
            interrupted=interrupted,
        )
