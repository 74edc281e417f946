"""A child process and its parent: commands, answers, and every way in which either of them can end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.stage.process import Child, ChildError
from lab.stage.starting import Nursery, Spawner, Starter

GUARD = 120.0
"""Seconds after which a test gives up; none of them waits for that long."""

OBEDIENT = """
import json, os, sys
print(json.dumps({"ready": {}}))
for line in sys.stdin:
    command = json.loads(line)
    match command:
        case {"add": [a, b]}: print(json.dumps({"ok": {"sum": a + b}}))
        case {"environment": _}: print(json.dumps({"ok": dict(os.environ)}))
        case {"refuse": why}: print(json.dumps({"error": why}))
        case {"babble": _}: print(json.dumps({"ok": "not an object"}))
        case {"delay": _}: sys.stdin.readline(); print(json.dumps({"ok": {"late": True}}))
        case {"chat": _}: print("a line for people"); print("[1, 2]"); print(json.dumps({"ok": {}}))
        case {"die": words}: sys.exit(words)
"""

type Start = Callable[..., Child]


STARTERS = [Spawner, pytest.param(Nursery, marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="cannot fork"))]


@pytest.fixture(params=STARTERS)
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts children that run a program, and ends those that are left."""
    children: list[Child] = []
    starters: list[Starter] = []

    def start(program: str = OBEDIENT, name: str = "helper") -> Child:
        if not starters:
            starters.append(request.param())
        children.append(Child(name, ["-c", program], tmp_path, starters[0]))
        return children[-1]

    yield start
    for child in children:
        child.close()
    for starter in starters:
        starter.close()


@pytest.fixture
def helper(start: Start) -> Child:
    child = start()
    child.ready()
    return child


def test_it_starts_answers_and_ends_when_it_is_told_to(helper: Child) -> None:
    assert helper.ask({"add": [2, 3]}) == {"sum": 5}
    assert helper.ask({"add": [4, 5]}) == {"sum": 9}
    assert helper.alive
    pid = helper.pid
    assert helper.close() == -signal.SIGKILL
    assert not helper.alive
    with pytest.raises(ProcessLookupError):  # not even a zombie is left
        os.kill(pid, 0)


def test_an_interrupt_on_the_terminal_is_not_for_it(helper: Child) -> None:
    assert os.getsid(helper.pid) != os.getsid(0)


def test_a_refusal_is_an_error_and_the_child_goes_on(helper: Child) -> None:
    with pytest.raises(ChildError) as caught:
        helper.ask({"refuse": "the port is taken"})
    assert str(caught.value) == "the helper could not refuse: the port is taken"
    assert helper.ask({"add": [1, 1]}) == {"sum": 2}


def test_an_answer_of_the_wrong_shape_is_an_error(helper: Child) -> None:
    with pytest.raises(ChildError, match=r"^the helper gave no proper answer to babble: "):
        helper.ask({"babble": 1})


def test_lines_for_people_are_not_answers(helper: Child) -> None:
    assert helper.ask({"chat": 1}) == {}
    assert helper.ask({"add": [1, 2]}) == {"sum": 3}


def test_a_child_that_cannot_start_is_quoted(start: Start) -> None:
    child = start("import sys; print('first this'); sys.exit('the option is wrong')", "tap")
    with pytest.raises(ChildError) as caught:
        child.ready()
    assert str(caught.value) == "the tap ended unexpectedly (start): the option is wrong (exit status 1)"


def test_a_child_that_says_something_else_first_did_not_start(start: Start) -> None:
    child = start('print(\'{"error": "no room"}\')')
    with pytest.raises(ChildError, match=r"^the helper did not start properly: "):
        child.ready()


def test_a_child_that_ends_without_a_word(start: Start) -> None:
    with pytest.raises(ChildError) as caught:
        start("").ready()
    assert str(caught.value) == "the helper ended unexpectedly (start): it said nothing (exit status 0)"


def test_a_child_that_dies_over_a_command_is_quoted_now_and_later(helper: Child) -> None:
    with pytest.raises(ChildError) as caught:
        helper.ask({"die": "out of memory"})
    assert str(caught.value) == "the helper ended unexpectedly (die): out of memory (exit status 1)"
    assert not helper.alive
    with pytest.raises(ChildError, match="out of memory"):
        helper.ask({"add": [1, 2]})


def test_a_child_that_is_killed_is_missed(helper: Child) -> None:
    os.kill(helper.pid, signal.SIGKILL)
    with pytest.raises(ChildError, match=r"^the helper .*exit status -9"):
        helper.ask({"add": [1, 2]})
    assert helper.close() == -signal.SIGKILL


def test_silence_is_an_error_and_a_late_answer_is_not_taken_for_the_next_one(helper: Child) -> None:
    with pytest.raises(ChildError) as caught:
        helper.ask({"delay": 1}, 0.01)
    assert str(caught.value) == "the helper did not answer to delay within 0 seconds"
    with pytest.raises(ChildError, match=r"^the helper .*exit status -9"):
        helper.ask({"add": [1, 2]})
    assert not helper.alive


def test_proxies_of_the_environment_are_not_passed_on(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("LAB_TEST", "kept")
    child = start()
    child.ready()
    environment = child.ask({"environment": 1})
    assert environment["LAB_TEST"] == "kept"
    assert [name for name in environment if name.upper().endswith("_PROXY")] == []


PARENT = """
import sys
from pathlib import Path
from lab.stage import starting
from lab.stage.process import Child
starter = getattr(starting, sys.argv[4])()
child = Child("helper", ["-c", sys.argv[1], sys.argv[2]], Path(sys.argv[3]), starter)
child.ready()
print(child.pid, flush=True)
sys.stdin.read()
"""

HOLDER = """
import sys
held = open(sys.argv[1], "w")
print('{"ready": {}}')
sys.stdin.read()
"""


@pytest.mark.parametrize("starter", STARTERS)
def test_a_child_whose_parent_is_killed_ends_too(tmp_path: Path, starter: type[Starter]) -> None:
    # As long as the child lives it holds the one writing end of a pipe, so the end of that pipe tells of its own.
    os.mkfifo(tmp_path / "held")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, HOLDER, str(tmp_path / "held"), str(tmp_path), starter.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        # Not blocking: a child that never opens it must not hang the test.
        held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)  # it is there
        assert select.select([held], [], [], 0)[0] == []
        parent.kill()
        assert select.select([held], [], [], GUARD)[0] == [held]
        assert os.read(held, 1) == b""
        os.close(held)


STAGE = """
import sys
from lab.stage import starting
from lab.stage.stage import open_stage
starter = getattr(starting, sys.argv[1])()
with open_stage(starter) as stage:
    print(*(child.pid for child in stage.children), starter.pid or "", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux lets one wait for a process of others")
@pytest.mark.parametrize("starter", STARTERS)
def test_taps_and_service_end_when_the_lab_is_killed_and_their_files_are_gone(
    tmp_path: Path, starter: type[Starter]
) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", STAGE, starter.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as parent:
        assert parent.stdout is not None
        watched = [os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(watched) == 3 + (starter is Nursery)
        assert select.select(watched, [], [], 0)[0] == []
        assert list(tmp_path.iterdir()) != []
        parent.kill()
        for one in watched:
            assert select.select([one], [], [], GUARD)[0] == [one]
            os.close(one)
        # The janitor, who removes the files, has the lab's own output, which ends with the last who has it.
        assert select.select([parent.stdout], [], [], GUARD)[0] == [parent.stdout]
        assert parent.stdout.read() == b""
        assert list(tmp_path.iterdir()) == []
