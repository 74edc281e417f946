"""The result of a scan as SARIF 2.1.0 (OASIS), which code hosts and editors show beside the files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lab.scan.as_text import where
from lab.scan.result import Found, Missed, Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
WHOLE, PARTIAL, MISSED = "secret-found", "secret-found-in-part", "not-searched"

_RULES = {
    WHOLE: "A secret is readable in a recording.",
    PARTIAL: "A piece of a secret is readable in a recording, long enough not to be chance.",
}
_NOTIFICATIONS = {MISSED: "Something in a recording could not be searched."}


def to_sarif(report: Report) -> str:
    """One log with one run, indented, with a line end."""
    driver = {
        "name": "lab scan",
        "version": version("mitm-lab"),
        "rules": descriptors(_RULES),
        "notifications": descriptors(_NOTIFICATIONS),
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not report.interrupted,
                "exitCode": report.status,
                "toolExecutionNotifications": [_notification(one) for one in report.missed],
            }
        ],
        "results": [_result(one) for one in report.found],
    }
    return log(run)


def log(run: Mapping[str, Any]) -> str:
    """A log with this one run. What is no Unicode, as it may stand in names of files, becomes question marks."""
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, ensure_ascii=False, indent=2).encode(errors="replace").decode() + "\n"


def descriptors(texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """What there is to report, each identifier with a sentence."""
    return [{"id": name, "shortDescription": message(text)} for name, text in texts.items()]


def message(text: str) -> dict[str, str]:
    """A message that says just this: a brace alone would begin a placeholder (section 3.11.5)."""
    return {"text": text.replace("{", "{{").replace("}", "}}")}


def uri(file: str) -> str:
    """A reference as RFC 3986 has it: relative as the path was given, else with its scheme."""
    path = quote(Path(file).as_posix(), errors="surrogateescape")
    return f"file://{path}" if path.startswith("/") else path


def _result(one: Found) -> dict[str, Any]:
    rule = WHOLE if one.partial is None else PARTIAL
    return {
        "ruleId": rule,
        "ruleIndex": list(_RULES).index(rule),
        "level": "error" if one.partial is None else "warning",
        "message": message(f"{one.secret}: {where(one)}  “{one.excerpt}”"),
        "locations": [_location(one)],
        "properties": {
            "secret": one.secret,
            "flow": one.flow,
            "place": one.place,
            "spans": [list(span) for span in one.spans],
            "decoders": list(one.decoders),
            "partial": one.partial,
        },
    }


def _location(one: Found) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri(one.file)}}
    if one.in_file:
        start, end = one.spans[0]
        physical["region"] = {"byteOffset": start, "byteLength": end - start}
    name = one.place if one.flow is None else f"flow {one.flow}/{one.place}"
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": name}]}


def _notification(one: Missed) -> dict[str, Any]:
    flow = "" if one.flow is None else f"flow {one.flow}, "
    return {
        "level": "warning",
        "descriptor": {"id": MISSED, "index": list(_NOTIFICATIONS).index(MISSED)},
        "message": message(f"{flow}{one.place}: {one.why}"),
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(one.file)}}}],
    }
