"""What a device keeps: encrypted, in steps that happen as a whole, for its owner alone."""

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

from lab.messenger.store import Changes, DeviceStore, Table
from lab.model import LabError

SECRET = b"a private key that nobody may see"


@pytest.fixture
def device(tmp_path: Path) -> Path:
    return tmp_path / "alice.db"


@pytest.fixture
def store(device: Path) -> Iterator[DeviceStore]:
    with closing(DeviceStore(device)) as opened:
        yield opened


def put(store: DeviceStore, table: Table, *name: str, value: bytes) -> None:
    changes = Changes()
    changes.put(table, *name, value=value)
    store.commit(changes)


def drop(store: DeviceStore, table: Table, *name: str) -> None:
    changes = Changes()
    changes.drop(table, *name)
    store.commit(changes)


def on_disk(device: Path) -> bytes:
    """Everything in the folder but the key."""
    return b"".join(path.read_bytes() for path in sorted(device.parent.iterdir()) if path.suffix != ".key")


def raw(device: Path) -> sqlite3.Connection:
    return sqlite3.connect(device, isolation_level=None)


class TestValues:
    def test_a_value_is_there_until_it_is_replaced_or_dropped(self, store: DeviceStore) -> None:
        assert store.get(Table.SESSIONS, "bob", "1") is None
        put(store, Table.SESSIONS, "bob", "1", value=b"first")
        assert store.get(Table.SESSIONS, "bob", "1") == b"first"
        put(store, Table.SESSIONS, "bob", "1", value=b"second")
        assert store.get(Table.SESSIONS, "bob", "1") == b"second"
        drop(store, Table.SESSIONS, "bob", "1")
        drop(store, Table.SESSIONS, "bob", "1")
        assert store.get(Table.SESSIONS, "bob", "1") is None

    def test_values_survive_reopening(self, device: Path) -> None:
        with closing(DeviceStore(device)) as store:
            put(store, Table.STATE, "device", value=SECRET)
        with closing(DeviceStore(device)) as store:
            assert store.get(Table.STATE, "device") == SECRET

    def test_a_row_is_found_under_its_exact_name_and_table(self, store: DeviceStore) -> None:
        put(store, Table.SESSIONS, "bob", "1", value=b"x")
        for name in (("Bob", "1"), ("bob", "11"), ("bob1",), ("bob", "1", ""), ("bo", "b1"), ("bob",), ("%", "1"), ()):
            assert store.get(Table.SESSIONS, *name) is None
        assert store.get(Table.CONTACTS, "bob", "1") is None

    def test_rows_come_with_their_names_in_the_order_they_were_first_put(self, store: DeviceStore) -> None:
        for name in ("c", "a", "b"):
            put(store, Table.OUTBOX, name, value=name.encode())
        put(store, Table.OUTBOX, "c", value=b"again")
        assert list(store.rows(Table.OUTBOX)) == [(("c",), b"again"), (("a",), b"a"), (("b",), b"b")]
        assert list(store.rows(Table.INBOX)) == []

    @settings(max_examples=20)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(Table),
                st.lists(st.text(max_size=3).filter(str.isprintable), max_size=2).map(tuple),
                st.none() | st.binary(max_size=50),
            ),
            max_size=12,
        ),
        st.booleans(),
    )
    def test_it_holds_what_a_dictionary_would(
        self, steps: list[tuple[Table, tuple[str, ...], bytes | None]], hurry: bool
    ) -> None:
        expected: dict[tuple[Table, tuple[str, ...]], bytes] = {}
        with TemporaryDirectory() as folder:
            with closing(DeviceStore(Path(folder, "device.db"))) as store:
                for table, name, value in steps:
                    changes = Changes()
                    if value is None:
                        changes.drop(table, *name)
                        expected.pop((table, name), None)
                    else:
                        changes.put(table, *name, value=value)
                        expected[table, name] = value
                    store.commit(changes, hurry=hurry)
            with closing(DeviceStore(Path(folder, "device.db"))) as store:
                found = {(table, name): value for table in Table for name, value in store.rows(table)}
                assert found == expected
                assert all(store.get(table, *name) == value for (table, name), value in expected.items())


