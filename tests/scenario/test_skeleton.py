"""A new lesson: it is in order before anything is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import cli
from lab.model import LabError
from lab.scenario.checking import check
from lab.scenario.languages import LANGUAGES
from lab.scenario.loader import load
from lab.scenario.skeleton import skeleton


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_it_is_written_and_in_order_in_each_language(capsys):
    for code in LANGUAGES:
        assert cli.main(["new", "my-lesson", "--language", code]) == 0
    assert capsys.readouterr().err == ""
    assert sorted(path.name for path in Path().iterdir()) == ["my-lesson.de.feature.md", "my-lesson.feature.md"]
    for path in Path().iterdir():
        assert check(path) == ()  # among other things, that both say the same
        lesson = load(path)
        assert f"lab check {path.name}" in lesson.prose
        assert lesson.minutes
        assert lesson.hints
        assert lesson.misconceptions


def test_a_lesson_that_is_there_is_never_overwritten(capsys):
    path = Path("mine.feature.md")
    path.write_text("what somebody wrote", encoding="utf-8")

    assert cli.main(["new", "mine"]) == 2
    assert capsys.readouterr() == ("", "lab: mine.feature.md exists already; give another name\n")
    assert path.read_text("utf-8") == "what somebody wrote"
    assert cli.main(["new", "mine", "--language", "de"]) == 0


@pytest.mark.parametrize("name", ["", "My lesson", "a/b", "..", "mine.feature.md", "-x", "a--b", "ä"])
def test_other_names_are_refused(name):
    with pytest.raises(LabError, match="a lesson has a name of small letters, digits and hyphens"):
        skeleton(name, "en")


def test_an_unknown_language_is_refused(capsys):
    assert cli.main(["new", "mine", "--language", "fr"]) == 2
    assert capsys.readouterr().err == "lab: lessons have no language fr; known: en, de\n"
    assert list(Path().iterdir()) == []
