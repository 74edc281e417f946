"""The pytest fixture `leaklab`, in tests that are run by pytest in pytest."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from contextlib import nullcontext
from pathlib import Path

import pytest

from lab.audit.reports import Audited, Surprise, to_sarif
from lab.audit.taps import Taps

pytest_plugins = ["pytester"]

CHAT = """
import base64, os
import requests

SERVICE = os.environ["SERVICE"]

def send(lab, text):
    with requests.Session() as client:
        client.trust_env = False
        client.post(f"{lab.url}/messages", json={"text": text}, verify=lab.ca).raise_for_status()

def sealed(text):
    return base64.b64encode(os.urandom(len(text))).decode()
"""

HIDES = """
def test_chat_is_sealed(leaklab):
    body = leaklab.secret("body")
    with leaklab.observe(SERVICE, tls=True) as lab:
        send(lab, LEAK)
        lab.confirm(body)
    lab.network.hides(body)
    lab.server.hides(body)
"""

TABLE = """
def test_table(leaklab):
    body, alice = leaklab.secret("body"), leaklab.secret("alice")
    with leaklab.observe(SERVICE, tls=True) as lab:
        send(lab, LEAK + alice)
        lab.confirm(body, alice)
    lab.matches("leaks.md")
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, service: str, taps: Taps, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Its tests know the service, and get taps that run already."""
    monkeypatch.setenv("SERVICE", service)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.setattr("lab.audit.taps.open_taps", lambda: nullcontext(taps))
    pytester.makeini("[pytest]\naddopts = -p no:anyio -p no:schemathesis\n")
    return pytester


def write(pytester: pytest.Pytester, test: str, leak: str) -> None:
    pytester.makepyfile(test_chat=CHAT + test.replace("LEAK", leak))


def test_a_sealed_chat_passes_and_one_that_leaks_fails(inner: pytest.Pytester) -> None:
    write(inner, HIDES, "sealed(body)")
    inner.runpytest_inprocess().assert_outcomes(passed=1)
    write(inner, HIDES, "base64.b64encode(body.encode()).decode()")
    result = inner.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*lab.server.hides(body)*",
            "E *LeakError: body is exposed at server, expected: hidden",
            "E *secret: *body = body-*",
            "E *request: *POST /messages HTTP/1.1",
            "E *decoders: *base64",
            "E *decoded: *▶body-*◀*",
            "E *capture: *leaklab*test_chat.py-test_chat_is_sealed-1.capture.jsonl",
        ]
    )
    result.stdout.no_fnmatch_line("*def check(*")  # the lab's own frames are none of the reader's business


MISSING = {
    "no traffic": ("", "control 'recorded' failed: no connection carried bytes in both directions*"),
    "no confirmation": ("send(lab, sealed(body))", "control 'travelled' failed: nobody confirmed that body arrived*"),
}


@pytest.mark.parametrize("control", MISSING)
def test_absence_without_a_control_is_no_pass(inner: pytest.Pytester, control: str) -> None:
    done, why = MISSING[control]
    confirm = "lab.confirm(body)" if control == "no traffic" else ""
    write(
        inner,
        f"""
def test_absence(leaklab):
    body = leaklab.secret("body")
    with leaklab.observe(SERVICE) as lab:
        {done or "pass"}
        {confirm or "pass"}
    lab.network.hides(body)
