"""Digests of a secret: a hashed telephone number is a leaked telephone number, for there are few to try.

Plain digests are enumerated with the secret's other forms. Digests of the secret together with something else (a salt,
a key) are only tried with values that stand in the same recording or are given, and only where something is as long as
such a digest.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lab.detect.normal import normal_forms
from lab.detect.ripemd160 import ripemd160

Digest = Callable[[bytes], bytes]


_COMMON: dict[str, Digest] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "sha-1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha-224": lambda data: hashlib.sha224(data).digest(),
    "sha-256": lambda data: hashlib.sha256(data).digest(),
    "sha-384": lambda data: hashlib.sha384(data).digest(),
    "sha-512": lambda data: hashlib.sha512(data).digest(),
    "sha-512/256": lambda data: hashlib.new("sha512_256", data).digest(),
    "sha3-224": lambda data: hashlib.sha3_224(data).digest(),
    "sha3-256": lambda data: hashlib.sha3_256(data).digest(),
    "sha3-384": lambda data: hashlib.sha3_384(data).digest(),
    "sha3-512": lambda data: hashlib.sha3_512(data).digest(),
    "blake2b": lambda data: hashlib.blake2b(data).digest(),
    "blake2b-256": lambda data: hashlib.blake2b(data, digest_size=32).digest(),
    "blake2s": lambda data: hashlib.blake2s(data).digest(),
}
_KEYED: dict[str, type[hashlib.blake2b] | type[hashlib.blake2s]] = {
    "blake2b": hashlib.blake2b,
    "blake2b-256": hashlib.blake2b,
    "blake2s": hashlib.blake2s,
}
_HMAC = {"md5": "md5", "sha-1": "sha1", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}


if "sha512_256" not in hashlib.algorithms_available:  # it comes with OpenSSL alone
    del _COMMON["sha-512/256"]


def _ripemd160(data: bytes) -> bytes:
    # The one written in Python takes a hundred times as long.
    if "ripemd160" in hashlib.algorithms_available:
        return hashlib.new("ripemd160", data, usedforsecurity=False).digest()
    return ripemd160(data)


class Hashed(NamedTuple):
    """A digest of a value, and how it is made, in words."""

    data: bytes
    how: str


def plain(value: bytes) -> Iterator[Hashed]:
    """The digests of `value`, of its normal forms, and of its usual digests and encodings in writing."""
    for data, how in normal_forms(value).items():
        of = f" of the value {how}" if how else ""
        for name, digest in _COMMON.items():
            yield Hashed(digest(data), name + of)
    yield Hashed(_ripemd160(value), "ripemd-160")
    written = {name: _COMMON[name](value).hex().encode() for name in ("md5", "sha-1", "sha-256")}
    written["base64"] = b64encode(value)
    for inner, data in written.items():
        for name in ("md5", "sha-1", "sha-256", "sha-512"):
            yield Hashed(_COMMON[name](data), f"{name} of {inner}")
    for name in ("sha-256", "md5"):
        yield Hashed(_COMMON[name](_COMMON[name](value)), f"{name} of {name}")


def checksums(value: bytes) -> Iterator[Hashed]:
    """32-bit checksums as they are written: eight hexadecimal digits, or a decimal number of eight digits and more."""
    for data, how in normal_forms(value).items():
        of = f" of the value {how}" if how else ""
        for name, number in (
            ("crc-32", zlib.crc32(data)),
            ("murmur3", _murmur3(data)),
            ("adler-32", zlib.adler32(data)),
        ):
            yield Hashed(b"%08x" % number, name + of)
            if number >= 10_000_000:
                yield Hashed(b"%d" % number, name + of)
            signed = number - 2**32
            if -(2**31) <= signed <= -10_000_000:
                yield Hashed(b"%d" % signed, name + of)


def with_salt(value: bytes, salt: bytes, sizes: frozenset[int]) -> Iterator[Hashed]:
    """The digests of `sizes` bytes of `value` together with `salt`: before it, behind it, or as the key (RFC 2104)."""
    before, behind = (salt + value, salt + b":" + value), (value + salt, value + b":" + salt)
    for name, digest in _COMMON.items():
        if _SIZE_OF[name] in sizes:
            for data in before:
                yield Hashed(digest(data), f"{name} with a salt before it")
            for data in behind:
                yield Hashed(digest(data), f"{name} with a salt behind it")
            if name in _HMAC:
                yield Hashed(hmac.digest(salt, value, _HMAC[name]), f"hmac-{name}")
    for name, blake in _KEYED.items():
        if len(salt) <= blake.MAX_KEY_SIZE and _SIZE_OF[name] in sizes:
            yield Hashed(blake(value, key=salt, digest_size=_SIZE_OF[name]).digest(), f"{name} with a key")


_SIZE_OF = {name: len(digest(b"")) for name, digest in _COMMON.items()}


SIZES = frozenset(_SIZE_OF.values())
"""How long the digests are that are tried with salts, in bytes."""


def _murmur3(data: bytes, seed: int = 0) -> int:
    """MurmurHash3_x86_32 (Appleby), unsigned."""
    mask = 0xFFFFFFFF
    state = seed
    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        state ^= _scrambled(int.from_bytes(data[at : at + 4], "little"))
        state = ((state << 13 | state >> 19) * 5 + 0xE6546B64) & mask
    if data[whole:]:
        state ^= _scrambled(int.from_bytes(data[whole:], "little"))
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & mask
    state = (state ^ state >> 13) * 0xC2B2AE35 & mask
    return state ^ state >> 16


def _scrambled(word: int) -> int:
    word = word * 0xCC9E2D51 & 0xFFFFFFFF
    return (word << 15 | word >> 17) * 0x1B873593 & 0xFFFFFFFF
