"""Taps before any service, for one observation after the other.

    client ═══▶ network tap (relays bytes) ═══▶ server tap (ends TLS, reads HTTP) ═══▶ the service under test

A pair of taps is started once and pointed elsewhere in milliseconds. Observations at the same time each have a pair.
For TCP that is not HTTP, and where nobody is to end TLS, the network tap stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from lab.audit.target import Target
from lab.capture import Writer
from lab.model import LabError, Missing, Observer
from lab.stage.certificates import write_private
from lab.stage.process import ANSWER_SECONDS, Child, ChildError
from lab.stage.stage import LOOPBACK, Ground, listen, relay
from lab.stage.starting import Starter, open_starter
from lab.stage.workspace import open_workspace

QUIET_SECONDS = 0.02
"""Connections that stay open do not matter once nothing has passed for so long."""

SETTLE_SECONDS = 10.0
"""For how long a record may grow after the block has ended."""


@dataclass(frozen=True, slots=True)
class Route:
    """What stands before the service: `target` None is a proxy to anywhere. `ends_tls`: the server tap shows the lab's
    certificate. `read`: there is a server tap. `service_authority` is whom it trusts, where the service has TLS itself.
    """

    target: Target | None
    ends_tls: bool
    read: bool
    service_authority: Path | None = None
    tunnel: bool = False
    """Everything that a device sends comes here, by a tunnel."""

    @property
    def observers(self) -> tuple[Observer, ...]:
        return (Observer.NETWORK, Observer.SERVER) if self.read else (Observer.NETWORK,)


class Post(Protocol):
    """What observes, for one observation after the other."""

    def open(self, route: Route) -> tuple[str, int]: ...
    def close(self, route: Route, writer: Writer) -> None: ...
    def so_far(self, route: Route) -> dict[Observer, bytes]: ...
    def end(self) -> None: ...


class Posts[P: Post](Protocol):
    """Lends them."""

    @property
    def authority(self) -> Path: ...
    def lend(self) -> P: ...
    def give_back(self, pair: P, /) -> None: ...


class Pair:
    """A network tap and a server tap."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._network = ground.start_tap("network tap", "network_observer")
        self._server = ground.start_tap("server tap", "server_observer", authority=ground.authority)
        self._folder = ground.directory

    @property
    def alive(self) -> bool:
        return self._network.alive and self._server.alive

    def open(self, route: Route) -> tuple[str, int]:
        """Stand before a service, and record; where clients connect to. ChildError."""
        for tap in (self._network, self._server):
            tap.ready()
            self._ground.watch(tap.pid)
        self._folder = self._ground.folder("observation")
        entrance = (route.target.host, route.target.port) if route.target else (LOOPBACK, 0)
        if route.read:
            self._server.ask({"begin": str(self._recording(Observer.SERVER))})
            entrance = listen(self._server, self._server_options(route))
        self._network.ask({"begin": str(self._recording(Observer.NETWORK))})
        if entrance[0] == LOOPBACK:
            return listen(self._network, {"mode": [relay(entrance[1])]})
        host = f"[{entrance[0]}]" if ":" in entrance[0] else entrance[0]
        return listen(self._network, {"mode": [f"reverse:tcp://{host}:{entrance[1]}@{LOOPBACK}:0"]})

    def close(self, route: Route, writer: Writer) -> None:
        """End the observation, and write what was recorded. What could not be had is written as `Missing`."""
        taps = {Observer.NETWORK: self._network, Observer.SERVER: self._server}
        for observer in route.observers:
            close_recording(taps[observer], self._recording(observer), [observer], writer)
        self.cut()

    def cut(self) -> None:
        """End all connections, so that none of them reaches into the next observation."""
        for tap in (self._network, self._server):
            with suppress(ChildError):  # whoever uses it next will be told
                tap.ask({"cut": {}})

    def so_far(self, route: Route) -> dict[Observer, bytes]:
        """What has been recorded until now, as capture lines. ChildError."""
        taps = {Observer.NETWORK: self._network, Observer.SERVER: self._server}
        found: dict[Observer, bytes] = {}
        for observer in route.observers:
            size = taps[observer].ask({"checkpoint": {}})["bytes"]
            found[observer] = self._recording(observer).read_bytes()[:size]
        return found

    def end(self) -> None:
        """End both processes."""
        for tap in (self._network, self._server):
            tap.close()

    def _recording(self, observer: Observer) -> Path:
        return self._folder / f"{observer}.jsonl"

    def _server_options(self, route: Route) -> dict[str, Any]:
        target = route.target
        trusted = str(route.service_authority) if route.service_authority else None
        options: dict[str, Any] = {
            "mode": [f"reverse:{target.upstream}@{LOOPBACK}:0" if target else f"regular@{LOOPBACK}:0"],
            "certs": [],
            "modify_headers": [],
            # The service is told the address that its client used, so that redirects lead back here; one that is
            # elsewhere may serve several names, and must be called by its own.
            "keep_host_header": target is not None and target.local,
            # Nobody has a certificate for a service under test on this machine that others would trust.
            "ssl_insecure": trusted is None and target is not None and target.local,
            "ssl_verify_upstream_trusted_ca": trusted,
        }
        if target is not None and route.ends_tls:
            names = dict.fromkeys((LOOPBACK, "localhost", "::1", target.host))
            pem = self._ground.authority.issue(*names)
            options["certs"] = [f"*={write_private(self._folder / 'server-tap.pem', pem)}"]
            if not target.tls:
                options["modify_headers"] = ["|~q|X-Forwarded-Proto|https"]
        return options


class Taps:
    """Pairs of taps: lent, given back, and as many as are needed at the same time."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._turn = Lock()
        self._all = [Pair(ground)]
        self._free = list(self._all)

    @property
    def authority(self) -> Path:
        """The file with the certificate of the lab's authority."""
        return self._ground.authority_file

    def lend(self) -> Pair:
        with self._turn:
            while self._free:
                pair = self._free.pop()
                if pair.alive:
                    return pair
            self._all.append(Pair(self._ground))
            return self._all[-1]

    def give_back(self, pair: Pair) -> None:
        with self._turn:
            self._free.append(pair)


def close_recording(tap: Child, recording: Path, observers: Sequence[Observer], writer: Writer) -> None:
    """Have a tap close its record of what these got, and write it; `Missing` says what could not be had."""
    try:
        # Nobody is to come in any more; what is under way goes on until the record is closed.
        tap.ask({"listen": {"mode": []}})
        tap.ask({"settle": {"quiet": QUIET_SECONDS, "seconds": SETTLE_SECONDS}}, SETTLE_SECONDS + ANSWER_SECONDS)
    except ChildError as error:
        writer.add(*(Missing(str(error), observer) for observer in observers))
    if recording.exists():
        writer.copy_lines(recording)


@contextmanager
def open_ground(starter: Starter | None = None) -> Iterator[Ground]:
    """What taps stand on, in a temporary folder; on leaving, their processes end and their files are gone."""
    with ExitStack() as stack:
        try:
            workspace = stack.enter_context(open_workspace())
        except OSError as error:
            raise LabError(f"no temporary folder can be made: {error.strerror or error}") from None
        starter = starter or open_starter()
        stack.callback(starter.close)
        ground = Ground(workspace, starter)
        stack.callback(ground.end)
        ground.prepare_for_taps()
        yield ground


@contextmanager
def open_taps(starter: Starter | None = None) -> Iterator[Taps]:
    """Taps in a temporary folder of their own; on leaving, their processes end and their files are gone."""
    with open_ground(starter) as ground:
        yield Taps(ground)
