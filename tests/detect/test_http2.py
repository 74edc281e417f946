from __future__ import annotations

import gzip
from collections.abc import Sequence

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from lab.detect import http2
from lab.detect.budget import Budget, Limits
from lab.detect.decoders.framing import http2_streams
from lab.detect.places import place_of, regions
from lab.detect.views import View, locate

from .codings import NEAR_MISS, VALUE, noise

HEADERS = [(":method", "POST"), (":scheme", "https"), (":authority", "chat.example"), (":path", "/v1/messages")]
LATIN = VALUE.decode()
UNUSUAL = "\\~^`|<>{}" * 4
"""Longer by Huffman's code than as it is."""


def client(*requests: tuple[Sequence[tuple[str, str]], bytes], pad: int = 0, size: int = 16_384) -> bytes:
    """What a client sends, as another implementation writes it."""
    connection = H2Connection(H2Configuration(client_side=True, header_encoding=None, validate_outbound_headers=False))
    connection.initiate_connection()
    for number, (headers, body) in enumerate(requests):
        stream = 2 * number + 1
        connection.send_headers(stream, [*HEADERS, *headers], end_stream=not body)
        for at in range(0, len(body), size):
            part = body[at : at + size]
            connection.send_data(stream, part, end_stream=at + size >= len(body), pad_length=pad or None)
    return connection.data_to_send()


def views(data: bytes, budget: Budget | None = None) -> list[View]:
    return list(http2_streams(View(data, "tcp.stream"), budget or Budget(Limits())))


def spans(view: View, value: bytes) -> tuple[tuple[int, int], ...]:
    at = view.data.index(value)
    return locate(view, at, at + len(value))


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + content


SETTINGS = frame(4, 0, 0, bytes.fromhex("000300000064"))


def test_headers_are_lines_and_bodies_stand_where_they_are() -> None:
    data = client(([("cookie", f"id={LATIN}")], b"to bob: " + VALUE))
    headers, bodies = views(data)
    assert headers.decoders == ("hpack",)
    assert headers.place == "http.header"
    assert headers.data.startswith(b":method: POST\r\n:scheme: https\r\n:authority: chat.example\r\n")
    assert b"cookie: id=" + VALUE + b"\r\n" in headers.data
    assert (bodies.decoders, bodies.place, bodies.depth) == (("http2",), "http.body", 0)
    ((start, end),) = spans(bodies, VALUE)
    assert data[start:end] == VALUE


def test_a_huffman_coded_value_is_named_as_it_was_sent() -> None:
    data = client(([("x-note", LATIN)], b""))
    (headers,) = views(data)
    ((start, end),) = spans(headers, VALUE)
    literal = b"\x00\x01a" + bytes([0x80 | end - start]) + data[start:end]
    assert Decoder().decode(literal) == [("a", LATIN)]


def test_a_value_that_is_not_huffman_coded_points_at_itself() -> None:
    block = Encoder().encode([("x-note", f"<{LATIN}>")], huffman=False)
    data = SETTINGS + frame(1, 4, 1, block)
    (headers,) = views(data)
    ((start, end),) = spans(headers, VALUE)
    assert data[start:end] == VALUE


def test_a_field_that_is_only_referred_to_stands_where_it_was_sent() -> None:
    data = client(*[([("cookie", LATIN)], b"")] * 3)
    (headers,) = views(data)
    assert headers.data.count(VALUE) == 3
    last = headers.data.rindex(VALUE)
    assert locate(headers, last, last + len(VALUE)) == spans(headers, VALUE)


@pytest.mark.parametrize("padding", [0, 20])
@pytest.mark.parametrize("size", [1, 10, 100])
def test_a_body_is_joined_over_frames_without_their_padding(size: int, padding: int) -> None:
    data = client(([], VALUE), pad=padding, size=size)
    bodies = views(data)[1]
    assert VALUE in bodies.data
    assert b"".join(data[start:end] for start, end in spans(bodies, VALUE)) == VALUE
    assert VALUE not in views(client(([], NEAR_MISS), pad=padding, size=size))[1].data


def test_streams_that_take_turns_are_kept_apart() -> None:
    data = SETTINGS + b"".join(
        frame(0, 0, stream, VALUE[at : at + 5]) for at in range(0, len(VALUE), 5) for stream in (1, 3)
    )
    (bodies,) = views(data)
    assert bodies.data.count(VALUE) == 2
    assert len(bodies.starts) == 2


def test_a_content_coding_is_handed_on() -> None:
    packed = gzip.compress(VALUE)
    data = client(([("content-encoding", "GZIP")], packed), ([], b"a plain body"))
    _, coded, plain = views(data)
    assert (coded.data, coded.codings) == (packed, ("gzip",))
    assert plain.codings == ()


