"""The search itself: one file, or a part of a large plain one, entry by entry."""

from __future__ import annotations

import re
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.detect import Detector, Search, Session
from lab.detect.excerpt import printable
from lab.detect.places import detail
from lab.model import Direction, Finding, LabError, Observation
from lab.scan import readers
from lab.scan.entry import Entry, Read, Unread, at_rest
from lab.scan.result import Found, Missed
from lab.scan.source import Source
from lab.scan.wanted import MASK, Wanted

_AT_THE_EDGE = 3
"""Characters of a secret that are masked where an excerpt begins or ends within it."""
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Task:
    """What to look for and how; the same for all files."""

    secrets: tuple[Wanted, ...]
    salts: tuple[bytes, ...] = ()
    seconds: float = 60.0
    """For one entry."""
    keylog: Path | None = None
    show: bool = False
    """Secrets may stand in excerpts."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A file, or the windows of a plain one that begin in [start, end). `number` is its place in the order."""

    number: int
    name: str
    size: int
    """Bytes of it, for the progress."""
    window: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """So many bytes of the unit are done."""

    bytes: int


type Step = Found | Missed | Progress


class Scanner:
    """Searches units. Making one builds the detector's tables, so one serves many units."""

    def __init__(self, task: Task) -> None:
        """Raises ValueError for a secret that cannot be told from chance; it names the secret, not its value."""
        self._task = task
        self._detector = Detector(task.secrets, salts=task.salts)
        self._mask = Mask(task.secrets, self._search)

    def shown(self, name: str) -> str:
        """The name of a file or place as a report may print it: secrets in it are covered, however they are written."""
        return name if self._task.show else self._mask.name(name)

    def scan(self, unit: Unit, source: Source) -> Iterator[Step]:
        """Everything in a unit; whatever goes wrong with it is something that was missed."""
        session = Session()
        base = unit.window[0] if unit.window else 0
        try:
            for one in self._read(unit, source):
                if isinstance(one, Unread):
                    yield Missed(unit.name, one.flow, one.place, one.why)
                else:
                    yield from self._searched(unit, one, session)
                yield Progress(min(unit.size, max(0, one.end - base)))
        except OSError as error:
            yield Missed(unit.name, None, "file", f"cannot be read: {error.strerror or type(error).__name__}")
        except Exception as error:  # noqa: BLE001 - one file must not end the search of thousands
            yield Missed(unit.name, None, "file", f"reading failed: {_whereabouts(error)}; the rest is not scanned")
        yield Progress(unit.size)

    def _read(self, unit: Unit, source: Source) -> Iterator[Read]:
        if unit.window:
            return readers.read_window(source, *unit.window)
        return readers.read(source, self._task.keylog)

    def _search(self, observations: Sequence[Observation], session: Session | None = None) -> Search:
        deadline = time.monotonic() + self._task.seconds
        return self._detector.search(observations, session=session, expired=lambda: time.monotonic() > deadline)

    def _searched(self, unit: Unit, entry: Entry, session: Session) -> Iterator[Step]:
        try:
            yield from self._entry(unit, entry, session)
        except Exception as error:  # noqa: BLE001 - nor one entry that of the others
            place = entry.observations[0].place
            yield Missed(unit.name, entry.flow, place, f"the search failed: {_whereabouts(error)}")

    def _entry(self, unit: Unit, entry: Entry, session: Session) -> Iterator[Step]:
        search = self._search(entry.observations, session)
        numbers = _numbers(search.sources, entry)
        for finding in search.findings:
            source = search.sources[finding.source]
            base = entry.bases.get(source.direction, 0)
            place = finding.place
            if source.place == place and not finding.decoders:  # else the text before it may belong to something else
                place = detail(place, source.data, finding.spans)
            yield Found(
                secret=finding.secret,
                file=unit.name,
                flow=entry.flow,
                # A name in it, of a field or a file, may be a secret too.
                place=self.shown(place),
                spans=tuple((base + start, base + end) for start, end in finding.spans),
                decoders=entry.decoders + finding.decoders,
                excerpt=finding.excerpt if self._task.show else self._mask.excerpt(finding, search),
                partial=finding.partial,
                direction=source.direction,
                message=numbers[finding.source],
                space="/".join((*entry.decoders, source.place)),
                in_file=entry.flow is None
                and source.place.startswith(("file", "database.file"))
                and not entry.decoders,
            )
        for given_up in search.gave_up:
            # The reason may quote what was read, such as a declared encoding that nobody knows.
            yield Missed(unit.name, entry.flow, given_up.place, self.shown(given_up.why))


