"""Conversations: members, messages and receipts. Whoever is not a member cannot tell that one exists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Join, Row, Select, and_, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from lab.service.problems import ProblemError
from lab.service.schemas import (
    MAX_MEMBERS,
    Attachment,
    Conversation,
    Message,
    MessageStatus,
    NewMessage,
    Posted,
    Receipt,
    State,
)
from lab.service.storage import Storage, accounts, conversations, envelopes, members, messages, receipts

# Messages read for an event stream at once: with attachments they are up to about 1 MiB each.
_BATCH = 20


class Conversations:
    """The conversations of one service; `publish` is told the recipients of each message once it is stored."""

    def __init__(self, storage: Storage, clock: Callable[[], float], publish: Callable[[Iterable[str]], None]) -> None:
        self._storage = storage
        self._clock = clock
        self._publish = publish

    def create(self, creator: str, others: Sequence[str]) -> Conversation:
        """Start a conversation; raises ProblemError (422) for an unknown, missing or supernumerary member."""
        names = sorted({creator, *others})
        if not 2 <= len(names) <= MAX_MEMBERS:
            raise ProblemError(422, f"A conversation has 2 to {MAX_MEMBERS} members; this one has {len(names)}.")
        identifier = str(uuid4())
        with self._storage.writing() as connection:
            known = set(connection.scalars(select(accounts.c.name).where(accounts.c.name.in_(names))))
            unknown = [name for name in names if name not in known]
            if unknown:
                raise ProblemError(422, f"There is no account {unknown[0]!r}.")
            connection.execute(insert(conversations), {"id": identifier, "created": self._clock()})
            connection.execute(insert(members), [{"conversation": identifier, "account": name} for name in names])
        return Conversation(id=identifier, members=names)

    def of(self, account: str) -> list[Conversation]:
        """The conversations `account` is a member of, oldest first."""
        mine = select(members.c.conversation).where(members.c.account == account)
        statement = (
            select(conversations.c.id, members.c.account)
            .join(members, members.c.conversation == conversations.c.id)
            .where(conversations.c.id.in_(mine))
            .order_by(conversations.c.created, conversations.c.id, members.c.account)
        )
        names = defaultdict[str, list[str]](list)
        with self._storage.reading() as connection:
            for identifier, name in connection.execute(statement):
                names[identifier].append(name)
        return [Conversation(id=identifier, members=found) for identifier, found in names.items()]

    def post(self, sender: str, conversation: str, new: NewMessage) -> Posted:
        """Store a message; raises ProblemError (404 for others than members, 422 for wrong recipients)."""
        identifier = str(uuid4())
        content = new.content
        attachment = content.attachment if content else None
        with self._storage.writing() as connection:
            recipients = _others(connection, conversation, sender)
            if new.envelopes is not None and sorted(each.recipient for each in new.envelopes) != recipients:
                raise ProblemError(422, "Envelopes are for each other member of the conversation, one each.")
            # Inside the transaction: writers take turns, so times are in the order of the sequence numbers.
            now = self._clock()
            row = {
                "id": identifier,
                "conversation": conversation,
                "sender": sender,
                "created": now,
                "text": content.text if content else None,
                "attachment_name": attachment.name if attachment else None,
                "attachment_type": attachment.type if attachment else None,
                "attachment": attachment.data if attachment else None,
            }
            connection.execute(insert(messages), row)
            if new.envelopes is not None:
                connection.execute(
                    insert(envelopes),
                    [{"message": identifier, "recipient": each.recipient, "data": each.data} for each in new.envelopes],
                )
        self._publish(recipients)
        return Posted(id=identifier, time=now)

    def messages(self, reader: str, conversation: str) -> list[Message]:
        """The messages of a conversation, oldest first; raises ProblemError (404) for others than members."""
        statement = _as_read_by(reader).where(messages.c.conversation == conversation)
        with self._storage.reading() as connection:
            _others(connection, conversation, reader)
            return [Message(**_fields(row)) for row in connection.execute(statement)]

    def after(self, reader: str, sequence: int) -> list[Message]:
        """The next few messages others sent to `reader`, with sequence numbers above `sequence`, in that order."""
        statement = _as_read_by(reader).where(messages.c.sequence > sequence, messages.c.sender != reader).limit(_BATCH)
        with self._storage.reading() as connection:
            return [Message(**_fields(row)) for row in connection.execute(statement)]

    def status(self, reader: str, message: str) -> MessageStatus:
        """A message and its receipts; raises ProblemError (404) for others than members."""
        with self._storage.reading() as connection:
            row = connection.execute(_as_read_by(reader).where(messages.c.id == message)).one_or_none()
            if row is None:
                raise _no_message()
            found = connection.execute(
                select(receipts).where(receipts.c.message == message).order_by(receipts.c.time, receipts.c.account)
            )
            history = [Receipt(account=each.account, state=each.state, time=each.time) for each in found]
        return MessageStatus(**_fields(row), receipts=history)

    def acknowledge(self, recipient: str, message: str, state: State) -> Receipt:
        """Store and return a receipt, the first of its kind; raises ProblemError (403 sender, 404 stranger)."""
        row = {"message": message, "account": recipient, "state": state, "time": self._clock()}
        with self._storage.writing() as connection:
            statement = select(messages.c.sender).select_from(_joined_by(recipient)).where(messages.c.id == message)
            sender = connection.scalar(statement)
            if sender is None:
                raise _no_message()
            if sender == recipient:
                raise ProblemError(403, "Only a recipient can acknowledge a message.")
            connection.execute(upsert(receipts).values(row).on_conflict_do_nothing())
            kept = [receipts.c.message == message, receipts.c.account == recipient, receipts.c.state == state]
            first = connection.execute(select(receipts.c.time).where(*kept)).scalar_one()
        return Receipt(account=recipient, state=state, time=first)


def _others(connection: Connection, conversation: str, member: str) -> list[str]:
    """The other members in alphabetical order; raises ProblemError (404) if `member` is none."""
    statement = select(members.c.account).where(members.c.conversation == conversation).order_by(members.c.account)
    names = list(connection.scalars(statement))
    if member not in names:
        raise ProblemError(404, "There is no such conversation.")
    names.remove(member)
    return names


def _joined_by(account: str) -> Join:
    """The messages of the conversations `account` is a member of."""
    return messages.join(members, and_(members.c.conversation == messages.c.conversation, members.c.account == account))


def _as_read_by(account: str) -> Select[Any]:
    """The messages `account` may read, in order, each with the envelope addressed to it."""
    addressed = and_(envelopes.c.message == messages.c.id, envelopes.c.recipient == account)
    return (
        select(messages, envelopes.c.data)
        .select_from(_joined_by(account).outerjoin(envelopes, addressed))
        .order_by(messages.c.sequence)
    )


def _fields(row: Row[Any]) -> dict[str, Any]:
    """The fields of a `Message` from a row of `_as_read_by`."""
    attachment = None
    if row.attachment is not None:
        attachment = Attachment(name=row.attachment_name, type=row.attachment_type, data=row.attachment)
    return {
        "id": row.id,
        "sequence": row.sequence,
        "conversation": row.conversation,
        "sender": row.sender,
        "time": row.created,
        "text": row.text,
        "attachment": attachment,
        "envelope": row.data,
    }


def _no_message() -> ProblemError:
    return ProblemError(404, "There is no such message.")
