"""The command `lab`: what it prints, where, and with which exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from lab import capture, cli, matrix, resources
from lab.model import LeakMatrix

LESSON = (resources.folder("scenarios") / "tour.feature.md").read_text("utf-8")
COMMANDS = ("run", "up", "show", "scan", "export", "explain", "keys", "list", "check", "handout", "new")

SHORT = """# Feature: A short lesson

## Scenario: One message

* Given a message service in plaintext mode
* And the secrets body
* When alice sends bob "Meet me at 5pm"
* Then the observers can read

  |      | network | server  | database |
  | ---- | ------- | ------- | -------- |
  | body | {claim} | exposed | exposed  |
"""


@pytest.fixture(scope="module", autouse=True)
def _lent(lend: Callable[[pytest.MonkeyPatch], None]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        lend(patch)
        yield


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recording of the tour's TLS session, made by the command itself."""
    folder = tmp_path_factory.mktemp("tour") / "captures"
    with pytest.MonkeyPatch.context() as patch, (folder.parent / "printed").open("w+", encoding="utf-8") as printed:
        patch.setattr(sys, "stdout", printed)
        status = cli.main(["run", "--mode", "tls", "--captures", str(folder)])
    assert status == 0
    return folder


@pytest.fixture(scope="module")
def recording(tour: Path) -> Path:
    return tour / "tour-2-tls.capture.jsonl"


@pytest.fixture(scope="module")
def verdicts(recording: Path) -> LeakMatrix:
    return matrix.judge(capture.read(recording))


