"""A lesson on paper: the learner's sheet gives nothing away, the teacher's has all of it, and both can be printed."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.cli import main
from lab.model import Exposure, Observer, SecretName
from lab.report import lesson_words
from lab.report.handout import LINES, markdown, to_handout
from lab.scenario import library
from lab.scenario.languages import LANGUAGES
from lab.scenario.lesson import Audience, Expect, Lesson
from lab.scenario.misconceptions import MISCONCEPTIONS

from . import chromium
from .tree import LINKING, Element, tree

LESSONS = [(lesson.name, code) for code in LANGUAGES for lesson in library.shipped(code) if lesson.language == code]


@pytest.fixture(scope="module", params=LESSONS, ids=" ".join)
def lesson(request: pytest.FixtureRequest) -> Lesson:
    """Each lesson that ships, in each of its languages."""
    return library.find(*request.param)


@pytest.fixture(scope="module")
def root(lesson: Lesson) -> Element:
    return tree(to_handout(lesson))


@pytest.fixture(scope="module")
def sheets(root: Element) -> tuple[Element, Element]:
    """The learner's sheet of this lesson, and the teacher's."""
    (learner,), (teacher,) = root.all(class_="learner"), root.all(class_="teacher")
    return learner, teacher


def test_there_are_lessons_in_each_language() -> None:
    assert {code for _, code in LESSONS} == set(LANGUAGES)


def test_the_learner_gets_each_cell_empty(lesson: Lesson, sheets: tuple[Element, Element]) -> None:
    learner, _ = sheets
    tables = learner.all("table")
    assert len(tables) == len(lesson.scenarios)
    for table, scenario in zip(tables, lesson.scenarios, strict=True):
        assert [head.words for head in table.all("th", scope="col")] == [*scenario.observers]
        assert [head.words for head in table.all("th", scope="row")] == [*scenario.secrets]
        boxes = table.all("input")
        assert len(boxes) == 2 * len(scenario.claims)
        assert len({box.attributes["name"] for box in boxes}) == len(scenario.claims)
        assert not any("checked" in box.attributes for box in boxes)
    assert len({box.attributes["name"] for box in learner.all("input")}) == sum(
        len(scenario.claims) for scenario in lesson.scenarios
    )
    assert len(learner.all(class_="line")) == LINES * len(lesson.scenarios)


def test_a_cell_offers_what_can_be_claimed_in_the_same_order_everywhere(
    lesson: Lesson, sheets: tuple[Element, Element]
) -> None:
    for row in (row for table in sheets[0].all("table") for row in table.all("tr") if row.all("th", scope="row")):
        (secret,) = row.all("th")
        first = Exposure.INFERRED if secret.words in ("size", "time") else Exposure.EXPOSED
        for cell in row.all("td"):
            assert [label.words for label in cell.all("label")] == [first, Exposure.HIDDEN]


def test_the_learner_gets_the_story_without_answers(lesson: Lesson, sheets: tuple[Element, Element]) -> None:
    learner, _ = sheets
    for scenario in lesson.scenarios:
        for step in scenario.steps:
            assert (step.text in learner.text) is not isinstance(step.action, Expect)
        for explanation in scenario.explanations:
            assert explanation.text.splitlines()[0][:40] not in learner.text
    for hint in lesson.hints:
        assert hint not in learner.text
    for slug in lesson.misconceptions:
        assert MISCONCEPTIONS[slug].wording(lesson.language).truth not in learner.text


def test_the_teacher_gets_all_of_it(lesson: Lesson, sheets: tuple[Element, Element]) -> None:
    _, teacher = sheets
    for table, scenario in zip(teacher.all("table"), lesson.scenarios, strict=True):
        claims = {(claim.secret, claim.observer): claim.exposure for claim in scenario.claims}
        shown = [cell.words for row in table.all("tr") for cell in row.all("td") if cell.words]
        assert shown == [claims[secret, observer] for secret in scenario.secrets for observer in scenario.observers]
    wholes = [one.words for one in teacher.all(class_="whole")]
    for explanation in (one for scenario in lesson.scenarios for one in scenario.explanations):
        words = f"{explanation.secret} {'bei' if lesson.language == 'de' else 'at'} {explanation.observer}"
        assert any(words in whole and str(explanation.exposure) in whole for whole in wholes)
        plain = re.sub(r"[*_`]", "", explanation.text.split("\n\n")[0])
        assert " ".join(plain.split()) in re.sub(r"[*_`]", "", teacher.words)
    for hint in lesson.hints:
        assert hint in teacher.text
    for one in (MISCONCEPTIONS[slug] for slug in lesson.misconceptions):
        assert one.wording(lesson.language).idea in teacher.text
        assert one.wording(lesson.language).truth in teacher.text
        for study in one.studies:
            assert study.reference in teacher.text
            assert study.found(lesson.language) in teacher.text
    assert f"lab guide {lesson.name}" in teacher.text
    if lesson.minutes:
        assert (
            f"{lesson.minutes.demo} minutes" in teacher.text.lower() or f"{lesson.minutes.demo} Minuten" in teacher.text
        )


def test_the_page_says_its_language_and_refers_to_nothing_outside(lesson: Lesson, root: Element) -> None:
    (html,) = root.all("html")
    assert html.attributes["lang"] == lesson.language
    for element in root.walk():
        assert not LINKING & element.attributes.keys()
        assert not any(name.startswith("on") for name in element.attributes)
    assert not {element.tag for element in root.walk()} & {"script", "link", "base", "iframe", "object", "img", "form"}
    (style,) = root.all("style")
    assert not re.search(r"url\(|@import|//", style.text)
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert any(digest in one.attributes.get("content", "") for one in root.all("meta"))


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_word_has_a_meaning_in_each_language(code: str) -> None:
    words = lesson_words.WORDS[code]
    assert words.observers.keys() == set(Observer)
    assert words.secrets.keys() == set(SecretName)
    assert words.audiences.keys() == set(Audience)
    assert words.exposures.keys() == set(Exposure) - {Exposure.INCONCLUSIVE}


# Prose


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("*Who* has **the** `key`?", "<p><em>Who</em> has <strong>the</strong> <code>key</code>?</p>\n"),
        ("1. one\n2. two", "<ol>\n<li>one</li>\n<li>two</li>\n</ol>\n"),
        ("see [the RFC](https://example.org/rfc)", "<p>see the RFC (https://example.org/rfc)</p>\n"),
        ("![a picture](https://example.org/a.png)", "<p>!a picture (https://example.org/a.png)</p>\n"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("a\u202eb", "<p>a⟨U+202E⟩b</p>\n"),
    ],
)
def test_prose_becomes_html(written: str, printed: str) -> None:
    assert markdown(written) == printed


@given(st.text(st.sampled_from("ab<>&\"'[](){}!*_`#\\/:=~ \n"), max_size=60))
def test_no_prose_becomes_an_element_that_fetches_or_runs_something(text: str) -> None:
    allowed = {"p", "em", "strong", "code", "pre", "ol", "ul", "li", "blockquote", "hr", "br"}
    root = tree(f"<main>{markdown(text)}</main>")
    for element in root.walk():
        assert element.tag in {*allowed, "main", "h1", "h2", "h3", "h4", "h5", "h6"} or element is root
        assert not element.attributes.keys() - {"start", "class"}


# The command


def test_the_command_writes_a_page_for_each_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, file, title in (
        ([], "tour-handout.html", "Who can read your messages?"),
        (["--language", "de"], "tour-handout.de.html", "Wer kann deine Nachrichten lesen?"),
        (["--html", "other.html"], "other.html", "Who can read your messages?"),
    ):
        assert main(["handout", "tour", *arguments]) == 0
        assert title in Path(file).read_text("utf-8")
        assert capsys.readouterr() == (f"{file} is written; open it in a browser to print it\n", "")


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["handout", "tour", "--html", "-"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["toor"], "lab: toor: no lesson of this name and no such file; did you mean tour?\n"),
        (["tour", "--language", "fr"], "lab: lessons have no language fr; known: en, de\n"),
        (["tour", "--html", "no/page.html"], "lab: no/page.html: cannot be written: No such file or directory\n"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["handout", *arguments]) == 2
    assert capsys.readouterr() == ("", complaint)


# In a browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tour, in English."""
    file = tmp_path_factory.mktemp("handout") / "handout.html"
    file.write_text(to_handout(library.find("tour")), encoding="utf-8")
    return file


