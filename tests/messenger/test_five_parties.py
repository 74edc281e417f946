"""Five accounts write to each other in pairs and in one group, over a service that loses, delays and doubles messages.

Members come and go, devices are linked and unlinked, die and start again, one-time keys run out. Whoever a message was
written to reads it once, as its sender wrote it. Everybody else, those who left and those who came later among them,
keeps all that they were ever given and tries all of it on everything.
"""

from __future__ import annotations

import base64
import os
from collections import deque
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lab.e2ee.engine import Published
from lab.e2ee.identity import PublicDevice
from lab.e2ee.prekeys import Handed
from lab.e2ee.protocol import MAX_READERS, E2EEError, Suite
from lab.e2ee.ratcheted import Ratcheted
from lab.messenger.contacts import Contacts
from lab.messenger.content import Content
from lab.messenger.mailbox import Mailbox, Prepared, Waiting
from lab.messenger.operations import Arrived, Members
from lab.messenger.own import OwnDevice
from lab.messenger.sealing import Sealing
from lab.messenger.store import DeviceStore
from lab.messenger.wire import WireError

NAMES = ("alice", "bob", "carol", "dave", "erin")
GROUP = "the old mill"
MOST_DEVICES = 9
MOST_RAIDS = 4
"""So that a private key is not dropped for newer ones before the message that needs it arrives."""
TRIES = 3

type Address = tuple[str, int]

places = st.integers(0, 1000)
deaths = st.sampled_from(("", "sealed", "posted"))
"""At which moment of sending a device dies, if it does."""


@dataclass(eq=False)
class Letter:
    """A message as the service took it."""

    id: str
    conversation: str
    sender: PublicDevice
    text: str
    envelopes: dict[Address, str | None]
    shared: str | None
    key: bytes | None
    """Under which sender key `shared` is."""

    def arrived(self, envelope: str | None, shared: str | None, **other: Any) -> Arrived:
        fields = {"conversation": self.conversation, "sender": self.sender.account, "device": self.sender.device}
        return Arrived(id=self.id, sequence=1, plain={}, envelope=envelope, shared=shared, **fields | other)


class Service:
    """What the message service does for devices, and what it checks of a message, without HTTP."""

    def __init__(self) -> None:
        self.lists: dict[str, bytes] = {}
        self.signed: dict[Address, bytes | None] = {}
        self.one_time: dict[Address, tuple[deque[bytes], deque[bytes]]] = {}
        self.members: dict[str, frozenset[str]] = {}
        self.letters: dict[str, Letter] = {}

    def devices(self, account: str) -> list[Address]:
        return [address for address in self.signed if address[0] == account]

    def addresses(self, conversation: str) -> set[Address]:
        return {address for account in self.members[conversation] for address in self.devices(account)}

    def post(self, prepared: Prepared, sender: PublicDevice) -> Letter | None:
        """The letter, or None if it was posted before."""
        body = prepared.body
        if sender.account not in self.members[prepared.conversation]:
            raise WireError("There is no such conversation.", 404)
        if prepared.id in self.letters:
            return None
        own = (sender.account, body["device"])
        if own not in self.signed:
            raise WireError("There is no such device.", 422)
        found = {(each["recipient"], each["device"]): each["data"] for each in body["envelopes"]}
        assert len(found) == len(body["envelopes"])
        expected = self.addresses(prepared.conversation) - {own}
        if found.keys() != expected:
            named = {"missing": expected - found.keys(), "stale": found.keys() - expected}
            problem = {
                which: [{"account": account, "device": device} for account, device in sorted(which_ones)]
                for which, which_ones in named.items()
            }
            raise WireError("Envelopes are for each device of each member.", 409, problem)
        text, shared = prepared.fields["text"], body.get("shared")
        key = None if shared is None else ENGINE.groups.key_id(decoded(shared))
        letter = Letter(prepared.id, prepared.conversation, sender, text, found, shared, key)
        self.letters[letter.id] = letter
        return letter


