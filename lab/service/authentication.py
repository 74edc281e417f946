"""Who asks: bearer tokens (RFC 6750)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import g, request

from lab.service.accounts import Accounts, Session
from lab.service.problems import ProblemError


def member_blueprint(accounts: Accounts) -> APIBlueprint:
    """Operations below /v1 that need a token; nothing else is told to those who have none."""
    api = APIBlueprint("member", __name__, url_prefix="/v1")

    @api.before_request
    def authenticate() -> None:
        authorization = request.authorization
        if authorization is None or authorization.type != "bearer" or not authorization.token:
            raise ProblemError(401, "A bearer token is needed.", {"WWW-Authenticate": "Bearer"})
        g.session = accounts.session(authorization.token)
        request.environ["REMOTE_USER"] = g.session.account

    return api


def session() -> Session:
    """The session of the request being answered, which has to be one of a `member_blueprint`."""
    found: Session = g.session
    return found
