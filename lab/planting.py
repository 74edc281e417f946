"""Planting a secret in a copy of an observer's own record, where the application itself would carry it. Pure.

This is the positive control of the detector: a "not found" means something only if the same detector finds the same
secret in the same record once it is there. Each secret is planted in each direction, whole and split:

* network: as the participants' own HTTP, in the clear, appended to the recorded stream; under TLS inside records of
  type application_data (that is where it would stand if nothing were encrypted). Split: cut in the middle of the
  secret, into two TCP segments, and under TLS into two records.
* server: as one more request and its answer. Split: a body that arrives in two pieces.
* database: in a row of the operator's own tables, in a copy of the database image; the host name and nothing else in
  a line of the log. Split: so that the value runs over the end of a page.
"""

from __future__ import annotations

import base64
import json
import os.path
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lab.detect import sqlite, tls
from lab.model import Direction, Observation, Observer, Secret, SecretName

PAGES = 3
"""How many pages the split value fills."""


@dataclass(frozen=True, slots=True)
class Plant:
    """A copy of (the touched part of) a record with one secret in it. `how` says in words where and how."""

    how: str
    observations: tuple[Observation, ...]


def plants(secret: Secret, observer: Observer, record: Sequence[Observation]) -> Iterator[Plant]:
    """The copies of `record` in which a search must find `secret`. None where the record holds nothing to copy.

    sqlite.SqliteError: the recorded database cannot be opened.
    """
    if observer is Observer.NETWORK:
        yield from _in_streams(secret, record)
    elif observer is Observer.SERVER:
        yield from _in_messages(secret, record)
    else:
        yield from _at_rest(secret, record)


def request(secret: Secret) -> tuple[bytes, bytes, bytes]:
    """How the application carries `secret` to the service: request line, header block, body."""
    value = _text(secret.value)
    path, fields = {
        SecretName.BODY: ("/v1/conversations/planted/messages", {"content": _content(secret)}),
        SecretName.ATTACHMENT: ("/v1/conversations/planted/messages", {"content": _content(secret)}),
        SecretName.SENDER: ("/v1/login", {"name": value, "password": "planted"}),
        SecretName.RECIPIENT: ("/v1/conversations", {"members": [value]}),
        SecretName.PASSWORD: ("/v1/login", {"name": "planted", "password": value}),
        SecretName.SERVICE: ("/v1/conversations", {"members": [value]}),
    }[secret.name]
    body = _json(fields)
    host = secret.value if secret.name is SecretName.SERVICE else b"chat.lab.test"
    header = b"Host: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % (host, len(body))
    return b"POST %s HTTP/1.1" % path.encode(), header, body


def answer(secret: Secret) -> tuple[bytes, bytes, bytes]:
    """How the application carries `secret` to a client: status line, header block, body (an event)."""
    value = _text(secret.value)
    fields = {"id": "planted", "sender": "planted", **_content(secret)}
    if secret.name not in (SecretName.BODY, SecretName.ATTACHMENT):
        fields["sender"] = value
    body = b"event: message\nid: 1\ndata: %s\n\n" % _json(fields)
    header = b"Content-Type: text/event-stream\r\nContent-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 200 OK", header, body


