"""The server observer's requests and answers, put together from the parts that its record has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lab import detect
from lab.export.connections import Connection, connections, moment
from lab.model import Capture, Direction, Finding, LabError, Observation, Observer

type Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer. `body` is as it was sent, without chunks; `start` and `end` are those of the record."""

    first_line: str
    headers: Headers
    body: bytes
    trailers: Headers
    start: float
    end: float

    def header(self, name: str) -> str:
        """The first header of this name, "" if there is none."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its answer; None if none was recorded."""

    connection: Connection
    number: int
    request: Message
    answer: Message | None
    findings: tuple[Finding, ...]
    """The planted secrets that are readable in it."""

    @property
    def target(self) -> tuple[str, str, str]:
        """Method, path and HTTP version of the request."""
        method, _, rest = self.request.first_line.partition(" ")
        path, _, version = rest.rpartition(" ")
        return method, path, version


def exchanges(capture: Capture) -> tuple[Exchange, ...]:
    """All exchanges that have a request, in the order of their beginning. LabError: the observer recorded nothing."""
    found = (
        exchange for connection in connections(capture, Observer.SERVER) for exchange in _exchanges(capture, connection)
    )
    return tuple(sorted(found, key=lambda exchange: exchange.request.start))


def _exchanges(capture: Capture, connection: Connection) -> Iterator[Exchange]:
    numbered: dict[int, list[Observation]] = {}
    for one in connection.observations:
        numbered.setdefault(one.exchange, []).append(one)
    for number, parts in numbered.items():
        request = _message([one for one in parts if one.direction is Direction.TO_SERVICE], "http.request_line")
        answer = _message([one for one in parts if one.direction is Direction.TO_CLIENT], "http.status_line")
        if request is not None:
            yield Exchange(connection, number, request, answer, findings(capture, parts))


def _message(parts: Sequence[Observation], first_line: str) -> Message | None:
    data: dict[str, bytes] = {}
    for part in parts:
        data[part.place] = data.get(part.place, b"") + part.data
    if first_line not in data:
        return None
    times = [moment(part.time) for part in parts]
    return Message(
        first_line=data[first_line].decode("latin-1"),
        headers=_fields(data.get("http.header", b"")),
        body=data.get("http.body", b""),
        trailers=_fields(data.get("http.trailer", b"")),
        start=times[0],
        end=max(times),
    )


def _fields(block: bytes) -> Headers:
    lines = (line.partition(b":") for line in block.split(b"\r\n") if line)
    return tuple((name, value.strip(b" \t")) for name, _, value in lines)


def findings(capture: Capture, observations: Sequence[Observation]) -> tuple[Finding, ...]:
    """The planted secrets that are readable in `observations`. LabError: one is too short to be searched for."""
    planted = [replace(secret, decoys=()) for secret in capture.secrets]
    try:
        return detect.find(planted, observations, detect.RECORD).findings
    except ValueError as error:
        raise LabError(str(error)) from None


def in_words(findings: Sequence[Finding]) -> str:
    return "; ".join(dict.fromkeys(finding.sentence for finding in findings))
