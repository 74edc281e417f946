"""End-to-end encrypted conversations put down by hand as a server would have recorded them: real keys, no network."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab import capture
from lab.e2ee.engines import engine_for
from lab.e2ee.identity import sign_device_list
from lab.e2ee.prekeys import Handed
from lab.model import (
    Capture,
    Deed,
    DeviceCopy,
    Direction,
    Encryption,
    Mode,
    Observation,
    Observer,
    Statement,
    Story,
)

START = 1_790_000_000.0
CONVERSATION = "6f0d4c36-0000-4000-8000-000000000001"

type Address = tuple[str, int]
"""The name of a participant, and the number of one of its devices."""


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


class Conversation:
    """Participants, their devices, and the record of the server between them. Accounts are names with a tag."""

    def __init__(self, encryption: Encryption = Encryption.PQXDH, mode: Mode = Mode.E2EE) -> None:
        self.engine = engine_for(encryption, os.urandom)
        self.story = Story("tour", "By hand", mode, (Observer.NETWORK, Observer.SERVER), START, encryption)
        self.account_keys: dict[str, Ed25519PrivateKey] = {}
        self.devices: dict[Address, bytes] = {}
        self.statements: list[Statement] = []
        self.observations: list[Observation] = []
        self.copies: list[DeviceCopy] = []
        self._sessions: dict[tuple[Address, Address], bytes] = {}
        self._sender_keys: dict[Address, bytes] = {}
        self._exchanges = 0
        self._posted = 0

    @staticmethod
    def account(who: str) -> str:
        return f"{who}-5eed"

    def join(self, who: str, *numbers: int) -> None:
        """`who` with these devices (or one) and a new account key; again, it is a new beginning."""
        self.account_keys[who] = Ed25519PrivateKey.generate()
        for number in numbers or (1,):
            self.devices[who, number] = self.engine.create(self.account(who), number)
        self.statements.append(Statement(who, Deed.LOGGED_IN, START, self.account(who)))
        fields = {"name": self.account(who), "data": base64_of(self.device_list(who))}
        self.exchange("PUT /v1/device-list HTTP/1.1", {"devices": [1], "data": fields["data"]}, fields)

    def device_list(self, who: str, key: Ed25519PrivateKey | None = None) -> bytes:
        devices = tuple(self.engine.public(state) for (owner, _), state in self.devices.items() if owner == who)
        return sign_device_list(key or self.account_keys[who], self.account(who), 1, devices)

    def hand_out(self, who: str, device_list: bytes) -> None:
        """The service gives `device_list` to somebody who asks for that of `who`."""
        fields = {"name": self.account(who), "data": base64_of(device_list)}
        self.exchange(f"GET /v1/accounts/{self.account(who)}/device-list HTTP/1.1", {}, fields)

    def seal(self, sender: Address, recipient: Address, text: bytes) -> bytes:
        """An envelope, in a session that is begun with the first one."""
        if (sender, recipient) not in self._sessions:
            published = self.engine.publish(self.devices[recipient], 1)
            self.devices[recipient] = published.device
            kinds = published.one_time.one_time, published.one_time.one_time_kem
            handed = Handed(published.signed, *(keys[0][1] if keys else None for keys in kinds))
            peer = self.engine.public(self.devices[recipient])
            self._sessions[sender, recipient] = self.engine.begin(self.devices[sender], None, peer, handed)
        sealed = self.engine.seal(self.devices[sender], self._sessions[sender, recipient], text)
        self._sessions[sender, recipient] = sealed.state
        return sealed.message

    def open(self, sender: Address, recipient: Address, envelope: bytes) -> bytes:
        """What `recipient` reads; with that it can answer in the same session."""
        peer, session = self.engine.public(self.devices[sender]), self._sessions.get((recipient, sender))
        opened = self.engine.open(self.devices[recipient], session, peer, envelope)
        self.devices[recipient] = opened.device
        if opened.session:
            self._sessions[recipient, sender] = opened.session
        return opened.plaintext

    def seal_for_all(self, sender: Address, text: bytes) -> bytes:
        assert self.engine.groups is not None
        key = self._sender_keys.get(sender) or self.engine.groups.create(self.devices[sender], CONVERSATION.encode())
        sealed = self.engine.groups.seal(key, text)
        self._sender_keys[sender] = sealed.state
        return sealed.message

    def post(
        self, sender: Address, envelopes: dict[Address, bytes | None], shared: bytes = b"", *, delivered: bool = True
    ) -> None:
        """A message, a second after the one before it."""
        self._posted += 1
        who, number = sender
        id_, moment = f"message-{self._posted}", START + self._posted
        addressed = [
            {"recipient": self.account(to), "device": device, "data": base64_of(data) if data is not None else None}
            for (to, device), data in envelopes.items()
        ]
        request = {"device": number, "envelopes": addressed, "shared": base64_of(shared) if shared else None}
        line = f"POST /v1/conversations/{CONVERSATION}/messages HTTP/1.1"
        self.exchange(line, request, {"id": id_, "time": moment})
        if delivered:
            message = {"id": id_, "conversation": CONVERSATION, "sender": self.account(who), "device": number}
            self.exchange("GET /v1/events?after=0 HTTP/1.1", {}, b"event: message\ndata: %s\n\n" % dumped(message))

    def exchange(self, line: str, request: dict[str, Any], answer: dict[str, Any] | bytes) -> None:
        self._exchanges += 1
        answered = answer if isinstance(answer, bytes) else dumped(answer)
        for direction, place, data in (
            (Direction.TO_SERVICE, "http.request_line", line.encode()),
            (Direction.TO_SERVICE, "http.body", dumped(request) if request else b""),
            (Direction.TO_CLIENT, "http.status_line", b"HTTP/1.1 200 OK"),
            (Direction.TO_CLIENT, "http.body", answered),
        ):
            self.observations.append(Observation(Observer.SERVER, place, "1", direction, START, data, self._exchanges))

    def recorded(self) -> Capture:
        return Capture(
            self.story,
            statements=tuple(self.statements),
            observations=tuple(self.observations),
            copies=tuple(self.copies),
        )

    def written(self, folder: Path) -> Path:
        """The recording as a file, as `lab run --captures` leaves one."""
        path = folder / f"by-hand{capture.SUFFIX}"
        with capture.Writer(path, self.story) as writer:
            writer.add(*self.statements, *self.observations, *self.copies)
        return path


def dumped(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()
