"""Base of the addons that act on the path: they write down what passes, and keep to this machine."""

from __future__ import annotations

from mitmproxy import connection, ctx, tcp
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import server_hooks

from lab.model import Direction, Observer
from lab.stage import own_traffic
from lab.stage.http_tap import HttpTap
from lab.stage.tap_side import recorded

SILENT = "the client ended the connection after it had seen the certificate, without having sent anything"


class Attacker(HttpTap):
    """HTTP is written down as HttpTap says, and what is relayed as bytes under `tcp.stream`.

    So is who was offered TLS and did not want it.
    """

    def __init__(self) -> None:
        super().__init__(Observer.INTERCEPTOR)

    def load(self, loader: Loader) -> None:
        super().load(loader)
        own_traffic.add_option(loader)

    def configure(self, updated: set[str]) -> None:
        own_traffic.refuse_others(ctx.options)
        super().configure(updated)

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        own_traffic.refuse_connection(data)

    @recorded
    def client_disconnected(self, client: connection.Client) -> None:
        if client.tls_established and not self.exchanges(client):
            self.recorder.refused(client.id, SILENT)
        super().client_disconnected(client)

    @recorded
    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        message = flow.messages[-1]
        direction = Direction.TO_SERVICE if message.from_client else Direction.TO_CLIENT
        self.recorder.got(flow.client_conn.id, "tcp.stream", direction, message.timestamp, message.content)
        if not self.interactive:
            del flow.messages[:-1]  # they are in the record; mitmproxy would keep them until the connection ends

    @recorded
    def tcp_error(self, flow: tcp.TCPFlow) -> None:
        self.recorder.broken(flow.client_conn.id, str(flow.error))
