"""The matrix for the terminal: words first, colour only beside them, plain text where there is no terminal."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.model import Cell, Exposure, Inference, LeakMatrix, SecretName

_STYLE = {
    Exposure.EXPOSED: "bold red",
    Exposure.INFERRED: "yellow",
    Exposure.HIDDEN: "green",
    Exposure.INCONCLUSIVE: "bold magenta",
}


def print_matrix(matrix: LeakMatrix, console: Console) -> None:
    """One session: what was planted, who could read it, the evidence, and the controls."""
    console.print()
    console.print(Text(f"{matrix.title}", style="bold"), Text(f"({matrix.scenario}, mode {matrix.mode})"))
    console.print(Padding(_grid(matrix), (1, 0, 0, 2)))
    for heading, lines in (
        ("Planted, with a random tag each", _planted(matrix)),
        ("What they read, one place each", _evidence(matrix)),
        ("What they worked out without reading", _inferences(matrix)),
        ("What could not be decided", _open(matrix)),
        ("Claims that did not hold", _failed(matrix)),
        ("Why a “hidden” may be believed", _controls(matrix)),
    ):
        rows = list(lines)
        if rows:
            console.print(Padding(Group(Text(heading, style="underline"), _lines(rows)), (1, 0, 0, 2)))


def print_summary(matrices: Sequence[LeakMatrix], console: Console) -> None:
    """One line over all sessions."""
    cells = [cell for matrix in matrices for cell in matrix.cells]
    claimed = [cell for cell in cells if cell.claimed is not None]
    failed = sum(cell.failed for cell in claimed)
    unclear = sum(cell.exposure is Exposure.INCONCLUSIVE for cell in cells)
    held = sum(cell.exposure is cell.claimed for cell in claimed)
    words = [f"{held} of {len(claimed)} claims hold"]
    if failed:
        words.append(f"{failed} failed")
    if unclear:
        words.append(f"{unclear} could not be decided")
    console.print()
    console.print(Text("; ".join(words) + ".", style="bold"))


def _grid(matrix: LeakMatrix) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for observer in matrix.columns:
        table.add_column(observer, min_width=12)
    for secret in matrix.rows:
        table.add_row(secret, *(_verdict(matrix.cell(secret, observer)) for observer in matrix.columns))
    return table


def _verdict(cell: Cell) -> Text:
    text = Text(cell.exposure, style=_STYLE[cell.exposure])
    if cell.failed:
        text.append(f"\n(claimed: {cell.claimed})", style="bold reverse")
    return text


def _lines(rows: Iterable[Sequence[str]]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(word, overflow="fold") for word in row))
    return table


def _planted(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    yield from matrix.secrets.items()


def _evidence(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    for observer in matrix.columns:
        for secret in matrix.rows:
            cell = matrix.cell(secret, observer)
            if cell.exposure is Exposure.EXPOSED:
                one = cell.evidence[0]
                where = f"{one.place}, connection {one.connection}" if one.connection else one.place
                through = f" (after {', '.join(one.decoders)})" if one.decoders else ""
                start, end = one.spans[0]
                yield observer, secret, f"{where}, bytes {start}–{end}{through}", one.excerpt


def _inferences(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    for one in matrix.inferences:
        yield one.observer, one.secret, f"estimated {_amount(one, one.estimate)}", f"true {_amount(one, one.truth)}"


def _amount(inference: Inference, value: float) -> str:
    if inference.secret is SecretName.TIME:
        return datetime.datetime.fromtimestamp(value, datetime.UTC).strftime("%H:%M:%S.%f")[:-3] + " UTC"
    return f"{value:.0f} {inference.unit}"


def _open(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    for cell in matrix.cells:
        if cell.exposure is Exposure.INCONCLUSIVE:
            yield cell.observer, cell.secret, cell.reason


def _failed(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    for cell in matrix.cells:
        if cell.failed:
            yield cell.observer, cell.secret, f"claimed {cell.claimed}, measured {cell.exposure}: {cell.reason}"


def _controls(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    names = list(dict.fromkeys(control.name for control in matrix.controls))
    for name in names:
        group = [control for control in matrix.controls if control.name == name]
        passed = sum(control.passed for control in group)
        yield f"{passed} of {len(group)} passed", _MEANING[name]


_MEANING = {
    "travelled": "the recipient did get it, so there was something to see",
    "recorded": "each observer recorded this very conversation, to its end",
    "searched": "the whole record was searched",
    "detects": "planted in a copy of the same record, it is found: whole and split, in each direction",
    "decoys": "values drawn alike but never planted are not found",
    "estimate": "the observer's method gets its own messages right",
}
