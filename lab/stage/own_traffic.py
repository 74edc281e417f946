"""The limit of every addon that acts: traffic to this machine, unless somebody says that other traffic is their own.

Three calls, from the hooks of the same names:

    load              `add_option(loader)`
    configure         `refuse_others(ctx.options)`: a proxy for somewhere else does not even start
    server_connect    `refuse_connection(data)`: where a client may name the place to go (a forward proxy)
"""

from __future__ import annotations

from mitmproxy import ctx
from mitmproxy.addonmanager import Loader
from mitmproxy.options import Options
from mitmproxy.proxy import mode_specs, server_hooks

from lab.addresses import is_here
from lab.stage.tap_side import refused

OPTION = "lab_own_traffic"


def add_option(loader: Loader) -> None:
    """Let the user say whose traffic it is."""
    loader.add_option(OPTION, bool, False, "The traffic is my own: act on it, even where it goes to another machine.")


def refuse_others(options: Options) -> None:
    """OptionsError, if a proxy would pass on to another machine and nobody said that this traffic is their own."""
    if getattr(options, OPTION):
        return
    for text in options.mode:
        spec = mode_specs.ProxyMode.parse(text)
        if isinstance(spec, mode_specs.ReverseMode | mode_specs.UpstreamMode) and not is_here(spec.address[0]):
            raise refused(f"mode: {_refusal(spec.address[0])}")


def refuse_connection(data: server_hooks.ServerConnectionHookData) -> None:
    """Let no connection be made to another machine, unless this traffic is the user's own."""
    if data.server.address and not getattr(ctx.options, OPTION) and not is_here(data.server.address[0]):
        data.server.error = _refusal(data.server.address[0])


def _refusal(host: str) -> str:
    return (
        f"{host} is not this machine, and this addon changes what passes through it: use a service on 127.0.0.1,"
        f" or add --set {OPTION}=true if all traffic there is your own"
    )
