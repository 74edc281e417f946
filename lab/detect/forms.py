"""A secret's own encodings, to be searched as they are, whether or not their surroundings can be decoded.

Base64 is not among them: there the same value looks different behind each neighbour and shares characters with it, so
only decoding tells it from a value that differs in the last bits.
"""

from __future__ import annotations

import codecs
import json
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from lab.detect.normal import UUID, numbers, text_of

_FULL_WIDTH = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {" ": "\u3000"}
_BETWEEN = (*" -.,:;_|/*+~#\t\n\0\u200b\xad", "\r\n", ", ")


class Form(NamedTuple):
    """One way in which a value may be written; `decoders` lead back to it, none for the value itself."""

    data: bytes
    decoders: tuple[str, ...]


def forms(value: bytes) -> tuple[Form, ...]:
    """The forms of `value`, the value itself first, none twice. Forms of text are left out where it is not UTF-8.

    Forms that differ in the case of ASCII letters alone are one: the search tells them apart.
    """
    found: dict[bytes, Form] = {}
    for form in (Form(value, ()), *_text_forms(value), *_byte_forms(value), *_turned(value)):
        found.setdefault(form.data.lower(), form)
    return tuple(found.values())


def _turned(value: bytes) -> Iterator[Form]:
    """Hexadecimal digits of `value` with their letters moved (rot13) or read from the end."""
    digits = value.hex()
    yield Form(codecs.encode(digits, "rot13").encode(), ("rot13", "hex"))
    yield Form(digits[::-1].encode(), ("reversed", "hex"))


def _byte_forms(value: bytes) -> Iterator[Form]:
    yield Form(value.hex().encode(), ("hex",))
    yield Form(quote(value, safe="").encode(), ("percent",))
    yield Form(quote_plus(value).encode(), ("urlencoded",))
    yield Form(("%" + value.hex("%")).encode(), ("percent",))
    yield Form(value[::-1], ("reversed",))


def _separated(text: str) -> Iterator[Form]:
    """With something between the letters: where all are of one byte, a decoder sees to that."""
    for size, between in ((1, _BETWEEN), (3, " -"), (4, " -")):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        for mark in between:
            yield Form(mark.join(pieces).encode(), ("separated",))


def _text_forms(value: bytes) -> Iterator[Form]:
    text = text_of(value)
    if text is None:
        # Programs that take bytes for characters write them so.
        yield Form(value.decode("latin-1").encode(), ("latin-1",))
        return
    for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        yield Form(text.encode(codec), (codec[:6] + codec[7:],))
    yield Form(json.dumps(text)[1:-1].encode(), ("json",))
    # Host names and addresses may be folded on their way; ASCII letters are folded by the search.
    yield Form(text.lower().encode(), ("lowercase",))
    yield Form(text.upper().encode(), ("uppercase",))
    yield Form(text.casefold().encode(), ("casefold",))
    for mixed in (text.title(), text[0].upper() + text[1:], text[0].lower() + text[1:]):
        yield Form(mixed.encode(), ("mixed case",))
    yield Form(codecs.encode(text, "rot13").encode(), ("rot13",))
    yield Form(text[::-1].encode(), ("reversed",))
    yield Form("".join(_FULL_WIDTH.get(char, char) for char in text).encode(), ("nfkc",))
    for number, how in numbers(text):
        yield Form(number.encode(), (how,))
    if UUID.fullmatch(text.lower()):
        yield Form(bytes.fromhex(text.replace("-", "")), ("uuid",))
        yield Form(text.replace("-", "").encode(), ("without dashes",))
    if not text.isascii():
        yield from _separated(text)
    yield Form("\xad".join(text).encode("latin-1", "replace"), ("soft hyphens",))
    # Its letters are of ASCII, so that the search folds them: also capitals for what had one small letter for two.
    yield Form(unicodedata.normalize("NFD", text.casefold()).encode(), ("nfd", "casefold"))
    for normal in ("NFC", "NFD", "NFKC", "NFKD"):
        yield Form(unicodedata.normalize(normal, text).encode(), (normal.lower(),))
    for codec in ("latin-1", "cp1252"):
        try:
            yield Form(text.encode(codec), (codec,))
        except UnicodeEncodeError:
            continue
