"""What is typed on real taps: verdicts while the conversation goes on, and the record that they rest on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from judging.recordings import about, cells

from lab import capture
from lab.matrix import judge
from lab.model import Capture, Event, Exposure, LabError, LeakMatrix, Mode, Note, Observer, SecretName
from lab.phones.phones import LONGEST, Phones, TypingError, open_phones
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.stage import Stage, open_stage
from lab.stage.starting import Starter

TEXT = "Meet me at 5pm"


@contextmanager
def talking(stage: Stage, mode: Mode, folder: Path) -> Iterator[Phones]:
    with open_phones(stage, mode, folder / "whole") as phones:
        yield phones


def verdicts(matrix: LeakMatrix, name: SecretName) -> list[Exposure]:
    return [matrix.cell(name, observer).exposure for observer in ON_STAGE]


EXPOSED, HIDDEN = Exposure.EXPOSED, Exposure.HIDDEN
BODY = {
    Mode.PLAINTEXT: [EXPOSED, EXPOSED, EXPOSED],
    Mode.TLS: [HIDDEN, EXPOSED, EXPOSED],
    Mode.E2EE: [HIDDEN, HIDDEN, HIDDEN],
}


@pytest.mark.parametrize("mode", list(Mode))
def test_who_could_read_it_is_known_at_any_time_and_at_the_end(stage: Stage, mode: Mode, tmp_path: Path) -> None:
    with talking(stage, mode, tmp_path) as phones:
        sent = phones.send("alice", f"  {TEXT}\n")
        assert sent.text.startswith(f"{TEXT} [")
        assert sent.sender == phones.people["alice"].account
        first = phones.matrix()
        assert [control for control in first.controls if not control.passed] == []
        assert verdicts(first, SecretName.BODY) == BODY[mode]
        assert first.secrets[SecretName.SENDER] == phones.people["alice"].account
        assert first.secrets[SecretName.RECIPIENT] == phones.people["bob"].account
        assert not any(cell.exposure is Exposure.INCONCLUSIVE for cell in first.cells)

        answer = phones.send("bob", "Right. 😀 <b>")
        second = phones.matrix()
        assert verdicts(second, SecretName.BODY) == BODY[mode]
        assert second.secrets[SecretName.BODY] == f"{sent.text}, {answer.text}"
        assert not any(cell.exposure is Exposure.INCONCLUSIVE for cell in second.cells)
        assert phones.messages == (sent, answer)
    with pytest.raises(LabError, match="the conversation is over"):
        phones.send("alice", "One more thing")
    whole = capture.read(tmp_path / "whole")
    assert whole.missing == ()
    assert [(cell.secret, cell.observer, cell.exposure) for cell in judge(whole).cells] == [
        (cell.secret, cell.observer, cell.exposure) for cell in second.cells
    ]
    assert stage.intact


def test_the_keys_of_both_phones_are_in_one_file_for_wireshark(stage: Stage, tmp_path: Path) -> None:
    with talking(stage, Mode.TLS, tmp_path) as phones:
        phones.send("bob", TEXT)
        assert phones.keys is not None
        lines = phones.keys.read_text("ascii").splitlines()
        assert phones.keys.stat().st_mode & 0o777 == 0o600
    kept = {one.who: one.lines.splitlines() for one in capture.read(tmp_path / "whole").tls_keys}
    assert {line for line in lines if not line.startswith("#")} == {*kept["alice"], *kept["bob"]}
    with open_phones(stage, Mode.PLAINTEXT, tmp_path / "plain") as phones:
        assert phones.keys is None


def test_what_cannot_be_sent_is_refused_in_a_sentence_and_leaves_no_trace(stage: Stage, tmp_path: Path) -> None:
    with talking(stage, Mode.PLAINTEXT, tmp_path) as phones:
        with pytest.raises(TypingError, match="Nothing was typed yet"):
            phones.matrix()
        for who, text, why in [
            ("eve", TEXT, "alice and bob"),
            (["alice"], TEXT, "alice and bob"),
            ("alice", "", "nothing to send"),
            ("alice", " \n", "nothing to send"),
            ("alice", None, "nothing to send"),
            ("alice", "\ud800", "half of a character"),
            ("alice", "x" * (LONGEST + 1), f"{LONGEST + 1} characters; {LONGEST} is the most"),
        ]:
            with pytest.raises(TypingError, match=why):
                phones.send(who, text)
        assert phones.messages == ()
        longest = phones.send("alice", "é" * LONGEST)
        assert [one.text for one in phones.messages] == [longest.text]
        assert verdicts(phones.matrix(), SecretName.BODY) == BODY[Mode.PLAINTEXT]


def test_a_conversation_that_broke_off_says_so_and_hides_nothing(starter: Starter, tmp_path: Path) -> None:
    with open_stage(starter) as stage, talking(stage, Mode.E2EE, tmp_path) as phones:
        phones.send("alice", TEXT)
        os.kill(stage.server.pid, 9)
        for _ in range(2):
            with pytest.raises(LabError, match=r"the conversation broke off: .*start it again"):
                phones.send("bob", "Are you there?")
        matrix = phones.matrix()
        assert verdicts(matrix, SecretName.BODY) == [Exposure.INCONCLUSIVE] * 3


# The record of a conversation that goes on


@pytest.fixture(scope="module")
def going_on(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    with talking(stage, Mode.E2EE, tmp_path_factory.mktemp("phones")) as phones:
        phones.send("alice", TEXT)
        return phones.so_far()


def last_checkpoint(recording: Capture, observer: Observer) -> Note:
    note = [one for one in recording.notes if one.observer is observer][-1]
    assert note.event is Event.CHECKPOINT
    return note


def without(recording: Capture, observer: Observer) -> Capture:
    lost = last_checkpoint(recording, observer)
    return replace(recording, notes=tuple(one for one in recording.notes if one is not lost))


def older(recording: Capture, observer: Observer) -> Capture:
    note = last_checkpoint(recording, observer)
    early = replace(note, time=max(one.time for one in recording.statements) - 0.001)
    return replace(recording, notes=tuple(early if one is note else one for one in recording.notes))


def also_noted(event: Event) -> Callable[[Capture, Observer], Capture]:
    def change(recording: Capture, observer: Observer) -> Capture:
        note = last_checkpoint(recording, observer)
        before = Note(observer, event, note.time, "1", "a test")
        return replace(recording, notes=(before, *recording.notes))

    return change


def fewer(recording: Capture, observer: Observer) -> Capture:
    last = [one for one in recording.observations if one.observer is observer][-1]
    return replace(recording, observations=tuple(one for one in recording.observations if one is not last))


def test_open_connections_are_no_fault_of_a_checkpoint(going_on: Capture) -> None:
    closed = [note for note in going_on.notes if note.event in (Event.CLOSED, Event.SEGMENT)]
    assert closed == []
    assert verdicts(judge(going_on), SecretName.BODY) == [HIDDEN] * 3


@pytest.mark.parametrize("observer", [Observer.NETWORK, Observer.SERVER])
@pytest.mark.parametrize(
    ("sabotage", "words"),
    [
        pytest.param(without, "no clean end", id="without"),
        pytest.param(older, "older than the last message", id="older"),
        pytest.param(also_noted(Event.BROKEN), "broke: a test", id="broken"),
        pytest.param(also_noted(Event.FAILED), "the tap failed: a test", id="failed"),
        pytest.param(fewer, "", id="fewer"),
    ],
)
def test_nothing_is_hidden_in_a_record_without_a_good_checkpoint(
    going_on: Capture, observer: Observer, sabotage: Callable[[Capture, Observer], Capture], words: str
) -> None:
    cell = cells(about(sabotage(going_on, observer), observer, frozenset({SecretName.BODY})))[SecretName.BODY]
    assert cell.exposure is Exposure.INCONCLUSIVE
    assert cell.reason.startswith("control 'recorded' failed: ")
    assert words in cell.reason
