"""What the service says about keys, held against its log: by whom a false key is noticed, and by whom it is not."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.attack.forked_log import ForkedLog, SplitView, read_log
from lab.e2ee.engines import engine_for
from lab.e2ee.identity import PublicDevice, sign_device_list
from lab.e2ee.keys import new_signing_key
from lab.e2ee.padding import pad, unpad
from lab.e2ee.prekeys import Handed
from lab.e2ee.protocol import MESSAGE_BUCKET, E2EEError
from lab.e2ee.transparency import EMPTY_ROOT, sign_tree_head
from lab.messenger.content import Content
from lab.messenger.log_view import (
    HEAD_FIELD,
    IdentitySubstitutedError,
    LogForkedError,
    LogView,
    NotInLogError,
    TransparencyError,
)
from lab.messenger.wire import WireError
from lab.model import Deed, Encryption

from .conftest import Enrol, Make, Someone, last_message

HI = Content("Hi")
SECRET = Content("Meet me at 5pm")
ENGINE = engine_for(Encryption.PQXDH, os.urandom)

type Answer = Callable[[str, str, dict[str, Any] | None], dict[str, Any] | None]
"""What the operator answers to method, path and body; None: what the service answers."""


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Double:
    """Keys that the operator has made in the name of `account`."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.key = new_signing_key(os.urandom)
        made = ENGINE.publish(ENGINE.create(account, 1), 0)
        self.state, self.signed = made.device, made.signed
        self.devices = sign_device_list(self.key, account, 1, (ENGINE.public(self.state),))

    def answer(self, _method: str, path: str, _body: object) -> dict[str, Any] | None:
        """Hand out these keys instead of the real ones."""
        if path == f"/v1/accounts/{self.account}/device-list":
            return {"name": self.account, "devices": [1], "data": encoded(self.devices)}
        if path == f"/v1/accounts/{self.account}/handouts":
            keys = {"device": 1, "signed": encoded(self.signed), "one_time": None, "one_time_kem": None}
            return {"name": self.account, "data": encoded(self.devices), "devices": [keys]}
        return None

    def read(self, sender: PublicDevice, envelope: str) -> bytes:
        """Open what was sealed for these keys."""
        return ENGINE.open(self.state, None, sender, base64.b64decode(envelope)).plaintext


