"""Groups: one ciphertext for all, the key handed on in pairs, and made anew as soon as somebody leaves."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from lab.e2ee.protocol import E2EEError
from lab.messenger.content import Content
from lab.messenger.mailbox import Prepared
from lab.messenger.wire import WireError
from lab.model import Deed

from .conftest import MAP, Enrol, Make, Someone


def accounts(*people: Someone) -> list[str]:
    return [each.account for each in people]


def with_own_envelope(prepared: Prepared) -> list[str]:
    """Who gets something that is sealed for them alone: the key of the group."""
    return [each["recipient"] for each in prepared.body["envelopes"] if each["data"] is not None]


def key_id(prepared: Prepared) -> bytes:
    return base64.b64decode(prepared.body["shared"])[2:10]


def deliver(someone: Someone, conversation: str, body: Mapping[str, Any]) -> None:
    """What the service could do in the name of `someone`."""
    with someone.raw() as raw:
        raw.call("POST", f"/v1/conversations/{conversation}/messages", {**body, "id": str(uuid4())})


@pytest.fixture
def three(enrol: Enrol) -> tuple[Someone, Someone, Someone]:
    alice, bob, carol = enrol("Alice", "Bob", "Carol")
    return alice, bob, carol


def test_a_message_is_encrypted_once_and_the_key_is_handed_on_once(three: tuple[Someone, Someone, Someone]) -> None:
    alice, bob, carol = three
    conversation = alice.self.start_conversation(accounts(bob, carol), "Plans")
    handed = []
    for text in ("First", "Second"):
        prepared = alice.self.prepare(conversation, accounts(bob, carol), Content(text))
        handed.append(with_own_envelope(prepared))
        alice.self.post(prepared)
        assert bob.self.receive() == carol.self.receive() == Content(text)
    assert handed == [sorted(accounts(bob, carol)), []]


def test_a_file_reaches_everybody(three: tuple[Someone, Someone, Someone]) -> None:
    alice, bob, carol = three
    conversation = alice.self.start_conversation(accounts(bob, carol))
    for _ in range(2):
        alice.self.send(conversation, accounts(bob, carol), MAP)
        assert bob.self.receive() == carol.self.receive() == MAP


def test_two_with_a_title_are_a_group_and_two_without_are_none(enrol: Enrol) -> None:
    alice, bob = enrol("Alice", "Bob")
    for title, shared in (("", False), ("The two of us", True)):
        conversation = alice.self.start_conversation([bob.account], title)
        prepared = alice.self.prepare(conversation, [bob.account], Content("Hi"))
        assert ("shared" in prepared.body) is shared
        alice.self.post(prepared)
        assert bob.self.receive() == Content("Hi")
        bob.self.send(conversation, [alice.account], Content("Hi Alice"))
        assert alice.self.receive() == Content("Hi Alice")


def test_messages_are_read_in_whatever_order_they_come(three: tuple[Someone, Someone, Someone]) -> None:
    alice, bob, carol = three
    conversation = alice.self.start_conversation(accounts(bob, carol))
    alice.self.send(conversation, accounts(bob, carol), Content("0"))
    prepared = [alice.self.prepare(conversation, accounts(bob, carol), Content(text)) for text in "123"]
    for each in reversed(prepared):
        alice.self.post(each)
    for reader in (bob, carol):
        assert [reader.self.receive().text for _ in range(4)] == ["0", "3", "2", "1"]


def test_a_message_under_the_key_before_is_read_as_well(three: tuple[Someone, Someone, Someone]) -> None:
    alice, bob, carol = three
    conversation = alice.self.start_conversation(accounts(bob, carol))
    alice.self.send(conversation, accounts(bob, carol), Content("0"))
    late = alice.self.prepare(conversation, accounts(bob, carol), Content("1"))
    assert alice.self._encrypted is not None
    alice.self._encrypted.sealing.renew(conversation)
    early = alice.self.prepare(conversation, accounts(bob, carol), Content("2"))
    assert key_id(early) != key_id(late)
    for each in (early, late):
        alice.self.post(each)
    for reader in (bob, carol):
        assert [reader.self.receive().text for _ in range(3)] == ["0", "2", "1"]


def test_a_group_message_that_comes_again_is_refused(three: tuple[Someone, Someone, Someone]) -> None:
    """With the envelopes that it had, with the key alone, and without: known keys do not begin anew."""
    alice, bob, carol = three
    conversation = alice.self.start_conversation(accounts(bob, carol))
    prepared = alice.self.prepare(conversation, accounts(bob, carol), Content("Pay 10 euros"))
    alice.self.post(prepared)
    alice.self.post(prepared, again=True)
    empty = [{**each, "data": None} for each in prepared.body["envelopes"]]
    deliver(alice, conversation, {**prepared.body, "envelopes": empty})
    for reader in (bob, carol):
        assert reader.self.receive() == Content("Pay 10 euros")
        for _ in range(2):
            with pytest.raises(E2EEError):
                reader.self.receive()
        assert len(reader.told(Deed.READ)) == 1
        assert len(reader.told(Deed.REFUSED)) == 2


def test_the_same_key_handed_on_again_opens_nothing_a_second_time(three: tuple[Someone, Someone, Someone]) -> None:
    """Alice's app is a faulty one: it sends Bob the beginning of her key once more."""
    alice, bob, carol = three
    conversation = alice.self.start_conversation(accounts(bob, carol))
    assert alice.self._encrypted is not None
    sealing = alice.self._encrypted.sealing
    sealing.start_group(conversation)
    key = sealing._sender_key(conversation)
    assert key is not None
    assert sealing._groups is not None
    beginning = base64.b64encode(sealing._groups.distribution(key.state)).decode()
    first = alice.self.prepare(conversation, accounts(bob, carol), Content("Pay 10 euros"))
    alice.self.post(first)
    assert bob.self.receive() == Content("Pay 10 euros")
    sealing._groups = None  # so that this goes to each of them alone
    handed, _ = sealing.seal(conversation, [bob.account], {"sender_key": beginning})
    (for_bob,) = handed["envelopes"]
    envelopes = [for_bob if each["recipient"] == bob.account else each for each in first.body["envelopes"]]
    deliver(alice, conversation, {**first.body, "envelopes": envelopes})
    with pytest.raises(E2EEError, match="read before"):
        bob.self.receive()


