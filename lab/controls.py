"""The four controls that must pass before the lab may say `hidden`. Pure: a capture in, controls out.

1. `travelled`: the recipient did read it, so there was something to be seen.
2. `recorded`: this observer recorded this very exchange, to its end.
3. `detects`: the detector finds the same secret when it is planted in a copy of this observer's own record.
4. `decoys`: values drawn like the secret, but planted nowhere, are not found in this record.

Each of them can fail, and a test makes each of them fail.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lab import detect, planting
from lab.calibration import OBSERVERS_OWN
from lab.detect import Wanted, http1, sqlite, tls
from lab.inference import MESSAGE_REQUEST, payloads
from lab.mail import ENVELOPE, FILE
from lab.model import (
    GHOST,
    INFERRED_ONLY,
    TEXTS,
    Capture,
    Control,
    Deed,
    Direction,
    Event,
    Finding,
    Mode,
    Observation,
    Observer,
    Secret,
    SecretName,
    Statement,
)
from lab.record import Record


def travelled(capture: Capture, name: SecretName) -> Control:
    """Control 1, for all values planted under `name`."""
    values = [secret.value for secret in capture.secrets if secret.name is name]
    if values:
        lost = [value for value in values if not any(_arrived(one, name, value) for one in _story(capture))]
        passed, total = not lost, len(values)
    else:
        passed, total = name in INFERRED_ONLY, sum(one.deed is Deed.SENT for one in _story(capture))
    if name in _OF_MESSAGES:
        passed = passed and total > 0 and not any(_unread(capture))
    how = _ARRIVAL[name]
    detail = f"{how} ({total} of {total})" if passed else f"not all of {total} arrived: {how} is what was expected"
    return Control("travelled", None, name, passed, detail)


_OF_MESSAGES = TEXTS | {SecretName.ATTACHMENT, SecretName.SIZE, SecretName.TIME}


def _unread(capture: Capture) -> Iterator[tuple[str, str]]:
    """(message, account) for each recipient that a message of the story did not reach.

    Ghosts are no recipients: what is for them never arrives anywhere.
    """
    read = {(one.message, one.account) for one in _story(capture) if one.deed is Deed.READ}
    for one in _story(capture):
        if one.deed is Deed.SENT:
            yield from (
                (one.message, account)
                for account in one.peer.split(", ")
                if (one.message, account) not in read and not account.startswith(f"{GHOST}-")
            )


_ARRIVAL = {
    **dict.fromkeys(TEXTS, "the recipient read the text"),
    SecretName.GROUP: "the members saw the title of the group",
    SecretName.ATTACHMENT: "the recipient opened the file",
    SecretName.REPORTED: "the recipient read it before reporting it",
    SecretName.PROFILE: "another participant saw the profile",
    SecretName.SENDER: "the recipient saw the sender's name",
    SecretName.RECIPIENT: "the message reached the account of that name",
    SecretName.PASSWORD: "the participant logged in with it",
    SecretName.SERVICE: "the participants reached the service under this name",
    SecretName.SIZE: "the recipient read each message",
    SecretName.TIME: "the recipient read each message",
}


def _arrived(statement: Statement, name: SecretName, value: bytes) -> bool:
    if name is SecretName.PASSWORD:
        return statement.deed is Deed.LOGGED_IN and statement.password.encode() == value
    if name is SecretName.PROFILE:
        return statement.deed is Deed.SAW_PROFILE and statement.text.encode() == value
    if name is SecretName.ATTACHMENT:
        return statement.deed is Deed.READ and value in statement.file
    if name is SecretName.REPORTED and value in statement.file:
        return statement.deed is Deed.READ
    if statement.deed is not Deed.READ and name is not SecretName.SERVICE:
        return False
    return {
        **dict.fromkeys(TEXTS, statement.text.encode()),
        SecretName.GROUP: statement.group.encode(),
        SecretName.SENDER: statement.peer.encode(),
        SecretName.RECIPIENT: statement.account.encode(),
        SecretName.SERVICE: statement.host.encode() if statement.deed is Deed.LOGGED_IN else b"",
    }[name] == value


def recorded(capture: Capture, record: Record) -> Control:
    """Control 2."""
    observer = record.observer
    problems = list(unreliable(capture, record))
    if not problems:
        problems += _RECORDED[observer][0](capture, record)
    detail = problems[0] if problems else _RECORDED[observer][1]
    return Control("recorded", observer, None, not problems, detail)


def unreliable(capture: Capture, record: Record) -> Iterator[str]:
    """Why a record cannot be relied on, whatever is in it: it could not be delivered, or its tap failed."""
    yield from (one.what for one in capture.missing if one.observer in (None, record.observer))
    yield from (f"the tap failed: {note.detail}" for note in record.notes(Event.FAILED))


def detects(record: Record, secrets: Sequence[Secret], alike: detect.Alike | None = None) -> tuple[Control, ...]:
    """Control 3, one for each of `secrets`. `alike` is one for all observers of a capture, and for nothing else."""
    return found_in_copies(record.observer, secrets, planting.copies(secrets, record), alike)


def found_in_copies(
    observer: str, secrets: Sequence[Wanted], copies: Iterable[planting.Copy], alike: detect.Alike | None = None
) -> tuple[Control, ...]:
    """Control 3 for any copies of a record. sqlite.SqliteError while they are made fails it."""
    tried: dict[Wanted, list[str]] = {secret: [] for secret in secrets}
    failed: dict[Wanted, str] = {}
    try:
        for copy in copies:
            search = detect.find(secrets, copy.observations, _EVERY_HIT, alike)
            places = list(_places(search))
            for plant in copy.plants:
                tried[plant.secret].append(plant.how)
                if not any(_is_of(plant, place) for place in places):
                    failed.setdefault(plant.secret, f"planted {plant.how}, it was not found")
    except sqlite.SqliteError as error:
        failed = dict.fromkeys(secrets, str(error))
    made = []
    for secret in secrets:
        reason = failed.get(secret) or ("" if tried[secret] else "the record holds nothing that it could be planted in")
        detail = reason or f"found in a copy of the record: {'; '.join(tried[secret])}"
        made.append(Control("detects", observer, secret.name, not reason, detail))
    return tuple(made)


_EVERY_HIT = detect.Limits(findings=sys.maxsize, depth=1, guesses=0, hashes=0)
"""Where values are planted, all of them are to be found. The application encodes a value once at most, in a way that
is certain when it is seen, and never by a digest. What these limits allow, those for a record allow too (they allow
more): whoever finds a value with these finds it with those.
"""


class _Place(NamedTuple):
    """Where a secret was found whole: in the bytes [start, end) of a stream or file, of which these are `data`."""

    secret: str
    exchange: int
    start: int
    end: int
    data: bytes


def _places(search: detect.Search) -> Iterator[_Place]:
    begins: list[int] = []
    sizes: Counter[tuple[str, Direction]] = Counter()
    # A search that does not put streams together must not fail for what it does find in a piece.
    for source in search.sources:
        begins.append(sizes[source.connection, source.direction])
        sizes[source.connection, source.direction] += len(source.data)
    for one in search.findings:
        if not one.decoy and one.partial is None:
            source, before = search.sources[one.source], begins[one.source]
            data = b"".join(source.data[start:end] for start, end in one.spans)
            start, end = before + one.spans[0][0], before + one.spans[-1][1]
            yield _Place(one.secret, source.exchange, start, end, data)


def _is_of(plant: planting.Plant, place: _Place) -> bool:
    """Whether what stands at `place` is what was planted, and not the same secret elsewhere in the copy."""
    return (
        place.secret == plant.secret.name
        and plant.exchange in (None, place.exchange)
        and plant.start <= place.start < place.end <= plant.end
        and (not plant.written or place.data == plant.secret.value)
    )


def decoys(observer: str, name: str, secrets: Sequence[Wanted], hits: Sequence[Finding]) -> Control:
    """Control 4, for all values planted under `name`; `hits` are what was found of them and their decoys."""
    drawn = [len(secret.decoys) for secret in secrets if secret.name == name]
    if not all(drawn):
        return Control("decoys", observer, name, passed=False, detail="no decoys were drawn")
    found = sum(hit.decoy for hit in hits)
    return Control("decoys", observer, name, found == 0, f"{sum(drawn)} decoys, {found} hits")


def searched(observer: str, gave_up: Sequence[detect.GaveUp]) -> Control:
    """That the search itself was not cut short: a search that gave up can say nothing about what is not there."""
    if gave_up:
        first = gave_up[0]
        detail = f"the search gave up in {first.place}: {first.why}"
        return Control("searched", observer, None, passed=False, detail=detail)
    return Control("searched", observer, None, passed=True, detail="the whole record was searched")


def _network_recorded(capture: Capture, record: Record) -> Iterator[str]:
    opened = {note.detail: note.connection for note in record.notes(Event.OPENED)}
    made = [one.address for one in capture.statements if one.deed is Deed.CONNECTED]
    seen = {(one.connection, one.direction) for one in record.observations}
    if not made:
        yield "no participant connected"
    for address in made:
        connection = opened.get(address)
        if connection is None:
            yield f"the connection from {address} is not in the record"
        elif not {(connection, Direction.TO_SERVICE), (connection, Direction.TO_CLIENT)} <= seen:
            yield f"connection {connection} has no bytes in one of its directions"
    yield from _holes(record)
    if capture.story.mode is Mode.PLAINTEXT:
        yield from _exchanges_recorded(capture, record)
    else:
        yield from _too_few_bytes(capture, record, opened)
    yield from ended(capture, record)


def _holes(record: Record) -> Iterator[str]:
    """The directions of connections that are not records or messages, one after the other, from beginning to end."""
    for stream in record.streams:
        if not _unbroken(stream.data):
            yield f"bytes are missing in connection {stream.connection}, {stream.direction}"
    yield from beginnings_lost(record)


def _unbroken(stream: bytes) -> bool:
    """Whether these are records or messages, one after the other, up to the end."""
    if records := tls.records(stream):
        return records[-1].end == len(stream)
    messages = http1.messages(stream)
    # An event stream ends wherever its reader goes away; it is chunked.
    return bool(messages) and messages[-1].end == len(stream) and (messages[-1].complete or messages[-1].chunked)


def beginnings_lost(record: Record) -> Iterator[str]:
    """The directions of connections in which TLS goes on and has not begun.

    Connections that were there before the record have no number, and have begun before it.
    """
    for stream in record.streams:
        if stream.connection and not _begun(stream):
            yield f"the beginning of TLS is missing in connection {stream.connection}, {stream.direction}"


def _begun(stream: Observation) -> bool:
    """Whether TLS begins in it where it has to: what is said there is not encrypted, and names the service."""
    records = tls.records(stream.data)
    if not records:
        return True
    if stream.direction is Direction.TO_SERVICE:
        return tls.client_hello(stream.data) is not None
    return records[0].content_type in (tls.HANDSHAKE, tls.ALERT)  # an alert: it turns the client down at once


def _too_few_bytes(capture: Capture, record: Record, opened: Mapping[str, str]) -> Iterator[str]:
    """Under TLS: where less was recorded than the participants' contents alone take."""
    accounts = {opened.get(one.address): one.account for one in capture.statements if one.deed is Deed.CONNECTED}
    carried: Counter[tuple[str, Direction]] = Counter()
    for connection, direction, _, length in payloads(record.observations):
        carried[accounts.get(connection, ""), direction] += length
    for deed, direction in ((Deed.SENT, Direction.TO_SERVICE), (Deed.READ, Direction.TO_CLIENT)):
        least: Counter[str] = Counter()
        for one in capture.statements:
            least[one.account] += one.size if one.deed is deed else 0
        for account, size in least.items():
            if account in accounts.values() and carried[account, direction] < size:
                yield f"{account} {deed} {size} bytes, and fewer are in the record"


