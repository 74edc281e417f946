"""Any file as bytes, in windows that overlap, so that memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from lab.model import Direction
from lab.scan.entry import Entry, at_rest

WINDOW = 2**18
"""Bytes that are searched at once. The detector's limits hold for each window: a larger one of ordinary text has more
that may be encoded than they allow, and is no faster."""

OVERLAP = 2**15
"""Bytes that two windows share: whatever is written in so many bytes is whole in one of them."""


def windows(file: BinaryIO, start: int = 0, end: int | None = None) -> Iterator[Entry]:
    """The windows that begin in [start, end) of `file`, which is at `start` now and need not be seekable."""
    at, kept = start, b""
    while end is None or at < end:
        fresh = file.read(WINDOW + OVERLAP - len(kept))
        data = kept + fresh
        # What is shared with the window before has been searched: a window needs bytes of its own.
        if not data or (at > start and not fresh):
            return
        observation = at_rest("file", data)
        yield Entry(None, (observation,), at + len(data), bases={Direction.AT_REST: at}, window=True)
        kept = data[WINDOW:]
        at += WINDOW
