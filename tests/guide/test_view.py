"""What pages show, on which screens, in which language, and what they do not show too early."""

from __future__ import annotations

import io
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from guide.lessons import (
    BODY_AT_NETWORK,
    BODY_AT_SERVER,
    PASSED,
    TEXT,
    after,
    at_prediction,
    at_result,
    fixed,
    lesson,
    reached,
)
from lab.guide import plain, screen
from lab.guide.answers import as_markdown, transcript
from lab.guide.lesson_path import Traffic, at_rest, people, stops, texts, traffic
from lab.guide.plain import amounts
from lab.guide.state import Choose, Event, Key, Page, Predict, State, Write, begin
from lab.guide.view import Box, Grid, Listed, Mood, Picture, View, view
from lab.guide.words import ENGLISH, GERMAN, words_for
from lab.model import Direction, Exposure, LabError, Observation, Observer, SecretName
from lab.scenario.lesson import Habit
from lab.scenario.misconceptions import MISCONCEPTIONS

_SWAPPED = TEXT.replace("exposed", "EXPOSED").replace("hidden", "exposed").replace("EXPOSED", "hidden")
OTHERWISE = _SWAPPED.replace("TLS ends at the service, so", "Because of something else,")
"""Another lesson to whoever has the answers, and the same to everybody else."""

before_lock = st.lists(
    st.one_of(
        st.sampled_from([Key.NEXT, Key.BACK, Key.HINT, Key.LOOK, Key.UP, Key.DOWN, Key.LEFT, Key.RIGHT, Key.REPEAT]),
        st.builds(Choose, st.sampled_from([BODY_AT_NETWORK, BODY_AT_SERVER])),
        st.builds(Predict, st.sampled_from(list(Exposure))),
    ),
    max_size=25,
)


@given(before_lock)
def test_until_the_lock_the_page_does_not_know_the_answers(events: list[Event]) -> None:
    one, other = begin(fixed()), begin(fixed(of=lesson(OTHERWISE)))
    for event in events:
        if one.page is Page.LOCK and event is Key.NEXT:
            continue
        one, other = after(one, event), after(other, event)
        assert not one.current.locked
        assert view(one) == view(other)


def test_only_what_can_be_said_of_a_secret_can_be_predicted() -> None:
    row = "  | service | exposed  | exposed  | exposed  |\n"
    timed = TEXT.replace("body and service", "body, service and time").replace(row, row + _inferred("time"))
    state = after(begin(fixed(of=lesson(timed))), *[Key.NEXT] * 3)
    words = {BODY_AT_NETWORK: ["exposed", "hidden"], (SecretName.TIME, Observer.NETWORK): ["inferred", "hidden"]}
    for place, possible in words.items():
        state = after(state, Choose(place))
        assert [what for key, what in view(state).keys if key.isdigit()] == possible
        for exposure in Exposure:
            assert (after(state, Predict(exposure)) != state) is (exposure in possible)


def _inferred(secret: str) -> str:
    return f"  | {secret:<7} | inferred | inferred | inferred |\n"


def test_after_it_the_explanation_is_shown() -> None:
    state = after(at_result(Choose(BODY_AT_SERVER), Predict(Exposure.HIDDEN)), Key.NEXT)
    assert "the company reads along" in text_of(view(state))
    assert "You said: hidden" in text_of(view(state))


def text_of(shown: View, language: str = "en") -> str:
    words = words_for(language)
    return plain.page(shown, words, 80) + plain.question(shown, words, 80)


def drawn(shown: View, width: int, height: int, scroll: int | None = None) -> tuple[screen.Frame, list[str]]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None, legacy_windows=False)
    frame = screen.frame(shown, ENGLISH, console, scroll)
    return frame, ["".join(segment.text for segment in line) for line in frame.lines]


