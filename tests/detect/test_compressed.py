from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import zipfile
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

import brotli
import cramjam
import lz4.block
import lz4.frame
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lab.detect import compression, find, lz77
from lab.detect.budget import Budget, Limits
from lab.detect.decoders import compressed
from lab.detect.decoders.compressed import content_coding, lz_string, recognised, undeclared
from lab.detect.views import GAP, Builder, View, locate

from .codings import NEAR_MISS, VALUE, noise, observed, only, search, secret, whole
from .test_framing import chunked

LONG = b"once upon a time: " + VALUE + b", and so on, and so on, and so on; once upon a time"


def raw(data: bytes, window: int = 15, *, flush: int = zlib.Z_FINISH) -> bytes:
    packer = zlib.compressobj(wbits=-window)
    return packer.compress(data) + packer.flush(flush)


def small_window(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=9)
    return packer.compress(data) + packer.flush()


def archive(data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as members:
        members.writestr("a.txt", data)
    return file.getvalue()


def lz4_legacy(data: bytes) -> bytes:
    block = lz4.block.compress(data, store_size=False)
    return b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block


def snappy_java(data: bytes) -> bytes:
    block = bytes(cramjam.snappy.compress_raw(data))
    return b"\x82SNAPPY\x00" + bytes(7) + b"\x01" + len(block).to_bytes(4, "big") + block


Pack = Callable[[bytes], bytes]
Decode = Callable[[View, Budget], Iterator[View]]

ANYWHERE: Mapping[str, tuple[str, Pack]] = {
    "gzip": ("gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "zlib, fast": ("deflate", lambda data: zlib.compress(data, 1)),
    "zstd": ("zstd", zstandard.compress),
    "bzip2": ("bzip2", bz2.compress),
    "xz": ("xz", lzma.compress),
    "lzma": ("xz", lambda data: lzma.compress(data, lzma.FORMAT_ALONE)),
    "lz4": ("lz4", lz4.frame.compress),
    "lz4, sums": ("lz4", lambda data: lz4.frame.compress(data, block_checksum=True, content_checksum=True)),
    "lz4, no size": ("lz4", lambda data: lz4.frame.compress(data, store_size=False, block_linked=False)),
    "lz4, legacy": ("lz4", lz4_legacy),
    "mozLz4": ("lz4", lambda data: b"mozLz40\0" + lz4.block.compress(data)),
    "snappy": ("snappy", lambda data: bytes(cramjam.snappy.compress(data))),
    "snappy, java": ("snappy", snappy_java),
    "zip": ("zip", archive),
    "zip, stored": ("zip", lambda data: archive(data, zipfile.ZIP_STORED)),
}

AT_STARTS: Mapping[str, tuple[str, Pack]] = {
    "deflate": ("deflate", raw),
    "deflate, flushed": ("deflate", lambda data: raw(data, flush=zlib.Z_SYNC_FLUSH)[:-4]),
    "zlib, small window": ("deflate", small_window),
    "br": ("br", brotli.compress),
    "br, fast": ("br", lambda data: brotli.compress(data, quality=1, lgwin=18)),
    "lz4": ("lz4", lz4.block.compress),
    "lz4, bare": ("lz4", lambda data: lz4.block.compress(data, store_size=False)),
    "snappy": ("snappy", lambda data: bytes(cramjam.snappy.compress_raw(data))),
}

EVERY = [
    *((name, *packed, recognised) for name, packed in ANYWHERE.items()),
    *((name, *packed, undeclared) for name, packed in AT_STARTS.items()),
]


def views(decoder: Decode, data: bytes, **limits: int) -> list[View]:
    return list(decoder(View(data, "tcp.stream"), Budget(Limits(**limits))))


def named(decoder: Decode, name: str, data: bytes) -> list[View]:
    return [view for view in views(decoder, data) if view.decoders == (name,)]


@pytest.mark.parametrize(("name", "pack"), ANYWHERE.values(), ids=ANYWHERE)
def test_magic_numbers_are_found_anywhere_and_several_times(name: str, pack: Pack) -> None:
    first, last = pack(LONG), pack(LONG.replace(VALUE, NEAR_MISS))
    # What has no end of its own takes the rest.
    tails = [b""] if b"mozLz4" in first or first.startswith(b"\x02\x21") else [b"", b"after"]
    for tail in tails:
        data = b"before" + first + tail
        (view,) = views(recognised, data)
        assert (view.decoders, view.data) == ((name,), LONG)
        ((start, end),) = locate(view, 20, 25)
        assert start == 6
        assert [again.data for again in views(recognised, data[start:end])] == [LONG]
    (near,) = views(recognised, last)
    assert VALUE not in near.data
    (both,) = views(recognised, first + b" and " + last)
    assert both.data.startswith(LONG)
    assert locate(both, 0, 1)[0][0] == 0


@pytest.mark.parametrize(("name", "pack"), AT_STARTS.values(), ids=AT_STARTS)
def test_what_has_no_magic_number_is_found_where_values_start(name: str, pack: Pack) -> None:
    builder = Builder()
    for at, text in ((100, LONG), (1000, LONG.replace(VALUE, NEAR_MISS)), (2000, LONG + b"!")):
        packed = pack(text)
        builder.add(b"key", at - 3)
        builder.mark()
        builder.add(packed, at)
        builder.gap()
    view = builder.view(View(b"", "tcp.stream"), "fields")
    (found,) = [one for one in undeclared(view, Budget(Limits())) if one.decoders[-1] == name]
    texts = found.data.split(GAP)
    assert texts == [LONG, LONG.replace(VALUE, NEAR_MISS), LONG + b"!"]
    assert locate(found, 0, 1) == ((100, 100 + len(pack(LONG))),)
    assert named(undeclared, name, b"glued" + pack(LONG)) == []


@pytest.mark.parametrize("name", ["deflate", "br"])
@pytest.mark.parametrize("write", [quote, quote_plus])
def test_a_field_of_a_form_is_where_a_value_starts(name: str, write: Callable[..., str]) -> None:
    pack = next(pack for known, pack in AT_STARTS.values() if known == name)
    data = f"key=11&who={write(pack(LONG), safe='')}&z=22".encode()
    (found, *_) = whole(search(data))
    assert found.decoders[-1] == name
    ((start, end),) = found.spans
    assert (start, end) == (11, len(data) - 5)
    assert whole(search(data.replace(b"who=", b"who="[::-1]))) == ()


@pytest.mark.parametrize(("pack", "decoder"), [(one[2], one[3]) for one in EVERY], ids=[one[0] for one in EVERY])
def test_a_short_value_is_found_too(pack: Pack, decoder: Decode) -> None:
    for value in (VALUE + VALUE[:8], b"12345678" * 2):
        packed = pack(value)
        # LZ4 and Snappy leave alone what is too short for them.
        assert value in packed or any(value in view.data for view in views(decoder, packed))


# zstd and bzip2 put out whole blocks.
STREAMS = [one for one in EVERY if one[1] not in ("zstd", "bzip2")]


@pytest.mark.parametrize(("_", "name", "pack", "decoder"), STREAMS, ids=[one[0] for one in STREAMS])
def test_what_is_cut_off_gives_what_is_there(_: str, name: str, pack: Pack, decoder: Decode) -> None:
    text = LONG + noise(3000).hex().encode()
    packed = pack(text)
    (view,) = named(decoder, name, packed[: len(packed) * 2 // 3])
    assert text.startswith(view.data)
    assert VALUE in view.data


def test_streams_of_several_blocks_are_read_as_far_as_the_blocks_are_whole() -> None:
    text = noise(1_000_000).hex().encode()
    for pack in (zstandard.compress, bz2.compress):
        (view,) = views(recognised, pack(text)[:-1000])
        assert text.startswith(view.data)
        assert len(view.data) > 500_000


DAMAGED = [one for one in EVERY if one[0] in {"gzip", "zlib", "bzip2", "xz", "lz4, sums", "snappy"}]


@pytest.mark.parametrize(("name", "pack", "decoder"), [one[1:] for one in DAMAGED], ids=[one[0] for one in DAMAGED])
def test_a_wrong_sum_at_the_end_hides_nothing(name: str, pack: Pack, decoder: Decode) -> None:
    packed = bytearray(pack(LONG))
    # In an xz file the sum of the block stands before the index.
    packed[-44 if name == "xz" else -2] ^= 0xFF
    assert [view.data[:60] for view in named(decoder, name, bytes(packed))] == [LONG[:60]]


def test_members_that_follow_each_other_are_one_text() -> None:
    for pack in (gzip.compress, zstandard.compress, bz2.compress, lzma.compress, lz4.frame.compress):
        assert [view.data for view in views(recognised, pack(LONG[:30]) + pack(LONG[30:]))] == [LONG]


def test_archives_of_several_files() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as members:
        for number, method in enumerate((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2)):
            members.writestr(f"{number}.txt", LONG, method)
    found = {view.decoders: view.data for view in views(recognised, file.getvalue())}
    assert found == {("zip",): LONG + GAP + LONG, ("bzip2",): LONG}


def test_a_file_in_an_archive_that_cannot_be_read_is_reported() -> None:
    budget = Budget(Limits())
    assert list(recognised(View(archive(LONG, zipfile.ZIP_LZMA), "x"), budget)) == []
    assert budget.reasons == ("zip: a file is compressed by LZMA, which is not read here",)
    encrypted = bytearray(archive(LONG))
    encrypted[6] |= 1
    assert views(recognised, bytes(encrypted)) == []


CODED: dict[str, bytes] = {
    "gzip": gzip.compress(LONG),
    "x-gzip": gzip.compress(LONG),
    "deflate": raw(LONG),
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
    (view,) = content_coding(View(packed[: len(packed) * 2 // 3], "http.body", codings=(name,)), Budget(Limits()))
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
    assert [view.data for view in views(recognised, packed)] == [b"x" + VALUE + b"y"]
    frames = zstandard.compress(b"x" + VALUE[:9]) + zstandard.compress(VALUE[9:] + b"y")
    assert [view.data for view in views(recognised, frames)] == [b"x" + VALUE + b"y"]


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


def pack(name: str, data: bytes) -> bytes:
    packers = {"gzip": gzip.compress, "br": brotli.compress, "bzip2": bz2.compress, "xz": lzma.compress}
    return packers[name](data)


@pytest.mark.parametrize("damaged", [-1, -5, -8])
def test_text_is_read_although_the_checksum_behind_it_is_wrong(damaged: int) -> None:
    packed = bytearray(gzip.compress(b"once upon a time: " + VALUE + b", and so on"))
    packed[damaged] ^= 0xFF
    assert [one.decoders for one in search(b"\x00" * 5 + bytes(packed)).findings] == [("gzip",)]
    declared = search(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bytes(packed))
    assert [one.decoders for one in declared.findings] == [("gzip",)]
    assert declared.gave_up


FEEDS: Mapping[str, Callable[[], Callable[[bytes], bytes]]] = {
    "gzip": lambda: zlib.decompressobj(31).decompress,
    "br": lambda: brotli.Decompressor().process,
    "bzip2": lambda: bz2.BZ2Decompressor().decompress,
    "xz": lambda: lzma.LZMADecompressor().decompress,
}
"""What takes a stream byte by byte, and puts out what it has understood so far."""


@pytest.mark.parametrize("name", FEEDS)
@settings(max_examples=10)
@given(share=st.floats(0, 1), change=st.integers(1, 255), size=st.sampled_from([300, 40_000]))
@example(share=0.5, change=0x55, size=40_000)
def test_of_a_damaged_stream_all_is_read_that_comes_before_the_damage(
    name: str, share: float, change: int, size: int
) -> None:
    text = noise(size, 1).hex().encode()
    packed = bytearray(pack(name, text))
    packed[int(share * (len(packed) - 1))] ^= change
    feed, expected = FEEDS[name](), b""
    with suppress(zlib.error, brotli.error, OSError, EOFError, lzma.LZMAError):
        for byte in packed:
            expected += feed(bytes([byte]))
    try:
        read = compression.CODINGS[name][1](bytes(packed), 0, 2**20).data
    except compression.CorruptError as error:
        # Of the damaged byte itself a little more may have come out.
        read = error.partial[: len(expected)]
    assert read == expected


@pytest.mark.parametrize("name", ["dcb", "dcz"])
def test_codings_with_a_dictionary_are_reported(name: str) -> None:
    budget = Budget(Limits())
    assert list(content_coding(View(b"x" * 50, "http.body", codings=(name,)), budget)) == []
    (reason,) = budget.reasons
    assert reason == f"content coding {name!r} cannot be undone without the dictionary of an earlier response"


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("snappy", cramjam.snappy.compress_raw),
        ("snappy", cramjam.snappy.compress),
        ("lz4", lz4.frame.compress),
        ("bzip2", bz2.compress),
        ("xz", lzma.compress),
    ],
)
def test_codings_in_private_use_are_undone(name: str, pack: Callable[[bytes], bytes]) -> None:
    for text in (LONG, VALUE):
        packed = bytes(pack(text))
        (view,) = content_coding(View(packed, "http.body", codings=(name,)), Budget(Limits()))
        assert (view.data, view.decoders, view.depth) == (text, (name,), 0)


def test_noise_is_refused() -> None:
    budget = Budget(Limits())
    numbers = [found.magic for found in compressed._FORMATS]
    for seed in range(30):
        data = b"".join(bytes(4) + number + noise(200, seed) for number in numbers)
        for decoder in (recognised, undeclared, lz_string):
            found = sum(len(view.data) for view in decoder(View(data, "x"), budget))
            assert found < len(data)
    assert budget.reasons == ()
    starts = Builder()
    for seed in range(1000):
        starts.add(noise(100, seed), 0)
        starts.gap()
    assert sum(len(one.data) for one in undeclared(starts.view(View(b"", "x"), "x"), budget)) < 20_000
    assert budget.reasons == ()


def test_a_length_in_front_of_noise_is_no_lzma_file() -> None:
    """Keys and digests stand behind their length, 32: a byte 0x5d in front of that makes a header of lzma of it."""
    for before, seed in ((b"", 1), (noise(40), 2)):
        budget = Budget(Limits())
        data = before + b"\x5d" + (32).to_bytes(4, "big") + noise(8, seed) + b"\0" + noise(100, seed)
        assert not any(view.data for view in recognised(View(data, "x"), budget))
        assert budget.reasons == ()
        window = b"\x5d" + (1 << 29).to_bytes(4, "little")
        for size in (b"\xff" * 8, (1000).to_bytes(8, "little")):
            budget = Budget(Limits())
            list(recognised(View(before + window + size + b"\0" + noise(100, seed), "x"), budget))
            assert "expands to more than" in budget.reasons[0]


# A Brotli stream (RFC 7932, 9.2): a window of 64 KiB, then 60,000 bytes that are not compressed.
COPIES_WHAT_FOLLOWS = (59_999 << 4 | 1 << 20).to_bytes(3, "little")


def test_a_value_that_happens_to_begin_like_compressed_data_is_not_read_on_into_the_next_one() -> None:
    token, held = COPIES_WHAT_FOLLOWS + noise(29), b"some words before it: " + VALUE + b"." * 2000
    assert VALUE in brotli.Decompressor().process(token + GAP + held), "it would be read"
    login = b'{"token":"%s","name":"observer-0123456789abcdef"}'
    for one, other in (
        (token, held),
        (urlsafe_b64encode(token), urlsafe_b64encode(held)),
        (login % urlsafe_b64encode(token), b'{"data":"%s"}' % urlsafe_b64encode(held)),
    ):
        sources = [observed(one, "http.body", connection="1"), observed(other, "http.body", connection="2")]
        assert {finding.source for finding in find([secret()], sources).findings} == {1}


def test_text_is_not_tried() -> None:
    for text in (b"the quick brown fox jumps over the lazy dog " * 50, b'{"a": 1}' * 100):
        for decoder in (recognised, undeclared):
            assert views(decoder, text) == []


@pytest.mark.parametrize("different", [True, False])
def test_too_many_values_are_reported_unless_they_are_the_same(different: bool) -> None:
    builder = Builder()
    for number in range(compressed._MAX_STARTS + 1):
        builder.add(b"\xff" * 10 + (number if different else 0).to_bytes(2), 0)
        builder.gap()
    budget = Budget(Limits())
    assert list(undeclared(builder.view(View(b"", "x"), "x"), budget)) == []
    assert budget.reasons == ("more than 10000 values that may be compressed without saying so",) * different


def test_what_was_found_before_the_budget_ended_is_kept() -> None:
    data = gzip.compress(LONG) + b"x" + gzip.compress(LONG)
    found = recognised(View(data, "x"), Budget(Limits(steps=1)))
    assert next(found).data == LONG
    with pytest.raises(Exception, match="more than 1 views"):
        next(found)


def test_magic_numbers_across_the_borders_of_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    for scanned in (1, 3, 7, 100):
        monkeypatch.setattr(compressed, "_SCANNED", scanned)
        assert [view.data for view in views(recognised, b"abc" + gzip.compress(LONG))] == [LONG]


@given(
    st.sampled_from(EVERY),
    st.integers(0, 150),
    st.integers(0, 255),
    st.binary(max_size=40),
)
def test_nothing_makes_it_raise(kind: tuple[str, str, Pack, Decode], at: int, byte: int, tail: bytes) -> None:
    packed = bytearray(kind[2](LONG))
    packed[at % len(packed)] = byte
    for data in (bytes(packed) + tail, bytes(packed[: at % len(packed)]) + tail, tail):
        for decoder in (kind[3], recognised, undeclared):
            for view in decoder(View(data, "x"), Budget(Limits())):
                assert locate(view, 0, len(view.data))


@given(st.binary(max_size=2000), st.integers(1, 50))
def test_blocks_are_read_as_other_implementations_write_them(data: bytes, times: int) -> None:
    text = data * times + bytes(100)
    assert lz77.lz4_frames(lz4.frame.compress(text), 0, len(text)).data == text
    assert lz77.lz4_block(lz4.block.compress(text), 0, len(text)).data == text
    assert lz77.snappy(bytes(cramjam.snappy.compress(text)), 0, len(text)).data == text
    assert lz77.snappy(bytes(cramjam.snappy.compress_raw(text)), 0, len(text)).data == text
    for expand, packed in (
        (lz77.lz4_frames, lz4.frame.compress(text)),
        (lz77.snappy, bytes(cramjam.snappy.compress_raw(text))),
    ):
        with pytest.raises(compression.TooLargeError):
            expand(packed, 0, len(text) - 1)


def deflated(messages: list[bytes], *, takeover: bool = True) -> list[bytes]:
    packer = zlib.compressobj(wbits=-15)
    payloads = []
    for message in messages:
        payloads.append((packer.compress(message) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4])
        if not takeover:
            packer = zlib.compressobj(wbits=-15)
    return payloads


MESSAGES = [b"to bob: " + VALUE, b"", b"again " + VALUE, LONG, noise(500)]


@pytest.mark.parametrize("takeover", [True, False])
def test_messages_that_share_a_window_are_read(takeover: bool) -> None:
    assert compression.inflate_messages(deflated(MESSAGES, takeover=takeover), 10_000) == MESSAGES


def test_messages_after_a_damaged_or_final_one_are_read() -> None:
    payloads = deflated(MESSAGES)
    assert VALUE not in payloads[2]
    damaged = [payloads[0], b"\xff\xff\xff", *payloads[2:]]
    assert compression.inflate_messages(damaged, 10_000) == [MESSAGES[0], b"", *MESSAGES[2:]]
    # RFC 7692, 7.2.3.4: a message may end with a final block.
    assert compression.inflate_messages([raw(LONG), *deflated([LONG])], 10_000) == [LONG, LONG]
    cut = compression.inflate_messages([payloads[0][:20]], 10_000)
    assert cut[0].startswith(MESSAGES[0][:12])


def test_messages_are_limited_together() -> None:
    size = sum(map(len, MESSAGES))
    assert compression.inflate_messages(deflated(MESSAGES), size) == MESSAGES
    with pytest.raises(compression.TooLargeError):
        compression.inflate_messages(deflated(MESSAGES), size - 1)


BOMB_CODE = """
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus
from lab.detect import compression, find, lz77

def most():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

expand = eval(sys.argv[1])
data = Path(sys.argv[2]).read_bytes()
before = most()
try:
    expand(data, 0, 8 * 2**20)
except compression.TooLargeError:
    print(most() - before)
"""

# MiB for a limit of 8. Some decoders keep a window of their own beside what came out.
BOMBS: Mapping[str, tuple[Pack, int]] = {
    "compression.gunzip": (gzip.compress, 10),
    "compression.unbrotli": (lambda data: brotli.compress(data, quality=5), 16),
    "compression.unzstd": (zstandard.compress, 20),
    "compression.unbzip2": (bz2.compress, 12),
    "compression.unxz": (lzma.compress, 18),
    "lz77.lz4_frames": (lz4.frame.compress, 10),
    "lz77.lz4_block": (lz4.block.compress, 10),
    "lz77.snappy": (lambda data: bytes(cramjam.snappy.compress_raw(data)), 10),
    "lz77.snappy_frames": (lambda data: bytes(cramjam.snappy.compress(data)), 10),
}


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in the units of Linux")
@pytest.mark.parametrize(("expand", "pack", "most"), [(name, *bomb) for name, bomb in BOMBS.items()], ids=BOMBS)
def test_a_bomb_takes_no_more_room_than_the_limit(expand: str, pack: Pack, most: int, tmp_path: Path) -> None:
    file = tmp_path / "bomb"
    file.write_bytes(pack(bytes(24 * 2**20)))
    run = subprocess.run([sys.executable, "-c", BOMB_CODE, expand, file], capture_output=True, text=True, check=True)
    assert int(run.stdout) <= most * 1024
