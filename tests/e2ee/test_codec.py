"""What is written can be read back, in one way only; what was not written is refused without a surprise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.codec import Reader, block, blocks, number
from lab.e2ee.protocol import E2EEError

quick = settings(max_examples=100)


def test_numbers_are_big_endian_and_blocks_say_their_length_in_four_bytes() -> None:
    assert number(258) == b"\x00\x00\x01\x02"
    assert number(7, 1) == b"\x07"
    assert block(b"ab") == b"\x00\x00\x00\x02ab"
    assert blocks(b"a", b"") == b"\x00\x00\x00\x01a\x00\x00\x00\x00"


def test_a_reader_takes_piece_by_piece_and_knows_the_end() -> None:
    reader = Reader(number(1, 1) + block("grüße".encode()) + block(b"x") + b"abc" + b"rest")
    assert reader.number(1) == 1
    assert reader.text() == "grüße"
    assert reader.block() == b"x"
    assert reader.take(3) == b"abc"
    assert reader.rest() == b"rest"
    reader.end()
    assert reader.rest() == b""


def test_something_behind_the_end_is_refused() -> None:
    reader = Reader(b"ab")
    reader.take(1)
    with pytest.raises(E2EEError, match="behind the end"):
        reader.end()


@pytest.mark.parametrize("cut", range(len(block(b"abcdef"))))
def test_a_block_that_was_cut_short_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(E2EEError, match="cut short"):
        Reader(block(b"abcdef")[:cut]).block()


def test_a_failed_read_takes_nothing() -> None:
    reader = Reader(b"abc")
    with pytest.raises(E2EEError):
        reader.take(4)
    assert reader.take(3) == b"abc"


def test_a_length_beyond_the_limit_is_refused_before_the_bytes_are_looked_for() -> None:
    with pytest.raises(E2EEError, match="longer than it may be"):
        Reader(number(2**32 - 1)).block()
    with pytest.raises(E2EEError, match="longer than it may be"):
        Reader(block(b"abcd")).block(3)
    assert Reader(block(b"abcd")).block(4) == b"abcd"
    with pytest.raises(E2EEError, match="longer than it may be"):
        Reader(block(b"abcd")).text(3)


@pytest.mark.parametrize("wrong", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xc3"], ids=["byte", "long", "half", "cut"])
def test_text_that_is_not_utf8_is_refused(wrong: bytes) -> None:
    with pytest.raises(E2EEError, match="UTF-8"):
        Reader(block(wrong)).text()


@quick
@given(st.lists(st.binary(max_size=20), max_size=6))
def test_any_list_of_blocks_comes_back(parts: list[bytes]) -> None:
    reader = Reader(blocks(*parts))
    assert [reader.block() for _ in parts] == parts
    reader.end()


@quick
@given(st.lists(st.binary(max_size=3), max_size=4), st.lists(st.binary(max_size=3), max_size=4))
def test_two_different_lists_never_give_the_same_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (blocks(*one) == blocks(*other)) == (one == other)


def test_moving_a_byte_from_one_part_to_the_next_gives_other_bytes() -> None:
    assert blocks(b"ab", b"c") != blocks(b"a", b"bc")
    assert blocks(b"ab") != blocks(b"ab", b"")


@quick
@given(st.integers(1, 8).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, 256**size - 1))))
def test_any_number_comes_back_in_its_size(drawn: tuple[int, int]) -> None:
    size, value = drawn
    reader = Reader(number(value, size))
    assert reader.number(size) == value
    reader.end()


@quick
@given(
    st.binary(max_size=64), st.lists(st.sampled_from(["take", "number", "block", "text", "rest", "end"]), max_size=8)
)
def test_arbitrary_bytes_are_read_or_refused_and_nothing_else(data: bytes, steps: list[str]) -> None:
    reader = Reader(data)
    for step in steps:
        try:
            reader.take(3) if step == "take" else getattr(reader, step)()
        except E2EEError:
            return
