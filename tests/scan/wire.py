"""Packets and capture files for the tests, written without any code of the lab."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

CLIENT, SERVER = "192.0.2.7", "198.51.100.9"
SYN, FIN, RST, ACK = 2, 1, 4, 16
ETHERNET, RAW, SLL, SLL2, NULL, LOOP = 1, 101, 113, 276, 0, 108


def tcp(data: bytes, sequence: int, flags: int = ACK, ports: tuple[int, int] = (40000, 80)) -> bytes:
    return struct.pack("!HHIIBBHHH", *ports, sequence % 2**32, 0, 5 << 4, flags, 1024, 0, 0) + data


def udp(data: bytes, ports: tuple[int, int] = (40000, 9999)) -> bytes:
    return struct.pack("!HHHH", *ports, 8 + len(data), 0) + data


def ip(payload: bytes, protocol: int = 6, source: str = CLIENT, target: str = SERVER, fragment: int = 0) -> bytes:
    """IPv4, or IPv6 where the addresses are of it. `fragment` is the field with flags and offset."""
    ends = ip_address(source).packed + ip_address(target).packed
    if len(ends) == 32:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 77, fragment, 64, protocol, 0) + ends + payload


def ethernet(packet: bytes, kind: int = 0x0800, tags: Sequence[int] = ()) -> bytes:
    """`tags` are the EtherTypes of VLAN tags, outermost first."""
    return bytes(12) + b"".join(struct.pack("!HH", tag, 5) for tag in tags) + struct.pack("!H", kind) + packet


def pcap(frames: Iterable[bytes], link: int = ETHERNET, order: str = "<", nano: bool = False, cut: int = 0) -> bytes:
    """`cut`: so many bytes of each frame were recorded at most, if not 0."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    records = (
        struct.pack(order + "IIII", 1, 2, len(frame[: cut or None]), len(frame)) + frame[: cut or None]
        for frame in frames
    )
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link) + b"".join(records)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = ETHERNET, order: str = "<", snapshot: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snapshot), order)


def packet(frame: bytes, number: int = 0, order: str = "<", options: bytes = b"") -> bytes:
    head = struct.pack(order + "IIIII", number, 0, 0, len(frame), len(frame))
    return block(6, head + frame + bytes(-len(frame) % 4) + options, order)


def comment(text: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", 1, len(text)) + text + bytes(-len(text) % 4) + bytes(4)


def key_log(lines: bytes, order: str = "<") -> bytes:
    return block(10, struct.pack(order + "II", 0x544C534B, len(lines)) + lines, order)


def conversation(request: bytes, answer: bytes, size: int = 100, ports: tuple[int, int] = (40000, 80)) -> list[bytes]:
    """The IPv4 packets of a TCP connection from its beginning to its end, in segments of `size` bytes."""
    back = (ports[1], ports[0])
    there = [tcp(request[at : at + size], 1001 + at, ports=ports) for at in range(0, len(request), size)]
    here = [tcp(answer[at : at + size], 5001 + at, ports=back) for at in range(0, len(answer), size)]
    to_server = [tcp(b"", 1000, SYN, ports), *there, tcp(b"", 1001 + len(request), FIN | ACK, ports)]
    to_client = [tcp(b"", 5000, SYN | ACK, back), *here, tcp(b"", 5001 + len(answer), FIN | ACK, back)]
    return [ip(one) for one in to_server] + [ip(one, source=SERVER, target=CLIENT) for one in to_client]
