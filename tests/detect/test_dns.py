from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect.budget import Budget, Limits
from lab.detect.decoders import framing
from lab.detect.views import GAP, View, locate

from .codings import VALUE, noise

TOKEN = b"3f9c1a7be2d045863f9c1a7be2d04586"
HOST = b"bob-3f9c1a7be2d04586.chat.example"
TO_HOST = b"\xc0\x0c"
A, CNAME, SOA, MX, TXT, SRV, NAPTR, OPT, HTTPS, CAA = 1, 5, 6, 15, 16, 33, 35, 41, 65, 257


def name(text: bytes) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in text.split(b".") if label) + b"\x00"


def string(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def record(kind: int, data: bytes, owner: bytes = TO_HOST) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, 300, len(data)) + data


def message(*records: bytes, host: bytes = HOST) -> bytes:
    flags = 0x8180 if records else 0x0100
    header = struct.pack(">6H", 0x1234, flags, 1, len(records), 0, 0)
    return header + name(host) + b"\x00\x01\x00\x01" + b"".join(records)


def over_tcp(data: bytes) -> bytes:
    return len(data).to_bytes(2) + data


def views(data: bytes, place: str = "udp.datagram") -> list[View]:
    return list(framing.dns_messages(View(data, place), Budget(Limits())))


def texts(data: bytes, place: str = "dns.record") -> bytes:
    return b"|".join(view.data for view in views(data) if view.place == place)


def pointed_at(view: View, value: bytes, data: bytes) -> bytes:
    at = view.data.index(value)
    return b"".join(data[start:end] for start, end in locate(view, at, at + len(value)))


def test_a_name_has_dots_where_the_lengths_stand() -> None:
    data = message()
    (view,) = views(data)
    assert (view.decoders, view.place, view.depth) == (("dns",), "dns.name", 0)
    assert view.data == HOST + GAP
    assert pointed_at(view, HOST, data) == name(HOST)[1:-1]
    assert pointed_at(view, HOST[:20], data) == HOST[:20]


def test_a_compressed_name_is_read_where_it_points_to() -> None:
    data = message(record(CNAME, string(b"www") + b"\xc0\x21"), record(A, b"\x01\x02\x03\x04"))
    assert data[12 + 0x15 :].startswith(string(b"chat"))
    (view,) = views(data)
    assert view.data == HOST + GAP + b"www.chat.example" + GAP
    assert pointed_at(view, b"www.chat.example", data) == b"\x04chat\x07example" + b"www"


def test_the_strings_of_a_text_record_are_joined() -> None:
    data = message(record(TXT, string(b"v=1 " + VALUE[:9]) + string(VALUE[9:])))
    view = views(data)[1]
    assert (view.decoders, view.place) == (("dns",), "dns.record")
    assert VALUE in view.data
    assert pointed_at(view, VALUE, data) == VALUE


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (MX, b"\x00\x0a" + name(b"mail." + HOST)),
        (SRV, bytes(6) + name(b"mail." + HOST)),
        (SOA, name(b"ns.example") + name(b"mail." + HOST) + bytes(20)),
        (HTTPS, b"\x00\x01" + name(b"mail." + HOST) + b"\x00\x01\x00\x03\x02h2"),
        (NAPTR, bytes(4) + string(b"u") + string(b"E2U+sip") + string(b"!x!") + name(b"mail." + HOST)),
    ],
)
def test_names_in_records_are_names(kind: int, data: bytes) -> None:
    assert b"mail." + HOST in texts(message(record(kind, data), host=b"a.example"), "dns.name")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (OPT, b"\xfd\xe9" + over_tcp(VALUE)),
        (HTTPS, b"\x00\x01\x00" + b"\x00\x07" + over_tcp(VALUE)),
        (NAPTR, bytes(4) + string(b"u") + string(VALUE) + string(b"") + b"\x00"),
        (CAA, b"\x00" + string(b"issue") + VALUE),
        (65280, VALUE),
    ],
)
def test_the_other_data_of_records_is_read(kind: int, data: bytes) -> None:
    assert VALUE in texts(message(record(kind, data)))


def test_messages_over_tcp_stand_behind_their_lengths() -> None:
    data = over_tcp(message()) + over_tcp(message(record(TXT, string(VALUE)), host=b"b.example"))
    for place in ("tcp.stream", "http.body"):
        names, records = views(data, place)
        assert names.data == HOST + GAP + b"b.example" + GAP
        assert VALUE in records.data
    assert views(data[:-20])[0].data.startswith(HOST)


def test_a_message_is_read_where_a_value_starts_although_zeros_follow() -> None:
    data = b"GET /dns-query?dns=" + message() + bytes(6) + b"HTTP/1.1"
    root = View(data, "tcp.stream", starts=(0, 19, len(data) - 8))
    (view,) = framing.dns_messages(root, Budget(Limits()))
    assert HOST in view.data


def test_a_cut_off_message_is_read_only_where_it_is_said_to_be_one() -> None:
    data = message(record(TXT, string(VALUE)))
    assert HOST in views(data[:-3], "dns.message")[0].data
    assert views(data[:-3]) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(12),
        noise(2000),
        message() + b"more",
        message().replace(b"\x00\x01", b"\x00\x02", 1),
        b"\x12\x34" + b"\x78" + message()[3:],
        message(host=b"a" * 70),
        message(record(CNAME, b"\xc0\x30")),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_message_gives_nothing(data: bytes) -> None:
    assert views(data) == []


def test_names_are_bounded() -> None:
    long = name(b".".join([b"x" * 60] * 4))[:-1]
    data = message(record(CNAME, long + TO_HOST), host=b".".join([b"y" * 60] * 4))
    assert views(data) == []


def labels(data: bytes) -> list[View]:
    return list(framing.host_labels(View(data, "http.header"), Budget(Limits())))


@pytest.mark.parametrize("size", [8, 15, 30])
def test_what_is_spread_over_labels_is_joined(size: int) -> None:
    code = base64.b32encode(VALUE).rstrip(b"=").lower()
    pieces = [code[at : at + size] for at in range(0, len(code), size)]
    data = b"Host: " + b".".join(pieces) + b".t.example:443\r\n"
    (view,) = labels(data)
    assert view.decoders == ("labels joined",)
    assert view.data.startswith(code + b"texample")
    assert pointed_at(view, code, data) == b"".join(pieces)


def test_the_names_of_a_message_go_through_it_too() -> None:
    (names,) = views(message(host=TOKEN[:16] + b"." + TOKEN[16:] + b".example"))
    (view,) = framing.host_labels(names, Budget(Limits()))
    assert TOKEN in view.data
    assert view.decoders == ("dns", "labels joined")


@pytest.mark.parametrize(
    "data", [b"www.example.com", b"a sentence. another one.", b"2001.10.10", b"a..b.c" * 9, b"x" * 99, b"." * 99, b""]
)
def test_short_names_and_prose_have_no_labels(data: bytes) -> None:
    assert labels(data) == []


@given(
    st.lists(
        st.sampled_from(
            [message(record(TXT, string(VALUE))), TO_HOST, name(HOST), struct.pack(">6H", 1, 0, 1, 9, 0, 0)]
        )
        | st.binary(max_size=20),
        max_size=6,
    ).map(b"".join),
    st.sampled_from(["dns.message", "udp.datagram"]),
)
def test_nothing_makes_it_raise(data: bytes, place: str) -> None:
    for view in [*views(data, place), *views(over_tcp(data), place), *labels(data)]:
        for start, end in locate(view, 0, len(view.data)):
            assert 0 <= start <= end <= len(data) + 2
