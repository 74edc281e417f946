"""The guard around all tests (see conftest.py) lets loopback pass and nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

ELSEWHERE = ("192.0.2.1", 9)
"""An address for documentation (RFC 5737): nobody has it."""


def _connect() -> None:
    with closing(socket.socket()) as one:
        one.connect(ELSEWHERE)


def _connect_ex() -> None:
    with closing(socket.socket()) as one:
        one.connect_ex(ELSEWHERE)


def _connect_ipv6() -> None:
    with closing(socket.socket(socket.AF_INET6)) as one:
        one.connect(("2001:db8::1", 9))


def _send() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as one:
        one.sendto(b"x", ELSEWHERE)


def _resolve() -> None:
    socket.getaddrinfo("lab.test", 443)


@pytest.mark.parametrize("attempt", [_connect, _connect_ex, _connect_ipv6, _send, _resolve])
def test_nothing_leaves_this_machine(attempt: Callable[[], None], outside: list[str]) -> None:
    with pytest.raises(AssertionError, match="tests stay on loopback"):
        attempt()
    assert len(outside) == 1
    outside.clear()


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        socket.create_connection(("localhost", server.getsockname()[1])).close()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as one:
        one.sendto(b"x", ("127.0.0.1", 9))


def test_sockets_that_are_files_are_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # such a name may have a hundred bytes only
    with closing(socket.socket(socket.AF_UNIX)) as server, closing(socket.socket(socket.AF_UNIX)) as client:
        server.bind("here")
        server.listen()
        client.connect("here")


def test_an_attempt_that_is_swallowed_fails_the_test_all_the_same(tmp_path: Path) -> None:
    conftest = Path(__file__).with_name("conftest.py")
    (tmp_path / "conftest.py").write_text(conftest.read_text("utf-8"), "utf-8")
    (tmp_path / "test_inside.py").write_text(
        "import socket\n"
        "def test_stays(): assert True\n"
        "def test_leaves():\n"
        "    try:\n"
        f"        socket.socket().connect({ELSEWHERE})\n"
        "    except BaseException:\n"
        "        pass\n",
        "utf-8",
    )
    inner = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", "--tb=short", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert inner.returncode == 1, inner.stdout + inner.stderr
    assert "PASSED test_inside.py::test_stays" in inner.stdout
    assert "ERROR test_inside.py::test_leaves" in inner.stdout
    assert "this one tried: socket.connect ('192.0.2.1', 9)" in inner.stdout


def test_the_environment_names_no_proxy_and_no_certificates() -> None:
    left = [
        name
        for name in os.environ
        if name.upper().endswith("_PROXY") or name.startswith("SSL") or name.endswith("_CA_BUNDLE")
    ]
    assert [name for name in left if name != "AWS_CA_BUNDLE"] == []
