"""HTTP to the message service, as any client would speak it: names, certificates and errors are the service's own.

The connection is dialled to the venue's address while URL, Host, SNI and the name check all say the venue's host.
Proxy and CA variables of the environment are ignored: a participant trusts exactly the authority it was given.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.util.connection import create_connection
from urllib3.util.ssl_ import create_urllib3_context

from lab import private
from lab.messenger.content import dump

CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
"""Guards, not waits: a service that is silent for longer counts as gone."""

_PASSING = frozenset({401, 408, 421, 425, 429})
"""Refusals that say nothing about the request itself (RFC 9110, section 15.5; RFC 6585; RFC 8470)."""

PIECE = 1 << 16
"""Bytes of an event stream taken at a time, if so many are there."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where the service is: `url` (scheme and host), the `address` to dial, the certificate file to trust."""

    url: str
    address: tuple[str, int]
    authority: Path


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


class Wire:
    """One client's connections. `connected` is told the local (host, port) of each new one.

    The secrets of its TLS connections are written to the new file `key_log` in the NSS format, readable by its owner.
    """

    def __init__(self, route: Route, connected: Callable[[tuple[str, int]], None], key_log: Path | None = None) -> None:
        self._url = route.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(route.authority)
        self._session.headers.clear()
        self._session.headers.update({"User-Agent": "lab-messenger/1"})
        self._session.mount(route.url, _Direct(route.address, connected, key_log))

    def login(self, token: str) -> None:
        """Send `token` with every request from now on."""
        self._session.headers["Authorization"] = f"Bearer {token}"

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
        headers = {"Accept": accept}
        if data is not None:
            headers["Content-Type"] = media_type
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
            raise WireError(f"{method} {path}: {_cause(error)}") from error
        if not _accepted(answer):
            with answer:
                problem = _problem(answer)
                detail = problem.get("detail") or problem.get("title") or answer.reason
                raise WireError(f"{method} {path}: {answer.status_code} {detail}", answer.status_code, problem)
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
    """Dials `address` for every host, without changing what the request says."""

    def __init__(
        self, address: tuple[str, int], connected: Callable[[tuple[str, int]], None], key_log: Path | None
    ) -> None:
        self._address = address
        self._connected = connected
        self._key_log = key_log
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._key_log is not None:
            kwargs["ssl_context"] = _logging_keys(self._key_log)
        super().init_poolmanager(*args, **kwargs)
        address, connected = self._address, self._connected

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


def _logging_keys(key_log: Path) -> ssl.SSLContext:
    """The context that urllib3 would make by itself, to which it adds authority and name check; it logs its keys."""
    os.close(private.create(key_log))
    context = create_urllib3_context()
    context.keylog_filename = str(key_log)
    return context


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
