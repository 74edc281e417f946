"""Alice begins while Bob is away. Both end up with the same secret, and nobody else in between with anything."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.agreement import Agreed, FirstHeader, initiate, respond
from lab.e2ee.codec import Reader, blocks, number
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.prekeys import NO_KEY, Bundle, Handed, PreKeys, read_bundle
from lab.e2ee.protocol import E2EEError, Suite

ALICE, BOB, MALLORY = (DeviceKeys.new(name, 1, os.urandom) for name in ("alice", "bob", "mallory"))
PREKEYS, UPLOADED = PreKeys.new(BOB, os.urandom).replenish(BOB, 2, os.urandom)
SIGNED = PREKEYS.signed_part(BOB)

SUITES = (Suite.X3DH, Suite.PQXDH)
every_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
every_case = pytest.mark.parametrize(
    ("suite", "one_time", "one_time_kem"),
    [*product((Suite.X3DH,), (False, True), (False,)), *product((Suite.PQXDH,), (False, True), (False, True))],
)

SMALL_ORDER_X25519 = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)
"""As listed at https://cr.yp.to/ecdh.html#validate, those in canonical form."""


def bundle(one_time: bool = True, one_time_kem: bool = True) -> Bundle:
    first, first_kem = UPLOADED.one_time[0][1], UPLOADED.one_time_kem[0][1]
    return read_bundle(BOB.public, Handed(SIGNED, first if one_time else None, first_kem if one_time_kem else None))


def began(suite: Suite, one_time: bool = True, one_time_kem: bool = True) -> tuple[Agreed[bytes], FirstHeader]:
    return initiate(ALICE, bundle(one_time, one_time_kem), suite, os.urandom)


def read(data: bytes) -> FirstHeader:
    reader = Reader(data)
    header = FirstHeader.from_reader(reader)
    reader.end()
    return header


def same(one: Agreed[bytes], other: Agreed[X25519PrivateKey]) -> bool:
    """True if a message under the one opens under the other."""
    return (one.secret, one.associated_data) == (other.secret, other.associated_data)


def differs(
    one: Agreed[bytes], header: FirstHeader, device: DeviceKeys = BOB, peer: PublicDevice = ALICE.public
) -> bool:
    """True if this reader, of this header from this peer, gets another secret AND other associated data."""
    other = respond(device, PREKEYS, peer, header)
    return one.secret != other.secret and one.associated_data != other.associated_data


def refuses(header: FirstHeader, prekeys: PreKeys = PREKEYS, peer: PublicDevice = ALICE.public) -> str:
    with pytest.raises(E2EEError) as refused:
        respond(BOB, prekeys, peer, header)
    return str(refused.value)


# Both sides agree.


@every_case
def test_both_sides_have_the_same_secret(suite: Suite, one_time: bool, one_time_kem: bool) -> None:
    mine, header = began(suite, one_time, one_time_kem)
    theirs = respond(BOB, PREKEYS, ALICE.public, read(header.to_bytes()))
    assert same(mine, theirs)
    assert (len(mine.secret), len(mine.associated_data)) == (32, 32)
    assert mine.ratchet_key == theirs.ratchet_key.public_key().public_bytes_raw() == SIGNED[5:37]
    assert bool(header.one_time_id) == one_time
    assert (header.kem_id not in (NO_KEY, header.signed_id)) == one_time_kem


@every_suite
def test_after_the_state_was_stored_and_a_new_signed_pre_key_made_a_late_message_is_still_read(suite: Suite) -> None:
    mine, header = began(suite)
    stored = PreKeys.from_bytes(PREKEYS.rotate(os.urandom).to_bytes())
    restored = DeviceKeys.from_bytes(BOB.to_bytes())
    assert same(mine, respond(restored, stored, PublicDevice.from_bytes(ALICE.public.to_bytes()), header))


@every_suite
def test_every_session_has_a_secret_of_its_own(suite: Suite) -> None:
    one, other = began(suite, False, False), began(suite, False, False)
    assert one[0].secret != other[0].secret
    assert one[1].ephemeral != other[1].ephemeral


def test_the_ciphertext_of_pqxdh_is_another_one_even_if_the_randomness_passed_in_is_not() -> None:
    one, other = (initiate(ALICE, bundle(), Suite.PQXDH, lambda size: b"\x07" * size) for _ in range(2))
    assert one[1].ephemeral == other[1].ephemeral
    assert one[1].ciphertext != other[1].ciphertext
    assert one[0].secret != other[0].secret


