"""`lab audit`: a program that nobody here wrote, observed from the command line."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from rich.console import Console

from lab.audit.command import Asked, run
from lab.audit.taps import Taps
from lab.audit.window import Window
from lab.model import LabError
from tests.audit.services import chat

SEND = """
import os, sys, urllib.request
text = os.environ["LAB_SECRET_BODY"]
message = text if "leak" in sys.argv else "x" * len(text)
urllib.request.urlopen(os.environ["LAB_URL"] + "/messages", message.encode()).close()
for name in sys.argv[1:]:
    if "." in name:
        with open(name, "a") as file:
            file.write(f"received {text if 'log it' in sys.argv else 'it'}\\n")
print("bob got", text)
sys.exit(5 if "fail" in sys.argv else 0)
"""

GOT = "bob got {body}"


class Result(NamedTuple):
    status: int
    out: str
    err: str


type Audit = Callable[..., Result]


@pytest.fixture
def audit(taps: Taps, service: str, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """`lab audit` with these options and arguments of the program, on taps that run already."""
    monkeypatch.setattr("lab.audit.command.open_taps", lambda: nullcontext(taps))

    def call(*arguments: str, **options: Any) -> Result:
        given: dict[str, Any] = {
            "program": [sys.executable, "-c", SEND, *arguments],
            "service": service,
            "tls": True,
            "service_ca": None,
            "secret": ["body"],
            "watch": [],
            "confirm_output": [GOT],
            "confirm_file": None,
            "expect": None,
            "update": False,
            "captures": None,
            "evidence": False,
        }
        out, err = io.StringIO(), io.StringIO()
        status = run(Asked(**{**given, **options}), Console(file=out, width=100), Console(file=err, width=100))
        return Result(status, out.getvalue(), err.getvalue())

    return call


def row(result: Result) -> list[str]:
    """The verdicts on the body."""
    return next(line.split()[1:] for line in result.out.splitlines() if line.split()[:1] == ["body"])


def test_it_says_who_could_read_what(audit: Audit) -> None:
    result = audit()
    assert (result.status, row(result), result.err) == (0, ["hidden", "hidden"], "")
    result = audit("leak")
    assert (result.status, row(result)) == (0, ["hidden", "exposed"])
    assert "For example" in result.out


def test_without_confirmation_nothing_is_hidden_and_it_says_so(audit: Audit) -> None:
    result = audit(confirm_output=[])
    assert (result.status, row(result)) == (3, ["inconclusive", "inconclusive"])
    assert "nobody confirmed that the recipient got anything, so nothing can be said to be hidden" in result.err
    result = audit("leak", confirm_output=[])
    assert (result.status, row(result)) == (3, ["inconclusive", "exposed"])
    result = audit(confirm_output=["carol got {body}"])
    assert (result.status, row(result)) == (3, ["inconclusive", "inconclusive"])
    assert "did not say 'carol got {body}'" in result.err


def test_a_file_of_the_recipient_confirms_too(audit: Audit, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox.txt"
    result = audit(str(inbox), "log it", confirm_output=[], confirm_file=inbox)
    assert (result.status, row(result)) == (0, ["hidden", "hidden"])
    inbox.unlink()
    result = audit(str(inbox), confirm_output=[], confirm_file=inbox)
    assert (result.status, row(result)) == (3, ["inconclusive", "inconclusive"])
    assert "does not hold body" in result.err


def test_what_confirms_everything_confirms_nothing(audit: Audit, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox.txt"
    value = "9d0f7c31e2a84b56"
    inbox.write_text(f"received {value} in the last run\n")
    with pytest.raises(LabError, match=r"inbox\.txt holds body before anything was sent"):
        audit(secret=[f"body={value}"], confirm_output=[], confirm_file=inbox)
    inbox.write_text("received nothing so far\n")
    given = [f"body={value}"]
    assert audit(str(inbox), "log it", secret=given, confirm_output=[], confirm_file=inbox).status == 0
    for empty in ("", " "):
        with pytest.raises(LabError, match="--confirm-output is empty"):
            audit(confirm_output=[empty])
    inbox.unlink()
    assert audit(confirm_output=[], confirm_file=inbox).status == 3


@pytest.mark.parametrize(("logs", "verdict"), [(["log it"], "exposed"), ([], "hidden")])
def test_paths_are_watched(audit: Audit, tmp_path: Path, logs: list[str], verdict: str) -> None:
    log = tmp_path / "app.log"
    result = audit(str(log), *logs, watch=[log])
    assert (result.status, row(result)) == (0, ["hidden", "hidden", verdict])
    assert ("file app.log" in result.out) is bool(logs)


def test_it_is_compared_with_a_table(audit: Audit, tmp_path: Path) -> None:
    table = tmp_path / "leaks.md"
    table.write_text("# What we expect\n", "utf-8")
    assert audit(expect=table, update=True).status == 0
    assert table.read_text("utf-8") == (
        "# What we expect\n\n|      | network | server |\n| ---- | ------- | ------ |\n| body | hidden  | hidden |\n"
    )
    assert audit(expect=table).status == 0
    result = audit("leak", expect=table)
    assert result.status == 1
    assert "NEW LEAK: body at server: the table says hidden, measured: exposed" in result.out
    assert audit(expect=table, confirm_output=[]).status == 3
    table.write_text(table.read_text("utf-8").replace("hidden |\n", "exposed |\n"), "utf-8")
    result = audit(expect=table)
    assert result.status == 1
    assert "no longer: body at server" in result.out
    assert audit(expect=table, update=True, confirm_output=[]).status == 3
    assert "exposed" in table.read_text("utf-8")  # what is inconclusive is not written


def test_a_program_that_fails_is_reported(audit: Audit) -> None:
    result = audit("fail")
    assert (result.status, row(result)) == (4, ["hidden", "hidden"])
    assert "lab: the program failed" in result.err
    assert "exit status 5" in result.err


def test_values_are_filled_in(audit: Audit, taps: Taps, capsys: pytest.CaptureFixture[str]) -> None:
    program = [sys.executable, "-c", "import sys; print(*sys.argv[1:])", "{url}", "{ca}", "<{proxy}>", "{a name}"]
    result = audit(program=program, secret=["a name=correct horse 4711 battery"], confirm_output=["correct horse 4711"])
    url, ca, proxy, *text = capsys.readouterr().out.split()
    assert url.startswith("https://127.0.0.1:")
    assert (ca, proxy, text) == (str(taps.authority), "<>", ["correct", "horse", "4711", "battery"])
    assert result.status == 3
    assert "does the client use the lab's address?" in " ".join(result.out.split())


def test_recordings_are_kept_on_request(audit: Audit, tmp_path: Path) -> None:
    result = audit(captures=tmp_path / "recordings")
    (kept,) = (tmp_path / "recordings").iterdir()
    assert kept.name == "lab-audit-1.capture.jsonl"
    assert f"Recorded in {kept}" in result.out
    with pytest.raises(LabError, match="is there already: move it away, or give another folder"):
        audit(captures=tmp_path / "recordings")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"secret": []}, "nothing to look for: give --secret NAME"),
        ({"secret": ["body=password"]}, "too ordinary"),
        ({"update": True}, "give --expect FILE too"),
        ({"expect": Path("no such file")}, "no such file: No such file or directory; --expect FILE --update writes it"),
        ({"expect": Path(__file__)}, "there is no table in it"),
        ({"program": []}, "--confirm-output is about the output of a command"),
        ({"wireguard": True}, "leave out the command, --service and --tls"),
        ({"listen": "127.0.0.1"}, "--listen says where --wireguard listens"),
        ({"size": ["nobody"], "confirm_output": ["got it", "got all"]}, "'nobody' is no secret of this audit"),
        ({"time": ["body"]}, "give each secret a --confirm-output TEXT of its own"),
        ({"program": ["no such program"]}, "no such program: cannot be started: No such file or directory"),
        ({"service": "localhost"}, "give the URL of a service"),
    ],
)
def test_wrong_use_is_refused_in_one_sentence(audit: Audit, options: dict[str, Any], why: str) -> None:
    with pytest.raises(LabError) as caught:
        audit(**options)
    assert why in str(caught.value)


STAY = [sys.executable, "-m", "lab", "audit", "--secret", "body=a text number 8151"]


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_without_a_program_it_tells_what_happens_until_ctrl_c(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    with chat() as url:
        process = subprocess.Popen(
            [*STAY, "--service", url, "--confirm-file", str(inbox)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Let your client connect to"):
                requests.post(line.split()[-1], json={"text": "a text number 8151"}, timeout=60).raise_for_status()
                inbox.write_text("a text number 8151", "utf-8")
            if line.startswith("server: body readable in http.body"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
        assert process.wait(60) == 0
        process.stdout.close()
    assert any("and let it trust this authority" in line for line in said)
    assert "body   exposed        exposed" in rest


GOES_ON = """
import os, signal, sys, threading
print("bob got", os.environ["LAB_SECRET_BODY"], flush=True)
for process in (os.getppid(), os.getpid()):  # as a terminal does
    os.kill(process, signal.SIGINT)
