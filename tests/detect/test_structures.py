from __future__ import annotations

import io
import json
import struct
import urllib.parse
import zlib
from collections.abc import Callable
from typing import Any

import cbor2
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.detect.budget import Budget, Limits
from lab.detect.decoders import structures
from lab.detect.views import GAP, Builder, View, locate

from .codings import NEAR_MISS, VALUE, noise

LONG = b"to bob: " + VALUE + b", and more"
TOKEN = "3f9c1a7be2d04586"
Decode = Callable[[View, Budget], Any]
TEXT = VALUE.decode()


def views(decoder: Decode, data: bytes, *starts: int) -> list[View]:
    return list(decoder(View(data, "http.body", starts=starts or (0,)), Budget(Limits())))


def texts(decoder: Decode, data: bytes, *starts: int) -> list[bytes]:
    return [view.data for view in views(decoder, data, *starts)]


def pointed_at(view: View, value: bytes, data: bytes) -> bytes:
    at = view.data.index(value)
    return b"".join(data[start:end] for start, end in locate(view, at, at + len(value)))


SPLIT = {
    "json": json.dumps({"a": "Meet ", "b": {"n": 12, "c": ["you", " at 5pm", None]}, "d": ", " + TOKEN}).encode(),
    "json, indented": json.dumps({"a": "Meet you at 5pm, ", "b": [True, {"c": TOKEN}]}, indent=4).encode(),
    "json, strings": json.dumps(list(f"Meet you at 5pm, {TOKEN}")).encode(),
    "json, nested lists": json.dumps([[["Meet you"], [[" at 5pm, "]]], TOKEN]).encode(),
    "json, lines": b'{"a":"Meet you at 5pm"}\n{"a":", 3f9c1a7b"}\r\n{"a":"e2d04586"}\n',
    "json, cut off": b'{"a":"Meet you at 5pm, ","b":["3f9c1a7be2d04586',
}


@pytest.mark.parametrize("around", [(b"", b""), (b"data: ", b"\r\n\r\n"), (b"var x = [1,2]; x = ", b"; f(x, 'y')")])
@pytest.mark.parametrize("kind", SPLIT)
def test_what_is_split_over_the_values_of_json_is_joined(kind: str, around: tuple[bytes, bytes]) -> None:
    if around[1] and kind.endswith("cut off"):
        around = (around[0], b"")
    whole = b"Meet you at 5pm, " + TOKEN.encode()
    data = SPLIT[kind].join(around)
    (view,) = views(structures.fields, data)
    assert whole in view.data
    assert (view.decoders, view.depth) == (("fields",), 1)
    assert pointed_at(view, whole, data) == whole
    assert whole not in texts(structures.fields, data.replace(b"d", b"e"))[0]


def test_each_value_is_a_start_and_escapes_are_left_alone() -> None:
    (view,) = views(structures.fields, rb'{"a": "x\"y\u00e9z", "b\\": "\\", "c": "", "d": "plain"}')
    assert view.data == rb"x\"y\u00e9z" + rb"\\" + b"plain" + GAP
    assert view.starts == (0, 11, 13)


def test_texts_are_kept_apart() -> None:
    first, second = b'{"a":"Meet","b":"you today"}', b'["at five", "or at six"]'
    (view,) = views(structures.fields, first + b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + second)
    assert view.data == b"Meetyou today" + GAP + b"at fiveor at six" + GAP
    assert view.starts == (0, 4, 15, 22)


@pytest.mark.parametrize("separator", ["&", "&amp;", "; ", ";"])
def test_pairs_of_forms_queries_and_cookies(separator: str) -> None:
    pairs = {"a": "Meet+you+", "user[b]": "at%205pm", "c.d-e": "", "f_": TOKEN + "=="}
    joined = f"Meet+you+at%205pm{TOKEN}==".encode()
    data = separator.join(f"{name}={value}" for name, value in pairs.items()).encode()
    for before, after in (
        (b"", b""),
        (b"GET /search?", b" HTTP/1.1\r\n"),
        (b'<a href="/x?', b'">'),
        (b"Cookie: ", b"\r\n"),
    ):
        whole = before + data + after
        (view,) = views(structures.fields, whole)
        assert view.data == joined + GAP
        assert pointed_at(view, joined, whole) == joined


def test_a_form_as_a_browser_sends_it() -> None:
    data = urllib.parse.urlencode({"first": TEXT[:9], "second": TEXT[9:20], "third": TEXT[20:]}).encode()
    (view,) = views(structures.fields, data)
    assert urllib.parse.unquote_to_bytes(view.data.replace(b"+", b" ")).startswith(VALUE)


