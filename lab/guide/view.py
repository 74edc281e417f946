"""What a page of the guide shows, as blocks that each face draws in its own way. Pure.

Until a prediction is locked nothing here looks at the claims or the explanations of the lesson: they are the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lab.guide.lesson_path import Stop, Traffic, people, stops
from lab.guide.state import Key, Page, State, Try, grades
from lab.guide.words import words_for
from lab.guide.zoom import Zoom, sentence
from lab.model import INFERRED_ONLY, Cell, Exposure, Observer
from lab.report.lesson_words import WORDS
from lab.report.sentences import in_language
from lab.scenario.misconceptions import MISCONCEPTIONS
from lab.scenario.predictions import PREDICTABLE, Grade, Place, explanation, grade, named, place_of
from lab.scenario.vocabulary import claimable

UNKNOWN = "?"

_NEAR = 3
"""Steps that are shown at a time while the story is played."""


class Mood(StrEnum):
    """What a face may show by a colour beside the words."""

    PLAIN = ""
    SAID = "said"
    RIGHT = "right"
    WRONG = "wrong"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Prose:
    """Markdown of the author's."""

    text: str


@dataclass(frozen=True, slots=True)
class Say:
    """A sentence or a few of the guide's own."""

    text: str
    heading: str = ""
    mood: Mood = Mood.PLAIN


@dataclass(frozen=True, slots=True)
class Listed:
    """Lines under each other; the one with number `here` is that of the moment, and those before it are done."""

    lines: tuple[str, ...]
    here: int | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """One cell of a table: a word, and beside a measured one what was said before."""

    word: str
    said: str = ""
    mood: Mood = Mood.PLAIN
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; where two of `rows` and `columns` meet there may be nothing."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    boxes: Mapping[tuple[str, str], Box]


@dataclass(frozen=True, slots=True)
class Picture:
    """The path of the messages, and what each observer recorded while `during` was done."""

    participants: str
    stops: tuple[Stop, ...]
    traffic: Mapping[Observer, Traffic]
    during: str


@dataclass(frozen=True, slots=True)
class Dump:
    """Lines that are not to be wrapped: a layer of the evidence."""

    lines: tuple[str, ...]


type Block = Prose | Say | Listed | Grid | Picture | Dump


@dataclass(frozen=True, slots=True)
class View:
    """One page. `spot` changes when there is another page to read, and `ask` is what it comes down to."""

    spot: tuple[object, ...]
    title: str
    blocks: tuple[Block, ...]
    ask: str
    keys: tuple[tuple[str, str], ...]
    """What can be pressed, and what it does."""
    typing: bool = False
    """Whether a line of text is wanted."""
    busy: bool = False
    """Whether something goes on that is waited for."""


def view(state: State) -> View:
    """What to show of `state`."""
    return _Author(state).page()


