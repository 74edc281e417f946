"""Temporary folders are gone again, at whichever moment Ctrl-C comes."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import pytest

from lab.temporary import temporary_folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def test_a_folder_is_its_owners_and_gone_afterwards(place: Path) -> None:
    with temporary_folder("lab-try-") as folder:
        (folder / "file").write_bytes(b"x")
        assert folder.parent == place
        assert folder.name.startswith("lab-try-")
        assert folder.stat().st_mode & 0o077 == 0
    assert list(place.iterdir()) == []


def test_ctrl_c_while_a_place_is_looked_for_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tries_it_out() -> str:
        file = tmp_path / "tried"
        file.touch()
        signal.raise_signal(signal.SIGINT)
        file.unlink()
        return str(tmp_path)

    monkeypatch.setattr(tempfile, "gettempdir", tries_it_out)
    with pytest.raises(KeyboardInterrupt), temporary_folder():
        pass
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_right_after_a_folder_was_made_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def interrupted(path: Path, mode: int) -> None:
        make(path, mode)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), temporary_folder():
        pass
    assert list(place.iterdir()) == []


def test_no_room_is_told_as_it_is(place: Path) -> None:
    place.rmdir()
    with pytest.raises(FileNotFoundError), temporary_folder():
        pass
