"""A process that imports once what several children need, and forks them from itself, in milliseconds.

    python -m lab.stage.nursery DESCRIPTOR

With the standard library alone. DESCRIPTOR is a socket; each line of JSON from it is an order, carried out in turn:

    ["import", "MODULE"]                      for the children that are started from now on
    ["start", ["-c", "CODE", …], "FOLDER"]    a child, numbered from 0, that runs CODE in FOLDER as an interpreter does;
                                              its input, output and errors are the descriptors that come with the line
    ["pid", NUMBER]                           answered by its process id
    ["wait", NUMBER, SECONDS]                 answered by its exit status, or null if it goes on after so many SECONDS,
                                              if they are not null themselves
    ["kill", NUMBER]                          answered by null, once its end is certain

The end of the socket, and SIGTERM at any moment, end it and all children by force. Forking is safe here because there
is no other thread: nothing but imports happens before, and each child goes its own way at once.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

_MANY = 64
"""More descriptors than ever come at once."""

_GARBAGE = 50_000
"""New objects until a child looks for garbage. Most stay: what else it imports, and what it holds open. With the 2000
of an interpreter it would look through them again and again."""


@dataclass(slots=True)
class _Child:
    pid: int
    life: int
    """The reading end of a pipe that only the child can write to, so it ends with the child."""
    status: int | None = None

    def wait(self, seconds: float | None) -> int | None:
        if self.status is None and select.select([self.life], [], [], seconds)[0]:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def kill(self) -> None:
        if self.wait(0) is None:  # else its id may be somebody else's by now
            os.kill(self.pid, signal.SIGKILL)


def _end(children: list[_Child]) -> NoReturn:
    for child in children:
        with contextlib.suppress(ChildProcessError):  # SIGTERM came when its end was about to be noted
            child.kill()
            child.wait(None)
    os._exit(0)  # an interpreter takes a tenth of a second to end tidily, and there is nothing to tidy up


def _serve(connection: socket.socket, children: list[_Child]) -> list[str] | None:
    """Carry out orders until they end. In each child it returns too, with the arguments of that child."""
    for order, descriptors in _orders(connection):
        match order:
            case ["import", str(module)]:
                with contextlib.suppress(Exception):  # whoever needs it will say what is wrong with it
                    importlib.import_module(module)
            case ["start", list(arguments), str(folder)]:
                streams = [descriptors.popleft() for _ in range(3)]
                gc.freeze()  # what is there now stays, in memory that all share: nobody needs to look through it again
                life, living = os.pipe()
                pid = os.fork()
                if not pid:
                    signal.signal(signal.SIGTERM, signal.SIG_DFL)
                    connection.close()
                    for number, stream in enumerate(streams):
                        os.dup2(stream, number)
                        os.close(stream)
                    os.chdir(folder)
                    return arguments
                children.append(_Child(pid, life))
                for descriptor in (living, *streams):
                    os.close(descriptor)
            case ["pid", int(number)]:
                _answer(connection, children[number].pid)
            case ["wait", int(number), int() | float() | None as seconds]:
                _answer(connection, children[number].wait(seconds))
            case ["kill", int(number)]:
                children[number].kill()
                _answer(connection, None)
    return None


def _answer(connection: socket.socket, what: int | None) -> None:
    connection.sendall(json.dumps(what).encode() + b"\n")


def _orders(connection: socket.socket) -> Iterator[tuple[Any, deque[int]]]:
    """Each order, with the descriptors that have come so far: first those that belong to it."""
    descriptors: deque[int] = deque()
    rest = b""
    while True:
        piece, received, _, _ = socket.recv_fds(connection, 1 << 16, _MANY)
        if not piece:
            return
        descriptors.extend(received)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield json.loads(line), descriptors


def main() -> None:
    gc.disable()  # imports make little garbage, and looking for it would take a tenth of their time
    children: list[_Child] = []
    signal.signal(signal.SIGTERM, lambda *_: _end(children))
    arguments = _serve(socket.socket(fileno=int(sys.argv[1])), children)
    if arguments is None:
        _end(children)
    gc.enable()
    gc.set_threshold(_GARBAGE)
    _, code, *sys.argv[1:] = arguments
    sys.argv[0] = "-c"
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - as the interpreter does with -c


if __name__ == "__main__":
    main()
