"""The same result as text, JSON, SARIF and HTML."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from rich.console import Console

from lab.model import Direction
from lab.scan.as_html import to_html
from lab.scan.as_json import to_json
from lab.scan.as_sarif import to_sarif
from lab.scan.as_text import print_report
from lab.scan.result import Found, Missed, Report, in_order

NASTY = '<script>alert("x")</script>\' & \u202eelif\u2028 {{ 7 * 7 }} ]]> [bold]b[/bold]'


def found(**changes: Any) -> Found:
    fields: dict[str, Any] = {
        "secret": "mail",
        "file": "logs/a b.flows",
        "flow": 3,
        "place": "http.body",
        "spans": ((9, 25), (30, 31)),
        "decoders": ("base64", "gzip"),
        "excerpt": "user=••••",
        "partial": None,
        "direction": Direction.TO_SERVICE,
        "message": 0,
        "space": "http.body",
        "in_file": False,
    }
    return Found(**{**fields, **changes})


PLAIN = found(
    file="/var/x.log", flow=None, place="file", spans=((5, 9),), decoders=(), direction=Direction.AT_REST, in_file=True
)
REPORT = Report(
    ("mail", "phone", NASTY),
    files=4,
    bytes=1234,
    found=(
        found(),
        PLAIN,
        found(secret=NASTY, file=NASTY, place="websocket.message", message=7, partial=12, excerpt=NASTY),
    ),
    missed=(Missed("logs/c.pcap", 2, "tcp.stream", "12 bytes are missing"), Missed(NASTY, None, "file", NASTY)),
)
NOTHING = Report(("mail",), 0, 0, (), ())

FORMAT_1 = {
    "type": "object",
    "additionalProperties": False,
    "required": ["format", "scanned", "findings", "gave_up"],
    "properties": {
        "format": {"const": 1},
        "scanned": {
            "type": "object",
            "additionalProperties": False,
            "required": ["files", "bytes"],
            "properties": {"files": {"type": "integer"}, "bytes": {"type": "integer"}},
        },
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["secret", "file", "flow", "place", "spans", "decoders", "excerpt", "partial"],
                "properties": {
                    "secret": {"type": "string"},
                    "file": {"type": "string"},
                    "flow": {"type": ["integer", "null"]},
                    "place": {"type": "string"},
                    "spans": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
                    },
                    "decoders": {"type": "array", "items": {"type": "string"}},
                    "excerpt": {"type": "string"},
                    "partial": {"type": ["integer", "null"]},
                },
            },
        },
        "gave_up": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["file", "flow", "place", "why"],
                "properties": {
                    "file": {"type": "string"},
                    "flow": {"type": ["integer", "null"]},
                    "place": {"type": "string"},
                    "why": {"type": "string"},
                },
            },
        },
    },
}


@pytest.mark.parametrize("report", [REPORT, NOTHING])
def test_json_is_of_format_1(report: Report) -> None:
    document = json.loads(to_json(report))
    jsonschema.validate(document, FORMAT_1)
    assert len(document["findings"]) == len(report.found)
    assert len(document["gave_up"]) == len(report.missed)


def test_json_says_what_was_found() -> None:
    assert json.loads(to_json(REPORT))["findings"][0] == {
        "secret": "mail",
        "file": "logs/a b.flows",
        "flow": 3,
        "place": "http.body",
        "spans": [[9, 25], [30, 31]],
        "decoders": ["base64", "gzip"],
        "excerpt": "user=••••",
        "partial": None,
    }


# What SARIF 2.1.0 requires of the objects that are used here (sections 3.13, 3.14, 3.18 to 3.20, 3.27 to 3.30, 3.58).
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {"driver": {"type": "object", "required": ["name", "rules", "version"]}},
                    },
                    "invocations": {
                        "type": "array",
                        "items": {"type": "object", "required": ["executionSuccessful"]},
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "ruleId", "ruleIndex", "level", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"type": "object", "required": ["text"]},
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["physicalLocation", "logicalLocations"],
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "region": {
                                                        "type": "object",
                                                        "additionalProperties": False,
                                                        "properties": {
                                                            "byteOffset": {"type": "integer", "minimum": 0},
                                                            "byteLength": {"type": "integer", "minimum": 0},
                                                        },
                                                    }
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.mark.parametrize("report", [REPORT, NOTHING])
def test_sarif_has_what_the_standard_requires(report: Report) -> None:
    document = json.loads(to_sarif(report))
    jsonschema.validate(document, SARIF)
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(run["results"]) == len(report.found)
    assert all(rules[one["ruleIndex"]] == one["ruleId"] for one in run["results"])
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert len(notes) == len(report.missed)
    notifications = [one["id"] for one in run["tool"]["driver"]["notifications"]]
    assert all(notifications[note["descriptor"]["index"]] == note["descriptor"]["id"] for note in notes)


def test_sarif_doubles_braces_which_would_be_placeholders() -> None:
    report = Report(
        ("mail",),
        files=2,
        bytes=9,
        found=(found(excerpt='{"user": "••••", "n": "{0}"}'),),
        missed=(Missed("a.har", None, "file", "reading {0} failed"),),
    )
    (run,) = json.loads(to_sarif(report))["runs"]
    assert run["results"][0]["message"]["text"].endswith('“{{"user": "••••", "n": "{{0}}"}}”')
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "file: reading {{0}} failed"


def test_sarif_names_files_as_references_and_bytes_where_they_are_bytes_of_the_file() -> None:
    (run,) = json.loads(to_sarif(REPORT))["runs"]
    flow, plain, nasty = (one["locations"][0]["physicalLocation"] for one in run["results"])
    assert flow == {"artifactLocation": {"uri": "logs/a%20b.flows"}}
    assert plain == {"artifactLocation": {"uri": "file:///var/x.log"}, "region": {"byteOffset": 5, "byteLength": 4}}
    assert unquote(urlsplit(nasty["artifactLocation"]["uri"]).path).startswith("<script>")
    assert [one["level"] for one in run["results"]] == ["error", "error", "warning"]
    assert run["results"][0]["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "flow 3/http.body"}]


# Text


def printed(report: Report) -> list[str]:
    file = io.StringIO()
    print_report(report, Console(file=file, highlight=False, width=40))
    return file.getvalue().splitlines()


def test_text_has_one_line_for_each_finding_however_narrow_the_terminal_is() -> None:
    lines = printed(REPORT)
    assert lines[0] == (
        "mail  logs/a b.flows  flow 3  http.body to service  bytes 9-25, 30-31  base64 → gzip  “user=••••”"
    )
    assert lines[1] == "mail  /var/x.log  file  bytes 5-9  “user=••••”"
    assert "websocket.message 7 to service" in lines[2]
    assert "partial: 12 bytes of it" in lines[2]
    assert lines[3] == "not searched  logs/c.pcap  flow 2  tcp.stream: 12 bytes are missing"
    assert lines[5:8] == ["mail: found in 2 places", "phone: not found", lines[7]]
    assert lines[-2] == "4 files, 1234 bytes"
    assert lines[-1] == "2 things could not be searched: “not found” says nothing about them"


def test_text_cannot_turn_the_terminal_round() -> None:
    lines = printed(REPORT)
    assert len(lines) == len(REPORT.found) + len(REPORT.missed) + len(REPORT.wanted) + 2
    assert not any(char in line for line in lines for char in "\u202e\u2028\x1b")
    assert any("[bold]b[/bold]" in line for line in lines)


# HTML


class Page(HTMLParser):
    """Text and tags of a page; fails for what browsers would have to guess."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("report", [REPORT, NOTHING])
