"""How much work one source may cause. Reaching a limit is a result that is reported, never a crash or silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

_GUESSED = 12 * 1024
_CERTAIN_ONLY = 256 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for the decoding of one source.

    `depth`: layers of encoding. `guesses`: how many of them may be of a kind that is easily mistaken for another; in
    a source of more than 2 KiB fewer, see `Budget.guesses`. `steps`: views made and decompressions tried. `decoded`:
    bytes of all decoded views together. `expanded`: bytes out of one compressed piece. `findings`: kept for one secret
    (or its decoys). `hashes`: digests with salts that a search tries, about a microsecond each.
    """

    depth: int = 8
    guesses: int = 6
    steps: int = 100_000
    decoded: int = 64 * 2**20
    expanded: int = 16 * 2**20
    findings: int = 20
    hashes: int = 10_000


RECORD = Limits(guesses=1, hashes=1_000)
"""For the lab's own records, which hold hundreds of messages. Of the disguises that are easily mistaken for others
one is undone, with any number of certain encodings around and within; more on top of each other take minutes."""


class Exhausted(Exception):  # noqa: N818 - not an error of the program but the end of an allowance
    """The allowance for a source is used up; the text says which one."""


class Budget:
    """What is left of the limits for one source, and the reasons for which something was given up."""

    def __init__(self, limits: Limits, expired: Callable[[], bool] | None = None) -> None:
        """`expired` says whether the time allowed is up, for those who have a clock; the search itself has none."""
        self.limits = limits
        self._expired = expired
        self._steps = limits.steps
        self._decoded = limits.decoded
        self._reasons: dict[str, None] = {}

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why something was not decoded, each reason once, in the order of occurrence."""
        return tuple(self._reasons)

    @property
    def expansion(self) -> int:
        """Bytes that the next decompression may put out."""
        return min(self.limits.expanded, self._decoded)

    def guesses(self, size: int) -> int:
        """How many uncertain decoders may follow each other in a source of `size` bytes.

        The work grows with each one by about the number of such decoders, and whoever disguises a value so thoroughly
        sends it by itself: six in a source of up to 2 KiB, one in up to 256 KiB, then none.
        """
        if size > _CERTAIN_ONLY:
            return 0
        return min(self.limits.guesses, max(1, _GUESSED // max(1, size)))

    def ask(self) -> None:
        """Raises Exhausted once the time is up."""
        if self._expired is not None and self._expired():
            raise Exhausted("the time allowed is up")

    def step(self) -> None:
        """Pay for one attempt; raises Exhausted."""
        self._steps -= 1
        if self._steps < 0:
            raise Exhausted(f"more than {self.limits.steps} views and attempts")

    def spend(self, size: int) -> None:
        """Pay for `size` decoded bytes; raises Exhausted."""
        self.step()
        self._decoded -= size
        if self._decoded < 0:
            self._exhausted()

    def too_large(self, name: str) -> None:
        """Note that a piece compressed by `name` did not fit; raises Exhausted where earlier ones took the room."""
        if self._decoded < self.limits.expanded:
            self._exhausted()
        self.give_up(f"{name}: expands to more than {self.limits.expanded} bytes")

    def _exhausted(self) -> NoReturn:
        raise Exhausted(f"more than {self.limits.decoded} decoded bytes")

    def give_up(self, why: str) -> None:
        """Note that one piece stays undecoded."""
        self._reasons[why] = None
