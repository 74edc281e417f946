"""What a person sees of a message in mitmproxy and mitmweb: the JSON, and each envelope in it taken apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from mitmproxy import contentviews, flow, hooks, http
from mitmproxy.test import tflow, tutils

from lab import resources
from lab.e2ee.anatomy import anatomy
from lab.e2ee.textbook_rsa import new_key, public_key, seal
from lab.stage.http_tap import SHOWN_BYTES
from tests.by_hand import CONVERSATION, Conversation, base64_of, dumped

from .conftest import Loaded

ALICE, BOB, CAROL = ("alice", 1), ("bob", 1), ("carol", 1)
POST = f"/v1/conversations/{CONVERSATION}/messages"
JSON, EVENTS = "application/json", "text/event-stream; charset=utf-8"


@pytest.fixture
def observer(load: Callable[[str], Loaded]) -> Loaded:
    return load("server_observer")


@pytest.fixture(scope="module")
def story() -> Conversation:
    told = Conversation()
    for who, _ in (ALICE, BOB, CAROL):
        told.join(who)
    return told


def exchange(path: str, request: bytes = b"", answer: bytes = b"", answers: str = JSON) -> http.HTTPFlow:
    headers = http.Headers(content_type=JSON)
    return tflow.tflow(
        req=tutils.treq(method=b"POST", path=path.encode(), headers=headers, content=request),
        resp=tutils.tresp(headers=http.Headers(content_type=answers), content=answer),
    )


def shown(observer: Loaded, one: http.HTTPFlow, *, answer: bool = False) -> contentviews.ContentviewResult:
    """What stands in the window of a person who has chosen no view."""
    with observer.context:
        message = one.response if answer else one.request
        assert message is not None
        return contentviews.prettify_message(message, one)


def posted(story: Conversation) -> tuple[dict[str, Any], bytes, bytes]:
    """A message to a group as it is posted, the envelope in it, and what is shared."""
    envelope, shared = story.seal(ALICE, CAROL, b"the sender key"), story.seal_for_all(ALICE, b"Meet us at 5pm")
    addressed = [
        {"recipient": story.account("bob"), "device": 1, "data": None},
        {"recipient": story.account("carol"), "device": 1, "data": base64_of(envelope)},
    ]
    return {"device": 1, "envelopes": addressed, "shared": base64_of(shared)}, envelope, shared


def event(envelope: bytes | None, text: str | None = None) -> bytes:
    data = base64_of(envelope) if envelope else None
    message = {"id": "1", "sender": "alice-5eed", "text": text, "envelope": data, "shared": None}
    return b"event: message\nid: 7\ndata: %s\n\n" % dumped(message)


def assert_taken_apart(text: str, number: int, envelope: bytes) -> None:
    part = text.split(f"\nEnvelope {number}\n")[1].split("\nEnvelope ")[0]
    words = " ".join(part.split())
    for field in anatomy(envelope):
        assert f"{field.start:>5} {field.end - field.start:>6}  " in part
        assert field.meaning in words
    assert "server no: it has no key" in words


def test_a_posted_message_is_its_json_and_below_it_every_envelope_field_by_field(
    observer: Loaded, story: Conversation
) -> None:
    request, envelope, shared = posted(story)
    result = shown(observer, exchange(POST, dumped(request)))
    assert (result.view_name, result.syntax_highlight) == ("Envelopes", "none")
    body, _ = json.JSONDecoder().raw_decode(result.text)
    request["envelopes"][1]["data"] = f"(envelope 1, {len(envelope)} bytes: below)"
    request["shared"] = f"(envelope 2, {len(shared)} bytes: below)"
    assert body == request
    assert_taken_apart(result.text, 1, envelope)
    assert_taken_apart(result.text, 2, shared)
    assert result.text.count("\nEnvelope ") == 2


def test_events_are_shown_one_by_one(observer: Loaded, story: Conversation) -> None:
    first, second = (story.seal(ALICE, BOB, text) for text in (b"Meet me at 5pm", b"or at 6pm"))
    stream = b"event: ready\ndata: {}\n\n" + event(first) + b":\n\n" + event(second)
    result = shown(observer, exchange("/v1/events?after=0&device=1", b"", stream, EVENTS), answer=True)
    assert result.view_name == "Envelopes"
    ready, one, other = result.text.split("event: ")[1:]
    assert ready.split() == ["ready", "{}"]
    assert_taken_apart(one, 1, first)
    assert_taken_apart(other, 1, second)
    assert one.startswith("message\nid: 7\n{\n")


def test_an_event_that_is_still_on_its_way_is_shown_as_far_as_it_is_there(
    observer: Loaded, story: Conversation
) -> None:
    envelope = story.seal(ALICE, BOB, b"Meet me at 5pm")
    stream = event(envelope) + event(envelope)[:60]
    text = shown(observer, exchange("/v1/events", b"", stream, EVENTS), answer=True).text
    assert_taken_apart(text, 1, envelope)
    assert text.endswith(event(envelope)[:60].decode())


@pytest.mark.parametrize("path", [POST, "/v1/messages/1", f"{POST}?device=1"])
def test_messages_that_are_fetched_later_are_shown_like_this_too(
    observer: Loaded, story: Conversation, path: str
) -> None:
    envelope = story.seal(ALICE, BOB, b"Meet me at 5pm")
    answer = dumped({"messages": [{"id": "1", "envelope": base64_of(envelope)}]})
    assert_taken_apart(shown(observer, exchange(path, b"", answer), answer=True).text, 1, envelope)


def test_a_file_that_the_service_can_read_is_no_envelope(observer: Loaded, story: Conversation) -> None:
    readable = {"id": "1", "envelope": None, "attachment": {"name": "plan.txt", "data": base64_of(b"Platform 3")}}
    sealed = {"id": "2", "envelope": base64_of(story.seal(ALICE, BOB, b"Meet me at 5pm"))}
    answer = dumped({"messages": [readable, sealed]})
    text = shown(observer, exchange(POST, b"", answer), answer=True).text
    assert base64_of(b"Platform 3") in text
    assert text.count("\nEnvelope ") == 1


def test_an_envelope_of_another_encryption_is_shown_as_bytes(observer: Loaded) -> None:
    envelope = seal(b"Meet me at 5pm", public_key(new_key()))
    while envelope[0] == 1:  # it would be taken for one of ours: nothing in it says what it is
        envelope = seal(b"Meet me at 5pm", public_key(new_key()))
    addressed = [{"recipient": "bob", "device": 1, "data": base64_of(envelope)}]
    result = shown(observer, exchange(POST, dumped({"device": 1, "envelopes": addressed})))
    assert "No fields can be named: not an envelope of a known version and kind." in result.text
    assert envelope[:16].hex(" ") in result.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (POST, dumped({"content": {"text": "Meet me at 5pm", "attachment": {"data": base64_of(b"x"), "name": "a"}}})),
        (POST, dumped({"envelope": None})),
        (POST, b""),
        ("/v1/conversations", dumped({"envelope": "AQE="})),
        ("/elsewhere", dumped({"envelopes": []})),
    ],
    ids=["readable", "none", "empty", "another request", "another service"],
)
def test_everything_else_is_left_to_the_other_views(observer: Loaded, path: str, body: bytes) -> None:
    assert shown(observer, exchange(path, body)).view_name != "Envelopes"


def test_what_only_looks_like_a_message_is_shown_as_it_is(observer: Loaded) -> None:
    body = b'{"envelopes": [{"recipient": "bob", "data": "AQE='
    result = shown(observer, exchange(POST, body))
    assert (result.view_name, result.text) == ("Raw", body.decode())
    assert "failed to parse as Envelopes" in result.description


def test_without_a_flow_around_it_the_view_has_no_opinion_and_can_still_be_chosen(
    observer: Loaded, story: Conversation
) -> None:
    view = contentviews.registry["envelopes"]
    body = dumped(posted(story)[0])
    assert view.render_priority(body, contentviews.Metadata()) < 0
    assert "Envelope 2" in view.prettify(body, contentviews.Metadata())


# Event streams, which mitmproxy passes on and does not keep


class Watching:
    """Somebody who looks at the list of flows."""

    def __init__(self) -> None:
        self.told: list[flow.Flow] = []

    def update(self, flows: list[flow.Flow]) -> None:
        self.told += flows


def streamed(observer: Loaded, *pieces: bytes) -> http.HTTPFlow:
    one = exchange("/v1/events", answers=EVENTS)
    assert one.response is not None
    one.response.raw_content = None
    observer.addon.client_connected(one.client_conn)
    observer.addon.request(one)
    observer.addon.responseheaders(one)
    assert callable(one.response.stream)
    for piece in pieces:
        assert one.response.stream(piece) == piece
    return one


def test_an_event_can_be_looked_at_while_its_stream_goes_on(observer: Loaded, story: Conversation) -> None:
    envelope = story.seal(ALICE, BOB, b"Meet me at 5pm")
    watching = Watching()
    observer.context.master.addons.add(watching)
    whole = event(envelope)
    one = streamed(observer, whole[:50], whole[50:], b"")
    assert watching.told == [one, one]
    assert_taken_apart(shown(observer, one, answer=True).text, 1, envelope)
    assert hooks.UpdateHook.name == "update"


def test_of_an_endless_stream_only_so_much_is_kept(observer: Loaded) -> None:
    limit = SHOWN_BYTES
    one = streamed(observer, bytes(limit - 1), b"12", b"3")
    assert one.response is not None
    assert one.response.raw_content == bytes(limit - 1) + b"12"


def test_under_control_nothing_of_a_stream_is_kept(observer: Loaded) -> None:
    observer.configure(lab_control=True)
    one = streamed(observer, event(None, "Meet me at 5pm"))
    assert one.response is not None
    assert one.response.raw_content is None


# What it costs


def test_a_tap_that_starts_loads_nothing_of_what_takes_envelopes_apart() -> None:
    """Nobody looks at the flows of a lesson's taps, and their start is waited for."""
    script = f"""
import runpy, sys
from mitmproxy import contentviews
addon = runpy.run_path({str(resources.folder("addons") / "server_observer.py")!r})["addons"][0]
class Loader:
    def add_option(self, *_): pass
addon.load(Loader())
assert "envelopes" in contentviews.registry
print([name for name in sys.modules if name.startswith(("lab.e2ee", "lab.report", "lab.mail", "rich"))])
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[]\n"
