"""Puts small sources together, to be searched as one: fifty decoders take longer to start than to read a short text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lab.detect.across import Joined, Part
from lab.detect.places import starts
from lab.detect.reassembly import STREAM
from lab.detect.views import GAP, View
from lab.model import Observation

SMALL = 16 * 1024
"""Bytes of a source that shares a batch, at most."""

BATCH = 32 * 1024
"""Bytes of a batch, at most: what is tried depends on its size, see budget.Budget.guesses."""

_ALONE = frozenset({STREAM, "udp.datagram", "dns.message"})
"""Places whose observations are read from their first byte."""


class Batch(NamedTuple):
    """Sources of one place as one view, and where in it each of them stands."""

    root: View
    joined: Joined


def batches(sources: Sequence[Observation], codings: Mapping[int, tuple[str, ...]]) -> Iterator[Batch]:
    """All sources, in batches. `codings` are those declared for a source, by its index: it has a batch of its own."""
    together: dict[str, list[int]] = {}
    for index, source in enumerate(sources):
        if source.place in _ALONE or index in codings or len(source.data) > SMALL:
            yield _batch(sources, [index], codings.get(index, ()))
            continue
        batch = together.setdefault(source.place, [])
        if batch and sum(len(sources[one].data) for one in batch) + len(source.data) > BATCH:
            yield _batch(sources, together.pop(source.place), ())
            batch = together.setdefault(source.place, [])
        batch.append(index)
    for batch in together.values():
        yield _batch(sources, batch, ())


def _batch(sources: Sequence[Observation], indices: Sequence[int], codings: tuple[str, ...]) -> Batch:
    pieces: list[tuple[int, Part]] = []
    at = 0
    for index in indices:
        size = len(sources[index].data)
        pieces.append((at, Part(index, 0, size)))
        at += size + len(GAP)
    first = sources[indices[0]]
    data = GAP.join(sources[index].data for index in indices)
    begins = starts(data) if first.place == STREAM else tuple(start for start, _ in pieces)
    ends = tuple(start + part.end for start, part in pieces)
    return Batch(View(data, first.place, codings=codings, starts=begins, ends=ends), Joined(data, tuple(pieces)))
