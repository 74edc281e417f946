from __future__ import annotations

import base64
import binascii
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.detect.budget import Budget, Limits
from lab.detect.decoders import based
from lab.detect.views import View, locate

from .codings import decoded, noise, only, search

DECODERS = (
    based.base64,
    based.base64_pieces,
    based.base64_variants,
    based.base32,
    based.base58,
    based.base85,
    based.ascii85,
    based.uuencode,
    based.yenc,
    based.hexadecimal,
    based.spaced_digits,
    based.hexdump,
)
VALUE = b"alice.7be2d04586@example.com"
NEAR_MISS = b"alice.7be2d04587@example.com"
Encode = Callable[[bytes], bytes]

NUMERALS, LOWER, UPPER = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
Z85 = NUMERALS + LOWER + UPPER + ".-:+=^!/*?&<>()[]{}@%$#"
BCRYPT = b"./" + (UPPER + LOWER + NUMERALS).encode()
STANDARD = (UPPER + LOWER + NUMERALS).encode() + b"+/"
XX = ("+-" + NUMERALS + UPPER + LOWER).encode()


def wrapped(width: int, end: bytes, encode: Encode = base64.b64encode) -> Encode:
    def wrap(data: bytes) -> bytes:
        digits = encode(data)
        return end.join(digits[at : at + width] for at in range(0, len(digits), width))

    return wrap


def number(digits: str) -> Encode:
    def encode(data: bytes) -> bytes:
        value, text = int.from_bytes(data), ""
        while value:
            value, digit = divmod(value, len(digits))
            text = digits[digit] + text
        return text.encode()

    return encode


