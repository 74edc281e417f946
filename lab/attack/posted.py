"""A message that is posted to the service, as whoever runs it sees it and may change it. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lab.e2ee.files import FileKey, open_file
from lab.e2ee.padding import unpad
from lab.e2ee.protocol import E2EEError
from lab.mail import ENVELOPE, FILE, Address, json_object

_FILES = 1 << 26
"""Bytes of encrypted files that are kept until the message with the key to them passes."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What becomes of a message that was posted.

    `body` is to be posted in its place. `opened` is what the operator read: a place (`lab.device_copy`) and bytes.
    `turned_down`: it is not posted, but answered as one to the wrong addresses, with these as the missing ones.
    """

    body: Mapping[str, Any]
    opened: tuple[tuple[str, bytes], ...] = ()
    turned_down: tuple[Address, ...] = ()


class Blobs:
    """Encrypted files on their way to the service, by id. The oldest is dropped for a newer one."""

    def __init__(self) -> None:
        self._stored: dict[str, bytes] = {}

    def keep(self, blob: str, data: bytes) -> None:
        self._stored[blob] = data
        while sum(map(len, self._stored.values())) > _FILES:
            del self._stored[next(iter(self._stored))]

    def read(self, texts: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
        """Place and bytes for each of `texts`, which were sealed, and for the file that one has the key to."""
        for text in texts:
            yield ENVELOPE, text
            match fields_of(text).get("attachment"):
                case {"id": str(blob)} as attachment if blob in self._stored:
                    with suppress(E2EEError):
                        yield FILE, open_file(self._stored[blob], FileKey.from_json(attachment))


def fields_of(text: bytes) -> Mapping[str, Any]:
    """What a text that was sealed says, be it padded or not; nothing, if it is no message."""
    with suppress(E2EEError):
        return json_object(text) or json_object(unpad(text))
    return {}


def address_of(envelope: object) -> Address | None:
    """The device that an envelope is for; None for an account without devices, and for what is no envelope."""
    match envelope:
        case {"recipient": str(account), "device": int(number)}:
            return account, number
    return None


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
