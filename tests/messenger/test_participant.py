"""Alice, Bob and Carol write to each other over a real service, in the clear and encrypted, and tell what they did."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lab.e2ee.protocol import E2EEError
from lab.e2ee.textbook_rsa import TooLongError
from lab.messenger.content import Content
from lab.messenger.store import Table
from lab.messenger.wire import Route, WireError
from lab.model import Deed, Encryption, LabError, Statement

from .conftest import HOST, MAP, PASSWORD, Enrol, Make, Peers, answer, last_message, stream

each_way = pytest.mark.parametrize("encryption", [None, Encryption.PQXDH], ids=["in the clear", "encrypted"])


@each_way
class TestTelling:
    def test_a_text_arrives_and_both_tell_what_they_did(
        self, enrol: Enrol, service_route: Route, encryption: Encryption | None
    ) -> None:
        before = time.time()
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
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

    def test_a_file_arrives_with_its_name(self, enrol: Enrol, encryption: Encryption | None) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
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

    def test_two_people_answer_each_other(self, enrol: Enrol, encryption: Encryption | None) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
        conversation = alice.self.start_conversation([bob.account])
        for turn in range(3):
            for sender, reader in ((alice, bob), (bob, alice)):
                content = Content(f"{sender.account}, turn {turn}")
                sender.self.send(conversation, [reader.account], content)
                assert reader.self.receive() == content

    def test_two_people_begin_at_the_same_time(self, enrol: Enrol, encryption: Encryption | None) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
        conversation = alice.self.start_conversation([bob.account])
        for turn in range(3):
            for sender, reader in ((alice, bob), (bob, alice)):
                sender.self.send(conversation, [reader.account], Content(f"{sender.account}, turn {turn}"))
            for sender, reader in ((alice, bob), (bob, alice)):
                assert reader.self.receive() == Content(f"{sender.account}, turn {turn}")

    def test_a_group_of_three_reads_what_each_of_them_writes(self, enrol: Enrol, encryption: Encryption | None) -> None:
        people = enrol("Alice", "Bob", "Carol", encryption=encryption)
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

    def test_the_service_learns_who_got_and_read_it(self, enrol: Enrol, encryption: Encryption | None) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
        conversation = alice.self.start_conversation([bob.account])
        message = alice.self.send(conversation, [bob.account], Content("Hi"))
        with alice.raw() as raw:
            assert raw.call("GET", f"/v1/messages/{message}")["receipts"] == []
            bob.self.receive()
            receipts = raw.call("GET", f"/v1/messages/{message}")["receipts"]
        assert [(each["account"], each["state"]) for each in receipts] == [
            (bob.account, "delivered"),
            (bob.account, "read"),
        ]

    def test_who_does_not_want_to_confirm_does_not(self, enrol: Enrol, encryption: Encryption | None) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
        conversation = alice.self.start_conversation([bob.account])
        message = alice.self.send(conversation, [bob.account], Content("Hi"))
        assert bob.self.receive(confirm=False) == Content("Hi")
        with alice.raw() as raw:
            assert raw.call("GET", f"/v1/messages/{message}")["receipts"] == []

    def test_the_service_keeps_the_text_only_if_it_was_not_sealed(
        self, enrol: Enrol, service_database: Path, encryption: Encryption | None
    ) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], MAP)
        with bob.raw() as raw:
            kept = last_message(raw, conversation, 1 if encryption else None)
        assert (kept["text"] is None, kept["attachment"] is None, kept["envelope"] is None) == (
            (True, True, False) if encryption else (False, False, True)
        )
        with closing(sqlite3.connect(service_database)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            rows = repr([database.execute(f"SELECT * FROM {table}").fetchall() for table in tables])  # noqa: S608
        # Other tests write to the same service; this text and this name are in what Alice sent in the clear as well.
        assert conversation in rows
        if encryption is None:
            assert MAP.text in rows
            assert "map.png" in rows
        assert bob.self.receive() == MAP

    def test_who_is_refused_tells_nothing(self, enrol: Enrol, encryption: Encryption | None) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
        conversation = alice.self.start_conversation([bob.account])
        with pytest.raises(WireError, match=r"409 The name '.*' is taken"):
            alice.self.join()
        with pytest.raises(WireError, match="404"):
            alice.self.send("no-conversation", [bob.account], Content("Hi"))
        assert len(alice.told(Deed.LOGGED_IN)) == 1
        assert alice.told(Deed.SENT) == []
        alice.self.send(conversation, [bob.account], Content("Hi"))
        assert len(alice.told(Deed.SENT)) == 1

    def test_what_was_refused_is_not_tried_again(self, enrol: Enrol, encryption: Encryption | None) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
        conversation = alice.self.start_conversation([bob.account])
        with pytest.raises(WireError, match="404"):
            alice.self.send("no-conversation", [bob.account], Content("Refused"))
        alice.self.resume()
        alice.self.send(conversation, [bob.account], Content("Hi"))
        assert bob.self.receive() == Content("Hi")

    def test_nobody_receives_without_listening(self, make: Make, encryption: Encryption | None) -> None:
        alice = make("Alice", encryption)
        with pytest.raises(WireError, match="Alice is not listening"):
            alice.self.receive()

    def test_a_prepared_message_is_sent_when_it_is_posted(self, enrol: Enrol, encryption: Encryption | None) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
        conversation = alice.self.start_conversation([bob.account])
        first = alice.self.prepare(conversation, [bob.account], Content("Sealed first"))
        assert alice.told(Deed.SENT) == []
        alice.self.send(conversation, [bob.account], Content("Posted first"))
        assert alice.self.post(first) == first.id
        assert [bob.self.receive().text for _ in range(2)] == ["Posted first", "Sealed first"]
        assert [each.text for each in alice.told(Deed.SENT)] == ["Posted first", "Sealed first"]


class TestEngines:
    """Whatever encryption a lesson names goes through the same participant."""

    @pytest.mark.parametrize(
        ("encryption", "padded"),
        [(Encryption.PQXDH, True), *((encryption, False) for encryption in Encryption)],
    )
    def test_people_write_to_each_other(self, enrol: Enrol, encryption: Encryption, padded: bool) -> None:
        if encryption is Encryption.OLM:
            pytest.importorskip("vodozemac")
        people = enrol("Alice", "Bob", "Carol", encryption=encryption, padded=padded)
        alice, bob, carol = people
        pair = alice.self.start_conversation([bob.account])
        for sender, reader in ((alice, bob), (bob, alice), (alice, bob)):
            sender.self.send(pair, [reader.account], Content(f"Hi {reader.account}"))
            assert reader.self.receive() == Content(f"Hi {reader.account}")
        group = carol.self.start_conversation([alice.account, bob.account], "Plans")
        for sender in people:
            others = [each for each in people if each is not sender]
            for text in ("First", "Second"):
                sender.self.send(group, [each.account for each in others], Content(text))
                assert [each.self.receive().text for each in others] == [text, text]

    def test_a_text_that_rsa_does_not_take_is_not_sent(self, enrol: Enrol) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=Encryption.RSA)
        conversation = alice.self.start_conversation([bob.account])
        with pytest.raises(TooLongError):
            alice.self.send(conversation, [bob.account], Content("x" * 200))
        assert alice.told(Deed.SENT) == []
        alice.self.send(conversation, [bob.account], Content("Short"))
        assert bob.self.receive() == Content("Short")

    def test_padding_makes_texts_of_different_lengths_look_alike(self, enrol: Enrol) -> None:
        lengths = {}
        for padded in (False, True):
            alice, bob = enrol(f"Alice-{padded}", f"Bob-{padded}", padded=padded)
            conversation = alice.self.start_conversation([bob.account])
            found = []
            for text in ("Yes", "Yes, but not before half past five"):
                body = alice.self.prepare(conversation, [bob.account], Content(text)).body
                found.append(len(body["envelopes"][0]["data"]))
            lengths[padded] = found
        assert lengths[False][0] < lengths[False][1]
        assert lengths[True][0] == lengths[True][1]


class TestLeaving:
    """What is left at a service once a participant has gone."""

    @each_way
    def test_every_connection_and_the_device_are_closed(
        self, peer: Peers, make: Make, authority_file: Path, encryption: Encryption | None
    ) -> None:
        published = [answer({}), answer({})] if encryption else []
        ready = stream("event: ready", "data: {}", "", ends=False)
        service = peer(answer({"token": "t"}), *published, ready, answer({"id": "5"}))
        alice = make("Alice", encryption, route=Route(f"http://{HOST}", service.address, authority_file))
        with alice.self:
            alice.join()
            assert alice.self.start_conversation(["bob"]) == "5"
            assert [connection.ended for connection in service.connections] == [False, False]
        service.wait()
        assert [connection.ended for connection in service.connections] == [True, True]
        addresses = [f"{host}:{port}" for host, port in (connection.client for connection in service.connections)]
        assert [each.address for each in alice.told(Deed.CONNECTED)] == addresses
        with pytest.raises(LabError, match="closed"):
            alice.self._store.get(Table.CONTACTS, "bob")

    def test_a_stream_that_does_not_begin_as_agreed_is_refused_and_closed(
        self, peer: Peers, make: Make, authority_file: Path
    ) -> None:
        service = peer(stream("event: welcome", "data: {}", "", ends=False))
        alice = make("Alice", None, route=Route(f"http://{HOST}", service.address, authority_file))
        with pytest.raises(WireError, match="began with 'welcome' instead of 'ready'") as refused:
            alice.self.listen()
        assert refused.tb is not None  # which holds the stream, so that nobody else closes it
        service.wait()
        assert service.connections[0].ended


class TestWithoutEncryption:
    def test_a_device_that_does_not_encrypt_has_no_keys_to_ask_about(self, enrol: Enrol) -> None:
        (alice,) = enrol("Alice", encryption=None)
        for ask in (alice.self.safety_number, alice.self.safety_code, alice.self.verify, alice.self.accept_identity):
            with pytest.raises(E2EEError, match="not encrypted"):
                ask("bob")
        copy = alice.self.copy()
        assert (copy.account, copy.number, copy.device, copy.sessions) == (alice.account, 1, b"", {})

    def test_a_message_that_says_nothing_is_passed_over(self, peer: Peers, make: Make, authority_file: Path) -> None:
        """By a service that delivers one without content; without encryption there is nobody else to blame."""
        fields = '"conversation":"5","sender":"alice","attachment":null'
        events = [
            f'data: {{"id":"7","sequence":1,{fields},"text":null}}\n',
            f'data: {{"id":"8","sequence":2,{fields},"text":"Hi"}}\n',
        ]
        service = peer(answer({"token": "t"}), stream("event: ready", "data: {}", "", *events, ends=False))
        service.add(*[answer({})] * 2)
        bob = make("Bob", None, route=Route(f"http://{HOST}", service.address, authority_file))
        bob.join()
        with pytest.raises(WireError, match="neither text nor a file"):
            bob.self.receive()
        assert bob.self.receive() == Content("Hi")
