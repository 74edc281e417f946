"""The stage: every port, process and temporary file of a run, in one ExitStack.

    participants ═══▶ network tap ═══▶ server tap (ends TLS) ═══▶ service ═══▶ SQLite

Three processes are started side by side once a run (see starting.py). Each session gets a service instance, a
database, a certificate and recordings of its own; the taps are pointed at them, which takes milliseconds. Everything
binds to loopback.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import resources
from lab.capture import Item, Writer
from lab.model import Direction, Missing, Mode, Observation, Observer, Secret, SecretName
from lab.stage.certificates import Authority, certificate_in, make_authority, write_private
from lab.stage.process import ANSWER_SECONDS, Child, ChildError
from lab.stage.starting import Starter, open_starter
from lab.stage.workspace import Workspace, open_workspace

LOOPBACK = "127.0.0.1"

DRAIN_SECONDS = 10.0
"""How long a tap may wait for the connections of a conversation to end before its record counts as incomplete."""

AT_REST = (
    ("database.sqlite", "database.file"),
    ("database.sqlite-wal", "database.wal"),
    ("service.log", "service.log"),
)
"""What the operator keeps on disk: file name, and the place that reports name."""

SERVER_RECORDING = "server.jsonl"
"""In the folder of a session: what the server tap writes."""

_TAP = "from mitmproxy.tools.main import {0}; {0}()"
_SERVICE = "from lab.service.__main__ import run; run()"

_TAPS_NEED = ("mitmproxy.tools.main", "lab.stage.http_tap", "lab.stage.envelope_view")

_PATIENCE = 7 * 86_400
"""Seconds of silence after which a tap ends a connection: somebody who types may take a long pause."""


@dataclass(frozen=True, slots=True)
class Behind:
    """What participants do not see: where the server tap and the service listen, and the folder of the session."""

    front_end: tuple[str, int]
    service: tuple[str, int]
    directory: Path


@dataclass(frozen=True, slots=True)
class Venue:
    """What participants need to know: the service's name, where to dial it, and whom to trust.

    `host` stands in URLs, in SNI and in certificates; the connection itself is made to `address`.
    """

    mode: Mode
    host: str
    address: tuple[str, int]
    authority: Path
    devices: Path
    """A folder for the participants' device stores."""
    behind: Behind
    certificate: bytes = b""
    """The one of the service itself (DER), for whoever has seen it before; empty where it shows none."""

    @property
    def url(self) -> str:
        return f"{'http' if self.mode is Mode.PLAINTEXT else 'https'}://{self.host}"


