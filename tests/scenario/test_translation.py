"""A lesson in two languages: its words may differ and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.resources import folder
from lab.scenario import LessonErrors, load, parse
from lab.scenario.translation import compare

TOUR = folder("scenarios") / "tour.feature.md"
GERMAN_TOUR = TOUR.with_name("tour.de.feature.md")

TRANSLATIONS = sorted(path for path in TOUR.parent.glob("*.feature.md") if path.name.count(".") > 2)


def differences(text: str) -> list[str]:
    """What is said about this German version of the tour."""
    with pytest.raises(LessonErrors) as caught:
        compare(load(TOUR), parse(text, Path("tour.de.feature.md")))
    return [f"{problem.line}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.name)
def test_a_translation_is_the_same_lesson(path):
    original = path.with_name(path.name.partition(".")[0] + ".feature.md")

    compare(load(original), load(path))


def test_there_is_one():
    assert GERMAN_TOUR in TRANSLATIONS


def changed(old: str, new: str, count: int = 1) -> str:
    """The German tour with the first `old` replaced, which has to be there."""
    text = GERMAN_TOUR.read_text("utf-8")
    assert old in text
    return text.replace(old, new, count)


def line_of(start: str) -> int:
    lines = GERMAN_TOUR.read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if line.startswith(start))


def test_texts_and_names_of_files_may_differ():
    text = changed('"Wir treffen uns um fünf"', '"Bis später"').replace('"plan.txt"', '"Reise.txt"')

    compare(load(TOUR), parse(text, Path("tour.de.feature.md")))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("demo = 5", "demo = 6", "1: minutes in the toml block is not the same as in tour.feature.md"),
        ('["pupils", ', "[", "1: audience in the toml block"),
        ("minutes = ", "course = 1\nminutes = ", "1: course in the toml block"),
        ("minutes = ", 'before = ["stand-in"]\nminutes = ', "1: before in the toml block"),
        ('["https-hides-from-the-service"]', '["https-is-no-use"]', "1: misconceptions in the toml block"),
        ("hints = [", 'hints = [\n  "Noch einer.",', "1: there are 4 hints here and 3 in tour.feature.md"),
    ],
)
def test_other_data_are_told(old, new, problem):
    (found,) = differences(changed(old, new))

    assert found.startswith(problem)


def test_another_step_is_told_with_both_places():
    line = line_of("* Wenn alice an bob")
    (found,) = differences(changed("* Wenn alice an bob", "* Wenn bob an alice"))

    assert found.startswith(f"{line}: this step is another one than in tour.feature.md:")
    assert found.endswith('alice sends bob "Meet me at 5pm"')


def test_another_mode_is_another_step():
    text = changed("im Modus e2ee", "im Modus e2ee mit x3dh")

    assert "a message service in e2ee mode" in differences(text)[0]


def test_a_missing_step_is_told():
    step = '* Und alice an bob die Datei "plan.txt" mit dem Inhalt "Nimm den Zug von Gleis 3" schickt\n'
    text = changed(step, '* Und bob an alice "Gut" schickt\n', 3).replace("body, attachment", "body")
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("  | attachment"))

    assert all("this step is another one" in found for found in differences(text))


def test_a_step_too_many_is_told():
    step = "* Dann können die Beobachter lesen"
    (found,) = differences(changed(step, f'* Und bob an alice "Gut" schickt\n{step}'))

    assert "this step is another one than in tour.feature.md" in found


def test_another_claim_is_told_by_cell():
    row = "  | password   | exposed  | exposed  | hidden   |"
    text = changed(row, row.replace("exposed ", "hidden  ", 1))
    text = text.replace("password bei network hidden", "password bei network exposed")

    assert any("password at network is hidden here and exposed in tour.feature.md:" in one for one in differences(text))


def test_a_missing_explanation_and_one_too_many_are_told():
    text = changed("vorhergesagt hast: service bei database", "vorhergesagt hast: service bei server")
    found = differences(text)

    assert len(found) == 2
    assert any(one.endswith("is missing: service database hidden") for one in found)
    assert any(one.endswith("tour.feature.md has no such explanation") for one in found)


def test_a_missing_scenario_is_told():
    text = GERMAN_TOUR.read_text("utf-8")
    (found,) = differences(text[: text.index("## Szenario: Nur Alice")])

    assert found == "1: there are 2 scenarios here and 3 in tour.feature.md"


def test_pytest_holds_the_original_and_compares_the_translation(tmp_path):
    german = GERMAN_TOUR.read_text("utf-8")
    for name, text in (("good", german), ("bad", german.replace("demo = 5", "demo = 6")), ("alone", german)):
        (tmp_path / name).mkdir()
        (tmp_path / name / GERMAN_TOUR.name).write_text(text, encoding="utf-8")
        if name != "alone":
            (tmp_path / name / TOUR.name).write_text(TOUR.read_text("utf-8"), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nlab_lessons = true\n")

    # What is alone has nothing that is held in its place: its scenarios would be, but for -k.
    files = [f"{name}/{GERMAN_TOUR.name}" for name in ("good", "bad", "alone")]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:anyio", "-k", "same"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "1 failed, 1 passed, 3 deselected" in done.stdout
    assert "tour.de.feature.md:1: minutes in the toml block is not the same as in tour.feature.md" in done.stdout
    assert "Traceback" not in done.stdout
