"""A bad example, for what is missing without a ratchet: every message is sealed alone, with keys that never change.

The key agreement of X3DH revision 1, section 3.3, without a one-time key, once for every message: the sender's identity
key and a new ephemeral key with the recipient's identity key and signed pre-key (DH1, DH2, DH3), HKDF-SHA256,
AES-256-GCM. The reader knows who wrote, changes are noticed, and no message can be moved to another pair of devices or
to another pre-key. So this is more than `textbook_rsa`, and an operator reads nothing. Wrong is that nothing is ever
used up:

- The recipient's keys that opened the first message open every message. Once its state leaks, everything that was ever
  recorded on the way to it opens (no forward secrecy), and everything still to come (no healing). All that ever changes
  it is a new signed pre-key, with the old one forgotten: a matter of weeks, where a ratchet does it with every message.
- A message opens as often as it is delivered: a replayed one is not noticed, nor one that is missing or out of order.
- Who has the recipient's keys can write to it in anybody's name, until that pre-key is replaced (key compromise
  impersonation). X3DH has the same weakness, but there it takes a new session each time.

Two things it does have: the sender's keys open nothing that was sent, since the ephemeral key is not kept; and since
the recipient could have made every message itself, none proves to a third person who wrote it.

Left out: the signature of the pre-key (`prekeys.read_bundle` verifies it, before it comes here), and padding.

    envelope   version 1 | ephemeral key 32 | ciphertext and tag 16
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lab.e2ee.codec import Reader, blocks, number
from lab.e2ee.engine import Opened, Published, Sealed
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.keys import KEY, SIGNATURE, Random, agree, derive, new_agreement_key, sign, verify
from lab.e2ee.prekeys import Handed, OneTimeKeys
from lab.e2ee.protocol import SIGNED_PRE_KEY_LABEL, STATIC_X3DH_LABEL, VERSION, E2EEError

_F = b"\xff" * KEY
"""X3DH, section 2.2: no X25519 key looks like this, so that the input is none of another use of the same keys."""
_NONCE = 12

HEADER = 1 + KEY
"""Bytes of an envelope before the ciphertext: the version and the ephemeral key."""


def seal(device: DeviceKeys, peer: PublicDevice, peer_signed_pre_key: bytes, plaintext: bytes, random: Random) -> bytes:
    """The envelope from `device` to `peer`, 49 bytes longer than the plaintext.

    `peer_signed_pre_key` is the X25519 key, 32 bytes, of a verified bundle. Draws 32 bytes. E2EEError: it is not
    acceptable.
    """
    header, secret = agree_to_write(device, peer, peer_signed_pre_key, random)
    associated_data = _associated_data(device.public, peer, peer_signed_pre_key, header)
    cipher, nonce = _cipher(secret)
    return header + cipher.encrypt(nonce, plaintext, associated_data)


def open_sealed(device: DeviceKeys, signed_pre_key: X25519PrivateKey, peer: PublicDevice, envelope: bytes) -> bytes:
    """The plaintext of an envelope that `peer` made for `device` and this pre-key of it. E2EEError: it did not."""
    reader = Reader(envelope)
    header = reader.take(HEADER)
    secret = agree_to_read(device, signed_pre_key, peer, header)
    pre_key = signed_pre_key.public_key().public_bytes_raw()
    associated_data = _associated_data(peer, device.public, pre_key, header)
    cipher, nonce = _cipher(secret)
    try:
        return cipher.decrypt(nonce, reader.rest(), associated_data)
    except InvalidTag:
        raise E2EEError("an envelope does not open") from None


def agree_to_write(
    device: DeviceKeys, peer: PublicDevice, peer_signed_pre_key: bytes, random: Random
) -> tuple[bytes, bytes]:
    """The header of an envelope, 33 bytes, and the secret to derive its keys from, 128 bytes; another one each time.

    E2EEError: the pre-key is not acceptable.
    """
    ephemeral = new_agreement_key(random)
    header = number(VERSION, 1) + ephemeral.public_key().public_bytes_raw()
    dh1 = agree(device.identity, peer_signed_pre_key)
    dh2 = agree(ephemeral, peer.identity)
    dh3 = agree(ephemeral, peer_signed_pre_key)
    return header, _F + dh1 + dh2 + dh3


def agree_to_read(device: DeviceKeys, signed_pre_key: X25519PrivateKey, peer: PublicDevice, header: bytes) -> bytes:
    """The same secret for the reader of an envelope that begins with `header`, 33 bytes, as it was received.

    Nothing is authenticated by that. E2EEError: another version, or the ephemeral key is not acceptable.
    """
    if header[0] != VERSION:
        raise E2EEError("this is of no known version")
    ephemeral = header[1:]
    dh1 = agree(signed_pre_key, peer.identity)
    dh2 = agree(device.identity, ephemeral)
    dh3 = agree(signed_pre_key, ephemeral)
    return _F + dh1 + dh2 + dh3


def _associated_data(sender: PublicDevice, recipient: PublicDevice, pre_key: bytes, header: bytes) -> bytes:
    # Both sides by name, number and keys: the key agreement alone would let a device that published another one's
    # identity key as its own take over that one's messages (X3DH, section 4.8). The header as it was sent: X25519 gives
    # the same secret for several ways to write one ephemeral key (RFC 7748, section 5).
    return blocks(STATIC_X3DH_LABEL, sender.to_bytes(), recipient.to_bytes(), pre_key, header)


def _cipher(secret: bytes) -> tuple[AESGCM, bytes]:
    """The cipher and the nonce for one message. The ephemeral key is new for each, so neither is used again."""
    derived = derive(secret, salt=None, info=STATIC_X3DH_LABEL, length=KEY + _NONCE)
    return AESGCM(derived[:KEY]), derived[KEY:]


class StaticX3dh:
    """An `Engine`: a device is its keys and one pre-key that stays; a session is nothing but the other side's keys."""

    groups = None

    def __init__(self, random: Random) -> None:
        self._random = random

    def create(self, account: str, number: int) -> bytes:
        keys = DeviceKeys.new(account, number, self._random)
        return blocks(keys.to_bytes(), new_agreement_key(self._random).private_bytes_raw())

    def public(self, device: bytes) -> PublicDevice:
        return opened_state(device)[0].public

    def publish(self, device: bytes, one_time: int) -> Published:
        """The pre-key and its signature. There are no one-time keys, however many are wanted."""
        keys, pre_key = opened_state(device)
        public = pre_key.public_key().public_bytes_raw()
        signed = public + sign(keys.signing, SIGNED_PRE_KEY_LABEL, STATIC_X3DH_LABEL, public)
        return Published(device, signed, OneTimeKeys((), ()))

    def begin(self, device: bytes, session: bytes | None, peer: PublicDevice, handed: Handed) -> bytes:
        reader = Reader(handed.signed)
        pre_key, signature = reader.take(KEY), reader.take(SIGNATURE)
        reader.end()
        verify(peer.signing, signature, SIGNED_PRE_KEY_LABEL, STATIC_X3DH_LABEL, pre_key)
        return blocks(peer.to_bytes(), pre_key)

    def seal(self, device: bytes, session: bytes, plaintext: bytes) -> Sealed:
        return Sealed(session, seal(opened_state(device)[0], *opened_session(session), plaintext, self._random))

    def open(self, device: bytes, session: bytes | None, peer: PublicDevice, envelope: bytes) -> Opened:
        return Opened(device, session or b"", open_sealed(*opened_state(device), peer, envelope))

    def overhear(self, device: bytes, session: bytes) -> bytes | None:
        """None: the ephemeral keys of what the device sends are gone with each message."""
        return None


def opened_state(state: bytes) -> tuple[DeviceKeys, X25519PrivateKey]:
    """The keys of a device and its pre-key."""
    reader = Reader(state)
    keys, pre_key = DeviceKeys.from_bytes(reader.block()), X25519PrivateKey.from_private_bytes(reader.block(KEY))
    reader.end()
    return keys, pre_key


def opened_session(session: bytes) -> tuple[PublicDevice, bytes]:
    """The other device and its pre-key, 32 bytes."""
    reader = Reader(session)
    peer, pre_key = PublicDevice.from_bytes(reader.block()), reader.block()
    reader.end()
    return peer, pre_key
