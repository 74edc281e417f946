"""Alice, Bob and Carol write to each other over a real service, in the clear and sealed, and tell what they did."""

from __future__ import annotations

import base64
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab.e2ee.sealing import Correspondent, EnvelopeError, OneShot
from lab.messenger.content import Content, File
from lab.messenger.participant import Participant, Person
from lab.messenger.store import DeviceStore
from lab.messenger.wire import Route, Wire, WireError
from lab.model import Deed, Statement

from .conftest import HOST, Peer, answer, stream

PASSWORD = "correct horse battery staple"
MAP = Content("Follow the map — Grüße", File("map.png", bytes(range(256)) * 8))

NUMBERS = count(1)
"""So that no two tests use the same account name: they share a service."""


@dataclass
class Someone:
    """A participant, its device, and what it has told so far."""

    device: Path
    route: Route
    sealed: bool
    statements: list[Statement] = field(default_factory=list)

    def __post_init__(self) -> None:
        who = self.device.stem
        self.account = f"{who.lower()}-{next(NUMBERS)}"
        self.self = Participant(
            Person(who, self.account, PASSWORD), self.route, self.device, self.statements.append, sealed=self.sealed
        )

    def told(self, deed: Deed) -> list[Statement]:
        return [statement for statement in self.statements if statement.deed is deed]

    def join(self) -> Participant:
        self.self.join()
        self.self.listen()
        return self.self

    def engine(self) -> OneShot:
        """The keys on the device, in other hands."""
        with closing(DeviceStore(self.device)) as store:
            return OneShot(self.account, store.identity(), store.encryption())

    def raw(self) -> Wire:
        """The account without the app: every request of its own making."""
        wire = Wire(self.route, lambda _: None)
        credentials = {"name": self.account, "password": PASSWORD}
        wire.login(wire.call("POST", "/v1/login", credentials)["token"])
        return wire


type Make = Callable[..., Someone]
type Enrol = Callable[..., list[Someone]]
type Peers = Callable[..., Peer]
type Seal = Callable[[bytes], str]
type Script = Callable[[Callable[[Seal], list[str]]], Someone]


@pytest.fixture
def make(tmp_path: Path, service_route: Route) -> Iterator[Make]:
    """Makes people, who leave after the test."""
    with ExitStack() as stack:

        def make(who: str, *, sealed: bool, route: Route = service_route) -> Someone:
            made = Someone(tmp_path / f"{who}.db", route, sealed)
            stack.enter_context(made.self)
            return made

        yield make


@pytest.fixture
def enrol(make: Make) -> Enrol:
    """Lets people join the service and listen."""

    def enrol(*names: str, sealed: bool) -> list[Someone]:
        people = [make(name, sealed=sealed) for name in names]
        for person in people:
            person.join()
        return people

    return enrol


@pytest.fixture
def scripted(peer: Peers, make: Make, authority_file: Path) -> Script:
    """Bob at a service that delivers, as from Alice, the envelopes (in JSON) that it is told to."""

    def scripted(deliveries: Callable[[Seal], list[str]]) -> Someone:
        service = peer()
        bob = make("Bob", sealed=True, route=Route(f"http://{HOST}", service.address, authority_file))
        alice = OneShot("alice", Ed25519PrivateKey.generate(), X25519PrivateKey.generate())
        to = Correspondent(bob.account, bob.engine().bundle())

        def seal(plaintext: bytes) -> str:
            return f'"{base64.b64encode(alice.seal(plaintext, to, "5")).decode()}"'

        fields = '"id":"7","conversation":"5","sender":"alice","text":null,"attachment":null'
        events = [f'data: {{{fields},"envelope":{envelope}}}\n' for envelope in deliveries(seal)]
        service.add(answer({"token": "t"}), answer({}))
        service.add(stream("event: ready", "data: {}", "", *events, ends=False))
        service.add(*[answer({"bundle": base64.b64encode(alice.bundle()).decode()})] * 10)  # also fits a receipt
        bob.join()
        return bob

    return scripted


each_way = pytest.mark.parametrize("sealed", [False, True], ids=["in the clear", "sealed"])


def post_envelope(wire: Wire, conversation: str, recipient: str, envelope: bytes) -> str:
    data = base64.b64encode(envelope).decode()
    body = {"envelopes": [{"recipient": recipient, "data": data}]}
    return str(wire.call("POST", f"/v1/conversations/{conversation}/messages", body)["id"])


def last_message(reader: Wire, conversation: str) -> dict[str, Any]:
    messages = reader.call("GET", f"/v1/conversations/{conversation}/messages")["messages"]
    found: dict[str, Any] = messages[-1]
    return found


