"""The result of a scan as one HTML page, laid out by scan.html.j2 and scan.css beside this file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.model import Direction
from lab.report.page import STYLE, render
from lab.scan.as_text import totals
from lab.scan.result import Found, Report


def to_html(report: Report) -> str:
    """One HTML document: the answer, the findings secret by secret and file by file, and what was not searched."""
    here = Path(__file__)
    return render(
        here.with_name("scan.html.j2"),
        [STYLE, here.with_name("scan.css")],
        report=report,
        secrets=[(name, list(_by_file(report, name))) for name in report.wanted],
        totals=list(totals(report)),
        spans=spans,
        at_rest=Direction.AT_REST,
    )


def _by_file(report: Report, secret: str) -> Iterator[tuple[str, list[Found]]]:
    files: dict[str, list[Found]] = {}
    for one in report.of(secret):
        files.setdefault(one.file, []).append(one)
    yield from files.items()


def spans(one: Found) -> str:
    return ", ".join(f"{start}–{end}" for start, end in one.spans)
