"""The operations on devices, their keys, and blobs: for clients that encrypt end to end, all below /v1."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.routing import BaseConverter

from lab.service import device_schemas as schemas
from lab.service.authentication import session
from lab.service.blobs import Blobs
from lab.service.devices import Devices
from lab.service.openapi import SECURITY

_BYTES = "application/octet-stream"
_BLOB_BODY = {"required": True, "content": {_BYTES: {}}}
_BLOB_RESPONSES: dict[int | str, Any] = {200: {"description": "What was stored", "content": {_BYTES: {}}}}
_KEYS_OF_DEVICE = "/devices/<device:device>/keys"


class DeviceConverter(BaseConverter):
    """The number of a device in a path, in its only spelling: that of Werkzeug fails for thousands of digits."""

    regex = "[1-9][0-9]{0,9}"

    def to_python(self, value: str) -> int:
        return int(value)


def add_device_operations(api: APIBlueprint, devices: Devices) -> None:
    """Device lists and keys of devices."""

    @api.put("/device-list")
    @api.input(schemas.NewDeviceList)
    @api.output(schemas.DeviceList)
    @api.doc(summary="Publish the list of one's devices", security=SECURITY)
    def publish_device_list(json_data: schemas.NewDeviceList) -> schemas.DeviceList:
        return devices.publish(session().account, json_data)

    @api.get("/accounts/<name>/device-list")
    @api.output(schemas.DeviceList)
    @api.doc(summary="Get the list of someone's devices", security=SECURITY)
    def get_device_list(name: str) -> schemas.DeviceList:
        return devices.listed(name)

    @api.put(_KEYS_OF_DEVICE)
    @api.input(schemas.NewDeviceKeys)
    @api.output(schemas.Stock)
    @api.doc(summary="Publish keys of one's device", security=SECURITY, responses=[409])
    def add_device_keys(device: int, json_data: schemas.NewDeviceKeys) -> schemas.Stock:
        return devices.add_keys(session().account, device, json_data)

    @api.get(_KEYS_OF_DEVICE)
    @api.output(schemas.Stock)
    @api.doc(summary="Count the one-time keys that are left", security=SECURITY)
    def count_device_keys(device: int) -> schemas.Stock:
        return devices.stock(session().account, device)

    @api.post("/accounts/<name>/handouts")
    @api.input(schemas.NewHandout)
    @api.output(schemas.Handout)
    @api.doc(summary="Take keys to start sessions with someone's devices", security=SECURITY)
    def hand_out_keys(name: str, json_data: schemas.NewHandout) -> schemas.Handout:
        return devices.hand_out(name, json_data.devices)


def add_blob_operations(api: APIBlueprint, blobs: Blobs) -> None:
    """Bytes that whoever knows their id may fetch."""

    @api.post("/blobs")
    @api.output(schemas.Blob, 201)
    @api.doc(summary="Store bytes", security=SECURITY, extensions={"requestBody": _BLOB_BODY})
    def store_blob() -> schemas.Blob:
        if request.mimetype != _BYTES:
            raise UnsupportedMediaType(f"The body has to be {_BYTES}.")
        return schemas.Blob(id=blobs.add(session().account, request.get_data(cache=False)))

    @api.get("/blobs/<blob>")
    @api.doc(summary="Get bytes", security=SECURITY, responses=_BLOB_RESPONSES)
    def get_blob(blob: str) -> Response:
        return Response(blobs.get(blob), content_type=_BYTES)
