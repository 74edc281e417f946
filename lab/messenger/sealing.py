"""Messages into envelopes and back: sessions with every device of every member, sender keys in groups.

What is sealed is JSON: {"conversation": id, ...} with the fields of the content, or with {"sender_key": base64} where a
group key is handed on. Who looks at the service's log of keys adds what they have seen of it. The conversation inside
must be the one that the message came in, or else the service could show what was written to one group in another one.

Two people write to each other's devices one by one, and to their own other devices. In a group each device writes
under a sender key of its own, if the engine has such keys: one ciphertext for all, and the key itself, sealed in pairs,
for those devices that do not have it yet. The key is made anew as soon as a device that has it is not among those
written to any more; whoever comes later gets the chain as it stands.

Nothing here is stored or sent: the changes are for the caller, to be stored with the message they belong to.

Left out: asking again for a sender key that was lost on the way (what is under it stays unreadable until a new one is
made), and an agreed list of members: those whom the sender writes to can read, nobody else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.e2ee.codec import Reader, blocks, number
from lab.e2ee.device import DeviceState
from lab.e2ee.engine import Engine
from lab.e2ee.identity import PublicDevice
from lab.e2ee.padding import pad, unpad
from lab.e2ee.prekeys import Handed
from lab.e2ee.protocol import MAX_READERS, E2EEError
from lab.messenger.contacts import Contacts, NoKeysError
from lab.messenger.content import dump
from lab.messenger.log_view import LogView
from lab.messenger.operations import Arrived, Operations, addresses, encode
from lab.messenger.own import OwnDevice
from lab.messenger.store import Changes, DeviceStore, Table
from lab.messenger.wire import WireError


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What a message says, and what to store with it. `used_up`: a one-time key was."""

    fields: dict[str, Any]
    changes: Changes
    used_up: bool


@dataclass(frozen=True, slots=True)
class _SenderKey:
    """The device's own key for one conversation, and the devices that were given it."""

    state: bytes
    holders: frozenset[PublicDevice] = frozenset()

    def to_bytes(self) -> bytes:
        return _pack([self.state, *sorted(device.to_bytes() for device in self.holders)])

    @classmethod
    def from_bytes(cls, data: bytes) -> _SenderKey:
        state, *holders = _unpack(data)
        return cls(state, frozenset(map(PublicDevice.from_bytes, holders)))


