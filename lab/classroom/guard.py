"""Who may ask, how often, and from where: keys, addresses and rates. The clock is passed in.

Nothing here knows of HTTP frameworks, so that pages, API and open connections are guarded by the same rules.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

MOST_BYTES = 16 * 1024
"""Of the body of a request: an answer to every cell of the longest table, with its reason, is a tenth of this."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
)
"""Of every answer."""

_HTTP_PORT = 80
_OURS = ("same-origin", "none")
_MOST_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and then one more after each so many seconds."""

    burst: int
    every: float


class Bucket:
    """One rate for many who ask, each counted alone. Thread-safe.

    Kept is one moment for each who asked lately: when all of the burst is there again.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._whole_at: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def take(self, who: Hashable = None) -> float:
        """0 if it is granted, else the seconds until it would be."""
        with self._lock:
            now = self._clock()
            at = max(self._whole_at.pop(who, now), now)
            wait = at + self._rate.every - now - self._rate.burst * self._rate.every
            granted = wait <= 1e-9  # sums of fractions are not exact
            self._whole_at[who] = at + self._rate.every if granted else at
            if len(self._whole_at) > _MOST_KEPT:
                self._forget(now)
            return 0.0 if granted else wait

    def give_back(self, who: Hashable = None) -> None:
        """What was taken last does not count."""
        with self._lock:
            if who in self._whole_at:
                self._whole_at[who] -= self._rate.every

    def _forget(self, now: float) -> None:
        """Those who have all of their burst again; if there are still too many, those who asked longest ago."""
        self._whole_at = {who: at for who, at in self._whole_at.items() if at > now}
        for who in list(self._whole_at)[:-_MOST_KEPT]:
            del self._whole_at[who]


class Limits:
    """How often what may be asked. Each method gives 0, or the seconds to wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        # A whole school may come from one address, so what all do (join, reload) is not counted by address.
        self.joins = Bucket(Rate(400, 1 / 20), clock)
        self.wrong_codes = Bucket(Rate(10, 5.0), clock)
        """By address."""
        self.answers = Bucket(Rate(60, 1 / 10), clock)
        """By learner."""
        self.messages = Bucket(Rate(5, 2.0), clock)
        """By learner: each is sent in up to three modes."""
        self.keys = Bucket(Rate(5, 10.0), clock)
        self.requests = Bucket(Rate(3000, 1 / 300), clock)
        """By address: a school behind one address reloads at once, and one device cannot keep all others waiting."""


def learner_cookie(room: str) -> str:
    """What the cookie of a learner is called in the class with this id. Cookies know no ports: a browser sends those of
    all classes on one computer to each of them, and of two of the same name it keeps the newer one alone."""
    return f"learner-{room}"


def teacher_cookie(room: str) -> str:
    """The same, of the teacher."""
    return f"teacher-{room}"


def same(given: str, expected: str) -> bool:
    """Compared in a time that says nothing about where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode(errors="replace"))


def hosts(port: int, lan: str | None) -> frozenset[str]:
    """What a Host header may say. Any other name that leads here is DNS rebinding: a page of another site whose name
    is made to mean this machine."""
    names = ("127.0.0.1", "localhost", *([lan] if lan else []))
    bare = names if port == _HTTP_PORT else ()
    return frozenset({*bare, *(f"{name}:{port}" for name in names)})


def is_foreign_read(fetch_site: str | None, fetch_mode: str | None, *, page: bool) -> bool:
    """Whether a browser says that another site asks. That site may lead to a page, as a link does, and nothing else."""
    return (fetch_site or "none") not in _OURS and not (page and fetch_mode == "navigate")


def is_foreign_write(origin: str | None, host: str) -> bool:
    """Whether a writing request is not from a page of ours: other sites cannot send our origin."""
    parts = urlsplit(origin or "")
    return (parts.scheme, parts.netloc) != ("http", host)
