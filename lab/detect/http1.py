"""HTTP/1.x messages in one direction of a stream (RFC 9112), with the offsets of their parts.

Made to read what stands there, not to judge it: what a strict parser refuses is read as far as it makes sense.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lab.detect.views import Span

_START_LINE = re.compile(
    rb"(?P<request>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} [^\r\n]* HTTP/1\.[0-9])\r?\n"
    rb"|HTTP/1\.[0-9] (?P<status>[0-9]{3})(?: [^\r\n]*)?\r?\n"
)
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_LINE_ENDS = re.compile(rb"[\r\n]*")
# Only what it takes to read a body: most header lines are never looked at.
_FIELD = re.compile(
    rb"^(transfer-encoding|content-length|content-encoding|content-type)[ \t]*:([^\r\n]*)", re.MULTILINE | re.IGNORECASE
)
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LENGTH = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Message:
    """One request or response as it stands in the stream; all spans are offsets into that stream.

    `start_line` and `headers` include their line ends, `headers` not the blank line. `body` are the spans of the
    content itself, one for each chunk where it is `chunked`; `body_extent` includes the framing of chunks.
    `codings` are the content codings in the order they were applied, in lower case. `complete`: neither the end of
    the stream nor odd framing cut the message short.
    """

    is_request: bool
    start_line: Span
    headers: Span
    body: tuple[Span, ...]
    body_extent: Span
    trailers: Span
    chunked: bool
    codings: tuple[str, ...]
    content_type: str
    complete: bool

    @property
    def end(self) -> int:
        return self.trailers[1]


def fields(headers: bytes) -> dict[str, tuple[str, ...]]:
    """The comma-separated members of the headers that say how to read a body, all in lower case.

    `headers` are `Name: value` lines; taken are transfer-encoding, content-length, content-encoding and content-type,
    by these names. A header that stands several times is one list (RFC 9110, 5.3).
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, value in _FIELD.findall(headers):
        members = (member.strip() for member in value.decode("latin-1").lower().split(","))
        key = name.decode("ascii").lower()
        found[key] = found.get(key, ()) + tuple(member for member in members if member)
    return found


def messages(data: bytes) -> tuple[Message, ...]:
    """All messages from the start of one direction of a connection; () where it is not HTTP/1.

    Ends at the first thing that is no message. A message cut off by the end of the stream has what is there.
    """
    return tuple(_messages(data))


def _messages(data: bytes) -> Iterator[Message]:
    at = 0
    while (start := _START_LINE.match(data, at)) is not None:
        message = _message(data, start)
        yield message
        # RFC 9112, 2.2: empty lines before a start line are to be ignored.
        rest = _LINE_ENDS.match(data, message.end)
        at = rest.end() if rest else message.end


def _message(data: bytes, start: re.Match[bytes]) -> Message:
    headers, body_start, closed = _headers(data, start.end())
    block = fields(data[slice(*headers)])
    chunked = "chunked" in block.get("transfer-encoding", ())
    is_request = start["request"] is not None
    body: tuple[Span, ...] = ()
    extent = trailers = (body_start, body_start)
    complete = closed
    if closed and not _bodyless(data, body_start, start):
        if chunked:
            body, extent, trailers, complete = _chunks(data, body_start)
        else:
            end, complete = _body_end(data, body_start, block, is_request=is_request)
            extent, trailers = (body_start, end), (end, end)
            body = (extent,) if end > body_start else ()
    return Message(
        is_request=is_request,
        start_line=start.span(),
        headers=headers,
        body=body,
        body_extent=extent,
        trailers=trailers,
        chunked=chunked,
        codings=block.get("content-encoding", ()),
        content_type=next(iter(block.get("content-type", ())), ""),
        complete=complete,
    )


def _headers(data: bytes, at: int) -> tuple[Span, int, bool]:
    """The header block, where the body starts, and whether a blank line closed the block."""
    if (empty := _LINE_END.match(data, at)) is not None:
        return (at, at), empty.end(), True
    if (blank := _BLANK_LINE.search(data, at)) is not None:
        return (at, blank.start() + 1), blank.end(), True
    return (at, len(data)), len(data), False


def _bodyless(data: bytes, body_start: int, start: re.Match[bytes]) -> bool:
    """True for a response without a body (RFC 9112, 6.3).

    The request is not known here. That a response was the answer to HEAD shows in the next one following at once.
    """
    status = start["status"]
    return status is not None and (
        status.startswith(b"1") or status in (b"204", b"304") or _is_response(data, body_start)
    )


def _is_response(data: bytes, at: int) -> bool:
    start = _START_LINE.match(data, at)
    return start is not None and start["request"] is None


def _body_end(data: bytes, at: int, block: dict[str, tuple[str, ...]], *, is_request: bool) -> tuple[int, bool]:
    """Where a body without chunks ends, and whether it is whole."""
    lengths = [int(value) for value in block.get("content-length", ()) if _LENGTH.fullmatch(value)]
    if lengths:
        return min(at + lengths[0], len(data)), at + lengths[0] <= len(data)
    return (at, True) if is_request else (len(data), True)


def _chunks(data: bytes, at: int) -> tuple[tuple[Span, ...], Span, Span, bool]:
    """The chunks of a body (RFC 9112, 7.1), its extent, the trailers, and whether it is whole."""
    start, chunks = at, list[Span]()
    while (head := _CHUNK.match(data, at)) is not None:
        size, at = int(head[1], 16), head.end()
        if size == 0:
            trailers, end, closed = _headers(data, at)
            return tuple(chunks), (start, at), (trailers[0], end), closed
        end = min(at + size, len(data))
        if end > at:
            chunks.append((at, end))
        at = end
        if (line_end := _LINE_END.match(data, at)) is not None:
            at = line_end.end()
    return tuple(chunks), (start, at), (at, at), False
