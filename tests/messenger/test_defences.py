"""What an app does so that nobody on the path, nor the service, can stand in between: each is seen on and off."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lab.messenger.contacts import NoKeysError
from lab.messenger.content import Content, File
from lab.messenger.hsts import Hsts
from lab.messenger.wire import Wire, WireError, pin_of
from lab.model import Deed
from lab.stage.certificates import Authority, Flaw, issue_flawed, make_authority

from .conftest import HOST, Enrol, Make, Peer, Peers, answer

type Wires = Callable[..., Wire]
type Serving = Callable[[bytes], ssl.SSLContext]

ALICE = {"name": "alice", "password": "correct horse battery staple"}
TLS = f"https://{HOST}"
HELLO = Content("Meet me at 5pm")


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """What a service needs to show this key and certificate."""

    def make(pem: bytes) -> ssl.SSLContext:
        path = tmp_path / "leaf.pem"
        path.write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    return make


def pin(pem: bytes) -> str:
    return pin_of(ssl.PEM_cert_to_DER_cert(pem[pem.index(b"-----BEGIN CERT") :].decode()))


def said(service: Peer) -> bytes:
    """All that the service was told, once everybody has left."""
    service.wait()
    return b"".join(connection.received for connection in service.connections)


class TestPinning:
    def test_a_pin_is_what_the_standard_says(self) -> None:
        # The certificate of the example in RFC 7469 is not printed there; this is what OpenSSL says about another one:
        # openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64
        certificate = """-----BEGIN CERTIFICATE-----
