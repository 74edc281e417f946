"""Messages: who gets which envelope, what each reader gets of a message, and receipts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, Select, and_, bindparam, insert, or_, select
from sqlalchemy.dialects.sqlite import insert as upsert

from lab.service.conversations import no_conversation
from lab.service.devices import check_device
from lab.service.lifetimes import Lifetimes
from lab.service.problems import ProblemError
from lab.service.schemas import Attachment, Message, MessageStatus, NewMessage, Posted, Receipt, State
from lab.service.storage import Storage, devices, envelopes, members, messages, receipts

BATCH = 20
"""Messages read for an event stream at once, at most: with attachments they are up to about 1 MiB each."""

type Address = tuple[str, int | None]
"""An account and the number of one of its devices, or None if it has no device list."""

_POSTED = select(messages.c.sender, messages.c.conversation, messages.c.created).where(
    messages.c.id == bindparam("message")
)
_ADDRESSES = (
    select(members.c.account, devices.c.device)
    .outerjoin(devices, devices.c.account == members.c.account)
    .where(members.c.conversation == bindparam("conversation"))
)
_ADD_MESSAGE = insert(messages)
_ADD_ENVELOPES = insert(envelopes)

joined = messages.join(
    members,
    and_(
        members.c.conversation == messages.c.conversation,
        members.c.account == bindparam("reader"),
        members.c.joined < messages.c.sequence,
    ),
)
"""The messages that the account `reader` may see: those of conversations it is in, posted since it joined them."""
_addressed = and_(
    envelopes.c.message == messages.c.id,
    envelopes.c.recipient == bindparam("reader"),
    or_(envelopes.c.device.is_(None), envelopes.c.device == bindparam("device")),
)
_AS_READ = (
    select(messages, envelopes.c.data, envelopes.c.message.label("addressed"))
    .select_from(joined.outerjoin(envelopes, _addressed))
    .order_by(messages.c.sequence)
)
_ONE = _AS_READ.where(messages.c.id == bindparam("message"))
_kept = messages.c.deleted.is_(None)
_ALL = _AS_READ.where(messages.c.conversation == bindparam("conversation"), _kept)
_NEXT = _AS_READ.where(messages.c.sequence > bindparam("after"), _kept).limit(BATCH)
_NEXT_OF_OTHERS = _NEXT.where(messages.c.sender != bindparam("reader"))
_NEXT_FOR_DEVICE = _NEXT.where(
    or_(messages.c.sender != bindparam("reader"), messages.c.device.is_distinct_from(bindparam("device"))),
    # What the service can read is for every device.
    or_(envelopes.c.message.is_not(None), messages.c.text.is_not(None), messages.c.attachment.is_not(None)),
)

_SENDER = select(messages.c.sender).select_from(joined).where(messages.c.id == bindparam("message"))
# Sets what is there already, as only what is written is returned.
_ACKNOWLEDGE = upsert(receipts).on_conflict_do_update(set_={"time": receipts.c.time}).returning(receipts.c.time)
_RECEIPTS = (
    select(receipts).where(receipts.c.message == bindparam("message")).order_by(receipts.c.time, receipts.c.account)
)


class Messages:
    """The messages of one service; `publish` is told the accounts a message is for once it is stored."""

    def __init__(
        self,
        storage: Storage,
        clock: Callable[[], float],
        lifetimes: Lifetimes,
        publish: Callable[[Iterable[str]], None],
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._lifetimes = lifetimes
        self._publish = publish

    def post(self, sender: str, conversation: str, new: NewMessage) -> Posted:
        """Store a message, or find it stored by the sender under the same id.

        Raises ProblemError: 404 for others than members, 422 for a device the sender does not have, 409 for an id that
        is given to another message, and 409 with the addresses "missing" and "stale" for envelopes to the wrong ones.
        """
        with self._storage.writing() as connection:
            addresses = _addresses(connection, conversation, sender)
            if new.id is not None and (posted := _posted(connection, sender, conversation, new.id)):
                return posted
            if new.device is not None:
                check_device(connection, sender, new.device)
            addresses.discard((sender, new.device))
            if new.envelopes is not None:
                _check_addresses(addresses, {(each.recipient, each.device) for each in new.envelopes})
            # Inside the transaction: writers take turns, so times are in the order of the sequence numbers.
            posted = Posted(id=new.id or str(uuid4()), time=self._clock())
            lifetime = self._lifetimes.of(connection, conversation)
            connection.execute(_ADD_MESSAGE, {**_row(sender, conversation, new, posted), "lifetime": lifetime})
            if new.envelopes:
                connection.execute(
                    _ADD_ENVELOPES,
                    [
                        {"message": posted.id, "recipient": each.recipient, "device": each.device, "data": each.data}
                        for each in new.envelopes
                    ],
                )
        self._publish({account for account, _ in addresses})
        return posted

    def of(self, reader: str, device: int | None, conversation: str) -> list[Message]:
        """The messages of a conversation since `reader` joined it, oldest first.

        Raises ProblemError: 404 for others than members, 422 for a device that `reader` does not have.
        """
        self._lifetimes.expire()
        about = {"reader": reader, "device": device, "conversation": conversation}
        with self._storage.reading() as connection:
            _addresses(connection, conversation, reader)
            if device is not None:
                check_device(connection, reader, device)
            return [Message(**_fields(row)) for row in connection.execute(_ALL, about)]

    def after(self, reader: str, device: int | None, sequence: int) -> list[Message]:
        """The next few messages with sequence numbers above `sequence`, in that order.

        Without a device those that others sent to `reader`, else those for this device, sent by any other one.
        """
        self._lifetimes.expire()
        about = {"reader": reader, "device": device, "after": sequence}
        statement: Select[Any] = _NEXT_OF_OTHERS if device is None else _NEXT_FOR_DEVICE
        with self._storage.reading() as connection:
            return [Message(**_fields(row)) for row in connection.execute(statement, about)]

    def status(self, reader: str, device: int | None, message: str) -> MessageStatus:
        """A message and its receipts, also once its content was deleted; raises ProblemError as `of` does."""
        self._lifetimes.expire()
        with self._storage.reading() as connection:
            if device is not None:
                check_device(connection, reader, device)
            about = {"reader": reader, "device": device, "message": message}
            row = connection.execute(_ONE, about).one_or_none()
            if row is None:
                raise no_message()
            found = connection.execute(_RECEIPTS, {"message": message})
            history = [Receipt(account=each.account, state=each.state, time=each.time) for each in found]
        return MessageStatus(**_fields(row), receipts=history)

    def acknowledge(self, recipient: str, message: str, state: State) -> Receipt:
        """Store and return a receipt, the first of its kind; raises ProblemError (403 sender, 404 stranger)."""
        with self._storage.writing() as connection:
            sender = connection.scalar(_SENDER, {"reader": recipient, "message": message})
            if sender is None:
                raise no_message()
            if sender == recipient:
                raise ProblemError(403, "Only a recipient can acknowledge a message.")
            row = {"message": message, "account": recipient, "state": state, "time": self._clock()}
            first = connection.execute(_ACKNOWLEDGE, row).scalar_one()
        if state == "read":
            self._lifetimes.vanish(message)
        return Receipt(account=recipient, state=state, time=first)


def _addresses(connection: Connection, conversation: str, member: str) -> set[Address]:
    """Where the members of a conversation are reached; raises ProblemError (404) if `member` is none."""
    found = {(row.account, row.device) for row in connection.execute(_ADDRESSES, {"conversation": conversation})}
    if not any(account == member for account, _ in found):
        raise no_conversation()
    return found


def _posted(connection: Connection, sender: str, conversation: str, identifier: str) -> Posted | None:
    row = connection.execute(_POSTED, {"message": identifier}).one_or_none()
    if row is None:
        return None
    if (row.sender, row.conversation) != (sender, conversation):
        raise ProblemError(409, "This id is given to another message.")
    return Posted(id=identifier, time=row.created)


def _check_addresses(expected: Collection[Address], found: Collection[Address]) -> None:
    """Raises ProblemError (409), which names the difference, if the two are not the same."""
    missing, stale = set(expected) - set(found), set(found) - set(expected)
    if missing or stale:
        raise ProblemError(
            409,
            "Envelopes are for each device of each member, but the one that sends, one each.",
            members={"missing": _named(missing), "stale": _named(stale)},
        )


def _named(addresses: Iterable[Address]) -> list[dict[str, object]]:
    ordered = sorted(addresses, key=lambda address: (address[0], address[1] or 0))
    return [{"account": account, "device": device} for account, device in ordered]


def _row(sender: str, conversation: str, new: NewMessage, posted: Posted) -> dict[str, object]:
    content = new.content
    attachment = content.attachment if content else None
    return {
        "id": posted.id,
        "conversation": conversation,
        "sender": sender,
        "created": posted.time,
        "text": content.text if content else None,
        "attachment_name": attachment.name if attachment else None,
        "attachment_type": attachment.type if attachment else None,
        "attachment": attachment.data if attachment else None,
        "device": new.device,
        "shared": new.shared,
        "commitment": new.commitment,
    }


def _fields(row: Row[Any]) -> dict[str, Any]:
    """The fields of a `Message` from a row of `_AS_READ`."""
    attachment = None
    if row.attachment is not None:
        attachment = Attachment(name=row.attachment_name, type=row.attachment_type, data=row.attachment)
    return {
        "id": row.id,
        "sequence": row.sequence,
        "conversation": row.conversation,
        "sender": row.sender,
        "device": row.device,
        "time": row.created,
        "text": row.text,
        "attachment": attachment,
        "envelope": row.data,
        "shared": row.shared if row.addressed else None,
        "commitment": row.commitment if row.addressed else None,
    }


def no_message() -> ProblemError:
    """The answer to whoever may not see a message, whether or not there is one."""
    return ProblemError(404, "There is no such message.")
