"""Puts small sources together, to be searched as one: fifty decoders take longer to start than to read a short text.

What stands in several sources of a place is searched once: sources of the same bytes, and the header fields that come
with every message. The order depends on nothing but the bytes, so two observers who got the same messages have the same
batches, in whatever order they got them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lab.detect.across import Joined, Part
from lab.detect.places import starts
from lab.detect.reassembly import STREAM
from lab.detect.views import GAP, Span, View
from lab.model import Observation

SMALL = 16 * 1024
"""Bytes of a source that shares a batch, at most."""

BATCH = 32 * 1024
"""Bytes of a batch, at most: what is tried depends on its size, see budget.Budget.guesses."""

_ALONE = frozenset({STREAM, "udp.datagram", "dns.message"})
"""Places whose observations are read from their first byte."""


_OF_LINES = "http.header"
"""The place whose sources are lines that come again in other messages."""

_TOGETHER = 3
"""Lines: so many that follow each other somewhere do so in a batch, for a secret may be split over them."""


class Batch(NamedTuple):
    """Sources of one place as one view, and where in it their bytes stand.

    `again`: for a piece of it, the other places where the same bytes stand, which are not in it.
    """

    root: View
    joined: Joined
    again: Mapping[Part, Sequence[Part]]

    def elsewhere(self, spans: Sequence[Span]) -> Iterator[tuple[int, int]]:
        """The other sources that hold these bytes of the batch, and how far behind they stand there."""
        piece = self.joined.piece(spans[0][0]) if spans else None
        if piece is not None and piece == self.joined.piece(spans[-1][1] - 1):
            yield from ((part.source, part.start - piece.start) for part in self.again.get(piece, ()))


_Stretch = Sequence[Part]
"""Parts of a source that follow each other."""


def batches(sources: Sequence[Observation], codings: Mapping[int, tuple[str, ...]]) -> Iterator[Batch]:
    """All sources, in batches. `codings` are those declared for a source, by its index: it has a batch of its own."""
    together: dict[str, list[int]] = {}
    for index, source in enumerate(sources):
        if source.place in _ALONE or index in codings or len(source.data) > SMALL:
            yield _batch(sources, [[Part(index, 0, len(source.data))]], {}, codings.get(index, ()))
        else:
            together.setdefault(source.place, []).append(index)
    for place, indices in together.items():
        indices.sort(key=lambda index: sources[index].data)
        stretches, again = (_new_lines if place == _OF_LINES else _new_sources)(sources, indices)
        for batch in _filled(stretches):
            yield _batch(sources, batch, again, ())


def _new_sources(
    sources: Sequence[Observation], indices: Iterable[int]
) -> tuple[list[_Stretch], Mapping[Part, list[Part]]]:
    """Each source whose bytes did not come before; for each of them those that hold the same."""
    first: dict[bytes, Part] = {}
    again: dict[Part, list[Part]] = {}
    for index in indices:
        part = Part(index, 0, len(sources[index].data))
        again.setdefault(first.setdefault(sources[index].data, part), []).append(part)
    return [[part] for part in again], {part: alike[1:] for part, alike in again.items()}


def _new_lines(
    sources: Sequence[Observation], indices: Iterable[int]
) -> tuple[list[_Stretch], Mapping[Part, list[Part]]]:
    """The lines that did not come before between the same neighbours; for a line where it stands once more."""
    first: dict[bytes, Part] = {}
    again: dict[Part, list[Part]] = {}
    seen: set[tuple[bytes, ...]] = set()
    stretches: list[_Stretch] = []
    for index in indices:
        stretch: list[Part] = []
        wanted = at = 0
        lines = sources[index].data.splitlines(keepends=True)
        for number, line in enumerate(lines):
            group = tuple(lines[number : number + _TOGETHER])
            if group not in seen and (number == 0 or len(group) == _TOGETHER):
                seen.add(group)
                wanted = number + len(group)
            part = Part(index, at, at + len(line))
            at = part.end
            if number < wanted:
                first.setdefault(line, part)
                stretch.append(part)
                continue
            again.setdefault(first[line], []).append(part)
            if stretch:
                stretches.append(stretch)
                stretch = []
        if stretch:
            stretches.append(stretch)
    return stretches, again


def _filled(stretches: Iterable[_Stretch]) -> Iterator[list[_Stretch]]:
    batch: list[_Stretch] = []
    size = 0
    for stretch in stretches:
        length = stretch[-1].end - stretch[0].start
        if batch and size + length > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(stretch)
        size += length
    if batch:
        yield batch


def _batch(
    sources: Sequence[Observation],
    stretches: Sequence[_Stretch],
    again: Mapping[Part, Sequence[Part]],
    codings: tuple[str, ...],
) -> Batch:
    pieces: list[tuple[int, Part]] = []
    begins: list[int] = []
    ends: list[int] = []
    at = 0
    for stretch in stretches:
        begins.append(at)
        for part in stretch:
            pieces.append((at, part))
            at += part.end - part.start
        ends.append(at)
        at += len(GAP)
    place = sources[stretches[0][0].source].place
    data = GAP.join(sources[parts[0].source].data[parts[0].start : parts[-1].end] for parts in stretches)
    root = View(
        data,
        place,
        codings=codings,
        starts=starts(data) if place == STREAM else tuple(begins),
        ends=tuple(ends),
    )
    return Batch(root, Joined(data, tuple(pieces)), again)
