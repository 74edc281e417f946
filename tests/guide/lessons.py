"""A short lesson for the guide, and what a run of it comes to, without any stage."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

from lab.guide.lesson_path import Traffic
from lab.guide.state import Event, Judged, Key, Page, Plan, Reached, State, advance, begin, plan, wanted
from lab.model import (
    Capture,
    Cell,
    Direction,
    Evidence,
    Exposure,
    LeakMatrix,
    Mode,
    Observation,
    Observer,
    SecretName,
    Story,
)
from lab.scenario import parse
from lab.scenario.director import acted
from lab.scenario.lesson import Lesson, Scenario
from lab.scenario.predictions import Place

TEXT = """\
# Feature: A short lesson

```toml
minutes = { demo = 5, self_study = 15 }
```

Alice writes to Bob.

## Scenario: The way is encrypted

The service uses HTTPS.

* Given a message service in tls mode
* And the secrets body and service
* When alice sends bob "Meet me at 5pm"
* Then the observers can read

  |         | network  | server   | database |
  | ------- | -------- | -------- | -------- |
  | body    | hidden   | exposed  | exposed  |
  | service | exposed  | exposed  | exposed  |

### If you predicted body at server hidden

TLS ends at the service, so the company reads along.

## Scenario: Nothing is encrypted

* Given a message service in plaintext mode
* And the secrets body
* When alice sends bob "Meet me at 5pm"
* And bob sends alice "I will be there"
* Then the observers can read

  |      | network  | server   | database |
  | ---- | -------- | -------- | -------- |
  | body | exposed  | exposed  | exposed  |
"""

BODY_AT_NETWORK: Place = (SecretName.BODY, Observer.NETWORK)
BODY_AT_SERVER: Place = (SecretName.BODY, Observer.SERVER)
SERVICE_AT_NETWORK: Place = (SecretName.SERVICE, Observer.NETWORK)

PASSED = (Traffic(Observer.NETWORK, 3, 700, 90, "", b"\x17\x03\x03\x00\x45"), Traffic(Observer.DATABASE, 0, 4120))

_RECORD = b"\x17\x03\x03\x00\x10" + bytes(range(200, 216))
CAPTURE = Capture(
    Story("short", "The way is encrypted", Mode.TLS, (Observer.NETWORK, Observer.SERVER, Observer.DATABASE), 1.0),
    observations=(Observation(Observer.NETWORK, "tcp.stream", "1", Direction.TO_SERVICE, 1.0, _RECORD),),
)


@functools.cache
def lesson(text: str = TEXT, name: str = "short.feature.md") -> Lesson:
    return parse(text, Path(name))


@functools.cache
def fixed(chosen: tuple[Place, ...] = (), hints: tuple[str, ...] = (), of: Lesson | None = None) -> Plan:
    of = replace(of or lesson(), hints=hints)
    return plan(of, tuple(acted(one) for one in of.scenarios), chosen)


def measured(scenario: Scenario, **other: Exposure) -> LeakMatrix:
    """What the lesson claims, but for `other` cells: body_server=Exposure.HIDDEN."""
    cells = []
    for claim in scenario.claims:
        exposure = other.get(f"{claim.secret}_{claim.observer}", claim.exposure)
        evidence = Evidence("http.body", "1", Direction.TO_SERVICE, ((0, 4),), (), "Meet", 0, b"Meet me")
        found = (evidence,) if exposure is Exposure.EXPOSED else ()
        cells.append(Cell(claim.secret, claim.observer, exposure, "a reason", found, claim.exposure))
    return LeakMatrix("short", scenario.title, scenario.mode, tuple(cells))


def reached(state: State, done: int) -> Reached:
    play = wanted(state)
    return Reached(play.number if play else 0, done, PASSED)


def judged(state: State, **other: Exposure) -> Judged:
    play = wanted(state)
    scenario = state.plan.lesson.scenarios[play.scenario if play else 0]
    return Judged(play.number if play else 0, measured(scenario, **other), CAPTURE)


def after(state: State, *events: Event) -> State:
    for event in events:
        state = advance(state, event)
    return state


def at_prediction(*, chosen: tuple[Place, ...] = (), hints: tuple[str, ...] = ()) -> State:
    """On the page that asks for the first prediction."""
    state = after(begin(fixed(chosen, hints)), Key.NEXT, Key.NEXT, Key.NEXT)
    assert state.page is Page.PREDICT
    return state


def at_result(*said: Event, **other: Exposure) -> State:
    """With the matrix of the first scenario on the page, after these predictions."""
    state = after(at_prediction(), *said)
    state = state if state.page is Page.LOCK else after(state, Key.NEXT)
    state = after(state, Key.NEXT)
    state = after(state, reached(state, 0), Key.NEXT)
    state = after(state, reached(state, 1), Key.NEXT)
    state = after(state, judged(state, **other))
    assert state.page is Page.RESULT
    return state
