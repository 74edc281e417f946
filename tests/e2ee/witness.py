"""A second opinion: python-doubleratchet 1.3.0, by other people, set up for suite and form of `lab.e2ee.ratchet`.

Its state machine is its own. What it asks its users to choose stands here, written from the description of the form and
with nothing of the lab's code: X25519, HKDF-SHA256 and HMAC-SHA256 with the lab's labels, AES-256-GCM, and the header.
"""

from __future__ import annotations

import struct
from collections.abc import Coroutine
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from doubleratchet import (
    AEAD,
    AuthenticationFailedException,
    DoSProtectionException,
    DoubleRatchet,
    DuplicateMessageException,
    EncryptedMessage,
    Header,
)
from doubleratchet.recommended import HashFunction, diffie_hellman_ratchet_curve25519, kdf_hkdf, kdf_separate_hmacs

HEADER = struct.Struct(">32sII")
REFUSALS = (AuthenticationFailedException, DoSProtectionException, DuplicateMessageException, ValueError)


class RootChain(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"mitm-lab/1 root step"


class MessageChain(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class Sealing(AEAD):
    @staticmethod
    def _cipher(key: bytes) -> tuple[AESGCM, bytes]:
        both = HKDF(SHA256(), 44, None, b"mitm-lab/1 message key").derive(key)
        return AESGCM(both[:32]), both[32:]

    @staticmethod
    async def encrypt(plaintext: bytes, key: bytes, associated_data: bytes) -> bytes:
        cipher, nonce = Sealing._cipher(key)
        return cipher.encrypt(nonce, plaintext, associated_data)

    @staticmethod
    async def decrypt(ciphertext: bytes, key: bytes, associated_data: bytes) -> bytes:
        cipher, nonce = Sealing._cipher(key)
        try:
            return cipher.decrypt(nonce, ciphertext, associated_data)
        except InvalidTag:
            raise AuthenticationFailedException from None


class Theirs(DoubleRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: Header) -> bytes:
        return len(associated_data).to_bytes(4, "big") + associated_data + HEADER.pack(*on_the_wire(header))


SUITE: dict[str, Any] = {
    "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
    "root_chain_kdf": RootChain,
    "message_chain_kdf": MessageChain,
    # One HMAC for each byte: the first gives the next chain key, the second the message key.
    "message_chain_constant": b"\x02\x01",
    "dos_protection_threshold": 1000,
    "max_num_skipped_message_keys": 2000,
    "aead": Sealing,
}


def on_the_wire(header: Header) -> tuple[bytes, int, int]:
    return header.ratchet_pub, header.previous_sending_chain_length, header.sending_chain_length


class Witness:
    """One side of a session, to be used as a `Ratchet` is."""

    def __init__(self, secret: bytes, associated_data: bytes, **keys: bytes) -> None:
        self._ratchet: DoubleRatchet | None = None
        self._start = {"shared_secret": secret, "associated_data": associated_data, **keys}
        self._associated_data = associated_data

    @classmethod
    def initiator(cls, secret: bytes, their_key: bytes, associated_data: bytes) -> Witness:
        return cls(secret, associated_data, recipient_ratchet_pub=their_key)

    @classmethod
    def responder(cls, secret: bytes, own_key: X25519PrivateKey, associated_data: bytes) -> Witness:
        return cls(secret, associated_data, own_ratchet_priv=own_key.private_bytes_raw())

    def encrypt(self, plaintext: bytes, random: object) -> bytes:
        """Draws its randomness by itself."""
        return at_once(self.seal(plaintext))

    def decrypt(self, message: bytes) -> bytes:
        return at_once(self.open(message))

    async def seal(self, plaintext: bytes) -> bytes:
        if self._ratchet is None:
            start: Any = {**SUITE, **self._start}
            self._ratchet, sealed = await Theirs.encrypt_initial_message(message=plaintext, **start)
        else:
            sealed = await self._ratchet.encrypt_message(plaintext, self._associated_data)
        return HEADER.pack(*on_the_wire(sealed.header)) + sealed.ciphertext

    async def open(self, message: bytes) -> bytes:
        header = Header(*HEADER.unpack_from(message))
        sealed = EncryptedMessage(header, message[HEADER.size :])
        if self._ratchet is None:
            start: Any = {**SUITE, **self._start}
            self._ratchet, plaintext = await Theirs.decrypt_initial_message(message=sealed, **start)
            return plaintext
        return await self._ratchet.decrypt_message(sealed, self._associated_data)


def at_once[T](coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits for anything."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return finished.value
    raise AssertionError("it waits")
