"""Two pictures for a class to look at, in two formats: one to hide behind, and one that nobody wants to get.

Both are drawn here, cell by cell, from letters; nothing is taken from anywhere. Only what the two need of their formats
is written:

- BMP with a BITMAPINFOHEADER, 24 bits for each pixel, not compressed.
- JPEG (ITU-T T.81, baseline; colours as in JFIF 1.02): blocks of 8 by 8 pixels, each of one colour. Of the coefficients
  of a block only the first, DC, is written.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

type Colour = tuple[int, int, int]
"""Red, green, blue: 0..255 each."""
type Cells = Sequence[Sequence[Colour]]
"""Rows of equal length, from the top. Each cell becomes CELL by CELL pixels."""

CELL = 8

_COLOURS: dict[str, Colour] = {
    ".": (150, 205, 245),
    "y": (250, 205, 40),
    "o": (150, 85, 30),
    "g": (60, 150, 70),
    "r": (190, 25, 35),
    "w": (255, 255, 255),
}

_FLOWER = """
.....................
........yy.yy........
.......yyyyyyy.......
......yyyoooyyy......
......yyoooooyy......
......yyoooooyy......
......yyyoooyyy......
.......yyyyyyy.......
........yygyy........
..........g..........
......gg..g..gg......
.......gggggggg......
.........ggg.........
ggggggggggggggggggggg
ggggggggggggggggggggg
"""

_INSULT = """
rrrrrrrrrrrrrrrrrrrrr
rrrrrwrwrwwwrwrwrrrrr
rrrrrwrwrwrwrwrwrrrrr
rrrrrwwwrwrwrwrwrrrrr
rrrrrrwrrwrwrwrwrrrrr
rrrrrrwrrwwwrwwwrrrrr
rrrrrrrrrrrrrrrrrrrrr
rrrrrrrrrrrrrrrrrrrrr
rwrrrwwwrwwwrwwwrwwrr
rwrrrwrwrwrrrwrrrwrwr
rwrrrwrwrwwwrwwrrwwrr
rwrrrwrwrrrwrwrrrwrwr
rwwwrwwwrwwwrwwwrwrwr
rrrrrrrrrrrrrrrrrrrrr
rrrrrrrrrrrrrrrrrrrrr
"""


def flower(remark: bytes = b"") -> bytes:
    """A flower on a meadow, 168 by 120 pixels, as BMP. A `remark` stands behind the last pixel."""
    return bmp(_cells(_FLOWER)) + remark


def insult(remark: bytes = b"") -> bytes:
    """The words "YOU LOSER", white on red, 168 by 120 pixels, as JPEG. A `remark`, up to 65,533 bytes, is a comment."""
    picture = jpeg(_cells(_INSULT))
    comment = struct.pack(">BBH", 0xFF, 0xFE, 2 + len(remark)) + remark if remark else b""
    return picture[:2] + comment + picture[2:]


def bmp(cells: Cells) -> bytes:
    """`cells` as a BMP file."""
    height, width = CELL * len(cells), CELL * len(cells[0])
    padding = bytes(-3 * width % 4)
    # Rows stand from the bottom to the top, colours as blue, green, red.
    rows = (b"".join(bytes(colour[::-1]) * CELL for colour in row) + padding for row in reversed(cells))
    pixels = b"".join(row * CELL for row in rows)
    start = 14 + 40
    file_header = struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start)
    information = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    return file_header + information + pixels


def jpeg(cells: Cells) -> bytes:
    """`cells` as a JPEG file."""
    size = struct.pack(">BHHB", 8, CELL * len(cells), CELL * len(cells[0]), len(_COMPONENTS))
    # A block of one colour has the DC coefficient 8 * value (T.81, A.3.3). Divided by 8 here, it is the value itself.
    quantisation = bytes([0]) + bytes([8] * 64)
    frame = size + b"".join(bytes([one, 0x11, 0]) for one in _COMPONENTS)
    scan = bytes([len(_COMPONENTS)]) + b"".join(bytes([one, 0]) for one in _COMPONENTS) + bytes([0, 63, 0])
    segments = ((0xDB, quantisation), (0xC0, frame), (0xC4, _DC_CODES + _AC_CODES), (0xDA, scan))
    head = b"".join(struct.pack(">BBH", 0xFF, marker, 2 + len(data)) + data for marker, data in segments)
    return b"\xff\xd8" + head + _scan(cells) + b"\xff\xd9"


_COMPONENTS = (1, 2, 3)
"""Luminance, blue and red chrominance, not subsampled."""
_DC_CODES = bytes([0x00]) + bytes([0, 0, 0, 9, *[0] * 12]) + bytes(range(9))
"""A code of 4 bits for each count of bits that a difference has: the count itself."""
_AC_CODES = bytes([0x10]) + bytes([1, *[0] * 15]) + b"\x00"
"""One code, the bit 0: the block ends here."""


def _scan(cells: Cells) -> bytes:
    bits = ""
    before = (0, 0, 0)
    for row in cells:
        for colour in row:
            values = _ycbcr(colour)
            bits += "".join(_difference(value - last) + "0" for value, last in zip(values, before, strict=True))
            before = values
    bits += "1" * (-len(bits) % 8)
    # A byte 0xff is followed by 0, so that nobody takes it for a marker (T.81, F.1.2.3).
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def _difference(value: int) -> str:
    """How many bits, and the bits: of a negative number those of value - 1 (T.81, F.1.2.1)."""
    count = abs(value).bit_length()
    written = value if value >= 0 else value + (1 << count) - 1
    return f"{count:04b}" + (f"{written:0{count}b}" if count else "")


def _ycbcr(colour: Colour) -> tuple[int, int, int]:
    """-128..127 each (JFIF 1.02, page 3, with 128 taken away)."""
    red, green, blue = colour
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    shifted = luminance - 128, (blue - luminance) / 1.772, (red - luminance) / 1.402
    first, second, third = (max(-128, min(127, round(value))) for value in shifted)
    return first, second, third


def _cells(drawn: str) -> Cells:
    return [[_COLOURS[letter] for letter in row] for row in drawn.split()]
