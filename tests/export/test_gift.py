"""The predictions of lessons as Moodle questions, read again by a reader of our own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import cli
from lab.export.gift import to_gift
from lab.scenario import library
from lab.scenario.languages import LANGUAGES
from lab.scenario.lesson import Lesson

from .gift_reader import Question, read

TOUR = library.find("tour")

LESSONS = [lesson for code in LANGUAGES for lesson in library.shipped(code) if lesson.language == code]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: f"{lesson.name} {lesson.language}")
def test_each_cell_is_a_question_with_one_right_answer(lesson: Lesson) -> None:
    questions = list(read(to_gift(lesson)))
    claims = [claim for scenario in lesson.scenarios for claim in scenario.claims]
    assert len(questions) == len(claims)
    assert len({(one.category, one.name) for one in questions}) == len(questions)
    for question, claim in zip(questions, claims, strict=True):
        assert f"`{claim.secret}`" in question.text
        assert f"`{claim.observer}`" in question.text
        assert question.format == "markdown"
        assert len(question.answers) == 2
        (right,) = (answer for answer in question.answers if answer.right)
        assert right.text.startswith(f"{claim.exposure}: ")
        assert all(answer.feedback for answer in question.answers)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: f"{lesson.name} {lesson.language}")
def test_a_wrong_answer_gets_the_explanation_of_the_lesson(lesson: Lesson) -> None:
    explained = [one for scenario in lesson.scenarios for one in scenario.explanations]
    feedbacks = [answer.feedback for one in read(to_gift(lesson)) for answer in one.answers if not answer.right]
    assert explained
    for one in explained:
        assert feedbacks.count(one.text) == sum(other.text == one.text for other in explained)


def test_a_question_tells_the_story_and_not_the_claims() -> None:
    for question in read(to_gift(TOUR)):
        assert 'alice sends bob "Meet me at 5pm"' in question.text
        assert "the observers can read" not in question.text
    categories = list(dict.fromkeys(question.category for question in read(to_gift(TOUR))))
    assert categories == [
        f"$course$/top/Who can read your messages?/{number}. {scenario.title}"
        for number, scenario in enumerate(TOUR.scenarios, start=1)
    ]


NASTY = st.text(st.sampled_from("ab~=#{}:\\n/$[]%-> \n\r*`"), min_size=1, max_size=40).map(
    lambda text: text.replace("\r\n", "\n").replace("\r", "\n").strip() or "x"
)


@given(prose=NASTY, text=NASTY, title=NASTY.map(lambda text: text.replace("\n", " ")))
def test_what_an_author_writes_comes_back_as_it_was(prose: str, text: str, title: str) -> None:
    scenario = TOUR.scenarios[0]
    (first, *_) = scenario.explanations
    changed = replace(
        scenario, title=title, prose=prose, explanations=(replace(first, text=text),), claims=scenario.claims[12:15]
    )
    questions = list(read(to_gift(replace(TOUR, title=title, scenarios=(changed,)))))
    assert len(questions) == 3
    assert all(question.text.startswith(f"{prose}\n\n1. Given a message service") for question in questions)
    assert all(question.name.startswith(f"1. {title}: ") for question in questions)
    assert text in {answer.feedback for question in questions for answer in question.answers}


def test_the_reader_refuses_what_is_not_escaped() -> None:
    question: Question
    (question,) = read("::a::b {\n=c#d\n~e#f\n}\n")
    assert [answer.text for answer in question.answers] == ["c", "e"]
    for wrong in ("::a::b: {\n=c#d\n~e#f\n}\n", "::a::b {\n=c#d=\n~e#f\n}\n", "::a::b {\n=c#d\n\n~e#f\n}\n", "a\\b {}"):
        with pytest.raises((AssertionError, ValueError)):
            list(read(wrong))


def test_a_slash_in_a_title_makes_no_category_of_its_own() -> None:
    (first, *_) = read(to_gift(replace(TOUR, title="TCP/IP", scenarios=TOUR.scenarios[:1])))
    assert first.category == "$course$/top/TCP//IP/1. Nothing is encrypted"


# The command


def test_the_command_writes_a_question_bank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export", "tour", "--gift", "tour.gift"]) == 0
    assert Path("tour.gift").read_text("utf-8") == to_gift(TOUR)
    assert cli.main(["export", "tour", "--gift", "-", "--language", "de"]) == 0
    assert capsys.readouterr() == (to_gift(library.find("tour", "de")), "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tour", "--gift", "a", "--har", "b"], "--gift takes a lesson, and --har a recording: give them one after"),
        (["tour", "--har", "a"], "tour is a lesson; --har takes a recording, which lab run --captures writes"),
        (["my.feature.md", "--har", "a"], "my.feature.md is a lesson; --har takes a recording"),
        (["tour-2-tls.capture.jsonl", "--gift", "a"], "tour-2-tls.capture.jsonl is a recording; --gift takes a lesson"),
        (["toor", "--gift", "a"], "toor: no lesson of this name and no such file; did you mean tour?"),
        (["tour"], "nothing to export: give --pcapng FILE, --keylog FILE, --har FILE or --flows FILE for a recording"),
        (["tour", "--gift", "no/tour.gift"], "no/tour.gift: cannot be written: No such file or directory"),
    ],
)
def test_a_lesson_and_a_recording_are_told_apart(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"lab: {complaint}")


def test_a_lesson_is_not_overwritten_by_its_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", "mine"]) == 0
    before = Path("mine.feature.md").read_text("utf-8")
    assert cli.main(["export", "mine.feature.md", "--gift", "mine.feature.md"]) == 2
    assert "need a file of their own" in capsys.readouterr().err
    assert Path("mine.feature.md").read_text("utf-8") == before
