"""A run of several lessons: where their recordings go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab import matrix
from lab.model import LabError
from lab.scenario import director, load, run
from lab.scenario.run import Session, hold

TOUR = Path(__file__).parents[2] / "scenarios" / "tour.feature.md"


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The paths that would be recorded to; no stage is started."""
    paths: list[Path] = []

    @contextmanager
    def stage(_: object) -> Iterator[Any]:
        yield SimpleNamespace(directory=tmp_path, intact=True)

    monkeypatch.setattr(run, "open_stage", stage)
    monkeypatch.setattr(run, "_judge_beside", lambda _: run._judge)
    monkeypatch.setattr(director, "play", lambda lesson, scenario, stage, path, progress: paths.append(path))
    monkeypatch.setattr(run.capture, "read", lambda path: path)
    monkeypatch.setattr(matrix, "judge", lambda recording: recording)
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