threading.Event().wait()
"""


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_ends_a_program_that_goes_on(audit: Audit) -> None:
    result = audit(program=[sys.executable, "-c", GOES_ON])
    assert (result.status, row(result)) == (3, ["inconclusive", "inconclusive"])
    assert "the program failed" not in result.err


SEND_ALL = """
import os, socket, sys, urllib.request
for name in "ABCDE":
    text = os.environ["LAB_SECRET_" + name]
    urllib.request.urlopen(os.environ["LAB_URL"] + "/messages", os.urandom(len(text))).close()
    print("bob got", text, flush=True)
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as heard:
        heard.recv(1)
"""


def test_sizes_and_times_are_rows_of_the_matrix_and_of_the_table(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed = threading.Semaphore(0)
    confirm = Window.confirm

    def heard(window: Window, *secrets: str) -> None:
        confirm(window, *secrets)
        confirmed.release()

    monkeypatch.setattr(Window, "confirm", heard)
    sizes = dict(zip("abcde", (300, 40, 170, 700, 100), strict=True))
    table = tmp_path / "leaks.md"
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as telling:

        def tell() -> None:
            for _ in sizes:
                connection, _ = listener.accept()
                with connection:
                    confirmed.acquire()

        for update in (True, False):
            told = telling.submit(tell)
            result = audit(
                program=[sys.executable, "-c", SEND_ALL, str(listener.getsockname()[1])],
                secret=[f"{name}={os.urandom(size // 2).hex()}" for name, size in sizes.items()],
                confirm_output=[f"bob got {{{name}}}" for name in sizes],
                size=["c", "e"],
                time=["c"],
                expect=table,
                update=update,
            )
            told.result()
            assert (result.status, result.err) == (0, "")
    assert "| size of c | inferred | inferred |\n" in table.read_text("utf-8")
    assert "| time of c | inferred | inferred |\n" in table.read_text("utf-8")
    assert "(true: 170 bytes)" in result.out
