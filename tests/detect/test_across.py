"""A secret that is split over several messages."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect import find
from lab.detect.across import _IN_FORM, _IN_HEADER, EDGE, _fields, joined
from lab.model import Direction, Finding, Observation, Observer

from .codings import NEAR_MISS, VALUE, noise, secret, whole

HALF = len(VALUE) // 2


def seen(
    data: bytes, number: int, place: str = "http.body", direction: Direction = Direction.TO_SERVICE
) -> Observation:
    return Observation(Observer.NETWORK, place, "1", direction, 0.0, data, number)


def found(*data: bytes, place: str = "http.body") -> tuple[Finding, ...]:
    return whole(find([secret()], [seen(one, number, place) for number, one in enumerate(data)]))


def test_a_secret_over_two_bodies_is_found_and_the_first_part_is_shown() -> None:
    (finding,) = found(b"first line\n" + VALUE[:HALF], VALUE[HALF:] + b"\nlast line")
    assert finding.decoders == ("split over messages",)
    assert (finding.source, finding.spans) == (0, ((11, 11 + HALF),))
    assert found(b"first line\n" + NEAR_MISS[:HALF], NEAR_MISS[HALF:] + b"\nlast line") == ()


@pytest.mark.parametrize("pattern", [b'{"note": "%s", "n": 1}', b"n=1&note=%s", b"X-Note: %s\r\nHost: a\r\n"])
def test_a_secret_over_the_same_field_of_three_messages_is_found(pattern: bytes) -> None:
    value = VALUE.replace(b'"', b"").replace(b" ", b"").replace(b",", b"")
    pieces = [pattern % value[at : at + 9] for at in range(0, len(value), 9)]
    messages = [seen(one, number, "http.header") for number, one in enumerate(pieces)]
    assert [one.decoders for one in whole(find([secret(value)], messages))] == [("split over messages",)]
    assert whole(find([secret(value)], messages[1:])) == ()


def test_what_was_encoded_before_it_was_split_is_decoded() -> None:
    code = b64encode(VALUE)
    (finding,) = found(b'{"a": "%s"}' % code[:20], b'{"a": "%s"}' % code[20:])
    assert finding.decoders == ("split over messages", "base64")


def test_the_two_directions_and_other_connections_are_not_mixed() -> None:
    there, back = seen(VALUE[:HALF], 1), seen(VALUE[HALF:], 1, direction=Direction.TO_CLIENT)
    assert whole(find([secret()], [there, back])) == ()


def test_a_field_repeated_without_change_does_not_come_between() -> None:
    head, tail = (b'{"a": "%s"}' % one.replace(b'"', b"") for one in (VALUE[:HALF], VALUE[HALF:]))
    value = VALUE.replace(b'"', b"")
    messages = [seen(one, number, "file") for number, one in enumerate([head, head, head, tail])]
    assert whole(find([secret(value)], messages))


def test_of_long_bodies_only_the_ends_are_put_together() -> None:
    made = joined([seen(noise(100_000), 1), seen(noise(100_000, 2), 2)])
    assert len(made.data) < 5 * EDGE
    (finding,) = found(noise(100_000) + VALUE[:HALF], VALUE[HALF:] + noise(100_000, 2))
    assert finding.spans == ((100_000, 100_000 + HALF),)


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_any_bodies_can_be_joined_and_every_byte_leads_back(data: list[bytes]) -> None:
    messages = [seen(one, number) for number, one in enumerate(data)]
    made = joined(messages)
    for at in range(len(made.data)):
        for part in made.parts(at, at + 1):
            assert messages[part.source].data[part.start : part.end] == made.data[at : at + 1]


# What a field of a form and of a header is, each as one pattern. The search for the sign first must find the same.
FORM = re.compile(rb"(?<![\w.\[\]-])([\w.\[\]-]{1,64})=([^\s&;#\"'<>\x00-\x1f\x7f-\xff]+)")
HEADER = re.compile(rb"(?:^|[ \t])([A-Za-z][\w-]{1,63}):[ \t]?([^\r\n]+)", re.MULTILINE)
LETTERS = [b"a", b"Bc", b"7", b"_", b"-", b".", b"[", b"x" * 63]
SIGNS = [b"=", b":", b": ", b" ", b"\n", b"&", b'"', b"\xff"]
SOME_TEXT = st.lists(st.sampled_from(LETTERS + SIGNS), max_size=40)


@given(SOME_TEXT)
def test_fields_are_what_the_patterns_say(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    for written, pattern in ((_IN_FORM, FORM), (_IN_HEADER, HEADER)):
        expected = [(match[1], match.span(2)) for match in pattern.finditer(data)]
        assert list(_fields(data, 0, len(data), written)) == expected


def test_fields_end_where_the_part_of_a_message_ends() -> None:
    data = b"a=12 b=34 cc: 5"
    assert list(_fields(data, 0, 4, _IN_FORM)) == [(b"a", (2, 4))]
    assert list(_fields(data, 0, 3, _IN_FORM)) == [(b"a", (2, 3))]
    assert list(_fields(data, 6, 9, _IN_FORM)) == []
    assert list(_fields(data, 5, 9, _IN_FORM)) == [(b"b", (7, 9))]
    assert list(_fields(data, 5, 15, _IN_HEADER)) == [(b"cc", (14, 15))]
    assert list(_fields(data, 5, 14, _IN_HEADER)) == [(b"cc", (13, 14))]
