"""The list of lessons on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from lab.scenario.lesson import Lesson


def print_lessons(lessons: Sequence[Lesson], console: Console) -> None:
    """The lessons in the given order: those with a place in the course, and those without one."""
    course = [lesson for lesson in lessons if lesson.course is not None]
    others = [lesson for lesson in lessons if lesson.course is None]
    if course:
        minutes = sum(lesson.minutes.demo for lesson in course if lesson.minutes)
        console.print(f"The course: {len(course)} lessons, {minutes} minutes to show\n", style="bold")
        console.print(_table(course))
    if course and others:
        console.print("\nBeside the course\n", style="bold")
    if others:
        console.print(_table(others))


def _table(lessons: Sequence[Lesson]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    numbered = any(lesson.course for lesson in lessons)
    for heading in (*([""] if numbered else []), "lesson", "title", "minutes", "modes"):
        table.add_column(heading, justify="right" if heading == "" else "left")
    for lesson in lessons:
        place = [str(lesson.course)] if numbered else []
        minutes = str(lesson.minutes.demo) if lesson.minutes else ""
        modes = ", ".join(dict.fromkeys(scenario.mode for scenario in lesson.scenarios))
        table.add_row(*place, lesson.name, lesson.title, minutes, modes)
    return table
