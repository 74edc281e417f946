"""How fast `lab scan` reads recordings: by kind of file, with more workers, and how much memory it takes.

python -m tests.bench.scan [--megabytes N] [--large N]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sqlite3
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.bench.measure import has_proc, lab, peak_mebibytes, run, say

SECRETS = 10
_MEBIBYTE = 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description="Scanning recordings")
    parser.add_argument("--megabytes", type=int, default=8, help="size of each file (default: 8)")
    parser.add_argument("--large", type=int, default=256, help="size of the large file, for memory (default: 256)")
    return run(measure, parser)


def measure(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as name:
        folder = Path(name)
        secrets = folder / "secrets"
        secrets.write_text("".join(f"s{number}=user-{number:016x}-Zq7\n" for number in range(SECRETS)), "utf-8")
        secrets.chmod(0o600)
        say(f"  one worker, {options.megabytes} MiB of each kind, {SECRETS} secrets")
        for kind, make in KINDS.items():
            path = folder / kind
            path.write_bytes(make(options.megabytes * _MEBIBYTE))
            size = path.stat().st_size / _MEBIBYTE
            seconds = _scanned(path, secrets, 1)
            say(f"    {kind:<10} {size:6.1f} MiB {seconds:7.2f} s {size / seconds:7.1f} MiB/s")
        _scaling(folder, secrets, options.megabytes)
        _memory(folder, secrets, options.large)


def _scanned(path: Path, secrets: Path, jobs: int) -> float:

    before = time.perf_counter()
    done = subprocess.run(
        lab("scan", str(path), "--secrets", str(secrets), "--jobs", str(jobs)), capture_output=True, check=False
    )
    if done.returncode not in (0, 3):
        raise subprocess.CalledProcessError(done.returncode, "lab scan", done.stdout, done.stderr)
    return time.perf_counter() - before


def _scaling(folder: Path, secrets: Path, megabytes: int) -> None:
    many = folder / "many"
    many.mkdir()
    for number in range(8):
        (many / str(number)).write_bytes(_log(megabytes * _MEBIBYTE // 4))
    size = sum(path.stat().st_size for path in many.iterdir()) / _MEBIBYTE
    say(f"  8 logs, {size:.0f} MiB together")
    for jobs in sorted({1, 2, os.cpu_count() or 1}):
        seconds = _scanned(many, secrets, jobs)
        say(f"    {jobs} worker{'s' if jobs > 1 else ' '} {seconds:7.2f} s {size / seconds:7.1f} MiB/s")


def _memory(folder: Path, secrets: Path, large: int) -> None:
    if not has_proc():
        say("  memory: this system does not tell in the way that is read here")
        return
    say("  memory, one worker")
    for megabytes in (10, large):
        path = folder / "memory"
        with path.open("wb") as file:
            for _ in range(megabytes):
                file.write(random.randbytes(_MEBIBYTE))  # noqa: S311 - filler
        command = lab("scan", str(path), "--secrets", str(secrets), "--jobs", "1")
        say(f"    {megabytes:5} MiB: {peak_mebibytes(command):.0f} MiB at most")


def _log(size: int) -> bytes:
    lines = (
        f"2026-01-05T10:{number // 60 % 60:02}:{number % 60:02}Z GET /items/{number * 7919 % 100003}?page={number % 9} "
        f'200 {number % 777} 10.0.{number % 250}.{number % 199} "Mozilla/5.0 (X11; Linux x86_64)"\n'
        for number in range(size // 80)
    )
    return "".join(lines).encode()[:size]


def _json_body(number: int) -> str:
    rows = [{"id": number * 50 + row, "name": f"item {row * 31 % 97}", "price": row * 1.25} for row in range(50)]
    return json.dumps({"page": number, "rows": rows})


def _har(size: int) -> bytes:
    entries = []
    while size > 0:
        body = _json_body(len(entries))
        size -= len(body)
        request = {"method": "GET", "url": f"https://shop.example/{len(entries)}", "httpVersion": "h2", "headers": []}
        response = {"status": 200, "statusText": "", "headers": [], "content": {"text": body}}
        entries.append({"request": request, "response": response})
    return json.dumps({"log": {"version": "1.2", "entries": entries}}).encode()


def _pcap(size: int) -> bytes:
    """TLS-like connections of 100 KiB each, in segments of 1,400 bytes."""
    records = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
    for port in range(20_000, 20_000 + size // 100_000):
        stream = b"\x16\x03\x03\x00\x10" + bytes(16) + b"\x17\x03\x03\x3f\xff" + random.randbytes(100_000)  # noqa: S311
        for at in range(0, len(stream), 1400):
            data = stream[at : at + 1400]
            head = struct.pack("!HHIIBBHHH", port, 443, at, 0, 5 << 4, 16, 1024, 0, 0)
            ip = struct.pack("!BBHHHBBH8s", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0, bytes(8))
            packet = ip + head + data
            records += [struct.pack("<IIII", 0, 0, len(packet), len(packet)), packet]
    return b"".join(records)


def _database(size: int) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE pages (number, body)")
        rows = ((number, _json_body(number)) for number in range(size // 2800))
        connection.executemany("INSERT INTO pages VALUES (?, ?)", rows)
        connection.commit()
        return connection.serialize()


KINDS: dict[str, Callable[[int], bytes]] = {
    "opaque": random.randbytes,
    "log": _log,
    "log.gz": lambda size: gzip.compress(_log(size)),
    "har": _har,
    "pcap": _pcap,
    "sqlite": _database,
}

if __name__ == "__main__":
    raise SystemExit(main())
