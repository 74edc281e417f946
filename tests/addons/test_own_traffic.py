"""Whose traffic an addon acts on: this machine's, unless somebody says that other traffic is their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mitmproxy import connection, exceptions
from mitmproxy.addonmanager import Loader
from mitmproxy.options import Options
from mitmproxy.proxy import server_hooks
from mitmproxy.test import taddons, tflow

from lab.stage import own_traffic

from .conftest import Loaded


class Attacker:
    """As small as an addon that acts can be."""

    def load(self, loader: Loader) -> None:
        own_traffic.add_option(loader)


def options(*modes: str, own: bool = False) -> Options:
    found = Options()
    found.add_option(own_traffic.OPTION, bool, own, "")  # type: ignore[no-untyped-call]
    found.update(mode=list(modes))  # type: ignore[no-untyped-call]
    return found


HERE = [
    "reverse:http://127.0.0.1:8000",
    "reverse:https://localhost:8443@127.0.0.1:0",
    "reverse:tcp://127.9.9.9:1",
    "reverse:http://[::1]:8000",
    "upstream:http://127.0.0.1:3128",
    "regular",
]
ELSEWHERE = [
    "reverse:https://chat.example:443",
    "reverse:tcp://192.0.2.1:1@127.0.0.1:0",
    "reverse:http://localhost.chat.example",
    "reverse:http://127.0.0.1.chat.example:80",
    "upstream:http://proxy.example:3128",
]


@pytest.mark.parametrize("mode", HERE)
def test_what_stays_on_this_machine_may_pass(mode: str) -> None:
    own_traffic.refuse_others(options(mode))


@pytest.mark.parametrize("mode", ELSEWHERE)
def test_what_goes_to_another_machine_may_not(mode: str) -> None:
    with pytest.raises(exceptions.OptionsError) as refused:
        own_traffic.refuse_others(options("reverse:http://127.0.0.1:8000", mode))
    sentence = str(refused.value)
    assert sentence.startswith("mode: ")
    assert "is not this machine" in sentence
    assert sentence.endswith("or add --set lab_own_traffic=true if all traffic there is your own")
    own_traffic.refuse_others(options(mode, own=True))


@pytest.mark.parametrize(("host", "refused"), [("127.0.0.1", False), ("chat.example", True), ("192.0.2.1", True)])
def test_no_connection_that_a_client_asks_for_is_made_to_another_machine(host: str, *, refused: bool) -> None:
    with taddons.context(Attacker()) as context:
        data = server_hooks.ServerConnectionHookData(connection.Server(address=(host, 443)), tflow.tclient_conn())
        own_traffic.refuse_connection(data)
        assert (data.server.error is not None) is refused
        context.configure(context.master.addons.get("attacker"), lab_own_traffic=True)
        data = server_hooks.ServerConnectionHookData(connection.Server(address=(host, 443)), tflow.tclient_conn())
        own_traffic.refuse_connection(data)
        assert data.server.error is None


@pytest.mark.parametrize("name", ["interceptor", "downgrade", "meddler", "key_substitution", "ghost_device"])
def test_every_addon_that_acts_keeps_to_it(load: Callable[[str], Loaded], name: str) -> None:
    attacker = load(name)
    attacker.configure(mode=["reverse:https://127.0.0.1:443"])
    with pytest.raises(exceptions.OptionsError, match=r"^mode: chat\.example is not this machine"):
        attacker.configure(mode=["reverse:https://chat.example:443"], lab_record=str(attacker.path))
    assert not attacker.path.exists(), "no record is begun, so the same command works once the option is added"
    data = server_hooks.ServerConnectionHookData(connection.Server(address=("chat.example", 443)), tflow.tclient_conn())
    attacker.addon.server_connect(data)
    assert data.server.error is not None
    attacker.configure(mode=["reverse:https://chat.example:443"], lab_own_traffic=True)
