"""`lab clients` as people call it: exit statuses, bad input, reports, Ctrl-C; and the fixture for pytest."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from lab.cli import main
from lab.clients.as_junit import to_junit
from lab.clients.builtin import built_in
from lab.clients.case import Attempt, Outcome, judge
from lab.clients.running import Target

if TYPE_CHECKING:
    from lab.pytest_plugin import ClientCheck

CLIENT = """
import ssl, sys, urllib.request
host, port, ca, *forgets = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.check_hostname = not forgets
urllib.request.urlopen(f"https://{host}:{port}/", context=context).read()
"""
STRICT = (sys.executable, "-c", CLIENT, "{host}", "{port}", "{ca}")
CARELESS = (*STRICT, "names")
OF_NO_USE = (sys.executable, "-c", "", "{host}", "{port}")
SOME = ("--only", "wrong-name", "--only", "expired")


@pytest.mark.parametrize(
    ("client", "status", "said"),
    [
        (STRICT, 0, "3 cases: 2 not fooled, 1 accepted."),
        (CARELESS, 1, "3 cases: 1 fooled, 1 not fooled, 1 accepted. The client was fooled by: wrong-name"),
        (OF_NO_USE, 3, "3 cases: 3 no verdict. The client did not accept the valid server"),
    ],
)
def test_the_exit_status_says_what_came_out(
    capsys: pytest.CaptureFixture[str], client: tuple[str, ...], status: int, said: str
) -> None:
    assert main(["clients", *SOME, "--", *client]) == status
    out, err = capsys.readouterr()
    assert said in out
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no command"),
        (["--", "curl"], "the command needs {host} and {port}"),
        (["--", "no-such-program", "{host}:{port}"], "no-such-program: no such program"),
        (["--only", "expird", "--", *STRICT], "did you mean expired?"),
        (["--only", "none::*", "--", *STRICT], "--list names them all"),
        (["--jobs", "0", "--", *STRICT], "--jobs"),
        (["--timeout", "0", "--", *STRICT], "--timeout"),
        (["--timeout", "nan", "--", *STRICT], "--timeout"),
        (["--json", "gone/x", "--", *STRICT], "gone/x: cannot be written"),
        (["--json", "x", "--junit", "x", "--", *STRICT], "a file of its own"),
        (["--limbo", "gone.json", "--", *STRICT], "gone.json: cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["clients", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def test_the_list_names_every_case_with_its_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clients", "--list"]) == 0
    out, _ = capsys.readouterr()
    assert all(case.name in out for case in built_in())
    assert "RFC 9525" in out


def test_json_and_junit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    junit = tmp_path / "junit.xml"
    assert main(["clients", *SOME, "--json", "-", "--junit", str(junit), "--", *CARELESS]) == 1
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert "The client was fooled by" in err
    assert document["format"] == 1
    assert document["counts"] == {"accepted": 1, "fooled": 1, "not fooled": 1}
    (wrong,) = (case for case in document["cases"] if case["name"] == "wrong-name")
    assert (wrong["twin"], wrong["expected"], wrong["verdict"]) == ("valid", "refuse", "fooled")
    suite = ElementTree.parse(junit).getroot()[0]  # noqa: S314 - written by the test itself
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "0"]
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["wrong-name"]


def test_junit_takes_whatever_a_client_says() -> None:
    said = "\0\x1b[31m<&\ud800\uffff"
    report = judge(built_in()[:1], {"valid": Attempt(Outcome.NOTHING, said, said)})
    error = ElementTree.fromstring(to_junit(report).encode()).find("testsuite/testcase/error")  # noqa: S314
    assert error is not None
    assert "[31m<&" in (error.get("message") or "")


WAITING = "import signal, sys; open(sys.argv[3], 'w').close(); signal.pause()"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_ctrl_c_ends_the_clients_too(tmp_path: Path, number: int, status: int) -> None:
    fifo, left = tmp_path / "fifo", tmp_path / "left"
    os.mkfifo(fifo)
    left.mkdir()
    lab = subprocess.Popen(
        [sys.executable, "-m", "lab", "clients", "--", sys.executable, "-c", WAITING, "{host}", "{port}", str(fifo)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(left)},
    )
    with fifo.open("rb"):  # opens when the client opens it, so it is running
        pass
    lab.send_signal(number)
    out, err = lab.communicate(timeout=60)
    assert (lab.returncode, out) == (status, b"")
    assert b"Traceback" not in err
    assert list(left.iterdir()) == []


# The fixture


def test_a_function_is_a_client_too(lab_clients: ClientCheck) -> None:
    def fetch(target: Target) -> None:
        context = ssl.create_default_context(cafile=str(target.ca))
        context.hostname_checks_common_name = False
        with urllib.request.urlopen(f"https://{target.host}:{target.port}/", context=context) as answer:
            assert answer.read() == b"ok\n"

    report = lab_clients(fetch)
    assert (report.fooled, report.undecided) == ((), ())


def test_and_so_is_a_command(lab_clients: ClientCheck) -> None:
    assert lab_clients(CARELESS, only=["wrong-name", "expired"]).fooled == ("wrong-name",)


def test_nothing_of_it_is_loaded_before_it_is_used() -> None:
    source = "import sys, lab.pytest_plugin; print([name for name in sys.modules if name.startswith('lab.')])"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "['lab.pytest_plugin']\n"
