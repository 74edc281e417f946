"""The stage behind the guide: it holds what is wanted in a thread of its own, and stops where the learner has stopped.

Processes start while the learner reads the story. Nothing is kept unless a folder for recordings was given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from lab import capture
from lab.guide.lesson_path import Traffic, at_rest, texts, traffic
from lab.guide.state import Event, Judged, Reached, Wanted
from lab.model import LabError, Observer
from lab.scenario.lesson import Lesson, Step
from lab.scenario.run import Session, perform
from lab.stage.stage import Stage, Venue, open_stage
from lab.stage.watch import Watch

type Tell = Callable[[Event | Exception], None]
"""Is told, by another thread, what has happened, or why nothing more will."""


class _LeftError(Exception):
    """The learner has gone elsewhere."""


class Player:
    """Plays one try after the other, the one that is wanted. Use as a context manager: leaving it ends everything."""

    def __init__(self, lesson: Lesson, captures: Path | None, tell: Tell) -> None:
        self._lesson = lesson
        self._captures = captures
        self._tell = tell
        self._changed = threading.Condition()
        self._wanted: Wanted | None = None
        self._played = -1
        self._closed = False
        self._stage: Stage | None = None
        self._thread = threading.Thread(target=self._work, name="guide")

    def want(self, wanted: Wanted | None) -> None:
        """From now on this is to be played, up to its stop; another try is broken off at its next stop."""
        with self._changed:
            self._wanted = wanted
            self._changed.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            stage = self._stage
        if stage is not None:
            stage.end()  # whoever waits for a process of the stage waits no longer
        self._thread.join()

    def _work(self) -> None:
        try:
            with ExitStack() as running:
                while not self._closed:
                    self._open_stage(running)
                    wanted = self._next()
                    if wanted is not None:
                        self._play(wanted)
        except Exception as error:  # noqa: BLE001 - the thread that has the terminal says it
            if not self._closed:
                self._tell(error)

    def _open_stage(self, running: ExitStack) -> None:
        """A stage that is up, if there is none; a new one, if a try was broken off on it."""
        if self._stage is not None and self._stage.intact:
            return
        with self._changed:
            self._stage = None
        running.close()
        stage = running.enter_context(open_stage())
        with self._changed:
            self._stage = stage
            if self._closed:
                return
        stage.ready()

    def _next(self) -> Wanted | None:
        """Wait for something to play that was not played before; None: there will be nothing more."""
        with self._changed:
            played = self._played
            self._changed.wait_for(lambda: self._closed or (self._wanted is not None and self._wanted.number > played))
            if self._closed or self._wanted is None:
                return None
            self._played = self._wanted.number
            return self._wanted

    def _play(self, wanted: Wanted) -> None:
        stage = self._stage
        if stage is None:
            return
        session = Session(self._lesson, self._lesson.scenarios[wanted.scenario], wanted.scenario + 1)
        path = _new_file(self._captures or stage.directory, session.file_name)
        passed = _Passed(stage)
        done = 0

        def pace(_: Step | None, venue: Venue) -> None:
            nonlocal done
            self._tell(Reached(wanted.number, done, passed.by(venue)))
            self._wait_for(wanted.number, done)
            done += 1

        try:
            matrix = perform(session, stage, path, lambda _: None, pace)
        except _LeftError:
            path.unlink(missing_ok=True)
            return
        if not self._closed:
            self._tell(Judged(wanted.number, matrix, capture.read(path)))

    def _wait_for(self, number: int, done: int) -> None:
        """Until the learner goes on from this stop. _LeftError: somewhere else."""

        def decided() -> bool:
            wanted = self._wanted
            return self._closed or wanted is None or wanted.number != number or wanted.released > done

        with self._changed:
            self._changed.wait_for(decided)
            if self._closed or self._wanted is None or self._wanted.number != number:
                raise _LeftError


class _Passed:
    """What passes by the observers of one session, stop by stop."""

    def __init__(self, stage: Stage) -> None:
        self._watch = Watch(stage)
        self._texts: set[bytes] = set()

    def by(self, venue: Venue) -> tuple[Traffic, ...]:
        """Since the last stop, for each observer that has a record of its own. ChildError: a tap is gone."""
        found = self._watch.new(venue)
        stored = found.pop(Observer.DATABASE)
        new = {text for one in stored if one.place.startswith("database") for text in texts(one.data)}
        new -= self._texts  # whole pages are written again and again
        self._texts |= new
        grown = at_rest(sum(len(one.data) for one in stored), new)
        return (*(traffic(observer, each) for observer, each in found.items()), grown)


def _new_file(folder: Path, name: str) -> Path:
    """A file of this name; of a scenario that is tried again, NAME-2."""
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{name.removesuffix(capture.SUFFIX)}-{number}{capture.SUFFIX}"
    return path


def check_folder(folder: Path) -> None:
    """Make the folder for recordings. LabError: it cannot be made, or is not empty: captures are never overwritten."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = next(folder.glob(f"*{capture.SUFFIX}"), None)
    except OSError as error:
        raise LabError(f"{folder}: no folder for captures: {error.strerror}") from error
    if kept is not None:
        raise LabError(f"{kept} exists; give another folder, captures are never overwritten")
