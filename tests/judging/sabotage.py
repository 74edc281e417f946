"""Ways in which a recording can be worth nothing, each of which a control has to notice."""

from __future__ import annotations

import gzip
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lab.detect import tls
from lab.model import (
    Capture,
    Deed,
    Direction,
    Event,
    Missing,
    Note,
    Observation,
    Observer,
    SecretName,
    Statement,
)
from lab.record import Record
from lab.scenario.vocabulary import ON_STAGE

type Break = Callable[[Capture, Observer], Capture]

NETWORK, SERVER, DATABASE = ON_STAGE
TAPS = frozenset({NETWORK, SERVER})
ANYBODY = frozenset(ON_STAGE)


@dataclass(frozen=True)
class Sabotage:
    """`control` has to fail for `observers`, with these words, when `do` was done to a recording."""

    what: str
    control: str
    observers: frozenset[Observer]
    do: Break
    words: str = ""
    secrets: frozenset[SecretName] = frozenset(SecretName)

    def __str__(self) -> str:
        return self.what


# What the participants said


def tell(change: Callable[[Statement], Statement | None]) -> Break:
    """Change statements, or drop them (None)."""

    def do(recording: Capture, _: Observer) -> Capture:
        told = (change(one) for one in recording.statements)
        return replace(recording, statements=tuple(one for one in told if one is not None))

    return do


def without(deed: Deed) -> Break:
    return tell(lambda one: None if one.deed is deed else one)


def changed(deed: Deed, **fields: str | bytes) -> Break:
    """Other `fields` in all statements of this kind, where they are not empty anyway."""
    return tell(
        lambda one: (
            replace(one, **{name: new for name, new in fields.items() if getattr(one, name)})
            if one.deed is deed
            else one
        )
    )


# What the observer recorded and noted


def record(change: Callable[[Observation], Observation | None]) -> Break:
    """Change what this observer got, or drop it (None)."""

    def do(recording: Capture, observer: Observer) -> Capture:
        got = (change(one) if one.observer is observer else one for one in recording.observations)
        return replace(recording, observations=tuple(one for one in got if one is not None))

    return do


def place(name: str, **fields: bytes | float) -> Break:
    return record(lambda one: replace(one, **fields) if one.place == name else one)


def without_place(name: str) -> Break:
    return record(lambda one: None if one.place == name else one)


def without_note(event: Event) -> Break:
    def do(recording: Capture, observer: Observer) -> Capture:
        gone = next(note for note in recording.notes if note.observer is observer and note.event is event)
        return replace(recording, notes=tuple(note for note in recording.notes if note is not gone))

    return do


def with_note(event: Event, detail: str) -> Break:
    def do(recording: Capture, observer: Observer) -> Capture:
        return replace(recording, notes=(*recording.notes, Note(observer, event, 0.0, "1", detail)))

    return do


def missing(what: str, *, everybody: bool = False) -> Break:
    def do(recording: Capture, observer: Observer) -> Capture:
        return replace(recording, missing=(Missing(what, None if everybody else observer),))

    return do


def nothing_recorded(recording: Capture, observer: Observer) -> Capture:
    return replace(
        recording,
        observations=tuple(one for one in recording.observations if one.observer is not observer),
        notes=tuple(note for note in recording.notes if note.observer is not observer),
    )


def bobs_connection(recording: Capture) -> str:
    """The number of a connection of the recipient, in the network's record."""
    address = next(one.address for one in recording.statements if one.who == "bob" and one.deed is Deed.CONNECTED)
    return next(note.connection for note in recording.notes if note.observer is NETWORK and note.detail == address)


def one_direction_lost(way: Direction) -> Break:
    def do(recording: Capture, observer: Observer) -> Capture:
        lost = bobs_connection(recording), way
        return record(lambda one: None if (one.connection, one.direction) == lost else one)(recording, observer)

    return do


def one_connection_lost(recording: Capture, observer: Observer) -> Capture:
    lost = bobs_connection(recording)
    notes = tuple(one for one in recording.notes if (one.observer, one.connection) != (observer, lost))
    rest = record(lambda one: None if one.connection == lost else one)
    return rest(replace(recording, notes=notes), observer)


def one_byte_lost(recording: Capture, observer: Observer) -> Capture:
    """In the middle of the recipient's longest answer."""
    connection = bobs_connection(recording)
    longest = max(
        (one for one in recording.observations if one.observer is observer and one.connection == connection),
        key=lambda one: len(one.data),
    )
    return record(lambda one: replace(one, data=one.data[1:]) if one is longest else one)(recording, observer)


def little_recorded(recording: Capture, observer: Observer) -> Capture:
    """The first piece of each direction of each connection, and nothing after it."""
    seen: set[tuple[str, Direction]] = set()

    def first(one: Observation) -> Observation | None:
        known = (one.connection, one.direction) in seen
        seen.add((one.connection, one.direction))
        return None if known else one

    return record(first)(recording, observer)


