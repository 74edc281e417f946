"""The course of a lesson: what each key does, and that no row of keys leads astray."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guide.lessons import (
    BODY_AT_NETWORK,
    BODY_AT_SERVER,
    CAPTURE,
    PASSED,
    SERVICE_AT_NETWORK,
    after,
    at_prediction,
    at_result,
    fixed,
    judged,
    measured,
    reached,
)
from lab.guide.state import (
    Choose,
    Event,
    Judged,
    Key,
    Page,
    Predict,
    Reached,
    State,
    Wanted,
    Write,
    advance,
    begin,
    grades,
    wanted,
    wrong,
)
from lab.guide.view import view
from lab.model import Exposure, LabError, Observer, SecretName
from lab.scenario.predictions import PREDICTABLE, Grade, explanation, place_named

E, INFERRED, H = PREDICTABLE


def test_a_lesson_from_its_beginning_to_its_end() -> None:
    state = at_result(Choose(BODY_AT_SERVER), Predict(H), Choose(SERVICE_AT_NETWORK), Predict(E))
    assert state.at == BODY_AT_SERVER, "the first wrong prediction is looked at first"
    seen = [state.page]
    for event in (Key.NEXT, Key.NEXT, Write("It ends there."), Key.NEXT, Predict(E), Key.NEXT, Key.NEXT):
        state = advance(state, event)
        seen.append(state.page)
    assert seen[1:3] == [Page.WRONG, Page.EXPLAIN]
    assert seen[3:] == [Page.STEPS, *[Page.PREDICT] * 2, Page.LOCK, Page.RUN], "no page where the author says nothing"
    assert state.tries[0].because == "It ends there."
    for done in (0, 1, 2):
        state = after(state, reached(state, done), Key.NEXT)
    state = after(state, judged(state))
    assert (state.page, state.current.scenario) == (Page.RESULT, 1)
    state = after(state, Key.NEXT, Key.NEXT)
    assert state.finished
    assert not state.over
    assert after(state, Key.NEXT).over


def test_nothing_is_played_before_the_lock_and_no_further_than_the_learner_has_gone() -> None:
    state = after(at_prediction(), Key.NEXT)
    assert wanted(state) is None
    state = after(state, Key.NEXT)
    assert wanted(state) == Wanted(0, 0, 0)
    assert wanted(after(state, Key.NEXT)) == Wanted(0, 0, 0), "the play has not come to its first stop"
    state = after(state, reached(state, 0))
    assert wanted(state) == Wanted(0, 0, 0)
    assert wanted(after(state, Key.NEXT)) == Wanted(0, 0, 1)
    assert wanted(after(state, Key.NEXT, Key.NEXT)) == Wanted(0, 0, 1), "nor twice for one stop"
    assert wanted(after(state, Key.SKIP)) == Wanted(0, 0, 2), "without stops: to the end"
    assert wanted(after(state, Key.QUIT)) is None


def test_a_locked_prediction_stays() -> None:
    state = after(at_prediction(), Predict(H), Key.NEXT, Key.NEXT, Key.BACK)
    assert state.page is Page.PREDICT
    changed = after(state, Choose(BODY_AT_NETWORK), Predict(E))
    assert changed.current.predictions == {BODY_AT_NETWORK: H}
    open_ = after(at_prediction(), Predict(H), Choose(BODY_AT_NETWORK), Predict(E))
    assert open_.current.predictions == {BODY_AT_NETWORK: E}


def test_the_next_open_cell_is_asked_and_the_last_one_leads_to_the_lock() -> None:
    state = after(at_prediction(), Key.SKIP, Predict(H))
    assert state.at == (SecretName.BODY, Observer.DATABASE)
    state = after(state, *[Predict(E)] * 4)
    assert state.at == BODY_AT_NETWORK, "the one that was skipped"
    assert after(state, Predict(H)).page is Page.LOCK


def test_arrows_move_over_what_is_asked_alone() -> None:
    state = at_prediction(chosen=(BODY_AT_NETWORK, (SecretName.BODY, Observer.DATABASE), SERVICE_AT_NETWORK))
    assert after(state, Key.RIGHT).at == (SecretName.BODY, Observer.DATABASE)
    assert after(state, Key.DOWN).at == SERVICE_AT_NETWORK
    assert after(state, Key.DOWN, Key.RIGHT).at == SERVICE_AT_NETWORK
    assert after(state, Key.LEFT).at == BODY_AT_NETWORK


def test_cells_that_no_part_has_are_refused() -> None:
    with pytest.raises(LabError, match="size@network: no part of the lesson short has this cell"):
        fixed(((SecretName.SIZE, Observer.NETWORK),))
    assert fixed((SERVICE_AT_NETWORK,)).cells == ((SERVICE_AT_NETWORK,), ())
    assert place_named(" body@server ") == BODY_AT_SERVER
    with pytest.raises(LabError, match="'body' is no cell; write SECRET@OBSERVER"):
        place_named("body")


def test_a_prediction_counts_only_where_lesson_and_measurement_agree() -> None:
    said = Choose(BODY_AT_SERVER), Predict(H)
    assert grades(at_result(*said).current) == {BODY_AT_SERVER: Grade.WRONG}
    assert grades(at_result(Choose(BODY_AT_SERVER), Predict(E)).current) == {BODY_AT_SERVER: Grade.RIGHT}
    unclear = at_result(*said, body_server=Exposure.INCONCLUSIVE)
    assert grades(unclear.current) == {BODY_AT_SERVER: Grade.UNDECIDED}
    assert "nothing could be decided: a reason" in view(after(unclear, Choose(BODY_AT_SERVER))).ask
    disputed = at_result(*said, body_server=H)
    assert grades(disputed.current) == {BODY_AT_SERVER: Grade.DISPUTED}
    assert "the lesson says exposed and hidden was measured" in view(after(disputed, Choose(BODY_AT_SERVER))).ask
    assert wrong(unclear.current) == wrong(disputed.current) == ()


def test_the_explanation_is_that_of_the_very_prediction() -> None:
    scenario = fixed().lesson.scenarios[0]
    found = explanation(scenario, BODY_AT_SERVER, H)
    assert found is not None
    assert "the company reads along" in found.text
    assert explanation(scenario, BODY_AT_SERVER, INFERRED) is None
    assert explanation(scenario, BODY_AT_NETWORK, H) is None


def test_a_try_that_was_left_hears_nothing_more() -> None:
    state = after(at_prediction(), Key.NEXT, Key.NEXT)
    late = reached(state, 0), judged(state)
    again = after(state, Key.REPEAT)
    assert (again.page, again.now, wanted(again)) == (Page.SCENE, 1, None)
    assert after(again, *late) == again
    assert after(again, Key.BACK).page is Page.RUN
    assert "left before its end" in view(after(again, Key.BACK)).ask
    assert after(again, Key.BACK, Key.NEXT) == again


def test_evidence_opens_layer_by_layer_and_closes() -> None:
    state = after(at_result(), Choose(BODY_AT_NETWORK), Key.LOOK)
    assert state.zoom is not None
    assert [layer.title for layer in state.zoom.layers] == ["Bytes on the wire", "TLS record"]
    assert state.current.looked == (BODY_AT_NETWORK,)
    inner = after(state, Key.NEXT)
    assert "whoever ends TLS" in view(inner).ask
    assert after(inner, Key.BACK) == state
    assert after(inner, Key.NEXT).zoom is None
    assert after(state, Key.BACK).page is Page.RESULT


def test_hints_come_one_by_one() -> None:
    state = at_prediction(hints=("gentle", "telling"))
    assert "gentle" not in repr(view(state).blocks)
    state = after(state, Key.HINT)
    assert "gentle" in repr(view(state).blocks)
    assert "telling" not in repr(view(state).blocks)
    assert after(state, *[Key.HINT] * 5).hints == 2


places = st.sampled_from([BODY_AT_NETWORK, BODY_AT_SERVER, SERVICE_AT_NETWORK, (SecretName.TIME, Observer.DEVICE)])
pressed = st.one_of(
    st.sampled_from([key for key in Key if key is not Key.QUIT]),
    st.builds(Choose, places),
    st.builds(Predict, st.sampled_from(list(Exposure))),
    st.builds(Write, st.text(max_size=8)),
)


def _stage(state: State) -> Event:
    """What the stage would tell next, if it were asked to go as far as it may."""
    play = wanted(state)
    if play is None:
        return Judged(7, measured(state.scenario), CAPTURE)
    one = state.tries[play.number]
    if one.done > len(state.plan.steps[play.scenario]) - 1 and one.released > one.done:
        return Judged(play.number, measured(state.plan.lesson.scenarios[play.scenario]), CAPTURE)
    if one.done < one.released:
        return Reached(play.number, one.done + 1, PASSED)
    return Reached(play.number - 1, 0, PASSED)


@given(st.lists(st.one_of(pressed, st.none()), max_size=60), st.sampled_from([(), (SERVICE_AT_NETWORK,)]))
def test_whatever_is_pressed_there_is_a_page_and_a_way_on(events: list[Event | None], chosen: tuple[()]) -> None:
    """None stands for the stage, which tells what comes next."""
    state = begin(fixed(chosen, ("hint",)))
    for event in events:
        before, state = state, advance(state, event or _stage(state))
        shown = view(state)
        assert shown.title
        assert shown.keys
        for one, other in zip(before.tries, state.tries, strict=False):
            assert not one.locked or other.predictions == one.predictions
            assert one.released <= other.released
            assert other.matrix is one.matrix or one.matrix is None
        play = wanted(state)
        assert play is None or (state.tries[play.number].locked and play.number == len(state.tries) - 1)
    for _ in range(60):
        state = advance(state, _stage(state))
        state = advance(state, Key.NEXT)
    assert state.over
    assert wanted(state) is None


@given(st.lists(pressed, max_size=30))
def test_at_any_point_quitting_ends_it(events: list[Event]) -> None:
    state = after(begin(fixed()), *events, Key.QUIT)
    assert state.over
    assert wanted(state) is None
    assert after(state, *events) == state
