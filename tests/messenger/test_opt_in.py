"""Apps that encrypt nothing but the chats for which both sides have switched it on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lab.e2ee.protocol import E2EEError
from lab.messenger.content import Content, File
from lab.messenger.wire import WireError
from lab.model import Deed, Encryption

from .conftest import Make, Someone, last_message


@pytest.fixture
def pair(make: Make) -> tuple[Someone, Someone]:
    alice, bob = (make(name, opt_in=True) for name in ("Alice", "Bob"))
    alice.join()
    bob.join()
    return alice, bob


def switch_on(alice: Someone, bob: Someone) -> str:
    offered = alice.self.offer_encrypted_chat(bob.account)
    assert bob.self.accept_encrypted_chat(alice.account) == offered
    return offered


def test_a_chat_is_readable_until_it_is_switched_on_and_stays_so(pair: tuple[Someone, Someone]) -> None:
    alice, bob = pair
    old = alice.self.start_conversation([bob.account])
    alice.self.send(old, [bob.account], Content("before"))
    assert bob.self.receive() == Content("before")
    new = switch_on(alice, bob)
    assert bob.self.old_messages(new) == []
    for sender, reader in (pair, pair[::-1]):
        sender.self.send(new, [reader.account], Content("sealed"))
        assert reader.self.receive() == Content("sealed")
    alice.self.send(old, [bob.account], Content("in the old chat"))
    assert bob.self.receive() == Content("in the old chat")
    with bob.raw() as wire:
        assert last_message(wire, new)["text"] is None
        assert last_message(wire, old)["text"] == "in the old chat"
    assert bob.self.old_messages(old) == ["before", "in the old chat"]
    assert bob.self.old_messages(new) == []


def test_nothing_can_be_said_before_the_other_one_accepts(pair: tuple[Someone, Someone]) -> None:
    alice, bob = pair
    new = alice.self.offer_encrypted_chat(bob.account)
    with pytest.raises(WireError, match="has not accepted"):
        alice.self.send(new, [bob.account], Content("too early"))
    assert alice.told(Deed.SENT) == []


def test_only_what_was_offered_can_be_accepted(pair: tuple[Someone, Someone], make: Make) -> None:
    alice, bob = pair
    carol = make("Carol", opt_in=True)
    carol.join()
    carol.self.start_conversation([bob.account])
    alice.self.offer_encrypted_chat(bob.account)
    for someone, other in ((bob, carol), (alice, bob)):
        with pytest.raises(E2EEError, match="has offered no encrypted chat"):
            someone.self.accept_encrypted_chat(other.account)


def test_it_is_not_offered_with_somebody_who_has_no_keys(pair: tuple[Someone, Someone], make: Make) -> None:
    alice, bob = pair
    carol = make("Carol", None)
    carol.join()
    assert alice.self.can_be_encrypted_with(bob.account)
    assert not alice.self.can_be_encrypted_with(carol.account)


def test_what_is_not_sealed_is_refused_in_an_encrypted_chat(
    pair: tuple[Someone, Someone], service_database: Path
) -> None:
    alice, bob = pair
    new = switch_on(alice, bob)
    with closing(sqlite3.connect(service_database)) as database, database:
        database.execute("DELETE FROM opt_ins WHERE conversation = ?", (new,))
    with alice.raw() as wire:  # the service lets in what it should not
        wire.call("POST", f"/v1/conversations/{new}/messages", {"device": 1, "content": {"text": "not sealed"}})
    with pytest.raises(E2EEError, match="a message has come that was not sealed"):
        bob.self.receive()
    assert bob.told(Deed.READ) == []


def test_files_are_for_the_old_chat(pair: tuple[Someone, Someone]) -> None:
    alice, bob = pair
    new = switch_on(alice, bob)
    voice = Content(file=File("voice.ogg", b"hello"))
    with pytest.raises(E2EEError, match="takes no files"):
        alice.self.send(new, [bob.account], voice)
    old = alice.self.start_conversation([bob.account])
    alice.self.send(old, [bob.account], voice)
    assert bob.self.receive() == voice


def test_a_new_device_gets_the_old_chat_and_nothing_of_the_new_one(pair: tuple[Someone, Someone], make: Make) -> None:
    alice, bob = pair
    old = alice.self.start_conversation([bob.account])
    alice.self.send(old, [bob.account], Content("before"))
    new = switch_on(alice, bob)
    alice.self.send(new, [bob.account], Content("sealed"))
    second = make("Bob-2", like=bob, number=2, opt_in=True)
    bob.self.link(second.self)
    assert second.self.old_messages(old) == ["before"]
    assert second.self.old_messages(new) == []


def test_other_apps_encrypt_from_the_first_message_on(make: Make) -> None:
    alice, bob = (make(name, Encryption.PQXDH) for name in ("Alice", "Bob"))
    alice.join()
    bob.join()
    conversation = alice.self.start_conversation([bob.account])
    alice.self.send(conversation, [bob.account], Content("sealed"))
    assert bob.self.old_messages(conversation) == []
