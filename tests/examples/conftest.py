"""Where the examples find software that nobody here wrote; what is missing is skipped, and the reason says why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from werkzeug.serving import make_server

from lab.audit.taps import Taps, open_taps
from lab.audit.window import Audit
from lab.stage.stage import LOOPBACK, Stage
from lab.stage.starting import Starter
from tests.conftest import Lent

VARIABLE = "LAB_EXAMPLES"

type Find = Callable[[str], str]


@pytest.fixture(scope="session")
def python_with() -> Find:
    """The interpreter that can import a module: this one, or that in LAB_EXAMPLES. Else the test is skipped."""
    known: dict[tuple[str, str], bool] = {}

    def find(module: str) -> str:
        for python in dict.fromkeys((sys.executable, os.environ.get(VARIABLE, sys.executable))):
            if (python, module) not in known:
                done = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
                known[python, module] = done.returncode == 0
            if known[python, module]:
                return python
        pytest.skip(f"{module} is not installed: see tests/examples/requirements.txt, and set {VARIABLE}")

    return find


def program(name: str) -> str:
    """Where a program is; else the test is skipped."""
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


@pytest.fixture(scope="session")
def taps(_starter: Starter) -> Iterator[Taps]:
    with open_taps(Lent(_starter)) as taps:
        yield taps


@pytest.fixture
def audit(taps: Taps, tmp_path: Path) -> Audit:
    return Audit(lambda: taps, tmp_path / "captures", "an example", tmp_path)


@pytest.fixture
def service(stage: Stage, tmp_path: Path) -> Iterator[str]:
    """The lab's own message service; its files are `service.sqlite` and `service.log` in the test's folder."""
    stage.ready()
    files = {"database": str(tmp_path / "service.sqlite"), "log": str(tmp_path / "service.log")}
    port = stage.service.ask({"open": {**files, "secure_delete": True}})["port"]
    yield f"http://{LOOPBACK}:{port}"
    stage.service.ask({"close": port})


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The URL of a Flask application."""
    server = make_server(LOOPBACK, 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
