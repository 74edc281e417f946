"""One table of phrases: what the parser takes, what the guide says, and where a translation goes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lab.model import Encryption, Exposure, Mode, Observer, SecretName
from lab.scenario import parse, vocabulary, vocabulary_markdown
from lab.scenario.lesson import Certificate, Duration, Feature, Meddling
from lab.scenario.phrases import LANGUAGES, WORDS, Part, StepKind
from lab.scenario.vocabulary import match_step

GUIDE = Path(__file__).parents[2] / "scenarios" / "README.md"

GERMAN_PHRASES = {
    StepKind.SERVE: ("ein Nachrichtendienst im Modus {mode}", "ein Nachrichtendienst im Modus tls"),
    StepKind.PLANT: ("die Geheimnisse {secrets}", "die Geheimnisse body und size"),
    StepKind.SEND_TEXT: ('{participant} schickt {participants} "{text}"', 'alice schickt bob "Um fünf"'),
    StepKind.EXPECT: ("können die Beobachter lesen", "können die Beobachter lesen"),
}
GERMAN = replace(
    LANGUAGES["en"],
    phrases=tuple(
        replace(phrase, template=GERMAN_PHRASES[phrase.kind][0], example=GERMAN_PHRASES[phrase.kind][1])
        for phrase in LANGUAGES["en"].phrases
        if phrase.kind in GERMAN_PHRASES
    ),
    keywords={Part.STAGE: "Angenommen", Part.STORY: "Wenn", Part.CLAIMS: "Dann"},
    list_word="und",
    explanation="Wer {secret} bei {observer} als {exposure} vorhersagt",
    explanation_opening="Wer",
)


def test_each_language_words_each_step_once():
    for language in LANGUAGES.values():
        assert [phrase.kind for phrase in language.phrases] == list(StepKind)
        assert set(language.keywords) == set(Part)
        assert language.explanation.startswith(language.explanation_opening)


def test_each_example_is_a_step_of_its_phrase():
    for language in LANGUAGES.values():
        for phrase in language.phrases:
            kind, fields = match_step(phrase.example, language)
            assert kind is phrase.kind
            assert list(fields) == list(dict.fromkeys(re.findall(r"\{(\w+)\}", phrase.template)))


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ('bob sends the group "Hi"', StepKind.SEND_GROUP),
        ('bob sends the group the later text "Hi"', StepKind.SEND_GROUP_PART),
        ('bob sends alice and carol the later text "Hi"', StepKind.SEND_PART),
        ('bob sends alice the file "a.txt" containing "Hi"', StepKind.SEND_FILE),
    ],
)
def test_of_several_phrases_that_fit_the_most_particular_one_is_meant(step, kind):
    assert match_step(step, LANGUAGES["en"])[0] is kind


def test_every_word_has_a_meaning():
    shown = [word for _, meanings in WORDS for word in meanings]
    exposures = [exposure for exposure in Exposure if exposure is not Exposure.INCONCLUSIVE]
    assert shown == [
        *Mode,
        *Encryption,
        *Certificate,
        *Meddling,
        *Feature,
        *Duration,
        *SecretName,
        *Observer,
        *exposures,
    ]
    assert all(meaning for _, meanings in WORDS for meaning in meanings.values())


def test_the_guide_shows_the_vocabulary():
    text = GUIDE.read_text(encoding="utf-8")
    shown = text.partition("<!-- vocabulary -->")[2].partition("<!-- /vocabulary -->")[0]

    assert shown.strip() == vocabulary_markdown(), "put the text of vocabulary_markdown() between the two markers"


def test_the_lesson_in_the_guide_can_be_copied():
    (lesson,) = re.findall(r"^````markdown\n(.*?)^````$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

    assert parse(lesson, Path("hello.feature.md")).scenarios


@pytest.fixture
def german(monkeypatch):
    monkeypatch.setattr(vocabulary, "LANGUAGES", {**LANGUAGES, "de": GERMAN})


GERMAN_LESSON = """\
# Funktionalität: Eine kurze Lektion

## Szenario: Der Betreiber liest mit

* Angenommen ein Nachrichtendienst im Modus tls
* Und die Geheimnisse body und size
* Wenn alice schickt bob "Um fünf"
* Dann können die Beobachter lesen

  |      | network  | server   | database |
  | ---- | -------- | -------- | -------- |
  | body | hidden   | exposed  | exposed  |
  | size | inferred | inferred | inferred |

### Wer body bei server als hidden vorhersagt

TLS endet beim Dienst.
"""


@pytest.mark.usefixtures("german")
def test_a_translation_is_one_more_entry(lesson):
    english = parse(lesson, Path("short.feature.md"))
    translated = parse(GERMAN_LESSON, Path("short.de.feature.md"))

    assert (translated.name, translated.language) == (english.name, "de")
    for one, other in zip(translated.scenarios, english.scenarios, strict=True):
        assert [replace(claim, line=0) for claim in one.claims] == [replace(claim, line=0) for claim in other.claims]


@pytest.mark.usefixtures("german")
def test_a_translation_is_checked_in_its_own_words(refused):
    text = GERMAN_LESSON.replace("* Wenn", "* Wen").replace("## Szenario", "## Scenario")

    problems = refused(text, "short.de.feature.md")

    assert problems[1].startswith("3: this heading is almost that of a scenario; did you mean: ## Szenario:")
    assert any("7: " in problem and 'did you mean "Wenn"?' in problem for problem in problems)
