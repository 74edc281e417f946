"""How careful the participants' app is: what becomes of it on the way to the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.messenger.hsts import Hsts
from lab.messenger.wire import Route, pin_of
from lab.model import Mode
from lab.scenario.company import Habits
from lab.stage.certificates import certificate_in, make_authority
from lab.stage.stage import Behind, Venue

AUTHORITY = Path("authority.pem")
ADDRESS = ("127.0.0.1", 5)
CERTIFICATE = certificate_in(make_authority("An authority").issue("chat.lab.test"))


@pytest.fixture
def venue() -> Venue:
    behind = Behind(ADDRESS, ADDRESS, Path())
    return Venue(Mode.TLS, "chat.lab.test", ADDRESS, AUTHORITY, Path(), behind, CERTIFICATE)


def test_without_habits_it_is_https_only_with_one_authority(venue: Venue) -> None:
    assert Habits().route(venue) == Route("https://chat.lab.test", ADDRESS, AUTHORITY)
    assert not Habits().fall_back("bob")


def test_each_habit_has_its_place(venue: Venue) -> None:
    hsts, installed = Hsts(), (Path("other.pem"),)
    assert Habits(pinned=True, installed=installed).route(venue) == Route(
        "https://chat.lab.test", ADDRESS, AUTHORITY, installed=installed, pins=frozenset({pin_of(CERTIFICATE)})
    )
    assert Habits(typed=True, hsts=hsts).route(venue) == Route(
        "http://chat.lab.test", ADDRESS, AUTHORITY, follows=True, hsts=hsts
    )


def test_without_tls_there_is_no_key_to_know() -> None:
    behind = Behind(ADDRESS, ADDRESS, Path())
    venue = Venue(Mode.PLAINTEXT, "chat.lab.test", ADDRESS, AUTHORITY, Path(), behind)
    assert Habits(pinned=True).route(venue) == Route("http://chat.lab.test", ADDRESS, AUTHORITY)
