"""New files that only their owner can read, from their first byte on."""

from __future__ import annotations

import os
from pathlib import Path


def create(path: Path) -> int:
    """A descriptor to write the new file `path` with, mode 0600. FileExistsError: nothing is ever overwritten."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
