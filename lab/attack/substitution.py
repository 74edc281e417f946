"""Key substitution: whoever runs the service hands out keys of its own, reads, and seals anew. Pure.

For each account that it deceives others about, the operator makes a double: an account key and a device for each real
device, all its own. Whoever asks for the account's devices is given those of the double, in a list that the double's
account key has signed: nothing in it is wrong, except whose key it is. So what Alice seals for Bob she seals for Bob's
double. The operator opens it as Bob's double, and seals the same anew as Alice's double for the real Bob, who was given
Alice's double in the same way. Both apps check signatures, device lists, sessions and sender keys, and all of them are
right. What is wrong is that Alice's safety number with Bob is not Bob's with Alice.

Everything that the operator uses it has: the requests and answers that pass, and the app, with which anybody can seal
and open under keys of their own. It needs no key of a participant, and gets none.

What follows from that, and is kept to here:

- One-time keys: for each that the service would have handed out, one of the double's is; the real one begins the
  double's own session with the real device. So the service's stock is what its owner expects.
- Device lists have the same numbers, versions and last device as the real ones, so that "409, wrong addresses" and the
  removal of a device look as they should.
- Groups: for each sender key of a real device its double has one of its own, renewed when the real one is. The
  ciphertext for all is sealed under that one. Those who are not deceived, and the sender's other devices (who know the
  sender's real keys), get the original one back when it is delivered (`delivered`).
- Pairs that have met before the attack began know each other's real keys. Standing in between them would be noticed, so
  they are left alone, unless the operator insists: then their messages are turned down as wrongly addressed. The app
  asks for the devices once more, is given the double, and warns.
- A message that was posted twice is sealed anew once.

Left out: doubles that outlive this process. Once it is gone, nobody can open what the deceived have sealed for each
other, and so they notice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.attack.accounts import DeviceLists
from lab.attack.posted import Blobs, Passed, address_of, encode, fields_of
from lab.e2ee.engine import Engine
from lab.e2ee.identity import sign_device_list
from lab.e2ee.keys import Random, new_signing_key
from lab.e2ee.padding import pad
from lab.e2ee.prekeys import Handed
from lab.e2ee.protocol import E2EEError
from lab.mail import Address, from_base64, json_object
from lab.messenger.content import dump

_KINDS = ("one_time", "one_time_kem")
_REMEMBERED = 256
"""Messages that were sealed anew and may be posted once more."""


@dataclass(frozen=True, slots=True)
class Victims:
    """Whom the operator deceives about each other: every two accounts, or every two of one of `circles`.

    `insist`: those too who have met before.
    """

    everybody: bool = False
    circles: tuple[frozenset[str], ...] = ()
    insist: bool = False

    def include(self, one: str, other: str) -> bool:
        return one != other and (self.everybody or any({one, other} <= circle for circle in self.circles))


@dataclass(frozen=True, slots=True)
class _Double:
    """An account as others are shown it; `real` is the account key in whose place `key` stands."""

    real: bytes
    key: Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class _States:
    """What making, opening and sealing change. Copied before each message, and kept if all of it went well."""

    devices: dict[Address, bytes] = field(default_factory=dict)
    """Of doubles."""
    sessions: dict[tuple[Address, Address], bytes] = field(default_factory=dict)
    """Between a double's device, which comes first, and a real one."""
    handed: dict[tuple[str, Address], tuple[Handed, ...]] = field(default_factory=dict)
    """Keys of a real device, by the account that asked for them: for a device of that account's double."""
    readers: dict[tuple[str, Address, bytes], bytes] = field(default_factory=dict)
    """By conversation, real device and id: real sender keys."""
    sender_keys: dict[tuple[str, Address, bytes], bytes] = field(default_factory=dict)
    """By the same: the double's sender key that stands for that one."""

    def copy(self) -> _States:
        return _States(
            dict(self.devices), dict(self.sessions), dict(self.handed), dict(self.readers), dict(self.sender_keys)
        )


@dataclass(frozen=True, slots=True)
class _Original:
    """The ciphertext of a group message as it was sent, and the devices that can only read that one."""

    shared: str
    readers: frozenset[Address]


def as_it_is(_reader: str, text: bytes) -> bytes:
    """What is written to a reader, unchanged."""
    return text


