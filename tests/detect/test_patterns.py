"""What is searched as it stands: forms in any case, digests, checksums, pieces, and values behind an exclusive or."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect.patterns import Match, Patterns
from lab.model import Secret, SecretName

from .codings import noise

ADDRESS = b"k7f3.x9q2w@example.com"
KEY = bytes.fromhex("00112233445566778899aabbccddeeff")[::-1]


def found(data: bytes, value: bytes = ADDRESS, decoys: tuple[bytes, ...] = ()) -> list[Match]:
    return list(Patterns([Secret(SecretName.BODY, value, decoys)]).search(data))


def chains(data: bytes, value: bytes = ADDRESS) -> set[tuple[str, ...]]:
    return {match.decoders for match in found(data, value) if match.partial is None}


def test_a_value_is_found_in_any_case_and_the_chain_says_so() -> None:
    assert chains(b"x" + ADDRESS + b"y") == {()}
    assert chains(b"x" + ADDRESS.upper()) == {("uppercase",)}
    assert chains(b"x" + ADDRESS.title()) == {("mixed case",)}
    assert chains(ADDRESS, b"K7f3.X9q2w@Example.com") == {("lowercase",)}


def test_bytes_that_are_no_text_have_no_case() -> None:
    value = b"\xffAbCdEfGh\xfe"
    assert chains(b"x" + value, value) == {()}
    assert chains(b"x" + value.lower(), value) == set()


def test_the_offsets_are_those_of_the_form() -> None:
    (match,) = found(noise(50) + ADDRESS[::-1] + b"!")
    assert (match.start, match.end, match.decoders) == (50, 50 + len(ADDRESS), ("reversed",))


def test_a_decoy_is_told_from_the_value() -> None:
    matches = found(b"other.9911@example.com", decoys=(b"other.9911@example.com",))
    assert [match.decoy for match in matches] == [True]


def test_a_raw_digest_is_found_to_its_last_byte_and_not_without_it() -> None:
    digest = hashlib.sha256(ADDRESS).digest()
    assert chains(noise(20) + digest) == {("sha-256",)}
    assert chains(noise(20) + digest[:-1] + bytes([digest[-1] ^ 1])) == set()


def test_a_checksum_counts_only_where_it_stands_alone() -> None:
    number = zlib.crc32(ADDRESS)
    for written in (b"%08x" % number, b"%08X" % number, b"%d" % number):
        assert chains(b'{"id":' + written + b"}") == {("crc-32",)}
        assert chains(written) == {("crc-32",)}
        assert chains(b"7" + written) == chains(written + b"a") == chains(b"_" + written) == set()


TOKEN = b"tr_9fK2mQ7xW4vB8nZ3"


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (TOKEN[:-1], len(TOKEN) - 1),
        (b"x" + TOKEN[1:], len(TOKEN) - 1),
        (b"..." + TOKEN[2:18] + b"...", 16),
        (TOKEN[:15].lower(), 15),
    ],
)
def test_a_long_piece_counts_and_says_how_long_it_is(data: bytes, read: int) -> None:
    assert {match.partial for match in found(data, TOKEN)} == {read}


def test_a_short_piece_and_a_piece_of_what_everybody_has_do_not_count() -> None:
    assert found(TOKEN[:9] + b"?" + TOKEN[10:], TOKEN) == []
    assert found(b"somebody.else@a-very-long-host-name.example.com", b"k7f3@a-very-long-host-name.example.com") == []


def test_of_values_drawn_alike_only_what_differs_counts() -> None:
    value, decoy = b"Meet me at 5pm, 3f9c1a7be2d04586", b"Meet me at 5pm, 0d77e0d2c4b81a55"
    assert found(b"Meet me at 5pm, and bring it", value, (decoy,)) == []
    assert {match.partial for match in found(b"3f9c1a7be2d0458", value, (decoy,))} == {15}


@given(st.integers(1, 255), st.binary(max_size=40))
def test_a_value_is_found_whatever_byte_it_was_combined_with(key: int, before: bytes) -> None:
    data = before + bytes(byte ^ key for byte in KEY) + b"!"
    matches = list(Patterns([Secret(SecretName.BODY, KEY)]).search_xored(data))
    assert [(match.start, match.end, match.decoders) for match in matches] == [
        (len(before), len(before) + len(KEY), (f"xor 0x{key:02x}",))
    ]


def test_two_keys_are_not_one() -> None:
    half = len(KEY) // 2
    data = bytes(byte ^ 7 for byte in KEY[:half]) + bytes(byte ^ 9 for byte in KEY[half:])
    assert list(Patterns([Secret(SecretName.BODY, KEY)]).search_xored(data)) == []


def test_nothing_is_found_in_noise_or_in_nothing() -> None:
    patterns = Patterns([Secret(SecretName.BODY, value) for value in (ADDRESS, KEY, TOKEN)])
    for data in (b"", b"k", noise(200_000)):
        assert [*patterns.search(data), *patterns.search_xored(data)] == []


def test_a_value_that_others_write_too_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match="body: the value is too ordinary"):
        Patterns([Secret(SecretName.BODY, b"password")])
    with pytest.raises(ValueError, match="body: a value of 3 bytes"):
        Patterns([Secret(SecretName.BODY, ADDRESS, (b"abc",))])


@pytest.mark.parametrize("value", [b"tr_9fK2mQ7xW4vB8nZ3" + b"." * 40, b"." * 40 + b"tr_9fK2mQ7xW4vB8nZ3"])
def test_a_value_that_repeats_itself_is_looked_for_by_what_does_not(value: bytes) -> None:
    patterns = Patterns([Secret(SecretName.BODY, value)])
    rows = b"." * 1000 + bytes(1000)
    assert list(patterns._anchors.find(rows)) == list(patterns._xored.find(rows)) == []
    assert (1000, ()) in [(match.start, match.decoders) for match in patterns.search(bytes(1000) + value + b"!")]
    (hidden,) = patterns.search_xored(bytes(1000) + bytes(byte ^ 7 for byte in value))
    assert (hidden.start, hidden.decoders) == (1000, ("xor 0x07",))
