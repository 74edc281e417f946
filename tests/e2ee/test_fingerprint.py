"""Alice and Bob compare their safety numbers. Equal: nobody stands between them. Whoever does makes them differ."""

from __future__ import annotations

import hashlib
import json
import os
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.fingerprint import Party, groups, matches, qr_payload, safety_number
from lab.e2ee.protocol import E2EEError


def account_key(seed: int) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key().public_bytes_raw()


ALICE = Party.of_account("alice", account_key(1))
BOB = Party.of_account("bob", account_key(2))
MALLORY_AS_BOB = Party.of_account("bob", account_key(3))
"""What a service says that puts its own key in the place of Bob's."""

ALICES_CODE = qr_payload(ALICE, BOB)
BOBS_CODE = qr_payload(BOB, ALICE)


def half_by_hand(account: str, key: bytes) -> bytes:
    """As described in public, with the key's first byte; all 64 bytes of it."""
    name = account.encode("utf-8")
    hashed = hashlib.sha512(b"\0\0" + key + name + key).digest()
    for _ in range(5199):
        hashed = hashlib.sha512(hashed + key).digest()
    return hashed


def digits_by_hand(half: bytes) -> str:
    numbers = [int(half[start : start + 5].hex(), 16) for start in (0, 5, 10, 15, 20, 25)]
    return "".join(str(number)[-5:].rjust(5, "0") for number in numbers)


def refused(own: bytes, scanned: bytes) -> bool:
    """True if there is no match: a plain no, or the one error that there is."""
    try:
        return not matches(own, scanned)
    except E2EEError:
        return True


class TestComparing:
    def test_both_read_the_same_sixty_digits(self) -> None:
        number = safety_number(ALICE, BOB)
        assert number == safety_number(BOB, ALICE)
        assert len(number) == 60
        assert number.isdecimal()
        assert number.isascii()

    def test_the_number_is_read_in_twelve_groups_of_five(self) -> None:
        number = safety_number(ALICE, BOB)
        assert [len(group) for group in groups(number)] == [5] * 12
        assert "".join(groups(number)) == number

    def test_both_codes_match_each_other(self) -> None:
        assert matches(ALICES_CODE, BOBS_CODE)
        assert matches(BOBS_CODE, ALICES_CODE)

    def test_the_own_code_scanned_from_a_mirror_is_no_match(self) -> None:
        assert not matches(ALICES_CODE, ALICES_CODE)

    def test_number_and_code_are_what_their_description_says(self) -> None:
        name = "Zoë 🙂"
        halves = half_by_hand(name, b"\xed" + account_key(4)), half_by_hand("bob", b"\xed" + account_key(2))
        zoe = Party.of_account(name, account_key(4))
        first, second = (digits_by_hand(half) for half in halves)
        assert safety_number(zoe, BOB) == min(first + second, second + first)
        assert qr_payload(zoe, BOB).hex() == f"080212220a20{halves[0][:32].hex()}1a220a20{halves[1][:32].hex()}"


