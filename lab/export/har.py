"""What the server observer got, as an HTTP Archive (HAR 1.2), which the developer tools of browsers open."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lab.export.exchanges import Exchange, Headers, Message, exchanges, in_words
from lab.model import Capture, Mode

_BINARY = re.compile("[^\t\n\r -\x7e\u00a0-\U0010ffff]")


def to_har(capture: Capture, version: str) -> str:
    """The archive, written by `version` of the lab. LabError: the server observer recorded nothing."""
    story = capture.story
    scheme = "http" if story.mode is Mode.PLAINTEXT else "https"
    about = f"{story.title} ({story.scenario}, mode {story.mode}): what the server observer got"
    log = {
        "version": "1.2",
        "creator": {"name": "lab", "version": version},
        "pages": [],
        "entries": [_entry(exchange, scheme) for exchange in exchanges(capture)],
        "comment": about,
    }
    return json.dumps({"log": log}, ensure_ascii=False, indent=1) + "\n"


def _entry(exchange: Exchange, scheme: str) -> dict[str, Any]:
    request, answer = exchange.request, exchange.answer
    # The record says when each message began and when its last piece came, not how long the request took to send.
    wait = _milliseconds(request.start, answer.start) if answer else 0.0
    receive = _milliseconds(answer.start, answer.end) if answer else 0.0
    return {
        "startedDateTime": datetime.fromtimestamp(request.start, UTC).isoformat(timespec="microseconds"),
        "time": round(wait + receive, 3),
        "request": _request(exchange, scheme),
        "response": _answer(answer),
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": receive},
        "connection": exchange.connection.number,
        "comment": in_words(exchange.findings),
    }


def _request(exchange: Exchange, scheme: str) -> dict[str, Any]:
    request = exchange.request
    method, path, version = exchange.target
    url = f"{scheme}://{request.header('host')}{path}"
    query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    described: dict[str, Any] = {
        "method": method,
        "url": url,
        "httpVersion": version,
        "cookies": [],  # the service sets none
        "headers": _headers(request.headers),
        "queryString": [{"name": name, "value": value} for name, value in query],
        "headersSize": _headers_size(request),
        "bodySize": len(request.body),
    }
    if request.body:
        text, encoding = _text(request.body)
        described["postData"] = {"mimeType": request.header("content-type"), "text": text}
        if encoding:  # HAR 1.2 has a field for it in answers only
            described["postData"] |= {"_encoding": encoding, "comment": f"the text is in {encoding}"}
    return described


def _answer(answer: Message | None) -> dict[str, Any]:
    if answer is None:
        return {
            "status": 0,
            "statusText": "",
            "httpVersion": "",
            "cookies": [],
            "headers": [],
            "content": {"size": 0, "mimeType": "x-unknown"},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
            "comment": "no answer was recorded",
        }
    version, status, reason = (*answer.first_line.split(" ", 2), "", "")[:3]
    text, encoding = _text(answer.body)
    content = {"size": len(answer.body), "mimeType": answer.header("content-type") or "x-unknown", "text": text}
    return {
        "status": int(status) if status.isascii() and status.isdecimal() else 0,
        "statusText": reason,
        "httpVersion": version,
        "cookies": [],
        "headers": _headers(answer.headers),
        "content": content | ({"encoding": encoding} if encoding else {}),
        "redirectURL": answer.header("location"),
        "headersSize": _headers_size(answer),
        "bodySize": len(answer.body),
    }


def _text(body: bytes) -> tuple[str, str]:
    """The body as it stands in JSON, and in which encoding: "" for plain text."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    return (base64.b64encode(body).decode("ascii"), "base64") if _BINARY.search(text) else (text, "")


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name.decode("latin-1"), "value": value.decode("latin-1")} for name, value in headers]


def _headers_size(message: Message) -> int:
    """From the first byte to the empty line, which counts too."""
    return len(message.first_line) + 2 + sum(len(name) + len(value) + 4 for name, value in message.headers) + 2


def _milliseconds(start: float, end: float) -> float:
    return round(max(0.0, end - start) * 1000, 3)
