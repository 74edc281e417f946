"""Decodes again what a finding points at, by its chain of decoders, without any code of the detector.

A span ends with whole units of the outer coding, which may hold a few digits of the neighbours in the inner one; so
every decoder here gives several readings, and one of them has to hold the value.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import codecs
import email.header
import html
import json
import lzma
import quopri
import re
import sys
import unicodedata
import urllib.parse
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import brotli
import cramjam
import lz4.block
import lz4.frame
import zstandard

from tests.corpus.encoders import BASE58, Z85

type Decode = Callable[[bytes], Iterator[bytes]]

MOST = 4000
"""Readings that are followed; more come only out of long chains."""


def replays(chain: Sequence[str], data: bytes, value: bytes) -> bool | None:
    """True if `value` comes out of `data`; None if a decoder of the chain is not known here."""
    if not all(name in DECODERS for name in chain):
        return None
    readings = [data]
    for name in chain:
        made = dict.fromkeys(
            reading for data in readings for reading in _read(DECODERS[name], data) if len(reading) >= 4
        )
        readings = list(made)[:MOST]
    return any(stands_in(value, reading) for reading in readings)


def stands_in(value: bytes, data: bytes) -> bool:
    """As it is, or but for case, normal form and separators."""
    if value in data:
        return True
    with suppress(UnicodeDecodeError):
        wanted = folded(value.decode())
        return any(wanted in folded(data.decode(coding, "replace")) for coding in ("utf-8", "latin-1"))
    return False


def folded(text: str) -> str:
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", text).casefold()))


def _read(decode: Decode, data: bytes) -> Iterator[bytes]:
    readings = decode(data)
    while True:
        try:
            yield next(readings)
        except StopIteration:
            return
        except (ValueError, ArithmeticError, EOFError, RuntimeError, LookupError, OSError, zlib.error, lzma.LZMAError,
                brotli.error, zstandard.ZstdError, cramjam.DecompressionError):  # fmt: skip
            return


def _same(data: bytes) -> Iterator[bytes]:
    yield data


def _base64(data: bytes) -> Iterator[bytes]:
    data = data.replace(b"\\r", b"").replace(b"\\n", b"").replace(b"\\/", b"/")
    for table in (bytes.maketrans(b"-_,", b"+//"), bytes.maketrans(b"._-,", b"+/+/")):
        plain = data.translate(table)
        digits = re.sub(rb"[^A-Za-z0-9+/]", b"", plain)
        for skipped in range(4):
            rest = digits[skipped:]
            yield base64.b64decode(rest[: len(rest) // 4 * 4])
            yield base64.b64decode(rest[: len(rest) - (len(rest) % 4 == 1)] + b"==")
        yield b"".join(
            base64.b64decode(re.sub(rb"[^A-Za-z0-9+/]", b"", piece) + b"==")
            for piece in re.split(rb"=+", plain)
            if len(re.sub(rb"[^A-Za-z0-9+/]", b"", piece)) % 4 != 1
        )


def _base32(alphabet: bytes) -> Decode:
    def read(data: bytes) -> Iterator[bytes]:
        digits = re.sub(rb"[^A-Z2-7]" if alphabet == b"32" else rb"[^0-9A-V]", b"", data.upper())
        decode = base64.b32decode if alphabet == b"32" else base64.b32hexdecode
        for skipped in range(8):
            rest = digits[skipped:]
            usable = len(rest) - {1: 1, 3: 1, 6: 1}.get(len(rest) % 8, 0)
            with suppress(ValueError):
                yield decode(rest[:usable] + b"=" * (-usable % 8))

    return read


def _hex(data: bytes) -> Iterator[bytes]:
    for plain in (data, re.sub(rb"0[xX]|\\+x", b"", data)):
        digits = re.sub(rb"[^0-9A-Fa-f]", b"", plain)
        for skipped in range(2):
            rest = digits[skipped:]
            yield bytes.fromhex(rest[: len(rest) // 2 * 2].decode())


def _hexdump(data: bytes) -> Iterator[bytes]:
    lines = [re.sub(rb"\|.*$", b"", line) for line in data.splitlines()]
    for pattern in (rb"^\s*[0-9a-f]{4,8}:?\s+", rb""):
        rows = [re.sub(pattern, b"", line) for line in lines]
        digits = b"".join(b"".join(re.findall(rb"\b(?:[0-9a-f]{2})+\b", row)) for row in rows)
        yield bytes.fromhex(digits.decode())


def _base58(data: bytes) -> Iterator[bytes]:
    for run in re.findall(rb"[1-9A-HJ-NP-Za-km-z]+", data):
        number = 0
        for char in run.decode():
            number = number * 58 + BASE58.index(char)
        yield number.to_bytes((number.bit_length() + 7) // 8)


def _groups(decode: Callable[[bytes], bytes], size: int, dropped: bytes = rb"\s") -> Decode:
    """From each of the first digits on; with the last, incomplete group and without."""

    def read(data: bytes) -> Iterator[bytes]:
        run = re.sub(dropped, b"", data)
        for skipped in range(size):
            for end in (len(run), skipped + (len(run) - skipped) // size * size):
                with suppress(ValueError):
                    yield decode(run[skipped:end])

    return read


def _ascii85(data: bytes) -> Iterator[bytes]:
    for piece in re.split(rb"<~|~>", data):
        yield from _groups(base64.a85decode, 5)(piece)


def _of_z85(digits: bytes) -> bytes:
    groups = [digits[at : at + 5].decode("latin-1") for at in range(0, len(digits) // 5 * 5, 5)]
    values = [sum(Z85.index(char) * 85 ** (4 - at) for at, char in enumerate(group)) for group in groups]
    return b"".join((value & 0xFFFFFFFF).to_bytes(4) for value in values)


def _of_uuencode(digits: bytes) -> bytes:
    return b"".join(binascii.a2b_uu(b"#" + digits[at : at + 4].ljust(4)) for at in range(0, len(digits), 4))


def _uuencode(data: bytes) -> Iterator[bytes]:
    lines = [line for line in data.splitlines() if line and not line.startswith((b"begin ", b"end"))]
    for some in (lines, [line[1:] for line in lines]):
        yield from _groups(_of_uuencode, 4, rb"[\r\n]")(b"".join(some))


def _yenc(data: bytes) -> Iterator[bytes]:
    lines = [line for line in re.split(rb"\r?\n", data) if not line.startswith((b"=ybegin", b"=yend", b"=ypart"))]
    out, escaped = bytearray(), False
    for byte in b"".join(lines):
        if byte == 61 and not escaped:
            escaped = True
            continue
        out.append((byte - (106 if escaped else 42)) & 255)
        escaped = False
    yield bytes(out)


def _percent(data: bytes) -> Iterator[bytes]:
    for skipped in range(3):
        plain = data[skipped:]
        yield urllib.parse.unquote_to_bytes(plain)
        yield urllib.parse.unquote_to_bytes(plain.replace(b"+", b" "))
        units = re.sub(rb"%u([0-9A-Fa-f]{4})", lambda unit: b"\\u" + unit[1], plain)
        if units != plain:
            yield from _json(units)


_ESCAPE = re.compile(
    rb"\\(?:u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([0-3]?[0-7]{1,2})"
    rb"|([0-9a-fA-F]{6}) ?|([^u]))"
)
_SHORT = {b"n": "\n", b"r": "\r", b"t": "\t", b"b": "\b", b"f": "\f", b"v": "\v"}


def _unescape(data: bytes, *, bytewise: bool) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        unit, braced, long, byte, octal, css, char = found.groups()
        if code := unit or braced or long or css:
            return chr(int(code, 16)).encode("utf-8", "surrogatepass")
        if byte or octal:
            value = int(byte, 16) if byte else int(octal, 8)
            return bytes([value & 255]) if bytewise else chr(value).encode()
        return _SHORT.get(char, char.decode("latin-1")).encode("latin-1")

    made = _ESCAPE.sub(one, data)
    with suppress(UnicodeError):  # pairs of surrogates
        made = made.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16").encode()
    return made


def _json(data: bytes) -> Iterator[bytes]:
    for text in (data, data.strip(b'"')):
        with suppress(ValueError):
            yield str(json.loads(b'"' + text + b'"', strict=False)).encode()
    yield _unescape(data, bytewise=False)
    yield _unescape(data, bytewise=True)


def _html(data: bytes) -> Iterator[bytes]:
    text = data.decode("utf-8", "replace")
    yield html.unescape(text).encode()
    yield html.unescape(html.unescape(text)).encode()
    yield re.sub(r"&#(\d{1,7});?", _character, text).encode("utf-8", "replace")


def _character(reference: re.Match[str]) -> str:
    """What a reference stands for; digits that stand for no character (hex that looks like one) stay."""
    code = int(reference[1])
    return chr(code) if code <= sys.maxunicode else reference[0]


def _quoted_printable(data: bytes) -> Iterator[bytes]:
    yield quopri.decodestring(data)
    for skipped in range(1, 3):
        yield quopri.decodestring(data[skipped:])


def _encoded_word(data: bytes) -> Iterator[bytes]:
    pairs = email.header.decode_header(data.decode("latin-1"))
    yield b"".join(part if isinstance(part, bytes) else part.encode() for part, _ in pairs)
    yield quopri.decodestring(data, header=True)


def _coded(name: str, width: int) -> Decode:
    def read(data: bytes) -> Iterator[bytes]:
        for skipped in range(width):
            # The other byte order differs by one byte at the ends only.
            for rest in (data[skipped:], data[skipped:] + bytes(width - 1)):
                yield rest[: len(rest) // width * width].decode(name, "replace").encode("utf-8", "replace")

    return read


def _changed(change: Callable[[str], str]) -> Decode:
    def read(data: bytes) -> Iterator[bytes]:
        yield change(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    return read


def _reversed(data: bytes) -> Iterator[bytes]:
    yield data[::-1]
    yield from _changed(lambda text: text[::-1])(data)


def _array(data: bytes) -> Iterator[bytes]:
    numbers = re.findall(r"-?0x[0-9a-fA-F]+|-?\d+", data.decode("latin-1"))
    values = [int(number, 0 if "x" in number else 10) for number in numbers]
    for some in (values, values[1::2], values[::2]):
        with suppress(ValueError):
            yield bytes(value & 255 for value in some) if all(-129 < value < 256 for value in some) else b""
        with suppress(ValueError, OverflowError):
            yield "".join(map(chr, some)).encode("utf-16", "surrogatepass").decode("utf-16").encode()
    yield b"".join(re.findall(rb"[\"']((?:[^\"'\\]|\\.[0-9a-f]{0,4})+)[\"']", data))
    yield re.sub(rb"[\"',\s\[\]]", b"", data)
    yield from list(_json(b"".join(re.findall(rb"[\"']((?:[^\"'\\]|\\.[0-9a-f]{0,4})+)[\"']", data))))


def _separated(data: bytes) -> Iterator[bytes]:
    yield re.sub(rb"[\s\0.,;:|/_()-]", b"", data)
    for separator in set(data):
        yield data.replace(bytes([separator]), b"")
    yield re.sub("[\u200b-\u200d\u2060\ufeff\u00ad]", "", data.decode("utf-8", "replace")).encode()


def _unwrapped(data: bytes) -> Iterator[bytes]:
    yield re.sub(rb"\r?\n[ \t]*", b"", data)
    yield re.sub(rb"=?\r?\n[ \t>]*", b"", data)


def _tags(data: bytes) -> Iterator[bytes]:
    yield re.sub(rb"<[^<>]*>", b"", data)


def _concatenated(data: bytes) -> Iterator[bytes]:
    yield re.sub(rb"[\"']\s*[+.&]?\s*[\"']", b"", data)


def _punycode(data: bytes) -> Iterator[bytes]:
    for label in re.findall(rb"(?i)(?:xn--)?([a-z0-9-]+)", data):
        yield label.decode().encode().decode("punycode").encode()


def _utf7(data: bytes) -> Iterator[bytes]:
    yield data.decode("utf-7", "replace").encode()


def _bits(data: bytes) -> Iterator[bytes]:
    bits = re.sub(rb"[^01]", b"", data)
    for skipped in range(8):
        rest = bits[skipped:]
        yield bytes(int(rest[at : at + 8], 2) for at in range(0, len(rest) // 8 * 8, 8))


def _trimmed(decode: Decode) -> Decode:
    """Also without the first or last few bytes, which are the neighbours' where units are wider than a byte."""

    def read(data: bytes) -> Iterator[bytes]:
        for skipped in range(5):
            for cut in range(5):
                yield from _read(decode, data[skipped : len(data) - cut])

    return read


