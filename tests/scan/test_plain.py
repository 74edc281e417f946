"""Any file as bytes: windows, compressed files, folders."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

import lab.scan.files
from lab.model import Direction
from lab.scan import readers
from lab.scan.collect import Collector
from lab.scan.entry import Entry, Unread
from lab.scan.files import listing
from lab.scan.readers import compressed
from lab.scan.readers.plain import OVERLAP, WINDOW, windows
from lab.scan.source import Shipped
from lab.scan.wanted import Wanted
from lab.scan.work import Task
from lab.scan.workers import scan_here

from .conftest import MAIL, Scan

SECRET = MAIL.encode()
NOISE = random.Random(1).randbytes(5 * WINDOW)  # noqa: S311 - the same in every run
COMPRESSORS = {
    "gzip": gzip.compress,
    "bzip2": lambda data: bz2.compress(data, 1),  # in blocks of 100 kB
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def filler(size: int) -> bytearray:
    """Lines of a log that hold nothing."""
    line = b"2026-01-05T10:00:00 INFO worker finished its round without anything to say\n"
    return bytearray((line * (size // len(line) + 1))[:size])


def put(data: bytearray, at: int, what: bytes = SECRET) -> None:
    data[at : at + len(what)] = what


def test_an_empty_file_holds_nothing(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / "empty").touch()
    done = scan(tmp_path / "empty")
    assert (done.status, done.findings, done.gave_up) == (0, [], [])
    assert done.document["scanned"] == {"files": 1, "bytes": 0}


def test_each_place_in_a_file_of_several_windows_is_found_once(tmp_path: Path, scan: Scan) -> None:
    size = len(SECRET)
    border, shared = WINDOW, WINDOW + OVERLAP
    places = [0, 777, border - size - 40, border - 5, border + 300, shared - size - 90, shared - 7, shared + 200]
    places += [2 * border - 1, 2 * border + OVERLAP // 2]
    data = filler(2 * border + OVERLAP + 5000)
    places.append(len(data) - size)
    for at in places:
        put(data, at)
    (tmp_path / "app.log").write_bytes(data)
    done = scan(tmp_path / "app.log")
    assert done.status == 1
    assert [one["spans"] for one in done.findings] == [[[at, at + size]] for at in places]
    assert {one["place"] for one in done.findings} == {"file"}
    assert {one["flow"] for one in done.findings} == {None}
    assert done.document["scanned"]["bytes"] == len(data)


@given(st.integers(0, 40), st.integers(0, 40), st.data())
@settings(max_examples=50)
def test_windows_cover_a_part_of_a_file_and_no_more_than_it_needs(begin: int, size: int, draw: st.DataObject) -> None:
    step = WINDOW // 8
    whole = draw.draw(st.integers(0, 5 * 8))
    data = NOISE[: whole * step]
    start, end = begin * step, (begin + size) * step
    file = io.BytesIO(data)
    file.seek(min(start, len(data)))
    covered = bytearray()
    for entry in windows(file, start, end):
        base = entry.bases[Direction.AT_REST]
        (one,) = entry.observations
        assert one.data == data[base : base + WINDOW + OVERLAP]
        assert start <= base < end
        covered[base - start :] = one.data[: end - base]
    assert covered == data[start:end]


def test_a_large_log_is_divided_among_workers_and_nothing_comes_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = 2 * WINDOW
    monkeypatch.setattr(lab.scan.files, "PART", part)
    path = tmp_path / "large.log"
    places = [5, part - 3, part + OVERLAP - 9, part + WINDOW]
    with path.open("wb") as file:
        file.truncate(part + 2 * WINDOW - 1)
        for at in places:
            file.seek(at)
            file.write(b" " + SECRET + b" ")
    files = listing([path], str)
    assert [unit.window for unit, _ in files.units] == [(0, part), (part, part + 2 * WINDOW - 1)]
    collector = Collector(files, lambda _done, _found: None)
    scan_here(Task((Wanted("mail", SECRET),)), files.units, collector)
    report = collector.report(["mail"])
    assert [one.spans for one in report.found] == [((at + 1, at + 1 + len(SECRET)),) for at in places]
    assert (report.files, report.bytes) == (1, part + 2 * WINDOW - 1)


# Compressed files


@pytest.mark.parametrize("name", COMPRESSORS)
def test_compressed_files_are_read_through(tmp_path: Path, scan: Scan, name: str) -> None:
    data = filler(WINDOW + 500)
    put(data, WINDOW - 4)
    (tmp_path / "app.log.compressed").write_bytes(COMPRESSORS[name](bytes(data)))
    done = scan(tmp_path / "app.log.compressed")
    (found,) = done.findings
    assert found["decoders"] == [name]
    assert found["spans"] == [[WINDOW - 4, WINDOW - 4 + len(SECRET)]]  # in what came out
    assert done.gave_up == []


@pytest.mark.parametrize("name", COMPRESSORS)
def test_what_can_be_read_of_a_compressed_file_that_is_cut_off_is_read(tmp_path: Path, scan: Scan, name: str) -> None:
    noise = NOISE[:300_000]
    whole = COMPRESSORS[name](SECRET + b"\n" + noise)
    (tmp_path / "log").write_bytes(whole[: len(whole) * 2 // 3])
    done = scan(tmp_path / "log")
    assert done.status == 1
    assert [one["decoders"] for one in done.findings] == [[name]]
    (missed,) = done.gave_up
    assert missed["why"].startswith(f"{name}: cut off or damaged")


def test_the_beginning_of_a_small_compressed_file_that_is_cut_off_is_read_too(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / "log.gz").write_bytes(gzip.compress(SECRET + b"\n" + NOISE[:400])[:-60])
    done = scan(tmp_path / "log.gz")
    assert [one["decoders"] for one in done.findings] == [["gzip"]]
    assert done.gave_up[0]["why"].startswith("gzip: cut off or damaged behind byte")


def test_a_bomb_is_given_up(tmp_path: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "LEAST_LIMIT", 2**21)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(SECRET + bytes(2**24)))
    done = scan(tmp_path / "bomb.gz")
    assert done.status == 1
    assert "expands to more than" in done.gave_up[-1]["why"]


@given(st.binary(max_size=300), st.sampled_from([*compressed.MAGICS, b"SQLite format 3\x00", b'{"is": "capture"']))
@settings(max_examples=200)
def test_no_reader_raises(data: bytes, magic: bytes) -> None:
    for one in readers.read(Shipped(magic + data, data)):
        assert isinstance(one, Entry | Unread)


# Folders


def test_folders_are_read_in_order_and_links_in_circles_end(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    for name in ("c.txt", "a.txt", "b/deep/z", "b/y"):
        (tmp_path / name).write_text(MAIL, encoding="utf-8")
    (tmp_path / "b" / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "a.txt")
    done = scan(tmp_path, tmp_path / "c.txt")
    names = [str(Path(one["file"]).relative_to(tmp_path)) for one in done.findings]
    assert names == ["a.txt", "b/deep/z", "b/y", "c.txt"]
    assert done.document["scanned"]["files"] == 4


def test_what_is_no_file_or_leads_nowhere_is_said(tmp_path: Path, scan: Scan) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to(tmp_path / "gone")
    done = scan(tmp_path)
    assert done.status == 3
    assert {Path(one["file"]).name for one in done.gave_up} == {"pipe", "broken"}


def test_a_name_that_holds_the_secret_is_covered(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / f"{MAIL}.log").write_text(f"from {MAIL}", encoding="utf-8")
    done = scan(tmp_path)
    assert done.status == 1
    assert MAIL not in done.out + str(done.document)
    assert done.findings[0]["file"].endswith("•.log")
