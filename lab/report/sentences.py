"""The sentences in which the lab gives its reasons and writes its reports, in the languages of lessons.

They are made in English: why a cell got its verdict, what a control has found, why somebody can read a field of an
envelope, what stands around it in a report. Recordings and files for programs keep them so. A face that speaks another
language asks here for the same sentence: it is recognised by its template, in the catalogue of that language beside
this file (`sentences.CODE.toml`), and what was filled in goes into the translation.

A template says what may stand in its places:

    {name}      one word, without blanks: an account, a place, a connection; it stays as it is
    {name:d}    a number
    {name:w}    one of the `words` of the catalogue; it is translated
    {name:o}    one word without blanks, or one of those `words`
    {name:s}    the rest: a sentence again, which is translated
    {name:*}    the rest as it is: what was recorded, or what another program said of itself

A sentence may be several of them, joined by semicolons or commas. What no template fits stays English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter

from lab.model import LabError

ENGLISH = "en"

_JOINED_BY = ("; ", ", ")
_NUMBER = r"-?\d+(?:\.\d+)?"


@dataclass(frozen=True, slots=True)
class Template:
    """How to recognise one sentence, and how to say it. `kinds` has what may stand in each of its places, by name."""

    english: str
    other: str
    pattern: str
    kinds: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sentences:
    """The catalogue of one language."""

    words: Mapping[str, str]
    fixed: Mapping[str, str]
    """The words, and the sentences in which nothing is filled in."""
    templates: tuple[Template, ...]
    decimal: str
    """What stands between whole numbers and their decimals."""

    def recognised(self, sentence: str) -> Iterator[tuple[Template, re.Match[str]]]:
        """Each template that `sentence` was made from: one, or none if the catalogue does not know it."""
        for template in self.templates:
            if match := _compiled(template.pattern).fullmatch(sentence):
                yield template, match

    def translated(self, sentence: str) -> str | None:
        """None: the catalogue does not know it."""
        if sentence in self.fixed:
            return self.fixed[sentence]
        for template, match in self.recognised(sentence):
            values = match.groupdict()
            return template.other.format_map({name: self._value(template.kinds[name], values[name]) for name in values})
        for separator in _JOINED_BY:
            if separator in sentence:
                parts = [self.translated(part) for part in sentence.split(separator)]
                known = [part for part in parts if part is not None]
                if len(known) == len(parts):
                    return separator.join(known)
        return None

    def _value(self, kind: str, value: str) -> str:
        match kind:
            case "d":
                return value.replace(".", self.decimal)
            case "w" | "o":
                return self.words.get(value, value)
            case "s":
                return self.translated(value) or value
        return value


def in_language(sentence: str, language: str) -> str:
    """`sentence`, one of the core's, in the language with this code; as it is, if that is English or it is unknown.

    LabError: the lab does not speak this language.
    """
    if language == ENGLISH:
        return sentence
    return sentences(language).translated(sentence) or sentence


@cache
def sentences(language: str) -> Sentences:
    """The catalogue of the language with this code. LabError: there is none."""
    file = Path(__file__).with_name(f"sentences.{language}.toml")
    if not file.is_file():
        raise LabError(f"there are no reports in {language!r}; give en or de")
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    words: dict[str, str] = tables.pop("words")
    decimal: str = tables.pop("numbers")["decimal"]
    # Of two words that begin alike, the longer one.
    known = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    allowed = {"": r"\S+", "d": _NUMBER, "w": known, "o": rf"{known}|\S+", "s": r"(?s:.*)", "*": r"(?s:.*)"}
    made = tuple(_template(english, other, allowed) for table in tables.values() for english, other in table.items())
    fixed = words | {one.english: one.other for one in made if not one.kinds}
    return Sentences(words, fixed, made, decimal)


# Compiling them all takes longer than reading them, and most runs need none.
_compiled = cache(re.compile)


def _template(english: str, other: str, allowed: Mapping[str, str]) -> Template:
    """`allowed` has the pattern of each kind of place."""
    pattern, kinds = "", dict[str, str]()
    for text, name, kind, _ in Formatter().parse(english):
        pattern += re.escape(text)
        if name in kinds:
            pattern += f"(?P={name})"
        elif name is not None:
            kinds[name] = kind or ""
            pattern += f"(?P<{name}>{allowed[kinds[name]]})"
    return Template(english, other, pattern, kinds)
