from __future__ import annotations

import sqlite3
import struct
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.detect.sqlite import SqliteError, _checksum, image, rows

from .databases import LONG, Copies


def bodies(main: bytes, wal: bytes = b"") -> list[bytes]:
    return [row.data.split(b"\x1f")[1] for row in rows(image(main, wal))]


def test_what_was_committed_is_read_from_file_and_log_while_the_database_is_open(database: Copies) -> None:
    database.put("in the file")
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.put(LONG, b"\x00\xff")
    main, wal = database.files()
    assert LONG.encode() not in wal, "the value should be scattered over pages"
    first, second = rows(image(main, wal))
    assert first == ("message", 1, b"1\x1fin the file\x1f\x1f0.5")
    assert second == ("message", 2, b"2\x1f" + LONG.encode() + b"\x1f\x00\xff\x1f0.5")


def test_the_file_alone_lacks_what_is_only_in_the_log(database: Copies) -> None:
    database.put("in the file")
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.put("in the log")
    main, wal = database.files()
    assert bodies(main) == [b"in the file"]
    assert bodies(main, wal) == [b"in the file", b"in the log"]


def test_the_image_is_what_sqlite_itself_makes_of_both_files(database: Copies, tmp_path: Path) -> None:
    for number in range(50):
        database.put(LONG[: 97 * number])
    database.connection.execute("DELETE FROM message WHERE id % 3 = 0")
    main, wal = database.files()
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    merged = bytearray(database.path.read_bytes())
    merged[18:20] = b"\x01\x01"
    assert image(main, wal) == bytes(merged)


def test_a_transaction_that_was_not_committed_is_not_seen(database: Copies) -> None:
    database.put("committed")
    database.connection.execute("PRAGMA cache_size = 1")
    database.connection.execute("BEGIN")
    for _ in range(20):
        database.put(f"never {LONG}")
    main, wal = database.files()
    assert b"never 0000000" in wal, "the transaction should have spilled into the log"
    assert bodies(main, wal) == [b"committed"]
    database.connection.execute("ROLLBACK")


def test_frames_left_over_from_before_a_checkpoint_are_ignored(database: Copies) -> None:
    for number in range(5):
        database.put(f"old {number} {LONG}")
    database.connection.execute("PRAGMA wal_checkpoint(RESTART)")
    database.connection.execute("DELETE FROM message")
    database.put("new")
    main, wal = database.files()
    assert b"old 4" in wal, "the log should still hold older frames"
    assert bodies(main, wal) == [b"new"]


def test_a_log_cut_anywhere_gives_the_last_whole_commit(database: Copies) -> None:
    database.put("first")
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.put("second")
    _, one = database.files()
    database.put("third")
    main, wal = database.files()
    for end in range(32, len(wal), 211):
        expected = [b"first", b"second", b"third"][: 1 + (end >= len(one))]
        assert bodies(main, wal[:end]) == expected
    for end in range(1, 32):
        with pytest.raises(SqliteError):
            image(main, wal[:end])


def test_a_flipped_bit_in_the_log_ends_it_there(database: Copies) -> None:
    database.put("first")
    _, one = database.files()
    database.put("second")
    main, wal = database.files()
    for at in range(len(one), len(wal), 97):
        flipped = wal[:at] + bytes([wal[at] ^ 4]) + wal[at + 1 :]
        assert bodies(main, flipped) == [b"first"]
    for at in range(32):
        with pytest.raises(SqliteError):
            image(main, wal[:at] + bytes([wal[at] ^ 4]) + wal[at + 1 :])


def test_tables_of_every_kind_and_name(tmp_path: Path) -> None:
    path = tmp_path / "kinds.db"
    connection = sqlite3.connect(path, autocommit=True)
    connection.execute("PRAGMA encoding = 'UTF-16le'")
    connection.execute('CREATE TABLE "odd ""name" (word TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID')
    connection.execute('INSERT INTO "odd ""name" VALUES (?, ?)', ("Grüße", None))
    connection.execute("CREATE VIEW everything AS SELECT * FROM missing")
    connection.close()
    assert list(rows(image(path.read_bytes()))) == [('odd "name', 1, "Grüße\x1f".encode())]


def test_an_empty_file_is_an_empty_database() -> None:
    assert list(rows(image(b""))) == []


@pytest.mark.parametrize(
    "main", [b"x", b"not a database" * 100, b"SQLite format 3\x00", b"SQLite format 3\x00" + bytes(4080)]
)
def test_what_is_no_database_is_one_error(main: bytes) -> None:
    with pytest.raises(SqliteError):
        list(rows(image(main)))


def test_a_log_of_another_database_is_an_error(database: Copies, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.db", autocommit=True)
    other.execute("PRAGMA page_size = 1024")
    other.execute("CREATE TABLE a (b)")
    other.close()
    with pytest.raises(SqliteError, match="page size"):
        image((tmp_path / "other.db").read_bytes(), database.files()[1])


def test_a_log_without_the_pages_of_its_database_is_an_error(database: Copies) -> None:
    database.put(LONG)
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.put("more")
    main, wal = database.files()
    with pytest.raises(SqliteError, match="neither"):
        image(main[:4096], wal)


def sample() -> bytes:
    connection = sqlite3.connect(":memory:", autocommit=True)
    connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, body TEXT)")
    connection.executemany("INSERT INTO message (body) VALUES (?)", [(LONG,), ("short",)])
    data = connection.serialize()
    connection.close()
    return data


SAMPLE = sample()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1) | st.integers(0, 300), st.binary(min_size=1, max_size=4))))
def test_no_damage_raises_anything_else(damage: list[tuple[int, bytes]]) -> None:
    broken = bytearray(SAMPLE)
    for at, junk in damage:
        broken[at : at + len(junk)] = junk
    with suppress(SqliteError):
        list(rows(image(bytes(broken))))


SUM = st.integers(0, 2**32 - 1)


@given(st.binary(max_size=200), st.integers(0, 40), st.tuples(SUM, SUM), st.sampled_from(["<", ">"]))
def test_the_checksum_is_that_of_the_file_format(
    data: bytes, ones: int, start: tuple[int, int], order: Literal["<", ">"]
) -> None:
    data = data[: len(data) // 8 * 8] + b"\xff" * (8 * ones)
    first, second = start
    for one, other in struct.iter_unpack(f"{order}2I", data):
        first = (first + one + second) % 2**32
        second = (second + other + first) % 2**32
    assert _checksum(data, start, order) == (first, second)


def test_the_checksum_of_the_largest_page_of_ones_is_exact() -> None:
    data, first, second = b"\xff" * (8 + 65536), 2**32 - 1, 0
    for _ in range(len(data) // 8):
        first = (first + 2**32 - 1 + second) % 2**32
        second = (second + 2**32 - 1 + first) % 2**32
    assert _checksum(data, (2**32 - 1, 0), "<") == (first, second)
