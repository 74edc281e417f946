"""`lab scan` behind the command line: checks what was asked for, scans with a progress bar, prints and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from lab.model import LabError
from lab.scan.as_text import print_report
from lab.scan.result import Report
from lab.scan.run import Interrupted, Means, prepare, processors, scan
from lab.scan.wanted import given, readable_by_others
from lab.scan.work import Task

STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    paths: Sequence[Path]
    secret: Sequence[str]
    secrets: Path | None
    salt: Sequence[str]
    json: str | None
    html: str | None
    sarif: str | None
    jobs: int | None
    cluster: str | None
    ship: bool
    keylog: Path | None
    show_secrets: bool
    seconds: float

    @property
    def outputs(self) -> dict[str, str]:
        named = {"json": self.json, "html": self.html, "sarif": self.sarif}
        return {kind: file for kind, file in named.items() if file is not None}


def run(asked: Asked, out: Console, errors: Console, write: Callable[[Path, bytes], None]) -> int:
    """Scan, print, write; the exit status. LabError: bad input, before anything is read."""
    task, means = _checked(asked)
    if asked.secrets is not None and readable_by_others(asked.secrets):
        errors.print(f"lab: {asked.secrets}: others can read these secrets (chmod 600)", soft_wrap=True, markup=False)
    files = prepare(task, asked.paths)
    try:
        with _progress(errors, sum(unit.size for unit, _ in files.units)) as watch:
            report = scan(task, files, means, watch)
    except Interrupted as interrupted:
        print_report(interrupted.report, out)
        raise
    for kind, file in asked.outputs.items():
        write(Path(file), _rendered(kind, report).encode(errors="replace"))
    print_report(report, out)
    return report.status


def _checked(asked: Asked) -> tuple[Task, Means]:
    secrets = given(asked.secret, asked.secrets)
    files = list(asked.outputs.values())
    if len(set(files)) < len(files):
        raise LabError("each report needs a file of its own")
    for file in files:
        if file != STANDARD_OUTPUT and (Path(file).is_dir() or not Path(file).parent.is_dir()):
            raise LabError(f"{file}: cannot be written: give a file in a folder that exists")
    if asked.keylog is not None and not asked.keylog.is_file():
        raise LabError(f"{asked.keylog}: no such file; --keylog takes a file of TLS keys (SSLKEYLOGFILE)")
    if asked.jobs is not None and asked.jobs < 1:
        raise LabError("--jobs: give 1 or more")
    if asked.seconds <= 0:
        raise LabError("--seconds: give more than 0")
    if asked.ship and asked.cluster is None:
        raise LabError("--ship sends the bytes to a cluster: give --cluster ADDRESS too")
    salts = tuple(salt.encode(errors="surrogateescape") for salt in asked.salt)
    task = Task(secrets, salts, asked.seconds, asked.keylog, asked.show_secrets)
    return task, Means(asked.jobs or processors(), asked.cluster, asked.ship)


def _rendered(kind: str, report: Report) -> str:
    match kind:
        case "json":
            from lab.scan.as_json import to_json

            return to_json(report)
        case "sarif":
            from lab.scan.as_sarif import to_sarif

            return to_sarif(report)
    from lab.scan.as_html import to_html

    return to_html(report)


@contextmanager
def _progress(console: Console, size: int) -> Iterator[Callable[[int, int], None]]:
    """A bar with bytes and time left where `console` is a terminal; nothing elsewhere."""
    if not console.is_terminal:
        yield lambda _done, _found: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=size)

        def watch(done: int, found: int) -> None:
            bar.update(task, completed=done, description=f"{found} found" if found else "")

        yield watch
