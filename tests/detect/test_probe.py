from collections.abc import Iterator

from hypothesis import example, given
from hypothesis import strategies as st

from lab.detect.probe import first, places

SOME = st.integers(0, 5).flatmap(lambda power: st.integers(0, 8**power))


def one_by_one(needle: bytes, data: bytes) -> Iterator[int]:
    at = data.find(needle)
    while at >= 0:
        yield at
        at = data.find(needle, at + len(needle))


@given(st.sampled_from([b"x", b"xx", b"ax", b"xax", b"x" * 12]), st.lists(st.tuples(SOME, SOME), max_size=4))
@example(b"xx", [(0, 200_000)])
@example(b"xax", [(255, 1), (255, 1)])
def test_every_place_is_told_once_wherever_it_stands_in_long_data(
    needle: bytes, stretches: list[tuple[int, int]]
) -> None:
    data = b"".join(b"a" * others + b"x" * same for others, same in stretches)
    assert list(places(needle, data)) == list(one_by_one(needle, data))
    assert first(needle, data) == data.find(needle)


def test_the_first_places_are_told_before_the_rest_is_read() -> None:
    told = places(b"\0", bytes(10**6))
    assert [next(told), next(told)] == [0, 1]