def test_what_the_service_sends_is_known_by_its_settings() -> None:
    service = H2Connection(H2Configuration(client_side=False))
    service.initiate_connection()
    service.receive_data(client(([], b"hello")))
    service.send_headers(1, [(":status", "200"), ("set-cookie", LATIN)])
    service.send_data(1, VALUE, end_stream=True)
    headers, bodies = views(service.data_to_send())
    assert VALUE in headers.data
    assert VALUE in bodies.data


def test_a_connection_may_begin_with_an_upgrade() -> None:
    before = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    assert VALUE in views(before + client(([], VALUE)))[1].data
    assert VALUE in views(b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n" + SETTINGS + frame(0, 1, 1, VALUE))[0].data


def test_a_field_block_goes_on_in_further_frames_behind_a_priority() -> None:
    block = Encoder().encode([("x-note", LATIN), ("x-other", UNUSUAL)])
    data = SETTINGS + frame(1, 0x20, 1, b"\x00\x00\x00\x00\x10" + block[:9]) + frame(9, 0, 1, block[9:15])
    (headers,) = views(data + frame(9, 4, 1, block[15:]))
    assert VALUE in headers.data
    assert len(spans(headers, VALUE)) == 3
    assert UNUSUAL.encode() in headers.data
    promise = SETTINGS + frame(5, 4, 1, b"\x00\x00\x00\x02" + block)
    assert VALUE in views(promise)[0].data


def test_the_table_forgets_when_it_is_told_to() -> None:
    encoder = Encoder()
    first = encoder.encode([("x-note", LATIN)])
    encoder.header_table_size = 0
    second = encoder.encode([("x-other", "0123456789")])
    (headers,) = views(SETTINGS + frame(1, 4, 1, first) + frame(1, 4, 3, second + b"\xbe"))
    assert headers.data.endswith(b"x-other: 0123456789\r\n")


def test_what_is_damaged_ends_a_block_and_not_the_connection() -> None:
    encoder = Encoder()
    block = encoder.encode([("x-note", "a note of some length")])
    broken = b"\x00\x85\xff\xff\xff\xff\xff\x01a"
    data = SETTINGS + frame(1, 4, 1, b"\xff\x80") + frame(1, 4, 3, broken) + frame(1, 4, 5, block)
    (headers,) = views(data)
    assert headers.data == b"x-note: a note of some length\r\n"
    assert VALUE[:-4] in views(client(([], VALUE))[:-4])[1].data


def test_references_to_a_long_value_do_not_run_away() -> None:
    block = Encoder().encode([("x-note", "x" * 3000)])
    data = SETTINGS + frame(1, 4, 1, block + b"\xbe" * 10_000) + frame(1, 4, 3, b"\xbe" * 9) * 99
    budget = Budget(Limits(expanded=100_000))
    (headers,) = views(data, budget)
    assert len(headers.data) < 110_000
    assert budget.reasons == ("hpack: expands to more than 100000 bytes",)


def test_places_are_told_by_the_frames() -> None:
    data = client(([("cookie", LATIN)], VALUE))
    named = regions(data)
    headers, bodies = views(data)
    assert place_of(spans(headers, VALUE), named, "tcp.stream") == "http.header"
    assert place_of(spans(bodies, VALUE), named, "tcp.stream") == "http.body"
    assert place_of(((0, 3),), named, "tcp.stream") == "tcp.stream"


@pytest.mark.parametrize(
    "data",
    [b"", http2.PREFACE, http2.PREFACE[:10], b"\x00\x00\x05\x04\x00\x00\x00\x00\x00" + bytes(20), noise(2000),
     SETTINGS + noise(100, 3), b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xff" * 9],
)  # fmt: skip
def test_what_is_no_http2_gives_nothing(data: bytes) -> None:
    assert views(data) == []


PARTS = st.sampled_from(
    [
        client(([("cookie", LATIN)], VALUE))[24:],
        frame(1, 4, 1, b"\x82\xbe\x00"),
        frame(1, 0x28, 1, b"\x09"),
        frame(0, 8, 1, b"\xff"),
        frame(9, 4, 1, b"\x3f\xff\xff\xff"),
        frame(5, 4, 1, b""),
    ]
)


@given(st.lists(PARTS | st.binary(max_size=30), max_size=8).map(b"".join), st.sampled_from([http2.PREFACE, SETTINGS]))
def test_nothing_makes_it_raise(data: bytes, before: bytes) -> None:
    for view in views(before + data):
        for start, end in locate(view, 0, len(view.data)):
            assert 0 <= start <= end <= len(before + data)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "x-note", "cookie", ":path"]), st.text("abc~\\ö", max_size=40)), max_size=20
    )
)
def test_fields_are_what_was_encoded(fields: list[tuple[str, str]]) -> None:
    encoder, table = Encoder(), http2.Hpack()
    for _ in range(3):
        block = encoder.encode(fields)
        read = [(name.data.decode(), value.data.decode()) for name, value in table.fields(block, 0, len(block))]
        assert read == fields
