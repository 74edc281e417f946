"""A new lesson, which runs before anything in it is changed."""

from __future__ import annotations

from pathlib import Path

from lab.model import LabError
from lab.scenario.languages import suffix
from lab.scenario.library import require
from lab.scenario.metadata import NAME


def skeleton(name: str, language: str) -> tuple[str, str]:
    """The name of the file of a new lesson, and what is in it. LabError: there is no such language, or a lesson cannot
    be called so."""
    require(language)
    if not NAME.fullmatch(name):
        raise LabError(
            f"{name}: a lesson has a name of small letters, digits and hyphens, without an ending: my-lesson"
        )
    file_name = f"{name}{suffix(language)}"
    text = Path(__file__).with_name(f"skeleton.{language}.md").read_text(encoding="utf-8")
    return file_name, text.replace("FILE", file_name)
