"""The stretches of text in a view: what decoders of text have to look at, and usually a small part of binary data."""

from __future__ import annotations

import re

from lab.detect.probe import first
from lab.detect.views import Builder, Span, View

SHORTEST = 10
"""Characters. A value of the least size takes more than that in any encoding into text."""

_NEAR = 4
"""Bytes between two stretches that belong together: a letter beyond ASCII, in any encoding."""

PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\n\r"
_CLASSES = bytes(ord("x") if byte in PRINTABLE else 0 for byte in range(256))
_RUN = re.compile(rb"x+")


def text(view: View) -> View | None:
    """The view itself if all of it is text, else its stretches of text, with gaps between them; None if it has none."""
    if _is_text(view.data):
        return view
    builder = Builder()
    last = 0
    for start, end in _printable(view.data):
        if builder.size and start - last > _NEAR:
            builder.gap()
        elif builder.size:
            builder.add(view.data[last:start], last)
        builder.add(view.data[start:end], start)
        last = end
    return builder.view(view) if builder.size else None


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return b"\x00" not in data


def spans(data: bytes) -> list[Span]:
    """Where there are so many printable characters of ASCII in a row; all of `data` if it is text."""
    if _is_text(data):
        return [(0, len(data))] if data else []
    return _printable(data)


def _printable(data: bytes) -> list[Span]:
    classes = data.translate(_CLASSES)
    found: list[Span] = []
    probe = b"x" * SHORTEST
    at = first(probe, classes)
    while at >= 0:
        run = _RUN.match(classes, at)
        end = run.end() if run else at + SHORTEST
        found.append((at, end))
        at = classes.find(probe, end)
    return found
