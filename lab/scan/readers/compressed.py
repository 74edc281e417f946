"""Files that are compressed as a whole (recording.pcap.gz, access.log.zst): what is in them, as it is decompressed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Buffer, Callable
from typing import Any, BinaryIO, Protocol

import zstandard

from lab.detect import compression

MAGICS = {
    compression.GZIP_MAGIC: "gzip",
    b"BZh": "bzip2",
    compression.XZ_MAGIC: "xz",
    compression.ZSTD_MAGIC: "zstd",
}
LEAST_LIMIT = 2**30
"""Bytes that may come out of any file."""
RATIO = 250
"""So many times its size may come out of a file. Logs shrink to a tenth, the most repetitive ones to a hundredth; a
bomb of a megabyte can hold a petabyte."""

# The decompressor takes no limit for its output. A block of at most 128 KiB takes four bytes or more (RFC 8878,
# 3.1.1.2), so this much input puts out 32 MiB at worst.
_ZSTD_INPUT = 2**10


class _Opened(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class Decompressed(io.RawIOBase):
    """What comes out of a file. It ends where the file is damaged, cut off, or holds too much: `problem` says so."""

    def __init__(self, opened: _Opened, limit: int) -> None:
        self._opened = opened
        self._limit = limit
        self._size = 0
        self.problem = ""

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def readinto(self, buffer: Buffer, /) -> int:
        if self.problem:
            return 0
        view = memoryview(buffer)
        try:
            # Not read: where the end is missing, that keeps to itself what it has read by then.
            data = self._opened.read1(min(len(view), 2**16))
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError):
            self.problem = f"cut off or damaged behind byte {self._size} of what it expands to; the rest is not scanned"
            return 0
        if self._size + len(data) > self._limit:
            self.problem = f"expands to more than {self._limit} bytes; the rest is not scanned"
            return 0
        self._size += len(data)
        view[: len(data)] = data
        return len(data)


class _Zstd:
    """The frames of a Zstandard file. The library's own reader says nothing where a file is cut off."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._out = b""
        self._frame: Any = None

    def read1(self, size: int, /) -> bytes:
        while not self._out:
            data = (self._frame.unused_data if self._frame and self._frame.eof else b"") or self._file.read(_ZSTD_INPUT)
            if not data:
                if self._frame and not self._frame.eof:
                    raise EOFError
                return b""
            if self._frame is None or self._frame.eof:
                self._frame = zstandard.ZstdDecompressor(max_window_size=compression.ZSTD_WINDOW).decompressobj()
            self._out = self._frame.decompress(data)
        data, self._out = self._out[:size], self._out[size:]
        return data


_OPENERS: dict[str, Callable[[Any], _Opened]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zstd": _Zstd,
}


def decompressed(file: BinaryIO, name: str, size: int) -> Decompressed:
    """The content of `file`, which has `size` bytes and is compressed by `name`."""
    return Decompressed(_OPENERS[name](file), max(LEAST_LIMIT, RATIO * size))
