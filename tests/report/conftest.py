from __future__ import annotations

from collections.abc import Mapping

import pytest
from judging.recordings import judged

from lab.model import LeakMatrix, Mode


@pytest.fixture(scope="session")
def matrices() -> Mapping[Mode, LeakMatrix]:
    """The verdicts on the tour as it was recorded on real taps, mode by mode."""
    return judged()
