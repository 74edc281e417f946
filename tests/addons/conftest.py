"""Addons as mitmproxy loads them, without mitmproxy around them."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lab import capture, resources
from lab.model import Note, Observation

with warnings.catch_warnings():
    # mitmproxy builds its filter language with names that newer versions of pyparsing call old.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy.test import taddons


class Loaded:
    """A fresh copy of one addon in a context of its own, recording into `path`."""

    def __init__(self, name: str, path: Path) -> None:
        self.module = _load(resources.folder("addons") / f"{name}.py")
        self.addon: Any = self.module.addons[0]
        self.context = taddons.context(self.addon)
        self.path = path

    def configure(self, **options: object) -> None:
        self.context.configure(self.addon, **options)

    def record(self) -> None:
        self.configure(lab_record=str(self.path))

    def recorded(self) -> tuple[list[Observation], list[Note]]:
        """Close the record and read it."""
        self.addon.done()
        items = [capture.decode(line) for line in self.path.read_text("utf-8").splitlines()]
        observations = [item for item in items if isinstance(item, Observation)]
        notes = [item for item in items if isinstance(item, Note)]
        assert len(observations) + len(notes) == len(items)
        return observations, notes


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"addon_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[str], Loaded]]:
    """Loads addons by name, and closes their records and contexts after the test."""
    loaded: list[Loaded] = []

    def load(name: str) -> Loaded:
        loaded.append(Loaded(name, tmp_path / f"{name}.jsonl"))
        return loaded[-1]

    before = list(sys.path)
    yield load
    assert sys.path == before, "an addon must not change where modules come from"
    for one in loaded:
        one.addon.done()
        one.context.__exit__(None, None, None)
