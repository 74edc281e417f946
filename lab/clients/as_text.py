"""What came out, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.clients.builtin import VALID
from lab.clients.case import Case, Report, Verdict

STYLES = {Verdict.FOOLED: "bold red", Verdict.NO_VERDICT: "yellow", Verdict.NOT_SERVED: "dim"}
CONTROL = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")
"""What a terminal would act on, for str.translate."""


def print_report(report: Report, console: Console) -> None:
    table = _table("case, and what is wrong", "expected", "the client", "verdict")
    for result in report.results:
        shown = result.verdict is Verdict.NO_VERDICT and result.said
        did = f"{result.detail} ({result.said})" if shown else result.detail
        cells = _described(result.case), result.case.expected, _plain(did), result.verdict
        table.add_row(*cells, style=STYLES.get(result.verdict, ""))
    console.print(table)
    console.print()
    console.print(_summary(report), soft_wrap=True, markup=False)


def print_cases(cases: Sequence[Case], console: Console) -> None:
    table = _table("case, what is wrong, and the rule", "expected", "twin")
    for case in cases:
        table.add_row(f"{_described(case)}\n[dim]{_plain(case.rule)}[/dim]", case.expected, _plain(case.twin or ""))
    console.print(table)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _described(case: Case) -> str:
    return f"[bold]{_plain(case.name)}[/bold]\n{_plain(case.what)}"


def _summary(report: Report) -> str:
    counts = report.counts
    parts = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    said = f"{len(report.results)} case{'s' if len(report.results) > 1 else ''}: {', '.join(parts)}."
    if report.fooled:
        return f"{said} The client was fooled by: {', '.join(report.fooled)}"
    if VALID in report.undecided:
        return f"{said} The client did not accept the valid server ({VALID}): does it trust what is in {{ca}}?"
    return said


def _plain(text: str) -> str:
    """Text of others without what a terminal or a markup would act on."""
    return escape(text.translate(CONTROL))
