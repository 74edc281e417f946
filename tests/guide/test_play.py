"""The stage behind the guide: it goes as far as is wanted, starts anew after a try that was left, says what fails."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from guide.lessons import CAPTURE, lesson, measured
from lab.guide import play
from lab.guide.play import Player
from lab.guide.state import Event, Judged, Reached, Wanted
from lab.model import LabError, LeakMatrix
from lab.scenario.run import Session

GUARD = 120.0


class House:
    """Stages that are none, and stories of two steps in which nothing happens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stages: list[Any] = []
        self.paths: list[Path] = []
        self.told: queue.Queue[Event | Exception] = queue.Queue()
        self.failure: Exception | None = None

    @contextmanager
    def open_stage(self) -> Iterator[Any]:
        stage = SimpleNamespace(directory=self.folder, intact=True, open=True, recordings=lambda: ())
        stage.ready = stage.end = lambda: None
        self.stages.append(stage)
        try:
            yield stage
        finally:
            stage.open = False

    def perform(self, session: Session, stage: Any, path: Path, _: object, pace: Any) -> LeakMatrix:
        self.paths.append(path)
        path.touch(exist_ok=False)
        if self.failure is not None:
            raise self.failure
        venue = SimpleNamespace(behind=SimpleNamespace(directory=self.folder))
        try:
            for step in (1, 2, None):
                pace(step, venue)
        except Exception:
            stage.intact = False
            raise
        return measured(session.scenario)

    def hear(self) -> Event | Exception:
        return self.told.get(timeout=GUARD)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    house = House(tmp_path)
    monkeypatch.setattr(play, "open_stage", house.open_stage)
    monkeypatch.setattr(play, "perform", house.perform)
    monkeypatch.setattr(play.capture, "read", lambda _: CAPTURE)
    return house


def reached(event: Event | Exception) -> tuple[int, int]:
    assert isinstance(event, Reached)
    return event.number, event.done


def test_it_goes_from_stop_to_stop_and_no_further(house: House) -> None:
    with Player(lesson(), None, house.told.put) as player:
        player.want(Wanted(0, 0, 0))
        assert reached(house.hear()) == (0, 0)
        player.want(Wanted(0, 0, 1))
        assert reached(house.hear()) == (0, 1)
        assert house.told.empty()
        player.want(Wanted(0, 0, 3))
        assert reached(house.hear()) == (0, 2)
        event = house.hear()
        assert isinstance(event, Judged)
        assert event.number == 0
    assert not any(stage.open for stage in house.stages)
    assert [path.name for path in house.paths] == ["short-1-tls.capture.jsonl"]


def test_a_try_that_is_left_leaves_no_file_and_the_next_one_gets_a_new_stage(house: House) -> None:
    with Player(lesson(), None, house.told.put) as player:
        player.want(Wanted(0, 0, 0))
        house.hear()
        player.want(Wanted(1, 0, 3))
        assert [reached(house.hear()) for _ in range(3)] == [(1, 0), (1, 1), (1, 2)]
        assert isinstance(house.hear(), Judged)
        player.want(Wanted(2, 0, 3))
        assert [reached(house.hear())[0] for _ in range(3)] == [2, 2, 2]
        assert isinstance(house.hear(), Judged)
    assert [stage.intact for stage in house.stages] == [False, True]
    assert [path.name for path in house.paths] == ["short-1-tls.capture.jsonl"] * 2 + ["short-1-tls-2.capture.jsonl"]


def test_leaving_does_not_wait_for_the_learner(house: House) -> None:
    with Player(lesson(), None, house.told.put) as player:
        player.want(Wanted(0, 0, 0))
        house.hear()
    assert house.told.empty()
    assert not house.stages[0].open
    assert not house.paths[0].exists()


def test_what_fails_is_told(house: House) -> None:
    house.failure = LabError("the disk is full")
    with Player(lesson(), None, house.told.put) as player:
        player.want(Wanted(0, 0, 0))
        assert house.hear() is house.failure
    assert not house.stages[0].open
