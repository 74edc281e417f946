"""The verdict follows from what the client did, and from what it did with the twin."""

from __future__ import annotations

import pytest

from lab.clients.case import (
    Attempt,
    Case,
    Expectation,
    Material,
    NotServable,
    Outcome,
    Result,
    Verdict,
    judge,
    worth_trying,
)

SENT = Attempt(Outcome.SENT, "sent data")
REFUSED = Attempt(Outcome.REFUSED, "alert: unknown ca")
NOTHING = Attempt(Outcome.NOTHING, "did not connect", "exit status 1")
NO_WAY = NotServable("needs another clock")


def case(name: str, expected: Expectation, twin: str | None = None) -> Case:
    return Case(name, "", "", expected, lambda: Material(b"", b"", b""), twin)


VALID = case("valid", Expectation.ACCEPT)
WRONG = case("wrong", Expectation.REFUSE, "valid")


def verdict_on(one: Case, attempt: Attempt | NotServable, twin: Attempt | NotServable = SENT) -> Verdict:
    report = judge((VALID, one), {"valid": twin, one.name: attempt})
    return report.results[1].verdict


@pytest.mark.parametrize(
    ("expected", "attempt", "verdict"),
    [
        (Expectation.REFUSE, SENT, Verdict.FOOLED),
        (Expectation.REFUSE, REFUSED, Verdict.NOT_FOOLED),
        (Expectation.REFUSE, NOTHING, Verdict.NO_VERDICT),
        (Expectation.REFUSE, NO_WAY, Verdict.NOT_SERVED),
        (Expectation.ACCEPT, SENT, Verdict.ACCEPTED),
        (Expectation.ACCEPT, REFUSED, Verdict.TOO_STRICT),
        (Expectation.ACCEPT, NOTHING, Verdict.NO_VERDICT),
        (Expectation.EITHER, SENT, Verdict.ALLOWED),
        (Expectation.EITHER, REFUSED, Verdict.ALLOWED),
        (Expectation.EITHER, NOTHING, Verdict.NO_VERDICT),
    ],
)
def test_what_the_client_did_decides(expected: Expectation, attempt: Attempt | NotServable, verdict: Verdict) -> None:
    assert verdict_on(case("one", expected, "valid"), attempt) is verdict


@pytest.mark.parametrize(
    ("twin", "verdict"),
    [
        (SENT, Verdict.NOT_FOOLED),
        (REFUSED, Verdict.NO_VERDICT),
        (NOTHING, Verdict.NO_VERDICT),
        (NO_WAY, Verdict.NOT_SERVED),
    ],
)
def test_a_refusal_counts_only_beside_an_accepted_twin(twin: Attempt | NotServable, verdict: Verdict) -> None:
    assert verdict_on(WRONG, REFUSED, twin) is verdict
    assert worth_trying(WRONG, {"valid": twin}) is (twin is SENT)


def test_data_sent_to_a_wrong_server_counts_only_beside_an_accepted_twin_too() -> None:
    """A client that sends data to some of the wrong and none of the right servers does something else than expected."""
    assert verdict_on(WRONG, SENT, REFUSED) is Verdict.NO_VERDICT


def test_a_refused_twin_is_no_verdict_and_neither_is_what_was_not_tried() -> None:
    report = judge((VALID, WRONG), {"valid": REFUSED})
    assert report.results == (
        Result(VALID, Verdict.NO_VERDICT, "alert: unknown ca"),
        Result(WRONG, Verdict.NO_VERDICT, "not tried: the client did not accept the valid twin valid"),
    )
    assert (report.undecided, report.status) == (("valid", "wrong"), 3)


def test_a_twin_of_a_twin_that_is_refused_is_no_verdict() -> None:
    chained = case("valid-chain", Expectation.ACCEPT, "valid")
    error = case("expired-chain", Expectation.REFUSE, "valid-chain")
    report = judge((VALID, chained, error), {"valid": SENT, "valid-chain": REFUSED})
    assert report.undecided == ("valid-chain", "expired-chain")


@pytest.mark.parametrize(
    ("attempts", "status"),
    [
        ((REFUSED, REFUSED), 0),
        ((REFUSED, SENT), 1),
        ((NOTHING, SENT), 1),
        ((NOTHING, REFUSED), 3),
        ((NO_WAY, REFUSED), 0),
    ],
)
def test_the_exit_status(attempts: tuple[Attempt, Attempt], status: int) -> None:
    other = case("other", Expectation.REFUSE, "valid")
    tried = {"valid": SENT, "wrong": attempts[0], "other": attempts[1]}
    assert judge((VALID, WRONG, other), tried).status == status


def test_nothing_shown_is_no_good_news() -> None:
    assert judge((VALID,), {"valid": NO_WAY}).status == 3
