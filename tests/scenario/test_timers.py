"""Disappearing messages and vanish mode as steps of a story: read, refused where they cannot be, and played."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab import capture
from lab.matrix import judge
from lab.model import Capture, Deed, Exposure, Observer, SecretName
from lab.scenario import Participant, parse
from lab.scenario.director import play
from lab.scenario.lesson import Behave, Duration, GoForward, Habit, Overwrite, SetTimer, SwitchOnVanishMode
from lab.stage.stage import Stage

from .conftest import Refused

ALICE, BOB = Participant.ALICE, Participant.BOB
E2EE, TLS = "a message service in e2ee mode", "a message service in tls mode"
KEEP, OVERWRITE = "the apps keep messages", "the operator overwrites what it deletes"
HELLO = 'alice sends bob "Hi"'
TIMER = "alice lets messages with bob disappear after 24 h"
VANISH = "alice switches on vanish mode with bob"
LATER = "the clocks go forward by 24 h"
COPY = "somebody copies the device of bob"


def lesson(*story: str, stage: tuple[str, ...] = (E2EE, KEEP), secrets: str = "body") -> str:
    observers = ["network", "server", "database", *(["device"] if COPY in story else [])]
    rows = "\n".join(f"  | {one.strip()} |{' hidden |' * len(observers)}" for one in secrets.split(","))
    return (
        f"# Feature: F\n\n## Scenario: S\n\n* Given {'\n* And '.join(stage)}\n* And the secrets {secrets}\n"
        f"* When {'\n* And '.join(story)}\n* Then the observers can read\n\n"
        f"  | | {' | '.join(observers)} |\n  |{' --- |' * (len(observers) + 1)}\n{rows}\n"
    )


def test_the_steps_are_read() -> None:
    (scenario,) = parse(lesson(HELLO, TIMER, LATER), Path("f.feature.md")).scenarios
    actions = [step.action for step in scenario.steps]
    assert scenario.habits == {Habit.KEEP}
    assert (actions[1], actions[-3:-1]) == (
        Behave(Habit.KEEP),
        [SetTimer(ALICE, BOB, Duration.DAY), GoForward(Duration.DAY)],
    )
    (scenario,) = parse(lesson(VANISH, HELLO, stage=(TLS, OVERWRITE)), Path("f.feature.md")).scenarios
    actions = [step.action for step in scenario.steps]
    assert (actions[1], actions[3]) == (Overwrite(), SwitchOnVanishMode(ALICE, BOB))


def test_each_duration_is_its_seconds() -> None:
    assert [one.seconds for one in Duration] == [5, 60, 3600, 86_400]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (lesson(TIMER, HELLO, stage=(E2EE,)), "7: there would be nothing to disappear: the apps keep no messages"),
        (lesson(HELLO, stage=(TLS, KEEP)), "6: this needs a message service in e2ee mode"),
        (lesson(VANISH, HELLO), "8: in e2ee mode the service has no texts to delete"),
        (lesson(HELLO, LATER, secrets="body, time"), "9: the clocks of the observers stay as they are"),
        (
            lesson('alice seals "Hi" for bob, and it is delayed', LATER, "the delayed message reaches bob"),
            "9: the message to bob in line 8 is still under way",
        ),
        (lesson(HELLO, TIMER.replace("24 h", "25 h")), '9: unknown duration "25 h"; did you mean "24 h"?'),
        (lesson(TIMER.replace("bob", "carol"), HELLO), "8: carol neither sends nor gets a message"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(refused: Refused, text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in refused(text)), refused(text)


@pytest.mark.parametrize("text", [lesson(TIMER, HELLO, stage=(TLS,)), lesson(HELLO, LATER, stage=(TLS,))])
def test_a_timer_and_the_clocks_are_for_each_mode(text: str) -> None:
    parse(text, Path("f.feature.md"))


@pytest.fixture
def held(stage: Stage, tmp_path: Path) -> Callable[..., Capture]:
    """What is recorded of a story."""

    def held(text: str) -> Capture:
        parsed = parse(text, Path("f.feature.md"))
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.capture"
        play(parsed, parsed.scenarios[0], stage, path, lambda _: None)
        recording = capture.read(path)
        assert recording.missing == ()
        return recording

    return held


type Held = Callable[[str], Capture]


@pytest.mark.parametrize(
    ("story", "exposure"),
    [
        ((HELLO, TIMER, LATER, COPY), Exposure.EXPOSED),
        ((TIMER, HELLO, "the clocks go forward by 1 h", COPY), Exposure.EXPOSED),
        ((TIMER, HELLO, LATER, COPY), Exposure.HIDDEN),
    ],
)
def test_a_copied_phone_gives_what_it_still_keeps(held: Held, story: tuple[str, ...], exposure: Exposure) -> None:
    recording = held(lesson(*story))
    cell = judge(recording).cell(SecretName.BODY, Observer.DEVICE)
    assert cell.exposure is exposure
    assert {evidence.place for evidence in cell.evidence} <= {"device.message"}


def test_after_a_day_people_log_in_again_and_go_on(held: Held) -> None:
    recording = held(lesson(TIMER, HELLO, LATER, 'bob sends alice "I am back"', HELLO))
    read = [(one.who, one.text.partition(" [")[0]) for one in recording.statements if one.deed is Deed.READ]
    assert read == [("bob", "Hi"), ("alice", "I am back"), ("bob", "Hi")]
    logins = [one.who for one in recording.statements if one.deed is Deed.LOGGED_IN]
    assert sorted(logins) == ["alice", "alice", "bob", "bob"]


@pytest.mark.parametrize(
    ("story", "stage_steps", "exposure"),
    [
        ((VANISH, HELLO), (TLS,), Exposure.EXPOSED),
        ((VANISH, HELLO), (TLS, OVERWRITE), Exposure.HIDDEN),
        ((TIMER, HELLO, LATER), (TLS, OVERWRITE), Exposure.HIDDEN),
        ((TIMER, HELLO, "the clocks go forward by 1 h"), (TLS, OVERWRITE), Exposure.EXPOSED),
    ],
)
def test_what_the_service_deletes_is_hidden_at_rest_only_where_it_is_overwritten(
    held: Held, story: tuple[str, ...], stage_steps: tuple[str, ...], exposure: Exposure
) -> None:
    matrix = judge(held(lesson(*story, stage=stage_steps)))
    assert matrix.cell(SecretName.BODY, Observer.DATABASE).exposure is exposure
    assert matrix.cell(SecretName.BODY, Observer.SERVER).exposure is Exposure.EXPOSED
