"""What a failed assertion says: everything needed to find the leak. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.detect import http1
from lab.detect.excerpt import printable
from lab.model import Capture, Cell, Direction, Evidence, Exposure, Inference, Observer
from lab.record import Record
from lab.report.words import amount, answer

MARKS = ("▶", "◀")
"""Before and after the match in an excerpt."""


def surprise(
    cell: Cell, value: str, expected: Exposure, capture: Capture, kept: str, answers: Sequence[Inference] = ()
) -> str:
    """A verdict that is not the expected one, with the evidence for it. `kept` is the file of the capture.

    `answers` are what was worked out, where the cell is about that.
    """
    lines = [f"{cell.secret} is {cell.exposure} at {cell.observer}, expected: {expected}"]
    if not cell.evidence:
        lines.append(f"  why:       {cell.reason}")
    lines.append(f"  secret:    {answers[0].about if answers else cell.secret} = {value}")
    lines.append(f"  observer:  {cell.observer}")
    lines += (
        f"  estimate:  {answer(one)}; true: {amount(one, one.truth)}; a guess without the record: {one.guess}"
        for one in answers
    )
    for one in cell.evidence[:1]:
        lines += found(one, cell, value, capture)
    if len(cell.evidence) > 1:
        lines.append(f"  more:      {len(cell.evidence) - 1} other places, the next one in {cell.evidence[1].place}")
    lines.append(f"  capture:   {kept}")
    return "\n".join(lines)


def found(one: Evidence, cell: Cell, value: str, capture: Capture) -> Iterator[str]:
    """Request, place, offset, decoders and excerpts of one finding."""
    if line := request_line(one, cell, capture):
        yield f"  request:   {line}"
    where = ", ".join(
        part for part in (f"connection {one.connection}" if one.connection else "", one.direction) if part
    )
    if one.direction is Direction.AT_REST:
        where = f"file {one.connection}"
    part = f"  ({one.partial} bytes of the value)" if one.partial else ""
    yield f"  place:     {one.place}, {where}, bytes {', '.join(f'{start}–{end}' for start, end in one.spans)}{part}"
    yield f"  decoders:  {' → '.join(one.decoders) or 'none, it stands there as it is'}"
    if one.decoders:
        yield f"  decoded:   {_marked(one.excerpt, value)}"
    yield f"  record:    {in_record(one)}"


def in_record(one: Evidence) -> str:
    """The observer's own bytes around the match, which is marked."""
    start, end = (at - one.window_start for at in one.spans[0])
    before, match, after = one.window[:start], one.window[start:end], one.window[end:]
    return f"{printable(before)}{MARKS[0]}{printable(match)}{MARKS[1]}{printable(after)}"


def _marked(excerpt: str, value: str) -> str:
    at = excerpt.lower().find(value.lower())
    if at < 0:
        return excerpt
    end = at + len(value)
    return f"{excerpt[:at]}{MARKS[0]}{excerpt[at:end]}{MARKS[1]}{excerpt[end:]}"


def request_line(one: Evidence, cell: Cell, capture: Capture) -> str:
    """The first line of the message in which it was found, "" where nobody can tell messages apart."""
    if cell.observer == Observer.SERVER:
        record = Record(capture, Observer.SERVER)
        for other in record.observations:
            same = (other.connection, other.exchange) == (one.connection, one.exchange)
            if same and other.place == "http.request_line":
                return printable(other.data)
    if cell.observer == Observer.NETWORK:
        for stream in Record(capture, Observer.NETWORK).streams:
            if (stream.connection, stream.direction) == (one.connection, one.direction):
                for message in http1.messages(stream.data):
                    if message.start_line[0] <= one.spans[0][0] < message.end:
                        return printable(stream.data[slice(*message.start_line)].strip())
    return ""
