"""A peer that answers as it is told and remembers what it saw, a real service, and people who use it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lab.messenger.content import Content, File, dump
from lab.messenger.participant import Participant, Person
from lab.messenger.wire import Route, Wire
from lab.model import Deed, Encryption, Statement
from lab.service.config import Config
from lab.service.server import RunningService
from lab.stage.certificates import Authority, make_authority

GUARD = 120.0
"""Seconds a test waits for what does not come; nothing waits that long when all is well."""

PASSWORD = "correct horse battery staple"
MAP = Content("Follow the map — Grüße", File("map.png", bytes(range(256)) * 8))

NUMBERS = count(1)
"""So that no two tests use the same account name: they share a service."""

HOST = "chat.example"
"""Where the service is said to be. No such machine is ever looked up."""


class Connection:
    """What a peer saw on one connection."""

    def __init__(self, client: tuple[str, int]) -> None:
        self.client = client
        self.received = b""
        """Application data, in full."""
        self.refusal = ""
        """Why there was no handshake."""
        self.tls = False
        self.ended = False
        """The other side closed it."""


class Peer:
    """A server on a port of its own, in threads of this process. `answers` are given in turn to the requests.

    After an answer that says `Connection: close`, and instead of an empty one, the connection is closed. With `either`
    it takes connections without TLS too.
    """

    def __init__(self, *answers: bytes, tls: ssl.SSLContext | None = None, either: bool = False) -> None:
        self.connections: list[Connection] = []
        self.requests: list[bytes] = []
        self._answers = deque(answers)
        self._tls = tls
        self._either = either
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._closing = False
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def add(self, *answers: bytes) -> None:
        """Have more answers ready."""
        self._answers.extend(answers)

    def wait(self) -> None:
        """Wait until all connections have ended."""
        for thread in self._threads[1:]:
            thread.join(GUARD)
            assert not thread.is_alive(), "a connection was left open"

    def close(self) -> None:
        """Stop, whatever is open. Closing it again does nothing."""
        if self._closing:
            return
        self._closing = True
        socket.create_connection(self.address, GUARD).close()  # so that the listener wakes up
        self._threads[0].join()
        self._listener.close()
        for connection in self._sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            accepted, client = self._listener.accept()
            if self._closing:
                accepted.close()
                return
            seen = Connection(client)
            self.connections.append(seen)
            self._sockets.append(accepted)
            thread = threading.Thread(target=self._serve, args=(accepted, seen), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, accepted: socket.socket, seen: Connection) -> None:
        with ExitStack() as stack:
            stack.enter_context(accepted)
            connection = accepted
            if self._tls is not None and not (self._either and accepted.recv(1, socket.MSG_PEEK) != b"\x16"):
                seen.tls = True
                try:
                    connection = stack.enter_context(self._tls.wrap_socket(accepted, server_side=True))
                except OSError as error:
                    seen.refusal = str(error)
                    return
            with suppress(OSError):
                while self._answer(connection, seen):
                    pass

    def _answer(self, connection: socket.socket, seen: Connection) -> bool:
        request = b""
        while not _whole(request):
            piece = connection.recv(65536)
            if not piece:
                seen.ended = True
                return False
            request += piece
            seen.received += piece
        self.requests.append(request)
        answer = self._answers.popleft()
        connection.sendall(answer)
        return bool(answer) and b"Connection: close" not in answer


def _whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return bool(end) and len(body) >= sum(lengths)


def answer(body: object = None, status: str = "200 OK", *headers: str) -> bytes:
    """An answer with a JSON body, or none."""
    content = body if isinstance(body, bytes) else b"" if body is None else dump(body)  # type: ignore[arg-type]
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + content


def stream(*lines: str, ends: bool = True) -> bytes:
    """An answer that is an event stream; unless it `ends`, it stays open."""
    head = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", *(["Connection: close"] if ends else [])]
    return "\r\n".join([*head, "", ""]).encode() + "".join(f"{line}\n" for line in lines).encode()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    """Starts peers and closes them after the test."""
    with ExitStack() as stack:

        def start(*answers: bytes, tls: ssl.SSLContext | None = None, either: bool = False) -> Peer:
            started = Peer(*answers, tls=tls, either=either)
            stack.callback(started.close)
            return started

        yield start


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The authority that participants are told to trust."""
    return make_authority("Authority of the tests")


@pytest.fixture(scope="session")
def authority_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    path.write_bytes(authority.pem)
    return path


