"""Clients that forget exactly one rule are flagged for exactly that, and those that forget none are not flagged."""

from __future__ import annotations

import shutil

import pytest
import requests

from lab.clients.case import Case, Expectation, Verdict
from lab.clients.command import selected
from lab.clients.running import Command, Function, Means, Target, meet

from .tls12 import HalfClient
from .validator import Careless

MEANS = Means(jobs=4, seconds=120)

NAMES = {"wrong-name", "name-begins-alike", "name-ends-alike", "null-byte", "wildcard-alone", "wildcard-inside"}
MUTANTS = {
    "names": {*NAMES, "no-name", "common-name-only"},
    "common names": {"common-name-only"},
    "zero bytes": {"null-byte"},
    "wildcards": {"wildcard-alone", "wildcard-inside"},
    "ends of names": {"name-begins-alike", "null-byte"},
    "beginnings of names": {"name-ends-alike"},
    "dates": {"expired", "not-yet-valid", "expired-intermediate"},
    "dates of issuers": {"expired-intermediate"},
    "issuers": {"self-signed", "unknown-issuer"},
    "signatures": {"same-name-issuer", "bad-signature"},
    "authorities": {"no-authority", "unmarked-authority"},
    "key usage": {"may-not-sign"},
    "path lengths": {"path-too-long"},
    "name constraints": {"name-not-permitted", "name-excluded"},
    "purposes": {"wrong-purpose"},
    "critical extensions": {"critical-extension"},
    "key sizes": {"weak-key"},
    "digests": {"weak-digest"},
    "versions": {"tls-1.0", "tls-1.1"},
}
"""What a client forgets → the cases that fool it, and no others."""

BY_HANDSHAKE = {"replaced-key", "tls-1.0", "tls-1.1"}
"""Checked by TLS itself, not by who checks certificates: `HalfClient` and the mutant "versions" are for these."""
BY_PROXY = {"wildcard-two-parts"}
"""Needs a client that goes through the proxy."""


def to_refuse(cases: tuple[Case, ...]) -> set[str]:
    return {case.name for case in cases if case.expected is Expectation.REFUSE}


@pytest.mark.parametrize("forgets", MUTANTS)
def test_a_client_that_forgets_one_rule_is_flagged_for_that(cases: tuple[Case, ...], forgets: str) -> None:
    report = meet(Function(Careless(forgets)), cases, MEANS)
    assert (set(report.fooled), report.undecided) == (MUTANTS[forgets], ())
    assert report.status == 1


def test_a_client_that_forgets_none_is_not_flagged(cases: tuple[Case, ...]) -> None:
    report = meet(Function(Careless()), cases, MEANS)
    assert (report.fooled, report.undecided, report.status) == ((), (), 0)
    assert report.counts[Verdict.ACCEPTED] > 5


def test_a_client_that_checks_nothing_is_fooled_by_every_certificate(cases: tuple[Case, ...]) -> None:
    report = meet(Function(Careless("everything")), cases, MEANS)
    assert set(report.fooled) == to_refuse(cases) - BY_HANDSHAKE - BY_PROXY


def test_every_certificate_fools_somebody(cases: tuple[Case, ...]) -> None:
    assert set().union(*MUTANTS.values()) == to_refuse(cases) - BY_PROXY - {"replaced-key"}


@pytest.mark.parametrize(("checks_key", "fooled"), [(False, ("replaced-key",)), (True, ())])
def test_a_client_that_does_not_ask_for_proof_of_the_key(
    cases: tuple[Case, ...], checks_key: bool, fooled: tuple[str, ...]
) -> None:
    report = meet(Function(HalfClient(checks_key)), selected(cases, ["replaced-key"]), MEANS)
    assert (report.fooled, report.undecided) == (fooled, ())


@pytest.mark.parametrize("proxied", [False, True])
def test_requests_is_not_fooled(cases: tuple[Case, ...], proxied: bool) -> None:
    def fetch(target: Target) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(target.ca)
            session.proxies = {"https": target.proxy} if proxied else {}
            session.get(f"https://{target.host}:{target.port}/", timeout=120).raise_for_status()

    report = meet(Function(fetch, takes_proxy=proxied), cases, MEANS)
    assert (report.fooled, report.undecided) == ((), ())
    assert report.counts[Verdict.NOT_SERVED] == (0 if proxied else 2)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_still_takes_the_common_name_for_a_host_and_is_fooled_by_nothing_else(cases: tuple[Case, ...]) -> None:
    curl = ("curl", "-q", "-sS", "--proxy", "{proxy}", "--cacert", "{ca}", "https://{host}:{port}/")
    report = meet(Command(curl), cases, MEANS)
    assert set(report.fooled) <= {"common-name-only", "weak-key"}  # which of them depends on how curl was built
    assert report.undecided == ()
    unchecked = tuple(case for case in cases if case.name in ("valid", "self-signed", "wrong-name", "expired"))
    assert meet(Command((*curl, "--insecure")), unchecked, MEANS).fooled == ("self-signed", "wrong-name", "expired")
