"""The operator makes "6pm" of "5pm" in an envelope that it cannot open: where it has to look, and what it writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.attack.bitflip import flip, place
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
