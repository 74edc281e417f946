from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, Event, Message, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate

from lab.detect import websocket
from lab.detect.budget import Budget, Limits
from lab.detect.decoders.framing import websocket_messages
from lab.detect.places import place_of, regions
from lab.detect.views import GAP, View, locate

from .codings import NEAR_MISS, VALUE, noise

ASK = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
TAKE = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"


def stream(events: Sequence[Event], *, client: bool, deflate: bool = False, takeover: bool = True) -> bytes:
    """One direction of a connection as another implementation writes it."""
    extensions = []
    if deflate:
        extension = PerMessageDeflate(client_no_context_takeover=not takeover, server_no_context_takeover=not takeover)
        extension.finalize("permessage-deflate")
        extensions.append(extension)
    kind = ConnectionType.CLIENT if client else ConnectionType.SERVER
    sender = Connection(kind, extensions)
    return (ASK if client else TAKE) + b"".join(sender.send(event) for event in events)


def views(data: bytes, budget: Budget | None = None) -> list[View]:
    return list(websocket_messages(View(data, "tcp.stream"), budget or Budget(Limits())))


def pointed_at(view: View, value: bytes) -> bytes:
    root = view
    while root.parent:
        root = root.parent
    at = view.data.index(value)
    return b"".join(root.data[start:end] for start, end in locate(view, at, at + len(value)))


def text(data: bytes) -> TextMessage:
    return TextMessage(data.decode())


def split(data: bytes, *cuts: int) -> list[Message[str]]:
    borders = [0, *cuts, len(data)]
    return [
        TextMessage(data[start:end].decode(), message_finished=end == len(data)) for start, end in pairwise(borders)
    ]


def test_messages_of_a_service_point_at_the_bytes_themselves() -> None:
    data = stream([text(b"hello, you"), text(VALUE)], client=False)
    gapped, together = views(data)
    assert gapped.decoders == together.decoders == ("websocket",)
    assert (gapped.place, gapped.depth) == ("websocket.message", 0)
    assert pointed_at(gapped, VALUE) == VALUE
    assert together.data.startswith(b"hello, you" + VALUE)
    assert together.starts == (0, 10)


@pytest.mark.parametrize("size", [9, 126, 70_000])
def test_a_masked_frame_is_named_as_a_whole_so_that_it_can_be_read_again(size: int) -> None:
    data = stream([text(b"hello, you"), text(VALUE.rjust(size)), text(b"good bye")], client=True)
    assert VALUE not in data
    view = views(data)[0]
    frame = pointed_at(view, VALUE)
    assert VALUE in views(ASK + frame)[0].data
    assert views(ASK + frame)[0].data.removesuffix(GAP).lstrip() == VALUE


@pytest.mark.parametrize("client", [True, False])
def test_fragments_are_joined_over_control_frames(client: bool) -> None:
    first, second, third = split(VALUE, 5, 20)
    data = stream([first, Ping(b"are you there?"), second, third, text(b"...")], client=client)
    gapped = views(data)[0]
    assert VALUE in gapped.data
    assert b"are you there?" in gapped.data
    assert len(locate(gapped, gapped.data.index(VALUE), gapped.data.index(VALUE) + len(VALUE))) in (1, 2, 3)


@pytest.mark.parametrize("client", [True, False])
def test_what_is_split_over_messages_is_in_the_joined_view_only(client: bool) -> None:
    data = stream([text(VALUE[:12]), text(VALUE[12:])], client=client)
    gapped, together = views(data)
    assert VALUE not in gapped.data
    assert VALUE in together.data
    assert all(VALUE not in view.data for view in views(stream([text(NEAR_MISS)], client=client)))


