from __future__ import annotations

import base64
import functools
import hashlib
import html
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging.recordings import judged, recorded

from lab.capture import Writer
from lab.cli import main
from lab.model import (
    Cell,
    Control,
    Direction,
    Evidence,
    Exposure,
    Inference,
    LeakMatrix,
    Mode,
    Observer,
    SecretName,
)
from lab.report import as_html
from lab.report.as_html import dump, off_by, to_html
from lab.report.page import chain, visible
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.stage import Stage

from . import chromium
from .tree import LINKING, Element, tree

NASTY = '<script>alert("x")</script><b>\' & \x00\x1b[31m\u202eelif\u2028\ud800 {{ 7 * 7 }} ]]> --> &amp;'


@pytest.fixture(scope="module")
def tour(stage: Stage) -> list[LeakMatrix]:
    """The verdicts on the tour as it was recorded on real taps."""
    return list(judged(stage).values())


@pytest.fixture(scope="module")
def tour_page(tour: list[LeakMatrix]) -> Element:
    return tree(to_html(tour))


@pytest.fixture(scope="module")
def kinds_page(every_kind: list[LeakMatrix]) -> Element:
    return tree(to_html(every_kind))


@pytest.fixture(scope="module")
def every_kind() -> list[LeakMatrix]:
    return [*odd_lesson(), LeakMatrix("empty", "Nothing was asked", Mode.TLS, ())]


def odd_lesson() -> list[LeakMatrix]:
    """Two sessions of one mode with each kind of cell, and with text that nobody means well."""
    window = b"GET /x HTTP/1.1\r\n\r\n<b>secret</b> and again: sec" + b"." * 16 + b"ret"
    start = window.index(b"secret")
    again = window.index(b" sec") + 1
    evidence = (
        Evidence("http.body", "1", Direction.TO_SERVICE, ((start + 7, start + 13),), (), "<b>secret</b>", 7, window),
        Evidence(
            "database.row",
            "",
            Direction.AT_REST,
            ((again, again + 3), (len(window) - 3, len(window))),
            ("sqlite", "base64", "gzip"),
            NASTY,
            0,
            window,
        ),
        Evidence("a.new.place", "2", Direction.TO_CLIENT, ((5, 5000),), ("a-new-decoder",), "cut", 0, b"0123456789"),
        Evidence("tls.sni", "3", Direction.TO_SERVICE, ((0, 6),), (), "no bytes are kept with this"),
    )
    cells = (
        Cell(SecretName.BODY, Observer.NETWORK, Exposure.EXPOSED, "readable", evidence, Exposure.EXPOSED),
        Cell(SecretName.BODY, Observer.SERVER, Exposure.HIDDEN, "not found", (), Exposure.EXPOSED),
        Cell(SecretName.BODY, Observer.DATABASE, Exposure.INCONCLUSIVE, f"it broke: {NASTY}", (), Exposure.HIDDEN),
        *(
            Cell(SecretName.SIZE, one, verdict, "because of the lengths", (), verdict)
            for one, verdict in zip(ON_STAGE, (Exposure.INFERRED, Exposure.INFERRED, Exposure.HIDDEN), strict=True)
        ),
        *(Cell(SecretName.SENDER, one, Exposure.INCONCLUSIVE, "the tap failed", ()) for one in ON_STAGE),
    )
    controls = (
        Control("travelled", None, SecretName.BODY, passed=True, detail="it was read (1 of 1)"),
        Control("recorded", Observer.SERVER, None, passed=True, detail="all connections are there"),
        Control("recorded", Observer.DATABASE, None, passed=False, detail=NASTY),
        Control("detects", Observer.SERVER, SecretName.BODY, passed=True, detail="found when planted"),
        Control("detects", Observer.NETWORK, SecretName.BODY, passed=True, detail="of another observer"),
        Control("decoys", Observer.SERVER, SecretName.SENDER, passed=True, detail="of another secret"),
        Control("a-new-control", Observer.SERVER, SecretName.BODY, passed=True, detail="new"),
    )
    inferences = tuple(
        Inference(one, SecretName.SIZE, 30, 33, 16, 29, "bytes", "a typical message, 62 bytes", alike)
        for one, alike in zip(ON_STAGE, (None, None, (16, 90)), strict=True)
    )
    secrets = {SecretName.BODY: "secret", SecretName.SENDER: NASTY}
    matrix = LeakMatrix(NASTY, NASTY, Mode.E2EE, cells, inferences, controls, secrets)
    return [matrix, replace(matrix, title="The same mode once more")]


