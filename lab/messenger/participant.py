"""One participant with one device: what it sends depends on the mode, what it does is told to the transcript."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from lab.e2ee.sealing import Correspondent, Engine, EnvelopeError, OneShot
from lab.messenger.content import Content, dump, from_json, to_json
from lab.messenger.store import DeviceStore
from lab.messenger.wire import EventStream, Route, Wire, WireError
from lab.model import Deed, Statement

type Teller = Callable[[Statement], None]
"""Where a participant's statements go."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who a participant is: the name in the story, the account on the service, and its password."""

    who: str
    account: str
    password: str


class Participant:
    """Use as a context manager; leaving it closes every connection and the device store.

    `sealed` says whether contents are end-to-end encrypted; `key_log` is as in Wire. WireError and EnvelopeError come
    out of every method that speaks to the service.
    """

    def __init__(
        self, person: Person, route: Route, device: Path, tell: Teller, *, sealed: bool, key_log: Path | None = None
    ) -> None:
        self.person = person
        self._host = urlsplit(route.url).hostname or ""
        self._tell = tell
        self._wire = Wire(route, self._connected, key_log)
        self._store = DeviceStore(device)
        self._engine: Engine | None = None
        if sealed:
            self._engine = OneShot(person.account, self._store.identity(), self._store.encryption())
        self._events: EventStream | None = None

    def __enter__(self) -> Participant:
        return self

    def __exit__(self, *_: object) -> None:
        if self._events is not None:
            self._events.close()
        self._wire.close()
        self._store.close()

    def join(self) -> None:
        """Make the account, which logs in as well, and upload public keys if contents are to be sealed."""
        person = self.person
        session = self._wire.call("POST", "/v1/accounts", {"name": person.account, "password": person.password})
        self._wire.login(session["token"])
        self._say(Deed.LOGGED_IN, time.time(), password=person.password, host=self._host)
        if self._engine is not None:
            bundle = base64.b64encode(self._engine.bundle()).decode("ascii")
            self._wire.call("PUT", "/v1/keys", {"bundle": bundle})

    def listen(self) -> None:
        """Open the stream on which new messages arrive; returns once the service has confirmed it."""
        self._events = self._wire.events("/v1/events")
        name, _ = self._events.next()
        if name != "ready":
            raise WireError(f"the event stream began with {name!r} instead of 'ready'")

    def start_conversation(self, accounts: list[str]) -> str:
        """A new conversation with `accounts`; returns its id."""
        return str(self._wire.call("POST", "/v1/conversations", {"members": accounts})["id"])

    def send(self, conversation: str, recipients: list[str], content: Content) -> str:
        """Send `content` to the other members of `conversation`; returns the message's id."""
        if self._engine is None:
            body: dict[str, Any] = {"content": to_json(content)}
        else:
            sealed = [(name, self._seal(self._engine, name, conversation, content)) for name in recipients]
            body = {
                "envelopes": [
                    {"recipient": name, "data": base64.b64encode(data).decode("ascii")} for name, data in sealed
                ]
            }
        moment = time.time()
        message = str(self._wire.call("POST", f"/v1/conversations/{conversation}/messages", body)["id"])
        self._say_content(Deed.SENT, moment, message, ", ".join(recipients), content)
        return message

    def receive(self, *, confirm: bool = True) -> Content:
        """Wait for the next message, open it, confirm it to the service if wanted, and return what it says."""
        if self._events is None:
            raise WireError(f"{self.person.who} is not listening")
        name, message = self._events.next()
        while name != "message":
            name, message = self._events.next()
        if confirm:
            self._receipt(message["id"], "delivered")
        content = self._open(message)
        self._say_content(Deed.READ, time.time(), message["id"], message["sender"], content)
        if confirm:
            self._receipt(message["id"], "read")
        return content

    def _open(self, message: dict[str, Any]) -> Content:
        if self._engine is None:
            try:
                return from_json(message)
            except ValueError as error:
                raise WireError(f"message {message['id']}: {error}") from None
        sender = str(message["sender"])
        try:
            envelope = base64.b64decode(message["envelope"] or "", validate=True)
        except ValueError:
            raise EnvelopeError("the envelope is not in base64") from None
        plaintext = self._engine.open(envelope, self._correspondent(sender), str(message["conversation"]))
        if not self._store.remember(envelope):
            raise EnvelopeError("this envelope was opened before: somebody delivers it again")
        try:
            return from_json(json.loads(plaintext))
        except (ValueError, RecursionError):
            raise EnvelopeError("what the envelope holds is no message") from None

    def _seal(self, engine: Engine, account: str, conversation: str, content: Content) -> bytes:
        return engine.seal(dump(to_json(content)), self._correspondent(account), conversation)

    def _correspondent(self, account: str) -> Correspondent:
        bundle = self._store.pinned(account)
        if bundle is None:
            fetched = self._wire.call("GET", f"/v1/accounts/{quote(account, safe='')}/keys")["bundle"]
            bundle = self._store.pin(account, base64.b64decode(fetched))
        return Correspondent(account, bundle)

    def _receipt(self, message: str, state: str) -> None:
        self._wire.call("POST", f"/v1/messages/{message}/receipts", {"state": state})

    def _connected(self, local: tuple[str, int]) -> None:
        self._say(Deed.CONNECTED, time.time(), address=f"{local[0]}:{local[1]}", host=self._host)

    def _say_content(self, deed: Deed, moment: float, message: str, peer: str, content: Content) -> None:
        self._say(
            deed,
            moment,
            message=message,
            peer=peer,
            text=content.text,
            file_name=content.file.name if content.file else "",
            file=content.file.data if content.file else b"",
            size=content.size,
        )

    def _say(self, deed: Deed, moment: float, **about: Any) -> None:
        self._tell(Statement(self.person.who, deed, moment, self.person.account, **about))
