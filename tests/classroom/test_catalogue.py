"""The strings of the classroom: all of them in each language, all that are asked for, and none that nobody says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from lab.classroom.catalogue import COMMON, Catalogue, catalogue
from lab.model import Exposure
from lab.scenario.languages import LANGUAGES

ROOT = Path(__file__).resolve().parents[2]
CLASSROOM = ROOT / "lab/classroom"
FACES = ("learner", "teacher", "stage")
CODES = sorted(path.stem for path in (CLASSROOM / "words").glob("*.toml"))

_TEXT = r"""(?:"[^"\n]*"|'[^'\n]*'|`[^`]*`)"""
_SAID = re.compile(rf"\bsay\(\s*({_TEXT})")
_REFUSED = re.compile(r"""\b_?refused\(\s*Kind\.\w+,\s*"(\w+)\"""")
_ATTRIBUTE = re.compile(_TEXT)
_FIELD = re.compile(r"\{(\w*)\}")


def said(source: str) -> set[str]:
    """The keys that a page or a script asks for by name; where a part is filled in (`phase_${phase}`), as a pattern."""
    return {re.sub(r"\$\{[^}]*\}", "*", text[1:-1]) for text in _SAID.findall(source)}


def mentioned(source: str) -> set[str]:
    """Every quoted text, each a key that may be asked for some other way."""
    return {re.sub(r"\$\{[^}]*\}", "*", text[1:-1]) for text in _ATTRIBUTE.findall(source)}


def fits(key: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", r"\w+"), key) is not None


def missing(sources: Iterable[str], words: Iterable[str]) -> set[str]:
    """What is asked for, and is not there."""
    known = list(words)
    asked = set[str]().union(*map(said, sources))
    return {one for one in asked if one != "*" and not any(fits(key, one.rpartition(".")[2]) for key in known)}


def unused(sources: Iterable[str], words: Iterable[str]) -> set[str]:
    """What is there, and nobody asks for."""
    patterns = {one.rpartition(".")[2] for one in set[str]().union(*map(mentioned, sources))} - {"*", ""}
    plain = {one for one in patterns if "*" not in one}
    filled = [one for one in patterns if "*" in one and re.fullmatch(r"[\w*]+", one)]
    return {key for key in words if key not in plain and not any(fits(key, one) for one in filled)}


def sources(face: str) -> list[str]:
    """The page and the script of one face, with what all pages share."""
    web = CLASSROOM / "web"
    names = [*(web / "templates").glob("*.html"), *(web / "static").glob("*.js")]
    others = [one for one in FACES if one != face]
    return [path.read_text("utf-8") for path in names if path.stem not in others]


def python() -> list[str]:
    return [path.read_text("utf-8") for path in CLASSROOM.rglob("*.py")]


def everything() -> list[str]:
    return [*python(), *(text for face in FACES for text in sources(face))]


def test_each_language_of_the_lessons_is_spoken() -> None:
    assert sorted(LANGUAGES) == CODES


@pytest.mark.parametrize("code", CODES)
def test_no_string_is_missing_in_any_language(code: str) -> None:
    english, other = catalogue("en").tables, catalogue(code).tables
    assert {table: set(words) for table, words in other.items()} == {
        table: set(words) for table, words in english.items()
    }


@pytest.mark.parametrize("code", CODES)
def test_each_language_fills_in_the_same(code: str) -> None:
    english, other = catalogue("en").tables, catalogue(code).tables
    for table, words in english.items():
        for key, text in words.items():
            assert set(_FIELD.findall(text)) == set(_FIELD.findall(other[table][key])), f"{table}.{key}"


@pytest.mark.parametrize("code", CODES)
def test_a_string_says_something_in_words(code: str) -> None:
    for table, words in catalogue(code).tables.items():
        for key, text in words.items():
            assert text.strip() == text != "", f"{table}.{key}"
            assert re.fullmatch("[a-z0-9_]+", key)
            assert "<" not in text, f"{table}.{key}: strings are text, never markup"


@pytest.mark.parametrize("face", FACES)
def test_what_a_page_says_is_in_the_catalogue(face: str) -> None:
    assert missing(sources(face), catalogue("en").page(face)) == set()


def test_what_the_class_refuses_with_is_in_the_catalogue() -> None:
    asked = {key for source in python() for key in _REFUSED.findall(source)}
    assert asked
    assert asked <= set(catalogue("en").tables["errors"])


@pytest.mark.parametrize(
    "table", ["errors", *(face for face in FACES if (CLASSROOM / f"web/static/{face}.js").exists())]
)
def test_nobody_keeps_a_string_that_is_never_said(table: str) -> None:
    texts = python() if table == "errors" else [*sources(table), *python()]
    assert unused(texts, catalogue("en").tables[table]) == set()


def test_no_face_has_a_string_of_its_own_for_what_all_have() -> None:
    common = set(catalogue("en").tables[COMMON])
    assert {str(one) for one in Exposure} <= common
    assert all(not common & set(catalogue("en").tables[face]) for face in FACES)


def test_a_language_that_nobody_speaks_here() -> None:
    with pytest.raises(KeyError):
        catalogue("tlh")


def test_a_string_is_filled_in() -> None:
    words = Catalogue({"common": {"cell": "{secret} at {observer}"}, "learner": {"go": "Go"}})
    assert words.say("common.cell", secret="body", observer="server") == "body at server"
    assert words.page("learner") == {"cell": "{secret} at {observer}", "go": "Go"}


# That the tests above would find something


def test_keys_that_are_missing_or_unused_are_found() -> None:
    template = """<h1>{{ say("learner.title") }}</h1><p aria-label="{{ say('learner.gone') }}">"""
    script = 'say("send"); say(`phase_${state.phase}`); say(word); const keys = {ok: "fine"}; say(`x_${y}`)'
    words = ["title", "send", "phase_first", "fine", "left_over"]
    assert missing([template, script], words) == {"learner.gone", "x_*"}
    assert unused([template, script], words) == {"left_over"}
