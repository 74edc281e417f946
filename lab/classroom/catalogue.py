"""What the classroom says, in each language: one TOML file a language beside this one, a table for each face.

The words for secrets, observers and exposures are the same in all languages, and what they mean stands in
lab/report/lesson_words.py.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

COMMON = "common"


class Catalogue:
    """All strings of one language, by table and key."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]]) -> None:
        self.tables = MappingProxyType({name: MappingProxyType(dict(table)) for name, table in tables.items()})

    def say(self, name: str, **values: object) -> str:
        """The string "TABLE.KEY", with {words} in braces filled in. KeyError: there is none."""
        table, _, key = name.partition(".")
        return self.tables[table][key].format(**values)

    def page(self, face: str) -> dict[str, str]:
        """What the scripts of one face need: its own strings and the common ones, by key."""
        return {**self.tables[COMMON], **self.tables[face]}


@cache
def catalogue(language: str) -> Catalogue:
    """The strings of the language with this code. KeyError: the classroom does not speak it."""
    path = Path(__file__).with_name("words") / f"{language}.toml"
    if not path.is_file():
        raise KeyError(language)
    return Catalogue(tomllib.loads(path.read_text(encoding="utf-8")))