class TestSteps:
    def test_all_changes_of_a_step_happen_or_none(self, store: DeviceStore, monkeypatch: pytest.MonkeyPatch) -> None:
        put(store, Table.STATE, "device", value=b"old")
        changes = Changes()
        changes.put(Table.STATE, "device", value=b"new")
        changes.drop(Table.STATE, "other")
        changes.put(Table.OUTBOX, "1", value=b"new")
        seal = DeviceStore._seal

        def fails(self: DeviceStore, table: Table, *rest: object) -> bytes:
            if table is Table.OUTBOX:
                raise MemoryError
            return seal(self, table, *rest)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(DeviceStore, "_seal", fails)
            with pytest.raises(MemoryError):
                store.commit(changes)
        assert store.get(Table.STATE, "device") == b"old"
        assert store.get(Table.OUTBOX, "1") is None
        store.commit(changes)
        assert (store.get(Table.STATE, "device"), store.get(Table.OUTBOX, "1")) == (b"new", b"new")

    def test_later_changes_of_a_step_win(self, store: DeviceStore) -> None:
        changes = Changes()
        changes.put(Table.STATE, "a", value=b"1")
        changes.drop(Table.STATE, "a")
        changes.drop(Table.STATE, "b")
        changes.put(Table.STATE, "b", value=b"2")
        store.commit(changes)
        assert (store.get(Table.STATE, "a"), store.get(Table.STATE, "b")) == (None, b"2")

    def test_a_step_in_a_hurry_is_on_the_disk(self, store: DeviceStore) -> None:
        for hurry, level in ((True, 2), (False, 1), (True, 2)):
            store.commit(Changes(), hurry=hurry)
            assert store._database.execute("PRAGMA synchronous").fetchone() == (level,)
        assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


class TestSecrecy:
    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
    def test_only_its_owner_can_read_its_files(self, device: Path, umask: int) -> None:
        before = os.umask(umask)
        try:
            with closing(DeviceStore(device)) as store:
                put(store, Table.STATE, "device", value=SECRET)
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in device.parent.iterdir()}
        finally:
            os.umask(before)
        assert {"alice.db", "alice.db.key"} <= modes.keys()
        assert set(modes.values()) == {0o600}

    def test_neither_values_nor_names_can_be_read_in_it(self, device: Path) -> None:
        with closing(DeviceStore(device)) as store:
            put(store, Table.CONTACTS, "somebody-secret", value=SECRET)
            open_files = on_disk(device)
        for data in (open_files, on_disk(device)):
            assert b"contacts" in data  # it is the right file
            assert SECRET not in data
            assert b"somebody-secret" not in data

    def test_the_same_value_is_never_the_same_bytes(self, device: Path) -> None:
        with closing(DeviceStore(device)) as store:
            for name in ("a", "b"):
                put(store, Table.STATE, name, value=SECRET)
        with closing(raw(device)) as database:
            sealed = [bytes(value) for (value,) in database.execute("SELECT value FROM state")]
        with closing(DeviceStore(device)) as store:
            put(store, Table.STATE, "a", value=SECRET)
        with closing(raw(device)) as database:
            sealed += [bytes(value) for (value,) in database.execute("SELECT value FROM state")]
        salts = [value[:32] for value in sealed]
        assert len(set(salts)) == len(set(sealed)) == 3

    def test_what_was_replaced_is_not_in_the_file_any_more(self, device: Path) -> None:
        """Else whoever has file and key could open what was sealed under keys that are gone."""
        with closing(DeviceStore(device)) as store:
            put(store, Table.STATE, "device", value=SECRET * 500)
            put(store, Table.SESSIONS, "bob", "1", value=SECRET)
        with closing(raw(device)) as database:
            before = [
                bytes(value)
                for table in ("state", "sessions")
                for (value,) in database.execute(f"SELECT value FROM {table}")  # noqa: S608
            ]
        pieces = [value[start : start + 32] for value in before for start in range(0, len(value) - 32, 500)]
        assert all(piece in on_disk(device) for piece in pieces)
        with closing(DeviceStore(device)) as store:
            put(store, Table.STATE, "device", value=b"new")
            drop(store, Table.SESSIONS, "bob", "1")
        assert not [piece for piece in pieces if piece in on_disk(device)]

    def test_the_write_ahead_log_is_emptied_now_and_then(self, device: Path, store: DeviceStore) -> None:
        log = device.with_name(f"{device.name}-wal")
        sizes = []
        for step in range(40):
            put(store, Table.STATE, "device", value=SECRET * step)
            sizes.append(log.stat().st_size)
        assert sizes.count(0) == 2
        store.close()
        assert not log.exists()


