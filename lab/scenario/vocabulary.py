"""The closed vocabulary of lessons: one table, from which matching, documentation and error messages come.

A translation is one more entry in `LANGUAGES`; the words for modes, secrets, observers, exposures and participants
are the same in each language, so that two translations of a lesson can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from enum import Enum, IntEnum, StrEnum, auto
from types import MappingProxyType

from lab.model import INFERRED_ONLY, Exposure, Mode, Observer, SecretName
from lab.scenario.errors import Problems
from lab.scenario.lesson import Participant


class Part(IntEnum):
    """The three parts of a scenario, in their order."""

    STAGE = 1
    STORY = 2
    CLAIMS = 3


class StepKind(Enum):
    """What a step does, in any language."""

    SERVE = auto()
    PLANT = auto()
    SEND_TEXT = auto()
    SEND_FILE = auto()
    EXPECT = auto()

    @property
    def part(self) -> Part:
        """The part of a scenario in which such a step belongs."""
        if self in (StepKind.SERVE, StepKind.PLANT):
            return Part.STAGE
        return Part.CLAIMS if self is StepKind.EXPECT else Part.STORY


@dataclass(frozen=True, slots=True)
class Phrase:
    """How a step is worded. `{fields}` in `template` are what the author fills in; `example` is one valid step."""

    kind: StepKind
    template: str
    example: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Language:
    """The words of one language. `keywords` are the Gherkin keywords which documentation shows for each part."""

    phrases: tuple[Phrase, ...]
    keywords: Mapping[Part, str]
    list_word: str
    explanation: str
    """The heading of an explanation."""
    explanation_opening: str
    """Its first words: a heading that opens like this is meant as an explanation."""


LANGUAGES: Mapping[str, Language] = MappingProxyType(
    {
        "en": Language(
            phrases=(
                Phrase(
                    StepKind.SERVE,
                    "a message service in {mode} mode",
                    "a message service in tls mode",
                    "Starts the message service. Exactly one in each scenario.",
                ),
                Phrase(
                    StepKind.PLANT,
                    "the secrets {secrets}",
                    "the secrets body, sender and time",
                    "Names what the lab looks for. Exactly one in each scenario.",
                ),
                Phrase(
                    StepKind.SEND_TEXT,
                    '{participant} sends {participants} "{text}"',
                    'alice sends bob "Meet me at 5pm"',
                    "Sends a text message. The secret `body` needs one.",
                ),
                Phrase(
                    StepKind.SEND_FILE,
                    '{participant} sends {participants} the file "{name}" containing "{text}"',
                    'alice sends bob and carol the file "plan.txt" containing "Platform 3"',
                    "Sends a file. The secret `attachment` needs one.",
                ),
                Phrase(
                    StepKind.EXPECT,
                    "the observers can read",
                    "the observers can read",
                    "The claims: a table below, with a row for each secret and a column for each observer.",
                ),
            ),
            keywords={Part.STAGE: "Given", Part.STORY: "When", Part.CLAIMS: "Then"},
            list_word="and",
            explanation="If you predicted {secret} at {observer} {exposure}",
            explanation_opening="If you predicted",
        )
    }
)

ON_STAGE = (Observer.NETWORK, Observer.SERVER, Observer.DATABASE)
"""Who observes each scenario. A further observer comes with a step of its own, so that no older lesson breaks."""

_WORDS: tuple[tuple[str, Mapping[StrEnum, str]], ...] = (
    (
        "mode",
        {
            Mode.PLAINTEXT: "no encryption at all",
            Mode.TLS: "each connection to the service is encrypted (HTTPS)",
            Mode.E2EE: "the same, and participants encrypt texts and files for each other",
        },
    ),
    (
        "secrets",
        {
            SecretName.BODY: "the text of a message",
            SecretName.ATTACHMENT: "the text in a file",
            SecretName.SENDER: "the account name of who sends",
            SecretName.RECIPIENT: "the account name of who receives",
            SecretName.PASSWORD: "the password of the sender",
            SecretName.SERVICE: "the name of the message service",
            SecretName.SIZE: "how long a message is",
            SecretName.TIME: "when it was sent",
        },
    ),
    (
        "observer",
        {
            Observer.NETWORK: "on the path between participants and service, without any key",
            Observer.SERVER: "the operator, reading what arrives at the service",
            Observer.DATABASE: "whoever gets a copy of the operator's stored data",
        },
    ),
    (
        "exposure",
        {
            Exposure.EXPOSED: "the observer can read it",
            Exposure.INFERRED: "the observer cannot read it, but can work it out (only `size` and `time`)",
            Exposure.HIDDEN: "the lab looked for it and did not find it",
        },
    ),
)
"""What each word means to an author, for the documentation."""


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
    for phrase in language.phrases:
        fields = match_template(phrase.template, text)
        if fields is not None:
            return phrase.kind, fields
    straight = re.sub("[“”„«»]", '"', text)
    if straight != text and any(match_template(phrase.template, straight) is not None for phrase in language.phrases):
        raise VocabularyError(f'unknown step "{text}"; did you mean: {straight} (with straight quotation marks)?')
    closest = max(language.phrases, key=lambda phrase: _likeness(text, phrase.example))
    if _likeness(text, closest.example) >= 0.5:
        raise VocabularyError(f'unknown step "{text}"; did you mean: {closest.template} ?')
    templates = "; ".join(phrase.template for phrase in language.phrases)
    raise VocabularyError(f'unknown step "{text}"; known: {templates}')


def match_template(template: str, text: str) -> Mapping[str, str] | None:
    """The text of each `{field}` of `template`, or None if `text` has another form. No field holds a `"`."""
    pattern = re.escape(template).replace(r"\ ", r"\s+")
    pattern = re.sub(r"\\\{(\w+)\\\}", r'(?P<\1>[^"]*?)', pattern)
    match = re.fullmatch(pattern, text)
    return None if match is None else match.groupdict()


def vocabulary_markdown() -> str:
    """The vocabulary as Markdown, for the guide to writing lessons: a table of steps and a table of words."""
    english = LANGUAGES["en"]
    steps = (
        (english.keywords[phrase.kind.part], f"`{phrase.template}`", f"`{phrase.example}`", phrase.meaning)
        for phrase in english.phrases
    )
    words = (
        (f"`{{{field}}}`", f"`{word}`", meaning) for field, meanings in _WORDS for word, meaning in meanings.items()
    )
    participants = ", ".join(f"`{name}`" for name in Participant)
    return "\n\n".join(
        (
            _table(("Keyword", "Step", "Example", "Meaning"), steps),
            "`{participant}` is one of " + participants + "; `{participants}` and `{secrets}` are one word or a list: "
            "`bob`, `bob and carol`, `body, sender and time`.",
            _table(("Field", "Word", "Meaning"), words),
        )
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def _likeness(text: str, example: str) -> float:
    """How much two steps look alike, apart from what stands in quotation marks."""
    first, second = (re.sub('"[^"]*"', '""', step).casefold() for step in (text, example))
    return SequenceMatcher(None, first, second).ratio()
