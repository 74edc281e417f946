"""Messages to devices: whom envelopes have to be for, who gets which, and posting one exactly once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from lab.service.app import ServiceApp

from .conftest import Clock, Person, assert_problem, encoded, envelope, read_json

type Address = tuple[str, int | None]


@pytest.fixture
def conversation(alice: Person, bob: Person, carol: Person) -> str:
    """Alice and Bob have two devices each, Carol has none."""
    alice.has_devices(1, 2)
    bob.has_devices(1, 5)
    return alice.converse(bob, carol)


ALL: list[Address] = [("alice", 2), ("bob", 1), ("bob", 5), ("carol", None)]
"""Where a message is to go that Alice sends from her first device."""


def to(*addresses: Address) -> list[dict[str, Any]]:
    return [envelope(account, f"for {account} {device}".encode(), device) for account, device in addresses]


def named(*addresses: Address) -> list[dict[str, Any]]:
    return [{"account": account, "device": device} for account, device in addresses]


class TestAddressing:
    def test_each_device_but_the_sending_one_gets_its_own(
        self, alice: Person, bob: Person, carol: Person, conversation: str
    ) -> None:
        posted = alice.post(f"{conversation}/messages", {"device": 1, "envelopes": to(*ALL)})
        assert posted.status_code == 201, posted.text
        path = f"/v1/messages/{read_json(posted)['id']}"
        readers: list[tuple[Person, int | None]] = [(alice, 2), (bob, 1), (bob, 5), (carol, None)]
        for reader, device in readers:
            query = "" if device is None else f"?device={device}"
            message = read_json(reader.get(path + query))
            assert message["envelope"] == encoded(f"for {reader.name} {device}".encode())
            assert (message["sender"], message["device"], message["shared"]) == ("alice", 1, None)
            (listed,) = read_json(reader.get(f"{conversation}/messages{query}"))["messages"]
            assert listed == {name: value for name, value in message.items() if name != "receipts"}
        # Who does not say which device reads gets none of those for devices.
        assert read_json(alice.get(path))["envelope"] is None
        assert read_json(alice.get(f"{path}?device=1"))["envelope"] is None
        assert read_json(bob.get(path))["envelope"] is None

    @pytest.mark.parametrize(
        ("sender", "addresses", "missing", "stale"),
        [
            (1, ALL[:-1], [("carol", None)], []),
            (1, ALL[1:], [("alice", 2)], []),
            (1, [*ALL, ("alice", 1)], [], [("alice", 1)]),
            (2, ALL, [("alice", 1)], [("alice", 2)]),
            (None, ALL, [("alice", 1)], []),
            (1, [*ALL[:3], ("carol", 1)], [("carol", None)], [("carol", 1)]),
            (1, [("alice", 2), ("bob", None), ("carol", None)], [("bob", 1), ("bob", 5)], [("bob", None)]),
            (1, [*ALL, ("dave", 1), ("bob", 4)], [], [("bob", 4), ("dave", 1)]),
            (1, [], ALL, []),
        ],
    )
    def test_whoever_is_left_out_or_gone_is_named(
        self,
        alice: Person,
        bob: Person,
        conversation: str,
        sender: int | None,
        addresses: list[Address],
        missing: list[Address],
        stale: list[Address],
    ) -> None:
        response = alice.post(f"{conversation}/messages", {"device": sender, "envelopes": to(*addresses)})
        problem = assert_problem(response, 409)
        assert (problem["missing"], problem["stale"]) == (named(*missing), named(*stale))
        assert bob.get(f"{conversation}/messages?device=1").json == {"messages": []}

    def test_a_client_corrects_itself_with_that(self, alice: Person, bob: Person, conversation: str) -> None:
        bob.has_devices(5, 6)
        problem = assert_problem(alice.post(f"{conversation}/messages", {"device": 1, "envelopes": to(*ALL)}), 409)
        addresses = {*ALL} - {("bob", 1)} | {("bob", 6)}
        assert (problem["missing"], problem["stale"]) == (named(("bob", 6)), named(("bob", 1)))
        body = {"device": 1, "envelopes": to(*addresses)}
        assert alice.post(f"{conversation}/messages", body).status_code == 201

    def test_one_address_is_not_named_twice(self, alice: Person, conversation: str) -> None:
        assert_problem(alice.post(f"{conversation}/messages", {"device": 1, "envelopes": to(*ALL, ALL[0])}), 422)

    def test_the_sending_device_has_to_be_ones_own(
        self, alice: Person, bob: Person, carol: Person, conversation: str
    ) -> None:
        assert_problem(alice.post(f"{conversation}/messages", {"device": 5, "envelopes": to(*ALL)}), 422)
        assert_problem(carol.post(f"{conversation}/messages", {"device": 1, "envelopes": to(*ALL)}), 422)
        assert_problem(alice.post(f"{conversation}/messages", {"device": 3, "content": {"text": "x"}}), 422)
        assert bob.get(f"{conversation}/messages").json == {"messages": []}

    def test_only_a_device_itself_reads_what_is_for_it(
        self, alice: Person, bob: Person, carol: Person, conversation: str
    ) -> None:
        posted = read_json(alice.post(f"{conversation}/messages", {"device": 1, "envelopes": to(*ALL)}))
        for reader, device in ((bob, 2), (carol, 1), (carol, 5)):
            assert_problem(reader.get(f"{conversation}/messages?device={device}"), 422)
            assert_problem(reader.get(f"/v1/messages/{posted['id']}?device={device}"), 422)
            assert_problem(reader.get(f"/v1/events?device={device}"), 422)
        for wrong in ("0", "-1", "x", "2147483648", ""):
            assert_problem(bob.get(f"{conversation}/messages?device={wrong}"), 422)

    def test_what_was_sent_before_there_were_devices_is_for_all(self, alice: Person, carol: Person) -> None:
        conversation = alice.converse(carol)
        alice.post(f"{conversation}/messages", {"envelopes": to(("carol", None))})
        carol.has_devices(8, 9)
        for device in (8, 9):
            (message,) = read_json(carol.get(f"{conversation}/messages?device={device}"))["messages"]
            assert message["envelope"] == encoded(b"for carol None")

    def test_what_was_sent_before_there_was_this_device_is_not_for_it(
        self, alice: Person, bob: Person, conversation: str
    ) -> None:
        alice.post(f"{conversation}/messages", {"device": 1, "envelopes": to(*ALL), "shared": encoded(b"shared")})
        bob.has_devices(1, 5, 6)
        (message,) = read_json(bob.get(f"{conversation}/messages?device=6"))["messages"]
        assert (message["envelope"], message["shared"]) == (None, None)

    def test_content_is_read_by_all(self, alice: Person, bob: Person, conversation: str) -> None:
        body = {"device": 2, "content": {"text": "in the clear"}}
        assert alice.post(f"{conversation}/messages", body).status_code == 201
        (message,) = read_json(bob.get(f"{conversation}/messages?device=5"))["messages"]
        assert (message["text"], message["device"]) == ("in the clear", 2)


class TestShared:
    def test_one_ciphertext_is_for_everyone_who_is_addressed(
        self, alice: Person, bob: Person, carol: Person, conversation: str
    ) -> None:
        shared = encoded(b"for all")
        envelopes = [envelope("bob", b"also a key", 1), *(envelope(account, None, device) for account, device in ALL)]
        del envelopes[2]
        body = {"device": 1, "shared": shared, "envelopes": envelopes}
        posted = alice.post(f"{conversation}/messages", body)
        assert posted.status_code == 201, posted.text
        path = f"/v1/messages/{read_json(posted)['id']}"
        for reader, query, data in (
            (alice, "?device=2", None),
            (bob, "?device=1", encoded(b"also a key")),
            (bob, "?device=5", None),
            (carol, "", None),
        ):
            message = read_json(reader.get(path + query))
            assert (message["envelope"], message["shared"]) == (data, shared)
        for reader, query in ((alice, "?device=1"), (alice, ""), (bob, "")):
            assert read_json(reader.get(path + query))["shared"] is None

    def test_nobody_may_be_left_out(self, alice: Person, conversation: str) -> None:
        envelopes = [envelope(account, None, device) for account, device in ALL[1:]]
        problem = assert_problem(
            alice.post(f"{conversation}/messages", {"device": 1, "shared": "", "envelopes": envelopes}), 409
        )
        assert problem["missing"] == named(("alice", 2))


class TestPostingOnce:
    def test_the_same_id_again_changes_nothing(
        self, alice: Person, bob: Person, conversation: str, clock: Clock
    ) -> None:
        identifier = str(uuid4())
        body = {"id": identifier, "device": 1, "envelopes": to(*ALL)}
        first = alice.post(f"{conversation}/messages", body)
        assert (first.status_code, first.json) == (201, {"id": identifier, "time": clock.now})
        clock.advance(1)
        bob.has_devices(7)  # what was right then would be stale by now
        again = alice.post(f"{conversation}/messages", body | {"device": 2})
        assert (again.status_code, again.json) == (201, first.json)
        messages = read_json(alice.get(f"{conversation}/messages?device=2"))["messages"]
        assert [each["id"] for each in messages] == [identifier]

    def test_an_id_of_content_too(self, alice: Person, conversation: str) -> None:
        body = {"id": str(uuid4()), "content": {"text": "once"}}
        assert alice.post(f"{conversation}/messages", body).json == alice.post(f"{conversation}/messages", body).json
        assert len(read_json(alice.get(f"{conversation}/messages"))["messages"]) == 1

    def test_an_id_is_of_one_sender_and_one_conversation(self, alice: Person, bob: Person, conversation: str) -> None:
        body = {"id": str(uuid4()), "content": {"text": "Alice said so"}}
        alice.post(f"{conversation}/messages", body)
        assert_problem(bob.post(f"{conversation}/messages", body), 409)
        assert_problem(alice.post(f"{alice.converse(bob)}/messages", body), 409)
        assert len(read_json(bob.get(f"{conversation}/messages"))["messages"]) == 1

    @pytest.mark.parametrize(
        "identifier", ["", "1", "0" * 36, "9D6F3F2C-0000-4000-8000-000000000000", "9d6f3f2c00004000800000000000000000"]
    )
    def test_an_id_is_the_text_of_a_uuid(self, alice: Person, conversation: str, identifier: str) -> None:
        body = {"id": identifier, "content": {"text": "x"}}
        assert_problem(alice.post(f"{conversation}/messages", body), 422)

    def test_twice_at_once_is_once(self, app: ServiceApp, alice: Person, conversation: str) -> None:
        def post(identifier: str) -> Any:
            client = Person(app.test_client(), "alice")
            client.token = alice.token
            return read_json(client.post(f"{conversation}/messages", {"id": identifier, "content": {"text": "x"}}))

        identifiers = [str(uuid4()) for _ in range(10)]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(post, [each for each in identifiers for _ in range(3)]))
        assert {each["id"] for each in answers} == set(identifiers)
        assert len(read_json(alice.get(f"{conversation}/messages"))["messages"]) == len(identifiers)