def beginning_of_tls_lost(way: Direction) -> Break:
    """The first record of each connection in this direction, which is in the open."""

    def do(recording: Capture, observer: Observer) -> Capture:
        begun: set[str] = set()

        def cut(one: Observation) -> Observation:
            if one.direction is not way or one.connection in begun:
                return one
            begun.add(one.connection)
            return replace(one, data=one.data[tls.records(one.data)[0].end :])

        return counted(record(cut)(recording, observer))

    return do


def host_lost(recording: Capture, observer: Observer) -> Capture:
    """Of all headers nothing is left but what says how long the body is."""

    def few(one: Observation) -> Observation:
        lines = one.data.splitlines(keepends=True)
        return replace(one, data=b"".join(line for line in lines if line.lower().startswith(b"content-")))

    return record(lambda one: few(one) if one.place == "http.header" else one)(recording, observer)


def log_without(*words: bytes) -> Break:
    """The log without the lines in which one of these stands."""

    def few(one: Observation) -> Observation:
        lines = one.data.splitlines(keepends=True)
        return replace(one, data=b"".join(line for line in lines if not any(word in line for word in words)))

    return record(lambda one: few(one) if one.place == "service.log" else one)


def write_ahead_log_lost(recording: Capture, observer: Observer) -> Capture:
    """All rows are in the database file already, so that none is missing."""
    image = bytearray(Record(recording, observer).image)
    image[18:20] = b"\2\2"
    without = without_place("database.wal")(recording, observer)
    return place("database.file", data=bytes(image))(without, observer)


def one_piece_more_than_recorded(recording: Capture, observer: Observer) -> Capture:
    """The tap counted a piece which a full disk kept from the record."""
    notes = (
        replace(one, detail=str(int(one.detail) + 1)) if (one.observer, one.event) == (observer, Event.SEGMENT) else one
        for one in recording.notes
    )
    return replace(recording, notes=tuple(notes))


def exchange_of(recording: Capture, observer: Observer, request: bytes) -> tuple[str, int]:
    """The last request of this kind (the end of the story) in this observer's record."""
    lines = (one for one in recording.observations if (one.observer, one.place) == (observer, "http.request_line"))
    found = [one for one in lines if request in one.data]
    return found[-1].connection, found[-1].exchange


def exchange_lost(request: bytes, *only: str) -> Break:
    """All of an exchange, or `only` what stands at these places of its request."""

    def do(recording: Capture, observer: Observer) -> Capture:
        lost = exchange_of(recording, observer, request)

        def change(one: Observation) -> Observation | None:
            hit = (one.connection, one.exchange) == lost
            asked = one.direction is Direction.TO_SERVICE and one.place in only
            return None if hit and (asked or not only) else one

        return record(change)(recording, observer)

    return do


def login_lost(recording: Capture, observer: Observer) -> Capture:
    """All of the exchange in which somebody of the story logged in: all join at the same time, the observer too."""
    account = next(one.account for one in recording.statements if one.deed is Deed.LOGGED_IN and one.who == "alice")
    lost = next(
        (one.connection, one.exchange)
        for one in recording.observations
        if one.place == "http.body" and b'"name":"%s"' % account.encode() in one.data
    )
    return record(lambda one: None if (one.connection, one.exchange) == lost else one)(recording, observer)


def last_delivery_lost(recording: Capture, observer: Observer) -> Capture:
    stream = exchange_of(recording, observer, b"GET /v1/events")
    pieces = [
        one
        for one in recording.observations
        if (one.observer, one.connection, one.exchange) == (observer, *stream)
        and one.place == "http.body"
        and b"data:" in one.data
    ]
    return record(lambda one: None if one is pieces[-1] else one)(recording, observer)


def row_missing(recording: Capture, observer: Observer) -> Capture:
    return at_rest(recording, "DELETE FROM messages WHERE sequence = (SELECT max(sequence) FROM messages)")


def at_rest(recording: Capture, *statements: str, values: Iterable[object] = ()) -> Capture:
    """The recording with other rows in the copied database (which then needs no write-ahead log any more)."""
    image = edited(Record(recording, DATABASE).image, *statements, values=values)
    return record(
        lambda one: (
            replace(one, data=image) if one.place == "database.file" else None if one.place == "database.wal" else one
        )
    )(recording, DATABASE)


def edited(image: bytes, *statements: str, values: Iterable[object] = ()) -> bytes:
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(image)
        for statement in statements:
            database.execute(statement, tuple(values) if "?" in statement else ())
        database.commit()
        return database.serialize()
    finally:
        database.close()


# Something more in the record, where it breaks nothing


