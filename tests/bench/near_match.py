"""What a near match of a safety number costs: `python -m tests.bench.near_match`.

One try is measured, in seconds of the processor, and how many tries the first digits take, against what is expected.
From there on it is multiplied. Other machines are assumed, not measured:

- "a card": a graphics card that does CARD times SHA-512 a second, the order of magnitude that programs for guessing
  passwords report. One round of the 5,200 is one block of SHA-512: 64 bytes of hash and 33 of key.
- "a cluster": CARDS of them for as long as it takes.

Two searches are needed, one for each phone. The table has both together, on average over all pairs of people.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from itertools import count

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.attack.near_match import HALF, Goal, search_among
from lab.e2ee.fingerprint import Party, half_number
from lab.e2ee.protocol import FINGERPRINT_ITERATIONS
from tests.bench import measure

CARD = 5e9
CARDS = 10_000
DIGITS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, HALF)
SPANS = ((365.25 * 86_400, "years"), (86_400, "days"), (3_600, "hours"), (60, "minutes"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Near matches of safety numbers (no target: this is what stops them)")
    parser.add_argument("--tries", type=int, default=100, help="tries of a round")
    parser.add_argument("--rounds", type=int, default=21, help="rounds, and searches for each count of digits")
    parser.add_argument("--digits", type=int, default=2, help="search for up to so many digits")
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    taken = [_time_of_one(options.tries) for _ in range(options.rounds)]
    one_try = statistics.median(taken)
    measure.say(f"  one try, processor   {measure.spread([one * 1e3 for one in taken], 'ms')}")
    for digits in range(1, options.digits + 1):
        tries = [search_among(_goal(digits), os.urandom(32), count()).tries for _ in range(options.rounds)]
        measure.say(
            f"  {digits} digits at one end   mean {statistics.mean(tries):,.0f} tries ({options.rounds} searches), "
            f"expected {_goal(digits).expected_tries:,.0f}"
        )
    measure.say("  the first n and the last n of sixty digits, on both phones:")
    measure.say(f"  {'n':>4} {'tries':>8}  {'this processor':>16}  {'a card':>16}  {f'{CARDS:,} cards':>16}")
    card = FINGERPRINT_ITERATIONS / CARD
    for digits in DIGITS:
        tries_of_both = (3 if digits < HALF else 2) * 10.0**digits
        spans = (_span(tries_of_both * cost) for cost in (one_try, card, card / CARDS))
        measure.say(f"  {digits:>4} {tries_of_both:>8.0e}  " + "  ".join(f"{span:>16}" for span in spans))


def _goal(digits: int) -> Goal:
    """New people, of whom the victim has the higher half: so the first digits are searched for."""
    parties = sorted((_new(name) for name in ("alice", "bob")), key=half_number)
    return Goal(parties[1], parties[0], digits, 0)


def _new(name: str) -> Party:
    return Party.of_account(name, Ed25519PrivateKey.generate().public_key().public_bytes_raw())


def _time_of_one(tries: int) -> float:
    """Seconds of the processor for one try."""
    goal = _goal(HALF)
    before = time.process_time()
    search_among(goal, os.urandom(32), range(tries))
    return (time.process_time() - before) / tries


def _span(seconds: float) -> str:
    for length, name in SPANS:
        if seconds >= 2 * length:
            value = seconds / length
            return f"{value:,.0f} {name}" if value < 1e6 else f"{value:.0e} {name}"
    return f"{seconds:.3g} s"


if __name__ == "__main__":
    raise SystemExit(main())
