from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping

import pytest

from lab.detect import database, search, sqlite, walk
from lab.detect.budget import Budget, Limits
from lab.detect.patterns import Patterns
from lab.detect.views import View
from lab.model import Capture, LeakMatrix, Mode
from lab.stage.stage import Stage

from .recordings import judged, padding_recorded, recorded, shortly_recorded


@pytest.fixture(scope="session")
def captures(stage: Stage) -> Mapping[Mode, Capture]:
    """The recording of each mode. They are frozen: break copies."""
    return recorded(stage)


@pytest.fixture(scope="session")
def brief(stage: Stage) -> Mapping[Mode, Capture]:
    """The same without the observers' own messages: quicker to judge, and as good for what is read."""
    return shortly_recorded(stage)


@pytest.fixture(scope="session")
def paddings(stage: Stage) -> Mapping[bool, Capture]:
    """Two recordings: of texts as they are (False), and of the same texts padded (True)."""
    return padding_recorded(stage)


@pytest.fixture(scope="session")
def matrices(stage: Stage) -> Mapping[Mode, LeakMatrix]:
    """The verdicts on them."""
    return judged(stage)


@pytest.fixture(scope="package", autouse=True)
def _known_bytes_are_read_once() -> Iterator[None]:
    """Tests judge hundreds of variants of three recordings, and nearly all of each is in the others as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_committed", functools.lru_cache(maxsize=8)(sqlite._committed))
        patch.setattr(search, "walk", _once)
        patch.setattr(database, "walk", _once)
        yield
        _walked.cache_clear()


@pytest.fixture
def forget() -> Callable[[], None]:
    """From then on everything is read again, as in a test of judging twice."""
    return _walked.cache_clear


def _once(root: View, patterns: Patterns, budget: Budget) -> Iterator[walk.Seen]:
    """As `walk`, which makes the same of the same bytes: with as many limits, as many decoders, and no clock."""
    seen, reasons = _walked(
        *(root.data, root.place, root.decoders, root.codings, root.starts, root.ends),
        *(patterns, budget.limits, walk.DECODERS),
    )
    for why in reasons:
        budget.give_up(why)
    return iter(seen)


@functools.lru_cache(maxsize=1024)
def _walked(
    data: bytes,
    place: str,
    decoders: tuple[str, ...],
    codings: tuple[str, ...],
    starts: tuple[int, ...],
    ends: tuple[int, ...],
    patterns: Patterns,
    limits: Limits,
    _decoders: object,
) -> tuple[tuple[walk.Seen, ...], tuple[str, ...]]:
    budget = Budget(limits)
    root = View(data, place, decoders=decoders, codings=codings, starts=starts, ends=ends)
    return tuple(walk.walk(root, patterns, budget)), budget.reasons
