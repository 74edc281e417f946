"""The Double Ratchet: every message has a key of its own, and every answer brings new secrets into the session.

Implements Signal's "The Double Ratchet Algorithm", revision 1 (and what revision 4 says of the same algorithm): the
state machine of sections 3.1 to 3.5, the chains of 5.2 (HMAC-SHA256 with the constants 1 and 2, HKDF-SHA256 for the
root), and the later making of ratchet keys of 6.5: a key pair is drawn when something is sent, not when something was
received, so that a stolen state holds no key for what its owner is yet to say.

Left out: header encryption (section 4; whoever carries the messages sees ratchet keys and counters, and so which
messages belong together and how many are missing), the post-quantum ratchet of revision 4 (a session begun with PQXDH
resists a quantum computer as long as its state is not stolen; afterwards only X25519 heals it), the deletion of skipped
keys after some time (6.4: there is no clock here, only MAX_STORED), and wiping of keys from memory.

Wire form, lengths in bytes:

    message       ratchet key 32 | previous 4 | number 4 | AES-256-GCM ciphertext and tag 16
    authenticated by the tag: associated data of the session, as a block | the 40 bytes in front of the ciphertext
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from struct import Struct
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from lab.e2ee.codec import Reader, block, number
from lab.e2ee.keys import KEY, Random, agree, derive, new_agreement_key
from lab.e2ee.protocol import MAX_SKIP, MAX_STORED, MESSAGE_LABEL, ROOT_LABEL, VERSION, E2EEError

NONCE = 12
TAG = 16

_HEADER = Struct(f">{KEY}sII")
OVERHEAD = _HEADER.size + TAG
"""A message of `LabForm` is this many bytes longer than its plaintext."""
_OPTIONAL = Struct(f">?{KEY}s")
_COUNTS = Struct(">IIII")
_SKIPPED = Struct(f">{KEY}sI{KEY}s")


class Header(NamedTuple):
    """What a reader must know before it can decrypt; authenticated, not secret."""

    key: bytes
    """The sender's ratchet key, 32 bytes."""
    previous: int
    """How many messages the sender's chain before this one had."""
    number: int
    """The message's place in its chain, from 0."""


class Form(Protocol):
    """What a messenger decides for itself: the label of the root chain, and how a message is written and sealed.

    `seed` is the 32-byte message key of the specification. It belongs to one message alone.
    """

    @property
    def root_label(self) -> bytes:
        """The `info` of the root chain's HKDF."""

    def seal(self, seed: bytes, header: Header, plaintext: bytes, associated_data: bytes) -> bytes:
        """The message, header included."""

    def read(self, message: bytes) -> Header:
        """The header, not authenticated. E2EEError: not a message of this form."""

    def open(self, seed: bytes, message: bytes, associated_data: bytes) -> bytes:
        """The plaintext. E2EEError: header, ciphertext and associated data are not as they were sealed."""


class LabForm:
    """The wire form above."""

    root_label = ROOT_LABEL

    def seal(self, seed: bytes, header: Header, plaintext: bytes, associated_data: bytes) -> bytes:
        head = _HEADER.pack(*header)
        key, nonce = _key_and_nonce(seed)
        return head + key.encrypt(nonce, plaintext, block(associated_data) + head)

    def read(self, message: bytes) -> Header:
        if len(message) < OVERHEAD:
            raise E2EEError("a message is cut short")
        return Header._make(_HEADER.unpack_from(message))

    def open(self, seed: bytes, message: bytes, associated_data: bytes) -> bytes:
        key, nonce = _key_and_nonce(seed)
        head, sealed = message[: _HEADER.size], message[_HEADER.size :]
        try:
            return key.decrypt(nonce, sealed, block(associated_data) + head)
        except InvalidTag:
            raise E2EEError("a message is not authentic") from None


LAB_FORM = LabForm()


def step_chain(chain: bytes) -> tuple[bytes, bytes]:
    """The seed of the next message and the chain key after it, 32 bytes each; neither leads back to `chain`."""
    return _hmac(chain, b"\x01"), _hmac(chain, b"\x02")


