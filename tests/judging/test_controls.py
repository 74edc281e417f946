"""`hidden` is said only after every control has passed, and each control can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from lab import controls, detect
from lab.detect import across, decoders, search, walk
from lab.model import (
    INFERRED_ONLY,
    Capture,
    Deed,
    Direction,
    Exposure,
    LeakMatrix,
    Mode,
    Observation,
    Observer,
    Secret,
    SecretName,
)
from lab.record import Record
from lab.scenario.vocabulary import ON_STAGE

from .recordings import HIDDEN, about, cells, planted
from .sabotage import SABOTAGE, Sabotage, also_got, changed, decoys_in_record, record, tell

IN_THE_CLEAR = (Mode.PLAINTEXT, Observer.NETWORK)


def test_every_control_passes_on_what_was_really_recorded(matrices: Mapping[Mode, LeakMatrix]) -> None:
    made = [control for matrix in matrices.values() for control in matrix.controls]
    assert [control for control in made if not control.passed] == []
    assert {control.name for control in made} == {"travelled", "recorded", "searched", "detects", "decoys", "estimate"}


def test_each_hidden_cell_rests_on_all_of_its_controls(matrices: Mapping[Mode, LeakMatrix]) -> None:
    for (mode, observer), names in HIDDEN.items():
        for name in names:
            about_it = [
                control.name
                for control in matrices[mode].controls
                if control.observer in (None, observer) and control.secret in (None, name)
            ]
            assert set(about_it) == {"travelled", "recorded", "searched", "detects", "decoys"}
            assert f"all {len(about_it)} controls" in matrices[mode].cell(name, observer).reason


def _hidden_and_sabotage() -> Iterator[object]:
    for (mode, observer), names in HIDDEN.items():
        for sabotage in SABOTAGE:
            if observer in sabotage.observers and names & sabotage.secrets:
                yield pytest.param(mode, observer, sabotage, id=f"{mode}-{observer}-{sabotage}")


@pytest.mark.parametrize(("mode", "observer", "sabotage"), list(_hidden_and_sabotage()))
def test_no_hidden_survives_the_failure_of_one_control(
    brief: Mapping[Mode, Capture], mode: Mode, observer: Observer, sabotage: Sabotage
) -> None:
    names = HIDDEN[mode, observer] & sabotage.secrets
    found = cells(about(sabotage.do(brief[mode], observer), observer, names))
    assert found.keys() == names
    for cell in found.values():
        assert cell.exposure is Exposure.INCONCLUSIVE
        assert cell.reason.startswith(f"control {sabotage.control!r} failed: ")
        assert sabotage.words in cell.reason


@pytest.mark.parametrize(("mode", "observer"), list(HIDDEN))
def test_the_same_cells_are_hidden_when_nothing_is_broken(
    brief: Mapping[Mode, Capture], mode: Mode, observer: Observer
) -> None:
    names = HIDDEN[mode, observer]
    found = cells(about(brief[mode], observer, names))
    assert {name: cell.exposure for name, cell in found.items()} == dict.fromkeys(names, Exposure.HIDDEN)


# A detector that misses what it is there for


@pytest.mark.parametrize(("mode", "observer"), list(HIDDEN))
def test_a_blind_detector_is_noticed_everywhere(
    brief: Mapping[Mode, Capture], monkeypatch: pytest.MonkeyPatch, mode: Mode, observer: Observer
) -> None:
    def blind(_secrets: object, observations: Sequence[Observation], *_: object) -> detect.Search:
        return detect.Search((), (), tuple(observations))

    monkeypatch.setattr(detect, "find", blind)
    for cell in cells(about(brief[mode], observer, HIDDEN[mode, observer])).values():
        assert cell.exposure is Exposure.INCONCLUSIVE
        assert cell.reason.startswith("control 'detects' failed: planted whole, ") or observer is Observer.DATABASE
        assert "was not found" in cell.reason


def _without(decode: decoders.Decode) -> Callable[[pytest.MonkeyPatch], None]:
    rest = tuple(one for one in decoders.DECODERS if one.decode is not decode)
    return lambda monkeypatch: monkeypatch.setattr(walk, "DECODERS", rest)


def _without_reassembly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "reassemble", tuple)
    # The pieces of a body would also be put together as messages that follow each other.
    monkeypatch.setattr(across, "joined", lambda _: across.Joined(b"", ()))


def _without_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "search_rows", lambda *_: ([], []))


EVERYTHING = frozenset(SecretName)
DULLED = [
    pytest.param(Observer.NETWORK, _without_reassembly, EVERYTHING, "planted split", id="streams in pieces"),
    pytest.param(Observer.NETWORK, _without(decoders.tls_records), EVERYTHING, "planted split", id="records apart"),
    pytest.param(
        Observer.NETWORK, _without(decoders.base64), frozenset({SecretName.ATTACHMENT}), "planted whole", id="no base64"
    ),
    pytest.param(Observer.SERVER, _without_reassembly, EVERYTHING, "planted split", id="bodies in pieces"),
    pytest.param(
        Observer.SERVER,
        _without(decoders.base64),
        frozenset({SecretName.ATTACHMENT}),
        "planted whole",
        id="no base64, server",
    ),
    pytest.param(Observer.DATABASE, _without_rows, EVERYTHING, "planted split over two pages", id="pages apart"),
]


@pytest.mark.parametrize(("observer", "dull", "concerned", "words"), DULLED)
def test_a_detector_that_lost_one_skill_is_noticed(
    brief: Mapping[Mode, Capture],
    monkeypatch: pytest.MonkeyPatch,
    observer: Observer,
    dull: Callable[[pytest.MonkeyPatch], None],
    concerned: frozenset[SecretName],
    words: str,
) -> None:
    names = HIDDEN[Mode.E2EE, observer]
    part = about(brief[Mode.E2EE], observer, names)
    sharp = cells(part)
    dull(monkeypatch)
    dulled = cells(part)
    for name in names:
        assert sharp[name].exposure is Exposure.HIDDEN
        if name in concerned:
            assert dulled[name].exposure is Exposure.INCONCLUSIVE
            assert f"control 'detects' failed: {words}" in dulled[name].reason
        else:
            assert dulled[name].exposure is Exposure.HIDDEN


@pytest.mark.parametrize("observer", ON_STAGE)
def test_a_record_with_no_place_to_plant_in_shows_no_skill(brief: Mapping[Mode, Capture], observer: Observer) -> None:
    whole = brief[Mode.E2EE]
    values = [secret for secret in whole.secrets if secret.name is not SecretName.SERVICE]
    assert all(control.passed for control in controls.detects(Record(whole, observer), values))
    for control in controls.detects(Record(replace(whole, observations=()), observer), values):
        assert not control.passed
        assert control.detail == "the record holds nothing that it could be planted in"


def test_a_database_that_cannot_be_opened_shows_no_skill(brief: Mapping[Mode, Capture]) -> None:
    whole = brief[Mode.E2EE]
    damage = record(lambda one: replace(one, data=b"SQLite") if one.place == "database.file" else one)
    damaged = Record(damage(whole, Observer.DATABASE), Observer.DATABASE)
    assert not any(control.passed for control in controls.detects(damaged, whole.secrets))


def test_the_skill_is_shown_for_every_value_of_a_name(brief: Mapping[Mode, Capture]) -> None:
    part = brief[Mode.TLS]
    passwords = planted(part, SecretName.PASSWORD)
    shown = controls.detects(Record(part, Observer.NETWORK), passwords)
    assert [control.passed for control in shown] == [True, True]
    assert all(str(way) in shown[0].detail for way in ("whole, to service", "split, to client"))


# What concerns exposed cells too


@pytest.mark.parametrize("observer", ON_STAGE)
def test_a_hit_means_nothing_where_decoys_hit(brief: Mapping[Mode, Capture], observer: Observer) -> None:
    names = frozenset({SecretName.SENDER})
    part = about(brief[Mode.PLAINTEXT], observer, names)
    assert cells(part)[SecretName.SENDER].exposure is Exposure.EXPOSED
    cell = cells(decoys_in_record(part, observer))[SecretName.SENDER]
    assert cell.exposure is Exposure.INCONCLUSIVE
    assert cell.evidence != ()
    assert "control 'decoys' failed" in cell.reason


def test_a_hit_needs_no_record_of_the_whole_exchange(brief: Mapping[Mode, Capture]) -> None:
    part = about(brief[Mode.PLAINTEXT], Observer.NETWORK, frozenset({SecretName.BODY}))
    cut = replace(part, notes=(), statements=())
    assert cells(cut)[SecretName.BODY].exposure is Exposure.EXPOSED


def test_something_harmless_more_in_a_record_breaks_nothing(
    brief: Mapping[Mode, Capture],
) -> None:
    decoyed = also_got(brief[Mode.E2EE], Observer.SERVER, b"nothing of importance")
    names = HIDDEN[Mode.E2EE, Observer.SERVER]
    assert {cell.exposure for cell in cells(about(decoyed, Observer.SERVER, names)).values()} == {Exposure.HIDDEN}


# Where nothing is encrypted, nothing is hidden on the network; its record is checked all the same


def _recorded(part: Capture, observer: Observer = Observer.NETWORK) -> str:
    control = controls.recorded(part, Record(part, observer))
    return "" if control.passed else control.detail


@pytest.mark.parametrize("way", [Direction.TO_SERVICE, Direction.TO_CLIENT])
def test_a_message_lost_from_a_record_in_the_clear_is_missed(brief: Mapping[Mode, Capture], way: Direction) -> None:
    whole = brief[Mode.PLAINTEXT]
    (body,) = planted(whole, SecretName.BODY)
    lose = record(lambda one: None if body.value in one.data and one.direction is way else one)
    lost = lose(whole, Observer.NETWORK)
    assert len(lost.observations) < len(whole.observations)
    assert _recorded(whole) == ""
    assert _recorded(lost) != ""


@pytest.mark.parametrize("observer", ON_STAGE)
def test_each_record_is_judged_by_itself(brief: Mapping[Mode, Capture], observer: Observer) -> None:
    whole = brief[Mode.TLS]
    for other in set(ON_STAGE) - {observer}:
        without = replace(
            whole,
            observations=tuple(one for one in whole.observations if one.observer is not other),
            notes=tuple(one for one in whole.notes if one.observer is not other),
        )
        assert _recorded(without, observer) == ""
        assert _recorded(without, other) != ""


# Travelled, for every secret there is


NOTHING_ARRIVED = {
    SecretName.BODY: changed(Deed.READ, text="something else"),
    SecretName.ATTACHMENT: changed(Deed.READ, file=b"something else"),
    SecretName.SENDER: changed(Deed.READ, peer="somebody else"),
    SecretName.RECIPIENT: changed(Deed.READ, account="somebody else"),
    SecretName.PASSWORD: changed(Deed.LOGGED_IN, password="something else"),
    SecretName.SERVICE: changed(Deed.LOGGED_IN, host="elsewhere"),
    SecretName.SIZE: changed(Deed.READ, message="another"),
    SecretName.TIME: changed(Deed.READ, message="another"),
}


@pytest.mark.parametrize("name", NOTHING_ARRIVED)
@pytest.mark.parametrize("mode", Mode)
def test_what_did_not_arrive_did_not_travel(captures: Mapping[Mode, Capture], mode: Mode, name: SecretName) -> None:
    whole = captures[mode]
    assert controls.travelled(whole, name).passed
    lost = controls.travelled(NOTHING_ARRIVED[name](whole, Observer.NETWORK), name)
    assert not lost.passed
    assert "is what was expected" in lost.detail


@pytest.mark.parametrize("name", sorted(set(SecretName) - set(NOTHING_ARRIVED)))
def test_what_was_never_planted_did_not_travel(brief: Mapping[Mode, Capture], name: SecretName) -> None:
    assert not controls.travelled(brief[Mode.E2EE], name).passed


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (SecretName.EARLIER, {"text": "planted"}),
        (SecretName.LATER, {"text": "planted"}),
        (SecretName.HEALED, {"text": "planted"}),
        (SecretName.GROUP, {"group": "planted"}),
    ],
)
def test_what_lessons_plant_besides_has_to_arrive(
    brief: Mapping[Mode, Capture], name: SecretName, told: dict[str, str]
) -> None:
    whole = replace(brief[Mode.E2EE], secrets=(Secret(name, b"planted"),))
    arrived = tell(lambda one: replace(one, **told) if one.deed is Deed.READ else one)(whole, Observer.NETWORK)
    assert controls.travelled(arrived, name).passed
    assert not controls.travelled(whole, name).passed


def test_every_value_of_a_name_has_to_travel(brief: Mapping[Mode, Capture]) -> None:
    whole = brief[Mode.E2EE]
    one_only = tell(lambda one: None if one.who == "bob" and one.deed is Deed.LOGGED_IN else one)
    assert not controls.travelled(one_only(whole, Observer.NETWORK), SecretName.PASSWORD).passed


def test_the_observers_own_messages_do_not_count_as_the_story(captures: Mapping[Mode, Capture]) -> None:
    whole = captures[Mode.E2EE]
    own_only = tell(lambda one: one if one.who == "observer" else None)(whole, Observer.NETWORK)
    for name in SecretName:
        assert not controls.travelled(own_only, name).passed


# Sizes and times: inconclusive where the method fails its own check, and never hidden


def test_a_method_that_gets_the_observers_own_messages_wrong_says_nothing(captures: Mapping[Mode, Capture]) -> None:
    own = [one for one in captures[Mode.E2EE].statements if one.who == "observer" and one.deed is Deed.SENT]
    tampered = {
        SecretName.SIZE: tell(lambda one: replace(one, size=one.size * 2) if one is own[2] else one),
        SecretName.TIME: tell(lambda one: replace(one, time=one.time - 5) if one is own[0] else one),
    }
    for observer in ON_STAGE:
        for name in INFERRED_ONLY:
            part = about(captures[Mode.E2EE], observer, frozenset({name}))
            assert cells(part)[name].exposure is Exposure.INFERRED
            cell = cells(tampered[name](part, observer))[name]
            assert cell.exposure is Exposure.INCONCLUSIVE
            assert "control 'estimate' failed" in cell.reason
