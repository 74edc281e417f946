"""Leaks of digests: plain, normalised before, salted, keyed, and of 32 bits."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.parse
import zlib
from collections.abc import Callable
from itertools import cycle

import cbor2
import mmh3

from lab.model import Direction
from tests.corpus import encoders as to
from tests.corpus import wire
from tests.corpus.case import Expect, observed
from tests.corpus.leaks import BODY, HEADER, JSON_TYPE, LINE, STREAM, Leaks

DIGESTS = (
    *("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512_256"),
    *("sha3_224", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s", "ripemd160"),
)


WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "hex": lambda digest: digest.hex().encode(),
    "HEX": lambda digest: digest.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64, url-safe": lambda digest: base64.urlsafe_b64encode(digest).rstrip(b"="),
    "raw": bytes,
}


def hashed(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data, usedforsecurity=False).digest()


def digests(leaks: Leaks) -> None:
    kit = leaks.kit
    which = cycle(("email", "phone", "message", "uuid", "person", "handle", "key"))
    quoting = cycle((b'{"h":"%b","n":1}', b"h=%b&n=1", b"%b", b"/sync/%b/x"))
    for name in DIGESTS:
        for writing, write in WRITTEN.items():
            secret = next(which)
            data = write(hashed(name, getattr(kit, secret)))
            form = leaks.noise(40) + data + leaks.noise(30) if writing == "raw" else next(quoting) % data
            leaks.add("digests", f"{name}, {writing}, {secret}", secret, form, expect=Expect.DIGEST, digest=name)
    local, _, domain = kit.gmail.partition(b"@")
    canonical = local.partition(b"+")[0].replace(b".", b"").lower() + b"@" + domain
    digits = kit.phone[1:]
    normalised: dict[str, tuple[str, bytes]] = {
        "e-mail, lower case": ("gmail", kit.gmail.lower()),
        "e-mail, upper case": ("email", kit.email.upper()),
        "e-mail, gmail's account": ("gmail", canonical),
        "e-mail, without tag": ("gmail", (local.partition(b"+")[0] + b"@" + domain).lower()),
        "e-mail, googlemail": ("gmail", canonical.replace(b"gmail", b"googlemail")),
        "e-mail, with a line end": ("email", kit.email + b"\n"),
        "phone, digits": ("phone", digits),
        "phone, zeros": ("phone", b"00" + digits),
        "phone, national": ("phone", b"0" + digits[2:]),
        "phone, without prefix": ("phone", digits[2:]),
        "person, lower case": ("person", kit.person.decode().lower().encode()),
        "uuid, upper case": ("uuid", kit.uuid.upper()),
        "uuid, without dashes": ("uuid", kit.uuid.replace(b"-", b"")),
        "message, utf-16": ("message", kit.message.decode().encode("utf-16-le")),
        "key, as hex": ("key", kit.key.hex().encode()),
        "key, as base64": ("key", base64.b64encode(kit.key)),
    }
    for number, (name, (secret, data)) in enumerate(normalised.items()):
        for algorithm in ("sha256", ("md5", "sha1")[number % 2]):
            form = f'{{"ud":{{"x":"{hashed(algorithm, data).hex()}"}}}}'.encode()
            leaks.add("digests", f"{algorithm} of {name}", secret, form, expect=Expect.DIGEST, digest=algorithm)
    email = hashed("sha256", kit.email)
    where: dict[str, tuple[bytes, str]] = {
        "in a cookie": (wire.fields(((b"Cookie", b"_uid=" + email.hex().encode()),)), HEADER),
        "in a query": (b"GET /px?em=" + email.hex().encode() + b" HTTP/1.1\r\n", LINE),
        "in percent": (b"h=" + urllib.parse.quote(base64.b64encode(email), safe="").encode(), BODY),
        "in json in base64": (base64.b64encode(json.dumps({"h": email.hex()}).encode()), BODY),
        "in gzip": (to.BYTES["gzip"](json.dumps({"h": email.hex()}).encode()), BODY),
        "in base64 of hex": (b'{"h":"' + base64.b64encode(email.hex().encode()) + b'"}', BODY),
        "in a host name": (wire.request(host=hashed("md5", kit.email).hex().encode() + b".x.test"), STREAM),
        "in protobuf": (wire.proto(1, 5) + wire.proto(2, email), BODY),
        "in cbor": (cbor2.dumps({"h": email}), BODY),
        "with colons": (email.hex(":").encode(), BODY),
        "in utf-16": (email.hex().encode("utf-16-le"), BODY),
        "array of bytes": (json.dumps({"h": list(email)}).encode(), BODY),
        "in base32": (b"h=" + base64.b32encode(email).rstrip(b"="), BODY),
        "in raw deflate, base64": (b'{"z":"' + base64.b64encode(to.deflate(email.hex().encode())) + b'"}', BODY),
    }
    for name, (data, place) in where.items():
        algorithm = "md5" if "host" in name else "sha256"
        leaks.add(
            "digests",
            f"{algorithm} {name}",
            "email",
            data,
            place=place,
            places=("",),
            expect=Expect.DIGEST,
            digest=algorithm,
        )


def salted(leaks: Leaks) -> None:
    kit = leaks.kit
    salt = leaks.noise(8).hex().encode()
    pepper = b"pepper-" + leaks.noise(6).hex().encode()

    def body(digest: bytes) -> bytes:
        return json.dumps({"h": digest.hex()}).encode()

    seen = json.dumps({"salt": salt.decode(), "v": 1}).encode()
    ways: dict[str, tuple[str, bytes]] = {
        "sha256, before": ("sha256", hashed("sha256", salt + kit.email)),
        "sha256, after": ("sha256", hashed("sha256", kit.email + salt)),
        "md5, after": ("md5", hashed("md5", kit.email + salt)),
        "sha1, colon": ("sha1", hashed("sha1", salt + b":" + kit.email)),
        "sha256, key": ("sha256", hmac.digest(salt, kit.email, "sha256")),
        "sha512, key": ("sha512", hmac.digest(salt, kit.email, "sha512")),
        "sha1, key": ("sha1", hmac.digest(salt, kit.email, "sha1")),
        "blake2b, key": ("blake2b", hashlib.blake2b(kit.email, key=salt, digest_size=32).digest()),
    }
    for name, (algorithm, digest) in ways.items():
        leaks.add(
            "digests",
            f"salted: {name}, same body",
            "email",
            json.dumps({"salt": salt.decode(), "h": digest.hex()}).encode(),
            expect=Expect.DIGEST,
            digest=algorithm,
        )
        leaks.add(
            "digests",
            f"salted: {name}, earlier answer",
            "email",
            [observed(seen, exchange=1, direction=Direction.TO_CLIENT), observed(body(digest), exchange=2)],
            expect=Expect.DIGEST,
            digest=algorithm,
        )
    header = wire.fields(((b"Host", wire.HOST), (b"Cookie", b"sid=" + salt)))
    leaks.add(
        "digests",
        "salted: with a cookie",
        "phone",
        [observed(header, HEADER), observed(body(hashed("sha256", kit.phone + salt)))],
        expect=Expect.DIGEST,
        digest="sha256",
        places=(BODY,),
    )
    leaks.add(
        "digests",
        "salted: with the bytes of the salt",
        "phone",
        [
            observed(seen, exchange=1, direction=Direction.TO_CLIENT),
            observed(body(hashed("sha256", bytes.fromhex(salt.decode()) + kit.phone)), exchange=2),
        ],
        expect=Expect.DIGEST,
        digest="sha256",
    )
    leaks.add(
        "digests",
        "salted: with the host",
        "email",
        wire.request(body=body(hashed("sha256", kit.email + wire.HOST)), kind=JSON_TYPE),
        place=STREAM,
        places=(BODY,),
        expect=Expect.DIGEST,
        digest="sha256",
    )
    for name, (algorithm, digest) in {
        "sha256, before": ("sha256", hashed("sha256", pepper + kit.email)),
        "sha256, after": ("sha256", hashed("sha256", kit.email + pepper)),
        "md5, before": ("md5", hashed("md5", pepper + kit.email)),
        "sha256, key": ("sha256", hmac.digest(pepper, kit.email, "sha256")),
        "sha384, key": ("sha384", hmac.digest(pepper, kit.email, "sha384")),
        "sha1, phone, digits": ("sha1", hashed("sha1", pepper + kit.phone[1:])),
    }.items():
        secret = "phone" if "phone" in name else "email"
        leaks.add(
            "digests",
            f"given salt: {name}",
            secret,
            body(digest),
            expect=Expect.DIGEST,
            digest=algorithm,
            salts=(pepper,),
        )


def checksums(leaks: Leaks) -> None:
    kit = leaks.kit
    for secret in ("email", "phone", "uuid"):
        value: bytes = getattr(kit, secret)
        crc, murmur = zlib.crc32(value), mmh3.hash(value, signed=False)
        for name, number in {"crc32": crc, "murmur3": murmur}.items():
            forms = {
                "hex": f'{{"h":"{number:08x}"}}',
                "HEX": f"h={number:08X}&b=1",
                "decimal": f'{{"h":{number},"n":2}}',
                "signed": f'{{"h":{number - (1 << 32) if number >> 31 else number}}}',
            }
            for writing, text in forms.items():
                leaks.add(
                    "digests", f"{name}, {writing}, {secret}", secret, text.encode(), expect=Expect.DIGEST, digest=name
                )
