"""Which files there are to scan, and how the work is divided."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.detect import sqlite
from lab.model import LabError
from lab.scan import readers
from lab.scan.result import Missed
from lab.scan.source import WAL
from lab.scan.work import Unit

PART = 2**26
"""Bytes of a large plain file that make a unit of work of their own."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The units in their order, each with the file it is in, and what cannot be scanned at all."""

    units: tuple[tuple[Unit, Path], ...]
    missed: tuple[Missed, ...]
    files: int


def listing(paths: Sequence[Path], shown: Callable[[str], str]) -> Listing:
    """All files in `paths`, those of folders sorted by name, each file once. `shown` turns a path into what is printed.

    LabError: one of the paths is not there.
    """
    for named in paths:
        if not named.exists():
            raise LabError(f"{shown(str(named))}: no such file or folder; give recordings, or folders of them")
    units: list[tuple[Unit, Path]] = []
    missed: list[Missed] = []
    seen: set[Path] = set()
    files = 0
    for path in (found for named in paths for found in _walk(named, frozenset())):
        if isinstance(path, _Unreadable):
            missed.append(Missed(shown(path.name), None, "file", path.why))
            continue
        name = shown(str(path))
        real = path.resolve()
        if real in seen:
            continue
        seen.add(real)
        try:
            found = list(_units(path))
        except OSError as error:
            missed.append(Missed(name, None, "file", f"cannot be read: {error.strerror}"))
            continue
        files += 1
        units += ((Unit(len(units) + number, name, size, window), path) for number, (size, window) in enumerate(found))
    return Listing(tuple(units), tuple(missed), files)


@dataclass(frozen=True, slots=True)
class _Unreadable:
    name: str
    why: str


def _walk(path: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path | _Unreadable]:
    """The files at and below `path`. Links are followed, but never back into a folder that they are in."""
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            yield path
        elif stat.S_ISDIR(status.st_mode):
            identity = status.st_dev, status.st_ino
            if identity not in above:
                for below in sorted(path.iterdir()):
                    yield from _walk(below, above | {identity})
        else:
            yield _Unreadable(str(path), "not scanned: neither a file nor a folder")
    except OSError as error:
        yield _Unreadable(str(path), f"cannot be read: {error.strerror}")


def _units(path: Path) -> Iterator[tuple[int, tuple[int, int] | None]]:
    """Size and window of each unit in one file. A log beside a database is read with the database."""
    size = path.stat().st_size
    if path.name.endswith(WAL) and _is_database(path.with_name(path.name.removesuffix(WAL))):
        return
    with path.open("rb") as file:
        kind = readers.kind_of(file.read(readers.HEAD))
    if kind == "plain" and size > PART:
        for start in range(0, size, PART):
            end = min(size, start + PART)
            yield end - start, (start, end)
        return
    beside = path.with_name(path.name + WAL)
    yield size + (beside.stat().st_size if kind == "sqlite" and beside.is_file() else 0), None


def _is_database(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(sqlite.MAGIC)) == sqlite.MAGIC