def inside(root: Element, number: int, secret: str, observer: str) -> Element:
    """What a cell of the given session opens."""
    return by_id(root)[f"s{number}-{secret}-{observer}"]


@functools.lru_cache(maxsize=1)
def by_id(root: Element) -> Mapping[str, Element]:
    return {one.attributes["id"]: one for one in root.walk() if "id" in one.attributes}


def test_the_page_refers_to_nothing_outside(tour: list[LeakMatrix], every_kind: list[LeakMatrix]) -> None:
    for page in (to_html(tour), to_html(every_kind)):
        root = tree(page)
        for element in root.walk():
            for name in LINKING & element.attributes.keys():
                assert (element.tag, name) == ("a", "href")
                assert element.attributes[name].startswith("#")
            assert not any(name.startswith("on") for name in element.attributes), element
        assert not {element.tag for element in root.walk()} & {"script", "link", "base", "iframe", "object", "img"}
        (style,) = root.all("style")
        assert not re.search(r"url\(|@import|//", style.text)


def test_the_policy_allows_the_page_its_style_and_nothing_else(tour_page: Element) -> None:
    (policy,) = (one for one in tour_page.all("meta") if one.attributes.get("http-equiv") == "Content-Security-Policy")
    (style,) = tour_page.all("style")
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_every_id_is_there_once_and_every_link_leads_to_one(
    tour: list[LeakMatrix], every_kind: list[LeakMatrix]
) -> None:
    for matrices in (tour, every_kind):
        root = tree(to_html(matrices))
        ids = Counter(one.attributes["id"] for one in root.walk() if "id" in one.attributes)
        assert set(ids.values()) == {1}
        assert all(one.attributes["href"].removeprefix("#") in ids for one in root.all("a"))
        labels = [one.attributes["aria-labelledby"] for one in root.walk() if "aria-labelledby" in one.attributes]
        assert set(labels) <= ids.keys()
    assert root.all("html", lang="en")
    assert root.all("title")


def test_the_tables_hold_the_verdicts(tour: list[LeakMatrix], tour_page: Element) -> None:
    tables = tour_page.all(class_="matrix")
    assert len(tables) == len(tour) == 3
    for table, matrix in zip(tables, tour, strict=True):
        (caption,) = table.all("caption")
        assert caption.words == f"{matrix.title} mode {matrix.mode}, lesson {matrix.scenario}"
        assert [one.text for one in table.all("th", scope="col")] == list(matrix.columns)
        rows = [row for row in table.all("tr") if row.all("th", scope="row")]
        assert [row.all("th")[0].text for row in rows] == list(matrix.rows)
        for row, secret in zip(rows, matrix.rows, strict=True):
            read = [cell.text.partition(":")[0] for cell in row.all("a")]
            assert read == [matrix.cell(secret, observer).exposure for observer in matrix.columns]
            names = [cell.text.partition(": ")[2] for cell in row.all("a")]
            assert names == [f"{secret} at {observer}" for observer in matrix.columns]


def test_every_cell_opens_what_earned_it(tour: list[LeakMatrix], tour_page: Element) -> None:
    for number, matrix in enumerate(tour, start=1):
        for cell in matrix.cells:
            opened = inside(tour_page, number, cell.secret, cell.observer)
            text = opened.words
            assert matrix.secrets.get(cell.secret, "") in text
            if cell.exposure is Exposure.EXPOSED:
                assert len(opened.all(class_="dump")) == len(cell.evidence)
                for one in cell.evidence:
                    assert one.place in text
                    assert chain(one.decoders) in text
                    assert all(f"{end - start} bytes from offset {start}" in text for start, end in one.spans)
            else:
                assert cell.reason in text[0].lower() + text[1:] or cell.reason[1:] in text
                concerned = [
                    control
                    for control in matrix.controls
                    if control.observer in (None, cell.observer) and control.secret in (None, cell.secret)
                ]
                checks = opened.all(class_="checks")[0].all("li")
                assert len(checks) == len(concerned)
                assert all(check.words.startswith("Passed") for check in checks)
                assert all(one.detail in check.words for one, check in zip(concerned, checks, strict=True))


