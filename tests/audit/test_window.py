"""Observations of traffic that is not the lab's own: what is read where, and what keeps a "hidden" from being said.

Whatever "hides" here has a twin in which the leak is put back.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lab.audit.canary import Canary
from lab.audit.taps import Taps
from lab.audit.window import Audit, LeakError, UndecidedError, View, Window
from lab.model import Exposure, LabError, Observer
from lab.scan.run import Means, prepare, scan
from lab.scan.work import Task
from tests.audit.services import LOOPBACK, echo, read_frame, switching

type Client = requests.Session


def sealed(text: str) -> str:
    """What an end-to-end encrypted body looks like."""
    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(AESGCM.generate_key(256)).encrypt(nonce, text.encode(), None)).decode()


def post(client: Client, lab: Window, body: object, **more: object) -> None:
    client.post(f"{lab.url}/messages", json=body, verify=lab.ca, **more).raise_for_status()  # type: ignore[arg-type]


def hides_and(view: View, secret: str) -> bool:
    """True if it is hidden, False if it is exposed; whatever else raises."""
    try:
        view.hides(secret)
    except LeakError:
        view.exposes(secret)
        return False
    with pytest.raises(LeakError):
        view.exposes(secret)
    return True


@pytest.mark.parametrize(("tls", "network_hides"), [(True, True), (False, False)])
@pytest.mark.parametrize(("seal", "server_hides"), [(True, True), (False, False)])
def test_what_hides_it_is_encryption_on_the_way_and_from_end_to_end(
    audit: Audit, service: str, client: Client, *, tls: bool, network_hides: bool, seal: bool, server_hides: bool
) -> None:
    body, alice = audit.secret("body"), audit.secret("alice")
    with audit.observe(service, tls=tls) as lab:
        assert lab.url.startswith("https://" if tls else "http://")
        post(client, lab, {"from": alice, "text": sealed(body) if seal else body})
        lab.confirm(body, alice)
    assert hides_and(lab.network, body) is (network_hides or seal)
    assert hides_and(lab.network, alice) is network_hides
    assert hides_and(lab.server, body) is server_hides
    lab.server.exposes("alice")


LEAKS: dict[str, Callable[[Client, Window, str], object]] = {
    "address": lambda client, lab, text: client.get(f"{lab.url}/x?q={quote(text, safe='')}"),
    "header": lambda client, lab, text: client.get(lab.url, headers={"X-Debug": text}),
    "body": lambda client, lab, text: post(client, lab, {"debug": text}),
    "compressed body": lambda client, lab, text: client.post(
        lab.url, data=zlib.compress(text.encode()), headers={"Content-Encoding": "deflate"}
    ),
    "base64 in a body": lambda client, lab, text: post(client, lab, {"x": base64.b64encode(text.encode()).decode()}),
    "cookie that comes back": lambda client, lab, text: client.get(f"{lab.url}/cookie?{text.encode().hex()}"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found_wherever_it_is(audit: Audit, service: str, client: Client, leak: str) -> None:
    body = audit.secret("body", draw=lambda: f"an odd text / {os.urandom(8).hex()} & more")
    with audit.observe(service) as lab:
        post(client, lab, {"text": sealed(body)})
        lab.confirm(body)
    lab.server.hides(body)
    lab.network.hides(body)
    with audit.observe(service) as lab:
        post(client, lab, {"text": sealed(body)})
        LEAKS[leak](client, lab, body)
        lab.confirm(body)
    for view in (lab.server, lab.network):
        with pytest.raises(LeakError, match="body is exposed at"):
            view.hides(body)


def test_a_failure_says_all_that_is_needed_to_find_the_leak(audit: Audit, service: str, client: Client) -> None:
    body = audit.secret("body")
    with audit.observe(service) as lab:
        post(client, lab, {"text": "nothing"})
        post(client, lab, {"text": base64.b64encode(body.encode()).decode()})
        lab.confirm(body)
    with pytest.raises(LeakError) as caught:
        lab.server.hides(body)
    coded = base64.b64encode(body.encode()).decode()
    lines = {line.split(":")[0].strip(): line.partition(":")[2].strip() for line in str(caught.value).splitlines()[1:]}
    assert str(caught.value).startswith("body is exposed at server, expected: hidden\n")
    assert lines["secret"] == f"body = {body}"
    assert lines["observer"] == "server"
    assert lines["request"] == "POST /messages HTTP/1.1"
    start = len('{"text": "')
    assert lines["place"] == f"http.body, connection 1, to service, bytes {start}–{start + len(coded)}"
    assert lines["decoders"] == "base64"
    assert f"▶{body}◀" in lines["decoded"]
    assert lines["record"] == f'{{"text": "▶{coded}◀"}}'
    assert lines["capture"] == str(lab.capture)
    with pytest.raises(LeakError, match=r"request: +POST /messages HTTP/1.1\n"):
        lab.network.hides(body)


def test_the_capture_is_kept_for_its_owner_and_for_other_commands(
    audit: Audit, service: str, client: Client, tmp_path: Path
) -> None:
    body = audit.secret("body")
    with audit.observe(service) as lab:
        post(client, lab, {"text": body})
    assert lab.capture.parent == tmp_path / "captures"
    assert stat.S_IMODE(lab.capture.stat().st_mode) == 0o600
    task = Task((audit.named("body").wanted,))
    report = scan(task, prepare(task, [lab.capture]), Means(1), lambda _done, _found: None)
    assert {one.secret for one in report.found} == {"body"}


# HTTPS of the service's own, proxies, other protocols


def test_a_services_own_tls_can_be_left_alone(audit: Audit, tls_service: tuple[str, str], client: Client) -> None:
    url, authority = tls_service
    body = audit.secret("body")
    with audit.observe(url, end_tls=False) as lab:
        assert lab.url.startswith("https://")
        client.post(f"{lab.url}/messages", json=body, verify=authority)
        lab.confirm(body)
    lab.network.hides(body)
    assert lab.matrix.columns == (Observer.NETWORK,)
    with pytest.raises(LabError, match="nobody reads here what the server reads"):
        _ = lab.server


@pytest.mark.parametrize("checked", [True, False])
def test_a_services_own_tls_can_be_ended_by_the_lab(
    audit: Audit, tls_service: tuple[str, str], client: Client, *, checked: bool
) -> None:
    url, authority = tls_service
    body, key = audit.secret("body"), audit.secret("key")
    with audit.observe(url, service_ca=authority if checked else None) as lab:
        post(client, lab, {"text": body, "sealed": sealed(key)})
        lab.confirm(body, key)
    lab.network.hides(body, key)
    lab.server.exposes(body)
    lab.server.hides(key)


@pytest.mark.parametrize("ended", [True, False])
def test_what_tls_leaves_in_the_open_is_read_on_the_way(
    audit: Audit, tls_service: tuple[str, str], *, ended: bool
) -> None:
    body = audit.secret("body")
    with audit.observe(tls_service[0], end_tls=ended) as lab:
        parts = urlsplit(lab.url)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((parts.hostname or "", parts.port or 0)) as raw,
            context.wrap_socket(raw, server_hostname=f"{body}.lab.test") as secured,
        ):
            secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while secured.recv(1 << 16):
                pass
        lab.confirm(body)
    lab.network.exposes(body)
    assert {one.place for one in lab.matrix.cell("body", Observer.NETWORK).evidence} == {"tls.sni"}


def test_a_service_with_another_authority_is_not_spoken_to(
    audit: Audit, tls_service: tuple[str, str], client: Client, taps: Taps
) -> None:
    body = audit.secret("body")
    with audit.observe(tls_service[0], service_ca=taps.authority) as lab:
        assert client.post(lab.url, json=sealed(body), verify=lab.ca).status_code == 502
        lab.confirm(body)
    assert "is the service up?" in undecided(lab, body, Observer.SERVER)


@pytest.mark.parametrize("tls", [True, False])
def test_a_client_can_use_an_explicit_proxy(
    audit: Audit, service: str, tls_service: tuple[str, str], client: Client, *, tls: bool
) -> None:
    url, authority = tls_service if tls else (service, None)
    body, key = audit.secret("body"), audit.secret("key")
    with audit.observe(service_ca=authority) as lab:
        assert lab.url == ""
        client.proxies = {"http": lab.proxy, "https": lab.proxy}
        client.post(f"{url}/messages", json={"text": body, "key": sealed(key)}, verify=lab.ca).raise_for_status()
        lab.confirm(body, key)
    lab.server.exposes(body)
    lab.server.hides(key)
    lab.network.hides(key)
    assert hides_and(lab.network, body) is tls


FETCH = """
import os, requests
requests.post(os.environ["LAB_URL"] + "/messages", json={"text": os.environ["LAB_SECRET_THE_BODY"]}).raise_for_status()
"""


def test_a_program_finds_what_it_needs_in_its_environment(audit: Audit, service: str) -> None:
    body = audit.secret("the body")
    with audit.observe(service, tls=True) as lab:
        subprocess.run([sys.executable, "-c", FETCH], env={**os.environ, **lab.env}, check=True)
        lab.confirm(body)
    lab.server.exposes(body)
    lab.network.hides(body)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("seal", "hidden"), [(True, True), (False, False)])
def test_http_2_is_read(audit: Audit, service: str, *, seal: bool, hidden: bool) -> None:
    features = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    if "HTTP2" not in features:
        pytest.skip("this curl does not speak HTTP/2")
    body = audit.secret("body")
    with audit.observe(service, tls=True) as lab:
        data = sealed(body) if seal else body
        command = ["curl", "-sSf", "--http2", "-o", os.devnull, "-w", "%{http_version}", "-d", data]
        done = subprocess.run(
            [*command, f"{lab.url}/messages"], env={**os.environ, **lab.env}, check=True, capture_output=True
        )
        assert done.stdout == b"2"
        lab.confirm(body)
    lab.network.hides(body)
    assert hides_and(lab.server, body) is hidden


def say(lab: Window, text: str, reason: str = "") -> None:
    """Say it over a WebSocket, masked as clients must, and hear it again; close it for this reason."""
    parts = urlsplit(lab.url)
    mask = os.urandom(4)
    with socket.create_connection((LOOPBACK, parts.port or 0)) as raw:
        if parts.scheme == "wss":
            raw = ssl.create_default_context(cafile=lab.ca).wrap_socket(raw, server_hostname=LOOPBACK)
        with raw, raw.makefile("rb") as file:
            raw.sendall(
                b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % base64.b64encode(os.urandom(16))
            )
            while file.readline().strip():
                pass
            masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text.encode()))
            raw.sendall(bytes([0x81, 0x80 | len(masked)]) + mask + masked)
            assert read_frame(file) == text.encode()
            said = b"\x03\xe8" + reason.encode() if reason else b""
            masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(said))
            raw.sendall(bytes([0x88, 0x80 | len(masked)]) + mask + masked)
            while reason and file.read(1):  # up to the end of the connection
                pass


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize(("seal", "hidden"), [(True, True), (False, False)])
def test_websockets_are_read(audit: Audit, service: str, *, tls: bool, seal: bool, hidden: bool) -> None:
    body = audit.secret("body")
    with audit.observe(service.replace("http:", "ws:"), tls=tls) as lab:
        assert lab.url.startswith("wss:" if tls else "ws:")
        say(lab, sealed(body) if seal else body)
        lab.confirm(body)
    assert hides_and(lab.server, body) is hidden
    assert hides_and(lab.network, body) is (tls or hidden)


@pytest.mark.parametrize(("seal", "hidden"), [(True, True), (False, False)])
def test_why_a_websocket_was_closed_is_read(audit: Audit, service: str, *, seal: bool, hidden: bool) -> None:
    body = audit.secret("body")
    with audit.observe(service.replace("http:", "ws:"), tls=True) as lab:
        say(lab, "hello", f"bye {sealed(body) if seal else body}")
        lab.confirm(body)
    assert hides_and(lab.server, body) is hidden
    lab.network.hides(body)


def said_back(connection: socket.socket, line: bytes) -> bool:
    """Whether the other side answers with the line that it is sent."""
    connection.sendall(line)
    with connection.makefile("rb") as lines:
        return lines.readline() == line


@pytest.mark.parametrize(("seal", "hidden"), [(True, True), (False, False)])
def test_what_a_connection_goes_on_with_after_http_is_read_at_the_server(
    audit: Audit, client: Client, *, seal: bool, hidden: bool
) -> None:
    body = audit.secret("body")
    said = (sealed(body) if seal else body).encode() + b"\n"
    with switching() as url, audit.observe(url, tls=True) as lab:
        context = ssl.create_default_context(cafile=lab.ca)
        with (
            socket.create_connection((lab.host, lab.port)) as raw,
            context.wrap_socket(raw, server_hostname=LOOPBACK) as inside,
        ):
            inside.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n")
            with inside.makefile("rb") as lines:
                while lines.readline().strip():
                    pass
            assert said_back(inside, said)
        lab.confirm(body)
    assert hides_and(lab.server, body) is hidden
    lab.network.hides(body)


@pytest.mark.parametrize(("seal", "hidden"), [(True, True), (False, False)])
def test_what_is_no_http_inside_tls_is_read_at_the_server(
    audit: Audit, service: str, client: Client, tls_context: tuple[ssl.SSLContext, str], *, seal: bool, hidden: bool
) -> None:
    context, authority = tls_context
    body = audit.secret("body")
    said = (sealed(body) if seal else body).encode() + b"\n"
    with echo(context) as url, audit.observe(service_ca=authority) as lab:
        client.proxies = {"http": lab.proxy}
        client.get(service).raise_for_status()  # an ordinary exchange is no reason to call the other one hidden
        with socket.create_connection((lab.host, lab.port)) as raw:
            place = url.removeprefix("tcp://")
            raw.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
            assert raw.recv(4096).endswith(b"\r\n\r\n")
            trusting = ssl.create_default_context(cafile=lab.ca)
            with trusting.wrap_socket(raw, server_hostname=LOOPBACK) as inside:
                assert said_back(inside, said)
        lab.confirm(body)
    assert hides_and(lab.server, body) is hidden
    lab.network.hides(body)


@pytest.mark.parametrize(("seal", "hidden"), [(True, True), (False, False)])
def test_what_is_no_http_is_read_on_the_way(audit: Audit, *, seal: bool, hidden: bool) -> None:
    body = audit.secret("body")
    with echo() as url, audit.observe(url) as lab:
        with socket.create_connection((lab.host, lab.port)) as raw:
            assert said_back(raw, (sealed(body) if seal else body).encode() + b"\n")
        lab.confirm(body)
    assert lab.url == f"tcp://{lab.host}:{lab.port}"
    assert hides_and(lab.network, body) is hidden


# Controls


def undecided(lab: Window, secret: str, observer: str = Observer.NETWORK) -> str:
    """Why nothing can be said, be it that it is hidden or that it is read."""
    view = lab.network if observer == Observer.NETWORK else lab.server
    for ask in (view.hides, view.exposes):
        with pytest.raises(UndecidedError) as caught:
            ask(secret)
    assert lab.matrix.cell(audited(secret), observer).exposure is Exposure.INCONCLUSIVE
    return str(caught.value)


def audited(secret: str) -> str:
    return secret.name if isinstance(secret, Canary) else secret


def test_without_confirmation_nothing_is_hidden_but_a_leak_is_one(audit: Audit, service: str, client: Client) -> None:
    body, other = audit.secret("body"), audit.secret("other")
    with audit.observe(service) as lab:
        post(client, lab, {"text": sealed(body), "other": other})
    why = undecided(lab, body)
    assert "control 'travelled' failed: nobody confirmed that body arrived: call confirm(secret)" in why
    assert str(lab.capture) in why
    lab.server.exposes(other)


def test_without_traffic_nothing_is_hidden(audit: Audit, service: str, client: Client) -> None:
    body = audit.secret("body")
    with audit.observe(service) as lab:
        client.post(f"{service}/messages", json=body)  # past the taps
        lab.confirm(body)
    assert "no connection carried bytes in both directions: does the client use the lab's address?" in undecided(
        lab, body
    )
    assert "recorded" in undecided(lab, body, Observer.SERVER)


def test_what_is_confirmed_before_anything_passed_did_not_pass(audit: Audit, service: str, client: Client) -> None:
    body, later = audit.secret("body"), audit.secret("later")
    with audit.observe(service) as lab:
        client.post(f"{service}/messages", json=body)
        lab.confirm(body)
        post(client, lab, sealed(later))
        lab.confirm(later)
    assert "when body was confirmed, nothing had passed the taps yet" in undecided(lab, body)
    lab.network.hides(later)


def test_a_client_that_does_not_trust_the_lab_is_told_what_to_do(audit: Audit, service: str, client: Client) -> None:
    body = audit.secret("body")
    with audit.observe(service, tls=True) as lab:
        with pytest.raises(requests.exceptions.SSLError):
            client.post(lab.url, json=body)
        lab.confirm(body)
    assert "the client refused TLS" in undecided(lab, body, Observer.SERVER)
    assert "give it the lab's authority" in undecided(lab, body, Observer.SERVER)
    assert "no connection got beyond the beginning of TLS" in undecided(lab, body)


def test_nor_is_anything_hidden_from_the_network_when_a_handshake_fails(
    audit: Audit, tls_service: tuple[str, str], client: Client
) -> None:
    body = audit.secret("body")
    with audit.observe(tls_service[0], end_tls=False) as lab:
        with pytest.raises(requests.exceptions.SSLError):
            client.post(lab.url, json=body)
        lab.confirm(body)
    assert "no connection got beyond the beginning of TLS" in undecided(lab, body)
    with audit.observe() as lab:
        client.proxies = {"https": lab.proxy}
        with pytest.raises(requests.exceptions.SSLError):
            client.post(tls_service[0], json=body)
        lab.confirm(body)
    assert "at the server, the client refused TLS" in undecided(lab, body)


@pytest.mark.parametrize("number", [0, 1])
def test_a_dead_tap_has_seen_nothing(taps: Taps, audit: Audit, service: str, client: Client, number: int) -> None:
    body = audit.secret("body")
    with audit.observe(service) as lab:
        post(client, lab, {"text": sealed(body)})
        lab.confirm(body)
        assert lab._pair is not None
        (lab._pair._network, lab._pair._server)[number].close()
    observer = (Observer.NETWORK, Observer.SERVER)[number]
    assert f"the {observer} tap" in undecided(lab, body, observer)
    with audit.observe(service) as lab:  # others take their place
        post(client, lab, {"text": sealed(body)})
        lab.confirm(body)
    lab.network.hides(body)
    lab.server.hides(body)


def test_a_service_that_is_not_there_proves_nothing(audit: Audit, client: Client) -> None:
    body = audit.secret("body")
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
    with audit.observe(f"http://{LOOPBACK}:{port}") as lab:
        with pytest.raises(requests.exceptions.ConnectionError):
            client.post(lab.url, json={"text": sealed(body)})
        lab.confirm(body)
    assert "is the service up?" in undecided(lab, body, Observer.SERVER)
    undecided(lab, body)


def test_where_decoys_are_found_a_hit_means_nothing(audit: Audit, service: str, client: Client) -> None:
    body = audit.secret("body")
    with audit.observe(service) as lab:
        post(client, lab, {"text": body, "others": list(body.decoys)})
        lab.confirm(body)
    assert "control 'decoys' failed: 4 decoys, 4 hits" in undecided(lab, body, Observer.SERVER)


# Connections that stay open, observations at the same time


def test_connections_may_stay_open(audit: Audit, service: str) -> None:
    body = audit.secret("body")
    with requests.Session() as client:
        client.trust_env = False
        with audit.observe(service) as lab:
            post(client, lab, {"text": sealed(body)})
            lab.confirm(body)
        lab.network.hides(body)
        lab.server.hides(body)
        with audit.observe(service) as lab:
            post(client, lab, {"text": body})
            lab.confirm(body)
        lab.network.exposes(body)


def test_a_connection_of_one_observation_does_not_reach_into_the_next(audit: Audit, service: str) -> None:
    body = audit.secret("body")
    with audit.observe(service) as lab:
        kept = socket.create_connection((lab.host, lab.port))
        kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(12) == b"HTTP/1.1 200"
    with kept, audit.observe(service) as lab:
        kept.settimeout(120)
        while kept.recv(4096):  # up to the end of the connection
            pass
    assert "recorded" in undecided(lab, body)


def test_two_observations_at_the_same_time(audit: Audit, service: str, client: Client) -> None:
    with echo() as url, audit.observe(url) as one, audit.observe(service, tls=True) as other:
        body = audit.secret("body")
        post(client, other, {"text": body})
        with socket.create_connection((one.host, one.port)) as raw, raw.makefile("rb") as lines:
            raw.sendall(b"hello\n")
            lines.readline()
        one.confirm(body)
        other.confirm(body)
    one.network.hides(body)
    other.network.hides(body)
    other.server.exposes(body)


def test_threads_observe_side_by_side(taps: Taps, service: str, tmp_path: Path) -> None:
    together = threading.Barrier(3)

    def one(number: int) -> tuple[bool, bool]:
        audit = Audit(lambda: taps, tmp_path, f"thread {number}")
        body = audit.secret("body")
        with audit.observe(service, tls=True) as lab, requests.Session() as client:
            client.trust_env = False
            together.wait(120)
            post(client, lab, {"text": body if number else sealed(body)})
            lab.confirm(body)
        return hides_and(lab.network, body), hides_and(lab.server, body)

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(one, range(3))) == [(True, True), (True, False), (True, False)]


def test_coroutines_observe_too(audit: Audit, service: str) -> None:
    body = audit.secret("body")

    async def chat(text: str) -> Window:
        async with audit.observe(service) as lab:
            reader, writer = await asyncio.open_connection(lab.host, lab.port)
            data = json.dumps({"text": text}).encode()
            writer.write(b"POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data))
            assert await reader.readline() == b"HTTP/1.1 201 Created\r\n"
            lab.confirm(body)
            writer.close()
            await writer.wait_closed()
        return lab

    asyncio.run(chat(sealed(body))).server.hides(body)
    asyncio.run(chat(body)).server.exposes(body)


# Wrong use


def test_wrong_use_is_refused_in_one_sentence(audit: Audit, service: str, client: Client) -> None:
    body = audit.secret("body")
    with pytest.raises(LabError, match="there is a secret 'body' already"):
        audit.secret("body")
    with pytest.raises(LabError, match="too ordinary"):
        audit.secret("word", "password")
    with pytest.raises(LabError, match="give the URL of a service"):
        audit.observe("chat.example")
    with pytest.raises(LabError, match="tcp:// goes without tls"):
        audit.observe("tcp://127.0.0.1:1", tls=True)
    lab = audit.observe(service)
    for early in (lambda: lab.url, lambda: lab.ca, lambda: lab.env, lambda: lab.proxy):
        with pytest.raises(LabError, match="use it in a with statement"):
            early()
    with pytest.raises(LabError, match="belongs into the block"):
        lab.confirm(body)
    with lab:
        with pytest.raises(LabError, match="judged after it"):
            lab.network.hides(body)
        with pytest.raises(LabError, match=r"'nobody' is no secret of this audit.*known: body"):
            lab.confirm("nobody")
        post(client, lab, {})
    with pytest.raises(LabError, match="name at least one secret"):
        lab.network.hides()
    with pytest.raises(LabError, match="made once"):
        lab.__enter__()


def test_a_block_that_fails_is_not_judged_and_the_next_one_works(audit: Audit, service: str, client: Client) -> None:
    body = audit.secret("body")
    with pytest.raises(ZeroDivisionError), audit.observe(service) as lab:
        raise ZeroDivisionError
    with pytest.raises(LabError, match="or has failed"):
        lab.network.hides(body)
    assert lab.capture.exists()
    with pytest.raises(KeyboardInterrupt), audit.observe(service):
        raise KeyboardInterrupt
    with audit.observe(service) as lab:
        post(client, lab, {"text": body})
    lab.server.exposes(body)
