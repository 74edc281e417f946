"""The registry of decoders: each makes further views of a view, as far as it finds something of its kind there.

To add one: write a function (view, budget) → views with Builder, which keeps the way back to the source, and put it
into DECODERS. Decoders never raise on odd input; what they cannot finish they note with `budget.give_up`.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, unhexlify
from collections.abc import Callable, Iterator

from lab.detect import compression, http1, tls
from lab.detect.budget import Budget
from lab.detect.forms import MIN_VALUE
from lab.detect.reassembly import STREAM
from lab.detect.views import Builder, View

Decoder = Callable[[View, Budget], Iterator[View]]

# What a value of the least size takes in each encoding. Anything shorter cannot hold a secret.
_MIN_BASE64 = -(-8 * MIN_VALUE // 6)
_MIN_HEX = 2 * MIN_VALUE
_MIN_UTF16 = MIN_VALUE


def tls_records(view: View, _budget: Budget) -> Iterator[View]:
    """The payloads of all TLS records of a stream, joined (RFC 8446, 5.1)."""
    records = tls.records(view.data) if view.parent is None and view.place == STREAM else ()
    if len(records) > 1:
        builder = Builder()
        for record in records:
            builder.add(view.data[record.start + tls.HEADER_LENGTH : record.end], record.start + tls.HEADER_LENGTH)
        yield builder.view(view, "tls.records", declared=True)


def http_bodies(view: View, _budget: Budget) -> Iterator[View]:
    """The bodies of HTTP/1 messages that do not stand there as they are: chunked (RFC 9112, 7.1) or compressed."""
    for message in http1.messages(view.data):
        if message.body and (message.chunked or message.codings):
            builder = Builder()
            for start, end in message.body:
                builder.add(view.data[start:end], start)
            names = ("http.chunked",) if message.chunked else ()
            yield builder.view(view, *names, codings=message.codings, declared=True)


def content_coding(view: View, budget: Budget) -> Iterator[View]:
    """The last content coding that HTTP headers declare for a view, undone (RFC 9110, 8.4)."""
    codings = tuple(coding for coding in view.codings if coding != "identity")
    if not codings or codings[-1] in compression.ENCRYPTED or not view.data:
        return
    if codings[-1] not in compression.CODINGS:
        budget.give_up(f"content coding {codings[-1]!r} is not known")
        return
    name, expand = compression.CODINGS[codings[-1]]
    budget.step()
    try:
        found = expand(view.data, 0, budget.expansion)
    except compression.TooLargeError:
        budget.too_large(name)
    except compression.CorruptError as error:
        budget.give_up(f"declared as {name}, but it is not")
        yield from _partial(view, name, error.partial, 0)
    else:
        builder = Builder()
        builder.add_whole(found.data, 0, found.consumed)
        yield builder.view(view, name, codings=codings[:-1], declared=True)


def gzip_data(view: View, budget: Budget) -> Iterator[View]:
    """gzip files anywhere in a view, by their magic number (RFC 1952)."""
    yield from _embedded(view, budget, "gzip", compression.gunzip, compression.GZIP_MAGIC)


def zlib_data(view: View, budget: Budget) -> Iterator[View]:
    """zlib streams anywhere in a view, by the headers in common use (RFC 1950)."""
    for magic in compression.ZLIB_MAGICS:
        yield from _embedded(view, budget, "deflate", compression.unzlib, magic)


def zstd_data(view: View, budget: Budget) -> Iterator[View]:
    """Zstandard frames anywhere in a view, by their magic number (RFC 8878)."""
    yield from _embedded(view, budget, "zstd", compression.unzstd, compression.ZSTD_MAGIC)


def _partial(view: View, name: str, data: bytes, at: int) -> Iterator[View]:
    """What came out of a damaged piece at `at`, unless it is too short to hold a secret."""
    if len(data) >= MIN_VALUE:
        builder = Builder()
        builder.add_whole(data, at, len(view.data) - at)
        yield builder.view(view, name)


def _embedded(view: View, budget: Budget, name: str, expand: compression.Expander, magic: bytes) -> Iterator[View]:
    at = view.data.find(magic)
    while at >= 0:
        budget.step()
        end = at + len(magic)
        try:
            found = expand(view.data, at, budget.expansion)
        except compression.TooLargeError:
            budget.too_large(name)
        except compression.CorruptError as error:
            # The magic number stood there by chance, or somebody damaged the end of what can be read all the same.
            yield from _partial(view, name, error.partial, at)
        else:
            # What has no end may be noise that is merely not refused yet, so nothing behind it is skipped.
            if found.whole:
                end = at + found.consumed
            builder = Builder()
            builder.add_whole(found.data, at, found.consumed)
            yield builder.view(view, name)
        at = view.data.find(magic, end)


def _classes(*members: tuple[bytes, bytes]) -> bytes:
    """A translation table that maps each byte to the letter of its class, all others to NUL."""
    table = bytearray(256)
    for letter, of in members:
        for byte in of:
            table[byte] = ord(letter)
    return bytes(table)


_BASE64 = _classes((b"x", b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"))
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/_-]+")
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]+(?:\r?\n[ \t]*[A-Za-z0-9+/_-]+)*+")
_FROM_URLSAFE = bytes.maketrans(b"-_", b"+/")


def base64(view: View, _budget: Budget) -> Iterator[View]:
    """Base64 of both alphabets (RFC 4648, 4 and 5), padded or not, also broken into lines.

    Every run is read from each of its first four characters, for it may begin with a word that is glued to it.
    """
    digits = Builder()
    for run in _runs(view.data.translate(_BASE64), b"x" * _MIN_BASE64, _BASE64_RUN, view.data):
        for line in _BASE64_LINE.finditer(view.data, *run):
            digits.add(line[0].translate(_FROM_URLSAFE), line.start())
        digits.gap(b"A" * (-digits.size % 4 + 8))
    if digits.size:
        yield _grouped(digits.view(view), "base64", a2b_base64, 3, 4)


_HEX = _classes((b"x", b"0123456789abcdefABCDEF"))
_HEX_RUN = re.compile(rb"[0-9a-fA-F]+")


def hexadecimal(view: View, _budget: Budget) -> Iterator[View]:
    """Runs of hexadecimal digits in either case, read from the first and from the second digit."""
    digits = Builder()
    for start, end in _runs(view.data.translate(_HEX), b"x" * _MIN_HEX, _HEX_RUN, view.data):
        digits.add(view.data[start:end], start)
        digits.gap(b"0" * (-digits.size % 2 + 4))
    if digits.size:
        yield _grouped(digits.view(view), "hex", unhexlify, 1, 2)


def _grouped(digits: View, name: str, decode: Callable[[bytes], bytes], unit: int, group: int) -> View:
    """`digits` decoded, from each character of the first group on; `group` of them stand for `unit` bytes.

    Between its runs, `digits` holds enough digits without a source that each run begins with a whole group.
    """
    builder = Builder()
    for shift in range(group):
        builder.add(decode(digits.data[shift : len(digits.data) - (group - shift) % group]), shift, unit, group)
        builder.gap()
    return builder.view(digits, name)


def _runs(classes: bytes, probe: bytes, run: re.Pattern[bytes], data: bytes) -> Iterator[tuple[int, int]]:
    """The spans of the runs in `data` whose classes hold `probe`.

    Searching one fixed string first is many times as fast on noise as any pattern.
    """
    at = classes.find(probe)
    while at >= 0:
        found = run.match(data, at)
        end = found.end() if found else at + 1
        yield at, end
        at = classes.find(probe, end)


_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_PERCENT_OR_PLUS = re.compile(rb"%([0-9A-Fa-f]{2})|\+")


def percent(view: View, _budget: Budget) -> Iterator[View]:
    """Percent-encoding (RFC 3986, 2.1)."""
    builder = Builder()
    for run in _lines_with(_PERCENT, view.data):
        _replace(builder, view.data, run, _PERCENT, _unpercent)
    if builder.size:
        yield builder.view(view, "percent")


def urlencoded(view: View, _budget: Budget) -> Iterator[View]:
    """Percent-encoding as forms use it, where "+" is a space (application/x-www-form-urlencoded)."""
    builder = Builder()
    for run in _lines_with(_PERCENT, view.data):
        if view.data.find(b"+", *run) >= 0:
            _replace(builder, view.data, run, _PERCENT_OR_PLUS, _unpercent)
    if builder.size:
        yield builder.view(view, "urlencoded")


def _unpercent(escape: re.Match[bytes]) -> bytes:
    return unhexlify(escape[1]) if escape[1] else b" "


_JSON_ESCAPE = re.compile(
    rb"""\\(?:(?P<char>["\\/bfnrt])"""
    rb"""|u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"""
    rb"""|u(?P<unit>[0-9a-ce-fA-CE-F][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}))"""
)
_JSON_CHARS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def json(view: View, _budget: Budget) -> Iterator[View]:
    """Escapes as in JSON strings (RFC 8259, 7). A surrogate without its partner stays as it is."""
    builder = Builder()
    for run in _lines_with(_JSON_ESCAPE, view.data):
        _replace(builder, view.data, run, _JSON_ESCAPE, _unescape)
    if builder.size:
        yield builder.view(view, "json")


def _unescape(escape: re.Match[bytes]) -> bytes:
    if char := escape["char"]:
        return _JSON_CHARS.get(char, char)
    units = unhexlify(escape["unit"] or escape["high"] + escape["low"])
    return units.decode("utf-16-be").encode()


_CONTROLS_TO_LF = bytes.maketrans(bytes(range(32)), b"\n" * 32)


def _lines_with(pattern: re.Pattern[bytes], data: bytes) -> Iterator[tuple[int, int]]:
    """The stretches between control characters that hold a match: escaped text has no control characters."""
    found = pattern.search(data)
    lines = data.translate(_CONTROLS_TO_LF) if found else b""
    end = 0
    while found:
        start = max(end, lines.rfind(b"\n", end, found.start()) + 1)
        end = lines.find(b"\n", found.end())
        end = len(data) if end < 0 else end
        yield start, end
        found = pattern.search(data, end)


def _replace(
    builder: Builder,
    data: bytes,
    run: tuple[int, int],
    pattern: re.Pattern[bytes],
    decode: Callable[[re.Match[bytes]], bytes],
) -> None:
    copied, end = run
    for escape in pattern.finditer(data, *run):
        builder.add(data[copied : escape.start()], copied)
        builder.add_whole(decode(escape), escape.start(), len(escape[0]))
        copied = escape.end()
    builder.add(data[copied:end], copied)
    builder.gap()


_UTF16 = _classes((b"a", bytes(range(1, 128))), (b"0", b"\x00"))
_UTF16_RUN = re.compile(rb"(?:a0)+a?")


def utf16(view: View, _budget: Budget) -> Iterator[View]:
    """ASCII text in UTF-16 of both byte orders, at even and odd offsets.

    Where the ends of a run leave open which order it is, both are read. Other text in UTF-16 is found by its form.
    """
    classes = view.data.translate(_UTF16)
    little, big = Builder(), Builder()
    for at, end in _runs(classes, b"a0" * (_MIN_UTF16 - 1), _UTF16_RUN, classes):
        start = at - classes.startswith(b"0", at - 1) if at else at
        even = (end - start) % 2 == 0
        for builder, char in ((little, b"a"), (big, b"0")):
            offset = 0 if classes.startswith(char, start) else 1
            if even and offset:
                continue
            pairs = view.data[start + offset : end - (end - start - offset) % 2]
            builder.add(pairs[1 if builder is big else 0 :: 2], start + offset, 1, 2)
            builder.gap()
    for name, builder in (("utf-16le", little), ("utf-16be", big)):
        if builder.size:
            yield builder.view(view, name)


DECODERS: tuple[Decoder, ...] = (
    tls_records,
    http_bodies,
    content_coding,
    gzip_data,
    zlib_data,
    zstd_data,
    base64,
    hexadecimal,
    percent,
    urlencoded,
    json,
    utf16,
)
"""All decoders, in the order in which they are tried."""
