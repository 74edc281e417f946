"""What looks as if it might be a leak and is none; and what nobody can look into, which has to be said."""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
import random
import struct
import urllib.parse
import uuid
import zlib
from itertools import cycle

import brotli
import cbor2
import mmh3
import msgpack
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from lab.model import Direction
from tests.corpus import encoders as to
from tests.corpus import wire
from tests.corpus.case import DOMAIN, TEXTS, Case, Data, Expect, Kit, Planted, draw, observations_of, observed
from tests.corpus.digests import DIGESTS, hashed


class Innocents:
    """Collects cases in which nothing is readable, over one kit of values and other people's."""

    def __init__(self, kit: Kit, chance: random.Random) -> None:
        self.kit = kit
        self.other = draw(chance)
        self.chance = chance
        self.secrets: tuple[Planted, ...] = kit.secrets(decoys=draw(chance))
        self.cases: list[Case] = []

    def noise(self, size: int) -> bytes:
        return self.chance.randbytes(size)

    def add(
        self,
        group: str,
        name: str,
        data: Data,
        *,
        place: str = "http.body",
        expect: Expect = Expect.NOTHING,
        salts: tuple[bytes, ...] = (),
    ) -> None:
        observations = observations_of(data, place)
        self.cases.append(Case(name, group, self.secrets, observations, expect, salts=salts))


def build(kit: Kit, chance: random.Random) -> list[Case]:
    innocents = Innocents(kit, chance)
    for group in (noise, encrypted, near_misses, other_people, ordinary, other_digests, bombs):
        group(innocents)
    return innocents.cases


def noise(innocents: Innocents) -> None:
    add = innocents.add
    for size in (16, 100, 1000, 4096, 20000, 65536):
        add("noise", f"{size} bytes", innocents.noise(size))
    add("noise", "64 KiB stream", innocents.noise(65536), place="tcp.stream")
    add("noise", "1 MB", innocents.noise(1_000_000))
    for name in (
        "base64",
        "base64, url-safe",
        "base64, lines of 76",
        "base64, twice",
        "base32",
        "base85",
        "ascii85",
        "z85",
        "hex",
        "HEX",
        "hex, colons",
        "hex, 0x",
        "yenc",
        "uuencode",
        "bits",
        "hexdump",
    ):
        add("noise", name, to.BINARY_TO_TEXT[name](innocents.noise(6000)))
    add("noise", "base58", to.base58(innocents.noise(200)))
    for name in ("gzip", "zlib, stored", "raw deflate", "brotli", "zstd", "lz4", "snappy", "xz"):
        add("noise", name, to.BYTES[name](innocents.noise(3000)))
    add("noise", "digits", "".join(innocents.chance.choices("0123456789", k=20000)).encode())
    add("noise", "small letters", "".join(innocents.chance.choices("abcdefghijklmnopqrstuvwxyz", k=20000)).encode())
    add(
        "noise",
        "letters and digits, in tokens",
        b"&".join(b"t%d=%b" % (at, base64.urlsafe_b64encode(innocents.noise(24))) for at in range(200)),
    )
    add("noise", "array of bytes", json.dumps(list(innocents.noise(3000))).encode())
    add("noise", "percent", to.TEXT["percent, every"](innocents.noise(3000)))
    add(
        "noise", "utf-16", "".join(chr(innocents.chance.randrange(32, 0xD7FF)) for _ in range(3000)).encode("utf-16-le")
    )


def encrypted(innocents: Innocents) -> None:
    add, kit = innocents.add, innocents.kit
    secret = json.dumps({"m": kit.message.decode(), "u": kit.email.decode()}).encode()
    sealed = AESGCM(innocents.noise(32)).encrypt(innocents.noise(12), secret, b"")
    other = ChaCha20Poly1305(innocents.noise(32)).encrypt(innocents.noise(12), secret * 50, b"")
    add("noise", "AES-GCM of the secret", sealed)
    add("noise", "AES-GCM of the secret, base64 in JSON", json.dumps({"c": base64.b64encode(sealed).decode()}).encode())
    add("noise", "AES-GCM of the secret, hex", sealed.hex().encode())
    add("noise", "ChaCha20 of the secret, fifty times", other)
    records = b"".join(b"\x17\x03\x03" + struct.pack("!H", 1200) + innocents.noise(1200) for _ in range(30))
    add("noise", "TLS application data", records, place="tcp.stream")
    hello = wire.client_hello("chat.lab.test")
    add("noise", "TLS with a hello", hello + records, place="tcp.stream")
    pad = innocents.noise(len(secret))
    add("noise", "one-time pad", bytes(one ^ two for one, two in zip(secret, pad, strict=True)))
    add("noise", "xor with a long key", bytes(byte ^ pad[at % 16] for at, byte in enumerate(secret)))
    add(
        "noise",
        "websocket of noise",
        wire.UPGRADE + b"".join(wire.frame(innocents.noise(300), 2) for _ in range(9)),
        place="tcp.stream",
    )
    add("noise", "http2 of noise", wire.http2([innocents.noise(2000)]), place="tcp.stream")


