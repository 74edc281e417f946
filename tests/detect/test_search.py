from __future__ import annotations

import base64
import gzip
import json
import ssl
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import brotli
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.detect import Alike, Detector, GaveUp, Limits, find
from lab.detect import search as searching
from lab.detect.budget import Budget
from lab.detect.decoders import DECODERS, Decode
from lab.detect.views import View, locate
from lab.model import Direction, Finding, Observation, Observer, SecretName

from .codings import (
    ENCODE,
    NEAR_MISS,
    VALUE,
    decoded,
    noise,
    observed,
    only,
    pointed_at,
    readable,
    search,
    secret,
    whole,
)
from .databases import LONG, Copies
from .test_tls import NAME, record

REQUEST = b"POST /v1/messages HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(VALUE), VALUE)
DECOYS = tuple(b'Meet "me" at 5pm, %032x' % number for number in range(8))


def test_a_secret_in_the_open_is_found_where_it_stands() -> None:
    at = REQUEST.index(VALUE)
    assert only(search(REQUEST)) == Finding(
        secret=SecretName.BODY,
        source=0,
        place="http.body",
        spans=((at, at + len(VALUE)),),
        decoders=(),
        excerpt="·Content-Length: 34····" + VALUE.decode(),
    )
    assert whole(search(REQUEST.replace(VALUE, NEAR_MISS))) == ()


def test_nothing_to_search_in_or_for() -> None:
    assert find([secret()], []).findings == ()
    assert find([], [observed(REQUEST)]).findings == ()
    assert find([secret()], [observed(b"")]).gave_up == ()


@given(st.sets(st.integers(1, len(REQUEST) - 1)))
def test_no_way_of_cutting_the_stream_hides_a_secret(cuts: set[int]) -> None:
    ends = [0, *sorted(cuts), len(REQUEST)]
    pieces = [observed(REQUEST[start:end], time=float(start)) for start, end in pairwise(ends)]
    answer = observed(b"HTTP/1.1 204 No Content\r\n\r\n", direction=Direction.TO_CLIENT)
    found = find([secret()], [pieces[0], answer, *pieces[1:]])
    assert [one.data for one in found.sources] == [REQUEST, answer.data]
    assert pointed_at(only(found), found) == VALUE


def test_a_body_that_arrives_in_pieces_is_one() -> None:
    first = observed(b'{"text":"' + VALUE[:5], "http.body", observer=Observer.SERVER, exchange=3)
    rest = replace(first, data=VALUE[5:] + b'"}')
    assert only(find([secret()], [first, rest])).place == "http.body"
    # Of two exchanges they are two bodies, in a row.
    found = find([secret()], [first, replace(rest, exchange=4)])
    assert [source.data for source in found.sources] == [first.data, rest.data]
    assert [(one.decoders, pointed_at(one, found)) for one in whole(found)] == [(("split over messages",), VALUE[:5])]


AROUND = b"Some text before it. " + VALUE + b" And some more text behind it."


@pytest.mark.parametrize("name", ENCODE)
def test_every_encoding_is_undone_and_points_back_at_what_it_was(name: str) -> None:
    around = b"\x00\x01" if name.startswith("utf") else b"<>"
    found = search(around + ENCODE[name](AROUND) + around)
    finding = only(found)
    assert finding.decoders == (name.split(",")[0].lower(),)
    assert VALUE in decoded(finding, found)
    assert whole(search(around + ENCODE[name](AROUND.replace(VALUE, NEAR_MISS)) + around)) == ()


@pytest.mark.parametrize(
    "name", ["hex", "HEX", "percent", "percent, lower", "urlencoded", "json", "utf-16le", "utf-16be"]
)
def test_where_positions_are_kept_the_span_is_the_secret_alone(name: str) -> None:
    found = search(b"\x00\x00;;" + ENCODE[name](AROUND))
    assert decoded(only(found), found) == VALUE


TEXT_ONLY = {"json", "utf-16le", "utf-16be"}
COMPRESSED = {"gzip", "deflate", "zstd"}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(ENCODE)), min_size=1, max_size=3),
    st.text("abcXYZ019 .:", max_size=12),
    st.text("abcXYZ019 .:", max_size=12),
)
def test_any_three_encodings_on_top_of_each_other_are_undone(names: list[str], before: str, after: str) -> None:
    data, near = ((f"{before}<".encode() + value + f">{after}".encode()) for value in (VALUE, NEAR_MISS))
    for name in names:
        if name in TEXT_ONLY and (not data.isascii() or b"\x00" in data):
            continue
        data, near = ENCODE[name](data), ENCODE[name](near)
    found = search(b"\x80\x81" + data + b"\x80\x81", "service.log")
    assert found.findings
    assert found.gave_up == ()
    # A compressor may have left text as it was, and then the shorter chain points at all of what was compressed.
    if COMPRESSED.isdisjoint(names):
        assert any(readable(finding.decoders, pointed_at(finding, found)) for finding in found.findings)
    assert whole(search(b"\x80\x81" + near + b"\x80\x81", "service.log")) == ()


