"""Messages a second through the Double Ratchet: `python -m tests.bench.ratchet`.

Beside python-doubleratchet in the same suite (`tests.e2ee.witness`). Both in memory, sealed and opened; the other one
is awaited in one coroutine, so that no event loop is paid for. Seconds are those of the processor: nothing here waits,
and what else the machine does should not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab.e2ee.ratchet import Ratchet
from tests.bench import measure
from tests.e2ee.witness import Witness, at_once

SIZES = {"100 B": 100, "64 KB": 1 << 16}
TARGET_RATIO = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description="The Double Ratchet (target: twice python-doubleratchet's ping-pong rate, both with AES-256-GCM)"
    )
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--messages", type=int, default=100, help="messages of a round")
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    measure.say(f"  beside python-doubleratchet {version('DoubleRatchet')}")
    ways: dict[str, tuple[Callable[..., None], Callable[..., None]]] = {
        "one way": (_one_way, _one_way_of_theirs),
        "ping-pong": (_ping_pong, _ping_pong_of_theirs),
    }
    for way, (ours, theirs) in ways.items():
        for size, count in SIZES.items():
            text = os.urandom(count)
            # In turn, so that whatever else the machine does meets both.
            taken = [
                (_time(ours, Ratchet, text, options.messages), _time(theirs, Witness, text, options.messages))
                for _ in range(options.rounds)
            ]
            rates = [options.messages / statistics.median(times) for times in zip(*taken, strict=True)]
            ratios = [other / own for own, other in taken]
            against = f", {statistics.median(ratios) / TARGET_RATIO:.0%} of the target" if way == "ping-pong" else ""
            measure.say(f"  {way:<10} {size:>6}   {rates[0]:6,.0f} and {rates[1]:6,.0f} messages/s")
            measure.say(f"  {'':<17}   {measure.spread(ratios, 'times as many')}{against}")


def _time[Side: (Ratchet, Witness)](way: Callable[..., None], kind: type[Side], text: bytes, messages: int) -> float:
    secret, key = os.urandom(32), X25519PrivateKey.generate()
    one = kind.initiator(secret, key.public_key().public_bytes_raw(), b"both")
    other = kind.responder(secret, key, b"both")
    other.decrypt(one.encrypt(text, os.urandom))
    one.decrypt(other.encrypt(text, os.urandom))
    before = time.process_time()
    way(one, other, text, messages)
    return time.process_time() - before


def _one_way(one: Ratchet, other: Ratchet, text: bytes, messages: int) -> None:
    for _ in range(messages):
        other.decrypt(one.encrypt(text, os.urandom))


def _ping_pong(one: Ratchet, other: Ratchet, text: bytes, messages: int) -> None:
    for _ in range(messages):
        other.decrypt(one.encrypt(text, os.urandom))
        one, other = other, one


def _one_way_of_theirs(one: Witness, other: Witness, text: bytes, messages: int) -> None:
    async def talk() -> None:
        for _ in range(messages):
            await other.open(await one.seal(text))

    at_once(talk())


def _ping_pong_of_theirs(one: Witness, other: Witness, text: bytes, messages: int) -> None:
    async def talk(one: Witness, other: Witness) -> None:
        for _ in range(messages):
            await other.open(await one.seal(text))
            one, other = other, one

    at_once(talk(one, other))


if __name__ == "__main__":
    raise SystemExit(main())
