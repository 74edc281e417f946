"""One table of phrases: what the parser takes, what the guide says, and where a translation goes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lab.model import Encryption, Exposure, Mode, Observer, SecretName
from lab.scenario import parse, translation_markdown, vocabulary_markdown
from lab.scenario.languages import LANGUAGES
from lab.scenario.lesson import Certificate, Duration, Feature, Meddling
from lab.scenario.phrases import ENGLISH, WORDS, Part, StepKind
from lab.scenario.skeleton import skeleton
from lab.scenario.vocabulary import match_step, split_list

GUIDE = Path(__file__).parents[2] / "scenarios" / "README.md"


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
            assert set(fields) == _fields(phrase.template)


def test_each_step_has_the_same_fields_in_each_language():
    for language in LANGUAGES.values():
        for phrase, english in zip(language.phrases, ENGLISH.phrases, strict=True):
            assert (phrase.kind, _fields(phrase.template)) == (english.kind, _fields(english.template))


WRITTEN = {"text", "title", "name", "old", "new", "first", "second"}
"""Fields with what people write, in their language."""


def test_each_example_is_about_the_same_people_in_each_language():
    def told(example, language):
        fields = match_step(example, language)[1]
        return {name: split_list(text, language) for name, text in fields.items() if name not in WRITTEN}

    for language in LANGUAGES.values():
        for phrase, english in zip(language.phrases, ENGLISH.phrases, strict=True):
            assert told(phrase.example, language) == told(english.example, ENGLISH)


def test_each_meaning_is_told_to_english_readers():
    assert all(phrase.meaning for phrase in ENGLISH.phrases)


def _fields(template: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", template))


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


@pytest.mark.parametrize("code", sorted(LANGUAGES.keys() - {"en"}))
def test_the_guide_shows_the_phrases_of_each_translation(code):
    text = GUIDE.read_text(encoding="utf-8")
    shown = text.partition(f"<!-- {code} -->")[2].partition(f"<!-- /{code} -->")[0]

    assert shown.strip() == translation_markdown(code), f'put translation_markdown("{code}") between the two markers'


def test_the_lesson_in_the_guide_can_be_copied():
    (lesson,) = re.findall(r"^````markdown\n(.*?)^````$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

    assert lesson == skeleton("hello", "en")[1], "put what lab new hello writes between the two fences"
    assert parse(lesson, Path("hello.feature.md")).scenarios


GERMAN_LESSON = """\
# Funktionalität: Eine kurze Lektion

## Szenario: Der Betreiber liest mit

* Angenommen ein Nachrichtendienst läuft im Modus tls
* Und gesucht wird nach body und size
* Wenn alice an bob "Um fünf" schickt
* Dann können die Beobachter lesen

  |      | network  | server   | database |
  | ---- | -------- | -------- | -------- |
  | body | hidden   | exposed  | exposed  |
  | size | inferred | inferred | inferred |

### Wenn du vorhergesagt hast: body bei server hidden

TLS endet beim Dienst.
"""


def test_a_german_lesson_is_read_like_an_english_one(lesson):
    english = parse(lesson, Path("short.feature.md"))
    translated = parse(GERMAN_LESSON, Path("short.de.feature.md"))

    assert (translated.name, translated.language) == (english.name, "de")
    for one, other in zip(translated.scenarios, english.scenarios, strict=True):
        assert [replace(claim, line=0) for claim in one.claims] == [replace(claim, line=0) for claim in other.claims]
        assert [type(step.action) for step in one.steps] == [type(step.action) for step in other.steps]
        assert [explanation.text for explanation in one.explanations] == ["TLS endet beim Dienst."]


def test_a_translation_is_checked_in_its_own_words(refused):
    text = GERMAN_LESSON.replace("* Wenn alice", "* Wen alice").replace("## Szenario", "## Scenario")

    problems = refused(text, "short.de.feature.md")

    assert problems[1].startswith("3: this heading is almost that of a scenario; did you mean: ## Szenario:")
    assert any("7: " in problem and 'did you mean "Wenn"?' in problem for problem in problems)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("im Modus tls", "im Mode tls", "5: unknown step "),
        ("body und size", "body and size", '6: unknown secret "body and size"'),
        ("hast: body bei", "hast: body in", "15: the heading of an explanation has the form: ### Wenn du vorhergesagt"),
        ("### Wenn du vorhergesagt hast", "### If you predicted", None),
    ],
)
def test_slips_in_german_are_told_with_the_german_words(refused, old, new, problem):
    assert GERMAN_LESSON.count(old) == 1
    if problem is None:  # English words are prose in a German lesson
        assert parse(GERMAN_LESSON.replace(old, new), Path("short.de.feature.md")).scenarios[0].explanations == ()
    else:
        assert refused(GERMAN_LESSON.replace(old, new), "short.de.feature.md")[0].startswith(problem)
