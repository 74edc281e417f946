"""The log of keys: what goes in, what is proved, and that a large one is not read as a whole."""

from __future__ import annotations

import base64
import hashlib
import math
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lab.service import merkle
from lab.service.app import ServiceApp
from lab.service.config import Config
from tests.e2ee import naive_tree

from .conftest import Person, assert_problem, encoded, read_json


def decoded(value: Any) -> bytes:
    return base64.b64decode(value, validate=True)


def publish(person: Person, data: bytes) -> None:
    response = person.put("/v1/device-list", {"devices": [1], "data": encoded(data)})
    assert response.status_code == 200, response.text


def leaf(account: str, version: int, data: bytes) -> bytes:
    parts = (b"mitm-lab/1 key log entry", account.encode(), version.to_bytes(4, "big"), hashlib.sha256(data).digest())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def get(person: Person, path: str) -> Any:
    response = person.get(path)
    assert response.status_code == 200, response.text
    return read_json(response)


def check_head(head: Any, leaves: list[bytes]) -> None:
    root = naive_tree.root(leaves)
    parts = (b"mitm-lab/1 key log tree head", len(leaves).to_bytes(8, "big"), root)
    signed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    assert (head["size"], decoded(head["root"])) == (len(leaves), root)
    key = Ed25519PublicKey.from_public_bytes(decoded(head["key"]))
    key.verify(decoded(head["signature"]), signed)
    with pytest.raises(InvalidSignature):
        key.verify(decoded(head["signature"]), signed + b"\0")


