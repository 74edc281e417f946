"""A child process that takes one JSON command a line on standard input and gives one JSON answer a line.

Taps and service speak this way. The end of its standard input ends the child, so none outlives the parent, however
the parent ends; no command sleeps or polls: readiness and answers are lines.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.model import LabError
from lab.stage.starting import STOP_SECONDS, Spawner, Starter

START_SECONDS = 60.0
ANSWER_SECONDS = 20.0
"""Guards, not waits: reaching one is an error (a machine that is far too busy, a process that hangs)."""


class ChildError(LabError):
    """A child that could not start, died, or answered with an error."""


class Child:
    """One running child. Starting does not wait: call `ready` once all children of a stage were started."""

    def __init__(self, name: str, arguments: list[str], directory: Path, starter: Starter | None = None) -> None:
        self.name = name
        self._log = directory / f"{name}.stderr"
        errors = self._log.open("xb")
        (stdin, ours_in), (ours_out, stdout) = os.pipe(), os.pipe()
        try:
            self._process = (starter or Spawner()).start(arguments, (stdin, stdout, errors.fileno()), directory)
        except BaseException:
            os.close(ours_in)
            os.close(ours_out)
            raise
        finally:
            errors.close()
            os.close(stdin)
            os.close(stdout)
        self._stdin = os.fdopen(ours_in, "w", encoding="utf-8")
        self._stdout = os.fdopen(ours_out, encoding="utf-8")
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._said: deque[str] = deque(maxlen=20)
        self._turn = threading.Lock()
        self._ready = False
        self._reader = threading.Thread(target=self._read, name=f"read-{name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Waits until it has one. ChildError: it never will."""
        try:
            return self._process.pid
        except ProcessLookupError:
            raise ChildError(f"the {self.name} is gone: {self._last_words()}") from None

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ready(self) -> None:
        """Wait for the line that says so. ChildError with what the child printed, if it ended instead."""
        with self._turn:
            if not self._ready and "ready" not in self._answer(START_SECONDS, "start"):
                raise ChildError(f"the {self.name} did not start properly: {self._last_words()}")
            self._ready = True

    def ask(self, command: dict[str, Any], seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Send one command and return what stands under "ok". ChildError: refused, dead, or silent for `seconds`.

        Of several threads each waits for its turn, and is counted from then on.
        """
        with self._turn:
            return self._ask(command, seconds)

    def close(self) -> int:
        """End the child at once and return its exit status.

        By force: an answer says that what was asked for is done, so nothing is lost, and an interpreter takes a third
        of a second to end by itself.
        """
        self._process.kill()
        with suppress(OSError):  # it died with a command in the pipe
            self._stdin.close()
        status = self._process.wait()
        self._reader.join(STOP_SECONDS)
        self._stdout.close()
        return status

    def _ask(self, command: dict[str, Any], seconds: float) -> dict[str, Any]:
        verb = next(iter(command))
        try:
            self._stdin.write(json.dumps(command) + "\n")
            self._stdin.flush()
        except (OSError, ValueError):
            raise ChildError(f"the {self.name} is gone: {self._last_words()}") from None
        answer = self._answer(seconds, verb)
        if "error" in answer:
            raise ChildError(f"the {self.name} could not {verb}: {answer['error']}")
        result = answer.get("ok")
        if not isinstance(result, dict):
            raise ChildError(f"the {self.name} gave no proper answer to {verb}: {answer}")
        return result

    def _answer(self, seconds: float, verb: str) -> dict[str, Any]:
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            self._process.kill()  # its late answer would be taken for that to the next command
            raise ChildError(f"the {self.name} did not answer to {verb} within {seconds:.0f} seconds") from None
        if answer is None:
            self._answers.put(None)
            raise ChildError(f"the {self.name} ended unexpectedly ({verb}): {self._last_words()}")
        return answer

    def _read(self) -> None:
        for line in self._stdout:
            try:
                answer = json.loads(line)
            except ValueError:
                answer = None
            if isinstance(answer, dict):
                self._answers.put(answer)
            else:
                self._said.append(line.strip())
        self._answers.put(None)

    def _last_words(self) -> str:
        """The last thing that the child printed, for a message in one line."""
        self._reader.join(STOP_SECONDS)
        if not self._reader.is_alive():  # the end of its output comes a moment before its own
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        try:
            errors = self._log.read_text("utf-8", errors="replace").strip().splitlines()
        except OSError:
            errors = []
        words = [line for line in (*self._said, *errors) if line.strip()]
        status = self._process.poll()
        ending = "" if status is None else f" (exit status {status})"
        return (words[-1].strip() if words else "it said nothing") + ending
