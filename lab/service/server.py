"""One service on a port of its own."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]

from lab.service.app import create_app
from lab.service.config import Config

# Seconds the requests being answered have to end by themselves once the service closes.
_GRACE = 0.5


class RunningService:
    """A service that answers on 127.0.0.1, in threads of this process, from its creation until it is closed."""

    def __init__(self, config: Config) -> None:
        """Start; raises OSError or sqlalchemy.exc.DBAPIError if files or port cannot be opened."""
        self._app = create_app(config)
        self._sockets: dict[int, object] = {}
        try:
            self._server = create_server(
                self._app,
                map=self._sockets,
                host="127.0.0.1",
                port=0,
                threads=config.threads,
                ident=None,
                # Read on while a request is answered: only so the end of an event stream's client is noticed.
                channel_request_lookahead=1,
                # TLS may end in front of the service; what does that says which scheme the client used.
                trusted_proxy="127.0.0.1",
                trusted_proxy_headers={"x-forwarded-proto"},
                clear_untrusted_proxy_headers=True,
            )
        except BaseException:
            self._app.close()
            raise
        self.port: int = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run, name=f"service-{self.port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def expire(self) -> None:
        """Delete the messages whose time is over."""
        self._app.expire()

    def end_streams(self) -> None:
        """Let the event streams end, ahead of `close`."""
        self._app.end_streams()

    def close(self) -> None:
        """Stop: event streams end, requests being answered are finished within a moment, files are closed.

        Closing it again does nothing.
        """
        if not self._thread.is_alive():
            return
        self._app.end_streams()
        dispatcher = self._server.task_dispatcher
        dispatcher.shutdown(timeout=_GRACE)
        # The sockets belong to the thread of the server, which ends when none is left. It runs thunks under this lock:
        # without holding it, it could close the trigger between taking the thunk and being woken for it.
        trigger = self._server.trigger
        with trigger.lock:
            trigger.thunks.append(self._close_sockets)
            trigger.pull_trigger()
        self._thread.join()
        # A request that was still sending to a slow client has failed by now.
        dispatcher.shutdown(timeout=_GRACE)
        self._app.close()

    def _close_sockets(self) -> None:
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        wasyncore.close_all(self._sockets)
