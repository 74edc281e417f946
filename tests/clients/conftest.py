"""The built-in cases, made once: their keys are the dear part."""

from __future__ import annotations

import pytest

from lab.clients.builtin import built_in
from lab.clients.case import Case


@pytest.fixture(scope="session")
def cases() -> tuple[Case, ...]:
    return built_in()
