"""Rates, addresses and comparisons, with a clock that stands still until it is moved."""

from __future__ import annotations

import pytest

from lab.classroom import guard


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_then_one_at_a_time(clock: Clock) -> None:
    bucket = guard.Bucket(guard.Rate(3, 5.0), clock)
    assert [bucket.take("a") for _ in range(3)] == [0, 0, 0]
    assert bucket.take("a") == 5.0
    assert bucket.take("b") == 0
    clock.now += 4.0
    assert bucket.take("a") == 1.0
    clock.now += 1.0
    assert bucket.take("a") == 0
    assert bucket.take("a") == 5.0


def test_asking_in_vain_costs_nothing_and_a_long_rest_fills_no_more_than_the_burst(clock: Clock) -> None:
    bucket = guard.Bucket(guard.Rate(2, 1.0), clock)
    assert [bucket.take() > 0 for _ in range(50)] == [False, False] + [True] * 48
    clock.now += 1.0
    assert bucket.take() == 0
    clock.now += 3600.0
    assert [bucket.take() > 0 for _ in range(4)] == [False, False, True, True]


def test_what_is_given_back_can_be_taken_again(clock: Clock) -> None:
    bucket = guard.Bucket(guard.Rate(1, 10.0), clock)
    for _ in range(20):
        assert bucket.take("a") == 0
        bucket.give_back("a")
    assert bucket.take("a") == 0
    assert bucket.take("a") == 10.0
    bucket.give_back("nobody")


def test_thousands_who_ask_once_are_forgotten(clock: Clock) -> None:
    bucket = guard.Bucket(guard.Rate(1, 10.0), clock)
    assert bucket.take("first") == 0
    for number in range(4_500):
        assert bucket.take(number) == 0
    assert len(bucket._whole_at) <= 4096
    clock.now += 20.0
    for number in range(4_500):
        assert bucket.take(-1 - number) == 0
    assert len(bucket._whole_at) <= 4096


def test_four_hundred_join_at_once_and_then_twenty_a_second(clock: Clock) -> None:
    joins = guard.Limits(clock).joins
    granted = 0
    for _ in range(10_000):
        granted += joins.take() == 0
        clock.now += 0.001
    assert 400 + 195 <= granted <= 400 + 201


def test_the_other_rates(clock: Clock) -> None:
    limits = guard.Limits(clock)
    for bucket, burst, every in (
        (limits.wrong_codes, 10, 5.0),
        (limits.answers, 60, 0.1),
        (limits.keys, 5, 10.0),
    ):
        assert [bucket.take(1) == 0 for _ in range(burst + 1)] == [True] * burst + [False]
        assert bucket.take(1) == pytest.approx(every)


def test_hosts() -> None:
    assert guard.hosts(8420, None) == {"127.0.0.1:8420", "localhost:8420"}
    assert "192.0.2.7:8420" in guard.hosts(8420, "192.0.2.7")
    assert "192.0.2.7" not in guard.hosts(8420, "192.0.2.7")
    assert {"192.0.2.7", "localhost:80"} <= guard.hosts(80, "192.0.2.7")


def test_comparing_takes_any_text() -> None:
    assert guard.same("K7QX4P", "K7QX4P")
    assert not guard.same("K7QX4", "K7QX4P")
    assert not guard.same("", "K7QX4P")
    assert not guard.same("\ud800é", "K7QX4P")


def test_other_sites() -> None:
    host = "127.0.0.1:8420"
    assert not guard.is_foreign_write(f"http://{host}", host)
    for origin in (None, "", "null", "http://attacker.example", f"https://{host}", f"http://{host}.attacker.example"):
        assert guard.is_foreign_write(origin, host)
    assert not guard.is_foreign_read(None, None, page=False)
    assert not guard.is_foreign_read("same-origin", "cors", page=False)
    assert guard.is_foreign_read("cross-site", "navigate", page=False)
    assert guard.is_foreign_read("same-site", "no-cors", page=True)
    assert not guard.is_foreign_read("cross-site", "navigate", page=True)