class Desk:
    """The operations of `Service` for one account, as `Operations` has them."""

    def __init__(self, service: Service, account: str) -> None:
        self._service = service
        self._account = account

    def put_device_list(self, data: bytes, devices: Sequence[int]) -> None:
        service, listed = self._service, [(self._account, device) for device in devices]
        service.lists[self._account] = data
        for gone in set(service.devices(self._account)) - set(listed):
            del service.signed[gone]
            service.one_time.pop(gone, None)
        for address in listed:
            service.signed.setdefault(address, None)

    def device_list(self, account: str) -> bytes:
        return self._service.lists[account]

    def put_keys(self, device: int, published: Published) -> None:
        address = self._account, device
        if address not in self._service.signed:
            raise WireError("There is no such device.", 422)
        self._service.signed[address] = published.signed
        kinds = self._service.one_time.setdefault(address, (deque(), deque()))
        for kept, added in zip(kinds, (published.one_time.one_time, published.one_time.one_time_kem), strict=True):
            kept.extend(data for _, data in added)

    def stock(self, device: int) -> int:
        if (self._account, device) not in self._service.signed:
            raise WireError("There is no such device.", 404)
        return len(self._service.one_time[self._account, device][0])

    def hand_out(self, account: str, devices: Sequence[int] | None) -> tuple[bytes, dict[int, Handed]]:
        service, found = self._service, dict.fromkeys(number for _, number in self._service.devices(account))
        if devices is not None and not found.keys() >= set(devices):
            raise WireError("There is no such device.", 404)
        handed = {}
        for number in found if devices is None else devices:
            if (signed := service.signed[account, number]) is not None:
                kinds = service.one_time[account, number]
                handed[number] = Handed(signed, *(kind.popleft() if kind else None for kind in kinds))
        return service.lists[account], handed


class Device:
    """A device with its store, what is on its way to it, and what we know that it should be able to read."""

    def __init__(self, folder: Path, service: Service, account: str, number: int) -> None:
        self.address = account, number
        self._path = folder / f"{account}-{number}.db"
        self._service = service
        self.queue: list[Letter | Members] = []
        self.read: list[Letter] = []
        self.members = service.members[GROUP]
        """Who is in the group, so far as this device has heard."""
        self.keys: dict[PublicDevice, list[bytes]] = {}
        """Ids of the sender keys that were delivered to it, by their owner; the newest first."""
        self._open()
        self.public = self.own.create(number)

    def _open(self) -> None:
        account, desk = self.address[0], Desk(self._service, self.address[0])
        self._store = DeviceStore(self._path)
        self.mailbox = Mailbox(self._store)
        self.contacts = Contacts(account, self._store, desk, None)
        self.own = OwnDevice(account, ENGINE, self._store, self.contacts, desk)
        self.sealing = Sealing(ENGINE, self._store, desk, self.contacts, self.own, None, padded=False)

    def close(self) -> None:
        self._store.close()

    def restart(self) -> None:
        self.close()
        self._open()

    # Sending, as a participant does it

    def send(self, conversation: str, recipients: Sequence[str], text: str, dies: str = "") -> Letter:
        """WireError: the service refuses it for good."""
        prepared = Prepared(text, conversation, tuple(recipients), Content(text), {"text": text}, {})
        prepared = self._seal(prepared)
        if dies == "sealed":
            self.restart()
            (prepared,) = self.mailbox.pending()
        letter = self._post(prepared)
        if dies == "posted":
            self.restart()
            (prepared,) = self.mailbox.pending()
            assert self._service.post(prepared, self.public) is None
        self.mailbox.posted(prepared.id)
        return letter

    def _seal(self, prepared: Prepared) -> Prepared:
        body, changes = self.sealing.seal(prepared.conversation, prepared.recipients, prepared.fields)
        fields = {"content": prepared.content, "fields": prepared.fields, "body": body}
        sealed = Prepared(prepared.id, prepared.conversation, prepared.recipients, **fields)
        self.mailbox.prepare(sealed, changes)
        return sealed

    def _post(self, prepared: Prepared) -> Letter:
        for _ in range(TRIES):
            try:
                letter = self._service.post(prepared, self.public)
            except WireError as error:
                with self._giving_up(prepared):
                    if error.status != 409:
                        raise
                    self.sealing.correct(error, prepared.recipients)
                    self.sealing.renew(prepared.conversation)
                    prepared = self._seal(prepared)
            else:
                assert letter is not None
                return letter
        raise AssertionError("what the service said was wrong is wrong again")

    @contextmanager
    def _giving_up(self, prepared: Prepared):
        try:
            yield
        except (WireError, E2EEError):
            self.mailbox.posted(prepared.id)
            self.sealing.renew(prepared.conversation)
            raise

    # Receiving

    def due(self, letter: Letter) -> bool:
        """Whether it should be able to read `letter` now."""
        if letter in self.read or not self._knows(letter.sender):
            return False
        brought = letter.envelopes[self.address] is not None
        return brought or letter.key in self.keys.get(letter.sender, [])

    def _knows(self, sender: PublicDevice) -> bool:
        """Whether it can know that the sender's account has that device: removed ones are not read any more."""
        known = self.contacts.trusted(sender.account)
        listed = sender.account, sender.device
        return listed in self._service.signed or (known is not None and sender in known.devices)

    def take(self, letter: Letter, dies: str) -> None:
        """Read what is due, once, or refuse it."""
        due = self.due(letter)
        arrived = letter.arrived(letter.envelopes[self.address], letter.shared)
        if not due:
            self.refuses(arrived)
            return
        unsealed = self.sealing.open(arrived)
        waiting = Waiting(arrived.id, arrived.sender, unsealed.fields, unsealed.used_up)
        self.mailbox.receive(waiting, arrived.sequence, unsealed.changes)
        if dies:
            self.restart()
        assert self.mailbox.waiting() == waiting
        self.mailbox.shown(waiting.id)
        assert self.mailbox.waiting() is None
        assert waiting.fields == {"text": letter.text}
        self.read.append(letter)
        if letter.key is not None:
            keys = self.keys.setdefault(letter.sender, [])
            if letter.key not in keys:
                keys[:] = [letter.key, *keys][:MAX_READERS]
        if unsealed.used_up and self.address in self._service.signed:
            self.own.refill()

    def refuses(self, arrived: Arrived) -> None:
        with pytest.raises(E2EEError):
            self.sealing.open(arrived)

    def pries(self, letter: Letter) -> None:
        """Nothing of a letter to others opens, whatever it has kept."""
        for envelope in filter(None, letter.envelopes.values()):
            self.refuses(letter.arrived(envelope, None))
        if letter.shared is not None:
            self.refuses(letter.arrived(None, letter.shared))


