"""Files, folders and databases of the software under test, as further observers: who gets hold of the storage.

In a folder the names of files tell something, too. Beside a database lie the logs that it keeps while it writes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab.audit import planting
from lab.audit.judging import Seen
from lab.detect import Wanted
from lab.model import Direction, LabError, Observation
from lab.planting import Copy
from lab.scan import readers
from lab.scan.entry import Unread, at_rest
from lab.scan.files import listing
from lab.scan.source import WAL, OnDisk

NAMES = "file.name"
JOURNAL = "-journal"
"""What SQLite appends to a database's name for the log that holds what was there before (its rollback journal)."""

type _State = dict[Path, tuple[int, int]]
"""When each file was changed last, and its size."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A path, and how it was when watching began."""

    name: str
    path: Path
    before: _State

    def seen(self) -> Seen:
        """What is in it now."""
        problems = []
        if not self.path.exists():
            problems.append(f"there is no {self.path}")
        elif _state(self.path) == self.before:
            problems.append(f"nothing in {self.path} has changed since it is watched: is this where it is stored?")
        observations: list[Observation] = []
        for one in _read(self.path) if self.path.exists() else ():
            if isinstance(one, Observation):
                observations.append(one)
            else:
                problems.append(one)
        whole = "the files have changed in the meantime, and were read to their ends"

        def copies(secrets: Sequence[Wanted]) -> Iterable[Copy]:
            return planting.at_rest(secrets, observations)

        return Seen(self.name, tuple(observations), tuple(problems), whole, copies)


def watch(path: Path, name: str | None = None) -> Watched:
    """Begin to watch a file or folder, which need not exist yet."""
    return Watched(name or path.name or str(path), path, _state(path))


def _state(path: Path) -> _State:
    files = (path, *path.rglob("*")) if path.is_dir() else (path, _beside(path, WAL), _beside(path, JOURNAL))
    found: _State = {}
    for file in files:
        if file.is_file():
            status = file.stat()
            found[file] = status.st_mtime_ns, status.st_size
    return found


def _read(path: Path) -> Iterator[Observation | str]:
    """Everything in the files, and what could not be read, in words."""
    moment = time.time()
    try:
        found = listing(_files(path), str)
    except LabError as error:
        yield str(error)
        return
    yield from (f"{one.file}: {one.why}" for one in found.missed)
    for unit, file in found.units:
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        source = OnDisk(file)
        try:
            for one in readers.read_window(source, *unit.window) if unit.window else readers.read(source):
                if isinstance(one, Unread):
                    yield f"{file}: {one.why}"
                    continue
                base = one.bases.get(Direction.AT_REST, 0)
                where = f"{name} from byte {base} on" if base else name
                if one.flow is not None:
                    where = f"{name}, entry {one.flow}"
                yield from (replace(part, connection=where, time=moment) for part in one.observations)
        except OSError as error:
            yield f"{file}: cannot be read: {error.strerror or error}"
    if names := b"".join(os.fsencode(one.relative_to(path)) + b"\n" for one in sorted(path.rglob("*"))):
        yield replace(at_rest(NAMES, names), connection="names in the folder", time=moment)


def _files(path: Path) -> list[Path]:
    """What there is to read: the write-ahead log comes with its database, the rollback journal does not."""
    journal = _beside(path, JOURNAL)
    return [path, journal] if path.is_file() and journal.is_file() else [path]


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
