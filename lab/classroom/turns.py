"""What is wanted of a thread that plays scenarios: which one, and how many of its steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from threading import Condition, Lock, Thread

from lab.scenario.lesson import Lesson, Scenario


class LeftError(Exception):
    """This run is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Order:
    """Scenario number `scenario`, from 0, of this lesson, for the question of this number. `turn` counts the orders."""

    turn: int
    question: int
    lesson: Lesson
    scenario: int

    @property
    def story(self) -> Scenario:
        return self.lesson.scenarios[self.scenario]


class Turns:
    """Any thread says what is wanted, and the one that plays waits for it."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._turn = 0
        self._order: Order | None = None
        self._released = 0
        self._reached = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def begin(self, question: int, lesson: Lesson, scenario: int) -> None:
        """From now on this is wanted, up to its first step."""
        with self._changed:
            self._turn += 1
            self._order = Order(self._turn, question, lesson, scenario)
            self._released = self._reached = 0
            self._changed.notify_all()

    def release(self, *, rest: bool) -> None:
        """The step before which the run waits is wanted as well, or all of them."""
        with self._changed:
            steps = len(self._order.story.steps) if self._order is not None else 0
            self._released = max(self._released, steps if rest else self._reached + 1)
            self._changed.notify_all()

    def drop(self) -> None:
        """Nothing is wanted."""
        with self._changed:
            self._order = None
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing will ever be wanted again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def following(self, turn: int) -> Order | None:
        """Wait for an order after this one. None: there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self._order is not None and self._order.turn > turn))
            return None if self._closed else self._order

    def reach(self, order: Order, step: int) -> None:
        """The run is before this step, from 0. LeftError."""
        with self._changed:
            if self._left(order):
                raise LeftError
            self._reached = step

    def wait_for(self, order: Order, step: int) -> None:
        """Until this step is wanted. LeftError."""
        with self._changed:
            self._changed.wait_for(lambda: self._left(order) or self._released > step)
            if self._left(order):
                raise LeftError

    def wait(self, order: Order, seconds: float) -> None:
        """Let so much time pass. LeftError."""
        with self._changed:
            if self._changed.wait_for(lambda: self._left(order), seconds):
                raise LeftError

    def check(self, order: Order) -> None:
        """LeftError, if it is not this that is wanted."""
        with self._changed:
            if self._left(order):
                raise LeftError

    def _left(self, order: Order) -> bool:
        return self._closed or self._order is not order


class Follower(ABC):
    """A `Runner` that does what is wanted in a thread of its own, which starts when it is first needed."""

    def __init__(self, name: str) -> None:
        self._turns = Turns()
        self._turn = Lock()
        self._thread: Thread | None = None
        self._name = name

    def prepare(self) -> None:
        """Start the thread before it is needed."""
        with self._turn:
            if self._thread is None and not self._turns.closed:
                self._thread = Thread(target=self._work, name=self._name)
                self._thread.start()

    def start(self, question: int, lesson: Lesson, scenario: int) -> None:
        """Play this scenario up to its first step."""
        self._turns.begin(question, lesson, scenario)
        self.prepare()

    def step(self, *, rest: bool) -> None:
        """Play the step before which it waits, or all that are left."""
        self._turns.release(rest=rest)

    def stop(self) -> None:
        """Break off at the next stop; nothing more is told of this run."""
        self._turns.drop()

    def close(self) -> None:
        """End everything, and wait until it is gone."""
        self._turns.close()
        with self._turn:
            thread = self._thread
        if thread is not None:
            thread.join()

    @abstractmethod
    def _work(self) -> None:
        """Follow one order after the other, until there are no more."""
