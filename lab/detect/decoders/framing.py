"""Framing: how protocols cut what they carry into pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from lab.detect import compression, dns, http1, http2, tls, websocket
from lab.detect.budget import Budget
from lab.detect.decoders.runs import classes
from lab.detect.ordinary import MIN_VALUE
from lab.detect.probe import first
from lab.detect.reassembly import STREAM
from lab.detect.views import GAP, Builder, Span, View

_PADDING = 16


def values(view: View) -> Iterator[Span]:
    """[start, end) of what starts at each of the view's starts, up to the next one."""
    yield from pairwise((*view.starts, len(view.data)))


def fills(data: bytes, at: int, end: int) -> bool:
    """True if what was read up to `at` is all there is. Behind it stand a gap, and zeros that encodings leave."""
    return 0 <= at <= end <= at + _PADDING and not data[at:end].strip(b"\x00" + GAP)


class Stretch(NamedTuple):
    """Bytes of a view and where they come from: byte for byte, or `length` bytes as a whole where it is not 0."""

    data: bytes
    source: int
    length: int = 0


Message = Sequence[Stretch]


def apart(
    view: View, name: str, groups: Sequence[Sequence[Message]], *, place: str = "", declared: bool = False
) -> Iterator[View]:
    """The messages of all groups, none of them the neighbour of another."""
    builder = Builder()
    for group in groups:
        for message in group:
            _add(builder, message)
            builder.gap()
    if builder.size >= MIN_VALUE:
        yield builder.view(view, name, place=place, declared=declared)


def joined(
    view: View, name: str, groups: Sequence[Sequence[Message]], *, place: str = "", declared: bool = False
) -> Iterator[View]:
    """The messages of a group without anything in between, where there are several: something may be split."""
    builder = Builder()
    for group in groups:
        if len(group) > 1:
            for message in group:
                builder.mark()
                _add(builder, message)
            builder.gap()
    if builder.size >= MIN_VALUE:
        yield builder.view(view, name, place=place, declared=declared)


def _add(builder: Builder, message: Message) -> None:
    for data, source, length in message:
        if length:
            builder.add_whole(data, source, length)
        else:
            builder.add(data, source)


def tls_records(view: View, _budget: Budget) -> Iterator[View]:
    """The payloads of all TLS records of a stream, joined (RFC 8446, 5.1)."""
    records = tls.records(view.data) if view.parent is None and view.place == STREAM else ()
    if len(records) > 1:
        builder = Builder()
        for record in records:
            builder.add(view.data[record.start + tls.HEADER_LENGTH : record.end], record.start + tls.HEADER_LENGTH)
        yield builder.view(view, "tls.records", declared=True)


def http_bodies(view: View, _budget: Budget) -> Iterator[View]:
    """The bodies of HTTP/1 messages that do not stand there as they are: chunked (RFC 9112, 7.1) or compressed."""
    for message in http1.messages(view.data):
        if message.body and (message.chunked or message.codings):
            builder = Builder()
            for start, end in message.body:
                builder.add(view.data[start:end], start)
            names = ("http.chunked",) if message.chunked else ()
            yield builder.view(view, *names, codings=message.codings, declared=True)


def websocket_messages(view: View, budget: Budget) -> Iterator[View]:
    """The messages of a WebSocket behind its HTTP/1.1 upgrade (RFC 6455), also by permessage-deflate (RFC 7692).

    A masked frame is one piece, for its mask stands in its header. What is compressed says so itself (RSV1), and a
    window that is kept over messages does no harm where the sender empties it.
    """
    start = websocket.upgraded(view.data)
    if start is None:
        return
    plain: list[list[Stretch]] = []
    packed: list[list[Stretch]] = []
    for message in websocket.messages(view.data, start):
        stretches = [
            Stretch(frame.content(view.data), frame.start, frame.end - frame.start)
            if frame.mask
            else Stretch(frame.content(view.data), frame.payload)
            for frame in message.frames
        ]
        (packed if message.compressed else plain).append(stretches)
    for arranged in (apart, joined):
        yield from arranged(view, "websocket", [plain], place="websocket.message", declared=True)
    if packed:
        yield from _inflated(view, packed, budget)


def _inflated(view: View, packed: Sequence[Sequence[Stretch]], budget: Budget) -> Iterator[View]:
    """The messages of one direction, which share a window (RFC 7692, 7.2.2).

    A message that refers to earlier ones stands for all bytes up to its end, since it cannot be read without them.
    """
    payloads = [b"".join(stretch.data for stretch in message) for message in packed]
    budget.step()
    try:
        texts = compression.inflate_messages(payloads, budget.expansion)
        alone = [compression.inflate_messages([payload], budget.expansion) for payload in payloads]
    except compression.TooLargeError:
        budget.too_large("permessage-deflate")
        return
    frames = Builder()
    messages: list[list[Stretch]] = []
    for message, text, itself in zip(packed, texts, alone, strict=True):
        start = frames.size if itself == [text] else 0
        _add(frames, message)
        messages.append([Stretch(text, start, frames.size - start)])
    compressed = frames.view(view, "websocket", place="websocket.message", declared=True)
    for arranged in (apart, joined):
        yield from arranged(compressed, "permessage-deflate", [messages], declared=True)


