"""The process from which children are forked: what they have from it, what they do not, every way in which it ends."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.stage.process import Child, ChildError
from lab.stage.stage import open_stage
from lab.stage.starting import Nursery

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="cannot fork")

GUARD = 120.0
"""Seconds after which a test gives up; none of them waits for that long."""

EVALUATES = """
import json, sys
print('{"ready": {}}')
for line in sys.stdin:
    print(json.dumps({"ok": {"is": eval(json.loads(line)["evaluate"])}}))
"""

type Start = Callable[..., Child]


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules the nursery and its children can import, and nobody else."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return folder


@pytest.fixture
def nursery(modules: Path) -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def start(nursery: Nursery, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as closing:

        def start(program: str = EVALUATES, name: str = "helper") -> Child:
            child = Child(name, ["-c", program], tmp_path, nursery)
            closing.callback(child.close)
            return child

        yield start


def evaluated(child: Child, expression: str) -> object:
    return child.ask({"evaluate": expression})["is"]


def test_what_was_prepared_is_imported_once(nursery: Nursery, start: Start, modules: Path) -> None:
    (modules / "shared.py").write_text("import os\nBY = os.getpid()\n", "utf-8")
    nursery.prepare("shared")
    for name in ("one", "two"):
        child = start(name=name)
        child.ready()
        assert evaluated(child, "__import__('shared').BY") == nursery.pid
        assert evaluated(child, "__import__('os').getpid()") == child.pid != nursery.pid


def test_what_cannot_be_imported_is_the_matter_of_who_needs_it(nursery: Nursery, start: Start, modules: Path) -> None:
    (modules / "broken.py").write_text("raise RuntimeError('out of order')\n", "utf-8")
    nursery.prepare("broken")
    nursery.prepare("missing")
    content = start(name="content")
    needy = start("import broken", "needy")
    content.ready()
    assert evaluated(content, "1 + 1") == 2
    with pytest.raises(ChildError) as caught:
        needy.ready()
    assert str(caught.value) == "the needy ended unexpectedly (start): RuntimeError: out of order (exit status 1)"


def test_a_child_is_as_one_of_an_interpreter_of_its_own(start: Start, tmp_path: Path) -> None:
    child = start()
    child.ready()
    assert evaluated(child, "__name__") == "__main__"
    assert evaluated(child, "sys.argv") == ["-c"]
    assert evaluated(child, "__import__('os').getcwd()") == str(tmp_path)
    assert evaluated(child, "__import__('gc').isenabled()") is True
    assert evaluated(child, "__import__('signal').getsignal(15) == 0") is True


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="lists descriptors as Linux does")
def test_children_have_nothing_of_each_other(start: Start) -> None:
    children = [start(name=name) for name in ("one", "two", "three")]
    for child in children:
        child.ready()
    links = [
        {int(each.name): str(each.readlink()) for each in Path(f"/proc/{child.pid}/fd").iterdir()} for child in children
    ]
    for number in (0, 1, 2):
        assert len({own[number] for own in links}) == len(children)
    written = [{link for number, link in own.items() if number in (0, 1, 2)} for own in links]
    for own, others in ((links[0], written[1] | written[2]), (links[2], written[0] | written[1])):
        assert not others & set(own.values())


def test_chance_is_not_shared(nursery: Nursery, start: Start) -> None:
    for module in ("random", "ssl", "uuid", "cryptography.hazmat.primitives.asymmetric.x25519"):
        nursery.prepare(module)
    sources = (
        "__import__('random').random()",
        "__import__('ssl').RAND_bytes(16).hex()",
        "__import__('uuid').uuid4().hex",
        "__import__('cryptography.hazmat.primitives.asymmetric.x25519', fromlist=['x'])"
        ".X25519PrivateKey.generate().private_bytes_raw().hex()",
    )
    children = [start(name=name) for name in ("one", "two")]
    for child in children:
        child.ready()
    for source in sources:
        assert evaluated(children[0], source) != evaluated(children[1], source)


def test_a_file_in_the_folder_of_the_caller_does_not_stand_in_for_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    nursery = Nursery()
    child = Child("helper", ["-c", EVALUATES], work, nursery)
    child.ready()
    child.close()
    nursery.close()


def test_the_end_of_a_child_is_told_whoever_ended_it(start: Start) -> None:
    ended, killed, other = start("raise SystemExit(3)", "ended"), start(name="killed"), start(name="other")
    for child in (killed, other):
        child.ready()
    with pytest.raises(ChildError, match=r"it said nothing \(exit status 3\)$"):
        ended.ready()
    os.kill(killed.pid, signal.SIGKILL)
    with pytest.raises(ChildError, match=r"\(exit status -9\)$"):
        killed.ask({"evaluate": "1"})
    assert (ended.alive, killed.alive, other.alive) == (False, False, True)
    assert evaluated(other, "1 + 1") == 2


def pidfds(*pids: int) -> list[int]:
    return [os.pidfd_open(pid) for pid in pids]


linux = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux lets one wait for a process of others")


@linux
def test_closing_it_ends_everybody_at_once(nursery: Nursery, start: Start) -> None:
    deaf = start("""import signal, sys; signal.signal(15, signal.SIG_IGN); print('{"ready": {}}'); signal.pause()""")
    deaf.ready()
    watched = pidfds(deaf.pid)
    nursery.close()
    assert select.select(watched, [], [], 0)[0] == watched
    os.close(watched[0])
    assert not deaf.alive
    assert deaf.close() == -signal.SIGKILL
    nursery.close()  # which may be done twice


def test_it_can_be_closed_while_it_is_busy(nursery: Nursery, start: Start, modules: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "held")
    (modules / "busy.py").write_text(f"open({str(tmp_path / 'held')!r}, 'w')\nimport signal\nsignal.pause()\n", "utf-8")
    nursery.prepare("busy")
    child = start(f"open({str(tmp_path / 'never')!r}, 'w')")
    with (tmp_path / "held").open():  # it is at it now
        nursery.close()
    with pytest.raises(ChildError) as caught:
        child.ready()
    assert str(caught.value) == "the helper ended unexpectedly (start): it said nothing (exit status -9)"
    with pytest.raises(ChildError, match="the helper is gone"):
        _ = child.pid
    assert not (tmp_path / "never").exists()


@linux
def test_if_it_is_killed_its_children_count_as_killed_and_end(nursery: Nursery, start: Start) -> None:
    child = start()
    child.ready()
    watched = pidfds(child.pid)
    os.kill(nursery.pid, signal.SIGKILL)
    assert not child.alive
    assert child.close() == -signal.SIGKILL
    assert select.select(watched, [], [], GUARD)[0] == watched
    os.close(watched[0])
    late = start(name="late")
    with pytest.raises(ChildError, match=r"the late ended unexpectedly \(start\): it said nothing"):
        late.ready()


@linux
def test_a_stage_whose_nursery_is_killed_is_not_intact_and_leaves_nothing(nursery: Nursery) -> None:
    with open_stage(nursery) as stage:
        stage.ready()
        watched = pidfds(*(child.pid for child in stage.children))
        assert stage.intact
        os.kill(nursery.pid, signal.SIGKILL)
        assert not stage.intact
        directory = stage.directory
    for one in watched:
        assert select.select([one], [], [], GUARD)[0] == [one]
        os.close(one)
    assert not directory.exists()
