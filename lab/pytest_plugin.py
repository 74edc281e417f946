"""Lessons as tests: with `lab_lessons = true` in the configuration, pytest collects NAME.feature.md files.

Each scenario is one test: it is held on real taps, judged, and fails with the differing cells and their evidence; an
inconclusive cell fails too, for then nothing was shown. All lessons of a session share one stage. A translation
beside its original is one test: that both tell, claim and explain the same.

The fixture `lab_clients` shows a TLS client of yours servers that are wrong in one way each.

The fixture `leaklab` puts observers before a service of yours, and asserts who could read what: see README.md, "Test
your own app". `--leaklab-update` writes the tables that `lab.matches` compares with, `--leaklab-sarif` a report for
code hosts; verdicts are properties in JUnit reports, and a table in the step summary of GitHub.

Without option and fixture nothing happens and nothing of the lab is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lab.audit.taps import Taps
    from lab.audit.window import Audit, Window
    from lab.clients.case import Case, Report
    from lab.clients.running import Target
    from lab.model import LeakMatrix
    from lab.scenario.run import Session
    from lab.stage.stage import Stage

_STAGE = pytest.StashKey["_SharedStage"]()
_TAPS = pytest.StashKey["_SharedTaps"]()
_AUDIT = pytest.StashKey["Audit"]()

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("lab_lessons", "collect the lab's lessons (*.feature.md) as tests", type="bool", default=False)
    group = parser.getgroup("leaklab", "who can read what your app sends (fixture leaklab)")
    group.addoption(
        "--leaklab-update",
        action="store_true",
        help="write the tables that lab.matches(FILE) compares with, instead of comparing; then read what changed",
    )
    group.addoption(
        "--leaklab-sarif",
        metavar="FILE",
        type=Path,
        help="also write what is not as the tests say as SARIF 2.1.0, for code hosts and editors",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name.endswith(".feature.md") and parent.config.getini("lab_lessons"):
        return LessonFile.from_parent(parent, path=file_path)
    return None


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Reports(config), "leaklab reports")


def pytest_unconfigure(config: pytest.Config) -> None:
    for shared in (config.stash.get(_STAGE, None), config.stash.get(_TAPS, None)):
        if shared is not None:
            shared.close()


@pytest.fixture(scope="session")
def lab_clients() -> ClientCheck:
    """Shows a client the built-in cases of `lab clients`: `assert lab_clients(my_client).fooled == ()`."""
    return ClientCheck()


class ClientCheck:
    """Cases and keys are made once; each call shows them to one client."""

    def __init__(self) -> None:
        from lab.clients.builtin import built_in

        self._cases: tuple[Case, ...] = built_in()

    def __call__(
        self,
        client: Callable[[Target], object] | Sequence[str],
        *,
        only: Sequence[str] = (),
        takes_proxy: bool = False,
        jobs: int | None = None,
        timeout: float = 10.0,
    ) -> Report:
        """What a client did: `fooled` and `undecided` are names of cases, `status` is as of `lab clients`.

        A command is a list, with {host}, {port}, {ca} and {proxy} for the values. A function gets them as one object
        with these attributes and is called in a thread, several times at once; `takes_proxy` says whether it goes
        through the proxy. `only` names cases; their twins come along. LabError: no such case or program.
        """
        from lab.clients.command import selected
        from lab.clients.running import Command, Function, Means, meet, processors

        one = Function(client, takes_proxy) if callable(client) else Command(tuple(client))
        return meet(one, selected(self._cases, only), Means(jobs or processors(), timeout))


@pytest.fixture
def leaklab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Audit]:
    """Observers before a service of yours: leaklab.secret(NAME), leaklab.observe(URL), then lab.network.hides(secret).

    The taps are started for the first test that uses it, once in each worker.
    """
    taps = request.config.stash.setdefault(_TAPS, _SharedTaps())
    taps.get()  # it goes on starting while this process imports the rest

    from lab.audit.window import Audit

    name = request.node.nodeid.rpartition("/")[2]
    audit = Audit(taps.get, tmp_path / "leaklab", name, request.path.parent)
    audit.update = request.config.getoption("leaklab_update")
    request.node.stash[_AUDIT] = audit
    yield audit
    for number, window in enumerate(audit.observations, start=1):
        if window.ended and audit.secrets:
            for cell in window.matrix.cells:
                again = f" ({number})" if number > 1 else ""
                request.node.user_properties.append(
                    (f"leaklab{again}: {cell.secret} at {cell.observer}", str(cell.exposure))
                )


@pytest.fixture
def leaklab_environ(monkeypatch: pytest.MonkeyPatch) -> Callable[[Window], None]:
    """`leaklab_environ(lab)` puts lab.env into os.environ until the end of the test, for code in the same process."""

    def use(window: Window) -> None:
        for name, value in window.env.items():
            monkeypatch.setenv(name, value)

    return use


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    audit = item.stash.get(_AUDIT, None)
    if audit is not None and report.when == "teardown":
        from lab.audit.reports import audited

        file, line, _ = item.location
        # It crosses from a worker of pytest-xdist to the process that writes the reports.
        report.leaklab = [  # type: ignore[attr-defined]
            audited(audit.name, Path(file).as_posix(), (line or 0) + 1, one.matrix, one.surprises).plain()
            for one in audit.observations
            if one.ended and audit.secrets
        ]
    return report


class LessonFile(pytest.File):
    """One lesson."""

    def collect(self) -> Iterator[pytest.Item]:
        from lab.model import LabError
        from lab.scenario import load
        from lab.scenario.run import Session

        try:
            lesson = load(self.path)
        except LabError as error:
            raise self.CollectError(str(error)) from error
        original = self.path.with_name(f"{lesson.name}.feature.md")
        if original != self.path and original.exists():
            yield TranslationItem.from_parent(self, name=f"the same as {original.name}", original=original)
            return
        for number, scenario in enumerate(lesson.scenarios, start=1):
            session = Session(lesson, scenario, number)
            yield ScenarioItem.from_parent(self, name=scenario.title, session_to_hold=session)


class TranslationItem(pytest.Item):
    """Whether a translation is the same lesson as its original, which is held in its place."""

    def __init__(self, *, original: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._original = original

    def runtest(self) -> None:
        from lab.scenario import load
        from lab.scenario.translation import compare

        compare(load(self._original), load(self.path))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from lab.model import LabError

        if isinstance(excinfo.value, LabError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


class ScenarioItem(pytest.Item):
    """One scenario of a lesson."""

    def __init__(self, *, session_to_hold: Session, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._session = session_to_hold

    def runtest(self) -> None:
        from lab.model import exit_status
        from lab.scenario.run import perform

        stage = self.config.stash.setdefault(_STAGE, _SharedStage()).get()
        capture = stage.directory / self._session.file_name
        capture.unlink(missing_ok=True)
        matrix = perform(self._session, stage, capture, lambda _: None)
        if exit_status([matrix]):
            raise ClaimsFailed(matrix)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, ClaimsFailed):
            return excinfo.value.report()
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self._session.scenario.line - 1, self.name


class ClaimsFailed(Exception):  # noqa: N818 - it is what the report says
    """A lesson's claims do not hold, or could not be decided."""

    def __init__(self, matrix: LeakMatrix) -> None:
        self._matrix = matrix
        super().__init__(matrix.title)

    def report(self) -> str:
        """The matrix with its evidence and controls, as `lab run` prints it."""
        from io import StringIO

        from rich.console import Console

        from lab.report.as_text import print_matrix

        text = StringIO()
        print_matrix(self._matrix, Console(file=text, width=110, highlight=False))
        return text.getvalue()


