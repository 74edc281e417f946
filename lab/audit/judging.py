"""What the observers of an audit got → who could read what, with the controls behind each verdict. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lab import controls, detect
from lab.audit.facts import Fact
from lab.audit.planting import DATAGRAM
from lab.audit.sizes import Sent
from lab.detect import Wanted, tls
from lab.inference import FINISHED
from lab.matrix import derived, evidence_of, verdict
from lab.model import (
    Capture,
    Cell,
    Control,
    Direction,
    Event,
    Inference,
    LabError,
    LeakMatrix,
    Observation,
    Observer,
)
from lab.planting import Copy
from lab.record import Record

CONFIRM = "call confirm(secret) in the block once the recipient has it (lab audit: --confirm-output, --confirm-file)"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to look into where nothing came, and where TLS was refused."""

    come: str
    trust: str


FOR_CLIENTS = Advice(
    "does the client use the lab's address?", "give it the lab's authority (ca, or the variables in env)"
)
FOR_DEVICES = Advice(
    "is the tunnel switched on, on the device, with the configuration of this run?",
    "install the lab's authority on the device; an app that accepts certain certificates only refuses all the same",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one observer got. `problems`: what its record lacks; `whole`: the words for a record that lacks nothing.

    `copies` makes the copies of it in which secrets are planted.
    """

    name: str
    observations: tuple[Observation, ...]
    problems: tuple[str, ...]
    whole: str
    copies: Callable[[Sequence[Wanted]], Iterable[Copy]]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The recipient got the secret at this time; `passed` says whether anything had passed the taps by then."""

    time: float
    passed: bool


def judge(
    capture: Capture,
    secrets: Sequence[Wanted],
    confirmed: Mapping[str, Confirmed],
    seen: Sequence[Seen],
    advice: Advice = FOR_CLIENTS,
    facts: Sequence[Fact] = (),
    sent: Mapping[str, Sent] | None = None,
) -> LeakMatrix:
    """The matrix of secrets × observers, and below it of `facts` × those of them who see traffic.

    LabError: two secrets have a name in common, or cannot be looked for.
    """
    names = [secret.name for secret in secrets]
    if len(set(names)) < len(names):
        raise LabError("two secrets of an audit have the same name; give each one of its own")
    try:
        detector, alike = detect.Detector(secrets, detect.RECORD), detect.Alike()
    except ValueError as error:
        raise LabError(str(error)) from error
    arrival = {name: travelled(name, confirmed.get(name), advice) for name in names}
    made: list[Control] = list(arrival.values())
    cells: dict[tuple[str, str], Cell] = {}
    inferences: list[Inference] = []
    for one in seen:
        search = detector.search(one.observations, alike=alike)
        detected = controls.found_in_copies(one.name, secrets, one.copies(secrets))
        detail = one.problems[0] if one.problems else one.whole
        general = [
            Control("recorded", one.name, None, not one.problems, detail),
            controls.searched(one.name, search.gave_up),
        ]
        made += general
        for name in names:
            hits = [finding for finding in search.findings if finding.secret == name]
            special = [control for control in detected if control.secret == name]
            special.append(controls.decoys(one.name, name, secrets, hits))
            made += special
            evidence = evidence_of(hits, search)
            # In the order in which a person would look for what is missing.
            exposure, reason = verdict(evidence, [general[0], arrival[name], general[1], *special])
            cells[name, one.name] = Cell(name, one.name, exposure, reason, evidence)
        for fact in facts if one.name in (Observer.NETWORK, Observer.SERVER) else ():
            control, answer = fact.estimate(Record(capture, Observer(one.name)), sent or {})
            answers = [answer] if answer else []
            checks = [general[0], arrival[fact.secret], control]
            cells[fact.row, one.name] = derived(fact.row, one.name, answers, checks)
            made.append(control)
            inferences += answers
    return LeakMatrix(
        scenario=capture.story.scenario,
        title=capture.story.title,
        mode=capture.story.mode,
        cells=tuple(
            cells[row, one.name]
            for row in (*names, *(fact.row for fact in facts))
            for one in seen
            if (row, one.name) in cells
        ),
        inferences=tuple(inferences),
        controls=tuple(made),
        secrets={secret.name: secret.value.decode("utf-8", errors="replace") for secret in secrets},
    )


def travelled(name: str, confirmed: Confirmed | None, advice: Advice = FOR_CLIENTS) -> Control:
    """Control 1."""
    if confirmed is None:
        return Control("travelled", None, name, passed=False, detail=f"nobody confirmed that {name} arrived: {CONFIRM}")
    if not confirmed.passed:
        detail = f"when {name} was confirmed, nothing had passed the taps yet: {advice.come}"
        return Control("travelled", None, name, passed=False, detail=detail)
    return Control("travelled", None, name, passed=True, detail="you confirmed that the recipient got it")


def network_view(
    capture: Capture, copies: Callable[[Sequence[Wanted]], Iterable[Copy]], advice: Advice = FOR_CLIENTS
) -> Seen:
    """What somebody on the path got."""
    record = Record(capture, Observer.NETWORK)
    problems = [*controls.unreliable(capture, record)]
    if not _both_ways((one.connection, one.direction) for one in record.observations):
        problems.append(f"no connection carried bytes in both directions: {advice.come}")
    elif (said := _said(record)) and all(map(_only_a_handshake, said)):
        problems.append("no connection got beyond the beginning of TLS: does the client trust the certificate?")
    problems += controls.beginnings_lost(record)
    problems += controls.ended(capture, record)
    whole = "bytes in both directions, and a clean end of the record"
    return Seen(Observer.NETWORK, record.observations, tuple(problems), whole, copies)


def server_view(
    capture: Capture, copies: Callable[[Sequence[Wanted]], Iterable[Copy]], advice: Advice = FOR_CLIENTS
) -> Seen:
    """What the operator's front end got."""
    record = Record(capture, Observer.SERVER)
    problems = [*controls.unreliable(capture, record), *_unanswered(record, advice)]
    problems += [f"the body of a message is cut short: {line}" for line in record.cut_short]
    problems += [*controls.skipped(record), *controls.ended(capture, record)]
    whole = "requests with their answers, and a clean end of the record"
    return Seen(Observer.SERVER, record.observations, tuple(problems), whole, copies)


def both(network: Seen, server: Seen) -> tuple[Seen, Seen]:
    """What passes the network tap goes on to the server tap: where nothing was read there, nothing has passed."""
    unread = tuple(f"at the server, {problem}" for problem in server.problems[:1])
    return replace(network, problems=(*network.problems, *unread)), server


def in_tunnel(network: Seen, server: Seen, capture: Capture) -> tuple[Seen, Seen]:
    """One tap got both. Of a device's many connections some break, and what its network got is whole all the same.

    But where nothing was read at the server, nothing has passed.
    """
    record = Record(capture, Observer.SERVER)
    unread = tuple(f"at the server, {problem}" for problem in _unanswered(record, FOR_DEVICES))
    return replace(network, problems=(*network.problems, *unread)), server


def _unanswered(record: Record, advice: Advice) -> Iterator[str]:
    # Devices ask for names, too, whether or not any app says something.
    said = [one for one in record.observations if one.place != DATAGRAM]
    if not _both_ways(((one.connection, one.exchange), one.direction) for one in said):
        refused = next(record.notes(Event.REFUSED), None)
        if refused:
            yield f"{refused.detail}; {advice.trust}"
        else:
            question = advice.come.removesuffix("?")
            yield f"no request came with an answer: {question}, and is the service up?"


def _said(record: Record) -> list[bytes]:
    return [stream.data for stream in record.streams if stream.direction is Direction.TO_SERVICE]


def _only_a_handshake(stream: bytes) -> bool:
    """Whether a client under TLS said nothing after the message that ends the handshake (RFC 8446, section 4.4.4)."""
    records = tls.records(stream)
    said = [one.end - one.start - tls.HEADER_LENGTH for one in records if one.content_type == tls.APPLICATION_DATA]
    return bool(records) and len(said) < 2 and max(said, default=0) <= FINISHED


def _both_ways(seen: Iterable[tuple[object, Direction]]) -> bool:
    ways: dict[object, set[Direction]] = {}
    for connection, direction in seen:
        ways.setdefault(connection, set()).add(direction)
    return any(len(one) > 1 for one in ways.values())
