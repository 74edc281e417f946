"""Cases, what a client did with them, and the verdict. Pure.

A client is judged by one thing: did it send application data to a server that it had to refuse? Data that arrived has
passed the client's own checks, whatever they are. And a refusal says something only if the client does send data to a
server that differs in nothing but the error: the twin. Without an accepted twin there is no verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

LOCALHOST = "localhost"


class Expectation(StrEnum):
    """What the standards ask of a client."""

    REFUSE = "refuse"
    ACCEPT = "accept"
    EITHER = "either"
    """The standards disagree, or leave it to the client."""


class Outcome(StrEnum):
    """What a client did."""

    SENT = "sent data"
    REFUSED = "refused"
    """It ended the connection with a TLS alert, or without a word, before any data."""
    NOTHING = "nothing"
    """It did not connect, began no handshake, or finished one and sent nothing in time."""


class Verdict(StrEnum):
    """What follows."""

    FOOLED = "fooled"
    NOT_FOOLED = "not fooled"
    ACCEPTED = "accepted"
    """A valid certificate, as it should be."""
    TOO_STRICT = "too strict"
    """It refused a certificate that is valid."""
    ALLOWED = "allowed"
    """Whatever it did: the standards let it."""
    NO_VERDICT = "no verdict"
    NOT_SERVED = "not served"
    """The lab cannot show this case to this client: no statement about the client."""


class Protocol(StrEnum):
    """The versions of TLS that a server speaks."""

    CURRENT = "TLS 1.2 and 1.3"
    TLS_1_0 = "TLS 1.0"
    TLS_1_1 = "TLS 1.1"


@dataclass(frozen=True, slots=True)
class Material:
    """What a server shows, and what its client trusts: PEM."""

    trusted: bytes
    """The authorities that the client is told to trust."""
    chain: bytes
    """The server's certificate, then those of its issuers."""
    key: bytes
    protocol: Protocol = Protocol.CURRENT


class NotServable(Exception):  # noqa: N818 - a fact about a case, no failure of the lab
    """This case cannot be shown to a live client here; the text says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One server that a client meets."""

    name: str
    what: str
    """What is wrong with it, or right, in a sentence."""
    rule: str
    """The standard that says so."""
    expected: Expectation
    make: Callable[[], Material]
    """May take time. NotServable: it cannot be made."""
    twin: str | None = None
    """The name of the case that differs from this one in nothing but the error; of a valid case, a simpler one."""
    host: str = LOCALHOST
    """The name or address that the client asks for."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a client did with one case."""

    outcome: Outcome
    detail: str
    """How, as the server saw it: a clause without capital and full stop."""
    said: str = ""
    """What the client itself said last; empty if it had to be ended."""


@dataclass(frozen=True, slots=True)
class Result:
    """One case, judged."""

    case: Case
    verdict: Verdict
    detail: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All results, in the order of the cases."""

    results: tuple[Result, ...]

    @property
    def fooled(self) -> tuple[str, ...]:
        """The names of the cases that fooled the client."""
        return self._named(Verdict.FOOLED)

    @property
    def undecided(self) -> tuple[str, ...]:
        """The names of the cases without a verdict."""
        return self._named(Verdict.NO_VERDICT)

    @property
    def counts(self) -> Mapping[Verdict, int]:
        return Counter(result.verdict for result in self.results)

    @property
    def status(self) -> int:
        """Exit status: 1 fooled at least once; else 3 if something has no verdict, or nothing was shown; else 0."""
        if self.fooled:
            return 1
        shown = any(result.verdict is not Verdict.NOT_SERVED for result in self.results)
        return 3 if self.undecided or not shown else 0

    def _named(self, verdict: Verdict) -> tuple[str, ...]:
        return tuple(result.case.name for result in self.results if result.verdict is verdict)


type Tried = Mapping[str, Attempt | NotServable]
"""Name of a case → what came of it."""


def twins(cases: Iterable[Case]) -> frozenset[str]:
    """The names of the cases that others are compared with."""
    return frozenset(case.twin for case in cases if case.twin is not None)


def worth_trying(case: Case, tried: Tried) -> bool:
    """False if the client did not accept the twin: whatever it did now would say nothing."""
    return case.twin is None or _accepted(tried.get(case.twin))


def judge(cases: Sequence[Case], tried: Tried) -> Report:
    """The verdicts. `tried` lacks the cases that were not worth trying."""
    needed = twins(cases)
    return Report(tuple(_judge(case, tried, is_twin=case.name in needed) for case in cases))


def _judge(case: Case, tried: Tried, *, is_twin: bool) -> Result:
    attempt = tried.get(case.name)
    if isinstance(attempt, NotServable):
        return Result(case, Verdict.NOT_SERVED, str(attempt))
    if attempt is None or not worth_trying(case, tried):
        return _void(case, tried)
    if attempt.outcome is Outcome.NOTHING:
        return Result(case, Verdict.NO_VERDICT, attempt.detail, attempt.said)
    sent = attempt.outcome is Outcome.SENT
    match case.expected:
        case Expectation.EITHER:
            verdict = Verdict.ALLOWED
        case Expectation.REFUSE:
            verdict = Verdict.FOOLED if sent else Verdict.NOT_FOOLED
        case Expectation.ACCEPT if sent:
            verdict = Verdict.ACCEPTED
        case Expectation.ACCEPT:
            # A control that fails is no finding about the client; it takes away the ground for all findings beside it.
            verdict = Verdict.NO_VERDICT if is_twin or case.twin is None else Verdict.TOO_STRICT
    return Result(case, verdict, attempt.detail, attempt.said)


def _void(case: Case, tried: Tried) -> Result:
    twin = tried.get(case.twin or "")
    if isinstance(twin, NotServable):
        return Result(case, Verdict.NOT_SERVED, f"its valid twin {case.twin} cannot be served: {twin}")
    return Result(case, Verdict.NO_VERDICT, f"not tried: the client did not accept the valid twin {case.twin}")


def _accepted(attempt: Attempt | NotServable | None) -> bool:
    return isinstance(attempt, Attempt) and attempt.outcome is Outcome.SENT