def test_whoever_comes_later_reads_from_there_on(three: tuple[Someone, Someone, Someone], enrol: Enrol) -> None:
    alice, bob, carol = three
    (dave,) = enrol("Dave")
    conversation = alice.self.start_conversation(accounts(bob, carol))
    before = alice.self.prepare(conversation, accounts(bob, carol), Content("Before Dave"))
    alice.self.post(before)
    alice.self.add_member(conversation, dave.account)
    with_dave = alice.self.prepare(conversation, accounts(bob, carol, dave), Content("With Dave"))
    assert with_own_envelope(with_dave) == [dave.account]
    assert key_id(with_dave) == key_id(before)
    alice.self.post(with_dave)
    assert dave.self.receive() == Content("With Dave")
    assert [bob.self.receive().text for _ in range(2)] == ["Before Dave", "With Dave"]
    # The service has what was written before, and gives it to Dave.
    everybody = [{"recipient": each, "device": 1, "data": None} for each in accounts(bob, carol, dave)]
    deliver(alice, conversation, {**before.body, "envelopes": everybody})
    with pytest.raises(E2EEError):
        dave.self.receive()


class TestLeaving:
    def test_who_was_removed_cannot_read_what_follows(self, three: tuple[Someone, Someone, Someone]) -> None:
        alice, bob, carol = three
        conversation = alice.self.start_conversation(accounts(bob, carol))
        before = alice.self.prepare(conversation, accounts(bob, carol), Content("All of us"))
        alice.self.post(before)
        assert bob.self.receive() == carol.self.receive() == Content("All of us")
        alice.self.remove_member(conversation, carol.account)
        after = alice.self.prepare(conversation, [bob.account], Content("Without Carol"))
        assert key_id(after) != key_id(before)
        alice.self.post(after)
        assert bob.self.receive() == Content("Without Carol")
        # The service gives it to Carol nevertheless.
        with alice.raw() as raw:
            raw.call("POST", f"/v1/conversations/{conversation}/members", {"account": carol.account})
        everybody = [{"recipient": each, "device": 1, "data": None} for each in accounts(bob, carol)]
        deliver(alice, conversation, {**after.body, "envelopes": everybody})
        with pytest.raises(E2EEError, match="was not given"):
            carol.self.receive()

    def test_who_hears_that_somebody_left_makes_a_new_key_at_once(
        self, three: tuple[Someone, Someone, Someone]
    ) -> None:
        alice, bob, carol = three
        conversation = alice.self.start_conversation(accounts(bob, carol))
        before = bob.self.prepare(conversation, accounts(alice, carol), Content("Bob here"))
        bob.self.post(before)
        assert alice.self.receive() == carol.self.receive() == Content("Bob here")
        copied = bob.self.copy().sender_keys[conversation]
        alice.self.remove_member(conversation, carol.account)
        alice.self.send(conversation, [bob.account], Content("Without Carol"))
        assert bob.self.receive() == Content("Without Carol")
        assert bob.self.copy().sender_keys[conversation] != copied
        after = bob.self.prepare(conversation, [alice.account], Content("Bob again"))
        assert key_id(after) != key_id(before)
        assert with_own_envelope(after) == [alice.account]
        bob.self.post(after)
        assert alice.self.receive() == Content("Bob again")

    def test_who_is_not_written_to_any_more_has_no_part_in_the_key(
        self, three: tuple[Someone, Someone, Someone]
    ) -> None:
        """However the sender came to know that somebody has left, and even if the service keeps it secret."""
        alice, bob, carol = three
        conversation = alice.self.start_conversation(accounts(bob, carol))
        before = alice.self.prepare(conversation, accounts(bob, carol), Content("All of us"))
        after = alice.self.prepare(conversation, [bob.account], Content("Without Carol"))
        assert key_id(after) != key_id(before)
        assert with_own_envelope(after) == [bob.account]

    def test_who_comes_changes_nobodys_key(self, three: tuple[Someone, Someone, Someone], enrol: Enrol) -> None:
        alice, bob, carol = three
        (dave,) = enrol("Dave")
        conversation = alice.self.start_conversation(accounts(bob, carol))
        bob.self.send(conversation, accounts(alice, carol), Content("Bob here"))
        copied = bob.self.copy().sender_keys[conversation]
        alice.self.add_member(conversation, dave.account)
        alice.self.send(conversation, accounts(bob, carol, dave), Content("Hi Dave"))
        assert bob.self.receive() == Content("Hi Dave")
        assert bob.self.copy().sender_keys[conversation] == copied

    def test_who_does_not_hear_it_is_told_by_the_service(self, three: tuple[Someone, Someone, Someone]) -> None:
        alice, bob, carol = three
        conversation = alice.self.start_conversation(accounts(bob, carol))
        bob.self.send(conversation, accounts(alice, carol), Content("Bob here"))
        with alice.raw() as raw:
            raw.call("DELETE", f"/v1/conversations/{conversation}/members/{carol.account}")
        with pytest.raises(WireError, match=f"{carol.account} is not a member of the conversation any more"):
            bob.self.send(conversation, accounts(alice, carol), Content("For both"))
        bob.self.resume()  # what could not be sent is not sent behind anybody's back
        bob.self.send(conversation, [alice.account], Content("For Alice"))
        assert [alice.self.receive().text for _ in range(2)] == ["Bob here", "For Alice"]
        assert [told.text for told in bob.told(Deed.SENT)] == ["Bob here", "For Alice"]

    def test_a_key_that_went_out_with_a_refused_message_is_handed_on_again(
        self, three: tuple[Someone, Someone, Someone]
    ) -> None:
        alice, bob, carol = three
        conversation = alice.self.start_conversation(accounts(bob, carol))
        with alice.raw() as raw:
            raw.call("DELETE", f"/v1/conversations/{conversation}/members/{carol.account}")
        with pytest.raises(WireError, match="not a member"):
            alice.self.send(conversation, accounts(bob, carol), Content("Refused"))
        alice.self.add_member(conversation, carol.account)
        alice.self.send(conversation, accounts(bob, carol), Content("Hi"))
        assert bob.self.receive() == carol.self.receive() == Content("Hi")

    def test_a_key_that_went_out_to_the_wrong_devices_is_handed_on_again(
        self, three: tuple[Someone, Someone, Someone], make: Make
    ) -> None:
        alice, bob, carol = three
        pair = alice.self.start_conversation([bob.account])
        alice.self.send(pair, [bob.account], Content("Hi"))
        tablet = make("Tablet", like=bob, number=2)
        bob.self.link(tablet.self)
        tablet.self.listen()
        conversation = alice.self.start_conversation(accounts(bob, carol))
        alice.self.send(conversation, accounts(bob, carol), Content("On every device"))
        assert bob.self.receive() == Content("Hi")
        for reader in (bob, tablet, carol):
            assert reader.self.receive() == Content("On every device")

    def test_a_device_that_was_removed_cannot_read_what_follows(
        self, three: tuple[Someone, Someone, Someone], make: Make
    ) -> None:
        alice, bob, carol = three
        tablet = make("Tablet", like=bob, number=2)
        bob.self.link(tablet.self)
        tablet.self.listen()
        conversation = alice.self.start_conversation(accounts(bob, carol))
        before = alice.self.prepare(conversation, accounts(bob, carol), Content("On every device"))
        alice.self.post(before)
        for reader in (bob, tablet, carol):
            assert reader.self.receive() == Content("On every device")
        bob.self.unlink(2)
        alice.self.send(conversation, accounts(bob, carol), Content("Not on the tablet"))
        for reader in (bob, carol):
            assert reader.self.receive() == Content("Not on the tablet")
        after = alice.self.prepare(conversation, accounts(bob, carol), Content("x"))
        assert key_id(after) != key_id(before)
        with pytest.raises(WireError):
            tablet.self.receive()


