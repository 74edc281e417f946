"""Clients that behave badly: none hangs the run or is left behind, and doing nothing is never called a refusal."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.clients.case import Case, Report, Verdict
from lab.clients.command import selected
from lab.clients.running import Command, Function, Means, Target, filled_in, meet
from lab.clients.serving import STUCK, State
from lab.model import LabError

PLENTY = Means(jobs=2, seconds=120)
SHORT = Means(jobs=2, seconds=5)
"""For clients that would never end."""

HERE = ("{host}", "{port}", "{ca}")


def only(cases: tuple[Case, ...], *names: str) -> tuple[Case, ...]:
    return selected(cases, names)


def client_for(target: Target) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(target.ca))


def visit(target: Target, then: Callable[[ssl.SSLSocket], object]) -> None:
    with (
        socket.create_connection(("127.0.0.1", target.port), 30) as raw,
        client_for(target).wrap_socket(raw, server_hostname=target.host) as tls,
    ):
        then(tls)


def one(report: Report, name: str = "valid") -> tuple[Verdict, str]:
    result = next(result for result in report.results if result.case.name == name)
    return result.verdict, result.detail


def program(source: str, *arguments: str) -> Command:
    return Command((sys.executable, "-c", source, *HERE, *arguments))


FETCH = """
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[3])
context.hostname_checks_common_name = False
urllib.request.urlopen(f"https://{sys.argv[1]}:{sys.argv[2]}/", context=context).read()
"""


def test_a_program_that_sends_is_heard_and_one_that_refuses_says_why(cases: tuple[Case, ...]) -> None:
    report = meet(program(FETCH), only(cases, "expired"), PLENTY)
    assert one(report) == (Verdict.ACCEPTED, "sent data")
    assert one(report, "expired") == (Verdict.NOT_FOOLED, "alert: certificate expired")
    assert "certificate has expired" in report.results[1].said


def test_each_case_is_shown_once_and_progress_is_told(cases: tuple[Case, ...]) -> None:
    told: list[int] = []
    some = only(cases, "expired", "wrong-name")
    visited: list[int] = []

    def fetch(target: Target) -> None:
        visited.append(target.port)
        visit(target, lambda tls: tls.sendall(b"x"))

    meet(Function(fetch), some, PLENTY, told.append)
    assert sorted(told) == [1, 2, 3]
    assert len(set(visited)) == len(visited) == 3


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (lambda _tls: None, "closed the connection before any data"),
        (lambda tls: tls.unwrap(), "closed the connection before any data"),
    ],
)
def test_a_client_that_sends_nothing_to_a_valid_server_has_no_verdict(
    cases: tuple[Case, ...], then: Callable[[ssl.SSLSocket], object], said: str
) -> None:
    report = meet(Function(lambda target: visit(target, then)), only(cases, "expired"), PLENTY)
    assert one(report) == (Verdict.NO_VERDICT, said)
    assert one(report, "expired")[0] is Verdict.NO_VERDICT
    assert report.status == 3


def test_being_ended_by_the_lab_is_no_refusal(cases: tuple[Case, ...]) -> None:
    """A program that hangs after a handshake with a wrong server has not refused it: it may be about to send."""
    source = """
import signal, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[3])
context.check_hostname = False
raw = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
tls = context.wrap_socket(raw, server_hostname=sys.argv[1])
if b"other.test" in tls.getpeercert(binary_form=True):
    signal.pause()
