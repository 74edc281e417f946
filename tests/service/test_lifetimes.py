"""Messages that the service deletes itself: when, what of them, and what is left in its files."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from lab.service.app import ServiceApp
from lab.service.config import Config
from lab.service.storage import Storage

from .conftest import Clock, Person, assert_problem, encoded, read_json

HOUR = 3600
FILE = {"name": "plan.txt", "type": "text/plain", "data": encoded(b"a file that goes")}


def keep(person: Person, conversation: str, seconds: int | None) -> None:
    response = person.put(f"{conversation}/lifetime", {"seconds": seconds})
    assert (response.status_code, response.json) == (200, {"seconds": seconds})


def read(person: Person, message: str, state: str = "read") -> None:
    assert person.post(f"/v1/messages/{message}/receipts", {"state": state}).status_code == 200


def texts(person: Person, conversation: str) -> list[str]:
    return [each["text"] for each in read_json(person.get(f"{conversation}/messages"))["messages"]]


def at_rest(config: Config) -> bytes:
    """The database and its write-ahead log, while the service runs."""
    return b"".join(config.database.with_name(name).read_bytes() for name in ("service.db", "service.db-wal"))


class TestTimer:
    def test_what_is_posted_from_then_on_goes_when_its_time_is_over(
        self, alice: Person, bob: Person, clock: Clock
    ) -> None:
        conversation = alice.converse(bob)
        alice.say(conversation, "before")
        keep(bob, conversation, HOUR)
        alice.say(conversation, "goes")
        clock.advance(HOUR - 1)
        assert texts(bob, conversation) == ["before", "goes"]
        clock.advance(1)
        assert texts(bob, conversation) == texts(alice, conversation) == ["before"]

    def test_it_can_be_changed_and_switched_off(self, alice: Person, bob: Person, clock: Clock) -> None:
        conversation = alice.converse(bob)
        for seconds in (HOUR, 5, None):
            keep(alice, conversation, seconds)
            alice.say(conversation, str(seconds))
        clock.advance(5)
        assert texts(bob, conversation) == [str(HOUR), "None"]
        clock.advance(HOUR)
        assert texts(bob, conversation) == ["None"]

    def test_it_is_for_one_conversation_alone(self, alice: Person, bob: Person, carol: Person, clock: Clock) -> None:
        with_bob, with_carol = alice.converse(bob), alice.converse(carol)
        keep(alice, with_bob, 5)
        alice.say(with_carol, "stays")
        clock.advance(5)
        assert texts(carol, with_carol) == ["stays"]

    def test_who_wrote_and_when_stays_and_the_id_is_known(self, alice: Person, bob: Person, clock: Clock) -> None:
        conversation = alice.converse(bob)
        keep(alice, conversation, 5)
        new = {"id": "11111111-2222-4333-8444-555555555555", "content": {"text": "goes", "attachment": FILE}}
        first = read_json(alice.post(f"{conversation}/messages", new))
        read(bob, first["id"])
        clock.advance(5)
        status = read_json(bob.get(f"/v1/messages/{first['id']}"))
        assert (status["sender"], status["time"]) == ("alice", first["time"])
        assert (status["text"], status["attachment"]) == (None, None)
        assert [receipt["state"] for receipt in status["receipts"]] == ["read"]
        assert read_json(alice.post(f"{conversation}/messages", new)) == first
        assert texts(bob, conversation) == []

    @pytest.mark.parametrize("seconds", [-1, 24 * HOUR + 1, 1.5, "5", True])
    def test_other_times_are_refused(self, alice: Person, bob: Person, seconds: object) -> None:
        assert_problem(alice.put(f"{alice.converse(bob)}/lifetime", {"seconds": seconds}), 422)

    def test_only_a_member_sets_it(self, alice: Person, bob: Person, carol: Person) -> None:
        assert_problem(carol.put(f"{alice.converse(bob)}/lifetime", {"seconds": 5}), 404)


class TestVanishMode:
    def test_a_message_goes_once_it_was_read_and_not_before(self, alice: Person, bob: Person, clock: Clock) -> None:
        conversation = alice.converse(bob)
        keep(alice, conversation, 0)
        message = alice.say(conversation, "goes")["id"]
        read(bob, message, "delivered")
        clock.advance(HOUR)
        assert texts(bob, conversation) == ["goes"]
        read(bob, message)
        assert texts(bob, conversation) == []

    def test_the_last_of_the_others_has_to_read_it(self, alice: Person, bob: Person, carol: Person) -> None:
        conversation = alice.converse(bob, carol)
        keep(alice, conversation, 0)
        message = alice.say(conversation, "goes")["id"]
        read(bob, message)
        read(bob, message)
        assert texts(carol, conversation) == ["goes"]
        read(carol, message)
        assert texts(carol, conversation) == []

    def test_reading_deletes_nothing_that_is_kept_otherwise(self, alice: Person, bob: Person) -> None:
        conversation = alice.converse(bob)
        for seconds in (None, HOUR):
            keep(alice, conversation, seconds)
            read(bob, alice.say(conversation, "stays")["id"])
        assert texts(bob, conversation) == ["stays"] * 2


class TestWhatIsLeft:
    @pytest.mark.parametrize(("secure_delete", "left"), [(False, True), (True, False)])
    def test_the_content_is_overwritten_or_stays_and_the_row_stays_anyway(
        self, start: Callable[..., ServiceApp], config: Config, secure_delete: bool, left: bool
    ) -> None:
        app = start(secure_delete=secure_delete)
        alice, bob = (Person(app.test_client(), name) for name in ("alice", "bob"))
        for person in (alice, bob):
            person.register()
            person.login()
        conversation = alice.converse(bob)
        keep(alice, conversation, 0)
        new = {"content": {"text": "a text that goes", "attachment": FILE}}
        message = read_json(alice.post(f"{conversation}/messages", new))["id"]
        kept = at_rest(config)
        assert all(part in kept for part in (b"a text that goes", b"a file that goes", message.encode()))
        read(bob, message)
        kept = at_rest(config)
        assert [part in kept for part in (b"a text that goes", b"a file that goes", message.encode())] == [
            left,
            left,
            True,
        ]

    def test_overwriting_rows_alone_leaves_the_write_ahead_log_as_it_was(self, config: Config) -> None:
        storage = Storage(config.database, secure_delete=True)
        with storage.writing() as connection:
            connection.execute(text("INSERT INTO accounts VALUES ('alice', 'what was deleted', 0)"))
        with storage.writing() as connection:
            connection.execute(text("DELETE FROM accounts"))
        assert b"what was deleted" in at_rest(config)
        storage.erase()
        assert b"what was deleted" not in at_rest(config)
        storage.close()
