"""An event stream that passes, event by event, each of which may be changed on its way. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lab.mail import json_object
from lab.messenger.content import dump

type Change = Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None]
"""From an event's name and JSON data to other data; None leaves the event as it is, byte for byte."""

_END = b"\n\n"


class EventStream:
    """Server-sent events (WHATWG HTML, section 9.2) as the service writes them: one line of data, no carriage returns.

    Called with each piece of a stream, and with b"" at its end; returns what to pass on. An event is passed on as soon
    as it is whole.
    """

    def __init__(self, change: Change) -> None:
        self._change = change
        self._rest = b""

    def __call__(self, piece: bytes) -> bytes:
        *whole, self._rest = (self._rest + piece).split(_END)
        if not piece:
            whole, self._rest = [*whole, self._rest], b""
            return _END.join(map(self._changed, whole))
        return b"".join(self._changed(event) + _END for event in whole)

    def _changed(self, event: bytes) -> bytes:
        name, data = "message", None
        for line in event.split(b"\n"):
            if line.startswith(b"event:"):
                name = line[6:].strip().decode(errors="replace")
            elif line.startswith(b"data:"):
                data = line
        changed = None if data is None else self._change(name, json_object(data[5:]))
        if data is None or changed is None:
            return event
        return event.replace(data, b"data: " + dump(dict(changed)))
