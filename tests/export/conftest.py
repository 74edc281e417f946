from __future__ import annotations

import shutil
import subprocess
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from judging.recordings import recorded

from lab.model import Capture, Mode
from lab.stage.stage import Stage

with warnings.catch_warnings():
    # mitmproxy builds its filter language with names that newer versions of pyparsing call old.
    warnings.simplefilter("ignore", DeprecationWarning)
    import mitmproxy.io  # noqa: F401


@pytest.fixture(scope="session")
def captures(stage: Stage) -> Mapping[Mode, Capture]:
    """The tour as it was recorded on real taps, mode by mode."""
    return recorded(stage)


type Tshark = Callable[..., str]

DISSECTING = (
    *("-o", "ip.check_checksum:TRUE"),
    *("-o", "tcp.check_checksum:TRUE"),
    *("-o", "tls.keylog_file:"),  # none of the machine's own
)


@pytest.fixture(scope="session")
def tshark(tmp_path_factory: pytest.TempPathFactory) -> Tshark:
    """Reads a file with Wireshark's command line, in a home of its own, and returns what it prints."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed (Debian: apt-get install tshark): what Wireshark shows was not tried")
    home = tmp_path_factory.mktemp("home")

    def run(file: Path, *arguments: str) -> str:
        done = subprocess.run(
            [program, "-n", "-r", str(file), *DISSECTING, *arguments],
            env={"HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
