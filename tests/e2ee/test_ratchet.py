"""Alice and Bob share a secret and talk. Messages are lost, late, doubled and forged; each genuine one is read once."""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee import ratchet as module
from lab.e2ee.protocol import MAX_SKIP, MAX_STORED, E2EEError
from lab.e2ee.ratchet import LAB_FORM, Form, Header, LabForm, Ratchet

TEXT = "Meet me at the old mill at 5pm — Grüße".encode()
DATA = b"Alice's and Bob's keys"
HEADER = 40
TAG = 16

SMALL_ORDER = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)
"""X25519 keys that give the same secret with every private key (https://cr.yp.to/ecdh.html#validate)."""


def pair(data: tuple[bytes, bytes] = (DATA, DATA), form: Form = LAB_FORM) -> tuple[Ratchet, Ratchet]:
    """Alice, who speaks first, and Bob."""
    secret, key = os.urandom(32), X25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    return Ratchet.initiator(secret, public, data[0], form), Ratchet.responder(secret, key, data[1], form)


def acquainted() -> tuple[Ratchet, Ratchet]:
    """Both have written and read."""
    alice, bob = pair()
    say(alice, bob)
    say(bob, alice)
    return alice, bob


def say(sender: Ratchet, reader: Ratchet, text: bytes = TEXT) -> bytes:
    """Sent and read; the message."""
    message = sender.encrypt(text, os.urandom)
    assert reader.decrypt(message) == text
    return message


def sent(sender: Ratchet, count: int) -> list[bytes]:
    return [sender.encrypt(str(one).encode(), os.urandom) for one in range(count)]


def refuses(reader: Ratchet, message: bytes, because: str = ".") -> bool:
    """Refused, and nothing is different."""
    before = reader.to_bytes()
    with pytest.raises(E2EEError, match=because):
        reader.decrypt(message)
    return reader.to_bytes() == before


def header_of(message: bytes) -> Header:
    return Header(*struct.unpack_from(">32sII", message))


def with_header(message: bytes, **changes: bytes | int) -> bytes:
    return struct.pack(">32sII", *header_of(message)._replace(**changes)) + message[HEADER:]


def flipped(data: bytes) -> Iterator[bytes]:
    for position, bit in product(range(len(data)), range(8)):
        changed = bytearray(data)
        changed[position] ^= 1 << bit
        yield bytes(changed)


class TestTalking:
    def test_what_alice_says_bob_reads_and_the_other_way_round(self) -> None:
        alice, bob = pair()
        for _ in range(3):
            say(alice, bob)
            say(alice, bob, b"")
            say(bob, alice)

    def test_a_message_is_56_bytes_longer_than_its_text(self) -> None:
        alice, _ = pair()
        assert [len(alice.encrypt(bytes(size), os.urandom)) - size for size in (0, 1, 1000)] == [56, 56, 56]

    def test_the_same_text_never_looks_the_same(self) -> None:
        alice, _ = pair()
        messages = [alice.encrypt(TEXT, os.urandom)[HEADER:] for _ in range(20)]
        assert len({message[:8] for message in messages}) == 20

    def test_who_is_spoken_to_cannot_speak_first(self) -> None:
        _, bob = pair()
        before = bob.to_bytes()
        with pytest.raises(E2EEError, match="before something was received"):
            bob.encrypt(TEXT, os.urandom)
        assert bob.to_bytes() == before

    def test_who_speaks_first_cannot_be_answered_before(self) -> None:
        _, bob = acquainted()
        stranger, _ = pair()
        assert refuses(stranger, bob.encrypt(TEXT, os.urandom))

    def test_messages_come_in_any_order_and_late_ones_after_many_turns(self) -> None:
        alice, bob = acquainted()
        late = sent(alice, 3)
        for _ in range(4):
            say(alice, bob)
            say(bob, alice)
        assert [bob.decrypt(late[place]) for place in (2, 0, 1)] == [b"2", b"0", b"1"]
        assert all(refuses(bob, message) for message in late)

    @settings(max_examples=60)
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=40), st.randoms(use_true_random=False))
    def test_whatever_the_order_every_message_is_read_once_and_no_seed_seals_twice(
        self, steps: list[tuple[bool, int]], shuffle: object
    ) -> None:
        seeds: list[bytes] = []

        class Recording(LabForm):
            def seal(self, seed: bytes, header: Header, plaintext: bytes, associated_data: bytes) -> bytes:
                seeds.append(seed)
                return super().seal(seed, header, plaintext, associated_data)

        form = Recording()
        sides = pair(form=form)
        say(*sides)
        way: tuple[list[tuple[bytes, bytes]], ...] = ([], [])
        for count, (who, place) in enumerate(steps):
            if place < 3:
                text = str(count).encode()
                way[who].append((sides[who].encrypt(text, os.urandom), text))
            elif way[who]:
                message, text = way[who].pop(place % len(way[who]))
                assert sides[not who].decrypt(message) == text
                assert refuses(sides[not who], message)
        for who in (True, False):
            for message, text in reversed(way[who]):
                assert sides[not who].decrypt(message) == text
        assert len(set(seeds)) == len(seeds)


