"""Lessons as tests: with `lab_lessons = true` in the configuration, pytest collects NAME.feature.md files.

Each scenario is one test: it is held on real taps, judged, and fails with the differing cells and their evidence; an
inconclusive cell fails too, for then nothing was shown. All lessons of a session share one stage. A translation
beside its original is one test: that both tell, claim and explain the same.

The fixture `lab_clients` shows a TLS client of yours servers that are wrong in one way each. Without option and fixture
nothing happens and nothing of the lab is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lab.clients.case import Case, Report
    from lab.clients.running import Target
    from lab.model import LeakMatrix
    from lab.scenario.run import Session
    from lab.stage.stage import Stage

_STAGE = pytest.StashKey["_SharedStage"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("lab_lessons", "collect the lab's lessons (*.feature.md) as tests", type="bool", default=False)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name.endswith(".feature.md") and parent.config.getini("lab_lessons"):
        return LessonFile.from_parent(parent, path=file_path)
    return None


def pytest_unconfigure(config: pytest.Config) -> None:
    shared = config.stash.get(_STAGE, None)
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
        from lab.matrix import exit_status
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
