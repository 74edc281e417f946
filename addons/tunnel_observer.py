"""The tunnel observer: around a device of your own, for two observers at once, wherever its apps connect to.

    mitmdump -s addons/tunnel_observer.py --mode wireguard --listen-host ADDRESS --listen-port 51820

ADDRESS is the address of this machine that the device reaches. Take over the configuration that is printed into the
WireGuard app of the device, and everything that it sends comes here. Network: the bytes as the device sends them, and
as they go back to it, before anybody has ended TLS. Server: what the services at the other end read, with TLS ended by
mitmproxy's own CA. An app that does not accept this CA ends its connection, and the record says so.

    --set lab_record=FILE          also write what both of them get into the new FILE (JSON lines)
    --set lab_secret=body=VALUE    mark and comment flows in which VALUE can be read once TLS has ended

Only for devices that are your own.
"""

import time

from mitmproxy import dns, http, tls, udp
from mitmproxy.connection import Client
from mitmproxy.proxy import commands, context, events, layer

from lab.model import Direction, Observer
from lab.stage.http_tap import EXCHANGE, STREAM, HttpTap
from lab.stage.tap_side import Recorder, recorded

DATAGRAM = "udp.datagram"
HELLO = "quic.client_hello"
"""The first message of QUIC. It is sealed with a key that anybody can work out (RFC 9001, section 5.2), so whoever is
on the path reads it like that of TLS."""


class Overheard(layer.Layer):
    """Below all others: it writes down what comes from the device and what goes back, and changes nothing.

    Whatever ends TLS or QUIC stands above it, so these are the bytes of somebody on the path.
    """

    def __init__(self, below: context.Context, recorder: Recorder) -> None:
        super().__init__(below)
        self._recorder = recorder
        self._place = STREAM if below.client.transport_protocol == "tcp" else DATAGRAM
        self._above = layer.NextLayer(below)

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived) and event.connection is self.context.client:
            self._got(Direction.TO_SERVICE, event.data)
        for command in self._above.handle_event(event):
            if isinstance(command, commands.SendData) and command.connection is self.context.client:
                self._got(Direction.TO_CLIENT, command.data)
            yield command

    def _got(self, direction: Direction, data: bytes) -> None:
        self._recorder.got(self.context.client.id, self._place, direction, time.time(), data)


class TunnelObserver(HttpTap):
    """What comes over TCP is written down by its base; what else is inside QUIC, or came without, as datagrams."""

    def __init__(self) -> None:
        super().__init__(Observer.SERVER)
        self._network = Recorder(Observer.NETWORK)
        self.recorder = Recorder(Observer.SERVER, beside=self._network)

    @recorded
    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        if not any(isinstance(one, Overheard) for one in nextlayer.context.layers):
            nextlayer.layer = Overheard(nextlayer.context, self._network)

    @recorded
    def client_connected(self, client: Client) -> None:
        super().client_connected(client)
        host, port = client.peername[:2]
        self._network.opened(client.id, f"{host}:{port}")

    @recorded
    def client_disconnected(self, client: Client) -> None:
        super().client_disconnected(client)
        self._network.ended(client.id)

    @recorded
    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        client = data.context.client
        if client.transport_protocol == "udp":
            hello = data.client_hello.raw_bytes(wrap_in_record=False)
            self._network.got(client.id, HELLO, Direction.TO_SERVICE, time.time(), hello)

    @recorded
    def error(self, flow: http.HTTPFlow) -> None:
        # Devices give up requests all the time. Nothing is missing in the record if no answer had begun by then.
        if EXCHANGE not in flow.metadata or flow.response:
            super().error(flow)

    @recorded
    def udp_message(self, flow: udp.UDPFlow) -> None:
        self.relayed(flow, DATAGRAM)

    @recorded
    def dns_request(self, flow: dns.DNSFlow) -> None:
        self.passed(flow, DATAGRAM, Direction.TO_SERVICE, time.time(), flow.request.packed)

    @recorded
    def dns_response(self, flow: dns.DNSFlow) -> None:
        if flow.response:
            self.passed(flow, DATAGRAM, Direction.TO_CLIENT, time.time(), flow.response.packed)


addons = [TunnelObserver()]
