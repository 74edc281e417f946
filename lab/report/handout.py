"""A lesson as one HTML page to print, laid out by handout.html.j2: the learner's sheet, then the teacher's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from lab.model import Exposure, Observer, SecretName
from lab.report.lesson_words import WORDS
from lab.report.page import STYLE, render, visible
from lab.scenario.languages import ORIGINAL
from lab.scenario.lesson import Expect, Lesson, Scenario, Step
from lab.scenario.misconceptions import MISCONCEPTIONS
from lab.scenario.vocabulary import claimable

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False}).disable("image")

LINES = 3
"""How many lines there are to write an explanation on."""


def to_handout(lesson: Lesson) -> str:
    """One HTML document without outside references. In the learner's part, nothing gives the claims away."""
    words = WORDS[lesson.language]
    folder = Path(__file__).parent
    return render(
        folder / "handout.html.j2",
        [STYLE, folder / "handout.css"],
        lesson=lesson,
        say=words,
        exposures=[
            exposure for exposure in words.exposures if any(exposure in claimable(one) for one in _rows(lesson))
        ],
        observers=[one for one in Observer if any(one in scenario.observers for scenario in lesson.scenarios)],
        secrets=_rows(lesson),
        misconceptions=[MISCONCEPTIONS[slug] for slug in lesson.misconceptions],
        command=_command(lesson),
        lines=range(LINES),
        choices=claimable,
        claim=_claim,
        markdown=markdown,
        story=_story,
    )


def markdown(text: str) -> Markup:
    """Markdown as HTML. HTML in it is text, and where a link leads is written out, as paper needs it."""
    tokens = _MARKDOWN.parse("\n".join(visible(line) for line in text.split("\n")))
    for token in tokens:
        if token.children:
            token.children = list(_without_links(token.children))
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704 - it escapes what is no Markdown


def _without_links(tokens: Iterable[Token]) -> Iterator[Token]:
    targets: list[str] = []
    for token in tokens:
        if token.type == "link_open":
            targets.append(str(token.attrGet("href")))
        elif token.type == "link_close":
            yield Token("text", "", 0, content=f" ({targets.pop()})")
        else:
            yield token


def _rows(lesson: Lesson) -> list[SecretName]:
    """The secrets of all scenarios, in the order of the vocabulary."""
    return [one for one in SecretName if any(one in scenario.secrets for scenario in lesson.scenarios)]


def _claim(scenario: Scenario, secret: SecretName, observer: Observer) -> Exposure:
    return next(one.exposure for one in scenario.claims if (one.secret, one.observer) == (secret, observer))


def _story(scenario: Scenario) -> list[Step]:
    """The steps before the claims."""
    return [step for step in scenario.steps if not isinstance(step.action, Expect)]


def _command(lesson: Lesson) -> str:
    """What to type to show the lesson."""
    language = "" if lesson.language == ORIGINAL else f" --language {lesson.language}"
    return f"lab guide {lesson.name}{language}"
