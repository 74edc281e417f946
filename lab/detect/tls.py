"""TLS as it stands in the open: records and the ClientHello (RFC 8446). Nothing here needs or uses a key."""

from __future__ import annotations

from dataclasses import dataclass

from lab.detect.views import Builder, Span, View, locate

HEADER_LENGTH = 5
"""Bytes of a record header."""

ALERT = 21
"""Content type of records that say why the connection ends."""

HANDSHAKE = 22
"""Content type of records that carry the handshake."""

APPLICATION_DATA = 23
"""Content type of records that carry what the application sends (in TLS 1.3 also the encrypted handshake)."""

_CONTENT_TYPES = range(20, 25)
_CLIENT_HELLO = 1
_MAX_PAYLOAD = 2**14 + 2048
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43


@dataclass(frozen=True, slots=True)
class Record:
    """One TLS record, header included: [start, end) in the stream. `version` is the field in the header, 0x0301 up."""

    start: int
    end: int
    content_type: int
    version: int


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client says before anything is encrypted.

    `sni` is the name of the service as sent, None where none was; `sni_spans` is where its bytes stand in the stream
    (several spans if it is broken over records). `versions` are those offered, in the client's order.
    """

    sni: str | None
    sni_spans: tuple[Span, ...]
    alpn: tuple[str, ...]
    versions: tuple[int, ...]


def records(data: bytes) -> tuple[Record, ...]:
    """The complete TLS records at the start of one direction of a stream (RFC 8446, 5.1).

    Ends before the first thing that is no complete record; a stream that is not TLS gives (). Lengths up to
    2^14 + 2048 bytes are taken, the limit of TLS 1.2 (RFC 5246, 6.2.3).
    """
    found: list[Record] = []
    at = 0
    while at + HEADER_LENGTH <= len(data):
        content_type, major, minor = data[at], data[at + 1], data[at + 2]
        end = at + HEADER_LENGTH + int.from_bytes(data[at + 3 : at + HEADER_LENGTH])
        if not may_begin_record(data[at : at + HEADER_LENGTH]) or end > len(data):
            break
        found.append(Record(at, end, content_type, major << 8 | minor))
        at = end
    return tuple(found)


def may_begin_record(data: bytes) -> bool:
    """Whether a record can begin like this, with however many of its bytes there are."""
    header = data[:HEADER_LENGTH].ljust(HEADER_LENGTH, b"\0")
    return (
        (not data or header[0] in _CONTENT_TYPES)
        and (len(data) < 2 or header[1] == 3)
        and header[2] <= 4
        and int.from_bytes(header[3:]) <= _MAX_PAYLOAD
    )


def client_hello(data: bytes) -> ClientHello | None:
    """The ClientHello that opens a stream (RFC 8446, 4.1.2), also one that is broken over several records (5.1).

    None where there is none, or only part of one.
    """
    builder = Builder()
    for record in records(data):
        if record.content_type != HANDSHAKE:
            break
        builder.add(data[record.start + HEADER_LENGTH : record.end], record.start + HEADER_LENGTH)
    handshake = builder.view(View(data, ""))
    try:
        return _parse(handshake)
    except _TruncatedError:
        return None


class _TruncatedError(Exception):
    pass


class _Cursor:
    """Reads length-prefixed fields (RFC 8446, 3.4) of `data` within [at, end)."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        if end > len(data):
            raise _TruncatedError
        self.data, self.at, self.end = data, at, end

    def take(self, size: int) -> bytes:
        if self.at + size > self.end:
            raise _TruncatedError
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> _Cursor:
        """The field whose length stands before it in `size` bytes."""
        length = self.number(size)
        start = self.at
        self.take(length)
        return _Cursor(self.data, start, start + length)

    def rest(self) -> bytes:
        """All that is left of the field."""
        return self.take(self.end - self.at)

    def __bool__(self) -> bool:
        return self.at < self.end


def _parse(handshake: View) -> ClientHello | None:
    cursor = _Cursor(handshake.data, 0, len(handshake.data))
    if cursor.number(1) != _CLIENT_HELLO:
        return None
    body = cursor.vector(3)
    legacy_version = body.number(2)
    body.take(32)
    for size in (1, 2, 1):  # session id, cipher suites, compression methods
        body.vector(size)
    sni: str | None = None
    spans: tuple[Span, ...] = ()
    alpn: tuple[str, ...] = ()
    versions: tuple[int, ...] = (legacy_version,)
    extensions = body.vector(2) if body else body  # RFC 5246, 7.4.1.2: there may be none
    while extensions:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME and content:
            names = content.vector(2)
            if names and names.number(1) == 0:
                name = names.vector(2)
                spans = locate(handshake, name.at, name.end)
                sni = name.rest().decode("ascii", "backslashreplace")
        elif kind == _ALPN:
            alpn = tuple(_protocols(content.vector(2)))
        elif kind == _SUPPORTED_VERSIONS:
            offered = content.vector(1).rest()
            versions = tuple(int.from_bytes(offered[i : i + 2]) for i in range(0, len(offered) - 1, 2))
    return ClientHello(sni, spans, alpn, versions)


def _protocols(names: _Cursor) -> list[str]:
    found: list[str] = []
    while names:
        found.append(names.vector(1).rest().decode("ascii", "backslashreplace"))
    return found
