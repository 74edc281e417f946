"""A device is killed at every moment of joining, sending and reading, and goes on afterwards.

No key is used twice, nothing that was sealed is lost, and what the app is told twice has the same id.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.e2ee.agreement import FirstHeader
from lab.e2ee.codec import Reader
from lab.e2ee.protocol import Kind
from lab.messenger.content import Content
from lab.messenger.store import Table
from lab.messenger.wire import Route
from lab.model import Deed, Encryption

from .conftest import NUMBERS, PASSWORD, Enrol

MORTAL = Path(__file__).with_name("mortal.py")

SAFE = 80
"""More moments than any of these acts has."""


@dataclass
class Mortal:
    """Alice's app, which is killed now and then. `log` has what it did in all its lives."""

    program: subprocess.Popen[str]
    route: Route
    device: Path
    encryption: Encryption | None

    def __post_init__(self) -> None:
        self.account = f"mortal-{next(NUMBERS)}"
        self.log = self.device.with_suffix(".log")

    def live(self, *acts: list[Any], dies_at: int = 0) -> bool:
        """Do this, and say whether the app has survived it."""
        job = {
            "url": self.route.url,
            "port": self.route.address[1],
            "authority": str(self.route.authority),
            "device": str(self.device),
            "account": self.account,
            "password": PASSWORD,
            "encryption": self.encryption or "",
            "log": str(self.log),
            "acts": acts,
            "dies_at": dies_at,
        }
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(json.dumps(job) + "\n")
        self.program.stdin.flush()
        status = int(self.program.stdout.readline())
        assert status in (0, -signal.SIGKILL)
        return status == 0

    def lines(self) -> list[dict[str, Any]]:
        """The log of all lives."""
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def last_life(self) -> Life:
        """The log since it was born for the last time."""
        lines = self.lines()
        births = [number for number, line in enumerate(lines) if "acts" in line]
        return Life(lines[births[-1] :])

    def told(self, deed: Deed, text: str) -> list[str]:
        """The ids of messages with that text, each time that the app was told of one."""
        return [line["message"] for line in self.lines() if line.get("deed") == deed and line["text"] == text]


@dataclass
class Life:
    """What the app did before it was killed."""

    lines: list[dict[str, Any]]

    def stored(self, table: Table, since: int = 0) -> bool:
        """Whether a step of the device store has changed that table."""
        moments = [str(line.get("moment", "")) for line in self.lines[since:]]
        return any(moment.startswith("stored:") and table in moment for moment in moments)

    def told_in_vain(self, deed: Deed, table: Table) -> bool:
        """Whether the app was told, and died before the device could note that."""
        told = [number for number, line in enumerate(self.lines) if line.get("deed") == deed]
        return bool(told) and not self.stored(table, told[-1])


type Birth = Callable[..., Mortal]


