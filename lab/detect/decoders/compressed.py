"""Compressed data, declared by headers, known by its magic number, or tried where a value starts."""

from __future__ import annotations

import binascii
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

import brotli  # type: ignore[import-untyped]
from ahocorasick_rs import BytesAhoCorasick, MatchKind

from lab.detect import compression, lz77, lzstring
from lab.detect.budget import Budget, Exhausted
from lab.detect.decoders.runs import classes, runs
from lab.detect.ordinary import MIN_VALUE
from lab.detect.views import Builder, View

_CODINGS: Mapping[str, tuple[str, compression.Expander]] = {
    **compression.CODINGS,
    "snappy": ("snappy", lz77.snappy),
    "x-snappy-framed": ("snappy", lz77.snappy),
    "lz4": ("lz4", lz77.lz4_frames),
}
_ENOUGH = 2**20
"""Bytes for one view of several pieces: more are not held back."""
_PROBE = 640
"""Bytes that show whether a deflate stream begins; the header of a block takes up to 290."""
_BROTLI_PROBE, _BROTLI_SHORT = 16, 256
_BEHIND = 9
"""Bytes that the last group of a text encoding and what fills up behind it may add to what it stands for."""

_UNDERSTOOD = 64
"""Input that makes sense for so long is no noise, whatever comes out."""
_SAMPLE = 512
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r")) + b"\x7f"
_SCANNED = 2**18
"""Bytes that are searched for magic numbers at once: what is found in them is a list."""
_MAX_STARTS = 10_000
_SHORT = 256
"""Bytes of a value that is remembered once nothing came out of it: the same names and tokens come again and again."""
_TEXT = re.compile(rb"[\t\n\r -~]{12}")
"""What begins like this is text. Nothing that compresses bytes puts out twelve such bytes but by a rare chance."""


class _Piece(NamedTuple):
    """What came out of `length` bytes at `start`."""

    data: bytes
    start: int
    length: int


def content_coding(view: View, budget: Budget) -> Iterator[View]:
    """The last content coding that HTTP headers declare for a view, undone (RFC 9110, 8.4)."""
    codings = tuple(coding for coding in view.codings if coding != "identity")
    if not codings or codings[-1] in compression.ENCRYPTED or not view.data:
        return
    if codings[-1] in compression.WITH_DICTIONARY:
        budget.give_up(f"content coding {codings[-1]!r} cannot be undone without the dictionary of an earlier response")
        return
    if codings[-1] not in _CODINGS:
        budget.give_up(f"content coding {codings[-1]!r} is not known")
        return
    name, expand = _CODINGS[codings[-1]]
    budget.step()
    try:
        found = expand(view.data, 0, budget.expansion)
    except compression.TooLargeError:
        budget.too_large(name)
    except compression.CorruptError as error:
        budget.give_up(f"declared as {name}, but it is not")
        yield from _by_name(view, [(name, _Piece(error.partial, 0, len(view.data)))])
    else:
        builder = Builder()
        builder.add_whole(found.data, 0, found.consumed)
        yield builder.view(view, name, codings=codings[:-1], declared=True)


def recognised(view: View, budget: Budget) -> Iterator[View]:
    """Compressed data anywhere in a view, by the magic numbers in _FORMATS."""
    yield from _by_name(view, _embedded(view, budget))


def undeclared(view: View, budget: Budget) -> Iterator[View]:
    """What has no magic number, tried where a value starts: raw deflate, Brotli, bare LZ4 and Snappy, LZString."""
    yield from _by_name(view, _guessed(view, budget))


def lz_string(view: View, budget: Budget) -> Iterator[View]:
    """Words that are LZString's base64 or its alphabet for URLs (compressToBase64, compressToEncodedURIComponent)."""
    yield from _by_name(view, (("lz-string", piece) for piece in _lz_words(view, budget)))


def _by_name(view: View, pieces: Iterable[tuple[str, _Piece]]) -> Iterator[View]:
    """The pieces that can hold a secret, those of one name together in as few views as makes sense."""
    builders: dict[str, Builder] = {}
    exhausted: Exhausted | None = None
    try:
        for name, (data, start, length) in pieces:
            if len(data) < MIN_VALUE:
                continue
            builder = builders.setdefault(name, Builder())
            builder.gap()
            builder.add_whole(data, start, length)
            if builder.size > _ENOUGH:
                yield builders.pop(name).view(view, name)
    except Exhausted as reason:
        exhausted = reason
    for name, builder in builders.items():
        yield builder.view(view, name)
    if exhausted:
        raise exhausted


