"""Whatever goes wrong is answered with a problem."""

from __future__ import annotations

import sqlite3

import pytest

from lab.service.app import ServiceApp
from lab.service.config import Config

from .conftest import Person, assert_problem


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/accounts/", "//v1//accounts", "/docs", "/static/x", "/v1/%ff"])
def test_an_unknown_address(app: ServiceApp, path: str) -> None:
    assert_problem(app.test_client().get(path), 404)


def test_a_method_the_address_does_not_have(app: ServiceApp) -> None:
    response = app.test_client().patch("/v1/login")
    assert_problem(response, 405)
    assert set(response.headers["Allow"].split(", ")) == {"POST", "DELETE", "OPTIONS"}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"name": 1' + b"0" * 5000 + b"}", b"[" * 200_000])
def test_a_body_that_is_not_json(app: ServiceApp, body: bytes) -> None:
    assert_problem(app.test_client().post("/v1/login", data=body, content_type="application/json"), 400)


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_does_not_say_that_it_is_json(app: ServiceApp, media_type: str | None) -> None:
    body = b'{"name": "alice", "password": "12345678"}'
    assert_problem(app.test_client().post("/v1/login", data=body, content_type=media_type), 415)


def test_a_body_above_the_limit(app: ServiceApp, config: Config) -> None:
    client = app.test_client()
    body = b'{"name": "alice", "password": "12345678"}'
    fits, too_large = body.ljust(config.max_body), body.ljust(config.max_body + 1)
    assert_problem(client.post("/v1/login", data=fits, content_type="application/json"), 401)
    assert_problem(client.post("/v1/login", data=too_large, content_type="application/json"), 413)


def test_several_fields_at_once_are_named_without_their_values(app: ServiceApp) -> None:
    problem = assert_problem(app.test_client().post("/v1/login", json={"name": "Böse", "password": "geheim"}), 422)
    assert set(problem["errors"]) == {"name", "password"}
    assert "geheim" not in str(problem)


def test_a_failure_of_the_service_is_in_its_log_without_anything_people_wrote(alice: Person, config: Config) -> None:
    with sqlite3.connect(config.database) as connection:
        connection.execute("DROP TABLE keys")
    connection.close()
    assert_problem(alice.put("/v1/keys", {"bundle": "c2VjcmV0"}), 500)
    log = config.log.read_text()
    assert "Traceback (most recent call last):" in log
    assert "no such table: keys" in log
    assert "secret" not in log
    assert log.splitlines()[-1].split()[1:5] == ["alice", "PUT", "http://localhost/v1/keys", "500"]
    assert alice.get("/v1/conversations").status_code == 200
