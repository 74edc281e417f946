"""`lab scan` as people call it: exit statuses, bad input, secrets from a file, Ctrl-C."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from lab.cli import main

from .conftest import COMMAND_SECONDS, MAIL, TOKEN, Scan, lab_scan

PROC = Path("/proc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "with.log").write_text(f"user {MAIL} logged in", encoding="utf-8")
    (tmp_path / "without.log").write_text("nobody logged in", encoding="utf-8")
    (tmp_path / "torn.gz").write_bytes(b"\x1f\x8b\x08\x00torn")
    (tmp_path / "secrets").write_text(f"# mine\n\n mail = {MAIL} \ntoken={TOKEN}\n", encoding="utf-8")
    (tmp_path / "secrets").chmod(0o600)
    return tmp_path


# Exit statuses


@pytest.mark.parametrize(
    ("files", "status"),
    [
        (["with.log"], 1),
        (["without.log"], 0),
        (["torn.gz"], 3),
        (["torn.gz", "without.log"], 3),
        (["torn.gz", "with.log"], 1),
    ],
)
def test_the_exit_status_says_what_came_out(folder: Path, files: list[str], status: int) -> None:
    done = lab_scan(*files, "--secrets", "secrets", cwd=folder)
    assert (done.returncode, done.stderr) == (status, "")
    assert ("not searched  torn.gz" in done.stdout) is ("torn.gz" in files)


def test_part_of_a_secret_is_found_too(folder: Path, scan: Scan) -> None:
    long = "Zq7rT9wKx4mLb2vHs8nYc3dJf6gPu5eA1zR0"
    (folder / "part.log").write_text(f"token {long[:26]} and no more", encoding="utf-8")
    done = scan(folder / "part.log", secrets=[f"token={long}"])
    assert done.status == 1
    assert [one["partial"] for one in done.findings] == [26]


# Bad input


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["with.log"], "nothing to look for"),
        (["gone.log", "--secrets", "secrets"], "gone.log: no such file or folder"),
        (["with.log", "--secrets", "gone"], "gone: the secrets cannot be read"),
        (["with.log", "--secret", TOKEN], "--secret, number 1: not NAME=VALUE"),
        (["with.log", "--secret", "x=1"], "x: "),
        (["with.log", "--secrets", "secrets", "--jobs", "0"], "--jobs"),
        (["with.log", "--secrets", "secrets", "--seconds", "0"], "--seconds"),
        (["with.log", "--secrets", "secrets", "--ship"], "--cluster"),
        (["with.log", "--secrets", "secrets", "--keylog", "gone"], "gone: no such file"),
        (["with.log", "--secrets", "secrets", "--json", "gone/x"], "gone/x: cannot be written"),
        (["with.log", "--secrets", "secrets", "--json", "x", "--html", "x"], "a file of its own"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(folder)
    assert main(["scan", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("lab: ")
    assert said in err
    assert TOKEN not in err
    assert MAIL not in err


@pytest.mark.parametrize("line", [TOKEN, f"={TOKEN}", "name=", "name= \n"])
def test_a_wrong_line_in_the_file_is_named_and_not_shown(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (folder / "secrets").write_text(f"mail={MAIL}\n{line}\n", encoding="utf-8")
    assert main(["scan", str(folder / "with.log"), "--secrets", str(folder / "secrets")]) == 2
    out, err = capsys.readouterr()
    assert f"{folder / 'secrets'}:2: not NAME=VALUE" in err
    assert TOKEN not in out + err


def test_a_file_of_secrets_that_is_no_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "secrets").write_bytes(b"a=bbbbbbbb\nc=\xff\xff\n")
    assert main(["scan", str(folder), "--secrets", str(folder / "secrets")]) == 2
    assert f"{folder / 'secrets'}:2: not text in UTF-8" in capsys.readouterr().err


def test_secrets_that_others_can_read_are_warned_about(folder: Path) -> None:
    (folder / "secrets").chmod(0o644)
    done = lab_scan("without.log", "--secrets", "secrets", cwd=folder)
    assert done.returncode == 0
    assert done.stderr == "lab: secrets: others can read these secrets (chmod 600)\n"


# Reports


def test_json_on_standard_output_is_json_and_nothing_else(folder: Path) -> None:
    done = lab_scan("with.log", "--secrets", "secrets", "--json", "-", cwd=folder)
    assert done.returncode == 1
    assert json.loads(done.stdout)["scanned"] == {"files": 1, "bytes": (folder / "with.log").stat().st_size}
    assert "mail: found in 1 place" in done.stderr


def test_reports_are_for_their_owner_only(folder: Path) -> None:
    lab_scan("with.log", "--secrets", "secrets", "--json", "j", "--html", "h", "--sarif", "s", cwd=folder)
    assert [(folder / name).stat().st_mode & 0o777 for name in "jhs"] == [0o600] * 3


def test_jobs_make_no_difference(folder: Path) -> None:
    outputs = {lab_scan(".", "--secrets", "secrets", "--jobs", jobs, cwd=folder).stdout for jobs in "13"}
    assert len(outputs) == 1


def test_a_salt_finds_what_was_hashed_with_it(folder: Path, scan: Scan) -> None:
    digest = hashlib.sha256(b"pepper-1234" + MAIL.encode()).hexdigest()
    (folder / "hashed.log").write_text(f"visitor {digest}", encoding="utf-8")
    assert scan(folder / "hashed.log").status == 0
    done = scan(folder / "hashed.log", "--salt", "pepper-1234")
    assert done.status == 1


def test_a_search_that_takes_too_long_is_given_up(folder: Path, scan: Scan) -> None:
    lines = "".join(f'{{"n": {number}, "q": "%7B{number * 7919:x}%7D"}}\n' for number in range(20_000))
    (folder / "long.log").write_text(lines, encoding="utf-8")
    done = scan(folder / "long.log", "--seconds", "0.000001")
    assert done.status == 3
    assert done.gave_up


# Being interrupted


@pytest.mark.skipif(not PROC.exists(), reason="only where /proc tells about processes")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupted_scan_ends_its_workers(folder: Path, number: signal.Signals, status: int, jobs: str) -> None:
    # Behind the file with the secret, one that takes longer than anybody waits.
    with (folder / "large").open("wb") as file:
        file.truncate(2**33)
    command = [sys.executable, "-m", "lab", "scan", "with.log", "large", "--secrets", "secrets", "--jobs", jobs]
    terminal, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    with (
        open(terminal, "rb", 0) as screen,  # noqa: PTH123 - a descriptor
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=end, env=environment, start_new_session=True
        ) as process,
    ):
        try:
            os.close(end)
            shown = until(screen, b"1 found")
            workers = children(process.pid)
            process.send_signal(number)
            shown += rest(screen)
            out = (process.stdout or screen).read().decode()
            process.wait(COMMAND_SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == status
    assert b"8.0 GiB" in shown  # done and to do, in the bar
    assert len(workers) == (0 if jobs == "1" else 2)
    assert not any(alive(worker) for worker in workers)
    if number is signal.SIGINT:
        assert "mail  with.log" in out
        assert "interrupted after" in out
        assert b"lab: interrupted; everything was stopped and tidied up" in shown


def until(screen: IO[bytes], words: bytes) -> bytes:
    shown = b""
    while words not in shown:
        piece = screen.read(4096)
        assert piece, shown
        shown += piece
    return shown


def rest(screen: IO[bytes]) -> bytes:
    shown = b""
    try:
        while piece := screen.read(4096):
            shown += piece
    except OSError:  # a terminal that nobody has open any more
        pass
    return shown


def children(process: int) -> list[int]:
    """The workers of a process; the standard library has a helper of its own beside them."""
    return [
        int(entry.name)
        for entry in PROC.iterdir()
        if entry.name.isdigit() and parent(entry) == process and b"spawn_main" in (entry / "cmdline").read_bytes()
    ]


def parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has just ended
        return 0


def alive(process: int) -> bool:
    try:
        return (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
