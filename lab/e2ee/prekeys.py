"""Pre-keys: what a device leaves at the service so that others can begin a session while it is away.

Implements section 3.2 (publishing keys) of X3DH revision 1 and of PQXDH revision 3, the checks of the bundle from their
section 3.3, and the bookkeeping of the reader from 3.4: one-time keys are deleted when they were used, and a first
message without one is remembered, since nothing else would keep it from being accepted again (X3DH, section 4.2).

Every signature covers a label (its purpose), the device with its number and both identity keys, the id and the key. So
a pre-key cannot be offered under another id, as another kind, or as that of another device. The labels do what the
papers want from EncodeEC and EncodeKEM: no curve key reads as a KEM key. One signature covers the signed pre-key AND
the last-resort KEM key, where PQXDH makes two: they are made, uploaded and replaced together, under one id, and so
cannot be mixed with those from before. One-time X25519 keys are NOT signed, in X3DH and PQXDH as here: a service that
makes one up cannot read what is sent (the other agreements remain), only keep the message from being read.

Left out: when to replace keys and when to upload (there is no clock here: the owner calls `rotate` and `replenish`),
and wiping of private keys from memory, which Python does not offer.

Wire forms, all lengths in bytes:

    signed        version 1 | id 4 | X25519 key 32 | last-resort ML-KEM-1024 key 1568 | signature 64
    one-time      id 4 | X25519 key 32
    one-time KEM  id 4 | ML-KEM-1024 key 1568 | signature 64
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import starmap
from struct import Struct
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab.e2ee.codec import Reader, blocks, number
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.keys import (
    KEM_KEY,
    KEM_SEED,
    KEY,
    SIGNATURE,
    Random,
    check_agreement_key,
    sign,
    verify,
)
from lab.e2ee.protocol import (
    MAX_KEPT_KEYS,
    MAX_REMEMBERED,
    ONE_TIME_KEM_LABEL,
    SIGNED_PRE_KEY_LABEL,
    VERSION,
    E2EEError,
)

if TYPE_CHECKING:
    from lab.e2ee.agreement import FirstHeader

NO_KEY = 0
"""Stands for the id of a key that is not there; ids begin at 1."""

_GENERATIONS = 2
_GENERATION = Struct(f">I{KEY}s{KEM_SEED}s")
_ONE_TIME = Struct(f">I{KEY}s")
_ONE_TIME_KEM = Struct(f">I{KEM_SEED}s")
_REMEMBERED = Struct(f">I{hashlib.sha256().digest_size}s")
_FORMS = (_GENERATION, _ONE_TIME, _ONE_TIME_KEM, _REMEMBERED)
"""The records of the stored state, each with its id in front, in the order in which they stand there."""


@dataclass(frozen=True, slots=True)
class Handed:
    """What the service hands out for one device: the signed part, and one one-time key of each kind if it has any."""

    signed: bytes
    one_time: bytes | None
    one_time_kem: bytes | None


@dataclass(frozen=True, slots=True)
class OneTimeKeys:
    """One-time keys to upload: ids, and the bytes to hand out for them, each to one asker only."""

    one_time: tuple[tuple[int, bytes], ...]
    one_time_kem: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """The public keys of one device that a session can be begun with, verified. Made by `read_bundle` only.

    `kem` is the one-time KEM key if there was one, else the last-resort key, whose id is that of the signed pre-key.
    """

    device: PublicDevice
    signed_id: int
    signed: bytes
    kem_id: int
    kem: bytes
    one_time_id: int
    one_time: bytes | None


@dataclass(frozen=True, slots=True)
class PrivateKeys:
    """The private keys that a first message asks for."""

    signed: X25519PrivateKey
    one_time: X25519PrivateKey | None
    kem: MLKEM1024PrivateKey | None


@dataclass(frozen=True)
class _Generation:
    """A signed pre-key and the last-resort KEM key that goes with it: private key of 32 bytes, seed of 64 bytes."""

    id: int
    agreement: bytes = field(repr=False)
    seed: bytes = field(repr=False)

    @cached_property
    def private(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.agreement)

    @cached_property
    def kem(self) -> MLKEM1024PrivateKey:
        # Takes longer than to decapsulate with it, and every first message without a one-time key needs it.
        return MLKEM1024PrivateKey.from_seed_bytes(self.seed)


@dataclass(frozen=True, slots=True)
class PreKeys:
    """The private side of one device's pre-keys. Never changes: whatever adds or uses up a key returns a new state.

    Private keys stay bytes until one is asked for, so that a key that is only kept costs nothing.
    """

    _owner: PublicDevice
    _generations: tuple[_Generation, ...]
    """The current one, and the one before it: first messages may have been on their way when it was replaced."""
    _one_time: Mapping[int, bytes] = field(repr=False)
    _one_time_kem: Mapping[int, bytes] = field(repr=False)
    _remembered: frozenset[tuple[int, bytes]] = field(repr=False)
    """First messages without a one-time key: the id of their signed pre-key, and SHA-256 over who and what."""
    _next_id: int
    """No id is ever used twice, or for two kinds of keys."""

    @classmethod
    def new(cls, device: DeviceKeys, random: Random) -> PreKeys:
        """A signed pre-key and a last-resort KEM key for `device`; one-time keys come with `replenish`."""
        return cls(device.public, (_generation(1, random),), {}, {}, frozenset(), 2)

    def rotate(self, random: Random) -> PreKeys:
        """A new signed pre-key and last-resort KEM key, to be uploaded with `signed_part`.

        The ones before stay readable until the next rotation. Those before them are gone, and with them what had to be
        remembered against replay: their ids are unknown from now on.
        """
        kept = (_generation(self._next_id, random), self._generations[0])
        remembered = frozenset(each for each in self._remembered if each[0] == kept[1].id)
        return replace(self, _generations=kept, _remembered=remembered, _next_id=self._next_id + 1)

    def signed_part(self, device: DeviceKeys) -> bytes:
        """The signed pre-key and the last-resort KEM key, to upload; 1669 bytes. E2EEError: not this device's."""
        self._check_owner(device)
        current = self._generations[0]
        public = current.private.public_key().public_bytes_raw() + current.kem.public_key().public_bytes_raw()
        return number(VERSION, 1) + _signed(device, SIGNED_PRE_KEY_LABEL, current.id, public)

    def replenish(self, device: DeviceKeys, count: int, random: Random) -> tuple[PreKeys, OneTimeKeys]:
        """`count` new one-time keys of each kind, to upload; draws 96 bytes for each pair.

        Of those kept, the oldest beyond MAX_KEPT_KEYS are dropped. E2EEError: not this device's, or `count` is more
        than MAX_KEPT_KEYS.
        """
        self._check_owner(device)
        if not 0 <= count <= MAX_KEPT_KEYS:
            raise E2EEError("that many one-time keys are never kept")
        middle, end = self._next_id + count, self._next_id + 2 * count
        one_time = {id_: random(KEY) for id_ in range(self._next_id, middle)}
        one_time_kem = {id_: random(KEM_SEED) for id_ in range(middle, end)}
        kept = replace(
            self,
            _one_time=_newest(self._one_time, one_time),
            _one_time_kem=_newest(self._one_time_kem, one_time_kem),
            _next_id=end,
        )
        return kept, OneTimeKeys(
            tuple((id_, number(id_) + _public(key)) for id_, key in one_time.items()),
            tuple(
                (id_, _signed(device, ONE_TIME_KEM_LABEL, id_, _public_kem(seed))) for id_, seed in one_time_kem.items()
            ),
        )

    def private_keys(self, device: DeviceKeys, peer: PublicDevice, header: FirstHeader) -> PrivateKeys:
        """The private keys that `peer` used in a first message.

        E2EEError: there is no such key, since it never was, was used up or replaced; or the message came before; or
        so many without a one-time key have come that no more can be remembered; or not this device's.
        """
        self._check_owner(device)
        generation = self._check_first(peer, header)
        one_time = None
        if header.one_time_id != NO_KEY:
            one_time = X25519PrivateKey.from_private_bytes(self._one_time[header.one_time_id])
        kem = None
        if header.kem_id == generation.id:
            kem = generation.kem
        elif header.kem_id != NO_KEY:
            kem = MLKEM1024PrivateKey.from_seed_bytes(self._one_time_kem[header.kem_id])
        return PrivateKeys(generation.private, one_time, kem)

    def used(self, peer: PublicDevice, header: FirstHeader) -> PreKeys:
        """The state after a first message of `peer` with `header` was authenticated; not before.

        E2EEError: as in `private_keys`; a second call for the same message is refused.
        """
        self._check_first(peer, header)
        if _leaves_no_trace(header):
            return replace(self, _remembered=self._remembered | {_memory(peer, header)})
        return replace(
            self,
            _one_time=_without(self._one_time, header.one_time_id),
            _one_time_kem=_without(self._one_time_kem, header.kem_id),
        )

    def to_bytes(self) -> bytes:
        """Private: for the device's own store, never for the wire."""
        generations = b"".join(_GENERATION.pack(each.id, each.agreement, each.seed) for each in self._generations)
        return (
            number(VERSION, 1)
            + self._owner.to_bytes()
            + number(self._next_id)
            + blocks(
                generations,
                b"".join(map(_ONE_TIME.pack, self._one_time.keys(), self._one_time.values())),
                b"".join(map(_ONE_TIME_KEM.pack, self._one_time_kem.keys(), self._one_time_kem.values())),
                b"".join(starmap(_REMEMBERED.pack, sorted(self._remembered))),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> PreKeys:
        """What `to_bytes` wrote. E2EEError: anything else."""
        reader = Reader(data)
        if reader.number(1) != VERSION:
            raise E2EEError("these pre-keys are of no known version")
        owner, next_id = PublicDevice.from_reader(reader), reader.number()
        generations, *rest = (_records(form, reader.block()) for form in _FORMS)
        one_time, one_time_kem, remembered = rest
        reader.end()
        ids = [record[0] for records in (generations, one_time, one_time_kem) for record in records]
        # Ascending, or for generations the newest first: each record once, so that one state has one form.
        ordered = all(records == sorted(set(records)) for records in rest) and generations == sorted(generations)[::-1]
        if not (
            ordered
            and 1 <= len(generations) <= _GENERATIONS
            and len(set(ids)) == len(ids)
            and NO_KEY < min(ids) <= max(ids) < next_id
            and max(len(one_time), len(one_time_kem)) <= MAX_KEPT_KEYS
            and len(remembered) <= MAX_REMEMBERED
        ):
            raise E2EEError("these pre-keys are damaged")
        kept = tuple(starmap(_Generation, generations))
        return cls(owner, kept, dict(one_time), dict(one_time_kem), frozenset(remembered), next_id)

    def _check_owner(self, device: DeviceKeys) -> None:
        if device.public != self._owner:
            raise E2EEError("these pre-keys are those of another device")

    def _check_first(self, peer: PublicDevice, header: FirstHeader) -> _Generation:
        """E2EEError unless all keys that `header` names are here, and a message without one-time keys is a new one."""
        generation = next((each for each in self._generations if each.id == header.signed_id), None)
        if generation is None:
            raise E2EEError("a signed pre-key is unknown or was replaced")
        if header.one_time_id != NO_KEY and header.one_time_id not in self._one_time:
            raise E2EEError("a one-time pre-key is unknown or was used before")
        if header.kem_id not in (NO_KEY, generation.id) and header.kem_id not in self._one_time_kem:
            raise E2EEError("a one-time KEM pre-key is unknown or was used before")
        if _leaves_no_trace(header):
            self._check_replay(peer, header)
        return generation

    def _check_replay(self, peer: PublicDevice, header: FirstHeader) -> None:
        if _memory(peer, header) in self._remembered:
            raise E2EEError("a first message has come again")
        # Forgetting the oldest would let it in again; refusing only asks for a rotation, or for one-time keys.
        if len(self._remembered) >= MAX_REMEMBERED:
            raise E2EEError("too many first messages have come without a one-time key")


def read_bundle(device: PublicDevice, handed: Handed) -> Bundle:
    """What was handed out for `device`, verified. E2EEError: a signature, length, id or key is not right.

    `device` comes from the signed device list, never from the service's answer: its signing key is what makes the rest
    trustworthy. A last-resort key is verified even if it is not needed.
    """
    reader = Reader(handed.signed)
    if reader.number(1) != VERSION:
        raise E2EEError("pre-keys are of no known version")
    signed_id, keys = _verified(device, reader, SIGNED_PRE_KEY_LABEL, KEY + KEM_KEY)
    signed, kem_id, kem = keys[:KEY], signed_id, keys[KEY:]
    check_agreement_key(signed)
    if handed.one_time_kem is not None:
        kem_id, kem = _verified(device, Reader(handed.one_time_kem), ONE_TIME_KEM_LABEL, KEM_KEY)
    one_time_id, one_time = NO_KEY, None
    if handed.one_time is not None:
        reader = Reader(handed.one_time)
        one_time_id, one_time = _id(reader), reader.take(KEY)
        reader.end()
        check_agreement_key(one_time)
    return Bundle(device, signed_id, signed, kem_id, kem, one_time_id, one_time)


def _generation(id_: int, random: Random) -> _Generation:
    return _Generation(id_, random(KEY), random(KEM_SEED))


def _public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _public_kem(seed: bytes) -> bytes:
    return MLKEM1024PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def _signed(device: DeviceKeys, label: bytes, id_: int, keys: bytes) -> bytes:
    return number(id_) + keys + sign(device.signing, label, device.public.to_bytes(), number(id_), keys)


def _verified(device: PublicDevice, reader: Reader, label: bytes, size: int) -> tuple[int, bytes]:
    """The id and the `size` bytes of keys that `reader` ends with, if `device` signed them for the use in `label`."""
    id_, keys, signature = _id(reader), reader.take(size), reader.take(SIGNATURE)
    reader.end()
    verify(device.signing, signature, label, device.to_bytes(), number(id_), keys)
    return id_, keys


def _id(reader: Reader) -> int:
    id_ = reader.number()
    if id_ == NO_KEY:
        raise E2EEError("a pre-key has no id")
    return id_


def _leaves_no_trace(header: FirstHeader) -> bool:
    """True if no one-time key of either kind was used: none is deleted then, and a replay would find all keys."""
    return header.one_time_id == NO_KEY and header.kem_id in (NO_KEY, header.signed_id)


def _memory(peer: PublicDevice, header: FirstHeader) -> tuple[int, bytes]:
    return header.signed_id, hashlib.sha256(peer.identity + header.ephemeral).digest()


def _newest(old: Mapping[int, bytes], new: Mapping[int, bytes]) -> dict[int, bytes]:
    """Old and new keys, by ascending id; the oldest ones beyond MAX_KEPT_KEYS are left out."""
    return dict([*old.items(), *new.items()][-MAX_KEPT_KEYS:])


def _without(keys: Mapping[int, bytes], id_: int) -> Mapping[int, bytes]:
    return {other: key for other, key in keys.items() if other != id_} if id_ in keys else keys


def _records(form: Struct, data: bytes) -> list[tuple[Any, ...]]:
    if len(data) % form.size:
        raise E2EEError("these pre-keys are damaged")
    return list(form.iter_unpack(data))
