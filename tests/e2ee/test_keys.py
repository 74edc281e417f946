"""Keys that look like keys and are none, secrets that everybody knows, and signatures that nobody made."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee import keys
from lab.e2ee.codec import blocks
from lab.e2ee.protocol import E2EEError

P = 2**255 - 19


@cache
def vectors(*path: str) -> Any:
    """A file of test vectors; the test is skipped if they are not on this machine."""
    if "LAB_VECTORS" not in os.environ:
        pytest.skip("LAB_VECTORS is not set to the folder of the test vectors")
    return json.loads(Path(os.environ["LAB_VECTORS"], *path).read_text())


def wycheproof(name: str) -> list[dict[str, Any]]:
    return [test for group in vectors("wycheproof", f"{name}_test.json")["testGroups"] for test in group["tests"]]


def accepts(check: Any, *arguments: bytes) -> bool:
    try:
        check(*arguments)
    except E2EEError:
        return False
    return True


# Signing keys.


def test_of_the_ed25519_edge_cases_every_small_or_non_canonical_key_is_refused_and_no_other() -> None:
    unfit = {"low_order_A", "non_canonical_A"}
    cases = {
        bytes.fromhex(test["key"]): not unfit.isdisjoint(test["flags"] or ())
        for test in vectors("cctv", "ed25519vectors.json")
    }
    assert {key: not accepts(keys.check_signing_key, key) for key in cases} == cases
    assert len({*cases.values()}) == 2


def test_a_key_of_small_order_would_have_signed_everything() -> None:
    identity, nobody = b"\x01" + bytes(31), b"\x01" + bytes(31) + bytes(32)
    # The library itself has no objection: R is the neutral element, S is zero, and so is A times anything.
    Ed25519PublicKey.from_public_bytes(identity).verify(nobody, blocks(b"label", b"whatever"))
    with pytest.raises(E2EEError, match="small order"):
        keys.verify(identity, nobody, b"label", b"whatever")


@pytest.mark.parametrize("y", [P, P + 1, P + 18, 2**255 - 1, 0, 1, P - 1])
@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_every_other_way_to_write_a_signing_key_is_refused(y: int, sign: int) -> None:
    assert not accepts(keys.check_signing_key, (y | sign).to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_keys_of_another_length_are_refused(size: int) -> None:
    assert not accepts(keys.check_signing_key, b"\x07" * size)
    assert not accepts(keys.check_agreement_key, b"\x07" * size)
    assert not accepts(keys.agree, X25519PrivateKey.generate(), b"\x07" * size)
    assert not accepts(keys.encapsulate, b"\x07" * size)


def test_a_signature_is_good_for_its_key_label_and_parts_only() -> None:
    private = keys.new_signing_key(os.urandom)
    public = private.public_key().public_bytes_raw()
    signature = keys.sign(private, b"label", b"ab", b"c")
    keys.verify(public, signature, b"label", b"ab", b"c")
    for said in (
        (b"labem", b"ab", b"c"),
        (b"label", b"a", b"bc"),
        (b"label", b"ab", b"c", b""),
        (b"labela", b"b", b"c"),
    ):
        assert not accepts(keys.verify, public, signature, *said)
    other = keys.new_signing_key(os.urandom).public_key().public_bytes_raw()
    assert not accepts(keys.verify, other, signature, b"label", b"ab", b"c")
    for cut in (0, 63):
        assert not accepts(keys.verify, public, signature[:cut], b"label", b"ab", b"c")


def test_every_flipped_byte_of_a_signature_is_noticed() -> None:
    private = keys.new_signing_key(os.urandom)
    public, signature = private.public_key().public_bytes_raw(), keys.sign(private, b"label", b"part")
    for position in range(len(signature)):
        changed = bytearray(signature)
        changed[position] ^= 1 << (position % 8)
        assert not accepts(keys.verify, public, bytes(changed), b"label", b"part")


def test_a_signature_with_s_beyond_the_group_order_is_refused() -> None:
    # S + L satisfies the same equation (RFC 8032, 5.1.7 forbids it): two signatures over the same bytes.
    private = keys.new_signing_key(os.urandom)
    signature = keys.sign(private, b"label")
    order = 2**252 + 27742317777372353535851937790883648493
    again = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not accepts(keys.verify, private.public_key().public_bytes_raw(), again, b"label")


# Agreement keys.


def test_x25519_gives_what_the_vectors_say_and_never_an_all_zero_secret() -> None:
    zero = 0
    for test in wycheproof("x25519"):
        private = X25519PrivateKey.from_private_bytes(bytes.fromhex(test["private"]))
        if "ZeroSharedSecret" in test["flags"]:
            zero += 1
            assert not accepts(keys.agree, private, bytes.fromhex(test["public"])), test["tcId"]
        else:
            assert keys.agree(private, bytes.fromhex(test["public"])).hex() == test["shared"], test["tcId"]
    assert zero == 31


def test_of_the_x25519_vectors_every_small_or_non_canonical_key_is_refused_for_keeping_and_no_other() -> None:
    for test in wycheproof("x25519"):
        unfit = {"ZeroSharedSecret", "NonCanonicalPublic"} & {*test["flags"]} or int(test["public"][-2:], 16) > 127
        assert accepts(keys.check_agreement_key, bytes.fromhex(test["public"])) == (not unfit), test["tcId"]


SMALL_ORDER_X25519 = (
    0,
    1,
    P - 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
"""The u coordinates of https://cr.yp.to/ecdh.html#validate, in decimal as they stand there."""


