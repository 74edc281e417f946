"""The course of a lesson in the guide: pages, and what each key and each thing that happens does to them. Pure.

A state is never changed: `advance` gives the next one. What is to be played follows from the state as well
(`wanted`), so whoever holds the stage looks at it after each event, and nothing has to be undone.

    story → scene → steps → predict → lock → run, step by step → result → each wrong prediction → explain → next scene

Where the author says nothing about a scene, it has no page. A scenario can be tried again. Each try keeps its own
predictions, its own run and its own matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from lab.guide.lesson_path import Traffic
from lab.guide.words import words_for
from lab.guide.zoom import Zoom, zoom
from lab.model import Capture, Exposure, LabError, LeakMatrix
from lab.scenario.lesson import Lesson, Scenario, Step
from lab.scenario.predictions import Grade, Place, grade, named, place_of, table
from lab.scenario.vocabulary import claimable


class Page(StrEnum):
    STORY = "story"
    SCENE = "scene"
    STEPS = "steps"
    PREDICT = "predict"
    LOCK = "lock"
    RUN = "run"
    RESULT = "result"
    WRONG = "wrong"
    EXPLAIN = "explain"
    END = "end"


class Key(StrEnum):
    """What a learner can always do, wherever it makes sense; elsewhere it does nothing."""

    NEXT = "next"
    BACK = "back"
    REPEAT = "repeat"
    SKIP = "skip"
    QUIT = "quit"
    HINT = "hint"
    LOOK = "look"
    UP = "up"
    DOWN = "down"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Choose:
    """Go to this cell of the table."""

    place: Place


@dataclass(frozen=True, slots=True)
class Predict:
    """Say this of the cell that was chosen."""

    exposure: Exposure


@dataclass(frozen=True, slots=True)
class Write:
    """The explanation, in one line."""

    text: str


@dataclass(frozen=True, slots=True)
class Reached:
    """In try number `number`, so many steps are done, and the play waits. `passed` is what was recorded since it waited
    last."""

    number: int
    done: int
    passed: tuple[Traffic, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """Try number `number` is over."""

    number: int
    matrix: LeakMatrix
    capture: Capture


type Event = Key | Choose | Predict | Write | Reached | Judged


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed from the beginning. `steps` are, for each scenario, those that something happens in; `cells` those
    that a prediction is asked for, in the order of the table."""

    lesson: Lesson
    steps: tuple[tuple[Step, ...], ...]
    cells: tuple[tuple[Place, ...], ...]


@dataclass(frozen=True, slots=True)
class Try:
    """One try at one scenario. `released` and `done` count stops of the play: before each step, and after the last."""

    scenario: int
    predictions: Mapping[Place, Exposure] = field(default_factory=lambda: MappingProxyType({}))
    locked: bool = False
    released: int = 0
    done: int = -1
    passed: tuple[tuple[Traffic, ...], ...] = ()
    matrix: LeakMatrix | None = None
    capture: Capture | None = None
    looked: tuple[Place, ...] = ()
    because: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Where a learner is. `now` is the number of the try that is looked at; only the last one is ever played."""

    plan: Plan
    tries: tuple[Try, ...]
    now: int = 0
    page: Page = Page.STORY
    part: int = 0
    """Of several pages of one kind, which: for WRONG."""
    at: Place | None = None
    """The cell that is chosen."""
    zoom: Zoom | None = None
    """The evidence for it, while it is open."""
    depth: int = 0
    """Which of its layers is looked at; 0 is the outermost one."""
    hints: int = 0
    """How many hints are shown."""
    over: bool = False

    @property
    def current(self) -> Try:
        return self.tries[self.now]

    @property
    def scenario(self) -> Scenario:
        return self.plan.lesson.scenarios[self.current.scenario]

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.plan.steps[self.current.scenario]

    @property
    def cells(self) -> tuple[Place, ...]:
        return self.plan.cells[self.current.scenario]

    @property
    def playing(self) -> bool:
        """Whether the try that is looked at is on the stage, or about to be."""
        return self.now == len(self.tries) - 1 and self.current.locked and self.current.matrix is None

    @property
    def waiting(self) -> bool:
        """Whether the play waits for the learner."""
        return self.playing and self.current.done >= self.current.released

    @property
    def finished(self) -> bool:
        """Whether the learner has seen the last page."""
        return self.page is Page.END


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be on the stage: this scenario, as try number `number`, up to stop `released`."""

    number: int
    scenario: int
    released: int


def plan(lesson: Lesson, steps: tuple[tuple[Step, ...], ...], chosen: tuple[Place, ...] = ()) -> Plan:
    """`chosen` are the only cells that a prediction is asked for, () for all. LabError: the lesson has none of them."""
    cells = tuple(tuple(place for place in table(one) if not chosen or place in chosen) for one in lesson.scenarios)
    for place in chosen:
        if not any(place in each for each in cells):
            raise LabError(f"{named(place)}: no part of the lesson {lesson.name} has this cell; its table shows which")
    return Plan(lesson, steps, cells)


