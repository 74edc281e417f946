"""Walking through everything that decoding makes of a source, and matching the patterns in it."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from lab.detect import compression, stretches
from lab.detect.budget import Budget, Exhausted
from lab.detect.decoders import DECODERS, Reads
from lab.detect.patterns import Match, Patterns
from lab.detect.views import Span, View, locate, origin

_READABLE = re.compile(rb"[\t\n\r -~]{24}")
"""So much text in a row does not come out of noise: there is one more layer."""


_CERTAIN = frozenset(
    {"base64", "hex", "percent", "json", "javascript", "html", "quoted-printable", "gzip", "zstd", "utf-16le"}
)
_SURE = 4
"""Below so many of these there is a message that somebody wrapped; below others there may be noise that looks like one,
and a search that gave up over noise could never say that nothing was found."""


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Something in `source` (an index into Search.sources) was not decoded: absence proves nothing there."""

    source: int
    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Hit:
    """`match` in `view`, which is `spans` of a source. `place` "" is still to be named."""

    match: Match
    view: View
    source: int
    spans: tuple[Span, ...]
    decoders: tuple[str, ...]
    place: str = ""

    @classmethod
    def of(cls, view: View, match: Match, source: int, place: str = "") -> Hit:
        spans = locate(view, match.start, match.end)
        return cls(match, view, source, spans, view.decoders + match.decoders, place)


def walk(root: View, patterns: Patterns, budget: Budget) -> Iterator[tuple[View, list[Match]]]:
    """A view and everything decoded from it, short chains first, each with what stands in it."""
    queue = deque([(root, 0)])
    most = budget.guesses(len(root.data))
    # The same bytes are often reached in several ways, such as two decoders that commute.
    seen: set[tuple[int, tuple[str, ...], bytes]] = set()
    try:
        while queue:
            view, guesses = queue.popleft()
            budget.ask()
            yield view, matches(view, patterns, budget.limits.findings)
            for child, guessed in _children(view, budget, certain=guesses >= most):
                key = (origin(child), child.codings, child.data)
                if key in seen:
                    continue
                seen.add(key)
                budget.spend(len(child.data))
                if child.depth <= budget.limits.depth:
                    queue.append((child, guesses + guessed))
                elif _CERTAIN.issuperset(child.decoders[-_SURE:]) and _is_more(child.data):
                    budget.give_up(f"more than {budget.limits.depth} layers of encoding")
    except Exhausted as reason:
        budget.give_up(str(reason))


def _is_more(data: bytes) -> bool:
    """Whether there is something to read, or one more layer that can be told by its beginning."""
    return data.startswith((compression.GZIP_MAGIC, compression.ZSTD_MAGIC)) or _READABLE.search(data) is not None


def _children(view: View, budget: Budget, *, certain: bool) -> Iterator[tuple[View, bool]]:
    """What the decoders make of a view, the certain ones alone or all, and whether it is a guess."""
    if view.final:
        return
    text = stretches.text(view)
    for decoder in DECODERS:
        target = view if decoder.reads is Reads.BYTES else text
        if target is not None and (decoder.certain or not certain):
            yield from ((child, not decoder.certain) for child in decoder.decode(target, budget) if child.data)


def matches(view: View, patterns: Patterns, most: int) -> list[Match]:
    """What stands in a view, at most so many times for each value and way of writing it."""
    counts = Counter[tuple[str, bool, tuple[str, ...]]]()
    found: list[Match] = []
    for match in chain(patterns.search(view.data), patterns.search_xored(view.data)):
        kind = (match.name, match.decoy, match.decoders)
        counts[kind] += 1
        if counts[kind] <= most:
            found.append(match)
    return found
