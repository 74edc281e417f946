"""What a group costs: a new sender key for all, and messages under it: `python -m tests.bench.groups`.

A new key is due whenever somebody leaves. The device that makes it seals it once for every other one, in sessions that
are there already; a message after that is sealed once. So the one grows with the group, in time and in bytes that
everybody on the way can count, and the other does not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.e2ee.groups import SenderKey, SenderKeyReader
from lab.e2ee.identity import DeviceKeys
from lab.e2ee.keys import KEY, new_agreement_key
from lab.e2ee.padding import pad, unpad
from lab.e2ee.ratchet import Ratchet
from tests.bench import measure

GROUP = b"a group to measure"
MEMBERS = (2, 8, 32, 128)
SIZES = (100, 64 << 10)
MESSAGES = 100
"""So many make one round, which a clock can tell from the next one."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Groups: a new sender key for every member, and messages under it")
    parser.add_argument("--rounds", type=int, default=25)
    return measure.run(_measure, parser)


@dataclass(slots=True)
class Session:
    """Two ratchets that have spoken in both directions. The second one stands still where nobody looks."""

    ours: Ratchet
    theirs: Ratchet


@dataclass(slots=True)
class Rekeying:
    """A group in which one device makes new sender keys. Milliseconds of each round, and the bytes of the last."""

    members: int
    sender: DeviceKeys
    sessions: list[Session]
    made: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    sent: int = 0

    def round(self) -> None:
        sealed: list[bytes] = []
        self.made.append(_milliseconds(lambda: sealed.extend(self._make())))
        self.sent = sum(map(len, sealed))
        first = self.sessions[0].theirs
        self.read.append(_milliseconds(lambda: _read(first, self.sender, sealed[0])))

    def _make(self) -> list[bytes]:
        padded = pad(SenderKey.new(GROUP, self.sender.public, os.urandom).distribution())
        return [session.ours.encrypt(padded, os.urandom) for session in self.sessions]


def _measure(options: argparse.Namespace) -> None:
    sender = DeviceKeys.new("alice", 1, os.urandom)
    rekeyings = [Rekeying(members, sender, [_session() for _ in range(members - 1)]) for members in MEMBERS]
    rates: dict[int, list[float]] = {size: [] for size in SIZES}
    # In turn, so that whatever else the machine does meets all of them.
    for _ in range(options.rounds):
        for one in rekeyings:
            one.round()
        for size, found in rates.items():
            found.append(_rate(sender, size))
    measure.say("  a new sender key, sealed for every other member in sessions that are there")
    for one in rekeyings:
        measure.say(f"    {one.members:3} members            {measure.spread(one.made, 'ms')}, {one.sent:,} bytes")
    measure.say("  the same, read by one member")
    for one in rekeyings:
        measure.say(f"    {one.members:3} members            {measure.spread(one.read, 'ms')}")
    measure.say("  messages under it, sealed and read by one member")
    for size, found in rates.items():
        length = len(SenderKey.new(GROUP, sender.public, os.urandom).encrypt(pad(bytes(size))))
        measure.say(f"    {size:6,} bytes           {measure.spread(found, 'messages/s', 0)}, {length:,} bytes each")
    smallest, largest = (statistics.median(one.made) for one in (rekeyings[0], rekeyings[-1]))
    measure.say(f"  {MEMBERS[-1]} members cost {largest / smallest:.0f} times what {MEMBERS[0]} do")


def _session() -> Session:
    secret, key = os.urandom(KEY), new_agreement_key(os.urandom)
    ours = Ratchet.initiator(secret, key.public_key().public_bytes_raw(), b"")
    theirs = Ratchet.responder(secret, key, b"")
    theirs.decrypt(ours.encrypt(b"hello", os.urandom))
    ours.decrypt(theirs.encrypt(b"hello", os.urandom))
    theirs.decrypt(ours.encrypt(b"the first message of a chain pays for its key", os.urandom))
    return Session(ours, theirs)


def _read(session: Ratchet, sender: DeviceKeys, sealed: bytes) -> SenderKeyReader:
    return SenderKeyReader.from_distribution(GROUP, sender.public, unpad(session.decrypt(sealed)))


def _rate(sender: DeviceKeys, size: int) -> float:
    """Messages of `size` bytes in a second, one after the other, both sides together."""
    key, text = SenderKey.new(GROUP, sender.public, os.urandom), bytes(size)
    reader = SenderKeyReader.from_distribution(GROUP, sender.public, key.distribution())

    def pass_on() -> None:
        for _ in range(MESSAGES):
            unpad(reader.decrypt(key.encrypt(pad(text))))

    return MESSAGES / _milliseconds(pass_on) * 1_000


def _milliseconds(act: Callable[[], object]) -> float:
    before = time.perf_counter()
    act()
    return (time.perf_counter() - before) * 1_000


if __name__ == "__main__":
    raise SystemExit(main())