class TestSomebodyBetween:
    def test_another_key_in_the_place_of_bobs_changes_number_and_code(self) -> None:
        assert safety_number(ALICE, MALLORY_AS_BOB) != safety_number(ALICE, BOB)
        assert not matches(qr_payload(ALICE, MALLORY_AS_BOB), BOBS_CODE)
        assert not matches(BOBS_CODE, qr_payload(ALICE, MALLORY_AS_BOB))

    def test_a_service_that_replaces_both_keys_is_noticed_by_both(self) -> None:
        alice_sees = qr_payload(ALICE, MALLORY_AS_BOB)
        bob_sees = qr_payload(BOB, Party.of_account("alice", account_key(3)))
        assert not matches(alice_sees, bob_sees)
        assert not matches(bob_sees, alice_sees)

    def test_one_renamed_account_changes_number_and_code(self) -> None:
        renamed = Party.of_account("bob2", account_key(2))
        assert safety_number(ALICE, renamed) != safety_number(ALICE, BOB)
        assert not matches(qr_payload(ALICE, renamed), BOBS_CODE)

    def test_names_that_look_alike_are_different_names(self) -> None:
        composed, decomposed = (Party.of_account(name, account_key(2)) for name in ("Zo\u00eb", "Zoe\u0308"))
        assert safety_number(ALICE, composed) != safety_number(ALICE, decomposed)

    def test_names_swapped_between_the_keys_change_number_and_code(self) -> None:
        swapped = Party.of_account("bob", account_key(1)), Party.of_account("alice", account_key(2))
        assert safety_number(*swapped) != safety_number(ALICE, BOB)
        assert not matches(qr_payload(*swapped), BOBS_CODE)

    @pytest.mark.parametrize("bit", [0, 1, 7, 100, 254, 255])
    def test_a_key_that_differs_in_one_bit_changes_the_number(self, bit: int) -> None:
        changed = bytearray(BOB.key)
        changed[1 + bit // 8] ^= 1 << bit % 8
        assert safety_number(ALICE, Party("bob", bytes(changed))) != safety_number(ALICE, BOB)

    def test_the_same_bytes_as_a_key_of_another_kind_give_another_number(self) -> None:
        as_signal = Party("bob", b"\x05" + account_key(2))
        assert safety_number(ALICE, as_signal) != safety_number(ALICE, BOB)

    def test_each_half_belongs_to_one_side_whoever_the_other_one_is(self) -> None:
        def halves(one: Party, other: Party) -> set[str]:
            number = safety_number(one, other)
            return {number[:30], number[30:]}

        carol = Party.of_account("carol", account_key(5))
        (alices,) = halves(ALICE, BOB) & halves(ALICE, carol)
        (bobs,) = halves(ALICE, BOB) & halves(BOB, carol)
        assert halves(ALICE, BOB) == {alices, bobs}
        assert halves(ALICE, MALLORY_AS_BOB) - {alices}
        assert qr_payload(ALICE, carol)[:38] == ALICES_CODE[:38]
        assert qr_payload(ALICE, carol)[42:] != ALICES_CODE[42:]

    def test_a_code_with_one_right_half_is_no_match(self) -> None:
        assert not matches(ALICES_CODE, BOBS_CODE[:42] + bytes(32))
        assert not matches(ALICES_CODE, BOBS_CODE[:6] + bytes(32) + BOBS_CODE[38:])


class TestCodesFromOutside:
    @pytest.mark.parametrize("version", [0, 1, 3, 127, 128, 255])
    def test_a_code_of_another_version_is_refused_as_such(self, version: int) -> None:
        other = BOBS_CODE[:1] + bytes([version]) + BOBS_CODE[2:]
        with pytest.raises(E2EEError, match="another version"):
            matches(ALICES_CODE, other)
        with pytest.raises(E2EEError, match="another version"):
            matches(other, ALICES_CODE)

    def test_any_bit_flipped_in_the_scanned_code_is_no_match_in_a_half_and_no_code_elsewhere(self) -> None:
        # Two things to say to people: "somebody may stand between you", or "this is not such a code".
        halves = {*range(6, 38), *range(42, 74)}
        for position, bit in product(range(len(BOBS_CODE)), range(8)):
            changed = bytearray(BOBS_CODE)
            changed[position] ^= 1 << bit
            if position in halves:
                assert not matches(ALICES_CODE, bytes(changed)), (position, bit)
            else:
                with pytest.raises(E2EEError):
                    matches(ALICES_CODE, bytes(changed))
        assert matches(ALICES_CODE, BOBS_CODE)

    def test_a_code_cut_short_or_with_something_behind_it_is_no_code(self) -> None:
        for length in range(len(BOBS_CODE)):
            with pytest.raises(E2EEError):
                matches(ALICES_CODE, BOBS_CODE[:length])
        for more in (b"\0", b"\x20\x00", BOBS_CODE):
            with pytest.raises(E2EEError):
                matches(ALICES_CODE, BOBS_CODE + more)

    def test_the_two_halves_in_the_other_order_are_no_code(self) -> None:
        with pytest.raises(E2EEError):
            matches(ALICES_CODE, BOBS_CODE[:2] + BOBS_CODE[38:] + BOBS_CODE[2:38])

    @settings(max_examples=200)
    @given(garbage=st.binary(max_size=200))
    def test_garbage_is_no_code_and_nothing_worse(self, garbage: bytes) -> None:
        with pytest.raises(E2EEError):
            matches(ALICES_CODE, garbage)
        with pytest.raises(E2EEError):
            matches(garbage, ALICES_CODE)

    @settings(max_examples=200)
    @given(start=st.integers(0, 74), end=st.integers(0, 74), put=st.binary(max_size=80))
    def test_a_code_with_garbage_in_it_never_matches_by_accident(self, start: int, end: int, put: bytes) -> None:
        changed = BOBS_CODE[:start] + put + BOBS_CODE[end:]
        assert changed == BOBS_CODE or refused(ALICES_CODE, changed)


class TestParties:
    @pytest.mark.parametrize("name", ["", "a" * 65, "ä" * 33, "\ud800"])
    def test_a_name_that_is_none_is_refused(self, name: str) -> None:
        with pytest.raises(E2EEError):
            Party.of_account(name, account_key(1))

    def test_a_name_may_have_sixty_four_bytes(self) -> None:
        assert len(safety_number(Party.of_account("ä" * 32, account_key(1)), BOB)) == 60

    @pytest.mark.parametrize("key", [b"", b"\x05", bytes(32), b"\x05" + bytes(31), b"\x05" + bytes(33), bytes(33)])
    def test_a_key_of_another_length_or_kind_is_refused(self, key: bytes) -> None:
        with pytest.raises(E2EEError):
            Party("alice", key)

    def test_an_account_key_under_which_anybody_can_sign_is_refused(self) -> None:
        with pytest.raises(E2EEError):
            Party.of_account("alice", b"\x01" + bytes(31))


class TestSignalsOwnNumbers:
    """The constants in the tests of libsignal: the same parties give the same digits and codes, byte for byte."""

    @pytest.fixture
    def vector(self) -> dict[str, Any]:
        folder = os.environ.get("LAB_VECTORS")
        if not folder:
            pytest.skip("LAB_VECTORS does not name the folder with libsignal/fingerprint.json")
        found: dict[str, Any] = json.loads((Path(folder) / "libsignal" / "fingerprint.json").read_text("utf-8"))
        return found

    @pytest.fixture
    def alice(self, vector: dict[str, Any]) -> Party:
        return Party(vector["alice_stable_id"], bytes.fromhex(vector["alice_identity"]))

    @pytest.fixture
    def bob(self, vector: dict[str, Any]) -> Party:
        return Party(vector["bob_stable_id"], bytes.fromhex(vector["bob_identity"]))

    def test_the_digits(self, vector: dict[str, Any], alice: Party, bob: Party) -> None:
        assert safety_number(alice, bob) == safety_number(bob, alice) == vector["displayable"]

    def test_the_codes_of_version_2(self, vector: dict[str, Any], alice: Party, bob: Party) -> None:
        assert qr_payload(alice, bob).hex() == vector["alice_scannable_v2"]
        assert qr_payload(bob, alice).hex() == vector["bob_scannable_v2"]
        assert matches(qr_payload(alice, bob), bytes.fromhex(vector["bob_scannable_v2"]))

    def test_the_codes_of_version_1_differ_in_the_version_only_and_are_refused(
        self, vector: dict[str, Any], alice: Party, bob: Party
    ) -> None:
        own = qr_payload(alice, bob)
        for scanned, same in (("bob_scannable_v1", qr_payload(bob, alice)), ("alice_scannable_v1", own)):
            code = bytes.fromhex(vector[scanned])
            assert code == same[:1] + b"\x01" + same[2:]
            with pytest.raises(E2EEError, match="another version"):
                matches(own, code)
