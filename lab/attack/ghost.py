"""Ghosts: a device that an account does not have, and a member that nobody has invited. Pure.

Whoever runs the service says who is in a conversation and which devices there are. It would like to have everything
sealed for one more reader, itself. What comes of it depends on what the apps check:

- A ghost device is one more entry in the device list of an account (`Ghosts.add_device`). The account's own key signs
  that list. A list with an entry that the account has not signed (`signed=False`) is refused by everybody. A list that
  the operator has signed with an account key of its own is refused by nobody who never saw the real one: the real
  devices are in it with their real keys, so nothing has to be sealed anew, and the ghost reads what is written to that
  account. Whoever knows the account is warned of a changed identity. Safety numbers tell.
- A ghost member is an account that exists nowhere but here, and that the service lists as a member of conversations
  (`Ghosts.add_member`). Its keys are in order: they are its own. An app that writes to those whom the service calls
  members seals for it, sender keys included. An app that writes to those whom its user has chosen does not: it is told
  that an envelope is missing, for somebody whom it was not writing to, and sends nothing.

A ghost that is kept out of the lists that the apps see reads nothing either: it is the apps that seal, and they cannot
seal for somebody they have not heard of. Proposals that a service add silent listeners (I. Levy and C. Robinson,
"Principles for a More Informed Exceptional Access Debate", Lawfare 2018) therefore need an app that hides them.

A message that has no envelope for a ghost, though its account or conversation has one, is turned down as wrongly
addressed. The envelopes for ghosts go no further: the service does not know them.

Left out: ways around a real device that takes the number of a ghost (the ghost is given up, and both sides notice), and
made-up news about members: whoever asks for them, or is told of a real change, sees the ghost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.attack.accounts import DeviceLists
from lab.attack.posted import Blobs, Passed, address_of, encode, fields_of
from lab.e2ee.codec import block
from lab.e2ee.engine import Engine
from lab.e2ee.identity import sign_device_list
from lab.e2ee.keys import KEY, SIGNATURE, Random, new_signing_key
from lab.e2ee.protocol import E2EEError
from lab.mail import Address, from_base64

_KINDS = ("one_time", "one_time_kem")
_FIRST = 1
"""The number of the only device of a ghost member."""


@dataclass(slots=True)
class _Ghost:
    """A device of the operator's. `key` signs the list that it stands in, if `signed`."""

    address: Address
    device: bytes = field(repr=False)
    key: Ed25519PrivateKey = field(repr=False)
    signed: bool = True