def test_values_of_header_fields() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Part-1: Meet you \r\nX-Part-2:  at 5pm\r\nAccept: */*\r\n\r\nbody"
    (view,) = views(structures.fields, head)
    assert view.data == b"aMeet you at 5pm*/*" + GAP
    lines = b":path: /a\r\nx-one: half of it\r\nx-two: and the rest\r\n"
    assert texts(structures.fields, lines) == [b"/ahalf of itand the rest" + GAP]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Some words; others = none & so on: [1] {2}.",
        b'{"only": "a single value of some length"}',
        b'{"a": "x", "b": "y"}',
        b"a=1&b=2",
        b"name=value of one",
        b"Subject: one line\r\n\r\nText: another\r\n\r\n",
        b'"quoted", "words", "without brackets"',
        b"[[[[[[[[[[",
        b'["unfinished',
        noise(5000),
    ],
)
def test_prose_has_no_fields(data: bytes) -> None:
    assert views(structures.fields, data) == []


def test_the_fields_of_fields_are_not_looked_for_again() -> None:
    (view,) = views(structures.fields, SPLIT["json"])
    assert list(structures.fields(view, Budget(Limits()))) == []


def wrapped(number: int, value: bytes) -> bytes:
    """A length-delimited field of Protocol Buffers."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def protobuf(first: bytes, second: bytes) -> bytes:
    """Numbers of all kinds, a string, and another one three messages deep."""
    inner = wrapped(1, wrapped(15, b"\x08\x01" + wrapped(2, second)))
    numbers = b"\x08\x96\x01" + b"\x11" + struct.pack("<d", 1.5) + b"\x1d" + struct.pack("<f", 2.5)
    return numbers + wrapped(4, first) + wrapped(5, inner) + varint(2000 << 3) + varint(2**40)


def nested(first: bytes, second: bytes) -> dict[str, Any]:
    numbers = {"id": 2**40, "f": 1.5, "none": None, "yes": True, "n": -7}
    return {**numbers, "first": first, "list": [1, 300, 70_000, {"second": second}]}


ENCODE: dict[str, tuple[Decode, Callable[[bytes, bytes], bytes]]] = {
    "cbor": (structures.cbor, lambda first, second: cbor2.dumps(nested(first, second))),
    "cbor, text": (
        structures.cbor,
        lambda first, second: cbor2.dumps(nested(first, second)).replace(b"\x49", b"\x69", 1),
    ),
    "cbor, tagged": (structures.cbor, lambda first, second: cbor2.dumps(cbor2.CBORTag(55799, nested(first, second)))),
    "cbor, no lengths": (
        structures.cbor,
        lambda first, second: b"\x9f\xbf\x61a" + cbor2.dumps(first) + b"\xff\x80" + cbor2.dumps(second) + b"\xff",
    ),
    "msgpack": (structures.msgpack, lambda first, second: msgpack.packb(nested(first, second))),
    "msgpack, old": (
        structures.msgpack,
        lambda first, second: msgpack.packb(nested(first, second), use_bin_type=False),
    ),
    "msgpack, many": (structures.msgpack, lambda first, second: msgpack.packb([first, *range(20), second])),
    "msgpack, extension": (
        structures.msgpack,
        lambda first, second: msgpack.packb([first, msgpack.ExtType(5, second)]),
    ),
    "protobuf": (structures.protobuf, protobuf),
}


@pytest.mark.parametrize("behind", [b"", bytes(2), bytes(9)])
@pytest.mark.parametrize("kind", ENCODE)
def test_strings_of_binary_structures_are_found_alone_and_joined(kind: str, behind: bytes) -> None:
    decoder, encode = ENCODE[kind]
    data = encode(VALUE[:9], VALUE[9:]) + behind
    apart, joined = views(decoder, data)
    assert apart.decoders == joined.decoders == (kind.split(",")[0],)
    assert apart.depth == 1
    assert GAP + VALUE[9:] + GAP in apart.data
    assert apart.data.index(VALUE[9:]) in apart.starts
    assert VALUE in joined.data
    assert pointed_at(joined, VALUE, data) == VALUE
    assert all(VALUE not in text for text in texts(decoder, encode(NEAR_MISS[:9], NEAR_MISS[9:])))
    assert b"first" not in joined.data


@pytest.mark.parametrize("size", [0, 1, 30, 300, 70_000])
@pytest.mark.parametrize("kind", ENCODE)
def test_lengths_of_all_sizes(kind: str, size: int) -> None:
    decoder, encode = ENCODE[kind]
    packed = zlib.compress(noise(size))
    (apart, *_) = views(decoder, encode(b"x" * 9, packed))
    assert packed in apart.data
    assert apart.data.index(packed) in apart.starts


@pytest.mark.parametrize("kind", ENCODE)
def test_what_is_cut_off_is_read_if_it_has_texts(kind: str) -> None:
    decoder, encode = ENCODE[kind]
    data = encode(b"some text", LONG)
    cut = data[: data.index(VALUE) + len(VALUE)]
    assert any(VALUE in text for text in texts(decoder, cut))


@pytest.mark.parametrize("kind", ["cbor", "msgpack", "protobuf"])
def test_structures_stand_where_values_start(kind: str) -> None:
    decoder, encode = ENCODE[kind]
    data = encode(b"some text", LONG)
    before = b"POST / HTTP/1.1\r\n\r\n"
    assert VALUE in texts(decoder, before + data, 0, len(before))[0]
    assert views(decoder, before + data) == []
    builder = Builder()
    for at in range(3):
        builder.add(data, at * len(data))
        builder.gap()
    apart, joined = decoder(builder.view(View(data * 3, "x"), "base64"), Budget(Limits()))
    assert apart.data.count(VALUE) == joined.data.count(VALUE) == 3


@pytest.mark.parametrize("kind", ENCODE)
def test_what_holds_no_text_is_read_up_to_the_gap_behind_it(kind: str) -> None:
    decoder, encode = ENCODE[kind]
    # Nothing but the end that is where it should be tells these from noise.
    data, string = encode(b"\x01" * 9, noise(20)), noise(20)
    builder = Builder()
    for at in range(3):
        builder.add(data, at * len(data))
        builder.gap()
    apart, _ = decoder(builder.view(View(data * 3, "x"), "base64"), Budget(Limits()))
    assert apart.data.count(string) == 3


def test_a_string_in_chunks_is_put_together() -> None:
    data = b"\xa1\x61k\x5f" + b"".join(cbor2.dumps(VALUE[at : at + 7]) for at in range(0, len(VALUE), 7)) + b"\xff"
    assert cbor2.loads(data) == {"k": VALUE}
    (apart,) = views(structures.cbor, data)
    assert apart.data == b"k" + GAP + VALUE + GAP
    assert pointed_at(apart, VALUE, data) == VALUE


def test_sequences_are_read_to_their_end() -> None:
    first, second = {"a": "Meet you at 5pm, "}, {"b": TOKEN}
    whole = b"Meet you at 5pm, " + TOKEN.encode()
    assert whole in texts(structures.cbor, cbor2.dumps(first) + cbor2.dumps(second))[1]
    stream = io.BytesIO()
    for item in (first, second):
        stream.write(msgpack.packb(item))
    assert whole in texts(structures.msgpack, stream.getvalue())[1]


@pytest.mark.parametrize("decoder", [structures.cbor, structures.msgpack, structures.protobuf])
def test_text_noise_and_wrong_lengths_are_no_structure(decoder: Decode) -> None:
    texts = [
        b"",
        b"Meet you at 5pm\r\n" * 20,
        b"\n\nMeet you at 5pm\n" * 20,
        SPLIT["json"],
        b"Meet you at 5pm\x00\x00" * 20,
        (b"Meet you at 5pm" + GAP) * 20,
        b"b " + b"x" * 32 + GAP,
        "Meet you at 5pm".encode("utf-16-le"),
        b"\xe2\x82\xac 5.00, please",
        b"\xff" * 99,
    ]
    for data in texts:
        assert views(decoder, data) == []
    for seed in range(200):
        assert views(decoder, noise(2000, seed)) == []
    assert views(decoder, b"\x9f" * 5000 + b"\x0a" * 5000) == []


ATOMS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
STRUCTURES = st.recursive(
    ATOMS | st.text(max_size=50) | st.binary(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(STRUCTURES)
@pytest.mark.parametrize(("decoder", "dumps"), [(structures.cbor, cbor2.dumps), (structures.msgpack, msgpack.packb)])
def test_all_strings_of_any_structure_are_found(decoder: Decode, dumps: Callable[[Any], bytes], value: object) -> None:
    data = dumps([value, VALUE])
    found = views(decoder, data)
    assert VALUE in found[0].data
    at = 0
    for string in _strings(value):
        assert (at := found[0].data.index(string, at)) >= 0


def _strings(value: object) -> list[bytes]:
    match value:
        case str():
            return [value.encode()]
        case bytes():
            return [value]
        case list():
            return [string for item in value for string in _strings(item)]
        case dict():
            return [string for pair in value.items() for item in pair for string in _strings(item)]
    return []


TEXT_SCRAPS = [*SPLIT.values(), b'"', b'{"', b"[", b"=", b"a=b&", b"; c=d", b"x: y\r\n", b"\\"]
SCRAPS = st.sampled_from([*TEXT_SCRAPS, b"\x9f", b"\x5f\x41", b"\xdf\xff", b"\x0a\x05"])


@given(st.lists(SCRAPS | st.binary(max_size=20), max_size=12).map(b"".join))
@pytest.mark.parametrize("decoder", [structures.fields, structures.cbor, structures.msgpack, structures.protobuf])
def test_nothing_makes_it_raise(decoder: Decode, data: bytes) -> None:
    for view in views(decoder, data, *range(0, max(1, len(data)), 7)):
        for start, end in locate(view, 0, len(view.data)):
            assert 0 <= start <= end <= len(data)
