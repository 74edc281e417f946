"""Decompression with a limit on what comes out: gzip (RFC 1952), zlib and raw deflate, Brotli, Zstandard (RFC 8878)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import brotli  # type: ignore[import-untyped]
import zstandard

BLOCK = 16 * 1024
GZIP_MAGIC = b"\x1f\x8b\x08"
ZLIB_MAGICS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_WINDOW = 128 * 2**20
# The decoder takes no limit for its output. A block of at most 128 KiB takes four bytes or more (RFC 8878, 3.1.1.2), so
# this much input puts out 2 MiB at worst before the size is looked at.
_ZSTD_BLOCK = 64


class CorruptError(ValueError):
    """The bytes are not data of that kind, or not to their end: `partial` is what came out before that showed."""

    def __init__(self, partial: bytes) -> None:
        super().__init__("not data of that kind, or damaged")
        self.partial = partial


class TooLargeError(ValueError):
    """More would come out than the limit allows."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """What came out, how many bytes of the input belonged to it, and whether it came to its proper end."""

    data: bytes
    consumed: int
    whole: bool


Expander = Callable[[bytes, int, int], Expanded]
"""(data, start, limit) → what the compressed piece at `start` holds. A piece that is cut off gives what is there.

Raises CorruptError, and TooLargeError when more than `limit` bytes come out.
"""


def gunzip(data: bytes, start: int, limit: int) -> Expanded:
    """Expand a gzip file, all its members (RFC 1952, 2.2)."""
    out, at = bytearray(), start
    while True:
        try:
            member = _inflate(data, at, limit - len(out), 16 + zlib.MAX_WBITS)
        except CorruptError as error:
            raise CorruptError(bytes(out) + error.partial) from error
        out += member.data
        at += member.consumed
        if not data.startswith(GZIP_MAGIC, at):
            return Expanded(bytes(out), at - start, member.whole)


def unzlib(data: bytes, start: int, limit: int) -> Expanded:
    """Expand a zlib stream (RFC 1950)."""
    return _inflate(data, start, limit, zlib.MAX_WBITS)


def undeflate(data: bytes, start: int, limit: int) -> Expanded:
    """Expand HTTP's "deflate": a zlib stream by RFC 9110, 8.4.1.2, a raw one by the habit of some senders."""
    try:
        return unzlib(data, start, limit)
    except CorruptError as error:
        if error.partial:
            raise
        return _inflate(data, start, limit, -zlib.MAX_WBITS)


def unbrotli(data: bytes, start: int, limit: int) -> Expanded:
    """Expand a Brotli stream (RFC 7932). It has no magic number, so it is only tried where it is declared."""
    decoder, out, at = brotli.Decompressor(), bytearray(), start
    try:
        while not decoder.is_finished():
            block = data[at : at + BLOCK] if decoder.can_accept_more_data() else b""
            at += len(block)
            part = decoder.process(block, output_buffer_limit=BLOCK)
            if not block and not part:
                break
            out += part
            if len(out) > limit:
                raise TooLargeError
    except brotli.error as error:
        raise CorruptError(bytes(out)) from error
    return Expanded(bytes(out), at - start, decoder.is_finished())


def unzstd(data: bytes, start: int, limit: int) -> Expanded:
    """Expand all frames of Zstandard data (RFC 8878, 3.1)."""
    out, at = bytearray(), start
    while True:
        frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        try:
            while at < len(data) and not frame.eof:
                block = data[at : at + _ZSTD_BLOCK]
                at += len(block)
                out += frame.decompress(block)
                if len(out) > limit:
                    raise TooLargeError
        except zstandard.ZstdError as error:
            raise CorruptError(bytes(out)) from error
        at -= len(frame.unused_data)
        if not data.startswith(ZSTD_MAGIC, at):
            return Expanded(bytes(out), at - start, frame.eof)


def _inflate(data: bytes, start: int, limit: int, window: int) -> Expanded:
    inflater, out, at = zlib.decompressobj(window), bytearray(), start
    try:
        # Small blocks first: most candidates are noise and fail at once.
        while at < len(data) and not inflater.eof:
            block = data[at : at + BLOCK]
            at += len(block)
            before = inflater.copy()
            out += inflater.decompress(block, limit - len(out) + 1)
            if len(out) > limit:
                raise TooLargeError
    except zlib.error as error:
        raise CorruptError(bytes(out) + _until_the_error(before, block, limit - len(out))) from error
    return Expanded(bytes(out), at - start - len(inflater.unused_data), inflater.eof)


def _until_the_error(inflater: zlib._Decompress, block: bytes, limit: int) -> bytes:
    """What comes out of `block`, byte by byte, before it turns out to be damaged (a wrong checksum at its very end)."""
    out = bytearray()
    with suppress(zlib.error):
        for at in range(len(block)):
            out += inflater.decompress(block[at : at + 1], max(1, limit - len(out)))
            if len(out) >= limit:
                break
    return bytes(out)


CODINGS: Mapping[str, tuple[str, Expander]] = {
    "gzip": ("gzip", gunzip),
    "x-gzip": ("gzip", gunzip),
    "deflate": ("deflate", undeflate),
    "br": ("br", unbrotli),
    "zstd": ("zstd", unzstd),
}
"""HTTP content codings (RFC 9110, 8.4.1): declared name → decoder name and expander."""

ENCRYPTED = frozenset({"aes128gcm"})
"""Declared codings that are encryption (RFC 8188): there is nothing to expand, and that is no failure to decode."""
