"""A recording to read: a file on this machine, or the bytes of one that were sent here."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from lab import private
from lab.temporary import temporary_folder

WAL = "-wal"
"""What SQLite appends to a database's name for the log beside it."""


class Source(Protocol):
    """Where a reader gets its bytes."""

    @property
    def size(self) -> int: ...

    def open(self, at: int = 0) -> BinaryIO:
        """The bytes from offset `at` on. OSError: they cannot be had."""

    def wal(self) -> bytes:
        """The write-ahead log beside a database; empty if there is none."""

    def path(self) -> AbstractContextManager[Path]:
        """A file that another program can read, while the context lasts."""


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file that this process can open itself."""

    file: Path

    @property
    def size(self) -> int:
        return self.file.stat().st_size

    def open(self, at: int = 0) -> BinaryIO:
        file = self.file.open("rb")
        file.seek(at)
        return file

    def wal(self) -> bytes:
        beside = self.file.with_name(self.file.name + WAL)
        return beside.read_bytes() if beside.is_file() else b""

    @contextmanager
    def path(self) -> Iterator[Path]:
        yield self.file


@dataclass(frozen=True, slots=True)
class Shipped:
    """The content of a file that another machine has, from offset `start` on, and of the log beside it."""

    data: bytes
    log: bytes = b""
    start: int = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self, at: int = 0) -> BinaryIO:
        file = io.BytesIO(self.data)
        file.seek(max(0, at - self.start))
        return io.BufferedReader(file)

    def wal(self) -> bytes:
        return self.log

    @contextmanager
    def path(self) -> Iterator[Path]:
        with temporary_folder("lab-scan-") as folder:
            path = folder / "recording"
            with os.fdopen(private.create(path), "wb") as file:
                file.write(self.data)
            yield path
