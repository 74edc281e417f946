"""Packets of TLS connections with their keys: what tshark decrypts is searched too, and said where it is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from judging.recordings import recorded

from lab.export.key_log import to_key_log
from lab.export.pcapng import to_pcapng
from lab.model import Capture, Mode, SecretName
from lab.stage.stage import Stage

from . import wire
from .conftest import Done, Scan


@pytest.fixture(scope="module")
def captures(stage: Stage) -> Mapping[Mode, Capture]:
    return recorded(stage)


@pytest.fixture
def run(captures: Mapping[Mode, Capture], tmp_path: Path, scan: Scan) -> Callable[..., Done]:
    """Scans a recorded session for the text of its message, with a key log beside it or within the capture."""

    def run(mode: Mode, *, keylog: bool = False, within: bool = False, lines: str | None = None) -> Done:
        capture = captures[mode]
        keys = to_key_log(capture) if lines is None else lines
        packets = to_pcapng(capture)
        if within:
            header = int.from_bytes(packets[4:8], "little")
            packets = packets[:header] + wire.key_log(keys.encode()) + packets[header:]
        (tmp_path / "a.pcapng").write_bytes(packets)
        (tmp_path / "a.keys").write_text(keys, encoding="utf-8")
        body = next(secret.value.decode() for secret in capture.secrets if secret.name is SecretName.BODY)
        more = ["--keylog", str(tmp_path / "a.keys")] if keylog else []
        return scan(tmp_path / "a.pcapng", *more, secrets=[f"body={body}"])

    return run


@pytest.fixture
def tshark() -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed (Debian: apt-get install tshark): decrypting was not tried")


def test_without_keys_the_encrypted_view_holds_nothing(run: Callable[..., Done]) -> None:
    done = run(Mode.TLS)
    assert (done.status, done.findings, done.gave_up) == (0, [], [])


@pytest.mark.usefixtures("tshark")
@pytest.mark.parametrize("within", [False, True], ids=["key log beside", "key log within"])
def test_with_keys_the_message_is_read_both_ways(run: Callable[..., Done], within: bool) -> None:
    done = run(Mode.TLS, keylog=not within, within=within)
    assert done.status == 1
    assert {one["decoders"][0] for one in done.findings} == {"tls"}
    assert {one["place"] for one in done.findings} == {"http.body"}
    assert "to service" in done.out
    assert "to client" in done.out
    assert done.gave_up == []


@pytest.mark.usefixtures("tshark")
def test_what_is_end_to_end_encrypted_stays_so(run: Callable[..., Done]) -> None:
    done = run(Mode.E2EE, keylog=True)
    assert (done.status, done.findings) == (0, [])


@pytest.mark.usefixtures("tshark")
def test_keys_of_something_else_are_said(run: Callable[..., Done]) -> None:
    line = f"CLIENT_RANDOM {'11' * 32} {'22' * 48}\n"
    done = run(Mode.TLS, keylog=True, lines=line)
    assert done.status == 3
    assert "the keys open nothing in" in done.gave_up[0]["why"]


def test_without_tshark_only_the_encrypted_view_was_searched(
    run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run(Mode.TLS, keylog=True)
    assert done.status == 3
    assert "only the encrypted view was searched" in done.gave_up[0]["why"]
    assert "not installed" in done.out


def test_a_tshark_that_fails_is_said(run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "tshark"
    program.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    done = run(Mode.TLS, keylog=True)
    assert done.status == 3
    assert done.gave_up[0]["why"].endswith("tshark failed")
