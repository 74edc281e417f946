from __future__ import annotations

from lab.detect.views import Builder, View, locate, merge

ROOT = View(bytes(range(100)), "somewhere")


def test_copied_bytes_map_exactly_and_neighbours_become_one_span() -> None:
    builder = Builder()
    builder.add(ROOT.data[5:10], 5)
    builder.add(ROOT.data[10:15], 10)
    builder.add(ROOT.data[40:50], 40)
    view = builder.view(ROOT, "cut")
    assert len(view.pieces) == 2
    assert locate(view, 2, 12) == ((7, 15), (40, 42))
    assert locate(view, 3, 8) == ((8, 13),)


def test_a_match_is_widened_to_whole_units_of_the_encoding() -> None:
    builder = Builder()
    builder.add(bytes(9), 20, 3, 4)
    assert locate(builder.view(ROOT, "base64"), 4, 5) == ((24, 28),)
    assert locate(builder.view(ROOT, "base64"), 2, 4) == ((20, 28),)


def test_what_keeps_no_positions_maps_to_the_whole_encoded_piece() -> None:
    builder = Builder()
    builder.add_whole(bytes(500), 10, 30)
    assert locate(builder.view(ROOT, "gzip"), 400, 410) == ((10, 40),)


def test_gaps_map_to_nothing() -> None:
    builder = Builder()
    builder.gap()
    builder.add(b"ab", 0)
    builder.gap(b"---")
    builder.add(b"cd", 2)
    view = builder.view(ROOT)
    assert view.data == b"ab---cd"
    assert locate(view, 1, 6) == ((1, 3),)
    assert locate(view, 2, 5) == ()


def test_the_way_back_leads_through_every_layer() -> None:
    outer = Builder()
    outer.add(bytes(10), 50, 1, 2)
    middle = outer.view(ROOT, "hex")
    inner = Builder()
    inner.add(bytes(3), 4)
    view = inner.view(middle, "cut")
    assert view.decoders == ("hex", "cut")
    assert view.depth == 2
    assert locate(view, 1, 2) == ((60, 62),)


def test_declared_framing_is_no_guess() -> None:
    assert Builder().view(ROOT, "http.chunked", declared=True).depth == 0


def test_merge() -> None:
    assert merge([(5, 7), (0, 2), (2, 4), (6, 9)]) == ((0, 4), (5, 9))
