"""Events of mitmproxy, brought to the addons that have a hook for them.

mitmproxy has three dozen addons of its own and asks each of them at each event whether it wants it, which takes a tap
more time than all that it records. Here that is asked once for each kind of event.
"""

from __future__ import annotations

from typing import Any

from mitmproxy import addonmanager, exceptions, hooks


class Dispatcher(addonmanager.AddonManager):
    """The same addons get the same events in the same order.

    An addon outside others is expected to have its hooks from the beginning, as all of mitmproxy's have; one that
    holds others, as that for scripts does, may exchange them at any time, and is always asked.
    """

    def __init__(self, master: Any) -> None:
        self._asked: list[Any] = []
        """The chain for which the answers below hold."""
        self._concerned: dict[str, list[Any]] = {}
        """By event: who wants it."""
        super().__init__(master)  # type: ignore[no-untyped-call]

    async def trigger_event(self, event: hooks.Hook) -> None:
        for addon in self.concerned(event.name):
            try:
                with addonmanager.safecall():
                    await self.invoke_addon(addon, event)
            except exceptions.AddonHalt:
                return

    def concerned(self, event: str) -> list[Any]:
        """The addons of the chain that have to be told of the event of this name."""
        if self._asked != self.chain:
            self._asked = list(self.chain)
            self._concerned = {}
        if event not in self._concerned:
            self._concerned[event] = [
                addon for addon in self.chain if hasattr(addon, "addons") or getattr(addon, event, None)
            ]
        return self._concerned[event]


def install() -> None:
    """Let the mitmproxy of this process work so from its start."""
    addonmanager.AddonManager = Dispatcher  # type: ignore[misc]