def z85(data: bytes) -> bytes:
    padded = data + bytes(-len(data) % 4)
    words = (int.from_bytes(padded[at : at + 4]) for at in range(0, len(padded), 4))
    return "".join(Z85[word // 85**power % 85] for word in words for power in (4, 3, 2, 1, 0)).encode()


def uuencoded(data: bytes) -> bytes:
    lines = (binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return b"begin 644 note.txt\n" + b"".join(lines) + b"`\nend\n"


def xxencoded(data: bytes) -> bytes:
    def line(part: bytes) -> bytes:
        digits = base64.b64encode(part + bytes(-len(part) % 3)).translate(bytes.maketrans(STANDARD, XX))
        return XX[len(part) : len(part) + 1] + digits + b"\n"

    return b"begin 644 note.txt\n" + b"".join(line(data[at : at + 45]) for at in range(0, len(data), 45)) + b"+\nend\n"


def yencoded(data: bytes) -> bytes:
    text = b""
    for number, byte in enumerate(data, 1):
        code = (byte + 42) % 256
        text += bytes([code]) if code not in b"\x00\r\n=" else b"=" + bytes([(code + 64) % 256])
        text += b"\r\n" if number % 16 == 0 else b""
    return b"=ybegin line=16 size=%d name=note.txt\r\n" % len(data) + text + b"\r\n=yend size=%d\r\n" % len(data)


def each(pattern: str, joint: str = "") -> Encode:
    return lambda data: joint.join(pattern.format(byte) for byte in data).encode()


def hexdumped(data: bytes) -> bytes:
    rows = ""
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        halves = row[:8].hex(" ") + "  " + row[8:].hex(" ")
        rows += f"{at:08x}  {halves:<49} |{row.decode('latin-1')}|\n"
    return rows.encode() + b"%08x\n" % len(data)


def xxd(data: bytes, width: int = 16) -> bytes:
    rows = ""
    for at in range(0, len(data), width):
        row = data[at : at + width]
        rows += f"{at:08x}: {row.hex(' ', -2):<{width * 5 // 2}} {row.decode('latin-1')}\n"
    return rows.encode()


def little_endian(data: bytes) -> bytes:
    rows = ""
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        rows += f"{at:07x} " + " ".join(row[word : word + 2][::-1].hex() for word in range(0, len(row), 2)) + "\n"
    return rows.encode()


ENCODE: Mapping[str, Encode] = {
    "base64": base64.b64encode,
    "base64, url-safe and unpadded": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    "base64, lines of 20": wrapped(20, b"\r\n"),
    "base64, lines of 7": wrapped(7, b"\n"),
    "base64, lines of 4": wrapped(4, b"\r\n    "),
    "base64, lines in JSON": wrapped(16, b"\\n"),
    "base64, CRLF in JSON": wrapped(16, b"\\r\\n"),
    "base64, quoted": wrapped(16, b"\n> "),
    "base64, pieces": lambda data: b"".join(base64.b64encode(data[at : at + 7]) for at in range(0, len(data), 7)),
    "base64, small pieces": lambda data: b"".join(base64.b64encode(data[at : at + 4]) for at in range(0, len(data), 4)),
    "base32": base64.b32encode,
    "base32, lower": lambda data: base64.b32encode(data).lower().rstrip(b"="),
    "base32, lines": wrapped(16, b"\n", base64.b32encode),
    "base32hex": base64.b32hexencode,
    "base32hex, lower": lambda data: base64.b32hexencode(data).lower().rstrip(b"="),
    "base58": number(BASE58),
    "base58, with a check": lambda data: number(BASE58)(b"\x01" + data + b"\xde\xad\xbe\xef"),
    "base58, multibase": lambda data: b"z" + number(BASE58)(data),
    "base85": base64.b85encode,
    "ascii85": base64.a85encode,
    "ascii85, adobe": lambda data: base64.a85encode(data, adobe=True),
    "ascii85, lines": lambda data: base64.a85encode(data, wrapcol=20),
    "z85": z85,
    "uuencode": uuencoded,
    "uuencode, a bare line": lambda data: binascii.b2a_uu(data[:45]),
    "xxencode": xxencoded,
    "yenc": yencoded,
    "hex": lambda data: data.hex().encode(),
    "hex, upper": lambda data: data.hex().upper().encode(),
    "hex, lines": wrapped(32, b"\n", lambda data: data.hex().encode()),
    "hex, colons": lambda data: data.hex(":").encode(),
    "hex, spaces": lambda data: data.hex(" ").upper().encode(),
    "hex, dashes": lambda data: data.hex("-").encode(),
    "hex, commas": each("{:02x}", ", "),
    "hex, colons in lines": wrapped(24, b"\n    ", lambda data: data.hex(":").encode()),
    "hex, words": lambda data: data.hex(" ", -2).encode(),
    "hex, words of four": lambda data: data.hex(" ", -4).encode(),
    "hex, 0x": lambda data: b"0x" + data.hex().encode(),
    "hex, each 0x": each("0x{:02x}", ", "),
    "hex, each 0x in lines": wrapped(48, b"\n  ", each("0x{:02X}", ", ")),
    "hex, \\x": each("\\x{:02x}"),
    "binary": each("{:08b}", " "),
    "binary, without spaces": each("{:08b}"),
    "octal": each("{:03o}", " "),
    "hexdump": hexdumped,
    "hexdump, xxd": xxd,
    "hexdump, xxd of 8 columns": lambda data: xxd(data, 8),
    "hexdump, little-endian words": little_endian,
}
"""By the name of the decoder, and what is special."""

AROUND = {"alone": (b"", b""), "json": (b'{"some":"thing","data":"', b'","more":1}'), "form": (b"a=1&data=", b"&b=2")}
NOT_ON_ONE_LINE = ("uuencode", "xxencode", "yenc", "hexdump", "base64, lines of 4", "base64, lines of 7")


def views(data: bytes) -> Iterator[View]:
    for decoder in DECODERS:
        yield from decoder(View(data, "http.body"), Budget(Limits()))


def found(data: bytes, value: bytes = VALUE) -> View | None:
    return next((view for view in views(data) if value in view.data), None)


def pointed_at(view: View, value: bytes = VALUE) -> bytes:
    source = view.parent
    while source and source.parent:
        source = source.parent
    assert source
    at = view.data.index(value)
    spans = locate(view, at, at + len(value))
    assert all(0 <= start < end <= len(source.data) for start, end in spans)
    return b"".join(source.data[start:end] for start, end in spans)


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", ENCODE)
def test_every_encoding_is_undone_wherever_it_stands(name: str, around: str) -> None:
    before, after = AROUND[around]
    if around != "alone" and name.startswith(NOT_ON_ONE_LINE):
        before, after = before + b"\n", b"\n" + after
    view = found(before + ENCODE[name](VALUE) + after)
    assert view
    assert view.decoders == (name.split(",")[0],)
    assert found(before + ENCODE[name](NEAR_MISS) + after) is None


@pytest.mark.parametrize("name", [name for name in ENCODE if not name.startswith(("uuencode", "xxencode", "yenc"))])
def test_what_the_spans_name_gives_the_value_again(name: str) -> None:
    long = b"An older text before it. " + VALUE + b" And a newer text behind."
    encoded = ENCODE[name](long)
    view = found(b"\n" + encoded + b"\n")
    assert view
    again = pointed_at(view)
    if name.startswith("hexdump"):
        # The offset at the start of a line is none of the value.
        pairs = binascii.unhexlify(again)
        assert VALUE in pairs or VALUE in b"".join(pairs[at : at + 2][::-1] for at in range(0, len(pairs), 2))
    else:
        assert found(again)
    if not name.startswith("base58"):
        assert len(again) < len(encoded)


@pytest.mark.parametrize("name", ["base64", "base32", "base32, lower", "base32hex", "base85", "ascii85", "hex"])
@pytest.mark.parametrize("glued", ["a", "to", "key", "user", "token"])
def test_it_may_begin_with_a_word_that_is_glued_to_it(name: str, glued: str) -> None:
    glued = glued.upper() if name in ("base32", "base32hex") else glued
    glued = glued.replace("t", "d").replace("y", "e").replace("o", "a") if name == "hex" else glued
    assert found(b"(" + glued.encode() + ENCODE[name](VALUE).rstrip(b"=") + b")")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([name for name in sorted(ENCODE) if "85" not in name]),
    st.integers(0, 2**64),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_random_values_at_every_alignment(name: str, seed: int, before: int, after: int) -> None:
    tag = b"%016x" % seed
    value = b"Meet at five, " + tag
    printable = bytes(random.Random(seed).choices(range(97, 123), k=before + after))  # noqa: S311 - the same each time
    encoded = ENCODE[name](printable[:before] + value + printable[before:])
    if name != "uuencode, a bare line":  # of 45 bytes at most
        assert found(b"\n" + encoded + b"\n", value)
        assert found(b"\n" + encoded + b"\n", value[:-1] + b"-") is None


@pytest.mark.parametrize(("size", "least"), [(8, 0.8), (16, 0.95), (32, 0.99)])
@pytest.mark.parametrize(
    "name", ["base64, url-safe and unpadded", "base32, lower", "base58", "base85", "ascii85", "z85"]
)
def test_few_values_look_like_words(name: str, size: int, least: float) -> None:
    values = [noise(size, seed) for seed in range(300)]
    assert sum(found(ENCODE[name](value), value) is not None for value in values) >= least * len(values)


@pytest.mark.parametrize("name", ENCODE)
def test_a_part_of_it_is_no_trouble(name: str) -> None:
    encoded = ENCODE[name](VALUE * 2)
    for end in range(0, len(encoded), 3):
        for view in views(encoded[:end]):
            assert all(stop <= end for _, stop in locate(view, 0, len(view.data)))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from(
                [b"=ybegin a\r\n", b"\n=yend", b"<~", b"~>", b"begin 644 x\n", b"0x61", b"\\x61", b"61:", b"61626364 "]
            ),
            st.text("abcXYZ0189+/=-_.,~zy \\n\n\r>'\"", max_size=40).map(str.encode),
            st.sampled_from(["base64", "base85", "hex", "hexdump", "octal"]).map(lambda name: ENCODE[name](VALUE)),
        ),
        max_size=12,
    )
)
def test_no_bytes_make_it_raise_or_point_outside(parts: list[bytes]) -> None:
    data = b"".join(parts)
    budget = Budget(Limits())
    for decoder in DECODERS:
        for view in decoder(View(data, "tcp.stream"), budget):
            for start, end in locate(view, 0, len(view.data)):
                assert 0 <= start < end <= len(data)
    assert budget.reasons == ()


