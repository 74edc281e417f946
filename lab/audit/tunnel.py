"""The tap at the end of a WireGuard tunnel: what a device of one's own sends, wherever its apps connect to.

    device ═══ WireGuard ═══▶ tunnel tap (writes down the bytes, ends TLS, reads) ═══▶ the services of its apps

One process stands for both observers: below everything it writes down the bytes as the device sends them, which is
what somebody on the path gets, and above the end of TLS what the services read. It is the only tap of the lab that may
listen beyond loopback, and answers nobody who does not have the key of this run.
"""

from __future__ import annotations

import ipaddress
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab.addresses import is_loopback
from lab.audit.taps import Route, close_recording, open_ground
from lab.capture import Writer
from lab.model import LabError, Observer
from lab.stage.certificates import write_private
from lab.stage.own_address import own_address
from lab.stage.stage import Ground, listen
from lab.stage.starting import Starter

DEVICE = "10.0.0.1/32"
"""What mitmproxy calls the device in the tunnel."""

NAMES = "10.0.0.53"
"""Where mitmproxy answers what the device asks about names (DNS)."""

EVERYTHING = "0.0.0.0/0, ::/0"
"""What goes into the tunnel. The device has no address of IPv6 in it, so nothing gets around by that way."""


class Gate:
    """The tap, for one observation."""

    def __init__(self, ground: Ground, address: str) -> None:
        self._ground = ground
        self._address = address
        self._tap = ground.start_tap("tunnel tap", "tunnel_observer", "onboarding=false", authority=ground.authority)
        self._recording = ground.directory
        self.configuration = ""
        """What the WireGuard app of the device takes, once the tap listens."""
        # Devices tell by the ending of its name that a file is a certificate.
        self.certificate = ground.directory / "lab-authority.cer"
        self.certificate.write_bytes(ground.authority.pem)

    @property
    def authority(self) -> Path:
        return self._ground.authority_file

    def lend(self) -> Gate:
        return self

    def give_back(self, _: object) -> None:
        """There is no further observation."""

    def open(self, route: Route) -> tuple[str, int]:
        """Record, and listen for the device, which alone gets the key that is made here; where. ChildError."""
        self._tap.ready()
        self._ground.watch(self._tap.pid)
        folder = self._ground.folder("tunnel")
        self._recording = folder / "tunnel.jsonl"
        own, others = (X25519PrivateKey.generate() for _ in range(2))
        keys = {"server_key": _text(own.private_bytes_raw()), "client_key": _text(others.private_bytes_raw())}
        file = write_private(folder / "keys.json", json.dumps(keys).encode())
        self._tap.ask({"begin": str(self._recording)})
        trusted = str(route.service_authority) if route.service_authority else None
        mode = f"wireguard:{file}@{self._address}:0"
        host, port = listen(self._tap, {"mode": [mode], "ssl_verify_upstream_trusted_ca": trusted})
        endpoint = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.configuration = "\n".join(
            (
                *("[Interface]", f"PrivateKey = {keys['client_key']}", f"Address = {DEVICE}", f"DNS = {NAMES}", ""),
                *("[Peer]", f"PublicKey = {_text(own.public_key().public_bytes_raw())}"),
                *(f"AllowedIPs = {EVERYTHING}", f"Endpoint = {endpoint}"),
            )
        )
        return host, port

    def close(self, route: Route, writer: Writer) -> None:
        """End the observation, and write what was recorded; `Missing` says what could not be had."""
        close_recording(self._tap, self._recording, route.observers, writer)

    def so_far(self, route: Route) -> dict[Observer, bytes]:
        """What has been recorded until now, as capture lines. ChildError."""
        size = self._tap.ask({"checkpoint": {}})["bytes"]
        lines = self._recording.read_bytes()[:size].splitlines(keepends=True)
        return {one: b"".join(line for line in lines if _is_of(line, one)) for one in route.observers}

    def end(self) -> None:
        self._tap.close()


@contextmanager
def open_gate(address: str, starter: Starter | None = None) -> Iterator[Gate]:
    """A gate in a temporary folder of its own; on leaving, its process has ended and its files are gone."""
    with ExitStack() as stack:
        yield Gate(stack.enter_context(open_ground(starter)), address)


def listening_address(given: str | None) -> str:
    """The address to listen at: the one that is given, else that of this machine in its network. LabError."""
    if given is None:
        return _own_address()
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        raise LabError(f"--listen {given}: give an IP address of this machine") from None
    if address.is_unspecified or address.is_multicast:
        raise LabError(f"--listen {given}: give one address of this machine, the one that the device reaches")
    return str(address)


def _own_address() -> str:
    """LabError: there is none."""
    try:
        found = own_address()
    except OSError:
        found = ""
    if not found or is_loopback(found):
        raise LabError("no address of this machine in a network was found: give one with --listen ADDRESS")
    return found


def _text(key: bytes) -> str:
    return b64encode(key).decode("ascii")


def _is_of(line: bytes, observer: Observer) -> bool:
    return f'"observer":"{observer}"'.encode() in line[:64]
