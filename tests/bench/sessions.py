"""Sessions set up a second, both sides together: `python -m tests.bench.sessions`.

An agreement: what was handed out is verified, both sides compute the secret, and the one-time key is deleted. That is
what python-x3dh does, too. Its `State` then publishes all its keys again; a device of the lab uploads a new one of each
kind (the last row). A session is an agreement with its first message, sealed and read. Both keep 100 one-time keys.
Seconds are those of the processor: nothing here waits, and what else the machine does should not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

from x3dh import Bundle, HashFunction, IdentityKeyFormat, State

from lab.e2ee.agreement import initiate, respond
from lab.e2ee.identity import DeviceKeys
from lab.e2ee.prekeys import Handed, PreKeys, read_bundle
from lab.e2ee.protocol import Suite
from lab.e2ee.session import begin, open_envelope
from tests.bench import measure
from tests.e2ee.witness import at_once

TARGET, TARGET_RATIO = "X3DH agreement", 30.0
REFILL = "new one-time keys"
KEPT = 100


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Sessions (target: 30 times as many X3DH agreements as python-x3dh, 100 one-time keys kept)"
    )
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--sessions", type=int, default=5, help="sessions of a round")
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    alice, bob = Ours("alice"), Ours("bob")
    theirs = Theirs.create(), Theirs.create()
    steps: dict[str, Callable[[], None]] = {
        **{f"{suite.name} agreement": partial(alice.agree, bob, suite) for suite in Suite},
        **{f"{suite.name} session": partial(alice.set_up, bob, suite) for suite in Suite},
        REFILL: bob.replenish,
    }
    # In turn, so that whatever else the machine does meets all of them.
    taken = [
        (
            _time(partial(theirs[0].agree, theirs[1]), options.sessions),
            {name: _time(step, options.sessions) for name, step in steps.items()},
        )
        for _ in range(options.rounds)
    ]
    rate = options.sessions / statistics.median(other for other, _ in taken)
    measure.say(f"  {'python-x3dh ' + version('X3DH'):<18} {rate:6,.0f} /s")
    for name in steps:
        rate = options.sessions / statistics.median(own[name] for _, own in taken)
        ratios = [other / own[name] for other, own in taken]
        against = f", {measure.spread(ratios, 'times as many', 1)}" if name != REFILL else ""
        if name == TARGET:
            against += f", {statistics.median(ratios) / TARGET_RATIO:.0%} of the target"
        measure.say(f"  {name:<18} {rate:6,.0f} /s{against}")


def _time(step: Callable[[], None], times: int) -> float:
    before = time.process_time()
    for _ in range(times):
        step()
    return time.process_time() - before


class Ours:
    """A device, and what the service has of its keys."""

    def __init__(self, account: str) -> None:
        self.keys = DeviceKeys.new(account, 1, os.urandom)
        self.prekeys = PreKeys.new(self.keys, os.urandom)
        self.signed = self.prekeys.signed_part(self.keys)
        self.prekeys, self.uploaded = self.prekeys.replenish(self.keys, KEPT, os.urandom)

    def handed(self, suite: Suite) -> Handed:
        one_time, kem = self.uploaded.one_time[0][1], self.uploaded.one_time_kem[0][1]
        return Handed(self.signed, one_time, kem if suite is Suite.PQXDH else None)

    def agree(self, other: Ours, suite: Suite) -> None:
        bundle = read_bundle(other.keys.public, other.handed(suite))
        agreed, header = initiate(self.keys, bundle, suite, os.urandom)
        if respond(other.keys, other.prekeys, self.keys.public, header).secret != agreed.secret:
            raise AssertionError("the two do not agree")
        # Forgotten again, so that there are 100 keys next time, too.
        other.prekeys.used(self.keys.public, header)

    def set_up(self, other: Ours, suite: Suite) -> None:
        sessions = begin(self.keys, read_bundle(other.keys.public, other.handed(suite)), suite, os.urandom)
        envelope = sessions.encrypt(b"a text", os.urandom)
        open_envelope(None, other.keys, other.prekeys, self.keys.public, envelope)

    def replenish(self) -> None:
        self.prekeys.replenish(self.keys, 1, os.urandom)


class Theirs(State):
    published: Bundle

    @classmethod
    def create(cls) -> Theirs:
        return super().create(
            IdentityKeyFormat.ED_25519,
            HashFunction.SHA_256,
            b"bench",
            pre_key_refill_threshold=KEPT,
            pre_key_refill_target=KEPT,
        )

    def _publish_bundle(self, bundle: Bundle) -> None:
        self.published = bundle

    @staticmethod
    def _encode_public_key(key_format: IdentityKeyFormat, pub: bytes) -> bytes:
        return key_format.value.encode() + pub

    def agree(self, other: Theirs) -> None:
        secret, _, header = at_once(self.get_shared_secret_active(other.published))
        if at_once(other.get_shared_secret_passive(header))[0] != secret:
            raise AssertionError("the two do not agree")


if __name__ == "__main__":
    raise SystemExit(main())
