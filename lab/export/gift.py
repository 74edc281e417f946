"""The predictions of a lesson as questions for a learning platform, in Moodle's GIFT format.

One question for each cell of each table, in a category for each scenario. A wrong answer gets the lesson's explanation
as its feedback, where there is one. The format is described at https://docs.moodle.org/en/GIFT_format: questions are
parted by blank lines, and ~ = # { } : \\ are written with a backslash before them, a line break as \\n.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Claim
from lab.report.lesson_words import WORDS, LessonWords
from lab.scenario.lesson import Expect, Lesson, Scenario
from lab.scenario.vocabulary import claimable

_WRITTEN = str.maketrans({**{char: f"\\{char}" for char in "\\~=#{}:"}, "\n": "\\n"})


def to_gift(lesson: Lesson) -> str:
    """All questions of a lesson."""
    words = WORDS[lesson.language]
    return "\n".join(
        part
        for number, scenario in enumerate(lesson.scenarios, start=1)
        for part in (
            f"$CATEGORY: {_category('$course$', 'top', lesson.title, f'{number}. {scenario.title}')}\n",
            *_questions(number, scenario, words),
        )
    )


def _questions(number: int, scenario: Scenario, words: LessonWords) -> Iterator[str]:
    story = "\n".join(
        f"{place}. {step.keyword} {step.text}"
        for place, step in enumerate((one for one in scenario.steps if not isinstance(one.action, Expect)), start=1)
    )
    for claim in scenario.claims:
        meanings = (
            f"`{claim.observer}`: {words.observers[claim.observer]}\n\n`{claim.secret}`: {words.secrets[claim.secret]}"
        )
        asked = words.question.format(observer=f"`{claim.observer}`", secret=f"`{claim.secret}`")
        text = "\n\n".join(part for part in (scenario.prose, story, f"**{asked}**", meanings) if part)
        name = _escaped(f"{number}. {scenario.title}: {claim.secret}, {claim.observer}")
        answers = "".join(_answers(scenario, claim, words))
        yield f"::{name}::[markdown]{_escaped(text)} {{\n{answers}}}\n"


def _answers(scenario: Scenario, claim: Claim, words: LessonWords) -> Iterator[str]:
    explained = {(one.secret, one.observer, one.exposure): one.text for one in scenario.explanations}
    for exposure in claimable(claim.secret):
        right = exposure is claim.exposure
        otherwise = words.wrong.format(exposure=claim.exposure)
        feedback = words.right if right else explained.get((claim.secret, claim.observer, exposure), otherwise)
        answer = _escaped(f"{exposure}: {words.exposures[exposure]}")
        yield f"{'=' if right else '~'}[markdown]{answer}#[markdown]{_escaped(feedback)}\n"


def _escaped(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_WRITTEN)


def _category(*names: str) -> str:
    """A path of categories: a slash in a name is doubled, and nothing else is escaped here."""
    return "/".join(name.replace("\\", " ").replace("/", "//") for name in names)
