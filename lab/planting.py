"""Planting a secret in a copy of an observer's own record, where the application itself would carry it. Pure.

This is the positive control of the detector: a "not found" means something only if the same detector finds the same
secret in the same record once it is there. Each secret is planted in each direction, whole and split:

* network: as the participants' own HTTP, in the clear, appended to the recorded stream; under TLS inside records of
  type application_data (that is where it would stand if nothing were encrypted). Split: cut in the middle of the
  secret, into two TCP segments, and under TLS into two records.
* server: as one more request and its answer. Split: a body that arrives in two pieces.
* device: as the text of a message that a stranger seals for the copied device, opened with the copy.
* database: in a row of the operator's own tables, in a copy of the database image whose other rows were taken out
  first: where a secret stands already, its second appearance could not be told from the first. The host name and
  nothing else in a line of the log. Split: so that the value runs over the end of a page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

from lab import device_copy
from lab.detect import Wanted, sqlite, tls
from lab.model import TEXTS, Direction, Observation, Observer, Secret, SecretName
from lab.record import Record

PAGES = 3
"""How many pages the split value fills."""


@dataclass(frozen=True, slots=True)
class Plant:
    """Where a copy of a record holds `secret`; `how` says it in words.

    In the messages of `exchange`, if it has a number; else in the bytes [start, end) of what the copy holds of a
    stream or a file. Where it is `written` as it is, only its very bytes are it: what else the copy holds may be an
    encoding of the same secret.
    """

    secret: Wanted
    how: str
    exchange: int | None = None
    start: int = 0
    end: int = sys.maxsize
    written: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the touched part of a record, with secrets in it."""

    observations: tuple[Observation, ...]
    plants: tuple[Plant, ...]


class Way[S: Wanted](NamedTuple):
    """One way in which an application carries a secret: `how` says it in words.

    `carry` gives first line, header block and body of a message with it; `form` is what it looks like there.
    """

    how: str
    direction: Direction
    first_line: str
    """The place of first lines in this direction."""
    carry: Callable[[S], tuple[bytes, bytes, bytes]]
    form: Callable[[S], bytes]


def copies(secrets: Sequence[Secret], record: Record) -> Iterator[Copy]:
    """The copies of `record` in which a search must find `secrets`. None where the record holds nothing to copy.

    sqlite.SqliteError: the recorded database cannot be opened.
    """
    if record.observer is Observer.DEVICE:
        yield from _for_the_copy(secrets, record)
    elif record.observer is Observer.NETWORK or (record.observer is Observer.INTERCEPTOR and record.relayed):
        yield from in_streams(secrets, record, _WAYS)
    elif record.observer in (Observer.INTERCEPTOR, Observer.SERVER):
        yield from in_messages(secrets, record, _WAYS)
    else:
        yield from _at_rest(secrets, record)


def request(secret: Secret) -> tuple[bytes, bytes, bytes]:
    """How the application carries `secret` to the service: request line, header block, body."""
    value = _text(secret.value)
    message: dict[str, object] = {"id": "planted", "content": _content(secret)}
    ways: dict[SecretName, tuple[str, dict[str, object]]] = {
        **dict.fromkeys((*TEXTS, SecretName.ATTACHMENT), ("POST /v1/conversations/planted/messages", message)),
        SecretName.REPORTED: ("POST /v1/reports", {"message": "planted", "text": value}),
        SecretName.PROFILE: ("PUT /v1/profile", {"display_name": "planted", "status": value}),
        SecretName.SENDER: ("POST /v1/accounts", {"name": value, "password": "planted"}),
        SecretName.RECIPIENT: ("POST /v1/conversations", {"members": [value]}),
        SecretName.GROUP: ("POST /v1/conversations", {"members": ["planted"], "title": value}),
        SecretName.PASSWORD: ("POST /v1/accounts", {"name": "planted", "password": value}),
        SecretName.SERVICE: ("POST /v1/conversations", {"members": ["planted"]}),
    }
    asked, fields = ways[secret.name]
    body = _json(fields)
    host = secret.value if secret.name is SecretName.SERVICE else b"chat.lab.test"
    header = b"Host: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % (host, len(body))
    return b"%s HTTP/1.1" % asked.encode(), header, body


def answer(secret: Secret) -> tuple[bytes, bytes, bytes]:
    """How the application carries `secret` to a client: status line, header block, body (an event, or a profile)."""
    value = _text(secret.value)
    if secret.name is SecretName.PROFILE:
        body = _json({"display_name": "planted", "status": value, "name": "planted"})
        header = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        return b"HTTP/1.1 200 OK", header, body
    fields = {"id": "planted", "sender": "planted", **_content(secret)}
    if secret.name not in TEXTS | {SecretName.ATTACHMENT}:
        fields["sender"] = value
    body = b"event: message\nid: 1\ndata: %s\n\n" % _json(fields)
    header = b"Content-Type: text/event-stream\r\nContent-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 200 OK", header, body


