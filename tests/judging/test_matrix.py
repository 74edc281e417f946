"""The leak matrix: the same recording gives the same one, claims stand beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from lab import capture, controls
from lab.matrix import EVIDENCE_SHOWN, judge
from lab.model import (
    Capture,
    Cell,
    Claim,
    Deed,
    Exposure,
    LeakMatrix,
    Missing,
    Mode,
    Observer,
    SecretName,
    Statement,
    exit_status,
)
from lab.report.words import summary

from .recordings import TOUR, about, cells
from .sabotage import nothing_recorded

EXPOSED, INFERRED, HIDDEN, INCONCLUSIVE = Exposure


@pytest.mark.parametrize("mode", Mode)
def test_the_tour_holds(matrices: Mapping[Mode, LeakMatrix], mode: Mode) -> None:
    (scenario,) = (one for one in TOUR.scenarios if one.mode is mode)
    matrix = matrices[mode]
    assert (matrix.scenario, matrix.title, matrix.mode) == ("tour", scenario.title, mode)
    assert {(cell.secret, cell.observer): cell.exposure for cell in matrix.cells} == {
        (claim.secret, claim.observer): claim.exposure for claim in scenario.claims
    }
    assert [cell.claimed for cell in matrix.cells] == [cell.exposure for cell in matrix.cells]
    assert exit_status([matrix]) == 0


@pytest.mark.parametrize("mode", Mode)
def test_the_same_recording_gives_the_same_matrix(
    captures: Mapping[Mode, Capture], matrices: Mapping[Mode, LeakMatrix], forget: Callable[[], None], mode: Mode
) -> None:
    forget()
    assert judge(captures[mode]) == matrices[mode]


@pytest.mark.parametrize("mode", [Mode.TLS, Mode.E2EE])
def test_one_observer_alone_is_judged_as_beside_others(
    captures: Mapping[Mode, Capture], matrices: Mapping[Mode, LeakMatrix], mode: Mode
) -> None:
    for observer in (Observer.SERVER, Observer.DATABASE):
        alone = judge(replace(captures[mode], story=replace(captures[mode].story, observers=(observer,))))
        judged = {one.secret: one for one in matrices[mode].cells if one.observer is observer}
        assert {one.secret: one for one in alone.cells if one.observer is observer} == judged
        assert judged


def test_rows_are_in_the_lessons_order_and_columns_in_that_of_the_way(matrices: Mapping[Mode, LeakMatrix]) -> None:
    for matrix in matrices.values():
        (scenario,) = (one for one in TOUR.scenarios if one.mode is matrix.mode)
        assert matrix.rows == scenario.secrets
        assert matrix.columns == tuple(one for one in Observer if one in scenario.observers)
        assert len(matrix.cells) == len(matrix.rows) * len(matrix.columns)


def test_the_matrix_says_what_was_planted(
    captures: Mapping[Mode, Capture], matrices: Mapping[Mode, LeakMatrix]
) -> None:
    for mode, matrix in matrices.items():
        for secret in captures[mode].secrets:
            assert secret.value.decode() in matrix.secrets[secret.name]
        assert SecretName.SIZE not in matrix.secrets


def test_a_cell_that_is_not_there_is_an_error(matrices: Mapping[Mode, LeakMatrix]) -> None:
    matrix = replace(matrices[Mode.TLS], cells=())
    with pytest.raises(KeyError, match="body at server"):
        matrix.cell(SecretName.BODY, Observer.SERVER)
    assert matrices[Mode.TLS].cell(SecretName.BODY, Observer.SERVER).exposure is EXPOSED


def test_exposed_cells_say_where_and_show_it(matrices: Mapping[Mode, LeakMatrix]) -> None:
    for cell in (cell for matrix in matrices.values() for cell in matrix.cells):
        assert (cell.evidence != ()) is (cell.exposure is EXPOSED)
        assert len(cell.evidence) <= EVIDENCE_SHOWN
        for one in cell.evidence:
            assert one.place in cell.reason


def test_evidence_points_at_the_value_in_the_record(
    captures: Mapping[Mode, Capture], matrices: Mapping[Mode, LeakMatrix]
) -> None:
    (log,) = (one for one in captures[Mode.TLS].observations if one.place == "service.log")
    (host,) = (secret for secret in captures[Mode.TLS].secrets if secret.name is SecretName.SERVICE)
    for one in matrices[Mode.TLS].cell(SecretName.SERVICE, Observer.DATABASE).evidence:
        ((start, end),) = one.spans
        assert log.data[start:end] == host.value
        assert host.value.decode() in one.excerpt


# Claims


def claiming(recording: Capture, exposure: Exposure | None) -> Capture:
    claims = () if exposure is None else (Claim(SecretName.BODY, Observer.SERVER, exposure),)
    return replace(about(recording, Observer.SERVER, frozenset({SecretName.BODY})), claims=claims)


@pytest.mark.parametrize(
    ("claim", "failed", "status"), [(EXPOSED, False, 0), (HIDDEN, True, 1), (INFERRED, True, 1), (None, False, 0)]
)
def test_a_claim_is_compared_with_what_was_measured(
    captures: Mapping[Mode, Capture], claim: Exposure | None, failed: bool, status: int
) -> None:
    matrix = judge(claiming(captures[Mode.TLS], claim))
    (cell,) = matrix.cells
    assert (cell.exposure, cell.claimed, cell.failed) == (EXPOSED, claim, failed)
    assert exit_status([matrix]) == status


@pytest.mark.parametrize("claim", [EXPOSED, HIDDEN, None])
def test_what_was_not_measured_refutes_no_claim_and_confirms_none(
    captures: Mapping[Mode, Capture], claim: Exposure | None
) -> None:
    matrix = judge(nothing_recorded(claiming(captures[Mode.TLS], claim), Observer.SERVER))
    (cell,) = matrix.cells
    assert (cell.exposure, cell.claimed, cell.failed) == (INCONCLUSIVE, claim, False)
    assert exit_status([matrix]) == 3


@pytest.mark.parametrize("claim", [EXPOSED, None])
def test_a_story_that_broke_off_confirms_nothing_though_what_can_be_read_is_exposed(
    captures: Mapping[Mode, Capture], claim: Exposure | None
) -> None:
    broken = Missing("the conversation broke off: the service answered 500")
    recording = claiming(captures[Mode.TLS], claim)
    matrix = judge(replace(recording, missing=(*recording.missing, broken)))
    assert [cell.exposure for cell in matrix.cells] == [EXPOSED]
    assert matrix.broken_off == broken.what
    assert exit_status([matrix]) == 3
    assert "1 of 2 stories broke off" in summary([matrix, HELD])
    assert "broke off" not in summary([HELD, OPEN])


def with_cells(*verdicts: tuple[Exposure, Exposure | None]) -> LeakMatrix:
    made = [Cell(SecretName.BODY, Observer.SERVER, exposure, "", (), claimed) for exposure, claimed in verdicts]
    return LeakMatrix("", "", Mode.TLS, tuple(made))


HELD = with_cells((EXPOSED, EXPOSED), (HIDDEN, HIDDEN))
FAILED = with_cells((EXPOSED, HIDDEN))
OPEN = with_cells((INCONCLUSIVE, HIDDEN))
UNCLAIMED = with_cells((EXPOSED, None))
EMPTY = with_cells()


@pytest.mark.parametrize(
    ("matrices", "status"),
    [
        pytest.param([HELD], 0, id="all claims hold"),
        pytest.param([UNCLAIMED], 0, id="nothing was claimed"),
        pytest.param([HELD, HELD], 0, id="in both sessions"),
        pytest.param([FAILED], 1, id="a claim fails"),
        pytest.param([HELD, FAILED], 1, id="in the second session"),
        pytest.param([OPEN], 3, id="something is inconclusive"),
        pytest.param([OPEN, HELD], 3, id="in the first session"),
        pytest.param([OPEN, FAILED], 1, id="a failed claim is worse"),
        pytest.param([FAILED, OPEN], 1, id="in either order"),
        pytest.param([with_cells((INCONCLUSIVE, None))], 3, id="even where nothing was claimed"),
        pytest.param([EMPTY], 3, id="a matrix that says nothing"),
        pytest.param([HELD, EMPTY], 3, id="beside one that does"),
        pytest.param([EMPTY, FAILED], 1, id="beside one that fails"),
    ],
)
def test_exit_status(matrices: list[LeakMatrix], status: int) -> None:
    assert exit_status(matrices) == status
    assert exit_status(iter(matrices)) == status


# A recording that is cut short


def test_no_recording_that_is_cut_short_shows_that_something_is_hidden(
    captures: Mapping[Mode, Capture],
) -> None:
    part = about(captures[Mode.E2EE], Observer.NETWORK, frozenset({SecretName.BODY, SecretName.SENDER}))
    items = [*part.secrets, *part.claims, *part.statements, *part.observations, *part.notes]
    head = (
        '{"is":"capture","format":1,"scenario":"tour","title":"","mode":"e2ee","observers":["network"],"started":0}\n'
    )
    lines = [head, *map(capture.encode, items)]
    end = f'{{"is":"end","lines":{len(lines)}}}\n'
    assert {cell.exposure for cell in cells(capture.parse([*lines, end], "whole")).values()} == {HIDDEN}
    for kept in {0, 1, 2, 20, len(lines) // 2, len(lines) - 1}:
        short = capture.parse([*lines[: kept + 1]], "cut")
        assert short.missing == (Missing("the capture ends early"),)
        matrix = judge(short)
        assert HIDDEN not in {cell.exposure for cell in matrix.cells}
        assert exit_status([matrix]) == 3


def test_a_claim_without_anything_recorded_about_it_is_not_passed_over(captures: Mapping[Mode, Capture]) -> None:
    whole = captures[Mode.TLS]
    unplanted = replace(whole, secrets=tuple(one for one in whole.secrets if one.name is not SecretName.PASSWORD))
    matrix = judge(unplanted)
    left = [cell for cell in matrix.cells if cell.secret is SecretName.PASSWORD]
    assert {(cell.exposure, cell.observer) for cell in left} == {
        (Exposure.INCONCLUSIVE, one) for one in whole.story.observers
    }
    assert exit_status([matrix]) == 3


def test_a_message_to_two_has_travelled_once_both_have_read_it(captures: Mapping[Mode, Capture]) -> None:
    def also_to_carol(one: Statement) -> Statement:
        return replace(one, peer=f"{one.peer}, carol-0123456789abcdef") if one.deed is Deed.SENT else one

    whole = captures[Mode.E2EE]
    alone = replace(whole, statements=tuple(map(also_to_carol, whole.statements)))
    carol = [
        replace(one, who="carol", account="carol-0123456789abcdef") for one in whole.statements if one.deed is Deed.READ
    ]
    both = replace(alone, statements=(*alone.statements, *carol))
    assert [controls.travelled(part, SecretName.BODY).passed for part in (whole, alone, both)] == [True, False, True]


def test_what_was_sealed_for_a_ghost_as_well_needs_no_ghost_to_read_it(captures: Mapping[Mode, Capture]) -> None:
    def also_to_a_ghost(one: Statement) -> Statement:
        return replace(one, peer=f"{one.peer}, ghost-0123456789abcdef") if one.deed is Deed.SENT else one

    whole = captures[Mode.E2EE]
    haunted = replace(whole, statements=tuple(map(also_to_a_ghost, whole.statements)))
    unread = replace(haunted, statements=tuple(one for one in haunted.statements if one.deed is not Deed.READ))
    assert [controls.travelled(part, SecretName.BODY).passed for part in (haunted, unread)] == [True, False]