def pages() -> list[State]:
    """One of each."""
    running = after(at_prediction(hints=("One.",)), Key.HINT, Predict(Exposure.HIDDEN), Key.NEXT, Key.NEXT)
    running = after(running, reached(running, 0))
    result = at_result(Choose(BODY_AT_SERVER), Predict(Exposure.HIDDEN))
    end = after(result, Key.SKIP, Key.SKIP)
    story = begin(fixed())
    scene = after(story, Key.NEXT)
    found = [story, scene, after(scene, Key.NEXT), at_prediction(), after(at_prediction(), Key.NEXT), running, result]
    found += [after(result, Key.NEXT), after(result, Key.NEXT, Key.NEXT), end]
    assert [state.page for state in found] == list(Page)
    return [*found, after(result, Key.LOOK)]


@pytest.mark.parametrize("state", pages(), ids=lambda state: state.page if state.zoom is None else "zoom")
@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (40, 12)])
def test_a_page_fills_the_terminal_and_no_more(state: State, width: int, height: int) -> None:
    shown = view(state)
    frame, lines = drawn(shown, width, height)
    assert len(lines) == height
    assert {Console(width=width).measure(line).maximum for line in lines} == {width} or all(
        len(line) == width for line in lines
    )
    if width >= 80:
        assert not frame.more
        assert " ".join(shown.ask.split()) in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("state", pages(), ids=lambda state: state.page if state.zoom is None else "zoom")
@pytest.mark.parametrize("width", range(40, 121, 5))
def test_each_key_stands_on_one_line_with_what_it_does(state: State, width: int) -> None:
    shown = view(state)
    _, lines = drawn(shown, width, 24)
    assert all(any(f" {key}  {what}" in line for line in lines) for key, what in shown.keys)


def test_a_long_page_is_scrolled_to_its_end() -> None:
    long = lesson(TEXT.replace("Alice writes to Bob.", "\n\n".join(f"Sentence {number}." for number in range(40))))
    shown = view(begin(fixed(of=long)))
    frame, lines = drawn(shown, 80, 24)
    assert frame.more
    assert "Sentence 39" not in "".join(lines)
    reader = screen.Reader()
    reader.turn(shown)
    presses = 0
    while frame.more:
        assert reader.press("enter", begin(fixed(of=long)), shown, frame) is None
        frame, lines = drawn(shown, 80, 24, reader.scroll)
        presses += 1
    assert "Sentence 39" in "".join(lines)
    assert presses > 1
    assert reader.press("enter", begin(fixed(of=long)), shown, frame) is Key.NEXT


def test_the_page_follows_the_cell_that_is_chosen() -> None:
    names = [name for name in SecretName if name is not SecretName.GROUP]
    state = at_prediction()
    state = replace(state, plan=replace(state.plan, cells=(tuple((name, Observer.NETWORK) for name in names),) * 2))
    _, lines = drawn(view(state), 80, 14)
    assert any("body" in line and "▸?◂" in line for line in lines)
    state = after(state, *[Key.DOWN] * len(names))
    frame, lines = drawn(view(state), 80, 14)
    assert any("time" in line and "▸?◂" in line for line in lines)
    assert frame.scroll
    assert not any("▸" in line for line in drawn(view(state), 80, 14, 0)[1]), "unless somebody scrolls"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_that_is_too_wide_is_broken_and_not_cut(width: int) -> None:
    columns = tuple(f"{number}: plaintext" for number in range(1, 10))
    said = Box(Exposure.EXPOSED, Exposure.HIDDEN, Mood.WRONG)
    grid = Grid(("body@server",), columns, {("body@server", column): said for column in columns})
    shown = View((), "", (grid,), "", ())
    frame, lines = drawn(shown, width, 60)
    together = "\n".join(lines)
    assert all(together.count(column) == 1 for column in columns)
    assert together.count("exposed") == together.count("≠ hidden") == len(columns)
    assert "…" not in together
    assert not frame.more


