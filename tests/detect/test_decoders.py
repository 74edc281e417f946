from __future__ import annotations

import base64
import gzip
import json
import zlib

import brotli
import pytest
import zstandard

from lab.detect import compression
from lab.detect.budget import Budget, Limits
from lab.detect.decoders import (
    DECODERS,
    Decode,
    content_coding,
    hexadecimal,
    http_bodies,
    percent,
    recognised,
    tls_records,
    urlencoded,
    utf16,
)
from lab.detect.decoders import base64 as base64_runs
from lab.detect.decoders import json as json_escapes
from lab.detect.views import View, locate

from .codings import ENCODE, NEAR_MISS, VALUE, decoded, noise, only, pointed_at, search, whole
from .test_tls import record

LONG = b"Some text before it. " + VALUE + b" And some more text behind it."


def views(decoder: Decode, data: bytes, **more: object) -> list[View]:
    return list(decoder(View(data, "tcp.stream", **more), Budget(Limits())))  # type: ignore[arg-type]


def texts(decoder: Decode, data: bytes) -> list[bytes]:
    return [view.data for view in views(decoder, data)]


@pytest.mark.parametrize("name", ENCODE)
def test_every_encoding_is_undone_and_points_back_at_what_it_was(name: str) -> None:
    around = b"\x00\x01" if name.startswith("utf") else b"<>"
    found = search(around + ENCODE[name](LONG) + around)
    finding = only(found)
    assert finding.decoders == (name.split(",")[0].lower(),)
    assert VALUE in decoded(finding, found)
    assert whole(search(around + ENCODE[name](LONG.replace(VALUE, NEAR_MISS)) + around)) == ()


@pytest.mark.parametrize(
    "name", ["hex", "HEX", "percent", "percent, lower", "urlencoded", "json", "utf-16le", "utf-16be"]
)
def test_where_positions_are_kept_the_span_is_the_secret_alone(name: str) -> None:
    found = search(b"\x00\x00;;" + ENCODE[name](LONG))
    assert decoded(only(found), found) == VALUE


@pytest.mark.parametrize("before", range(6))
def test_base64_spans_are_whole_groups(before: int) -> None:
    found = search(base64.b64encode(b"-" * before + VALUE + b"-" * 30))
    finding = only(found)
    assert decoded(finding, found).strip(b"-") == VALUE
    assert len(decoded(finding, found)) <= len(VALUE) + 4


@pytest.mark.parametrize("glued", ["", "a", "to", "key", "path/"])
def test_base64_is_read_behind_a_word_that_is_glued_to_it(glued: str) -> None:
    found = search(f"({glued}".encode() + base64.b64encode(base64.b64encode(LONG)) + b")")
    assert only(found).decoders == ("base64", "base64")


def test_base64_in_lines_has_a_span_for_each_line() -> None:
    stream = b"data:\r\n" + base64.encodebytes(b"x" * 40 + VALUE + b"y" * 9).replace(b"\n", b"\r\n   ")
    found = search(stream)
    finding = only(found)
    assert len(finding.spans) == 2
    assert VALUE in decoded(finding, found)


def test_a_short_word_is_no_base64_or_hexadecimal() -> None:
    assert views(base64_runs, b"ten-letter, two/words") == []
    assert views(hexadecimal, b"0123456789abcde, 0123456789abcde") == []


def test_hexadecimal_is_read_from_an_odd_digit_too() -> None:
    found = search(b"a" + ENCODE["hex"](ENCODE["base64"](LONG)))
    assert only(found).decoders == ("hex", "base64")


def test_percent_leaves_plus_alone_and_urlencoded_does_not() -> None:
    assert texts(percent, b"a+b%20c\x01no escapes\x01%4g%41") == [b"a+b c\x00\x00%4gA\x00\x00"]
    assert texts(urlencoded, b"a+b%20c\x01%41") == [b"a b c\x00\x00"]
    assert views(percent, b"50% off, 100%") == []
    assert views(urlencoded, b"one+two") == []


