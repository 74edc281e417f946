"""However a secret leaks into a record, the verdict is `exposed`; a value that was planted nowhere never makes it so.

The leaks are made in the end-to-end encrypted recording, where body and attachment are hidden from everybody.
"""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import urllib.parse
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import brotli
import pytest
import zstandard

from lab.matrix import judge
from lab.model import (
    INFERRED_ONLY,
    Capture,
    Direction,
    Exposure,
    LeakMatrix,
    Mode,
    Observation,
    Observer,
    Secret,
    SecretName,
)
from lab.record import Record
from lab.scenario.library import shipped
from lab.scenario.vocabulary import ON_STAGE

from .recordings import HIDDEN, about, cells, planted
from .sabotage import also_got, at_rest, edited, record, tls_record

type Encode = Callable[[bytes], bytes]
type Leak = Callable[[Capture, bytes], Capture]

ENCODE: Mapping[str, Encode] = {
    "as it is": bytes,
    "base64": base64.b64encode,
    "base64, one byte further": lambda value: base64.b64encode(b"<" + value),
    "base64, two bytes further": lambda value: base64.b64encode(b"<<" + value),
    "base64, url-safe and unpadded": lambda value: base64.urlsafe_b64encode(value).rstrip(b"="),
    "base64, in lines": lambda value: base64.encodebytes(b"." * 50 + value),
    "hex": lambda value: value.hex().encode(),
    "HEX": lambda value: value.hex().upper().encode(),
    "percent": lambda value: b"".join(b"%%%02X" % byte for byte in value),
    "form": lambda value: urllib.parse.quote_plus(value).encode(),
    "JSON escapes": lambda value: b"".join(b"\\u%04x" % byte for byte in value),
    "JSON in JSON": lambda value: json.dumps(json.dumps({"é": "é" + value.decode()})).encode(),
    "UTF-16, little-endian": lambda value: value.decode().encode("utf-16-le"),
    "UTF-16, big-endian": lambda value: value.decode().encode("utf-16-be"),
    "gzip": lambda value: gzip.compress(b"." * 40 + value, mtime=0),
    "deflate": lambda value: zlib.compress(b"." * 40 + value),
    "zstd": lambda value: zstandard.compress(b"." * 40 + value),
    "gzip in base64": lambda value: base64.b64encode(gzip.compress(value, mtime=0)),
    "upper case": bytes.upper,
    "lower case": bytes.lower,
}


def _last(recording: Capture, observer: Observer, way: Direction) -> Observation:
    return [one for one in recording.observations if (one.observer, one.direction) == (observer, way)][-1]


def _with(recording: Capture, *more: Observation) -> Capture:
    return replace(recording, observations=(*recording.observations, *more))


def in_tls_record(recording: Capture, leaked: bytes) -> Capture:
    """In the clear where ciphertext belongs."""
    last = _last(recording, Observer.NETWORK, Direction.TO_SERVICE)
    return _with(recording, replace(last, data=tls_record(leaked)))


def in_two_tls_records(recording: Capture, leaked: bytes) -> Capture:
    last = _last(recording, Observer.NETWORK, Direction.TO_CLIENT)
    half = len(leaked) // 2
    return _with(recording, replace(last, data=tls_record(leaked[:half]) + tls_record(leaked[half:])))


def in_two_tcp_pieces(recording: Capture, leaked: bytes) -> Capture:
    """The other connections speak in between."""
    last = _last(recording, Observer.NETWORK, Direction.TO_CLIENT)
    data = tls_record(leaked)
    half = len(data) // 2
    other = replace(last, connection="999", data=b"something else")
    return _with(recording, replace(last, data=data[:half]), other, replace(last, data=data[half:]))


def on_a_connection_of_its_own(recording: Capture, leaked: bytes) -> Capture:
    """Plain HTTP beside all the TLS, such as a crash report or a tracker."""
    last = _last(recording, Observer.NETWORK, Direction.TO_SERVICE)
    request = b"POST /report HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(leaked), leaked)
    return _with(recording, replace(last, connection="999", data=request))


def _request(recording: Capture, line: bytes, header: bytes, *body: bytes) -> Capture:
    last = _last(recording, Observer.SERVER, Direction.TO_SERVICE)
    parts = [("http.request_line", line), ("http.header", header), *(("http.body", piece) for piece in body)]
    return _with(recording, *(replace(last, exchange=9999, place=place, data=data) for place, data in parts))


def in_a_body(recording: Capture, leaked: bytes) -> Capture:
    return _request(recording, b"POST /v1/report HTTP/1.1", b"Content-Type: text/plain\r\n", leaked)


