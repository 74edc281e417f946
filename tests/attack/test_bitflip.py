"""The operator makes "6pm" of "5pm" in an envelope that it cannot open: where it has to look, and what it writes."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lab.attack.bitflip import flip, place
from lab.e2ee.identity import DeviceKeys
from lab.e2ee.unauthenticated import open_sealed, seal
from lab.messenger.content import dump


@given(st.uuids().map(str), st.text(max_size=20), st.text(max_size=20))
def test_the_place_is_where_the_text_goes_on(conversation: str, before: str, after: str) -> None:
    message = dump({"conversation": conversation, "text": before + after})
    rest = dump({"": after})[len('{"":"') :]
    assert message[place(conversation, before) :] == rest


@pytest.mark.parametrize(("at", "old", "new"), [(0, b"a", b"ab"), (-1, b"a", b"b"), (5, b"a", b"b"), (4, b"ab", b"cd")])
def test_what_does_not_fit_is_not_flipped(at: int, old: bytes, new: bytes) -> None:
    envelope = bytes(33) + b"12345"
    with pytest.raises(ValueError, match="text"):
        flip(envelope, at, old, new)
    assert flip(envelope, 4, b"5", b"6") == bytes(33) + b"12346"


def test_who_knows_the_whole_text_writes_another_one_in_its_place() -> None:
    alice, bob = (DeviceKeys.new(name, 1, os.urandom) for name in ("alice", "bob"))
    pre_key = X25519PrivateKey.generate()
    envelope = seal(alice, bob.public, pre_key.public_key().public_bytes_raw(), b"Meet me at 5pm", os.urandom)
    forged = flip(envelope, 0, b"Meet me at 5pm", b"Do not come !!")
    assert open_sealed(bob, pre_key, alice.public, envelope) == b"Meet me at 5pm"
    assert open_sealed(bob, pre_key, alice.public, forged) == b"Do not come !!"
