"""A limit on failed logins."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from lab.service.problems import ProblemError


class LoginThrottle:
    """At most `limit` attempts per account name within `window` seconds, unless they succeed.

    Names count whether or not an account has them, so that the limit tells nothing. Memory is bounded: of more than
    `capacity` names the one tried least recently is forgotten. Pushing a name out takes `capacity` password checks.
    """

    def __init__(self, clock: Callable[[], float], limit: int, window: float, capacity: int = 10_000) -> None:
        self._clock = clock
        self._limit = limit
        self._window = window
        self._capacity = capacity
        self._attempts: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def attempt(self, name: str) -> None:
        """Count an attempt before it is made, so that simultaneous ones count too; raises ProblemError (429)."""
        now = self._clock()
        with self._lock:
            times = self._attempts.setdefault(name, deque())
            while times and times[0] <= now - self._window:
                times.popleft()
            if len(times) >= self._limit:
                seconds = max(1, math.ceil(times[0] + self._window - now))
                raise ProblemError(429, "Too many failed logins; try again later.", {"Retry-After": str(seconds)})
            times.append(now)
            self._attempts.move_to_end(name)
            if len(self._attempts) > self._capacity:
                self._attempts.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the attempts of `name`."""
        with self._lock:
            self._attempts.pop(name, None)