MIIBazCCARGgAwIBAgIUDfHrZimje/mp19NNTbzWAW6IRf8wCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHZXhhbXBsZTAeFw0yNjExMjIxMjA1MTJaFw0yNjExMjUxMzA1
MTJaMBIxEDAOBgNVBAMMB2V4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAQO6ZMyV1uQrzHiohRQX3mh5R4Nd/HZWARkzUjGObumSKBf2L4U03bSdyOp+Mmq
qcONl7IiIEI2JtwaM+WMUUkGo0UwQzAdBgNVHQ4EFgQUBTHCzywVZNJt+pAoMyFT
03X9D+wwEgYDVR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZI
zj0EAwIDSAAwRQIgD4ASzwTlpM6GriUy56WERSdBoufGOHYN6LDk+ZTP7YgCIQDm
nILUbtBuHY60px0XEK0FCt0gLHNWYlz3x6OIz+559Q==
-----END CERTIFICATE-----
"""
        assert pin_of(ssl.PEM_cert_to_DER_cert(certificate)) == "gi5C7Lb98rY9cZXJkYOdmZo/s3bie2sIM+DiDIoh/Q4="

    def test_the_key_that_the_app_knows_is_taken(
        self, peer: Peers, wire: Wires, authority: Authority, serving: Serving
    ) -> None:
        leaf = authority.issue(HOST)
        service = peer(answer({"id": "5"}), tls=serving(leaf))
        calling = wire(service.address, TLS, pins=frozenset({pin(leaf), "another"}))
        assert calling.call("POST", "/v1/login", ALICE) == {"id": "5"}

    def test_another_key_is_refused_and_told_nothing_although_it_is_certified(
        self, peer: Peers, wire: Wires, authority: Authority, serving: Serving
    ) -> None:
        service = peer(answer({}), answer({}), tls=serving(authority.issue(HOST)))
        pins = frozenset({pin(authority.issue(HOST))})
        with closing(wire(service.address, TLS, pins=pins)) as calling:
            for _ in range(2):
                with pytest.raises(WireError) as refused:
                    calling.call("POST", "/v1/login", ALICE)
                sentence = "POST /v1/login: the key of chat.example is not the one that this app knows (pinning)"
                assert str(refused.value).startswith(sentence)
        assert said(service) == b""
        with closing(wire(service.address, TLS)) as calling:
            assert calling.call("POST", "/v1/login", ALICE) == {}

    def test_the_right_key_does_not_make_up_for_a_wrong_certificate(
        self, peer: Peers, wire: Wires, authority: Authority, serving: Serving
    ) -> None:
        leaf = issue_flawed(authority, HOST, Flaw.EXPIRED)
        service = peer(answer({}), tls=serving(leaf))
        with pytest.raises(WireError, match="certificate has expired"):
            wire(service.address, TLS, pins=frozenset({pin(leaf)})).call("POST", "/v1/login", ALICE)
        assert said(service) == b""


class TestInstalledAuthorities:
    @pytest.fixture
    def attacker(self) -> Authority:
        return make_authority("Somebody in between")

    @pytest.mark.parametrize("logged", [False, True])
    def test_what_was_installed_is_trusted_besides(
        self,
        peer: Peers,
        wire: Wires,
        authority: Authority,
        attacker: Authority,
        serving: Serving,
        tmp_path: Path,
        *,
        logged: bool,
    ) -> None:
        installed = tmp_path / "installed.pem"
        installed.write_bytes(attacker.pem)
        in_between = peer(answer({"from": "in between"}), tls=serving(attacker.issue(HOST)))
        service = peer(answer({"from": "service"}), tls=serving(authority.issue(HOST)))
        with pytest.raises(WireError, match="certificate verify failed"):
            wire(in_between.address, TLS).call("POST", "/v1/login", ALICE)
        for other, name in ((in_between, "in between"), (service, "service")):
            key_log = tmp_path / f"{name}.keys" if logged else None
            calling = wire(other.address, TLS, installed=(installed,), key_log=key_log)
            assert calling.call("POST", "/v1/login", ALICE) == {"from": name}

    def test_a_pinned_key_is_asked_for_all_the_same(
        self, peer: Peers, wire: Wires, authority: Authority, attacker: Authority, serving: Serving, tmp_path: Path
    ) -> None:
        installed = tmp_path / "installed.pem"
        installed.write_bytes(attacker.pem)
        in_between = peer(answer({}), tls=serving(attacker.issue(HOST)))
        pins = frozenset({pin(authority.issue(HOST))})
        with (
            closing(wire(in_between.address, TLS, installed=(installed,), pins=pins)) as calling,
            pytest.raises(WireError, match="not the one that this app knows"),
        ):
            calling.call("POST", "/v1/login", ALICE)
        assert said(in_between) == b""


class TestFromHttpToHttps:
    """The app begins with http://; the service sends it to https://, unless somebody is in between."""

    MOVED = ("308 Permanent Redirect", f"Location: https://{HOST}/")

    @pytest.fixture
    def service(self, peer: Peers, authority: Authority, serving: Serving) -> Callable[..., Peer]:
        return lambda *answers: peer(*answers, tls=serving(authority.issue(HOST)), either=True)

    def test_it_follows_to_https_and_stays_there(self, service: Callable[..., Peer], wire: Wires) -> None:
        strict = "Strict-Transport-Security: max-age=60"
        there = service(answer(None, *self.MOVED, strict), answer({"a": 1}), answer({"a": 2}))
        hsts = Hsts()
        with closing(wire(there.address, follows=True, hsts=hsts)) as calling:
            assert calling.call("POST", "/v1/login", ALICE) == {"a": 1}
            assert calling.call("GET", "/v1/x") == {"a": 2}
        assert said(there)
        assert [connection.tls for connection in there.connections] == [False, True]
        asked, *_ = there.requests
        assert asked.startswith(b"GET / HTTP/1.1\r\n")
        assert b"password" not in asked
        assert not hsts.knows(HOST), "what is said without TLS does not count"

    def test_with_nobody_to_send_it_on_it_stays_with_http(self, service: Callable[..., Peer], wire: Wires) -> None:
        there = service(answer({}, "404 Not Found"), answer({"a": 1}))
        assert wire(there.address, follows=True).call("POST", "/v1/login", ALICE) == {"a": 1}
        assert [connection.tls for connection in there.connections] == [False]
        assert b"correct horse" in there.requests[1]

    def test_what_the_service_said_with_tls_is_remembered(self, service: Callable[..., Peer], wire: Wires) -> None:
        hsts = Hsts()
        there = service(answer(None, *self.MOVED), answer({}, "200 OK", "Strict-Transport-Security: max-age=60"))
        wire(there.address, follows=True, hsts=hsts).call("POST", "/v1/login", ALICE)
        assert hsts.knows(HOST)
        there.add(answer({"a": 3}))
        assert wire(there.address, follows=True, hsts=hsts).call("POST", "/v1/login", ALICE) == {"a": 3}
        assert [connection.tls for connection in there.connections] == [False, True, True]

    @pytest.mark.parametrize(
        "place", [f"http://{HOST}/", "https://other.example/", f"https://{HOST}.evil.example/", "/"]
    )
    def test_nobody_leads_it_elsewhere(self, service: Callable[..., Peer], wire: Wires, place: str) -> None:
        there = service(answer(None, "302 Found", f"Location: {place}"), answer({}))
        wire(there.address, follows=True).call("GET", "/v1/x")
        assert [connection.tls for connection in there.connections] == [False]

    def test_with_https_only_nothing_is_said_in_the_open(self, service: Callable[..., Peer], wire: Wires) -> None:
        there = service(answer({}))
        wire(there.address, TLS, follows=True).call("POST", "/v1/login", ALICE)
        assert [connection.tls for connection in there.connections] == [True]

    def test_a_service_that_cannot_be_asked_is_asked_again(self, service: Callable[..., Peer], wire: Wires) -> None:
        there = service(b"", answer(None, *self.MOVED), answer({}))
        calling = wire(there.address, follows=True)
        with pytest.raises(WireError, match=r"^GET /: Remote end closed"):
            calling.call("GET", "/v1/x")
        calling.call("GET", "/v1/x")
        assert [connection.tls for connection in there.connections] == [False, False, True]


