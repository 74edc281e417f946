"""Judge recordings on commands, beside a run that goes on: `python -m lab.stage.judge_side` speaks JSON lines.

Each line of standard input is answered with one line of standard output:

- `{"judge": PATH}` judges a recording: `{"ok": {"matrix": …}}`, for `matrix_in`
- one that cannot be judged is an answer too: `{"ok": {"refused": "…"}}`, the sentence of the LabError

Whatever else goes wrong ends it, with a traceback; so does the end of standard input, without one.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from lab.model import LabError, LeakMatrix


def matrix_in(answer: dict[str, Any]) -> LeakMatrix:
    """The parent's side: the matrix in what stands under "ok". LabError: there is none, for the reason it gives."""
    if "refused" in answer:
        raise LabError(answer["refused"])
    # Nobody else can write into the pipe of a child.
    matrix = pickle.loads(base64.b64decode(answer["matrix"]))  # noqa: S301
    assert isinstance(matrix, LeakMatrix)  # noqa: S101 - nothing else is ever put in
    return matrix


def main(commands: Iterable[str], answers: TextIO) -> None:
    """Answer `commands` until they end."""
    # Not above: the parent, which needs `matrix_in` only, has something else to do first.
    from lab import capture
    from lab.matrix import judge

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    for line in commands:
        try:
            matrix = judge(capture.read(Path(json.loads(line)["judge"])))
        except LabError as error:
            say({"ok": {"refused": str(error)}})
        else:
            say({"ok": {"matrix": base64.b64encode(pickle.dumps(matrix)).decode("ascii")}})


def run() -> None:
    """Take commands from standard input."""
    main(sys.stdin, sys.stdout)


if __name__ == "__main__":
    run()
