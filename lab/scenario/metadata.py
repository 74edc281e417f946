"""The data about a lesson: the `toml` block below its title."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence

from lab.scenario.errors import Problems
from lab.scenario.lesson import Minutes
from lab.scenario.vocabulary import suggestion

_KEYS = ("minutes", "misconceptions")
_MINUTES = ("demo", "self_study")


def read_metadata(first: int, text: str, problems: Problems) -> tuple[Minutes | None, tuple[str, ...]]:
    """The minutes and the misconceptions in `text`, whose first line is line `first` of the file."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also what Python itself refuses: huge numbers, endless nesting
        place = re.search(r"at line (\d+)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        reason = re.sub(r" \(at .*\)$", "", str(error))
        problems.add(first + line - 1, f"this is no valid TOML: {reason}")
        return None, ()
    reader = _Reader(first, text.split("\n"), problems)
    reader.refuse_unknown(data, _KEYS)
    minutes = reader.minutes(data["minutes"]) if "minutes" in data else None
    misconceptions = reader.misconceptions(data["misconceptions"]) if "misconceptions" in data else ()
    return minutes, misconceptions


class _Reader:
    def __init__(self, first: int, lines: Sequence[str], problems: Problems) -> None:
        self._first = first
        self._lines = lines
        self._problems = problems

    def refuse_unknown(self, data: Mapping[str, object], known: Sequence[str]) -> None:
        for key in data:
            if key not in known:
                self._report(key, f'unknown key "{key}"; {suggestion(key, known)}')

    def minutes(self, value: object) -> Minutes | None:
        wanted = "minutes has the form { demo = 5, self_study = 15 }; self_study may be left out"
        if not isinstance(value, dict):
            self._report("minutes", wanted)
            return None
        self.refuse_unknown(value, _MINUTES)
        for key in _MINUTES:
            # bool is an int in Python, but "true" is no number of minutes.
            if key in value and (type(value[key]) is not int or value[key] < 1):
                self._report(key, f"{key} is a whole number of minutes, 1 or more")
                return None
        if "demo" not in value:
            self._report("minutes", f"the minutes of the demo are missing; {wanted}")
            return None
        return Minutes(value["demo"], value.get("self_study"))

    def misconceptions(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(slug, str) for slug in value):
            self._report("misconceptions", 'misconceptions is a list of names: ["https-hides-from-the-service"]')
            return ()
        for slug in value:
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
                self._report(
                    "misconceptions", f'"{slug}" is no name of a misconception: write small-words-with-hyphens'
                )
        if len(set(value)) < len(value):
            self._report("misconceptions", "each misconception is named once")
        return tuple(value)

    def _report(self, key: str, message: str) -> None:
        """Report at the line where the key stands: TOML keeps no line numbers for what is well-formed."""
        assignment = re.compile(rf"\b{re.escape(key)}\b[\"']?\s*[=.\]]")
        found = (number for number, line in enumerate(self._lines) if assignment.search(line))
        self._problems.add(self._first + next(found, 0), message)
