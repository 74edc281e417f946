from __future__ import annotations

import email.header
import html as html_module
import json as json_module
import quopri
import urllib.parse
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect.budget import Budget, Limits
from lab.detect.decoders import escapes
from lab.detect.views import GAP, Builder, View, locate

from .codings import NEAR_MISS, VALUE, noise

Decode = Callable[[View, Budget], Iterator[View]]
Encode = Callable[[str], bytes]

WIDE = "Grüße, Привет 😀: " + VALUE.decode()
ALL: tuple[Decode, ...] = (
    escapes.percent,
    escapes.urlencoded,
    escapes.json,
    escapes.javascript,
    escapes.css,
    escapes.html,
    escapes.quoted_printable,
    escapes.encoded_word,
    escapes.utf7,
    escapes.punycode,
    escapes.utf16,
    escapes.utf32,
)


def views(decoder: Decode, data: bytes) -> list[View]:
    budget = Budget(Limits())
    found = list(decoder(View(data, "http.body"), budget))
    assert budget.reasons == ()
    return found


def texts(decoder: Decode, data: bytes) -> list[bytes]:
    return [view.data.removesuffix(GAP) for view in views(decoder, data)]


def units(text: str) -> Iterator[int]:
    data = text.encode("utf-16-be")
    return (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


def each(form: str) -> Encode:
    """Writes every byte of the UTF-8 of a text in a form such as "%%%02x"."""
    return lambda text: "".join(form % byte for byte in text.encode()).encode()


def each_character(form: str) -> Encode:
    return lambda text: "".join(form % ord(character) for character in text).encode()


FORMS: Mapping[str, tuple[Decode, str, Encode]] = {
    "percent": (escapes.percent, "percent", lambda text: urllib.parse.quote(text, safe="").encode()),
    "percent, every byte": (escapes.percent, "percent", each("%%%02x")),
    "percent of units": (
        escapes.percent,
        "percent",
        lambda text: "".join(f"%u{unit:04X}" for unit in units(text)).encode(),
    ),
    "urlencoded": (escapes.urlencoded, "urlencoded", lambda text: urllib.parse.quote_plus(text).encode()),
    "json": (escapes.json, "json", lambda text: json_module.dumps(text)[1:-1].encode()),
    "json, every unit": (
        escapes.json,
        "json",
        lambda text: "".join(f"\\u{unit:04x}" for unit in units(text)).encode(),
    ),
    "bytes of C": (escapes.javascript, "javascript", each("\\x%02X")),
    "octal": (escapes.javascript, "javascript", each("\\%03o")),
    "braces": (escapes.javascript, "javascript", each_character("\\u{%x}")),
    "long": (escapes.javascript, "javascript", each_character("\\U%08x")),
    "repr of bytes": (escapes.javascript, "javascript", lambda text: repr(text.encode())[2:-1].encode()),
    "source": (
        escapes.javascript,
        "javascript",
        lambda text: "".join("\\" + one if not one.isalnum() else one for one in text).encode(),
    ),
    "css": (escapes.css, "css", each_character("\\%x ")),
    "css, six digits": (escapes.css, "css", each_character("\\%06x")),
    "html": (
        escapes.html,
        "html",
        lambda text: html_module.escape(text).encode("ascii", "xmlcharrefreplace"),
    ),
    "html, decimal": (escapes.html, "html", each_character("&#%d;")),
    "html, decimal, open": (escapes.html, "html", each_character("&#%d")),
    "html, hexadecimal": (escapes.html, "html", each_character("&#x%X;")),
    "html, padded": (escapes.html, "html", each_character("&#%07d;")),
    "quoted-printable": (
        escapes.quoted_printable,
        "quoted-printable",
        lambda text: quopri.encodestring(text.encode(), quotetabs=True),
    ),
    "quoted-printable, every byte": (escapes.quoted_printable, "quoted-printable", each("=%02X")),
    "quoted-printable, in lines": (
        escapes.quoted_printable,
        "quoted-printable",
        lambda text: quopri.encodestring(text.encode() * 3).replace(b"\n", b"\r\n"),
    ),
    "encoded words": (
        escapes.encoded_word,
        "encoded-word",
        lambda text: email.header.Header(text, "utf-8").encode(linesep="\r\n").encode(),
    ),
    "encoded words, quoted": (
        escapes.encoded_word,
        "encoded-word",
        lambda text: b"=?utf-8?Q?" + quopri.encodestring(text.encode(), header=True).replace(b"=\n", b"") + b"?=",
    ),
    "utf-16le": (escapes.utf16, "utf-16le", lambda text: text.encode("utf-16-le")),
    "utf-16be": (escapes.utf16, "utf-16be", lambda text: text.encode("utf-16-be")),
    "utf-32le": (escapes.utf32, "utf-32le", lambda text: text.encode("utf-32-le")),
    "utf-32be": (escapes.utf32, "utf-32be", lambda text: text.encode("utf-32-be")),
    "utf-16, marked": (escapes.utf16, "utf-16le", lambda text: b"\xff\xfe" + text.encode("utf-16-le")),
    "utf-7": (escapes.utf7, "utf-7", lambda text: text.encode("utf-7")),
}
BINARY = ("utf-16", "utf-32")


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(("before", "behind"), [(b"", b""), (b"<a href='x'>: ", b"; and more"), (b"glued", b"glued")])
def test_every_form_is_undone_and_its_spans_decode_to_the_text(name: str, before: bytes, behind: bytes) -> None:
    decoder, chain, encode = FORMS[name]
    if name.startswith(BINARY):
        before, behind = before[:1] * 3 + b"\xfe" * (len(before) % 4), b"\xfe\xfe\xfe"
    if name == "html, decimal, open":
        behind = b" " + behind
    data = before + encode(WIDE) + behind
    found = [view for view in views(decoder, data) if WIDE.encode() in view.data]
    assert found
    assert found[0].decoders == (chain,)
    at = found[0].data.index(WIDE.encode())
    cut = b"".join(data[start:end] for start, end in locate(found[0], at, at + len(WIDE.encode())))
    assert any(WIDE.encode() in text for text in texts(decoder, cut))
    assert len(cut) <= len(encode(WIDE))


@pytest.mark.parametrize("name", FORMS)
def test_a_value_that_differs_in_its_last_character_does_not_become_the_value(name: str) -> None:
    decoder, _, encode = FORMS[name]
    assert not any(VALUE in text for text in texts(decoder, encode(WIDE.replace(VALUE.decode(), NEAR_MISS.decode()))))


@pytest.mark.parametrize("name", [name for name, (decoder, _, _) in FORMS.items() if decoder != escapes.encoded_word])
def test_the_span_of_a_part_is_that_part_alone(name: str) -> None:
    decoder, _, encode = FORMS[name]
    (view, *_) = (view for view in views(decoder, encode(WIDE)) if VALUE in view.data)
    at = view.data.index(VALUE)
    cut = b"".join(encode(WIDE)[start:end] for start, end in locate(view, at, at + len(VALUE)))
    # What needs no escape in it is there as it is.
    assert VALUE in cut or any(text == VALUE for text in texts(decoder, cut))


@pytest.mark.parametrize("decoder", ALL, ids=lambda decoder: decoder.__name__)
def test_ordinary_text_has_none_of_it(decoder: Decode) -> None:
    for text in (
        b"",
        b"a plain sentence, with 100 % of what one writes; and 2 + 2 = 4 (or so)",
        b'{"id":42,"name":"alice","list":[1,2.5,-3],"nothing":null,"link":"https://example.com/?a=1&b=2&copy=3"}',
        b"GET /a/b?id=42&page=20&x=ab HTTP/1.1\r\nHost: example.com\r\nCookie: a=b1; c=d2\r\n\r\n",
        b"YWxpY2VAZXhhbXBsZS5jb20gYWxpY2U=\r\n\r\nYQ==\r\nnext",
        b"C:\\Users\\desktop and call +491511234567-12",
        b"<p class='a'>AT&T, Q&A</p>",
    ):
        assert views(decoder, text) == []


@pytest.mark.parametrize("decoder", ALL, ids=lambda decoder: decoder.__name__)
@given(
    st.binary(max_size=80)
    | st.text(max_size=80).map(str.encode)
    | st.text("%u0dD8A=?\\x{}&#;+-xn Qqb\r\n\x00'\"_", max_size=60).map(str.encode)
)
def test_no_input_raises_and_every_offset_leads_back(decoder: Decode, data: bytes) -> None:
    for view in views(decoder, data):
        for at in range(len(view.data)):
            for start, end in locate(view, at, at + 1):
                assert 0 <= start < end <= len(data)


def test_percent_leaves_plus_alone_and_urlencoded_does_not() -> None:
    assert texts(escapes.percent, b"a+b%20c\x01no escapes\x01%4g%41") == [b"a+b c" + GAP + b"%4gA"]
    assert texts(escapes.urlencoded, b"a+b%20c\x01%41") == [b"a b c"]
    assert views(escapes.percent, b"50% off, 100%") == []
    assert views(escapes.urlencoded, b"one+two") == []


def test_json_escapes() -> None:
    text = 'line\nquote" slash/ back\\ é \U0001f512 tab\t'
    escaped = json_module.dumps(text).replace("/", "\\/").encode()
    assert texts(escapes.json, escaped) == [f'"{text}"'.encode()]


def test_a_surrogate_alone_stays_as_it_is() -> None:
    assert texts(escapes.json, rb"\ud83d \u0041 \udd12") == [rb"\ud83d A \udd12"]
    assert views(escapes.json, rb"C:\users \x41 \ud83d") == []


def test_surrogates_without_a_partner_are_left_or_replaced() -> None:
    assert texts(escapes.percent, b"%uD83D%41") == [b"%uD83DA"]
    assert texts(escapes.javascript, rb"\u{d83d}\u{110000}\ud83d\x41") == [rb"?\u{110000}\ud83dA"]
    assert texts(escapes.html, b"&#xD83D;&#99999999;&#97;")[0].endswith(b"a")


def test_javascript_escapes() -> None:
    assert texts(escapes.javascript, b"alice@exam\\\nple.com\nother line") == [b"alice@example.com"]
    assert texts(escapes.javascript, b"alice@exam\\\r\nple.com") == [b"alice@example.com"]
    assert texts(escapes.javascript, rb"don\'t \0 \u0061\n\v") == [b"don't \0 a\n\v"]
    packed = bytes(range(256))
    assert packed in texts(escapes.javascript, repr(packed).encode())[0]
    assert views(escapes.javascript, rb"a\nb \"c\" \u0061 \/ \\") == []


def test_html_names() -> None:
    assert texts(escapes.html, b"alice&commat;example&period;com &lt;&eacute&gt") == ["alice@example.com <é>".encode()]
    assert texts(escapes.html, b"caf&eacute; ?a=1&copy=2&b=3 &nosuchname;") == [
        "café ?a=1&copy=2&b=3 &nosuchname;".encode()
    ]


def test_quoted_printable_lines() -> None:
    assert texts(escapes.quoted_printable, b"alice@exam=\r\nple.com\r\nnext") == [b"alice@example.com"]
    assert texts(escapes.quoted_printable, b"alice=40example.com") == [b"alice@example.com"]
    assert texts(escapes.quoted_printable, b"a=3Db") == [b"a=b"]
    assert texts(escapes.quoted_printable, b"=2561=256C=2569=2563=2565") == [b"%61%6C%69%63%65"]


def test_encoded_words() -> None:
    words = b"Subject: =?ISO-8859-1?Q?caf=E9_alice?= =?us-ascii*en?q?=40example?=\r\n =?utf-8?B?LmNvbQ?= (home)"
    assert texts(escapes.encoded_word, words) == ["Subject: café alice@example.com (home)".encode()]
    assert views(escapes.encoded_word, b"=?no-such-set?Q?abc?= =?utf-8?X?abc?=") == []


def test_utf7_of_mailbox_names() -> None:
    assert texts(escapes.utf7, b"alice+AEA-example.com") == [b"alice@example.com"]
    assert texts(escapes.utf7, b"Entw&APw-rfe") == ["Entwürfe".encode()]


def test_punycode() -> None:
    host = "münchen-alice.bücher.example".encode("idna")
    assert texts(escapes.punycode, b"Host: " + host) == ["Host: münchen-alice.bücher.example".encode()]
    assert views(escapes.punycode, b"xn--, xn--\xff and axn--bcher-kva") == []


@pytest.mark.parametrize("before", [b"", b"\x80", b"\x80\x81"])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_is_read_at_any_offset(codec: str, before: bytes) -> None:
    (view,) = views(escapes.utf16, before + "plain words".encode(codec) + b"\x90")
    assert view.data == b"plain words" + GAP
    assert view.decoders == (codec.replace("16-", "16"),)
    assert locate(view, 2, 3) == ((len(before) + 4, len(before) + 6),)


def test_utf16_is_read_both_ways_where_its_ends_leave_it_open() -> None:
    assert texts(escapes.utf16, b"\x00" + "plain words".encode("utf-16-le")) == [b"plain words", b"plain words"]
    assert VALUE in texts(escapes.utf16, b"x" + VALUE.decode().encode("utf-16-be"))[1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_is_read_in_the_middle_of_noise(codec: str, seed: int) -> None:
    data = noise(1000 + seed, seed) + WIDE.encode(codec) + noise(999, seed + 9)
    (view, *_) = (view for view in views(escapes.utf16, data) if WIDE.encode() in view.data)
    at = view.data.index(VALUE)
    start = 1000 + seed + len(WIDE.encode(codec)) - 2 * len(VALUE)
    assert locate(view, at, at + len(VALUE)) == ((start, start + 2 * len(VALUE)),)


def test_utf16_without_ascii_is_read_where_a_value_starts_and_chinese_behind_a_mark() -> None:
    assert texts(escapes.utf16, "Привет, как дела".encode("utf-16-be")) == ["Привет, как дела".encode()]
    chinese = "日本語のテキストです日本語"
    assert texts(escapes.utf16, chinese.encode("utf-16")) == [chinese.encode()]
    assert views(escapes.utf16, b"ASCII that could be Chinese in UTF-16, and must not be") == []


@pytest.mark.parametrize("name", ["utf-16le", "utf-16be"])
@pytest.mark.parametrize("text", ["plain words", "Привет, как дела", "Việt Nam, tiếng Việt"])
def test_utf16_is_not_read_across_a_gap(name: str, text: str) -> None:
    data = text.encode(name)
    builder = Builder()
    for number in range(3):
        builder.add(data, number * len(data))
        builder.gap()
    (view,) = escapes.utf16(builder.view(View(data * 3, "x"), "x"), Budget(Limits()))
    assert (view.decoders, view.data) == (("x", name), (text.encode() + GAP) * 3)
    assert view.starts == tuple(number * len(text.encode() + GAP) for number in range(3))


@pytest.mark.parametrize("name", ["utf-32le", "utf-32be"])
@pytest.mark.parametrize("before", [b"", b"text\r\n\r\n", b"\x00", b"\x00\x00\x00x", b"\x00\x00\xff"])
def test_utf32_is_read_from_where_it_begins(name: str, before: bytes) -> None:
    data = before + VALUE.decode().encode(name) + b"end"
    (view, *_) = (view for view in views(escapes.utf32, data) if VALUE in view.data)
    at = view.data.index(VALUE)
    assert view.decoders == (name,)
    assert locate(view, at, at + len(VALUE)) == ((len(before), len(before) + 4 * len(VALUE)),)
