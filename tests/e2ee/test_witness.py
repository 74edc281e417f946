"""The lab's ratchet talks with one of other people, python-doubleratchet: each reads what the other has written."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.protocol import MAX_SKIP, E2EEError
from lab.e2ee.ratchet import Ratchet
from tests.e2ee.witness import REFUSALS, Witness

type Side = Ratchet | Witness
type Pair = tuple[Side, Side]

DATA = b"what both sides know of each other"


def pair(initiator: type[Side], responder: type[Side]) -> Pair:
    secret, key = os.urandom(32), X25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    return initiator.initiator(secret, public, DATA), responder.responder(secret, key, DATA)


def we_begin() -> Pair:
    return pair(Ratchet, Witness)


def they_begin() -> Pair:
    return pair(Witness, Ratchet)


who_begins = pytest.mark.parametrize("begin", [we_begin, they_begin])
beginners = st.sampled_from([we_begin, they_begin])


def say(sender: Side, reader: Side, text: bytes = b"a text") -> None:
    assert reader.decrypt(sender.encrypt(text, os.urandom)) == text


def refuses(reader: Side, message: bytes) -> bool:
    with pytest.raises(E2EEError if isinstance(reader, Ratchet) else REFUSALS):
        reader.decrypt(message)
    return True


@who_begins
@pytest.mark.parametrize("size", [0, 1, 15, 16, 100, 65536])
def test_both_read_each_other_over_many_turns(begin: Callable[[], Pair], size: int) -> None:
    one, other = begin()
    for turn in range(6):
        for _ in range(turn + 1):
            say(one, other, os.urandom(size))
        one, other = other, one


@who_begins
def test_late_messages_are_read_after_many_turns(begin: Callable[[], Pair]) -> None:
    sides = begin()
    late: list[tuple[Side, bytes, bytes]] = []
    for turn in range(8):
        sender, reader = sides if turn % 2 == 0 else sides[::-1]
        for count in range(3):
            text = f"late {turn} {count}".encode()
            late.append((reader, sender.encrypt(text, os.urandom), text))
        say(sender, reader)
    assert all(reader.decrypt(message) == text for reader, message, text in reversed(late))
    assert all(refuses(reader, message) for reader, message, _ in late)


@settings(max_examples=40)
@given(beginners, st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=40))
def test_in_any_order_both_read_everything_once(begin: Callable[[], Pair], steps: list[tuple[bool, int]]) -> None:
    sides = begin()
    say(*sides)
    way: tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]] = ([], [])
    for count, (who, place) in enumerate(steps):
        if place < 3:
            text = str(count).encode()
            way[who].append((sides[who].encrypt(text, os.urandom), text))
        elif way[who]:
            message, text = way[who].pop(place % len(way[who]))
            assert sides[not who].decrypt(message) == text
            assert refuses(sides[not who], message)
    for who in (False, True):
        assert all(sides[not who].decrypt(message) == text for message, text in reversed(way[who]))


@who_begins
@pytest.mark.filterwarnings("ignore:More than 1000 message keys skipped")  # of a header that is not authentic yet
def test_both_refuse_the_same_and_go_on(begin: Callable[[], Pair]) -> None:
    sides = begin()
    for sender, reader in [sides, sides[::-1], sides, sides[::-1]]:
        message = sender.encrypt(b"a text", os.urandom)
        for at in range(len(message)):
            assert refuses(reader, message[:at] + bytes([message[at] ^ 1 << at % 8]) + message[at + 1 :])
        assert reader.decrypt(message) == b"a text"
        assert refuses(reader, message)


@who_begins
def test_both_bridge_a_thousand_lost_messages_and_no_more(begin: Callable[[], Pair]) -> None:
    sender, reader = begin()
    say(sender, reader)
    lost = [sender.encrypt(b"lost", os.urandom) for _ in range(MAX_SKIP + 1)]
    beyond = sender.encrypt(b"beyond", os.urandom)
    assert refuses(reader, beyond)
    assert reader.decrypt(lost[-1]) == b"lost"
    assert reader.decrypt(beyond) == b"beyond"
    assert all(reader.decrypt(message) == b"lost" for message in lost[:-1])
