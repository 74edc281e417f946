"""HTTP to the message service, as any client would speak it: names, certificates and errors are the service's own.

The connection is dialled to the venue's address while URL, Host, SNI and the name check all say the venue's host.
Proxy and CA variables of the environment are ignored: a participant trusts exactly the authorities it was given.

An app may begin with http://, as with a link or a typed name, and is then sent to https:// by the service. Whoever is
on the path sees that first question and can answer in the service's place, unless the app remembers what the service
has said before (HSTS).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http.client import IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.util.connection import create_connection
from urllib3.util.ssl_ import create_urllib3_context

from lab import private
from lab.messenger.content import dump
from lab.messenger.hsts import HEADER, Hsts

CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
"""Guards, not waits: a service that is silent for longer counts as gone."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Answers that say where to go instead (RFC 9110, section 15.4)."""

_PASSING = frozenset({401, 408, 421, 425, 429})
"""Refusals that say nothing about the request itself (RFC 9110, section 15.5; RFC 6585; RFC 8470)."""

PIECE = 1 << 16
"""Bytes of an event stream taken at a time, if so many are there."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where the service is: `url` (scheme and host), the `address` to dial, the certificate file to trust.

    And how careful the app is. `installed`: files of further authorities, which somebody has put onto the device.
    `pins`: the keys that the service may have (see `pin_of`), in addition to a certificate; empty: any key.
    `follows`: where `url` is http://, ask there once, and go to https:// if the service says so. `hsts`: what the app
    remembers of that, so that it need not ask again. `authority` None: the app takes any certificate (a bad example).
    """

    url: str
    address: tuple[str, int]
    authority: Path | None
    installed: tuple[Path, ...] = ()
    pins: frozenset[str] = frozenset()
    follows: bool = False
    hsts: Hsts | None = None


def pin_of(certificate: bytes) -> str:
    """The key of a certificate (DER) as RFC 7469, section 2.4, names it: base64 of the SHA-256 of its SPKI."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return base64.b64encode(digest).decode("ascii")


class WireError(Exception):
    """The service refused a request, could not be reached, or said something that makes no sense: one sentence.

    `status` is the HTTP status of a refusal, None if there was no answer to speak of. `problem` has the members of the
    problem (RFC 9457) that came with it, as the service says them: nothing in it has been checked.
    """

    def __init__(self, sentence: str, status: int | None = None, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.problem = problem or {}

    @property
    def final(self) -> bool:
        """Whether the same request would be refused again: not where the service failed or the login is the matter."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in _PASSING


class CertificateError(WireError):
    """What the service showed is no certificate that this app accepts, or not for the key that it knows.

    Nothing was said on that connection.
    """


