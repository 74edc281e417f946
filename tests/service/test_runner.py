"""`python -m lab.service` as another program uses it: a child process and JSON lines."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from .test_events import GUARD, Stream

BODY = json.dumps({"name": "alice", "password": "correct horse battery staple"})


class Child:
    """A runner in a process of its own; leaving the context ends its standard input and awaits a clean exit."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", "-m", "lab.service"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def read(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, command: object) -> Any:
        return self.ask_raw(json.dumps(command).encode())

    def ask_raw(self, line: bytes) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()
        return self.read()

    def open(self, directory: Path, name: str, **settings: object) -> int:
        answer = self.ask(
            {"open": {"database": str(directory / f"{name}.db"), "log": str(directory / f"{name}.log"), **settings}}
        )
        port: int = answer["ok"]["port"]
        return port


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[[], Child]]:
    """Starts runners and, after the test, kills those that are left."""
    children: list[Child] = []

    def start() -> Child:
        children.append(Child())
        assert children[-1].read() == {"ready": {}}
        return children[-1]

    yield start
    for child in children:
        child.process.kill()
        child.process.communicate()


@pytest.fixture(scope="module")
def child(start: Callable[[], Child]) -> Child:
    """One runner for all tests that leave it running."""
    return start()


def post(port: int, path: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=GUARD)
    connection.request("POST", path, BODY, {"Content-Type": "application/json"})
    with connection.getresponse() as response:
        content = json.loads(response.read())
    connection.close()
    return response.status, content


def test_it_runs_services_that_share_nothing(child: Child, tmp_path: Path) -> None:
    first, second = child.open(tmp_path, "first"), child.open(tmp_path, "second")
    assert first != second
    assert post(first, "/v1/accounts")[0] == 201
    assert post(first, "/v1/login")[0] == 200
    assert post(second, "/v1/login")[0] == 401
    assert child.ask({"close": first}) == {"ok": {}}
    with pytest.raises(ConnectionError):
        post(first, "/v1/login")
    assert post(second, "/v1/login")[0] == 401
    assert child.ask({"close": second}) == {"ok": {}}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.db", "first.log", "second.db", "second.log"]


@pytest.mark.parametrize(("secure_delete", "left"), [(True, False), (False, True)])
def test_deleting_is_as_it_was_asked_for(child: Child, tmp_path: Path, secure_delete: bool, left: bool) -> None:
    port = child.open(tmp_path, "service", secure_delete=secure_delete)
    token = post(port, "/v1/accounts")[1]["token"]
    database = tmp_path / "service.db"
    connection = sqlite3.connect(database)
    (digest,) = connection.execute("SELECT digest FROM tokens").fetchone()
    connection.close()
    logout = HTTPConnection("127.0.0.1", port, timeout=GUARD)
    logout.request("DELETE", "/v1/login", headers={"Authorization": f"Bearer {token}"})
    logout.getresponse().close()
    logout.close()
    child.ask({"close": port})
    assert (digest in database.read_bytes()) is left


def test_the_clock_of_one_service_goes_forward_and_what_has_expired_is_gone(child: Child, tmp_path: Path) -> None:
    first, second = child.open(tmp_path, "first"), child.open(tmp_path, "second")
    created = [post(port, "/v1/accounts")[1]["expires"] for port in (first, second)]
    for name in ("first", "second"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as database, database:
            database.execute("INSERT INTO conversations VALUES ('c', 0, NULL)")
            database.execute(
                "INSERT INTO messages (id, conversation, sender, created, text, lifetime)"
                " VALUES ('m', 'c', 'alice', ?, 'goes', 3600)",
                (time.time(),),
            )
    assert child.ask({"advance": {"port": first, "seconds": 3600}}) == {"ok": {}}
    kept = []
    for name in ("first", "second"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as database:
            kept += database.execute("SELECT text FROM messages").fetchone()
    assert kept == [None, "goes"]
    later = [post(port, "/v1/login")[1]["expires"] for port in (first, second)]
    assert [round((new - old) / 3600) for new, old in zip(later, created, strict=True)] == [1, 0]
    for port in (first, second):
        child.ask({"close": port})


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
        (b"[]", "object"),
        (b"{}", "a command is one of open, advance and close"),
        (b'{"close": 1, "open": {"database": "d", "log": "l"}}', "a command is one of open, advance and close"),
        (b'{"stop": 1}', "at stop: Extra inputs"),
        (b'{"open": {"database": "d"}}', "at open.log: Field required"),
        (b'{"open": {"database": "d", "log": "l", "secure_delete": 1}}', "at open.secure_delete: Input should be"),
        (b'{"close": "80"}', "at close: Input should be a valid integer"),
        (b'{"close": 80}', "No service runs on port 80."),
        (b'{"advance": {"port": 80, "seconds": 1}}', "No service runs on port 80."),
        (b'{"advance": {"port": 80, "seconds": -1}}', "at advance.seconds: Input should be greater"),
    ],
)
def test_a_bad_command_is_answered_with_a_sentence(child: Child, line: bytes, sentence: str) -> None:
    answer = child.ask_raw(line)
    assert list(answer) == ["error"]
    assert sentence in answer["error"]
    assert "\n" not in answer["error"]


def test_a_service_that_cannot_start_leaves_the_others_running(child: Child, tmp_path: Path) -> None:
    port = child.open(tmp_path, "service")
    (tmp_path / "text.db").write_text("This is no database. " * 100)
    for database, reason in (("missing/service.db", "No such file or directory"), ("text.db", "not a database")):
        answer = child.ask({"open": {"database": str(tmp_path / database), "log": str(tmp_path / "log")}})
        assert answer["error"].startswith("The service could not be started: ")
        assert reason in answer["error"]
    assert post(port, "/v1/login")[0] == 401
    assert child.ask({"close": port}) == {"ok": {}}


def test_it_ends_with_its_input_whatever_is_open(start: Callable[[], Child], tmp_path: Path) -> None:
    child = start()
    ports = [child.open(tmp_path, name) for name in ("first", "second")]
    streams = []
    for port in ports:
        post(port, "/v1/accounts")
        streams.append(Stream(port, post(port, "/v1/login")[1]["token"], ""))
        assert streams[-1].event() == {"event": "ready", "data": "{}"}
    output, errors = child.process.communicate(timeout=GUARD)
    assert (child.process.returncode, output, errors) == (0, b"", b"")
    for stream in streams:
        with stream:
            assert stream.response.read() == b""
    assert not list(tmp_path.glob("*-wal"))
