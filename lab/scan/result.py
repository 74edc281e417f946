"""What a scan found and what it could not search: plain data, made by workers and shown by the reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.detect.views import overlap
from lab.model import Direction

FOUND, GAVE_UP, NOTHING = 1, 3, 0
"""Exit statuses."""


@dataclass(frozen=True, slots=True)
class Found:
    """A secret, or a piece of it (`partial`: so many bytes), in a file.

    `spans` are offsets in the bytes of `place` in this flow and direction (of a message, its number is `message`); for
    a file that is searched as bytes, offsets in the file. `decoders` lead from there to the secret. Where the first
    ones undo what a reader undid (a compressed file, TLS), offsets count what came out of them.
    """

    secret: str
    file: str
    flow: int | None
    place: str
    spans: tuple[tuple[int, int], ...]
    decoders: tuple[str, ...]
    excerpt: str
    partial: int | None
    direction: Direction
    message: int
    space: str
    """Names the bytes that the spans are offsets in, where one flow has several."""
    in_file: bool
    """The spans are offsets in the file itself."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Something that was not searched, or not to its end."""

    file: str
    flow: int | None
    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that came out of a scan. `wanted` are the names of the secrets."""

    wanted: tuple[str, ...]
    files: int
    bytes: int
    found: tuple[Found, ...]
    missed: tuple[Missed, ...]
    interrupted: bool = False

    @property
    def status(self) -> int:
        """The exit status: 1 something was found, else 3 something was not searched, else 0."""
        if self.found:
            return FOUND
        return GAVE_UP if self.missed else NOTHING

    def of(self, secret: str) -> Iterator[Found]:
        return (one for one in self.found if one.secret == secret)


def in_order(found: Iterable[Found]) -> list[Found]:
    """The findings in one file, from its beginning to its end, and each once, though windows overlap.

    Of two that share bytes the whole one stays before a partial one, and a shorter chain of decoders before a longer.
    """
    kept: dict[tuple[object, ...], list[Found]] = {}
    for one in sorted(found, key=lambda one: (one.partial is not None, -(one.partial or 0), len(one.decoders))):
        others = kept.setdefault((one.secret, one.flow, one.direction, one.message, one.space), [])
        if not any(overlap(one.spans, other.spans) for other in others):
            others.append(one)
    return sorted((one for group in kept.values() for one in group), key=_order)


def _order(one: Found) -> tuple[object, ...]:
    flow = -1 if one.flow is None else one.flow
    return flow, one.space, one.direction, one.message, one.spans, one.secret
