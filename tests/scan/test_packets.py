"""Captures of packets: both formats, link layers, TCP put together whatever happened on the way, damaged files."""

from __future__ import annotations

import gzip
import random
import shutil
import struct
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.model import Direction
from lab.scan import readers
from lab.scan.entry import Entry, Read, Unread
from lab.scan.readers import packets
from lab.scan.source import Shipped

from . import wire
from .conftest import MAIL, Scan

SECRET = MAIL.encode()
NOISE = random.Random(5).randbytes(70_000)  # noqa: S311 - the same in every run
REQUEST = (
    b"POST /login HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 46\r\n\r\n" + b"user=" + SECRET + b"&x=12345678\r\n"
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def read(data: bytes) -> list[Read]:
    return list(readers.read(Shipped(data)))


def streams(read: Sequence[Read], place: str = "tcp.stream") -> dict[tuple[int | None, Direction], bytes]:
    """What was put together, by flow and direction; stretches one after the other."""
    found: dict[tuple[int | None, Direction], bytes] = {}
    for entry in read:
        for one in entry.observations if isinstance(entry, Entry) else ():
            if one.place == place:
                key = entry.flow, one.direction
                found[key] = found.get(key, b"") + one.data
    return found


def unread(read: Sequence[Read]) -> list[str]:
    return [one.why for one in read if isinstance(one, Unread)]


BOTH = {(0, Direction.TO_SERVICE): REQUEST, (0, Direction.TO_CLIENT): ANSWER}


# Formats


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nano", [False, True])
def test_pcap(order: str, nano: bool) -> None:
    frames = [wire.ethernet(one) for one in wire.conversation(REQUEST, ANSWER)]
    found = read(wire.pcap(frames, order=order, nano=nano))
    assert streams(found) == BOTH
    assert unread(found) == []


def test_pcapng_of_several_sections_interfaces_and_byte_orders() -> None:
    frames = wire.conversation(REQUEST, ANSWER)
    data = wire.section() + wire.interface(wire.ETHERNET) + wire.interface(wire.RAW)
    for one in frames[:3]:
        data += wire.packet(one, number=1, options=wire.comment(b"a remark"))
    data += wire.block(5, b"statistics..") + wire.section(">") + wire.interface(wire.ETHERNET, ">")
    for one in frames[3:]:
        data += wire.packet(wire.ethernet(one), order=">")
    found = read(data)
    assert streams(found) == BOTH
    assert unread(found) == []


def test_simple_packets_and_those_of_the_first_format() -> None:
    frames = wire.conversation(REQUEST, ANSWER)
    data = wire.section() + wire.interface(wire.RAW)
    for number, one in enumerate(frames):
        padded = one + bytes(-len(one) % 4)
        simple = struct.pack("<I", len(one)) + padded
        old = struct.pack("<HHIIII", 0, 0, 0, 0, len(one), len(one)) + padded
        data += wire.block(3, simple) if number % 2 else wire.block(2, old)
    assert streams(read(data)) == BOTH


def test_remarks_and_host_names_are_searched(tmp_path: Path, scan: Scan) -> None:
    data = wire.section() + wire.interface(wire.RAW)
    data += wire.packet(wire.ip(wire.udp(b"nothing here")), options=wire.comment(b"seen by " + SECRET))
    (tmp_path / "a").write_bytes(data)
    (found,) = scan(tmp_path / "a").findings
    assert (found["flow"], found["place"]) == (None, "pcapng.block")


def test_a_compressed_capture(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(wire.pcap(wire.conversation(REQUEST, ANSWER), wire.RAW)))
    (found,) = scan(tmp_path / "a.gz").findings
    assert (found["flow"], found["place"], found["decoders"]) == (0, "http.body", ["gzip"])


# Link layers and IP

IPV6 = {"source": "2001:db8::7", "target": "2001:db8::9"}


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (wire.ETHERNET, wire.ethernet(wire.ip(wire.udp(SECRET), 17))),
        (wire.ETHERNET, wire.ethernet(wire.ip(wire.udp(SECRET), 17), tags=(0x88A8, 0x8100))),
        (wire.ETHERNET, wire.ethernet(b"\x11\x00\x00\x05\x00\x99\x00\x21" + wire.ip(wire.udp(SECRET), 17), 0x8864)),
        (wire.ETHERNET, wire.ethernet(wire.ip(wire.udp(SECRET), 17, **IPV6), 0x86DD)),
        (wire.RAW, wire.ip(wire.udp(SECRET), 17, **IPV6)),
        (wire.RAW, wire.ip(wire.ip(wire.udp(SECRET), 17), 4)),
        (wire.RAW, wire.ip(wire.ip(wire.udp(SECRET), 17, **IPV6), 41)),
        (
            wire.RAW,
            wire.ip(b"\x3c\x00\x01\x04" + bytes(4) + b"\x11\x00\x01\x04" + bytes(4) + wire.udp(SECRET), 0, **IPV6),
        ),
        (wire.SLL, bytes(14) + b"\x08\x00" + wire.ip(wire.udp(SECRET), 17)),
        (wire.SLL2, b"\x08\x00" + bytes(18) + wire.ip(wire.udp(SECRET), 17)),
        (wire.NULL, b"\x02\x00\x00\x00" + wire.ip(wire.udp(SECRET), 17)),
        (wire.NULL, b"\x00\x00\x00\x1e" + wire.ip(wire.udp(SECRET), 17, **IPV6)),
        (wire.LOOP, b"\x00\x00\x00\x02" + wire.ip(wire.udp(SECRET), 17)),
        (228, wire.ip(wire.udp(SECRET), 17)),
        (229, wire.ip(wire.udp(SECRET), 17, **IPV6)),
    ],
)
def test_datagrams_out_of_every_known_layer(link: int, frame: bytes) -> None:
    found = read(wire.pcap([frame], link))
    assert streams(found, "udp.datagram") == {(0, Direction.TO_SERVICE): SECRET}
    assert unread(found) == []


