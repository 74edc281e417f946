"""Many files at once: the same result as one after the other, whoever dies meanwhile."""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path

import pytest

from lab.scan.collect import Collector
from lab.scan.files import listing
from lab.scan.result import Report
from lab.scan.wanted import Wanted
from lab.scan.work import Task
from lab.scan.workers import scan_here, scan_with_workers

from .conftest import MAIL

TASK = Task((Wanted("mail", MAIL.encode()),))
FILES = 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(FILES):
        (tmp_path / f"{number}.log").write_text(f"{'.' * number} {MAIL} " + "nothing to see\n" * 2000, encoding="utf-8")
    return tmp_path


def scanned(folder: Path, jobs: int, watch: object = None) -> Report:
    files = listing([folder], str)
    collector = Collector(files, watch if callable(watch) else lambda _done, _found: None)
    if jobs == 0:
        scan_here(TASK, files.units, collector)
    else:
        scan_with_workers(TASK, files.units, collector, jobs)
    assert multiprocessing.active_children() == []
    return collector.report(["mail"])


def test_any_number_of_workers_gives_the_same_report(folder: Path) -> None:
    alone = scanned(folder, 0)
    assert len(alone.found) == FILES
    assert alone.missed == ()
    assert alone.bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert scanned(folder, 1) == alone
    assert scanned(folder, 3) == alone


def test_what_a_worker_was_at_when_it_died_is_done_again_and_counted_once(folder: Path) -> None:
    killed: list[int | None] = []

    def watch(_done: int, found: int) -> None:
        if found == 3 and not killed:
            for one in multiprocessing.active_children():
                killed.append(one.pid)
                one.kill()

    report = scanned(folder, 2, watch)
    assert len(killed) == 2
    assert report == scanned(folder, 0)


def test_a_file_that_kills_every_worker_is_given_up(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    # Large enough that a worker which has just told how far it is cannot have finished.
    (folder / "large.bin").write_bytes(random.Random(1).randbytes(4 * 2**20))  # noqa: S311 - the same bytes each time
    (folder / "small.bin").write_bytes(b"nothing")

    def watch(_done: int, _found: int) -> None:
        for one in multiprocessing.active_children():
            one.kill()
            one.join()

    report = scanned(folder, 1, watch)
    assert "large.bin" in {Path(one.file).name for one in report.missed if "the worker died" in one.why}
    assert report.bytes == sum(path.stat().st_size for path in folder.iterdir())


def test_workers_end_with_an_exception_of_the_command(folder: Path) -> None:
    def watch(_done: int, _found: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scanned(folder, 2, watch)
    assert multiprocessing.active_children() == []


def test_a_file_that_is_gone_meanwhile_is_said(folder: Path) -> None:
    files = listing([folder], str)
    (folder / "3.log").unlink()
    collector = Collector(files, lambda _done, _found: None)
    scan_with_workers(TASK, files.units, collector, 2)
    report = collector.report(["mail"])
    assert len(report.found) == FILES - 1
    assert [one.why for one in report.missed] == ["cannot be read: No such file or directory"]
