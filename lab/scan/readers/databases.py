"""SQLite databases, with the write-ahead log beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from lab.scan.entry import Entry, Read, Unread, at_rest
from lab.scan.readers.plain import windows

LARGEST = 2**28
"""Bytes of a database that is read row by row: for that it must be in memory as a whole, more than once."""


def read_database(file: BinaryIO, size: int, wal: bytes) -> Iterator[Read]:
    """The database as one entry; a larger one as bytes only."""
    if size + len(wal) > LARGEST:
        why = (
            f"a database of more than {LARGEST} bytes: its pages were searched as bytes, its rows were not put together"
        )
        yield Unread(why, 0, place="database.row")
        yield from windows(file)
        return
    observations = [at_rest("database.file", file.read())]
    if wal:
        observations.append(at_rest("database.wal", wal))
    yield Entry(None, tuple(observations), size)