@pytest.mark.parametrize("client", [True, False])
@pytest.mark.parametrize("takeover", [True, False])
def test_compressed_messages_share_a_window(client: bool, takeover: bool) -> None:
    events = [text(b"once " + VALUE), BytesMessage(b"again " + VALUE), text(b"and again " + VALUE)]
    data = stream(events, client=client, deflate=True, takeover=takeover)
    gapped, together = views(data)
    assert gapped.decoders == ("websocket", "permessage-deflate")
    assert gapped.depth == 0
    assert gapped.data.count(VALUE) == 3
    assert together.data.startswith(b"once " + VALUE + b"again " + VALUE + b"and again " + VALUE)
    last = gapped.data.rindex(VALUE)
    spans = locate(gapped, last, last + 1)
    again = b"".join(data[start:end] for start, end in spans)
    if client:
        assert views(ASK + again)[0].data.count(VALUE) == (3 if takeover else 1)
    else:
        assert spans[-1][1] == len(data)


def test_compressed_fragments_and_plain_messages_stand_beside_each_other() -> None:
    first, second = split(VALUE, 12)
    data = stream([first, second], client=True, deflate=True) + stream([text(b"plain text")], client=True)[len(ASK) :]
    plain, packed = views(data)
    assert plain.data.startswith(b"plain text")
    assert VALUE in packed.data


def test_a_bomb_is_noted() -> None:
    data = stream([BytesMessage(bytes(10**6))], client=True, deflate=True)
    budget = Budget(Limits(expanded=10_000))
    assert views(data, budget) == []
    assert budget.reasons == ("permessage-deflate: expands to more than 10000 bytes",)


def test_a_cut_off_frame_has_what_is_there() -> None:
    data = stream([text(b"x" * 50 + VALUE)], client=True)
    assert views(data[:-20])[0].data.startswith(b"x" * 50 + VALUE[:-20])
    packed = stream([text(VALUE + noise(3000).hex().encode())], client=True, deflate=True)
    assert VALUE in views(packed[:-1000])[0].data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ASK,
        TAKE,
        ASK + b"GET / HTTP/1.1\r\n\r\n",
        TAKE + b"\xff\xff" + VALUE,
        TAKE + b"\x89\x7e\x00\x80",
        b"\x81\x05hello there",
        b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n\x81\x05hello",
    ],
)
def test_what_is_no_websocket_gives_nothing(data: bytes) -> None:
    assert views(data) == []


def test_messages_are_a_place_of_their_own() -> None:
    data = stream([text(VALUE)], client=False)
    at = data.index(VALUE)
    assert place_of(((at, at + 5),), regions(data), "tcp.stream") == "websocket.message"
    assert place_of(((5, 9),), regions(data), "tcp.stream") == "http.status_line"


def test_frames_are_told_apart() -> None:
    data = stream([text(b"hello")], client=True)
    (frame,) = websocket.frames(data, len(ASK))
    assert (frame.start, frame.end, frame.final, frame.compressed) == (len(ASK), len(data), True, False)
    assert frame.content(data) == b"hello"


def test_another_implementation_reads_the_named_frame() -> None:
    data = stream([text(b"x"), text(VALUE)], client=True)
    frame = pointed_at(views(data)[0], VALUE)
    server = Connection(ConnectionType.SERVER)
    server.receive_data(frame)
    assert [event.data for event in server.events() if isinstance(event, TextMessage)] == [VALUE.decode()]


@given(st.lists(st.sampled_from([stream([text(VALUE)], client=True)[len(ASK) :], b"\xc1\x05", b"\x81\x85", b"\x80"])
                | st.binary(max_size=40), max_size=8).map(b"".join), st.sampled_from([ASK, TAKE, b""]))  # fmt: skip
def test_nothing_makes_it_raise(data: bytes, before: bytes) -> None:
    for view in views(before + data):
        for start, end in locate(view, 0, len(view.data)):
            assert len(before) <= start <= end <= len(before + data)


def test_long_messages_are_unmasked_at_once() -> None:
    payload = random.Random(3).randbytes(300_000)  # noqa: S311 - the same each time
    data = stream([BytesMessage(payload)], client=True)
    assert payload in views(data)[0].data
