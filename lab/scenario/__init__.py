"""Lessons: `load` reads one, `parse` takes its text; both raise `LessonErrors` with all problems of the file."""

from lab.scenario.errors import LessonError, LessonErrors
from lab.scenario.lesson import (
    Action,
    Expect,
    Explanation,
    Lesson,
    Minutes,
    Participant,
    Plant,
    Scenario,
    SendFile,
    SendText,
    Serve,
    Step,
)
from lab.scenario.loader import load, parse
from lab.scenario.vocabulary import vocabulary_markdown

__all__ = [
    "Action",
    "Expect",
    "Explanation",
    "Lesson",
    "LessonError",
    "LessonErrors",
    "Minutes",
    "Participant",
    "Plant",
    "Scenario",
    "SendFile",
    "SendText",
    "Serve",
    "Step",
    "load",
    "parse",
    "vocabulary_markdown",
]