def in_a_body_of_two_pieces(recording: Capture, leaked: bytes) -> Capture:
    half = len(leaked) // 2
    return _request(recording, b"POST /v1/report HTTP/1.1", b"", leaked[:half], leaked[half:])


def in_a_body_with_a_coding(name: str, encode: Encode) -> Leak:
    def leak(recording: Capture, leaked: bytes) -> Capture:
        return _request(recording, b"POST / HTTP/1.1", b"Content-Encoding: %s\r\n" % name.encode(), encode(leaked))

    return leak


def in_a_header(recording: Capture, leaked: bytes) -> Capture:
    return _request(recording, b"GET /v1/status HTTP/1.1", b"X-Draft: %s\r\n" % base64.b64encode(leaked))


def in_an_address(recording: Capture, leaked: bytes) -> Capture:
    return _request(recording, b"GET /v1/find?q=%s HTTP/1.1" % urllib.parse.quote(leaked).encode(), b"")


def in_an_answer(recording: Capture, leaked: bytes) -> Capture:
    last = _last(recording, Observer.SERVER, Direction.TO_CLIENT)
    return _with(recording, replace(last, exchange=9999, place="http.body", data=b'{"preview":"%s"}' % leaked))


PUT = (
    "INSERT INTO messages (id, conversation, sender, created, text) SELECT 'x', id, '', 0, ? FROM conversations LIMIT 1"
)


def in_a_row(recording: Capture, leaked: bytes) -> Capture:
    return at_rest(recording, PUT, values=[leaked])


def in_a_row_of_many_pages(recording: Capture, leaked: bytes) -> Capture:
    """Long enough that SQLite scatters it; the value is repeated often enough to be cut by a page's end."""
    return at_rest(recording, PUT, values=[(leaked + b"\n") * 200])


def in_a_log_line(recording: Capture, leaked: bytes) -> Capture:
    line = b"2026-01-01T00:00:00.000+00:00 debug content=%s\n" % leaked
    return record(lambda one: replace(one, data=one.data + line) if one.place == "service.log" else one)(
        recording, Observer.DATABASE
    )


def in_a_deleted_row(recording: Capture, leaked: bytes) -> Capture:
    """What the service deleted stands in the file until its page is used again."""
    left = at_rest(recording, "PRAGMA secure_delete = OFF", PUT, "DELETE FROM messages WHERE id = 'x'", values=[leaked])
    assert leaked in Record(left, Observer.DATABASE).image
    assert edited(Record(left, Observer.DATABASE).image) != Record(recording, Observer.DATABASE).image
    return left


def in_the_write_ahead_log(recording: Capture, leaked: bytes) -> Capture:
    """In a part of it that SQLite itself does not read any more."""
    old = bytes(24) + leaked.ljust(4096, b"\x00")
    return record(lambda one: replace(one, data=one.data + old) if one.place == "database.wal" else one)(
        recording, Observer.DATABASE
    )


