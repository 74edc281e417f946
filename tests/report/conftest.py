from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from judging.recordings import judged

from lab.model import LeakMatrix, Mode
from lab.stage.stage import Stage

from . import chromium


@pytest.fixture(scope="session")
def matrices(stage: Stage) -> Mapping[Mode, LeakMatrix]:
    """The verdicts on the tour as it was recorded on real taps, mode by mode."""
    return judged(stage)


@pytest.fixture(scope="session")
def page() -> Iterator[chromium.Page]:
    """One browser for all pages; whoever depends on the size of its window sets it."""
    program = chromium.find()
    if program is None:
        pytest.skip("no Chromium on the path; on Debian: apt-get install chromium")
    with chromium.opened(program) as page:
        yield page


@pytest.fixture(scope="session")
def axe() -> str:
    """See chromium.axe."""
    source = chromium.axe()
    if source is None:
        pytest.skip(f"no axe-core; pip install {chromium.AXE.replace('_', '-')}")
    return source