def test_the_path_has_everybody_on_it_and_says_what_is_encrypted() -> None:
    scenario = lesson().scenarios[0]
    assert [(stop.name, stop.encrypted) for stop in stops(scenario)] == [
        ("network", True),
        ("server", True),
        ("", False),
        ("database", False),
    ]
    assert not any(stop.encrypted for stop in stops(lesson().scenarios[1]))
    everybody = (Observer.NETWORK, Observer.INTERCEPTOR, Observer.SERVER)
    aside = replace(scenario, observers=everybody)
    assert [stop.name for stop in stops(aside)] == ["network", "server", ""], "an app has turned back from it"
    stripper = replace(aside, strips_tls=True)
    stripped = stops(replace(stripper, habits=frozenset({Habit.HTTP_FIRST})))
    assert [(stop.name, stop.encrypted) for stop in stripped[:3]] == [
        ("network", False),
        ("interceptor", False),
        ("server", True),
    ]
    remembered = stops(replace(stripper, habits=frozenset({Habit.REMEMBERED})))
    assert [stop.encrypted for stop in remembered[:3]] == [True] * 3, "an app that begins with TLS keeps it"
    assert people(scenario) == ("alice", "bob")


def test_the_picture_shows_what_this_run_has_recorded_and_nothing_before() -> None:
    state = after(at_prediction(), Key.NEXT, Key.NEXT)
    (picture,) = (block for block in view(state).blocks if isinstance(block, Picture))
    assert picture.traffic == {}
    state = after(state, reached(state, 0), Key.NEXT)
    state = after(state, reached(state, 1))
    (picture,) = (block for block in view(state).blocks if isinstance(block, Picture))
    assert list(picture.traffic.values()) == list(PASSED)
    assert picture.during == 'alice sends bob "Meet me at 5pm"'
    said = text_of(view(state))
    assert "network: 3 pieces, 700 B to the service, 90 B back; it saw: 17 03 03 00 45" in said
    assert "[network] ==> [server] --> [service] --> [database]" in said


def test_what_an_observer_recorded_is_counted_and_a_piece_of_it_shown() -> None:
    def got(place: str, data: bytes, direction: Direction = Direction.TO_SERVICE, exchange: int = 0) -> Observation:
        return Observation(Observer.SERVER, place, "1", direction, 0.0, data, exchange)

    sealed = traffic(
        Observer.NETWORK, [got("tcp.stream", b"\x16" + bytes(500)), got("tcp.stream", b"\x17\3\3\0\1\xff")]
    )
    assert (sealed.pieces, sealed.up, sealed.shown) == (2, 507, "17 03 03 00 01 ff")
    assert amounts(sealed, ENGLISH).startswith("2 pieces")
    clear = b"POST /v1/x HTTP/1.1\r\nHost: a\r\n\r\n" + b'{"text":"Meet me"}'
    assert traffic(Observer.NETWORK, [got("tcp.stream", clear)]).shown == 'POST /v1/x  {"text":"Meet me"}'
    read = traffic(
        Observer.SERVER,
        [
            got("http.request_line", b"GET /v1/events HTTP/1.1", exchange=1),
            got("http.request_line", b"POST /v1/6f0d4c36-0000-4000-8000-000000000001/x HTTP/1.1", exchange=2),
            got("http.body", b'{"a":1}', exchange=2),
            got("http.body", b"12345", Direction.TO_CLIENT, 2),
        ],
    )
    assert (read.pieces, read.down, read.shown) == (2, 5, 'POST /v1/../x  {"a":1}')
    assert amounts(read, ENGLISH).startswith("2 requests")
    passed_on = traffic(Observer.INTERCEPTOR, [got("tcp.stream", b"\x17\3\3\0\1\xff")])
    assert amounts(passed_on, ENGLISH).startswith("1 piece,"), "what it cannot read, it cannot count as requests"
    assert traffic(Observer.SERVER, []).shown == ""
    assert at_rest(9, texts(b"\0short\0Meet me at 5pm\0\xff")).shown == "Meet me at 5pm"
    assert at_rest(9, texts("\0Der Schlüssel liegt da\0".encode())).shown == "Der Schlüssel liegt da"


def test_what_an_observer_recorded_stands_beside_its_name() -> None:
    state = after(at_prediction(), Key.NEXT, Key.NEXT)
    silent = tuple(Traffic(one, 0, 0) for one in (Observer.NETWORK, Observer.SERVER))
    state = after(state, replace(reached(state, 0), passed=silent))
    _, lines = drawn(view(state), 80, 30)
    assert any(line.startswith(" network  nothing") for line in lines)


