"""Ghosts: an operator who adds a device to somebody's account, or a member to a conversation, and reads along.

    mitmdump -s addons/ghost_device.py --mode reverse:http://127.0.0.1:PORT --set keep_host_header=true \\
             --listen-host 127.0.0.1 --listen-port 8083 --set lab_ghost_device=BOB

PORT is where the lab's own service listens; clients, or a front end (addons/server_observer.py), connect to 8083. Start
it before the accounts are made: it learns who has which devices from what passes. `mitmproxy` and `mitmweb` take the
same arguments.

    --set lab_ghost_device=BOB          the account BOB has one more device, for all others; repeat it for more
    --set lab_ghost_unsigned=true       in a list with a made-up signature: every app refuses it, and sends nothing
    --set lab_ghost_member=NAME         the account NAME, which nobody has made, is a member of all conversations
    --set lab_encryption=pqxdh          how the apps encrypt: pqxdh, x3dh, static, rsa, olm
    --set lab_record=FILE               write what it reads into the new FILE (JSON lines)
    --set lab_secret=body=VALUE         mark and comment flows in which it reads VALUE
    --set lab_own_traffic=true          the service is on another machine, and all traffic there is your own

What it reads is logged, message by message. What the others see of it, and why a ghost that nobody sees reads nothing:
lab/attack/ghost.py.

Orders of a lesson (`act`), which add to each other:

    {"device": "BOB"}                   and beside it, if wanted: "signed": false, "encryption": "x3dh"
    {"member": "NAME"}                  and beside it, if wanted: "conversations": [ID, …], "encryption": "x3dh"
    {"stop": {}}                        no ghosts any more
    {"done": {}}                        answer {"opened": messages, "turned_down": messages} so far

Only for traffic that is your own.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader

from lab.attack.event_stream import Change
from lab.attack.ghost import Ghosts
from lab.mail import Address, from_base64, json_object
from lab.model import LabError
from lab.stage.operator_tap import SealedTap, engine, replace_json, reply

WANTED = "lab_wanted"


class GhostDevice(SealedTap):
    def __init__(self) -> None:
        super().__init__()
        self._ghosts = Ghosts(engine(self.encryption), os.urandom)

    def load(self, loader: Loader) -> None:
        super().load(loader)
        loader.add_option("lab_ghost_device", Sequence[str], [], "Accounts that have one more device. Repeatable.")
        loader.add_option("lab_ghost_unsigned", bool, False, "The lists with these devices have no valid signature.")
        loader.add_option("lab_ghost_member", Sequence[str], [], "Accounts that are members everywhere. Repeatable.")

    def configure(self, updated: set[str]) -> None:
        super().configure(updated)
        if updated & {"lab_ghost_device", "lab_ghost_unsigned", "lab_ghost_member", "lab_encryption"}:
            self._ghosts.lay()
            for account in ctx.options.lab_ghost_device:
                self._ghosts.add_device(account, signed=not ctx.options.lab_ghost_unsigned)
            for name in ctx.options.lab_ghost_member:
                self._ghosts.add_member(name)

    def encrypt_with(self, encryption: str) -> None:
        self._ghosts.use(engine(encryption))

    def act(self, orders: Mapping[str, Any]) -> dict[str, Any]:
        match orders:
            case {"device": str(account)}:
                self.expect(orders.get("encryption"))
                self._ghosts.add_device(account, signed=orders.get("signed") is not False)
                return {}
            case {"member": str(name)}:
                self.expect(orders.get("encryption"))
                self._ghosts.add_member(name, orders.get("conversations", ()))
                return {}
            case {"stop": {}}:
                self._ghosts.lay()
                return {}
            case {"done": {}}:
                return self.deeds
        raise LabError(f"the ghosts know no order {dict(orders)}")

    def asked(self, flow: http.HTTPFlow, account: str) -> None:
        body = json_object(flow.request.content or b"")
        match flow.request.method, flow.request.path_components:
            case "POST", ("v1", "conversations", conversation, "messages"):
                self.pass_on(flow, account, body, self._ghosts.posted(account, conversation, body))
            case "GET", ("v1", "accounts", name, "device-list"):
                if (found := self._ghosts.member(name)) is not None:
                    reply(flow, 200, found)
            case "POST", ("v1", "accounts", name, "handouts"):
                if isinstance(body.get("devices"), list):
                    flow.metadata[WANTED] = body["devices"]
                match self._ghosts.asked(account, name, flow.metadata.get(WANTED)):
                    case list(devices):
                        replace_json(flow.request, {"devices": devices})
                    case Mapping() as found:
                        reply(flow, 200, found)

    def answered(self, flow: http.HTTPFlow, account: str, answer: http.Response) -> None:
        fields = json_object(answer.content or b"")
        changed = fields
        match flow.request.method, flow.request.path_components, fields:
            case "PUT", ("v1", "device-list"), {"name": str(name), "data": str(data)}:
                self._ghosts.published(name, from_base64(data))
            case "GET" | "POST", ("v1", "accounts", name, "device-list" | "handouts"), _:
                changed = self._ghosts.answered(account, name, fields, flow.metadata.get(WANTED))
            case "POST", ("v1", "blobs"), {"id": str(blob)}:
                self._ghosts.stored(blob, flow.request.content or b"")
            case "POST", ("v1", "conversations") | ("v1", "conversations", _, "members"), _:
                changed = self._ghosts.conversation(fields)
            case "GET", ("v1", "conversations"), {"conversations": list(found)}:
                changed = {"conversations": [self._ghosts.conversation(one) for one in found]}
        if changed is not fields:
            replace_json(answer, changed)

    def deliver(self, reader: Address) -> Change:
        return lambda name, fields: self._ghosts.conversation(fields) if name == "members" else None


addons = [GhostDevice()]
