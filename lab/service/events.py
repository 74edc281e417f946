"""Event streams: who waits for messages and changes of members, and what is sent to them (server-sent events)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator

from lab.service.accounts import Session
from lab.service.messages import BATCH
from lab.service.problems import ProblemError
from lab.service.schemas import Members, Message

# Seconds between two looks at whether the client is still there.
_CHECK_INTERVAL = 1.0


class Subscription:
    """One open event stream, of the whole account or of one device.

    It begins with something to read: what was stored before it was opened.
    """

    def __init__(self, events: Events, session: Session, device: int | None, condition: threading.Condition) -> None:
        self.session = session
        self.device = device
        self._events = events
        self._condition = condition
        self._pending = True
        self._changed: set[str] = set()
        self._open = True

    @property
    def open(self) -> bool:
        """Whether the stream should go on."""
        return self._open

    def wait(self, timeout: float) -> bool:
        """Wait until there is something to read, the stream is to end, or `timeout` seconds are over.

        Returns whether there may be something to read; that is said once.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._pending or not self._open, timeout)
            pending, self._pending = self._pending, False
            return pending

    def changed(self) -> set[str]:
        """The conversations whose members have changed; each is said once."""
        with self._condition:
            changed, self._changed = self._changed, set()
            return changed

    def close(self) -> None:
        """End the stream. Closing it again does nothing."""
        self._events.end(lambda subscription: subscription is self)

    def wake(self) -> None:
        """Let `wait` return True. To be called by one that holds the condition, or by the reader itself."""
        self._pending = True

    def add_changed(self, conversation: str) -> None:
        """Let `changed` name `conversation`. To be called by one that holds the condition."""
        self._changed.add(conversation)

    def stop(self) -> None:
        """Let `open` be False. To be called by one that holds the condition."""
        self._open = False


class Events:
    """The open event streams of one service. Nothing here holds messages: those are in the database."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._condition = threading.Condition()
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    def subscribe(self, session: Session, device: int | None) -> Subscription:
        """Open a stream; the caller closes it. Raises ProblemError (503) if there are too many."""
        with self._condition:
            if self._closed or len(self._subscriptions) >= self._limit:
                raise ProblemError(503, "Too many event streams are open.", {"Retry-After": "5"})
            subscription = Subscription(self, session, device, self._condition)
            self._subscriptions.add(subscription)
            return subscription

    def publish(self, accounts: Iterable[str]) -> None:
        """Wake the streams of `accounts`: a message for them has been committed."""
        self._wake(accounts, Subscription.wake)

    def publish_change(self, conversation: str, accounts: Iterable[str]) -> None:
        """Wake the streams of `accounts`: a change of the members of `conversation` has been committed."""

        def change(subscription: Subscription) -> None:
            subscription.add_changed(conversation)
            subscription.wake()

        self._wake(accounts, change)

    def end_devices(self, account: str, kept: Collection[int]) -> None:
        """End the streams of all devices of `account` that are not among `kept`."""
        self.end(lambda one: one.session.account == account and one.device not in {None, *kept})

    def end(self, which: Callable[[Subscription], bool]) -> None:
        """End the streams for which `which` is true."""
        with self._condition:
            ended = {subscription for subscription in self._subscriptions if which(subscription)}
            self._subscriptions -= ended
            for subscription in ended:
                subscription.stop()
            self._condition.notify_all()

    def close(self) -> None:
        """End every stream and open none any more."""
        with self._condition:
            self._closed = True
        self.end(lambda _: True)

    def _wake(self, accounts: Iterable[str], how: Callable[[Subscription], None]) -> None:
        concerned = set(accounts)
        with self._condition:
            for subscription in self._subscriptions:
                if subscription.session.account in concerned:
                    how(subscription)
            self._condition.notify_all()


def stream(
    subscription: Subscription,
    read: Callable[[int], list[Message]],
    members: Callable[[Collection[str]], list[Members]],
    after: int,
    heartbeat: float,
    gone: Callable[[], bool],
) -> Iterator[bytes]:
    """The bytes of an event stream: `ready`, then messages and changes of members as they come, until it is ended.

    `read` gives the next messages with a higher sequence number, at most BATCH of them; `members` who the members of
    conversations are by now. `gone` tells whether there is nobody to send to any more. After `heartbeat` seconds of
    silence a comment is sent.
    """
    yield b"event: ready\ndata: {}\n\n"
    sent = time.monotonic()
    while subscription.open and not gone():
        pending = subscription.wait(_CHECK_INTERVAL)
        changed = subscription.changed() if pending else ()
        for change in members(changed) if changed else ():
            yield f"event: members\ndata: {change.model_dump_json()}\n\n".encode()
        batch = read(after) if pending else []
        for message in batch:
            after = message.sequence
            yield f"event: message\nid: {after}\ndata: {message.model_dump_json()}\n\n".encode()
        if len(batch) == BATCH:
            subscription.wake()  # there may be more; what is committed from now on wakes it by itself
        if batch or changed:
            sent = time.monotonic()
        elif time.monotonic() - sent >= heartbeat:
            yield b":\n\n"
            sent = time.monotonic()
