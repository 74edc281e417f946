"""The Merkle tree of RFC 9162, section 2.1, for one that keeps the tree: which nodes a root or a proof is made of.

Nothing is read here. A tree is kept as the hashes of its complete subtrees, each under one number, and every function
says which numbers it needs or is given what they stand for. A proof in a tree of n entries takes at most some
log2(n)**2 / 2 of them, usually log2(n), however many entries there are.

Numbers: the node at `level` (0: leaves) and `place` (from 0) is number (2 * place + 1) * 2**level - 1, as in RFC 9420,
appendix C. So a node never changes its number when the tree grows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

EMPTY_ROOT = hashlib.sha256().digest()

type Part = tuple[int, ...]
"""A stretch of leaves, as the numbers of the complete subtrees that it consists of, from left to right."""


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def whole(size: int) -> Part:
    """All of a tree of `size` leaves: what its root is made of."""
    return _part(0, size)


def to_append(size: int) -> Part:
    """The subtrees that grow together with leaf number `size` (from 0) as it is appended."""
    complete = whole(size)
    # As many as there are ones at the end of the number: adding one carries through them.
    return complete[len(complete) - ((size ^ (size + 1)).bit_length() - 1) :]


def appended(size: int, leaf: bytes, nodes: Mapping[int, bytes]) -> dict[int, bytes]:
    """The nodes that are new as the leaf with the hash `leaf` becomes number `size`; `nodes` has those `to_append`."""
    new = {_number(0, size): leaf}
    for level, left in enumerate(reversed(to_append(size)), start=1):
        leaf = node_hash(nodes[left], leaf)
        new[_number(level, size >> level)] = leaf
    return new


def inclusion(index: int, size: int) -> list[Part]:
    """The proof that leaf `index` is in a tree of `size` (section 2.1.3.1), from the leaf up. 0 <= index < size."""
    found: list[Part] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append(_part(middle, end))
            end = middle
        else:
            found.append(_part(start, middle))
            start = middle
    return found[::-1]


def consistency(first: int, second: int) -> list[Part]:
    """The proof that a tree of `second` leaves begins with that of `first` (section 2.1.4.1). 0 < first <= second."""
    if first == second:
        return []
    found: list[Part] = []
    start, end, wanted = 0, second, first
    while wanted != end:
        middle = start + _split(end - start)
        if wanted <= middle:
            found.append(_part(middle, end))
            end = middle
        else:
            found.append(_part(start, middle))
            start = middle
    if start:  # else this is the first tree itself, which the reader knows
        found.append(_part(start, end))
    return found[::-1]


def hash_of(part: Part, nodes: Mapping[int, bytes]) -> bytes:
    """The hash over a stretch of leaves; `nodes` has those that are in it."""
    if not part:
        return EMPTY_ROOT
    *others, found = (nodes[number] for number in part)
    for left in reversed(others):
        found = node_hash(left, found)
    return found


def _part(start: int, end: int) -> Part:
    """The leaves from `start` to `end`, where a subtree as large as what remains may begin at `start`."""
    numbers = []
    while start < end:
        level = (end - start).bit_length() - 1
        numbers.append(_number(level, start >> level))
        start += 1 << level
    return tuple(numbers)


def _number(level: int, place: int) -> int:
    return ((2 * place + 1) << level) - 1


def _split(size: int) -> int:
    """The largest power of two smaller than `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1
