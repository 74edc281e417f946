"""The addons of a malicious operator: their options, and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mitmproxy.exceptions import OptionsError
from mitmproxy.test import tflow, tutils

from lab.attack.substitution import Victims

from .conftest import Loaded

OPERATORS = ("key_substitution", "ghost_device")


@pytest.mark.parametrize("name", OPERATORS)
def test_they_do_not_act_on_a_service_elsewhere(load: Callable[[str], Loaded], name: str) -> None:
    operator = load(name)
    with pytest.raises(OptionsError, match=r"chat\.example is not this machine"):
        operator.configure(mode=["reverse:http://chat.example:80"])
    operator.configure(mode=["reverse:http://chat.example:80"], lab_own_traffic=True)


@pytest.mark.parametrize("name", OPERATORS)
def test_an_encryption_is_one_that_the_apps_have(load: Callable[[str], Loaded], name: str) -> None:
    operator = load(name)
    operator.configure(lab_encryption="rsa")
    assert operator.addon.encryption == "rsa"
    with pytest.raises(OptionsError, match="rot13"):
        operator.configure(lab_encryption="rot13")


@pytest.mark.parametrize(
    ("options", "pairs", "others"),
    [
        ({}, [], [("alice", "bob")]),
        ({"lab_substitute": ["all"]}, [("alice", "bob"), ("carol", "dave")], [("alice", "alice")]),
        ({"lab_substitute": ["alice,bob", "carol,dave"]}, [("bob", "alice"), ("carol", "dave")], [("alice", "carol")]),
    ],
)
def test_victims_are_chosen(
    load: Callable[[str], Loaded],
    options: dict[str, list[str]],
    pairs: list[tuple[str, str]],
    others: list[tuple[str, str]],
) -> None:
    operator = load("key_substitution")
    operator.configure(**options)
    victims = operator.addon._attack.victims
    assert isinstance(victims, Victims)
    assert all(victims.include(*pair) for pair in pairs)
    assert not any(victims.include(*pair) for pair in others)
    assert not victims.insist
    operator.configure(lab_insist=True)
    assert operator.addon._attack.victims.insist


def test_orders_add_to_each_other_and_end_together(load: Callable[[str], Loaded]) -> None:
    operator = load("key_substitution")
    operator.addon.act({"substitute": ["alice", "bob"]})
    operator.addon.act({"substitute": ["carol", "dave"], "insist": True})
    victims = operator.addon._attack.victims
    assert victims.include("alice", "bob")
    assert victims.include("carol", "dave")
    assert not victims.include("bob", "carol")
    assert victims.insist
    assert operator.addon.act({"done": {}}) == {"opened": 0, "turned_down": 0}
    operator.addon.act({"stop": {}})
    assert operator.addon._attack.victims == Victims()


@pytest.mark.parametrize("name", OPERATORS)
def test_what_is_not_of_the_service_passes_as_it_is(load: Callable[[str], Loaded], name: str) -> None:
    operator = load(name)
    operator.configure(lab_substitute=["all"]) if name == "key_substitution" else operator.configure(
        lab_ghost_member=["ghost"]
    )
    operator.record()
    login = tflow.tflow(
        req=tutils.treq(method=b"POST", path=b"/v1/login", content=b'{"name":"alice"}'),
        resp=tutils.tresp(content=b'{"token":"t"}'),
    )
    operator.addon.request(login)
    operator.addon.response(login)
    for method, path in ((b"GET", b"/"), (b"POST", b"/v1/conversations/c/messages"), (b"PUT", b"/v1/device-list")):
        for content in (b"", b"{}", b"[]", b"\xff", b'{"envelopes":[1,{}],"device":1,"id":"m","shared":5}'):
            flow = tflow.tflow(
                req=tutils.treq(method=method, path=path, content=content), resp=tutils.tresp(content=content)
            )
            flow.request.headers["Authorization"] = "Bearer t"
            operator.addon.request(flow)
            operator.addon.responseheaders(flow)
            operator.addon.response(flow)
            assert flow.request.content == content
            assert flow.response is not None
            assert flow.response.status_code in (200, 409)
            assert flow.response.content == content or flow.response.status_code == 409
    assert operator.recorded() == ([], [])


@pytest.mark.parametrize("name", OPERATORS)
def test_an_event_stream_is_passed_on_piece_by_piece(load: Callable[[str], Loaded], name: str) -> None:
    operator = load(name)
    for token in ("Bearer t", "Bearer nobody's"):
        operator.addon._accounts = {"Bearer t": "alice"}
        flow = tflow.tflow(req=tutils.treq(path=b"/v1/events?after=0&device=1"), resp=tutils.tresp())
        assert flow.response is not None
        flow.request.headers["Authorization"] = token
        flow.response.headers["Content-Type"] = "text/event-stream; charset=utf-8"
        operator.addon.request(flow)
        operator.addon.responseheaders(flow)
        stream = flow.response.stream
        assert stream is True or (callable(stream) and stream(b"data: {}\n\n") == b"data: {}\n\n")
