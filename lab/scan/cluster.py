"""A Dask cluster instead of processes of our own."""

from __future__ import annotations

import errno
import functools
import importlib
import warnings
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.model import LabError
from lab.scan.collect import Collector
from lab.scan.readers.plain import OVERLAP
from lab.scan.result import Missed
from lab.scan.source import OnDisk, Shipped
from lab.scan.work import Progress, Scanner, Step, Task, Unit

AHEAD = 3
"""Units that are handed over for each thread of the cluster before it asks: the rest stays here, bytes and all."""
CONNECT_SECONDS = 20
WORKER_SECONDS = 60
"""How long there may be no worker at all: some clusters start them only once there is work."""
LARGEST_SENT = 2**30
"""Bytes of a file that cannot be divided; Dask holds what it sends in memory."""


def scan_with_cluster(
    task: Task, units: Sequence[tuple[Unit, Path]], collector: Collector, address: str, *, ship: bool
) -> None:
    """Let the workers of the cluster do it. They read the paths themselves, unless `ship` sends them the bytes.

    Dask gives the units of a worker that was lost to others; a unit whose workers keep dying is given up. Secrets
    travel to the workers as arguments, so the cluster has to be one that may know them. LabError: there is no cluster,
    or no worker in it.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise LabError("--cluster needs Dask: pip install 'mitm-lab[cluster]'") from None
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise LabError(f"--cluster {address}: no Dask scheduler answers there ({type(error).__name__})") from None
    with client:
        waiting, under_way = deque(units), dict[Any, Unit]()
        results = distributed.as_completed(with_results=False, raise_errors=False, loop=client.loop)
        try:
            while waiting or under_way:
                threads = sum(client.nthreads().values())
                room = AHEAD * max(1, threads)
                while waiting and len(under_way) < room:
                    unit, path = waiting.popleft()
                    future = _submit(client, task, unit, path, ship=ship, collector=collector)
                    if future is not None:
                        under_way[future] = unit
                        results.add(future)
                if not threads:
                    _await_worker(client, address)
                if under_way:
                    future = next(results)
                    _take(future, under_way.pop(future), collector)
        finally:
            client.cancel(list(under_way), force=True)


def _await_worker(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError:
        raise LabError(
            f"--cluster {address}: the scheduler has had no worker for {WORKER_SECONDS} seconds; "
            f"start one with 'dask worker {address}'"
        ) from None


def _submit(client: Any, task: Task, unit: Unit, path: Path, *, ship: bool, collector: Collector) -> Any:
    try:
        source = _shipped(unit, path) if ship else OnDisk(path.absolute())
    except OSError as error:
        why = f"cannot be read: {error.strerror or type(error).__name__}"
        collector.add(unit, [Missed(unit.name, None, "file", why), Progress(unit.size)])
        return None
    with warnings.catch_warnings():
        # Dask would have large arguments laid out beforehand; here that is what was asked for.
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(scan_there, task, unit, source, pure=False, key=f"lab-scan-{unit.number}-{id(client):x}")


def _shipped(unit: Unit, path: Path) -> Shipped:
    source = OnDisk(path)
    if unit.window:
        start, end = unit.window
        with source.open(start) as file:
            return Shipped(file.read(end - start + OVERLAP), start=start)
    if unit.size > LARGEST_SENT:
        raise OSError(errno.EFBIG, "too large to be sent to the cluster")
    with source.open() as file:
        return Shipped(file.read(), source.wal())


def _take(future: Any, unit: Unit, collector: Collector) -> None:
    # A finished unit is lost together with a worker that dies before its result was fetched. Whatever the status says,
    # asking for the result waits until the unit is done again.
    try:
        steps = future.result()
    except Exception as error:  # noqa: BLE001 - of the cluster, such as KilledWorker: one unit must not end the others
        why = f"not scanned: the cluster gave it up ({type(error).__name__})"
        steps = [Missed(unit.name, None, "file", why), Progress(unit.size)]
    collector.add(unit, steps)


def scan_there(task: Task, unit: Unit, source: OnDisk | Shipped) -> list[Step]:
    """What a worker of the cluster does."""
    return [step for step in _scanner(task).scan(unit, source) if not isinstance(step, Progress)] + [
        Progress(unit.size)
    ]


@functools.lru_cache(maxsize=2)
def _scanner(task: Task) -> Scanner:
    """The detector's tables are built once in each worker."""
    return Scanner(task)
