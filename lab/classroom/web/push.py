"""Tells every open page what has changed (server-sent events), and serves the Flask app beside that.

An open connection keeps the newest document only, as the same bytes for all: what a slow reader has not fetched yet is
replaced, not queued. Tornado holds the connections in one thread; documents are made in another, and the Flask app runs
in some more, so that neither waits for a connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.routing import Router
from tornado.wsgi import WSGIContainer

from lab.addresses import is_loopback
from lab.classroom import guard
from lab.classroom.classroom import Classroom, Face, RefusedError
from lab.classroom.model import Learner

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_EVENTS = "/events"
_HEARTBEAT = 15.0
_GONE = 30.0
"""Seconds after which a reader who takes nothing has lost the network; the browser connects again when it is back."""
_BETWEEN = {Face.LEARNER: 0.05, Face.STAGE: 0.1, Face.TEACHER: 0.2}
"""Seconds between two documents for a face: votes of a whole class come in together."""
KEPT = 64
"""Connections that are kept for this machine."""
_MOST_TABS = 8
"""Open connections of one learner; the oldest makes room."""
_THREADS = 8
_READ_ANYWAY = 1024 * 1024
"""Bytes of a body that are read though they are too many: who is still sending does not hear an answer."""


@dataclass(eq=False, slots=True)
class Listener:
    """One open connection. All of it happens in the thread of the connections."""

    connection: HTTP1Connection
    learner: int | None
    now: Callable[[], float]
    waiting: dict[str, bytes] = field(default_factory=dict)
    """The newest of each event that was not written yet."""
    writing_since: float | None = None

    def offer(self, event: str, frame: bytes) -> None:
        self.waiting[event] = frame
        if self.writing_since is None:
            self._write()

    def beat(self) -> None:
        if self.writing_since is None:
            self.offer("", b":\n\n")
        elif self.now() - self.writing_since > _GONE:
            self.close()

    def close(self) -> None:
        # The connection's own close() would forget whom to tell.
        self.connection.stream.close()

    def _write(self) -> None:
        frames = b"".join(self.waiting.values())
        self.waiting.clear()
        self.writing_since = self.now()
        self.connection.write(frames).add_done_callback(self._written)

    def _written(self, done: asyncio.Future[None]) -> None:
        if done.cancelled() or done.exception() is not None:
            return  # it was closed, and the connection says so itself
        self.writing_since = None
        if self.waiting:
            self._write()


@dataclass(slots=True)
class _Audience:
    """Everybody who looks at one face."""

    listeners: dict[Listener, None] = field(default_factory=dict)
    frame: bytes | None = None
    """The document as it is now; None: it is another one by now."""
    busy: bool = False
    again: bool = False


class Push:
    """The hub: told by the class what has changed, it tells everybody who looks at it.

    The class makes its documents in a thread of the hub's own, after `open` and before `close`.
    """

    def __init__(self, room: Classroom) -> None:
        self._room = room
        self._loop: asyncio.AbstractEventLoop | None = None
        self._maker = ThreadPoolExecutor(1, "classroom-documents")
        self._audiences = {face: _Audience() for face in Face}
        self._by_learner: dict[int, list[Listener]] = {}
        self._present: frozenset[int] = frozenset()
        self._stale: set[Face] = set()
        self._lock = threading.Lock()

    # What the class tells, from any thread

    def changed(self, face: Face) -> None:
        """The document of `face` is another one now."""
        with self._lock:
            if self._loop is None or face in self._stale:
                return
            self._stale.add(face)
            self._loop.call_soon_threadsafe(self._wake, face)

    def tell(self, learner: int, event: str, data: Mapping[str, Any]) -> None:
        """Tell one learner something; of two of the same event, the newer one is enough."""
        frame = _frame(event, data)
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._tell, learner, event, frame)

    def connected(self) -> frozenset[int]:
        """The learners who have a page open."""
        return self._present

    # In the thread of the connections

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._loop = loop
        self._beat_later(loop)

    def close(self) -> None:
        with self._lock:
            self._loop = None
        for audience in self._audiences.values():
            for listener in list(audience.listeners):
                listener.close()
        self._maker.shutdown(wait=False, cancel_futures=True)

    def join(self, connection: HTTP1Connection, face: Face, learner: Learner | None) -> None:
        """From now on this connection is told what happens at `face`, and at once what is the case."""
        if (loop := self._loop) is None:
            connection.close()
            return
        listener = Listener(connection, None if learner is None else learner.id, loop.time)
        audience = self._audiences[face]
        audience.listeners[listener] = None
        connection.set_close_callback(lambda: self._left(face, listener))
        if learner is not None:
            self._arrived(learner, listener)
        if audience.frame is None:
            self._wake(face)
        else:
            listener.offer("state", audience.frame)

    def _arrived(self, learner: Learner, listener: Listener) -> None:
        tabs = self._by_learner.setdefault(learner.id, [])
        tabs.append(listener)
        if len(tabs) > _MOST_TABS:
            tabs[0].close()
        self._count()
        if self._loop is not None:
            made = self._loop.run_in_executor(self._maker, self._make_own, learner)
            made.add_done_callback(lambda made: _offer_made(made, "own", [listener]))

    def _make_own(self, learner: Learner) -> bytes | None:
        with suppress(RefusedError):  # removed in between, of which the class tells
            return _frame("own", self._room.me(learner)["own"])
        return None

    def _left(self, face: Face, listener: Listener) -> None:
        self._audiences[face].listeners.pop(listener, None)
        if listener.learner is not None and listener in (tabs := self._by_learner.get(listener.learner, [])):
            tabs.remove(listener)
            if not tabs:
                del self._by_learner[listener.learner]
            self._count()

    def _count(self) -> None:
        present = frozenset(self._by_learner)
        if present != self._present:
            self._present = present
            self.changed(Face.TEACHER)
            self.changed(Face.STAGE)

    def _tell(self, learner: int, event: str, frame: bytes) -> None:
        for listener in self._by_learner.get(learner, ()):
            listener.offer(event, frame)

    def _wake(self, face: Face) -> None:
        audience = self._audiences[face]
        audience.frame = None
        with self._lock:
            self._stale.discard(face)
        if audience.busy:
            audience.again = True
        elif audience.listeners:
            self._make(face, audience)

    def _make(self, face: Face, audience: _Audience) -> None:
        if (loop := self._loop) is None:
            return
        audience.busy, audience.again = True, False
        made = loop.run_in_executor(self._maker, lambda: _lines("state", self._room.encoded(face)))

        def offer(made: asyncio.Future[bytes]) -> None:
            loop.call_later(_BETWEEN[face], rested)  # also after an error
            frame = _offer_made(made, "state", audience.listeners)
            if not audience.again:
                audience.frame = frame

        def rested() -> None:
            audience.busy = False
            if audience.again and audience.listeners:
                self._make(face, audience)

        made.add_done_callback(offer)

    def _beat_later(self, loop: asyncio.AbstractEventLoop) -> None:
        def beat() -> None:
            for audience in self._audiences.values():
                for listener in list(audience.listeners):
                    listener.beat()
            if self._loop is not None:
                loop.call_later(_HEARTBEAT, beat)

        loop.call_later(_HEARTBEAT, beat)


def _offer_made[Frame: (bytes, bytes | None)](
    made: asyncio.Future[Frame], event: str, listeners: Iterable[Listener]
) -> bytes | None:
    """What was made in another thread goes to these. An error there is reported by the loop, and nobody is told."""
    if made.cancelled():
        return None
    frame = made.result()
    if frame is not None:
        for listener in list(listeners):
            listener.offer(event, frame)
    return frame


def _frame(event: str, data: Mapping[str, Any]) -> bytes:
    return _lines(event, json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())


def _lines(event: str, data: bytes) -> bytes:
    """One event. JSON escapes line ends, so that the data is one line."""
    return b"event: %s\ndata: %s\n\n" % (event.encode(), data)


# Requests


@dataclass(frozen=True, slots=True)
class Site:
    """What is served, of which class, and under which names (of Host headers)."""

    app: WSGIApplication
    push: Push
    hosts: frozenset[str]
    limits: guard.Limits
    room: Classroom
    say: Callable[[str], str]
    """The sentence for an error, by its key."""


class _Requests(Router):
    """Looks at the head of each request and finds who answers it."""

    def __init__(self, site: Site, executor: ThreadPoolExecutor) -> None:
        self._site = site
        self._flask = WSGIContainer(site.app, executor)
        self._executor = executor

    def find_handler(self, request: httputil.HTTPServerRequest, **_: Any) -> httputil.HTTPMessageDelegate:
        site = self._site

        def refuse(status: HTTPStatus, key: str) -> httputil.HTTPMessageDelegate:
            return _Collected(request, lambda one: _refuse(one, status, site.say(f"errors.{key}")), self._too_long)

        # The app behind takes the host apart and relies on finding what it expects.
        if request.host not in site.hosts:
            return refuse(HTTPStatus.MISDIRECTED_REQUEST, "wrong_address")
        if not is_loopback(request.remote_ip) and site.limits.requests.take(request.remote_ip):
            return refuse(HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests")
        answer = self._events if request.path == _EVENTS and request.method == "GET" else self._flask
        return _Collected(request, answer, self._too_long)

    def _too_long(self, request: httputil.HTTPServerRequest) -> None:
        _refuse(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._site.say("errors.too_long"))

    def _events(self, request: httputil.HTTPServerRequest) -> None:
        site, headers = self._site, request.headers
        if guard.is_foreign_read(headers.get("Sec-Fetch-Site"), headers.get("Sec-Fetch-Mode"), page=False):
            _refuse(request, HTTPStatus.FORBIDDEN, site.say("errors.other_site"))
            return
        try:
            face = Face(request.query_arguments.get("face", [b""])[0].decode(errors="replace"))
        except ValueError:
            _refuse(request, HTTPStatus.NOT_FOUND, site.say("errors.no_such_page"))
            return
        if face is not Face.LEARNER:
            if not is_loopback(request.remote_ip):
                _refuse(request, HTTPStatus.FORBIDDEN, site.say("errors.only_here"))
            elif not guard.same(_cookie(request, guard.teacher_cookie(site.room.id)), site.room.key):
                _refuse(request, HTTPStatus.FORBIDDEN, site.say("errors.no_key"))
            else:
                _begin(request, site, face, None)
            return
        loop = asyncio.get_running_loop()
        found = loop.run_in_executor(
            self._executor, site.room.learner, _cookie(request, guard.learner_cookie(site.room.id))
        )

        def greet(found: asyncio.Future[Learner | None]) -> None:
            if found.cancelled():
                return
            if (learner := found.result()) is None:
                _refuse(request, HTTPStatus.UNAUTHORIZED, site.say("errors.not_joined"))
            else:
                _begin(request, site, face, learner)

        found.add_done_callback(greet)


class _Collected(httputil.HTTPMessageDelegate):
    """Has a request answered once its body is there; a body that is too long is thrown away while it comes."""

    def __init__(
        self,
        request: httputil.HTTPServerRequest,
        answer: Callable[[httputil.HTTPServerRequest], None],
        too_long: Callable[[httputil.HTTPServerRequest], None],
    ) -> None:
        self._request = request
        self._answer = answer
        self._too_long = too_long
        self._body = bytearray()
        self._bytes = 0

    def headers_received(
        self, start_line: httputil.RequestStartLine | httputil.ResponseStartLine, headers: httputil.HTTPHeaders
    ) -> None:
        announced = headers.get("Content-Length", "")
        if announced.isascii() and announced.isdigit() and (len(announced) > 9 or int(announced) > _READ_ANYWAY):
            self._too_long(self._request)

    def data_received(self, chunk: bytes) -> None:
        self._bytes += len(chunk)
        if self._bytes <= guard.MOST_BYTES:
            self._body += chunk
        elif self._bytes > _READ_ANYWAY:
            self._too_long(self._request)

    def finish(self) -> None:
        if self._bytes > guard.MOST_BYTES:
            self._too_long(self._request)
        else:
            self._request.body = bytes(self._body)
            self._answer(self._request)


def _cookie(request: httputil.HTTPServerRequest, name: str) -> str:
    morsel = request.cookies.get(name)
    return "" if morsel is None else morsel.value


def _connection(request: httputil.HTTPServerRequest) -> HTTP1Connection:
    if not isinstance(request.connection, HTTP1Connection):
        raise TypeError("only HTTP/1 is served here")
    return request.connection


def _refuse(request: httputil.HTTPServerRequest, status: HTTPStatus, sentence: str) -> None:
    body = json.dumps({"error": sentence}, ensure_ascii=False).encode()
    headers = httputil.HTTPHeaders(dict(guard.HEADERS))
    headers["Content-Type"] = "application/json"
    headers["Content-Length"] = str(len(body))
    connection = _connection(request)
    start = httputil.ResponseStartLine("HTTP/1.1", status.value, status.phrase)
    connection.write_headers(start, headers, b"" if request.method == "HEAD" else body)
    connection.finish()


def _begin(request: httputil.HTTPServerRequest, site: Site, face: Face, learner: Learner | None) -> None:
    connection = _connection(request)
    if connection.stream.closed():
        return
    headers = httputil.HTTPHeaders(dict(guard.HEADERS))
    headers["Content-Type"] = "text/event-stream; charset=utf-8"
    # A waiting browser asks again after this many milliseconds.
    connection.write_headers(httputil.ResponseStartLine("HTTP/1.1", 200, "OK"), headers, b"retry: 1000\n\n")
    connection.stream.set_nodelay(True)
    site.push.join(connection, face, learner)


class _Server(HTTPServer):
    """No more connections than there is room for. Some room is kept for this machine, where the teacher is."""

    room = 0
    _open = 0

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if self._open >= self.room - (0 if is_loopback(address[0]) else KEPT):
            stream.close()
            return
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Else the system tries for a quarter of an hour to reach a phone that has left the network.
            stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_GONE * 1000))
        self._open += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        self._open -= 1
        super().on_close(server_conn)


@contextmanager
def served(site: Site, listeners: Sequence[socket.socket], room: int) -> Iterator[None]:
    """Serve on `listeners` until the context is left; then every connection is closed. `room`: connections at most."""
    ready = threading.Event()
    told: list[Callable[[], object]] = []
    failed: list[BaseException] = []

    async def main() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        told.append(lambda: loop.call_soon_threadsafe(end.set))
        with ThreadPoolExecutor(_THREADS, "classroom-requests") as executor:
            server = _server(site, executor, room)
            site.push.open(loop)
            server.add_sockets(listeners)
            ready.set()
            await end.wait()
            server.stop()
            site.push.close()
            executor.shutdown(wait=False, cancel_futures=True)
            await server.close_all_connections()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is heard
            failed.append(error)
        finally:
            ready.set()

    with _quiet():
        thread = threading.Thread(target=run, name="classroom", daemon=True)
        thread.start()
        ready.wait()
        try:
            if failed:
                raise failed[0]
            yield
        finally:
            for tell in told:
                with suppress(RuntimeError):  # it has ended by itself
                    tell()
            thread.join()


def _server(site: Site, executor: ThreadPoolExecutor, room: int) -> _Server:
    server = _Server(
        _Requests(site, executor),
        max_header_size=guard.MOST_BYTES,
        max_body_size=2**62,  # what is too much is refused in words, above
        max_buffer_size=_READ_ANYWAY,
        idle_connection_timeout=60.0,
        body_timeout=15.0,
    )
    server.room = room
    return server


@contextmanager
def _quiet() -> Iterator[None]:
    """Tornado logs every request that was refused; in front of a class that is nothing for the terminal."""
    loggers = [logging.getLogger(f"tornado.{name}") for name in ("access", "general")]
    before = [one.disabled for one in loggers]
    for one in loggers:
        one.disabled = True
    try:
        yield
    finally:
        for one, disabled in zip(loggers, before, strict=True):
            one.disabled = disabled
