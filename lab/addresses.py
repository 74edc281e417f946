"""Which names and addresses lead back to this machine. Pure."""

from __future__ import annotations

import ipaddress


def is_loopback(address: str | None) -> bool:
    """Whether this is an address of this very machine that no other one can use (RFC 1122, section 3.2.1.3)."""
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def is_here(host: str) -> bool:
    """Whether this name or address leads back to this machine without asking anybody (RFC 6761, section 6.3)."""
    return host == "localhost" or is_loopback(host)
