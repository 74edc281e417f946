"""LZString against an encoder of its own, written from the description of the format, and vectors of the original."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect import lzstring
from lab.detect.budget import Budget, Limits
from lab.detect.compression import CorruptError, TooLargeError
from lab.detect.decoders.compressed import lz_string, undeclared
from lab.detect.views import View, locate

from .codings import NEAR_MISS, VALUE, noise

TEXT = f"to bob: {VALUE.decode()}, and so on, and so on"
WORDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
URL_WORDS = WORDS.replace("/", "-")


def bits(text: str) -> str:
    """The stream of bits that all formats share."""
    codes: dict[str, int] = {}
    new: set[str] = set()
    out: list[str] = []
    width, left = 2, 2

    def put(value: int, size: int) -> None:
        out.append(f"{value:0{size}b}"[::-1])

    def used() -> None:
        nonlocal width, left
        left -= 1
        if left == 0:
            left = 1 << width
            width += 1

    def emit(phrase: str) -> None:
        if phrase in new:
            new.remove(phrase)
            size = 8 if ord(phrase) < 256 else 16
            put(size // 8 - 1, width)
            put(ord(phrase), size)
            used()
        else:
            put(codes[phrase], width)
        used()

    phrase = ""
    units = text.encode("utf-16-be")
    for unit in (chr(units[at] << 8 | units[at + 1]) for at in range(0, len(units), 2)):
        if unit not in codes:
            codes[unit] = len(codes) + 3
            new.add(unit)
        if phrase + unit in codes:
            phrase += unit
        else:
            emit(phrase)
            codes[phrase + unit] = len(codes) + 3
            phrase = unit
    emit(phrase)
    put(2, width)
    return "".join(out)


def characters(text: str, size: int) -> list[int]:
    """The bits in characters of so many, filled up with at least one zero."""
    stream = bits(text) + "0"
    stream += "0" * (-len(stream) % size)
    return [int(stream[at : at + size], 2) for at in range(0, len(stream), size)]


def to_base64(text: str) -> str:
    word = "".join(WORDS[character] for character in characters(text, 6))
    return word + "=" * (-len(word) % 4)


def to_url(text: str) -> str:
    return "".join(URL_WORDS[character] for character in characters(text, 6))


def to_bytes(text: str) -> bytes:
    return b"".join(character.to_bytes(2, "big") for character in characters(text, 16))


def to_utf16(text: str) -> str:
    return "".join(chr(character + 32) for character in characters(text, 15)) + " "


def texts(data: bytes) -> list[bytes]:
    return [view.data for view in lz_string(View(data, "tcp.stream"), Budget(Limits()))]


def values(data: bytes) -> list[bytes]:
    found = undeclared(View(data, "tcp.stream"), Budget(Limits()))
    return [view.data for view in found if view.decoders == ("lz-string",)]


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("Hello World", "BIUwNmD2AEDqkCcwBMg="),
        ("hello, i am a 猫", "BYUwNmD2A0AECWsCGBbZtDUzkA=="),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "IY18aQ=="),
    ],
)
def test_what_the_original_wrote_is_read(text: str, packed: str) -> None:
    assert to_base64(text) == packed
    assert lzstring.expand(base64.b64decode(packed), 1000).data == text.encode()
    assert lzstring.likely(base64.b64decode(packed))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300))
def test_a_round_trip_gives_the_text(text: str) -> None:
    out, used, whole = lzstring.expand(to_bytes(text * 3), 10_000)
    assert (out, whole) == ((text * 3).encode(), True)
    assert used <= 8 * len(to_bytes(text * 3))


def test_long_texts_are_read() -> None:
    words = random.Random(1)  # noqa: S311 - text that is the same each time
    text = "".join(words.choice("abcdefgh ") for _ in range(100_000))
    assert lzstring.expand(to_bytes(text), 2**20).data == text.encode()


@pytest.mark.parametrize("before", ["", "?data=", '{"x":"', "/share/", "#code/", "a: "])
def test_words_are_found_where_they_begin(before: str) -> None:
    for word in (to_base64(TEXT), to_url(TEXT)):
        data = (before + word + "&more").encode()
        (view,) = lz_string(View(data, "tcp.stream"), Budget(Limits()))
        assert view.data == TEXT.encode()
        assert view.decoders == ("lz-string",)
        ((start, end),) = locate(view, 8, 20)
        assert data[start:end].decode() == word.rstrip("=")[: end - start]
        assert texts(data[start:end]) == [TEXT.encode()]
        near = (before + to_url(TEXT.replace(VALUE.decode(), NEAR_MISS.decode()))).encode()
        assert all(VALUE not in text for text in texts(near))


def test_several_words_are_in_one_view() -> None:
    (view,) = lz_string(View(f"a={to_url(TEXT)}&b={to_url(TEXT + '!')}".encode(), "x"), Budget(Limits()))
    assert view.data.count(VALUE) == 2


@pytest.mark.parametrize(
    "pack",
    [to_bytes, lambda text: to_utf16(text).encode(), lambda text: to_bytes(text).decode("utf-16-be").encode()],
    ids=["bytes", "15 bits", "16 bits"],
)
def test_the_formats_that_are_no_words_are_read_as_values(pack: Callable[[str], bytes]) -> None:
    read = 0
    for number in range(200):
        text = f"{number} {TEXT}"
        # Not all 16 bits are a character that can be sent as UTF-8.
        with suppress(UnicodeDecodeError):
            assert values(pack(text)) == [text.encode()]
            read += 1
    assert read > 10


@pytest.mark.parametrize("cut", [20, 30, 40])
def test_a_word_that_is_cut_off_or_goes_on_gives_what_is_there(cut: int) -> None:
    (text,) = texts(to_url(TEXT)[:-cut].encode())
    # The last digit may be half a code.
    assert TEXT.encode().startswith(text[:-3])
    assert len(text) > 20
    assert texts(to_url(TEXT).encode() + b"AndMore") == [TEXT.encode()]


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(CorruptError):
        lzstring.expand(b"\xff" * 20, 1000)
    for ordinary in (b"Administration of internationalisation", b"/path/to/some/where", noise(3000).hex().encode()):
        assert texts(ordinary) == []
    assert texts(base64.b64encode(noise(50_000))) == []


def test_what_comes_out_is_limited() -> None:
    packed = to_bytes("a" * 100_000)
    assert len(packed) < 2000
    assert len(lzstring.expand(packed, 200_000).data) == 100_000
    with pytest.raises(TooLargeError):
        lzstring.expand(packed, 199_999)
    budget = Budget(Limits(expanded=100_000))
    assert list(lz_string(View(to_url("a" * 100_000).encode(), "x"), budget)) == []
    assert budget.reasons == ("lz-string: expands to more than 100000 bytes",)


@given(st.binary(max_size=200))
def test_nothing_makes_it_raise(data: bytes) -> None:
    for some in (data, base64.b64encode(data), to_bytes(TEXT)[:30] + data):
        for decoder in (lz_string, undeclared):
            for view in decoder(View(some, "x"), Budget(Limits())):
                assert locate(view, 0, len(view.data))