def _content(secret: Secret) -> dict[str, object]:
    if secret.name is SecretName.ATTACHMENT:
        data = base64.b64encode(secret.value).decode("ascii")
        return {"attachment": {"name": "planted.txt", "type": "text/plain", "data": data}}
    return {"text": _text(secret.value) if secret.name is SecretName.BODY else "planted"}


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def _json(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _in_streams(secret: Secret, record: Sequence[Observation]) -> Iterator[Plant]:
    for direction, parts in ((Direction.TO_SERVICE, request(secret)), (Direction.TO_CLIENT, answer(secret))):
        carried = [one for one in record if one.direction is direction and one.place == "tcp.stream"]
        if not carried:
            continue
        stream = [one for one in carried if one.connection == carried[-1].connection]
        encrypted = bool(tls.records(b"".join(one.data for one in stream)))
        message = b"%s\r\n%s\r\n%s" % parts
        for how, pieces in (("whole", [message]), ("split", _cut(message, secret))):
            added = [
                replace(stream[-1], data=_record(piece) if encrypted else piece)
                for piece in pieces
            ]
            yield Plant(f"{how}, {direction}", (*stream, *added))


def _in_messages(secret: Secret, record: Sequence[Observation]) -> Iterator[Plant]:
    ways = (
        (Direction.TO_SERVICE, "http.request_line", request(secret)),
        (Direction.TO_CLIENT, "http.status_line", answer(secret)),
    )
    for direction, place, (line, header, body) in ways:
        carried = [one for one in record if one.direction is direction]
        if not carried:
            continue
        last = replace(carried[-1], exchange=max(one.exchange for one in record) + 1)
        for how, pieces in (("whole", [body]), ("split", _cut(body, secret))):
            added = (
                replace(last, place=place, data=line),
                replace(last, place="http.header", data=header),
                *(replace(last, place="http.body", data=piece) for piece in pieces),
            )
            yield Plant(f"{how}, {direction}", added)


def _at_rest(secret: Secret, record: Sequence[Observation]) -> Iterator[Plant]:
    files = {one.place: one for one in record}
    if secret.name is SecretName.SERVICE:
        if "service.log" in files:
            log = files["service.log"]
            line = b"planted GET https://%s/v1/conversations 200\n" % secret.value
            yield Plant("in a line of the log", (replace(log, data=log.data + line),))
        return
    if "database.file" not in files:
        return
    main = files["database.file"]
    wal = files["database.wal"].data if "database.wal" in files else b""
    image = sqlite.image(main.data, wal)
    yield Plant("whole, in a row", (replace(main, data=_with_row(image, secret, secret.value)),))
    yield Plant("split over two pages", (replace(main, data=_split_over_pages(image, secret)),))


_COLUMNS = {
    SecretName.BODY: ("messages", "text"),
    SecretName.ATTACHMENT: ("messages", "attachment"),
    SecretName.SENDER: ("messages", "sender"),
    SecretName.RECIPIENT: ("members", "account"),
    SecretName.PASSWORD: ("accounts", "password"),
}
"""Where the operator's tables would carry each secret."""


def _with_row(image: bytes, secret: Secret, value: bytes) -> bytes:
    """`image` with one more row in the table that would carry the secret, holding `value`."""
    table, column = _COLUMNS[secret.name]
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(image)
        database.execute("PRAGMA foreign_keys=OFF")
        columns = [str(row[1]) for row in database.execute(f"PRAGMA table_info({table})")]
        if column not in columns:
            raise sqlite.SqliteError(f"the database has no column {table}.{column}")
        as_stored = value if secret.name is SecretName.ATTACHMENT else _text(value)
        values = [as_stored if name == column else f"planted-{name}" for name in columns]
        if "sequence" in columns:
            values[columns.index("sequence")] = str(1 << 40)
        marks = ", ".join("?" * len(columns))
        # Table and columns come from the database itself, not from a person.
        database.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608
        database.commit()
        return database.serialize()
    except sqlite3.Error as error:
        raise sqlite.SqliteError(f"the secret cannot be planted in {table}.{column}: {error}") from None
    finally:
        database.close()


def _split_over_pages(image: bytes, secret: Secret) -> bytes:
    """As `_with_row`, with the secret inside a value of several pages, where SQLite ends one page of it."""
    page = int.from_bytes(image[16:18], "big")
    size = 65536 if page == 1 else page  # file format, section 1.3.2
    counters = b"".join(b"%08d" % number for number in range(size * PAGES // 8))
    stored = _with_row(image, secret, counters)
    # Any 16 bytes of the counters are unique; what follows them in the file is the rest of their page.
    probe = next(start for start in (size, size + 16) if counters[start : start + 16] in stored)
    together = os.path.commonprefix([stored[stored.index(counters[probe : probe + 16]) :], counters[probe:]])
    start = probe + len(together) - len(secret.value) // 2
    value = counters[:start] + secret.value + counters[start + len(secret.value) :]
    planted = _with_row(image, secret, value)
    if planted.count(secret.value) != image.count(secret.value):
        raise sqlite.SqliteError("the planted value was not split over two pages")
    return planted


def _cut(message: bytes, secret: Secret) -> list[bytes]:
    """`message` in two pieces, cut in the middle of where it carries the secret."""
    if secret.name is SecretName.ATTACHMENT:
        carried = base64.b64encode(secret.value)
    else:
        carried = json.dumps(_text(secret.value), ensure_ascii=False)[1:-1].encode()
    middle = message.index(carried) + len(carried) // 2
    return [message[:middle], message[middle:]]


def _record(data: bytes) -> bytes:
    """A TLS record of type application_data around `data`, as RFC 8446, section 5.1 frames it."""
    limit = 1 << 14
    pieces = [data[start : start + limit] for start in range(0, len(data), limit)]
    return b"".join(bytes([tls.APPLICATION_DATA, 3, 3]) + len(piece).to_bytes(2, "big") + piece for piece in pieces)
