"""Sender keys: a message to a group is encrypted once, whatever the number of its readers.

Implements the pattern of Signal's group cipher (libsignal, rust/protocol/src/sender_keys.rs and group_cipher.rs; its
two constants, the skipped keys and the signature are the same, labels and wire form are the lab's own): every device
that writes to a group makes a sender key, that is a chain of message keys (HMAC-SHA256 with the constants 1 and 2) and
an Ed25519 key pair. It gives the current end of the chain and the public key to every other device of the group, over
their pairwise sessions (the distribution). A message is AES-256-GCM under a key of the chain, signed.

Why the signature: every member has the chain, so encryption only shows that some member wrote a message. The signature
shows which one. The key to sign with never leaves the device.

When to make a new sender key:

- A member or one of a member's devices leaves: every device that stays makes a new one at once, because the leaver has
  the chains, and so can compute all keys that follow in them.
- A member or a device joins: it is given the chain as it stands now. HMAC cannot be run backwards, so it reads nothing
  that was written before; that does not need a new key. Only the number of earlier messages shows, unless the key is
  made anew here, too.
- Now and then: a chain does not heal. Whoever copied a device's state reads everything that follows, and if it was the
  sender's state writes in the sender's name, until that sender makes a new key. A pairwise session heals with the
  next answer.

Left out, and to be known: There is no deniability. A signature is transferable proof: every member can show it to
others, who need only believe whose key it is. Forward secrecy is that of a chain: used keys are gone, keys of
messages that are missing are kept (MAX_STORED). Who is in the group is for the caller to know and to agree on; nothing
here signs a list of members. A dishonest sender can give different members different chains, and so let one
ciphertext say different things to them (AES-GCM does not commit to its key). Order between senders is not protected.

Wire forms, lengths in bytes (blocks as in `codec`):

    distribution  version 1 | blocks: label, group, sender's device | key id 8 | public key 32 | iteration 4 | chain 32
    message       version 1 | kind 1 | key id 8 | iteration 4 | ciphertext and tag 16 | signature 64

The associated data and what is signed begin with group, sender, key id and public key as in the distribution, so that
a message means nothing in another group, of another sender or device, or under another key.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from itertools import islice

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lab.e2ee.codec import Reader, blocks, number
from lab.e2ee.identity import PublicDevice
from lab.e2ee.keys import KEY, SIGNATURE, Random, check_signing_key, derive, new_signing_key, sign, verify
from lab.e2ee.protocol import (
    GROUP_LABEL,
    MAX_PLAINTEXT,
    MAX_SKIP,
    MAX_STORED,
    SENDER_KEY_LABEL,
    VERSION,
    E2EEError,
    Kind,
)
from lab.e2ee.ratchet import NONCE, TAG, step_chain

_KEY_ID = 8
_COUNTER = 4
_PREFIX = 2 + _KEY_ID
_HEADER = _PREFIX + _COUNTER
_SHORTEST = _HEADER + TAG + SIGNATURE
_END = 2 ** (8 * _COUNTER) - 1
"""Never the iteration of a message, so that the one after every message can still be written down."""


def key_id_of(message: bytes) -> bytes:
    """The id, 8 bytes, of the sender key that `message` claims to be under: nothing is authenticated yet.

    It finds the reader among those of one sender in one group, old keys included. Ids are drawn by senders, so those of
    different senders must not be looked up together. E2EEError: not a group message of a known version.
    """
    if not _SHORTEST <= len(message) <= _SHORTEST + MAX_PLAINTEXT:
        raise E2EEError("a group message is cut short or too long")
    if message[0] != VERSION or message[1] != Kind.GROUP:
        raise E2EEError("not a group message of a known version")
    return message[2:_PREFIX]


class SenderKey:
    """The key under which a device writes to a group. Made by `new` or `from_bytes`.

    Whoever uses it stores `to_bytes` before a message that `encrypt` made leaves the device: an older state would seal
    another message with the same key and nonce.
    """

    __slots__ = ("_position", "_private")

    def __init__(self, position: _Position, private: Ed25519PrivateKey) -> None:
        self._position = position
        self._private = private

    @classmethod
    def new(cls, group: bytes, device: PublicDevice, random: Random) -> SenderKey:
        """A sender key of `device` for the group with the id `group`. Draws 32, 8 and 32 bytes."""
        private = new_signing_key(random)
        source = _Source(group, device, random(_KEY_ID), private.public_key().public_bytes_raw())
        return cls(_Position(source, 0, random(KEY)), private)

    @property
    def key_id(self) -> bytes:
        return self._position.source.key_id

    def distribution(self) -> bytes:
        """What lets its holder read everything from the next message on, and nothing before: secret, and only for
        pairwise sessions, which also say from whom it is."""
        return self._position.to_bytes()

    def encrypt(self, plaintext: bytes) -> bytes:
        """A group message, 94 bytes longer than `plaintext`. E2EEError: too long, or the chain has come to its end."""
        if len(plaintext) > MAX_PLAINTEXT:
            raise E2EEError("a message is longer than it may be")
        at = self._position
        if at.iteration == _END:
            raise E2EEError("a sender key is used up")
        header = at.source.prefix() + number(at.iteration, _COUNTER)
        seed, following = step_chain(at.chain)
        cipher, nonce = _key_and_nonce(seed)
        body = header + cipher.encrypt(nonce, plaintext, at.source.associated_data(header))
        message = body + sign(self._private, *at.source.signed(body))
        self._position = _Position(at.source, at.iteration + 1, following)
        return message

    def to_bytes(self) -> bytes:
        """Private: for the device's own store."""
        return self._position.to_bytes() + self._private.private_bytes_raw()

    @classmethod
    def from_bytes(cls, data: bytes) -> SenderKey:
        """What `to_bytes` wrote. E2EEError: anything else."""
        reader = Reader(data)
        position = _Position.from_reader(reader)
        private = Ed25519PrivateKey.from_private_bytes(reader.take(KEY))
        reader.end()
        return cls(position, private)