PROSE = (
    b"It was the best of times, it was the worst of times; responsibilities and representations. "
    b"See https://www.example.com/path/to/some-page/index.html or write to postmaster@example.com! "
    b'<div class="row col-md-6" id="main"><a href="/about/contact">Kontakt</a></div> x = a == b && c <= d; '
)


@pytest.mark.parametrize("text", [b"", b"ten-letter, two/words", PROSE, b"\x80\x00\xff" * 50, b"0123456789abcde"])
def test_silence_where_nothing_of_the_kind_is(text: bytes) -> None:
    assert [view.decoders for view in views(text)] == []


@given(st.binary(min_size=1, max_size=80))
def test_base85_is_read_alike_however_long_it_is(data: bytes) -> None:
    groups = base64.b85encode(data + bytes(-len(data) % 4)).translate(based._B85.table)
    assert based._from_85(groups) == data + bytes(-len(data) % 4)


def test_noise_gives_next_to_nothing() -> None:
    assert sum(len(view.data) for seed in range(8) for view in views(noise(65536, seed))) < 4000


@pytest.mark.parametrize(
    "data", [b"a=", b"=ybegin ", b"61 ", b"<~A", b"Ab1;", b"QUJD\n", b"begin 644 x\n", b"0x61 ", b"xA.b1"]
)
def test_time_grows_no_faster_than_the_input(data: bytes) -> None:
    def seconds(size: int) -> float:
        text = (data * (size // len(data) + 1))[:size]
        started = time.process_time()
        for _ in views(text):
            pass
        return time.process_time() - started

    assert seconds(400_000) < 40 * max(seconds(40_000), 0.01)


def test_a_value_starts_where_its_run_does_and_behind_what_is_glued_to_it() -> None:
    packed = base64.b64encode(VALUE)
    for before in (b"", b'{"a":"first9Z/+Value", "b":"', b"token=", b"?id=1&data=", b"v1-", b"/api/v2/", b"to_"):
        (view,) = based.base64(View(before + packed + b'"', "http.body"), Budget(Limits()))
        assert any(view.data.startswith(VALUE, start) for start in view.starts), before
    view = next(based.base32(View(b"; " + base64.b32encode(VALUE), "http.body"), Budget(Limits())))
    assert any(view.data.startswith(VALUE, start) for start in view.starts)


def test_a_data_url_basic_authorization_and_a_json_web_token() -> None:
    assert found(b"url(data:text/plain;base64," + base64.b64encode(VALUE) + b")")
    assert found(b"Authorization: Basic " + base64.b64encode(VALUE + b":password"))
    parts = (json.dumps(part).encode() for part in ({"alg": "HS256"}, {"sub": VALUE.decode()}))
    token = b".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts), b"c2lnbmF0dXJlMTIzNDU2"])
    assert found(b"Authorization: Bearer " + token)


@pytest.mark.parametrize("signs", [b"+,", b"._", b"~-"])
def test_other_signs_in_base64(signs: bytes) -> None:
    value = b"signs: >>>???" + VALUE + b"~~~??>"
    encoded = base64.b64encode(value, signs)
    assert encoded != base64.b64encode(value)
    if signs == b"~-":
        encoded = base64.b64encode(value, b"~/")
    view = found(b"x=" + encoded, value)
    assert view
    assert view.decoders == ("base64",)


def test_the_alphabet_of_bcrypt() -> None:
    value = VALUE + b"\x00\x10\x01"
    encoded = base64.b64encode(value).translate(bytes.maketrans(STANDARD, BCRYPT)).rstrip(b"=")
    view = found(b"$2b$10$" + encoded, value)
    assert view
    assert view.decoders == ("base64-bcrypt",)


def test_zeros_and_spaces_have_a_digit_of_their_own_in_ascii85() -> None:
    value = b"0123" + bytes(8) + b"    " + VALUE
    encoded = base64.a85encode(value, foldspaces=True)
    assert b"zzy" in encoded
    view = found(encoded, value)
    assert view
    assert locate(view, view.data.index(value) + 4, view.data.index(value) + 8) == ((5, 6),)


@pytest.mark.parametrize("name", ["base85", "ascii85"])
@pytest.mark.parametrize("size", range(20, 29))
def test_the_last_group_of_base85_may_be_a_part(name: str, size: int) -> None:
    assert found(ENCODE[name](VALUE[:size]), VALUE[:size])


def test_all_groups_of_base85_are_right() -> None:
    value = noise(4000)
    for name in ("base85", "ascii85", "z85"):
        assert found(ENCODE[name](value), value)


def test_yenc_escapes_and_its_spans() -> None:
    value = bytes(range(256))
    data = b"\x00\x01" + yencoded(value) + b"rest"
    (view,) = based.yenc(View(data, "tcp.stream"), Budget(Limits()))
    assert view.data.startswith(value)
    assert view.depth == 0
    start = data.index(b"\r\n") + 2
    assert locate(view, 0, 3) == ((start, start + 3),)
    ((at, end),) = locate(view, 19, 20)
    assert data[at:end] == b"=}"


def test_a_line_of_uuencode_says_how_long_it_is() -> None:
    line = binascii.b2a_uu(VALUE)
    assert found(b"text\n" + line + b"more\n")
    assert found(b'{"data": "' + line.rstrip(b"\n") + b"\r\n")
    assert list(based.uuencode(View(b"\nA" + line, "http.body"), Budget(Limits()))) == []


@pytest.mark.parametrize("name", ["hex, colons", "hex, spaces", "hex, each 0x", "hex, \\x", "binary", "octal"])
def test_spans_of_separated_digits_are_tight(name: str) -> None:
    text = ENCODE[name](VALUE)
    view = found(b"<< " + text + b" >>")
    assert view
    assert locate(view, 0, len(VALUE)) == ((3, 3 + len(text)),)
    assert locate(view, 0, 9) == ((3, 3 + text.index(ENCODE[name](VALUE[9:]))),)
    assert locate(view, len(VALUE) - 1, len(VALUE))[0][1] == 3 + len(text)


def test_text_beside_a_dump_is_not_read_as_more_bytes() -> None:
    value = b"feedbeefcafe0123deadbeef" + VALUE
    for width in (8, 16):
        assert found(xxd(value, width), value)


SENTENCE = b"Some text before it. " + VALUE + b" And some more text behind it."


@pytest.mark.parametrize("before", range(6))
def test_base64_spans_are_whole_groups(before: int) -> None:
    result = search(base64.b64encode(b"-" * before + VALUE + b"-" * 30), value=VALUE)
    finding = only(result)
    assert decoded(finding, result).strip(b"-") == VALUE
    assert len(decoded(finding, result)) <= len(VALUE) + 4


@pytest.mark.parametrize("glued", ["", "a", "to", "key", "path/"])
def test_base64_is_read_behind_a_word_that_is_glued_to_it(glued: str) -> None:
    result = search(f"({glued}".encode() + base64.b64encode(base64.b64encode(SENTENCE)) + b")", value=VALUE)
    assert only(result).decoders == ("base64", "base64")


def test_base64_in_lines_has_a_span_for_each_line() -> None:
    stream = b"data:\r\n" + base64.encodebytes(b"x" * 40 + VALUE + b"y" * 9).replace(b"\n", b"\r\n   ")
    result = search(stream, value=VALUE)
    finding = only(result)
    assert len(finding.spans) == 2
    assert VALUE in decoded(finding, result)


def test_a_short_word_is_no_base64_or_hexadecimal() -> None:
    assert list(based.base64(View(b"ten-letter, two/words", "tcp.stream"), Budget(Limits()))) == []
    assert list(based.hexadecimal(View(b"0123456789abcde, 0123456789abcde", "tcp.stream"), Budget(Limits()))) == []


def test_hexadecimal_is_read_from_an_odd_digit_too() -> None:
    result = search(b"a" + base64.b64encode(SENTENCE).hex().encode(), value=VALUE)
    assert only(result).decoders == ("hex", "base64")


def test_binary_digits_may_be_followed_by_other_digits() -> None:
    for data in (b"1" * 160 + b"7", b"01" * 40 + b"2f" * 20):
        assert all(view.data for view in views(data))
