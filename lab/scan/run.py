"""A scan from beginning to end, however the work is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.scan.collect import Collector
from lab.scan.files import Listing, listing
from lab.scan.result import Report
from lab.scan.work import Task, scanner_for
from lab.scan.workers import scan_here, scan_with_workers


@dataclass(frozen=True, slots=True)
class Means:
    """Who does the work: `jobs` processes here, or the Dask cluster at an address. `ship`: send it the bytes."""

    jobs: int
    cluster: str | None = None
    ship: bool = False


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with what was found by then."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare(task: Task, paths: Sequence[Path]) -> Listing:
    """What there is to scan. LabError: a path is not there, or a secret is one that nobody can look for."""
    return listing(paths, scanner_for(task).shown)


def scan(task: Task, files: Listing, means: Means, watch: Callable[[int, int], None]) -> Report:
    """Scan everything. `watch` is told the bytes done and the number of findings. Raises Interrupted on Ctrl-C."""
    collector = Collector(files, watch)
    names = [secret.name for secret in task.secrets]
    try:
        if means.cluster is not None:
            from lab.scan.cluster import scan_with_cluster

            scan_with_cluster(task, files.units, collector, means.cluster, ship=means.ship)
        elif min(means.jobs, len(files.units)) > 1:
            scan_with_workers(task, files.units, collector, min(means.jobs, len(files.units)))
        else:
            scan_here(task, files.units, collector)
    except KeyboardInterrupt:
        raise Interrupted(collector.report(names, interrupted=True)) from None
    return collector.report(names)
