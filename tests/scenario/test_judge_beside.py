"""The judge of a run: a process beside it, that says what a judge within it would say, and is missed when it dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread

import pytest

from lab import capture
from lab.matrix import judge
from lab.model import LabError
from lab.scenario import parse, run
from lab.scenario.run import Session, hold
from lab.stage.judge_side import matrix_in
from lab.stage.process import Child, ChildError
from lab.stage.stage import Stage


@pytest.fixture
def sessions(lesson: str) -> list[Session]:
    read = parse(lesson, Path("short.feature.md"))
    return [Session(read, read.scenarios[0], number) for number in (1, 2)]


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Child]:
    (tmp_path / "judge").mkdir()
    with closing(Child("judge", ["-c", run._JUDGE], tmp_path / "judge")) as child:
        yield child


@pytest.fixture
def further(monkeypatch: pytest.MonkeyPatch) -> list[Child]:
    """The processes that a run starts beside taps and service."""
    started: list[Child] = []
    start = Stage.start

    def watched(stage: Stage, name: str, arguments: list[str]) -> Child:
        started.append(start(stage, name, arguments))
        return started[-1]

    monkeypatch.setattr(Stage, "start", watched)
    return started


def test_the_matrices_of_a_run_are_those_of_its_recordings(
    sessions: list[Session], tmp_path: Path, further: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    def within(_: Path) -> None:
        raise AssertionError("judged by the run itself")

    monkeypatch.setattr(run, "_judge", within)
    monkeypatch.chdir(tmp_path)  # the judge works in another folder
    matrices = list(hold(sessions, Path("kept"), lambda _: None))
    assert matrices == [judge(capture.read(Path("kept") / session.file_name)) for session in sessions]
    assert all(matrix.cells for matrix in matrices)
    assert [child.alive for child in further] == [False]


def test_a_single_session_needs_no_further_process(sessions: list[Session], further: list[Child]) -> None:
    (matrix,) = hold(sessions[:1], None, lambda _: None)
    assert matrix.cells
    assert further == []


def test_a_recording_that_cannot_be_judged_is_refused_in_the_same_words(beside: Child, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path / "broken"):
        if path.name == "broken":
            path.write_text("no recording\n", encoding="utf-8")
        with pytest.raises(LabError) as expected:
            judge(capture.read(path))
        with pytest.raises(LabError) as caught:
            matrix_in(beside.ask({"judge": str(path)}))
        assert str(caught.value) == str(expected.value)
    assert beside.alive


def test_anything_else_that_goes_wrong_is_quoted(beside: Child) -> None:
    with pytest.raises(ChildError, match=r"^the judge ended unexpectedly \(judge\): TypeError: .* \(exit status 1\)$"):
        beside.ask({"judge": None})


def test_one_that_is_killed_at_work_is_missed(beside: Child, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless")

    def strike() -> None:
        with (tmp_path / "endless").open("wb"):  # once the judge has opened it too, to read what never comes
            os.kill(beside.pid, signal.SIGKILL)

    Thread(target=strike).start()
    with pytest.raises(ChildError, match=r"^the judge ended unexpectedly \(judge\): .*\(exit status -9\)$"):
        beside.ask({"judge": str(tmp_path / "endless")})


@pytest.mark.parametrize("moment", ["alice sends", "collecting", "searching"])
def test_a_run_whose_judge_is_killed_ends_with_its_last_words(
    sessions: list[Session], further: list[Child], moment: str
) -> None:
    def strike(what: str) -> None:
        if moment in what and further and further[0].alive:
            os.kill(further[0].pid, signal.SIGKILL)

    with pytest.raises(LabError) as caught:
        list(hold(sessions, None, strike))
    assert str(caught.value).startswith("the judge ")
    assert str(caught.value).endswith("(exit status -9)")
    assert "\n" not in str(caught.value)
    assert [child.alive for child in further] == [False]


@pytest.mark.parametrize("ending", [KeyboardInterrupt, RuntimeError])
def test_a_run_that_breaks_off_does_not_wait_for_it(
    sessions: list[Session],
    further: list[Child],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: type[BaseException],
) -> None:
    os.mkfifo(tmp_path / "endless")
    beside = run._judge_beside
    monkeypatch.setattr(run, "_judge_beside", lambda stage: _judging(tmp_path / "endless", beside(stage)))
    with ExitStack() as stack:

        def break_off(what: str) -> None:
            if "searching" in what:
                stack.enter_context((tmp_path / "endless").open("wb"))  # the judge is at work now
                raise ending

        with pytest.raises(ending):
            list(hold(sessions, None, break_off))
        assert [child.alive for child in further] == [False]


def _judging(path: Path, judge: run.Judge) -> Callable[[Path], object]:
    return lambda _: judge(path)
