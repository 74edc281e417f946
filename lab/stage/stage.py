"""The stage: every port, process and temporary file of a run, in one ExitStack.

    participants ═══▶ network tap ═══▶ server tap (ends TLS) ═══▶ service ═══▶ SQLite

Three processes are started side by side once a run (see starting.py). Each session gets a service instance, a
database, a certificate and recordings of its own; the taps are pointed at them, which takes milliseconds. Sessions at
the same time need taps of their own (`Stage.lanes`). Attackers stand between the others, where a session has any (see
attackers.py). Everything binds to loopback.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from lab import resources
from lab.capture import Item, Writer, decode
from lab.model import Direction, Event, Missing, Mode, Note, Observation, Observer, Secret, SecretName
from lab.stage.attackers import (
    ATTACKERS_OPTIONS,
    INTERCEPTOR,
    MEDDLER,
    NOBODY,
    RECORD_WHAT_THEY_OPEN,
    Attackers,
    on_the_path,
)
from lab.stage.certificates import Authority, Flaw, certificate_in, issue_flawed, make_authority, write_private
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

SERVER_RECORDING, INTERCEPTORS_RECORDING = "server.jsonl", "interceptor.jsonl"
"""In the folder of a session: what the server tap writes, and what whoever acts on the path does."""

_TAP = "from lab.stage.dispatch import install; install(); from mitmproxy.tools.main import {0}; {0}()"
_SERVICE = "from lab.service.__main__ import run; run()"

_TAPS_NEED = ("mitmproxy.tools.main", "lab.stage.dispatch", "lab.stage.http_tap", "lab.stage.envelope_view")

_PATIENCE = 7 * 86_400
"""Seconds of silence after which a tap ends a connection: somebody who types may take a long pause."""


@dataclass(frozen=True, slots=True)
class Behind:
    """What participants do not see: where the server tap and the service listen, and the folder of the session."""

    entrance: tuple[str, int]
    """What the network tap relays to: the front end, or whoever stands before it."""
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
    certificate: bytes
    """The one of the service itself (DER), for whoever has seen it before; empty where it shows none."""
    installed: Path
    """The authority of whoever intercepts, where it was installed on devices."""
    behind: Behind

    @property
    def url(self) -> str:
        return f"{'http' if self.mode is Mode.PLAINTEXT else 'https'}://{self.host}"


class Ground:
    """What all lanes stand on: the folder of a run, who starts processes in it, and the CA that participants trust."""

    def __init__(self, workspace: Workspace, starter: Starter) -> None:
        self.directory = workspace.path
        self.starter = starter
        self.authority = make_authority("Lab CA of this run")
        self.authority_file = self.directory / "authority.pem"
        self.authority_file.write_bytes(self.authority.pem)
        self._workspace = workspace
        self.interceptors = make_authority("Installed CA of this run")
        self.installed_file = self.directory / "installed.pem"
        self.installed_file.write_bytes(self.interceptors.pem)
        self._children = ExitStack()
        self._folders: Counter[str] = Counter()
        self._turn = Lock()

    def folder(self, name: str) -> Path:
        """A new folder of this name; the second one is NAME-2."""
        with self._turn:
            self._folders[name] += 1
            number = self._folders[name]
        folder = self.directory / (name if number == 1 else f"{name}-{number}")
        folder.mkdir(mode=0o700)
        return folder

    def start(self, name: str, directory: Path, arguments: list[str]) -> Child:
        """A process that ends with the run."""
        child = Child(name, arguments, directory, self.starter)
        self._children.callback(child.close)
        self.watch(self.starter.pid or child.pid)
        return child

    def start_tap(
        self, name: str, addon: str, *options: str, authority: Authority | None = None, web: bool = False
    ) -> Child:
        """A tap with this addon: it ends with the run. `authority` signs what it makes by itself."""
        directory = self.folder(name.replace(" ", "-"))
        # Else mitmproxy would spend a tenth of a second on an RSA authority that no participant trusts.
        signing = authority or make_authority("unused")
        write_private(directory / "mitmproxy-ca.pem", signing.pem_with_key)
        return self.start(name, directory, tap_arguments(addon, *options, f"confdir={directory}", web=web))

    def prepare_for_taps(self, *, web: bool = False) -> None:
        """Have what taps import at hand when the first one starts."""
        for module in (*_TAPS_NEED, f"mitmproxy.tools.{'web' if web else 'dump'}"):
            self.starter.prepare(module)

    def watch(self, pid: int) -> None:
        with self._turn:
            self._workspace.watch(pid)

    def end(self) -> None:
        """End all processes, also those that were started since this was last done."""
        self.starter.close()  # before its children: it ends them, and others that it would start later
        self._children.close()


class Stage:
    """The running processes: a service, and taps before it, for one session at a time. Get one from `open_stage`."""

    def __init__(self, ground: Ground, service: Child, *, web: bool) -> None:
        self.directory = ground.directory
        self.web = web
        self.service = service
        self._ground = ground
        self._ready = False
        self._abandoned = False
        self._attackers: dict[str, Child] = {}
        self._recording: list[tuple[Observer, Child, Path]] = []
        """The taps that record the session, and where."""
        self.network = self.start_tap("network tap", "network_observer")
        self.server = self.start_tap("server tap", "server_observer", "keep_host_header=true")

    @property
    def children(self) -> tuple[Child, ...]:
        return (self.network, self.server, self.service)

    @property
    def intact(self) -> bool:
        """True while a further session can be held: every process is alive, and no session was broken off."""
        there = (*self.children, *self._attackers.values())
        return not self._abandoned and all(child.alive for child in there)

    def ready(self) -> None:
        """Wait until all processes take commands. ChildError: one did not start."""
        if not self._ready:
            for child in self.children:
                child.ready()
                self._ground.watch(child.pid)
            self._ready = True

    def lanes(self, most: int) -> list[Stage]:
        """This stage and, where a process costs little, further ones for sessions at the same time: at most so many.

        They share the service, but each has taps of its own; all end with this one.
        """
        further = most - 1 if self._ground.starter.forks else 0
        return [self, *(Stage(self._ground, self.service, web=self.web) for _ in range(further))]

    def start(self, name: str, arguments: list[str]) -> Child:
        """A further process for the same run, in a folder of its own: it ends when the stage does."""
        return self._ground.start(name, self._ground.folder(name), arguments)

    def prepare(self, module: str) -> None:
        """Further processes that are started from now on need this module."""
        self._ground.starter.prepare(module)

    def clear(self) -> None:
        """End what a session takes place in, when there will be no further one: taps, attackers and service."""
        for child in (*self.children, *self._attackers.values()):
            child.close()

    def end(self) -> None:
        """End all processes now, those of all lanes; whoever waits for one of them gets a ChildError."""
        self._ground.end()

    def start_tap(self, name: str, addon: str, *options: str, authority: Authority | None = None) -> Child:
        """A further tap with this addon: it ends when the stage does. `authority` signs what it makes by itself."""
        return self._ground.start_tap(name, addon, *options, authority=authority, web=self.web)

    @contextmanager
    def session(
        self,
        mode: Mode,
        host: str,
        writer: Writer,
        attackers: Attackers = NOBODY,
        *,
        overwrites: bool = False,
        text_messages: bool = False,
    ) -> Iterator[Venue]:
        """Open the service for one conversation; on leaving, write what every observer got.

        With TLS the service wants nothing else: it sends whoever comes without to https://. What it deletes stays in
        its files as SQLite leaves it there by itself, unless it `overwrites` that. With `text_messages` it delivers
        those as well, in each mode without TLS.

        Close all participants before leaving: the taps wait for their connections to end. What an observer could not
        deliver is written as `Missing` and judged as such; ChildError only while opening. A session that is left by an
        exception writes nothing more, and the stage is not `intact` after it.
        """
        self.ready()
        directory = self._ground.folder("session")
        port = self.service.ask(
            {
                "open": {
                    "database": str(directory / "database.sqlite"),
                    "log": str(directory / "service.log"),
                    "secure_delete": overwrites,
                    "text_messages": text_messages,
                }
            }
        )["port"]
        self._recording = []
        venue = self._point_taps(mode, host, port, directory, attackers)
        try:
            yield venue
        except BaseException:
            # Whoever was interrupted in the middle of a command would take its answer for that of the next one.
            self._abandoned = True
            raise
        self._collect(directory, writer, {"end": DRAIN_SECONDS}, DRAIN_SECONDS + ANSWER_SECONDS)
        try:
            self.service.ask({"close": port})
        except ChildError as error:
            writer.add(Missing(str(error), Observer.DATABASE))

    def advance(self, venue: Venue, seconds: float) -> None:
        """Let the clock of the service at `venue` go forward: what is to be deleted by then is. ChildError."""
        self.service.ask({"advance": {"port": venue.behind.service[1], "seconds": seconds}})

    def snapshot(self, venue: Venue, writer: Writer) -> None:
        """Write what every observer has got so far of the session at `venue`, which goes on.

        Nobody may be sending meanwhile. What an observer could not deliver is written as `Missing`.
        """
        self._collect(venue.behind.directory, writer, {"checkpoint": {}}, ANSWER_SECONDS)

    def recording(self, venue: Venue) -> bytes:
        """What the server tap has recorded so far of the session at `venue`, as it writes it. ChildError."""
        size = self.server.ask({"checkpoint": {}})["bytes"]
        return (venue.behind.directory / SERVER_RECORDING).read_bytes()[:size]

    def recordings(self) -> tuple[tuple[Observer, Path, int], ...]:
        """Where the taps record the session that goes on, and how many bytes of each file are whole lines by now.

        Not what an attacker opens: that is no piece of what passes. ChildError.
        """
        taps = [one for one in self._recording if one[2].stem not in RECORD_WHAT_THEY_OPEN]
        return tuple((observer, file, int(tap.ask({"flush": {}})["bytes"])) for observer, tap, file in taps)

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

    def act(self, name: str, orders: dict[str, Any]) -> dict[str, Any]:
        """Tell an attacker of this session what to do; its answer. ChildError: it cannot do that.

        `name` is that of its addon, or what `on_the_path` makes of it.
        """
        return self._attackers[name].ask({"act": orders})

    def stand_in(self, venue: Venue, flaw: Flaw | None) -> tuple[str, int]:
        """Where somebody answers in place of the service, until the end of the session, with such a certificate.

        It has a line to itself, which the network tap watches, too: the participants' own connections stay as they are.
        `flaw` None: an authority signed it that devices may have installed. ChildError.
        """
        return self._aside(venue, self._intercept(venue.host, venue.behind.front_end, venue.behind.directory, flaw))

    def meddle_with_tls(self, venue: Venue, orders: dict[str, Any]) -> tuple[str, int]:
        """Where somebody relays what goes to the service, and meddles with the bytes of TLS: another line as above.

        `orders` are for the addon `meddler`. ChildError.
        """
        tap = self._attacker(MEDDLER, on_the_path(MEDDLER))
        address = listen(tap, {"mode": [relay(venue.behind.front_end[1])]})
        tap.ask({"act": orders})
        return self._aside(venue, address)

    def _aside(self, venue: Venue, address: tuple[str, int]) -> tuple[str, int]:
        """A second way through the network tap, to `address`."""
        aside = _free_port()
        listen(self.network, {"mode": [relay(venue.behind.entrance[1]), relay(address[1], aside)]})
        return LOOPBACK, aside

    def _collect(self, directory: Path, writer: Writer, command: dict[str, Any], seconds: float) -> None:
        """What every observer got. A tap's answer to `command` may say how many bytes of its recording are meant."""
        for observer, tap, recording in self._recording:
            size: int | None = None
            try:
                size = tap.ask(command, seconds).get("bytes")
            except ChildError as error:
                writer.add(Missing(str(error), observer))
            if recording.stem in RECORD_WHAT_THEY_OPEN:
                writer.add(*_opened(recording, size))
            elif recording.exists():
                writer.copy_lines(recording, size)
        writer.add(*_at_rest(directory))

    def _point_taps(self, mode: Mode, host: str, port: int, directory: Path, attackers: Attackers) -> Venue:
        self._record(Observer.NETWORK, self.network, directory / "network.jsonl")
        self._record(Observer.SERVER, self.server, directory / SERVER_RECORDING)
        behind_tls = port
        for addon in attackers.behind:
            tap = self._attacker(addon)
            behind_tls = listen(tap, {"mode": [forward(behind_tls)]})[1]
            if addon in RECORD_WHAT_THEY_OPEN:
                self._record(Observer.SERVER, tap, directory / f"{addon}.jsonl")
        front: dict[str, Any] = {
            "mode": [forward(behind_tls)],
            "certs": [],
            "modify_headers": [],
            "lab_tls_only": mode is not Mode.PLAINTEXT,
        }
        certificate = b""
        if mode is not Mode.PLAINTEXT:
            pem = self._ground.authority.issue(host)
            certificate = certificate_in(pem)
            leaf = write_private(directory / "front-end.pem", pem)
            front["certs"] = [f"*={leaf}"]
            # The service must know which scheme its clients used; behind the front end it sees plain HTTP only.
            front["modify_headers"] = ["|~q|X-Forwarded-Proto|https"]
        front_end = entrance = listen(self.server, front)
        if attackers.on_path == INTERCEPTOR:
            entrance = self._intercept(host, front_end, directory, attackers.flaw)
        elif attackers.on_path:
            tap = self._attacker(attackers.on_path, on_the_path(attackers.on_path))
            entrance = listen(tap, {"mode": [forward(front_end[1])]})
            self._record(Observer.INTERCEPTOR, tap, directory / INTERCEPTORS_RECORDING)
        address = listen(self.network, {"mode": [relay(entrance[1])]})
        devices = directory / "devices"
        devices.mkdir(mode=0o700)
        behind = Behind(entrance, front_end, (LOOPBACK, port), directory)
        return Venue(
            mode, host, address, self._ground.authority_file, devices, certificate, self._ground.installed_file, behind
        )

    def _intercept(self, host: str, front_end: tuple[str, int], directory: Path, flaw: Flaw | None) -> tuple[str, int]:
        """Let the interceptor show such a certificate, and pass on to the front end; where it listens."""
        tap = self._attacker(INTERCEPTOR)
        recording = directory / INTERCEPTORS_RECORDING
        if not recording.exists():
            self._record(Observer.INTERCEPTOR, tap, recording)
        pem = (
            self._ground.interceptors.issue(host) if flaw is None else issue_flawed(self._ground.authority, host, flaw)
        )
        leaf = write_private(directory / f"{INTERCEPTOR}-{flaw or 'trusted'}.pem", pem)
        mode = f"reverse:https://{LOOPBACK}:{front_end[1]}@{LOOPBACK}:0"
        return listen(tap, {"mode": [mode], "certs": [f"*={leaf}"]})

    def _record(self, observer: Observer, tap: Child, recording: Path) -> None:
        tap.ask({"begin": str(recording)})
        self._recording.append((observer, tap, recording))

    def _attacker(self, addon: str, name: str = "") -> Child:
        """The process of this attacker, which is started when it is first needed. `name`, if it is not the only one."""
        name = name or addon
        if name not in self._attackers:
            options = ("keep_host_header=true", f"ssl_verify_upstream_trusted_ca={self._ground.authority_file}")
            self._attackers[name] = self.start_tap(name, addon, *options, *ATTACKERS_OPTIONS.get(addon, ()))
            self._attackers[name].ready()
            self._ground.watch(self._attackers[name].pid)
        return self._attackers[name]