def test_json_escapes() -> None:
    text = 'line\nquote" slash/ back\\ é \U0001f512 tab\t'
    escaped = json.dumps(text).replace("/", "\\/").encode()
    assert texts(json_escapes, escaped) == [f'"{text}"'.encode() + b"\x00\x00"]


def test_a_surrogate_alone_stays_as_it_is() -> None:
    assert texts(json_escapes, rb"\ud83d \u0041 \udd12") == [rb"\ud83d A \udd12" + b"\x00\x00"]
    assert views(json_escapes, rb"C:\users \x41 \ud83d") == []


@pytest.mark.parametrize("before", [b"", b"\x80", b"\x80\x81"])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_is_read_at_any_offset(codec: str, before: bytes) -> None:
    (view,) = views(utf16, before + "plain words".encode(codec) + b"\x90")
    assert view.data == b"plain words\x00\x00"
    assert view.decoders == (codec.replace("16-", "16"),)
    assert locate(view, 2, 3) == ((len(before) + 4, len(before) + 6),)


def test_utf16_is_read_both_ways_where_its_ends_leave_it_open() -> None:
    assert texts(utf16, b"\x00" + "plain words".encode("utf-16-le")) == [b"plain words\x00\x00", b"plain words\x00\x00"]
    assert VALUE in texts(utf16, b"x" + VALUE.decode().encode("utf-16-be"))[1]


def test_tls_records_are_joined_and_point_back_into_both() -> None:
    stream = record(b"first half, sec") + record(b"ond half")
    (view,) = views(tls_records, stream)
    assert view.data == b"first half, second half"
    assert locate(view, 12, 18) == ((17, 20), (25, 28))
    assert views(tls_records, record(b"all in one")) == []


def test_a_secret_cut_by_a_record_is_found_in_two_spans() -> None:
    found = search(record(b"to bob: " + VALUE[:9]) + record(VALUE[9:] + b"."))
    finding = only(found)
    assert (finding.decoders, finding.place, len(finding.spans)) == (("tls.records",), "tls.record", 2)
    assert pointed_at(finding, found) == VALUE


def chunked(data: bytes, size: int, headers: bytes = b"") -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + headers + b"\r\n"
        + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        + b"0\r\n\r\n"
    )  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 40])
def test_a_chunked_body_is_read_across_its_chunks(size: int) -> None:
    found = search(chunked(LONG, size) * 2)
    assert found.gave_up == ()
    assert len(found.findings) == 2
    for finding in found.findings:
        assert (finding.decoders, finding.place) == (("http.chunked",), "http.body")
        assert pointed_at(finding, found) == VALUE
    assert whole(search(chunked(LONG.replace(VALUE, NEAR_MISS), size))) == ()


