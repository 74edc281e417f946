"""How long commands take that start nothing: `python -m tests.bench.startup`."""

from __future__ import annotations

import argparse
import statistics
import sys

from tests.bench import measure

TARGET_SECONDS = 0.3


def main() -> int:
    parser = argparse.ArgumentParser(description="Starting up (target: lab --help under 0.3 s)")
    parser.add_argument("--runs", type=int, default=15)
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    commands = {
        "an empty Python program": [sys.executable, "-c", ""],
        "lab --help": measure.lab("--help"),
        "lab --version": measure.lab("--version"),
        "lab list": measure.lab("list"),
        "lab check": measure.lab("check"),
    }
    for command in commands.values():
        measure.command(command)  # compiles and fills the caches of the system
    # In turn, so that whatever else the machine does meets all of them.
    taken = [{name: measure.command(command) for name, command in commands.items()} for _ in range(options.runs)]
    for name in commands:
        measure.say(f"  {name:<24} {measure.times([one[name] for one in taken])}")
    middle = statistics.median(one["lab --help"].seconds for one in taken)
    measure.say(f"  lab --help takes {middle / TARGET_SECONDS:.0%} of what it may")


if __name__ == "__main__":
    raise SystemExit(main())
