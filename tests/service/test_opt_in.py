"""Conversations that are encrypted because both members have agreed, and what they have less than others."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Person, assert_problem, envelope, read_json

SEALED = {"envelopes": [envelope("bob")]}
OPEN = {"content": {"text": "Hi"}}


def agree(person: Person, conversation: str) -> Any:
    response = person.client.post(f"{conversation}/encryption", headers=person.headers)
    assert response.status_code == 200, response.text
    assert person.get(f"{conversation}/encryption").json == response.json
    return response.json


def test_one_offers_and_the_other_accepts(alice: Person, bob: Person) -> None:
    conversation = alice.converse(bob)
    assert alice.get(f"{conversation}/encryption").json == {"offered_by": None, "accepted": False}
    assert agree(alice, conversation) == {"offered_by": "alice", "accepted": False}
    assert agree(alice, conversation) == {"offered_by": "alice", "accepted": False}
    assert agree(bob, conversation) == {"offered_by": "alice", "accepted": True}
    assert agree(alice, conversation) == {"offered_by": "alice", "accepted": True}


def test_nothing_is_posted_before_and_nothing_readable_after_that(alice: Person, bob: Person) -> None:
    conversation = alice.converse(bob)
    agree(alice, conversation)
    for message in (SEALED, OPEN):
        assert "not accepted" in assert_problem(alice.post(f"{conversation}/messages", message), 409)["detail"]
    agree(bob, conversation)
    refused = assert_problem(alice.post(f"{conversation}/messages", OPEN), 409)
    assert "nothing is posted that the service can read" in refused["detail"]
    assert alice.post(f"{conversation}/messages", SEALED).status_code == 201
    assert len(read_json(bob.get(f"{conversation}/messages"))["messages"]) == 1


def test_other_conversations_stay_as_they_are(alice: Person, bob: Person, carol: Person) -> None:
    old, new = alice.converse(bob), alice.converse(bob)
    alice.say(old, "Hi")
    for person in (alice, bob):
        agree(person, new)
    alice.say(old, "Hi again")
    assert [one["text"] for one in read_json(bob.get(f"{old}/messages"))["messages"]] == ["Hi", "Hi again"]
    assert alice.post(f"{old}/members", {"account": "carol"}).status_code == 200


@pytest.mark.parametrize("agreed", [1, 2])
def test_nobody_is_added(alice: Person, bob: Person, carol: Person, agreed: int) -> None:
    conversation = alice.converse(bob)
    for person in (alice, bob)[:agreed]:
        agree(person, conversation)
    assert "two members" in assert_problem(alice.post(f"{conversation}/members", {"account": "carol"}), 409)["detail"]
    assert carol.get("/v1/conversations").json == {"conversations": []}


def test_it_is_for_two_people_and_for_a_new_conversation(alice: Person, bob: Person, carol: Person) -> None:
    used = alice.converse(bob)
    alice.say(used, "Hi")
    for conversation in (used, alice.converse(bob, carol)):
        response = alice.client.post(f"{conversation}/encryption", headers=alice.headers)
        assert "new conversation of two people" in assert_problem(response, 409)["detail"]
        assert alice.get(f"{conversation}/encryption").json == {"offered_by": None, "accepted": False}


def test_who_is_not_a_member_learns_nothing(alice: Person, bob: Person, carol: Person) -> None:
    conversation = alice.converse(bob)
    agree(alice, conversation)
    assert_problem(carol.get(f"{conversation}/encryption"), 404)
    assert_problem(carol.client.post(f"{conversation}/encryption", headers=carol.headers), 404)
    assert_problem(carol.post(f"{conversation}/messages", OPEN), 404)
    assert_problem(carol.post(f"{conversation}/members", {"account": "carol"}), 404)
    assert agree(bob, conversation)["accepted"]
