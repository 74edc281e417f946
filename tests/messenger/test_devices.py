"""Several devices of one account, lost ones, and who is who: safety numbers, verification, changed identities."""

from __future__ import annotations

import base64
import os

import pytest

from lab.e2ee.device import DeviceState
from lab.e2ee.engines import engine_for
from lab.e2ee.fingerprint import matches
from lab.e2ee.identity import read_device_list, sign_device_list
from lab.e2ee.keys import new_signing_key
from lab.e2ee.protocol import ONE_TIME_KEYS, E2EEError
from lab.messenger.contacts import IdentityChangedError
from lab.messenger.content import Content
from lab.messenger.wire import WireError
from lab.model import Deed, Encryption, LabError

from .conftest import PASSWORD, Enrol, Make, Someone

HI = Content("Hi")


@pytest.fixture
def pair(enrol: Enrol) -> tuple[Someone, Someone]:
    alice, bob = enrol("Alice", "Bob")
    return alice, bob


def linked(first: Someone, make: Make, name: str = "Tablet", number: int = 2) -> Someone:
    second = make(name, like=first, number=number)
    first.self.link(second.self)
    second.self.listen()
    return second


def recovered(lost: Someone, make: Make, name: str = "Phone") -> Someone:
    new = make(name, like=lost)
    new.self.recover()
    new.self.listen()
    return new


def test_joining_once_more_is_refused_and_changes_nothing(pair: tuple[Someone, Someone]) -> None:
    alice, bob = pair
    conversation = alice.self.start_conversation([bob.account])
    number = alice.self.safety_number(bob.account)
    with pytest.raises(WireError, match="409"):
        alice.self.join()
    alice.self.resume()
    assert alice.self.safety_number(bob.account) == number == bob.self.safety_number(alice.account)
    alice.self.send(conversation, [bob.account], HI)
    assert bob.self.receive() == HI