@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["tcp.stream", "http.body", "http.header", "database.file", "database.wal"]),
)
def test_no_bytes_make_it_raise_and_none_hold_the_secret(data: bytes, place: str) -> None:
    assert find([secret(VALUE, *DECOYS)], [observed(data, place)]).findings == ()


@pytest.mark.parametrize("decoder", [one.decode for one in DECODERS], ids=lambda decode: decode.__name__)
def test_every_decoder_is_documented_and_quiet_on_nothing_and_on_noise(decoder: Decode) -> None:
    assert decoder.__doc__
    budget = Budget(Limits())
    assert list(decoder(View(b"", "tcp.stream"), budget)) == []
    for seed in range(20):
        for view in decoder(View(noise(2000, seed), "tcp.stream", codings=("gzip",)), budget):
            assert locate(view, 0, len(view.data))


STARTS = (
    b"\x16\x03\x01\x00\x05",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n",
    b"\x1f\x8b\x08",
    b"SQLite format 3\x00",
)


@settings(deadline=None)
@given(st.lists(st.sampled_from(STARTS) | st.binary(max_size=40), max_size=6).map(b"".join), st.binary(max_size=60))
def test_no_beginnings_make_it_raise(data: bytes, other: bytes) -> None:
    find([secret()], [observed(data), observed(data, "database.file"), observed(other, "database.wal")])


@pytest.mark.parametrize("seed", range(5))
def test_noise_holds_no_secret_and_is_wholly_looked_into(seed: int) -> None:
    found = find([secret(VALUE, *DECOYS)], [observed(noise(100_000, seed))])
    assert (found.findings, found.gave_up) == ((), ())


@pytest.mark.parametrize("encoding", ["raw", "base64", "hex"])
def test_a_ciphertext_does_not_hold_its_plaintext(encoding: str) -> None:
    sealed = AESGCM(noise(32)).encrypt(noise(12), VALUE * 100, None)
    data = sealed if encoding == "raw" else ENCODE[encoding](sealed)
    assert search(data).findings == ()
    assert search(data + b"\n" + VALUE).findings, "it would have been found there"


