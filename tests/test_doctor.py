"""`lab doctor`: one line for each condition, with the cure where it is not met. Each finding has its healthy twin."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from lab import doctor
from lab.cli import main
from lab.doctor import Check, State
from lab.stage.certificates import make_authority, write_private


def found(name: str, environment: dict[str, str] | None = None) -> Check:
    return next(check for check in doctor.examine(environment or {}) if check.name == name)


def test_a_healthy_machine_has_nothing_that_keeps_the_lab_from_working() -> None:
    checks = list(doctor.examine({}))
    assert State.FAILED not in {check.state for check in checks}
    assert all(check.cure for check in checks if check.state is not State.OK)
    assert not any(check.cure for check in checks if check.state is State.OK)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxy_variables_are_named(name: str) -> None:
    assert found("proxy variables").state is State.OK
    check = found("proxy variables", {name: "http://127.0.0.1:3128"})
    assert (check.state, name in check.finding) == (State.NOTE, True)


def test_variables_for_other_authorities_are_named() -> None:
    assert found("CA variables").state is State.OK
    check = found("CA variables", {"REQUESTS_CA_BUNDLE": "/etc/company.pem"})
    assert (check.state, "REQUESTS_CA_BUNDLE" in check.finding) == (State.NOTE, True)


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert found("temporary files").state is State.OK
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    check = doctor._room()
    assert (check.state, "TMPDIR" in check.cure) == (State.FAILED, True)


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEEDED_BYTES", 1 << 80)
    check = found("temporary files")
    assert (check.state, "left" in check.finding) == (State.FAILED, True)


def test_somebody_who_ends_tls_on_loopback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert found("TLS on loopback").state is State.OK
    honest = doctor._shake_hands

    def intercepted(_: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
        other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        other.load_cert_chain(write_private(tmp_path / "other.pem", make_authority("Somebody").issue(doctor.HOST)))
        honest(other, trusting)

    monkeypatch.setattr(doctor, "_shake_hands", intercepted)
    check = found("TLS on loopback")
    assert (check.state, "another certificate" in check.finding) == (State.FAILED, True)


@pytest.mark.parametrize(
    ("name", "state"),
    [("Zscaler Root CA", State.NOTE), ("mitmproxy", State.NOTE), ("AVG Technologies", State.NOTE), ("ISRG", State.OK)],
)
def test_known_interceptors_among_the_trusted(monkeypatch: pytest.MonkeyPatch, name: str, state: State) -> None:
    monkeypatch.setattr(doctor, "_trusted_names", lambda: iter([name]))
    assert found("TLS interception").state is state


def test_no_browser() -> None:
    assert doctor._browser(lambda _: None).state is State.NOTE
    assert doctor._browser(lambda name: f"/usr/bin/{name}").state is State.OK


def test_the_command_prints_a_line_for_each_and_fails_with_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list(doctor.examine({})))
    monkeypatch.setattr(doctor, "NEEDED_BYTES", 1 << 80)
    assert main(["doctor"]) == 2
    assert any(line.startswith("failed  temporary files: ") for line in capsys.readouterr().out.splitlines())
