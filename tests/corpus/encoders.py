"""The ways in which a value can be dressed. Each is a function from bytes to bytes; text is UTF-8."""

from __future__ import annotations

import base64
import binascii
import bz2
import codecs
import gzip
import html.entities
import io
import json
import lzma
import quopri
import textwrap
import unicodedata
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable, Mapping

import brotli
import cramjam
import lz4.block
import lz4.frame
import zstandard

from tests.corpus import lzstring

type Encode = Callable[[bytes], bytes]

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def on_text(change: Callable[[str], str], coding: str = "utf-8") -> Encode:
    """The same for bytes that are text."""
    return lambda data: change(data.decode()).encode(coding)


def each(pattern: str, joint: str = "") -> Encode:
    """Every byte written by a format."""
    return lambda data: joint.join(pattern.format(byte) for byte in data).encode()


def each_character(pattern: str, joint: str = "", before: str = "", after: str = "") -> Encode:
    """Every character's code point written by a format."""
    return on_text(lambda text: before + joint.join(pattern.format(ord(char)) for char in text) + after)


def each_unit(pattern: str, joint: str = "") -> Encode:
    """Every UTF-16 code unit written by a format."""

    def encode(data: bytes) -> bytes:
        wide = data.decode().encode("utf-16-be")
        return joint.join(pattern.format(int.from_bytes(wide[at : at + 2])) for at in range(0, len(wide), 2)).encode()

    return encode


def entities(text: str) -> str:
    """By name wherever there is one, ASCII punctuation included."""
    names = {ord(char): name for name, char in html.entities.html5.items() if len(char) == 1 and name.endswith(";")}
    return "".join(
        f"&{html.entities.codepoint2name.get(ord(char)) or names[ord(char)].rstrip(';')};"
        if (not char.isalnum() and ord(char) in names) or ord(char) in html.entities.codepoint2name
        else char
        for char in text
    )


def every_quoted(data: bytes) -> bytes:
    """Quoted-printable with every byte escaped and soft line breaks."""
    units = [f"={byte:02X}" for byte in data]
    return "=\r\n".join("".join(units[at : at + 12]) for at in range(0, len(units), 12)).encode()


def soft_broken(data: bytes) -> bytes:
    """Quoted-printable with a soft line break after every ninth character of the source."""
    return b"=\r\n".join(
        b"".join(b"=%02X" % byte if byte > 126 or byte in b"=" else bytes([byte]) for byte in data[at : at + 9])
        for at in range(0, len(data), 9)
    )


def separated(separator: str, group: int = 1) -> Encode:
    return on_text(lambda text: separator.join(text[at : at + group] for at in range(0, len(text), group)))


def broken(data: bytes, width: int = 72) -> bytes:
    """Long words broken at the end of the line, as mail programs do it."""
    return b"\r\n".join(data[at : at + width] for at in range(0, len(data), width))


