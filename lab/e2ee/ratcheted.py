"""The engine of deployed messengers: PQXDH or X3DH, Double Ratchet, sender keys. See `session` and `groups`."""

from __future__ import annotations

from lab.e2ee import session as sessions
from lab.e2ee.codec import Reader, blocks
from lab.e2ee.engine import Opened, Published, Read, Sealed
from lab.e2ee.groups import SenderKey, SenderKeyReader, key_id_of
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.keys import Random
from lab.e2ee.prekeys import Handed, PreKeys, read_bundle
from lab.e2ee.protocol import Suite
from lab.e2ee.session import Sessions


class Ratcheted:
    """An `Engine`. Whoever begins a session does so with `suite`; sessions of the other one are read as well."""

    def __init__(self, suite: Suite, random: Random) -> None:
        self._suite = suite
        self._random = random
        self._groups = SenderKeys(random)

    @property
    def groups(self) -> SenderKeys:
        return self._groups

    def create(self, account: str, number: int) -> bytes:
        keys = DeviceKeys.new(account, number, self._random)
        return _pack(keys, PreKeys.new(keys, self._random))

    def public(self, device: bytes) -> PublicDevice:
        return _unpack(device)[0].public

    def publish(self, device: bytes, one_time: int) -> Published:
        keys, prekeys = _unpack(device)
        prekeys, fresh = prekeys.replenish(keys, one_time, self._random)
        return Published(_pack(keys, prekeys), prekeys.signed_part(keys), fresh)

    def begin(self, device: bytes, session: bytes | None, peer: PublicDevice, handed: Handed) -> bytes:
        keys, _ = _unpack(device)
        bundle = read_bundle(peer, handed)
        return sessions.begin(keys, bundle, self._suite, self._random, _sessions(session)).to_bytes()

    def seal(self, device: bytes, session: bytes, plaintext: bytes) -> Sealed:
        state = Sessions.from_bytes(session)
        envelope = state.encrypt(plaintext, self._random)
        return Sealed(state.to_bytes(), envelope)

    def open(self, device: bytes, session: bytes | None, peer: PublicDevice, envelope: bytes) -> Opened:
        keys, prekeys = _unpack(device)
        opened = sessions.open_envelope(_sessions(session), keys, prekeys, peer, envelope)
        return Opened(_pack(keys, opened.prekeys), opened.sessions.to_bytes(), opened.plaintext)

    def overhear(self, device: bytes, session: bytes) -> bytes | None:
        overheard = Sessions.from_bytes(session).overheard(_unpack(device)[0].public)
        return None if overheard is None else overheard.to_bytes()


class SenderKeys:
    """A `GroupEngine`."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def create(self, device: bytes, group: bytes) -> bytes:
        return SenderKey.new(group, _unpack(device)[0].public, self._random).to_bytes()

    def distribution(self, sender_key: bytes) -> bytes:
        return SenderKey.from_bytes(sender_key).distribution()

    def seal(self, sender_key: bytes, plaintext: bytes) -> Sealed:
        key = SenderKey.from_bytes(sender_key)
        message = key.encrypt(plaintext)
        return Sealed(key.to_bytes(), message)

    def learn(self, group: bytes, sender: PublicDevice, distribution: bytes) -> bytes:
        return SenderKeyReader.from_distribution(group, sender, distribution).to_bytes()

    def key_id(self, message: bytes) -> bytes:
        return key_id_of(message)

    def reader_id(self, reader: bytes) -> bytes:
        return SenderKeyReader.from_bytes(reader).key_id

    def open(self, reader: bytes, message: bytes) -> Read:
        state = SenderKeyReader.from_bytes(reader)
        plaintext = state.decrypt(message)
        return Read(state.to_bytes(), plaintext)


def _pack(keys: DeviceKeys, prekeys: PreKeys) -> bytes:
    return blocks(keys.to_bytes(), prekeys.to_bytes())


def _unpack(device: bytes) -> tuple[DeviceKeys, PreKeys]:
    reader = Reader(device)
    keys, prekeys = DeviceKeys.from_bytes(reader.block()), PreKeys.from_bytes(reader.block())
    reader.end()
    return keys, prekeys


def _sessions(session: bytes | None) -> Sessions | None:
    return None if session is None else Sessions.from_bytes(session)
