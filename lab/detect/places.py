"""Names the part of a protocol in which a span lies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lab.detect import http1, http2, tls, websocket
from lab.detect.views import Span


class Region(NamedTuple):
    """[start, end) of a stream is `place`."""

    start: int
    end: int
    place: str


def regions(stream: bytes) -> tuple[Region, ...]:
    """The named parts of one direction of a stream; the most specific first where they overlap.

    Places are "tls.sni" and "tls.record", or "http.request_line", "http.status_line", "http.header" (trailers too),
    "http.body" and "websocket.message". () for a stream that is neither TLS nor HTTP.
    """
    if records := tls.records(stream):
        hello = tls.client_hello(stream)
        names = [Region(*span, "tls.sni") for span in hello.sni_spans] if hello else []
        return (*names, Region(records[0].start, records[-1].end, "tls.record"))
    return tuple(_http(stream))


def _http(stream: bytes) -> Iterator[Region]:
    for message in http1.messages(stream):
        yield Region(*message.start_line, "http.request_line" if message.is_request else "http.status_line")
        yield Region(*message.headers, "http.header")
        yield Region(*message.body_extent, "http.body")
        yield Region(*message.trailers, "http.header")
    if (start := http2.begins(stream, websocket.upgraded(stream, b"h2c") or 0)) is not None:
        for frame in http2.frames(stream, start):
            if frame.kind in http2.FIELDS or frame.kind == http2.DATA:
                yield Region(frame.start, frame.end, "http.body" if frame.kind == http2.DATA else "http.header")
    elif (upgraded := websocket.upgraded(stream)) is not None:
        for unit in websocket.frames(stream, upgraded):
            yield Region(unit.start, unit.end, "websocket.message")


def starts(stream: bytes) -> tuple[int, ...]:
    """The offsets at which a value starts in one direction of a stream: at its beginning, and around each body."""
    bodies = (region for region in regions(stream) if region.place == "http.body" and region.start < region.end)
    found = {0, *(at for region in bodies for at in (region.start, region.end))}
    return tuple(sorted(at for at in found if at < len(stream) or not at))


def place_of(spans: tuple[Span, ...], named: tuple[Region, ...], default: str) -> str:
    """The place of the first span: the first region that it begins in, and ends in where regions nest."""
    start, end = spans[0]
    within = [region for region in named if region.start <= start < region.end]
    for region in within:
        if end <= region.end:
            return region.place
    return within[0].place if within else default


def detail(place: str, data: bytes, spans: tuple[Span, ...]) -> str:
    """A finer name for `place`, as far as the plain text around the first span in `data` tells.

    "http.request_line" is "http.method", "http.authority", "http.path", "http.query" or "http.fragment". Names that
    the observed bytes give are appended: of the field for "http.header", of the field, part or key for "http.body";
    a file name is "….filename". What cannot be told apart stays `place`.
    """
    start, end = spans[0]
    if place == "http.request_line":
        return _of_target(data, start) or place
    name = None
    if place == "http.header":
        name = _header(data, start)
    elif place == "http.body":
        name = _file_name(data, start) or _key(data, start) or _parameter(data, start) or _part(data, start)
    if name is None or data[start:end] in name:
        return place
    cut = "".join(char for char in name.decode("latin-1") if char in _NAME_CHARS)[:_LONGEST_NAME]
    return f"{place}.{cut}" if cut else place


_NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_LONGEST_NAME = 40
_WINDOW = 64 * 1024
"""Bytes before a span in which the name of its field is looked for."""

_TARGET = re.compile(
    rb"(?P<method>[^ \r\n]+) "
    rb"(?P<authority>[A-Za-z][A-Za-z0-9+.-]*://[^/?# \r\n]*)?(?P<path>[^?# \r\n]*)"
    rb"(?:\?(?P<query>[^# \r\n]*))?(?:#(?P<fragment>[^ \r\n]*))?"
)


def _of_target(data: bytes, at: int) -> str | None:
    """The part of a request line (RFC 9112, 3) in which an offset lies. A target without a path is an authority."""
    line = _TARGET.match(data, data.rfind(b"\n", 0, at) + 1)
    if line is None:
        return None
    for name in ("method", "authority", "query", "fragment"):
        if line.start(name) <= at < line.end(name):
            return f"http.{name}"
    if line.start("path") <= at < line.end("path"):
        return "http.path" if line["authority"] or line["path"].startswith((b"/", b"*")) else "http.authority"
    return None


_HEADER_NAME = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):")


def _header(data: bytes, at: int) -> bytes | None:
    """The lower-case name of the header field in whose value an offset lies (RFC 9110, 5; folded: RFC 9112, 5.2)."""
    first, start = max(0, at - _WINDOW), at
    while start := data.rfind(b"\n", first, start) + 1:
        if not data.startswith((b" ", b"\t"), start):
            break
        start -= 1
    if first and not start:
        return None
    field = _HEADER_NAME.match(data, start, at)
    return field[1].lower() if field else None


def _before(data: bytes, at: int) -> bytes:
    """What stands before an offset in the same message, as far as the window goes."""
    first = max(0, at - _WINDOW)
    return data[max(first, data.rfind(b"HTTP/1.", first, at)) : at]


_DISPOSITION = re.compile(rb"(?:^|\n)content-disposition:([^\r\n]*)", re.IGNORECASE)
_NAME_PARAMETER = re.compile(rb"""(?:^|[; \t])name=(?:"([^"]*)"|([^"; \t]+))""", re.IGNORECASE)


def _file_name(data: bytes, at: int) -> bytes | None:
    """The name of the part in whose file name (RFC 7578, 4.2) an offset lies, with "filename" behind it."""
    line = data[data.rfind(b"\n", max(0, at - _WINDOW), at) + 1 : at]
    if not _DISPOSITION.match(line) or b"filename" not in line.lower():
        return None
    name = _NAME_PARAMETER.search(line)
    return b".".join((*(filter(None, name.groups()) if name else ()), b"filename"))


def _part(data: bytes, at: int) -> bytes | None:
    """The name of the part of a form in whose body an offset lies."""
    found = _DISPOSITION.findall(_before(data, at))
    name = _NAME_PARAMETER.search(found[-1]) if found else None
    return (name[1] or name[2]) if name else None


_JSON_TOKEN = re.compile(rb'"((?:[^"\\\x00-\x1f]++|\\.)*+)"(\s*+:)?+|[{}\[\]]')
_REST_OF_KEY = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\.)*+"\s*+:')


def _key(data: bytes, at: int) -> bytes | None:
    """The key of the JSON value in which an offset lies; for what is in an array without keys, that of the array."""
    if _REST_OF_KEY.match(data, at, at + _WINDOW):
        return None
    window = _before(data, at)
    keys: list[bytes] = []
    for token in _JSON_TOKEN.finditer(window, window.rfind(b"\r\n\r\n") + 1):
        if token[0] in (b"{", b"["):
            keys.append(b"")
        elif token[0] in (b"}", b"]"):
            keys = keys[:-1]
        elif token[2] and keys:
            keys[-1] = token[1]
    return next(filter(None, reversed(keys)), None)


_FORM_NAME = re.compile(rb"[\w.%+\[\]-]+")
_FORM_BREAK = re.compile(rb"[&?;\s\"<>\x00]")


def _parameter(data: bytes, at: int) -> bytes | None:
    """The name of the field of a form in whose value an offset lies."""
    name, sign, _ = _FORM_BREAK.split(data[max(0, at - 1024) : at])[-1].partition(b"=")
    return name if sign and _FORM_NAME.fullmatch(name) else None