class SenderKeyReader:
    """What a device needs to read one sender key of another device. Made by `from_distribution` or `from_bytes`.

    Whoever uses it stores `to_bytes` after every `decrypt`: an older state would read the same message again. For the
    same reason a further distribution of a key that is known (`key_id`) must not replace its reader.
    """

    __slots__ = ("_position", "_stored")

    def __init__(self, position: _Position, stored: dict[int, bytes]) -> None:
        self._position = position
        self._stored = stored

    @classmethod
    def from_distribution(cls, group: bytes, sender: PublicDevice, data: bytes) -> SenderKeyReader:
        """A reader for what `sender` writes to `group` from now on.

        `data` must have come over the pairwise session with `sender`: that says from whom it is, nothing here does.
        E2EEError: malformed, or it speaks of another group or another device.
        """
        reader = Reader(data)
        position = _Position.from_reader(reader)
        reader.end()
        source = position.source
        # A member who passes on another one's distribution as its own would have the other one's messages shown as its
        # own; one that is moved to another group would have them shown there.
        same = hmac.compare_digest(source.sender.to_bytes(), sender.to_bytes())
        if not (hmac.compare_digest(source.group, group) and same):
            raise E2EEError("a sender key is for another group or of another device")
        # Under a key of small order everybody can sign.
        check_signing_key(source.public)
        return cls(position, {})

    @property
    def key_id(self) -> bytes:
        return self._position.source.key_id

    def decrypt(self, message: bytes) -> bytes:
        """The plaintext of a message that has not been read before. E2EEError: anything else; nothing has changed."""
        at = self._position
        if not hmac.compare_digest(key_id_of(message), at.source.key_id):
            raise E2EEError("a group message is under another sender key")
        header, body, signature = message[:_HEADER], message[:-SIGNATURE], message[-SIGNATURE:]
        iteration = int.from_bytes(header[_PREFIX:], "big")
        if iteration < at.iteration and iteration not in self._stored:
            raise E2EEError("a group message was read before, or its key is not kept")
        # Before a single key is derived: else one forged number costs four billion hashes.
        if iteration - at.iteration > MAX_SKIP or iteration == _END:
            raise E2EEError("a group message is too far ahead of those that were read")
        # Before decryption: other members have the keys to encrypt, so that only the signature says who wrote it.
        verify(at.source.public, signature, *at.source.signed(body))
        following, seeds = at.skip_to(iteration + 1)
        stored = self._stored | seeds
        cipher, nonce = _key_and_nonce(stored.pop(iteration))
        try:
            plaintext = cipher.decrypt(nonce, body[_HEADER:], at.source.associated_data(header))
        except InvalidTag:
            raise E2EEError("a group message is not authentic") from None
        # From here on the message is authentic. Its key is gone, so that it is not read twice.
        self._position = following
        self._stored = dict(islice(stored.items(), max(0, len(stored) - MAX_STORED), None))
        return plaintext

    def to_bytes(self) -> bytes:
        """Private: for the device's own store."""
        stored = b"".join(number(iteration, _COUNTER) + seed for iteration, seed in self._stored.items())
        return self._position.to_bytes() + number(len(self._stored)) + stored

    @classmethod
    def from_bytes(cls, data: bytes) -> SenderKeyReader:
        """What `to_bytes` wrote. E2EEError: anything else."""
        reader = Reader(data)
        position, count = _Position.from_reader(reader), reader.number()
        if count > MAX_STORED:
            raise E2EEError("more keys are stored than may be")
        stored = {reader.number(_COUNTER): reader.take(KEY) for _ in range(count)}
        reader.end()
        return cls(position, stored)


