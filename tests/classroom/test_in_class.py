"""A whole lesson with a teacher, a projector and three learners, each in a real browser, from joining to export."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from report import chromium

pytest.importorskip("playwright", reason="no Playwright; pip install playwright")

from playwright.sync_api import Browser, Locator, Page, expect

from classroom.in_class import LAPTOP, PATIENCE, PHONE, PROJECTOR, Learner, Person, Teacher, browser_of
from classroom.prepared import Typed, held
from classroom.running import started
from lab.classroom.catalogue import catalogue
from lab.classroom.classroom import Face
from lab.classroom.documents import Replay
from lab.classroom.seen import Part, Piece
from lab.model import Direction, Mode, Observer
from lab.scenario.library import find

LESSON = "the-operator-reads"
CELLS = ["body@network", "body@server", "password@database"]
RIGHT = {"body@network": "hidden", "body@server": "exposed", "password@database": "hidden"}
WRONG = {**RIGHT, "body@server": "hidden"}

LOOK = """options => axe.run(document, {resultTypes: ['violations'], ...options}).then(found => ({
  passes: found.passes.length,
  violations: found.violations.map(one => [one.id, one.help, one.nodes[0].html]),
}))"""
"""Of what passes the number is enough: to describe all those elements takes as long as to look at them."""

RULES: dict[Literal["light", "dark"], dict[str, Any]] = {
    "light": {"rules": {"target-size": {"enabled": True}}},
    "dark": {"runOnly": ["color-contrast"]},
}
"""In the dark nothing but the colours is different."""

ROOM = """[...document.querySelectorAll('.pane .scrolls')].map(box => box.clientHeight).filter(height => height > 0)"""
LINE = 20
"""Pixels of a line in a pane, at the size of a projector."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = chromium.find()
    if program is None:
        pytest.skip("no Chromium on the path; on Debian: apt-get install chromium")
    with browser_of(program) as browser:
        yield browser


@pytest.fixture(scope="module")
def axe() -> str:
    source = chromium.axe()
    if source is None:
        pytest.skip("no axe-core; pip install axe-playwright-python")
    return source


def barriers(page: Page, axe: str) -> list[tuple[str, str, str]]:
    """What keeps people from reading or using this page, in its light colours and in its dark ones. By DevTools, which
    the page's own policy does not concern."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"{axe}; 0")
    found: list[tuple[str, str, str]] = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        result: dict[str, Any] = page.evaluate(LOOK, RULES[scheme])
        assert result["passes"] > (5 if scheme == "light" else 0)
        found += [tuple(one) for one in result["violations"]]
    return found


def fits(page: Page) -> bool:
    """Whether nothing sticks out at the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def whole(page: Page) -> bool:
    """Whether nothing of it is below the edge of the projector."""
    return fits(page) and bool(
        page.evaluate("document.documentElement.scrollHeight <= document.documentElement.clientHeight")
    )


