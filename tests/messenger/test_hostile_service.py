"""Everything a service could do to what Alice and Bob seal for each other. After each, the real thing is still read."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.e2ee.files import FileKey
from lab.e2ee.identity import DeviceKeys, sign_device_list
from lab.e2ee.protocol import E2EEError
from lab.messenger.contacts import NoKeysError
from lab.messenger.content import Content
from lab.messenger.sealing import Sealing
from lab.messenger.wire import Route, WireError
from lab.model import Deed

from .conftest import HOST, MAP, Enrol, Make, Peers, Someone, answer, last_message, stream

HI = Content("Hi")

FILE = FileKey("map.png", "image/png", 5, bytes(32), bytes(32), bytes(32)).to_json()
NO_OBJECTS = [
    b"",
    b"Hi",
    b"{",
    b"[]",
    b"\xff",
    b"[" * 100_000,
    b"{}",
    b'{"text":"Hi"}',
    b'{"conversation":5,"text":"Hi"}',
]
NO_CONTENT: list[dict[str, object]] = [
    {},
    {"text": 5},
    {"text": None},
    {"text": "\ud800"},
    {"attachment": {}},
    {"attachment": {"id": "x"}},
    {"attachment": FILE | {"id": None}},
    {"attachment": FILE | {"id": "\ud800"}},
    {"attachment": FILE | {"id": "x", "key": "AAAA"}},
    {"sender_key": "AAAA"},
]
"""Fields of a message in the right conversation that says nothing."""


@pytest.fixture
def pair(enrol: Enrol) -> tuple[Someone, Someone]:
    alice, bob = enrol("Alice", "Bob")
    return alice, bob


def post_as(someone: Someone, conversation: str, body: Mapping[str, Any]) -> str:
    """What the service could do in the name of `someone`: deliver this as a new message."""
    message = str(uuid4())
    with someone.raw() as raw:
        raw.call("POST", f"/v1/conversations/{conversation}/messages", {**body, "id": message})
    return message


def with_envelope(body: Mapping[str, Any], envelope: bytes) -> dict[str, Any]:
    """`body` with another envelope for its only reader."""
    (only,) = body["envelopes"]
    return {**body, "envelopes": [{**only, "data": base64.b64encode(envelope).decode()}]}


def envelope_of(body: Mapping[str, Any]) -> bytes:
    (only,) = body["envelopes"]
    return base64.b64decode(only["data"])


def receipts(someone: Someone, message: str) -> list[str]:
    with someone.raw() as raw:
        return [each["state"] for each in raw.call("GET", f"/v1/messages/{message}?device=1")["receipts"]]


class TestEnvelopes:
    def test_the_same_envelope_again_is_refused_and_that_is_told(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        prepared = alice.self.prepare(conversation, [bob.account], Content("Pay 10 euros"))
        alice.self.post(prepared)
        again = alice.self.post(prepared, again=True)
        assert bob.self.receive() == Content("Pay 10 euros")
        with pytest.raises(E2EEError) as refused:
            bob.self.receive()
        (told,) = bob.told(Deed.REFUSED)
        assert (told.message, told.peer, told.reason) == (again, alice.account, str(refused.value))
        assert told.text == ""
        assert receipts(alice, again) == []
        assert len(bob.told(Deed.READ)) == len(alice.told(Deed.SENT)) == 1
        alice.self.send(conversation, [bob.account], Content("Pay 10 euros"))  # she does mean it twice
        assert bob.self.receive() == Content("Pay 10 euros")

    def test_a_changed_envelope_is_refused_and_does_not_spend_the_real_one(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        prepared = alice.self.prepare(conversation, [bob.account], Content("Pay 10 euros"))
        envelope = envelope_of(prepared.body)
        for changed in (envelope[:-1] + bytes([envelope[-1] ^ 1]), envelope[:50], b"", envelope + b"\0"):
            refused = post_as(alice, conversation, with_envelope(prepared.body, changed))
            with pytest.raises(E2EEError):
                bob.self.receive()
            assert receipts(alice, refused) == []
        assert bob.told(Deed.READ) == []
        alice.self.post(prepared)
        assert bob.self.receive() == Content("Pay 10 euros")

    def test_an_envelope_is_refused_in_another_conversation_and_as_from_another_sender(self, enrol: Enrol) -> None:
        alice, bob, carol = enrol("Alice", "Bob", "Carol")
        here, there = (alice.self.start_conversation([bob.account]) for _ in range(2))
        with_carol = carol.self.start_conversation([bob.account])
        prepared = alice.self.prepare(here, [bob.account], HI)
        post_as(alice, there, prepared.body)
        with pytest.raises(E2EEError, match="another conversation"):
            bob.self.receive()
        post_as(carol, with_carol, prepared.body)
        with pytest.raises(E2EEError):
            bob.self.receive()
        assert bob.told(Deed.READ) == []
        alice.self.post(prepared)
        assert bob.self.receive() == HI

    def test_what_comes_unsealed_is_refused(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        post_as(alice, conversation, {"content": {"text": "Trust me"}})
        with pytest.raises(E2EEError, match="not sealed"):
            bob.self.receive()
        assert bob.told(Deed.READ) == []
        alice.self.send(conversation, [bob.account], Content("Trust me"))
        assert bob.self.receive() == Content("Trust me")

    def test_an_envelope_that_holds_no_message_is_refused(
        self, pair: tuple[Someone, Someone], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """From Alice herself, so every key is right."""
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        plaintexts = [
            *NO_OBJECTS,
            *(json.dumps({"conversation": conversation, **each}).encode() for each in NO_CONTENT),
        ]
        for plaintext in plaintexts:
            with monkeypatch.context() as patch:
                patch.setattr(Sealing, "_dump", lambda *_, plaintext=plaintext: plaintext)
                alice.self.send(conversation, [bob.account], HI)
            with pytest.raises(E2EEError):
                bob.self.receive()
        alice.self.send(conversation, [bob.account], HI)
        assert bob.self.receive() == HI
        assert len(bob.told(Deed.READ)) == 1
        assert len(bob.told(Deed.REFUSED)) == len(plaintexts)

    def test_the_padding_of_one_side_is_not_guessed_by_the_other(self, make: Make) -> None:
        alice, bob = make("Alice", padded=True), make("Bob", padded=False)
        for someone in (alice, bob):
            someone.join()
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], HI)
        with pytest.raises(E2EEError, match="no message"):
            bob.self.receive()
        bob.self.send(conversation, [alice.account], HI)
        with pytest.raises(E2EEError, match="padding"):
            alice.self.receive()


class TestFiles:
    def test_a_file_that_was_exchanged_at_the_service_is_refused(
        self, pair: tuple[Someone, Someone], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        for blob in (b"", b"Something else", bytes(3000)):
            alice.self.send(conversation, [bob.account], MAP)
            with monkeypatch.context() as patch:
                patch.setattr(bob.self._operations, "download", lambda _, blob=blob: blob)
                with pytest.raises(E2EEError, match="not the file"):
                    bob.self.receive()
        assert len(bob.told(Deed.REFUSED)) == 3
        alice.self.send(conversation, [bob.account], MAP)
        assert bob.self.receive() == MAP

    def test_a_file_that_the_service_does_not_have_is_refused(
        self, pair: tuple[Someone, Someone], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        with monkeypatch.context() as patch:
            patch.setattr(alice.self._operations, "upload", lambda _: "nowhere")
            alice.self.send(conversation, [bob.account], MAP)
        with pytest.raises(E2EEError, match="404 There is no such blob"):
            bob.self.receive()
        assert bob.told(Deed.READ) == []
        alice.self.send(conversation, [bob.account], MAP)
        assert bob.self.receive() == MAP

    def test_a_file_that_could_not_be_fetched_is_fetched_the_next_time(
        self, pair: tuple[Someone, Someone], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], MAP)

        def fail(_: str) -> bytes:
            raise WireError("no answer in time")

        with monkeypatch.context() as patch:
            patch.setattr(bob.self._operations, "download", fail)
            with pytest.raises(WireError, match="no answer in time"):
                bob.self.receive()
        assert bob.told(Deed.REFUSED) == []
        assert bob.self.receive() == MAP
        assert len(bob.told(Deed.READ)) == 1


class TestWhoReads:
    """The service knows who is in a conversation and which devices there are. It must not be able to add any."""

    def test_nothing_is_sealed_for_somebody_without_keys(self, make: Make, enrol: Enrol) -> None:
        (alice,) = enrol("Alice")
        bob = make("Bob", None)
        bob.join()
        conversation = alice.self.start_conversation([bob.account])
        with pytest.raises(NoKeysError, match=f"no keys to encrypt with for {bob.account}: nothing was sent"):
            alice.self.send(conversation, [bob.account], HI)
        assert alice.told(Deed.SENT) == []

    def test_a_member_whom_the_sender_does_not_know_of_gets_nothing(self, enrol: Enrol) -> None:
        alice, bob, mallory = enrol("Alice", "Bob", "Mallory")
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], HI)
        with alice.raw() as raw:
            raw.call("POST", f"/v1/conversations/{conversation}/members", {"account": mallory.account})
        with pytest.raises(WireError, match=f"{mallory.account} is a member of the conversation as well"):
            alice.self.send(conversation, [bob.account], Content("For Bob alone"))
        alice.self.resume()
        with alice.raw() as raw:
            raw.call("DELETE", f"/v1/conversations/{conversation}/members/{mallory.account}")
        alice.self.send(conversation, [bob.account], Content("For Bob alone"))
        assert [bob.self.receive().text for _ in range(2)] == ["Hi", "For Bob alone"]

    def test_a_device_that_the_account_has_not_signed_gets_nothing(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], HI)
        with bob.raw() as raw:
            listed = raw.call("GET", f"/v1/accounts/{bob.account}/device-list")
            raw.call("PUT", "/v1/device-list", {"data": listed["data"], "devices": [1, 2]})
        with pytest.raises(WireError, match=f"a device of {bob.account} that is not in its device list"):
            alice.self.send(conversation, [bob.account], Content("For Bob alone"))
        with bob.raw() as raw:
            raw.call("PUT", "/v1/device-list", {"data": listed["data"], "devices": [1]})
        alice.self.send(conversation, [bob.account], Content("For Bob alone"))
        assert [bob.self.receive().text for _ in range(2)] == ["Hi", "For Bob alone"]

    def test_keys_that_the_device_has_not_signed_are_refused(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        with bob.raw() as raw, alice.raw() as other:
            signed = other.call("POST", f"/v1/accounts/{alice.account}/handouts", {})["devices"][0]["signed"]
            raw.call("PUT", "/v1/devices/1/keys", {"signed": signed})
        with pytest.raises(E2EEError, match="signature"):
            alice.self.send(conversation, [bob.account], HI)
        assert alice.told(Deed.SENT) == []

    def test_a_device_that_has_published_nothing_is_named(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        with bob.raw() as raw:
            listed = raw.call("GET", f"/v1/accounts/{bob.account}/device-list")
            for devices in ([2], [1]):  # the service forgets the keys of device 1
                raw.call("PUT", "/v1/device-list", {"data": listed["data"], "devices": devices})
        with pytest.raises(NoKeysError, match=f"no keys to encrypt with for {bob.account}"):
            alice.self.send(conversation, [bob.account], HI)

    def test_a_message_from_a_device_that_is_not_listed_is_refused(self, pair: tuple[Someone, Someone]) -> None:
        alice, bob = pair
        conversation = alice.self.start_conversation([bob.account])
        prepared = alice.self.prepare(conversation, [bob.account], HI)
        with alice.raw() as raw:
            listed = raw.call("GET", f"/v1/accounts/{alice.account}/device-list")
            raw.call("PUT", "/v1/device-list", {"data": listed["data"], "devices": [1, 2]})
        (bobs,) = prepared.body["envelopes"]
        own = {"recipient": alice.account, "device": 1, "data": bobs["data"]}
        post_as(alice, conversation, {"device": 2, "envelopes": [bobs, own]})
        with pytest.raises(E2EEError, match="no such device"):
            bob.self.receive()
        own["device"] = 2
        post_as(alice, conversation, {"device": 1, "envelopes": [bobs, own]})
        assert bob.self.receive() == HI


class TestStreams:
    """Bob at a service that delivers whatever it is told to."""

    def _bob(self, peer: Peers, make: Make, authority_file: Path, *events: str) -> Someone:
        service = peer(answer({"token": "t"}), answer({}), answer({}))
        service.add(stream("event: ready", "data: {}", "", *[f"{event}\n" for event in events], ends=False))
        account_key, device = Ed25519PrivateKey.generate(), DeviceKeys.new("alice", 1, lambda size: b"\1" * size)
        data = sign_device_list(account_key, "alice", 1, (device.public,)) if events else b""
        service.add(*[answer({"data": base64.b64encode(data).decode()})] * 9)
        bob = make("Bob", route=Route(f"http://{HOST}", service.address, authority_file))
        bob.join()
        return bob

    @pytest.mark.parametrize("envelope", ["!", "AAA", "AA AA==", "é", ""])
    @pytest.mark.parametrize("part", ["envelope", "shared"])
    def test_what_is_no_base64_is_refused(
        self, peer: Peers, make: Make, authority_file: Path, part: str, envelope: str
    ) -> None:
        fields = {"id": "7", "sequence": 1, "conversation": "5", "sender": "alice", "device": 1, part: envelope}
        bob = self._bob(peer, make, authority_file, f"data: {json.dumps(fields)}")
        with pytest.raises(E2EEError):
            bob.self.receive()
        (told,) = bob.told(Deed.REFUSED)
        assert (told.message, told.peer) == ("7", "alice")

    @pytest.mark.parametrize(
        "changed",
        [
            {"id": None},
            {"id": 5},
            {"id": "\ud800"},
            {"sequence": "1"},
            {"sequence": -1},
            {"sequence": True},
            {"sequence": 2**63},
            {"sequence": 1.5},
            {"conversation": None},
            {"sender": ["alice"]},
            {"device": "1"},
            {"device": -1},
            {"envelope": 5},
            {"shared": {}},
        ],
    )
    def test_a_message_of_another_shape_is_an_error_of_the_wire(
        self, peer: Peers, make: Make, authority_file: Path, changed: Mapping[str, Any]
    ) -> None:
        fields = {"id": "7", "sequence": 1, "conversation": "5", "sender": "alice", "device": 1, "envelope": "AAAA"}
        bob = self._bob(
            peer, make, authority_file, f"data: {json.dumps({**fields, **changed})}", f"data: {json.dumps(fields)}"
        )
        with pytest.raises(WireError, match="not of the agreed shape"):
            bob.self.receive()
        assert bob.told(Deed.REFUSED) == []
        with pytest.raises(E2EEError):  # the next one is looked at
            bob.self.receive()

    def test_a_message_from_no_device_and_one_from_a_strange_name_are_refused(
        self, peer: Peers, make: Make, authority_file: Path
    ) -> None:
        fields = {"id": "7", "sequence": 1, "conversation": "5", "sender": "alice", "envelope": "AAAA"}
        others = [{"sender": "", "device": 1}, {"sender": "x" * 99, "device": 1}, {"sender": "../alice", "device": 1}]
        events = [f"data: {json.dumps({**fields, **each})}" for each in ({}, *others)]
        bob = self._bob(peer, make, authority_file, *events)
        for _ in events:
            with pytest.raises(E2EEError):
                bob.self.receive()
        assert len(bob.told(Deed.REFUSED)) == 4

    def test_a_sender_that_the_service_knows_nothing_of_is_refused(
        self, peer: Peers, make: Make, authority_file: Path
    ) -> None:
        fields = {"id": "7", "sequence": 1, "conversation": "5", "sender": "alice", "device": 1, "envelope": "AAAA"}
        service = peer(answer({"token": "t"}), answer({}), answer({}))
        service.add(stream("event: ready", "data: {}", "", f"data: {json.dumps(fields)}\n", ends=False))
        service.add(
            answer({"detail": "Nobody."}, "503 Service Unavailable"), answer({"detail": "No."}, "404 Not Found")
        )
        bob = make("Bob", route=Route(f"http://{HOST}", service.address, authority_file))
        bob.join()
        with pytest.raises(WireError, match="503 Nobody"):  # that may change: the message stays at hand
            bob.self.receive()
        assert bob.told(Deed.REFUSED) == []
        with pytest.raises(E2EEError, match="404 No"):
            bob.self.receive()
        assert [told.message for told in bob.told(Deed.REFUSED)] == ["7"]


def test_what_a_reader_may_not_confirm_is_read_nevertheless(enrol: Enrol) -> None:
    """Bob is not a member any more when he reads what was for him."""
    alice, bob, carol = enrol("Alice", "Bob", "Carol")
    conversation = alice.self.start_conversation([bob.account, carol.account])
    alice.self.send(conversation, [bob.account, carol.account], HI)
    name, fields = bob.self._events.next() if bob.self._events else ("", {})
    assert name == "message"
    with alice.raw() as raw:
        assert last_message(raw, conversation)["id"] == fields["id"]
        raw.call("DELETE", f"/v1/conversations/{conversation}/members/{bob.account}")
    bob.self._events = _Again((name, fields))  # type: ignore[assignment]
    assert bob.self.receive() == HI


class _Again:
    """A stream with one event."""

    def __init__(self, event: tuple[str, dict[str, Any]]) -> None:
        self._event = event

    def next(self) -> tuple[str, dict[str, Any]]:
        return self._event

    def close(self) -> None:
        pass
