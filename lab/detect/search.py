"""The search: reassemble, decode, look for every secret and decoy, and say where each hit stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest

from lab.detect import http1
from lab.detect.budget import Budget, Exhausted, Limits
from lab.detect.decoders import DECODERS
from lab.detect.excerpt import excerpt
from lab.detect.forms import Needle, Needles
from lab.detect.places import Region, place_of, regions
from lab.detect.reassembly import BODY, STREAM, reassemble
from lab.detect.sqlite import SqliteError, image, rows
from lab.detect.views import Span, View, locate
from lab.model import Finding, Observation, Secret, SecretName

DATABASE_FILE, DATABASE_WAL, DATABASE_ROW = "database.file", "database.wal", "database.row"
_ROW_END = b"\x1e"
MIN_PIECE = 6
"""Bytes of a value that SQLite spread over pages; fewer stand in a file of some megabytes by chance."""
_READABLE = re.compile(rb"[\t\n\r -~]{24}")
"""So much text in a row does not come out of noise: there is one more layer."""


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Something in `source` (an index into Search.sources) was not decoded: absence proves nothing there."""

    source: int
    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Search:
    """What was found and what was not looked into. `Finding.source` and `GaveUp.source` are indices into `sources`."""

    findings: tuple[Finding, ...]
    gave_up: tuple[GaveUp, ...]
    sources: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class _Hit:
    """A needle at `start` of `view`, which is `spans` of a source. `place` "" is still to be named."""

    needle: Needle
    view: View
    start: int
    source: int
    spans: tuple[Span, ...]
    decoders: tuple[str, ...]
    place: str = ""


@dataclass(frozen=True, slots=True)
class _Database:
    """A database file among the sources, and the write-ahead log beside it; None is missing."""

    file: int | None
    wal: int | None


def find(secrets: Sequence[Secret], observations: Sequence[Observation], limits: Limits = Limits()) -> Search:  # noqa: B008 - frozen
    """Search everything observed for every secret and its decoys.

    Pieces of a stream are joined first, rows of databases are read from file and write-ahead log, and every source is
    decoded as far as the decoders reach. Where findings of a secret overlap, the one with the shortest chain of
    decoders is kept. The findings are ordered by source and position. `limits` apply to each source on its own.

    Raises ValueError for a secret or decoy too short to stand out (see forms.MIN_VALUE); any observed bytes are fine.
    """
    needles = _needles(tuple(secrets))
    sources = reassemble(observations)
    hits: list[_Hit] = []
    gave_up: list[GaveUp] = []
    # Rows first: of two equal findings the earlier is kept, and a row says more than an offset in the file.
    for database in _databases(sources):
        found, reasons = _search_rows(database, sources, needles, limits)
        hits += found
        gave_up += reasons
    codings = _declared_codings(sources)
    for index, source in enumerate(sources):
        budget = Budget(limits)
        declared = codings.get(_exchange(source), ()) if source.place == BODY else ()
        root = View(source.data, source.place, codings=declared)
        for needle, view, start in _walk(root, needles, budget):
            spans = locate(view, start, start + len(needle.form.data))
            hits.append(_Hit(needle, view, start, index, spans, view.decoders + needle.form.decoders))
        gave_up += (GaveUp(index, source.place, why) for why in budget.reasons)
    return Search(_findings(hits, sources, limits.findings), tuple(gave_up), sources)


@lru_cache(maxsize=4)
def _needles(secrets: tuple[Secret, ...]) -> Needles:
    """Judging one record searches for the same secrets a dozen times."""
    return Needles(secrets)


def _walk(root: View, needles: Needles, budget: Budget) -> Iterator[tuple[Needle, View, int]]:
    """Every match in a view and in everything decoded from it, short chains first."""
    queue = deque([root])
    # The same bytes are often reached in several ways, such as two decoders that commute.
    seen: set[tuple[tuple[Span, ...], tuple[str, ...], bytes]] = set()
    try:
        while queue:
            view = queue.popleft()
            yield from _matches(view, needles, budget.limits.findings)
            for child in (child for decoder in DECODERS for child in decoder(view, budget) if child.data):
                key = (locate(child, 0, 1), child.codings, child.data)
                if key in seen:
                    continue
                seen.add(key)
                budget.spend(len(child.data))
                if child.depth <= budget.limits.depth:
                    queue.append(child)
                elif _READABLE.search(child.data):
                    budget.give_up(f"more than {budget.limits.depth} layers of encoding")
    except Exhausted as reason:
        budget.give_up(str(reason))


def _matches(view: View, needles: Needles, most: int) -> Iterator[tuple[Needle, View, int]]:
    for needle in needles.candidates(view.data):
        at = view.data.find(needle.form.data)
        for _ in range(most):
            if at < 0:
                break
            yield needle, view, at
            at = view.data.find(needle.form.data, at + len(needle.form.data))