def _embedded(view: View, budget: Budget) -> Iterator[tuple[str, _Piece]]:
    data = view.data
    done: dict[str, int] = {}
    for found, at in _magic_numbers(data):
        start = at - found.before
        end = view.end_of(start)
        if start < done.get(found.name, 0) or (found.begins and not found.begins(data, start, end)):
            continue
        piece, whole, understood = _expanded(budget, found.name, found.expand, data, start, end)
        # What has no end may be noise that is merely not refused yet, so nothing behind it is skipped.
        if whole:
            done[found.name] = start + piece.length
        if whole or found.begins is None or _credible(piece.data, understood):
            yield found.name, piece


def _magic_numbers(data: bytes) -> Iterator[tuple[_Format, int]]:
    for start in range(0, len(data), _SCANNED):
        # The number may stand across the border; what begins beyond it is left to the next round.
        block = data[start : start + _SCANNED + _LONGEST_MAGIC - 1] if len(data) > _SCANNED else data
        for number, at, _ in _MAGIC_NUMBERS.find_matches_as_indexes(block):
            if at < _SCANNED:
                yield _FORMATS[number], start + at


def _guessed(view: View, budget: Budget) -> Iterator[tuple[str, _Piece]]:
    tried = 0
    useless: set[bytes] = set()
    for start in view.starts:
        end = view.end_of(start)
        if end - start < MIN_VALUE or _TEXT.match(view.data, start, end):
            continue
        if end - start <= _SHORT:
            if (value := view.data[start:end]) in useless:
                continue
            useless.add(value)
        tried += 1
        if tried > _MAX_STARTS:
            budget.give_up(f"more than {_MAX_STARTS} values that may be compressed without saying so")
            return
        for guess in _GUESSES:
            if guess.likely(view.data, start, end):
                piece, whole, understood = _expanded(budget, guess.name, guess.expand, view.data, start, end)
                if guess.name == "br":
                    # Its dictionary makes words out of noise, but seldom up to the very last byte.
                    whole = whole and piece.length >= end - start - _BEHIND
                    credible = understood >= _UNDERSTOOD and _credible(piece.data, 0)
                else:
                    credible = _credible(piece.data, understood)
                if (whole and len(piece.data) >= MIN_VALUE) or credible:
                    useless.discard(view.data[start:end])
                    yield guess.name, piece


def _expanded(
    budget: Budget, name: str, expand: compression.Expander, data: bytes, start: int, end: int
) -> tuple[_Piece, bool, int]:
    """What comes out, whether it is whole, and how many bytes made sense. What is too large is noted."""
    budget.step()
    try:
        found = expand(data, start, budget.expansion, end)
    except compression.TooLargeError:
        budget.too_large(name)
    except compression.UnknownMethodError as error:
        budget.give_up(str(error))
    except compression.CorruptError as error:
        return _Piece(error.partial, start, end - start), False, error.understood
    else:
        return _Piece(found.data, start, found.consumed), found.whole, found.consumed
    return _Piece(b"", start, 0), False, 0


def _credible(data: bytes, understood: int) -> bool:
    """Whether what came out of something without an end is worth a look: noise puts out a few bytes now and then."""
    if len(data) < MIN_VALUE:
        return False
    sample = data[:_SAMPLE]
    text = sample.decode(errors="ignore").encode().translate(None, _CONTROLS)
    return understood >= _UNDERSTOOD or 4 * len(text) >= 3 * len(sample)


def _zlib_begins(data: bytes, start: int, end: int) -> bool:
    try:
        return len(zlib.decompressobj().decompress(data[start : min(start + _PROBE, end)], MIN_VALUE)) == MIN_VALUE
    except zlib.error:
        return False


def _deflate_begins(data: bytes, start: int, end: int) -> bool:
    """A raw block, or a zlib header that is none of the usual ones (which are found wherever they stand)."""
    first = data[start]
    window = -zlib.MAX_WBITS
    if first & 0x8F == 8 and (first << 8 | data[start + 1]) % 31 == 0:
        if data.startswith(compression.ZLIB_MAGICS, start):
            return False
        window = zlib.MAX_WBITS
    elif first & 6 == 6 or (first & 6 == 0 and (data[start + 1] ^ data[start + 3]) != 0xFF):
        # There is no such kind of block; or it is stored, and its length is not there twice.
        return False
    try:
        inflater = zlib.decompressobj(window)
        return len(inflater.decompress(data[start : min(start + _PROBE, end)], MIN_VALUE)) == MIN_VALUE
    except zlib.error:
        return False


def _brotli_begins(data: bytes, start: int, end: int) -> bool:
    """Brotli refuses seven of eight pieces of noise after 16 bytes, and nearly all where it sees the end as well.

    What the last group of a text encoding adds may stand behind the end.
    """
    if not _brotli_reads(data[start : min(start + _BROTLI_PROBE, end)]):
        return False
    if end - start > _BROTLI_SHORT:
        return _brotli_reads(data[start : start + _BROTLI_SHORT])
    return any(_brotli_reads(data[start : end - behind]) for behind in range(_BEHIND + 1))


