"""The device store of one participant: one SQLite file, encrypted, and the key to it in a file beside it.

Every value is sealed with AES-256-GCM under a key of its own, derived (HKDF-SHA256) from the store key and 32 fresh
random bytes that stand before it, so that no pair of key and nonce comes twice. Table and row are authenticated with
it: no value can be moved to another place. Rows are called by HMAC-SHA256 of their names, so that the file does not
say with whom its owner writes. Both files are readable by their owner only.

What this does not do, on purpose and visibly:

- A real phone keeps the store key in hardware that gives it out (or uses it) only while the phone is unlocked. Here it
  is a file, and whoever gets both files gets everything: see `lab.e2ee.device` for what that is.
- Visible without the key: how many rows each table has, how long each value is, and which rows change when.
- An older copy of the whole file, or an older value of the same row, is not noticed: that takes a counter in hardware.
  Whoever restores a phone from such a copy would use message keys twice.
- What was replaced or deleted is overwritten in the file (secure_delete). In the write-ahead log it stays, sealed,
  until the log is emptied: after a few steps, and on closing. A file system may keep more.

Values change in steps: `commit` makes all changes of a step at once and returns when they are on the disk
(synchronous=FULL), or at least when no death of the process can undo them. Only one process at a time can open a store:
two would use keys twice.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lab import private
from lab.e2ee.codec import Reader, blocks, number
from lab.e2ee.keys import KEY, derive
from lab.e2ee.protocol import STORE_LABEL, STORE_NAME_LABEL, E2EEError
from lab.model import LabError

type Name = tuple[str, ...]

_SALT = 32
_NONCE = 12
_EMPTY_LOG_AFTER = 16
"""Steps after which the write-ahead log is emptied."""


class Table(StrEnum):
    """What a device keeps. No message is kept once the app has it, unless the app has a history."""

    STATE = "state"
    """The device's own keys, and how far it has read."""
    CONTACTS = "contacts"
    """By account: the device list that is trusted, whether somebody compared safety numbers, a changed identity."""
    SESSIONS = "sessions"
    """By account and device number."""
    SENDER_KEYS = "sender_keys"
    """The device's own, by conversation."""
    READERS = "readers"
    """Other devices' sender keys, by conversation, account and device number."""
    LOG = "log"
    """What was seen of the service's log of keys."""
    OUTBOX = "outbox"
    """By message id: sealed, and perhaps not posted."""
    INBOX = "inbox"
    """By message id: opened, and not yet taken by the app."""
    HISTORY = "history"
    """By message id: sent or read, where the app keeps messages (see `lab.messenger.history`)."""
    CHATS = "chats"
    """By conversation: encrypted because both sides have agreed, where apps encrypt nothing else."""
    TIMERS = "timers"
    """By conversation: the seconds after which messages disappear."""


class Changes:
    """What one step changes."""

    def __init__(self) -> None:
        self._made: dict[tuple[Table, Name], bytes | None] = {}

    def put(self, table: Table, *name: str, value: bytes) -> None:
        self._made[table, name] = value

    def drop(self, table: Table, *name: str) -> None:
        """Remove a row; nothing, if it is not there."""
        self._made[table, name] = None

    def __iter__(self) -> Iterator[tuple[Table, Name, bytes | None]]:
        return ((table, name, value) for (table, name), value in self._made.items())


