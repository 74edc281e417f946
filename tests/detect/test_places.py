from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect.places import detail, place_of, regions, starts

from .codings import VALUE, only, search
from .test_http1 import CHUNKED, POST
from .test_tls import HELLO, NAME, record

TOKEN = b"token-3f9c1a7be2d04586"


@pytest.mark.parametrize(
    ("stream", "place"),
    [
        (b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n", "http.request_line"),
        (b"GET / HTTP/1.1\r\nCookie: %s\r\n\r\n", "http.header"),
        (POST + b"POST / HTTP/1.1\r\nContent-Length: 22\r\n\r\n%s", "http.body"),
        (b"HTTP/1.1 200 %s\r\n\r\n", "http.status_line"),
        (b"HTTP/1.1 200 OK\r\n\r\ndata: %s", "http.body"),
        (CHUNKED.replace(b"yes", b"%s"), "http.header"),
        (b"POST / HTTP/1.1\r\n\r\n%s", "tcp.stream"),
        (record(b"abc") + record(b"%s"), "tls.record"),
        (record(b"abc") + b"%s", "tcp.stream"),
        (b"USER bob\r\nPASS %s\r\n", "tcp.stream"),
    ],
)
def test_a_finding_says_in_which_part_of_the_protocol_it_stands(stream: bytes, place: str) -> None:
    stream = stream if b"\x17" in stream else stream.replace(b"%s", TOKEN)
    if b"%s" in stream:
        stream = stream.replace(record(b"%s"), record(TOKEN)).replace(b"%s", TOKEN)
    assert only(search(stream, value=TOKEN)).place == place


def test_the_name_of_the_service_is_told_apart_from_the_rest_of_the_handshake() -> None:
    assert only(search(HELLO, value=NAME.encode())).place == "tls.sni"
    assert only(search(HELLO, value=NAME.upper().encode())).decoders == ("lowercase",)
    assert search(HELLO, value=b"chat-3f9c1a7c.example").findings == ()
    random = HELLO[11:43]
    assert only(search(HELLO, value=random)).place == "tls.record"


def test_only_streams_are_taken_apart() -> None:
    assert only(search(b"GET /%s HTTP/1.1\r\n\r\n" % VALUE, "service.log")).place == "service.log"


def test_regions_of_what_is_neither() -> None:
    assert regions(b"") == ()
    assert place_of(((0, 5),), (), "elsewhere") == "elsewhere"


HEAD = b"POST /a HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("place", "data", "detailed"),
    [
        ("http.request_line", b"GET /%s HTTP/1.1\r\n", "http.path"),
        ("http.request_line", POST + b"GET /a/b;%s HTTP/1.1\r\n", "http.path"),
        ("http.request_line", b"GET /a?x=1&y=%s#z HTTP/1.1\r\n", "http.query"),
        ("http.request_line", b"GET /a?x=1#%s HTTP/1.1\r\n", "http.fragment"),
        ("http.request_line", b"%s / HTTP/1.1\r\n", "http.method"),
        ("http.request_line", b"GET http://%s:80/a?b HTTP/1.1\r\n", "http.authority"),
        ("http.request_line", b"GET http://a/%s?b HTTP/1.1\r\n", "http.path"),
        ("http.request_line", b"CONNECT %s:443 HTTP/1.1\r\n", "http.authority"),
        ("http.request_line", b"GET / %s", "http.request_line"),
        ("http.request_line", b"%s", "http.request_line"),
        ("http.status_line", b"HTTP/1.1 200 %s\r\n", "http.status_line"),
        ("http.header", b"Host: a\r\nCookie: a=b; c=%s\r\n", "http.header.cookie"),
        ("http.header", b"X-Long_name.1: %s", "http.header.x-long_name.1"),
        ("http.header", b"Subject: a\r\n b\r\n\t%s\r\n", "http.header.subject"),
        ("http.header", b"Host: a\r\n%s: b\r\n", "http.header"),
        ("http.header", b"Host: a\r\nX-%s: b\r\n", "http.header"),
        ("http.header", b"x" * 60 + b": %s\r\n", "http.header." + "x" * 40),
        ("http.header", b"no header %s", "http.header"),
        ("http.header", b"\x82\x41%s", "http.header"),
        ("http.header", b"A: b\r\n " + b"c" * 70_000 + b"%s", "http.header"),
        ("http.body", HEAD + b"name=%s", "http.body.name"),
        ("http.body", b"a=1&user%5Bid%5D=x%s&c=2", "http.body.user5Bid5D"),
        ("http.body", b"a=1&%s=3&c=2", "http.body"),
        ("http.body", HEAD + b'{"a": 1, "b": {"c": ["x", "%s"]}, "d": 2}', "http.body.c"),
        ("http.body", b'{"a": {"b": "c"}, "d": "say \\"[hi\\": %s"}', "http.body.d"),
        ("http.body", b'{"a": {"b": [1, 2]}, "d": 1, "%s": 2}', "http.body"),
        ("http.body", b'[[{"a": 1}], "%s"]', "http.body"),
        ("http.body", b'{"token-3f9c1a7be2d04586": "%s"}', "http.body"),
        ("http.body", b'{"text":\n  "%s', "http.body.text"),
        ("http.body", HEAD + b"hello, %s", "http.body"),
        ("http.body", POST + HEAD + b"%s", "http.body"),
        ("http.body", b'--x\r\nContent-Disposition: form-data; name="a b"\r\n\r\nx %s\r\n--x--', "http.body.ab"),
        ("http.body", b"--x\r\ncontent-disposition: form-data; name=a\r\n\r\n{\r\n%s", "http.body.a"),
        (
            "http.body",
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="%s.txt"\r\n\r\nx',
            "http.body.a.filename",
        ),
        ("http.body", b"--x\nContent-Disposition: attachment; filename=%s\n\nx", "http.body.filename"),
        ("http.body", b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\nx', "http.body"),
        ("http.body", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" + HEAD + b"%s", "http.body"),
        ("tcp.stream", b"a=%s", "tcp.stream"),
    ],
)
def test_plain_surroundings_name_the_field(place: str, data: bytes, detailed: str) -> None:
    at = data.index(b"%s")
    data = data.replace(b"%s", TOKEN)
    found = detail(place, data, ((at, at + len(TOKEN)),))
    assert found == detailed
    assert TOKEN.decode() not in found


@given(
    st.sampled_from(["http.request_line", "http.header", "http.body"]),
    st.lists(
        st.sampled_from(
            [b"\n", b"\r\n\r\n", b" ", b'{"', b'"', b":", b"]", b"=", b"Content-Disposition: x; name=", b"HTTP/1."]
        )
        | st.binary(max_size=9)
    ).map(b"".join),
    st.integers(0, 50),
)
def test_names_are_short_and_plain(place: str, data: bytes, at: int) -> None:
    found = detail(place, data, ((at, at + 1),))
    assert found.startswith("http.")
    assert len(found) <= len(place) + 1 + 40
    assert found.isascii()
    assert found.isprintable()


def test_values_start_where_bodies_do() -> None:
    assert starts(b"") == (0,)
    assert starts(b"hello") == (0,)
    stream = POST + POST
    first = POST.index(b"hello")
    assert starts(stream) == (0, first, len(POST), len(POST) + first)
    assert starts(record(b"abc")) == (0,)
