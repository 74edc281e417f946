"""A run of several lessons: where their recordings go, which are held at the same time, and how it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier, Event
from types import SimpleNamespace
from typing import Any

import pytest

from lab.model import LabError
from lab.scenario import director, load, run
from lab.scenario.run import LANES, Progress, Session, hold

TOUR = Path(__file__).parents[2] / "scenarios" / "tour.feature.md"
GUARD = 120.0


class _Judges:
    """Judges for whom a recording's matrix is its path."""

    def __init__(self, stage: object) -> None:
        """They have no processes."""

    def employ(self, number: int) -> None:
        """They work at once."""

    def judge(self, path: Path, observers: object) -> list[Future[Path]]:
        done: Future[Path] = Future()
        done.set_result(path)
        return [done]

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The paths that would be recorded to; no stage is started, and a recording's matrix is its path."""
    paths: list[Path] = []

    @contextmanager
    def stage(_: object) -> Iterator[Any]:
        one = SimpleNamespace(directory=tmp_path, intact=True, ready=lambda: None, clear=lambda: None, end=lambda: None)
        one.lanes = lambda most: [one] * most
        yield one

    monkeypatch.setattr(run, "open_stage", stage)
    monkeypatch.setattr(run, "Judges", _Judges)
    monkeypatch.setattr(run, "joined", lambda parts: parts[0])
    monkeypatch.setattr(director, "play", lambda lesson, scenario, stage, path, *_: paths.append(path))
    return paths


def sessions_of(*files: Path) -> list[Session]:
    return [Session(lesson, lesson.scenarios[0], 1) for lesson in map(load, files)]


def twin(tmp_path: Path) -> Path:
    """Another lesson of the same name."""
    other = tmp_path / "other" / TOUR.name
    other.parent.mkdir()
    other.write_text(TOUR.read_text(encoding="utf-8"), encoding="utf-8")
    return other


def test_two_lessons_of_one_name_can_be_run_together(recorded: list[Path], tmp_path: Path) -> None:
    list(hold(sessions_of(TOUR, twin(tmp_path)), None, lambda _: None))
    assert len(set(recorded)) == 2


def test_but_their_recordings_do_not_fit_into_one_folder(recorded: list[Path], tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    list(hold(sessions_of(TOUR), kept, lambda _: None))
    assert [path.parent for path in recorded] == [kept]
    with pytest.raises(LabError, match="two lessons are called tour"):
        list(hold(sessions_of(TOUR, twin(tmp_path)), tmp_path / "new", lambda _: None))


def tours(count: int) -> list[Session]:
    lesson = load(TOUR)
    return [Session(lesson, lesson.scenarios[0], number) for number in range(1, count + 1)]


def test_sessions_at_the_same_time_and_their_matrices_in_order(
    recorded: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Barrier(LANES)
    last = Event()

    def play(lesson: object, scenario: object, stage: object, path: Path, progress: Progress, *_: object) -> None:
        together.wait(GUARD)  # a BrokenBarrierError, unless so many are here at the same time
        number = int(path.name.partition(".")[0])
        if number == 1:
            assert last.wait(GUARD)  # the first one takes longest
        elif number == LANES:
            last.set()

    monkeypatch.setattr(director, "play", play)
    assert LANES > 1
    found: list[Any] = list(hold(tours(LANES), None, lambda _: None))
    assert [path.name for path in found] == [f"{number}.capture.jsonl" for number in range(1, LANES + 1)]


def test_a_caller_who_has_a_matrix_in_hand_is_told_nothing(
    recorded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_hand, told = Event(), Event()

    def play(lesson: object, scenario: object, stage: object, path: Path, progress: Progress, *_: object) -> None:
        if not path.name.startswith("1."):
            assert in_hand.wait(GUARD)
            progress("goes on")

    def say(what: str) -> None:
        if "goes on" in what:
            told.set()

    monkeypatch.setattr(director, "play", play)
    with closing(hold(tours(3), None, say)) as matrices:
        next(matrices)
        in_hand.set()
        assert not told.wait(0.1)
        assert len(list(matrices)) == 2
        assert told.is_set()


def test_what_fails_in_one_of_them_ends_the_run(recorded: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def play(lesson: object, scenario: object, stage: object, path: Path, progress: Progress, *_: object) -> None:
        if path.name.startswith("2."):
            raise OSError(28, "No space left on device")
        recorded.append(path)

    monkeypatch.setattr(director, "play", play)
    with pytest.raises(LabError, match="the recording failed: No space left on device"):
        list(hold(tours(9), None, lambda _: None))
    assert len(recorded) < 8


RUN = """
import sys
from pathlib import Path
from lab.scenario import load
from lab.scenario.run import Session, hold
lesson = load(Path(sys.argv[1]))
sessions = [Session(lesson, lesson.scenarios[0], number) for number in range(1, 5)]
try:
    list(hold(sessions, None, lambda what: print(what, flush=True)))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("moment", ["starting", "alice and bob join", "alice sends", "collecting"])
def test_ctrl_c_while_two_are_held_leaves_nothing(lesson: str, tmp_path: Path, moment: str) -> None:
    file = tmp_path / "short.feature.md"
    file.write_text(lesson, encoding="utf-8")
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        while moment not in (line := process.stdout.readline()):
            assert line
        process.send_signal(signal.SIGINT)
        # Its output ends with the last process that has it: that is the janitor, who is the last one of all.
        said, errors = process.communicate(timeout=GUARD)
    assert (said.splitlines()[-1], errors, process.returncode) == ("interrupted", "", 0)
    assert list(folder.iterdir()) == []
