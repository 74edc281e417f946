"""Databases, and the lab's own recordings."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lab.capture import Writer
from lab.model import Direction, Mode, Observation, Observer, Story
from lab.scan.readers import databases

from .conftest import MAIL, Scan

SECRET = MAIL.encode()


def database(path: Path, *, log: bool) -> None:
    """A database with the secret in a row; with `log`, only in the write-ahead log beside it."""
    with closing(sqlite3.connect(path, autocommit=True)) as connection:
        if log:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE people (name, mail)")
        connection.execute("INSERT INTO people VALUES ('Wanda', ?)", (MAIL,))
        if log:
            # Closing would write the log back into the file.
            kept = path.with_name("kept"), path.with_name("kept-wal")
            kept[0].write_bytes(path.read_bytes())
            kept[1].write_bytes(path.with_name(path.name + "-wal").read_bytes())
    if log:
        path.unlink()
        kept[0].rename(path)
        kept[1].rename(path.with_name(path.name + "-wal"))


def test_a_row(tmp_path: Path, scan: Scan) -> None:
    database(tmp_path / "people.db", log=False)
    (found,) = scan(tmp_path / "people.db").findings
    assert found["place"] == "database.row"
    ((start, end),) = found["spans"]
    assert (tmp_path / "people.db").read_bytes()[start:end] == SECRET


def test_a_row_that_is_only_in_the_log_beside_the_file(tmp_path: Path, scan: Scan) -> None:
    database(tmp_path / "people.db", log=True)
    done = scan(tmp_path)
    assert {Path(one["file"]).name for one in done.findings} == {"people.db"}
    assert SECRET not in (tmp_path / "people.db").read_bytes()
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert done.document["scanned"] == {"files": 2, "bytes": size}


def test_a_log_without_its_database_is_bytes(tmp_path: Path, scan: Scan) -> None:
    database(tmp_path / "people.db", log=True)
    (tmp_path / "people.db").unlink()
    done = scan(tmp_path)
    assert {one["place"] for one in done.findings} == {"file"}


def test_a_damaged_database_is_said_and_searched_as_bytes(tmp_path: Path, scan: Scan) -> None:
    database(tmp_path / "people.db", log=False)
    whole = bytearray((tmp_path / "people.db").read_bytes())
    whole[100:130] = bytes(30)
    (tmp_path / "people.db").write_bytes(whole)
    done = scan(tmp_path / "people.db")
    assert [one["place"] for one in done.findings] == ["database.file"]
    assert done.gave_up


def test_a_database_too_large_for_memory(tmp_path: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "LARGEST", 1000)
    database(tmp_path / "people.db", log=False)
    done = scan(tmp_path / "people.db")
    assert [one["place"] for one in done.findings] == ["file"]
    assert "rows were not put together" in done.gave_up[0]["why"]


def recording(path: Path) -> None:
    story = Story("mine", "Mine", Mode.PLAINTEXT, (Observer.NETWORK,), 0.0)
    with Writer(path, story) as writer:
        for data in (b"hello ", SECRET[:9], SECRET[9:]):
            writer.add(Observation(Observer.NETWORK, "tcp.stream", "1", Direction.TO_SERVICE, 1.0, data))


def test_a_recording_of_the_lab(tmp_path: Path, scan: Scan) -> None:
    recording(tmp_path / "a.capture.jsonl")
    done = scan(tmp_path / "a.capture.jsonl")
    assert [(one["flow"], one["place"], one["spans"]) for one in done.findings] == [
        (0, "tcp.stream", [[6, 6 + len(SECRET)]])
    ]
    assert done.gave_up == []


def test_a_recording_that_is_cut_off_or_damaged(tmp_path: Path, scan: Scan) -> None:
    path = tmp_path / "a.capture.jsonl"
    recording(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    done = scan(path)
    assert len(done.findings) == 1
    assert [one["why"] for one in done.gave_up] == ["the capture ends early"]
    path.write_bytes(whole.replace(b'"is":"observation"', b'"is":"nonsense"') + SECRET)
    done = scan(path)
    assert [one["place"] for one in done.findings if one["partial"] is None][-1] == "file"
    assert "searched as bytes" in done.gave_up[0]["why"]
