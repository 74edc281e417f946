from __future__ import annotations

from lab.detect.reassembly import reassemble
from lab.model import Direction, Observer

from .codings import observed


def test_pieces_of_a_stream_become_one_observation_at_the_first_ones_place_and_time() -> None:
    head = observed(b"row", "database.file", observer=Observer.DATABASE)
    first, second = observed(b"one ", time=1.0), observed(b"two", time=2.0)
    back = observed(b"answer", direction=Direction.TO_CLIENT, time=1.5)
    other = observed(b"other", connection="2")
    assert reassemble([head, first, back, other, second]) == (head, observed(b"one two", time=1.0), back, other)


def test_pieces_of_a_body_are_joined_within_their_exchange_only() -> None:
    pieces = [observed(data, "http.body", exchange=number) for data, number in ((b"a", 1), (b"b", 1), (b"c", 2))]
    assert [(one.data, one.exchange) for one in reassemble(pieces)] == [(b"ab", 1), (b"c", 2)]


def test_observers_and_other_places_are_never_mixed() -> None:
    separate = [
        observed(b"a"),
        observed(b"b", observer=Observer.SERVER),
        observed(b"c", "http.header"),
        observed(b"d", "http.header"),
    ]
    assert reassemble(separate) == tuple(separate)


def test_empty_pieces_and_nothing_at_all() -> None:
    assert reassemble([]) == ()
    assert reassemble([observed(b""), observed(b"")]) == (observed(b""),)
