"""Numbers and blocks of bytes, one after the other: the only encoding on the wire and under signatures.

Numbers are big-endian. A block is preceded by its length in 4 bytes: no two different lists give the same bytes.
"""

from __future__ import annotations

from lab.e2ee.protocol import E2EEError


def number(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "big")


def block(data: bytes) -> bytes:
    return number(len(data)) + data


def blocks(*parts: bytes) -> bytes:
    return b"".join(map(block, parts))


class Reader:
    """Reads what `number` and `block` wrote. E2EEError: too short, too long, or not UTF-8 where text is wanted."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self._position + size
        if end > len(self._data):
            raise E2EEError("something is cut short")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, size: int = 4) -> int:
        return int.from_bytes(self.take(size), "big")

    def block(self, at_most: int = 1 << 21) -> bytes:
        size = self.number()
        if size > at_most:
            raise E2EEError("something is longer than it may be")
        return self.take(size)

    def text(self, at_most: int = 1 << 16) -> str:
        try:
            return self.block(at_most).decode()
        except UnicodeDecodeError:
            raise E2EEError("a name is not in UTF-8") from None

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._position)

    def end(self) -> None:
        """E2EEError if anything is left."""
        if self._position != len(self._data):
            raise E2EEError("something stands behind the end")
