"""Memory of a recording tap over many messages: `python -m tests.bench.memory`.

Resident memory is looked at after every tenth of the way. The first tenth fills caches and pools; from then on it
should stay where it is.
"""

from __future__ import annotations

import argparse
import itertools

from tests.bench import measure
from tests.bench.tap import CONNECTIONS, HTTP, TCP, Kind, open_bench

KINDS = {"http": HTTP, "tcp": TCP}
STEPS = 10
STEP_SECONDS = 300.0
"""A guard: a step ends then, whatever is missing."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Memory of a recording tap over 100,000 messages (target: flat)")
    parser.add_argument("--messages", type=int, default=100_000, help="requests and answers together")
    parser.add_argument("--kind", choices=KINDS, action="append", help="repeatable (default: all)")
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    if not measure.has_proc("status"):
        measure.say("  only measured where there is /proc (Linux)")
        return
    for name in options.kind or KINDS:
        _follow(KINDS[name], options.messages)


def _follow(kind: Kind, messages: int) -> None:
    with open_bench() as bench:
        port = bench.traffic("upstream").ask({"serve": kind.protocol})["port"]
        client = bench.traffic("client")
        tap, address = bench.tap("recording tap", kind, port)
        recording = bench.directory / "recording.jsonl"
        tap.ask({"begin": str(recording)})
        client.ask({"connect": {"to": address, "kind": kind.protocol, "tls": kind.tls, "count": CONNECTIONS}})
        measure.say(f"\n  {kind.name}: messages, resident memory")
        sizes = [measure.resident_kibibytes(tap.pid) / 1024]
        measure.say(f"    {0:7} {sizes[0]:6.1f} MiB")
        requests = messages // 2 // STEPS
        for step in range(1, STEPS + 1):
            load = {"seconds": STEP_SECONDS, "most": requests}
            done = client.ask({"load": load}, STEP_SECONDS + 30)["requests"]
            sizes.append(measure.resident_kibibytes(tap.pid) / 1024)
            measure.say(f"    {2 * done * step:7} {sizes[-1]:6.1f} MiB")
        client.ask({"disconnect": True})
        tap.ask({"end": 10.0})
        growth = sizes[-1] - sizes[1]
        rises = sum(after > before for before, after in itertools.pairwise(sizes[1:]))
        per_message = growth * (1 << 20) / (messages * (STEPS - 1) / STEPS)
        measure.say(
            f"  {kind.name}: {growth:+.1f} MiB after the first tenth ({per_message:+.1f} bytes a message, "
            f"{rises} rises in {STEPS - 1} steps); recorded {recording.stat().st_size / (1 << 20):.0f} MiB"
        )


if __name__ == "__main__":
    raise SystemExit(main())
