"""Base of the addons that act on the path: they read HTTP and write it down, and keep to this machine."""

from __future__ import annotations

from mitmproxy import ctx
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import server_hooks

from lab.model import Observer
from lab.stage import own_traffic
from lab.stage.http_tap import HttpTap


class Attacker(HttpTap):
    def __init__(self) -> None:
        super().__init__(Observer.INTERCEPTOR)

    def load(self, loader: Loader) -> None:
        super().load(loader)
        own_traffic.add_option(loader)

    def configure(self, updated: set[str]) -> None:
        own_traffic.refuse_others(ctx.options)
        super().configure(updated)

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        own_traffic.refuse_connection(data)
