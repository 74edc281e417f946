"""The result of a scan as one HTML page: no outside reference, no script, laid out by scan.html.j2 beside this file."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lab.model import Direction
from lab.report.as_html import DECODERS, FOLDER, _finalize
from lab.scan.as_text import totals
from lab.scan.result import Found, Report

if TYPE_CHECKING:
    from jinja2 import Template


def to_html(report: Report) -> str:
    """One HTML document: the answer, the findings secret by secret and file by file, and what was not searched."""
    style = (FOLDER / "page.css").read_text(encoding="utf-8") + _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template().render(
        # The policy allows this very style sheet and nothing else.
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        style=style,
        report=report,
        secrets=[(name, list(_by_file(report, name))) for name in report.wanted],
        totals=list(totals(report)),
        chain=chain,
        spans=spans,
        at_rest=Direction.AT_REST,
    )


def _by_file(report: Report, secret: str) -> Iterator[tuple[str, list[Found]]]:
    files: dict[str, list[Found]] = {}
    for one in report.of(secret):
        files.setdefault(one.file, []).append(one)
    yield from files.items()


def chain(one: Found) -> str:
    """The decoders in words: "base64, then gzip"; "nothing" where it stands there as it is."""
    return ", then ".join(DECODERS.get(name, name) for name in one.decoders) or "nothing"


def spans(one: Found) -> str:
    return ", ".join(f"{start}–{end}" for start, end in one.spans)


@functools.cache
def _style() -> str:
    return Path(__file__).with_name("scan.css").read_text(encoding="utf-8")


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("scan.html.j2")
