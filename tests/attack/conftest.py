"""People who use a real service through a real mitmdump that an operator's addon runs in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lab import capture, resources
from lab.messenger.content import Content
from lab.messenger.wire import Route
from lab.model import Note, Observation
from lab.service.server import RunningService
from lab.stage.process import Child
from lab.stage.starting import Starter
from tests.messenger.conftest import (
    HOST,
    Someone,
    authority,
    authority_file,
    enrol,
    make,
    service,
    service_database,
)

__all__ = ["authority", "authority_file", "enrol", "make", "service", "service_database"]

_MITMDUMP = "from mitmproxy.tools.main import mitmdump; mitmdump()"


class Operator:
    """An addon in a process of its own before the service, and what it has recorded."""

    def __init__(self, starter: Starter, addon: str, port: int, folder: Path, *more: str, **listen: Any) -> None:
        self._folder = folder
        self._records = 0
        options = ["server=false", "lab_control=true", "termlog_verbosity=error", f"confdir={folder}", *more]
        settings = [
            part for option in (*options, "flow_detail=0", "keep_host_header=true") for part in ("--set", option)
        ]
        script = str(resources.folder("addons") / f"{addon}.py")
        self.child = Child(addon, ["-c", _MITMDUMP, "-s", script, *settings], folder, starter)
        try:
            self.child.ready()
            listen["mode"] = [f"reverse:http://127.0.0.1:{port}@127.0.0.1:0"]
            host, number = self.child.ask({"listen": listen})["addresses"][0]
        except BaseException:
            self.child.close()
            raise
        self.address = (str(host), int(number))
        self.begin()

    def act(self, **orders: Any) -> dict[str, Any]:
        return self.child.ask({"act": orders})

    def begin(self) -> None:
        self._records += 1
        self.child.ask({"begin": str(self._record)})

    @property
    def _record(self) -> Path:
        return self._folder / f"{self._records}.jsonl"

    def recorded(self) -> tuple[list[Observation], list[Note]]:
        """What it has read since it began, and its notes; it begins anew."""
        self.child.ask({"checkpoint": {}})
        items = [capture.decode(line) for line in self._record.read_text("utf-8").splitlines()]
        self.begin()
        return [one for one in items if isinstance(one, Observation)], [one for one in items if isinstance(one, Note)]

    def texts(self) -> list[str]:
        """The texts that it has read since it began, each time that it did; it begins anew. It must not have failed."""
        observations, notes = self.recorded()
        assert [note.event.name for note in notes] == ["CHECKPOINT"], notes
        found = (
            json.loads(one.data.rstrip(b"\0").removesuffix(b"\x80"))
            for one in observations
            if one.place == "opened.envelope"
        )
        return [fields["text"] for fields in found if "text" in fields]


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory, service: RunningService, mitmproxies: Starter
) -> Iterator[Callable[..., Operator]]:
    """Starts addons by name, before the service of this module or another port; they end after its tests."""
    with ExitStack() as stack:

        def start(addon: str, *options: str, before: int = service.port, **listen: Any) -> Operator:
            operator = Operator(mitmproxies, addon, before, tmp_path_factory.mktemp(addon), *options, **listen)
            stack.callback(operator.child.close)
            return operator

        yield start


@pytest.fixture
def service_route(operator: Operator, authority_file: Path) -> Route:
    """Everybody reaches the service through the operator."""
    return Route(f"http://{HOST}", operator.address, authority_file)


def numbers(one: Someone, other: Someone) -> tuple[str, str]:
    """The safety numbers that two people see, each on the own phone."""
    return one.self.safety_number(other.account), other.self.safety_number(one.account)


def accounts(*people: Someone) -> list[str]:
    return [each.account for each in people]


def say(sender: Someone, conversation: str, text: str, *readers: Someone) -> None:
    """`sender` writes `text`, and all of `readers` read it."""
    others = dict.fromkeys(each.account for each in readers if each.account != sender.account)
    sender.self.send(conversation, list(others), Content(text))
    for reader in readers:
        assert reader.self.receive() == Content(text), reader.account
