"""Structures: the values that data formats hold, without what stands between them.

Values in text stand there as they are (their escapes are for other decoders), so that only one thing is left to do:
join them, for what is split over several. Binary formats also give their values one by one, for each may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from lab.detect.budget import Budget
from lab.detect.decoders.framing import Message, Stretch, apart, fills, joined, values
from lab.detect.ordinary import MIN_VALUE
from lab.detect.views import GAP, Builder, Span, View

_SIGNS = rb"[\s,:{}\[\]0-9.eE+truefalsn-]*+"
_STRING = rb'"((?:[^"\\\x00-\x1f]++|\\.)*+)'
_KEY = rb'"(?:[^"\\\x00-\x1f]++|\\.)*+"\s*+:'
_JSON_OPENING = re.compile(rb"[{\[]" + _SIGNS + rb'(")?')
_JSON = re.compile(rb"(?:" + _STRING + rb'"' + _SIGNS + rb")++(?:" + _STRING + rb"\Z)?+")
_JSON_VALUE = re.compile(rb"(?:" + _KEY + _SIGNS + rb")*+(?:" + _STRING + rb'(?:"|\Z))?+' + _SIGNS)

# "=" stands at the end of a value, as padding, and nowhere else in it: nothing is read twice.
_PAIR_VALUE = re.compile(rb"=([^\s&;=\"'<>#\x00-\x1f\x7f-\xff]*+={0,2}+)")
_FORM = re.compile(
    _PAIR_VALUE.pattern + rb"(?:(?:&(?:amp;)?|;[ ]?)[\w%.+\[\]-]{1,100}+" + _PAIR_VALUE.pattern + rb")++"
)

# Header blocks that were recorded by themselves stand between gaps.
_LINE = rb"(?:^|(?<=%s))" % GAP
_HEADERS = re.compile(_LINE + rb"(?::?[A-Za-z][\w-]*+:[ \t]*+[^\r\n]*+\r?\n){2,}+", re.MULTILINE)
_HEADER_VALUE = re.compile(_LINE + rb":?[\w-]++:[ \t]*+([^\r\n]*+)", re.MULTILINE)


_DECODED = 4096
"""Bytes of joined fields that are decoded further. Of more, the fields would cost as much again as the view itself."""


def fields(view: View, _budget: Budget) -> Iterator[View]:
    """The values of JSON (RFC 8259), forms, queries, cookies and header fields, the segments of paths and the contents
    of XML elements in a row, joined where they are several.

    Names are left out: a secret that is split over fields stands in their values. JSON may be cut off, or consist of
    lines of JSON.
    """
    groups = [
        values
        for values in _groups(view.data)
        if len(values) > 1 and sum(end - start for start, end in values) >= MIN_VALUE
    ]
    if groups:
        yield _in_a_row(view, groups)


def _in_a_row(view: View, groups: Sequence[Sequence[Span]]) -> View:
    """The spans of each group joined."""
    builder = Builder()
    for group in groups:
        for start, end in group:
            builder.mark()
            builder.add(view.data[start:end], start)
        builder.gap()
    return builder.view(view, "fields", final=builder.size > _DECODED)


def _groups(data: bytes) -> Iterator[list[Span]]:
    yield from _json_values(data)
    yield from _form_values(data)
    yield from _header_values(data)
    yield from ([part.span() for part in _SEGMENT.finditer(data, *path.span())] for path in _PATH.finditer(data))
    yield from (_spans(_ELEMENT, data, elements) for elements in _ELEMENTS.finditer(data))


def _json_values(data: bytes) -> Iterator[list[Span]]:
    opening = _JSON_OPENING.search(data)
    while opening:
        end = opening.end()
        if opening[1] and (found := _JSON.match(data, end - 1)):
            end = found.end()
            yield _spans(_JSON_VALUE, data, found)
        opening = _JSON_OPENING.search(data, end)


def _form_values(data: bytes) -> Iterator[list[Span]]:
    for form in _FORM.finditer(data):
        yield _spans(_PAIR_VALUE, data, form)


def _header_values(data: bytes) -> Iterator[list[Span]]:
    for block in _HEADERS.finditer(data):
        yield _spans(_HEADER_VALUE, data, block)


def _spans(value: re.Pattern[bytes], data: bytes, within: re.Match[bytes]) -> list[Span]:
    spans = [found.span(1) for found in value.finditer(data, *within.span())]
    return [(start, end) for start, end in spans if start < end]


_PATH = re.compile(rb"(?:/[^\s\x00-\x1f/?#&;\"'<>]{1,64}){3,}+")
_SEGMENT = re.compile(rb"[^/]+")
_ELEMENT = re.compile(rb"<[A-Za-z][\w:.-]*+>([^<>]{1,200}+)</[\w:.-]++>\s*+")
_ELEMENTS = re.compile(rb"(?:<[A-Za-z][\w:.-]*+>[^<>]{1,200}+</[\w:.-]++>\s*+){2,}+")


class _OddError(Exception):
    """This is not what the data would hold if it were of that format, or it is cut off."""


@dataclass(slots=True)
class _Found:
    """The strings of a structure in their order, each as the spans of its chunks, and which of them are keys of maps.

    `end` is where the structure ends, -1 where it could not be read so far.
    """

    strings: list[tuple[Span, ...]] = field(default_factory=list)
    keys: set[int] = field(default_factory=set)
    end: int = -1


_TEXT = re.compile(rb"[\t\n\r -~]{4,}+")


def _structures(view: View, name: str, first: bytes, read: Callable[[bytes, int, int], _Found]) -> Iterator[View]:
    """The strings of the structures that start, with one of the bytes `first`, where a value of the view does.

    What cannot be read to its end must at least hold some text, which noise does not.
    """
    strings: list[list[Message]] = []
    contents: list[list[Message]] = []
    for start, end in values(view):
        if end - start <= MIN_VALUE or view.data[start] not in first:
            continue
        found = read(view.data, start, end)
        if fills(view.data, found.end, end) or _texts(view.data, found.strings) >= MIN_VALUE:
            group: list[Message] = [
                [Stretch(view.data[begin:until], begin) for begin, until in chunks] for chunks in found.strings
            ]
            strings.append(group)
            contents.append([string for at, string in enumerate(group) if at not in found.keys])
    yield from apart(view, name, strings)
    yield from joined(view, name, contents)


def _texts(data: bytes, strings: Sequence[tuple[Span, ...]]) -> int:
    """The bytes of all strings that are nothing but text."""
    return sum(end - start for chunks in strings for start, end in chunks if _TEXT.fullmatch(data, start, end))


class _Kind(Enum):
    """What an item of CBOR or MessagePack is."""

    PLAIN = "a number or the like"
    STRING = "so many bytes"
    ITEMS = "an array of so many items, or a map of half as many pairs"
    CHUNKS = "a string in chunks"
    TAG = "something said about the next item"
    BREAK = "the end of what was begun without a number"


class _Item(NamedTuple):
    """An item that goes on at `at`: with so many bytes or items, None for as many as there are up to a break.

    `is_map` is for arrays, `is_text` for strings.
    """

    kind: _Kind
    at: int
    size: int | None = 0
    is_map: bool = False
    is_text: bool = False


@dataclass(slots=True)
class _Level:
    left: int | None
    is_map: bool = False
    number: int = 0
    chunks: list[Span] | None = None


_DEEPEST = 32
_MAX_DOUBTS = 4
"""Strings, said to be text, that are none: more of them than of others is noise. Old MessagePack says it of all."""


def _walk(data: bytes, start: int, end: int, first: bytes, item_at: Callable[[bytes, int], _Item]) -> _Found:
    """Read one structure behind the other, each of which begins with one of the bytes `first`."""
    found = _Found()
    levels: list[_Level] = []
    at, doubts = start, 0
    try:
        while levels or (at < end and data[at] in first):
            if at >= end or len(levels) > _DEEPEST or doubts > _MAX_DOUBTS:
                break
            item = item_at(data, at)
            at = item.at
            within = levels[-1] if levels else None
            if item.kind is _Kind.TAG:
                continue
            if within and within.chunks is not None and item.kind not in (_Kind.STRING, _Kind.BREAK):
                break
            if item.kind is _Kind.CHUNKS:
                levels.append(_Level(None, chunks=[]))
                continue
            if item.kind is _Kind.ITEMS and item.size != 0:
                levels.append(_Level(item.size, item.is_map))
                continue
            if item.kind is _Kind.STRING:
                at += item.size or 0
                span = (item.at, min(at, end))
                if item.is_text:
                    doubts += -1 if _is_utf8(data[slice(*span)]) else 1
                if within and within.chunks is not None:
                    within.chunks.append(span)
                    continue
                _note(found, within, (span,))
            elif item.kind is _Kind.BREAK:
                if within is None or within.left is not None:
                    break
                levels.pop()
                if within.chunks is not None:
                    _note(found, levels[-1] if levels else None, tuple(within.chunks))
            _close(levels)
            if not levels and at <= end:
                found.end = at
    except _OddError:
        pass
    return found


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _note(found: _Found, within: _Level | None, spans: tuple[Span, ...]) -> None:
    if within and within.is_map and within.number % 2 == 0:
        found.keys.add(len(found.strings))
    found.strings.append(spans)


def _close(levels: list[_Level]) -> None:
    """One more item is complete, and with it all that it was the last of."""
    while levels:
        level = levels[-1]
        level.number += 1
        if level.left is None or level.number < level.left:
            return
        levels.pop()


_CBOR_FIRST = bytes((0x5F, 0x7F, *range(0x80, 0xDC)))


def cbor(view: View, _budget: Budget) -> Iterator[View]:
    """The strings in CBOR (RFC 8949), where a value starts; those sent in chunks are put together (3.2.3)."""
    yield from _structures(view, "cbor", _CBOR_FIRST, _read_cbor)


def _read_cbor(data: bytes, start: int, end: int) -> _Found:
    return _walk(data, start, end, _CBOR_FIRST, _cbor_item)


def _cbor_item(data: bytes, at: int) -> _Item:
    major, info = data[at] >> 5, data[at] & 0x1F
    at += 1
    size: int | None = info
    if info == 31:
        size = None
    elif info > 27:
        raise _OddError
    elif info > 23:
        width = 1 << (info - 24)
        size = int.from_bytes(data[at : at + width])
        at += width
    match major:
        case 2 | 3:
            return _Item(_Kind.CHUNKS if size is None else _Kind.STRING, at, size, is_text=major == 3)
        case 4:
            return _Item(_Kind.ITEMS, at, size)
        case 5:
            return _Item(_Kind.ITEMS, at, None if size is None else 2 * size, is_map=True)
        case 7 if size is None:
            return _Item(_Kind.BREAK, at)
    if size is None:
        raise _OddError
    return _Item(_Kind.TAG if major == 6 else _Kind.PLAIN, at)


_MSGPACK_FIRST = bytes((*range(0x80, 0xA0), *range(0xC4, 0xCA), *range(0xD9, 0xE0)))
_MSGPACK_SIZED = {
    **dict.fromkeys((0xC4, 0xD9), (_Kind.STRING, 1)),
    **dict.fromkeys((0xC5, 0xDA), (_Kind.STRING, 2)),
    **dict.fromkeys((0xC6, 0xDB), (_Kind.STRING, 4)),
    **dict.fromkeys((0xDC, 0xDE), (_Kind.ITEMS, 2)),
    **dict.fromkeys((0xDD, 0xDF), (_Kind.ITEMS, 4)),
}
_MSGPACK_WIDTH = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}


def msgpack(view: View, _budget: Budget) -> Iterator[View]:
    """The strings, binaries and extensions in MessagePack, where a value starts."""
    yield from _structures(view, "msgpack", _MSGPACK_FIRST, _read_msgpack)


def _read_msgpack(data: bytes, start: int, end: int) -> _Found:
    return _walk(data, start, end, _MSGPACK_FIRST, _msgpack_item)


def _msgpack_item(data: bytes, at: int) -> _Item:
    head = data[at]
    at += 1
    if head < 0x80 or head >= 0xE0 or head in (0xC0, 0xC2, 0xC3):
        return _Item(_Kind.PLAIN, at)
    if head < 0x90:
        return _Item(_Kind.ITEMS, at, 2 * (head & 0x0F), is_map=True)
    if head < 0xA0:
        return _Item(_Kind.ITEMS, at, head & 0x0F)
    if head < 0xC0:
        return _Item(_Kind.STRING, at, head & 0x1F, is_text=True)
    if head in _MSGPACK_WIDTH:
        return _Item(_Kind.PLAIN, at + _MSGPACK_WIDTH[head])
    if head in _MSGPACK_SIZED:
        kind, width = _MSGPACK_SIZED[head]
        size = int.from_bytes(data[at : at + width])
        is_map = head in (0xDE, 0xDF)
        return _Item(kind, at + width, 2 * size if is_map else size, is_map, is_text=head >= 0xD9)
    if 0xD4 <= head <= 0xD8:  # an extension of 1, 2, 4, 8 or 16 bytes, behind its type
        return _Item(_Kind.STRING, at + 1, 1 << (head - 0xD4))
    if 0xC7 <= head <= 0xC9:  # an extension behind its size and its type
        width = 1 << (head - 0xC7)
        return _Item(_Kind.STRING, at + width + 1, int.from_bytes(data[at : at + width]))
    raise _OddError


# A number, 8 bytes, so many bytes, 4 bytes: the types of fields in use.
_PROTOBUF_FIRST = bytes(byte for byte in range(8, 256) if byte & 7 in (0, 1, 2, 5))
_NO_CONTROLS = bytes((*b"\x00\t\r\n", *GAP, *range(0x20, 0x7F), *range(0x80, 0x100)))
_ENDS = b"\x00" + GAP
_MAX_FIELD = 2**29


def protobuf(view: View, _budget: Budget) -> Iterator[View]:
    """The length-delimited fields in Protocol Buffers, also those of messages in them, where a value starts.

    Nothing tells strings from messages: what is text is a string, and what can be read as a message to its end is one.
    """
    yield from _structures(view, "protobuf", _PROTOBUF_FIRST, _read_protobuf)


def _read_protobuf(data: bytes, start: int, end: int) -> _Found:
    found = _Found()
    binary = bool(data[start : min(start + 64, end)].translate(None, _NO_CONTROLS))
    # Text may look like fields for a while, so it has to be a message to its end; but a tag may be the end of a line.
    if binary or data[start] < 0x20:
        try:
            found.end = _protobuf_fields(data, start, end, found, 0)
        except _OddError:
            return found if binary else _Found()
    return found


def _protobuf_fields(data: bytes, at: int, end: int, found: _Found, depth: int) -> int:
    """Note the strings of the fields from `at` on, and tell where they end: a zero or a gap begins no field."""
    while at < end and data[at] not in _ENDS:
        tag, at = _varint(data, at, end)
        if not 0 < tag >> 3 < _MAX_FIELD:
            raise _OddError
        match tag & 7:
            case 0:
                _, at = _varint(data, at, end)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                size, at = _varint(data, at, end)
                _protobuf_string(data, at, min(at + size, end), found, depth)
                at += size
            case _:
                raise _OddError
    if at > end:
        raise _OddError
    return at


def _protobuf_string(data: bytes, start: int, end: int, found: _Found, depth: int) -> None:
    before = len(found.strings)
    if start < end and depth < _DEEPEST and data[start] in _PROTOBUF_FIRST and not _TEXT.fullmatch(data, start, end):
        with suppress(_OddError):
            if _protobuf_fields(data, start, end, found, depth + 1) == end:
                return
    del found.strings[before:]
    found.strings.append(((start, end),))


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise _OddError
