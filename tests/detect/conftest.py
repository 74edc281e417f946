from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .databases import Copies


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Copies]:
    copies = Copies(tmp_path / "messages.db")
    yield copies
    copies.connection.close()
