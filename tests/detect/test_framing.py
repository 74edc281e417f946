from __future__ import annotations

import gzip
import json
import struct
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import encode_multipart_formdata

from lab.detect.budget import Budget, Limits
from lab.detect.decoders import Decode, framing, structures
from lab.detect.views import GAP, Builder, View, locate

from .codings import NEAR_MISS, VALUE, noise, only, search, whole
from .codings import pointed_at as named
from .test_tls import record


def views(decoder: Decode, data: bytes, *starts: int) -> list[View]:
    return list(decoder(View(data, "http.body", starts=starts or (0,)), Budget(Limits())))


def pointed_at(view: View, value: bytes, data: bytes) -> bytes:
    at = view.data.index(value)
    return b"".join(data[start:end] for start, end in locate(view, at, at + len(value)))


def grpc(*messages: bytes, flag: int = 0) -> bytes:
    return b"".join(struct.pack(">BI", flag, len(message)) + message for message in messages)


SENTENCE = b"Some text before it. " + VALUE + b" And some more text behind it."


def test_tls_records_are_joined_and_point_back_into_both() -> None:
    stream = record(b"first half, sec") + record(b"ond half")
    (view,) = framing.tls_records(View(stream, "tcp.stream"), Budget(Limits()))
    assert view.data == b"first half, second half"
    assert locate(view, 12, 18) == ((17, 20), (25, 28))
    assert list(framing.tls_records(View(record(b"all in one"), "tcp.stream"), Budget(Limits()))) == []


def test_a_secret_cut_by_a_record_is_found_in_two_spans() -> None:
    found = search(record(b"to bob: " + VALUE[:9]) + record(VALUE[9:] + b"."))
    finding = only(found)
    assert (finding.decoders, finding.place, len(finding.spans)) == (("tls.records",), "tls.record", 2)
    assert named(finding, found) == VALUE


def chunked(data: bytes, size: int, headers: bytes = b"") -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + headers + b"\r\n"
        + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        + b"0\r\n\r\n"
    )  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 40])
def test_a_chunked_body_is_read_across_its_chunks(size: int) -> None:
    found = search(chunked(SENTENCE, size) * 2)
    assert found.gave_up == ()
    assert len(found.findings) == 2
    for finding in found.findings:
        assert (finding.decoders, finding.place) == (("http.chunked",), "http.body")
        assert named(finding, found) == VALUE
    assert whole(search(chunked(SENTENCE.replace(VALUE, NEAR_MISS), size))) == ()


def test_plain_bodies_are_no_views_of_their_own() -> None:
    assert views(framing.http_bodies, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == []


def test_messages_of_grpc_are_values() -> None:
    data = grpc(b"short", VALUE[:9], VALUE[9:])
    apart, joined = views(framing.grpc_messages, data)
    assert apart.decoders == joined.decoders == ("grpc",)
    assert apart.data.split(GAP)[:-1] == [b"short", VALUE[:9], VALUE[9:]]
    assert apart.starts == (0, 7, 18)
    assert VALUE in joined.data
    assert pointed_at(joined, VALUE, data) == VALUE
    near = grpc(b"short", NEAR_MISS[:9], NEAR_MISS[9:])
    assert all(VALUE not in view.data for view in views(framing.grpc_messages, near))


def test_a_compressed_message_and_the_trailers_of_grpc_web() -> None:
    packed = gzip.compress(VALUE)
    data = grpc(packed, flag=1) + grpc(b"grpc-status: 0\r\ngrpc-message: " + VALUE, flag=0x80)
    apart, _ = views(framing.grpc_messages, data)
    assert apart.data.startswith(packed)
    assert VALUE in apart.data


def test_the_last_message_of_grpc_may_be_cut_off() -> None:
    data = grpc(b"short", b"to bob: " + VALUE)
    assert VALUE[:-4] in views(framing.grpc_messages, data[:-4])[0].data
    assert views(framing.grpc_messages, grpc(VALUE)[:-1]) == []


def test_messages_of_grpc_without_content_part_nothing_and_take_no_room() -> None:
    data = grpc(b"", b"", VALUE[:9], b"", VALUE[9:], b"")
    apart, joined = views(framing.grpc_messages, data)
    assert apart.data.split(GAP)[:-1] == [VALUE[:9], VALUE[9:]]
    assert pointed_at(joined, VALUE, data) == VALUE
    assert VALUE[:-4] in views(framing.grpc_messages, grpc(b"", VALUE)[:-4])[0].data
    (view,) = views(framing.grpc_messages, bytes(5 << 20) + grpc(VALUE))
    assert len(view.data) < 2 * len(VALUE)


def test_grpc_stands_where_a_value_starts() -> None:
    before = b"POST / HTTP/1.1\r\n\r\n"
    data = before + grpc(VALUE)
    assert views(framing.grpc_messages, data) == []
    (view,) = views(framing.grpc_messages, data, 0, len(before))
    assert pointed_at(view, VALUE, data) == VALUE
    builder = Builder()
    for at in (0, len(grpc(VALUE))):
        builder.add(grpc(VALUE), at)
        builder.gap()
    (view,) = framing.grpc_messages(builder.view(View(grpc(VALUE) * 2, "x"), "http2"), Budget(Limits()))
    assert view.data.count(VALUE) == 2


@pytest.mark.parametrize("data", [b"", noise(2000), bytes(100), grpc(VALUE) + b"and more", b"\x02" + grpc(VALUE)])
def test_what_is_no_grpc_gives_nothing(data: bytes) -> None:
    assert [view for view in views(framing.grpc_messages, data) if view.data.strip(GAP)] == []


def form(*fields: tuple[str, bytes | tuple[str, bytes]]) -> bytes:
    return encode_multipart_formdata(list(fields), boundary="----x3f9")[0]


def test_the_parts_of_a_form_are_values() -> None:
    packed = gzip.compress(VALUE)
    data = form(("a", VALUE), ("file", ("report.gz", packed)), ("b", b""), ("c", b"one\r\n\r\ntwo\r\n"))
    apart, joined = views(framing.multipart_parts, data)
    assert apart.decoders == joined.decoders == ("multipart",)
    assert apart.depth == 0
    assert apart.data == GAP.join([VALUE, packed, b"", b"one\r\n\r\ntwo\r\n", b""])
    assert [apart.data[start:][:3] for start in apart.starts][1] == packed[:3]
    assert pointed_at(apart, VALUE, data) == VALUE
    assert joined.data == VALUE + b"one\r\n\r\ntwo\r\n" + GAP


def test_what_is_split_over_the_parts_of_a_form_is_joined() -> None:
    data = form(("a", VALUE[:9]), ("file", ("x.bin", noise(100))), ("b", VALUE[9:]))
    assert VALUE in views(framing.multipart_parts, data)[1].data
    near = form(("a", NEAR_MISS[:9]), ("b", NEAR_MISS[9:]))
    assert all(VALUE not in view.data for view in views(framing.multipart_parts, near))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_parts_of_mail_may_have_parts(line_end: bytes) -> None:
    inner = MIMEMultipart("alternative")
    inner.attach(MIMEText("plain and simple"))
    inner.attach(MIMEText("<p>as a page", "html"))
    outer = MIMEMultipart("mixed")
    outer.preamble = "For old programs"
    outer.attach(inner)
    outer.attach(MIMEApplication(VALUE))
    data = outer.as_bytes().replace(b"\n", line_end)
    apart, *_ = views(framing.multipart_parts, data)
    (nested, *_) = framing.multipart_parts(apart, Budget(Limits()))
    assert nested.decoders == ("multipart", "multipart")
    assert nested.data == b"plain and simple" + GAP + b"<p>as a page" + GAP


def test_several_forms_follow_each_other_and_the_last_is_cut_off() -> None:
    head = b"POST / HTTP/1.1\r\nContent-Type: multipart/form-data\r\n\r\n"
    one = form(("a", b"a value"), ("b", b"another value"))
    two = form(("a", b"to bob: " + VALUE)).replace(b"x3f9", b"y3f9")
    data = (head + one) * 2 + head + two[: two.index(VALUE) + len(VALUE)]
    apart, *_ = views(framing.multipart_parts, data)
    assert apart.data.count(b"another value") == 2
    assert VALUE in apart.data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        noise(2000),
        b"-- \r\nContent-Type is what I mean",
        b"---\ntitle: Content-Type\n",
        b"\r\n--x\r\nContent-Type: a",
        b"Content-Disposition: form-data\r\n\r\n--",
    ],
)
def test_what_is_no_multipart_gives_no_part(data: bytes) -> None:
    assert all(len(view.data) < len(data) for view in views(framing.multipart_parts, data))
    assert len(views(framing.multipart_parts, data)) <= 1


