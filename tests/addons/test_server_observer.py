"""The operator's addon: each request and response as they reach the service, and what a person is shown."""

from __future__ import annotations

import gc
import gzip
from collections.abc import Callable
from io import BytesIO

import pytest
from mitmproxy import http
from mitmproxy.exceptions import OptionsError
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow, tutils
from wsproto.frame_protocol import Opcode

from lab import detect
from lab.model import Direction, Event, Observation, Observer, Secret, SecretName

from .conftest import Loaded

SECRET = b"Meet me at 5pm"
NEAR_MISS = b"Meet me at 4pm"


@pytest.fixture
def observer(load: Callable[[str], Loaded]) -> Loaded:
    return load("server_observer")


def exchange(request: bytes = b"", answer: bytes = b"", **answer_headers: str) -> http.HTTPFlow:
    """A POST of `request` that is answered by `answer`."""
    headers = http.Headers(
        ((b"Host", b"chat.lab.test"), (b"Content-Length", str(len(request)).encode())),
    )
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in answer_headers.items()]
    return tflow.tflow(
        req=tutils.treq(method=b"POST", path=b"/v1/messages", headers=headers, content=request, timestamp_start=100.0),
        resp=tutils.tresp(
            status_code=201, reason=b"Created", headers=http.Headers(fields), content=answer, timestamp_start=101.0
        ),
    )


def play(observer: Loaded, flow: http.HTTPFlow, *, connected: bool = False) -> http.HTTPFlow:
    """Run an exchange through the hooks in mitmproxy's order, on a connection of its own or one that is there."""
    if not connected:
        observer.addon.client_connected(flow.client_conn)
    observer.addon.request(flow)
    observer.addon.responseheaders(flow)
    observer.addon.response(flow)
    if not connected:
        observer.addon.client_disconnected(flow.client_conn)
    return flow


def search(observations: list[Observation]) -> list[tuple[str, tuple[str, ...]]]:
    found = detect.find([Secret(SecretName.BODY, SECRET)], observations).findings
    return [(finding.place, finding.decoders) for finding in found]


def test_a_request_and_its_answer_are_written_down_part_by_part(observer: Loaded) -> None:
    observer.record()
    play(observer, exchange(SECRET, b"stored", content_type="text/plain"))
    observations, notes = observer.recorded()
    up, down = Direction.TO_SERVICE, Direction.TO_CLIENT
    assert [(one.direction, one.time, one.place, one.data) for one in observations] == [
        (up, 100.0, "http.request_line", b"POST /v1/messages HTTP/1.1"),
        (up, 100.0, "http.header", b"Host: chat.lab.test\r\nContent-Length: 14\r\n"),
        (up, 100.0, "http.body", SECRET),
        (down, 101.0, "http.status_line", b"HTTP/1.1 201 Created"),
        (down, 101.0, "http.header", b"content-type: text/plain\r\n"),
        (down, 101.0, "http.body", b"stored"),
    ]
    assert {(one.observer, one.connection, one.exchange) for one in observations} == {(Observer.SERVER, "1", 1)}
    assert [(note.event, note.connection, note.detail) for note in notes] == [
        (Event.OPENED, "1", "127.0.0.1:22"),
        (Event.CLOSED, "1", ""),
    ]


def test_exchanges_on_one_connection_are_told_apart(observer: Loaded) -> None:
    observer.record()
    first, second = exchange(b"first"), exchange(b"second")
    second.client_conn = first.client_conn
    observer.addon.client_connected(first.client_conn)
    play(observer, first, connected=True)
    play(observer, second, connected=True)
    play(observer, exchange(b"elsewhere"))
    bodies = [one for one in observer.recorded()[0] if one.place == "http.body"]
    assert [(one.connection, one.exchange, one.data) for one in bodies] == [
        ("1", 1, b"first"),
        ("1", 2, b"second"),
        ("2", 1, b"elsewhere"),
    ]


def test_fields_after_the_body_are_written_down_too(observer: Loaded) -> None:
    observer.record()
    flow = exchange(b"body")
    flow.request.trailers = http.Headers(((b"note", SECRET),))
    play(observer, flow)
    trailers = [one.data for one in observer.recorded()[0] if one.place == "http.trailer"]
    assert trailers == [b"note: Meet me at 5pm\r\n"]


def test_a_compressed_answer_is_kept_as_it_was_and_read_with_the_help_of_its_header(observer: Loaded) -> None:
    observer.record()
    packed = gzip.compress(b'{"text":"' + SECRET + b'"}')
    play(observer, exchange(b"", packed, content_encoding="gzip"))
    observations, _ = observer.recorded()
    assert [one.data for one in observations if one.place == "http.body"] == [packed]
    assert search(observations) == [("http.body", ("gzip",))]


