"""Looking on while a session is held: what its observers have recorded since somebody looked last."""

from __future__ import annotations

import struct
import time
from pathlib import Path

from lab import capture
from lab.model import Direction, Observation, Observer
from lab.stage.stage import AT_REST, Stage, Venue

_WAL = "database.wal"
_HEADER, _FRAME_HEADER = 32, 24
_PAGE_SIZE, _SALTS, _FRAMES_SALTS = slice(8, 12), slice(16, 24), slice(8, 16)
"""Of a write-ahead log: where the page size stands in its header, and the salts in header and frames."""


class Watch:
    """One for each session, to be used by one thread at a time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._read: dict[Path, int] = {}
        self._salts: dict[Path, bytes] = {}

    def new(self, venue: Venue) -> dict[Observer, list[Observation]]:
        """What is new, for each observer that has a record of its own and for the storage. ChildError: a tap is gone.

        At rest, an observation is what has come to a file; it is no copy of the file.
        """
        found: dict[Observer, list[Observation]] = {}
        for observer, file, size in self._stage.recordings():
            items = [capture.decode(line) for line in self._new(file, size).decode().splitlines()]
            found.setdefault(observer, []).extend(one for one in items if isinstance(one, Observation))
        at_rest = found.setdefault(Observer.DATABASE, [])
        for name, place in AT_REST:
            file = venue.behind.directory / name
            if file.exists() and (data := self._log(file) if place == _WAL else self._new(file, file.stat().st_size)):
                at_rest.append(Observation(Observer.DATABASE, place, "", Direction.AT_REST, time.time(), data))
        return found

    def _new(self, file: Path, size: int) -> bytes:
        """What stands in a file from where it was last read up to `size`."""
        before, self._read[file] = self._read.get(file, 0), size
        return _bytes(file, before, size)

    def _log(self, file: Path) -> bytes:
        """The frames that have come to a write-ahead log. Once SQLite has taken over what is in it, it begins anew at
        the front, with other salts, and what stands behind is old."""
        header = _bytes(file, 0, _HEADER)
        if len(header) < _HEADER:
            return b""
        if header[_SALTS] != self._salts.get(file):
            self._salts[file], self._read[file] = header[_SALTS], _HEADER
        length = _FRAME_HEADER + int(struct.unpack(">I", header[_PAGE_SIZE])[0])
        before, data = self._read[file], _bytes(file, self._read[file], file.stat().st_size)
        end = 0
        while end + length <= len(data) and data[end : end + _FRAME_HEADER][_FRAMES_SALTS] == header[_SALTS]:
            end += length
        self._read[file] = before + end
        return data[:end]


def _bytes(file: Path, start: int, end: int) -> bytes:
    with file.open("rb") as data:
        data.seek(start)
        return data.read(max(0, end - start))