def _inflated(width: int) -> Decode:
    def read(data: bytes) -> Iterator[bytes]:
        out = b""
        while data:
            inflater = zlib.decompressobj(width)
            out += inflater.decompress(data)
            if inflater.unused_data == data:
                break
            data = inflater.unused_data
            if not inflater.eof:
                break
            yield out
        yield out

    return read


def _deflate(data: bytes) -> Iterator[bytes]:
    for width in (15, -15):
        yield from _read(_inflated(width), data)


def _messages(data: bytes) -> Iterator[bytes]:
    yield zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff")


def _brotli(data: bytes) -> Iterator[bytes]:
    yield brotli.Decompressor().process(data)


def _zstd(data: bytes) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        yield reader.read()


def _lz4(data: bytes) -> Iterator[bytes]:
    with suppress(RuntimeError, EOFError):
        yield lz4.frame.LZ4FrameDecompressor().decompress(data)
    with suppress(RuntimeError, ValueError, lz4.block.LZ4BlockError):
        yield lz4.block.decompress(data)
    for size in (len(data) * 4, 1 << 20):
        with suppress(RuntimeError, ValueError, lz4.block.LZ4BlockError):
            yield lz4.block.decompress(data, uncompressed_size=size)


def _snappy(data: bytes) -> Iterator[bytes]:
    with suppress(cramjam.DecompressionError):
        yield bytes(cramjam.snappy.decompress(data))
    with suppress(cramjam.DecompressionError):
        yield bytes(cramjam.snappy.decompress_raw(data))


