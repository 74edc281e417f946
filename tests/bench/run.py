"""How long `lab run` takes and how much memory: `python -m tests.bench.run`."""

from __future__ import annotations

import argparse
import statistics

from tests.bench import measure

TARGET_SECONDS, TARGET_MEBIBYTES = 4.0, 350.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description="lab run: three modes, all observers (target: under 4 s and 350 MB, all processes together)"
    )
    parser.add_argument("--runs", type=int, default=7)
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    command = measure.lab("run")
    measure.command(command)
    # Time and memory in different runs: looking at memory takes time.
    taken = [measure.command(command) for _ in range(options.runs)]
    measure.say(f"  time                     {measure.times(taken)}")
    measure.say(f"  {statistics.median(one.seconds for one in taken) / TARGET_SECONDS:.0%} of what it may take")
    if not measure.has_proc():
        measure.say("  memory: only Linux tells how much of it processes share")
        return
    peaks = [measure.peak_mebibytes(command) for _ in range(max(1, options.runs // 2))]
    measure.say(f"  memory at its peak       {measure.spread(peaks, 'MiB', 0)}")
    measure.say(f"  {max(peaks) / TARGET_MEBIBYTES:.0%} of what it may take, in the worst run")


if __name__ == "__main__":
    raise SystemExit(main())
