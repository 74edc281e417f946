"""Messages that the service itself deletes: after some time, or once everybody has read them (a "vanish mode").

A member says how long what is posted in a conversation from now on is kept. What is deleted is text and attachment, as
far as the service can read them: the row stays, with who wrote to whom and when, so that a message that is posted again
is known, and receipts have something to be about. Nothing here reaches what others have got by then.

Simplified: "read" is what the last of the other members says. Real vanish modes wait until the chat is left as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Update, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lab.service.conversations import members_of
from lab.service.storage import Storage, lifetimes, members, messages, receipts

_SECONDS = select(lifetimes.c.seconds).where(lifetimes.c.conversation == bindparam("conversation"))
_SET = upsert(lifetimes)
_KEEP = _SET.on_conflict_do_update(set_={"seconds": _SET.excluded.seconds})
_KEEP_FOR_GOOD = delete(lifetimes).where(lifetimes.c.conversation == bindparam("conversation"))

_DELETE = update(messages).values(
    text=None, attachment_name=None, attachment_type=None, attachment=None, deleted=bindparam("now")
)
# As in the index that lets it find nothing quickly, which is the usual case.
_EXPIRED = text("lifetime > 0 AND deleted IS NULL AND created + lifetime <= :now")
_SOME_EXPIRED = select(messages.c.id).where(_EXPIRED).limit(1)
_EXPIRE = _DELETE.where(_EXPIRED)
_readers = (
    select(func.count())
    .select_from(members)
    .where(members.c.conversation == messages.c.conversation, members.c.account != messages.c.sender)
    .scalar_subquery()
)
_have_read = (
    select(func.count())
    .select_from(receipts)
    .where(receipts.c.message == messages.c.id, receipts.c.state == "read")
    .scalar_subquery()
)
_VANISH = _DELETE.where(
    messages.c.id == bindparam("message"),
    messages.c.lifetime == 0,
    messages.c.deleted.is_(None),
    _have_read >= _readers,
)


class Lifetimes:
    """How long the messages of one service are kept."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock

    def set(self, member: str, conversation: str, seconds: int | None) -> None:
        """Keep what is posted from now on for so long; 0: until everybody has read it, None: for good.

        Raises ProblemError (404) if `member` is none.
        """
        with self._storage.writing() as connection:
            members_of(connection, conversation, member)
            if seconds is None:
                connection.execute(_KEEP_FOR_GOOD, {"conversation": conversation})
            else:
                connection.execute(_KEEP, {"conversation": conversation, "seconds": seconds})

    def of(self, connection: Connection, conversation: str) -> int | None:
        """What `set` was told last."""
        return connection.scalar(_SECONDS, {"conversation": conversation})

    def expire(self) -> None:
        """Delete what has been kept for long enough by now."""
        now = {"now": self._clock()}
        with self._storage.reading() as connection:
            if connection.scalar(_SOME_EXPIRED, now) is None:
                return
        self._delete(_EXPIRE, now)

    def vanish(self, message: str) -> None:
        """Delete a message that is kept until everybody has read it, if everybody has."""
        self._delete(_VANISH, {"now": self._clock(), "message": message})

    def _delete(self, statement: Update, about: dict[str, Any]) -> None:
        with self._storage.writing() as connection:
            deleted = connection.execute(statement, about).rowcount
        if deleted:
            self._storage.erase()
