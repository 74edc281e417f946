"""What a device keeps: its keys, the first keys it saw of others, and which envelopes it opened."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.messenger.store import DeviceStore


@pytest.fixture
def device(tmp_path: Path) -> Path:
    return tmp_path / "alice.db"


@pytest.fixture
def store(device: Path) -> Iterator[DeviceStore]:
    with closing(DeviceStore(device)) as opened:
        yield opened


def keys(store: DeviceStore) -> tuple[bytes, bytes]:
    return store.identity().private_bytes_raw(), store.encryption().private_bytes_raw()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_owner_can_read_it(device: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with closing(DeviceStore(device)) as store:
            keys(store)
            modes = [stat.S_IMODE(path.stat().st_mode) for path in device.parent.iterdir()]
    finally:
        os.umask(before)
    assert set(modes) == {0o600}


def test_keys_survive_reopening(device: Path) -> None:
    with closing(DeviceStore(device)) as store:
        first = keys(store)
        assert keys(store) == first
    with closing(DeviceStore(device)) as store:
        assert keys(store) == first


def test_every_device_has_keys_of_its_own(store: DeviceStore, tmp_path: Path) -> None:
    with closing(DeviceStore(tmp_path / "bob.db")) as other:
        assert len({*keys(store), *keys(other)}) == 4


def test_the_first_bundle_of_an_account_is_the_one_that_is_kept(store: DeviceStore) -> None:
    assert store.pinned("bob") is None
    assert store.pin("bob", b"first") == b"first"
    assert store.pin("bob", b"second") == b"first"
    assert store.pinned("bob") == b"first"
    assert store.pin("carol", b"second") == b"second"


def test_pins_survive_reopening(device: Path) -> None:
    with closing(DeviceStore(device)) as store:
        store.pin("bob", b"first")
    with closing(DeviceStore(device)) as store:
        assert store.pin("bob", b"second") == b"first"


def test_an_account_is_pinned_under_its_exact_name(store: DeviceStore) -> None:
    store.pin("bob", b"of bob")
    for name in ("Bob", "bob ", "bo", "'bob'", "%"):
        assert store.pinned(name) is None
    assert store.pinned("bob") == b"of bob"


def test_an_envelope_that_comes_again_is_noticed(device: Path) -> None:
    with closing(DeviceStore(device)) as store:
        assert store.remember(b"one")
        assert store.remember(b"two")
        assert not store.remember(b"one")
    with closing(DeviceStore(device)) as store:
        assert not store.remember(b"two")
        assert store.remember(b"three")


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=3), max_size=12))
def test_each_envelope_is_new_exactly_once(envelopes: list[bytes]) -> None:
    with TemporaryDirectory() as folder, closing(DeviceStore(Path(folder, "device.db"))) as store:
        answers = [store.remember(envelope) for envelope in envelopes]
    assert answers == [envelope not in envelopes[:number] for number, envelope in enumerate(envelopes)]


def test_a_closed_store_answers_no_more(device: Path) -> None:
    store = DeviceStore(device)
    assert store.remember(b"one")
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.remember(b"two")