@dataclass(slots=True, eq=False, repr=False)
class Ratchet:
    """One side of one session. Made by `initiator`, `responder` or `from_bytes`.

    Whoever uses it stores `to_bytes` before a message that `encrypt` made leaves the device: an older state would seal
    another message with the same key and nonce. A failed `decrypt` changes nothing.
    """

    _root: bytes
    _associated_data: bytes
    _form: Form
    _own: X25519PrivateKey | None = None
    """The private key that the other side's next ratchet key belongs to; None from the moment when it was used."""
    _own_public: bytes = b""
    """What it says in the headers of the sending chain; empty if there is none."""
    _their: bytes | None = None
    _sending: bytes | None = None
    """A chain key. None: the next message to be sent begins a new chain."""
    _sent: int = 0
    _previous: int = 0
    _receiving: bytes | None = None
    _received: int = 0
    """The number of the next message in the receiving chain."""
    _skipped: Mapping[tuple[bytes, int], bytes] = field(default_factory=dict)
    """Seeds by ratchet key and number, oldest first. Never changed in place: a `copy` shares it."""

    @classmethod
    def initiator(cls, secret: bytes, their_key: bytes, associated_data: bytes, form: Form = LAB_FORM) -> Ratchet:
        """For the side that speaks first. `secret` (32 bytes) is both sides' alone, `their_key` the other side's first
        ratchet key (32 bytes), and `associated_data` the same for both sides."""
        return cls(secret, associated_data, form, _their=their_key)

    @classmethod
    def responder(
        cls, secret: bytes, own_key: X25519PrivateKey, associated_data: bytes, form: Form = LAB_FORM
    ) -> Ratchet:
        """For the side that is spoken to; `own_key` belongs to what the initiator was given as `their_key`."""
        return cls(secret, associated_data, form, own_key)

    def copy(self) -> Ratchet:
        """An independent ratchet in the same state. Only one of the two may ever encrypt."""
        return replace(self)

    def encrypt(self, plaintext: bytes, random: Random) -> bytes:
        """A message with `plaintext`, OVERHEAD bytes longer.

        Draws 32 bytes if it is the first one after a received one. E2EEError: a responder has received nothing yet, and
        so has nobody to write to.
        """
        chain = self._begin_sending(random) if self._sending is None else self._sending
        seed, following = step_chain(chain)
        header = Header(self._own_public, self._previous, self._sent)
        message = self._form.seal(seed, header, plaintext, self._associated_data)
        self._sending = following
        self._sent += 1
        return message

    def decrypt(self, message: bytes) -> bytes:
        """The plaintext of a message that has not been read before. E2EEError: anything else; nothing has changed."""
        header = self._form.read(message)
        place = header.key, header.number
        seed = self._skipped.get(place)
        if seed is not None:
            plaintext = self._form.open(seed, message, self._associated_data)
            # The key is gone once it was used, so that the same message is not read twice.
            self._skipped = _without(self._skipped, place)
            return plaintext
        root, chain, first = self._root, self._receiving, self._received
        if new_chain := chain is None or header.key != self._their:
            root, chain = self._root_step(self._own, header.key)
            first = 0
        if header.number < first:
            raise E2EEError("a message was read before, or its key is no longer kept")
        # Before a single key is derived: else one forged number costs four billion hashes.
        if header.number - first > MAX_SKIP:
            raise E2EEError("a message is too far ahead of those that were read")
        seeds, chain = _seeds(chain, header.number - first + 1)
        plaintext = self._form.open(seeds[-1], message, self._associated_data)
        # From here on the message is authentic, and so is what its header says.
        skipped = _places(header.key, first, seeds[:-1])
        if new_chain:
            skipped = self._rest_of_chain(header.previous) | skipped
            self._root, self._their = root, header.key
            self._own = self._sending = None
        self._receiving, self._received = chain, header.number + 1
        self._keep(skipped)
        return plaintext

    def overheard(self) -> Ratchet | None:
        """What somebody who has copied this state can make of it to read what its owner sends: the rest of the sending
        chain. None if there is none, since the owner's next message is then under a key that is not drawn yet.

        No message needs it. It is here to show how far a stolen state reaches.
        """
        if self._sending is None:
            return None
        return Ratchet(
            self._root,
            self._associated_data,
            self._form,
            _their=self._own_public,
            _receiving=self._sending,
            _received=self._sent,
        )

    def _begin_sending(self, random: Random) -> bytes:
        if self._their is None:
            raise E2EEError("nothing can be sent in a session before something was received")
        own = new_agreement_key(random)
        self._root, chain = self._root_step(own, self._their)
        self._own, self._own_public = own, own.public_key().public_bytes_raw()
        self._previous, self._sent = self._sent, 0
        return chain

    def _root_step(self, own: X25519PrivateKey | None, their: bytes) -> tuple[bytes, bytes]:
        """The next root key, and the key of a chain between these two ratchet keys."""
        # The other side makes a new ratchet key only after it has seen one that it does not know yet.
        if own is None:
            raise E2EEError("a message has a ratchet key that cannot be")
        both = derive(agree(own, their), salt=self._root, info=self._form.root_label, length=2 * KEY)
        return both[:KEY], both[KEY:]

    def _rest_of_chain(self, length: int) -> dict[tuple[bytes, int], bytes]:
        """The keys of the receiving chain that is about to be replaced, for messages still on their way.

        No more than MAX_SKIP of them: what is further ahead would have been refused in that chain, too. A lost flood of
        messages costs those messages, never the session.
        """
        if self._their is None or self._receiving is None:
            return {}
        seeds, _ = _seeds(self._receiving, min(length - self._received, MAX_SKIP))
        return _places(self._their, self._received, seeds)

    def _keep(self, skipped: dict[tuple[bytes, int], bytes]) -> None:
        if skipped:
            # The oldest ones go: keys for messages that never come must not add up (nor lie around for a thief).
            together = {**self._skipped, **skipped}
            self._skipped = dict(islice(together.items(), max(0, len(together) - MAX_STORED), None))

    def to_bytes(self) -> bytes:
        """The whole state: private, for the device's own store. Without the form, which is code."""
        own = None if self._own is None else self._own.private_bytes_raw()
        keys = (_pack_optional(key) for key in (own, self._their, self._sending, self._receiving))
        counts = _COUNTS.pack(self._sent, self._previous, self._received, len(self._skipped))
        skipped = (_SKIPPED.pack(*place, seed) for place, seed in self._skipped.items())
        head = number(VERSION, 1) + block(self._associated_data) + self._root
        return b"".join((head, *keys, counts, *skipped))

    @classmethod
    def from_bytes(cls, data: bytes, form: Form = LAB_FORM) -> Ratchet:
        """What `to_bytes` wrote. E2EEError: anything else."""
        reader = Reader(data)
        if reader.number(1) != VERSION:
            raise E2EEError("a session is of another version")
        associated_data, root = reader.block(), reader.take(KEY)
        own, their, sending, receiving = (_read_optional(reader) for _ in range(4))
        sent, previous, received, count = _COUNTS.unpack(reader.take(_COUNTS.size))
        skipped = dict(_read_skipped(reader.take(_SKIPPED.size)) for _ in range(count))
        reader.end()
        private = None if own is None else X25519PrivateKey.from_private_bytes(own)
        public = b"" if private is None or sending is None else private.public_key().public_bytes_raw()
        chains = sending, sent, previous, receiving, received
        return cls(root, associated_data, form, private, public, their, *chains, skipped)