@pytest.fixture(scope="module")
def program() -> Iterator[subprocess.Popen[str]]:
    """One process that has imported everything, whose children live and die."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, str(MORTAL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as started:
        yield started


@pytest.fixture
def birth(program: subprocess.Popen[str], tmp_path: Path, service_route: Route) -> Birth:
    def birth(encryption: Encryption | None) -> Mortal:
        return Mortal(program, service_route, tmp_path / f"mortal-{next(NUMBERS)}.db", encryption)

    return birth


def places(posted: dict[str, Any]) -> Iterator[tuple[tuple[bytes, ...], str]]:
    """Every ciphertext in what was posted, and the key that it is under: by ratchet key and number, or by group key."""
    for envelope in posted.get("envelopes", ()):
        if envelope["data"] is not None:
            reader = Reader(base64.b64decode(envelope["data"]))
            _, kind = reader.number(1), reader.number(1)
            if kind == Kind.FIRST:
                FirstHeader.from_reader(reader)
            key, _, number = reader.take(32), reader.take(4), reader.take(4)
            yield (key, number), envelope["data"]
    if "shared" in posted:
        shared = base64.b64decode(posted["shared"])
        yield (shared[2:10], shared[10:14]), posted["shared"]


def check_no_key_was_used_twice(mortal: Mortal) -> None:
    under: dict[tuple[bytes, ...], str] = {}
    for line in mortal.lines():
        for place, ciphertext in places(line.get("posted", {})):
            assert under.setdefault(place, ciphertext) == ciphertext, "two messages under one key"
    assert (mortal.encryption is None) is not bool(under)


@pytest.mark.parametrize(
    ("encryption", "readers"),
    [(None, 1), (Encryption.PQXDH, 1), (Encryption.PQXDH, 2)],
    ids=["in the clear", "to one", "to a group"],
)
def test_whatever_was_sealed_arrives_once(
    enrol: Enrol, birth: Birth, encryption: Encryption | None, readers: int
) -> None:
    alice = birth(encryption)
    people = enrol(*("Bob", "Carol")[:readers], encryption=encryption)
    accounts = [each.account for each in people]
    assert alice.live(["join"])
    with people[0].raw() as raw:
        others = [alice.account, *accounts[1:]]
        conversation = raw.call("POST", "/v1/conversations", {"members": others})["id"]
    for dies_at in range(1, SAFE):
        text = f"Message {dies_at}"
        survived = alice.live(["resume"], ["send", conversation, accounts, text], dies_at=dies_at)
        life = alice.last_life()
        assert alice.live(["resume"], ["send", conversation, accounts, f"After {dies_at}"])
        sealed = life.stored(Table.OUTBOX)
        expected = [*([text] if sealed else []), f"After {dies_at}"]
        for each in people:
            assert [each.self.receive().text for _ in expected] == expected
        told = alice.told(Deed.SENT, text)
        assert len(told) == sealed + life.told_in_vain(Deed.SENT, Table.OUTBOX)
        assert len(set(told)) == sealed
        if survived:
            break
    assert dies_at > 4  # the request, two steps, the statement
    check_no_key_was_used_twice(alice)


def test_whatever_arrived_is_read_once(enrol: Enrol, birth: Birth) -> None:
    alice = birth(Encryption.PQXDH)
    (bob,) = enrol("Bob")
    assert alice.live(["join"])
    conversation = bob.self.start_conversation([alice.account])
    for dies_at in range(1, SAFE):
        text, last = f"Message {dies_at}", f"After {dies_at}"
        for each in (text, last):
            bob.self.send(conversation, [alice.account], Content(each))
        survived = alice.live(["resume"], ["read", text], dies_at=dies_at)
        life = alice.last_life()
        # Nothing that she read was lost on the way, so the session goes on in both directions.
        assert alice.live(["resume"], ["read", last], ["send", conversation, [bob.account], f"Answer {dies_at}"])
        assert bob.self.receive().text == f"Answer {dies_at}"
        told = alice.told(Deed.READ, text)
        assert len(told) == 1 + life.told_in_vain(Deed.READ, Table.INBOX)
        assert len(set(told)) == 1
        assert len(alice.told(Deed.READ, last)) == 1
        if survived:
            break
    assert dies_at > 6
    assert [line for line in alice.lines() if line.get("deed") == Deed.REFUSED] == []
    check_no_key_was_used_twice(alice)


def test_whoever_dies_while_joining_joins_nevertheless(enrol: Enrol, birth: Birth) -> None:
    (bob,) = enrol("Bob")
    for dies_at in range(1, SAFE):
        alice = birth(Encryption.PQXDH)
        survived = alice.live(["join"], dies_at=dies_at)
        if not survived:
            assert alice.live(["join"])
        conversation = bob.self.start_conversation([alice.account])
        bob.self.send(conversation, [alice.account], Content("Welcome"))
        assert alice.live(["resume"], ["read", "Welcome"])
        assert len(alice.told(Deed.READ, "Welcome")) == 1
        if survived:
            break
    assert dies_at > 8
