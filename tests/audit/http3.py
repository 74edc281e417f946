"""HTTP/3 (RFC 9114) over QUIC: a service, and a client whose datagrams go through a tunnel."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from tests.audit.services import LOOPBACK
from tests.audit.wireguard import Tunnel

GUARD_SECONDS = 120.0


class _Service(QuicConnectionProtocol):
    """Answers every request with ok."""

    _http: H3Connection | None = None

    def quic_event_received(self, event: Any) -> None:
        self._http = self._http or H3Connection(self._quic)
        for one in self._http.handle_event(event):
            if isinstance(one, HeadersReceived):
                self._http.send_headers(one.stream_id, [(b":status", b"200")])
                self._http.send_data(one.stream_id, b"ok", end_stream=True)
                self.transmit()


@contextmanager
def service(leaf: Path) -> Iterator[tuple[str, int]]:
    """Where it listens, with this key and certificate."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    configuration.load_cert_chain(leaf, leaf)
    loop = asyncio.new_event_loop()
    serving = serve(LOOPBACK, 0, configuration=configuration, create_protocol=_Service)
    server = loop.run_until_complete(serving)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server._transport.get_extra_info("sockname")
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(loop.shutdown_asyncgens())  # its socket is closed in the meantime
        loop.close()


def get(tunnel: Tunnel, address: tuple[str, int], authority: Path, path: str) -> bytes:
    """The body of what is at this path."""
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name="localhost")
    configuration.load_verify_locations(str(authority))
    quic = QuicConnection(configuration=configuration)
    quic.connect(address, time.time())
    http = H3Connection(quic)
    head = {":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": path}
    fields = [(name.encode(), value.encode()) for name, value in head.items()]
    http.send_headers(quic.get_next_available_stream_id(), fields, end_stream=True)
    datagrams = tunnel.datagrams(address)

    def send() -> None:
        for data, _ in quic.datagrams_to_send(time.time()):
            datagrams.send(data)

    def again() -> None:
        quic.handle_timer(time.time())
        send()

    found, ended = b"", False
    while not ended:
        send()
        tunnel.until(lambda: bool(datagrams.received), again)
        quic.receive_datagram(datagrams.received.pop(0), address, time.time())
        while event := quic.next_event():
            for one in http.handle_event(event):
                if isinstance(one, DataReceived):
                    found, ended = found + one.data, one.stream_ended
    return found
