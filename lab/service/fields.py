"""What the JSON shapes of the interface are made of."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

MAX_DEVICE = 2**31 - 1


def _decode(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        decoded = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        decoded = None
    # What was accepted comes back the same, so only the canonical form of base64 is.
    if decoded is None or base64.b64encode(decoded).decode() != value:
        raise ValueError("Input should be base64 (RFC 4648, section 4) with padding")
    return decoded


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()


Name = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$"), Field(description="Name of an account.")
]
Seconds = Annotated[float, Field(description="Seconds since the epoch.")]
Bytes = Annotated[
    bytes,
    PlainValidator(_decode),
    PlainSerializer(_encode),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
Device = Annotated[
    int, Field(ge=1, le=MAX_DEVICE, description="Number of a device; each account has numbers of its own.")
]


class Shape(BaseModel):
    """A JSON object with exactly the members it declares."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
