"""What stands in several messages is decoded once, and found in each of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from lab.detect import Search, find
from lab.detect.batches import batches
from lab.model import Observation

from .codings import VALUE, observed, pointed_at, secret, whole

TOKEN = b"bob-3f9c1a7be2d04586"
ENCODED = base64.b64encode(VALUE)
LINES = (b"Host: chat.lab.test\r\n", b"Accept: */*\r\n", b"X-Note: %s\r\n" % ENCODED, b"Connection: close\r\n")


def messages(*data: bytes, place: str = "http.body") -> list[Observation]:
    return [observed(one, place, exchange=number) for number, one in enumerate(data)]


def found_in(found: Search) -> list[int]:
    """The sources in which the whole value is found; everywhere its encoded form is what is pointed at."""
    hits = whole(found)
    assert all(pointed_at(one, found) == ENCODED.rstrip(b"=") for one in hits)
    return [one.source for one in hits]


def test_a_message_that_came_twice_is_decoded_once_and_found_in_both() -> None:
    sources = messages(b'{"note":"%s"}' % ENCODED, b"something else", b'{"note":"%s"}' % ENCODED)
    (batch,) = batches(sources, {})
    assert batch.root.data.count(ENCODED) == 1
    assert found_in(find([secret()], sources)) == [0, 2]


def test_a_header_field_that_came_before_is_found_in_every_message() -> None:
    sources = messages(b"".join(LINES), b"".join((b"X-Number: 1\r\n", *LINES)), b"".join(LINES), place="http.header")
    assert found_in(find([secret()], sources)) == [0, 1, 2]


def test_header_fields_are_left_out_where_they_came_before_between_the_same_neighbours() -> None:
    together = b"".join(LINES)
    sources = messages(*(b"X-Number: %d\r\n%s" % (number, together) for number in range(9)), place="http.header")
    (batch,) = batches(sources, {})
    assert all(b"X-Number: %d\r\n%s%s" % (number, *LINES[:2]) in batch.root.data for number in range(9))
    assert batch.root.data.count(together) == 1
    assert batch.root.data.count(LINES[3]) == 1


@pytest.mark.parametrize("number", [2, 3])
def test_a_value_split_over_header_fields_is_found_though_each_of_them_came_before(number: int) -> None:
    size = -(-len(TOKEN) // number)
    parts = [b"X-Part-%d: %s\r\n" % (at, TOKEN[at : at + size]) for at in range(0, len(TOKEN), size)]
    apart = [b"A: 1\r\n%sB: 2\r\n" % part for part in parts]
    found = find([secret(TOKEN)], messages(*apart, b"".join(parts), place="http.header"))
    (one,) = whole(found)
    assert (one.source, one.decoders) == (number, ("fields",))
    assert pointed_at(one, found) == TOKEN


def test_a_token_that_comes_again_is_decoded_once_and_found_each_time() -> None:
    data = b"first=%s second=%s third=%s" % (ENCODED, ENCODED, ENCODED[:-4] + b"!!!!")
    found = find([secret()], [observed(data, "service.log")])
    assert found_in(found) == [0, 0]
    assert [one.spans[0][0] for one in whole(found)] == [data.index(ENCODED), data.rindex(ENCODED)]


def test_batches_do_not_depend_on_the_order_of_the_messages() -> None:
    def made(sources: Sequence[Observation]) -> list[bytes]:
        return [one.root.data for one in batches(sources, {})]

    for place in ("http.body", "http.header"):
        sources = messages(b"A: 1\r\nB: 2\r\n", b"A: 1\r\nC: 3\r\n", b"A: 1\r\nB: 2\r\n", place=place)
        assert all(made(order) == made(sources) for order in permutations(sources))


@pytest.mark.parametrize("place", ["http.body", "http.header"])
def test_a_message_without_bytes_is_none(place: str) -> None:
    assert find([secret()], messages(b"", place=place)).findings == ()


def test_an_excerpt_shows_nothing_of_another_message() -> None:
    sources = messages(b"before", b"left " + VALUE + b" right", b"zz behind")
    (one,) = whole(find([secret()], [replace(source, place="http.request_line") for source in sources]))
    assert one.excerpt == f"left {VALUE.decode()} right"
