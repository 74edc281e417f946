"""What handouts and question banks say around a lesson, in each language that a lesson can be written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lab.model import Exposure, Observer, SecretName
from lab.report.as_html import OBSERVERS, SECRETS
from lab.report.sentences import in_language
from lab.scenario.lesson import Audience


@dataclass(frozen=True, slots=True)
class LessonWords:
    """One language. `{fields}` are filled in by whoever prints the sentence."""

    exposures: Mapping[Exposure, str]
    observers: Mapping[Observer, str]
    secrets: Mapping[SecretName, str]
    audiences: Mapping[Audience, str]

    for_learners: str
    name: str
    date: str
    words: str
    story: str
    mode: str
    predict: str
    predict_how: str
    observe: str
    observe_how: str
    explain: str
    explain_how: str

    for_teachers: str
    before_class: str
    run_it: str
    demo: str
    self_study: str
    for_whom: str
    after: str
    place: str
    method: str
    method_steps: tuple[str, ...]
    method_source: str
    misconceptions: str
    true: str
    studies: str
    no_study: str
    hints: str
    hints_how: str
    answers: str
    if_predicted: str

    question: str
    right: str
    wrong: str


ENGLISH = LessonWords(
    exposures=MappingProxyType(
        {
            Exposure.EXPOSED: "the observer can read it",
            Exposure.INFERRED: "the observer cannot read it, but can work it out",
            Exposure.HIDDEN: "the lab looks for it there and does not find it",
        }
    ),
    observers=MappingProxyType(OBSERVERS),
    secrets=MappingProxyType(SECRETS),
    audiences=MappingProxyType(
        {Audience.PUPILS: "pupils", Audience.STUDENTS: "students", Audience.ENGINEERS: "engineers"}
    ),
    for_learners="Learner’s sheet",
    name="Name",
    date="Date",
    words="The words in the tables",
    story="What happens",
    mode="Mode",
    predict="1. Predict",
    predict_how="Before you see anything: mark one word in each cell.",
    observe="2. Observe",
    observe_how="Compare your table with the measured one. Circle each cell where they differ.",
    explain="3. Explain",
    explain_how="Choose one cell that you have circled, or one that you were not sure about. Why is it so?",
    for_teachers="Teacher’s sheet",
    before_class="Before the class",
    run_it="To show it",
    demo="{minutes} minutes to show",
    self_study="{minutes} minutes to work through alone",
    for_whom="For",
    after="Comes after",
    place="Lesson {place} of the course",
    method="How to use it",
    method_steps=(
        "Read the story together. Everybody marks a prediction in each cell, alone and in silence.",
        "Neighbours compare their tables and talk about the cells where they differ. They may change their minds.",
        "Run the lesson. Everybody circles the cells where the measurement says something else.",
        "Take the cells that many have circled, let learners explain them, and then say what stands below the answers.",
    ),
    method_source="Those who only watch a demonstration understand it no better than those who were not there; those "
    "who predict first do (Crouch et al., American Journal of Physics 72:835, 2004). About one observation in five is "
    "wrong (Miller et al., Physical Review ST Physics Education Research 9, 2013): compare the tables together.",
    misconceptions="What many believe, and what is true",
    true="In truth:",
    studies="Source:",
    no_study="From teaching practice; no study known to us.",
    hints="Hints",
    hints_how="One at a time, and only if the class is stuck.",
    answers="Answers",
    if_predicted="If somebody predicted {secret} at {observer} {exposure}",
    question="What can {observer} learn about {secret}?",
    right="Yes: that is what the lab measures.",
    wrong="The lab measures something else: {exposure}.",
)


class _InLanguage[K](Mapping[K, str]):
    """The same texts in another language, whose catalogue is read once the first of them is asked for."""

    def __init__(self, texts: Mapping[K, str], language: str) -> None:
        self._texts = texts
        self._language = language

    def __getitem__(self, name: K) -> str:
        return in_language(self._texts[name], self._language)

    def __iter__(self) -> Iterator[K]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


GERMAN = LessonWords(
    exposures=MappingProxyType(
        {
            Exposure.EXPOSED: "der Beobachter kann es lesen",
            Exposure.INFERRED: "der Beobachter kann es nicht lesen, aber ausrechnen",
            Exposure.HIDDEN: "das Labor sucht dort danach und findet es nicht",
        }
    ),
    observers=_InLanguage(OBSERVERS, "de"),
    secrets=_InLanguage(SECRETS, "de"),
    audiences=MappingProxyType(
        {
            Audience.PUPILS: "Schülerinnen und Schüler",
            Audience.STUDENTS: "Studierende",
            Audience.ENGINEERS: "Entwicklerinnen und Entwickler",
        }
    ),
    for_learners="Blatt für Lernende",
    name="Name",
    date="Datum",
    words="Die Wörter in den Tabellen",
    story="Was geschieht",
    mode="Modus",
    predict="1. Vorhersagen",
    predict_how="Bevor du etwas siehst: Kreuze in jedem Feld ein Wort an.",
    observe="2. Beobachten",
    observe_how="Vergleiche deine Tabelle mit der gemessenen. Kreise jedes Feld ein, in dem sie sich unterscheiden.",
    explain="3. Erklären",
    explain_how="Such dir ein Feld aus, das du eingekreist hast oder bei dem du unsicher warst. Warum ist es so?",
    for_teachers="Blatt für Lehrende",
    before_class="Vor der Stunde",
    run_it="Zum Vorführen",
    demo="{minutes} Minuten zum Vorführen",
    self_study="{minutes} Minuten zum Durcharbeiten allein",
    for_whom="Für",
    after="Kommt nach",
    place="Lektion {place} des Kurses",
    method="So wird sie benutzt",
    method_steps=(
        "Lesen Sie die Geschichte gemeinsam. Alle kreuzen in jedem Feld eine Vorhersage an, allein und still.",
        "Nachbarn vergleichen ihre Tabellen und sprechen über die Felder, in denen sie sich unterscheiden. Sie dürfen "
        "ihre Meinung ändern.",
        "Führen Sie die Lektion vor. Alle kreisen die Felder ein, in denen die Messung etwas anderes sagt.",
        "Nehmen Sie die Felder, die viele eingekreist haben, lassen Sie Lernende sie erklären, und sagen Sie dann, was "
        "unter den Antworten steht.",
    ),
    method_source="Wer eine Vorführung nur ansieht, versteht sie nicht besser als jemand, der nicht da war; wer vorher "
    "eine Vorhersage macht, schon (Crouch et al., American Journal of Physics 72:835, 2004). Etwa jede fünfte "
    "Beobachtung ist falsch (Miller et al., Physical Review ST Physics Education Research 9, 2013): Vergleichen Sie "
    "die Tabellen gemeinsam.",
    misconceptions="Was viele glauben und was stimmt",
    true="Richtig ist:",
    studies="Quelle:",
    no_study="Aus der Unterrichtspraxis; uns ist keine Studie bekannt.",
    hints="Hinweise",
    hints_how="Einer nach dem anderen, und nur, wenn die Klasse nicht weiterkommt.",
    answers="Antworten",
    if_predicted="Wenn jemand vorhergesagt hat: {secret} bei {observer} {exposure}",
    question="Was kann {observer} über {secret} erfahren?",
    right="Ja: Das misst das Labor.",
    wrong="Das Labor misst etwas anderes: {exposure}.",
)

WORDS: Mapping[str, LessonWords] = MappingProxyType({"en": ENGLISH, "de": GERMAN})
"""By the codes of lab/scenario/languages.py."""
