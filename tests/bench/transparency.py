"""What the log of keys costs as it grows: `python -m tests.bench.transparency`. About a minute.

For logs of 10 to 1,000,000 entries: the proofs that an entry is in it and that it only grew (hashes on average and at
most, their bytes, bytes of the whole answer), and the time for one more entry and for one proof, in the service's own
database. Seconds are those of the processor. The row for 1,000,000,000 entries is computed by the same functions,
without any log.

The logs are filled past the service: an entry at a time, with a commit each, a million would take an hour.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.e2ee.transparency import LogEntry, check_consistency, check_inclusion, leaf_hash
from lab.service import merkle
from lab.service.key_log import KeyLog
from lab.service.storage import Storage
from tests.bench import measure

COMPUTED = 10**9
LIST_SIZE = 300
"""Bytes of a device list with two devices, about."""


def main() -> int:
    parser = argparse.ArgumentParser(description="The log of keys: proofs of 10 to 1,000,000 entries")
    parser.add_argument("--most", type=int, default=6, help="the largest log has 10**MOST entries")
    parser.add_argument("--rounds", type=int, default=200)
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    chance = random.Random(0)  # noqa: S311 - which entries are asked for
    measure.say(f"  {'entries':>13}  {'in it':^23}   {'only grew':^23}   {'time':>10} {'time':>10}")
    columns = f"{'hashes':>10} {'bytes':>5} {'answer':>6}"
    measure.say(f"  {'':>13}  {columns}   {columns}   {'entry':>10} {'proof':>10}   {'database':>10}   an entry read")
    for exponent in range(1, options.most + 1):
        with TemporaryDirectory() as folder:
            _one(Path(folder, "service.db"), 10**exponent, options.rounds, chance)
    places = [chance.randrange(COMPUTED) for _ in range(options.rounds)]
    included = [len(merkle.inclusion(place, COMPUTED)) for place in places]
    grown = [len(merkle.consistency(place + 1, COMPUTED)) for place in places]
    measure.say(f"  {COMPUTED:>13,}  {_hashes(included)} {'':>6}   {_hashes(grown)} {'':>6}   computed")


def _one(database: Path, size: int, rounds: int, chance: random.Random) -> None:
    storage = Storage(database, secure_delete=True)
    log = KeyLog(storage)
    _fill(database, size)
    root = log.head().root
    included, grown, answers, proved = [], [], [], []
    for _ in range(rounds):
        place = chance.randrange(size)
        seconds, found = _timed(log.latest, _account(place))
        check_inclusion(_leaf(place, found.entry.digest), place, size, found.path, root)
        first = place + 1
        step = log.consistency(first, size)
        included.append(len(found.path))
        grown.append(len(step.path))
        answers.append((len(found.model_dump_json()), len(step.model_dump_json())))
        proved.append(seconds)
    page = log.entries(0, 1000)
    # One that is not checked beforehand: the tree of the first entry is the entry itself.
    check_consistency(1, _leaf(0, log.latest(_account(0)).entry.digest), size, root, log.consistency(1, size).path)
    added = [_timed(_append, storage, log, os.urandom(LIST_SIZE))[0] for _ in range(rounds)]
    storage.close()
    sizes = [statistics.mean(each) for each in zip(*answers, strict=True)]
    measure.say(
        f"  {size:>13,}  {_hashes(included)} {sizes[0]:6.0f}   {_hashes(grown)} {sizes[1]:6.0f}   "
        f"{statistics.median(added) * 1000:7.2f} ms {statistics.median(proved) * 1000:7.2f} ms   "
        f"{database.stat().st_size / 2**20:6,.1f} MiB   "
        f"{len(page.model_dump_json()) / len(page.entries):4.0f} bytes"
    )


def _append(storage: Storage, log: KeyLog, data: bytes) -> None:
    with storage.writing() as connection:
        log.append(connection, _account(0), data)


def _fill(database: Path, size: int) -> None:
    """A log of `size` accounts with one entry each."""
    level = 0
    with closing(sqlite3.connect(database)) as connection, connection:
        lists = ((place, _account(place), 1, place.to_bytes(LIST_SIZE, "big")) for place in range(size))
        connection.execute("INSERT INTO accounts VALUES (?, '', 0)", (_account(0),))
        connection.executemany("INSERT INTO log_entries VALUES (?, ?, ?, ?)", lists)
        digests = (hashlib.sha256(place.to_bytes(LIST_SIZE, "big")).digest() for place in range(size))
        hashes = [_leaf(place, digest) for place, digest in enumerate(digests)]
        while hashes:
            rows = ((((2 * place + 1) << level) - 1, found) for place, found in enumerate(hashes))
            connection.executemany("INSERT INTO log_nodes VALUES (?, ?)", rows)
            hashes = [merkle.node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes) - 1, 2)]
            level += 1


def _account(place: int) -> str:
    return f"account-{place:07}"


def _leaf(place: int, digest: bytes) -> bytes:
    return leaf_hash(LogEntry(_account(place), 1, digest).leaf())


def _hashes(counts: Sequence[int]) -> str:
    mean = statistics.mean(counts)
    return f"{mean:5.1f} ({max(counts):2}) {mean * 32:5.0f}"


def _timed[**Given, Found](
    act: Callable[Given, Found], *given: Given.args, **named: Given.kwargs
) -> tuple[float, Found]:
    before = time.process_time()
    found = act(*given, **named)
    return time.process_time() - before, found


if __name__ == "__main__":
    raise SystemExit(main())
