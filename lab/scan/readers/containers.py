"""The packets in pcap files (draft-ietf-opsawg-pcap) and pcapng files (draft-ietf-opsawg-pcapng).

Read here and not by a library: those at hand either know one of the two formats only, stop at a second section or
interface, or end a truncated file with an exception, and none passes on key logs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from lab.scan.entry import Unread

PCAP_MAGICS = {
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",  # times in nanoseconds
    b"\x4d\x3c\xb2\xa1": "<",
}
PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
LONGEST = 2**26
"""Bytes of one packet or block. Whatever claims more is damaged: capture programs stop at 256 KiB."""

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 6, 10
_TLS_KEY_LOG = 0x544C534B
_BYTE_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}


class Packet(NamedTuple):
    """A recorded packet; `whole` is False where the capture kept only its beginning. `end` as in Entry."""

    link: int
    data: bytes
    whole: bool
    end: int


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in the file beside packets: comments, names of hosts and interfaces."""

    data: bytes
    end: int


@dataclass(frozen=True, slots=True)
class KeyLog:
    """TLS keys that are in the file itself (a decryption secrets block)."""

    lines: bytes


type Content = Packet | Remark | KeyLog | Unread


def contents(file: BinaryIO) -> Iterator[Content]:
    """What is in the file, in its order; Unread is the last where it is cut off or damaged."""
    magic = file.read(4)
    if magic == PCAPNG_MAGIC:
        yield from _Pcapng(file).contents()
    else:
        yield from _pcap(file, PCAP_MAGICS[magic])


def _pcap(file: BinaryIO, order: str) -> Iterator[Content]:
    header = file.read(20)
    at = 4 + len(header)
    if len(header) < 20:
        yield Unread("the capture is cut off within its header", at)
        return
    # The upper bits say whether frames end with a checksum.
    link = struct.unpack(order + "I", header[16:])[0] & 0xFFFF
    record = struct.Struct(order + "IIII")
    while head := file.read(16):
        at += len(head)
        if len(head) < 16:
            yield _cut_off(at)
            return
        _, _, kept, length = record.unpack(head)
        if kept > LONGEST:
            yield _damaged(at)
            return
        data = file.read(kept)
        at += len(data)
        yield Packet(link, data, len(data) >= length, at)
        if len(data) < kept:
            yield _cut_off(at)
            return


def _cut_off(at: int) -> Unread:
    return Unread(f"the capture is cut off at byte {at}", at)


def _damaged(at: int) -> Unread:
    return Unread(f"the capture is damaged at byte {at}; the rest is not scanned", at)


class _Pcapng:
    """Reads block after block. Interfaces belong to a section, and each section has its own byte order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._order = "<"
        self._links: list[tuple[int, int]] = []
        self._at = 4

    def contents(self) -> Iterator[Content]:
        """The blocks from the first on, whose type has been read already."""
        kind_bytes = PCAPNG_MAGIC
        while kind_bytes:
            head = kind_bytes + self._read(4)
            section = head[:4] == PCAPNG_MAGIC
            magic = self._read(4) if section else b""
            if len(head) < 8 or (section and len(magic) < 4):
                yield _cut_off(self._at)
                return
            if section:
                if magic not in _BYTE_ORDERS:
                    yield _damaged(self._at)
                    return
                self._order, self._links = _BYTE_ORDERS[magic], []
            kind, length = struct.unpack(self._order + "II", head)
            size = length - 12 - len(magic)
            if length % 4 or not 0 <= size <= LONGEST:
                yield _damaged(self._at)
                return
            body, trailer = self._read(size), self._read(4)
            try:
                yield from self._block(kind, body)
            except (struct.error, IndexError):
                yield _damaged(self._at) if len(trailer) == 4 else _cut_off(self._at)
                return
            if len(trailer) < 4:
                yield _cut_off(self._at)
                return
            if trailer != head[4:]:
                yield _damaged(self._at)
                return
            kind_bytes = self._read(4)

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._at += len(data)
        return data

    def _block(self, kind: int, body: bytes) -> Iterator[Content]:
        if kind == _INTERFACE:
            link, _, snapshot = struct.unpack_from(self._order + "HHI", body)
            self._links.append((link, snapshot))
            yield Remark(body[8:], self._at)
        elif kind == _ENHANCED_PACKET:
            interface, _, _, kept, length = struct.unpack_from(self._order + "IIIII", body)
            yield from self._packet(interface, body, 20, kept, length)
        elif kind == _OLD_PACKET:
            interface, _, _, _, kept, length = struct.unpack_from(self._order + "HHIIII", body)
            yield from self._packet(interface, body, 20, kept, length)
        elif kind == _SIMPLE_PACKET:
            (length,) = struct.unpack_from(self._order + "I", body)
            snapshot = self._links[0][1] or length
            yield from self._packet(0, body, 4, min(length, snapshot), length)
        elif kind == _SECRETS:
            secrets, size = struct.unpack_from(self._order + "II", body)
            if secrets == _TLS_KEY_LOG:
                yield KeyLog(body[8 : 8 + size])
        else:
            yield Remark(body, self._at)

    def _packet(self, interface: int, body: bytes, start: int, kept: int, length: int) -> Iterator[Content]:
        link = self._links[interface][0]
        data = body[start : start + kept]
        yield Packet(link, data, len(data) >= length, self._at)
        if options := body[start + kept + -kept % 4 :]:
            yield Remark(options, self._at)
