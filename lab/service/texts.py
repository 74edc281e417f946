"""Text messages (SMS) as a phone company delivers them: without any encryption, and kept until they are fetched.

They are a service of their own beside the messenger, for phones and not for accounts that are logged in.

Simplified: phone numbers are account names, and who sends or fetches is believed without proof. A real phone proves to
its own network whose card it has; but what other networks say about a sender is believed there as well.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from sqlalchemy import bindparam, insert, select, update

from lab.service.problems import ProblemError
from lab.service.schemas import NewText, Posted, Text
from lab.service.storage import Storage, accounts, text_messages

_KNOWN = select(accounts.c.name).where(accounts.c.name.in_([bindparam("sender"), bindparam("recipient")]))
_ADD = insert(text_messages)
_WAITING = (
    select(text_messages)
    .where(text_messages.c.recipient == bindparam("recipient"), text_messages.c.delivered.is_(None))
    .order_by(text_messages.c.number)
)
_DELIVERED = update(text_messages).where(text_messages.c.id == bindparam("which")).values(delivered=bindparam("now"))


class Texts:
    """The text messages of one service."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock

    def post(self, new: NewText) -> Posted:
        """Keep a text message until it is fetched; raises ProblemError (422) if there are no such people."""
        posted = Posted(id=str(uuid4()), time=self._clock())
        with self._storage.writing() as connection:
            about = {"sender": new.sender, "recipient": new.recipient}
            if set(connection.scalars(_KNOWN, about)) != {new.sender, new.recipient}:
                raise ProblemError(422, "There is no such number.")
            connection.execute(_ADD, {**new.model_dump(), "id": posted.id, "created": posted.time})
        return posted

    def waiting(self, recipient: str) -> list[Text]:
        """What is for `recipient` and was not delivered yet, the oldest first."""
        with self._storage.reading() as connection:
            rows = connection.execute(_WAITING, {"recipient": recipient})
            return [
                Text(id=row.id, sender=row.sender, message=row.message, time=row.created, text=row.text) for row in rows
            ]

    def deliver(self, text: str) -> None:
        """Note that a text message has reached its phone; raises ProblemError (404) if there is none."""
        with self._storage.writing() as connection:
            if not connection.execute(_DELIVERED, {"which": text, "now": self._clock()}).rowcount:
                raise ProblemError(404, "There is no such text message.")
