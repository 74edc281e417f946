"""Processes that judge the recordings of a run, beside it: two threads would take turns on one processor."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from lab.model import LabError, LeakMatrix, Observer
from lab.stage.process import Child
from lab.stage.stage import Stage

MOST = 2
"""As many as there are processors in a small machine."""

JUDGE_SECONDS = 600.0
"""A guard, not a wait: a process that needs so long for one recording hangs."""

_GET_THE_SAME = {Observer.INTERCEPTOR, Observer.SERVER, Observer.DEVICE}
"""Observers whose records are alike: one judge decodes for all of them what they have in common."""

_NEEDS = "lab.stage.judge_side"
_JUDGE = f"from {_NEEDS} import run; run()"


class Judges:
    """Start them on a stage, with which they end; close them after that, for then no work waits for them any more.

    Each column of a matrix is worked out from one observer's record alone, so they share the columns among them.
    """

    def __init__(self, stage: Stage) -> None:
        stage.prepare(_NEEDS)
        self._waiting = [stage.start("judge", ["-c", _JUDGE]) for _ in range(MOST)]
        self._free: SimpleQueue[Child] = SimpleQueue()
        self._work = ThreadPoolExecutor(MOST, "judge")
        self.employ(1)

    def employ(self, number: int) -> None:
        """Let so many more of them work at the same time. Each takes memory once it is at work; in the beginning there
        is one."""
        for _ in range(min(number, len(self._waiting))):
            self._free.put(self._waiting.pop())

    def judge(self, path: Path, observers: Iterable[Observer]) -> Sequence[Future[LeakMatrix]]:
        """The parts of the matrix of `observers`, for `joined`: there is at least one.

        LabError comes out of each as out of `lab.matrix.judge`, and ChildError if a judge has died.
        """
        alike, others = ([one for one in observers if (one in _GET_THE_SAME) is it] for it in (True, False))
        return [self._work.submit(self._part, path.absolute(), part) for part in (alike, others) if part]

    def close(self) -> None:
        self._work.shutdown()

    def _part(self, path: Path, observers: Sequence[Observer]) -> LeakMatrix:
        judge = self._free.get()
        try:
            return _matrix_in(judge.ask({"judge": str(path), "observers": observers}, JUDGE_SECONDS))
        finally:
            self._free.put(judge)


def joined(parts: Sequence[LeakMatrix]) -> LeakMatrix:
    """The matrix of a recording from its parts, of which there is at least one."""
    first = parts[0]
    places = {observer: place for place, observer in enumerate(Observer)}
    cells = sorted((cell for part in parts for cell in part.cells), key=lambda cell: places[cell.observer])
    inferences = sorted((one for part in parts for one in part.inferences), key=lambda one: places[one.observer])
    controls = dict.fromkeys(one for part in parts for one in part.controls)  # some are about no observer
    return LeakMatrix(
        scenario=first.scenario,
        title=first.title,
        mode=first.mode,
        cells=tuple(cell for row in first.rows for cell in cells if cell.secret is row),
        inferences=tuple(inferences),
        controls=tuple(sorted(controls, key=lambda one: places[one.observer] if one.observer else -1)),
        secrets=first.secrets,
        broken_off=first.broken_off,
    )


def _matrix_in(answer: dict[str, Any]) -> LeakMatrix:
    """The matrix in the answer of a judge. LabError: there is none, for the reason it gives."""
    if "refused" in answer:
        raise LabError(answer["refused"])
    # Nobody else can write into the pipe of a child.
    matrix = pickle.loads(base64.b64decode(answer["matrix"]))  # noqa: S301
    assert isinstance(matrix, LeakMatrix)  # noqa: S101 - nothing else is ever put in
    return matrix