def _numbers(sources: Sequence[Observation], entry: Entry) -> list[int]:
    """For each source the how-manieth of its place and direction it is in its flow."""
    counts: Counter[tuple[str, Direction]] = Counter()
    numbers = []
    for source in sources:
        key = source.place, source.direction
        numbers.append(entry.firsts.get(source.direction, 0) + counts[key])
        counts[key] += 1
    return numbers


def _whereabouts(error: Exception) -> str:
    """Kind and place of an error of the program, without its text: that may hold what was read."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


class Mask:
    """Takes the secrets out of excerpts, with the detector itself: whatever it reads there is covered."""

    def __init__(self, secrets: Sequence[Wanted], search: Callable[[Sequence[Observation]], Search]) -> None:
        self._search = search
        texts = {secret.value.decode(errors="surrogateescape") for secret in secrets}
        self._texts = sorted(texts, key=len, reverse=True)
        self._plain = re.compile("|".join(map(re.escape, self._texts)), re.IGNORECASE)

    def name(self, text: str) -> str:
        """A name that stands by itself, such as that of a file."""
        covered = self._covered(text)
        return MASK * 8 if covered is None else covered

    def excerpt(self, finding: Finding, search: Search) -> str:
        """The surroundings of a finding. The match itself, and what else the detector finds there, is covered."""
        shown = self._covered(self._edges(finding.excerpt))
        if shown is not None and MASK in shown:
            return shown
        # The match is not readable in it, such as a digest: then what stands around it in the record.
        source = search.sources[finding.source].data
        first, last = finding.spans[0][0], finding.spans[-1][1]
        before, after = printable(source[max(0, first - 32) : first]), printable(source[last : last + 32])
        around = (self._covered(self._edges(text)) or "" for text in (before, after))
        return (MASK * 8).join(around)

    def _covered(self, text: str) -> str | None:
        """None: there is something in it that cannot be covered."""
        text = self._plain.sub(lambda match: MASK * len(match[0]), text)
        for _ in range(_ROUNDS):
            findings = self._search([at_rest("file", text.encode(errors="replace"))]).findings
            if not findings:
                return text
            text = _cover(text, [span for finding in findings for span in finding.spans])
        return None

    def _edges(self, text: str) -> str:
        """An excerpt may begin or end in the middle of a secret."""
        for secret in self._texts:
            for size in range(min(len(secret), len(text)), _AT_THE_EDGE - 1, -1):
                if text[:size].lower() == secret[-size:].lower():
                    text = MASK * size + text[size:]
                    break
            for size in range(min(len(secret), len(text)), _AT_THE_EDGE - 1, -1):
                if text[-size:].lower() == secret[:size].lower():
                    text = text[:-size] + MASK * size
                    break
        return text


def _cover(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """`text` with the characters covered whose UTF-8 bytes are in one of the spans."""
    at, shown = 0, []
    for char in text:
        size = len(char.encode(errors="replace"))
        shown.append(MASK if any(at < end and start < at + size for start, end in spans) else char)
        at += size
    return "".join(shown)


def scanner_for(task: Task) -> Scanner:
    """LabError for secrets that nobody can look for."""
    try:
        return Scanner(task)
    except ValueError as error:
        raise LabError(str(error)) from None
