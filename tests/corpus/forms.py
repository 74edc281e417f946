"""Leaks in every form: text, binary-to-text, compression."""

from __future__ import annotations

import base64
import json
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from itertools import cycle

import brotli
import zstandard

from lab.model import Observation
from tests.corpus import encoders as to
from tests.corpus import wire
from tests.corpus.case import observed
from tests.corpus.leaks import BODY, HEADER, LINE, STREAM, Leaks


def carriers(leaks: Leaks) -> Iterator[Callable[[bytes], Observation]]:
    """Where a form stands: by itself, in the middle of text, in the middle of a stream of bytes."""
    return cycle(
        (
            lambda data: observed(data),
            lambda data: observed(b"to: " + data + b"\r\nend: 1\n"),
            lambda data: observed(leaks.noise(101) + b"\0" + data + b"\0" + leaks.noise(60), STREAM),
        )
    )


ASCII_UNCHANGED = ("nfc", "nfd", "nfkd", "latin-1", "case folded")
"""Forms in which plain ASCII stays as it is."""


def text_forms(leaks: Leaks) -> None:
    carrier = carriers(leaks)
    for name, encode in to.TEXT.items():
        for secret in ("person",) if name in ASCII_UNCHANGED else ("person", "email"):
            value: bytes = getattr(leaks.kit, secret)
            data = next(carrier)(encode(value))
            leaks.add("text forms", f"{name}, {secret}", secret, data, places=("",))
    for name in ("entities, named", "json, every", "utf-16le", "quoted-printable", "rot13", "reversed", "percent u"):
        data = b"<<" + to.TEXT[name](leaks.kit.message) + b">>"
        leaks.add("text forms", f"{name}, message", "message", data)
    phone = leaks.kit.phone.decode()
    for name, text in {
        "spaces": f"{phone[:3]} {phone[3:6]} {phone[6:9]} {phone[9:]}",
        "brackets": f"{phone[:3]} ({phone[3:6]}) {phone[6:10]}-{phone[10:]}",
        "zeros": f"00{phone[1:]}",
        "national": f"0{phone[3:]}",
        "tel url": f"tel:{phone[:3]}-{phone[3:6]}-{phone[6:]}",
        "no plus": phone[1:],
    }.items():
        leaks.add("text forms", f"phone, {name}", "phone", f'{{"phone":"{text}"}}'.encode())
    iban = leaks.kit.iban.decode()
    leaks.add("text forms", "iban in groups", "iban", f"to {' '.join(wire.text_pieces(iban, 4))} today".encode())
    leaks.add("text forms", "iban, lower case", "iban", f"to={iban.lower()}".encode())
    uuid = leaks.kit.uuid
    leaks.add("text forms", "uuid without dashes", "uuid", b'{"id":"' + uuid.replace(b"-", b"") + b'"}')
    leaks.add("text forms", "uuid in capitals", "uuid", b"{" + uuid.upper() + b"}")
    key = leaks.kit.key
    leaks.add("text forms", "key, array of bytes", "key", json.dumps({"k": list(key)}).encode())
    leaks.add("text forms", "key, latin-1 in json", "key", json.dumps({"k": key.decode("latin-1")}).encode())


def binary_to_text(leaks: Leaks) -> None:
    carrier = carriers(leaks)
    for name, encode in to.BINARY_TO_TEXT.items():
        for secret in ("key", "message"):
            value: bytes = getattr(leaks.kit, secret)
            data = next(carrier)(encode(value))
            leaks.add("binary to text", f"{name}, {secret}", secret, data, places=("",))
    bodies = {
        "base64 of json": ("email", base64.b64encode(json.dumps({"mail": leaks.kit.email.decode()}).encode())),
        "base64 in json": ("email", json.dumps({"d": base64.b64encode(leaks.kit.email).decode()}).encode()),
        "base64 in a form": ("person", b"d=" + urllib.parse.quote_plus(base64.b64encode(leaks.kit.person)).encode()),
        "base58 in json": ("key", json.dumps({"k": to.base58(leaks.kit.key).decode()}).encode()),
        "base58, uuid": ("uuid", b"id=" + to.base58(leaks.kit.uuid) + b"&n=1"),
        "base85 in json": ("email", json.dumps({"k": base64.b85encode(leaks.kit.email).decode()}).encode()),
        "base32 in a path": ("email", b"/u/" + base64.b32encode(leaks.kit.email).rstrip(b"=") + b"/x"),
        "hex in a path": ("email", b"/u/" + leaks.kit.email.hex().encode() + b"/x"),
        "uuid as base64 of its bytes": (
            "uuid",
            b'{"id":"' + base64.b64encode(bytes.fromhex(leaks.kit.uuid.replace(b"-", b"").decode())) + b'"}',
        ),
    }
    for name, (secret, data) in bodies.items():
        leaks.add("binary to text", name, secret, data)


