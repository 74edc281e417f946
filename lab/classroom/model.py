"""A class as it stands: phases, what leads from one to the next, questions and answers, and how they are counted. Pure.

    lobby → story → first → discuss → second → closed → run → reveal, and beside them play: free play

A moment is never changed: `acted` gives the one after an action, and `reached`, `measured`, `failed` and `judged` those
after what a run or a free play has told.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from lab.model import Cell, Exposure, Mode
from lab.scenario.lesson import Scenario
from lab.scenario.predictions import PREDICTABLE, Grade, Place, grade, place_of, table

LONGEST_NICKNAME = 24
LONGEST_REASON = 200
LONGEST_MESSAGE = 300
"""Characters of a message that is typed in free play."""
MOST_EXPLAINED = 8
"""Cells that are asked about where the lesson explains wrong predictions, and nobody has chosen others."""
MOST_UNEXPLAINED = 6
"""The same where it explains none."""


_ALIKE = str.maketrans("аеорсухіїјѕαορνικ10кмтвнβτχ", "aeopcyxlljsaopvlklokmtbhbtx") | {ord("i"): "l"}
"""Letters of other scripts, and digits, that are hard to tell from Latin letters."""


class Phase(StrEnum):
    """Where a class is."""

    LOBBY = "lobby"
    STORY = "story"
    FIRST = "first"
    DISCUSS = "discuss"
    SECOND = "second"
    CLOSED = "closed"
    RUN = "run"
    REVEAL = "reveal"
    PLAY = "play"


class Action(StrEnum):
    """What a teacher can do."""

    PICK = "pick"
    OPEN = "open"
    CLOSE = "close"
    RUN = "run"
    STEP = "step"
    REST = "rest"
    STOP = "stop"
    REVEAL = "reveal"
    LOBBY = "lobby"
    PLAY = "play"
    JUDGE = "judge"
    END_PLAY = "end_play"
    PAUSE = "pause"
    RESUME = "resume"
    RESET = "reset"
    REMOVE = "remove"
    SELECT = "select"


ALONE = frozenset(
    {
        *(Action.PICK, Action.OPEN, Action.CLOSE, Action.RUN, Action.STEP, Action.REST, Action.STOP),
        *(Action.REVEAL, Action.LOBBY),
    }
)
"""What somebody can do who studies alone."""

INTERCEPTORS = ("none", "untrusted", "trusted")
"""Who stands in for the service in free play, by what devices think of the certificate."""


@dataclass(frozen=True, slots=True)
class PlaySetup:
    """How free play is set up: each message goes out in each of `modes`, of which there is at least one."""

    modes: tuple[Mode, ...]
    padded: bool = False
    interceptor: str = INTERCEPTORS[0]
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """How far a run is: `done` of `of` steps (-1: it has not begun), and how many the teacher wants done (`released`).
    `text` is the step that comes next."""

    done: int = -1
    of: int = 0
    released: int = 0
    text: str = ""
    measured: bool = False
    failed: str = ""

    @property
    def waits(self) -> bool:
        """Whether it waits before a step."""
        return 0 <= self.done < self.of and self.released <= self.done and not self.failed


@dataclass(frozen=True, slots=True)
class Playing:
    """Free play: how many messages were typed, whether they are being measured, and what went wrong the last time."""

    setup: PlaySetup
    messages: int = 0
    judging: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a class is. `question` is the id of the one that it is at; `round` is 2 from the second vote on.

    In lobby and play there is no question, and in each other phase there is one. `run` is there in run and reveal,
    `play` in play.
    """

    phase: Phase = Phase.LOBBY
    paused: bool = False
    question: int | None = None
    round: int = 1
    run: Running | None = None
    play: Playing | None = None
    selected: Place | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """A new question, which has this id already."""

    question: int


@dataclass(frozen=True, slots=True)
class Play:
    """Free play, set up like this."""

    setup: PlaySetup


@dataclass(frozen=True, slots=True)
class Select:
    """The evidence of this cell is opened, or closed again."""

    cell: Place | None


type Deed = Pick | Play | Select | Action
"""An action with what it needs; those that need nothing but the moment stand for themselves."""


class NotNowError(Exception):
    """The action does not fit the phase that the class is in."""


def possible(moment: Moment) -> frozenset[Action]:
    """What can be done now."""
    phase, run = moment.phase, moment.run
    found = {Action.RESUME if moment.paused else Action.PAUSE, Action.REMOVE}
    if phase not in (Phase.RUN, Phase.PLAY):
        found |= {Action.PICK, Action.LOBBY}
    if moment.question is not None:
        found.add(Action.RESET)
    if phase in (Phase.STORY, Phase.DISCUSS):
        found.add(Action.OPEN)
    if phase in (Phase.FIRST, Phase.SECOND):
        found.add(Action.CLOSE)
    if phase in (Phase.DISCUSS, Phase.CLOSED):
        found.add(Action.RUN)
    if phase in (Phase.LOBBY, Phase.STORY, Phase.CLOSED, Phase.REVEAL):
        found.add(Action.PLAY)
    if phase is Phase.RUN and run is not None:
        found.add(Action.STOP)
        if run.waits:
            found.add(Action.STEP)
        if 0 <= run.done < run.of and run.released < run.of and not run.failed:
            found.add(Action.REST)
        if run.measured:
            found |= {Action.REVEAL, Action.SELECT}
    if phase is Phase.REVEAL:
        found.add(Action.SELECT)
    if moment.play is not None:
        found.add(Action.END_PLAY)
        if moment.play.messages and not moment.play.judging:
            found.add(Action.JUDGE)
    return frozenset(found)