@pytest.mark.parametrize(("language", "width", "scheme"), [("en", 1280, "light"), ("de", 360, "dark")])
def test_axe_finds_nothing(
    page: chromium.Page, axe: str, tmp_path: Path, language: str, width: int, scheme: str
) -> None:
    """In the widest table of the tour: to look at each element takes long, and more of them are of the same kinds."""
    tour = library.find("tour", language)
    short = tmp_path / "short.html"
    short.write_text(to_handout(replace(tour, scenarios=tour.scenarios[-1:])), encoding="utf-8")
    page.show(width=width, scheme=scheme)
    page.open(short)
    page.run(f"{axe}; 0")
    kinds = "resultTypes: ['violations', 'incomplete']"
    result = page.run(f"axe.run(document, {{{kinds}, rules: {{'target-size': {{enabled: true}}}}}})")
    assert [(one["id"], one["nodes"][0]["html"]) for kind in ("violations", "incomplete") for one in result[kind]] == []
    assert {"label", "target-size", "color-contrast", "th-has-data-cells"} <= {one["id"] for one in result["passes"]}
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_browser_has_no_complaint_and_asks_for_nothing(page: chromium.Page, file: Path) -> None:
    page.requests.clear()
    page.complaints.clear()
    page.open(file)
    assert page.requests == [file.as_uri()]
    assert page.complaints == []


@pytest.mark.parametrize("paper", [(8.27, 11.69), (8.5, 11)], ids=["A4", "Letter"])
def test_the_teachers_sheet_begins_on_a_page_of_its_own(
    page: chromium.Page, file: Path, paper: tuple[float, float]
) -> None:
    page.open(file)
    both = pages(page, paper)
    page.run("document.querySelector('.teacher').remove()")
    learners = pages(page, paper)
    page.open(file)
    page.run("document.querySelector('.learner').remove()")
    assert both == learners + pages(page, paper)
    assert learners <= 5


def pages(page: chromium.Page, paper: tuple[float, float]) -> int:
    """How many pages are printed."""
    width, height = paper
    data = page("Page.printToPDF", paperWidth=width, paperHeight=height, printBackground=False)["data"]
    return len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(data)))
