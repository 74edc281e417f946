"""What the operator does with its own recording and its own database, against apps that know nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab import capture
from lab.capture import Writer
from lab.controls import recorded
from lab.e2ee.protocol import E2EEError
from lab.mail import ENVELOPE, FILE
from lab.matrix import judge
from lab.messenger.content import Content, File
from lab.messenger.participant import Participant
from lab.model import Capture, Deed, Direction, Encryption, Exposure, Mode, Observation, Observer, SecretName, Story
from lab.record import Record
from lab.scenario import parse
from lab.scenario.casting import Cast
from lab.scenario.company import Company
from lab.scenario.director import play
from lab.scenario.operator import Operator, OperatorError
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.stage import Stage

HELLO = 'alice sends bob "Hello"'
SWAP = "the operator swaps the public key of bob"
INTERCEPTED = 'alice sends bob "Meet me at 5pm" while bob is offline, and the operator reads it and passes it on'

AGAIN = INTERCEPTED.replace("Meet me at 5pm", "Good. Bring a torch")

AUTHENTIC = [one for one in Encryption if one is not Encryption.RSA]

LESSON = """# Feature: F

## Scenario: S

* Given a message service in e2ee mode with {encryption}
* And the secrets body
* When {story}
* Then the observers can read

  |      | network | server | database |
  | ---- | ------- | ------ | -------- |
  | body | hidden  | hidden | hidden   |
"""


def forged(outcome: str, reader: str = "bob") -> str:
    return f'the operator writes {reader} "Come alone" in the name of alice, and it is {outcome}'


def needs(encryption: Encryption) -> None:
    if encryption is Encryption.OLM:
        pytest.importorskip("vodozemac")


def held(stage: Stage, path: Path, *story: str, encryption: str = "rsa", padded: bool = False) -> Capture:
    given = f"{encryption}\n* And texts are padded" if padded else encryption
    lesson = parse(LESSON.format(encryption=given, story="\n* And ".join(story)), Path("f.feature.md"))
    play(lesson, lesson.scenarios[0], stage, path, lambda _: None)
    return capture.read(path)


def said(recording: Capture, deed: Deed) -> list[tuple[str, str, str]]:
    """Who did it, the other one's name in the story, and with which text, without its tag."""
    return [
        (one.who, one.peer.partition("-")[0], one.text.partition(" [")[0])
        for one in recording.statements
        if one.deed is deed
    ]


# In somebody's name


@pytest.mark.parametrize("padded", [False, True], ids=["plain", "padded"])
def test_with_rsa_what_the_operator_wrote_is_shown_as_if_from_alice(
    stage: Stage, tmp_path: Path, *, padded: bool
) -> None:
    recording = held(stage, tmp_path / "capture", HELLO, forged("believed"), padded=padded)
    assert recording.missing == ()
    assert said(recording, Deed.SENT) == [("alice", "bob", "Hello")]
    assert said(recording, Deed.READ) == [("bob", "alice", "Hello"), ("bob", "alice", "Come alone")]
    assert judge(recording).cell(SecretName.BODY, Observer.SERVER).exposure is Exposure.HIDDEN


@pytest.mark.parametrize("encryption", AUTHENTIC)
def test_an_app_that_checks_who_wrote_refuses_it_and_goes_on(
    stage: Stage, tmp_path: Path, encryption: Encryption
) -> None:
    needs(encryption)
    recording = held(stage, tmp_path / "capture", HELLO, forged("refused"), HELLO, encryption=encryption)
    assert recording.missing == ()
    assert said(recording, Deed.READ) == [("bob", "alice", "Hello")] * 2
    assert [who for who, _, _ in said(recording, Deed.REFUSED)] == ["bob"]


def test_all_devices_of_both_show_it_even_if_they_have_never_talked(stage: Stage, tmp_path: Path) -> None:
    recording = held(
        stage,
        tmp_path / "capture",
        'alice sends carol "Hello"',
        "alice takes a second device",
        "bob takes a second device",
        forged("believed"),
    )
    assert recording.missing == ()
    assert sorted(said(recording, Deed.READ)[1:]) == [(who, "alice", "Come alone") for who in ("alice", "bob", "bob")]


@pytest.mark.parametrize(
    ("encryption", "outcome", "did"), [("rsa", "refused", "shown"), ("pqxdh", "believed", "refused to show")]
)
def test_a_story_that_tells_it_otherwise_shows_nothing(
    stage: Stage, tmp_path: Path, encryption: str, outcome: str, did: str
) -> None:
    recording = held(stage, tmp_path / "capture", HELLO, forged(outcome), encryption=encryption)
    (missing,) = recording.missing
    assert missing.what.endswith(f"the app of bob has {did} what the operator wrote in the name of alice")
    assert stage.intact


# With another key


