"""Alice writes to Bob as the school book says. The operator reads nothing, and that is all that can be said for it.

What each demonstration of a failure does here, is done once more to a session with a ratchet at the end, and refused.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.agreement import initiate, respond
from lab.e2ee.identity import DeviceKeys
from lab.e2ee.prekeys import Handed, PreKeys, read_bundle
from lab.e2ee.protocol import E2EEError, Suite
from lab.e2ee.ratchet import Ratchet
from lab.e2ee.textbook_rsa import TooLongError, new_key, open_sealed, public_key, seal

TEXT = b"Meet me at 5pm"

BOB = new_key()
BOBS_PUBLIC = public_key(BOB)
MALLORY = new_key()
MALLORYS_PUBLIC = public_key(MALLORY)

SPKI, PKCS8 = PublicFormat.SubjectPublicKeyInfo, PrivateFormat.PKCS8


def refuses(envelope: bytes, private: bytes = BOB) -> bool:
    with pytest.raises(E2EEError):
        open_sealed(envelope, private)
    return True


@pytest.fixture(scope="module")
def envelope() -> bytes:
    return seal(TEXT, BOBS_PUBLIC)


# Keys as somebody may hand them out: DER by hand, since `cryptography` would not make them.


def der(tag: int, body: bytes) -> bytes:
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body


def der_integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def rsa_public(modulus: int, exponent: int) -> bytes:
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    return der(0x30, algorithm + der(3, b"\0" + der(0x30, der_integer(modulus) + der_integer(exponent))))


def modulus_of(public: bytes) -> int:
    key = load_der_public_key(public)
    assert isinstance(key, rsa.RSAPublicKey)
    return key.public_numbers().n


class TestWhatItDoes:
    def test_bob_reads_what_was_sealed_for_him(self, envelope: bytes) -> None:
        assert open_sealed(envelope, BOB) == TEXT

    def test_whoever_carries_it_reads_nothing(self, envelope: bytes) -> None:
        assert not any(TEXT[start : start + 4] in envelope for start in range(len(TEXT) - 3))
        assert refuses(envelope, MALLORY)

    def test_the_same_text_twice_gives_two_envelopes(self, envelope: bytes) -> None:
        assert seal(TEXT, BOBS_PUBLIC) != envelope

    @pytest.mark.parametrize("size", [0, 1, 189, 190])
    def test_up_to_190_bytes_fit_and_every_envelope_has_256(self, size: int) -> None:
        text = os.urandom(size)
        envelope = seal(text, BOBS_PUBLIC)
        assert len(envelope) == 256
        assert open_sealed(envelope, BOB) == text

    def test_it_is_oaep_with_sha_256_as_any_other_implementation_does_it(self, envelope: bytes) -> None:
        key = load_der_private_key(BOB, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
        assert key.decrypt(envelope, oaep) == TEXT
        assert open_sealed(key.public_key().encrypt(TEXT, oaep), BOB) == TEXT

    def test_a_text_that_is_too_long_is_the_senders_own_error_and_says_how_long_it_may_be(self) -> None:
        with pytest.raises(TooLongError, match=r"at most 190 bytes .* has 191"):
            seal(bytes(191), BOBS_PUBLIC)
        assert issubclass(TooLongError, ValueError)
        assert not issubclass(TooLongError, E2EEError)

    def test_bytes_count_and_not_letters(self) -> None:
        text = "Grüße! " * 25
        assert len(text) <= 190
        with pytest.raises(TooLongError, match="has 225"):
            seal(text.encode(), BOBS_PUBLIC)


class TestWhatItLacks:
    def test_anybody_can_write_in_anybodys_name(self) -> None:
        # Nothing in it is Alice's, and Bob's public key is everybody's.
        by_mallory = seal(b"Meet me at 6pm. Alice", BOBS_PUBLIC)
        assert open_sealed(by_mallory, BOB) == b"Meet me at 6pm. Alice"

    def test_a_key_that_leaks_later_opens_everything_recorded_and_everything_to_come(self) -> None:
        recorded = [seal(b"Message %d" % day, BOBS_PUBLIC) for day in range(3)]
        leaked = bytes(BOB)
        to_come = seal(b"Message 3", BOBS_PUBLIC)
        opened = [open_sealed(envelope, leaked) for envelope in (*recorded, to_come)]
        assert opened == [b"Message 0", b"Message 1", b"Message 2", b"Message 3"]

    def test_a_replay_is_not_noticed(self, envelope: bytes) -> None:
        assert [open_sealed(envelope, BOB) for _ in range(3)] == [TEXT] * 3

    def test_lost_and_reordered_messages_are_not_noticed(self) -> None:
        first, _, third = (seal(text, BOBS_PUBLIC) for text in (b"Yes", b"No", b"Never"))
        assert [open_sealed(envelope, BOB) for envelope in (third, first)] == [b"Never", b"Yes"]

    def test_a_swapped_public_key_is_not_noticed_by_either_side(self) -> None:
        to_mallory = seal(TEXT, MALLORYS_PUBLIC)  # the service said that this was Bob's key
        read = open_sealed(to_mallory, MALLORY)
        assert read == TEXT
        passed_on = seal(read.replace(b"5pm", b"3pm"), BOBS_PUBLIC)
        assert open_sealed(passed_on, BOB) == b"Meet me at 3pm"

    def test_an_envelope_does_not_say_for_whom_it_was_made(self) -> None:
        # Bob passes on what Alice wrote to him. Carol cannot tell that it was not for her.
        carols_public = MALLORYS_PUBLIC
        passed_on = seal(open_sealed(seal(b"I love you", BOBS_PUBLIC), BOB), carols_public)
        assert open_sealed(passed_on, MALLORY) == b"I love you"


class TestEnvelopesFromOutside:
    @settings(max_examples=10)
    @given(bit=st.integers(0, 2047))
    def test_with_any_bit_flipped_it_is_refused(self, envelope: bytes, bit: int) -> None:
        assert refuses((int.from_bytes(envelope, "big") ^ 1 << bit).to_bytes(256, "big"))

    @pytest.mark.parametrize("size", [0, 1, 64, 255])
    def test_cut_short_it_is_refused(self, envelope: bytes, size: int) -> None:
        assert refuses(envelope[:size])

    @pytest.mark.parametrize(("before", "after"), [(b"", b"\0"), (b"\0", b""), (b"", bytes(256))])
    def test_with_something_added_it_is_refused(self, envelope: bytes, before: bytes, after: bytes) -> None:
        assert refuses(before + envelope + after)

    @pytest.mark.parametrize("content", [bytes(256), bytes(255) + b"\x01", b"\xff" * 256])
    def test_numbers_that_rsa_does_not_change_are_refused(self, content: bytes) -> None:
        assert refuses(content)

    def test_the_other_number_that_stands_for_the_same_envelope_is_refused(self) -> None:
        # Adding the modulus changes nothing in RSA. Small envelopes have room for it in 256 bytes.
        modulus = modulus_of(BOBS_PUBLIC)
        numbers = (int.from_bytes(seal(TEXT, BOBS_PUBLIC), "big") for _ in range(10_000))
        small = next(number for number in numbers if number + modulus < 1 << 2048)
        assert open_sealed(small.to_bytes(256, "big"), BOB) == TEXT
        assert refuses((small + modulus).to_bytes(256, "big"))

    @pytest.mark.parametrize(
        "other",
        [
            padding.PKCS1v15(),
            padding.OAEP(padding.MGF1(SHA384()), SHA384(), None),
            padding.OAEP(padding.MGF1(SHA384()), SHA256(), None),
            padding.OAEP(padding.MGF1(SHA256()), SHA256(), b"label"),
        ],
    )
    def test_another_padding_is_refused(self, other: padding.AsymmetricPadding) -> None:
        key = load_der_public_key(BOBS_PUBLIC)
        assert isinstance(key, rsa.RSAPublicKey)
        assert refuses(key.encrypt(TEXT, other))

    def test_all_that_is_wrong_with_an_envelope_gives_one_sentence(self, envelope: bytes) -> None:
        wrong = (b"", bytes(256), b"\xff" * 256, seal(TEXT, MALLORYS_PUBLIC), envelope[:-1], envelope[:-1] + b"!")
        told = set()
        for each in wrong:
            with pytest.raises(E2EEError) as caught:
                open_sealed(each, BOB)
            assert caught.value.__cause__ is None
            told.add(str(caught.value))
        assert len(told) == 1


class TestKeysFromOutside:
    def test_the_forms_are_der_that_everybody_reads(self) -> None:
        key = load_der_private_key(BOB, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        assert key.key_size == 2048
        assert key.public_key().public_bytes(Encoding.DER, SPKI) == BOBS_PUBLIC
        assert rsa_public(modulus_of(BOBS_PUBLIC), 65537) == BOBS_PUBLIC

    def test_every_new_key_is_another_one(self) -> None:
        assert modulus_of(BOBS_PUBLIC) != modulus_of(MALLORYS_PUBLIC)

    @settings(max_examples=100)
    @given(garbage=st.binary(max_size=400))
    def test_garbage_is_no_key(self, garbage: bytes) -> None:
        with pytest.raises(E2EEError):
            seal(TEXT, garbage)
        with pytest.raises(E2EEError):
            public_key(garbage)
        assert refuses(bytes(256), garbage)

    @settings(max_examples=200)
    @given(position=st.integers(0, 293), byte=st.integers(0, 255))
    def test_a_changed_public_key_does_not_help_bob_and_does_no_other_harm(self, position: int, byte: int) -> None:
        # What is left is a number, and any odd number of that size will do: RSA cannot see that it is not Bob's.
        changed = bytearray(BOBS_PUBLIC)
        changed[position] = byte
        try:
            envelope = seal(TEXT, bytes(changed))
        except E2EEError:
            return
        assert len(envelope) == 256
        assert TEXT not in envelope

    @pytest.mark.parametrize("exponent", [0, 1, 2, 3, 17, 65536, 65539, 2**32 + 1, 2**2040 + 1])
    def test_a_key_with_another_exponent_is_refused(self, exponent: int) -> None:
        with pytest.raises(E2EEError, match="exponent"):
            seal(TEXT, rsa_public(modulus_of(BOBS_PUBLIC), exponent))

    @pytest.mark.parametrize("bits", [1023, 1024, 2047, 2049, 3072, 4096, 65536])
    def test_a_key_of_another_size_is_refused(self, bits: int) -> None:
        with pytest.raises(E2EEError):
            seal(TEXT, rsa_public((1 << bits) - 1, 65537))

    def test_an_even_modulus_is_refused(self) -> None:
        with pytest.raises(E2EEError):
            seal(TEXT, rsa_public(modulus_of(BOBS_PUBLIC) - 1, 65537))

    @pytest.mark.parametrize("other", [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())])
    def test_keys_that_are_not_rsa_are_refused(
        self, other: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    ) -> None:
        with pytest.raises(E2EEError):
            seal(TEXT, other.public_key().public_bytes(Encoding.DER, SPKI))
        assert refuses(bytes(256), other.private_bytes(Encoding.DER, PKCS8, NoEncryption()))

    def test_private_keys_of_another_size_or_exponent_or_encrypted_are_refused(self, envelope: bytes) -> None:
        small = rsa.generate_private_key(65537, 1024)  # noqa: S505 - is refused
        for other in (small, rsa.generate_private_key(3, 2048)):
            private = other.private_bytes(Encoding.DER, PKCS8, NoEncryption())
            assert refuses(envelope, private)
            with pytest.raises(E2EEError, match="size or exponent"):
                public_key(private)
        key = load_der_private_key(BOB, None)
        assert refuses(envelope, key.private_bytes(Encoding.DER, PKCS8, BestAvailableEncryption(b"secret")))

    def test_keys_of_a_kind_that_nobody_knows_are_refused(self, envelope: bytes) -> None:
        rsa_encryption = bytes.fromhex("2a864886f70d010101")
        unknown = rsa_encryption[:-1] + b"\x7f"
        with pytest.raises(E2EEError):
            seal(TEXT, BOBS_PUBLIC.replace(rsa_encryption, unknown))
        assert refuses(envelope, BOB.replace(rsa_encryption, unknown))

    def test_private_and_public_keys_do_not_stand_for_each_other(self, envelope: bytes) -> None:
        assert refuses(envelope, BOBS_PUBLIC)
        with pytest.raises(E2EEError):
            seal(TEXT, BOB)


# The same once more, with a session


@dataclass
class Side:
    """A device, its pre-keys, and its session with the other side."""

    device: DeviceKeys
    prekeys: PreKeys
    ratchet: Ratchet

    def stolen(self) -> Side:
        """All that can be stolen from the device, as its store has it."""
        device = DeviceKeys.from_bytes(self.device.to_bytes())
        prekeys = PreKeys.from_bytes(self.prekeys.to_bytes())
        return Side(device, prekeys, Ratchet.from_bytes(self.ratchet.to_bytes()))


@pytest.fixture
def session() -> tuple[Side, Side, list[bytes]]:
    """Alice and Bob after a message in each direction, and what was recorded of it."""
    alice, bob = DeviceKeys.new("alice", 1, os.urandom), DeviceKeys.new("bob", 1, os.urandom)
    alices, bobs = PreKeys.new(alice, os.urandom), PreKeys.new(bob, os.urandom)
    bundle = read_bundle(bob.public, Handed(bobs.signed_part(bob), None, None))
    agreed, header = initiate(alice, bundle, Suite.PQXDH, os.urandom)
    writing = Ratchet.initiator(agreed.secret, agreed.ratchet_key, agreed.associated_data)
    answered = respond(bob, bobs, alice.public, header)
    reading = Ratchet.responder(answered.secret, answered.ratchet_key, answered.associated_data)
    first = writing.encrypt(TEXT, os.urandom)
    assert reading.decrypt(first) == TEXT
    answer = reading.encrypt(b"Fine", os.urandom)
    assert writing.decrypt(answer) == b"Fine"
    second = writing.encrypt(b"See you", os.urandom)
    assert reading.decrypt(second) == b"See you"
    bobs = bobs.used(alice.public, header)
    return Side(alice, alices, writing), Side(bob, bobs, reading), [first, answer, second]


class TestTheSameWithARatchet:
    def test_nobody_else_writes_in_alices_name(self, session: tuple[Side, Side, list[bytes]]) -> None:
        alice, bob, _ = session
        mallory = DeviceKeys.new("mallory", 1, os.urandom)
        bundle = read_bundle(bob.device.public, Handed(bob.prekeys.signed_part(bob.device), None, None))
        agreed, header = initiate(mallory, bundle, Suite.PQXDH, os.urandom)
        message = Ratchet.initiator(agreed.secret, agreed.ratchet_key, agreed.associated_data).encrypt(TEXT, os.urandom)
        for said_to_be, opens in ((mallory.public, True), (alice.device.public, False)):
            answered = respond(bob.device, bob.prekeys, said_to_be, header)
            reading = Ratchet.responder(answered.secret, answered.ratchet_key, answered.associated_data)
            if opens:
                assert reading.decrypt(message) == TEXT
            else:
                with pytest.raises(E2EEError):
                    reading.decrypt(message)

    def test_a_state_stolen_later_opens_nothing_of_what_its_session_read(
        self, session: tuple[Side, Side, list[bytes]]
    ) -> None:
        alice, bob, recorded = session
        for thief in (bob.stolen(), alice.stolen()):
            for message in recorded:
                with pytest.raises(E2EEError):
                    thief.ratchet.decrypt(message)
        # It is the same state in all else: what comes next, it opens. Healing takes an answer.
        assert bob.stolen().ratchet.decrypt(alice.ratchet.encrypt(b"Next", os.urandom)) == b"Next"

    def test_a_replay_is_refused(self, session: tuple[Side, Side, list[bytes]]) -> None:
        _, bob, (first, _, second) = session
        for message in (first, second):
            with pytest.raises(E2EEError):
                bob.ratchet.decrypt(message)

    def test_a_swapped_pre_key_is_refused(self, session: tuple[Side, Side, list[bytes]]) -> None:
        _, bob, _ = session
        mallory = DeviceKeys.new("mallory", 1, os.urandom)
        signed = PreKeys.new(mallory, os.urandom).signed_part(mallory)
        assert read_bundle(mallory.public, Handed(signed, None, None))
        with pytest.raises(E2EEError):
            read_bundle(bob.device.public, Handed(signed, None, None))

    def test_neither_reads_the_form_of_the_other(
        self, session: tuple[Side, Side, list[bytes]], envelope: bytes
    ) -> None:
        _, bob, recorded = session
        with pytest.raises(E2EEError):
            bob.ratchet.decrypt(envelope)
        assert all(refuses(message) for message in recorded)
