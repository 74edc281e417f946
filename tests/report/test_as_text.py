"""The matrix for the terminal: every verdict in words, at any width, with and without colour."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from lab.model import Control, Exposure, Inference, LeakMatrix, Mode, Observer, SecretName
from lab.report.as_text import print_matrix, print_summary
from lab.scenario.vocabulary import ON_STAGE


def text(
    matrix: LeakMatrix, *, width: int = 80, evidence: bool = False, terminal: bool = False, language: str = "en"
) -> str:
    out = StringIO()
    # The sizes and colours of the machine that runs the tests have no say.
    console = Console(
        file=out, width=width, highlight=False, force_terminal=terminal, _environ={"TERM": "xterm-256color"}
    )
    print_matrix(matrix, console, evidence=evidence, language=language)
    print_summary([matrix], console, language=language)
    return out.getvalue()


def grid(shown: str, matrix: LeakMatrix) -> Iterator[tuple[SecretName, list[str]]]:
    """The verdicts of each row, as the text has them."""
    above = shown.split("For example")[0]
    for secret in matrix.rows:
        (line,) = [line.split() for line in above.splitlines() if line.split()[:1] == [secret]]
        yield secret, line[1:]


def wrong(matrix: LeakMatrix) -> LeakMatrix:
    """As if the lesson had claimed that nobody can read the body."""
    cells = tuple(
        replace(cell, claimed=Exposure.HIDDEN) if cell.secret is SecretName.BODY else cell for cell in matrix.cells
    )
    return replace(matrix, cells=cells)


def undecided(matrix: LeakMatrix, why: str = "the tap died") -> LeakMatrix:
    cells = tuple(
        replace(cell, exposure=Exposure.INCONCLUSIVE, reason=f"control 'recorded' failed: {why}", evidence=())
        if cell.observer is Observer.SERVER
        else cell
        for cell in matrix.cells
    )
    died = Control("recorded", Observer.SERVER, None, passed=False, detail=why)
    return replace(matrix, cells=cells, controls=(*matrix.controls, died))


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_cell_stands_in_the_grid_in_words(matrices: Mapping[Mode, LeakMatrix], mode: Mode, width: int) -> None:
    matrix = matrices[mode]
    shown = text(matrix, width=width)
    assert matrix.title in " ".join(shown.split())
    for secret, verdicts in grid(shown, matrix):
        assert verdicts == [matrix.cell(secret, observer).exposure for observer in matrix.columns]


@pytest.mark.parametrize("evidence", [False, True])
@pytest.mark.parametrize("mode", Mode)
def test_no_line_is_longer_than_the_terminal_is_wide(
    matrices: Mapping[Mode, LeakMatrix], mode: Mode, evidence: bool
) -> None:
    for matrix in (matrices[mode], wrong(matrices[mode]), undecided(matrices[mode])):
        assert max(map(cell_len, text(matrix, evidence=evidence).splitlines())) <= 80


def test_where_there_is_no_terminal_there_is_no_colour(matrices: Mapping[Mode, LeakMatrix]) -> None:
    for matrix in (matrices[Mode.E2EE], wrong(matrices[Mode.PLAINTEXT])):
        plain, coloured = text(matrix), text(matrix, terminal=True)
        assert "\x1b" not in plain
        assert "\x1b[" in coloured
        # Colour says nothing that the words do not say.
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_a_claim_that_fails_is_named(matrices: Mapping[Mode, LeakMatrix]) -> None:
    matrix = matrices[Mode.PLAINTEXT]
    right, shown = text(matrix), " ".join(text(wrong(matrix)).split())
    assert "Wrong claims" not in right
    assert "claimed" not in right
    assert "Wrong claims" in shown
    assert "(claimed: hidden)" in shown
    for observer in ON_STAGE:
        assert f"{observer} body claimed hidden, measured exposed: readable in " in shown
    assert "21 of 24 claims hold; 3 failed." in shown


def test_what_could_not_be_decided_is_named_with_its_reason(matrices: Mapping[Mode, LeakMatrix]) -> None:
    matrix = matrices[Mode.PLAINTEXT]
    right, shown = text(matrix), " ".join(text(undecided(matrix)).split())
    assert "Not decided" not in right
    assert "24 of 24 claims hold." in right
    assert "Not decided" in shown
    assert "at server:" in shown
    assert "control 'recorded' failed: the tap died" in shown
    assert "16 of 24 claims hold; 8 could not be decided." in shown


def test_an_example_shows_the_secret_itself(matrices: Mapping[Mode, LeakMatrix]) -> None:
    matrix = matrices[Mode.PLAINTEXT]
    shown = text(matrix)
    for observer in ON_STAGE:
        assert matrix.cell(SecretName.BODY, observer).evidence[0].place in shown
    assert matrix.secrets[SecretName.BODY] in text(matrix, width=160)


@pytest.mark.parametrize("mode", Mode)
def test_all_evidence_on_request(matrices: Mapping[Mode, LeakMatrix], mode: Mode) -> None:
    matrix = matrices[mode]
    brief, full = text(matrix, width=200), text(matrix, width=200, evidence=True)
    for cell in matrix.cells:
        if cell.evidence:
            (start, end), *_ = cell.evidence[0].spans
            assert f"{cell.evidence[0].place}" in full
            assert f"bytes {start}–{end}" in full
    for planted in matrix.secrets.values():
        assert planted in full
    for name in ("recorded", "travelled", "searched"):
        assert any(control.name == name for control in matrix.controls)
    assert "the whole record was searched" in full
    assert "the whole record was searched" not in brief
    assert f"{len(matrix.controls)} of {len(matrix.controls)} passed" in brief


def test_a_control_that_failed_is_named_on_request(matrices: Mapping[Mode, LeakMatrix]) -> None:
    assert "recorded server: the tap died" in text(undecided(matrices[Mode.TLS]), width=200, evidence=True)
    assert "failed" not in text(matrices[Mode.TLS], width=200, evidence=True)


def test_markup_in_what_was_recorded_is_shown_as_it_is(matrices: Mapping[Mode, LeakMatrix]) -> None:
    matrix = replace(matrices[Mode.TLS], title="[bold red]not markup[/]", secrets={SecretName.BODY: "[link]x[/link]"})
    shown = text(matrix, evidence=True)
    assert "[bold red]not markup[/]" in shown
    assert "[link]x[/link]" in shown


def test_the_summary_counts_all_sessions(matrices: Mapping[Mode, LeakMatrix]) -> None:
    out = StringIO()
    print_summary([*matrices.values(), wrong(matrices[Mode.PLAINTEXT])], Console(file=out, width=80))
    told, failed = sum(len(matrix.cells) for matrix in matrices.values()), len(Observer) - 2
    more = len(matrices[Mode.PLAINTEXT].cells)
    assert out.getvalue().strip() == f"{told + more - failed} of {told + more} claims hold; {failed} failed."


def test_sizes_that_look_the_same_are_told_from_the_least_to_the_greatest(matrices: Mapping[Mode, LeakMatrix]) -> None:
    padded = Inference(Observer.SERVER, SecretName.SIZE, 53, 21, 16, 41, "bytes", "a guess", (16, 90))
    for alike, worked_out in (((16, 90), "16–90 bytes"), (None, "53 bytes")):
        matrix = replace(matrices[Mode.E2EE], inferences=(replace(padded, alike=alike),))
        assert f"message sizes worked out: {worked_out} (true: 21)" in text(matrix)
        assert f"estimated {worked_out}, true 21 bytes" in text(matrix, evidence=True)


# In the language of the lesson


def of_the_data(matrix: LeakMatrix) -> set[str]:
    """What stands in a report in any language: the names of things, and what was planted and found."""
    pieces = [piece for cell in matrix.cells for piece in cell.evidence]
    said = [
        *(matrix.title, matrix.scenario, *matrix.rows, *matrix.columns, *Mode, *Exposure, *matrix.secrets.values()),
        *(" ".join((one.place, one.excerpt, *one.decoders)) for one in pieces),
        *(control.name for control in matrix.controls),
    ]
    return words_in(" ".join(said)) | {"UTC", "in"}


def words_in(shown: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{2,}", shown))


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("evidence", [False, True])
def test_in_german_no_word_is_english(matrices: Mapping[Mode, LeakMatrix], mode: Mode, evidence: bool) -> None:
    cut = undecided(matrices[mode], "the record has no clean end")
    broken_off = replace(matrices[mode], broken_off="the conversation broke off: the encrypted chat is not empty")
    for matrix in (matrices[mode], cut, wrong(broken_off)):
        english, german = (text(matrix, width=400, evidence=evidence, language=code) for code in ("en", "de"))
        assert len(words_in(german) - of_the_data(matrix)) > 5
        assert words_in(english) & words_in(german) <= of_the_data(matrix)
        assert english.count("hidden") == german.count("hidden")
