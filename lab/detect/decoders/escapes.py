"""Text that stands for other text: escapes and wider character encodings."""

from __future__ import annotations

import re
from binascii import a2b_base64, unhexlify
from collections.abc import Callable, Iterator
from contextlib import suppress
from html import unescape
from itertools import groupby, islice
from typing import NamedTuple

from lab.detect.budget import Budget
from lab.detect.decoders.runs import MIN_UTF16, classes, lines_with, replace, runs
from lab.detect.probe import places
from lab.detect.views import GAP, Builder, Span, View


def _rewritten(
    view: View,
    name: str,
    trigger: re.Pattern[bytes],
    escape: re.Pattern[bytes],
    decode: Callable[[re.Match[bytes]], bytes],
    unit: int = 0,
    soft: bytes = b"",
    values: re.Pattern[bytes] | None = None,
) -> Iterator[View]:
    """The lines of `view` that hold a `trigger`, with every `escape` in them decoded (see lines_with and replace)."""
    builder = Builder()
    for run in lines_with(trigger, view.data, soft):
        replace(builder, view.data, run, escape, decode, unit, values)
    if builder.size:
        yield builder.view(view, name)


_SURROGATES = rb"u(?P<high>[dD][89abAB][0-9a-fA-F]{2})%su(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
_UNIT = rb"u(?P<unit>[0-9a-ce-fA-CE-F][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})"
_PERCENT = re.compile(rb"%%(?:(?P<bytes>[0-9A-Fa-f]{2}(?:%%[0-9A-Fa-f]{2})*+)|%s|%s)" % (_SURROGATES % b"%", _UNIT))
_PERCENT_OR_PLUS = re.compile(_PERCENT.pattern + rb"|\+")
# Of a field in a form, if it is no ASCII: what is compressed without saying so is known by where it starts.
_BINARY_VALUE = re.compile(rb"(?<==)[^\s&;=\"'<>%]*+(?:%[2-7][0-9A-Fa-f][^\s&;=\"'<>%]*+)*+%[^\s&;=\"'<>]++")


def percent(view: View, _budget: Budget) -> Iterator[View]:
    """Percent-encoding (RFC 3986, 2.1), also as `escape()` of JavaScript writes it: %u20AC (ECMA-262, B.2.1.1)."""
    yield from _rewritten(view, "percent", _PERCENT, _PERCENT, _unpercent, unit=3, values=_BINARY_VALUE)


def urlencoded(view: View, _budget: Budget) -> Iterator[View]:
    """Percent-encoding as forms use it, where "+" is a space (application/x-www-form-urlencoded)."""
    builder = Builder()
    for run in lines_with(_PERCENT, view.data):
        if view.data.find(b"+", *run) >= 0:
            replace(builder, view.data, run, _PERCENT_OR_PLUS, _unpercent, 3, _BINARY_VALUE)
    if builder.size:
        yield builder.view(view, "urlencoded")


def _unpercent(escape: re.Match[bytes]) -> bytes:
    if escape["bytes"]:
        return unhexlify(escape["bytes"].replace(b"%", b""))
    return b" " if escape[0] == b"+" else _units(escape)


def _units(escape: re.Match[bytes]) -> bytes:
    return unhexlify(escape["unit"] or escape["high"] + escape["low"]).decode("utf-16-be").encode()


