"""From the text of a lesson file to a checked `Lesson`. `parse` is pure; `load` reads the file and calls it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lab.scenario.claims import opens_explanation
from lab.scenario.errors import Problems
from lab.scenario.lesson import Lesson
from lab.scenario.metadata import Metadata, read_metadata
from lab.scenario.outline import RawScenario, read_outline
from lab.scenario.story import read_scenario
from lab.scenario.vocabulary import VocabularyError, language_for

_FILE_NAME = re.compile(r"(?P<name>[^.]+)(\.(?P<language>[^.]+))?\.feature\.md")


def load(path: Path) -> Lesson:
    """The lesson in the file `path` (UTF-8). LessonErrors: all problems found, also if the file cannot be read."""
    problems = Problems(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.add(1, f"the lesson cannot be read: {error.strerror}")
        raise problems.error() from error
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        problems.add(data.count(b"\n", 0, error.start) + 1, "this line is not UTF-8; save the file in that encoding")
        raise problems.error() from error
    return parse(text, path)


def parse(text: str, path: Path) -> Lesson:
    """The lesson written as `text`. `path` names the lesson and its language, and stands in messages; it is not read.

    LessonErrors: all problems found, sorted by line.
    """
    problems = Problems(path)
    file_name = _FILE_NAME.fullmatch(path.name)
    if file_name is None:
        problems.add(1, "the file of a lesson is called NAME.feature.md, or NAME.de.feature.md for its German version")
        raise problems.error()
    code = file_name["language"] or "en"
    try:
        language = language_for(code)
    except VocabularyError as error:
        problems.add(1, str(error))
        raise problems.error() from error
    outline = read_outline(text, code, language, problems)
    if outline is None:
        raise problems.error()
    data = read_metadata(*outline.metadata, problems) if outline.metadata else Metadata()
    _check_scenario_titles(outline.scenarios, problems)
    scenarios = tuple(read_scenario(raw, outline, language, problems) for raw in outline.scenarios)
    first = outline.scenarios[0].line if outline.scenarios else outline.last + 1
    for heading in outline.headings:
        if heading.line < first and opens_explanation(heading, language):
            problems.add(heading.line, "an explanation belongs to a scenario; this one stands above the first")
    if problems.found:
        raise problems.error()
    return Lesson(
        name=file_name["name"],
        title=outline.title,
        path=path,
        language=code,
        course=data.course,
        minutes=data.minutes,
        audience=data.audience,
        before=data.before,
        misconceptions=data.misconceptions,
        hints=data.hints,
        scenarios=tuple(scenario for scenario in scenarios if scenario is not None),
        prose=outline.prose_between(1, first - 1),
    )


def _check_scenario_titles(scenarios: Sequence[RawScenario], problems: Problems) -> None:
    if not scenarios:
        problems.add(1, "the lesson has no scenario; a scenario starts with a heading: ## Scenario: and its title")
    lines: dict[str, int] = {}
    for scenario in scenarios:
        if lines.setdefault(scenario.title, scenario.line) != scenario.line:
            problems.add(scenario.line, f"the scenario in line {lines[scenario.title]} has the same title")
