"""How a lesson stands among other files: what it builds on, what it translates, what it does not explain."""

from __future__ import annotations

import pytest

from lab.resources import folder
from lab.scenario import LessonErrors, library
from lab.scenario.checking import check


@pytest.fixture
def put(tmp_path):
    def put(name: str, text: str):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return put


def problems(path) -> list[str]:
    with pytest.raises(LessonErrors) as caught:
        check(path)
    return [f"{problem.line}: {problem.message}" for problem in caught.value.problems]


def test_all_that_ships_is_in_order():
    assert [check(path) for path in library.files()] == [()] * len(library.files())


def test_a_lesson_that_comes_before_is_in_the_same_folder(put, change):
    builds_on = put("second.feature.md", change("misconceptions", 'before = ["fist"]\nmisconceptions'))
    assert problems(builds_on) == ['5: no lesson "fist" is in the same folder; there is no other one']

    put("first.feature.md", change("misconceptions", "misconceptions"))
    assert problems(builds_on) == ['5: no lesson "fist" is in the same folder; did you mean "first"?']

    put("fist.feature.md", change("misconceptions", "misconceptions"))
    assert check(builds_on) == ()


def test_no_lesson_comes_before_itself(put, change):
    path = put("first.feature.md", change("misconceptions", 'before = ["first"]\nmisconceptions'))

    assert problems(path) == ['5: no lesson "first" is in the same folder; there is no other one']


def test_a_scenario_that_explains_nothing_is_remarked(put, lesson):
    path = put("short.feature.md", lesson[: lesson.index("### If")])
    (remark,) = check(path)

    assert str(remark) == f"{path}:10: this scenario explains no wrong prediction"


def test_a_translation_is_compared_with_what_stands_beside_it(put):
    shipped = folder("scenarios")
    english = (shipped / "tour.feature.md").read_text("utf-8")
    german = (shipped / "tour.de.feature.md").read_text("utf-8").replace("demo = 5", "demo = 6")
    path = put("tour.de.feature.md", german)
    assert check(path) == ()  # alone, it is a lesson like any other

    original = put("tour.feature.md", english)
    assert problems(path) == ["1: minutes in the toml block is not the same as in tour.feature.md"]

    original.write_text(english.replace("tls", "tsl"), encoding="utf-8")
    assert problems(path) == ["1: it is not compared with tour.feature.md, which has problems of its own"]
