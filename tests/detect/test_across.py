"""A secret that is split over several messages."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect import find
from lab.detect.across import EDGE, joined
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
