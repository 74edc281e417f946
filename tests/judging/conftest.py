from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

import pytest

from lab.detect import sqlite
from lab.model import Capture, LeakMatrix, Mode
from lab.stage.stage import Stage

from .recordings import judged, recorded, shortly_recorded


@pytest.fixture(scope="session")
def captures(stage: Stage) -> Mapping[Mode, Capture]:
    """The recording of each mode. They are frozen: break copies."""
    return recorded(stage)


@pytest.fixture(scope="session")
def brief(stage: Stage) -> Mapping[Mode, Capture]:
    """The same without the observers' own messages: quicker to judge, and as good for what is read."""
    return shortly_recorded(stage)


@pytest.fixture(scope="session")
def matrices(stage: Stage) -> Mapping[Mode, LeakMatrix]:
    """The verdicts on them."""
    return judged(stage)


@pytest.fixture(scope="package", autouse=True)
def _logs_are_read_once() -> Iterator[None]:
    """Tests judge hundreds of variants of three recordings, and checking a write-ahead log takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_committed", functools.lru_cache(maxsize=8)(sqlite._committed))
        yield
