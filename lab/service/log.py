"""The log file of one service: a line per request, and the traceback of what went wrong."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from wsgiref.util import request_uri

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_URL_CHARACTERS = ":/?#[]@!$&'()*+,;=%"


class Log:
    """An append-only file with mode 0600. It belongs to one service and registers nothing with `logging`."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Open `path`; raises OSError if it cannot be written."""
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w", encoding="utf-8")
        self._clock = clock
        self._lock = threading.Lock()

    def access(self, account: str, method: str, url: str, status: str, size: int) -> None:
        """Write one line: ISO 8601 time in UTC, account or "-", method, URL, status code, body size in bytes."""
        self._write(f"{account} {_one_word(method)} {_one_word(url)} {status} {size}")

    def exception(self, error: BaseException) -> None:
        """Write a traceback. It has source lines and messages in it, never the values of variables."""
        self._write("error\n" + "".join(traceback.format_exception(error)).rstrip())

    def close(self) -> None:
        """Close the file; what is logged afterwards is dropped."""
        with self._lock:
            self._file.close()

    def _write(self, entry: str) -> None:
        time = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        with self._lock:
            if not self._file.closed:
                self._file.write(f"{time} {entry}\n")
                self._file.flush()


class AccessLog:
    """WSGI middleware that logs each request once; the account is what the application leaves in REMOTE_USER.

    A response of known length is logged before its first byte is sent, so a client that has the response can rely on
    the line. Any other is logged when it ends, with the bytes that were sent.
    """

    def __init__(self, application: WSGIApplication, log: Log) -> None:
        self._application = application
        self._log = log

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status = ""
        length: int | None = None
        # Taken first: what runs below may change the environment.
        method, url = environ["REQUEST_METHOD"], request_uri(environ)

        def start(
            line: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            nonlocal status, length
            status = line.split(" ", 1)[0]
            length = next((int(value) for name, value in headers if name.lower() == "content-length"), None)
            if status in {"204", "304"}:
                length = 0
            return start_response(line, headers, exc_info)

        def record(size: int) -> None:
            self._log.access(environ.get("REMOTE_USER", "-"), method, url, status, size)

        body = self._application(environ, start)
        if length is None:
            return _CountedBody(body, record, self._log.exception)
        record(0 if method == "HEAD" else length)
        return body


class _CountedBody:
    """A response body that counts its bytes, reports them once it is closed, and logs the error that ends it."""

    def __init__(
        self, body: Iterable[bytes], record: Callable[[int], None], failed: Callable[[BaseException], None]
    ) -> None:
        self._body = body
        self._record = record
        self._failed = failed
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._body:
                self._size += len(part)
                yield part
        except Exception as error:
            self._failed(error)
            raise

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._record(self._size)


def _one_word(text: str) -> str:
    """`text` without blanks and control characters: a request cannot add lines or columns of its own to the log."""
    return quote(text, safe=_URL_CHARACTERS)
