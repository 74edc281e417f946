"""How long a secret is, worked out without reading it. Pure.

The method is that of lab/inference.py, for traffic of any kind: the observer uses the service, too, so of some texts
it knows what they are, and how many bytes went to the service while each of them was sent. A straight line through the
shortest and the longest of them turns bytes on the way into bytes of text; the others must come out right (the control
of the estimate). One text is then estimated from the bytes that went by while it was sent.

Which bytes belong to which text shows in time: each text is confirmed right after it arrived, before the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.detect import tls
from lab.detect.reassembly import STREAM
from lab.detect.tls import may_begin_record
from lab.inference import FINISHED, TYPICAL_SIZE, size_tolerance
from lab.model import Control, Direction, Inference, Observation, SecretName
from lab.record import Record

OTHERS = 3
"""Texts that an observer must know: two for the line, one for the control."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A text of `size` bytes, which had arrived at `time`."""

    name: str
    size: int
    time: float


def infer_size(record: Record, sent: Mapping[str, Sent], name: str) -> tuple[Control, Inference | None]:
    """The size of `name` as this observer works it out from the others; None where its control fails.

    `sent` is in the order in which the texts were confirmed.
    """
    lengths = _lengths(record, list(sent.values()))
    others = sorted((one.size, lengths[one.name]) for one in sent.values() if one.name != name)
    if len(others) < OTHERS:
        detail = (
            f"to work out a size an observer needs {OTHERS} other texts that were confirmed, here are {len(others)}"
        )
        return Control("estimate", record.observer, name, passed=False, detail=detail), None
    truth = sent[name].size
    if alike := _alike(others, lengths[name]):
        least, greatest = alike
        detail = f"of the other texts, those of {least} and of {greatest} bytes look the same, and a longer one longer"
        control = Control("estimate", record.observer, name, least <= truth <= greatest, detail)
        return control, _size(record, name, sum(alike) / 2, truth, alike)
    (short, least), (long, most) = others[0], others[-1]
    if short == long or least == most:
        detail = f"the other texts are all alike: of {short} to {long} bytes, {least} to {most} on the way"
        return Control("estimate", record.observer, name, passed=False, detail=detail), None

    def size(length: int) -> float:
        return short + (length - least) * (long - short) / (most - least)

    tries = [(size(length), truth) for truth, length in others[1:-1]]
    words = ", ".join(f"{answer:.0f} for {truth} bytes" for answer, truth in tries)
    passed = all(abs(answer - truth) <= size_tolerance(truth) for answer, truth in tries)
    detail = f"the other texts, kept aside for this check, come out as {words}"
    control = Control("estimate", record.observer, name, passed, detail)
    if not passed:
        return control, None
    return control, _size(record, name, size(lengths[name]), truth)


def _size(record: Record, name: str, estimate: float, truth: int, alike: tuple[int, int] | None = None) -> Inference:
    return Inference(
        record.observer,
        SecretName.SIZE,
        estimate,
        truth,
        size_tolerance(truth),
        abs(TYPICAL_SIZE - truth),
        "bytes",
        f"{TYPICAL_SIZE} bytes, as half of all short messages are shorter",
        alike,
        name,
    )


def _alike(others: Sequence[tuple[int, int]], length: int) -> tuple[int, int] | None:
    """From which to which size known texts look exactly like this one, as padding makes them; None: no two of them.

    The conditions are those of lab/inference.py: no answer is right about both, the guess that needs no record is
    among them, and a longer text looks longer, so that a difference is noticed where there is one.
    """
    same = [size for size, other in others if other == length]
    if not same:
        return None
    least, greatest = min(same), max(same)
    longer = any(size > greatest and other > length for size, other in others)
    apart = greatest - least > 2 * size_tolerance(greatest)
    return (least, greatest) if longer and apart and least <= TYPICAL_SIZE <= greatest else None


def _lengths(record: Record, sent: list[Sent]) -> dict[str, int]:
    """Bytes that went to the service while each text was sent."""
    to_service = [one for one in record.observations if one.direction is Direction.TO_SERVICE]
    went = list(payloads(to_service))
    found: dict[str, int] = {}
    before = 0.0
    for one in sent:
        found[one.name] = sum(size for time, size in went if before < time <= one.time)
        before = one.time
    return found


def payloads(observations: Iterable[Observation]) -> Iterator[tuple[float, int]]:
    """(time, bytes) of what went one way; of streams under TLS the application's records alone (RFC 8446, section 5).

    The Finished message, with which a client ends the handshake, looks like one, and is left out.
    """
    streams: dict[str, bytearray] = {}
    done: dict[str, int] = {}
    for one in observations:
        stream = streams.setdefault(one.connection, bytearray())
        stream += one.data
        if one.place != STREAM or not may_begin_record(bytes(stream[: tls.HEADER_LENGTH])):
            yield one.time, len(one.data)
            continue
        first = one.connection not in done
        start = done.get(one.connection, 0)
        for found in tls.records(bytes(stream[start:])):
            if found.content_type == tls.APPLICATION_DATA:
                size = found.end - found.start - tls.HEADER_LENGTH
                if not first or size > FINISHED:
                    yield one.time, size
                first = False
                done[one.connection] = start + found.end
