"""Recorded bytes as one short line for people."""

from __future__ import annotations

WIDTH = 80
"""Bytes of a view that an excerpt shows at most."""

UNPRINTABLE = "·"


def excerpt(data: bytes, start: int, end: int) -> str:
    """The text around [start, end) of `data`, up to WIDTH bytes, with what cannot be printed as UNPRINTABLE."""
    around = max(0, WIDTH - (end - start)) // 2
    first = max(0, start - around)
    return printable(data[first : first + WIDTH])


def printable(data: bytes) -> str:
    """`data` as text, with what is none or cannot be printed as UNPRINTABLE."""
    text = data.decode(errors="replace")
    if text.isprintable() and "\ufffd" not in text:
        return text
    return "".join(char if char.isprintable() and char != "\ufffd" else UNPRINTABLE for char in text)
