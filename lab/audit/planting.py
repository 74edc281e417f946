"""Where any application could carry a secret: planted in copies of a record, each must be found. Pure.

Unlike the lab's own application (lab/planting.py), one that nobody here wrote may carry a value anywhere: so it is
planted in a JSON body, in a header and in an address; in a message of a WebSocket where the record has one; as bytes
where the connection is not HTTP; in a new row and at the end of a file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import quote

from lab.detect import Wanted, sqlite, websocket
from lab.detect.reassembly import STREAM
from lab.model import Direction, Observation
from lab.planting import Copy, Plant, Way, changed, in_messages, in_streams
from lab.record import Record

WEBSOCKET, DATAGRAM = "websocket.message", "udp.datagram"
DATABASE_FILE, DATABASE_WAL = "database.file", "database.wal"

_MASK = b"\x37\xfa\x21\x3d"
"""A client masks what it sends (RFC 6455, section 5.3); any four bytes will do. These are those of its example."""


def _text(secret: Wanted) -> str:
    return secret.value.decode("utf-8", errors="replace")


def _in_json(secret: Wanted) -> bytes:
    return json.dumps(_text(secret), ensure_ascii=False)[1:-1].encode()


def _in_address(secret: Wanted) -> bytes:
    return quote(secret.value, safe="").encode()


def _in_header(secret: Wanted) -> bytes:
    return secret.value if secret.value.isascii() and b"\n" not in secret.value else _in_address(secret)


def _as_it_is(secret: Wanted) -> bytes:
    return secret.value


_JSON = b"Content-Type: application/json\r\nContent-Length: %d\r\n"


def _request_body(secret: Wanted) -> tuple[bytes, bytes, bytes]:
    body = b'{"planted":"%s"}' % _in_json(secret)
    return b"POST /planted HTTP/1.1", b"Host: planted.lab.test\r\n" + _JSON % len(body), body


def _request_header(secret: Wanted) -> tuple[bytes, bytes, bytes]:
    return b"GET /planted HTTP/1.1", b"Host: planted.lab.test\r\nX-Planted: %s\r\n" % _in_header(secret), b""


def _request_address(secret: Wanted) -> tuple[bytes, bytes, bytes]:
    return b"GET /planted?value=%s HTTP/1.1" % _in_address(secret), b"Host: planted.lab.test\r\n", b""


def _answer_body(secret: Wanted) -> tuple[bytes, bytes, bytes]:
    body = b'{"planted":"%s"}' % _in_json(secret)
    return b"HTTP/1.1 200 OK", _JSON % len(body), body


def _answer_header(secret: Wanted) -> tuple[bytes, bytes, bytes]:
    return b"HTTP/1.1 200 OK", b"X-Planted: %s\r\nContent-Length: 0\r\n" % _in_header(secret), b""


def _bytes(secret: Wanted) -> tuple[bytes, bytes, bytes]:
    return b"", b"", secret.value + b"\n"


_TO, _BACK = Direction.TO_SERVICE, Direction.TO_CLIENT
_HTTP: tuple[Way[Wanted], ...] = (
    Way(f"in a body {_TO}", _TO, "http.request_line", _request_body, _in_json),
    Way(f"in a header {_TO}", _TO, "http.request_line", _request_header, _in_header),
    Way(f"in an address {_TO}", _TO, "http.request_line", _request_address, _in_address),
    Way(f"in a body {_BACK}", _BACK, "http.status_line", _answer_body, _in_json),
    Way(f"in a header {_BACK}", _BACK, "http.status_line", _answer_header, _in_header),
)
_RAW: tuple[Way[Wanted], ...] = (
    Way(f"as bytes {_TO}", _TO, "", _bytes, _as_it_is),
    Way(f"as bytes {_BACK}", _BACK, "", _bytes, _as_it_is),
)


def on_the_wire(secrets: Sequence[Wanted], record: Record, *, http: bool) -> Iterator[Copy]:
    """Copies of what somebody on the path recorded. Not `http`: the connections carry something else."""
    switched = {one.connection for one in record.streams if websocket.upgraded(one.data) is not None} if http else set()
    others = _streams_without(record, switched)
    yield from in_streams(secrets, others, _HTTP if http else _RAW)
    for connection in sorted(switched)[:1]:
        yield from _in_frames(secrets, record, connection)
    yield from _in_datagrams(secrets, record)


def in_requests(secrets: Sequence[Wanted], record: Record) -> Iterator[Copy]:
    """Copies of what a front end recorded."""
    yield from in_messages(secrets, record, _HTTP)
    exchange = max((one.exchange for one in record.observations), default=0)
    for direction in (_TO, _BACK):
        said = [one for one in record.observations if one.place == WEBSOCKET and one.direction is direction]
        if said:
            added = [
                replace(said[-1], exchange=exchange + number, data=b'{"planted":"%s"}' % _in_json(secret))
                for number, secret in enumerate(secrets, start=1)
            ]
            plants = [
                Plant(secret, f"in a WebSocket message {direction}", exchange + number)
                for number, secret in enumerate(secrets, start=1)
            ]
            yield Copy(tuple(added), tuple(plants))
    yield from _in_datagrams(secrets, record)


def _in_datagrams(secrets: Sequence[Wanted], record: Record) -> Iterator[Copy]:
    """A further datagram for each secret, where there are datagrams."""
    for direction in (_TO, _BACK):
        said = [one for one in record.observations if one.place == DATAGRAM and one.direction is direction]
        if said:
            added, plants, at = list[Observation](), list[Plant](), 0
            for secret in secrets:
                data = b"planted " + secret.value
                added.append(replace(said[-1], data=data))
                plants.append(Plant(secret, f"in a datagram {direction}", start=at, end=at + len(data)))
                at += len(data)
            yield Copy(tuple(added), tuple(plants))


def _streams_without(record: Record, connections: set[str]) -> Record:
    kept = tuple(one for one in record.observations if one.place == STREAM and one.connection not in connections)
    return Record(replace(record.capture, observations=kept), record.observer)


def _in_frames(secrets: Sequence[Wanted], record: Record, connection: str) -> Iterator[Copy]:
    """Copies of a WebSocket's connection that goes on with a text message for each secret."""
    for direction in (_TO, _BACK):
        stream = [one for one in record.observations if (one.connection, one.direction) == (connection, direction)]
        together = b"".join(one.data for one in stream)
        at = websocket.upgraded(together)
        if at is None:
            continue
        # What was cut off in the middle of a frame would take what follows for its own.
        end = max((message.frames[-1].end for message in websocket.messages(together, at)), default=at)
        data, plants = together[:end], list[Plant]()
        for secret in secrets:
            frame = _frame(b'{"planted":"%s"}' % _in_json(secret), masked=direction is _TO)
            plants.append(
                Plant(secret, f"in a WebSocket message {direction}", start=len(data), end=len(data) + len(frame))
            )
            data += frame
        yield Copy((replace(stream[0], data=data),), tuple(plants))


