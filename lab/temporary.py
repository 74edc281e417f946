"""Temporary folders, gone again at whichever moment Ctrl-C comes."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_folder(prefix: str = "lab-") -> Iterator[Path]:
    """A new folder that only its owner can enter. OSError: no room for temporary files."""
    folder = _place() / f"{prefix}{secrets.token_hex(8)}"
    try:
        # Inside, because Ctrl-C may come right after it was made; `tempfile` would leave it there.
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _place() -> Path:
    # The first call tries a folder out with a file. Ctrl-C reaches the main thread alone, so that in another one the
    # file is always removed.
    with ThreadPoolExecutor(1) as aside:
        return Path(aside.submit(tempfile.gettempdir).result())
