"""A run: scenarios on one stage, some at the same time, each recorded and then judged."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from lab import capture
from lab.model import Encryption, LabError, LeakMatrix
from lab.scenario.lesson import Lesson, Scenario
from lab.stage.judges import MOST, Judges, joined
from lab.stage.stage import Stage, open_stage
from lab.stage.starting import Starter

if TYPE_CHECKING:
    from lab.scenario.director import Pace, Planted

type Progress = Callable[[str], None]
"""Is told in a few words what happens next."""

LANES = 2
"""Sessions at the same time, where further taps cost little: in each, several processes wait for each other."""


@dataclass(frozen=True, slots=True)
class Session:
    """One scenario to be held, and its number within its lesson, from 1."""

    lesson: Lesson
    scenario: Scenario
    number: int

    @property
    def file_name(self) -> str:
        return f"{self.lesson.name}-{self.number}-{self.scenario.mode}{capture.SUFFIX}"


def hold(
    sessions: Sequence[Session], captures: Path | None, progress: Progress, starter: Starter | None = None
) -> Generator[LeakMatrix]:
    """Hold the sessions and judge each one, while others are held; the matrices come in the sessions' order.

    Captures are kept in the folder `captures`, or not at all. A stage that lost a process is replaced before the next
    session; `starter` is for the first one (see `open_stage`). `progress` is told by several threads, but by one at a
    time, and by none while the caller has a matrix in hand. LabError: the stage cannot be set up, an encryption is not
    installed, or a capture cannot be written (one that exists is never overwritten).
    """
    _check_installed(sessions)
    if captures is not None:
        _prepare(captures, sessions)
    turn = Lock()

    def say(what: str) -> None:
        with turn:
            progress(what)

    def results(held: deque[Future[_Held]], *, all_of_them: bool) -> Iterator[LeakMatrix]:
        while held and (all_of_them or _is_judged(held[0])):
            matrix = joined([part.result() for part in held.popleft().result().parts])
            with turn:
                yield matrix

    with ExitStack() as running:
        stages: list[Stage] = []
        lanes: list[Future[_Held]] = []
        """Each holds one session at a time, and is done when it is free for the next one."""
        judges: Future[Judges]
        held: deque[Future[_Held]] = deque()

        def rest() -> Iterator[LeakMatrix]:
            """What is left to judge once nothing is held any more: taps and service make room for all judges."""
            wait(lanes)
            for stage in stages:
                stage.clear()
            if held:
                judges.result().employ(MOST)
            yield from results(held, all_of_them=True)  # their recordings may be in the folder of the stage

        for number, session in enumerate(sessions, start=1):
            lane = _first(lanes) if lanes else None
            if lane is None or not all(stage.intact for stage in stages):
                yield from rest()
                running.close()
                say("starting taps and service")
                stage = running.enter_context(open_stage(starter))
                starter = None
                most = min(LANES, len(sessions))
                players = running.enter_context(ThreadPoolExecutor(most, "session"))
                judges = running.enter_context(ThreadPoolExecutor(1)).submit(_judges_on, stage)
                running.callback(_close, judges)
                running.callback(stage.end)  # first of all: then threads have nothing to wait for, also after Ctrl-C
                stages = stage.lanes(most)
                lanes = [players.submit(_ready, one) for one in stages]
                lane = _first(lanes)
            path = captures / session.file_name if captures else lane.directory / f"{number}{capture.SUFFIX}"
            lanes.append(players.submit(_hold_in, lane, session, path, say, judges))
            held.append(lanes[-1])
            yield from results(held, all_of_them=False)
        wait(lanes)
        say("searching the records")
        yield from rest()


@dataclass(frozen=True, slots=True)
class _Held:
    """A lane that is free again, and the parts of the matrix of the session that was held in it."""

    lane: Stage
    parts: Sequence[Future[LeakMatrix]] = ()


def perform(
    session: Session, stage: Stage, path: Path, progress: Progress, pace: Pace = lambda _step, _venue: None
) -> LeakMatrix:
    """Hold one session on a running stage, record it in the new file `path`, and judge what was recorded.

    `pace` and, below, `planted` are as in `lab.scenario.director.play`.
    """
    from lab.matrix import judge  # a fifth of a second, which only those pay who judge in their own process

    record(session, stage, path, progress, pace)
    progress(f"{_name(session)}: searching the record")
    return judge(capture.read(path))


def record(
    session: Session,
    stage: Stage,
    path: Path,
    progress: Progress,
    pace: Pace = lambda _step, _venue: None,
    planted: Planted = lambda _: None,
) -> None:
    """The same without judging: hold one session on a running stage, and record it in the new file `path`."""
    from lab.scenario.director import play  # a third of a second, which passes while the stage starts

    _check_installed([session])
    name = _name(session)
    try:
        play(session.lesson, session.scenario, stage, path, lambda what: progress(f"{name}: {what}"), pace, planted)
    except OSError as error:
        raise LabError(f"{path}: the recording failed: {error.strerror or error}") from error


def _check_installed(sessions: Iterable[Session]) -> None:
    """LabError, if an encryption is not: better now than in the middle of a run."""
    unusual = {session.scenario.encryption for session in sessions} - {Encryption.PQXDH}
    if unusual:
        from lab.e2ee.engines import engine_for  # as below

        for encryption in sorted(unusual):
            engine_for(encryption, os.urandom)


def _ready(lane: Stage) -> _Held:
    from lab.scenario import director  # noqa: F401 - as in `record`: it must not come after the wait for the stage

    lane.ready()
    return _Held(lane)


def _judges_on(stage: Stage) -> Judges:
    stage.ready()  # its taps are what everybody waits for, so nothing else is to start beside them
    return Judges(stage)


def _close(judges: Future[Judges]) -> None:
    if judges.exception() is None:
        judges.result().close()


def _hold_in(lane: Stage, session: Session, path: Path, progress: Progress, judges: Future[Judges]) -> _Held:
    record(session, lane, path, progress)
    return _Held(lane, judges.result().judge(path, session.scenario.observers))


def _is_judged(session: Future[_Held]) -> bool:
    return session.done() and (session.exception() is not None or all(part.done() for part in session.result().parts))


def _first(lanes: list[Future[_Held]]) -> Stage:
    """Take out the lane that is free first, and wait for it. LabError: what was done in it failed."""
    free = next(as_completed(lanes))
    lanes.remove(free)
    return free.result().lane


def _name(session: Session) -> str:
    return f"{session.lesson.name}, {session.scenario.mode}"


def _prepare(folder: Path, sessions: Sequence[Session]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"{folder}: no folder for captures: {error.strerror}") from error
    names: set[str] = set()
    for session in sessions:
        if session.file_name in names:
            raise LabError(f"two lessons are called {session.lesson.name}; keep their recordings in one folder each")
        names.add(session.file_name)
        if (folder / session.file_name).exists():
            raise LabError(f"{folder / session.file_name} exists; give another folder, captures are never overwritten")
