"""What a learner said, as a file: the transcript of a run, and answers that somebody wrote by hand.

A transcript (JSON, versioned) is also a file of answers, so a run can be played again. By hand, one line is one answer:

    part 1
    body@server hidden
    evidence body@server
    because The company's computer decrypts it.

`part` counts the scenarios of the lesson; what follows belongs to it. A part that is not named is left out, and after
the last one the guide ends. `#` begins a comment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from lab.guide.state import Choose, Event, Key, Page, Plan, Predict, State, Try, Write, grades
from lab.guide.words import words_for
from lab.model import Exposure, LabError
from lab.report.sentences import in_language
from lab.scenario.predictions import PREDICTABLE, Grade, Place, named, place_named, place_of
from lab.scenario.vocabulary import claimable

FORMAT = 1
KIND = "lab guide transcript"


@dataclass(slots=True)
class Answer:
    """What is to be said in one scenario."""

    predictions: dict[Place, Exposure] = field(default_factory=dict)
    looked: list[Place] = field(default_factory=list)
    because: str = ""


type Answers = Mapping[int, Answer]
"""By the number of the scenario, from 0."""


def transcript(state: State, started: str) -> str:
    """The run so far, as JSON. `started` is when it began (ISO 8601)."""
    lesson = state.plan.lesson
    content = {
        "is": KIND,
        "format": FORMAT,
        "lesson": lesson.name,
        "title": lesson.title,
        "language": lesson.language,
        "started": started,
        "tries": [_try(state.plan, one) for one in state.tries if one.locked],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _try(plan: Plan, one: Try) -> dict[str, Any]:
    scenario = plan.lesson.scenarios[one.scenario]
    cells = one.matrix.cells if one.matrix is not None else ()
    return {
        "part": one.scenario + 1,
        "title": scenario.title,
        "mode": scenario.mode,
        "predictions": {named(place): said for place, said in one.predictions.items()},
        "measured": {named(place_of(cell)): cell.exposure for cell in cells},
        "grades": {named(place): each for place, each in grades(one).items()},
        "reasons": {named(place_of(cell)): cell.reason for cell in cells},
        "looked": [named(place) for place in one.looked],
        "because": one.because,
    }


def read_answers(text: str, name: str) -> Answers:
    """The answers in `text`, a transcript or lines. `name` is that of the file. LabError: it is neither."""
    if not text.lstrip().startswith("{"):
        return _lines(text, name)
    tries = read_transcript(text, name)["tries"]
    found: dict[int, Answer] = {}
    try:
        for one in tries:  # of several tries at one scenario, the last one
            found[int(one["part"]) - 1] = Answer(
                {place_named(place): _exposure(said) for place, said in one["predictions"].items()},
                [place_named(place) for place in one["looked"]],
                str(one["because"]),
            )
    except (LabError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LabError(f"{name}: this transcript was damaged: {error}") from None
    return found


def read_transcript(text: str, name: str) -> dict[str, Any]:
    """LabError: it is no transcript, or one from a newer lab."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("is") != KIND or not isinstance(found.get("tries"), list):
        raise LabError(f"{name}: not a transcript; give a file that lab guide --transcript wrote")
    if found.get("format") != FORMAT:
        raise LabError(
            f"{name}: transcript format {found.get('format')} is not known to this lab ({FORMAT}); update it"
        )
    return found


def _lines(text: str, name: str) -> Answers:
    found: dict[int, Answer] = {}
    answer: Answer | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        word, _, rest = line.strip().partition(" ")
        try:
            match word:
                case "" | "#":
                    continue
                case "part" if rest.strip().isdecimal() and int(rest) > 0:
                    answer = found.setdefault(int(rest) - 1, Answer())
                case "evidence" if answer is not None:
                    answer.looked.append(place_named(rest))
                case "because" if answer is not None:
                    answer.because = rest.strip()
                case _ if "@" in word and answer is not None:
                    answer.predictions[place_named(word)] = _exposure(rest.strip())
                case _ if word.startswith("#"):
                    continue
                case _:
                    _refuse(line.strip())
        except LabError as error:
            raise LabError(f"{name}:{number}: {error}") from None
    return found


