"""Learners who do what they should not: each is refused in words, and the class goes on."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from lab.classroom import guard
from lab.classroom.classroom import Face
from tests.classroom.prepared import LOOPBACK, PATIENCE, Browser, Class, act, held, joined, lessons, teaching

SCRIPT = "<script>alert(1)</script>"
QUOTES = "</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Class]:
    with held(tmp_path / "class.sqlite", lessons("tour")) as served:
        yield served


def goes_on(served: Class) -> bool:
    """Whether somebody else can still take part."""
    return joined(served, "Somebody else").get("/api/me").status == 200


def raw(served: Class, sent: bytes) -> bytes:
    """What comes back until the connection is closed there."""
    got = b""
    with socket.create_connection((LOOPBACK, served.port), PATIENCE) as connection, suppress(ConnectionError):
        connection.sendall(sent)
        while piece := connection.recv(65536):
            got += piece
    return got


def test_script_in_nickname_and_reason_stays_text_in_json(served: Class) -> None:
    kim = joined(served, SCRIPT[:24])
    teacher = teaching(served)
    act(teacher, "pick", lesson="tour", scenario=0)
    act(teacher, "open")
    watching = teacher.events("teacher")
    question = watching.until(lambda state: state["phase"] == "first")["question"]
    vote = {"question": question["id"], "round": 1, "predictions": {}, "reason": QUOTES}
    assert kim.put("/api/answers", vote).json["reason"] == QUOTES
    seen = watching.until(lambda state: state["learners"][0]["reason"])["learners"][0]
    assert (seen["nickname"], seen["reason"]) == (SCRIPT[:24], QUOTES)
    watching.close()
    learners = json.dumps(served.room.document(Face.LEARNER))
    assert QUOTES[:9] not in learners
    for answer in (kim.get("/api/me"), kim.put("/api/answers", vote)):
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "http://attacker.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": ""},
    ],
)
def test_a_page_of_another_site_can_send_nothing_with_the_cookies_of_its_visitor(
    served: Class, headers: dict[str, str]
) -> None:
    teacher = teaching(served)
    answer = teacher.post("/api/act", {"action": "pause"}, **headers)
    assert answer.status in (403, 415)
    assert answer.error
    assert not served.room.document(Face.LEARNER)["paused"]
    act(teacher, "pause")


@pytest.mark.parametrize(
    "host", ["attacker.example", "127.0.0.1", "127.0.0.1:1", "[::1]", "127.0.0.1:port", "a:b:c", " "]
)
@pytest.mark.parametrize("path", ["/", "/api/me", "/events?face=learner", "/static/common.js"])
def test_a_name_that_leads_back_here_is_refused(served: Class, host: str, path: str) -> None:
    answer = Browser(served.port).get(path, Host=host)
    assert answer.status in (400, 421)
    if answer.status == 421:
        assert "addresses that lab class printed" in answer.error


@pytest.mark.parametrize("size", [guard.MOST_BYTES + 1, 200_000, 900_000])
def test_a_body_that_is_too_long_is_refused_with_a_sentence(served: Class, size: int) -> None:
    kim = joined(served, "Kim")
    answer = kim.put("/api/answers", {"reason": "x" * size})
    assert answer.status == 413
    assert "16 KiB" in answer.error
    fits = kim.put("/api/answers", {"reason": "x" * (guard.MOST_BYTES - 100)})
    assert fits.status == 422
    assert goes_on(served)


def test_a_body_without_end_is_not_read(served: Class) -> None:
    head = f"PUT /api/answers HTTP/1.1\r\nHost: {LOOPBACK}:{served.port}\r\n"
    assert b" 413 " in raw(served, f"{head}Content-Length: 99999999999999999999\r\n\r\n".encode()).split(b"\r\n")[0]
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = f"{head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + 4 * chunk + b"0\r\n\r\n"
    assert b" 413 " in raw(served, sent).split(b"\r\n")[0]
    assert goes_on(served)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 100 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9\r\nHost: x\r\n\r\n",
        b"PUT /api/answers HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n",
        b"PUT /api/answers HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1_0\r\n\r\n",
        b"PUT /api/answers HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /%ff%00%2e%2e HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
        b"GET /events?face=%00 HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\n"
        b"Cookie: learner-ID=\xff\xfe; teacher-ID=\xe9; =;;\r\nConnection: close\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_request_ends_with_its_connection(served: Class, sent: bytes) -> None:
    sent = sent.replace(b"HOST", f"{LOOPBACK}:{served.port}".encode()).replace(b"-ID", f"-{served.room.id}".encode())
    got = raw(served, sent)
    assert got == b"" or got.startswith(b"HTTP/1.1 ")
    assert b"Traceback" not in got
    assert goes_on(served)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b'{"nickname": NaN, "code": ""}',
        b'{"nickname": "\\ud800", "code": "x"}',
        b"[" * 16_000,
        b'{"code": ' + b"9" * 10_000 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused(served: Class, body: bytes) -> None:
    headers = {"Origin": served.origin, "Content-Type": "application/json"}
    answer = Browser(served.port).ask("POST", "/api/join", body, headers)
    assert answer.status == 400
    assert "JSON" in answer.error
    assert goes_on(served)


def test_hundreds_of_joins_at_once_end_in_words_and_those_who_are_in_go_on(tmp_path: Path) -> None:
    with held(tmp_path / "class.sqlite", lessons("tour"), clock=lambda: 0.0) as served:
        kim = joined(served, "Kim")

        def join(number: int) -> int:
            given = {"code": served.room.code, "nickname": f"Bot {number}"}
            return Browser(served.port).post("/api/join", given).status

        with ThreadPoolExecutor(8) as crowd:
            statuses = list(crowd.map(join, range(450)))
        assert statuses.count(201) == 399
        assert statuses.count(429) == 51
        assert kim.get("/api/me").status == 200
        act(teaching(served), "pause")


def test_forged_calls_of_the_teacher_change_nothing(served: Class) -> None:
    kim = joined(served, "Kim")
    before = served.room.document(Face.LEARNER)
    for token in (
        "",
        "x",
        served.room.code,
        kim.cookies[guard.learner_cookie(served.room.id)],
        served.room.key[:-1],
        served.room.key + "x",
    ):
        kim.cookies[guard.teacher_cookie(served.room.id)] = token
        for action in ("pick", "open", "pause", "reset", "remove", "reveal", "play"):
            assert kim.post("/api/act", {"action": action, "lesson": "tour", "scenario": 0, "key": token}).status == 403
    for path in (f"/teacher?key={served.room.code}", "/events?face=teacher", "/events?face=stage"):
        assert kim.get(path).status == 403
    assert served.room.document(Face.LEARNER) == before


def test_nothing_that_a_learner_can_ask_for_has_the_key_to_the_answers(served: Class) -> None:
    kim, noa, teacher = joined(served, "Kim"), joined(served, "Noa"), teaching(served)
    act(teacher, "pick", lesson="tour", scenario=0)
    act(teacher, "open")
    events = kim.events("learner")
    state = events.until(lambda state: state["phase"] == "first")
    question = state["question"]
    vote = {"question": question["id"], "round": 1, "predictions": {question["cells"][0]: "inferred"}, "reason": "mine"}
    assert noa.put("/api/answers", vote).status == 200
    act(teacher, "close")
    act(teacher, "run")
    act(teacher, "rest")
    state = events.until(lambda state: state["run"] and state["run"]["measured"])
    assert state["revealed"] is None
    for text in (json.dumps(state), kim.get("/api/me").body.decode()):
        assert "as claimed" not in text
        assert "mine" not in text
        assert "Noa" not in text
        assert "inferred" not in json.dumps(json.loads(text).get("predictions", {}))
    events.close()