class TestOtherHands:
    """The key was taken away, or somebody has written to the file."""

    @pytest.fixture
    def written(self, device: Path) -> Path:
        with closing(DeviceStore(device)) as store:
            put(store, Table.SESSIONS, "bob", "1", value=b"of bob")
            put(store, Table.SESSIONS, "carol", "1", value=b"of carol")
            put(store, Table.READERS, "bob", "1", value=b"a reader")
        return device

    def test_nothing_opens_with_another_key(self, written: Path) -> None:
        key = written.with_name("alice.db.key")
        genuine = key.read_bytes()
        key.write_bytes(bytes(32))
        with closing(DeviceStore(written)) as store:
            assert store.get(Table.SESSIONS, "bob", "1") is None  # not even the name is the same
            with pytest.raises(LabError, match="damaged or has another key"):
                list(store.rows(Table.SESSIONS))
        key.write_bytes(genuine)
        with closing(DeviceStore(written)) as store:
            assert store.get(Table.SESSIONS, "bob", "1") == b"of bob"

    @pytest.mark.parametrize("wrong", [None, b"", b"short", bytes(33)])
    def test_a_key_that_is_none_is_named(self, written: Path, wrong: bytes | None) -> None:
        key = written.with_name("alice.db.key")
        key.unlink()
        if wrong is not None:
            key.write_bytes(wrong)
        with pytest.raises(LabError, match=r"alice\.db\.key"):
            DeviceStore(written)

    def test_a_value_opens_in_its_own_row_only(self, written: Path) -> None:
        with closing(raw(written)) as database:
            names = dict(database.execute("SELECT number, name FROM sessions"))
            database.execute("UPDATE sessions SET name = NULL")
            for number, name in zip(names, reversed(names.values()), strict=True):
                database.execute("UPDATE sessions SET name = ? WHERE number = ?", (name, number))
        with closing(DeviceStore(written)) as store:
            with pytest.raises(LabError, match="damaged"):
                store.get(Table.SESSIONS, "bob", "1")
            with pytest.raises(LabError, match="damaged"):
                list(store.rows(Table.SESSIONS))

    def test_a_value_opens_in_its_own_table_only(self, written: Path) -> None:
        with closing(raw(written)) as database:
            database.execute("UPDATE sessions SET value = (SELECT value FROM readers) WHERE number = 1")
        with closing(DeviceStore(written)) as store:
            with pytest.raises(LabError, match="damaged"):
                store.get(Table.SESSIONS, "bob", "1")
            assert store.get(Table.SESSIONS, "carol", "1") == b"of carol"

    @pytest.mark.parametrize("damage", ["substr(value, 2)", "x''", "zeroblob(length(value))", "zeroblob(20)"])
    def test_a_damaged_value_is_noticed(self, written: Path, damage: str) -> None:
        with closing(raw(written)) as database:
            database.execute(f"UPDATE sessions SET value = {damage}")  # noqa: S608
        with closing(DeviceStore(written)) as store, pytest.raises(LabError, match="damaged"):
            store.get(Table.SESSIONS, "bob", "1")

    def test_a_file_that_is_no_store_is_refused(self, written: Path) -> None:
        written.write_bytes(b"This is a diary, not a database." * 100)
        with pytest.raises(LabError, match="cannot be opened"):
            DeviceStore(written)

    def test_a_folder_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(LabError, match="nowhere"):
            DeviceStore(tmp_path / "nowhere" / "alice.db")


class TestOpening:
    def test_no_second_one_opens_it(self, device: Path, store: DeviceStore) -> None:
        with pytest.raises(LabError, match="locked"):
            DeviceStore(device)
        put(store, Table.STATE, "device", value=SECRET)
        store.close()
        with closing(DeviceStore(device)) as other:
            assert other.get(Table.STATE, "device") == SECRET

    def test_every_store_has_a_key_of_its_own(self, device: Path, store: DeviceStore) -> None:
        with closing(DeviceStore(device.with_name("bob.db"))):
            keys = {path.read_bytes() for path in device.parent.glob("*.key")}
        assert sorted(map(len, keys)) == [32, 32]

    @pytest.mark.parametrize("left", [b"", b"half of a"])
    def test_a_key_that_was_never_used_is_made_anew(self, device: Path, left: bytes) -> None:
        """Somebody was interrupted while making the store."""
        device.with_name("alice.db.key").write_bytes(left)
        with closing(DeviceStore(device)) as store:
            put(store, Table.STATE, "device", value=SECRET)
        with closing(DeviceStore(device)) as store:
            assert store.get(Table.STATE, "device") == SECRET

    def test_a_store_that_was_just_begun_is_finished(self, device: Path) -> None:
        DeviceStore(device).close()
        device.write_bytes(b"")
        with closing(DeviceStore(device)) as store:
            put(store, Table.STATE, "device", value=SECRET)
            assert store.get(Table.STATE, "device") == SECRET

    def test_a_closed_store_answers_no_more(self, device: Path) -> None:
        store = DeviceStore(device)
        store.close()
        store.close()
        with pytest.raises(LabError, match="closed"):
            store.get(Table.STATE, "device")
        with pytest.raises(LabError, match="closed"):
            put(store, Table.STATE, "device", value=SECRET)
