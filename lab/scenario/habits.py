"""How the apps of a scenario reach the service, and what they ask of whoever answers."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import replace

from lab.messenger.hsts import Hsts
from lab.messenger.wire import Route, Wire, WireError, pin_of
from lab.scenario.lesson import Habit
from lab.stage.stage import Venue


def route_of(venue: Venue, habits: Collection[Habit], *, installed: bool) -> Route:
    """The way of apps with these habits to the service at `venue`.

    `installed`: the devices also trust the authority of whoever intercepts.
    """
    route = Route(
        venue.url,
        venue.address,
        None if Habit.UNCHECKED in habits else venue.authority,
        installed=(venue.installed,) if installed else (),
        pins=frozenset({pin_of(venue.certificate)} if Habit.PINNED in habits else ()),
    )
    if not {Habit.HTTP_FIRST, Habit.REMEMBERED}.intersection(habits):
        return route
    hsts = Hsts()
    if Habit.REMEMBERED in habits:
        _visit(replace(route, address=venue.behind.front_end, hsts=hsts))
    return replace(route, url=venue.url.replace("https://", "http://"), follows=True, hsts=hsts)


def _visit(route: Route) -> None:
    """An earlier visit, from a network without attackers. The service answers that it wants HTTPS from now on."""
    with closing(Wire(route, lambda _: None)) as wire, suppress(WireError):  # there is nothing at this address
        wire.download("/")
