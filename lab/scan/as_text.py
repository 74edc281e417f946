"""The result of a scan for people at a terminal: one finding a line, what was not searched, and the totals."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from lab.model import Direction
from lab.report.page import visible
from lab.scan.result import Found, Report

_MOST_SPANS = 3
_NUMBERED = frozenset({"udp.datagram", "dns.message", "websocket.message"})
"""Places of which a flow usually has many."""


def print_report(report: Report, console: Console) -> None:
    """Everything in the report, in lines that are never wrapped: they are for grep too."""
    for one in report.found:
        excerpt = f"“{visible(one.excerpt)}”"
        text = Text.assemble((visible(one.secret), "bold red"), f"  {visible(where(one))}  ", (excerpt, "dim"))
        console.print(text, soft_wrap=True)
    for missed in report.missed:
        flow = "" if missed.flow is None else f"  flow {missed.flow}"
        what = visible(f"{missed.file}{flow}  {missed.place}: {missed.why}")
        text = Text.assemble(("not searched", "bold magenta"), f"  {what}")
        console.print(text, soft_wrap=True)
    for line in totals(report):
        console.print(Text(visible(line), style="bold"), soft_wrap=True)


def where(one: Found) -> str:
    """File, flow, place, position and encoding of a finding: "app.flows  flow 3  http.body to service  bytes 9-25"."""
    flow = "" if one.flow is None else f"  flow {one.flow}"
    direction = "" if one.direction is Direction.AT_REST else f" {one.direction}"
    message = f" {one.message}" if one.place in _NUMBERED else ""
    spans = ", ".join(f"{start}-{end}" for start, end in one.spans[:_MOST_SPANS])
    more = f" and {len(one.spans) - _MOST_SPANS} more pieces" if len(one.spans) > _MOST_SPANS else ""
    decoders = f"  {' → '.join(one.decoders)}" if one.decoders else ""
    partial = "" if one.partial is None else f"  partial: {one.partial} bytes of it"
    return f"{one.file}{flow}  {one.place}{message}{direction}  bytes {spans}{more}{decoders}{partial}"


def totals(report: Report) -> Iterator[str]:
    """The result in a few sentences."""
    for secret in report.wanted:
        found = list(report.of(secret))
        partial = sum(one.partial is not None for one in found)
        if not found:
            yield f"{secret}: not found"
        elif partial:
            yield f"{secret}: found in {_count(len(found), 'place')}, {partial} of them in part only"
        else:
            yield f"{secret}: found in {_count(len(found), 'place')}"
    scanned = f"{_count(report.files, 'file')}, {report.bytes} bytes"
    yield f"interrupted after {report.bytes} bytes of {_count(report.files, 'file')}" if report.interrupted else scanned
    if report.missed:
        those = "it" if len(report.missed) == 1 else "them"
        yield f"{_count(len(report.missed), 'thing')} could not be searched: “not found” says nothing about {those}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