def _server_recorded(capture: Capture, record: Record) -> Iterator[str]:
    yield from _exchanges_recorded(capture, record)
    yield from ended(capture, record)


def _interceptor_recorded(capture: Capture, record: Record) -> Iterator[str]:
    if record.relayed:
        yield from _relayed(capture, record)
        return
    turned_back = sum(one.deed is Deed.TURNED_BACK for one in _story(capture))
    if not turned_back:
        yield from _server_recorded(capture, record)
        return
    # The apps went there and said nothing: that is what its record must show, of each time.
    refused = len({note.connection for note in record.notes(Event.REFUSED)})
    if refused != turned_back:
        yield f"the participants have turned back {turned_back} times, and the record says so {refused} times"
    yield from (f"something was said in it: {one.line}" for one in record.exchanges)
    yield from ended(capture, record)


def _relayed(capture: Capture, record: Record) -> Iterator[str]:
    """For who passed on all connections of the participants as bytes: what is not there of them."""
    made = sum(one.deed is Deed.CONNECTED for one in capture.statements)
    seen = Counter(stream.connection for stream in record.streams)
    whole = sum(directions == 2 for directions in seen.values())
    if whole < made:
        yield f"the participants made {made} connections, and {whole} are in the record in both directions"
    yield from _holes(record)
    carried: Counter[Direction] = Counter()
    for _, direction, _, length in payloads(record.observations):
        carried[direction] += length
    for deed, direction in ((Deed.SENT, Direction.TO_SERVICE), (Deed.READ, Direction.TO_CLIENT)):
        if carried[direction] < sum(one.size for one in capture.statements if one.deed is deed):
            yield f"fewer bytes are in the record than the participants have {deed}"
    yield from ended(capture, record)