@pytest.fixture
def judged(verdicts: LeakMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what becomes of the verdicts on this recording: they are there already."""
    monkeypatch.setattr(matrix, "judge", lambda _: verdicts)


def lesson(folder: Path, text: str, name: str = "mine.feature.md") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def matrix_of(printed: str) -> list[list[str]]:
    """The rows of the grid, without what differs between a recording and the terminal it is shown on."""
    return [line.split() for line in printed.split("For example")[0].splitlines() if line.strip()]


class Said:
    """What a call printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        capsys.readouterr()
        try:
            self.status: int | str | None = cli.main(arguments)
        except SystemExit as ending:  # argparse
            self.status = ending.code
        self.out, self.err = capsys.readouterr()


# Help


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help(capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    said = Said(capsys, *command, "--help")
    assert said.status == 0
    assert said.out.startswith("usage: lab")
    assert said.err == ""
    assert all(name in said.out for name in COMMANDS) or command
    assert "Exit status" in said.out or command


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "--version")
    assert (said.status, said.out) == (0, f"lab {version('mitm-lab')}\n")


@pytest.mark.parametrize(
    "arguments", [(), ("dance",), ("show",), ("run", "--mode"), ("list", "extra"), ("explain",), ("keys", "a", "b")]
)
def test_wrong_use_is_status_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    said = Said(capsys, *arguments)
    assert said.status == 2
    assert said.out == ""
    assert "usage: lab" in said.err


def test_it_runs_as_a_module_too() -> None:
    done = subprocess.run([sys.executable, "-m", "lab", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"lab {version('mitm-lab')}\n"


# Lists and checks


def test_list_names_every_lesson_that_ships(capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "list")
    assert said.status == 0
    assert said.err == ""
    for path in resources.folder("scenarios").glob("*.feature.md"):
        assert path.name.partition(".")[0] in said.out
    assert "plaintext, tls, e2ee" in said.out


def test_list_and_run_take_the_language_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Wer kann deine" in Said(capsys, "list", "--language", "de").out
    assert "Wer kann deine" not in Said(capsys, "list").out
    said = Said(capsys, "run", "tour", "--language", "fr")
    assert (said.status, said.err) == (2, "lab: lessons have no language fr; known: en, de\n")


def test_check_remarks_what_could_be_better(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = lesson(tmp_path, SHORT.format(claim="exposed"))
    said = Said(capsys, "check", path)
    assert (said.status, said.err) == (0, "")
    assert said.out == f"{path}:3: this scenario explains no wrong prediction\n1 lesson, 1 remark, no problem\n"


def test_check_finds_no_problem_in_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "check")
    assert said.status == 0
    assert said.out.endswith(", no problem\n")
    assert said.err == ""


def test_check_names_every_problem_with_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    good = lesson(tmp_path, LESSON, "good.feature.md")
    text = LESSON.replace("in plaintext mode", "in plantext mode", 1).replace("| password   |", "| pasword    |", 1)
    bad = lesson(tmp_path, text, "bad.feature.md")
    said = Said(capsys, "check", good, bad)
    assert said.status == 2
    assert said.out == ""
    lines = said.err.splitlines()
    wrong = [number for number, line in enumerate(text.splitlines(), start=1) if "plantext" in line]
    assert lines[0].startswith(f"{bad}:{wrong[0]}: ")
    assert "plaintext" in lines[0]
    assert lines[-1].startswith("lab: ")
    assert lines[-1].endswith(" in 2 lessons")
    assert Said(capsys, "check", good).status == 0


def test_check_of_a_missing_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = Said(capsys, "check", str(tmp_path / "none.feature.md"))
    assert said.status == 2
    assert "No such file" in said.err


# Bad input to a run: told before anything is started


def test_an_unknown_lesson_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "run", "toor")
    assert said.status == 2
    assert said.err == "lab: toor: no lesson of this name and no such file; did you mean tour?\n"
    known = Said(capsys, "run", "zzzzzz").err.partition("known: ")[2]
    assert "tour" in known.strip().split(", ")


def test_an_unknown_mode(capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "run", "--mode", "quantum")
    assert said.status == 2
    assert all(mode in said.err for mode in ("plaintext", "tls", "e2ee"))


def test_a_lesson_without_a_scenario_in_this_mode(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = Said(capsys, "run", lesson(tmp_path, SHORT.format(claim="exposed")), "--mode", "e2ee")
    assert said.status == 2
    assert "is in mode e2ee" in said.err


def test_a_malformed_lesson_is_not_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = Said(capsys, "run", lesson(tmp_path, SHORT.format(claim="secure ")))
    assert said.status == 2
    assert "mine.feature.md:12: " in said.err
    assert "Traceback" not in said.err


def test_a_recording_is_never_overwritten(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    before = recording.read_bytes()
    said = Said(capsys, "run", "--mode", "tls", "--captures", str(recording.parent))
    assert said.status == 2
    assert f"{recording} exists" in said.err
    assert recording.read_bytes() == before


def test_a_folder_that_cannot_be_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = Said(capsys, "run", "--mode", "tls", "--captures", str(tmp_path / "file" / "captures"))
    assert said.status == 2
    assert "no folder for captures" in said.err


# A run, and its recording judged again


def test_a_run_keeps_its_recordings_for_their_owner_alone(tour: Path, recording: Path) -> None:
    assert [path.name for path in tour.iterdir()] == [recording.name]
    assert tour.stat().st_mode & 0o777 == 0o700
    assert recording.stat().st_mode & 0o777 == 0o600


def test_show_gives_the_same_matrix_as_the_run(capsys: pytest.CaptureFixture[str], tour: Path, recording: Path) -> None:
    ran = (tour.parent / "printed").read_text("utf-8")
    said = Said(capsys, "show", str(recording))
    assert said.status == 0
    assert matrix_of(said.out) == matrix_of(ran)
    assert "32 of 32 claims hold." in said.out
    assert "32 of 32 claims hold." in ran
    assert len(matrix_of(said.out)) > 8
    assert Said(capsys, "show", str(recording)).out == said.out


@pytest.mark.usefixtures("judged")
def test_show_prints_all_evidence_on_request(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    said = Said(capsys, "show", str(recording), "--evidence")
    assert "What they read" in said.out
    assert "What they read" not in Said(capsys, "show", str(recording)).out


@pytest.mark.usefixtures("judged")
def test_json_alone_on_standard_output(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    said = Said(capsys, "show", "--json", "-", str(recording))
    assert said.status == 0
    (session,) = json.loads(said.out)["sessions"]
    assert session["mode"] == "tls"
    assert "32 of 32 claims hold." in said.err


@pytest.mark.usefixtures("judged")
def test_json_into_a_file(capsys: pytest.CaptureFixture[str], recording: Path, tmp_path: Path) -> None:
    file = tmp_path / "matrices.json"
    said = Said(capsys, "show", "--json", str(file), str(recording), str(recording))
    assert said.status == 0
    assert "64 of 64 claims hold." in said.out
    assert len(json.loads(file.read_text("utf-8"))["sessions"]) == 2


@pytest.mark.usefixtures("judged")
def test_json_where_nothing_can_be_written(capsys: pytest.CaptureFixture[str], recording: Path, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none" / "matrices.json"):
        said = Said(capsys, "show", "--json", str(place), str(recording))
        assert said.status == 2
        assert f"lab: {place}: cannot be written: " in said.err


@pytest.mark.parametrize("kept", [1, 5, 200, -1])
def test_a_recording_cut_short_is_inconclusive(
    capsys: pytest.CaptureFixture[str], recording: Path, tmp_path: Path, kept: int
) -> None:
    lines = recording.read_text("utf-8").splitlines(keepends=True)
    cut = tmp_path / "cut.capture.jsonl"
    cut.write_text("".join(lines[:kept]), encoding="utf-8")
    said = Said(capsys, "show", str(cut))
    assert said.status == 3
    assert "hidden" not in matrix_of(said.out.split("Not decided")[0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a capture"),
        (b"hello\n", "not a capture"),
        (b"\xff\xfe", "not a capture"),
        (b'{"is":"capture","format":99}\n', "newer than this lab"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_recording(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "other"
    if content is not None:
        path.write_bytes(content)
    said = Said(capsys, "show", str(path))
    assert said.status == 2
    assert said.err.startswith(f"lab: {path}: ")
    assert words in said.err
    assert said.err.count("\n") == 1


def test_a_damaged_recording_is_refused_with_its_line(
    capsys: pytest.CaptureFixture[str], recording: Path, tmp_path: Path
) -> None:
    lines = recording.read_text("utf-8").splitlines(keepends=True)
    lines[2] = lines[2].replace('"value":', '"worth":')
    damaged = tmp_path / "damaged"
    damaged.write_text("".join(lines), encoding="utf-8")
    said = Said(capsys, "show", str(damaged))
    assert said.status == 2
    assert said.err.startswith(f"lab: {damaged}:3: damaged: ")


def test_a_value_too_short_to_search_for_is_refused(
    capsys: pytest.CaptureFixture[str], recording: Path, tmp_path: Path
) -> None:
    lines = recording.read_text("utf-8").splitlines(keepends=True)
    secret = json.loads(lines[1])
    lines[1] = json.dumps({**secret, "value": "Ym9i"}) + "\n"
    short = tmp_path / "short"
    short.write_text("".join(lines), encoding="utf-8")
    said = Said(capsys, "show", str(short))
    assert said.status == 2
    assert said.err.startswith("lab: ")
    assert "at least 8" in said.err


def test_a_wrong_claim_is_status_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = Said(capsys, "run", lesson(tmp_path, SHORT.format(claim="hidden ")))
    assert said.status == 1
    assert "Wrong claims" in said.out
    assert "2 of 3 claims hold; 1 failed." in said.out
    assert said.err == ""


# Ways in which a run ends that are nobody's plan


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """That of a child whose temporary files go into a folder of their own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    yield {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    assert list(folder.iterdir()) == []


def test_a_reader_that_goes_away_is_no_error_to_talk_about(environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # gone before the first word
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lab", "list"], stdout=writing, stderr=subprocess.PIPE, env=environment, check=False
        )
    finally:
        os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 2


def processes_of(session: int) -> list[int]:
    """The ids of all processes whose temporary folder is that of the run, by what they were started with."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            environ = path.read_bytes()
        except OSError:
            continue  # it has ended, or is somebody else's
        if f"\0LAB_TEST_RUN={session}\0".encode() in b"\0" + environ:
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes by their environment")
@pytest.mark.parametrize("arguments", [("nothing",), ("--mode", "morse"), ("broken.feature.md",)])
def test_bad_input_leaves_nothing_behind(
    environment: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    lesson(tmp_path, "# Feature: Broken\n", "broken.feature.md")
    mark = os.getpid()
    done = subprocess.run(
        [sys.executable, "-m", "lab", "run", *arguments],
        cwd=tmp_path,
        env={**environment, "LAB_TEST_RUN": str(mark)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == cli.WRONG_USE
    assert processes_of(mark) == []


ENDINGS = [
    ("SIGINT", cli.INTERRUPTED, "lab: interrupted; everything was stopped and tidied up\n"),
    ("SIGTERM", 128 + signal.SIGTERM, ""),
]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes by their environment")
@pytest.mark.parametrize(("name", "status", "words"), ENDINGS)
def test_an_interrupted_run_leaves_nothing_behind(
    environment: dict[str, str], tmp_path: Path, name: str, status: int, words: str
) -> None:
    mark = os.getpid()
    one = SHORT.format(claim="exposed")
    story = one[one.index("## ") :]
    stories = (story.replace("One message", name) for name in ("Another", "A third", "A fourth"))
    several = lesson(tmp_path, "\n".join([one, *stories]))
    run = subprocess.Popen(
        [sys.executable, "-m", "lab", "run", several],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "LAB_TEST_RUN": str(mark)},
        start_new_session=True,
    )
    assert run.stdout is not None
    # The first session is over and the last ones are on their way: taps and service are up.
    for line in run.stdout:
        if "Controls" in line:
            break
    assert len(processes_of(mark)) >= 4
    run.send_signal(getattr(signal, name))
    _, errors = run.communicate(timeout=120)
    assert (run.returncode, errors) == (status, words)
    assert processes_of(mark) == []
