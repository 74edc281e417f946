"""Mallory looks for keys that people take for those of Alice and Bob who do not compare all sixty digits."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lab.attack import near_match
from lab.attack.near_match import Goal, NearMatch, agreement, search, search_among
from lab.e2ee.fingerprint import Party, half_number, matches, qr_payload, safety_number
from lab.model import LabError

SEED = bytes(32)


def account(name: str, seed: int) -> Party:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key()
    return Party.of_account(name, key.public_bytes_raw())


ALICE, BOB = account("alice", 1), account("bob", 2)
REAL = safety_number(ALICE, BOB)
LOWER, HIGHER = (ALICE, BOB) if half_number(ALICE) < half_number(BOB) else (BOB, ALICE)


def forged(found: NearMatch, name: str) -> Party:
    """What the service says of `name` from then on."""
    key = Ed25519PrivateKey.from_private_bytes(found.private_key).public_key()
    return Party.of_account(name, key.public_bytes_raw())


@pytest.fixture(scope="module")
def both() -> tuple[str, str]:
    """What the phones show of which the lower and the higher half is, when each got a key searched for."""
    shown = []
    for victim, impersonated in ((LOWER, HIGHER), (HIGHER, LOWER)):
        found = search_among(Goal(victim, impersonated, 2, 2), SEED, range(5_000))
        assert found.complete
        number = safety_number(victim, forged(found, impersonated.account))
        assert number == found.number
        shown.append(number)
    return shown[0], shown[1]


def test_who_compares_the_first_and_the_last_digits_is_fooled(both: tuple[str, str]) -> None:
    one, other = both
    assert (one[:2], one[-2:]) == (other[:2], other[-2:]) == (REAL[:2], REAL[-2:])


def test_who_compares_all_of_them_is_not(both: tuple[str, str]) -> None:
    one, other = both
    assert one != other
    assert one != REAL != other


def test_nor_who_scans_the_code() -> None:
    found = search_among(Goal(LOWER, HIGHER, 0, 1), SEED, range(1_000))
    mallory = forged(found, HIGHER.account)
    assert not matches(qr_payload(LOWER, mallory), qr_payload(HIGHER, LOWER))
    assert matches(qr_payload(LOWER, HIGHER), qr_payload(HIGHER, LOWER))


def test_the_half_of_the_victim_is_right_for_nothing(both: tuple[str, str]) -> None:
    assert both[0][:30] == REAL[:30]
    assert both[1][30:] == REAL[30:]


def test_a_key_that_was_not_searched_for_is_noticed_at_once() -> None:
    found = search_among(Goal(LOWER, HIGHER, 0, 0), SEED, [0])
    assert (found.complete, found.tries) == (True, 1)
    wanted = Goal(LOWER, HIGHER, 3, 3)
    one = search_among(wanted, SEED, [0])
    assert (one.complete, one.tries) == (False, 1)
    assert one.agreeing == wanted.agreeing(one.number) < 6


def test_the_best_so_far_is_kept() -> None:
    goal = Goal(HIGHER, LOWER, 30, 30)
    single = [search_among(goal, SEED, [one]) for one in range(40)]
    best = search_among(goal, SEED, range(40))
    assert best.agreeing == max(one.agreeing for one in single) > min(one.agreeing for one in single)
    assert (best.tries, best.complete) == (40, False)
    assert best.number in {one.number for one in single}


def test_the_tries_are_as_many_as_expected() -> None:
    """One digit in the searched half: each try is one of ten, where the order stays."""
    for goal in (Goal(LOWER, HIGHER, 30, 1), Goal(HIGHER, LOWER, 1, 30)):
        hits = sum(search_among(goal, SEED, [one]).complete for one in range(100))
        expected = 100 / goal.expected_tries
        assert abs(hits - expected) < 4 * expected**0.5


def test_the_expectation_by_hand() -> None:
    own = half_number(LOWER)
    assert Goal(LOWER, HIGHER, 30, 2).expected_tries == pytest.approx(100 / (1 - int(own) / 10**30))
    assert Goal(HIGHER, LOWER, 3, 30).expected_tries == 1000
    assert (Goal(LOWER, HIGHER, 1, 1).own_first, Goal(HIGHER, LOWER, 1, 1).own_first) == (True, False)


def test_without_candidates_there_is_nothing_to_find() -> None:
    with pytest.raises(ValueError, match="no candidates"):
        search_among(Goal(LOWER, HIGHER, 1, 1), SEED, [])


@pytest.mark.parametrize(("first", "last"), [(-1, 0), (0, -1), (31, 0), (0, 31)])
def test_more_digits_than_a_half_has_cannot_be_asked_for(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="at most 30"):
        Goal(LOWER, HIGHER, first, last)
    Goal(LOWER, HIGHER, 30, 30)


def test_agreement_is_counted_from_both_ends() -> None:
    assert agreement("12345", "12945") == (2, 2)
    assert agreement("12345", "12345") == (5, 5)
    assert agreement("12345", "67890") == (0, 0)


@given(st.text("01", min_size=6, max_size=6), st.text("01", min_size=6, max_size=6))
def test_agreement_by_hand(one: str, other: str) -> None:
    first, last = agreement(one, other)
    assert one[:first] == other[:first]
    assert one[6 - last :] == other[6 - last :]
    if one != other:
        assert one[first] != other[first]
        assert one[5 - last] != other[5 - last]


# With processes


def test_workers_find_one_and_are_gone() -> None:
    found = search(Goal(HIGHER, LOWER, 2, 30), SEED, 600, 2)
    assert found.complete
    assert found.number == safety_number(HIGHER, forged(found, LOWER.account))
    assert found.number[:2] == REAL[:2]
    assert multiprocessing.active_children() == []


def test_when_the_time_is_over_the_best_of_all_is_given() -> None:
    found = search(Goal(HIGHER, LOWER, 30, 30), SEED, 0, 2)
    assert not found.complete
    assert found.tries >= 64
    assert found.tries % 32 == 0
    assert found.agreeing >= 30
    assert found.agreeing >= search_among(Goal(HIGHER, LOWER, 30, 30), SEED, range(64)).agreeing
    assert multiprocessing.active_children() == []


def test_a_worker_that_dies_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = near_match.wait

    def kill_and_wait(links: list[object]) -> list[object]:
        for one in multiprocessing.active_children():
            assert one.pid is not None
            os.kill(one.pid, signal.SIGKILL)
        return list(waits(links))

    monkeypatch.setattr(near_match, "wait", kill_and_wait)
    with pytest.raises(LabError, match="has died"):
        search(Goal(HIGHER, LOWER, 30, 30), SEED, 600, 1)
    assert multiprocessing.active_children() == []
