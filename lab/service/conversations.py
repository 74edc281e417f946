"""Conversations and their members. Whoever is not a member cannot tell that one exists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from lab.service.problems import ProblemError
from lab.service.schemas import MAX_MEMBERS, Conversation, Members
from lab.service.storage import Storage, accounts, conversations, members, messages

_KNOWN = select(accounts.c.name).where(accounts.c.name.in_(bindparam("names", expanding=True)))
_CREATE = insert(conversations)
_TITLE = select(conversations.c.title).where(conversations.c.id == bindparam("conversation"))
_ADD = insert(members)
_REMOVE = delete(members).where(
    members.c.conversation == bindparam("conversation"), members.c.account == bindparam("account")
)
_NAMES = (
    select(members.c.account).where(members.c.conversation == bindparam("conversation")).order_by(members.c.account)
)
_mine = select(members.c.conversation).where(members.c.account == bindparam("member"))
_LIST = (
    select(conversations.c.id, conversations.c.title, members.c.account)
    .join(members, members.c.conversation == conversations.c.id)
    .where(conversations.c.id.in_(_mine))
    .order_by(conversations.c.created, conversations.c.id, members.c.account)
)
_LAST_MESSAGE = select(func.coalesce(func.max(messages.c.sequence), 0))

type Changed = Callable[[str, Iterable[str]], None]
"""Told a conversation whose members have changed, and the accounts that this concerns."""


class Conversations:
    """The conversations of one service; `changed` is told of new and removed members once that is stored."""

    def __init__(self, storage: Storage, clock: Callable[[], float], changed: Changed) -> None:
        self._storage = storage
        self._clock = clock
        self._changed = changed

    def create(self, creator: str, others: Sequence[str], title: str | None) -> Conversation:
        """Start a conversation; raises ProblemError (422) for an unknown, missing or supernumerary member."""
        names = sorted({creator, *others})
        if len(names) < 2:
            raise ProblemError(422, "A conversation starts with at least one other member.")
        identifier = str(uuid4())
        with self._storage.writing() as connection:
            _check_names(connection, names)
            connection.execute(_CREATE, {"id": identifier, "created": self._clock(), "title": title})
            connection.execute(_ADD, [{"conversation": identifier, "account": name, "joined": 0} for name in names])
        return Conversation(id=identifier, members=names, title=title)

    def of(self, account: str) -> list[Conversation]:
        """The conversations `account` is a member of, oldest first."""
        titles: dict[str, str | None] = {}
        names = defaultdict[str, list[str]](list)
        with self._storage.reading() as connection:
            for identifier, title, name in connection.execute(_LIST, {"member": account}):
                titles[identifier] = title
                names[identifier].append(name)
        return [
            Conversation(id=identifier, members=names[identifier], title=title) for identifier, title in titles.items()
        ]

    def members(self, reader: str, identifiers: Collection[str]) -> list[Members]:
        """The members of each of these conversations; none of one that `reader` is not a member of."""
        found = []
        with self._storage.reading() as connection:
            for identifier in identifiers:
                names = names_in(connection, identifier)
                found.append(Members(conversation=identifier, members=names if reader in names else []))
        return found

    def add(self, member: str, conversation: str, newcomer: str) -> Conversation:
        """Add `newcomer`, who gets what is posted from now on; whoever is a member already stays one.

        Raises ProblemError (404 if `member` is none; 422 for an unknown or supernumerary newcomer).
        """
        with self._storage.writing() as connection:
            names = members_of(connection, conversation, member)
            title = connection.scalar(_TITLE, {"conversation": conversation})
            if newcomer in names:
                return Conversation(id=conversation, members=names, title=title)
            names = sorted([*names, newcomer])
            _check_names(connection, names)
            joined = connection.execute(_LAST_MESSAGE).scalar_one()
            connection.execute(_ADD, {"conversation": conversation, "account": newcomer, "joined": joined})
        self._changed(conversation, names)
        return Conversation(id=conversation, members=names, title=title)

    def remove(self, member: str, conversation: str, leaver: str) -> None:
        """Remove `leaver`, who may be `member`; raises ProblemError (404) if either is none."""
        with self._storage.writing() as connection:
            names = members_of(connection, conversation, member)
            if leaver not in names:
                raise ProblemError(404, "There is no such member.")
            connection.execute(_REMOVE, {"conversation": conversation, "account": leaver})
        self._changed(conversation, names)


def no_conversation() -> ProblemError:
    """What is said of a conversation that is not there, or not for the one who asks."""
    return ProblemError(404, "There is no such conversation.")


def names_in(connection: Connection, conversation: str) -> list[str]:
    """The members in alphabetical order; none if there is no such conversation."""
    return list(connection.scalars(_NAMES, {"conversation": conversation}))


def members_of(connection: Connection, conversation: str, member: str) -> list[str]:
    """The same; raises ProblemError (404) if `member` is none of them."""
    names = names_in(connection, conversation)
    if member not in names:
        raise no_conversation()
    return names


def _check_names(connection: Connection, names: Sequence[str]) -> None:
    """Raises ProblemError (422) if these cannot be the members of a conversation."""
    if len(names) > MAX_MEMBERS:
        raise ProblemError(422, f"A conversation has at most {MAX_MEMBERS} members; this one has {len(names)}.")
    known = set(connection.scalars(_KNOWN, {"names": names}))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ProblemError(422, f"There is no account {unknown[0]!r}.")
