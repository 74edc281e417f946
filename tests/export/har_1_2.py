"""The HTTP Archive format, version 1.2, as a JSON schema: every object of the specification with all its fields.

Fields beyond the specification begin with an underscore.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
SIZE = {"type": "integer", "minimum": -1}
DURATION = {"type": "number", "minimum": 0}
MAYBE = {"type": "number", "minimum": -1}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}


def one(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional, "comment": TEXT},
        "patternProperties": {"^_": {}},
        "additionalProperties": False,
    }


def many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


PAIR = one({"name": TEXT, "value": TEXT})
COOKIE = one(
    {"name": TEXT, "value": TEXT},
    path=TEXT,
    domain=TEXT,
    expires=MOMENT,
    httpOnly={"type": "boolean"},
    secure={"type": "boolean"},
)
PARAMETER = one({"name": TEXT}, value=TEXT, fileName=TEXT, contentType=TEXT)
REQUEST = one(
    {
        "method": TEXT,
        "url": {"type": "string", "format": "uri", "pattern": "^https?://[^/]+/"},
        "httpVersion": TEXT,
        "cookies": many(COOKIE),
        "headers": many(PAIR),
        "queryString": many(PAIR),
        "headersSize": SIZE,
        "bodySize": SIZE,
    },
    postData=one({"mimeType": TEXT}, text=TEXT, params=many(PARAMETER)),
)
RESPONSE = one(
    {
        "status": {"type": "integer"},
        "statusText": TEXT,
        "httpVersion": TEXT,
        "cookies": many(COOKIE),
        "headers": many(PAIR),
        "content": one(
            {"size": {"type": "integer", "minimum": 0}, "mimeType": TEXT},
            compression={"type": "integer"},
            text=TEXT,
            encoding=TEXT,
        ),
        "redirectURL": TEXT,
        "headersSize": SIZE,
        "bodySize": SIZE,
    }
)
ENTRY = one(
    {
        "startedDateTime": MOMENT,
        "time": DURATION,
        "request": REQUEST,
        "response": RESPONSE,
        "cache": one({}, beforeRequest={}, afterRequest={}),
        "timings": one(
            {"send": DURATION, "wait": DURATION, "receive": DURATION},
            blocked=MAYBE,
            dns=MAYBE,
            connect=MAYBE,
            ssl=MAYBE,
        ),
    },
    pageref=TEXT,
    serverIPAddress=TEXT,
    connection=TEXT,
)
PROGRAM = one({"name": TEXT, "version": TEXT})
PAGE = one(
    {
        "startedDateTime": MOMENT,
        "id": TEXT,
        "title": TEXT,
        "pageTimings": one({}, onContentLoad=MAYBE, onLoad=MAYBE),
    }
)
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["log"],
    "properties": {
        "log": one(
            {"version": {"const": "1.2"}, "creator": PROGRAM, "entries": many(ENTRY)},
            browser=PROGRAM,
            pages=many(PAGE),
        )
    },
    "additionalProperties": False,
}
