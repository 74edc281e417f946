from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect.tls import APPLICATION_DATA, HANDSHAKE, Record, client_hello, records

NAME = "chat-3f9c1a7b.example"


def hello(name: str | None = NAME, alpn: tuple[str, ...] = ("h2", "http/1.1")) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name).do_handshake()
    return sent.read()


HELLO = hello()


def record(payload: bytes, content_type: int = APPLICATION_DATA) -> bytes:
    return bytes([content_type, 3, 3]) + len(payload).to_bytes(2, "big") + payload


def in_records(payload: bytes, size: int) -> bytes:
    return b"".join(record(payload[at : at + size], HANDSHAKE) for at in range(0, len(payload), size))


def test_a_real_client_hello_names_the_service_in_the_open() -> None:
    found = client_hello(HELLO)
    assert found is not None
    assert found.sni == NAME
    assert [HELLO[slice(*span)] for span in found.sni_spans] == [NAME.encode()]
    assert found.alpn == ("h2", "http/1.1")
    assert found.versions == (0x0304, 0x0303)


def test_without_a_name_there_is_none() -> None:
    found = client_hello(hello(None))
    assert found is not None
    assert (found.sni, found.sni_spans) == (None, ())


def test_a_client_hello_broken_over_records_has_its_name_in_several_spans() -> None:
    at = HELLO.index(NAME.encode()) - 5
    stream = in_records(HELLO[5:], at + 7)
    found = client_hello(stream)
    assert found is not None
    assert found.sni == NAME
    assert [stream[slice(*span)] for span in found.sni_spans] == [NAME[:7].encode(), NAME[7:].encode()]


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_any_size_of_records_will_do(size: int) -> None:
    found = client_hello(in_records(HELLO[5:], size))
    assert found is not None
    assert found.sni == NAME


def test_records_are_complete_and_in_order() -> None:
    stream = record(b"abc", HANDSHAKE) + record(b"") + record(b"defg")
    assert records(stream) == (Record(0, 8, 22, 0x0303), Record(8, 13, 23, 0x0303), Record(13, 22, 23, 0x0303))
    assert records(stream[:-1]) == records(stream)[:2]
    assert records(stream + b"GET / HTTP/1.1\r\n") == records(stream)


@pytest.mark.parametrize(
    "data", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\xff\xff" + bytes(65535)]
)
def test_what_is_not_tls_has_no_records(data: bytes) -> None:
    assert records(data) == ()
    assert client_hello(data) is None


def test_half_a_client_hello_is_none() -> None:
    half = HELLO[5 : len(HELLO) // 2]
    assert client_hello(record(half, HANDSHAKE)) is None
    assert client_hello(record(half, HANDSHAKE) + record(HELLO[5:])) is None


@given(st.integers(0, len(HELLO)), st.binary(max_size=200))
def test_no_tail_makes_it_raise(cut: int, tail: bytes) -> None:
    stream = HELLO[:cut] + tail
    assert all(0 <= one.start < one.end <= len(stream) for one in records(stream))
    client_hello(stream)


@given(st.integers(5, len(HELLO) - 1), st.integers(1, 255))
def test_no_flipped_byte_makes_it_raise(at: int, mask: int) -> None:
    found = client_hello(HELLO[:at] + bytes([HELLO[at] ^ mask]) + HELLO[at + 1 :])
    assert found is None or all(0 <= start <= end <= len(HELLO) for start, end in found.sni_spans)
