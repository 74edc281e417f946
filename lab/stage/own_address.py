"""The address by which others in its network reach this machine."""

from __future__ import annotations

import socket

_ELSEWHERE = ("192.0.2.1", 9)
"""An address that is nobody's (RFC 5737). Nothing is sent there: what the system would use to get there is enough."""


def own_address() -> str:
    """It may be one of loopback, where there is no other. OSError: this machine is in no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(_ELSEWHERE)
        return str(asking.getsockname()[0])
