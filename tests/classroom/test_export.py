"""What a teacher keeps of a class."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guide.lessons import lesson
from hypothesis import given
from hypothesis import strategies as st

from classroom.people import Party, party, state_file
from lab.classroom.classroom import Kind, RefusedError
from lab.classroom.export import Class, cell, export
from lab.classroom.store import Store
from lab.export.gift import to_gift


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Party]:
    """Two learners have answered one question, one of them twice, and a second question is open."""
    with Store(state_file(tmp_path)) as store:
        made = party(store)
        kim, lee = made.join("Kim"), made.join("=Lee")
        question = made.pick(cells=["body@server", "body@network"])
        made.do("open")
        made.answer(kim, body_server="hidden", body_network="hidden", reason="=1+1")
        made.answer(lee, body_server="hidden")
        made.do("close", "open")
        made.answer(kim, 2, body_server="exposed")
        made.do("close", "run")
        made.measure(question)
        made.do("reveal")
        made.pick(1)
        yield made


def rows(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def test_a_row_for_each_learner_and_question(here: Party) -> None:
    first, second, *later = rows(here.room.export("answers.csv"))
    assert first == {
        "question": "1",
        "lesson": "short",
        "scenario": "The way is encrypted",
        "learner": "1",
        "nickname": "Kim",
        "answered": "2",
        "of": "2",
        "right": "2",
        "predictions_1": "body@server=hidden body@network=hidden",
        "reason_1": "'=1+1",
        "predictions_2": "body@server=exposed",
        "reason_2": "",
    }
    assert (second["nickname"], second["right"]) == ("'=Lee", "0")
    assert [(one["question"], one["answered"], one["right"]) for one in later] == [("2", "0", ""), ("2", "0", "")]


def test_a_row_for_each_cell_and_round(here: Party) -> None:
    of_first = [one for one in rows(here.room.export("cells.csv")) if one["question"] == "1"]
    found = {(one["secret"], one["observer"], one["round"]): one for one in of_first}
    server = found["body", "server", "1"]
    assert (server["claimed"], server["measured"], server["wrong"]) == ("exposed", "exposed", "1.0")
    assert found["body", "server", "2"]["wrong"] == "0.5"
    assert found["body", "network", "1"]["hidden"] == "1"


def test_everything_as_json(here: Party) -> None:
    kept = json.loads(here.room.export("class.json"))
    assert kept["learners"] == [{"id": 1, "nickname": "Kim"}, {"id": 2, "nickname": "=Lee"}]
    question = kept["questions"][0]
    assert (question["claimed"]["body@server"], question["measured"]["body@server"]) == ("exposed", "exposed")
    assert question["answers"][0]["rounds"]["2"] == {"predictions": {"body@server": "exposed"}, "reason": ""}


def test_nothing_that_lets_anybody_in_is_exported(here: Party) -> None:
    token, _ = here.room.join(here.room.code, "Max")
    for name in ("answers.csv", "cells.csv", "class.json", "questions.gift"):
        text = here.room.export(name)
        assert not any(one in text for one in (here.room.key, here.room.code, token))


def test_the_questions_as_gift(here: Party) -> None:
    assert here.room.export("questions.gift") == to_gift(lesson())


@pytest.mark.parametrize("name", ["answers", "../answers.csv", "", "state.sqlite"])
def test_there_is_no_other_file(here: Party, name: str) -> None:
    with pytest.raises(RefusedError) as refused:
        here.room.export(name)
    assert refused.value.kind is Kind.UNKNOWN


def test_an_empty_class_has_only_heads() -> None:
    empty = Class("en", {}, (), (), {})
    assert rows(export("answers.csv", empty) or "") == []
    assert rows(export("cells.csv", empty) or "") == []


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "|cmd", "%1", "＝1"])
def test_text_that_would_be_calculated_is_not(value: str) -> None:
    assert cell(value) == f"'{value}"


@pytest.mark.parametrize(
    ("value", "text"), [("Kim", "Kim"), ("", ""), (None, ""), (3, "3"), (-1, "-1"), (0.5, "0.5"), ("a=b", "a=b")]
)
def test_anything_else_stays_as_it_is(value: Any, text: str) -> None:
    assert cell(value) == text


@given(st.text())
def test_no_cell_of_text_begins_a_formula(value: str) -> None:
    assert not cell(value).strip().startswith(("=", "+", "-", "@"))
    assert cell(value)[:1] not in ("\t", "\r")
