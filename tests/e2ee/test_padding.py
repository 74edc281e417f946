"""Before something is encrypted it is made longer, so that its length says less. Nothing gets lost by that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.e2ee.padding import pad, padme, unpad
from lab.e2ee.protocol import MAX_FILE, E2EEError

# Messages


def test_yes_and_a_sentence_have_the_same_length() -> None:
    short, long = pad(b"yes"), pad(b"No. I thought about it for a long time, and I would rather stay at home.")
    assert len(short) == len(long) == 160


@pytest.mark.parametrize(("size", "padded"), [(0, 160), (1, 160), (159, 160), (160, 320), (319, 320), (320, 480)])
def test_the_mark_needs_a_byte_of_its_own(size: int, padded: int) -> None:
    message = pad(b"a" * size)
    assert len(message) == padded
    assert message == b"a" * size + b"\x80" + bytes(padded - size - 1)


@given(st.binary(max_size=500), st.integers(1, 300))
def test_every_message_comes_back(message: bytes, bucket: int) -> None:
    padded = pad(message, bucket)
    assert unpad(padded) == message
    assert len(padded) % bucket == 0
    assert 1 <= len(padded) - len(message) <= bucket


@pytest.mark.parametrize("message", [b"\x80", b"\x80\0\0", b"\0\0\0", b"a\x80", b"a\0", b"\x80" * 160])
def test_messages_that_look_like_padding_come_back_too(message: bytes) -> None:
    assert unpad(pad(message)) == message


@pytest.mark.parametrize("padded", [b"", bytes(160), b"a" * 160, b"a" + bytes(159), b"a\x80\0\x01"])
def test_what_was_not_padded_is_refused(padded: bytes) -> None:
    with pytest.raises(E2EEError, match="padding"):
        unpad(padded)


# Files


@pytest.mark.parametrize(
    ("size", "padded"),
    [
        *((size, size) for size in range(9)),
        (9, 10),  # two leading bits after the first: 1001 becomes 1010
        (129, 144),  # the most that it costs
        (1_000, 1_024),
        (1_024, 1_024),
        (1_025, 1_088),
        (1_000_000, 1_015_808),
        (MAX_FILE, MAX_FILE),
    ],
)
def test_padme_rounds_as_the_paper_says(size: int, padded: int) -> None:
    assert padme(size) == padded


def by_the_paper(size: int) -> int:
    """Algorithm 1 of the paper, in whole numbers: E = floor(log2 L), S = floor(log2 E) + 1, E - S bits become zero."""
    exponent = next(e for e in range(64) if 2 ** (e + 1) > size)
    mantissa = next(s for s in range(64) if 2 ** (s + 1) > exponent) + 1
    mask = 2 ** (exponent - mantissa) - 1
    return size + mask & ~mask


@given(st.integers(4, 2**40))
def test_padme_is_the_algorithm_of_the_paper(size: int) -> None:
    assert padme(size) == by_the_paper(size)


@given(st.one_of(st.integers(0, 5_000), st.integers(0, 2**40)))
def test_padme_costs_twelve_percent_at_most_and_never_cuts(size: int) -> None:
    assert size <= padme(size) <= 1.12 * size
    assert padme(padme(size)) == padme(size)


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_larger_file_never_looks_smaller(one: int, other: int) -> None:
    assert padme(min(one, other)) <= padme(max(one, other))


def test_few_lengths_are_left_to_tell_files_apart() -> None:
    assert len({padme(size) for size in range(100_000)}) < 200
