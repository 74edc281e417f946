"""What a participant asks of the message service, one method for each operation: HTTP in, checked values out.

The service may be hostile. Whatever it answers that is not of the agreed shape ends in WireError here, and nothing in
these values is true because the service says so: keys and lists of devices are verified where they are used.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lab.e2ee.engine import Published
from lab.e2ee.prekeys import Handed
from lab.e2ee.transparency import LogEntry, TreeHead
from lab.messenger.content import is_text
from lab.messenger.wire import EventStream, Wire, WireError

_MOST = 2**63
"""Sequence numbers and ids of keys are below it."""

_MOST_VERSIONS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as the service delivers it. `device` None: its sender said nothing of a device.

    `plain` has text and attachment as the service can read them; `envelope`, `shared` and `commitment` are None or
    base64, so far as that is kept to.
    """

    id: str
    sequence: int
    conversation: str
    sender: str
    device: int | None
    plain: Mapping[str, Any]
    envelope: str | None
    shared: str | None
    commitment: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing in it that was sealed."""
        return self.envelope is None and self.shared is None and any(self.plain.values())


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A tree head of the service's log, and the key that it is said to be signed with. Nothing is verified."""

    key: bytes
    head: TreeHead


@dataclass(frozen=True, slots=True)
class Logged:
    """The latest entry of an account in the service's log: its number, and the proof that it is under the head."""

    signed: SignedHead
    number: int
    entry: LogEntry
    path: list[bytes]


@dataclass(frozen=True, slots=True)
class Members:
    """The members of a conversation by now, as the service says."""

    conversation: str
    accounts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Profile:
    """What an account says about itself to all others, the service included."""

    display_name: str
    status: str


type Address = tuple[str, int | None]
"""An account and the number of a device, None for an account that has none."""