def tls_record(data: bytes) -> bytes:
    pieces = (data[start : start + 16384] for start in range(0, len(data), 16384))
    return b"".join(b"\x17\x03\x03" + len(piece).to_bytes(2) + piece for piece in pieces)


def also_got(recording: Capture, observer: Observer, data: bytes) -> Capture:
    """`data` in the record as well: in a TLS record, in a trailer, at the end of the log."""
    if observer is DATABASE:
        return record(lambda one: replace(one, data=one.data + data) if one.place == "service.log" else one)(
            recording, observer
        )
    last = [one for one in recording.observations if one.observer is observer][-1]
    more = (
        replace(last, data=tls_record(data)) if observer is NETWORK else replace(last, place="http.trailer", data=data)
    )
    return counted(replace(recording, observations=(*recording.observations, more)))


def counted(recording: Capture) -> Capture:
    """With the number of observations that each tap would note at its end."""
    got = Counter(one.observer for one in recording.observations)
    notes = (
        replace(one, detail=str(got[one.observer])) if one.event is Event.SEGMENT else one for one in recording.notes
    )
    return replace(recording, notes=tuple(notes))


def decoys_in_record(recording: Capture, observer: Observer) -> Capture:
    found = b"\n".join(secret.decoys[-1] for secret in recording.secrets)
    return also_got(recording, observer, found + b"\n")


def without_decoys(recording: Capture, _: Observer) -> Capture:
    return replace(recording, secrets=tuple(replace(secret, decoys=()) for secret in recording.secrets))


BOMB = gzip.compress(bytes(20 * 2**20), mtime=0)
"""Twenty megabytes in twenty kilobytes: more than the search will unpack."""


def bomb_in_record(recording: Capture, observer: Observer) -> Capture:
    return also_got(recording, observer, BOMB)


OTHER = "somebody-else-0000000000000000"

