"""HTTP/2 frames and header fields in one direction of a connection (RFC 9113, RFC 7541), with their offsets.

Made to read what stands there, not to judge it: what a strict parser refuses is read as far as it makes sense.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from hpack.exceptions import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from lab.detect.views import Span

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (RFC 9113, 3.4)."""

DATA, HEADERS, PUSH_PROMISE, CONTINUATION = 0, 1, 5, 9

FIELDS = (HEADERS, PUSH_PROMISE, CONTINUATION)
"""The frames that carry header fields."""

_END_HEADERS, _PADDED, _PRIORITY = 0x04, 0x08, 0x20
_FRAME_HEADER = 9
_SETTING = 6
_MAX_SETTINGS = 100 * _SETTING
_KINDS = 0x20


class Frame(NamedTuple):
    """[start, end) is the content of a frame, without header, padding, priority and promised stream."""

    start: int
    end: int
    kind: int
    flags: int
    stream: int


@dataclass(slots=True)
class Block:
    """One field block of a stream: the spans of its fragments."""

    stream: int
    fragments: list[Span] = field(default_factory=list)


def begins(data: bytes, at: int) -> int | None:
    """Where the frames of a connection that begins at `at` start; None where none begins there.

    A client is known by the preface, a server by the SETTINGS frame that it sends first (RFC 9113, 3.4).
    """
    if data.startswith(PREFACE, at):
        return at + len(PREFACE)
    length = int.from_bytes(data[at : at + 3])
    if data[at + 3 : at + _FRAME_HEADER] != b"\x04\x00\x00\x00\x00\x00" or length % _SETTING or length > _MAX_SETTINGS:
        return None
    following = at + _FRAME_HEADER + length
    if following + _FRAME_HEADER > len(data):
        return at if following == len(data) else None
    return at if data[following + 3] < _KINDS and data[following + 5] < 0x80 else None


def frames(data: bytes, at: int) -> Iterator[Frame]:
    """The frames from `at` on; one that is cut off has what is there."""
    while at + _FRAME_HEADER <= len(data):
        start = at + _FRAME_HEADER
        kind, flags = data[at + 3], data[at + 4]
        stream = int.from_bytes(data[at + 5 : start]) & 0x7FFFFFFF
        at = start + int.from_bytes(data[at : at + 3])
        end = min(at, len(data))
        if kind in (DATA, HEADERS, PUSH_PROMISE) and flags & _PADDED and start < end:
            end = max(start, end - data[start])
            start += 1
        if kind == HEADERS and flags & _PRIORITY:
            start += 5
        if kind == PUSH_PROMISE:
            start += 4
        yield Frame(min(start, end), end, kind, flags, stream)


def blocks(connection: list[Frame]) -> Iterator[Block]:
    """The field blocks in the order in which they were sent, which is the order in which they can be read."""
    block: Block | None = None
    for frame in connection:
        if frame.kind in (HEADERS, PUSH_PROMISE) or (frame.kind == CONTINUATION and block is None):
            block = Block(frame.stream)
        if frame.kind in FIELDS and block is not None:
            block.fragments.append((frame.start, frame.end))
            if frame.flags & _END_HEADERS:
                yield block
                block = None
    if block is not None:
        yield block


class Text(NamedTuple):
    """A name or a value and where it is written: byte for byte where `plain`, else `length` bytes stand for all."""

    data: bytes
    source: int
    length: int
    plain: bool


class HeaderField(NamedTuple):
    """One header field. What was sent before and is only referred to stands where it was sent."""

    name: Text
    value: Text


class _CutError(Exception):
    """The block ends within a field, or refers to what nobody sent."""


class Hpack:
    """Reads field blocks one after the other: each may refer to fields of those before (RFC 7541)."""

    _MAX_TABLE = 2**20
    _ENTRY_OVERHEAD = 32

    def __init__(self) -> None:
        self._entries: deque[HeaderField] = deque()
        self._size, self._limit = 0, 4096

    def fields(self, data: bytes, at: int, end: int) -> Iterator[HeaderField]:
        """The header fields of the block [at, end) of `data`, up to the first thing that cannot be read."""
        try:
            while at < end:
                first, start = data[at], at
                if first & 0x80:  # 6.1: an indexed field
                    index, at = _integer(data, at, end, 7)
                    yield self._entry(index, start)
                elif first & 0xE0 == 0x20:  # 6.3: the size of the table
                    limit, at = _integer(data, at, end, 5)
                    self._resize(min(limit, self._MAX_TABLE))
                else:  # 6.2: a literal field; its name may be an index
                    index, at = _integer(data, at, end, 6 if first & 0x40 else 4)
                    if index:
                        name = self._entry(index, start).name
                    else:
                        name, at = _string(data, at, end)
                    value, at = _string(data, at, end)
                    found = HeaderField(name, value)
                    if first & 0x40:
                        self._insert(found)
                    yield found
        except (_CutError, HPACKError):
            return

    def _entry(self, index: int, at: int) -> HeaderField:
        static = HeaderTable.STATIC_TABLE
        if 1 <= index <= len(static):
            name, value = static[index - 1]
            return HeaderField(Text(name, at, 1, plain=False), Text(value, at, 1, plain=False))
        if not len(static) < index <= len(static) + len(self._entries):
            raise _CutError
        return self._entries[index - len(static) - 1]

    def _insert(self, found: HeaderField) -> None:
        self._entries.appendleft(found)
        self._size += self._cost(found)
        self._resize(self._limit)

    def _resize(self, limit: int) -> None:
        self._limit = limit
        while self._size > limit:
            self._size -= self._cost(self._entries.pop())

    def _cost(self, entry: HeaderField) -> int:
        return len(entry.name.data) + len(entry.value.data) + self._ENTRY_OVERHEAD


def _integer(data: bytes, at: int, end: int, prefix: int) -> tuple[int, int]:
    """An integer with a prefix of so many bits (RFC 7541, 5.1), and where it ends."""
    if at >= end:
        raise _CutError
    mask = (1 << prefix) - 1
    value = data[at] & mask
    at += 1
    if value < mask:
        return value, at
    for shift in range(0, 35, 7):
        if at >= end:
            break
        value += (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise _CutError


def _string(data: bytes, at: int, end: int) -> tuple[Text, int]:
    """A string literal (RFC 7541, 5.2), and where it ends; a plain one that is cut off has what is there."""
    huffman = at < end and bool(data[at] & 0x80)
    length, at = _integer(data, at, end, 7)
    following = min(at + length, end)
    written = data[at:following]
    if huffman:
        return Text(decode_huffman(written), at, following - at, plain=False), at + length
    return Text(written, at, following - at, plain=True), at + length
