"""A bad example, for what encryption alone does not give: RSA straight over the text, as a school book shows it.

RSAES-OAEP (RFC 8017, section 7.1) with a 2048-bit key, SHA-256 and MGF1 with SHA-256, no label. The operator of the
service cannot read the text, and there is nothing wrong with the padding. Wrong is all that is not there:

- Nobody knows who wrote it. Whoever has the public key, the service first of all, can write in anybody's name.
- There is one key for everything. Once it leaks, everything that was ever recorded opens (no forward secrecy), and
  everything still to come (no healing).
- An envelope opens as often as it is delivered: a replayed one is not noticed, nor one that is missing or out of order.
- The key is a key and nothing else: no name, no signature. Whoever hands out another one reads everything, and no
  reader can tell. The envelope does not say for whom it was made either.
- It ends at 190 bytes.

An envelope is the 256 bytes that RSA gives, without so much as a version: the school book has none. Slow it is, too:
reading the private key, which checks that it is one, takes far longer than everything a ratchet does for a message.
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from lab.e2ee.codec import Reader, blocks
from lab.e2ee.engine import Opened, Published, Sealed
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.keys import Random
from lab.e2ee.prekeys import Handed, OneTimeKeys
from lab.e2ee.protocol import TEXTBOOK_RSA_BITS, TEXTBOOK_RSA_EXPONENT, TEXTBOOK_RSA_PLAINTEXT, E2EEError


class TooLongError(ValueError):
    """The sender's own text does not fit. One sentence for the user, with the bytes that it has and may have."""


def new_key() -> bytes:
    """A new private key as DER (PKCS #8, not encrypted): for the owner's store, never for the wire.

    The randomness is drawn inside `cryptography`, which has no way to pass it in.
    """
    key = generate_private_key(TEXTBOOK_RSA_EXPONENT, TEXTBOOK_RSA_BITS)
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def public_key(private: bytes) -> bytes:
    """The public key to a private one, as DER (SubjectPublicKeyInfo). E2EEError: not a key as `new_key` makes them."""
    return _private(private).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def seal(plaintext: bytes, public: bytes) -> bytes:
    """The envelope, 256 bytes, for whoever has the private key to `public` (DER).

    TooLongError: more than 190 bytes of text. E2EEError: not a key as `public_key` gives them.
    """
    if len(plaintext) > TEXTBOOK_RSA_PLAINTEXT:
        raise TooLongError(
            f"RSA takes at most {TEXTBOOK_RSA_PLAINTEXT} bytes of text at once, and this one has {len(plaintext)}"
        )
    try:
        return _public(public).encrypt(plaintext, _oaep())
    except ValueError:
        raise E2EEError("an RSA key does not work") from None


def open_sealed(envelope: bytes, private: bytes) -> bytes:
    """The text in an envelope; nobody knows who wrote it.

    E2EEError: not made with the key that belongs to `private` (DER), changed, or `private` is no such key. One error
    for everything that is wrong with an envelope: who learns which of OAEP's checks failed can decrypt by asking
    (J. Manger, CRYPTO 2001).
    """
    key = _private(private)
    try:
        return key.decrypt(envelope, _oaep())
    except ValueError:
        raise E2EEError("an RSA envelope does not open") from None


def _oaep() -> OAEP:
    return OAEP(MGF1(SHA256()), SHA256(), label=None)


def _private(data: bytes) -> RSAPrivateKey:
    try:
        key = load_der_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise E2EEError("this is no private key") from None
    if not isinstance(key, RSAPrivateKey):
        raise E2EEError("this is no RSA key")
    _check(key.public_key())
    return key


def _public(data: bytes) -> RSAPublicKey:
    try:
        key = load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise E2EEError("this is no public key") from None
    if not isinstance(key, RSAPublicKey):
        raise E2EEError("this is no RSA key")
    _check(key)
    return key


def _check(key: RSAPublicKey) -> None:
    # The exponent too: `cryptography` takes 1, and with it the padded text itself goes out, for everybody to read.
    # And a key of a hundred thousand bits would keep its reader busy for minutes.
    if key.key_size != TEXTBOOK_RSA_BITS or key.public_numbers().e != TEXTBOOK_RSA_EXPONENT:
        raise E2EEError("an RSA key has another size or exponent than it must have")


class TextbookRsa:
    """An `Engine`: a session is nothing but the other side's public key, and no peer is ever checked.

    A device has the keys of `identity` besides, because a device list names them; they sign nothing here.
    """

    groups = None

    def __init__(self, random: Random) -> None:
        self._random = random

    def create(self, account: str, number: int) -> bytes:
        return blocks(DeviceKeys.new(account, number, self._random).to_bytes(), new_key())

    def public(self, device: bytes) -> PublicDevice:
        return DeviceKeys.from_bytes(Reader(device).block()).public

    def publish(self, device: bytes, one_time: int) -> Published:
        """The public key, as it is. There are no one-time keys, however many are wanted."""
        return Published(device, public_key(_rsa(device)), OneTimeKeys((), ()))

    def begin(self, device: bytes, session: bytes | None, peer: PublicDevice, handed: Handed) -> bytes:
        _public(handed.signed)
        return handed.signed

    def seal(self, device: bytes, session: bytes, plaintext: bytes) -> Sealed:
        """TooLongError beside what an `Engine` raises: it is the sender's own text that does not fit."""
        return Sealed(session, seal(plaintext, session))

    def open(self, device: bytes, session: bytes | None, peer: PublicDevice, envelope: bytes) -> Opened:
        return Opened(device, session or b"", open_sealed(envelope, _rsa(device)))

    def overhear(self, device: bytes, session: bytes) -> bytes | None:
        """None: what a device sends opens with the other side's private key alone."""
        return None


def _rsa(device: bytes) -> bytes:
    reader = Reader(device)
    reader.block()
    private = reader.block()
    reader.end()
    return private
