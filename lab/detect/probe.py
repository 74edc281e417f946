"""Where a fixed string stands: on noise most of the time goes into finding out that one does not.

An automaton for a single string searches with the vector instructions of the machine, ten times as fast as
`bytes.find` where the string is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ahocorasick_rs import BytesAhoCorasick

_LITTLE = 256
"""Bytes below which asking it costs more than it saves."""

_LARGE = 64 * 1024


def first(needle: bytes, data: bytes) -> int:
    """Where `needle` stands in `data` for the first time, or -1."""
    return data.find(needle) if len(data) < _LITTLE else next(places(needle, data), -1)


def places(needle: bytes, data: bytes) -> Iterator[int]:
    """Where `needle` stands in `data`, each time behind the end of the last."""
    automaton, start, size = _automaton(needle), 0, _LITTLE
    while start < len(data):
        # It tells all places in a block at once. There may be one at every byte, and the first ones may be enough.
        done = start + size
        for _, at, end in automaton.find_matches_as_indexes(data[start : done + len(needle) - 1]):
            yield start + at
            done = max(done, start + end)
        start, size = done, min(2 * size, _LARGE)


@cache
def _automaton(needle: bytes) -> BytesAhoCorasick:
    return BytesAhoCorasick([needle])
