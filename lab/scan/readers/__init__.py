"""Readers of recordings: which one reads a file is said by its first bytes, never by its name.

A reader yields entries in the order of the file and never raises for what is in it: what cannot be read is an Unread.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from lab.detect import sqlite
from lab.scan.entry import Entry, Read, Unread
from lab.scan.readers import captures, compressed, databases, har, plain
from lab.scan.readers.containers import PCAP_MAGICS, PCAPNG_MAGIC
from lab.scan.source import Source

HEAD = 4096
"""Bytes by which a file is recognised."""

_FLOWS = re.compile(rb"[0-9]{2,12}:[0-9]{1,3}:[a-z_]{2,20}[;,]")
"""A flow file begins with a dictionary in tnetstrings, so with its length and that of its first key."""


def kind_of(head: bytes) -> str:
    """What a file is, by its first HEAD bytes: one of the names below, or that of a compression."""
    if head[:4] in PCAP_MAGICS or head[:4] == PCAPNG_MAGIC:
        return "packets"
    if head.startswith(sqlite.MAGIC):
        return "sqlite"
    if head.startswith(captures.MAGIC):
        return "capture"
    if har.HEAD.match(head):
        return "har"
    if _FLOWS.match(head):
        return "flows"
    return next((name for magic, name in compressed.MAGICS.items() if head.startswith(magic)), "plain")


def read(source: Source, keylog: Path | None = None) -> Iterator[Read]:
    """Everything in a recording. `keylog` is a file with TLS keys for packets. OSError: the file cannot be read."""
    with source.open() as file:
        kind = kind_of(_head(file))
        if kind == "sqlite":
            yield from databases.read_database(file, source.size, source.wal())
        elif kind == "packets":
            from lab.scan.readers.decrypted import read_decrypted
            from lab.scan.readers.packets import Packets

            packets = Packets()
            yield from packets.read(file)
            yield from read_decrypted(source, packets, keylog)
        elif kind in compressed.MAGICS.values():
            yield from _compressed(file, kind, source.size)
        else:
            yield from _stream(file, kind)


def read_window(source: Source, start: int, end: int) -> Iterator[Read]:
    """The windows of a plain file that begin in [start, end)."""
    with source.open(start) as file:
        yield from plain.windows(file, start, end)


def _head(file: BinaryIO) -> bytes:
    peek: bytes = file.peek(HEAD)[:HEAD]  # type: ignore[attr-defined]  # all our files are buffered
    return peek


def _stream(file: BinaryIO, kind: str) -> Iterator[Read]:
    """The kinds that are read from front to back."""
    if kind == "har":
        yield from har.read_har(file)
    elif kind == "capture":
        yield from captures.read_capture(file)
    elif kind == "packets":
        from lab.scan.readers.packets import Packets

        packets = Packets()
        yield from packets.read(file)
        if packets.keys:
            yield Unread("the keys in a compressed capture are not used: decompress it first", 0, place="tcp.stream")
    elif kind == "flows":
        from lab.scan.readers.flows import read_flows  # takes long to load: it brings mitmproxy

        yield from read_flows(file)
    else:
        yield from plain.windows(file)


def _compressed(outer: BinaryIO, name: str, size: int) -> Iterator[Read]:
    """What is in a compressed file. Its progress is that of the file; its offsets count what comes out."""
    raw = compressed.decompressed(outer, name, size)
    file: BinaryIO = io.BufferedReader(raw, 2**16)
    for one in _stream(file, kind_of(_head(file))):
        at = min(size, outer.tell())
        yield replace(one, end=at, decoders=(name,)) if isinstance(one, Entry) else replace(one, end=at)
    if raw.problem:
        yield Unread(f"{name}: {raw.problem}", size)
