"""What a value must have of its own: to be searched for at all, and for a piece of it to count."""

from __future__ import annotations

import pytest

from lab.detect.ordinary import MIN_BITS, PIECE_BITS, bits, refusal


@pytest.mark.parametrize(
    "value",
    [
        b"alice@example.com",
        b"+49 151 12345678",
        b"0049-30-1234567",
        b"Meet me at 5pm, 3f9c1a7be2d04586",
        "Jürgen Straßenbäcker".encode(),
        bytes(range(200, 216, 2)),
        b"DE89370400440532013000",
    ],
)
def test_what_belongs_to_one_person_can_be_searched_for(value: bytes) -> None:
    assert refusal(value) == ""


@pytest.mark.parametrize("value", [b"", b"short", b"seven77"])
def test_a_short_value_is_refused_because_noise_holds_it(value: bytes) -> None:
    assert refusal(value) == f"a value of {len(value)} bytes would stand in noise by chance; take at least 8"


@pytest.mark.parametrize(
    "value", [b"password", b"12345678", b"hello world", b"aaaaaaaaaaaaaaaa", b"HELLO WORLD", bytes(64), b"abcdefghij"]
)
def test_an_ordinary_value_is_refused_because_others_write_it(value: bytes) -> None:
    assert "too ordinary" in refusal(value)


def test_words_hosts_and_dialling_codes_count_little() -> None:
    def of(value: str) -> float:
        return sum(bits(value.encode()))

    assert of("k7f3x9q2") > MIN_BITS > of("password")
    assert of("k7f3x9q2@example.com") - of("k7f3x9q2") <= 1
    assert of("https://example.com/k7f3x9q2") < of("k7f3x9q2") + 2
    assert of("+4930946187205") == pytest.approx(of("30946187205"), abs=3.3)
    assert of("9999999999") < of("9375026418") / 4


def test_what_a_value_has_in_common_with_those_drawn_like_it_is_no_surprise() -> None:
    value, decoy = b"Meet me at 5pm, 3f9c1a7b!", b"Meet me at 5pm, 77e0d2c4!"
    own = bits(value, [decoy])
    assert sum(own[:16]) == own[-1] == 0
    assert all(own[16:24])


def test_every_byte_has_its_share_also_in_letters_of_several_bytes() -> None:
    value = "Grüße €7 𝄞".encode()
    assert len(bits(value)) == len(value)
    assert sum(bits(value)) < PIECE_BITS