def wide(text: str) -> str:
    """The full-width letters of East Asian typography, which NFKC folds."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def punycode(text: str) -> str:
    """As a host label: xn--…"""
    return "xn--" + text.lower().replace(" ", "-").encode("punycode").decode()


def base58(data: bytes) -> bytes:
    number, digits = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        digits = BASE58[digit] + digits
    return ("1" * (len(data) - len(data.lstrip(b"\0"))) + digits).encode()


def base32hex(data: bytes) -> bytes:
    return base64.b32hexencode(data)


def z85(data: bytes) -> bytes:
    data += bytes(-len(data) % 4)
    digits = []
    for at in range(0, len(data), 4):
        number = int.from_bytes(data[at : at + 4])
        digits += [Z85[number // 85**power % 85] for power in range(4, -1, -1)]
    return "".join(digits).encode()


def uuencode(data: bytes) -> bytes:
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return b"begin 644 note.txt\n" + lines + b"`\nend\n"


def yenc(data: bytes) -> bytes:
    out = bytearray()
    for byte in data:
        value = byte + 42 & 255
        out += bytes([61, value + 64 & 255]) if value in b"\0\n\r=" else bytes([value])
    lines = b"\r\n".join(bytes(out[at : at + 128]) for at in range(0, len(out), 128))
    return b"=ybegin line=128 size=%d name=note.bin\r\n%b\r\n=yend size=%d\r\n" % (len(data), lines, len(data))


def hexdump(data: bytes) -> bytes:
    """As `hexdump -C` shows it."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        cells = [f"{byte:02x}" for byte in row] + ["  "] * (16 - len(row))
        shown = "".join(chr(byte) if 31 < byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {' '.join(cells[:8])}  {' '.join(cells[8:])}  |{shown}|")
    return "\n".join([*lines, f"{len(data):08x}", ""]).encode()


def wrapped(width: int, end: bytes, encode: Encode = base64.b64encode) -> Encode:
    def wrap(data: bytes) -> bytes:
        digits = encode(data)
        return end.join(digits[at : at + width] for at in range(0, len(digits), width))

    return wrap


def repeated(encode: Encode, times: int) -> Encode:
    def again(data: bytes) -> bytes:
        for _ in range(times):
            data = encode(data)
        return data

    return again


def chain(*steps: Encode) -> Encode:
    """One after the other, the first being the innermost."""

    def encode(data: bytes) -> bytes:
        for step in steps:
            data = step(data)
        return data

    return encode


def deflate(data: bytes, level: int = 6) -> bytes:
    """Raw (RFC 1951)."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def deflate_message(data: bytes) -> bytes:
    """As permessage-deflate sends one message (RFC 7692): flushed, without the four bytes of the empty block."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


def named_gzip(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = compressor.compress(data) + compressor.flush()
    head = b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x02\x03report.csv\0"
    return head + body + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


def xor(key: int) -> Encode:
    return lambda data: bytes(byte ^ key for byte in data)


TEXT: Mapping[str, Encode] = {
    "percent": lambda data: urllib.parse.quote(data, safe="").encode(),
    "percent, lower": lambda data: urllib.parse.quote(data, safe="").lower().encode(),
    "percent, twice": lambda data: urllib.parse.quote(urllib.parse.quote(data, safe=""), safe="").encode(),
    "percent, every": each("%{:02X}"),
    "percent, every, lower": each("%{:02x}"),
    "percent, every, twice": chain(each("%{:02X}"), each("%{:02X}")),
    "urlencoded": lambda data: urllib.parse.quote_plus(data).encode(),
    "percent u": each_unit("%u{:04X}"),
    "json": lambda data: json.dumps(data.decode()).encode(),
    "json, twice": lambda data: json.dumps(json.dumps(data.decode())).encode(),
    "json, every": each_unit("\\u{:04x}"),
    "json, slashes": lambda data: json.dumps(data.decode()).replace("/", "\\/").replace("@", "\\u0040").encode(),
    "javascript x": each_character("\\x{:02x}"),
    "javascript u{}": each_character("\\u{{{:x}}}"),
    "octal": each("\\{:03o}"),
    "python U": each_character("\\U{:08x}"),
    "css": each_character("\\{:06x}"),
    "entities, named": on_text(entities),
    "entities, decimal": each_character("&#{};"),
    "entities, hex": each_character("&#x{:x};"),
    "entities, HEX": each_character("&#X{:04X};"),
    "entities, open": each_character("&#{}"),
    "entities, twice": on_text(lambda text: "".join(f"&amp;#{ord(char)};" for char in text)),
    "quoted-printable": lambda data: quopri.encodestring(data, quotetabs=True),
    "quoted-printable, every": every_quoted,
    "quoted-printable, broken": soft_broken,
    "encoded word, B": lambda data: b"=?utf-8?B?" + base64.b64encode(data) + b"?=",
    "encoded word, Q": lambda data: (
        b"=?utf-8?Q?"
        + b"".join(bytes([byte]) if chr(byte).isalnum() and byte < 128 else b"=%02X" % byte for byte in data)
        + b"?="
    ),
    "utf-16le": on_text(str, "utf-16-le"),
    "utf-16be": on_text(str, "utf-16-be"),
    "utf-16 with mark": on_text(str, "utf-16"),
    "utf-16be with mark": lambda data: codecs.BOM_UTF16_BE + data.decode().encode("utf-16-be"),
    "utf-32le": on_text(str, "utf-32-le"),
    "utf-32be": on_text(str, "utf-32-be"),
    "utf-32 with mark": on_text(str, "utf-32"),
    "utf-32be with mark": lambda data: codecs.BOM_UTF32_BE + data.decode().encode("utf-32-be"),
    "utf-7": on_text(str, "utf-7"),
    "latin-1": on_text(str, "latin-1"),
    "upper case": on_text(str.upper),
    "lower case": on_text(str.lower),
    "swapped case": on_text(str.swapcase),
    "case folded": on_text(str.casefold),
    "nfc": on_text(lambda text: unicodedata.normalize("NFC", text)),
    "nfd": on_text(lambda text: unicodedata.normalize("NFD", text)),
    "nfkd": on_text(lambda text: unicodedata.normalize("NFKD", text)),
    "full width": on_text(wide),
    "rot13": on_text(lambda text: codecs.encode(text, "rot13")),
    "reversed": on_text(lambda text: text[::-1]),
    "reversed bytes": lambda data: data[::-1],
    "array of characters": lambda data: json.dumps(list(data.decode())).encode(),
    "array of characters, tight": lambda data: json.dumps(
        list(data.decode()), separators=(",", ":"), ensure_ascii=False
    ).encode(),
    "array of bytes": lambda data: json.dumps(list(data)).encode(),
    "array of bytes, tight": lambda data: json.dumps(list(data), separators=(",", ":")).encode(),
    "array of signed bytes": lambda data: json.dumps([byte - 256 if byte > 127 else byte for byte in data]).encode(),
    "array of hex": each("0x{:02x}", ", "),
    "array of code points": each_character("{}", ",", "[", "]"),
    "fromCharCode": each_unit("{}", ","),
    "numbers in words": each("{}", " "),
    "object of numbers": lambda data: json.dumps({str(at): byte for at, byte in enumerate(data)}).encode(),
    "separated by -": separated("-"),
    "separated by space": separated(" "),
    "separated by .": separated("."),
    "separated by ,": separated(","),
    "separated by lines": separated("\n"),
    "separated by NUL": separated("\0"),
    "separated by zero width": separated("\u200b"),
    "soft hyphens": separated("\u00ad", 4),
    "groups of 4, space": separated(" ", 4),
    "groups of 3, -": separated("-", 3),
    "tags inside": separated("<wbr>", 5),
    "concatenated": separated('" + "', 6),
    "concatenated, php": separated("' . '", 7),
    "broken lines": lambda data: broken(b"https://chat.lab.test/invitations/2026/accept?token=" + data),
}

BINARY_TO_TEXT: Mapping[str, Encode] = {
    "base64": base64.b64encode,
    "base64, url-safe": base64.urlsafe_b64encode,
    "base64, unpadded": lambda data: base64.b64encode(data).rstrip(b"="),
    "base64, url-safe, unpadded": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    "base64, second alignment": lambda data: base64.b64encode(b"q" + data + b"."),
    "base64, third alignment": lambda data: base64.b64encode(b"id" + data + b"-x"),
    "base64, lines of 76": lambda data: base64.encodebytes(data * 3).replace(b"\n", b"\r\n"),
    "base64, lines of 20": wrapped(20, b"\n"),
    "base64, lines of 7": wrapped(7, b"\r\n"),
    "base64, lines in JSON": wrapped(16, b"\\n"),
    "base64, quoted lines": wrapped(24, b"\n> "),
    "base64, indented": wrapped(20, b"\n    "),
    "base64, glued": lambda data: b"token" + base64.b64encode(data).rstrip(b"=") + b"END",
    "base64, glued, url-safe": lambda data: b"v1_" + base64.urlsafe_b64encode(data).rstrip(b"=") + b"_sig",
    "base64, pieces": lambda data: b"".join(base64.b64encode(data[at : at + 10]) for at in range(0, len(data), 10)),
    "base64, twice": repeated(base64.b64encode, 2),
    "base64, five times": repeated(base64.b64encode, 5),
    "base64, six times": repeated(base64.b64encode, 6),
    "base64, imap": lambda data: base64.b64encode(data).rstrip(b"=").replace(b"/", b","),
    "base64, percent": lambda data: urllib.parse.quote(base64.b64encode(data), safe="").encode(),
    "base64, data url": lambda data: b"data:text/plain;base64," + base64.b64encode(data),
    "base32": base64.b32encode,
    "base32, lower": lambda data: base64.b32encode(data).lower(),
    "base32, unpadded": lambda data: base64.b32encode(data).rstrip(b"="),
    "base32, lower, unpadded": lambda data: base64.b32encode(data).rstrip(b"=").lower(),
    "base32, glued": lambda data: b"KEY" + base64.b32encode(data).rstrip(b"="),
    "base32hex": base32hex,
    "base32hex, lower": lambda data: base64.b32hexencode(data).lower().rstrip(b"="),
    "base58": base58,
    "base85": base64.b85encode,
    "ascii85": base64.a85encode,
    "ascii85, adobe": lambda data: base64.a85encode(data, adobe=True),
    "ascii85, lines": lambda data: base64.a85encode(data, adobe=True, wrapcol=30),
    "z85": z85,
    "uuencode": uuencode,
    "yenc": yenc,
    "hex": lambda data: data.hex().encode(),
    "HEX": lambda data: data.hex().upper().encode(),
    "hex, glued": lambda data: b"id7" + data.hex().encode() + b"f",
    "hex, twice": lambda data: data.hex().encode().hex().encode(),
    "hex, colons": lambda data: data.hex(":").encode(),
    "HEX, colons": lambda data: data.hex(":").upper().encode(),
    "hex, spaces": lambda data: data.hex(" ").encode(),
    "hex, dashes": lambda data: data.hex("-").encode(),
    "hex, lines": wrapped(32, b"\n", lambda data: data.hex().encode()),
    "hex, words": lambda data: data.hex(" ", -2).encode(),
    "hex, 0x": lambda data: b"0x" + data.hex().encode(),
    "hex, each 0x": each("0x{:02X}", " "),
    "hex, \\x": each("\\x{:02x}"),
    "hexdump": hexdump,
    "bits": each("{:08b}", " "),
    "x'…' of SQL": lambda data: b"x'" + data.hex().upper().encode() + b"'",
}

BYTES: Mapping[str, Encode] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "gzip with a name": named_gzip,
    "zlib": zlib.compress,
    "zlib, stored": lambda data: zlib.compress(data, 0),
    "raw deflate": deflate,
    "raw deflate, stored": lambda data: deflate(data, 0),
    "permessage-deflate": deflate_message,
    "brotli": brotli.compress,
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
    "lz4 block": lz4.block.compress,
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
    "raw snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}
"""Compressions: from bytes to bytes."""

LZSTRING: Mapping[str, Encode] = {
    "lz-string, base64": on_text(lzstring.to_base64),
    "lz-string, uri": on_text(lzstring.to_uri),
    "lz-string, utf-16": on_text(lzstring.to_utf16),
    "lz-string, bytes": lambda data: lzstring.to_bytes(data.decode()),
}

AT_START = ("raw deflate", "raw deflate, stored", "permessage-deflate", "brotli", "lz4 block", "raw snappy", "lzma")
"""Compressions without a magic number: they are looked for where a value starts."""


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def prose(size: int) -> str:
    """Some ordinary text of about `size` characters."""
    text = (
        "The meeting has been moved to the small room on the second floor, since the large one is being painted. "
        "Please bring your notes from last week and tell the others. There will be coffee, and somebody offered cake. "
        "If you cannot come, write a line; the minutes are sent round in the evening as always. "
    )
    return "\n".join(textwrap.wrap((text * (size // len(text) + 1))[:size], 90))
