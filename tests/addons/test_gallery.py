"""The gallery (addons/README.md): every command that it prints is run, with a real server behind it."""

from __future__ import annotations

import ast
import http.client
import http.server
import json
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy import flow as mitmproxy_flow
from mitmproxy.certs import CertStore
from mitmproxy.io import FlowReader

from lab import capture, detect, resources
from lab.model import Event, Note, Observation, Secret, SecretName
from lab.stage.starting import Spawner, Starter
from tests.audit.wireguard import Configuration, Tunnel

ADDONS = resources.folder("addons")
README = (ADDONS / "README.md").read_text("utf-8")
SECRET = Secret(SecretName.BODY, b"Meet me at 5pm")
SAID = "/?text=Meet%20me%20at%205pm"
NEAR_MISS = "/?text=Meet%20me%20at%204pm"
_MITMDUMP = "import os; os.environ['HOME'] = {!r}; from mitmproxy.tools.main import mitmdump; mitmdump()"
"""The program, in this home: one that is forked has the environment of what it was forked from."""

GUARD = 120.0
"""Seconds after which a program that hangs is ended; none of the tests waits for that long."""

OF_OPERATORS = (
    *("lab_substitute", "lab_insist", "lab_encryption"),
    *("lab_ghost_device", "lab_ghost_unsigned", "lab_ghost_member"),
)

BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
TAPS = {re.search(r"lab_record=(\S+)\.jsonl", line)[1]: line for line in COMMANDS if line.startswith("mitmdump ")}  # type: ignore[index]
"""The mitmdump commands by the name of their record."""


class Tap:
    """One command of the gallery while it runs, with free ports in place of the printed ones."""

    def __init__(self, command: str, behind: int, folder: Path, starter: Starter) -> None:
        program, *arguments = shlex.split(command)
        assert program == "mitmdump"
        self._folder = folder
        self._record = next(one.removeprefix("lab_record=") for one in arguments if one.startswith("lab_record="))
        arguments = [os.path.expandvars(re.sub(r"^addons/", f"{ADDONS}/", one)) for one in arguments]
        arguments = [re.sub(r"^(reverse:\w+://127\.0\.0\.1):\d+$", rf"\g<1>:{behind}", one) for one in arguments]
        arguments[arguments.index("--listen-port") + 1] = "0"
        reading, writing = os.pipe()
        with open(os.devnull, "rb") as nothing, open(writing, "wb") as output:  # noqa: PTH123 - a descriptor
            code = _MITMDUMP.format(str(folder))
            streams = nothing.fileno(), output.fileno(), output.fileno()
            self._process = starter.start(["-c", code, *arguments, "-w", f"{self._record}.mitm"], streams, folder)
        self._output = os.fdopen(reading, encoding="utf-8")
        self._guard = threading.Timer(GUARD, self._process.kill)
        self._guard.start()
        self.said: list[str] = []
        self.port = self._listening()

    def _listening(self) -> int:
        for line in self._output:
            self.said.append(line)
            if match := re.search(r" listening at 127\.0\.0\.1:(\d+)\.$", line.rstrip()):
                return int(match[1])
        self.end()
        raise AssertionError(f"it did not start: {self.said}")

    def end(self) -> None:
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGTERM)
        self.ended_by_itself()

    def ended_by_itself(self) -> int:
        """Wait for that; the exit status."""
        with self._output:
            self.said.append(self._output.read())
        status = self._process.wait()
        self._guard.cancel()
        return status

    def record(self) -> tuple[list[Observation], list[Note]]:
        """What stands in the record, once the tap has ended."""
        lines = (self._folder / self._record).read_text("utf-8").splitlines()
        items = [capture.decode(line) for line in lines]
        return [one for one in items if isinstance(one, Observation)], [one for one in items if isinstance(one, Note)]

    def flows(self) -> list[mitmproxy_flow.Flow]:
        """The saved flows, once the tap has ended."""
        with (self._folder / f"{self._record}.mitm").open("rb") as file:
            return list(FlowReader(file).stream())

    @property
    def sees(self) -> bool:
        """Whether the secret can be read in the record."""
        return bool(detect.find([SECRET], self.record()[0]).findings)


@contextmanager
def tap(name: str, behind: int, folder: Path, starter: Starter) -> Iterator[Tap]:
    """Runs the command with this record; on leaving, it has ended and everything is on disk."""
    running = Tap(TAPS[name], behind, folder, starter)
    try:
        yield running
    finally:
        running.end()
    said = "".join(running.said).replace("TLS Error: ", "")  # what mitmproxy says of a record that somebody has changed
    assert "Error" not in said, said
    assert "Traceback" not in "".join(running.said), "".join(running.said)


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@pytest.fixture(scope="module")
def service() -> Iterator[int]:
    """The port of a server that is watched."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mitmproxy puts into a home when it first runs."""
    folder = tmp_path_factory.mktemp("authority")
    CertStore.create_store(folder, "mitmproxy", 2048)
    return folder