class _SharedStage:
    """The stage of a pytest session, opened by the first lesson and replaced if it loses a process."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._stage: Stage | None = None

    def get(self) -> Stage:
        from lab.stage.stage import open_stage

        if self._stage is None or not self._stage.intact:
            self._stack.close()
            self._stage = self._stack.enter_context(open_stage())
        return self._stage

    def close(self) -> None:
        self._stack.close()


class _SharedTaps:
    """The taps of a pytest session, started for the first test that uses them."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._turn = Lock()
        self._taps: Taps | None = None

    def get(self) -> Taps:
        from lab.audit.taps import open_taps

        with self._turn:
            if self._taps is None:
                self._taps = self._stack.enter_context(open_taps())
            return self._taps

    def close(self) -> None:
        self._stack.close()


class _Reports:
    """Collects what audits came to, where reports are written: not in the workers of pytest-xdist."""

    def __init__(self, config: pytest.Config) -> None:
        self._sarif: Path | None = config.getoption("leaklab_sarif")
        self._found: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._found += getattr(report, "leaklab", [])

    def pytest_sessionfinish(self) -> None:
        summary = os.environ.get(SUMMARY_VARIABLE)
        if not (self._sarif or (summary and self._found)):
            return
        from importlib.metadata import version

        from lab.audit.reports import from_plain, to_markdown, to_sarif

        tests = [from_plain(fields) for fields in self._found]
        if self._sarif:
            self._sarif.write_text(to_sarif(tests, version("mitm-lab")), "utf-8")
        if summary and tests:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(to_markdown(tests))
