"""From a recorded frame to what TCP and UDP carry: link layers, IPv4 (RFC 791), IPv6 (RFC 8200), fragments."""

from __future__ import annotations

import sys
from typing import NamedTuple

IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP = 6, 17
_VLANS = frozenset({0x8100, 0x88A8, 0x9100})
_PPPOE = 0x8864
_PPP_IPV4, _PPP_IPV6 = 0x0021, 0x0057
_NULL, _ETHERNET, _LOOP, _LINUX_SLL, _IPV4, _IPV6, _LINUX_SLL2 = 0, 1, 108, 113, 228, 229, 276
_RAW = frozenset({12, 14, 101})
_FAMILIES_IPV6 = frozenset({10, 24, 28, 30})
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION, _MOBILITY = 0, 43, 44, 51, 60, 135
_EXTENSIONS = frozenset({_HOP_BY_HOP, _ROUTING, _DESTINATION, _MOBILITY})
_IPV4_WITHIN, _IPV6_WITHIN = 4, 41
_NESTED = 8
"""Tunnels in tunnels, and headers before the payload of IPv6; nobody sends more."""


class Carried(NamedTuple):
    """What an IP packet carries. `whole` is False where part of it is not in the capture."""

    source: bytes
    target: bytes
    protocol: int
    data: bytes
    whole: bool


class Fragment(NamedTuple):
    """Part of what an IP packet carries, from `offset` on; `more` follows."""

    key: tuple[bytes, bytes, int, int]
    offset: int
    more: bool
    data: bytes


def packet_in(link: int, frame: bytes) -> tuple[int, bytes] | None:
    """The EtherType of what a frame carries, and that. None: the type of link is not known, or the frame too short."""
    if link == _ETHERNET:
        return _ethernet(frame)
    if link in _RAW or link in (_IPV4, _IPV6):
        return (IPV6 if frame[:1] and frame[0] >> 4 == 6 else IPV4), frame
    if link == _LINUX_SLL:
        return (int.from_bytes(frame[14:16]), frame[16:]) if len(frame) >= 16 else None
    if link == _LINUX_SLL2:
        return (int.from_bytes(frame[:2]), frame[20:]) if len(frame) >= 20 else None
    if link in (_NULL, _LOOP):
        if len(frame) < 4:
            return None
        # The family is in the byte order of whichever machine recorded it, and always small.
        family = min(int.from_bytes(frame[:4], "big"), int.from_bytes(frame[:4], "little"))
        return (IPV6 if family in _FAMILIES_IPV6 else IPV4 if family == 2 else 0), frame[4:]
    return None


def _ethernet(frame: bytes) -> tuple[int, bytes] | None:
    if len(frame) < 14:
        return None
    at, kind = 14, int.from_bytes(frame[12:14])
    while kind in _VLANS and len(frame) >= at + 4:
        kind, at = int.from_bytes(frame[at + 2 : at + 4]), at + 4
    if kind == _PPPOE and len(frame) >= at + 8:
        protocol = int.from_bytes(frame[at + 6 : at + 8])
        within = {_PPP_IPV4: IPV4, _PPP_IPV6: IPV6}.get(protocol, kind)
        return within, frame[at + 8 :]
    return kind, frame[at:]


def carried_in(kind: int, packet: bytes, depth: int = 0) -> Carried | Fragment | None:
    """What an IP packet carries, out of its tunnels; None: it is none, or damaged."""
    found = _ipv4(packet) if kind == IPV4 else _ipv6(packet) if kind == IPV6 else None
    if isinstance(found, Carried) and depth < _NESTED:
        return within(found, depth + 1)
    return found


def within(outer: Carried, depth: int = 1) -> Carried | Fragment | None:
    """What is in the tunnel where `outer` carries another IP packet; else `outer`."""
    if outer.protocol == _IPV4_WITHIN:
        return carried_in(IPV4, outer.data, depth) or outer
    if outer.protocol == _IPV6_WITHIN:
        return carried_in(IPV6, outer.data, depth) or outer
    return outer


def _ipv4(packet: bytes) -> Carried | Fragment | None:
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    header = (packet[0] & 15) * 4
    # 0 stands where the network card was to cut the packet up and fill that in.
    length = int.from_bytes(packet[2:4]) or len(packet)
    if header < 20 or length < header:
        return None
    data = packet[header:length]
    source, target, protocol = packet[12:16], packet[16:20], packet[9]
    flags = int.from_bytes(packet[6:8])
    offset, more = (flags & 0x1FFF) * 8, bool(flags & 0x2000)
    if offset or more:
        return Fragment((source, target, protocol, int.from_bytes(packet[4:6])), offset, more, data)
    return Carried(source, target, protocol, data, len(packet) >= length)


def _ipv6(packet: bytes) -> Carried | Fragment | None:
    if len(packet) < 40 or packet[0] >> 4 != 6:
        return None
    length = int.from_bytes(packet[4:6])
    # 0 is said by packets of more than 64 KiB (RFC 2675), which only network cards make.
    end = 40 + length if length else sys.maxsize
    source, target, protocol, at = packet[8:24], packet[24:40], packet[6], 40
    for _ in range(_NESTED):
        if protocol == _FRAGMENT:
            head = packet[at : at + 8]
            if len(head) < 8:
                return None
            field = int.from_bytes(head[2:4])
            key = (source, target, head[0], int.from_bytes(head[4:8]))
            return Fragment(key, field & 0xFFF8, bool(field & 1), packet[at + 8 : end])
        if protocol not in _EXTENSIONS and protocol != _AUTHENTICATION:
            break
        head = packet[at : at + 2]
        if len(head) < 2:
            return None
        at += (head[1] + 2) * 4 if protocol == _AUTHENTICATION else (head[1] + 1) * 8
        protocol = head[0]
    return Carried(source, target, protocol, packet[at:end], len(packet) >= min(end, sys.maxsize) or not length)


class Fragments:
    """Puts the fragments of IP packets together (RFC 815's result, without its cleverness)."""

    MOST = 1000
    """Packets that wait for the rest of them."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[bytes, bytes, int, int], list[Fragment]] = {}

    def add(self, fragment: Fragment) -> Carried | None:
        """What the packet carries, once it is complete."""
        parts = self._waiting.setdefault(fragment.key, [])
        parts.append(fragment)
        data = bytearray()
        for part in sorted(parts, key=lambda part: part.offset):
            if part.offset > len(data):
                return None
            data[part.offset : part.offset + len(part.data)] = part.data
        if all(part.more for part in parts):
            return None
        del self._waiting[fragment.key]
        source, target, protocol, _ = fragment.key
        return Carried(source, target, protocol, bytes(data), whole=True)

    def given_up(self, *, ended: bool) -> list[list[Fragment]]:
        """Packets of which a part never came: all that wait once the capture has `ended`, else those beyond MOST."""
        keys = list(self._waiting)
        return [self._waiting.pop(key) for key in (keys if ended else keys[: max(0, len(keys) - self.MOST)])]