SABOTAGE = (
    Sabotage(
        "nobody read",
        "travelled",
        ANYBODY,
        without(Deed.READ),
        "not all of",
        frozenset({*SecretName} - {"password", "service"}),
    ),
    Sabotage(
        "another text was read",
        "travelled",
        ANYBODY,
        changed(Deed.READ, text=OTHER),
        "read the text",
        frozenset({SecretName.BODY}),
    ),
    Sabotage(
        "another file was read",
        "travelled",
        ANYBODY,
        changed(Deed.READ, file=b"no"),
        "opened the file",
        frozenset({SecretName.ATTACHMENT}),
    ),
    Sabotage(
        "another sender was shown",
        "travelled",
        ANYBODY,
        changed(Deed.READ, peer=OTHER),
        "sender's name",
        frozenset({SecretName.SENDER}),
    ),
    Sabotage(
        "another account read",
        "travelled",
        ANYBODY,
        changed(Deed.READ, account=OTHER),
        "account of that name",
        frozenset({SecretName.RECIPIENT}),
    ),
    Sabotage(
        "nobody logged in",
        "travelled",
        ANYBODY,
        without(Deed.LOGGED_IN),
        "not all of",
        frozenset({SecretName.PASSWORD, SecretName.SERVICE}),
    ),
    Sabotage(
        "another password was used",
        "travelled",
        ANYBODY,
        changed(Deed.LOGGED_IN, password=OTHER),
        "logged in with it",
        frozenset({SecretName.PASSWORD}),
    ),
    Sabotage(
        "another service was reached",
        "travelled",
        ANYBODY,
        changed(Deed.LOGGED_IN, host=OTHER),
        "under this name",
        frozenset({SecretName.SERVICE}),
    ),
    Sabotage("the observer failed", "recorded", ANYBODY, missing("it hung"), "it hung"),
    Sabotage(
        "the conversation broke off", "recorded", ANYBODY, missing("it broke off", everybody=True), "it broke off"
    ),
    Sabotage("nothing was recorded", "recorded", ANYBODY, nothing_recorded),
    Sabotage(
        "the tap failed",
        "recorded",
        TAPS,
        with_note(Event.FAILED, "tcp_message: KeyError"),
        "the tap failed: tcp_message",
    ),
    Sabotage("a connection broke", "recorded", TAPS, with_note(Event.BROKEN, "reset"), "connection 1 broke: reset"),
    Sabotage("a connection has no end", "recorded", TAPS, without_note(Event.CLOSED), "no clean end in the record"),
    Sabotage("the record has no end", "recorded", TAPS, without_note(Event.SEGMENT), "the record has no clean end"),
    Sabotage("nobody connected", "recorded", frozenset({NETWORK}), without(Deed.CONNECTED), "no participant connected"),
    Sabotage(
        "a connection went another way", "recorded", frozenset({NETWORK}), one_connection_lost, "is not in the record"
    ),
    Sabotage(
        "TLS without the ClientHello",
        "recorded",
        frozenset({NETWORK}),
        beginning_of_tls_lost(Direction.TO_SERVICE),
        "the beginning of TLS is missing",
    ),
    Sabotage(
        "TLS without the ServerHello",
        "recorded",
        frozenset({NETWORK}),
        beginning_of_tls_lost(Direction.TO_CLIENT),
        "the beginning of TLS is missing",
    ),
    Sabotage(
        "requests without answers",
        "recorded",
        frozenset({NETWORK}),
        one_direction_lost(Direction.TO_CLIENT),
        "no bytes in one of its",
    ),
    Sabotage(
        "answers without requests",
        "recorded",
        frozenset({NETWORK}),
        one_direction_lost(Direction.TO_SERVICE),
        "no bytes in one of its",
    ),
    Sabotage("one byte was lost", "recorded", frozenset({NETWORK}), one_byte_lost, "bytes are missing in connection"),
    Sabotage("recording stopped early", "recorded", frozenset({NETWORK}), little_recorded, "fewer are in the record"),
    Sabotage("piece never written", "recorded", TAPS, one_piece_more_than_recorded, "pieces, the record holds"),
    Sabotage(
        "a message's request was lost",
        "recorded",
        frozenset({SERVER}),
        exchange_lost(b"/messages "),
        "the request that sent message",
    ),
    Sabotage(
        "a message's body was lost",
        "recorded",
        frozenset({SERVER}),
        exchange_lost(b"/messages ", "http.body"),
        "cut short: POST",
    ),
    Sabotage(
        "a request lost its head",
        "recorded",
        frozenset({SERVER}),
        exchange_lost(b"/messages ", "http.request_line", "http.header"),
        "cut short",
    ),
    Sabotage(
        "a file's request was lost",
        "recorded",
        frozenset({SERVER}),
        lambda recording, observer: counted(exchange_lost(b" /v1/blobs")(recording, observer)),
        "of connection",
    ),
    Sabotage("headers were lost", "recorded", frozenset({SERVER}), host_lost, "cut short"),
    Sabotage("a login was lost", "recorded", frozenset({SERVER}), login_lost, "the login of"),
    Sabotage("a delivery was lost", "recorded", frozenset({SERVER}), last_delivery_lost, "the delivery of message"),
    Sabotage("nobody sent", "recorded", frozenset({SERVER, DATABASE}), without(Deed.SENT), "none was sent"),
    Sabotage(
        "no database file", "recorded", frozenset({DATABASE}), without_place("database.file"), "no copy of the database"
    ),
    Sabotage("no log file", "recorded", frozenset({DATABASE}), without_place("service.log"), "no copy of the database"),
    Sabotage(
        "an old database file",
        "recorded",
        frozenset({DATABASE}),
        place("database.file", time=0.0),
        "older than the last message",
    ),
    Sabotage(
        "an old log file",
        "recorded",
        frozenset({DATABASE}),
        place("service.log", time=0.0),
        "older than the last message",
    ),
    Sabotage(
        "an empty log file", "recorded", frozenset({DATABASE}), place("service.log", data=b""), "has no line in the log"
    ),
    Sabotage("a row is missing", "recorded", frozenset({DATABASE}), row_missing, "has no row in the database"),
    Sabotage("the write-ahead log is missing", "recorded", frozenset({DATABASE}), without_place("database.wal")),
    Sabotage(
        "the write-ahead log is missing, and no row",
        "recorded",
        frozenset({DATABASE}),
        write_ahead_log_lost,
        "no copy of the database's write-ahead log",
    ),
    Sabotage(
        "the accounts are missing",
        "recorded",
        frozenset({DATABASE}),
        lambda recording, _: at_rest(recording, "DELETE FROM accounts"),
        "the account of",
    ),
    Sabotage(
        "the files are missing",
        "recorded",
        frozenset({DATABASE}),
        lambda recording, _: at_rest(recording, "DELETE FROM blobs"),
        "files that were stored, and 0 are",
        frozenset({SecretName.ATTACHMENT}),
    ),
    Sabotage(
        "the log tells of no login",
        "recorded",
        frozenset({DATABASE}),
        log_without(b"/v1/accounts ", b"/v1/login "),
        "times, and the log tells of 0",
    ),
    Sabotage(
        "a damaged database file",
        "recorded",
        frozenset({DATABASE}),
        place("database.file", data=b"SQLite"),
        "cannot be read",
    ),
    Sabotage("a bomb in the record", "searched", ANYBODY, bomb_in_record, "gave up in"),
    Sabotage("decoys in the record", "decoys", ANYBODY, decoys_in_record, " hits"),
    Sabotage("no decoys were drawn", "decoys", ANYBODY, without_decoys, "no decoys were drawn"),
)
