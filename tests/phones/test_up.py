"""`lab up` as a person starts it: the addresses it prints lead somewhere, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from report import chromium

from lab import capture, cli
from lab.matrix import judge
from lab.model import Exposure, Observer, SecretName


class Up:
    """A running `lab up`, once it has printed all of its addresses."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed = self.until("Ctrl-C ends.")
        self.page = self.address("chat page")

    def until(self, words: str) -> str:
        assert self.process.stdout
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if words in line:
                return "".join(lines)
        raise AssertionError("".join(lines))

    def address(self, what: str) -> str:
        found = re.search(rf"^{what} +(\S+)", self.printed, flags=re.MULTILINE)
        assert found, self.printed
        return found[1].rstrip("/")

    def type(self, who: str, text: str) -> str:
        request = urllib.request.Request(  # noqa: S310 - the address is the one that was printed
            f"{self.page}/send",
            json.dumps({"who": who, "text": text}).encode(),
            {"Content-Type": "application/json", "Origin": self.page},
        )
        return str(json.loads(fetch(request))["text"])


def fetch(target: str | urllib.request.Request) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(target, timeout=60) as answer:
        body: bytes = answer.read()
    return body.decode()


@contextmanager
def started(folder: Path, *arguments: str, stdin: int = subprocess.PIPE) -> Iterator[Up]:
    """Its temporary files go to `folder`, which must be empty in the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "lab", "up", *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, "TMPDIR": str(folder)},
    ) as process:
        try:
            yield Up(process)
        finally:
            if process.poll() is None:
                process.terminate()


def end(up: Up) -> str:
    up.process.send_signal(signal.SIGINT)
    said, _ = up.process.communicate(timeout=60)
    assert up.process.returncode == 0
    return said


def processes_in(folder: Path) -> list[str]:
    """Processes that have to do with a temporary folder: those that have it from their parent, as Linux tells; else
    those whose command lines name it, as each tap's and the janitor's does where nothing is forked."""
    if Path("/proc/self/environ").exists():
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):  # it has ended, or is somebody else's
                if os.fsencode(f"TMPDIR={folder}") in path.read_bytes().split(b"\0"):
                    found.append(path.parent.name)
        return found
    ps = shutil.which("ps")
    assert ps
    listed = subprocess.run([ps, "-ewwo", "args"], capture_output=True, encoding="utf-8", check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]


def test_what_is_typed_on_its_page_is_judged_there_and_kept(tmp_path: Path) -> None:
    (work := tmp_path / "temporary").mkdir()
    with started(work, "--mode", "e2ee", "--captures", str(tmp_path / "kept")) as up:
        assert len(processes_in(work)) >= 3
        text = up.type("alice", "Meet me at 5pm")
        assert "Alice’s phone" in fetch(up.page)
        assert "What was typed so far" in fetch(f"{up.page}/matrix")
        for what in ("database", "CA", "TLS keys"):
            assert Path(up.address(what)).is_file()
        for what in ("network tap", "server tap", "service"):
            host, port = up.address(what).split(":")
            socket.create_connection((host, int(port)), timeout=10).close()
        said = end(up)
    assert "everything was stopped and tidied up" in said
    assert list(work.iterdir()) == []
    assert processes_in(work) == []
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.name == "lab-up-1-e2ee.capture.jsonl"
    assert f"lab show {kept}" in said
    matrix = judge(capture.read(kept))
    assert matrix.secrets[SecretName.BODY] == text
    assert matrix.cell(SecretName.BODY, Observer.SERVER).exposure is not Exposure.EXPOSED


def ask(up: Up, keys: str) -> str:
    """What is printed for what somebody types into the terminal."""
    assert up.process.stdin
    up.process.stdin.write(keys)
    up.process.stdin.flush()
    return up.until("Ctrl-C ends.")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """In plaintext, for several to type. In the end its input ends, which ends nothing, and then there is Ctrl-C."""
    folder = tmp_path_factory.mktemp("plain")
    with started(folder, "--mode", "plaintext") as up:
        assert "Nothing was typed yet" in ask(up, "m\n")
        yield up
        assert up.process.stdin
        up.process.stdin.close()
        up.process.stdin = None
        up.type("alice", "Still there?")
        assert "Nothing was kept." in end(up)
    assert list(folder.iterdir()) == []


def test_the_matrix_is_printed_on_demand(plain: Up) -> None:
    plain.type("bob", "Meet me at 5pm")
    assert re.search(r"body +exposed +exposed +exposed", ask(plain, "\nm\n"))


def test_mitmweb_shows_the_marked_flows_as_they_happen_and_without_any_input_it_runs_until_it_is_told_to_end(
    tmp_path: Path,
) -> None:
    with started(tmp_path, "--mitmweb", stdin=subprocess.DEVNULL) as up:
        assert "TLS: encrypted up to the service" in up.printed
        pages = re.findall(r"^mitmweb +(\S+)/\?token=(\w+)", up.printed, flags=re.MULTILINE)
        assert len(pages) == 2

        def flows(page: tuple[str, str]) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(fetch(f"{page[0]}/flows?token={page[1]}"))
            return found

        assert not any("body readable" in flow["comment"] for page in pages for flow in flows(page))
        up.type("alice", "Meet me at 5pm")
        network, server = (flows(page) for page in pages)
        marked = [flow for flow in server if "body readable in http.body" in flow["comment"]]
        paths = {urlsplit(flow["request"]["path"]).path for flow in marked}
        assert {path.rpartition("/")[2] for path in paths} == {"messages", "events"}
        assert all(flow["marked"] for flow in marked)
        assert any(not flow["marked"] for flow in server)
        assert {flow["comment"] for flow in network if flow["marked"]} == {"service readable in tls.sni"}
        with pytest.raises(OSError, match="403"):
            fetch(f"{pages[0][0]}/flows")
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(60) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == []


@pytest.mark.parametrize("port", ["taken", "65536", "-1"])
def test_a_port_that_is_not_to_be_had_is_one_line(capsys: pytest.CaptureFixture[str], port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = str(other.getsockname()[1]) if port == "taken" else port
        assert cli.main(["up", f"--port={number}"]) == cli.WRONG_USE
    said = capsys.readouterr()
    assert said.err.startswith(f"lab: port {number} is ")
    assert said.err.count("\n") == 1
    assert said.out == ""


# In a browser


def barriers(page: chromium.Page) -> list[Any]:
    """What axe-core finds, where it is installed."""
    axe = chromium.axe()
    if axe is None:
        return []
    page.run(f"{axe}; 0")
    # Of what passes the number is enough: to describe all those elements takes as long as to look at them.
    kinds = "resultTypes: ['violations', 'incomplete']"
    result = page.run(
        f"""axe.run(document, {{{kinds}, rules: {{'target-size': {{enabled: true}}}}}}).then(found => ({{
          passes: found.passes.length,
          found: [...found.violations, ...found.incomplete].map(one => [one.id, one.help, one.nodes[0].html]),
        }}))"""
    )
    assert result["passes"] > 10
    return list(result["found"])


def test_a_person_types_and_asks_with_the_keyboard_alone(plain: Up) -> None:
    program = chromium.find()
    if program is None:
        pytest.skip("no Chromium on the path; on Debian: apt-get install chromium")
    with chromium.opened(program) as page:
        page.open(plain.page)
        page.show(width=360)
        page.run("document.getElementById('alice-text').focus()")
        page("Input.insertText", text="<b>Meet me</b> at 5pm")
        page.press("Enter")
        read = """new Promise(done => {
          const look = () => {
            const all = [...document.querySelectorAll('[data-who=bob] .messages li .text')];
            const found = all.find(one => one.textContent.startsWith('<b>'));
            if (found && document.activeElement.value === '') done(found.textContent);
            else requestAnimationFrame(look);
          };
          look();
        })"""
        assert page.run(read) == "<b>Meet me</b> at 5pm"
        assert page.run("document.activeElement.id") == "alice-text"
        assert page.run("document.getElementById('news').textContent") == "alice wrote: <b>Meet me</b> at 5pm. "
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        for width, scheme in ((360, "light"), (1280, "dark")):
            page.show(width=width, scheme=scheme)
            assert barriers(page) == []
        page.run("document.querySelector('.ask').focus()")
        page.load(lambda: page.press("Enter"))
        assert "What was typed so far" in page.run("document.body.textContent")
        assert page.complaints == []
        assert {address.split("/")[2] for address in page.requests if address.startswith("http")} == {
            plain.page.removeprefix("http://")
        }