class Stage:
    """The running processes. Get one from `open_stage`."""

    def __init__(self, workspace: Workspace, closing: ExitStack, starter: Starter, *, web: bool) -> None:
        self.directory = directory = workspace.path
        self._workspace = workspace
        self._authority = make_authority("Lab CA of this run")
        self._authority_file = directory / "authority.pem"
        self._authority_file.write_bytes(self._authority.pem)
        self._sessions = 0
        self._ready = False
        self._abandoned = False
        self._closing = closing
        self._starter = starter
        self.web = web
        self.service = self._start("service", self._folder("service"), ["-c", _SERVICE])
        for module in (*_TAPS_NEED, f"mitmproxy.tools.{'web' if web else 'dump'}"):
            starter.prepare(module)
        self.network = self.start_tap("network tap", "network_observer")
        self.server = self.start_tap("server tap", "server_observer", "keep_host_header=true")

    @property
    def children(self) -> tuple[Child, ...]:
        return (self.network, self.server, self.service)

    @property
    def intact(self) -> bool:
        """True while a further session can be held: every process is alive, and no session was broken off."""
        return not self._abandoned and all(child.alive for child in self.children)

    def ready(self) -> None:
        """Wait until all processes take commands. ChildError: one did not start."""
        if not self._ready:
            for child in self.children:
                child.ready()
                self._workspace.watch(child.pid)
            self._ready = True

    def start(self, name: str, arguments: list[str]) -> Child:
        """A further process for the same run, in a folder of its own: it ends when the stage does."""
        return self._start(name, self._folder(name), arguments)

    def start_tap(self, name: str, addon: str, *options: str, authority: Authority | None = None) -> Child:
        """A further tap with this addon: it ends when the stage does. `authority` signs what it makes by itself."""
        directory = self._folder(name.replace(" ", "-"))
        # Else mitmproxy would spend a tenth of a second on an RSA authority that no participant trusts.
        signing = authority or make_authority("unused")
        write_private(directory / "mitmproxy-ca.pem", signing.pem_with_key)
        arguments = self._tap_arguments(addon, *options, f"confdir={directory}", web=self.web)
        return self._start(name, directory, arguments)

    @contextmanager
    def session(self, mode: Mode, host: str, writer: Writer) -> Iterator[Venue]:
        """Open the service for one conversation; on leaving, write what every observer got.

        Close all participants before leaving: the taps wait for their connections to end. What an observer could not
        deliver is written as `Missing` and judged as such; ChildError only while opening. A session that is left by an
        exception writes nothing more, and the stage is not `intact` after it.
        """
        self.ready()
        self._sessions += 1
        directory = self._folder(f"session-{self._sessions}")
        port = self.service.ask(
            {
                "open": {
                    "database": str(directory / "database.sqlite"),
                    "log": str(directory / "service.log"),
                    "secure_delete": True,
                }
            }
        )["port"]
        venue = self._point_taps(mode, host, port, directory)
        for _, tap, recording in self._recordings(directory):
            tap.ask({"begin": str(recording)})
        try:
            yield venue
        except BaseException:
            # Whoever was interrupted in the middle of a command would take its answer for that of the next one.
            self._abandoned = True
            raise
        self._collect(directory, writer, {"end": DRAIN_SECONDS}, DRAIN_SECONDS * 2)
        try:
            self.service.ask({"close": port})
        except ChildError as error:
            writer.add(Missing(str(error), Observer.DATABASE))

    def snapshot(self, venue: Venue, writer: Writer) -> None:
        """Write what every observer has got so far of the session at `venue`, which goes on.

        Nobody may be sending meanwhile. What an observer could not deliver is written as `Missing`.
        """
        self._collect(venue.behind.directory, writer, {"checkpoint": {}}, ANSWER_SECONDS)

    def recording(self, venue: Venue) -> bytes:
        """What the server tap has recorded so far of the session at `venue`, as it writes it. ChildError."""
        size = self.server.ask({"checkpoint": {}})["bytes"]
        return (venue.behind.directory / SERVER_RECORDING).read_bytes()[:size]

    def mark(self, secrets: Iterable[Secret]) -> None:
        """Let the taps mark the flows in which one of these can be read, for whoever looks at them. ChildError.

        The server's tap does not mark its own host name: it stands in every request, and all flows would be marked.
        """
        planted = list(secrets)
        for tap, unmarked in ((self.network, None), (self.server, SecretName.SERVICE)):
            settings = [f"{one.name}={one.value.decode()}" for one in planted if one.name is not unmarked]
            tap.ask({"secrets": settings})

    def pages(self) -> tuple[str, str]:
        """The addresses of the taps' own pages (network, server), if the stage was opened with `web`. ChildError."""
        self.ready()
        network, server = (str(tap.ask({"page": {}})["url"]) for tap in (self.network, self.server))
        return network, server

    def _recordings(self, directory: Path) -> list[tuple[Observer, Child, Path]]:
        return [
            (Observer.NETWORK, self.network, directory / "network.jsonl"),
            (Observer.SERVER, self.server, directory / SERVER_RECORDING),
        ]

    def _collect(self, directory: Path, writer: Writer, command: dict[str, Any], seconds: float) -> None:
        """What every observer got. A tap's answer to `command` may say how many bytes of its recording are meant."""
        for observer, tap, recording in self._recordings(directory):
            size: int | None = None
            try:
                size = tap.ask(command, seconds).get("bytes")
            except ChildError as error:
                writer.add(Missing(str(error), observer))
            if recording.exists():
                writer.copy_lines(recording, size)
        writer.add(*_at_rest(directory))

    def _point_taps(self, mode: Mode, host: str, port: int, directory: Path) -> Venue:
        front: dict[str, Any] = {
            "mode": [f"reverse:http://{LOOPBACK}:{port}@{LOOPBACK}:0"],
            "certs": [],
            "modify_headers": [],
        }
        certificate = b""
        if mode is not Mode.PLAINTEXT:
            issued = self._authority.issue(host)
            certificate = certificate_in(issued)
            leaf = write_private(directory / "front-end.pem", issued)
            front["certs"] = [f"*={leaf}"]
            # The service must know which scheme its clients used; behind the front end it sees plain HTTP only.
            front["modify_headers"] = ["|~q|X-Forwarded-Proto|https"]
        front_end = _listen(self.server, front)
        devices = directory / "devices"
        devices.mkdir(mode=0o700)
        address = _listen(self.network, {"mode": [f"reverse:tcp://{LOOPBACK}:{front_end[1]}@{LOOPBACK}:0"]})
        behind = Behind(front_end, (LOOPBACK, port), directory)
        return Venue(mode, host, address, self._authority_file, devices, behind, certificate)

    def _start(self, name: str, directory: Path, arguments: list[str]) -> Child:
        child = Child(name, arguments, directory, self._starter)
        self._closing.callback(child.close)
        self._workspace.watch(self._starter.pid or child.pid)
        return child

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir(mode=0o700)
        return folder

    @staticmethod
    def _tap_arguments(addon: str, *more: str, web: bool = False) -> list[str]:
        options = ["server=false", "lab_control=true", "termlog_verbosity=error", f"tcp_timeout={_PATIENCE}", *more]
        if web:
            # Without a password of ours it draws one for each start, and puts it into the address that it gives.
            options += ["web_open_browser=false", f"web_host={LOOPBACK}", f"web_port={_free_port()}"]
        else:
            options += ["flow_detail=0"]
        settings = [part for option in options for part in ("--set", option)]
        tool = "mitmweb" if web else "mitmdump"
        return ["-c", _TAP.format(tool), "-s", str(resources.folder("addons") / f"{addon}.py"), *settings]


