"""Leak tables in Markdown: secrets down, observers across, as in a lesson's claims. Pure.

    ## test_chat_is_sealed

    |       | network | server  |
    | ----- | ------- | ------- |
    | body  | hidden  | hidden  |
    | alice | hidden  | exposed |

A row may also be about what is worked out without reading: `size of body`, `time of body`. A file may hold one table
below each heading, and any prose around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from lab.model import Exposure, LabError, LeakMatrix

type Expected = Mapping[tuple[str, str], Exposure]
"""(secret, observer) → what the table says."""

_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*\s*$")


def read_table(text: str, name: str, heading: str | None = None) -> Expected | None:
    """The first table below `heading`, or the first of all; None: there is none. LabError names line and mistake.

    `name` is that of the file, for messages.
    """
    lines = text.splitlines()
    start, end = _table(lines, heading)
    rows = [(number, _cells(lines[number])) for number in range(start, end)]
    if not rows:
        return None
    observers = rows[0][1][1:]
    found: dict[tuple[str, str], Exposure] = {}
    for number, cells in rows[1:]:
        where = f"{name}:{number + 1}"
        if all(set(cell) <= set(":-") for cell in cells):
            continue
        if len(cells) != len(observers) + 1:
            raise LabError(f"{where}: a row of {len(cells)} cells below a header of {len(observers) + 1}")
        for observer, word in zip(observers, cells[1:], strict=True):
            if not word:  # nobody works out from files how long something is
                continue
            if word not in list(Exposure) or word == Exposure.INCONCLUSIVE:
                raise LabError(f"{where}: {word!r} is no verdict; write exposed, inferred or hidden")
            if (cells[0], observer) in found:
                raise LabError(f"{where}: {cells[0]} at {observer} stands there twice")
            found[cells[0], observer] = Exposure(word)
    return found


def write_table(text: str, matrix: LeakMatrix, heading: str | None = None) -> str:
    """`text` with the table below `heading` replaced by that of `matrix`, or the first of all without one.

    Heading and table are added at the end if they are missing.
    """
    lines = text.splitlines()
    table = list(markdown(matrix))
    start, end = _table(lines, heading)
    if start < end:
        lines[start:end] = table
    else:
        at = None if heading is None else _section(lines, heading)
        if at is None:
            lines += [*([""] if lines else []), *([f"## {heading}", ""] if heading is not None else []), *table]
        else:
            lines[at:at] = ["", *table]
    return "\n".join(lines) + "\n"


def markdown(matrix: LeakMatrix) -> Iterator[str]:
    """The lines of a table, aligned."""
    rows = [["", *matrix.columns]]
    for secret in matrix.rows:
        cells = [matrix.get(secret, observer) for observer in matrix.columns]
        rows.append([secret, *(cell.exposure if cell else "" for cell in cells)])
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        if number == 0:
            yield "| " + " | ".join("-" * width for width in widths) + " |"


def differences(expected: Expected, matrix: LeakMatrix) -> list[str]:
    """What the measurement says otherwise, one line each, new leaks first. What is inconclusive says nothing."""
    measured = {(cell.secret, cell.observer): cell.exposure for cell in matrix.cells}
    new, gone, other = [], [], []
    for (secret, observer), exposure in measured.items():
        before = expected.get((secret, observer))
        if before is None:
            other.append(f"+ {secret} at {observer}: {exposure}, and the table has no such cell")
        elif exposure not in (before, Exposure.INCONCLUSIVE):
            line = f"{secret} at {observer}: the table says {before}, measured: {exposure}"
            if _rank(exposure) > _rank(before):
                new.append(f"- NEW LEAK: {line}")
            else:
                gone.append(f"+ no longer: {line}")
    other += [
        f"- {secret} at {observer}: the table says {exposure}, and this was not measured"
        for (secret, observer), exposure in expected.items()
        if (secret, observer) not in measured
    ]
    return new + gone + other


def _rank(exposure: Exposure) -> int:
    return (Exposure.HIDDEN, Exposure.INFERRED, Exposure.EXPOSED).index(exposure)


def _section(lines: Sequence[str], heading: str) -> int | None:
    """The line after this heading."""
    for number, line in enumerate(lines):
        found = _HEADING.match(line)
        if found and found[1] == heading:
            return number + 1
    return None


def _table(lines: Sequence[str], heading: str | None) -> tuple[int, int]:
    """Where the table stands; of no length: there is none."""
    at = 0 if heading is None else _section(lines, heading)
    if at is None:
        return 0, 0
    while at < len(lines) and not lines[at].lstrip().startswith("|"):
        if heading is not None and _HEADING.match(lines[at]):
            return 0, 0
        at += 1
    end = at
    while end < len(lines) and lines[end].lstrip().startswith("|"):
        end += 1
    return at, end


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if line.strip().strip("|") else []
