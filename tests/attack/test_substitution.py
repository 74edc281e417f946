"""Key substitution against the real apps, over the real service: who reads, who notices, and who does not."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.e2ee.fingerprint import matches
from lab.messenger.contacts import IdentityChangedError
from lab.messenger.content import Content
from lab.messenger.wire import Route, WireError, _Direct
from lab.model import Deed, Encryption
from lab.service.server import RunningService
from lab.stage.process import ChildError
from tests.messenger.conftest import HOST, MAP, Enrol, Make, Someone

from .conftest import Operator, accounts, numbers, say

ENGINES = [one for one in Encryption if one is not Encryption.OLM]


@pytest.fixture(scope="module")
def operator(start: Callable[..., Operator]) -> Operator:
    return start("key_substitution")


@pytest.fixture(autouse=True)
def quiet(operator: Operator) -> None:
    """Nothing is left of the test before."""
    operator.act(stop={})
    operator.texts()


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


def test_without_it_nothing_is_read_and_safety_numbers_agree(operator: Operator, enrol: Enrol) -> None:
    alice, bob = enrol("Alice", "Bob")
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Meet me at 5pm", bob)
    say(bob, here, "Fine", alice)
    assert operator.recorded()[0] == []
    one, other = numbers(alice, bob)
    assert one == other
    assert matches(alice.self.safety_code(bob.account), bob.self.safety_code(alice.account))


def test_olm_is_read_too(operator: Operator, enrol: Enrol) -> None:
    pytest.importorskip("vodozemac")
    operator.act(substitute="all", encryption="olm")
    alice, bob, carol = enrol("Alice", "Bob", "Carol", encryption=Encryption.OLM)
    here = alice.self.start_conversation(accounts(bob, carol), "Plans")
    say(alice, here, "Meet me at 5pm", bob, carol)
    say(bob, here, "Fine", alice, carol)
    assert operator.texts() == ["Meet me at 5pm", "Fine"]
    assert refused(alice, bob, carol) == []


def test_padded_texts_stay_padded(operator: Operator, enrol: Enrol) -> None:
    operator.act(substitute="all", encryption="pqxdh")
    alice, bob, carol = enrol("Alice", "Bob", "Carol", padded=True)
    here = alice.self.start_conversation(accounts(bob, carol), "Plans")
    say(alice, here, "Meet me at 5pm", bob, carol)
    pair = alice.self.start_conversation([bob.account])
    say(bob, pair, "Between us", alice)
    assert operator.texts() == ["Meet me at 5pm", "Between us"]
    assert refused(alice, bob, carol) == []


@pytest.mark.parametrize("encryption", [Encryption.PQXDH, Encryption.STATIC])
def test_a_group_is_read_while_members_come_and_go(operator: Operator, enrol: Enrol, encryption: Encryption) -> None:
    operator.act(substitute="all", encryption=encryption)
    alice, bob, carol, dave = enrol("Alice", "Bob", "Carol", "Dave", encryption=encryption)
    here = alice.self.start_conversation(accounts(bob, carol), "Plans")
    say(alice, here, "One", bob, carol)
    say(bob, here, "Two", alice, carol)
    say(alice, here, "Three", bob, carol)
    alice.self.remove_member(here, carol.account)
    say(alice, here, "Without Carol", bob)
    say(bob, here, "Alone at last", alice)
    alice.self.add_member(here, dave.account)
    say(alice, here, "With Dave", bob, dave)
    say(dave, here, "Hello all", alice, bob)
    expected = ["One", "Two", "Three", "Without Carol", "Alone at last", "With Dave", "Hello all"]
    assert list(dict.fromkeys(operator.texts())) == expected
    assert refused(alice, bob, carol, dave) == []
    for one, other in ((alice, bob), (bob, carol), (dave, alice)):
        assert len(set(numbers(one, other))) == 2


def test_in_a_group_only_the_chosen_ones_are_read(operator: Operator, enrol: Enrol) -> None:
    """Carol is not deceived: she and Alice see each other as they are, and Alice's messages reach her untouched."""
    alice, bob, carol = enrol("Alice", "Bob", "Carol")
    operator.act(substitute=accounts(alice, bob), encryption="pqxdh")
    here = alice.self.start_conversation(accounts(bob, carol), "Plans")
    for text in ("One", "Two"):
        say(alice, here, text, bob, carol)
    say(carol, here, "Three", alice, bob)
    assert operator.texts() == ["One", "Two"]
    assert refused(alice, bob, carol) == []
    assert len(set(numbers(alice, bob))) == 2
    assert len(set(numbers(alice, carol))) == len(set(numbers(bob, carol))) == 1


