"""A message to somebody without internet: it goes as a text message, or it waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab import capture
from lab.matrix import judge
from lab.model import Capture, Deed, Exposure, Observer, SecretName
from lab.scenario import Participant, parse
from lab.scenario.director import play
from lab.scenario.lesson import Habit, SendOffline
from lab.stage.stage import Stage

from .conftest import Refused

OFFLINE = 'alice sends bob "Hi" while bob has no internet, and it'
TEXTING = "the apps send a text message to whoever has no internet"
AS_TEXT, WAITS = f"{OFFLINE} goes as a text message", f"{OFFLINE} waits"


def lesson(*story: str, texting: bool, secrets: str = "body") -> str:
    given = "* Given a message service in e2ee mode\n" + (f"* And {TEXTING}\n" if texting else "")
    rows = "\n".join(f"  | {one.strip()} | hidden | hidden | hidden |" for one in secrets.split(","))
    return (
        f"# Feature: F\n\n## Scenario: S\n\n{given}* And the secrets {secrets}\n"
        f"* When {'\n* And '.join(story)}\n* Then the observers can read\n\n"
        f"  | | network | server | database |\n  | --- | --- | --- | --- |\n{rows}\n"
    )


@pytest.mark.parametrize(("step", "texting"), [(AS_TEXT, True), (WAITS, False)])
def test_the_steps_are_read(step: str, texting: bool) -> None:
    (scenario,) = parse(lesson(step, texting=texting), Path("f.feature.md")).scenarios
    assert scenario.steps[-2].action == SendOffline(Participant.ALICE, Participant.BOB, "Hi", waits=not texting)
    assert (Habit.TEXT in scenario.habits) is texting


@pytest.mark.parametrize(
    ("step", "texting", "problem"),
    [
        (AS_TEXT, False, "7: nothing is said of text messages"),
        (WAITS, True, "8: it does not wait"),
        (AS_TEXT.replace("bob", "alice"), True, "8: alice stands in this step twice"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(refused: Refused, step: str, texting: bool, problem: str) -> None:
    assert any(found.startswith(problem) for found in refused(lesson(step, texting=texting)))


def test_size_and_time_are_not_asked_for(refused: Refused) -> None:
    assert refused(lesson(AS_TEXT, texting=True, secrets="body, size"))[0].startswith("7: the observers practise")


@pytest.fixture
def held(stage: Stage, tmp_path: Path) -> Callable[[str], Capture]:
    def held(text: str) -> Capture:
        parsed = parse(text, Path("f.feature.md"))
        play(parsed, parsed.scenarios[0], stage, tmp_path / "capture", lambda _: None)
        recording = capture.read(tmp_path / "capture")
        assert recording.missing == ()
        return recording

    return held


def test_a_text_message_is_read_on_the_way_whatever_the_app_encrypts(held: Callable[[str], Capture]) -> None:
    recording = held(lesson(AS_TEXT, 'bob sends alice "Ho"', texting=True, secrets="body, password"))
    matrix = judge(recording)
    for observer in (Observer.NETWORK, Observer.SERVER, Observer.DATABASE):
        assert matrix.cell(SecretName.BODY, observer).exposure is Exposure.EXPOSED
    # Nothing else went without TLS; and the record of the network counts as whole.
    assert matrix.cell(SecretName.PASSWORD, Observer.NETWORK).exposure is Exposure.HIDDEN
    assert matrix.cell(SecretName.PASSWORD, Observer.DATABASE).exposure is Exposure.HIDDEN
    assert all(control.passed for control in matrix.controls)
    read = [(one.who, one.text.partition(" [")[0]) for one in recording.statements if one.deed is Deed.READ]
    # As a text message, and once more when there is internet again.
    assert read == [("bob", "Hi"), ("bob", "Hi"), ("alice", "Ho")]
    assert len({one.message for one in recording.statements if one.text.startswith("Hi")}) == 1


def test_a_message_that_waits_is_read_by_nobody_else(held: Callable[[str], Capture]) -> None:
    recording = held(lesson(WAITS, texting=False))
    matrix = judge(recording)
    for observer in (Observer.NETWORK, Observer.SERVER, Observer.DATABASE):
        assert matrix.cell(SecretName.BODY, observer).exposure is Exposure.HIDDEN
    assert [one.who for one in recording.statements if one.deed is Deed.READ] == ["bob"]
