"""An account signs the list of its devices. Whoever changes it, mixes it, or shows an old one is found out."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee import keys
from lab.e2ee.codec import block, number
from lab.e2ee.identity import (
    DeviceKeys,
    DeviceList,
    PublicDevice,
    check_successor,
    next_device_list,
    read_device_list,
    sign_device_list,
)
from lab.e2ee.protocol import DEVICE_LIST_LABEL, MAX_ACCOUNT, MAX_DEVICES, E2EEError

quick = settings(max_examples=60)

ACCOUNT = keys.new_signing_key(os.urandom)
ACCOUNT_KEY = ACCOUNT.public_key().public_bytes_raw()
PHONE, LAPTOP, TABLET = (DeviceKeys.new("bob", number, os.urandom) for number in (1, 2, 3))
ELSE = DeviceKeys.new("mallory", 4, os.urandom)

SMALL_ORDER = (1).to_bytes(32, "little")
"""Not acceptable as either kind of key."""


def listed(version: int, *devices: DeviceKeys | PublicDevice, account: Ed25519PrivateKey = ACCOUNT) -> DeviceList:
    public = tuple(each.public if isinstance(each, DeviceKeys) else each for each in devices)
    return read_device_list(sign_device_list(account, "bob", version, public), "bob")


def raw(
    *devices: PublicDevice,
    account: str = "bob",
    version: int = 1,
    last: int = 9,
    count: int | None = None,
    head: int = 1,
) -> bytes:
    """A device list as anybody with the account key could write and sign it, right or wrong."""
    body = number(head, 1) + block(account.encode()) + ACCOUNT_KEY + number(version) + number(last)
    body += number(len(devices) if count is None else count, 1) + b"".join(map(PublicDevice.to_bytes, devices))
    return signed(body)


def signed(body: bytes) -> bytes:
    return body + keys.sign(ACCOUNT, DEVICE_LIST_LABEL, body)


def refuses(data: bytes, account: str = "bob") -> str:
    with pytest.raises(E2EEError) as refused:
        read_device_list(data, account)
    return str(refused.value)


# Devices.


def test_a_device_comes_back_from_its_bytes() -> None:
    assert PublicDevice.from_bytes(PHONE.public.to_bytes()) == PHONE.public
    restored = DeviceKeys.from_bytes(PHONE.to_bytes())
    assert restored.public == PHONE.public
    assert restored.to_bytes() == PHONE.to_bytes()


def test_the_public_side_holds_the_public_keys_of_the_private_ones() -> None:
    assert PHONE.public.identity == PHONE.identity.public_key().public_bytes_raw()
    assert PHONE.public.signing == PHONE.signing.public_key().public_bytes_raw()
    for private in (PHONE.identity, PHONE.signing):
        assert private.private_bytes_raw() not in PHONE.public.to_bytes()
        assert private.private_bytes_raw().hex() not in repr(PHONE)


def test_new_keys_are_made_of_what_was_drawn_so_that_two_devices_never_share_one() -> None:
    drawn = iter([b"\x01" * 32, b"\x02" * 32])
    device = DeviceKeys.new("bob", 1, lambda size: next(drawn)[:size])
    assert device.identity.private_bytes_raw() == b"\x01" * 32
    assert device.signing.private_bytes_raw() == b"\x02" * 32


@pytest.mark.parametrize("account", ["", "x" * (MAX_ACCOUNT + 1), "é" * (MAX_ACCOUNT // 2 + 1), "\ud800"])
def test_an_account_name_that_is_empty_too_long_or_no_text_is_refused(account: str) -> None:
    with pytest.raises(E2EEError, match="account name"):
        DeviceKeys.new(account, 1, os.urandom)
    with pytest.raises(E2EEError, match="account name"):
        sign_device_list(ACCOUNT, account, 1, (PHONE.public,))


@pytest.mark.parametrize("account", ["x", "x" * MAX_ACCOUNT, "é" * (MAX_ACCOUNT // 2)])
def test_the_longest_and_the_shortest_name_are_taken(account: str) -> None:
    assert PublicDevice.from_bytes(DeviceKeys.new(account, 1, os.urandom).public.to_bytes()).account == account


@pytest.mark.parametrize("device", [-1, 0, 2**31, 2**32])
def test_a_device_number_out_of_range_is_refused(device: int) -> None:
    with pytest.raises(E2EEError, match="device number"):
        DeviceKeys.new("bob", device, os.urandom)


@pytest.mark.parametrize("device", [1, 2**31 - 1])
def test_the_smallest_and_the_largest_device_number_are_taken(device: int) -> None:
    assert PublicDevice.from_bytes(DeviceKeys.new("bob", device, os.urandom).public.to_bytes()).device == device


@pytest.mark.parametrize("wrong", [SMALL_ORDER, bytes(32), b"\xff" * 32, b"\x07" * 31, b""])
def test_a_device_with_a_key_of_small_order_or_other_form_is_refused(wrong: bytes) -> None:
    with pytest.raises(E2EEError, match="agreement key"):
        replace(PHONE.public, identity=wrong)
    with pytest.raises(E2EEError, match="signing key"):
        replace(PHONE.public, signing=wrong)


def test_a_device_cut_short_or_with_something_behind_it_is_refused() -> None:
    for data, read in ((PHONE.public.to_bytes(), PublicDevice.from_bytes), (PHONE.to_bytes(), DeviceKeys.from_bytes)):
        for wrong in (*(data[:cut] for cut in range(len(data))), data + b"\x00"):
            with pytest.raises(E2EEError):
                read(wrong)


def test_private_state_of_another_version_is_refused() -> None:
    with pytest.raises(E2EEError, match="no known version"):
        DeviceKeys.from_bytes(b"\x02" + PHONE.to_bytes()[1:])


# The list.


def test_a_list_is_read_as_it_was_signed_by_ascending_number() -> None:
    found = listed(7, LAPTOP, PHONE)
    assert found == DeviceList("bob", ACCOUNT_KEY, 7, 2, (PHONE.public, LAPTOP.public))
    assert found.find(2) == LAPTOP.public
    with pytest.raises(E2EEError, match="no such device"):
        found.find(3)


def test_the_signed_bytes_are_as_described() -> None:
    assert sign_device_list(ACCOUNT, "bob", 1, (LAPTOP.public, PHONE.public), 9) == raw(PHONE.public, LAPTOP.public)


def test_every_flipped_byte_of_a_list_is_noticed() -> None:
    data = sign_device_list(ACCOUNT, "bob", 1, (PHONE.public, LAPTOP.public))
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << (position % 8)
        refuses(bytes(changed))


def test_a_list_cut_short_anywhere_or_made_longer_is_refused() -> None:
    data = sign_device_list(ACCOUNT, "bob", 1, (PHONE.public,))
    for wrong in (*(data[:cut] for cut in range(len(data))), data + b"\x00", b"\x00" + data):
        refuses(wrong)


def test_the_list_of_another_account_is_refused_though_it_is_signed() -> None:
    data = sign_device_list(ACCOUNT, "mallory", 1, (ELSE.public,))
    assert read_device_list(data, "mallory").devices == (ELSE.public,)
    assert "another account" in refuses(data, "bob")


def test_a_list_signed_by_another_account_key_is_not_the_accounts() -> None:
    other = keys.new_signing_key(os.urandom)
    data = sign_device_list(ACCOUNT, "bob", 1, (PHONE.public,))
    body = data[: -keys.SIGNATURE]
    assert "signature" in refuses(body + keys.sign(other, DEVICE_LIST_LABEL, body))
    # With the other key written into it, too, it is a valid list: that this is not the known key says check_successor.
    with pytest.raises(E2EEError, match="another key"):
        check_successor(listed(1, PHONE), listed(2, PHONE, account=other))


def test_what_the_account_key_signed_for_another_purpose_is_no_list() -> None:
    body = raw(PHONE.public)[: -keys.SIGNATURE]
    assert "signature" in refuses(body + keys.sign(ACCOUNT, b"mitm-lab/1 signed pre-key", body))
    assert "signature" in refuses(body + ACCOUNT.sign(body))


def test_an_account_key_under_which_anything_is_signed_is_refused() -> None:
    # With the neutral element as key and as R, and S = 0, this "signature" is valid for OpenSSL.
    body = raw(PHONE.public)[: -keys.SIGNATURE].replace(ACCOUNT_KEY, SMALL_ORDER)
    assert "small order" in refuses(body + SMALL_ORDER + bytes(32))


def test_a_device_that_belongs_to_another_account_is_refused() -> None:
    assert "another account" in refuses(raw(PHONE.public, ELSE.public))
    with pytest.raises(E2EEError, match="another account"):
        sign_device_list(ACCOUNT, "bob", 1, (PHONE.public, ELSE.public))


def test_no_devices_are_refused() -> None:
    assert "no devices" in refuses(raw())
    with pytest.raises(E2EEError, match="no devices"):
        sign_device_list(ACCOUNT, "bob", 1, ())


def test_as_many_devices_as_allowed_are_taken_and_one_more_is_not() -> None:
    many = [DeviceKeys.new("bob", number, os.urandom).public for number in range(1, MAX_DEVICES + 2)]
    assert len(listed(1, *many[:-1]).devices) == MAX_DEVICES
    assert "too many" in refuses(raw(*many))
    assert "too many" in refuses(raw(*many[:-1], count=255))
    with pytest.raises(E2EEError, match="too many"):
        listed(1, *many)


def test_a_count_that_is_not_that_of_the_devices_is_refused() -> None:
    assert "cut short" in refuses(raw(PHONE.public, count=2))
    assert "behind the end" in refuses(raw(PHONE.public, LAPTOP.public, count=1))


def test_one_number_for_two_devices_is_refused() -> None:
    twin = replace(LAPTOP.public, device=1)
    assert "order" in refuses(raw(PHONE.public, twin))
    assert "order" in refuses(raw(PHONE.public, PHONE.public))
    with pytest.raises(E2EEError, match="order"):
        listed(1, PHONE, twin)


def test_devices_out_of_order_are_refused_so_that_there_is_one_form_only() -> None:
    assert "order" in refuses(raw(LAPTOP.public, PHONE.public))


@pytest.mark.parametrize("shared", ["identity", "signing"])
def test_two_devices_with_one_key_are_refused(shared: str) -> None:
    twin = replace(LAPTOP.public, **{shared: getattr(PHONE.public, shared)})
    assert "same key" in refuses(raw(PHONE.public, twin))
    with pytest.raises(E2EEError, match="same key"):
        listed(1, PHONE, twin)


@pytest.mark.parametrize("field", ["identity", "signing"])
def test_a_device_with_a_key_of_small_order_does_not_get_in_though_it_is_signed(field: str) -> None:
    body = raw(PHONE.public)[: -keys.SIGNATURE].replace(getattr(PHONE.public, field), SMALL_ORDER)
    assert "small order" in refuses(signed(body))


@pytest.mark.parametrize("version", [0, 2**31, 2**32 - 1])
def test_a_version_out_of_range_is_refused(version: int) -> None:
    assert "version" in refuses(raw(PHONE.public, version=version))


def test_the_last_device_is_never_below_a_device_in_the_list() -> None:
    assert "last device" in refuses(raw(PHONE.public, LAPTOP.public, last=1))
    assert "last device" in refuses(raw(PHONE.public, last=2**31))
    assert listed(1, PHONE, LAPTOP).last_device == 2


def test_a_list_of_another_protocol_version_is_refused() -> None:
    assert "no known version" in refuses(raw(PHONE.public, head=2))


# One list after the other.


def test_a_device_may_come_and_go() -> None:
    first = listed(1, PHONE)
    second = read_device_list(next_device_list(ACCOUNT, first, (PHONE.public, LAPTOP.public)), "bob")
    third = read_device_list(next_device_list(ACCOUNT, second, (PHONE.public,)), "bob")
    assert [each.version for each in (first, second, third)] == [1, 2, 3]
    for old, new in ((first, second), (second, third), (first, third), (third, third)):
        check_successor(old, new)


def test_an_older_list_is_a_rollback() -> None:
    with pytest.raises(E2EEError, match="older"):
        check_successor(listed(2, PHONE), listed(1, PHONE, LAPTOP))


def test_two_lists_of_one_version_are_refused() -> None:
    with pytest.raises(E2EEError, match="two device lists"):
        check_successor(listed(2, PHONE), listed(2, PHONE, LAPTOP))


def test_the_list_of_another_account_is_no_successor() -> None:
    theirs = read_device_list(sign_device_list(ACCOUNT, "mallory", 2, (ELSE.public,)), "mallory")
    with pytest.raises(E2EEError, match="another account"):
        check_successor(listed(1, PHONE), theirs)


@pytest.mark.parametrize("field", ["identity", "signing"])
def test_a_device_number_with_other_keys_is_refused(field: str) -> None:
    changed = replace(LAPTOP.public, **{field: getattr(TABLET.public, field)})
    with pytest.raises(E2EEError, match="other keys"):
        check_successor(listed(1, PHONE, LAPTOP), listed(2, PHONE, changed))
    with pytest.raises(E2EEError, match="other keys"):
        next_device_list(ACCOUNT, listed(1, PHONE, LAPTOP), (PHONE.public, changed))


def test_a_device_number_that_was_removed_never_comes_back_with_these_or_other_keys() -> None:
    second = read_device_list(next_device_list(ACCOUNT, listed(1, PHONE, LAPTOP), (PHONE.public,)), "bob")
    assert second.last_device == 2
    for back in (LAPTOP.public, replace(TABLET.public, device=2)):
        with pytest.raises(E2EEError, match="come back"):
            next_device_list(ACCOUNT, second, (PHONE.public, back))
    third = read_device_list(next_device_list(ACCOUNT, second, (PHONE.public, TABLET.public)), "bob")
    assert third.last_device == 3


def test_an_account_cannot_forget_which_numbers_it_has_given() -> None:
    with pytest.raises(E2EEError, match="older"):
        check_successor(listed(1, PHONE, LAPTOP), listed(2, PHONE))


# Whatever arrives.


@quick
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    refuses(data)
    refuses(signed(data))
    refuses(signed(raw(PHONE.public)[:40] + data))
    for read in (PublicDevice.from_bytes, DeviceKeys.from_bytes):
        with pytest.raises(E2EEError):
            read(data)


@quick
@given(
    st.text(min_size=1, max_size=MAX_ACCOUNT).filter(lambda name: 1 <= len(name.encode()) <= MAX_ACCOUNT),
    st.integers(1, 2**31 - 1),
)
def test_any_name_and_number_come_back(account: str, device: int) -> None:
    made = replace(PHONE.public, account=account, device=device)
    assert PublicDevice.from_bytes(made.to_bytes()) == made


@quick
@given(
    st.sets(st.integers(1, 40), min_size=1, max_size=MAX_DEVICES),
    st.sets(st.integers(1, 40), min_size=1, max_size=MAX_DEVICES),
)
def test_a_successor_only_adds_numbers_that_were_never_given(one: set[int], other: set[int]) -> None:
    old, new = (listed(version, *(MANY[number] for number in chosen)) for version, chosen in ((1, one), (2, other)))
    new = replace(new, last_device=max(old.last_device, new.last_device))
    if all(number > max(one) for number in other - one):
        check_successor(old, new)
    else:
        with pytest.raises(E2EEError, match="come back"):
            check_successor(old, new)


MANY = {number: DeviceKeys.new("bob", number, os.urandom) for number in range(1, 41)}