def test_files_are_read_too(operator: Operator, enrol: Enrol) -> None:
    operator.act(substitute="all", encryption="pqxdh")
    alice, bob = enrol("Alice", "Bob")
    here = alice.self.start_conversation([bob.account])
    alice.self.send(here, [bob.account], MAP)
    assert bob.self.receive() == MAP
    assert MAP.file is not None
    observations, _ = operator.recorded()
    assert [one.place for one in observations] == ["opened.envelope", "opened.file"]
    assert observations[1].data == MAP.file.data
    assert MAP.text in observations[0].data.decode()


def test_several_devices_are_deceived_one_by_one(operator: Operator, enrol: Enrol, make: Make) -> None:
    operator.act(substitute="all", encryption="pqxdh")
    alice, bob = enrol("Alice", "Bob")
    here = alice.self.start_conversation([bob.account])
    group = alice.self.start_conversation([bob.account], "Plans")
    say(alice, here, "One", bob)
    say(alice, group, "Two", bob)
    tablet, desktop = make("tablet", like=alice, number=2), make("desktop", like=bob, number=2)
    alice.self.link(tablet.self)
    bob.self.link(desktop.self)
    for device in (tablet, desktop):
        device.self.listen()
    for conversation in (here, group):
        say(alice, conversation, "To all", bob, desktop, tablet)
        say(desktop, conversation, "From the desktop", alice, bob, tablet)
        say(tablet, conversation, "From the tablet", alice, bob, desktop)
    bob.self.unlink(2)
    say(alice, group, "Not to the desktop", bob, tablet)
    texts = list(dict.fromkeys(operator.texts()))
    assert texts == ["One", "Two", "To all", "From the desktop", "From the tablet", "Not to the desktop"]
    assert refused(alice, bob, tablet, desktop) == []
    assert tablet.self.safety_number(bob.account) == alice.self.safety_number(bob.account)
    assert desktop.self.safety_number(alice.account) == bob.self.safety_number(alice.account)
    assert len(set(numbers(tablet, desktop))) == 2


def test_one_time_keys_are_handed_out_and_used_up_as_their_owners_expect(operator: Operator, enrol: Enrol) -> None:
    seen = []
    for whom, (alice, bob) in (("all", enrol("Alice", "Bob")), ([], enrol("Carol", "Dave"))):
        operator.act(stop={})
        operator.act(substitute=whom, encryption="pqxdh")
        here = alice.self.start_conversation([bob.account])
        alice.self.send(here, [bob.account], Content("Hi"))
        left = [_stock(one) for one in (alice, bob)]
        assert bob.self.receive() == Content("Hi")
        with alice.raw() as raw:
            asked = [raw.call("POST", f"/v1/accounts/{bob.account}/handouts", {})["devices"][0] for _ in range(10)]
        seen.append((left, [[one[kind] is not None for kind in ("one_time", "one_time_kem")] for one in asked]))
        assert len({one["one_time"]["id"] for one in asked if one["one_time"]}) == 9
    assert seen[0] == seen[1] == ([(10, 10), (9, 9)], [[True, True]] * 9 + [[False, False]])


def _stock(someone: Someone) -> tuple[int, int]:
    with someone.raw() as raw:
        stock = raw.call("GET", "/v1/devices/1/keys")
    return stock["one_time"], stock["one_time_kem"]


