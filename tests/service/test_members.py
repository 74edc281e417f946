"""Members who come and go: what each of them may do and read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from .conftest import Person, assert_problem, encoded, envelope, read_json


def texts(reader: Person, conversation: str) -> list[str]:
    return [each["text"] for each in read_json(reader.get(f"{conversation}/messages"))["messages"]]


@pytest.fixture
def conversation(alice: Person, bob: Person) -> str:
    response = alice.post("/v1/conversations", {"members": [bob.name], "title": "Trip"})
    return f"/v1/conversations/{read_json(response)['id']}"


class TestAdding:
    def test_any_member_adds_others(self, bob: Person, carol: Person, conversation: str) -> None:
        response = bob.post(f"{conversation}/members", {"account": "carol"})
        changed = {"id": conversation.rsplit("/", 1)[1], "members": ["alice", "bob", "carol"], "title": "Trip"}
        assert (response.status_code, response.json) == (200, changed)
        assert carol.get("/v1/conversations").json == {"conversations": [changed]}
        assert bob.get("/v1/conversations").json == {"conversations": [changed]}

    def test_a_newcomer_reads_only_what_comes_after(
        self, alice: Person, bob: Person, carol: Person, conversation: str
    ) -> None:
        before = alice.say(conversation, "before")["id"]
        bob.post(f"{conversation}/members", {"account": "carol"})
        alice.say(conversation, "after")
        assert texts(carol, conversation) == ["after"]
        assert texts(bob, conversation) == ["before", "after"]
        assert_problem(carol.get(f"/v1/messages/{before}"), 404)
        assert_problem(carol.post(f"/v1/messages/{before}/receipts", {"state": "read"}), 404)

    def test_envelopes_are_for_newcomers_as_well(self, alice: Person, carol: Person, conversation: str) -> None:
        alice.post(f"{conversation}/members", {"account": carol.name})
        problem = assert_problem(alice.post(f"{conversation}/messages", {"envelopes": [envelope("bob")]}), 409)
        assert problem["missing"] == [{"account": "carol", "device": None}]
        body = {"envelopes": [envelope("bob"), envelope("carol")]}
        assert alice.post(f"{conversation}/messages", body).status_code == 201

    def test_who_is_a_member_stays_one(self, alice: Person, bob: Person, conversation: str) -> None:
        alice.say(conversation, "before")
        for name in ("bob", "alice"):
            assert alice.post(f"{conversation}/members", {"account": name}).status_code == 200
        assert texts(bob, conversation) == ["before"]

    def test_accounts_have_to_exist(self, alice: Person, conversation: str) -> None:
        for name in ("nobody", "Nobody", "", None):
            assert_problem(alice.post(f"{conversation}/members", {"account": name}), 422)

    def test_64_members_are_the_most(
        self, alice: Person, enrol: Callable[[str], str], person: Callable[[str], Person]
    ) -> None:
        names = [f"member{number}" for number in range(64)]
        for name in names:
            enrol(name)
        response = alice.post("/v1/conversations", {"members": names[:63]})
        conversation = f"/v1/conversations/{read_json(response)['id']}"
        assert "65" in assert_problem(alice.post(f"{conversation}/members", {"account": names[63]}), 422)["detail"]
        assert_problem(person("late").get(f"{conversation}/messages"), 404)


class TestRemoving:
    def test_any_member_removes_others(self, alice: Person, bob: Person, conversation: str) -> None:
        assert bob.delete(f"{conversation}/members/alice").status_code == 204
        assert alice.get("/v1/conversations").json == {"conversations": []}
        assert [each["members"] for each in read_json(bob.get("/v1/conversations"))["conversations"]] == [["bob"]]

    def test_anyone_leaves(self, alice: Person, bob: Person, conversation: str) -> None:
        response = bob.delete(f"{conversation}/members/bob")
        assert (response.status_code, response.data) == (204, b"")
        assert_problem(bob.delete(f"{conversation}/members/bob"), 404)
        assert alice.delete(f"{conversation}/members/alice").status_code == 204
        assert_problem(alice.get(f"{conversation}/messages"), 404)

    def test_the_one_who_stays_may_go_on_alone(self, alice: Person, conversation: str) -> None:
        alice.delete(f"{conversation}/members/bob")
        assert alice.post(f"{conversation}/messages", {"envelopes": []}).status_code == 201
        alice.say(conversation, "to myself")
        assert texts(alice, conversation) == [None, "to myself"]

    @pytest.mark.parametrize(
        "attempt",
        [
            lambda who, conversation, message: who.get(f"{conversation}/messages"),
            lambda who, conversation, message: who.get(f"{conversation}/messages?device=1"),
            lambda who, conversation, message: who.post(f"{conversation}/messages", {"content": {"text": "x"}}),
            lambda who, conversation, message: who.post(f"{conversation}/members", {"account": "bob"}),
            lambda who, conversation, message: who.delete(f"{conversation}/members/alice"),
            lambda who, conversation, message: who.delete(f"{conversation}/members/bob"),
            lambda who, conversation, message: who.get(message),
            lambda who, conversation, message: who.get(f"{message}?device=1"),
            lambda who, conversation, message: who.post(f"{message}/receipts", {"state": "read"}),
        ],
        ids=["list", "list-device", "send", "add", "remove", "leave", "status", "status-device", "receipt"],
    )
    def test_who_was_removed_is_a_stranger(
        self, alice: Person, bob: Person, conversation: str, attempt: Callable[..., TestResponse]
    ) -> None:
        bob.has_devices(1)
        message = f"/v1/messages/{alice.say(conversation, 'before')['id']}"
        alice.delete(f"{conversation}/members/bob")
        theirs = attempt(bob, conversation, message)
        nobodys = attempt(bob, "/v1/conversations/none", "/v1/messages/none")
        assert_problem(theirs, 404)
        assert theirs.data == nobodys.data
        assert len(read_json(alice.get(f"{conversation}/messages"))["messages"]) == 1
        assert read_json(alice.get(message))["receipts"] == []

    def test_nor_are_envelopes_for_them(self, alice: Person, bob: Person, carol: Person, conversation: str) -> None:
        alice.post(f"{conversation}/members", {"account": carol.name})
        alice.delete(f"{conversation}/members/{bob.name}")
        body = {"envelopes": [envelope("bob"), envelope("carol")]}
        problem = assert_problem(alice.post(f"{conversation}/messages", body), 409)
        assert (problem["missing"], problem["stale"]) == ([], [{"account": "bob", "device": None}])

    def test_what_they_sent_stays(self, alice: Person, bob: Person, conversation: str) -> None:
        bob.say(conversation, "remember me")
        alice.delete(f"{conversation}/members/bob")
        assert texts(alice, conversation) == ["remember me"]

    def test_a_message_is_not_posted_again_by_who_was_removed(
        self, alice: Person, bob: Person, conversation: str
    ) -> None:
        body = {"id": "9d6f3f2c-0000-4000-8000-000000000000", "content": {"text": "x"}}
        bob.post(f"{conversation}/messages", body)
        alice.delete(f"{conversation}/members/bob")
        assert_problem(bob.post(f"{conversation}/messages", body), 404)

    def test_who_comes_back_has_missed_what_came_between(self, alice: Person, bob: Person, conversation: str) -> None:
        alice.say(conversation, "before")
        alice.delete(f"{conversation}/members/bob")
        alice.say(conversation, "between")
        alice.post(f"{conversation}/members", {"account": "bob"})
        alice.say(conversation, "after")
        assert texts(bob, conversation) == ["after"]

    def test_only_members_are_removed(self, alice: Person, carol: Person, conversation: str) -> None:
        for name in (carol.name, "nobody", "x" * 300):
            assert_problem(alice.delete(f"{conversation}/members/{name}"), 404)


class TestStrangers:
    @pytest.mark.parametrize(
        "attempt",
        [
            lambda who, conversation: who.post(f"{conversation}/members", {"account": "carol"}),
            lambda who, conversation: who.post(f"{conversation}/members", {"account": "nobody"}),
            lambda who, conversation: who.delete(f"{conversation}/members/carol"),
            lambda who, conversation: who.delete(f"{conversation}/members/alice"),
            lambda who, conversation: who.post(
                f"{conversation}/messages", {"id": "9d6f3f2c-0000-4000-8000-000000000000", "content": {"text": "x"}}
            ),
            lambda who, conversation: who.post(
                f"{conversation}/messages", {"shared": encoded(b"x"), "envelopes": [envelope("bob", None)]}
            ),
        ],
        ids=["join", "add", "leave", "remove", "replay", "shared"],
    )
    def test_nothing_is_told_apart(
        self, alice: Person, carol: Person, conversation: str, attempt: Callable[..., TestResponse]
    ) -> None:
        body = {"id": "9d6f3f2c-0000-4000-8000-000000000000", "content": {"text": "x"}}
        alice.post(f"{conversation}/messages", body)
        theirs = attempt(carol, conversation)
        nobodys = attempt(carol, "/v1/conversations/none")
        assert_problem(theirs, 404)
        assert theirs.data == nobodys.data
