"""The device store of one participant: keys, pinned contacts, envelopes seen. One SQLite file, for its owner only.

The store is not encrypted: a device that falls into other hands gives up its keys, and the lab says so.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


class DeviceStore:
    """Opened for one account; a new file gets new keys. Not for two threads at the same time."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.executescript(
            """
            CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, private BLOB NOT NULL);
            CREATE TABLE IF NOT EXISTS contacts (account TEXT PRIMARY KEY, bundle BLOB NOT NULL);
            CREATE TABLE IF NOT EXISTS seen (digest BLOB PRIMARY KEY);
            """
        )

    def identity(self) -> Ed25519PrivateKey:
        """The signing key of this device, made at the first call."""
        fresh = Ed25519PrivateKey.generate().private_bytes_raw()
        return Ed25519PrivateKey.from_private_bytes(self._key("identity", fresh))

    def encryption(self) -> X25519PrivateKey:
        """The key that others seal to, made at the first call."""
        fresh = X25519PrivateKey.generate().private_bytes_raw()
        return X25519PrivateKey.from_private_bytes(self._key("encryption", fresh))

    def pin(self, account: str, bundle: bytes) -> bytes:
        """Keep the first bundle ever seen for `account` (trust on first use) and return the one that is kept."""
        self._database.execute("INSERT OR IGNORE INTO contacts VALUES (?, ?)", (account, bundle))
        row = self._database.execute("SELECT bundle FROM contacts WHERE account = ?", (account,)).fetchone()
        return bytes(row[0])

    def pinned(self, account: str) -> bytes | None:
        row = self._database.execute("SELECT bundle FROM contacts WHERE account = ?", (account,)).fetchone()
        return None if row is None else bytes(row[0])

    def remember(self, envelope: bytes) -> bool:
        """Note an envelope that was opened; False if it had been noted before (a replay)."""
        digest = hashlib.sha256(envelope).digest()
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 1

    def close(self) -> None:
        self._database.close()

    def _key(self, name: str, fresh: bytes) -> bytes:
        self._database.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (name, fresh))
        row = self._database.execute("SELECT private FROM keys WHERE name = ?", (name,)).fetchone()
        return bytes(row[0])
