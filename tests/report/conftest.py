from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from judging.recordings import judged

from lab.model import LeakMatrix, Mode
from lab.stage.stage import Stage

from . import chromium

AXE = "axe_playwright_python"
"""A package that brings axe-core; nothing else in it is used."""


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
    """The source of axe-core, which looks for what keeps people from reading a page."""
    spec = find_spec(AXE)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"no axe-core; pip install {AXE.replace('_', '-')}")
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")