def test_a_lesson_from_joining_to_export(browser: Browser, axe: str, tmp_path: Path) -> None:
    with started(tmp_path, LESSON) as running:
        teacher = Teacher(browser, running)
        ada, ben, kim = learners = [Learner(browser, name) for name in ("Ada", "Ben", "Kim")]
        looked: list[tuple[str, list[tuple[str, str, str]]]] = []

        def look(where: str) -> None:
            """At all views, as people with and without sight would."""
            for page in (teacher.page, teacher.stage, ada.page):
                looked.extend((f"{where}: {page.url}", [one]) for one in barriers(page, axe))
            assert fits(ada.page), where
            assert whole(teacher.stage), where

        # They join: one types the code, one has it from the QR code, one is called like another one.
        ada.join(running)
        ben.join(running, f"{running.page}#code={running.code}")
        kim.name = "Ada"
        kim.join(running)
        expect(kim.page.locator("#nickname")).to_have_text("Ada 2")
        expect(teacher.page.locator("#learners")).to_contain_text("Ada 2")
        look("lobby")

        teacher.pick(LESSON, 0, CELLS)
        for learner in learners:
            learner.sees(learner.words("learner.story_text"))
        expect(teacher.page.locator("#steps")).to_be_visible()
        look("story")

        # The first vote. Nobody who predicts can find out what is right.
        teacher.does("open_first", "first")
        expect(teacher.page.locator("#steps")).to_be_hidden()  # and the answers in its place
        ada.predict(RIGHT)
        ben.predict(WRONG)
        kim.predict(WRONG)
        ben.explain("<b>TLS</b> hides it & the company does not care")
        expect(teacher.page.locator("#learners")).to_contain_text("<b>TLS</b> hides it & the company does not care")
        expect(teacher.stage.locator("#view")).to_contain_text(teacher.words("stage.answered", answered=3, connected=3))
        look("first vote")
        assert "company does not care" not in ada.asks("api/me").text()
        assert ada.asks(f"api/evidence/1/{CELLS[1]}").status == 403

        teacher.does("close_first", "discuss")
        for learner in learners:
            learner.sees(learner.words("learner.discuss"))
        look("discussion")

        # In the middle of the second vote, one reloads the page, and the command is killed and started again.
        teacher.does("open_second", "second")
        kim.page.locator(f'input[name="{CELLS[0]}"]').first.wait_for()
        kim.page.reload()
        kim.page.get_by_role("button", name=kim.words("learner.confirm_next"), exact=True).click()
        kim.page.locator('input[name="body@server"][value="exposed"]').check()
        kim.sees(kim.words("learner.saved"))
        running.kill()
        # The teacher's page says that it has lost the connection, and finds it again by itself.
        teacher.sees(teacher.words("common.connection_lost"))
        with started(tmp_path, LESSON, port=running.port) as again:
            assert (again.code, again.teacher) == (running.code, running.teacher)
            expect(teacher.page.locator("#connection")).to_be_hidden(timeout=PATIENCE)
            expect(kim.page.locator("#connection")).to_be_hidden(timeout=PATIENCE)
            expect(kim.page.locator('input[name="body@server"][value="exposed"]')).to_be_checked()
            look("second vote")
            teacher.does("close_second", "closed")
            look("closed")

            # It happens, in front of everybody, and is measured.
            teacher.plays()
            panes = teacher.stage.locator("#view")
            expect(panes).to_contain_text("I have failed the exam", timeout=PATIENCE)
            assert teacher.stage.locator("mark", has_text="I have failed the exam").count() > 0
            look("run")
            assert ada.asks(f"api/evidence/1/{CELLS[1]}").status == 403
            teacher.does("do_reveal", "reveal")

            # Each sees the own answers beside what was measured, and why the wrong one is wrong.
            ada.sees(ada.words("learner.score", right=3, of=3))
            kim.sees(kim.words("learner.score", right=3, of=3))
            ben.sees(ben.words("learner.score", right=2, of=3))
            ben.sees("TLS has two ends, and they are not Alice and Bob.")
            ben.page.get_by_role(
                "button", name=ben.words("learner.evidence_of", cell="body at server"), exact=True
            ).click()
            expect(ben.page.get_by_role("dialog")).to_contain_text("I have failed the exam", timeout=PATIENCE)
            looked.extend(("evidence", [one]) for one in barriers(ben.page, axe))
            ben.page.keyboard.press("Escape")
            look("reveal")

            # What the teacher takes home.
            rows = list(csv.DictReader(io.StringIO(teacher.keeps("answers.csv").lstrip("\ufeff"))))
            assert [(row["nickname"], row["right"]) for row in rows] == [("Ada", "3"), ("Ben", "2"), ("Ada 2", "3")]
            assert [row["exposed"] for row in csv.DictReader(io.StringIO(teacher.keeps("cells.csv")))][:4] != []
            assert [one["nickname"] for one in json.loads(teacher.keeps("class.json"))["learners"]][2] == "Ada 2"
            assert teacher.keeps("questions.gift").startswith("$CATEGORY")
            said = again.end()
            assert "Traceback" not in again.printed + said
        assert looked == []
        for person in (teacher, *learners):
            assert person.complaints == []
    assert list((tmp_path / "temporary").iterdir()) == []