def changed(value: bytes, at: int) -> bytes:
    """The same with another character of the same kind in one place."""
    char = value[at]
    swap = b"0123456789" if chr(char).isdigit() else b"abcdefghijkmnop"
    return value[:at] + bytes([swap[(swap.find(char) + 1) % len(swap)]]) + value[at + 1 :]


def near_misses(innocents: Innocents) -> None:
    """Not a piece that is long enough is shared: what could be guessed of a value does not count."""
    kit, add = innocents.kit, innocents.add
    parts = {
        "domain": b"@" + DOMAIN,
        "first name and domain": b"nadia.someone@" + DOMAIN,
        "gmail": b"lena.mueller@gmail.com",
        "start of the message": b"Treffen wir uns um f\xc3\xbcnf? ja gern",
        "first name": "Jürgen Straßen".encode(),
        "prefix of the phone": b"+49151",
        "first group of the uuid": kit.uuid[:8],
        "version of the uuid": kit.uuid[13:19],
        "country of the iban": kit.iban[:4],
        "four bytes of the key": innocents.noise(50) + kit.key[:4] + innocents.noise(50),
        "three characters of the handle": b"nadia-" + kit.handle[6:9],
        "inbox": b"/u/someone/inbox/1",
    }
    for name, data in parts.items():
        add("near misses", f"only the {name}", b'{"x":"' + data + b'"}')
    # Two values that differ in the middle share no half that is long enough to be told from chance.
    short = {"phone": (5, 9, 13), "key": (0, 5, 8, 11, 15), "handle": (12,), "iban": (13,), "uuid": (18,)}
    for secret, places in short.items():
        value: bytes = getattr(kit, secret)
        if secret != "phone":
            continue
        for at in places:
            add(
                "near misses",
                f"{secret}, character {at + 1 if at >= 0 else at}",
                b'{"v":"' + changed(value, at) + b'"}',
            )
    phone = kit.phone
    for at in (6, 8, 10, 12, 13):
        add("near misses", f"phone, digit {at}, in a list", json.dumps([changed(phone, at).decode()] * 3).encode())
        add("near misses", f"phone, digit {at}, base64", base64.b64encode(changed(phone, at)))
    scattered = {
        secret: bytes(
            byte if at % 5 else changed(getattr(kit, secret), at)[at] for at, byte in enumerate(getattr(kit, secret))
        )
        for secret in TEXTS
        if secret not in ("phone", "person", "message", "path")
    }
    for secret, data in scattered.items():
        add("near misses", f"{secret}, every fifth character", b"v=" + data)
        add("near misses", f"{secret}, every fifth character, hex", data.hex().encode())
    local = kit.email.partition(b"@")[0].partition(b".")[2]
    shuffled = bytes(sorted(local))
    add("near misses", "letters of the address, sorted", b"nadia." + shuffled + b"@" + DOMAIN)
    add("near misses", "every second character of the message", kit.message[::2])


def other_people(innocents: Innocents) -> None:
    other, add = innocents.other, innocents.add
    for name in TEXTS:
        value: bytes = getattr(other, name)
        add("other people", f"{name}", json.dumps({"v": value.decode()}).encode())
        add("other people", f"{name}, base64", base64.b64encode(value))
    chance = innocents.chance
    people = [draw(chance) for _ in range(40)]
    add("other people", "a list of addresses", b"\n".join(one.email for one in people))
    add("other people", "a list of phones", b"\n".join(one.phone for one in people))
    add("other people", "a list of messages", b"\n".join(one.message for one in people))
    add(
        "other people",
        "a page of accounts",
        json.dumps(
            [{"mail": one.email.decode(), "id": one.uuid.decode(), "iban": one.iban.decode()} for one in people]
        ).encode(),
    )
    add(
        "other people",
        "a database",
        wire.database([("mail", one.email.decode()) for one in people]),
        place="database.file",
    )
    add(
        "other people",
        "queries",
        b"".join(wire.request(b"/t?e=" + urllib.parse.quote(one.email).encode()) for one in people),
        place="tcp.stream",
    )
    add(
        "other people",
        "host names",
        b"".join(wire.request(host=one.handle + b".chat.lab.test") for one in people),
        place="tcp.stream",
    )
    add("other people", "gzip", to.BYTES["gzip"](b"\n".join(one.email for one in people)))
    add("other people", "uuids", json.dumps([str(uuid.UUID(bytes=chance.randbytes(16))) for _ in range(300)]).encode())


