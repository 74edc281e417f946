"""Proofs about a log of keys: the right ones hold, and whatever is changed in them does not."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee import keys
from lab.e2ee.protocol import E2EEError
from lab.e2ee.transparency import (
    EMPTY_ROOT,
    Frontier,
    LogEntry,
    TreeHead,
    check_consistency,
    check_inclusion,
    leaf_hash,
    list_digest,
    sign_tree_head,
)
from tests.e2ee.naive_tree import path, proof, root

LOG = keys.new_signing_key(os.urandom)
LOG_KEY = LOG.public_key().public_bytes_raw()

some = settings(max_examples=60)


def leaves_of(size: int) -> list[bytes]:
    return [f"entry {index}".encode() for index in range(size)]


def refused(check: Any, *values: Any) -> bool:
    try:
        check(*values)
    except E2EEError:
        return True
    return False


@st.composite
def changes(draw: st.DrawFn, hashes: list[bytes]) -> list[bytes]:
    """A proof that was tampered with in one of the ways that come to mind."""
    ways = ["extend"] + (["flip", "cut", "drop", "repeat"] if hashes else [])
    ways += ["swap"] if len(set(hashes)) > 1 else []
    changed = list(hashes)
    at = draw(st.integers(0, max(len(hashes) - 1, 0)))
    match draw(st.sampled_from(ways)):
        case "extend":
            changed.insert(draw(st.integers(0, len(hashes))), draw(st.binary(min_size=32, max_size=32)))
        case "flip":
            bit = draw(st.integers(0, 255))
            changed[at] = (int.from_bytes(hashes[at], "big") ^ 1 << bit).to_bytes(32, "big")
        case "cut":
            changed[at] = hashes[at][:-1]
        case "drop":
            del changed[at]
        case "repeat":
            changed.insert(at, hashes[at])
        case "swap":
            other = draw(st.sampled_from([one for one in range(len(hashes)) if hashes[one] != hashes[at]]))
            changed[at], changed[other] = hashes[other], hashes[at]
    return changed


class TestInclusion:
    def test_every_entry_of_every_small_tree_is_found_in_its_place_only(self) -> None:
        for size in range(1, 18):
            leaves = leaves_of(size)
            whole = root(leaves)
            for index in range(size):
                found = path(index, leaves)
                check_inclusion(leaf_hash(leaves[index]), index, size, found, whole)
                for other in range(-1, size + 2):
                    if other != index:
                        assert refused(check_inclusion, leaf_hash(leaves[index]), other, size, found, whole)

    @some
    @given(st.data(), st.integers(1, 120))
    def test_what_is_changed_is_refused(self, data: st.DataObject, size: int) -> None:
        leaves = leaves_of(size)
        index = data.draw(st.integers(0, size - 1))
        leaf, whole, found = leaf_hash(leaves[index]), root(leaves), path(index, leaves)
        check_inclusion(leaf, index, size, found, whole)
        assert refused(check_inclusion, leaf, index, size, data.draw(changes(found)), whole)
        assert refused(check_inclusion, leaf_hash(b"another"), index, size, found, whole)
        assert refused(check_inclusion, leaf, index, size, found, root([*leaves, b"one more"]))
        assert refused(check_inclusion, leaf, index, 0, found, whole)
        assert refused(check_inclusion, leaf, index, size, found, EMPTY_ROOT)
        assert refused(check_inclusion, leaf, index, size, found, b"")

    def test_a_node_is_no_entry(self) -> None:
        """The concatenation of two hashes would be an entry, if leaves and nodes were hashed alike."""
        leaves = leaves_of(4)
        left = leaf_hash(leaves[0]) + leaf_hash(leaves[1])
        whole, neighbour = root(leaves), [root(leaves[2:])]
        check_inclusion(root(leaves[:2]), 0, 2, neighbour, whole)  # a proof of the upper half of the tree, as such
        assert refused(check_inclusion, leaf_hash(left), 0, 2, neighbour, whole)


class TestConsistency:
    def test_every_small_tree_begins_with_every_smaller_one(self) -> None:
        for second in range(1, 18):
            leaves = leaves_of(second)
            for first in range(1, second + 1):
                found = proof(first, leaves)
                check_consistency(first, root(leaves[:first]), second, root(leaves), found)
                for other in range(second + 2):
                    if other != first:
                        assert refused(check_consistency, other, root(leaves[:first]), second, root(leaves), found)

    @some
    @given(st.data(), st.integers(1, 120))
    def test_what_is_changed_is_refused(self, data: st.DataObject, second: int) -> None:
        leaves = leaves_of(second)
        first = data.draw(st.integers(1, second))
        old, new, found = root(leaves[:first]), root(leaves), proof(first, leaves)
        check_consistency(first, old, second, new, found)
        assert refused(check_consistency, first, old, second, new, data.draw(changes(found)))
        assert refused(check_consistency, second, new, first, old, found) or first == second
        for wrong in (leaf_hash(b"another"), EMPTY_ROOT, b""):
            assert refused(check_consistency, first, wrong, second, new, found)
            assert refused(check_consistency, first, old, second, wrong, found)

    @some
    @given(st.data(), st.integers(2, 100))
    def test_no_proof_of_a_changed_log_is_accepted(self, data: st.DataObject, second: int) -> None:
        """An entry among the first ones was exchanged since, and the log proves its new tree as well as it can."""
        first = data.draw(st.integers(1, second - 1))
        before, after = leaves_of(first), leaves_of(second)
        after[data.draw(st.integers(0, first - 1))] = b"exchanged"
        for kept in (root(before), root(after[:first])):
            accepted = not refused(check_consistency, first, kept, second, root(after), proof(first, after))
            assert accepted is (kept != root(before))

    @pytest.mark.parametrize("second", [0, 1, 5])
    def test_the_empty_tree_proves_nothing(self, second: int) -> None:
        for found in ([], [EMPTY_ROOT]):
            assert refused(check_consistency, 0, EMPTY_ROOT, second, root(leaves_of(second)), found)


VECTORS = os.environ.get("LAB_VECTORS")


@pytest.mark.skipif(VECTORS is None, reason="LAB_VECTORS names no folder with the Merkle proofs")
@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_the_proofs_of_other_implementations_are_judged_as_they_should_be(kind: str) -> None:
    cases = sorted(Path(VECTORS or "", "merkle", "testdata", kind).rglob("*.json"))
    judged = {True: 0, False: 0}
    for file in cases:
        case = json.loads(file.read_text())
        data = {name: base64.b64decode(value) for name, value in case.items() if name.startswith(("root", "leafHash"))}
        hashes = [base64.b64decode(one) for one in case["proof"] or []]
        if kind == "inclusion":
            found = refused(check_inclusion, data["leafHash"], case["leafIdx"], case["treeSize"], hashes, data["root"])
        else:
            found = refused(check_consistency, case["size1"], data["root1"], case["size2"], data["root2"], hashes)
        assert found is case["wantErr"], f"{file}: {case['desc']}"
        judged[found] += 1
    assert judged == {True: 92, False: 6}


class TestFrontier:
    def test_it_knows_the_root_of_every_tree_on_its_way(self) -> None:
        frontier = Frontier()
        leaves = leaves_of(70)
        for size, leaf in enumerate(leaves):
            assert frontier.root == root(leaves[:size])
            assert len(frontier.peaks) == size.bit_count()
            frontier = Frontier.from_bytes(frontier.to_bytes()).append(leaf_hash(leaf))

    @pytest.mark.parametrize("data", [b"", bytes(7), bytes(8) + b"\0", (3).to_bytes(8, "big") + bytes(63)])
    def test_only_its_own_form_is_read(self, data: bytes) -> None:
        assert Frontier.from_bytes(bytes(8)) == Frontier()
        assert refused(Frontier.from_bytes, data)


class TestHeads:
    def test_a_head_is_that_of_the_log_that_signed_it(self) -> None:
        head = sign_tree_head(LOG, 7, root(leaves_of(7)))
        TreeHead.from_bytes(head.to_bytes()).verify(LOG_KEY)
        other = keys.new_signing_key(os.urandom).public_key().public_bytes_raw()
        assert refused(head.verify, other)
        assert refused(head.verify, b"")

    @some
    @given(st.integers(0, 105 * 8 - 1))
    def test_no_bit_of_it_can_be_changed(self, bit: int) -> None:
        data = bytearray(sign_tree_head(LOG, 7, root(leaves_of(7))).to_bytes())
        assert len(data) == 105
        data[bit // 8] ^= 1 << bit % 8
        assert refused(lambda: TreeHead.from_bytes(bytes(data)).verify(LOG_KEY))

    @given(st.binary(max_size=120))
    def test_what_is_no_head_is_refused(self, data: bytes) -> None:
        assert refused(lambda: TreeHead.from_bytes(data).verify(LOG_KEY))

    @given(st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32))
    def test_it_comes_back_as_it_was(self, size: int, whole: bytes) -> None:
        head = TreeHead(size, whole, bytes(64))
        assert TreeHead.from_bytes(head.to_bytes()) == head


def test_two_different_entries_are_two_different_leaves() -> None:
    digest = list_digest(b"list")
    entries = [
        LogEntry(account, version, data)
        for account in ("bob", "bob\0", "bo")
        for version in (1, 256)
        for data in (digest, digest[::-1])
    ]
    assert len({entry.leaf() for entry in entries}) == len(entries)
    assert LogEntry("bob", 1, digest).leaf() == (
        b"\0\0\0\x18mitm-lab/1 key log entry" + b"\0\0\0\3bob" + b"\0\0\0\4\0\0\0\1" + b"\0\0\0\x20" + digest
    )