def test_the_marked_bytes_are_the_match(tour: list[LeakMatrix], tour_page: Element) -> None:
    compared = 0
    for number, matrix in enumerate(tour, start=1):
        for cell in matrix.cells:
            dumps = inside(tour_page, number, cell.secret, cell.observer).all(class_="dump")
            for shown, one in zip(dumps, cell.evidence, strict=True):
                rows = [row.all("td") for row in shown.all("tr") if row.all("td")]
                start, end = (at - one.window_start for at in one.spans[0])
                marked = " ".join(mark.text for left, _ in rows for mark in left.all("mark"))
                assert bytes.fromhex(marked) == one.window[start:end]
                # The same without marks, for those who do not see them.
                columns = " ".join(left.text for left, _ in rows)
                assert bytes.fromhex(columns[columns.index("[") + 1 : columns.index("]")]) == one.window[start:end]
                assert bytes.fromhex(columns.translate({ord("["): " ", ord("]"): " "})) == one.window
                offsets = [int(row.text) for row in shown.all("th", scope="row")]
                assert offsets == list(range(one.window_start, one.window_start + len(one.window), as_html.ROW))
                compared += 1
    assert compared > 100


def test_the_match_is_marked_in_the_excerpt_where_it_stands_there(tour: list[LeakMatrix], tour_page: Element) -> None:
    marked = 0
    for number, matrix in enumerate(tour, start=1):
        for cell in matrix.cells:
            for shown, one in zip(
                inside(tour_page, number, cell.secret, cell.observer).all(class_="excerpt"), cell.evidence, strict=True
            ):
                said = "match begins: ", " match ends. "
                text = shown.text
                for words in said:
                    text = text.replace(words, "")
                assert text == f"“{one.excerpt}”"
                marked += len(shown.all("mark"))
    assert marked > 100


def test_a_match_in_pieces_is_marked_in_pieces() -> None:
    one = Evidence("tcp.stream", "1", Direction.TO_SERVICE, ((102, 104), (115, 118)), (), "", 100, bytes(range(20)))
    runs = [run for row in dump(one) for half in row.halves for run in half]
    assert [(run.data, run.first, run.last) for run in runs if run.match] == [
        (bytes([2, 3]), True, True),
        (bytes([15]), True, False),
        (bytes([16, 17]), False, True),
    ]
    assert b"".join(run.data for run in runs) == one.window
    assert [row.offset for row in dump(one)] == [100, 116]


def test_a_match_longer_than_what_is_kept_says_so(kinds_page: Element) -> None:
    text = inside(kinds_page, 1, "body", "network").words
    assert text.count("The match goes on behind these bytes.") == 1
    assert "4995 bytes from offset 5" in text


def test_places_and_decoders_that_are_new_are_named(kinds_page: Element) -> None:
    text = inside(kinds_page, 1, "body", "network").words
    assert "in a.new.place" in text
    assert "decoded: a-new-decoder" in text
    assert "decoded: database pages, then base64, then gzip" in text
    assert "a-new-control" in inside(kinds_page, 1, "body", "server").words


def test_only_controls_of_this_cell_are_listed(kinds_page: Element) -> None:
    text = inside(kinds_page, 1, "body", "server").words
    assert "it was read (1 of 1)" in text
    assert "all connections are there" in text
    assert "found when planted" in text
    assert "of another" not in text
    failed = inside(kinds_page, 1, "body", "database")
    assert [check.words[:6] for check in failed.all(class_="checks")[0].all("li")] == ["Passed", "Failed"]


