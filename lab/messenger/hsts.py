"""Hosts that said "only with TLS, from now on" (HTTP Strict Transport Security, RFC 6797), and who remembers them.

Left out: a memory on disk, and subdomains that the host speaks for (includeSubDomains).
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable

HEADER = "Strict-Transport-Security"


class Hsts:
    """The memory of one app. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def hear(self, host: str, header: str) -> None:
        """Take note of what `host` says in an answer that came with TLS: elsewhere anybody could have said it (8.1)."""
        seconds = _max_age(header)
        if seconds is None or _is_address(host):
            return
        if seconds:
            self._until[host.lower()] = self._clock() + seconds
        else:
            self._until.pop(host.lower(), None)

    def knows(self, host: str) -> bool:
        """Whether `host` must not be asked without TLS."""
        return self._clock() < self._until.get(host.lower(), 0.0)


def _max_age(header: str) -> int | None:
    """The seconds that a header of this kind names; None for one that is not of its form (6.1)."""
    found: dict[str, str] = {}
    for directive in header.split(";"):
        name, _, value = (part.strip() for part in directive.partition("="))
        if name.lower() in found:
            return None
        if name:
            found[name.lower()] = value
    seconds = found.get("max-age", "").strip('"')
    # Ten digits are centuries; more of them are for whoever wants to see a program stumble.
    return min(int(seconds), 10**10) if seconds.isascii() and seconds.isdigit() and len(seconds) < 100 else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
