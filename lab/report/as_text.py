"""The matrix for the terminal: words first, colour only beside them, plain text where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.model import Cell, Direction, Exposure, LeakMatrix, SecretName
from lab.report.sentences import ENGLISH, in_language
from lab.report.words import CHECKED, amount, answer, summary

_STYLE = {
    Exposure.EXPOSED: "bold red",
    Exposure.INFERRED: "yellow",
    Exposure.HIDDEN: "green",
    Exposure.INCONCLUSIVE: "bold magenta",
}


_WIDEST_SECRET, _WIDEST_VERDICT = max(map(len, SecretName)), max(map(len, Exposure))

type _Say = Callable[[str], str]
"""An English sentence in the language of the report."""


def print_matrix(matrix: LeakMatrix, console: Console, *, evidence: bool = False, language: str = ENGLISH) -> None:
    """One session: who could read what, an example for each observer, and the controls.

    With `evidence`, everything: what was planted, where each value was read, every estimate and every control.
    `language` is one of lab/scenario/languages.py.
    """
    say = partial(in_language, language=language)
    console.print()
    console.print(Text.assemble((matrix.title, "bold"), f"  ({matrix.scenario}, {say('mode')} {matrix.mode})"))
    console.print(Padding(_grid(matrix, console.width - 2, say), (1, 0, 0, 2)))
    parts: list[tuple[str, Iterable[Sequence[str]]]] = [
        (say("Not decided"), _open(matrix, say)),
        (say("Wrong claims"), _failed(matrix, say)),
    ]
    if evidence:
        parts = [
            (say("Planted, with a random tag each"), matrix.secrets.items()),
            (say("What they read"), _findings(matrix, say)),
            (say("What they worked out without reading"), _inferences(matrix, say)),
            *parts,
            (say("Controls: why a “hidden” may be believed"), _controls(matrix, say)),
        ]
    else:
        parts = [(say("For example"), _examples(matrix, say)), *parts, (say("Controls"), [[_passed(matrix, say)]])]
    for heading, lines in parts:
        rows = list(lines)
        if rows:
            console.print(Padding(Group(Text(heading, style="underline"), _lines(rows)), (1, 0, 0, 2)))


def print_summary(matrices: Sequence[LeakMatrix], console: Console, *, language: str = ENGLISH) -> None:
    """One line over all sessions."""
    console.print()
    console.print(Text(summary(matrices, language), style="bold"))


def _grid(matrix: LeakMatrix, width: int, say: _Say) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    # Between columns there are three; where all of this is too much, long words go on in the next line.
    room = (width - _WIDEST_SECRET) // max(1, len(matrix.columns)) - 3
    for observer in matrix.columns:
        table.add_column(observer, min_width=min(_WIDEST_VERDICT, max(room, 1)), overflow="fold")
    for secret in matrix.rows:
        table.add_row(secret, *(_verdict(matrix.get(secret, observer), say) for observer in matrix.columns))
    return table


def _verdict(cell: Cell | None, say: _Say) -> Text:
    if cell is None:
        return Text()
    text = Text(cell.exposure, style=_STYLE[cell.exposure])
    if cell.failed:
        text.append(f"\n({say('claimed')}: {cell.claimed})", style="bold reverse")
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


def _examples(matrix: LeakMatrix, say: _Say) -> Iterator[Sequence[str]]:
    """For each observer the first secret that it read, in the lesson's order, and its estimates in one line."""
    for observer in matrix.columns:
        cells = [cell for cell in matrix.cells if cell.observer == observer]
        exposed = next((cell for cell in cells if cell.exposure is Exposure.EXPOSED), None)
        if exposed is not None:
            yield observer, f"{_where(exposed, say)}: {exposed.secret}\n{_quote(exposed)}"
        answers = [one for one in matrix.inferences if one.observer == observer]
        sizes = [one for one in answers if one.secret is SecretName.SIZE and not one.about]
        if sizes:
            pairs = ", ".join(f"{say(answer(one))} ({say('true')}: {one.truth:.0f})" for one in sizes)
            yield observer, f"{say('message sizes worked out')}: {pairs}"
        for one in answers:
            if one.about:
                truth = f"{say('true')}: {say(amount(one, one.truth))}"
                yield observer, f"{one.row} {say('worked out')}: {say(answer(one))} ({truth})"


def _findings(matrix: LeakMatrix, say: _Say) -> Iterator[Sequence[str]]:
    for observer in matrix.columns:
        for secret in matrix.rows:
            cell = matrix.get(secret, observer)
            if cell is not None and cell.evidence:
                yield observer, secret, f"{_where(cell, say)}\n{_quote(cell)}"


def _where(cell: Cell, say: _Say) -> str:
    one = cell.evidence[0]
    what = say("file") if one.direction is Direction.AT_REST else say("connection")
    place = f"{one.place}, {what} {one.connection}" if one.connection else one.place
    through = f", {say('decoded')}: {', '.join(one.decoders)}" if one.decoders else ""
    start, end = one.spans[0]
    part = f", {say(f'{one.partial} bytes of the value')}" if one.partial else ""
    return f"{place}, {say('bytes')} {start}–{end}{through}{part}"


def _quote(cell: Cell) -> str:
    return f"“{cell.evidence[0].excerpt}”"


def _inferences(matrix: LeakMatrix, say: _Say) -> Iterator[Sequence[str]]:
    for one in matrix.inferences:
        truth = f"{say('true')} {say(amount(one, one.truth))}"
        yield one.observer, one.row, f"{say('estimated')} {say(answer(one))}, {truth}"


def _open(matrix: LeakMatrix, say: _Say) -> Iterator[Sequence[str]]:
    """The story, if it broke off, and the undecided cells, those with the same reason together."""
    if matrix.broken_off:
        yield (say(matrix.broken_off),)
    reasons: dict[str, list[Cell]] = {}
    for cell in matrix.cells:
        if cell.exposure is Exposure.INCONCLUSIVE:
            reasons.setdefault(cell.reason, []).append(cell)
    for reason, cells in reasons.items():
        observers = ", ".join(dict.fromkeys(cell.observer for cell in cells))
        secrets = ", ".join(dict.fromkeys(cell.secret for cell in cells))
        yield (f"{secrets} {say('at')} {observers}:\n{say(reason)}",)


def _failed(matrix: LeakMatrix, say: _Say) -> Iterator[Sequence[str]]:
    for cell in matrix.cells:
        if cell.failed:
            both = f"{say('claimed')} {cell.claimed}, {say('measured')} {cell.exposure}"
            yield cell.observer, cell.secret, f"{both}: {say(cell.reason)}"


def _passed(matrix: LeakMatrix, say: _Say) -> str:
    passed = sum(control.passed for control in matrix.controls)
    return say(f"{passed} of {len(matrix.controls)} passed")


def _controls(matrix: LeakMatrix, say: _Say) -> Iterator[Sequence[str]]:
    for name in dict.fromkeys(control.name for control in matrix.controls):
        group = [control for control in matrix.controls if control.name == name]
        passed = sum(control.passed for control in group)
        yield say(f"{passed} of {len(group)} passed"), say(CHECKED[name])
        for control in group:
            if not control.passed:
                about = " ".join(word for word in (control.observer, control.secret) if word)
                yield say("failed"), f"{name} {about}: {say(control.detail)}"