def test_a_claim_that_differs_is_named(kinds_page: Element) -> None:
    assert "The lesson claims exposed, the measurement says hidden." in inside(kinds_page, 1, "body", "server").words
    assert "The lesson claims hidden. This run cannot say." in inside(kinds_page, 1, "body", "database").words
    assert "claims" not in inside(kinds_page, 1, "body", "network").words
    (word,) = kinds_page.all(id="s1-body-server-word")
    assert word.words == "hidden: body at serverclaimed: exposed"
    (summary,) = kinds_page.all(class_="summary")
    assert summary.text == "8 of 12 claims hold; 2 failed; 8 could not be decided."


def test_an_estimate_stands_beside_the_truth(kinds_page: Element, tour_page: Element) -> None:
    (answer,) = inside(kinds_page, 1, "size", "server").all(class_="answers")[0].all("li")
    assert answer.words == (
        "Estimate: 30 bytes. Truth: 33 bytes. Off by 3 bytes; allowed is at most 16 bytes. "
        "A guess without the record (a typical message, 62 bytes) is off by 29 bytes."
    )
    (answer,) = inside(kinds_page, 1, "size", "database").all(class_="answers")[0].all("li")
    assert answer.words == (
        "Estimate: 16–90 bytes, which all look the same. Truth: 33 bytes. "
        "A guess without the record (a typical message, 62 bytes) is off by 29 bytes."
    )
    for number in (1, 2, 3):
        times = inside(tour_page, number, "time", "network").all(class_="answers")[0].all("li")
        assert len(times) == 2
        assert all(one.words.endswith("(the middle of the day) is off by 6 hours, on average.") for one in times)


def test_errors_in_words() -> None:
    time = Inference(Observer.NETWORK, SecretName.TIME, 0, 0, 1, 21600, "seconds since 1970 (UTC)", "noon")
    assert off_by(time, 1.0) == "1 second"
    assert off_by(time, 0.0) == "0 seconds"
    assert off_by(time, 0.0125) == "0.013 seconds" or off_by(time, 0.0125) == "0.012 seconds"
    assert off_by(time, 3600) == "1 hour"
    assert off_by(replace(time, secret=SecretName.SIZE, unit="bytes"), 29) == "29 bytes"


def test_the_path_says_what_each_observer_held(tour: list[LeakMatrix], tour_page: Element) -> None:
    lanes = tour_page.all(class_="lane")
    for lane, matrix in zip(lanes, tour, strict=True):
        stations = lane.all("li", class_="station")
        names = [station.all("h4")[0].text for station in stations]
        assert names == ["alice", "network", "server", "service", "database", "bob"]
        assert "got: body, attachment, sender" in stations[-1].words
        beside = lane.all("div", class_="beside")
        assert [one.all("h4")[0].text for one in beside] == [one for one in matrix.columns if one in as_html.BESIDE]
        for station in (*stations, *beside):
            if station in beside or "observer" in station.attributes["class"]:
                held = {
                    word.text: list[str](said.text.split(", "))
                    for word, said in zip(station.all("dt"), station.all("dd"), strict=True)
                }
                for verdict in Exposure:
                    secrets = [
                        cell.secret
                        for cell in matrix.cells
                        if cell.observer == station.all("h4")[0].text and cell.exposure is verdict
                    ]
                    assert held.get(verdict, []) == secrets
    bars = {matrix.mode: lane.all(class_="legs")[0].words for lane, matrix in zip(lanes, tour, strict=True)}
    assert bars[Mode.PLAINTEXT] == "Not encrypted anywhere"
    assert "End-to-end" not in bars[Mode.TLS]
    assert bars[Mode.E2EE].startswith("End-to-end encryption: text and file are encrypted from alice to bob")


def test_a_place_without_an_observer_is_said_to_have_none(tour: list[LeakMatrix]) -> None:
    matrix = tour[0]
    only = replace(matrix, cells=tuple(cell for cell in matrix.cells if cell.observer is Observer.SERVER), secrets={})
    root = tree(to_html([only]))
    assert [one.words for one in root.all(class_="station")] == [
        "the sender" + "writes the messages",
        "network" + "nobody observed here",
        root.all(class_="observer")[0].words,
        "service" + "passes them on",
        "database" + "nobody observed here",
        "the recipient" + "got: body, attachment, sender",
    ]


