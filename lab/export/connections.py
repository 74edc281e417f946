"""An observer's connections, as exports show them: who opened them, when they began, how they ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.model import Capture, Event, LabError, Mode, Note, Observation, Observer

SERVICE_ADDRESS = "127.0.0.1"
DATAGRAM = "udp.datagram"
LAST_MOMENT = 253402300799.0
"""The end of the year 9999: no format takes more."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection of an observer, by its number; `opened` and `ended` are notes of the observer's, if there are."""

    number: str
    client: tuple[str, int]
    opened: Note | None
    ended: Note | None
    observations: tuple[Observation, ...]


def connections(capture: Capture, observer: Observer) -> tuple[Connection, ...]:
    """The TCP connections of `observer` in the order of its record. LabError: it recorded nothing."""
    recorded: dict[str, list[Observation]] = {}
    notes: dict[str, dict[Event, Note]] = {}
    for note in capture.notes:
        if note.observer is observer and note.event in (Event.OPENED, Event.CLOSED, Event.BROKEN):
            notes.setdefault(note.connection, {})[note.event] = note
            recorded.setdefault(note.connection, [])
    for one in capture.observations:
        if one.observer is observer:
            recorded.setdefault(one.connection, []).append(one)
    for number in {one.connection for one in capture.observations if one.place == DATAGRAM}:
        recorded.pop(number, None)  # what comes through the tunnel of a phone may be UDP
    if not any(recorded.values()):
        raise LabError(f"the {observer} observer recorded nothing, so there is nothing of it to export")
    return tuple(_connections(recorded, notes))


def _connections(recorded: dict[str, list[Observation]], notes: dict[str, dict[Event, Note]]) -> Iterator[Connection]:
    for index, (number, observations) in enumerate(recorded.items(), start=1):
        noted = notes.get(number, {})
        opened = noted.get(Event.OPENED)
        client = _address(opened.detail if opened else "") or ("0.0.0.0", index)  # noqa: S104 - means: not known
        # The end itself is noted last: a connection may go on after something broke on it.
        ended = noted.get(Event.CLOSED) or noted.get(Event.BROKEN)
        yield Connection(number, client, opened, ended, tuple(observations))


def _address(peer: str) -> tuple[str, int] | None:
    host, _, port = peer.rpartition(":")
    try:
        address = str(IPv4Address(host)), int(port)
    except ValueError:
        return None
    return address if 0 <= address[1] < 1 << 16 else None


def service_port(mode: Mode) -> int:
    """The port that a service of this kind usually has, so that tools know the protocol.

    The ones of the run were given by the system, differ between the taps, and stand in no record.
    """
    return 80 if mode is Mode.PLAINTEXT else 443


def moment(time: float) -> float:
    """`time` within what every format can hold; a damaged recording may say anything."""
    return min(max(0.0, time), LAST_MOMENT)
