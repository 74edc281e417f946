"""Whatever stands in a file: it is a lesson, or there are problems with a line each."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lab.scenario import LessonError, LessonErrors, parse

TOUR = (Path(__file__).parents[2] / "scenarios" / "tour.feature.md").read_text(encoding="utf-8")
LINES = TOUR.split("\n")
PIECES = ("|", "  |", "-", "* ", "# ", "## ", "`@a`", "```", '"', "{", "\t", "\r", "\x0b", "\ufeff", "Given ", "Rule:")

some = settings(deadline=None, max_examples=50)  # a busy machine is no failure
positions = st.integers(0, len(LINES) - 1)


def problems_of(text: str) -> tuple[LessonError, ...]:
    """The problems of a text; none if it is a lesson. Any other exception is what these tests look for."""
    try:
        parse(text, Path("tour.feature.md"))
    except LessonErrors as error:
        return error.problems
    return ()


def read(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    assert all(1 <= problem.line <= lines for problem in problems_of(text))


@some
@given(st.sets(positions, max_size=5))
def test_lines_go_missing(lost):
    read("\n".join(line for number, line in enumerate(LINES) if number not in lost))


@some
@given(positions, positions)
def test_lines_change_places(first, second):
    lines = list(LINES)
    lines[first], lines[second] = lines[second], lines[first]
    read("\n".join(lines))


@some
@given(st.lists(st.tuples(st.integers(0, len(TOUR)), st.integers(0, 3), st.text(max_size=3) | st.sampled_from(PIECES))))
def test_characters_change(edits):
    text = TOUR
    for position, length, new in edits:
        text = text[:position] + new + text[position + length :]
    read(text)


@some
@given(positions, st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_lines_are_put_in(position, line):
    read("\n".join([*LINES[:position], line, *LINES[position:]]))


@some
@given(st.integers(0, len(TOUR)))
def test_the_file_breaks_off(end):
    read(TOUR[:end])


@some
@given(st.text() | st.lists(st.sampled_from((*LINES, *PIECES, "\n")), max_size=40).map("\n".join))
@example("# Feature: a\n## Scenario: b\n* Given c\n  |")
@example("# Feature: a\n## Scenario: b\n* Then the observers can read\n  ||")
def test_any_text(text):
    read(text)
    read(f"# Feature: A\n{text}")


@some
@given(st.sets(st.integers(0, TOUR.count("\n* ") - 1), min_size=1))
def test_no_step_is_lost_without_a_word(misspelt):
    head, *steps = TOUR.split("\n* ")
    text = head + "".join(f"\n* {'x' if number in misspelt else ''}{step}" for number, step in enumerate(steps))
    reported = {problem.line for problem in problems_of(text)}
    lines = text.split("\n")
    assert {number for number, line in enumerate(lines, start=1) if line.startswith("* x")} <= reported
