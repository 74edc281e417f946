"""The service under test, as its URL says. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from lab.addresses import is_here
from lab.model import LabError

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443, "tcp": None}
_TLS = ("https", "wss")


@dataclass(frozen=True, slots=True)
class Target:
    """Where the service listens, and what is spoken there."""

    scheme: str
    host: str
    port: int
    rest: str = ""
    """Path and query of the URL, which the URL of the taps keeps."""

    @property
    def http(self) -> bool:
        return self.scheme != "tcp"

    @property
    def tls(self) -> bool:
        """It ends TLS itself."""
        return self.scheme in _TLS

    @property
    def local(self) -> bool:
        """It is on this machine."""
        return is_here(self.host)

    @property
    def upstream(self) -> str:
        """As mitmproxy names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def seen_at(self, address: tuple[str, int], *, tls: bool) -> str:
        """The URL of the taps that listen at `address`. With `tls` they speak TLS, also if the service does not."""
        scheme = {"http": "https", "ws": "wss"}.get(self.scheme, self.scheme) if tls else self.scheme
        return f"{scheme}://{address[0]}:{address[1]}{self.rest}"


def target(url: str) -> Target:
    """LabError: this is no URL of a service that can be observed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise LabError(f"{url}: no URL of a service: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise LabError(f"{url}: give the URL of a service: http://, https://, ws://, wss:// or tcp://HOST:PORT")
    port = port or _PORTS[parts.scheme]
    if port is None:
        raise LabError(f"{url}: a tcp:// service needs a port, as in tcp://127.0.0.1:5432")
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, parts.hostname, port, rest)
