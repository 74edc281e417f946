"""All that is searched as it stands: forms, digests and pieces of all secrets and their decoys, in one automaton.

The automaton (Aho and Corasick 1975; the package ahocorasick_rs) reads each byte once, however many patterns there
are. It holds only an anchor of each pattern, in lower case, and is given bytes in lower case, so that one pass finds
every spelling; what stands around an anchor is compared afterwards. Of the libraries for this, hyperscan is forty
times as fast, but takes three times as long to build and is not to be had for every machine; pyahocorasick is six
times slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from ahocorasick_rs import BytesAhoCorasick

from lab.detect import digests, ordinary
from lab.detect.forms import forms
from lab.detect.normal import NATIONAL, WITHOUT_CODE, text_of

ANCHOR = 12
"""Bytes of a pattern in the automaton, at most. Eight bytes suffice against chance (see ordinary.MIN_VALUE)."""

_VARIED = 4
"""Different bytes in an anchor that is taken as it comes. In UTF-32 it has three characters and zeros."""

_LONG = 128
"""Bytes of a value beyond which not every piece of it is looked for."""

_OF_TOKENS = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
XORED = tuple(bytes(byte ^ key for byte in range(256)) for key in range(256))
"""For each key, what every byte becomes with it."""

_CASELESS = frozenset({("hex",), ("percent",), ("urlencoded",)})
_DIGITS = b"0123456789"
_NO_DIGITS = bytes(set(range(256)) - set(_DIGITS))
_LONGEST_CODE = 6
"""Digits of the code of a country with the zeros before it, and one more."""
_WITHOUT_COUNTRY = frozenset({(NATIONAL,), (WITHOUT_CODE,)})
"""Forms of a telephone number that are another one, such as that of another country, where more digits are around."""


class Wanted(Protocol):
    """What can be searched for: a name for reports, the value, and values drawn like it that were planted nowhere."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> bytes: ...
    @property
    def decoys(self) -> tuple[bytes, ...]: ...


class Match(NamedTuple):
    """Secret `name` (or a decoy of it) at [start, end) of the searched bytes, once `decoders` are undone.

    `partial` is None for the whole value, else how many bytes of it these are.
    """

    name: str
    decoy: bool
    start: int
    end: int
    decoders: tuple[str, ...]
    partial: int | None = None


class Value(NamedTuple):
    """A value to look for, and what each of its bytes adds that cannot be guessed."""

    name: str
    decoy: bool
    data: bytes
    bits: tuple[float, ...]


class _Pattern(NamedTuple):
    """`data` stands for `value`; its anchor starts at `anchor`. `check` compares the rest, given where that is."""

    value: Value
    data: bytes
    anchor: int
    decoders: tuple[str, ...]
    check: Callable[[_Pattern, bytes, bytes, int], Match | None]


class _Anchors:
    """An automaton over a part of each pattern; finds where the patterns would begin."""

    def __init__(self) -> None:
        self._patterns: dict[bytes, list[_Pattern]] = {}

    def add(self, pattern: _Pattern, data: bytes) -> None:
        """`data` is the pattern as `find` will see it."""
        self._patterns.setdefault(data[pattern.anchor : pattern.anchor + ANCHOR], []).append(pattern)

    def build(self) -> None:
        self._automaton = BytesAhoCorasick(list(self._patterns))
        self._groups = list(self._patterns.values())

    def find(self, data: bytes) -> Iterator[tuple[_Pattern, int]]:
        """Each pattern whose anchor stands in `data`, and where it would begin, which may be before `data`."""
        for index, start, _ in self._automaton.find_matches_as_indexes(data, overlapping=True):
            for pattern in self._groups[index]:
                yield pattern, start - pattern.anchor


class Patterns:
    """Built once for a set of secrets; searching changes nothing."""

    def __init__(self, secrets: Iterable[Wanted]) -> None:
        """Raises ValueError, with the reason, for a value that cannot be told from what others write."""
        self.values = tuple(_values(secrets))
        self._anchors, self._xored = _Anchors(), _Anchors()
        for value in self.values:
            for pattern in _patterns(value):
                self._anchors.add(pattern, pattern.data.lower())
            for data in dict.fromkeys((value.data, value.data.lower(), value.data.upper())):
                self._xored.add(_Pattern(value, data, _anchor(data[1:]), (), _check_xored), _differences(data))
        self._anchors.build()
        self._xored.build()

    def search(self, data: bytes) -> Iterator[Match]:
        """Every form, digest, checksum and piece of a value in `data`, in the order of where their anchors end."""
        folded = data.lower()
        for pattern, at in self._anchors.find(folded):
            if match := pattern.check(pattern, data, folded, at):
                yield match

    def search_xored(self, data: bytes) -> Iterator[Match]:
        """Every value in `data` whose bytes were all combined with one and the same byte by exclusive or.

        The difference of neighbours is the same whatever the key, so one pass finds all keys.
        """
        for pattern, at in self._xored.find(_differences(data)):
            if match := pattern.check(pattern, data, b"", at):
                yield match


def _values(secrets: Iterable[Wanted]) -> Iterator[Value]:
    for secret in secrets:
        for number, data in enumerate((secret.value, *secret.decoys)):
            if reason := ordinary.refusal(data):
                raise ValueError(f"{secret.name}: {reason}")
            others = secret.decoys if number == 0 else (secret.value,)
            yield Value(secret.name, number > 0, data, ordinary.bits(data, others if secret.decoys else ()))


