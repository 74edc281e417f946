"""Key transparency: what a reader of a log of keys checks. The log is the append-only Merkle tree of RFC 9162.

The service writes into its log which device list it has accepted for which account, and signs the root of the tree (the
tree head). Whoever is handed a list asks for the proof that it stands in the log (inclusion, section 2.1.3.2), and from
one head to the next for the proof that nothing was taken out or changed in between (consistency, section 2.1.4.2). So a
service that hands out a key of its own must write it down where its victim can find it, or keep two logs. Two logs
cannot be proved to be one: who compares two heads, one of each, finds out.

Nothing here says that a key is the right one. It says that everybody is shown the same, and that the owner can look.

Differences from RFC 9162, on purpose:

- The bytes of an entry and of a tree head are those of `codec`, with a label that has the version in it, in place of
  TransItem (sections 4.4 to 4.10): `leaf` and `_signed` below are the whole form.
- A head has no time and no extensions, and there is one log, so it has no name. That a service shows one reader an old
  head for ever is therefore noticed only once another reader's head arrives.
- An entry is in the tree as soon as the service has accepted it: there are no promises (SCTs, section 4.8) and no
  maximum merge delay.
- SHA-256 and Ed25519 alone.

Left out: hiding who is in the log, and looking up one account without reading everything. Deployed systems (CONIKS,
SEEMless, Parakeet) keep a prefix tree with a verifiable random function for that. Here an entry names its account, and
who wants to be sure that nothing is written under their own name reads all entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.e2ee.codec import Reader, blocks, number
from lab.e2ee.keys import SIGNATURE, sign, verify
from lab.e2ee.protocol import LOG_ENTRY_LABEL, TREE_HEAD_LABEL, VERSION, E2EEError

HASH = 32
"""Bytes of SHA-256."""

EMPTY_ROOT = sha256().digest()
"""The root of a tree without entries (section 2.1.1)."""

_SIZE = 8
"""Bytes of the number of entries of a tree."""


def leaf_hash(leaf: bytes) -> bytes:
    """Section 2.1.1. The first byte keeps leaves and nodes apart: no node can be passed off as an entry."""
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Section 2.1.1."""
    return sha256(b"\1" + left + right).digest()


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry: the `version`-th device list that the service accepted for `account`, and the list's SHA-256."""

    account: str
    version: int
    digest: bytes

    def leaf(self) -> bytes:
        return blocks(LOG_ENTRY_LABEL, self.account.encode(), number(self.version), self.digest)


def list_digest(device_list: bytes) -> bytes:
    """What an entry says of a device list, as it was signed."""
    return sha256(device_list).digest()


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What the log says of itself: `size` entries under `root`, 32 bytes, signed with the key of the log.

    Wire form: version 1 | size 8 | root 32 | signature 64.
    """

    size: int
    root: bytes
    signature: bytes

    def verify(self, log_key: bytes) -> None:
        """E2EEError unless the log with that Ed25519 key has signed this head."""
        verify(log_key, self.signature, TREE_HEAD_LABEL, *_signed(self.size, self.root))

    def to_bytes(self) -> bytes:
        return number(VERSION, 1) + b"".join(_signed(self.size, self.root)) + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> TreeHead:
        """What `to_bytes` wrote, not verified. E2EEError: anything else."""
        reader = Reader(data)
        if reader.number(1) != VERSION:
            raise E2EEError("a tree head is of no known version")
        head = cls(reader.number(_SIZE), reader.take(HASH), reader.take(SIGNATURE))
        reader.end()
        return head


def sign_tree_head(log_key: Ed25519PrivateKey, size: int, root: bytes) -> TreeHead:
    """The head of a tree of `size` entries, below 2**64."""
    return TreeHead(size, root, sign(log_key, TREE_HEAD_LABEL, *_signed(size, root)))


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """E2EEError unless the entry with the hash `leaf` is number `index` (from 0) of the `size` under `root`.

    Section 2.1.3.2. `path` has the hashes from the leaf's neighbour upwards.
    """
    _check_lengths(leaf, root, *path)
    if not 0 <= index < size:
        raise E2EEError("the log gives an entry a place that it does not have")
    place, last, found = index, size - 1, leaf
    for other in path:
        if last == 0:
            raise E2EEError("the log's proof that an entry is in it is too long")
        if place % 2 or place == last:
            found = node_hash(other, found)
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, other)
        place, last = place >> 1, last >> 1
    if last or found != root:
        raise E2EEError("the log does not prove that an entry is in it")


def check_consistency(first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]) -> None:
    """E2EEError unless the tree of `second` entries begins with that of `first` entries, which are at least one.

    Section 2.1.4.2, which is about 0 < first < second. For two heads of one size the roots have to be the same, without
    any proof. A tree without entries is the beginning of every other: there is nothing to prove, and nothing is
    accepted as a proof.
    """
    if not 0 < first <= second:
        raise E2EEError("the log has become shorter, or has no entries to compare")
    if first == second:
        if path or first_root != second_root:
            raise E2EEError("the log shows two different trees of one size")
        return
    _check_lengths(first_root, second_root, *path)
    if not path:
        raise E2EEError("the log gives no proof that it only grew")
    # The tree of `first` entries is one node of the other: its root is known and therefore not part of the proof.
    hashes = list(path) if first & (first - 1) else [first_root, *path]
    place, last = first - 1, second - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for other in hashes[1:]:
        if last == 0:
            raise E2EEError("the log's proof that it only grew is too long")
        if place % 2 or place == last:
            old, new = node_hash(other, old), node_hash(other, new)
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, other)
        place, last = place >> 1, last >> 1
    if last or old != first_root or new != second_root:
        raise E2EEError("the log does not prove that it only grew")


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree as far as it was read: enough to go on and to know its root, without keeping the entries.

    `peaks` are the roots of the complete subtrees that `size` is the sum of, the largest first.
    Wire form: size 8 | peaks, 32 bytes each.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> Frontier:
        """With one more entry, whose hash is `leaf`."""
        peaks, size, grown = list(self.peaks), self.size, leaf
        while size % 2:
            grown, size = node_hash(peaks.pop(), grown), size >> 1
        return Frontier(self.size + 1, (*peaks, grown))

    @property
    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        *others, root = self.peaks
        for peak in reversed(others):
            root = node_hash(peak, root)
        return root

    def to_bytes(self) -> bytes:
        return number(self.size, _SIZE) + b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """What `to_bytes` wrote. E2EEError: anything else."""
        reader = Reader(data)
        size = reader.number(_SIZE)
        peaks = tuple(reader.take(HASH) for _ in range(size.bit_count()))
        reader.end()
        return cls(size, peaks)


def _signed(size: int, root: bytes) -> tuple[bytes, bytes]:
    return number(size, _SIZE), root


def _check_lengths(*hashes: bytes) -> None:
    # Hashes are put together without their lengths: one byte less here and one more there would be the same bytes.
    if any(len(one) != HASH for one in hashes):
        raise E2EEError("a hash in a proof of the log has the wrong length")
