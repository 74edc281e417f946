"""The README is true: its commands run, its picture is what they print, its tree is the tree."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from lab import capture
from lab.cli import main
from lab.matrix import judge
from lab.model import LeakMatrix, Mode
from lab.scenario import load, run
from lab.scenario.run import Session

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

INSTALLING = {"make demo", "pip install ."}
"""Run by .ci/run."""


RUN_UNTIL_CTRL_C = ("lab up ", "lab class")
"""Started and ended by tests/phones and tests/classroom."""

ASKS = "lab guide"
"""Waits for somebody who answers: tests/guide does."""


def commands(text: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]


def test_the_readme_prints_commands() -> None:
    assert set(commands(README)) > INSTALLING
    assert len(commands(README)) > 10


def test_the_installing_commands_are_run_by_ci() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make demo" in script
    assert re.search(r"pip install .* \.$", script, flags=re.MULTILINE)


def _others() -> list[str]:
    """All but those that CI or other tests run, each once. The run that is going on collects the lessons as pytest
    does."""
    left_out = ("pytest ", *RUN_UNTIL_CTRL_C, ASKS)
    return [one for one in dict.fromkeys(commands(README)) if one not in INSTALLING and not one.startswith(left_out)]


RECORDING = "lab run --captures recordings"
OF_RECORDINGS = [one for one in _others() if "recordings" in one and one != RECORDING]
RUNS = [one for one in _others() if one.startswith("lab run") and one != RECORDING]
"""They differ from that one in what they hold, which pytest holds too, and in what they make of the verdicts."""

ALONE = [one for one in _others() if one not in (RECORDING, *OF_RECORDINGS, *RUNS)]


PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

type Call = Callable[[str], str]


def do(command: str, folder: Path) -> str:
    """What a command of the README prints, which has to end well and without a complaint."""
    environment = {**os.environ, "PATH": PATH}
    done = subprocess.run(  # noqa: S602 - the README is ours, and its commands are for a shell
        command, shell=True, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=120
    )
    assert (done.returncode, done.stderr) == (0, ""), command
    return done.stdout


@pytest.fixture
def call(
    lend: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """Does the same in this process, which has imported already what the command needs."""
    lend(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", PATH)

    def call(command: str) -> str:
        program, *arguments = shlex.split(command)
        assert program == "lab"
        assert main(arguments) == 0
        printed, complaints = capsys.readouterr()
        assert complaints == ""
        return printed

    return call


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the command prints that holds the whole tour, and the folder of its recordings."""
    folder = tmp_path_factory.mktemp("readme")
    return do(RECORDING, folder), folder / "recordings"


@pytest.fixture(scope="module")
def recordings(held: tuple[str, Path]) -> Path:
    return held[1]


@pytest.fixture(scope="module")
def verdicts(recordings: Path) -> Mapping[Mode, LeakMatrix]:
    matrices = [judge(capture.read(path)) for path in recordings.iterdir()]
    return {matrix.mode: matrix for matrix in matrices}


def test_the_tour_prints_what_the_readme_says_and_every_recording_is_kept(held: tuple[str, Path]) -> None:
    printed, recordings = held
    assert picture(printed) == picture(tour_in_the_readme())
    assert len(list(recordings.iterdir())) == 3


@pytest.mark.parametrize("command", OF_RECORDINGS)
def test_a_command_does_with_recordings_what_the_readme_says(recordings: Path, tmp_path: Path, command: str) -> None:
    kept = tmp_path / "recordings"
    kept.mkdir()
    # A scan looks at any number of files, one after the other: one is enough.
    for file in recordings.glob("tour-2-*" if command.startswith("lab scan ") else "*"):
        shutil.copy(file, kept)
    do(command, tmp_path)
    assert all((tmp_path / name).exists() for name in written(command))


@pytest.mark.parametrize("command", ALONE)
def test_a_command_does_what_the_readme_says(call: Call, tmp_path: Path, command: str) -> None:
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    call(command)


