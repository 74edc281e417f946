"""Alice seals for Bob. What she wrote, Bob opens; whatever anybody changes, moves or makes up, he refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.sealing import Correspondent, EnvelopeError, OneShot, _join
from lab.messenger.content import Content, dump, to_json

TEXT = "Meet me at the old mill at 5pm — Grüße".encode()
CONVERSATION = "5b0ff0f4-3a8e-4f0c-9d24-7e2c43a5a8f1"

LOW_ORDER_ED25519 = (
    # The eight points of small order …
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    # … and the other ways to write them: x = 0 with a sign, and y not reduced.
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)
"""As in the Ed25519 vectors of C2SP/CCTV."""

LOW_ORDER_X25519 = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)
"""As listed at https://cr.yp.to/ecdh.html#validate, those of Curve25519 below 2^255."""

UNSUITED = "small order or not in canonical form"


class Account:
    """An account whose private keys the test knows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.identity = Ed25519PrivateKey.generate()
        self.encryption = X25519PrivateKey.generate()
        self.engine = OneShot(name, self.identity, self.encryption)

    @property
    def face(self) -> Correspondent:
        """The account as others see it."""
        return Correspondent(self.name, self.engine.bundle())

    def seal(self, text: bytes, to: Account, conversation: str = CONVERSATION) -> bytes:
        return self.engine.seal(text, to.face, conversation)

    def open(self, envelope: bytes, sender: Account, conversation: str = CONVERSATION) -> bytes:
        return self.engine.open(envelope, sender.face, conversation)

    def refuses(self, envelope: bytes, sender: Account, conversation: str = CONVERSATION) -> bool:
        with pytest.raises(EnvelopeError):
            self.open(envelope, sender, conversation)
        return True


ALICE, BOB, MALLORY = Account("alice"), Account("bob"), Account("mallory")

any_test = settings(max_examples=60)


# The wire forms once more, written from their description and not from their code.


def joined(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def bundle_of(keys: bytes, signature: bytes) -> bytes:
    return b"\x01" + keys + signature


def signed_bundle(identity: Ed25519PrivateKey, encryption: bytes) -> bytes:
    keys = identity.public_key().public_bytes_raw() + encryption
    return bundle_of(keys, identity.sign(joined(b"mitm-lab/bundle/1", keys)))


def context_of(sender: Correspondent, recipient: Correspondent, conversation: str, head: bytes = b"\x01\x01") -> bytes:
    names = [part for each in (sender, recipient) for part in (each.account.encode(), each.bundle)]
    return joined(b"mitm-lab/envelope/1", head, *names, conversation.encode())


def signed_envelope(signer: Account, context: bytes, sealed: bytes, head: bytes = b"\x01\x01") -> bytes:
    return head + signer.identity.sign(joined(context, sealed)) + sealed


def sealed_part(envelope: bytes) -> bytes:
    return envelope[2 + 64 :]


def flipped(data: bytes) -> Iterator[bytes]:
    """The data with one bit changed, for each bit."""
    for position, bit in product(range(len(data)), range(8)):
        changed = bytearray(data)
        changed[position] ^= 1 << bit
        yield bytes(changed)


@pytest.fixture(scope="module")
def envelope() -> bytes:
    """What Alice sealed for Bob."""
    return ALICE.seal(TEXT, BOB)


class TestOpening:
    def test_bob_reads_what_alice_sealed(self, envelope: bytes) -> None:
        assert BOB.open(envelope, ALICE) == TEXT

    @any_test
    @given(content=st.binary(max_size=2000), names=st.tuples(st.text(), st.text()), conversation=st.text())
    def test_any_content_between_any_names_in_any_conversation(
        self, content: bytes, names: tuple[str, str], conversation: str
    ) -> None:
        sender, recipient = (Account(name) for name in names)
        envelope = sender.seal(content, recipient, conversation)
        assert recipient.open(envelope, sender, conversation) == content
        assert recipient.refuses(envelope, sender, conversation + "'")

    def test_alice_can_write_to_herself(self) -> None:
        assert ALICE.open(ALICE.seal(TEXT, ALICE), ALICE) == TEXT

    def test_the_text_stands_nowhere_in_the_envelope(self, envelope: bytes) -> None:
        pieces = [TEXT[start : start + 4] for start in range(len(TEXT) - 3)]
        unsealed = dump(to_json(Content(TEXT.decode())))
        assert all(piece in unsealed for piece in pieces)
        assert not any(piece in envelope for piece in pieces)

    def test_the_same_text_twice_gives_two_envelopes_without_a_common_part(self, envelope: bytes) -> None:
        again = ALICE.seal(TEXT, BOB)
        assert BOB.open(again, ALICE) == BOB.open(envelope, ALICE)
        assert sealed_part(again)[:32] != sealed_part(envelope)[:32]  # the encapsulated key is never used again
        pieces = [envelope[start : start + 8] for start in range(2, len(envelope) - 7)]
        assert not any(piece in again for piece in pieces)

    def test_an_envelope_is_longer_than_its_text_by_what_the_form_says(self, envelope: bytes) -> None:
        assert len(envelope) - len(TEXT) == 2 + 64 + 32 + 16
        assert len(ALICE.seal(b"", BOB)) == 2 + 64 + 32 + 16

    def test_bundle_and_envelope_have_the_form_that_is_described(self) -> None:
        encryption = ALICE.encryption.public_key().public_bytes_raw()
        assert ALICE.engine.bundle() == signed_bundle(ALICE.identity, encryption)
        context = context_of(ALICE.face, BOB.face, CONVERSATION)
        suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
        by_hand = signed_envelope(ALICE, context, suite.encrypt(TEXT, BOB.encryption.public_key(), info=context))
        assert BOB.open(by_hand, ALICE) == TEXT


class TestChanged:
    def test_with_any_bit_of_the_envelope_flipped_it_is_refused(self, envelope: bytes) -> None:
        assert all(BOB.refuses(changed, ALICE) for changed in flipped(envelope))
        assert BOB.open(envelope, ALICE) == TEXT

    def test_with_any_byte_left_out_doubled_or_swapped_it_is_refused(self, envelope: bytes) -> None:
        for at in range(len(envelope)):
            assert BOB.refuses(envelope[:at] + envelope[at + 1 :], ALICE)
            assert BOB.refuses(envelope[:at] + envelope[at : at + 1] + envelope[at:], ALICE)
            neighbours = envelope[at : at + 2][::-1]
            swapped = envelope[:at] + neighbours + envelope[at + 2 :]
            assert swapped == envelope or BOB.refuses(swapped, ALICE)

    def test_cut_short_anywhere_it_is_refused(self, envelope: bytes) -> None:
        assert all(BOB.refuses(envelope[:length], ALICE) for length in range(len(envelope)))

    @pytest.mark.parametrize("more", [b"\0", b"\n", bytes(16), b"more"])
    def test_with_something_added_it_is_refused(self, envelope: bytes, more: bytes) -> None:
        assert BOB.refuses(envelope + more, ALICE)
        assert BOB.refuses(more + envelope, ALICE)

    @pytest.mark.parametrize("head", [b"\0\x01", b"\x02\x01", b"\xff\x01", b"\x01\0", b"\x01\x02", b"\x01\xff"])
    def test_another_version_or_suite_is_refused_even_if_alice_signs_it(self, envelope: bytes, head: bytes) -> None:
        assert BOB.refuses(head + envelope[2:], ALICE)
        context = context_of(ALICE.face, BOB.face, CONVERSATION, head)
        sealed = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM).encrypt(
            TEXT, BOB.encryption.public_key(), info=context
        )
        assert BOB.refuses(signed_envelope(ALICE, context, sealed, head), ALICE)
        # Nor can the head alone be exchanged: it is under the signature.
        assert BOB.refuses(signed_envelope(ALICE, context, sealed), ALICE)

    def test_an_envelope_whose_signature_is_another_valid_one_of_alice_is_refused(self, envelope: bytes) -> None:
        other = ALICE.seal(b"Something else", BOB)
        assert BOB.refuses(other[: 2 + 64] + sealed_part(envelope), ALICE)
        assert BOB.refuses(envelope[: 2 + 64] + sealed_part(other), ALICE)

    @any_test
    @given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda rest: b"\x01\x01" + bytes(96) + rest))
    def test_arbitrary_bytes_are_refused_and_nothing_else_happens(self, data: bytes) -> None:
        assert BOB.refuses(data, ALICE)


class TestMoved:
    def test_only_bob_opens_it(self, envelope: bytes) -> None:
        assert BOB.open(envelope, ALICE) == TEXT
        assert MALLORY.refuses(envelope, ALICE)
        assert ALICE.refuses(envelope, ALICE)
        assert ALICE.refuses(envelope, BOB)

    def test_it_is_from_nobody_but_alice(self, envelope: bytes) -> None:
        assert BOB.refuses(envelope, MALLORY)
        assert BOB.refuses(envelope, BOB)

    @pytest.mark.parametrize("other", ["", CONVERSATION[:-1], CONVERSATION + "0", CONVERSATION.upper()])
    def test_it_belongs_to_one_conversation(self, envelope: bytes, other: str) -> None:
        assert BOB.refuses(envelope, ALICE, other)
        assert BOB.open(ALICE.seal(TEXT, BOB, other), ALICE, other) == TEXT

    def test_signed_again_by_a_third_account_it_is_refused(self, envelope: bytes) -> None:
        """Mallory takes what Alice sealed and claims to have written it (surreptitious forwarding)."""
        context = context_of(MALLORY.face, BOB.face, CONVERSATION)
        assert BOB.refuses(signed_envelope(MALLORY, context, sealed_part(envelope)), MALLORY)
        # With what Mallory sealed, the same steps give an envelope that opens.
        own = sealed_part(MALLORY.seal(TEXT, BOB))
        assert BOB.open(signed_envelope(MALLORY, context, own), MALLORY) == TEXT

    def test_bob_cannot_pass_on_to_a_third_account_what_alice_wrote_to_him(self, envelope: bytes) -> None:
        """Bob opens it, seals the text for Mallory, and puts Alice's signature in front."""
        context = context_of(ALICE.face, MALLORY.face, CONVERSATION)
        sealed = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM).encrypt(
            BOB.open(envelope, ALICE), MALLORY.encryption.public_key(), info=context
        )
        assert MALLORY.refuses(envelope[: 2 + 64] + sealed, ALICE)
        assert MALLORY.open(signed_envelope(ALICE, context, sealed), ALICE) == TEXT

    def test_names_are_bound_to_keys(self, envelope: bytes) -> None:
        """The same keys under other names, as a key directory that lies would have it."""
        for name in ("mallory", "Alice", "alice\0", ""):
            with pytest.raises(EnvelopeError):
                BOB.engine.open(envelope, Correspondent(name, ALICE.engine.bundle()), CONVERSATION)
        renamed = OneShot("robert", BOB.identity, BOB.encryption)
        with pytest.raises(EnvelopeError):
            renamed.open(envelope, ALICE.face, CONVERSATION)
        again = ALICE.engine.seal(TEXT, Correspondent("robert", BOB.engine.bundle()), CONVERSATION)
        assert renamed.open(again, ALICE.face, CONVERSATION) == TEXT

    def test_swapped_names_are_refused(self) -> None:
        """Two accounts with the same keys: only the names say who wrote to whom."""
        identity, encryption = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
        one, two = OneShot("one", identity, encryption), OneShot("two", identity, encryption)
        envelope = one.seal(TEXT, Correspondent("two", two.bundle()), CONVERSATION)
        assert two.open(envelope, Correspondent("one", one.bundle()), CONVERSATION) == TEXT
        with pytest.raises(EnvelopeError):
            one.open(envelope, Correspondent("two", two.bundle()), CONVERSATION)

    def test_a_border_between_two_names_cannot_be_moved(self) -> None:
        identity, encryption = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
        sender, recipient = (OneShot(name, identity, encryption) for name in ("ab", "c"))
        envelope = sender.seal(TEXT, Correspondent("c", recipient.bundle()), "de")
        assert recipient.open(envelope, Correspondent("ab", sender.bundle()), "de") == TEXT
        with pytest.raises(EnvelopeError):
            OneShot("bc", identity, encryption).open(envelope, Correspondent("a", sender.bundle()), "de")
        with pytest.raises(EnvelopeError):
            OneShot("cd", identity, encryption).open(envelope, Correspondent("ab", sender.bundle()), "e")

    def test_new_keys_of_bob_do_not_open_what_was_sealed_to_the_old_ones(self, envelope: bytes) -> None:
        fresh_encryption = OneShot("bob", BOB.identity, X25519PrivateKey.generate())
        fresh_identity = OneShot("bob", Ed25519PrivateKey.generate(), BOB.encryption)
        for engine in (fresh_encryption, fresh_identity):
            with pytest.raises(EnvelopeError):
                engine.open(envelope, ALICE.face, CONVERSATION)
            new = ALICE.engine.seal(TEXT, Correspondent("bob", engine.bundle()), CONVERSATION)
            assert engine.open(new, ALICE.face, CONVERSATION) == TEXT

    def test_a_name_that_is_no_unicode_is_refused(self, envelope: bytes) -> None:
        lone = "\ud800"
        with pytest.raises(EnvelopeError):
            BOB.engine.open(envelope, Correspondent(lone, ALICE.engine.bundle()), CONVERSATION)
        with pytest.raises(EnvelopeError):
            ALICE.engine.seal(TEXT, Correspondent(lone, BOB.engine.bundle()), CONVERSATION)


