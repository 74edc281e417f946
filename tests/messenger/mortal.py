"""A program with a participant in it that is killed at a moment of the test's choice. Run by test_crashes.

Each line of standard input is a job in JSON; a child process does it, and the line that answers is its exit status.
`dies_at` counts moments from the first act on that is not `resume`: after every request, every step of the device
store, and everything that the app is told, each of which is before the next one as well. At that moment the child sends
itself SIGKILL.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from lab.messenger.content import Content
from lab.messenger.participant import Participant, Person
from lab.messenger.store import Changes, DeviceStore
from lab.messenger.wire import Route, Wire, WireError
from lab.model import Deed, Encryption, Statement


class Life:
    """What a child does, and when it ends. Everything is written to the log at once: nothing is lost by dying."""

    def __init__(self, log: str, dies_at: int) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._dies_at = dies_at
        self._moments = 0
        self.counting = False

    def moment(self, what: str) -> None:
        if not self.counting:
            return
        self._moments += 1
        self.write(moment=what)
        if self._moments == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, **line: Any) -> None:
        os.write(self._log, json.dumps(line).encode() + b"\n")

    def told(self, statement: Statement) -> None:
        if statement.deed in (Deed.SENT, Deed.READ, Deed.REFUSED):
            self.write(deed=statement.deed, text=statement.text, message=statement.message, reason=statement.reason)
        self.moment(f"told: {statement.deed}")

    def watch(self) -> None:
        """Hooks around every request and every step of the store."""
        request, commit = Wire._request, DeviceStore.commit

        def watched_request(wire: Wire, method: str, path: str, *rest: Any, **more: Any) -> Any:
            if method == "POST" and path.endswith("/messages"):
                self.write(posted=json.loads(rest[0]))
            answer = request(wire, method, path, *rest, **more)
            self.moment(f"asked: {method} {path}")
            return answer

        def watched_commit(store: DeviceStore, changes: Changes, **more: Any) -> None:
            commit(store, changes, **more)
            self.moment(f"stored: {', '.join(sorted({table for table, _, _ in changes}))}")

        Wire._request = watched_request  # type: ignore[method-assign]
        DeviceStore.commit = watched_commit  # type: ignore[method-assign]


def live(job: dict[str, Any]) -> None:
    life = Life(job["log"], job["dies_at"])
    life.write(acts=job["acts"])
    life.watch()
    route = Route(job["url"], ("127.0.0.1", job["port"]), Path(job["authority"]))
    person = Person("Alice", job["account"], job["password"])
    encryption = Encryption(job["encryption"]) if job["encryption"] else None
    with Participant(person, route, Path(job["device"]), life.told, encryption=encryption) as alice:
        for act, *about in job["acts"]:
            life.counting = life.counting or act != "resume"
            match act:
                case "join":
                    join(alice)
                case "resume":
                    alice.resume()
                case "send":
                    conversation, recipients, text = about
                    alice.send(conversation, recipients, Content(text))
                case "read":
                    alice.listen()
                    while alice.receive().text != about[0]:
                        pass


def join(alice: Participant) -> None:
    """What an app does that does not know how far it had come."""
    try:
        alice.join()
    except WireError as error:
        if error.status != 409:
            raise
        alice.resume()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
