"""The network observer: an eavesdropper on the path, without any key, who keeps every byte in both directions.

    mitmdump -s addons/network_observer.py --mode reverse:tcp://HOST:PORT --listen-host 127.0.0.1 --listen-port 8080

Connect your client to port 8080 instead of HOST:PORT. What arrives is relayed untouched; nothing is decrypted.
`mitmproxy` and `mitmweb` take the same arguments and show each connection as a TCP flow. As an HTTP proxy
(leave out --mode, and set your client's proxy) it sees what a CONNECT tunnel carries.

    --set lab_record=FILE          also write every byte, with its time, into the new FILE (JSON lines)
    --set lab_secret=body=VALUE    mark and comment flows in which VALUE can be read, however it is encoded

Only for traffic that is your own.
"""

from mitmproxy import tcp
from mitmproxy.proxy import layer, layers, mode_specs
from mitmproxy.proxy.layers.http import HttpStream

from lab.model import Direction, Observation, Observer
from lab.stage.tap_side import Tap, recorded

MARKED_BYTES = 1 << 20
"""How much of one connection is searched for marks while it goes on; the record itself has no limit."""


class NetworkObserver(Tap):
    def __init__(self) -> None:
        super().__init__(Observer.NETWORK)

    @recorded
    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        # mitmproxy would end TLS as soon as the bytes look like TLS. Ignoring the connection instead would relay it
        # without showing one byte, and "not found" would then mean nothing.
        below = nextlayer.context.layers
        is_proxy = isinstance(nextlayer.context.client.proxy_mode, mode_specs.RegularMode | mode_specs.UpstreamMode)
        if not is_proxy or any(isinstance(one, HttpStream) for one in below):
            nextlayer.layer = layers.TCPLayer(nextlayer.context)

    @recorded
    def tcp_start(self, flow: tcp.TCPFlow) -> None:
        host, port = (flow.client_conn.peername or ("", 0))[:2]
        self.recorder.opened(flow.id, f"{host}:{port}")

    @recorded
    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        message = flow.messages[-1]
        self.recorder.got(flow.id, "tcp.stream", _direction(message), message.timestamp, message.content)
        if self.interactive:
            self._mark(flow)
        else:
            del flow.messages[:-1]  # they are in the record; mitmproxy would keep them until the connection ends

    @recorded
    def tcp_end(self, flow: tcp.TCPFlow) -> None:
        self.recorder.ended(flow.id)

    @recorded
    def tcp_error(self, flow: tcp.TCPFlow) -> None:
        self.recorder.ended(flow.id, str(flow.error))

    def _mark(self, flow: tcp.TCPFlow) -> None:
        if sum(len(message.content) for message in flow.messages) <= MARKED_BYTES:
            self.mark(
                flow,
                [
                    Observation(Observer.NETWORK, "tcp.stream", "", _direction(one), one.timestamp, one.content)
                    for one in flow.messages
                ],
            )


def _direction(message: tcp.TCPMessage) -> Direction:
    return Direction.TO_SERVICE if message.from_client else Direction.TO_CLIENT


addons = [NetworkObserver()]
