"""One direction of a TCP connection, put together from its segments (RFC 9293, 3.4)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

_MODULUS = 2**32
_MOST_WAITING = 2**22
"""Bytes and, in units of 1 KiB, segments behind a hole, before the hole is taken as missing from the capture."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive bytes of a stream, from offset `base` on."""

    base: int
    data: bytes


class Half:
    """What one side has sent. Offsets count from its first byte that is in the capture."""

    __slots__ = ("_buffer", "_end", "_next", "_searched", "_size_waiting", "_waiting", "base", "first", "missing")

    def __init__(self) -> None:
        self.base = 0
        self.first: int | None = None
        """The sequence number of its first byte."""
        self.missing = 0
        """Bytes that the capture lacks."""
        self._next = 0
        self._end: int | None = None
        self._buffer = bytearray()
        self._searched = 0
        self._waiting: list[tuple[int, bytes]] = []
        self._size_waiting = 0

    @property
    def position(self) -> int:
        """The offset of the byte that is expected next."""
        return self.base + len(self._buffer)

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer) + self._size_waiting

    @property
    def waits(self) -> bool:
        """There are segments behind a hole."""
        return bool(self._waiting)

    @property
    def ended(self) -> bool:
        """Everything came, up to the end that the sender announced."""
        return self._end is not None and self.position >= self._end

    def take(self, sequence: int, data: bytes, *, synchronizes: bool, finishes: bool) -> list[Stretch]:
        """Add a segment. Stretches come back that are complete, because what would follow them is missing.

        What came before is kept where a segment says something else about the same bytes.
        """
        if synchronizes:
            sequence = (sequence + 1) % _MODULUS
        if self.first is None:
            self.first = self._next = sequence
        ahead = (sequence - self._next) % _MODULUS
        offset = self.position + (ahead if ahead < _MODULUS // 2 else ahead - _MODULUS)
        if finishes:
            self._end = offset + len(data)
        if not data:
            return []
        done: list[Stretch] = []
        if offset < 0:  # sent before the first segment that is in the capture, and overtaken by it
            done.append(Stretch(offset, data[:-offset]))
            offset, data = 0, data[-offset:]
        if offset > self.position:
            heapq.heappush(self._waiting, (offset, data))
            self._size_waiting += len(data)
        else:
            self._append(offset, data)
            self._fill()
        while self._size_waiting + len(self._waiting) * 2**10 > _MOST_WAITING:
            done += self.skip()
        return done

    def append(self, data: bytes) -> None:
        """Add bytes that follow what came before."""
        self._buffer += data

    def _append(self, offset: int, data: bytes) -> None:
        fresh = data[self.position - offset :]
        self._buffer += fresh
        self._next = (self._next + len(fresh)) % _MODULUS

    def _fill(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.position:
            offset, data = heapq.heappop(self._waiting)
            self._size_waiting -= len(data)
            self._append(offset, data)

    def skip(self) -> list[Stretch]:
        """Go on behind the first hole: the stretch before it."""
        done = self.drain(0)
        gap = self._waiting[0][0] - self.position
        self.missing += gap
        self.base += gap
        self._next = (self._next + gap) % _MODULUS
        self._fill()
        return done

    def drain(self, kept: int) -> list[Stretch]:
        """What is held up to the first hole, if any of it is new since the last time; its last `kept` bytes stay."""
        done = [Stretch(self.base, bytes(self._buffer))] if len(self._buffer) > self._searched else []
        gone = max(0, len(self._buffer) - kept)
        del self._buffer[:gone]
        self.base += gone
        self._searched = len(self._buffer)
        return done
