"""Who the others are: the device list of each account, pinned when it was first seen, and what people said about it.

The first list that the service hands out for an account is believed (trust on first use); from then on the account's
own key has to sign every change. So a service that wants to stand in between has to do it at the very first contact,
and is found out by whoever compares safety numbers. An account that comes with another key is either somebody with a
new phone or somebody else: nothing is sent to it until a person has decided.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as with_changes

from lab.e2ee.codec import Reader, blocks, number
from lab.e2ee.identity import DeviceList, check_successor, read_device_list
from lab.e2ee.protocol import E2EEError
from lab.messenger.log_view import LogView
from lab.messenger.operations import Operations
from lab.messenger.store import Changes, DeviceStore, Table
from lab.messenger.wire import WireError


class IdentityChangedError(E2EEError):
    """An account has another key than before: one sentence that says what to do. `account` says whose."""

    def __init__(self, account: str) -> None:
        super().__init__(
            f"the identity of {account} has changed: ask them whether they have a new device, compare safety numbers,"
            " and accept the new identity if they match"
        )
        self.account = account


class NoKeysError(E2EEError):
    """The service has no keys for an account, or says so: one sentence. `account` says whose."""

    def __init__(self, account: str) -> None:
        super().__init__(f"the service has no keys to encrypt with for {account}: nothing was sent")
        self.account = account


@dataclass(frozen=True, slots=True)
class Contact:
    """What the device knows of one account: device lists as they were signed.

    `offered` is one with another account key that nobody has accepted yet; empty if there is none. `verified` says that
    somebody has compared safety numbers since the account key was last changed.
    """

    devices: bytes
    offered: bytes = b""
    verified: bool = False

    def to_bytes(self) -> bytes:
        return number(self.verified, 1) + blocks(self.devices, self.offered)

    @classmethod
    def from_bytes(cls, data: bytes) -> Contact:
        reader = Reader(data)
        verified = bool(reader.number(1))
        return cls(reader.block(), reader.block(), verified)


class Contacts:
    """The contacts in `store`, and the service to ask about them; `log` None: what it hands out is not looked up there.

    IdentityChangedError comes out of every method that is given a device list, or gets one from the service; E2EEError
    where the account has not signed that list, or has signed a newer one, or the service's log has another one;
    WireError where the service does not answer.
    """

    def __init__(self, own: str, store: DeviceStore, operations: Operations, log: LogView | None) -> None:
        self._own = own
        self._store = store
        self._operations = operations
        self._log = log

    def find(self, account: str) -> Contact | None:
        """What is known, without asking anybody."""
        data = self._store.get(Table.CONTACTS, account)
        return None if data is None else Contact.from_bytes(data)

    def trusted(self, account: str) -> DeviceList | None:
        """The device list to rely on; None for an account that was never seen."""
        contact = self.find(account)
        return None if contact is None else read_device_list(contact.devices, account)

    def current(self, account: str) -> DeviceList:
        """The list that the account has now, be it accepted or not; asks the service about an account never seen."""
        contact = self.find(account)
        if contact is None:
            return self.refresh(account)
        return read_device_list(contact.offered or contact.devices, account)

    def check(self, account: str) -> None:
        """IdentityChangedError, if there is something to be decided before anything is sent to `account`."""
        contact = self.find(account)
        if contact is not None and contact.offered:
            raise IdentityChangedError(account)

    def refresh(self, account: str) -> DeviceList:
        """Ask the service for the list of `account`, and `learn` it."""
        return self.learn(account, self._operations.device_list(account))

    def check_identity(self, account: str) -> None:
        """IdentityChangedError, if the service has another identity by now; nothing, if it cannot be asked."""
        with suppress(WireError):
            self.refresh(account)

    def learn(self, account: str, data: bytes) -> DeviceList:
        """Take over a device list that the service handed out for `account`; or, if the owner has replaced it in this
        very moment and there is a log to tell, the one after it."""
        return self.replace(account, data if self._log is None else self._log.confirmed(account, data))

    def replace(self, account: str, data: bytes) -> DeviceList:
        """Take over a device list, wherever it comes from."""
        new = read_device_list(data, account)
        contact = self.find(account)
        if contact is None:
            self._save(account, Contact(data))
            return new
        old = read_device_list(contact.devices, account)
        if not hmac.compare_digest(old.account_key, new.account_key):
            self._save(account, Contact(contact.devices, data, verified=False))
            raise IdentityChangedError(account)
        check_successor(old, new)
        if new != old or contact.offered:
            kept = {str(device.device) for device in new.devices}
            self._save(account, with_changes(contact, devices=data, offered=b""), keep=kept.__contains__)
        return new

    def adopt(self, contacts: dict[str, Contact]) -> None:
        """Take over what another device of this account knows."""
        for account, contact in contacts.items():
            self._save(account, contact)

    def all(self) -> dict[str, Contact]:
        return {account: Contact.from_bytes(data) for (account,), data in self._store.rows(Table.CONTACTS)}

    def verify(self, account: str) -> None:
        """Note that somebody compared safety numbers with `account`, and they were the same."""
        self.check(account)
        contact = self.find(account)
        if contact is None:
            raise E2EEError(f"nothing is known of {account} that could be verified")
        self._save(account, with_changes(contact, verified=True))

    def accept(self, account: str) -> None:
        """Rely on the new identity of `account` from now on; nothing, if it has not changed. E2EEError: one's own."""
        contact = self.find(account)
        if contact is None or not contact.offered:
            return
        if account == self._own:
            raise E2EEError("this account has another identity by now, which was made elsewhere")
        self._save(account, Contact(contact.offered), keep=lambda _: False)

    def _save(self, account: str, contact: Contact, keep: Callable[[str], bool] = lambda _: True) -> None:
        """Store `contact`, and forget every session and sender key of devices of `account` not to `keep`."""
        changes = Changes()
        changes.put(Table.CONTACTS, account, value=contact.to_bytes())
        for name, _ in self._store.rows(Table.SESSIONS):
            if name[0] == account and not keep(name[1]):
                changes.drop(Table.SESSIONS, *name)
        for name, _ in self._store.rows(Table.READERS):
            if name[1] == account and not keep(name[2]):
                changes.drop(Table.READERS, *name)
        self._store.commit(changes)
