"""The server that a client meets: TLS on loopback with given certificates, and a CONNECT proxy that leads to it.

TLS runs over memory buffers, so that what the client did is known exactly: the alert it sent, a silent end, or data.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import IntEnum
from pathlib import Path

from lab.clients.case import Attempt, Material, NotServable, Outcome, Protocol
from lab.stage.certificates import write_private

VERSIONS = {
    Protocol.CURRENT: (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
    Protocol.TLS_1_0: (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1),
    Protocol.TLS_1_1: (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1),
}

EVERYTHING = "ALL:!aNULL:!eNULL:!PSK:@STRENGTH:@SECLEVEL=0"
"""This server accepts what a careless one would: whether it is good enough is for the client to say."""

CHUNK = 1 << 16
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
ONLY_CONNECT = b"HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

NOTHING_IN_COMMON = ("NO_SHARED", "UNSUPPORTED_PROTOCOL", "NO_SUITABLE", "WRONG_SIGNATURE_TYPE", "VERSION_TOO_LOW")
"""How OpenSSL begins to say that a client offers nothing that would fit: it is the client that refuses."""
PLAIN_HTTP = ("HTTP_REQUEST", "HTTPS_PROXY_REQUEST")


def context_for(material: Material, directory: Path) -> ssl.SSLContext:
    """A server's context. `directory` is for a file that lives as long as this call. NotServable: OpenSSL refuses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # a client that closes with tickets unread resets the connection, and its alert is lost
    file = write_private(directory / "server.pem", material.key + material.chain)
    try:
        context.set_ciphers(EVERYTHING)
        context.load_cert_chain(file)
    except ssl.SSLError as error:
        raise NotServable(f"the OpenSSL of this Python does not load it ({_words(error)})") from None
    finally:
        file.unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 and 1.1 are old: that is the case
        context.minimum_version, context.maximum_version = VERSIONS[material.protocol]
    failure = _rehearse(context)
    if failure is not None and _is_ours(material.protocol, *failure):
        raise NotServable(f"the OpenSSL of this Python cannot serve it ({_words(failure[1])})")
    return context


def _is_ours(protocol: Protocol, at_server: bool, error: ssl.SSLError) -> bool:
    """Whether a failed rehearsal means that this case cannot be served: a client's refusal may be right."""
    if protocol is not Protocol.CURRENT:
        return True  # this certificate is good; packagers may forbid old versions
    return at_server and not (error.reason or "").startswith(NOTHING_IN_COMMON)


