"""Recorded packets (pcap, pcapng): TCP streams put together, UDP datagrams, and the bytes of all the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from lab.model import Direction, Observation
from lab.scan.entry import Entry, Read, Unread, on_the_way
from lab.scan.readers.containers import KeyLog, Packet, Remark, contents
from lab.scan.readers.layers import TCP, UDP, Carried, Fragment, Fragments, carried_in, packet_in, within
from lab.scan.readers.tcp import Half, Stretch

STREAM = 2**24
"""Bytes of one direction of a connection that are searched at once. Longer ones are searched in parts."""
OVERLAP = 2**16
"""Bytes that two such parts share."""
HELD = 2**27
"""Bytes that wait for the rest of their connections. When there are more, they are searched as far as they came."""
CONNECTIONS = 50_000
"""TCP connections, and as many exchanges of datagrams, that are remembered at once."""
DATAGRAMS = 2**22
"""Bytes of datagrams that are collected before they are searched."""

_DNS_PORTS = frozenset({53, 5353, 5355})
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_TLS_HANDSHAKE = b"\x16\x03"

type Ends = tuple[tuple[bytes, int], tuple[bytes, int]]
"""Address and port of both sides, the one with the smaller bytes first."""


@dataclass(slots=True)
class Connection:
    """A TCP connection while its segments come in."""

    flow: int
    client: tuple[bytes, int]
    server: tuple[bytes, int]
    halves: dict[Direction, Half] = field(
        default_factory=lambda: {Direction.TO_SERVICE: Half(), Direction.TO_CLIENT: Half()}
    )
    tls: bool = False
    divided: bool = False

    @property
    def ends(self) -> set[tuple[bytes, int]]:
        return {self.client, self.server}

    def direction(self, sender: tuple[bytes, int]) -> Direction:
        return Direction.TO_SERVICE if sender == self.client else Direction.TO_CLIENT

    def side(self, sender: tuple[bytes, int]) -> Half:
        return self.halves[self.direction(sender)]

    @property
    def ended(self) -> bool:
        return all(half.ended for half in self.halves.values())


@dataclass(slots=True)
class Talk:
    """Datagrams between the same two ends."""

    flow: int
    client: tuple[bytes, int]
    waiting: list[Observation] = field(default_factory=list)
    counts: dict[Direction, int] = field(default_factory=dict)


class Packets:
    """Reads one capture. Flows are numbered in the order of their first packets."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        """Key logs that are in the file itself."""
        self.tls: list[Connection] = []
        """The connections that begin as TLS does, in the order of their beginnings."""
        self._at = 0
        self._flows = 0
        self._connections: dict[Ends, Connection] = {}
        self._talks: dict[object, Talk] = {}
        self._held = 0
        self._waiting = 0
        self._fragments = Fragments()
        self._cut_off = 0
        self._unknown: dict[int, int] = {}
        self._remarks = bytearray()

    def read(self, file: BinaryIO) -> Iterator[Read]:
        """Everything in the capture."""
        for content in contents(file):
            if isinstance(content, Packet):
                self._at = content.end
                yield from self._packet(content)
            elif isinstance(content, KeyLog):
                self.keys.append(content.lines)
            elif isinstance(content, Remark):
                self._remarks += content.data
                if len(self._remarks) > DATAGRAMS:
                    yield from self._flush_remarks()
            else:
                yield content
        yield from self._end()

    def _packet(self, packet: Packet) -> Iterator[Read]:
        self._cut_off += not packet.whole
        found = packet_in(packet.link, packet.data)
        if found is None:
            self._unknown[packet.link] = self._unknown.get(packet.link, 0) + 1
            yield from self._datagram(packet.link, "frame", (b"", 0), (b"", 0), packet.data)
            return
        kind, data = found
        carried = carried_in(kind, data)
        if isinstance(carried, Fragment):
            whole = self._fragments.add(carried)
            for parts in self._fragments.given_up(ended=False):
                yield from self._given_up(parts)
            if whole is None:
                return
            carried = within(whole)
        if isinstance(carried, Carried):
            yield from self._carried(carried)
        else:
            yield from self._datagram(("frame", kind), "frame", (b"", 0), (b"", 0), data)

    def _carried(self, carried: Carried) -> Iterator[Read]:
        data = carried.data
        if carried.protocol == TCP and len(data) >= 20 and 20 <= (data[12] >> 4) * 4 <= len(data):
            yield from self._segment(carried)
            return
        source, target, place = (carried.source, 0), (carried.target, 0), "ip.packet"
        if carried.protocol == UDP and len(data) >= 8:
            source, target = (source[0], int.from_bytes(data[:2])), (target[0], int.from_bytes(data[2:4]))
            place = "dns.message" if _DNS_PORTS & {source[1], target[1]} else "udp.datagram"
            data = data[8 : int.from_bytes(data[4:6]) or None]
        yield from self._datagram((carried.protocol, _ends(source, target)), place, source, target, data)

    def _datagram(
        self, key: object, place: str, source: tuple[bytes, int], target: tuple[bytes, int], data: bytes
    ) -> Iterator[Read]:
        talk = self._talks.get(key)
        if talk is None:
            client = target if source[1] and source[1] < min(1024, target[1]) else source
            talk = self._talks[key] = Talk(self._number(), client)
        if data:
            direction = Direction.TO_SERVICE if source == talk.client else Direction.TO_CLIENT
            talk.waiting.append(on_the_way(talk.flow, place, direction, data))
            self._waiting += len(data)
        if self._waiting > DATAGRAMS:
            yield from self._flush_talks()

    def _segment(self, carried: Carried) -> Iterator[Read]:
        data = carried.data
        source = carried.source, int.from_bytes(data[:2])
        target = carried.target, int.from_bytes(data[2:4])
        sequence, flags = int.from_bytes(data[4:8]), data[13]
        payload = data[(data[12] >> 4) * 4 :]
        ends = _ends(source, target)
        connection = self._connections.get(ends)
        begins = flags & (_SYN | _ACK) == _SYN
        if connection is not None and begins and connection.side(source).first not in (None, (sequence + 1) % 2**32):
            # The same ports again: another connection.
            yield from self._finish(self._connections.pop(ends))
            connection = None
        if connection is None:
            if not payload and not flags & _SYN:
                return  # the last words of a connection that is over, or was before the capture began
            served = flags & _ACK if flags & _SYN else source[1] < min(1024, target[1])
            client, server = (target, source) if served else (source, target)
            connection = Connection(self._number(), client, server)
            self._connections[ends] = connection
            if len(self._connections) > CONNECTIONS:
                yield from self._finish(self._connections.pop(next(iter(self._connections))))
        direction, half = connection.direction(source), connection.side(source)
        held = half.held
        stretches = half.take(sequence, payload, synchronizes=bool(flags & _SYN), finishes=bool(flags & _FIN))
        self._held += half.held - held
        if payload.startswith(_TLS_HANDSHAKE) and half.position == len(payload):
            self._note_tls(connection)
        for stretch in stretches:
            yield self._stretch(connection, direction, stretch)
        if half.held >= STREAM and not half.waits:
            yield from self._part(connection, direction)
        if connection.ended:
            yield from self._flush(connection, 0)
        elif flags & _RST:
            yield from self._flush(connection, OVERLAP)
        if self._held > HELD:
            kept = OVERLAP if len(self._connections) * OVERLAP < HELD // 2 else 0
            for other in self._connections.values():
                yield from self._flush(other, kept)

    def _note_tls(self, connection: Connection) -> None:
        if not connection.tls:
            connection.tls = True
            self.tls.append(Connection(connection.flow, connection.client, connection.server))

    def _stretch(self, connection: Connection, direction: Direction, stretch: Stretch) -> Entry:
        one = on_the_way(connection.flow, "tcp.stream", direction, stretch.data)
        return Entry(connection.flow, (one,), self._at, bases={direction: stretch.base}, window=True)

    def _part(self, connection: Connection, direction: Direction) -> Iterator[Read]:
        half = connection.halves[direction]
        self._held -= half.held
        for stretch in half.drain(OVERLAP):
            yield self._stretch(connection, direction, stretch)
        self._held += half.held
        if not connection.divided and not connection.tls:
            connection.divided = True
            why = f"longer than {STREAM} bytes, so it was searched in parts: what is compressed across them is not read"
            yield Unread(why, self._at, connection.flow, "tcp.stream")

    def _flush(self, connection: Connection, kept: int) -> Iterator[Read]:
        """Search what came of a connection, which may go on; `kept` bytes are held for what stands on the border."""
        observations, bases = [], {}
        for direction, half in connection.halves.items():
            self._held -= half.held
            for stretch in half.drain(kept):
                observations.append(on_the_way(connection.flow, "tcp.stream", direction, stretch.data))
                bases[direction] = stretch.base
            self._held += half.held
        if observations:
            yield Entry(connection.flow, tuple(observations), self._at, bases=bases, window=True)

    def _finish(self, connection: Connection) -> Iterator[Read]:
        """Search what is left of a connection, also behind what is missing."""
        yield from self._flush(connection, 0)
        for direction, half in connection.halves.items():
            self._held -= half.held
            while half.waits:
                half.skip()
                for stretch in half.drain(0):
                    yield self._stretch(connection, direction, stretch)
            if half.missing:
                why = f"{half.missing} bytes {direction} are missing from the capture"
                yield Unread(why, self._at, connection.flow, "tcp.stream")

    def _flush_talks(self) -> Iterator[Read]:
        for talk in self._talks.values():
            if talk.waiting:
                yield Entry(talk.flow, tuple(talk.waiting), self._at, firsts=dict(talk.counts))
                for one in talk.waiting:
                    talk.counts[one.direction] = talk.counts.get(one.direction, 0) + 1
                talk.waiting = []
        self._waiting = 0
        if len(self._talks) > CONNECTIONS:
            self._talks.clear()

    def _flush_remarks(self) -> Iterator[Read]:
        if self._remarks:
            one = on_the_way(self._flows, "pcapng.block", Direction.AT_REST, bytes(self._remarks))
            yield Entry(None, (one,), self._at)
            self._remarks.clear()

    def _given_up(self, parts: list[Fragment]) -> Iterator[Read]:
        source, target, protocol, number = parts[0].key
        key = ("fragment", source, target, protocol, number)
        for part in parts:
            yield from self._datagram(key, "ip.fragment", (source, 0), (target, 0), part.data)
        flow = self._talks[key].flow
        yield Unread(
            "a packet was sent in fragments, and some are missing from the capture", self._at, flow, "ip.fragment"
        )

    def _end(self) -> Iterator[Read]:
        for parts in self._fragments.given_up(ended=True):
            yield from self._given_up(parts)
        for connection in self._connections.values():
            yield from self._finish(connection)
        yield from self._flush_talks()
        yield from self._flush_remarks()
        if self._cut_off:
            why = f"{self._cut_off} packets are only in part in the capture (snapshot length)"
            yield Unread(why, self._at, place="frame")
        for link, count in sorted(self._unknown.items()):
            why = f"{count} packets of link type {link}, which is not known here: their bytes were searched as they are"
            yield Unread(why, self._at, place="frame")

    def _number(self) -> int:
        self._flows += 1
        return self._flows - 1


def _ends(source: tuple[bytes, int], target: tuple[bytes, int]) -> Ends:
    return (source, target) if source <= target else (target, source)
