"""Leaks in every place of a session or of a storage."""

from __future__ import annotations

import base64
import json
import urllib.parse
import zlib

import brotli
import cbor2
import msgpack

from lab.model import Direction, Observation
from tests.corpus import encoders as to
from tests.corpus import wire
from tests.corpus.case import observed
from tests.corpus.leaks import BODY, FORM_TYPE, HEADER, JSON_TYPE, LINE, STREAM, Leaks

HOST_PLACES = ("http.header", "http.request_line", "http.authority")


def in_http(leaks: Leaks) -> None:
    kit = leaks.kit
    quoted = urllib.parse.quote(kit.email, safe="").encode()
    targets = {
        "path": (b"/users/" + quoted + b"/inbox", "email", ("http.path",)),
        "path as it is": (kit.path, "path", ("http.path",)),
        "path parameter": (b"/x;id=" + kit.uuid + b"/y", "uuid", ("http.path",)),
        "query": (b"/track?e=" + quoted + b"&v=2", "email", ("http.query",)),
        "query name": (b"/track?" + kit.handle + b"=1", "handle", ("http.query",)),
        "query, plus": (b"/t?n=" + urllib.parse.quote_plus(kit.message).encode(), "message", ("http.query",)),
        "query, raw": (b"/t?u=" + kit.email + b"&x", "email", ("http.query",)),
        "query, phone": (b"/t?p=%2B" + kit.phone[1:], "phone", ("http.query",)),
        "fragment": (b"/app#/chat/" + kit.uuid, "uuid", ("http.fragment",)),
        "absolute form": (b"http://" + kit.handle + b".chat.lab.test/x", "handle", HOST_PLACES),
        "url in a query": (
            b"/go?to=" + urllib.parse.quote(b"https://x.test/?u=" + quoted, safe="").encode(),
            "email",
            ("http.query",),
        ),
        "user in a url": (b"http://" + quoted + b":pw@x.test/", "email", HOST_PLACES),
    }
    for name, (target, secret, places) in targets.items():
        line = b"GET " + target + b" HTTP/1.1\r\n"
        places = (*places, LINE)
        leaks.add("places", f"{name}, stream", secret, wire.request(target), place=STREAM, places=places)
        leaks.add("places", f"{name}, line", secret, line, place=LINE, places=places)
    host = kit.handle + b".chat.lab.test"
    leaks.add("places", "host label", "handle", wire.request(host=host), place=STREAM, places=(HEADER,))
    leaks.add(
        "places",
        "host labels, base32",
        "email",
        wire.request(host=base64.b32encode(kit.email).rstrip(b"=").lower() + b".t.test"),
        place=STREAM,
        places=(HEADER,),
    )
    leaks.add(
        "places",
        "host label, hex",
        "key",
        wire.request(host=kit.key.hex().encode() + b".x.test"),
        place=STREAM,
        places=(HEADER,),
    )
    status = b"HTTP/1.1 404 No such user " + kit.handle + b"\r\n\r\n"
    leaks.add(
        "places",
        "reason phrase",
        "handle",
        observed(status, STREAM, direction=Direction.TO_CLIENT),
        places=("http.status_line",),
    )
    leaks.add(
        "places",
        "method",
        "handle",
        wire.request(method=b"X-" + kit.handle.upper()),
        place=STREAM,
        places=("http.method", LINE),
    )
    trailers = wire.chunked([b"abc"], trailers=((b"X-Checked-By", kit.email),))
    leaks.add("places", "trailer", "email", trailers, place=STREAM, places=(HEADER, "http.trailer"))
    extension = b"5;owner=" + kit.handle + b"\r\nhello\r\n0\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    leaks.add("places", "chunk extension", "handle", head + extension, place=STREAM, places=(BODY,))
    second = wire.request(b"/first") + wire.request(b"/second?x=" + kit.uuid)
    leaks.add("places", "second request of a connection", "uuid", second, place=STREAM, places=("http.query", LINE))
    after = wire.response(b"ok") + wire.response(json.dumps({"phone": kit.phone.decode()}).encode(), kind=JSON_TYPE)
    leaks.add(
        "places",
        "second response of a connection",
        "phone",
        observed(after, STREAM, direction=Direction.TO_CLIENT),
        places=(BODY,),
    )


