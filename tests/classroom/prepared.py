"""A class that is served, with a runner that plays nothing: it tells at once what the lesson claims."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from lab import resources, scenario
from lab.classroom import guard
from lab.classroom.catalogue import catalogue
from lab.classroom.classroom import Classroom, Player, Teller
from lab.classroom.documents import Replay
from lab.classroom.model import PlaySetup
from lab.classroom.store import Store
from lab.classroom.web.app import create_app
from lab.classroom.web.push import Push, Site, served
from lab.guide.zoom import Layer, Zoom
from lab.model import Cell, LeakMatrix
from lab.scenario.lesson import Lesson
from lab.scenario.predictions import named

LOOPBACK = "127.0.0.1"
PATIENCE = 120.0
ROOM = 1024


def lessons(*names: str) -> list[Lesson]:
    return [scenario.load(resources.folder("scenarios") / f"{name}.feature.md") for name in names]


class Prepared:
    """Measures what is claimed."""

    def __init__(self, room: Teller) -> None:
        self._room = room
        self._now: tuple[int, Lesson, int] | None = None
        self._done = 0

    def start(self, question: int, lesson: Lesson, number: int) -> None:
        self._now, self._done = (question, lesson, number), 0
        self._reached()

    def step(self, *, rest: bool) -> None:
        if self._now is None:
            return
        of = len(self._now[1].scenarios[self._now[2]].steps)
        self._done = of if rest else self._done + 1
        self._reached()
        if self._done >= of:
            question, lesson, number = self._now
            played = lesson.scenarios[number]
            cells = tuple(
                Cell(one.secret, one.observer, one.exposure, "as claimed", claimed=one.exposure)
                for one in played.claims
            )
            zoom = Zoom((Layer("bytes", "", ("16 03 01",)),), "Here it ends.")
            evidence = {named((one.secret, one.observer)): zoom for one in played.claims}
            self._room.measured(question, LeakMatrix(lesson.name, played.title, played.mode, cells), evidence)

    def _reached(self) -> None:
        if self._now is not None:
            question, lesson, number = self._now
            steps = lesson.scenarios[number].steps
            text = steps[self._done].text if self._done < len(steps) else ""
            self._room.reached(question, self._done, len(steps), text, ())

    def stop(self) -> None:
        self._now = None

    def close(self) -> None:
        self._now = None


class Typed:
    """Free play that keeps what was typed."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, int | None, str]] = []

    def start(self, setup: PlaySetup) -> None:
        self.sent.clear()

    def send(self, who: str, text: str, learner: int | None, nickname: str) -> int:
        self.sent.append((who, text, learner, nickname))
        return len(self.sent)

    def judge(self) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Class:
    """A class that is served on loopback."""

    room: Classroom
    push: Push
    port: int

    @property
    def origin(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@contextmanager
def held(
    state: Path,
    taught: Sequence[Lesson],
    *,
    port: int = 0,
    alone: bool = False,
    clock: Callable[[], float] = time.monotonic,
    language: str = "en",
    connections: int = ROOM,
    player: Player | None = None,
    replay: Replay | None = None,
) -> Iterator[Class]:
    with ExitStack() as stack:
        store = stack.enter_context(Store(state))
        listener = stack.enter_context(socket.create_server((LOOPBACK, port), backlog=512))
        listener.setblocking(False)
        bound: int = listener.getsockname()[1]
        room = Classroom(store, taught, language, alone=alone, url=f"http://{LOOPBACK}:{bound}/")
        push, words, limits = Push(room), catalogue(language), guard.Limits(clock)
        room.attach(push, Prepared(room), player, replay)
        site = Site(create_app(room, limits, words, language), push, guard.hosts(bound, None), limits, room, words.say)
        stack.enter_context(served(site, [listener], connections))
        yield Class(room, push, bound)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


class Browser:
    """Keeps cookies, says where it comes from, and holds no connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, data: Any, **headers: str) -> Answer:
        return self.ask("POST", path, json.dumps(data).encode(), headers)

    def put(self, path: str, data: Any, **headers: str) -> Answer:
        return self.ask("PUT", path, json.dumps(data).encode(), headers)

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, self._headers(body is not None, headers))
            got = connection.getresponse()
            answer = Answer(got.status, got.headers, got.read())
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer

    def events(self, face: str, **headers: str) -> Events:
        return Events(self.port, f"/events?face={face}", self._headers(False, headers))

    def _headers(self, writing: bool, given: dict[str, str]) -> dict[str, str]:
        headers = {"Host": f"{LOOPBACK}:{self.port}"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if writing:
            headers |= {"Content-Type": "application/json", "Origin": f"http://{LOOPBACK}:{self.port}"}
        headers |= {name.replace("_", "-"): value for name, value in given.items()}
        return {name: value for name, value in headers.items() if value}


class Events:
    """One open connection of server-sent events."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
        self._connection.request("GET", path, headers=headers)
        self._got = self._connection.getresponse()
        self.status = self._got.status
        self.headers = self._got.headers
        self.kept: dict[str, deque[Any]] = {}

    def next(self, event: str = "state") -> Any:
        """The data of the next such event; EOFError: the connection was closed."""
        kept = self.kept.setdefault(event, deque())
        end, name = time.monotonic() + PATIENCE, ""
        while not kept:
            line = self._got.readline().decode().rstrip("\n")
            if self._got.closed or self._got.isclosed():
                raise EOFError
            if time.monotonic() > end:  # comments come in between, so that no single read takes too long
                raise TimeoutError(event)
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self.kept.setdefault(name, deque()).append(json.loads(line.removeprefix("data: ")))
        return kept.popleft()

    def until(self, fits: Callable[[Any], bool], event: str = "state") -> Any:
        while not fits(data := self.next(event)):
            pass
        return data

    def close(self) -> None:
        self._got.close()
        self._connection.close()


def joined(held: Class, nickname: str) -> Browser:
    browser = Browser(held.port)
    answer = browser.post("/api/join", {"code": held.room.code, "nickname": nickname})
    assert answer.status == 201, answer.body
    return browser


def teaching(held: Class) -> Browser:
    browser = Browser(held.port)
    assert browser.get(f"/teacher?key={held.room.key}").status == 303
    return browser


def act(teacher: Browser, action: str, **arguments: Any) -> None:
    answer = teacher.post("/api/act", {"action": action, **arguments})
    assert answer.status == 200, answer.body