class TestWithoutKeys:
    """Somebody has no keys at the service, or the service says so."""

    FILE = Content("See the map", File("map.png", b"a map"))

    @pytest.mark.parametrize("content", [HELLO, FILE])
    def test_an_app_that_falls_back_silently_sends_it_in_the_open(
        self, make: Make, enrol: Enrol, content: Content
    ) -> None:
        alice = make("Alice", fall_back=lambda _: True)
        alice.join()
        (bob,) = enrol("Bob", encryption=None)
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], content)
        assert bob.self.receive() == content
        assert [statement.text for statement in alice.told(Deed.SENT)] == [content.text]

    def test_an_app_that_asks_sends_nothing_unless_its_user_says_yes(self, make: Make, enrol: Enrol) -> None:
        answers = [False, True]
        asked: list[str] = []

        def ask(account: str) -> bool:
            asked.append(account)
            return answers.pop(0)

        alice = make("Alice", fall_back=ask)
        alice.join()
        (bob,) = enrol("Bob", encryption=None)
        conversation = alice.self.start_conversation([bob.account])
        with pytest.raises(NoKeysError, match="nothing was sent"):
            alice.self.send(conversation, [bob.account], Content("Not this"))
        alice.self.send(conversation, [bob.account], HELLO)
        assert asked == [bob.account] * 2
        assert bob.self.receive() == HELLO

    def test_who_has_keys_is_written_to_with_them_and_nobody_is_asked(self, make: Make, enrol: Enrol) -> None:
        asked: list[str] = []
        alice = make("Alice", fall_back=lambda account: not asked.append(account))  # type: ignore[func-returns-value]
        alice.join()
        (bob,) = enrol("Bob")
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], HELLO)
        assert bob.self.receive() == HELLO
        assert asked == []

    @pytest.mark.parametrize("yes", [False, True])
    def test_what_was_not_sealed_is_shown_only_by_an_app_that_falls_back(
        self, make: Make, enrol: Enrol, *, yes: bool
    ) -> None:
        bob = make("Bob", fall_back=lambda _: yes)
        bob.join()
        (alice,) = enrol("Alice", encryption=None)
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], self.FILE)
        if yes:
            assert bob.self.receive() == self.FILE
        else:
            with pytest.raises(Exception, match="not sealed"):
                bob.self.receive()
        assert [statement.deed for statement in bob.statements if statement.message] == [
            Deed.READ if yes else Deed.REFUSED
        ]