def action_of(deed: Deed) -> Action:
    """What kind of deed it is."""
    match deed:
        case Pick():
            return Action.PICK
        case Play():
            return Action.PLAY
        case Select():
            return Action.SELECT
    return deed


def acted(moment: Moment, deed: Deed, *, alone: bool) -> Moment:
    """The moment after `deed`. In a class of one (`alone`) there is one vote only. NotNowError: not in this phase."""
    if action_of(deed) not in possible(moment):
        raise NotNowError(action_of(deed))
    match deed:
        case Pick(question):
            return Moment(Phase.STORY, moment.paused, question)
        case Play(setup):
            return Moment(Phase.PLAY, moment.paused, play=Playing(setup))
        case Select(cell):
            return replace(moment, selected=cell)
        case Action.LOBBY | Action.END_PLAY:
            return Moment(paused=moment.paused)
        case Action.PAUSE | Action.RESUME:
            return replace(moment, paused=deed is Action.PAUSE)
        case Action.RESET | Action.REMOVE:
            return moment
        case Action.JUDGE if moment.play is not None:
            return replace(moment, play=replace(moment.play, judging=True, trouble=""))
    return _onward(moment, action_of(deed), alone=alone)


def _onward(moment: Moment, action: Action, *, alone: bool) -> Moment:
    """Along the phases of a question."""
    match action, moment.run:
        case Action.OPEN, _:
            second = moment.phase is Phase.DISCUSS
            return replace(moment, phase=Phase.SECOND if second else Phase.FIRST, round=2 if second else 1)
        case Action.CLOSE, _:
            again = moment.phase is Phase.FIRST and not alone
            return replace(moment, phase=Phase.DISCUSS if again else Phase.CLOSED)
        case Action.RUN, _:
            return replace(moment, phase=Phase.RUN, run=Running())
        case Action.STOP, _:
            return replace(moment, phase=Phase.CLOSED, run=None, selected=None)
        case Action.REVEAL, _:
            return replace(moment, phase=Phase.REVEAL)
        case Action.STEP, Running(done=done):
            return replace(moment, run=replace(moment.run, released=done + 1))
        case Action.REST, Running(of=of):
            return replace(moment, run=replace(moment.run, released=of))
    raise NotNowError(action)


def reached(moment: Moment, question: int, done: int, of: int, text: str) -> Moment:
    """The run of this question is before step `done`, or has done all. Of another one nothing is wanted any more."""
    run = _run(moment, question)
    return moment if run is None else replace(moment, run=replace(run, done=done, of=of, text=text))


def measured(moment: Moment, question: int, broken_off: str = "") -> Moment:
    """The run of this question is over, and it is known what the observers could read; `broken_off` says why the story
    did not go as told, where it did not."""
    run = _run(moment, question)
    if run is None:
        return moment
    return replace(moment, run=replace(run, done=run.of, text="", measured=True, failed=broken_off))


def failed(moment: Moment, question: int, why: str) -> Moment:
    """The run of this question cannot go on."""
    run = _run(moment, question)
    return moment if run is None else replace(moment, run=replace(run, failed=why))


def judged(moment: Moment, why: str) -> Moment:
    """What was typed in free play is measured, or cannot be, and `why`."""
    if moment.play is None:
        return moment
    return replace(moment, play=replace(moment.play, judging=False, trouble=why))


def typed(moment: Moment) -> Moment:
    """One more message was typed in free play."""
    if moment.play is None:
        return moment
    return replace(moment, play=replace(moment.play, messages=moment.play.messages + 1))


def restarted(moment: Moment) -> Moment:
    """What is left of it when the command starts again: nothing runs, so an unfinished run or a free play is over."""
    if moment.phase is Phase.PLAY:
        return Moment(paused=moment.paused)
    if moment.phase is Phase.RUN and not (moment.run is not None and moment.run.measured):
        return replace(moment, phase=Phase.CLOSED, run=None, selected=None)
    return moment


def _run(moment: Moment, question: int) -> Running | None:
    """The run of this question, as long as it is still wanted and not over."""
    run = moment.run if moment.phase is Phase.RUN and moment.question == question else None
    return None if run is None or run.measured or run.failed else run


def open_round(moment: Moment) -> int | None:
    """The round that learners can answer in now; None: there is none."""
    if moment.paused:
        return None
    return {Phase.FIRST: 1, Phase.SECOND: 2}.get(moment.phase)


def rounds(moment: Moment) -> tuple[int, ...]:
    """The rounds of the question that were opened so far."""
    if moment.question is None or moment.phase is Phase.STORY:
        return ()
    return tuple(range(1, moment.round + 1))


