"""DNS messages (RFC 1035), with the offsets of the names and texts in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lab.detect.views import Span

HEADER_LENGTH = 12

_MAX_NAME = 255
_MAX_RECORDS = 4096
_OPCODES = 6
_A, _NS, _CNAME, _SOA, _PTR, _HINFO, _MX, _TXT, _AAAA, _SRV, _NAPTR, _DNAME, _OPT = (
    1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 35, 39, 41,
)  # fmt: skip
_SVCB, _HTTPS, _SPF = 64, 65, 99
# How many bytes stand before the names in the data of a record, and how many names there are.
_NAMES = {_NS: (0, 1), _CNAME: (0, 1), _PTR: (0, 1), _DNAME: (0, 1), _MX: (2, 1), _SRV: (6, 1), _SOA: (0, 2)}
_TEXTS = frozenset({_TXT, _SPF, _HINFO})


@dataclass(slots=True)
class Message:
    """What a message says. `names` are the spans of the labels of each name, `texts` those of the strings of a record.

    `end` is where it ends, -1 where it is cut off or damaged.
    """

    names: list[tuple[Span, ...]] = field(default_factory=list)
    texts: list[tuple[Span, ...]] = field(default_factory=list)
    end: int = -1


def message(data: bytes, start: int, end: int) -> Message | None:
    """The message in [start, end), as far as it can be read; None where its header is none of DNS."""
    header = data[start : min(start + HEADER_LENGTH, end)]
    # Not one bit in a thousand of noise passes: of the counts only the lower bytes are in use, and at least one is.
    if len(header) < HEADER_LENGTH or header[4] | header[6] | header[8] | header[10]:
        return None
    questions, *others = (header[5], header[7], header[9], header[11])
    if header[2] >> 3 & 0x0F >= _OPCODES or header[3] & 0x40 or not (questions or sum(others)):
        return None
    found = Message()
    try:
        at = start + HEADER_LENGTH
        for _ in range(questions):
            at = _name(data, start, at, end, found) + 4
            _within(at, end)
        for _ in range(sum(others)):
            at = _record(data, start, at, end, found)
        found.end = at
    except _CutError:
        pass
    return found


def over_tcp(data: bytes, start: int, end: int) -> Iterator[Span]:
    """The spans of the messages of a connection, each behind its length in two bytes (RFC 1035, 4.2.2)."""
    while start + 2 < end:
        following = start + 2 + int.from_bytes(data[start : start + 2])
        yield start + 2, min(following, end)
        start = following


class _CutError(Exception):
    """The message ends too early, or is no message."""


def _within(at: int, end: int) -> None:
    if at > end:
        raise _CutError


def _name(data: bytes, message: int, at: int, end: int, found: Message) -> int:
    """Note the name at `at` (RFC 1035, 3.1 and 4.1.4: pointers lead back) and tell where it ends."""
    labels: list[Span] = []
    following, back, size = 0, at, 0
    try:
        while True:
            _within(at + 1, end)
            length = data[at]
            if length >= 0xC0:
                _within(at + 2, end)
                following = following or at + 2
                at = message + (int.from_bytes(data[at : at + 2]) & 0x3FFF)
                if at >= back:
                    raise _CutError
                back = at
            elif length == 0:
                return following or at + 1
            else:
                _within(at + 1 + length, end)
                size += 1 + length
                if length >= 0x40 or size > _MAX_NAME:
                    raise _CutError
                labels.append((at + 1, at + 1 + length))
                at += 1 + length
    finally:
        if labels:
            found.names.append(tuple(labels))


def _record(data: bytes, message: int, at: int, end: int, found: Message) -> int:
    """Note what the record at `at` holds (RFC 1035, 4.1.3) and tell where it ends."""
    at = _name(data, message, at, end, found)
    _within(at + 10, end)
    kind = int.from_bytes(data[at : at + 2])
    start, following = at + 10, at + 10 + int.from_bytes(data[at + 8 : at + 10])
    end = min(following, end)
    if kind in _NAMES:
        skipped, count = _NAMES[kind]
        at = start + skipped
        for _ in range(count):
            at = _name(data, message, at, end, found)
    elif kind in _TEXTS:
        _note(found, _strings(data, start, end))
    elif kind == _NAPTR:  # RFC 3403, 4.1
        strings = _strings(data, start + 4, end, 3)
        _note(found, strings)
        _name(data, message, strings[-1][1] if strings else start + 4, end, found)
    elif kind == _OPT:  # RFC 6891, 6.1.2
        _options(data, start, end, found)
    elif kind in (_SVCB, _HTTPS):  # RFC 9460, 2.2
        _options(data, _name(data, message, start + 2, end, found), end, found)
    elif kind not in (_A, _AAAA):
        _note(found, [(start, end)])
    _within(following, end)
    return following


def _strings(data: bytes, at: int, end: int, most: int = _MAX_RECORDS) -> list[Span]:
    """The character strings (RFC 1035, 3.3) from `at` on."""
    spans: list[Span] = []
    while at < end and len(spans) < most:
        following = min(at + 1 + data[at], end)
        spans.append((at + 1, following))
        at = following
    return spans


def _options(data: bytes, at: int, end: int, found: Message) -> None:
    """Note the values of options or parameters: each has a number and a length of two bytes."""
    while at + 4 <= end:
        following = min(at + 4 + int.from_bytes(data[at + 2 : at + 4]), end)
        _note(found, [(at + 4, following)])
        at = following


def _note(found: Message, spans: Sequence[Span]) -> None:
    if any(start < end for start, end in spans):
        found.texts.append(tuple(spans))
