"""A reader of pcapng files that shares nothing with the writer: only what the tests need, and strict."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address


@dataclass(frozen=True)
class Segment:
    """A TCP segment as it stands in the file; `time` is in microseconds."""

    time: int
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    acknowledged: int
    flags: str
    data: bytes
    comment: str


def blocks(file: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(file):
        kind, length = struct.unpack_from("<II", file, at)
        assert length % 4 == 0
        assert length >= 12
        assert file[at + length - 4 : at + length] == struct.pack("<I", length), "the length stands at both ends"
        yield kind, file[at + 8 : at + length - 4]
        at += length
    assert at == len(file)


def options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while data:
        code, length = struct.unpack_from("<HH", data)
        value, padding = data[4 : 4 + length], data[4 + length : 4 + length + -length % 4]
        assert len(value) == length
        assert len(padding) == -length % 4
        assert not any(padding)
        data = data[4 + length + len(padding) :]
        if code == 0:
            assert not data, "nothing follows the end of the options"
            return found
        found[code] = value
    return found


def adds_up(data: bytes) -> bool:
    """RFC 1071, word by word."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def segments(file: bytes) -> list[Segment]:
    (first, section), (second, interface), *packets = blocks(file)
    assert (first, section[:16]) == (0x0A0D0D0A, bytes.fromhex("4d3c2b1a 01000000 ffffffffffffffff"))
    assert second == 1
    assert struct.unpack_from("<HHI", interface) == (101, 0, 0)
    assert options(interface[8:])[9] == b"\x06"
    assert options(section[16:])
    return [_segment(body) for kind, body in packets if kind == 6]


def _segment(body: bytes) -> Segment:
    interface, high, low, kept, size = struct.unpack_from("<IIIII", body)
    assert (interface, kept) == (0, size)
    packet, rest = body[20 : 20 + size], body[20 + size + -size % 4 :]
    assert not any(body[20 + size : 20 + size + -size % 4])
    version, _, total, _, fragment, _, protocol, _ = struct.unpack_from("!BBHHHBBH", packet)
    assert (version, total, fragment, protocol) == (0x45, size, 0x4000, 6)
    assert adds_up(packet[:20])
    assert adds_up(packet[12:20] + struct.pack("!HH", 6, size - 20) + packet[20:])
    source, target, sequence, acknowledged, offset, flags = struct.unpack_from("!HHIIBB", packet, 20)
    return Segment(
        time=(high << 32) + low,
        source=(str(IPv4Address(packet[12:16])), source),
        target=(str(IPv4Address(packet[16:20])), target),
        sequence=sequence,
        acknowledged=acknowledged,
        flags="".join(name for bit, name in enumerate("FSRPA") if flags >> bit & 1),
        data=packet[20 + (offset >> 4) * 4 :],
        comment=options(rest).get(1, b"").decode(),
    )
