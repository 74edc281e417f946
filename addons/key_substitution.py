"""Key substitution: an operator who hands out keys of its own, reads, and seals anew in both directions.

    mitmdump -s addons/key_substitution.py --mode reverse:http://127.0.0.1:PORT --set keep_host_header=true \\
             --listen-host 127.0.0.1 --listen-port 8082 --set lab_substitute=all

PORT is where the lab's own service listens; clients, or a front end (addons/server_observer.py), connect to 8082. Start
it before the accounts are made: it learns who has which devices from what passes. `mitmproxy` and `mitmweb` take the
same arguments.

    --set lab_substitute=all            deceive all accounts about each other (default: nobody)
    --set lab_substitute=ALICE,BOB      or these about each other; repeat it for more
    --set lab_split=FILE                a second log of keys for each of them; FILE is the service's database
    --set lab_insist=true               those too who have met before: their apps warn of a changed identity
    --set lab_encryption=pqxdh          how the apps encrypt: pqxdh, x3dh, static, rsa, olm
    --set lab_record=FILE               write what it reads into the new FILE (JSON lines)
    --set lab_secret=body=VALUE         mark and comment flows in which it reads VALUE
    --set lab_own_traffic=true          the service is on another machine, and all traffic there is your own

With lab_split, whoever is handed out a false device list is shown a log that has it, from then on. In messages between
two of the deceived the operator replaces what each has seen of the log. Two who are not both deceived find out when one
writes to the other (lab/messenger/log_view.py), and so do groups, where one text is for all.

What it reads is logged, message by message. The apps notice nothing: every signature and every device list is right.
Two people who compare safety numbers find out. How it works: lab/attack/substitution.py.

Orders of a lesson (`act`), which add to each other:

    {"substitute": "all"}               or {"substitute": ["ALICE", "BOB", …]}, and beside it, if wanted:
        "insist": true, "encryption": "x3dh", "account_keys": {"ALICE": BASE64}   (Ed25519, private, 32 bytes, to show)
        "split": FILE
    {"stop": {}}                        deceive nobody any more: whoever was deceived notices with the next message
    {"done": {}}                        answer {"opened": messages, "turned_down": messages} so far

Only for traffic that is your own.
"""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader

from lab.attack.event_stream import Change
from lab.attack.forked_log import SplitView, read_log
from lab.attack.substitution import Substitution, Victims, as_it_is
from lab.mail import Address, from_base64, json_object
from lab.model import LabError
from lab.stage.operator_tap import SealedTap, engine, replace_json, reply

ALL = "all"


class KeySubstitution(SealedTap):
    def __init__(self) -> None:
        super().__init__()
        self._attack = Substitution(engine(self.encryption), os.urandom)
        self._view: SplitView | None = None

    def load(self, loader: Loader) -> None:
        super().load(loader)
        loader.add_option(
            "lab_substitute", Sequence[str], [], "Whom to deceive about each other: all, or ALICE,BOB. Repeatable."
        )
        loader.add_option("lab_split", str, "", "Keep a second log of keys for each: the service's database.")
        loader.add_option("lab_insist", bool, False, "Deceive those too who have met before: their apps warn.")

    def configure(self, updated: set[str]) -> None:
        super().configure(updated)
        if "lab_split" in updated and ctx.options.lab_split:
            self._split(ctx.options.lab_split)
        if updated & {"lab_substitute", "lab_insist"}:
            circles = [one if one == ALL else one.split(",") for one in ctx.options.lab_substitute]
            self._attack.victims = Victims(
                ALL in circles, tuple(frozenset(one) for one in circles if one != ALL), ctx.options.lab_insist
            )

    def encrypt_with(self, encryption: str) -> None:
        self._attack.use(engine(encryption))

    def act(self, orders: Mapping[str, Any]) -> dict[str, Any]:
        match orders:
            case {"substitute": "all" | list() as whom}:
                self.expect(orders.get("encryption"))
                if "split" in orders:
                    self._split(orders["split"])
                for account, key in orders.get("account_keys", {}).items():
                    self._attack.choose(account, Ed25519PrivateKey.from_private_bytes(from_base64(key)))
                before, circle = self._attack.victims, () if whom == ALL else (frozenset(whom),)
                self._attack.victims = Victims(
                    before.everybody or whom == ALL,
                    (*before.circles, *circle),
                    before.insist or orders.get("insist") is True,
                )
                return {}
            case {"stop": {}}:
                self._attack.victims = Victims()
                self._attack.rewrite, self._view = as_it_is, None
                return {}
            case {"done": {}}:
                return self.deeds
        raise LabError(f"key substitution knows no order {dict(orders)}")

    def asked(self, flow: http.HTTPFlow, account: str) -> None:
        match flow.request.method, flow.request.path_components:
            case "GET", ("v1", "log", _) | ("v1", "accounts", _, "log-entry") if self._view is not None:
                found = self._view.answer(account, flow.request.path)
                if found is not None:
                    reply(flow, 200, json_object(found))
            case "POST", ("v1", "conversations", conversation, "messages"):
                body = json_object(flow.request.content or b"")
                self.pass_on(flow, account, body, self._attack.posted(account, conversation, body))

    def answered(self, flow: http.HTTPFlow, account: str, answer: http.Response) -> None:
        fields = json_object(answer.content or b"")
        match flow.request.method, flow.request.path_components, fields:
            case "PUT", ("v1", "device-list"), {"name": str(name), "data": str(data)}:
                self._attack.published(name, from_base64(data))
            case "GET" | "POST", ("v1", "accounts", name, "device-list" | "handouts"), _:
                changed = self._attack.answered(account, name, fields)
                if changed is not fields:
                    replace_json(answer, changed)
                    if self._view is not None:
                        self._view.handed_out(account, name, from_base64(changed["data"]))
            case "POST", ("v1", "blobs"), {"id": str(blob)}:
                self._attack.stored(blob, flow.request.content or b"")

    def deliver(self, reader: Address) -> Change:
        return lambda name, fields: self._attack.delivered(reader, name, fields)

    def _split(self, database: str) -> None:
        self._view = SplitView(partial(read_log, Path(database)))
        self._attack.rewrite = self._view.rewritten


addons = [KeySubstitution()]
