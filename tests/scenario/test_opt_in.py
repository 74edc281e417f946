"""Encryption that two people switch on in four steps: read, refused in another order, and played for real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab import capture
from lab.matrix import judge
from lab.model import Capture, Deed, Exposure, Observer, SecretName
from lab.scenario import Participant, parse
from lab.scenario.director import play
from lab.scenario.lesson import Feature, Habit, MissFeature, SwitchOnEncryption, Tap
from lab.stage.stage import Stage

from .conftest import Refused

ALICE, BOB = Participant.ALICE, Participant.BOB
OPT_IN = "the apps encrypt only the chats where people have switched it on"
STEPS = (
    "alice opens the details of the chat with bob",
    "alice chooses an encrypted chat with bob",
    "alice confirms the encrypted chat with bob",
    "bob accepts the encrypted chat with alice",
)
EARLIER, HELLO, ANSWER = 'alice sends bob the earlier text "One"', 'alice sends bob "Two"', 'bob sends alice "Three"'
AT_REST = (Observer.NETWORK, Observer.SERVER, Observer.DATABASE)


def tried(feature: Feature) -> str:
    return f"bob and alice try {feature} in their encrypted chat, and it does not work"


def lesson(*story: str, opt_in: bool = True, mode: str = "e2ee", secrets: str = "body") -> str:
    given = f"* Given a message service in {mode} mode\n" + (f"* And {OPT_IN}\n" if opt_in else "")
    rows = "\n".join(f"  | {one.strip()} | hidden | hidden | hidden |" for one in secrets.split(","))
    return (
        f"# Feature: F\n\n## Scenario: S\n\n{given}* And the secrets {secrets}\n"
        f"* When {'\n* And '.join(story)}\n* Then the observers can read\n\n"
        f"  | | network | server | database |\n  | --- | --- | --- | --- |\n{rows}\n"
    )


def test_the_steps_are_read() -> None:
    text = lesson(EARLIER, *STEPS, HELLO, *map(tried, Feature), secrets="earlier, body")
    (scenario,) = parse(text, Path("f.feature.md")).scenarios
    actions = [step.action for step in scenario.steps]
    assert scenario.habits == {Habit.OPT_IN}
    assert actions[4:8] == [
        *(SwitchOnEncryption(ALICE, BOB, tap) for tap in (Tap.DETAILS, Tap.CHOOSE, Tap.CONFIRM)),
        SwitchOnEncryption(BOB, ALICE, Tap.ACCEPT),
    ]
    assert actions[9:12] == [MissFeature(BOB, ALICE, feature) for feature in Feature]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (lesson(*STEPS, HELLO, opt_in=False), "7: there is nothing to switch on"),
        (lesson(HELLO, mode="tls"), "6: this needs a message service in e2ee mode"),
        (lesson(*STEPS[1:], HELLO), "8: the steps to an encrypted chat are in this order: details, choose, confirm"),
        (lesson(*STEPS, STEPS[0], HELLO), "12: alice and bob have an encrypted chat already"),
        (
            lesson(*STEPS[:3], "alice accepts the encrypted chat with bob", HELLO),
            "11: whoever wants an encrypted chat takes the first three steps, and the other one the fourth",
        ),
        (
            lesson(STEPS[0], STEPS[1].replace("alice chooses", "bob chooses").replace("with bob", "with alice"), HELLO),
            "9: whoever wants an encrypted chat takes the first three steps",
        ),
        (lesson(*STEPS[:3], HELLO, tried(Feature.FILES)), "12: bob and alice have no encrypted chat yet"),
        (lesson(*STEPS, EARLIER, secrets="earlier"), "12: the earlier text is one that is sent before two people"),
        (lesson(HELLO, secrets="body, size"), "7: the observers practise with one kind of message"),
        (lesson(EARLIER, HELLO, opt_in=False, secrets="earlier, body"), "7: earlier than what?"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(refused: Refused, text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in refused(text)), refused(text)


@pytest.fixture
def held(stage: Stage, tmp_path: Path) -> Callable[[str], Capture]:
    def held(text: str) -> Capture:
        parsed = parse(text, Path("f.feature.md"))
        play(parsed, parsed.scenarios[0], stage, tmp_path / "capture", lambda _: None)
        return capture.read(tmp_path / "capture")

    return held


def test_what_is_said_before_stays_readable_and_what_follows_is_not(held: Callable[[str], Capture]) -> None:
    story = (EARLIER, *STEPS, HELLO, ANSWER, *map(tried, Feature), 'alice sends bob "Four"')
    recording = held(lesson(*story, secrets="earlier, body"))
    assert recording.missing == ()
    matrix = judge(recording)
    hidden, exposed = Exposure.HIDDEN, Exposure.EXPOSED
    assert [matrix.cell(SecretName.EARLIER, one).exposure for one in AT_REST] == [hidden, exposed, exposed]
    assert [matrix.cell(SecretName.BODY, one).exposure for one in AT_REST] == [hidden, hidden, hidden]
    read = [(one.who, one.text.partition(" [")[0]) for one in recording.statements if one.deed is Deed.READ]
    assert read == [("bob", "One"), ("bob", "Two"), ("alice", "Three"), ("bob", "Four")]


@pytest.mark.parametrize("taken", [0, 3])
def test_until_all_four_steps_are_taken_the_service_reads_along(held: Callable[[str], Capture], taken: int) -> None:
    recording = held(lesson(*STEPS[:taken], HELLO, ANSWER))
    assert recording.missing == ()
    matrix = judge(recording)
    assert matrix.cell(SecretName.BODY, Observer.NETWORK).exposure is Exposure.HIDDEN
    assert matrix.cell(SecretName.BODY, Observer.SERVER).exposure is Exposure.EXPOSED


def test_a_new_device_without_an_old_chat_shows_nothing_that_could_be_compared(
    held: Callable[[str], Capture],
) -> None:
    recording = held(lesson(*STEPS, HELLO, tried(Feature.DEVICES)))
    (missing,) = recording.missing
    assert "the new device of bob shows another chat than the old one" in missing.what
