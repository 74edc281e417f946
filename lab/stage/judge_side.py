"""Judge recordings on commands, beside a run that goes on: `python -m lab.stage.judge_side` speaks JSON lines.

Each line of standard input is answered with one line of standard output:

- `{"judge": PATH, "observers": [NAME, …]}` judges what these observers got: `{"ok": {"matrix": …}}`, a part of the
  matrix, for lab/stage/judges.py
- one that cannot be judged is an answer too: `{"ok": {"refused": "…"}}`, the sentence of the LabError

Whatever else goes wrong ends it, with a traceback; so does the end of standard input, without one.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from lab import capture
from lab.matrix import judge
from lab.model import Capture, LabError, LeakMatrix, Observer


def main(commands: Iterable[str], answers: TextIO) -> None:
    """Answer `commands` until they end."""

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    for line in commands:
        command = json.loads(line)
        try:
            matrix = _part(capture.read(Path(command["judge"])), tuple(map(Observer, command["observers"])))
        except LabError as error:
            say({"ok": {"refused": str(error)}})
        else:
            say({"ok": {"matrix": base64.b64encode(pickle.dumps(matrix)).decode("ascii")}})


def _part(recording: Capture, observers: tuple[Observer, ...]) -> LeakMatrix:
    claims = tuple(claim for claim in recording.claims if claim.observer in observers)
    return judge(replace(recording, story=replace(recording.story, observers=observers), claims=claims))


def run() -> None:
    """Take commands from standard input."""
    main(sys.stdin, sys.stdout)


if __name__ == "__main__":
    run()
