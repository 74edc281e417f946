"""The data about a lesson: the `toml` block below its title."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.scenario.errors import Problems
from lab.scenario.lesson import Audience, Minutes
from lab.scenario.misconceptions import MISCONCEPTIONS
from lab.scenario.vocabulary import suggestion

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""How lessons and misconceptions are called."""

_MINUTES = ("demo", "self_study")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the block says; the fields are those of `Lesson`."""

    course: int | None = None
    minutes: Minutes | None = None
    audience: tuple[Audience, ...] = ()
    before: tuple[str, ...] = ()
    misconceptions: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


def read_metadata(first: int, text: str, problems: Problems) -> Metadata:
    """The data in `text`, whose first line is line `first` of the file. What has a problem is left out."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also what Python itself refuses: huge numbers, endless nesting
        place = re.search(r"at line (\d+)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        reason = re.sub(r" \(at .*\)$", "", str(error))
        problems.add(first + line - 1, f"this is no valid TOML: {reason}")
        return Metadata()
    reader = _Reader(first, text.split("\n"), problems)
    readers: Mapping[str, Callable[[object], object]] = {
        "course": reader.course,
        "minutes": reader.minutes,
        "audience": lambda value: tuple(Audience(word) for word in reader.words("audience", value, Audience)),
        "before": reader.before,
        "misconceptions": lambda value: reader.words("misconceptions", value, MISCONCEPTIONS),
        "hints": reader.hints,
    }
    reader.refuse_unknown(data, readers)
    found: dict[str, Any] = {key: read(data[key]) for key, read in readers.items() if key in data}
    return Metadata(**found)


def line_of(key: str, lines: Sequence[str]) -> int:
    """The number of the line, from 0, where `key` is assigned, 0 if it is not: TOML keeps no numbers for what is
    well-formed."""
    assignment = re.compile(rf"[^#]*\b{re.escape(key)}\b[\"']?\s*[=.\]]")
    return next((number for number, line in enumerate(lines) if assignment.match(line)), 0)


class _Reader:
    def __init__(self, first: int, lines: Sequence[str], problems: Problems) -> None:
        self._first = first
        self._lines = lines
        self._problems = problems

    def refuse_unknown(self, data: Mapping[str, object], known: Collection[str]) -> None:
        for key in data:
            if key not in known:
                self._report(key, f'unknown key "{key}"; {suggestion(key, known)}')

    def course(self, value: object) -> int | None:
        # bool is an int in Python, but "true" is no place.
        if type(value) is int and value >= 1:
            return value
        self._report("course", "course is the place of this lesson in the course: a whole number, 1 or more")
        return None

    def minutes(self, value: object) -> Minutes | None:
        wanted = "minutes has the form { demo = 5, self_study = 15 }; self_study may be left out"
        if not isinstance(value, dict):
            self._report("minutes", wanted)
            return None
        self.refuse_unknown(value, _MINUTES)
        for key in _MINUTES:
            if key in value and (type(value[key]) is not int or value[key] < 1):
                self._report(key, f"{key} is a whole number of minutes, 1 or more")
                return None
        if "demo" not in value:
            self._report("minutes", f"the minutes of the demo are missing; {wanted}")
            return None
        return Minutes(value["demo"], value.get("self_study"))

    def words(self, key: str, value: object, known: Collection[str]) -> tuple[str, ...]:
        """A list of words that are all in `known`, each once."""
        words = self._texts(key, value, f'["{next(iter(known))}"]')
        for word in words:
            if word not in known:
                self._report(key, f'unknown word "{word}" in {key}; {suggestion(word, known)}')
        return tuple(word for word in words if word in known)

    def before(self, value: object) -> tuple[str, ...]:
        names = self._texts("before", value, '["tour"]')
        for name in names:
            if not NAME.fullmatch(name):
                self._report("before", f'"{name}" is no name of a lesson: write tour for tour.feature.md')
        return names

    def hints(self, value: object) -> tuple[str, ...]:
        hints = self._texts("hints", value, '["first", "stronger"]')
        if not all(hint.strip() for hint in hints):
            self._report("hints", "one of the hints is empty")
        return hints

    def _texts(self, key: str, value: object, example: str) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            self._report(key, f"{key} is a list of texts: {example}")
            return ()
        if len(set(value)) < len(value):
            self._report(key, f"each text in {key} stands there once")
        return tuple(value)

    def _report(self, key: str, message: str) -> None:
        self._problems.add(self._first + line_of(key, self._lines), message)
