"""What the benchmarks share: running a command, looking at processes, printing."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PROC = Path("/proc")
COMMAND_SECONDS = 120.0
"""A guard: no command that is measured here takes so long."""


def say(line: str = "") -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def lab(*arguments: str) -> list[str]:
    """The installed command, as a person runs it; it stands beside the interpreter."""
    return [str(Path(sys.executable).parent / "lab"), *arguments]


def spread(values: Sequence[float], unit: str, digits: int = 2) -> str:
    """ "median 0.21 s (0.20 to 0.23, 15 runs)" """
    middle, least, most = (f"{one:.{digits}f}" for one in (statistics.median(values), min(values), max(values)))
    return f"median {middle} {unit} ({least} to {most}, {len(values)} runs)"


def machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{os.cpu_count()} cores{load}, {platform.system()}, Python {platform.python_version()}, "
        f"mitmproxy {version('mitmproxy')}"
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """What something took: on the clock, and of processors, all processes together (0 where nobody tells)."""

    seconds: float
    processor: float


def times(taken: Sequence[Taken]) -> str:
    processor = statistics.median(one.processor for one in taken)
    return f"{spread([one.seconds for one in taken], 's')}, processors {processor:.2f} s"


def command(arguments: Sequence[str]) -> Taken:
    """Run a command. CalledProcessError: it failed, so the number would mean nothing."""
    children = os.times()
    before = time.perf_counter()
    subprocess.run(arguments, check=True, capture_output=True, timeout=COMMAND_SECONDS)
    taken = time.perf_counter() - before
    after = os.times()
    used = after.children_user + after.children_system - children.children_user - children.children_system
    return Taken(taken, used)


def peak_mebibytes(command: Sequence[str], every: float = 0.05) -> float:
    """The highest sum of the proportional set sizes of the command and all its descendants, looked at repeatedly."""
    peak = 0
    done = threading.Event()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:

        def wait() -> None:
            process.wait()
            done.set()

        threading.Thread(target=wait, daemon=True).start()
        try:
            while not done.wait(every):
                peak = max(peak, sum(proportional_kibibytes(pid) for pid in tree(process.pid)))
        except BaseException:
            process.terminate()  # the lab then tidies up itself
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return peak / 1024


def tree(root: int) -> list[int]:
    """The process and its descendants, those in sessions of their own too."""
    parents = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                # "PID (any name) STATE PARENT …"
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [root]
    for one in found:
        found.extend(pid for pid, parent in parents.items() if parent == one)
    return found


def proportional_kibibytes(pid: int) -> int:
    """Memory of the process, what it shares being divided among the sharers; 0 once it has ended."""
    return _field(PROC / str(pid) / "smaps_rollup", "Pss:")


def resident_kibibytes(pid: int) -> int:
    return _field(PROC / str(pid) / "status", "VmRSS:")


def processor_seconds(pid: int) -> float | None:
    """Processor time that the process has used so far; None where the system does not tell in this way."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _field(file: Path, name: str) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def has_proc(name: str = "smaps_rollup") -> bool:
    return (PROC / "self" / name).exists()


def run(measure: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser, *arguments: str) -> int:
    """Read the arguments (else those of the command line), measure, and end quietly on Ctrl-C."""
    options = parser.parse_args(arguments or None)
    say(f"{parser.description}")
    say(f"  {machine()}")
    try:
        measure(options)
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    say()
    return 0