tls.sendall(b"x")
"""
    report = meet(program(source), only(cases, "wrong-name"), Means(jobs=2, seconds=12))
    assert one(report)[0] is Verdict.ACCEPTED
    assert one(report, "wrong-name") == (Verdict.NO_VERDICT, STUCK[State.ESTABLISHED])


def plainly(data: bytes) -> Callable[[Target], None]:
    def call(target: Target) -> None:
        with socket.create_connection(("127.0.0.1", target.port), 30) as raw:
            raw.sendall(data)
            raw.recv(100)

    return call


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda _: None, "did not connect"),
        (plainly(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "spoke HTTP without TLS"),
        (plainly(b"HELO me, and more than a record's head\r\n"), "the handshake failed: wrong version number"),
    ],
)
def test_what_is_no_tls_is_no_refusal(cases: tuple[Case, ...], call: Callable[[Target], object], said: str) -> None:
    assert one(meet(Function(call), only(cases, "valid"), PLENTY)) == (Verdict.NO_VERDICT, said)


WAITING: dict[str, Callable[[Target], object]] = {
    "connected, but began no TLS handshake": plainly(b""),
    "began a handshake and did not go on in time": plainly(b"\x16\x03\x01\x02\x00\x01"),
    "finished the handshake, then sent nothing in time": lambda target: visit(target, lambda tls: tls.recv(1)),
}
"""Clients that wait for the server to speak first."""


def test_a_client_that_waits_has_no_verdict(cases: tuple[Case, ...]) -> None:
    """All at the same time: each takes as long as the lab has patience with it."""
    with ThreadPoolExecutor(len(WAITING)) as pool:
        reports = pool.map(lambda call: meet(Function(call), only(cases, "valid"), SHORT), WAITING.values())
        assert [one(report) for report in reports] == [(Verdict.NO_VERDICT, said) for said in WAITING]


def test_a_client_that_leaves_without_a_word_to_a_wrong_server_has_refused(cases: tuple[Case, ...]) -> None:
    def call(target: Target) -> None:
        context = client_for(target)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", target.port), 30) as raw,
            context.wrap_socket(raw, server_hostname=target.host) as tls,
        ):
            shown = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
            if shown.issuer == x509.load_pem_x509_certificate(target.ca.read_bytes()).subject:
                tls.sendall(b"x")

    report = meet(Function(call), only(cases, "unknown-issuer", "same-name-issuer"), PLENTY)
    assert one(report, "unknown-issuer") == (Verdict.NOT_FOOLED, "closed the connection before any data")
    assert report.fooled == ("same-name-issuer",)


STUBBORN = f"""
import os, signal, subprocess, sys
deaf = "import os, signal as s; s.signal(s.SIGTERM, s.SIG_IGN); print(os.getpid(), flush=True); s.pause()"
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
with open(sys.argv[4], "wb") as file:
    file.write(b"%d " % os.getpid() + child.stdout.readline())
{FETCH}
signal.pause()
"""


def gone(pid: int) -> bool:
    """No such process, or one that has ended and waits for init to notice."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes in /proc")
def test_a_program_that_ignores_being_asked_to_end_is_killed_with_its_children(
    cases: tuple[Case, ...], tmp_path: Path
) -> None:
    report = meet(program(STUBBORN, str(tmp_path / "pids")), only(cases, "valid"), PLENTY)
    assert one(report)[0] is Verdict.ACCEPTED
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert [pid for pid in pids if not gone(pid)] == []


def test_a_program_whose_child_holds_its_output_does_not_keep_the_run_waiting(cases: tuple[Case, ...]) -> None:
    source = FETCH + "import subprocess; subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])"
    began = time.monotonic()
    report = meet(program(source), only(cases, "valid"), Means(jobs=1, seconds=300))
    assert one(report)[0] is Verdict.ACCEPTED
    assert time.monotonic() - began < 120


def test_a_program_that_prints_without_end_is_kept_in_bounds(cases: tuple[Case, ...]) -> None:
    source = "import sys\nfor _ in range(20000): print('much ' * 20)\nprint('the last line')"
    result = meet(program(source), only(cases, "valid"), PLENTY).results[0]
    assert (result.verdict, result.detail) == (Verdict.NO_VERDICT, "did not connect")
    assert result.said == "exit status 0: the last line"


def test_a_program_that_cannot_be_started_has_no_verdict(cases: tuple[Case, ...], tmp_path: Path) -> None:
    script = tmp_path / "client"
    script.write_bytes(b"\x7fELF, but not really")
    script.chmod(0o700)
    result = meet(Command((str(script), *HERE)), only(cases, "valid"), PLENTY).results[0]
    assert result.verdict is Verdict.NO_VERDICT
    assert "could not be started" in result.said


def test_nothing_stays_in_the_folder_for_temporary_files(
    cases: tuple[Case, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bytes, int]] = []

    def call(target: Target) -> None:
        seen.append((target.ca.read_bytes(), target.ca.parent.stat().st_mode & 0o777))
        assert [path.name for path in target.ca.parent.iterdir()] == ["ca.pem"]
        visit(target, lambda tls: tls.sendall(b"x"))

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert meet(Function(call), only(cases, "valid"), PLENTY).status == 0
    assert b"PRIVATE" not in seen[0][0]
    assert seen[0][1] == 0o700
    assert list(tmp_path.iterdir()) == []