class TestEntries:
    def test_an_empty_log_says_so(self, alice: Person) -> None:
        check_head(get(alice, "/v1/log/head"), [])
        assert get(alice, "/v1/log/entries?start=0&end=9") == {"entries": []}
        assert get(alice, "/v1/log/own-entries") == {"entries": []}
        assert_problem(alice.get("/v1/accounts/alice/log-entry"), 404)
        assert_problem(alice.get("/v1/log/consistency?first=1&second=1"), 404)

    def test_each_new_list_is_written_down_and_proved(self, alice: Person, bob: Person) -> None:
        leaves: list[bytes] = []
        for person, version, data in ((alice, 1, b"a"), (bob, 1, b"b"), (alice, 2, b"c"), (alice, 3, b"a")):
            publish(person, data)
            leaves.append(leaf(person.name, version, data))
            found = get(bob, f"/v1/accounts/{person.name}/log-entry")
            check_head(found["head"], leaves)
            assert found["number"] == len(leaves) - 1
            digest = encoded(hashlib.sha256(data).digest())
            assert found["entry"] == {"account": person.name, "version": version, "digest": digest}
        # Bob's one is not the last any more.
        found = get(alice, "/v1/accounts/bob/log-entry")
        assert (found["number"], [decoded(one) for one in found["path"]]) == (1, naive_tree.path(1, leaves))

    def test_the_same_list_again_is_no_news(self, alice: Person) -> None:
        for data in (b"list", b"list", b"another", b"another"):
            publish(alice, data)
        assert get(alice, "/v1/log/head")["size"] == 2

    def test_a_list_that_is_refused_is_not_written_down(self, alice: Person) -> None:
        assert_problem(alice.put("/v1/device-list", {"devices": [], "data": encoded(b"list")}), 422)
        assert get(alice, "/v1/log/head")["size"] == 0

    def test_everybody_can_read_all_of_it_and_their_own_with_the_lists(self, alice: Person, bob: Person) -> None:
        for person, data in ((alice, b"a"), (bob, b"b"), (alice, b"c")):
            publish(person, data)
        entries = get(bob, "/v1/log/entries?start=0&end=3")["entries"]
        assert [(one["account"], one["version"]) for one in entries] == [("alice", 1), ("bob", 1), ("alice", 2)]
        for start, end in ((0, 1), (1, 3), (2, 99), (3, 9), (2, 1)):
            assert get(bob, f"/v1/log/entries?start={start}&end={end}")["entries"] == entries[start:end]
        assert get(alice, "/v1/log/own-entries")["entries"] == [
            {"number": 0, "version": 1, "data": encoded(b"a")},
            {"number": 2, "version": 2, "data": encoded(b"c")},
        ]

    def test_too_many_come_in_pieces(self, alice: Person, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("lab.service.key_log.MAX_ENTRIES", 2)
        for data in (b"a", b"b", b"c"):
            publish(alice, data)
        assert len(get(alice, "/v1/log/entries?start=0&end=3")["entries"]) == 2
        assert len(get(alice, "/v1/log/entries?start=2&end=3")["entries"]) == 1

    def test_lists_that_come_at_the_same_time_all_get_a_place(
        self, app: ServiceApp, person: Callable[[str], Person]
    ) -> None:
        people = [person(f"person-{number}") for number in range(8)]
        with ThreadPoolExecutor(len(people)) as pool:
            list(pool.map(lambda one: publish(one, one.name.encode()), people))
        entries = get(people[0], "/v1/log/entries?start=0&end=99")["entries"]
        assert {one["account"] for one in entries} == {one.name for one in people}
        check_head(
            get(people[0], "/v1/log/head"), [leaf(one["account"], 1, one["account"].encode()) for one in entries]
        )


class TestProofs:
    @pytest.mark.parametrize("query", ["", "first=1", "first=0&second=1", "first=2&second=1", "first=a&second=1"])
    def test_the_sizes_have_to_be_sizes(self, alice: Person, query: str) -> None:
        publish(alice, b"a")
        publish(alice, b"b")
        assert_problem(alice.get(f"/v1/log/consistency?{query}"), 422)
        assert get(alice, "/v1/log/consistency?first=1&second=2")["path"]
        assert_problem(alice.get("/v1/log/consistency?first=1&second=3"), 404)

    def test_they_are_those_of_the_specification_for_every_small_tree(self) -> None:
        nodes: dict[int, bytes] = {}
        leaves: list[bytes] = []
        for size in range(1, 40):
            leaves.append(f"entry {size}".encode())
            needed = {number: nodes[number] for number in merkle.to_append(size - 1)}
            new = merkle.appended(size - 1, merkle.leaf_hash(leaves[-1]), needed)
            assert not new.keys() & nodes.keys()
            nodes |= new
            assert merkle.hash_of(merkle.whole(size), nodes) == naive_tree.root(leaves)
            for other in range(size):
                inclusion = [merkle.hash_of(part, nodes) for part in merkle.inclusion(other, size)]
                assert inclusion == naive_tree.path(other, leaves)
                grown = [merkle.hash_of(part, nodes) for part in merkle.consistency(other + 1, size)]
                assert grown == naive_tree.proof(other + 1, leaves)

    def test_of_a_billion_entries_they_need_a_few_nodes(self) -> None:
        size = 10**9 + 7
        for index in (0, 1, 10**6, size // 2, size - 1):
            for parts in (merkle.inclusion(index, size), merkle.consistency(index + 1, size)):
                assert len(parts) <= math.ceil(math.log2(size)) + 1
                assert sum(map(len, parts)) <= 60
        assert len(merkle.to_append(2**30 - 1)) == 30
        assert merkle.to_append(2**30) == ()


class TestKey:
    def test_it_stays_the_same_and_every_service_has_its_own(
        self, start: Callable[..., ServiceApp], config: Config
    ) -> None:
        def key(**settings: Any) -> str:
            person = Person(start(**settings).test_client(), "someone")
            person.register()
            assert person.login().status_code == 200
            found: str = get(person, "/v1/log/head")["key"]
            return found

        first = key()
        assert key() == first
        assert key(database=config.database.with_name("other.db")) != first

    def test_it_is_the_one_in_the_database(self, alice: Person, config: Config) -> None:
        """That is all an operator needs to sign another tree."""
        with closing(sqlite3.connect(config.database)) as connection:
            ((private,),) = connection.execute("SELECT private FROM log_key").fetchall()
        public = Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        assert decoded(get(alice, "/v1/log/head")["key"]) == public