class TestForms:
    """The wire form and the derivations once more, written from their descriptions and not from their code."""

    @staticmethod
    def hkdf(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
        pseudo_random = hmac.new(salt, material, hashlib.sha256).digest()
        found, last = b"", b""
        while len(found) < length:
            last = hmac.new(pseudo_random, last + info + bytes([len(found) // 32 + 1]), hashlib.sha256).digest()
            found += last
        return found[:length]

    def message_key(self, chain: bytes, number: int) -> bytes:
        for _ in range(number):
            chain = hmac.new(chain, b"\x02", hashlib.sha256).digest()
        seed = hmac.new(chain, b"\x01", hashlib.sha256).digest()
        return self.hkdf(seed, bytes(32), b"mitm-lab/1 message key", 44)

    def opened(self, message: bytes, key: bytes, data: bytes) -> bytes:
        under = len(data).to_bytes(4, "big") + data + message[:HEADER]
        return AESGCM(key[:32]).decrypt(key[32:], message[HEADER:], under)

    def test_the_first_messages_are_what_the_specification_says(self) -> None:
        secret, own = b"\x07" * 32, X25519PrivateKey.from_private_bytes(b"\x08" * 32)
        ratchet_key = X25519PrivateKey.from_private_bytes(b"\x09" * 32)
        alice = Ratchet.initiator(secret, own.public_key().public_bytes_raw(), DATA)
        messages = [alice.encrypt(TEXT, lambda count: b"\x09" * count) for _ in range(3)]
        both = self.hkdf(own.exchange(ratchet_key.public_key()), secret, b"mitm-lab/1 root step", 64)
        for number, message in enumerate(messages):
            assert header_of(message) == (ratchet_key.public_key().public_bytes_raw(), 0, number)
            assert self.opened(message, self.message_key(both[32:], number), DATA) == TEXT

    def test_the_answer_is_what_the_specification_says(self) -> None:
        alice, bob = pair()
        question = say(alice, bob)
        answers = [bob.encrypt(TEXT, lambda count: b"\x05" * count) for _ in range(2)]
        bobs = X25519PrivateKey.from_private_bytes(b"\x05" * 32)
        root = self.root_after(alice)
        agreed = bobs.exchange(X25519PublicKey.from_public_bytes(header_of(question).key))
        chain = self.hkdf(agreed, root, b"mitm-lab/1 root step", 64)[32:]
        for number, answer in enumerate(answers):
            assert header_of(answer) == (bobs.public_key().public_bytes_raw(), 0, number)
            assert self.opened(answer, self.message_key(chain, number), DATA) == TEXT

    @staticmethod
    def root_after(side: Ratchet) -> bytes:
        """Version 1, associated data with its length, root key: the start of a stored state."""
        return side.to_bytes()[5 + len(DATA) :][:32]

    def test_the_header_tells_how_long_the_chain_before_was(self) -> None:
        alice, bob = acquainted()
        sent(alice, 3)
        say(alice, bob)
        say(bob, alice)
        assert header_of(alice.encrypt(TEXT, os.urandom))[1:] == (4, 0)

    def test_a_ratchet_key_is_used_for_one_turn(self) -> None:
        alice, bob = acquainted()
        keys = [header_of(say(*sides)).key for _ in range(3) for sides in ((alice, bob), (alice, bob), (bob, alice))]
        assert len(set(keys)) == 6

    def test_random_bytes_are_drawn_once_a_turn_and_only_by_who_speaks(self) -> None:
        alice, bob = acquainted()
        drawn: list[int] = []

        def random(count: int) -> bytes:
            drawn.append(count)
            return os.urandom(count)

        for _ in range(2):
            for _ in range(3):
                bob.decrypt(alice.encrypt(TEXT, random))
            say(bob, alice)
        assert drawn == [32, 32]


class TestForgeries:
    def test_a_changed_message_is_refused_and_the_session_goes_on(self) -> None:
        alice, bob = acquainted()
        for _ in range(2):  # the first message of a chain, and the second
            message = alice.encrypt(TEXT, os.urandom)
            assert all(refuses(bob, changed) for changed in flipped(message))
            assert bob.decrypt(message) == TEXT

    def test_a_changed_late_message_is_refused_and_the_genuine_one_still_read(self) -> None:
        alice, bob = acquainted()
        late = alice.encrypt(TEXT, os.urandom)
        say(alice, bob)
        assert all(refuses(bob, changed) for changed in flipped(late))
        assert bob.decrypt(late) == TEXT

    def test_a_message_cut_short_anywhere_or_made_longer_is_refused(self) -> None:
        alice, bob = acquainted()
        message = alice.encrypt(TEXT, os.urandom)
        assert all(refuses(bob, message[:size]) for size in range(len(message)))
        assert refuses(bob, message + b"\x00")
        assert refuses(bob, b"\x00" + message)

    def test_header_and_text_of_two_messages_do_not_fit_together(self) -> None:
        alice, bob = acquainted()
        one, other = sent(alice, 2)
        assert refuses(bob, one[:HEADER] + other[HEADER:], "not authentic")
        assert refuses(bob, other[:HEADER] + one[HEADER:], "not authentic")

    def test_a_message_is_read_once(self) -> None:
        alice, bob = acquainted()
        messages = [say(alice, bob), say(alice, bob)]
        assert all(refuses(bob, message, "read before") for message in messages)
        say(bob, alice)
        say(alice, bob)
        assert all(refuses(bob, message) for message in messages)

    def test_ones_own_message_does_not_come_back(self) -> None:
        alice, bob = acquainted()
        say(alice, bob)
        assert all(refuses(alice, message) for message in sent(alice, 2))
        say(bob, alice)
        assert refuses(alice, alice.encrypt(TEXT, os.urandom))

    def test_a_message_of_another_session_is_refused(self) -> None:
        (_, bob), (stranger, _) = acquainted(), acquainted()
        assert all(refuses(bob, message) for message in sent(stranger, 2))

    def test_two_who_disagree_about_who_they_are_do_not_understand_each_other(self) -> None:
        alice, bob = pair((DATA, DATA + b"!"))
        assert refuses(bob, alice.encrypt(TEXT, os.urandom), "not authentic")

    def test_associated_data_does_not_run_into_the_header(self) -> None:
        """The same bytes in the same order, cut elsewhere: the block's length tells them apart."""
        seed = os.urandom(32)
        message = LAB_FORM.seal(seed, Header(b"A" * 32, 0, 0), TEXT, b"BB")
        moved = b"A" * 31 + message[31:]
        with pytest.raises(E2EEError):
            LAB_FORM.open(seed, b"B" + moved[:39] + message[HEADER:], b"B")
        assert LAB_FORM.open(seed, message, b"BB") == TEXT

    @pytest.mark.parametrize("key", SMALL_ORDER)
    def test_a_ratchet_key_that_makes_the_secret_known_is_refused(self, key: str) -> None:
        alice, bob = acquainted()
        message = with_header(alice.encrypt(TEXT, os.urandom), key=bytes.fromhex(key))
        bob.encrypt(TEXT, os.urandom)
        assert refuses(bob, message, "not acceptable")

    def test_another_way_to_write_the_ratchet_key_is_refused(self) -> None:
        """X25519 ignores the highest bit: the secret is the same, but the header is not."""
        alice, bob = acquainted()
        message = alice.encrypt(TEXT, os.urandom)
        key = header_of(message).key
        assert refuses(bob, with_header(message, key=key[:31] + bytes([key[31] ^ 0x80])), "not authentic")

    def test_a_new_ratchet_key_out_of_turn_costs_no_agreement(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Bob has not spoken since he read Alice's ratchet key, so she cannot have another one yet."""
        alice, bob = acquainted()
        say(alice, bob)
        forged = with_header(alice.encrypt(TEXT, os.urandom), key=os.urandom(32))
        monkeypatch.setattr(module, "agree", None)
        assert refuses(bob, forged, "cannot be")


class TestLimits:
    def test_a_thousand_lost_messages_are_bridged_and_then_read(self) -> None:
        alice, bob = acquainted()
        *lost, last = sent(alice, MAX_SKIP + 1)
        assert bob.decrypt(last) == b"1000"
        assert [bob.decrypt(message) for message in lost] == [str(one).encode() for one in range(MAX_SKIP)]

    @pytest.mark.parametrize("turn", [False, True])
    def test_a_message_further_ahead_is_refused_before_anything_is_hashed(
        self, turn: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alice, bob = acquainted()
        if not turn:
            say(alice, bob)
        message = sent(alice, MAX_SKIP + 2)[-1]
        monkeypatch.setattr(module, "step_chain", None)
        assert refuses(bob, message, "too far ahead")
        assert refuses(bob, with_header(message, number=2**32 - 1), "too far ahead")

    def test_a_forged_header_derives_nothing_of_the_old_chain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """How long the chain before was is believed only of an authentic message."""
        alice, bob = acquainted()
        say(alice, bob)
        say(bob, alice)
        message = alice.encrypt(TEXT, os.urandom)
        steps = counted(monkeypatch)
        assert refuses(bob, with_header(message, previous=2**32 - 1), "not authentic")
        assert len(steps) == 1

    def test_a_flood_that_was_lost_costs_its_messages_and_not_the_session(self) -> None:
        alice, bob = acquainted()
        say(alice, bob)
        answer = bob.encrypt(TEXT, os.urandom)
        lost = sent(alice, MAX_SKIP + 500)
        assert alice.decrypt(answer) == TEXT
        say(alice, bob)
        assert bob.decrypt(lost[MAX_SKIP - 1]) == b"999"
        assert refuses(bob, lost[MAX_SKIP])
        say(bob, alice)

    def test_keys_are_kept_for_so_many_lost_messages_and_the_oldest_goes_first(self) -> None:
        alice, bob = acquainted()
        rounds = []
        for _ in range(2):
            rounds.append(sent(alice, MAX_SKIP))
            say(alice, bob)
            say(bob, alice)
        extra = alice.encrypt(TEXT, os.urandom)
        assert 2 * MAX_SKIP == MAX_STORED
        full = len(bob.to_bytes())
        say(alice, bob)
        assert refuses(bob, rounds[0][0])
        assert bob.decrypt(rounds[0][1]) == b"1"
        assert bob.decrypt(rounds[1][-1]) == b"999"
        assert bob.decrypt(extra) == TEXT
        assert len(bob.to_bytes()) < full

    def test_what_was_lost_at_the_end_of_a_chain_is_older_than_what_was_lost_in_the_next(self) -> None:
        alice, bob = acquainted()
        say(alice, bob)
        end = sent(alice, MAX_SKIP)
        say(bob, alice)
        start = sent(alice, MAX_SKIP)
        say(alice, bob)
        alice.encrypt(TEXT, os.urandom)
        say(alice, bob)
        assert refuses(bob, end[0])
        assert [bob.decrypt(each) for each in (end[1], start[0], start[-1])] == [b"1", b"0", b"999"]

    def test_reading_in_order_keeps_nothing(self) -> None:
        alice, bob = acquainted()
        small = len(bob.to_bytes())
        for _ in range(5):
            say(alice, bob)
            say(bob, alice)
        assert len(bob.to_bytes()) == small


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    steps: list[bytes] = []
    step_chain: Callable[[bytes], tuple[bytes, bytes]] = module.step_chain

    def counting(chain: bytes) -> tuple[bytes, bytes]:
        steps.append(chain)
        return step_chain(chain)

    monkeypatch.setattr(module, "step_chain", counting)
    return steps


class TestThieves:
    """Somebody copies a device's state, and has everything that was on the wire."""

    def test_a_stolen_state_does_not_open_what_was_read_or_sent_before(self) -> None:
        alice, bob = acquainted()
        read, written = say(alice, bob), say(bob, alice)
        for thief in (bob.copy(), alice.copy()):
            for message in (read, written):
                assert refuses(thief, message)

    def test_a_stolen_state_does_not_open_what_its_owner_says_next(self) -> None:
        alice, bob = acquainted()
        say(bob, alice)
        thief = alice.copy()
        message = say(alice, bob)
        assert refuses(thief, message)
        for chain in (thief.to_bytes()[at : at + 32] for at in range(len(thief.to_bytes()) - 31)):
            seed = hmac.new(chain, b"\x01", hashlib.sha256).digest()
            with pytest.raises(E2EEError):
                LAB_FORM.open(seed, message, DATA)

    def test_after_one_turn_of_each_the_thief_is_out(self) -> None:
        """Alice had begun to speak: what she goes on to say, and the answer to it, belong to keys that were stolen."""
        alice, bob = acquainted()
        say(alice, bob)
        thief = alice.copy()
        say(alice, bob)
        assert thief.decrypt(say(bob, alice)) == TEXT
        for sides in ((alice, bob), (bob, alice), (alice, bob), (bob, alice)):
            assert refuses(thief, say(*sides))

    def test_a_stolen_state_opens_the_rest_of_what_its_owner_is_saying(self) -> None:
        alice, bob = acquainted()
        before = [say(alice, bob), *sent(alice, 1)]
        thief = alice.overheard()
        assert thief is not None
        assert all(refuses(thief, message) for message in before)
        assert [thief.decrypt(say(alice, bob)) for _ in range(3)] == [TEXT] * 3
        say(bob, alice)
        assert all(refuses(thief, say(alice, bob), "cannot be") for _ in range(2))

    def test_a_state_that_was_stolen_before_its_owner_speaks_opens_nothing_of_it(self) -> None:
        alice, bob = acquainted()
        assert alice.overheard() is None
        assert bob.overheard() is not None

    def test_overhearing_changes_nothing(self) -> None:
        alice, bob = acquainted()
        say(alice, bob)
        before = alice.to_bytes()
        thief = alice.overheard()
        assert thief is not None
        thief.decrypt(say(alice.copy(), bob))
        assert alice.to_bytes() == before


class TestStates:
    def states(self) -> Iterator[Ratchet]:
        alice, bob = pair()
        yield from (alice, bob)
        say(alice, bob)
        yield from (alice, bob)
        sent(bob, 2)
        say(bob, alice)
        yield from (alice, bob)

    def test_a_stored_state_is_the_state(self) -> None:
        for side in self.states():
            assert Ratchet.from_bytes(side.to_bytes()).to_bytes() == side.to_bytes()

    def test_a_restart_at_any_time_changes_nothing(self) -> None:
        sides = list(pair())
        late = []
        for turn in range(6):
            sides = [Ratchet.from_bytes(side.to_bytes()) for side in sides]
            late.append((sides[turn % 2].encrypt(b"late", os.urandom), not turn % 2))
            sides = [Ratchet.from_bytes(side.to_bytes()) for side in sides]
            say(sides[turn % 2], sides[not turn % 2])
        for message, reader in late:
            assert sides[reader].decrypt(message) == b"late"
            sides = [Ratchet.from_bytes(side.to_bytes()) for side in sides]
            assert refuses(sides[reader], message)

    def test_a_damaged_state_is_refused(self) -> None:
        for side in self.states():
            state = side.to_bytes()
            damaged = [state[:size] for size in range(len(state))]
            for bad in (*damaged, state + b"\x00", b"\x02" + state[1:]):
                with pytest.raises(E2EEError):
                    Ratchet.from_bytes(bad)

    @settings(max_examples=50)
    @given(st.integers(0, 5), st.integers(0), st.binary(min_size=1, max_size=4))
    def test_whatever_stands_in_a_state_it_is_read_or_refused(self, which: int, place: int, noise: bytes) -> None:
        state = list(self.states())[which].to_bytes()
        at = place % len(state)
        bad = state[:at] + noise + state[at + len(noise) :]
        with suppress(E2EEError):
            Ratchet.from_bytes(bad)

    @settings(max_examples=100)
    @given(st.binary(max_size=120))
    def test_bytes_that_are_no_message_are_refused(self, noise: bytes) -> None:
        assert all(refuses(side, noise) for side in acquainted())

    def test_a_copy_goes_its_own_way(self) -> None:
        alice, bob = acquainted()
        late = sent(alice, 2)
        say(alice, bob)
        next_one = alice.encrypt(TEXT, os.urandom)
        copy, before = bob.copy(), bob.to_bytes()
        assert [copy.decrypt(each) for each in (late[0], next_one, late[1])] == [b"0", TEXT, b"1"]
        assert bob.to_bytes() == before
        assert [bob.decrypt(each) for each in (next_one, late[1], late[0])] == [TEXT, b"1", b"0"]

    def test_a_state_shows_no_secret_when_it_is_printed(self) -> None:
        alice, _ = pair()
        assert "Ratchet object at" in repr(alice)
