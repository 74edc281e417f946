"""Who hears what runner and free play tell: a `Teller` for tests, which waits for what it wants to hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from lab.classroom.seen import Piece
from lab.guide.zoom import Zoom
from lab.model import LeakMatrix, Mode, Observer

GUARD = 120.0


@dataclass(frozen=True)
class Told:
    """One call: what, and with which arguments."""

    what: str
    about: tuple[object, ...]
    pieces: tuple[Piece, ...] = ()
    matrices: Mapping[Mode, LeakMatrix] = field(default_factory=dict)
    evidence: Mapping[str, Zoom] = field(default_factory=dict)
    found: Mapping[Mode, Mapping[Observer, str]] = field(default_factory=dict)


class Heard:
    def __init__(self) -> None:
        self._queue: SimpleQueue[Told] = SimpleQueue()
        self.all: list[Told] = []

    def reached(self, question: int, done: int, of: int, text: str, pieces: Sequence[Piece]) -> None:
        self._queue.put(Told("reached", (question, done, of, text), tuple(pieces)))

    def seen(self, pieces: Sequence[Piece]) -> None:
        self._queue.put(Told("seen", (), tuple(pieces)))

    def measured(self, question: int, matrix: LeakMatrix, evidence: Mapping[str, Zoom]) -> None:
        self._queue.put(Told("measured", (question,), matrices={matrix.mode: matrix}, evidence=evidence))

    def failed(self, question: int, why: str) -> None:
        self._queue.put(Told("failed", (question, why)))

    def played(self, number: int, state: str, found: Mapping[Mode, Mapping[Observer, str]], tag: str = "") -> None:
        self._queue.put(Told("played", (number, state, tag), found=found))

    def judged(self, matrices: Mapping[Mode, LeakMatrix], why: str = "") -> None:
        self._queue.put(Told("judged", (why,), matrices=matrices))

    def next(self, *whats: str) -> Told:
        """The next call of one of these; what came before it is in `all`."""
        while True:
            told = self._queue.get(timeout=GUARD)
            self.all.append(told)
            if told.what in whats:
                return told

    def nothing_more(self) -> bool:
        return self._queue.empty()

    @property
    def pieces(self) -> list[Piece]:
        return [piece for told in self.all for piece in told.pieces]


def marks(pieces: Sequence[Piece], observer: Observer) -> set[str]:
    """The secrets that are marked in what this observer got."""
    return {part.secret for piece in pieces if piece.observer is observer for part in piece.parts if part.secret}
