"""Messages that a device keeps until they disappear: what the apps delete, and what the service learns of it."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from lab.e2ee.protocol import E2EEError
from lab.messenger.content import Content
from lab.messenger.history import LONGEST, SHORTEST, History
from lab.messenger.store import DeviceStore
from lab.model import Deed
from lab.service.server import RunningService

from .conftest import MAP, Enrol, Make, Someone, last_message

HOUR = 3600


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pair(make: Make, clock: Clock) -> tuple[Someone, Someone]:
    """Alice and Bob, whose apps keep messages."""
    alice, bob = (make(name, clock=clock) for name in ("Alice", "Bob"))
    alice.join()
    bob.join()
    return alice, bob


def texts(someone: Someone) -> list[str]:
    return [json.loads(message)["content"].get("text", "") for message in someone.self.kept()]


def tell(sender: Someone, reader: Someone, conversation: str, *said: str) -> None:
    for text in said:
        sender.self.send(conversation, [reader.account], Content(text))
        assert reader.self.receive() == Content(text)


def test_what_was_sent_and_read_is_kept_with_its_file(pair: tuple[Someone, Someone]) -> None:
    alice, bob = pair
    conversation = alice.self.start_conversation([bob.account])
    alice.self.send(conversation, [bob.account], Content("Hello", MAP.file))
    bob.self.receive()
    assert MAP.file is not None
    for someone in pair:
        (kept,) = map(json.loads, someone.self.kept())
        assert (kept["sender"], kept["until"], kept["content"]["text"]) == (alice.account, None, "Hello")
        assert kept["content"]["attachment"]["name"] == MAP.file.name


def test_an_app_without_a_history_keeps_nothing(enrol: Enrol) -> None:
    alice, bob = enrol("Alice", "Bob")
    conversation = alice.self.start_conversation([bob.account])
    tell(alice, bob, conversation, "Hello")
    assert alice.self.kept() == bob.self.kept() == ()


def test_a_timer_is_for_what_comes_later_on_both_devices_and_for_answers(
    pair: tuple[Someone, Someone], clock: Clock
) -> None:
    alice, bob = pair
    conversation = alice.self.start_conversation([bob.account])
    tell(alice, bob, conversation, "before")
    alice.self.set_timer(conversation, HOUR)
    tell(alice, bob, conversation, "goes")
    tell(bob, alice, conversation, "goes too")
    clock.now += HOUR - 1
    for someone in pair:
        someone.self.resume()
        assert texts(someone) == ["before", "goes", "goes too"]
    clock.now += 1
    for someone in pair:
        assert texts(someone) == ["before", "goes", "goes too"]  # nobody has opened the app
        someone.self.resume()
        assert texts(someone) == ["before"]


def test_the_time_begins_when_a_message_is_read(pair: tuple[Someone, Someone], clock: Clock) -> None:
    alice, bob = pair
    conversation = alice.self.start_conversation([bob.account])
    alice.self.set_timer(conversation, HOUR)
    alice.self.send(conversation, [bob.account], Content("goes"))
    clock.now += HOUR
    bob.self.receive()
    for someone in pair:
        someone.self.resume()
    assert (texts(alice), texts(bob)) == ([], ["goes"])


def test_the_other_one_can_switch_it_off(pair: tuple[Someone, Someone], clock: Clock) -> None:
    alice, bob = pair
    conversation = alice.self.start_conversation([bob.account])
    alice.self.set_timer(conversation, SHORTEST)
    tell(alice, bob, conversation, "goes")
    bob.self.set_timer(conversation, 0)
    tell(bob, alice, conversation, "stays")
    tell(alice, bob, conversation, "stays too")
    clock.now += LONGEST
    for someone in pair:
        someone.self.resume()
        assert texts(someone) == ["stays", "stays too"]


def test_the_service_learns_of_no_timer_in_sealed_messages(
    pair: tuple[Someone, Someone], clock: Clock, service: RunningService
) -> None:
    alice, bob = pair
    conversation = alice.self.start_conversation([bob.account])
    alice.self.set_timer(conversation, HOUR)
    tell(alice, bob, conversation, "goes")
    clock.now += HOUR
    bob.self.resume()
    with bob.raw() as wire:
        assert last_message(wire, conversation)["envelope"]
        assert "timer" not in json.dumps(last_message(wire, conversation))


def test_what_has_disappeared_is_not_in_the_file_of_the_device_any_more(
    pair: tuple[Someone, Someone], clock: Clock
) -> None:
    alice, bob = pair
    conversation = alice.self.start_conversation([bob.account])
    alice.self.set_timer(conversation, HOUR)
    tell(alice, bob, conversation, "goes " * 500)
    files = [bob.device, bob.device.with_name(f"{bob.device.name}-wal")]

    def rows() -> list[bytes]:
        """What the store holds sealed: the longest run of bytes of the message as it stands in the files."""
        store = bob.self._store
        return [bytes(value) for (value,) in store._execute("SELECT value FROM history")]

    (sealed,) = rows()
    piece = sealed[-500:]
    assert any(piece in file.read_bytes() for file in files)
    clock.now += HOUR
    bob.self.resume()
    assert rows() == []
    assert not any(piece in file.read_bytes() for file in files)


def test_a_message_with_an_impossible_timer_is_refused(enrol: Enrol, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = enrol("Alice", "Bob")
    conversation = alice.self.start_conversation([bob.account])
    for timer in (SHORTEST - 1, LONGEST + 1, -1, 1.5, True, "60", [60]):
        with monkeypatch.context() as patch:
            patch.setattr(alice.self._history, "fields", lambda _, timer=timer: {"timer": timer})
            alice.self.send(conversation, [bob.account], Content("Hello"))
        with pytest.raises(E2EEError, match="a timer that makes no sense"):
            bob.self.receive()
    assert bob.told(Deed.READ) == []
    tell(alice, bob, conversation, "Hello")


def test_without_encryption_the_service_is_told(make: Make, clock: Clock) -> None:
    alice, bob = (make(name, None) for name in ("Alice", "Bob"))
    alice.join()
    bob.join()
    conversation = alice.self.start_conversation([bob.account])
    alice.self.switch_on_vanish_mode(conversation)
    tell(alice, bob, conversation, "goes")
    alice.self.set_timer(conversation, HOUR)
    tell(alice, bob, conversation, "stays for an hour")
    alice.self.set_timer(conversation, 0)
    tell(alice, bob, conversation, "stays")
    with bob.raw() as wire:
        kept = wire.call("GET", f"/v1/conversations/{conversation}/messages")["messages"]
    assert [message["text"] for message in kept] == ["stays for an hour", "stays"]


def test_timers_and_messages_are_there_after_the_app_was_closed(make: Make, clock: Clock) -> None:
    alice, bob = (make(name, clock=clock) for name in ("Alice", "Bob"))
    alice.join()
    bob.join()
    conversation = alice.self.start_conversation([bob.account])
    alice.self.set_timer(conversation, HOUR)
    tell(alice, bob, conversation, "goes")
    for someone in (alice, bob):
        someone.self.__exit__()
        with closing(DeviceStore(someone.device)) as store:
            history = History(store, clock, keeps=True)
            assert history.fields(conversation) == {"timer": HOUR}
            assert len(history.kept()) == 1
            clock.now += HOUR
            history.tidy()
            assert history.kept() == ()
            clock.now -= HOUR