# As the specifications say, written from them and not from the code.


def exchanged(private: X25519PrivateKey, public: bytes) -> bytes:
    return private.exchange(X25519PublicKey.from_public_bytes(public))


def hkdf(material: bytes, info: bytes) -> bytes:
    """RFC 5869 with a salt of 32 zero bytes, for 32 bytes."""
    extracted = hmac.digest(bytes(32), material, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


INFO = {
    Suite.X3DH: b"mitm-lab/1 session set-up_X3DH_CURVE25519_SHA-256",
    Suite.PQXDH: b"mitm-lab/1 session set-up_CURVE25519_SHA-256_ML-KEM-1024",
}


@every_case
def test_the_secret_is_that_of_the_specifications(suite: Suite, one_time: bool, one_time_kem: bool) -> None:
    drawn = os.urandom(32)
    chosen = bundle(one_time, one_time_kem)
    mine, header = initiate(ALICE, chosen, suite, lambda size: drawn[:size])
    ephemeral = X25519PrivateKey.from_private_bytes(drawn)
    assert header.ephemeral == ephemeral.public_key().public_bytes_raw()
    material = b"\xff" * 32
    material += exchanged(ALICE.identity, chosen.signed)  # DH1 = DH(IK_A, SPK_B)
    material += exchanged(ephemeral, BOB.public.identity)  # DH2 = DH(EK_A, IK_B)
    material += exchanged(ephemeral, chosen.signed)  # DH3 = DH(EK_A, SPK_B)
    if chosen.one_time is not None:
        material += exchanged(ephemeral, chosen.one_time)  # DH4 = DH(EK_A, OPK_B)
    if suite is Suite.PQXDH:
        kem = PREKEYS.private_keys(BOB, ALICE.public, header).kem
        assert kem is not None
        material += kem.decapsulate(header.ciphertext)  # SS
    assert mine.secret == hkdf(material, INFO[suite])


@every_case
def test_the_associated_data_names_everything(suite: Suite, one_time: bool, one_time_kem: bool) -> None:
    mine, header = began(suite, one_time, one_time_kem)
    sides = [
        blocks(each.account.encode()) + number(each.device) + each.identity + each.signing
        for each in (ALICE.public, BOB.public)
    ]
    named = blocks(b"mitm-lab/1 session", bytes([1, suite]), *sides, header.to_bytes())
    assert mine.associated_data == hashlib.sha256(named).digest()


@every_case
def test_the_header_is_as_described(suite: Suite, one_time: bool, one_time_kem: bool) -> None:
    _, header = began(suite, one_time, one_time_kem)
    described = bytes([suite]) + header.ephemeral + number(1) + number(2 if one_time else 0)
    if suite is Suite.PQXDH:
        described += number(4 if one_time_kem else 1) + header.ciphertext
    assert header.to_bytes() == described
    assert len(described) == (41 if suite is Suite.X3DH else 1613)
    assert read(described) == header


# Whoever is in between.


def changes(data: bytes) -> Iterator[bytes]:
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << (position % 8)
        yield bytes(changed)


@every_suite
def test_whatever_bit_of_a_header_is_flipped_the_sides_do_not_agree(suite: Suite) -> None:
    mine, header = began(suite)
    read_anyway = 0
    for changed in changes(header.to_bytes()):
        with suppress(E2EEError):
            assert differs(mine, read(changed))
            read_anyway += 1
    # The keys and the ciphertext do not show that they were changed; suite and ids do.
    assert 0 < read_anyway < len(header.to_bytes())


@every_suite
def test_every_bit_of_the_suite_and_the_ids_counts(suite: Suite) -> None:
    mine, header = began(suite)
    data = header.to_bytes()
    for position, bit in product((0, *range(33, 41 if suite is Suite.X3DH else 45)), range(8)):
        changed = bytearray(data)
        changed[position] ^= 1 << bit
        with suppress(E2EEError):
            assert differs(mine, read(bytes(changed)))


@every_suite
def test_a_header_cut_short_anywhere_is_refused(suite: Suite) -> None:
    data = began(suite)[1].to_bytes()
    for cut in range(len(data)):
        with pytest.raises(E2EEError, match=r"cut short"):
            read(data[:cut])


@every_suite
def test_without_the_one_time_key_in_the_header_the_sides_do_not_agree(suite: Suite) -> None:
    mine, header = began(suite)
    assert differs(mine, replace(header, one_time_id=NO_KEY))
    assert differs(mine, replace(header, one_time_id=UPLOADED.one_time[1][0]))


def test_with_another_kem_key_in_the_header_the_sides_do_not_agree() -> None:
    mine, header = began(Suite.PQXDH)
    assert differs(mine, replace(header, kem_id=header.signed_id))
    assert differs(mine, replace(header, kem_id=UPLOADED.one_time_kem[1][0]))


@every_suite
def test_parts_of_two_headers_do_not_make_a_third(suite: Suite) -> None:
    mine, header = began(suite)
    _, other = began(suite)
    assert differs(mine, replace(header, ephemeral=other.ephemeral))
    if suite is Suite.PQXDH:
        assert differs(mine, replace(header, ciphertext=other.ciphertext))


def test_a_bundle_whose_parts_were_swapped_gives_a_secret_that_its_owner_does_not_have() -> None:
    # Only a service that verified nothing could make these bundles: read_bundle does not let them through.
    eve = DeviceKeys.new("bob", 1, os.urandom)
    evil, _ = PreKeys.new(eve, os.urandom).replenish(eve, 2, os.urandom)
    theirs = read_bundle(eve.public, Handed(evil.signed_part(eve), None, None))
    for swapped in (
        replace(bundle(), signed=theirs.signed),
        replace(bundle(), kem=theirs.kem),
        replace(bundle(), one_time=theirs.signed),
        replace(bundle(), device=eve.public),
    ):
        mine, header = initiate(ALICE, swapped, Suite.PQXDH, os.urandom)
        assert mine.secret != respond(BOB, PREKEYS, ALICE.public, header).secret


# Who is it?


@every_suite
@pytest.mark.parametrize(
    "claimed",
    [
        MALLORY.public,
        replace(ALICE.public, account="mallory"),
        replace(ALICE.public, device=2),
        replace(ALICE.public, signing=MALLORY.public.signing),
    ],
    ids=["another device", "the same keys in another account", "another number", "another signing key"],
)
def test_a_message_is_by_no_other_device_than_the_one_that_began(suite: Suite, claimed: PublicDevice) -> None:
    # Unknown key share: Mallory registers Alice's public keys as his own, and what Alice writes seems to be by him.
    mine, header = began(suite)
    theirs = respond(BOB, PREKEYS, claimed, header)
    assert mine.associated_data != theirs.associated_data
    assert not same(mine, theirs)
    assert (mine.secret != theirs.secret) == (claimed.identity != ALICE.public.identity)


@every_suite
@pytest.mark.parametrize(
    "other",
    [
        DeviceKeys("mallory", 1, BOB.identity, BOB.signing),
        DeviceKeys("bob", 2, BOB.identity, BOB.signing),
        DeviceKeys("bob", 1, BOB.identity, MALLORY.signing),
    ],
    ids=["account", "number", "signing key"],
)
def test_a_message_is_for_no_other_device_than_the_one_that_was_meant(suite: Suite, other: DeviceKeys) -> None:
    mine, header = began(suite)
    with pytest.raises(E2EEError, match="another device"):
        respond(other, PREKEYS, ALICE.public, header)
    # Nor does it help to have stored the same private keys under the other name.
    stored = PREKEYS.to_bytes().replace(BOB.public.to_bytes(), other.public.to_bytes())
    assert not same(mine, respond(other, PreKeys.from_bytes(stored), ALICE.public, header))


@every_suite
def test_the_identity_keys_of_both_sides_are_needed(suite: Suite) -> None:
    # Mallory knows every public key and all of Bob's pre-keys, but neither identity.
    mine, header = began(suite)
    other = DeviceKeys("bob", 1, MALLORY.identity, BOB.signing)
    stored = PREKEYS.to_bytes().replace(BOB.public.to_bytes(), other.public.to_bytes())
    assert mine.secret != respond(other, PreKeys.from_bytes(stored), ALICE.public, header).secret
    pretended = DeviceKeys("alice", 1, MALLORY.identity, ALICE.signing)
    forged, header = initiate(pretended, bundle(), suite, os.urandom)
    assert differs(forged, header)


@every_suite
def test_the_roles_are_not_interchangeable(suite: Suite) -> None:
    # What Alice says to Bob is nothing that Bob could have said to Alice, even with the same keys and numbers.
    mine, header = began(suite, False, False)
    alices = PREKEYS.to_bytes().replace(BOB.public.to_bytes(), ALICE.public.to_bytes())
    assert not same(mine, respond(ALICE, PreKeys.from_bytes(alices), BOB.public, header))


@every_suite
@pytest.mark.parametrize(
    "self_",
    [
        BOB.public,
        replace(BOB.public, identity=MALLORY.public.identity, signing=MALLORY.public.signing),
        replace(BOB.public, account="mallory", signing=MALLORY.public.signing),
    ],
    ids=["the same", "the same name", "the same key"],
)
def test_a_device_has_no_session_with_itself(suite: Suite, self_: PublicDevice) -> None:
    with pytest.raises(E2EEError, match="with itself"):
        initiate(BOB, replace(bundle(), device=self_), suite, os.urandom)
    assert "with itself" in refuses(began(suite)[1], peer=self_)


# Once only.


@every_case
def test_a_first_message_is_accepted_once(suite: Suite, one_time: bool, one_time_kem: bool) -> None:
    mine, header = began(suite, one_time, one_time_kem)
    assert same(mine, respond(BOB, PREKEYS, ALICE.public, header))
    # Until it has authenticated it may be tried again; whoever sends nonsense in between uses nothing up.
    assert same(mine, respond(BOB, PREKEYS, ALICE.public, header))
    after = PREKEYS.used(ALICE.public, header)
    assert refuses(header, after) in (
        "a first message has come again",
        "a one-time pre-key is unknown or was used before",
        "a one-time KEM pre-key is unknown or was used before",
    )


@every_suite
def test_a_one_time_key_that_a_service_hands_out_twice_is_good_for_the_first_only(suite: Suite) -> None:
    _, header = began(suite)
    second, again = initiate(MALLORY, bundle(), suite, os.urandom)
    after = PREKEYS.used(ALICE.public, header)
    assert "used before" in refuses(again, after, MALLORY.public)
    assert same(second, respond(BOB, PREKEYS, MALLORY.public, again))


@every_suite
def test_another_first_message_without_a_one_time_key_is_not_a_replay(suite: Suite) -> None:
    _, header = began(suite, False, False)
    after = PREKEYS.used(ALICE.public, header)
    mine, another = began(suite, False, False)
    assert same(mine, respond(BOB, after, ALICE.public, another))


@every_suite
def test_a_key_that_is_not_there_is_refused(suite: Suite) -> None:
    _, header = began(suite)
    assert "signed pre-key is unknown" in refuses(replace(header, signed_id=77))
    assert "one-time pre-key is unknown" in refuses(replace(header, one_time_id=77))
    if suite is Suite.PQXDH:
        assert "KEM pre-key is unknown" in refuses(replace(header, kem_id=77))


# Not weaker than agreed.


@pytest.mark.parametrize("suite", [0, 3, 0x81, 255])
def test_an_unknown_suite_is_refused(suite: int) -> None:
    for known in SUITES:
        with pytest.raises(E2EEError, match="suite is unknown"):
            read(bytes([suite]) + began(known)[1].to_bytes()[1:])


def test_a_header_talked_down_from_pqxdh_to_x3dh_gives_another_secret() -> None:
    mine, header = began(Suite.PQXDH)
    talked_down = replace(header, suite=Suite.X3DH, kem_id=NO_KEY, ciphertext=b"")
    assert differs(mine, read(talked_down.to_bytes()))


def test_the_suites_have_nothing_in_common_even_with_the_same_keys() -> None:
    drawn = os.urandom(32)
    one, other = (initiate(ALICE, bundle(), suite, lambda size: drawn[:size])[0] for suite in SUITES)
    assert one.secret != other.secret
    assert one.associated_data != other.associated_data


def test_a_header_that_is_not_as_its_suite_wants_it_is_never_made() -> None:
    _, classic = began(Suite.X3DH)
    _, quantum = began(Suite.PQXDH)
    for header, changed in (
        (classic, {"kem_id": 1}),
        (classic, {"ciphertext": bytes(1568)}),
        (classic, {"suite": Suite.PQXDH}),
        (quantum, {"kem_id": NO_KEY}),
        (quantum, {"ciphertext": b""}),
        (quantum, {"ciphertext": bytes(1567)}),
        (quantum, {"suite": Suite.X3DH}),
        (classic, {"signed_id": NO_KEY}),
        (quantum, {"signed_id": NO_KEY}),
    ):
        with pytest.raises(E2EEError, match="suite wants"):
            replace(header, **changed)


# Keys that make secrets known to everybody.


@every_suite
@pytest.mark.parametrize("wrong", SMALL_ORDER_X25519)
def test_an_ephemeral_key_of_small_order_is_refused(suite: Suite, wrong: str) -> None:
    _, header = began(suite)
    data = header.to_bytes().replace(header.ephemeral, bytes.fromhex(wrong))
    with pytest.raises(E2EEError, match="small order"):
        read(data)


@every_suite
def test_an_ephemeral_key_written_in_another_way_is_refused_so_that_it_is_no_new_message(suite: Suite) -> None:
    _, header = began(suite)
    data = bytearray(header.to_bytes())
    data[32] ^= 0x80  # X25519 ignores this bit: the same secrets, remembered under another name.
    with pytest.raises(E2EEError, match="canonical"):
        read(bytes(data))


@every_suite
@pytest.mark.parametrize("wrong", SMALL_ORDER_X25519)
@pytest.mark.parametrize("place", ["signed", "one_time"])
def test_an_all_zero_secret_is_refused_wherever_it_would_come_in(suite: Suite, wrong: str, place: str) -> None:
    # read_bundle refuses these keys already; the agreement itself does not rely on it.
    with pytest.raises(E2EEError, match="not acceptable"):
        initiate(ALICE, replace(bundle(), **{place: bytes.fromhex(wrong)}), suite, os.urandom)


def test_a_kem_key_that_is_none_is_refused_though_it_is_signed() -> None:
    public = SIGNED[5:37] + b"\xff" * 1568
    statement = blocks(
        b"mitm-lab/1 signed pre-key and last-resort KEM pre-key", BOB.public.to_bytes(), number(1), public
    )
    part = b"\x01" + number(1) + public + BOB.signing.sign(statement)
    with pytest.raises(E2EEError, match="encapsulation key"):
        initiate(ALICE, read_bundle(BOB.public, Handed(part, None, None)), Suite.PQXDH, os.urandom)


def test_secrets_are_not_printed() -> None:
    mine, header = began(Suite.PQXDH)
    theirs = respond(BOB, PREKEYS, ALICE.public, header)
    for shown in (repr(mine), repr(theirs), str(mine)):
        assert "secret" not in shown
        assert "ratchet_key" not in shown


# Whatever arrives.


@settings(max_examples=150)
@given(
    st.binary(max_size=60)
    | st.builds(bytes.__add__, st.sampled_from([b"\x01", b"\x02"]), st.binary(min_size=40, max_size=60))
    | st.builds(
        bytes.__add__, st.binary(min_size=40, max_size=50).map(lambda start: b"\x02" + start), st.just(bytes(1568))
    )
)
def test_arbitrary_bytes_are_a_header_or_none_and_nothing_else(data: bytes) -> None:
    reader = Reader(data)
    try:
        header = FirstHeader.from_reader(reader)
    except E2EEError:
        return
    assert data == header.to_bytes() + reader.rest()
    refuses(header)


@settings(max_examples=60)
@given(
    ephemeral=st.binary(min_size=32, max_size=32),
    signed_id=st.sampled_from([0, 1, 2, 9]),
    one_time_id=st.sampled_from([0, 1, 2, 3, 4, 9]),
    kem_id=st.sampled_from([0, 1, 2, 4, 5, 9]),
    ciphertext=st.none() | st.binary(min_size=8, max_size=8).map(lambda part: part * 196),
)
def test_any_header_gives_a_secret_or_a_refusal_and_the_state_stays(
    ephemeral: bytes, signed_id: int, one_time_id: int, kem_id: int, ciphertext: bytes | None
) -> None:
    before = PREKEYS.to_bytes()
    with suppress(E2EEError):
        suite = Suite.X3DH if ciphertext is None else Suite.PQXDH
        header = FirstHeader(suite, ephemeral, signed_id, one_time_id, kem_id, ciphertext or b"")
        assert len(respond(BOB, PREKEYS, ALICE.public, header).secret) == 32
    assert PREKEYS.to_bytes() == before
