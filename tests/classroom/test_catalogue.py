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

DATA = {str(one) for one in Exposure}
"""Keys that stand in what the class tells, and in no script."""

_WORD = r"""["'`](?:\w+\.)?(\w+)["'`]"""
_SAID = re.compile(rf"\bsay\(\s*{_WORD}\s*[,)]")
_EITHER = re.compile(rf"\bsay\([^()`]*\?\s*{_WORD}\s*:\s*{_WORD}\s*[,)]")
_MENTIONED = re.compile(r"""(?<=["'`.])(\w+)(?=["'`])""")
_FILLED = re.compile(r"`(\w*)\$\{[^{}]*\}(\w*)`")
_JOINED = re.compile(r"""["'](?:\w+\.)?(\w+_)["']\s*~""")
_REFUSED = re.compile(r"""\b_?refused\(\s*Kind\.\w+,\s*"(\w+)\"""")
_FIELD = re.compile(r"\{(\w*)\}")


def patterns(source: str) -> set[str]:
    """Keys of which a part is filled in: `phase_${phase}` in a script, "phase_" ~ name in a page."""
    return {f"{before}*{after}" for before, after in _FILLED.findall(source)} | {
        f"{before}*" for before in _JOINED.findall(source)
    }


def said(source: str) -> set[str]:
    """The keys that a page or a script asks for by name."""
    return set(_SAID.findall(source)).union(*_EITHER.findall(source))


def mentioned(source: str) -> set[str]:
    """Every quoted word, each a key that may be asked for some other way."""
    return set(_MENTIONED.findall(source))


def fits(key: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", r"\w+"), key) is not None


def missing(sources: Iterable[str], words: Iterable[str]) -> set[str]:
    """What is asked for, and is not there."""
    return set[str]().union(*map(said, sources)) - set(words)


def unused(sources: Iterable[str], words: Iterable[str]) -> set[str]:
    """What is there, and nobody asks for."""
    sources = list(sources)
    plain = set[str]().union(*map(mentioned, sources))
    filled = set[str]().union(*map(patterns, sources)) - {"*"}
    return {key for key in words if key not in plain and not any(fits(key, one) for one in filled)}


def sources(face: str) -> list[str]:
    """The pages and scripts of one face, with what all share: whatever is not called after another face."""
    web = CLASSROOM / "web"
    others = tuple(one for one in FACES if one != face)
    names = [*(web / "templates").glob("*.html"), *(web / "static").glob("*.js")]
    return [path.read_text("utf-8") for path in names if not path.stem.startswith(others) and _is_for(path, face)]


def _is_for(path: Path, face: str) -> bool:
    """Whoever joins becomes a learner."""
    return face == "learner" or path.stem != "join"


def python() -> list[str]:
    return [path.read_text("utf-8") for path in CLASSROOM.rglob("*.py")]


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


WRITTEN = {face for face in FACES if (CLASSROOM / f"web/static/{face}.js").exists()}


@pytest.mark.parametrize(
    "table", [one for one in catalogue("en").tables if one != COMMON or len(WRITTEN) == len(FACES)]
)
def test_nobody_keeps_a_string_that_is_never_said(table: str) -> None:
    faces = FACES if table == COMMON else [table] if table in FACES else []
    texts = [*python(), *(text for face in faces for text in sources(face))]
    assert unused(texts, set(catalogue("en").tables[table]) - DATA) == set()


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
    page = (
        """<h1>{{ say("learner.title") }}</h1><p aria-label="{{ say('learner.gone') }}">{{ say("t.short_" ~ name) }}"""
    )
    script = """
      say("send"); say(`phase_${state.phase}`); say(word); const keys = {ok: "fine"}; `${say("inner")}: ${x}`;
      say(one ? "this" : "that", {number: 1});
    """
    words = ["title", "send", "phase_first", "short_first", "fine", "inner", "this", "left_over", "phases"]
    assert missing([page, script], words) == {"gone", "that"}
    assert unused([page, script], words) == {"left_over", "phases"}