def test_two_devices_that_meet_somebody_at_the_same_time_get_keys_of_their_own(
    operator: Operator, enrol: Enrol, make: Make
) -> None:
    operator.act(substitute="all", encryption="pqxdh")
    alice, bob = enrol("Alice", "Bob")
    tablet = make("tablet", like=alice, number=2)
    alice.self.link(tablet.self)
    here = alice.self.start_conversation([bob.account])
    prepared = [one.self.prepare(here, [bob.account], Content(text)) for one, text in ((alice, "One"), (tablet, "Two"))]
    for one, message in zip((alice, tablet), prepared, strict=True):
        one.self.post(message)
    assert [bob.self.receive().text for _ in prepared] == operator.texts() == ["One", "Two"]


def test_a_message_that_is_posted_again_is_read_once(operator: Operator, enrol: Enrol) -> None:
    """Alice's app does not know whether the service has taken it. The first time it has not: she is no member."""
    operator.act(substitute="all", encryption="pqxdh")
    alice, bob = enrol("Alice", "Bob")
    here = alice.self.start_conversation([bob.account])
    prepared = alice.self.prepare(here, [bob.account], Content("Pay 10 euros"))
    bob.self.remove_member(here, alice.account)
    with alice.raw() as raw, pytest.raises(WireError, match="404"):
        raw.call("POST", f"/v1/conversations/{here}/messages", dict(prepared.body))
    with bob.raw() as raw, alice.raw() as other:
        assert other.call("GET", "/v1/conversations") == {"conversations": []}
        raw.call("POST", f"/v1/conversations/{here}/members", {"account": alice.account})
    for _ in range(2):
        alice.self.post(prepared)
    assert bob.self.receive() == Content("Pay 10 euros")
    say(bob, here, "Done", alice)
    assert operator.texts() == ["Pay 10 euros", "Done"]
    assert refused(alice, bob) == []


def test_who_has_met_before_is_left_alone(operator: Operator, enrol: Enrol) -> None:
    alice, bob, carol = enrol("Alice", "Bob", "Carol")
    here = alice.self.start_conversation([bob.account])
    alice.self.send(here, [bob.account], Content("Under way as it begins"))
    operator.act(substitute="all", encryption="pqxdh")
    assert bob.self.receive() == Content("Under way as it begins")
    say(bob, here, "Still ours", alice)
    say(alice, here, "Still ours, too", bob)
    assert operator.texts() == []
    there = alice.self.start_conversation([carol.account])
    say(alice, there, "Nice to meet you", carol)
    assert operator.texts() == ["Nice to meet you"]
    assert len(set(numbers(alice, bob))) == 1
    assert len(set(numbers(alice, carol))) == 2
    assert refused(alice, bob, carol) == []


@pytest.mark.parametrize("encryption", [Encryption.PQXDH, Encryption.STATIC])
def test_who_insists_is_noticed_and_nothing_is_sent(operator: Operator, enrol: Enrol, encryption: Encryption) -> None:
    alice, bob = enrol("Alice", "Bob", encryption=encryption)
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Hello", bob)
    one, other = numbers(alice, bob)
    assert one == other
    alice.self.verify(bob.account)
    operator.act(substitute="all", insist=True, encryption=encryption)
    with pytest.raises(IdentityChangedError, match=f"the identity of {bob.account} has changed"):
        alice.self.send(here, [bob.account], Content("Meet me at 5pm"))
    with pytest.raises(IdentityChangedError):  # and goes on warning
        alice.self.send(here, [bob.account], Content("Meet me at 5pm"))
    assert [told.text for told in alice.told(Deed.SENT)] == ["Hello"]
    assert not alice.self.verified(bob.account)
    assert operator.texts() == []
    assert operator.act(done={})["turned_down"] >= 1


