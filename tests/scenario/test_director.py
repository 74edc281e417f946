"""Stories on a real stage: what happens is what the steps say, or the record says that it went another way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab import capture
from lab.e2ee.device import DeviceState
from lab.matrix import judge
from lab.model import Capture, Deed, Encryption, Exposure, LabError, Observer, SecretName
from lab.scenario import parse, run
from lab.scenario.director import play
from lab.scenario.run import Session
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.stage import Stage

TWICE = [
    'alice seals "One" for bob, and it is delayed',
    'alice sends bob "Two"',
    "the delayed message reaches bob",
]


def held(stage: Stage, path: Path, *story: str, encryption: str = "pqxdh", padded: bool = False) -> Capture:
    """What is recorded of this story."""
    observers = ["network", "server", "database", *(["device"] if any("copies" in step for step in story) else [])]
    given = f"a message service in e2ee mode with {encryption}" + ("\n* And texts are padded" if padded else "")
    when = "\n* And ".join(story)
    text = (
        f"# Feature: F\n\n## Scenario: S\n\n* Given {given}\n* And the secrets body\n"
        f"* When {when}\n* Then the observers can read\n\n  | | {' | '.join(observers)} |\n"
        f"  |{' --- |' * (len(observers) + 1)}\n  | body |{' hidden |' * len(observers)}\n"
    )
    lesson = parse(text, Path("f.feature.md"))
    play(lesson, lesson.scenarios[0], stage, path, lambda _: None)
    return capture.read(path)


def said(recording: Capture, deed: Deed) -> list[tuple[str, str]]:
    """Who did it, and with which text, without its tag."""
    return [(one.who, one.text.partition(" [")[0]) for one in recording.statements if one.deed is deed]


def test_messages_arrive_in_another_order_and_one_of_them_twice(stage: Stage, tmp_path: Path) -> None:
    recording = held(
        stage,
        tmp_path / "capture",
        *TWICE,
        "the same message reaches bob again and is refused",
        'bob sends alice "Three"',
        padded=True,
    )
    assert recording.missing == ()
    assert recording.story.padded
    assert said(recording, Deed.READ) == [("bob", "Two"), ("bob", "One"), ("alice", "Three")]
    assert [who for who, _ in said(recording, Deed.REFUSED)] == ["bob"]
    assert judge(recording).cell(SecretName.BODY, Observer.SERVER).exposure is Exposure.HIDDEN


def test_keys_that_never_change_let_the_same_message_be_read_twice(stage: Stage, tmp_path: Path) -> None:
    again = "the same message reaches bob again and is read again"
    recording = held(stage, tmp_path / "capture", *TWICE, again, encryption="static")
    assert recording.missing == ()
    assert recording.story.encryption is Encryption.STATIC
    assert said(recording, Deed.READ) == [("bob", "Two"), ("bob", "One"), ("bob", "One")]


@pytest.mark.parametrize(
    ("encryption", "story", "what"),
    [
        pytest.param(
            "static",
            [*TWICE, "the same message reaches bob again and is refused"],
            "the app of bob has shown the same message twice",
            id="shown-twice",
        ),
        pytest.param(
            "pqxdh",
            [*TWICE, "the same message reaches bob again and is read again"],
            "the app of bob has refused to show the same message twice",
            id="refused-twice",
        ),
        pytest.param(
            "rsa",
            ['alice sends bob "Hi"', 'the app of alice refuses to send bob "Hi again"'],
            "the app of alice has sent what it was to refuse",
            id="not-refused",
        ),
        pytest.param(
            "rsa", [f'alice sends bob "{"x" * 200}"'], "RSA takes at most 190 bytes of text at once", id="too-long"
        ),
    ],
)
def test_a_story_that_goes_another_way_shows_nothing(
    stage: Stage, tmp_path: Path, encryption: str, story: list[str], what: str
) -> None:
    recording = held(stage, tmp_path / "capture", *story, encryption=encryption)
    (missing,) = recording.missing
    assert missing.what.startswith(f"the conversation broke off: {what}")
    matrix = judge(recording)
    assert {cell.exposure for cell in matrix.cells} == {Exposure.INCONCLUSIVE}
    assert stage.intact


def test_an_app_refuses_a_text_that_is_too_long(stage: Stage, tmp_path: Path) -> None:
    too_long = f'the app of alice refuses to send bob "{"x" * 200}"'
    recording = held(stage, tmp_path / "capture", 'alice sends bob "Hi"', too_long, encryption="rsa")
    assert recording.missing == ()
    assert said(recording, Deed.SENT) == [("alice", "Hi")]


def test_every_device_reads_what_is_for_its_owner_and_what_its_owner_wrote(stage: Stage, tmp_path: Path) -> None:
    recording = held(
        stage,
        tmp_path / "capture",
        'alice sends bob "One"',
        "bob takes a second device",
        "alice takes a second device",
        'alice sends bob "Two"',
        'bob sends alice "Three"',
    )
    assert recording.missing == ()
    assert said(recording, Deed.READ) == [
        ("bob", "One"),
        *[("alice", "Two"), ("bob", "Two"), ("bob", "Two")],
        *[("bob", "Three"), ("alice", "Three"), ("alice", "Three")],
    ]


def test_the_copy_is_one_of_the_newest_device(stage: Stage, tmp_path: Path) -> None:
    recording = held(
        stage,
        tmp_path / "capture",
        'alice sends bob "One"',
        "bob takes a second device",
        "somebody copies the device of bob",
    )
    (copy,) = recording.copies
    state = DeviceState.from_bytes(copy.state)
    assert (copy.who, copy.number) == ("bob", 2)
    assert (state.account, state.number) == (copy.account, 2)
    assert recording.story.observers == (*ON_STAGE, Observer.DEVICE)
    read = next(one.time for one in recording.statements if one.deed is Deed.READ)
    assert read < copy.time < max(note.time for note in recording.notes)


def test_a_new_phone_reads_nothing_before_its_identity_is_accepted(stage: Stage, tmp_path: Path) -> None:
    recording = held(
        stage,
        tmp_path / "capture",
        'alice sends bob "One"',
        "alice and bob compare safety numbers",
        "bob loses the device and takes a new one",
        'the app of alice refuses to send bob "Two"',
        "alice accepts the new identity of bob",
        'alice sends bob "Three"',
        'bob sends alice "Four"',
    )
    assert recording.missing == ()
    assert said(recording, Deed.READ) == [("bob", "One"), ("bob", "Three"), ("alice", "Four")]
    accounts = {one.account for one in recording.statements if one.who == "bob"}
    assert len(accounts) == 1


def test_who_leaves_a_group_reads_nothing_more_and_who_comes_reads_what_follows(stage: Stage, tmp_path: Path) -> None:
    recording = held(
        stage,
        tmp_path / "capture",
        'alice starts the group "Hiking" with bob and carol',
        'bob sends the group "One"',
        "alice removes carol from the group",
        "alice adds dave to the group",
        'bob sends the group "Two"',
        'dave sends the group "Three"',
    )
    assert recording.missing == ()
    assert said(recording, Deed.READ) == [
        *[("alice", "One"), ("carol", "One")],
        *[("alice", "Two"), ("dave", "Two")],
        *[("alice", "Three"), ("bob", "Three")],
    ]


def test_an_encryption_that_is_not_installed_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "vodozemac", None)
    monkeypatch.delitem(sys.modules, "lab.e2ee.olm", raising=False)
    text = (
        "# Feature: F\n\n## Scenario: S\n\n* Given a message service in e2ee mode with olm\n* And the secrets body\n"
        '* When alice sends bob "Hi"\n* Then the observers can read\n\n'
        "  | | network | server | database |\n  | --- | --- | --- | --- |\n  | body | hidden | hidden | hidden |\n"
    )
    lesson = parse(text, Path("f.feature.md"))
    monkeypatch.setattr(run, "open_stage", lambda _: pytest.fail("a stage was started"))
    with pytest.raises(LabError, match=r"^the encryption olm needs another package: pip install 'mitm-lab\[olm\]'$"):
        list(run.hold([Session(lesson, lesson.scenarios[0], 1)], None, lambda _: None))


def test_whoever_plays_a_story_does_not_load_what_judges_it() -> None:
    """It takes as long as all the rest, and a run judges in another process."""
    source = (
        "import sys, lab.scenario.director, lab.attack.forked_log, lab.attack.posted\n"
        "print('lab.detect' in sys.modules)\n"
        "import lab.matrix\n"
        "print('lab.detect' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split() == ["False", "True"]