class Operator:
    """Stands between one participant and the service, and may answer in its place."""

    def __init__(self, victim: Someone, patch: pytest.MonkeyPatch) -> None:
        self.answers: list[Answer] = []
        self.asked: list[str] = []
        honest = victim.self._wire.call

        def call(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
            self.asked.append(path)
            forged = (answer(method, path, body) for answer in self.answers)
            found = next((one for one in forged if one is not None), None)
            return honest(method, path, body) if found is None else found

        patch.setattr(victim.self._wire, "call", call)

    def about_the_log(self) -> list[str]:
        return [path for path in self.asked if "/log" in path and path != "/v1/login"]


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Callable[[Someone], Operator]:
    return lambda victim: Operator(victim, monkeypatch)


@pytest.fixture
def fork(service_database: Path) -> Callable[[Double], tuple[ForkedLog, Answer]]:
    """A second log that has the keys of a double."""

    def fork(double: Double) -> tuple[ForkedLog, Answer]:
        forked = ForkedLog(*read_log(service_database))
        forked.substitute(double.account, double.devices)

        def answer(_method: str, path: str, _body: object) -> dict[str, Any] | None:
            forked.follow(read_log(service_database)[1])
            body = forked.answer(path)
            return None if body is None else dict(json.loads(body))

        return forked, answer

    return fork


def head(someone: Someone) -> bytes:
    return someone.self.log_head()


def own_device(someone: Someone) -> PublicDevice:
    return someone.self._device().public


def silent(sentence: str, status: int | None) -> Answer:
    """There is no proof that the log only grew."""

    def answer(_method: str, path: str, _body: object) -> None:
        if "/log/consistency" in path:
            raise WireError(sentence, status)

    return answer


def publish_as(someone: Someone, devices: bytes) -> None:
    """What the operator can do at any time: accept a device list in the name of `someone`."""
    with someone.raw() as raw:
        raw.call("PUT", "/v1/device-list", {"data": encoded(devices), "devices": [1]})


class TestHonestService:
    def test_everybody_talks_and_nobody_is_alarmed(self, enrol: Enrol) -> None:
        alice, bob, carol = people = enrol("Alice", "Bob", "Carol", transparency=True)
        pair = alice.self.start_conversation([bob.account])
        group = carol.self.start_conversation([alice.account, bob.account], "All of us")
        for _ in range(2):
            alice.self.send(pair, [bob.account], HI)
            assert bob.self.receive() == HI
            bob.self.send(pair, [alice.account], HI)
            assert alice.self.receive() == HI
            carol.self.send(group, [alice.account, bob.account], SECRET)
            assert alice.self.receive() == bob.self.receive() == SECRET
        for person in people:
            person.self.read_log()
        assert len({head(person) for person in people}) == 1
        alice.self.compare_log("Carol", head(carol))

    def test_devices_come_and_go_and_phones_are_lost(self, enrol: Enrol, make: Make) -> None:
        alice, bob = enrol("Alice", "Bob", transparency=True)
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], HI)
        assert bob.self.receive() == HI
        laptop = make("Laptop", like=bob, number=2, transparency=True)
        bob.self.link(laptop.self)
        laptop.self.listen()
        bob.self.unlink(1)
        alice.self.send(conversation, [bob.account], SECRET)
        assert laptop.self.receive() == SECRET
        bob.self.read_log()
        laptop.self.read_log()
        phone = make("Phone", like=bob, number=3, transparency=True)
        phone.self.recover()
        phone.self.listen()
        phone.self.send(phone.self.start_conversation([alice.account]), [alice.account], HI)
        with pytest.raises(E2EEError, match=f"the identity of {bob.account} has changed"):
            alice.self.receive()

    def test_without_transparency_nobody_asks_for_the_log(
        self, make: Make, operator: Callable[[Someone], Operator]
    ) -> None:
        asked = {}
        for on in (False, True):
            alice, bob = (make(f"{name}{on}", transparency=on) for name in ("Alice", "Bob"))
            seen = [operator(each) for each in (alice, bob)]
            for each in (alice, bob):
                each.join()
            conversation = alice.self.start_conversation([bob.account])
            alice.self.send(conversation, [bob.account], HI)
            assert bob.self.receive() == HI
            asked[on] = [path for each in seen for path in each.about_the_log()]
        assert asked[False] == []
        assert "/v1/log/head" in asked[True]
        with pytest.raises(E2EEError, match="does not look at the service's log"):
            make("Dave").self.read_log()

    def test_a_list_that_is_replaced_in_this_very_moment_is_no_false_one(
        self, enrol: Enrol, make: Make, operator: Callable[[Someone], Operator]
    ) -> None:
        alice, bob = enrol("Alice", "Bob", transparency=True)
        laptop = make("Laptop", like=bob, number=2, transparency=True)
        todo = [lambda: bob.self.link(laptop.self)]

        def meanwhile(_method: str, path: str, _body: object) -> None:
            if path.endswith("/log-entry") and todo:
                todo.pop()()

        operator(alice).answers.append(meanwhile)
        alice.self.send(alice.self.start_conversation([bob.account]), [bob.account], HI)
        laptop.self.listen()
        assert bob.self.receive() == laptop.self.receive() == HI
        assert todo == []