def begin(plan: Plan) -> State:
    return State(plan, (Try(0),))


def wanted(state: State) -> Wanted | None:
    """What is to be played now; None: nothing, and whatever is played is to be broken off."""
    last = state.tries[-1]
    if state.over or not last.locked or last.matrix is not None:
        return None
    return Wanted(len(state.tries) - 1, last.scenario, last.released)


def grades(one: Try) -> dict[Place, Grade]:
    """For each prediction of a try that was measured."""
    if one.matrix is None:
        return {}
    return {place: grade(said, one.matrix.cell(*place)) for place, said in one.predictions.items()}


def wrong(one: Try) -> tuple[Place, ...]:
    """The wrong predictions of a try, in the order of the table."""
    graded = grades(one)
    cells = one.matrix.cells if one.matrix else ()
    return tuple(place_of(cell) for cell in cells if graded.get(place_of(cell)) is Grade.WRONG)


def advance(state: State, event: Event) -> State:
    """The state after `event`."""
    if state.over:
        return state
    match event:
        case Reached() | Judged():
            return _happened(state, event)
        case Choose(place):
            return _chosen(state, place)
        case Predict(exposure):
            return _predicted(state, exposure)
        case Write(text):
            if state.page is not Page.EXPLAIN:
                return state
            return _next(_changed(state, replace(state.current, because=" ".join(text.split()))))
        case Key():
            return _pressed(state, event)


def _pressed(state: State, key: Key) -> State:
    if key is Key.QUIT:
        return replace(state, over=True)
    if state.zoom is not None:
        return _zoomed(state, key, len(state.zoom.layers))
    match key:
        case Key.NEXT:
            return _go_on(state)
        case Key.BACK:
            return _back(state)
        case Key.REPEAT:
            return _try_again(state)
        case Key.SKIP:
            return _skip(state)
        case Key.HINT:
            return replace(state, hints=min(state.hints + 1, len(state.plan.lesson.hints)))
        case Key.LOOK:
            return _look(state)
    return _move(state, key)


def _zoomed(state: State, key: Key, layers: int) -> State:
    match key:
        case Key.NEXT | Key.RIGHT | Key.DOWN if state.depth + 1 < layers:
            return replace(state, depth=state.depth + 1)
        case Key.BACK | Key.LEFT | Key.UP if state.depth:
            return replace(state, depth=state.depth - 1)
        case Key.NEXT | Key.BACK | Key.LOOK | Key.SKIP:
            return replace(state, zoom=None)
    return state


def _go_on(state: State) -> State:
    one = state.current
    match state.page:
        case Page.LOCK:
            return _to(_changed(state, replace(one, locked=True)), Page.RUN)
        case Page.RUN if state.playing:
            return _changed(state, replace(one, released=one.done + 1)) if state.waiting else state
        case Page.END:
            return replace(state, over=True)
    return _next(state)


def _next(state: State) -> State:
    pages = _pages(state)
    here = pages.index((state.page, state.part))
    if here + 1 < len(pages):
        return _to(state, *pages[here + 1])
    if state.now + 1 < len(state.tries):
        return _open(replace(state, now=state.now + 1))
    return _next_scene(state)


def _next_scene(state: State) -> State:
    """On to a scenario that comes after the one of this try, or to the end."""
    following = state.current.scenario + 1
    if following == len(state.plan.lesson.scenarios):
        return _to(state, Page.END)
    return _open(replace(state, tries=(*state.tries, Try(following)), now=len(state.tries)))


def _opening(state: State) -> Page:
    """The first page of the try that is looked at: where the author says nothing about a scenario, its steps."""
    return Page.SCENE if state.scenario.prose else Page.STEPS


def _open(state: State) -> State:
    return _to(state, _opening(state))


def _back(state: State) -> State:
    pages = _pages(state)
    here = pages.index((state.page, state.part))
    if here:
        return _to(state, *pages[here - 1])
    if state.now:
        before = replace(state, now=state.now - 1)
        return _to(before, *_pages(before)[-1])
    return state


def _try_again(state: State) -> State:
    if state.page is Page.STORY:
        return state
    again = Try(state.current.scenario)
    return _open(replace(state, tries=(*state.tries, again), now=len(state.tries)))


