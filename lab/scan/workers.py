"""Worker processes on this machine.

Not an executor of the standard library: when one of its processes dies it gives up every unit that is under way and
does not say which one was to blame, and it has no way to show how far a unit has come.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from lab.scan.collect import Collector
from lab.scan.result import Missed
from lab.scan.source import OnDisk
from lab.scan.work import Progress, Scanner, Step, Task, Unit

ATTEMPTS = 2
_TOLD_EVERY = 0.1
"""Seconds between two messages of a worker about nothing but its progress."""
_PATIENCE = 5.0
"""Seconds that a worker has to tidy up."""


def scan_here(task: Task, units: Sequence[tuple[Unit, Path]], collector: Collector) -> None:
    """In this process, one unit after the other."""
    scanner = Scanner(task)
    for unit, path in units:
        for step in scanner.scan(unit, OnDisk(path)):
            collector.add(unit, [step])


def scan_with_workers(task: Task, units: Sequence[tuple[Unit, Path]], collector: Collector, jobs: int) -> None:
    """With `jobs` processes. A unit whose worker dies is done once more; then it is given up."""
    waiting = deque(units)
    attempts: dict[int, int] = {}
    with _crew() as crew:
        while waiting or any(worker.unit for worker in crew):
            while waiting and (idle := _idle(crew, jobs, task)):
                idle.begin(*waiting.popleft())
            for worker in _ready(crew):
                unit, path = worker.unit, worker.path
                try:
                    steps = worker.link.recv()
                except (EOFError, OSError):
                    crew.remove(worker)
                    worker.end()
                    if unit is None:
                        continue
                    collector.forget(unit)
                    attempts[unit.number] = attempts.get(unit.number, 1) + 1
                    if attempts[unit.number] <= ATTEMPTS:
                        waiting.appendleft((unit, path))
                    else:
                        why = f"not scanned: the worker died {ATTEMPTS} times while it was at it"
                        collector.add(unit, [Missed(unit.name, None, "file", why), Progress(unit.size)])
                    continue
                if steps is None:
                    worker.unit = None
                elif unit is not None:
                    collector.add(unit, steps)


@dataclass(eq=False, slots=True)
class _Worker:
    process: BaseProcess
    link: Connection
    unit: Unit | None = None
    path: Path = Path()

    def begin(self, unit: Unit, path: Path) -> None:
        self.unit, self.path = unit, path
        with suppress(OSError):  # it has died, as reading from it will tell
            self.link.send((unit, path))

    def end(self) -> None:
        # One without a unit waits for the next, and ends when nobody is at the other end any more.
        self.link.close()
        if self.unit is not None:
            self.process.terminate()
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextmanager
def _crew() -> Iterator[list[_Worker]]:
    """The workers. None is left when the context ends, however that happens."""
    crew: list[_Worker] = []
    try:
        yield crew
    finally:
        for worker in crew:
            worker.end()


def _idle(crew: list[_Worker], jobs: int, task: Task) -> _Worker | None:
    """A worker without a unit, a new one as long as there may be more."""
    for worker in crew:
        if worker.unit is None:
            return worker
    if len(crew) >= jobs:
        return None
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, task), daemon=True)
    process.start()
    theirs.close()
    crew.append(_Worker(process, ours))
    return crew[-1]


def _ready(crew: list[_Worker]) -> list[_Worker]:
    links = wait([worker.link for worker in crew])
    return [worker for worker in crew if worker.link in links]


def _work(link: Connection, task: Task) -> None:
    """What a worker does until nobody is at the other end any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends its workers itself
    signal.signal(signal.SIGTERM, _end)
    try:
        scanner = Scanner(task)
        while True:
            unit, path = link.recv()
            _send(link, scanner.scan(unit, OnDisk(path)))
    except (EOFError, OSError):
        return


def _end(*_: object) -> None:
    raise SystemExit(0)


def _send(link: Connection, steps: Iterator[Step]) -> None:
    """Findings at once; progress not more often than anybody can look at it."""
    told = time.monotonic()
    progress: Progress | None = None
    for step in steps:
        if isinstance(step, Progress):
            progress = step
            if time.monotonic() - told < _TOLD_EVERY:
                continue
        told = time.monotonic()
        link.send([step])
    if progress is not None:
        link.send([progress])
    link.send(None)
