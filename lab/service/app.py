"""The WSGI application of one service."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

from apiflask import APIFlask
from flask import Request, Response
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from werkzeug.routing import Rule

from lab.service.accounts import Accounts
from lab.service.api import (
    add_account_operations,
    add_conversation_operations,
    add_event_operations,
    add_message_operations,
    add_profile_operations,
    add_report_operations,
    public_api,
    text_message_api,
)
from lab.service.authentication import member_blueprint
from lab.service.blobs import Blobs
from lab.service.config import Config
from lab.service.conversations import Conversations
from lab.service.device_api import DeviceConverter, add_blob_operations, add_device_operations
from lab.service.devices import Devices
from lab.service.events import Events
from lab.service.key_log import KeyLog
from lab.service.key_log_api import add_log_operations
from lab.service.lifetimes import Lifetimes
from lab.service.log import AccessLog, Log
from lab.service.messages import Messages
from lab.service.openapi import configure_openapi
from lab.service.opt_in import OptIns
from lab.service.passwords import Passwords
from lab.service.problems import register_problem_handlers
from lab.service.profiles import Profiles
from lab.service.reports import Reports
from lab.service.storage import Storage
from lab.service.texts import Texts
from lab.service.throttle import LoginThrottle


class _Address(Rule):
    """An address that is understood. What puts one together is compiled when somebody asks for it, which nobody does:
    for each address at once, it takes longer than all the rest of an application."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = cache(super()._compile_builder)
        return lambda rule, **values: compiled(append_unknown)(rule, **values)


class ServiceApp(APIFlask):
    """The application together with what it holds open. Nothing is shared between two of them."""

    url_rule_class = _Address

    def __init__(self, config: Config) -> None:
        super().__init__(
            __name__,
            title="Message service",
            docs_path=None,
            json_errors=False,
            static_folder=None,  # type: ignore[arg-type] # none at all, as Flask has it
        )
        self._log = Log(config.log, config.clock)
        try:
            self._storage = Storage(config.database, secure_delete=config.secure_delete)
        except BaseException:
            self._log.close()
            raise
        self._passwords = Passwords()
        self._events = Events(config.max_streams)
        throttle = LoginThrottle(config.clock, config.login_failures, config.login_window)
        accounts = Accounts(self._storage, self._passwords, throttle, config.clock, config.token_lifetime)
        key_log = KeyLog(self._storage)
        devices = Devices(self._storage, key_log, self._events.end_devices)
        conversations = Conversations(self._storage, config.clock, self._events.publish_change)
        self._lifetimes = Lifetimes(self._storage, config.clock)
        messages = Messages(self._storage, config.clock, self._lifetimes, self._events.publish)
        opt_ins = OptIns(self._storage)
        member_api = member_blueprint(accounts)
        add_account_operations(member_api, accounts, self._events)
        add_device_operations(member_api, devices)
        add_log_operations(member_api, key_log)
        add_conversation_operations(member_api, conversations, self._lifetimes, opt_ins)
        add_message_operations(member_api, messages, opt_ins)
        add_profile_operations(member_api, Profiles(self._storage))
        add_report_operations(member_api, Reports(self._storage, config.clock))
        add_event_operations(member_api, config, devices, conversations, messages, self._events)
        add_blob_operations(member_api, Blobs(self._storage, config.clock))

        self.config["MAX_CONTENT_LENGTH"] = config.max_body
        self.request_class = _JsonRequest
        self.json = _Json(self)
        # One spelling for each address: others are not found, where Flask would redirect.
        self.url_map.merge_slashes = False
        self.url_map.converters["device"] = DeviceConverter
        configure_openapi(self)
        register_problem_handlers(self, self._log.exception)
        self.register_blueprint(public_api(accounts))
        self.register_blueprint(member_api)
        if config.text_messages:
            self.register_blueprint(text_message_api(Texts(self._storage, config.clock)))
        self.after_request(_uncached)
        self.wsgi_app = AccessLog(self.wsgi_app, self._log)  # type: ignore[method-assign]

    def expire(self) -> None:
        """Delete the messages whose time is over; else that waits until somebody asks for messages."""
        self._lifetimes.expire()

    def end_streams(self) -> None:
        """End the open event streams and refuse new ones; other requests are still answered."""
        self._events.close()

    def close(self) -> None:
        """End the open event streams and close database and log, when no request is being answered any more."""
        self.end_streams()
        self._passwords.close()
        self._storage.close()
        self._log.close()


def create_app(config: Config) -> ServiceApp:
    """A service of its own; raises OSError or sqlalchemy.exc.DBAPIError if its files cannot be opened. Close it."""
    return ServiceApp(config)


class _JsonRequest(Request):
    """A request whose body is JSON and says so."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        # APIFlask would force it: then any website could post here from a visitor's browser without asking first.
        return super().get_json(force=False, silent=silent, cache=cache)

    def on_json_loading_failed(self, e: ValueError | None) -> NoReturn:
        if e is None:
            raise UnsupportedMediaType("The body has to be application/json.")
        raise BadRequest("The body is not well-formed JSON.")


class _Json(DefaultJSONProvider):
    """JSON in UTF-8, with the members in the order they are documented."""

    ensure_ascii = False
    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
