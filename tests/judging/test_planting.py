"""The copies in which the detector has to find a secret hold it as they say: whole, or split where nobody can see it
without putting pieces together.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import pytest

from lab import planting
from lab.detect import reassembly, sqlite, tls
from lab.model import Capture, Direction, Mode, Observation, Observer, Secret, SecretName
from lab.record import Record
from lab.scenario.vocabulary import ON_STAGE

from .recordings import about, planted

EVERYTHING = frozenset(SecretName)
EVERYWHERE = [(mode, observer) for mode in Mode for observer in ON_STAGE]


def carried(secret: Secret) -> bytes:
    """The bytes that stand for a secret in the application's own messages."""
    return base64.b64encode(secret.value) if secret.name is SecretName.ATTACHMENT else secret.value


class Planted(NamedTuple):
    """One secret in a copy, and the observations that are there for its sake."""

    secret: Secret
    how: str
    added: tuple[Observation, ...]


def copies(captures: Mapping[Mode, Capture], mode: Mode, observer: Observer) -> list[planting.Copy]:
    part = about(captures[mode], observer, EVERYTHING)
    return list(planting.copies(part.secrets, Record(part, observer)))


def plants(captures: Mapping[Mode, Capture], mode: Mode, observer: Observer) -> list[Planted]:
    made = copies(captures, mode, observer)
    return [Planted(plant.secret, plant.how, added(copy, plant)) for copy in made for plant in copy.plants]


def added(copy: planting.Copy, plant: planting.Plant) -> tuple[Observation, ...]:
    if plant.exchange is not None:
        return tuple(one for one in copy.observations if one.exchange == plant.exchange)
    ends = accumulate(len(one.data) for one in copy.observations)
    pieces = zip(copy.observations, ends, strict=True)
    return tuple(one for one, end in pieces if plant.start < end <= plant.end)


def together(observations: Sequence[Observation]) -> bytes:
    """The pieces put together again; under TLS, what the records carry."""
    joined = b"".join(one.data for one in reassembly.reassemble(observations))
    records = tls.records(joined)
    return b"".join(joined[one.start + 5 : one.end] for one in records) if records else joined


def _taps() -> Iterator[tuple[Mode, Observer]]:
    return ((mode, observer) for mode, observer in EVERYWHERE if observer is not Observer.DATABASE)


@pytest.mark.parametrize(("mode", "observer"), list(_taps()))
def test_each_direction_gets_every_secret_whole_and_split(
    captures: Mapping[Mode, Capture], mode: Mode, observer: Observer
) -> None:
    made = plants(captures, mode, observer)
    for way in (Direction.TO_SERVICE, Direction.TO_CLIENT):
        for how in ("whole", "split"):
            these = [plant for plant in made if plant.how == f"{how}, {way}"]
            assert tuple(plant.secret for plant in these) == captures[mode].secrets
            assert {one.direction for plant in these for one in plant.added} == {way}
    assert len(made) == 4 * len(captures[mode].secrets)


@pytest.mark.parametrize("mode", Mode)
def test_the_copy_of_a_stream_begins_with_all_of_it(captures: Mapping[Mode, Capture], mode: Mode) -> None:
    held = Record(captures[mode], Observer.NETWORK).observations
    for copy in copies(captures, mode, Observer.NETWORK):
        stream = [one for one in held if _stream(one) == _stream(copy.observations[-1])]
        assert list(copy.observations[: len(stream)]) == stream
        assert min(plant.start for plant in copy.plants) == sum(len(one.data) for one in stream) > 0


def _stream(one: Observation) -> tuple[str, Direction]:
    return one.connection, one.direction


