"""The closed vocabulary of lessons: matching, documentation and error messages, all from the tables of phrases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches
from enum import StrEnum
from functools import cache

from lab.model import INFERRED_ONLY, Exposure, Observer, SecretName
from lab.scenario.errors import Problems
from lab.scenario.languages import LANGUAGES
from lab.scenario.lesson import Participant
from lab.scenario.phrases import ENGLISH, NAMED_TEXTS, WORDS, Language, StepKind

ON_STAGE = (Observer.NETWORK, Observer.SERVER, Observer.DATABASE)
"""Who observes each scenario. A further observer comes with a step of its own, so that no older lesson breaks."""


class VocabularyError(ValueError):
    """A step or a language that is not in the vocabulary; the message is one sentence with a suggestion."""


def language_for(code: str) -> Language:
    """The words of the language `code` ("en"); VocabularyError where there are none yet."""
    if code not in LANGUAGES:
        raise VocabularyError(f"no step phrases for language '{code}' yet; known: {', '.join(sorted(LANGUAGES))}")
    return LANGUAGES[code]


def read_word[Word: StrEnum](what: str, text: str, words: Iterable[Word], line: int, problems: Problems) -> Word | None:
    """The member of `words` written as `text`; where there is none, a problem of this line and None."""
    known = tuple(words)
    for word in known:
        if word == text:
            return word
    problems.add(line, f'unknown {what} "{text}"; {suggestion(text, known)}')
    return None


def suggestion(text: str, known: Iterable[str]) -> str:
    """`did you mean "…"?`, or the list of all known words where none is close."""
    words = {word.casefold(): word for word in known}
    close = get_close_matches(text.casefold(), words, n=1)
    return f'did you mean "{words[close[0]]}"?' if close else f"known: {', '.join(words.values())}"


def claimable(secret: SecretName) -> tuple[Exposure, ...]:
    """What a lesson may claim about `secret`."""
    readable = Exposure.INFERRED if secret in INFERRED_ONLY else Exposure.EXPOSED
    return (readable, Exposure.HIDDEN)


def split_list(text: str, language: Language) -> tuple[str, ...]:
    """The items of "a, b and c"; an item is empty where the author wrote a comma too many."""
    word = re.escape(language.list_word)
    return tuple(item.strip() for item in re.split(rf",\s*{word}\s|\s{word}\s|,", text))


def match_step(text: str, language: Language) -> tuple[StepKind, Mapping[str, str]]:
    """What a step does and the text of each field of its phrase; VocabularyError suggests the closest phrase."""
    found = ((phrase, match_template(phrase.template, text)) for phrase in language.phrases)
    fitting = [(phrase, fields) for phrase, fields in found if fields is not None]
    if fitting:
        # "the group" in place of a name fits a shorter phrase, too: the one with more words of its own is meant.
        phrase, fields = max(fitting, key=lambda fit: len(re.sub(r"\{\w+\}", "", fit[0].template)))
        return phrase.kind, fields
    straight = re.sub("[“”„«»]", '"', text)
    if straight != text and any(match_template(phrase.template, straight) is not None for phrase in language.phrases):
        raise VocabularyError(f'unknown step "{text}"; did you mean: {straight} (with straight quotation marks)?')
    closest = max(language.phrases, key=lambda phrase: _likeness(text, phrase.example))
    if _likeness(text, closest.example) >= 0.5:
        raise VocabularyError(f'unknown step "{text}"; did you mean: {closest.template} ?')
    raise VocabularyError(f'unknown step "{text}"; scenarios/README.md lists the steps that there are')


def match_template(template: str, text: str) -> Mapping[str, str] | None:
    """The text of each `{field}` of `template`, or None if `text` has another form. No field holds a `"`.

    A field that stands in `template` twice has the same text in both places.
    """
    match = _pattern(template).fullmatch(text)
    return None if match is None else match.groupdict()


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """How the texts look that fit. Made once for each phrase: each step of a lesson is compared with them all."""
    pattern = re.escape(template).replace(r"\ ", r"\s+")
    fields: set[str] = set()

    def group(field: re.Match[str]) -> str:
        if field[1] in fields:
            return f"(?P={field[1]})"
        fields.add(field[1])
        return f'(?P<{field[1]}>[^"]*?)'

    return re.compile(re.sub(r"\\\{(\w+)\\\}", group, pattern))


def vocabulary_markdown() -> str:
    """The vocabulary as Markdown, for the guide to writing lessons: a table of steps and a table of words."""
    steps = (
        (ENGLISH.keywords[phrase.kind.part], f"`{phrase.template}`", f"`{phrase.example}`", phrase.meaning)
        for phrase in ENGLISH.phrases
    )
    words = (
        (f"`{{{field}}}`", f"`{word}`", meaning) for field, meanings in WORDS for word, meaning in meanings.items()
    )
    participants, parts = (", ".join(f"`{name}`" for name in words) for words in (Participant, NAMED_TEXTS))
    return "\n\n".join(
        (
            _table(("Keyword", "Step", "Example", "Meaning"), steps),
            "`{participant}` and `{other}` are one of "
            + participants
            + ". `{participants}` and `{secrets}` are one word or "
            "a list: `bob`, `bob and carol`, `body, sender and time`. `{part}` is one of " + parts + ".",
            _table(("Field", "Word", "Meaning"), words),
        )
    )


def translation_markdown(code: str) -> str:
    """The steps in the language `code` beside the English ones, as a table in Markdown."""
    language = LANGUAGES[code]
    steps = (
        (language.keywords[phrase.kind.part], f"`{phrase.template}`", f"`{phrase.example}`", f"`{english.template}`")
        for phrase, english in zip(language.phrases, ENGLISH.phrases, strict=True)
    )
    return _table(("Keyword", "Step", "Example", "In English"), steps)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def _likeness(text: str, example: str) -> float:
    """How much two steps look alike, apart from what stands in quotation marks."""
    first, second = (re.sub('"[^"]*"', '""', step).casefold() for step in (text, example))
    return SequenceMatcher(None, first, second).ratio()