class TestFalseKeys:
    def test_those_that_are_not_in_the_log_are_not_taken(
        self, enrol: Enrol, operator: Callable[[Someone], Operator]
    ) -> None:
        alice, bob = enrol("Alice", "Bob", transparency=True)
        conversation = alice.self.start_conversation([bob.account])
        double, between = Double(bob.account), operator(alice)
        between.answers.append(double.answer)
        with pytest.raises(NotInLogError, match=f"hands out for {bob.account} is not the one in its log"):
            alice.self.send(conversation, [bob.account], SECRET)
        assert alice.told(Deed.SENT) == []
        between.answers.clear()
        alice.self.send(conversation, [bob.account], SECRET)
        assert bob.self.receive() == SECRET

    def test_without_transparency_they_are_taken_and_read(
        self, enrol: Enrol, operator: Callable[[Someone], Operator]
    ) -> None:
        alice, bob = enrol("Alice", "Bob")
        conversation = alice.self.start_conversation([bob.account])
        double = Double(bob.account)
        operator(alice).answers.append(double.answer)
        alice.self.send(conversation, [bob.account], SECRET)
        with bob.raw() as raw:
            envelope = last_message(raw, conversation)["envelope"]
        assert SECRET.text.encode() in double.read(own_device(alice), envelope)

    @pytest.mark.parametrize("what", ["entry", "path", "number", "head", "signature", "nothing"])
    def test_no_other_proof_will_do(
        self, what: str, enrol: Enrol, operator: Callable[[Someone], Operator], service_database: Path
    ) -> None:
        alice, bob = enrol("Alice", "Bob", transparency=True)
        conversation = alice.self.start_conversation([bob.account])
        double, between = Double(bob.account), operator(alice)
        with alice.raw() as raw:
            proof = raw.call("GET", f"/v1/accounts/{bob.account}/log-entry")
        forged = ForkedLog(*read_log(service_database))
        forged.substitute(bob.account, double.devices)
        entry = json.loads(forged.answer(f"/v1/accounts/{bob.account}/log-entry") or b"")["entry"]
        changed = {
            "entry": proof | {"entry": entry},
            "path": proof | {"entry": entry, "path": proof["path"][1:]},
            "number": proof | {"entry": entry, "number": 0},
            "head": proof | {"entry": entry, "head": proof["head"] | {"root": encoded(bytes(32))}},
            "signature": proof | {"entry": entry, "head": proof["head"] | {"signature": encoded(bytes(64))}},
            "nothing": None,
        }[what]

        def answer(_method: str, path: str, _body: object) -> dict[str, Any] | None:
            if not path.endswith("/log-entry"):
                return None
            if changed is None:
                raise WireError("404 There is none", 404)
            return changed

        between.answers += [double.answer, answer]
        with pytest.raises(TransparencyError):
            alice.self.send(conversation, [bob.account], SECRET)
        assert alice.told(Deed.SENT) == []

    def test_the_owner_finds_them_in_the_log(self, enrol: Enrol, make: Make) -> None:
        (alice,) = enrol("Alice", transparency=True)
        bob = make("Bob", transparency=True)
        bob.join()
        double = Double(bob.account)
        publish_as(bob, double.devices)
        conversation = alice.self.start_conversation([bob.account])
        with suppress(E2EEError):  # the service has no keys of the double's to hand out, but its list is in the log
            alice.self.send(conversation, [bob.account], SECRET)
        assert alice.self.safety_number(bob.account) != bob.self.safety_number(alice.account)
        for _ in range(2):  # it is not forgotten
            with pytest.raises(IdentitySubstitutedError, match=f"keys for {bob.account} that this account has not"):
                bob.self.read_log()
        with pytest.raises(IdentitySubstitutedError):
            bob.self.send(bob.self.start_conversation([alice.account]), [alice.account], HI)
        alice.self.read_log()  # hers are all her own

    def test_and_so_does_one_who_was_away(self, make: Make) -> None:
        bob = make("Bob", transparency=True)
        bob.join()
        bob.self.stop_listening()
        publish_as(bob, Double(bob.account).devices)
        with pytest.raises(IdentitySubstitutedError):
            bob.self.listen()

    @pytest.mark.parametrize("with_data", [True, False])
    def test_to_leave_them_out_of_the_list_of_ones_own_does_not_help(
        self, with_data: bool, make: Make, operator: Callable[[Someone], Operator]
    ) -> None:
        bob = make("Bob", transparency=True)
        bob.join()
        with bob.raw() as raw:
            before = raw.call("GET", "/v1/log/own-entries")
            real = raw.call("GET", f"/v1/accounts/{bob.account}/device-list")["data"]
        publish_as(bob, Double(bob.account).devices)
        publish_as(bob, base64.b64decode(real))  # as if nothing had been
        operator(bob).answers.append(
            lambda _method, path, _body: before if path == "/v1/log/own-entries" and not with_data else None
        )
        with pytest.raises(IdentitySubstitutedError):
            bob.self.read_log()

    def test_nor_does_it_to_leave_them_out_of_the_entries(
        self, make: Make, operator: Callable[[Someone], Operator]
    ) -> None:
        bob = make("Bob", transparency=True)
        bob.join()
        with bob.raw() as raw:
            size = raw.call("GET", "/v1/log/head")["size"]
            entries = raw.call("GET", f"/v1/log/entries?start={size - 1}&end={size}")
        publish_as(bob, Double(bob.account).devices)
        between = operator(bob)
        between.answers.append(lambda _method, path, _body: entries if "/log/entries" in path else None)
        with pytest.raises(LogForkedError, match="are not those that its log's head stands for"):
            bob.self.read_log()

    def test_or_to_show_no_entries_at_all(self, make: Make, operator: Callable[[Someone], Operator]) -> None:
        bob = make("Bob", transparency=True)
        bob.join()
        publish_as(bob, Double(bob.account).devices)
        between = operator(bob)
        between.answers.append(lambda _method, path, _body: {"entries": []} if "/log/entries" in path else None)
        with pytest.raises(TransparencyError, match="does not show all entries"):
            bob.self.read_log()
        between.answers.clear()
        with pytest.raises(IdentitySubstitutedError):
            bob.self.read_log()

    def test_an_older_list_of_ones_own_is_false_as_well(self, make: Make) -> None:
        bob, laptop = make("Bob", transparency=True), None
        bob.join()
        with bob.raw() as raw:
            stolen = base64.b64decode(raw.call("GET", f"/v1/accounts/{bob.account}/device-list")["data"])
        laptop = make("Laptop", like=bob, number=2, transparency=True)
        bob.self.link(laptop.self)
        bob.self.unlink(2)
        bob.self.read_log()
        publish_as(bob, stolen)
        with pytest.raises(IdentitySubstitutedError):
            bob.self.read_log()


