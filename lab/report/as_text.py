"""The matrix for the terminal: words first, colour only beside them, plain text where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.model import Cell, Direction, Exposure, LeakMatrix, SecretName
from lab.report.words import CHECKED, amount, answer, summary

_STYLE = {
    Exposure.EXPOSED: "bold red",
    Exposure.INFERRED: "yellow",
    Exposure.HIDDEN: "green",
    Exposure.INCONCLUSIVE: "bold magenta",
}


_WIDEST_SECRET, _WIDEST_VERDICT = max(map(len, SecretName)), max(map(len, Exposure))


def print_matrix(matrix: LeakMatrix, console: Console, *, evidence: bool = False) -> None:
    """One session: who could read what, an example for each observer, and the controls.

    With `evidence`, everything: what was planted, where each value was read, every estimate and every control.
    """
    console.print()
    console.print(Text.assemble((matrix.title, "bold"), f"  ({matrix.scenario}, mode {matrix.mode})"))
    console.print(Padding(_grid(matrix, console.width - 2), (1, 0, 0, 2)))
    parts: list[tuple[str, Iterable[Sequence[str]]]] = [
        ("Not decided", _open(matrix)),
        ("Wrong claims", _failed(matrix)),
    ]
    if evidence:
        parts = [
            ("Planted, with a random tag each", matrix.secrets.items()),
            ("What they read", _findings(matrix)),
            ("What they worked out without reading", _inferences(matrix)),
            *parts,
            ("Controls: why a “hidden” may be believed", _controls(matrix)),
        ]
    else:
        parts = [("For example", _examples(matrix)), *parts, ("Controls", [[_passed(matrix)]])]
    for heading, lines in parts:
        rows = list(lines)
        if rows:
            console.print(Padding(Group(Text(heading, style="underline"), _lines(rows)), (1, 0, 0, 2)))


def print_summary(matrices: Sequence[LeakMatrix], console: Console) -> None:
    """One line over all sessions."""
    console.print()
    console.print(Text(summary(matrices), style="bold"))


def _grid(matrix: LeakMatrix, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    # Between columns there are three; where all of this is too much, long words go on in the next line.
    room = (width - _WIDEST_SECRET) // max(1, len(matrix.columns)) - 3
    for observer in matrix.columns:
        table.add_column(observer, min_width=min(_WIDEST_VERDICT, max(room, 1)), overflow="fold")
    for secret in matrix.rows:
        table.add_row(secret, *(_verdict(matrix.get(secret, observer)) for observer in matrix.columns))
    return table


def _verdict(cell: Cell | None) -> Text:
    if cell is None:
        return Text()
    text = Text(cell.exposure, style=_STYLE[cell.exposure])
    if cell.failed:
        text.append(f"\n(claimed: {cell.claimed})", style="bold reverse")
    return text


def _lines(rows: Iterable[Sequence[str]]) -> RenderableType:
    """Rows in columns; the last column takes what is left, and a line in it that begins with “ is cut, not wrapped."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        *head, last = row
        lines = [
            Text(line, no_wrap=line.startswith("“"), overflow="ellipsis" if line.startswith("“") else "fold")
            for line in last.splitlines()
        ]
        table.add_row(*(Text(word, no_wrap=True) for word in head), Group(*lines))
    return table


def _examples(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    """For each observer the first secret that it read, in the lesson's order, and its estimates in one line."""
    for observer in matrix.columns:
        cells = [cell for cell in matrix.cells if cell.observer == observer]
        exposed = next((cell for cell in cells if cell.exposure is Exposure.EXPOSED), None)
        if exposed is not None:
            yield observer, f"{_where(exposed)}: {exposed.secret}\n{_quote(exposed)}"
        answers = [one for one in matrix.inferences if one.observer == observer]
        sizes = [one for one in answers if one.secret is SecretName.SIZE and not one.about]
        if sizes:
            pairs = ", ".join(f"{answer(one)} (true: {one.truth:.0f})" for one in sizes)
            yield observer, f"message sizes worked out: {pairs}"
        for one in answers:
            if one.about:
                yield observer, f"{one.row} worked out: {answer(one)} (true: {amount(one, one.truth)})"


def _findings(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    for observer in matrix.columns:
        for secret in matrix.rows:
            cell = matrix.get(secret, observer)
            if cell is not None and cell.evidence:
                yield observer, secret, f"{_where(cell)}\n{_quote(cell)}"


def _where(cell: Cell) -> str:
    one = cell.evidence[0]
    what = "file" if one.direction is Direction.AT_REST else "connection"
    place = f"{one.place}, {what} {one.connection}" if one.connection else one.place
    through = f", decoded: {', '.join(one.decoders)}" if one.decoders else ""
    start, end = one.spans[0]
    part = f", {one.partial} bytes of the value" if one.partial else ""
    return f"{place}, bytes {start}–{end}{through}{part}"


def _quote(cell: Cell) -> str:
    return f"“{cell.evidence[0].excerpt}”"


def _inferences(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    for one in matrix.inferences:
        yield one.observer, one.row, f"estimated {answer(one)}, true {amount(one, one.truth)}"


def _open(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    """The story, if it broke off, and the undecided cells, those with the same reason together."""
    if matrix.broken_off:
        yield (matrix.broken_off,)
    reasons: dict[str, list[Cell]] = {}
    for cell in matrix.cells:
        if cell.exposure is Exposure.INCONCLUSIVE:
            reasons.setdefault(cell.reason, []).append(cell)
    for reason, cells in reasons.items():
        observers = ", ".join(dict.fromkeys(cell.observer for cell in cells))
        secrets = ", ".join(dict.fromkeys(cell.secret for cell in cells))
        yield (f"{secrets} at {observers}:\n{reason}",)


def _failed(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    for cell in matrix.cells:
        if cell.failed:
            yield cell.observer, cell.secret, f"claimed {cell.claimed}, measured {cell.exposure}: {cell.reason}"


def _passed(matrix: LeakMatrix) -> str:
    passed = sum(control.passed for control in matrix.controls)
    return f"{passed} of {len(matrix.controls)} passed"


def _controls(matrix: LeakMatrix) -> Iterator[Sequence[str]]:
    for name in dict.fromkeys(control.name for control in matrix.controls):
        group = [control for control in matrix.controls if control.name == name]
        passed = sum(control.passed for control in group)
        yield f"{passed} of {len(group)} passed", CHECKED[name]
        for control in group:
            if not control.passed:
                about = " ".join(word for word in (control.observer, control.secret) if word)
                yield "failed", f"{name} {about}: {control.detail}"
