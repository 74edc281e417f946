"""This device and its account: its keys, the account's key, the account's list of devices, and publishing all that.

The account key signs the list of devices. Each device of the account has a copy of it, so that each can add and remove
others; whoever has it is the account. It gets from one device to the next without the service: real messengers show it,
encrypted, as a code that the other device scans.

Left out: two devices that change the list at the same time (what one of them has signed is refused by everybody who saw
the other one's), and replacing the signed pre-key now and then.
"""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.e2ee.codec import number
from lab.e2ee.engine import Engine
from lab.e2ee.identity import DeviceList, PublicDevice, next_device_list, read_device_list, sign_device_list
from lab.e2ee.keys import new_signing_key
from lab.e2ee.protocol import ONE_TIME_KEYS, E2EEError
from lab.messenger.contacts import Contact, Contacts
from lab.messenger.operations import Operations
from lab.messenger.store import Changes, DeviceStore, Table

_DEVICE, _NUMBER, _ACCOUNT_KEY = "device", "number", "account key"
_LIST_PUBLISHED, _KEYS_PUBLISHED = "device list is published", "keys are published"
_TRUE = b"\1"


class OwnDevice:
    """The device in `store`. What is not there yet comes with `create`; before that, most methods make no sense."""

    def __init__(self, account: str, engine: Engine, store: DeviceStore, contacts: Contacts, ops: Operations) -> None:
        self.account = account
        self._engine = engine
        self._store = store
        self._contacts = contacts
        self._operations = ops

    @property
    def exists(self) -> bool:
        return self._store.get(Table.STATE, _DEVICE) is not None

    @property
    def has_account(self) -> bool:
        """Whether the device belongs to an account, be it published or not."""
        return self._store.get(Table.STATE, _ACCOUNT_KEY) is not None

    @property
    def number(self) -> int:
        return int.from_bytes(self._state(_NUMBER), "big")

    @property
    def state(self) -> bytes:
        """The state for the engine."""
        return self._state(_DEVICE)

    @property
    def public(self) -> PublicDevice:
        return self._engine.public(self.state)

    @property
    def account_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._state(_ACCOUNT_KEY))

    @property
    def devices(self) -> DeviceList:
        """All devices of the account, as far as this one knows."""
        return _there(self._contacts.trusted(self.account))

    def create(self, device: int) -> PublicDevice:
        """Keys for a new device with that number; the ones that there are, if there are any."""
        if not self.exists:
            changes = Changes()
            self.put(changes, self._engine.create(self.account, device))
            changes.put(Table.STATE, _NUMBER, value=number(device))
            self._store.commit(changes, hurry=False)  # nobody has heard of it, and the account key follows
        return self.public

    def found_account(self) -> None:
        """A new account key, and a device list with this device alone."""
        key = new_signing_key(os.urandom)
        devices = sign_device_list(key, self.account, 1, (self.public,))
        self._store_account(key.private_bytes_raw(), devices, published=False)

    def join_account(self, other: OwnDevice) -> None:
        """Take over the account key from another device of the account, and what it knows about everybody."""
        self._contacts.adopt(other._contacts.all())
        self._store_account(other._state(_ACCOUNT_KEY), other._own_contact().devices, published=True)

    def add(self, device: PublicDevice) -> None:
        """Add a device to the account. E2EEError: its number is not free."""
        self._sign((*self._fresh_list().devices, device))

    def remove(self, device: int) -> None:
        """Remove a device from the account. E2EEError: there is none, or it is the last one."""
        devices = self._fresh_list()
        devices.find(device)
        self._sign(tuple(each for each in devices.devices if each.device != device))

    def publish(self) -> None:
        """Upload what is not at the service yet: the device list first, since keys are those of a device in it."""
        if self._store.get(Table.STATE, _LIST_PUBLISHED) is None:
            self._operations.put_device_list(self._own_contact().devices, [one.device for one in self.devices.devices])
            self._note(_LIST_PUBLISHED)
        if self._store.get(Table.STATE, _KEYS_PUBLISHED) is None:
            self._upload(ONE_TIME_KEYS)
            self._note(_KEYS_PUBLISHED)

    def refill(self) -> None:
        """Upload further one-time keys, if fewer than half of them are left."""
        left = self._operations.stock(self.number)
        if left < ONE_TIME_KEYS / 2:
            self._upload(ONE_TIME_KEYS - left)

    def put(self, changes: Changes, state: bytes) -> None:
        """Let `changes` replace the state for the engine."""
        changes.put(Table.STATE, _DEVICE, value=state)

    def _upload(self, one_time: int) -> None:
        published = self._engine.publish(self.state, one_time)
        # First the private keys: what is handed out for a device that does not have them could never be read.
        changes = Changes()
        self.put(changes, published.device)
        self._store.commit(changes)
        self._operations.put_keys(self.number, published)

    def _fresh_list(self) -> DeviceList:
        """The list as it is now: another device may have changed it."""
        return self._contacts.refresh(self.account)

    def _sign(self, devices: tuple[PublicDevice, ...]) -> None:
        data = next_device_list(self.account_key, self.devices, devices)
        changes = Changes()
        changes.drop(Table.STATE, _LIST_PUBLISHED)
        self._store.commit(changes)
        self._contacts.replace(self.account, data)
        self.publish()

    def _store_account(self, key: bytes, devices: bytes, *, published: bool) -> None:
        # Read before it is kept: what others would refuse is refused here.
        read_device_list(devices, self.account)
        changes = Changes()
        changes.put(Table.STATE, _ACCOUNT_KEY, value=key)
        changes.put(Table.CONTACTS, self.account, value=Contact(devices).to_bytes())
        if published:
            changes.put(Table.STATE, _LIST_PUBLISHED, value=_TRUE)
        else:
            changes.drop(Table.STATE, _LIST_PUBLISHED)
        self._store.commit(changes)

    def _own_contact(self) -> Contact:
        return _there(self._contacts.find(self.account))

    def _note(self, what: str) -> None:
        changes = Changes()
        changes.put(Table.STATE, what, value=_TRUE)
        self._store.commit(changes, hurry=False)  # to publish it again does no harm

    def _state(self, what: str) -> bytes:
        return _there(self._store.get(Table.STATE, what))


def _there[T](found: T | None) -> T:
    """What every device of an account has."""
    if found is None:
        raise E2EEError("this device does not belong to an account yet")
    return found