def test_typed_messages_in_three_modes_and_a_learners_own(browser: Browser, axe: str, tmp_path: Path) -> None:
    with started(tmp_path, LESSON) as running:
        teacher, kim = Teacher(browser, running), Learner(browser, "Kim")
        kim.join(running)
        teacher.page.locator("#play-box > summary").click()
        teacher.page.get_by_role("button", name=teacher.words("teacher.play_start"), exact=True).click()
        kim.page.get_by_label(kim.words("learner.own_text"), exact=True).fill("Kim was here, at the market")
        kim.page.get_by_role("button", name=kim.words("learner.send"), exact=True).click()
        stage = teacher.stage
        # In so many words: what waits to be sent says so in a sentence that ends the same way. In the list: it is said
        # aloud as well.
        sent = kim.page.get_by_role("listitem").get_by_text(kim.words("learner.message_sent"), exact=True)
        expect(sent).to_be_visible(timeout=PATIENCE)
        # Wherever it can be read it stands there, marked as hers, and nowhere else.
        for mode, observer, readable in (
            ("plaintext", "network", True),
            ("tls", "network", False),
            ("tls", "server", True),
            ("tls", "database", True),
            ("e2ee", "network", False),
            ("e2ee", "server", False),
            ("e2ee", "database", False),
        ):
            pane = stage.get_by_role("region", name=teacher.words("stage.pane", observer=observer, mode=mode))
            hers = pane.locator("mark", has_text="Kim was here")
            if readable:
                expect(hers.first).to_contain_text("Kim", timeout=PATIENCE)
            else:
                expect(pane.locator("mark", has_text="body")).to_have_count(0)
                expect(pane).not_to_contain_text(teacher.words("stage.nothing_yet"))
        teacher.does("do_judge", "play")
        kim.sees(kim.words("learner.message_judged"))
        assert barriers(kim.page, axe) + barriers(stage, axe) + barriers(teacher.page, axe) == []
        assert fits(kim.page)
        assert whole(stage)
        teacher.does("do_end_play", "lobby")
        running.end()
        assert teacher.complaints + kim.complaints == []
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("player", [None, Typed()])
def test_free_play_is_shown_where_there_can_be_any(browser: Browser, tmp_path: Path, player: Typed | None) -> None:
    with held(tmp_path / "class.sqlite", [find(LESSON)], player=player) as served:
        teacher = Person(browser, LAPTOP)
        teacher.page.goto(f"{served.origin}/teacher?key={served.room.key}")
        box, phase = teacher.page.locator("#play-box"), teacher.page.locator("#phase")
        for action, name in ((None, "lobby"), ("pick", "story"), ("lobby", "lobby")):
            if action is not None:
                served.room.act(action, {"lesson": LESSON})
            expect(phase).to_have_text(teacher.words(f"teacher.phase_{name}"), timeout=PATIENCE)
            expect(box).to_be_visible(visible=player is not None)
        served.room.join(served.room.code, "Kim")
        said = teacher.words("teacher.next_lobby" if player else "teacher.next_lobby_no_play")
        expect(teacher.page.get_by_text(said, exact=True)).to_be_visible(timeout=PATIENCE)
        assert teacher.complaints == []


def everybodys(mode: Mode, observer: Observer) -> list[Piece]:
    """A message of each in a class of thirty, as somebody gets them who reads them all."""
    return [
        Piece(
            *(observer, mode, number, "POST /v1/messages", Direction.TO_SERVICE, 300),
            (Part('{"text":"'), Part(f"I was here, number {number}", "body", f"Learner {number}"), Part('"}')),
        )
        for number in range(1, 31)
    ]


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_messages_of_a_whole_class_leave_room_to_read_them(
    browser: Browser, axe: str, tmp_path: Path, language: str
) -> None:
    say = catalogue(language).say
    with held(tmp_path / "class.sqlite", [find(LESSON, language)], language=language, player=Typed()) as served:
        stage = Person(browser, PROJECTOR, language)
        page = stage.page
        page.goto(f"{served.origin}/stage?key={served.room.key}")
        served.room.act("play", {"modes": list(Mode), "interceptor": "trusted"})
        for mode in Mode:
            for observer in (Observer.NETWORK, Observer.INTERCEPTOR, Observer.SERVER, Observer.DATABASE):
                if (mode, observer) != (Mode.PLAINTEXT, Observer.INTERCEPTOR):
                    served.room.seen(everybodys(mode, observer))

        def pane(observer: str, mode: str) -> Locator:
            return page.get_by_role("region", name=say("stage.pane", observer=observer, mode=mode))

        expect(pane("database", "e2ee")).to_contain_text("number 30", timeout=PATIENCE)
        heights: list[int] = page.evaluate(ROOM)
        assert len(heights) == 11
        assert min(heights) > LINE
        # Where no certificate is shown, nobody waits in vain for what an interceptor gets.
        expect(pane("interceptor", "plaintext")).to_have_count(0)
        expect(pane("interceptor", "tls")).to_have_count(1)
        expect(page.get_by_text(say("stage.no_interceptor"))).to_be_visible()
        assert whole(page)

        larger = page.get_by_role("button", name=say("stage.enlarge", observer="network"), exact=True)
        larger.first.press("Enter")
        for one in larger.all():
            expect(one).to_have_attribute("aria-pressed", "true")
        enlarged: list[int] = page.evaluate(ROOM)
        assert len(enlarged) == 3
        assert min(enlarged) > 8 * LINE
        # Of the others, what can be read there stays in sight.
        expect(page.locator(".pane.small .latest", has_text="number 30")).to_have_count(8)
        assert whole(page)
        assert barriers(page, axe) == []
        larger.first.press("Enter")
        assert page.evaluate(ROOM) == heights
        assert barriers(page, axe) == []
        assert stage.complaints == []


