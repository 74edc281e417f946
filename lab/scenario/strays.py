"""Lines that look like Gherkin and that the parser did not take: what their author meant, and what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches

from gherkin.dialect import Dialect

from lab.scenario.markdown import as_bullet, as_heading, has_dashes, is_indented_row, is_row
from lab.scenario.phrases import Language, Part
from lab.scenario.vocabulary import match_template

_CLOSE = 0.8
"""How much the start of a heading must look like a keyword: "Scenari" does, "Role" does not look like "Rule"."""

WRONG_INDENT = "a table stands below its step and is indented with two to five spaces, no tab; this row is not"


@dataclass(frozen=True, slots=True)
class Words:
    """What starts a line of Gherkin in one language; step keywords without the space behind them."""

    features: tuple[str, ...]
    scenarios: tuple[str, ...]
    outlines: tuple[str, ...]
    unsupported: tuple[str, ...]
    steps: tuple[str, ...]
    language: Language

    @classmethod
    def of(cls, code: str, language: Language) -> Words:
        """The words of the language `code`, an entry of both the parser's table and ours."""
        dialect = Dialect.for_name(code)
        if dialect is None:
            raise ValueError(f"Gherkin has no language '{code}'")
        steps = (
            *dialect.given_keywords,
            *dialect.when_keywords,
            *dialect.then_keywords,
            *dialect.and_keywords,
            *dialect.but_keywords,
        )
        return cls(
            features=tuple(dialect.feature_keywords),
            scenarios=tuple(dialect.scenario_keywords),
            outlines=tuple(dialect.scenario_outline_keywords),
            unsupported=(*dialect.background_keywords, *dialect.examples_keywords, *dialect.rule_keywords),
            # "* " is no keyword in Markdown, where it is the bullet.
            steps=tuple(dict.fromkeys(word.strip() for word in steps if word != "* ")),
            language=language,
        )


def stray(line: str, words: Words, *, in_scenario: bool) -> str | None:
    """What is wrong with a line that the parser did not take; None if it is honest prose."""
    if line.lstrip().startswith("#"):
        return _stray_heading(line, words)
    if is_row(line):
        return _stray_row(line)
    bullet = as_bullet(line)
    if bullet is not None:
        return _stray_bullet(bullet, words, in_scenario=in_scenario)
    hidden = re.fullmatch(rf"[\W\d_]*(?:{'|'.join(map(re.escape, words.steps))})\b[\W_]*(.+)", line, re.IGNORECASE)
    if hidden and any(match_template(item.template, hidden[1].strip()) is not None for item in words.language.phrases):
        keyword = words.language.keywords[Part.STAGE]
        return f"this looks like a step, but a step starts with a bullet and a plain keyword: * {keyword} …"
    return None


def _stray_heading(line: str, words: Words) -> str | None:
    text = line.strip().lstrip("#").strip()
    before, colon, after = text.partition(":")
    if not colon:
        before, _, after = text.partition(" ")
    keywords = (*words.features, *words.scenarios, *((*words.outlines, *words.unsupported) if colon else ()))
    known = {keyword.casefold(): keyword for keyword in keywords}
    close = get_close_matches(before.strip().casefold(), known, n=1, cutoff=_CLOSE)
    if not close:
        opening = words.language.explanation_opening
        unspaced = as_heading(1, line) is None and text.casefold().startswith(opening.casefold())
        return f"this heading needs a space behind its number signs: ### {text}" if unspaced else None
    keyword = known[close[0]]
    if keyword in words.features:
        return f'a lesson has one "{keyword}" heading, in line 1'
    if keyword in words.scenarios:
        return f"this heading is almost that of a scenario; did you mean: ## {keyword}: {after.strip()} ?"
    return f'this heading is almost "{keyword}", which is not supported in lessons; write each scenario out in full'


def _stray_row(line: str) -> str:
    if not is_indented_row(line):
        return WRONG_INDENT
    if has_dashes(line):
        return "only the second row of a table has cells of dashes; elsewhere they hide the whole row from the parser"
    return "this table belongs to no step; a table cannot stand in prose"


def _stray_bullet(text: str, words: Words, *, in_scenario: bool) -> str:
    plain = text.lstrip("*_` ")
    keyword = max(words.steps, key=lambda word: _likeness(plain[: len(word)], word))
    likeness = _likeness(plain[: len(keyword)], keyword)
    if text.startswith(f"{keyword} ") and not in_scenario:
        return f"this step stands above the first scenario; start one with: ## {words.scenarios[-1]}: and its title"
    if text.split(maxsplit=1)[0:1] == [keyword]:
        return f'behind its keyword "{keyword}", a step has a space and then its words'
    hint = f'; did you mean "{keyword}"?' if likeness >= 0.6 else ""
    return (
        f"this bullet starts with none of the keywords {', '.join(words.steps)}{hint} "
        "(A list in prose would look like a misspelt step: number it, 1. 2. 3., or write sentences.)"
    )


def _likeness(text: str, keyword: str) -> float:
    return SequenceMatcher(None, text.casefold(), keyword.casefold()).ratio()


def continued(line: str) -> str | None:
    """What is wrong with such a line right below a step or a table; None if it stands apart from them."""
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    return (
        "this line goes on with the step or table above it and would be lost; "
        "a step is one line, and prose comes after a blank line"
    )
