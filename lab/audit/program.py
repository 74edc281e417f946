"""The program that `lab audit` observes: started in the right environment, listened to, ended when it is time to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from rich.console import Console

from lab.audit.canary import Canary
from lab.audit.window import Window
from lab.model import LabError

END_SECONDS = 10.0
"""For how long a program may go on after Ctrl-C, which it gets too."""


class Awaited:
    """What a program says once the recipient got secrets: they are confirmed as soon as it does.

    One text is about all of them; of several, each is about those that it names.
    """

    def __init__(self, texts: Sequence[str], lab: Window, secrets: Mapping[str, Canary]) -> None:
        self._lab = lab
        self._waiting = {text: filled(text, secrets).encode() for text in texts}
        self._about = {
            text: [one for one in secrets.values() if len(texts) == 1 or f"{{{one.name}}}" in text] for text in texts
        }
        self._longest = max(map(len, self._waiting.values()), default=0)
        self._before = b""

    def __bool__(self) -> bool:
        return bool(self._about)

    @property
    def unsaid(self) -> tuple[str, ...]:
        """What it did not say so far."""
        return tuple(self._waiting)

    def heard(self, piece: bytes) -> None:
        together = self._before + piece
        for text in [text for text, words in self._waiting.items() if words in together]:
            del self._waiting[text]
            with suppress(LabError):  # a program of the program's own may go on when the observation has ended
                self._lab.confirm(*self._about[text])
        self._before = together[-self._longest :]


def run_program(command: Sequence[str], environment: Mapping[str, str], awaited: Awaited, errors: Console) -> int:
    """Run the command to its end, or to Ctrl-C; its exit status, 0 after Ctrl-C. LabError: it cannot be started."""
    try:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE if awaited else None,
            stderr=subprocess.STDOUT if awaited else None,
        )
    except OSError as error:
        raise LabError(f"{command[0]}: cannot be started: {error.strerror or error}") from None
    tee = threading.Thread(target=_tee, args=(process, awaited), daemon=True)
    interrupted = False
    try:
        tee.start()
        process.wait()
    except KeyboardInterrupt:  # the regular way to end a program that goes on; it got the same signal from the terminal
        interrupted = True
        _end(process)
    except BaseException:
        process.kill()
        process.wait()
        raise
    tee.join(END_SECONDS)
    status = 0 if interrupted else process.returncode
    if status:
        how = f"exit status {status}" if status > 0 else f"ended by {signal.Signals(-status).name}"
        errors.print(f"lab: the program failed: {command[0]}: {how}", soft_wrap=True, markup=False)
    return status


def filled(part: str, values: Mapping[str, str]) -> str:
    """With the values in place of {NAME}."""
    for name, value in values.items():
        part = part.replace("{" + name + "}", value)
    return part


def _tee(process: subprocess.Popen[bytes], awaited: Awaited) -> None:
    """Listen to what the program says, and show it."""
    if process.stdout is None:
        return
    with process.stdout as pipe:
        for piece in iter(lambda: os.read(pipe.fileno(), 1 << 16), b""):
            awaited.heard(piece)
            sys.stdout.write(piece.decode(errors="replace"))
            sys.stdout.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (None, signal.SIGINT, signal.SIGKILL):
        if number is not None:
            process.send_signal(number)
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(END_SECONDS)
            return