@pytest.fixture(autouse=True)
def home(authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """mitmproxy keeps its authority in the user's home; here that is a folder of the test.

    It is there already: mitmproxy listens before it has made one, and of two that start in a home which has none each
    makes its own.
    """
    shutil.copytree(authority, tmp_path / ".mitmproxy")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def get(port: int, path: str, trusting: Path | None = None) -> bytes:
    """One request, with TLS if there is an authority to trust."""
    connection: http.client.HTTPConnection
    if trusting is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GUARD)
    else:
        context = ssl.create_default_context(cafile=trusting)
        connection = http.client.HTTPSConnection("localhost", port, timeout=GUARD, context=context)
    return _get(connection, path)


def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
    with closing(connection):
        connection.request("GET", path)
        with connection.getresponse() as answer:
            assert answer.status == 200
            return answer.read()


def marks(flows: list[mitmproxy_flow.Flow]) -> list[tuple[str, str]]:
    return [(flow.marked, flow.comment) for flow in flows]


FOUND = (":eyes:", "body readable in http.request_line through percent")
NOTHING = ("", "")


def test_every_addon_is_in_the_gallery() -> None:
    files = {path.name for path in ADDONS.glob("*.py")}
    assert files == set(re.findall(r"^\| \[(\w+\.py)\]\(\1\) \|", README, re.MULTILINE))
    for file in files:
        assert any(f"-s addons/{file} " in command for command in TAPS.values()), file


def test_no_addon_has_the_name_of_a_standard_module() -> None:
    # mitmproxy puts the folder of a script first where modules are looked for.
    taken = {path.stem for path in ADDONS.glob("*.py")} & sys.stdlib_module_names
    assert taken == set()
    assert {"http", "select", "secrets"} <= sys.stdlib_module_names, "such as these"


def test_every_command_of_the_gallery_is_run_here_or_talks_to_one_that_is() -> None:
    attackers = {"interceptor", "tls-only", "downgrade", "meddler", "substituted", "ghost"}
    assert set(TAPS) == {"network", "proxy", "server", "network-tls", "tunnel", *attackers}
    others = {command.split()[0] for command in COMMANDS if not command.startswith("mitmdump ")}
    assert others == {"curl", "python3"}


def test_every_command_listens_on_this_machine_only() -> None:
    for command in TAPS.values():
        assert " --listen-host 127.0.0.1 " in command, command


@pytest.mark.parametrize("addon", sorted(ADDONS.glob("*.py")), ids=lambda path: path.stem)
def test_so_does_the_command_in_the_addon_itself(addon: Path) -> None:
    # Without --listen-host mitmproxy listens at all addresses; the tunnel observer needs one that a phone reaches.
    host = "ADDRESS" if addon.stem == "tunnel_observer" else "127.0.0.1"
    said = ast.get_docstring(ast.parse(addon.read_text("utf-8"))) or ""
    (command,) = re.findall(r"^    mitmdump (?:.*\\\n)*.*$", said, re.MULTILINE)
    assert re.search(rf" --listen-host {re.escape(host)} --listen-port \d+", command), command


def test_every_option_of_the_addons_is_explained() -> None:
    attackers = ("lab_own_traffic", "lab_tls_only", "lab_downgrade", "lab_do", *OF_OPERATORS)
    for option in ("lab_record", "lab_secret", "lab_control", *attackers):
        assert f"| `--set {option}=" in README
    for name in SecretName:
        assert f"`{name}`" in README


def test_the_network_observer_reads_what_is_not_encrypted(service: int, tmp_path: Path) -> None:
    with tap("network", service, tmp_path, Spawner()) as network:
        assert get(network.port, SAID) == b"ok"
        assert get(network.port, NEAR_MISS) == b"ok"
    assert network.sees
    assert marks(network.flows()) == [FOUND, NOTHING]
    _, notes = network.record()
    assert [note.event for note in notes] == [Event.OPENED, Event.CLOSED] * 2


def test_as_a_proxy_it_reads_what_the_tunnel_carries(service: int, tmp_path: Path, mitmproxies: Starter) -> None:
    with tap("proxy", service, tmp_path, mitmproxies) as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=GUARD)
        connection.set_tunnel("127.0.0.1", service)
        assert _get(connection, SAID) == b"ok"
    assert proxy.sees
    assert FOUND in marks(proxy.flows())


