"""Who is told of what in a tap: exactly those whom mitmproxy itself would tell, in its order."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mitmproxy import addonmanager, exceptions, hooks, options
from mitmproxy.proxy import server_hooks
from mitmproxy.test import tflow

from lab.stage import dispatch

with warnings.catch_warnings():
    # mitmproxy builds its filter language with names that newer versions of pyparsing call old.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy.tools.dump import DumpMaster

EVENT = server_hooks.ClientConnectedHook(tflow.tclient_conn())


class Holder:
    """As the addon for scripts: what it holds may be exchanged."""

    name = "holder"

    def __init__(self, *addons: Any) -> None:
        self.addons = list(addons)


class Listener:
    def __init__(self, name: str, told: list[str], then: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self._told = told
        self._then = then

    def client_connected(self, _client: object) -> None:
        self._told.append(self.name)
        self._then()


class Deaf:
    name = "deaf"


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addonmanager, "AddonManager", addonmanager.AddonManager)
    dispatch.install()


def with_mitmproxy(act: Callable[[dispatch.Dispatcher], Awaitable[None]]) -> None:
    """Let `act` have the addons of a fresh mitmproxy."""

    async def run() -> None:
        manager = DumpMaster(options.Options()).addons
        assert isinstance(manager, dispatch.Dispatcher)
        await act(manager)

    asyncio.run(run())


def test_nobody_is_left_out_of_any_event_and_the_order_is_that_of_mitmproxy() -> None:
    async def compare(manager: dispatch.Dispatcher) -> None:
        manager.add(Holder(Deaf(), Listener("held", [])))
        for event in hooks.all_hooks:
            wanted = [
                one for one in manager.chain if any(getattr(each, event, None) for each in addonmanager.traverse([one]))
            ]
            assert [one for one in manager.concerned(event) if one in wanted] == wanted
        assert len(manager.concerned("update")) < len(manager.chain) / 4

    with_mitmproxy(compare)


def test_who_comes_later_is_told_and_who_is_removed_is_not() -> None:
    told: list[str] = []
    first, second = Listener("first", told), Listener("second", told)

    async def act(manager: dispatch.Dispatcher) -> None:
        manager.add(first, Deaf())
        await manager.trigger_event(EVENT)
        manager.add(second)
        await manager.trigger_event(EVENT)
        manager.remove(first)
        await manager.trigger_event(EVENT)

    with_mitmproxy(act)

    assert told == ["first", "first", "second", "second"]


def test_what_an_addon_holds_may_be_exchanged_at_any_time() -> None:
    told: list[str] = []
    holder = Holder(Deaf())

    async def act(manager: dispatch.Dispatcher) -> None:
        manager.add(holder)
        await manager.trigger_event(EVENT)
        holder.addons = [Listener("new", told)]
        await manager.trigger_event(EVENT)

    with_mitmproxy(act)

    assert told == ["new"]


def test_an_addon_that_fails_is_logged_and_the_next_one_is_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def fail() -> None:
        raise ValueError("not today")

    async def act(manager: dispatch.Dispatcher) -> None:
        manager.add(Listener("bad", told, fail), Listener("good", told))
        await manager.trigger_event(EVENT)

    with caplog.at_level(logging.ERROR):
        with_mitmproxy(act)

    assert told == ["bad", "good"]
    assert "not today" in caplog.text


def test_an_addon_that_calls_a_halt_is_the_last_one_that_is_told() -> None:
    told: list[str] = []

    def halt() -> None:
        raise exceptions.AddonHalt

    async def act(manager: dispatch.Dispatcher) -> None:
        manager.add(Listener("halts", told, halt), Listener("next", told))
        await manager.trigger_event(EVENT)

    with_mitmproxy(act)

    assert told == ["halts"]
