"""The deeds themselves, without a path: what goes on of what came by."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.test import tflow, tutils

from lab.model import LabError
from lab.stage.meddling import Cutter, Deed, Meddler, Order, read_order
from lab.stage.posted import PostedMessage


@dataclass(frozen=True)
class Text:
    content: bytes

    def edited(self, edit: Callable[[bytes], bytes]) -> Text:
        return Text(edit(self.content))


ONE, TWO, THREE = Text(b"one"), Text(b"two"), Text(b"three")


def meddle(order: Order, *units: tuple[str, Text]) -> list[Text]:
    """What goes on of these units, in which order."""
    meddler = Meddler[Text]()
    meddler.arm(order)
    return [going for lane, unit in units for going in meddler.pass_on(lane, unit)]


@pytest.mark.parametrize(
    ("order", "going"),
    [
        (Order(Deed.FLIP), [Text(b"ond"), TWO, THREE]),
        (Order(Deed.FLIP, at=0, xor=0x20), [Text(b"One"), TWO, THREE]),
        (Order(Deed.FLIP, at=4), [ONE, TWO, Text(b"thred")]),
        (Order(Deed.FLIP, at=-5), [ONE, TWO, Text(b"uhree")]),
        (Order(Deed.FLIP, to_service=False), [ONE, TWO, THREE]),
        (Order(Deed.TRUNCATE), [Text(b"o"), TWO, THREE]),
        (Order(Deed.TRUNCATE, keep=3), [ONE, TWO, Text(b"thr")]),
        (Order(Deed.TRUNCATE, keep=0), [Text(b""), TWO, THREE]),
        (Order(Deed.REPLAY), [ONE, ONE, TWO, THREE]),
        (Order(Deed.DROP), [TWO, THREE]),
        (Order(Deed.DELAY), [TWO, THREE]),
        (Order(Deed.REORDER), [TWO, ONE, THREE]),
        (Order(Deed.CROSS_DELIVER), [TWO, THREE]),
    ],
)
def test_one_deed_is_done_and_the_rest_passes(order: Order, going: list[Text]) -> None:
    assert meddle(order, ("a", ONE), ("a", TWO), ("a", THREE)) == going


def test_lanes_are_kept_apart() -> None:
    assert meddle(Order(Deed.REORDER), ("a", ONE), ("b", TWO), ("a", THREE)) == [TWO, THREE, ONE]
    assert meddle(Order(Deed.CROSS_DELIVER), ("a", ONE), ("b", TWO), ("a", THREE)) == [ONE, TWO, THREE]


def test_what_is_delayed_goes_on_once_it_is_released() -> None:
    meddler = Meddler[Text]()
    with pytest.raises(LabError, match="nothing is delayed"):
        meddler.release()
    meddler.arm(Order(Deed.DELAY))
    with pytest.raises(LabError, match="nothing is delayed"):
        meddler.release()
    assert meddler.pass_on("a", ONE) == []
    with pytest.raises(LabError, match="the order before, delay, has begun"):
        meddler.arm(Order(Deed.DROP))
    assert meddler.done == []
    assert meddler.release() == ("a", ONE)
    assert meddler.done == [Deed.DELAY]
    meddler.arm(Order(Deed.FLIP))
    meddler.arm(Order(Deed.DROP))
    assert meddler.pass_on("a", TWO) == []
    assert meddler.done == [Deed.DELAY, Deed.DROP]


def test_an_order_says_what_it_has_to() -> None:
    assert read_order({"do": "flip"}) == Order(Deed.FLIP)
    every = {"do": "truncate", "to": "client", "at": 3, "xor": 255, "keep": 0}
    assert read_order(every) == Order(Deed.TRUNCATE, to_service=False, at=3, xor=255, keep=0)


RECORDS = st.lists(st.tuples(st.integers(20, 24), st.integers(1, 4), st.binary(max_size=60)), max_size=6)


@given(RECORDS, st.lists(st.integers(1, 40), min_size=1))
def test_records_are_cut_whatever_pieces_they_come_in(records: list[tuple[int, int, bytes]], sizes: list[int]) -> None:
    stream = b"".join(bytes([kind, 3, minor]) + len(body).to_bytes(2) + body for kind, minor, body in records)
    cutter, found, at = Cutter(), [], 0
    while at < len(stream):
        size = sizes[at % len(sizes)]
        found += cutter.cut(stream[at : at + size])
        at += size
    assert [(one.header[0], one.header[2], one.content) for one in found] == records
    assert b"".join(one.to_bytes() for one in found) == stream


@given(st.binary())
def test_what_is_no_tls_is_said_to_be_none_and_never_lost(data: bytes) -> None:
    cutter = Cutter()
    try:
        found = cutter.cut(data)
    except LabError as error:
        assert "not TLS" in str(error)  # noqa: PT017 - either is right
        return
    whole = b"".join(one.to_bytes() for one in found)
    assert data.startswith(whole)


def posted(fields: Any, path: str = "/v1/conversations/5/messages", method: str = "POST") -> PostedMessage | None:
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return PostedMessage.read(tflow.tflow(req=tutils.treq(method=method.encode(), path=path.encode(), content=body)))


NONSENSE = {"content": "nonsense", "envelopes": [5], "shared": "%"}


def b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("fields", "edited"),
    [
        ({"content": {"text": "5pm"}}, {"content": {"text": "5pl"}}),
        ({"content": {"attachment": {"data": b64(b"map")}}}, {"content": {"attachment": {"data": b64(b"maq")}}}),
        ({"shared": b64(b"x1"), "envelopes": []}, {"shared": b64(b"x0"), "envelopes": []}),
        (
            {"envelopes": [{"data": b64(b"a1"), "device": 1}, {"data": None}]},
            {"envelopes": [{"data": b64(b"a0"), "device": 1}, {"data": None}]},
        ),
        (
            {"content": "nonsense", "envelopes": [5], "shared": "%"},
            {"content": "nonsense", "envelopes": [5], "shared": "%"},
        ),
    ],
)
def test_every_part_of_a_message_that_has_a_content_is_edited(fields: Any, edited: Any) -> None:
    message = posted(fields)
    assert message is not None
    assert message.conversation == "5"
    assert message.edited(Order(Deed.FLIP).edit).fields == edited
    assert message.fields == fields


@pytest.mark.parametrize(
    "other",
    [
        posted(b"{"),
        posted([]),
        posted({}, method="GET"),
        posted({}, "/v1/conversations/5/members"),
        posted({}, "/v1/messages/5/receipts"),
    ],
)
def test_other_requests_are_no_messages(other: PostedMessage | None) -> None:
    assert other is None


def test_a_message_can_be_posted_again_and_elsewhere() -> None:
    message = posted({"id": "7", "content": {"text": "Hi"}})
    assert message is not None
    again = message.again()
    assert again.fields["id"] != "7"
    flow = again.to_flow("6")
    assert flow.request.path == "/v1/conversations/6/messages"
    assert json.loads(flow.request.content or b"") == again.fields
    assert flow.id != message.flow.id
    assert json.loads(message.stored().content or b"")["id"] == "7"
