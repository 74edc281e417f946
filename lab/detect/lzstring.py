"""LZString, the usual compression of text in JavaScript (pieroxy's lz-string, all of its output formats).

Its formats differ only in how many bits a character carries, so they are all read from the bits in order. The text is
put out as UTF-8.
"""

from __future__ import annotations

from typing import NamedTuple

from lab.detect.compression import CorruptError, TooLargeError

UNIT_8, UNIT_16, END = range(3)
"""Codes that are no entry of the dictionary: a new character of 8 or of 16 bits follows, the end."""
_FIRST_ENTRY = 3
_MAX_WIDTH = 24
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r") | frozenset(range(0x7F, 0xA0))


class Text(NamedTuple):
    """What came out, how many bits of the input belonged to it, and whether it came to its proper end."""

    data: bytes
    bits: int
    whole: bool


def likely(data: bytes) -> bool:
    """Whether the first three bytes may begin a text: a new character, and then no code that cannot be one."""
    bits = int.from_bytes(data[:3].translate(_REVERSED), "little")
    code, unit, second = bits & 3, bits >> 2 & 0xFF, bits >> 10
    if code == UNIT_16:
        unit, second = bits >> 2 & 0xFFFF, bits >> 18
        return unit > 0xFF and second & 7 in (UNIT_8, UNIT_16, 3, 4)
    return code == UNIT_8 and unit not in _CONTROLS and second & 7 in (UNIT_8, UNIT_16, 3, 4)


def expand(data: bytes, limit: int) -> Text:
    """Expand the bits of `data`, the highest of each byte first. Raises CorruptError and TooLargeError."""
    total = 8 * len(data)
    # Entries are stretches of what came out, in UTF-16: the previous one and the character behind it.
    out, entries = bytearray(), [(0, 0)] * _FIRST_ENTRY
    previous = (0, 0)
    characters: set[int] = set()
    controls = 0
    at, width, left = 0, 2, 1
    while at + width <= total:
        code = _take(data, at, width)
        at += width
        if code == END:
            return Text(_utf8(out), at, whole=True)
        start = len(out)
        if code in (UNIT_8, UNIT_16):
            size = 16 if code == UNIT_16 else 8
            if at + size > total:
                break
            character = _take(data, at, size)
            controls += character in _CONTROLS
            # A character is new but once, and takes the short form if it can. Text has few controls, noise many.
            if character in characters or (size == 16 and character < 256) or controls > 2 + len(characters) // 16:
                raise CorruptError(_utf8(out), at // 8)
            characters.add(character)
            out += character.to_bytes(2, "little")
            at += size
            entries.append((start, start + 2))
            # The first character is not counted.
            left -= 1 if start else 0
            if left == 0:
                left, width = 1 << width, width + 1
        elif code < len(entries):
            out += out[slice(*entries[code])]
        elif code == len(entries) and start:
            out += out[slice(*previous)] + out[previous[0] : previous[0] + 2]
        else:
            raise CorruptError(_utf8(out), at // 8)
        if len(out) > limit:
            raise TooLargeError
        if start:
            entries.append((previous[0], previous[1] + 2))
        left -= 1
        if left == 0:
            left, width = 1 << width, width + 1
        previous = (start, len(out))
        if width > _MAX_WIDTH:
            break
    return Text(_utf8(out), min(at, total), whole=False)


def _take(data: bytes, at: int, width: int) -> int:
    four = data[at >> 3 : (at >> 3) + 4].translate(_REVERSED)
    return int.from_bytes(four, "little") >> (at & 7) & ((1 << width) - 1)


def _utf8(out: bytearray) -> bytes:
    return out.decode("utf-16-le", "replace").encode()
