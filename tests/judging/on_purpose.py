"""A session of the tour in E2EE mode that goes on after the story, so that its body can be leaked on purpose.

Everything is real: the participants, the service in its own process, the taps, the files of the operator. Whatever a
leak adds to what the observers got until then is a recording of its own.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from lab import capture
from lab.capture import Writer
from lab.messenger.content import Content
from lab.messenger.participant import Participant
from lab.messenger.wire import Route, Wire
from lab.model import Capture, Direction, Mode, Observation, Observer, SecretName, Statement, Story, TlsKeys
from lab.scenario.casting import Cast, plant, tagged
from lab.scenario.company import Company
from lab.stage.stage import AT_REST, Stage, Venue

from .leaky_service import ORDER
from .recordings import TOUR

GUARD = 120.0
"""Seconds that a leak may take; none takes that long when all is well."""

TEXT = "Meet me at 5pm"

LOG = "service.log"

_READ = 1 << 16


@dataclass(frozen=True)
class Leak:
    """A way in which the body gets out: `do` makes it, and each observer in `seen` can read it at that place.

    `partial`: a piece of it. `stored`: it changes the database, which keeps it, so the body is that of a message of its
    own, and nothing that leaked before can be what is found.
    """

    name: str
    do: Callable[[Scene, bytes], object]
    seen: Mapping[Observer, str]
    partial: bool = False
    stored: bool = False

    def __str__(self) -> str:
        return self.name


class Scene:
    """Alice and Bob in a conversation; Alice's client can be made to send what it should not."""

    def __init__(self, venue: Venue, alice: Participant, bob: Participant, wire: Wire) -> None:
        self.alice = alice
        self.bob = bob
        self.wire = wire
        self._venue = venue
        self.conversation = alice.start_conversation([bob.person.account])

    @property
    def host(self) -> str:
        return self._venue.host

    @property
    def token(self) -> str:
        """What shows the service that a request is Alice's."""
        return str(self.wire._session.headers["Authorization"])

    # What the clients do

    def tell(self, content: Content) -> None:
        """As the story has it: sealed by Alice, read by Bob."""
        self.alice.send(self.conversation, [self.bob.person.account], content)
        assert self.bob.receive() == content

    def ask(self, method: str = "GET", path: str = "/v1/conversations", **more: Any) -> requests.Response:
        """A request from Alice's client, whatever the service says to it."""
        url = self._venue.url + path
        return self.wire._session.request(method, url, timeout=GUARD, allow_redirects=False, **more)

    def raw(self, *pieces: bytes, name: str | None = None, protocols: Sequence[str] = (), secured: bool = True) -> None:
        """A request that no library would send, in so many writes, up to the end of its answer.

        `name` stands in SNI in place of the service's own, `protocols` in ALPN; not `secured`: without TLS.
        """
        with self._connected(name, protocols, secured=secured) as connection:
            for piece in pieces:
                connection.sendall(piece)
            while connection.recv(_READ):
                pass

    def http2(self, body: bytes, *, authority: str | None = None, trailers: Mapping[str, str] | None = None) -> None:
        """A request in HTTP/2, up to the end of its answer."""
        client = H2Connection(H2Configuration(client_side=True))
        client.initiate_connection()
        names = {":method": "POST", ":path": "/v1/report", ":scheme": "https", ":authority": authority or self.host}
        client.send_headers(1, [*names.items()])
        client.send_data(1, body, end_stream=not trailers)
        if trailers:
            client.send_headers(1, [*trailers.items()], end_stream=True)
        with self._connected(None, ["h2"], secured=True) as connection:
            ended = False
            while not ended:
                connection.sendall(client.data_to_send())
                received = client.receive_data(connection.recv(_READ))
                ended = any(isinstance(event, StreamEnded) for event in received)

    @contextmanager
    def _connected(self, name: str | None, protocols: Sequence[str], *, secured: bool) -> Iterator[socket.socket]:
        context = ssl.create_default_context(cafile=str(self._venue.authority))
        context.check_hostname = name is None
        if protocols:
            context.set_alpn_protocols([*protocols])
        with socket.create_connection(self._venue.address, GUARD) as connection:
            if not secured:
                yield connection
                return
            with context.wrap_socket(connection, server_hostname=name or self.host) as wrapped:
                yield wrapped

    def head(self, line: str = "GET /v1/conversations HTTP/1.1", *fields: str) -> bytes:
        """The head of a request for `raw`, after which the connection is closed."""
        lines = [line, f"Host: {self.host}", f"Authorization: {self.token}", "Connection: close", *fields, "", ""]
        return "\r\n".join(lines).encode()

    # What the operator does

    @contextmanager
    def order(self, **what: object) -> Iterator[None]:
        """Meanwhile, have the service leak something (see leaky_service)."""
        file = self._venue.behind.directory / ORDER
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps(what), "utf-8")
        draft.rename(file)
        try:
            yield
        finally:
            file.unlink()

    def log(self, line: bytes) -> None:
        with (self._venue.behind.directory / LOG).open("ab") as log:
            log.write(line + b"\n")

    def write(self, *statements: str, values: Sequence[object] = ()) -> None:
        """Run `statements` in the service's database, each with the values that it has places for."""
        file = self._venue.behind.directory / "database.sqlite"
        with closing(sqlite3.connect(file, timeout=GUARD)) as database, database:
            for statement in statements:
                database.execute(statement, tuple(values[: statement.count("?")]))


