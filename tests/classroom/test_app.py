"""Pages and API as a browser gets them: who may ask for what, and what comes back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from lab.classroom import guard
from lab.classroom.catalogue import catalogue
from lab.classroom.classroom import Classroom, Face
from lab.classroom.store import Store
from lab.classroom.web.app import create_app
from tests.classroom.prepared import LOOPBACK, Browser, Class, Typed, act, held, joined, lessons, teaching

ELSEWHERE = {"REMOTE_ADDR": "192.0.2.50"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Class]:
    with held(tmp_path / "class.sqlite", lessons("tour"), player=Typed()) as served:
        yield served


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Classroom]:
    with Store(tmp_path / "another.sqlite") as store:
        yield Classroom(store, lessons("tour"), "en", alone=False, url="http://192.0.2.7:8420/")


@pytest.fixture
def client(room: Classroom) -> FlaskClient:
    return create_app(room, guard.Limits(lambda: 0.0), catalogue("en"), "en").test_client()


def asked(teacher: Browser, *, until: str = "first") -> dict[str, Any]:
    """The question that the class is at, after the actions up to a phase."""
    act(teacher, "pick", lesson="tour", scenario=0)
    for action, phase in (
        ("open", "first"),
        ("close", "discuss"),
        ("run", "run"),
        ("rest", "run"),
        ("reveal", "reveal"),
    ):
        act(teacher, action)
        if phase == until:
            break
    events = teacher.events("teacher")
    question: dict[str, Any] = events.until(lambda state: state["phase"] == until)["question"]
    events.close()
    return question


def vote(learner: Browser, asked: dict[str, Any], **changed: Any) -> Any:
    given = {"question": asked["id"], "round": 1, "predictions": {asked["cells"][0]: "hidden"}}
    return learner.put("/api/answers", {**given, **changed})


def test_joining_gives_a_cookie_that_no_script_reads_and_no_other_site_sends(served: Class) -> None:
    browser = Browser(served.port)
    answer = browser.post("/api/join", {"code": served.room.code.lower(), "nickname": "  Kim "})
    assert (answer.status, answer.json) == (201, {"nickname": "Kim"})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert browser.get("/api/me").json["nickname"] == "Kim"
    assert set(browser.cookies) == {guard.learner_cookie(served.room.id)}
    assert browser.post("/api/leave", {}).status == 200
    assert browser.cookies == {}
    assert browser.get("/api/me").status == 401


def test_two_classes_on_one_computer_leave_each_others_people_alone(tmp_path: Path) -> None:
    """A browser keeps one set of cookies for all ports of a computer."""
    with held(tmp_path / "1.sqlite", lessons("tour")) as one, held(tmp_path / "2.sqlite", lessons("tour")) as other:
        here, there = Browser(one.port), Browser(other.port)
        there.cookies = here.cookies
        for browser, served, name in ((here, one, "Kim"), (there, other, "Noa")):
            browser.get(f"/teacher?key={served.room.key}")
            browser.post("/api/join", {"code": served.room.code, "nickname": name})
        for browser, name in ((here, "Kim"), (there, "Noa")):
            assert browser.get("/api/me").json["nickname"] == name
            assert browser.get("/api/lessons").status == 200
            for face in Face:
                events = browser.events(face)
                assert (events.status, events.next()["face"]) == (200, face)
                events.close()
        assert here.post("/api/leave", {}).status == 200
        assert [browser.get("/api/me").status for browser in (here, there)] == [401, 200]


def test_a_class_that_is_served_at_another_port_knows_its_people(tmp_path: Path) -> None:
    with held(tmp_path / "class.sqlite", lessons("tour")) as before:
        kim, teacher = joined(before, "Kim"), teaching(before)
        before_port = before.port
    with socket.create_server((LOOPBACK, before_port)), held(tmp_path / "class.sqlite", lessons("tour")) as after:
        assert after.port != before_port
        kim.port = teacher.port = after.port
        assert kim.get("/api/me").json["nickname"] == "Kim"
        assert teacher.get("/api/lessons").status == 200


@pytest.mark.parametrize("code", ["", "AAAAAA", "K"])
def test_a_wrong_code_lets_nobody_in(served: Class, code: str) -> None:
    answer = Browser(served.port).post("/api/join", {"code": code, "nickname": "Kim"})
    assert answer.status == 403
    assert "code" in answer.error
    assert "Set-Cookie" not in answer.headers


def test_after_ten_wrong_codes_the_right_one_has_to_wait_too(served: Class) -> None:
    browser = Browser(served.port)
    for _ in range(10):
        assert browser.post("/api/join", {"code": "AAAAAA", "nickname": "Kim"}).status == 403
    answer = browser.post("/api/join", {"code": served.room.code, "nickname": "Kim"})
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) <= 5


def test_answers_are_kept_and_what_does_not_fit_is_refused_in_words(served: Class) -> None:
    kim, teacher = joined(served, "Kim"), teaching(served)
    question = asked(teacher)
    answer = vote(kim, question, reason="because")
    assert answer.json == {"predictions": {question["cells"][0]: "hidden"}, "reason": "because"}
    for changed, status in (
        ({"question": question["id"] + 1}, 409),
        ({"round": 2}, 409),
        ({"predictions": {"nothing@nobody": "hidden"}}, 422),
        ({"predictions": {question["cells"][0]: "secure"}}, 422),
        ({"predictions": {question["cells"][0]: 1}}, 422),
        ({"predictions": []}, 422),
        ({"round": True}, 422),
        ({"round": "1"}, 422),
        ({"question": None}, 422),
        ({"reason": ["x"]}, 422),
    ):
        refused = vote(kim, question, **changed)
        assert refused.status == status, changed
        assert refused.error
    act(teacher, "close")
    assert vote(kim, question).status == 409
    assert vote(Browser(served.port), question).status == 401


def test_sixty_answers_at_once_and_no_more(served: Class) -> None:
    kim, noa = joined(served, "Kim"), joined(served, "Noa")
    question = asked(teaching(served))
    statuses = [vote(kim, question).status for _ in range(200)]
    assert statuses[:60] == [200] * 60
    assert 429 in statuses
    assert vote(noa, question).status == 200


def test_evidence_waits_for_the_reveal(served: Class) -> None:
    kim, teacher = joined(served, "Kim"), teaching(served)
    question = asked(teacher, until="run")
    path = f"/api/evidence/{question['id']}/{question['cells'][0]}"
    assert kim.get(path).status == 403
    act(teacher, "rest")
    assert kim.get(path).status == 403
    assert teacher.get(path).json["end"] == "Here it ends."
    act(teacher, "reveal")
    assert kim.get(path).json["layers"][0]["title"] == "bytes"
    assert Browser(served.port).get(path).status == 401
    assert kim.get(f"/api/evidence/{question['id']}/nothing@nobody").status == 404
    assert kim.get("/api/evidence/x/y").status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/act"),
        ("POST", "/api/play"),
        ("GET", "/api/lessons"),
        ("GET", "/teacher"),
        ("GET", "/stage"),
        *(("GET", f"/export/{name}") for name in ("answers.csv", "cells.csv", "class.json", "questions.gift")),
    ],
)
def test_what_a_teacher_does_needs_the_key_and_this_computer(
    served: Class, room: Classroom, client: FlaskClient, method: str, path: str
) -> None:
    data = {"action": "pause", "who": "alice", "text": "x"}
    for browser in (Browser(served.port), joined(served, "Kim")):
        browser.cookies[guard.teacher_cookie(served.room.id)] = served.room.code
        answer = browser.post(path, data) if method == "POST" else browser.get(path)
        assert answer.status == 403
    client.set_cookie(guard.teacher_cookie(room.id), room.key)
    headers = {"Origin": "http://localhost", "Content-Type": "application/json"}
    far = client.open(path, method=method, data=json.dumps(data), headers=headers, environ_base=ELSEWHERE)
    assert far.status_code == 403
    assert "computer" in far.text


def test_the_key_becomes_a_cookie_and_leaves_the_address(served: Class) -> None:
    teacher = Browser(served.port)
    answer = teacher.get(f"/stage?key={served.room.key}")
    assert (answer.status, answer.headers["Location"]) == (303, "/stage")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "SameSite=Strict" in answer.headers["Set-Cookie"]
    assert teacher.get("/api/lessons").json[0]["name"] == "tour"
    export = teacher.get("/export/cells.csv")
    assert export.headers["Content-Disposition"] == 'attachment; filename="cells.csv"'
    assert teacher.get("/export/other.csv").status == 404


def test_five_wrong_keys_and_then_the_right_one_waits(served: Class) -> None:
    browser = Browser(served.port)
    assert [browser.get("/teacher?key=wrong").status for _ in range(5)] == [403] * 5
    assert browser.get(f"/teacher?key={served.room.key}").status == 429
    assert browser.cookies == {}


def test_an_image_on_another_site_wears_out_no_key(served: Class) -> None:
    browser = Browser(served.port)
    for _ in range(20):
        assert browser.get("/teacher?key=x", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403
    assert browser.get(f"/teacher?key={served.room.key}").status == 303


def test_in_free_play_learners_send_a_message_of_their_own(served: Class) -> None:
    kim, teacher = joined(served, "Kim"), teaching(served)
    assert kim.post("/api/own", {"text": "Hello"}).status == 409
    act(teacher, "play", modes=["tls"], padded=False, interceptor="none", pinned=False)
    assert kim.post("/api/own", {"text": "Hello"}).status == 202
    assert kim.get("/api/me").json["own"]["messages"][0]["text"].startswith("Hello")
    assert teacher.post("/api/play", {"who": "bob", "text": "Hi"}).status == 202
    assert teacher.post("/api/play", {"who": 1, "text": "Hi"}).status == 422


def test_who_studies_alone_leads_without_a_key(tmp_path: Path) -> None:
    with held(tmp_path / "alone.sqlite", lessons("tour"), alone=True) as served:
        kim = joined(served, "Kim")
        act(kim, "pick", lesson="tour", scenario=0)
        assert kim.get("/api/lessons").json[0]["name"] == "tour"
        assert kim.post("/api/act", {"action": "remove", "learner": 1}).status == 403
        assert Browser(served.port).post("/api/act", {"action": "open"}).status == 401
        assert kim.get("/export/cells.csv").status == 403


def test_the_code_is_in_the_picture_for_the_wall_alone(served: Class) -> None:
    for_all, for_wall = Browser(served.port).get("/qr.svg"), teaching(served).get("/qr.svg")
    assert for_all.headers["Content-Type"].startswith("image/svg+xml")
    assert for_all.body.startswith(b"<svg")
    assert for_all.body != for_wall.body
    assert joined(served, "Kim").get("/qr.svg").body == for_all.body


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/static/nothing.js", "/static/../app.py", "/qr.svg"])
def test_every_answer_has_the_headers(served: Class, path: str) -> None:
    answer = Browser(served.port).get(path)
    assert {name: answer.headers[name] for name in guard.HEADERS} == dict(guard.HEADERS)
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    if path != "/qr.svg":
        assert answer.status == 404
        assert (answer.error if path.startswith("/api") else answer.body.decode()).startswith("There is nothing")


def test_errors_speak_the_language_of_the_class(tmp_path: Path) -> None:
    with held(tmp_path / "class.sqlite", lessons("tour"), language="de") as served:
        assert "Code" in Browser(served.port).get("/api/me").error
        assert (
            Browser(served.port).ask("DELETE", "/api/me", None, {"Origin": served.origin}).error.startswith("Das geht")
        )
