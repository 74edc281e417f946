"""Keys and what is done with them: agree (X25519, RFC 7748), encapsulate (ML-KEM-1024, FIPS 203), sign (Ed25519,
RFC 8032), derive (HKDF-SHA256, RFC 5869). Primitives come from `cryptography`; what it lets through and must not be let
through is refused here.

A device has an X25519 key to agree and an Ed25519 key to sign. Signal uses one key for both, with XEdDSA; two keys
need no conversion between curves, and the signing key is bound to the other one by the signed device list.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey, MLKEM1024PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lab.e2ee.codec import blocks
from lab.e2ee.protocol import E2EEError

KEY = 32
SIGNATURE = 64
KEM_SEED = 64
KEM_KEY = 1568
KEM_CIPHERTEXT = 1568

type Random = Callable[[int], bytes]
"""Gives that many unpredictable bytes: `os.urandom`, or what a test wants to see again."""

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

_SMALL_ORDER_AGREEMENT = frozenset(
    int.from_bytes(bytes.fromhex(u), "little")
    for u in (
        "0000000000000000000000000000000000000000000000000000000000000000",  # order 2, and the point at infinity
        "0100000000000000000000000000000000000000000000000000000000000000",  # order 4
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 4, on the twist
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",  # order 8
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",  # order 8
    )
)
"""The u coordinates for which X25519 gives zero whatever the private key is (https://cr.yp.to/ecdh.html#validate)."""


def new_agreement_key(random: Random) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(random(KEY))


def new_signing_key(random: Random) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(random(KEY))


def agree(private: X25519PrivateKey, public: bytes) -> bytes:
    """The X25519 shared secret, 32 bytes. E2EEError: no key, or one that makes the secret all zero (RFC 7748, 6.1)."""
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise E2EEError("an agreement key is not acceptable") from None


def check_agreement_key(public: bytes) -> None:
    """E2EEError: `public` is not 32 bytes, of small order, or not in canonical form.

    RFC 7748 takes 2^255 + u and p + u for u. A key that is written down, signed and compared needs one form only: two
    forms of one key would be two identities with the same secrets.
    """
    u = int.from_bytes(public, "little")
    if len(public) != KEY or u >= _FIELD or u in _SMALL_ORDER_AGREEMENT:
        raise E2EEError("an agreement key is of small order or not in canonical form")


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """A shared secret, 32 bytes, and its ciphertext, 1568 bytes. E2EEError: no key (FIPS 203, section 7.2).

    The randomness is drawn inside `cryptography`, which has no way to pass it in: the same inputs never give the same
    ciphertext twice.
    """
    try:
        return MLKEM1024PublicKey.from_public_bytes(public).encapsulate()
    except ValueError:
        raise E2EEError("a key encapsulation key is not acceptable") from None


def decapsulate(private: MLKEM1024PrivateKey, ciphertext: bytes) -> bytes:
    """The shared secret, 32 bytes; for a ciphertext that was changed another one (FIPS 203: implicit rejection).

    E2EEError: the ciphertext is not 1568 bytes.
    """
    if len(ciphertext) != KEM_CIPHERTEXT:
        raise E2EEError("a key encapsulation has the wrong length")
    return private.decapsulate(ciphertext)


def check_signing_key(public: bytes) -> Ed25519PublicKey:
    """The Ed25519 key in `public`, 32 bytes. E2EEError: no point, of small order, or not in canonical form."""
    y = int.from_bytes(public, "little") & ~_SIGN_BIT
    if len(public) != KEY or y >= _FIELD or y in _SMALL_ORDER:
        raise E2EEError("a signing key is of small order or not in canonical form")
    try:
        return Ed25519PublicKey.from_public_bytes(public)
    except ValueError:
        raise E2EEError("a signing key is no key") from None


def sign(private: Ed25519PrivateKey, label: bytes, *parts: bytes) -> bytes:
    """A signature, 64 bytes, over `label` and `parts`."""
    return private.sign(blocks(label, *parts))


def verify(public: bytes, signature: bytes, label: bytes, *parts: bytes) -> None:
    """E2EEError unless `signature` is one by `public` over `label` and `parts`."""
    try:
        check_signing_key(public).verify(signature, blocks(label, *parts))
    except InvalidSignature:
        raise E2EEError("a signature is not valid") from None


def derive(material: bytes, *, salt: bytes | None, info: bytes, length: int) -> bytes:
    """HKDF-SHA256, extract and expand; `salt` None is the zero salt of RFC 5869, section 2.2."""
    return HKDF(SHA256(), length, salt, info).derive(material)