@pytest.mark.parametrize(("mode", "observer"), list(_taps()))
def test_whole_is_in_one_piece_and_split_is_in_none(
    captures: Mapping[Mode, Capture], mode: Mode, observer: Observer
) -> None:
    for secret, how, pieces in plants(captures, mode, observer):
        assert carried(secret) in together(pieces)
        in_one = any(carried(secret) in one.data for one in pieces)
        # A header reaches a front end in one piece, and there a host name stands nowhere else.
        only_header = observer is Observer.SERVER and secret.name is SecretName.SERVICE
        if not (only_header and how == "split, to service"):
            assert in_one is how.startswith("whole")


@pytest.mark.parametrize("mode", [Mode.TLS, Mode.E2EE])
def test_under_tls_whole_and_split_are_records(captures: Mapping[Mode, Capture], mode: Mode) -> None:
    for plant in plants(captures, mode, Observer.NETWORK):
        for one in plant.added:
            (record,) = tls.records(one.data)
            assert (record.content_type, record.end) == (tls.APPLICATION_DATA, len(one.data))


def test_what_is_longer_than_a_record_takes_several(captures: Mapping[Mode, Capture]) -> None:
    part = about(captures[Mode.TLS], Observer.NETWORK, frozenset())
    long = Secret(SecretName.BODY, b"a long text 0123456789abcdef" * 1000)
    for copy in planting.copies([long], Record(part, Observer.NETWORK)):
        for plant in copy.plants:
            records = tls.records(b"".join(one.data for one in added(copy, plant)))
            assert len(records) > 1
            assert max(record.end - record.start for record in records) <= 5 + 2**14
            assert long.value in together(added(copy, plant))


@pytest.mark.parametrize("mode", Mode)
def test_at_rest_whole_is_in_a_row_and_split_runs_over_the_end_of_a_page(
    captures: Mapping[Mode, Capture], mode: Mode
) -> None:
    log, whole, split = copies(captures, mode, Observer.DATABASE)
    hows = ("in a line of the log", "whole, in a row", "split over two pages")
    assert tuple({plant.how for plant in copy.plants} for copy in (log, whole, split)) == tuple({how} for how in hows)
    before = Record(captures[mode], Observer.DATABASE).at("service.log")
    assert before is not None
    (line,), (plant,) = log.observations, log.plants
    assert plant.secret.name is SecretName.SERVICE
    assert line.data.startswith(before.data)
    assert plant.start == len(before.data)
    assert plant.secret.value in line.data[plant.start : plant.end]

    assert SecretName.SERVICE not in {plant.secret.name for plant in whole.plants}
    for copy, times in ((whole, 1), (split, 0)):
        (full,) = copy.observations
        rows = b"\n".join(row.data for row in sqlite.rows(full.data))
        for plant in copy.plants:
            assert full.data.count(plant.secret.value) == times
            assert plant.secret.value in rows


@pytest.mark.parametrize(("mode", "observer"), EVERYWHERE)
def test_the_record_itself_is_not_touched(captures: Mapping[Mode, Capture], mode: Mode, observer: Observer) -> None:
    part = about(captures[mode], observer, EVERYTHING)
    record = Record(part, observer)
    before = list(record.observations)
    list(planting.copies(part.secrets, record))
    assert list(record.observations) == before
    assert record.image == Record(part, observer).image if observer is Observer.DATABASE else True


def test_the_copy_of_the_database_has_the_tables_of_the_recorded_one_and_no_other_rows(
    captures: Mapping[Mode, Capture],
) -> None:
    image = Record(captures[Mode.PLAINTEXT], Observer.DATABASE).image
    empty = planting._without_rows(image)
    assert list(sqlite.rows(empty)) == []
    assert list(sqlite.rows(image)) != []
    assert _schema(empty) == _schema(image) != []
    (secret,) = planted(captures[Mode.PLAINTEXT], SecretName.SENDER)
    assert secret.value in image
    assert secret.value not in empty


def _schema(image: bytes) -> list[tuple[str, str]]:
    import sqlite3

    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(image)
        return database.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    finally:
        database.close()