def compressions(leaks: Leaks) -> None:
    kit, add = leaks.kit, leaks.add
    long = to.prose(1500).encode()
    long = long[:700] + b" " + kit.message + b" " + long[700:]
    record = json.dumps({"user": {"mail": kit.email.decode(), "lang": "de"}, "list": [1, 2, 3], "x": "y" * 20}).encode()
    for name, encode in to.BYTES.items():
        add("compression", f"{name}, text", "message", encode(long))
        add("compression", f"{name}, short", "email", encode(b"m=" + kit.email))
        add(
            "compression",
            f"{name}, in base64",
            "email",
            json.dumps({"d": base64.b64encode(encode(record)).decode()}).encode(),
        )
        if name not in to.AT_START:
            add(
                "compression",
                f"{name}, amid bytes",
                "message",
                leaks.noise(77) + encode(long) + leaks.noise(50),
                place=STREAM,
            )
        else:
            target = b"/t?z=" + base64.urlsafe_b64encode(encode(record)).rstrip(b"=")
            add(
                "compression",
                f"{name}, in a query",
                "email",
                wire.request(target),
                place=STREAM,
                places=("http.query", LINE),
            )
    for name, encode in to.LZSTRING.items():
        add("compression", f"{name}, text", "message", encode(long))
        add("compression", f"{name}, json", "email", encode(record))
        if "bytes" not in name and "16" not in name:
            add(
                "compression",
                f"{name}, in a form",
                "person",
                b"a=1&d=" + urllib.parse.quote(encode(kit.person * 2), safe="").encode() + b"&b=2",
            )
    declared: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
        "gzip": (b"gzip", to.BYTES["gzip"]),
        "x-gzip": (b"x-gzip", to.BYTES["gzip"]),
        "deflate": (b"deflate", zlib.compress),
        "deflate, raw": (b"deflate", to.deflate),
        "br": (b"br", brotli.compress),
        "zstd": (b"zstd", zstandard.compress),
        "two": (b"deflate, gzip", to.chain(zlib.compress, to.BYTES["gzip"])),
        "three": (b"br, gzip, zstd", to.chain(brotli.compress, to.BYTES["gzip"], zstandard.compress)),
    }
    for name, (coding, encode) in declared.items():
        pair = ((b"Content-Encoding", coding),)
        body = encode(record)
        add(
            "compression",
            f"declared {name}",
            "email",
            [observed(wire.fields(pair), HEADER), observed(body)],
            places=(BODY,),
        )
        add(
            "compression",
            f"declared {name}, stream",
            "email",
            wire.request(body=body, headers=pair),
            place=STREAM,
            places=(BODY,),
        )
        add(
            "compression",
            f"declared {name}, chunked",
            "email",
            wire.chunked(wire.pieces(body, 11), pair),
            place=STREAM,
            places=(BODY,),
        )
    packed = to.BYTES["gzip"](long)
    add("compression", "gzip, cut off", "message", packed[:-40])
    add("compression", "gzip, second member", "message", to.BYTES["gzip"](b"first") + packed)
    add("compression", "zstd, second frame", "message", zstandard.compress(b"first") + zstandard.compress(long))
    add(
        "compression",
        "gzip, undeclared, chunked",
        "message",
        wire.chunked(wire.pieces(packed, 50)),
        place=STREAM,
        places=(BODY,),
    )
    add("compression", "gzip in gzip", "message", to.BYTES["gzip"](packed))
    add("compression", "brotli in gzip", "message", to.BYTES["gzip"](brotli.compress(long)))
    add(
        "compression",
        "transfer-encoding gzip",
        "message",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed),
        place=STREAM,
        places=(BODY,),
    )
    add("compression", "zip archive", "message", to.zipped({"a.txt": b"hello", "notes/b.txt": long}))
    add("compression", "zip archive, file name", "person", to.zipped({f"{kit.person.decode()}.txt": b"hello"}))
    add(
        "compression",
        "zip archive in base64",
        "message",
        json.dumps({"file": base64.b64encode(to.zipped({"b.txt": long})).decode()}).encode(),
    )
