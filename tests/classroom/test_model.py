"""Phases, votes and names. Hypothesis tries any sequence of what can happen to a class."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from guide.lessons import BODY_AT_NETWORK, BODY_AT_SERVER, lesson, measured
from hypothesis import given
from hypothesis import strategies as st

from lab.classroom import model
from lab.classroom.model import (
    ALONE,
    Action,
    Answer,
    Deed,
    Moment,
    NotNowError,
    Phase,
    Pick,
    Play,
    PlaySetup,
    Question,
    Running,
    Select,
    acted,
    possible,
)
from lab.model import Cell, Exposure, Mode, Observer, SecretName
from lab.scenario.predictions import Place

SETUP = PlaySetup((Mode.TLS,))


def after(*deeds: Deed, moment: Moment | None = None, alone: bool = False) -> Moment:
    moment = moment or Moment()
    for deed in deeds:
        moment = acted(moment, deed, alone=alone)
    return moment


def ran(moment: Moment) -> Moment:
    """Its run is over and measured."""
    moment = model.reached(acted(moment, Action.RUN, alone=False), 1, 0, 2, "a step")
    return model.measured(model.reached(moment, 1, 2, 2, ""), 1)


def test_a_question_goes_through_its_phases() -> None:
    moment = after(Pick(1))
    phases = [moment.phase]
    for action in (Action.OPEN, Action.CLOSE, Action.OPEN, Action.CLOSE):
        moment = acted(moment, action, alone=False)
        phases.append(moment.phase)
    moment = ran(moment)
    moment = acted(moment, Action.REVEAL, alone=False)
    assert phases == [Phase.STORY, Phase.FIRST, Phase.DISCUSS, Phase.SECOND, Phase.CLOSED]
    assert (moment.phase, moment.round) == (Phase.REVEAL, 2)
    assert acted(moment, Action.LOBBY, alone=False) == Moment()


def test_alone_there_is_one_vote() -> None:
    assert after(Pick(1), Action.OPEN, Action.CLOSE, alone=True).phase is Phase.CLOSED


def test_a_class_can_run_it_after_one_vote() -> None:
    moment = ran(after(Pick(1), Action.OPEN, Action.CLOSE))
    assert model.rounds(moment) == (1,)


def test_nothing_is_revealed_before_it_is_measured() -> None:
    moment = model.reached(after(Pick(1), Action.OPEN, Action.CLOSE, Action.RUN), 1, 0, 2, "a step")
    with pytest.raises(NotNowError):
        acted(moment, Action.REVEAL, alone=False)


def test_a_step_is_not_done_twice() -> None:
    moment = model.reached(after(Pick(1), Action.OPEN, Action.CLOSE, Action.RUN), 1, 0, 2, "a step")
    moment = acted(moment, Action.STEP, alone=False)
    assert Action.STEP not in possible(moment)
    moment = model.reached(moment, 1, 1, 2, "another step")
    assert {Action.STEP, Action.REST} <= possible(moment)
    moment = acted(moment, Action.REST, alone=False)
    assert not {Action.STEP, Action.REST} & possible(moment)


def test_a_run_that_fails_can_only_be_stopped() -> None:
    moment = model.failed(after(Pick(1), Action.OPEN, Action.CLOSE, Action.RUN), 1, "no stage")
    assert possible(moment) - {Action.PAUSE, Action.RESET, Action.REMOVE} == {Action.STOP}
    assert acted(moment, Action.STOP, alone=False).phase is Phase.CLOSED


def test_what_another_run_tells_is_dropped() -> None:
    moment = after(Pick(2), Action.OPEN, Action.CLOSE, Action.RUN)
    assert model.reached(moment, 1, 1, 2, "") is moment
    assert model.measured(moment, 1) is moment
    assert model.failed(moment, 1, "why") is moment


def test_while_paused_no_round_is_open() -> None:
    moment = after(Pick(1), Action.OPEN, Action.PAUSE)
    assert model.open_round(moment) is None
    assert model.open_round(acted(moment, Action.RESUME, alone=False)) == 1


def test_what_a_restart_leaves() -> None:
    closed = after(Pick(1), Action.OPEN, Action.CLOSE)
    running = acted(closed, Action.RUN, alone=False)
    assert model.restarted(running).phase is Phase.CLOSED
    assert model.restarted(ran(closed)) == ran(closed)
    assert model.restarted(after(Play(SETUP))) == Moment()
    assert model.restarted(after(Play(SETUP), Action.PAUSE)) == Moment(paused=True)


DEEDS: list[Deed] = [Pick(1), Pick(2), Play(SETUP), Select(None), Select(BODY_AT_SERVER), *Action]
EVENTS = st.one_of(
    st.sampled_from(DEEDS),
    st.tuples(st.just("reached"), st.integers(1, 2), st.integers(0, 3)),
    st.tuples(st.sampled_from(["measured", "failed"]), st.integers(1, 2), st.just(0)),
    st.tuples(st.sampled_from(["judged", "typed", "restarted"]), st.just(0), st.just(0)),
)


def happened(moment: Moment, event: Deed | tuple[str, int, int], *, alone: bool) -> Moment:
    match event:
        case ("reached", question, done):
            return model.reached(moment, question, done, 3, "a step" if done < 3 else "")
        case ("measured", question, _):
            return model.measured(moment, question)
        case ("failed", question, _):
            return model.failed(moment, question, "why")
        case ("judged", *_):
            return model.judged(moment, "")
        case ("typed", *_):
            return model.typed(moment)
        case ("restarted", *_):
            return model.restarted(moment)
    assert not isinstance(event, tuple)
    if isinstance(event, Action) and event in (Action.PICK, Action.PLAY, Action.SELECT):
        return moment  # these come with what they need
    if model.action_of(event) in possible(moment):
        return acted(moment, event, alone=alone)
    with pytest.raises(NotNowError):
        acted(moment, event, alone=alone)
    return moment


@given(st.lists(EVENTS, max_size=40), st.booleans())
def test_whatever_happens_a_moment_makes_sense(events: list[Deed | tuple[str, int, int]], alone: bool) -> None:
    moment = Moment()
    for event in events:
        before, moment = moment, happened(moment, event, alone=alone)
        assert (moment.question is None) is (moment.phase in (Phase.LOBBY, Phase.PLAY))
        assert (moment.run is not None) is (moment.phase in (Phase.RUN, Phase.REVEAL))
        assert (moment.play is not None) is (moment.phase is Phase.PLAY)
        assert moment.phase is not Phase.REVEAL or (moment.run is not None and moment.run.measured)
        assert moment.selected is None or (moment.run is not None and moment.run.measured)
        assert moment.round in (1, 2)
        assert not (alone and moment.phase in (Phase.DISCUSS, Phase.SECOND))
        assert model.open_round(moment) in (None, moment.round)
        assert (Action.PAUSE in possible(moment)) is not (Action.RESUME in possible(moment))
        assert before.paused == moment.paused or event in (Action.PAUSE, Action.RESUME)
        # There is always a way on, and back to the beginning.
        assert possible(moment) & {Action.LOBBY, Action.END_PLAY, Action.STOP, Action.REVEAL}


def test_what_one_can_do_alone_leads_through_a_lesson() -> None:
    moment = Moment()
    for deed in (Pick(1), Action.OPEN, Action.CLOSE, Action.RUN):
        assert model.action_of(deed) in ALONE
        moment = acted(moment, deed, alone=True)
    assert moment.run == Running()


# Votes


def question(*cells: Place, measured_cells: tuple[Cell, ...] | None = None) -> Question:
    return Question(1, 1, "short", 0, cells or (BODY_AT_NETWORK, BODY_AT_SERVER), measured_cells)


def said(**predictions: str) -> Answer:
    return Answer(
        MappingProxyType({(SecretName.BODY, Observer(where)): Exposure(word) for where, word in predictions.items()})
    )


def test_the_second_vote_is_what_was_confirmed_and_then_what_was_left_as_it_was() -> None:
    rounds = {1: said(network="hidden", server="hidden"), 2: said(server="exposed")}
    assert model.counting(rounds, 2, over=False) == said(server="exposed").predictions
    assert model.counting(rounds, 2, over=True) == said(network="hidden", server="exposed").predictions
    assert model.counting(rounds, 1, over=True) == rounds[1].predictions
    assert model.final(rounds) == said(network="hidden", server="exposed").predictions


def test_votes_are_counted_by_cell() -> None:
    counted = model.votes(
        question(), [{1: said(server="hidden")}, {1: said(server="hidden", network="exposed")}, {}], 1, over=True
    )
    assert counted[BODY_AT_SERVER] == {Exposure.EXPOSED: 0, Exposure.INFERRED: 0, Exposure.HIDDEN: 2}
    assert sum(counted[BODY_AT_NETWORK].values()) == 1


def test_what_was_measured_decides_once_it_is_there() -> None:
    scenario = lesson().scenarios[0]
    claimed = model.truth(question(), scenario)
    assert claimed[BODY_AT_SERVER].exposure is Exposure.EXPOSED
    other = measured(scenario, body_server=Exposure.INCONCLUSIVE).cells
    known = model.truth(question(measured_cells=other), scenario)
    assert known[BODY_AT_SERVER].exposure is Exposure.INCONCLUSIVE
    assert model.wrong_share({Exposure.HIDDEN: 2}, known[BODY_AT_SERVER]) is None
    assert model.wrong_share({Exposure.HIDDEN: 3, Exposure.EXPOSED: 1}, claimed[BODY_AT_SERVER]) == 0.75
    assert model.wrong_share({Exposure.HIDDEN: 0}, claimed[BODY_AT_SERVER]) is None


def test_right_predictions_are_counted_once_it_was_measured() -> None:
    cells = measured(lesson().scenarios[0]).cells
    predictions = said(network="hidden", server="hidden").predictions
    assert model.right(question(), predictions) is None
    assert model.right(question(measured_cells=cells), predictions) == 1


def test_the_cells_that_are_asked_about() -> None:
    explained, plain = lesson().scenarios
    assert model.default_cells(explained) == (BODY_AT_SERVER,)
    assert [str(observer) for _, observer in model.default_cells(plain)] == ["network", "server", "database"]


# Names


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("  Kim ", "Kim"),
        ("Kim\u202e\u0007", "Kim"),
        ("Jose\u0301", "José"),
        ("a\n\tb", "a b"),
        ("<script>", "<script>"),
        ("\u200b\u3164 \u2800", ""),
        ("K\u200di\u200cm", "Kim"),
        ("\ud800", ""),
    ],
)
def test_a_nickname_is_what_can_be_seen_of_it(typed: str, shown: str) -> None:
    assert model.nickname(typed) == shown


@pytest.mark.parametrize("other", ["Kim", "kim", "KIM", "K i m", "Kim.", "Кim", "K1m", "Kím", "Ｋｉｍ"])
def test_two_names_do_not_look_the_same(other: str) -> None:
    assert model.distinct(other, ["Kim"]) == f"{other} 2"


@given(st.lists(st.text(min_size=1, max_size=30), max_size=12))
def test_any_names_are_told_apart(typed: list[str]) -> None:
    names: list[str] = []
    for one in typed:
        name = model.nickname(one)[: model.LONGEST_NICKNAME]
        if name:
            names.append(model.distinct(name, names))
    assert len({model.look(one) for one in names}) == len(names)
    assert all(0 < len(one) <= model.LONGEST_NICKNAME for one in names)


@given(st.text(max_size=60))
def test_a_line_has_no_controls_and_stays_as_it_is(text: str) -> None:
    line = model.one_line(text)
    assert line == line.strip()
    assert line.replace("\u200c", "").replace("\u200d", "").isprintable()
    assert model.one_line(line) == line
