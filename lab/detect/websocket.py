"""WebSocket frames and messages in one direction of a connection (RFC 6455), with the offsets of their parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lab.detect import http1

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_OPCODES = frozenset({_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG})
_CONTROL_LIMIT = 125


_UPGRADE = re.compile(rb"^upgrade[ \t]*:([^\r\n]*)", re.MULTILINE | re.IGNORECASE)


def upgraded(data: bytes, protocol: bytes = b"websocket") -> int | None:
    """Where `protocol` takes over from HTTP/1.1 in one direction of a connection (RFC 9110, 7.8), None if nowhere."""
    messages = http1.messages(data)
    named = _UPGRADE.search(data, *messages[-1].headers) if messages else None
    return messages[-1].end if named and protocol in named[1].lower() else None


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: [start, end) with its header, [payload, end) without. `mask` is empty where the payload is plain."""

    start: int
    payload: int
    end: int
    opcode: int
    final: bool
    compressed: bool
    mask: bytes

    def content(self, data: bytes) -> bytes:
        """The payload without its mask (RFC 6455, 5.3)."""
        masked = data[self.payload : self.end]
        if not self.mask:
            return masked
        key = (self.mask * (len(masked) // len(self.mask) + 1))[: len(masked)]
        return (int.from_bytes(masked) ^ int.from_bytes(key)).to_bytes(len(masked))


@dataclass(frozen=True, slots=True)
class Message:
    """The frames of one message, or a single control frame. `compressed`: by permessage-deflate (RFC 7692, 6)."""

    frames: tuple[Frame, ...]
    compressed: bool


def frames(data: bytes, at: int) -> Iterator[Frame]:
    """The frames from `at` on, up to the first thing that is none. One that is cut off has what is there."""
    while at + 2 <= len(data):
        first, second = data[at], data[at + 1]
        opcode, length, header = first & 0x0F, second & 0x7F, at + 2
        if first & 0x30 or opcode not in _OPCODES or (opcode >= _CLOSE and length > _CONTROL_LIMIT):
            return
        if length > _CONTROL_LIMIT:
            size = 2 if length == _CONTROL_LIMIT + 1 else 8
            length = int.from_bytes(data[header : header + size])
            header += size
        mask = data[header : header + 4] if second & 0x80 else b""
        payload = header + (4 if second & 0x80 else 0)
        if payload > len(data):
            return
        end = min(payload + length, len(data))
        yield Frame(at, payload, end, opcode, bool(first & 0x80), bool(first & 0x40), mask)
        at = payload + length


def messages(data: bytes, at: int) -> Iterator[Message]:
    """The messages from `at` on; control frames may stand between the frames of a message (RFC 6455, 5.4)."""
    pending: list[Frame] = []
    for frame in frames(data, at):
        if frame.opcode >= _CLOSE:
            yield Message((frame,), compressed=False)
            continue
        if frame.opcode != _CONTINUATION and pending:
            yield Message(tuple(pending), pending[0].compressed)
            pending = []
        pending.append(frame)
        if frame.final:
            yield Message(tuple(pending), pending[0].compressed)
            pending = []
    if pending:
        yield Message(tuple(pending), pending[0].compressed)