class Ghosts:
    """Stands between the apps and the service. Without ghosts it changes nothing, and remembers the device lists."""

    def __init__(self, engine: Engine, random: Random) -> None:
        self._random = random
        self._lists = DeviceLists()
        self._blobs = Blobs()
        self.use(engine)

    def use(self, engine: Engine) -> None:
        """The apps encrypt with `engine`. Ghosts that were made for another one are gone."""
        self._engine = engine
        self.lay()

    def lay(self) -> None:
        """Do without ghosts from now on."""
        self._wishes: dict[str, bool] = {}
        self._devices: dict[str, _Ghost] = {}
        self._members: dict[str, tuple[_Ghost, frozenset[str]]] = {}
        self._sessions: dict[tuple[Address, Address], bytes] = {}
        self._readers: dict[tuple[str, Address, bytes], bytes] = {}

    def add_device(self, account: str, *, signed: bool) -> None:
        """Let `account` have one more device, in a list that is signed by the operator; else by nobody.

        It is there as soon as a list of the account has passed.
        """
        self._wishes[account] = signed
        self._devices.pop(account, None)

    def add_member(self, name: str, conversations: Iterable[str] = ()) -> None:
        """Let the account `name`, which nobody has made, be a member of these conversations; of all, without any.

        E2EEError: nobody can be called that.
        """
        device = self._engine.create(name, _FIRST)
        self._members[name] = _Ghost((name, _FIRST), device, new_signing_key(self._random)), frozenset(conversations)

    def member(self, account: str) -> Mapping[str, Any] | None:
        """The device list of `account`, if that is a ghost member: the service does not know it."""
        if account not in self._members:
            return None
        ghost, _ = self._members[account]
        return {"name": account, "devices": [ghost.address[1]], "data": encode(self._list(ghost))}

    def published(self, account: str, data: bytes) -> None:
        """`account` has published this device list."""
        self._lists.learn(account, data)

    def stored(self, blob: str, data: bytes) -> None:
        """An encrypted file was stored at the service under the id `blob`."""
        self._blobs.keep(blob, data)

    def asked(self, viewer: str, account: str, wanted: Iterable[int] | None) -> Mapping[str, Any] | list[int] | None:
        """What becomes of the wish of `viewer` for keys of the devices `wanted` of `account` (None: of all).

        The answer, if the service has nothing to say about it, or the devices that it is to be asked for; None: go on.
        """
        if (found := self.member(account)) is not None:
            return {**found, "devices": [self._keys(self._members[account][0])]}
        ghost = self._of(account)
        if ghost is None or viewer == account or wanted is None:
            return None
        others = [number for number in wanted if number != ghost.address[1]]
        if others:
            return others
        return {"name": account, "data": encode(self._list(ghost)), "devices": [self._keys(ghost)]}

    def answered(
        self, viewer: str, account: str, answer: Mapping[str, Any], wanted: Iterable[int] | None = None
    ) -> Mapping[str, Any]:
        """What `viewer` is answered who asked for the device list of `account`, or for keys of its devices `wanted`."""
        self._lists.learn(account, from_base64(answer.get("data")))
        ghost, devices = self._of(account), answer.get("devices")
        if ghost is None or viewer == account or not isinstance(devices, list):
            return answer
        is_handout = any(isinstance(each, dict) for each in devices)
        one_more = self._keys(ghost) if is_handout else ghost.address[1]
        asked = not is_handout or wanted is None or ghost.address[1] in wanted
        return {**answer, "data": encode(self._list(ghost)), "devices": [*devices, one_more] if asked else devices}

    def conversation(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """A conversation as its members are told of it: by `id`, in an event by `conversation`, with its `members`."""
        members, identifier = found.get("members"), found.get("id", found.get("conversation"))
        ghosts = [name for name, (_, where) in self._members.items() if not where or identifier in where]
        # Whoever is no member any more sees none, and no ghost either.
        if not ghosts or not isinstance(members, list) or not members:
            return found
        return {**found, "members": sorted({*members, *ghosts})}

    def posted(self, sender: str, conversation: str, body: Mapping[str, Any]) -> Passed:
        """What becomes of the message `body` that `sender` posts to `conversation`."""
        match body:
            case {"device": int(number), "envelopes": list(envelopes)}:
                addressed = [(address_of(each), each) for each in envelopes]
            case _:
                return Passed(body)
        ghosts = {one.address: one for one in self._concerned(sender, conversation, addressed)}
        if not ghosts:
            return Passed(body)
        sealed = {
            to: from_base64(each.get("data")) for to, each in addressed if to in ghosts and isinstance(each, dict)
        }
        texts: list[bytes] = []
        for to, envelope in sealed.items():
            if to is not None and envelope:
                texts += self._open(ghosts[to], (sender, number), envelope)
        if isinstance(body.get("shared"), str):
            texts += self._open_shared(conversation, (sender, number), from_base64(body["shared"]), texts)
        opened = tuple(self._blobs.read(dict.fromkeys(texts)))
        missing = tuple(address for address in ghosts if address not in sealed)
        if missing:
            return Passed(body, opened, missing)
        return Passed({**body, "envelopes": [each for to, each in addressed if to not in ghosts]}, opened)

    def _concerned(
        self, sender: str, conversation: str, addressed: Iterable[tuple[Address | None, object]]
    ) -> Iterable[_Ghost]:
        """The ghosts that should have an envelope of such a message."""
        recipients = {to[0] for to, _ in addressed if to is not None}
        yield from (one for account in sorted(recipients - {sender}) if (one := self._of(account)) is not None)
        yield from (one for one, where in self._members.values() if not where or conversation in where)

    def _of(self, account: str) -> _Ghost | None:
        """The ghost device of `account`, if it can have one."""
        real = self._lists.of(account)
        if account not in self._wishes or real is None:
            return None
        if account not in self._devices:
            number = real.last_device + 1
            device = self._engine.create(account, number)
            key = new_signing_key(self._random)
            self._devices[account] = _Ghost((account, number), device, key, self._wishes[account])
        ghost = self._devices[account]
        taken = any(device.device == ghost.address[1] for device in real.devices)
        return None if taken else ghost

    def _list(self, ghost: _Ghost) -> bytes:
        """The device list that it stands in."""
        account, real = ghost.address[0], self._lists.of(ghost.address[0])
        own = self._engine.public(ghost.device)
        if account in self._members or real is None:
            return sign_device_list(ghost.key, account, 1, (own,))
        data = sign_device_list(ghost.key, account, real.version + (not ghost.signed), (*real.devices, own))
        if ghost.signed:
            return data
        # In the real account's name, whose signature cannot be made.
        at = 1 + len(block(account.encode()))
        return data[:at] + real.account_key + data[at + KEY : -SIGNATURE] + self._random(SIGNATURE)

    def _keys(self, ghost: _Ghost) -> dict[str, Any]:
        """What is handed out for it."""
        published = self._engine.publish(ghost.device, 1)
        ghost.device = published.device
        fresh = zip(_KINDS, (published.one_time.one_time, published.one_time.one_time_kem), strict=True)
        keys = {kind: {"id": one[0][0], "data": encode(one[0][1])} if one else None for kind, one in fresh}
        return {"device": ghost.address[1], "signed": encode(published.signed), **keys}

    def _open(self, ghost: _Ghost, sender: Address, envelope: bytes) -> list[bytes]:
        """What `sender` has sealed for it; nothing, if it does not open."""
        with suppress(E2EEError):
            session = self._sessions.get((ghost.address, sender))
            opened = self._engine.open(ghost.device, session, self._lists.device(sender), envelope)
            ghost.device = opened.device
            if opened.session:
                self._sessions[ghost.address, sender] = opened.session
            return [opened.plaintext]
        return []

    def _open_shared(self, conversation: str, sender: Address, shared: bytes, texts: Iterable[bytes]) -> list[bytes]:
        """What `sender` has sealed for all, with a sender key that `texts` or earlier ones have brought."""
        groups = self._engine.groups
        if groups is None:
            return []
        with suppress(E2EEError):
            for text in texts:
                if isinstance(key := fields_of(text).get("sender_key"), str):
                    reader = groups.learn(conversation.encode(), self._lists.device(sender), from_base64(key))
                    self._readers.setdefault((conversation, sender, groups.reader_id(reader)), reader)
            name = (conversation, sender, groups.key_id(shared))
            if name in self._readers:
                read = groups.open(self._readers[name], shared)
                self._readers[name] = read.reader
                return [read.plaintext]
        return []
