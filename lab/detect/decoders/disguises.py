"""Text that is written so that a search for it fails: turned round, taken apart, or with something in between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from lab.detect.budget import Budget
from lab.detect.decoders.runs import MIN_BASE64, classes, lines_with, replace, runs
from lab.detect.ordinary import MIN_VALUE
from lab.detect.views import Builder, Span, View

_TOKEN = classes((b"x", b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-%.~"))
_TOKEN_RUN = re.compile(rb"[A-Za-z0-9+/=_%.~-]+(?:\r?\n[A-Za-z0-9+/=_%.~-]+)*+")
_CHANGE = re.compile(rb"[a-z](?=[A-Z0-9])|[A-Z](?=[a-z0-9])|[0-9](?=[A-Za-z])")
_PERCENT = re.compile(rb"%[0-9A-Fa-fN-Sn-s]{2}|[0-9A-Fa-f]{2}%")
_SAMPLE = 512


def _tokens(data: bytes) -> Iterator[Span]:
    """The runs that look encoded: where upper case, lower case and digits change more often than in words."""
    for start, end in runs(data.translate(_TOKEN), b"x" * MIN_BASE64, _TOKEN_RUN, data):
        sample = data[start : min(end, start + _SAMPLE)]
        if len(_CHANGE.findall(sample)) >= max(3, len(sample) / 12) or _PERCENT.search(sample):
            yield start, end


_ROT13 = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", b"NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm"
)
_TURNED = 4096
"""Bytes of tokens in a view that are turned round, at most."""

_TOGETHER = 24
"""Bytes of reversed text that share a position: a multiple of the groups of all encodings in it."""


def turned(view: View, _budget: Budget) -> Iterator[View]:
    """What looks encoded, with its letters moved by half the alphabet (rot13), and read from its end (reversed).

    Words need no views: these two forms of them are searched. So are those of a value in hexadecimal, which is all
    that is seen where a view holds so many tokens that turning them would cost as much again as the view.
    """
    tokens = list(_tokens(view.data))
    if sum(end - start for start, end in tokens) > _TURNED:
        return
    if tokens and "rot13" not in view.decoders:
        builder = Builder()
        for start, end in tokens:
            builder.add(view.data[start:end].translate(_ROT13), start)
            builder.gap()
        yield builder.view(view, "rot13")
    if tokens and "reversed" not in view.decoders:
        builder = Builder()
        for start, end in tokens:
            for until in range(end, start, -_TOGETHER):
                piece = view.data[max(start, until - _TOGETHER) : until]
                builder.add_whole(piece[::-1], until - len(piece), len(piece))
            builder.gap()
        yield builder.view(view, "reversed")


_NUMBER = rb"(?:0[xX][0-9a-fA-F]{1,6}+|0o[0-7]{1,7}+|-?[0-9]{1,7}+)"
# Behind nothing that it could be part of, and quick to find by its first character.
_FIRST_NUMBER = (
    rb"[0-9-](?<![\w.%&#+-].)(?:(?<=0)[xX][0-9a-fA-F]{1,6}+|(?<=0)o[0-7]{1,7}+|(?<=-)[0-9]{1,7}+|(?<=[0-9])[0-9]{0,6}+)"
)
# Blanks, commas and the like; the next key of an object; quotes; or the call that makes a character of each number.
_BETWEEN = (
    rb"(?:[\s,;|]{1,16}+(?:[\"'][0-9]{1,7}[\"']\s?:\s?)?|[\"'][\s,;|]{1,16}+[\"']|\)[\s.,+&|]{1,8}+[A-Za-z]{2,6}\()"
)
_NUMBERS = re.compile(rb"%s(?:%s%s){%d,}+" % (_FIRST_NUMBER, _BETWEEN, _NUMBER, MIN_VALUE - 1), re.DOTALL)
_POINT = rb"[uU]\+[0-9a-fA-F]{4,6}+"
_POINTS = re.compile(rb"%s(?:[\s,;|\"']{1,16}+%s){%d,}+" % (_POINT, _POINT, MIN_VALUE - 1))
_ONE_NUMBER = re.compile(rb"(?:[\"'][0-9]{1,7}[\"']\s?:\s?)?(%s|%s)" % (_POINT, _NUMBER))
_CHARACTER = re.compile(
    rb"[\"'](\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\.|[^\x00-\x1f\\\"'\x80-\xff]|[\xc2-\xf4][\x80-\xbf]{1,3}|(?<=')\"|(?<=\")')[\"']"
)
_CHARACTERS = re.compile(rb"%s(?:[\s,;+.&|]{1,16}+%s){4,}+" % (_CHARACTER.pattern, _CHARACTER.pattern))


def array(view: View, _budget: Budget) -> Iterator[View]:
    """Arrays of single characters, of bytes (also signed) or of code points, in the notations of many languages."""
    builder = Builder()
    for found in chain(_NUMBERS.finditer(view.data), _POINTS.finditer(view.data)):
        _add_numbers(
            builder, [(_number(one[1]), one.span(1)) for one in _ONE_NUMBER.finditer(view.data, *found.span())]
        )
    for found in _CHARACTERS.finditer(view.data):
        for one in _CHARACTER.finditer(view.data, *found.span()):
            builder.add(one[1], one.start(1))
        builder.gap()
    if builder.size:
        yield builder.view(view, "array")


def _number(digits: bytes) -> int:
    if digits[:2].lower() in (b"0x", b"u+"):
        return int(digits[2:], 16)
    return int(digits[2:], 8) if digits[:2] == b"0o" else int(digits)


def _add_numbers(builder: Builder, numbers: list[tuple[int, Span]]) -> None:
    """The numbers as bytes, and as code points where they are no UTF-8."""
    if all(-128 <= number <= 255 for number, _ in numbers):
        data = bytes(number & 255 for number, _ in numbers)
        for at, (_, (start, end)) in enumerate(numbers):
            builder.add_whole(data[at : at + 1], start, end - start)
        builder.gap()
        if data.isascii() or _is_text(data):
            return
    if all(0 <= number <= 0x10FFFF for number, _ in numbers):
        for number, (start, end) in numbers:
            builder.add_whole(chr(number).encode(errors="replace"), start, end - start)
        builder.gap()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


_RARE, _COMMON = b"-._:;/|+*~#\t\\'@!$^", b' ,\n\r"=&<>'
_SEPARATORS = _RARE + _COMMON
_SEPARATOR = classes((b"s", _RARE), (b"c", _COMMON))
# How many separators show that they are some, for each distance. Those of the second class stand at equal distances by
# chance, too.
_FEWEST = {
    2: ((b"s", 7), (b"c", 7)),
    3: ((b"s", 4), (b"c", 6)),
    4: ((b"s", 3), (b"c", 5)),
    5: ((b"s", 3), (b"c", 4)),
    6: ((b"s", 3), (b"c", 5)),
}
_FEWEST_OF_ALL = {kind: min(dict(of_kind)[kind] for of_kind in _FEWEST.values()) for kind in (b"s", b"c")}
_SAME = {fewest: re.compile(rb"(.)\1{%d,}+" % (fewest - 1), re.DOTALL) for fewest in range(3, 8)}
_CLASS_RUN = re.compile(b"s+|c+")


def separated(view: View, _budget: Budget) -> Iterator[View]:
    """Characters, or groups of two to five of them, that have one and the same separator in between."""
    builder = Builder()
    kinds = view.data.translate(_SEPARATOR)
    if kinds.count(b"s") < _FEWEST_OF_ALL[b"s"] and kinds.count(b"c") < _FEWEST_OF_ALL[b"c"]:
        return
    for stride, fewest_of_kind in _FEWEST.items():
        for phase in range(stride):
            column = kinds[phase::stride]
            for kind, fewest in fewest_of_kind:
                for start, end in runs(column, kind * fewest, _CLASS_RUN, column):
                    first = phase + start * stride
                    for same in _SAME[fewest].finditer(view.data[first : phase + end * stride : stride]):
                        _add_groups(builder, view.data, first + same.start() * stride, len(same[0]), stride)
    if builder.size:
        yield builder.view(view, "separated")


def _add_groups(builder: Builder, data: bytes, at: int, count: int, stride: int) -> None:
    """Add the groups around `count` separators that stand at `at` and every `stride` bytes from there on."""
    if data[at] == data[at + 1]:
        return
    columns = [data[at + shift : at + count * stride : stride] for shift in range(stride)]
    # A separator may be of several characters: those follow its first. Neighbours at the ends may look like one.
    uniform = [len(set(column[count > 4 : count - 1])) == 1 and column[1] in _SEPARATORS for column in columns]
    width = uniform.index(False) if False in uniform else stride
    group = stride - width
    letters = b"".join(columns[width:])
    # A further separator among the letters: another distance or another phase reads these better.
    if any(uniform[width:]) or (count + 1) * group < MIN_VALUE or letters.count(columns[0][:1]) * 4 > len(letters):
        return
    # The last separator may be cut off by the end.
    count -= at + (count - 1) * stride + width > len(data)
    joined = bytearray((count - 1) * group)
    for shift in range(group):
        joined[shift::group] = columns[width + shift][: count - 1]
    last = at + (count - 1) * stride + width
    first = max(0, at - group)
    builder.add(data[first:at], first)
    builder.add(bytes(joined), at + width, group, stride)
    builder.add(data[last : last + group], last)
    builder.gap()


# No-width spaces, joiners and directions; invisible operators; byte order marks and variation selectors; soft hyphens;
# grapheme joiners.
_INVISIBLE = rb"(?:\xe2(?:\x80[\x8b-\x8f\xaa-\xae]|\x81[\xa0-\xa4])|\xef(?:\xbb\xbf|\xb8[\x80-\x8f])|\xc2\xad|\xcd\x8f)"
_INVISIBLE_INSIDE = re.compile(
    rb"[\xe2\xef\xc2\xcd](?<=[ -~\x80-\xff].)(?:(?<=\xe2)(?:\x80[\x8b-\x8f\xaa-\xae]|\x81[\xa0-\xa4])"
    rb"|(?<=\xef)(?:\xbb\xbf|\xb8[\x80-\x8f])|(?<=\xc2)\xad|(?<=\xcd)\x8f)%s*+(?=[ -~\x80-\xff])" % _INVISIBLE,
    re.DOTALL,
)


def zero_width(view: View, _budget: Budget) -> Iterator[View]:
    """Text with the characters removed that have no width: zero-width spaces and joiners, soft hyphens, marks."""
    builder = Builder()
    if not view.data.isascii():
        for run in lines_with(_INVISIBLE_INSIDE, view.data):
            replace(builder, view.data, run, _INVISIBLE_INSIDE, _nothing)
    if builder.size:
        yield builder.view(view, "zero-width")


def _nothing(_match: re.Match[bytes]) -> bytes:
    return b""


_SPREAD = classes((b"a", bytes(range(33, 127))), (b"z", b"\xe2\xef\xc2"), (b"u", bytes(range(128, 192))))
_SPREAD_RUN = re.compile(rb"(?:a(?:zuu?)+)+a?")


def zero_width_between(view: View, _budget: Budget) -> Iterator[View]:
    """The same where they stand between all the characters, so that no stretch of it looks like text."""
    spread = view.data.translate(_SPREAD)
    builder = Builder()
    for probe in (b"azuu" * 4, b"azu" * 4):
        for run in runs(spread, probe, _SPREAD_RUN, spread):
            replace(builder, view.data, run, _INVISIBLE_INSIDE, _nothing)
    if builder.size:
        yield builder.view(view, "zero-width")


_LONG_LINE, _FOLDED_LINE = 40, 60
_LONG_TOKEN = 24
_BORDER = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=%_.@&-") | frozenset(
    range(128, 256)
)
_SPLIT = re.compile(rb"[0-9A-Za-z]+\n[0-9A-Za-z]+")
_INDENT = b" \t>"


def unwrapped(view: View, _budget: Budget) -> Iterator[View]:
    """Text that was cut into lines, put together again, once without what the lines begin with and once with it.

    Prose has line ends between its words, and is left alone. A line of at least 40 characters goes on in the next one
    if the line before or behind it is just as long, if the next begins with a single blank (the folding of iCalendar
    and vCard, RFC 5545, 3.1), or if what would be put together is no word: a token of at least 24, an address, letters
    and digits.
    """
    groups = list(_wrapped(view.data)) if b"\n" in view.data else []
    indented = any(view.data[start] in _INDENT for group in groups for start, _ in group[1:])
    for keep in (False, True)[: bool(groups) + indented]:
        builder = Builder()
        for group in groups:
            for start, end in group:
                line = view.data[start:end]
                text = line if keep or start == group[0][0] else line.lstrip(_INDENT)
                builder.add(text, end - len(text))
            builder.gap()
        yield builder.view(view, "unwrapped")


def _wrapped(data: bytes) -> Iterator[list[Span]]:
    """The lines of each text that goes on over line ends."""
    lines = data.split(b"\n")
    if max(map(len, lines)) < _LONG_LINE:
        return
    # With nothing before and behind, so that each line has two before it and one behind it.
    shown = [b"", b"", *(line.removesuffix(b"\r") for line in lines), b""]
    group: list[Span] = []
    at = 0
    for number, raw in enumerate(lines):
        line = (at, at + len(raw.removesuffix(b"\r")))
        at += len(raw) + 1
        if _goes_on(*shown[number : number + 4]):
            group.append(line)
            continue
        if len(group) > 1:
            yield group
        group = [line]
    if len(group) > 1:
        yield group


def _goes_on(before: bytes, line: bytes, following: bytes, behind: bytes) -> bool:
    """True if `following` is the rest of `line`."""
    if len(line) < _LONG_LINE or not following:
        return False
    if (
        len(line) == len(following)
        or len(before) == len(line) > len(following)
        or len(line) > len(following) == len(behind) >= _LONG_LINE
    ):
        # Records of a log are as long as each other, too, but they begin alike.
        return line.lstrip(_INDENT)[:3] != following.lstrip(_INDENT)[:3]
    if following[0] in b" \t" and following[1:2].strip() and len(line) >= _FOLDED_LINE:
        return True
    heads = following.lstrip(_INDENT).split(maxsplit=1)
    if not heads or line[-1] not in _BORDER or heads[0][0] not in _BORDER:
        return False
    tail = line.split()[-1]
    split = _SPLIT.search(tail[-_LONG_TOKEN:] + b"\n" + heads[0])
    token = split[0].replace(b"\n", b"") if split else b""
    mixed = len(token) >= MIN_VALUE and not token.isalpha() and not token.isdigit()
    return mixed or len(tail) >= _LONG_TOKEN or b"@" in tail or b"@" in heads[0]


_DIGIT_GROUPS = re.compile(
    rb"[0-9](?<![\w.].)[0-9]{0,15}+(?:(?:[ ./()-]{1,3}|\xc2\xa0|\xe2\x80[\xaf\x91])[0-9]{1,16}+)++(?!\w)", re.DOTALL
)
_HEX_GROUPS = re.compile(rb"[0-9a-fA-F](?<!\w.)[0-9a-fA-F]{1,15}+(?:[ .:_/-][0-9a-fA-F]{2,16}+){2,}+(?!\w)", re.DOTALL)
_DIGITS = re.compile(rb"[0-9a-fA-F]+")
_LETTER = re.compile(rb"[a-fA-F]")
_ADDRESS = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


def grouped_digits(view: View, _budget: Budget) -> Iterator[View]:
    """Numbers that are written in groups, such as those of telephones and cards, and groups of hexadecimal digits."""
    builder = Builder()
    for pattern in (_DIGIT_GROUPS, _HEX_GROUPS):
        for found in pattern.finditer(view.data):
            text = found[0]
            if len(text) <= MIN_VALUE:
                continue
            digits = sum(map(text.count, b"0123456789"))
            # Words such as "be" and "added" are hexadecimal, too.
            if digits < max(MIN_VALUE // 2, len(text) / 4) or _ADDRESS.fullmatch(text):
                continue
            if pattern is _HEX_GROUPS and not _LETTER.search(text):
                continue
            plus = view.data.rfind(b"+", max(0, found.start() - 2), found.start())
            if plus >= 0:
                builder.add(b"+", plus)
            for part in _DIGITS.finditer(view.data, *found.span()):
                builder.add(part[0], part.start())
            builder.gap()
    if builder.size:
        yield builder.view(view, "grouped digits")


_INLINE_TAG = re.compile(
    rb"<(?:/?(?:a|abbr|b|bdi|bdo|big|c|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strike|strong|sub|sup|tt|u|wbr)"
    rb"(?:[\s/][^<>]{0,200}+)?>|!--[^<>]{0,200}?-->)",
    re.IGNORECASE,
)
_MOST_AROUND = 1000


def tags_removed(view: View, _budget: Budget) -> Iterator[View]:
    """Text without the tags of HTML and the comments inside it that do not end a word, such as `al<b>ice</b>`."""
    builder = Builder()
    for tags in _neighbours(view.data):
        start = max(0, tags[0][0] - _MOST_AROUND)
        start = view.data.rfind(b">", start, tags[0][0]) + 1 or start
        until = tags[-1][1] + _MOST_AROUND
        end = view.data.find(b"<", tags[-1][1], until)
        borders = [start, *(border for tag in tags for border in tag), until if end < 0 else end]
        pieces = [(view.data[low:high], low) for low, high in zip(borders[::2], borders[1::2], strict=True)]
        if sum(not piece.isspace() for piece, _ in pieces if piece) > 1:
            for piece in pieces:
                builder.add(*piece)
            builder.gap()
    if builder.size:
        yield builder.view(view, "tags removed")


def _neighbours(data: bytes) -> Iterator[list[Span]]:
    """The tags of inline elements, those together that have only text in between."""
    tags: list[Span] = []
    for tag in _INLINE_TAG.finditer(data) if b"<" in data else ():
        if tags and (tag.start() - tags[-1][1] > _MOST_AROUND or data.find(b"<", tags[-1][1], tag.start()) >= 0):
            yield tags
            tags = []
        tags.append(tag.span())
    if tags:
        yield tags


_JOINT = re.compile(
    rb"(?P<quote>[\"'`])(?:\s{0,40}+(?:\+|\.|\|\||&)\s{0,40}+(?P<next>[\"'`])|[ \t\r\n]{1,40}+(?P<same>(?P=quote)))"
)


def concatenated(view: View, _budget: Budget) -> Iterator[View]:
    """Literals of source code that are put together there: "al" + "ice", 'al'.'ice', 'al' || 'ice', "al" "ice"."""
    builder = Builder()
    data = view.data
    copied = closing = -1
    for joint in _JOINT.finditer(data):
        if joint.start() != closing:
            if closing >= 0:
                builder.add(data[copied:closing], copied)
                builder.gap()
            copied = data.rfind(joint["quote"], max(0, closing + 1), joint.start()) + 1 or max(0, closing + 1)
        builder.add(data[copied : joint.start()], copied)
        copied = joint.end()
        closing = data.find(joint["next"] or joint["same"], copied)
        closing = len(data) if closing < 0 else closing
    if closing >= 0:
        builder.add(data[copied:closing], copied)
        builder.gap()
        yield builder.view(view, "concatenated")
