"""Run services on commands: `python -m lab.service` speaks JSON lines.

It says `{"ready": {}}`, then answers each line of standard input with one line of standard output:

- `{"open": {"database": PATH, "log": PATH, "secure_delete": true, "text_messages": false}}` starts a service:
  `{"ok": {"port": NUMBER}}`; the last two may be left out
- `{"advance": {"port": NUMBER, "seconds": 3600}}` lets the clock of one go forward, once: `{"ok": {}}`. What is to be
  deleted by then has been deleted. This is for the operator alone: no request can do that.
- `{"close": PORT}` stops one: `{"ok": {}}`
- anything else, and what fails: `{"error": "…"}`

At the end of standard input everything is stopped.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError

from lab.service.config import Config
from lab.service.server import RunningService


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Open(_Shape):
    database: Path
    log: Path
    secure_delete: bool = True
    text_messages: bool = False


class _Advance(_Shape):
    port: int
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Command(_Shape):
    open: _Open | None = None
    advance: _Advance | None = None
    close: int | None = None

    @model_validator(mode="after")
    def _one(self) -> _Command:
        if [self.open, self.advance, self.close].count(None) != 2:
            raise ValueError("a command is one of open, advance and close")
        return self


class _Clock:
    """The time of this machine, until it is told to go forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


class Runner:
    """The services of this process, by port."""

    def __init__(self) -> None:
        self._services: dict[int, RunningService] = {}
        self._clocks: dict[int, _Clock] = {}

    def answer(self, line: bytes) -> dict[str, Any]:
        """Carry out one command and return the answer; failures are answers too."""
        try:
            command = _Command.model_validate_json(line)
            if command.open is not None:
                return {"ok": {"port": self._open(command.open)}}
            if command.advance is not None:
                return self._advance(command.advance)
            assert command.close is not None  # noqa: S101 - one of them is there, the model says
            return self._close(command.close)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            return {"error": f"Bad command{' at ' + place if place else ''}: {first['msg']}."}
        except OSError as error:
            return {"error": f"The service could not be started: {error}."}
        except DBAPIError as error:
            # Its own text is a page with the statement in it; that of SQLite is a sentence.
            return {"error": f"The service could not be started: {error.orig}."}

    def close(self) -> None:
        """Stop every service."""
        for service in self._services.values():
            service.end_streams()
        while self._services:
            self._services.popitem()[1].close()

    def _open(self, settings: _Open) -> int:
        clock = _Clock()
        service = RunningService(
            Config(
                database=settings.database,
                log=settings.log,
                secure_delete=settings.secure_delete,
                text_messages=settings.text_messages,
                clock=clock,
            )
        )
        self._services[service.port] = service
        self._clocks[service.port] = clock
        return service.port

    def _advance(self, step: _Advance) -> dict[str, Any]:
        if step.port not in self._services:
            return _no_service(step.port)
        self._clocks[step.port].advance(step.seconds)
        self._services[step.port].expire()
        return {"ok": {}}

    def _close(self, port: int) -> dict[str, Any]:
        service = self._services.pop(port, None)
        if service is None:
            return _no_service(port)
        del self._clocks[port]
        service.close()
        return {"ok": {}}


def _no_service(port: int) -> dict[str, Any]:
    return {"error": f"No service runs on port {port}."}


def main(commands: Iterable[bytes], answers: BinaryIO) -> None:
    """Answer `commands` until they end, then stop every service."""

    def say(message: dict[str, Any]) -> None:
        answers.write(to_json(message) + b"\n")
        answers.flush()

    with contextlib.closing(Runner()) as runner:
        say({"ready": {}})
        for line in commands:
            say(runner.answer(line))


def run() -> None:
    """Take commands from standard input. Standard output is for answers alone: other output goes to standard error."""
    output = sys.stdout.buffer
    with contextlib.redirect_stdout(sys.stderr):
        main(sys.stdin.buffer, output)


if __name__ == "__main__":
    run()
