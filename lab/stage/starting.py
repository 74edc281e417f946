"""Two ways to start the child processes of a stage, and one seam between them and the rest.

Where it is safe, children are forked from a process that imports once what all of them need (lab/stage/nursery.py):
a tap then starts in a tenth of the time. Elsewhere each is an interpreter of its own: on Windows there is no fork, and
on macOS the system's own libraries do not survive it reliably, as the documentation of `os.fork` says.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

GUARD_SECONDS = 60.0
"""A nursery that is silent for so long, be it that it imports, hangs."""
STOP_SECONDS = 5.0

_FIRST = ("asyncio", "flask", "cryptography.x509")
"""What taps and service have in common, a third of what each imports. The last is for taps alone: there is time."""

LOST = -9
"""The exit status of a child that counts as killed."""

type Streams = tuple[int, int, int]
"""Descriptors: what a child has as standard input, output and errors. Its own ones: it gets copies."""


class Process(Protocol):
    """A child that was started. `subprocess.Popen` is one, and its documentation holds for all."""

    @property
    def pid(self) -> int:
        """ProcessLookupError: there is none, because what was to start it is gone."""

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


class Starter(Protocol):
    """A way to start children. It is closed before they are, and may then end them itself."""

    @property
    def forks(self) -> bool:
        """True if a child shares what was prepared for it, so that one more costs little time and memory."""

    @property
    def pid(self) -> int | None:
        """The process that ends the children when it is about to end, if there is one."""

    def prepare(self, module: str) -> None:
        """Children that are started from now on need this module."""

    def start(self, arguments: list[str], streams: Streams, folder: Path) -> Process:
        """Start an interpreter with these arguments, which begin with "-c"; OSError: there is no room for it."""

    def close(self) -> None: ...


def open_starter() -> Starter:
    """The faster way of those that work here, which begins to prepare for the children of a stage. Close it."""
    starter = Nursery() if sys.platform != "darwin" and hasattr(os, "fork") else Spawner()
    for module in _FIRST:
        starter.prepare(module)
    return starter


class Spawner:
    """Every child is an interpreter of its own."""

    forks = False
    pid = None

    def prepare(self, module: str) -> None:
        """Nothing to do: each child imports for itself."""

    def start(self, arguments: list[str], streams: Streams, folder: Path) -> Process:
        stdin, stdout, stderr = streams
        return subprocess.Popen(
            [sys.executable, *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the parent, which then ends its children in order
        )

    def close(self) -> None:
        """Nothing to do: each child is closed by itself."""


class Nursery:
    """Children are forked from one process, in the order in which they were started and modules were prepared.

    Nothing here waits for that process, but for what is asked about a child. If it is killed, or hangs, its children
    count as killed: nobody can tell how they ended. The end of their input then ends them.
    """

    forks = True

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                # -P: a module in the folder where the lab was called must not stand in for one of the library.
                [sys.executable, "-P", "-m", "lab.stage.nursery", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=_environment(),
                start_new_session=True,  # as above
            )
        self._socket.settimeout(GUARD_SECONDS)
        self._answers = self._socket.makefile("rb")
        self._turn = Lock()
        self._started = 0
        self._closed = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def prepare(self, module: str) -> None:
        with self._turn:
            self._order("import", module)

    def start(self, arguments: list[str], streams: Streams, folder: Path) -> Process:
        with self._turn:
            self._order("start", arguments, str(folder), descriptors=streams)
            self._started += 1
            return _Forked(self, self._started - 1)

    def ask(self, *order: Any) -> Any:
        """The answer to an order; None if there is nobody any more who could give one."""
        with self._turn:
            self._order(*order)
            try:
                answer = self._answers.readline()
            except (OSError, ValueError):
                answer = b""
        if not answer:
            self.close()
            return None
        return json.loads(answer)

    def wait(self, number: int, seconds: float | None) -> int | None:
        """The exit status of this child; None if it goes on after so many seconds."""
        status = self.ask("wait", number, seconds)
        return LOST if self._closed else status

    def close(self) -> None:
        """End it and its children at once, also those that it has not come to yet."""
        self._closed = True
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Not before: whoever waits for an answer, in another thread, is at it, and now learns that none will come.
        self._socket.close()
        self._answers.close()

    def _order(self, *order: Any, descriptors: Streams | None = None) -> None:
        # One that is gone is noticed by its children, whose output has ended.
        with suppress(OSError):
            socket.send_fds(self._socket, [json.dumps(order).encode() + b"\n"], descriptors or ())


class _Forked:
    """A child of the nursery."""

    def __init__(self, nursery: Nursery, number: int) -> None:
        self._nursery = nursery
        self._number = number
        self._status: int | None = None

    @property
    def pid(self) -> int:
        pid = self._nursery.ask("pid", self._number)
        if pid is None:
            raise ProcessLookupError("the process that started it is gone")
        return int(pid)

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        if self._status is None:
            self._status = self._nursery.wait(self._number, timeout)
        if self._status is None:
            raise subprocess.TimeoutExpired("nursery", timeout or 0)
        return self._status

    def kill(self) -> None:
        self._nursery.ask("kill", self._number)


def _environment() -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.upper().endswith("_PROXY")}
    environment["PYTHONUNBUFFERED"] = "1"
    return environment
