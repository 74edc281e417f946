"""Stories that cannot happen are refused where they stand, before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.model import Encryption, Observer, SecretName
from lab.scenario import Participant, Scenario, parse
from lab.scenario.lesson import (
    AcceptIdentity,
    AddMember,
    CompareSafetyNumbers,
    CopyDevice,
    DelayText,
    DeliverAgain,
    DeliverDelayed,
    LinkDevice,
    Pad,
    RefuseToSend,
    RemoveMember,
    ReplaceDevice,
    SendIntercepted,
    SendText,
    SendToGroup,
    Serve,
    StartGroup,
    SwapKey,
    WriteAs,
)

ALICE, BOB, CAROL, DAVE = list(Participant)[:4]

FIRST = 7
"""The line of the first step of the story."""

STAGE = "a message service in e2ee mode"
HELLO = 'alice sends bob "Hi"'
GROUP = 'alice starts the group "Hiking" with bob and carol'
COPY = "somebody copies the device of bob"
LOST = "bob loses the device and takes a new one"
SWAP = "the operator swaps the public key of bob"
INTERCEPTED = 'alice sends bob "Hi" while bob is offline, and the operator reads it and passes it on'
FORGED = 'the operator writes bob "Hi" in the name of alice, and it is'
RSA = f"{STAGE} with rsa"


def lesson(story: Sequence[str], secrets: str = "sender", stage: str = STAGE) -> str:
    """A lesson with this story, which claims that everything is hidden."""
    observers = ["network", "server", "database", *(["device"] if any("copies" in step for step in story) else [])]
    rows = [["", *observers], *([name.strip(), *["hidden"] * len(observers)] for name in secrets.split(","))]
    rows.insert(1, ["---"] * len(rows[0]))
    table = "\n".join(f"  | {' | '.join(row)} |" for row in rows)
    when = "\n* And ".join(story)
    return (
        f"# Feature: F\n\n## Scenario: S\n\n* Given {stage}\n* And the secrets {secrets}\n"
        f"* When {when}\n* Then the observers can read\n\n{table}\n"
    )


def read(story: Sequence[str], secrets: str = "sender", stage: str = STAGE) -> Scenario:
    (scenario,) = parse(lesson(story, secrets, stage), Path("f.feature.md")).scenarios
    return scenario


def actions(story: Sequence[str], secrets: str = "sender", stage: str = STAGE) -> list[object]:
    return [step.action for step in read(story, secrets, stage).steps[2:-1]]


# What good stories become


def test_a_group_and_who_is_in_it():
    story = [
        GROUP,
        'bob sends the group "Hi"',
        "bob removes carol from the group",
        "alice adds dave to the group",
        'dave sends the group "Here I am"',
    ]
    assert actions(story, "body, group") == [
        StartGroup(ALICE, (BOB, CAROL), "Hiking"),
        SendToGroup(BOB, "Hi"),
        RemoveMember(BOB, CAROL),
        AddMember(ALICE, DAVE),
        SendToGroup(DAVE, "Here I am"),
    ]


def test_texts_before_and_after_somebody_copies_a_device():
    story = [
        'alice sends bob the earlier text "One"',
        COPY,
        'alice sends bob the later text "Two"',
        'bob sends alice the healed text "Three"',
    ]
    assert actions(story, "earlier, later, healed") == [
        SendText(ALICE, (BOB,), "One", SecretName.EARLIER),
        CopyDevice(BOB),
        SendText(ALICE, (BOB,), "Two", SecretName.LATER),
        SendText(BOB, (ALICE,), "Three", SecretName.HEALED),
    ]


def test_who_has_a_copied_device_observes_too():
    assert read([HELLO]).observers == (Observer.NETWORK, Observer.SERVER, Observer.DATABASE)
    scenario = read([HELLO, COPY])
    assert scenario.observers == (*read([HELLO]).observers, Observer.DEVICE)
    assert tuple(claim.observer for claim in scenario.claims) == scenario.observers


def test_devices_and_identities():
    story = [
        HELLO,
        "alice and bob compare safety numbers",
        "alice takes a second device",
        LOST,
        'the app of alice refuses to send bob "Hi again"',
        "alice accepts the new identity of bob",
        HELLO,
    ]
    assert actions(story)[1:-1] == [
        CompareSafetyNumbers(ALICE, BOB),
        LinkDevice(ALICE),
        ReplaceDevice(BOB),
        RefuseToSend(ALICE, BOB, "Hi again"),
        AcceptIdentity(ALICE, BOB),
    ]


def test_a_message_that_is_delayed_and_delivered_twice():
    story = [
        'alice seals "Late" for bob, and it is delayed',
        HELLO,
        "the delayed message reaches bob",
        "the same message reaches bob again and is refused",
        "the same message reaches bob again and is read again",
    ]
    assert actions(story, "body") == [
        DelayText(ALICE, BOB, "Late"),
        SendText(ALICE, (BOB,), "Hi"),
        DeliverDelayed(BOB),
        DeliverAgain(BOB, refused=True),
        DeliverAgain(BOB, refused=False),
    ]


def test_what_the_operator_does():
    story = [SWAP, INTERCEPTED, f"{FORGED} believed", f"{FORGED} refused"]
    assert actions(story, "body", RSA) == [
        SwapKey(BOB),
        SendIntercepted(ALICE, BOB, "Hi"),
        WriteAs(ALICE, BOB, "Hi", believed=True),
        WriteAs(ALICE, BOB, "Hi", believed=False),
    ]


@pytest.mark.parametrize("encryption", [one for one in Encryption if one is not Encryption.RSA])
def test_a_swapped_key_gives_an_app_a_reason_to_refuse(encryption):
    story = [SWAP, 'the app of alice refuses to send bob "Hi"', 'bob sends alice "Hi"', HELLO]
    assert read(story, stage=f"{STAGE} with {encryption}")


def test_a_new_device_has_a_key_that_nobody_has_swapped_or_asked_for():
    assert read([SWAP, INTERCEPTED, LOST, "alice accepts the new identity of bob", HELLO], stage=RSA)
    assert read([HELLO, LOST, SWAP, "alice accepts the new identity of bob", INTERCEPTED], stage=RSA)


@pytest.mark.parametrize("encryption", list(Encryption))
def test_what_participants_encrypt_with(encryption):
    scenario = read([HELLO], stage=f"a message service in e2ee mode with {encryption}")
    assert scenario.encryption is encryption
    assert scenario.steps[0].action == Serve(scenario.mode, encryption)


def test_texts_can_be_padded():
    padded = read([HELLO], stage=f"{STAGE}\n* And texts are padded")
    assert padded.padded
    assert padded.steps[1].action == Pad()
    assert not read([HELLO]).padded


@pytest.mark.parametrize("mode", ["plaintext", "tls"])
def test_a_group_needs_no_encryption(mode):
    assert read([GROUP, 'bob sends the group "Hi"'], "body, group", f"a message service in {mode} mode")


# What bad ones are refused for


@pytest.mark.parametrize(
    "step",
    [
        COPY,
        LOST,
        "bob takes a second device",
        "alice and bob compare safety numbers",
        "alice accepts the new identity of bob",
        'the app of alice refuses to send bob "Hi"',
        'alice seals "Hi" for bob, and it is delayed',
        "the delayed message reaches bob",
        "the same message reaches bob again and is refused",
        f"{FORGED} believed",
        f"{FORGED} refused",
        SWAP,
        INTERCEPTED,
    ],
)
def test_without_end_to_end_encryption_there_are_no_keys_to_tell_of(refused, step):
    problems = refused(lesson([HELLO, step], stage="a message service in tls mode"))
    assert problems == [
        f"{FIRST + 1}: this needs a message service in e2ee mode: in the other modes, participants have no keys"
    ]


def test_nor_is_there_anything_to_choose_or_to_pad(refused):
    assert refused(lesson([HELLO], stage="a message service in tls mode with rsa")) == [
        "5: in tls mode participants have nothing to encrypt with"
    ]
    assert refused(lesson([HELLO], stage="a message service in tls mode\n* And texts are padded")) == [
        "6: this needs a message service in e2ee mode: in the other modes, participants have no keys"
    ]


def test_padding_is_said_once(refused):
    assert refused(lesson([HELLO], stage=f"{STAGE}\n* And texts are padded\n* And texts are padded")) == [
        "7: this scenario says that already"
    ]


@pytest.mark.parametrize(
    ("story", "problem"),
    [
        pytest.param(['bob sends the group "Hi"', GROUP], (0, "there is no group yet"), id="no-group"),
        pytest.param([GROUP, GROUP, 'bob sends the group "Hi"'], (1, "this scenario has a group already"), id="two"),
        pytest.param([GROUP, 'dave sends the group "Hi"'], (1, "dave is not in the group"), id="outsider"),
        pytest.param(
            [GROUP, "dave removes bob from the group", 'alice sends the group "Hi"'],
            (1, "dave is not in the group"),
            id="outsider-removes",
        ),
        pytest.param(
            [GROUP, "alice adds bob to the group", 'alice sends the group "Hi"'],
            (1, "bob is in the group already"),
            id="twice",
        ),
        pytest.param(
            [GROUP, "alice removes dave from the group", 'alice sends the group "Hi"'],
            (1, "dave is not in the group"),
            id="never-in",
        ),
        pytest.param(
            [GROUP, "alice removes carol from the group", 'carol sends the group "Hi"'],
            (2, "carol is not in the group"),
            id="removed",
        ),
        pytest.param(
            [
                'alice starts the group "Two" with bob',
                "alice removes bob from the group",
                'alice sends the group "Hi"',
            ],
            (2, "nobody but alice is in the group"),
            id="alone",
        ),
        pytest.param(
            ['alice starts the group "A" with alice and bob', 'alice sends the group "Hi"'],
            (0, "alice stands in this step twice"),
            id="with-oneself",
        ),
        pytest.param(
            [HELLO, COPY, 'alice sends bob the earlier text "Hi"'],
            (2, f"the earlier text is one that is sent before the device is copied, in line {FIRST + 1}"),
            id="earlier-too-late",
        ),
        pytest.param(
            ['alice sends bob the later text "Hi"', COPY],
            (0, "the later text is one that is sent after somebody copied a device"),
            id="later-too-early",
        ),
        pytest.param(
            [GROUP, 'bob sends the group the healed text "Hi"', COPY],
            (1, "the healed text is one that is sent after somebody copied a device"),
            id="healed-too-early",
        ),
        pytest.param(['alice sends bob the earlier text "Hi"'], (0, "earlier than what?"), id="no-copy"),
        pytest.param(
            [HELLO, COPY, "somebody copies the device of alice"],
            (2, f"a device is copied in line {FIRST + 1}; there is one copy in a scenario"),
            id="two-copies",
        ),
        pytest.param(
            [HELLO, "somebody copies the device of carol"],
            (1, "carol neither sends nor gets a message"),
            id="copy-of-nobody",
        ),
        pytest.param([HELLO, "dave takes a second device"], (1, "dave neither sends nor gets"), id="link-of-nobody"),
        pytest.param(
            [HELLO, "bob takes a second device", "bob takes a second device"],
            (2, "bob has a second device already"),
            id="third-device",
        ),
        pytest.param(
            [HELLO, "bob takes a second device", LOST], (2, "bob has two devices"), id="loses-which-of-the-two"
        ),
        pytest.param(
            [HELLO, LOST, HELLO],
            (2, "the app of alice refuses this before: alice accepts the new identity of bob"),
            id="not-accepted",
        ),
        pytest.param(
            [HELLO, LOST, 'bob sends alice "Hi"'],
            (2, "the app of alice refuses this before: alice accepts the new identity of bob"),
            id="not-accepted-by-the-reader",
        ),
        pytest.param(
            [HELLO, "alice accepts the new identity of bob"],
            (1, "there is no new identity: bob has not lost the device, and nobody swaps keys"),
            id="nothing-to-accept",
        ),
        pytest.param(
            [HELLO, 'the app of alice refuses to send bob "Hi"'],
            (1, "nothing keeps the app of alice from sending this"),
            id="no-reason-to-refuse",
        ),
        pytest.param(
            ['alice seals "Hi" for bob, and it is delayed'],
            (0, "this message never reaches bob; deliver it before the claims"),
            id="never-delivered",
        ),
        pytest.param([HELLO, "the delayed message reaches bob"], (1, "no message to bob is delayed"), id="not-delayed"),
        pytest.param(
            [
                'alice seals "Hi" for bob, and it is delayed',
                'carol seals "Hi" for bob, and it is delayed',
                "the delayed message reaches bob",
            ],
            (1, f"the message to bob in line {FIRST} is still under way"),
            id="which-of-the-two",
        ),
        pytest.param(
            [HELLO, "the same message reaches bob again and is refused"],
            (1, "no delayed message has reached bob so far"),
            id="nothing-to-repeat",
        ),
        pytest.param(
            ['alice seals "Hi" for bob, and it is delayed', LOST, "the delayed message reaches bob"],
            (1, f"the message in line {FIRST} is still under way between the old devices"),
            id="device-changed-under-way",
        ),
        pytest.param(
            [
                'alice seals "Hi" for bob, and it is delayed',
                "alice takes a second device",
                "the delayed message reaches bob",
            ],
            (1, f"the message in line {FIRST} is still under way between the old devices"),
            id="device-added-under-way",
        ),
    ],
)
def test_what_cannot_happen_is_refused_where_it_stands(refused, story, problem):
    step, message = problem
    (found,) = refused(lesson(story))
    assert found.startswith(f"{FIRST + step}: {message}")


@pytest.mark.parametrize(
    ("story", "problem"),
    [
        pytest.param(
            [HELLO, SWAP],
            (1, f"too late: the key of bob was handed out in line {FIRST}, and apps ask for it once"),
            id="known-already",
        ),
        pytest.param(
            [GROUP, 'alice sends the group "Hi"', SWAP],
            (2, f"too late: the key of bob was handed out in line {FIRST + 1}"),
            id="known-in-the-group",
        ),
        pytest.param([SWAP, SWAP, INTERCEPTED], (1, f"the key of bob is swapped in line {FIRST} already"), id="twice"),
        pytest.param(
            [SWAP, 'bob sends alice "Hi"', HELLO],
            (2, f"the key of bob is swapped in line {FIRST}: bob cannot read this, unless the operator passes it on"),
            id="not-passed-on",
        ),
        pytest.param(
            [SWAP, GROUP, 'alice sends the group "Hi"'],
            (2, f"the key of bob is swapped in line {FIRST}: bob cannot read this"),
            id="not-passed-on-in-the-group",
        ),
        pytest.param(
            [INTERCEPTED],
            (0, "the operator has no key for this; before, the operator swaps the key of bob"),
            id="not-swapped",
        ),
        pytest.param(
            [HELLO, "the operator swaps the public key of carol"],
            (1, "carol neither sends nor gets a message"),
            id="key-of-nobody",
        ),
        pytest.param(
            [HELLO, 'the operator writes bob "Hi" in the name of carol, and it is believed'],
            (1, "carol neither sends nor gets a message"),
            id="name-of-nobody",
        ),
    ],
)
def test_what_the_operator_cannot_do_is_refused_where_it_stands(refused, story, problem):
    step, message = problem
    (found,) = refused(lesson(story, stage=RSA))
    assert found.startswith(f"{FIRST + step}: {message}")


def test_only_rsa_lets_the_operator_read_with_a_swapped_key(refused):
    assert refused(lesson([SWAP, INTERCEPTED])) == [
        f"{FIRST + 1}: only with rsa: the key that the operator has does not open what alice sends here"
    ]
    assert refused(lesson([SWAP, HELLO])) == [
        f"{FIRST + 1}: the key of bob is swapped in line {FIRST}: the app of alice refuses to send this"
    ]


def test_who_is_offline_is_who_the_message_is_for(refused):
    (problem,) = refused(lesson([SWAP, INTERCEPTED.replace("while bob", "while carol")], stage=RSA))
    assert problem.startswith(f"{FIRST + 1}: unknown step")
    assert "did you mean: {participant} sends {other}" in problem


def test_rsa_gives_an_app_another_reason_to_refuse():
    stage = "a message service in e2ee mode with rsa"
    assert read([HELLO, f'the app of alice refuses to send bob "{"x" * 200}"'], stage=stage)


def test_a_new_device_knows_nobody_and_so_refuses_nobody():
    assert read([HELLO, "alice loses the device and takes a new one", LOST, "bob accepts the new identity of alice"])
    story = [HELLO, LOST, "alice loses the device and takes a new one", "bob accepts the new identity of alice", HELLO]
    assert read(story)


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        ("earlier", "sends an earlier text"),
        ("later", "sends a later text"),
        ("healed", "sends a healed text"),
        ("group", "starts a group"),
        ("attachment", "sends a file"),
    ],
)
def test_a_secret_needs_a_step_that_plants_it(refused, secret, what):
    assert refused(lesson([HELLO, COPY], secret)) == [
        f'6: nobody {what} in this scenario, so it has no secret "{secret}"'
    ]


def test_the_claims_are_complete_over_the_copied_device_too(refused):
    text = lesson([HELLO, COPY]).replace(" | device |", " |").replace("--- | --- |\n", "--- |\n")
    text = text.replace("hidden | hidden |\n", "hidden |\n")
    assert refused(text) == ['11: the observer "device" has no column; a table has one for each observer']
