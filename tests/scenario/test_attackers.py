"""What is played when attackers act: a story that goes another way than told is never judged as if it had not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from lab import capture
from lab.matrix import judge
from lab.model import Capture, Deed, Encryption, Event, Exposure, Note, Observer, SecretName
from lab.scenario import parse
from lab.scenario.director import play
from lab.scenario.lesson import AddGhostDevice, ForkLog, Habit
from lab.stage.stage import Stage

from .test_lesson_attackers import (
    CHANGED,
    DENIED,
    EXPIRED,
    FORKED,
    GHOST_DEVICE,
    HELLO,
    LOGGED,
    NOT_TO_BOB,
    NOTICED,
    SUBSTITUTED,
    lesson,
)

TURNED_BACK = [HELLO, EXPIRED]


def held(
    stage: Stage,
    path: Path,
    mode: str,
    given: list[str],
    story: list[str],
    *,
    interceptor: bool = False,
    habits: Collection[Habit] = (),
) -> Capture:
    """What is recorded of this story, told by apps that have other `habits` than it says."""
    read = parse(lesson(mode, given, story, interceptor=interceptor), Path("f.feature.md"))
    scenario = read.scenarios[0]
    play(read, replace(scenario, habits=scenario.habits.union(habits)), stage, path, lambda _: None)
    return capture.read(path)


def reason(recording: Capture, observer: Observer) -> str:
    cell = judge(recording).cell(SecretName.BODY, observer)
    assert cell.exposure is Exposure.INCONCLUSIVE
    return cell.reason


@pytest.fixture(scope="module")
def turned_back(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    return held(stage, tmp_path_factory.mktemp("turned") / "c", "tls mode", [], TURNED_BACK, interceptor=True)


@pytest.fixture(scope="module")
def relayed(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    given = ["an attacker on the path who removes TLS", "the apps remember that the service wants https"]
    return held(stage, tmp_path_factory.mktemp("relayed") / "c", "tls mode", given, [HELLO], interceptor=True)


class TestTurningBack:
    def test_nothing_was_said_and_the_record_proves_it(self, turned_back: Capture) -> None:
        assert turned_back.missing == ()
        (said,) = [one for one in turned_back.statements if one.deed is Deed.TURNED_BACK]
        assert "certificate has expired" in said.reason
        (refusal,) = [note for note in turned_back.notes if note.event is Event.REFUSED]
        assert refusal.observer is Observer.INTERCEPTOR
        assert judge(turned_back).cell(SecretName.BODY, Observer.INTERCEPTOR).exposure is Exposure.HIDDEN

    def test_without_the_refusal_in_the_record_nothing_is_proved(self, turned_back: Capture) -> None:
        notes = tuple(note for note in turned_back.notes if note.event is not Event.REFUSED)
        assert "the record says so 0 times" in reason(replace(turned_back, notes=notes), Observer.INTERCEPTOR)

    def test_nor_if_something_was_said_there(self, turned_back: Capture) -> None:
        request = next(one for one in turned_back.observations if one.place == "http.request_line")
        said = replace(request, observer=Observer.INTERCEPTOR, connection="1")
        told = replace(turned_back, observations=(*turned_back.observations, said))
        assert "something was said in it" in reason(told, Observer.INTERCEPTOR)

    def test_nor_if_the_attack_never_took_place(self, turned_back: Capture) -> None:
        statements = tuple(one for one in turned_back.statements if one.deed is not Deed.TURNED_BACK)
        assert "is not in the record" in reason(replace(turned_back, statements=statements), Observer.INTERCEPTOR)

    def test_an_app_that_does_not_turn_back_tells_another_story(self, stage: Stage, tmp_path: Path) -> None:
        recording = held(stage, tmp_path / "c", "tls mode", [], TURNED_BACK, interceptor=True, habits=[Habit.UNCHECKED])
        assert "the app of alice took a certificate that is expired" in recording.missing[0].what
        assert "broke off" in reason(recording, Observer.INTERCEPTOR)


class TestRelaying:
    """An attacker who finds no TLS to remove relays bytes."""

    def test_all_connections_have_to_be_in_its_record(self, relayed: Capture) -> None:
        assert judge(relayed).cell(SecretName.BODY, Observer.INTERCEPTOR).exposure is Exposure.HIDDEN
        last = [one.connection for one in relayed.observations if one.observer is Observer.INTERCEPTOR][-1]
        kept = tuple(
            one for one in relayed.observations if (one.observer, one.connection) != (Observer.INTERCEPTOR, last)
        )
        why = reason(replace(relayed, observations=kept), Observer.INTERCEPTOR)
        assert "are in the record in both directions" in why

    def test_and_all_bytes_of_them(self, relayed: Capture) -> None:
        last = max(number for number, one in enumerate(relayed.observations) if one.observer is Observer.INTERCEPTOR)
        cut = replace(relayed.observations[last], data=relayed.observations[last].data[:-1])
        observations = (*relayed.observations[:last], cut, *relayed.observations[last + 1 :])
        assert "bytes are missing" in reason(replace(relayed, observations=observations), Observer.INTERCEPTOR)

    def test_and_as_many_as_the_messages_take(self, relayed: Capture) -> None:
        long = tuple(replace(one, size=10**6) if one.deed is Deed.SENT else one for one in relayed.statements)
        assert "fewer bytes are in the record" in reason(replace(relayed, statements=long), Observer.INTERCEPTOR)

    def test_an_app_without_memory_is_read(self, stage: Stage, tmp_path: Path) -> None:
        given = ["an attacker on the path who removes TLS", "the apps begin with http"]
        recording = held(stage, tmp_path / "c", "tls mode", given, [HELLO], interceptor=True)
        matrix = judge(recording)
        for observer in (Observer.NETWORK, Observer.INTERCEPTOR):
            assert matrix.cell(SecretName.BODY, observer).exposure is Exposure.EXPOSED


class TestOperators:
    def test_what_is_opened_with_other_keys_was_read_by_the_operator(self, stage: Stage, tmp_path: Path) -> None:
        recording = held(stage, tmp_path / "c", "e2ee mode", [], [SUBSTITUTED, HELLO])
        cell = judge(recording).cell(SecretName.BODY, Observer.SERVER)
        assert (cell.exposure, cell.evidence[0].place) == (Exposure.EXPOSED, "opened.envelope")
        ends = [note for note in recording.notes if note.observer is Observer.SERVER and note.event is Event.SEGMENT]
        assert len(ends) == 1, "where the attacker's record ends says nothing about the tap's"

    def test_an_app_that_asks_says_that_it_did(self, stage: Stage, tmp_path: Path) -> None:
        given = ["the apps ask before they fall back to plaintext, and people agree"]
        recording = held(stage, tmp_path / "c", "e2ee mode", given, [DENIED, HELLO])
        asked = [(one.who, one.peer.partition("-")[0]) for one in recording.statements if one.deed is Deed.ASKED]
        assert asked == [("alice", "bob"), ("bob", "alice")]
        assert judge(recording).cell(SecretName.BODY, Observer.SERVER).exposure is Exposure.EXPOSED

    def test_an_attacker_can_stand_on_the_path_and_behind_it_at_once(self, stage: Stage, tmp_path: Path) -> None:
        given = [
            "an attacker on the path who removes TLS",
            "the apps begin with http",
            "the apps fall back to plaintext",
        ]
        recording = held(stage, tmp_path / "c", "e2ee mode", given, [DENIED, HELLO], interceptor=True)
        assert recording.missing == ()
        matrix = judge(recording)
        assert {cell.exposure for cell in matrix.cells} == {Exposure.EXPOSED}, "nothing is encrypted any more"

    def test_keys_from_before_are_not_replaced(self, stage: Stage, tmp_path: Path) -> None:
        recording = held(stage, tmp_path / "c", "e2ee mode", [], [HELLO, SUBSTITUTED, 'bob sends alice "And you?"'])
        assert judge(recording).cell(SecretName.BODY, Observer.SERVER).exposure is Exposure.HIDDEN

    def test_a_failure_of_the_attacker_is_one_of_the_record(self, stage: Stage, tmp_path: Path) -> None:
        recording = held(stage, tmp_path / "c", "e2ee mode", [], [SUBSTITUTED, HELLO])
        failed = Note(Observer.SERVER, Event.FAILED, recording.notes[-1].time, "", "request: KeyError: 'x'")
        told = replace(recording, notes=(*recording.notes, failed))
        controls = [one for one in judge(told).controls if one.name == "recorded" and one.observer is Observer.SERVER]
        assert "the tap failed: request: KeyError" in controls[0].detail

    def test_a_change_that_is_not_believed_where_it_should_be_tells_another_story(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        read = parse(lesson("e2ee mode with ctr", [], [HELLO, f"{CHANGED} believed"]), Path("f.feature.md"))
        scenario = replace(read.scenarios[0], encryption=Encryption.STATIC)
        play(read, scenario, stage, tmp_path / "c", lambda _: None)
        recording = capture.read(tmp_path / "c")
        assert "what the app of bob made of the changed message is None" in recording.missing[0].what
        assert "broke off" in reason(recording, Observer.SERVER)

    def test_where_nobody_is_shown_another_log_nobody_notices_one(self, stage: Stage, tmp_path: Path) -> None:
        read = parse(lesson("e2ee mode", [LOGGED], [FORKED, HELLO, NOTICED]), Path("f.feature.md"))
        honest = tuple(step for step in read.scenarios[0].steps if not isinstance(step.action, ForkLog))
        play(read, replace(read.scenarios[0], steps=honest), stage, tmp_path / "c", lambda _: None)
        recording = capture.read(tmp_path / "c")
        assert "the app of carol has not noticed that there are two logs" in recording.missing[0].what

    @pytest.mark.parametrize(
        ("given", "story", "read"),
        [
            ([], [GHOST_DEVICE, HELLO, 'bob sends alice "And you?"'], True),
            ([], [HELLO, GHOST_DEVICE, NOT_TO_BOB, 'bob sends alice "And you?"'], False),
            ([], [HELLO, GHOST_DEVICE, NOT_TO_BOB, "alice accepts the new identity of bob", HELLO], True),
            ([LOGGED], ['carol sends alice and bob "Hi"', GHOST_DEVICE, NOT_TO_BOB], False),
        ],
    )
    def test_a_ghost_device_reads_where_nobody_knows_the_key_of_the_account(
        self, stage: Stage, tmp_path: Path, given: list[str], story: list[str], read: bool
    ) -> None:
        recording = held(stage, tmp_path / "c", "e2ee mode", given, story)
        assert recording.missing == ()
        cell = judge(recording).cell(SecretName.BODY, Observer.SERVER)
        assert cell.exposure is (Exposure.EXPOSED if read else Exposure.HIDDEN)

    def test_without_a_ghost_device_an_app_has_nothing_to_refuse(self, stage: Stage, tmp_path: Path) -> None:
        read = parse(lesson("e2ee mode", [], [HELLO, GHOST_DEVICE, NOT_TO_BOB]), Path("f.feature.md"))
        honest = tuple(step for step in read.scenarios[0].steps if not isinstance(step.action, AddGhostDevice))
        play(read, replace(read.scenarios[0], steps=honest), stage, tmp_path / "c", lambda _: None)
        recording = capture.read(tmp_path / "c")
        assert "the app of alice has sent what it was to refuse" in recording.missing[0].what

    @pytest.mark.parametrize(
        ("step", "what"),
        [
            ('alice sends bob "Hi", the operator truncates it, and nobody notices', "has noticed"),
            ('alice sends bob "Hi", the operator reorders it, and the app of bob notices', "has not noticed"),
        ],
    )
    def test_meddling_that_is_told_otherwise_is_said(self, stage: Stage, tmp_path: Path, step: str, what: str) -> None:
        recording = held(stage, tmp_path / "c", "e2ee mode", [], [HELLO, step])
        assert f"the app of bob {what} what the operator did to a message" in recording.missing[0].what