class Wire:
    """One client's connections. `connected` is told the local (host, port) of each new one.

    The secrets of its TLS connections are written to the new file `key_log` in the NSS format, readable by its owner.
    """

    def __init__(self, route: Route, connected: Callable[[tuple[str, int]], None], key_log: Path | None = None) -> None:
        self._route = route
        self._connected = connected
        self._url = route.url
        self._host = urlsplit(route.url).hostname or ""
        self._hsts = route.hsts
        self._undecided = route.follows and route.url.startswith("http://")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = False if route.authority is None else str(route.authority)
        self._session.headers.clear()
        self._session.headers.update({"User-Agent": "lab-messenger/1"})
        direct = _Direct(route, connected, key_log)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, direct)

    def login(self, token: str) -> None:
        """Send `token` with every request from now on."""
        self._session.headers["Authorization"] = f"Bearer {token}"

    def elsewhere(self, address: tuple[str, int]) -> Wire:
        """The same app in another network, where the service is said to be at `address`."""
        wire = Wire(replace(self._route, address=address), self._connected)
        wire._session.headers.update(self._session.headers)
        return wire

    def in_the_clear(self) -> Wire:
        """The same device without internet and without login: what it says now, everybody on the way can read."""
        url = f"http://{self._host}"
        return Wire(replace(self._route, url=url, follows=False, hsts=None), self._connected)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request; the answer's JSON ({} where there is none). WireError: refused, or not reached."""
        answer = self._request(method, path, None if body is None else dump(body), "application/json")
        return self._read(method, path, answer)

    def upload(self, path: str, data: bytes) -> dict[str, Any]:
        """POST bytes as they are; the answer's JSON. WireError as in `call`."""
        return self._read("POST", path, self._request("POST", path, data, "application/octet-stream"))

    def download(self, path: str) -> bytes:
        """GET bytes as they are. WireError as in `call`."""
        return self._request("GET", path).content

    def events(self, path: str) -> EventStream:
        """Open a stream of server-sent events (WHATWG HTML, section 9.2). WireError as in `call`."""
        return EventStream(self._request("GET", path, accept="text/event-stream", stream=True))

    def close(self) -> None:
        self._session.close()

    def _request(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        media_type: str = "",
        *,
        accept: str = "*/*",
        stream: bool = False,
    ) -> requests.Response:
        if self._undecided:
            self._decide()
        headers = {"Accept": accept}
        if data is not None:
            headers["Content-Type"] = media_type
        answer = self._ask(method, path, data, headers, stream=stream)
        if not _accepted(answer):
            with answer:
                problem = _problem(answer)
                detail = problem.get("detail") or problem.get("title") or answer.reason
                raise WireError(f"{method} {path}: {answer.status_code} {detail}", answer.status_code, problem)
        return answer

    def _decide(self) -> None:
        """Find out whether to go on with TLS. What is asked for here says nothing but the name of the service."""
        secured = "https://" + self._url.removeprefix("http://")
        if self._hsts is None or not self._hsts.knows(self._host):
            with self._ask("GET", "/", None, {"Accept": "*/*"}, stream=False) as answer:
                # Only where it was asked for, so that nobody leads the app to a service of their own.
                said = answer.status_code in REDIRECTS and answer.headers.get("Location", "").startswith(secured + "/")
        else:
            said = True
        if said:
            self._url = secured
        self._undecided = False

    def _ask(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str], *, stream: bool
    ) -> requests.Response:
        try:
            answer = self._session.request(
                method,
                self._url + path,
                data=data,
                headers=headers,
                stream=stream,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            kind = CertificateError if _is_of_certificate(error) else WireError
            raise kind(f"{method} {path}: {_cause(error)}") from error
        if self._hsts is not None and HEADER in answer.headers and self._url.startswith("https://"):
            self._hsts.hear(self._host, answer.headers[HEADER])
        return answer

    @staticmethod
    def _read(method: str, path: str, answer: requests.Response) -> dict[str, Any]:
        try:
            return _object(answer.content) if answer.content else {}
        except ValueError as error:
            raise WireError(f"{method} {path}: {error}") from None


class EventStream:
    """Server-sent events, read one at a time."""

    def __init__(self, answer: requests.Response) -> None:
        self._answer = answer
        self._rest = b""

    def next(self) -> tuple[str, dict[str, Any]]:
        """The next event's name and JSON data; comments are passed over. WireError: the stream ended or fell silent."""
        name, data = "message", b""
        try:
            while (line := self._line()) or not data:
                if line.startswith(b"event:"):
                    name = line[6:].strip().decode(errors="replace")
                elif line.startswith(b"data:"):
                    data += line[5:].strip()
            return name, _object(data)
        except ValueError as error:
            raise WireError(f"the event stream broke: {error}") from None
        except (HTTPError, OSError) as error:
            raise WireError(f"the event stream broke: {_cause(error)}") from error

    def close(self) -> None:
        self._answer.close()

    def _line(self) -> bytes:
        """The next line as soon as it is there; requests waits for a full buffer or reads single bytes."""
        while b"\n" not in self._rest:
            piece = self._answer.raw.read1(PIECE)
            if not piece:
                raise WireError("the event stream ended")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line.removesuffix(b"\r")


class _UnreachableError(NewConnectionError):
    """Nothing answered at the address dialled."""

    def __init__(self, connection: HTTPConnection, address: tuple[str, int], error: OSError) -> None:
        reason = error.strerror or str(error)
        super().__init__(connection, reason)
        self._sentence = f"no connection to the service at {address[0]}:{address[1]}: {reason}"

    def __str__(self) -> str:
        return self._sentence


class _Direct(HTTPAdapter):
    """Dials the route's address for every host, without changing what the request says."""

    def __init__(self, route: Route, connected: Callable[[tuple[str, int]], None], key_log: Path | None) -> None:
        self._route = route
        self._connected = connected
        self._key_log = key_log
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._key_log is not None or self._route.installed:
            kwargs["ssl_context"] = _context(self._key_log, self._route)
        super().init_poolmanager(*args, **kwargs)
        address, pins, connected = self._route.address, self._route.pins, self._connected

        def dial(connection: HTTPConnection) -> socket.socket:
            try:
                # Writes must not wait for acknowledgements (Nagle's algorithm), or each request takes 40 ms longer.
                made = create_connection(
                    address, connection.timeout, socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
                )
            except OSError as error:
                raise _UnreachableError(connection, address, error) from error
            connected(made.getsockname()[:2])
            return made

        class Plain(HTTPConnection):
            _new_conn = dial

        class Secured(HTTPSConnection):
            _new_conn = dial

            def connect(self) -> None:
                super().connect()
                # An app that checks nothing does not warn of it either.
                self.is_verified = True
                if pins:
                    _check_pin(self, pins)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecuredPool(HTTPSConnectionPool):
            ConnectionCls = Secured

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecuredPool}

    def close(self) -> None:
        # urllib3 leaves this to the garbage collector; an observer waits for connections to end.
        for key in self.poolmanager.pools.keys():  # noqa: SIM118 - a container of its own kind, not a mapping
            self.poolmanager.pools[key].close()
        super().close()


