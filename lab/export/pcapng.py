"""What the network observer got, as packets: a pcapng file (draft-ietf-opsawg-pcapng) for Wireshark and its like.

The tap relays streams, so no packet was ever recorded. Each data segment here is one piece as the tap got it, at its
time, in IPv4 and TCP headers that the lab adds; only a piece that is longer than an IPv4 packet can be is split. That
is what a capture on a loopback interface looks like, where packets of 64 KiB are usual. Handshakes and ends are drawn
from the tap's notes. Between them nothing is invented: no segment is acknowledged on its own, for which the window is
announced as large as TCP allows.

Nothing in the file is secret to the observer: the keys of TLS connections are another file (see key_log).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.export.connections import SERVICE_ADDRESS, Connection, connections, moment, service_port
from lab.model import Capture, Direction, Event, Observer

SECTION_HEADER, INTERFACE_DESCRIPTION, ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER = 0x1A2B3C4D
LINKTYPE_RAW = 101
"""Packets begin with their IP header."""
OPTION_END, COMMENT = 0, 1
USER_APPLICATION = 4  # of a section
INTERFACE_NAME, INTERFACE_DESCRIPTION_TEXT, TIME_RESOLUTION = 2, 3, 9  # of an interface
MICROSECONDS = 6
"""10⁻⁶ s: what is left of a time in seconds since 1970 in a float."""

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
HEADERS = 20 + 20
LONGEST = 0xFFFF - HEADERS
"""Bytes of data in one IPv4 packet."""
WINDOW, WINDOW_SCALE = 0xFFFF, 14
_SYN_OPTIONS = struct.pack("!BBHBBBB", 2, 4, LONGEST, 3, 3, WINDOW_SCALE, 0)
"""Largest segment, window scale, end of options."""


@dataclass(frozen=True, slots=True)
class _Frame:
    time: float
    packet: bytes
    comment: str = ""


def to_pcapng(capture: Capture) -> bytes:
    """The packets of all connections, by time. LabError: the network observer recorded nothing."""
    port = service_port(capture.story.mode)
    frames = [
        frame
        for index, connection in enumerate(connections(capture, Observer.NETWORK))
        for frame in _frames(connection, _Conversation(connection.client, port, index))
    ]
    frames.sort(key=lambda frame: frame.time)  # stable: those of one connection are in order already
    return b"".join([_section(capture, port), _interface(), *(_packet(frame) for frame in frames)])


def _frames(connection: Connection, talk: _Conversation) -> Iterator[_Frame]:
    to_service, to_client = Direction.TO_SERVICE, Direction.TO_CLIENT
    now = 0.0
    if connection.opened is not None:
        now = moment(connection.opened.time)
        yield _Frame(now, talk.segment(to_service, SYN, options=_SYN_OPTIONS), f"connection {connection.number}")
        yield _Frame(now, talk.segment(to_client, SYN | ACK, options=_SYN_OPTIONS))
        yield _Frame(now, talk.segment(to_service, ACK))
    for piece in connection.observations:
        now = max(now, moment(piece.time))  # a clock that is set back must not turn the order round
        for start in range(0, len(piece.data), LONGEST):
            yield _Frame(now, talk.segment(piece.direction, PSH | ACK, piece.data[start : start + LONGEST]))
    if connection.ended is not None:
        now = max(now, moment(connection.ended.time))
        if connection.ended.event is Event.BROKEN:
            yield _Frame(now, talk.segment(to_service, RST | ACK), f"broken: {connection.ended.detail}")
        else:
            yield _Frame(now, talk.segment(to_service, FIN | ACK))
            yield _Frame(now, talk.segment(to_client, FIN | ACK))
            yield _Frame(now, talk.segment(to_service, ACK))


class _Conversation:
    """The two ends of one TCP connection, and how far each has come."""

    def __init__(self, client: tuple[str, int], service_port: int, index: int) -> None:
        service = (SERVICE_ADDRESS, service_port)
        self._ends = {Direction.TO_SERVICE: (client, service), Direction.TO_CLIENT: (service, client)}
        # Each connection begins at another number, as in life; equal ones would look like one connection sent twice.
        self._next = dict.fromkeys(self._ends, index << 20)

    def segment(self, direction: Direction, flags: int, data: bytes = b"", options: bytes = b"") -> bytes:
        """One packet in this direction: IPv4 (RFC 791) with TCP (RFC 9293)."""
        other = Direction.TO_CLIENT if direction is Direction.TO_SERVICE else Direction.TO_SERVICE
        sequence, acknowledged = self._next[direction], self._next[other] if flags & ACK else 0
        self._next[direction] += len(data) + bool(flags & (SYN | FIN))
        (source, source_port), (target, target_port) = self._ends[direction]
        addresses = IPv4Address(source).packed + IPv4Address(target).packed
        offset = 5 + len(options) // 4
        head = struct.pack(
            "!HHIIBBHHH",
            *(source_port, target_port, sequence % (1 << 32), acknowledged % (1 << 32)),
            *(offset << 4, flags, WINDOW, 0, 0),
        )
        tcp = head + options + data
        pseudo = addresses + struct.pack("!HH", 6, len(tcp))
        tcp = tcp[:16] + checksum(pseudo + tcp) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + addresses
        return ip[:10] + checksum(ip) + ip[12:] + tcp


def checksum(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071): with it in place, the 16-bit words of `data` add up to nothing modulo 2¹⁶-1."""
    return (-int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF).to_bytes(2)


def _section(capture: Capture, port: int) -> bytes:
    story = capture.story
    about = (
        f"{story.title} ({story.scenario}, mode {story.mode}): what the network observer got. Each data segment is one "
        "recorded piece, at its time; headers, handshakes and ends around them were drawn by the lab. The service's "
        f"address is made up, with the usual port {port}."
    )
    fixed = struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1)
    return _block(SECTION_HEADER, fixed + _options((COMMENT, _text(about)), (USER_APPLICATION, b"lab export")))


def _interface() -> bytes:
    options = _options(
        (INTERFACE_NAME, b"network"),
        (INTERFACE_DESCRIPTION_TEXT, b"the network observer's tap"),
        (TIME_RESOLUTION, bytes([MICROSECONDS])),
    )
    return _block(INTERFACE_DESCRIPTION, struct.pack("<HHI", LINKTYPE_RAW, 0, 0) + options)


def _packet(frame: _Frame) -> bytes:
    size, ticks = len(frame.packet), round(frame.time * 10**MICROSECONDS)
    fixed = struct.pack("<IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, size, size)
    comment = _options((COMMENT, _text(frame.comment))) if frame.comment else b""
    return _block(ENHANCED_PACKET, fixed + _padded(frame.packet) + comment)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _options(*options: tuple[int, bytes]) -> bytes:
    return b"".join(
        struct.pack("<HH", code, len(value)) + _padded(value) for code, value in (*options, (OPTION_END, b""))
    )


def _text(text: str) -> bytes:
    """Within what an option can hold."""
    return text[: 1 << 13].encode(errors="replace")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