def test_whatever_stands_in_a_record_is_text(every_kind: list[LeakMatrix], tour_page: Element) -> None:
    page = to_html(every_kind)
    root = tree(page)
    assert {one.tag for one in root.walk()} <= {one.tag for one in tour_page.walk()}
    shown = visible(NASTY)
    assert "<script>alert(" in shown
    assert "⟨U+0000⟩⟨U+001B⟩[31m⟨U+202E⟩elif⟨U+2028⟩⟨U+D800⟩" in shown
    assert shown in inside(root, 1, "sender", "server").text
    assert shown in inside(root, 1, "body", "network").text
    assert shown in inside(root, 1, "body", "database").text
    assert shown in root.all("caption")[0].text
    assert page.encode()


UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_nothing_on_the_page_is_invisible(every_kind: list[LeakMatrix]) -> None:
    page = html.unescape(to_html(every_kind)).replace("incon\u00adclusive", "")
    assert {char for char in page if unicodedata.category(char) in UNSEEN} == {"\n"}


@given(st.text(st.characters(), max_size=30))
def test_any_planted_text_is_shown_as_it_is_or_written_out(text: str) -> None:
    cells = (Cell(SecretName.BODY, Observer.NETWORK, Exposure.HIDDEN, text, ()),)
    root = tree(to_html([LeakMatrix(text, text, Mode.TLS, cells, secrets={SecretName.BODY: text})]))
    planted = [one.text for one in root.all(class_="planted")]
    assert planted == ([visible(text)] if text else [])
    assert root.all("caption")[0].text.startswith(visible(text))


@given(st.text(st.characters(), max_size=30))
def test_visible_leaves_what_can_be_seen(text: str) -> None:
    shown = visible(text)
    assert not {char for char in shown if unicodedata.category(char) in UNSEEN} - {"\u200c", "\u200d"}
    if text.isprintable():
        assert shown == text


def test_emoji_and_joined_letters_stay_whole() -> None:
    for text in ("👩\u200d👧", "می\u200cخواهم", "naïve", "日本"):
        assert visible(text) == text


def test_every_word_is_explained() -> None:
    words: Sequence[tuple[Any, Mapping[Any, str]]] = (
        (Exposure, as_html.VERDICTS),
        (Observer, as_html.OBSERVERS),
        (SecretName, as_html.SECRETS),
        (Direction, as_html.DIRECTIONS),
    )
    for kind, explained in words:
        assert set(kind) == explained.keys()


def test_nothing_judged_makes_a_page_too() -> None:
    assert "No session was judged." in tree(to_html([])).words


def test_the_same_matrices_give_the_same_page(tour: list[LeakMatrix]) -> None:
    assert to_html(tour) == to_html(tour)


