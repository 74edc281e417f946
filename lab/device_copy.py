"""What opens with a copy of a participant's device, out of everything that the server recorded. Pure.

Forward secrecy and healing as measurements: whoever got the copy takes every recorded message, in the order of the
record, and tries the keys in the copy on it. On what was sent to the device that is what its own app would do; on what
the device sent, it goes as far as the copied keys lead (`Engine.overhear`, and the device's own sender keys). Keys that
a message brings along (sender keys, keys of files) are used on what follows.

A copied device of the lab holds no history: messages that were read are gone. A real one keeps them, and then a copy
gives them away without any cryptography.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from lab.e2ee.device import DeviceState
from lab.e2ee.engine import Engine
from lab.e2ee.engines import engine_for
from lab.e2ee.files import FileKey, open_file
from lab.e2ee.identity import PublicDevice, read_device_list
from lab.e2ee.keys import Random
from lab.e2ee.padding import pad, unpad
from lab.e2ee.prekeys import Handed
from lab.e2ee.protocol import E2EEError
from lab.e2ee.textbook_rsa import TooLongError
from lab.mail import ENVELOPE, FILE, Address, Carried, blobs, device_lists, from_base64, json_object, messages
from lab.model import Capture, DeviceCopy, Direction, LabError, Observation, Observer, Secret
from lab.record import Record

STATE = "device.state"
"""Place: what the device holds."""

PLANTED = "planted"
"""Account of the stranger who writes the messages of the control."""


@dataclass(frozen=True, slots=True)
class _Server:
    """What the server's record holds of the messages."""

    messages: tuple[Carried, ...]
    blobs: Mapping[str, bytes]
    devices: Mapping[Address, PublicDevice]


def with_copies(capture: Capture) -> Capture:
    """`capture` with what the holder of the copies could read as observations of `device`; the same one without any.

    LabError: a copy is damaged, or what it needs is not installed.
    """
    if not capture.copies:
        return capture
    server = _server(capture)
    found: list[Observation] = []
    for copy in capture.copies:
        found.append(_observation(copy, STATE, copy.state))
        try:
            thief = _Thief(_engine(capture), copy, server, padded=capture.story.padded)
        except E2EEError as error:
            raise LabError(f"the copy of the device of {copy.who} is damaged: {error}") from None
        found += [_observation(copy, place, data) for one in server.messages for place, data in thief.open(one)]
    return replace(capture, observations=(*capture.observations, *found))


def planted(capture: Capture, secrets: Sequence[Secret]) -> Iterator[tuple[Secret, tuple[Observation, ...]]]:
    """What the holder of the first copy reads of messages that carry `secrets` to the copied device, from a stranger.

    A secret that the encryption cannot carry in one message is left out.
    """
    copy = capture.copies[0]
    engine = _engine(capture)
    state = DeviceState.from_bytes(copy.state)
    published = engine.publish(state.device, 1)
    fresh = published.one_time
    handed = Handed(published.signed, *(keys[0][1] if keys else None for keys in (fresh.one_time, fresh.one_time_kem)))
    copied = replace(copy, state=replace(state, device=published.device).to_bytes())
    stranger = engine.create(PLANTED, 1)
    sender = engine.public(stranger)
    session = engine.begin(stranger, None, engine.public(published.device), handed)
    thief = _Thief(engine, copied, _Server((), {}, {(PLANTED, 1): sender}), padded=capture.story.padded)
    for secret in secrets:
        content = json.dumps({"conversation": PLANTED, "text": secret.value.decode(errors="replace")}).encode()
        try:
            sealed = engine.seal(stranger, session, pad(content) if capture.story.padded else content)
        except TooLongError:
            continue
        session = sealed.state
        one = Carried(PLANTED, (PLANTED, 1), (((state.account, state.number), sealed.message),))
        yield secret, tuple(_observation(copy, place, data) for place, data in thief.open(one))