def _context(key_log: Path | None, route: Route) -> ssl.SSLContext:
    """The context that urllib3 would make by itself, to which it adds authority and name check; it logs its keys."""
    context = create_urllib3_context()
    if route.authority is None:
        context.check_hostname = False
    for authority in route.installed:
        context.load_verify_locations(authority)
    if key_log is not None:
        os.close(private.create(key_log))
        context.keylog_filename = str(key_log)
    return context


def _check_pin(connection: HTTPSConnection, pins: frozenset[str]) -> None:
    """Go on only with one of these keys. A trusted authority has certified it, else there would be no connection.

    Only the service's own key counts here, while RFC 7469 (2.6) also takes that of an authority of its chain.
    """
    certificate = connection.sock.getpeercert(binary_form=True) if isinstance(connection.sock, ssl.SSLSocket) else None
    if certificate is None or pin_of(certificate) not in pins:
        connection.close()
        raise ssl.SSLCertVerificationError(
            ssl.SSL_ERROR_SSL, f"the key of {connection.host} is not the one that this app knows (pinning)"
        )


def _is_of_certificate(error: BaseException) -> bool:
    """Whether a chain of wrapped errors begins with a certificate, or a key, that was not accepted."""
    while not isinstance(error, ssl.SSLCertVerificationError):
        inner = getattr(error, "reason", None) or next(iter(error.args), None)
        if not isinstance(inner, BaseException):
            return False
        error = inner
    return True


def _cause(error: BaseException) -> str:
    """The innermost message of a chain of wrapped errors, in one line."""
    while isinstance(error, requests.RequestException) and error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None)
    match reason if isinstance(reason, BaseException) else error:
        case ReadTimeoutError():
            return "no answer in time"
        case ProtocolError(args=(_, IncompleteRead())):
            return "the answer broke off"
        case ProtocolError(args=(_, OSError(strerror=str(sentence)))):
            return sentence
        case ProtocolError(args=(_, Exception() as inner)):
            return str(inner).strip()
        case other:
            return str(other)


def _accepted(answer: requests.Response) -> bool:
    # Not `answer.ok`: a redirect is not followed, so it did not do what was asked either.
    return 200 <= answer.status_code < 300


def _object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`; ValueError if it is none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError("what the service says is no JSON object")  # noqa: TRY004 - the service's fault
    return found


def _problem(answer: requests.Response) -> dict[str, Any]:
    """What the service says about a refusal; {} if that is no JSON object, or if it never ends."""
    try:
        return _object(answer.content)
    except (ValueError, requests.RequestException):
        return {}
