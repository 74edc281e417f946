"""Decoded views of recorded bytes, and the way back from a match in a view to the bytes it was decoded from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

Span = tuple[int, int]
"""Half-open [start, end) offsets in bytes."""

GAP = b"\x1e\x1e"
"""Stands between stretches that are not neighbours, so that no decoder reads across the border. (ASCII's separator of
records: no text holds it, and unlike zero it is no half of a wider character.)"""


Piece = tuple[int, int, int, int, int]
"""(view, source, units, view unit, source unit): units × view unit bytes of a view from `view` on stand for
units × source unit bytes from `source` on.

Copied bytes have units of 1 and 1, hexadecimal 1 and 2, base64 3 and 4. A piece of a single unit is opaque: any part of
it maps to all of it (decompressed data). (No named tuple: there are tens of thousands of them.)
"""


class Repeated(NamedTuple):
    """[start, end) of a view, and how far behind it the same bytes stand once more."""

    start: int
    end: int
    behind: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Bytes to search: a source itself (`parent` None) or what decoding made of another view.

    `decoders` is the chain that leads here, in the order in which one decodes. `pieces` map offsets to the parent's
    and are sorted by view offset. `codings` are the HTTP content codings declared for the whole view, in the order
    they were applied. `depth` counts the decoders that were guesses; framing that the data itself declares is none.
    """

    data: bytes
    place: str
    decoders: tuple[str, ...] = ()
    parent: View | None = None
    pieces: tuple[Piece, ...] = ()
    codings: tuple[str, ...] = ()
    depth: int = 0
    starts: tuple[int, ...] = (0,)
    """Offsets at which a value starts: what has no magic number is tried there, and nowhere else."""
    ends: tuple[int, ...] = ()
    """Offsets at which a stretch ends, in order: no value goes on behind. The end of the view is always one."""
    final: bool = False
    """Searched, but not decoded any further."""
    again: tuple[Repeated, ...] = ()
    """What stands in the parent more than once, and is in this view as it stands there first; in order."""

    def end_of(self, start: int) -> int:
        """Where the stretch ends that holds this offset."""
        after = bisect_right(self.ends, start)
        return self.ends[after] if after < len(self.ends) else len(self.data)


class Builder:
    """Collects the bytes of a decoded view, stretch by stretch, together with where each came from."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[bytes] = []
        self._pieces: list[Piece] = []
        self._starts: list[int] = [0]
        self._ends: list[int] = []
        # Of the last piece: its units, and where it would go on, in this view and in the parent.
        self._units = (0, 0)
        self._next_view = self._next_source = -1

    def add(self, data: bytes, source: int, view_unit: int = 1, source_unit: int = 1) -> None:
        """Append `data`, decoded from the parent's bytes at `source` on, `source_unit` bytes for each `view_unit`."""
        size = len(data)
        if not size:
            return
        units = size // view_unit
        if source == self._next_source and self.size == self._next_view and (view_unit, source_unit) == self._units:
            view, first, before, _, _ = self._pieces[-1]
            self._pieces[-1] = (view, first, before + units, view_unit, source_unit)
        else:
            self._pieces.append((self.size, source, units, view_unit, source_unit))
            self._units = (view_unit, source_unit)
        self._parts.append(data)
        self._next_view = self.size + units * view_unit
        self._next_source = source + units * source_unit
        self.size += size

    def add_whole(self, data: bytes, source: int, length: int) -> None:
        """Append `data`, decoded from `length` bytes at `source` by something that does not keep positions."""
        self.add(data, source, max(1, len(data)), length)

    def gap(self, filler: bytes = GAP) -> None:
        """End a stretch: what follows is no neighbour of what came before. The filler maps to nothing."""
        if self._parts:
            self._ends.append(self.size)
            self._parts.append(filler)
            self.size += len(filler)
            self._starts.append(self.size)

    def mark(self, ahead: int = 0) -> None:
        """A value starts here, or so many bytes ahead, though it does follow what came before."""
        self._starts.append(self.size + ahead)

    def end(self, *offsets: int) -> None:
        """Stretches end at these offsets, which may be behind what was added so far."""
        self._ends += offsets

    def view(
        self,
        parent: View,
        *names: str,
        codings: tuple[str, ...] = (),
        place: str = "",
        declared: bool = False,
        final: bool = False,
        again: tuple[Repeated, ...] = (),
    ) -> View:
        """The view made of what was added. `names` are the decoders used, none for a mere cut.

        `declared`: the data itself says that it is encoded so (framing, headers). `again`: what was added only once.
        """
        return View(
            data=b"".join(self._parts),
            place=place or parent.place,
            decoders=parent.decoders + names,
            parent=parent,
            pieces=tuple(self._pieces),
            codings=codings,
            depth=parent.depth + (0 if declared else len(names)),
            starts=tuple(start for start in dict.fromkeys(self._starts) if start < self.size),
            ends=tuple(sorted(self._ends)),
            final=final,
            again=again,
        )


_VIEW = itemgetter(0)


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same bytes as few spans: neighbours and overlaps become one. Order is by start."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def overlap(some: Sequence[Span], others: Sequence[Span]) -> bool:
    """Whether some of the bytes are the same."""
    return any(start < other_end and other_start < end for start, end in some for other_start, other_end in others)


def locate(view: View, start: int, end: int) -> tuple[Span, ...]:
    """Where the bytes [start, end) of a view stand in the source it was decoded from.

    As tight as the decoders on the way allow: a match is widened to whole units (see Piece). Several spans where
    the source interrupts it, for example with the headers of TLS records.
    """
    return everywhere(view, start, end, 1)[0]


def everywhere(view: View, start: int, end: int, most: int) -> list[tuple[Span, ...]]:
    """Each place in the source where the bytes [start, end) of a view stand: as `locate` says, then the repetitions.

    At most so many places.
    """
    places: list[tuple[Span, ...]] = [((start, end),)]
    while view.parent is not None:
        places = [merge(found for span in spans for found in _in_parent(view.pieces, *span)) for spans in places]
        if view.again and len(places) < most:
            places += [other for spans in places for other in _repetitions(view.again, spans)]
            del places[most:]
        view = view.parent
    return places


def _repetitions(again: Sequence[Repeated], spans: Sequence[Span]) -> Iterable[tuple[Span, ...]]:
    first = bisect_right(again, spans[0][0], key=_VIEW) - 1 if spans else -1
    if first >= 0 and spans[-1][1] <= again[first].end:
        for behind in again[first].behind:
            yield tuple((start + behind, end + behind) for start, end in spans)


def origin(view: View) -> int:
    """About where in the source a view begins: quick, and the same for views of the same bytes."""
    at = 0
    while view.parent is not None and view.pieces:
        start, source, _, view_unit, source_unit = view.pieces[max(0, bisect_right(view.pieces, at, key=_VIEW) - 1)]
        at = source + max(0, at - start) // view_unit * source_unit
        view = view.parent
    return at


def _in_parent(pieces: tuple[Piece, ...], start: int, end: int) -> Iterable[Span]:
    first = max(0, bisect_right(pieces, start, key=_VIEW) - 1)
    for view, source, units, view_unit, source_unit in pieces[first:]:
        if view >= end:
            return
        low = max(0, start - view) // view_unit
        high = min(units, -(-(end - view) // view_unit))
        if low < high:
            yield source + low * source_unit, source + high * source_unit
