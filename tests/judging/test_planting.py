"""The copies in which the detector has to find a secret hold it as they say: whole, or split where nobody can see it
without putting pieces together.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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


def plants(captures: Mapping[Mode, Capture], mode: Mode, observer: Observer) -> list[planting.Plant]:
    part = about(captures[mode], observer, EVERYTHING)
    return list(planting.plants(part.secrets, Record(part, observer)))


def added(plant: planting.Plant) -> tuple[Observation, ...]:
    assert plant.observations[: len(plant.before)] == plant.before
    return plant.observations[len(plant.before) :]


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
    ways = [f"{how}, {way}" for way in (Direction.TO_SERVICE, Direction.TO_CLIENT) for how in ("whole", "split")]
    assert [plant.how for plant in made] == ways
    for plant in made:
        assert plant.secrets == captures[mode].secrets
        assert {str(one.direction) for one in added(plant)} == {plant.how.partition(", ")[2]}


@pytest.mark.parametrize(("mode", "observer"), list(_taps()))
def test_whole_is_in_one_piece_and_split_is_in_none(
    captures: Mapping[Mode, Capture], mode: Mode, observer: Observer
) -> None:
    for plant in plants(captures, mode, observer):
        pieces = [one.data for one in added(plant)]
        for secret in plant.secrets:
            assert carried(secret) in together(added(plant))
            in_one = any(carried(secret) in piece for piece in pieces)
            # A header reaches a front end in one piece, and there a host name stands nowhere else.
            only_header = observer is Observer.SERVER and secret.name is SecretName.SERVICE
            if not (only_header and plant.how == "split, to service"):
                assert in_one is plant.how.startswith("whole")


@pytest.mark.parametrize("mode", [Mode.TLS, Mode.E2EE])
def test_under_tls_whole_and_split_are_records(captures: Mapping[Mode, Capture], mode: Mode) -> None:
    for plant in plants(captures, mode, Observer.NETWORK):
        for one in added(plant):
            (record,) = tls.records(one.data)
            assert (record.content_type, record.end) == (tls.APPLICATION_DATA, len(one.data))


def test_what_is_longer_than_a_record_takes_several(captures: Mapping[Mode, Capture]) -> None:
    part = about(captures[Mode.TLS], Observer.NETWORK, frozenset())
    long = Secret(SecretName.BODY, b"a long text 0123456789abcdef" * 1000)
    for plant in planting.plants([long], Record(part, Observer.NETWORK)):
        records = tls.records(b"".join(one.data for one in added(plant)))
        assert len(records) > 1
        assert max(record.end - record.start for record in records) <= 5 + 2**14
        assert long.value in together(added(plant))


@pytest.mark.parametrize("mode", Mode)
def test_at_rest_whole_is_in_a_row_and_split_runs_over_the_end_of_a_page(
    captures: Mapping[Mode, Capture], mode: Mode
) -> None:
    log, whole, split = plants(captures, mode, Observer.DATABASE)
    assert (log.how, whole.how, split.how) == ("in a line of the log", "whole, in a row", "split over two pages")
    assert [secret.name for secret in log.secrets] == [SecretName.SERVICE]
    (line,) = log.observations
    (before,) = log.before
    assert line.data.startswith(before.data)
    assert log.secrets[0].value in line.data.removeprefix(before.data)

    assert SecretName.SERVICE not in {secret.name for secret in whole.secrets}
    for plant, in_one in ((whole, True), (split, False)):
        (clean,), (full,) = plant.before, plant.observations
        rows = b"\n".join(row.data for row in sqlite.rows(full.data))
        for secret in plant.secrets:
            assert secret.value not in clean.data
            assert (secret.value in full.data) is in_one
            assert secret.value in rows


@pytest.mark.parametrize(("mode", "observer"), EVERYWHERE)
def test_the_record_itself_is_not_touched(captures: Mapping[Mode, Capture], mode: Mode, observer: Observer) -> None:
    part = about(captures[mode], observer, EVERYTHING)
    record = Record(part, observer)
    before = list(record.observations)
    list(planting.plants(part.secrets, record))
    assert list(record.observations) == before
    assert record.image == Record(part, observer).image if observer is Observer.DATABASE else True


def test_what_is_not_a_database_cannot_be_planted_in(captures: Mapping[Mode, Capture]) -> None:
    part = about(captures[Mode.E2EE], Observer.DATABASE, frozenset({SecretName.BODY}))
    image = Record(part, Observer.DATABASE).image
    (secret,) = part.secrets
    for foreign in (b"SQLite", _empty_database()):
        with pytest.raises(sqlite.SqliteError):
            planting._with_row(foreign, secret)
    assert secret.value in planting._with_row(image, secret)


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