class Sealing:
    """Encryption with `engine` for the device `own`.

    E2EEError comes out of every method, IdentityChangedError and NoKeysError among them, and where the service is asked
    WireError.
    """

    def __init__(
        self,
        engine: Engine,
        store: DeviceStore,
        operations: Operations,
        contacts: Contacts,
        own: OwnDevice,
        log: LogView | None,
        *,
        padded: bool,
    ) -> None:
        self._engine = engine
        self._groups = engine.groups
        self._store = store
        self._operations = operations
        self._contacts = contacts
        self._own = own
        self._log = log
        self._padded = padded

    def seal(
        self, conversation: str, recipients: Sequence[str], fields: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Changes]:
        """What to post so that `recipients`, and this account's other devices, can read `fields`."""
        for account in recipients:
            self._contacts.check(account)
        try:
            return self._seal(conversation, recipients, fields)
        except WireError as error:
            if error.status != 404:
                raise
            # Somebody may have removed a device that keys were asked for.
            for account in (*recipients, self._own.account):
                self._refresh(account)
            return self._seal(conversation, recipients, fields)

    def correct(self, error: WireError, recipients: Sequence[str]) -> None:
        """Learn what is said to be wrong with the addresses of a message. WireError: it cannot be put right.

        The service only says where to look: which devices there are is in the lists that their accounts have signed,
        and who the recipients are is for the sender to know. So it cannot add a reader of its own.
        """
        missing, stale = addresses(error.problem, "missing"), addresses(error.problem, "stale")
        if not missing and not stale:
            raise error
        for account in dict.fromkeys(account for account, _ in (*missing, *stale)):
            if account not in (*recipients, self._own.account):
                raise _hopeless(f"{account} is a member of the conversation as well, to whom this was not written")
            listed = {device.device for device in self._contacts.refresh(account).devices}
            if not listed.issuperset(device for name, device in missing if name == account):
                raise _hopeless(f"the service wants a message for a device of {account} that is not in its device list")
            if not listed.isdisjoint(device for name, device in stale if name == account):
                raise _hopeless(f"{account} is not a member of the conversation any more")

    def open(self, arrived: Arrived) -> Unsealed:
        """What a message says, if it is authentic."""
        if any(part is not None for part in arrived.plain.values()):
            raise E2EEError("a message has come that was not sealed")
        if arrived.device is None:
            raise E2EEError("a message has come from no device")
        sender = self._sender(arrived.sender, arrived.device)
        try:
            unsealed = self._open(arrived, sender)
        except E2EEError:
            # The reason may be that it is from somebody with new keys: then that is what its reader has to know.
            self._contacts.check_identity(arrived.sender)
            raise
        if self._log is not None:
            self._log.hear(arrived.sender, unsealed.fields, unsealed.changes)
        return unsealed

    def start_group(self, conversation: str) -> None:
        """Write to this conversation under a sender key, even while it has no more than two members."""
        if self._groups is not None:
            self._renew(conversation)

    def renew(self, conversation: str) -> None:
        """Make the sender key of a conversation anew, if there is one: nobody has the new one yet."""
        if self._store.get(Table.SENDER_KEYS, conversation) is not None:
            self._renew(conversation)

    def keep_members(self, conversation: str, members: Iterable[str]) -> None:
        """Renew the sender key, if somebody has it who is not among `members` (nor this account)."""
        key = self._sender_key(conversation)
        if key is not None and not {device.account for device in key.holders} <= {*members, self._own.account}:
            self._renew(conversation)

    def copy(self) -> DeviceState:
        """All keys of this device."""
        rows = self._store.rows
        return DeviceState(
            self._own.account,
            self._own.number,
            self._own.account_key.private_bytes_raw(),
            self._own.state,
            {account: contact.devices for account, contact in self._contacts.all().items()},
            {(account, int(device)): state for (account, device), state in rows(Table.SESSIONS)},
            {conversation: _SenderKey.from_bytes(data).state for (conversation,), data in rows(Table.SENDER_KEYS)},
            {
                (conversation, account, int(device)): tuple(_unpack(data))
                for (conversation, account, device), data in rows(Table.READERS)
            },
        )

    def _seal(
        self, conversation: str, recipients: Sequence[str], fields: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Changes]:
        changes = Changes()
        handed: dict[PublicDevice, Handed] = {}
        devices = self._addressed(recipients, handed)
        body: dict[str, Any] = {"device": self._own.number}
        seen = {} if self._log is None else self._log.gossip()
        plaintext = self._dump(conversation, {**fields, **seen})
        if self._groups is None or not self._is_group(conversation, recipients):
            envelopes = self._envelopes(devices, plaintext, handed, changes)
        else:
            key = self._sender_key(conversation)
            if key is None or not key.holders <= devices:
                key = _SenderKey(self._groups.create(self._own.state, conversation.encode()))
            bring = self._dump(conversation, {"sender_key": encode(self._groups.distribution(key.state))})
            envelopes = self._envelopes(devices - key.holders, bring, handed, changes)
            sealed = self._groups.seal(key.state, plaintext)
            changes.put(Table.SENDER_KEYS, conversation, value=_SenderKey(sealed.state, devices).to_bytes())
            body["shared"] = encode(sealed.message)
        body["envelopes"] = [
            {"recipient": device.account, "device": device.device, "data": envelopes.get(device)}
            for device in sorted(devices, key=lambda device: (device.account, device.device))
        ]
        return body, changes

    def _is_group(self, conversation: str, recipients: Sequence[str]) -> bool:
        return len(recipients) > 1 or self._store.get(Table.SENDER_KEYS, conversation) is not None

    def _addressed(self, recipients: Sequence[str], handed: dict[PublicDevice, Handed]) -> frozenset[PublicDevice]:
        """All devices that a message to `recipients` is for. Keys of those met just now are put into `handed`."""
        own = self._own.public
        found = {device for device in self._own.devices.devices if device != own}
        for account in recipients:
            known = self._contacts.trusted(account)
            if known is None:
                data, keys = self._operations.hand_out(account, None)
                known = self._contacts.learn(account, data)
                handed |= {device: keys[device.device] for device in known.devices if device.device in keys}
            found.update(known.devices)
        return frozenset(found)

    def _envelopes(
        self,
        devices: frozenset[PublicDevice],
        plaintext: bytes,
        handed: dict[PublicDevice, Handed],
        changes: Changes,
    ) -> dict[PublicDevice, str]:
        """An envelope, in base64, for each of `devices`."""
        sessions = {device: self._store.get(Table.SESSIONS, *_row(device)) for device in devices}
        self._meet([device for device, session in sessions.items() if session is None], handed)
        envelopes = {}
        own = self._own.state
        for device, session in sessions.items():
            begun = self._engine.begin(own, None, device, handed[device]) if session is None else session
            sealed = self._engine.seal(own, begun, plaintext)
            changes.put(Table.SESSIONS, *_row(device), value=sealed.state)
            envelopes[device] = encode(sealed.message)
        return envelopes

    def _meet(self, strangers: Iterable[PublicDevice], handed: dict[PublicDevice, Handed]) -> None:
        """Get keys for devices that there is no session with."""
        by_account: dict[str, list[PublicDevice]] = {}
        for device in strangers:
            if device not in handed:
                by_account.setdefault(device.account, []).append(device)
        for account, devices in by_account.items():
            data, keys = self._operations.hand_out(account, sorted(device.device for device in devices))
            # Keys of a changed identity would be refused one by one, with a reason that nobody understands.
            self._contacts.learn(account, data)
            for device in devices:
                if device.device not in keys:
                    raise NoKeysError(account)
                handed[device] = keys[device.device]

    def _refresh(self, account: str) -> None:
        """Learn the device list of an account. Whoever was met before had one, and is not believed to have none now."""
        try:
            self._contacts.refresh(account)
        except WireError as error:
            if error.status == 404 and self._contacts.find(account) is None:
                raise NoKeysError(account) from error
            raise

    def _sender(self, account: str, number: int) -> PublicDevice:
        """The device that a message is said to be from, if the account has such a one."""
        known = self._contacts.trusted(account)
        if known is None or all(device.device != number for device in known.devices):
            known = self._contacts.refresh(account)
        return known.find(number)

    def _open(self, arrived: Arrived, sender: PublicDevice) -> Unsealed:
        changes = Changes()
        fields: dict[str, Any] = {}
        used_up = False
        if arrived.envelope is not None:
            device = self._own.state
            session = self._store.get(Table.SESSIONS, *_row(sender))
            opened = self._engine.open(device, session, sender, _decode(arrived.envelope))
            if opened.session:  # engines for which reading alone makes no session have nothing to keep
                changes.put(Table.SESSIONS, *_row(sender), value=opened.session)
            used_up = opened.device != device
            if used_up:
                self._own.put(changes, opened.device)
            fields = self._load(arrived.conversation, opened.plaintext)
        if arrived.shared is None:
            return Unsealed(fields, changes, used_up)
        if fields.keys() - {"sender_key"}:
            # Nobody sends this. A service that put two messages into one would have one of them disappear.
            raise E2EEError("a message has come with another one")
        plaintext = self._open_shared(arrived, sender, fields.get("sender_key"), changes)
        return Unsealed(self._load(arrived.conversation, plaintext), changes, used_up)

    def _open_shared(self, arrived: Arrived, sender: PublicDevice, brought: object, changes: Changes) -> bytes:
        """What `sender` wrote to a group, with the sender key that came along (None: with one that is known)."""
        if self._groups is None:
            raise E2EEError("a group message has come, which this encryption does not have")
        row = (arrived.conversation, *_row(sender))
        kept = self._store.get(Table.READERS, *row)
        readers = [] if kept is None else _unpack(kept)
        if brought is not None:
            if not isinstance(brought, str):
                raise E2EEError("a sender key is not in base64")
            fresh = self._groups.learn(arrived.conversation.encode(), sender, _decode(brought))
            # A key that is known stays as it is: the same one from the beginning would open everything once more.
            if self._groups.reader_id(fresh) not in map(self._groups.reader_id, readers):
                readers = [fresh, *readers][:MAX_READERS]
        message = _decode(arrived.shared or "")
        key_id = self._groups.key_id(message)
        for place, reader in enumerate(readers):
            if self._groups.reader_id(reader) == key_id:
                read = self._groups.open(reader, message)
                readers[place] = read.reader
                changes.put(Table.READERS, *row, value=_pack(readers))
                return read.plaintext
        raise E2EEError("a group message is under a sender key that this device was not given")

    def _sender_key(self, conversation: str) -> _SenderKey | None:
        data = self._store.get(Table.SENDER_KEYS, conversation)
        return None if data is None else _SenderKey.from_bytes(data)

    def _renew(self, conversation: str) -> None:
        assert self._groups is not None  # noqa: S101 - who has a sender key has an engine that makes them
        key = _SenderKey(self._groups.create(self._own.state, conversation.encode()))
        changes = Changes()
        changes.put(Table.SENDER_KEYS, conversation, value=key.to_bytes())
        self._store.commit(changes)

    def _dump(self, conversation: str, fields: Mapping[str, Any]) -> bytes:
        plaintext = dump({"conversation": conversation, **fields})
        return pad(plaintext) if self._padded else plaintext

    def _load(self, conversation: str, plaintext: bytes) -> dict[str, Any]:
        """The fields of a message, without the conversation, which has to be this one."""
        try:
            fields = json.loads(unpad(plaintext) if self._padded else plaintext)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise E2EEError("what the envelope holds is no message")
        if fields.pop("conversation", None) != conversation:
            raise E2EEError("a message was written to another conversation")
        return fields


def _hopeless(sentence: str) -> WireError:
    return WireError(sentence, 409)


def _row(device: PublicDevice) -> tuple[str, str]:
    return device.account, str(device.device)


def _pack(parts: Sequence[bytes]) -> bytes:
    return number(len(parts)) + blocks(*parts)


def _unpack(data: bytes) -> list[bytes]:
    reader = Reader(data)
    return [reader.block() for _ in range(reader.number())]


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise E2EEError("an envelope is not in base64") from None