def _bzip2(data: bytes) -> Iterator[bytes]:
    yield bz2.BZ2Decompressor().decompress(data)


def _xz(data: bytes) -> Iterator[bytes]:
    yield lzma.LZMADecompressor().decompress(data)


def _xor(key: int) -> Decode:
    def read(data: bytes) -> Iterator[bytes]:
        yield bytes(byte ^ key for byte in data)

    return read


def _rot13(text: str) -> str:
    return codecs.encode(text, "rot13")


DECODERS: dict[str, Decode] = {
    "base64": _base64,
    "base32": _base32(b"32"),
    "base32hex": _base32(b"hex"),
    "base58": _base58,
    "base85": _groups(base64.b85decode, 5),
    "ascii85": _ascii85,
    "z85": _groups(_of_z85, 5),
    "uuencode": _uuencode,
    "yenc": _yenc,
    "hex": _hex,
    "hexdump": _hexdump,
    "binary": _bits,
    "percent": _percent,
    "urlencoded": _percent,
    "json": _json,
    "javascript": _json,
    "html": _html,
    "quoted-printable": _quoted_printable,
    "encoded-word": _encoded_word,
    "utf-16le": _coded("utf-16-le", 2),
    "utf-16be": _coded("utf-16-be", 2),
    "utf-32le": _coded("utf-32-le", 4),
    "utf-32be": _coded("utf-32-be", 4),
    "utf-7": _utf7,
    "punycode": _punycode,
    "latin-1": _coded("latin-1", 1),
    "lowercase": _same,
    "uppercase": _same,
    "rot13": _changed(_rot13),
    "reversed": _reversed,
    "array": _array,
    "separated": _separated,
    "grouped digits": _separated,
    "zero-width": _separated,
    "unwrapped": _unwrapped,
    "tags removed": _tags,
    "concatenated": _concatenated,
    "gzip": _trimmed(_inflated(31)),
    "deflate": _trimmed(_deflate),
    "br": _trimmed(_brotli),
    "zstd": _trimmed(_zstd),
    "lz4": _trimmed(_lz4),
    "snappy": _trimmed(_snappy),
    "bzip2": _trimmed(_bzip2),
    "xz": _trimmed(_xz),
    "tls.records": _same,
    "http.chunked": _same,
    "http2": _same,
    "grpc": _same,
    "multipart": _same,
    "fields": _same,
    "cbor": _same,
    "msgpack": _same,
    "protobuf": _same,
    "event-stream": _same,
    "labels joined": _separated,
    "dns": _separated,
    "permessage-deflate": _trimmed(_messages),
    **{f"xor {key:#04x}": _xor(key) for key in range(256)},
}
"""By the names that the detector gives. Framing is undone by the spans already: they leave it out."""