def _hmac(key: bytes, data: bytes) -> bytes:
    code = HMAC(key, SHA256())
    code.update(data)
    return code.finalize()


def _key_and_nonce(seed: bytes) -> tuple[AESGCM, bytes]:
    # Both from a seed that is used once: a nonce drawn or counted besides could repeat when a state is restored.
    both = derive(seed, salt=None, info=MESSAGE_LABEL, length=KEY + NONCE)
    return AESGCM(both[:KEY]), both[KEY:]


def _seeds(chain: bytes, count: int) -> tuple[list[bytes], bytes]:
    """The next `count` seeds of a chain (none if that is negative), and the chain key after them."""
    seeds = []
    for _ in range(count):
        seed, chain = step_chain(chain)
        seeds.append(seed)
    return seeds, chain


def _places(key: bytes, first: int, seeds: list[bytes]) -> dict[tuple[bytes, int], bytes]:
    return {(key, at): seed for at, seed in enumerate(seeds, first)}


def _without(skipped: Mapping[tuple[bytes, int], bytes], place: tuple[bytes, int]) -> dict[tuple[bytes, int], bytes]:
    kept = dict(skipped)
    del kept[place]
    return kept


def _pack_optional(key: bytes | None) -> bytes:
    return _OPTIONAL.pack(key is not None, key or b"")


def _read_optional(reader: Reader) -> bytes | None:
    there, key = _OPTIONAL.unpack(reader.take(_OPTIONAL.size))
    return key if there else None


def _read_skipped(data: bytes) -> tuple[tuple[bytes, int], bytes]:
    key, at, seed = _SKIPPED.unpack(data)
    return (key, at), seed
