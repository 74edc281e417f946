"""Live runs on real taps: from stop to stop, told as it arrives, and what happens when something breaks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from guide.lessons import lesson

from classroom.heard import Heard, Told, marks
from lab.classroom import runs
from lab.classroom.runs import LiveRunner
from lab.model import Exposure, LabError, Mode, Observer
from lab.stage.stage import Stage, open_stage

TLS, PLAINTEXT = 0, 1


class Opened:
    """The stages that were opened, to break them and to see that they are gone."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.failure: Exception | None = None

    @contextmanager
    def open_stage(self) -> Iterator[Stage]:
        if self.failure is not None:
            raise self.failure
        with open_stage() as stage:
            self.stages.append(stage)
            yield stage


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, lend: Callable[[pytest.MonkeyPatch], None]) -> Opened:
    lend(monkeypatch)
    opened = Opened()
    monkeypatch.setattr(runs, "open_stage", opened.open_stage)
    return opened


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def runner(opened: Opened, heard: Heard) -> Iterator[LiveRunner]:
    with closing(LiveRunner(heard, "en")) as runner:
        yield runner


def to_the_end(runner: LiveRunner, heard: Heard, question: int, scenario: int) -> Told:
    runner.start(question, lesson(), scenario)
    heard.next("reached")
    runner.step(rest=True)
    return heard.next("measured", "failed")


def test_it_goes_from_stop_to_stop_and_tells_what_arrives(runner: LiveRunner, heard: Heard, opened: Opened) -> None:
    runner.prepare()
    runner.start(3, lesson(), PLAINTEXT)
    first = heard.next("reached", "failed")
    assert first.about == (3, 0, 2, 'alice sends bob "Meet me at 5pm"')
    assert {one.observer for one in first.pieces} == {Observer.NETWORK, Observer.SERVER, Observer.DATABASE}
    assert all(marks(first.pieces, one) <= {""} for one in Observer)
    assert heard.nothing_more()
    runner.step(rest=False)
    second = heard.next("reached")
    assert second.about == (3, 1, 2, 'bob sends alice "I will be there"')
    came = heard.pieces[len(first.pieces) :]
    for observer in (Observer.NETWORK, Observer.SERVER, Observer.DATABASE):
        assert marks(came, observer) == {"body"}
    assert not any("I will be there" in part.text for piece in came for part in piece.parts)
    assert [one.number for one in heard.pieces] == list(range(1, len(heard.pieces) + 1))
    runner.step(rest=False)
    assert heard.next("reached").about == (3, 2, 2, "")
    measured = heard.next("measured", "failed")
    matrix = measured.matrices[Mode.PLAINTEXT]
    assert [cell.exposure for cell in matrix.cells] == [Exposure.EXPOSED] * 3
    assert set(measured.evidence) == {"body@network", "body@server", "body@database"}
    assert measured.evidence["body@network"].layers
    assert opened.stages[0].intact
    assert not list(opened.stages[0].directory.glob("class-*"))


def test_in_tls_nothing_of_the_message_is_marked_at_the_network(runner: LiveRunner, heard: Heard) -> None:
    measured = to_the_end(runner, heard, 4, TLS)
    assert marks(heard.pieces, Observer.NETWORK) == {"service"}
    assert marks(heard.pieces, Observer.SERVER) == {"service", "body"}
    assert measured.matrices[Mode.TLS].cell("body", "network").exposure is Exposure.HIDDEN
    assert measured.evidence["body@network"].end


def test_what_was_stopped_is_told_no_more_and_the_next_run_gets_a_new_stage(
    runner: LiveRunner, heard: Heard, opened: Opened
) -> None:
    runner.start(1, lesson(), TLS)
    heard.next("reached")
    runner.stop()
    assert to_the_end(runner, heard, 2, PLAINTEXT).what == "measured"
    assert {told.about[0] for told in heard.all if told.about} == {1, 2}
    assert next(told.about[0] for told in heard.all if told.what == "reached") == 1
    assert len(opened.stages) == 2
    assert not opened.stages[0].directory.exists()


def test_a_tap_that_dies_is_said_in_a_sentence_and_the_next_run_is_fine(
    runner: LiveRunner, heard: Heard, opened: Opened
) -> None:
    runner.start(1, lesson(), TLS)
    heard.next("reached")
    os.kill(opened.stages[0].server.pid, 9)
    runner.step(rest=True)
    failed = heard.next("failed", "measured")
    assert failed.what == "failed"
    assert failed.about[0] == 1
    assert str(failed.about[1]).startswith("The run has broken off: ")
    assert "\n" not in str(failed.about[1])
    assert to_the_end(runner, heard, 2, PLAINTEXT).what == "measured"


def test_a_stage_that_cannot_be_set_up_is_said_when_it_is_needed(
    runner: LiveRunner, heard: Heard, opened: Opened
) -> None:
    opened.failure = LabError("no room for temporary files")
    runner.start(5, lesson(), TLS)
    assert heard.next("failed").about == (
        5,
        "The run has broken off: no room for temporary files. It can be started again.",
    )
    opened.failure = None
    assert to_the_end(runner, heard, 6, PLAINTEXT).what == "measured"


def test_closing_ends_everything_in_the_middle_of_a_run(heard: Heard, opened: Opened) -> None:
    runner = LiveRunner(heard, "en")
    runner.close()
    runner.start(1, lesson(), TLS)
    assert opened.stages == []
    runner = LiveRunner(heard, "en")
    runner.start(1, lesson(), TLS)
    heard.next("reached")
    [stage] = opened.stages
    runner.close()
    assert not any(child.alive for child in stage.children)
    assert not Path(stage.directory).exists()
    assert heard.nothing_more()
