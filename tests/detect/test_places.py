from __future__ import annotations

import pytest

from lab.detect.places import place_of, regions

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