class TestForkedLog:
    @pytest.fixture
    def deceived(
        self, enrol: Enrol, operator: Callable[[Someone], Operator], fork: Callable[[Double], tuple[ForkedLog, Answer]]
    ) -> tuple[Someone, Someone, Double, ForkedLog]:
        """Alice has written to Bob, under keys of the operator, which are in a log that is there for Alice alone."""
        alice, bob = enrol("Alice", "Bob", transparency=True)
        double = Double(bob.account)
        forked, answer = fork(double)
        operator(alice).answers += [double.answer, answer]
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], SECRET)
        with bob.raw() as raw:
            envelope = last_message(raw, conversation)["envelope"]
        assert SECRET.text.encode() in double.read(own_device(alice), envelope)
        return alice, bob, double, forked

    def test_without_gossip_nobody_notices(
        self, deceived: tuple[Someone, Someone, Double, ForkedLog], enrol: Enrol
    ) -> None:
        alice, bob, *_ = deceived
        (carol,) = enrol("Carol")  # who does not look at the log, and so says nothing of it
        conversation = carol.self.start_conversation([alice.account])
        carol.self.send(conversation, [alice.account], HI)
        assert alice.self.receive() == HI
        alice.self.send(conversation, [carol.account], HI)
        assert carol.self.receive() == HI
        enrol("Dave", transparency=True)  # the log goes on, and Alice's with it
        for person in (alice, bob):
            person.self.read_log()
        assert head(alice) != head(bob)

    def test_with_gossip_the_next_message_tells(
        self, deceived: tuple[Someone, Someone, Double, ForkedLog], enrol: Enrol
    ) -> None:
        alice, bob, *_ = deceived
        (carol,) = enrol("Carol", transparency=True)
        conversation = carol.self.start_conversation([alice.account])
        carol.self.send(conversation, [alice.account], HI)
        with pytest.raises(LogForkedError, match=f"shows {carol.account} another log of keys than it shows here"):
            alice.self.receive()
        assert alice.self.receive() == HI  # it is not lost
        for recipient in (bob, carol):
            with pytest.raises(LogForkedError):
                alice.self.send(alice.self.start_conversation([recipient.account]), [recipient.account], SECRET)
        carol.self.send(conversation, [alice.account], HI)
        assert alice.self.receive() == HI  # it was said once

    def test_from_one_who_was_there_before_as_well(
        self,
        enrol: Enrol,
        operator: Callable[[Someone], Operator],
        fork: Callable[[Double], tuple[ForkedLog, Answer]],
    ) -> None:
        """Carol looks at the log before she writes: what she saw as she joined is the beginning of both."""
        alice, bob, carol = enrol("Alice", "Bob", "Carol", transparency=True)
        double = Double(bob.account)
        operator(alice).answers += [double.answer, fork(double)[1]]
        conversation = carol.self.start_conversation([alice.account])
        carol.self.send(conversation, [alice.account], HI)
        assert alice.self.receive() == HI
        enrol("Dave")
        carol.self.send(conversation, [alice.account], SECRET)
        with pytest.raises(LogForkedError):
            alice.self.receive()
        assert alice.self.receive() == SECRET

    def test_and_so_does_one_in_the_other_direction(
        self, deceived: tuple[Someone, Someone, Double, ForkedLog], enrol: Enrol
    ) -> None:
        alice, *_ = deceived
        (carol,) = enrol("Carol", transparency=True)
        alice.self.send(alice.self.start_conversation([carol.account]), [carol.account], HI)
        with pytest.raises(LogForkedError):
            carol.self.receive()
        assert carol.self.receive() == HI

    def test_gossip_through_the_operator_tells_nothing(
        self, deceived: tuple[Someone, Someone, Double, ForkedLog], enrol: Enrol
    ) -> None:
        """What Bob writes to Alice passes through the operator's hands, who puts in the head that Alice should see."""
        alice, bob, double, forked = deceived
        conversation = bob.self.start_conversation([alice.account])

        def post(a_head: bytes) -> None:
            with bob.raw() as raw:
                keys = raw.call("POST", f"/v1/accounts/{alice.account}/handouts", {})["devices"][0]
                handed = Handed(base64.b64decode(keys["signed"]), None, None)
                begun = ENGINE.begin(double.state, None, own_device(alice), handed)
                plaintext = json.dumps({"conversation": conversation, "text": "Hi", HEAD_FIELD: encoded(a_head)})
                sealed = ENGINE.seal(double.state, begun, plaintext.encode())
                envelope = {"recipient": alice.account, "device": 1, "data": encoded(sealed.message)}
                raw.call("POST", f"/v1/conversations/{conversation}/messages", {"device": 1, "envelopes": [envelope]})

        post(forked.head.to_bytes())
        assert alice.self.receive() == HI
        enrol("Dave")
        bob.self.read_log()
        post(head(bob))  # passed on as it was
        with pytest.raises(LogForkedError):
            alice.self.receive()

    def test_a_head_that_comes_by_another_way_tells(
        self, deceived: tuple[Someone, Someone, Double, ForkedLog], enrol: Enrol
    ) -> None:
        alice, bob, *_ = deceived
        alice.self.compare_log("Bob", head(bob))  # from before the fork: it is the beginning of both logs
        enrol("Dave")
        bob.self.read_log()
        with pytest.raises(LogForkedError):
            alice.self.compare_log("Bob", head(bob))
        with pytest.raises(LogForkedError):
            bob.self.compare_log("Alice", head(alice))

    def test_it_cannot_begin_before_what_the_victim_has_seen(
        self, enrol: Enrol, operator: Callable[[Someone], Operator], service_database: Path
    ) -> None:
        alice, bob = enrol("Alice", "Bob", transparency=True)
        alice.self.read_log()
        key, entries = read_log(service_database)
        forked = ForkedLog(key, entries[:-1])  # without Bob's real entry
        forked.substitute(bob.account, Double(bob.account).devices)

        def answer(_method: str, path: str, _body: object) -> dict[str, Any] | None:
            body = forked.answer(path)
            return None if body is None else dict(json.loads(body))

        operator(alice).answers.append(answer)
        with pytest.raises(LogForkedError, match="changed the past"):
            alice.self.read_log()


