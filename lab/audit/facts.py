"""What an observer works out about a secret without reading it, as rows of the matrix: its size, its time. Pure.

Such a cell is `inferred` where the estimate is within its tolerance and beats a guess, and `hidden` where texts of very
different sizes look exactly the same; what else may come out is `inconclusive`, since a better method might do it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.audit.sizes import Sent, infer_size
from lab.audit.times import infer_time
from lab.model import Control, Inference, LabError, SecretName
from lab.record import Record

type Method = Callable[[Record, Mapping[str, Sent], str], tuple[Control, Inference | None]]

METHODS: Mapping[SecretName, Method] = {SecretName.SIZE: infer_size, SecretName.TIME: infer_time}


@dataclass(frozen=True, slots=True)
class Fact:
    """The size or the time of a secret."""

    kind: SecretName
    secret: str

    @property
    def row(self) -> str:
        """What the matrix calls it."""
        return f"{self.kind} of {self.secret}"

    def estimate(self, record: Record, sent: Mapping[str, Sent]) -> tuple[Control, Inference | None]:
        """The answer of the observer with this record; None where its control fails.

        `sent` is in the order in which the texts were confirmed.
        """
        if self.secret not in sent:
            return unconfirmed(record, self.secret), None
        return METHODS[self.kind](record, sent, self.secret)


def fact(kind: str, secret: str) -> Fact:
    """LabError: nobody works out such a thing here."""
    if kind not in METHODS:
        raise LabError(f"{kind!r} is nothing that is worked out: take {' or '.join(METHODS)}")
    return Fact(SecretName(kind), secret)


def unconfirmed(record: Record, name: str) -> Control:
    return Control("estimate", record.observer, name, passed=False, detail=f"nobody confirmed when {name} arrived")
