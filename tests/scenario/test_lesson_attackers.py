"""Lessons about attackers: who observes, and which stories cannot happen."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.model import Observer
from lab.scenario import LessonErrors, Scenario, parse
from lab.scenario.lesson import (
    AddGhost,
    AddGhostDevice,
    BreakTls,
    Certificate,
    CompareEnds,
    CompareSafetyNumbers,
    DenyKeys,
    ForkLog,
    Habit,
    Meddling,
    NoticeFork,
    Participant,
    RefuseToConnect,
    RefuseToSend,
    RefuseToSendToGroup,
    SendChanged,
    SendMeddled,
    SendText,
    SubstituteKeys,
    SubstituteNearKeys,
)

ALICE, BOB = Participant.ALICE, Participant.BOB
HELLO = 'alice sends bob "Hi"'
GROUP = 'alice starts the group "Hiking" with bob and carol'
TO_GROUP = 'bob sends the group "Hi"'
TRUSTED = "an interceptor with a certificate that is trusted"
EXPIRED = "the app of alice refuses to connect through an interceptor with a certificate that is expired"
WITHOUT_ERROR = EXPIRED.replace("expired", "trusted")
STRIPPED = "an attacker on the path who removes TLS"
DENIED = "the operator says from now on that nobody has keys"
SUBSTITUTED = "the operator hands out keys of its own from now on"
REFUSED = 'the app of alice refuses to send carol "Hi"'
FORKED = "the operator stands between alice and bob from now on, and shows them a log of their own"
NOTICED = 'alice sends carol "Hi", and the app of carol notices that there are two logs'
SEARCHED = "the operator stands between alice and bob from now on, with keys that it has searched"
ENDS = "alice and bob compare the first and the last digit of their safety numbers, and see no difference"
LOGGED = "the apps check a public log of keys"
GHOST = "the operator adds a ghost to the group"
GHOST_DEVICE = "the operator adds a ghost device to the account of bob"
NOT_TO_BOB = 'the app of alice refuses to send bob "Hi"'
BELIEVING = "the apps write to whoever the service calls a member of a group"
NOT_TO_GROUP = 'the app of bob refuses to send the group "?"'
DIFFER = "alice and bob compare safety numbers, and they differ"
CHANGED = 'alice sends bob "at 5pm", the operator changes "5pm" to "6pm", and it is'


def lesson(mode: str, stage: list[str], story: list[str], *, interceptor: bool = False) -> str:
    observers = ["network", *(["interceptor"] if interceptor else []), "server", "database"]
    given = "\n* And ".join([f"a message service in {mode}", *stage, "the secrets body"])
    when = "\n* And ".join(story)
    return (
        f"# Feature: F\n\n## Scenario: S\n\n* Given {given}\n* When {when}\n* Then the observers can read\n\n"
        f"  | | {' | '.join(observers)} |\n  |{' --- |' * (len(observers) + 1)}\n"
        f"  | body |{' hidden |' * len(observers)}\n"
    )


def read(mode: str, stage: list[str], story: list[str], *, interceptor: bool = False) -> Scenario:
    return parse(lesson(mode, stage, story, interceptor=interceptor), Path("f.feature.md")).scenarios[0]


@pytest.mark.parametrize(
    ("stage", "story"),
    [
        ([TRUSTED], [HELLO]),
        ([], [HELLO, EXPIRED]),
        ([STRIPPED, "the apps begin with http"], [HELLO]),
        ([STRIPPED], [HELLO]),  # who begins with https loses nothing, and that is to be seen
    ],
)
def test_whoever_acts_on_the_path_has_a_column(stage: list[str], story: list[str]) -> None:
    scenario = read("tls mode", stage, story, interceptor=True)
    assert scenario.observers == (Observer.NETWORK, Observer.INTERCEPTOR, Observer.SERVER, Observer.DATABASE)
    with pytest.raises(LessonErrors, match='"interceptor" has no column'):
        read("tls mode", stage, story)
    with pytest.raises(LessonErrors, match='no step of this scenario brings in the observer "interceptor"'):
        read("tls mode", [], [HELLO], interceptor=True)


def test_what_attackers_and_apps_do_is_read() -> None:
    habits = ["the apps begin with http", "the apps check no certificate", "the apps fall back to plaintext"]
    scenario = read("e2ee mode", [STRIPPED, *habits], [HELLO], interceptor=True)
    assert (scenario.strips_tls, scenario.interceptor) == (True, None)
    assert scenario.habits == {Habit.HTTP_FIRST, Habit.UNCHECKED, Habit.FALL_BACK}
    assert read("tls mode", [TRUSTED], [HELLO], interceptor=True).interceptor is Certificate.TRUSTED
    story = [
        HELLO,
        EXPIRED,
        "somebody on the path changes what the app of alice says, and the connection breaks",
        'alice sends bob "Hi", the operator drops it, and nobody notices',
        'alice sends bob "Hi", the operator truncates it, and the app of bob notices',
        f"{CHANGED} refused",
        SUBSTITUTED,
        DIFFER,
    ]
    actions = [step.action for step in read("e2ee mode", [], story, interceptor=True).steps]
    assert actions[3:-1] == [
        RefuseToConnect(ALICE, Certificate.EXPIRED),
        BreakTls(ALICE, Meddling.CHANGES),
        SendMeddled(ALICE, BOB, "Hi", Meddling.DROPS, noticed=False),
        SendMeddled(ALICE, BOB, "Hi", Meddling.TRUNCATES, noticed=True),
        SendChanged(ALICE, BOB, "at 5pm", "5pm", "6pm", believed=False),
        SubstituteKeys(),
        CompareSafetyNumbers(ALICE, BOB, same=False),
    ]
    haunted = [
        GROUP,
        TO_GROUP,
        "the operator adds a ghost to the group",
        'the app of bob refuses to send the group "?"',
    ]
    actions = [step.action for step in read("e2ee mode", [], haunted).steps]
    assert actions[-3:-1] == [AddGhost(), RefuseToSendToGroup(BOB, "?")]
    believed = read("e2ee mode", [BELIEVING], [GROUP, GHOST, TO_GROUP])
    assert believed.habits == {Habit.BELIEVE}
    assert read("e2ee mode", [], [GHOST_DEVICE, HELLO, DIFFER]).steps[2].action == AddGhostDevice(BOB)
    for story in ([HELLO, GHOST_DEVICE, NOT_TO_BOB], [HELLO, GHOST_DEVICE, 'bob sends alice "?"', NOT_TO_BOB]):
        assert read("e2ee mode", [], story).steps[-2].action == RefuseToSend(ALICE, BOB, "Hi")
    assert read("e2ee mode", [], [HELLO, GHOST_DEVICE, "alice accepts the new identity of bob", HELLO])
    assert read("e2ee mode", [LOGGED], ['carol sends alice and bob "Hi"', GHOST_DEVICE, NOT_TO_BOB])
    searched = read("e2ee mode", [], [SEARCHED, HELLO, ENDS, DIFFER])
    assert [type(step.action) for step in searched.steps][2:5] == [SubstituteNearKeys, SendText, CompareEnds]
    forked = read("e2ee mode", [LOGGED], [FORKED, HELLO, NOTICED])
    assert [type(step.action) for step in forked.steps][3:-1] == [ForkLog, SendText, NoticeFork]
    assert DenyKeys() in [step.action for step in read("e2ee mode", [], [HELLO, DENIED, REFUSED]).steps]
    assert read("e2ee mode", [], [HELLO, DENIED, HELLO, 'bob sends alice "Hi"'])  # they have keys already
    for habit in (
        "the apps fall back to plaintext",
        "the apps ask before they fall back to plaintext, and people agree",
    ):
        assert read("e2ee mode", [habit], [DENIED, HELLO])


@pytest.mark.parametrize(
    ("mode", "stage", "story", "why"),
    [
        ("plaintext mode", [TRUSTED], [HELLO], "nobody looks at certificates"),
        ("plaintext mode", [], [HELLO, EXPIRED], "nobody looks at certificates"),
        ("plaintext mode", ["the apps pin the key of the service"], [HELLO], "there is no TLS"),
        ("tls mode", ["an interceptor with a certificate that is expired"], [HELLO], "so nobody could join"),
        ("tls mode", [TRUSTED, "the apps pin the key of the service"], [HELLO], "so nobody could join"),
        ("tls mode", [], [HELLO, WITHOUT_ERROR], "nothing keeps the app of alice from accepting"),
        ("tls mode", ["the apps check no certificate"], [HELLO, EXPIRED], "nothing keeps the app of alice"),
        (
            "tls mode",
            ["the apps check no certificate", "the apps pin the key of the service"],
            [HELLO],
            "unchecked exclude each other|pinned and unchecked exclude",
        ),
        ("tls mode", [STRIPPED, TRUSTED, "the apps begin with http"], [HELLO], "one attacker on the path already"),
        ("tls mode", ["the apps fall back to plaintext"], [HELLO], "needs a message service in e2ee mode"),
        ("tls mode", [], [HELLO, DENIED], "needs a message service in e2ee mode"),
        ("tls mode", [TRUSTED, TRUSTED], [HELLO], "this scenario says that already"),
        ("e2ee mode", [], [DENIED, SUBSTITUTED, HELLO], "lies about keys since line"),
        (
            "e2ee mode",
            [],
            [DENIED, HELLO],
            "since line 7 nobody has keys, as far as the apps are told: the app of alice",
        ),
        ("e2ee mode", ["the apps fall back to plaintext"], [HELLO, DENIED, REFUSED], "nothing keeps the app of alice"),
        (
            "e2ee mode",
            [],
            [HELLO, DIFFER],
            "nobody has handed out other",
        ),
        ("e2ee mode", [], [HELLO, f"{CHANGED} believed"], "only with ctr"),
        ("e2ee mode with ctr", [], [HELLO, f"{CHANGED} refused"], "only with ctr"),
        ("e2ee mode with ctr", [], [HELLO, f"{CHANGED} believed".replace('"6pm"', '"6 pm"')], "number of bytes"),
        ("e2ee mode with ctr", [], [HELLO, f"{CHANGED} believed".replace('"6pm"', '"6am"')], "a single byte"),
        (
            "e2ee mode with ctr",
            [],
            [HELLO, f"{CHANGED} believed".replace('changes "5pm"', 'changes "7pm"')],
            "is not in",
        ),
        ("e2ee mode", [], [HELLO, SEARCHED], "too late: these two have met"),
        ("e2ee mode", [], [SUBSTITUTED, HELLO, ENDS], "nobody has searched for keys"),
        ("e2ee mode", [], [FORKED, HELLO], "the apps do not look at any log"),
        ("e2ee mode", [LOGGED], [HELLO, FORKED], "too late: these two have met"),
        ("e2ee mode", [LOGGED], [HELLO, NOTICED], "exactly one of them was shown another log"),
        ("e2ee mode", [LOGGED], [FORKED, HELLO, NOTICED.replace("carol", "bob")], "exactly one of them"),
        ("e2ee mode", [], [HELLO, GHOST], "there is no group yet"),
        ("e2ee mode", [], [GROUP, GHOST, TO_GROUP], "there is a ghost in the group"),
        ("e2ee mode", [BELIEVING], [GROUP, TO_GROUP, GHOST, NOT_TO_GROUP], "nothing keeps the app of bob"),
        ("tls mode", [], [GHOST_DEVICE, HELLO], "participants have no keys"),
        ("e2ee mode", [], [HELLO, GHOST_DEVICE, HELLO], "bob has a ghost device since line 8: the app of alice"),
        ("e2ee mode", [LOGGED], [GHOST_DEVICE, HELLO], "bob has a ghost device since line 8: the app of alice"),
        ("e2ee mode", [], [GHOST_DEVICE, NOT_TO_BOB, HELLO], "nothing keeps the app of alice"),
        ("e2ee mode", [], [GHOST_DEVICE, GHOST_DEVICE, HELLO], "has a ghost device since line 7 already"),
        ("e2ee mode", [], [GHOST_DEVICE, 'alice sends carol "Hi"'], "bob neither sends nor gets a message"),
        ("tls mode", [BELIEVING], [HELLO], "participants have no keys"),
        (
            "e2ee mode",
            [],
            [GROUP, TO_GROUP, NOT_TO_GROUP],
            "nothing keeps the app of bob",
        ),
        (
            "tls mode",
            [],
            [HELLO, "somebody on the path drops what the app of alice says, and the connection breaks"],
            "else the app waits in vain",
        ),
    ],
)
def test_what_cannot_happen_is_refused(mode: str, stage: list[str], story: list[str], why: str) -> None:
    interceptor = TRUSTED in stage or STRIPPED in stage or EXPIRED in story or WITHOUT_ERROR in story
    interceptor = interceptor or any("interceptor" in step for step in stage)
    with pytest.raises(LessonErrors, match=why):
        read(mode, stage, story, interceptor=interceptor)
