"""Exclusive or with one byte around what is encoded itself. (Around a plain value, the search sees through it.)"""

from __future__ import annotations

from collections.abc import Iterator

from lab.detect import compression
from lab.detect.budget import Budget
from lab.detect.patterns import XORED
from lab.detect.stretches import PRINTABLE
from lab.detect.views import GAP, Builder, View

_SAMPLE = 48
_LEAST = 16
_KEYS = 4
"""Where more keys than that would make text of a sample, none of them means anything."""

_STARTS = 16
"""How many values of a view are looked at."""

_MAGICS = (compression.GZIP_MAGIC, compression.ZSTD_MAGIC, *compression.ZLIB_MAGICS)
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=%_-\r\n"


def xored(view: View, _budget: Budget) -> Iterator[View]:
    """Values that become encoded text or compressed data once every byte is combined with the same key."""
    if any(name.startswith("xor ") for name in view.decoders):
        return  # two keys are one
    ends = (*(start - len(GAP) for start in view.starts[1:]), len(view.data))
    for start, end in zip(view.starts[:_STARTS], ends, strict=False):
        value = view.data[start:end].removesuffix(GAP)
        for key in _keys(value[:_SAMPLE]):
            builder = Builder()
            builder.add(value.translate(XORED[key]), start)
            yield builder.view(view, f"xor 0x{key:02x}")


def _keys(sample: bytes) -> Iterator[int]:
    if len(sample) < _LEAST:
        return
    for magic in _MAGICS:
        key = sample[0] ^ magic[0]
        if key and sample.translate(XORED[key]).startswith(magic):
            yield key
    # Text keeps the highest bit of all bytes equal, whatever the key: noise does not. What is text as it stands is left
    # alone, for there is nearly always a key that makes other text of it.
    if len({byte & 0x80 for byte in sample}) == 1 and sample.translate(None, PRINTABLE):
        keys = [key for key in range(1, 256) if not sample.translate(XORED[key]).translate(None, _ALPHABET)]
        yield from keys if len(keys) <= _KEYS else ()
