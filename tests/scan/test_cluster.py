"""The same work on a Dask cluster: real schedulers and workers, one of which is killed in the middle."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lab.scan.cluster
import lab.scan.files
from lab.model import LabError
from lab.scan.cluster import AHEAD, scan_with_cluster
from lab.scan.collect import Collector
from lab.scan.files import listing
from lab.scan.readers.plain import WINDOW
from lab.scan.result import Report
from lab.scan.wanted import Wanted
from lab.scan.work import Task
from lab.scan.workers import scan_here

from .conftest import MAIL

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed (extra: cluster)")
dask = pytest.importorskip("dask")  # comes with it

TASK = Task((Wanted("mail", MAIL.encode()),))
FILES = 24
GUARD_SECONDS = 120


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    # Dask gives up connections after 30 s and workers that are not back after 15 s: on a busy machine they come later.
    patient = {"distributed.comm.timeouts.connect": "120s", "distributed.deploy.lost-worker-timeout": "600s"}
    with (
        warnings.catch_warnings(),
        dask.config.set(patient),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
    ):
        yield cluster


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(FILES):
        (tmp_path / f"{number:02}.log").write_text(
            f"{'.' * number} {MAIL} " + "nothing to see here, move on\n" * 4000, encoding="utf-8"
        )
    return tmp_path


def scanned(folder: Path, address: str, watch: object = None, *, ship: bool = False) -> Report:
    files = listing([folder], str)
    collector = Collector(files, watch if callable(watch) else lambda _done, _found: None)
    scan_with_cluster(TASK, files.units, collector, address, ship=ship)
    return collector.report(["mail"])


def alone(folder: Path) -> Report:
    files = listing([folder], str)
    collector = Collector(files, lambda _done, _found: None)
    scan_here(TASK, files.units, collector)
    return collector.report(["mail"])


@pytest.mark.parametrize("ship", [False, True])
def test_a_cluster_gives_the_same_report(cluster: Any, folder: Path, ship: bool) -> None:
    report = scanned(folder, cluster.scheduler_address, ship=ship)
    assert report == alone(folder)
    assert len(report.found) == FILES


def test_what_a_lost_worker_had_is_done_again_and_counted_once(cluster: Any, folder: Path) -> None:
    lost: list[int] = []

    def watch(_done: int, found: int) -> None:
        if found >= 5 and not lost:
            lost.append(next(iter(cluster.workers.values())).process.process.pid)
            os.kill(lost[0], signal.SIGKILL)

    report = scanned(folder, cluster.scheduler_address, watch)
    assert lost
    assert report == alone(folder)


def test_what_is_lost_before_it_is_fetched_is_done_again_and_counted_once(
    cluster: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, told = threading.Semaphore(0), threading.Event()

    class Counting(distributed.SchedulerPlugin):  # type: ignore[misc]
        def transition(self, _key: object, _start: str, finish: str, *_: object, **__: object) -> None:
            if finish == "memory":
                done.release()

    def lose(self: Any, key: Any = None) -> None:
        handle_lost(self, key)
        told.set()

    handle_lost = distributed.Client._handle_lost_data
    monkeypatch.setattr(distributed.Client, "_handle_lost_data", lose)
    cluster.scheduler.add_plugin(Counting(), name="counting")

    def watch(_done: int, _found: int) -> None:
        if told.is_set():
            return
        # All that the workers were given is finished, and with them gone, the results of it too.
        for _ in range(AHEAD * len(cluster.workers)):
            assert done.acquire(timeout=GUARD_SECONDS)
        for worker in cluster.workers.values():
            os.kill(worker.process.process.pid, signal.SIGKILL)
        assert told.wait(GUARD_SECONDS)

    try:
        report = scanned(folder, cluster.scheduler_address, watch)
    finally:
        cluster.scheduler.remove_plugin("counting")
    assert report == alone(folder)


def test_parts_of_a_large_file_are_sent_part_by_part(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = 2 * WINDOW
    monkeypatch.setattr(lab.scan.files, "PART", part)
    with (tmp_path / "large.log").open("wb") as file:
        file.truncate(2 * part + 100)
        for at in (3, part - 9, 2 * part + 5):
            file.seek(at)
            file.write(b" " + MAIL.encode())
    report = scanned(tmp_path, cluster.scheduler_address, ship=True)
    assert [one.spans[0][0] for one in report.found] == [4, part - 8, 2 * part + 6]
    assert report == alone(tmp_path)


def test_a_file_too_large_to_be_sent_is_said(cluster: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.scan.cluster.LARGEST_SENT", 100)
    report = scanned(folder, cluster.scheduler_address, ship=True)
    assert len(report.missed) == FILES
    assert report.missed[0].why == "cannot be read: too large to be sent to the cluster"


def test_no_cluster_there_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.scan.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(LabError, match="no Dask scheduler answers there"):
        scanned(folder, "tcp://127.0.0.1:9")


@pytest.fixture
def empty_cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


def test_a_cluster_without_workers_is_one_line(
    empty_cluster: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.scan.cluster.WORKER_SECONDS", 1)
    with pytest.raises(LabError, match="has had no worker for 1 seconds; start one with 'dask worker tcp://"):
        scanned(folder, empty_cluster.scheduler_address)


def test_a_worker_that_comes_later_does_the_work(
    empty_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def come(client: Any, address: str) -> None:
        empty_cluster.scale(1)
        awaited(client, address)

    awaited = lab.scan.cluster._await_worker
    monkeypatch.setattr("lab.scan.cluster._await_worker", come)
    (tmp_path / "one.log").write_text(MAIL, encoding="utf-8")
    report = scanned(tmp_path, empty_cluster.scheduler_address)
    assert report.found
    assert report == alone(tmp_path)


def test_a_file_that_cannot_be_sent_is_said(cluster: Any, folder: Path) -> None:
    files = listing([folder], str)
    (folder / "03.log").unlink()
    collector = Collector(files, lambda _done, _found: None)
    scan_with_cluster(TASK, files.units, collector, cluster.scheduler_address, ship=True)
    report = collector.report(["mail"])
    assert len(report.found) == FILES - 1
    assert [one.why for one in report.missed] == ["cannot be read: No such file or directory"]
