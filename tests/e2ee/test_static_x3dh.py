"""Alice writes to Bob with keys that never change. Who she is, Bob knows; what leaks, leaks all of it."""

from __future__ import annotations

import hashlib
import hmac
import os
from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.agreement import initiate, respond
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.keys import Random
from lab.e2ee.prekeys import Handed, PreKeys, read_bundle
from lab.e2ee.protocol import E2EEError, Suite
from lab.e2ee.ratchet import Ratchet
from lab.e2ee.static_x3dh import open_sealed, seal

TEXT = b"Meet me at 5pm"


def public(private: X25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


ALICE = DeviceKeys.new("alice", 1, os.urandom)
BOB = DeviceKeys.new("bob", 1, os.urandom)
MALLORY = DeviceKeys.new("mallory", 1, os.urandom)
PRE_KEY = X25519PrivateKey.generate()
"""Bob's signed pre-key."""


def to_bob(text: bytes = TEXT, sender: DeviceKeys = ALICE, random: Random = os.urandom) -> bytes:
    return seal(sender, BOB.public, public(PRE_KEY), text, random)


def refuses(envelope: bytes, peer: PublicDevice = ALICE.public) -> bool:
    with pytest.raises(E2EEError):
        open_sealed(BOB, PRE_KEY, peer, envelope)
    return True


@pytest.fixture(scope="module")
def envelope() -> bytes:
    return to_bob()


# The form once more, written from its description and not from its code.


def exchange(private: X25519PrivateKey, key: bytes) -> bytes:
    return private.exchange(X25519PublicKey.from_public_bytes(key))


def hkdf(material: bytes, info: bytes) -> bytes:
    """The first 44 bytes (RFC 5869), with a salt of zeros."""
    extracted = hmac.digest(bytes(32), material, hashlib.sha256)
    first = hmac.digest(extracted, info + b"\x01", hashlib.sha256)
    return first + hmac.digest(extracted, first + info + b"\x02", hashlib.sha256)[:12]


def by_hand(
    dh1: bytes, sender: PublicDevice, ephemeral: X25519PrivateKey, text: bytes, version: bytes = b"\x01"
) -> bytes:
    """An envelope to Bob from whoever knows DH1."""
    label = b"mitm-lab/1 static X3DH"
    header = version + public(ephemeral)
    secrets = dh1 + exchange(ephemeral, BOB.public.identity) + exchange(ephemeral, public(PRE_KEY))
    derived = hkdf(b"\xff" * 32 + secrets, label)
    parts = label, sender.to_bytes(), BOB.public.to_bytes(), public(PRE_KEY), header
    data = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return header + AESGCM(derived[:32]).encrypt(derived[32:], text, data)


class TestWhatItDoes:
    def test_bob_reads_what_alice_sealed(self, envelope: bytes) -> None:
        assert open_sealed(BOB, PRE_KEY, ALICE.public, envelope) == TEXT

    @settings(max_examples=40)
    @given(text=st.binary(max_size=3000))
    def test_any_text_opens_and_is_49_bytes_longer_on_the_way(self, text: bytes) -> None:
        envelope = to_bob(text)
        assert len(envelope) == len(text) + 49
        assert open_sealed(BOB, PRE_KEY, ALICE.public, envelope) == text

    def test_the_text_stands_nowhere_in_the_envelope(self, envelope: bytes) -> None:
        assert not any(TEXT[start : start + 4] in envelope for start in range(len(TEXT) - 3))

    def test_the_same_text_twice_gives_two_envelopes_without_a_common_part(self, envelope: bytes) -> None:
        again = to_bob()
        assert not any(envelope[start : start + 6] in again for start in range(1, len(envelope) - 5))

    def test_the_envelope_has_the_form_that_is_described(self) -> None:
        drawn = os.urandom(32)
        ephemeral = X25519PrivateKey.from_private_bytes(drawn)
        expected = by_hand(exchange(ALICE.identity, public(PRE_KEY)), ALICE.public, ephemeral, TEXT)
        assert to_bob(random=lambda size: drawn[:size]) == expected

    def test_alices_own_keys_open_nothing_of_what_she_sent(self, envelope: bytes) -> None:
        # She did not keep the ephemeral key: who steals her device now cannot compute DH2 and DH3.
        for pre_key, peer in product((ALICE.identity, X25519PrivateKey.generate()), (ALICE.public, BOB.public)):
            with pytest.raises(E2EEError):
                open_sealed(ALICE, pre_key, peer, envelope)


class TestChangedOrMoved:
    def test_with_any_bit_flipped_it_is_refused(self, envelope: bytes) -> None:
        for position, bit in product(range(len(envelope)), range(8)):
            changed = bytearray(envelope)
            changed[position] ^= 1 << bit
            assert refuses(bytes(changed)), (position, bit)
        assert open_sealed(BOB, PRE_KEY, ALICE.public, envelope) == TEXT

    def test_cut_short_anywhere_it_is_refused(self, envelope: bytes) -> None:
        assert all(refuses(envelope[:length]) for length in range(len(envelope)))

    def test_with_something_added_it_is_refused(self, envelope: bytes) -> None:
        assert refuses(envelope + b"\0")
        assert refuses(b"\x01" + envelope)

    @settings(max_examples=100)
    @given(garbage=st.binary(max_size=200))
    def test_garbage_is_refused_and_does_nothing_worse(self, garbage: bytes) -> None:
        assert refuses(garbage)
        assert refuses(b"\x01" + garbage)

    @pytest.mark.parametrize("version", [b"\x00", b"\x02", b"\xff"])
    def test_another_version_is_refused_even_if_it_is_authentic(self, version: bytes) -> None:
        dh1 = exchange(ALICE.identity, public(PRE_KEY))
        assert refuses(by_hand(dh1, ALICE.public, X25519PrivateKey.generate(), TEXT, version))

    def test_parts_of_two_envelopes_do_not_go_together(self, envelope: bytes) -> None:
        other = to_bob()
        assert refuses(envelope[:33] + other[33:])

    def test_an_envelope_by_somebody_else_is_not_alices(self) -> None:
        by_mallory = to_bob(sender=MALLORY)
        assert open_sealed(BOB, PRE_KEY, MALLORY.public, by_mallory) == TEXT
        assert refuses(by_mallory)

    def test_what_alice_wrote_does_not_pass_for_somebody_elses(self, envelope: bytes) -> None:
        assert refuses(envelope, MALLORY.public)

    def test_alices_identity_key_under_another_name_number_or_signing_key_is_not_alice(self, envelope: bytes) -> None:
        # The key agreement is the same; only the associated data tells them apart (unknown key share).
        key, signing = ALICE.public.identity, ALICE.public.signing
        assert refuses(envelope, PublicDevice("alicia", 1, key, signing))
        assert refuses(envelope, PublicDevice("alice", 2, key, signing))
        assert refuses(envelope, PublicDevice("alice", 1, key, MALLORY.public.signing))

    def test_a_device_that_has_bobs_keys_under_another_name_does_not_open_it(self, envelope: bytes) -> None:
        for account, device in (("bobby", 1), ("bob", 2)):
            other = DeviceKeys(account, device, BOB.identity, BOB.signing)
            with pytest.raises(E2EEError):
                open_sealed(other, PRE_KEY, ALICE.public, envelope)

    def test_another_device_and_another_pre_key_do_not_open_it(self, envelope: bytes) -> None:
        for device, pre_key in ((BOB, X25519PrivateKey.generate()), (MALLORY, PRE_KEY), (BOB, BOB.identity)):
            with pytest.raises(E2EEError):
                open_sealed(device, pre_key, ALICE.public, envelope)

    def test_it_does_not_come_back_to_alice_as_an_answer(self, envelope: bytes) -> None:
        for pre_key in (PRE_KEY, ALICE.identity):
            with pytest.raises(E2EEError):
                open_sealed(ALICE, pre_key, BOB.public, envelope)

    @pytest.mark.parametrize(
        "key",
        [
            bytes(32),
            b"\x01" + bytes(31),
            bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
            bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
            b"",
            bytes(31),
            b"\x09" * 33,
        ],
    )
    def test_keys_of_small_order_and_of_another_length_are_refused(self, envelope: bytes, key: bytes) -> None:
        with pytest.raises(E2EEError):
            seal(ALICE, BOB.public, key, TEXT, os.urandom)
        assert refuses(envelope[:1] + key + envelope[33:])


class TestWhatItLacks:
    def test_a_leaked_state_opens_every_message_ever_recorded_and_every_one_to_come(self) -> None:
        recorded = [to_bob(b"Message %d" % day) for day in range(5)]
        assert open_sealed(BOB, PRE_KEY, ALICE.public, recorded[0]) == b"Message 0"
        leaked = DeviceKeys.from_bytes(BOB.to_bytes())
        leaked_pre_key = X25519PrivateKey.from_private_bytes(PRE_KEY.private_bytes_raw())
        # Bob answers, and goes on; nothing that he does changes what his keys open.
        seal(BOB, ALICE.public, public(X25519PrivateKey.generate()), b"Fine", os.urandom)
        recorded.append(to_bob(b"Message 5"))
        opened = [open_sealed(leaked, leaked_pre_key, ALICE.public, envelope) for envelope in recorded]
        assert opened == [b"Message %d" % day for day in range(6)]

    def test_only_a_new_pre_key_divides_what_a_leak_opens(self, envelope: bytes) -> None:
        # Leaked before it was replaced: nothing after it opens. Leaked after it was forgotten: nothing before it.
        new = X25519PrivateKey.generate()
        afterwards = seal(ALICE, BOB.public, public(new), TEXT, os.urandom)
        assert open_sealed(BOB, new, ALICE.public, afterwards) == TEXT
        for leaked, sealed in ((PRE_KEY, afterwards), (new, envelope)):
            with pytest.raises(E2EEError):
                open_sealed(BOB, leaked, ALICE.public, sealed)

    def test_a_replay_is_not_noticed(self, envelope: bytes) -> None:
        assert [open_sealed(BOB, PRE_KEY, ALICE.public, envelope) for _ in range(3)] == [TEXT] * 3

    def test_lost_and_reordered_messages_are_not_noticed(self) -> None:
        first, _, third = (to_bob(text) for text in (b"Yes", b"No", b"Never"))
        assert [open_sealed(BOB, PRE_KEY, ALICE.public, each) for each in (third, first)] == [b"Never", b"Yes"]

    def test_who_has_bobs_keys_writes_to_bob_in_alices_name(self) -> None:
        # DH1 from the other side: Bob's pre-key and Alice's public key. So Bob, too, could have written it, and cannot
        # prove to anybody that Alice did.
        dh1 = exchange(PRE_KEY, ALICE.public.identity)
        forged = by_hand(dh1, ALICE.public, X25519PrivateKey.generate(), b"Meet me at 3pm")
        assert open_sealed(BOB, PRE_KEY, ALICE.public, forged) == b"Meet me at 3pm"
        with pytest.raises(E2EEError):
            open_sealed(BOB, X25519PrivateKey.generate(), ALICE.public, forged)


class TestTheSameWithARatchet:
    """The same key agreement once, at the beginning, and a ratchet from there."""

    def test_a_leaked_state_opens_nothing_that_was_read_and_a_replay_is_refused(self) -> None:
        bobs = PreKeys.new(BOB, os.urandom)
        bundle = read_bundle(BOB.public, Handed(bobs.signed_part(BOB), None, None))
        agreed, header = initiate(ALICE, bundle, Suite.X3DH, os.urandom)
        writing = Ratchet.initiator(agreed.secret, agreed.ratchet_key, agreed.associated_data)
        answered = respond(BOB, bobs, ALICE.public, header)
        reading = Ratchet.responder(answered.secret, answered.ratchet_key, answered.associated_data)
        recorded = [writing.encrypt(b"Message %d" % day, os.urandom) for day in range(5)]
        assert [reading.decrypt(message) for message in recorded] == [b"Message %d" % day for day in range(5)]
        leaked = Ratchet.from_bytes(reading.to_bytes())
        for message in recorded:
            for reader in (leaked, reading):
                with pytest.raises(E2EEError):
                    reader.decrypt(message)
