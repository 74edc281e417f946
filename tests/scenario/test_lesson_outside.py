"""Lessons about profiles, reports and files with two faces: what is read, and which stories cannot happen."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.model import SecretName
from lab.scenario import LessonErrors, Scenario, parse
from lab.scenario.lesson import (
    Habit,
    Participant,
    ReportFace,
    ReportLie,
    ReportText,
    Review,
    SendText,
    SendToGroup,
    SendTwoFaces,
    SetProfile,
)

from .test_lesson_attackers import DENIED, GROUP, HELLO, lesson

ALICE, BOB, CAROL = Participant.ALICE, Participant.BOB, Participant.CAROL
COMMIT = "the apps commit to what they send"
ONE_KEY = "the apps keep one key for each sealed file"
PROFILE = 'alice sets the profile "At the lake"'
MEAN = 'alice sends bob the reported text "You loser"'
BELIEVED = "bob reports the text of alice to the operator, who can only believe it"
CHECKED = "bob reports the text of alice to the operator, who can check it"
LIE = 'bob reports "Hand it over" as a text of alice, and the operator'
LIE_BELIEVED, LIE_NOTICED = f"{LIE} has to believe it", f"{LIE} knows that it was not sent"
FACES = 'alice sends bob a sealed file with two faces, which say "One" and "Two"'
FACE = "bob reports the second face, and the operator sees"
FACE_BELIEVED, FACE_NOTICED, FACE_SHOWN = (
    f"{FACE} the first one and believes it",
    f"{FACE} the first one and knows that it is wrong",
    f"{FACE} it",
)


def read(mode: str, stage: list[str], story: list[str]) -> Scenario:
    return parse(lesson(mode, stage, story), Path("f.feature.md")).scenarios[0]


def refused(mode: str, stage: list[str], story: list[str]) -> str:
    """The only problem of such a lesson."""
    with pytest.raises(LessonErrors) as caught:
        read(mode, stage, story)
    (problem,) = caught.value.problems
    return problem.message


def test_what_is_said_and_reported_is_read() -> None:
    scenario = read("e2ee mode", [COMMIT], [PROFILE, HELLO, MEAN, CHECKED])
    assert scenario.habits == {Habit.COMMITTED}
    assert [step.action for step in scenario.steps][3:-1] == [
        SetProfile(ALICE, "At the lake"),
        SendText(ALICE, (BOB,), "Hi"),
        SendText(ALICE, (BOB,), "You loser", SecretName.REPORTED),
        ReportText(BOB, ALICE, checked=True),
    ]


@pytest.mark.parametrize(
    ("stage", "story", "review"),
    [
        ([ONE_KEY], FACE_BELIEVED, Review.BELIEVED),
        ([ONE_KEY, COMMIT], FACE_NOTICED, Review.NOTICED),
        ([COMMIT], FACE_SHOWN, Review.SHOWN),
        ([], FACE_SHOWN, Review.SHOWN),
    ],
)
def test_what_comes_of_two_faces_is_read(stage: list[str], story: str, review: Review) -> None:
    scenario = read("e2ee mode", stage, [HELLO, FACES, story])
    assert [step.action for step in scenario.steps][-3:-1] == [
        SendTwoFaces(ALICE, BOB, "One", "Two"),
        ReportFace(BOB, review),
    ]
    with pytest.raises(LessonErrors, match="this is what comes of it: the operator sees"):
        read("e2ee mode", [ONE_KEY, COMMIT] if review is not Review.NOTICED else [], [HELLO, FACES, story])


@pytest.mark.parametrize(("mode", "stage"), [("tls mode", []), ("plaintext mode", []), ("e2ee mode", [COMMIT])])
def test_what_the_operator_has_or_can_check_need_not_be_believed(mode: str, stage: list[str]) -> None:
    read(mode, stage, [HELLO, MEAN, CHECKED, LIE_NOTICED])
    assert refused(mode, stage, [HELLO, LIE_BELIEVED]) == "the operator can check what bob reports here"
    assert refused(mode, stage, [HELLO, MEAN, BELIEVED]) == "the operator can check what bob reports here"


def test_what_it_cannot_check_it_has_to_believe() -> None:
    scenario = read("e2ee mode", [], [HELLO, MEAN, BELIEVED, LIE_BELIEVED])
    assert scenario.steps[-2].action == ReportLie(BOB, ALICE, "Hand it over", believed=True)
    assert refused("e2ee mode", [], [HELLO, LIE_NOTICED]) == "the operator cannot check what bob reports here"
    assert refused("e2ee mode", [], [HELLO, MEAN, CHECKED]) == "the operator cannot check what bob reports here"


def test_apps_that_fall_back_let_it_read_what_they_send() -> None:
    read("e2ee mode", ["the apps fall back to plaintext"], [DENIED, HELLO, MEAN, CHECKED])


def test_in_a_group_one_member_reports_for_all() -> None:
    story = [GROUP, HELLO, 'alice sends the group the reported text "You losers"', BELIEVED]
    scenario = read("e2ee mode", [], story)
    assert SendToGroup(ALICE, "You losers", SecretName.REPORTED) in [step.action for step in scenario.steps]
    of_carol = BELIEVED.replace("of alice", "of carol")
    assert refused("e2ee mode", [], [*story, of_carol]) == "carol has sent bob no text that is to be reported"


@pytest.mark.parametrize(
    ("mode", "stage", "story", "problem"),
    [
        ("tls mode", [], [HELLO, MEAN], "nobody reports this; its recipient does, before the claims"),
        ("e2ee mode", [], [HELLO, FACES], "nobody reports this; its recipient does, before the claims"),
        ("tls mode", [], [HELLO, CHECKED], "alice has sent bob no text that is to be reported"),
        (
            "tls mode",
            [],
            ['bob sends alice "Hi"', LIE_NOTICED],
            "alice has sent bob no text that this could be said of",
        ),
        ("e2ee mode", [], [HELLO, FACE_SHOWN], "nobody has sent bob a file with two faces"),
        ("e2ee mode", [], [HELLO, FACES, FACES, FACE_SHOWN], "there is a file with two faces in line 8 already"),
        (
            "e2ee mode",
            [],
            [HELLO, FACES.replace("Two", "2" * 1001), FACE_SHOWN],
            "in a picture there is room for a text of 1000 bytes",
        ),
        (
            "tls mode",
            [COMMIT],
            [HELLO],
            "this needs a message service in e2ee mode: in the other modes, participants have no keys",
        ),
        ("tls mode", [], [PROFILE.replace("alice", "carol"), HELLO], "carol neither sends nor gets a message"),
    ],
    ids=["text", "face", "no-text", "nothing-to-lie-about", "no-face", "twice", "too-long", "no-keys", "nobody"],
)
def test_what_cannot_happen(mode: str, stage: list[str], story: list[str], problem: str) -> None:
    assert refused(mode, stage, story).startswith(problem)


def test_each_text_that_is_to_be_reported_is() -> None:
    again = MEAN.replace("You", "Hey you")
    assert refused("tls mode", [], [HELLO, MEAN, again, CHECKED]).startswith("nobody reports this")
    read("tls mode", [], [HELLO, MEAN, CHECKED, again, CHECKED])


@pytest.mark.parametrize(("secret", "nobody"), [("profile", "sets a profile"), ("reported", "sends a reported text")])
def test_a_secret_needs_a_step_that_plants_it(secret: str, nobody: str) -> None:
    text = lesson("tls mode", [], [HELLO]).replace("body", secret)
    with pytest.raises(LessonErrors, match=f"nobody {nobody} in this scenario"):
        parse(text, Path("f.feature.md"))


def test_two_faces_plant_two_secrets() -> None:
    text = lesson("e2ee mode", [], [FACES, FACE_SHOWN])
    for secret in ("attachment", "reported"):
        parse(
            text.replace("secrets body", f"secrets {secret}").replace("| body |", f"| {secret} |"), Path("f.feature.md")
        )