def test_whoever_accepts_the_new_identity_without_comparing_is_read(operator: Operator, enrol: Enrol) -> None:
    alice, bob = enrol("Alice", "Bob")
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Hello", bob)
    operator.act(substitute="all", insist=True, encryption="pqxdh")
    with pytest.raises(IdentityChangedError):
        alice.self.send(here, [bob.account], Content("Meet me at 5pm"))
    one, other = numbers(alice, bob)
    assert one != other
    alice.self.accept_identity(bob.account)
    alice.self.send(here, [bob.account], Content("Meet me at 5pm"))
    assert operator.texts() == ["Meet me at 5pm"]
    with pytest.raises(IdentityChangedError):  # Bob's app warns as well: he knows Alice
        bob.self.receive()
    bob.self.accept_identity(alice.account)
    say(alice, here, "Hello?", bob)
    say(bob, here, "I am here", alice)
    assert operator.texts() == ["Hello?", "I am here"]


def test_an_operator_who_stops_is_noticed(operator: Operator, enrol: Enrol) -> None:
    operator.act(substitute="all", encryption="pqxdh")
    alice, bob = enrol("Alice", "Bob")
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Meet me at 5pm", bob)
    operator.act(stop={})
    alice.self.send(here, [bob.account], Content("On second thoughts, at 6"))
    with pytest.raises(IdentityChangedError):
        bob.self.receive()
    assert operator.texts() == ["Meet me at 5pm"]


def test_a_lost_phone_looks_like_one(operator: Operator, enrol: Enrol, make: Make) -> None:
    """Bob begins anew. Alice is warned as she would be without an operator, who stands in between again."""
    operator.act(substitute="all", encryption="pqxdh")
    alice, bob = enrol("Alice", "Bob")
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Hello", bob)
    bob.self.stop_listening()
    new = make("new", like=bob)
    new.self.recover()
    new.self.listen()
    with pytest.raises(IdentityChangedError):
        alice.self.send(here, [bob.account], Content("Are you there?"))
    alice.self.accept_identity(bob.account)
    say(alice, here, "Are you there?", new)
    say(new, here, "I am", alice)
    # Her first try was for the devices that she knew of: read, before the service turned it down.
    assert operator.texts() == ["Hello", "Are you there?", "Are you there?", "I am"]
    assert len(set(numbers(alice, new))) == 2


def test_a_double_can_have_a_key_that_was_searched_for(operator: Operator, enrol: Enrol) -> None:
    key = Ed25519PrivateKey.generate()
    alice, bob = enrol("Alice", "Bob")
    chosen = base64.b64encode(key.private_bytes_raw()).decode()
    operator.act(substitute="all", encryption="pqxdh", account_keys={bob.account: chosen})
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Hello", bob)
    assert alice.self._contacts().current(bob.account).account_key == key.public_key().public_bytes_raw()


def test_whoever_logged_in_before_it_came_is_left_alone(
    start: Callable[..., Operator], service: RunningService, make: Make, authority_file: Path
) -> None:
    straight = Route(f"http://{HOST}", ("127.0.0.1", service.port), authority_file)
    alice, bob = make("Alice", route=straight), make("Bob", route=straight)
    for someone in (alice, bob):
        someone.join()
    late = start("key_substitution", "lab_substitute=all")
    for someone in (alice, bob):
        someone.self.stop_listening()
        someone.self._wire._session.mount(
            straight.url, _Direct(replace(straight, address=late.address), lambda _: None, None)
        )
        someone.self.listen()
    here = alice.self.start_conversation([bob.account])
    say(alice, here, "Hello", bob)
    say(bob, here, "Hello Alice", alice)
    assert late.texts() == []
    assert len(set(numbers(alice, bob))) == 1


def test_what_is_no_order_and_no_encryption_is_refused(operator: Operator) -> None:
    with pytest.raises(ChildError, match="key substitution knows no order"):
        operator.act(read_minds=True)
    with pytest.raises(ChildError, match="there is no encryption 'rot13': it is one of pqxdh, "):
        operator.act(substitute="all", encryption="rot13")
