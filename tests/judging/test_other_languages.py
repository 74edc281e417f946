"""Whatever is found out about a recording can be said in each language of the lessons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from lab.matrix import judge
from lab.model import Capture, LeakMatrix, Mode
from lab.report.sentences import Sentences, sentences
from lab.scenario.languages import LANGUAGES, ORIGINAL

from .recordings import HIDDEN, about
from .sabotage import SABOTAGE, Sabotage

OTHERS = [code for code in LANGUAGES if code != ORIGINAL]


def unknown(sentence: str, catalogue: Sentences) -> Iterator[str]:
    """What of a sentence would stay English, but for words of other programs."""
    if sentence in catalogue.words:
        return
    for template, match in catalogue.recognised(sentence):
        for name, kind in template.kinds.items():
            if kind == "s":
                yield from unknown(match[name], catalogue)
        return
    for separator in ("; ", ", "):
        parts = sentence.split(separator)
        if len(parts) > 1 and all(catalogue.translated(part) is not None for part in parts):
            yield from (one for part in parts for one in unknown(part, catalogue))
            return
    yield sentence


def untold(matrix: LeakMatrix, code: str) -> set[str]:
    said = {matrix.broken_off, *(cell.reason for cell in matrix.cells), *(one.detail for one in matrix.controls)}
    return {one for sentence in said - {""} for one in unknown(sentence, sentences(code))}


@pytest.mark.parametrize("code", OTHERS)
def test_all_of_what_was_really_recorded_can_be_told(matrices: Mapping[Mode, LeakMatrix], code: str) -> None:
    assert [untold(matrix, code) for matrix in matrices.values()] == [set()] * len(matrices)


@pytest.mark.parametrize("code", OTHERS)
def test_sizes_that_look_the_same_can_be_told(paddings: Mapping[bool, Capture], code: str) -> None:
    assert [untold(judge(recording), code) for recording in paddings.values()] == [set(), set()]


@pytest.mark.parametrize("code", OTHERS)
@pytest.mark.parametrize("sabotage", SABOTAGE, ids=str)
def test_what_is_wrong_with_a_recording_can_be_told(
    brief: Mapping[Mode, Capture], sabotage: Sabotage, code: str
) -> None:
    where = {
        observer: (mode, names & sabotage.secrets)
        for (mode, observer), names in HIDDEN.items()
        if observer in sabotage.observers and names & sabotage.secrets
    }
    for observer, (mode, names) in where.items():
        broken = about(sabotage.do(brief[mode], observer), observer, names)
        matrix = judge(broken)
        assert not all(control.passed for control in matrix.controls)
        # What is missing because a process failed is told in the words of that process.
        assert untold(matrix, code) <= {one.what for one in broken.missing}


def test_a_reason_that_nobody_translated_is_noticed() -> None:
    german = sentences("de")
    assert list(unknown("control 'recorded' failed: the moon was in the way", german)) == ["the moon was in the way"]
    assert list(unknown("the tap failed: the moon was in the way", german)) == []
    assert list(unknown("12 for 12 bytes, 90 for 91 bytes", german)) == []
