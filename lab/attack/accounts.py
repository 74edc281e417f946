"""What whoever runs the service knows of the accounts: the device list of each, as it passed. Pure."""

from __future__ import annotations

from contextlib import suppress

from lab.e2ee.identity import DeviceList, PublicDevice, read_device_list
from lab.e2ee.protocol import E2EEError
from lab.mail import Address


class DeviceLists:
    """The newest device list of each account, of those that passed and are signed."""

    def __init__(self) -> None:
        self._known: dict[str, DeviceList] = {}

    def learn(self, account: str, data: bytes) -> None:
        """Keep the list in `data`; what is no list of `account` is left to those who check."""
        with suppress(E2EEError):
            self._known[account] = read_device_list(data, account)

    def of(self, account: str) -> DeviceList | None:
        return self._known.get(account)

    def device(self, address: Address) -> PublicDevice:
        """The device with this account and number. E2EEError: no list with it has passed."""
        account, number = address
        devices = self._known.get(account)
        if devices is None:
            raise E2EEError("no device list of this account has passed yet")
        return devices.find(number)
