"""Protocols around a value, as clients and servers write them."""

from __future__ import annotations

import base64
import json
import sqlite3
import ssl
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import h2.config
import h2.connection

HOST = b"chat.lab.test"
type Headers = Sequence[tuple[bytes, bytes]]


def request(
    target: bytes = b"/v1/events",
    body: bytes = b"",
    headers: Headers = (),
    *,
    method: bytes = b"POST",
    host: bytes = HOST,
    kind: bytes = b"text/plain",
) -> bytes:
    lines = [(b"Host", host), (b"User-Agent", b"probe/1.0"), *headers]
    if body:
        lines += [(b"Content-Type", kind), (b"Content-Length", b"%d" % len(body))]
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, fields(lines), body)


def response(
    body: bytes = b"", headers: Headers = (), *, status: bytes = b"200 OK", kind: bytes = b"text/plain"
) -> bytes:
    lines = [(b"Server", b"probe"), (b"Content-Type", kind), (b"Content-Length", b"%d" % len(body)), *headers]
    return b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, fields(lines), body)


def fields(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)


def chunked(parts: Iterable[bytes], headers: Headers = (), trailers: Headers = ()) -> bytes:
    """A request with a body in chunks."""
    lines = [(b"Host", HOST), (b"Transfer-Encoding", b"chunked"), *headers]
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"POST /v1/stream HTTP/1.1\r\n%b\r\n%b0\r\n%b\r\n" % (fields(lines), body, fields(trailers))


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def text_pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def basic(user: bytes, password: bytes = b"hunter2hunter2") -> bytes:
    return b"Basic " + base64.b64encode(user + b":" + password)


def jwt(claims: dict[str, object]) -> bytes:
    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    head = json.dumps({"alg": "HS256", "typ": "JWT"}).encode()
    body = json.dumps(claims, separators=(",", ":")).encode()
    return b".".join((part(head), part(body), part(bytes(range(32)))))


def multipart(parts: Iterable[tuple[bytes, bytes]], boundary: bytes = b"----corpus7f3a") -> bytes:
    """Parts are (header lines, body)."""
    return b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, head, body) for head, body in parts) + (
        b"--%b--\r\n" % boundary
    )


def client_hello(name: str) -> bytes:
    """What a real TLS client sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without the other side")


# DNS (RFC 1035)


def dns_query(name: bytes, kind: int = 1) -> bytes:
    return struct.pack("!6H", 0x1A2B, 0x0100, 1, 0, 0, 0) + _labels(name) + struct.pack("!2H", kind, 1)


def dns_answer(name: bytes, kind: int, data: bytes) -> bytes:
    head = struct.pack("!6H", 0x1A2B, 0x8180, 1, 1, 0, 0) + _labels(name) + struct.pack("!2H", kind, 1)
    return head + b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, 300, len(data)) + data


def dns_text(data: bytes, size: int = 255) -> bytes:
    return b"".join(bytes([len(piece)]) + piece for piece in pieces(data, size))


def _labels(name: bytes) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in name.split(b".")) + b"\0"


# WebSocket (RFC 6455)

MASK = bytes.fromhex("37fa213d")
UPGRADE = request(
    b"/socket",
    method=b"GET",
    headers=(
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Extensions", b"permessage-deflate; client_max_window_bits"),
    ),
)
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


def frame(
    payload: bytes, opcode: int = 1, *, mask: bytes | None = MASK, final: bool = True, compressed: bool = False
) -> bytes:
    first = opcode | (0x80 if final else 0) | (0x40 if compressed else 0)
    masked = 0x80 if mask else 0
    if len(payload) < 126:
        head = bytes([first, masked | len(payload)])
    elif len(payload) < 65536:
        head = bytes([first, masked | 126]) + struct.pack("!H", len(payload))
    else:
        head = bytes([first, masked | 127]) + struct.pack("!Q", len(payload))
    if not mask:
        return head + payload
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def deflated_frames(messages: Iterable[bytes], *, mask: bytes | None = MASK, takeover: bool = True) -> bytes:
    """permessage-deflate (RFC 7692); with context takeover all messages share one window."""
    compressor, frames = zlib.compressobj(9, zlib.DEFLATED, -15), b""
    for message in messages:
        data = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
        frames += frame(data.removesuffix(b"\0\0\xff\xff"), mask=mask, compressed=True)
        if not takeover:
            compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return frames


# HTTP/2 (RFC 9113)


def http2(
    body: Sequence[bytes],
    headers: Headers = (),
    *,
    path: bytes = b"/v1/events",
    trailers: Headers = (),
    padding: int | None = None,
) -> bytes:
    """A client's side of a connection with one stream, after another stream of no interest."""
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    client.initiate_connection()
    base = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", HOST), (b":path", path)]
    client.send_headers(1, [*base[:3], (b":path", b"/"), (b"x-app", b"probe")], end_stream=True)
    client.send_headers(3, [*base, *headers], end_stream=not body and not trailers)
    for number, part in enumerate(body, start=1):
        client.send_data(3, part, end_stream=number == len(body) and not trailers, pad_length=padding)
    if trailers:
        client.send_headers(3, list(trailers), end_stream=True)
    return client.data_to_send()


def grpc(message: bytes, *, compressed: bool = False) -> bytes:
    return struct.pack("!BI", compressed, len(message)) + message


# Protobuf, by hand


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def proto(number: int, value: bytes | int) -> bytes:
    """One field: bytes as length-delimited, a number as varint."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


# SQLite, by SQLite


def database(rows: Sequence[tuple[object, object]], *, page: int = 4096, forget: bool = False) -> bytes:
    """A database file with two columns; `forget`: the rows are deleted again."""
    with TemporaryDirectory(prefix="corpus-") as directory:
        path = Path(directory) / "data.db"
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA page_size = {page}")
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, kind TEXT, body BLOB)")
        connection.executemany("INSERT INTO note (kind, body) VALUES (?, ?)", rows)
        connection.commit()
        if forget:
            connection.execute("DELETE FROM note")
            connection.commit()
        connection.close()
        return path.read_bytes()


def database_with_log(rows: Sequence[tuple[object, object]]) -> tuple[bytes, bytes]:
    """A database file and the write-ahead log that still holds the rows."""
    with TemporaryDirectory(prefix="corpus-") as directory:
        path = Path(directory) / "data.db"
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, kind TEXT, body BLOB)")
        connection.executemany("INSERT INTO note (kind, body) VALUES (?, ?)", rows)
        connection.commit()
        files = path.read_bytes(), Path(f"{path}-wal").read_bytes()
        connection.close()
        return files