class _Author:
    """Writes the pages of one state."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.words = words_for(state.plan.lesson.language)
        self.means = WORDS[state.plan.lesson.language]
        self.one = state.current

    def page(self) -> View:
        state, words = self.state, self.words
        if state.zoom is not None and state.at is not None:
            return self._zoom(state.zoom, state.at)
        blocks, ask = _PAGES[state.page](self)
        spot: tuple[object, ...] = (state.now, state.page, state.part, self.one.locked)
        if state.page is Page.RUN:
            spot = (*spot, self.one.done, self.one.matrix is None)
        hints = tuple(
            Say(text, words.hint_number.format(number=number, count=len(state.plan.lesson.hints)))
            for number, text in enumerate(state.plan.lesson.hints[: state.hints], start=1)
            if state.page in (Page.PREDICT, Page.LOCK)
        )
        if hints:
            spot = (*spot, state.hints)
        busy = state.page is Page.RUN and state.playing and not state.waiting
        typing = state.page is Page.EXPLAIN
        return View(spot, self._title(), (*blocks, *hints), ask, tuple(self._keys()), typing=typing, busy=busy)

    def _title(self) -> str:
        state, lesson = self.state, self.state.plan.lesson
        if state.page in (Page.STORY, Page.END):
            return lesson.title
        title = self.words.scenario.format(
            number=self.one.scenario + 1, count=len(lesson.scenarios), title=state.scenario.title
        )
        earlier = sum(one.scenario == self.one.scenario for one in state.tries[: state.now])
        return f"{title} ({self.words.try_number.format(number=earlier + 1)})" if earlier else title

    def _keys(self) -> Iterator[tuple[str, str]]:
        state, words = self.state, self.words
        predicting = state.page is Page.PREDICT and not self.one.locked and bool(state.cells)
        if state.page is Page.EXPLAIN:
            yield "Enter", words.keep
            yield "Esc", words.back
            yield "Ctrl-D", words.quit
            return
        if predicting:
            possible = claimable(state.at[0]) if state.at else PREDICTABLE
            yield from ((str(number), one) for number, one in enumerate(PREDICTABLE, start=1) if one in possible)
        if state.waiting and state.page is Page.RUN:
            yield "Enter", words.play
        elif not (state.playing and state.page is Page.RUN):
            yield "Enter", words.lock if state.page is Page.LOCK else words.go_on
        if state.page is not Page.STORY:
            yield "b", words.back
        if predicting or state.page is Page.RESULT:
            yield "←↑↓→", words.move
        if state.page in (Page.RESULT, Page.WRONG):
            yield "e", words.look
        if state.page in (Page.PREDICT, Page.LOCK) and state.hints < len(state.plan.lesson.hints):
            yield "?", words.hint
        if state.page is not Page.STORY:
            yield "r", words.repeat
        if state.page is not Page.END:
            running = state.page is Page.RUN and state.playing
            yield "s", words.skip_cell if predicting else words.skip_steps if running else words.skip_scenario
        yield "q", words.quit

    # The pages, in their order: what they show, and what it comes down to

    def story(self) -> tuple[list[Block], str]:
        minutes = self.state.plan.lesson.minutes
        begin = self.words.begin.format(minutes=(minutes.self_study or minutes.demo) if minutes else "10–20")
        return [Prose(self.state.plan.lesson.prose)], begin

    def scene(self) -> tuple[list[Block], str]:
        return [Prose(self.state.scenario.prose)], ""

    def steps(self) -> tuple[list[Block], str]:
        heading = Say("", self.words.will_happen)
        return [heading, self._listed(), self._picture({}, "")], ""

    def predict(self) -> tuple[list[Block], str]:
        state, words = self.state, self.words
        if not state.cells:
            return [Say(words.nothing_asked, words.prediction)], ""
        blocks: list[Block] = [self._predictions()]
        if self.one.locked:
            return [*blocks, Say(words.locked)], ""
        done = words.predicted.format(done=len(self.one.predictions), count=len(state.cells))
        blocks.insert(0, Say(done, words.prediction))
        return blocks, self._question(state.at) if state.at else ""

    def lock(self) -> tuple[list[Block], str]:
        words, done = self.words, len(self.one.predictions)
        ask = words.lock_ask.format(done=done, count=len(self.state.cells)) if done else words.lock_none
        blocks: list[Block] = [Say("", words.lock_heading)]
        return [*blocks, self._predictions()] if self.state.cells else blocks, ask

    def run(self) -> tuple[list[Block], str]:
        state, words, one = self.state, self.words, self.one
        steps = self._listed(one.done if state.waiting else one.released - 1)
        done = words.happens.format(done=max(one.done, 0), count=len(steps.lines))
        traffic, during = self._passed()
        blocks: list[Block] = [Say("", done), _near(steps)]
        blocks.append(self._picture(traffic, during))
        if one.matrix is not None:
            return blocks, words.run_over
        if not state.playing:
            return blocks, words.stopped
        return blocks, self._moment()

    def result(self) -> tuple[list[Block], str]:
        words, state = self.words, self.state
        graded = grades(self.one)
        right, wrong_ = (list(graded.values()).count(one) for one in (Grade.RIGHT, Grade.WRONG))
        said = words.beside.format(right=right, wrong=wrong_, left=len(graded) - right - wrong_)
        blocks: list[Block] = [Say(said if graded else "", words.result), self._measured(graded)]
        return blocks, self._verdict(state.at) if state.at else ""

    def wrong(self) -> tuple[list[Block], str]:
        state, words, at = self.state, self.words, self.state.at
        if at is None or self.one.matrix is None:
            return [], ""
        said = self.one.predictions[at]
        found = explanation(state.scenario, at, said)
        blocks: list[Block] = [
            Say(f"{self._you_said(said)}\n{self._was(self.one.matrix.cell(*at))}", words.wrong.format(cell=named(at))),
            Prose(found.text) if found else Say(words.no_explanation),
        ]
        return blocks, ""

    def explain(self) -> tuple[list[Block], str]:
        words = self.words
        blocks: list[Block] = [Say("", words.explain), self._measured(grades(self.one))]
        if self.one.because:
            blocks.append(Say(words.explained.format(text=self.one.because)))
        return blocks, words.explain_ask

    def end(self) -> tuple[list[Block], str]:
        words, lesson = self.words, self.state.plan.lesson
        lines = []
        for one in self.state.tries:
            if one.matrix is not None:
                graded = list(grades(one).values())
                right, wrong_ = graded.count(Grade.RIGHT), graded.count(Grade.WRONG)
                title = lesson.scenarios[one.scenario].title
                lines.append(
                    words.score.format(title=title, right=right, wrong=wrong_, left=len(graded) - right - wrong_)
                )
        blocks: list[Block] = [Say("", words.end), Listed(tuple(lines))]
        different = self._different()
        if different is not None:
            blocks += [Say(words.compare_note, words.compare), different]
        if lesson.misconceptions:
            wordings = [MISCONCEPTIONS[slug].wording(lesson.language) for slug in lesson.misconceptions]
            lines = [words.idea.format(idea=one.idea, truth=one.truth) for one in wordings]
            blocks += [Say("", words.ideas), Listed(tuple(lines))]
        return blocks, words.end_ask

    # What they are made of

    def _listed(self, here: int | None = None) -> Listed:
        return Listed(tuple(f"{step.keyword} {step.text}" for step in self.state.steps), here)

    def _picture(self, traffic: Mapping[Observer, Traffic], during: str) -> Picture:
        scenario = self.state.scenario
        return Picture(", ".join(people(scenario)), stops(scenario), traffic, during)

    def _passed(self) -> tuple[Mapping[Observer, Traffic], str]:
        """What was recorded last, and while what was done."""
        passed = self.one.passed
        if not passed:
            return {}, ""
        number = len(passed) - 2
        during = self.state.steps[number].text if number >= 0 else self._joining()
        found = {one.observer: one for one in passed[-1]}
        return {one: found[one] for one in self.state.scenario.observers if one in found}, during

    def _moment(self) -> str:
        state, words, one = self.state, self.words, self.one
        steps, at = state.steps, one.done if state.waiting else one.released - 1
        if at < 0:
            return self._joining()
        if at >= len(steps):
            return words.all_done if state.waiting else words.judging
        return (words.next_step if state.waiting else words.step_runs).format(step=steps[at].text)

    def _joining(self) -> str:
        scenario = self.state.scenario
        joining = self.words.joining.format(who=", ".join(people(scenario)))
        return joining if INFERRED_ONLY.isdisjoint(scenario.secrets) else f"{joining} {self.words.measuring}"

    def _question(self, place: Place) -> str:
        secret, observer = place
        ask = self.words.ask_derived if secret in INFERRED_ONLY else self.words.ask
        return ask.format(
            observer=observer, who=self.means.observers[observer], secret=secret, what=self.means.secrets[secret]
        )

    def _predictions(self) -> Grid:
        state = self.state

        def box(place: Place) -> Box:
            said = self.one.predictions.get(place)
            chosen = state.page is Page.PREDICT and place == state.at
            return Box(said or UNKNOWN, "", Mood.SAID if said else Mood.OPEN, chosen)

        return _grid({place: box(place) for place in state.cells})

    def _measured(self, graded: Mapping[Place, Grade]) -> Grid:
        matrix = self.one.matrix

        def box(cell: Cell) -> Box:
            place = place_of(cell)
            chosen = self.state.page is Page.RESULT and place == self.state.at
            said, verdict = self.one.predictions.get(place), graded.get(place)
            if said is None or verdict is None:
                return Box(cell.exposure, "", Mood.PLAIN, chosen)
            moods = {Grade.RIGHT: Mood.RIGHT, Grade.WRONG: Mood.WRONG}
            return Box(cell.exposure, said, moods.get(verdict, Mood.OPEN), chosen)

        return _grid({(cell.secret, cell.observer): box(cell) for cell in (matrix.cells if matrix else ())})

    def _verdict(self, place: Place) -> str:
        """What to say of one cell that was measured."""
        matrix = self.one.matrix
        if matrix is None:
            return ""
        cell, said, words = matrix.cell(*place), self.one.predictions.get(place), self.words
        if said is None:
            return f"{named(place)}: {self._was(cell)} ({words.not_asked})"
        match grade(said, cell):
            case Grade.RIGHT:
                grading = words.right
            case Grade.WRONG:
                grading = words.not_right
            case Grade.UNDECIDED:
                grading = words.undecided.format(reason=self._reason(cell))
            case Grade.DISPUTED:
                grading = words.disputed.format(claimed=cell.claimed, measured=cell.exposure, reason=self._reason(cell))
        return f"{named(place)}: {self._you_said(said)} {self._was(cell)} ({grading})"

    def _you_said(self, said: Exposure) -> str:
        return self.words.you_said.format(exposure=said, means=self.means.exposures[said])

    def _was(self, cell: Cell) -> str:
        means = self.means.exposures.get(cell.exposure, self.words.open)
        return self.words.measured.format(exposure=cell.exposure, means=means, reason=sentence(self._reason(cell)))

    def _reason(self, cell: Cell) -> str:
        return in_language(cell.reason, self.words.language)

    def _different(self) -> Grid | None:
        """The cells whose verdict is not the same in all parts that were measured; of several tries the last one."""
        last: dict[int, Try] = {one.scenario: one for one in self.state.tries if one.matrix is not None}
        found: dict[Place, dict[int, Exposure]] = {}
        for number, one in sorted(last.items()):
            for cell in one.matrix.cells if one.matrix else ():
                found.setdefault(place_of(cell), {})[number] = cell.exposure
        boxes: dict[tuple[str, str], Box] = {}
        for place, each in found.items():
            if len(set(each.values())) > 1:
                for number, exposure in each.items():
                    boxes[named(place), f"{number + 1}: {self.state.plan.lesson.scenarios[number].mode}"] = Box(
                        exposure
                    )
        return _grid(boxes) if boxes else None

    def _zoom(self, zoom: Zoom, at: Place) -> View:
        state, words = self.state, self.words
        last = state.depth + 1 == len(zoom.layers)
        path = " → ".join(
            f"[{layer.title}]" if number == state.depth else layer.title for number, layer in enumerate(zoom.layers)
        )
        layer = zoom.layers[state.depth]
        blocks: list[Block] = [Say(path, words.evidence.format(cell=named(at))), Say(layer.note), Dump(layer.lines)]
        keys = (
            ("Enter", words.close if last else words.deeper),
            ("b", words.back),
            ("e", words.close),
            ("q", words.quit),
        )
        spot = (state.now, "zoom", at, state.depth)
        return View(spot, self._title(), tuple(blocks), zoom.end if last else "", keys)


def _near(steps: Listed) -> Listed:
    """The step of the moment with its neighbours: in a long story the others would push the picture off the page."""
    if steps.here is None:
        return steps
    first = max(0, min(steps.here - 1, len(steps.lines) - _NEAR))
    return Listed(steps.lines[first : first + _NEAR], steps.here - first)


def _grid(boxes: Mapping[tuple[str, str], Box]) -> Grid:
    rows = dict.fromkeys(row for row, _ in boxes)
    columns = dict.fromkeys(column for _, column in boxes)
    return Grid(tuple(rows), tuple(columns), boxes)


_PAGES = {
    Page.STORY: _Author.story,
    Page.SCENE: _Author.scene,
    Page.STEPS: _Author.steps,
    Page.PREDICT: _Author.predict,
    Page.LOCK: _Author.lock,
    Page.RUN: _Author.run,
    Page.RESULT: _Author.result,
    Page.WRONG: _Author.wrong,
    Page.EXPLAIN: _Author.explain,
    Page.END: _Author.end,
}

COMMANDS: Mapping[str, Key] = {
    "": Key.NEXT,
    "b": Key.BACK,
    "r": Key.REPEAT,
    "s": Key.SKIP,
    "q": Key.QUIT,
    "?": Key.HINT,
    "e": Key.LOOK,
}
"""What stands for a key, in both faces."""