@each_way
class TestTelling:
    def test_a_text_arrives_and_both_tell_what_they_did(self, enrol: Enrol, service_route: Route, sealed: bool) -> None:
        before = time.time()
        alice, bob = enrol("Alice", "Bob", sealed=sealed)
        conversation = alice.self.start_conversation([bob.account])
        message = alice.self.send(conversation, [bob.account], Content("Meet me at 5pm — ☕"))
        assert bob.self.receive() == Content("Meet me at 5pm — ☕")
        after = time.time()

        (sent,), (read,) = alice.told(Deed.SENT), bob.told(Deed.READ)
        said: dict[str, Any] = {
            "message": message,
            "text": "Meet me at 5pm — ☕",
            "size": len("Meet me at 5pm — ☕".encode()),
        }
        assert sent == Statement("Alice", Deed.SENT, sent.time, alice.account, peer=bob.account, **said)
        assert read == Statement("Bob", Deed.READ, read.time, bob.account, peer=alice.account, **said)
        assert alice.told(Deed.READ) == bob.told(Deed.SENT) == []

        for someone in (alice, bob):
            (login,) = someone.told(Deed.LOGGED_IN)
            who = someone.self.person.who
            assert login == Statement(
                who, Deed.LOGGED_IN, login.time, someone.account, password=PASSWORD, host="chat.example"
            )
            connections = someone.told(Deed.CONNECTED)
            assert len({each.address for each in connections}) == len(connections) == 2  # requests, and the stream
            for each in connections:
                host, port = each.address.split(":")
                assert (host, each.host, each.who, each.account) == ("127.0.0.1", HOST, who, someone.account)
                assert 0 < int(port) != service_route.address[1]
        moments = [each.time for each in (*alice.statements, *bob.statements)]
        assert all(before <= moment <= after for moment in moments)
        assert sent.time <= read.time

    def test_a_file_arrives_with_its_name(self, enrol: Enrol, sealed: bool) -> None:
        alice, bob = enrol("Alice", "Bob", sealed=sealed)
        conversation = alice.self.start_conversation([bob.account])
        assert MAP.file is not None
        alone = Content(file=MAP.file)
        for content in (MAP, alone):
            alice.self.send(conversation, [bob.account], content)
            assert bob.self.receive() == content
        for statements in (alice.told(Deed.SENT), bob.told(Deed.READ)):
            found = [(each.text, each.file_name, each.file, each.size) for each in statements]
            data = MAP.file.data
            assert found == [(MAP.text, "map.png", data, MAP.size), ("", "map.png", data, len(data))]

    def test_a_group_of_three_reads_what_each_of_them_writes(self, enrol: Enrol, sealed: bool) -> None:
        people = enrol("Alice", "Bob", "Carol", sealed=sealed)
        conversation = people[0].self.start_conversation([each.account for each in people[1:]])
        for sender in people:
            others = [each for each in people if each is not sender]
            content = Content(f"It is me, {sender.account}")
            message = sender.self.send(conversation, [each.account for each in others], content)
            (sent,) = sender.told(Deed.SENT)
            assert sent.peer == ", ".join(each.account for each in others)
            for each in others:
                assert each.self.receive() == content
                read = each.told(Deed.READ)[-1]
                assert (read.message, read.peer, read.text) == (message, sender.account, content.text)

    def test_the_service_learns_who_got_and_read_it(self, enrol: Enrol, sealed: bool) -> None:
        alice, bob = enrol("Alice", "Bob", sealed=sealed)
        conversation = alice.self.start_conversation([bob.account])
        message = alice.self.send(conversation, [bob.account], Content("Hi"))
        with closing(alice.raw()) as raw:
            assert raw.call("GET", f"/v1/messages/{message}")["receipts"] == []
            bob.self.receive()
            receipts = raw.call("GET", f"/v1/messages/{message}")["receipts"]
        assert [(each["account"], each["state"]) for each in receipts] == [
            (bob.account, "delivered"),
            (bob.account, "read"),
        ]

    def test_the_service_keeps_the_text_only_if_it_was_not_sealed(
        self, enrol: Enrol, service_database: Path, sealed: bool
    ) -> None:
        alice, bob = enrol("Alice", "Bob", sealed=sealed)
        conversation = alice.self.start_conversation([bob.account])
        message = alice.self.send(conversation, [bob.account], MAP)
        with closing(bob.raw()) as raw:
            kept = last_message(raw, conversation)
        assert (kept["text"] is None, kept["attachment"] is None, kept["envelope"] is None) == (
            (True, True, False) if sealed else (False, False, True)
        )
        with closing(sqlite3.connect(service_database)) as database:
            rows = database.execute("SELECT * FROM messages WHERE id = ?", (message,)).fetchall()
            rows += database.execute("SELECT * FROM envelopes WHERE message = ?", (message,)).fetchall()
        assert (MAP.text in repr(rows)) is not sealed
        assert ("map.png" in repr(rows)) is not sealed
        assert bob.self.receive() == MAP

    def test_who_is_refused_tells_nothing(self, enrol: Enrol, sealed: bool) -> None:
        alice, bob = enrol("Alice", "Bob", sealed=sealed)
        conversation = alice.self.start_conversation([bob.account])
        with pytest.raises(WireError, match=r"409 The name '.*' is taken"):
            alice.self.join()
        with pytest.raises(WireError, match="404"):
            alice.self.send("no-conversation", [bob.account], Content("Hi"))
        assert len(alice.told(Deed.LOGGED_IN)) == 1
        assert alice.told(Deed.SENT) == []
        alice.self.send(conversation, [bob.account], Content("Hi"))
        assert len(alice.told(Deed.SENT)) == 1

    def test_nobody_receives_without_listening(self, make: Make, sealed: bool) -> None:
        alice = make("Alice", sealed=sealed)
        with pytest.raises(WireError, match="Alice is not listening"):
            alice.self.receive()