def in_headers(leaks: Leaks) -> None:
    kit = leaks.kit
    quoted = urllib.parse.quote(kit.email, safe="").encode()
    encoded = base64.b64encode(kit.person)
    headers: dict[str, tuple[bytes, bytes, str]] = {
        "basic": (b"Authorization", wire.basic(kit.email), "email"),
        "basic, password": (b"Authorization", wire.basic(b"nobody", kit.message), "message"),
        "proxy basic": (b"Proxy-Authorization", wire.basic(kit.handle), "handle"),
        "jwt": (b"Authorization", b"Bearer " + wire.jwt({"iat": 1, "sub": kit.email.decode()}), "email"),
        "jwt, name": (b"Authorization", b"Bearer " + wire.jwt({"name": kit.person.decode()}), "person"),
        "bearer": (b"Authorization", b"Bearer " + kit.uuid, "uuid"),
        "digest user": (b"Authorization", b'Digest username="' + kit.handle + b'", realm="x"', "handle"),
        "referer": (b"Referer", b"https://x.test/p?mail=" + quoted, "email"),
        "referer, fragment": (b"Referer", b"https://x.test/p#" + kit.uuid, "uuid"),
        "cookie": (b"Cookie", b"a=1; uid=" + kit.uuid + b"; b=2", "uuid"),
        "cookie, percent": (b"Cookie", b"mail=" + quoted, "email"),
        "cookie, base64": (b"Cookie", b"s=" + base64.b64encode(kit.iban), "iban"),
        "cookie, json": (
            b"Cookie",
            b"p=" + urllib.parse.quote(json.dumps({"m": kit.message.decode()})).encode(),
            "message",
        ),
        "cookie name": (b"Cookie", kit.handle + b"=1", "handle"),
        "custom": (b"X-User", kit.email, "email"),
        "custom, key": (b"X-Key", base64.b64encode(kit.key), "key"),
        "header name": (b"X-" + kit.handle, b"1", "handle"),
        "user agent": (b"User-Agent", b"App/1.0 (" + kit.handle + b"; Linux)", "handle"),
        "from": (b"From", kit.email, "email"),
        "etag": (b"ETag", b'W/"' + kit.key.hex().encode() + b'"', "key"),
        "if-none-match": (b"If-None-Match", b'"' + kit.uuid.replace(b"-", b"") + b'"', "uuid"),
        "link": (b"Link", b"<https://x.test" + kit.path + b">; rel=next", "path"),
        "origin": (b"Origin", b"https://" + kit.handle + b".app.test", "handle"),
        "forwarded": (b"Forwarded", b"for=" + kit.handle + b";proto=https", "handle"),
        "subject, encoded word": (b"X-Name", b"=?utf-8?B?" + encoded + b"?=", "person"),
        "parameter, percent": (b"X-Name", b"n*=UTF-8''" + urllib.parse.quote(kit.person).encode(), "person"),
        "utf-8": (b"X-Name", kit.person, "person"),
        "latin-1": (b"X-Name", kit.person.decode().encode("latin-1"), "person"),
        "folded": (b"X-Note", kit.message[:14] + b"\r\n " + kit.message[14:], "message"),
    }
    for number, (name, (field, value, secret)) in enumerate(headers.items()):
        pair = ((field, value),)
        where = (HEADER, f"{HEADER}.{field.decode('latin-1').lower()}")
        if number % 2:
            data = observed(wire.request(headers=pair, method=b"GET"), STREAM)
        else:
            data = observed(wire.fields(((b"Host", wire.HOST), *pair, (b"Accept", b"*/*"))), HEADER)
        leaks.add("places", f"header {name}", secret, data, places=where)
    answers: dict[str, tuple[bytes, bytes, str]] = {
        "set-cookie": (b"Set-Cookie", b"uid=" + kit.uuid + b"; Path=/; Secure", "uuid"),
        "location": (b"Location", b"/u?mail=" + quoted, "email"),
        "disposition": (b"Content-Disposition", b'attachment; filename="' + kit.person + b'.pdf"', "person"),
        "disposition, rfc 8187": (
            b"Content-Disposition",
            b"attachment; filename*=UTF-8''" + urllib.parse.quote(kit.person).encode(),
            "person",
        ),
        "server timing": (b"Server-Timing", b"db;desc=" + kit.handle, "handle"),
        "www-authenticate": (b"WWW-Authenticate", b'Bearer error_description="no ' + kit.email + b'"', "email"),
        "csp report": (b"Content-Security-Policy", b"report-uri /r/" + kit.uuid, "uuid"),
    }
    for name, (field, value, secret) in answers.items():
        data = wire.response(b"ok", headers=((field, value),))
        leaks.add(
            "places",
            f"response header {name}",
            secret,
            observed(data, STREAM, direction=Direction.TO_CLIENT),
            places=(HEADER,),
        )


