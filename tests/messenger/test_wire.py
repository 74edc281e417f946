"""HTTP to the service: what goes out, over which connection, and what is said when something is wrong."""

from __future__ import annotations

import itertools
import ssl
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import requests

from lab.messenger.wire import Route, Wire, WireError
from lab.stage.certificates import Authority, make_authority

from .conftest import HOST, Peer, answer, stream

type Peers = Callable[..., Peer]
type Wires = Callable[..., Wire]

ALICE = {"name": "alice", "password": "correct horse battery staple"}


def one_line(error: pytest.ExceptionInfo[WireError]) -> str:
    """The sentence of an error, which has no second line, no object's address and no Python in it."""
    sentence = str(error.value)
    assert sentence.splitlines() == [sentence]
    assert not [word for word in ("object at", "Pool(", "Errno", "Error(", "None") if word in sentence]
    return sentence


def closed_port(peer: Peers) -> tuple[str, int]:
    """An address where nobody listens any more."""
    gone = peer()
    gone.close()
    return gone.address


class TestRequests:
    def test_it_says_what_it_was_told_to(self, peer: Peers, wire: Wires) -> None:
        service = peer(answer({"id": "5"}), answer(None, "204 No Content"))
        calling = wire(service.address)
        assert calling.call("POST", "/v1/things", {"text": "Grüße"}) == {"id": "5"}
        assert calling.call("DELETE", "/v1/things") == {}
        first, second = service.requests
        assert first.startswith(b"POST /v1/things HTTP/1.1\r\n")
        assert b"\r\nContent-Type: application/json\r\n" in first
        assert first.endswith('\r\n\r\n{"text":"Grüße"}'.encode())
        assert second.startswith(b"DELETE /v1/things HTTP/1.1\r\n")
        assert b"Content-Type" not in second

    def test_the_host_is_the_route_s_while_the_address_dialled_is_another(self, peer: Peers, wire: Wires) -> None:
        told: list[tuple[str, int]] = []
        service = peer(answer({}))
        wire(service.address, connected=told.append).call("GET", "/v1/x")
        assert b"\r\nHost: chat.example\r\n" in service.requests[0]
        assert b"127.0.0.1" not in service.requests[0]
        assert told == [service.connections[0].client]

    def test_the_token_goes_out_once_there_is_one(self, peer: Peers, wire: Wires) -> None:
        service = peer(answer({}), answer({}), stream("event: ready", "data: {}", ""))
        calling = wire(service.address)
        calling.call("GET", "/v1/x")
        calling.login("secret-token")
        calling.call("GET", "/v1/x")
        calling.events("/v1/events").close()
        sent = [b"\r\nAuthorization: Bearer secret-token\r\n" in request for request in service.requests]
        assert sent == [False, True, True]

    def test_one_connection_serves_many_requests_and_is_told_once(self, peer: Peers, wire: Wires) -> None:
        told: list[tuple[str, int]] = []
        service = peer(answer({}), answer({}), answer({}, "200 OK", "Connection: close"), answer({}))
        calling = wire(service.address, connected=told.append)
        for _ in range(3):
            calling.call("GET", "/v1/x")
        assert len(told) == len(service.connections) == 1
        calling.call("GET", "/v1/x")
        assert told == [connection.client for connection in service.connections]
        assert len(told) == 2

    def test_bytes_go_out_and_come_in_as_they_are(self, peer: Peers, wire: Wires) -> None:
        data = bytes(range(256)) * 10
        service = peer(answer({"id": "5"}), answer(data), answer(b""))
        calling = wire(service.address)
        assert calling.upload("/v1/blobs", data) == {"id": "5"}
        assert calling.download("/v1/blobs/5") == data
        assert calling.download("/v1/blobs/6") == b""
        first, second, _ = service.requests
        assert first.startswith(b"POST /v1/blobs HTTP/1.1\r\n")
        assert b"\r\nContent-Type: application/octet-stream\r\n" in first
        assert first.endswith(b"\r\n\r\n" + data)
        assert second.startswith(b"GET /v1/blobs/5 HTTP/1.1\r\n")


