"""Run services on commands: `python -m lab.service` speaks JSON lines.

It says `{"ready": {}}`, then answers each line of standard input with one line of standard output:

- `{"open": {"database": PATH, "log": PATH, "secure_delete": true}}` starts a service: `{"ok": {"port": NUMBER}}`
- `{"close": PORT}` stops one: `{"ok": {}}`
- anything else, and what fails: `{"error": "…"}`

At the end of standard input everything is stopped.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
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


class _Command(_Shape):
    open: _Open | None = None
    close: int | None = None

    @model_validator(mode="after")
    def _one(self) -> _Command:
        if (self.open is None) == (self.close is None):
            raise ValueError("a command is either open or close")
        return self


class Runner:
    """The services of this process, by port."""

    def __init__(self) -> None:
        self._services: dict[int, RunningService] = {}

    def answer(self, line: bytes) -> dict[str, Any]:
        """Carry out one command and return the answer; failures are answers too."""
        try:
            command = _Command.model_validate_json(line)
            if command.open is not None:
                return {"ok": {"port": self._open(command.open)}}
            assert command.close is not None  # noqa: S101 - one of the two is there, the model says
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
        service = RunningService(
            Config(database=settings.database, log=settings.log, secure_delete=settings.secure_delete)
        )
        self._services[service.port] = service
        return service.port

    def _close(self, port: int) -> dict[str, Any]:
        service = self._services.pop(port, None)
        if service is None:
            return {"error": f"No service runs on port {port}."}
        service.close()
        return {"ok": {}}


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
