"""Joins what several messages carry in the same place: a secret may be split over requests.

Joined are the values of each field that has the same name in several messages, and the bodies of the messages that
follow each other in one direction of a connection. Of each, its beginning and its end are enough, because a match
that lies within one of them is found anyway.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lab.detect import dns, http1, stretches
from lab.detect.reassembly import BODY, STREAM
from lab.detect.views import GAP, Span
from lab.model import Observation

EDGE = 256
"""Bytes taken of either end of a value."""

_IN_JSON = re.compile(rb'"(?P<name>[^"\\\x00-\x1f]{1,64}+)"\s{0,9}+:\s{0,9}+"(?P<value>(?:[^"\\\x00-\x1f]++|\\.)*+)"')
_LONGEST_NAME = 64
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


class _Written(NamedTuple):
    """Fields whose name stands right before `sign`: the bytes of names, what stands before one, and the value."""

    sign: bytes
    letters: bytes
    begins: re.Pattern[bytes]
    value: re.Pattern[bytes]


_IN_FORM = _Written(b"=", _LETTERS + b".[]", re.compile(rb""), re.compile(rb"([^\s&;#\"'<>\x00-\x1f\x7f-\xff]++)"))
_IN_HEADER = _Written(b":", _LETTERS, re.compile(rb"(?<![^ \t\n])[A-Za-z][\w-]"), re.compile(rb"[ \t]?([^\r\n]++)"))
_MESSAGES = (BODY, "websocket.message", "udp.datagram")
"""Places whose observations are one message each."""

_DNS = ("udp.datagram", "dns.message")


class Part(NamedTuple):
    """[start, end) of source number `source`."""

    source: int
    start: int
    end: int


class Joined(NamedTuple):
    """What was joined: `data`, and for each piece of it where it begins and which part it is."""

    data: bytes
    pieces: tuple[tuple[int, Part], ...]

    def piece(self, at: int) -> Part:
        """The part that stands at this offset, or before it if none does."""
        return self.pieces[max(0, bisect_right(self.pieces, at, key=lambda piece: piece[0]) - 1)][1]

    def parts(self, start: int, end: int) -> list[Part]:
        """The parts that [start, end) of the data came from, in order."""
        found: list[Part] = []
        first = max(0, bisect_right(self.pieces, start, key=lambda piece: piece[0]) - 1)
        for at, part in self.pieces[first : bisect_left(self.pieces, end, key=lambda piece: piece[0])]:
            low, high = max(start, at), min(end, at + part.end - part.start)
            if low < high:
                found.append(Part(part.source, part.start + low - at, part.start + high - at))
        return found


def joined(sources: Sequence[Observation]) -> Joined:
    """Everything that several messages of `sources` carry under one name."""
    groups: dict[tuple[object, ...], list[Part]] = {}
    for index, source in enumerate(sources):
        for name, (start, end) in _named(source):
            parts = groups.setdefault((source.observer, source.direction, *name), [])
            last = parts[-1] if parts else None
            value = source.data[start:end]
            if last is None or sources[last.source].data[last.start : last.end] != value:
                parts.append(Part(index, start, end))
    data = bytearray()
    pieces: list[tuple[int, Part]] = []
    for parts in groups.values():
        if len(parts) > 1:
            for part in parts:
                for piece in _edges(part):
                    if piece.start > part.start:
                        data += GAP
                    pieces.append((len(data), piece))
                    data += sources[piece.source].data[piece.start : piece.end]
            data += GAP
    return Joined(bytes(data), tuple(pieces))


def _edges(part: Part) -> Iterator[Part]:
    if part.end - part.start <= 2 * EDGE:
        yield part
    else:
        yield part._replace(end=part.start + EDGE)
        yield part._replace(start=part.end - EDGE)


def _named(source: Observation) -> Iterator[tuple[tuple[str | bytes, ...], Span]]:
    messages = http1.messages(source.data) if source.place == STREAM else ()
    # What follows a body in a stream is no part of its last field.
    texts = [part for one in messages for part in (one.start_line, one.headers, *one.body, one.trailers)]
    for start, end in texts or stretches.spans(source.data):
        for found in _IN_JSON.finditer(source.data, start, end):
            yield (found["name"].lower(),), found.span("value")
        for written in (_IN_FORM, _IN_HEADER):
            yield from (((name.lower(),), span) for name, span in _fields(source.data, start, end, written))
    if source.place in _MESSAGES:
        yield (source.place, source.connection), (0, len(source.data))
    if source.place in _DNS and (query := dns.message(source.data, 0, len(source.data))):
        for name in query.names:
            yield from ((("label", str(at)), label) for at, label in enumerate(name))
    for message in messages:
        if message.body:
            yield (BODY, source.connection), (message.body[0][0], message.body[-1][1])


def _fields(data: bytes, start: int, end: int, written: _Written) -> Iterator[tuple[bytes, Span]]:
    """The names and values of all fields in [start, end): the sign is rare, what may be a name is most of a text."""
    at = data.find(written.sign, start, end)
    while at >= 0:
        before = data[max(0, at - _LONGEST_NAME - 1) : at]
        name = before[len(before.rstrip(written.letters)) :]
        first = at - len(name)
        value = None
        if start <= first < at <= first + _LONGEST_NAME and written.begins.match(data, first, at):
            value = written.value.match(data, at + 1, end)
        if value:
            yield name, value.span(1)
            start = value.end()
        at = data.find(written.sign, value.end() if value else at + 1, end)
