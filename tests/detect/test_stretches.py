"""Where text stands in binary data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.detect.stretches import text
from lab.detect.views import GAP, View, locate


def test_what_is_all_text_is_left_as_it_is() -> None:
    for data in (b"", b"short", b"a line\r\nand another", "Grüße".encode()):
        view = View(data, "file")
        assert text(view) is view


def test_noise_has_no_text() -> None:
    assert text(View(bytes(range(128, 256)) * 3 + b"nine char\x00", "file")) is None


def test_stretches_are_cut_out_and_lead_back() -> None:
    data = b"\xff\x00" + b"first stretch" + b"\x00" * 9 + b"the second one" + b"\xff"
    view = text(View(data, "file"))
    assert view is not None
    assert view.data.startswith(b"first stretch" + GAP)
    assert view.data.endswith(GAP + b"the second one")
    at = view.data.index(b"second")
    assert locate(view, at, at + 6) == ((data.index(b"second"), data.index(b"second") + 6),)
    assert view.decoders == ()
    assert view.depth == 0


def test_a_letter_of_another_encoding_does_not_cut_a_word() -> None:
    view = text(View(b"\xff\xff\xff\xff\xff\xffJ\xfcrgen Stra\xdfenbau & Soehne\x00\xff", "file"))
    assert view is not None
    assert b"enbau & Soehne" in view.data
    joined = text(View(b"\x00\xfe\xfe\xfe\xfe\xfeabcdefghijk\xfcabcdefghijk\xfe\x00", "file"))
    assert joined is not None
    assert joined.data == b"abcdefghijk\xfcabcdefghijk"


@given(st.binary(max_size=300))
def test_any_bytes_can_be_cut_and_every_stretch_is_where_it_was(data: bytes) -> None:
    view = text(View(data, "file"))
    if view is not None:
        for at in range(len(view.data)):
            for start, end in locate(view, at, at + 1):
                assert data[start:end] == view.data[at : at + 1]
