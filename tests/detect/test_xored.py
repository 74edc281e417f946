"""Exclusive or with one byte around what is encoded itself."""

from __future__ import annotations

import gzip
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect.budget import Budget, Limits
from lab.detect.decoders.xored import xored
from lab.detect.views import View, locate

from .codings import VALUE, noise

LONG = b"once upon a time: " + VALUE


def combined(data: bytes, key: int) -> bytes:
    return bytes(byte ^ key for byte in data)


def views(data: bytes, starts: tuple[int, ...] = (0,)) -> list[View]:
    return list(xored(View(data, "file", starts=starts), Budget(Limits())))


@pytest.mark.parametrize(
    "packed", [b64encode(LONG), LONG.hex().encode(), gzip.compress(LONG, mtime=0)], ids=["base64", "hex", "gzip"]
)
@given(key=st.integers(0x80, 0xFF))
def test_encoded_text_and_compressed_data_are_recognised_behind_any_key(packed: bytes, key: int) -> None:
    found = {view.decoders: view for view in views(combined(packed, key))}
    view = found[(f"xor 0x{key:02x}",)]
    assert view.data == packed
    assert locate(view, 3, 9) == ((3, 9),)


def test_a_value_that_starts_within_a_view_is_looked_at() -> None:
    data = noise(40) + combined(b64encode(LONG), 0x91)
    assert views(data) == []
    assert b64encode(LONG) in [view.data for view in views(data, (0, 40))]


@pytest.mark.parametrize(
    "data", [b"", b"k", noise(5000), LONG, b64encode(LONG), b"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]" * 9]
)
def test_noise_and_text_are_left_alone(data: bytes) -> None:
    assert views(data) == []


@given(st.binary(max_size=100))
def test_any_bytes_can_be_looked_at(data: bytes) -> None:
    for view in views(data):
        assert len(view.data) == len(data)
