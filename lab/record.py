"""One observer's part of a capture, prepared for judging. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from lab.detect import sqlite
from lab.model import Capture, Event, Note, Observation, Observer


class Record:
    """What `observer` got, and what it noted about its own record."""

    def __init__(self, capture: Capture, observer: Observer) -> None:
        self.observer = observer
        self.observations = tuple(one for one in capture.observations if one.observer is observer)
        self._notes = tuple(note for note in capture.notes if note.observer is observer)

    def at(self, place: str) -> Observation | None:
        """The first observation at `place`."""
        return next((one for one in self.observations if one.place == place), None)

    def notes(self, event: Event) -> Iterator[Note]:
        return (note for note in self._notes if note.event is event)

    @cached_property
    def image(self) -> bytes:
        """The recorded database with its write-ahead log applied. SqliteError: there is none, or it is damaged."""
        main, wal = self.at("database.file"), self.at("database.wal")
        return sqlite.image(main.data if main else b"", wal.data if wal else b"")