def test_events_are_joined() -> None:
    data = b": hi\r\ndata: Meet \n\nevent: x\ndata:you\nid: 3\ndata:  at 5pm\n\ndata\nmetadata: no\n"
    (view,) = views(framing.event_stream, data)
    assert view.data == b"Meet you at 5pm" + GAP
    assert (view.decoders, view.depth, view.starts) == (("event-stream",), 0, (0, 5, 8))
    assert pointed_at(view, b"Meet you at 5pm", data) == b"Meet you at 5pm"


def test_an_event_ends_with_its_stretch() -> None:
    builder = Builder()
    for at, stretch in ((0, b"data: Meet you"), (14, b"not of it\ndata:  at 5pm"), (37, b"\n")):
        builder.add(stretch, at)
        builder.gap()
    (view,) = framing.event_stream(builder.view(View(b"", "x")), Budget(Limits()))
    assert view.data == b"Meet you at 5pm" + GAP


def test_what_is_split_over_the_json_of_events_is_joined() -> None:
    pieces = [VALUE[at : at + 4].decode() for at in range(0, len(VALUE), 4)]
    data = b"".join(b"event: delta\ndata: %s\n\n" % json.dumps({"delta": {"text": piece}}).encode() for piece in pieces)
    (events,) = views(framing.event_stream, data)
    (view,) = structures.fields(events, Budget(Limits()))
    assert view.decoders == ("event-stream", "fields")
    escaped = json.dumps(VALUE.decode())[1:-1].encode()
    assert view.data == escaped + GAP
    assert pointed_at(view, escaped, data) == escaped


@pytest.mark.parametrize("data", [b"", b"data: only one", b"some data: a, more data: b", noise(2000)])
def test_a_single_line_is_no_stream_of_events(data: bytes) -> None:
    assert views(framing.event_stream, data) == []


DECODERS = [framing.grpc_messages, framing.multipart_parts, framing.event_stream]
SCRAPS = st.sampled_from(
    [
        grpc(VALUE),
        grpc(b"")[:-1],
        b"\r\n--x",
        b"--x\r\nContent-Type: a\r\n",
        b"--\r\n",
        b"\r\n\r\n",
        b"data:",
        b"\ndata: x",
        bytes(5),
    ]
)


@pytest.mark.parametrize("decoder", DECODERS)
@given(st.lists(SCRAPS | st.binary(max_size=20), max_size=10).map(b"".join))
def test_nothing_makes_it_raise(decoder: Decode, data: bytes) -> None:
    for view in views(decoder, data, *range(0, max(1, len(data)), 7)):
        for start, end in locate(view, 0, len(view.data)):
            assert 0 <= start <= end <= len(data)