def test_ethernet_pads_short_packets_and_the_padding_is_no_data() -> None:
    frame = wire.ethernet(wire.ip(wire.udp(b"short"), 17)) + b"PADDING"
    assert streams(read(wire.pcap([frame])), "udp.datagram") == {(0, Direction.TO_SERVICE): b"short"}


def test_an_unknown_link_type_is_searched_as_it_is_and_said(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / "a").write_bytes(wire.pcap([b"\x01\x02" + SECRET], 127))
    done = scan(tmp_path / "a")
    assert [one["place"] for one in done.findings] == ["frame"]
    assert "link type 127" in done.gave_up[0]["why"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("ends", [{}, IPV6], ids=["IPv4", "IPv6"])
def test_fragments(order: tuple[int, ...], ends: dict[str, str]) -> None:
    whole = wire.udp(SECRET + b"." * 30)
    parts = []
    for at in (0, 24, 48):
        more = at < 48
        data = whole[at : at + 24] if more else whole[at:]
        if ends:
            field = struct.pack("!BBHI", 17, 0, at | more, 99)
            parts.append(wire.ip(field + data, 44, **ends))
        else:
            parts.append(wire.ip(data, 17, fragment=at // 8 | (0x2000 if more else 0)))
    found = read(wire.pcap([parts[number] for number in order], wire.RAW))
    assert streams(found, "udp.datagram") == {(0, Direction.TO_SERVICE): SECRET + b"." * 30}
    missing = read(wire.pcap(parts[:2], wire.RAW))
    assert "fragments" in unread(missing)[0]
    assert b"".join(streams(missing, "ip.fragment").values()) == whole[:48]


def test_other_protocols_are_searched_as_they_are() -> None:
    found = read(wire.pcap([wire.ip(b"\x08\x00" + SECRET, 1), wire.ethernet(b"arp" + SECRET, 0x0806)], wire.RAW))
    assert streams(found, "ip.packet") == {(0, Direction.TO_SERVICE): b"\x08\x00" + SECRET}


def test_dns_is_named(tmp_path: Path, scan: Scan) -> None:
    labels = b"".join(bytes([len(one)]) + one for one in (b"zq7rt9wkx4mlb2v8", b"example", b"org"))
    query = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + labels + b"\x00\x00\x01\x00\x01"
    (tmp_path / "a").write_bytes(wire.pcap([wire.ip(wire.udp(query, (40000, 53)), 17)], wire.RAW))
    (found,) = scan(tmp_path / "a", secrets=["host=zq7rt9wkx4mlb2v8"]).findings
    assert found["place"].startswith("dns.")


# TCP


@given(st.data())
@settings(max_examples=150)
def test_streams_come_together_whatever_happened_to_their_segments(data: st.DataObject) -> None:
    stream = NOISE[:400]
    first = data.draw(st.sampled_from([0, 1000, 2**32 - 200]))
    borders = sorted({0, 400, *data.draw(st.lists(st.integers(1, 399), max_size=12))})
    pieces = [(at, stream[at:end]) for at, end in pairwise(borders)]
    # Sent again, in other sizes, so that they overlap.
    again = st.lists(st.tuples(st.integers(0, 390), st.integers(1, 60)), max_size=6)
    pieces += [(at, stream[at : at + size]) for at, size in data.draw(again)]
    order = data.draw(st.permutations(pieces))
    frames = [wire.ip(wire.tcp(b"", first - 1, wire.SYN))]
    frames += [wire.ip(wire.tcp(piece, first + at)) for at, piece in order]
    found = read(wire.pcap(frames, wire.RAW))
    assert streams(found) == {(0, Direction.TO_SERVICE): stream}
    assert unread(found) == []


def test_missing_bytes_are_said_and_nothing_is_read_across_them(tmp_path: Path, scan: Scan) -> None:
    data = b"." * 50 + SECRET + b"." * 100 + SECRET + b"." * 50
    hole = len(SECRET) + 60
    frames = [
        wire.ip(wire.tcp(b"", 0, wire.SYN)),
        wire.ip(wire.tcp(data[:60], 1)),
        wire.ip(wire.tcp(data[hole:], 1 + hole)),
    ]
    found = read(wire.pcap(frames, wire.RAW))
    assert streams(found) == {(0, Direction.TO_SERVICE): data[:60] + data[hole:]}
    assert unread(found) == [f"{hole - 60} bytes to service are missing from the capture"]
    (tmp_path / "a").write_bytes(wire.pcap(frames, wire.RAW))
    done = scan(tmp_path / "a")
    start = 150 + len(SECRET)
    assert [one["spans"] for one in done.findings if one["partial"] is None] == [[[start, start + len(SECRET)]]]


def test_ports_that_are_used_again_are_another_flow() -> None:
    frames = [
        *wire.conversation(b"first" * 9, b"one"),
        wire.ip(wire.tcp(b"", 90_000, wire.SYN)),
        wire.ip(wire.tcp(b"second", 90_001)),
    ]
    found = streams(read(wire.pcap(frames, wire.RAW)))
    assert found[0, Direction.TO_SERVICE] == b"first" * 9
    assert found[1, Direction.TO_SERVICE] == b"second"


def test_a_capture_that_begins_in_the_middle_of_a_connection() -> None:
    frames = [wire.ip(wire.tcp(ANSWER, 77, ports=(80, 40000)), source=wire.SERVER, target=wire.CLIENT)]
    frames += [wire.ip(wire.tcp(REQUEST[40:], 45)), wire.ip(wire.tcp(REQUEST[:40], 5))]
    found = streams(read(wire.pcap(frames, wire.RAW)))
    assert found[0, Direction.TO_CLIENT] == ANSWER
    assert sorted(found[0, Direction.TO_SERVICE]) == sorted(REQUEST)


def test_the_client_is_whoever_began() -> None:
    frames = [
        wire.ip(wire.tcp(b"", 1, wire.SYN | wire.ACK, (5000, 6000))),
        wire.ip(wire.tcp(b"hello", 2, ports=(5000, 6000))),
    ]
    assert streams(read(wire.pcap(frames, wire.RAW))) == {(0, Direction.TO_CLIENT): b"hello"}


def test_streams_longer_than_what_is_searched_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scan: Scan
) -> None:
    monkeypatch.setattr(packets, "STREAM", 20_000)
    monkeypatch.setattr(packets, "OVERLAP", 500)
    data = bytearray(NOISE)
    places = [100, 19_990, 20_300, 39_600, 69_000]
    for at in places:
        data[at : at + len(SECRET)] = SECRET
    (tmp_path / "a").write_bytes(wire.pcap(wire.conversation(bytes(data), b"", 900), wire.RAW))
    done = scan(tmp_path / "a")
    assert [one["spans"] for one in done.findings] == [[[at, at + len(SECRET)]] for at in places]
    assert [one["flow"] for one in done.gave_up] == [0]
    assert "searched in parts" in done.gave_up[0]["why"]


def test_memory_is_bounded_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scan: Scan) -> None:
    monkeypatch.setattr(packets, "HELD", 30_000)
    monkeypatch.setattr(packets, "OVERLAP", 100)
    monkeypatch.setattr(packets, "DATAGRAMS", 5_000)
    monkeypatch.setattr(packets, "CONNECTIONS", 40)
    frames = []
    for number in range(60):
        opening, *rest = wire.conversation(b"-" * 900 + SECRET + b"-" * 900, b"", 907, (30_000 + number, 80))
        frames += [opening, rest[0], wire.ip(wire.udp(b"~" + SECRET, (number + 1000, 7000)), 17)]
        frames += rest[1:]
    (tmp_path / "a").write_bytes(wire.pcap(frames, wire.RAW))
    done = scan(tmp_path / "a")
    found = [(one["place"], tuple(map(tuple, one["spans"]))) for one in done.findings]
    assert found.count(("tcp.stream", ((900, 900 + len(SECRET)),))) == 60
    assert found.count(("udp.datagram", ((1, 1 + len(SECRET)),))) == 60
    assert done.gave_up == []


# Damaged files

CAPTURES = {
    "pcap": wire.pcap(wire.conversation(REQUEST, ANSWER, 40), wire.RAW),
    "pcapng": wire.section()
    + wire.interface(wire.RAW)
    + b"".join(wire.packet(one) for one in wire.conversation(REQUEST, ANSWER, 40)),
}


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_that_is_cut_off_gives_what_is_there(name: str) -> None:
    whole = CAPTURES[name]
    for end in range(24, len(whole), 7):
        found = read(whole[:end])
        assert REQUEST.startswith(streams(found).get((0, Direction.TO_SERVICE), b""))
    assert any("cut off" in why for why in unread(read(whole[:-30])))
    assert unread(read(whole[:-30] + whole[-30:])) == []


@pytest.mark.parametrize("name", CAPTURES)
@given(data=st.data())
@settings(max_examples=150)
def test_nothing_that_is_in_a_capture_makes_the_reader_fail(name: str, data: st.DataObject) -> None:
    whole = bytearray(CAPTURES[name])
    for at in data.draw(st.lists(st.integers(4, len(whole) - 1), max_size=8)):
        whole[at] = data.draw(st.integers(0, 255))
    for one in read(bytes(whole)):
        assert isinstance(one, Entry | Unread)


@given(st.sampled_from([0, 1, 101, 113, 276, 127]), st.lists(st.binary(max_size=90), max_size=6))
def test_nor_does_any_packet(link: int, frames: list[bytes]) -> None:
    assert unread(read(wire.pcap(frames, link)))[1:] == []


def test_a_snapshot_length_is_said() -> None:
    found = read(wire.pcap(wire.conversation(REQUEST, ANSWER), wire.RAW, cut=60))
    assert any("snapshot length" in why for why in unread(found))


# Other programs' files


@pytest.mark.parametrize("kind", ["pcap", "pcapng", "nsecpcap"])
def test_files_that_wireshark_wrote(tmp_path: Path, kind: str, scan: Scan) -> None:
    program = shutil.which("editcap")
    if program is None:
        pytest.skip("editcap is not installed (it comes with Wireshark)")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_bytes(CAPTURES["pcap"])
    subprocess.run([program, "-F", kind, str(ours), str(theirs)], check=True, capture_output=True)
    (found,) = scan(theirs).findings
    assert (found["flow"], found["place"]) == (0, "http.body")
