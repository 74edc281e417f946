"""The page as a browser gets it, and what it refuses to anybody but a page of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lab.model import LabError, Mode
from lab.phones.page import MOST_BYTES, create_app
from lab.phones.phones import LONGEST, Phones, open_phones
from lab.stage.stage import Stage

PORT = 40000
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"
HELLO = {"who": "alice", "text": "<img src=x onerror=alert(1)> & hello"}


@pytest.fixture(scope="module")
def phones(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    with open_phones(stage, Mode.TLS, tmp_path_factory.mktemp("page") / "whole") as phones:
        yield phones


@pytest.fixture
def client(phones: Phones) -> FlaskClient:
    return create_app(phones, PORT).test_client()


def get(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, base_url=ORIGIN, headers=given, buffered=True)


def post(client: FlaskClient, typed: Any, **headers: str) -> TestResponse:
    given = {"Origin": ORIGIN, "Content-Type": "application/json"}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    return client.post("/send", base_url=ORIGIN, data=json.dumps(typed), headers=given)


def test_nothing_typed_yet_is_said_with_the_way_back(client: FlaskClient) -> None:
    answer = get(client, "/matrix")
    assert answer.status_code == 409
    assert "Nothing was typed yet" in answer.text
    assert 'href="/"' in answer.text


def test_a_message_is_sent_read_and_judged(client: FlaskClient, phones: Phones) -> None:
    before = len(phones.messages)
    sent = post(client, HELLO)
    assert sent.status_code == 201
    assert sent.json
    assert sent.json["text"].startswith(HELLO["text"])
    listed = get(client, f"/messages?after={before}")
    assert listed.json == {"messages": [sent.json]}
    assert get(client, f"/messages?after={before + 1}").json == {"messages": []}
    report = get(client, "/matrix")
    assert report.status_code == 200
    assert "What was typed so far" in report.text
    assert "exposed" in report.text
    assert "<img" not in report.text
    policy = report.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; ")
    assert "style-src &#39;sha256-" in report.text or "style-src 'sha256-" in report.text


def test_the_page_names_mode_accounts_and_fields(client: FlaskClient, phones: Phones) -> None:
    page = get(client, "/").text
    assert "TLS: encrypted up to the service" in page
    assert 'href="/matrix"' in page
    for person in phones.people.values():
        assert person.account in page
        assert person.password not in page
        assert f'<label for="{person.who}-text">' in page
    assert 'aria-live="polite"' in page


@pytest.mark.parametrize("path", ["/", "/messages", "/matrix", "/static/phones.js", "/static/phones.css", "/nothing"])
def test_no_answer_lets_a_script_in_or_stays_in_a_cache(client: FlaskClient, path: str) -> None:
    answer = get(client, path)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    scripts = [part.strip() for part in policy.split(";") if part.strip().startswith("script-src")]
    assert scripts in ([], ["script-src 'self'"])
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


def test_page_and_script_need_no_exception_from_the_policy(client: FlaskClient) -> None:
    page = get(client, "/").text
    assert page.count("<script") == page.count("<script src=")
    assert " style=" not in page
    assert "<style" not in page
    script = get(client, "/static/phones.js").text
    assert not any(word in script for word in ("innerHTML", "insertAdjacent", "document.write", "eval("))


@pytest.mark.parametrize("host", ["attacker.example", f"attacker.example:{PORT}", "127.0.0.1:1", "127.0.0.1", "[::1]"])
@pytest.mark.parametrize("path", ["/", "/messages", "/matrix", "/static/phones.js"])
def test_a_name_that_leads_back_here_is_refused(client: FlaskClient, host: str, path: str) -> None:
    answer = client.get(path, base_url=ORIGIN, headers={"Host": host}, buffered=True)
    assert answer.status_code == 421
    assert "address that lab up printed" in answer.text


def test_localhost_is_another_name_for_it(client: FlaskClient) -> None:
    assert client.get("/", base_url=f"http://localhost:{PORT}").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": f"https://{HOST}"}, 403),
        ({"Origin": f"http://localhost:{PORT}"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
    ],
)
def test_another_site_cannot_type(client: FlaskClient, phones: Phones, headers: dict[str, str], status: int) -> None:
    before = phones.messages
    assert post(client, HELLO, **headers).status_code == status
    assert phones.messages == before


def test_another_site_cannot_ask(client: FlaskClient) -> None:
    assert get(client, "/matrix", Sec_Fetch_Site="cross-site").status_code == 403
    assert get(client, "/messages", Sec_Fetch_Site="cross-site").status_code == 403
    assert get(client, "/", Sec_Fetch_Site="cross-site").status_code == 200  # a link in a terminal in a browser


@pytest.mark.parametrize(
    ("typed", "status", "words"),
    [
        ({"who": "alice", "text": "x" * (LONGEST + 1)}, 422, f"{LONGEST} is the most"),
        ({"who": "alice", "text": "x" * MOST_BYTES}, 413, f"{LONGEST} characters are the most"),
        ({"who": "alice", "text": "  "}, 422, "nothing to send"),
        ({"who": "alice"}, 422, "nothing to send"),
        ({"who": "eve", "text": "x"}, 422, "alice and bob"),
        (["alice", "x"], 400, "JSON object"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_words(
    client: FlaskClient, phones: Phones, typed: Any, status: int, words: str
) -> None:
    before = phones.messages
    answer = post(client, typed)
    assert answer.status_code == status
    assert words in (answer.json["error"] if answer.is_json and answer.json else answer.text)
    assert phones.messages == before


def test_broken_json_is_refused(client: FlaskClient) -> None:
    answer = client.post(
        "/send", base_url=ORIGIN, data="{", headers={"Origin": ORIGIN, "Content-Type": "application/json"}
    )
    assert answer.status_code == 400


def test_a_conversation_that_broke_off_is_told(
    client: FlaskClient, phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise LabError("the conversation broke off: no answer")

    monkeypatch.setattr(phones, "send", broken)
    answer = post(client, HELLO)
    assert (answer.status_code, answer.json) == (502, {"error": "The conversation broke off: no answer."})