def _words(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


class State(IntEnum):
    """How far a connection came; further means that it says more about the client."""

    CONNECTED = 0
    GREETED = 1
    """The first bytes of a handshake arrived."""
    TROUBLE = 2
    """It ended for a reason that says nothing about certificates."""
    REFUSED = 3
    ESTABLISHED = 4
    """The handshake is complete, and nothing else has happened yet."""
    SENT = 5


STUCK = {
    State.CONNECTED: "connected, but began no TLS handshake",
    State.GREETED: "began a handshake and did not go on in time",
    State.ESTABLISHED: "finished the handshake, then sent nothing in time",
}


class Server:
    """Listens for one client, which may connect more than once."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._connections: list[_Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent = asyncio.Event()
        """The client has sent data."""

    async def meet(self, reader: StreamReader, writer: StreamWriter) -> None:
        """A connection to the server itself."""
        await self._follow(_Connection(self._context, reader, writer), through_proxy=False)

    async def lead(self, reader: StreamReader, writer: StreamWriter) -> None:
        """A connection to the proxy: whatever name the client asks for, this server is there."""
        await self._follow(_Connection(self._context, reader, writer), through_proxy=True)

    async def settled(self) -> None:
        """Until no connection is open."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def attempt(self) -> Attempt:
        """What the client has done so far."""
        if not self._connections:
            return Attempt(Outcome.NOTHING, "did not connect")
        telling = max(self._connections, key=lambda one: one.state)
        match telling.state:
            case State.SENT:
                return Attempt(Outcome.SENT, "sent data")
            case State.REFUSED:
                return Attempt(Outcome.REFUSED, telling.detail)
            case State.TROUBLE:
                return Attempt(Outcome.NOTHING, telling.detail)
        return Attempt(Outcome.NOTHING, STUCK[telling.state])

    async def close(self) -> None:
        """End every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, connection: _Connection, *, through_proxy: bool) -> None:
        task = asyncio.current_task()
        if task is not None:  # always: asyncio runs each connection as a task of its own
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._connections.append(connection)
        try:
            if not through_proxy or await connection.be_proxy():
                await connection.serve(self.sent)
        finally:
            connection.end()


class _Connection:
    """One connection: TLS as the server, one request, one answer."""

    def __init__(self, context: ssl.SSLContext, reader: StreamReader, writer: StreamWriter) -> None:
        self.state = State.CONNECTED
        self.detail = ""
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def be_proxy(self) -> bool:
        """True once the client has asked for a tunnel (RFC 9110, 9.3.6) and may begin."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            return False
        tunnel = head.startswith(b"CONNECT ")
        if not tunnel:
            self._is_trouble("asked the proxy for a page without TLS")
        self._writer.write(ESTABLISHED if tunnel else ONLY_CONNECT)
        return tunnel

    async def serve(self, sent: asyncio.Event) -> None:
        try:
            await self._step(self._tls.do_handshake)
            self.state = State.ESTABLISHED
            data = await self._step(lambda: self._tls.read(CHUNK))
        except ssl.SSLZeroReturnError:
            self._refuses("closed the connection before any data")
        except ssl.SSLError as error:
            self._ended_by(error)
        except OSError:
            self._refuses("broke the connection off")
        else:
            if not data:
                self._refuses("closed the connection before any data")
                return
            self.state = State.SENT
            sent.set()
            await self._answer()

    def end(self) -> None:
        self._writer.close()

    async def _step[T](self, step: Callable[[], T]) -> T:
        """One step of TLS, with as many reads and writes as it takes."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._flush()
                data = await self._reader.read(CHUNK)
            finally:
                self._flush()
            if data:
                self.state = max(self.state, State.GREETED)
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())

    def _ended_by(self, error: ssl.SSLError) -> None:
        reason = error.reason or ""
        if "_ALERT_" in reason:
            self._refuses(f"alert: {reason.partition('_ALERT_')[2].lower().replace('_', ' ')}")
        elif reason.startswith(NOTHING_IN_COMMON):
            self._refuses(f"offers nothing that fits ({_words(error)})")
        elif reason in PLAIN_HTTP:
            self._is_trouble("spoke HTTP without TLS")
        elif isinstance(error, ssl.SSLEOFError) or "EOF" in reason:
            self._refuses("closed the connection before any data")
        else:
            self._is_trouble(f"the handshake failed: {_words(error)}")

    def _refuses(self, detail: str) -> None:
        """Unless not even a handshake was begun: then it refused nothing."""
        if self.state is not State.CONNECTED:
            self.state, self.detail = State.REFUSED, detail

    def _is_trouble(self, detail: str) -> None:
        self.state, self.detail = State.TROUBLE, detail

    async def _answer(self) -> None:
        """Answer as a web server would, so that the client ends soon, and wait for it to close."""
        # ssl.SSLError is an OSError too; whatever happens now, the data has come.
        with contextlib.suppress(OSError):
            self._tls.write(ANSWER)
            self._flush()
            with contextlib.suppress(ssl.SSLWantReadError):
                self._tls.unwrap()
            self._flush()
            self._writer.write_eof()
            while await self._reader.read(CHUNK):
                pass


@contextlib.asynccontextmanager
async def listening(server: Server) -> AsyncIterator[tuple[int, int]]:
    """The ports of the server and of its proxy, on loopback, for as long as the block."""
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(server.close)  # the last thing to do: when nobody can connect any more
        yield await _listen(server.meet, stack), await _listen(server.lead, stack)


async def _listen(
    meet: Callable[[StreamReader, StreamWriter], Awaitable[None]], stack: contextlib.AsyncExitStack
) -> int:
    """The same free port on both loopback addresses; on the old one alone where the new one is missing or taken."""
    listener = await asyncio.start_server(meet, "127.0.0.1", 0)
    stack.callback(listener.close)
    port: int = listener.sockets[0].getsockname()[1]
    with contextlib.suppress(OSError):
        stack.callback((await asyncio.start_server(meet, "::1", port)).close)
    return port


def _rehearse(context: ssl.SSLContext) -> tuple[bool, ssl.SSLError] | None:
    """A handshake with a client of the same OpenSSL that trusts everybody: did the server fail, and how."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_ciphers(EVERYTHING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version = context.minimum_version
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = client.wrap_bio(back, there)
    called = context.wrap_bio(there, back, server_side=True)
    for end in (caller, called) * 3:  # each end speaks twice; the third turn is to hear out the other
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return end is called, error
    return None
