from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect.http1 import Message, fields, messages

POST = b"POST /v1/messages HTTP/1.1\r\nHost: chat.example\r\nContent-Type: Text/Plain\r\nContent-Length: 5\r\n\r\nhello"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nMeet\r\n6;x=y\r\n at 5p\r\n0\r\nChecked: yes\r\n\r\n"


def body(data: bytes, message: Message) -> bytes:
    return b"".join(data[start:end] for start, end in message.body)


def bodies(data: bytes) -> list[bytes]:
    return [body(data, message) for message in messages(data)]


def test_the_parts_of_a_request_stand_where_they_are_said_to() -> None:
    (message,) = messages(POST)
    assert message.is_request
    assert POST[slice(*message.start_line)] == b"POST /v1/messages HTTP/1.1\r\n"
    assert POST[slice(*message.headers)].startswith(b"Host: ")
    assert POST[slice(*message.headers)].endswith(b"Length: 5\r\n")
    assert body(POST, message) == b"hello"
    assert message.content_type == "text/plain"
    assert message.complete


def test_requests_follow_each_other_in_one_connection() -> None:
    stream = POST + b"GET / HTTP/1.1\r\n\r\n" + b"\r\n" + POST
    assert bodies(stream) == [b"hello", b"", b"hello"]
    assert [message.start_line[0] for message in messages(stream)] == [0, len(POST), len(POST) + 20]


def test_a_chunked_body_has_a_span_for_each_chunk_and_trailers() -> None:
    first, second = messages(CHUNKED + CHUNKED)
    assert first.chunked
    assert first.complete
    assert [CHUNKED[slice(*span)] for span in first.body] == [b"Meet", b" at 5p"]
    assert CHUNKED[slice(*first.trailers)] == b"Checked: yes\r\n\r\n"
    assert CHUNKED[slice(*first.body_extent)].startswith(b"4\r\nMeet")
    assert second.start_line[0] == len(CHUNKED)


def test_an_unfinished_stream_of_events_gives_what_is_there() -> None:
    stream = (
        OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ndata: a\r\nff\r\ndata: half"
    )
    (message,) = messages(stream)
    assert body(stream, message) == b"data: adata: half"
    assert not message.complete


def test_a_response_without_length_runs_to_the_end() -> None:
    assert bodies(OK + b"\r\nall the rest\r\n\r\nHTTP/1.1 200 OK") == [b"all the rest\r\n\r\nHTTP/1.1 200 OK"]


@pytest.mark.parametrize("status", [b"100 Continue", b"103 Early Hints", b"204 No Content", b"304 Not Modified"])
def test_some_answers_have_no_body_whatever_they_say(status: bytes) -> None:
    stream = b"HTTP/1.1 " + status + b"\r\nContent-Length: 9\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok"
    assert bodies(stream) == [b"", b"ok"]


def test_the_answer_to_head_announces_a_body_that_never_comes() -> None:
    stream = OK + b"Content-Length: 900\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok"
    assert bodies(stream) == [b"", b"ok"]


def test_content_codings_come_in_the_order_they_were_applied() -> None:
    (message,) = messages(OK + b"content-encoding: GZIP\r\nContent-Encoding: br , zstd\r\n\r\nx")
    assert message.codings == ("gzip", "br", "zstd")


def test_cut_off_headers_have_no_body() -> None:
    stream = POST[:50]
    (message,) = messages(stream)
    assert stream[slice(*message.headers)] == stream[message.start_line[1] :]
    assert (message.body, message.complete) == ((), False)


def test_a_cut_off_body_is_given_as_far_as_it_goes() -> None:
    (message,) = messages(POST[:-2])
    assert (body(POST, message), message.complete) == (b"hel", False)


@pytest.mark.parametrize(
    "data", [b"", b"\x16\x03\x01\x02\x00", b"SSH-2.0-x\r\n", b"GET / HTTP/2.0\r\n\r\n", b"hello HTTP/1.1"]
)
def test_what_is_not_http1_has_no_messages(data: bytes) -> None:
    assert messages(data) == ()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (b"Content-Length: 5\r\nContent-Length: 900\r\n", b"hello"),
        (b"Content-Length: -5\r\nContent-Length : 5\r\n", b"hello"),
        (b"Content-Length: 5, 5\r\n", b"hello"),
        (b"Transfer-Encoding: gzip, chunked\r\nContent-Length: 2\r\n", b""),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", b"hello"),
        (b"no header at all\r\nContent-Length: 5\n", b"hello"),
    ],
)
def test_odd_framing_is_read_as_far_as_it_makes_sense(headers: bytes, expected: bytes) -> None:
    assert bodies(OK + headers + b"\r\nhello") == [expected]


def test_fields_are_read_by_any_spelling() -> None:
    assert fields(b"CONTENT-encoding:gzip\nX-Content-Encoding: br\n") == {"content-encoding": ("gzip",)}
    assert fields(b"") == {}


PARTS = st.sampled_from(
    [
        POST,
        CHUNKED,
        OK,
        b"\r\n",
        b"\r\n\r\n",
        b"5\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"0",
    ]
)


@given(st.lists(PARTS | st.binary(max_size=20), max_size=8).map(b"".join))
def test_nothing_makes_it_raise_and_all_spans_lie_in_order(data: bytes) -> None:
    at = 0
    for message in messages(data):
        spans = [message.start_line, message.headers, *message.body]
        assert all(start <= end for start, end in spans)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        assert at <= message.start_line[0] < message.end <= len(data)
        at = message.end
