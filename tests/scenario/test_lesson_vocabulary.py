"""One table of phrases: what the parser takes, what the guide says, and where a translation goes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lab.scenario import parse, vocabulary, vocabulary_markdown
from lab.scenario.vocabulary import LANGUAGES, Part, StepKind, match_step

GUIDE = Path(__file__).parents[2] / "scenarios" / "README.md"

GERMAN = replace(
    LANGUAGES["en"],
    phrases=tuple(
        replace(phrase, template=template, example=example)
        for phrase, (template, example) in zip(
            LANGUAGES["en"].phrases,
            (
                ("ein Nachrichtendienst im Modus {mode}", "ein Nachrichtendienst im Modus tls"),
                ("die Geheimnisse {secrets}", "die Geheimnisse body und size"),
                ('{participant} schickt {participants} "{text}"', 'alice schickt bob "Um fünf"'),
                (
                    '{participant} schickt {participants} die Datei "{name}" mit dem Inhalt "{text}"',
                    'alice schickt bob die Datei "plan.txt" mit dem Inhalt "Gleis 3"',
                ),
                ("können die Beobachter lesen", "können die Beobachter lesen"),
            ),
            strict=True,
        )
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
            assert list(fields) == re.findall(r"\{(\w+)\}", phrase.template)


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
