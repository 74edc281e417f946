"""One observer's part of a capture, prepared for judging. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

from lab.detect import http1, sqlite, tls
from lab.detect.reassembly import STREAM, reassemble
from lab.model import Capture, Direction, Event, Note, Observation, Observer


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, as far as they can be read in a record: the request's first line, and both bodies.

    `whole`: both are there, and each body is as long as its headers say; the headers of a request name a host.
    """

    line: str
    request: bytes
    answer: bytes
    whole: bool


class Record:
    """What `observer` got, and what it noted about its own record."""

    def __init__(self, capture: Capture, observer: Observer) -> None:
        self.capture = capture
        self.observer = observer
        self.observations = tuple(one for one in capture.observations if one.observer is observer)
        self._notes = tuple(note for note in capture.notes if note.observer is observer)

    def at(self, place: str) -> Observation | None:
        """The first observation at `place`."""
        return next((one for one in self.observations if one.place == place), None)

    def notes(self, event: Event) -> Iterator[Note]:
        return (note for note in self._notes if note.event is event)

    @property
    def last_note(self) -> Note | None:
        return self._notes[-1] if self._notes else None

    @cached_property
    def streams(self) -> tuple[Observation, ...]:
        """Each direction of each connection, its pieces joined."""
        return tuple(one for one in reassemble(self.observations) if one.place == STREAM)

    @cached_property
    def relayed(self) -> bool:
        """Whether all of it is bytes that somebody passed on in both directions, without having ended TLS."""
        directions = {one.direction for one in self.observations if one.place == STREAM}
        return len(directions) == len(_WAYS) and all(one.place == STREAM for one in self.observations)

    @cached_property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The requests that the observer could tell apart and read, and their answers."""
        return (*self._in_the_clear(), *self._passed_on())

    def _in_the_clear(self) -> Iterator[Exchange]:
        """From byte streams that are HTTP; none under TLS."""
        found: dict[str, dict[Direction, list[tuple[http1.Message, bytes]]]] = {}
        for stream in self.streams:
            if not tls.records(stream.data):
                messages = [(message, stream.data) for message in http1.messages(stream.data)]
                found.setdefault(stream.connection, {})[stream.direction] = messages
        for sides in found.values():
            for asked, answered in zip_longest(*(sides.get(way, ()) for way in _WAYS)):
                line = asked[1][slice(*asked[0].start_line)].strip().decode("latin-1") if asked else ""
                whole = all(side is not None and (side[0].complete or side[0].chunked) for side in (asked, answered))
                yield Exchange(line, _body(asked), _body(answered), whole)

    def _passed_on(self) -> Iterator[Exchange]:
        """From the parts of messages, as a front end records them."""
        for parts in self._parts.values():
            request, answer = (parts.get((way, "http.body"), b"") for way in _WAYS)
            line = parts.get((Direction.TO_SERVICE, "http.request_line"), b"").decode("latin-1")
            whole = all(_is_whole(parts, way) for way in _WAYS)
            yield Exchange(line, request, answer, whole)

    @property
    def cut_short(self) -> Iterator[str]:
        """The first line of each message from a front end whose body is not as long as its headers say.

        Connections that were there before the record have no number, so their messages cannot be told apart.
        """
        for (connection, _), parts in self._parts.items():
            for way in _WAYS if connection else ():
                if not _is_as_long_as_declared(parts, way) and not _needs_no_body(parts, way):
                    yield parts.get((way, _FIRST_LINES[way]), b"").decode("latin-1")

    @cached_property
    def _parts(self) -> Mapping[tuple[str, int], Mapping[tuple[Direction, str], bytes]]:
        """What a front end recorded of each exchange, by connection and number."""
        found: dict[tuple[str, int], dict[tuple[Direction, str], bytes]] = {}
        for one in self.observations:
            if one.place.startswith("http."):
                parts = found.setdefault((one.connection, one.exchange), {})
                parts[one.direction, one.place] = parts.get((one.direction, one.place), b"") + one.data
        return found

    @cached_property
    def image(self) -> bytes:
        """The recorded database with its write-ahead log applied. SqliteError: there is none, or it is damaged."""
        main, wal = self.at("database.file"), self.at("database.wal")
        image = sqlite.image(main.data if main else b"", wal.data if wal else b"")
        if not image:
            raise sqlite.SqliteError("there is no copy of the database")
        return image


_WAYS = (Direction.TO_SERVICE, Direction.TO_CLIENT)
_FIRST_LINES = {Direction.TO_SERVICE: "http.request_line", Direction.TO_CLIENT: "http.status_line"}


_HOST = re.compile(rb"(?im)^host:")


def _body(side: tuple[http1.Message, bytes] | None) -> bytes:
    return b"".join(side[1][slice(*span)] for span in side[0].body) if side else b""


def _is_whole(parts: Mapping[tuple[Direction, str], bytes], way: Direction) -> bool:
    headers = parts.get((way, "http.header"))
    if headers is None or (way, _FIRST_LINES[way]) not in parts:
        return False
    # Without it something of the head was lost (RFC 9112, section 3.2).
    if way is Direction.TO_SERVICE and not _HOST.search(headers):
        return False
    return _is_as_long_as_declared(parts, way)


def _is_as_long_as_declared(parts: Mapping[tuple[Direction, str], bytes], way: Direction) -> bool:
    declared = http1.fields(parts.get((way, "http.header"), b"")).get("content-length", ())
    return not declared or declared[0] == str(len(parts.get((way, "http.body"), b"")))


def _needs_no_body(parts: Mapping[tuple[Direction, str], bytes], way: Direction) -> bool:
    """Whether it is an answer that may say how long a body would be, and has none (RFC 9110, section 8.6)."""
    if way is Direction.TO_SERVICE or (way, "http.body") in parts:
        return False
    asked = parts.get((Direction.TO_SERVICE, "http.request_line"), b"")
    return asked.startswith(b"HEAD ") or b" 304 " in parts.get((way, "http.status_line"), b"")