def test_plain_bodies_are_no_views_of_their_own() -> None:
    assert views(http_bodies, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == []


RAW = zlib.compressobj(wbits=-15)
CODED: dict[str, bytes] = {
    "gzip": gzip.compress(LONG),
    "x-gzip": gzip.compress(LONG),
    "deflate": RAW.compress(LONG) + RAW.flush(),
    "br": brotli.compress(LONG),
    "zstd": zstandard.compress(LONG),
}


@pytest.mark.parametrize("name", CODED)
def test_a_declared_coding_is_undone(name: str) -> None:
    header = b"Content-Encoding: " + name.encode() + b"\r\n"
    for stream in (
        chunked(CODED[name], 11, header),
        b"HTTP/1.1 200 OK\r\n" + header + b"Content-Length: %d\r\n\r\n" % len(CODED[name]) + CODED[name],
    ):
        finding = only(search(stream))
        assert finding.decoders[-1] == name.removeprefix("x-")
        assert finding.place == "http.body"


def test_codings_are_undone_from_the_last_to_the_first() -> None:
    body = gzip.compress(brotli.compress(LONG))
    stream = b"HTTP/1.1 200 OK\r\nContent-Encoding: identity, br\r\nContent-Encoding: gzip\r\n\r\n" + body
    assert only(search(stream)).decoders == ("gzip", "br")


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate"])
def test_a_declared_coding_that_is_cut_off_gives_what_is_there(name: str) -> None:
    text = VALUE + b" " + noise(300_000).hex().encode()
    packed = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress, "deflate": zlib.compress}[name](
        text
    )
    (view,) = views(content_coding, packed[: len(packed) * 2 // 3], codings=(name,))
    assert view.data
    assert text.startswith(view.data)


@pytest.mark.parametrize(("name", "why"), [("gzip", "declared as gzip, but it is not"), ("lzw", "'lzw' is not known")])
def test_a_declared_coding_that_fails_is_reported(name: str, why: str) -> None:
    found = search(b"HTTP/1.1 200 OK\r\nContent-Encoding: " + name.encode() + b"\r\n\r\n" + noise(100))
    assert found.findings == ()
    assert [one.why for one in found.gave_up] == [f"content coding {why}" if "known" in why else why]


def test_an_encrypted_content_coding_is_no_failure() -> None:
    stream = b"POST / HTTP/1.1\r\nContent-Encoding: gzip, aes128gcm\r\nContent-Length: 100\r\n\r\n" + noise(100)
    assert (search(stream).findings, search(stream).gave_up) == ((), ())


def test_all_members_of_a_gzip_file_are_one_text() -> None:
    packed = gzip.compress(b"x" + VALUE[:9]) + gzip.compress(VALUE[9:] + b"y")
    assert texts(recognised, packed) == [b"x" + VALUE + b"y"]
    frames = zstandard.compress(b"x" + VALUE[:9]) + zstandard.compress(VALUE[9:] + b"y")
    assert texts(recognised, frames) == [b"x" + VALUE + b"y"]


def test_a_magic_number_in_noise_is_nothing() -> None:
    for magic in (b"\x1f\x8b\x08", b"\x78\x9c", b"\x28\xb5\x2f\xfd"):
        found = search(noise(200) + magic + noise(5000, 9))
        assert (found.findings, found.gave_up) == ((), ())


BOMB = bytes(compression.BLOCK * 100)


@pytest.mark.parametrize("name", ["gzip", "deflate", "zstd", "br"])
def test_expansion_stops_at_the_limit(name: str) -> None:
    packed = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress, "br": brotli.compress}[name](
        BOMB
    )
    expand = compression.CODINGS[name][1]
    assert expand(packed, 0, len(BOMB)).data == BOMB
    with pytest.raises(compression.TooLargeError):
        expand(packed, 0, len(BOMB) - 1)


@pytest.mark.parametrize("decoder", [one.decode for one in DECODERS], ids=lambda decode: decode.__name__)
def test_every_decoder_is_documented_and_quiet_on_nothing_and_on_noise(decoder: Decode) -> None:
    assert decoder.__doc__
    assert views(decoder, b"") == []
    budget = Budget(Limits())
    for seed in range(20):
        for view in decoder(View(noise(2000, seed), "tcp.stream", codings=("gzip",)), budget):
            assert locate(view, 0, len(view.data))


@pytest.mark.parametrize("damaged", [-1, -5, -8])
def test_text_is_read_although_the_checksum_behind_it_is_wrong(damaged: int) -> None:
    packed = bytearray(gzip.compress(b"once upon a time: " + VALUE + b", and so on"))
    packed[damaged] ^= 0xFF
    assert [one.decoders for one in search(b"\x00" * 5 + bytes(packed)).findings] == [("gzip",)]
    declared = search(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bytes(packed))
    assert [one.decoders for one in declared.findings] == [("gzip",)]
    assert declared.gave_up
