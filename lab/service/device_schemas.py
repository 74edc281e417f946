"""The JSON shapes of devices and their keys. What is in the bytes is up to the clients."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lab.service.fields import Bytes, Device, Name, Shape
from lab.service.schemas import MAX_DEVICES

MAX_ONE_TIME_KEYS = 200
_MAX_SIGNED = 16 * 1024
_MAX_ONE_TIME = 4 * 1024


def _each_once(devices: list[int]) -> list[int]:
    if len(set(devices)) != len(devices):
        raise ValueError("Each device should be named once")
    return devices


_Devices = Annotated[
    list[Device],
    Field(min_length=1, max_length=MAX_DEVICES, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_each_once),
]


class NewDeviceList(Shape):
    """The devices of an account: a list signed by clients, and the numbers in it for the service to deliver to."""

    devices: _Devices
    data: Annotated[Bytes, Field(max_length=_MAX_SIGNED)]


class DeviceList(Shape):
    """The devices of an account, in ascending order, and the list that clients signed."""

    name: Name
    devices: list[Device]
    data: Bytes


class OneTimeKey(Shape):
    """A public key for one session; its id is given by the device."""

    id: Annotated[int, Field(ge=0, lt=2**63)]
    data: Annotated[Bytes, Field(max_length=_MAX_ONE_TIME)]


class NewDeviceKeys(Shape):
    """Public keys of one device: signed ones that replace those before, and one-time keys in addition."""

    signed: Annotated[Bytes, Field(max_length=_MAX_SIGNED)]
    one_time: list[OneTimeKey] = Field(default=[], max_length=MAX_ONE_TIME_KEYS)
    one_time_kem: list[OneTimeKey] = Field(default=[], max_length=MAX_ONE_TIME_KEYS)


class Stock(Shape):
    """How many one-time keys of each kind a device has left."""

    one_time: int
    one_time_kem: int


class NewHandout(Shape):
    """The devices whose keys are wanted; all of the account if none are named."""

    devices: _Devices | None = None


class HandedOut(Shape):
    """Keys to start one session with one device; null where it has published none, or has none left."""

    device: Device
    signed: Bytes | None
    one_time: OneTimeKey | None
    one_time_kem: OneTimeKey | None


class Handout(Shape):
    """Keys to start sessions, in ascending order of the devices, with the list that clients signed."""

    name: Name
    data: Bytes
    devices: list[HandedOut]


class Blob(Shape):
    """Where bytes are; whoever knows it gets them."""

    id: str