def refused_for_both(bundle: bytes, envelope: bytes, words: str | None = None) -> bool:
    """Alice does not seal to the bundle, and Bob opens nothing as from it."""
    with pytest.raises(EnvelopeError, match=words):
        ALICE.engine.seal(TEXT, Correspondent("bob", bundle), CONVERSATION)
    with pytest.raises(EnvelopeError, match=words):
        BOB.engine.open(envelope, Correspondent("alice", bundle), CONVERSATION)
    return True


class TestBundle:
    def test_with_any_bit_flipped_it_is_refused(self, envelope: bytes) -> None:
        for changed in flipped(BOB.engine.bundle()):
            with pytest.raises(EnvelopeError):
                ALICE.engine.seal(TEXT, Correspondent("bob", changed), CONVERSATION)
        for changed in flipped(ALICE.engine.bundle()):
            with pytest.raises(EnvelopeError):
                BOB.engine.open(envelope, Correspondent("alice", changed), CONVERSATION)
        assert BOB.open(ALICE.seal(TEXT, BOB), ALICE) == TEXT

    def test_cut_short_or_extended_it_is_refused(self, envelope: bytes) -> None:
        bundle = ALICE.engine.bundle()
        assert len(bundle) == 1 + 32 + 32 + 64
        assert all(refused_for_both(bundle[:length], envelope) for length in range(len(bundle)))
        assert refused_for_both(bundle + b"\0", envelope)

    @pytest.mark.parametrize("version", [0, 2, 255])
    def test_an_unknown_version_is_refused(self, envelope: bytes, version: int) -> None:
        assert refused_for_both(bytes([version]) + ALICE.engine.bundle()[1:], envelope, "known version")

    def test_keys_of_two_accounts_cannot_be_mixed(self, envelope: bytes) -> None:
        """Bob's identity with Mallory's encryption key, under either signature: Mallory would read along."""
        bob, mallory = BOB.engine.bundle(), MALLORY.engine.bundle()
        for signature in (bob[65:], mallory[65:]):
            assert refused_for_both(bundle_of(bob[1:33] + mallory[33:65], signature), envelope, "not signed")
        mixed = signed_bundle(BOB.identity, mallory[33:65])  # what only Bob could make
        sealed = ALICE.engine.seal(TEXT, Correspondent("bob", mixed), CONVERSATION)
        assert OneShot("bob", BOB.identity, MALLORY.encryption).open(sealed, ALICE.face, CONVERSATION) == TEXT

    def test_a_signature_made_for_something_else_is_none(self, envelope: bytes) -> None:
        keys = ALICE.engine.bundle()[1:65]
        for label in (b"mitm-lab/bundle/2", b"mitm-lab/envelope/1", b""):
            assert refused_for_both(bundle_of(keys, ALICE.identity.sign(joined(label, keys))), envelope, "not signed")
        assert refused_for_both(bundle_of(keys, ALICE.identity.sign(keys)), envelope, "not signed")

    @any_test
    @given(st.binary(max_size=200) | st.binary(min_size=128, max_size=128).map(lambda rest: b"\x01" + rest))
    def test_arbitrary_bytes_are_refused_and_nothing_else_happens(self, data: bytes) -> None:
        assert refused_for_both(data, bytes([1, 1]) + bytes(200))


