"""Recorded bytes as one short line for people."""

from __future__ import annotations

from lab.detect.views import GAP

WIDTH = 80
"""Bytes of a view that an excerpt shows at most."""

UNPRINTABLE = "·"


def excerpt(data: bytes, start: int, end: int) -> str:
    """The text around [start, end) of `data`, up to WIDTH bytes, with what cannot be printed as UNPRINTABLE.

    What stands beyond a gap is no neighbour: it may be from another message.
    """
    around = max(0, WIDTH - (end - start)) // 2
    first = max(0, start - around)
    before, gap, _ = data[first:start].rpartition(GAP)
    first += len(before + gap)
    return printable((data[first:end] + data[end : first + WIDTH].partition(GAP)[0])[:WIDTH])


def printable(data: bytes) -> str:
    """`data` as text, with what is none or cannot be printed as UNPRINTABLE."""
    text = data.decode(errors="replace")
    if text.isprintable() and "\ufffd" not in text:
        return text
    return "".join(char if char.isprintable() and char != "\ufffd" else UNPRINTABLE for char in text)
