"""The languages that a lesson can be written in, by the code that stands in the name of its file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lab.scenario.german import GERMAN
from lab.scenario.phrases import ENGLISH, Language

ORIGINAL = "en"
"""The language of NAME.feature.md; in any other one, the file is called NAME.CODE.feature.md."""

LANGUAGES: Mapping[str, Language] = MappingProxyType({ORIGINAL: ENGLISH, "de": GERMAN})


def suffix(language: str) -> str:
    """How the file of a lesson in the language of this code ends."""
    return ".feature.md" if language == ORIGINAL else f".{language}.feature.md"