def in_bodies(leaks: Leaks) -> None:
    kit = leaks.kit
    email, person, message = kit.email.decode(), kit.person.decode(), kit.message.decode()
    record = {"id": 7, "user": {"mail": email, "tags": ["a", "b"]}, "ok": True}
    rest = [1, {"x": [None, 2.5, "text"]}]
    part = b'Content-Disposition: form-data; name="%b"'
    bodies: dict[str, tuple[bytes, str, bytes]] = {
        "form": (b"a=1&mail=" + urllib.parse.quote_plus(email).encode() + b"&b=2", "email", FORM_TYPE),
        "form, text": (b"m=" + urllib.parse.quote_plus(message).encode(), "message", FORM_TYPE),
        "form name": (urllib.parse.quote_plus(email).encode() + b"=on", "email", FORM_TYPE),
        "json": (json.dumps(record).encode(), "email", JSON_TYPE),
        "json, escaped": (json.dumps({"name": person}).encode(), "person", JSON_TYPE),
        "json, utf-8": (json.dumps({"name": person}, ensure_ascii=False).encode(), "person", JSON_TYPE),
        "json key": (json.dumps({email: 1}).encode(), "email", JSON_TYPE),
        "json number": (b'{"phone":' + kit.phone[1:] + b"}", "phone", JSON_TYPE),
        "json, cut off": (json.dumps({"m": message, "more": "x" * 40}).encode()[:-20], "message", JSON_TYPE),
        "json in json": (json.dumps({"event": json.dumps(record)}).encode(), "email", JSON_TYPE),
        "json lines": (b'{"a":1}\n' + json.dumps(record).encode() + b'\n{"b":2}\n', "email", JSON_TYPE),
        "json, utf-16": (json.dumps(record).encode("utf-16"), "email", JSON_TYPE),
        "xml": (f"<user><name>{person}</name></user>".encode(), "person", b"text/xml"),
        "xml attribute": (f'<u mail="{email}" n="1"/>'.encode(), "email", b"text/xml"),
        "xml comment": (f"<a><!-- {message} --></a>".encode(), "message", b"text/xml"),
        "html": (f"<p>Dear {person.replace('ü', '&uuml;')},</p>".encode(), "person", b"text/html"),
        "html in json": (json.dumps({"html": f"<b>{to.entities(email)}</b>"}).encode(), "email", JSON_TYPE),
        "graphql": (json.dumps({"query": f'{{user(mail:"{email}"){{id}}}}'}).encode(), "email", JSON_TYPE),
        "yaml": (f"user:\n  name: {person}\n".encode(), "person", b"text/yaml"),
        "csv": (f"id;name;phone\n1;x;{kit.phone.decode()}\n".encode(), "phone", b"text/csv"),
        "plain": (b"hello " + kit.message + b", bye", "message", b"text/plain"),
        "events": (b"event: m\ndata: " + kit.message + b"\n\n", "message", b"text/event-stream"),
        "padding field": (
            json.dumps({"text": "x", "padding": base64.b64encode(kit.message).decode()}).encode(),
            "message",
            JSON_TYPE,
        ),
        "error text": (f'{{"error":"cannot deliver \\"{message}\\""}}'.encode(), "message", JSON_TYPE),
        "javascript": (b"var u='" + kit.email.replace(b"@", b"\\x40") + b"';go(u)", "email", b"text/javascript"),
        "jpeg comment": (b"\xff\xd8\xff\xfe\x00\x2c" + kit.uuid + leaks.noise(500), "uuid", b"image/jpeg"),
        "key in binary": (leaks.noise(300) + kit.key + leaks.noise(211), "key", b"application/octet-stream"),
        "text in binary": (leaks.noise(301) + kit.message + leaks.noise(200), "message", b"application/octet-stream"),
        "cbor": (cbor2.dumps([record, rest]), "email", b"application/cbor"),
        "cbor bytes": (cbor2.dumps({"k": kit.key, "z": 1}), "key", b"application/cbor"),
        "cbor, json inside": (cbor2.dumps({"j": json.dumps({"n": person})}), "person", b"application/cbor"),
        "cbor, deflate inside": (cbor2.dumps({"j": to.deflate(kit.message * 2)}), "message", b"application/cbor"),
        "msgpack": (msgpack.packb([record, rest]), "email", b"application/msgpack"),
        "msgpack bytes": (msgpack.packb({"k": kit.key}), "key", b"application/msgpack"),
        "msgpack, deflate inside": (
            msgpack.packb({"d": to.deflate(kit.message * 2), "n": 1}),
            "message",
            b"application/msgpack",
        ),
        "protobuf": (
            wire.proto(1, 7) + wire.proto(2, wire.proto(1, kit.email) + wire.proto(3, 99)),
            "email",
            b"application/x-protobuf",
        ),
        "protobuf, deflate inside": (
            wire.proto(1, 7) + wire.proto(4, to.deflate(kit.message * 2)),
            "message",
            b"application/x-protobuf",
        ),
        "grpc": (wire.grpc(wire.proto(1, kit.email)), "email", b"application/grpc"),
        "grpc, second message": (
            wire.grpc(b"\x08\x01") + wire.grpc(wire.proto(1, kit.handle)),
            "handle",
            b"application/grpc",
        ),
        "grpc, gzip": (
            wire.grpc(to.BYTES["gzip"](wire.proto(1, kit.message)), compressed=True),
            "message",
            b"application/grpc",
        ),
        "grpc-web text": (base64.b64encode(wire.grpc(wire.proto(1, kit.email))), "email", b"application/grpc-web-text"),
        "multipart": (
            wire.multipart([(part % b"a", b"1"), (part % b"mail", kit.email)]),
            "email",
            b"multipart/form-data; boundary=----corpus7f3a",
        ),
        "multipart, base64": (
            wire.multipart([(part % b"n" + b"\r\nContent-Transfer-Encoding: base64", base64.b64encode(kit.person))]),
            "person",
            b"multipart/form-data; boundary=----corpus7f3a",
        ),
        "multipart, quoted-printable": (
            wire.multipart(
                [
                    (
                        part % b"n" + b"\r\nContent-Transfer-Encoding: quoted-printable",
                        to.TEXT["quoted-printable"](kit.person),
                    )
                ]
            ),
            "person",
            b"multipart/form-data; boundary=----corpus7f3a",
        ),
        "multipart, deflate": (
            wire.multipart([(part % b"a", b"1"), (part % b"f", to.deflate(kit.message * 3))]),
            "message",
            b"multipart/form-data; boundary=----corpus7f3a",
        ),
        "file name": (
            wire.multipart([(part % b"f" + b'; filename="' + kit.person + b'.txt"', b"x")]),
            "person",
            b"multipart/form-data; boundary=----corpus7f3a",
        ),
        "file name, rfc 8187": (
            wire.multipart([(part % b"f" + b"; filename*=UTF-8''" + urllib.parse.quote(kit.person).encode(), b"x")]),
            "person",
            b"multipart/form-data; boundary=----corpus7f3a",
        ),
        "multipart field name": (
            wire.multipart([(part % kit.handle, b"x")]),
            "handle",
            b"multipart/form-data; boundary=----corpus7f3a",
        ),
    }
    for number, (name, (body, secret, kind)) in enumerate(bodies.items()):
        if number % 3 == 0:
            data: list[Observation] = [observed(body)]
        elif number % 3 == 1:
            data = [observed(wire.request(body=body, kind=kind), STREAM)]
        else:
            data = [observed(wire.response(body, kind=kind), STREAM, direction=Direction.TO_CLIENT)]
        leaks.add("places", f"body {name}", secret, data, places=(BODY,))


