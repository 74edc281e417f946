"""The cases of x509-limbo: a file like it, made here, and the true one where it is at hand."""

from __future__ import annotations

import json
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from lab.clients.builtin import built_in
from lab.clients.case import Expectation, NotServable, Verdict
from lab.clients.command import selected
from lab.clients.limbo import read
from lab.clients.running import Function, Means, Target, meet
from lab.model import LabError

MEANS = Means(jobs=4, seconds=120)


def testcase(name: str, **changes: Any) -> dict[str, Any]:
    """Limbo's form of the built-in case `name`; it asks for localhost."""
    material = next(case for case in built_in() if case.name == name).make()
    certificates = material.chain.decode().split("-----END CERTIFICATE-----\n")
    server, *others = [text + "-----END CERTIFICATE-----\n" for text in certificates if text]
    return {
        "id": f"made::{name}",
        "features": [],
        "description": "Produces the following **invalid** chain:\n\n```\nroot -> EE\n```\n\nA `thing`\nis wrong. Yes.",
        "validation_kind": "SERVER",
        "trusted_certs": [material.trusted.decode()],
        "untrusted_intermediates": others,
        "peer_certificate": server,
        "peer_certificate_key": material.key.decode(),
        "validation_time": None,
        "expected_result": "SUCCESS" if name.startswith("valid") else "FAILURE",
        "expected_peer_name": {"kind": "DNS", "value": "localhost"},
    } | changes


testcase.__test__ = False


def limbo(folder: Path, *cases: dict[str, Any]) -> Path:
    path = folder / "limbo.json"
    path.write_text(json.dumps({"version": 1, "testcases": cases}), encoding="utf-8")
    return path


def fetch(target: Target) -> None:
    context = ssl.create_default_context(cafile=str(target.ca))
    host, _, port = target.proxy.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 30) as raw:
        raw.sendall(f"CONNECT {target.host}:{target.port} HTTP/1.1\r\n\r\n".encode())
        assert raw.recv(1000).startswith(b"HTTP/1.1 200 ")
        with context.wrap_socket(raw, server_hostname=target.host) as tls:
            tls.sendall(b"x")


def test_cases_are_served_as_they_stand(tmp_path: Path) -> None:
    path = limbo(tmp_path, *(testcase(name) for name in ("valid-intermediate", "no-authority", "self-signed")))
    report = meet(Function(fetch, takes_proxy=True), read(path), MEANS)
    assert [(result.case.name, result.verdict) for result in report.results] == [
        ("valid", Verdict.ACCEPTED),
        ("made::valid-intermediate", Verdict.ACCEPTED),
        ("made::no-authority", Verdict.NOT_FOOLED),
        ("made::self-signed", Verdict.NOT_FOOLED),
    ]
    assert report.results[1].case.what == "A thing is wrong."


def test_a_client_that_takes_what_limbo_refuses_is_fooled_and_one_that_refuses_what_it_takes_is_too_strict(
    tmp_path: Path,
) -> None:
    path = limbo(
        tmp_path,
        testcase("valid-rsa", expected_result="FAILURE"),
        testcase("expired", expected_result="SUCCESS"),
        testcase("no-purpose", features=["pedantic-webpki-eku"]),
    )
    report = meet(Function(fetch, takes_proxy=True), read(path), MEANS)
    verdicts = [result.verdict for result in report.results[1:]]
    assert verdicts == [Verdict.FOOLED, Verdict.TOO_STRICT, Verdict.ALLOWED]
    assert report.status == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"validation_kind": "CLIENT"}, "certificate of a client"),
        ({"validation_time": "2024-01-01T00:00:00+00:00"}, "its own clock"),
        ({"features": ["max-chain-depth"]}, "a limit on the length"),
        ({"features": ["has-crl"]}, "revoked"),
        ({"expected_peer_name": None}, "names no server"),
        ({"expected_peer_name": {"kind": "RFC822", "value": "a@b.test"}}, "no host"),
    ],
)
def test_what_cannot_be_shown_to_a_live_client_says_why(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    (_, case) = read(limbo(tmp_path, testcase("valid", **changes)))
    with pytest.raises(NotServable, match=reason):
        case.make()
    (_, twin) = read(limbo(tmp_path, testcase("valid")))
    twin.make()


def test_a_certificate_that_openssl_does_not_load_is_not_served(tmp_path: Path) -> None:
    torn = testcase("expired")
    torn["peer_certificate"] = torn["peer_certificate"].replace("MII", "AAA", 1)
    report = meet(Function(fetch, takes_proxy=True), read(limbo(tmp_path, torn)), MEANS)
    assert report.results[1].verdict is Verdict.NOT_SERVED
    assert "does not load it" in report.results[1].detail


def test_other_names_get_a_control_of_their_own(tmp_path: Path) -> None:
    names = [{"kind": "DNS", "value": "chat.test"}, {"kind": "IP", "value": "2001:db8::7"}]
    path = limbo(tmp_path, *(testcase("valid", id=f"c{n}", expected_peer_name=name) for n, name in enumerate(names)))
    cases = read(path)
    assert [(case.name, case.twin) for case in cases] == [
        ("valid", None),
        ("valid::chat.test", "valid"),
        ("valid::2001:db8::7", "valid"),
        ("c0", "valid::chat.test"),
        ("c1", "valid::2001:db8::7"),
    ]
    report = meet(Function(fetch, takes_proxy=True), cases, MEANS)
    # The certificates of the cases are for localhost: only the controls are for the names asked for.
    assert [result.verdict for result in report.results] == [Verdict.ACCEPTED] * 3 + [Verdict.TOO_STRICT] * 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no x509-limbo file"),
        (b"[]", "no x509-limbo file"),
        (b"\xff\xfe", "no x509-limbo file"),
        (b'{"version": 2, "testcases": []}', "version"),
        (b'{"version": 1, "testcases": [{}]}', "testcases.0.id"),
        (b'{"version": 1, "testcases": []}', "none can be served"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "limbo.json"
    path.write_bytes(content)
    with pytest.raises(LabError) as caught:
        read(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(LabError, match="cannot be read"):
        read(tmp_path / "gone.json")


@pytest.fixture(scope="session")
def true_file() -> Path:
    folder = os.environ.get("LAB_VECTORS")
    if not folder:
        pytest.skip("LAB_VECTORS is not set: the true limbo.json is not at hand")
    return Path(folder) / "x509-limbo" / "limbo.json"


def test_the_true_file(true_file: Path) -> None:
    cases = [case for case in read(true_file) if case.rule == "x509-limbo"]
    assert len(cases) == 189
    assert all(case.what and "\n" not in case.what and "```" not in case.what for case in cases)
    servable = [case for case in cases if can_be_made(case.make)]
    assert len(servable) == 154
    assert [case.name for case in servable if case.expected is Expectation.EITHER]


def can_be_made(make: Any) -> bool:
    try:
        make()
    except NotServable:
        return False
    return True


def test_a_strict_client_and_some_of_the_true_cases(true_file: Path) -> None:
    cases = selected(read(true_file), ["pathlen::*", "webpki::san::*wildcard*", "rfc5280::chain-untrusted-root"])
    report = meet(Function(fetch, takes_proxy=True), cases, MEANS)
    assert (report.fooled, report.undecided) == ((), ())
    assert report.counts[Verdict.NOT_FOOLED] > 5
    assert report.counts[Verdict.ACCEPTED] > 5