def _brotli_reads(data: bytes) -> bool:
    try:
        brotli.Decompressor().process(data)
    except brotli.error:
        return False
    return True


def _bzip2_begins(data: bytes, start: int, _end: int) -> bool:
    return start >= 0 and data.startswith(b"BZh", start)


def _lzma_begins(data: bytes, start: int, end: int) -> bool:
    """A window size that is a power of two or halfway between two, a size below 256 GiB or none, and the zero that all
    coded data begins with. liblzma takes nothing else either where it has to tell formats apart; without the second, a
    byte 0x5d, the length 32 in four bytes and noise look like a file with a window of 512 MiB."""
    if start + 14 > end or data[start + 13]:
        return False
    if 2**38 <= int.from_bytes(data[start + 5 : start + 13], "little") < 2**64 - 1:
        return False
    size = int.from_bytes(data[start + 1 : start + 5], "little")
    return size == 2**32 - 1 or (size > 0 and size >> (size.bit_length() - 2) << (size.bit_length() - 2) == size)


def _lz4_begins(data: bytes, start: int, end: int) -> bool:
    """Whether the first copy of a bare block refers to something, be it behind the size of the block or not."""
    sized = int.from_bytes(data[start : start + 4], "little") <= 255 * (end - start)
    return _lz4_copies(data, start, end) or (sized and _lz4_copies(data, start + 4, end))


def _lz4_copies(data: bytes, at: int, end: int) -> bool:
    literal = data[at] >> 4
    if literal == 15:
        return True
    at += literal + 1
    return at + 2 <= end and 0 < (data[at] | data[at + 1] << 8) <= literal


def _snappy_begins(data: bytes, start: int, end: int) -> bool:
    """Whether a literal follows the length of all, and is no longer than that."""
    size = shift = 0
    for at in range(start, min(start + 5, end - 1)):
        size |= (data[at] & 0x7F) << shift
        shift += 7
        if data[at] < 0x80:
            tag = data[at + 1]
            return tag & 3 == 0 and size >= MIN_VALUE and (tag >> 2 >= 60 or tag >> 2 < size) and size < 1 << 32
    return False


def _lz_string_begins(data: bytes, start: int, end: int) -> bool:
    return any(lzstring.likely(bits) for bits in _lz_bits(data, start, min(start + 12, end)))


def _lz_value(data: bytes, start: int, limit: int, end: int | None = None) -> compression.Expanded:
    """Expand LZString's formats that are no words: compressToUint8Array, compress and compressToUTF16."""
    end = len(data) if end is None else end
    for bits in _lz_bits(data, start, end):
        if lzstring.likely(bits):
            with suppress(compression.CorruptError):
                text = lzstring.expand(bits, limit)
                if _lz_ends(bits, text):
                    return compression.Expanded(text.data, end - start, whole=True)
    raise compression.CorruptError(b"", 0)


_LZ_CHARACTERS = 9
"""Bytes of UTF-8 at least: what does not even begin with so much is no text."""
_FIRST_OF_SEVERAL = 0xC2
"""The least byte that begins a character of several bytes in UTF-8."""


