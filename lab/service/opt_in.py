"""Conversations that are end-to-end encrypted because both members have agreed to it: one offers, the other accepts.

The service sees to what such a conversation has less than others: it has two members and no more, and nothing is posted
in it that the service can read. Whether what is posted is really sealed it cannot tell; that is for the apps to see.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update

from lab.service.conversations import members_of, names_in
from lab.service.problems import ProblemError
from lab.service.schemas import ChatEncryption, NewMessage
from lab.service.storage import Storage, messages, opt_ins

_STATE = select(opt_ins.c.offered_by, opt_ins.c.accepted).where(opt_ins.c.conversation == bindparam("conversation"))
_OFFER = insert(opt_ins)
_ACCEPT = update(opt_ins).where(opt_ins.c.conversation == bindparam("which")).values(accepted=True)
_A_MESSAGE = select(messages.c.id).where(messages.c.conversation == bindparam("conversation")).limit(1)


class OptIns:
    """Which conversations of one service are encrypted."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def of(self, member: str, conversation: str) -> ChatEncryption:
        """How it stands; raises ProblemError (404) for others than members."""
        with self._storage.reading() as connection:
            members_of(connection, conversation, member)
            return _state(connection, conversation)

    def agree(self, member: str, conversation: str) -> ChatEncryption:
        """Offer encryption, or accept what the other member has offered; to agree twice changes nothing.

        Raises ProblemError: 404 for others than members, 409 for a conversation that has other than two members, or
        messages already.
        """
        with self._storage.writing() as connection:
            names = members_of(connection, conversation, member)
            state = _state(connection, conversation)
            if state.offered_by is None:
                if len(names) != 2 or connection.scalar(_A_MESSAGE, {"conversation": conversation}):
                    raise ProblemError(409, "Encryption is for a new conversation of two people.")
                connection.execute(_OFFER, {"conversation": conversation, "offered_by": member, "accepted": False})
            elif state.offered_by != member:
                connection.execute(_ACCEPT, {"which": conversation})
            return _state(connection, conversation)

    def check_newcomer(self, member: str, conversation: str) -> None:
        """Raises ProblemError (409) if `member` cannot add anybody because of encryption."""
        if self._known(member, conversation).offered_by is not None:
            raise ProblemError(409, "An encrypted conversation has two members and no more.")

    def check_message(self, member: str, conversation: str, new: NewMessage) -> None:
        """Raises ProblemError (409) if `member` cannot post this because of encryption."""
        state = self._known(member, conversation)
        if state.offered_by is None:
            return
        if not state.accepted:
            raise ProblemError(409, "The other member has not accepted the encrypted conversation yet.")
        if new.content is not None:
            raise ProblemError(409, "In an encrypted conversation nothing is posted that the service can read.")

    def _known(self, member: str, conversation: str) -> ChatEncryption:
        """How it stands; as if nobody had offered anything, if `member` is none."""
        with self._storage.reading() as connection:
            state = _state(connection, conversation)
            if state.offered_by is not None and member not in names_in(connection, conversation):
                return ChatEncryption(offered_by=None, accepted=False)
            return state


def _state(connection: Connection, conversation: str) -> ChatEncryption:
    row = connection.execute(_STATE, {"conversation": conversation}).one_or_none()
    if row is None:
        return ChatEncryption(offered_by=None, accepted=False)
    return ChatEncryption(offered_by=row.offered_by, accepted=row.accepted)
