"""The reasons of the lab in other languages: each has a template, each template is recognised, none is left over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.model import Deed, Direction, LabError
from lab.report.sentences import Sentences, Template, in_language, sentences
from lab.scenario.languages import LANGUAGES, ORIGINAL

ROOT = Path(__file__).resolve().parents[2]
OTHERS = [code for code in LANGUAGES if code != ORIGINAL]

REASONS = (
    *("lab/controls.py", "lab/inference.py", "lab/matrix.py"),
    *("lab/report/words.py", "lab/report/as_html.py", "lab/report/page.py"),
)
"""Modules in which whatever reads like a sentence may become a reason, or stand in a report."""

SAYING: Mapping[str, int] = {
    **dict.fromkeys(("give_up", "Exhausted", "SqliteError", "UnknownMethodError", "Missing", "_OtherwiseError"), 0),
    **dict.fromkeys(("_Part", "_clear", "_sealed", "say"), 0),
    "Plant": 1,
    "GaveUp": 2,
}
"""Calls that take a reason, a field of an envelope or a sentence of a report, and as which argument."""

SPOKEN_BY = (
    *("lab/detect", "lab/e2ee/anatomy.py", "lab/planting.py", "lab/record.py", "lab/capture.py", "lab/inference.py"),
    *("lab/scenario/director.py", "lab/phones", "lab/report/as_text.py"),
)

PAGE = "lab/report/page.html.j2"

NO_SENTENCE = re.compile(r"[A-Z]+ /|.* HTTP/|\s*SELECT |default-src ")
"""First lines of requests, queries, and the policy of a page."""

BLANK = "{}"


# What the code says, by its syntax tree


def said(node: ast.expr, constants: Mapping[str, object]) -> Iterator[str]:
    """The template of a literal, with BLANK for what is filled in; a second one with the values of constants in it."""
    match node:
        case ast.Constant(value=str(text)):
            yield re.sub(r"\{\w+\}", BLANK, text).strip("; ")
        case ast.JoinedStr(values=parts):
            for known in ({}, constants):
                yield "".join(_part(part, known) for part in parts).strip("; ")


def _part(part: ast.expr, constants: Mapping[str, object]) -> str:
    match part:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=ast.Name(id=name)) if name in constants:
            return str(constants[name])
    return BLANK


def literals(tree: ast.AST) -> Iterator[ast.expr]:
    """Every string, a formatted one as a whole; neither docstrings nor what is said of a LabError."""
    match tree:
        case ast.Expr(value=ast.Constant()) | ast.Raise(exc=ast.Call(func=ast.Name(id="LabError"))):
            return
        case ast.JoinedStr():
            yield tree
            for part in tree.values:
                if isinstance(part, ast.FormattedValue):
                    yield from literals(part.value)
            return
        case ast.Constant(value=str()):
            yield tree
    for child in ast.iter_child_nodes(tree):
        yield from literals(child)


def constants(tree: ast.Module) -> dict[str, object]:
    return {
        target.id: statement.value.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def reasons(source: str) -> Iterator[set[str]]:
    """What a module says that gives reasons, each as the templates of which one has to be known."""
    tree = ast.parse(source)
    for node in literals(tree):
        templates = set(said(node, constants(tree)))
        if all(is_sentence(one) for one in templates):
            yield templates


def is_sentence(template: str) -> bool:
    """Whether there are words in it, with a blank between them, in the letters of a sentence."""
    return bool(re.search(r"[a-z]{2}", template) and " " in template.strip() and not NO_SENTENCE.match(template))


def is_name(template: str) -> bool:
    """Whether it is a word, as the names of fields are."""
    return re.fullmatch("[A-Za-z]+", template) is not None


def told(source: str) -> Iterator[set[str]]:
    """The same for a module that gives its reasons to one of the calls of SAYING."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            argument = node.args[SAYING[name] : SAYING[name] + 1] if name in SAYING else []
            for literal in argument:
                for one in literals(literal):
                    templates = set(said(one, constants(tree)))
                    if all(is_sentence(each) or (one is literal and is_name(each)) for each in templates):
                        yield templates


