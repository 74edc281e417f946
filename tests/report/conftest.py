from __future__ import annotations

from collections.abc import Mapping

import pytest
from judging.recordings import judged

from lab.model import LeakMatrix, Mode
from lab.stage.stage import Stage


@pytest.fixture(scope="session")
def matrices(stage: Stage) -> Mapping[Mode, LeakMatrix]:
    """The verdicts on the tour as it was recorded on real taps, mode by mode."""
    return judged(stage)
