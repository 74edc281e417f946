"""An operator who hands out keys of its own, and has a log with them for each of the deceived, in a real mitmdump."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.messenger.log_view import IdentitySubstitutedError, LogForkedError, NotInLogError
from tests.messenger.conftest import Enrol

from .conftest import Operator, accounts, say


@pytest.fixture
def operator(start: Callable[..., Operator]) -> Operator:
    return start("key_substitution")


def test_false_keys_that_are_not_in_the_log_are_not_taken(operator: Operator, enrol: Enrol) -> None:
    alice, bob = enrol("Alice", "Bob", transparency=True)
    operator.act(substitute=accounts(alice, bob))
    here = alice.self.start_conversation([bob.account])
    with pytest.raises(NotInLogError):
        say(alice, here, "Meet me at 5pm", bob)
    assert operator.texts() == []


def test_in_a_second_log_they_are_and_nobody_notices_until_a_third_one_writes(
    operator: Operator, enrol: Enrol, service_database: Path
) -> None:
    alice, bob, carol = enrol("Alice", "Bob", "Carol", transparency=True)
    operator.act(substitute=accounts(alice, bob), split=str(service_database))
    here = alice.self.start_conversation([bob.account])
    for _ in range(2):
        say(alice, here, "Meet me at 5pm", bob)
        say(bob, here, "Fine", alice)
    assert operator.texts() == ["Meet me at 5pm", "Fine"] * 2
    for each in (alice, bob, carol):
        each.self.read_log()
    with_carol = alice.self.start_conversation([carol.account])
    with pytest.raises(LogForkedError):
        say(alice, with_carol, "Hello Carol", carol)
    assert carol.self.receive().text == "Hello Carol"


def test_without_transparency_the_third_one_does_not_notice_either(
    operator: Operator, enrol: Enrol, service_database: Path
) -> None:
    alice, bob = enrol("Alice", "Bob", transparency=True)
    (carol,) = enrol("Carol")
    operator.act(substitute=accounts(alice, bob), split=str(service_database))
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Meet me at 5pm", bob)
    with_carol = alice.self.start_conversation([carol.account])
    say(alice, with_carol, "Hello Carol", carol)
    say(carol, with_carol, "Hello Alice", alice)
    assert operator.texts() == ["Meet me at 5pm"]


def test_in_a_group_one_text_is_for_all_and_so_is_the_head_in_it(
    operator: Operator, enrol: Enrol, service_database: Path
) -> None:
    people = alice, bob, carol = enrol("Alice", "Bob", "Carol", transparency=True)
    operator.act(substitute=accounts(*people), split=str(service_database))
    group = alice.self.start_conversation(accounts(bob, carol), "All of us")
    with pytest.raises((LogForkedError, IdentitySubstitutedError)):
        say(alice, group, "Meet me at 5pm", bob, carol)
    assert bob.self.receive().text == "Meet me at 5pm"
