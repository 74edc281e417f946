"""LZ4 (block and frame) and Snappy (raw and framed), decoded with a limit on what comes out.

Both are a page of specification. Own code rather than a library, because damaged and cut off data must give what can
be read of it, and because a guess on noise must fail before anything is allocated.
"""

from __future__ import annotations

from lab.detect.compression import CorruptError, Expanded, TooLargeError

LZ4_MAGIC = b"\x04\x22\x4d\x18"
LZ4_LEGACY_MAGIC = b"\x02\x21\x4c\x18"
MOZ_LZ4_MAGIC = b"mozLz40\x00"
SNAPPY_MAGIC = b"\xff\x06\x00\x00sNaPpY"
XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER = 16
_LZ4_STORED = 1 << 31


class _DamagedError(ValueError):
    """The next element cannot be meant so."""


class _Output:
    """What came out so far, which is what copies refer to. Raises TooLargeError before it grows beyond the limit."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self.copied = False
        self._limit = limit

    @property
    def room(self) -> int:
        return self._limit - len(self.data)

    def literal(self, data: bytes) -> None:
        if len(data) > self.room:
            raise TooLargeError
        self.data += data

    def copy(self, offset: int, length: int) -> None:
        if not 0 < offset <= len(self.data):
            raise _DamagedError
        if length > self.room:
            raise TooLargeError
        start = len(self.data) - offset
        repeated = self.data[start : start + length]
        if length > offset:
            repeated = (repeated * (length // offset + 1))[:length]
        self.data += repeated
        self.copied = True


def lz4_frames(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand LZ4 frames that follow each other, the legacy kind and the one of Firefox ("mozLz4") included."""
    end = len(data) if end is None else end
    output, at = _Output(limit), start
    try:
        while True:
            at, whole = _lz4_frame(data, at, end, output)
            if not whole or not data.startswith((LZ4_MAGIC, LZ4_LEGACY_MAGIC), at, end):
                return Expanded(bytes(output.data), at - start, whole)
    except _DamagedError as error:
        raise CorruptError(bytes(output.data), 0) from error