class TestLinking:
    def test_a_message_reaches_every_device_and_the_senders_own_other_ones(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        alice, bob = pair
        laptop, tablet = linked(alice, make, "Laptop"), linked(bob, make)
        # One does not confirm to oneself.
        confirmed: list[str] = []
        laptop.self._operations.acknowledge = lambda message, _: confirmed.append(message)  # type: ignore[method-assign]
        conversation = alice.self.start_conversation([bob.account])
        message = alice.self.send(conversation, [bob.account], HI)
        for device in (bob, tablet, laptop):
            assert device.self.receive() == HI
            (read,) = device.told(Deed.READ)
            assert (read.message, read.peer) == (message, alice.account)
        assert confirmed == []
        tablet.self.send(conversation, [alice.account], Content("From the tablet"))
        for device in (alice, laptop, bob):
            assert device.self.receive() == Content("From the tablet")
        (sent,) = tablet.told(Deed.SENT)
        assert (sent.account, sent.peer) == (bob.account, alice.account)

    def test_a_device_says_that_it_logged_in_and_which_number_it_has(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        alice, _ = pair
        laptop = linked(alice, make, "Laptop")
        (login,) = laptop.told(Deed.LOGGED_IN)
        assert (login.account, login.password) == (alice.account, PASSWORD)
        assert (alice.self.number, laptop.self.number) == (1, 2)

    def test_a_device_that_came_later_is_written_to_from_then_on(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], Content("Before"))
        tablet = linked(bob, make)
        alice.self.send(conversation, [bob.account], Content("After"))
        assert tablet.self.receive() == Content("After")
        assert [bob.self.receive().text for _ in range(2)] == ["Before", "After"]

    def test_an_own_device_that_came_later_is_noticed_by_the_others(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        """The laptop was linked by the phone; the tablet, which was there before, did nothing."""
        alice, bob = pair
        tablet = linked(alice, make)
        laptop = linked(alice, make, "Laptop", number=3)
        conversation = alice.self.start_conversation([bob.account])
        tablet.self.send(conversation, [bob.account], HI)
        for device in (alice, laptop, bob):
            assert device.self.receive() == HI

    def test_what_one_device_knows_of_others_the_linked_one_knows_as_well(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        alice, bob = pair
        alice.self.safety_number(bob.account)
        alice.self.verify(bob.account)
        laptop = linked(alice, make, "Laptop")
        assert laptop.self.verified(bob.account)
        assert laptop.self.safety_number(bob.account) == alice.self.safety_number(bob.account)

    def test_no_number_is_given_twice(self, pair: tuple[Someone, Someone], make: Make) -> None:
        alice, _ = pair
        linked(alice, make)
        alice.self.unlink(2)
        for number in (1, 2):
            with pytest.raises(E2EEError):
                alice.self.link(make(f"Again-{number}", like=alice, number=number).self)
        linked(alice, make, "Third", number=3)

    def test_a_device_of_another_account_is_not_linked(self, pair: tuple[Someone, Someone], make: Make) -> None:
        alice, bob = pair
        with pytest.raises(E2EEError, match="another account"):
            alice.self.link(make("Bobs", like=bob, number=2).self)

    def test_a_device_that_was_removed_gets_nothing_and_sends_nothing(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        alice, bob = pair
        tablet = linked(bob, make)
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], Content("Both"))
        assert tablet.self.receive() == bob.self.receive() == Content("Both")
        bob.self.unlink(2)
        alice.self.send(conversation, [bob.account], Content("One"))
        assert bob.self.receive() == Content("One")
        with pytest.raises(WireError, match="stream"):
            tablet.self.receive()
        with pytest.raises(WireError, match="422"):
            tablet.self.send(conversation, [alice.account], HI)
        assert (bob.account, 2) not in alice.self.copy().sessions
        with pytest.raises(E2EEError, match="no such device"):
            bob.self.unlink(2)

    def test_a_device_that_was_removed_before_anybody_wrote_to_it_is_not_in_the_way(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        linked(bob, make)
        bob.self.send(conversation, [alice.account], HI)
        assert alice.self.receive() == HI  # and has seen Bob's list
        bob.self.unlink(2)
        alice.self.send(conversation, [bob.account], HI)
        assert bob.self.receive() == HI

    def test_keys_that_come_with_another_identity_are_not_taken(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        linked(bob, make)
        bob.self.send(conversation, [alice.account], HI)
        assert alice.self.receive() == HI
        engine = engine_for(Encryption.PQXDH, os.urandom)
        devices = tuple(engine.public(engine.create(bob.account, number)) for number in (1, 2))
        forged = sign_device_list(new_signing_key(os.urandom), bob.account, 1, devices)
        with bob.raw() as raw:
            raw.call("PUT", "/v1/device-list", {"data": _text(forged), "devices": [1, 2]})
        with pytest.raises(IdentityChangedError):
            alice.self.send(conversation, [bob.account], HI)

    def test_an_older_device_list_does_not_bring_a_device_back(self, pair: tuple[Someone, Someone], make: Make) -> None:
        alice, bob = pair
        linked(bob, make)
        with bob.raw() as raw:
            with_tablet = raw.call("GET", f"/v1/accounts/{bob.account}/device-list")
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], HI)
        bob.self.unlink(2)
        alice.self.send(conversation, [bob.account], HI)
        with bob.raw() as raw:
            raw.call("PUT", "/v1/device-list", {"data": with_tablet["data"], "devices": [1, 2]})
        with pytest.raises(E2EEError, match="older"):
            alice.self.send(conversation, [bob.account], HI)
        assert len(alice.told(Deed.SENT)) == 2


class TestSafetyNumbers:
    def test_both_sides_see_the_same_number_and_others_another_one(self, enrol: Enrol) -> None:
        alice, bob, carol = enrol("Alice", "Bob", "Carol")
        number = alice.self.safety_number(bob.account)
        assert bob.self.safety_number(alice.account) == number
        assert (len(number), number.isdecimal()) == (60, True)
        assert len({number, alice.self.safety_number(carol.account), bob.self.safety_number(carol.account)}) == 3
        assert matches(alice.self.safety_code(bob.account), bob.self.safety_code(alice.account))
        assert not matches(alice.self.safety_code(bob.account), carol.self.safety_code(alice.account))

    def test_a_further_device_changes_nothing(self, pair: tuple[Someone, Someone], make: Make) -> None:
        alice, bob = pair
        number = alice.self.safety_number(bob.account)
        tablet = linked(bob, make)
        assert tablet.self.safety_number(alice.account) == number == alice.self.safety_number(bob.account)

    def test_only_who_is_known_can_be_verified(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        with pytest.raises(E2EEError, match="nothing is known"):
            alice.self.verify(bob.account)
        assert not alice.self.verified(bob.account)
        alice.self.safety_number(bob.account)
        assert not alice.self.verified(bob.account)
        alice.self.verify(bob.account)
        assert alice.self.verified(bob.account)

    def test_a_service_that_stands_in_between_from_the_beginning_is_found_by_comparing(
        self, pair: tuple[Someone, Someone]
    ) -> None:
        """It hands out a device of its own as Bob's. Alice cannot know; the numbers can."""
        alice, bob = pair
        engine = engine_for(Encryption.PQXDH, os.urandom)
        device = engine.create(bob.account, 1)
        published = engine.publish(device, 1)
        forged = sign_device_list(new_signing_key(os.urandom), bob.account, 1, (engine.public(device),))
        with bob.raw() as raw:
            genuine = raw.call("GET", f"/v1/accounts/{bob.account}/device-list")
            for devices in ([2], [1]):  # so that the keys of the real device 1 are gone
                raw.call("PUT", "/v1/device-list", {"data": _text(forged), "devices": devices})
            raw.call("PUT", "/v1/devices/1/keys", {"signed": _text(published.signed)})
        conversation = alice.self.start_conversation([bob.account])
        prepared = alice.self.prepare(conversation, [bob.account], Content("For Bob alone"))
        (envelope,) = prepared.body["envelopes"]
        alices = alice.self.copy()
        sender = engine.public(alices.device)
        opened = engine.open(published.device, None, sender, base64.b64decode(envelope["data"]))
        assert b"For Bob alone" in opened.plaintext

        assert alice.self.safety_number(bob.account) != bob.self.safety_number(alice.account)
        assert not matches(alice.self.safety_code(bob.account), bob.self.safety_code(alice.account))
        # Whoever pinned Bob in time is told as soon as the service tries.
        with bob.raw() as raw:
            raw.call("PUT", "/v1/device-list", {"data": genuine["data"], "devices": [1]})
        with pytest.raises(IdentityChangedError):
            alice.self._contacts().refresh(bob.account)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class TestChangedIdentity:
    def test_nothing_is_sent_to_a_changed_identity_until_it_is_accepted(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], HI)
        before = alice.self.safety_number(bob.account)
        alice.self.verify(bob.account)
        new = recovered(bob, make)
        assert new.self.number == 2
        for _ in range(2):
            with pytest.raises(IdentityChangedError, match="compare safety numbers") as changed:
                alice.self.send(conversation, [bob.account], Content("To the new one"))
            assert changed.value.account == bob.account
        assert len(alice.told(Deed.SENT)) == 1
        alice.self.resume()
        assert len(alice.told(Deed.SENT)) == 1  # it is not in the outbox either
        assert not alice.self.verified(bob.account)
        with pytest.raises(IdentityChangedError):
            alice.self.verify(bob.account)

        number = alice.self.safety_number(bob.account)
        assert number == new.self.safety_number(alice.account) != before
        alice.self.accept_identity(bob.account)
        assert not alice.self.verified(bob.account)
        alice.self.verify(bob.account)
        alice.self.send(conversation, [bob.account], Content("To the new one"))
        assert new.self.receive() == Content("To the new one")
        new.self.send(conversation, [alice.account], Content("It is me"))
        assert alice.self.receive() == Content("It is me")

    def test_nothing_is_read_from_a_changed_identity_until_it_is_accepted(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        bob.self.send(conversation, [alice.account], HI)
        assert alice.self.receive() == HI
        new = recovered(bob, make)
        message = new.self.send(conversation, [alice.account], Content("I have a new phone"))
        with pytest.raises(IdentityChangedError):
            alice.self.receive()
        (told,) = alice.told(Deed.REFUSED)
        assert (told.message, told.peer) == (message, bob.account)
        assert "compare safety numbers" in told.reason
        alice.self.accept_identity(bob.account)
        new.self.send(conversation, [alice.account], Content("I have a new phone"))
        assert alice.self.receive() == Content("I have a new phone")

    def test_another_identity_under_the_same_device_number_is_noticed_when_its_message_does_not_open(
        self, pair: tuple[Someone, Someone]
    ) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        bob.self.send(conversation, [alice.account], HI)
        assert alice.self.receive() == HI
        prepared = bob.self.prepare(conversation, [alice.account], HI)
        engine = engine_for(Encryption.PQXDH, os.urandom)
        device = engine.public(engine.create(bob.account, 1))
        forged = sign_device_list(new_signing_key(os.urandom), bob.account, 1, (device,))
        with bob.raw() as raw:
            raw.call("PUT", "/v1/device-list", {"data": _text(forged), "devices": [1]})
        (envelope,) = prepared.body["envelopes"]
        broken = {**envelope, "data": envelope["data"][:-8] + "AAAAAAA="}
        with bob.raw() as raw:
            raw.call("POST", f"/v1/conversations/{conversation}/messages", {"device": 1, "envelopes": [broken]})
        with pytest.raises(IdentityChangedError):
            alice.self.receive()

    def test_an_identity_that_is_back_again_needs_no_decision(self, pair: tuple[Someone, Someone]) -> None:
        """Somebody tried. Nothing was sent in the meantime, and what is verified has to be compared again."""
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], HI)
        alice.self.verify(bob.account)
        engine = engine_for(Encryption.PQXDH, os.urandom)
        device = engine.public(engine.create(bob.account, 2))
        forged = sign_device_list(new_signing_key(os.urandom), bob.account, 1, (device,))
        with bob.raw() as raw:
            genuine = raw.call("GET", f"/v1/accounts/{bob.account}/device-list")
            raw.call("PUT", "/v1/device-list", {"data": _text(forged), "devices": [1, 2]})
            with pytest.raises(IdentityChangedError):
                alice.self.send(conversation, [bob.account], HI)
            raw.call("PUT", "/v1/device-list", {"data": genuine["data"], "devices": [1]})
        alice.self._contacts().refresh(bob.account)
        alice.self.send(conversation, [bob.account], HI)
        assert [bob.self.receive() for _ in range(2)] == [HI, HI]
        assert not alice.self.verified(bob.account)

    def test_nothing_happens_when_there_is_nothing_to_accept(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        alice.self.accept_identity(bob.account)
        alice.self.safety_number(bob.account)
        alice.self.verify(bob.account)
        alice.self.accept_identity(bob.account)
        assert alice.self.verified(bob.account)

    def test_a_device_of_an_account_that_was_recovered_elsewhere_is_out(
        self, pair: tuple[Someone, Someone], make: Make
    ) -> None:
        _, bob = pair
        recovered(bob, make)
        with pytest.raises(IdentityChangedError):
            bob.self.link(make("Tablet", like=bob, number=3).self)
        with pytest.raises(E2EEError, match="made elsewhere"):
            bob.self.accept_identity(bob.account)

    def test_a_group_goes_on_with_the_new_identity(self, enrol: Enrol, make: Make) -> None:
        alice, bob, carol = enrol("Alice", "Bob", "Carol")
        conversation = alice.self.start_conversation([bob.account, carol.account])
        for sender in (alice, bob):
            others = [each for each in (alice, bob, carol) if each is not sender]
            sender.self.send(conversation, [each.account for each in others], HI)
            assert [each.self.receive() for each in others] == [HI, HI]
        new = recovered(bob, make)
        with pytest.raises(IdentityChangedError):
            alice.self.send(conversation, [bob.account, carol.account], HI)
        alice.self.accept_identity(bob.account)
        alice.self.send(conversation, [bob.account, carol.account], HI)
        assert new.self.receive() == carol.self.receive() == HI
        assert not [name for name in alice.self.copy().readers if name[1] == bob.account]


class TestStock:
    def test_one_time_keys_are_refilled_when_half_of_them_are_gone(self, enrol: Enrol) -> None:
        bob, *others = enrol("Bob", "Alice", "Carol")
        with bob.raw() as raw:

            def left() -> list[int]:
                return list(raw.call("GET", "/v1/devices/1/keys").values())

            assert left() == [ONE_TIME_KEYS, ONE_TIME_KEYS]
            for taken, expected in ((0, ONE_TIME_KEYS - 1), (5, ONE_TIME_KEYS)):
                for _ in range(taken):
                    raw.call("POST", f"/v1/accounts/{bob.account}/handouts", {})
                sender = others.pop()
                conversation = sender.self.start_conversation([bob.account])
                sender.self.send(conversation, [bob.account], HI)
                assert bob.self.receive() == HI
                assert left() == [expected, expected]

    def test_without_one_time_keys_it_goes_on(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        with bob.raw() as raw:
            for _ in range(ONE_TIME_KEYS):
                raw.call("POST", f"/v1/accounts/{bob.account}/handouts", {})
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], HI)
        assert bob.self.receive() == HI


class TestCopies:
    def test_a_copy_has_what_the_device_has_and_survives_being_written_down(self, enrol: Enrol) -> None:
        alice, bob, carol = enrol("Alice", "Bob", "Carol")
        conversation = alice.self.start_conversation([bob.account, carol.account])
        for sender in (alice, bob):
            others = [each for each in (alice, bob, carol) if each is not sender]
            sender.self.send(conversation, [each.account for each in others], HI)
            for each in others:
                each.self.receive()
        copy = alice.self.copy()
        assert DeviceState.from_bytes(copy.to_bytes()) == copy
        assert (copy.account, copy.number, len(copy.account_key)) == (alice.account, 1, 32)
        assert set(copy.contacts) == {alice.account, bob.account, carol.account}
        assert set(copy.sessions) == {(bob.account, 1), (carol.account, 1)}
        assert set(copy.sender_keys) == {conversation}
        assert set(copy.readers) == {(conversation, bob.account, 1)}
        assert read_device_list(copy.contacts[alice.account], alice.account).devices[0].device == 1

    def test_a_copy_reads_what_comes_next_and_nothing_from_before(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        before = alice.self.prepare(conversation, [bob.account], Content("Before"))
        alice.self.post(before)
        assert bob.self.receive() == Content("Before")
        copy = bob.self.copy()
        after = alice.self.prepare(conversation, [bob.account], Content("After"))
        engine = engine_for(Encryption.PQXDH, os.urandom)
        sender = engine.public(alice.self.copy().device)

        def steal(envelope: str) -> bytes:
            session = copy.sessions[alice.account, 1]
            return engine.open(copy.device, session, sender, base64.b64decode(envelope)).plaintext

        assert b"After" in steal(after.body["envelopes"][0]["data"])
        with pytest.raises(E2EEError):
            steal(before.body["envelopes"][0]["data"])


class TestGoingOn:
    def test_a_device_goes_on_with_its_store(self, pair: tuple[Someone, Someone], make: Make) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], Content("Before"))
        assert bob.self.receive() == Content("Before")
        number = bob.self.safety_number(alice.account)
        bob.self.__exit__()
        alice.self.send(conversation, [bob.account], Content("Meanwhile"))
        again = make("Bob", like=bob, number=7)
        again.self.resume()
        again.self.listen()
        assert again.self.number == 1  # as its store says
        assert again.self.receive() == Content("Meanwhile")
        assert again.self.safety_number(alice.account) == number
        again.self.send(conversation, [alice.account], Content("Back"))
        assert alice.self.receive() == Content("Back")

    def test_two_apps_do_not_use_one_store(self, pair: tuple[Someone, Someone], make: Make) -> None:
        _, bob = pair
        with pytest.raises(LabError, match="locked"):
            make("Bob", like=bob)

    def test_a_fresh_device_does_not_go_on_with_nothing(self, pair: tuple[Someone, Someone], make: Make) -> None:
        _, bob = pair
        tablet = make("Tablet", like=bob)
        with pytest.raises(E2EEError, match="does not belong to an account yet"):
            tablet.self.resume()