class _Thief:
    """Whoever has one copy, and what becomes of the keys in it as messages open."""

    def __init__(self, engine: Engine, copy: DeviceCopy, server: _Server, *, padded: bool) -> None:
        state = DeviceState.from_bytes(copy.state)
        self._engine = engine
        self._server = server
        self._padded = padded
        self._device = state.device
        self._me = (state.account, state.number)
        self._own = engine.public(state.device)
        if self._me != (self._own.account, self._own.device):
            raise E2EEError("it names another device than its keys do")
        self._devices = dict(server.devices)
        for account, data in state.contacts.items():
            self._devices |= {(account, one.device): one for one in read_device_list(data, account).devices}
        self._sessions = dict(state.sessions)
        self._readers = {place: list(readers) for place, readers in state.readers.items()}
        self._overheard: dict[Address, bytes] = {}
        for place, session in state.sessions.items():
            if (overheard := engine.overhear(state.device, session)) is not None:
                self._overheard[place] = overheard
        if engine.groups is not None:
            for conversation, key in state.sender_keys.items():
                reader = engine.groups.learn(conversation.encode(), self._own, engine.groups.distribution(key))
                self._readers.setdefault((conversation, *self._me), []).append(reader)

    def open(self, one: Carried) -> Iterator[tuple[str, bytes]]:
        """(place, bytes) for everything in `one` that opens."""
        # One after the other: an envelope may bring the very key that the shared part is under.
        for opened in (self._pairwise, self._shared):
            for plaintext in opened(one):
                yield ENVELOPE, plaintext
                yield from self._use(one, plaintext)

    def _pairwise(self, one: Carried) -> Iterator[bytes]:
        for address, envelope in one.envelopes:
            with suppress(E2EEError):
                if one.sender == self._me and address in self._overheard:
                    opened = self._engine.open(self._device, self._overheard[address], self._own, envelope)
                    self._overheard[address] = opened.session
                    yield opened.plaintext
                elif address == self._me and one.sender in self._devices:
                    session = self._sessions.get(one.sender)
                    opened = self._engine.open(self._device, session, self._devices[one.sender], envelope)
                    self._device, self._sessions[one.sender] = opened.device, opened.session
                    yield opened.plaintext

    def _shared(self, one: Carried) -> Iterator[bytes]:
        groups = self._engine.groups
        if not one.shared or groups is None:
            return
        readers = self._readers.get((one.conversation, *one.sender), [])
        for index, reader in enumerate(readers):
            with suppress(E2EEError):
                read = groups.open(reader, one.shared)
                readers[index] = read.reader
                yield read.plaintext

    def _use(self, one: Carried, plaintext: bytes) -> Iterator[tuple[str, bytes]]:
        """The file in a message, and the sender key in it for what follows."""
        with suppress(E2EEError):
            fields = json_object(unpad(plaintext) if self._padded else plaintext)
            match fields.get("sender_key"):
                case str(key) if self._engine.groups is not None and one.sender in self._devices:
                    group, sender = one.conversation.encode(), self._devices[one.sender]
                    learnt = self._engine.groups.learn(group, sender, from_base64(key))
                    self._readers.setdefault((one.conversation, *one.sender), []).append(learnt)
            match fields.get("attachment"):
                case {"id": str(blob)} as attachment if blob in self._server.blobs:
                    yield FILE, open_file(self._server.blobs[blob], FileKey.from_json(attachment))


def _engine(capture: Capture) -> Engine:
    return engine_for(capture.story.encryption, _repeatable(repr(capture.story).encode()))


def _repeatable(seed: bytes) -> Random:
    """Bytes that differ for each call but not for each run: the same capture gives the same matrix.

    Nothing that is sealed with them protects anything.
    """
    calls = iter(range(1 << 62))
    return lambda size: hashlib.shake_256(seed + next(calls).to_bytes(8, "big")).digest(size)


def _server(capture: Capture) -> _Server:
    exchanges = Record(capture, Observer.SERVER).exchanges
    devices = {(one.account, one.device): one for found in device_lists(exchanges) for one in found.devices}
    return _Server(tuple(messages(exchanges)), blobs(exchanges), devices)


def _observation(copy: DeviceCopy, place: str, data: bytes) -> Observation:
    return Observation(Observer.DEVICE, place, "", Direction.AT_REST, copy.time, data)
