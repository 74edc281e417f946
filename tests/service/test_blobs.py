"""Blobs: bytes for whoever knows where they are."""

from __future__ import annotations

import base64

import pytest
from werkzeug.test import TestResponse

from lab.service.config import Config

from .conftest import Person, assert_problem, read_json

BYTES = "application/octet-stream"


def store(person: Person, data: bytes, content_type: str | None = BYTES) -> TestResponse:
    return person.client.post("/v1/blobs", data=data, content_type=content_type, headers=person.headers)


@pytest.mark.parametrize("data", [b"", b"\x00\xff\r\n", b"{}", bytes(range(256)) * 4096])
def test_anyone_who_knows_the_id_gets_what_was_stored(alice: Person, carol: Person, data: bytes) -> None:
    stored = store(alice, data)
    assert stored.status_code == 201
    fetched = carol.get(f"/v1/blobs/{read_json(stored)['id']}")
    assert (fetched.status_code, fetched.content_type, fetched.data) == (200, BYTES, data)
    assert fetched.headers["Cache-Control"] == "no-store"
    assert fetched.headers["Content-Length"] == str(len(data))


def test_an_id_is_128_bits_of_chance(alice: Person) -> None:
    identifiers = {read_json(store(alice, b"the same"))["id"] for _ in range(10)}
    assert len(identifiers) == 10
    assert {len(base64.urlsafe_b64decode(f"{each}==")) for each in identifiers} == {16}


def test_1_mib_is_the_most(alice: Person, config: Config) -> None:
    assert config.max_body == 1024 * 1024
    assert store(alice, bytes(config.max_body)).status_code == 201
    assert_problem(store(alice, bytes(config.max_body + 1)), 413)


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", "multipart/form-data; boundary=x"])
def test_a_body_says_that_it_is_bytes(alice: Person, content_type: str | None) -> None:
    assert_problem(store(alice, b"{}", content_type), 415)


@pytest.mark.parametrize("identifier", ["none", "A" * 22, "%00", "x" * 300])
def test_there_are_no_others(alice: Person, identifier: str) -> None:
    assert_problem(alice.get(f"/v1/blobs/{identifier}"), 404)


def test_they_are_for_those_who_are_logged_in(alice: Person, bob: Person) -> None:
    identifier = read_json(store(alice, b"data"))["id"]
    bob.token = ""
    assert_problem(bob.get(f"/v1/blobs/{identifier}"), 401)
    assert_problem(store(bob, b"data"), 401)


def test_the_log_has_their_size_and_not_their_bytes(alice: Person, config: Config) -> None:
    identifier = read_json(store(alice, b"what is in it"))["id"]
    alice.get(f"/v1/blobs/{identifier}")
    log = config.log.read_text()
    url = f"http://localhost/v1/blobs/{identifier}"
    assert log.splitlines()[-1].split()[1:] == ["alice", "GET", url, "200", str(len(b"what is in it"))]
    assert "what is in it" not in log
    assert b"what is in it" in b"".join(path.read_bytes() for path in config.database.parent.iterdir())