def http2_streams(view: View, budget: Budget) -> Iterator[View]:
    """What the streams of an HTTP/2 connection carry (RFC 9113, 6.1), and their header fields (RFC 7541)."""
    start = http2.begins(view.data, 0)
    if start is None and (upgraded := websocket.upgraded(view.data, b"h2c")) is not None:
        start = http2.begins(view.data, upgraded)
    if start is None:
        return
    frames = list(http2.frames(view.data, start))
    codings: dict[int, tuple[str, ...]] = {}
    yield from _header_fields(view, frames, codings, budget)
    streams: dict[int, list[Span]] = {}
    for frame in frames:
        if frame.kind == http2.DATA:
            streams.setdefault(frame.stream, []).append((frame.start, frame.end))
    plain = Builder()
    for stream, spans in streams.items():
        coded = codings.get(stream, ())
        builder = Builder() if coded else plain
        for begin, end in spans:
            builder.add(view.data[begin:end], begin)
        if coded:
            yield builder.view(view, "http2", codings=coded, place="http.body", declared=True)
        else:
            plain.gap()
    if plain.size >= MIN_VALUE:
        yield plain.view(view, "http2", place="http.body", declared=True)


def _header_fields(
    view: View, frames: list[http2.Frame], codings: dict[int, tuple[str, ...]], budget: Budget
) -> Iterator[View]:
    """All header fields as lines; notes in `codings` which content codings the streams declare."""
    fragments, blocks = Builder(), list[tuple[int, int, int]]()
    for block in http2.blocks(frames):
        start = fragments.size
        for span in block.fragments:
            fragments.add(view.data[slice(*span)], span[0])
        blocks.append((block.stream, start, fragments.size))
    packed = fragments.view(view)
    table, lines = http2.Hpack(), Builder()
    read = ((stream, found) for stream, *block in blocks for found in table.fields(packed.data, *block))
    for stream, (name, value) in read:
        for text, behind in ((name, b": "), (value, b"\r\n")):
            if text.plain:
                lines.add(text.data, text.source)
            else:
                lines.add_whole(text.data, text.source, text.length)
            lines.gap(behind)
        if name.data == b"content-encoding":
            codings[stream] = http1.fields(b"content-encoding:" + value.data).get("content-encoding", ())
        if lines.size > budget.expansion:
            budget.too_large("hpack")
            break
    if lines.size >= MIN_VALUE:
        yield lines.view(packed, "hpack", place="http.header", declared=True)


_GRPC_HEADER = 5
_GRPC_FLAGS = frozenset({0x00, 0x01, 0x80, 0x81})
_GRPC_EMPTY = re.compile(rb"(?:\x00{5})++")


def _empty_messages(data: bytes, at: int, end: int) -> int:
    """Where the messages without content end that begin at `at`: zeros may be millions of them, and say nothing."""
    found = _GRPC_EMPTY.match(data, at, end)
    return found.end() if found else at


def grpc_messages(view: View, _budget: Budget) -> Iterator[View]:
    """Length-prefixed messages of gRPC, and of gRPC-Web with its trailers (flag 0x80), where a value starts.

    A compressed message is a value that starts with what its coding starts with. Only the last one may be cut off.
    """
    found: list[list[Message]] = []
    # The length is a number of four bytes, the first of which is zero up to 16 MiB.
    for start, end in values(view) if b"\x00" in view.data else ():
        if end - start < _GRPC_HEADER + MIN_VALUE or view.data[start] not in _GRPC_FLAGS:
            continue
        messages: list[Message] = []
        at = start
        while (at := _empty_messages(view.data, at, end)) + _GRPC_HEADER <= end and view.data[at] in _GRPC_FLAGS:
            begin = at + _GRPC_HEADER
            at = begin + int.from_bytes(view.data[at + 1 : begin])
            messages.append([Stretch(view.data[begin : min(at, end)], begin)])
        if fills(view.data, at, end) or (at > end and begin > start + _GRPC_HEADER):
            found.append(messages)
    yield from apart(view, "grpc", found)
    yield from joined(view, "grpc", found)


_PART_HEADER = b"ontent-"
"""Stands in every multipart message, and is found faster than a line of dashes."""
_DASHES = b"--"
_DELIMITER = re.compile(rb"--([!-~](?:[ -~]{0,68}[!-~])?)[ \t]*\r?\n(?=[A-Za-z-]{1,40}:)")
_PART_HEADERS = re.compile(rb"(?:[^\r\n]++\r?\n)*+\r?\n")
_FILE_NAME = re.compile(rb"[; \t]filename", re.IGNORECASE)
_MAX_UNFINISHED = 16
"""Delimiters that no other one answers, after which a text is no multipart message."""


