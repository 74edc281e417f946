"""`lab export`: the files it writes, for whom they are readable, and what it says when it cannot."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from judging.recordings import TOUR

from lab import capture, cli
from lab.export.flows import to_flows
from lab.export.key_log import to_key_log
from lab.export.pcapng import to_pcapng
from lab.model import Mode
from lab.scenario.director import play
from lab.stage.stage import Stage

type Export = Callable[..., str]


@pytest.fixture(scope="module")
def folder(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings in files, as `lab run --captures` leaves them."""
    folder = tmp_path_factory.mktemp("recordings")
    for scenario in TOUR.scenarios:
        if scenario.mode is not Mode.E2EE:
            play(TOUR, scenario, stage, folder / scenario.mode, lambda _: None)
    return folder


@pytest.fixture
def export(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Export:
    """Calls the command in a folder of its own; what it says must be one line, or nothing if all went well."""
    monkeypatch.chdir(tmp_path)

    def call(recording: Path | str, *arguments: str) -> str:
        status = cli.main(["export", str(folder / recording), *arguments])
        said = capsys.readouterr()
        assert said.out == ""
        assert (status, said.err.count("\n")) in ((0, 0), (2, 1))
        return said.err

    return call


def test_one_call_writes_all_of_them_for_their_owner_alone(export: Export, folder: Path, tmp_path: Path) -> None:
    assert export("tls", "--pcapng", "p", "--keylog", "k", "--har", "h", "--flows", "f") == ""
    recording = capture.read(folder / "tls")
    assert (tmp_path / "p").read_bytes() == to_pcapng(recording)
    assert (tmp_path / "k").read_text("utf-8") == to_key_log(recording)
    assert (tmp_path / "f").read_bytes() == to_flows(recording)
    assert (tmp_path / "h").read_bytes().startswith(b'{\n "log": {')
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "pkhf"} == {0o600}


def test_an_older_file_is_replaced_and_no_longer_open_to_others(export: Export, tmp_path: Path) -> None:
    old = tmp_path / "run.keys"
    old.write_bytes(b"x" * 100_000)
    old.chmod(0o644)
    assert export("tls", "--keylog", "run.keys") == ""
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert "xx" not in old.read_text("ascii")


def test_a_dash_is_standard_output(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export", str(folder / "tls"), "--pcapng", "-"]) == 0
    assert capsysbinary.readouterr() == (to_pcapng(capture.read(folder / "tls")), b"")
    assert list(tmp_path.iterdir()) == []
    assert cli.main(["export", str(folder / "tls"), "--pcapng", "-", "--har", "-"]) == 2
    assert capsysbinary.readouterr().out == b""


def test_plaintext_needs_no_keys(export: Export, tmp_path: Path) -> None:
    said = export("plaintext", "--pcapng", "p", "--keylog", "k")
    assert "there are no TLS keys in plaintext mode" in said
    assert said.startswith("lab: ")
    assert list(tmp_path.iterdir()) == [], "all or nothing"
    assert export("plaintext", "--pcapng", "p") == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to export: give --pcapng FILE"),
        (("--har", "a", "--flows", "./a"), "a file of its own"),
        (("--har", "nowhere/a"), "nowhere/a: No such file or directory"),
        (("--har", "."), ".: Is a directory"),
    ],
)
def test_wrong_use_is_one_clear_line(export: Export, arguments: tuple[str, ...], words: str) -> None:
    assert words in export("tls", *arguments)


def test_the_recording_itself_is_never_overwritten(export: Export, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder / "tls")
    before = (folder / "tls").read_bytes()
    for target in (folder / "tls", tmp_path / "link"):
        assert "none may be the recording itself" in export("tls", "--har", str(target))
    assert (folder / "tls").read_bytes() == before


def test_what_is_no_recording(export: Export, tmp_path: Path) -> None:
    assert "missing: cannot be read" in export("missing", "--har", "h")
    (tmp_path / "other").write_text("other")
    assert "not a capture" in export(tmp_path / "other", "--har", "h")
    assert not (tmp_path / "h").exists()


def test_a_recording_without_an_observer_says_which(export: Export, folder: Path, tmp_path: Path) -> None:
    lines = (folder / "tls").read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines[:-1] if '"observer":"network"' not in line]
    (tmp_path / "half").write_text("".join(kept))
    assert "half: the network observer recorded nothing" in export(tmp_path / "half", "--pcapng", "p")
    assert export(tmp_path / "half", "--har", "h") == ""
