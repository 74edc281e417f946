from __future__ import annotations

import json
import urllib.parse

import pytest

from lab.detect.forms import Needles, forms

from .codings import NEAR_MISS, VALUE, noise, search, secret

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
def test_a_value_has_these_forms_each_once(text: str) -> None:
    made = forms(text.encode())
    assert made[0] == (text.encode(), ())
    assert len({form.data for form in made}) == len(made)
    expected = {data: (decoder,) for data, decoder in written(text).values() if data != text.encode()}
    assert {form.data for form in made[1:]} == expected.keys()


@pytest.mark.parametrize("name", written(TEXTS[0]))
@pytest.mark.parametrize("text", TEXTS)
def test_each_form_is_found_between_noise_and_a_near_miss_is_not(text: str, name: str) -> None:
    data, _ = written(text)[name]
    found = search(noise(300) + b"\x00" + data + b"\x00" + noise(300, 8), value=text.encode()).findings
    assert found, name
    assert all(start >= 301 and end <= 301 + len(data) + 1 for finding in found for start, end in finding.spans)
    near, _ = written(text[:-1] + chr(ord(text[-1]) ^ 1))[name]
    assert near != data or name in ("lower", "upper")
    if near != data:
        assert search(noise(300) + b"\x00" + near + b"\x00" + noise(300, 8), value=text.encode()).findings == ()


def test_bytes_that_are_no_text_have_no_forms_of_text() -> None:
    chains = {form.decoders for form in forms(b"\xff\xfe\xfd " + bytes(9))}
    assert chains == {(), ("hex",), ("percent",), ("urlencoded",)}


@pytest.mark.parametrize("value", [b"", b"short", b"seven77"])
def test_what_would_stand_in_noise_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="at least 8"):
        search(b"", value=value)
    with pytest.raises(ValueError, match="at least 8"):
        Needles([secret(VALUE, value)])


@pytest.mark.parametrize("offset", range(8))
@pytest.mark.parametrize("size", [8, 9, 11, 32])
def test_the_quick_choice_of_needles_leaves_none_out(offset: int, size: int) -> None:
    value = VALUE[-size:]
    needles = Needles([secret(value, NEAR_MISS)])
    for tail in range(5):
        chosen = list(needles.candidates(bytes(offset) + value + bytes(tail)))
        assert value in [needle.form.data for needle in chosen if not needle.decoy]
    assert list(needles.candidates(noise(1000))) == []
