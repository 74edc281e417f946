"""A service with a clock that stands still, and people who use it."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lab.service.app import ServiceApp, create_app
from lab.service.config import Config
from lab.service.passwords import Passwords

PASSWORD = "correct horse battery staple"


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.25

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Person:
    """A client with an account and, once logged in, a token."""

    def __init__(self, client: FlaskClient, name: str) -> None:
        self.client = client
        self.name = name
        self.token = ""

    def register(self, password: str = PASSWORD) -> TestResponse:
        return self.post("/v1/accounts", {"name": self.name, "password": password})

    def login(self, password: str = PASSWORD) -> TestResponse:
        response = self.post("/v1/login", {"name": self.name, "password": password})
        if response.status_code == 200:
            self.token = read_json(response)["token"]
        return response

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, body: object) -> TestResponse:
        return self.client.post(path, json=body, headers=self.headers)

    def put(self, path: str, body: object) -> TestResponse:
        return self.client.put(path, json=body, headers=self.headers)

    def delete(self, path: str) -> TestResponse:
        return self.client.delete(path, headers=self.headers)

    def converse(self, *others: Person) -> str:
        """A new conversation's path."""
        response = self.post("/v1/conversations", {"members": [other.name for other in others]})
        assert response.status_code == 201, response.text
        return f"/v1/conversations/{read_json(response)['id']}"

    def say(self, conversation: str, text: str) -> Any:
        response = self.post(f"{conversation}/messages", {"content": {"text": text}})
        assert response.status_code == 201, response.text
        return read_json(response)

    def has_devices(self, *numbers: int) -> None:
        response = self.put("/v1/device-list", {"devices": numbers, "data": encoded(b"signed list")})
        assert response.status_code == 200, response.text

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def encoded(data: bytes) -> str:
    """Bytes as they are in JSON."""
    return b64encode(data).decode()


def envelope(recipient: str, data: bytes | None = b"sealed", device: int | None = None) -> dict[str, Any]:
    """An envelope as it is in JSON."""
    return {"recipient": recipient, "device": device, "data": None if data is None else encoded(data)}


def read_json(response: TestResponse) -> Any:
    """The JSON in a response."""
    return json.loads(response.data)


def assert_problem(response: TestResponse, status: int) -> Any:
    """The response is a problem in the form of RFC 9457."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    problem = read_json(response)
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["status"] == status
    assert problem["detail"]
    return problem


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def config(tmp_path: Path, clock: Clock) -> Config:
    return Config(tmp_path / "service.db", tmp_path / "service.log", clock=clock)


@pytest.fixture
def start(config: Config) -> Iterator[Callable[..., ServiceApp]]:
    """Starts services with changed settings, and closes them after the test."""
    apps = []

    def start(**settings: Any) -> ServiceApp:
        apps.append(create_app(replace(config, **settings)))
        return apps[-1]

    yield start
    for app in apps:
        app.close()


@pytest.fixture
def app(start: Callable[..., ServiceApp]) -> ServiceApp:
    return start()


@pytest.fixture(scope="session")
def password_hash() -> str:
    """The hash of the password everyone has: made once, as it is meant to be slow."""
    with closing(Passwords()) as passwords:
        return passwords.hash(PASSWORD)


@pytest.fixture
def enrol(config: Config, password_hash: str) -> Callable[[str], str]:
    """Adds an account to the database of a started service, logged in; returns the token."""

    def enrol(name: str) -> str:
        token = secrets.token_urlsafe(32)
        digest = hashlib.sha256(token.encode()).digest()
        now = config.clock()
        with closing(sqlite3.connect(config.database)) as connection, connection:
            connection.execute("INSERT INTO accounts VALUES (?, ?, ?)", (name, password_hash, now))
            connection.execute("INSERT INTO tokens VALUES (?, ?, ?)", (digest, name, now + config.token_lifetime))
        return token

    return enrol


@pytest.fixture
def person(app: ServiceApp, enrol: Callable[[str], str]) -> Callable[[str], Person]:
    """Makes people who are registered and logged in."""

    def person(name: str) -> Person:
        made = Person(app.test_client(), name)
        made.token = enrol(name)
        return made

    return person


@pytest.fixture
def alice(person: Callable[[str], Person]) -> Person:
    return person("alice")


@pytest.fixture
def bob(person: Callable[[str], Person]) -> Person:
    return person("bob")


@pytest.fixture
def carol(person: Callable[[str], Person]) -> Person:
    return person("carol")
