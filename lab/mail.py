"""Messages, files and device lists, as the server's record holds them. Pure.

The service is blind: it passes on envelopes, stores what it cannot open, and hands out lists that it cannot sign. What
stands here is what its record says about them, in the order of the record, and nothing is opened.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.e2ee.identity import DeviceList, read_device_list
from lab.e2ee.protocol import E2EEError
from lab.model import Capture

if TYPE_CHECKING:
    # Participants' side and attackers read addresses and lists only: they need not load the detector for it.
    from lab.record import Exchange

_POST = re.compile(r"POST /v1/conversations/([^/ ]+)/messages ")
_DEVICE_LIST = re.compile(
    r"(?:GET /v1/accounts/[^/ ]+/device-list|POST /v1/accounts/[^/ ]+/handouts|PUT /v1/device-list) "
)

_LATEST = 2.0**37
"""Some time after the year 6000."""

ENVELOPE, FILE = "opened.envelope", "opened.file"
"""The places of messages and files that somebody has opened."""

type Address = tuple[str, int]
"""Account and device number."""


@dataclass(frozen=True, slots=True)
class Carried:
    """One message as the server passed it on: from which device, and every ciphertext in it.

    `recipients` are all devices that it was for: some may have had no envelope of their own, only what is `shared`.
    `time` is when the service took it, in seconds since the epoch, by its clock.
    """

    conversation: str
    sender: Address
    envelopes: tuple[tuple[Address, bytes], ...]
    shared: bytes = b""
    recipients: tuple[Address, ...] = ()
    time: float = 0.0


def messages(exchanges: Sequence[Exchange]) -> Iterator[Carried]:
    """The messages with envelopes that were posted and delivered."""
    senders = dict(_senders(exchanges))
    for one in exchanges:
        post, posted = _POST.match(one.line), json_object(one.answer)
        match posted.get("id"):
            case str(id_) if post is not None and id_ in senders:
                fields = json_object(one.request)
                addressed = list(_addressed(fields.get("envelopes")))
                yield Carried(
                    post[1],
                    senders[id_],
                    tuple((address, from_base64(data)) for address, data in addressed if data is not None),
                    from_base64(fields.get("shared")),
                    tuple(address for address, _ in addressed),
                    _moment(posted.get("time")),
                )


def blobs(exchanges: Iterable[Exchange]) -> dict[str, bytes]:
    """What was stored for others to fetch, by its id."""
    posts = (one for one in exchanges if one.line.startswith("POST /v1/blobs "))
    return {str(json_object(one.answer).get("id")): one.request for one in posts}


def device_lists(exchanges: Iterable[Exchange]) -> Iterator[DeviceList]:
    """Every device list that the service stored or handed out, each time that it did, if its signature is valid.

    Whose account key it is signed with is not looked at: a service can hand out a list of its own making.
    """
    for one in exchanges:
        if _DEVICE_LIST.match(one.line):
            match json_object(one.answer):
                case {"name": str(name), "data": str(data)}:
                    with suppress(E2EEError):
                        yield read_device_list(from_base64(data), name)


def names(capture: Capture) -> dict[str, str]:
    """Account → the name in the story, by the participants' own statements."""
    return {one.account: one.who for one in capture.statements if one.account}


def json_object(data: bytes) -> Mapping[str, Any]:
    """The JSON object in `data`; an empty one if it is none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def from_base64(text: object) -> bytes:
    """The bytes that `text` stands for; none if it is no base64."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return b""


def _senders(exchanges: Iterable[Exchange]) -> Iterator[tuple[str, Address]]:
    """For each message that was delivered: its id, and which device sent it."""
    for one in exchanges:
        if one.line.startswith("GET /v1/events"):
            for line in one.answer.splitlines():
                if line.startswith(b"data:"):
                    match json_object(line[5:]):
                        case {"id": str(id_), "sender": str(sender), "device": int(device)}:
                            yield id_, (sender, device)


def _addressed(envelopes: object) -> Iterator[tuple[Address, str | None]]:
    """Every device that a message was posted for, with its envelope in base64 if it has one of its own."""
    for envelope in envelopes if isinstance(envelopes, list) else ():
        match envelope:
            case {"recipient": str(account), "device": int(number)}:
                data = envelope.get("data")
                yield (account, number), data if isinstance(data, str) else None


def _moment(time: object) -> float:
    """Seconds since the epoch; 0 for what is no time that a clock shows."""
    return float(time) if isinstance(time, int | float) and 0 <= time < _LATEST else 0.0
