"""Who is who: the long-term keys of a device, and the list of an account's devices, signed by the account.

The model is that of X3DH revision 1, section 2.4 (identity keys), spread over several devices as in Signal's Sesame:
every device has identity keys of its own, and an account's own Ed25519 key says which devices are the account's.
A session is always between two devices.

Left out: how the account key is checked (a person compares safety numbers; see `fingerprint`), how it is revoked, and
whether two account names look alike: names are bytes here, and different bytes are different accounts.

Wire form of a device list (numbers and blocks as in `codec`):

    list      protocol version 1 | account block | account key 32 | list version 4 | last device 4 | count 1 | devices
              | signature 64 over all of it
    device    account block | number 4 | X25519 identity key 32 | Ed25519 signing key 32
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from itertools import pairwise

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab.e2ee.codec import Reader, block, number
from lab.e2ee.keys import (
    KEY,
    SIGNATURE,
    Random,
    check_agreement_key,
    check_signing_key,
    new_agreement_key,
    new_signing_key,
    sign,
    verify,
)
from lab.e2ee.protocol import DEVICE_LIST_LABEL, MAX_ACCOUNT, MAX_DEVICES, VERSION, E2EEError

_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class PublicDevice:
    """What everybody may know of a device.

    `account` has 1..MAX_ACCOUNT bytes of UTF-8, `device` is 1..2**31-1, `identity` the X25519 key to agree (32 bytes)
    and `signing` the Ed25519 key to sign (32 bytes). E2EEError: anything else, or a key of small order.
    """

    account: str
    device: int
    identity: bytes
    signing: bytes

    def __post_init__(self) -> None:
        check_account(self.account)
        if not 1 <= self.device <= _MOST:
            raise E2EEError("a device number is out of range")
        # Agreeing with a key of small order gives a secret that everybody knows, and under such a signing key anybody
        # can sign. Whoever holds a PublicDevice need not think of it again.
        check_agreement_key(self.identity)
        check_signing_key(self.signing)

    def to_bytes(self) -> bytes:
        return block(self.account.encode()) + number(self.device) + self.identity + self.signing

    @classmethod
    def from_reader(cls, reader: Reader) -> PublicDevice:
        """The next device in `reader`. E2EEError: there is none."""
        return cls(reader.text(MAX_ACCOUNT), reader.number(), reader.take(KEY), reader.take(KEY))

    @classmethod
    def from_bytes(cls, data: bytes) -> PublicDevice:
        """The device that `data` is. E2EEError: it is none, or something follows."""
        reader = Reader(data)
        device = cls.from_reader(reader)
        reader.end()
        return device


@dataclass(frozen=True, slots=True, eq=False)
class DeviceKeys:
    """A device with its private keys: what it keeps for itself, for as long as it exists."""

    account: str
    device: int
    identity: X25519PrivateKey
    signing: Ed25519PrivateKey
    public: PublicDevice = field(init=False)

    def __post_init__(self) -> None:
        identity, signing = self.identity.public_key(), self.signing.public_key()
        public = PublicDevice(self.account, self.device, identity.public_bytes_raw(), signing.public_bytes_raw())
        object.__setattr__(self, "public", public)

    @classmethod
    def new(cls, account: str, device: int, random: Random) -> DeviceKeys:
        """Draws two times 32 bytes. E2EEError: the name or the number is not acceptable."""
        return cls(account, device, new_agreement_key(random), new_signing_key(random))

    def to_bytes(self) -> bytes:
        """Private: for the device's own store, never for the wire."""
        keys = self.identity.private_bytes_raw() + self.signing.private_bytes_raw()
        return number(VERSION, 1) + block(self.account.encode()) + number(self.device) + keys

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceKeys:
        """What `to_bytes` wrote. E2EEError: anything else."""
        reader = Reader(data)
        _check_version(reader)
        account, device = reader.text(MAX_ACCOUNT), reader.number()
        identity = X25519PrivateKey.from_private_bytes(reader.take(KEY))
        signing = Ed25519PrivateKey.from_private_bytes(reader.take(KEY))
        reader.end()
        return cls(account, device, identity, signing)


@dataclass(frozen=True, slots=True)
class DeviceList:
    """The devices of an account, as the account signed them; by ascending number.

    `last_device` is the highest number that the account has ever given to a device, those removed since included.
    """

    account: str
    account_key: bytes
    version: int
    last_device: int
    devices: tuple[PublicDevice, ...]

    def find(self, device: int) -> PublicDevice:
        """The device with that number. E2EEError: the account has none."""
        for each in self.devices:
            if each.device == device:
                return each
        raise E2EEError("the account has no such device")


