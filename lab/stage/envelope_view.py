"""How mitmproxy, mitmweb and mitmdump show messages of the service: each end-to-end encrypted envelope field by field.

Loaded whenever a tap starts, so everything heavy is imported when a person looks for the first time.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from mitmproxy import http
from mitmproxy.contentviews import Contentview, Metadata

_PATH = re.compile(r"/v1/(?:conversations/[^/?]+/messages|messages/[^/?]+|events)(?:\?|$)")
_SEALED = re.compile(rb'"(?:envelope|shared)"\s*:\s*"|"envelopes"\s*:\s*\[')

_WIDTH = 100
"""Columns: as wide as the windows of most people."""


class EnvelopeView(Contentview):
    """The JSON of a request, of an answer or of each event, with a number in place of each envelope; below it they
    are taken apart. What is no envelope of the ratchet's (another encryption's) is shown as bytes."""

    @property
    def name(self) -> str:
        return "Envelopes"

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        """Above that of the view for any JSON, for what has an envelope in it; else this view is not for it."""
        flow = metadata.flow
        wanted = isinstance(flow, http.HTTPFlow) and _PATH.match(flow.request.path) and _SEALED.search(data)
        return 2 if wanted else -1

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """ValueError: there is something else than JSON, or than events with JSON in them."""
        if data.lstrip().startswith(b"{"):
            return _explained(data)
        return "\n".join(_event(event) for event in data.decode().split("\n\n") if event)


def _event(event: str) -> str:
    """A server-sent event. One that is still on its way has no JSON yet, and is shown as it is."""
    lines = event.splitlines()
    try:
        return "\n".join(_explained(line[5:]) if line.startswith("data:") else line for line in lines) + "\n"
    except ValueError:
        return event


def _explained(data: bytes | str) -> str:
    found: list[bytes] = []
    body = _numbered(json.loads(data), found)
    shown = json.dumps(body, indent=4, ensure_ascii=False)
    return "\n".join((shown, *(_taken_apart(number, each) for number, each in enumerate(found, start=1))))


def _numbered(value: Any, found: list[bytes]) -> Any:
    """`value` with a number in place of each envelope in it; the envelopes go to `found`."""
    from lab.mail import from_base64

    match value:
        case list():
            return [_numbered(each, found) for each in value]
        case dict():
            names = {"envelope", "shared"} | ({"data"} if "recipient" in value else set())
            numbered = {}
            for name, each in value.items():
                if name in names and (envelope := from_base64(each)):
                    found.append(envelope)
                    numbered[name] = f"(envelope {len(found)}, {len(envelope)} bytes: below)"
                else:
                    numbered[name] = _numbered(each, found)
            return numbered
    return value


def _taken_apart(number: int, envelope: bytes) -> str:
    from rich.console import Console

    from lab.report.envelopes import explained

    written = io.StringIO()
    Console(file=written, width=_WIDTH, color_system=None, legacy_windows=False).print(explained(envelope))
    return "\n".join((f"\nEnvelope {number}\n", *_trimmed(written.getvalue())))


def _trimmed(text: str) -> Iterator[str]:
    return (line.rstrip() for line in text.splitlines())
