"""Speed and memory of the detector: `python -m tests.bench.detect`.

Seconds are those of the processor: nothing here waits, and what else the machine does should not count.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lab.detect import Detector
from lab.model import Observation
from tests.bench import measure
from tests.corpus import encoders
from tests.corpus.case import Planted, draw, observed

KIBI, MEBI = 1 << 10, 1 << 20
OPAQUE_MS = 3.0
COUNTS = (1, 10, 100, 1000)
WINDOW, OVERLAP = MEBI, 64 * KIBI
"""As a long file is read: whatever is shorter than the overlap stands in one window as a whole."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description="The detector (target: under 3 ms for an opaque body of 64 KiB with ten secrets)"
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--large", action="store_true", help="memory on 1 GB too (takes minutes)")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    if options.child is not None:
        _follow(options.child)
        return
    chance = random.Random(1)  # noqa: S311 - the same bytes each time
    _opaque(chance, options.rounds)
    _streams(chance, options.rounds)
    _per_secret(chance, options.rounds)
    _memory([10 * MEBI, *([KIBI * MEBI] if options.large else [])])


def planted(chance: random.Random, count: int) -> tuple[Planted, ...]:
    """So many secrets of all kinds."""
    found: list[Planted] = []
    while len(found) < count:
        found += (Planted(f"{one.name} {len(found)}", one.value) for one in draw(chance).secrets())
    return tuple(found[:count])


def _opaque(chance: random.Random, rounds: int) -> None:
    secrets = planted(chance, 10)
    building = [_seconds(lambda: Detector(planted(chance, 10))) for _ in range(min(rounds, 5))]
    detector = Detector(secrets)
    bodies = [[observed(chance.randbytes(64 * KIBI))] for _ in range(rounds)]
    taken = [1000 * _seconds(lambda body=body: detector.search(body)) for body in bodies]
    measure.say(f"\n  opaque body of 64 KiB, ten secrets   {measure.spread(taken, 'ms')}, target {OPAQUE_MS} ms")
    measure.say(f"  building the detector, ten secrets   {measure.spread([1000 * one for one in building], 'ms', 0)}")


def _streams(chance: random.Random, rounds: int) -> None:
    detector = Detector(planted(chance, 10))
    measure.say("\n  streams of 1 MiB in observations of 64 KiB, ten secrets")
    for name, make in STREAMS.items():
        bodies = [[observed(make(chance)[: 64 * KIBI], connection=str(at))] for at in range(MEBI // (64 * KIBI))]
        size = sum(len(one.data) for body in bodies for one in body) / 1e6
        rates: list[float] = []
        for _ in range(max(3, rounds // 5)):
            taken = _seconds(lambda bodies=bodies: [detector.search(body) for body in bodies])
            rates.append(size / taken)
        measure.say(f"    {name:<22} {measure.spread(rates, 'MB/s', 1)}")


def _per_secret(chance: random.Random, rounds: int) -> None:
    bodies = {
        "opaque": [observed(chance.randbytes(64 * KIBI))],
        "JSON": [observed(events(chance)[: 64 * KIBI])],
    }
    measure.say("\n  secrets    building      opaque 64 KiB   JSON 64 KiB")
    for count in COUNTS:
        secrets = planted(chance, count)
        before = time.process_time()
        detector = Detector(secrets)
        building = time.process_time() - before
        taken = {
            name: statistics.median(
                1000 * _seconds(lambda body=body, detector=detector: detector.search(body)) for _ in range(rounds)
            )
            for name, body in bodies.items()
        }
        measure.say(f"  {count:7} {1000 * building:9.0f} ms {taken['opaque']:13.2f} ms {taken['JSON']:10.2f} ms")


def _seconds(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


# What streams are made of


def events(chance: random.Random) -> bytes:
    return json.dumps(
        [
            {"id": str(uuid.UUID(bytes=chance.randbytes(16))), "time": at, "text": encoders.prose(120), "ok": True}
            for at in range(300)
        ]
    ).encode()


def _page(chance: random.Random) -> bytes:
    rows = "".join(f"<tr><td class=a>{chance.random()}</td><td>{encoders.prose(90)}</td></tr>\n" for _ in range(500))
    return f"<!doctype html><title>x &amp; y</title><table>{rows}</table>".encode()


def _base64_heavy(chance: random.Random) -> bytes:
    return json.dumps(
        [{"name": f"file {at}", "data": base64.b64encode(chance.randbytes(3000)).decode()} for at in range(20)]
    ).encode()


STREAMS: Mapping[str, Callable[[random.Random], bytes]] = {
    "opaque": lambda chance: chance.randbytes(64 * KIBI),
    "JSON": events,
    "HTML": _page,
    "prose": lambda chance: encoders.prose(64 * KIBI).encode(),
    "base64 of noise": lambda chance: base64.b64encode(chance.randbytes(48 * KIBI)),
    "base64 in JSON": _base64_heavy,
    "base64 of JSON": lambda chance: base64.b64encode(events(chance)),
    "gzip of JSON": lambda chance: gzip.compress(events(chance), mtime=0),
}


# Memory


@dataclass(frozen=True, slots=True)
class _Windows:
    """`size` bytes of traffic that are made when they are asked for, and kept nowhere."""

    size: int

    def __iter__(self) -> Iterator[Observation]:
        chance = random.Random(2)  # noqa: S311 - the same bytes each time
        text = events(chance)
        rest = b""
        for _ in range(self.size // WINDOW):
            noise = chance.randbytes(WINDOW - 4 * len(text))
            window = rest + noise[: len(noise) // 2] + text * 4 + noise[len(noise) // 2 :]
            yield observed(window, "file")
            rest = window[-OVERLAP:]


def _memory(sizes: list[int]) -> None:
    if not measure.has_proc():
        measure.say("\n  memory is only measured where there is /proc (Linux)")
        return
    measure.say(f"\n  peak memory of the whole process, windows of {WINDOW // KIBI} KiB of noise and JSON, ten secrets")
    for size in (0, *sizes):
        command = [sys.executable, "-m", "tests.bench.detect", "--child", str(size)]
        before = time.perf_counter()
        peak = measure.peak_mebibytes(command)
        taken = time.perf_counter() - before
        measure.say(f"    {size // MEBI:5} MiB in {taken:6.1f} s: {peak:6.1f} MiB")


def _follow(size: int) -> None:
    """What a child process does: search it all, window by window."""
    detector = Detector(planted(random.Random(3), 10))  # noqa: S311 - the same secrets each time
    for window in _Windows(size):
        detector.search([window])


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"a measured process failed: {error}") from error
