"""The lessons that ship: each by its name, in the language that is asked for, in the order of the course."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from lab.model import LabError
from lab.resources import folder
from lab.scenario.languages import LANGUAGES, ORIGINAL
from lab.scenario.lesson import Lesson
from lab.scenario.loader import load

ALL = "all"
"""Means all lessons, where the name of one can stand."""


def files() -> list[Path]:
    """The files of all lessons, in each language."""
    return sorted(folder("scenarios").glob("*.feature.md"))


def shipped(language: str = ORIGINAL) -> list[Lesson]:
    """Each lesson once: the course in its order, then the others by name. One that is not in this language is in the
    one that it has, if possible in English. LabError: there is no such language, or a lesson cannot be read."""
    require(language)
    lessons = [
        load(next(versions[code] for code in (language, ORIGINAL, *versions) if code in versions))
        for versions in _by_name().values()
    ]
    return sorted(lessons, key=lambda lesson: (lesson.course is None, lesson.course or 0, lesson.name))


def find(name: str, language: str = ORIGINAL) -> Lesson:
    """The lesson of this name in this language, or the one in this file. LabError: there is none, with the nearest."""
    require(language)
    known = _by_name()
    if name in known:
        if language not in known[name]:
            raise LabError(f"{name}: this lesson is in {', '.join(known[name])}; leave out --language")
        return load(known[name][language])
    if Path(name).exists():
        return load(Path(name))
    near = get_close_matches(name, [*known, ALL], n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    raise LabError(f"{name}: no lesson of this name and no such file; {hint}")


def chosen(names: Sequence[str], language: str = ORIGINAL) -> Iterator[Lesson]:
    """The lessons of these names or in these files, each once, however often it was named."""
    named = [lesson for name in names for lesson in (shipped(language) if name == ALL else [find(name, language)])]
    yield from {lesson.path.resolve(): lesson for lesson in named}.values()


def names() -> list[str]:
    """How the lessons that ship are called."""
    return list(_by_name())


def require(language: str) -> None:
    """LabError: lessons cannot be written in the language of this code."""
    if language not in LANGUAGES:
        raise LabError(f"lessons have no language {language}; known: {', '.join(LANGUAGES)}")


def _by_name() -> dict[str, dict[str, Path]]:
    """For each lesson its files by language."""
    found: dict[str, dict[str, Path]] = {}
    for path in files():
        name, *between = path.name.removesuffix(".feature.md").split(".")
        found.setdefault(name, {})[between[0] if between else ORIGINAL] = path
    return found