class TestRefusals:
    def test_a_refusal_carries_its_status_and_what_the_service_says_about_it(self, peer: Peers, wire: Wires) -> None:
        problem = {"title": "Conflict", "detail": "No.", "missing": [{"account": "bob"}]}
        service = peer(answer(problem, "409 Conflict"), answer(b"<html>", "502 Bad Gateway"), answer(b"[]"))
        calling = wire(service.address)
        found = []
        for ask in (
            lambda: calling.download("/v1/blobs/5"),
            lambda: calling.upload("/v1/blobs", b"x"),
            lambda: calling.call("GET", "/v1/x"),
        ):
            with pytest.raises(WireError) as refused:
                ask()
            found.append((refused.value.status, refused.value.problem))
        assert found == [(409, problem), (502, {}), (None, {})]

    @pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 415, 422, 499])
    def test_what_is_wrong_with_a_request_stays_wrong(self, status: int) -> None:
        assert WireError("no", status).final

    @pytest.mark.parametrize("status", [None, 302, 401, 408, 421, 425, 429, 500, 502, 503])
    def test_what_is_not_the_fault_of_the_request_may_pass(self, status: int | None) -> None:
        assert not WireError("no", status).final

    def test_errors_carry_the_service_s_own_words(self, service_route: Route) -> None:
        calling = Wire(service_route, lambda _: None)
        assert calling.call("POST", "/v1/accounts", ALICE)["name"] == "alice"
        with pytest.raises(WireError) as taken:
            calling.call("POST", "/v1/accounts", ALICE)
        assert one_line(taken) == "POST /v1/accounts: 409 The name 'alice' is taken."
        with pytest.raises(WireError) as wrong:
            calling.call("POST", "/v1/login", ALICE | {"password": "not her password"})
        assert one_line(wrong) == "POST /v1/login: 401 Unknown account or wrong password."
        with pytest.raises(WireError) as tokenless:
            calling.call("GET", "/v1/conversations")
        assert one_line(tokenless) == "GET /v1/conversations: 401 A bearer token is needed."
        with pytest.raises(WireError) as unheard:
            calling.events("/v1/events")
        assert one_line(unheard) == "GET /v1/events: 401 A bearer token is needed."
        calling.login("made-up")
        with pytest.raises(WireError) as unknown:
            calling.events("/v1/events")
        assert one_line(unknown) == "GET /v1/events: 401 The token is unknown or expired."
        calling.login(calling.call("POST", "/v1/login", ALICE)["token"])
        assert calling.call("GET", "/v1/conversations") == {"conversations": []}
        with pytest.raises(WireError, match=r"422 There is no account 'nobody'\.$"):
            calling.call("POST", "/v1/conversations", {"members": ["nobody"]})
        with closing(calling.events("/v1/events")) as events:
            assert events.next() == ("ready", {})
        calling.close()

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"detail": "Not today.", "title": "Teapot"}, "Not today."),
            ({"title": "Teapot"}, "Teapot"),
            ({}, "I'm a teapot"),
            (b"<html>Bad gateway</html>", "I'm a teapot"),
            (b'["a list"]', "I'm a teapot"),
            (b"", "I'm a teapot"),
        ],
    )
    def test_who_says_no_in_another_form_is_understood_too(
        self, peer: Peers, wire: Wires, body: object, words: str
    ) -> None:
        service = peer(answer(body, "418 I'm a teapot"), answer(body, "418 I'm a teapot"), answer({"well": True}))
        calling = wire(service.address)
        for ask in (lambda: calling.call("GET", "/v1/x"), lambda: calling.events("/v1/x")):
            with pytest.raises(WireError) as refused:
                ask()
            assert one_line(refused) == f"GET /v1/x: 418 {words}"
        assert calling.call("GET", "/v1/x") == {"well": True}

    @pytest.mark.parametrize("body", [b"OK", b"[]", b'"text"', b"null", b"{", b"\xff", b"[" * 100_000])
    def test_an_answer_that_is_no_json_object_is_refused(self, peer: Peers, wire: Wires, body: bytes) -> None:
        calling = wire(peer(answer(body), answer(b"{}")).address)
        with pytest.raises(WireError) as refused:
            calling.call("GET", "/v1/x")
        assert one_line(refused) == "GET /v1/x: what the service says is no JSON object"
        assert calling.call("GET", "/v1/x") == {}

    @pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
    def test_redirects_are_not_followed(self, peer: Peers, wire: Wires, status: str) -> None:
        elsewhere = peer(answer({"token": "stolen"}), answer({}))
        location = f"Location: http://127.0.0.1:{elsewhere.address[1]}/v1/login"
        calling = wire(peer(*[answer({"token": "t"}, status, location)] * 2, answer({"token": "t"})).address)
        with pytest.raises(WireError) as refused:
            calling.call("POST", "/v1/login", ALICE)
        assert one_line(refused) == f"POST /v1/login: {status}"
        with pytest.raises(WireError) as unheard:
            calling.events("/v1/events")
        assert one_line(unheard) == f"GET /v1/events: {status}"
        assert elsewhere.connections == []
        assert calling.call("POST", "/v1/login", ALICE) == {"token": "t"}

    def test_a_refused_connection_is_one_clear_line(self, peer: Peers, wire: Wires) -> None:
        address = closed_port(peer)
        told: list[tuple[str, int]] = []
        calling = wire(address, connected=told.append)
        place = f"no connection to the service at 127.0.0.1:{address[1]}: Connection refused"
        with pytest.raises(WireError) as refused:
            calling.call("GET", "/v1/x")
        assert one_line(refused) == f"GET /v1/x: {place}"
        with pytest.raises(WireError) as unheard:
            calling.events("/v1/events")
        assert one_line(unheard) == f"GET /v1/events: {place}"
        assert told == []

    def test_a_service_that_does_not_pick_up_is_one_clear_line(
        self, wire: Wires, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def dial(*_: object, **__: object) -> None:
            raise TimeoutError("timed out")

        monkeypatch.setattr("lab.messenger.wire.create_connection", dial)
        with pytest.raises(WireError) as refused:
            wire(("127.0.0.1", 9)).call("GET", "/v1/x")
        assert one_line(refused) == "GET /v1/x: no connection to the service at 127.0.0.1:9: timed out"

    @pytest.mark.parametrize(
        ("half", "reason"),
        [
            (b"Connection: close\r\n\r\n", "Connection: close"),  # no status line at all
            (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\n{", "the answer broke off"),
            (b"", "Remote end closed connection without response"),
        ],
    )
    def test_half_an_answer_is_refused(self, peer: Peers, wire: Wires, half: bytes, reason: str) -> None:
        calling = wire(peer(half, answer({})).address)
        with pytest.raises(WireError) as refused:
            calling.call("GET", "/v1/x")
        assert one_line(refused) == f"GET /v1/x: {reason}"
        assert calling.call("GET", "/v1/x") == {}

    def test_a_service_that_is_silent_is_refused(
        self, peer: Peers, wire: Wires, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calling = wire(peer(b"HTTP/1.1 200 OK\r\n", answer({})).address)
        with monkeypatch.context() as patch:
            patch.setattr("lab.messenger.wire.READ_SECONDS", 0.05)
            with pytest.raises(WireError) as refused:
                calling.call("GET", "/v1/x")
        assert one_line(refused) == "GET /v1/x: no answer in time"
        assert calling.call("GET", "/v1/x") == {}


class TestEnvironment:
    def test_proxies_are_ignored(self, peer: Peers, wire: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
        proxy, service = peer(answer({"from": "proxy"})), peer(answer({"from": "service"}))
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.address[1]}")
            monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{proxy.address[1]}")
        assert wire(service.address).call("GET", "/v1/x") == {"from": "service"}
        assert proxy.connections == []
        with requests.get(f"http://{HOST}/v1/x", timeout=20) as asked:  # others do go there
            assert asked.json() == {"from": "proxy"}

    def test_stored_logins_are_ignored(
        self, peer: Peers, wire: Wires, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "netrc").write_text(f"machine {HOST} login alice password from-a-file\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        assert requests.utils.get_netrc_auth(f"http://{HOST}") == ("alice", "from-a-file")  # others do use it
        service = peer(answer({}))
        wire(service.address).call("GET", "/v1/x")
        assert b"Authorization" not in service.requests[0]


class TestEvents:
    def test_events_come_one_at_a_time(self, peer: Peers, wire: Wires) -> None:
        lines = ["event: ready", "data: {}", "", ": a comment", "", "event: message", "id: 1", 'data: {"text":"ü"}', ""]
        with closing(wire(peer(stream(*lines, 'data: {"a":', "data: 1}", "")).address).events("/v1/events")) as events:
            assert events.next() == ("ready", {})
            assert events.next() == ("message", {"text": "ü"})
            assert events.next() == ("message", {"a": 1})

    def test_the_end_of_the_stream_is_an_error(self, peer: Peers, wire: Wires) -> None:
        with closing(wire(peer(stream("event: ready", "data: {}", "")).address).events("/v1/events")) as events:
            assert events.next() == ("ready", {})
            for _ in range(2):
                with pytest.raises(WireError) as ended:
                    events.next()
                assert one_line(ended) == "the event stream ended"

    def test_an_event_that_was_cut_off_is_none(self, peer: Peers, wire: Wires) -> None:
        with (
            closing(wire(peer(stream("event: message", "data: {}")).address).events("/v1/events")) as events,
            pytest.raises(WireError, match="ended"),
        ):
            events.next()

    def test_a_stream_that_breaks_is_an_error(self, peer: Peers, wire: Wires) -> None:
        head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        service = peer(f"{head}a\r\ndata: {{}}\n\n\r\n5\r\nda".encode())
        with closing(wire(service.address).events("/v1/events")) as events:
            assert events.next() == ("message", {})
            with pytest.raises(WireError) as caught:
                events.next()
        assert one_line(caught) == "the event stream broke: the answer broke off"

    def test_a_stream_that_falls_silent_is_an_error(
        self, peer: Peers, wire: Wires, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = peer(stream("event: ready", "data: {}", "", ends=False))
        monkeypatch.setattr("lab.messenger.wire.READ_SECONDS", 2.0)  # enough for the first event to arrive
        with closing(wire(service.address).events("/v1/events")) as events:
            assert events.next() == ("ready", {})
            with pytest.raises(WireError) as caught:
                events.next()
            assert one_line(caught) == "the event stream broke: no answer in time"
        service.wait()

    @pytest.mark.parametrize("data", ["data: {", "data: []", "data: null", "data: hello"])
    def test_an_event_that_is_no_json_object_is_an_error(self, peer: Peers, wire: Wires, data: str) -> None:
        with closing(wire(peer(stream(data, "", "data: {}", "")).address).events("/v1/events")) as events:
            with pytest.raises(WireError) as refused:
                events.next()
            assert one_line(refused) == "the event stream broke: what the service says is no JSON object"
            assert events.next() == ("message", {})


class TestTls:
    """The service shows a certificate for `chat.example`, issued by the authority of the tests."""

    @pytest.fixture(params=[False, True], ids=["", "keys logged"])
    def wire(self, request: pytest.FixtureRequest, wire: Wires, tmp_path: Path) -> Wires:
        """Whom to trust is the same whether keys are logged or not."""
        if not request.param:
            return wire
        numbers = itertools.count()
        return lambda *args, **kwargs: wire(*args, **kwargs, key_log=tmp_path / f"{next(numbers)}.keys")

    @pytest.fixture
    def context(self, authority: Authority, tmp_path: Path) -> ssl.SSLContext:
        (tmp_path / "leaf.pem").write_bytes(authority.issue(HOST))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "leaf.pem")
        return context

    @pytest.fixture
    def other_authority(self, tmp_path: Path) -> Path:
        path = tmp_path / "other.pem"
        path.write_bytes(make_authority("Authority of the tests").pem)  # the same name, another key
        return path

    def test_the_right_authority_and_host_are_accepted(self, peer: Peers, wire: Wires, context: ssl.SSLContext) -> None:
        names: list[str | None] = []
        context.sni_callback = lambda _, name, __: names.append(name)
        service = peer(answer({"token": "t"}), tls=context)
        assert wire(service.address, f"https://{HOST}").call("POST", "/v1/login", ALICE) == {"token": "t"}
        assert names == [HOST]
        assert b"\r\nHost: chat.example\r\n" in service.requests[0]

    @pytest.mark.parametrize("ask", ["call", "events"])
    def test_another_authority_is_refused_and_told_nothing(
        self, peer: Peers, wire: Wires, context: ssl.SSLContext, other_authority: Path, ask: str
    ) -> None:
        service = peer(answer({}), tls=context)
        calling = wire(service.address, f"https://{HOST}", other_authority)
        calling.login("secret-token")
        with pytest.raises(WireError, match="certificate verify failed") as refused:
            calling.call("POST", "/v1/login", ALICE) if ask == "call" else calling.events("/v1/events")
        one_line(refused)
        self.told_nothing(service)

    def test_another_host_is_refused_and_told_nothing(self, peer: Peers, wire: Wires, context: ssl.SSLContext) -> None:
        service = peer(answer({}), tls=context)
        with pytest.raises(WireError, match=r"certificate is not valid for 'other\.example'") as refused:
            wire(service.address, "https://other.example").call("POST", "/v1/login", ALICE)
        one_line(refused)
        self.told_nothing(service)

    def test_the_environment_names_no_authority(
        self,
        peer: Peers,
        wire: Wires,
        context: ssl.SSLContext,
        authority_file: Path,
        other_authority: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
        service = peer(answer({}), tls=context)
        for name in names:
            monkeypatch.setenv(name, str(authority_file))
        with pytest.raises(WireError, match="certificate verify failed"):
            wire(service.address, f"https://{HOST}", other_authority).call("POST", "/v1/login", ALICE)
        self.told_nothing(service)
        for name in names:
            monkeypatch.setenv(name, str(other_authority))
        assert wire(service.address, f"https://{HOST}").call("POST", "/v1/login", ALICE) == {}

    @staticmethod
    def told_nothing(service: Peer) -> None:
        service.wait()
        (connection,) = service.connections
        assert "alert" in connection.refusal
        assert connection.received == b""

    def test_keys_are_logged_for_their_owner_alone(
        self, peer: Peers, context: ssl.SSLContext, authority_file: Path, tmp_path: Path
    ) -> None:
        key_log = tmp_path / "own.keys"
        route = Route(f"https://{HOST}", peer(answer({}), tls=context).address, authority_file)
        with closing(Wire(route, lambda _: None, key_log)) as calling:
            calling.call("GET", "/v1/x")
        labels = {line.split()[0] for line in key_log.read_text("ascii").splitlines() if not line.startswith("#")}
        assert {"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"} <= labels
        assert stat.S_IMODE(key_log.stat().st_mode) == 0o600
        with pytest.raises(FileExistsError):
            Wire(route, lambda _: None, key_log)

    @pytest.mark.parametrize("secure", [False, True])
    def test_closing_closes_every_connection(
        self, peer: Peers, wire: Wires, context: ssl.SSLContext, secure: bool
    ) -> None:
        ready = stream("event: ready", "data: {}", "", ends=False)
        service = peer(ready, ready, answer({}), tls=context if secure else None)
        calling = wire(service.address, f"http{'s' * secure}://{HOST}")
        streams = [calling.events("/v1/events") for _ in range(2)]
        assert [events.next() for events in streams] == [("ready", {})] * 2
        calling.call("GET", "/v1/x")
        assert [connection.ended for connection in service.connections] == [False] * 3
        for events in streams:
            events.close()
        calling.close()
        service.wait()
        assert [connection.ended for connection in service.connections] == [True] * 3

    def test_a_refused_stream_leaves_no_connection_behind(self, peer: Peers, wire: Wires) -> None:
        service = peer(answer({"detail": "No."}, "503 Service Unavailable"))
        calling = wire(service.address)
        with pytest.raises(WireError, match="503 No"):
            calling.events("/v1/events")
        calling.close()
        service.wait()
        assert service.connections[0].ended
