"""Digests of a secret together with something else that stands in the same recording."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error, unhexlify
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lab.detect import digests
from lab.detect.decoders.runs import classes, runs
from lab.detect.normal import normal_forms
from lab.detect.patterns import Match, Value
from lab.detect.views import View

REMEMBERED = 2_000
"""Salts whose digests are kept for the next search."""

KEPT = 2**20
"""Bytes of text of a recording that are kept for salts."""

_TOKEN = classes((b"x", b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"), (b"=", b"="))
_SHORTEST, _LONGEST = 22, 128
_TOKEN_RUN, _TOKEN_END = re.compile(rb"x++"), re.compile(rb"={0,2}+(?![x=])")
_HEX = re.compile(rb"(?:[0-9a-f]{2})+|(?:[0-9A-F]{2})+")
# For text in lower case: a search that must look at both cases of each letter takes ten times as long.
_NAMED = re.compile(
    rb"""(?:salt|pepper|nonce|seed|secret|key|session|sid)[\w-]{0,8}["']?\s{0,3}[:=]\s{0,3}["']?([^\s"'&;,}\]]{1,64})"""
)
_VALUE = re.compile(rb"(?<![\w.~+/-])(?=[\w.~+/-]{0,63}[0-9])[\w.~+/-]{4,64}={0,2}(?![\w.~+/=-])")
_FROM_URLSAFE = bytes.maketrans(b"-_", b"+/")


class Token(NamedTuple):
    """Something at [start, end) of a view that is as long as a digest, as written in `encoding`."""

    view: View
    start: int
    end: int
    data: bytes
    encoding: str


class Session:
    """The text seen so far in one recording, for it may hold salts: the same object for all searches of a recording."""

    def __init__(self) -> None:
        self._texts: deque[bytes] = deque()
        self._size = 0

    def note(self, text: bytes) -> None:
        """Remember `text`, and forget the oldest beyond what is kept."""
        self._texts.append(text[-KEPT:])
        self._size += len(self._texts[-1])
        while self._size > KEPT:
            self._size -= len(self._texts.popleft())

    def salts(self) -> Iterator[bytes]:
        """Values that may be salts, the likely ones first: those named so, then the newest of the others.

        Each also as the bytes that it may stand for.
        """
        seen: set[bytes] = set()
        for written in (_named, _VALUE.findall):
            # A search tries a few of them, so no more are looked for.
            for value in (value for text in reversed(self._texts) for value in reversed(written(text))):
                if value not in seen:
                    seen.add(value)
                    yield value
                    yield from _read(value)


def _named(text: bytes) -> list[bytes]:
    return [text[slice(*found.span(1))] for found in _NAMED.finditer(text.lower())]


def tokens(view: View) -> Iterator[Token]:
    """Everything in a view that is as long as a digest."""
    known = view.data.translate(_TOKEN)
    for start, end in runs(known, b"x" * _SHORTEST, _TOKEN_RUN, known):
        behind = _TOKEN_END.match(known, end)
        if behind and end - start <= _LONGEST:
            written = view.data[start : behind.end()]
            if _HEX.fullmatch(written) and len(written) // 2 in digests.SIZES:
                yield Token(view, start, behind.end(), unhexlify(written), "hex")
            elif (data := _from_base64(written)) is not None and len(data) in digests.SIZES:
                yield Token(view, start, behind.end(), data, "base64")


class Salted:
    """Tries salts on the values of a search, and remembers what came out. Decoys come after a hit: only then can they
    say anything about it, and nearly no salt hits."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._forms = [(value, data) for value in values for data in normal_forms(value.data) if not value.decoy]
        self._decoys = [(value, data) for value in values for data in normal_forms(value.data) if value.decoy]
        self._known: dict[tuple[bytes, frozenset[int]], _Made] = {}

    def matches(self, found: Sequence[Token], salts: Iterable[bytes], most: int) -> Iterator[tuple[Token, Match]]:
        """The tokens that are digests of a value with a salt, as far as `most` digests reach."""
        by_data = {token.data: token for token in found}
        sizes = frozenset(map(len, by_data))
        tried = 0
        for salt in salts if by_data and most else ():
            if tried >= most:
                return
            made = self._digests(salt, sizes)
            tried += len(made)
            if made.keys() & by_data.keys():
                made = _made(self._decoys, salt, sizes) | made
            for data in made.keys() & by_data.keys():
                value, how = made[data]
                token = by_data[data]
                yield token, Match(value.name, value.decoy, token.start, token.end, (token.encoding, how))

    def _digests(self, salt: bytes, sizes: frozenset[int]) -> _Made:
        key = (salt, sizes)
        if key not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = _made(self._forms, salt, sizes)
        return self._known[key]


_Made = dict[bytes, tuple[Value, str]]


def _made(forms: Iterable[tuple[Value, bytes]], salt: bytes, sizes: frozenset[int]) -> _Made:
    return {data: (value, how) for value, form in forms for data, how in digests.with_salt(form, salt, sizes)}


def _read(written: bytes) -> Iterator[bytes]:
    if len(written) >= 8:
        if _HEX.fullmatch(written):
            yield unhexlify(written)
        elif (data := _from_base64(written)) is not None:
            yield data


def _from_base64(written: bytes) -> bytes | None:
    bare = written.rstrip(b"=").translate(_FROM_URLSAFE)
    try:
        return b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except Error:
        return None