_DELIVERIES = ("GET /v1/events", "GET /v1/text-messages")
_LOGINS = ("POST /v1/accounts ", "POST /v1/login ")


def _exchanges_recorded(capture: Capture, record: Record) -> Iterator[str]:
    """For an observer who reads requests and answers: which of the story are not there, or not all of them."""
    yield from (f"a request or its answer is cut short: {one.line}" for one in record.exchanges if not one.whole)
    posted = b"\n".join(one.answer for one in record.exchanges if MESSAGE_REQUEST.match(one.line.encode()))
    yield from (f"the request that sent message {message} is not in the record" for message in _absent(capture, posted))
    events = b"\n".join(one.answer for one in record.exchanges if one.line.startswith(_DELIVERIES))
    yield from (f"the delivery of message {message} is not in the record" for message in _absent(capture, events))
    reports = b"\n".join(one.request for one in record.exchanges if one.line.startswith("POST /v1/reports "))
    lines = {one.line.split(" HTTP/")[0] for one in record.exchanges}
    for one in _story(capture):
        if one.deed is Deed.REPORTED and one.message.encode() not in reports:
            yield f"the report of message {one.message} is not in the record"
        if one.deed is Deed.SAW_PROFILE and f"GET /v1/accounts/{one.peer}/profile" not in lines:
            yield f"the profile of {one.peer} is not in the record"
    logins = b"\n".join(one.request for one in record.exchanges if one.line.startswith(_LOGINS))
    for one in _story(capture):
        if one.deed is Deed.LOGGED_IN and one.account.encode() not in logins:
            yield f"the login of {one.account} is not in the record"
    yield from skipped(record)