class TestSealed:
    """Everything a service could deliver instead of what Alice sealed. After each, the real thing is still read."""

    @pytest.fixture
    def pair(self, enrol: Enrol) -> tuple[Someone, Someone]:
        alice, bob = enrol("Alice", "Bob", sealed=True)
        return alice, bob

    def test_the_same_envelope_again_is_refused(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], Content("Pay 10 euros"))
        assert bob.self.receive() == Content("Pay 10 euros")
        with closing(bob.raw()) as reader, closing(alice.raw()) as raw:
            envelope = base64.b64decode(last_message(reader, conversation)["envelope"])
            post_envelope(raw, conversation, bob.account, envelope)
        with pytest.raises(EnvelopeError, match="opened before"):
            bob.self.receive()
        assert len(bob.told(Deed.READ)) == 1
        alice.self.send(conversation, [bob.account], Content("Pay 10 euros"))  # she does mean it twice
        assert bob.self.receive() == Content("Pay 10 euros")

    def test_a_changed_envelope_is_refused_and_does_not_spend_the_real_one(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        engine = alice.engine()
        to = Correspondent(bob.account, bob.engine().bundle())
        envelope = engine.seal(b'{"text":"Pay 10 euros"}', to, conversation)
        with closing(alice.raw()) as raw:
            for changed in (envelope[:-1] + bytes([envelope[-1] ^ 1]), envelope[:50], b"", envelope + b"\0"):
                refused = post_envelope(raw, conversation, bob.account, changed)
                with pytest.raises(EnvelopeError):
                    bob.self.receive()
                assert [each["state"] for each in raw.call("GET", f"/v1/messages/{refused}")["receipts"]] == [
                    "delivered"
                ]
            assert bob.told(Deed.READ) == []
            post_envelope(raw, conversation, bob.account, envelope)
            assert bob.self.receive() == Content("Pay 10 euros")

    def test_an_envelope_from_another_conversation_or_sender_is_refused(self, enrol: Enrol) -> None:
        alice, bob, carol = enrol("Alice", "Bob", "Carol", sealed=True)
        here, there = (alice.self.start_conversation([bob.account, carol.account]) for _ in range(2))
        envelope = alice.engine().seal(
            b'{"text":"Hi"}', Correspondent(bob.account, bob.engine().bundle()), conversation=here
        )
        for sender, conversation in ((alice, there), (carol, here)):
            with closing(sender.raw()) as raw:
                data = base64.b64encode(envelope).decode()
                others = [each.account for each in (alice, bob, carol) if each is not sender]
                body = {"envelopes": [{"recipient": each, "data": data} for each in others]}
                raw.call("POST", f"/v1/conversations/{conversation}/messages", body)
            with pytest.raises(EnvelopeError, match="not authentic"):
                bob.self.receive()
        with closing(alice.raw()) as raw:
            raw.call(
                "POST",
                f"/v1/conversations/{here}/messages",
                {"envelopes": [{"recipient": each.account, "data": data} for each in (bob, carol)]},
            )
        assert bob.self.receive() == Content("Hi")

    def test_what_comes_unsealed_is_refused(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        with closing(alice.raw()) as raw:
            raw.call("POST", f"/v1/conversations/{conversation}/messages", {"content": {"text": "Trust me"}})
        with pytest.raises(EnvelopeError):
            bob.self.receive()
        assert bob.told(Deed.READ) == []
        alice.self.send(conversation, [bob.account], Content("Trust me"))
        assert bob.self.receive() == Content("Trust me")

    @pytest.mark.parametrize(
        "plaintext", [b"", b"Hi", b"{", b"{}", b"[]", b"\xff", b'{"text":5}', b'{"attachment":{}}', b"[" * 100_000]
    )
    def test_an_envelope_that_holds_no_message_is_refused(self, scripted: Script, plaintext: bytes) -> None:
        """From Alice herself, so every signature is right."""
        bob = scripted(lambda seal: [seal(plaintext), seal(b'{"text":"Hi"}')])
        with pytest.raises(EnvelopeError, match="no message"):
            bob.self.receive()
        assert bob.self.receive() == Content("Hi")
        assert len(bob.told(Deed.READ)) == 1

    @pytest.mark.parametrize("envelope", ['"!"', '"AAA"', '"AA AA=="', '"é"', '""', "null"])
    def test_what_is_no_base64_is_refused(self, scripted: Script, envelope: str) -> None:
        bob = scripted(lambda seal: [envelope, seal(b'{"text":"Hi"}')])
        with pytest.raises(EnvelopeError):
            bob.self.receive()
        assert bob.self.receive() == Content("Hi")

    def test_nothing_is_sealed_for_somebody_without_keys(self, make: Make, enrol: Enrol) -> None:
        (alice,) = enrol("Alice", sealed=True)
        bob = make("Bob", sealed=False)
        bob.join()
        conversation = alice.self.start_conversation([bob.account])
        with pytest.raises(WireError, match="404 No keys are published under this name"):
            alice.self.send(conversation, [bob.account], Content("Hi"))
        assert alice.told(Deed.SENT) == []
        with closing(bob.raw()) as raw:
            raw.call("PUT", "/v1/keys", {"bundle": base64.b64encode(bob.engine().bundle()).decode()})
        assert alice.self.send(conversation, [bob.account], Content("Hi"))
        with pytest.raises(WireError, match="neither text nor a file"):
            bob.self.receive()  # he cannot read it as it is

    def test_other_keys_for_a_known_account_change_nothing_and_for_a_new_one_everything(self, enrol: Enrol) -> None:
        """The service hands out keys of its own for Bob. Alice has his pinned; Carol asks for the first time."""
        alice, bob, carol = enrol("Alice", "Bob", "Carol", sealed=True)
        conversation = alice.self.start_conversation([bob.account, carol.account])
        alice.self.send(conversation, [bob.account, carol.account], Content("Hi"))
        assert bob.self.receive() == carol.self.receive() == Content("Hi")
        with closing(DeviceStore(alice.device.with_name("operator.db"))) as store:
            operator = OneShot(bob.account, store.identity(), store.encryption())
        with closing(bob.raw()) as raw:
            raw.call("PUT", "/v1/keys", {"bundle": base64.b64encode(operator.bundle()).decode()})

            alice.self.send(conversation, [bob.account, carol.account], Content("Still you?"))
            envelope = base64.b64decode(last_message(raw, conversation)["envelope"])
            assert bob.self.receive() == carol.self.receive() == Content("Still you?")
            with pytest.raises(EnvelopeError):
                operator.open(envelope, Correspondent(alice.account, alice.engine().bundle()), conversation)

            carol.self.send(conversation, [alice.account, bob.account], Content("Hello Bob"))
            envelope = base64.b64decode(last_message(raw, conversation)["envelope"])
        assert alice.self.receive() == Content("Hello Bob")
        with pytest.raises(EnvelopeError):
            bob.self.receive()
        stolen = operator.open(envelope, Correspondent(carol.account, carol.engine().bundle()), conversation)
        assert stolen == b'{"text":"Hello Bob"}'


class TestLeaving:
    """What is left at a service once a participant has gone."""

    @each_way
    def test_every_connection_and_the_device_are_closed(
        self, peer: Peers, make: Make, authority_file: Path, sealed: bool
    ) -> None:
        keys = [answer({})] * sealed
        ready = stream("event: ready", "data: {}", "", ends=False)
        service = peer(answer({"token": "t"}), *keys, ready, answer({"id": "5"}))
        alice = make("Alice", sealed=sealed, route=Route(f"http://{HOST}", service.address, authority_file))
        with alice.self:
            alice.join()
            assert alice.self.start_conversation(["bob"]) == "5"
            assert [connection.ended for connection in service.connections] == [False, False]
        service.wait()
        assert [connection.ended for connection in service.connections] == [True, True]
        addresses = [f"{host}:{port}" for host, port in (connection.client for connection in service.connections)]
        assert [each.address for each in alice.told(Deed.CONNECTED)] == addresses
        with pytest.raises(sqlite3.ProgrammingError):
            alice.self._store.pinned("bob")

    def test_a_stream_that_does_not_begin_as_agreed_is_refused_and_closed(
        self, peer: Peers, make: Make, authority_file: Path
    ) -> None:
        service = peer(stream("event: welcome", "data: {}", "", ends=False))
        alice = make("Alice", sealed=False, route=Route(f"http://{HOST}", service.address, authority_file))
        with alice.self, pytest.raises(WireError, match="began with 'welcome' instead of 'ready'"):
            alice.self.listen()
        service.wait()
        assert service.connections[0].ended
