"""`lab clients` behind the command line: checks what was asked for, shows the cases, prints and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from rich.console import Console

from lab.clients.as_json import to_json
from lab.clients.as_junit import to_junit
from lab.clients.as_text import print_cases, print_report
from lab.clients.builtin import built_in
from lab.clients.case import Case
from lab.clients.running import Command, Means, meet, processors
from lab.model import LabError

STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    client: Sequence[str]
    limbo: Path | None
    only: Sequence[str]
    names: bool
    json: str | None
    junit: str | None
    jobs: int | None
    timeout: float

    @property
    def outputs(self) -> list[str]:
        return [file for file in (self.json, self.junit) if file is not None]


def run(asked: Asked, out: Console, errors: Console, write: Callable[[str, str], None]) -> int:
    """Show the cases, print, write; the exit status. LabError: bad input, before anything is started."""
    cases = selected(_cases(asked.limbo), asked.only)
    if asked.names:
        print_cases(cases, out)
        return 0
    client, means = _checked(asked)
    with _progress(errors, len(cases)) as watch:
        report = meet(client, cases, means, watch)
    print_report(report, out)
    for file, text in ((asked.json, to_json), (asked.junit, to_junit)):
        if file is not None:
            write(file, text(report))
    return report.status


def selected(cases: tuple[Case, ...], wanted: Sequence[str]) -> tuple[Case, ...]:
    """The cases that these names or patterns (*) fit, and their twins; all without a name. LabError: one fits none."""
    if not wanted:
        return cases
    known = {case.name: case for case in cases}
    chosen = set[str]()
    for pattern in wanted:
        fitting = [name for name in known if fnmatchcase(name, pattern)]
        if not fitting:
            near = get_close_matches(pattern, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "lab clients --list names them all"
            raise LabError(f"--only {pattern}: no case of this name; {hint}")
        chosen.update(fitting)
    for name in tuple(chosen):
        twin = known[name].twin
        while twin is not None:
            chosen.add(twin)
            twin = known[twin].twin
    return tuple(case for case in cases if case.name in chosen)


def _cases(limbo: Path | None) -> tuple[Case, ...]:
    if limbo is None:
        return built_in()
    from lab.clients.limbo import read  # pydantic takes a while to load

    return read(limbo)


def _checked(asked: Asked) -> tuple[Command, Means]:
    client = Command(tuple(asked.client))
    if len(set(asked.outputs)) < len(asked.outputs):
        raise LabError("each report needs a file of its own")
    for file in asked.outputs:
        if file != STANDARD_OUTPUT and (Path(file).is_dir() or not Path(file).parent.is_dir()):
            raise LabError(f"{file}: cannot be written: give a file in a folder that exists")
    if asked.jobs is not None and asked.jobs < 1:
        raise LabError("--jobs: give 1 or more")
    if not asked.timeout > 0:
        raise LabError("--timeout: give more than 0")
    return client, Means(asked.jobs or processors(), asked.timeout)


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[int], None]]:
    """A bar where `console` is a terminal; nothing elsewhere."""
    if not console.is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(TextColumn("cases"), BarColumn(), MofNCompleteColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda through: bar.update(task, completed=through)