def _refuse(line: str) -> NoReturn:
    raise LabError(
        f"{line!r} is no answer; begin with a line “part 1”, then write for example “body@server hidden”, "
        "“evidence body@server” or “because …”"
    )


def _exposure(word: object) -> Exposure:
    if word not in PREDICTABLE:
        raise LabError(f"{word!r} cannot be predicted; it is one of {', '.join(PREDICTABLE)}")
    return Exposure(str(word))


def check(answers: Answers, plan: Plan, name: str) -> None:
    """LabError: the lesson does not ask what the file answers."""
    scenarios = plan.lesson.scenarios
    if not answers:
        raise LabError(f"{name}: there is no answer in it; begin with a line “part 1”")
    for number, answer in answers.items():
        if not 0 <= number < len(scenarios):
            raise LabError(f"{name}: the lesson {plan.lesson.name} has no part {number + 1}, only {len(scenarios)}")
        cells = {(claim.secret, claim.observer) for claim in scenarios[number].claims}
        for place in (*answer.predictions, *answer.looked):
            if place not in cells:
                raise LabError(f"{name}: part {number + 1} of the lesson {plan.lesson.name} has no cell {named(place)}")
        for place, exposure in answer.predictions.items():
            if exposure not in claimable(place[0]):
                wanted = " or ".join(claimable(place[0]))
                raise LabError(f"{name}: {named(place)} cannot be predicted {exposure}: {place[0]} is {wanted}")


def reply(state: State, answers: Answers) -> tuple[Event, ...]:
    """What somebody who has written down these answers does next; (): wait until something has happened."""
    answer, one = answers.get(state.current.scenario), state.current
    if state.zoom is not None:
        return (Key.NEXT,)
    match state.page:
        case Page.SCENE | Page.STEPS if state.current.scenario > max(answers):
            return (Key.QUIT,)
        case Page.SCENE | Page.STEPS if answer is None:
            return (Key.SKIP,)
        case Page.PREDICT if answer is not None:
            left = (place for place in answer.predictions if place in state.cells and place not in one.predictions)
            if (place := next(left, None)) is not None:
                return Choose(place), Predict(answer.predictions[place])
        case Page.RUN if state.playing and not state.waiting:
            return ()
        case Page.RESULT if answer is not None:
            if (place := next((place for place in answer.looked if place not in one.looked), None)) is not None:
                return Choose(place), Key.LOOK
        case Page.EXPLAIN if answer is not None and answer.because and not one.because:
            return (Write(answer.because),)
    return (Key.NEXT,)


def as_typed(event: Event) -> str:
    """An event of `reply` as somebody at a keyboard would have typed it; "" for one that is not typed."""
    match event:
        case Choose(place):
            return named(place)
        case Predict(exposure):
            return exposure
        case Write(text):
            return text
        case Key():
            return {Key.NEXT: "Enter", Key.LOOK: "e", Key.SKIP: "s", Key.QUIT: "q"}.get(event, "")
    return ""


def as_markdown(text: str, name: str) -> str:
    """A transcript for people: Markdown, which is also plain text. LabError as in `read_transcript`."""
    found = read_transcript(text, name)
    try:
        return "\n".join(_markdown(found)) + "\n"
    except (LabError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LabError(f"{name}: this transcript was damaged: {error}") from None


def _markdown(found: Mapping[str, Any]) -> Iterator[str]:
    words = words_for(str(found["language"]))
    yield f"# {found['title']}"
    yield f"\n{found['lesson']}, {found['started']}"
    for one in found["tries"]:
        yield f"\n## {one['part']}: {one['title']} ({one['mode']})\n"
        for place, said in one["predictions"].items():
            measured = one["measured"].get(place)
            if measured is None:
                yield f"- {place}: {said} ({words.stopped})"
                continue
            reason = in_language(one["reasons"][place], words.language)
            grading = {
                Grade.RIGHT: words.right,
                Grade.WRONG: words.not_right,
                Grade.UNDECIDED: words.undecided.format(reason=reason),
                Grade.DISPUTED: words.at_odds.format(reason=reason),
            }[Grade(one["grades"][place])]
            yield f"- {place}: {said} → {measured} ({grading})"
        if one["looked"]:
            yield f"- {words.look}: {', '.join(one['looked'])}"
        if one["because"]:
            yield f"\n> {one['because']}"
