"""The search: reassemble, decode, look for every secret and decoy, and say where each hit stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from typing import NamedTuple

from lab.detect import across, http1
from lab.detect.across import Joined
from lab.detect.batches import Batch, batches
from lab.detect.budget import Budget, Limits
from lab.detect.database import databases, search_rows
from lab.detect.excerpt import excerpt
from lab.detect.patterns import Match, Patterns, Wanted
from lab.detect.places import Region, place_of, regions
from lab.detect.reassembly import BODY, STREAM, reassemble
from lab.detect.salted import Salted, Session, Token, tokens
from lab.detect.views import View, overlap
from lab.detect.walk import GaveUp, Hit, matches, walk
from lab.model import Finding, Observation

_DECODED_ACROSS = 8 * 1024
"""Bytes put together from several messages that are decoded; more are only searched as they are."""

_SALTED_DEPTH = 2
"""Layers of encoding below which nothing is taken for a digest with a salt."""


@dataclass(frozen=True, slots=True)
class Search:
    """What was found and what was not looked into. `Finding.source` and `GaveUp.source` are indices into `sources`."""

    findings: tuple[Finding, ...]
    gave_up: tuple[GaveUp, ...]
    sources: tuple[Observation, ...]


class _Walked(NamedTuple):
    """What a batch holds: hits, as in source 0; texts that may hold salts; what may be a digest; what was given up."""

    hits: tuple[Hit, ...]
    texts: tuple[bytes, ...]
    tokens: tuple[Token, ...]
    gave_up: tuple[str, ...]


class Alike:
    """What one detector has made of the parts of a recording: what several observers got alike is decoded once.

    The same object for all searches of a recording, by the same detector.
    """

    def __init__(self) -> None:
        self._walked: dict[tuple[object, ...], _Walked] = {}

    def walked(self, root: View, walk: Callable[[View], _Walked]) -> _Walked:
        """What `walk` makes of `root`, or has made of another one that is equal to it."""
        key = (root.data, root.place, root.codings, root.starts, root.ends)
        if key not in self._walked:
            self._walked[key] = walk(root)
        return self._walked[key]


class Detector:
    """Looks for one set of secrets. Built once, used for any number of searches, which do not change it."""

    def __init__(self, secrets: Sequence[Wanted], limits: Limits = Limits(), salts: Sequence[bytes] = ()) -> None:  # noqa: B008 - frozen
        """`limits` apply to each source on its own; `salts` are tried with every digest.

        Raises ValueError, with the reason, for a secret or decoy that cannot be told from what others write.
        """
        self._limits = limits
        self._salts = tuple(salts)
        self._patterns, self._salted = _prepared(tuple(secrets))

    def search(
        self,
        observations: Sequence[Observation],
        session: Session | None = None,
        expired: Callable[[], bool] | None = None,
        alike: Alike | None = None,
    ) -> Search:
        """Search everything observed for every secret and its decoys.

        Pieces of a stream are joined first, rows of databases are read from file and write-ahead log, and every source
        is decoded as far as the decoders reach. Where findings of a secret overlap, the one with the shortest chain of
        decoders is kept. The findings are ordered by source and position. Any observed bytes are fine.

        `session` is what earlier searches of the same recording have seen, and learns from this one. `expired` is asked
        now and then; once it is true, the rest is given up. `alike` remembers what searches of the same recording have
        made of its parts.
        """
        session = Session() if session is None else session
        alike = Alike() if alike is None else alike
        sources = reassemble(observations)
        hits: list[Hit] = []
        gave_up: list[GaveUp] = []
        digests: list[tuple[Token, Batch]] = []
        # Rows first: of two equal findings the earlier is kept, and a row says more than an offset in the file.
        for database in databases(sources):
            rows, reasons = search_rows(database, sources, self._patterns, Budget(self._limits, expired))
            hits += rows
            gave_up += reasons
        for batch in batches(sources, _declared_codings(sources)):
            # Limits are those of a source, and a batch holds several.
            limits = replace(self._limits, findings=self._limits.findings * len(batch.joined.pieces))
            walked = alike.walked(batch.root, partial(self._walk, budget=Budget(limits, expired)))
            hits += chain.from_iterable(_at_sources(hit, batch) for hit in walked.hits)
            for text in walked.texts:
                session.note(text)
            digests += ((token, batch) for token in walked.tokens)
            first = batch.joined.pieces[0][1].source
            gave_up += (GaveUp(first, batch.root.place, why) for why in walked.gave_up)
        hits += self._with_salts(digests, session)
        hits += self._split(sources)
        return Search(_findings(hits, sources, self._limits.findings), tuple(gave_up), sources)

    def _walk(self, root: View, budget: Budget) -> _Walked:
        hits: list[Hit] = []
        texts: list[bytes] = []
        digests: list[Token] = []
        for view, text, found in walk(root, self._patterns, budget):
            for match in found:
                hits += Hit.all_of(view, match, budget.limits.findings)
            if text is not None and view.depth <= _SALTED_DEPTH:
                texts.append(text.data)
                digests += tokens(text)
        return _Walked(tuple(hits), tuple(texts), tuple(digests), budget.reasons)

    def _split(self, sources: Sequence[Observation]) -> Iterator[Hit]:
        """What is only whole once several messages are put together; the hit says where its first part stands."""
        together = across.joined(sources)
        if not together.data:
            return
        root = View(together.data, "")
        views: Iterable[tuple[View, list[Match]]]
        if len(together.data) <= _DECODED_ACROSS:
            budget = Budget(replace(self._limits, guesses=0))
            views = ((view, found) for view, _, found in walk(root, self._patterns, budget))
        else:
            views = [(root, matches(root, self._patterns, self._limits.findings))]
        for view, found in views:
            for match in found:
                hit = Hit.of(view, match, 0)
                if match.partial is None and sum(len(together.parts(*span)) for span in hit.spans) > 1:
                    yield _at_source(replace(hit, decoders=("split over messages", *hit.decoders)), together)

    def _with_salts(self, digests: Sequence[tuple[Token, Batch]], session: Session) -> Iterator[Hit]:
        batch_of = {id(token): batch for token, batch in digests}
        salts = chain(self._salts, session.salts())
        for token, match in self._salted.matches([token for token, _ in digests], salts, self._limits.hashes):
            yield from _at_sources(Hit.of(token.view, match, 0), batch_of[id(token)])


def _at_sources(hit: Hit, batch: Batch) -> Iterator[Hit]:
    """`hit`, whose spans are offsets into `batch`, in each source that holds the same bytes there."""
    found = _at_source(hit, batch.joined)
    yield found
    for source, behind in batch.elsewhere(hit.spans):
        yield replace(found, source=source, spans=tuple((start + behind, end + behind) for start, end in found.spans))


def _at_source(hit: Hit, joined: Joined) -> Hit:
    """`hit`, whose spans are offsets into `joined`, as one in the first of the sources that it touches."""
    parts = [part for span in hit.spans for part in joined.parts(*span)]
    first = parts[0].source if parts else joined.pieces[0][1].source
    spans = tuple((part.start, part.end) for part in parts if part.source == first)
    return Hit(hit.match, hit.view, first, spans or ((0, 0),), hit.decoders, hit.place)


def find(
    secrets: Sequence[Wanted],
    observations: Sequence[Observation],
    limits: Limits = Limits(),  # noqa: B008 - frozen
    alike: Alike | None = None,
) -> Search:
    """One search with a detector for `secrets`. ValueError as for Detector; `alike` as for its searches."""
    return Detector(secrets, limits).search(observations, alike=alike)


@lru_cache(maxsize=2)
def _prepared(secrets: tuple[Wanted, ...]) -> tuple[Patterns, Salted]:
    """Judging one record searches for the same secrets a dozen times."""
    patterns = Patterns(secrets)
    return patterns, Salted(patterns.values)


_Exchange = tuple[str, str, str, int]


def _exchange(source: Observation) -> _Exchange:
    return source.observer, source.connection, source.direction, source.exchange


def _declared_codings(sources: Sequence[Observation]) -> dict[int, tuple[str, ...]]:
    """The content codings that the header observation of each exchange declares for the body beside it."""
    declared = {
        _exchange(source): http1.fields(source.data).get("content-encoding", ())
        for source in sources
        if source.place == "http.header"
    }
    found = {index: declared.get(_exchange(source), ()) for index, source in enumerate(sources) if source.place == BODY}
    return {index: codings for index, codings in found.items() if codings}


def _findings(hits: Sequence[Hit], sources: Sequence[Observation], most: int) -> tuple[Finding, ...]:
    """The hits worth keeping, with the names of their places."""
    kept: dict[tuple[str, bool, int], list[Hit]] = {}
    named: dict[int, tuple[Region, ...]] = {}
    for hit in sorted(hits, key=_worth):
        others = kept.setdefault((hit.match.name, hit.match.decoy, hit.source), [])
        if len(others) < most and not any(overlap(hit.spans, other.spans) for other in others):
            others.append(hit)
    findings: list[Finding] = []
    for hit in (hit for group in kept.values() for hit in group):
        source = sources[hit.source]
        if source.place == STREAM and hit.source not in named:
            named[hit.source] = regions(source.data)
        findings.append(
            Finding(
                secret=hit.match.name,
                source=hit.source,
                place=hit.place or place_of(hit.spans, named.get(hit.source, ()), hit.view.place or source.place),
                spans=hit.spans,
                decoders=hit.decoders,
                excerpt=excerpt(hit.view.data, hit.match.start, hit.match.end),
                decoy=hit.match.decoy,
                partial=hit.match.partial,
            )
        )
    return tuple(sorted(findings, key=lambda finding: (finding.source, finding.spans)))


def _worth(hit: Hit) -> tuple[bool, int, bool]:
    """The whole before a piece of it, a short chain before a long one. A value found after decoding shows its
    surroundings as text; its encoded form would show more encoded text."""
    return hit.match.partial is not None, len(hit.decoders), bool(hit.match.decoders)
