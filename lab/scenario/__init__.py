"""Lessons: `load` reads one, `parse` takes its text; both raise `LessonErrors` with all problems of the file."""

from lab.scenario.errors import LessonError, LessonErrors
from lab.scenario.lesson import Explanation, Lesson, Minutes, Participant, Scenario, Step
from lab.scenario.loader import load, parse
from lab.scenario.vocabulary import translation_markdown, vocabulary_markdown

__all__ = [
    "Explanation",
    "Lesson",
    "LessonError",
    "LessonErrors",
    "Minutes",
    "Participant",
    "Scenario",
    "Step",
    "load",
    "parse",
    "translation_markdown",
    "vocabulary_markdown",
]