def conversation(body: bytes, directory: Path) -> tuple[bytes, bytes]:
    """What the two directions of a TLS connection carry when a client sends `body` and the server sends it back."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lab")])
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    pem = directory / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate
    )
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(pem)
    client_side = ssl.create_default_context(cadata=certificate.decode())
    to_client, from_client, to_server, from_server = (ssl.MemoryBIO() for _ in range(4))
    client = client_side.wrap_bio(to_client, from_client, server_hostname=NAME)
    server = server_side.wrap_bio(to_server, from_server, server_side=True)
    sent, received = bytearray(), bytearray()

    def carry() -> None:
        for source, target, wire in ((from_client, to_server, sent), (from_server, to_client, received)):
            data = source.read()
            wire += data
            target.write(data)

    for _ in range(3):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
            carry()
    client.write(body)
    carry()
    assert server.read() == body
    server.write(body)
    carry()
    assert client.read() == body
    return bytes(sent), bytes(received)


def test_tls_shows_the_name_of_the_service_and_nothing_of_the_body(tmp_path: Path) -> None:
    sent, received = conversation(REQUEST, tmp_path)
    record_of_tap = [observed(sent), observed(received, direction=Direction.TO_CLIENT)]
    service = replace(secret(NAME.encode()), name=SecretName.SERVICE)
    found = find([secret(VALUE, *DECOYS), service], record_of_tap)
    finding = only(found)
    assert (finding.secret, finding.place, finding.source) == (SecretName.SERVICE, "tls.sni", 0)
    assert pointed_at(finding, found) == NAME.encode()
    # The same search would have found it, in either direction, had it travelled in the open.
    for planted in record_of_tap:
        leaking = replace(planted, data=planted.data + record(REQUEST[:50]) + record(REQUEST[50:]))
        assert only(find([secret()], [leaking])).place == "tls.record"


def test_decoys_are_searched_alike_and_marked() -> None:
    data = VALUE + b" and " + base64.b64encode(DECOYS[3])
    first, second = find([secret(VALUE, *DECOYS)], [observed(data, "service.log")]).findings
    assert (first.decoy, first.decoders) == (False, ())
    assert (second.decoy, second.decoders) == (True, ("base64",))


def test_the_shortest_chain_of_decoders_is_kept() -> None:
    text = b"plain-value-3f9c1a7be2d04586"
    found = search(b"%20" + text + b"%20", value=text)
    assert only(found).decoders == ()


def test_findings_are_capped_for_each_secret_and_in_the_order_of_the_source() -> None:
    found = find([secret(VALUE, DECOYS[0])], [observed((VALUE + b" ") * 50 + DECOYS[0], "service.log")])
    assert [finding.decoy for finding in found.findings] == [False] * Limits().findings + [True]
    assert list(found.findings) == sorted(found.findings, key=lambda finding: finding.spans)


def test_the_same_search_gives_the_same_answer() -> None:
    observations = [observed(noise(3000) + ENCODE["gzip"](REQUEST) + ENCODE["base64"](REQUEST) + b" " + REQUEST)]
    assert find([secret(VALUE, *DECOYS)], observations) == find([secret(VALUE, *DECOYS)], observations)


def test_the_excerpt_shows_decoded_text_and_marks_what_cannot_be_printed() -> None:
    hidden = "Grüße\n\x00".encode() + VALUE + b"\xff" + b"tail" * 50
    finding = only(search(base64.b64encode(hidden)))
    assert finding.excerpt.startswith(f"Grüße··{VALUE.decode()}·tailtail")
    assert len(finding.excerpt.encode("latin-1")) <= 80


@pytest.mark.parametrize("depth", [1, 2])
def test_a_layer_too_many_is_reported(depth: int) -> None:
    data = VALUE
    for _ in range(depth + 1):
        data = base64.b64encode(data)
    found = find([secret()], [observed(data)], Limits(depth=depth))
    assert found.findings == ()
    assert found.gave_up == (GaveUp(0, "tcp.stream", f"more than {depth} layers of encoding"),)
    assert find([secret()], [observed(data)], Limits(depth=depth + 1)).findings


def test_a_compression_bomb_is_reported_and_not_expanded() -> None:
    bomb = gzip.compress(gzip.compress(bytes(40 * 2**20)))
    found = search(bomb + VALUE, "http.body")
    assert [finding.decoders for finding in found.findings] == [()]
    assert found.gave_up == (GaveUp(0, "http.body", f"gzip: expands to more than {16 * 2**20} bytes"),)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(steps=80), "more than 80 views and attempts"),
        (Limits(decoded=2000), "more than 2000 decoded bytes"),
    ],
)
def test_an_allowance_that_is_used_up_is_reported_for_its_source_alone(limits: Limits, why: str) -> None:
    greedy = b" ".join(gzip.compress(noise(100, seed)) for seed in range(50))
    found = find([secret()], [observed(greedy, "service.log"), observed(base64.b64encode(VALUE))], limits)
    assert found.gave_up == (GaveUp(0, "service.log", why),)
    assert [finding.source for finding in found.findings] == [1]


def body_and_headers(body: bytes, headers: bytes) -> list[Observation]:
    seen = observed(headers, "http.header", observer=Observer.SERVER, exchange=2)
    return [seen, replace(seen, place="http.body", data=body)]


def test_headers_seen_apart_say_how_their_body_is_coded() -> None:
    body, headers = brotli.compress(REQUEST), b"Content-Encoding: br\r\n"
    # Nothing is guessed at this depth: what is found without the header, too, proves nothing.
    limits = Limits(depth=0)
    found = find([secret()], body_and_headers(body, headers), limits)
    assert (only(found).decoders, only(found).place, only(found).spans) == (("br",), "http.body", ((0, len(body)),))
    assert find([secret()], body_and_headers(body, b"Content-Type: text/plain\r\n"), limits).findings == ()
    header, alone = body_and_headers(body, headers)
    assert find([secret()], [replace(header, exchange=1), alone], limits).findings == ()
    assert find([secret()], [replace(header, direction=Direction.TO_CLIENT), alone], limits).findings == ()


def at_rest(copies: Copies, *, with_log: bool = True) -> list[Observation]:
    main, wal = copies.files()
    file = observed(main, "database.file", observer=Observer.DATABASE, direction=Direction.AT_REST)
    return [file, replace(file, place="database.wal", data=wal)] if with_log else [file]


def test_a_value_in_one_piece_is_found_in_the_row_and_where_it_stands(database: Copies) -> None:
    database.put(VALUE.decode())
    found = find([secret()], at_rest(database))
    finding = only(found)
    assert (finding.place, finding.source, finding.decoders) == ("database.row", 1, ())
    assert pointed_at(finding, found) == VALUE
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    found = find([secret()], at_rest(database, with_log=False))
    assert (only(found).place, only(found).source, only(found).decoders) == ("database.row", 0, ())


def test_an_encoded_value_in_a_row_names_its_decoder(database: Copies) -> None:
    database.put("", b"\x00" + gzip.compress(VALUE))
    found = find([secret()], at_rest(database))
    assert (only(found).place, only(found).decoders) == ("database.row", ("gzip",))
    assert decoded(only(found), found) == VALUE


def test_a_value_scattered_over_pages_is_found_as_a_row(database: Copies) -> None:
    long = LONG[: 8 * 1100]  # of three pages
    database.put(long)
    (_, wal), value = database.files(), long.encode()
    assert value not in wal
    found = find([secret(value)], at_rest(database))
    assert [finding.decoders for finding in found.findings] == [("sqlite",)]
    assert len(found.findings[0].spans) > 2
    assert pointed_at(found.findings[0], found) == value
    assert whole(find([secret(value.replace(b"1099 ", b"1098 "))], at_rest(database))) == ()


def test_a_deleted_value_is_still_found_in_the_files(database: Copies) -> None:
    database.put(VALUE.decode())
    database.connection.execute("DELETE FROM message")
    found = find([secret()], at_rest(database))
    assert {finding.place for finding in found.findings} == {"database.wal"}


def test_a_database_that_cannot_be_read_is_reported(database: Copies) -> None:
    database.put(VALUE.decode())
    file, wal = at_rest(database)
    found = find([secret()], [replace(file, data=b"encrypted" * 100), wal])
    assert found.gave_up == (GaveUp(0, "database.file", "no SQLite database: the header is missing"),)
    assert {finding.place for finding in found.findings} == {"database.wal"}
    alone = find([secret()], [wal])
    assert alone.gave_up == (GaveUp(0, "database.wal", "the database file of this write-ahead log is missing"),)


def test_json_in_a_database_row_is_unescaped(database: Copies) -> None:
    database.put(json.dumps({"text": VALUE.decode()}))
    finding = only(find([secret()], at_rest(database)))
    assert (finding.place, finding.decoders) == ("database.row", ("json",))


def test_secrets_and_their_sources_are_told_apart() -> None:
    other = replace(secret(b"bob-77aa90c1e2f35b48"), name=SecretName.RECIPIENT)
    found = find([secret(), other], [observed(VALUE), observed(other.value, connection="2")])
    assert [(one.secret, one.source) for one in found.findings] == [(SecretName.BODY, 0), (SecretName.RECIPIENT, 1)]


BODIES = [
    observed(b'{"text":"%s"}' % base64.b64encode(VALUE), "http.body"),
    observed(gzip.compress(VALUE, mtime=0), "http.body", exchange=2),
    observed(gzip.compress(b"a" * 5000, mtime=0), "http.body", exchange=3),
    observed(REQUEST),
]


def test_what_two_observers_got_alike_is_found_with_both() -> None:
    alike, detector = Alike(), Detector([secret()], Limits(expanded=1000))
    headers = [observed(b"X-Id: 1\r\n", "http.header", exchange=1)]
    declared = [observed(b"Content-Encoding: gzip\r\n", "http.header", exchange=3)]
    again = [replace(one, connection="2") for one in BODIES]
    for got in (BODIES, [*headers, *BODIES], [*declared, *BODIES], BODIES[::-1], [*BODIES, *again], BODIES[2:]):
        found = detector.search(got, alike=alike)
        assert found == detector.search(got)
        holding = [one for one in got if one.data in (BODIES[0].data, BODIES[1].data, BODIES[3].data)]
        assert [found.sources[one.source].data for one in whole(found)] == [one.data for one in holding]
        assert found.gave_up


def test_what_was_got_alike_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    alike, detector = Alike(), Detector([secret()])
    got = BODIES[:2]
    first = detector.search(got, alike=alike)
    decoded_again: list[View] = []

    def never(root: View, *_: object) -> list[object]:
        if root.place:  # else it was put together, from messages of this observer alone
            decoded_again.append(root)
        return []

    monkeypatch.setattr(searching, "walk", never)
    assert detector.search(got, alike=alike) == first
    assert decoded_again == []
    # Bytes that differ are looked into, and so is whoever got only a part of them.
    for other in ([*got[:1], replace(got[1], data=got[1].data + b"!")], got[:1], BODIES[3:]):
        detector.search(other, alike=alike)
        assert len(decoded_again) == 1
        decoded_again.clear()
