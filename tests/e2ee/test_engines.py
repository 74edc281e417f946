"""The same story with every engine: what a device can rely on, whatever cryptography stands behind the seam.

The bad examples are among them. What they lack is written down in LACKS; a test about that has to fail with them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.engine import Engine, GroupEngine, Opened
from lab.e2ee.identity import PublicDevice
from lab.e2ee.olm import OlmEngine
from lab.e2ee.prekeys import Handed
from lab.e2ee.protocol import MAX_KEPT_KEYS, MAX_PLAINTEXT, MAX_SKIP, E2EEError, Suite
from lab.e2ee.ratcheted import Ratcheted
from lab.e2ee.static_x3dh import StaticX3dh
from lab.e2ee.textbook_rsa import TextbookRsa, TooLongError
from lab.e2ee.unauthenticated import Unauthenticated

TEXT = "Meet me at the old mill at 5pm — Grüße".encode()
GROUP, OTHER_GROUP = b"the old mill", b"the new mill"

type Make = Callable[[], Engine]


class Gives(Enum):
    """What an engine may lack."""

    REPLAY = "a message opens once"
    SENDER = "the reader knows who wrote"
    SIGNED = "keys are signed by their device"
    ONE_TIME = "there are one-time keys"
    LENGTH = "a message may have a mebibyte, and no more"
    GROUPS = "there are sender keys"
    INTEGRITY = "what was changed, or is not from one to the other of two devices, is refused"


ENGINES: Mapping[str, Make] = {
    "pqxdh": lambda: Ratcheted(Suite.PQXDH, os.urandom),
    "x3dh": lambda: Ratcheted(Suite.X3DH, os.urandom),
    "olm": OlmEngine,
    "static": lambda: StaticX3dh(os.urandom),
    "ctr": lambda: Unauthenticated(os.urandom),
    "rsa": lambda: TextbookRsa(os.urandom),
}
LACKS: Mapping[str, frozenset[Gives]] = {
    "static": frozenset({Gives.REPLAY, Gives.ONE_TIME, Gives.LENGTH, Gives.GROUPS}),
    "ctr": frozenset(Gives) - {Gives.SIGNED},
    "rsa": frozenset(Gives) - {Gives.INTEGRITY},
}
UNNOTICED = (pytest.fail.Exception, AssertionError, TooLongError)
"""How a test ends with an engine that lacks what it is about: not with any other error."""


def lacks(name: str, *needed: Gives) -> list[str]:
    return [each.value for each in needed if each in LACKS.get(name, ())]


def engines(*needed: Gives) -> pytest.MarkDecorator:
    """With all engines; with those that lack what is needed, the test has to fail."""
    marks = {
        name: [pytest.mark.xfail(raises=UNNOTICED, reason=f"not so: {why}")] if (why := lacks(name, *needed)) else []
        for name in ENGINES
    }
    return pytest.mark.parametrize(
        "make", [pytest.param(make, id=name, marks=marks[name]) for name, make in ENGINES.items()]
    )


with_groups = pytest.mark.parametrize(
    "make", [pytest.param(make, id=name) for name, make in ENGINES.items() if not lacks(name, Gives.GROUPS)]
)


@functools.cache
def new_device(make: Make, account: str, number: int = 1) -> bytes:
    """A state that nothing has happened to yet. States never change, and a new RSA key takes its time."""
    return make().create(account, number)


class Device:
    """A device with nothing but its states, and what the service has of it. Every step is made by a new engine."""

    def __init__(self, make: Make, account: str, number: int = 1, one_time_keys: int = 3) -> None:
        self.make = make
        self.state = new_device(make, account, number)
        self.sessions: dict[PublicDevice, bytes] = {}
        self.one_time: list[bytes] = []
        self.one_time_kem: list[bytes] = []
        self.publish(one_time_keys)

    @property
    def engine(self) -> Engine:
        return self.make()

    @property
    def public(self) -> PublicDevice:
        return self.engine.public(self.state)

    def publish(self, count: int) -> None:
        published = self.engine.publish(self.state, count)
        self.state, self.signed = published.device, published.signed
        self.one_time += [data for _, data in published.one_time.one_time]
        self.one_time_kem += [data for _, data in published.one_time.one_time_kem]

    def handed(self) -> Handed:
        keys = (kind.pop(0) if kind else None for kind in (self.one_time, self.one_time_kem))
        return Handed(self.signed, *keys)

    def begin(self, other: Device) -> None:
        session = self.sessions.get(other.public)
        self.sessions[other.public] = self.engine.begin(self.state, session, other.public, other.handed())

    def write(self, other: Device, text: bytes = TEXT) -> bytes:
        if not self.sessions.get(other.public):
            self.begin(other)
        sealed = self.engine.seal(self.state, self.sessions[other.public], text)
        self.sessions[other.public] = sealed.state
        return sealed.message

    def open(self, other: Device, envelope: bytes) -> Opened:
        return self.engine.open(self.state, self.sessions.get(other.public), other.public, envelope)

    def read(self, other: Device, envelope: bytes) -> bytes:
        opened = self.open(other, envelope)
        self.state, self.sessions[other.public] = opened.device, opened.session
        return opened.plaintext

    def refuses(self, other: Device, envelope: bytes) -> bool:
        with pytest.raises(E2EEError):
            self.open(other, envelope)
        return True


def say(sender: Device, reader: Device, text: bytes = TEXT) -> bytes:
    envelope = sender.write(reader, text)
    assert reader.read(sender, envelope) == text
    return envelope


def pair(make: Make, one_time_keys: int = 3) -> tuple[Device, Device]:
    return Device(make, "alice"), Device(make, "bob", one_time_keys=one_time_keys)


def acquainted(make: Make) -> tuple[Device, Device]:
    """Both have written and read."""
    alice, bob = pair(make)
    say(alice, bob)
    say(bob, alice)
    return alice, bob


def changed(data: bytes) -> Iterator[bytes]:
    """One bit flipped in a byte, cut short, or longer. At some places only: each engine's own tests try them all."""
    for at in {0, 1, 2, len(data) // 4, len(data) // 2, len(data) - 70, len(data) - 1}:
        yield data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
    yield from (b"", data[:1], data[: len(data) // 2], data[:-1], data + b"\x00", b"\x00" + data)


class TestTalking:
    @engines()
    def test_bob_reads_what_was_written_while_he_was_away_and_answers(self, make: Make) -> None:
        alice, bob = pair(make)
        envelopes = [alice.write(bob, text) for text in (b"one", b"", b"three")]
        assert [bob.read(alice, envelope) for envelope in envelopes] == [b"one", b"", b"three"]
        for _ in range(3):
            say(bob, alice)
            say(alice, bob)

    @engines()
    def test_messages_are_read_in_any_order(self, make: Make) -> None:
        alice, bob = pair(make)
        for order in ((2, 0, 1), (1, 2, 0)):
            envelopes = {at: alice.write(bob, bytes([at])) for at in range(3)}
            assert [bob.read(alice, envelopes[at]) for at in order] == [bytes([at]) for at in order]
        late = [bob.write(alice, b"late")]
        say(bob, alice)
        say(alice, bob)
        say(bob, alice)
        assert [alice.read(bob, envelope) for envelope in late] == [b"late"]

    @engines()
    def test_no_two_envelopes_are_the_same(self, make: Make) -> None:
        alice, bob = pair(make)
        envelopes = {alice.write(bob) for _ in range(5)} | {say(bob, alice), say(alice, bob)}
        assert len(envelopes) == 7

    @engines()
    def test_both_may_begin_at_the_same_time(self, make: Make) -> None:
        alice, bob = pair(make)
        from_alice, from_bob = alice.write(bob, b"from Alice"), bob.write(alice, b"from Bob")
        assert bob.read(alice, from_alice) == b"from Alice"
        assert alice.read(bob, from_bob) == b"from Bob"
        for _ in range(2):
            say(alice, bob)
            say(bob, alice)

    @engines()
    def test_after_a_second_session_was_begun_the_first_one_can_still_be_read_in(self, make: Make) -> None:
        alice, bob = acquainted(make)
        late = alice.write(bob, b"late")
        alice.begin(bob)
        say(alice, bob, b"in the second one")
        assert bob.read(alice, late) == b"late"
        say(bob, alice)
        say(alice, bob)

    @engines()
    def test_who_has_lost_all_sessions_begins_anew(self, make: Make) -> None:
        alice, bob = acquainted(make)
        alice.sessions.clear()
        say(alice, bob)
        say(bob, alice)

    @engines(Gives.LENGTH)
    def test_a_message_may_have_a_mebibyte_and_no_more(self, make: Make) -> None:
        alice, bob = pair(make)
        say(alice, bob, bytes(MAX_PLAINTEXT))
        before = alice.sessions[bob.public]
        with pytest.raises(E2EEError):
            alice.write(bob, bytes(MAX_PLAINTEXT + 1))
        assert alice.sessions[bob.public] == before

    @engines()
    def test_a_name_or_a_number_that_is_none_makes_no_device(self, make: Make) -> None:
        for account, number in [("", 1), ("a" * 65, 1), ("\ud800", 1), ("alice", 0), ("alice", 2**31)]:
            with pytest.raises(E2EEError):
                make().create(account, number)
        public = make().public(make().create("Zoë", 2**31 - 1))
        assert (public.account, public.device) == ("Zoë", 2**31 - 1)


class TestStates:
    @engines()
    def test_a_step_that_is_not_stored_has_not_happened(self, make: Make) -> None:
        alice, bob = pair(make)
        first = alice.write(bob)
        assert [bob.open(alice, first).plaintext for _ in range(2)] == [TEXT, TEXT]
        assert bob.read(alice, first) == TEXT
        later = bob.write(alice)
        assert [alice.open(bob, later).plaintext for _ in range(2)] == [TEXT, TEXT]
        alice.engine.begin(alice.state, alice.sessions[bob.public], bob.public, bob.handed())
        alice.engine.publish(alice.state, 2)
        assert alice.read(bob, later) == TEXT
        say(alice, bob)

    @engines(Gives.REPLAY)
    def test_what_is_stored_and_what_was_sealed_with_it_change_from_message_to_message(self, make: Make) -> None:
        alice, bob = pair(make)
        states = set()
        for _ in range(3):
            say(alice, bob)
            states.add(alice.sessions[bob.public])
            states.add(bob.sessions[alice.public])
        assert len(states) == 6

    @engines()
    def test_neither_texts_nor_keys_show_when_something_is_printed(self, make: Make) -> None:
        alice, bob = pair(make)
        envelope = alice.write(bob)
        sealed, opened = alice.engine.seal(alice.state, alice.sessions[bob.public], TEXT), bob.open(alice, envelope)
        published = alice.engine.publish(alice.state, 1)
        for shown in map(repr, (sealed, opened, published)):
            assert repr(TEXT) not in shown
            assert all(repr(state) not in shown for state in (sealed.state, opened.device, published.device))


class TestReplays:
    @engines(Gives.REPLAY)
    def test_a_message_opens_once(self, make: Make) -> None:
        alice, bob = pair(make)
        envelopes = [say(alice, bob), say(alice, bob)]
        assert all(bob.refuses(alice, envelope) for envelope in envelopes)
        answer = say(bob, alice)
        assert alice.refuses(bob, answer)
        envelopes.append(say(alice, bob))
        assert all(bob.refuses(alice, envelope) for envelope in envelopes)

    @engines(Gives.REPLAY)
    @pytest.mark.parametrize("one_time_keys", [1, 0])
    def test_a_first_message_does_not_begin_its_session_again(self, make: Make, one_time_keys: int) -> None:
        alice, bob = pair(make, one_time_keys)
        envelopes = [say(alice, bob), alice.write(bob)]
        bob.sessions.clear()
        assert all(bob.refuses(alice, envelope) for envelope in envelopes)

    @engines(Gives.REPLAY)
    def test_nor_after_many_other_sessions(self, make: Make) -> None:
        alice, bob = pair(make, one_time_keys=0)
        first = say(alice, bob)
        sizes = []
        for _ in range(9):
            alice.begin(bob)
            say(alice, bob)
            sizes.append(len(alice.sessions[bob.public]) + len(bob.sessions[alice.public]))
        assert bob.refuses(alice, first)
        assert sizes[-1] == pytest.approx(sizes[-3], rel=0.05)


class TestForgeries:
    @engines(Gives.INTEGRITY)
    def test_a_changed_first_message_is_refused_and_uses_nothing_up(self, make: Make) -> None:
        alice, bob = pair(make)
        first = alice.write(bob)
        assert all(bob.refuses(alice, bad) for bad in changed(first))
        assert bob.read(alice, first) == TEXT

    @engines(Gives.INTEGRITY)
    def test_a_changed_message_is_refused_and_the_session_goes_on(self, make: Make) -> None:
        alice, bob = pair(make)
        say(alice, bob)
        without_answer = alice.write(bob)
        assert all(bob.refuses(alice, bad) for bad in changed(without_answer))
        assert bob.read(alice, without_answer) == TEXT
        say(bob, alice)
        later = alice.write(bob)
        assert all(bob.refuses(alice, bad) for bad in changed(later))
        assert bob.read(alice, later) == TEXT

    @engines(Gives.INTEGRITY)
    def test_only_whom_it_was_written_to_opens_an_envelope(self, make: Make) -> None:
        alice, bob = acquainted(make)
        for other in (Device(make, "carol"), Device(make, "bob", 2)):
            envelope = alice.write(bob)
            assert other.refuses(alice, envelope)
            say(alice, other)
            assert other.refuses(alice, envelope)

    @engines(Gives.SENDER)
    def test_an_envelope_opens_under_the_name_of_its_sender_only(self, make: Make) -> None:
        alice, bob = pair(make)
        others = [Device(make, "mallory"), Device(make, "alice", 2)]
        first = alice.write(bob)
        assert all(bob.refuses(other, first) for other in others)
        assert bob.read(alice, first) == TEXT
        later = alice.write(bob)
        for other in others:
            assert bob.refuses(other, later)
            say(other, bob)
            assert bob.refuses(other, later)
            bob.sessions[other.public] = bob.sessions[alice.public]
            assert bob.refuses(other, later)
        assert bob.read(alice, later) == TEXT

    @engines(Gives.INTEGRITY)
    def test_ones_own_envelope_does_not_come_back(self, make: Make) -> None:
        alice, bob = acquainted(make)
        assert alice.refuses(bob, alice.write(bob))


class TestKeys:
    @engines(Gives.ONE_TIME)
    def test_every_one_time_key_is_another_one_with_another_id(self, make: Make) -> None:
        device = make().create("alice", 1)
        ids, keys = set(), set()
        for count in (3, 0, 5):
            published = make().publish(device, count)
            device, one_time = published.device, published.one_time
            assert len(one_time.one_time) == count
            assert len(one_time.one_time_kem) in (0, count)
            for id_, data in (*one_time.one_time, *one_time.one_time_kem):
                ids.add(id_)
                keys.add(data)
        assert len(ids) == len(keys)
        assert len(keys) in (8, 16)
        assert 0 not in ids
        with pytest.raises(E2EEError):
            make().publish(device, MAX_KEPT_KEYS + 1)

    @engines()
    def test_when_all_one_time_keys_were_handed_out_sessions_still_begin(self, make: Make) -> None:
        bob = Device(make, "bob", one_time_keys=2)
        for account in ("alice", "carol", "dave", "erin"):
            other = Device(make, account, one_time_keys=0)
            say(other, bob)
            say(bob, other)

    @engines(Gives.ONE_TIME)
    def test_one_time_key_opens_one_session_only(self, make: Make) -> None:
        alice, bob = pair(make)
        handed = bob.handed()
        carol = Device(make, "carol")
        for other in (alice, carol):
            other.sessions[bob.public] = other.engine.begin(other.state, None, bob.public, handed)
        say(alice, bob)
        assert bob.refuses(carol, carol.write(bob))

    @engines()
    def test_publishing_again_keeps_what_is_on_its_way_readable(self, make: Make) -> None:
        alice, bob = pair(make)
        first = alice.write(bob)
        bob.publish(3)
        assert bob.read(alice, first) == TEXT

    @engines(Gives.SIGNED)
    def test_no_session_begins_with_keys_that_the_device_did_not_sign(self, make: Make) -> None:
        alice, bob = pair(make)
        mallory, handed = Device(make, "mallory"), bob.handed()

        def refused(handed: Handed) -> bool:
            with pytest.raises(E2EEError):
                alice.engine.begin(alice.state, None, bob.public, handed)
            return True

        assert all(refused(Handed(bad, handed.one_time, handed.one_time_kem)) for bad in changed(handed.signed))
        assert refused(Handed(mallory.signed, handed.one_time, handed.one_time_kem))
        assert refused(Handed(mallory.signed, None, None))
        assert alice.engine.begin(alice.state, None, bob.public, handed)


class TestCopies:
    """Somebody has copied the device's state, and goes on listening."""

    @pytest.mark.parametrize("name", ["pqxdh", "x3dh"])
    def test_a_copied_session_opens_what_is_written_until_both_have_answered(self, name: str) -> None:
        alice, bob = acquainted(ENGINES[name])
        say(alice, bob)
        thief = Device(ENGINES[name], "alice")
        thief.state = alice.state
        copy = thief.engine.overhear(alice.state, alice.sessions[bob.public])
        assert copy is not None
        thief.sessions[alice.public] = copy
        assert thief.read(alice, say(alice, bob)) == TEXT
        for _ in range(2):
            say(bob, alice)
            say(alice, bob)
        assert thief.refuses(alice, alice.write(bob))

    @pytest.mark.parametrize("name", ["olm", "static", "ctr", "rsa"])
    def test_other_engines_give_no_session_to_listen_with(self, name: str) -> None:
        alice, bob = acquainted(ENGINES[name])
        assert alice.engine.overhear(alice.state, alice.sessions[bob.public]) is None


def group_engine(make: Make) -> GroupEngine:
    engine = make().groups
    assert engine is not None
    return engine


class Member:
    """A device in a group: its own sender key, and a reader for each that it has learnt."""

    def __init__(self, make: Make, account: str, group: bytes = GROUP) -> None:
        self.make, self.group = make, group
        self.device = new_device(make, account)
        self.public = make().public(self.device)
        self.readers: dict[bytes, bytes] = {}
        self.renew()

    @property
    def engine(self) -> GroupEngine:
        return group_engine(self.make)

    def renew(self) -> None:
        self.key = self.engine.create(self.device, self.group)

    def tell(self, *others: Member) -> None:
        for other in others:
            other.learn(self, self.engine.distribution(self.key))

    def learn(self, sender: Member, distribution: bytes) -> None:
        reader = self.engine.learn(self.group, sender.public, distribution)
        self.readers[self.engine.reader_id(reader)] = reader

    def write(self, text: bytes = TEXT) -> bytes:
        sealed = self.engine.seal(self.key, text)
        self.key = sealed.state
        return sealed.message

    def read(self, message: bytes) -> bytes:
        key_id = self.engine.key_id(message)
        read = self.engine.open(self.readers[key_id], message)
        self.readers[key_id] = read.reader
        return read.plaintext

    def refuses(self, message: bytes) -> bool:
        """Refused by every reader."""
        for reader in self.readers.values():
            with pytest.raises(E2EEError):
                self.engine.open(reader, message)
        return True


def members(make: Make) -> tuple[Member, Member, Member]:
    """Each can read what the others write."""
    alice, bob, carol = (Member(make, account) for account in ("alice", "bob", "carol"))
    alice.tell(bob, carol)
    bob.tell(alice, carol)
    carol.tell(alice, bob)
    return alice, bob, carol


class TestGroups:
    @engines(Gives.GROUPS)
    def test_there_are_sender_keys_or_there_are_none(self, make: Make) -> None:
        assert make().groups is not None

    @with_groups
    def test_what_a_member_writes_all_others_read(self, make: Make) -> None:
        alice, bob, carol = members(make)
        for sender, readers in [(alice, (bob, carol)), (bob, (alice, carol)), (alice, (bob, carol))]:
            message = sender.write()
            assert [reader.read(message) for reader in readers] == [TEXT, TEXT]

    @with_groups
    def test_group_messages_are_read_in_any_order_and_once(self, make: Make) -> None:
        alice, bob, _ = members(make)
        for order in permutations(range(3)):
            messages = {at: alice.write(bytes([at])) for at in range(3)}
            assert [bob.read(messages[at]) for at in order] == [bytes([at]) for at in order]
            assert all(bob.refuses(message) for message in messages.values())

    @with_groups
    def test_a_changed_group_message_is_refused_and_the_next_one_is_read(self, make: Make) -> None:
        alice, bob, _ = members(make)
        message = alice.write()
        assert all(bob.refuses(bad) for bad in changed(message))
        assert bob.read(message) == TEXT
        assert bob.read(alice.write()) == TEXT

    @with_groups
    def test_a_reading_that_is_not_stored_has_not_happened(self, make: Make) -> None:
        alice, bob, _ = members(make)
        message = alice.write()
        reader = bob.readers[bob.engine.key_id(message)]
        assert [bob.engine.open(reader, message).plaintext for _ in range(2)] == [TEXT, TEXT]
        assert bob.read(message) == TEXT

    @with_groups
    def test_who_comes_later_reads_from_then_on(self, make: Make) -> None:
        alice, _, _ = members(make)
        before = alice.write()
        dave = Member(make, "dave")
        alice.tell(dave)
        assert dave.refuses(before)
        assert dave.read(alice.write()) == TEXT

    @with_groups
    def test_who_was_removed_does_not_read_what_is_written_under_new_keys(self, make: Make) -> None:
        alice, bob, carol = members(make)
        late = alice.write(b"late")
        alice.renew()
        alice.tell(bob)
        message = alice.write()
        assert carol.refuses(message)
        assert [bob.read(message), bob.read(late)] == [TEXT, b"late"]

    @with_groups
    def test_a_message_is_read_under_the_name_of_its_sender_and_in_its_group_only(self, make: Make) -> None:
        alice, _, carol = members(make)
        message = alice.write()
        key_id = carol.engine.key_id(message)
        del carol.readers[key_id]
        assert carol.refuses(message)
        mallory = Member(make, "mallory", OTHER_GROUP)
        bob = Member(make, "bob", OTHER_GROUP)
        mallory.tell(bob)
        assert bob.refuses(message)

    @with_groups
    def test_a_sender_key_for_another_group_or_of_another_device_is_not_learnt(self, make: Make) -> None:
        alice, bob, carol = members(make)
        distribution = alice.engine.distribution(alice.key)
        for group, sender in [(OTHER_GROUP, alice), (b"", alice), (GROUP, carol)]:
            with pytest.raises(E2EEError):
                bob.engine.learn(group, sender.public, distribution)
        for bad in (*(distribution[:size] for size in range(len(distribution))), distribution + b"\x00"):
            with pytest.raises(E2EEError):
                bob.engine.learn(GROUP, alice.public, bad)

    @with_groups
    def test_every_sender_key_has_an_id_of_its_own(self, make: Make) -> None:
        alice, bob, _ = members(make)
        ids = set()
        for group in (GROUP, OTHER_GROUP, GROUP):
            alice.group = group
            alice.renew()
            reader = bob.engine.learn(group, alice.public, alice.engine.distribution(alice.key))
            assert bob.engine.key_id(alice.write()) == bob.engine.reader_id(reader)
            ids.add(bob.engine.reader_id(reader))
        assert len(ids) == 3

    @with_groups
    def test_a_message_too_far_ahead_is_refused(self, make: Make) -> None:
        alice, bob, carol = members(make)
        message = alice.write()
        for _ in range(MAX_SKIP):
            message = alice.write()
        assert bob.read(message) == TEXT
        assert carol.refuses(alice.write())
        assert carol.read(message) == TEXT

    @with_groups
    def test_a_group_message_may_have_a_mebibyte_and_no_more(self, make: Make) -> None:
        alice, bob, _ = members(make)
        text = bytes(MAX_PLAINTEXT)
        assert bob.read(alice.write(text)) == text
        with pytest.raises(E2EEError):
            alice.write(text + b"\x00")


# Whatever comes from outside


@functools.cache
def correspondents(name: str) -> tuple[tuple[Device, bytes], tuple[Device, bytes], Device, Handed]:
    """Alice, whom Bob knows, and a stranger, each with an envelope that he has not read; and keys of his."""
    alice, bob = acquainted(ENGINES[name])
    stranger = Device(ENGINES[name], "mallory")
    return (alice, alice.write(bob)), (stranger, stranger.write(bob)), bob, bob.handed()


@functools.cache
def readers(name: str) -> tuple[Member, Member, bytes, bytes]:
    """Bob knows Alice's sender key; a message that he has not read, and a distribution that he has not learnt."""
    alice, bob, _ = members(ENGINES[name])
    return alice, bob, alice.write(), alice.engine.distribution(alice.key)


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """What happens to some bytes on their way: anything."""
    random = draw(st.randoms(use_true_random=False))
    kinds = draw(st.lists(st.sampled_from(("flip", "cut", "insert", "repeat", "end", "set")), min_size=1, max_size=3))

    def damage(data: bytes) -> bytes:
        for kind in kinds:
            at = random.randrange(len(data) + 1)
            end = at + random.randrange(1, 40)
            match kind:
                case "flip":
                    data = (
                        data[:at]
                        + bytes(each ^ 1 << random.randrange(8) for each in data[at : at + 1])
                        + data[at + 1 :]
                    )
                case "cut":
                    data = data[:at] + data[end:]
                case "insert":
                    data = data[:at] + random.randbytes(end - at) + data[at:]
                case "repeat":
                    data = data[:end] + data[at:]
                case "end":
                    data = data[:at]
                case _:
                    data = data[:at] + bytes([random.choice((0, 10, 18, 34, 127, 128, 255))]) + data[at + 1 :]
        return data

    return damage


outside = damages() | st.binary(max_size=400).map(lambda data: lambda _: data)
"""Something that was damaged, or something else altogether."""
every_name = pytest.mark.parametrize("name", [name for name in ENGINES if name != "rsa"])
"""One envelope takes RSA longer to open than it takes all others together; its own tests do the same."""
every_authentic_name = pytest.mark.parametrize(
    "name", [name for name in ENGINES if name != "rsa" and not lacks(name, Gives.INTEGRITY)]
)
every_name_with_groups = pytest.mark.parametrize("name", [name for name in ENGINES if not lacks(name, Gives.GROUPS)])


class TestAnythingFromOutside:
    @every_authentic_name
    @settings(max_examples=40, deadline=None)
    @given(damage=outside, first=st.booleans())
    def test_as_an_envelope_is_refused(self, name: str, damage: Callable[[bytes], bytes], first: bool) -> None:
        alice, stranger, bob, _ = correspondents(name)
        sender, envelope = stranger if first else alice
        if (bad := damage(envelope)) != envelope:
            assert bob.refuses(sender, bad)

    @every_name
    @settings(max_examples=40, deadline=None)
    @given(damage=outside)
    def test_as_keys_is_refused_or_begins_a_session_that_nobody_opens(
        self, name: str, damage: Callable[[bytes], bytes]
    ) -> None:
        (alice, _), _, bob, handed = correspondents(name)
        for bad in (
            Handed(damage(handed.signed), handed.one_time, handed.one_time_kem),
            Handed(handed.signed, damage(handed.one_time or b""), handed.one_time_kem),
            Handed(handed.signed, handed.one_time, damage(handed.one_time_kem or b"")),
        ):
            with suppress(E2EEError):
                alice.engine.begin(alice.state, alice.sessions[bob.public], bob.public, bad)

    @every_name_with_groups
    @settings(max_examples=40, deadline=None)
    @given(damage=outside)
    def test_as_a_group_message_is_refused(self, name: str, damage: Callable[[bytes], bytes]) -> None:
        _, bob, message, _ = readers(name)
        (reader,) = [each for each in bob.readers.values() if bob.engine.reader_id(each) == bob.engine.key_id(message)]
        if (bad := damage(message)) != message:
            with suppress(E2EEError):
                bob.engine.key_id(bad)
            with pytest.raises(E2EEError):
                bob.engine.open(reader, bad)

    @every_name_with_groups
    @settings(max_examples=40, deadline=None)
    @given(damage=outside)
    def test_as_a_sender_key_raises_nothing_else(self, name: str, damage: Callable[[bytes], bytes]) -> None:
        alice, bob, _, distribution = readers(name)
        with suppress(E2EEError):
            bob.engine.learn(GROUP, alice.public, damage(distribution))
