"""`lab audit --wireguard`: what a phone sends through its tunnel, and what each observer gets of it."""

from __future__ import annotations

import dataclasses
import io
import os
import secrets
import signal
import socket
import ssl
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from lab.audit.canary import Canary
from lab.audit.device import print_instructions
from lab.audit.tunnel import Gate, listening_address, open_gate
from lab.audit.window import Audit, Window
from lab.capture import read
from lab.export.connections import connections
from lab.model import Exposure, LabError, Observer
from lab.stage.certificates import make_authority, write_private
from lab.stage.starting import Starter
from tests.audit import http3
from tests.audit.services import LOOPBACK, echo
from tests.audit.wireguard import Configuration, Connection, Secured, Tunnel

EXPOSED, HIDDEN, INCONCLUSIVE = Exposure.EXPOSED, Exposure.HIDDEN, Exposure.INCONCLUSIVE


class Phone:
    """A phone before an observation that is open."""

    def __init__(self, gate: Gate, audit: Audit, lab: Window) -> None:
        self.gate = gate
        self.lab = lab
        self.body: Canary = audit.secret("body")
        self.configuration = Configuration.parse(gate.configuration)

    def tunnel(self) -> Tunnel:
        return Tunnel(self.configuration)


type Phones = Callable[..., AbstractContextManager[Phone]]


@pytest.fixture
def phones(mitmproxies: Starter, tmp_path: Path) -> Phones:
    @contextmanager
    def phone(service_ca: str | None = None, address: str = LOOPBACK) -> Iterator[Phone]:
        with open_gate(address, mitmproxies) as gate:
            audit = Audit(lambda: gate, tmp_path / secrets.token_hex(4), "a phone")
            with audit.observe_device(service_ca=service_ca) as lab:
                yield Phone(gate, audit, lab)

    return phone


def post(tunnel: Tunnel, url: str, text: str, authority: Path | None = None) -> bytes:
    """Send a message; the whole answer."""
    parts = urlsplit(url)
    head = f"POST /messages HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(text)}\r\nConnection: close"
    with tunnel.connect((str(parts.hostname), int(parts.port or 0))) as connection:
        way: Connection | Secured = connection
        if parts.scheme == "https":
            way = Secured(connection, ssl.create_default_context(cafile=authority), "localhost")
        way.sendall(f"{head}\r\n\r\n{text}".encode())
        return way.read()


def verdicts(lab: Window) -> tuple[Exposure, Exposure]:
    return lab.matrix.cell("body", "network").exposure, lab.matrix.cell("body", "server").exposure


def reasons(lab: Window) -> tuple[str, str]:
    return lab.matrix.cell("body", "network").reason, lab.matrix.cell("body", "server").reason


def test_what_an_app_sends_in_the_clear_is_read_on_the_path_and_at_the_server(phones: Phones, service: str) -> None:
    with phones() as phone:
        with phone.tunnel() as tunnel:
            answer = post(tunnel, service, f'{{"text": "{phone.body}"}}')
        assert ("body", "network", "body readable in http.body") in phone.lab.found_so_far()
        phone.lab.confirm(phone.body)
    assert answer.startswith(b"HTTP/1.1 201 Created\r\n")
    assert verdicts(phone.lab) == (EXPOSED, EXPOSED)
    for observer in ("network", "server"):
        (evidence,) = phone.lab.matrix.cell("body", observer).evidence
        assert (evidence.place, evidence.connection, evidence.decoders) == ("http.body", "1", ())
        assert phone.body in evidence.excerpt
        assert phone.body.encode() in evidence.window


def test_tls_hides_it_on_the_path_and_not_from_the_server(phones: Phones, tls_service: tuple[str, str]) -> None:
    url, authority = tls_service
    with phones(authority) as phone:
        with phone.tunnel() as tunnel:
            post(tunnel, url, phone.body, phone.gate.certificate)
        phone.lab.confirm(phone.body)
    assert verdicts(phone.lab) == (HIDDEN, EXPOSED)
    assert all(control.passed for control in phone.lab.matrix.controls)
    phone.lab.network.hides(phone.body)


def test_what_is_sealed_is_hidden_from_both_and_only_once_it_is_confirmed(
    phones: Phones, tls_service: tuple[str, str]
) -> None:
    url, authority = tls_service
    for confirmed in (True, False):
        with phones(authority) as phone:
            with phone.tunnel() as tunnel:
                post(tunnel, url, secrets.token_hex(40), phone.gate.certificate)
            if confirmed:
                phone.lab.confirm(phone.body)
        assert verdicts(phone.lab) == ((HIDDEN, HIDDEN) if confirmed else (INCONCLUSIVE, INCONCLUSIVE))
    assert "nobody confirmed that body arrived" in reasons(phone.lab)[0]


