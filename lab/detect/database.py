"""Searching the rows of recorded databases: what lies scattered over pages is whole there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import NamedTuple

from lab.detect.budget import Budget
from lab.detect.patterns import Patterns
from lab.detect.sqlite import SEPARATOR, Row, SqliteError, image, rows
from lab.detect.views import Builder, Span, View
from lab.detect.walk import GaveUp, Hit, Seen, matches, walk
from lab.model import Observation

DATABASE_FILE, DATABASE_WAL, DATABASE_ROW = "database.file", "database.wal", "database.row"
_ROW_END = b"\x1e"
MIN_PIECE = 6
"""Bytes of a value that SQLite spread over pages; fewer stand in a file of some megabytes by chance."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database file among the sources, and the write-ahead log beside it; None is missing."""

    file: int | None
    wal: int | None


def search_rows(
    database: Database, sources: Sequence[Observation], patterns: Patterns, budget: Budget
) -> tuple[list[Hit], list[GaveUp]]:
    """What stands in the rows of `database`; the hits say where that is in the recorded files."""
    if database.file is None:
        index = database.wal or 0
        return [], [GaveUp(index, DATABASE_WAL, "the database file of this write-ahead log is missing")]
    files = [(index, sources[index].data) for index in (database.file, database.wal) if index is not None]
    try:
        found = list(rows(image(*(data for _, data in files))))
    except SqliteError as error:
        return [], [GaveUp(database.file, DATABASE_FILE, str(error))]
    text = _ROW_END.join(row.data for row in found)
    root = View(text, DATABASE_ROW, decoders=("sqlite",))
    columns = _columns(root, found)
    joined = Seen(columns, None, matches(columns, patterns, budget.limits.findings))
    hits: list[Hit] = []
    # The same value stands in many rows.
    known: dict[bytes, _Where] = {}
    for view, _, held in (*walk(root, patterns, budget), joined):
        for match in held:
            hit = Hit.of(view, match, database.file, DATABASE_ROW)
            value = text[hit.spans[0][0] : hit.spans[-1][1]]
            where = known.get(value) or known.setdefault(value, _in_files(value, files))
            decoders = hit.decoders[1:] if where.whole else hit.decoders
            hits.append(replace(hit, source=where.source, spans=where.spans, decoders=decoders))
    return hits, [GaveUp(database.file, DATABASE_ROW, why) for why in budget.reasons]


def _columns(root: View, found: Sequence[Row]) -> View:
    """The values of each column of each table, one row after the other: a secret may be split over rows."""
    columns: dict[tuple[str, int], list[Span]] = {}
    at = 0
    for row in found:
        for number, value in enumerate(row.data.split(SEPARATOR)):
            columns.setdefault((row.table, number), []).append((at, at + len(value)))
            at += len(value) + len(SEPARATOR)
        at += len(_ROW_END) - len(SEPARATOR)
    builder = Builder()
    for spans in columns.values():
        for start, end in spans if len(spans) > 1 else ():
            builder.add(root.data[start:end], start)
        builder.gap()
    return builder.view(root, "rows joined")


class _Where(NamedTuple):
    """Where a value of a row stands in the recorded files; `whole`: in one piece, without any decoder for the file."""

    source: int
    spans: tuple[Span, ...]
    whole: bool


def _in_files(value: bytes, files: Sequence[tuple[int, bytes]]) -> _Where:
    """Where `value` is readable in a recorded file.

    If it stands in one piece nowhere, it is scattered over pages: the spans are those of its pieces, or the whole file
    if they are too short to be told from chance.
    """
    for index, data in files:
        if (at := data.find(value)) >= 0:
            return _Where(index, ((at, at + len(value)),), whole=True)
    for index, data in files:
        if pieces := _pieces(value, data):
            return _Where(index, pieces, whole=False)
    index, data = next(file for file in files if file[1])
    return _Where(index, ((0, len(data)),), whole=False)


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


def databases(sources: Sequence[Observation]) -> Iterator[Database]:
    """The n-th database file of an observer goes with its n-th write-ahead log."""
    found: dict[tuple[str, str, int], tuple[list[int], list[int]]] = {}
    for index, source in enumerate(sources):
        if source.place in (DATABASE_FILE, DATABASE_WAL):
            files, logs = found.setdefault((source.observer, source.connection, source.exchange), ([], []))
            (files if source.place == DATABASE_FILE else logs).append(index)
    for files, logs in found.values():
        yield from (Database(file, wal) for file, wal in zip_longest(files, logs))
