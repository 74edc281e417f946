"""Keys as terminals send them."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from guide.lessons import BODY_AT_SERVER, after, at_prediction, at_result
from lab.guide import screen
from lab.guide.screen import keys
from lab.guide.state import Choose, Event, Key, Predict, State, Write
from lab.guide.view import view
from lab.guide.words import ENGLISH
from lab.model import Exposure


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("1b\r", ["1", "b", "enter"]),
        ("\x1b[A\x1b[B\x1bOC\x1b[D", ["up", "down", "right", "left"]),
        ("\x1b", ["escape"]),
        ("\x1b[5~\x1b[6~ \x7f\x04", ["page-up", "page-down", "space", "backspace", "ctrl-d"]),
        ("äß", ["ä", "ß"]),
        ("\x1b[1;5A\x1b[200~\x00\x07", []),
    ],
)
def test_keys_have_names(sent: str, expected: list[str]) -> None:
    assert keys(sent) == expected


@given(st.text())
def test_whatever_a_terminal_sends_is_keys_or_nothing(sent: str) -> None:
    assert all(key and key.isprintable() for key in keys(sent))


def press(state: State, *pressed: str) -> list[Event]:
    """What these keys mean on one page."""
    shown, reader = view(state), screen.Reader()
    reader.turn(shown)
    console = Console(file=io.StringIO(), width=80, height=24)
    drawn = screen.frame(shown, ENGLISH, console)
    events = (reader.press(key, state, shown, drawn) for key in pressed)
    return [event for event in events if event is not None]


def test_where_a_line_is_typed_the_page_can_still_be_scrolled() -> None:
    state = after(at_result(Choose(BODY_AT_SERVER), Predict(Exposure.HIDDEN)), Key.NEXT, Key.NEXT)
    shown, reader = view(state), screen.Reader()
    reader.turn(shown)
    console = Console(file=io.StringIO(), width=60, height=12)
    for page, line in (("page-down", "page-up"), ("down", "up")):
        drawn = screen.frame(shown, ENGLISH, console, reader.scroll)
        assert drawn.more
        assert "▼ PgDn" in "".join(segment.text for one in drawn.lines for segment in one), "Space is typed"
        assert reader.press("space", state, shown, drawn) is None
        assert reader.press(page, state, shown, drawn) is None
        drawn = screen.frame(shown, ENGLISH, console, reader.scroll)
        assert drawn.scroll
        assert reader.press(line, state, shown, drawn) is None
        assert reader.scroll == 0
    assert reader.typed == "  "


def test_what_the_bar_at_the_bottom_promises() -> None:
    state = at_prediction(hints=("One.",))
    assert press(state, "1", "2", "3") == [Predict(one) for one in (*Exposure,)[:3]]
    assert press(state, "enter", "b", "r", "s", "q", "?", "ctrl-d", "escape") == [
        Key.NEXT,
        Key.BACK,
        Key.REPEAT,
        Key.SKIP,
        Key.QUIT,
        Key.HINT,
        Key.QUIT,
        Key.BACK,
    ]
    assert press(state, "up", "left", "Q", "x") == [Key.UP, Key.LEFT, Key.QUIT]
    assert press(at_result(), "e") == [Key.LOOK]


def test_a_line_is_typed_and_corrected() -> None:
    state = after(at_result(), Key.NEXT)
    typed = ["q", "space", "1", "x", "backspace", "ä", "enter"]
    assert press(state, *typed) == [Write("q 1ä")]
    assert press(state, "enter") == [Key.NEXT]
    assert press(state, "a", "escape") == [Key.BACK]
    assert press(state, "ctrl-d") == [Key.QUIT]
