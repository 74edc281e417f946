"""What the addons of a malicious operator have in common: they stand between the front end and the service.

    clients ═══▶ front end (ends TLS) ───▶ mitmdump with such an addon ───▶ the unchanged service

Behind the front end everything is plain HTTP, and the operator changes what it likes. Whoever asks is known by the
token that the service gave out when that account logged in, so the addon has to stand there by then.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import server_hooks

from lab.attack.event_stream import Change, EventStream
from lab.mail import Address, json_object
from lab.messenger.content import dump
from lab.model import Direction, Observation, Observer
from lab.stage import own_traffic
from lab.stage.tap_side import Tap, recorded


class OperatorTap(Tap):
    """Base of those addons. What they do is in `asked`, `answered` and `deliver`."""

    def __init__(self) -> None:
        super().__init__(Observer.SERVER)
        self._accounts: dict[str, str] = {}

    def asked(self, flow: http.HTTPFlow, account: str) -> None:
        """`account` ("" if nobody knows who) asks for something: change the request, or answer it."""

    def answered(self, flow: http.HTTPFlow, account: str, answer: http.Response) -> None:
        """The service has done what `account` asked for, and says so in `answer`, which may be changed."""

    def deliver(self, reader: Address) -> Change:
        """What is done to the events for the device `reader`."""
        return lambda _name, _fields: None

    def load(self, loader: Loader) -> None:
        super().load(loader)
        own_traffic.add_option(loader)

    def configure(self, updated: set[str]) -> None:
        super().configure(updated)
        own_traffic.refuse_others(ctx.options)

    @recorded
    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        own_traffic.refuse_connection(data)

    @recorded
    def request(self, flow: http.HTTPFlow) -> None:
        self.asked(flow, self._account(flow))

    @recorded
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response and flow.response.headers.get("content-type", "").startswith("text/event-stream"):
            number = flow.request.query.get("device", "")
            change = self.deliver((self._account(flow), int(number) if number.isdecimal() else 0))
            flow.response.stream = partial(self._pass_on, EventStream(change))

    @recorded
    def response(self, flow: http.HTTPFlow) -> None:
        answer = flow.response
        if answer is None or answer.stream or not 200 <= answer.status_code < 300:
            return
        if flow.request.method == "POST" and flow.request.path in ("/v1/accounts", "/v1/login"):
            match json_object(answer.content or b""), json_object(flow.request.content or b""):
                case {"token": str(token)}, {"name": str(name)}:
                    self._accounts[f"Bearer {token}"] = name
        self.answered(flow, self._account(flow), answer)

    def got(self, flow: http.HTTPFlow, place: str, data: bytes) -> None:
        """Record what was read in a request, and let whoever looks at the flow see what it gives away."""
        moment = flow.request.timestamp_start
        self.recorder.got(flow.client_conn.id, place, Direction.TO_SERVICE, moment, data)
        if self.interactive:
            self.mark(flow, [Observation(Observer.SERVER, place, "", Direction.TO_SERVICE, moment, data)])

    def _account(self, flow: http.HTTPFlow) -> str:
        return self._accounts.get(flow.request.headers.get("authorization", ""), "")

    @recorded
    def _pass_on(self, events: EventStream, piece: bytes) -> bytes:
        return events(piece)


def replace_json(message: http.Message, fields: dict[str, Any]) -> None:
    """Let `message` carry these fields."""
    message.content = dump(fields)


def refuse(flow: http.HTTPFlow, status: int, problem: dict[str, Any]) -> None:
    """Answer in place of the service, as it does (RFC 9457)."""
    fields = {"type": "about:blank", "status": status, **problem}
    flow.response = http.Response.make(status, dump(fields), {"Content-Type": "application/problem+json"})