class TestWeakKeys:
    @pytest.mark.parametrize("key", LOW_ORDER_X25519)
    def test_nothing_is_sealed_to_an_encryption_key_of_small_order(self, key: str) -> None:
        with pytest.raises(EnvelopeError, match="encryption key"):
            ALICE.engine.seal(TEXT, Correspondent("bob", signed_bundle(BOB.identity, bytes.fromhex(key))), CONVERSATION)
        whole = BOB.encryption.public_key().public_bytes_raw()
        assert ALICE.engine.seal(TEXT, Correspondent("bob", signed_bundle(BOB.identity, whole)), CONVERSATION)

    @pytest.mark.parametrize("key", LOW_ORDER_X25519)
    def test_nothing_is_opened_that_was_encapsulated_with_small_order(self, envelope: bytes, key: str) -> None:
        context = context_of(ALICE.face, BOB.face, CONVERSATION)
        sealed = sealed_part(envelope)
        assert BOB.refuses(signed_envelope(ALICE, context, bytes.fromhex(key) + sealed[32:]), ALICE)
        assert BOB.open(signed_envelope(ALICE, context, sealed), ALICE) == TEXT

    def test_a_signature_that_nobody_made_is_valid_under_the_neutral_element(self, envelope: bytes) -> None:
        """Why these keys are refused at all: R neutral and S zero fit any message."""
        neutral = bytes.fromhex(LOW_ORDER_ED25519[0])
        forged = neutral + bytes(32)
        Ed25519PublicKey.from_public_bytes(neutral).verify(forged, b"whatever")
        keys = neutral + MALLORY.encryption.public_key().public_bytes_raw()
        assert refused_for_both(bundle_of(keys, forged), envelope, UNSUITED)

    @pytest.mark.parametrize("key", LOW_ORDER_ED25519)
    def test_a_forged_bundle_with_an_identity_key_of_small_order_is_refused(self, envelope: bytes, key: str) -> None:
        identity = bytes.fromhex(key)
        bundle = forge(identity)
        assert refused_for_both(bundle or bundle_of(identity + bytes(96), b""), envelope, UNSUITED)

    def test_the_library_would_have_taken_forgeries(self) -> None:
        assert sum(forge(bytes.fromhex(key)) is not None for key in LOW_ORDER_ED25519) >= 8

    @pytest.mark.parametrize("offset", range(19))
    def test_an_identity_key_that_is_not_reduced_is_refused(self, envelope: bytes, offset: int) -> None:
        for sign in (0, 1 << 255):
            key = (2**255 - 19 + offset + sign).to_bytes(32, "little")
            assert refused_for_both(bundle_of(key + bytes(32), bytes(64)), envelope, UNSUITED)

    def test_the_flagged_keys_of_the_vectors_are_refused_and_the_others_are_looked_at(self, envelope: bytes) -> None:
        if "LAB_VECTORS" not in os.environ:
            pytest.skip("LAB_VECTORS is not set to the folder of the test vectors")
        path = Path(os.environ["LAB_VECTORS"], "cctv", "ed25519vectors.json")
        cases = json.loads(path.read_text())
        flagged = {case["key"] for case in cases if {"low_order_A", "non_canonical_A"} & set(case["flags"] or ())}
        assert {case["key"] for case in cases if "low_order_A" in (case["flags"] or ())} == set(LOW_ORDER_ED25519)
        for key in flagged:
            assert refused_for_both(bundle_of(bytes.fromhex(key) + bytes(32), bytes(64)), envelope, UNSUITED)
        others = {case["key"] for case in cases} - flagged
        assert len(others) == 8
        for key in others:  # no bundle was signed with them either, but that is another reason
            assert refused_for_both(bundle_of(bytes.fromhex(key) + bytes(32), bytes(64)), envelope, "not signed")


