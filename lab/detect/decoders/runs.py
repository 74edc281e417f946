"""What decoders share: finding runs of an alphabet, and reading them from every possible beginning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lab.detect.ordinary import MIN_VALUE
from lab.detect.probe import first
from lab.detect.views import Builder, View

# What a value of the least size takes in each encoding. Anything shorter cannot hold a secret.
MIN_BASE64 = -(-8 * MIN_VALUE // 6)
MIN_BASE32 = -(-8 * MIN_VALUE // 5)
MIN_BASE58 = 11
MIN_BASE85 = -(-5 * MIN_VALUE // 4)
MIN_HEX = 2 * MIN_VALUE
MIN_UTF16 = MIN_VALUE


def classes(*members: tuple[bytes, bytes]) -> bytes:
    """A translation table that maps each byte to the letter of its class, all others to NUL."""
    table = bytearray(256)
    for letter, of in members:
        for byte in of:
            table[byte] = ord(letter)
    return bytes(table)


LINE_BREAK = rb"(?:\r?\n|(?:\\r)?\\n)[ \t>]*+"
"""Where encoded text is broken into lines: also as JSON and source code write it, indented, or quoted in a reply."""


def in_lines(alphabet: bytes, line_break: bytes = LINE_BREAK) -> re.Pattern[bytes]:
    """A run of an alphabet, given as the inside of a character class, over line breaks too."""
    return re.compile(rb"[%b]++(?:%b[%b]++)*+" % (alphabet, line_break, alphabet))


def a_line(alphabet: bytes, line_break: bytes = LINE_BREAK) -> re.Pattern[bytes]:
    """One line of such a run, group 1, without what breaks it off from the line before."""
    return re.compile(rb"(?:%b)?([%b]++)" % (line_break, alphabet))


def grouped(digits: View, name: str, decode: Callable[[bytes], bytes], unit: int, group: int) -> View:
    """`digits` decoded, from each character of the first group on; `group` of them stand for `unit` bytes.

    Between its runs, `digits` holds enough digits without a source that each run begins with a whole group. Values
    start where those of `digits` do.
    """
    builder = Builder()
    starts: list[list[int]] = [[] for _ in range(group)]
    for start in digits.starts:
        starts[start % group].append(start)
    for shift in range(group):
        decoded = decode(digits.data[shift : len(digits.data) - (group - shift) % group])
        first = builder.size
        for start in starts[shift]:
            # Values are told apart by mere marks: the digits before one may belong to it too.
            if (ahead := (start - shift) // group * unit) <= len(decoded):
                builder.mark(ahead)
        builder.add(decoded, shift, unit, group)
        builder.end(*(first - (shift - end) * unit // group for end in digits.ends))
        builder.gap()
    return builder.view(digits, name)


def runs(classes: bytes, probe: bytes, run: re.Pattern[bytes], data: bytes) -> Iterator[tuple[int, int]]:
    """The spans of the runs in `data` whose classes hold `probe`.

    Searching one fixed string first is many times as fast on noise as any pattern.
    """
    at = first(probe, classes)
    while at >= 0:
        found = run.match(data, at)
        end = found.end() if found else at + 1
        yield at, end
        at = classes.find(probe, end)


_CONTROLS_TO_LF = bytes.maketrans(bytes(range(32)), b"\n" * 32)


def lines_with(pattern: re.Pattern[bytes], data: bytes, soft: bytes = b"") -> Iterator[tuple[int, int]]:
    """The stretches between control characters that hold a match: escaped text has no control characters.

    With `soft`, lines that end with this character go on in the next one.
    """
    found = pattern.search(data)
    lines = data if found else b""
    if soft:
        for line_end in (b"\r\n", b"\n"):
            lines = lines.replace(soft + line_end, soft + soft * len(line_end))
    lines = lines.translate(_CONTROLS_TO_LF)
    end = 0
    while found:
        start = max(end, lines.rfind(b"\n", end, found.start()) + 1)
        end = lines.find(b"\n", found.end())
        end = len(data) if end < 0 else end
        yield start, end
        found = pattern.search(data, end)


def replace(
    builder: Builder,
    data: bytes,
    run: tuple[int, int],
    pattern: re.Pattern[bytes],
    decode: Callable[[re.Match[bytes]], bytes],
    unit: int = 0,
    values: re.Pattern[bytes] | None = None,
) -> None:
    """Add `run` with each match of `pattern` decoded, and end the stretch.

    A match may be several escapes in a row; where each is of `unit` bytes and stands for one, positions are kept.
    A value starts and ends where a match of `values` does, which no match of `pattern` crosses.
    """

    def add(copied: int, end: int) -> None:
        for escape in pattern.finditer(data, copied, end):
            builder.add(data[copied : escape.start()], copied)
            decoded, length = decode(escape), len(escape[0])
            if length == unit * len(decoded):
                builder.add(decoded, escape.start(), 1, unit)
            else:
                builder.add_whole(decoded, escape.start(), length)
            copied = escape.end()
        builder.add(data[copied:end], copied)

    at, end = run
    for value in values.finditer(data, *run) if values else ():
        add(at, value.start())
        builder.mark()
        add(*value.span())
        builder.end(builder.size)
        at = value.end()
    add(at, end)
    builder.gap()