def _skip(state: State) -> State:
    match state.page:
        case Page.PREDICT if not state.current.locked and state.cells:
            here = state.cells.index(state.at) if state.at in state.cells else -1
            if here + 1 < len(state.cells):
                return replace(state, at=state.cells[here + 1])
            return _to(state, Page.LOCK)
        case Page.RUN if state.playing:
            return _changed(state, replace(state.current, released=len(state.steps) + 1))
        case Page.END:
            return state
        case Page.STORY:
            return _open(state)
    if state.now + 1 < len(state.tries):
        return _open(replace(state, now=state.now + 1))
    return _next_scene(state)


def _look(state: State) -> State:
    one, at = state.current, state.at
    if one.matrix is None or one.capture is None or at is None or state.page not in (Page.RESULT, Page.WRONG):
        return state
    if at not in one.looked:
        state = _changed(state, replace(one, looked=(*one.looked, at)))
    words = words_for(state.plan.lesson.language)
    return replace(state, zoom=zoom(one.capture, one.matrix, one.matrix.cell(*at), words), depth=0)


def _table(state: State) -> tuple[Place, ...]:
    """The cells that can be chosen on this page."""
    if state.page is Page.PREDICT:
        return state.cells
    if state.page is Page.RESULT and state.current.matrix is not None:
        return tuple(place_of(cell) for cell in state.current.matrix.cells)
    return ()


def _chosen(state: State, place: Place) -> State:
    return replace(state, at=place) if place in _table(state) and state.zoom is None else state


def _predicted(state: State, exposure: Exposure) -> State:
    one, at = state.current, state.at
    if state.page is not Page.PREDICT or one.locked or at not in state.cells or exposure not in claimable(at[0]):
        return state
    made = MappingProxyType({**one.predictions, at: exposure})
    state = _changed(state, replace(one, predictions=made))
    after = state.cells[state.cells.index(at) + 1 :]
    following = next((place for place in after if place not in made), None)
    if following is None:
        following = next((place for place in state.cells if place not in made), None)
    return _to(state, Page.LOCK) if following is None else replace(state, at=following)


def _move(state: State, key: Key) -> State:
    """To the nearest cell in that direction: the table may have holes where only some cells were chosen."""
    table, at = _table(state), state.at
    if at not in table or at is None:
        return state
    secrets, observers = (tuple(dict.fromkeys(place[index] for place in table)) for index in (0, 1))
    row, column = secrets.index(at[0]), observers.index(at[1])
    down, right = {Key.UP: (-1, 0), Key.DOWN: (1, 0), Key.LEFT: (0, -1), Key.RIGHT: (0, 1)}.get(key, (0, 0))
    while (down or right) and 0 <= row + down < len(secrets) and 0 <= column + right < len(observers):
        row, column = row + down, column + right
        for place in table:
            if place == (secrets[row], observers[column]):
                return replace(state, at=place)
    return state


def _happened(state: State, event: Reached | Judged) -> State:
    """Of a try that was left meanwhile nothing is wanted any more."""
    play = wanted(state)
    if play is None or event.number != play.number:
        return state
    one = state.tries[event.number]
    match event:
        case Reached(_, done, passed):
            one = replace(one, done=done, passed=(*one.passed, passed))
        case Judged(_, matrix, capture):
            one = replace(one, matrix=matrix, capture=capture)
    state = replace(state, tries=(*state.tries[: event.number], one))
    if one.matrix is not None and state.now == event.number and state.page is Page.RUN:
        return _to(state, Page.RESULT)
    return state


def _pages(state: State) -> list[tuple[Page, int]]:
    """The pages of the try that is looked at, as far as it has come."""
    one = state.current
    pages = [(Page.STORY, 0)] if state.now == 0 else []
    pages += [(page, 0) for page in dict.fromkeys((_opening(state), Page.STEPS, Page.PREDICT))]
    pages.append((Page.RUN if one.locked else Page.LOCK, 0))
    if one.matrix is not None:
        pages.append((Page.RESULT, 0))
        pages += [(Page.WRONG, part) for part in range(len(wrong(one)))]
        pages.append((Page.EXPLAIN, 0))
    if state.page is Page.END:
        pages.append((Page.END, 0))
    return pages


def _to(state: State, page: Page, part: int = 0) -> State:
    before, state = state, replace(state, page=page, part=part, zoom=None)
    match page:
        case Page.PREDICT:
            open_ = (place for place in state.cells if place not in state.current.predictions)
            return replace(state, at=next(open_, state.cells[0] if state.cells else None))
        case Page.RESULT:
            table = _table(state)
            if before.page is not Page.RUN and state.at in table:
                return state
            return replace(state, at=next(iter(wrong(state.current)), table[0] if table else None))
        case Page.WRONG:
            return replace(state, at=wrong(state.current)[part])
    return state


def _changed(state: State, one: Try) -> State:
    """With `one` in place of the try that is looked at."""
    return replace(state, tries=(*state.tries[: state.now], one, *state.tries[state.now + 1 :]))
