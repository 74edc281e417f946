"""What this device has seen of the service's log of keys, and what follows from it (see `lab.e2ee.transparency`).

Three checks, and each sees what the others do not:

- A device list that the service hands out has to be the latest entry of its account in the log, and the log has to
  continue the one seen before. So a false list has to be written down.
- The owner reads the log and finds every entry under the own name. One that this account has not signed is a false
  list. All entries are read, of everybody, since a service that was asked for those of one account could leave one out.
- Heads of the log travel along inside sealed messages (gossip), and each reader demands the proof that the sender's log
  and the own one are the same. Only this finds a service that keeps a second log for one victim: each log by itself is
  in perfect order, and its owner never gets to see the entry in the other one. A head from before the two went their
  own ways fits both, so the message that tells is the first one whose sender has seen more than that.

What gossip is worth depends on the way that it takes. The operator who has put keys of its own between two people reads
and rewrites what they write each other, heads included. So a head means something if it comes from somebody whose
session is not substituted (a third person, say), or if it is compared by another way altogether (`compare`).

The key of the log is believed when it is first seen. A real app brings it along.

No head that was seen is forgotten: the latest one is kept, and every other was proved to lead to it; one that was
heard of and could not be compared yet waits in the store; two that contradict each other are kept for good, and nothing
is sealed any more. A real app would show this and let its owner decide.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from lab.e2ee.codec import Reader, block, number
from lab.e2ee.identity import read_device_list
from lab.e2ee.protocol import E2EEError
from lab.e2ee.transparency import (
    EMPTY_ROOT,
    Frontier,
    LogEntry,
    TreeHead,
    check_consistency,
    check_inclusion,
    leaf_hash,
    list_digest,
)
from lab.messenger.content import is_text
from lab.messenger.operations import Operations, SignedHead, encode
from lab.messenger.store import Changes, DeviceStore, Table
from lab.messenger.wire import WireError

HEAD_FIELD = "log_head"
"""Where a sealed message carries the head that its sender has seen: base64 of `TreeHead.to_bytes`."""

_TRIES = 3
"""Times that a device list is asked for again because its owner may have replaced it in between."""

_LONGEST = 200
"""Letters of a head in base64, with room to spare."""

_KEY, _HEAD, _READ, _OWN, _HEARD, _AGREED, _VERDICT = "key", "head", "read", "own", "heard", "agreed", "verdict"


class TransparencyError(E2EEError):
    """The service's log of keys does not do what a log has to do: one sentence."""


class NotInLogError(TransparencyError):
    """A device list was handed out that is not the one in the log; it was not taken over."""


class LogForkedError(TransparencyError):
    """The service shows two logs, or has changed the past of its only one."""


class IdentitySubstitutedError(TransparencyError):
    """The log has keys for this account that this account has not made."""


_LASTING: tuple[type[TransparencyError], ...] = (LogForkedError, IdentitySubstitutedError)
"""Those that are kept: nothing is sealed after one of them."""


@dataclass(frozen=True, slots=True)
class _Own:
    """What was found under the own name: entries from number `since` on count, `version` is that of the last list."""

    since: int = 0
    version: int = 0

    def to_bytes(self) -> bytes:
        return number(self.since, 8) + number(self.version)

    @classmethod
    def from_bytes(cls, data: bytes) -> _Own:
        reader = Reader(data)
        return cls(reader.number(8), reader.number())