SCRIPT = (
    b'!function(e,t){"object"==typeof exports?module.exports=t():e.lib=t()}(this,function(){var n={a:0x1f,b:"\\x61'
    b'\\u0062"},r=function(e){return e&&e.split("").reverse().join("")},i=/^[\\w.+-]+@[\\w-]+\\.[\\w.]+$/;return{go:'
    b"function(t){for(var o=[],u=0;u<t.length;u++)o.push(String.fromCharCode(t.charCodeAt(u)^42));return r(o.join("
    b'""))},ok:function(e){return i.test(e)}}});'
)
STYLE = b".a{color:#1f2a3b;margin:0 0 4px}.b:after{content:'\\201C'}@media(max-width:40em){.a,.b{display:none}}"
PAGE = (
    b"<!doctype html><html lang=de><title>Konto &ndash; &Uuml;bersicht</title><p>Gr&uuml;&szlig;e von <b>Nadia</b> "
    b"&#38; J&#xFC;rgen, <a href='/inbox?x=1&amp;y=2'>zum Postfach</a>.</p></html>"
)


def ordinary(innocents: Innocents) -> None:
    add, chance = innocents.add, innocents.chance
    words = to.prose(5000)
    data_url = b"url(data:image/png;base64," + base64.b64encode(innocents.noise(2000)) + b")"
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", bytes(13)), (b"IDAT", zlib.compress(innocents.noise(9000))), (b"IEND", b""))
    )
    jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0" + innocents.noise(9000) + b"\xff\xd9"
    events = [
        {"id": str(uuid.UUID(bytes=chance.randbytes(16))), "t": 1767225600 + at, "v": chance.random(), "k": "click"}
        for at in range(200)
    ]
    items: dict[str, bytes] = {
        "prose": words.encode(),
        "prose, upper case": words.upper().encode(),
        "prose, utf-16": words.encode("utf-16-le"),
        "prose, base64": base64.b64encode(words.encode()),
        "prose, gzip": to.BYTES["gzip"](words.encode()),
        "prose, brotli": brotli.compress(words.encode()),
        "prose, quoted-printable": to.TEXT["quoted-printable"](words.encode()),
        "german": ("Straße und Bäckerei; Jürgen ruft morgen an. Treffen wir uns um fünf? " * 30).encode(),
        "common words": b"password secret login user email message inbox account nadia lena juergen postfach " * 20,
        "script": SCRIPT * 20,
        "style": STYLE * 40,
        "page": PAGE * 20,
        "page with data urls": b"<style>" + data_url * 3 + b"</style>",
        "json events": json.dumps(events).encode(),
        "json events, tight": json.dumps(events, separators=(",", ":")).encode(),
        "json numbers": json.dumps([chance.randrange(10**10) for _ in range(1000)]).encode(),
        "cbor events": cbor2.dumps(events),
        "msgpack events": msgpack.packb(events),
        "csv": b"\n".join(b"%d;%d;%d" % (at, at * at, chance.randrange(10**9)) for at in range(500)),
        "timestamps": b"\n".join(
            b"2026-01-01T00:%02d:%02d.%06dZ ok" % (at // 60, at % 60, at * 997) for at in range(500)
        ),
        "png": png,
        "jpeg": jpeg,
        "zip": to.zipped({"a.txt": words.encode(), "b.bin": innocents.noise(500)}),
        "zeros": bytes(50000),
        "one letter": b"a" * 50000,
        "counting": bytes(range(256)) * 100,
        "jwt of nobody": wire.jwt({"sub": "user-1", "iat": 1767225600}),
        "hex colours": b" ".join(b"#%06x" % chance.randrange(1 << 24) for _ in range(500)),
        "ip addresses": b"\n".join(b"10.%d.%d.%d" % tuple(chance.randbytes(3)) for _ in range(500)),
        "mac addresses": b"\n".join(chance.randbytes(6).hex(":").encode() for _ in range(300)),
        "certificate": b"-----BEGIN CERTIFICATE-----\n"
        + base64.encodebytes(b"0\x82" + innocents.noise(900))
        + b"-----END CERTIFICATE-----\n",
        "git log": b"\n".join(chance.randbytes(20).hex().encode() + b" fix typo" for _ in range(200)),
        "letters apart": b"a b c d e f g h i j k l m n o p q r s t u v w x y z " * 20,
        "deep json": b"[" * 5000 + b'"x"' + b"]" * 5000,
        "deep json strings": to.repeated(to.TEXT["json"], 7)(b"nothing here"),
        "eight times base64": to.repeated(base64.b64encode, 8)(b"nothing to see in here, move along please"),
        "seven times gzip": to.repeated(to.BYTES["gzip"], 7)(b"nothing to see in here, move along please"),
        "html entities": b"".join(b"&#%d;" % (97 + at % 26) for at in range(1000)),
    }
    for name, data in items.items():
        add("ordinary", name, data)
    ok = wire.response(json.dumps(events[:20]).encode(), kind=b"application/json")
    add("ordinary", "responses", observed(ok * 10, "tcp.stream", direction=Direction.TO_CLIENT))
    add("ordinary", "database", wire.database([("event", json.dumps(one)) for one in events]), place="database.file")
    add("ordinary", "dns", wire.dns_query(b"www.chat.lab.test"), place="udp.datagram")


def other_digests(innocents: Innocents) -> None:
    other, kit, add = innocents.other, innocents.kit, innocents.add
    values = cycle((other.email, other.phone, b"", b"hello", other.uuid, b"nadia@" + DOMAIN, other.key))
    for name in DIGESTS:
        add("other digests", name, json.dumps({"h": hashed(name, next(values)).hex()}).encode())
    add("other digests", "sha256, base64", base64.b64encode(hashed("sha256", other.email)))
    add("other digests", "sha256 of the domain", hashed("sha256", DOMAIN).hex().encode())
    add("other digests", "with a salt nobody saw", hashed("sha256", innocents.noise(9) + kit.email).hex().encode())
    add(
        "other digests",
        "with another salt",
        hashed("sha256", b"pepper-one" + kit.email).hex().encode(),
        salts=(b"pepper-two",),
    )
    digest = hashed("sha256", kit.email).hex()
    add("other digests", "sha256, one digit changed", changed(digest.encode(), 40))
    add(
        "other digests",
        "a thousand",
        json.dumps([hashlib.sha256(b"%d" % at).hexdigest() for at in range(1000)]).encode(),
    )
    crc, murmur = zlib.crc32(kit.email), mmh3.hash(kit.email, signed=False)
    add("other digests", "crc32 and one", json.dumps({"crc": crc ^ 1, "m": murmur ^ 4}).encode())
    add("other digests", "crc32 within a longer token", b'{"h":"' + b"ab%08xcd" % crc + b'"}')
    add("other digests", "murmur3 within a longer number", json.dumps({"n": int(f"9{murmur}7")}).encode())
    add("other digests", "crc32 in noise", innocents.noise(500) + crc.to_bytes(4) + innocents.noise(500))
    add(
        "other digests",
        "numbers of 32 bits",
        json.dumps([innocents.chance.randrange(1 << 32) for _ in range(2000)]).encode(),
    )
    add(
        "other digests",
        "words of 32 bits",
        " ".join(f"{innocents.chance.randrange(1 << 32):08x}" for _ in range(2000)).encode(),
    )
    add(
        "other digests",
        "sha256 of encrypted",
        hashed("sha256", AESGCM(bytes(32)).encrypt(bytes(12), kit.email, b"")).hex().encode(),
    )


def bombs(innocents: Innocents) -> None:
    """What would take more memory or time than anybody has: giving up is the right answer."""
    add, zeros = innocents.add, bytes(40 << 20)
    packed = zlib.compressobj(1, zlib.DEFLATED, 31)
    gzip_bomb = packed.compress(zeros) + packed.flush()
    items = {
        "gzip": gzip_bomb,
        "gzip, base64": base64.b64encode(gzip_bomb),
        "zstd": zstandard.compress(zeros),
        "xz": lzma.compress(zeros, preset=0),
        "bzip2": to.BYTES["bzip2"](zeros),
        "twenty gzip": b"".join([to.BYTES["gzip"](bytes(15 << 20))] * 20),
    }
    for name, data in items.items():
        add("bombs", name, data, expect=Expect.GAVE_UP)
    declared = brotli.compress(zeros, quality=1)
    add(
        "bombs",
        "brotli, declared",
        [observed(wire.fields(((b"Content-Encoding", b"br"),)), "http.header"), observed(declared)],
        expect=Expect.GAVE_UP,
    )
    nested = to.repeated(base64.b64encode, 30)(b"nothing in here")
    add("bombs", "thirty times base64", nested, expect=Expect.GAVE_UP)
    add(
        "bombs",
        "thirty times gzip",
        to.repeated(to.BYTES["gzip"], 30)(b"nothing in here at all"),
        expect=Expect.GAVE_UP,
    )
