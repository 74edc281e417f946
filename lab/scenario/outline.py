"""The outline of a lesson file: what the official Gherkin parser took from the text, and what is left as prose.

The parser reads Markdown with Gherkin forgivingly: a line that it does not recognise is prose. A misspelt keyword or a
wrongly indented table would vanish without a word, so each line that looks like Gherkin but is not in the parser's
tree is a problem here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from gherkin.errors import AstBuilderException, CompositeParserException
from gherkin.parser import Parser
from gherkin.parser_types import Scenario as ScenarioNode
from gherkin.parser_types import ScenarioEnvelope
from gherkin.token import Token
from gherkin.token_matcher_markdown import GherkinInMarkdownTokenMatcher

from lab.scenario.errors import Problems
from lab.scenario.markdown import Fence, Heading, as_heading, find_fences, is_indented_row, is_row, is_separator
from lab.scenario.phrases import Language, Part
from lab.scenario.strays import WRONG_INDENT, Words, continued, stray

_PARTS = {"Context": Part.STAGE, "Action": Part.STORY, "Outcome": Part.CLAIMS}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table; the row of dashes is none."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RawStep:
    """One step as written. `part` is that of its keyword: "And" and "But" go on with the step above (None at first)."""

    line: int
    keyword: str
    part: Part | None
    text: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class RawScenario:
    """One scenario as written, in lines `line` to `last`, both included."""

    line: int
    last: int
    keyword: str
    title: str
    steps: tuple[RawStep, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A lesson file, taken apart.

    `last` is the number of its last line. `metadata` is the text of the block below the title and the number of its
    first line. `headings` are those which are no Gherkin. `prose` has each line by its number that is neither Gherkin
    nor metadata, headings and blank lines too.
    """

    title: str
    last: int
    metadata: tuple[int, str] | None
    scenarios: tuple[RawScenario, ...]
    headings: tuple[Heading, ...]
    prose: Mapping[int, str]

    def prose_between(self, first: int, last: int, without: Collection[int] = ()) -> str:
        """The prose in lines `first` to `last`, both included, without some lines.

        What stood around a line of Gherkin is parted by one blank line; blank lines in a text (code) stay as they are.
        """
        texts: list[list[str]] = [[]]
        for line in range(first, last + 1):
            if line in without or line not in self.prose:
                texts.append([])
            else:
                texts[-1].append(self.prose[line])
        return "\n\n".join(text for lines in texts if (text := "\n".join(lines).strip()))