class LogView:
    """The log as `account` sees it, kept in `store`.

    TransparencyError comes out of every method that asks the service or compares heads, and WireError where the service
    does not answer: then nothing was decided, and the same can be tried again.
    """

    def __init__(self, account: str, store: DeviceStore, operations: Operations) -> None:
        self._account = account
        self._store = store
        self._operations = operations

    @property
    def head(self) -> TreeHead | None:
        """The latest head that was seen; None before the first."""
        data = self._store.get(Table.LOG, _HEAD)
        return None if data is None else TreeHead.from_bytes(data)

    def require_sound(self) -> None:
        """LogForkedError, IdentitySubstitutedError: that was found out before, and is still so."""
        verdict = self._store.get(Table.LOG, _VERDICT)
        if verdict is not None:
            reader = Reader(verdict)
            raise _LASTING[reader.number(1)](reader.text())

    # What is handed out for others

    def confirmed(self, account: str, devices: bytes) -> bytes:
        """The device list of `account` that the log has: `devices`, or one that has replaced it in this moment.

        NotInLogError: the service hands out one list and has written down another.
        """
        self.require_sound()
        for _ in range(_TRIES):
            if self._latest(account) == list_digest(devices):
                return devices
            again = self._operations.device_list(account)
            if again == devices:
                break
            devices = again
        raise NotInLogError(
            f"the device list that the service hands out for {account} is not the one in its log of keys: somebody may"
            " be standing in between, so it was not taken over"
        )

    def _latest(self, account: str) -> bytes:
        """The digest of the latest list of `account`."""
        try:
            found = self._operations.log_entry(account)
        except WireError as error:
            if not error.final:
                raise
            raise _unproved(account, error) from None
        if found.entry.account != account:
            raise NotInLogError(f"the service's log answers for {account} with the keys of {found.entry.account}")
        self._follow(found.signed)
        head = found.signed.head
        try:
            check_inclusion(leaf_hash(found.entry.leaf()), found.number, head.size, found.path, head.root)
        except E2EEError as error:
            raise _unproved(account, error) from None
        return found.entry.digest

    # What others are told about this account

    def begin_anew(self) -> None:
        """Entries that are in the log by now are not this device's to judge: its account gets another key."""
        signed = self._operations.log_head()
        self._follow(signed)
        changes = Changes()
        changes.put(Table.LOG, _OWN, value=_Own(signed.head.size).to_bytes())
        self._store.commit(changes)

    def adopt(self, other: LogView) -> None:
        """Begin with what another device of this account has seen."""
        changes = Changes()
        for name, value in other._store.rows(Table.LOG):
            changes.put(Table.LOG, *name, value=value)
        self._store.commit(changes)

    def monitor(self, account_key: bytes) -> None:
        """Read what is new in the log. IdentitySubstitutedError: something there is under the own name and not from
        whoever has the account key, of which `account_key` is the public half."""
        self.require_sound()
        self._follow(self._operations.log_head())
        head = self.head
        if head is None:
            return
        read = self._store.get(Table.LOG, _READ)
        frontier = Frontier() if read is None else Frontier.from_bytes(read)
        own = _Own.from_bytes(self._store.get(Table.LOG, _OWN) or _Own().to_bytes())
        found: list[bytes] = []
        while frontier.size < head.size:
            entries = self._entries(frontier.size, head.size)
            for entry in entries:
                if entry.account == self._account and frontier.size >= own.since:
                    found.append(entry.digest)
                frontier = frontier.append(leaf_hash(entry.leaf()))
        if frontier.root != head.root:
            self._condemn(
                LogForkedError("the entries that the service shows are not those that its log's head stands for")
            )
        version = self._judge(found, own.version, account_key) if found else own.version
        changes = Changes()
        changes.put(Table.LOG, _READ, value=frontier.to_bytes())
        changes.put(Table.LOG, _OWN, value=_Own(own.since, version).to_bytes())
        self._store.commit(changes)

    def _entries(self, start: int, end: int) -> list[LogEntry]:
        entries = self._operations.log_entries(start, end)
        if not entries:
            raise TransparencyError("the service does not show all entries of its log of keys")
        return entries[: end - start]

    def _judge(self, digests: list[bytes], version: int, account_key: bytes) -> int:
        """The version of the last of the lists with `digests`, which all have to be from this account, in order."""
        lists = {list_digest(data): data for data in self._operations.own_log_entries()}
        for digest in digests:
            try:
                devices = read_device_list(lists.get(digest, b""), self._account)
            except E2EEError:
                devices = None
            # An older list once more is no news from this account either: it may bring back a device that was removed.
            if devices is None or devices.account_key != account_key or devices.version <= version:
                self._condemn(
                    IdentitySubstitutedError(
                        f"the service's log has keys for {self._account} that this account has not made: others may be"
                        " writing to somebody else in your place, so tell them by another way"
                    )
                )
            version = devices.version
        return version

    # What others have seen

    def refresh(self) -> None:
        """Go on to the latest head, so that others are told what is new. If the service is silent, the one before will
        do. LogForkedError, IdentitySubstitutedError: found out now, or before."""
        self.require_sound()
        with suppress(WireError):
            self._follow(self._operations.log_head())

    def gossip(self) -> dict[str, str]:
        """What to put into a message, so that its reader can compare."""
        head = self.head
        return {} if head is None else {HEAD_FIELD: encode(head.to_bytes())}

    def hear(self, sender: str, fields: dict[str, Any], changes: Changes) -> None:
        """Take the head out of `fields`, and let `changes` note it; `settle` is when it is compared."""
        heard = fields.pop(HEAD_FIELD, None)
        if heard is None or self._store.get(Table.LOG, _AGREED, sender) == _text(heard).encode():
            return
        if self._store.get(Table.LOG, _VERDICT) is None:  # what was found out needs no further proof
            changes.put(Table.LOG, _HEARD, sender, _text(heard), value=b"")

    def settle(self) -> None:
        """Compare the heads that others have seen with the own one. The first that does not fit comes out as an error;
        the others are for the next time. Once something lasting was found out, and told, there is nothing to settle."""
        if self._store.get(Table.LOG, _VERDICT) is not None:
            return
        for name, _ in list(self._store.rows(Table.LOG)):
            if name[0] == _HEARD:
                _, sender, text = name
                changes = Changes()
                changes.drop(Table.LOG, *name)
                try:
                    self._compare(sender, _decoded(text))
                except TransparencyError:
                    self._store.commit(changes)
                    raise
                changes.put(Table.LOG, _AGREED, sender, value=text.encode())
                self._store.commit(changes, hurry=False)  # else it is compared once more

    def compare(self, whose: str, head: bytes) -> None:
        """Compare a head that `whose` owner has shown by another way. LogForkedError: it is of another log."""
        self.require_sound()
        self._compare(whose, head)

    def _compare(self, whose: str, data: bytes) -> None:
        if self.head is None:
            self._follow(self._operations.log_head())
        key, own = self._store.get(Table.LOG, _KEY) or b"", self.head
        try:
            head = TreeHead.from_bytes(data)
            head.verify(key)  # no key, no signature
        except E2EEError:
            raise TransparencyError(
                f"what {whose} has seen of the service's log is not signed with the key that is known here: it is made"
                " up, or the service has another log for them"
            ) from None
        if own is None or not head.size:
            return  # nothing to compare: every log begins without entries
        if not self._one_log(own, head):
            self._condemn(
                LogForkedError(
                    f"the service shows {whose} another log of keys than it shows here: one of you may have been given"
                    " false keys, so compare safety numbers with everybody you write to"
                ),
                own,
                head,
            )
        if head.size > own.size:
            self._keep(key, head)

    # One log

    def _follow(self, signed: SignedHead) -> None:
        """Go on from the head seen before to `signed`."""
        head, known = signed.head, self._store.get(Table.LOG, _KEY)
        if known is not None and known != signed.key:
            raise TransparencyError("the service's log of keys has another key than before")
        try:
            head.verify(signed.key)
        except E2EEError:
            raise TransparencyError("the head of the service's log of keys is not signed with its key") from None
        before = self.head
        if before is not None and (head.size < before.size or not self._one_log(before, head)):
            self._condemn(LogForkedError("the service has changed the past of its log of keys"), before, head)
        if head.size:
            self._keep(signed.key, head)
        elif head.root != EMPTY_ROOT:
            raise TransparencyError("the service's log of keys claims to be empty, and is not")

    def _one_log(self, one: TreeHead, other: TreeHead) -> bool:
        """Whether the service proves that the smaller one is the beginning of the larger one."""
        first, second = sorted((one, other), key=lambda head: head.size)
        try:
            path = [] if first.size == second.size else self._operations.log_consistency(first.size, second.size)
            check_consistency(first.size, first.root, second.size, second.root, path)
        except WireError as error:
            if not error.final:
                raise
            return False  # both are signed: not to be able to prove it is as good as not being one
        except E2EEError:
            return False
        return True

    def _keep(self, key: bytes, head: TreeHead) -> None:
        changes = Changes()
        changes.put(Table.LOG, _KEY, value=key)
        changes.put(Table.LOG, _HEAD, value=head.to_bytes())
        self._store.commit(changes)

    def _condemn(self, verdict: TransparencyError, *heads: TreeHead) -> NoReturn:
        """Keep `verdict`, and the heads that prove it to everybody, and raise it."""
        noted = Changes()
        kind = number(_LASTING.index(type(verdict)), 1)
        evidence = b"".join(block(head.to_bytes()) for head in heads)
        noted.put(Table.LOG, _VERDICT, value=kind + block(str(verdict).encode()) + evidence)
        self._store.commit(noted)
        raise verdict


def _unproved(account: str, error: Exception) -> NotInLogError:
    return NotInLogError(f"the service does not prove that the keys of {account} are in its log: {error}")


def _text(heard: object) -> str:
    """What stands where a head should; "" if it cannot be one."""
    return heard if isinstance(heard, str) and is_text(heard) and len(heard) <= _LONGEST else ""


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
