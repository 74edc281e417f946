"""Encoders and decoders that share no code with the detector, and the usual observations and values."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import random
import urllib.parse
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import brotli
import zstandard

from lab.detect import Search, find
from lab.model import Direction, Finding, Observation, Observer, Secret, SecretName

VALUE = b'Meet "me" at 5pm, 3f9c1a7be2d04586'
"""A planted value: words and a random tag."""

NEAR_MISS = b'Meet "me" at 5pm, 3f9c1a7be2d04587'
"""The same with its last character changed."""

ENCODE: Mapping[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "base64, url-safe": base64.urlsafe_b64encode,
    "base64, unpadded": lambda data: base64.b64encode(data).rstrip(b"="),
    "base64, in lines": lambda data: base64.encodebytes(data).replace(b"\n", b"\r\n"),
    "hex": lambda data: data.hex().encode(),
    "HEX": lambda data: data.hex().upper().encode(),
    "percent": lambda data: urllib.parse.quote(data, safe="").encode(),
    "percent, lower": lambda data: b"".join(b"%%%02x" % byte for byte in data),
    "urlencoded": lambda data: urllib.parse.quote_plus(data).encode(),
    "json": lambda data: json.dumps(data.decode()).encode(),
    "utf-16le": lambda data: data.decode("latin-1").encode("utf-16-le"),
    "utf-16be": lambda data: data.decode("latin-1").encode("utf-16-be"),
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}

DECODE: Mapping[str, Callable[[bytes], bytes]] = {
    "base64": lambda data: base64.b64decode(data.translate(bytes.maketrans(b"-_", b"+/")) + b"=="),
    "hex": binascii.unhexlify,
    "percent": urllib.parse.unquote_to_bytes,
    "urlencoded": lambda data: urllib.parse.unquote_to_bytes(data.replace(b"+", b" ")),
    "json": lambda data: str(json.loads(b'"' + data + b'"')).encode(),
    "utf-16le": lambda data: data.decode("utf-16-le").encode(),
    "utf-16be": lambda data: data.decode("utf-16-be").encode(),
    "gzip": gzip.decompress,
    "deflate": lambda data: zlib.decompressobj(zlib.MAX_WBITS if data[0] & 15 == 8 else -zlib.MAX_WBITS).decompress(
        data
    ),
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "tls.records": lambda data: data,
    "http.chunked": lambda data: data,
}


def secret(value: bytes = VALUE, *decoys: bytes) -> Secret:
    return Secret(SecretName.BODY, value, decoys)


def observed(
    data: bytes,
    place: str = "tcp.stream",
    *,
    observer: Observer = Observer.NETWORK,
    connection: str = "1",
    direction: Direction = Direction.TO_SERVICE,
    exchange: int = 0,
    time: float = 0.0,
) -> Observation:
    return Observation(observer, place, connection, direction, time, data, exchange)


def search(data: bytes, place: str = "tcp.stream", value: bytes = VALUE) -> Search:
    return find([secret(value)], [observed(data, place)])


def only(found: Search) -> Finding:
    assert found.gave_up == ()
    assert len(found.findings) == 1, found.findings
    return found.findings[0]


def whole(found: Search) -> tuple[Finding, ...]:
    """The findings of the whole value, without those of pieces of it."""
    return tuple(finding for finding in found.findings if finding.partial is None)


def pointed_at(finding: Finding, found: Search) -> bytes:
    """The source bytes that the spans of a finding name, put together."""
    source = found.sources[finding.source].data
    return b"".join(source[start:end] for start, end in finding.spans)


def decoded(finding: Finding, found: Search) -> bytes:
    """What the named bytes are once they are decoded by the named decoders."""
    return undo(finding.decoders, pointed_at(finding, found))


def undo(decoders: Sequence[str], data: bytes) -> bytes:
    for name in decoders:
        data = DECODE[name](data)
    return data


def readable(decoders: Sequence[str], data: bytes) -> bool:
    """True if VALUE comes out of `data`, where nothing is compressed.

    Spans end with whole units of the outer encoding, which may add a few digits of the neighbours in the
    inner one: those are skipped.
    """
    if not decoders:
        return VALUE in data
    for skipped in range(6):
        for end in range(len(data), len(data) - 6, -1):
            with suppress(ValueError):
                if readable(decoders[1:], DECODE[decoders[0]](data[skipped:end])):
                    return True
    return False


def noise(size: int, seed: int = 7) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - noise that is the same each time