def test_as_a_proxy_it_has_nothing_of_what_goes_past_the_tunnel(
    service: int, tmp_path: Path, mitmproxies: Starter
) -> None:
    with tap("proxy", service, tmp_path, mitmproxies) as proxy:
        assert get(proxy.port, f"http://127.0.0.1:{service}{SAID}") == b"ok"
    assert proxy.record() == ([], [])
    assert marks(proxy.flows()) == [NOTHING]


def test_the_server_observer_reads_behind_tls_and_the_network_observer_in_front_of_it_does_not(
    service: int, tmp_path: Path, mitmproxies: Starter
) -> None:
    authority = tmp_path / ".mitmproxy" / "mitmproxy-ca-cert.pem"
    with (
        tap("server", service, tmp_path, mitmproxies) as server,
        tap("network-tls", server.port, tmp_path, mitmproxies) as network,
    ):
        assert get(network.port, SAID, authority) == b"ok"
    assert server.sees
    assert not network.sees
    assert {one.direction for one in network.record()[0]} == {"to service", "to client"}, "it did get something"
    assert marks(server.flows()) == [FOUND]
    assert marks(network.flows()) == [NOTHING]


def test_without_tls_both_read_it(service: int, tmp_path: Path, mitmproxies: Starter) -> None:
    with (
        tap("server", service, tmp_path, mitmproxies) as server,
        tap("network-tls", server.port, tmp_path, mitmproxies) as network,
    ):
        assert get(network.port, SAID) == b"ok"
        assert get(network.port, NEAR_MISS) == b"ok"
    assert server.sees
    assert network.sees
    assert marks(server.flows()) == marks(network.flows()) == [FOUND, NOTHING]


