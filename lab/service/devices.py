"""Devices: the list that an account has signed, and the keys with which others start sessions with each of them.

The service cannot tell what is in list and keys. It knows the numbers, to deliver to each device what is its own, and
counts one-time keys, to hand out each of them once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from sqlalchemy import Connection, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import IntegrityError

from lab.service.device_schemas import (
    MAX_ONE_TIME_KEYS,
    DeviceList,
    HandedOut,
    Handout,
    NewDeviceKeys,
    NewDeviceList,
    OneTimeKey,
    Stock,
)
from lab.service.key_log import KeyLog
from lab.service.problems import ProblemError
from lab.service.storage import Storage, device_lists, devices, one_time_keys

_KINDS = ("one_time", "one_time_kem")

_of_account = devices.c.account == bindparam("name")
_this_device = (_of_account, devices.c.device == bindparam("number"))
_keys_of_account = one_time_keys.c.account == bindparam("name")

_LIST = select(device_lists.c.data).where(device_lists.c.account == bindparam("name"))
_put_list = insert(device_lists)
_PUT_LIST = _put_list.on_conflict_do_update(set_={"data": _put_list.excluded.data})
_DEVICES = select(devices.c.device, devices.c.signed).where(_of_account).order_by(devices.c.device)
_DEVICE = select(devices.c.device).where(*_this_device)
_ADD_DEVICES = insert(devices).on_conflict_do_nothing()
_REMOVE_OTHERS = delete(devices).where(_of_account, devices.c.device.not_in(bindparam("kept", expanding=True)))
_SIGN = update(devices).where(*_this_device).values(signed=bindparam("data"))
_ADD_KEYS = insert(one_time_keys)
_STOCK = (
    select(one_time_keys.c.kind, func.count())
    .where(_keys_of_account, one_time_keys.c.device == bindparam("number"))
    .group_by(one_time_keys.c.kind)
)
# Devices count their ids up, so the lowest one has waited longest.
_TAKE = (
    delete(one_time_keys)
    .where(
        _keys_of_account,
        tuple_(one_time_keys.c.device, one_time_keys.c.kind, one_time_keys.c.id).in_(
            select(one_time_keys.c.device, one_time_keys.c.kind, func.min(one_time_keys.c.id))
            .where(_keys_of_account, one_time_keys.c.device.in_(bindparam("wanted", expanding=True)))
            .group_by(one_time_keys.c.device, one_time_keys.c.kind)
        ),
    )
    .returning(one_time_keys.c.device, one_time_keys.c.kind, one_time_keys.c.id, one_time_keys.c.data)
)


class Devices:
    """The devices of the accounts of one service; `changed` is told the numbers left in a new list.

    Each new list is written into `log`, in the same transaction.
    """

    def __init__(self, storage: Storage, log: KeyLog, changed: Callable[[str, Collection[int]], None]) -> None:
        self._storage = storage
        self._log = log
        self._changed = changed

    def publish(self, account: str, new: NewDeviceList) -> DeviceList:
        """Replace the list of an account. A device that is not in it any more loses its keys and its envelopes."""
        with self._storage.writing() as connection:
            connection.execute(_PUT_LIST, {"account": account, "data": new.data})
            connection.execute(_REMOVE_OTHERS, {"name": account, "kept": new.devices})
            connection.execute(_ADD_DEVICES, [{"account": account, "device": number} for number in new.devices])
            self._log.append(connection, account, new.data)
        self._changed(account, new.devices)
        return DeviceList(name=account, devices=sorted(new.devices), data=new.data)

    def listed(self, account: str) -> DeviceList:
        """The list of an account; raises ProblemError (404) if there is none."""
        with self._storage.reading() as connection:
            data = _list(connection, account)
            found = [row.device for row in connection.execute(_DEVICES, {"name": account})]
        return DeviceList(name=account, devices=found, data=data)

    def check(self, account: str, device: int) -> None:
        """Raises ProblemError (422) if `device` is not in the list of `account`."""
        with self._storage.reading() as connection:
            check_device(connection, account, device)

    def add_keys(self, account: str, device: int, new: NewDeviceKeys) -> Stock:
        """Replace the signed keys of a device and add one-time keys.

        Raises ProblemError (409 for an id that is there already; 422 for too many, or no device of the account).
        """
        added = [
            {"account": account, "device": device, "kind": kind, "id": key.id, "data": key.data}
            for kind, keys in zip(_KINDS, (new.one_time, new.one_time_kem), strict=True)
            for key in keys
        ]
        try:
            with self._storage.writing() as connection:
                check_device(connection, account, device)
                connection.execute(_SIGN, {"name": account, "number": device, "data": new.signed})
                if added:
                    connection.execute(_ADD_KEYS, added)
                stock = _stock(connection, account, device)
                if max(stock.one_time, stock.one_time_kem) > MAX_ONE_TIME_KEYS:
                    raise ProblemError(422, f"{MAX_ONE_TIME_KEYS} one-time keys of each kind are the most.")
        except IntegrityError:
            raise ProblemError(409, "A one-time key with one of these ids is there already.") from None
        return stock

    def stock(self, account: str, device: int) -> Stock:
        """How many one-time keys are left; raises ProblemError (404) if `account` has no such device."""
        with self._storage.reading() as connection:
            if connection.scalar(_DEVICE, {"name": account, "number": device}) is None:
                raise ProblemError(404, "There is no such device.")
            return _stock(connection, account, device)

    def hand_out(self, account: str, wanted: Collection[int] | None) -> Handout:
        """Keys of the `wanted` devices, or of all; each one-time key is given once, the one with the lowest id first.

        Raises ProblemError (404) if the account has no list or one of the devices is not in it: then none is given.
        """
        with self._storage.writing() as connection:
            data = _list(connection, account)
            signed: dict[int, bytes | None] = {
                row.device: row.signed for row in connection.execute(_DEVICES, {"name": account})
            }
            if wanted is not None:
                if not signed.keys() >= set(wanted):
                    raise ProblemError(404, "There is no such device.")
                signed = {device: signed[device] for device in sorted(wanted)}
            taken = connection.execute(_TAKE, {"name": account, "wanted": list(signed)})
            keys = {(row.device, row.kind): OneTimeKey(id=row.id, data=row.data) for row in taken}
        handed_out = [
            HandedOut(device=device, signed=bundle, **{kind: keys.get((device, kind)) for kind in _KINDS})
            for device, bundle in signed.items()
        ]
        return Handout(name=account, data=data, devices=handed_out)


def check_device(connection: Connection, account: str, device: int) -> None:
    """Raises ProblemError (422) if `device` is not in the list of `account`."""
    if connection.scalar(_DEVICE, {"name": account, "number": device}) is None:
        raise ProblemError(422, f"Device {device} is not in the device list of {account!r}.")


def _list(connection: Connection, account: str) -> bytes:
    data: bytes | None = connection.scalar(_LIST, {"name": account})
    if data is None:
        raise ProblemError(404, "No device list is published under this name.")
    return data


def _stock(connection: Connection, account: str, device: int) -> Stock:
    counts = dict.fromkeys(_KINDS, 0)
    counts.update((kind, count) for kind, count in connection.execute(_STOCK, {"name": account, "number": device}))
    return Stock(**counts)