def test_an_app_that_refuses_the_authority_has_said_nothing_so_nothing_is_hidden(
    phones: Phones, tls_service: tuple[str, str]
) -> None:
    url, authority = tls_service
    with phones(authority) as phone:
        with phone.tunnel() as tunnel, pytest.raises(ssl.SSLCertVerificationError):
            post(tunnel, url, phone.body)
        said = "the client refused TLS for localhost: unknown ca"
        assert ("", "server", said) in phone.lab.found_so_far()
        phone.lab.confirm(phone.body)
    assert verdicts(phone.lab) == (INCONCLUSIVE, INCONCLUSIVE)
    assert f"{said}; install the lab's authority on the device; an app" in reasons(phone.lab)[1]


def test_quic_is_ended_like_tls(phones: Phones, tmp_path: Path) -> None:
    authority = make_authority("the service's own")
    (tmp_path / "authority.pem").write_bytes(authority.pem)
    leaf = write_private(tmp_path / "leaf.pem", authority.issue("localhost"))
    with http3.service(leaf) as address, phones(str(tmp_path / "authority.pem")) as phone:
        with phone.tunnel() as tunnel:
            assert http3.get(tunnel, address, phone.gate.authority, f"/?text={phone.body}") == b"ok"
        phone.lab.confirm(phone.body)
    assert verdicts(phone.lab) == (HIDDEN, EXPOSED), reasons(phone.lab)
    (evidence,) = phone.lab.matrix.cell("body", "server").evidence
    assert (evidence.place, evidence.excerpt) == ("http.request_line", f"GET /?text={phone.body} HTTP/3")
    hello = [one for one in read(phone.lab.capture).observations if one.place == "quic.client_hello"]
    assert [one.observer for one in hello] == ["network"]
    assert b"localhost" in hello[0].data


def test_what_is_neither_http_nor_tls_is_recorded_too(phones: Phones) -> None:
    with phones() as phone, echo() as url:
        parts = urlsplit(url)
        with phone.tunnel() as tunnel, tunnel.connect((LOOPBACK, int(parts.port or 0))) as connection:
            connection.sendall(phone.body[:5].encode())
            connection.sendall(phone.body[5:].encode() + b"\n")
            assert connection.recv() == phone.body.encode() + b"\n"
    assert verdicts(phone.lab) == (EXPOSED, EXPOSED)
    (there, back) = phone.lab.matrix.cell("body", "network").evidence
    assert (there.place, there.direction, back.direction) == ("tcp.stream", "to service", "to client")


