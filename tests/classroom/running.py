"""`lab class` as a teacher starts it, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Running:
    """A `lab class` that has printed all of its addresses."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout
        self.printed = ""
        for line in process.stdout:
            self.printed += line
            if line.startswith("Ctrl-C ends"):
                break
        else:
            raise AssertionError(self.printed)

    def found(self, pattern: str) -> str:
        found = re.search(pattern, self.printed, flags=re.MULTILINE)
        assert found, self.printed
        return found[1]

    @property
    def code(self) -> str:
        return self.found(r"(?:join code |Code zum Beitreten: |#code=)(\w+)")

    @property
    def page(self) -> str:
        return self.found(r"^(?:learners|your page|Lernende|deine Seite) +(http\S+)")

    @property
    def teacher(self) -> str:
        return self.found(r"^(?:teacher|Lehrkraft) +(\S+)")

    @property
    def stage(self) -> str:
        return self.found(r"^(?:stage view|Bühnenansicht) +(\S+)")

    @property
    def port(self) -> int:
        return int(self.found(r"^(?:teacher|Lehrkraft) +http://127\.0\.0\.1:(\d+)/"))

    @property
    def key(self) -> str:
        return self.teacher.partition("key=")[2]

    def end(self, number: int = signal.SIGINT, status: int = 0) -> str:
        """By Ctrl-C, which is its regular end, or by another signal; what it says."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == status, said
        return said

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)


@contextmanager
def started(folder: Path, *arguments: str, port: int = 0) -> Iterator[Running]:
    """Its state and its temporary files are in `folder`."""
    (folder / "temporary").mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-m", "lab", "class", *arguments, f"--state={folder / 'class.sqlite'}", f"--port={port}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, "TMPDIR": str(folder / "temporary")},
    ) as process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.terminate()
