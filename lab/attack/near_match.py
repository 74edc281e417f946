"""A key whose safety number looks right to people who compare only its beginning and its end.

A service that puts its own key in the place of Bob's changes the number on Alice's phone. It can try many keys and take
one that leaves those digits alone which people look at. Each try costs it one half of a safety number, that is SHA-512
5,200 times, one after the other: that is what so many are for. Making the key costs next to nothing beside it.

What the digits are worth:

- A number is two halves of 30 digits, one for each person, the lower one first. On Alice's phone the half that is made
  of Alice's own key stays as it is: 30 of the 60 digits are right without any search. Only the other half is searched.
- If Alice's half stands first, all first digits are right for nothing, and each of the last ones costs ten times more
  tries. On Bob's phone, where the service shows a key of its own for Alice, it is the other way round.
- The order has to stay. Where Alice's half stands first, the wrong key must give a half above it, else the two change
  places. On average over all pairs of people that takes twice as many tries, more the higher Alice's half is. On the
  other phone it comes by itself: what begins like the lower half is below the higher one.
- So whoever stands between both searches twice, and the two searches are apart. People who compare the first n and the
  last n digits are fooled after about 10^n tries for one phone and 2 * 10^n for the other: together 3 * 10^n, and not
  10^(2n). All sixty cost 2 * 10^30, and not 10^60.

Left out: several victims at once (who wants to fool anybody at all, not Alice, keeps a table of all keys tried for one
name, but names differ and go into the half), and code for graphics cards.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count, takewhile
from multiprocessing.connection import Connection, wait

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.e2ee.codec import number
from lab.e2ee.fingerprint import Party, half_number
from lab.e2ee.keys import KEY, derive
from lab.model import LabError

HALF = 30
"""Digits that one side contributes."""
_LABEL = b"mitm-lab/1 near match"
_BATCH = 32
"""Tries between two messages of a worker: about a tenth of a second."""
_PATIENCE = 5.0
"""Seconds that a worker has to end."""


@dataclass(frozen=True)  # without slots: the halves are computed once and kept
class Goal:
    """What a key has to do: on the phone of `victim`, who thinks that it is the key of `impersonated`, the first and
    the last digits are those that the real key of `impersonated` would give. Up to 30 of each.
    """

    victim: Party
    impersonated: Party
    """With the real key."""
    first: int
    last: int

    def __post_init__(self) -> None:
        if not (0 <= self.first <= HALF and 0 <= self.last <= HALF):
            raise ValueError(f"at most {HALF} digits can be asked for at each end")

    @cached_property
    def own(self) -> str:
        """The half that stays."""
        return half_number(self.victim)

    @cached_property
    def real(self) -> str:
        """The number that both would see if nobody stood between them."""
        return "".join(sorted((self.own, half_number(self.impersonated))))

    @property
    def own_first(self) -> bool:
        return self.real.startswith(self.own)

    @property
    def expected_tries(self) -> float:
        """On average. The digits of the searched half, and that the order stays where that is luck."""
        if not self.own_first:
            return float(f"1e{self.first}")
        above = 1 - int(self.own) / float(f"1e{HALF}")
        return float(f"1e{self.last}") / above

    def shown(self, half: str) -> str:
        """The number on the victim's phone, if the key in place of the real one has the digits `half`."""
        return "".join(sorted((self.own, half)))

    def agreeing(self, shown: str) -> int:
        """How many of the digits asked for are right, counted from both ends."""
        first, last = agreement(shown, self.real)
        return min(first, self.first) + min(last, self.last)


@dataclass(frozen=True, slots=True)
class NearMatch:
    """The best key that was found, and after how many tries altogether."""

    private_key: bytes = field(repr=False)
    """Ed25519, 32 bytes: it can do everything that the account key of the attacker has to do."""
    number: str
    """60 digits, as the victim's phone shows them."""
    agreeing: int
    """Digits that are right, of those asked for."""
    complete: bool
    """All that were asked for are right."""
    tries: int


def agreement(one: str, other: str) -> tuple[int, int]:
    """How many digits of two numbers are the same from the beginning, and from the end."""
    return _same(one, other), _same(one[::-1], other[::-1])


def _same(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=True)))


def search_among(goal: Goal, seed: bytes, candidates: Iterable[int]) -> NearMatch:
    """The best of these candidates, at least one, up to the first that is complete. Pure; about 3 ms for each.

    `seed` has 32 secret bytes: the same candidates of the same seed are the same keys.
    """
    best: NearMatch | None = None
    for tries, candidate in enumerate(candidates, start=1):
        private = derive(seed, salt=None, info=_LABEL + number(candidate, 8), length=KEY)
        public = Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        shown = goal.shown(half_number(Party.of_account(goal.impersonated.account, public)))
        agreeing = goal.agreeing(shown)
        if best is None or agreeing > best.agreeing:
            best = NearMatch(private, shown, agreeing, agreeing == goal.first + goal.last, tries)
        best = replace(best, tries=tries)
        if best.complete:
            break
    if best is None:
        raise ValueError("there are no candidates to search among")
    return best


def search(goal: Goal, seed: bytes, seconds: float, processes: int) -> NearMatch:
    """The best of what `processes` workers have found until one is complete, or until so many seconds have passed.

    Every worker has tried some, however short the time. `seed` has 32 secret bytes. LabError: a worker has died.
    """
    until = time.monotonic() + seconds
    best: NearMatch | None = None
    tries = 0
    with _workers(goal, seed, processes) as links:
        heard: set[Connection] = set()
        while best is None or not (best.complete or (time.monotonic() >= until and len(heard) == len(links))):
            ready = wait(links)
            for link in (one for one in links if one in ready):
                try:
                    found: NearMatch = link.recv()
                except (EOFError, OSError):
                    raise LabError("a process that looked for a near match has died; start the search again") from None
                heard.add(link)
                tries += found.tries
                if best is None or found.agreeing > best.agreeing:
                    best = found
    return replace(best, tries=tries)


@contextmanager
def _workers(goal: Goal, seed: bytes, processes: int) -> Iterator[list[Connection]]:
    """What the workers say is at the other end of these. None is left when the context ends, however that happens."""
    context = multiprocessing.get_context("spawn")
    crew = []
    links: list[Connection] = []
    try:
        for place in range(processes):
            ours, theirs = context.Pipe(duplex=False)
            links.append(ours)
            worker = context.Process(target=_work, args=(theirs, goal, seed, place, processes), daemon=True)
            worker.start()
            crew.append(worker)
            theirs.close()
        yield links
    finally:
        for link in links:
            link.close()
        for worker in crew:
            worker.terminate()
        for worker in crew:
            worker.join(_PATIENCE)
            if worker.is_alive():
                worker.kill()
                worker.join()


def _work(link: Connection, goal: Goal, seed: bytes, place: int, processes: int) -> None:
    """Batch after batch, leaving out those of the other workers, until nobody is at the other end any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started the search, who ends its workers
    with suppress(OSError):
        for batch in count(place, processes):
            link.send(search_among(goal, seed, range(batch * _BATCH, (batch + 1) * _BATCH)))
