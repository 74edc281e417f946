"""The learner's pages say what the catalogue has, and the catalogue has nothing that they never say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lab.classroom.web
from lab.classroom.catalogue import catalogue

WEB = Path(lab.classroom.web.__file__).parent
SCRIPTS = [WEB / "static" / "join.js", *sorted((WEB / "static").glob("learner*.js"))]
TEMPLATES = [WEB / "templates" / "join.html", WEB / "templates" / "learner.html"]
ENDINGS = {
    "message_": ("waiting", "sent", "failed"),
    "interceptor_": ("untrusted", "trusted"),
    "news_": ("lobby", "story", "first", "discuss", "second", "closed", "run", "reveal", "play"),
}
"""Of the keys that are put together in a script."""


def source(paths: list[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


@pytest.mark.parametrize("language", ["en", "de"])
def test_whatever_the_pages_say_is_there(language: str) -> None:
    scripts, templates = source(SCRIPTS), source(TEMPLATES)
    words = catalogue(language)
    said = set(re.findall(r'say\("(\w+)"', scripts))
    said |= {key for one in re.findall(r"say\([^;\n]*?\? [^;\n]*", scripts) for key in re.findall(r'\? "(\w+)" :', one)}
    put_together = set(re.findall(r"say\(`(\w+_)\$\{", scripts))
    assert put_together == set(ENDINGS)
    said |= {start + end for start in put_together for end in ENDINGS[start]}
    assert said <= set(words.page("learner"))
    for name in re.findall(r'say\("([\w.]+)"', templates):
        assert words.say(name)


def test_nothing_in_the_catalogue_is_never_said() -> None:
    text = source([*SCRIPTS, *TEMPLATES])
    whole = {start + end for start, ends in ENDINGS.items() for end in ends}
    literals = set(re.findall(r'"(?:learner\.)?(\w+)"', text)) | whole
    assert set(catalogue("en").tables["learner"]) <= literals


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_the_policy_of_the_pages_has_nothing_to_refuse(path: Path) -> None:
    assert not re.search(r"\s(style|on\w+)=", path.read_text(encoding="utf-8"))


def test_what_people_typed_never_becomes_markup() -> None:
    # The one place that makes markup is given prose of the lesson.
    places = [path.name for path in SCRIPTS if re.search("innerHTML|insertAdjacentHTML|outerHTML", path.read_text())]
    assert places == ["learner_parts.js"]
    uses = re.findall(r"\bprose\(([^)]*)\)", source(SCRIPTS))
    assert sorted(uses) == ["explained", "html", "question.story"]
