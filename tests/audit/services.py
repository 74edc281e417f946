"""Services that are not the lab's own, for audits: each runs in this process, on a port that the system gives."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = "127.0.0.1"


class Chat(BaseHTTPRequestHandler):
    """POST /messages keeps a message, GET /messages gives them all; WebSockets at /echo give back what they get."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.append(body)  # type: ignore[attr-defined]
        self._answer(201, b"{}")

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._echo()
            return
        if self.path.startswith("/cookie"):
            self._answer(200, b"{}", {"Set-Cookie": "session=" + self.path.partition("?")[2]})
            return
        messages = self.server.messages  # type: ignore[attr-defined]
        self._answer(200, json.dumps([base64.b64encode(one).decode() for one in messages]).encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _echo(self) -> None:
        accept = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + GUID).encode(), usedforsecurity=False).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        while frame := read_frame(self.rfile):
            self.wfile.write(b"\x81" + bytes([len(frame)]) + frame)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Tests are silent."""


GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""


def read_frame(file: Any) -> bytes:
    """The payload of the next short frame; b"" at the end of the connection or a close frame."""
    head = file.read(2)
    if len(head) < 2 or head[0] & 0x0F == 8:
        return b""
    size = head[1] & 0x7F
    mask = file.read(4) if head[1] & 0x80 else bytes(4)
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(file.read(size)))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), Chat)
        self.messages: list[bytes] = []

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no error of a test."""


@contextmanager
def chat(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """The URL of a chat service, which speaks TLS if it gets a context for it."""
    server = _Server()
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def switching() -> Iterator[str]:
    """The URL of a service that leaves HTTP/1.1 after the first request, and gives back every line from then on."""
    with echo(first=b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n") as url:
        yield url.replace("tcp:", "http:")


@contextmanager
def echo(context: ssl.SSLContext | None = None, first: bytes = b"") -> Iterator[str]:
    """The URL of a TCP service that gives back every line, under TLS if it gets a context for it.

    `first` answers a request in HTTP that comes before.
    """
    listener = socket.create_server((LOOPBACK, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError):  # a client that hangs up is no error of a test
                served = context.wrap_socket(connection, server_side=True) if context else connection
                with served, served.makefile("rb") as lines:
                    while first and lines.readline().strip():
                        pass
                    served.sendall(first)
                    for line in lines:
                        served.sendall(line)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://{LOOPBACK}:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