def read_outline(text: str, code: str, language: Language, problems: Problems) -> Outline | None:
    """The outline of a lesson in the language `code`; None where a problem leaves no outline to read."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    words = Words.of(code, language)
    title = _read_title(lines[0], words, problems)
    fences = tuple(find_fences(lines))
    for fence in fences:
        if not fence.closed:
            problems.add(fence.first, "this fenced block is never closed; close it with a line of the same signs")
    if title is None or not all(fence.closed for fence in fences):
        return None
    fenced = {number for fence in fences for number in range(fence.first, fence.last + 1)}
    outside = {number: line for number, line in enumerate(lines, start=1) if number not in fenced}
    unsupported = set(_refuse(outside, words, problems))
    scenarios = _parse(_gherkin_only(lines, fenced | unsupported), code, problems)
    if scenarios is None:
        return None
    separators = {number for step in _steps(scenarios) for number in _check_table(step.rows, lines, problems)}
    for scenario in scenarios:
        _check_heading(scenario, lines[scenario.line - 1], words, problems)
    headings = {1, *(scenario.line for scenario in scenarios)}
    bullets = separators | set(_bullets_and_rows(scenarios))
    taken = headings | bullets
    left = {number: line for number, line in outside.items() if number not in taken}
    first_scenario = scenarios[0].line if scenarios else len(lines) + 1
    for number in left.keys() - unsupported:
        message = stray(lines[number - 1], words, in_scenario=number > first_scenario)
        if message is None and number - 1 in bullets:
            message = continued(lines[number - 1])
        if message is not None:
            problems.add(number, message)
    metadata = _metadata(fences, lines)
    for fence in fences:
        if fence is not metadata:
            _check_fence(fence, scenarios, problems)
    data = set(range(metadata.first, metadata.last + 1)) if metadata else set()
    return Outline(
        title=title,
        last=len(lines),
        metadata=(metadata.first + 1, "\n".join(lines[metadata.first : metadata.last - 1])) if metadata else None,
        scenarios=scenarios,
        headings=tuple(heading for number, line in left.items() if (heading := as_heading(number, line))),
        prose={
            number: line for number, line in enumerate(lines, start=1) if number not in taken and number not in data
        },
    )


def _read_title(line: str, words: Words, problems: Problems) -> str | None:
    keyword = words.features[0]
    wanted = f"line 1 must be the heading of the lesson: # {keyword}: and its title"
    for word in words.features:
        start = f"# {word}:"
        if line.startswith(start):
            title = line.removeprefix(start).strip()
            if not title:
                problems.add(1, f"the lesson has no title; {wanted}")
            return title or None
    if line.startswith("\ufeff"):
        problems.add(1, "the file begins with a byte order mark; save it as UTF-8 without one (without BOM)")
    elif line.rstrip() == "---":
        problems.add(1, f"a lesson has no front matter; {wanted}, data follows below it in a toml block")
    elif not line.strip():
        problems.add(1, f"the first line is blank; {wanted}")
    else:
        problems.add(1, wanted)
    return None


def _refuse(outside: Mapping[int, str], words: Words, problems: Problems) -> Iterator[int]:
    """Report what lessons do without; the numbers of the headings among it."""
    for number, line in outside.items():
        tag = re.search("`@[^`]+`", line)
        if tag:
            problems.add(number, f"{tag[0]} is a tag in Gherkin, and lessons have no tags; write it without backticks")
        if "<!--" in line:
            problems.add(number, "a comment hides text from the reader but not from the lab; delete it")
        heading = as_heading(number, line)
        keyword = heading and next((word for word in words.unsupported if heading.text.startswith(f"{word}:")), None)
        if keyword:
            problems.add(number, f'"{keyword}" is not supported in lessons; write each scenario out in full')
            yield number


def _gherkin_only(lines: Sequence[str], without: Collection[int]) -> str:
    """The text for the parser, line by line: prose is blanked, for in it the parser would find tags and fences."""
    return "\n".join(
        line.replace("`@", "'@") if number not in without and re.match(r"\s*[#|*+-]", line) else ""
        for number, line in enumerate(lines, start=1)
    )


def _parse(text: str, code: str, problems: Problems) -> tuple[RawScenario, ...] | None:
    try:
        document = Parser().parse(text, _Matcher(code))
    except CompositeParserException as composite:
        for error in composite.errors:
            ragged = isinstance(error, AstBuilderException)
            message = "this row has more or fewer cells than the first row of its table" if ragged else str(error)
            problems.add(error.location["line"], message)
        return None
    nodes = [cast(ScenarioEnvelope, child)["scenario"] for child in document["feature"]["children"]]
    last = text.count("\n") + 1
    following = [node["location"]["line"] for node in nodes[1:]] + [last + 1]
    return tuple(_scenario(node, line - 1) for node, line in zip(nodes, following, strict=False))


def _begins(token: Token, *signs: str) -> bool:
    return token.line.get_line_text().lstrip().startswith(signs)


class _Matcher(GherkinInMarkdownTokenMatcher):
    """The official one asks of each line whether it is one of twelve things. Most are blank by now: those are none."""

    def match_TagLine(self, token: Token) -> bool:  # noqa: N802 - the parser calls them so
        return not token.line.is_empty() and super().match_TagLine(token)

    def match_TableRow(self, token: Token) -> bool:  # noqa: N802
        return not token.line.is_empty() and super().match_TableRow(token)

    def match_StepLine(self, token: Token) -> bool:  # noqa: N802
        return _begins(token, "*", "+", "-") and super().match_StepLine(token)

    def match_ScenarioLine(self, token: Token) -> bool:  # noqa: N802
        return _begins(token, "#") and super().match_ScenarioLine(token)

    def match_BackgroundLine(self, token: Token) -> bool:  # noqa: N802
        return _begins(token, "#") and super().match_BackgroundLine(token)

    def match_ExamplesLine(self, token: Token) -> bool:  # noqa: N802
        return _begins(token, "#") and super().match_ExamplesLine(token)

    def match_RuleLine(self, token: Token) -> bool:  # noqa: N802
        return _begins(token, "#") and super().match_RuleLine(token)


def _scenario(node: ScenarioNode, last: int) -> RawScenario:
    part: Part | None = None
    steps = []
    for step in node["steps"]:
        part = _PARTS.get(step["keywordType"], part)
        table = step.get("dataTable")
        rows = tuple(
            Row(row["location"]["line"], tuple(cell["value"] for cell in row["cells"]))
            for row in (table["rows"] if table else ())
        )
        steps.append(RawStep(step["location"]["line"], step["keyword"].strip(), part, step["text"], rows))
    return RawScenario(node["location"]["line"], last, node["keyword"], node["name"], tuple(steps))


def _steps(scenarios: Iterable[RawScenario]) -> Iterator[RawStep]:
    return (step for scenario in scenarios for step in scenario.steps)


def _bullets_and_rows(scenarios: Iterable[RawScenario]) -> Iterator[int]:
    for step in _steps(scenarios):
        yield step.line
        yield from (row.line for row in step.rows)


def _check_heading(scenario: RawScenario, line: str, words: Words, problems: Problems) -> None:
    if scenario.keyword in words.outlines:
        problems.add(
            scenario.line, f'"{scenario.keyword}" is not supported in lessons; write each scenario out in full'
        )
    elif not line.startswith("## "):
        problems.add(
            scenario.line,
            f"the heading of a scenario has two number signs: ## {scenario.keyword}: {scenario.title}",
        )
    if not scenario.title:
        problems.add(scenario.line, "this scenario has no title")


def _check_table(rows: Sequence[Row], lines: Sequence[str], problems: Problems) -> Iterator[int]:
    """Check the form of the table below a step; the numbers of its rows of dashes."""
    if not rows:
        return
    for row in rows:
        line = lines[row.line - 1]
        if not is_indented_row(line):
            problems.add(row.line, WRONG_INDENT)
        if not line.rstrip().endswith("|"):
            problems.add(row.line, 'a row of a table ends with "|"; what stands behind the last one would be lost')
    first = rows[0]
    if _has_separator(first, lines):
        yield first.line + 1
    else:
        problems.add(
            first.line,
            f"below the first row of a table stands a row of dashes with {len(first.cells)} cells: | --- | --- |",
        )
    for above, row in pairwise(rows):
        if not all(is_row(line) for line in lines[above.line : row.line - 1]):
            problems.add(row.line, "a step has one table, without a blank line or text in it; this is a second one")
            if _has_separator(row, lines):
                yield row.line + 1
            break


def _has_separator(row: Row, lines: Sequence[str]) -> bool:
    """Whether a row of dashes stands right below `row`."""
    return any(is_separator(line, len(row.cells)) for line in lines[row.line : row.line + 1])


def _metadata(fences: Sequence[Fence], lines: Sequence[str]) -> Fence | None:
    """The toml block right below the title."""
    if fences and fences[0].info == "toml" and not "".join(lines[1 : fences[0].first - 1]).strip():
        return fences[0]
    return None


def _check_fence(fence: Fence, scenarios: Iterable[RawScenario], problems: Problems) -> None:
    if fence.info == "toml":
        problems.add(
            fence.first, "the data about the lesson is one toml block right below line 1; this one is elsewhere"
        )
    elif any(step.line < fence.first <= scenario.last for scenario in scenarios for step in scenario.steps):
        problems.add(
            fence.first,
            "a fenced block below a step becomes a part of that step in Gherkin; move it above the first step",
        )
