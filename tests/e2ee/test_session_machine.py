"""Two devices, and a network that loses, delays, doubles and changes what they write, in any order that can be found.

What is delivered is read, once, by the device that it was written to, and by nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lab.e2ee.protocol import MAX_SESSIONS, Suite
from tests.e2ee.test_session import MESSAGE, Device, say

places = st.integers(0, 1000)


@dataclass(frozen=True)
class Written:
    sender: Device
    reader: Device
    envelope: bytes
    text: bytes


def some_are(name: str) -> Callable[[Any], Any]:
    return precondition(lambda self: getattr(self, name))


class Conversation(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.on_the_way: list[Written] = []
        self.read: list[Written] = []
        self.count = 0
        self.begun = 0
        """Together no more than both sides keep, so that every message has a session to be read in."""

    @initialize(suite=st.sampled_from(Suite), one_time_keys=st.integers(0, 2))
    def meet(self, suite: Suite, one_time_keys: int) -> None:
        self.suite = suite
        self.sides = [Device(name, one_time_keys=one_time_keys) for name in ("alice", "bob")]
        self.mallory = Device("mallory")
        for side in self.sides:
            self.mallory.begin(side, suite)
            side.replenish(one_time_keys)

    @precondition(lambda self: self.begun < MAX_SESSIONS)
    @rule(who=st.integers(0, 1))
    def begin(self, who: int) -> None:
        self.sides[who].begin(self.sides[1 - who], self.suite)
        self.begun += 1

    @rule(who=st.integers(0, 1))
    def write(self, who: int) -> None:
        sender, reader = self.sides[who], self.sides[1 - who]
        if reader.public in sender.sessions:
            self.count += 1
            text = f"{sender.public.account} writes {self.count}".encode()
            self.on_the_way.append(Written(sender, reader, sender.write(reader, text), text))

    @some_are("on_the_way")
    @rule(place=places)
    def deliver(self, place: int) -> None:
        written = self.on_the_way.pop(place % len(self.on_the_way))
        assert written.reader.read(written.sender, written.envelope) == written.text
        self.read.append(written)

    @some_are("on_the_way")
    @rule(place=places)
    def lose(self, place: int) -> None:
        self.on_the_way.pop(place % len(self.on_the_way))

    @some_are("read")
    @rule(place=places)
    def deliver_again(self, place: int) -> None:
        written = self.read[place % len(self.read)]
        assert written.reader.refuses(written.sender, written.envelope)

    @some_are("on_the_way")
    @rule(place=places, at=places, bit=st.integers(0, 7))
    def change(self, place: int, at: int, bit: int) -> None:
        written = self.on_the_way[place % len(self.on_the_way)]
        changed = bytearray(written.envelope)
        changed[-1 - at % len(changed)] ^= 1 << bit
        assert written.reader.refuses(written.sender, bytes(changed))

    @some_are("on_the_way")
    @rule(place=places, size=places)
    def cut_short(self, place: int, size: int) -> None:
        written = self.on_the_way[place % len(self.on_the_way)]
        assert written.reader.refuses(written.sender, written.envelope[: size % len(written.envelope)])

    @some_are("on_the_way")
    @rule(place=places)
    def deliver_to_the_wrong_one(self, place: int) -> None:
        written = self.on_the_way[place % len(self.on_the_way)]
        for side in self.sides:
            assert self.mallory.refuses(side, written.envelope)
        assert written.sender.refuses(written.reader, written.envelope)

    @some_are("on_the_way")
    @rule(place=places)
    def deliver_in_mallorys_name(self, place: int) -> None:
        written = self.on_the_way[place % len(self.on_the_way)]
        assert written.reader.refuses(self.mallory, written.envelope)

    @rule(who=st.integers(0, 1))
    def mallory_writes_in_the_others_name(self, who: int) -> None:
        envelope = self.mallory.write(self.sides[who])
        assert self.sides[who].refuses(self.sides[1 - who], envelope)

    @rule(who=st.integers(0, 1))
    def restart(self, who: int) -> None:
        self.sides[who].restart()

    @rule(who=st.integers(0, 1), count=st.integers(0, 2))
    def replenish(self, who: int, count: int) -> None:
        self.sides[who].replenish(count)

    @invariant()
    def nothing_is_kept_without_end(self) -> None:
        for side in getattr(self, "sides", []):
            assert all(len(sessions._sessions) <= MAX_SESSIONS for sessions in side.sessions.values())

    def teardown(self) -> None:
        """Everything that is still on its way arrives, the newest first; then both write in one session."""
        while self.on_the_way:
            self.deliver(len(self.on_the_way) - 1)
        for written in self.read:
            assert written.reader.refuses(written.sender, written.envelope)
        if self.begun:
            one, other = self.sides if self.sides[1].public in self.sides[0].sessions else reversed(self.sides)
            for sender, reader in ((one, other), (other, one), (one, other)):
                last = say(sender, reader)
            assert last[1] == MESSAGE


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=30, stateful_step_count=40)
