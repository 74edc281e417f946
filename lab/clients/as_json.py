"""What came out, as JSON: {"format": 1, "counts": {verdict: number}, "cases": [...]}."""

from __future__ import annotations

import json

from lab.clients.case import Report

FORMAT = 1


def to_json(report: Report) -> str:
    cases = [
        {
            "name": result.case.name,
            "what": result.case.what,
            "rule": result.case.rule,
            "host": result.case.host,
            "twin": result.case.twin,
            "expected": result.case.expected,
            "verdict": result.verdict,
            "detail": result.detail,
            "said": result.said,
        }
        for result in report.results
    ]
    return json.dumps({"format": FORMAT, "counts": dict(report.counts), "cases": cases}, indent=2) + "\n"