class Operations:
    """The operations of the message service over `wire`. WireError comes out of every method."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def create_account(self, name: str, password: str) -> None:
        """Make an account and be logged in."""
        self._log_in("/v1/accounts", name, password)

    def log_in(self, name: str, password: str) -> None:
        self._log_in("/v1/login", name, password)

    def put_device_list(self, data: bytes, devices: Sequence[int]) -> None:
        self._wire.call("PUT", "/v1/device-list", {"data": encode(data), "devices": list(devices)})

    def device_list(self, account: str) -> bytes:
        """The list of devices that an account has signed, or so the service says."""
        return _data(self._wire.call("GET", f"/v1/accounts/{_quoted(account)}/device-list"), "data")

    def put_keys(self, device: int, published: Published) -> None:
        keys = published.one_time
        body = {
            "signed": encode(published.signed),
            "one_time": [{"id": id_, "data": encode(data)} for id_, data in keys.one_time],
            "one_time_kem": [{"id": id_, "data": encode(data)} for id_, data in keys.one_time_kem],
        }
        self._wire.call("PUT", f"/v1/devices/{device}/keys", body)

    def stock(self, device: int) -> int:
        """How many one-time keys the service has left to hand out."""
        return _number(self._wire.call("GET", f"/v1/devices/{device}/keys"), "one_time")

    def hand_out(self, account: str, devices: Sequence[int] | None) -> tuple[bytes, dict[int, Handed]]:
        """The device list of an account, and keys to begin sessions: with those devices, or with all of them.

        A device that has published no keys yet is not in it.
        """
        body = {} if devices is None else {"devices": list(devices)}
        answer = self._wire.call("POST", f"/v1/accounts/{_quoted(account)}/handouts", body)
        handed = {
            _number(each, "device"): Handed(_data(each, "signed"), *(_key(each.get(kind)) for kind in _KINDS))
            for each in _objects(answer, "devices")
            if each.get("signed") is not None
        }
        return _data(answer, "data"), handed

    def log_head(self) -> SignedHead:
        return _signed_head(self._wire.call("GET", "/v1/log/head"))

    def log_entry(self, account: str) -> Logged:
        answer = self._wire.call("GET", f"/v1/accounts/{_quoted(account)}/log-entry")
        head, entry = _object(answer, "head"), _object(answer, "entry")
        return Logged(_signed_head(head), _number(answer, "number"), _entry(entry), _hashes(answer, "path"))

    def log_consistency(self, first: int, second: int) -> list[bytes]:
        """The proof that the log of `second` entries begins with that of `first`."""
        return _hashes(self._wire.call("GET", f"/v1/log/consistency?first={first}&second={second}"), "path")

    def log_entries(self, start: int, end: int) -> list[LogEntry]:
        """Entries from number `start` on, and none from `end` on, or so it was asked."""
        answer = self._wire.call("GET", f"/v1/log/entries?start={start}&end={end}")
        return [_entry(each) for each in _objects(answer, "entries")]

    def own_log_entries(self) -> list[bytes]:
        """The device lists behind the entries of this account."""
        return [_data(each, "data") for each in _objects(self._wire.call("GET", "/v1/log/own-entries"), "entries")]

    def start_conversation(self, accounts: Sequence[str], title: str) -> str:
        body = {"members": list(accounts), **({"title": title} if title else {})}
        return _text(self._wire.call("POST", "/v1/conversations", body), "id")

    def title(self, conversation: str) -> str:
        """The title of one of this account's conversations, "" if it has none."""
        found = _objects(self._wire.call("GET", "/v1/conversations"), "conversations")
        titles = (one.get("title") for one in found if one.get("id") == conversation)
        title = next(titles, None)
        return title if isinstance(title, str) and is_text(title) else ""

    def add_member(self, conversation: str, account: str) -> None:
        self._wire.call("POST", f"/v1/conversations/{_quoted(conversation)}/members", {"account": account})

    def remove_member(self, conversation: str, account: str) -> None:
        self._wire.call("DELETE", f"/v1/conversations/{_quoted(conversation)}/members/{_quoted(account)}")

    def members(self, conversation: str) -> list[str]:
        """The accounts in a conversation of this account, as the service says; none, if it says nothing of it."""
        return [name for one in self._own() if one.get("id") == conversation for name in _names(one)]

    def conversations(self) -> list[str]:
        """The ids of this account's conversations."""
        return [_text(one, "id") for one in self._own()]

    def _own(self) -> list[dict[str, Any]]:
        return _objects(self._wire.call("GET", "/v1/conversations"), "conversations")

    def agree_to_encrypt(self, conversation: str) -> bool:
        """Offer encryption, or accept what the other member has offered; whether both have agreed now."""
        return self._wire.call("POST", f"/v1/conversations/{_quoted(conversation)}/encryption").get("accepted") is True

    def encryption_offered_by(self, conversation: str) -> str | None:
        """Who has offered to encrypt a conversation, and waits for the other member; None if nobody does."""
        state = self._wire.call("GET", f"/v1/conversations/{_quoted(conversation)}/encryption")
        if state.get("offered_by") is None or state.get("accepted") is True:
            return None
        return _text(state, "offered_by")

    def stored(self, conversation: str, device: int | None) -> list[dict[str, Any]]:
        """The messages of a conversation as the service has them for this device, as it says them."""
        path = f"/v1/conversations/{_quoted(conversation)}/messages"
        return _objects(self._wire.call("GET", path if device is None else f"{path}?device={device}"), "messages")

    def set_lifetime(self, conversation: str, seconds: int | None) -> None:
        """Have the service delete what is posted from now on after so long, 0: once it was read, None: never."""
        self._wire.call("PUT", f"/v1/conversations/{_quoted(conversation)}/lifetime", {"seconds": seconds})

    def post(self, conversation: str, body: dict[str, Any]) -> None:
        self._wire.call("POST", f"/v1/conversations/{_quoted(conversation)}/messages", body)

    def acknowledge(self, message: str, state: str) -> None:
        self._wire.call("POST", f"/v1/messages/{_quoted(message)}/receipts", {"state": state})

    def put_profile(self, profile: Profile) -> None:
        self._wire.call("PUT", "/v1/profile", {"display_name": profile.display_name, "status": profile.status})

    def profile(self, account: str) -> Profile:
        """What an account says about itself."""
        answer = self._wire.call("GET", f"/v1/accounts/{_quoted(account)}/profile")
        return Profile(_text(answer, "display_name"), _text(answer, "status"))

    def report(self, body: dict[str, Any]) -> str:
        """Show the operator a message; returns the report's id."""
        return _text(self._wire.call("POST", "/v1/reports", body), "id")

    def delivered_to(self, message: str, device: int | None) -> frozenset[str]:
        """The accounts that a message has reached, as the service says."""
        asked = f"/v1/messages/{_quoted(message)}{'' if device is None else f'?device={device}'}"
        return frozenset(_text(each, "account") for each in _objects(self._wire.call("GET", asked), "receipts"))

    def upload(self, data: bytes) -> str:
        """Store bytes; returns the id under which anybody who knows it gets them."""
        return _text(self._wire.upload("/v1/blobs", data), "id")

    def download(self, blob: str) -> bytes:
        return self._wire.download(f"/v1/blobs/{_quoted(blob)}")

    def events(self, after: int, device: int | None) -> EventStream:
        """The stream of what is for this device (None: for the account) and follows `after`, once it has begun."""
        with ExitStack() as failed:
            stream = self._wire.events(f"/v1/events?after={after}{'' if device is None else f'&device={device}'}")
            failed.callback(stream.close)
            name, _ = stream.next()
            if name != "ready":
                raise WireError(f"the event stream began with {name!r} instead of 'ready'")
            failed.pop_all()
            return stream

    def _log_in(self, path: str, name: str, password: str) -> None:
        self._wire.login(_text(self._wire.call("POST", path, {"name": name, "password": password}), "token"))