@pytest.mark.parametrize(
    ("replay", "offered"),
    [(None, ["0", "1", "2"]), (Replay("tour-2-tls, tour-3-e2ee", 1.0, {"tour": {1, 2}}), ["1", "2"])],
)
def test_what_can_be_run_is_offered_and_nothing_else(
    browser: Browser, tmp_path: Path, replay: Replay | None, offered: list[str]
) -> None:
    titles = [find("tour").scenarios[int(one)].title for one in offered]
    with held(tmp_path / "class.sqlite", [find("tour")], replay=replay) as served:
        teacher = Person(browser, LAPTOP)
        teacher.page.goto(f"{served.origin}/teacher?key={served.room.key}")
        choices = teacher.page.locator("#scenario option")
        expect(choices).to_have_count(len(offered), timeout=PATIENCE)
        assert [one.get_attribute("value") for one in choices.all()] == offered
        teacher.page.get_by_role("button", name=teacher.words("teacher.pick"), exact=True).click()
        teacher.sees(teacher.words("teacher.phase_story"))
        assert served.room.document(Face.TEACHER)["question"]["title"] == titles[0]
        assert teacher.complaints == []
    with held(tmp_path / "alone.sqlite", [find("tour")], alone=True, replay=replay) as served:
        kim = Person(browser, PHONE)
        kim.page.goto(f"{served.origin}/#code={served.room.code}")
        kim.page.get_by_label(kim.words("learner.nickname"), exact=True).fill("Kim")
        kim.page.get_by_role("button", name=kim.words("learner.join"), exact=True).click()
        kim.sees(kim.words("learner.go_on_with", title=titles[0]))
        for title in titles:
            kim.page.locator("details summary").first.click()
            kim.page.get_by_role("button", name=kim.words("learner.pick_part", title=title), exact=True).click()
            kim.sees(kim.words("learner.begin"))
            assert served.room.document(Face.LEARNER)["question"]["title"] == title
            kim.page.get_by_role("button", name=kim.words("learner.all_lessons"), exact=True).click()
            kim.sees(kim.words("learner.lessons"))
        kim.page.get_by_role("button", name=kim.words("learner.go_on_with", title=titles[0]), exact=True).click()
        kim.sees(kim.words("learner.begin"))
        assert served.room.document(Face.LEARNER)["question"]["title"] == titles[0]
        for action in ("open", "close", "run", "rest", "reveal"):
            served.room.act(action, {})
        kim.page.get_by_role("button", name=kim.words("learner.next_part", title=titles[1]), exact=True).click()
        kim.sees(kim.words("learner.begin"))
        assert served.room.document(Face.LEARNER)["question"]["title"] == titles[1]
        assert kim.complaints == []


@pytest.mark.parametrize("language", ["en", "de"])
def test_alone_at_home(browser: Browser, axe: str, tmp_path: Path, language: str) -> None:
    say = catalogue(language).say
    with held(tmp_path / "class.sqlite", [find(LESSON, language)], alone=True, language=language) as alone:
        learner = Learner(browser, "Kim", language)
        learner.page.goto(f"{alone.origin}/#code={alone.room.code}")
        learner.page.get_by_label(say("learner.nickname"), exact=True).fill("Kim")
        learner.page.get_by_role("button", name=say("learner.join"), exact=True).click()
        learner.sees(say("learner.lessons"))
        assert barriers(learner.page, axe) == []
        assert learner.complaints == []
