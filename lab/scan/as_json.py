"""The result of a scan as JSON, format 1: for programs, and for keeping."""

from __future__ import annotations

import json
from typing import Any

from lab.scan.result import Found, Missed, Report

FORMAT = 1


def to_json(report: Report) -> str:
    """One JSON document, indented, with a line end."""
    document = {
        "format": FORMAT,
        "scanned": {"files": report.files, "bytes": report.bytes},
        "findings": [_finding(one) for one in report.found],
        "gave_up": [_missed(one) for one in report.missed],
    }
    # File names may hold bytes that are no text.
    return json.dumps(document, ensure_ascii=False, indent=2).encode(errors="replace").decode() + "\n"


def _finding(one: Found) -> dict[str, Any]:
    return {
        "secret": one.secret,
        "file": one.file,
        "flow": one.flow,
        "place": one.place,
        "spans": [list(span) for span in one.spans],
        "decoders": list(one.decoders),
        "excerpt": one.excerpt,
        "partial": one.partial,
    }


def _missed(one: Missed) -> dict[str, Any]:
    return {"file": one.file, "flow": one.flow, "place": one.place, "why": one.why}
