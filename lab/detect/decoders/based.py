"""Binary-to-text encodings.

Each run of an alphabet is read from every alignment, for it may begin with a word that is glued to it. Ordinary text
is full of runs that look like words or like something else. Those are left out, and what that may cost is said where
it is done, as the share of random values of the least size (8 bytes) that are missed; it vanishes as values grow.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, unhexlify
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice, zip_longest
from typing import NamedTuple

from lab.detect.budget import Budget
from lab.detect.decoders.runs import (
    LINE_BREAK,
    MIN_BASE32,
    MIN_BASE58,
    MIN_BASE64,
    MIN_BASE85,
    MIN_HEX,
    a_line,
    classes,
    grouped,
    in_lines,
    runs,
)
from lab.detect.ordinary import MIN_VALUE
from lab.detect.probe import first
from lab.detect.views import Builder, Repeated, Span, View

_NUMERALS = b"0123456789"
_UPPER = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = b"abcdefghijklmnopqrstuvwxyz"

_BASE64 = classes((b"x", _UPPER + _LOWER + _NUMERALS + b"+/-_"), (b"n", b"\n"), (b"=", b"="))
_BASE64_LINE = a_line(rb"A-Za-z0-9+/_-")
_BASE64_RUN = in_lines(rb"A-Za-z0-9+/_-")
_TO_BASE64 = bytes.maketrans(b"-_.~,", b"+/++/")
_KIND = re.compile(
    rb"(?P<hex>[0-9a-f\s-]*+|[0-9A-F\s-]*+)"
    rb"|(?P<words>[A-Z]?[a-z]*+[0-9]{0,9}+(?:[/_\s>-]++[A-Z]?[a-z]*+[0-9]{0,9}+)*+|[A-Z/_\s-]*+)"
)
_NO_WORDS = re.compile(rb"[A-Z]{13}|[b-df-hj-np-tv-xz]{5}|[a-z]{24}")
_NARROWEST = 4
_GLUE = re.compile(rb"[/_-](?=[A-Za-z0-9+]{6})")
_GLUED = 64
_MAX_GLUE = 4


class _Token(NamedTuple):
    """A run of base64 digits. `kind`: "hex" digits, "words" that may be base32, or what is neither, ""."""

    start: int
    end: int
    kind: str


class _Tokens(NamedTuple):
    """The tokens of a view as they stand there first, and where they stand again."""

    found: tuple[_Token, ...]
    again: tuple[Repeated, ...]


@lru_cache(maxsize=1)
def _tokens(data: bytes) -> _Tokens:
    """The runs that several decoders look into, without those that look like words, paths and short numbers.

    1 in 1,000 random runs of 11 base64 digits looks so, of 16 digits 1 in 100,000. Host names and numbers of messages
    stand in every line and every request, so what is the same is decoded once.
    """
    starts: dict[bytes, list[int]] = {}
    for start, end in runs(data.translate(_BASE64), b"x" * MIN_BASE64, _BASE64_RUN, data):
        starts.setdefault(data[start:end], []).append(start)
    tokens: list[_Token] = []
    again: list[Repeated] = []
    for run, (start, *others) in starts.items():
        end = start + len(run)
        known = _KIND.fullmatch(run)
        kind = known.lastgroup or "" if known else ""
        if kind != "words" or _NO_WORDS.search(run):
            tokens.append(_Token(start, end, kind))
            if others:
                again.append(Repeated(start, end, tuple(other - start for other in others)))
    return _Tokens(tuple(tokens), tuple(again))


def base64(view: View, _budget: Budget) -> Iterator[View]:
    """Base64 of both alphabets (RFC 4648, 4 and 5), padded or not, also broken into lines of 4 digits or more."""
    digits = Builder()
    tokens = _tokens(view.data)
    for token in tokens.found:
        if not token.kind:
            _add_base64(digits, view.data, token[:2], _BASE64_LINE)
    for run in _narrow_runs(view.data.translate(_BASE64), view.data):
        if not _KIND.fullmatch(view.data, *run):
            _add_base64(digits, view.data, run, _BASE64_LINE)
    if digits.size:
        yield grouped(digits.view(view, again=tokens.again), "base64", a2b_base64, 3, 4)


def _add_base64(digits: Builder, data: bytes, run: Span, line: re.Pattern[bytes]) -> None:
    at, end = run
    # What is glued to the front may end with one of the digits that are no letters: a value may start behind it.
    glued = [glue.end() for glue in islice(_GLUE.finditer(data, at, min(at + _GLUED, end)), _MAX_GLUE)]
    if _in_lines(data, run):
        for behind in glued:
            _add_lines(digits, data, (at, behind), line, _TO_BASE64)
            digits.mark()
            at = behind
    else:
        for behind in glued:
            digits.mark(behind - at)
    _add_lines(digits, data, (at, end), line, _TO_BASE64)
    _end_run(digits, 4, b"A")


def _in_lines(data: bytes, run: Span) -> bool:
    """Whether a run goes over line breaks (see runs.LINE_BREAK)."""
    return data.find(b"\n", *run) >= 0 or data.find(b"\\n", *run) >= 0


def _add_lines(digits: Builder, data: bytes, run: Span, line: re.Pattern[bytes], table: bytes) -> None:
    if not _in_lines(data, run):
        digits.add(data[slice(*run)].translate(table), run[0])
        return
    for part in line.finditer(data, *run):
        digits.add(part[1].translate(table), part.start(1))


def _end_run(digits: Builder, group: int, filler: bytes) -> None:
    """Fill the last group and one more, so that the next run begins with a group at every alignment."""
    digits.gap(filler * (-digits.size % group + group))


_LINE_END = re.compile(rb"[A-Za-z0-9+/_-]{1,10}+%b\Z" % LINE_BREAK)


def _narrow_runs(known: bytes, data: bytes) -> Iterator[Span]:
    """Lines too short to be noticed one by one: two of the same length are."""
    at = done = 0
    previous = b""
    for line in known.split(b"n"):
        if line == previous and at > done:
            digits = line.strip(b"\0")
            if _NARROWEST <= len(digits) < MIN_BASE64 and b"\0" not in digits:
                start = at - 1 - len(line) + line.index(b"x")
                # The line before may begin with something else.
                if before := _LINE_END.search(data, max(done, start - 2 * MIN_BASE64), start):
                    start = before.start()
                if found := _BASE64_RUN.match(data, start):
                    done = found.end()
                    yield start, done
        previous = line
        at += len(line) + 1


_PIECES = re.compile(rb"(?:[A-Za-z0-9+/_-]{2,}+={1,2}+(?:%b)?)++[A-Za-z0-9+/_-]*+" % LINE_BREAK)
_PIECE = re.compile(rb"(?:%b)?([A-Za-z0-9+/_-]+)(=*)" % LINE_BREAK)
_NEAR = 256


def base64_pieces(view: View, _budget: Budget) -> Iterator[View]:
    """Base64 that was padded before it was put together, so that padding in the middle says where groups end."""
    builder = Builder()
    known = view.data.translate(_BASE64)
    at, end = known.find(b"=x"), 0
    while at >= 0:
        # Groups are counted from the end of the first piece, so that it need not be whole.
        near = max(end, at - _NEAR)
        run = _PIECES.match(view.data, max(near, known.rfind(b"\0", near, at) + 1, known.rfind(b"n", near, at) + 1))
        end = at + 1
        if run and len(run[0]) > MIN_BASE64:
            end = max(end, run.end())
            _add_pieces(builder, [*_PIECE.finditer(view.data, *run.span())])
        at = known.find(b"=x", end)
    if builder.size:
        yield builder.view(view, "base64")


def _add_pieces(builder: Builder, pieces: list[re.Match[bytes]]) -> None:
    # "name=value" looks like two pieces.
    if all(len(piece[2]) < 2 and _KIND.fullmatch(piece[1]) for piece in pieces[:-1]):
        return
    for number, piece in enumerate(pieces):
        padding = len(piece[2])
        skipped = (len(piece[1]) + padding) % 4 if padding else 0
        if skipped and number:
            builder.gap()
        whole = len(piece[1]) - skipped - (4 - padding if padding else len(piece[1]) % 4)
        if whole < 0:
            continue
        start = piece.start(1) + skipped
        digits = piece[1][skipped:].translate(_TO_BASE64)
        builder.add(a2b_base64(digits[:whole]), start, 3, 4)
        if padding:
            builder.add_whole(a2b_base64(digits[whole:] + piece[2]), start + whole, 4)
    builder.gap()


_TOKEN = classes((b"x", _UPPER + _LOWER + _NUMERALS + b"+/-_"), (b".", b".~,"))
_TOKEN_RUN = re.compile(rb"[A-Za-z0-9+/_.~,-]{%d,}" % MIN_BASE64)
_TOKEN_LINE = a_line(rb"A-Za-z0-9+/_.~,-")
_MIXED = re.compile(rb"(?=.*?[0-9])(?=.*?[A-Z])(?=.*?[a-z])")
_TO_BCRYPT = bytes.maketrans(b"./" + _UPPER + _LOWER + _NUMERALS, _UPPER + _LOWER + _NUMERALS + b"+/")
_NOT_BCRYPT = re.compile(rb"[^./A-Za-z0-9]")


def base64_variants(view: View, _budget: Budget) -> Iterator[View]:
    """Base64 with ".", "~" or "," in its alphabet: of IMAP (RFC 3501, 5.1.3), of URL tokens, and of bcrypt."""
    digits, bcrypt = Builder(), Builder()
    known = view.data.translate(_TOKEN)
    at = known.find(b"x.x")
    while at >= 0:
        start = known.rfind(b"\0", 0, at) + 1
        token = _TOKEN_RUN.match(view.data, start)
        if token and _MIXED.match(token[0]):
            _add_base64(digits, view.data, token.span(), _TOKEN_LINE)
            if not _NOT_BCRYPT.search(token[0]):
                _add_lines(bcrypt, view.data, token.span(), _TOKEN_LINE, _TO_BCRYPT)
                _end_run(bcrypt, 4, b"A")
        at = known.find(b"x.x", token.end() if token else at + 2)
    for builder, name in ((digits, "base64"), (bcrypt, "base64-bcrypt")):
        if builder.size:
            yield grouped(builder.view(view), name, a2b_base64, 3, 4)


# Base32 in all its alphabets. Python reads digits of base 32 as "0" to "9" and "A" to "V".

_VALUES_32 = b"0123456789ABCDEFGHIJKLMNOPQRSTUV"
_ONE_CASE = re.compile(rb"[A-Z0-9]{13,}+(?:%b[A-Z0-9]++)*+|[a-z0-9]{13,}+(?:%b[a-z0-9]++)*+" % (LINE_BREAK, LINE_BREAK))
_OF_ONE_CASE = (classes((b"x", _UPPER + _NUMERALS)), classes((b"x", _LOWER + _NUMERALS)))
_CASE_PROBE = b"x" * 13
_HEX_ONLY = re.compile(rb"[0-9a-f\s]*+|[0-9A-F\s]*+")
_NO_WORD = re.compile(rb"[0-9]|" + _NO_WORDS.pattern)


class _Base32(NamedTuple):
    name: str
    lower: bool
    line: re.Pattern[bytes]
    run: re.Pattern[bytes]
    table: bytes


def _alphabet32(name: str, alphabet: bytes) -> Iterator[_Base32]:
    for cased in (alphabet, alphabet.lower()):
        table = bytes.maketrans(cased, _VALUES_32)
        yield _Base32(name, cased.islower(), a_line(cased), in_lines(cased), table)


_BASE32 = (
    *_alphabet32("base32", _UPPER + b"234567"),
    *_alphabet32("base32hex", _VALUES_32),
)


def base32(view: View, _budget: Budget) -> Iterator[View]:
    """Base32 and base32hex (RFC 4648, 6 and 7), each in upper or lower case, padded or not, in lines.

    Lower-case words are left out: no figure but at the end, not five consonants in a row, fewer than 24 letters. Of
    values of 8 bytes 1 in 15 looks so, of 12 bytes 1 in 200. So are hexadecimal digits.
    """
    found: dict[str, Builder] = {}
    for start, end in _in_one_case(view.data):
        cased = view.data[start:end]
        if _HEX_ONLY.fullmatch(cased) or not _NO_WORD.search(cased):
            continue
        for alphabet in _BASE32:
            for run in alphabet.run.finditer(view.data, start, end) if alphabet.lower == cased.islower() else ():
                if len(run[0]) >= MIN_BASE32 and _NO_WORD.search(run[0]):
                    digits = found.setdefault(alphabet.name, Builder())
                    _add_lines(digits, view.data, run.span(), alphabet.line, alphabet.table)
                    _end_run(digits, 8, b"0")
    again = _tokens(view.data).again if found else ()
    for name, digits in found.items():
        yield grouped(digits.view(view, again=again), name, _from_32, 5, 8)


def _in_one_case(data: bytes) -> Iterator[Span]:
    """The parts of tokens that keep to one case of letters, and begin with a line that is long enough."""
    tokens = [token for token in _tokens(data).found if token.kind != "hex"]
    known = [data.translate(one) for one in _OF_ONE_CASE] if tokens else []
    for at, end, _ in tokens:
        while begins := [start for one in known if (start := one.find(_CASE_PROBE, at, end)) >= 0]:
            run = _ONE_CASE.match(data, min(begins), end)
            at = run.end() if run else end
            yield min(begins), at


def _from_32(digits: bytes) -> bytes:
    return int(digits, 32).to_bytes(len(digits) // 8 * 5)


# Numbers of another base: the whole run is one number.

_MAX_NUMBER = 512
_NUMBER_RUN = re.compile(rb"[0-9A-Za-z]{%d,}+" % MIN_BASE58)
_NAME = re.compile(rb"[A-Z]*[a-z]*(?:[A-Z][a-z]+)*[0-9]?")


_BASE58 = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUES = bytes.maketrans(_BASE58, bytes(range(58)))
_BASE58_ONLY = re.compile(b"[%b]+" % _BASE58)


def base58(view: View, _budget: Budget) -> Iterator[View]:
    """Numbers in base 58 (Bitcoin's alphabet, with or without check): whole runs, up to 512 digits.

    Names in camel case of fewer than 20 letters are left out: 1 in 20 random values of 8 bytes, 1 in 1,000 of 12.
    """
    builder = Builder()
    tokens = _tokens(view.data)
    for token in tokens.found:
        if token.kind or _looks_like_base64(view.data, token):
            continue
        for run in _NUMBER_RUN.finditer(view.data, token.start, token.end):
            digits = run[0]
            if (
                len(digits) > _MAX_NUMBER
                or (len(digits) < 20 and _NAME.fullmatch(digits))
                or _HEX_ONLY.fullmatch(digits)
                or not _BASE58_ONLY.fullmatch(digits)
            ):
                continue
            # "z" in front says that what follows is base 58 (multibase).
            for skipped in range(1 + digits.startswith(b"z")):
                builder.add_whole(_number(digits[skipped:]), run.start() + skipped, len(digits) - skipped)
                builder.gap()
    if builder.size:
        yield builder.view(view, "base58", again=tokens.again)


def _looks_like_base64(data: bytes, token: _Token) -> bool:
    start, end, _ = token
    return data.find(b"+", start, end) >= 0 or (
        end - start > _GLUED and data.find(b"-", start, end) >= 0 and data.find(b"_", start, end) >= 0
    )


def _number(digits: bytes) -> bytes:
    number = 0
    for digit in digits.translate(_BASE58_VALUES):
        number = number * 58 + digit
    zeros = len(digits) - len(digits.lstrip(_BASE58[:1]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


# Base 85

_BREAK = rb"\r?\n[ \t]*+"
# Marks of base64 and of paths are no sign of base 85.
_KINDS = classes((b"a", _LOWER), (b"A", _UPPER), (b".", b"!\"#$%&'()*,.:;<>?@[\\]^`{|}~"))


class _Base85(NamedTuple):
    name: str
    known: bytes
    line: re.Pattern[bytes]
    run: re.Pattern[bytes]
    table: bytes
    marks: re.Pattern[bytes]


def _alphabet85(name: str, alphabet: bytes, marks: bytes, special: bytes = b"") -> _Base85:
    escaped = re.escape(alphabet + special)
    table = bytes.maketrans(alphabet, bytes(range(85)))
    known = classes((b"x", alphabet + special))
    return _Base85(name, known, a_line(escaped, _BREAK), in_lines(escaped, _BREAK), table, re.compile(marks))


_TAGS = rb"</?[a-z]+>|&[a-z]+[=;]"
_QUOTES = rb"""[\[{(:,=]"(?![\]}):,])|"(?:[\]}):,]+"?|\Z)"""
_B85 = _alphabet85("base85", _NUMERALS + _UPPER + _LOWER + b"!#$%&()*+-;<=>?@^_`{|}~", _TAGS)
_Z85 = _alphabet85("z85", _NUMERALS + _LOWER + _UPPER + b".-:+=^!/*?&<>()[]{}@%$#", _TAGS)
_ASCII85 = _alphabet85("ascii85", bytes(range(33, 118)), _TAGS + b"|" + _QUOTES, b"yz")
_SPECIAL = re.compile(rb"[yz]|[^yz]+")
_SPECIAL_VALUES = {b"z": bytes(5), b"y": bytes(digit - 33 for digit in b"+<VdL")}
_DECLARED_85 = re.compile(rb"<~([!-uyz\s]+)~>")


def base85(view: View, _budget: Budget) -> Iterator[View]:
    """Base 85 in the alphabets of RFC 1924 (as Git and Python use it) and of ZeroMQ (RFC 32/Z85)."""
    for alphabet in (_B85, _Z85):
        digits = Builder()
        for run in _runs_85(view.data, alphabet):
            _add_lines(digits, view.data, run, alphabet.line, alphabet.table)
            _end_run(digits, 5, b"\x54")
        if digits.size:
            yield grouped(digits.view(view), alphabet.name, _from_85, 4, 5)


def ascii85(view: View, _budget: Budget) -> Iterator[View]:
    """Ascii85 (btoa, Adobe), between "<~" and "~>" or not, in lines or not, with "z" for zeros and "y" for spaces."""
    digits = Builder()
    if view.data.find(b"<~") >= 0:
        for declared in _DECLARED_85.finditer(view.data):
            _add_ascii85(digits, view.data, declared.span(1))
    for run in _runs_85(view.data, _ASCII85):
        _add_ascii85(digits, view.data, run)
    if digits.size:
        yield grouped(digits.view(view), _ASCII85.name, _from_85, 4, 5)


def _add_ascii85(digits: Builder, data: bytes, run: Span) -> None:
    for line in _ASCII85.line.finditer(data, *run):
        for part in _SPECIAL.finditer(data, *line.span(1)):
            if special := _SPECIAL_VALUES.get(part[0]):
                digits.add(special, part.start(), 5, 1)
            else:
                digits.add(part[0].translate(_ASCII85.table), part.start())
    _end_run(digits, 5, b"\x54")


_RARE = 32


def _runs_85(data: bytes, alphabet: _Base85) -> Iterator[Span]:
    """The runs that look like base 85, and their parts where what is around a value may belong to the alphabet too."""
    kinds, known = data.translate(_KINDS), data.translate(alphabet.known)
    # There is no such run without capitals, but much text.
    at = kinds.find(b"A")
    end = 0
    while at >= 0:
        start = max(end, known.rfind(b"\0", end, at) + 1)
        stop = known.find(b"\0", at)
        if 0 <= stop < start + MIN_BASE85 and data[stop] not in b"\r\n":
            end = stop  # too short, and no line follows
            at = kinds.find(b"A", end)
            continue
        run = alphabet.run.match(data, start)
        end = max(run.end() if run else 0, at + 1)
        if end - start >= MIN_BASE85 and kinds.find(b".", start, end) >= 0:
            parts = [*_parts(data, start, end, alphabet.marks)]
            # A mark may also be part of the value, but not many of them.
            if 0 < len(parts) - 1 <= (end - start) // _RARE:
                parts.append((start, end))
            for low, high in parts:
                if high - low >= MIN_BASE85 and _mixed(kinds, low, high):
                    yield low, high
                    # Where a value ends with its line, the next one would complete its last group.
                    for line in alphabet.line.finditer(data, low, high) if b"\n" in data[low:high] else ():
                        if len(line[1]) >= MIN_BASE85 and _mixed(kinds, *line.span(1)):
                            yield line.span(1)
        at = kinds.find(b"A", end)


def _parts(data: bytes, start: int, end: int, marks: re.Pattern[bytes]) -> Iterator[Span]:
    at = start
    for mark in marks.finditer(data, start, end):
        yield at, mark.start()
        at = mark.end()
    yield at, end


def _mixed(kinds: bytes, start: int, end: int) -> bool:
    """Few pairs of small letters, but marks: unlike prose, source code, base64 or hexadecimal digits.

    Of random runs of 10 digits 1 in 7 does not look so, of 20 1 in 40, of 40 1 in 250.
    """
    size = end - start
    return kinds.count(b"aa", start, end) * 4 <= size and kinds.count(b".", start, end) * 24 >= size


_MANY_GROUPS = 8


def _from_85(digits: bytes) -> bytes:
    """Five digits each as four bytes. Of many groups all at once: one large number with five bytes for each group."""
    size = len(digits) // 5
    if size < _MANY_GROUPS:
        groups = (digits[at : at + 5] for at in range(0, 5 * size, 5))
        numbers = ((((a * 85 + b) * 85 + c) * 85 + d) * 85 + e for a, b, c, d, e in groups)
        return b"".join((number & 0xFFFFFFFF).to_bytes(4) for number in numbers)
    total = 0
    for place in range(5):
        lanes = bytearray(5 * size)
        lanes[::5] = digits[place::5]
        total = total * 85 + int.from_bytes(lanes, "little")
    lanes = bytearray(total.to_bytes(5 * size, "little"))
    data = bytearray(4 * size)
    for place in range(4):
        data[place::4] = lanes[3 - place :: 5]
    return bytes(data)


# Whole files as text


class _Lines(NamedTuple):
    """Lines of 3:4 digits behind one that says how many bytes they are."""

    name: str
    digits: bytes
    to_base64: bytes
    lengths: dict[int, int]


def _length_lines(name: str, digits: bytes, also_zero: bytes = b"") -> _Lines:
    base64_digits = _UPPER + _LOWER + _NUMERALS + b"+/"
    return _Lines(
        name,
        digits + also_zero,
        bytes.maketrans(digits + also_zero, base64_digits + b"A" * len(also_zero)),
        {digit: value for value, digit in enumerate(digits) if 0 < value <= 45},
    )


_UUENCODE = _length_lines("uuencode", bytes(range(32, 96)), b"`")
_XXENCODE = _length_lines("xxencode", b"+-" + _NUMERALS + _UPPER + _LOWER)
_MIN_LINE = 1 + 4 * -(-MIN_VALUE // 3)


def uuencode(view: View, _budget: Budget) -> Iterator[View]:
    """Lines of uuencode (POSIX) wherever the first character says the right length; of xxencode behind "begin"."""
    for kind in (_UUENCODE, _XXENCODE):
        if kind is _XXENCODE and view.data.find(b"begin ") < 0:
            continue
        builder = Builder()
        at, goes_on = 0, False
        for line in view.data.split(b"\n"):
            body = line.rstrip(b"\r")
            start = _length_at(body, kind, goes_on) if goes_on or len(body) >= _MIN_LINE else -1
            if goes_on and start:
                builder.gap()
            if start >= 0:
                _add_length_line(builder, body, start, at, kind)
            goes_on = start >= 0
            at += len(line) + 1
        if builder.size:
            yield builder.view(view, kind.name)


def _length_at(line: bytes, kind: _Lines, goes_on: bool) -> int:
    """Where in `line` a digit says how many bytes the rest of it is; -1 if nowhere."""
    size = len(line)
    first = len(line.rstrip(kind.digits))
    least = 2 if goes_on and not first else _MIN_LINE
    for start in range(max(first, size - 61), size - least + 1):
        length = kind.lengths.get(line[start], 0)
        if length and 4 * -(-length // 3) == size - 1 - start and not (start and line[start - 1 : start].isalnum()):
            return start
    return -1


def _add_length_line(builder: Builder, line: bytes, start: int, at: int, kind: _Lines) -> None:
    length = kind.lengths[line[start]]
    data = a2b_base64(line[start + 1 :].translate(kind.to_base64))
    whole = length // 3
    builder.add(data[: 3 * whole], at + start + 1, 3, 4)
    if length % 3:
        builder.add_whole(data[3 * whole : length], at + start + 1 + 4 * whole, 4)


_YENC_BEGIN = re.compile(rb"=ybegin [^\r\n]{1,1000}\r?\n(?:=ypart [^\r\n]{1,1000}\r?\n)?")
_YENC_PART = re.compile(rb"=([^\r\n])|[^=\r\n]+", re.DOTALL)
_FROM_YENC = bytes((byte - 42) % 256 for byte in range(256))


def yenc(view: View, _budget: Budget) -> Iterator[View]:
    """yEnc between its header and its trailer (yEnc 1.3)."""
    builder = Builder()
    at = first(b"=ybegin ", view.data)
    while at >= 0:
        header = _YENC_BEGIN.match(view.data, at)
        end = at + 1
        if header:
            end = view.data.find(b"\n=yend", header.end() - 1)
            end = len(view.data) if end < 0 else end
            for part in _YENC_PART.finditer(view.data, header.end(), end):
                if part[1]:
                    builder.add(bytes([(part[1][0] - 106) % 256]), part.start(), 1, 2)
                else:
                    builder.add(part[0].translate(_FROM_YENC), part.start())
            builder.gap()
        at = view.data.find(b"=ybegin ", end)
    if builder.size:
        yield builder.view(view, "yenc", declared=True)


# Hexadecimal digits, and octal and binary ones

_HEX = classes((b"x", b"0123456789abcdefABCDEF"), (b"s", b" \t\n:,.;_|/-"))
_HEX_LINE = a_line(rb"0-9a-fA-F")
_HEX_RUN = re.compile(rb"[0-9a-fA-F]{%d,}+(?:%b[0-9a-fA-F]++)*+" % (MIN_HEX, LINE_BREAK))
_SAME = bytes(range(256))
_BITS = re.compile(rb"[01]{64,}+(?:%b[01]++)*+" % LINE_BREAK)


def hexadecimal(view: View, _budget: Budget) -> Iterator[View]:
    """Runs of hexadecimal digits in either case, read from the first and from the second digit, in lines or not."""
    digits, bits = Builder(), Builder()
    tokens = _tokens(view.data)
    known = view.data.translate(_HEX) if tokens.found else b""
    for token in tokens.found:
        if known.find(b"x" * MIN_HEX, token.start, token.end) < 0:
            continue
        for run in _HEX_RUN.finditer(view.data, token.start, token.end):
            _add_lines(digits, view.data, run.span(), _HEX_LINE, _SAME)
            _end_run(digits, 2, b"0")
            if only_bits := _BITS.match(view.data, *run.span()):
                _add_lines(bits, view.data, only_bits.span(), _HEX_LINE, _SAME)
                _end_run(bits, 8, b"0")
    if digits.size:
        yield grouped(digits.view(view, again=tokens.again), "hex", unhexlify, 1, 2)
    if bits.size:
        yield grouped(bits.view(view, again=tokens.again), "binary", _from_bits, 1, 8)


def _from_bits(digits: bytes) -> bytes:
    return int(digits, 2).to_bytes(len(digits) // 8)


def _from_octal(digits: bytes) -> bytes:
    return bytes(int(digits[at : at + 3], 8) for at in range(0, len(digits), 3))


class _Layout(NamedTuple):
    """Groups of `width` digits with the same characters between them. `least` of them hold a value; half of that must
    stand in the first line."""

    name: str
    prefix: bytes
    width: int
    decode: Callable[[bytes], bytes]
    least: int
    first: re.Pattern[bytes]
    more: re.Pattern[bytes]


def _layout(
    name: str, digits: bytes, width: int, least: int, decode: Callable[[bytes], bytes], prefix: bytes = b""
) -> _Layout:
    group = rb"%b%b" % (re.escape(prefix), digits)
    between = rb"""[\s,;:|+"']{0,3}""" if prefix else rb"[\s:,.;_|/-]{1,2}"
    several = rb"%b(?:(?P<between>%b)%b(?:(?P=between)%b){%d,}+)" % (
        group,
        between,
        group,
        group,
        max(0, least // 2 - 2),
    )
    shorter = several.removesuffix(b"{%d,}+)" % (max(0, least // 2 - 2))) + b"*+)?"
    # Behind it the next line may follow, and that may be shorter.
    more = rb"""[\s,;:|+"'\\/-]{1,40}+(?P<groups>%b)""" % shorter
    return _Layout(name, prefix, width, decode, least, re.compile(rb"(?P<groups>%b)" % several), re.compile(more))


_HEX_DIGITS = b"[0-9a-fA-F]{%d}"
_SPACED = (
    _layout("hex", _HEX_DIGITS % 2, 2, MIN_VALUE, unhexlify),
    _layout("hex", _HEX_DIGITS % 4, 4, MIN_VALUE // 2, unhexlify),
    _layout("binary", b"[01]{8}", 8, MIN_VALUE, _from_bits),
    _layout("hex", _HEX_DIGITS % 8, 8, MIN_VALUE // 4, unhexlify),
    _layout("octal", b"[0-3][0-7]{2}", 3, MIN_VALUE, _from_octal),
)
_PREFIXED = tuple(
    _layout("hex", _HEX_DIGITS % 2, 2, MIN_VALUE, unhexlify, prefix) for prefix in (b"0x", b"0X", b"\\x", b"\\X")
)
_PROBES = (
    (b"xxs" * (MIN_VALUE // 2 - 1) + b"xx", _SPACED[:1]),
    (b"xxss" * (MIN_VALUE // 2 - 1) + b"xx", _SPACED[:1]),
    (b"xxxxs" * (MIN_VALUE // 2 - 1) + b"xxxx", _SPACED[1:2]),
    (b"xxxxxxxxs" * (MIN_VALUE // 4 - 1) + b"xxxxxxxx", _SPACED[2:4]),
    (b"xxxs" * (MIN_VALUE // 2 - 1) + b"xxx", _SPACED[4:]),
)


def spaced_digits(view: View, _budget: Budget) -> Iterator[View]:
    """Bytes as groups of digits: "61 62", "61:62", "6162 6364", "0x61, 0x62", "\\x61\\x62", "01100001", "141 142"."""
    found: dict[str, Builder] = {}
    known = view.data.translate(_HEX)
    for probe, layouts in _PROBES:
        _find_groups(found, view.data, known, probe, layouts)
    for layout in _PREFIXED:
        _find_groups(found, view.data, view.data, layout.prefix, (layout,))
    for name, builder in found.items():
        yield builder.view(view, name)


_REST = re.compile(rb"[\s:,.;_|/-]((?:[0-9a-fA-F]{2}){1,3})(?![0-9a-zA-Z])")


def _find_groups(
    found: dict[str, Builder], data: bytes, where: bytes, probe: bytes, layouts: tuple[_Layout, ...]
) -> None:
    at = where.find(probe)
    while at >= 0:
        end = at + 1
        for layout in layouts:
            lines: list[re.Match[bytes]] = []
            groups = layout.first.match(data, at)
            while groups:
                lines.append(groups)
                end = groups.end()
                groups = layout.more.match(data, end)
            if sum(_groups_in(line, layout) for line in lines) >= layout.least:
                builder = found.setdefault(layout.name, Builder())
                for line, following in zip_longest(lines, lines[1:]):
                    _add_groups(builder, data, line, layout, following.start("groups") if following else end)
                # The last word may be shorter.
                if layout.width > 2 and layout.name == "hex" and (rest := _REST.match(data, end)):
                    builder.add(unhexlify(rest[1]), rest.start(1), 1, 2)
                    end = rest.end()
                builder.gap()
        at = where.find(probe, end)


def _groups_in(line: re.Match[bytes], layout: _Layout) -> int:
    taken, between = len(layout.prefix) + layout.width, len(line["between"] or b"")
    return (len(line["groups"]) + between) // (taken + between)


def _add_groups(builder: Builder, data: bytes, groups: re.Match[bytes], layout: _Layout, until: int) -> None:
    """Add the groups of one line; what stands between two lines belongs to the last group of the first."""
    start, end = groups.span("groups")
    step = len(layout.prefix) + layout.width + len(groups["between"] or b"")
    last = _groups_in(groups, layout) - 1
    columns = bytearray((last + 1) * layout.width)
    for column in range(layout.width):
        columns[column :: layout.width] = data[start + len(layout.prefix) + column : end : step]
    decoded = layout.decode(bytes(columns))
    unit = len(decoded) // (last + 1)
    builder.add(decoded[: last * unit], start, unit, step)
    builder.add_whole(decoded[last * unit :], start + last * step, until - start - last * step)


_PAIR = rb"[0-9a-fA-F]{2} ?"
_PAIRS = re.compile(rb"(?:[0-9a-fA-F]{2})+")
_DUMP_LINE = re.compile(
    rb"[ \t]*+(?:0x)?([0-9a-fA-F]{4,16}):?[ \t]{1,4}((?:%b){8}[ -]?(?:%b){1,24}|(?:%b){1,8})" % (_PAIR, _PAIR, _PAIR)
)


def hexdump(view: View, _budget: Budget) -> Iterator[View]:
    """Lines of hexdump, xxd, od and tcpdump: an offset, up to 32 bytes, and often the same as text.

    Where bytes stand in groups, they are also read as words of a little-endian machine.
    """
    builder, words = Builder(), Builder()
    for row, goes_on in _dump_rows(view.data):
        for group in row:
            start, end = group
            data = unhexlify(view.data[start:end])
            builder.add(data, start, 1, 2)
            words.add_whole(data[::-1], start, end - start)
        if not goes_on:
            builder.gap()
            words.gap()
    if builder.size >= MIN_VALUE:
        yield builder.view(view, "hexdump")
        yield words.view(view, "hexdump")


def _dump_rows(data: bytes) -> Iterator[tuple[list[Span], bool]]:
    """The groups of digits in each line, and whether the next line goes on where this one ends."""
    at = offset = 0
    row: list[Span] = []
    before = b""
    for line in data.split(b"\n"):
        found = _DUMP_LINE.match(line)
        if found and not row and (first := _DUMP_LINE.search(before)):
            # Something else may stand before the first line.
            yield _groups(first, at - len(before) - 1), True
        if row:
            # Text beside the bytes may look like more of them, but the next offset tells.
            size = int(found[1], 16) - offset if found else 0
            yield _bytes_of(row, size) if 0 < size <= 32 else row, bool(found)
        row = []
        if found:
            offset = int(found[1], 16)
            row = _groups(found, at)
        at += len(line) + 1
        before = line
    if row:
        yield row, False


def _groups(line: re.Match[bytes], at: int) -> list[Span]:
    return [(at + one.start(), at + one.end()) for one in _PAIRS.finditer(line.string, *line.span(2))]


def _bytes_of(row: list[Span], size: int) -> list[Span]:
    kept: list[Span] = []
    for start, end in row:
        if size <= 0:
            break
        kept.append((start, min(end, start + 2 * size)))
        size -= (end - start) // 2
    return kept
