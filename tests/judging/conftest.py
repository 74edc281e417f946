from __future__ import annotations

from collections.abc import Mapping

import pytest

from lab.model import Capture, LeakMatrix, Mode

from .recordings import judged, recorded


@pytest.fixture(scope="session")
def captures() -> Mapping[Mode, Capture]:
    """The recording of each mode. They are frozen: break copies."""
    return recorded()


@pytest.fixture(scope="session")
def matrices() -> Mapping[Mode, LeakMatrix]:
    """The verdicts on them."""
    return judged()
