"""What recording costs a tap: `python -m tests.bench.taps`.

Each round loads the recording tap and a tap with a do-nothing addon in turn, in an order that changes; the ratio is
taken within the round. Both run all the time, with their connections open.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass

from lab.stage.process import Child
from tests.bench import measure
from tests.bench.tap import CONNECTIONS, HTTP, TCP, TLS, Bench, Kind, open_bench

KINDS = {"http": HTTP, "tls": TLS, "tcp": TCP}
WARM_SECONDS = 1.0
SLICES = 4
"""A round goes back and forth between the two taps so many times, because other work on the machine comes and goes."""
UNLIMITED = 10**9
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Rate:
    per_second: float
    microseconds: float
    """Processor time of the tap for one request; 0 where the system does not tell."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Requests per second, recording tap to the same mitmdump with a do-nothing addon (target: 90 %)"
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each tap in each round")
    parser.add_argument("--kind", choices=KINDS, action="append", help="repeatable (default: all)")
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    for name in options.kind or KINDS:
        _compare(KINDS[name], options.rounds, options.seconds)


def _compare(kind: Kind, rounds: int, seconds: float) -> None:
    pairs: list[tuple[Rate, Rate]] = []
    with open_bench() as bench:
        port = bench.traffic("upstream").ask({"serve": kind.protocol})["port"]
        recording = _Loaded(bench, "recording", kind, port)
        idle = _Loaded(bench, "idle", kind, port)
        recording.tap.ask({"begin": str(bench.directory / "recording.jsonl")})
        for one in (recording, idle):
            one.connect()
            one.load(WARM_SECONDS)
            one.rate()
        measure.say(f"\n  {kind.name}, {CONNECTIONS} connections: recording, do-nothing, ratio")
        for number in range(rounds):
            order = [recording, idle] if number % 2 else [idle, recording]
            for one in (*order, *reversed(order)) * SLICES:
                one.load(seconds / 2 / SLICES)
            pairs.append((recording.rate(), idle.rate()))
            measure.say(f"    {_line(*pairs[-1])}")
    ratios = [recorded.per_second / idled.per_second for recorded, idled in pairs]
    measure.say(f"  {kind.name}: {measure.spread([100 * one for one in ratios], '%', 1)} of the do-nothing rate")
    if all(idled.microseconds for _, idled in pairs):
        cost = statistics.median(recorded.microseconds - idled.microseconds for recorded, idled in pairs)
        share = statistics.median(idled.microseconds / recorded.microseconds for recorded, idled in pairs)
        measure.say(
            f"  {kind.name}: recording adds {cost:.0f} µs of processor time to a request; "
            f"by processor time alone the ratio is {share:.1%}"
        )


class _Loaded:
    """A tap, its client, and what passed since `rate` was last asked."""

    def __init__(self, bench: Bench, name: str, kind: Kind, port: int) -> None:
        self.tap, self._address = bench.tap(f"{name} tap", kind, port, idle=name == "idle")
        self._client: Child = bench.traffic(f"client of the {name} tap")
        self._kind = kind
        self._requests = self._seconds = self._processor = 0.0

    def connect(self) -> None:
        kind = self._kind
        arguments = {"to": self._address, "kind": kind.protocol, "tls": kind.tls, "count": CONNECTIONS}
        self._client.ask({"connect": arguments})

    def load(self, seconds: float) -> None:
        before = measure.processor_seconds(self.tap.pid)
        done = self._client.ask({"load": {"seconds": seconds, "most": UNLIMITED}}, seconds + PATIENCE_SECONDS)
        after = measure.processor_seconds(self.tap.pid)
        self._requests += done["requests"]
        self._seconds += done["seconds"]
        self._processor += 0.0 if before is None or after is None else after - before

    def rate(self) -> Rate:
        rate = Rate(self._requests / self._seconds, self._processor / self._requests * 1e6)
        self._requests = self._seconds = self._processor = 0.0
        return rate


def _line(recording: Rate, idle: Rate) -> str:
    rates = f"{recording.per_second:7.0f} {idle.per_second:7.0f} per s {recording.per_second / idle.per_second:7.1%}"
    return f"{rates}   {recording.microseconds:5.0f} {idle.microseconds:5.0f} µs of processor time"


if __name__ == "__main__":
    raise SystemExit(main())
