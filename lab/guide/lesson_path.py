"""Who stands between the participants of a scenario, and what each of them recorded while one step was done. Pure.

Nothing here is prepared: a number is one of this very run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from lab.detect.reassembly import STREAM
from lab.guide.zoom import readable
from lab.model import Direction, Mode, Observation, Observer
from lab.report.page import visible
from lab.scenario.lesson import Habit, Participant, Scenario

_ON_PATH = (Observer.NETWORK, Observer.INTERCEPTOR, Observer.SERVER)
_SAMPLE = 160
"""Bytes of a sample that are kept."""
_CONTENT = b"\x17"
"""What a record of TLS begins with that carries what the application sends; others set up the connection."""
_TEXT = re.compile(rb"(?:[ -~]|[\xc3-\xc5][\x80-\xbf]){8,}")
"""With the letters of other European languages, in UTF-8: else a text would begin after its last umlaut."""
_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one observer recorded while a step was done: pieces or requests, bytes each way, and a sample of the bytes.

    At rest, `up` is how many bytes there are more than before, and there are no pieces.
    """

    observer: Observer
    pieces: int = 0
    up: int = 0
    down: int = 0
    line: str = ""
    """The request with the most bytes, where requests can be read."""
    sample: bytes = b""
    requests: bool = False
    """Whether the pieces are requests that could be read as such."""

    @property
    def shown(self) -> str:
        """The sample as a person can look at it: as text if it is text, else as numbers."""
        if not self.sample:
            return self.line
        text = visible(self.sample.decode(errors="replace")) if readable(self.sample) else self.sample[:16].hex(" ")
        return f"{self.line}  {text}".strip()


@dataclass(frozen=True, slots=True)
class Stop:
    """One who stands on the path, and whether the connection from the one before is encrypted."""

    name: str
    observer: Observer | None
    encrypted: bool


def people(scenario: Scenario) -> tuple[Participant, ...]:
    """Who takes part, in the order in which the steps name them."""
    found: dict[Participant, None] = {}
    for step in scenario.steps:
        for field in fields(step.action):
            value = getattr(step.action, field.name)
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, Participant):
                    found[one] = None
    return tuple(found)


def stops(scenario: Scenario) -> tuple[Stop, ...]:
    """Everything between the participants and the operator's storage, in the order in which a message comes by."""
    tls = scenario.mode is not Mode.PLAINTEXT
    # Only an app that begins without TLS can be kept from changing to it.
    stripped = scenario.strips_tls and Habit.HTTP_FIRST in scenario.habits
    # Else who stands in for the service is on a line of its own, which an app turns back from.
    acts = scenario.interceptor is not None or scenario.strips_tls
    on_path = [one for one in _ON_PATH if one in scenario.observers and (acts or one is not Observer.INTERCEPTOR)]
    before_stripper = [*on_path[: on_path.index(Observer.INTERCEPTOR) + 1]] if Observer.INTERCEPTOR in on_path else []
    return (
        *(Stop(one, one, tls and not (stripped and one in before_stripper)) for one in on_path),
        Stop("", None, encrypted=False),  # the service, behind the front end
        *(Stop(one, one, encrypted=False) for one in scenario.observers if one is Observer.DATABASE),
    )


def traffic(observer: Observer, observations: Sequence[Observation]) -> Traffic:
    """What these observations, of one observer on the path, come to."""
    ups = [one for one in observations if one.direction is Direction.TO_SERVICE]
    down = sum(len(one.data) for one in observations if one.direction is Direction.TO_CLIENT)
    up = sum(len(one.data) for one in ups)
    lines = {(one.connection, one.exchange): one.data for one in ups if one.place == "http.request_line"}
    pieces = len(lines) if lines else len(observations)
    bodies = [one for one in ups if one.place == ("http.body" if lines else STREAM)]
    largest = max(bodies, key=lambda one: (one.data[:1] == _CONTENT, len(one.data)), default=None)
    if largest is None:
        return Traffic(observer, pieces, up, down, first_words(next(iter(lines.values()), b"")), requests=bool(lines))
    line, sample = lines.get((largest.connection, largest.exchange), b""), largest.data
    if not lines and readable(sample[:_SAMPLE]):  # HTTP in the clear: what comes with it is at its end
        line, sample = sample.split(b"\r\n", 1)[0], sample.rpartition(b"\r\n")[2]
    sample = _ID.sub(b"..", sample)[:_SAMPLE]
    return Traffic(observer, pieces, up, down, first_words(line), sample, requests=bool(lines))


def at_rest(grown: int, new: Iterable[bytes]) -> Traffic:
    """For the storage: how many bytes there are more, and the longest of the texts that were not there before."""
    return Traffic(Observer.DATABASE, 0, grown, 0, "", max((_ID.sub(b"", one) for one in new), key=len, default=b""))


def texts(data: bytes) -> set[bytes]:
    """The texts in what is stored, cut to what is shown."""
    return {one[:_SAMPLE] for one in _TEXT.findall(data)}


def first_words(line: bytes) -> str:
    """What a request asks for, without the ids in its path."""
    return visible(b" ".join(_ID.sub(b"..", line).split(b" ")[:2]).decode(errors="replace"))