@dataclass(frozen=True, slots=True)
class TextMessage:
    """A text message (SMS) as the phone company delivers it. `message`: in whose place it was sent."""

    id: str
    sender: str
    message: str
    text: str


class PhoneCompany:
    """Text messages over `wire`, without login. WireError comes out of every method."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def send(self, sender: str, recipient: str, message: str, text: str) -> None:
        body = {"sender": sender, "recipient": recipient, "message": message, "text": text}
        self._wire.call("POST", _TEXTS, body)

    def waiting(self, recipient: str) -> list[TextMessage]:
        """What has not been delivered to this phone yet."""
        answer = self._wire.call("GET", f"{_TEXTS}?recipient={_quoted(recipient)}")
        return [
            TextMessage(
                _text(each, "id"),
                _text(each, "sender"),
                "" if each.get("message") is None else _text(each, "message"),
                _text(each, "text"),
            )
            for each in _objects(answer, "texts")
        ]

    def delivered(self, text: TextMessage) -> None:
        """Say that it has arrived."""
        self._wire.call("DELETE", f"{_TEXTS}/{_quoted(text.id)}")


_TEXTS = "/v1/text-messages"

_KINDS = ("one_time", "one_time_kem")


def read_event(name: str, fields: Mapping[str, Any]) -> Arrived | Members | None:
    """What an event of the stream says; None for those that say nothing here. WireError: not of its shape."""
    if name == "message":
        return Arrived(
            _text(fields, "id"),
            _number(fields, "sequence"),
            _text(fields, "conversation"),
            _text(fields, "sender"),
            None if fields.get("device") is None else _number(fields, "device"),
            {part: fields.get(part) for part in ("text", "attachment")},
            *(
                None if fields.get(part) is None else _text(fields, part)
                for part in ("envelope", "shared", "commitment")
            ),
        )
    if name == "members":
        return Members(_text(fields, "conversation"), frozenset(_names(fields)))
    return None


def addresses(problem: Mapping[str, Any], which: str) -> list[Address]:
    """The addresses in one member of the problem that answers a wrongly addressed message; [] if it has none."""
    if which not in problem:
        return []
    return [
        (_text(each, "account"), None if each.get("device") is None else _number(each, "device"))
        for each in _objects(problem, which)
    ]


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _nonsense(what: str) -> WireError:
    return WireError(f"what the service says is not of the agreed shape: {what!r}")


def _text(fields: Mapping[str, Any], what: str) -> str:
    found = fields.get(what)
    if not isinstance(found, str) or not is_text(found):
        raise _nonsense(what)
    return found


def _number(fields: Mapping[str, Any], what: str) -> int:
    found = fields.get(what)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < _MOST:
        raise _nonsense(what)
    return found


def _data(fields: Mapping[str, Any], what: str) -> bytes:
    try:
        return base64.b64decode(_text(fields, what), validate=True)
    except ValueError:
        raise _nonsense(what) from None


def _names(fields: Mapping[str, Any]) -> list[str]:
    """Those in "members"."""
    members = fields.get("members")
    if not isinstance(members, list):
        raise _nonsense("members")
    return [member for member in members if isinstance(member, str)]


def _objects(fields: Mapping[str, Any], what: str) -> list[dict[str, Any]]:
    found = fields.get(what)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _nonsense(what)
    return found


def _object(fields: Mapping[str, Any], what: str) -> dict[str, Any]:
    found = fields.get(what)
    if not isinstance(found, dict):
        raise _nonsense(what)
    return found


def _hashes(fields: Mapping[str, Any], what: str) -> list[bytes]:
    found = fields.get(what)
    if not isinstance(found, list):
        raise _nonsense(what)
    return [_data({what: each}, what) for each in found]


def _signed_head(fields: Mapping[str, Any]) -> SignedHead:
    root, signature = _data(fields, "root"), _data(fields, "signature")
    return SignedHead(_data(fields, "key"), TreeHead(_number(fields, "size"), root, signature))


def _entry(fields: Mapping[str, Any]) -> LogEntry:
    version = _number(fields, "version")
    if version > _MOST_VERSIONS:
        raise _nonsense("version")
    return LogEntry(_text(fields, "account"), version, _data(fields, "digest"))


def _key(fields: object) -> bytes | None:
    if fields is None:
        return None
    if not isinstance(fields, dict):
        raise _nonsense("one-time key")
    return _data(fields, "data")
