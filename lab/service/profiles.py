"""Profiles: what an account says about itself to everybody who is signed in, and to whoever runs the service."""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert as upsert

from lab.service.problems import ProblemError
from lab.service.schemas import NewProfile, Profile
from lab.service.storage import Storage, profiles

_put = upsert(profiles)
_PUT = _put.on_conflict_do_update(set_={"display_name": _put.excluded.display_name, "status": _put.excluded.status})
_PROFILE = select(profiles).where(profiles.c.account == bindparam("name"))


class Profiles:
    """The profiles of one service."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def put(self, account: str, new: NewProfile) -> Profile:
        """Replace the profile of `account`."""
        row = {"account": account, "display_name": new.display_name, "status": new.status}
        with self._storage.writing() as connection:
            connection.execute(_PUT, row)
        return Profile(name=account, display_name=new.display_name, status=new.status)

    def of(self, account: str) -> Profile:
        """The profile of `account`; raises ProblemError (404) if there is none."""
        with self._storage.reading() as connection:
            row = connection.execute(_PROFILE, {"name": account}).one_or_none()
        if row is None:
            raise ProblemError(404, "No profile is kept under this name.")
        return Profile(name=row.account, display_name=row.display_name, status=row.status)
