"""The stage view's files: every string that its scripts ask for is there, and its page needs no looser policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask, render_template

from lab.classroom import catalogue, web
from lab.classroom.model import Phase
from lab.model import Direction, Exposure, Mode

HERE = Path(web.__file__).parent
SCRIPTS = sorted((HERE / "static").glob("stage*.js"))
LANGUAGES = ("en", "de")

COMPUTED = {
    *(f"mode_{mode}" for mode in Mode),
    *(f"lead_{phase}" for phase in (Phase.FIRST, Phase.DISCUSS, Phase.SECOND, Phase.CLOSED)),
    *(f"interceptor_{trust}" for trust in ("untrusted", "trusted")),
    *(str(direction).replace(" ", "_") for direction in Direction),
    *(str(exposure) for exposure in Exposure),
    *(f"{what}_{number}" for what in ("in", "messages") for number in ("none", "one", "many")),
    *(f"{name}" for name in ("bytes_one", "bytes_many", "show_result", "show_panes", "encrypted", "not_encrypted")),
    *("free_play", "title", "next_step", "step", "next_part", "part", "pause"),
}
"""Strings whose names are put together, or chosen, where they are used."""


@pytest.fixture(params=LANGUAGES)
def words(request: pytest.FixtureRequest) -> dict[str, str]:
    return catalogue.catalogue(request.param).page("stage")


def asked_for() -> set[str]:
    return {name for script in SCRIPTS for name in re.findall(r'\bsay\("(\w+)"', script.read_text(encoding="utf-8"))}


def test_every_string_that_the_scripts_ask_for_is_there(words: dict[str, str]) -> None:
    assert asked_for() | COMPUTED <= words.keys()


def test_no_string_is_left_over() -> None:
    own = catalogue.catalogue("en").tables["stage"]
    assert own.keys() <= asked_for() | COMPUTED


def test_both_languages_fill_in_the_same_words() -> None:
    english, german = (catalogue.catalogue(one).tables["stage"] for one in LANGUAGES)
    for key in english:
        assert set(re.findall(r"\{\w+\}", english[key])) == set(re.findall(r"\{\w+\}", german[key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_has_no_inline_style_script_or_handler(language: str) -> None:
    app = Flask("stage", root_path=str(HERE))
    say = catalogue.catalogue(language)
    with app.test_request_context():
        page = render_template("stage.html", language=language, face="stage", say=say.say, words=say.page("stage"))
    assert f'<html lang="{language}">' in page
    assert not re.search(r"\s(style|on\w+)=", page)
    assert "<style" not in page
    scripts = re.findall(r"<script[^>]*>", page)
    assert all("src=" in one or 'type="application/json"' in one for one in scripts)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.name)
def test_scripts_make_markup_of_nothing_but_the_lesson(script: Path) -> None:
    markup = re.findall(
        r"(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write)\b[^\n]*", script.read_text(encoding="utf-8")
    )
    assert markup in ([], ["innerHTML = question.story;"])
