"""The message service with a back door: what its operator writes into `leak.json` beside the database goes out.

Run as `python leaky_service.py` in place of `python -m lab.service`, which it is in everything else. The file is JSON:

    {"headers": [[NAME, VALUE], …]}             further headers of every answer
    {"status": "STATUS AND REASON"}             its status line
    {"body": BASE64, "headers": …}              what it says instead
    {"comment": TEXT}                           a comment in front of the next event of each stream
    {"crash": TEXT}                             an exception with this text while a request is answered
"""

from __future__ import annotations

import base64
import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from lab.service import server
from lab.service.__main__ import main
from lab.service.app import ServiceApp
from lab.service.config import Config

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ORDER = "leak.json"


def read(config: Config) -> dict[str, Any]:
    """What is to be leaked now; {} if nothing is."""
    try:
        order: dict[str, Any] = json.loads(config.database.with_name(ORDER).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return order


class BackDoor:
    """WSGI middleware that changes what `application` answers."""

    def __init__(self, application: WSGIApplication, config: Config) -> None:
        self._application = application
        self._config = config

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        order = read(self._config)
        body = base64.b64decode(order["body"]) if "body" in order else None

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            more = [(name, value) for name, value in order.get("headers", [])]
            if body is not None:
                more.append(("Content-Length", str(len(body))))
            changed = {name.lower() for name, _ in more}
            kept = [(name, value) for name, value in headers if name.lower() not in changed]
            return start_response(order.get("status", status), kept + more, exc_info)

        answer = self._application(environ, start)
        if environ["PATH_INFO"] == "/v1/events":
            return _Commented(answer, self._config)
        return answer if body is None else [body]


class _Commented:
    """An event stream with comments of the operator's."""

    def __init__(self, answer: Iterable[bytes], config: Config) -> None:
        self._answer = answer
        self._config = config

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._answer:
            comment = read(self._config).get("comment")
            yield piece if comment is None else f": {comment}\n".encode() + piece

    def close(self) -> None:
        close = getattr(self._answer, "close", None)
        if close is not None:
            close()


def create_app(config: Config) -> ServiceApp:
    app = ServiceApp(config)

    @app.before_request
    def crash() -> None:
        text = read(config).get("crash")
        if text is not None:
            raise RuntimeError(text)

    app.wsgi_app = BackDoor(app.wsgi_app, config)  # type: ignore[method-assign]
    return app


if __name__ == "__main__":
    server.create_app = create_app  # type: ignore[attr-defined] # where it is called
    output = sys.stdout.buffer
    with contextlib.redirect_stdout(sys.stderr):
        main(sys.stdin.buffer, output)