def in_other_protocols(leaks: Leaks) -> None:
    kit = leaks.kit
    message = kit.message
    client = {"direction": Direction.TO_CLIENT}
    add = leaks.add
    hello = wire.client_hello(f"{kit.handle.decode()}.chat.lab.test")
    add("places", "sni", "handle", hello, place=STREAM, places=("tls.sni",))
    add(
        "places",
        "sni, hex label",
        "key",
        wire.client_hello(f"{kit.key.hex()}.x.test"),
        place=STREAM,
        places=("tls.sni",),
    )
    add("places", "sni by itself", "handle", kit.handle + b".chat.lab.test", place="tls.sni")
    certificate = (
        b"\x16\x03\x03\x00\x60\x0b\x00\x00\x5c" + leaks.noise(40) + kit.email + leaks.noise(52 - len(kit.email))
    )
    add(
        "places",
        "certificate in the clear",
        "email",
        observed(certificate, STREAM, direction=Direction.TO_CLIENT),
        places=("tls", STREAM),
    )
    query = wire.dns_query(kit.handle + b".chat.lab.test")
    names = ("dns", "udp", STREAM)
    add("places", "dns query", "handle", query, place="udp.datagram", places=names)
    add("places", "dns query, tcp", "handle", len(query).to_bytes(2) + query, place=STREAM, places=names)
    add("places", "dns query, message", "handle", query, place="dns.message", places=names)
    add(
        "places",
        "dns query, hex label",
        "key",
        wire.dns_query(kit.key.hex().encode() + b".x.test"),
        place="udp.datagram",
        places=names,
    )
    coded = base64.b32encode(kit.email).rstrip(b"=").lower()
    over = b".".join(wire.pieces(coded, 20))
    add(
        "places",
        "dns query, base32 over labels",
        "email",
        wire.dns_query(over + b".x.test"),
        place="udp.datagram",
        places=names,
    )
    over = b".".join(wire.pieces(kit.email.hex().encode(), 30))
    add(
        "places",
        "dns query, hex over labels",
        "email",
        wire.dns_query(over + b".x.test"),
        place="udp.datagram",
        places=names,
    )
    text = wire.dns_answer(b"x.test", 16, wire.dns_text(kit.email))
    add("places", "dns txt answer", "email", text, place="udp.datagram", places=names)
    text = wire.dns_answer(b"x.test", 16, wire.dns_text(message, 17))
    add("places", "dns txt answer in strings", "message", text, place="udp.datagram", places=names)
    doh = wire.request(body=query, kind=b"application/dns-message")
    add("places", "dns over https", "handle", doh, place=STREAM, places=(BODY, "dns"))
    # WebSocket
    up, down = wire.UPGRADE, wire.SWITCHING
    web = ("websocket",)
    add(
        "places",
        "websocket, masked",
        "message",
        up + wire.frame(b"hi") + wire.frame(b"say: " + message),
        place=STREAM,
        places=web,
    )
    add("places", "websocket, binary", "key", up + wire.frame(b"k" + kit.key + b"z", 2), place=STREAM, places=web)
    add(
        "places",
        "websocket, large",
        "message",
        up + wire.frame(to.prose(70000).encode() + message),
        place=STREAM,
        places=web,
    )
    add(
        "places",
        "websocket, from the server",
        "message",
        observed(down + wire.frame(b"<" + message + b">", mask=None), STREAM, **client),
        places=web,
    )
    add(
        "places",
        "websocket, fragments",
        "message",
        up
        + wire.frame(message[:9], final=False)
        + wire.frame(b"ping", 9)
        + wire.frame(message[9:20], 0, final=False)
        + wire.frame(message[20:], 0),
        place=STREAM,
        places=web,
    )
    add("places", "websocket, ping", "handle", up + wire.frame(kit.handle, 9), place=STREAM, places=web)
    add(
        "places",
        "websocket, close reason",
        "handle",
        up + wire.frame(b"\x03\xe8" + kit.handle, 8),
        place=STREAM,
        places=web,
    )
    add(
        "places",
        "websocket, json",
        "person",
        up + wire.frame(json.dumps({"n": kit.person.decode()}).encode()),
        place=STREAM,
        places=web,
    )
    add(
        "places",
        "websocket, message by itself",
        "email",
        json.dumps({"m": kit.email.decode()}).encode(),
        place="websocket.message",
    )
    add(
        "compression",
        "websocket, deflate",
        "message",
        up + wire.deflated_frames([b"say: " + message]),
        place=STREAM,
        places=web,
    )
    add(
        "compression",
        "websocket, deflate, takeover",
        "message",
        up + wire.deflated_frames([b"hello there, " + message[:20], b"again: hello there, " + message]),
        place=STREAM,
        places=web,
    )
    add(
        "compression",
        "websocket, deflate, no takeover",
        "message",
        up + wire.deflated_frames([b"one", b"two " + message], takeover=False),
        place=STREAM,
        places=web,
    )
    add(
        "compression",
        "websocket, deflate, from the server",
        "email",
        observed(down + wire.deflated_frames([b"welcome", kit.email * 2], mask=None), STREAM, **client),
        places=web,
    )
    # HTTP/2
    any_place = ("http", "tcp")
    add(
        "places",
        "http2 header",
        "email",
        wire.http2([b"x"], headers=((b"x-user", kit.email),)),
        place=STREAM,
        places=any_place,
    )
    add("places", "http2 path", "path", wire.http2([], path=kit.path), place=STREAM, places=any_place)
    add(
        "places",
        "http2 cookie",
        "uuid",
        wire.http2([b"x"], headers=((b"cookie", b"u=" + kit.uuid),)),
        place=STREAM,
        places=any_place,
    )
    add("places", "http2 data", "message", wire.http2([b"a " + message]), place=STREAM, places=any_place)
    add(
        "places",
        "http2 data, padded",
        "message",
        wire.http2([message[:12], message[12:]], padding=20),
        place=STREAM,
        places=any_place,
    )
    add(
        "places",
        "http2 trailer",
        "handle",
        wire.http2([b"x"], trailers=((b"x-by", kit.handle),)),
        place=STREAM,
        places=any_place,
    )
    add(
        "places",
        "http2 basic",
        "email",
        wire.http2([b"x"], headers=((b"authorization", wire.basic(kit.email)),)),
        place=STREAM,
        places=any_place,
    )
    add(
        "places",
        "http2 grpc",
        "person",
        wire.http2([wire.grpc(wire.proto(1, kit.person))], headers=((b"content-type", b"application/grpc"),)),
        place=STREAM,
        places=any_place,
    )
    add(
        "compression",
        "http2 gzip",
        "message",
        wire.http2(wire.pieces(to.BYTES["gzip"](message), 20), headers=((b"content-encoding", b"gzip"),)),
        place=STREAM,
        places=any_place,
    )
    add(
        "compression",
        "http2 brotli",
        "message",
        wire.http2([brotli.compress(message)], headers=((b"content-encoding", b"br"),)),
        place=STREAM,
        places=any_place,
    )
    # Others
    add("places", "raw tcp", "message", b"\x00\x01\x02HELO " + message + b"\x00", place=STREAM)
    add("places", "raw tcp, to client", "message", observed(b"\x07" + message, STREAM, **client), places=(STREAM,))
    add(
        "places",
        "raw tcp, utf-16 at an odd offset",
        "message",
        b"\x05" + message.decode().encode("utf-16-le") + leaks.noise(30),
        place=STREAM,
    )
    add("places", "smtp", "email", b"EHLO x\r\nMAIL FROM:<" + kit.email + b">\r\n", place=STREAM)
    add(
        "places",
        "smtp body",
        "person",
        b"Subject: =?utf-8?q?" + to.TEXT["encoded word, Q"](kit.person)[10:] + b"\r\n\r\nHi\r\n.\r\n",
        place=STREAM,
    )
    add(
        "places",
        "smtp auth plain",
        "email",
        b"AUTH PLAIN " + base64.b64encode(b"\0" + kit.email + b"\0secret") + b"\r\n",
        place=STREAM,
    )
    add("places", "imap", "email", b'a1 LOGIN "' + kit.email + b'" "pw"\r\n', place=STREAM)
    topic = b"chat/" + kit.handle
    add("places", "mqtt", "handle", bytes([0x30, 2 + len(topic) + 2, 0, len(topic)]) + topic + b"hi", place=STREAM)
    add("places", "redis", "iban", b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$22\r\n" + kit.iban + b"\r\n", place=STREAM)
    add("places", "udp", "uuid", b"\x01\x02" + kit.uuid + b"\x00", place="udp.datagram")
    add(
        "places",
        "syslog",
        "handle",
        b"<34>1 2026-01-01T00:00:00Z h app - - - login " + kit.handle,
        place="udp.datagram",
    )
    add("places", "statsd", "handle", b"logins." + kit.handle + b":1|c", place="udp.datagram")
    add("places", "mdns name", "person", wire.dns_query(kit.person + b".local"), place="udp.datagram", places=names)


def in_storage(leaks: Leaks) -> None:
    kit = leaks.kit
    add = leaks.add
    rows = [("filler", to.prose(200))] * 20
    long = to.prose(9000)
    stored = ("database",)

    def put(name: str, secret: str, body: object, *, page: int = 4096, forget: bool = False) -> None:
        data = wire.database([*rows, ("it", body), *rows], page=page, forget=forget)
        add("places", f"sqlite {name}", secret, data, place="database.file", places=stored)

    put("text", "message", kit.message.decode())
    put("blob", "key", kit.key)
    put("json", "person", json.dumps({"name": kit.person.decode()}))
    put("over pages", "message", long[:4060] + kit.message.decode() + long[:5000])
    put("over small pages", "email", long[:460] + kit.email.decode() + long[:900], page=512)
    put("over many pages", "message", (long + kit.message.decode()) * 2, page=1024)
    put("base64", "message", base64.b64encode(kit.message).decode())
    put("zlib blob", "message", zlib.compress(kit.message * 3))
    put("deflate blob", "message", to.deflate(kit.message * 3))
    put(
        "gzip of json, over pages",
        "email",
        to.BYTES["gzip"]((long + leaks.noise(3000).hex() + json.dumps({"m": kit.email.decode()})).encode()),
    )
    put("deleted row", "message", kit.message.decode(), forget=True)
    put("utf-16 blob", "person", kit.person.decode().encode("utf-16-le"))
    file, log = wire.database_with_log([*rows, ("it", kit.message.decode())])
    add(
        "places",
        "sqlite write-ahead log",
        "message",
        [observed(file, "database.file"), observed(log, "database.wal")],
        places=stored,
    )
    file, log = wire.database_with_log([*rows, ("it", long[:3900] + kit.email.decode() + long)])
    add(
        "places",
        "sqlite write-ahead log, over pages",
        "email",
        [observed(file, "database.file"), observed(log, "database.wal")],
        places=stored,
    )
    line = "2026-01-01T00:00:00Z app[17]: "
    logs: dict[str, tuple[str, str]] = {
        "plain": (f"{line}login of {kit.email.decode()} ok", "email"),
        "json": (json.dumps({"level": "info", "msg": f"sent {kit.message.decode()}"}), "message"),
        "access": (f'192.0.2.1 - - [01/Jan/2026] "GET {kit.path.decode()} HTTP/1.1" 200 5', "path"),
        "access, query": (f'192.0.2.1 - - "GET /?m={urllib.parse.quote(kit.email)} HTTP/1.1" 200', "email"),
        "python repr": (f"{line}body={kit.person!r}", "person"),
        "base64": (f"{line}token={base64.b64encode(kit.uuid).decode()}", "uuid"),
        "hex": (f"{line}key={kit.key.hex()}", "key"),
        "hexdump": (f"{line}\n{to.hexdump(b'x' * 5 + kit.message).decode()}", "message"),
        "stack trace": (f'{line}ValueError: bad value "{kit.iban.decode()}"\n  at main', "iban"),
    }
    for name, (text, secret) in logs.items():
        data = "\n".join([f"{line}started", text, f"{line}stopped", ""]).encode()
        add("places", f"log {name}", secret, data, place="file")
