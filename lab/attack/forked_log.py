"""An operator with more than one log of keys: the one that everybody sees, and another one for each victim.

A second log begins as the first one does, so it continues whatever the victim has seen. Then it goes its own way: it
has a false device list for somebody, and never gets to the entries that this somebody makes afterwards. It is signed
with the same key, since the operator has that. By itself it is in perfect order: every proof in it holds.

What the operator cannot do is prove that the two are one. So it is found out by a reader of one log who gets a head of
the other: see `lab.messenger.log_view`.

Gossip does not help where the operator stands in between: it opens such messages anyway, and writes into them the head
that their reader should see (`SplitView.rewritten`).

The trees here are small and computed anew for each answer, straight from RFC 9162, sections 2.1.1, 2.1.3.1 and 2.1.4.1.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.e2ee.padding import pad, unpad
from lab.e2ee.transparency import (
    EMPTY_ROOT,
    LogEntry,
    TreeHead,
    leaf_hash,
    list_digest,
    node_hash,
    sign_tree_head,
)
from lab.mail import json_object
from lab.messenger.content import dump
from lab.messenger.log_view import HEAD_FIELD


class ForkedLog:
    """The victim's log. `honest` has the entries of the other one so far, `log_key` signs both.

    For the victim's requests about the log, `answer` has what the service would say if this were its log. The false
    device lists themselves are for the caller to hand out.
    """

    def __init__(self, log_key: Ed25519PrivateKey, honest: Sequence[LogEntry]) -> None:
        self._key = log_key
        self._entries = list(honest)
        self._seen = len(honest)
        self._substituted: set[str] = set()

    def substitute(self, account: str, devices: bytes) -> None:
        """From here on, `devices` is the list of `account` in this log. The same list once more changes nothing."""
        last = self._last(account)
        if last is not None and self._entries[last].digest == list_digest(devices):
            return
        self._substituted.add(account)
        self._entries.append(LogEntry(account, self._versions(account) + 1, list_digest(devices)))

    def follow(self, honest: Sequence[LogEntry]) -> None:
        """Take over what has come to the honest log, but for substituted accounts. `honest` is all of it by now."""
        self._entries += [entry for entry in honest[self._seen :] if entry.account not in self._substituted]
        self._seen = len(honest)

    def answer(self, target: str) -> bytes | None:
        """The body to answer GET `target` (path and query) with, status 200; None: the service's own answer will do."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        found: dict[str, Any] | None = None
        match url.path.split("/"):
            case ["", "v1", "log", "head"]:
                found = self._signed_head()
            case ["", "v1", "log", "consistency"]:
                found = self._consistency(_size(query, "first"), _size(query, "second"))
            case ["", "v1", "log", "entries"]:
                found = {"entries": [_entry(one) for one in self._entries[_size(query, "start") : _size(query, "end")]]}
            case ["", "v1", "accounts", account, "log-entry"]:
                found = self._latest(unquote(account))
        return None if found is None else json.dumps(found).encode()

    @property
    def head(self) -> TreeHead:
        """What the victim is told of this log, and what the operator writes into messages for the victim."""
        return sign_tree_head(self._key, len(self._entries), _root(self._leaves()))

    def _last(self, account: str) -> int | None:
        """The number of the latest entry of `account`."""
        places = range(len(self._entries) - 1, -1, -1)
        return next((place for place in places if self._entries[place].account == account), None)

    def _versions(self, account: str) -> int:
        return sum(entry.account == account for entry in self._entries)

    def _leaves(self) -> list[bytes]:
        return [leaf_hash(entry.leaf()) for entry in self._entries]

    def _signed_head(self) -> dict[str, Any]:
        head = self.head
        return {
            "key": _text(self._key.public_key().public_bytes_raw()),
            "size": head.size,
            "root": _text(head.root),
            "signature": _text(head.signature),
        }

    def _consistency(self, first: int, second: int) -> dict[str, Any] | None:
        if not 0 < first <= second <= len(self._entries):
            return None
        return {"path": [_text(one) for one in _proof(first, self._leaves()[:second], whole=True)]}

    def _latest(self, account: str) -> dict[str, Any] | None:
        last = self._last(account)
        if last is None:
            return None
        return {
            "head": self._signed_head(),
            "number": last,
            "entry": _entry(self._entries[last]),
            "path": [_text(one) for one in _path(last, self._leaves())],
        }


type ReadLog = Callable[[], tuple[Ed25519PrivateKey, list[LogEntry]]]
"""Gives the key and all entries of the honest log."""


class SplitView:
    """A forked log for each viewer who is handed out a false device list, from that moment on, and for nobody else."""

    def __init__(self, read: ReadLog) -> None:
        self._read = read
        self._forks: dict[str, ForkedLog] = {}

    def handed_out(self, viewer: str, account: str, devices: bytes) -> None:
        """`viewer` is about to get `devices` as the device list of `account`, be it the real one or a false one."""
        key, honest = self._read()
        real = next((entry.digest for entry in reversed(honest) if entry.account == account), None)
        if real == list_digest(devices):
            return
        fork = self._forks.setdefault(viewer, ForkedLog(key, honest))
        fork.follow(honest)
        fork.substitute(account, devices)

    def answer(self, viewer: str, target: str) -> bytes | None:
        """The body to answer `viewer` with, who asks for GET `target`; None: the service's own answer will do."""
        fork = self._forks.get(viewer)
        if fork is None:
            return None
        fork.follow(self._read()[1])
        return fork.answer(target)

    def rewritten(self, viewer: str, plaintext: bytes) -> bytes:
        """A message that the operator has opened, as it has to be sealed anew for `viewer`: with a head of the log that
        `viewer` knows, if there is a head in it; padded if it was. E2EEError: it is no message."""
        fields = json_object(plaintext)
        if not fields:
            return pad(self.rewritten(viewer, unpad(plaintext)))
        if HEAD_FIELD not in fields:
            return plaintext
        fork = self._forks.get(viewer)
        if fork is None:
            key, honest = self._read()
            fork = ForkedLog(key, honest)
        return dump({**fields, HEAD_FIELD: _text(fork.head.to_bytes())})


def read_log(database: Path) -> tuple[Ed25519PrivateKey, list[LogEntry]]:
    """The key and the entries of the service's log, as its operator finds them in its own database.

    sqlite3.Error: there is no such log.
    """
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        ((key,),) = connection.execute("SELECT private FROM log_key").fetchall()
        rows = connection.execute("SELECT account, version, data FROM log_entries ORDER BY number").fetchall()
    entries = [LogEntry(account, version, list_digest(data)) for account, version, data in rows]
    return Ed25519PrivateKey.from_private_bytes(key), entries


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    middle = _split(len(leaves))
    return node_hash(_root(leaves[:middle]), _root(leaves[middle:]))


def _path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    middle = _split(len(leaves))
    if index < middle:
        return [*_path(index, leaves[:middle]), _root(leaves[middle:])]
    return [*_path(index - middle, leaves[middle:]), _root(leaves[:middle])]


def _proof(first: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [_root(leaves)]
    middle = _split(len(leaves))
    if first <= middle:
        return [*_proof(first, leaves[:middle], whole=whole), _root(leaves[middle:])]
    return [*_proof(first - middle, leaves[middle:], whole=False), _root(leaves[:middle])]


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def _entry(entry: LogEntry) -> dict[str, Any]:
    return {"account": entry.account, "version": entry.version, "digest": _text(entry.digest)}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _size(query: dict[str, str], name: str) -> int:
    """A number in a query; 0 where there is none, which no honest reader asks for."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