def _search_rows(
    database: _Database, sources: Sequence[Observation], needles: Needles, limits: Limits
) -> tuple[list[_Hit], list[GaveUp]]:
    if database.file is None:
        index = database.wal or 0
        return [], [GaveUp(index, DATABASE_WAL, "the database file of this write-ahead log is missing")]
    files = [(index, sources[index].data) for index in (database.file, database.wal) if index is not None]
    budget, hits = Budget(limits), list[_Hit]()
    try:
        text = _ROW_END.join(row.data for row in rows(image(*(data for _, data in files))))
    except SqliteError as error:
        return [], [GaveUp(database.file, DATABASE_FILE, str(error))]
    for needle, view, start in _walk(View(text, DATABASE_ROW, decoders=("sqlite",)), needles, budget):
        spans = locate(view, start, start + len(needle.form.data))
        decoders = view.decoders + needle.form.decoders
        hits.append(_in_files(text, files, _Hit(needle, view, start, database.file, spans, decoders, DATABASE_ROW)))
    return hits, [GaveUp(database.file, DATABASE_ROW, why) for why in budget.reasons]


def _in_files(text: bytes, files: Sequence[tuple[int, bytes]], hit: _Hit) -> _Hit:
    """The hit with offsets into the recorded file in place of the rows' text.

    Where the value stands in one piece in a file, that is where it is readable, without any decoder for the file.
    Otherwise it is scattered over pages: the spans are those of its pieces, or the whole file if they are too short
    to be told from chance.
    """
    value = text[hit.spans[0][0] : hit.spans[-1][1]]
    for index, data in files:
        if (at := data.find(value)) >= 0:
            return replace(hit, source=index, spans=((at, at + len(value)),), decoders=hit.decoders[1:])
    for index, data in files:
        if pieces := _pieces(value, data):
            return replace(hit, source=index, spans=pieces)
    index, data = next(file for file in files if file[1])
    return replace(hit, source=index, spans=((0, len(data)),))


def _pieces(value: bytes, data: bytes) -> tuple[Span, ...]:
    """Where the parts of `value` stand in `data`, each as long as possible; () if one is too short to be certain."""
    spans: list[Span] = []
    start = 0
    while start < len(value):
        found = bisect_right(range(start + 1, len(value) + 1), 0, key=lambda end: value[start:end] not in data)
        if found < MIN_PIECE:
            return ()
        at = data.index(value[start : start + found])
        spans.append((at, at + found))
        start += found
    return tuple(spans)


def _databases(sources: Sequence[Observation]) -> Iterator[_Database]:
    """The n-th database file of an observer goes with its n-th write-ahead log."""
    found: dict[tuple[str, str, int], tuple[list[int], list[int]]] = {}
    for index, source in enumerate(sources):
        if source.place in (DATABASE_FILE, DATABASE_WAL):
            files, logs = found.setdefault((source.observer, source.connection, source.exchange), ([], []))
            (files if source.place == DATABASE_FILE else logs).append(index)
    for files, logs in found.values():
        yield from (_Database(file, wal) for file, wal in zip_longest(files, logs))


_Exchange = tuple[str, str, str, int]


def _exchange(source: Observation) -> _Exchange:
    return source.observer, source.connection, source.direction, source.exchange


def _declared_codings(sources: Sequence[Observation]) -> dict[_Exchange, tuple[str, ...]]:
    """The content codings that the header observation of each exchange declares for the body beside it."""
    return {
        _exchange(source): http1.fields(source.data).get("content-encoding", ())
        for source in sources
        if source.place == "http.header"
    }


def _findings(hits: Sequence[_Hit], sources: Sequence[Observation], most: int) -> tuple[Finding, ...]:
    """The hits worth keeping, with the names of their places."""
    kept: dict[tuple[SecretName, bool, int], list[_Hit]] = {}
    named: dict[int, tuple[Region, ...]] = {}
    # A value found after decoding shows its surroundings as text; its encoded form would show more encoded text.
    for hit in sorted(hits, key=lambda hit: (len(hit.decoders), bool(hit.needle.form.decoders))):
        others = kept.setdefault((hit.needle.secret, hit.needle.decoy, hit.source), [])
        if len(others) < most and not any(_overlap(hit.spans, other.spans) for other in others):
            others.append(hit)
    findings: list[Finding] = []
    for hit in (hit for group in kept.values() for hit in group):
        source = sources[hit.source]
        if source.place == STREAM and hit.source not in named:
            named[hit.source] = regions(source.data)
        findings.append(
            Finding(
                secret=hit.needle.secret,
                source=hit.source,
                place=hit.place or place_of(hit.spans, named.get(hit.source, ()), source.place),
                spans=hit.spans,
                decoders=hit.decoders,
                excerpt=excerpt(hit.view.data, hit.start, hit.start + len(hit.needle.form.data)),
                decoy=hit.needle.decoy,
            )
        )
    return tuple(sorted(findings, key=lambda finding: (finding.source, finding.spans)))


def _overlap(some: tuple[Span, ...], others: tuple[Span, ...]) -> bool:
    return any(start < other_end and other_start < end for start, end in some for other_start, other_end in others)
