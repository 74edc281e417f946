"""Leaks in pieces, in layers and under a mask."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Sequence
from itertools import cycle

import brotli
import cbor2
import msgpack
import zstandard

from lab.model import Direction
from tests.corpus import encoders as to
from tests.corpus import wire
from tests.corpus.case import DOMAIN, Expect, observed
from tests.corpus.leaks import BODY, FORM_TYPE, HEADER, LINE, STREAM, Leaks


def compositions(leaks: Leaks) -> None:
    kit = leaks.kit
    text, bits, packed = to.TEXT, to.BINARY_TO_TEXT, to.BYTES
    chains: dict[str, tuple[str, Sequence[to.Encode]]] = {
        "json, gzip, base64": ("email", (text["json"], packed["gzip"], bits["base64"])),
        "json, deflate, base64, percent": ("person", (text["json"], to.deflate, bits["base64"], text["percent"])),
        "base64, hex, base64": ("key", (bits["base64"], bits["hex"], bits["base64"])),
        "hex, gzip, base32": ("key", (bits["hex"], packed["gzip"], bits["base32"])),
        "percent, base64, json": ("person", (text["percent"], bits["base64"], text["json"])),
        "utf-16, base64": ("message", (text["utf-16le"], bits["base64"])),
        "utf-16, gzip, hex": ("person", (text["utf-16be"], packed["gzip"], bits["hex"])),
        "entities, json, percent": ("person", (text["entities, named"], text["json"], text["percent"])),
        "rot13, base64": ("email", (text["rot13"], bits["base64"])),
        "base64, rot13": ("email", (bits["base64"], text["rot13"])),
        "base64, reversed": ("message", (bits["base64"], text["reversed"])),
        "reversed, base64": ("message", (text["reversed"], bits["base64"])),
        "hex, reversed": ("key", (bits["hex"], text["reversed"])),
        "upper case, base64": ("email", (text["upper case"], bits["base64"])),
        "brotli, base64, json": ("message", (brotli.compress, bits["base64"], text["json"])),
        "zstd, base85": ("message", (zstandard.compress, bits["base85"])),
        "lz4, base64": ("message", (packed["lz4"], bits["base64"])),
        "snappy, hex": ("message", (packed["snappy"], bits["hex"])),
        "lz-string, percent": ("person", (to.LZSTRING["lz-string, base64"], text["percent, every"])),
        "array of bytes, base64": ("email", (text["array of bytes"], bits["base64"])),
        "base64, array of bytes": ("email", (bits["base64"], text["array of bytes"])),
        "base64, array of characters": ("email", (bits["base64"], text["array of characters"])),
        "base64, groups": ("email", (bits["base64"], text["groups of 4, space"])),
        "ascii85, quoted-printable": ("message", (bits["ascii85, adobe"], text["quoted-printable"])),
        "base58, base64": ("key", (bits["base58"], bits["base64"])),
        "yenc, gzip": ("message", (bits["yenc"], packed["gzip"])),
        "uuencode, base64": ("message", (bits["uuencode"], bits["base64"])),
        "nfd, json, gzip": ("person", (text["nfd"], text["json"], packed["gzip"])),
        "xor, base64": ("message", (to.xor(0x5A), bits["base64"])),
        "xor, gzip": ("message", (to.xor(0xA7), packed["gzip"])),
        "gzip, xor": ("message", (packed["gzip"], to.xor(0x2F))),
        "six: json, gzip, base64, percent, json, base64": (
            "email",
            (text["json"], packed["gzip"], bits["base64"], text["percent"], text["json"], bits["base64"]),
        ),
        "six: hex, base64, percent, json, base32, gzip": (
            "key",
            (bits["hex"], bits["base64"], text["percent"], text["json"], bits["base32"], packed["gzip"]),
        ),
        "six: json, deflate, base64, json, zstd, base64": (
            "message",
            (text["json"], to.deflate, bits["base64"], text["json"], zstandard.compress, bits["base64"]),
        ),
        "seven: percent, json, base64, hex, gzip, base64, percent": (
            "person",
            (
                text["percent"],
                text["json"],
                bits["base64"],
                bits["hex"],
                packed["gzip"],
                bits["base64"],
                text["percent"],
            ),
        ),
        "seven times json": ("person", (text["json"],) * 7),
        "seven times percent": ("email", (text["percent"],) * 7),
        "seven times gzip": ("message", (packed["gzip"],) * 7),
        "seven times hex": ("uuid", (bits["hex"],) * 7),
    }
    for name, (secret, steps) in chains.items():
        leaks.add("composition", name, secret, to.chain(*steps)(getattr(leaks.kit, secret)))
    inner = json.dumps({"d": to.deflate(kit.message * 2).hex(), "n": 1})
    jwt = wire.jwt({"sub": "x", "ctx": base64.b64encode(inner.encode()).decode()})
    leaks.add(
        "composition",
        "deflate in hex in json in base64 in a jwt in a cookie",
        "message",
        wire.request(headers=((b"Cookie", b"s=" + jwt),)),
        place=STREAM,
        places=(HEADER,),
    )
    batch = msgpack.packb({"events": [json.dumps({"mail": kit.email.decode()}), {"z": b"12"}]})
    leaks.add(
        "composition",
        "json in msgpack in gzip, chunked",
        "email",
        wire.chunked(wire.pieces(to.BYTES["gzip"](batch), 13), ((b"Content-Encoding", b"gzip"),)),
        place=STREAM,
        places=(BODY,),
    )
    event = cbor2.dumps({"p": wire.proto(1, base64.b64encode(kit.person))})
    leaks.add(
        "composition",
        "base64 in protobuf in cbor in a websocket",
        "person",
        wire.UPGRADE + wire.deflated_frames([event]),
        place=STREAM,
        places=("websocket",),
    )


def splits(leaks: Leaks) -> None:
    kit, add = leaks.kit, leaks.add
    message, email, person = kit.message, kit.email, kit.person
    body = json.dumps({"m": message.decode()}).encode()
    add("split", "two writes", "message", [message[:13], message[13:]], place=STREAM)
    add("split", "writes of five", "message", wire.pieces(b"x=" + message, 5), place=STREAM)
    add("split", "writes of one", "email", wire.pieces(b"x=" + email + b".", 1), place=STREAM)
    add("split", "base64 over writes", "message", wire.pieces(base64.b64encode(message), 7), place=STREAM)
    add("split", "gzip over writes", "message", wire.pieces(to.BYTES["gzip"](message), 9), place=STREAM)
    add("split", "http over writes", "email", wire.pieces(wire.request(body=email), 17), place=STREAM, places=(BODY,))
    add("split", "pieces of a body", "message", wire.pieces(body, 8))
    add(
        "split",
        "both directions between",
        "message",
        [
            observed(message[:13], STREAM),
            observed(b"ack", STREAM, direction=Direction.TO_CLIENT),
            observed(message[13:], STREAM),
        ],
        places=(STREAM,),
    )
    add(
        "split",
        "other connection between",
        "message",
        [observed(message[:13], STREAM), observed(b"noise", STREAM, connection="2"), observed(message[13:], STREAM)],
        places=(STREAM,),
    )
    add("split", "chunks", "message", wire.chunked(wire.pieces(body, 6)), place=STREAM, places=(BODY,))
    add("split", "chunks of one", "email", wire.chunked(wire.pieces(email, 1)), place=STREAM, places=(BODY,))
    add(
        "split",
        "base64 over chunks",
        "email",
        wire.chunked(wire.pieces(base64.b64encode(email), 5)),
        place=STREAM,
        places=(BODY,),
    )
    web = ("websocket",)
    add(
        "split",
        "websocket frames",
        "email",
        wire.UPGRADE + wire.frame(email[:8], final=False) + wire.frame(email[8:], 0),
        place=STREAM,
        places=web,
    )
    add(
        "split",
        "websocket messages",
        "message",
        wire.UPGRADE + b"".join(wire.frame(piece) for piece in wire.pieces(message, 10)),
        place=STREAM,
        places=web,
    )
    add(
        "split",
        "websocket, over writes",
        "message",
        wire.pieces(wire.UPGRADE + wire.frame(b"say " + message), 33),
        place=STREAM,
        places=web,
    )
    add("split", "websocket messages by themselves", "message", wire.pieces(message, 14), place="websocket.message")
    add("split", "http2 frames", "message", wire.http2(wire.pieces(message, 7)), place=STREAM, places=("http", "tcp"))
    add(
        "split",
        "grpc messages",
        "message",
        b"".join(wire.grpc(wire.proto(1, piece)) for piece in wire.pieces(message, 14)),
        place=BODY,
    )
    fields = wire.pieces(message, 11)
    form = b"&".join(b"p%d=%b" % (at, urllib.parse.quote_plus(piece).encode()) for at, piece in enumerate(fields))
    add("split", "form fields", "message", form)
    add("split", "two form fields", "email", b"user=" + email[:16] + b"&host=" + email[16:])
    add(
        "split",
        "query parameters",
        "uuid",
        wire.request(b"/t?a=" + kit.uuid[:18] + b"&b=" + kit.uuid[18:]),
        place=STREAM,
        places=("http.query", LINE),
    )
    add(
        "split",
        "path segments",
        "uuid",
        wire.request(b"/t/" + b"/".join(wire.pieces(kit.uuid, 9))),
        place=STREAM,
        places=("http.path", LINE),
    )
    add(
        "split",
        "json strings",
        "message",
        json.dumps({"a": message[:15].decode(), "b": message[15:].decode()}).encode(),
    )
    add("split", "json array", "person", json.dumps([person[:9].decode(), person[9:].decode()]).encode())
    add(
        "split",
        "json, values between keys",
        "iban",
        json.dumps([{"k": piece} for piece in wire.text_pieces(kit.iban.decode(), 6)]).encode(),
    )
    cookies = b"; ".join(b"c%d=%b" % (at, piece) for at, piece in enumerate(wire.pieces(kit.uuid, 12)))
    add("split", "cookies", "uuid", wire.fields(((b"Cookie", cookies),)), place=HEADER)
    add(
        "split",
        "headers",
        "uuid",
        wire.fields(tuple((b"X-Part-%d" % at, piece) for at, piece in enumerate(wire.pieces(kit.uuid, 12)))),
        place=HEADER,
    )
    add(
        "split",
        "multipart parts",
        "message",
        wire.multipart(
            [(b'Content-Disposition: form-data; name="p%d"' % at, piece) for at, piece in enumerate(fields)]
        ),
    )
    add("split", "xml elements", "message", b"".join(b"<p>%b</p>" % piece for piece in fields))
    add("split", "event lines", "message", b"".join(b"data: %b\n" % piece for piece in fields) + b"\n")
    add(
        "split",
        "cbor chunks",
        "message",
        b"\xa1aa\x7f" + b"".join(cbor2.dumps(piece) for piece in wire.text_pieces(message.decode(), 9)) + b"\xff",
    )
    add("split", "msgpack strings", "email", msgpack.packb([email[:12].decode(), email[12:].decode()]))
    add(
        "split",
        "requests, same field",
        "message",
        [
            observed(b"seq=%d&part=%b" % (at, urllib.parse.quote_plus(piece).encode()), exchange=at)
            for at, piece in enumerate(fields)
        ],
    )
    add(
        "split",
        "requests, json field",
        "message",
        [
            observed(json.dumps({"seq": at, "part": piece}).encode(), exchange=at)
            for at, piece in enumerate(wire.text_pieces(message.decode(), 11))
        ],
    )
    add(
        "split",
        "requests, query",
        "uuid",
        [
            observed(b"GET /px?i=%d&d=%b HTTP/1.1\r\n" % (at, piece), LINE, exchange=at)
            for at, piece in enumerate(wire.pieces(kit.uuid, 9))
        ],
        places=(LINE, "http.query"),
    )
    add(
        "split",
        "requests, header",
        "uuid",
        [
            observed(wire.fields(((b"Host", wire.HOST), (b"X-Part", piece))), HEADER, exchange=at)
            for at, piece in enumerate(wire.pieces(kit.uuid, 12))
        ],
        places=(HEADER,),
    )
    add(
        "split",
        "requests, whole bodies",
        "email",
        [observed(piece, exchange=at) for at, piece in enumerate(wire.pieces(email, 12))],
    )
    add(
        "split",
        "requests of one stream",
        "message",
        b"".join(
            wire.request(body=b"part=" + urllib.parse.quote_plus(piece).encode(), kind=FORM_TYPE) for piece in fields
        ),
        place=STREAM,
        places=(BODY,),
    )
    add(
        "split",
        "requests, base64 in a field",
        "message",
        [
            observed(b"part=" + piece, exchange=at)
            for at, piece in enumerate(wire.pieces(base64.b64encode(message), 16))
        ],
    )
    add(
        "split",
        "connections",
        "message",
        [
            observed(b"seq=%d&part=%b" % (at, urllib.parse.quote_plus(piece).encode()), connection=str(at + 1))
            for at, piece in enumerate(fields)
        ],
    )
    add("split", "udp datagrams", "message", [b"p" + piece for piece in wire.pieces(message, 12)], place="udp.datagram")
    add(
        "split",
        "dns queries",
        "key",
        [
            wire.dns_query(b"%d.%b.x.test" % (at, piece))
            for at, piece in enumerate(wire.pieces(kit.key.hex().encode(), 8))
        ],
        place="udp.datagram",
        places=("dns", "udp"),
    )
    add(
        "split",
        "log lines",
        "message",
        b"".join(b"12:00:0%d part: %b\n" % (at, p) for at, p in enumerate(fields)),
        place="file",
    )
    add(
        "split",
        "database rows",
        "message",
        wire.database([("p", p) for p in wire.text_pieces(message.decode(), 14)]),
        place="database.file",
        places=("database",),
    )


def xored(leaks: Leaks) -> None:
    kit = leaks.kit
    prose = to.prose(300).encode()
    for key, secret in (
        (0x01, "message"),
        (0x20, "email"),
        (0x5A, "person"),
        (0x80, "message"),
        (0xFF, "email"),
        (0xA7, "uuid"),
        (0x2A, "iban"),
        (0x13, "handle"),
    ):
        value: bytes = getattr(kit, secret)
        leaks.add("xor", f"{key:#04x}, {secret}", secret, to.xor(key)(value))
        leaks.add("xor", f"{key:#04x}, {secret}, amid text", secret, to.xor(key)(prose + value + prose), place=STREAM)
    leaks.add("xor", "0x42, in hex", "message", to.xor(0x42)(kit.message).hex().encode())
    leaks.add("xor", "0x42, amid noise", "message", leaks.noise(500) + to.xor(0x42)(kit.message) + leaks.noise(99))


def partial(leaks: Leaks) -> None:
    kit = leaks.kit
    local = kit.email.removesuffix(b"@" + DOMAIN)
    parts: dict[str, tuple[str, bytes]] = {
        "uuid, without its end": ("uuid", kit.uuid[:28]),
        "uuid, without its start": ("uuid", kit.uuid[9:]),
        "uuid, middle": ("uuid", kit.uuid[4:33]),
        "key, first twelve": ("key", kit.key[:12]),
        "key, last twelve": ("key", kit.key[4:]),
        "message, tag only": ("message", kit.message[-16:]),
        "message, without its last": ("message", kit.message[:-1]),
        "message, without its first": ("message", kit.message[1:]),
        "message, without its last three": ("message", kit.message[:-3]),
        "e-mail, local part": ("email", local),
        "e-mail, account": ("email", local.partition(b".")[2]),
        "iban, account": ("iban", kit.iban[4:]),
        "iban, first twenty": ("iban", kit.iban[:20]),
        "handle, tail": ("handle", kit.handle[6:]),
        "path, without its end": ("path", kit.path[:-2]),
    }
    codings: list[tuple[str, to.Encode]] = [
        ("", bytes),
        ("base64", base64.b64encode),
        ("hex", to.BINARY_TO_TEXT["hex"]),
        ("gzip", to.BYTES["gzip"]),
        ("percent", to.TEXT["percent, every"]),
    ]
    coding = cycle(codings)
    for name, (secret, data) in parts.items():
        leaks.add("partial", name, secret, b"cut=" + data + b";", expect=Expect.PARTIAL)
        written, encode = next(coding)
        if written:
            leaks.add("partial", f"{name}, {written}", secret, encode(b"cut=" + data + b";"), expect=Expect.PARTIAL)