class FiveParties(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.service = Service()
        self.devices: dict[Address, Device] = {}
        self.removed: list[Device] = []
        self.given: set[tuple[bytes, Address]] = set()
        """Which sender keys were sent along to whom."""
        self.count = 0
        self.raids = 0

    @initialize(size=st.integers(2, 5))
    def found(self, size: int) -> None:
        self.service.members[GROUP] = frozenset(NAMES[:size])
        for account in NAMES:
            device = self.add_device(account, 1)
            device.own.found_account()
            device.own.publish()
        self.write_to_group(0)

    def add_device(self, account: str, number: int) -> Device:
        device = Device(Path(self.folder.name), self.service, account, number)
        self.devices[device.address] = device
        return device

    def device(self, drawn: int, account: str | None = None) -> Device:
        found = [each for each in self.devices.values() if account in (None, each.address[0])]
        return found[drawn % len(found)]

    def member(self, drawn: int) -> Device:
        members = sorted(self.service.members[GROUP])
        return self.device(drawn // len(members), members[drawn % len(members)])

    def text(self) -> str:
        self.count += 1
        return f"message {self.count}"

    def posted(self, letter: Letter) -> None:
        assert letter.envelopes.keys() <= self.devices.keys()
        for address, envelope in letter.envelopes.items():
            if letter.key is None:
                assert envelope is not None
            elif envelope is not None:
                self.given.add((letter.key, address))
            else:
                assert (letter.key, address) in self.given, "somebody can never read this"
            self.devices[address].queue.append(letter)

    # Messages

    @rule(who=places, whom=st.integers(1, 4), dies=deaths)
    def write(self, who: int, whom: int, dies: str) -> None:
        sender = self.device(who)
        account = sender.address[0]
        other = NAMES[(NAMES.index(account) + whom) % len(NAMES)]
        conversation = " and ".join(sorted((account, other)))
        self.service.members[conversation] = frozenset((account, other))
        self.posted(sender.send(conversation, [other], self.text(), dies))

    @rule(who=places, dies=deaths)
    def write_to_group(self, who: int, dies: str = "") -> None:
        sender = self.member(who)
        account = sender.address[0]
        try:
            letter = sender.send(GROUP, sorted(sender.members - {account}), self.text(), dies)
        except WireError as error:
            if error.status != 409 or sender.members | {account} == self.service.members[GROUP]:
                raise
            # Somebody came or went, and this device has not heard of it: the app looks who is there, and tries again.
            sender.members = self.service.members[GROUP]
            letter = sender.send(GROUP, sorted(sender.members - {account}), self.text(), dies)
        # Whoever was away may think that it still is.
        assert sender.members | {account} == self.service.members[GROUP]
        self.posted(letter)

    @rule(writers=st.lists(places, min_size=2, max_size=5))
    def talk(self, writers: list[int]) -> None:
        for writer in writers:
            self.write_to_group(writer)

    @rule(who=places)
    def write_to_a_group_of_others(self, who: int) -> None:
        sender = self.device(who)
        if sender.address[0] not in self.service.members[GROUP]:
            with pytest.raises(WireError):
                sender.send(GROUP, sorted(self.service.members[GROUP]), self.text())

    @rule(dies=st.booleans(), count=st.integers(1, 9))
    def deliver_the_oldest(self, dies: bool, count: int) -> None:
        for device in self.devices.values():
            for _ in device.queue[:count]:
                self.hand_over(device, 0, dies)

    @rule(who=places, place=places, dies=st.booleans())
    def deliver_any(self, who: int, place: int, dies: bool) -> None:
        self.hand_over(self.device(who), place, dies)

    def hand_over(self, device: Device, place: int, dies: bool) -> None:
        if not device.queue:
            return
        found = device.queue.pop(place % len(device.queue))
        if isinstance(found, Members):
            device.members = found.accounts
            device.sealing.keep_members(GROUP, found.accounts)
            return
        device.take(found, "dies" if dies else "")
        if found not in device.read:
            # Perhaps its sender key is still on its way.
            device.queue.append(found)

    @rule(who=places, place=places)
    def deliver_again(self, who: int, place: int) -> None:
        device = self.device(who)
        if device.read:
            device.take(device.read[place % len(device.read)], "")

    @rule(who=places, place=places)
    def lose(self, who: int, place: int) -> None:
        device = self.device(who)
        if device.queue:
            device.queue.pop(place % len(device.queue))

    @rule(who=places, place=places, other=st.sampled_from(NAMES))
    def deliver_in_anothers_name_and_to_another_conversation(self, who: int, place: int, other: str) -> None:
        device = self.device(who)
        letters = [each for each in device.queue if isinstance(each, Letter)]
        if letters:
            letter = letters[place % len(letters)]
            parts = letter.envelopes[device.address], letter.shared
            if other != letter.sender.account:
                device.refuses(letter.arrived(*parts, sender=other))
            device.refuses(letter.arrived(*parts, conversation="the new mill"))

    @rule(who=places, place=places)
    def pry(self, who: int, place: int) -> None:
        everybody = [*self.devices.values(), *self.removed]
        device = everybody[who % len(everybody)]
        letters = [each for each in self.service.letters.values() if device.address not in each.envelopes]
        if letters:
            device.pries(letters[place % len(letters)])

    # Devices

    @rule(who=places)
    def restart(self, who: int) -> None:
        self.device(who).restart()

    @precondition(lambda self: len(self.devices) < MOST_DEVICES)
    @rule(who=places, writer=places)
    def link(self, who: int, writer: int) -> None:
        old = self.device(who)
        account = old.address[0]
        new = self.add_device(account, 1 + sum(each.address[0] == account for each in self.everybody()))
        old.own.add(new.public)
        new.own.join_account(old.own)
        new.own.publish()
        self.write_to_group(writer)

    @precondition(lambda self: len(self.devices) > len(NAMES))
    @rule(who=places, by=places, writer=places)
    def unlink(self, who: int, by: int, writer: int) -> None:
        several = [each for each in self.devices.values() if len(self.service.devices(each.address[0])) > 1]
        gone = several[who % len(several)]
        del self.devices[gone.address]
        self.removed.append(gone)
        self.device(by, gone.address[0]).own.remove(gone.address[1])
        self.write_to_group(writer)

    @precondition(lambda self: self.removed)
    @rule(who=places, other=st.sampled_from(NAMES))
    def write_with_a_removed_device(self, who: int, other: str) -> None:
        sender = self.removed[who % len(self.removed)]
        account = sender.address[0]
        if other != account:
            conversation = " and ".join(sorted((account, other)))
            self.service.members[conversation] = frozenset((account, other))
            with pytest.raises((WireError, E2EEError)):
                sender.send(conversation, [other], self.text())

    @precondition(lambda self: self.raids < MOST_RAIDS)
    @rule(who=places)
    def take_all_one_time_keys(self, who: int) -> None:
        self.raids += 1
        for kind in self.service.one_time[self.device(who).address]:
            kind.clear()

    # Members

    def change_members(self, members: frozenset[str], *, heard: bool) -> None:
        """`heard`: all devices are told at once; else the news is late, or lost, like everything else."""
        affected = members | self.service.members[GROUP]
        self.service.members[GROUP] = members
        for device in self.devices.values():
            if device.address[0] in affected:
                device.queue.append(Members(GROUP, members))
                if heard:
                    self.hand_over(device, len(device.queue) - 1, dies=False)

    @precondition(lambda self: len(self.service.members[GROUP]) < len(NAMES))
    @rule(who=places, writer=places, heard=st.booleans())
    def join(self, who: int, writer: int, heard: bool) -> None:
        others = sorted(set(NAMES) - self.service.members[GROUP])
        self.change_members(self.service.members[GROUP] | {others[who % len(others)]}, heard=heard)
        self.write_to_group(writer)

    @precondition(lambda self: len(self.service.members[GROUP]) > 2)
    @rule(who=places, writer=places, heard=st.booleans())
    def leave(self, who: int, writer: int, heard: bool) -> None:
        self.change_members(self.service.members[GROUP] - {self.member(who).address[0]}, heard=heard)
        self.write_to_group(writer)

    @precondition(lambda self: len(self.service.members[GROUP]) > 2)
    @rule(who=places, by=st.integers(1, 4), writer=places, heard=st.booleans())
    def remove(self, who: int, by: int, writer: int, heard: bool) -> None:
        gone = self.member(who).address[0]
        self.change_members(self.service.members[GROUP] - {gone}, heard=heard)
        remover = self.member(by)
        remover.members = self.service.members[GROUP]
        remover.sealing.renew(GROUP)
        self.write_to_group(writer)

    # The end

    def everybody(self) -> list[Device]:
        return [*self.devices.values(), *self.removed]

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            for device in self.everybody():
                device.close()
            self.folder.cleanup()

    def finish(self) -> None:
        """Everything that is on its way arrives, the newest first, and everybody tries what is not for them."""
        for device in self.devices.values():
            letters = [each for each in reversed(device.queue) if isinstance(each, Letter)]
            # Those with a sender key first: then whatever is not read now cannot be read.
            for letter in sorted(letters, key=lambda letter: letter.envelopes[device.address] is None):
                device.take(letter, "")
        for device in self.everybody():
            for letter in self.service.letters.values():
                if device.address not in letter.envelopes:
                    device.pries(letter)
                elif letter in device.read and device.address in self.devices:
                    device.take(letter, "")


def decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


ENGINE = Ratcheted(Suite.PQXDH, os.urandom)


def test_an_own_device_that_was_never_written_to_and_is_gone_is_not_in_the_way() -> None:
    parties = FiveParties()
    try:
        parties.found(2)
        for _ in range(2):
            parties.link(0, 1)
        first, second, third = (parties.devices["alice", number] for number in (1, 2, 3))
        parties.removed.append(parties.devices.pop(second.address))
        first.own.remove(2)
        parties.service.members["alice and bob"] = frozenset(("alice", "bob"))
        parties.posted(third.send("alice and bob", ["bob"], parties.text()))
    finally:
        parties.teardown()


TestFiveParties = FiveParties.TestCase
TestFiveParties.settings = settings(max_examples=8, stateful_step_count=30)
