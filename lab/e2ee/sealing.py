"""One-shot sealing: HPKE (RFC 9180, base mode) to the recipient's key, signed with the sender's Ed25519 (RFC 8032) key.

What it leaves out, on purpose and visibly: there is no session, so a recipient key that leaks later opens every
envelope ever sealed to it (no forward secrecy, no healing); the signature is transferable proof of authorship (no
deniability); length is not padded. It shows what end-to-end encryption hides from an operator. It is not a messenger.

Wire forms, all lengths in bytes:

    bundle     version 1 | Ed25519 identity key 32 | X25519 encryption key 32 | signature 64 over label and keys
    envelope   version 1 | suite 1 | signature 64 | HPKE enc 32 and ciphertext

The context (both account names, both bundles, the conversation, version and suite) goes into HPKE's `info` and under
the signature. So an envelope opens only between the two accounts, keys and conversation that it was made for: one
moved to another conversation, re-signed by a third account, or offered to another recipient is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

VERSION = 1
SUITE = 1
"""1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, Ed25519."""

BUNDLE_LABEL = b"mitm-lab/bundle/1"
ENVELOPE_LABEL = b"mitm-lab/envelope/1"
KEY = 32
SIGNATURE = 64
BUNDLE_LENGTH = 1 + 2 * KEY + SIGNATURE
ENVELOPE_MINIMUM = 2 + SIGNATURE + KEY + 16

_SIGN_BIT = 1 << 255
_FIELD = 2**255 - 19
_SMALL_ORDER = frozenset(
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "0100000000000000000000000000000000000000000000000000000000000000",  # order 1
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 2
        "0000000000000000000000000000000000000000000000000000000000000000",  # order 4, twice
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8, twice
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",  # order 8, twice
    )
)
"""The y coordinates of the eight Ed25519 points of small order (the keys flagged low_order_A in the Ed25519 vectors
of C2SP/CCTV, sign bit removed). Under such a key a signature that nobody made is valid, and OpenSSL accepts it."""


class EnvelopeError(Exception):
    """An envelope or bundle that is malformed, not authentic, or not meant for this reader. Says no more than that."""


@dataclass(frozen=True, slots=True)
class Correspondent:
    """The other account, as its key directory entry describes it: account name and bundle."""

    account: str
    bundle: bytes


class Engine(Protocol):
    """What a participant asks of its end-to-end encryption."""

    def bundle(self) -> bytes:
        """The public keys to upload."""

    def seal(self, plaintext: bytes, to: Correspondent, conversation: str) -> bytes:
        """The envelope for one recipient. EnvelopeError: the recipient's bundle is not valid."""

    def open(self, envelope: bytes, sender: Correspondent, conversation: str) -> bytes:
        """The plaintext. EnvelopeError: anything at all is wrong."""


class OneShot:
    """The engine of this module, for one account with its two private keys."""

    _suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)

    def __init__(self, account: str, identity: Ed25519PrivateKey, encryption: X25519PrivateKey) -> None:
        self._account = account
        self._identity = identity
        self._encryption = encryption
        keys = identity.public_key().public_bytes_raw() + encryption.public_key().public_bytes_raw()
        self._bundle = bytes([VERSION]) + keys + identity.sign(_join(BUNDLE_LABEL, keys))

    def bundle(self) -> bytes:
        return self._bundle

    def seal(self, plaintext: bytes, to: Correspondent, conversation: str) -> bytes:
        _, encryption = _parse(to.bundle)
        try:
            context = _context(Correspondent(self._account, self._bundle), to, conversation)
            sealed = self._suite.encrypt(plaintext, encryption, info=context)
        except ValueError:
            # X25519 refuses keys that would give an all-zero shared secret (RFC 7748, section 6.1).
            raise EnvelopeError("the recipient's encryption key or a name is not acceptable") from None
        return bytes([VERSION, SUITE]) + self._identity.sign(_join(context, sealed)) + sealed

    def open(self, envelope: bytes, sender: Correspondent, conversation: str) -> bytes:
        if len(envelope) < ENVELOPE_MINIMUM or envelope[0] != VERSION or envelope[1] != SUITE:
            raise EnvelopeError("not an envelope of a known version and suite")
        identity, _ = _parse(sender.bundle)
        signature, sealed = envelope[2 : 2 + SIGNATURE], envelope[2 + SIGNATURE :]
        try:
            context = _context(sender, Correspondent(self._account, self._bundle), conversation)
            identity.verify(signature, _join(context, sealed))
            return self._suite.decrypt(sealed, self._encryption, info=context)
        except (InvalidSignature, InvalidTag, ValueError):
            raise EnvelopeError("the envelope is not authentic or not for this account") from None


def _parse(bundle: bytes) -> tuple[Ed25519PublicKey, X25519PublicKey]:
    if len(bundle) != BUNDLE_LENGTH or bundle[0] != VERSION:
        raise EnvelopeError("not a key bundle of a known version")
    keys, signature = bundle[1 : 1 + 2 * KEY], bundle[1 + 2 * KEY :]
    y = int.from_bytes(keys[:KEY], "little") & ~_SIGN_BIT
    if y >= _FIELD or y in _SMALL_ORDER:
        raise EnvelopeError("the identity key in the bundle is of small order or not in canonical form")
    try:
        identity = Ed25519PublicKey.from_public_bytes(keys[:KEY])
        identity.verify(signature, _join(BUNDLE_LABEL, keys))
    except (InvalidSignature, ValueError):
        raise EnvelopeError("the key bundle is not signed by its own identity key") from None
    return identity, X25519PublicKey.from_public_bytes(keys[KEY:])


def _context(sender: Correspondent, recipient: Correspondent, conversation: str) -> bytes:
    return _join(
        ENVELOPE_LABEL,
        bytes([VERSION, SUITE]),
        sender.account.encode(),
        sender.bundle,
        recipient.account.encode(),
        recipient.bundle,
        conversation.encode(),
    )


def _join(*parts: bytes) -> bytes:
    """Length-prefixed concatenation, so that no two different lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)