class TestSplitView:
    """An operator who deceives Alice and Bob about each other, passes on what they write, and has a log for each."""

    @pytest.fixture
    def view(self, service_database: Path) -> SplitView:
        return SplitView(lambda: read_log(service_database))

    @pytest.mark.parametrize("careful", [True, False])
    def test_heads_between_the_deceived_are_rewritten_or_betray_the_operator(
        self, careful: bool, enrol: Enrol, operator: Callable[[Someone], Operator], view: SplitView
    ) -> None:
        alice, bob = enrol("Alice", "Bob", transparency=True)
        false_alice, false_bob = Double(alice.account), Double(bob.account)

        def between(viewer: str, double: Double) -> list[Answer]:
            def keys(method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any] | None:
                found = double.answer(method, path, body)
                if found is not None:
                    view.handed_out(viewer, double.account, double.devices)
                return found

            def log(_method: str, path: str, _body: object) -> dict[str, Any] | None:
                body = view.answer(viewer, path)
                return None if body is None else dict(json.loads(body))

            return [keys, log]

        operator(alice).answers += between(alice.account, false_bob)
        operator(bob).answers += between(bob.account, false_alice)
        conversation = alice.self.start_conversation([bob.account])
        with bob.raw() as raw:
            keys = raw.call("POST", f"/v1/accounts/{bob.account}/handouts", {})["devices"][0]
        handed = Handed(base64.b64decode(keys["signed"]), None, None)

        def pass_on(_method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any] | None:
            """What Alice posts is opened, and sealed anew for Bob."""
            if path.endswith("/messages") and body is not None:
                plaintext = false_bob.read(own_device(alice), body["envelopes"][0]["data"])
                if careful:
                    plaintext = view.rewritten(bob.account, plaintext)
                begun = ENGINE.begin(false_alice.state, None, own_device(bob), handed)
                sealed = ENGINE.seal(false_alice.state, begun, plaintext).message
                body["envelopes"][0]["data"] = encoded(sealed)
            return None

        between_them = operator(alice)
        between_them.answers.append(pass_on)
        alice.self.send(conversation, [bob.account], SECRET)
        if not careful:
            with pytest.raises(LogForkedError):
                bob.self.receive()
        assert bob.self.receive() == SECRET
        for person in (alice, bob):  # what each is shown is in order by itself
            if careful:
                person.self.read_log()
        with pytest.raises(LogForkedError):
            alice.self.compare_log("Bob", head(bob))

    def test_who_is_told_the_truth_is_shown_the_log(self, enrol: Enrol, view: SplitView) -> None:
        alice, bob = enrol("Alice", "Bob", transparency=True)
        with alice.raw() as raw:
            real = base64.b64decode(raw.call("GET", f"/v1/accounts/{bob.account}/device-list")["data"])
        view.handed_out(alice.account, bob.account, real)
        assert view.answer(alice.account, "/v1/log/head") is None
        view.handed_out(alice.account, bob.account, Double(bob.account).devices)
        assert view.answer(alice.account, "/v1/log/head") is not None
        assert view.answer(bob.account, "/v1/log/head") is None
        for other in ("/v1/log/own-entries", "/v1/accounts/nobody/log-entry", "/v1/log/consistency?first=0&second=1"):
            assert view.answer(alice.account, other) is None

    def test_a_message_without_a_head_stays_as_it_is(self, enrol: Enrol, view: SplitView) -> None:
        (alice,) = enrol("Alice", transparency=True)
        assert view.rewritten(alice.account, b'{"text": "Hi"}') == b'{"text": "Hi"}'
        honest = json.loads(view.rewritten(alice.account, json.dumps({HEAD_FIELD: ""}).encode()))
        assert base64.b64decode(honest[HEAD_FIELD]) == head(alice)
        padded = view.rewritten(alice.account, pad(json.dumps({HEAD_FIELD: "", "text": "Hi"}).encode()))
        assert json.loads(unpad(padded)) == honest | {"text": "Hi"}
        assert len(padded) % MESSAGE_BUCKET == 0
        for nothing in (b"", b"Hi", b"{}"):
            with pytest.raises(E2EEError):
                view.rewritten(alice.account, nothing)


