"""What the addons of a malicious operator have in common: they stand between the front end and the service.

    clients ═══▶ front end (ends TLS) ───▶ mitmdump with such an addon ───▶ the unchanged service

Behind the front end everything is plain HTTP, and the operator changes what it likes. Whoever asks is known by the
token that the service gave out when that account logged in, so the addon has to stand there by then: whoever logged in
before is left alone.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import server_hooks

from lab.attack.event_stream import Change, EventStream
from lab.attack.posted import Passed
from lab.e2ee.engine import Engine
from lab.e2ee.engines import engine_for
from lab.mail import Address, json_object
from lab.messenger.content import dump
from lab.model import Direction, Encryption, LabError, Observation, Observer
from lab.stage import own_traffic
from lab.stage.tap_side import Tap, recorded, refused

REPLIED = "lab_replied"
"""In the metadata of a flow that the service does not know of."""

_UP = Direction.TO_SERVICE
_log = logging.getLogger(__name__)


class OperatorTap(Tap):
    """Base of those addons. What they do is in `asked`, `answered` and `deliver`."""

    def __init__(self) -> None:
        super().__init__(Observer.SERVER)
        self._accounts: dict[str, str] = {}

    def asked(self, flow: http.HTTPFlow, account: str) -> None:
        """`account` asks for something: change the request, or answer it."""

    def answered(self, flow: http.HTTPFlow, account: str, answer: http.Response) -> None:
        """The service has done what `account` asked for, and says so in `answer`, which may be changed."""

    def deliver(self, reader: Address) -> Change:
        """What is done to the events for the device `reader`."""
        return lambda _name, _fields: None

    def load(self, loader: Loader) -> None:
        super().load(loader)
        own_traffic.add_option(loader)

    def configure(self, updated: set[str]) -> None:
        own_traffic.refuse_others(ctx.options)  # before a record is begun
        super().configure(updated)

    @recorded
    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        own_traffic.refuse_connection(data)

    @recorded
    def request(self, flow: http.HTTPFlow) -> None:
        if account := self._account(flow):
            self.asked(flow, account)

    @recorded
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response and flow.response.headers.get("content-type", "").startswith("text/event-stream"):
            number = flow.request.query.get("device", "")
            if (account := self._account(flow)) and number.isdecimal():
                events = EventStream(self.deliver((account, int(number))))
                flow.response.stream = partial(self._pass_on, events)
            else:
                flow.response.stream = True

    @recorded
    def response(self, flow: http.HTTPFlow) -> None:
        answer = flow.response
        if answer is None or answer.stream or REPLIED in flow.metadata or not 200 <= answer.status_code < 300:
            return
        if flow.request.method == "POST" and flow.request.path in ("/v1/accounts", "/v1/login"):
            match json_object(answer.content or b""), json_object(flow.request.content or b""):
                case {"token": str(token)}, {"name": str(name)}:
                    self._accounts[f"Bearer {token}"] = name
        if account := self._account(flow):
            self.answered(flow, account, answer)

    def _account(self, flow: http.HTTPFlow) -> str:
        return self._accounts.get(flow.request.headers.get("authorization", ""), "")

    @recorded
    def _pass_on(self, events: EventStream, piece: bytes) -> bytes:
        return events(piece)


class SealedTap(OperatorTap):
    """Base of those that open what the apps have sealed: they have to know how the apps encrypt."""

    def __init__(self) -> None:
        super().__init__()
        self.encryption = Encryption.PQXDH
        self._opened = self._turned_down = 0

    def encrypt_with(self, encryption: str) -> None:
        """Be ready for apps that encrypt like that. LabError: there is no such encryption, or it is not installed."""
        raise NotImplementedError

    def load(self, loader: Loader) -> None:
        super().load(loader)
        loader.add_option("lab_encryption", str, self.encryption.value, "How the apps encrypt.", list(Encryption))

    def configure(self, updated: set[str]) -> None:
        super().configure(updated)
        if "lab_encryption" in updated:
            try:
                self.expect(ctx.options.lab_encryption)
            except LabError as error:
                raise refused(f"lab_encryption: {error}") from None

    def expect(self, encryption: str | None) -> None:
        """From now on the apps encrypt like that (None: as before). LabError as in `encrypt_with`."""
        if encryption is not None and encryption != self.encryption:
            self.encrypt_with(encryption)
            self.encryption = Encryption(encryption)

    @property
    def deeds(self) -> dict[str, Any]:
        """How many messages were opened so far, and how many turned down."""
        return {"opened": self._opened, "turned_down": self._turned_down}

    def pass_on(self, flow: http.HTTPFlow, account: str, body: Mapping[str, Any], passed: Passed) -> None:
        """Let `flow`, in which `account` posts `body`, go on as `passed` says, and record what was read."""
        moment = flow.request.timestamp_start
        seen = [Observation(Observer.SERVER, place, "", _UP, moment, data) for place, data in passed.opened]
        for one in seen:
            self.recorder.got(flow.client_conn.id, one.place, _UP, moment, one.data)
            _log.info("read from %s: %s", account, one.data.decode(errors="replace"))
        if self.interactive:
            self.mark(flow, seen)
        self._opened += bool(seen)
        if passed.turned_down:
            self._turned_down += 1
            missing = [{"account": name, "device": number} for name, number in passed.turned_down]
            problem = {"type": "about:blank", "title": "Conflict", "status": 409, "detail": "Wrong devices."}
            reply(flow, 409, {**problem, "missing": missing, "stale": []})
        elif passed.body is not body:
            replace_json(flow.request, passed.body)


def engine(encryption: str) -> Engine:
    """LabError: there is no such encryption, or it is not installed."""
    if encryption not in list(Encryption):
        raise LabError(f"there is no encryption {encryption!r}: it is one of {', '.join(Encryption)}")
    return engine_for(Encryption(encryption), os.urandom)


def replace_json(message: http.Message, fields: Mapping[str, Any]) -> None:
    """Let `message` carry these fields."""
    message.content = dump(dict(fields))


def reply(flow: http.HTTPFlow, status: int, fields: Mapping[str, Any]) -> None:
    """Answer in place of the service, which is not asked."""
    media_type = "application/json" if status < 400 else "application/problem+json"
    flow.metadata[REPLIED] = True
    flow.response = http.Response.make(status, dump(dict(fields)), {"Content-Type": media_type})