def lz4_block(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand a bare LZ4 block, behind its size in four bytes or without (the habit of language bindings).

    Raises CorruptError unless a copy makes sense: without any, all that could come out stands there as it is.
    """
    end = len(data) if end is None else end
    size = int.from_bytes(data[start : start + 4], "little")
    partial, consumed = b"", 0
    # No byte of a block stands for more than 255.
    for skipped, expected in ((4, size), (0, None)) if 0 < size <= 255 * (end - start) else ((0, None),):
        output = _Output(limit)
        try:
            at, whole = _lz4_sequences(data, start + skipped, end, output, expected)
        except _DamagedError:
            at, whole = start, False
        if output.copied and whole and expected in (None, len(output.data)):
            return Expanded(bytes(output.data), at - start, whole=True)
        if output.copied and len(output.data) > len(partial):
            partial, consumed = bytes(output.data), at - start
    raise CorruptError(partial, consumed)


def snappy(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand Snappy's framing format, the framing of its Java library, or a bare block, whichever it is."""
    if data.startswith((SNAPPY_MAGIC, XERIAL_MAGIC), start):
        return snappy_frames(data, start, limit, end)
    return _snappy_block(data, start, limit, end, literal_only=True)


def snappy_block(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand a bare Snappy block.

    Raises CorruptError unless a copy makes sense: without any, all that could come out stands there as it is.
    """
    return _snappy_block(data, start, limit, end, literal_only=False)


def snappy_frames(data: bytes, start: int, limit: int, end: int | None = None) -> Expanded:
    """Expand Snappy's framing format (framing_format.txt) or that of its Java library. Checksums are not checked."""
    end = len(data) if end is None else end
    output, at = _Output(limit), start
    chunks = _java_chunk if data.startswith(XERIAL_MAGIC, start) else _snappy_chunk
    at += _XERIAL_HEADER if chunks is _java_chunk else 0
    try:
        while at < end:
            length = chunks(data, at, end, output)
            if length == 0:
                break
            at += length
    except _DamagedError as error:
        raise CorruptError(bytes(output.data), 0) from error
    return Expanded(bytes(output.data), min(at, end) - start, at <= end)


def _lz4_frame(data: bytes, at: int, end: int, output: _Output) -> tuple[int, bool]:
    """One frame (lz4_Frame_format.md); where it ends, and whether it is complete."""
    if data.startswith(MOZ_LZ4_MAGIC, at, end):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        return _lz4_sequences(data, at + 12, end, output, size)
    legacy = data.startswith(LZ4_LEGACY_MAGIC, at, end)
    at += 4
    flags = 0
    if not legacy:
        if at + 3 > end:
            return end, False
        flags = data[at]
        if flags >> 6 != 1:
            raise _DamagedError
        at += 3 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    while at + 4 <= end:
        size = int.from_bytes(data[at : at + 4], "little")
        if legacy and size in _MAGIC_NUMBERS:
            return at, True
        at += 4
        if not legacy and size == 0:
            at += 4 if flags & 4 else 0
            return min(at, end), at <= end
        block_end = at + (size & ~_LZ4_STORED)
        if size & _LZ4_STORED and not legacy:
            output.literal(data[at : min(block_end, end)])
        else:
            _, whole = _lz4_sequences(data, at, min(block_end, end), output, None)
            if not whole and block_end <= end:
                raise _DamagedError
        if block_end > end:
            return end, False
        at = block_end + (4 if flags & 16 else 0)
    # The legacy kind has no end mark.
    return min(at, end), legacy and at == end


_MAGIC_NUMBERS = frozenset(int.from_bytes(magic, "little") for magic in (LZ4_MAGIC, LZ4_LEGACY_MAGIC))


def _lz4_sequences(data: bytes, at: int, end: int, output: _Output, size: int | None) -> tuple[int, bool]:
    """The sequences of a block (lz4_Block_format.md), up to `size` bytes if that is known."""
    while at < end:
        token = data[at]
        at, length = _lz4_length(data, at + 1, end, token >> 4)
        output.literal(data[at : min(at + length, end)])
        at += length
        if at >= end or len(output.data) == size:
            return min(at, end), at <= end
        if at + 2 > end:
            return end, False
        offset = data[at] | data[at + 1] << 8
        at, length = _lz4_length(data, at + 2, end, token & 15)
        output.copy(offset, length + 4)
    return end, False


def _lz4_length(data: bytes, at: int, end: int, length: int) -> tuple[int, int]:
    more = length == 15
    while more and at < end:
        length += data[at]
        more = data[at] == 255
        at += 1
    return at, length


def _snappy_block(data: bytes, start: int, limit: int, end: int | None, *, literal_only: bool) -> Expanded:
    end = len(data) if end is None else end
    output, at = _Output(limit), start
    try:
        at, whole = _snappy_elements(data, start, end, output)
    except _DamagedError as error:
        raise CorruptError(bytes(output.data) if output.copied or literal_only else b"", 0) from error
    if not output.copied and not (whole and literal_only):
        raise CorruptError(b"", 0)
    return Expanded(bytes(output.data), at - start, whole)


def _snappy_chunk(data: bytes, at: int, end: int, output: _Output) -> int:
    """A chunk of the framing format; its length with its header, 0 where the chunks end."""
    kind, length = data[at], int.from_bytes(data[at + 1 : at + 4], "little")
    body, body_end = at + 8, at + 4 + length
    if kind == 0:
        _snappy_piece(data, body, min(body_end, end), output)
    elif kind == 1:
        output.literal(data[body : min(body_end, end)])
    elif kind < 0x80:
        # By the specification an error; here, where the framed data ends and something else begins.
        return 0
    return 4 + length


def _java_chunk(data: bytes, at: int, end: int, output: _Output) -> int:
    """A chunk of SnappyOutputStream (snappy-java), which Kafka uses; its length with its header, 0 at the end."""
    length = int.from_bytes(data[at : at + 4], "big")
    if length == 0:
        return 0
    _snappy_piece(data, at + 4, min(at + 4 + length, end), output)
    return 4 + length


def _snappy_piece(data: bytes, start: int, end: int, output: _Output) -> None:
    """A block within a frame: its copies refer to nothing before it, its output goes behind that of the others."""
    piece = _Output(output.room)
    try:
        _snappy_elements(data, start, end, piece)
    finally:
        output.literal(bytes(piece.data))


def _snappy_elements(data: bytes, at: int, end: int, output: _Output) -> tuple[int, bool]:
    """The elements of a block (format_description.txt), behind the length of what they expand to."""
    size = shift = 0
    while at < end and shift < 35:
        size |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            break
    if not 0 < size < 1 << 32:
        raise _DamagedError
    while at < end:
        tag = data[at]
        kind, length = tag & 3, (tag >> 2) + 1
        # The bytes behind the tag: of a long literal its length, of a copy its offset.
        extra = max(0, length - 60) if kind == 0 else 1 << kind - 1
        at += 1 + extra
        if at > end:
            return end, False
        number = int.from_bytes(data[at - extra : at], "little")
        if kind:
            if kind == 1:
                length, number = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | number
            output.copy(number, length)
        else:
            length = number + 1 if extra else length
            output.literal(data[at : min(at + length, end)])
            at += length
        if len(output.data) > size:
            raise _DamagedError
        if len(output.data) == size or at > end:
            return min(at, end), at <= end
    return end, False