def test_a_long_story_does_not_push_the_picture_away() -> None:
    sends = "".join(f'* And alice sends bob "Text {number}"\n' for number in range(9))
    long = lesson(TEXT.replace('"Meet me at 5pm"\n* Then', f'"Meet me at 5pm"\n{sends}* Then', 1))
    state = after(begin(fixed(of=long)), *[Key.NEXT] * 5)
    for done in range(6):
        state = after(state, reached(state, done), Key.NEXT)
    (steps,) = (block for block in view(state).blocks if isinstance(block, Listed))
    assert len(steps.lines) == 3
    assert steps.here is not None
    assert "Text 4" in steps.lines[steps.here]


def test_both_languages_say_the_same_things() -> None:
    for field in fields(ENGLISH):
        english, german = getattr(ENGLISH, field.name), getattr(GERMAN, field.name)
        if isinstance(english, str):
            assert set(_braces(english)) == set(_braces(german)), field.name
        else:
            assert english.keys() == german.keys(), field.name


def _braces(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("{")[1:]]


def test_a_german_lesson_is_guided_in_german() -> None:
    assert words_for("de") is GERMAN
    with pytest.raises(LabError, match="the guide speaks en and de, not 'fr'"):
        words_for("fr")


def test_a_german_reader_gets_the_reasons_in_german() -> None:
    cell = Choose(BODY_AT_SERVER)
    for exposure in (Exposure.EXPOSED, Exposure.HIDDEN, Exposure.INCONCLUSIVE):
        state = in_german(at_result(cell, Predict(Exposure.HIDDEN), body_server=exposure))
        shown = " ".join(text_of(view(after(state, cell)), "de").split())
        assert f"Gemessen: {exposure} " in shown
        assert "icht gefunden, und alle 5 Kontrollen sind bestanden" in shown
        assert "not found" not in shown
    assert "- body@server: hidden → inconclusive (zählt nicht, denn es war nicht zu entscheiden: nicht gefunden" in (
        as_markdown(transcript(state, "2026-11-22"), "a")
    )


def in_german(state: State) -> State:
    """The same state of the same lesson in German, with a reason that the lab gives."""
    one, reason = state.current, "not found, and all 5 controls passed"
    assert one.matrix is not None
    matrix = replace(one.matrix, cells=tuple(replace(cell, reason=reason) for cell in one.matrix.cells))
    german = replace(state.plan, lesson=replace(state.plan.lesson, language="de"))
    return replace(state, plan=german, tries=(replace(one, matrix=matrix),))


def test_in_the_end_stands_what_many_people_believe() -> None:
    slug = "https-hides-from-the-service"
    believed = lesson(TEXT.replace("minutes =", f'misconceptions = ["{slug}"]\nminutes ='))
    state = after(begin(fixed(of=believed)), Key.SKIP)
    assert MISCONCEPTIONS[slug].en.truth not in text_of(view(state))
    state = after(state, Key.SKIP, Key.SKIP)
    assert state.page is Page.END
    assert MISCONCEPTIONS[slug].en.truth in " ".join(text_of(view(state)).split())


def test_what_is_typed_line_by_line() -> None:
    state = at_prediction()
    assert plain.understood("3\n", state) == (Predict(Exposure.HIDDEN),)
    assert plain.understood("exposed", state) == (Predict(Exposure.EXPOSED),)
    assert plain.understood("body@server hidden", state) == (Choose(BODY_AT_SERVER), Predict(Exposure.HIDDEN))
    assert plain.understood("", state) == (Key.NEXT,)
    assert plain.understood("e body@server", state) == (Choose(BODY_AT_SERVER), Key.LOOK)
    assert plain.understood("what?", state) == plain.understood("body@server maybe", state) == ()
    explaining = after(at_result(), Key.NEXT)
    assert plain.understood("TLS ends there.", explaining) == (Write("TLS ends there."),)
    assert plain.understood("b", explaining) == (Key.BACK,)
