"""Profiles: what people say about themselves."""

from __future__ import annotations

import pytest

from .conftest import Person, assert_problem, read_json

PROFILE = {"display_name": "Alice", "status": "At the lake"}


def test_whoever_is_signed_in_reads_what_somebody_says_about_themselves(alice: Person, bob: Person) -> None:
    put = alice.put("/v1/profile", PROFILE)
    assert (put.status_code, read_json(put)) == (200, {**PROFILE, "name": "alice"})
    assert read_json(bob.get("/v1/accounts/alice/profile")) == {**PROFILE, "name": "alice"}
    bob.token = ""
    assert_problem(bob.get("/v1/accounts/alice/profile"), 401)


def test_the_latest_one_counts(alice: Person, bob: Person) -> None:
    bob.put("/v1/profile", {"display_name": "Bob", "status": "Hello"})
    for status in ("At the lake", ""):
        alice.put("/v1/profile", {"display_name": "A.", "status": status})
    assert read_json(bob.get("/v1/accounts/alice/profile")) == {"name": "alice", "display_name": "A.", "status": ""}
    assert read_json(alice.get("/v1/accounts/bob/profile"))["status"] == "Hello"


def test_who_has_said_nothing_has_none(alice: Person, bob: Person) -> None:
    assert_problem(alice.get("/v1/accounts/bob/profile"), 404)
    assert_problem(alice.get("/v1/accounts/nobody/profile"), 404)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"display_name": "A."},
        {**PROFILE, "display_name": ""},
        {**PROFILE, "status": "x" * 501},
        {**PROFILE, "a": 1},
    ],
)
def test_it_has_a_name_and_a_status_of_some_length(alice: Person, wrong: dict[str, object]) -> None:
    assert_problem(alice.put("/v1/profile", wrong), 422)
    assert_problem(alice.get("/v1/accounts/alice/profile"), 404)
