from __future__ import annotations

import base64
import codecs
import json
import textwrap
import urllib.parse
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect.budget import Budget, Limits
from lab.detect.decoders import disguises
from lab.detect.views import GAP, View, locate

from .codings import VALUE, noise

Decode = Callable[[View, Budget], Iterator[View]]
Dress = Callable[[bytes], bytes]

ADDRESS = b"alice.3f9c1a7be2d04586@example.com"
WIDE = "Jürgen, Привет: ".encode() + VALUE
ALL: tuple[Decode, ...] = (
    disguises.turned,
    disguises.array,
    disguises.separated,
    disguises.zero_width,
    disguises.zero_width_between,
    disguises.unwrapped,
    disguises.grouped_digits,
    disguises.tags_removed,
    disguises.concatenated,
)


def views(decoder: Decode, data: bytes, *decoders: str) -> list[View]:
    budget = Budget(Limits())
    found = list(decoder(View(data, "http.body", decoders), budget))
    assert budget.reasons == ()
    return found


def texts(decoder: Decode, data: bytes) -> list[bytes]:
    return [view.data.removesuffix(GAP) for view in views(decoder, data)]


def rot13(data: bytes) -> bytes:
    return codecs.encode(data.decode(), "rot13").encode()


def joined(separator: bytes, size: int = 1) -> Dress:
    return lambda data: separator.join(data[at : at + size] for at in range(0, len(data), size))


def each(separator: str, form: str) -> Dress:
    return lambda data: separator.join(form % byte for byte in data).encode()


def between(mark: str) -> Dress:
    return lambda data: mark.join(data.decode()).encode()


def folded(end: bytes, width: int) -> Dress:
    return lambda data: end.join(data[at : at + width] for at in range(0, len(data), width))


LONG = b"some words of a text that is long enough to be cut, " * 3
ARRAYS: Mapping[str, Dress] = {
    "JSON": lambda data: json.dumps(list(data)).encode(),
    "JSON, tight": lambda data: json.dumps(list(data), separators=(",", ":")).encode(),
    "JSON, indented": lambda data: json.dumps(list(data), indent=4).encode(),
    "JSON, an object": lambda data: json.dumps({str(at): byte for at, byte in enumerate(data)}).encode(),
    "JSON, strings": lambda data: json.dumps([str(byte) for byte in data]).encode(),
    "signed": lambda data: str([byte - 256 if byte > 127 else byte for byte in data]).encode(),
    "blanks": each(" ", "%d"),
    "semicolons": lambda data: b"{" + each(";", "%d")(data) + b"}",
    "hexadecimal": each(", ", "0x%02x"),
    "C, in lines": lambda data: b"  " + each(", ", "0x%02X")(data).replace(b", 0x20", b",\n  0x20"),
    "octal": each(",", "0o%o"),
    "JavaScript": lambda data: b"String.fromCharCode(" + each(",", "%d")(data) + b")",
    "PHP": each(".", "chr(%d)"),
    "SQL": each(" + ", "CHAR(%d)"),
}
POINTS: Mapping[str, Dress] = {
    "code points": lambda data: json.dumps([ord(character) for character in data.decode()]).encode(),
    "U+": lambda data: " ".join(f"U+{ord(character):04X}" for character in data.decode()).encode(),
    "characters": lambda data: json.dumps(list(data.decode()), ensure_ascii=False).replace('"\\""', "'\"'").encode(),
}
DRESSED: Mapping[str, tuple[Decode, str, bytes, Dress]] = {
    **{f"array, {name}": (disguises.array, "array", WIDE, dress) for name, dress in (ARRAYS | POINTS).items()},
    **{
        f"separated by {separator!r}": (disguises.separated, "separated", ADDRESS, joined(separator))
        for separator in (b"-", b" ", b",", b"_", b"|", b"/", b"\n", b"\r\n", b", ", b" - ")
    },
    **{
        f"groups of {size} separated by {separator!r}": (
            disguises.separated,
            "separated",
            ADDRESS,
            joined(separator, size),
        )
        for size in (2, 3, 4, 5)
        for separator in (b"-", b" ", b":")
    },
    **{
        f"zero-width {ord(mark):04X}": (disguises.zero_width, "zero-width", VALUE, between(mark))
        for mark in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u034f"
    },
    "zero-width between": (disguises.zero_width_between, "zero-width", ADDRESS, between("\u200b")),
    "soft hyphens between": (disguises.zero_width_between, "zero-width", ADDRESS, between("\u00ad")),
    "in lines": (disguises.unwrapped, "unwrapped", LONG + VALUE * 3, folded(b"\r\n", 60)),
    "in indented lines": (
        disguises.unwrapped,
        "unwrapped",
        LONG.replace(b" ", b"") + ADDRESS * 3,
        folded(b"\n    ", 64),
    ),
    "folded": (disguises.unwrapped, "unwrapped", LONG + VALUE, folded(b"\r\n ", 74)),
    "tags": (disguises.tags_removed, "tags removed", VALUE, lambda data: data.replace(b"e", b'<b class="x">e</b>')),
    "comments": (disguises.tags_removed, "tags removed", VALUE, lambda data: data.replace(b"9", b"<!-- -->9")),
    "elements": (disguises.tags_removed, "tags removed", VALUE, each("", "<i>%c</i>")),
    "literals with +": (
        disguises.concatenated,
        "concatenated",
        ADDRESS,
        lambda data: b'"' + joined(b'" + "', 5)(data) + b'"',
    ),
    "literals with .": (
        disguises.concatenated,
        "concatenated",
        ADDRESS,
        lambda data: b"'" + joined(b"'.'", 7)(data) + b"'",
    ),
    "literals with ||": (
        disguises.concatenated,
        "concatenated",
        ADDRESS,
        lambda data: b"'" + joined(b"' || '", 9)(data) + b"'",
    ),
    "literals in lines": (
        disguises.concatenated,
        "concatenated",
        ADDRESS,
        lambda data: b'"' + joined(b'"\n    "', 9)(data) + b'"',
    ),
}