def test_two_messages_are_not_mixed_into_one(three: tuple[Someone, Someone, Someone]) -> None:
    """The service puts what Alice wrote to Bob alone under a message to the group, to have it disappear."""
    alice, bob, carol = three
    conversation = alice.self.start_conversation(accounts(bob, carol))
    alice.self.send(conversation, accounts(bob, carol), Content("Hi"))
    shared = alice.self.prepare(conversation, accounts(bob, carol), Content("To all"))
    assert alice.self._encrypted is not None
    groups, alice.self._encrypted.sealing._groups = alice.self._encrypted.sealing._groups, None
    alone = alice.self.prepare(conversation, accounts(bob, carol), Content("One by one"))
    alice.self._encrypted.sealing._groups = groups
    deliver(alice, conversation, {**shared.body, "envelopes": alone.body["envelopes"]})
    assert bob.self.receive() == Content("Hi")
    with pytest.raises(E2EEError, match="with another one"):
        bob.self.receive()
    for prepared in (alone, shared):
        alice.self.post(prepared)
        assert bob.self.receive() == prepared.content


def test_a_group_message_is_refused_by_whoever_has_no_such_keys(three: tuple[Someone, Someone, Someone]) -> None:
    alice, bob, carol = three
    conversation = alice.self.start_conversation(accounts(bob, carol))
    assert bob.self._encrypted is not None
    bob.self._encrypted.sealing._groups = None
    alice.self.send(conversation, accounts(bob, carol), Content("Hi"))
    with pytest.raises(E2EEError, match="does not have"):
        bob.self.receive()
