"""Digests of a value, against published vectors and other implementations."""

from __future__ import annotations

import hashlib
import hmac
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect.digests import checksums, plain, with_salt
from lab.detect.normal import normal_forms
from lab.detect.ripemd160 import ripemd160


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
        (b"a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
        (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
        (b"abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc"),
        (b"1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
    ],
)
def test_ripemd_160_gives_what_its_authors_published(data: bytes, digest: str) -> None:
    assert ripemd160(data).hex() == digest


# The table of the reference implementation's author, seed 0.
@pytest.mark.parametrize(
    ("data", "number"),
    [
        (b"test", 0xBA6BD213),
        (b"Hello, world!", 0xC0363E43),
        (b"The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    ],
)
def test_murmur3_gives_the_published_numbers(data: bytes, number: int) -> None:
    assert {one.data for one in checksums(data) if one.how == "murmur3"} >= {b"%08x" % number, b"%d" % number}


def test_the_usual_digests_are_enumerated() -> None:
    value = b"k7f3x9q2@example.com"
    made = {one.how: one.data for one in plain(value)}
    for name, algorithm in (("md5", "md5"), ("sha-1", "sha1"), ("sha-256", "sha256"), ("sha3-512", "sha3_512")):
        assert made[name] == hashlib.new(algorithm, value).digest()
    assert made["blake2b"] == hashlib.blake2b(value).digest()
    assert made["md5 of sha-256"] == hashlib.md5(hashlib.sha256(value).hexdigest().encode()).digest()  # noqa: S324


def test_addresses_and_numbers_are_brought_into_the_form_that_people_hash() -> None:
    assert b"k7f3x9q2@example.com" in normal_forms(b" K7f3x9q2@Example.com")
    assert b"ann.lee@example.com" in normal_forms(b"Ann.Lee+news@example.com")
    assert b"annlee@example.com" in normal_forms(b"Ann.Lee+news@example.com")
    numbers = {b"+493012345678", b"493012345678", b"00493012345678", b"03012345678", b"3012345678"}
    assert numbers < normal_forms(b"+49 (30) 1234-5678").keys()
    assert normal_forms(b"\xff\xfe" * 4) == {b"\xff\xfe" * 4: "", b"fffe" * 4: "in hexadecimal"}


def test_a_checksum_is_written_in_full() -> None:
    value = b"k7f3x9q2@example.com"
    written = {one.data for one in checksums(value) if one.how == "crc-32"}
    assert b"%08x" % zlib.crc32(value) in written
    assert all(len(data) >= 8 for data in written)


def test_salts_stand_before_or_behind_or_are_the_key() -> None:
    value, salt = b"k7f3x9q2@example.com", b"pepper-11"
    made = {one.data: one.how for one in with_salt(value, salt, frozenset({32}))}
    assert made[hashlib.sha256(salt + value).digest()] == "sha-256 with a salt before it"
    assert made[hashlib.sha256(value + b":" + salt).digest()] == "sha-256 with a salt behind it"
    assert made[hmac.digest(salt, value, "sha256")] == "hmac-sha-256"
    assert {len(data) for data in made} == {32}


@given(st.binary())
def test_any_bytes_have_digests(value: bytes) -> None:
    assert {len(one.data) for one in plain(value)} <= {16, 20, 28, 32, 48, 64}
    assert all(one.how for one in checksums(value))