# Questions and answers


@dataclass(frozen=True, slots=True)
class Question:
    """One scenario (from 0) of one lesson, of which the class is asked about `cells`. `number` counts from 1.

    `measured` is what was measured, without the evidence, or None; `revealed` says whether learners may know it.
    """

    id: int
    number: int
    lesson: str
    scenario: int
    cells: tuple[Place, ...]
    measured: tuple[Cell, ...] | None = None
    revealed: bool = False

    @property
    def known(self) -> dict[Place, Cell]:
        """What was measured, by its place in the table."""
        return {place_of(one): one for one in self.measured or ()}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one learner has sent in one round."""

    predictions: Mapping[Place, Exposure] = field(default_factory=lambda: MappingProxyType({}))
    reason: str = ""


NOTHING = Answer()
"""Of whoever has sent nothing."""

type Rounds = Mapping[int, Answer]
"""What one learner has sent to one question, by round."""


@dataclass(frozen=True, slots=True)
class Learner:
    """Somebody who has joined."""

    id: int
    nickname: str


def default_cells(scenario: Scenario) -> tuple[Place, ...]:
    """The cells to ask about where nobody has chosen any."""
    places = table(scenario)
    explained = {(one.secret, one.observer) for one in scenario.explanations}
    return tuple(place for place in places if place in explained)[:MOST_EXPLAINED] or places[:MOST_UNEXPLAINED]


def added(before: Answer, predictions: Mapping[Place, Exposure], reason: str | None) -> Answer:
    """With more predictions, or other ones for the same cells; a reason of None leaves the one that there is."""
    return Answer(MappingProxyType({**before.predictions, **predictions}), before.reason if reason is None else reason)


def counting(rounds: Rounds, number: int, *, over: bool) -> Mapping[Place, Exposure]:
    """The predictions that count in round `number`: what was sent in it. Once the second one is over, whoever said
    nothing new about a cell in it has stayed with the first."""
    sent = rounds.get(number, NOTHING).predictions
    return {**rounds.get(1, NOTHING).predictions, **sent} if over and number > 1 else sent


def final(rounds: Rounds) -> Mapping[Place, Exposure]:
    """What a learner has said in the end."""
    return counting(rounds, 2, over=True)


def votes(
    question: Question, answers: Iterable[Rounds], number: int, *, over: bool
) -> dict[Place, dict[Exposure, int]]:
    """How many predicted what in round `number`, for each cell."""
    found = {place: dict.fromkeys(PREDICTABLE, 0) for place in question.cells}
    for rounds in answers:
        for place, exposure in counting(rounds, number, over=over).items():
            if place in found:
                found[place][exposure] += 1
    return found


def truth(question: Question, scenario: Scenario) -> dict[Place, Cell]:
    """What is right in each cell of the table: what was measured, and before that what the lesson claims."""
    if question.measured is not None:
        known = question.known
        return {place: known[place] for place in table(scenario) if place in known}
    return {
        (one.secret, one.observer): Cell(one.secret, one.observer, one.exposure, "", claimed=one.exposure)
        for one in scenario.claims
    }


def wrong_share(counts: Mapping[Exposure, int], cell: Cell) -> float | None:
    """Of those who predicted something here, how many were wrong; None where nobody did, or nothing can be said."""
    graded = {exposure: grade(exposure, cell) for exposure in counts}
    if not sum(counts.values()) or not set(graded.values()) <= {Grade.RIGHT, Grade.WRONG}:
        return None
    wrong = sum(count for exposure, count in counts.items() if graded[exposure] is Grade.WRONG)
    return wrong / sum(counts.values())


def right(question: Question, predictions: Mapping[Place, Exposure]) -> int | None:
    """How many of the predictions were right; None as long as it was not measured."""
    if question.measured is None:
        return None
    known = question.known
    return sum(
        grade(predictions[place], known[place]) is Grade.RIGHT
        for place in question.cells
        if place in predictions and place in known
    )


# What people type


_BLANK = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and signs that look like nothing."""


def one_line(text: str) -> str:
    """Text as one line: composed, without control and format characters (but for the two joiners, which emoji and
    several scripts need), and with single spaces."""
    kept = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFC", text)
        if char.isspace() or char in "\u200c\u200d" or not unicodedata.category(char).startswith("C")
    )
    return " ".join(kept.split())


def nickname(text: str) -> str:
    """The name to show for what was typed; "" if nothing of it can be seen."""
    kept = "".join(char for char in one_line(text) if char not in "\u200c\u200d" and char not in _BLANK)
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def look(name: str) -> str:
    """What is the same for names that look the same, or nearly so."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold()).translate(_ALIKE)
    return "".join(char for char in folded if char.isalnum()) or folded


def distinct(name: str, taken: Iterable[str]) -> str:
    """`name`, with a number behind it if somebody has it already; never longer than a nickname may be."""
    looks = {look(one) for one in taken}
    chosen, number = name, 1
    while look(chosen) in looks:
        number += 1
        chosen = f"{name[: LONGEST_NICKNAME - len(f' {number}')].rstrip()} {number}"
    return chosen
