"""Compositions that nobody thought of: codings drawn by chance, inside each other, somewhere in a session."""

from __future__ import annotations

import json
import random
import urllib.parse
from collections.abc import Callable

from lab.model import Observation
from tests.corpus import encoders as to
from tests.corpus import wire
from tests.corpus.case import NAMES, Case, Expect, Kit, observed

GROUP = "fresh compositions"
MOST = 30_000
"""Bytes: a coding that makes it larger than this is left out."""

TEXT = (
    *("percent", "percent, every", "percent, every, lower", "json", "json, every", "entities, named"),
    *("entities, decimal", "entities, hex", "quoted-printable", "utf-16le", "utf-16be", "utf-16 with mark", "utf-32le"),
    *("array of bytes", "array of characters", "array of hex", "fromCharCode", "percent u", "octal"),
    *("groups of 4, space", "rot13", "reversed", "concatenated"),
)
"""What can be done to text."""
PACKED = tuple(name for name in to.BYTES if name not in ("permessage-deflate", "lzma"))
WRITTEN = (
    *("base64", "base64, url-safe", "base64, unpadded", "base64, second alignment", "base64, lines of 76"),
    *("base64, glued", "base32", "base32, lower", "base32hex", "base58", "base85", "ascii85", "ascii85, adobe"),
    *("uuencode", "yenc", "hex", "HEX", "hex, glued", "hex, colons", "hex, spaces", "hex, 0x", "hexdump"),
)
SHIFTING = ("base64, second alignment", "base64, glued", "base64, lines of 76", "hex, glued")
"""These do not begin with the value, so that nothing without a magic number can be found in them."""


def build(kit: Kit, chance: random.Random, count: int, deepest: int = 6) -> list[Case]:
    return [compose(kit, chance, number, 2 + number % (deepest - 1)) for number in range(count)]


def compose(kit: Kit, chance: random.Random, number: int, depth: int) -> Case:
    secret = chance.choice(NAMES)
    data: bytes = getattr(kit, secret)
    names: list[str] = []
    while len(names) < depth:
        name, encode = draw(chance, data, names[-1] if names else "")
        try:
            made = encode(data)
        except ValueError:  # it is no text
            continue
        if len(made) <= MOST:
            data = made
            names.append(name)
            if chance.random() < 0.3 and name not in to.AT_START:
                data = surrounded(data, chance)
    place, observation = carried(data, names[-1] in to.AT_START, chance)
    label = f"{number}: {secret}, {', '.join(names)}, {place}"
    return Case(label, GROUP, kit.secrets(), (observation,), Expect.WHOLE, secret)


def draw(chance: random.Random, data: bytes, last: str) -> tuple[str, to.Encode]:
    kinds = [to.BYTES] if last not in to.AT_START else []
    kinds += [to.BINARY_TO_TEXT, to.BINARY_TO_TEXT]
    if data.isascii() or last == "":
        kinds += [to.TEXT]
    kind = chance.choice(kinds)
    allowed = {id(to.BYTES): PACKED, id(to.BINARY_TO_TEXT): WRITTEN, id(to.TEXT): TEXT}[id(kind)]
    if last in to.AT_START:
        allowed = tuple(name for name in allowed if name not in SHIFTING)
    if len(data) > 300:
        allowed = tuple(name for name in allowed if name != "base58")
    name = chance.choice(allowed)
    return name, kind[name]


def surrounded(data: bytes, chance: random.Random) -> bytes:
    """In the middle of something of its kind."""
    if not printable(data):
        return data
    ways: list[Callable[[bytes], bytes]] = [
        lambda data: json.dumps({"id": chance.randrange(10**6), "v": data.decode(), "ok": True}).encode(),
        lambda data: b"a=1&v=" + urllib.parse.quote(data, safe="").encode() + b"&z=" + b"%d" % chance.randrange(100),
        lambda data: b"Subject: x\r\nX-Data: " + data + b"\r\n\r\nbye\r\n",
    ]
    return chance.choice(ways)(data)


def carried(data: bytes, at_start: bool, chance: random.Random) -> tuple[str, Observation]:
    body = wire.request(body=data, kind=b"application/octet-stream")
    ways: dict[str, Callable[[], Observation]] = {
        "a body": lambda: observed(data),
        "a request": lambda: observed(body, "tcp.stream"),
        "chunks": lambda: observed(wire.chunked(wire.pieces(data, 97)), "tcp.stream"),
        "a websocket": lambda: observed(wire.UPGRADE + wire.frame(data, 2), "tcp.stream"),
    }
    if not at_start:
        ways["a stream of bytes"] = lambda: observed(
            chance.randbytes(33) + b"\0" + data + b"\0" + chance.randbytes(20), "tcp.stream"
        )
    if printable(data) and len(data) < 4000 and b"\n" not in data:
        query = b"GET /t?d=" + urllib.parse.quote(data, safe="").encode() + b" HTTP/1.1\r\n"
        ways["a query"] = lambda: observed(query, "http.request_line")
        ways["a header"] = lambda: observed(b"Host: x.test\r\nX-Data: " + data + b"\r\n", "http.header")
    name = chance.choice(sorted(ways))
    return name, ways[name]()


def printable(data: bytes) -> bool:
    return data.isascii() and all(byte > 31 or byte in b"\r\n\t" for byte in data)
