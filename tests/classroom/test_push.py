"""The channel by which pages are told of changes, over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tornado.http1connection import HTTP1Connection

from lab.classroom import guard
from lab.classroom.classroom import Face
from lab.classroom.web import push
from tests.classroom.prepared import LOOPBACK, PATIENCE, Browser, Class, act, held, joined, lessons, teaching


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Class]:
    with held(tmp_path / "class.sqlite", lessons("tour")) as served:
        yield served


def test_the_present_state_comes_at_once_and_then_each_change(served: Class) -> None:
    kim, teacher = joined(served, "Kim"), teaching(served)
    events = kim.events("learner")
    assert events.status == 200
    assert events.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert all(events.headers[name] == value for name, value in guard.HEADERS.items())
    assert events.next()["phase"] == "lobby"
    assert events.next("own") == {"messages": []}
    act(teacher, "pick", lesson="tour", scenario=0)
    assert events.next()["phase"] == "story"
    act(teacher, "open")
    assert events.next()["phase"] == "first"
    events.close()


def test_all_learners_get_the_same_bytes_and_nothing_about_each_other(served: Class) -> None:
    events = [joined(served, name).events("learner") for name in ("Kim", "Noa")]
    act(teaching(served), "pick", lesson="tour", scenario=0)
    one, other = (each.until(lambda state: state["phase"] == "story") for each in events)
    assert one == other
    assert "Noa" not in json.dumps(one)
    for each in events:
        each.close()


def test_who_is_connected_is_known_while_it_is_so(served: Class) -> None:
    kim, teacher = joined(served, "Kim"), teaching(served)
    watching = teacher.events("teacher")
    assert not watching.next()["learners"][0]["connected"]
    first, second = kim.events("learner"), kim.events("learner")
    assert watching.until(lambda state: state["learners"][0]["connected"])
    assert len(served.push.connected()) == 1
    first.close()
    second.close()
    watching.until(lambda state: not state["learners"][0]["connected"])
    assert served.push.connected() == frozenset()
    watching.close()


def test_what_is_for_one_learner_reaches_this_one_alone(served: Class) -> None:
    kim, noa = (joined(served, name) for name in ("Kim", "Noa"))
    kims, noas = kim.events("learner"), noa.events("learner")
    for each in (kims, noas):
        each.next()
        each.next("own")
    teacher = teaching(served)
    act(teacher, "remove", learner=1)
    assert kims.next("removed") == {}
    act(teacher, "pick", lesson="tour", scenario=0)
    assert noas.until(lambda state: state["phase"] == "story")
    assert "removed" not in noas.kept
    assert kim.get("/api/me").status == 401
    for each in (kims, noas):
        each.close()


class Stuck:
    """A connection that takes one thing at a time, when it is told to."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.stream = self
        self.closed = False
        self._done: asyncio.Future[None] | None = None

    def write(self, data: bytes) -> asyncio.Future[None]:
        self.written.append(data)
        self._done = asyncio.get_running_loop().create_future()
        return self._done

    def take(self) -> None:
        assert self._done
        self._done.set_result(None)

    def close(self) -> None:
        self.closed = True


def test_a_reader_who_takes_nothing_costs_one_document_and_gets_the_newest() -> None:
    async def play() -> None:
        stuck, clock = Stuck(), [100.0]
        listener = push.Listener(cast(HTTP1Connection, stuck), 1, lambda: clock[0])
        for number in range(1000):
            listener.offer("state", b"state %d;" % number)
        listener.offer("own", b"own;")
        assert stuck.written == [b"state 0;"]
        assert listener.waiting == {"state": b"state 999;", "own": b"own;"}
        stuck.take()
        await asyncio.wait_for(_turn(), PATIENCE)
        assert stuck.written == [b"state 0;", b"state 999;own;"]
        listener.beat()
        clock[0] += 29.0
        listener.beat()
        assert not stuck.closed
        clock[0] += 2.0
        listener.beat()
        assert stuck.closed

    asyncio.run(play())


