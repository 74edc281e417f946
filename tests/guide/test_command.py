"""`lab guide` as people start it, with real stages behind it."""

from __future__ import annotations

import json
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from phones.test_up import processes_in

from guide.lessons import TEXT
from guide.terminal import guided
from lab import capture
from lab.cli import main
from lab.matrix import judge
from lab.model import Exposure, Observer, SecretName

ANSWERS = """\
part 1
body@server hidden
service@network exposed
evidence body@network
because TLS ends there.
"""


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    file = tmp_path / "short.feature.md"
    file.write_text(TEXT, encoding="utf-8")
    return file


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def test_a_scripted_run_in_plain_text(
    lesson: Path,
    tmp_path: Path,
    lend: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = tmp_path / "answers.txt"
    answers.write_text(ANSWERS, encoding="utf-8")
    kept, captures = tmp_path / "kept.json", tmp_path / "captures"
    arguments = [str(lesson), "--answers", str(answers), "--transcript", str(kept), "--captures", str(captures)]
    lend(monkeypatch)
    assert main(["guide", *arguments]) == 0
    printed, complaint = capsys.readouterr()
    assert complaint == ""
    said = " ".join(printed.split())  # where a line ends depends on how long a random name is
    assert "\x1b" not in said
    parts = [
        "Once it is locked",
        "Next: alice sends bob",
        'while this was done: alice sends bob "Meet me at 5pm" network: ',
        "it saw: 17 03 03",
        "body: network hidden, server exposed (!= hidden), database exposed",
        "-- Evidence: body@network --",
        "whoever ends TLS have",
        "Not what you said: body@server",
        "the company reads along",
        "Why is it so?",
        "Part 2 of 2",
    ]
    before, _, rest = said.partition("Can network read")
    assert "Alice writes to Bob." in before
    assert "expose" not in before
    for part in parts:
        _, found, rest = rest.partition(part)
        assert found, part
    (recording,) = captures.iterdir()
    matrix = judge(capture.read(recording))
    assert matrix.cell(SecretName.BODY, Observer.NETWORK).exposure is Exposure.HIDDEN
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    (one,) = json.loads(kept.read_text(encoding="utf-8"))["tries"]
    assert one["grades"] == {"body@server": "wrong", "service@network": "right"}


def test_at_a_terminal_of_80_by_24_a_wrong_prediction_gets_its_explanation(lesson: Path, work: Path) -> None:
    with guided(work, [str(lesson), "--cells", "body@server"]) as terminal:
        terminal.see("A short lesson", "Alice writes to Bob.", "Enter go on")
        terminal.press("\r\r")
        terminal.see("What is going to happen", f"[alice, bob]{'═' * 6}▶[network]", "[database]")
        terminal.resize(200, 50)
        terminal.see(f"[alice, bob]{'═' * 30}")
        terminal.press("\r")
        terminal.see("0 of 1 predicted", "Can server read body", "3 hidden")
        terminal.press("3")
        assert "exposed" not in terminal.see("Lock your prediction", "Enter lock")
        terminal.press("\r")
        terminal.see("0 of 1 steps done", "network", "server", "database", "Next: alice sends bob", "Enter do it")
        terminal.press("\r")
        terminal.see("1 of 1 steps done", "network", "17 03 03", "Everything was said")
        terminal.press("\r")
        terminal.see("0 right, 1 not right", "You said: hidden", "Measured: exposed")
        terminal.press("e")
        terminal.see("Evidence: body@server", "HTTP", "Meet me at 5pm")
        terminal.press("e\r")
        terminal.see("Not what you said: body@server", "the company reads along")
        terminal.press("\r")
        terminal.see("Why is it so?")
        terminal.press("It ends there.\r")
        terminal.see("Part 2 of 2")
        terminal.press("\r\r\r\r")
        terminal.see("0 of 2 steps done", "Next: alice sends bob")
        terminal.press("\rq")  # while a message is under way
        assert terminal.end() == 0
    assert terminal.said.rstrip().endswith("\x1b[?25h"), "the cursor is there again"
    assert list(work.iterdir()) == []
    assert processes_in(work) == []


def test_ctrl_c_in_the_middle_of_the_story_leaves_nothing(lesson: Path, work: Path) -> None:
    with guided(work, [str(lesson)]) as terminal:
        terminal.see("A short lesson")
        terminal.press("\r\r\r\r\r")
        terminal.see("Next: alice sends bob", "Enter do it")
        assert len(processes_in(work)) >= 3
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
    assert terminal.said.rstrip().endswith("lab: interrupted; everything was stopped and tidied up")
    assert list(work.iterdir()) == []
    assert processes_in(work) == []


def test_what_cannot_be_done_is_said_before_anything_starts(
    lesson: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = tmp_path / "answers.txt"
    answers.write_text("part 7\n", encoding="utf-8")
    (full := tmp_path / "full").mkdir()
    (full / "old.capture.jsonl").touch()
    for arguments, sentence in (
        (["--answers", str(answers)], "the lesson short has no part 7, only 2"),
        (["--answers", str(tmp_path / "none")], "none: cannot be read: No such file or directory"),
        (["--cells", "size@network"], "size@network: no part of the lesson short has this cell"),
        (["--transcript", str(answers)], "answers.txt: no file for the transcript: File exists"),
        (["--captures", str(full)], "old.capture.jsonl exists; give another folder"),
        (["--language", "fr"], "lessons have no language fr; known: en, de"),
        (["--show", str(answers)], "not a transcript"),
    ):
        assert main(["guide", str(lesson), *arguments]) == 2
        printed, complaint = capsys.readouterr()
        assert printed == ""
        assert sentence in complaint
        assert complaint.count("\n") == 1
