"""What is on its way: messages that were sealed and perhaps not posted, and those that were opened and not yet shown.

A message is stored together with what it changed in sessions and keys, before it goes on. So whatever moment a device
dies at, no key is used for two messages, nothing is lost, and the service recognises what it has got already by its id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.e2ee.codec import number
from lab.messenger.content import Content, dump, from_json, to_json
from lab.messenger.store import Changes, DeviceStore, Table

_SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message that is ready to be posted, and stays in the device's outbox until it was.

    `fields` is what was sealed, `body` what the service gets; without encryption both say the same.
    """

    id: str
    conversation: str
    recipients: tuple[str, ...]
    content: Content
    fields: Mapping[str, Any]
    body: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        return dump(
            {
                "id": self.id,
                "conversation": self.conversation,
                "recipients": self.recipients,
                "content": to_json(self.content),
                "fields": self.fields,
                "body": self.body,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Prepared:
        fields = json.loads(data)
        return cls(**fields | {"recipients": tuple(fields["recipients"]), "content": from_json(fields["content"])})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that was opened: `fields` is what it says. `used_up`: it took a one-time key. `group`: the
    conversation, if it was sealed for all of a group at once. `plain`: it was not sealed, the service could read it."""

    id: str
    sender: str
    fields: Mapping[str, Any]
    used_up: bool = False
    group: str = ""
    plain: bool = False

    def to_bytes(self) -> bytes:
        return dump(
            {
                "id": self.id,
                "sender": self.sender,
                "fields": self.fields,
                "used_up": self.used_up,
                "group": self.group,
                "plain": self.plain,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Waiting:
        return cls(**json.loads(data))


class Mailbox:
    """Outbox and inbox in `store`."""

    def __init__(self, store: DeviceStore) -> None:
        self._store = store

    def prepare(self, prepared: Prepared, changes: Changes) -> None:
        """Keep a message to be posted, with what sealing it changed; instead of an earlier one with the same id."""
        changes.put(Table.OUTBOX, prepared.id, value=prepared.to_bytes())
        self._store.commit(changes)

    def pending(self) -> Iterator[Prepared]:
        """What was perhaps not posted, the oldest first."""
        return (Prepared.from_bytes(data) for _, data in self._store.rows(Table.OUTBOX))

    def posted(self, message: str, changes: Changes | None = None) -> None:
        """Forget a message: it was posted, or never will be. `changes` are made with that."""
        changes = changes or Changes()
        changes.drop(Table.OUTBOX, message)
        # If this is lost, the message is posted again, and the service knows its id.
        self._store.commit(changes, hurry=False)

    @property
    def sequence(self) -> int:
        """The sequence number of the last message that was dealt with; 0 before the first."""
        return int.from_bytes(self._store.get(Table.STATE, _SEQUENCE) or b"", "big")

    def receive(self, waiting: Waiting, sequence: int, changes: Changes) -> None:
        """Keep a message to be shown, with what opening it changed."""
        changes.put(Table.INBOX, waiting.id, value=waiting.to_bytes())
        self._skip(sequence, changes)

    def skip(self, sequence: int) -> None:
        """Note that a message was dealt with, of which nothing is kept."""
        self._skip(sequence, Changes())

    def waiting(self) -> Waiting | None:
        """The message that is to be shown next."""
        return next((Waiting.from_bytes(data) for _, data in self._store.rows(Table.INBOX)), None)

    def shown(self, message: str, changes: Changes | None = None) -> None:
        """Forget a message: the app has it now, or never will. `changes` are made with that."""
        changes = changes or Changes()
        changes.drop(Table.INBOX, message)
        # If this is lost, the message is shown again, and the app knows its id.
        self._store.commit(changes, hurry=False)

    def _skip(self, sequence: int, changes: Changes) -> None:
        changes.put(Table.STATE, _SEQUENCE, value=number(sequence, 8))
        self._store.commit(changes)
