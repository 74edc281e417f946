"""Bob leaves keys at the service. What the service hands out is his or it is refused, and every key is used once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee import keys
from lab.e2ee.agreement import FirstHeader
from lab.e2ee.codec import blocks, number
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.prekeys import NO_KEY, Handed, OneTimeKeys, PreKeys, read_bundle
from lab.e2ee.protocol import (
    MAX_KEPT_KEYS,
    MAX_REMEMBERED,
    ONE_TIME_KEM_LABEL,
    SIGNED_PRE_KEY_LABEL,
    E2EEError,
    Suite,
)

ALICE, BOB, MALLORY = (DeviceKeys.new(name, 1, os.urandom) for name in ("alice", "bob", "mallory"))
FRESH = PreKeys.new(BOB, os.urandom)
PREKEYS, UPLOADED = FRESH.replenish(BOB, 3, os.urandom)
HANDED = Handed(PREKEYS.signed_part(BOB), UPLOADED.one_time[0][1], UPLOADED.one_time_kem[0][1])

SIGNED, ONE_TIME, ONE_TIME_KEM = 1 + 4 + 32 + 1568 + 64, 4 + 32, 4 + 1568 + 64
"""Lengths of the three parts, from their description."""

BAD_AGREEMENT_KEYS = {
    "order 4": (1).to_bytes(32, "little"),
    "order 2": bytes(32),
    "order 8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    "not canonical": (2**255 + 9).to_bytes(32, "little"),
}


def first(
    prekeys: PreKeys = PREKEYS,
    one_time: int = NO_KEY,
    kem: int = NO_KEY,
    signed: int = 1,
    ephemeral: bytes | None = None,
) -> FirstHeader:
    """A header as somebody would send it who used these keys; `kem` without an id is X3DH."""
    suite = Suite.PQXDH if kem else Suite.X3DH
    ephemeral = ephemeral or keys.new_agreement_key(os.urandom).public_key().public_bytes_raw()
    return FirstHeader(suite, ephemeral, signed, one_time, kem, bytes(1568) if kem else b"")


def refuses(device: PublicDevice, handed: Handed) -> str:
    with pytest.raises(E2EEError) as refused:
        read_bundle(device, handed)
    return str(refused.value)


def lacks(prekeys: PreKeys, header: FirstHeader, peer: DeviceKeys = ALICE) -> str:
    """Neither are there keys for this header, nor can it be marked as used. The reason."""
    with pytest.raises(E2EEError) as refused:
        prekeys.private_keys(BOB, peer.public, header)
    with pytest.raises(E2EEError, match=str(refused.value)):
        prekeys.used(peer.public, header)
    return str(refused.value)


def ids(keys: tuple[tuple[int, bytes], ...]) -> list[int]:
    return [id_ for id_, _ in keys]


def flipped(data: bytes) -> Iterator[bytes]:
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << (position % 8)
        yield bytes(changed)


def made_up(label: bytes, id_: int, public: bytes, by: DeviceKeys = BOB, of: PublicDevice | None = None) -> bytes:
    """A key, signed as described: whoever holds the signing key can write this down for any key, id and label."""
    statement = ((of or by.public).to_bytes(), number(id_), public)
    return number(id_) + public + by.signing.sign(blocks(label, *statement))


# What is handed out.


def test_a_bundle_holds_the_keys_that_were_uploaded() -> None:
    bundle = read_bundle(BOB.public, HANDED)
    assert (bundle.device, bundle.signed_id) == (BOB.public, 1)
    assert (bundle.signed, bundle.kem) == (HANDED.signed[5:37], UPLOADED.one_time_kem[0][1][4:-64])
    assert (bundle.one_time_id, bundle.one_time) == (ids(UPLOADED.one_time)[0], UPLOADED.one_time[0][1][4:])
    assert bundle.kem_id == ids(UPLOADED.one_time_kem)[0]


def test_without_one_time_keys_the_last_resort_key_goes_by_the_id_of_the_signed_pre_key() -> None:
    bundle = read_bundle(BOB.public, Handed(HANDED.signed, None, None))
    assert (bundle.kem_id, bundle.kem) == (bundle.signed_id, HANDED.signed[37:-64])
    assert (bundle.one_time_id, bundle.one_time) == (NO_KEY, None)


def test_the_public_keys_belong_to_the_private_ones_that_the_device_keeps() -> None:
    bundle = read_bundle(BOB.public, HANDED)
    private = PREKEYS.private_keys(BOB, ALICE.public, first(one_time=bundle.one_time_id, kem=bundle.kem_id))
    assert private.one_time is not None
    assert private.kem is not None
    assert private.signed.public_key().public_bytes_raw() == bundle.signed
    assert private.one_time.public_key().public_bytes_raw() == bundle.one_time
    assert private.kem.public_key().public_bytes_raw() == bundle.kem
    last_resort = PREKEYS.private_keys(BOB, ALICE.public, first(kem=1))
    assert last_resort.kem is not None
    assert last_resort.one_time is None
    assert last_resort.kem.public_key().public_bytes_raw() == HANDED.signed[37:-64]
    assert PREKEYS.private_keys(BOB, ALICE.public, first()).kem is None


def test_the_uploaded_bytes_are_as_described_and_hold_nothing_private() -> None:
    assert len(HANDED.signed) == SIGNED
    assert {len(key) for _, key in UPLOADED.one_time} == {ONE_TIME}
    assert {len(key) for _, key in UPLOADED.one_time_kem} == {ONE_TIME_KEM}
    assert all(key[:4] == number(id_) for id_, key in UPLOADED.one_time + UPLOADED.one_time_kem)
    assert HANDED.signed == b"\x01" + made_up(
        b"mitm-lab/1 signed pre-key and last-resort KEM pre-key", 1, HANDED.signed[5:-64]
    )
    assert HANDED.one_time_kem == made_up(b"mitm-lab/1 one-time KEM pre-key", 5, UPLOADED.one_time_kem[0][1][4:-64])


def test_every_flipped_byte_of_a_signed_part_is_noticed() -> None:
    assert HANDED.one_time_kem is not None
    for changed in flipped(HANDED.signed):
        refuses(BOB.public, replace(HANDED, signed=changed, one_time_kem=None))
    for changed in flipped(HANDED.one_time_kem):
        refuses(BOB.public, replace(HANDED, one_time_kem=changed))


def test_parts_cut_short_or_made_longer_are_refused() -> None:
    for part in ("signed", "one_time", "one_time_kem"):
        data = getattr(HANDED, part)
        for wrong in (*(data[:cut] for cut in range(0, len(data), 7)), data[:-1], data + b"\x00"):
            refuses(BOB.public, replace(HANDED, **{part: wrong}))


def test_a_one_time_key_is_not_signed_and_a_made_up_one_is_found_out_by_its_owner_only() -> None:
    # X3DH and PQXDH leave it so. Nothing is lost but the message: the other agreements do not know this key.
    made = keys.new_agreement_key(os.urandom).public_key().public_bytes_raw()
    bundle = read_bundle(BOB.public, replace(HANDED, one_time=number(99) + made))
    assert bundle.one_time == made
    assert "unknown" in lacks(PREKEYS, first(one_time=bundle.one_time_id))


@pytest.mark.parametrize(
    "other",
    [
        replace(BOB.public, device=2),
        replace(BOB.public, account="mallory"),
        replace(BOB.public, identity=MALLORY.public.identity),
        replace(BOB.public, signing=MALLORY.public.signing),
        MALLORY.public,
    ],
    ids=["another number", "another account", "another identity key", "another signing key", "somebody else"],
)
def test_the_keys_of_one_device_are_not_taken_for_those_of_another(other: PublicDevice) -> None:
    assert "signature" in refuses(other, HANDED)
    assert "signature" in refuses(other, Handed(HANDED.signed, None, None))
    # Each part for itself: the right device's signed part does not make up for a foreign one-time key.
    mine = made_up(SIGNED_PRE_KEY_LABEL, 1, HANDED.signed[5:-64], MALLORY)
    assert "signature" in refuses(MALLORY.public, Handed(b"\x01" + mine, None, HANDED.one_time_kem))


def test_a_key_under_another_id_is_refused() -> None:
    assert HANDED.one_time_kem is not None
    assert "signature" in refuses(BOB.public, replace(HANDED, signed=b"\x01" + number(2) + HANDED.signed[5:]))
    assert "signature" in refuses(BOB.public, replace(HANDED, one_time_kem=number(6) + HANDED.one_time_kem[4:]))


def test_one_time_kem_keys_with_swapped_signatures_are_refused() -> None:
    one, other = (key for _, key in UPLOADED.one_time_kem[:2])
    assert "signature" in refuses(BOB.public, replace(HANDED, one_time_kem=one[:-64] + other[-64:]))


def test_a_key_that_was_signed_for_another_purpose_is_refused() -> None:
    public = HANDED.signed[5:-64]
    for label in (ONE_TIME_KEM_LABEL, b"mitm-lab/1 device list", b""):
        assert "signature" in refuses(BOB.public, Handed(b"\x01" + made_up(label, 1, public), None, None))
    kem = made_up(SIGNED_PRE_KEY_LABEL, 7, public[32:])
    assert "signature" in refuses(BOB.public, replace(HANDED, one_time_kem=kem))


def test_keys_of_two_generations_cannot_be_mixed() -> None:
    old, new = HANDED.signed, PREKEYS.rotate(os.urandom).signed_part(BOB)
    assert read_bundle(BOB.public, Handed(new, None, None)).signed_id == 8
    for mixed in (old[:37] + new[37:], new[:37] + old[37:], old[:-64] + new[-64:], new[:5] + old[5:]):
        assert "signature" in refuses(BOB.public, Handed(mixed, None, None))


@pytest.mark.parametrize("wrong", BAD_AGREEMENT_KEYS.values(), ids=BAD_AGREEMENT_KEYS)
def test_an_agreement_key_of_small_order_or_other_form_is_refused_though_it_is_signed(wrong: bytes) -> None:
    part = b"\x01" + made_up(SIGNED_PRE_KEY_LABEL, 1, wrong + HANDED.signed[37:-64])
    assert "small order" in refuses(BOB.public, Handed(part, None, None))
    assert "small order" in refuses(BOB.public, replace(HANDED, one_time=number(2) + wrong))


def test_a_key_without_an_id_is_refused_though_it_is_signed() -> None:
    assert HANDED.one_time is not None
    assert HANDED.one_time_kem is not None
    without = b"\x01" + made_up(SIGNED_PRE_KEY_LABEL, NO_KEY, HANDED.signed[5:-64])
    assert "no id" in refuses(BOB.public, Handed(without, None, None))
    assert "no id" in refuses(BOB.public, replace(HANDED, one_time=number(NO_KEY) + HANDED.one_time[4:]))
    kem = made_up(ONE_TIME_KEM_LABEL, NO_KEY, HANDED.one_time_kem[4:-64])
    assert "no id" in refuses(BOB.public, replace(HANDED, one_time_kem=kem))


def test_a_part_of_another_version_is_refused() -> None:
    assert "no known version" in refuses(BOB.public, replace(HANDED, signed=b"\x02" + HANDED.signed[1:]))


@settings(max_examples=60)
@given(st.binary(max_size=80), st.none() | st.binary(max_size=80), st.none() | st.binary(max_size=80))
def test_arbitrary_bytes_are_no_bundle_and_nothing_else_happens(
    signed: bytes, one_time: bytes | None, one_time_kem: bytes | None
) -> None:
    refuses(BOB.public, Handed(signed, one_time, one_time_kem))
    if one_time is not None and len(one_time) != ONE_TIME:
        refuses(BOB.public, replace(HANDED, one_time=one_time))
    if one_time_kem is not None:
        refuses(BOB.public, replace(HANDED, one_time_kem=one_time_kem))


# Used once.


def test_a_one_time_key_is_gone_after_it_was_used_and_the_others_stay() -> None:
    one, other = ids(UPLOADED.one_time)[:2]
    header = first(one_time=one)
    left = PREKEYS.used(ALICE.public, header)
    assert "used before" in lacks(left, header)
    assert "used before" in lacks(left, first(one_time=one), MALLORY)
    assert left.private_keys(BOB, ALICE.public, first(one_time=other)).one_time is not None
    assert left.private_keys(BOB, ALICE.public, first(kem=ids(UPLOADED.one_time_kem)[0])).kem is not None


def test_a_one_time_kem_key_is_gone_after_it_was_used_and_the_others_stay() -> None:
    one, other = ids(UPLOADED.one_time_kem)[:2]
    header = first(kem=one)
    left = PREKEYS.used(ALICE.public, header)
    assert "used before" in lacks(left, header)
    assert left.private_keys(BOB, ALICE.public, first(kem=other)).kem is not None
    assert left.private_keys(BOB, ALICE.public, first(one_time=ids(UPLOADED.one_time)[0])).one_time is not None


def test_one_first_message_may_use_up_one_key_of_each_kind() -> None:
    one, kem = ids(UPLOADED.one_time)[0], ids(UPLOADED.one_time_kem)[0]
    left = PREKEYS.used(ALICE.public, first(one_time=one, kem=kem))
    lacks(left, first(one_time=one))
    lacks(left, first(kem=kem))


def test_a_used_key_is_not_in_the_stored_state_any_more() -> None:
    one, kem = ids(UPLOADED.one_time)[0], ids(UPLOADED.one_time_kem)[0]
    header = first(one_time=one, kem=kem)
    private = PREKEYS.private_keys(BOB, ALICE.public, header)
    assert private.one_time is not None
    assert private.kem is not None
    left = PREKEYS.used(ALICE.public, header).to_bytes()
    for secret in (private.one_time.private_bytes_raw(), private.kem.private_bytes_raw()):
        assert secret in PREKEYS.to_bytes()
        assert secret not in left


def test_looking_for_keys_changes_nothing_so_that_made_up_headers_use_nothing_up() -> None:
    before, header = PREKEYS.to_bytes(), first(one_time=ids(UPLOADED.one_time)[0], kem=1)
    PREKEYS.private_keys(BOB, ALICE.public, header)
    PREKEYS.private_keys(BOB, MALLORY.public, header)
    assert PREKEYS.to_bytes() == before


def test_a_new_state_leaves_the_old_one_as_it_was() -> None:
    before = PREKEYS.to_bytes()
    PREKEYS.used(ALICE.public, first(one_time=ids(UPLOADED.one_time)[0]))
    PREKEYS.used(ALICE.public, first())
    PREKEYS.replenish(BOB, 2, os.urandom)
    PREKEYS.rotate(os.urandom)
    assert PREKEYS.to_bytes() == before


@pytest.mark.parametrize("unknown", [8, 2**32 - 1])
def test_ids_that_never_were_are_refused(unknown: int) -> None:
    assert "signed pre-key is unknown" in lacks(PREKEYS, first(signed=unknown))
    assert "one-time pre-key is unknown" in lacks(PREKEYS, first(one_time=unknown))
    assert "KEM pre-key is unknown" in lacks(PREKEYS, first(kem=unknown))


def test_an_id_of_one_kind_is_none_of_the_other() -> None:
    for kem in ids(UPLOADED.one_time_kem):
        assert "one-time pre-key is unknown" in lacks(PREKEYS, first(one_time=kem))
        assert "signed pre-key is unknown" in lacks(PREKEYS, first(signed=kem))
    for one_time in ids(UPLOADED.one_time):
        assert "KEM pre-key is unknown" in lacks(PREKEYS, first(kem=one_time))
        assert "signed pre-key is unknown" in lacks(PREKEYS, first(signed=one_time))


def test_the_signed_pre_key_is_not_taken_for_a_one_time_key() -> None:
    assert "one-time pre-key is unknown" in lacks(PREKEYS, first(one_time=1))
    assert "one-time pre-key is unknown" in lacks(PREKEYS, first(one_time=1, kem=1))


# Without a one-time key.


@pytest.mark.parametrize("kem", [NO_KEY, 1], ids=["X3DH", "last-resort key"])
def test_a_first_message_without_a_one_time_key_is_remembered_and_refused_when_it_comes_again(kem: int) -> None:
    header = first(kem=kem)
    left = PREKEYS.used(ALICE.public, header)
    assert "come again" in lacks(left, header)
    assert "come again" in lacks(PreKeys.from_bytes(left.to_bytes()), header)


def test_the_same_ephemeral_key_is_a_replay_whatever_else_is_changed() -> None:
    header = first(kem=1)
    left = PREKEYS.used(ALICE.public, header)
    assert "come again" in lacks(left, replace(header, ciphertext=b"\x01" * 1568))
    assert "come again" in lacks(left, first(ephemeral=header.ephemeral))


def test_other_first_messages_are_still_read() -> None:
    header = first()
    left = PREKEYS.used(ALICE.public, header)
    left.private_keys(BOB, ALICE.public, first())
    left.private_keys(BOB, MALLORY.public, header)


def test_what_must_be_remembered_is_limited_by_refusing_and_not_by_forgetting() -> None:
    prekeys, headers = PREKEYS, [first() for _ in range(MAX_REMEMBERED)]
    for header in headers:
        prekeys = prekeys.used(ALICE.public, header)
    assert "too many" in lacks(prekeys, first())
    assert "come again" in lacks(prekeys, headers[0])
    assert PreKeys.from_bytes(prekeys.to_bytes()) == prekeys
    # One-time keys work as before, and so do messages to a new signed pre-key once the old one is out of use.
    one = ids(UPLOADED.one_time)[0]
    prekeys.used(ALICE.public, first(one_time=one))
    later = prekeys.rotate(os.urandom).rotate(os.urandom)
    later.used(ALICE.public, first(signed=9))


# New keys for old ones.


def test_after_a_rotation_the_key_before_can_still_be_read_and_after_two_it_is_gone() -> None:
    header = first(kem=1)
    once = PREKEYS.rotate(os.urandom)
    assert once.private_keys(BOB, ALICE.public, header).signed.private_bytes_raw() in PREKEYS.to_bytes()
    assert once.private_keys(BOB, ALICE.public, first(signed=8, kem=8)).kem is not None
    twice = once.rotate(os.urandom)
    assert "replaced" in lacks(twice, header)
    secret = PREKEYS.private_keys(BOB, ALICE.public, header).signed.private_bytes_raw()
    assert secret not in twice.to_bytes()


def test_the_last_resort_key_of_another_generation_is_not_used_with_a_signed_pre_key() -> None:
    once = PREKEYS.rotate(os.urandom)
    assert "KEM pre-key is unknown" in lacks(once, first(signed=8, kem=1))
    assert "KEM pre-key is unknown" in lacks(once, first(signed=1, kem=8))


def test_a_rotation_does_not_let_a_replay_in() -> None:
    header = first(kem=1)
    once = PREKEYS.used(ALICE.public, header).rotate(os.urandom)
    assert "come again" in lacks(once, header)
    twice = once.rotate(os.urandom)
    assert "replaced" in lacks(twice, header)
    # What nobody can send any more need not be remembered.
    assert len(twice.to_bytes()) == len(PREKEYS.rotate(os.urandom).rotate(os.urandom).to_bytes())


def test_no_id_is_given_twice_not_even_when_its_key_is_gone() -> None:
    prekeys = PREKEYS
    for id_ in ids(UPLOADED.one_time):
        prekeys = prekeys.used(ALICE.public, first(one_time=id_))
    prekeys, more = prekeys.rotate(os.urandom).replenish(BOB, 2, os.urandom)
    assert ids(more.one_time + more.one_time_kem) == [9, 10, 11, 12]


def test_a_service_that_hands_out_all_keys_to_nobody_does_not_make_the_state_grow() -> None:
    prekeys, uploaded = FRESH.replenish(BOB, MAX_KEPT_KEYS, os.urandom)
    full = len(prekeys.to_bytes())
    prekeys, more = prekeys.replenish(BOB, 2, os.urandom)
    assert len(prekeys.to_bytes()) == full
    for gone in (first(one_time=ids(uploaded.one_time)[1]), first(kem=ids(uploaded.one_time_kem)[1])):
        assert "unknown" in lacks(prekeys, gone)
    for kept in (ids(uploaded.one_time)[2], ids(more.one_time)[1]):
        prekeys.private_keys(BOB, ALICE.public, first(one_time=kept))
    for kept in (ids(uploaded.one_time_kem)[2], ids(more.one_time_kem)[1]):
        prekeys.private_keys(BOB, ALICE.public, first(kem=kept))


@pytest.mark.parametrize("count", [-1, MAX_KEPT_KEYS + 1])
def test_more_keys_than_are_kept_are_not_made(count: int) -> None:
    with pytest.raises(E2EEError, match="never kept"):
        PREKEYS.replenish(BOB, count, os.urandom)


def test_no_new_keys_are_no_new_state() -> None:
    assert PREKEYS.replenish(BOB, 0, os.urandom) == (PREKEYS, OneTimeKeys((), ()))


def test_the_pre_keys_of_one_device_do_not_serve_another() -> None:
    sibling = DeviceKeys("bob", 2, BOB.identity, BOB.signing)
    for device in (sibling, MALLORY):
        for action in (
            lambda device: PREKEYS.signed_part(device),
            lambda device: PREKEYS.replenish(device, 1, os.urandom),
            lambda device: PREKEYS.private_keys(device, ALICE.public, first()),
        ):
            with pytest.raises(E2EEError, match="another device"):
                action(device)


# The stored state.


def test_the_state_comes_back_from_its_bytes() -> None:
    prekeys = PREKEYS.used(ALICE.public, first(kem=1)).rotate(os.urandom).used(MALLORY.public, first(signed=8))
    prekeys, _ = prekeys.replenish(BOB, 2, os.urandom)
    restored = PreKeys.from_bytes(prekeys.to_bytes())
    assert restored == prekeys
    assert restored.to_bytes() == prekeys.to_bytes()
    assert restored.signed_part(BOB) == prekeys.signed_part(BOB)


def test_private_keys_are_not_printed() -> None:
    prekeys, _ = PreKeys.new(BOB, lambda size: b"S" * size).replenish(BOB, 1, lambda size: b"S" * size)
    private = prekeys.private_keys(BOB, ALICE.public, first(one_time=2, kem=3))
    assert b"SSSS" in prekeys.to_bytes()
    assert "SSSS" not in repr(prekeys) + repr(private)


def test_a_state_cut_short_or_made_longer_is_refused() -> None:
    data = PREKEYS.to_bytes()
    for wrong in (*(data[:cut] for cut in range(len(data))), data + b"\x00"):
        with pytest.raises(E2EEError):
            PreKeys.from_bytes(wrong)


GENERATION = number(1) + bytes(32) + bytes(64)


def state(
    next_id: int = 9,
    generations: bytes = GENERATION,
    one_time: bytes = b"",
    one_time_kem: bytes = b"",
    remembered: bytes = b"",
    version: int = 1,
) -> bytes:
    """A state written from its description."""
    parts = blocks(generations, one_time, one_time_kem, remembered)
    return number(version, 1) + BOB.public.to_bytes() + number(next_id) + parts


def record(id_: int, size: int) -> bytes:
    return number(id_) + bytes(size)


def test_the_stored_form_is_as_described() -> None:
    whole = state(
        9, number(2) + GENERATION[4:] + GENERATION, record(3, 32), record(4, 64) + record(5, 64), record(1, 32)
    )
    assert PreKeys.from_bytes(whole).to_bytes() == whole


MANY = range(2, MAX_KEPT_KEYS + 3)
DAMAGED = {
    "no generation": state(generations=b""),
    "three generations": state(generations=b"".join(number(id_) + GENERATION[4:] for id_ in (3, 2, 1))),
    "a generation twice": state(generations=GENERATION + GENERATION),
    "the older generation first": state(generations=GENERATION + number(2) + GENERATION[4:]),
    "a generation cut short": state(generations=GENERATION[:-1]),
    "a key twice": state(one_time=record(2, 32) * 2),
    "keys out of order": state(one_time=record(3, 32) + record(2, 32)),
    "a key cut short": state(one_time=record(2, 31)),
    "an id for two kinds": state(one_time=record(1, 32)),
    "an id for two kinds of one-time keys": state(one_time=record(2, 32), one_time_kem=record(2, 64)),
    "no id": state(one_time=record(NO_KEY, 32)),
    "an id that was not given yet": state(one_time=record(9, 32)),
    "a KEM key twice": state(one_time_kem=record(2, 64) * 2),
    "a KEM key cut short": state(one_time_kem=record(2, 63)),
    "a KEM key without an id": state(one_time_kem=record(NO_KEY, 64)),
    "something remembered twice": state(remembered=record(1, 32) * 2),
    "memories out of order": state(remembered=record(2, 32) + record(1, 32)),
    "a memory cut short": state(remembered=record(1, 31)),
    "the next id given already": state(1),
    "too many keys": state(2**32 - 1, one_time=b"".join(record(id_, 32) for id_ in MANY)),
    "too many KEM keys": state(2**32 - 1, one_time_kem=b"".join(record(id_, 64) for id_ in MANY)),
    "too many memories": state(remembered=b"".join(number(1) + number(i, 32) for i in range(MAX_REMEMBERED + 1))),
    "another version": state(version=2),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_state_is_refused(damaged: bytes) -> None:
    with pytest.raises(E2EEError):
        PreKeys.from_bytes(damaged)


@settings(max_examples=100)
@given(st.integers(0, len(PREKEYS.to_bytes()) - 1), st.binary(max_size=8))
def test_a_state_with_anything_in_it_is_read_or_refused_and_nothing_else(position: int, data: bytes) -> None:
    whole = PREKEYS.to_bytes()
    changed = whole[:position] + data + whole[position + len(data) :]
    with suppress(E2EEError):
        assert PreKeys.from_bytes(changed).to_bytes() == changed
    with pytest.raises(E2EEError):
        PreKeys.from_bytes(data)


@settings(max_examples=25)
@given(
    st.lists(
        st.sampled_from(["replenish", "rotate", "one-time", "KEM", "both", "none", "replay", "store"]), max_size=12
    )
)
def test_whatever_happens_every_key_is_good_once(steps: list[str]) -> None:
    prekeys, current, old = FRESH, 1, [1]
    one_time: list[int] = []
    one_time_kem: list[int] = []
    accepted: list[FirstHeader] = []
    for step in steps:
        if step == "replenish":
            prekeys, uploaded = prekeys.replenish(BOB, 1, os.urandom)
            one_time += ids(uploaded.one_time)
            one_time_kem += ids(uploaded.one_time_kem)
        elif step == "rotate":
            prekeys = prekeys.rotate(os.urandom)
            current = int.from_bytes(prekeys.signed_part(BOB)[1:5], "big")
            assert current not in old + one_time + one_time_kem
            old.append(current)
        elif step == "store":
            prekeys = PreKeys.from_bytes(prekeys.to_bytes())
        elif step == "replay":
            for header in accepted:
                lacks(prekeys, header)
        else:
            one = one_time.pop(0) if step in ("one-time", "both") and one_time else NO_KEY
            kem = one_time_kem.pop(0) if step in ("KEM", "both") and one_time_kem else current
            header = first(one_time=one, kem=kem, signed=current)
            prekeys.private_keys(BOB, ALICE.public, header)
            prekeys = prekeys.used(ALICE.public, header)
            accepted.append(header)
    for header in accepted:
        lacks(prekeys, header)
