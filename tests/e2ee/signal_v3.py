"""Signal's messages of version 3, as far as its transcripts need them, for the state machine of `lab.e2ee.ratchet`.

Written from the transcripts and from Signal's specifications: X3DH and Double Ratchet, both revision 1; section 5.2 of
the latter for AES-256-CBC with HMAC-SHA256. Nothing of it is used outside the tests.

    message          0x33 | protobuf: 1 ratchet key, 2 number, 3 previous, 4 ciphertext | first 8 bytes of the MAC
    first message    0x33 | protobuf: 1 one-time id, 2 base key, 3 identity key, 4 message, 5 registration, 6 signed id

Keys have a byte 0x05 in front. The MAC covers the sender's identity key, the reader's, and the message up to the MAC.
`previous` is the LAST NUMBER of the chain before, not how many messages it had, and 0 if there was none.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from lab.e2ee.keys import agree, derive
from lab.e2ee.protocol import E2EEError
from lab.e2ee.ratchet import Header

VERSION = b"\x33"
MAC = 8
PADDED = 160


def secret(*agreed: bytes) -> bytes:
    """X3DH's shared secret of its four agreements: the root key that the ratchet begins with."""
    return derive(b"\xff" * 32 + b"".join(agreed), salt=bytes(32), info=b"WhisperText", length=64)[:32]


def initiators_secret(
    identity: X25519PrivateKey, base: X25519PrivateKey, other: bytes, signed: bytes, one_time: bytes
) -> bytes:
    return secret(agree(identity, signed), agree(base, other), agree(base, signed), agree(base, one_time))


def responders_secret(
    identity: X25519PrivateKey, signed: X25519PrivateKey, one_time: X25519PrivateKey, other: bytes, base: bytes
) -> bytes:
    return secret(agree(signed, other), agree(identity, base), agree(signed, base), agree(one_time, base))


def message_keys(seed: bytes) -> tuple[bytes, bytes, bytes]:
    """Cipher key 32, MAC key 32, initialisation vector 16."""
    keys = derive(seed, salt=bytes(32), info=b"WhisperMessageKeys", length=80)
    return keys[:32], keys[32:64], keys[64:]


@dataclass(frozen=True)
class SignalForm:
    """The form of messages between two identity keys (32 bytes each). It differs between the two sides."""

    own: bytes
    other: bytes

    root_label = b"WhisperRatchet"

    def seal(self, seed: bytes, header: Header, plaintext: bytes, associated_data: bytes) -> bytes:
        key, mac_key, vector = message_keys(seed)
        padder = PKCS7(128).padder()
        encryptor = Cipher(AES(key), CBC(vector)).encryptor()
        ciphertext = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
        head = VERSION + fields(key_of(header.key), header.number, max(0, header.previous - 1), ciphertext)
        return head + mac(mac_key, self.own, self.other, head)

    def read(self, message: bytes) -> Header:
        ratchet_key, number, previous, _ = parsed(message[:-MAC], bytes, int, int, bytes)
        return Header(key_in(ratchet_key), previous + 1, number)

    def open(self, seed: bytes, message: bytes, associated_data: bytes) -> bytes:
        key, mac_key, vector = message_keys(seed)
        head, tag = message[:-MAC], message[-MAC:]
        if not hmac.compare_digest(tag, mac(mac_key, self.other, self.own, head)):
            raise E2EEError("a message is not authentic")
        *_, ciphertext = parsed(head, bytes, int, int, bytes)
        decryptor = Cipher(AES(key), CBC(vector)).decryptor()
        unpadder = PKCS7(128).unpadder()
        return unpadder.update(decryptor.update(ciphertext) + decryptor.finalize()) + unpadder.finalize()


def mac(key: bytes, sender: bytes, reader: bytes, head: bytes) -> bytes:
    return hmac.digest(key, key_of(sender) + key_of(reader) + head, "sha256")[:MAC]


def content(text: str) -> bytes:
    """A text as Signal pads it before it is encrypted: protobuf field 1, then 0x80 and zeros to 159 bytes."""
    return (fields(text.encode()) + b"\x80").ljust(PADDED - 1, b"\x00")


@dataclass(frozen=True)
class First:
    """A first message, taken apart."""

    one_time_id: int
    base: bytes
    identity: bytes
    message: bytes
    registration: int
    signed_id: int

    @classmethod
    def from_bytes(cls, data: bytes) -> First:
        one_time_id, base, identity, *rest = parsed(data, int, bytes, bytes, bytes, int, int)
        return cls(one_time_id, key_in(base), key_in(identity), *rest)

    def to_bytes(self) -> bytes:
        keys = key_of(self.base), key_of(self.identity)
        return VERSION + fields(self.one_time_id, *keys, self.message, self.registration, self.signed_id)


def key_of(key: bytes) -> bytes:
    return b"\x05" + key


def key_in(data: bytes) -> bytes:
    if len(data) != 33 or data[:1] != b"\x05":
        raise E2EEError("not a key of Signal's")
    return data[1:]


def fields(*values: int | bytes) -> bytes:
    """Protobuf: the values as fields 1, 2, …; numbers as varints, bytes with their length."""
    found = b""
    for place, value in enumerate(values, 1):
        if isinstance(value, int):
            found += varint(place << 3) + varint(value)
        else:
            found += varint(place << 3 | 2) + varint(len(value)) + value
    return found


def parsed(data: bytes, *kinds: type[int] | type[bytes]) -> list:
    """The values that `fields` wrote behind the version byte, one of each kind. E2EEError: anything else."""
    if data[:1] != VERSION:
        raise E2EEError("not a message of version 3")
    octets = iter(data[1:])
    values: list[int | bytes] = []
    for kind in kinds:
        tag = read_varint(octets)
        value = read_varint(octets)
        values.append(value if kind is int else read_octets(octets, value))
        if tag != len(values) << 3 | (0 if kind is int else 2):
            raise E2EEError("a field is not the expected one")
    if VERSION + fields(*values) != data:
        raise E2EEError("something is written in another way, or follows")
    return values


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def read_varint(octets: Iterator[int]) -> int:
    value = shift = 0
    while (octet := next(octets, -1)) & 0x80 and octet >= 0 and shift < 28:
        value |= (octet & 0x7F) << shift
        shift += 7
    if octet < 0:
        raise E2EEError("a message is cut short")
    return value | octet << shift


def read_octets(octets: Iterator[int], count: int) -> bytes:
    found = bytes(islice(octets, count))
    if len(found) < count:
        raise E2EEError("a message is cut short")
    return found