@contextmanager
def open_stage(starter: Starter | None = None, *, web: bool = False) -> Iterator[Stage]:
    """A stage in a temporary directory of its own; on leaving, its processes end and its files are gone.

    Its processes start side by side; `Stage.session` waits for them, so there is time for something else until then.
    `starter`, else one of its own, starts them; it is closed with the stage.
    With `web` the taps are mitmweb: a person can look at their flows, which are kept and marked (see `Stage.mark`).
    """
    with ExitStack() as stack:
        workspace = stack.enter_context(open_workspace())
        children = stack.enter_context(ExitStack())
        starter = starter or open_starter()
        stack.callback(starter.close)  # before its children: it ends them, and others that it would start later
        yield Stage(workspace, children, starter, web=web)


def _listen(tap: Child, options: dict[str, Any]) -> tuple[str, int]:
    host, port = tap.ask({"listen": options})["addresses"][0]
    return str(host), int(port)


def _free_port() -> int:
    """A port that nobody listens on. mitmweb cannot tell which one the system gave it, so it is chosen before."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])


def _at_rest(directory: Path) -> list[Item]:
    """Copies of what the operator has on disk, taken while the service is still up (closing empties the log)."""
    taken: list[Item] = []
    for name, place in AT_REST:
        file = directory / name
        if file.exists():
            taken.append(Observation(Observer.DATABASE, place, "", Direction.AT_REST, time.time(), file.read_bytes()))
    return taken
