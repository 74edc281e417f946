"""Every benchmark, one after the other: `python -m tests.bench.all`, or `make bench`. About a quarter of an hour."""

from __future__ import annotations

import sys

from tests.bench import (
    audit,
    classroom,
    corpus,
    detect,
    groups,
    lesson,
    memory,
    near_match,
    ratchet,
    run,
    scan,
    sessions,
    startup,
    taps,
    transparency,
)


def main() -> int:
    if len(sys.argv) > 1:
        sys.stderr.write("all takes no arguments; each benchmark by itself does, see --help\n")
        return 2
    # Ctrl-C ends them all.
    every = (
        *(startup, run, lesson, classroom, audit, taps, memory, ratchet, sessions, groups),
        *(transparency, near_match, detect, scan, corpus),
    )
    return next((status for one in every if (status := one.main())), 0)


if __name__ == "__main__":
    raise SystemExit(main())
