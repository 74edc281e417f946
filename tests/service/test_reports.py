"""Reports: what a recipient shows the operator, and what the operator can know about it."""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from werkzeug.test import TestResponse

from lab.service.config import Config
from lab.service.reports import commitment

from .conftest import Person, assert_problem, encoded, envelope, read_json

OPENING = bytes(range(32))
TEXT = "You are stupid"
FILE = '{"name":"a.txt"}'


def post(sender: Person, conversation: str, recipient: str, committed: bytes | None) -> str:
    """A sealed message; its id."""
    body: dict[str, Any] = {"envelopes": [envelope(recipient)]}
    if committed is not None:
        body["commitment"] = encoded(committed)
    posted = sender.post(f"{conversation}/messages", body)
    assert posted.status_code == 201, posted.text
    return str(read_json(posted)["id"])


def report(reporter: Person, message: str, opening: bytes | None = None, **what: str) -> TestResponse:
    body = {"message": message, **what}
    return reporter.post("/v1/reports", body if opening is None else {**body, "opening": encoded(opening)})


def kept(config: Config) -> list[tuple[Any, ...]]:
    """Who has reported what of whom, and what could be established: as the operator reads it."""
    with closing(sqlite3.connect(config.database)) as database:
        columns = "reporter, sender, message, text, file, blob, finding"
        return database.execute(f"SELECT {columns} FROM reports ORDER BY rowid").fetchall()  # noqa: S608


def found(config: Config) -> list[str]:
    return [row[-1] for row in kept(config)]


def by_hand(opening: bytes, text: str, file: str) -> bytes:
    def block(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    content = block(text.encode()) + block(file.encode())
    label = b"mitm-lab/1 commitment to a message"
    return hmac.new(opening, block(label) + block(content), hashlib.sha256).digest()


def test_a_commitment_is_what_its_description_says() -> None:
    assert commitment(OPENING, TEXT, FILE) == by_hand(OPENING, TEXT, FILE)
    assert commitment(OPENING, TEXT, "") != commitment(OPENING, "", TEXT)
    assert commitment(OPENING, "ab", "c") != commitment(OPENING, "a", "bc")


class TestWithoutCommitment:
    def test_the_operator_has_the_word_of_the_recipient(self, alice: Person, bob: Person, config: Config) -> None:
        message = post(alice, alice.converse(bob), "bob", None)
        filed = report(bob, message, text=TEXT)
        assert filed.status_code == 201
        assert read_json(filed).keys() == {"id", "message", "time"}
        report(bob, message, OPENING, text="Something else")
        assert kept(config) == [
            ("bob", "alice", message, TEXT, None, None, "recipient says so"),
            ("bob", "alice", message, "Something else", None, None, "recipient says so"),
        ]


class TestWithCommitment:
    def test_what_opens_it_was_sent(self, alice: Person, bob: Person, config: Config) -> None:
        conversation = alice.converse(bob)
        text = post(alice, conversation, "bob", commitment(OPENING, TEXT, ""))
        file = post(alice, conversation, "bob", commitment(OPENING, "", FILE))
        both = post(alice, conversation, "bob", commitment(OPENING, TEXT, FILE))
        report(bob, text, OPENING, text=TEXT)
        report(bob, file, OPENING, file=FILE, blob="where it is")
        report(bob, both, OPENING, text=TEXT, file=FILE)
        assert found(config) == ["was sent"] * 3
        assert kept(config)[1] == ("bob", "alice", file, None, FILE, "where it is", "was sent")

    def test_what_does_not_open_it_was_not(self, alice: Person, bob: Person, config: Config) -> None:
        message = post(alice, alice.converse(bob), "bob", commitment(OPENING, TEXT, ""))
        report(bob, message, OPENING, text="Something else")
        report(bob, message, os.urandom(32), text=TEXT)
        report(bob, message, OPENING, text=TEXT, file=FILE)
        report(bob, message, OPENING, file=TEXT)
        report(bob, message, text=TEXT)
        assert found(config) == ["was not sent"] * 5

    def test_it_reaches_the_recipient(self, alice: Person, bob: Person) -> None:
        conversation = alice.converse(bob)
        post(alice, conversation, "bob", bytes(32))
        post(alice, conversation, "bob", None)
        messages = read_json(bob.get(f"{conversation}/messages"))["messages"]
        assert [message["commitment"] for message in messages] == [encoded(bytes(32)), None]

    @pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33)])
    def test_it_has_32_bytes(self, alice: Person, bob: Person, wrong: bytes) -> None:
        conversation = alice.converse(bob)
        body = {"envelopes": [envelope("bob")], "commitment": encoded(wrong)}
        assert_problem(alice.post(f"{conversation}/messages", body), 422)

    def test_what_can_be_read_needs_none(self, alice: Person, bob: Person) -> None:
        conversation = alice.converse(bob)
        body = {"content": {"text": TEXT}, "commitment": encoded(bytes(32))}
        assert_problem(alice.post(f"{conversation}/messages", body), 422)


def test_of_what_the_service_can_read_it_knows_by_itself(alice: Person, bob: Person, config: Config) -> None:
    message = alice.say(alice.converse(bob), TEXT)["id"]
    report(bob, message, text=TEXT)
    report(bob, message, OPENING, text="Something else")
    report(bob, message, text=TEXT, file=FILE)
    assert found(config) == ["was sent", "was not sent", "was not sent"]


def test_only_a_recipient_reports(alice: Person, bob: Person, carol: Person, config: Config) -> None:
    message = post(alice, alice.converse(bob), "bob", None)
    assert_problem(report(alice, message, text=TEXT), 403)
    assert_problem(report(carol, message, text=TEXT), 404)
    assert_problem(report(bob, message[:-1] + ("0" if message[-1] != "0" else "1"), text=TEXT), 404)
    bob.token = ""
    assert_problem(report(bob, message, text=TEXT), 401)
    assert kept(config) == []


def test_whoever_joins_later_has_nothing_to_report(alice: Person, bob: Person, carol: Person, config: Config) -> None:
    conversation = alice.converse(bob)
    before = post(alice, conversation, "bob", None)
    alice.post(f"{conversation}/members", {"account": "carol"})
    posted = alice.post(f"{conversation}/messages", {"envelopes": [envelope("bob"), envelope("carol")]})
    assert_problem(report(carol, before, text=TEXT), 404)
    assert report(carol, read_json(posted)["id"], text=TEXT).status_code == 201


@pytest.mark.parametrize("wrong", [{}, {"opening": "AAAA", "text": TEXT}, {"blob": "a"}, {"text": 5}])
def test_a_report_says_what_was_sent(alice: Person, bob: Person, wrong: dict[str, Any]) -> None:
    message = post(alice, alice.converse(bob), "bob", None)
    assert_problem(bob.post("/v1/reports", {"message": message, **wrong}), 422)