def test_a_compressed_near_miss_is_not_found(observer: Loaded) -> None:
    observer.record()
    play(observer, exchange(b"", gzip.compress(NEAR_MISS), content_encoding="gzip"))
    assert search(observer.recorded()[0]) == []


def test_server_sent_events_are_written_down_piece_by_piece_and_passed_on_untouched(observer: Loaded) -> None:
    observer.record()
    flow = exchange(content_type="text/event-stream; charset=utf-8")
    observer.addon.client_connected(flow.client_conn)
    observer.addon.request(flow)
    observer.addon.responseheaders(flow)
    assert flow.response is not None
    stream = flow.response.stream
    assert callable(stream)
    pieces = [b"event: message\n", b"data: Meet me at 5pm\n\n", b""]
    assert [stream(piece) for piece in pieces] == pieces
    observer.addon.response(flow)
    observations, _ = observer.recorded()
    answer = [(one.place, one.data, one.exchange) for one in observations if one.direction is Direction.TO_CLIENT]
    assert answer == [
        ("http.status_line", b"HTTP/1.1 201 Created", 1),
        ("http.header", b"content-type: text/event-stream; charset=utf-8\r\n", 1),
        ("http.body", pieces[0], 1),
        ("http.body", pieces[1], 1),
    ]
    assert search(observations) == [("http.body", ())]


def test_any_other_answer_is_not_streamed(observer: Loaded) -> None:
    flow = play(observer, exchange(SECRET, content_type="application/json"))
    assert flow.response is not None
    assert not flow.response.stream


def test_a_web_socket_is_written_down_message_by_message(observer: Loaded) -> None:
    observer.record()
    flow = tflow.twebsocketflow()
    observer.addon.client_connected(flow.client_conn)
    assert flow.websocket is not None
    messages, flow.websocket.messages = flow.websocket.messages, []
    for message in messages:
        flow.websocket.messages.append(message)
        observer.addon.websocket_message(flow)
    seen = [(one.place, one.direction, one.data) for one in observer.recorded()[0]]
    assert seen == [
        (
            "websocket.message",
            Direction.TO_SERVICE if message.from_client else Direction.TO_CLIENT,
            message.content,
        )
        for message in messages
    ]
    assert {message.type for message in messages} == {Opcode.TEXT, Opcode.BINARY}


@pytest.mark.parametrize("by_client", [True, False])
def test_why_a_web_socket_was_closed_is_written_down(observer: Loaded, *, by_client: bool) -> None:
    observer.record()
    flow = tflow.twebsocketflow()
    observer.addon.client_connected(flow.client_conn)
    assert flow.websocket is not None
    flow.websocket.close_reason, flow.websocket.closed_by_client = SECRET.decode(), by_client
    observer.addon.websocket_end(flow)
    ((place, direction, data),) = [(one.place, one.direction, one.data) for one in observer.recorded()[0]]
    assert (place, data) == ("websocket.message", SECRET)
    assert direction is (Direction.TO_SERVICE if by_client else Direction.TO_CLIENT)


def test_a_web_socket_that_was_closed_without_a_reason_says_nothing(observer: Loaded) -> None:
    observer.record()
    flow = tflow.twebsocketflow()
    observer.addon.client_connected(flow.client_conn)
    assert flow.websocket is not None
    flow.websocket.close_reason = ""
    observer.addon.websocket_end(flow)
    assert observer.recorded()[0] == []


def test_what_is_no_http_is_written_down_and_kept_for_a_person_only(observer: Loaded) -> None:
    observer.record()
    flow = tflow.ttcpflow()
    observer.addon.client_connected(flow.client_conn)
    for observer.addon.interactive in (True, False):
        observer.addon.tcp_message(flow)
    last = tflow.ttcpflow().messages[-1]
    seen = [(one.place, one.direction, one.data) for one in observer.recorded()[0]]
    way = Direction.TO_SERVICE if last.from_client else Direction.TO_CLIENT
    assert seen == [("tcp.stream", way, last.content)] * 2
    assert len(flow.messages) == 1


def test_an_exchange_that_breaks_is_noted_as_broken(observer: Loaded) -> None:
    observer.record()
    flow = tflow.tflow(err=True)
    observer.addon.client_connected(flow.client_conn)
    observer.addon.request(flow)
    observer.addon.error(flow)
    _, notes = observer.recorded()
    assert [(note.event, note.connection, note.detail) for note in notes[1:]] == [(Event.BROKEN, "1", "error")]