@contextmanager
def open_stage(starter: Starter | None = None, *, web: bool = False) -> Iterator[Stage]:
    """A stage in a temporary directory of its own; on leaving, its processes end and its files are gone.

    Its processes start side by side; `Stage.session` waits for them, so there is time for something else until then.
    `starter`, else one of its own, starts them; it is closed with the stage.
    With `web` the taps are mitmweb: a person can look at their flows, which are kept and marked (see `Stage.mark`).
    """
    with ExitStack() as stack:
        workspace = stack.enter_context(open_workspace())
        starter = starter or open_starter()
        stack.callback(starter.close)
        ground = Ground(workspace, starter)
        stack.callback(ground.end)
        service = ground.start("service", ground.folder("service"), ["-c", _SERVICE])
        ground.prepare_for_taps(web=web)
        yield Stage(ground, service, web=web)


def tap_arguments(addon: str, *more: str, web: bool = False) -> list[str]:
    """What an interpreter is called with to be a tap with this addon, which takes commands."""
    options = ["server=false", "lab_control=true", "termlog_verbosity=error", f"tcp_timeout={_PATIENCE}", *more]
    if web:
        # Without a password of ours it draws one for each start, and puts it into the address that it gives.
        options += ["web_open_browser=false", f"web_host={LOOPBACK}", f"web_port={_free_port()}"]
    else:
        options += ["flow_detail=0"]
    settings = [part for option in options for part in ("--set", option)]
    tool = "mitmweb" if web else "mitmdump"
    return ["-c", _TAP.format(tool), "-s", str(resources.folder("addons") / f"{addon}.py"), *settings]


