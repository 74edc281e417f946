"""Looking on: everything once, and nothing old, also after the database has emptied its log."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lab.capture import encode
from lab.model import Direction, Event, Note, Observation, Observer
from lab.stage.watch import Watch


def watched(folder: Path, *recordings: tuple[Observer, Path, int]) -> tuple[Watch, Any]:
    stage: Any = SimpleNamespace(recordings=lambda: recordings)
    return Watch(stage), SimpleNamespace(behind=SimpleNamespace(directory=folder))


def test_what_a_tap_has_written_is_told_once_and_notes_are_not(tmp_path: Path) -> None:
    first, second = (
        Observation(Observer.NETWORK, "tcp.stream", "1", Direction.TO_SERVICE, 1.0, data) for data in (b"one", b"two")
    )
    lines = [encode(one) for one in (first, Note(Observer.NETWORK, Event.OPENED, 1.0, "1"), second)]
    file = tmp_path / "network.jsonl"
    file.write_text("".join(lines))
    sizes = [len(lines[0]), len("".join(lines)), len("".join(lines))]
    stage: Any = SimpleNamespace(recordings=lambda: [(Observer.NETWORK, file, sizes.pop(0))])
    venue: Any = SimpleNamespace(behind=SimpleNamespace(directory=tmp_path))
    watch = Watch(stage)
    assert watch.new(venue) == {Observer.NETWORK: [first], Observer.DATABASE: []}
    assert watch.new(venue)[Observer.NETWORK] == [second]
    assert watch.new(venue)[Observer.NETWORK] == []


def test_rows_are_told_once_also_behind_a_log_that_begins_anew(tmp_path: Path) -> None:
    watch, venue = watched(tmp_path)
    with closing(sqlite3.connect(tmp_path / "database.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE messages (text TEXT)")

        def store(text: str) -> bytes:
            database.execute("INSERT INTO messages VALUES (?)", (text,))
            return b"".join(one.data for one in watch.new(venue)[Observer.DATABASE] if one.place == "database.wal")

        assert b"the first text" in store("the first text")
        assert b"the second text" in store("the second text")
        assert watch.new(venue)[Observer.DATABASE] == []
        size = (tmp_path / "database.sqlite-wal").stat().st_size
        database.execute("PRAGMA wal_checkpoint(FULL)")
        assert b"the third text" in store("the third text")
        assert (tmp_path / "database.sqlite-wal").stat().st_size == size  # in the place of what stood there
        assert b"the fourth text" in store("the fourth text")
        assert [one.place for one in watch.new(venue)[Observer.DATABASE] if one.place == "database.wal"] == []