@dataclass(frozen=True)
class Held:
    """What was recorded of a session that leaks."""

    twin: Capture
    """Before anything leaked."""
    leaked: Mapping[str, Capture]
    """What each leak has added, by its name."""


def hold(stage: Stage, folder: Path, leaks: Sequence[Leak]) -> Held:
    """Hold the session on `stage`; its recordings are written into `folder`."""
    (scenario,) = (one for one in TOUR.scenarios if one.mode is Mode.E2EE)
    cast = Cast(scenario)
    (body,) = cast.secrets(SecretName.BODY)
    story = Story(TOUR.name, scenario.title, scenario.mode, scenario.observers, time.time())
    told: list[Statement] = []
    leaked: dict[str, Capture] = {}

    def tell(what: Statement | TlsKeys) -> None:
        if isinstance(what, Statement):
            told.append(what)

    with Writer(folder / "rest", story) as writer, stage.session(scenario.mode, cast.host, writer) as venue:

        def snapshot(name: str) -> list[str]:
            with Writer(folder / name, story) as taken:
                stage.snapshot(venue, taken)
            return taken.path.read_text("utf-8").split("\n")[1:-2]  # without head and end

        route = Route(venue.url, venue.address, venue.authority)
        with Company(venue, tell) as company, closing(Wire(route, _unnoticed)) as wire:
            alice, bob = company.join(cast.people.values())
            bob.listen()
            person = alice.person
            wire.login(wire.call("POST", "/v1/login", {"name": person.account, "password": person.password})["token"])
            scene = Scene(venue, alice, bob, wire)
            for message in cast.messages.values():
                scene.tell(message.content)
            before = snapshot("twin")
            twin = replace(capture.read(folder / "twin"), secrets=(body,), statements=tuple(told))
            for number, leak in enumerate(leaks):
                secret = body
                if leak.stored:
                    text, (secret,) = plant([SecretName.BODY], lambda: tagged(TEXT))
                    scene.write("PRAGMA wal_checkpoint(TRUNCATE)")
                    scene.tell(Content(text))
                    before = snapshot(f"before-{number}")
                leak.do(scene, secret.value)
                after = snapshot(f"after-{number}")
                added = tuple(_added(before, after))
                leaked[leak.name] = Capture(story, (secret,), statements=tuple(told), observations=added)
                before = after
    return Held(twin, leaked)


def _unnoticed(_: tuple[str, int]) -> None:
    """The connections of the leaking client stand in no transcript."""


def _added(before: Sequence[str], after: Sequence[str]) -> Iterator[Observation]:
    """What the observers have got between two snapshots.

    The taps add lines to their recordings. Of the log only its new lines count, and the database if it has changed.
    """
    old, new = _observations(before, but=set(after)), _observations(after, but=set(before))
    yield from (one for one in new if one.direction is not Direction.AT_REST)
    was, now = ({one.place: one for one in some if one.direction is Direction.AT_REST} for some in (old, new))
    if lines := now[LOG].data[len(was[LOG].data) :]:
        yield replace(now[LOG], data=lines)
    files = [place for _, place in AT_REST if place != LOG]
    if any(was[place].data != now[place].data for place in files):
        yield from (now[place] for place in files)


def _observations(lines: Sequence[str], *, but: Collection[str]) -> list[Observation]:
    items = [capture.decode(line) for line in lines if line not in but]
    return [item for item in items if isinstance(item, Observation)]