@pytest.fixture
def answering() -> Iterator[tuple[str, int]]:
    """Where a service gives back a datagram in capital letters, once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind((LOOPBACK, 0))

        def answer() -> None:
            data, address = service.recvfrom(1 << 16)
            service.sendto(data.upper(), address)

        with ThreadPoolExecutor(1) as serving:
            served = serving.submit(answer)
            yield service.getsockname()
            service.sendto(b"", service.getsockname())
            served.result()


def test_datagrams_are_read_by_both(phones: Phones, answering: tuple[str, int]) -> None:
    with phones() as phone, phone.tunnel() as tunnel:
        assert tunnel.ask(phone.body.encode(), answering) == phone.body.upper().encode()
        phone.lab.confirm(phone.body)
    assert verdicts(phone.lab) == (EXPOSED, EXPOSED)
    assert {one.place for one in phone.lab.matrix.cell("body", "network").evidence} == {"udp.datagram"}
    with pytest.raises(LabError, match="recorded nothing"):
        connections(read(phone.lab.capture), Observer.NETWORK)  # that are TCP
    planted = [one for one in phone.lab.matrix.controls if one.name == "detects" and one.observer == "network"]
    assert [one.detail for one in planted] == [
        "found in a copy of the record: in a datagram to service; in a datagram to client"
    ]


ASKED = bytes.fromhex("123401000001000000000000") + b"\x09localhost\x00\x00\x01\x00\x01"
"""The address (A) of localhost, RFC 1035, section 4."""


def test_to_ask_for_a_name_is_not_to_say_something(phones: Phones) -> None:
    with phones() as phone:
        with phone.tunnel() as tunnel:
            assert tunnel.ask(ASKED, ("10.0.0.53", 53)).endswith(socket.inet_aton(LOOPBACK))
        phone.lab.confirm(phone.body)
    assert verdicts(phone.lab) == (INCONCLUSIVE, INCONCLUSIVE)
    assert "no request came with an answer: is the tunnel switched on" in reasons(phone.lab)[1]


def test_an_app_that_gives_up_and_a_service_that_is_down_spoil_nothing(phones: Phones, service: str) -> None:
    with phones() as phone:
        with phone.tunnel() as tunnel, socket.create_server((LOOPBACK, 0)) as silent:
            with tunnel.connect(silent.getsockname()) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: silent\r\n\r\n")
                with silent.accept()[0] as peer:
                    assert peer.recv(3) == b"GET"  # ended before that, it would be asked once more
                connection.read()
            tunnel.connect((LOOPBACK, 1))  # not always does mitmproxy say that nobody is there
            post(tunnel, service, secrets.token_hex(40))
        phone.lab.confirm(phone.body)
    assert verdicts(phone.lab) == (HIDDEN, HIDDEN), reasons(phone.lab)


@pytest.mark.parametrize("wrong", ["private_key", "server_key"])
def test_whoever_has_another_key_gets_no_answer_and_leaves_no_trace(phones: Phones, wrong: str) -> None:
    with phones() as phone:
        other = Tunnel(dataclasses.replace(phone.configuration, **{wrong: secrets.token_bytes(32)}))
        with other.socket:
            other.knock()
            with phone.tunnel():  # it was answered, so what came before was looked at, too
                other.socket.setblocking(False)
                with pytest.raises(BlockingIOError):
                    other.socket.recv(1)
        phone.lab.confirm(phone.body)
    assert verdicts(phone.lab) == (INCONCLUSIVE, INCONCLUSIVE)
    assert "no connection carried bytes in both directions: is the tunnel switched on" in reasons(phone.lab)[0]


def test_keys_are_new_each_time_and_only_their_owner_can_read_them(phones: Phones) -> None:
    seen = set()
    for _ in range(2):
        with phones() as phone:
            (keys,) = phone.gate.authority.parent.glob("*/keys.json")
            assert stat.S_IMODE(keys.stat().st_mode) == 0o600
            assert b64encode(phone.configuration.private_key).decode() in keys.read_text("utf-8")
            seen.add(phone.configuration.private_key)
        assert not keys.exists()
    assert len(seen) == 2


def shown(address: tuple[str, int], configuration: str = "") -> str:
    out = io.StringIO()
    print_instructions(configuration, Path("lab.cer"), address, Console(file=out, width=200))
    return out.getvalue()


def test_it_says_what_is_opened_beyond_this_machine() -> None:
    said = shown(("192.168.1.5", 51820))
    assert "Listening for WireGuard at 192.168.1.5, UDP port 51820, until Ctrl-C. This is opened to the network" in said
    assert "which only this machine reaches" in shown((LOOPBACK, 51820))


class Nowhere(socket.socket):
    """A socket of a machine without a network, or of one that has this address in it."""

    own = ""

    def connect(self, address: Any) -> None:
        if not self.own:
            raise OSError

    def getsockname(self) -> Any:
        return self.own, 40000


def test_the_address_is_that_of_the_network_unless_another_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listening_address("::1") == "::1"
    sockets = SimpleNamespace(socket=Nowhere, AF_INET=socket.AF_INET, SOCK_DGRAM=socket.SOCK_DGRAM)
    monkeypatch.setattr("lab.stage.own_address.socket", sockets)
    for own in ("", LOOPBACK):
        monkeypatch.setattr(Nowhere, "own", own)
        with pytest.raises(LabError, match="no address of this machine in a network was found: give one with --listen"):
            listening_address(None)
    monkeypatch.setattr(Nowhere, "own", "192.168.1.5")
    assert listening_address(None) == "192.168.1.5"


@pytest.mark.parametrize(
    ("address", "why"),
    [("here", "give an IP address of this machine"), ("239.0.0.1", "one address"), ("::", "one address")],
)
def test_an_address_that_is_none_is_refused(address: str, why: str) -> None:
    with pytest.raises(LabError, match=why):
        listening_address(address)


def test_an_address_of_another_machine_is_refused(phones: Phones) -> None:
    with pytest.raises(LabError, match=r"could not listen: .*failed to listen on 203\.0\.113\.1"):
        phones(address="203.0.113.1").__enter__()


COMMAND = [sys.executable, "-m", "lab", "audit", "--wireguard", "--listen", LOOPBACK, "--secret", "body=a text no 8151"]


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_the_command_shows_the_configuration_and_what_happens_until_ctrl_c(service: str, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "TMPDIR": str(tmp_path)}
    command = [*COMMAND, "--confirm-file", str(inbox)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", env=environment) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Ctrl-C ends the observation"):
                configuration = Configuration.parse(said[said.index("[Interface]") : said.index("2. Let the device")])
                assert Path(said.split("for this run alone:")[1].split()[0]).read_bytes().startswith(b"-----BEGIN CERT")
                with Tunnel(configuration) as tunnel:
                    post(tunnel, service, "a text no 8151")
                inbox.write_text("a text no 8151", "utf-8")
            if line.startswith("server: body readable in http.body"):
                process.send_signal(signal.SIGINT)  # once: it may be shown again if it was interrupted just then
                break
        said += process.stdout.read()
        assert process.wait(60) == 0
    assert "body   exposed        exposed" in said
    assert "  ████ ▄▄▄▄▄ █" in said
    assert list(tmp_path.iterdir()) == [inbox]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(configuration.endpoint)  # nobody listens there any more
