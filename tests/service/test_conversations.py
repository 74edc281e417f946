"""Conversations, messages and receipts, and what is kept from those who are not part of them."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from .conftest import Clock, Person, assert_problem, encoded, envelope, read_json

FILE = {"name": "café ☕.txt", "type": "text/plain", "data": encoded(b"\x00\xff file")}


class TestStarting:
    def test_the_creator_is_always_a_member(self, alice: Person, bob: Person) -> None:
        for members in (["bob"], ["alice", "bob"], ["bob", "bob"]):
            response = alice.post("/v1/conversations", {"members": members})
            assert response.status_code == 201
            assert read_json(response)["members"] == ["alice", "bob"]

    def test_each_member_finds_it_and_nobody_else(
        self, alice: Person, bob: Person, carol: Person, clock: Clock
    ) -> None:
        created = []
        for members in (["bob"], ["bob", "alice"]):
            created.append(alice.post("/v1/conversations", {"members": members}).json)
            clock.advance(1)
        for member in (alice, bob):
            assert member.get("/v1/conversations").json == {"conversations": created}
        assert carol.get("/v1/conversations").json == {"conversations": []}

    @pytest.mark.parametrize("members", [[], ["alice"], ["nobody"], ["bob", "nobody"], ["Bob"], "bob", [None]])
    def test_two_existing_members_are_needed(self, alice: Person, bob: Person, members: object) -> None:
        assert_problem(alice.post("/v1/conversations", {"members": members}), 422)
        assert bob.get("/v1/conversations").json == {"conversations": []}

    @pytest.mark.parametrize("title", [None, "t", "Reisegruppe ☕", "t" * 200])
    def test_it_may_have_a_title(self, alice: Person, bob: Person, title: str | None) -> None:
        response = alice.post("/v1/conversations", {"members": ["bob"], "title": title})
        assert (response.status_code, read_json(response)["title"]) == (201, title)
        assert bob.get("/v1/conversations").json == {"conversations": [response.json]}

    @pytest.mark.parametrize("title", ["", "t" * 201, 1])
    def test_other_titles_are_refused(self, alice: Person, bob: Person, title: object) -> None:
        assert_problem(alice.post("/v1/conversations", {"members": [bob.name], "title": title}), 422)

    def test_64_members_are_the_most(self, alice: Person) -> None:
        names = [f"member{number}" for number in range(64)]
        assert "65" in assert_problem(alice.post("/v1/conversations", {"members": names}), 422)["detail"]


class TestContent:
    def test_members_read_what_was_sent(self, alice: Person, bob: Person, clock: Clock) -> None:
        conversation = alice.converse(bob)
        sent = alice.post(f"{conversation}/messages", {"content": {"text": "Grüße ☕\n\0", "attachment": FILE}})
        assert sent.status_code == 201
        assert UUID(read_json(sent)["id"]).version == 4
        assert read_json(sent)["time"] == clock.now
        for reader in (alice, bob):
            assert reader.get(f"{conversation}/messages").json == {
                "messages": [
                    {
                        "id": read_json(sent)["id"],
                        "sequence": 1,
                        "conversation": conversation.rsplit("/", 1)[1],
                        "sender": "alice",
                        "device": None,
                        "time": clock.now,
                        "text": "Grüße ☕\n\0",
                        "attachment": FILE,
                        "envelope": None,
                        "shared": None,
                        "commitment": None,
                    }
                ]
            }

    def test_characters_travel_as_they_are(self, alice: Person, bob: Person) -> None:
        conversation = alice.converse(bob)
        alice.say(conversation, "Grüße ☕")
        assert "Grüße ☕".encode() in bob.get(f"{conversation}/messages").data

    def test_text_or_attachment_is_enough(self, alice: Person, bob: Person) -> None:
        conversation = alice.converse(bob)
        for content in ({"text": ""}, {"attachment": FILE}, {"text": "x", "attachment": None}):
            assert alice.post(f"{conversation}/messages", {"content": content}).status_code == 201
        texts = [each["text"] for each in read_json(bob.get(f"{conversation}/messages"))["messages"]]
        assert texts == ["", None, "x"]

    def test_limits_are_inclusive(self, alice: Person, bob: Person) -> None:
        conversation = alice.converse(bob)
        largest = {"name": "n" * 255, "type": "t", "data": encoded(bytes(512 * 1024))}
        content: dict[str, object] = {"text": "ä" * 10_000, "attachment": largest}
        assert alice.post(f"{conversation}/messages", {"content": content}).status_code == 201
        too_much: tuple[dict[str, object], ...] = (
            {"text": "x" * 10_001},
            {"attachment": FILE | {"name": "n" * 256}},
            {"attachment": FILE | {"name": ""}},
            {"attachment": FILE | {"data": encoded(bytes(512 * 1024 + 1))}},
            {"attachment": FILE | {"data": "no base64"}},
        )
        for content in too_much:
            assert_problem(alice.post(f"{conversation}/messages", {"content": content}), 422)

    @pytest.mark.parametrize(
        "message",
        [
            {},
            {"content": None},
            {"content": {}},
            {"content": {"text": None}},
            {"content": {"text": "x"}, "envelopes": [envelope("bob")]},
            {"content": {"text": "x"}, "sender": "bob"},
            {"content": {"text": "x"}, "shared": ""},
            {"shared": ""},
            {"envelopes": [envelope("bob", None)]},
            {"envelopes": [envelope("bob"), envelope("bob", b"another one")]},
        ],
    )
    def test_a_message_is_exactly_one_thing(self, alice: Person, bob: Person, message: object) -> None:
        conversation = alice.converse(bob)
        assert_problem(alice.post(f"{conversation}/messages", message), 422)
        assert bob.get(f"{conversation}/messages").json == {"messages": []}


class TestEnvelopes:
    def test_everyone_gets_the_one_addressed_to_them(self, alice: Person, bob: Person, carol: Person) -> None:
        conversation = alice.converse(bob, carol)
        envelopes = [envelope("carol", b"for carol"), envelope("bob", b"for bob")]
        sent = alice.post(f"{conversation}/messages", {"envelopes": envelopes})
        assert sent.status_code == 201
        for reader, expected in ((alice, None), (bob, envelopes[1]["data"]), (carol, envelopes[0]["data"])):
            message = read_json(reader.get(f"/v1/messages/{read_json(sent)['id']}"))
            assert message["envelope"] == expected
            assert (message["text"], message["attachment"]) == (None, None)

    @pytest.mark.parametrize(
        ("recipients", "missing", "stale"),
        [
            ([], ["bob", "carol"], []),
            (["bob"], ["carol"], []),
            (["bob", "dave"], ["carol"], ["dave"]),
            (["alice", "bob", "carol"], [], ["alice"]),
        ],
    )
    def test_nobody_is_left_out_or_added(
        self, alice: Person, bob: Person, carol: Person, recipients: list[str], missing: list[str], stale: list[str]
    ) -> None:
        conversation = alice.converse(bob, carol)
        body = {"envelopes": [envelope(name) for name in recipients]}
        problem = assert_problem(alice.post(f"{conversation}/messages", body), 409)
        assert problem["missing"] == [{"account": name, "device": None} for name in missing]
        assert problem["stale"] == [{"account": name, "device": None} for name in stale]
        assert bob.get(f"{conversation}/messages").json == {"messages": []}


class TestReceipts:
    def test_the_sender_learns_what_became_of_a_message(
        self, alice: Person, bob: Person, carol: Person, clock: Clock
    ) -> None:
        conversation = alice.converse(bob, carol)
        message = f"/v1/messages/{alice.say(conversation, 'hello')['id']}"
        assert read_json(alice.get(message))["receipts"] == []
        expected = []
        for reader, state in ((bob, "delivered"), (carol, "delivered"), (bob, "read")):
            clock.advance(1)
            receipt = {"account": reader.name, "state": state, "time": clock.now}
            assert read_json(reader.post(f"{message}/receipts", {"state": state})) == receipt
            expected.append(receipt)
        clock.advance(1)
        assert read_json(bob.post(f"{message}/receipts", {"state": "read"})) == expected[-1]
        assert read_json(alice.get(message))["receipts"] == expected

    def test_the_sender_cannot_acknowledge_it(self, alice: Person, bob: Person) -> None:
        message = f"/v1/messages/{alice.say(alice.converse(bob), 'hello')['id']}"
        assert_problem(alice.post(f"{message}/receipts", {"state": "read"}), 403)
        assert read_json(alice.get(message))["receipts"] == []

    @pytest.mark.parametrize("state", ["sent", "", None, 1])
    def test_there_are_two_states(self, alice: Person, bob: Person, state: object) -> None:
        message = f"/v1/messages/{alice.say(alice.converse(bob), 'hello')['id']}"
        assert_problem(bob.post(f"{message}/receipts", {"state": state}), 422)


class TestStrangers:
    """Someone else's conversation answers exactly as one that does not exist."""

    @pytest.mark.parametrize(
        "attempt",
        [
            lambda who, conversation, message: who.get(f"{conversation}/messages"),
            lambda who, conversation, message: who.post(f"{conversation}/messages", {"content": {"text": "x"}}),
            lambda who, conversation, message: who.post(f"{conversation}/messages", {"envelopes": [envelope("bob")]}),
            lambda who, conversation, message: who.get(message),
            lambda who, conversation, message: who.post(f"{message}/receipts", {"state": "read"}),
        ],
        ids=["list", "content", "envelopes", "status", "receipt"],
    )
    def test_nothing_is_told_apart(
        self, alice: Person, bob: Person, carol: Person, attempt: Callable[..., TestResponse]
    ) -> None:
        conversation = alice.converse(bob)
        message = f"/v1/messages/{alice.say(conversation, 'hello')['id']}"
        theirs = attempt(carol, conversation, message)
        nobodys = attempt(carol, "/v1/conversations/none", "/v1/messages/none")
        assert_problem(theirs, 404)
        assert theirs.data == nobodys.data
        assert len(read_json(alice.get(f"{conversation}/messages"))["messages"]) == 1
        assert read_json(alice.get(message))["receipts"] == []
