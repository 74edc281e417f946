"""Answers in files: transcripts, lines by hand, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guide.lessons import BODY_AT_NETWORK, BODY_AT_SERVER, after, at_result, fixed, judged, reached
from lab.guide.answers import Answer, Answers, as_markdown, as_typed, check, read_answers, reply, transcript
from lab.guide.state import Choose, Key, Page, Predict, State, Write, advance, begin, wanted
from lab.model import Exposure, LabError

BY_HAND = """\
# what a class said
part 1
body@server hidden
body@network  hidden
evidence body@server
because TLS ends there.
"""

EXPECTED = {
    0: Answer({BODY_AT_SERVER: Exposure.HIDDEN, BODY_AT_NETWORK: Exposure.HIDDEN}, [BODY_AT_SERVER], "TLS ends there.")
}


def played(answers: Answers) -> tuple[State, list[str]]:
    """To the end, with a stage that does as the lesson claims; and what was typed."""
    state, typed = begin(fixed()), list[str]()
    while not state.over:
        events = reply(state, answers)
        typed += map(as_typed, events)
        for event in events:
            state = advance(state, event)
        play = wanted(state)
        if play is not None and not events:
            one = state.tries[play.number]
            last = one.done == len(state.plan.steps[play.scenario])
            state = advance(state, judged(state) if last else reached(state, one.done + 1))
    return state, typed


def test_lines_by_hand() -> None:
    assert read_answers(BY_HAND, "a") == EXPECTED


def test_a_file_is_played_to_its_end_and_its_transcript_is_the_same_answers() -> None:
    state, typed = played(EXPECTED)
    assert not state.finished, "the second part has no answer"
    assert "body@server" in typed
    assert state.tries[0].matrix is not None
    assert state.tries[0].looked == (BODY_AT_SERVER,)
    text = transcript(state, "2026-11-22T16:00:00+00:00")
    assert read_answers(text, "a") == EXPECTED
    again, _ = played(read_answers(text, "a"))
    assert again.tries == state.tries


def test_parts_without_an_answer_are_left_out() -> None:
    state, _ = played({1: Answer({BODY_AT_NETWORK: Exposure.EXPOSED})})
    assert state.finished
    assert [one.scenario for one in state.tries if one.locked] == [1]


def test_a_transcript_can_be_read_by_people() -> None:
    state = after(at_result(Choose(BODY_AT_SERVER), Predict(Exposure.HIDDEN)), Key.LOOK, Key.BACK, Key.NEXT, Key.NEXT)
    assert state.page is Page.EXPLAIN
    text = transcript(after(state, Write("  So it   is. ")), "2026-11-22")
    shown = as_markdown(text, "a")
    assert "# A short lesson" in shown
    assert "- body@server: hidden → exposed (not right)" in shown
    assert "- evidence: body@server" in shown
    assert "> So it is." in shown


def test_a_transcript_says_why_something_was_not_counted() -> None:
    for exposure, why in (
        (Exposure.INCONCLUSIVE, "not counted, because nothing could be decided: a reason"),
        (Exposure.HIDDEN, "not counted, because the lesson says something else: a reason"),
    ):
        state = at_result(Choose(BODY_AT_SERVER), Predict(Exposure.HIDDEN), body_server=exposure)
        assert f"- body@server: hidden → {exposure} ({why})" in as_markdown(transcript(state, "2026-11-22"), "a")


def test_one_that_was_not_judged_says_so() -> None:
    state = after(begin(fixed()), *[Key.NEXT] * 3, Predict(Exposure.HIDDEN), Key.NEXT, Key.NEXT, Key.QUIT)
    shown = as_markdown(transcript(state, "2026-11-22"), "a")
    assert "- body@network: hidden (This try was left before its end." in shown


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("body@server hidden", "f:1: 'body@server hidden' is no answer; begin with a line “part 1”"),
        ("part 1\nbody@server secure", "f:2: 'secure' cannot be predicted; it is one of exposed, inferred, hidden"),
        ("part 1\nbodi@server hidden", "f:2: 'bodi@server' is no cell"),
        ("part 0", "f:1: 'part 0' is no answer"),
        ("{}", "f: not a transcript; give a file that lab guide --transcript wrote"),
        ('{"is": "lab guide transcript", "format": 2, "tries": []}', "f: transcript format 2 is not known to this lab"),
        ('{"is": "lab guide transcript", "format": 1, "tries": [{}]}', "f: this transcript was damaged"),
    ],
)
def test_what_is_no_file_of_answers_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(LabError) as refused:
        read_answers(text, "f")
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "f: there is no answer in it"),
        ("part 3", "f: the lesson short has no part 3, only 2"),
        ("part 2\nservice@network exposed", "f: part 2 of the lesson short has no cell service@network"),
        ("part 1\nbody@server inferred", "f: body@server cannot be predicted inferred: body is exposed or hidden"),
    ],
)
def test_answers_for_another_lesson_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(LabError) as refused:
        check(read_answers(text, "f"), fixed(), "f")
    assert str(refused.value).startswith(sentence)
    check(read_answers(BY_HAND, "f"), fixed(), "f")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("part", "predictions", "looked", "because", "measured", "grades", "title"), json_values)
)


@settings(max_examples=50)
@given(st.one_of(st.text(), st.lists(fields, max_size=3)))
def test_anything_else_is_read_or_refused(content: str | list[object]) -> None:
    text = content
    if not isinstance(text, str):
        text = json.dumps({"is": "lab guide transcript", "format": 1, "language": "en", "tries": content})
    for use in (read_answers, as_markdown):
        with suppress(LabError):
            use(text, "f")
