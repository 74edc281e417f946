"""Event streams that pass: cut anywhere, changed where wanted, and else the same byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lab.attack.event_stream import EventStream

STREAM = (
    b"event: ready\ndata: {}\n\n:\n\n"
    b'event: message\nid: 7\ndata: {"id":"m","text":"Gr\xc3\xbc\xc3\x9fe"}\n\n'
    b'event: members\ndata: {"conversation":"c","members":["a"]}\n\n'
    b"data: no object\n\n"
)


def through(data: bytes, cuts: list[int], change: Any) -> bytes:
    events = EventStream(change)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[start:end] for start, end in pairwise(places)]
    return b"".join(map(events, [*pieces, b""]))


@given(data=st.one_of(st.just(STREAM), st.binary(max_size=60)), cuts=st.lists(st.integers(0, 10**6), max_size=6))
def test_what_is_not_changed_passes_as_it_is(data: bytes, cuts: list[int]) -> None:
    assert through(data, cuts, lambda _name, _fields: None) == data


@given(cuts=st.lists(st.integers(0, 10**6), max_size=6))
def test_one_event_is_changed_and_the_others_are_not(cuts: list[int]) -> None:
    asked: list[str] = []

    def change(name: str, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        asked.append(name)
        return {**fields, "members": ["a", "b"]} if name == "members" else None

    assert through(STREAM, cuts, change) == STREAM.replace(b'["a"]', b'["a","b"]')
    assert asked == ["ready", "message", "members", "message"]


def test_an_event_is_passed_on_as_soon_as_it_is_whole() -> None:
    events = EventStream(lambda _name, _fields: None)
    assert events(b"event: ready\ndata: {}\n") == b""
    assert events(b"\nevent: mess") == b"event: ready\ndata: {}\n\n"
    assert events(b"") == b"event: mess"
