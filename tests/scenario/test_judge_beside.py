"""The judges of a run: processes beside it, that say what a judge within it would say, and are missed when they die."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from lab import capture
from lab.matrix import judge
from lab.model import LabError, LeakMatrix, Observer
from lab.scenario import parse
from lab.scenario.run import Session, hold
from lab.stage.judges import MOST, Judges, joined
from lab.stage.process import Child, ChildError
from lab.stage.stage import Stage


@pytest.fixture
def sessions(lesson: str) -> list[Session]:
    read = parse(lesson, Path("short.feature.md"))
    return [Session(read, read.scenarios[0], number) for number in (1, 2)]


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
    monkeypatch.chdir(tmp_path)  # the judges work in other folders
    matrices = list(hold(sessions, Path("kept"), lambda _: None))
    assert matrices == [judge(capture.read(Path("kept") / session.file_name)) for session in sessions]
    assert all(matrix.cells for matrix in matrices)
    assert [child.alive for child in further] == [False] * MOST


class _Interpreters:
    """Starts judges as a stage does, without one."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.started: list[Child] = []

    def prepare(self, module: str) -> None:
        """Nothing is shared here."""

    def start(self, name: str, arguments: list[str]) -> Child:
        folder = self._folder / f"{name}-{len(self.started)}"
        folder.mkdir()
        self.started.append(Child(name, arguments, folder))
        self._stack.callback(self.started[-1].close)
        return self.started[-1]


@pytest.fixture
def interpreters(tmp_path: Path) -> Iterator[_Interpreters]:
    with ExitStack() as stack:
        yield _Interpreters(tmp_path, stack)


@pytest.fixture
def judges(interpreters: _Interpreters) -> Iterator[Judges]:
    with closing(Judges(cast("Stage", interpreters))) as judges:
        yield judges


def test_a_recording_that_cannot_be_judged_is_refused_in_the_same_words(judges: Judges, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path / "broken"):
        if path.name == "broken":
            path.write_text("no recording\n", encoding="utf-8")
        with pytest.raises(LabError) as expected:
            judge(capture.read(path))
        (part,) = judges.judge(path, [Observer.SERVER])
        with pytest.raises(LabError) as caught:
            part.result()
        assert str(caught.value) == str(expected.value)


def test_anything_else_that_goes_wrong_is_quoted(judges: Judges, interpreters: _Interpreters) -> None:
    with pytest.raises(ChildError, match=r"^the judge ended unexpectedly \(judge\): TypeError: .* \(exit status 1\)$"):
        interpreters.started[0].ask({"judge": None})


def test_one_that_is_killed_at_work_is_missed(judges: Judges, interpreters: _Interpreters, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless")
    first, second = judges.judge(tmp_path / "endless", [Observer.SERVER, Observer.NETWORK])
    with (tmp_path / "endless").open("wb"):  # once a judge has opened it too, to read what never comes
        for child in interpreters.started:
            os.kill(child.pid, signal.SIGKILL)
        for part in (first, second):
            with pytest.raises(ChildError, match=r"^the judge (ended unexpectedly|is gone).*\(exit status -9\)$"):
                part.result()


def test_as_many_are_at_work_as_are_employed(judges: Judges, interpreters: _Interpreters, tmp_path: Path) -> None:
    paths = [tmp_path / f"endless-{number}" for number in range(MOST)]
    for path in paths:
        os.mkfifo(path)
    parts = [part for path in paths for part in judges.judge(path, [Observer.SERVER])]
    with ExitStack() as stack:
        stack.callback(lambda: [child.close() for child in interpreters.started])
        stack.enter_context(paths[0].open("wb"))
        with pytest.raises(OSError, match=os.strerror(errno.ENXIO)):  # nobody has begun with the next one
            os.open(paths[1], os.O_WRONLY | os.O_NONBLOCK)
        judges.employ(MOST)
        for path in paths[1:]:
            stack.enter_context(path.open("wb"))  # waits until somebody has
    assert all(isinstance(part.exception(), LabError) for part in parts)  # there is nothing in a pipe that ends


@pytest.mark.parametrize("moment", ["alice sends", "collecting", "searching"])
def test_a_run_whose_judges_are_killed_ends_with_their_last_words(
    sessions: list[Session], further: list[Child], moment: str
) -> None:
    def strike(what: str) -> None:
        if moment in what:
            for child in further:
                if child.alive:
                    os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(LabError) as caught:
        list(hold(sessions, None, strike))
    assert str(caught.value).startswith("the judge ")
    assert str(caught.value).endswith("(exit status -9)")
    assert "\n" not in str(caught.value)
    assert [child.alive for child in further] == [False] * MOST


@pytest.mark.parametrize("ending", [KeyboardInterrupt, RuntimeError])
def test_a_run_that_breaks_off_does_not_wait_for_them(
    sessions: list[Session],
    further: list[Child],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: type[BaseException],
) -> None:
    os.mkfifo(tmp_path / "endless")
    judge = Judges.judge

    def endless(judges: Judges, _: Path, observers: Iterable[Observer]) -> Sequence[Future[LeakMatrix]]:
        return judge(judges, tmp_path / "endless", observers)

    monkeypatch.setattr(Judges, "judge", endless)
    with ExitStack() as stack:

        def break_off(what: str) -> None:
            if "searching" in what:
                stack.enter_context((tmp_path / "endless").open("wb"))  # a judge is at work now
                raise ending

        with pytest.raises(ending):
            list(hold(sessions, None, break_off))
        assert [child.alive for child in further] == [False] * MOST


def test_the_parts_of_a_matrix_make_the_whole(sessions: list[Session], tmp_path: Path) -> None:
    (matrix,) = hold(sessions[:1], tmp_path, lambda _: None)
    recording = capture.read(tmp_path / sessions[0].file_name)
    parts = [
        judge(replace(recording, story=replace(recording.story, observers=(one,)), claims=()))
        for one in reversed(recording.story.observers)
    ]
    assert len(parts) > 1
    assert [cell.observer for cell in joined(parts).cells] == [cell.observer for cell in matrix.cells]
    assert [cell.secret for cell in joined(parts).cells] == [cell.secret for cell in matrix.cells]
    assert joined(parts).controls == matrix.controls
    assert joined(parts).inferences == matrix.inferences
