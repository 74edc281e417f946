"""What the fixture leaklab costs a test: `python -m tests.bench.audit`."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from tests.audit.services import chat
from tests.bench import measure

FIRST_SECONDS, FURTHER_SECONDS = 1.5, 0.1


def main() -> int:
    parser = argparse.ArgumentParser(
        description="An audit: the first one in a process (target: under 1.5 s), and further ones (under 0.1 s)"
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--one", action="store_true", help="only the first one, in this process (for itself)")
    options = parser.parse_args()
    if options.one:
        return _one()
    return measure.run(_measure, parser)


def _one() -> int:
    with ExitStack() as stack, TemporaryDirectory() as folder:
        url = stack.enter_context(chat())
        before = time.perf_counter()
        audited = _audits(stack, Path(folder))
        audited(url, 0)
        measure.say(f"{time.perf_counter() - before:.3f}")
    return 0


def _measure(options: argparse.Namespace) -> None:
    this = [sys.executable, "-m", "tests.bench.audit"]
    first = [
        float(subprocess.run([*this, "--one"], check=True, capture_output=True).stdout)
        for _ in range(max(3, options.rounds // 3))
    ]
    with ExitStack() as stack, TemporaryDirectory() as folder:
        url = stack.enter_context(chat())
        audited = _audits(stack, Path(folder))
        further, traffic, processor = [], [], []
        for number in range(options.rounds + 3):
            before, used = time.perf_counter(), time.process_time()
            spent = audited(url, number)
            if number >= 3:  # the first ones pay for imports and caches
                further.append(time.perf_counter() - before - spent)
                processor.append(time.process_time() - used)
                traffic.append(spent)
    measure.say(f"  the first audit          {measure.spread(first, 's')}")
    measure.say(f"  a further one            {measure.spread(further, 's', 3)}")
    measure.say(f"  … of it, this process    {measure.spread(processor, 's', 3)} (processor, with its own traffic)")
    measure.say(f"  its own traffic, apart   {measure.spread(traffic, 's', 3)}")
    for name, taken, target in (("first", first, FIRST_SECONDS), ("further", further, FURTHER_SECONDS)):
        measure.say(f"  {name}: {statistics.median(taken) / target:.0%} of what it may take")


def _audits(stack: ExitStack, folder: Path) -> Callable[[str, int], float]:
    """A function that makes an audit and judges it; it gives the seconds that the client's own traffic took."""
    from lab.audit.taps import open_taps

    taps = stack.enter_context(open_taps())
    from lab.audit.window import Audit  # as the fixture does: the taps start meanwhile

    def audited(url: str, number: int) -> float:
        audit = Audit(lambda: taps, folder, f"audit {number}")
        body = audit.secret("body")
        with audit.observe(url, tls=True) as lab:
            before = time.perf_counter()
            with requests.Session() as client:
                client.trust_env = False
                client.post(f"{lab.url}/messages", json={"text": body}, verify=lab.ca).raise_for_status()
            spent = time.perf_counter() - before
            lab.confirm(body)
        lab.network.hides(body)
        lab.server.exposes(body)
        return spent

    return audited


if __name__ == "__main__":
    raise SystemExit(main())
