"""The few forms of Markdown that matter to a lesson: fenced blocks, headings, bullets, table rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*([^`]*?)\s*$")
_HEADING = re.compile(r"\s*(#{1,6})\s+(.*?)\s*$")
_BULLET = re.compile(r"\s*[*+-]\s+(.*)")
_THEMATIC_BREAK = re.compile(r"\s*([*-])(\s*\1){2,}\s*$")
_DASHES = re.compile(r"\s*:?-+:?\s*")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block in lines `first` to `last` (1-based, the fences themselves); `info` stands on the opening one."""

    first: int
    last: int
    info: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; `level` counts its number signs."""

    line: int
    level: int
    text: str


def find_fences(lines: Sequence[str]) -> Iterator[Fence]:
    """All fenced blocks; one that is never closed reaches to the last line, as Markdown has it."""
    opening: tuple[int, str, str] | None = None
    for number, line in enumerate(lines, start=1):
        match = _FENCE.fullmatch(line)
        if match is None:
            continue
        fence, info = match.groups()
        if opening is None:
            opening = (number, fence, info)
        elif not info and fence.startswith(opening[1]):
            yield Fence(opening[0], number, opening[2], closed=True)
            opening = None
    if opening is not None:
        yield Fence(opening[0], len(lines), opening[2], closed=False)


def as_heading(number: int, line: str) -> Heading | None:
    """The heading in line `number`, if it is one."""
    match = _HEADING.fullmatch(line)
    return None if match is None else Heading(number, len(match[1]), match[2])


def as_bullet(line: str) -> str | None:
    """The text of a bullet, if it is one; `---` and `* * *` are lines across the page."""
    match = _BULLET.fullmatch(line)
    return None if match is None or _THEMATIC_BREAK.fullmatch(line) else match[1]


def is_row(line: str) -> bool:
    """Whether this is a row of a table, its row of dashes included."""
    return line.lstrip().startswith("|")


def is_indented_row(line: str) -> bool:
    """Whether a row is indented so that it belongs to the bullet above it, for Gherkin and on a Git host."""
    return re.match(r" {2,5}\|", line) is not None


def has_dashes(line: str) -> bool:
    """Whether a cell of this row has only dashes (and colons) in it."""
    return any(_DASHES.fullmatch(cell) for cell in line.strip().strip("|").split("|"))


def is_separator(line: str, width: int) -> bool:
    """Whether this is the row of dashes below the first row of a table with `width` columns."""
    cells = line.strip().strip("|").split("|")
    return is_row(line) and len(cells) == width and all(_DASHES.fullmatch(cell) for cell in cells)
