"""The seam between a device and its cryptography. Whatever stands behind it, observers should see the same.

An engine keeps nothing: every state goes in as bytes and comes out as bytes, so that the device store can write the
state and what it belongs to in one transaction. All states are private to the device. Each method gives the new state
beside its result and changes nothing by itself, so a step that is not stored has not happened.

E2EEError comes out of each method for anything that was received and is wrong, and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from lab.e2ee.identity import PublicDevice
from lab.e2ee.prekeys import Handed, OneTimeKeys


@dataclass(frozen=True, slots=True)
class Published:
    """What a device uploads: the part that stays, and fresh one-time keys. `device` is its state after that."""

    device: bytes = field(repr=False)
    signed: bytes
    one_time: OneTimeKeys


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message for the wire, and the state (of the session, or of the sender key) to store before it leaves."""

    state: bytes = field(repr=False)
    message: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that was read, and the states to store before anybody sees it.

    `session` is empty where there are no sessions to begin with: then the next `seal` needs a `begin` before it.
    """

    device: bytes = field(repr=False)
    session: bytes = field(repr=False)
    plaintext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """A group message that was read, and the reader's state to store before anybody sees it."""

    reader: bytes = field(repr=False)
    plaintext: bytes = field(repr=False)


class Engine(Protocol):
    """Encryption between pairs of devices."""

    @property
    def groups(self) -> GroupEngine | None:
        """Encryption for all members of a group at once; None where every message is sealed for each device."""

    def create(self, account: str, number: int) -> bytes:
        """The state of a new device."""

    def public(self, device: bytes) -> PublicDevice:
        """What a device list says about it."""

    def publish(self, device: bytes, one_time: int) -> Published:
        """Keys to upload, with `one_time` fresh one-time keys of each kind."""

    def begin(self, device: bytes, session: bytes | None, peer: PublicDevice, handed: Handed) -> bytes:
        """A session to write in with `peer`, from what the service handed out; `session` is the state so far."""

    def seal(self, device: bytes, session: bytes, plaintext: bytes) -> Sealed:
        """An envelope for the other device of `session`."""

    def open(self, device: bytes, session: bytes | None, peer: PublicDevice, envelope: bytes) -> Opened:
        """What `peer` sealed; `session` is the state so far, None before the first envelope."""

    def overhear(self, device: bytes, session: bytes) -> bytes | None:
        """For a thief with a copy of the device: a session that opens what the device's owner seals in `session` from
        here on, as far as that can be done; None where it cannot."""


class GroupEngine(Protocol):
    """Sender keys: each device writes to a group under a key of its own, which it hands to all others in pairs."""

    def create(self, device: bytes, group: bytes) -> bytes:
        """The state of a new sender key of `device` for the group with this id."""

    def distribution(self, sender_key: bytes) -> bytes:
        """What lets its holder read everything from the next message on: to be sealed for each other device."""

    def seal(self, sender_key: bytes, plaintext: bytes) -> Sealed:
        """One message for everybody who has the distribution."""

    def learn(self, group: bytes, sender: PublicDevice, distribution: bytes) -> bytes:
        """The reader for a distribution that came over the session with `sender`."""

    def key_id(self, message: bytes) -> bytes:
        """Which sender key a message claims to be under; nothing is authenticated by that."""

    def reader_id(self, reader: bytes) -> bytes:
        """Which sender key `reader` reads."""

    def open(self, reader: bytes, message: bytes) -> Read:
        """What the sender wrote to the group."""