def sign_device_list(
    account_key: Ed25519PrivateKey,
    account: str,
    version: int,
    devices: tuple[PublicDevice, ...],
    last_device: int = 0,
) -> bytes:
    """A device list for everybody to read. `last_device` is the highest number ever given to a device, if that device
    is no longer in the list. E2EEError: nobody would accept it."""
    ordered = tuple(sorted(devices, key=lambda device: device.device))
    last = max(last_device, *(device.device for device in ordered), 0)
    unsigned = DeviceList(account, account_key.public_key().public_bytes_raw(), version, last, ordered)
    _check(unsigned)
    body = _body(unsigned)
    return body + sign(account_key, DEVICE_LIST_LABEL, body)


def next_device_list(account_key: Ed25519PrivateKey, old: DeviceList, devices: tuple[PublicDevice, ...]) -> bytes:
    """The device list after `old`, with these devices. E2EEError: nobody who knows `old` would accept it."""
    data = sign_device_list(account_key, old.account, old.version + 1, devices, old.last_device)
    check_successor(old, read_device_list(data, old.account))
    return data


def read_device_list(data: bytes, account: str) -> DeviceList:
    """The device list of `account` in `data`. E2EEError: it is not valid, not signed, or another account's.

    The signature is that of the account key in the list. That this is the right account key is for the caller to know:
    from the list before (`check_successor`), or from people who compared their safety numbers.
    """
    if len(data) < SIGNATURE:
        raise E2EEError("a device list is cut short")
    body, signature = data[:-SIGNATURE], data[-SIGNATURE:]
    reader = Reader(body)
    _check_version(reader)
    name, account_key, version, last = reader.text(MAX_ACCOUNT), reader.take(KEY), reader.number(), reader.number()
    # The signature first: the rest is only looked at if the account said it.
    verify(account_key, signature, DEVICE_LIST_LABEL, body)
    count = reader.number(1)
    if count > MAX_DEVICES:
        raise E2EEError("an account has too many devices")
    found = DeviceList(name, account_key, version, last, tuple(PublicDevice.from_reader(reader) for _ in range(count)))
    reader.end()
    _check(found)
    # A valid list of somebody else's, handed out under this name, would put that account into this conversation.
    if found.account != account:
        raise E2EEError("a device list is that of another account")
    return found


def check_successor(old: DeviceList, new: DeviceList) -> None:
    """E2EEError unless `new` may follow `old`, or is the same list once more.

    Prevents a service from bringing a removed device back with an older list (rollback), from showing two lists of one
    version, and an account from using a device number again: who has a session with device 2 must never find other
    keys behind that number. A new account key is not a successor; it needs people who compare safety numbers.
    """
    if old.account != new.account or not hmac.compare_digest(old.account_key, new.account_key):
        raise E2EEError("a device list is that of another account or signed by another key")
    if new.version < old.version or new.last_device < old.last_device:
        raise E2EEError("a device list is older than one that is known")
    if new.version == old.version and new != old:
        raise E2EEError("there are two device lists of one version")
    known = {device.device: device for device in old.devices}
    for device in new.devices:
        before = known.get(device.device)
        if before is None and device.device <= old.last_device:
            raise E2EEError("a device that was removed has come back")
        if before is not None and before != device:
            raise E2EEError("a device has come back with other keys")


def _check(devices: DeviceList) -> None:
    check_account(devices.account)
    if not 1 <= devices.version <= _MOST:
        raise E2EEError("the version of a device list is out of range")
    if not 1 <= len(devices.devices) <= MAX_DEVICES:
        raise E2EEError("an account has no devices or too many")
    numbers = [device.device for device in devices.devices]
    # Ascending: unique, and one order only, so that the same devices are always the same bytes.
    if any(one >= other for one, other in pairwise(numbers)):
        raise E2EEError("the devices of an account are not in order")
    if not numbers[-1] <= devices.last_device <= _MOST:
        raise E2EEError("the last device of a device list is out of range")
    if any(device.account != devices.account for device in devices.devices):
        raise E2EEError("a device in the list is that of another account")
    # Two numbers with one key would be one device that can be addressed, and can answer, as two.
    keys = [key for device in devices.devices for key in (device.identity, device.signing)]
    if len(set(keys)) != len(keys):
        raise E2EEError("two devices of an account have the same key")


def _body(devices: DeviceList) -> bytes:
    head = number(VERSION, 1) + block(devices.account.encode()) + devices.account_key
    counts = number(devices.version) + number(devices.last_device) + number(len(devices.devices), 1)
    return head + counts + b"".join(device.to_bytes() for device in devices.devices)


def check_account(account: str) -> None:
    """E2EEError unless `account` has 1..MAX_ACCOUNT bytes of UTF-8."""
    try:
        size = len(account.encode())
    except UnicodeEncodeError:
        raise E2EEError("an account name is not text") from None
    if not 1 <= size <= MAX_ACCOUNT:
        raise E2EEError("an account name is empty or too long")


def _check_version(reader: Reader) -> None:
    if reader.number(1) != VERSION:
        raise E2EEError("this is of no known version")
