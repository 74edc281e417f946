"""The four controls that must pass before the lab may say `hidden`. Pure: a capture in, controls out.

1. `travelled`: the recipient did read it, so there was something to be seen.
2. `recorded`: this observer recorded this very exchange, to its end.
3. `detects`: the detector finds the same secret when it is planted in a copy of this observer's own record.
4. `decoys`: values drawn like the secret, but planted nowhere, are not found in this record.

Each of them can fail, and a test makes each of them fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab import detect, planting
from lab.detect import sqlite
from lab.inference import OBSERVERS_OWN
from lab.model import (
    Capture,
    Control,
    Deed,
    Direction,
    Event,
    Note,
    Observation,
    Observer,
    Secret,
    SecretName,
    Statement,
)


def travelled(capture: Capture, name: SecretName) -> Control:
    """Control 1, for all values planted under `name`."""
    values = [secret.value for secret in capture.secrets if secret.name is name]
    if values:
        lost = [value for value in values if not any(_arrived(one, name, value) for one in _story(capture))]
        passed, total = not lost, len(values)
    else:
        sent = {one.message for one in _story(capture) if one.deed is Deed.SENT}
        read = {one.message for one in _story(capture) if one.deed is Deed.READ}
        passed, total = bool(sent) and sent <= read, len(sent)
    how = _ARRIVAL[name]
    detail = f"{how} ({total} of {total})" if passed else f"not all of {total} arrived: {how} is what was expected"
    return Control("travelled", None, name, passed, detail)


_ARRIVAL = {
    SecretName.BODY: "the recipient read the text",
    SecretName.ATTACHMENT: "the recipient opened the file",
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
    if name is SecretName.ATTACHMENT:
        return statement.deed is Deed.READ and value in statement.file
    if statement.deed is not Deed.READ and name is not SecretName.SERVICE:
        return False
    return {
        SecretName.BODY: statement.text.encode(),
        SecretName.SENDER: statement.peer.encode(),
        SecretName.RECIPIENT: statement.account.encode(),
        SecretName.SERVICE: statement.host.encode() if statement.deed is Deed.LOGGED_IN else b"",
    }[name] == value


def recorded(capture: Capture, observer: Observer) -> Control:
    """Control 2."""
    problems = [one.what for one in capture.missing if one.observer in (None, observer)]
    problems += [f"the tap failed: {note.detail}" for note in _notes(capture, observer, Event.FAILED)]
    check = {
        Observer.NETWORK: _network_recorded,
        Observer.SERVER: _server_recorded,
        Observer.DATABASE: _database_recorded,
    }[observer]
    if not problems:
        problems += check(capture)
    if problems:
        return Control("recorded", observer, None, passed=False, detail=problems[0])
    return Control("recorded", observer, None, passed=True, detail=_RECORDED[observer])


_RECORDED = {
    Observer.NETWORK: "every connection of the participants is in the record, in both directions, to its end",
    Observer.SERVER: "every message of the story is in the record, as request and as answer, to the end",
    Observer.DATABASE: "every message of the story has its row, and the copy was taken after the last one",
}


def detects(observer: Observer, secret: Secret, record: Sequence[Observation]) -> Control:
    """Control 3, for one value. `record` is what the observer got."""
    tried: list[str] = []
    try:
        for plant in planting.plants(secret, observer, record):
            planted = Secret(secret.name, secret.value)
            before = _count(planted, [one for one in plant.observations if one in record])
            if _count(planted, plant.observations) <= before:
                return _detects(observer, secret, False, f"planted {plant.how}, it was not found")
            tried.append(plant.how)
    except sqlite.SqliteError as error:
        return _detects(observer, secret, False, str(error))
    if not tried:
        return _detects(observer, secret, False, "the record holds nothing that it could be planted in")
    return _detects(observer, secret, True, f"found in a copy of the record: {'; '.join(tried)}")


def decoys(observer: Observer, secret: Secret, hits: int) -> Control:
    """Control 4, for one value whose decoys had `hits` hits in the record."""
    if not secret.decoys:
        return Control("decoys", observer, secret.name, passed=False, detail="no decoys were drawn")
    detail = f"{len(secret.decoys)} decoys, {hits} hits"
    return Control("decoys", observer, secret.name, hits == 0, detail)


def searched(observer: Observer, gave_up: Sequence[detect.GaveUp]) -> Control:
    """That the search itself was not cut short: a search that gave up can say nothing about what is not there."""
    if gave_up:
        first = gave_up[0]
        detail = f"the search gave up in {first.place}: {first.why}"
        return Control("searched", observer, None, passed=False, detail=detail)
    return Control("searched", observer, None, passed=True, detail="the whole record was searched")


def _detects(observer: Observer, secret: Secret, passed: bool, detail: str) -> Control:
    return Control("detects", observer, secret.name, passed, detail)


def _count(secret: Secret, observations: Sequence[Observation]) -> int:
    return len(detect.find([secret], observations).findings)


def _network_recorded(capture: Capture) -> Iterator[str]:
    opened = {note.detail: note.connection for note in _notes(capture, Observer.NETWORK, Event.OPENED)}
    made = [one.address for one in capture.statements if one.deed is Deed.CONNECTED]
    seen = {(one.connection, one.direction) for one in capture.observations if one.observer is Observer.NETWORK}
    if not made:
        yield "no participant connected"
    for address in made:
        connection = opened.get(address)
        if connection is None:
            yield f"the connection from {address} is not in the record"
        elif not {(connection, Direction.TO_SERVICE), (connection, Direction.TO_CLIENT)} <= seen:
            yield f"connection {connection} has no bytes in one of its directions"
    yield from _ended(capture, Observer.NETWORK)


def _server_recorded(capture: Capture) -> Iterator[str]:
    if not _messages(capture):
        yield "no message was sent"
    for direction, role in ((Direction.TO_SERVICE, "requests"), (Direction.TO_CLIENT, "answers")):
        record = b"\n".join(
            one.data
            for one in capture.observations
            if one.observer is Observer.SERVER and one.direction is direction
        )
        for message in _messages(capture):
            if message.encode() not in record:
                yield f"message {message} of the story is not among the recorded {role}"
    yield from _ended(capture, Observer.SERVER)


def _database_recorded(capture: Capture) -> Iterator[str]:
    files = {one.place: one for one in capture.observations if one.observer is Observer.DATABASE}
    if "database.file" not in files or "service.log" not in files:
        yield "no copy of the database and its log was taken"
        return
    last = max((one.time for one in capture.statements), default=0.0)
    if files["database.file"].time < last:
        yield "the copy of the database is older than the last message"
    wal = files["database.wal"].data if "database.wal" in files else b""
    try:
        rows = b"\n".join(row for _, _, row in sqlite.rows(sqlite.image(files["database.file"].data, wal)))
    except sqlite.SqliteError as error:
        yield f"the copy of the database cannot be read: {error}"
        return
    if not _messages(capture):
        yield "no message was sent"
    for message in _messages(capture):
        if message.encode() not in rows:
            yield f"message {message} of the story has no row in the database"


def _ended(capture: Capture, observer: Observer) -> Iterator[str]:
    closed = {note.connection for note in _notes(capture, observer, Event.CLOSED)}
    for note in _notes(capture, observer, Event.BROKEN):
        yield f"connection {note.connection} broke: {note.detail}"
    for note in _notes(capture, observer, Event.OPENED):
        if note.connection not in closed:
            yield f"connection {note.connection} has no clean end in the record"
    if not any(_notes(capture, observer, Event.SEGMENT)):
        yield "the record has no clean end"


def _notes(capture: Capture, observer: Observer, event: Event) -> Iterator[Note]:
    return (note for note in capture.notes if note.observer is observer and note.event is event)


def _story(capture: Capture) -> Iterator[Statement]:
    return (one for one in capture.statements if one.who != OBSERVERS_OWN)


def _messages(capture: Capture) -> list[str]:
    return [one.message for one in _story(capture) if one.deed is Deed.SENT]
