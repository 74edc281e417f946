"""Decompression with a limit on what comes out: gzip (RFC 1952), zlib and raw deflate, Brotli, Zstandard (RFC 8878),
bzip2, xz and lzma, files in zip archives. What is cut off or damaged gives what can be read of it.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import brotli  # type: ignore[import-untyped]
import zstandard

BLOCK = 16 * 1024
_PIECE = 64 * 1024
_FINER = 16
GZIP_MAGIC = b"\x1f\x8b\x08"
ZLIB_MAGICS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BZIP2_MAGIC = b"1AY&SY"
"""The digits of pi that begin the first block; "BZh" and the block size stand before them."""
BZIP2_HEADER = 4
XZ_MAGIC = b"\xfd7zXZ\x00"
LZMA_MAGIC = b"\x5d\x00\x00"
"""The usual parameters and the low bytes of a window of at least 64 KiB; there is no real magic number."""
ZIP_MAGIC = b"PK\x03\x04"
_ZIP_HEADER = struct.Struct("<2xHH8xL4xHH")
"""Of a local header: flags, method, size as compressed, length of name and of extra fields."""
_ZIP_STORED, _ZIP_DEFLATED = 0, 8
_ZIP_ENCRYPTED = 1
_ZIP_OTHERS = {9: "Deflate64", 14: "LZMA", 98: "PPMd"}
ZSTD_WINDOW = _LZMA_MEMORY = 128 * 2**20
# The decoder takes no limit for its output. A block of at most 128 KiB takes four bytes or more (RFC 8878, 3.1.1.2), so
# this much input puts out 2 MiB at worst before the size is looked at.
_ZSTD_BLOCK = 64
_SYNC_FLUSH = b"\x00\x00\xff\xff"
_DEFLATE_WINDOW = 32 * 1024


class CorruptError(ValueError):
    """The bytes are not data of that kind, or not to their end.

    `partial` is what came out before that showed, `understood` how many bytes made sense until then.
    """

    def __init__(self, partial: bytes, understood: int) -> None:
        super().__init__("not data of that kind, or damaged")
        self.partial = partial
        self.understood = understood


class TooLargeError(ValueError):
    """More would come out, or take room on the way, than the limit allows."""


class UnknownMethodError(ValueError):
    """The data says how it is compressed, and that is not read here. The text is a sentence that says so."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """What came out, how many bytes of the input belonged to it, and whether it came to its proper end."""

    data: bytes
    consumed: int
    whole: bool


class Expander(Protocol):
    """(data, start, limit, end) → what the compressed piece at `start` holds; data beyond `end` does not belong to it.

    A piece that is cut off gives what is there. Raises CorruptError, UnknownMethodError, and TooLargeError when more
    than `limit` bytes come out.
    """

    def __call__(self, data: bytes, start: int, limit: int, end: int | None = None, /) -> Expanded: ...


class _Stream(Protocol):
    """A decompressor that is fed piece by piece, as in the standard library."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Brotli:
    """Brotli's decompressor in that shape. It refuses what follows the end, so nothing is ever left over."""

    unused_data = b""

    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._decompressor.is_finished())

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        out = bytearray(self._decompressor.process(data, output_buffer_limit=BLOCK))
        while len(out) < max_length and not self._decompressor.can_accept_more_data():
            out += self._decompressor.process(b"", output_buffer_limit=BLOCK)
        return bytes(out)


class _Zstd:
    """Zstandard's decompressor in that shape; it puts out whole blocks."""

    def __init__(self) -> None:
        self._frame = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    def decompress(self, data: bytes, _max_length: int, /) -> bytes:
        return self._frame.decompress(data)


_DAMAGE = (zlib.error, brotli.error, zstandard.ZstdError, lzma.LZMAError, OSError, EOFError)
"""What the decompressors raise. bz2 raises OSError for data that is none."""


