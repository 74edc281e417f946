"""A SQLite database in use, and copies of its files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

LONG = "".join(f"{number:07d} " for number in range(2000))
"""16 KB in which no part repeats: it fills several pages."""


class Copies:
    """A database in use, and copies of its files as they are at this moment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, autocommit=True)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA wal_autocheckpoint = 0")
        self.connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, body TEXT, file BLOB, at REAL)")

    def put(self, body: str, file: bytes = b"") -> None:
        self.connection.execute("INSERT INTO message (body, file, at) VALUES (?, ?, 0.5)", (body, file))

    def files(self) -> tuple[bytes, bytes]:
        return self.path.read_bytes(), Path(f"{self.path}-wal").read_bytes()
