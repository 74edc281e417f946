"""What `lab check` says about a lesson beyond what keeps it from being read: how it stands among other files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.scenario.errors import LessonError, LessonErrors, Problems
from lab.scenario.languages import ORIGINAL
from lab.scenario.lesson import Lesson
from lab.scenario.loader import load
from lab.scenario.metadata import line_of
from lab.scenario.translation import compare
from lab.scenario.vocabulary import suggestion


def check(path: Path) -> tuple[LessonError, ...]:
    """What might be better in the lesson in file `path`, which can be held as it is. LessonErrors: it cannot, or it
    does not fit to the lessons in the same folder."""
    lesson = load(path)
    _check_before(lesson)
    _check_translation(lesson)
    return tuple(_remarks(lesson))


def _check_before(lesson: Lesson) -> None:
    folder = lesson.path.parent
    known = sorted({path.name.partition(".")[0] for path in folder.glob("*.feature.md")} - {lesson.name})
    problems = Problems(lesson.path)
    for name in lesson.before:
        if name not in known:
            line = line_of("before", lesson.path.read_text("utf-8").splitlines()) + 1
            hint = suggestion(name, known) if known else "there is no other one"
            problems.add(line, f'no lesson "{name}" is in the same folder; {hint}')
    if problems.found:
        raise problems.error()


def _check_translation(lesson: Lesson) -> None:
    original = lesson.path.with_name(f"{lesson.name}.feature.md")
    if lesson.language == ORIGINAL or not original.exists():
        return
    try:
        read = load(original)
    except LessonErrors as error:
        problems = Problems(lesson.path)
        problems.add(1, f"it is not compared with {original.name}, which has problems of its own")
        raise problems.error() from error
    compare(read, lesson)


def _remarks(lesson: Lesson) -> Iterator[LessonError]:
    for scenario in lesson.scenarios:
        if not scenario.explanations:
            yield LessonError(lesson.path, scenario.line, "this scenario explains no wrong prediction")
