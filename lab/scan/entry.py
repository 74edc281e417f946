"""What readers give: the entries of a recording, and what of it they could not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.model import Direction, Observation, Observer


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of a recording that is searched at once: a flow, a request with its answer, a window of a long stream.

    `flow` is the number of the flow or entry in its file, from 0; None where the file has none. `end`: so many bytes of
    the file were read by then. `bases` says for each direction where its bytes begin in the whole stream or file, and
    `firsts` which message the first one is, in a flow that is given in parts. `decoders` is what the reader has undone
    itself (compression of the whole file, TLS); offsets count bytes of what came out. `window`: the neighbours overlap
    with this one, so that the same finding may come twice.
    """

    flow: int | None
    observations: tuple[Observation, ...]
    end: int
    bases: Mapping[Direction, int] = field(default_factory=dict)
    firsts: Mapping[Direction, int] = field(default_factory=dict)
    decoders: tuple[str, ...] = ()
    window: bool = False


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that is in the recording and was not searched. `end` as in Entry."""

    why: str
    end: int
    flow: int | None = None
    place: str = "file"


type Read = Entry | Unread


def on_the_way(
    flow: int, place: str, direction: Direction, data: bytes, time: float = 0.0, exchange: int = 0
) -> Observation:
    """Something that was recorded on a network."""
    return Observation(Observer.NETWORK, place, str(flow), direction, time, data, exchange)


def at_rest(place: str, data: bytes) -> Observation:
    """Something that was recorded in a file."""
    return Observation(Observer.DATABASE, place, "", Direction.AT_REST, 0.0, data)
