"""Flow files, written by mitmproxy itself."""

from __future__ import annotations

import gzip
import io
import warnings
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.scan import readers
from lab.scan.entry import Entry, Unread
from lab.scan.source import Shipped

from .conftest import MAIL, Scan

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy import dns, flow, http
    from mitmproxy.io import FlowWriter
    from mitmproxy.test import tflow, tutils
    from wsproto.frame_protocol import Opcode

SECRET = MAIL.encode()


def written(flows: Iterable[flow.Flow]) -> bytes:
    file = io.BytesIO()
    writer = FlowWriter(file)
    for one in flows:
        writer.add(one)
    return file.getvalue()


def request(**fields: object) -> http.HTTPFlow:
    return tflow.tflow(req=tutils.treq(**fields), resp=True)


def answer(**fields: object) -> http.HTTPFlow:
    return tflow.tflow(resp=tutils.tresp(**fields))


def messages(one: flow.Flow, place: int, data: bytes) -> flow.Flow:
    """`one` with `data` in the message of that number."""
    one.messages[place].content = data  # type: ignore[attr-defined]  # flows of messages have them
    return one


def web_socket(data: bytes) -> http.HTTPFlow:
    one = tflow.twebsocketflow()
    assert one.websocket
    one.websocket.messages[1].content = data
    one.websocket.messages[1].type = Opcode.BINARY
    return one


def name_looked_up() -> dns.DNSFlow:
    one = tflow.tdnsflow(resp=True)
    one.request.questions[0].name = "zq7rt9wkx4mlb2v8.example.org"
    return one


def named(sni: str) -> http.HTTPFlow:
    one = tflow.tflow()
    one.client_conn.sni = sni
    return one


FLOWS = {
    "http.query": request(path=b"/find?user=" + SECRET),
    "http.header.x-user": request(headers=http.Headers([(b"x-user", SECRET)])),
    "http.body.user": request(content=b"user=" + SECRET),
    "http.header.set-cookie in an answer": answer(headers=http.Headers([(b"set-cookie", SECRET)])),
    "http.body in an answer": answer(content=b"<b>" + SECRET + b"</b>"),
    "http.header.x-sum at the end": answer(trailers=http.Headers([(b"x-sum", SECRET)])),
    "tcp.stream": messages(tflow.ttcpflow(), 0, b"\x00" + SECRET),
    "udp.datagram": messages(tflow.tudpflow(), 1, b"\x00" + SECRET),
    "websocket.message": web_socket(b"\x00" + SECRET),
    "tls.sni": named("wanda.kestrel-4711.example.org"),
}


@pytest.mark.parametrize("place", FLOWS)
def test_every_place_of_every_kind_of_flow(tmp_path: Path, scan: Scan, place: str) -> None:
    (tmp_path / "a").write_bytes(written([tflow.tflow(resp=True), FLOWS[place]]))
    secret = "host=wanda.kestrel-4711" if place == "tls.sni" else f"mail={MAIL}"
    done = scan(tmp_path / "a", secrets=[secret])
    assert [(one["flow"], one["place"]) for one in done.findings] == [(1, place.split()[0])]
    assert done.gave_up == []


def test_a_name_that_was_looked_up(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / "a").write_bytes(written([name_looked_up()]))
    (found,) = scan(tmp_path / "a", secrets=["host=zq7rt9wkx4mlb2v8"]).findings
    assert (found["flow"], found["place"].split(".")[0]) == (0, "dns")


def test_a_compressed_body_is_decoded_as_declared_and_spans_are_those_of_the_record(tmp_path: Path, scan: Scan) -> None:
    headers = http.Headers([(b"content-encoding", b"gzip")])
    body = gzip.compress(b"x" * 100 + SECRET)
    one = answer(headers=headers, trailers=http.Headers([(b"x-checksum", b"1")]))
    assert one.response
    one.response.raw_content = body
    (tmp_path / "a").write_bytes(written([one]))
    (found,) = scan(tmp_path / "a").findings
    assert (found["place"], found["decoders"], found["spans"]) == ("http.body", ["gzip"], [[0, len(body)]])


def test_a_stream_that_was_cut_into_messages(tmp_path: Path, scan: Scan) -> None:
    one = messages(messages(tflow.ttcpflow(), 0, SECRET[:9]), 1, SECRET[9:])
    for message in one.messages:  # type: ignore[attr-defined]
        message.from_client = True
    (tmp_path / "a").write_bytes(written([one]))
    (found,) = scan(tmp_path / "a").findings
    assert found["spans"] == [[0, len(SECRET)]]


def test_a_body_that_was_not_recorded_is_said(tmp_path: Path, scan: Scan) -> None:
    one = tflow.tflow(resp=True)
    one.request.raw_content = None
    (tmp_path / "a").write_bytes(written([one]))
    done = scan(tmp_path / "a")
    assert done.status == 3
    assert done.gave_up[0]["why"] == "the body of the request is not in the recording"


def test_a_file_that_is_cut_off_gives_what_is_there(tmp_path: Path, scan: Scan) -> None:
    whole = written([FLOWS["http.body.user"], FLOWS["http.header.x-user"]])
    (tmp_path / "a").write_bytes(whole[:-100])
    done = scan(tmp_path / "a")
    assert done.status == 1
    assert [one["flow"] for one in done.findings] == [0]
    assert "cut off or damaged" in done.gave_up[0]["why"]


WHOLE = written(FLOWS.values())


@given(st.data())
@settings(max_examples=100)
def test_nothing_that_is_in_the_file_makes_the_reader_fail(data: st.DataObject) -> None:
    whole = bytearray(WHOLE[: data.draw(st.integers(20, len(WHOLE)))])
    for at in data.draw(st.lists(st.integers(10, len(whole) - 1), max_size=6)):
        whole[at] = data.draw(st.integers(0, 255))
    for one in readers.read(Shipped(bytes(whole))):
        assert isinstance(one, Entry | Unread)