@dataclass(frozen=True, slots=True)
class _Source:
    """Which sender key: what every message under it is bound to."""

    group: bytes
    sender: PublicDevice
    key_id: bytes
    public: bytes
    """The Ed25519 key that verifies its messages."""

    def to_bytes(self) -> bytes:
        return blocks(SENDER_KEY_LABEL, self.group, self.sender.to_bytes()) + self.key_id + self.public

    def prefix(self) -> bytes:
        """How its messages begin."""
        return bytes([VERSION, Kind.GROUP]) + self.key_id

    def associated_data(self, header: bytes) -> bytes:
        return blocks(GROUP_LABEL, self.to_bytes(), header)

    def signed(self, body: bytes) -> tuple[bytes, bytes, bytes]:
        """Label and parts: all that stands in front of the signature, the ciphertext included."""
        return GROUP_LABEL, self.to_bytes(), body


@dataclass(frozen=True, slots=True, repr=False)
class _Position:
    """A place in the chain of a sender key: the iteration of the next message, and the chain key for it."""

    source: _Source
    iteration: int
    chain: bytes

    def skip_to(self, iteration: int) -> tuple[_Position, dict[int, bytes]]:
        """The position at `iteration`, or this one if that is not ahead, and the seeds passed on the way."""
        seeds, chain = {}, self.chain
        for passed in range(self.iteration, iteration):
            seeds[passed], chain = step_chain(chain)
        return _Position(self.source, max(iteration, self.iteration), chain), seeds

    def to_bytes(self) -> bytes:
        return bytes([VERSION]) + self.source.to_bytes() + number(self.iteration, _COUNTER) + self.chain

    @classmethod
    def from_reader(cls, reader: Reader) -> _Position:
        if reader.number(1) != VERSION or not hmac.compare_digest(reader.block(), SENDER_KEY_LABEL):
            raise E2EEError("not a sender key of a known version")
        group, sender = reader.block(), PublicDevice.from_bytes(reader.block())
        source = _Source(group, sender, reader.take(_KEY_ID), reader.take(KEY))
        return cls(source, reader.number(_COUNTER), reader.take(KEY))


def _key_and_nonce(seed: bytes) -> tuple[AESGCM, bytes]:
    # Both from a seed that is used once: a nonce drawn or counted besides could repeat when a state is restored.
    both = derive(seed, salt=None, info=SENDER_KEY_LABEL, length=KEY + NONCE)
    return AESGCM(both[:KEY]), both[KEY:]