@pytest.mark.parametrize("name", DRESSED)
@pytest.mark.parametrize(("before", "behind"), [(b"", b""), (b"<p>key= ", b" </p>, more")])
def test_the_value_comes_out_and_its_spans_give_it_again(name: str, before: bytes, behind: bytes) -> None:
    decoder, chain, value, dress = DRESSED[name]
    data = before + dress(value) + behind
    found = [view for view in views(decoder, data) if value in view.data]
    assert found
    assert found[0].decoders == (chain,)
    at = found[0].data.index(value)
    spans = locate(found[0], at, at + len(value))
    assert len(before) <= spans[0][0]
    assert spans[-1][1] <= len(before) + len(dress(value)) + 3
    if decoder == disguises.unwrapped:
        # Lines are known by those around them.
        assert b"".join(data[start:end] for start, end in spans) == value
    else:
        whole = data[spans[0][0] - 1 if before else 0 : spans[-1][1] + 1]
        assert any(value in text for text in texts(decoder, whole))


@pytest.mark.parametrize("name", DRESSED)
def test_a_value_that_differs_in_one_character_stays_another(name: str) -> None:
    decoder, _, value, dress = DRESSED[name]
    other = value.replace(b"4586", b"4587")
    assert other != value
    assert not any(value in text for text in texts(decoder, dress(other)))


ENCODED: Mapping[str, Dress] = {
    "base64": base64.b64encode,
    "base64, in lines": lambda data: base64.encodebytes(data * 3),
    "base32": base64.b32encode,
    "hex": lambda data: data.hex().encode(),
    "percent": lambda data: urllib.parse.quote(data, safe="").encode(),
}


@pytest.mark.parametrize("name", ENCODED)
@pytest.mark.parametrize("glue", [b"", b"some words: ", b'"token":"'])
def test_what_looks_encoded_is_read_as_rot13_and_from_its_end(name: str, glue: bytes) -> None:
    encoded = ENCODED[name](VALUE).rstrip(b"\n")
    turned, _ = views(disguises.turned, glue + rot13(encoded) + b" ")
    assert (turned.decoders, turned.data.removesuffix(GAP)) == (("rot13",), encoded)
    assert locate(turned, 3, 9) == ((len(glue) + 3, len(glue) + 9),)
    _, back = views(disguises.turned, glue + encoded[::-1] + b" ")
    assert (back.decoders, back.data.removesuffix(GAP)) == (("reversed",), encoded)
    ((start, end),) = locate(back, 3, 9)
    assert len(glue) <= start <= len(glue) + len(encoded) - 9 < len(glue) + len(encoded) - 3 <= end
    assert encoded[3:9] in (glue + encoded[::-1])[start:end][::-1]


def test_turning_twice_is_not_tried() -> None:
    token = base64.b64encode(VALUE)
    assert [view.decoders for view in views(disguises.turned, token, "rot13")] == [("rot13", "reversed")]
    assert views(disguises.turned, token, "reversed", "rot13") == []
    assert [view.decoders[-1] for view in views(disguises.turned, token, "rot13", "base64")] == ["reversed"]


def test_words_do_not_look_encoded() -> None:
    assert (
        views(disguises.turned, b"internationalisation of conversations/and-other-matters, Straightforwardness") == []
    )


def test_each_text_with_separators_is_read_once() -> None:
    assert texts(disguises.separated, noise(99).hex(" ").encode()) == [noise(99).hex().encode()]
    assert texts(disguises.separated, b" ".join(b"%c" % byte for byte in ADDRESS)) == [ADDRESS]


def test_numbers_that_are_no_bytes_are_no_array() -> None:
    for data in (
        b"[1.5, 2.25, 3.125, 4.5, 5.5, 6.5, 7.5, 8.5]",
        b"1, 2, 3, 4, 5, 6, 7",
        b"[9999999, -9999999" + b", 1" * 9,
    ):
        assert views(disguises.array, data) == []


