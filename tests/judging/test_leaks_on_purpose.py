"""The body of the tour leaks in E2EE mode, from the client, the service or the operator's own storage, on real taps.

What a leak has added to the record is judged by itself: so nothing else can be what was found. The same session before
the first leak is the counterpart, in which the body is hidden.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

import cbor2
import msgpack
import pytest

from lab import detect
from lab.e2ee.protocol import E2EEError
from lab.messenger.content import Content, dump
from lab.messenger.wire import WireError
from lab.model import Exposure, Observer, SecretName
from lab.record import Record
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.process import Child
from lab.stage.stage import Stage
from tests.corpus import encoders as to

from . import leaky_service
from .on_purpose import Held, Leak, Scene, hold
from .recordings import about, cells

NETWORK, SERVER, DATABASE = ON_STAGE
BODY = frozenset({SecretName.BODY})

TEXT, CODED, BYTES = to.TEXT, to.BINARY_TO_TEXT, to.BYTES

type Do = Callable[[Scene, bytes], object]
type Dress = Callable[[bytes], bytes]


# What a client can do


def headers(dress: Callable[[bytes], Mapping[str, str | bytes]]) -> Do:
    """A request that says nothing but in its headers."""
    return lambda scene, body: scene.ask(headers=dress(body))


def header(name: str, dress: Dress) -> Do:
    return headers(lambda body: {name: dress(body)})


def query(name: str, dress: Dress) -> Do:
    return lambda scene, body: scene.ask(path=f"/v1/conversations?{name}={dress(body).decode()}")


def sent(dress: Dress, media_type: str, **headers: str) -> Do:
    """The body of a request that the service has no use for."""
    return lambda scene, body: scene.ask(
        "POST", "/v1/report", data=dress(body), headers={"Content-Type": media_type, **headers}
    )


def field(name: str, value: Callable[[bytes], object]) -> Do:
    """A member that the service does not know, in a request that it does."""
    return lambda scene, body: scene.ask(
        "POST", "/v1/conversations", json={"members": [scene.bob.person.account], name: value(body)}
    )


def blob(dress: Dress) -> Do:
    """A file that was to be encrypted."""
    return lambda scene, body: scene.wire.upload("/v1/blobs", dress(body))


def halves(body: bytes) -> tuple[bytes, bytes]:
    """Cut within what nobody could guess."""
    return body[:-9], body[-9:]


def in_one_word(body: bytes) -> str:
    return base64.b32encode(body).decode().rstrip("=").lower()


def in_two_headers_of_one_name(scene: Scene, body: bytes) -> None:
    scene.raw(scene.head("GET /v1/conversations HTTP/1.1", *(f"X-Note: {half.decode()}" for half in halves(body))))


def in_three_requests(scene: Scene, body: bytes) -> None:
    for start in range(0, len(body), 12):
        scene.ask(headers={"X-Part": body[start : start + 12].hex()})


def in_bodies_of_two_requests(scene: Scene, body: bytes) -> None:
    for half in halves(body):
        sent(lambda _, half=half: half, "text/plain")(scene, body)  # type: ignore[misc]


def in_two_fields(scene: Scene, body: bytes) -> None:
    first, second = halves(body)
    sent(lambda _: dump({"items": [{"v": first.decode()}, {"v": second.decode()}]}), "application/json")(scene, body)


def in_small_chunks(scene: Scene, body: bytes) -> None:
    pieces = [body[start : start + 5] for start in range(0, len(body), 5)]
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    scene.raw(scene.head("POST /v1/report HTTP/1.1", "Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n")


def in_a_fragment(scene: Scene, body: bytes) -> None:
    scene.raw(scene.head(f"GET /v1/conversations#{TEXT['percent'](body).decode()} HTTP/1.1"))


def as_the_method(scene: Scene, body: bytes) -> None:
    scene.raw(scene.head(f"{in_one_word(body).upper()} /v1/conversations HTTP/1.1"))


def in_a_path(scene: Scene, body: bytes) -> None:
    scene.ask(path=f"/v1/blobs/{TEXT['percent'](body).decode()}")


def in_a_basic_login(scene: Scene, body: bytes) -> None:
    scene.ask(auth=("alice", body.decode()))


def in_a_trailer(scene: Scene, body: bytes) -> None:
    scene.http2(b"all is well", trailers={"x-checksum": body.hex()})


def as_the_authority(scene: Scene, body: bytes) -> None:
    """The host name of HTTP/2, which is not the one in TLS."""
    scene.http2(b"all is well", authority=f"{in_one_word(body)}.lab.test")


def in_a_token(body: bytes) -> bytes:
    """A JSON Web Token (RFC 7519)."""
    parts = (
        b'{"alg":"HS256","typ":"JWT"}',
        dump({"sub": "alice", "note": body.decode()}),
        hashlib.sha256(b"").digest(),
    )
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)


def in_a_part(scene: Scene, body: bytes) -> None:
    scene.ask("POST", "/v1/report", files={"note": (None, body)})


def in_a_file_name(scene: Scene, body: bytes) -> None:
    scene.ask("POST", "/v1/report", files={"note": (body.decode() + ".txt", b"nothing to see")})


# What a client can have stored


def unencrypted(scene: Scene, body: bytes) -> None:
    scene.wire.call("POST", f"/v1/conversations/{scene.conversation}/messages", {"content": {"text": body.decode()}})
    with suppress(E2EEError):
        scene.bob.receive()


def in_the_name_of_a_file(scene: Scene, body: bytes) -> None:
    attachment = {"name": body.decode(), "type": "text/plain", "data": ""}
    path = f"/v1/conversations/{scene.conversation}/messages"
    scene.wire.call("POST", path, {"content": {"attachment": attachment}})
    with suppress(E2EEError, WireError):
        scene.bob.receive()


def as_the_title(scene: Scene, body: bytes) -> None:
    scene.alice.start_conversation([scene.bob.person.account], body.decode())


def as_a_public_key(scene: Scene, body: bytes) -> None:
    scene.wire.call("PUT", "/v1/keys", {"bundle": base64.b64encode(body).decode()})


def as_the_padding(scene: Scene, body: bytes) -> None:
    """Behind the ciphertext, where zeros would do no harm."""
    prepared = scene.alice.prepare(scene.conversation, [scene.bob.person.account], Content("Hello"))
    envelopes = [
        {**one, "data": base64.b64encode(base64.b64decode(one["data"]) + bytes(16) + body).decode()}
        for one in prepared.body["envelopes"]
    ]
    scene.alice.post(replace(prepared, body={**prepared.body, "envelopes": envelopes}))
    with suppress(E2EEError):
        scene.bob.receive()


def as_the_message_id(scene: Scene, body: bytes) -> None:
    """A number that looks drawn at random, and is a digest."""
    prepared = scene.alice.prepare(scene.conversation, [scene.bob.person.account], Content("Hello"))
    message = str(UUID(bytes=hashlib.md5(body).digest()))  # noqa: S324 - what a leak does
    scene.wire.call("POST", f"/v1/conversations/{scene.conversation}/messages", {**prepared.body, "id": message})
    scene.bob.receive()


# What can be read on the way


def in_sni(scene: Scene, body: bytes) -> None:
    scene.raw(scene.head(), name=f"{in_one_word(body)}.{scene.host}")


def in_alpn(scene: Scene, body: bytes) -> None:
    scene.raw(scene.head(), protocols=[body.decode(), "http/1.1"])


def without_tls(scene: Scene, body: bytes) -> None:
    head = scene.head("POST /v1/report HTTP/1.1", f"Content-Length: {len(body)}")
    scene.raw(head + body, secured=False)


# What the service can do


def answering(**order: Callable[[bytes], object]) -> Do:
    def do(scene: Scene, body: bytes) -> None:
        with scene.order(**{name: value(body) for name, value in order.items()}):
            scene.ask()

    return do


def answer_header(name: str, dress: Dress) -> Do:
    return answering(headers=lambda body: [[name, dress(body).decode()]])


def answer(dress: Dress, media_type: str, status: str = "200 OK", **headers: str) -> Do:
    return answering(
        body=lambda body: base64.b64encode(dress(body)).decode(),
        headers=lambda _: [["Content-Type", media_type], *([*pair] for pair in headers.items())],
        status=lambda _: status,
    )


def in_the_event_stream(scene: Scene, body: bytes) -> None:
    with scene.order(comment=CODED["base64"](body).decode()):
        scene.tell(Content("Hello"))


# What the operator can keep


def logged(dress: Dress) -> Do:
    return lambda scene, body: scene.log(b"2026-01-01T00:00:00.000+00:00 debug content=" + dress(body))


def kept(dress: Dress) -> Do:
    """A table that no documentation tells of."""

    def do(scene: Scene, body: bytes) -> None:
        scene.write("CREATE TABLE IF NOT EXISTS analytics (event BLOB)")
        scene.write("INSERT INTO analytics VALUES (?)", values=[dress(body)])

    return do


def deleted(scene: Scene, body: bytes) -> None:
    scene.write("CREATE TABLE IF NOT EXISTS drafts (text TEXT)")
    scene.write("INSERT INTO drafts VALUES (?)", values=[body.decode()])
    scene.write("PRAGMA secure_delete = OFF", "DELETE FROM drafts")
    scene.write("PRAGMA wal_checkpoint(TRUNCATE)")


# Digests


def salted(body: bytes) -> dict[str, str | bytes]:
    salt = "9d1c07be53fa2468"
    return {"X-Salt": salt, "X-Check": hashlib.sha256(salt.encode() + body).hexdigest()}


def keyed(body: bytes) -> dict[str, str | bytes]:
    key = "b7e151628aed2a6abf715880"
    return {"X-Key-Id": key, "X-Signature": base64.b64encode(hmac.digest(key.encode(), body, "sha256")).decode()}


HEADER, LINE, HTTP_BODY, STATUS = "http.header", "http.request_line", "http.body", "http.status_line"
ROW, FILE, LOG = "database.row", "database.file", "service.log"

REQUESTS = {
    "a header of its own, as it is": header("X-Draft", bytes),
    "User-Agent, in hexadecimal": header("User-Agent", lambda body: b"lab-messenger/1 (" + CODED["hex"](body) + b")"),
    "Accept-Language, by rot13": header("Accept-Language", TEXT["rot13"]),
    "Referer, in percent": header("Referer", lambda body: b"https://example.org/?q=" + TEXT["percent"](body)),
    "Cookie, in base64 without padding": header(
        "Cookie", lambda body: b"theme=dark; s=" + CODED["base64, url-safe, unpadded"](body)
    ),
    "Cookie, in gzip in base64": header("Cookie", lambda body: b"s=" + CODED["base64"](BYTES["gzip"](body))),
    "a login by name and password": in_a_basic_login,
    "a JSON Web Token": header("X-Token", in_a_token),
    "base64 five deep": header("X-Trace", CODED["base64, five times"]),
    "base32": header("X-Trace", CODED["base32"]),
    "base58": header("X-Trace", CODED["base58"]),
    "base85": header("X-Trace", CODED["base85"]),
    "ascii85": header("X-Trace", CODED["ascii85"]),
    "hexadecimal with colons": header("X-Trace", CODED["hex, colons"]),
    "upper case": header("X-Trace", TEXT["upper case"]),
    "reversed": header("X-Trace", TEXT["reversed"]),
    "brotli in base64": header("X-Trace", lambda body: CODED["base64, url-safe"](BYTES["brotli"](body))),
    "XOR with one byte, in base64": header("X-Trace", lambda body: CODED["base64"](to.xor(0x5A)(body))),
    "SHA-256 as an idempotency key": header("Idempotency-Key", lambda body: hashlib.sha256(body).hexdigest().encode()),
    "MD5 as a request id": header("X-Request-Id", lambda body: hashlib.md5(body).hexdigest().encode()),  # noqa: S324
    "SHA-1 in base64 as an entity tag": header(
        "If-None-Match",
        lambda body: b'"' + base64.b64encode(hashlib.sha1(body).digest()) + b'"',  # noqa: S324
    ),
    "SHA-256 with the salt beside it": headers(salted),
    "HMAC with the key beside it": headers(keyed),
    "two headers of the same name": in_two_headers_of_one_name,
    "three requests, a piece in each": in_three_requests,
}
"""Read in a header of a request by the server and by nobody else."""

ADDRESSES = {
    "a query, in percent": query("draft", TEXT["percent"]),
    "a query, in base64": query("draft", CODED["base64, url-safe, unpadded"]),
    "a query, with hyphens in between": query("draft", to.chain(TEXT["separated by -"], TEXT["percent"])),
    "a path": in_a_path,
    "the method": as_the_method,
}
"""Read in the first line of a request, which the service logs."""

BODIES = {
    "a member of JSON that nobody asked for": field("preview", bytes.decode),
    "a member of JSON, escaped twice": field("preview", lambda body: TEXT["json, twice"](body).decode()),
    "an array of code points": field("preview", lambda body: [*body]),
    "an array of characters": field("preview", lambda body: [*body.decode()]),
    "two fields, a piece in each": in_two_fields,
    "two requests, half in each": in_bodies_of_two_requests,
    "chunks of five bytes": in_small_chunks,
    "a field of a form": sent(
        lambda body: b"a=1&note=" + TEXT["urlencoded"](body), "application/x-www-form-urlencoded"
    ),
    "a part of a form": in_a_part,
    "the name of a file in a form": in_a_file_name,
    "UTF-16": sent(TEXT["utf-16le"], "text/plain"),
    "quoted-printable": sent(TEXT["quoted-printable, every"], "text/plain"),
    "XML with entities": sent(
        lambda body: b"<?xml version='1.0'?><note>" + TEXT["entities, decimal"](body) + b"</note>", "application/xml"
    ),
    "uuencode": sent(CODED["uuencode"], "text/plain"),
    "CBOR": sent(lambda body: cbor2.dumps({"n": 1, "note": body}), "application/cbor"),
    "MessagePack": sent(lambda body: msgpack.packb({"n": 1, "note": body.decode()}), "application/msgpack"),
    "gzip, as declared": sent(BYTES["gzip"], "text/plain", **{"Content-Encoding": "gzip"}),
    "deflate, undeclared": sent(BYTES["raw deflate"], "application/octet-stream"),
    "zstd, undeclared": sent(BYTES["zstd"], "application/octet-stream"),
    "lz4, undeclared": sent(BYTES["lz4"], "application/octet-stream"),
    "XOR with one byte": sent(to.xor(0xA7), "application/octet-stream"),
}
"""Read in the body of a request by the server and by nobody else."""

STORED = {
    "a message that was not encrypted": unencrypted,
    "the name of an attachment": in_the_name_of_a_file,
    "the title of a conversation": as_the_title,
    "a public key": as_a_public_key,
    "padding behind the ciphertext": as_the_padding,
    "a message id that is its MD5": as_the_message_id,
    "a blob that was not encrypted": blob(bytes),
    "a blob in gzip in hexadecimal": blob(lambda body: CODED["hex"](BYTES["gzip"](body))),
}
"""Read in the body of a request by the server, and in a row of the database."""

ANSWERS = {
    "a header of the answer": (answer_header("X-Debug", TEXT["percent"]), HEADER),
    "a cookie that the service sets": (
        answer_header("Set-Cookie", lambda body: b"id=" + CODED["hex"](body) + b"; Max-Age=0"),
        HEADER,
    ),
    "an address to go to": (
        answer_header("Location", lambda body: b"/v1/find?q=" + TEXT["urlencoded"](body)),
        HEADER,
    ),
    "an entity tag that is its SHA-256": (
        answer_header("ETag", lambda body: f'"{hashlib.sha256(body).hexdigest()}"'.encode()),
        HEADER,
    ),
    "the words beside the status": (answering(status=lambda body: f"200 {body.decode()}"), STATUS),
    "a member of the answer": (
        answer(lambda body: dump({"conversations": [], "hint": body.decode()}), "application/json"),
        HTTP_BODY,
    ),
    "the text of an error": (
        answer(
            lambda body: dump({"title": "Bad Request", "detail": f"cannot parse '{body.decode()}'"}),
            "application/problem+json",
            "400 Bad Request",
        ),
        HTTP_BODY,
    ),
    "an error page with entities": (
        answer(
            lambda body: b"<html><pre>" + TEXT["entities, hex"](body) + b"</pre></html>",
            "text/html",
            "500 Internal Server Error",
        ),
        HTTP_BODY,
    ),
    "an answer in gzip": (answer(BYTES["gzip"], "application/json", **{"Content-Encoding": "gzip"}), HTTP_BODY),
    "an answer in brotli": (answer(BYTES["brotli"], "application/json", **{"Content-Encoding": "br"}), HTTP_BODY),
}
"""Read in an answer by the server and by nobody else."""

LOGGED = {
    "a line of the log": logged(bytes),
    "a line of the log, in base64": logged(CODED["base64"]),
    "a line of the log, as SHA-256": logged(lambda body: hashlib.sha256(body).hexdigest().encode()),
    "the traceback of a crash": answering(crash=lambda body: f"cannot store {body!r}"),
}

KEPT = {
    "a table of the operator's own": (kept(bytes), ROW),
    "a table of the operator's own, in zlib": (kept(zlib.compress), ROW),
    "a row that was deleted": (deleted, FILE),
}

LEAKS = (
    *(Leak(f"client: {name}", do, {SERVER: HEADER}) for name, do in REQUESTS.items()),
    Leak("client: half of the tag", header("X-Trace", lambda body: body[-15:-1]), {SERVER: HEADER}, partial=True),
    *(Leak(f"client: {name}", do, {SERVER: LINE, DATABASE: LOG}) for name, do in ADDRESSES.items()),
    Leak("client: the authority of HTTP/2", as_the_authority, {SERVER: HEADER, DATABASE: LOG}),
    Leak("client: a trailer of HTTP/2", in_a_trailer, {SERVER: "http.trailer"}),
    Leak("client: a fragment", in_a_fragment, {SERVER: LINE}),
    *(Leak(f"client: {name}", do, {SERVER: HTTP_BODY}) for name, do in BODIES.items()),
    *(Leak(f"client: {name}", do, {SERVER: HTTP_BODY, DATABASE: ROW}, stored=True) for name, do in STORED.items()),
    Leak("client: the server name in TLS", in_sni, {NETWORK: "tls.sni"}),
    Leak("client: a protocol name in TLS", in_alpn, {NETWORK: "tls.record"}),
    Leak("client: a report without TLS", without_tls, {NETWORK: HTTP_BODY, SERVER: HTTP_BODY}),
    *(Leak(f"service: {name}", do, {SERVER: place}) for name, (do, place) in ANSWERS.items()),
    Leak("service: a comment in the event stream", in_the_event_stream, {SERVER: HTTP_BODY}),
    *(Leak(f"operator: {name}", do, {DATABASE: LOG}) for name, do in LOGGED.items()),
    *(Leak(f"operator: {name}", do, {DATABASE: place}, stored=True) for name, (do, place) in KEPT.items()),
)


@pytest.fixture(scope="module")
def held(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    folder = tmp_path_factory.mktemp("leaks")
    leaky = Child("leaky service", [leaky_service.__file__], folder)
    try:
        stage.ready()
        leaky.ready()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage, "service", leaky)
            yield hold(stage, folder, LEAKS)
    finally:
        leaky.close()


@pytest.mark.parametrize("leak", LEAKS, ids=str)
def test_a_leak_turns_the_right_cell_to_exposed(held: Held, leak: Leak) -> None:
    recording = held.leaked[leak.name]
    for observer in ON_STAGE:
        if observer in leak.seen:
            cell = cells(about(recording, observer, BODY))[SecretName.BODY]
            assert cell.exposure is Exposure.EXPOSED
            found = {one.place for one in cell.evidence if (one.partial is not None) is leak.partial}
            assert leak.seen[observer] in found
            assert leak.seen[observer] in cell.reason
        else:
            assert detect.find(recording.secrets, Record(recording, observer).observations).findings == ()


def test_there_are_as_many_as_are_promised() -> None:
    assert len({leak.name for leak in LEAKS}) == len(LEAKS) >= 60


@pytest.mark.parametrize("observer", ON_STAGE)
def test_the_same_session_without_a_leak_hides_the_body(held: Held, observer: Observer) -> None:
    cell = cells(about(held.twin, observer, BODY))[SecretName.BODY]
    assert (cell.exposure, cell.evidence) == (Exposure.HIDDEN, ())
    assert "controls passed" in cell.reason


@pytest.mark.parametrize(
    ("observer", "name", "place"),
    [
        (NETWORK, "client: the server name in TLS", "tls.sni"),
        (SERVER, "client: HMAC with the key beside it", HEADER),
        (DATABASE, "client: the title of a conversation", ROW),
    ],
)
def test_a_leak_is_found_among_everything_else(held: Held, observer: Observer, name: str, place: str) -> None:
    leaked = held.leaked[name]
    others = [one for one in held.twin.observations if observer is not DATABASE]  # of storage, the last copy has all
    among = replace(leaked, observations=(*others, *leaked.observations))
    cell = cells(about(among, observer, BODY))[SecretName.BODY]
    assert (cell.exposure, [one.place for one in cell.evidence]) == (Exposure.EXPOSED, [place])
