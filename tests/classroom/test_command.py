"""`lab class` as a person starts it, with a real stage, and what it says where it cannot be started."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import cli
from lab.capture import Writer
from lab.classroom import command
from lab.classroom.catalogue import catalogue
from lab.classroom.store import Store
from lab.model import Observer, Story
from lab.scenario.library import find
from tests.classroom.prepared import Browser, act
from tests.classroom.running import started


def test_a_class_is_held_and_its_restart_goes_on_with_it(tmp_path: Path) -> None:
    with started(tmp_path, "tour") as one:
        kim, teacher = Browser(one.port), Browser(one.port)
        assert kim.post("/api/join", {"code": one.code, "nickname": "Kim"}).status == 201
        assert teacher.get(f"/teacher?key={one.key}").status == 303
        assert "a new class" in one.printed
        assert "Other devices cannot come in" in one.printed
        assert (tmp_path / "class.sqlite").stat().st_mode & 0o777 == 0o600
        act(teacher, "pick", lesson="tour", scenario=0)
        act(teacher, "open")
        act(teacher, "close")
        act(teacher, "run")
        events = teacher.events("teacher")
        events.until(lambda state: "rest" in state["actions"])
        act(teacher, "rest")
        assert events.until(lambda state: state["measured"])["measured"]["body@network"]["exposure"] == "exposed"
        events.close()
        said = one.end()
        assert f"kept in {tmp_path / 'class.sqlite'}" in said
    assert list((tmp_path / "temporary").iterdir()) == []
    with started(tmp_path, "tour", port=one.port) as two:
        assert (two.port, two.key, two.code) == (one.port, one.key, one.code)
        assert "goes on from there" in two.printed
        assert kim.get("/api/me").json["nickname"] == "Kim"
        assert teacher.get("/api/lessons").status == 200
        two.end(signal.SIGTERM, status=128 + signal.SIGTERM)
    assert list((tmp_path / "temporary").iterdir()) == []


def recording_of(scenario: int, folder: Path) -> Path:
    """Of the tour, in which nobody has said anything yet."""
    told = find("tour").scenarios[scenario]
    path = folder / f"tour-{scenario + 1}-{told.mode}.capture.jsonl"
    with Writer(path, Story("tour", told.title, told.mode, (Observer.NETWORK,), 0.0)):
        return path


@pytest.mark.parametrize(("number", "alone"), [(2, False), (1, True)])
def test_only_what_was_recorded_is_offered(tmp_path: Path, number: int, *, alone: bool) -> None:
    options = ["--alone"] if alone else []
    with started(tmp_path, *options, "--replay", str(recording_of(number, tmp_path))) as running:
        leader = Browser(running.port)
        if alone:
            leader.post("/api/join", {"code": running.code, "nickname": "Kim"})
        else:
            leader.get(f"/teacher?key={running.key}")
        (offered,) = leader.get("/api/lessons").json
        assert (offered["name"], [one["number"] for one in offered["scenarios"]]) == ("tour", [number])
        refused = leader.post("/api/act", {"action": "pick", "lesson": "tour", "scenario": 0})
        assert (refused.status, "recordings" in refused.error) == (404, True)
        act(leader, "pick", lesson="tour", scenario=number)
        running.end()


def test_a_lesson_that_is_named_was_recorded_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state, path = tmp_path / "class.sqlite", recording_of(2, tmp_path)
    arguments = ["tour", "the-operator-reads", "--port=0", f"--state={state}", "--replay", str(path)]
    assert cli.main(["class", *arguments]) == cli.WRONG_USE
    printed = capsys.readouterr().err
    assert printed == "lab: --replay: the-operator-reads was not recorded; give a recording of it, or leave it out\n"
    assert not state.exists()


@contextmanager
def at_once() -> Iterator[int]:
    """Ctrl-C that comes before anybody waits for it."""
    reading, writing = os.pipe()
    os.close(writing)
    yield reading
    os.close(reading)


def test_a_new_class_leaves_the_old_one_as_it_is(
    tmp_path: Path,
    lend: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lend(monkeypatch)
    monkeypatch.setattr(command, "interrupt", at_once)
    codes = []
    for _ in range(2):
        arguments = ["tour", "--new", "--alone", "--port=0", f"--state={tmp_path / 'class.sqlite'}"]
        assert cli.main(["class", *arguments]) == 0
        found = re.search(r"#code=(\w+)", capsys.readouterr().out)
        assert found
        codes.append(found[1])
    assert len(set(codes)) == 2
    assert {path.name for path in tmp_path.glob("*.sqlite*")} == {"class.sqlite", "class-1.sqlite"}
    with Store(tmp_path / "class-1.sqlite") as store:
        assert store.once("code", lambda: "") == codes[0]


@pytest.mark.parametrize("alone", [False, True])
def test_in_german_the_command_says_no_english_sentence(
    tmp_path: Path,
    lend: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    alone: bool,
) -> None:
    lend(monkeypatch)
    monkeypatch.setattr(command, "interrupt", at_once)
    said = {}
    for language in ("en", "de"):
        arguments = ["tour", "--port=0", f"--state={tmp_path / f'{language}.sqlite'}", *["--alone"] * alone]
        assert cli.main(["class", *arguments, "--language", language]) == 0
        said[language] = capsys.readouterr().out
    sentences = {
        key: max(re.split(r"\{\w+\}", text), key=len).strip()
        for key, text in catalogue("en").tables["terminal"].items()
        if len(text) > 10
    }
    english = {key for key, sentence in sentences.items() if sentence in said["en"]}
    assert {"hint", "ended", "new", *(() if alone else ("for_you", "for_projector", "nobody_else"))} <= english
    assert [key for key in english if sentences[key] in said["de"]] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "65536"], "port 65536 is none"),
        (["--port", "-1"], "port -1 is none"),
        (["tour", "--port", "TAKEN"], "is not to be had"),
        (["--lan", "--alone"], "give one of them"),
        (["--speed", "-1"], "--speed -1 is none"),
        (["--speed", "nan"], "--speed nan is none"),
        (["--language", "xx"], "no language xx"),
        (["nothing"], "no lesson of this name"),
        (["--replay", "nothing.capture.jsonl"], "nothing.capture.jsonl: cannot be read"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        given = [one.replace("TAKEN", str(other.getsockname()[1])) for one in arguments]
        assert cli.main(["class", *given]) == cli.WRONG_USE
    printed = capsys.readouterr()
    assert printed.err.startswith("lab: ")
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_a_state_that_is_in_use_or_of_something_else_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("Dear Bob, this is longer than the head of a database, which has a hundred bytes." * 2)
    with Store(tmp_path / "class.sqlite"):
        for path in (tmp_path / "class.sqlite", other):
            for new in ([], ["--new"]):
                assert cli.main(["class", "tour", "--port", "0", "--state", str(path), *new]) == cli.WRONG_USE
                assert capsys.readouterr().err.startswith(f"lab: {path}: ")
    assert other.read_text().startswith("Dear Bob")
    assert (tmp_path / "class.sqlite").exists()


def test_without_a_wish_the_port_stays_the_one_that_the_class_began_with(tmp_path: Path) -> None:
    with Store(tmp_path / "class.sqlite") as store:
        with command.listening(store, None, None) as listeners:
            first = listeners[0].getsockname()
        with command.listening(store, None, None) as listeners:
            assert listeners[0].getsockname() == first
            with command.listening(store, None, None) as others:
                assert others[0].getsockname() != first
        with command.listening(store, 0, None) as listeners:
            assert listeners[0].getsockname()[0] == "127.0.0.1"


def test_in_the_network_it_listens_there_and_on_loopback_alone(tmp_path: Path) -> None:
    with (
        Store(tmp_path / "class.sqlite") as store,
        command.listening(store, 0, "127.0.0.2") as listeners,
    ):
        (here, port), (there, other) = (one.getsockname() for one in listeners)
        assert (here, there) == ("127.0.0.1", "127.0.0.2")
        assert port == other


def test_the_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["class", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for option in ("--language", "--port", "--lan", "--alone", "--state", "--new", "--replay", "--speed"):
        assert option in said
    assert "without TLS" in said
