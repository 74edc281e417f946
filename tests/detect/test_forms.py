from __future__ import annotations

import json
import unicodedata
import urllib.parse
from collections.abc import Callable

import pytest

from lab.detect import find
from lab.detect.forms import forms

from .codings import VALUE, noise, observed, search, secret, whole

TEXTS = [VALUE.decode(), 'Grüße "an" alle / 5pm?', "chat.Example-3f9c1a7b.test", "\U0001f512 locked 77aa"]


def written(text: str) -> dict[str, tuple[bytes, str]]:
    """How `text` may be written → the bytes, and the decoder that leads back."""
    value = text.encode()
    return {
        "utf-16le": (text.encode("utf-16-le"), "utf-16le"),
        "utf-16be": (text.encode("utf-16-be"), "utf-16be"),
        "hex": (value.hex().encode(), "hex"),
        "HEX": (value.hex().upper().encode(), "hex"),
        "quote": (urllib.parse.quote(text, safe="").encode(), "percent"),
        "quote_plus": (urllib.parse.quote_plus(text).encode(), "urlencoded"),
        "every byte": (b"".join(b"%%%02X" % byte for byte in value), "percent"),
        "every byte, lower case": (b"".join(b"%%%02x" % byte for byte in value), "percent"),
        "json": (json.dumps(text)[1:-1].encode(), "json"),
        "lower": (text.lower().encode(), "lowercase"),
        "upper": (text.upper().encode(), "uppercase"),
    }


@pytest.mark.parametrize("text", TEXTS)
def test_a_value_has_these_forms_each_once_whatever_their_case(text: str) -> None:
    made = forms(text.encode())
    assert made[0] == (text.encode(), ())
    assert len({form.data.lower() for form in made}) == len(made)
    expected = {data.lower() for data, _ in written(text).values()}
    assert expected <= {form.data.lower() for form in made}


@pytest.mark.parametrize("name", written(TEXTS[0]))
@pytest.mark.parametrize("text", TEXTS)
def test_each_form_is_found_between_noise_and_a_near_miss_is_not(text: str, name: str) -> None:
    data, _ = written(text)[name]
    found = search(noise(300) + b"\x00" + data + b"\x00" + noise(300, 8), value=text.encode()).findings
    assert found, name
    assert all(start >= 301 and end <= 301 + len(data) + 1 for finding in found for start, end in finding.spans)
    near, _ = written(text[:-1] + chr(ord(text[-1]) ^ 1))[name]
    assert near != data or name in ("lower", "upper")
    if near.lower() != data.lower():
        assert whole(search(noise(300) + b"\x00" + near + b"\x00" + noise(300, 8), value=text.encode())) == ()


UMLAUTS = "Götz Mäßig-Übelhör"


@pytest.mark.parametrize("between", [*" -.,:;_|/*+~#\t\n", "\r\n", ", "])
def test_letters_of_several_bytes_are_found_with_something_in_between(between: str) -> None:
    ((start, end),) = whole(search(f"who: {between.join(UMLAUTS)} !".encode(), value=UMLAUTS.encode()))[0].spans
    assert (start, end) == (5, 5 + len(between.join(UMLAUTS).encode()))
    near = UMLAUTS.replace("z", "x")
    assert whole(search(f"who: {between.join(near)} !".encode(), value=UMLAUTS.encode())) == ()


@pytest.mark.parametrize("change", [str.upper, str.casefold, str.lower, str.swapcase])
def test_letters_and_their_marks_apart_are_found_in_capitals_too(change: Callable[[str], str]) -> None:
    decomposed = unicodedata.normalize("NFD", change(UMLAUTS)).encode()
    (found,) = whole(search(b"who: " + decomposed + b" !", value=UMLAUTS.encode()))
    assert found.spans == ((5, 5 + len(decomposed)),)


@pytest.mark.parametrize("written", ["Über Ägypten, Ölweg 17", "Über ägypten, ölweg 17", "ÜBER ÄGYPTEN, ÖLWEG 17"])
@pytest.mark.parametrize("value", ["über ägypten, ölweg 17", "Über Ägypten, Ölweg 17"])
def test_capitals_that_are_no_ascii_are_found_where_people_put_them(value: str, written: str) -> None:
    if written != "Über ägypten, ölweg 17" or value.islower():
        assert whole(search(f"who: {written} !".encode(), value=value.encode()))
    assert whole(search(f"who: {written.replace('17', '71')} !".encode(), value=value.encode())) == ()


def test_bytes_that_are_no_text_have_no_forms_of_text() -> None:
    chains = {form.decoders for form in forms(b"\xff\xfe\xfd " + bytes(9))}
    of_text = {name for chain in chains for name in chain} & {"utf-16le", "json", "lowercase", "nfc", "separated"}
    assert {(), ("hex",), ("percent",), ("reversed",)} < chains
    assert not of_text


@pytest.mark.parametrize(
    "written",
    [
        b"017634598127",
        b"17634598127",
        b"+49 (0)17634598127",
        b"+49017634598127",
        b"0049017634598127",
        b"tel:017634598127;",
    ],
)
def test_a_number_without_its_country_is_the_same_number(written: bytes) -> None:
    for planted in (b"+4917634598127", b"004917634598127"):
        (found,) = find([secret(planted)], [observed(b"call " + written + b", please")]).findings
        assert found.partial is None


@pytest.mark.parametrize(
    "written", [b"+5917634598127", b"0059017634598127", b"9917634598127", b"0176345981270", b"20170176345981271"]
)
def test_a_number_of_another_country_or_subscriber_is_another_number(written: bytes) -> None:
    found = find([secret(b"+4917634598127")], [observed(b"call " + written + b", please")]).findings
    assert all(one.partial is not None for one in found)
