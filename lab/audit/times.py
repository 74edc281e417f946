"""When a secret was sent, worked out without reading it. Pure.

The observer uses the service, too, so of some texts it knows when they went, and how large their requests were. Of all
requests that are as large as the smallest of those, or larger, it takes its own ones away. If one is left, that was the
text in question. If more are left, it cannot say which one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from lab.audit.sizes import Sent, payloads
from lab.inference import SHORTEST_TEXT, TIME_TOLERANCE, TYPICAL_TIME_ERROR
from lab.model import Control, Direction, Inference, SecretName
from lab.record import Record

OTHERS = 2
"""Texts that an observer must know: one to learn from would be no check of the other."""

type Burst = tuple[float, int]
"""When something was sent, and how many bytes."""


def infer_time(record: Record, sent: Mapping[str, Sent], name: str) -> tuple[Control, Inference | None]:
    """The time of `name` as this observer works it out from the others; None where its control fails.

    `sent` is in the order in which the texts were confirmed.
    """

    def control(detail: str, *, passed: bool = False) -> Control:
        return Control("estimate", record.observer, name, passed, detail)

    known = [one.time for one in sent.values() if one.name != name]
    if len(known) < OTHERS:
        detail = f"to know a text again an observer needs {OTHERS} others that were confirmed, here are {len(known)}"
        return control(detail), None
    bursts = sorted(_bursts(record))
    own = [[size for time, size in bursts if before < time <= after] for before, after in pairwise([0.0, *known])]
    if not all(own):
        return control("nothing went to the service while one of the other texts was sent"), None
    least = min(map(max, own)) - SHORTEST_TEXT
    left = [time for time, size in bursts if size >= least]
    off = 0.0
    for moment in reversed(known):
        before = [time for time in left if time <= moment]
        if not before:
            return control("there are fewer requests like the other texts than texts"), None
        left.remove(before[-1])
        off = max(off, moment - before[-1])
    words = f"the requests of the {len(known)} other texts were told at most {off:.1f} seconds before they had arrived"
    if off > TIME_TOLERANCE:
        return control(words), None
    if len(left) != 1:
        return control(f"{words}, and besides them {len(left)} requests are as large as a text"), None
    answer = Inference(
        record.observer,
        SecretName.TIME,
        left[0],
        sent[name].time,
        TIME_TOLERANCE,
        TYPICAL_TIME_ERROR,
        "seconds since 1970 (UTC)",
        "the middle of the day",
        about=name,
    )
    return control(words, passed=True), answer


def _bursts(record: Record) -> Iterator[Burst]:
    """What went to the service on one connection without anything coming back, together."""
    to_service = [one for one in record.observations if one.direction is Direction.TO_SERVICE]
    for connection in dict.fromkeys(one.connection for one in to_service):
        back = [
            one.time
            for one in record.observations
            if one.connection == connection and one.direction is Direction.TO_CLIENT
        ]
        together: dict[int, Burst] = {}
        for time, size in payloads(one for one in to_service if one.connection == connection):
            turn = sum(moment < time for moment in back)
            began, before = together.get(turn, (time, 0))
            together[turn] = began, before + size
        yield from together.values()
