"""Serves one WSGI application on loopback, in threads of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]

from lab.model import LabError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOOPBACK = "127.0.0.1"
MAX_PORT = 65_535

_GRACE = 2.0
"""Seconds that requests being answered have to end by themselves."""


def listen(port: int) -> socket.socket:
    """A socket that listens on `port`, 0 for one that is free. LabError: it is taken or not to be had."""
    if not 0 <= port <= MAX_PORT:
        raise LabError(f"port {port} is none; a port is a number from 1 to {MAX_PORT}, 0 for one that is free")
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise LabError(f"port {port} is not to be had: {error.strerror}; give another --port, or none") from error


@contextmanager
def served(app: WSGIApplication, listener: socket.socket) -> Iterator[None]:
    """Answer on `listener` until the context is left."""
    sockets: dict[int, object] = {}
    server = create_server(app, map=sockets, sockets=[listener], threads=4, ident=None)
    thread = threading.Thread(target=server.run, name="phones", daemon=True)
    thread.start()

    def close_sockets() -> None:
        for channel in list(server.active_channels.values()):
            channel.handle_close()
        wasyncore.close_all(sockets)

    try:
        yield
    finally:
        server.task_dispatcher.shutdown(timeout=_GRACE)
        # The sockets belong to the thread of the server, which ends when none is left.
        server.trigger.pull_trigger(close_sockets)
        thread.join()
