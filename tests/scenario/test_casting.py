"""Who plays in a story and what is planted: everything with a tag of its own, and in the roles that are played."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.model import SecretName
from lab.scenario import Participant, parse
from lab.scenario.casting import DECOYS, LEAST_FILE_BYTES, Cast

ALICE, BOB, CAROL, DAVE, ERIN = Participant
TAG = "[0-9a-f]{16}"


def cast_of(*story: str) -> Cast:
    observers = ["network", "server", "database", *(["device"] if any("copies" in step for step in story) else [])]
    when = "\n* And ".join(story)
    text = (
        "# Feature: F\n\n## Scenario: S\n\n* Given a message service in e2ee mode\n* And the secrets service\n"
        f"* When {when}\n* Then the observers can read\n\n  | | {' | '.join(observers)} |\n"
        f"  |{' --- |' * (len(observers) + 1)}\n  | service |{' exposed |' * len(observers)}\n"
    )
    (scenario,) = parse(text, Path("f.feature.md")).scenarios
    return Cast(scenario)


def played(cast: Cast) -> list[tuple[Participant, Sequence[Participant]]]:
    return [(message.sender, message.recipients) for message in cast.messages.values()]


def test_each_text_stands_for_its_secret():
    cast = cast_of(
        'alice sends bob "One"',
        'alice sends bob the earlier text "Two"',
        "somebody copies the device of bob",
        'bob sends alice the later text "Three"',
        'bob sends alice the healed text "Four"',
        'alice seals "Five" for bob, and it is delayed',
        "the delayed message reaches bob",
    )
    planted = {name: [secret.value.decode() for secret in cast.secrets(name)] for name in SecretName}
    texts = [message.content.text for message in cast.messages.values()]
    assert planted[SecretName.BODY] == [texts[0], texts[4]]
    assert [planted[name] for name in (SecretName.EARLIER, SecretName.LATER, SecretName.HEALED)] == [
        [text] for text in texts[1:4]
    ]
    assert all(re.fullmatch(rf"[A-Z][a-z]+ \[{TAG}\]", text) for text in texts)


def test_a_file_is_no_shorter_than_files_are_and_its_name_has_a_tag_too():
    cast = cast_of('alice sends bob the file "plan B.txt" containing "Platform 3"')
    (message,) = cast.messages.values()
    assert message.content.file
    assert re.fullmatch(rf"plan B-{TAG}\.txt", message.content.file.name)
    assert len(message.content.file.data) == LEAST_FILE_BYTES
    (secret,) = cast.secrets(SecretName.ATTACHMENT)
    assert message.content.file.data.startswith(secret.value)
    assert cast.with_files
    assert not cast_of('alice sends bob "Hi"').with_files


def test_who_gets_a_group_message_is_who_is_in_the_group_by_then():
    cast = cast_of(
        'alice starts the group "Hiking" with bob and carol',
        'carol sends the group "One"',
        "alice removes carol from the group",
        'alice sends the group "Two"',
        "alice adds dave to the group",
        'bob sends the group "Three"',
    )
    assert played(cast) == [(CAROL, (ALICE, BOB)), (ALICE, (BOB,)), (BOB, (ALICE, DAVE))]
    assert all(message.to_group for message in cast.messages.values())
    (title,) = cast.secrets(SecretName.GROUP)
    assert cast.title.encode() == title.value
    assert re.fullmatch(rf"Hiking \[{TAG}\]", cast.title)


def test_a_name_is_planted_in_the_roles_that_are_played():
    cast = cast_of('alice starts the group "Hiking" with bob and carol', 'alice sends the group "Hi"')
    senders = [secret.value.decode() for secret in cast.secrets(SecretName.SENDER)]
    recipients = [secret.value.decode() for secret in cast.secrets(SecretName.RECIPIENT)]
    assert senders == [cast.people[ALICE].account]
    assert recipients == [cast.people[BOB].account, cast.people[CAROL].account]
    assert len(cast.secrets(SecretName.PASSWORD)) == 3


def test_everybody_in_the_story_is_there_in_the_order_of_the_story():
    cast = cast_of(
        'dave sends bob "Hi"',
        "bob loses the device and takes a new one",
        'the app of dave refuses to send bob "Hi again"',
        "dave accepts the new identity of bob",
        'bob sends erin and alice "Hello"',
    )
    assert list(cast.people) == [DAVE, BOB, ERIN, ALICE]


def test_what_an_app_refuses_to_send_is_no_secret_since_nobody_gets_it():
    cast = cast_of(
        'alice sends bob "Hi"',
        "bob loses the device and takes a new one",
        'the app of alice refuses to send bob "Hi again"',
    )
    assert len(cast.secrets(SecretName.BODY)) == len(cast.messages) == 1


@pytest.mark.parametrize("name", [SecretName.SERVICE, SecretName.SENDER, SecretName.BODY, SecretName.PASSWORD])
def test_each_secret_has_decoys_like_it_and_no_value_comes_twice(name):
    cast = cast_of('alice sends bob "Hi"', 'alice sends bob "Hi"')
    drawn = Counter(value for secret in cast.secrets(name) for value in (secret.value, *secret.decoys))
    assert set(drawn.values()) == {1}
    assert all(len(secret.decoys) == DECOYS for secret in cast.secrets(name))


def test_profiles_and_both_faces_of_a_file_are_planted():
    cast = cast_of(
        'alice sets the profile "At the lake"',
        'alice sends bob a sealed file with two faces, which say "One" and "Two"',
        "bob reports the second face, and the operator sees it",
    )
    (profile,), ((first, second),) = cast.profiles.values(), cast.faces.values()
    planted = {
        name: [secret.value.decode() for secret in cast.secrets(name)]
        for name in (SecretName.PROFILE, SecretName.ATTACHMENT, SecretName.REPORTED)
    }
    assert list(planted.values()) == [[profile], [first], [second]]
    assert all(re.fullmatch(rf"[\w ]+ \[{TAG}\]", text) for text in (profile, first, second))
    assert (cast.senders, cast.recipients, cast.messages) == ({ALICE}, {BOB}, {})
    assert cast.with_files
