"""`lab guide` at a terminal of the test's own: keys go in, and what is on the screen comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

GUARD = 120.0

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Terminal:
    """One run."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self._sent = ""

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.process.send_signal(signal.SIGWINCH)  # it has no controlling terminal, which would do that

    def see(self, *texts: str) -> str:
        """Wait until all of this stands on the screen, in this order; what stands there then."""
        wanted = re.compile(".*?".join(map(re.escape, texts)), re.DOTALL)
        while not wanted.search(screen := self.screen):
            assert select.select([self._descriptor], [], [], GUARD)[0], f"{texts} is not on the screen:\n{screen}"
            self._read()
        return screen

    @property
    def screen(self) -> str:
        """The words of what was drawn last."""
        drawn = _CONTROL.sub("", self._sent.rpartition("\x1b[H")[2])
        return " ".join(drawn.split())

    def end(self) -> int:
        """Wait until it has ended; its exit status."""
        try:
            while True:
                self._read()
        except OSError:  # nobody has the other end any more
            return self.process.wait(GUARD)

    @property
    def said(self) -> str:
        """Everything that was ever sent."""
        return self._sent

    def _read(self) -> None:
        data = os.read(self._descriptor, 1 << 16)
        if not data:
            raise OSError("the end")
        self._sent += data.decode(errors="replace")


@contextmanager
def guided(folder: Path, arguments: Sequence[str], size: tuple[int, int] = (80, 24)) -> Iterator[Terminal]:
    """`lab guide` with these arguments; its temporary files go to `folder`."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    environment = {**os.environ, "TMPDIR": str(folder), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "lab", "guide", *arguments]
    try:
        with subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        ) as process:
            os.close(theirs)
            try:
                yield Terminal(process, ours)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait(GUARD)
    finally:
        os.close(ours)
