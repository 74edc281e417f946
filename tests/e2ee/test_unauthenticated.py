"""Alice writes to Bob under keys that nobody else has. Nobody can read it, and anybody can change it."""

from __future__ import annotations

import hashlib
import hmac
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee import static_x3dh
from lab.e2ee.identity import DeviceKeys
from lab.e2ee.protocol import E2EEError
from lab.e2ee.unauthenticated import open_sealed, seal

TEXT = "Meet me at the old mill at 5pm — Grüße".encode()

ALICE = DeviceKeys.new("alice", 1, os.urandom)
BOB = DeviceKeys.new("bob", 1, os.urandom)
MALLORY = DeviceKeys.new("mallory", 1, os.urandom)
PRE_KEY = X25519PrivateKey.generate()
"""Bob's signed pre-key."""
PUBLIC_PRE_KEY = PRE_KEY.public_key().public_bytes_raw()


def to_bob(text: bytes = TEXT, sender: DeviceKeys = ALICE) -> bytes:
    return seal(sender, BOB.public, PUBLIC_PRE_KEY, text, os.urandom)


def read(envelope: bytes, sender: DeviceKeys = ALICE) -> bytes:
    return open_sealed(BOB, PRE_KEY, sender.public, envelope)


def exchange(private: X25519PrivateKey, key: bytes) -> bytes:
    return private.exchange(X25519PublicKey.from_public_bytes(key))


def test_it_is_what_its_description_says() -> None:
    """Written once more, from the description: HKDF from its hashes, counter mode from single blocks of AES."""
    ephemeral = X25519PrivateKey.generate()
    public = ephemeral.public_key().public_bytes_raw()
    secret = b"\xff" * 32 + exchange(ALICE.identity, PUBLIC_PRE_KEY)
    secret += exchange(ephemeral, BOB.public.identity) + exchange(ephemeral, PUBLIC_PRE_KEY)
    label = b"mitm-lab/1 static X3DH without authentication"
    extracted = hmac.digest(bytes(32), secret, hashlib.sha256)
    key = hmac.digest(extracted, label + b"\x01", hashlib.sha256)
    counter = hmac.digest(extracted, key + label + b"\x02", hashlib.sha256)[:16]
    encryptor = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - the one block that each step of counter mode is
    first = int.from_bytes(counter, "big")
    stream = b"".join(
        encryptor.update(((first + step) % (1 << 128)).to_bytes(16, "big")) for step in range(len(TEXT) // 16 + 1)
    )
    sealed = bytes(one ^ other for one, other in zip(TEXT, stream, strict=False))
    assert read(b"\x01" + public + sealed) == TEXT


def test_who_has_not_the_keys_gets_noise_and_is_not_told() -> None:
    envelope = to_bob()
    assert read(envelope) == TEXT
    assert TEXT[:8] not in envelope
    assert read(envelope, sender=MALLORY) != TEXT
    assert read(to_bob(sender=MALLORY)) != TEXT
    assert open_sealed(MALLORY, X25519PrivateKey.generate(), ALICE.public, envelope) != TEXT


def test_every_bit_of_the_text_can_be_flipped_and_no_other_one_changes() -> None:
    envelope = to_bob()
    for place in range(len(TEXT) * 8):
        at = place // 8
        mask = 1 << place % 8
        flipped = bytearray(envelope)
        flipped[33 + at] ^= mask
        expected = bytearray(TEXT)
        expected[at] ^= mask
        assert read(bytes(flipped)) == expected


def test_with_a_tag_every_flipped_bit_is_refused() -> None:
    """The twin: the same key agreement and the same cipher underneath, as GCM."""
    envelope = static_x3dh.seal(ALICE, BOB.public, PUBLIC_PRE_KEY, TEXT, os.urandom)
    assert static_x3dh.open_sealed(BOB, PRE_KEY, ALICE.public, envelope) == TEXT
    for at in range(33, len(envelope)):
        flipped = bytearray(envelope)
        flipped[at] ^= 1
        with pytest.raises(E2EEError):
            static_x3dh.open_sealed(BOB, PRE_KEY, ALICE.public, bytes(flipped))


def test_what_is_cut_short_is_read_as_if_it_ended_there() -> None:
    envelope = to_bob()
    assert read(envelope[:-10]) == TEXT[:-10]
    longer = read(envelope + b"\0")
    assert longer[:-1] == TEXT


def test_no_stream_comes_twice() -> None:
    assert len({to_bob()[33:] for _ in range(20)}) == 20


@pytest.mark.parametrize(
    "envelope",
    [b"", b"\x01", b"\x01" + bytes(31), b"\x02" + bytes(range(32)) + b"text", b"\x01" + bytes(32) + b"text"],
    ids=["nothing", "version", "cut-short", "other-version", "small-order"],
)
def test_without_an_ephemeral_key_nothing_opens(envelope: bytes) -> None:
    with pytest.raises(E2EEError):
        read(envelope)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_anything_from_outside_is_noise_or_refused(data: bytes) -> None:
    for envelope in (data, b"\x01" + data):
        try:
            opened = read(envelope)
        except E2EEError:
            continue
        assert len(opened) == len(envelope) - 33
