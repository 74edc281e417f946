"""The closed list of misconceptions: each can be named in a lesson, and says what is true in each language."""

from __future__ import annotations

import re

import pytest

from lab.scenario.languages import LANGUAGES
from lab.scenario.metadata import NAME
from lab.scenario.misconceptions import MISCONCEPTIONS


def test_they_stand_in_order():
    assert list(MISCONCEPTIONS) == sorted(MISCONCEPTIONS)


@pytest.mark.parametrize("slug", MISCONCEPTIONS)
def test_each_is_a_name_and_two_sentences(slug):
    assert NAME.fullmatch(slug)
    for language in LANGUAGES:
        wording = MISCONCEPTIONS[slug].wording(language)
        for sentence in (wording.idea, wording.truth):
            assert re.fullmatch(r"[A-Z“„].*[^ .]\.", sentence), sentence


@pytest.mark.parametrize("slug", MISCONCEPTIONS)
def test_each_language_has_words_of_its_own(slug):
    wordings = [MISCONCEPTIONS[slug].wording(language) for language in LANGUAGES]
    assert len({wording.idea for wording in wordings}) == len({wording.truth for wording in wordings}) == len(LANGUAGES)


def test_each_study_has_a_year_and_says_what_was_found():
    studies = {study for one in MISCONCEPTIONS.values() for study in one.studies}
    assert len(studies) > 5
    for study in studies:
        assert re.search(r"\b20\d\d$", study.reference)
        assert study.en.endswith(".")
        assert study.de.endswith(".")
        assert study.en != study.de


def test_some_come_from_teaching_alone():
    assert any(not one.studies for one in MISCONCEPTIONS.values())