class TestGossip:
    @pytest.fixture
    def pair(self, enrol: Enrol) -> tuple[Someone, Someone, str]:
        """Two who know each other already."""
        alice, bob = enrol("Alice", "Bob", transparency=True)
        conversation = alice.self.start_conversation([bob.account])
        alice.self.send(conversation, [bob.account], HI)
        assert bob.self.receive() == HI
        return alice, bob, conversation

    def test_a_head_waits_until_the_service_answers(
        self, pair: tuple[Someone, Someone, str], enrol: Enrol, operator: Callable[[Someone], Operator], make: Make
    ) -> None:
        alice, bob, conversation = pair
        enrol("Carol")  # the log goes on
        alice.self.send(conversation, [bob.account], SECRET)
        operator(bob).answers.append(silent("no answer in time", None))
        before = len(bob.told(Deed.READ))
        for _ in range(2):
            with pytest.raises(WireError, match="no answer in time"):
                bob.self.receive()
        assert len(bob.told(Deed.READ)) == before
        bob.self.__exit__()
        again = replace(bob, statements=[])
        with again.self:
            again.self.resume()
            operator(again).answers.append(silent("404 The log does not have so many entries", 404))
            with pytest.raises(LogForkedError):
                again.self.listen()  # which asks for the same proof
            assert again.self.receive() == SECRET

    def test_who_writes_need_not_have_news(
        self, pair: tuple[Someone, Someone, str], enrol: Enrol, operator: Callable[[Someone], Operator]
    ) -> None:
        alice, bob, conversation = pair
        before = head(alice)
        enrol("Carol")

        def nothing(_method: str, path: str, _body: object) -> None:
            if path == "/v1/log/head":
                raise WireError("no answer in time")

        between = operator(alice)
        between.answers.append(nothing)
        alice.self.send(conversation, [bob.account], SECRET)
        assert bob.self.receive() == SECRET
        assert head(alice) == before
        between.answers.clear()
        alice.self.send(conversation, [bob.account], SECRET)
        assert head(alice) != before

    def test_a_service_that_refuses_to_prove_is_found_out(
        self, pair: tuple[Someone, Someone, str], enrol: Enrol, operator: Callable[[Someone], Operator]
    ) -> None:
        alice, bob, conversation = pair
        enrol("Carol")
        alice.self.send(conversation, [bob.account], SECRET)
        between = operator(bob)
        between.answers.append(silent("404 The log does not have so many entries", 404))
        with pytest.raises(LogForkedError):
            bob.self.receive()
        between.answers.clear()
        assert bob.self.receive() == SECRET

    @pytest.mark.parametrize(
        "said", ["", "!", 5, ["x"], "\ud800", "é", "AAAA", encoded(bytes(105)), encoded(b"\1" + bytes(104)), "A" * 999]
    )
    def test_what_is_no_head_is_told_and_nothing_else_is_lost(
        self, said: object, pair: tuple[Someone, Someone, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alice, bob, conversation = pair
        with monkeypatch.context() as patch:
            patch.setattr(LogView, "gossip", lambda _: {HEAD_FIELD: said})
            if said == "\ud800":
                patch.setattr("lab.messenger.sealing.dump", lambda fields: json.dumps(fields).encode())
            alice.self.send(conversation, [bob.account], HI)
        with pytest.raises(TransparencyError, match="is not signed with the key that is known here") as refused:
            bob.self.receive()
        assert not isinstance(refused.value, LogForkedError)
        assert bob.self.receive() == HI
        bob.self.send(conversation, [alice.account], SECRET)  # he goes on: anybody can make up a head
        assert alice.self.receive() == SECRET

    def test_a_log_without_entries_is_the_beginning_of_every_log(
        self, pair: tuple[Someone, Someone, str], monkeypatch: pytest.MonkeyPatch, service_database: Path
    ) -> None:
        """Everybody could get such a head on the first day. It must not be of use to frighten others."""
        alice, bob, conversation = pair
        empty = sign_tree_head(read_log(service_database)[0], 0, EMPTY_ROOT)
        with monkeypatch.context() as patch:
            patch.setattr(LogView, "gossip", lambda _: {HEAD_FIELD: encoded(empty.to_bytes())})
            alice.self.send(conversation, [bob.account], HI)
        assert bob.self.receive() == HI

    def test_what_another_has_seen_is_never_unseen(
        self, pair: tuple[Someone, Someone, str], enrol: Enrol, operator: Callable[[Someone], Operator]
    ) -> None:
        """The service shows Bob its log as it was some time ago, until somebody tells him of a later one."""
        alice, bob, conversation = pair
        alice.self.send(conversation, [bob.account], HI)
        assert bob.self.receive() == HI
        with bob.raw() as raw:
            past = raw.call("GET", "/v1/log/head")
        enrol("Carol", transparency=True)
        between = operator(bob)
        between.answers.append(lambda _method, path, _body: past if path == "/v1/log/head" else None)
        bob.self.read_log()
        alice.self.read_log()
        alice.self.send(conversation, [bob.account], HI)
        assert bob.self.receive() == HI
        assert head(bob) == head(alice)
        with pytest.raises(LogForkedError, match="changed the past"):
            bob.self.read_log()

    def test_another_key_of_the_log_is_noticed(
        self, pair: tuple[Someone, Someone, str], operator: Callable[[Someone], Operator]
    ) -> None:
        alice, *_ = pair
        log = ForkedLog(new_signing_key(os.urandom), [])
        answer = json.loads(log.answer("/v1/log/head") or b"")
        operator(alice).answers.append(lambda _method, path, _body: answer if path == "/v1/log/head" else None)
        with pytest.raises(TransparencyError, match="another key than before"):
            alice.self.read_log()

    @pytest.mark.parametrize(
        ("path", "nonsense"),
        [
            ("/v1/log/head", {}),
            ("/v1/log/head", {"key": "", "size": -1, "root": "", "signature": ""}),
            ("/v1/log/head", {"key": "", "size": 1, "root": 5, "signature": ""}),
            ("/v1/log/entries", {"entries": [{"account": "bob", "version": 2**40, "digest": ""}]}),
            ("/v1/log/entries", {"entries": 5}),
            ("/v1/log/consistency", {"path": "AAAA"}),
            ("/v1/log/consistency", {"path": [5]}),
        ],
    )
    def test_nonsense_is_said_to_be_nonsense(
        self,
        path: str,
        nonsense: dict[str, Any],
        pair: tuple[Someone, Someone, str],
        enrol: Enrol,
        operator: Callable[[Someone], Operator],
    ) -> None:
        alice, *_ = pair
        enrol("Carol")
        between = operator(alice)
        between.answers.append(lambda _method, asked, _body: nonsense if asked.startswith(path) else None)
        with pytest.raises(WireError, match="not of the agreed shape"):
            alice.self.read_log()
        between.answers.clear()
        alice.self.read_log()