def multipart_parts(view: View, _budget: Budget) -> Iterator[View]:
    """The bodies of the parts of multipart messages (RFC 2046, 5.1; RFC 7578).

    The joined view leaves out files: it is for what is spread over the fields of a form.
    """
    if first(_PART_HEADER, view.data) < 0:
        return
    parts: list[Message] = []
    fields: list[Message] = []
    for (start, begin), (_, end) in _parts(view.data):
        part = [Stretch(view.data[begin:end], begin)]
        parts.append(part)
        if not _FILE_NAME.search(view.data, start, begin):
            fields.append(part)
    yield from apart(view, "multipart", [parts], declared=True)
    yield from joined(view, "multipart", [fields], declared=True)


def _parts(data: bytes) -> Iterator[tuple[Span, Span]]:
    """The spans of the headers and the body of each part; of the last one what is there."""
    at = unfinished = 0
    while unfinished < _MAX_UNFINISHED:
        if at or not data.startswith(_DASHES):
            at = data.find(b"\n" + _DASHES, at) + 1
            if not at:
                return
        delimiter = _DELIMITER.match(data, at)
        at = delimiter.end() if delimiter else at + 1
        boundary = b"\n" + _DASHES + delimiter[1] if delimiter else b""
        while boundary:
            end = data.find(boundary, at - 1)
            if end < 0:
                unfinished += 1
                if unfinished == 1:
                    yield _part(data, at, len(data))
                break
            yield _part(data, at, end)
            line_end = data.find(b"\n", end + len(boundary))
            if data.startswith(_DASHES, end + len(boundary)) or line_end < 0:
                at = end + len(boundary)
                break
            at = line_end + 1


def _part(data: bytes, start: int, end: int) -> tuple[Span, Span]:
    headers = _PART_HEADERS.match(data, start, end + 1)
    begin = headers.end() if headers else start
    end -= data.startswith(b"\r", end - 1)
    return (start, begin), (begin, max(begin, end))


_DATA_LINE = re.compile(rb"^data:[ ]?((?:(?!%s)[^\r\n])*+)" % GAP, re.MULTILINE)


def event_stream(view: View, _budget: Budget) -> Iterator[View]:
    """What the events of a text/event-stream carry (HTML Standard, 9.2.6), joined: many a text comes word by word."""
    if view.data.count(b"data:") > 1:
        lines = [[Stretch(line[1], line.start(1))] for line in _DATA_LINE.finditer(view.data)]
        yield from joined(view, "event-stream", [lines], declared=True)


_DNS_PLACE = "dns.message"


def dns_messages(view: View, _budget: Budget) -> Iterator[View]:
    """The names in DNS messages, with dots, and the texts in their records (RFC 1035), also over TCP.

    A message stands where a value starts (a datagram, a body of application/dns-message) and fills it.
    """
    names: dict[tuple[Span, ...], None] = {}
    texts: list[Message] = []
    for message in _dns_messages(view):
        names |= dict.fromkeys(message.names)
        texts += ([Stretch(view.data[start:end], start) for start, end in text] for text in message.texts)
    dotted: list[Message] = [
        [
            Stretch(b"." * (number > 0) + view.data[start:end], start - (number > 0))
            for number, (start, end) in enumerate(name)
        ]
        for name in names
    ]
    yield from apart(view, "dns", [dotted], place="dns.name", declared=True)
    yield from apart(view, "dns", [texts], place="dns.record", declared=True)


def _dns_messages(view: View) -> Iterator[dns.Message]:
    certain = view.parent is None and view.place == _DNS_PLACE
    for start, end in values(view) if b"\x00" in view.data else ():
        # The upper bytes of three numbers of records, with a length before them or not.
        if view.data[start + 6 : start + 11 : 2].strip(b"\x00"):
            continue
        found = dns.message(view.data, start, end)
        if found and (certain or fills(view.data, found.end, end)):
            yield found
            continue
        for number, (begin, behind) in enumerate(dns.over_tcp(view.data, start, end)):
            found = dns.message(view.data, begin, behind)
            if found is None or not (number or found.end == behind):
                break
            yield found


_HOST_CHARS = classes((b"x", b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"), (b".", b"."))
_HOST = re.compile(rb"x+(?:\.x+){2,}")
_MIN_HOST = 2 * MIN_VALUE


def host_labels(view: View, _budget: Budget) -> Iterator[View]:
    """The labels of host names without their dots: what is longer than a label is spread over several."""
    builder = Builder()
    signs = view.data.translate(_HOST_CHARS)
    at = signs.find(b"x.x")
    while at >= 0:
        start = signs.rfind(b"\x00", 0, at) + 1
        at = signs.find(b"\x00", at)
        end = at if at >= 0 else len(signs)
        if end - start >= _MIN_HOST and _HOST.fullmatch(signs, start, end):
            for label in view.data[start:end].split(b"."):
                builder.add(label, start)
                start += len(label) + 1
            builder.gap()
        at = signs.find(b"x.x", end)
    if builder.size:
        yield builder.view(view, "labels joined")