async def _turn() -> None:
    """Until what was to be called has been called."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(done.set)
    await done.wait()


@pytest.mark.parametrize("face", list(Face))
def test_nobody_is_told_without_the_cookie_for_it(served: Class, face: Face) -> None:
    room = served.room.id
    for cookies in ({}, {guard.learner_cookie(room): "guessed", guard.teacher_cookie(room): "guessed"}):
        browser = Browser(served.port)
        browser.cookies = dict(cookies)
        answer = browser.get(f"/events?face={face}")
        assert answer.status == (401 if face is Face.LEARNER else 403)
        assert answer.error
    learner = joined(served, "Kim")
    if face is not Face.LEARNER:
        assert learner.get(f"/events?face={face}").status == 403


def test_no_other_site_and_no_other_face(served: Class) -> None:
    kim = joined(served, "Kim")
    assert kim.get("/events?face=learner", Sec_Fetch_Site="cross-site").status == 403
    assert kim.get("/events?face=learner", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 403
    for face in ("", "nobody", "%ff"):
        assert kim.get(f"/events?face={face}").status == 404
    assert kim.post("/events?face=learner", {}).status in (404, 405)


def test_the_ninth_tab_of_a_learner_closes_the_first(served: Class) -> None:
    kim = joined(served, "Kim")
    tabs = [kim.events("learner") for _ in range(9)]
    with pytest.raises(EOFError):
        tabs[0].until(lambda _: False)
    act(teaching(served), "pause")
    assert all(tab.until(lambda state: state["paused"]) for tab in tabs[1:])
    for tab in tabs:
        tab.close()


def test_the_end_of_the_class_closes_every_connection(tmp_path: Path) -> None:
    with held(tmp_path / "class.sqlite", lessons("tour")) as served:
        events = joined(served, "Kim").events("learner")
        events.next()
        idle = socket.create_connection((LOOPBACK, served.port), PATIENCE)
    with pytest.raises(EOFError):
        events.until(lambda _: False)
    events.close()
    assert idle.recv(1) == b""
    idle.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((LOOPBACK, served.port), PATIENCE)


def test_a_restart_keeps_code_key_cookies_and_answers(tmp_path: Path) -> None:
    state = tmp_path / "class.sqlite"
    with held(state, lessons("tour")) as before:
        kim, teacher = joined(before, "Kim"), teaching(before)
        act(teacher, "pick", lesson="tour", scenario=0)
        act(teacher, "open")
        question = before.room.document(Face.LEARNER)["question"]
        vote: dict[str, Any] = {"question": question["id"], "round": 1, "predictions": {question["cells"][0]: "hidden"}}
        assert kim.put("/api/answers", vote).status == 200
    with held(state, lessons("tour"), port=before.port) as after:
        assert (after.room.code, after.room.key) == (before.room.code, before.room.key)
        events, watching = kim.events("learner"), teacher.events("teacher")
        assert events.next()["phase"] == "first"
        assert kim.get("/api/me").json["predictions"] == vote["predictions"]
        assert kim.put("/api/answers", vote).status == 200
        assert watching.next()["learners"][0]["answered"] == 1
        events.close()
        watching.close()


def test_more_connections_than_there_is_room_for_are_closed_and_room_is_there_again(tmp_path: Path) -> None:
    with held(tmp_path / "class.sqlite", lessons("tour"), connections=5) as served:
        kim = joined(served, "Kim")
        watching = teaching(served).events("teacher")
        open_ones = [kim.events("learner") for _ in range(3)]
        with socket.create_connection((LOOPBACK, served.port), PATIENCE) as fifth:
            fifth.sendall(f"GET / HTTP/1.1\r\nHost: {LOOPBACK}:{served.port}\r\n".encode())  # it may go on
            with socket.create_connection((LOOPBACK, served.port), PATIENCE) as sixth:
                assert sixth.recv(1) == b""
            watching.until(lambda state: state["learners"][0]["connected"])
            for one in open_ones:
                one.close()
            watching.until(lambda state: not state["learners"][0]["connected"])
            assert kim.get("/api/me").status == 200
        watching.close()
