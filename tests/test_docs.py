"""The README is true: its commands run, its picture is what they print, its tree is the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

INSTALLING = {"make demo", "pip install ."}
"""Run by .ci/run, in environments of their own."""


RUNS_UNTIL_CTRL_C = "lab up "
"""Started and ended by tests/phones."""


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


def test_the_other_commands_do_what_the_readme_says_in_the_order_it_says(tmp_path: Path) -> None:
    """Except pytest, which would start itself; it is this very run that collects the lessons."""
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in commands(README):
        if command in INSTALLING or command.startswith(("pytest ", RUNS_UNTIL_CTRL_C)):
            continue
        done = subprocess.run(  # noqa: S602 - the README is ours, and its commands are for a shell
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=120
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        if command == "lab run":
            assert picture(done.stdout) == picture(tour_in_the_readme())
    assert (tmp_path / "result.json").exists()
    assert len(list((tmp_path / "recordings").iterdir())) == 3


def tour_in_the_readme() -> str:
    found = re.search(r"<!-- tour -->\n```text\n(.*?)```\n<!-- /tour -->", README, flags=re.DOTALL)
    assert found
    return found[1]


def picture(output: str) -> list[str]:
    """The lines of titles, matrices and summary; the examples between them differ from run to run."""
    wanted = re.compile(r"\S.*\(tour, mode|\s+network +server|  [a-z]+ +(exposed|hidden|inferred)|\d+ of \d+ claims")
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