def skipped(record: Record) -> Iterator[str]:
    """Requests that were counted, and of which nothing is there: whatever was said in them may have been read.

    Connections that were there before the record have no number, so their requests cannot be told apart.
    """
    numbers: dict[str, set[int]] = {}
    for one in record.observations:
        if one.exchange and one.connection:
            numbers.setdefault(one.connection, set()).add(one.exchange)
    for connection, there in numbers.items():
        yield from (
            f"request {number} of connection {connection} is not in the record"
            for number in range(1, max(there))
            if number not in there
        )


MESSAGES = "messages"
"""The operator's table with a row a message; others name messages as well."""


_WRITES_AHEAD = slice(18, 20)
"""Where a database says whether it has a write-ahead log (file format, section 1.3.3)."""


def _database_recorded(capture: Capture, record: Record) -> Iterator[str]:
    main, log = record.at("database.file"), record.at("service.log")
    if main is None or log is None:
        yield "no copy of the database and its log was taken"
        return
    if main.data[_WRITES_AHEAD] == b"\2\2" and record.at("database.wal") is None:
        yield "no copy of the database's write-ahead log was taken"
    if min(main.time, log.time) < max((one.time for one in capture.statements), default=0.0):
        yield "the copy of the database is older than the last message"
    try:
        rows = dict.fromkeys((MESSAGES, "reports", "profiles", "accounts"), b"")
        files = 0
        for row in sqlite.rows(record.image):
            files += row.table == "blobs"
            if row.table in rows:
                rows[row.table] += row.data + b"\n"
    except sqlite.SqliteError as error:
        yield f"the copy of the database cannot be read: {error}"
        return
    yield from (f"message {message} has no row in the database" for message in _absent(capture, rows[MESSAGES]))
    for one in _story(capture):
        if one.deed is Deed.REPORTED and one.message.encode() not in rows["reports"]:
            yield f"the report of message {one.message} has no row in the database"
        if one.deed is Deed.SAW_PROFILE and one.peer.encode() not in rows["profiles"]:
            yield f"the profile of {one.peer} has no row in the database"
        if one.deed is Deed.LOGGED_IN and one.account.encode() not in rows["accounts"]:
            yield f"the account of {one.account} has no row in the database"
    yield from _not_logged(capture, log.data, files)