@pytest.fixture(scope="module")
def capture_file(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of one mode, as the command reads it."""
    path = tmp_path_factory.mktemp("capture") / "tls.capture.jsonl"
    recording = recorded(stage)[Mode.TLS]
    with Writer(path, recording.story) as writer:
        writer.add(*recording.secrets, *recording.claims, *recording.statements, *recording.notes)
    return path


def test_the_command_writes_the_page(capture_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    assert main(["show", str(capture_file), "--html", str(page)]) == 3
    root = tree(page.read_text(encoding="utf-8"))
    assert len(root.all(class_="matrix")) == 1
    assert capsys.readouterr().err == ""


def test_the_command_speaks_german(capture_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    assert main(["show", str(capture_file), "--html", str(page), "--language", "de"]) == 3
    assert "waren nicht zu entscheiden" in capsys.readouterr().out
    assert "Wer konnte was lesen?" in tree(page.read_text(encoding="utf-8")).words
    assert main(["show", str(capture_file), "--language", "tlh"]) == 2
    assert capsys.readouterr().err == "lab: there are no reports in 'tlh'; give en or de\n"


def test_a_page_that_cannot_be_written_is_one_line(
    capture_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "no" / "report.html"
    assert main(["show", str(capture_file), "--html", str(page)]) == 2
    assert capsys.readouterr().err == f"lab: {page}: cannot be written: No such file or directory\n"


# In the language of the lesson


def words_of(page: Element) -> set[str]:
    """The words that are read or heard on a page, but for the style sheet and what was recorded."""
    shown = [each for name in ("dump", "excerpt", "planted") for each in page.all(class_=name)]
    taken = {id(one) for each in (*shown, *page.all("style")) for one in each.walk()}
    said = [child for one in page.walk() if id(one) not in taken for child in one.children if isinstance(child, str)]
    labels = [one.attributes[name] for one in page.walk() for name in ("aria-label",) if name in one.attributes]
    return set(re.findall(r"[^\W\d_]{2,}", " ".join((*said, *labels))))


def test_in_german_no_word_is_english(tour: list[LeakMatrix]) -> None:
    pieces = [piece for matrix in tour for cell in matrix.cells for piece in cell.evidence]
    names = [
        *(*ON_STAGE, *Observer, *SecretName, *Exposure, *Mode, *(one.place for one in pieces)),
        *(control.name for matrix in tour for control in matrix.controls),
        *(f"{matrix.title} {matrix.scenario}" for matrix in tour),
        # Words that are in both languages, and halves of a verdict
        *(
            "In",
            "in",
            "an",
            "was",
            "UTC",
            "HTTP",
            "TLS",
            "JSON",
            "base",
            "Alice",
            "alice",
            "Bob",
            "bob",
            "incon",
            "clusive",
        ),
    ]
    halves = [half for name in (*Observer, *SecretName) for half in (name[:-5], name[-5:])]
    english, german = (tree(to_html(tour, code)) for code in ("en", "de"))
    assert german.all("html")[0].attributes["lang"] == "de"
    assert words_of(english) & words_of(german) <= set(re.findall(r"[^\W\d_]{2,}", " ".join((*names, *halves))))
    assert len(german.all("details")) == len(english.all("details"))


# In a browser


@pytest.fixture(scope="module")
def tour_file(tour: list[LeakMatrix], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tour, tmp_path_factory.mktemp("tour"))


@pytest.fixture(scope="module")
def short_tour(tour: list[LeakMatrix]) -> list[LeakMatrix]:
    """All of its cells, with little evidence in few bytes: a browser looks at each element, and looks long."""
    return [replace(matrix, cells=tuple(shortened(cell) for cell in matrix.cells)) for matrix in tour]


def shortened(cell: Cell) -> Cell:
    return replace(cell, evidence=tuple(replace(one, window=one.window[:40]) for one in cell.evidence[:1]))


@pytest.fixture(scope="module")
def short_file(
    short_tour: list[LeakMatrix], every_kind: list[LeakMatrix], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Cells of every kind."""
    return written([short_tour[-1], *every_kind], tmp_path_factory.mktemp("short"))


def written(matrices: Sequence[LeakMatrix], folder: Path) -> Path:
    file = folder / "report.html"
    file.write_text(to_html(matrices), encoding="utf-8")
    return file


OPEN_ALL = "for (const one of document.querySelectorAll('details')) one.open = true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(page: chromium.Page, short_file: Path, axe: str, width: int, scheme: str) -> None:
    page.show(width=width, scheme=scheme)
    page.open(short_file)
    page.run(OPEN_ALL)
    page.run(f"{axe}; 0")
    # Of what passes the names are enough: to describe all those elements takes as long as to look at them.
    kinds = "resultTypes: ['violations', 'incomplete']"
    result = page.run(f"axe.run(document, {{{kinds}, rules: {{'target-size': {{enabled: true}}}}}})")
    found = [
        (kind, one["id"], one["help"], [node["html"] for node in one["nodes"][:3]])
        for kind in ("violations", "incomplete")
        for one in result[kind]
    ]
    assert found == []
    assert {"color-contrast", "summary-name", "target-size", "th-has-data-cells"} <= {
        one["id"] for one in result["passes"]
    }


def test_axe_would_find_something(page: chromium.Page, axe: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<!DOCTYPE html><title>x</title><p style='color: #bbb'>pale</p>", encoding="utf-8")
    page.open(bad)
    page.run(f"{axe}; 0")
    found = {one["id"] for one in page.run("axe.run()")["violations"]}
    assert {"color-contrast", "html-has-lang"} <= found


def test_the_browser_has_no_complaint_and_asks_for_nothing(page: chromium.Page, tour_file: Path) -> None:
    page.requests.clear()
    page.complaints.clear()
    page.open(tour_file)
    page.run(OPEN_ALL)
    assert page.requests == [tour_file.as_uri()]
    assert page.complaints == []


def test_a_refused_style_would_be_a_complaint(page: chromium.Page, tour_file: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    changed.write_text(tour_file.read_text(encoding="utf-8").replace("color-scheme", "color-schema", 1), "utf-8")
    page.complaints.clear()
    page.open(changed)
    assert "Content Security Policy" in "".join(page.complaints)


def test_every_cell_is_reached_with_tab_and_opened_with_enter(
    page: chromium.Page, short_tour: list[LeakMatrix], tmp_path: Path
) -> None:
    page.show(width=1280)
    page.open(written(short_tour, tmp_path))
    cells = [
        f"#s{number}-{one.secret}-{one.observer}" for number, matrix in enumerate(short_tour, 1) for one in matrix.cells
    ]
    # In the order of the rows, which is the order of the cells.
    reached = []
    for _ in range(len(cells) + 4):
        page.press("Tab")
        reached.append(page.run("document.activeElement.getAttribute('href')"))
    assert reached[:4] == ["#answers", "#words", "#path", "#evidence"]
    assert reached[4:] == cells
    for cell in cells:
        page.run(f"document.getElementById('{cell[1:]}-word').focus()")
        page.press("Enter")
        opened = f"document.getElementById('{cell[1:]}').closest('details').open"
        page.run(f"new Promise(done => {{ const look = () => {opened} ? done() : setTimeout(look, 5); look() }})")
        assert page.run("document.activeElement.id") == cell[1:]
        shown = page.run("(({top, bottom}) => [top, bottom])(document.activeElement.getBoundingClientRect())")
        assert shown[0] < 800
        assert shown[1] > 0
    # And back again: the last link inside leads to the cell.
    page.run(f"document.querySelector('{cells[0]} .back a').focus()")
    page.press("Enter")
    page.run(
        "new Promise(done => { const look = () => document.activeElement.id.endsWith('-word') ? done() : "
        "setTimeout(look, 5); look() })"
    )
    assert page.run("document.activeElement.id") == f"{cells[0][1:]}-word"


@pytest.mark.parametrize("width", [320, 360, 768, 1280, 1920])
def test_no_width_makes_the_page_scroll_sideways(page: chromium.Page, short_file: Path, width: int) -> None:
    page.show(width=width)
    page.open(short_file)
    page.run(OPEN_ALL)
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize(("width", "rows"), [(360, 3), (1280, 1), (1920, 1)])
def test_matrices_stand_side_by_side_where_there_is_room(
    page: chromium.Page, tour_file: Path, width: int, rows: int
) -> None:
    page.show(width=width)
    page.open(tour_file)
    matrices = "[...document.querySelectorAll('.matrix')]"
    assert page.run(f"new Set({matrices}.map(one => one.getBoundingClientRect().top)).size") == rows
    assert page.run(f"{matrices}.every(one => one.scrollWidth <= one.clientWidth)")


def test_paper_shows_what_is_closed_on_the_screen(page: chromium.Page, tour: list[LeakMatrix], tour_file: Path) -> None:
    page.open(tour_file)
    seen = "[...document.querySelectorAll('.why')].filter(one => one.checkVisibility()).length"
    assert page.run(seen) == 0
    page("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.run(seen) == sum(len(matrix.cells) for matrix in tour)
        further = "[...document.querySelectorAll('.more .dump')].filter(one => one.checkVisibility()).length"
        assert page.run(further) == 0
    finally:
        page("Emulation.setEmulatedMedia", media="")
