"""The live run of a scenario, for a class: on a stage that is up as long as the class is, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lab import capture
from lab.classroom.catalogue import catalogue
from lab.classroom.panes import Panes, Planted
from lab.classroom.seen import Piece
from lab.classroom.turns import Follower, LeftError, Order
from lab.guide.words import words_for
from lab.guide.zoom import Zoom, zoom
from lab.model import Capture, LabError, LeakMatrix, Mode, Secret
from lab.report.sentences import in_language
from lab.scenario.director import acted
from lab.scenario.lesson import Step
from lab.scenario.predictions import named, place_of
from lab.scenario.run import Session, record
from lab.stage.judges import MOST, Judges, joined
from lab.stage.process import ChildError
from lab.stage.stage import Stage, Venue, open_stage
from lab.stage.watch import Watch

if TYPE_CHECKING:
    from lab.classroom.classroom import Teller

LOOK_SECONDS = 0.1
"""Between two looks at what observers have recorded, while a step is done."""

SHOWN = 60
"""Of what each observer got while nobody looked on (before the first step, everybody logs in), so many of the newest
pieces are shown."""


class LiveRunner(Follower):
    """A `Runner` on real taps, whose stage is opened with its thread. `teller` is told from its threads."""

    def __init__(self, teller: Teller, language: str) -> None:
        super().__init__("class")
        self._teller = teller
        self._say = catalogue(language).say
        self._language = language
        self._stage: Stage | None = None
        self._judges: Judges | None = None

    def close(self) -> None:
        """End everything, and wait until it is gone."""
        self._turns.close()
        with self._turn:
            stage = self._stage
        if stage is not None:
            stage.end()  # whoever waits for a process of the stage waits no longer
        super().close()

    def _work(self) -> None:
        turn = 0
        with ExitStack() as running:
            while not self._turns.closed:
                why = self._open_stage(running)
                order = self._turns.following(turn)
                if order is None:
                    return
                turn = order.turn
                # It may have broken while nobody needed it.
                why = self._open_stage(running) if why or not self._intact else ""
                if not why:
                    why = self._play(order)
                if why:
                    self._failed(order, why)

    @property
    def _intact(self) -> bool:
        return self._stage is not None and self._stage.intact

    def _open_stage(self, running: ExitStack) -> str:
        """Have a stage that is up; a new one, if a run was broken off on the last one. Why there is none, else ""."""
        if self._intact:
            return ""
        with self._turn:
            self._stage = None
        try:
            running.close()
            stage = running.enter_context(open_stage())
            with self._turn:
                self._stage = stage
                if self._turns.closed:
                    return ""
            stage.ready()
            self._judges = Judges(stage)
            running.callback(self._judges.close)
            running.callback(stage.end)  # before that: then its judges have nothing to wait for
            self._judges.employ(MOST)
        except (LabError, OSError) as error:
            return str(error) or type(error).__name__
        return ""

    def _failed(self, order: Order, why: str) -> None:
        with suppress(LeftError):
            self._turns.check(order)
            self._teller.failed(order.question, self._say("run.broke_off", why=in_language(why, self._language)))

    def _play(self, order: Order) -> str:
        """Play what is wanted, as long as it is. Why that did not go well, else ""."""
        stage, judges = self._stage, self._judges
        if stage is None or judges is None:
            return ""
        try:
            return self._play_on(stage, judges, order)
        except LeftError:
            return ""
        except Exception as error:  # noqa: BLE001 - the class goes on, and is told what this was
            return str(error) or type(error).__name__

    def _play_on(self, stage: Stage, judges: Judges, order: Order) -> str:
        path = stage.directory / f"class-{order.turn}{capture.SUFFIX}"
        steps = len(acted(order.story))
        done = 0

        def pace(step: Step | None, venue: Venue) -> None:
            nonlocal done
            pieces = onlooker.stop(venue)
            self._turns.reach(order, done)
            self._teller.reached(order.question, done, steps, step.text if step is not None else "", pieces)
            if step is not None:
                self._turns.wait_for(order, done)
                onlooker.go_on(venue)
            done += 1

        try:
            with Onlooker(Watch(stage), order.story.mode, self._teller.seen) as onlooker:
                session = Session(order.lesson, order.story, order.scenario + 1)
                record(session, stage, path, lambda _: None, pace, onlooker.planted)
            matrix = joined([part.result() for part in judges.judge(path, order.story.observers)])
            if matrix.broken_off and not stage.intact:
                return matrix.broken_off
            evidence = evidence_of(capture.read(path), matrix, self._language)
        finally:
            path.unlink(missing_ok=True)
        self._turns.check(order)
        self._teller.measured(order.question, matrix, evidence)
        return ""


class Onlooker:
    """Tells what observers get while a step is done, as it arrives. Use as a context manager."""

    def __init__(self, watch: Watch, mode: Mode, tell: Callable[[Sequence[Piece]], None]) -> None:
        self._watch = watch
        self._mode = mode
        self._tell = tell
        self._panes = Panes(mode, (), count(1))
        self._changed = threading.Condition()
        self._venue: Venue | None = None
        """Of what goes on, while a step is done."""
        self._closed = False
        self._thread = threading.Thread(target=self._look_on, name="onlooker")

    def planted(self, secrets: Sequence[Secret]) -> None:
        """These are to be marked."""
        self._panes = Panes(self._mode, [Planted(one.name, one.value) for one in secrets], count(1))

    def go_on(self, venue: Venue) -> None:
        """Look on."""
        with self._changed:
            self._venue = venue
            self._changed.notify_all()

    def stop(self, venue: Venue) -> list[Piece]:
        """Look for the last time for now: what has not been told yet. ChildError: a tap is gone."""
        with self._changed:
            self._venue = None
            self._changed.notify_all()
            return self._new(venue)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _new(self, venue: Venue) -> list[Piece]:
        return new_pieces(self._watch, self._panes, venue)

    def _look_on(self) -> None:
        with self._changed:
            while not self._closed:
                self._changed.wait_for(lambda: self._closed or self._venue is not None)
                self._changed.wait_for(lambda: self._closed or self._venue is None, LOOK_SECONDS)
                if self._closed or self._venue is None:
                    continue
                try:
                    pieces = self._new(self._venue)
                except ChildError:  # whoever does the step comes to know it as well, and says it
                    self._venue = None
                    continue
                if pieces:
                    self._tell(pieces)


def new_pieces(watch: Watch, panes: Panes, venue: Venue) -> list[Piece]:
    """What the observers got since somebody looked. ChildError: a tap is gone."""
    return panes.pieces([one for each in watch.new(venue).values() for one in each], SHOWN)


def evidence_of(recording: Capture, matrix: LeakMatrix, language: str) -> dict[str, Zoom]:
    """The evidence for each cell, by the name of the cell."""
    words = words_for(language)
    return {named(place_of(cell)): zoom(recording, matrix, cell, words) for cell in matrix.cells}