def _frame(payload: bytes, *, masked: bool) -> bytes:
    """A final text frame (RFC 6455, section 5.2)."""
    flag, size = 0x80 if masked else 0, len(payload)
    head = bytes([0x81, flag | size]) if size < 126 else bytes([0x81, flag | 126]) + size.to_bytes(2, "big")
    if not masked:
        return head + payload
    return head + _MASK + bytes(byte ^ _MASK[at % 4] for at, byte in enumerate(payload))


def at_rest(secrets: Sequence[Wanted], observations: Sequence[Observation]) -> Iterator[Copy]:
    """Copies of files. sqlite.SqliteError: a database among them is damaged."""
    database = next((one for one in observations if one.place == DATABASE_FILE), None)
    plain = next((one for one in observations if one.place not in (DATABASE_FILE, DATABASE_WAL)), None)
    if database is not None:
        log = next((one for one in observations if _beside(one, database)), None)
        image = sqlite.image(database.data, log.data if log else b"")
        data = changed(image, lambda opened: _fill(opened, secrets))
        # What is in the file already would be found as well, in a place that cannot be told from this one.
        plants = [Plant(secret, "in a row", written=True) for secret in secrets if secret.value not in image]
        plants += [Plant(secret, "in a row") for secret in secrets if secret.value in image]
        yield Copy((replace(database, data=data),), tuple(plants))
    if plain is not None:
        data, plants = plain.data + b"\n", []
        for secret in secrets:
            line = b"planted %s\n" % secret.value
            plants.append(Plant(secret, "in a line of a file", start=len(data), end=len(data) + len(line)))
            data += line
        yield Copy((replace(plain, data=data),), tuple(plants))


def _beside(one: Observation, database: Observation) -> bool:
    return one.place == DATABASE_WAL and one.connection == database.connection


def _fill(database: sqlite3.Connection, secrets: Sequence[Wanted]) -> None:
    database.execute("CREATE TABLE lab_planted (planted TEXT)")
    rows = [(_text(secret),) for secret in secrets]
    database.executemany("INSERT INTO lab_planted VALUES (?)", rows)
    database.commit()
