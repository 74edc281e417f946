"""Seven things that somebody on the path can do to what passes: pure, with the sending left to the caller.

A `Meddler` is given one unit after the other: a TLS record, or a message. It says which units are to go on now, in
which order. It does one deed per order, to the next unit that fits, and then lets everything pass again.

    flip            changes one byte of it
    truncate        cuts off its end
    replay          lets it pass twice
    drop            does not let it pass
    delay           keeps it until it is released
    reorder         keeps it until the next one on the same lane has passed
    cross-deliver   keeps it, and puts it on the next other lane that something comes by on

A lane is what is in order by itself: one direction of a connection, or one conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, Self

from lab.detect import tls
from lab.model import LabError


class Deed(StrEnum):
    FLIP = "flip"
    TRUNCATE = "truncate"
    REPLAY = "replay"
    DROP = "drop"
    DELAY = "delay"
    REORDER = "reorder"
    CROSS_DELIVER = "cross-deliver"


class Unit(Protocol):
    """Something that passes."""

    def edited(self, edit: Callable[[bytes], bytes]) -> Self:
        """The same with other content."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to do to the next unit. `at` and `xor`: which byte a flip changes, from the end if negative, and which bits
    of it. `keep`: so many bytes are left by a truncation; None: the first half."""

    do: Deed
    to_service: bool = True
    at: int = -1
    xor: int = 1
    keep: int | None = None

    def edit(self, content: bytes) -> bytes:
        """What a flip or a truncation makes of `content`; the same, if it is too short for that."""
        if self.do is Deed.TRUNCATE:
            return content[: len(content) // 2 if self.keep is None else self.keep]
        if not -len(content) <= self.at < len(content):
            return content
        at = self.at % len(content)
        return content[:at] + bytes([content[at] ^ self.xor]) + content[at + 1 :]


def read_order(fields: Mapping[str, Any]) -> Order:
    """The order in {"do": …, "to": "service" or "client", "at": number, "xor": 1 to 255, "keep": number}.

    All but "do" may be left out. LabError: anything else.
    """
    match dict(fields):
        case {"do": str(deed), **rest} if deed in list(Deed):
            numbers = {name: rest.pop(name) for name in ("at", "xor", "keep") if name in rest}
            to = rest.pop("to", "service")
            fits = all(isinstance(one, int) and not isinstance(one, bool) for one in numbers.values())
            if not rest and to in ("service", "client") and fits:
                order = Order(Deed(deed), to == "service", **numbers)
                if 1 <= order.xor <= 255 and (order.keep is None or order.keep >= 0):
                    return order
    known = ", ".join(Deed)
    raise LabError(
        f"this is no order: {dict(fields)}; it needs do (one of {known}), and can have to (service or client),"
        " at (which byte), xor (1 to 255), keep (how many bytes)"
    )


class Meddler[U: Unit]:
    """Does what it is ordered to. `done` names the deeds that were done to the end, the oldest first."""

    def __init__(self) -> None:
        self.done: list[Deed] = []
        self._order: Order | None = None
        self._held: tuple[str, U] | None = None

    def arm(self, order: Order) -> None:
        """Do this to the next unit that fits, instead of what was ordered before. LabError: that has begun."""
        if self._order is not None and self._held is not None:
            raise LabError(f"the order before, {self._order.do}, has begun and is not at its end")
        self._order = order

    def pass_on(self, lane: str, unit: U, *, to_service: bool = True) -> list[U]:
        """What goes on now on `lane`, where `unit` has just come by."""
        order = self._order
        if order is None or to_service is not order.to_service:
            return [unit]
        match order.do:
            case Deed.FLIP | Deed.TRUNCATE:
                if (edited := unit.edited(order.edit)) == unit:
                    return [unit]
                return self._did(edited)
            case Deed.REPLAY:
                return self._did(unit, unit)
            case Deed.DROP:
                return self._did()
        if self._held is None:
            self._held = lane, unit
            return []
        held_on, held = self._held
        if order.do is Deed.REORDER and held_on == lane:
            return self._did(unit, held)
        if order.do is Deed.CROSS_DELIVER and held_on != lane:
            return self._did(held, unit)
        return [unit]

    def release(self) -> tuple[str, U]:
        """What was delayed, with its lane: it is to be sent now. LabError: nothing was."""
        if self._order is None or self._order.do is not Deed.DELAY or self._held is None:
            raise LabError("nothing is delayed that could be released")
        held = self._held
        self._did()
        return held

    def _did(self, *units: U) -> list[U]:
        assert self._order is not None  # noqa: S101 - nothing is done without an order
        self.done.append(self._order.do)
        self._order = self._held = None
        return list(units)


@dataclass(frozen=True, slots=True)
class Record:
    """One TLS record: its header as it came, but for the length, and what it carries."""

    header: bytes
    content: bytes

    @property
    def is_application_data(self) -> bool:
        return self.header[0] == tls.APPLICATION_DATA

    def edited(self, edit: Callable[[bytes], bytes]) -> Record:
        return Record(self.header, edit(self.content))

    def to_bytes(self) -> bytes:
        return self.header + len(self.content).to_bytes(2) + self.content


class Cutter:
    """Cuts one direction of a connection into TLS records, whatever pieces it comes in."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, piece: bytes) -> list[Record]:
        """The records that are complete with `piece`. LabError: this is not TLS."""
        data = self._rest + piece
        found = tls.records(data)
        self._rest = data[found[-1].end :] if found else data
        if not tls.may_begin_record(self._rest):
            raise LabError("what passes is not TLS, so it has no records to meddle with")
        return [Record(data[one.start : one.start + 3], data[one.start + tls.HEADER_LENGTH : one.end]) for one in found]
