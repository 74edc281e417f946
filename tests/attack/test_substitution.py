"""Key substitution against the real apps, over the real service: who reads, who notices, and who does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.e2ee.fingerprint import matches
from lab.model import Deed, Encryption
from tests.messenger.conftest import Enrol, Someone

from .conftest import Operator, say

ENGINES = [one for one in Encryption if one is not Encryption.OLM]


@pytest.fixture(scope="module")
def operator(start: Callable[..., Operator]) -> Operator:
    return start("key_substitution")


@pytest.fixture(autouse=True)
def quiet(operator: Operator) -> None:
    """Nothing is left of the test before."""
    operator.act(stop={})
    operator.texts()


def numbers(one: Someone, other: Someone) -> tuple[str, str]:
    return one.self.safety_number(other.account), other.self.safety_number(one.account)


def refused(*people: Someone) -> list[str]:
    return [told.reason for person in people for told in person.told(Deed.REFUSED)]


@pytest.mark.parametrize("encryption", ENGINES)
def test_it_reads_both_directions_and_only_safety_numbers_tell(
    operator: Operator, enrol: Enrol, encryption: Encryption
) -> None:
    operator.act(substitute="all", encryption=encryption)
    alice, bob = enrol("Alice", "Bob", encryption=encryption)
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Meet me at 5pm", bob)
    say(bob, here, "Fine", alice)
    say(bob, here, "Where?", alice)
    say(alice, here, "At the mill", bob)
    assert operator.texts() == ["Meet me at 5pm", "Fine", "Where?", "At the mill"]
    assert refused(alice, bob) == []
    one, other = numbers(alice, bob)
    assert one != other
    assert not matches(alice.self.safety_code(bob.account), bob.self.safety_code(alice.account))