def test_a_function_may_refuse_by_leaving_the_program(cases: tuple[Case, ...]) -> None:
    def call(_target: Target) -> None:
        sys.exit("no")

    result = meet(Function(call), only(cases, "valid"), Means(jobs=1, seconds=600)).results[0]
    assert (result.detail, result.said) == ("did not connect", "SystemExit: no")


@given(st.lists(st.binary(max_size=600), min_size=1, max_size=8), st.booleans())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_client_babbles_it_is_no_refusal_and_no_crash(
    cases: tuple[Case, ...], caplog: pytest.LogCaptureFixture, parts: list[bytes], proxied: bool
) -> None:
    def call(target: Target) -> None:
        port = int(target.proxy.rpartition(":")[2]) if proxied else target.port
        with socket.create_connection(("127.0.0.1", port), 30) as raw:
            for part in parts:
                raw.sendall(part)

    result = meet(Function(call, takes_proxy=proxied), only(cases, "valid"), PLENTY).results[0]
    assert result.verdict is Verdict.NO_VERDICT
    assert caplog.records == []


# The proxy


def through(target: Target, request: bytes) -> bytes:
    host, _, port = target.proxy.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 30) as raw:
        raw.sendall(request)
        return raw.recv(1000)


def test_other_names_reach_a_client_that_takes_the_proxy(cases: tuple[Case, ...]) -> None:
    def call(target: Target) -> None:
        host, _, port = target.proxy.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), 30) as raw:
            raw.sendall(f"CONNECT {target.host}:443 HTTP/1.1\r\nHost: {target.host}\r\n\r\n".encode())
            assert raw.recv(1000).startswith(b"HTTP/1.1 200 ")
            with client_for(target).wrap_socket(raw, server_hostname=target.host) as tls:
                tls.sendall(b"x")

    report = meet(Function(call, takes_proxy=True), only(cases, "wildcard-two-parts"), PLENTY)
    assert [result.verdict for result in report.results] == [Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.NOT_FOOLED]


def test_without_a_proxy_they_are_not_served(cases: tuple[Case, ...]) -> None:
    call = Function(lambda target: visit(target, lambda tls: tls.sendall(b"x")))
    report = meet(call, only(cases, "wildcard-two-parts"), PLENTY)
    assert [result.verdict for result in report.results] == [
        Verdict.ACCEPTED,
        Verdict.NOT_SERVED,
        Verdict.NOT_SERVED,
    ]
    assert "{proxy}" in report.results[1].detail
    assert report.status == 0


def test_a_page_asked_of_the_proxy_without_tls_is_no_verdict(cases: tuple[Case, ...]) -> None:
    said: list[bytes] = []

    def call(target: Target) -> None:
        said.append(through(target, b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n"))

    report = meet(Function(call, takes_proxy=True), only(cases, "valid"), PLENTY)
    assert one(report) == (Verdict.NO_VERDICT, "asked the proxy for a page without TLS")
    assert said[0].startswith(b"HTTP/1.1 405 ")


# Commands


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no command"),
        (("curl", "https://localhost/"), "needs {host} and {port}"),
        (("curl", "{host}"), "needs {host} and {port}"),
        (("no-such-program-here", "{host}", "{port}"), "no-such-program-here: no such program"),
    ],
)
def test_a_command_that_cannot_work_is_refused(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(LabError, match=said):
        Command(arguments)


@pytest.mark.parametrize(
    ("argument", "host", "filled"),
    [
        ("https://{host}:{port}/", "localhost", "https://localhost:4433/"),
        ("https://{host}:{port}/", "::1", "https://[::1]:4433/"),
        ("{host}:{port}", "::1", "[::1]:4433"),
        ("--host={host}", "::1", "--host=::1"),
        ("{ca}", "localhost", "/c/ca.pem"),
        ("{proxy}", "localhost", "http://127.0.0.1:8"),
        ("{braces} of {} others", "localhost", "{braces} of {} others"),
    ],
)
def test_placeholders(argument: str, host: str, filled: str) -> None:
    assert filled_in(argument, Target(host, 4433, Path("/c/ca.pem"), "http://127.0.0.1:8")) == filled