def _lz_bits(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """The bits of a value by each format: as bytes, and as characters of 16 or 15 bits in UTF-8."""
    value = data[start:end]
    yield value
    if max(value[:2], default=0) < _FIRST_OF_SEVERAL:
        return
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        if error.start < _LZ_CHARACTERS:
            return
        text = value[: error.start].decode()
    units = text.encode("utf-16-be")
    yield units
    characters = struct.unpack(f">{len(units) // 2}H", units)
    if all(32 <= character < 32 + 2**15 for character in characters):
        digits = "".join(f"{character - 32:015b}" for character in characters)
        yield int(digits + "0" * (-len(digits) % 8), 2).to_bytes(-(-len(digits) // 8), "big")


def _lz_ends(bits: bytes, text: lzstring.Text) -> bool:
    """Whether nothing stands behind the end but what fills up the last characters."""
    unread = 8 * len(bits) - text.bits
    filled = int.from_bytes(bits[-_LZ_FILLER // 8 :], "big") & ((1 << unread) - 1) == 0
    return text.whole and unread <= _LZ_FILLER and filled


def _lz_text(data: bytes) -> bool:
    """Whether most of what came out are the letters of ASCII. Noise comes out as letters of any script."""
    sample = data[:_SAMPLE].decode(errors="ignore")
    return len(data) >= MIN_VALUE and 4 * sum(" " <= letter <= "~" for letter in sample) >= 3 * len(sample)


_LZ_FILLER = 48
"""Bits at most behind the end: of the last characters, and of those that fill up a word of base64."""
_LZ_WORD = 12
_LZ_WORDS = 8
"""Words tried of one run: base64 that is something else is full of slashes, a path has a few."""
_LZ_CLASSES = classes((b"w", b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-"))
_LZ_RUN = re.compile(rb"[A-Za-z0-9+/-]+")
_LZ_ALPHABETS = (re.compile(rb"[A-Za-z0-9+/]{12,}"), re.compile(rb"[A-Za-z0-9+-]{12,}"))
_LZ_FIRST = b"ABCDEFGHIJKLMNOPghijklmnopqrstuv"
"""Digits whose first two bits announce a new character."""
_LZ_TO_BASE64 = bytes.maketrans(b"-", b"/")


def _lz_words(view: View, budget: Budget) -> Iterator[_Piece]:
    data = view.data
    useless: set[bytes] = set()
    for run in runs(data.translate(_LZ_CLASSES), b"w" * _LZ_WORD, _LZ_RUN, data):
        # Words of a language, paths and hexadecimal digits keep to one case, which the digits of a value that is long
        # enough do once in some thousand times. Next to an underscore it is the other base64 for URLs.
        text = data[slice(*run)]
        if text.islower() or text.isupper() or b"_" in (data[run[0] - 1 : run[0]], data[run[1] : run[1] + 1]):
            continue
        words = {word.span() for alphabet in _LZ_ALPHABETS for word in islice(alphabet.finditer(data, *run), _LZ_WORDS)}
        for start, end in sorted(words):
            if data[start] not in _LZ_FIRST or data[start:end] in useless:
                continue
            if not lzstring.likely(_lz_digits(data, start, start + 4)):
                continue
            bits = _lz_digits(data, start, end)
            try:
                found = lzstring.expand(bits, budget.expansion)
            except compression.TooLargeError:
                budget.too_large("lz-string")
                continue
            except compression.CorruptError as error:
                found = lzstring.Text(error.partial, 8 * error.understood, whole=False)
            if _lz_ends(bits, found) or _lz_text(found.data):
                yield _Piece(found.data, start, min(-(-found.bits // 6), end - start))
            else:
                useless.add(data[start:end])


def _lz_digits(data: bytes, start: int, end: int) -> bytes:
    digits = data[start:end].translate(_LZ_TO_BASE64)
    return binascii.a2b_base64(digits + b"A" * (-len(digits) % 4))


class _Guess(NamedTuple):
    """Something without a magic number: a cheap check that refuses nearly all noise, then the expansion."""

    name: str
    likely: Callable[[bytes, int, int], bool]
    expand: compression.Expander


_GUESSES = (
    _Guess("deflate", _deflate_begins, compression.undeflate),
    _Guess("br", _brotli_begins, compression.unbrotli),
    _Guess("lz4", _lz4_begins, lz77.lz4_block),
    _Guess("snappy", _snappy_begins, lz77.snappy_block),
    _Guess("lz-string", _lz_string_begins, _lz_value),
)


class _Format(NamedTuple):
    """Something with a magic number, which stands behind its first `before` bytes.

    `begins` is for a number that stands in noise by chance: it looks closer.
    """

    name: str
    magic: bytes
    expand: compression.Expander
    begins: Callable[[bytes, int, int], bool] | None = None
    before: int = 0


_FORMATS = (
    _Format("gzip", compression.GZIP_MAGIC, compression.gunzip),
    *(_Format("deflate", magic, compression.unzlib, _zlib_begins) for magic in compression.ZLIB_MAGICS),
    _Format("zstd", compression.ZSTD_MAGIC, compression.unzstd),
    _Format("bzip2", compression.BZIP2_MAGIC, compression.unbzip2, _bzip2_begins, compression.BZIP2_HEADER),
    _Format("xz", compression.XZ_MAGIC, compression.unxz),
    _Format("xz", compression.LZMA_MAGIC, compression.unlzma, _lzma_begins),
    _Format("lz4", lz77.LZ4_MAGIC, lz77.lz4_frames),
    _Format("lz4", lz77.LZ4_LEGACY_MAGIC, lz77.lz4_frames),
    _Format("lz4", lz77.MOZ_LZ4_MAGIC, lz77.lz4_frames),
    _Format("snappy", lz77.SNAPPY_MAGIC, lz77.snappy_frames),
    _Format("snappy", lz77.XERIAL_MAGIC, lz77.snappy_frames),
    _Format("zip", compression.ZIP_MAGIC, compression.unzip),
)
# Of these kinds of search only the leftmost ones look at 16 or more bytes at a time: some thirty times as fast.
_MAGIC_NUMBERS = BytesAhoCorasick([found.magic for found in _FORMATS], matchkind=MatchKind.LeftmostFirst)
_LONGEST_MAGIC = max(len(found.magic) for found in _FORMATS)
