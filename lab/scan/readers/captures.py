"""The lab's own recordings: what each observer got, connection by connection."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from lab import capture
from lab.model import Observation
from lab.scan.entry import Entry, Read, Unread
from lab.scan.readers.plain import windows

MAGIC = b'{"is": "capture"'
LARGEST = 2**28
"""Bytes of a recording that is read as such; it has to be in memory as a whole. The lab's are some hundred KiB."""


def read_capture(file: BinaryIO) -> Iterator[Read]:
    """One entry for each connection of each observer. What is no recording after all is searched as bytes."""
    data = file.read(LARGEST + 1)
    try:
        recording = capture.parse(io.StringIO(data.decode(), newline="\n"), "")
    except (ValueError, capture.CaptureError):  # the largest ones too: their last line is cut off
        yield Unread("it begins like a recording of the lab and cannot be read as one: searched as bytes", 0)
        yield from windows(_Rest(data, file))  # type: ignore[arg-type]  # all that it needs is read()
        return
    links: dict[tuple[str, str], list[Observation]] = {}
    for one in recording.observations:
        links.setdefault((one.observer, one.connection), []).append(one)
    for number, observations in enumerate(links.values()):
        yield Entry(number, tuple(observations), len(data))
    for missing in recording.missing:
        yield Unread(missing.what, len(data))


class _Rest:
    """A file again from the beginning, of which `data` was read already."""

    def __init__(self, data: bytes, file: BinaryIO) -> None:
        self._data, self._file = io.BytesIO(data), file

    def read(self, size: int) -> bytes:
        data = self._data.read(size)
        return data + self._file.read(size - len(data)) if len(data) < size else data