@pytest.fixture
def wire(authority_file: Path) -> Iterator[Callable[..., Wire]]:
    """Makes wires to an address and closes them after the test, before the peers."""
    with ExitStack() as stack:

        def make(
            address: tuple[str, int],
            url: str = f"http://{HOST}",
            trusting: Path = authority_file,
            connected: Callable[[tuple[str, int]], Any] = lambda _: None,
            key_log: Path | None = None,
            **careful: Any,
        ) -> Wire:
            made = Wire(Route(url, address, trusting, **careful), connected, key_log)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture(scope="module")
def service_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service") / "service.db"


@pytest.fixture(scope="module")
def service(service_database: Path) -> Iterator[RunningService]:
    """A real service, shared by the tests of a module: each uses account names of its own."""
    # Without signs of life, so that whoever waits for what does not come is told so after a while.
    config = Config(service_database, service_database.with_name("service.log"), heartbeat=3600)
    with pytest.MonkeyPatch.context() as patch, RunningService(config) as running:
        # What passwords cost is tested with the service; here people log in all the time.
        patch.setattr("lab.service.passwords._MEMORY", 64)
        yield running


@pytest.fixture
def service_route(service: RunningService, authority_file: Path) -> Route:
    return Route(f"http://{HOST}", ("127.0.0.1", service.port), authority_file)


@dataclass
class Someone:
    """A participant, its device, and what it has told so far."""

    device: Path
    route: Route
    encryption: Encryption | None
    padded: bool = False
    number: int = 1
    account: str = ""
    transparency: bool = False
    fall_back: Callable[[str], bool] = lambda _: False
    clock: Callable[[], float] | None = None
    reporting: Mapping[str, bool] = field(default_factory=dict)
    """How the app commits and reports, as in Participant."""
    opt_in: bool = False
    statements: list[Statement] = field(default_factory=list)

    def __post_init__(self) -> None:
        who = self.device.stem
        self.account = self.account or f"{who.lower()}-{next(NUMBERS)}"
        self.self = Participant(
            Person(who, self.account, PASSWORD),
            self.route,
            self.device,
            self.statements.append,
            encryption=self.encryption,
            padded=self.padded,
            transparency=self.transparency,
            number=self.number,
            fall_back=self.fall_back,
            keeps=self.clock is not None,
            clock=self.clock or time.time,
            **self.reporting,
            opt_in=self.opt_in,
        )

    def told(self, deed: Deed) -> list[Statement]:
        return [statement for statement in self.statements if statement.deed is deed]

    def join(self) -> Participant:
        self.self.join()
        self.self.listen()
        return self.self

    @contextmanager
    def raw(self) -> Iterator[Wire]:
        """The account without the app: every request of its own making, as its owner or the service could make it."""
        wire = Wire(self.route, lambda _: None)
        try:
            wire.login(wire.call("POST", "/v1/login", {"name": self.account, "password": PASSWORD})["token"])
            yield wire
        finally:
            wire.close()


type Make = Callable[..., Someone]
type Enrol = Callable[..., list[Someone]]
type Peers = Callable[..., Peer]


@pytest.fixture
def make(tmp_path: Path, service_route: Route) -> Iterator[Make]:
    """Makes people, who leave after the test."""
    with ExitStack() as stack:

        def make(
            who: str,
            encryption: Encryption | None = Encryption.PQXDH,
            *,
            route: Route = service_route,
            padded: bool = False,
            like: Someone | None = None,
            number: int = 1,
            transparency: bool = False,
            fall_back: Callable[[str], bool] = lambda _: False,
            clock: Callable[[], float] | None = None,
            opt_in: bool = False,
            **reporting: bool,
        ) -> Someone:
            """Somebody new, or a further device of the account of `like`. With a `clock`, the app keeps messages."""
            account = like.account if like else ""
            device = tmp_path / f"{who}.db"
            made = Someone(
                device, route, encryption, padded, number, account, transparency, fall_back, clock, reporting, opt_in
            )
            stack.enter_context(made.self)
            return made

        yield make


@pytest.fixture
def enrol(make: Make) -> Enrol:
    """Lets people join the service and listen."""

    def enrol(
        *names: str,
        encryption: Encryption | None = Encryption.PQXDH,
        padded: bool = False,
        transparency: bool = False,
        **reporting: bool,
    ) -> list[Someone]:
        people = [make(name, encryption, padded=padded, transparency=transparency, **reporting) for name in names]
        for person in people:
            person.join()
        return people

    return enrol


def last_message(reader: Wire, conversation: str, device: int | None = 1) -> dict[str, Any]:
    """The last message of a conversation as a device of the account of `reader` gets it, or one that has no number."""
    path = f"/v1/conversations/{conversation}/messages"
    messages = reader.call("GET", path if device is None else f"{path}?device={device}")["messages"]
    found: dict[str, Any] = messages[-1]
    return found
