"""Accounts: registration, login, tokens, and the one public key of those without devices."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import IntegrityError

from lab.service.passwords import Passwords
from lab.service.problems import ProblemError
from lab.service.storage import Storage, accounts, keys, tokens
from lab.service.throttle import LoginThrottle

_CREATE = insert(accounts)
_PASSWORD = select(accounts.c.password).where(accounts.c.name == bindparam("name"))
_ADD_TOKEN = insert(tokens)
_TOKEN = select(tokens.c.account, tokens.c.expires).where(tokens.c.digest == bindparam("digest"))
_REMOVE_TOKEN = delete(tokens).where(tokens.c.digest == bindparam("digest"))
_REMOVE_EXPIRED = delete(tokens).where(tokens.c.expires <= bindparam("now"))
_put_keys = upsert(keys)
_PUT_KEYS = _put_keys.on_conflict_do_update(set_={"bundle": _put_keys.excluded.bundle})
_KEYS = select(keys.c.bundle).where(keys.c.account == bindparam("name"))


@dataclass(frozen=True, slots=True)
class Session:
    """What a valid token stands for; `expires` in seconds since the epoch."""

    account: str
    digest: bytes
    expires: float


class Accounts:
    """The accounts of one service. Passwords are kept as Argon2id hashes, tokens as SHA-256 digests."""

    def __init__(
        self,
        storage: Storage,
        passwords: Passwords,
        throttle: LoginThrottle,
        clock: Callable[[], float],
        token_lifetime: float,
    ) -> None:
        self._storage = storage
        self._passwords = passwords
        self._clock = clock
        self._throttle = throttle
        self._token_lifetime = token_lifetime
        self._decoy = passwords.decoy()
        # Of the tokens given by this process, so that requests need not ask the database first. Only giving one adds to
        # it: a request that read a token just before it was removed must not bring it back.
        self._sessions: dict[bytes, Session] = {}

    def create(self, name: str, password: str) -> tuple[str, float]:
        """Add an account and log it in, as `login` does; raises ProblemError (409) if the name is taken."""
        row = {"name": name, "password": self._passwords.hash(password), "created": self._clock()}
        try:
            with self._storage.writing() as connection:
                connection.execute(_CREATE, row)
        except IntegrityError:
            raise ProblemError(409, f"The name {name!r} is taken.") from None
        return self._new_token(name)

    def login(self, name: str, password: str) -> tuple[str, float]:
        """A new token and its expiry in seconds since the epoch; raises ProblemError (401 or 429).

        Neither the answer nor the work done tells an unknown name from a wrong password.
        """
        self._throttle.attempt(name)
        with self._storage.reading() as connection:
            stored = connection.scalar(_PASSWORD, {"name": name})
        if not self._passwords.verify(password, stored or self._decoy):
            raise ProblemError(401, "Unknown account or wrong password.", {"WWW-Authenticate": "Bearer"})
        self._throttle.succeeded(name)
        return self._new_token(name)

    def session(self, token: str) -> Session:
        """The session of a token; raises ProblemError (401) if it is unknown or expired."""
        # Found by digest: how long the search takes depends on the digest, which tells nothing about the token.
        digest = _digest(token)
        session = self._sessions.get(digest) or self._stored(digest)
        if session is None or session.expires <= self._clock():
            raise ProblemError(401, "The token is unknown or expired.", {"WWW-Authenticate": "Bearer"})
        return session

    def logout(self, session: Session) -> None:
        """Remove the token of a session."""
        with self._storage.writing() as connection:
            connection.execute(_REMOVE_TOKEN, {"digest": session.digest})
        self._sessions.pop(session.digest, None)

    def publish_keys(self, account: str, bundle: bytes) -> None:
        """Replace the one public key of an account without devices; what it is made of is up to the clients."""
        with self._storage.writing() as connection:
            connection.execute(_PUT_KEYS, {"account": account, "bundle": bundle})

    def keys(self, account: str) -> bytes:
        """The one public key of an account without devices; raises ProblemError (404) if there is none."""
        with self._storage.reading() as connection:
            bundle: bytes | None = connection.scalar(_KEYS, {"name": account})
        if bundle is None:
            raise ProblemError(404, "No keys are published under this name.")
        return bundle

    def _stored(self, digest: bytes) -> Session | None:
        with self._storage.reading() as connection:
            row = connection.execute(_TOKEN, {"digest": digest}).one_or_none()
        return row and Session(row.account, digest, row.expires)

    def _new_token(self, account: str) -> tuple[str, float]:
        token = secrets.token_urlsafe(32)
        now = self._clock()
        session = Session(account, _digest(token), now + self._token_lifetime)
        with self._storage.writing() as connection:
            connection.execute(_REMOVE_EXPIRED, {"now": now})
            connection.execute(_ADD_TOKEN, {"digest": session.digest, "account": account, "expires": session.expires})
        for known in list(self._sessions.values()):
            if known.expires <= now:
                self._sessions.pop(known.digest, None)
        self._sessions[session.digest] = session
        return token, session.expires


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
