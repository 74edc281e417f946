"""What the service leaves in its files: for whom they are readable, what is in them and what is not."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, text
from sqlalchemy.exc import IntegrityError

from lab.service.app import ServiceApp
from lab.service.config import Config
from lab.service.storage import Storage, accounts, keys

from .conftest import PASSWORD, Clock, Person, read_json


@pytest.fixture
def permissive_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def contents(config: Config) -> bytes:
    """Every byte at rest, the write-ahead log included."""
    return b"".join(path.read_bytes() for path in sorted(config.database.parent.iterdir()))


class TestFiles:
    @pytest.mark.usefixtures("permissive_umask")
    def test_they_are_for_their_owner_only(self, start: Callable[..., ServiceApp], config: Config) -> None:
        start()
        files = sorted(config.database.parent.iterdir())
        assert [path.name for path in files] == ["service.db", "service.db-shm", "service.db-wal", "service.log"]
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}

    def test_neither_password_nor_token_is_in_them(self, alice: Person, config: Config) -> None:
        alice.login("a wrong password")
        alice.get("/v1/conversations")
        found = contents(config)
        assert b"alice" in found
        assert b"$argon2id$v=19$m=7168,t=5,p=1$" in found
        for secret in (PASSWORD, "a wrong password", alice.token):
            assert secret.encode() not in found

    def test_content_is_stored_as_it_was_sent(self, alice: Person, bob: Person, config: Config) -> None:
        alice.say(alice.converse(bob), "Treffpunkt: Café")
        assert "Treffpunkt: Café".encode() in contents(config)
        assert b"Treffpunkt" not in config.log.read_bytes()

    def test_closing_keeps_everything_and_lets_go_of_the_files(
        self, start: Callable[..., ServiceApp], config: Config
    ) -> None:
        first = start()
        Person(first.test_client(), "alice").register()
        first.close()
        first.close()
        assert not config.database.with_name("service.db-wal").exists()
        assert Person(start().test_client(), "alice").login().status_code == 200
        assert len(config.log.read_text().splitlines()) == 2

    def test_two_services_share_nothing(
        self, app: ServiceApp, start: Callable[..., ServiceApp], tmp_path: Path
    ) -> None:
        other = start(database=tmp_path / "other.db", log=tmp_path / "other.log")
        Person(app.test_client(), "alice").register()
        assert Person(other.test_client(), "alice").login().status_code == 401


def _insert(storage: Storage, *rows: dict[str, object]) -> None:
    with storage.writing() as connection:
        for row in rows:
            connection.execute(insert(accounts), row)


class TestDeletedRows:
    @pytest.mark.parametrize(("secure_delete", "left"), [(True, False), (False, True)])
    def test_they_are_overwritten_or_stay_as_configured(self, tmp_path: Path, secure_delete: bool, left: bool) -> None:
        database = tmp_path / "service.db"
        storage = Storage(database, secure_delete=secure_delete)
        with storage.writing() as connection:
            connection.execute(insert(accounts), {"name": "alice", "password": "what was deleted", "created": 0})
        with storage.reading() as connection:
            assert connection.scalar(text("PRAGMA secure_delete")) == secure_delete
        with storage.writing() as connection:
            connection.execute(delete(accounts))
        storage.close()
        assert (b"what was deleted" in database.read_bytes()) is left


class TestStorage:
    def test_a_failed_transaction_leaves_nothing_behind(self, tmp_path: Path) -> None:
        storage = Storage(tmp_path / "service.db", secure_delete=True)
        row = {"name": "alice", "password": "", "created": 0}
        with pytest.raises(IntegrityError):
            _insert(storage, row, row)
        with storage.reading() as connection:
            assert connection.execute(accounts.select()).all() == []
        storage.close()

    def test_references_are_checked(self, tmp_path: Path) -> None:
        storage = Storage(tmp_path / "service.db", secure_delete=True)
        with pytest.raises(IntegrityError, match="FOREIGN KEY"), storage.writing() as connection:
            connection.execute(insert(keys), {"account": "nobody", "bundle": b""})
        storage.close()

    def test_a_sequence_number_is_never_given_twice(self, alice: Person, bob: Person, config: Config) -> None:
        conversation = alice.converse(bob)
        alice.say(conversation, "one")
        with sqlite3.connect(config.database) as connection:
            connection.execute("DELETE FROM messages")
        connection.close()
        alice.say(conversation, "two")
        assert [each["sequence"] for each in read_json(bob.get(f"{conversation}/messages"))["messages"]] == [2]

    def test_columns_are_what_a_reader_of_the_file_finds(self, app: ServiceApp, config: Config) -> None:
        connection = sqlite3.connect(config.database)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [column[1] for column in connection.execute("PRAGMA table_info(messages)")]
        connection.close()
        of_accounts = {
            "accounts",
            "tokens",
            "keys",
            "device_lists",
            "devices",
            "one_time_keys",
            "blobs",
            "text_messages",
        }
        of_conversations = {"conversations", "members", "opt_ins", "lifetimes", "messages", "envelopes", "receipts"}
        of_accounts |= {"profiles", "reports"}
        of_log = {"log_key", "log_entries", "log_nodes"}
        assert set(tables) - {"sqlite_sequence"} == of_accounts | of_conversations | of_log
        assert " ".join(columns) == (
            "id sequence conversation sender created text attachment_name attachment_type attachment device shared"
            " lifetime deleted commitment"
        )


class TestLog:
    def test_there_is_a_line_for_each_request(self, alice: Person, clock: Clock, config: Config) -> None:
        alice.client.get("/v1/conversations?a=b&c", headers=alice.headers, base_url="https://chat.example")
        size = len(alice.client.get("/v1/nothing").data)
        alice.delete("/v1/login")
        assert config.log.read_text().splitlines()[-3:] == [
            "2023-11-14T22:13:20.250+00:00 alice GET https://chat.example/v1/conversations?a=b&c 200 21",
            f"2023-11-14T22:13:20.250+00:00 - GET http://localhost/v1/nothing 404 {size}",
            "2023-11-14T22:13:20.250+00:00 alice DELETE http://localhost/v1/login 204 0",
        ]

    def test_a_request_cannot_write_lines_of_its_own(self, app: ServiceApp, config: Config) -> None:
        app.test_client().get("/v1/%0aforged%20line", headers={"Host": "a b\tc"})
        (line,) = config.log.read_text().splitlines()
        assert len(line.split()) == 6

    def test_a_token_of_someone_unknown_is_nobody(self, alice: Person, config: Config) -> None:
        alice.token = "x" * 43
        alice.get("/v1/conversations")
        assert config.log.read_text().splitlines()[-1].split()[1] == "-"
        assert alice.token not in config.log.read_text()
