"""Blobs: bytes that are fetched by whoever has been told where they are, such as encrypted files."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sqlalchemy import bindparam, insert, select

from lab.service.problems import ProblemError
from lab.service.storage import Storage, blobs

_ID_SIZE = 16

_ADD = insert(blobs)
_DATA = select(blobs.c.data).where(blobs.c.id == bindparam("id"))


class Blobs:
    """The blobs of one service."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock

    def add(self, account: str, data: bytes) -> str:
        """Store `data`; returns an id of 128 random bits, which is all one needs to get it."""
        identifier = secrets.token_urlsafe(_ID_SIZE)
        row = {"id": identifier, "account": account, "created": self._clock(), "data": data}
        with self._storage.writing() as connection:
            connection.execute(_ADD, row)
        return identifier

    def get(self, identifier: str) -> bytes:
        """The data of a blob; raises ProblemError (404) if there is none."""
        with self._storage.reading() as connection:
            data: bytes | None = connection.scalar(_DATA, {"id": identifier})
        if data is None:
            raise ProblemError(404, "There is no such blob.")
        return data
