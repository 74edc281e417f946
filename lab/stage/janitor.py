"""Tidies up after a run whose process was killed: a small process of its own, with the standard library alone.

    python janitor.py DIRECTORY

It reads process ids, one a line, from standard input. If the input ends without the line "done", the parent is gone:
the janitor then waits for those processes, which end by themselves when their input does, ends by force what has not
ended after a while, and removes the directory.
"""

import contextlib
import os
import shutil
import signal
import sys
import time

PATIENCE_SECONDS = 10.0
STEP_SECONDS = 0.05


def main() -> None:
    directory = sys.argv[1]
    pids = []
    for line in sys.stdin:
        if line.strip() == "done":
            return
        pids.append(int(line))
    deadline = time.monotonic() + PATIENCE_SECONDS
    # They are nobody's children any more, so there is nothing to wait on but their disappearance.
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(STEP_SECONDS)
    for pid in filter(_alive, pids):
        with contextlib.suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    shutil.rmtree(directory, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