def test_what_is_not_a_database_cannot_be_planted_in(captures: Mapping[Mode, Capture]) -> None:
    part = about(captures[Mode.E2EE], Observer.DATABASE, frozenset({SecretName.BODY}))
    image = Record(part, Observer.DATABASE).image
    (secret,) = part.secrets
    for foreign in (b"SQLite", _empty_database()):
        with pytest.raises(sqlite.SqliteError):
            planting._with_rows(foreign, [(secret, secret.value)])
    assert secret.value in planting._with_rows(image, [(secret, secret.value)])


def _empty_database() -> bytes:
    import sqlite3

    database = sqlite3.connect(":memory:")
    try:
        database.execute("CREATE TABLE other (x)")
        return database.serialize()
    finally:
        database.close()


# What is planted looks like what the participants themselves sent


def shape(value: Any) -> Any:
    """The keys of a JSON value, at every level."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def sent(part: Capture, request: bytes) -> list[dict[str, Any]]:
    """The JSON of all recorded requests of a kind."""
    record = Record(part, Observer.SERVER)
    found = [one for one in record.exchanges if one.line.encode().startswith(request)]
    return [json.loads(one.request) for one in found if one.request]


CARRIERS = {
    SecretName.BODY: (b"POST /v1/conversations/", lambda sent: sent["content"]["text"]),
    SecretName.ATTACHMENT: (b"POST /v1/conversations/", lambda sent: sent["content"]["attachment"]["data"]),
    SecretName.SENDER: (b"POST /v1/accounts ", lambda sent: sent["name"]),
    SecretName.RECIPIENT: (b"POST /v1/conversations ", lambda sent: sent["members"][0]),
    SecretName.PASSWORD: (b"POST /v1/accounts ", lambda sent: sent["password"]),
}


@pytest.mark.parametrize("name", CARRIERS)
def test_requests_are_planted_as_participants_send_them(captures: Mapping[Mode, Capture], name: SecretName) -> None:
    part = captures[Mode.PLAINTEXT]
    secret = planted(part, name)[0]
    start, value = CARRIERS[name]
    line, header, body = planting.request(secret)
    assert (line + b" ").startswith(start)
    assert line.endswith(b" HTTP/1.1")
    assert b"Content-Length: %d\r\n" % len(body) in header
    alike = [one for one in sent(part, start) if shape(one) == shape(json.loads(body))]
    assert alike != []
    real = [value(one) for one in alike]
    mine = value(json.loads(body))
    if name is SecretName.ATTACHMENT:
        assert any(base64.b64decode(one).startswith(base64.b64decode(mine)) for one in real)
    else:
        assert mine in real


def test_the_host_name_is_planted_in_the_header_that_carries_it(captures: Mapping[Mode, Capture]) -> None:
    (secret,) = planted(captures[Mode.PLAINTEXT], SecretName.SERVICE)
    _, header, body = planting.request(secret)
    real = Record(captures[Mode.PLAINTEXT], Observer.SERVER).at("http.header")
    assert real is not None
    wanted = b"Host: " + secret.value + b"\r\n"
    assert wanted in header
    assert wanted in real.data
    assert secret.value not in body


@pytest.mark.parametrize("name", SecretName.__members__.values())
def test_answers_are_planted_as_the_service_sends_them(captures: Mapping[Mode, Capture], name: SecretName) -> None:
    part = captures[Mode.PLAINTEXT]
    values = planted(part, name)
    record = Record(part, Observer.SERVER)
    stream = next(one.answer for one in record.exchanges if b"event: message" in one.answer)
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith(b"data: ")][1:]
    for secret in values:
        line, header, body = planting.answer(secret)
        assert line == b"HTTP/1.1 200 OK"
        assert b"text/event-stream" in header
        fields = json.loads(body.partition(b"data: ")[2])
        assert any(
            all(shape(one[key]) == shape(fields[key]) for key in fields)
            for one in events
            if fields.keys() <= one.keys()
        )