def everything_said() -> list[set[str]]:
    found = [one for name in REASONS for one in reasons((ROOT / name).read_text("utf-8"))]
    for name in SPOKEN_BY:
        path = ROOT / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found += told(file.read_text("utf-8"))
    return [*found, *({one} for one in _SAID_ON_A_PAGE.findall((ROOT / PAGE).read_text("utf-8")))]


_SAID_ON_A_PAGE = re.compile(r'\bsay\("([^"]+)"')


def outline(english: str) -> str:
    """A template of the catalogue as the code has it."""
    return "".join(text + (BLANK if name is not None else "") for text, name, _, _ in Formatter().parse(english))


# That the catalogue has it all


@pytest.mark.parametrize("code", OTHERS)
def test_whoever_adds_a_reason_gives_it_in_each_language(code: str) -> None:
    catalogue = sentences(code)
    known = {outline(one.english) for one in catalogue.templates} | set(catalogue.words)
    missing = [templates for templates in everything_said() if not templates & known]
    assert missing == []


MADE_UP = {"{}–{} bytes"} | {f"{{}} {unit}{end}" for unit in ("byte", "hour", "second") for end in ("", "s")}
"""What reports write for an amount, out of its unit."""


@pytest.mark.parametrize("code", OTHERS)
def test_no_language_keeps_a_reason_that_nobody_gives(code: str) -> None:
    trees = [ast.parse((ROOT / name).read_text("utf-8")) for name in REASONS]
    single = {one for tree in trees for node in literals(tree) for one in said(node, {})}
    given_ = single.union(*everything_said()) | MADE_UP
    assert [one.english for one in sentences(code).templates if outline(one.english) not in given_] == []


@pytest.mark.parametrize("code", OTHERS)
def test_no_language_keeps_a_word_that_nobody_says(code: str) -> None:
    sources = [(ROOT / name).read_text("utf-8") for name in (*REASONS, "lab/planting.py", "lab/scenario/director.py")]
    trees = [ast.parse(source) for source in sources]
    spoken = {one for tree in trees for node in literals(tree) for one in said(node, constants(tree))}
    spoken |= {*Deed, *Direction} | {f"{how}, {way}" for how, way in product(("whole", "split"), Direction)}
    assert set(sentences(code).words) - spoken == set()


@pytest.mark.parametrize("code", OTHERS)
def test_each_language_fills_in_the_same(code: str) -> None:
    for one in sentences(code).templates:
        names = {name for _, name, _, _ in Formatter().parse(one.other) if name is not None}
        assert names == set(one.kinds), one.english
        assert one.other.strip() == one.other != ""
        rest = [kind for kind in one.kinds.values() if kind in ("s", "*")]
        assert not rest or re.search(r"\{\w+:[s*]\}$", one.english), f"{one.english}: a rest is at the end"


# That a sentence is recognised


def written(english: str, values: Mapping[str, str]) -> str:
    return "".join(text + values.get(name or "", "") for text, name, _, _ in Formatter().parse(english))


@st.composite
def filled(draw: st.DrawFn, catalogue: Sentences) -> tuple[Template, dict[str, str], str]:
    """A template, what stands in its places, and the sentence."""
    template = draw(st.sampled_from(catalogue.templates))
    word = st.text(min_size=1).map(lambda text: "".join(text.split())).filter(bool)
    kinds = {
        "": word,
        "o": word | st.sampled_from(sorted(catalogue.words)),
        "d": st.one_of(st.integers().map(str), st.decimals(0, 10_000, places=3).map(str)),
        "w": st.sampled_from(sorted(catalogue.words)),
        "s": st.text() | st.deferred(lambda: filled(catalogue)).map(lambda found: found[2]),
        "*": st.text(),
    }
    values = {name: draw(kinds[kind]) for name, kind in template.kinds.items()}
    return template, values, written(template.english, values)