def forge(identity: bytes) -> bytes | None:
    """A bundle under a key of small order that the library takes for signed, though nobody has a private key for it.

    With S = 0 a signature is valid if R = -kA; A has at most eight multiples, so some R fits before long.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(identity)
    except ValueError:
        return None
    for nonce in range(8):
        keys = identity + nonce.to_bytes(32, "big")
        for encoded in LOW_ORDER_ED25519:
            signature = bytes.fromhex(encoded) + bytes(32)
            try:
                key.verify(signature, joined(b"mitm-lab/bundle/1", keys))
            except InvalidSignature:
                continue
            return bundle_of(keys, signature)
    return None


class TestPrimitives:
    """The published vectors, and each with a change that must show."""

    def rfc_9180(self) -> Any:
        """RFC 9180, A.1.1: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM."""
        with cryptography_vectors.open_vector_file("HPKE/test-vectors.json", "r") as file:
            vectors = json.load(file)
        wanted = {"mode": 0, "kem_id": 0x0020, "kdf_id": 0x0001, "aead_id": 0x0001}
        (vector,) = (each for each in vectors if wanted.items() <= each.items())
        return vector

    def test_the_suite_is_the_one_of_rfc_9180_appendix_a_1(self) -> None:
        vector = self.rfc_9180()
        first = vector["encryptions"][0]
        assert first["ct"].startswith("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc5")  # as printed in A.1.1.1
        key = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["skRm"]))
        message, info, aad = (
            bytes.fromhex(each) for each in (vector["enc"] + first["ct"], vector["info"], first["aad"])
        )
        # The vectors carry associated data, for which there is no public call.
        opened = openssl.hpke._decrypt_with_aad(OneShot._suite, message, key, info, aad)
        assert opened == bytes.fromhex(first["pt"]) == b"Beauty is truth, truth beauty"
        for kdf, aead in product((KDF.HKDF_SHA256, KDF.HKDF_SHA512), (AEAD.AES_128_GCM, AEAD.CHACHA20_POLY1305)):
            if (kdf, aead) == (KDF.HKDF_SHA256, AEAD.AES_128_GCM):
                continue
            with pytest.raises(InvalidTag):
                openssl.hpke._decrypt_with_aad(Suite(KEM.X25519, kdf, aead), message, key, info, aad)

    def test_the_engine_opens_what_the_suite_of_the_rfc_sealed(self) -> None:
        """The recipient of the vector as an account: only the right private key opens."""
        recipient = OneShot(
            "bob", BOB.identity, X25519PrivateKey.from_private_bytes(bytes.fromhex(self.rfc_9180()["skRm"]))
        )
        assert recipient.bundle()[33:65].hex() == self.rfc_9180()["pkRm"]
        sealed = ALICE.engine.seal(TEXT, Correspondent("bob", recipient.bundle()), CONVERSATION)
        assert recipient.open(sealed, ALICE.face, CONVERSATION) == TEXT
        assert BOB.refuses(sealed, ALICE)

    def test_the_signatures_are_those_of_rfc_8032_section_7_1_test_1(self) -> None:
        identity = Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        )
        public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        signature = (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        )
        assert OneShot("alice", identity, ALICE.encryption).bundle()[1:33].hex() == public
        assert identity.sign(b"").hex() == signature
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), b"")
        with pytest.raises(InvalidSignature):
            key.verify(bytes.fromhex(signature), b"\0")


def test_a_signature_has_one_form_only(envelope: bytes) -> None:
    """S and S plus the group order are the same number to a careless verifier (RFC 8032, section 5.1.7)."""
    order = 2**252 + 27742317777372353535851937790883648493
    signature = envelope[2:66]
    other = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert BOB.refuses(envelope[:34] + other + envelope[66:], ALICE)
    assert BOB.open(envelope, ALICE) == TEXT


parts = st.lists(st.binary(max_size=12), max_size=5)


class TestJoin:
    @given(parts, parts)
    def test_two_lists_give_the_same_bytes_only_if_they_are_the_same(
        self, one: list[bytes], other: list[bytes]
    ) -> None:
        assert (_join(*one) == _join(*other)) is (one == other)

    @given(parts)
    def test_the_list_can_be_read_back(self, one: list[bytes]) -> None:
        data, found = _join(*one), []
        while data:
            length = int.from_bytes(data[:8], "big")
            found.append(data[8 : 8 + length])
            data = data[8 + length :]
        assert found == one
        assert _join(*one) == joined(*one)

    @given(st.binary(max_size=12), st.binary(min_size=1, max_size=12), st.binary(max_size=12))
    def test_no_border_can_be_moved(self, one: bytes, two: bytes, three: bytes) -> None:
        assert _join(one + two, three) != _join(one, two + three)
        assert _join(one, two) != _join(one + two)
        assert _join(one, b"") != _join(one)