@pytest.mark.parametrize("u", SMALL_ORDER_X25519)
def test_an_agreement_key_of_small_order_is_refused_however_it_is_written(u: int) -> None:
    for form in {u, u + 2**255, *(x for x in (u + P, u + P + 2**255) if x % 2**255 >= P and x < 2**256)}:
        public = form.to_bytes(32, "little")
        assert not accepts(keys.check_agreement_key, public)
        assert not accepts(keys.agree, X25519PrivateKey.generate(), public)


def test_an_agreement_key_that_is_not_reduced_agrees_but_is_not_kept() -> None:
    # 2^255 + 9 and 9 are the same key to X25519: taken as an identity, one person would have two.
    private = X25519PrivateKey.generate()
    plain, twin = (9).to_bytes(32, "little"), (2**255 + 9).to_bytes(32, "little")
    assert keys.agree(private, plain) == keys.agree(private, twin)
    assert accepts(keys.check_agreement_key, plain)
    assert not accepts(keys.check_agreement_key, twin)


def test_the_agreement_of_rfc_7748_section_6_1() -> None:
    alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
    bob = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert keys.agree(X25519PrivateKey.from_private_bytes(bytes.fromhex(alice)), bytes.fromhex(bob)).hex() == shared


@settings(max_examples=100)
@given(st.binary(max_size=40))
def test_arbitrary_bytes_as_a_key_are_taken_or_refused_and_nothing_else(data: bytes) -> None:
    accepts(keys.check_agreement_key, data)
    accepts(keys.check_signing_key, data)
    accepts(keys.agree, X25519PrivateKey.from_private_bytes(b"\x01" * 32), data)
    accepts(keys.verify, data, bytes(64), b"label")


# Encapsulation.


def test_ml_kem_1024_keys_come_from_their_seeds_and_open_what_the_vectors_say() -> None:
    opened = 0
    for test in wycheproof("mlkem_1024"):
        ciphertext = bytes.fromhex(test["c"])
        if len(test["seed"]) != 2 * keys.KEM_SEED:
            assert test["result"] == "invalid", test["tcId"]
            continue
        private = MLKEM1024PrivateKey.from_seed_bytes(bytes.fromhex(test["seed"]))
        if test["result"] == "invalid":
            assert not accepts(keys.decapsulate, private, ciphertext), test["tcId"]
            continue
        opened += 1
        assert private.public_key().public_bytes_raw().hex() == test["ek"], test["tcId"]
        assert keys.decapsulate(private, ciphertext).hex() == test["K"], test["tcId"]
    assert opened == 153


def test_what_was_encapsulated_opens_with_the_key_and_with_no_other() -> None:
    private, other = MLKEM1024PrivateKey.generate(), MLKEM1024PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    assert len(public) == keys.KEM_KEY
    secret, ciphertext = keys.encapsulate(public)
    assert (len(secret), len(ciphertext)) == (keys.KEY, keys.KEM_CIPHERTEXT)
    assert keys.decapsulate(private, ciphertext) == secret
    assert keys.decapsulate(other, ciphertext) != secret
    # The library draws the randomness, and draws it anew.
    assert keys.encapsulate(public)[1] != ciphertext


def test_a_changed_encapsulation_opens_to_another_secret_and_one_of_another_length_to_none() -> None:
    private = MLKEM1024PrivateKey.generate()
    secret, ciphertext = keys.encapsulate(private.public_key().public_bytes_raw())
    for position in range(0, len(ciphertext), 97):
        changed = bytearray(ciphertext)
        changed[position] ^= 0x10
        assert keys.decapsulate(private, bytes(changed)) != secret
    for wrong in (b"", ciphertext[:-1], ciphertext + b"\x00"):
        assert not accepts(keys.decapsulate, private, wrong)


def test_a_key_whose_numbers_are_not_reduced_is_refused() -> None:
    # FIPS 203, section 7.2: 0xFFF is more than q - 1 = 3328.
    public = bytearray(MLKEM1024PrivateKey.generate().public_key().public_bytes_raw())
    public[0:2] = b"\xff\xff"
    assert not accepts(keys.encapsulate, bytes(public))


# Derivation.


@pytest.mark.parametrize(
    ("material", "salt", "info", "expected"),
    [
        # RFC 5869, A.1
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        # RFC 5869, A.3: zero salt, empty info
        (
            "0b" * 22,
            None,
            "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
    ids=["A.1", "A.3"],
)
def test_the_derivations_of_rfc_5869(material: str, salt: str | None, info: str, expected: str) -> None:
    derived = keys.derive(
        bytes.fromhex(material),
        salt=None if salt is None else bytes.fromhex(salt),
        info=bytes.fromhex(info),
        length=len(expected) // 2,
    )
    assert derived.hex() == expected


def test_the_derivations_of_wycheproof() -> None:
    for test in wycheproof("hkdf_sha256"):
        if test["result"] == "valid":
            material, salt, info = (bytes.fromhex(test[part]) for part in ("ikm", "salt", "info"))
            assert keys.derive(material, salt=salt, info=info, length=test["size"]).hex() == test["okm"], test["tcId"]


def test_new_keys_are_made_of_the_bytes_that_were_drawn_and_nothing_else() -> None:
    drawn = bytes(range(32))
    assert keys.new_agreement_key(lambda size: drawn[:size]).private_bytes_raw() == drawn
    assert keys.new_signing_key(lambda size: drawn[:size]).private_bytes_raw() == drawn
    assert isinstance(keys.new_signing_key(os.urandom), Ed25519PrivateKey)
