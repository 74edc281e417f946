"""Walking through everything that decoding makes of a source, and matching the patterns in it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from lab.detect import compression, stretches
from lab.detect.budget import Budget, Exhausted
from lab.detect.decoders import DECODERS, Kind, Reads
from lab.detect.patterns import Match, Patterns
from lab.detect.views import Span, View, everywhere, locate, origin

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

    @classmethod
    def all_of(cls, view: View, match: Match, most: int) -> Iterator[Hit]:
        """The same for each time that the decoded bytes stand in source 0, at most so many times."""
        for spans in everywhere(view, match.start, match.end, most):
            yield cls(match, view, 0, spans, view.decoders + match.decoders)


class Seen(NamedTuple):
    """A view, its stretches of text (None if it has none), and what stands in it."""

    view: View
    text: View | None
    matches: list[Match]


@dataclass(frozen=True, slots=True)
class _Step:
    """A view that is still to be looked at, how many guesses led to it, and the last of them in this layer."""

    view: View
    guesses: int = 0
    last: Kind = Kind.CERTAIN

    def allows(self, kind: Kind, most: int) -> bool:
        """Whether decoders of that kind make sense here, if at most so many guesses may be made."""
        if kind is Kind.CERTAIN:
            return True
        if self.guesses >= most:
            return False
        if kind is Kind.REARRANGES:
            return self.last not in (Kind.REARRANGES, Kind.TURNS)
        return kind is not Kind.TURNS or self.last is not Kind.TURNS


def walk(root: View, patterns: Patterns, budget: Budget) -> Iterator[Seen]:
    """A view and everything decoded from it, short chains first."""
    queue = deque([_Step(root)])
    most = budget.guesses(len(root.data))
    # The same bytes are often reached in several ways, such as two decoders that commute.
    seen: set[tuple[int, tuple[str, ...], bytes]] = set()
    try:
        while queue:
            step = queue.popleft()
            budget.ask()
            text = stretches.text(step.view)
            yield Seen(step.view, text, matches(step.view, patterns, budget.limits.findings))
            # What a guess makes of a view in the last layer would be one layer too deep.
            guesses = most if step.view.depth < budget.limits.depth else 0
            for child in _children(step, text, budget, guesses):
                view = child.view
                key = (origin(view), view.codings, view.data)
                if key in seen:
                    continue
                seen.add(key)
                budget.spend(len(view.data))
                if view.depth <= budget.limits.depth:
                    queue.append(child)
                elif _CERTAIN.issuperset(view.decoders[-_SURE:]) and _is_more(view.data):
                    budget.give_up(f"more than {budget.limits.depth} layers of encoding")
    except Exhausted as reason:
        budget.give_up(str(reason))


def _children(step: _Step, text: View | None, budget: Budget, most: int) -> Iterator[_Step]:
    if step.view.final:
        return
    kinds = [kind for kind in Kind if step.allows(kind, most)]
    for decoder in DECODERS:
        target = step.view if decoder.reads is Reads.BYTES else text
        if target is None or decoder.kind not in kinds:
            continue
        guesses = step.guesses + (decoder.kind is not Kind.CERTAIN)
        last = Kind.CERTAIN if decoder.kind is Kind.GUESS else decoder.kind
        for view in decoder.decode(target, budget):
            if view.data:
                yield _Step(view, guesses, last)


def _is_more(data: bytes) -> bool:
    """Whether there is something to read, or one more layer that can be told by its beginning."""
    return data.startswith((compression.GZIP_MAGIC, compression.ZSTD_MAGIC)) or _READABLE.search(data) is not None


def matches(view: View, patterns: Patterns, most: int) -> list[Match]:
    """What stands in a view, at most so many times for each value and way of writing it."""
    counts: dict[tuple[str, bool, tuple[str, ...]], int] = {}
    found: list[Match] = []
    for match in chain(patterns.search(view.data), patterns.search_xored(view.data)):
        kind = (match.name, match.decoy, match.decoders)
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= most:
            found.append(match)
    return found
