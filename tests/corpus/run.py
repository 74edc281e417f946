"""Puts cases before the detector and judges what it says: the one module here that knows the detector."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from lab.detect import Detector, Search
from lab.model import Finding
from tests.corpus import replay
from tests.corpus.case import Case, Expect, Planted


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case. `found`: as expected (for an innocent: nothing was found)."""

    case: Case
    found: bool
    false_alarms: tuple[Finding, ...]
    gave_up: tuple[str, ...]
    place: str
    """Where it was found instead, if the place is not one of those expected."""
    replayed: bool | None
    """Whether decoding the spans again gave the value; None if that was not tried."""
    chain: tuple[str, ...]
    seconds: float
    note: str = ""


SECONDS = 10.0
"""For one case: more is given up."""


def run(cases: Iterable[Case], seconds: float = SECONDS) -> Iterator[Outcome]:
    for case in cases:
        try:
            yield judge(case, seconds)
        except Exception as error:
            error.add_note(f"in {case.group} / {case.name}")
            raise


def judge(case: Case, seconds: float = SECONDS) -> Outcome:
    detector = _detector(case.secrets, case.salts)
    before = time.perf_counter()
    search = detector.search(case.observations, expired=lambda: time.perf_counter() - before > seconds)
    taken = time.perf_counter() - before
    mine = [one for one in search.findings if one.secret == case.secret and not one.decoy]
    good = [one for one in mine if _as_expected(one, case)]
    false = [one for one in search.findings if one not in mine]
    if case.expect is Expect.PARTIAL:
        false += [one for one in mine if one.partial is None and one not in good]
    gave_up = tuple(one.why for one in search.gave_up)
    placed = [one for one in good if not case.places or one.place.startswith(case.places)]
    best = next(iter(placed or good), None)
    found = not false and bool(gave_up) if case.expect is Expect.GAVE_UP else best is not None
    if case.expect is Expect.NOTHING:
        found = not search.findings
    note = ""
    if best is None and mine:
        note = f"only {mine[0].decoders}, partial {mine[0].partial}"
    return Outcome(
        case=case,
        found=found,
        false_alarms=tuple(false),
        gave_up=gave_up,
        place="" if placed or best is None else best.place,
        replayed=None if best is None else _replayed(case, best, search),
        chain=() if best is None else best.decoders,
        seconds=taken,
        note=note,
    )


@lru_cache(maxsize=8)
def _detector(secrets: tuple[Planted, ...], salts: tuple[bytes, ...]) -> Detector:
    return Detector(secrets, salts=salts)


def _as_expected(finding: Finding, case: Case) -> bool:
    match case.expect:
        case Expect.WHOLE:
            return finding.partial is None
        case Expect.PARTIAL:
            return finding.partial is not None
        case Expect.DIGEST:
            return _plain(case.digest) in _plain("".join(finding.decoders[-1:]))
    return False


def _plain(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _replayed(case: Case, finding: Finding, search: Search) -> bool | None:
    if case.expect is not Expect.WHOLE:
        return None
    source = search.sources[finding.source].data
    pointed_at = b"".join(source[start:end] for start, end in finding.spans)
    # What stands between the numbers of a list belongs to none of them, and yet parts them.
    stretch = source[finding.spans[0][0] : finding.spans[-1][1]]
    first = replay.replays(finding.decoders, pointed_at, case.value)
    return first if first is not False else replay.replays(finding.decoders, stretch, case.value)
