"""Device lists, pre-keys, and handing each one-time key out once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from lab.service.app import ServiceApp
from lab.service.config import Config

from .conftest import Person, assert_problem, encoded, envelope, read_json

LARGEST = 2**31 - 1


def keys(*ids: int, size: int = 32) -> list[dict[str, Any]]:
    return [{"id": number, "data": encoded(bytes([number % 256]) * size)} for number in ids]


def stock(person: Person, device: int) -> Any:
    return read_json(person.get(f"/v1/devices/{device}/keys"))


@pytest.fixture
def bob_with_keys(bob: Person) -> Person:
    """Bob has devices 1 and 2; the first one has two one-time keys of one kind and one of the other."""
    bob.has_devices(1, 2)
    body = {"signed": encoded(b"signed 1"), "one_time": keys(7, 8), "one_time_kem": keys(7)}
    assert bob.put("/v1/devices/1/keys", body).json == {"one_time": 2, "one_time_kem": 1}
    return bob


class TestDeviceLists:
    def test_a_list_is_published_for_others_and_replaced(self, alice: Person, bob: Person) -> None:
        for devices, data in (([LARGEST, 1], b"\0first\xff"), ([2, 1], b"second")):
            stored = {"name": "alice", "devices": sorted(devices), "data": encoded(data)}
            response = alice.put("/v1/device-list", {"devices": devices, "data": encoded(data)})
            assert (response.status_code, response.json) == (200, stored)
            assert bob.get("/v1/accounts/alice/device-list").json == stored

    def test_there_may_be_none(self, alice: Person, bob: Person) -> None:
        alice.has_devices(1)
        assert_problem(alice.get("/v1/accounts/bob/device-list"), 404)
        assert_problem(bob.get("/v1/accounts/nobody/device-list"), 404)

    @pytest.mark.parametrize("devices", [[], [0], [-1], [LARGEST + 1], [1, 1], ["1"], [1.0], None, list(range(1, 18))])
    def test_a_device_is_a_number_of_its_own(self, alice: Person, devices: object) -> None:
        assert_problem(alice.put("/v1/device-list", {"devices": devices, "data": ""}), 422)
        assert_problem(alice.get("/v1/accounts/alice/device-list"), 404)

    def test_limits_are_inclusive(self, alice: Person) -> None:
        alice.has_devices(*range(1, 17))
        for size, status in ((16 * 1024, 200), (16 * 1024 + 1, 422)):
            assert alice.put("/v1/device-list", {"devices": [1], "data": encoded(bytes(size))}).status_code == status

    def test_a_device_that_stays_keeps_its_keys(self, bob_with_keys: Person) -> None:
        bob_with_keys.has_devices(3, 1)
        assert stock(bob_with_keys, 1) == {"one_time": 2, "one_time_kem": 1}

    def test_a_device_that_is_removed_loses_its_keys(
        self, alice: Person, bob_with_keys: Person, config: Config
    ) -> None:
        bob_with_keys.has_devices(2)
        assert_problem(bob_with_keys.get("/v1/devices/1/keys"), 404)
        assert_problem(alice.post("/v1/accounts/bob/handouts", {"devices": [1]}), 404)
        with closing(sqlite3.connect(config.database)) as connection:
            assert connection.execute("SELECT * FROM one_time_keys").fetchall() == []
        bob_with_keys.has_devices(1, 2)  # another device that got the same number
        assert stock(bob_with_keys, 1) == {"one_time": 0, "one_time_kem": 0}

    def test_it_loses_its_envelopes_too(self, alice: Person, bob_with_keys: Person) -> None:
        conversation = alice.converse(bob_with_keys)
        envelopes = [envelope("bob", b"for 1", 1), envelope("bob", b"for 2", 2)]
        posted = read_json(alice.post(f"{conversation}/messages", {"envelopes": envelopes, "shared": encoded(b"both")}))
        bob_with_keys.has_devices(2)
        bob_with_keys.has_devices(1, 2)
        one, two = (read_json(bob_with_keys.get(f"/v1/messages/{posted['id']}?device={device}")) for device in (1, 2))
        assert (one["envelope"], one["shared"]) == (None, None)
        assert (two["envelope"], two["shared"]) == (encoded(b"for 2"), encoded(b"both"))


class TestPreKeys:
    def test_they_are_counted_by_kind_and_device(self, bob_with_keys: Person) -> None:
        assert stock(bob_with_keys, 1) == {"one_time": 2, "one_time_kem": 1}
        assert stock(bob_with_keys, 2) == {"one_time": 0, "one_time_kem": 0}

    def test_signed_keys_are_replaced_and_one_time_keys_added(self, alice: Person, bob_with_keys: Person) -> None:
        body: dict[str, Any] = {"signed": encoded(b"new"), "one_time": keys(9)}
        assert bob_with_keys.put("/v1/devices/1/keys", body).json == {"one_time": 3, "one_time_kem": 1}
        body = {"signed": encoded(b"newer")}
        assert bob_with_keys.put("/v1/devices/1/keys", body).json == {"one_time": 3, "one_time_kem": 1}
        handout = read_json(alice.post("/v1/accounts/bob/handouts", {"devices": [1]}))
        assert handout["devices"][0]["signed"] == encoded(b"newer")

    def test_an_id_that_is_there_is_refused_with_everything_that_came_along(
        self, alice: Person, bob_with_keys: Person
    ) -> None:
        for body in (
            {"signed": "", "one_time": keys(9, 8)},
            {"signed": "", "one_time_kem": keys(7)},
            {"signed": "", "one_time": keys(9, 9)},
        ):
            assert_problem(bob_with_keys.put("/v1/devices/1/keys", body), 409)
        assert stock(bob_with_keys, 1) == {"one_time": 2, "one_time_kem": 1}
        handout = read_json(alice.post("/v1/accounts/bob/handouts", {"devices": [1]}))
        assert handout["devices"][0]["signed"] == encoded(b"signed 1")

    def test_the_same_id_may_be_there_for_another_device(self, bob_with_keys: Person) -> None:
        body = {"signed": "", "one_time": keys(7)}
        assert bob_with_keys.put("/v1/devices/2/keys", body).json == {"one_time": 1, "one_time_kem": 0}

    @pytest.mark.parametrize("kind", ["one_time", "one_time_kem"])
    def test_200_of_a_kind_are_the_most(self, bob_with_keys: Person, kind: str) -> None:
        path = "/v1/devices/2/keys"
        assert_problem(bob_with_keys.put(path, {"signed": "", kind: keys(*range(201))}), 422)
        assert bob_with_keys.put(path, {"signed": "", kind: keys(*range(199))}).status_code == 200
        assert_problem(bob_with_keys.put(path, {"signed": "", kind: keys(1000, 1001)}), 422)
        assert stock(bob_with_keys, 2)[kind] == 199
        assert bob_with_keys.put(path, {"signed": "", kind: keys(1000)}).status_code == 200

    def test_sizes_are_limited(self, bob_with_keys: Person) -> None:
        path = "/v1/devices/2/keys"
        fits = {"signed": encoded(bytes(16 * 1024)), "one_time_kem": keys(1, size=4096)}
        assert bob_with_keys.put(path, fits).status_code == 200
        assert_problem(bob_with_keys.put(path, {"signed": encoded(bytes(16 * 1024 + 1))}), 422)
        assert_problem(bob_with_keys.put(path, {"signed": "", "one_time": keys(2, size=4097)}), 422)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"signed": None},
            {"signed": "", "one_time": None},
            {"signed": "", "one_time": [{"id": -1, "data": ""}]},
            {"signed": "", "one_time": [{"id": 2**63, "data": ""}]},
            {"signed": "", "one_time": [{"id": 1}]},
        ],
    )
    def test_other_shapes_are_refused(self, bob_with_keys: Person, body: object) -> None:
        assert_problem(bob_with_keys.put("/v1/devices/1/keys", body), 422)

    @pytest.mark.parametrize("device", [3, LARGEST, LARGEST + 1])
    def test_a_device_has_to_be_in_ones_own_list(self, alice: Person, bob_with_keys: Person, device: int) -> None:
        alice.has_devices(3)
        body = {"signed": "", "one_time": keys(1)}
        assert_problem(bob_with_keys.put(f"/v1/devices/{device}/keys", body), 422)
        assert_problem(bob_with_keys.get(f"/v1/devices/{device}/keys"), 404)
        assert stock(alice, 3) == {"one_time": 0, "one_time_kem": 0}

    @pytest.mark.parametrize("device", ["0", "01", "-1", "x", "1.0", "9" * 11, "9" * 5000])
    def test_what_is_no_number_of_a_device_is_not_found(self, bob_with_keys: Person, device: str) -> None:
        assert_problem(bob_with_keys.put(f"/v1/devices/{device}/keys", {"signed": ""}), 404)
        assert_problem(bob_with_keys.get(f"/v1/devices/{device}/keys"), 404)


class TestHandouts:
    def test_each_one_time_key_is_given_once(self, alice: Person, bob_with_keys: Person) -> None:
        nothing = {"device": 2, "signed": None, "one_time": None, "one_time_kem": None}
        for one_time, one_time_kem in ((keys(7)[0], keys(7)[0]), (keys(8)[0], None), (None, None)):
            one = {
                "device": 1,
                "signed": encoded(b"signed 1"),
                "one_time": one_time,
                "one_time_kem": one_time_kem,
            }
            response = alice.post("/v1/accounts/bob/handouts", {})
            assert response.status_code == 200
            assert response.json == {"name": "bob", "data": encoded(b"signed list"), "devices": [one, nothing]}
        assert stock(bob_with_keys, 1) == {"one_time": 0, "one_time_kem": 0}

    def test_only_the_devices_that_are_asked_for_spend_any(self, alice: Person, bob_with_keys: Person) -> None:
        bob_with_keys.put("/v1/devices/2/keys", {"signed": "", "one_time": keys(1)})
        handout = read_json(alice.post("/v1/accounts/bob/handouts", {"devices": [2]}))
        assert [each["device"] for each in handout["devices"]] == [2]
        assert stock(bob_with_keys, 1)["one_time"] == 2
        assert stock(bob_with_keys, 2)["one_time"] == 0
        handout = read_json(alice.post("/v1/accounts/bob/handouts", {"devices": [2, 1]}))
        assert [each["device"] for each in handout["devices"]] == [1, 2]

    def test_null_is_for_all(self, bob_with_keys: Person) -> None:
        handout = read_json(bob_with_keys.post("/v1/accounts/bob/handouts", {"devices": None}))  # one's own, too
        assert [each["device"] for each in handout["devices"]] == [1, 2]

    def test_an_unknown_device_leaves_the_keys_of_the_others_alone(self, alice: Person, bob_with_keys: Person) -> None:
        alice.has_devices(3)
        assert_problem(alice.post("/v1/accounts/bob/handouts", {"devices": [1, 3]}), 404)
        assert stock(bob_with_keys, 1)["one_time"] == 2

    def test_an_account_without_a_list_has_none(self, alice: Person, bob: Person) -> None:
        assert_problem(alice.post(f"/v1/accounts/{bob.name}/handouts", {}), 404)
        assert_problem(alice.post("/v1/accounts/nobody/handouts", {}), 404)

    @pytest.mark.parametrize("devices", [[], [1, 1], [0], ["1"], 1])
    def test_other_shapes_are_refused(self, alice: Person, bob_with_keys: Person, devices: object) -> None:
        assert_problem(alice.post(f"/v1/accounts/{bob_with_keys.name}/handouts", {"devices": devices}), 422)

    def test_two_at_once_never_get_the_same(
        self, app: ServiceApp, person: Callable[[str], Person], bob_with_keys: Person
    ) -> None:
        ids = list(range(100, 160))
        bob_with_keys.put("/v1/devices/2/keys", {"signed": "", "one_time": keys(*ids), "one_time_kem": keys(*ids)})
        takers = [person(f"taker{number}") for number in range(4)]
        for taker in takers:
            taker.client = app.test_client()  # a client is for one thread

        def take(taker: Person) -> list[Any]:
            return [read_json(taker.post("/v1/accounts/bob/handouts", {"devices": [2]})) for _ in range(20)]

        with ThreadPoolExecutor(len(takers)) as pool:
            handed_out = [handout["devices"][0] for handouts in pool.map(take, takers) for handout in handouts]
        for kind in ("one_time", "one_time_kem"):
            given = [each[kind]["id"] for each in handed_out if each[kind] is not None]
            assert sorted(given) == ids
        assert stock(bob_with_keys, 2) == {"one_time": 0, "one_time_kem": 0}