def test_the_page_stands_alone_and_runs_nothing(report: Report) -> None:
    page = Page(to_html(report))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "link", "iframe", "object", "form", "base"}
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("href", "src")]
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert links
    assert all(value and value.startswith("#") and value[1:] in ids for value in links)
    assert "default-src 'none'" in str(page.tags)


def test_the_page_shows_everything_as_text() -> None:
    page = Page(to_html(REPORT))
    assert '<script>alert("x")</script>' in page.text
    assert "\u202e" not in page.text
    assert "9–25, 30–31" in page.text
    assert "base64, then gzip" in page.text
    assert "12 bytes of it" in page.text
    assert "12 bytes are missing" in page.text


def test_the_page_can_be_listened_to() -> None:
    page = Page(to_html(REPORT))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == 1
    assert tags.count("table") == tags.count("caption") == 3
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")
    assert ("html", {"lang": "en"}) in page.tags


# Findings of windows


def test_of_two_findings_that_share_bytes_the_better_stays() -> None:
    whole, piece = found(spans=((10, 20),), decoders=()), found(spans=((10, 17),), partial=7, decoders=())
    longer = found(spans=((5, 30),), decoders=("base64",))
    other = found(spans=((10, 20),), direction=Direction.TO_CLIENT)
    assert in_order([piece, longer, whole, other, whole]) == [other, whole]
    beside = found(spans=((20, 30),), decoders=())
    assert in_order([beside, whole]) == [whole, beside]