def _patterns(value: Value) -> Iterator[_Pattern]:
    is_text = text_of(value.data) is not None
    for form in forms(value.data):
        check = _check_folded if is_text or form.decoders in _CASELESS else _check_bytes
        if form.decoders in _WITHOUT_COUNTRY:
            check = _check_number
        yield _Pattern(value, form.data, _anchor(form.data), form.decoders, check)
    for digest in digests.plain(value.data):
        yield _Pattern(value, digest.data, 0, (digest.how,), _check_bytes)
    for checksum in digests.checksums(value.data):
        yield _Pattern(value, checksum.data, 0, (checksum.how,), _check_token)
    folded = value.data.lower()
    for anchor in dict.fromkeys(_piece_anchors(value)):
        yield _Pattern(value, folded, anchor, (), _check_piece)


def _anchor(data: bytes) -> int:
    """Where the anchor of a pattern starts: at its end, for there stands a random tag, if any.

    What repeats itself would be found in every row of equal bytes, so then it is where most bytes differ.
    """
    last = max(0, len(data) - ANCHOR)
    if _variety(data, last) >= _VARIED:
        return last
    found, best, most = last, 0, min(ANCHOR, len(set(data)))
    for at in range(last, -1, -1):
        if (variety := _variety(data, at)) > best:
            found, best = at, variety
        if best == most:
            break
    return found


def _variety(data: bytes, at: int) -> int:
    return len(set(data[at : at + ANCHOR]))


def _piece_anchors(value: Value) -> Iterator[int]:
    """Where the anchors of pieces stand that are just long enough to count: at their beginning, if it tells anything.

    Of a long value not all of them, but so many that every piece of twice that length has one in it.
    """
    end, held, due = 0, 0.0, 0
    for start in range(len(value.data)):
        while end < len(value.data) and (held < ordinary.PIECE_BITS or end - start < ordinary.MIN_VALUE):
            held += value.bits[end]
            end += 1
        if held < ordinary.PIECE_BITS or end - start < ordinary.MIN_VALUE:
            return
        if start >= due and value.bits[start] > 0:
            yield start if _variety(value.data, start) >= _VARIED else max(start, end - ANCHOR)
            due = start + 1 if len(value.data) <= _LONG else end
        held -= value.bits[start]


def _matched(pattern: _Pattern, at: int, case: tuple[str, ...] = ()) -> Match:
    value = pattern.value
    return Match(value.name, value.decoy, at, at + len(pattern.data), pattern.decoders + case)


def _check_bytes(pattern: _Pattern, data: bytes, folded: bytes, at: int) -> Match | None:
    return _matched(pattern, at) if at >= 0 and data.startswith(pattern.data, at) else None


def _check_folded(pattern: _Pattern, data: bytes, folded: bytes, at: int) -> Match | None:
    if at < 0 or not folded.startswith(pattern.data.lower(), at):
        return None
    # The digits of hexadecimal and percent-encoding mean the same in either case.
    case = () if pattern.decoders else _case(data[at : at + len(pattern.data)], pattern.data)
    return _matched(pattern, at, case)


def _check_token(pattern: _Pattern, data: bytes, folded: bytes, at: int) -> Match | None:
    """A checksum is short: it counts only where it stands alone."""
    end = at + len(pattern.data)
    if at < 0 or not folded.startswith(pattern.data, at):
        return None
    around = data[max(0, at - 1) : at] + data[end : end + 1]
    return None if any(byte in _OF_TOKENS for byte in around) else _matched(pattern, at)


def _check_number(pattern: _Pattern, data: bytes, folded: bytes, at: int) -> Match | None:
    """A number without the code of its country counts only where no digits are around but those of that code."""
    end = at + len(pattern.data)
    if at < 0 or not data.startswith(pattern.data, at) or data[end : end + 1].isdigit():
        return None
    before = data[max(0, at - _LONGEST_CODE) : at]
    code = before[len(before.rstrip(_DIGITS)) :]
    whole = pattern.value.data.translate(None, _NO_DIGITS)
    own = whole[: len(whole) - len(pattern.data.removeprefix(b"0"))].removeprefix(b"00")
    return _matched(pattern, at) if code in (b"", own, b"00" + own) else None


def _check_piece(pattern: _Pattern, data: bytes, folded: bytes, at: int) -> Match | None:
    """As much of the value as stands there, unless that is all of it or too little."""
    whole, value = pattern.data, pattern.value
    if at >= 0 and folded.startswith(whole, at):
        return None
    low = high = pattern.anchor
    while low > 0 and at + low > 0 and folded[at + low - 1] == whole[low - 1]:
        low -= 1
    while high < len(whole) and at + high < len(folded) and folded[at + high] == whole[high]:
        high += 1
    if sum(value.bits[low:high]) < ordinary.PIECE_BITS:
        return None
    return Match(value.name, value.decoy, at + low, at + high, (), high - low)


def _check_xored(pattern: _Pattern, data: bytes, folded: bytes, at: int) -> Match | None:
    there = data[max(0, at) : at + len(pattern.data)]
    if len(there) < len(pattern.data) or at < 0 or there == pattern.data:
        return None
    key = there[0] ^ pattern.data[0]
    if there.translate(XORED[key]) != pattern.data:
        return None
    return _matched(pattern, at, (f"xor 0x{key:02x}", *_case(pattern.data, pattern.value.data)))


def _case(written: bytes, value: bytes) -> tuple[str, ...]:
    if written == value:
        return ()
    if written == value.lower():
        return ("lowercase",)
    return ("uppercase",) if written == value.upper() else ("mixed case",)


def _differences(data: bytes) -> bytes:
    """Each byte combined with the next one by exclusive or; one byte shorter than `data`."""
    number = int.from_bytes(data)
    return (number ^ number >> 8).to_bytes(len(data))[1:]
