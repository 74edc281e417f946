"""What becomes of the habits of apps on the way to the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.capture import Writer
from lab.messenger.hsts import Hsts
from lab.messenger.wire import Route, pin_of
from lab.model import Mode, Story
from lab.scenario.habits import route_of
from lab.scenario.lesson import Habit
from lab.stage.certificates import certificate_in, make_authority
from lab.stage.stage import Behind, Stage, Venue

AUTHORITY, INSTALLED = Path("authority.pem"), Path("installed.pem")
ADDRESS = ("127.0.0.1", 5)
CERTIFICATE = certificate_in(make_authority("An authority").issue("chat.lab.test"))


def at(mode: Mode = Mode.TLS, certificate: bytes = CERTIFICATE) -> Venue:
    behind = Behind(ADDRESS, ADDRESS, ADDRESS, Path())
    return Venue(mode, "chat.lab.test", ADDRESS, AUTHORITY, Path(), certificate, INSTALLED, behind)


@pytest.fixture
def venue(stage: Stage, tmp_path: Path) -> Iterator[Venue]:
    """A real one, without anybody on the path."""
    story = Story("habits", "", Mode.TLS, (), 0.0)
    with Writer(tmp_path / "capture", story) as writer, stage.session(Mode.TLS, "chat.lab.test", writer) as venue:
        yield venue


def test_without_habits_it_is_https_only_with_one_authority() -> None:
    assert route_of(at(), (), installed=False) == Route("https://chat.lab.test", ADDRESS, AUTHORITY)


def test_each_habit_has_its_place() -> None:
    pinned = route_of(at(), [Habit.PINNED], installed=True)
    assert (pinned.pins, pinned.installed) == (frozenset({pin_of(CERTIFICATE)}), (INSTALLED,))
    assert route_of(at(), [Habit.UNCHECKED], installed=False).authority is None
    typed = route_of(at(), [Habit.HTTP_FIRST], installed=False)
    assert (typed.url, typed.follows) == ("http://chat.lab.test", True)
    assert isinstance(typed.hsts, Hsts)
    assert not typed.hsts.knows("chat.lab.test")


def test_what_an_app_remembers_comes_from_a_real_visit(venue: Venue) -> None:
    hsts = route_of(venue, [Habit.REMEMBERED], installed=False).hsts
    assert hsts is not None
    assert hsts.knows("chat.lab.test")


def test_without_tls_there_is_no_key_to_know() -> None:
    assert route_of(at(Mode.PLAINTEXT, b""), [], installed=False) == Route("http://chat.lab.test", ADDRESS, AUTHORITY)