@pytest.mark.parametrize("command", RUNS)
def test_a_command_holds_and_prints_what_the_readme_says(
    command: str, verdicts: Mapping[Mode, LeakMatrix], call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the verdicts on the tour, which are there already."""
    lesson, mode = re.fullmatch(r"lab run(?: ([a-z-]+))?(?: --mode (\w+))?(?: --.*)?", command).groups()  # type: ignore[union-attr]
    scenarios = load(ROOT / "scenarios" / f"{lesson or 'tour'}.feature.md").scenarios
    wanted = [one for one in scenarios if mode in (None, one.mode)]

    def hold(sessions: Sequence[Session], *_: object) -> Iterator[LeakMatrix]:
        assert [one.scenario for one in sessions] == wanted
        yield from (verdicts[one.scenario.mode] for one in sessions)

    monkeypatch.setattr(run, "hold", hold)
    printed = call(command)
    assert printed.count("(tour, mode ") == len(wanted) > 0
    if lesson in (None, "tour") and mode is None:
        assert picture(printed) == picture(tour_in_the_readme())
    assert all((tmp_path / name).exists() for name in written(command))


def written(command: str) -> list[str]:
    """The files that a command says it writes."""
    return re.findall(r"--(?:json|html|har|flows|pcapng|keylog|gift) ([\w.]+)", command)


def test_the_page_about_lessons_can_be_followed_to_the_letter(call: Call, tmp_path: Path) -> None:
    page = (ROOT / "scenarios" / "README.md").read_text(encoding="utf-8")
    assert [command.split()[1] for command in commands(page)] == ["new", "check", "run", "handout", "export"]
    printed = [call(command) for command in commands(page)]
    assert printed[1] == "1 lesson, no problem\n"
    assert "6 of 6 claims hold." in printed[2]
    assert {path.name for path in tmp_path.iterdir()} == {"hello.feature.md", "hello-handout.html", "hello.gift"}


def test_there_are_commands_of_each_kind() -> None:
    assert RECORDING in _others()
    assert min(len(ALONE), len(OF_RECORDINGS), len(RUNS)) >= 3
    assert {name for one in _others() for name in written(one)} >= {"result.json", "report.html", "run.pcapng"}


def tour_in_the_readme() -> str:
    found = re.search(r"<!-- tour -->\n```text\n(.*?)```\n<!-- /tour -->", README, flags=re.DOTALL)
    assert found
    return found[1]


def picture(output: str) -> list[str]:
    """The lines of titles, matrices and summary; the examples between them differ from run to run."""
    head = r"\s+network +(?:interceptor +)?server"
    wanted = re.compile(rf"\S.*\(tour, mode|{head}|  [a-z]+ +(exposed|hidden|inferred)|\d+ of \d+ claims")
    return [line.rstrip() for line in output.splitlines() if wanted.match(line)]


def test_a_picture_that_lies_is_noticed() -> None:
    assert len(picture(tour_in_the_readme())) == 3 * 10 + 1
    assert picture(tour_in_the_readme().replace("hidden  ", "exposed ")) != picture(tour_in_the_readme())


def test_the_tree_in_the_readme_is_the_tree() -> None:
    block = README.split("## Finding your way", 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    named = {line.split()[0] for line in block.splitlines()}
    assert all((ROOT / name).exists() for name in named)
    parts = {f"lab/{path.name}/" for path in (ROOT / "lab").iterdir() if (path / "__init__.py").exists()}
    assert parts <= named


@pytest.mark.parametrize("page", ["README.md", "scenarios/README.md", "addons/README.md", "CHANGELOG.md"])
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_every_command_and_option_of_the_readme_is_in_the_help() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "lab", "--help"], capture_output=True, encoding="utf-8", check=True
    ).stdout
    used = {command.split()[1] for command in commands(README) if command.startswith("lab ")}
    assert used
    assert all(re.search(rf"^\s+{name}\s", helped, flags=re.MULTILINE) for name in used)


def test_make_help_lists_every_target() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    make = shutil.which("make")
    assert make
    listed = subprocess.run([make, "help"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    assert all(f"make {target} " in listed for target in targets)