def listen(tap: Child, options: dict[str, Any]) -> tuple[str, int]:
    """Set these options, the mode among them; where the tap listens then. ChildError."""
    host, port = tap.ask({"listen": options})["addresses"][0]
    return str(host), int(port)


def forward(port: int) -> str:
    """The mode of a tap that reads HTTP and passes it on to this port."""
    return f"reverse:http://{LOOPBACK}:{port}@{LOOPBACK}:0"


def relay(port: int, at: int = 0) -> str:
    """The mode of a tap that relays bytes to this port."""
    return f"reverse:tcp://{LOOPBACK}:{port}@{LOOPBACK}:{at}"


def _free_port() -> int:
    """A port that nobody listens on. mitmweb cannot tell which one the system gave it, so it is chosen before."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])


def _opened(recording: Path, size: int | None) -> list[Item]:
    """What an attacker has opened, and where it failed. Where its record ends says nothing about that of a tap."""
    lines = recording.read_bytes()[:size].decode().splitlines() if recording.exists() else []
    items = [decode(line) for line in lines]
    return [
        one for one in items if isinstance(one, Observation) or (isinstance(one, Note) and one.event is Event.FAILED)
    ]


def _at_rest(directory: Path) -> list[Item]:
    """Copies of what the operator has on disk, taken while the service is still up (closing empties the log)."""
    taken: list[Item] = []
    for name, place in AT_REST:
        file = directory / name
        if file.exists():
            taken.append(Observation(Observer.DATABASE, place, "", Direction.AT_REST, time.time(), file.read_bytes()))
    return taken
