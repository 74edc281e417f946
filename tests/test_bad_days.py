"""Bad days, on the real processes: whatever breaks, nothing is called hidden that was not shown to be."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import resources
from lab.cli import main
from lab.messenger.content import Content
from lab.messenger.participant import Participant
from lab.model import Exposure, LeakMatrix, Observer, SecretName, exit_status
from lab.scenario import director, load, run
from lab.scenario.lesson import Lesson, Scenario
from lab.scenario.run import Progress, Session, perform
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.stage import Stage, open_stage
from lab.stage.starting import Spawner, Starter

LESSON = """# Feature: A bad day

## Scenario: Something breaks

* Given a message service in e2ee mode
* And the secrets body and password
* When alice sends bob "Meet me at 5pm"
* Then the observers can read

  |          | network | server  | database |
  | -------- | ------- | ------- | -------- |
  | body     | hidden  | hidden  | hidden   |
  | password | hidden  | exposed | hidden   |
"""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    path = tmp_path / "bad-day.feature.md"
    path.write_text(LESSON, encoding="utf-8")
    lesson = load(path)
    return Session(lesson, lesson.scenarios[0], 1)


def exposures(matrix: LeakMatrix, observer: Observer) -> set[Exposure]:
    return {matrix.cell(secret, observer).exposure for secret in matrix.rows}


def test_a_good_day(session: Session, stage: Stage, tmp_path: Path) -> None:
    """The twin of all tests below."""
    matrix = perform(session, stage, tmp_path / "good.capture.jsonl", lambda _: None)
    assert exit_status([matrix]) == 0
    assert exposures(matrix, Observer.NETWORK) == {Exposure.HIDDEN}


@pytest.mark.parametrize(
    ("victim", "moment"),
    [
        ("service", "alice and bob join"),
        ("network", "alice sends"),
        ("server", "alice sends"),
        ("service", "alice sends"),
        ("network", "collecting"),
        ("service", "collecting"),
    ],
)
def test_a_process_that_is_killed_in_the_middle(
    session: Session, starter: Starter, tmp_path: Path, victim: str, moment: str
) -> None:
    with open_stage(starter) as stage:

        def strike(what: str) -> None:
            if moment in what:
                os.kill(getattr(stage, victim).pid, signal.SIGKILL)

        matrix = perform(session, stage, tmp_path / "bad.capture.jsonl", strike)
        assert not stage.intact
    assert exit_status([matrix]) == 3
    dead = {"network": Observer.NETWORK, "server": Observer.SERVER, "service": Observer.DATABASE}[victim]
    if moment != "collecting" or victim != "service":
        # The files of a service that dies after the last message are as whole as those of one that lives.
        assert Exposure.HIDDEN not in exposures(matrix, dead)
    else:
        assert "service" in matrix.cell(SecretName.BODY, dead).reason
    if moment != "collecting":
        assert {one for observer in ON_STAGE for one in exposures(matrix, observer)} <= {
            Exposure.INCONCLUSIVE,
            Exposure.EXPOSED,
        }


@pytest.mark.parametrize(("forks", "expected"), [(False, [3, 0]), (True, [0, 3, 0])])
def test_the_next_lesson_gets_a_new_stage(
    session: Session,
    starter: Starter,
    lend: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    forks: bool,
    expected: list[int],
) -> None:
    stages: list[Stage] = []
    struck: list[int] = []

    @contextmanager
    def watched(starter: Starter | None) -> Iterator[Stage]:
        with open_stage(starter) as stage:
            stages.append(stage)
            yield stage

    def play(lesson: Lesson, scenario: Scenario, lane: Stage, path: Path, progress: Progress, *more: Any) -> None:
        def strike(what: str) -> None:
            progress(what)
            if "alice sends" in what and not struck:
                struck.append(lane.network.pid)
                os.kill(struck[0], signal.SIGKILL)

        really_play(lesson, scenario, lane, path, strike, *more)

    lend(monkeypatch)
    really_play = director.play
    monkeypatch.setattr(director, "play", play)
    monkeypatch.setattr(run, "open_stage", watched)
    first = starter if forks else Spawner()
    sessions = [Session(session.lesson, session.scenario, number) for number, _ in enumerate(expected, start=1)]
    held = run.hold(sessions, tmp_path / "captures", lambda _: None, first)
    statuses = [exit_status([one]) for one in held]
    assert len(stages) == 2
    # Of two at the same time, either may have been the first that came so far.
    assert sorted(statuses[:-1]) == expected[:-1]
    assert statuses[-1] == expected[-1]


def addons_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """The project's own addons, the network observer with `change` behind it."""
    changed = tmp_path / "addons"
    changed.mkdir()
    source = resources.folder("addons")
    for file in source.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        (changed / file.name).write_text(text + (change if file.stem == "network_observer" else ""), encoding="utf-8")
    monkeypatch.setattr(resources, "folder", lambda _: changed)


BROKEN = """

def _broken(self, flow):
    raise RuntimeError("out of ideas")


NetworkObserver.tcp_message = recorded(_broken)
"""

BLIND = """

NetworkObserver.tcp_message = lambda self, flow: None
"""


@pytest.mark.parametrize(("change", "reason"), [(BROKEN, "out of ideas"), (BLIND, "no bytes in one of its directions")])
def test_a_tap_that_raises_or_records_nothing(
    session: Session, starter: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, reason: str
) -> None:
    addons_with(tmp_path, monkeypatch, change)
    with open_stage(starter) as stage:
        matrix = perform(session, stage, tmp_path / "bad.capture.jsonl", lambda _: None)
    assert exit_status([matrix]) == 3
    assert exposures(matrix, Observer.NETWORK) == {Exposure.INCONCLUSIVE}
    assert reason in matrix.cell(SecretName.BODY, Observer.NETWORK).reason
    # Clients noticed nothing, and what the others saw is as good as ever.
    assert matrix.cell(SecretName.BODY, Observer.SERVER).exposure is Exposure.HIDDEN


def test_a_recipient_who_never_reads(
    session: Session, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Participant, "receive", lambda self: Content("something else"))
    matrix = perform(session, stage, tmp_path / "bad.capture.jsonl", lambda _: None)
    assert exit_status([matrix]) == 3
    for observer in ON_STAGE:
        cell = matrix.cell(SecretName.BODY, observer)
        assert cell.exposure is Exposure.INCONCLUSIVE
        assert "travelled" in cell.reason or "recorded" in cell.reason


def run_lab(
    *arguments: str, folder: Path, prepare: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        preexec_fn=prepare,
    )


def only_small_files() -> None:
    """What a full disk looks like to whoever writes: it fails in the middle."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_no_room_left_on_the_disk(session: Session, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = run_lab("run", str(session.lesson.path), folder=temporary, prepare=only_small_files)
    assert done.returncode in (2, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stdout
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full on this system")
def test_a_report_that_finds_no_room(
    session: Session,
    lend: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lend(monkeypatch)
    assert main(["run", str(session.lesson.path), "--json", "/dev/full"]) == 2
    assert capsys.readouterr().err == "lab: /dev/full: cannot be written: No space left on device\n"


def test_no_folder_for_temporary_files(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(tmp_path / "missing"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(OSError, match="missing"):
        list(run.hold([session], None, lambda _: None))