PLAIN = ENCODE["as it is"]
LEAKS: list[object] = [
    *(
        pytest.param(observer, leak, encode, places, id=f"{places}, {name}")
        for observer, leak, places in (
            (Observer.NETWORK, in_tls_record, "tls.record"),
            (Observer.SERVER, in_a_body, "http.body"),
            (Observer.DATABASE, in_a_row, "database.row"),
        )
        for name, encode in ENCODE.items()
    ),
    *(
        pytest.param(observer, leak, PLAIN, place, id=leak.__name__)
        for observer, leak, place in (
            (Observer.NETWORK, in_two_tls_records, "tls.record"),
            (Observer.NETWORK, in_two_tcp_pieces, "tls.record"),
            (Observer.NETWORK, on_a_connection_of_its_own, "http.body"),
            (Observer.SERVER, in_a_body_of_two_pieces, "http.body"),
            (Observer.SERVER, in_a_header, "http.header"),
            (Observer.SERVER, in_an_address, "http.request_line"),
            (Observer.SERVER, in_an_answer, "http.body"),
            (Observer.DATABASE, in_a_row_of_many_pages, "database.row"),
            (Observer.DATABASE, in_a_log_line, "service.log"),
            (Observer.DATABASE, in_a_deleted_row, "database.file"),
            (Observer.DATABASE, in_the_write_ahead_log, "database.wal"),
        )
    ),
    *(
        pytest.param(Observer.SERVER, in_a_body_with_a_coding(name, encode), PLAIN, "http.body", id=f"coding {name}")
        for name, encode in (("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstandard.compress))
    ),
]


@pytest.mark.parametrize(("observer", "leak", "encode", "place"), LEAKS)
def test_a_leak_is_exposed_where_it_stands_and_a_decoy_is_not(
    brief: Mapping[Mode, Capture], observer: Observer, leak: Leak, encode: Encode, place: str
) -> None:
    names = HIDDEN[Mode.E2EE, observer]
    if leak in (in_a_row, in_a_row_of_many_pages):
        names = frozenset({SecretName.BODY})  # one is enough: rows are written for each of the twenty encodings
    part = about(brief[Mode.E2EE], observer, names)

    def leaking(value: Callable[[Secret], bytes]) -> Capture:
        return leak(part, encode(b"\n".join(value(secret) for secret in part.secrets)))

    for cell in cells(leaking(lambda secret: secret.value)).values():
        assert cell.exposure is Exposure.EXPOSED
        assert place in [one.place for one in cell.evidence]
        assert place in cell.reason

    matrix = judge(leaking(lambda secret: secret.decoys[0]))
    decoys = [control for control in matrix.controls if control.name == "decoys"]
    assert [control.passed for control in decoys] == [False] * len(names)
    for cell in matrix.cells:
        assert cell.exposure is Exposure.INCONCLUSIVE
        assert cell.evidence == ()


CLAIMED = sorted(
    {
        (claim.observer, claim.secret)
        for lesson in shipped()
        for scenario in lesson.scenarios
        for claim in scenario.claims
        if claim.exposure is Exposure.HIDDEN and claim.secret not in INFERRED_ONLY
    }
)
"""What some lesson says that somebody cannot read; `test_device_copy` has the same for a copied device."""


@pytest.mark.parametrize(("observer", "name"), [one for one in CLAIMED if one[0] is not Observer.DEVICE])
def test_what_a_lesson_claims_to_be_hidden_is_exposed_once_it_leaks(
    brief: Mapping[Mode, Capture], observer: Observer, name: SecretName
) -> None:
    (body,) = planted(brief[Mode.E2EE], SecretName.BODY)
    secret = replace(body, name=name)
    whole = replace(brief[Mode.E2EE], secrets=(secret,))
    if observer is Observer.INTERCEPTOR:  # who ends TLS records as the server does
        got = tuple(replace(one, observer=observer) for one in whole.observations if one.observer is Observer.SERVER)
        notes = tuple(replace(one, observer=observer) for one in whole.notes if one.observer is Observer.SERVER)
        whole = replace(whole, observations=got, notes=notes)
    part = about(whole, observer, frozenset({name}))
    assert cells(part)[name].evidence == ()
    leaked = cells(also_got(part, observer, secret.value))[name]
    assert (leaked.exposure, bool(leaked.evidence)) == (Exposure.EXPOSED, True)


@pytest.mark.parametrize("observer", ON_STAGE)
def test_a_value_that_differs_in_its_last_digit_is_no_leak(brief: Mapping[Mode, Capture], observer: Observer) -> None:
    names = HIDDEN[Mode.E2EE, observer]
    leak = {Observer.NETWORK: in_tls_record, Observer.SERVER: in_a_body, Observer.DATABASE: in_a_row}[observer]
    part = about(brief[Mode.E2EE], observer, names)
    near = b"\n".join(
        secret.value.translate(bytes.maketrans(b"0123456789abcdef", b"123456789abcdef0")) for secret in part.secrets
    )
    assert not any(cell.evidence for cell in cells(leak(part, near)).values())
    real = b"\n".join(secret.value for secret in part.secrets)
    assert all(cell.evidence for cell in cells(leak(part, real)).values())


def test_a_leak_to_one_observer_is_none_to_the_others(
    captures: Mapping[Mode, Capture], matrices: Mapping[Mode, LeakMatrix]
) -> None:
    whole, before = captures[Mode.E2EE], matrices[Mode.E2EE]
    after = judge(in_a_log_line(whole, b"\n".join(secret.value for secret in whole.secrets)))
    for cell, untouched in zip(after.cells, before.cells, strict=True):
        if cell.observer is not Observer.DATABASE:
            assert cell == untouched
        elif cell.secret not in INFERRED_ONLY:
            assert cell.exposure is Exposure.EXPOSED


def test_a_connection_to_sqlite_sees_the_deleted_row_no_more(brief: Mapping[Mode, Capture]) -> None:
    left = in_a_deleted_row(brief[Mode.E2EE], b"a row that nobody sees any more")
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(Record(left, Observer.DATABASE).image)
        assert database.execute("SELECT count(*) FROM messages WHERE id = 'x'").fetchone() == (0,)
    finally:
        database.close()
