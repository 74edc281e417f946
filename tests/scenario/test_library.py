"""The lessons that ship: found by name and language, each once, the course in its order."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from lab.model import LabError
from lab.report.lessons import print_lessons
from lab.resources import folder
from lab.scenario import library, load


@pytest.fixture
def shelf(tmp_path, monkeypatch, lesson):
    """A folder with lessons in place of those that ship: the functions of the library look there."""

    def put(file_name: str, *, course: int | None = None, title: str = "A short lesson") -> Path:
        text = lesson.replace("A short lesson", title)
        if file_name.endswith(".de.feature.md"):
            text = (folder("scenarios") / "tour.de.feature.md").read_text("utf-8")
        if course is not None:
            text = text.replace("minutes = ", f"course = {course}\nminutes = ", 1)
        path = tmp_path / file_name
        path.write_text(text, encoding="utf-8")
        return path

    monkeypatch.setattr(library, "folder", lambda _: tmp_path)
    return put


def names(lessons) -> list[str]:
    return [one.path.name for one in lessons]


def test_the_course_comes_first_and_in_its_order(shelf):
    for name, course in (("a", None), ("b", 2), ("c", 10), ("d", 1), ("e", None)):
        shelf(f"{name}.feature.md", course=course)

    assert [one.name for one in library.shipped()] == ["d", "b", "c", "a", "e"]


def test_each_lesson_is_there_once_in_the_language_asked_for(shelf):
    for name in ("one.feature.md", "one.de.feature.md", "two.feature.md"):
        shelf(name)

    assert names(library.shipped()) == ["one.feature.md", "two.feature.md"]
    assert names(library.shipped("de")) == ["one.de.feature.md", "two.feature.md"]
    assert names(library.chosen(["all", "one"], "de")) == ["one.de.feature.md", "two.feature.md"]


def test_a_lesson_that_is_in_german_alone_is_there_too(shelf):
    shelf("one.de.feature.md")

    assert names(library.shipped()) == names(library.shipped("de")) == ["one.de.feature.md"]


def test_a_name_and_a_path_find_a_lesson(shelf, tmp_path):
    for name in ("one.feature.md", "one.de.feature.md"):
        shelf(name)

    assert library.find("one").language == "en"
    assert library.find("one", "de").language == "de"
    assert library.find(str(tmp_path / "one.de.feature.md")).language == "de"


def test_a_version_that_is_not_there_is_told(shelf):
    shelf("one.feature.md")
    with pytest.raises(LabError, match="one: this lesson is in en; leave out --language"):
        library.find("one", "de")


def test_an_unknown_language_is_told(shelf):
    for call in (lambda: library.find("one", "fr"), lambda: library.shipped("fr")):
        with pytest.raises(LabError, match="lessons have no language fr; known: en, de"):
            call()


def printed(lessons) -> str:
    text = StringIO()
    print_lessons(lessons, Console(file=text, width=100))
    return text.getvalue()


def test_the_list_shows_the_course_with_its_time_and_what_is_beside_it(shelf):
    for name, course in (("one", 1), ("two", 2), ("three", None)):
        shelf(f"{name}.feature.md", course=course)
    lines = [line.split() for line in printed(library.shipped()).splitlines()]

    assert lines[0] == ["The", "course:", "2", "lessons,", "10", "minutes", "to", "show"]
    assert [line[:2] for line in lines if line[:1] in (["1"], ["2"])] == [["1", "one"], ["2", "two"]]
    assert lines.index(["Beside", "the", "course"]) < lines.index(["three", "A", "short", "lesson", "5", "tls"])


def test_without_a_course_there_is_one_list(shelf):
    shelf("one.feature.md")
    text = printed(library.shipped())

    assert "course" not in text
    assert "one" in text


def test_the_lessons_that_ship_are_in_an_order_in_which_each_can_be_understood():
    lessons = library.shipped()
    places = [one.course for one in lessons if one.course is not None]
    assert places == sorted(set(places))
    course = {one.name: one.course for one in lessons}
    for one in lessons:
        for name in one.before:
            earlier = course[name]
            assert one.course is None or (earlier is not None and earlier < one.course), (one.name, name)


def test_the_course_has_thirteen_lessons_and_fits_into_two_school_hours():
    course = [lesson for lesson in library.shipped() if lesson.course is not None]
    assert [lesson.course for lesson in course] == list(range(1, 14))
    assert sum(lesson.minutes.demo for lesson in course) <= 90


def test_each_lesson_that_ships_is_there_in_german():
    assert [lesson.language for lesson in library.shipped("de")] == ["de"] * len(library.shipped())


def test_each_scenario_that_ships_explains_a_wrong_prediction():
    for lesson in library.shipped():
        assert all(scenario.explanations for scenario in lesson.scenarios), lesson.name


def test_the_german_tour_ships():
    assert load(library.find("tour", "de").path).title == "Wer kann deine Nachrichten lesen?"
