"""Paths that are watched: what is read at rest, and what keeps a "hidden" from being said there."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from lab.audit.window import Audit, LeakError, UndecidedError, View, Window
from lab.model import LabError

type Client = requests.Session


@contextmanager
def observed(audit: Audit, service: str, client: Client, secret: str) -> Iterator[Window]:
    with audit.observe(service) as lab:
        client.post(f"{lab.url}/messages", json={"n": 1}).raise_for_status()
        yield lab
        lab.confirm(secret)


def in_log(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(f"INFO received {text}\n")


def in_database(path: Path, text: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, text TEXT)")
        database.execute("INSERT INTO messages (text) VALUES (?)", (text,))
        database.commit()


def in_folder(path: Path, text: str) -> None:
    (path / "deep").mkdir(parents=True, exist_ok=True)
    (path / "deep" / "old.log.gz").write_bytes(gzip.compress(f"{text}\n".encode()))
    in_log(path / "new.log", "nothing")


def in_a_file_name(path: Path, text: str) -> None:
    path.mkdir(exist_ok=True)
    (path / f"{text}.txt").write_text("nothing")


def in_a_folder_name(path: Path, text: str) -> None:
    (path / text).mkdir(parents=True)
    in_log(path / text / "new.log", "nothing")


STORES: dict[str, Callable[[Path, str], None]] = {"app.log": in_log, "app.sqlite": in_database, "logs": in_folder}
STORES |= {"uploads": in_a_file_name, "accounts": in_a_folder_name}


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("stored", [True, False])
def test_what_is_kept_is_read(
    audit: Audit, service: str, client: Client, tmp_path: Path, name: str, *, stored: bool
) -> None:
    body = audit.secret("body")
    with observed(audit, service, client, body) as lab:
        at_rest = lab.watch(tmp_path / name)
        STORES[name](tmp_path / name, body if stored else "something else")
    assert lab.matrix.columns[-1] == name
    if stored:
        at_rest.exposes(body)
        with pytest.raises(LeakError, match=r"observer: +" + name.replace(".", r"\.")):
            at_rest.hides(body)
    else:
        at_rest.hides(body)
        with pytest.raises(LeakError, match="expected: exposed"):
            at_rest.exposes(body)


def test_what_stands_in_the_log_beside_a_database_is_read(
    audit: Audit, service: str, client: Client, tmp_path: Path
) -> None:
    body = audit.secret("body")
    path = tmp_path / "app.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        in_database(path, "before")
        database.execute("SELECT * FROM messages").fetchall()  # whoever closes it last empties the log
        with observed(audit, service, client, body) as lab:
            at_rest = lab.watch(path)
            in_database(path, body)
        assert (tmp_path / "app.sqlite-wal").stat().st_size > 0
    at_rest.exposes(body)


@pytest.mark.parametrize("kept", [True, False])
def test_what_stands_in_the_journal_beside_a_database_is_read(
    audit: Audit, service: str, client: Client, tmp_path: Path, *, kept: bool
) -> None:
    body = audit.secret("body")
    path = tmp_path / "app.sqlite"
    with observed(audit, service, client, body) as lab:
        at_rest = lab.watch(path)
        with closing(sqlite3.connect(path)) as database:
            database.execute(f"PRAGMA journal_mode={'PERSIST' if kept else 'DELETE'}")
            database.execute("PRAGMA secure_delete=ON")
            in_database(path, body)
            database.execute("DELETE FROM messages")
            database.commit()
        assert body.encode() not in path.read_bytes()
        assert (tmp_path / "app.sqlite-journal").exists() is kept
    (at_rest.exposes if kept else at_rest.hides)(body)


def why(view: View, secret: str) -> str:
    with pytest.raises(UndecidedError) as caught:
        view.hides(secret)
    return str(caught.value)


def test_a_path_in_which_nothing_changes_proves_nothing(
    audit: Audit, service: str, client: Client, tmp_path: Path
) -> None:
    body = audit.secret("body")
    in_log(tmp_path / "app.log", "before")
    with observed(audit, service, client, body) as lab:
        log, nowhere = lab.watch(tmp_path / "app.log"), lab.watch(tmp_path / "nowhere")
    assert "nothing in" in why(log, body)
    assert "has changed since it is watched" in why(log, body)
    assert f"there is no {tmp_path / 'nowhere'}" in why(nowhere, body)


def test_a_damaged_database_proves_nothing(audit: Audit, service: str, client: Client, tmp_path: Path) -> None:
    body = audit.secret("body")
    path = tmp_path / "app.sqlite"
    with observed(audit, service, client, body) as lab:
        at_rest = lab.watch(path)
        in_database(path, "something else")
        path.write_bytes(path.read_bytes()[:100] + bytes(8092))
    assert "control" in why(at_rest, body)


def test_names_of_observers_are_told_apart(audit: Audit, service: str, client: Client, tmp_path: Path) -> None:
    body = audit.secret("body")
    with observed(audit, service, client, body) as lab:
        lab.watch(tmp_path / "app.log")
        with pytest.raises(LabError, match=r"there is an observer 'app.log' already"):
            lab.watch(tmp_path / "other" / "app.log")
        other = lab.watch(tmp_path / "other.log", "the other log")
        in_log(tmp_path / "other.log", body)
    other.exposes(body)
    with pytest.raises(LabError, match="belongs before the traffic"):
        lab.watch(tmp_path)