class Substitution:
    """Stands between the apps and the service, and is shown every request and answer that concerns keys or messages.

    Without `victims` it changes nothing and remembers what it will need: device lists, and who has met whom. So it has
    to stand there before the accounts are made.
    """

    def __init__(self, engine: Engine, random: Random) -> None:
        self.victims = Victims()
        self.rewrite: Callable[[str, bytes], bytes] = as_it_is
        """What the operator writes, in place of what it has opened, to the account that it is for."""
        self._random = random
        self._lists = DeviceLists()
        self._met: set[frozenset[str]] = set()
        self._account_keys: dict[str, Ed25519PrivateKey] = {}
        self._blobs = Blobs()
        self.use(engine)

    def use(self, engine: Engine) -> None:
        """The apps encrypt with `engine`. What was made for another one is forgotten."""
        self._engine = engine
        self._doubles: dict[str, _Double] = {}
        self._states = _States()
        self._passed: dict[bytes, Passed] = {}
        self._originals: dict[str, _Original] = {}

    def choose(self, account: str, key: Ed25519PrivateKey) -> None:
        """Let the double of `account`, once it is made, have this account key, be it one that was searched for."""
        self._account_keys[account] = key

    def published(self, account: str, data: bytes) -> None:
        """`account` has published this device list."""
        self._lists.learn(account, data)

    def stored(self, blob: str, data: bytes) -> None:
        """An encrypted file was stored at the service under the id `blob`."""
        if self.victims.everybody or self.victims.circles:
            self._blobs.keep(blob, data)

    def answered(self, viewer: str, account: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """What `viewer` is answered who asked for the device list of `account`, or for keys of its devices."""
        self._lists.learn(account, from_base64(answer.get("data")))
        devices = answer.get("devices")
        if viewer == account or self._lists.of(account) is None or not isinstance(devices, list):
            return answer
        if not self._deceived(viewer, account):
            self._met.add(frozenset({viewer, account}))
            return answer
        data = encode(self._list(account))
        return {**answer, "data": data, "devices": [self._handed(viewer, account, each) for each in devices]}

    def posted(self, sender: str, conversation: str, body: Mapping[str, Any]) -> Passed:
        """What becomes of the message `body` that `sender` posts to `conversation`."""
        match body:
            case {"id": str(), "device": int(number), "envelopes": list(envelopes)} if self._lists.of(sender):
                addressed = dict(enumerate(map(address_of, envelopes)))
            case _:
                return Passed(body)
        deceived = {place: to for place, to in addressed.items() if to is not None and self._deceived(sender, to[0])}
        if not deceived:
            return Passed(body)
        digest = hashlib.sha256(dump({"to": conversation, **body})).digest()
        if digest in self._passed:
            return self._passed[digest]
        message = _Message(body, conversation, (sender, number), deceived)
        self._double(sender)
        states = self._states.copy()
        try:
            passed = self._pass_on(states, message)
        except E2EEError:
            # Sealed for the real devices: only who is given the doubles seals for them.
            return Passed(body, turned_down=tuple(deceived.values()) if self.victims.insist else ())
        self._states = states
        others = frozenset(to for place, to in addressed.items() if to is not None and place not in deceived)
        if others and isinstance(body.get("shared"), str):
            self._originals[body["id"]] = _Original(body["shared"], others)
        self._passed[digest] = replace(passed, opened=())
        if len(self._passed) > _REMEMBERED:
            del self._passed[next(iter(self._passed))]
        return passed

    def delivered(self, reader: Address, name: str, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The event `name` with `fields` as the device `reader` gets it; None: as it is."""
        original = self._originals.get(str(fields.get("id"))) if name == "message" else None
        if original is None or reader not in original.readers or fields.get("shared") is None:
            return None
        return {**fields, "shared": original.shared}

    # Who is shown what

    def _deceived(self, one: str, other: str) -> bool:
        met = frozenset({one, other}) in self._met
        return self.victims.include(one, other) and (self.victims.insist or not met)

    def _double(self, account: str) -> _Double:
        """The double of `account`, with as many devices; made anew if the account itself was."""
        real = self._lists.of(account)
        if real is None:
            raise E2EEError("no device list of this account has passed yet")
        double = self._doubles.get(account)
        if double is None or double.real != real.account_key:
            key = self._account_keys.get(account) or new_signing_key(self._random)
            double = self._doubles[account] = _Double(real.account_key, key)
        for device in real.devices:
            address = (account, device.device)
            if address not in self._states.devices:
                self._states.devices[address] = self._engine.create(*address)
        return double

    def _list(self, account: str) -> bytes:
        """The device list of the double of `account`: the real one with other keys."""
        double, real = self._double(account), self._lists.of(account)
        assert real is not None  # noqa: S101 - else there were no double
        devices = tuple(self._engine.public(self._states.devices[account, one.device]) for one in real.devices)
        return sign_device_list(double.key, account, real.version, devices, real.last_device)

    def _handed(self, viewer: str, account: str, each: object) -> object:
        """What is handed out for one device: of the double what the service would give of the real one."""
        states = self._states
        match each:
            case {"device": int(number), "signed": str(signed), **keys} if (account, number) in states.devices:
                address = (account, number)
            case _:
                return each
        real = Handed(from_base64(signed), *(_key(keys.get(kind)) for kind in _KINDS))
        states.handed[viewer, address] = (*states.handed.get((viewer, address), ()), real)
        published = self._engine.publish(states.devices[address], 1)
        states.devices[address] = published.device
        fresh = dict(zip(_KINDS, (published.one_time.one_time, published.one_time.one_time_kem), strict=True))
        for kind, found in fresh.items():
            used = found and keys.get(kind) is not None
            keys[kind] = {"id": found[0][0], "data": encode(found[0][1])} if used else None
        return {"device": number, "signed": encode(published.signed), **keys}

    # Opening and sealing anew

    def _pass_on(self, states: _States, message: _Message) -> Passed:
        envelopes = [dict(each) for each in message.body["envelopes"]]
        opened: dict[int, bytes] = {}
        for place, address in message.deceived.items():
            if envelopes[place].get("data") is not None:
                envelope = from_base64(envelopes[place]["data"])
                opened[place] = self._open(states, address, message.sender, envelope)
        body, texts, bring = dict(message.body), list(opened.values()), b""
        if isinstance(body.get("shared"), str):
            text, shared, bring = self._pass_on_shared(states, message, texts)
            body["shared"] = encode(shared)
            texts.append(text)
        for place, text in opened.items():
            reader = message.deceived[place]
            anew = self.rewrite(reader[0], _with_sender_key(text, bring))
            sealed = self._seal(states, message.sender, reader, anew)
            envelopes[place]["data"] = encode(sealed)
        return Passed({**body, "envelopes": envelopes}, tuple(self._blobs.read(dict.fromkeys(texts))))

    def _pass_on_shared(self, states: _States, message: _Message, texts: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
        """What is sealed for all, the same sealed by the double, and what lets its readers read that.

        `texts` are what was sealed for each: they may bring the sender key.
        """
        groups, group = self._engine.groups, message.conversation.encode()
        if groups is None:
            raise E2EEError("a group message has come, which this encryption does not have")
        for text in texts:
            if isinstance(key := fields_of(text).get("sender_key"), str):
                reader = groups.learn(group, self._lists.device(message.sender), from_base64(key))
                # One that is known stays as it is: it has read further.
                states.readers.setdefault((*message.address, groups.reader_id(reader)), reader)
        shared = from_base64(message.body["shared"])
        name = (*message.address, groups.key_id(shared))
        if name not in states.readers:
            raise E2EEError("a group message is under a sender key that no double was given")
        read = groups.open(states.readers[name], shared)
        own = states.sender_keys.get(name) or groups.create(_there(states.devices, message.sender), group)
        bring = groups.distribution(own)
        sealed = groups.seal(own, read.plaintext)
        states.readers[name], states.sender_keys[name] = read.reader, sealed.state
        return read.plaintext, sealed.message, bring

    def _open(self, states: _States, double: Address, real: Address, envelope: bytes) -> bytes:
        """What the device `real` has sealed for this device of a double."""
        device, session = _there(states.devices, double), states.sessions.get((double, real))
        opened = self._engine.open(device, session, self._lists.device(real), envelope)
        states.devices[double] = opened.device
        if opened.session:  # engines for which reading alone makes no session have nothing to keep
            states.sessions[double, real] = opened.session
        return opened.plaintext

    def _seal(self, states: _States, double: Address, real: Address, text: bytes) -> bytes:
        """An envelope from this device of a double for the device `real`."""
        device, session = _there(states.devices, double), states.sessions.get((double, real))
        if session is None:
            name = (double[0], real)
            handed, *others = _there(states.handed, name) or (None,)
            if handed is None:
                raise E2EEError("all keys that were handed out for this device are used")
            states.handed[name] = tuple(others)
            session = self._engine.begin(device, None, self._lists.device(real), handed)
        sealed = self._engine.seal(device, session, text)
        states.sessions[double, real] = sealed.state
        return sealed.message


@dataclass(frozen=True, slots=True)
class _Message:
    """A message as it was posted; `deceived` are the devices of doubles that it is for, by place."""

    body: Mapping[str, Any]
    conversation: str
    sender: Address
    deceived: Mapping[int, Address]

    @property
    def address(self) -> tuple[str, Address]:
        return self.conversation, self.sender


def _there[Name, State](states: Mapping[Name, State], name: Name) -> State:
    if name not in states:
        raise E2EEError("this was never handed out")
    return states[name]


def _key(fields: object) -> bytes | None:
    return from_base64(fields.get("data")) if isinstance(fields, dict) else None


def _with_sender_key(text: bytes, bring: bytes) -> bytes:
    """`text` with the sender key `bring` in place of the one that it brings, if it brings any."""
    fields = fields_of(text)
    if "sender_key" not in fields:
        return text
    changed = dump({**fields, "sender_key": encode(bring)})
    return changed if json_object(text) else pad(changed)