def test_a_client_that_leaves_its_event_stream_broke_nothing(observer: Loaded) -> None:
    observer.record()
    flow = exchange(content_type="text/event-stream")
    flow.error = tflow.terr()
    observer.addon.client_connected(flow.client_conn)
    observer.addon.request(flow)
    observer.addon.responseheaders(flow)
    observer.addon.error(flow)
    observer.addon.client_disconnected(flow.client_conn)
    assert [note.event for note in observer.recorded()[1]] == [Event.OPENED, Event.CLOSED]


@pytest.mark.parametrize(
    ("flow", "comment"),
    [
        (exchange(SECRET), "body readable in http.body"),
        (exchange(b"", SECRET), "body readable in http.body"),
        (exchange(b"", gzip.compress(SECRET), content_encoding="gzip"), "body readable in http.body through gzip"),
        (exchange(b"", b"", location="/Meet%20me%20at%205pm"), "body readable in http.header through percent"),
    ],
    ids=["request", "answer", "compressed", "header"],
)
def test_a_person_sees_where_the_secret_is(observer: Loaded, flow: http.HTTPFlow, comment: str) -> None:
    observer.configure(lab_secret=["body=Meet me at 5pm"])
    flow = flow.copy()
    play(observer, flow)
    assert (flow.marked, flow.comment) == (":eyes:", comment)


def test_a_marked_flow_can_be_saved_and_is_forgotten_with_its_flow(observer: Loaded) -> None:
    observer.configure(lab_secret=["body=Meet me at 5pm"])
    flow = play(observer, exchange(SECRET, SECRET))
    saved = BytesIO()
    FlowWriter(saved).add(flow)
    saved.seek(0)
    (again,) = FlowReader(saved).stream()
    assert (again.marked, again.comment) == (flow.marked, flow.comment) != ("", "")
    assert len(observer.addon._pieces) == 1
    del flow
    gc.collect()
    assert len(observer.addon._pieces) == 0


def test_a_secret_in_an_event_stream_is_marked_while_it_goes_on(observer: Loaded) -> None:
    observer.configure(lab_secret=["body=Meet me at 5pm"])
    flow = exchange(content_type="text/event-stream")
    observer.addon.client_connected(flow.client_conn)
    observer.addon.request(flow)
    observer.addon.responseheaders(flow)
    assert flow.response is not None
    assert callable(flow.response.stream)
    flow.response.stream(b"data: Meet me")
    assert flow.marked == ""
    flow.response.stream(b" at 5pm\n\n")
    assert flow.marked == ":eyes:"


def test_a_near_miss_is_not_marked(observer: Loaded) -> None:
    observer.configure(lab_secret=["body=Meet me at 5pm"])
    flow = play(observer, exchange(NEAR_MISS, NEAR_MISS))
    assert (flow.marked, flow.comment) == ("", "")


def test_under_control_nothing_is_kept_and_nothing_is_marked(observer: Loaded) -> None:
    observer.configure(lab_control=True, lab_secret=["body=Meet me at 5pm"])
    observer.record()
    flow = play(observer, exchange(SECRET))
    assert flow.marked == ""
    assert len(observer.addon._pieces) == 0
    assert search(observer.recorded()[0]) == [("http.body", ())]


def test_a_secret_that_cannot_be_looked_for_is_refused(observer: Loaded) -> None:
    with pytest.raises(OptionsError, match=r"^lab_secret: 'nonsense' is not NAME=VALUE with NAME one of body, "):
        observer.configure(lab_secret=["nonsense"])


def test_a_hook_that_fails_says_so_in_the_record(observer: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    observer.record()

    def burst(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(observer.addon, "_keep_answer", burst)
    with pytest.raises(RuntimeError):
        play(observer, exchange(SECRET))
    _, notes = observer.recorded()
    assert (notes[-1].event, notes[-1].detail) == (Event.FAILED, "response: RuntimeError: out of order")


def test_a_failure_in_the_middle_of_an_event_stream_says_so_too(
    observer: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer.record()
    flow = exchange(content_type="text/event-stream")
    observer.addon.responseheaders(flow)
    assert flow.response is not None
    assert callable(flow.response.stream)

    def burst(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(observer.addon, "_got", burst)
    with pytest.raises(RuntimeError):
        flow.response.stream(b"data: 1\n\n")
    assert (observer.recorded()[1][-1].detail) == "_piece: RuntimeError: out of order"