def test_with_rsa_the_operator_reads_what_it_passes_on_and_nobody_notices(stage: Stage, tmp_path: Path) -> None:
    recording = held(stage, tmp_path / "capture", SWAP, INTERCEPTED, 'bob sends alice "Fine"', AGAIN)
    assert recording.missing == ()
    assert said(recording, Deed.REFUSED) == []
    assert said(recording, Deed.READ) == [
        ("bob", "alice", "Meet me at 5pm"),
        ("alice", "bob", "Fine"),
        ("bob", "alice", "Good. Bring a torch"),
    ]
    opened = [one for one in recording.observations if one.place == ENVELOPE]
    assert [(one.observer, one.direction) for one in opened] == [(Observer.SERVER, Direction.AT_REST)] * 2
    assert b"Meet me at 5pm" in opened[0].data
    matrix = judge(recording)
    assert {one: matrix.cell(SecretName.BODY, one).exposure for one in ON_STAGE} == {
        Observer.NETWORK: Exposure.HIDDEN,
        Observer.SERVER: Exposure.EXPOSED,
        Observer.DATABASE: Exposure.HIDDEN,
    }


def test_what_the_operator_opened_does_not_count_as_what_its_tap_got(stage: Stage, tmp_path: Path) -> None:
    recording = held(stage, tmp_path / "capture", SWAP, INTERCEPTED)

    def whole(changed: list[Observation]) -> bool:
        taken = replace(recording, observations=tuple(changed))
        return recorded(taken, Record(taken, Observer.SERVER)).passed

    observations = list(recording.observations)
    of_tap = next(one for one in observations if one.observer is Observer.SERVER and one.place == "http.header")
    assert whole(observations)
    assert whole([one for one in observations if one.place != ENVELOPE])
    assert whole([*observations, replace(of_tap, place=FILE)])
    assert not whole([*observations, of_tap])
    assert not whole([replace(one, place=ENVELOPE) if one is of_tap else one for one in observations])


@contextmanager
def arrived(
    stage: Stage, path: Path, encryption: Encryption, recording: bytes | None = None
) -> Iterator[tuple[Participant, Participant, Operator]]:
    """Alice, Bob and the operator, who has `recording` (None: the one of its front end)."""
    text = LESSON.format(encryption=encryption, story=HELLO)
    (scenario,) = parse(text, Path("f.feature.md")).scenarios
    cast = Cast(scenario)
    story = Story("lesson", "A test", Mode.E2EE, ON_STAGE, 1_700_000_000.0, encryption=encryption)
    with (
        Writer(path, story) as writer,
        stage.session(Mode.E2EE, cast.host, writer) as venue,
        Company(venue, writer.add, encryption) as company,
    ):
        alice, bob = company.join(cast.people.values())
        front_end = (lambda: stage.recording(venue)) if recording is None else (lambda: recording)
        yield alice, bob, Operator(venue, encryption, front_end, writer.add, padded=False)


@pytest.mark.parametrize("encryption", AUTHENTIC)
def test_an_app_that_checks_signatures_sends_nothing_with_a_swapped_key(
    stage: Stage, tmp_path: Path, encryption: Encryption
) -> None:
    needs(encryption)
    with arrived(stage, tmp_path / "capture", encryption) as (alice, bob, operator):
        conversation = alice.start_conversation([bob.person.account])
        operator.swap_keys(bob.person.account)
        # Not for its form: the operator's key is made as it should be, and is not Bob's.
        with pytest.raises(E2EEError, match="signature"):
            alice.send(conversation, [bob.person.account], Content("Hi"))


def test_the_operator_opens_nothing_without_having_swapped_a_key(stage: Stage, tmp_path: Path) -> None:
    with arrived(stage, tmp_path / "capture", Encryption.RSA) as (alice, bob, operator):
        conversation = alice.start_conversation([bob.person.account])
        alice.send(conversation, [bob.person.account], Content("Hi"))
        with pytest.raises(OperatorError, match="has swapped no key"):
            operator.pass_on(alice.person.account, bob.person.account)


def test_nor_does_it_write_as_anybody_whose_token_it_has_not_recorded(stage: Stage, tmp_path: Path) -> None:
    with arrived(stage, tmp_path / "capture", Encryption.RSA, recording=b"") as (alice, bob, operator):
        account = alice.person.account
        with pytest.raises(OperatorError, match=f"has recorded no token of {account}"):
            operator.write_as(account, bob.person.account, "Hi")


def test_it_opens_a_file_that_was_reported_and_no_file_that_was_not(stage: Stage, tmp_path: Path) -> None:
    plan = Content(file=File("plan.txt", b"Platform 3"))
    with arrived(stage, tmp_path / "capture", Encryption.PQXDH) as (alice, bob, operator):
        conversation = alice.start_conversation([bob.person.account])
        bob.listen()
        message = alice.send(conversation, [bob.person.account], plan)
        bob.receive()
        with pytest.raises(OperatorError, match="no such report"):
            operator.review("none")
        assert operator.review(bob.report(message)) == ("recipient says so", b"Platform 3")
    recording = capture.read(tmp_path / "capture")
    opened = [(one.observer, one.data) for one in recording.observations if one.place == FILE]
    assert opened == [(Observer.SERVER, b"Platform 3"), (Observer.DATABASE, b"Platform 3")]