class DeviceStore:
    """Opened for one device; a new file gets a new key. Not for two threads at the same time.

    LabError: the file is no store, is damaged or does not belong to the key beside it, or is in use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            key = _store_key(path)
        except OSError as error:
            raise LabError(f"{error.filename}: the device store cannot be opened: {error.strerror}") from None
        self._key = key
        self._names = derive(key, salt=None, info=STORE_NAME_LABEL, length=KEY)
        self._steps = 0
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        try:
            # Exclusive before WAL: then SQLite needs no shared memory, and keeps everybody else out.
            for setting in (
                "locking_mode = EXCLUSIVE",
                "journal_mode = WAL",
                "secure_delete = ON",
            ):
                self._database.execute(f"PRAGMA {setting}").close()
            tables = (
                f"CREATE TABLE IF NOT EXISTS {table} (number INTEGER PRIMARY KEY, name BLOB UNIQUE, value BLOB);"
                for table in Table
            )
            self._database.executescript(f"BEGIN EXCLUSIVE; {''.join(tables)} COMMIT;")
        except sqlite3.Error as error:
            self._database.close()
            raise LabError(f"{path}: the device store cannot be opened: {error}") from None

    def get(self, table: Table, *name: str) -> bytes | None:
        """The value of a row; None if there is none."""
        row_name = self._row_name(table, name)
        query = f"SELECT value FROM {table} WHERE name = ?"  # noqa: S608 - a table of ours
        found = self._execute(query, row_name)
        return self._open(table, row_name, found[0][0])[1] if found else None

    def rows(self, table: Table) -> Iterator[tuple[Name, bytes]]:
        """All rows with their names, the oldest first."""
        query = f"SELECT name, value FROM {table} ORDER BY number"  # noqa: S608 - a table of ours
        return (self._open(table, *row) for row in self._execute(query))

    def commit(self, changes: Changes, *, hurry: bool = True) -> None:
        """Make all changes, or none of them; afterwards they are on the disk.

        Without `hurry` they are safe from the end of the process, whereas a power cut may undo all steps since the last
        one in a hurry.
        """
        self._execute(f"PRAGMA synchronous = {'FULL' if hurry else 'NORMAL'}")
        self._execute("BEGIN IMMEDIATE")
        try:
            for table, name, value in changes:
                self._change(table, name, value)
            self._execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._execute("ROLLBACK")
            raise
        self._steps += 1
        if self._steps % _EMPTY_LOG_AFTER == 0:
            self.erase()

    def erase(self) -> None:
        """Empty the write-ahead log: what was replaced or deleted so far is in neither file any more."""
        self._execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Closing it again does nothing."""
        # The last one to close moves the write-ahead log into the file and removes it.
        self._database.close()

    def _change(self, table: Table, name: Name, value: bytes | None) -> None:
        row_name = self._row_name(table, name)
        if value is None:
            self._execute(f"DELETE FROM {table} WHERE name = ?", row_name)  # noqa: S608 - a table of ours
            return
        # Not REPLACE, which would give the row a new place among the others.
        statement = (
            f"INSERT INTO {table} (name, value) VALUES (?, ?)"  # noqa: S608 - a table of ours
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        )
        self._execute(statement, row_name, self._seal(table, row_name, name, value))

    def _execute(self, statement: str, *values: bytes) -> list[Any]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise LabError(f"{self._path}: the device store cannot be used: {error}") from None

    def _row_name(self, table: Table, name: Name) -> bytes:
        return hmac.digest(self._names, blocks(table.encode(), *(part.encode() for part in name)), "sha256")

    def _seal(self, table: Table, row_name: bytes, name: Name, value: bytes) -> bytes:
        salt = os.urandom(_SALT)
        cipher, nonce = self._cipher(salt)
        # The name itself is in the value: from the row's name nobody can tell it, not even the owner.
        plaintext = number(len(name), 1) + blocks(*(part.encode() for part in name)) + value
        return salt + cipher.encrypt(nonce, plaintext, blocks(STORE_LABEL, table.encode(), row_name))

    def _open(self, table: Table, row_name: bytes, sealed: bytes) -> tuple[Name, bytes]:
        cipher, nonce = self._cipher(sealed[:_SALT])
        try:
            plaintext = cipher.decrypt(nonce, sealed[_SALT:], blocks(STORE_LABEL, table.encode(), row_name))
            reader = Reader(plaintext)
            name = tuple(reader.text() for _ in range(reader.number(1)))
            return name, reader.rest()
        except (InvalidTag, E2EEError):
            raise LabError(f"{self._path}: the device store is damaged or has another key") from None

    def _cipher(self, salt: bytes) -> tuple[AESGCM, bytes]:
        both = derive(self._key, salt=salt, info=STORE_LABEL, length=KEY + _NONCE)
        return AESGCM(both[:KEY]), both[KEY:]


def _store_key(path: Path) -> bytes:
    """The key of the store at `path`; a new one if there is no store yet."""
    beside = path.with_name(f"{path.name}.key")
    if not path.exists():
        # The key first, and whole: whoever is interrupted in between has a key to nothing, and begins again here.
        beside.unlink(missing_ok=True)
        key = os.urandom(KEY)
        with os.fdopen(private.create(beside), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.close(private.create(path))
    key = beside.read_bytes()
    if len(key) != KEY:
        raise LabError(f"{beside}: this is not the key of a device store")
    return key
