"""Every benchmark, one after the other: `python -m tests.bench.all`, or `make bench`. About eight minutes."""

from __future__ import annotations

import sys

from tests.bench import groups, lesson, memory, ratchet, run, sessions, startup, taps


def main() -> int:
    if len(sys.argv) > 1:
        sys.stderr.write("all takes no arguments; each benchmark by itself does, see --help\n")
        return 2
    # Ctrl-C ends them all.
    return next(
        (status for one in (startup, run, lesson, taps, memory, ratchet, sessions, groups) if (status := one.main())), 0
    )


if __name__ == "__main__":
    raise SystemExit(main())