def test_the_tunnel_observer_reads_for_two_observers(service: int, tmp_path: Path, mitmproxies: Starter) -> None:
    with tap("tunnel", service, tmp_path, mitmproxies) as running:
        printed = "".join(running.said)
        configuration = Configuration.parse(printed[printed.index("[Interface]") : printed.rindex("-" * 60)])
        phone = Tunnel(replace(configuration, endpoint=("127.0.0.1", running.port)))
        with phone, phone.connect(("127.0.0.1", service)) as connection:
            connection.sendall(f"GET {SAID} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            assert connection.read().endswith(b"\r\n\r\nok")
    search = detect.find([SECRET], running.record()[0])
    assert {search.sources[one.source].observer for one in search.findings} == {"network", "server"}
    assert marks(running.flows()) == [FOUND]


def test_the_interceptor_reads_who_trusts_it_and_notes_who_does_not(
    service: int, tmp_path: Path, mitmproxies: Starter
) -> None:
    of_service, of_attacker = (tmp_path / folder / "mitmproxy-ca-cert.pem" for folder in (".mitmproxy", "interceptor"))
    with (
        tap("server", service, tmp_path, mitmproxies) as server,
        tap("interceptor", server.port, tmp_path, mitmproxies) as attacker,
    ):
        with pytest.raises(ssl.SSLError, match="local issuer"):
            get(attacker.port, SAID, of_service)
        assert get(attacker.port, SAID, of_attacker) == b"ok"
    observations, notes = attacker.record()
    assert [note.event for note in notes if note.connection == "1"] == [Event.OPENED, Event.REFUSED, Event.CLOSED]
    assert {one.connection for one in observations if one.place != "tcp.stream"} == {"2"}
    assert attacker.sees
    assert marks(attacker.flows()) == [FOUND]
    assert server.sees, "it did pass it on"


def test_the_downgrade_reads_who_begins_without_tls_and_not_who_begins_with_it(
    service: int, tmp_path: Path, mitmproxies: Starter
) -> None:
    authority = tmp_path / ".mitmproxy" / "mitmproxy-ca-cert.pem"
    with (
        tap("tls-only", service, tmp_path, mitmproxies) as server,
        tap("downgrade", server.port, tmp_path, mitmproxies) as attacker,
    ):
        with closing(http.client.HTTPConnection("localhost", server.port, timeout=GUARD)) as connection:
            connection.request("GET", SAID)
            answer = connection.getresponse()
            assert answer.status == 308
            assert answer.headers["Location"] == f"https://localhost:{server.port}{SAID}"
        assert get(attacker.port, SAID, authority) == b"ok"
        assert _get(http.client.HTTPConnection("localhost", attacker.port, timeout=GUARD), SAID) == b"ok"
    observations, _ = attacker.record()
    relayed = [one for one in observations if one.connection == "1"]
    assert {one.place for one in relayed} == {"tcp.stream"}
    assert not detect.find([SECRET], relayed).findings
    assert attacker.sees
    assert any(b"Strict-Transport-Security" in one.data for one in observations)


def test_the_meddler_breaks_the_first_connection_and_leaves_the_second_alone(
    service: int, tmp_path: Path, mitmproxies: Starter
) -> None:
    authority = tmp_path / ".mitmproxy" / "mitmproxy-ca-cert.pem"
    with (
        tap("server", service, tmp_path, mitmproxies) as server,
        tap("meddler", server.port, tmp_path, mitmproxies) as meddler,
    ):
        with pytest.raises(OSError, match=r"(?i)bad record mac|reset|closed|EOF"):
            get(meddler.port, SAID, authority)
        assert get(meddler.port, SAID, authority) == b"ok"
    assert not meddler.sees
    answered = [one for one in server.record()[0] if one.place == "http.request_line"]
    assert len(answered) == 1


def test_a_wrong_option_ends_the_command_and_says_why(service: int, tmp_path: Path, mitmproxies: Starter) -> None:
    running = Tap(TAPS["network"].replace("lab_secret=body=", "lab_secret=bodi="), service, tmp_path, mitmproxies)
    assert running.ended_by_itself() == 1
    words = "".join(running.said)
    assert "lab_secret: 'bodi=Meet me at 5pm' is not NAME=VALUE with NAME one of body, " in words


# A malicious operator, before the lab's own service


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the service that the page starts."""
    assert "\npython3 -m lab.service\n" in README
    (typed,) = re.findall(r'^    (\{"open": .*\})$', README, re.MULTILINE)
    command = [sys.executable, "-m", "lab.service"]
    folder = tmp_path_factory.mktemp("messages")
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"ready": {}}
        process.stdin.write(f"{typed}\n")
        process.stdin.flush()
        yield int(json.loads(process.stdout.readline())["ok"]["port"])
        process.stdin.close()


def talk(port: int, folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """What the two people of the page do, and print."""
    (script,) = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    (folder / "talk.py").write_text(script, "utf-8")
    command = [sys.executable, "talk.py", str(port), *names]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=GUARD, check=False)


def safety_numbers(printed: str) -> list[str]:
    return re.findall(r"safety number of .*: +(\d{60})$", printed, re.MULTILINE)


def test_key_substitution_reads_and_only_safety_numbers_tell(
    messages: int, tmp_path: Path, mitmproxies: Starter
) -> None:
    assert "\npython3 talk.py 8082 alice bob\n" in README
    with tap("substituted", messages, tmp_path, mitmproxies) as operator:
        done = talk(operator.port, tmp_path, "alice", "bob")
    assert done.stderr == ""
    assert "bob reads: Meet me at 5pm\n" in done.stdout
    one, other = safety_numbers(done.stdout)
    assert one != other
    assert operator.sees
    (read,) = re.findall(r"read from alice: \{.*", "".join(operator.said))
    assert read.endswith('"text":"Meet me at 5pm"}')
    assert (":eyes:", "body readable in opened.envelope") in marks(operator.flows())


def test_without_it_they_are_the_same(messages: int, tmp_path: Path) -> None:
    one, other = safety_numbers(talk(messages, tmp_path, "erin", "frank").stdout)
    assert one == other


def test_a_ghost_device_reads_what_is_written_to_its_account(
    messages: int, tmp_path: Path, mitmproxies: Starter
) -> None:
    assert "\npython3 talk.py 8083 carol dave\n" in README
    with tap("ghost", messages, tmp_path, mitmproxies) as operator:
        done = talk(operator.port, tmp_path, "carol", "dave")
    assert "dave reads: Meet me at 5pm\n" in done.stdout
    assert operator.sees
    assert 'read from carol: {"conversation":' in "".join(operator.said)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--set lab_ghost_device=heidi --set lab_ghost_unsigned=true", "a signature is not valid"),
        ("--set lab_ghost_member=ivan", "ivan is a member of the conversation as well"),
    ],
)
def test_an_app_that_checks_sends_nothing(
    messages: int, tmp_path: Path, mitmproxies: Starter, options: str, why: str
) -> None:
    names = ("grace", "heidi") if "heidi" in options else ("judy", "kim")
    running = Tap(TAPS["ghost"].replace("--set lab_ghost_device=dave", options), messages, tmp_path, mitmproxies)
    done = talk(running.port, tmp_path, *names)
    running.end()
    assert done.returncode == 1
    assert why in done.stderr.splitlines()[-1]
    assert not running.sees
