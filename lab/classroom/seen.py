"""What an observer got, as a pane of the stage view shows it. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from lab.model import Direction, Mode, Observer


@dataclass(frozen=True, slots=True)
class Part:
    """Some text. `secret` is the name of the planted secret that stands in it, "" if none does; `whose` is the nickname
    of the learner whose own secret it is, "" for one of the story."""

    text: str
    secret: str = ""
    whose: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that an observer got. `number` counts from 1 over a run; `what` says in a few words what it is (a
    request line, "TLS record"); `size` is in bytes, of all of it, while `parts` may show less."""

    observer: Observer
    mode: Mode
    number: int
    what: str
    direction: Direction
    size: int
    parts: tuple[Part, ...]