_ASCII_RUN = rb"(?P<ascii>u00[0-7][0-9a-fA-F](?:\\u00[0-7][0-9a-fA-F])*+)"
_UNITS = rb"%s|%s|%s" % (_ASCII_RUN, _SURROGATES % rb"\\", _UNIT)
_JSON_ESCAPE = re.compile(rb"""\\(?:(?P<char>["\\/bfnrt])|%s)""" % _UNITS)
_CHARS = {b"a": b"\a", b"b": b"\b", b"e": b"\x1b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def json(view: View, _budget: Budget) -> Iterator[View]:
    """Escapes as in JSON strings (RFC 8259, 7). A surrogate without its partner stays as it is."""
    yield from _rewritten(view, "json", _JSON_ESCAPE, _JSON_ESCAPE, _unescape_json, unit=6)


def _unescape_json(escape: re.Match[bytes]) -> bytes:
    if char := escape["char"]:
        return _CHARS.get(char, char)
    return unhexlify(escape[0].replace(rb"\u00", b"")) if escape["ascii"] else _units(escape)


_POINT = rb"0{0,6}(?:10[0-9a-fA-F]{4}|[0-9a-fA-F]{1,5})"
_SOURCE_ESCAPE = re.compile(
    rb"\\(?:(?P<bytes>x[0-9a-fA-F]{2}(?:\\x[0-9a-fA-F]{2})*+)|u\{(?P<point>%s)\}|U(?P<long>00(?:10|0[0-9a-fA-F])"
    rb"[0-9a-fA-F]{4})|(?P<octal>[0-3][0-7]{2}|[0-7]{1,2})|(?P<end>\r?\n)|(?P<char>[abefnrtv]|[^\w\s]| )|%s)"
    % (_POINT, _UNITS)
)
_NOT_JSON = re.compile(rb"\\(?:x[0-9a-fA-F]{2}|u\{[0-9a-fA-F]|U00[01]|[0-7]|\r?\n|[!#-.:-@[\]^_`{|}~ ])")


def javascript(view: View, _budget: Budget) -> Iterator[View]:
    r"""Escapes of JavaScript (ECMA-262, 12.9.4), Python, C and shells, where those of JSON do not suffice.

    That is \x61 and \141 (bytes, so that binary data comes out as it was), \u{1f512}, \U0001F512, a backslash before
    any sign, and a backslash at the end of a line that goes on in the next one.
    """
    yield from _rewritten(view, "javascript", _NOT_JSON, _SOURCE_ESCAPE, _unescape_source, unit=4, soft=b"\\")


def _unescape_source(escape: re.Match[bytes]) -> bytes:
    if escape["bytes"]:
        return unhexlify(escape[0].replace(rb"\x", b""))
    if point := escape["point"] or escape["long"]:
        return chr(int(point, 16)).encode(errors="replace")
    if octal := escape["octal"]:
        return bytes((int(octal, 8),))
    if escape["end"]:
        return b""
    return _unescape_json(escape)


_CSS_ESCAPE = re.compile(rb"\\(%s)[ \t\f]?" % _POINT)
_CSS = re.compile(rb"\\(?=0|[2-7e-f][0-9a-fA-F])%s(?:[ \t]|(?=[^0-9A-Za-z])|$)" % _POINT)


def css(view: View, _budget: Budget) -> Iterator[View]:
    r"""Escapes of style sheets: \61 followed by a blank, or \000061 (CSS Syntax Module Level 3, 4.3.7)."""
    yield from _rewritten(view, "css", _CSS, _CSS_ESCAPE, _unescape_css)


def _unescape_css(escape: re.Match[bytes]) -> bytes:
    return chr(int(escape[1], 16)).encode(errors="replace")


_ENTITY = re.compile(
    rb"&(?:#(?:[0-9]{1,10}+|[xX][0-9a-fA-F]{1,8}+);?|[A-Za-z][A-Za-z0-9]{1,31}+(?:;|(?![=A-Za-z0-9])))"
)
# Those known without a semicolon, and anything with one: what only looks like one (a=1&b=2) calls for no view.
_REFERENCE = re.compile(
    rb"&(?:#(?:[0-9]|[xX][0-9a-fA-F])|[A-Za-z][A-Za-z0-9]{1,31}+;|(?:amp|lt|gt|quot|AMP|LT|GT|QUOT|nbsp|shy|copy|reg"
    rb"|[A-Za-z](?:uml|acute|grave|circ|cedil|tilde|ring|slash)|szlig|[Aa][Ee]lig|ETH|eth|THORN|thorn)(?![=A-Za-z0-9]))"
)


def html(view: View, _budget: Budget) -> Iterator[View]:
    """Character references of HTML: named, decimal, hexadecimal, also without the semicolon (HTML, 13.2.5.72)."""
    yield from _rewritten(view, "html", _REFERENCE, _ENTITY, _unentity)


def _unentity(reference: re.Match[bytes]) -> bytes:
    return unescape(reference[0].decode()).encode()


_QUOTED = re.compile(rb"=(?:[0-9A-Fa-f]{2}(?:=[0-9A-Fa-f]{2})*+|\r?\n)")
# "a=b1" and padding must not look like it: several escapes in a row, a sign that needs one between letters, or a line
# that goes on.
_QUOTED_LINE = re.compile(
    rb"=(?:[0-9A-F]{2}=[0-9A-F]{2}|[0-9a-f]{2}=[0-9a-f]{2}|3D|(?<=[^\s=]=)\r?\n[!-~]|(?<= =)\r?\n[!-~]"
    rb"|(?<=[A-Za-z0-9]=)(?:2[1-9A-F]|3[A-F]|40|5[B-F]|60|7[B-E])[A-Za-z]"
    rb"|[0-9A-F]{2}(?:[\w%.+/-]{0,6}=[0-9A-F]{2}){2}|20[!-<>-~]{1,40}+=20|(?<=[^\s=]=)20[A-Za-z\"'])"
)


def quoted_printable(view: View, _budget: Budget) -> Iterator[View]:
    """Quoted-printable, with lines that go on in the next one (RFC 2045, 6.7)."""
    yield from _rewritten(view, "quoted-printable", _QUOTED_LINE, _QUOTED, _unquote, unit=3, soft=b"=")


def _unquote(escape: re.Match[bytes]) -> bytes:
    return unhexlify(escape[0].replace(b"=", b"")) if escape[0][-1:] != b"\n" else b""


# Only character sets that decode in linear time and without further tables of names.
_CHARSET = (
    rb"utf-?(?:7|8|16|16le|16be)|us-ascii|ascii|iso-8859-\d\d?|windows-125\d|cp125\d|koi8-[ru]|gb2312|gbk|gb18030|big5"
    rb"|shift_jis|euc-(?:jp|kr)|iso-2022-(?:jp|kr)"
)
_ENCODED_WORD = re.compile(
    rb"=\?(?P<charset>%s)(?:\*[A-Za-z-]{1,16})?\?(?:[Bb]\?(?P<base64>[A-Za-z0-9+/=]*+)|[Qq]\?(?P<quoted>[!->@-~]*+))\?="
    rb"(?:(?:\r?\n)?[ \t]+(?==\?))?" % _CHARSET,
    re.IGNORECASE,
)


def encoded_word(view: View, _budget: Budget) -> Iterator[View]:
    """Encoded words in the headers of mail (RFC 2047); blanks between two of them are not part of the text."""
    if b"=?" in view.data:
        yield from _rewritten(view, "encoded-word", _ENCODED_WORD, _ENCODED_WORD, _decode_word, soft=b"=")


def _decode_word(word: re.Match[bytes]) -> bytes:
    charset = word["charset"].decode().lower()
    if word["quoted"] is not None:
        text = _QUOTED.sub(_unquote, word["quoted"].replace(b"_", b" "))
    else:
        digits = word["base64"].rstrip(b"=")
        text = a2b_base64(digits[: len(digits) - (len(digits) % 4 == 1)] + b"==")
    # A character may be cut by the end of a word, so what is UTF-8 already stays as it is.
    return text if charset in ("utf-8", "utf8") else text.decode(charset, "replace").encode()


_UTF7 = re.compile(rb"[+&]([A-D2][A-Za-z0-9+/,]{2,}+)(?:-|(?![A-Za-z0-9+/=]))")
_COMMA_TO_SLASH = bytes.maketrans(b",", b"/")


def utf7(view: View, _budget: Budget) -> Iterator[View]:
    """UTF-7 (RFC 2152), and its variant for mailbox names (RFC 3501, 5.1.3), of scripts below U+1000 and emoji."""
    builder = Builder()
    for run in lines_with(_UTF7, view.data):
        if any(_decode_utf7(found) != found[0] for found in _UTF7.finditer(view.data, *run)):
            replace(builder, view.data, run, _UTF7, _decode_utf7)
    if builder.size:
        yield builder.view(view, "utf-7")


def _decode_utf7(found: re.Match[bytes]) -> bytes:
    digits = found[1].translate(_COMMA_TO_SLASH)
    if len(digits) % 8 not in (0, 3, 6):
        return found[0]
    units = a2b_base64(digits + b"A" * (-len(digits) % 4))
    units, spare = units[: len(digits) * 6 // 16 * 2], units[len(digits) * 6 // 16 * 2 :]
    with suppress(ValueError):
        text = units.decode("utf-16-be")
        if text.isprintable() and not any(spare):
            return text.encode()
    return found[0]


_PUNYCODE = re.compile(rb"[xX][nN]--(?<![A-Za-z0-9-]....)([A-Za-z0-9-]{1,59}+)(?![A-Za-z0-9-])", re.DOTALL)


def punycode(view: View, _budget: Budget) -> Iterator[View]:
    """Labels of host names in other scripts (RFC 3492, RFC 5890)."""
    if b"--" in view.data:
        yield from _rewritten(view, "punycode", _PUNYCODE, _PUNYCODE, _decode_label)


def _decode_label(label: re.Match[bytes]) -> bytes:
    with suppress(ValueError):
        return label[1].decode("punycode").encode()
    return label[0]


class _Order(NamedTuple):
    """How UTF-16 looks in one byte order: which byte of a code unit is the upper one, a code unit of ASCII, text of
    most scripts, and of all."""

    name: str
    codec: str
    mark: bytes
    upper: int
    first: bytes
    text: re.Pattern[bytes]
    any_text: re.Pattern[bytes]


def _order(name: str, codec: str, mark: bytes, low_first: bool) -> _Order:
    def unit(high: bytes, low: bytes) -> bytes:
        return b"[%s][%s]" % ((low, high) if low_first else (high, low))

    pair = unit(rb"\xd8-\xdb", rb"\x00-\xff") + unit(rb"\xdc-\xdf", rb"\x00-\xff")
    latin = unit(rb"\x00", rb"\x01-\x7f\xa0-\xff")
    scripts = unit(rb"\x01-\x1f\x30", rb"\x00-\xff")
    signs = unit(rb"\x20", rb"\x0b-\xff")
    wide = unit(rb"\x31-\x9f\xac-\xd7\xf9-\xff", rb"\x00-\xff")
    text = b"|".join((latin, scripts, signs, pair))
    # A gap would be a letter, too, and what stands behind it no neighbour.
    no_gap = rb"(?![\x00-\xff]?%s)" % GAP
    return _Order(
        name,
        codec,
        mark,
        1 if low_first else 0,
        b"a" if low_first else b"0",
        re.compile(b"(?:%s(?:%s))*+" % (no_gap, text)),
        re.compile(b"(?:%s(?:%s|%s))*+" % (no_gap, text, wide)),
    )


_ORDERS = (
    _order("utf-16le", "utf-16-le", b"\xff\xfe", low_first=True),
    _order("utf-16be", "utf-16-be", b"\xfe\xff", low_first=False),
)
_UTF16 = classes((b"a", bytes(set(range(1, 128)) - set(GAP))), (b"0", b"\x00"))
_UTF16_RUN = re.compile(rb"(?:a0)+a?")
_MOST_STARTS = 2000
_UPPER = frozenset((*range(0x21), 0x30, *range(0xD8, 0xDC), 0xFE))
"""What the upper byte of the first code unit can be, at a start without a mark of order or with one (0xFEFF)."""


def utf16(view: View, _budget: Budget) -> Iterator[View]:
    """UTF-16 of both byte orders, at even and odd offsets (RFC 2781).

    It is known by eight characters of ASCII in a row, or by eight of any script where a value starts. Where the ends
    of a run leave open which order it is, both are read.
    """
    data = view.data
    classes = data.translate(_UTF16) if b"\x00" in data else b""
    cores = list(runs(classes, b"a0" * (MIN_UTF16 - 1), _UTF16_RUN, classes))
    for order in _ORDERS:
        anchors = [
            span
            for start in view.starts[:_MOST_STARTS]
            if start + 2 * MIN_UTF16 <= len(data) and data[start + order.upper] in _UPPER
            for span in _at_start(order, data, start)
        ]
        for at, end in cores:
            start = at - classes.startswith(b"0", at - 1) if at else at
            offset = 0 if classes.startswith(order.first, start) else 1
            if not offset or (end - start) % 2:
                anchors.append((start + offset, end - (end - start - offset) % 2))
        builder = Builder()
        for start, end in _widened(order, data, sorted(anchors)):
            _add_text(builder, data[start:end].decode(order.codec, "replace"), start, 2)
            builder.gap()
        if builder.size:
            yield builder.view(view, order.name)


# Blank lines and the like would be letters of rare scripts.
_NO_TEXT = re.compile(rb"[^\t\n\r -~]")


def _at_start(order: _Order, data: bytes, start: int) -> Iterator[Span]:
    marked = data.startswith(order.mark, start)
    found = (order.any_text if marked else order.text).match(data, start + 2 * marked)
    if found and len(found[0]) >= 2 * MIN_UTF16 and (marked or _NO_TEXT.search(found[0])):
        yield found.span()


def _widened(order: _Order, data: bytes, anchors: list[Span]) -> Iterator[Span]:
    """Each of `anchors` with the text of other scripts before and behind it, none twice."""
    done = 0
    for start, end in anchors:
        if start < done:
            continue
        while before := next((size for size in (2, 4) if _ends_at(order, data, done, start, size)), 0):
            start -= before
        found = order.text.match(data, end)
        done = found.end() if found else end
        yield start, done


def _ends_at(order: _Order, data: bytes, done: int, end: int, size: int) -> bool:
    found = order.text.match(data, end - size, end) if end - size >= done else None
    return found is not None and found.end() == end


# No last byte is zero beyond ASCII, so that a text is not read from one byte beside its beginning.
_UTF32 = (
    ("utf-32le", re.compile(rb"(?:[\t\n\r -~\xa0-\xff]\0\0\0|[\x01-\xff][\x01-\xd7]\0\0|[\x00-\xff]{2}[\1-\3]\0){8,}")),
    ("utf-32be", re.compile(rb"(?:\0\0\0[\t\n\r -~\xa0-\xff]|\0\0[\x01-\xd7][\x01-\xff]|\0[\1-\3][\x00-\xff]{2}){8,}")),
)


_ZEROS = classes((b"0", b"\0"), (b"x", bytes(range(1, 256))))
_EVERY_FOURTH = (b"x000x000", b"xx00xx00")
_ONE_TEXT = 64


def utf32(view: View, _budget: Budget) -> Iterator[View]:
    """UTF-32 of both byte orders anywhere (Unicode, 3.10)."""
    # Each character has two zeros or more in a row, noise of 64 KiB has one such pair.
    if len(list(islice(places(b"\0\0", view.data), MIN_UTF16 // 2))) < MIN_UTF16 // 2:
        return
    zeros = view.data.translate(_ZEROS)
    spots = sorted(spot for probe in _EVERY_FOURTH for spot in places(probe, zeros))
    for name, pattern in _UTF32 if spots else ():
        builder, done = Builder(), 0
        for spot in spots:
            if spot < done:
                continue
            near = pattern.search(view.data, max(done, spot - 8), spot + _ONE_TEXT)
            if near is not None and (found := pattern.match(view.data, near.start())):
                _add_text(builder, found[0].decode(f"utf-32-{name[-2:]}", "replace"), found.start(), 4)
                builder.gap()
                done = found.end()
        if builder.size:
            yield builder.view(view, name)


def _add_text(builder: Builder, text: str, source: int, unit: int) -> None:
    """Append `text`, whose characters are of `unit` bytes in the source, and beyond the first plane of four."""
    for size, run in groupby(text, _size) if not text.isascii() else ((1, text),):
        data = "".join(run).encode()
        width = 4 if size == 4 else unit
        builder.add(data, source, size, width)
        source += len(data) // size * width


def _size(character: str) -> int:
    return len(character.encode())
