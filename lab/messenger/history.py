"""What a device keeps of messages that were sent or read, and timers: after which time the app deletes them.

A member sets the timer of a conversation. It travels inside each sealed message, as {"timer": SECONDS} beside the text,
so the service does not learn of it. Whoever reads such a message has the same timer from then on: the last message
counts. The time runs from sending for the sender and from reading for the reader, as in Signal. What was sent before
the timer was set stays.

It is the app that deletes, when it is opened and the time is over: nobody else can, and nobody else can know whether it
has. Simplified: an app here does nothing while it is closed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from lab.e2ee.codec import number
from lab.e2ee.protocol import E2EEError
from lab.messenger.content import Content, dump, to_json
from lab.messenger.store import Changes, DeviceStore, Table

SHORTEST, LONGEST = 5, 24 * 60 * 60
"""Seconds: as in Messenger's encrypted conversations of 2021."""

_TIMER = "timer"


class History:
    """In `store`. Messages are kept if this app `keeps` any. `clock` gives seconds since the epoch."""

    def __init__(self, store: DeviceStore, clock: Callable[[], float], *, keeps: bool) -> None:
        self._store = store
        self._clock = clock
        self._keeps = keeps

    def set_timer(self, conversation: str, seconds: int) -> None:
        """Let what is written from now on disappear; 0: let it stay."""
        changes = Changes()
        self._put_timer(conversation, seconds, changes)
        self._store.commit(changes)

    def fields(self, conversation: str) -> dict[str, Any]:
        """What to put into a message beside its content."""
        seconds = int.from_bytes(self._store.get(Table.TIMERS, conversation) or b"", "big")
        return {_TIMER: seconds} if seconds else {}

    def hear(self, conversation: str, fields: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
        """The timer in a message that was opened, as `fields` gave it, which counts from now on. E2EEError: it is
        none."""
        seconds = fields.get(_TIMER, 0)
        if not isinstance(seconds, int) or isinstance(seconds, bool) or (seconds and not _possible(seconds)):
            raise E2EEError("a message has come with a timer that makes no sense")
        self._put_timer(conversation, seconds, changes)
        return {_TIMER: seconds} if seconds else {}

    def keep(self, message: str, sender: str, content: Content, fields: Mapping[str, Any], changes: Changes) -> None:
        """Let `changes` keep a message, whose time begins now if its `fields` have a timer."""
        if self._keeps:
            seconds = fields.get(_TIMER, 0)
            until = self._clock() + seconds if seconds else None
            kept = {"sender": sender, "until": until, "content": to_json(content)}
            changes.put(Table.HISTORY, message, value=dump(kept))

    def tidy(self) -> None:
        """Delete what is to have disappeared by now, also from the file of the store."""
        now = self._clock()
        changes = Changes()
        gone = False
        for (message,), data in self._store.rows(Table.HISTORY):
            until = json.loads(data)["until"]
            if until is not None and until <= now:
                changes.drop(Table.HISTORY, message)
                gone = True
        if gone:
            self._store.commit(changes)
            self._store.erase()

    def kept(self) -> tuple[bytes, ...]:
        """Every message that is kept, the oldest first: JSON with its sender, its content and when it is to go."""
        return tuple(data for _, data in self._store.rows(Table.HISTORY))

    def _put_timer(self, conversation: str, seconds: int, changes: Changes) -> None:
        if seconds:
            changes.put(Table.TIMERS, conversation, value=number(seconds))
        else:
            changes.drop(Table.TIMERS, conversation)


def _possible(seconds: int) -> bool:
    return SHORTEST <= seconds <= LONGEST
