"""What the service answers is of the agreed shape or an error of the wire, whatever it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.e2ee.engine import Published
from lab.e2ee.prekeys import Handed, OneTimeKeys
from lab.messenger.operations import Arrived, Members, Operations, addresses, read_event
from lab.messenger.wire import Wire, WireError

from .conftest import Peers, answer

type MakeWire = Callable[..., Wire]

MESSAGE = {"id": "7", "sequence": 1, "conversation": "5", "sender": "alice", "device": 2, "envelope": "AAAA"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class TestAsking:
    """The requests, as the service wants them."""

    def test_keys_go_out_in_base64_with_their_ids(self, peer: Peers, wire: MakeWire) -> None:
        service = peer(answer({}))
        keys = OneTimeKeys(((3, b"three"),), ((4, b"four"),))
        Operations(wire(service.address)).put_keys(2, Published(b"private", b"signed", keys))
        (request,) = service.requests
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.startswith(b"PUT /v1/devices/2/keys ")
        assert json.loads(body) == {
            "signed": "c2lnbmVk",
            "one_time": [{"id": 3, "data": "dGhyZWU="}],
            "one_time_kem": [{"id": 4, "data": "Zm91cg=="}],
        }
        assert b"private" not in request

    def test_names_and_ids_stay_in_their_place_in_the_address(self, peer: Peers, wire: MakeWire) -> None:
        service = peer(*[answer({"data": "", "id": "1", "devices": []})] * 5)
        operations = Operations(wire(service.address))
        name = "../x?y#z/ü"
        operations.device_list(name)
        operations.hand_out(name, None)
        operations.acknowledge(name, "read")
        operations.remove_member(name, name)
        operations.download(name)
        quoted = b"..%2Fx%3Fy%23z%2F%C3%BC"
        assert [request.split(b" ")[1] for request in service.requests] == [
            b"/v1/accounts/" + quoted + b"/device-list",
            b"/v1/accounts/" + quoted + b"/handouts",
            b"/v1/messages/" + quoted + b"/receipts",
            b"/v1/conversations/" + quoted + b"/members/" + quoted,
            b"/v1/blobs/" + quoted,
        ]

    def test_a_title_is_sent_if_there_is_one(self, peer: Peers, wire: MakeWire) -> None:
        service = peer(*[answer({"id": "5"})] * 2)
        operations = Operations(wire(service.address))
        for title in ("", "Plans"):
            assert operations.start_conversation(["bob"], title) == "5"
        bodies = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in service.requests]
        assert bodies == [{"members": ["bob"]}, {"members": ["bob"], "title": "Plans"}]


class TestAnswers:
    def test_keys_that_were_handed_out(self, peer: Peers, wire: MakeWire) -> None:
        devices = [
            {"device": 1, "signed": "c2lnbmVk", "one_time": {"id": 3, "data": "dGhyZWU="}, "one_time_kem": None},
            {"device": 2, "signed": None, "one_time": None, "one_time_kem": None},
        ]
        service = peer(answer({"name": "bob", "data": "bGlzdA==", "devices": devices}))
        data, handed = Operations(wire(service.address)).hand_out("bob", [1, 2])
        assert (data, handed) == (b"list", {1: Handed(b"signed", b"three", None)})

    @pytest.mark.parametrize(
        "devices",
        [
            None,
            {},
            [1],
            [{"signed": "AAAA"}],
            [{"device": "1", "signed": "AAAA"}],
            [{"device": 1, "signed": 5}],
            [{"device": 1, "signed": "AAA"}],
            [{"device": 1, "signed": "AAAA", "one_time": "AAAA"}],
            [{"device": 1, "signed": "AAAA", "one_time": {"id": 1}}],
            [{"device": 1, "signed": "AAAA", "one_time_kem": {"id": 1, "data": "é"}}],
        ],
    )
    def test_keys_of_another_shape_are_refused(self, peer: Peers, wire: MakeWire, devices: object) -> None:
        service = peer(answer({"name": "bob", "data": "bGlzdA==", "devices": devices}))
        with pytest.raises(WireError, match="agreed shape"):
            Operations(wire(service.address)).hand_out("bob", None)

    @pytest.mark.parametrize("body", [{}, {"data": None}, {"data": 5}, {"data": "AAA"}, {"data": ["AAAA"]}])
    def test_a_list_of_devices_that_is_none_is_refused(self, peer: Peers, wire: MakeWire, body: object) -> None:
        service = peer(answer(body))
        with pytest.raises(WireError, match="agreed shape: 'data'"):
            Operations(wire(service.address)).device_list("bob")

    @pytest.mark.parametrize(
        "ask",
        [
            lambda operations: operations.create_account("bob", "password"),
            lambda operations: operations.log_in("bob", "password"),
            lambda operations: operations.stock(1),
            lambda operations: operations.start_conversation(["bob"], ""),
            lambda operations: operations.upload(b"blob"),
        ],
    )
    def test_an_answer_that_lacks_what_was_asked_for_is_refused(
        self, peer: Peers, wire: MakeWire, ask: Callable[[Operations], Any]
    ) -> None:
        for body in ({}, {"token": 5, "id": 5, "one_time": "5"}, {"token": None, "id": [], "one_time": -1}):
            service = peer(answer(body))
            with pytest.raises(WireError, match="agreed shape"):
                ask(Operations(wire(service.address)))

    def test_what_was_asked_for_is_given(self, peer: Peers, wire: MakeWire) -> None:
        service = peer(*[answer({"token": "t", "one_time": 3, "one_time_kem": 2, "id": "5"})] * 3, answer(b"\0\xff"))
        operations = Operations(wire(service.address))
        operations.log_in("bob", "password")
        assert (operations.stock(1), operations.upload(b"blob"), operations.download("5")) == (3, "5", b"\0\xff")


class TestEvents:
    def test_a_message(self) -> None:
        full = MESSAGE | {"text": "Hi", "attachment": {}, "shared": "BBBB", "time": 5}
        plain = {"text": "Hi", "attachment": {}}
        assert read_event("message", full) == Arrived("7", 1, "5", "alice", 2, plain, "AAAA", "BBBB")
        nothing = {"text": None, "attachment": None}
        del full["text"], full["attachment"], full["shared"], full["device"]
        assert read_event("message", full) == Arrived("7", 1, "5", "alice", None, nothing, "AAAA", None)

    def test_members(self) -> None:
        fields = {"conversation": "5", "members": ["alice", "bob", "alice"]}
        assert read_event("members", fields) == Members("5", frozenset({"alice", "bob"}))
        for wrong in ({"conversation": "5"}, {"members": []}, {"conversation": "5", "members": "alice"}):
            with pytest.raises(WireError, match="agreed shape"):
                read_event("members", wrong)

    def test_others_say_nothing(self) -> None:
        assert read_event("typing", MESSAGE) is None

    @given(
        st.sampled_from(["message", "members"]), st.dictionaries(st.sampled_from([*MESSAGE, "members"]), json_values)
    )
    def test_arbitrary_fields_are_an_event_or_an_error_of_the_wire(self, name: str, changed: dict[str, Any]) -> None:
        try:
            event = read_event(name, MESSAGE | {"members": []} | changed)
        except WireError:
            return
        match event:
            case Arrived():
                texts = (event.id, event.conversation, event.sender, event.envelope or "", event.shared or "")
                assert all(text.encode() is not None for text in texts)
                assert 0 <= event.sequence < 2**63
                assert event.device is None or event.device >= 0
            case _:
                assert isinstance(event, Members)


class TestAddresses:
    def test_who_is_missing(self) -> None:
        problem = {"missing": [{"account": "bob", "device": 2}, {"account": "carol", "device": None}]}
        assert addresses(problem, "missing") == [("bob", 2), ("carol", None)]
        assert addresses(problem, "stale") == []

    @pytest.mark.parametrize(
        "wrong", [None, {}, "bob", ["bob"], [{}], [{"account": 5}], [{"account": "b", "device": "1"}]]
    )
    def test_what_names_nobody_is_refused(self, wrong: object) -> None:
        with pytest.raises(WireError, match="agreed shape"):
            addresses({"missing": wrong}, "missing")
