"""Ghost devices and ghost members against the real apps, over the real service."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.e2ee.protocol import E2EEError
from lab.messenger.contacts import IdentityChangedError
from lab.messenger.content import Content
from lab.messenger.wire import WireError
from lab.model import Deed, Encryption
from lab.stage.process import ChildError
from tests.messenger.conftest import MAP, Enrol, Make

from .conftest import Operator, accounts, numbers, say

GHOST = "the-ghost"


@pytest.fixture(scope="module")
def operator(start: Callable[..., Operator]) -> Operator:
    return start("ghost_device")


@pytest.fixture(autouse=True)
def quiet(operator: Operator) -> None:
    """Nothing is left of the test before."""
    operator.act(stop={})
    operator.texts()


# A device


@pytest.mark.parametrize("encryption", [Encryption.PQXDH, Encryption.STATIC])
def test_whoever_meets_bob_now_writes_to_his_ghost_as_well(
    operator: Operator, enrol: Enrol, encryption: Encryption
) -> None:
    alice, bob = enrol("Alice", "Bob", encryption=encryption)
    operator.act(device=bob.account, encryption=encryption)
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Meet me at 5pm", bob)
    say(bob, here, "Not for the ghost", alice)  # it is a device of Bob's, as Alice sees it, and not of hers
    say(alice, here, "At the mill", bob)
    assert operator.texts() == ["Meet me at 5pm", "At the mill"]
    assert alice.told(Deed.REFUSED) == bob.told(Deed.REFUSED) == []
    one, other = numbers(alice, bob)
    assert one != other


def test_if_bob_writes_first_the_answer_is_read(operator: Operator, enrol: Enrol) -> None:
    alice, bob = enrol("Alice", "Bob")
    operator.act(device=bob.account, encryption="pqxdh")
    here = bob.self.start_conversation([alice.account])
    say(bob, here, "Hello", alice)
    say(alice, here, "Meet me at 5pm", bob)
    assert operator.texts() == ["Meet me at 5pm"]


def test_in_a_group_it_is_given_the_sender_keys(operator: Operator, enrol: Enrol) -> None:
    alice, bob, carol = enrol("Alice", "Bob", "Carol")
    operator.act(device=bob.account, encryption="pqxdh")
    here = alice.self.start_conversation(accounts(bob, carol), "Plans")
    say(alice, here, "One", bob, carol)
    say(carol, here, "Two", alice, bob)
    alice.self.send(here, accounts(bob, carol), MAP)
    assert bob.self.receive() == carol.self.receive() == MAP
    observations, _ = operator.recorded()
    assert MAP.file is not None
    assert [one.data for one in observations if one.place == "opened.file"] == [MAP.file.data]
    read = b"".join(one.data for one in observations if one.place == "opened.envelope")
    assert b"One" in read
    assert b"Two" in read
    alice.self.remove_member(here, bob.account)
    say(alice, here, "Without Bob", carol)
    assert operator.texts() == []


def test_a_second_device_of_the_haunted_account_reads_as_before(operator: Operator, enrol: Enrol, make: Make) -> None:
    alice, bob = enrol("Alice", "Bob")
    desktop = make("desktop", like=bob, number=2)
    bob.self.link(desktop.self)
    desktop.self.listen()
    operator.act(device=bob.account, encryption="pqxdh")
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Meet me at 5pm", bob, desktop)
    say(bob, here, "Fine", alice, desktop)
    assert operator.texts() == ["Meet me at 5pm"]


def test_a_real_device_with_the_number_of_the_ghost_gives_it_away(operator: Operator, enrol: Enrol, make: Make) -> None:
    alice, bob = enrol("Alice", "Bob")
    operator.act(device=bob.account, encryption="pqxdh")
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Meet me at 5pm", bob)
    desktop = make("desktop", like=bob, number=2)
    bob.self.link(desktop.self)
    desktop.self.listen()
    say(alice, here, "At the mill", bob)
    with pytest.raises(E2EEError):  # it was sealed for the ghost
        desktop.self.receive()
    desktop.self.send(here, [alice.account], Content("What did you say?"))
    with pytest.raises(IdentityChangedError):
        alice.self.receive()
    assert operator.texts() == ["Meet me at 5pm"]


def test_an_entry_that_nobody_has_signed_is_refused(operator: Operator, enrol: Enrol) -> None:
    alice, bob = enrol("Alice", "Bob")
    operator.act(device=bob.account, signed=False, encryption="pqxdh")
    here = alice.self.start_conversation([bob.account])
    with pytest.raises(E2EEError, match="a signature is not valid"):
        alice.self.send(here, [bob.account], Content("Meet me at 5pm"))
    assert alice.told(Deed.SENT) == []
    assert operator.texts() == []


@pytest.mark.parametrize(("signed", "why"), [(True, "identity of .* has changed"), (False, "signature is not valid")])
def test_whoever_knows_bob_is_warned_and_sends_nothing(
    operator: Operator, enrol: Enrol, signed: bool, why: str
) -> None:
    alice, bob = enrol("Alice", "Bob")
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Hello", bob)
    alice.self.verify(bob.account)
    operator.act(device=bob.account, signed=signed, encryption="pqxdh")
    with pytest.raises(E2EEError, match=why) as refused:
        alice.self.send(here, [bob.account], Content("Meet me at 5pm"))
    assert isinstance(refused.value, IdentityChangedError) is signed
    assert [told.text for told in alice.told(Deed.SENT)] == ["Hello"]
    assert operator.texts() == []
    assert operator.act(done={})["turned_down"] >= 1


# A member


@pytest.mark.parametrize("encryption", [Encryption.PQXDH, Encryption.STATIC])
def test_an_app_that_writes_to_whom_the_service_calls_members_writes_to_the_ghost(
    operator: Operator, enrol: Enrol, encryption: Encryption
) -> None:
    alice, bob, carol = enrol("Alice", "Bob", "Carol", encryption=encryption)
    operator.act(member=GHOST, encryption=encryption)
    with alice.raw() as raw:
        made = raw.call("POST", "/v1/conversations", {"members": accounts(bob, carol), "title": "Plans"})
        (listed,) = raw.call("GET", "/v1/conversations")["conversations"]
    assert made["members"] == listed["members"] == sorted([*accounts(alice, bob, carol), GHOST])
    others = [name for name in made["members"] if name != alice.account]
    for text in ("One", "Two"):
        alice.self.send(made["id"], others, Content(text))
        assert bob.self.receive() == carol.self.receive() == Content(text)
    assert operator.texts() == ["One", "Two"]


def test_an_app_that_writes_to_whom_its_user_has_chosen_sends_nothing(operator: Operator, enrol: Enrol) -> None:
    alice, bob, carol = enrol("Alice", "Bob", "Carol")
    here = alice.self.start_conversation(accounts(bob, carol), "Plans")
    elsewhere = alice.self.start_conversation(accounts(bob, carol), "Other plans")
    say(alice, here, "One", bob, carol)
    operator.act(member=GHOST, conversations=[here], encryption="pqxdh")
    with pytest.raises(WireError, match=f"{GHOST} is a member of the conversation as well, to whom this was not"):
        alice.self.send(here, accounts(bob, carol), Content("Two"))
    assert [told.text for told in alice.told(Deed.SENT)] == ["One"]
    assert operator.texts() == []
    say(alice, elsewhere, "Not where it is", bob, carol)
    operator.act(stop={})
    say(alice, here, "Two", bob, carol)
    assert operator.texts() == []


def test_the_others_are_told_of_it_with_the_next_change(operator: Operator, enrol: Enrol) -> None:
    alice, bob, carol, dave = enrol("Alice", "Bob", "Carol", "Dave")
    here = alice.self.start_conversation(accounts(bob, carol), "Plans")
    for members, expected in (([], []), ([GHOST], [GHOST])):
        for name in members:
            operator.act(member=name, conversations=[here], encryption="pqxdh")
        alice.self.add_member(here, dave.account)
        assert bob.self._events is not None
        name, fields = bob.self._events.next()
        assert name == "members"
        assert fields["members"] == sorted([*accounts(alice, bob, carol, dave), *expected])
        alice.self.remove_member(here, dave.account)
        assert bob.self._events.next()[0] == "members"


def test_without_ghosts_nothing_is_read_and_nothing_is_changed(operator: Operator, enrol: Enrol) -> None:
    alice, bob, carol = enrol("Alice", "Bob", "Carol")
    here = alice.self.start_conversation(accounts(bob, carol), "Plans")
    say(alice, here, "One", bob, carol)
    assert operator.recorded()[0] == []
    one, other = numbers(alice, bob)
    assert one == other


def test_what_is_no_order_is_refused(operator: Operator) -> None:
    with pytest.raises(ChildError, match="the ghosts know no order"):
        operator.act(boo=True)
