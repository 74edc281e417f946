"""Text messages (SMS): in the clear, for whoever asks, and only where the service was told to deliver them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.service.app import ServiceApp

from .conftest import Clock, Person, assert_problem, read_json

TEXTS = "/v1/text-messages"
MESSAGE = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def phones(start: Callable[..., ServiceApp], enrol: Callable[[str], str]) -> tuple[Person, Person]:
    """Two people who are not logged in."""
    app = start(text_messages=True)
    for name in ("alice", "bob"):
        enrol(name)
    return Person(app.test_client(), "alice"), Person(app.test_client(), "bob")


def test_a_text_waits_until_it_has_arrived(phones: tuple[Person, Person], clock: Clock) -> None:
    alice, bob = phones
    new = {"sender": "alice", "recipient": "bob", "message": MESSAGE, "text": "Grüße ☕"}
    sent = alice.post(TEXTS, new)
    assert sent.status_code == 201
    about = {key: value for key, value in new.items() if key != "recipient"}
    for _ in range(2):
        (text,) = read_json(bob.get(f"{TEXTS}?recipient=bob"))["texts"]
        assert text == {**read_json(sent), **about, "time": clock.now}
    assert read_json(alice.get(f"{TEXTS}?recipient=alice")) == {"texts": []}
    assert bob.delete(f"{TEXTS}/{text['id']}").status_code == 204
    assert read_json(bob.get(f"{TEXTS}?recipient=bob")) == {"texts": []}


def test_the_name_of_the_sender_is_believed(phones: tuple[Person, Person]) -> None:
    _, bob = phones
    bob.post(TEXTS, {"sender": "alice", "recipient": "bob", "text": "It is me"})
    (text,) = read_json(bob.get(f"{TEXTS}?recipient=bob"))["texts"]
    assert (text["sender"], text["message"]) == ("alice", None)


@pytest.mark.parametrize(
    "wrong",
    [{"sender": "nobody"}, {"recipient": "nobody"}, {"text": ""}, {"text": "x" * 1601}, {"message": "1"}, {"more": 1}],
)
def test_other_texts_are_refused(phones: tuple[Person, Person], wrong: dict[str, object]) -> None:
    alice, bob = phones
    assert_problem(alice.post(TEXTS, {"sender": "alice", "recipient": "bob", "text": "Hi", **wrong}), 422)
    assert read_json(bob.get(f"{TEXTS}?recipient=bob")) == {"texts": []}


def test_what_is_not_there_does_not_arrive(phones: tuple[Person, Person]) -> None:
    assert_problem(phones[0].delete(f"{TEXTS}/nothing"), 404)
    assert_problem(phones[0].get(TEXTS), 422)


def test_a_service_that_was_not_told_so_has_no_text_messages(alice: Person, bob: Person) -> None:
    assert_problem(alice.post(TEXTS, {"sender": "alice", "recipient": "bob", "text": "Hi"}), 404)
    assert_problem(bob.get(f"{TEXTS}?recipient=bob"), 404)