def _not_logged(capture: Capture, log: bytes, files: int) -> Iterator[str]:
    """What the operator's log lacks, and how many of the files that it tells of are not in the database."""
    # A message's receipts are logged under an address that names it.
    yield from (f"message {message} has no line in the log" for message in _absent(capture, log))
    logins = sum(one.deed is Deed.LOGGED_IN for one in capture.statements)
    if (told := len(_LOGIN_LINE.findall(log))) < logins:
        yield f"the participants logged in {logins} times, and the log tells of {told}"
    if (stored := len(_FILE_LINE.findall(log))) > files:
        yield f"the log tells of {stored} files that were stored, and {files} are in the database"


_LOGIN_LINE = re.compile(rb" POST \S+/v1/(?:accounts 201|login 200) ")
_FILE_LINE = re.compile(rb" POST \S+/v1/blobs 201 ")


def _device_recorded(capture: Capture, _: Record) -> Iterator[str]:
    if not capture.copies:
        yield "no device was copied"
    # What can be opened is what the server recorded.
    server = recorded(capture, Record(capture, Observer.SERVER))
    if not server.passed:
        yield f"in the server's record, {server.detail}"


_RECORDED = {
    Observer.NETWORK: (
        _network_recorded,
        "every connection of the participants is in the record, in both directions, to its end",
    ),
    Observer.INTERCEPTOR: (
        _interceptor_recorded,
        "all that passed through it is in the record, to the end, and so is each participant who turned back before",
    ),
    Observer.SERVER: (
        _server_recorded,
        "every login and every message of the story is in the record, as request and as delivery, to the end",
    ),
    Observer.DATABASE: (
        _database_recorded,
        "every message of the story has its row and its line in the log, and the copy was taken after the last one",
    ),
    Observer.DEVICE: (_device_recorded, "the copy was made, and the server's record, which it is tried on, is whole"),
}
"""For each observer: what its record lacks, and the words for a record that lacks nothing."""


def ended(capture: Capture, record: Record) -> Iterator[str]:
    """What speaks against it that a tap's record goes up to a clean end and holds all that came before."""
    closed = {note.connection for note in record.notes(Event.CLOSED)}
    ends = list(record.notes(Event.SEGMENT))
    for note in record.notes(Event.BROKEN):
        yield f"connection {note.connection} broke: {note.detail}"
    last = record.last_note
    if last is not None and last.event is Event.CHECKPOINT:
        # A record of a conversation that goes on: connections may be open, but nothing that was said may be later.
        ends.append(last)
        if last.time < max((one.time for one in capture.statements), default=0.0):
            yield "the record is older than the last message"
    else:
        for note in record.notes(Event.OPENED):
            if note.connection not in closed:
                yield f"connection {note.connection} has no clean end in the record"
    # What the operator has opened itself did not come from its tap.
    held = sum(one.place not in (ENVELOPE, FILE) for one in record.observations)
    if not ends:
        yield "the record has no clean end"
    elif ends[-1].detail != str(held):
        yield f"the tap got {ends[-1].detail} pieces, the record holds {held}"


def _story(capture: Capture) -> Iterator[Statement]:
    return (one for one in capture.statements if one.who != OBSERVERS_OWN)


def _absent(capture: Capture, record: bytes) -> Iterator[str]:
    """The messages of the story whose ids are not in `record`."""
    messages = [one.message for one in _story(capture) if one.deed is Deed.SENT]
    if not messages:
        yield "(none was sent)"
    yield from (message for message in messages if message.encode() not in record)
