"""Reads the rows out of a copied SQLite database and its write-ahead log (https://www.sqlite.org/fileformat2.html).

Values that are longer than a page lie scattered over the file; as rows they are whole again.
"""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

MAGIC = b"SQLite format 3\x00"
_FILE_HEADER = 100
_WAL_HEADER = 32
_FRAME_HEADER = 24
_WAL_MAGIC = 0x377F0682
_WAL_VERSION = 3007000
_JOURNAL_MODE = slice(18, 20)
SEPARATOR = b"\x1f"
"""Stands between the values of a row."""

TABLES = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
    "AND sql NOT LIKE 'CREATE VIRTUAL%'"
)
"""Asks for the names of all user tables."""


class SqliteError(ValueError):
    """The bytes are not a database that can be read; the text says why."""


class Row(NamedTuple):
    """One row: `number` counts from 1 within the table; `data` are its values, text in UTF-8, joined by SEPARATOR."""

    table: str
    number: int
    data: bytes


@lru_cache(maxsize=2)
def image(main: bytes, wal: bytes = b"") -> bytes:
    """The database file as it is after its last commit, as one that needs no write-ahead log.

    `main` is the database file, `wal` the log beside it (empty if there is none). As SQLite does, the log is read up
    to its last valid commit and ignored from the first frame on that does not belong (file format, 4.1 and 4.3).
    Kept for the next call, because the checksums of the log take most of the time. Raises SqliteError.
    """
    if not main and not wal:
        return b""
    pages, size, page_size = _committed(wal) if wal else ({}, 0, 0)
    first = main or pages.get(1, b"")
    if len(first) < _FILE_HEADER or not first.startswith(MAGIC):
        raise SqliteError("no SQLite database: the header is missing")
    result = bytearray(main)
    if pages:
        if _page_size(first) != page_size:
            raise SqliteError("the write-ahead log has another page size than the database file")
        if size > len(main) // page_size + len(pages):
            raise SqliteError("pages of the database are in neither file")
        result.extend(bytes(max(0, size * page_size - len(result))))
        for number, page in pages.items():
            result[(number - 1) * page_size : number * page_size] = page
        del result[size * page_size :]
    # 1 means rollback journal, 2 write-ahead log: the log is merged, and a database in memory cannot open one.
    result[_JOURNAL_MODE] = b"\x01\x01"
    return bytes(result)


def rows(database: bytes) -> Iterator[Row]:
    """Every row of every user table, in the order of the schema. Raises SqliteError, also between two rows."""
    if not database:
        return
    try:
        connection = sqlite3.connect(":memory:")
        try:
            connection.deserialize(database)
            yield from _rows(connection)
        finally:
            connection.close()
    # ValueError: names that are not UTF-8 or hold a NUL. OverflowError, MemoryError: sizes that a broken header claims.
    except (sqlite3.Error, ValueError, OverflowError, MemoryError) as error:
        raise SqliteError(f"the database cannot be read: {error}") from error


def _rows(connection: sqlite3.Connection) -> Iterator[Row]:
    connection.text_factory = bytes
    # The schema is part of the recorded bytes and therefore not to be trusted with calling functions.
    connection.execute("PRAGMA trusted_schema = OFF")
    for (name,) in connection.execute(TABLES).fetchall():
        table = name.decode()
        quoted = table.replace('"', '""')
        for number, values in enumerate(connection.execute(f'SELECT * FROM "{quoted}"'), 1):  # noqa: S608 - quoted
            yield Row(table, number, SEPARATOR.join(map(_as_bytes, values)))


def _as_bytes(value: bytes | float | None) -> bytes:
    if value is None:
        return b""
    return value if isinstance(value, bytes) else str(value).encode()


def _page_size(main: bytes) -> int:
    size = int.from_bytes(main[16:18])
    return 65536 if size == 1 else size


def _committed(wal: bytes) -> tuple[dict[int, bytes], int, int]:
    """The newest committed content of each page in the log, the database's size in pages then, and the page size."""
    if len(wal) < _WAL_HEADER:
        raise SqliteError("the write-ahead log is cut off within its header")
    magic, version, page_size, _, *salts = struct.unpack(">6I", wal[:24])
    if magic & ~1 != _WAL_MAGIC or version != _WAL_VERSION:
        raise SqliteError("the write-ahead log has no valid header")
    order: Literal["<", ">"] = ">" if magic & 1 else "<"
    sums = _checksum(wal[:24], (0, 0), order)
    if sums != struct.unpack(">2I", wal[24:32]) or not 512 <= page_size <= 65536 or page_size & (page_size - 1):
        raise SqliteError("the header of the write-ahead log is damaged")
    pages: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    size = 0
    for at in range(_WAL_HEADER, len(wal) - _FRAME_HEADER - page_size + 1, _FRAME_HEADER + page_size):
        number, commit, *frame_salts, first, second = struct.unpack(">6I", wal[at : at + _FRAME_HEADER])
        page = wal[at + _FRAME_HEADER : at + _FRAME_HEADER + page_size]
        sums = _checksum(wal[at : at + 8] + page, sums, order)
        if frame_salts != salts or sums != (first, second) or number == 0:
            break
        pending[number] = page
        if commit:
            size = commit
            pages |= pending
            pending.clear()
    return {number: page for number, page in pages.items() if number <= size}, size, page_size


def _checksum(data: bytes, start: tuple[int, int], order: Literal["<", ">"]) -> tuple[int, int]:
    """SQLite's checksum (file format, 4.2) over `data`, a multiple of 8 bytes, continued from `start`.

    Word by word it is first += word + second, second += word + first, and so on: each sum is the two before it and
    a word. So what a word adds to the last one is itself, multiplied by Fibonacci's number of how far back it stands.
    """
    first, second = start
    words = (first, second - first, *struct.unpack(f"{order}{len(data) // 4}I", data))
    upper, lower = _fibonacci(len(words) + 1)
    return _last_sum(words, upper[1:], lower[1:]), _last_sum(words, upper[:-1], lower[:-1])


def _last_sum(words: Sequence[int], upper: Sequence[int], lower: Sequence[int]) -> int:
    """The sum of products modulo 2^32; factors are in halves, so that the products fit the processor's integers."""
    return ((int(math.sumprod(words, upper)) << 16) + int(math.sumprod(words, lower))) & 0xFFFFFFFF


@lru_cache(maxsize=4)
def _fibonacci(count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """So many of Fibonacci's numbers modulo 2^32, the last one first: their upper and their lower 16 bits."""
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append((numbers[-1] + numbers[-2]) & 0xFFFFFFFF)
    return tuple(one >> 16 for one in reversed(numbers)), tuple(one & 0xFFFF for one in reversed(numbers))