@pytest.mark.parametrize("code", OTHERS)
@given(data=st.data())
def test_each_template_is_recognised_as_itself_whatever_stands_in_it(code: str, data: st.DataObject) -> None:
    catalogue = sentences(code)
    template, values, sentence = data.draw(filled(catalogue))
    assert [one for one, _ in catalogue.recognised(sentence)] == [template]
    inside = {name: filled_in(catalogue, kind, values[name]) for name, kind in template.kinds.items()}
    assert catalogue.translated(sentence) == written(template.other, inside)


def filled_in(catalogue: Sentences, kind: str, value: str) -> str:
    match kind:
        case "d":
            return value.replace(".", catalogue.decimal)
        case "w" | "o":
            return catalogue.words.get(value, value)
        case "s":
            return catalogue.translated(value) or value
    return value


# What comes of it


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("not found, and all 7 controls passed", "nicht gefunden, und alle 7 Kontrollen sind bestanden"),
        (
            "control 'recorded' failed: bytes are missing in connection c-1, to service",
            "Kontrolle 'recorded' ist nicht bestanden: in Verbindung c-1 fehlen Bytes, zum Dienst",
        ),
        (
            "estimated 90 where 62 is true (bytes); the guess without a record (a typical text message, 62 bytes) "
            "comes as close",
            "geschätzt 90, wahr ist 62 (Bytes); das Raten ohne Aufzeichnung (eine typische Textnachricht, 62 Bytes) "
            "kommt ebenso nahe",
        ),
        (
            "of the observer's own messages, those of 40 and 160 bytes look the same, and 300 look longer; after an "
            "answer, 40 and 120 bytes look the same, and 200 look longer; but not each message of the story looks like "
            "these two",
            "von den eigenen Nachrichten des Beobachters sehen die mit 40 und 160 Bytes gleich aus und die mit 300 "
            "länger; nach einer Antwort die mit 40 und 120 Bytes gleich aus und die mit 200 länger; aber nicht jede "
            "Nachricht der Geschichte sieht aus wie diese",
        ),
        (
            "messages of the observer's own, kept aside for this check, come out as 92 for 90 bytes, 300 for 301 bytes",
            "eigene Nachrichten des Beobachters, für diese Kontrolle zurückgelegt, ergeben 92 statt 90 Bytes, 300 "
            "statt 301 Bytes",
        ),
        (
            "the times of 3 messages of the observer's own come out within 0.004 seconds",
            "die Zeiten von 3 eigenen Nachrichten des Beobachters stimmen auf 0,004 Sekunden",
        ),
        ("the tap failed: bytes are missing, they say", "der Abgriff ist ausgefallen: bytes are missing, they say"),
        (
            "message (none was sent) has no line in the log",
            "Nachricht (keine wurde gesendet) hat keine Zeile im Protokoll",
        ),
        ("what no template fits; not found", "what no template fits; not found"),
        ("", ""),
    ],
)
def test_a_reason_is_given_filled_in(english: str, german: str) -> None:
    assert in_language(english, "de") == german
    assert in_language(english, ORIGINAL) == english


def test_a_language_without_reasons_is_none() -> None:
    with pytest.raises(LabError, match="there are no reports in 'tlh'; give en or de"):
        in_language("not found, and all 7 controls passed", "tlh")


# That the tests above would find something

CARELESS = '''
"""A sentence about the module."""
MOST = 7

def why(record, budget):
    """What it is for."""
    if not record:
        raise LabError("this record is empty")
    yield f"connection {record} is lost"
    reason = "nothing was there" if record.query("SELECT a FROM b") else "GET /v1/things"
    reason += f"; and no more than {MOST} are"
    budget.give_up(f"{record}: too much")
    return Control("recorded", None, reason)
'''


def test_a_reason_that_was_forgotten_is_found() -> None:
    assert list(reasons(CARELESS)) == [
        {"connection {} is lost"},
        {"nothing was there"},
        {"and no more than {} are", "and no more than 7 are"},
        {"{}: too much"},
    ]
    assert list(told(CARELESS)) == [{"{}: too much"}]