def test_bytes_that_are_no_text_are_kept_and_read_as_code_points_too() -> None:
    assert views(disguises.array, str(list(b"\x1f\x8bcaf\xe9 alice")).encode())[0].data == (
        b"\x1f\x8bcaf\xe9 alice" + GAP + "\x1f\x8bcafé alice".encode() + GAP
    )


def test_escaped_characters_of_an_array_are_left_to_others() -> None:
    assert texts(disguises.array, rb'["\u0061","\u006c","i","\n","e","@"]') == [rb"\u0061\u006ci\ne@"]


def test_lines_of_prose_and_records_stay_apart() -> None:
    prose = textwrap.fill("It was as it is, and nobody knows why that should be so or whether it will stay. " * 2, 61)
    assert views(disguises.unwrapped, prose.encode()) == []
    record = b'192.168.0.1 - - [22/Nov/2026:09:20:42] "GET / HTTP/1.1" 200 512\n'
    assert views(disguises.unwrapped, record * 9) == []
    assert views(disguises.unwrapped, b"short\nlines\nof\ntext") == []


def test_a_break_in_an_address_or_a_tag_is_undone() -> None:
    line = b"this line is long enough to be broken: "
    assert texts(disguises.unwrapped, line + b"alice@exam\nple.com, she said") == [
        line + b"alice@example.com, she said"
    ]
    assert texts(disguises.unwrapped, line + b"3f9c1a7b\r\ne2d04586") == [line + b"3f9c1a7be2d04586"]


def test_blanks_that_lines_begin_with_are_taken_away_and_kept() -> None:
    found = texts(disguises.unwrapped, b"x" * 60 + b" and\n more of " + b"y" * 41 + b"\nend")
    assert [text[60:74] for text in found] == [b" andmore of yy", b" and more of y"]


def test_numbers_in_groups() -> None:
    data = b"call +49 (151) 234-567 or 030/901 820, card 4111 1111 1111 1111, key 4f3a 9c2d 11be"
    (view,) = views(disguises.grouped_digits, data)
    assert view.data.split(GAP) == [
        b"+49151234567",
        b"030901820",
        b"4111111111111111",
        b"4f3a9c2d11be",
        b"",
    ]
    at = view.data.index(b"151")
    assert [data[start:end] for start, end in locate(view, at - 2, at + 4)] == [b"49", b"151", b"2"]
    assert texts(disguises.grouped_digits, "+49 151\u202f234\u00a0567".encode()) == [b"+49151234567"]
    assert views(disguises.grouped_digits, b"12345678901, 1.5, 192.168.100.200, be a bad decade") == []


def test_tags_that_end_words_stay() -> None:
    assert views(disguises.tags_removed, b"<table><tr><td>a</td><td>b</td></tr></table><b>alone</b>") == []
    assert texts(disguises.tags_removed, b"<p>al<b>ice</b>@exam<wbr/>ple.com</p>") == [b"alice@example.com"]


@pytest.mark.parametrize("decoder", ALL, ids=lambda decoder: decoder.__name__)
def test_ordinary_text_and_noise_have_none_of_it(decoder: Decode) -> None:
    for text in (
        b"",
        b"A plain sentence, with some words; and another one - shorter.",
        b'{"id":42,"name":"alice","list":[1,2.5,-3],"nothing":null,"link":"https://example.com/?a=1&b=2"}',
        b"GET /a/b?id=42 HTTP/1.1\r\nHost: example.com\r\nAccept: text/html, */*;q=0.8\r\n\r\n",
        b"<html><body><h1 id='x'>Title</h1>\n<p class='a'>AT&amp;T</p></body></html>",
    ):
        assert views(decoder, text) == []


@pytest.mark.parametrize("decoder", [disguises.zero_width_between])
def test_noise_has_none_of_it(decoder: Decode) -> None:
    assert views(decoder, noise(100_000)) == []


@pytest.mark.parametrize("decoder", ALL, ids=lambda decoder: decoder.__name__)
@given(
    st.binary(max_size=80)
    | st.text(max_size=80).map(str.encode)
    | st.text("aB1 \n\r-.,:;'\"+<>b/[]0x\u200b\u00ad%=!", max_size=150).map(str.encode)
    | st.tuples(st.text("ab1 \n", max_size=70), st.integers(1, 9)).map(lambda drawn: (drawn[0] * drawn[1]).encode())
)
def test_no_input_raises_and_every_offset_leads_back(decoder: Decode, data: bytes) -> None:
    for view in views(decoder, data):
        for at in range(len(view.data)):
            for start, end in locate(view, at, at + 1):
                assert 0 <= start < end <= len(data)
                if decoder not in (disguises.turned, disguises.array):
                    assert view.data[at : at + 1] in data[start:end]
