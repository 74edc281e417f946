from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

MAIL = "wanda.kestrel-4711@example.org"
TOKEN = "Zq7-rT9w-Kx4m-Lb2v"
COMMAND_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Done:
    """What the command said and wrote. `document` is its JSON."""

    status: int
    out: str
    err: str
    document: dict[str, Any]

    @property
    def findings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.document["findings"]
        return found

    @property
    def gave_up(self) -> list[dict[str, Any]]:
        missed: list[dict[str, Any]] = self.document["gave_up"]
        return missed


def lab_scan(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "lab", "scan", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=COMMAND_SECONDS,
        check=False,
    )


class Scan:
    """Runs `lab scan` within the test process, which is quicker, and returns what it wrote."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._json = folder / "result.json"
        self._capsys = capsys

    def __call__(self, *arguments: str | Path, secrets: Sequence[str] = (f"mail={MAIL}",)) -> Done:
        from lab.cli import main

        self._json.unlink(missing_ok=True)
        self._capsys.readouterr()
        given = [part for secret in secrets for part in ("--secret", secret)]
        status = main(["scan", *map(str, arguments), *given, "--json", str(self._json), "--jobs", "1"])
        said = self._capsys.readouterr()
        document = json.loads(self._json.read_text("utf-8")) if self._json.exists() else {}
        return Done(status, said.out, said.err, document)


@pytest.fixture
def scan(tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]) -> Scan:
    return Scan(tmp_path_factory.mktemp("json"), capsys)
