"""The meddler: changes what passes, without being able to read it, or where it can be read.

    mitmdump -s addons/meddler.py --mode reverse:tcp://127.0.0.1:8443 --set lab_do=flip \\
             --listen-host 127.0.0.1 --listen-port 8082

Connect your client to port 8082 instead of 8443. With `reverse:tcp` it stands in the middle of TLS, and what it acts on
is the next record with application data in it. With `--mode reverse:http://127.0.0.1:PORT` it stands where TLS has
ended, between the front end and the lab's own service, and acts on the next message that somebody posts.

    --set lab_do=DEED              once: flip, truncate, replay, drop, delay, reorder or cross-deliver
    --set lab_record=FILE          also write what passes, as it was before, into the new FILE
    --set lab_own_traffic=true     needed where the service is on another machine

In TLS the deed takes place once the handshake is over: it begins with the first record that the client has encrypted
after the service has. What was delayed goes on when the lab says so, or never.

Only for traffic that is your own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mitmproxy import connection, ctx, http, tcp
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import layer, layers

from lab.model import LabError
from lab.stage.attacker import Attacker
from lab.stage.meddling import Cutter, Deed, Meddler, Record, read_order
from lab.stage.posted import PostedMessage
from lab.stage.tap_side import recorded, refused


@dataclass(slots=True)
class Link:
    """A connection that is relayed, with what has not become a record yet. `said`: encrypted records of the client.

    `cut`: nothing that the client says is passed on any more.
    """

    flow: tcp.TCPFlow
    to_service: Cutter = field(default_factory=Cutter)
    to_client: Cutter = field(default_factory=Cutter)
    said: int = 0
    cut: bool = False


class Meddling(Attacker):
    def __init__(self) -> None:
        super().__init__()
        self._records = Meddler[Record]()
        self._messages = Meddler[PostedMessage]()
        self._relays = False
        self._links: dict[str, Link] = {}
        self._released: list[bytes] = []
        self._after: dict[str, list[http.HTTPFlow]] = {}
        self._refused: list[int] = []

    def load(self, loader: Loader) -> None:
        super().load(loader)
        loader.add_option("lab_do", str, "", f"Do this once, as soon as something fits: {', '.join(Deed)}.")

    def configure(self, updated: set[str]) -> None:
        super().configure(updated)
        self._relays = any(mode.startswith("reverse:tcp:") for mode in ctx.options.mode)
        if "lab_do" in updated and ctx.options.lab_do:
            try:
                self.act({"do": ctx.options.lab_do})
            except LabError as error:
                raise refused(f"lab_do: {error}") from None

    def act(self, orders: Mapping[str, Any]) -> dict[str, Any]:
        """An order of `read_order`; {"release": {}} for what is delayed; {"done": {}}, which says what was done.

        `refused` has the status of each message that was posted by this addon and that the service did not take.
        """
        meddler = self._records if self._relays else self._messages
        match dict(orders):
            case {"done": {}}:
                return {"done": list(meddler.done), "refused": self._refused}
            case {"release": {}}:
                self._release()
                return {}
        order = read_order(orders)
        meddler.arm(order)
        return {"armed": order.do}

    def _release(self) -> None:
        if self._relays:
            lane, record = self._records.release()
            number, _, direction = lane.partition(" ")
            self._released.append(record.to_bytes())
            if link := self._links.get(number):
                ctx.master.commands.call("inject.tcp", link.flow, direction == "to client", self._released[-1])
        else:
            conversation, message = self._messages.release()
            self._post([message.to_flow(conversation)])

    # Records of TLS

    @recorded
    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        if self._relays:
            nextlayer.layer = layers.TCPLayer(nextlayer.context)

    @recorded
    def tcp_start(self, flow: tcp.TCPFlow) -> None:
        self._links[flow.client_conn.id] = Link(flow)

    @recorded
    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        message = flow.messages[-1]
        if message.content in self._released:
            self._released.remove(message.content)  # it was written down when it came
            return
        super().tcp_message(flow)
        link = self._links[flow.client_conn.id]
        cutter = link.to_service if message.from_client else link.to_client
        lane = f"{flow.client_conn.id} {'to service' if message.from_client else 'to client'}"
        going = []
        for record in cutter.cut(message.content):
            # In TLS 1.3 the first one that the client has encrypted ends its handshake (RFC 8446, section 2).
            over = link.said >= (1 if message.from_client else 2)
            passing = [record]
            if record.is_application_data and over:
                passing = self._records.pass_on(lane, record, to_service=message.from_client)
            # The client will complain of what was done to it (an alert), and mitmproxy at the end of TLS would keep
            # a connection open for good that ends with an alert after its handshake.
            link.cut = link.cut or (passing != [record] and not message.from_client)
            going += passing
            link.said += record.is_application_data and message.from_client
        silenced = link.cut and message.from_client
        message.content = b"" if silenced else b"".join(record.to_bytes() for record in going)

    @recorded
    def client_disconnected(self, client: connection.Client) -> None:
        self._links.pop(client.id, None)
        super().client_disconnected(client)

    # Messages

    @recorded
    def request(self, flow: http.HTTPFlow) -> None:
        if flow.is_replay:
            return
        super().request(flow)
        message = PostedMessage.read(flow)
        if message is None:
            return
        going = self._messages.pass_on(message.conversation, message)
        own = next((one for one in going if one.flow is flow), None)
        if own is None:
            flow.response = message.stored()
            return
        if own is not message:
            flow.request.content = own.to_bytes()
        others = list(going)
        others.remove(own)
        # They follow as soon as the service has this one: what is repeated as a new message, what waited as it was.
        self._after[flow.id] = [(one.again() if one is own else one).to_flow(message.conversation) for one in others]

    @recorded
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if not flow.is_replay:
            super().responseheaders(flow)

    @recorded
    def response(self, flow: http.HTTPFlow) -> None:
        if flow.is_replay:
            if flow.response and flow.response.status_code >= 400:
                self._refused.append(flow.response.status_code)
            return
        super().response(flow)
        self._post(self._after.pop(flow.id, []))

    @recorded
    def error(self, flow: http.HTTPFlow) -> None:
        self._after.pop(flow.id, None)
        super().error(flow)

    @staticmethod
    def _post(flows: list[http.HTTPFlow]) -> None:
        if flows:
            ctx.master.commands.call("replay.client", flows)


addons = [Meddling()]
