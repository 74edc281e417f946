"""The log of keys: which device list the service has accepted for which account, in an append-only tree (RFC 9162).

So that people can see what is said about them to others: each new device list becomes an entry, the service signs the
root of the tree, and proves to whoever asks that an entry is in it, and that it only ever grew. The key of the log is
the operator's own and is made when the service first starts. It is in the database: whoever has a copy of that can sign
other trees.

What is signed and hashed, numbers big-endian, each part preceded by its length in 4 bytes:

    entry      "mitm-lab/1 key log entry" | account | version 4 | SHA-256 of the list
    tree head  "mitm-lab/1 key log tree head" | size 8 | root 32

The log cannot forget: which lists an account has had stays in it, and members can read who is in it. Deployed systems
hide the names, and let everybody look up their own without reading all of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection, bindparam, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from lab.service import merkle
from lab.service.key_log_schemas import (
    MAX_ENTRIES,
    Consistency,
    Entries,
    Entry,
    Inclusion,
    OwnEntries,
    OwnEntry,
    TreeHead,
)
from lab.service.problems import ProblemError
from lab.service.storage import Storage, log_entries, log_key, log_nodes

_ENTRY_LABEL = b"mitm-lab/1 key log entry"
_HEAD_LABEL = b"mitm-lab/1 key log tree head"

_MAKE_KEY = upsert(log_key).on_conflict_do_nothing()
_KEY = select(log_key.c.private)
_LAST = select(func.max(log_entries.c.number))
_of_account = log_entries.c.account == bindparam("name")
_LATEST = select(log_entries).where(_of_account).order_by(log_entries.c.version.desc()).limit(1)
_ALL_OF_ACCOUNT = select(log_entries).where(_of_account).order_by(log_entries.c.version)
_ENTRIES = (
    select(log_entries)
    .where(log_entries.c.number >= bindparam("start"), log_entries.c.number < bindparam("end"))
    .order_by(log_entries.c.number)
)
_ADD_ENTRY = insert(log_entries)
_ADD_NODES = insert(log_nodes)
_NODES = select(log_nodes.c.number, log_nodes.c.hash).where(log_nodes.c.number.in_(bindparam("wanted", expanding=True)))


class KeyLog:
    """The log of one service."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        with storage.writing() as connection:
            connection.execute(_MAKE_KEY, {"id": 1, "private": Ed25519PrivateKey.generate().private_bytes_raw()})
            self._key = Ed25519PrivateKey.from_private_bytes(connection.execute(_KEY).scalar_one())
        self._public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def append(self, connection: Connection, account: str, data: bytes) -> None:
        """Write down that `data` is the list of `account` from now on, unless that is what the log says already."""
        latest = connection.execute(_LATEST, {"name": account}).one_or_none()
        if latest is not None and latest.data == data:
            return
        version = 1 if latest is None else latest.version + 1
        size = _size(connection)
        leaf = merkle.leaf_hash(_prefixed(_ENTRY_LABEL, account.encode(), version.to_bytes(4, "big"), _digest(data)))
        nodes = merkle.appended(size, leaf, _nodes(connection, merkle.to_append(size)))
        connection.execute(_ADD_ENTRY, {"number": size, "account": account, "version": version, "data": data})
        connection.execute(_ADD_NODES, [{"number": number, "hash": found} for number, found in nodes.items()])

    def head(self) -> TreeHead:
        """The latest tree head."""
        with self._storage.reading() as connection:
            return self._head(connection, _size(connection))

    def latest(self, account: str) -> Inclusion:
        """The latest entry of an account, with its proof; raises ProblemError (404) if there is none."""
        with self._storage.reading() as connection:
            row = connection.execute(_LATEST, {"name": account}).one_or_none()
            if row is None:
                raise ProblemError(404, "Nothing is in the log under this name.")
            size = _size(connection)
            return Inclusion(
                head=self._head(connection, size),
                number=row.number,
                entry=_entry(row.account, row.version, row.data),
                path=_hashes(connection, merkle.inclusion(row.number, size)),
            )

    def consistency(self, first: int, second: int) -> Consistency:
        """The proof that the log only grew; raises ProblemError (404) if it has not come so far."""
        with self._storage.reading() as connection:
            if second > _size(connection):
                raise ProblemError(404, "The log does not have so many entries.")
            return Consistency(path=_hashes(connection, merkle.consistency(first, second)))

    def entries(self, start: int, end: int) -> Entries:
        """The entries from number `start` to before `end`, or the first of them, if there are too many."""
        with self._storage.reading() as connection:
            rows = connection.execute(_ENTRIES, {"start": start, "end": min(end, start + MAX_ENTRIES)})
            return Entries(entries=[_entry(row.account, row.version, row.data) for row in rows])

    def own(self, account: str) -> OwnEntries:
        """All entries of an account, with the lists themselves."""
        with self._storage.reading() as connection:
            rows = connection.execute(_ALL_OF_ACCOUNT, {"name": account})
            return OwnEntries(entries=[OwnEntry(number=row.number, version=row.version, data=row.data) for row in rows])

    def _head(self, connection: Connection, size: int) -> TreeHead:
        whole = merkle.whole(size)
        root = merkle.hash_of(whole, _nodes(connection, whole))
        # Ed25519 has one signature for each message: the same head is always the same bytes.
        signature = self._key.sign(_prefixed(_HEAD_LABEL, size.to_bytes(8, "big"), root))
        return TreeHead(key=self._public, size=size, root=root, signature=signature)


def _size(connection: Connection) -> int:
    last: int | None = connection.scalar(_LAST)
    return 0 if last is None else last + 1


def _nodes(connection: Connection, wanted: Iterable[int]) -> dict[int, bytes]:
    return {row.number: row.hash for row in connection.execute(_NODES, {"wanted": list(wanted)})}


def _hashes(connection: Connection, parts: list[merkle.Part]) -> list[bytes]:
    nodes = _nodes(connection, {number for part in parts for number in part})
    return [merkle.hash_of(part, nodes) for part in parts]


def _entry(account: str, version: int, data: bytes) -> Entry:
    return Entry(account=account, version=version, digest=_digest(data))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _prefixed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
