"""What an addon that reads HTTP writes down: each request and each response, part by part, as they came.

Places: `http.request_line`, `http.status_line`, `http.header`, `http.body`, `http.trailer`, `websocket.message` (the
reason that is given at its end, too); `tcp.stream` where a connection carries something else, or goes on with it.
"""

from __future__ import annotations

import re
import time
from weakref import WeakKeyDictionary

from mitmproxy import connection, ctx, hooks, http, tcp, tls, udp
from mitmproxy.flow import Flow

from lab.model import Direction, Observation, Observer
from lab.stage.tap_side import Tap, recorded

EXCHANGE = "lab_exchange"
STREAM = "tcp.stream"

SHOWN_BYTES = 1 << 20
"""How much of an event stream a person can look at; the record itself has no limit."""


class HttpTap(Tap):
    """Base of the addons that read each request and response, be they with the operator or on the path."""

    def __init__(self, observer: Observer) -> None:
        super().__init__(observer)
        self._exchanges: dict[str, int] = {}
        # Beside the flows: what stands in their metadata is saved with them, and shown.
        self._pieces: WeakKeyDictionary[http.HTTPFlow, list[Observation]] = WeakKeyDictionary()

    @recorded
    def client_connected(self, client: connection.Client) -> None:
        host, port = client.peername[:2]
        self._exchanges[client.id] = 0
        self.recorder.opened(client.id, f"{host}:{port}")

    @recorded
    def tls_failed_client(self, data: tls.TlsData) -> None:
        # With an alert that says why (RFC 8446, section 6.2), which OpenSSL puts into words; or by hanging up.
        alert = re.search(r"\balert ([\w ]+)", data.conn.error or "")
        reason = alert[1] if alert else "it hung up during the handshake"
        self.recorder.refused(data.conn.id, f"the client refused TLS for {data.conn.sni or 'no name'}: {reason}")

    @recorded
    def client_disconnected(self, client: connection.Client) -> None:
        self._exchanges.pop(client.id, None)
        self.recorder.ended(client.id)

    @recorded
    def request(self, flow: http.HTTPFlow) -> None:
        number = self.exchanges(flow.client_conn) + 1
        self._exchanges[flow.client_conn.id] = flow.metadata[EXCHANGE] = number
        request = flow.request
        line = f"{request.method} {request.path} {request.http_version}".encode()
        self._keep(flow, Direction.TO_SERVICE, request.timestamp_start, "http.request_line", line, request)

    @recorded
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        # A response that never ends (server-sent events) must be passed on piece by piece, as a front end does.
        if flow.response and flow.response.headers.get("content-type", "").startswith("text/event-stream"):
            self._keep_answer(flow)
            flow.response.stream = lambda piece: self._piece(flow, piece)

    @recorded
    def response(self, flow: http.HTTPFlow) -> None:
        if flow.response and not flow.response.stream:
            self._keep_answer(flow)

    @recorded
    def websocket_message(self, flow: http.HTTPFlow) -> None:
        if flow.websocket:
            message = flow.websocket.messages[-1]
            self._got(flow, "websocket.message", _way(message.from_client), message.timestamp, message.content)

    @recorded
    def websocket_end(self, flow: http.HTTPFlow) -> None:
        if flow.websocket and flow.websocket.close_reason:
            reason = flow.websocket.close_reason.encode()
            self._got(flow, "websocket.message", _way(flow.websocket.closed_by_client), time.time(), reason)

    @recorded
    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        self.relayed(flow, STREAM)

    @recorded
    def error(self, flow: http.HTTPFlow) -> None:
        # A client that closes a running event stream is its ordinary end.
        if not (flow.response and flow.response.stream):
            self.recorder.broken(flow.client_conn.id, str(flow.error))

    def exchanges(self, client: connection.Client) -> int:
        """How many requests have come on this connection, while it is open."""
        return self._exchanges.get(client.id, 0)

    def relayed(self, flow: tcp.TCPFlow | udp.UDPFlow, place: str) -> None:
        """Write down the newest message of a connection that carries no HTTP."""
        message = flow.messages[-1]
        self.passed(flow, place, _way(message.from_client), message.timestamp, message.content)
        if not self.interactive:
            del flow.messages[:-1]  # they are in the record; mitmproxy would keep them until the connection ends

    def passed(self, flow: Flow, place: str, way: Direction, moment: float, data: bytes) -> None:
        """Write down what is not HTTP."""
        self.recorder.got(flow.client_conn.id, place, way, moment, data)
        if self.interactive:
            self.mark(flow, [Observation(self.recorder.observer, place, "", way, moment, data)])

    def _keep_answer(self, flow: http.HTTPFlow) -> None:
        answer = flow.response
        if answer:
            line = f"{answer.http_version} {answer.status_code} {answer.reason}".encode()
            self._keep(flow, Direction.TO_CLIENT, answer.timestamp_start, "http.status_line", line, answer)

    def _keep(
        self, flow: http.HTTPFlow, direction: Direction, moment: float, place: str, line: bytes, message: http.Message
    ) -> None:
        header = _header_block(message.headers)
        if isinstance(message, http.Request) and message.authority and "host" not in message.headers:
            # HTTP/2 has it apart from the headers, where it belongs once the request is passed on (RFC 9113, 8.3.1).
            header = b"Host: %b\r\n%b" % (message.data.authority, header)
        parts = [(place, line), ("http.header", header)]
        if message.raw_content:
            parts.append(("http.body", message.raw_content))
        if message.trailers:
            parts.append(("http.trailer", _header_block(message.trailers)))
        for name, data in parts:
            self._got(flow, name, direction, moment, data)
        self._mark(flow)

    @recorded
    def _piece(self, flow: http.HTTPFlow, piece: bytes) -> bytes:
        if piece:
            self._got(flow, "http.body", Direction.TO_CLIENT, time.time(), piece)
            self._mark(flow)
            if self.interactive:
                _show(flow, piece)
        return piece

    def _got(self, flow: http.HTTPFlow, place: str, direction: Direction, moment: float, data: bytes) -> None:
        exchange = flow.metadata.get(EXCHANGE, 0)
        self.recorder.got(flow.client_conn.id, place, direction, moment, data, exchange)
        if self.interactive:
            self._pieces.setdefault(flow, []).append(
                Observation(self.recorder.observer, place, "", direction, moment, data, exchange)
            )

    def _mark(self, flow: http.HTTPFlow) -> None:
        self.mark(flow, self._pieces.get(flow, ()))


def _show(flow: http.HTTPFlow, piece: bytes) -> None:
    """Let whoever looks at `flow` see the next piece of its event stream; mitmproxy keeps none of what it passes on."""
    if flow.response and len(shown := flow.response.raw_content or b"") < SHOWN_BYTES:
        flow.response.raw_content = shown + piece
    ctx.master.addons.trigger(hooks.UpdateHook([flow]))


def _header_block(headers: http.Headers) -> bytes:
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers.fields)


def _way(from_client: bool | None) -> Direction:
    return Direction.TO_SERVICE if from_client else Direction.TO_CLIENT