def _content(secret: Secret) -> dict[str, object]:
    if secret.name is SecretName.ATTACHMENT:
        data = base64.b64encode(secret.value).decode("ascii")
        return {"attachment": {"name": "planted.txt", "type": "text/plain", "data": data}}
    return {"text": _text(secret.value) if secret.name in TEXTS else "planted"}


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def _json(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _form(secret: Secret) -> bytes:
    """How the application writes it."""
    if secret.name is SecretName.ATTACHMENT:
        return base64.b64encode(secret.value)
    return json.dumps(_text(secret.value), ensure_ascii=False)[1:-1].encode()


_WAYS = (
    Way(str(Direction.TO_SERVICE), Direction.TO_SERVICE, "http.request_line", request, _form),
    Way(str(Direction.TO_CLIENT), Direction.TO_CLIENT, "http.status_line", answer, _form),
)


def in_streams[S: Wanted](secrets: Sequence[S], record: Record, ways: Sequence[Way[S]]) -> Iterator[Copy]:
    """Copies of a recorded stream that go on with messages, under TLS inside records: one for each direction."""
    for direction, there in _by_direction(ways):
        carried = [one for one in record.observations if one.direction is direction]
        if not carried:
            continue
        stream = [one for one in carried if one.connection == carried[-1].connection]
        together = b"".join(one.data for one in stream)
        encrypted, at = bool(tls.records(together)), len(together)
        plants: list[Plant] = []
        for how, way, secret in product(("whole", "split"), there, secrets):
            message = b"%s\r\n%s\r\n%s" % way.carry(secret)
            pieces = _cut(message, way.form(secret)) if how == "split" else [message]
            sent = [_record(piece) if encrypted else piece for piece in pieces]
            stream += (replace(stream[-1], data=data) for data in sent)
            end = at + sum(map(len, sent))
            plants.append(Plant(secret, f"{how}, {way.how}", start=at, end=end))
            at = end
        yield Copy(tuple(stream), tuple(plants))


def in_messages[S: Wanted](secrets: Sequence[S], record: Record, ways: Sequence[Way[S]]) -> Iterator[Copy]:
    """Messages as a front end records them: one copy for each direction."""
    for direction, there in _by_direction(ways):
        carried = [one for one in record.observations if one.direction is direction]
        if not carried:
            continue
        exchange = max(one.exchange for one in record.observations)
        added: list[Observation] = []
        plants: list[Plant] = []
        for how, way, secret in product(("whole", "split"), there, secrets):
            line, header, body = way.carry(secret)
            # A front end never sees a first line or a header in two pieces.
            pieces = _cut(body, way.form(secret)) if how == "split" else [body]
            parts = [(way.first_line, line), ("http.header", header), *(("http.body", piece) for piece in pieces)]
            exchange += 1
            added += (replace(carried[-1], exchange=exchange, place=name, data=data) for name, data in parts)
            plants.append(Plant(secret, f"{how}, {way.how}", exchange))
        yield Copy(tuple(added), tuple(plants))


def _by_direction[S: Wanted](ways: Sequence[Way[S]]) -> Iterator[tuple[Direction, list[Way[S]]]]:
    for direction in dict.fromkeys(way.direction for way in ways):
        yield direction, [way for way in ways if way.direction is direction]


def _for_the_copy(secrets: Sequence[Secret], record: Record) -> Iterator[Copy]:
    if record.capture.copies:
        found: list[Observation] = []
        plants: list[Plant] = []
        for number, (secret, opened) in enumerate(device_copy.planted(record.capture, secrets), start=1):
            found += (replace(one, exchange=number) for one in opened)
            plants.append(Plant(secret, "in messages to the copied device", number))
        yield Copy(tuple(found), tuple(plants))


def _at_rest(secrets: Sequence[Secret], record: Record) -> Iterator[Copy]:
    log, main = record.at("service.log"), record.at("database.file")
    in_log = tuple(secret for secret in secrets if secret.name is SecretName.SERVICE)
    in_rows = tuple(secret for secret in secrets if secret.name is not SecretName.SERVICE)
    if log is not None and in_log:
        data, plants = log.data, list[Plant]()
        for secret in in_log:
            line = b"planted GET https://%s/v1/conversations 200\n" % secret.value
            plants.append(Plant(secret, "in a line of the log", start=len(data), end=len(data) + len(line)))
            data += line
        yield Copy((replace(log, data=data),), tuple(plants))
    if main is not None and in_rows:
        empty = _without_rows(record.image)
        rows = [(secret, secret.value) for secret in in_rows]
        for how, image in (
            ("whole, in a row", _with_rows(empty, rows)),
            ("split over two pages", _split_over_pages(empty, in_rows)),
        ):
            yield Copy((replace(main, data=image),), tuple(Plant(one, how, written=True) for one in in_rows))


_COLUMNS = {
    **dict.fromkeys(TEXTS, ("messages", "text")),
    SecretName.REPORTED: ("reports", "text"),
    SecretName.PROFILE: ("profiles", "status"),
    SecretName.ATTACHMENT: ("messages", "attachment"),
    SecretName.SENDER: ("messages", "sender"),
    SecretName.RECIPIENT: ("messages", "sender"),
    SecretName.PASSWORD: ("accounts", "password"),
    SecretName.GROUP: ("conversations", "title"),
}
"""Where the operator's tables would carry each secret. The recipient's name, too, is planted as an account name of a
message: the columns that hold it are part of an index, whose second copy would stand whole where the first is split."""


def _without_rows(image: bytes) -> bytes:
    """`image` with the operator's tables as they are (same page size, same encoding of text), and nothing in them."""

    def clear(database: sqlite3.Connection) -> None:
        for (table,) in database.execute(sqlite.TABLES).fetchall():
            quoted = str(table).replace('"', '""')
            database.execute(f'DELETE FROM "{quoted}"')  # noqa: S608 - quoted
        database.commit()
        # What was deleted stays in pages that are free, until all is written anew.
        database.execute("VACUUM")

    return changed(image, clear)


def _with_rows(image: bytes, rows: Sequence[tuple[Secret, bytes]]) -> bytes:
    """`image` with one more row for each secret, in the table that would carry it, with the value beside it."""

    def fill(database: sqlite3.Connection) -> None:
        for secret, value in rows:
            _insert(database, secret, value)
        database.commit()

    return changed(image, fill)


def changed(image: bytes, change: Callable[[sqlite3.Connection], None]) -> bytes:
    """`image` once `change` has been made to the database in it. sqlite.SqliteError."""
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(image)
        change(database)
        return database.serialize()
    except sqlite3.Error as error:
        raise sqlite.SqliteError(f"nothing can be planted in the database: {error}") from None
    finally:
        database.close()


def _insert(database: sqlite3.Connection, secret: Secret, value: bytes) -> None:
    table, column = _COLUMNS[secret.name]
    # Table and column names come from the database itself and from this file, not from a person.
    columns = [str(row[1]) for row in database.execute(f"PRAGMA table_info({table})")]
    if column not in columns:
        raise sqlite.SqliteError(f"the database has no column {table}.{column}")
    number = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
    values: list[object] = [f"planted-{number}-{name}" for name in columns]
    if "sequence" in columns:
        values[columns.index("sequence")] = (1 << 40) + number
    values[columns.index(column)] = value if secret.name is SecretName.ATTACHMENT else _text(value)
    marks = ", ".join("?" * len(columns))
    database.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608


_WORDS = bytes.maketrans(b"0123456789abcdef", b"ghijklmnopqrstuv")


def _split_over_pages(image: bytes, secrets: Sequence[Secret]) -> bytes:
    """As `_with_rows`, with each secret inside a value of several pages, where SQLite ends one page of it."""
    page = int.from_bytes(image[16:18], "big")
    size = 65536 if page == 1 else page  # file format, section 1.3.2
    fillers = [_filler(secret, size) for secret in secrets]
    stored = _with_rows(image, list(zip(secrets, fillers, strict=True)))
    rows = [
        (secret, _over_the_end(secret, filler, stored, size)) for secret, filler in zip(secrets, fillers, strict=True)
    ]
    planted = _with_rows(image, rows)
    if any(planted.count(secret.value) != image.count(secret.value) for secret in secrets):
        raise sqlite.SqliteError("a planted value was not split over two pages")
    return planted


def _filler(secret: Secret, size: int) -> bytes:
    """Several pages of words that are nothing encoded; any 32 bytes of them stand nowhere else."""
    salt = hashlib.sha256(secret.name.encode() + secret.value).hexdigest()[:8].encode()
    return b"".join(b"%s %05d. " % (salt, number) for number in range(size * PAGES // 16)).translate(_WORDS)


def _over_the_end(secret: Secret, filler: bytes, stored: bytes, size: int) -> bytes:
    """`filler`, which the image `stored` holds, with `secret` where a page of it ends."""
    # What follows 32 bytes of it in the file is the rest of their page.
    probe = next((at for at in range(size, 2 * size, 16) if filler[at : at + 32] in stored), None)
    if probe is None:
        raise sqlite.SqliteError("no page of a planted value could be told from the others")
    there = stored.index(filler[probe : probe + 32])
    pairs = zip(filler[probe:], stored[there:], strict=False)
    together = next((count for count, (planted, kept) in enumerate(pairs) if planted != kept), 0)
    start = probe + together - len(secret.value) // 2
    return filler[:start] + secret.value + filler[start + len(secret.value) :]


def _cut(message: bytes, form: bytes) -> list[bytes]:
    """`message` in two pieces, cut in the middle of where it carries this; in one where it does not."""
    at = message.find(form)
    if at < 0:
        return [message]
    return [message[: at + len(form) // 2], message[at + len(form) // 2 :]]


def _record(data: bytes) -> bytes:
    """A TLS record of type application_data around `data`, as RFC 8446, section 5.1 frames it."""
    limit = 1 << 14
    pieces = [data[start : start + limit] for start in range(0, len(data), limit)]
    return b"".join(bytes([tls.APPLICATION_DATA, 3, 3]) + len(piece).to_bytes(2, "big") + piece for piece in pieces)