""",
        "",
    )
    result = inner.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E *UndecidedError: nothing can be said about body at network: {why}"])


def test_a_table_is_written_on_request_and_then_compared(inner: pytest.Pytester) -> None:
    table = inner.path / "leaks.md"
    write(inner, TABLE, "sealed(body)")
    result = inner.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *leaks.md has no table below a heading “test_chat.py::test_table”*"])
    table.write_text("# Who may read what\n", "utf-8")
    inner.runpytest_inprocess("--leaklab-update").assert_outcomes(passed=1)
    assert table.read_text("utf-8") == (
        "# Who may read what\n\n## test_chat.py::test_table\n\n"
        "|       | network | server  |\n| ----- | ------- | ------- |\n"
        "| body  | hidden  | hidden  |\n| alice | hidden  | exposed |\n"
    )
    inner.runpytest_inprocess().assert_outcomes(passed=1)

    write(inner, TABLE, "body")
    result = inner.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *leaks.md, “test_chat.py::test_table”: the table is not what was measured",
            "E *- NEW LEAK: body at server: the table says hidden, measured: exposed",
            "E *place: *http.body*",
        ]
    )
    table.write_text(table.read_text("utf-8").replace("hidden  | exposed", "exposed | exposed"), "utf-8")
    write(inner, TABLE, "sealed(body)")
    result = inner.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *+ no longer: alice at network: the table says exposed, measured: hidden"])


def test_reports_of_ci_carry_the_verdicts(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(inner.path / "summary.md"))
    write(inner, HIDES, "body")
    inner.runpytest_inprocess("--junit-xml=junit.xml", "--leaklab-sarif=leaks.sarif").assert_outcomes(failed=1)

    junit = ET.parse(inner.path / "junit.xml")  # noqa: S314 - written by ourselves
    properties = {one.get("name"): one.get("value") for one in junit.iter("property")}
    assert properties == {"leaklab: body at network": "hidden", "leaklab: body at server": "exposed"}

    assert (inner.path / "summary.md").read_text("utf-8") == (
        "### Who could read what\n\n| test | secret | network | server |\n| --- | --- | --- | --- |\n"
        "| `test_chat.py::test_chat_is_sealed` | body | hidden | **exposed** (expected: hidden) |\n\n"
    )

    sarif = json.loads((inner.path / "leaks.sarif").read_text("utf-8"))
    (result,) = sarif["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("leak", "error")
    place = result["locations"][0]["physicalLocation"]
    lines = (inner.path / "test_chat.py").read_text("utf-8").splitlines()
    assert place["artifactLocation"] == {"uri": "test_chat.py"}
    assert lines[place["region"]["startLine"] - 1] == "def test_chat_is_sealed(leaklab):"


def test_a_report_for_code_hosts_names_files_as_references_and_says_braces_as_they_are() -> None:
    surprise = Surprise("body", "server", "exposed", "hidden", 'in {"text": "••••"}')
    audited = Audited("test_b", "tests/übung a.py", 3, ("body",), ("server",), (("exposed",),), (surprise,))
    (result,) = json.loads(to_sarif([audited], "1.0"))["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "tests/%C3%BCbung%20a.py"}, "region": {"startLine": 3}}
    assert result["message"]["text"].endswith('in {{"text": "••••"}}')


def test_what_is_as_expected_is_no_result(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(inner.path / "summary.md"))
    inner.makepyfile("def test_other(): pass")
    inner.runpytest_inprocess("--leaklab-sarif=leaks.sarif").assert_outcomes(passed=1)
    assert not (inner.path / "summary.md").exists()
    assert json.loads((inner.path / "leaks.sarif").read_text("utf-8"))["runs"][0]["results"] == []
    write(inner, HIDES, "sealed(body)")
    inner.runpytest_inprocess("--leaklab-sarif=leaks.sarif", "test_chat.py").assert_outcomes(passed=1)
    assert json.loads((inner.path / "leaks.sarif").read_text("utf-8"))["runs"][0]["results"] == []
    assert "| body | hidden | hidden |" in (inner.path / "summary.md").read_text("utf-8")


IN_THE_SAME_PROCESS = """
def test_environ(leaklab, leaklab_environ):
    body = leaklab.secret("body")
    with leaklab.observe(SERVICE, tls=True) as lab:
        leaklab_environ(lab)
        requests.post(os.environ["LAB_URL"] + "/messages", json=os.environ["LAB_SECRET_BODY"]).raise_for_status()
        lab.confirm(body)
    lab.network.hides(body)
    lab.server.exposes("body")

def test_it_is_gone_afterwards():
    assert "LAB_URL" not in os.environ
"""


def test_code_in_the_same_process_gets_the_environment(inner: pytest.Pytester) -> None:
    write(inner, IN_THE_SAME_PROCESS, "")
    inner.runpytest_inprocess().assert_outcomes(passed=2)


def test_help_tells_of_the_options(inner: pytest.Pytester) -> None:
    result = inner.runpytest_inprocess("--help")
    result.stdout.fnmatch_lines(["who can read what your app sends (fixture leaklab):", "*--leaklab-update*"])
    result.stdout.fnmatch_lines(["*--leaklab-sarif=FILE*"])
    inner.runpytest_inprocess("--fixtures").stdout.fnmatch_lines(["leaklab*", "*Observers before a service of yours*"])


def test_workers_of_xdist_have_taps_of_their_own(
    pytester: pytest.Pytester, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE", service)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    for number, leak in enumerate(("sealed(body)", "body")):
        pytester.makepyfile(**{f"test_{number}": CHAT + HIDES.replace("LEAK", leak)})
    arguments = [
        "-p",
        "xdist",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "--leaklab-sarif=leaks.sarif",
        "-p",
        "no:anyio",
        "-p",
        "no:schemathesis",
    ]
    pytester.runpytest_subprocess(*arguments).assert_outcomes(passed=1, failed=1)
    (result,) = json.loads((pytester.path / "leaks.sarif").read_text("utf-8"))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "test_1.py"
    summary = (pytester.path / "summary.md").read_text("utf-8")
    assert summary.count("test_chat_is_sealed") == 2


UNUSED = """
import sys
from pathlib import Path
def test_nothing():
    heavy = [name for name in sys.modules if name.startswith(("lab.", "mitmproxy", "cryptography", "ahocorasick"))]
    assert heavy == ["lab.pytest_plugin"]
"""


def test_nothing_is_imported_until_the_fixture_is_used(tmp_path: Path) -> None:
    (tmp_path / "test_unused.py").write_text(UNUSED, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:anyio",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:schemathesis",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