def gunzip(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand a gzip file, all its members (RFC 1952, 2.2)."""
    return _members(partial(zlib.decompressobj, 16 + zlib.MAX_WBITS), GZIP_MAGIC, data, start, limit, end)


def unzlib(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand a zlib stream (RFC 1950)."""
    return _expand(zlib.decompressobj, data, start, limit, end)


def inflate(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand a raw deflate stream (RFC 1951)."""
    return _expand(partial(zlib.decompressobj, -zlib.MAX_WBITS), data, start, limit, end)


def undeflate(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand HTTP's "deflate": a zlib stream by RFC 9110, 8.4.1.2, a raw one by the habit of some senders."""
    try:
        return unzlib(data, start, limit, end)
    except CorruptError as error:
        if error.partial:
            raise
        return inflate(data, start, limit, end)


def inflate_messages(payloads: Sequence[bytes], limit: int) -> list[bytes]:
    """The messages of one direction of a WebSocket with permessage-deflate (RFC 7692, 7.2.2), one for each payload.

    The window is kept from one message to the next; that also reads what a sender without "context takeover" sent.
    A damaged message gives what came out. Raises TooLargeError when all together are more than `limit` bytes.
    """
    messages: list[bytes] = []
    inflater, window, room = zlib.decompressobj(-zlib.MAX_WBITS), b"", limit
    for payload in payloads:
        damaged = False
        try:
            kept = inflater.copy()
            message = inflater.decompress(payload + _SYNC_FLUSH, room + 1)
        except zlib.error:
            damaged = True
            read = bytearray()
            _feed(kept, payload, 0, len(payload), 1, room, read)
            message = bytes(read)
        if len(message) > room:
            raise TooLargeError
        room -= len(message)
        messages.append(message)
        window = (window + message)[-_DEFLATE_WINDOW:]
        if damaged or inflater.eof:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS, zdict=window)
    return messages


def unbrotli(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand a Brotli stream (RFC 7932)."""
    return _expand(_Brotli, data, start, limit, end)


def unzstd(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand all frames of Zstandard data (RFC 8878, 3.1)."""
    return _members(_Zstd, ZSTD_MAGIC, data, start, limit, end, _ZSTD_BLOCK)


def unbzip2(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand bzip2 data, all its streams."""
    return _members(bz2.BZ2Decompressor, b"BZh", data, start, limit, end)


def unxz(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand an xz file, all its streams."""
    make = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY)
    return _members(make, XZ_MAGIC, data, start, limit, end)


def unlzma(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand a file of the kind before xz ("lzma alone")."""
    make = partial(lzma.LZMADecompressor, lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY)
    return _expand(make, data, start, limit, end)


def unzip(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand one file of a zip archive, from its local header on (APPNOTE.TXT, 4.3.7).

    Other methods than these have a magic number of their own, or are not read.
    """
    end = len(data) if end is None else end
    at = start + len(ZIP_MAGIC) + _ZIP_HEADER.size
    if at > end:
        return Expanded(b"", end - start, whole=False)
    flags, method, size, name, extra = _ZIP_HEADER.unpack_from(data, start + len(ZIP_MAGIC))
    at += name + extra
    if flags & _ZIP_ENCRYPTED:
        raise CorruptError(b"", at - start)
    if method in _ZIP_OTHERS:
        raise UnknownMethodError(f"zip: a file is compressed by {_ZIP_OTHERS[method]}, which is not read here")
    if method == _ZIP_DEFLATED:
        try:
            file = inflate(data, at, limit, end)
        except CorruptError as error:
            raise CorruptError(error.partial, at - start + error.understood) from error
        return Expanded(file.data, at - start + file.consumed, file.whole)
    if method != _ZIP_STORED:
        raise CorruptError(b"", at - start)
    if size > limit:
        raise TooLargeError
    return Expanded(data[at : min(at + size, end)], min(at + size, end) - start, at + size <= end)


def _members(
    make: Callable[[], _Stream], magic: bytes, data: bytes, start: int, limit: int, end: int | None, block: int = BLOCK
) -> Expanded:
    """Streams of one kind that follow each other without anything between."""
    out, at = bytearray(), start
    while True:
        try:
            member = _expand(make, data, at, limit - len(out), end, block)
        except CorruptError as error:
            raise CorruptError(bytes(out) + error.partial, at - start + error.understood) from error
        out += member.data
        at += member.consumed
        if not member.whole or not data.startswith(magic, at, end):
            return Expanded(bytes(out), at - start, member.whole)


def _expand(
    make: Callable[[], _Stream], data: bytes, start: int, limit: int, end: int | None, block: int = BLOCK
) -> Expanded:
    """Where there is damage, what came before it is read again in ever smaller pieces.

    Decompressors keep to themselves what they had read before the damage in the same piece.
    """
    end = len(data) if end is None else end
    stream, out, at, step = make(), bytearray(), start, block
    at, damage = _feed(stream, data, at, end, step, limit, out)
    shown = damage
    if isinstance(damage, lzma.LZMAError) and "limit" in str(damage):  # its window, that is
        raise TooLargeError from damage
    while damage is not None and step > 1:
        step = max(1, step // _FINER)
        stream = make()
        for before in range(start, at, block):
            for _ in _pieces(stream, data[before : min(before + block, at)], _PIECE):
                pass
        at, damage = _feed(stream, data, at, end, step, limit, out)
    if shown is not None and (damage is not None or not stream.eof):
        raise CorruptError(bytes(out), at - start) from shown
    return Expanded(bytes(out), at - start - len(stream.unused_data), stream.eof)


def _feed(
    stream: _Stream, data: bytes, at: int, end: int, step: int, limit: int, out: bytearray
) -> tuple[int, Exception | None]:
    """Add what comes out of so many bytes at a time to `out`; up to where, and the damage that is in the next ones.

    Of a single byte with damage in it also what came out before that showed.
    """
    most, known = (_PIECE if step > 1 else 1), len(out)
    try:
        while at < end and not stream.eof:
            for piece in _pieces(stream, data[at : min(at + step, end)], most):
                out += piece
                if len(out) > limit:
                    raise TooLargeError
            at, known = min(at + step, end), len(out)
    except _DAMAGE as error:
        if step > 1:
            del out[known:]
        return at, error
    return at, None


def _pieces(stream: _Stream, data: bytes, most: int) -> Iterator[bytes]:
    """What comes out for `data`, at most so many bytes at a time."""
    piece = stream.decompress(data, most)
    while piece:
        yield piece
        if stream.eof:
            return
        # zlib hands back what it did not read, the others keep it.
        piece = stream.decompress(getattr(stream, "unconsumed_tail", b""), most)


CODINGS: Mapping[str, tuple[str, Expander]] = {
    "gzip": ("gzip", gunzip),
    "x-gzip": ("gzip", gunzip),
    "deflate": ("deflate", undeflate),
    "br": ("br", unbrotli),
    "zstd": ("zstd", unzstd),
    "bzip2": ("bzip2", unbzip2),
    "x-bzip2": ("bzip2", unbzip2),
    "xz": ("xz", unxz),
}
"""HTTP content codings (RFC 9110, 8.4.1, and names in private use): declared name → decoder name and expander."""

ENCRYPTED = frozenset({"aes128gcm"})
"""Declared codings that are encryption (RFC 8188): there is nothing to expand, and that is no failure to decode."""

WITH_DICTIONARY = frozenset({"dcb", "dcz"})
"""Declared codings that lean on an earlier response (RFC 9842), which is not known here."""
