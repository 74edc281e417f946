"""Everything a device holds, in one piece and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.device import DeviceState
from lab.e2ee.protocol import MAX_READERS, E2EEError

STATE = DeviceState(
    "alice",
    2,
    bytes(range(32)),
    b"device",
    {"bob": b"his list", "alice": b"her list"},
    {("bob", 10): b"ten", ("bob", 9): b"nine"},
    {"plans": b"her key"},
    {("plans", "bob", 1): (b"new", b"old")},
)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
numbers = st.integers(0, 2**31 - 1)
blobs = st.binary(max_size=20)
states = st.builds(
    DeviceState,
    names,
    numbers,
    blobs,
    blobs,
    st.dictionaries(names, blobs, max_size=3),
    st.dictionaries(st.tuples(names, numbers), blobs, max_size=3),
    st.dictionaries(names, blobs, max_size=3),
    st.dictionaries(st.tuples(names, names, numbers), st.lists(blobs, max_size=MAX_READERS).map(tuple), max_size=3),
)


@given(states)
def test_a_state_comes_back_as_it_was(state: DeviceState) -> None:
    assert DeviceState.from_bytes(state.to_bytes()) == state


@given(states, states)
def test_different_states_are_different_bytes(one: DeviceState, other: DeviceState) -> None:
    assert (one.to_bytes() == other.to_bytes()) is (one == other)


def test_the_order_in_which_things_were_learned_does_not_show() -> None:
    contacts = dict(reversed(list(STATE.contacts.items())))
    turned = replace(STATE, contacts=contacts, sessions=dict(reversed(list(STATE.sessions.items()))))
    assert turned.to_bytes() == STATE.to_bytes()


def test_a_device_without_encryption_has_nothing() -> None:
    bare = DeviceState("alice", 1, b"", b"", {}, {}, {}, {})
    assert DeviceState.from_bytes(DeviceState("alice", 1).to_bytes()) == bare


def test_what_is_private_is_not_shown() -> None:
    shown = repr(STATE)
    assert "alice" in shown
    for private in (repr(STATE.account_key), "b'device'", "nine", "her key", "new"):
        assert private not in shown


@settings(max_examples=300)
@given(st.data())
def test_a_changed_state_is_refused_or_another_one(data: st.DataObject) -> None:
    genuine = STATE.to_bytes()
    place = data.draw(st.integers(0, len(genuine) - 1))
    changed = genuine[:place] + bytes([genuine[place] ^ data.draw(st.integers(1, 255))]) + genuine[place + 1 :]
    try:
        found = DeviceState.from_bytes(changed)
    except E2EEError:
        return
    assert found != STATE
    assert found.to_bytes() == changed


def test_a_state_that_is_cut_short_or_goes_on_is_refused() -> None:
    genuine = STATE.to_bytes()
    for wrong in (*(genuine[:length] for length in range(len(genuine))), genuine + b"\0"):
        with pytest.raises(E2EEError):
            DeviceState.from_bytes(wrong)
    assert DeviceState.from_bytes(genuine) == STATE


@pytest.mark.parametrize("wrong", [b"", b"\1", b"\2", b"\xff" * 500, bytes(500)])
def test_what_is_no_state_is_refused(wrong: bytes) -> None:
    with pytest.raises(E2EEError):
        DeviceState.from_bytes(wrong)


def test_things_out_of_order_or_given_twice_are_refused() -> None:
    genuine = STATE.to_bytes()
    nine = b"\0\0\0\3bob\0\0\0\x09\0\0\0\4nine"
    ten = b"\0\0\0\3bob\0\0\0\x0a\0\0\0\3ten"
    assert nine + ten in genuine
    for wrong in (ten + nine, nine + nine, ten + ten):
        with pytest.raises(E2EEError):
            DeviceState.from_bytes(genuine.replace(nine + ten, wrong))


def test_more_sender_keys_than_are_kept_are_refused() -> None:
    most = replace(STATE, readers={("plans", "bob", 1): (b"x",) * MAX_READERS})
    assert DeviceState.from_bytes(most.to_bytes()) == most
    more = replace(STATE, readers={("plans", "bob", 1): (b"x",) * (MAX_READERS + 1)})
    with pytest.raises(E2EEError, match="more sender keys"):
        DeviceState.from_bytes(more.to_bytes())
