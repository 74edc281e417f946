"""Registering, logging in and out, and publishing keys."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

import pytest

from lab.service.app import ServiceApp
from lab.service.config import Config
from lab.service.passwords import Passwords
from lab.service.throttle import LoginThrottle

from .conftest import PASSWORD, Clock, Person, assert_problem, read_json


@pytest.fixture
def newcomer(app: ServiceApp) -> Person:
    return Person(app.test_client(), "alice")


class TestRegistering:
    def test_an_account_is_created_and_logged_in(self, newcomer: Person) -> None:
        assert newcomer.get("/v1/conversations").status_code == 401
        response = newcomer.register()
        created = read_json(response)
        assert (response.status_code, created["name"]) == (201, "alice")
        assert response.headers["Cache-Control"] == "no-store"
        newcomer.token = created["token"]
        assert newcomer.get("/v1/conversations").status_code == 200

    def test_a_name_is_given_once(self, newcomer: Person) -> None:
        newcomer.register()
        assert_problem(newcomer.register("another password"), 409)
        assert newcomer.login().status_code == 200

    @pytest.mark.parametrize("name", ["", "Alice", ".alice", "al ice", "alice\n", "älice", "a" * 65])
    def test_a_name_outside_the_alphabet_is_refused(self, newcomer: Person, name: str) -> None:
        newcomer.name = name
        assert "name" in assert_problem(newcomer.register(), 422)["errors"]

    def test_names_may_be_long_and_dotted(self, newcomer: Person) -> None:
        newcomer.name = "0-a_b.c" + "d" * 57
        assert newcomer.register().status_code == 201

    @pytest.mark.parametrize("password", ["sevench", "x" * 257])
    def test_a_password_has_8_to_256_characters(self, newcomer: Person, password: str) -> None:
        problem = assert_problem(newcomer.register(password), 422)
        assert list(problem["errors"]) == ["password"]
        assert password not in str(problem)

    @pytest.mark.parametrize("password", ["8 chars.", "ä" * 256, "nul\0inside"])
    def test_any_characters_make_a_password(self, newcomer: Person, password: str) -> None:
        assert newcomer.register(password).status_code == 201
        assert newcomer.login(password).status_code == 200
        assert_problem(newcomer.login(password[:-1] + "!"), 401)

    def test_half_a_character_does_not(self, newcomer: Person) -> None:
        body = rb'{"name": "alice", "password": "\ud800 has no other half"}'
        assert_problem(newcomer.client.post("/v1/accounts", data=body, content_type="application/json"), 422)

    def test_unknown_fields_and_other_types_are_refused(self, newcomer: Person) -> None:
        body = {"name": "alice", "password": PASSWORD}
        assert_problem(newcomer.post("/v1/accounts", body | {"admin": True}), 422)
        assert_problem(newcomer.post("/v1/accounts", body | {"password": 1234567890}), 422)
        assert_problem(newcomer.post("/v1/accounts", [body]), 422)
        assert_problem(newcomer.client.post("/v1/accounts", data=b"null", content_type="application/json"), 422)


class TestLoggingIn:
    def test_the_right_password_gives_a_token_for_a_while(self, newcomer: Person, clock: Clock, config: Config) -> None:
        newcomer.register()
        response = newcomer.login()
        assert response.status_code == 200
        assert read_json(response)["expires"] == clock.now + config.token_lifetime
        assert len(read_json(response)["token"]) == 43
        assert newcomer.get("/v1/conversations").json == {"conversations": []}

    def test_a_wrong_password_and_an_unknown_name_look_the_same(self, newcomer: Person) -> None:
        newcomer.register()
        wrong = newcomer.login("not the password")
        newcomer.name = "nobody"
        unknown = newcomer.login()
        assert_problem(wrong, 401)
        assert wrong.data == unknown.data
        assert wrong.headers == unknown.headers

    def test_they_cost_the_same_work(self, newcomer: Person, monkeypatch: pytest.MonkeyPatch) -> None:
        checked = []

        def verify(self: Passwords, password: str, phc: str) -> bool:
            checked.append(phc)
            return real(self, password, phc)

        real = Passwords.verify
        monkeypatch.setattr(Passwords, "verify", verify)
        newcomer.register()
        newcomer.login("not the password")
        newcomer.name = "nobody"
        newcomer.login()
        wrong, unknown = checked
        assert wrong != unknown
        assert wrong.rsplit("$", 2)[0] == unknown.rsplit("$", 2)[0] == "$argon2id$v=19$m=7168,t=5,p=1"
        assert [len(part) for part in wrong.split("$")] == [len(part) for part in unknown.split("$")]

    @pytest.mark.parametrize(
        "authorization", [None, "", "Bearer", "Bearer ", "Bearer x", "Basic YWxpY2U6eA==", "Bearer ä"]
    )
    def test_without_a_token_nothing_is_told(self, app: ServiceApp, authorization: str | None) -> None:
        headers = {} if authorization is None else {"Authorization": authorization}
        response = app.test_client().get("/v1/conversations", headers=headers)
        assert_problem(response, 401)
        assert response.headers["WWW-Authenticate"] == "Bearer"

    def test_who_may_not_ask_is_told_so_before_what_is_wrong_with_the_question(self, newcomer: Person) -> None:
        assert_problem(newcomer.client.put("/v1/keys", data=b"{"), 401)

    def test_a_token_expires(self, alice: Person, clock: Clock, config: Config) -> None:
        clock.advance(config.token_lifetime - 1)
        assert alice.get("/v1/conversations").status_code == 200
        clock.advance(1)
        assert_problem(alice.get("/v1/conversations"), 401)

    def test_a_token_is_worthless_after_logout(self, alice: Person) -> None:
        first = alice.token
        alice.login()
        assert alice.token != first
        second, alice.token = alice.token, first
        response = alice.delete("/v1/login")
        assert (response.status_code, response.data) == (204, b"")
        assert_problem(alice.get("/v1/conversations"), 401)
        assert_problem(alice.delete("/v1/login"), 401)
        alice.token = second
        assert alice.get("/v1/conversations").status_code == 200

    @pytest.mark.parametrize("restarted", [False, True])
    def test_that_holds_whether_or_not_the_service_was_started_again(
        self, start: Callable[..., ServiceApp], clock: Clock, config: Config, restarted: bool
    ) -> None:
        first = start()
        alice = Person(first.test_client(), "alice")
        alice.register()
        alice.login()
        other = Person(alice.client, "alice")
        other.login()
        if restarted:
            first.close()
            alice.client = other.client = start().test_client()
        assert alice.get("/v1/conversations").status_code == 200
        assert alice.delete("/v1/login").status_code == 204
        assert_problem(alice.get("/v1/conversations"), 401)
        assert other.get("/v1/conversations").status_code == 200
        clock.advance(config.token_lifetime)
        alice.login()  # removes what has expired
        assert_problem(other.get("/v1/conversations"), 401)
        assert alice.get("/v1/conversations").status_code == 200


class TestFailingTooOften:
    @pytest.mark.parametrize("name", ["alice", "nobody"])
    def test_the_sixth_attempt_within_a_minute_has_to_wait(self, alice: Person, clock: Clock, name: str) -> None:
        alice.name = name
        for _ in range(5):
            assert_problem(alice.login("not the password"), 401)
            clock.advance(1)
        refused = alice.login()
        assert_problem(refused, 429)
        assert refused.headers["Retry-After"] == "55"
        clock.advance(54.5)
        assert alice.login().headers["Retry-After"] == "1"
        clock.advance(0.5)
        assert alice.login().status_code == (200 if name == "alice" else 401)

    def test_others_are_not_kept_waiting(self, alice: Person, bob: Person) -> None:
        for _ in range(6):
            alice.login("not the password")
        assert bob.login().status_code == 200

    def test_success_starts_the_count_again(self, alice: Person) -> None:
        for _ in range(2):
            for _ in range(4):
                alice.login("not the password")
            assert alice.login().status_code == 200

    def test_the_memory_for_names_is_bounded(self, clock: Clock) -> None:
        throttle = LoginThrottle(clock, limit=1, window=60, capacity=2)
        for name in ("a", "b", "c"):
            throttle.attempt(name)
        throttle.attempt("a")  # forgotten, where b and c would be refused
        assert list(throttle._attempts) == ["c", "a"]


class TestSimpleKeys:
    """One public key for each account, for clients without devices."""

    def test_keys_are_published_for_others_and_replaced(self, alice: Person, bob: Person) -> None:
        for keys in (b"\x00first\xff", b"second"):
            bundle = b64encode(keys).decode()
            assert alice.put("/v1/keys", {"bundle": bundle}).status_code == 200
            assert bob.get("/v1/accounts/alice/keys").json == {"name": "alice", "bundle": bundle}

    def test_there_may_be_none(self, alice: Person, bob: Person) -> None:
        assert_problem(alice.get("/v1/accounts/bob/keys"), 404)
        assert_problem(alice.get("/v1/accounts/nobody/keys"), 404)

    def test_they_are_at_most_8_kib(self, alice: Person) -> None:
        assert alice.put("/v1/keys", {"bundle": b64encode(bytes(8192)).decode()}).status_code == 200
        assert_problem(alice.put("/v1/keys", {"bundle": b64encode(bytes(8193)).decode()}), 422)

    @pytest.mark.parametrize("bundle", ["AA", "AB==", "AAA=\n", "A A=", "AA==AA==", "_-__", "äääå", 5, None])
    def test_only_canonical_base64_is_accepted(self, alice: Person, bundle: object) -> None:
        assert_problem(alice.put("/v1/keys", {"bundle": bundle}), 422)
