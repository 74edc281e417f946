"""Draws the pictures of a class for the README: `python -m tests.classroom.pictures` makes them anew.

A real class in real browsers: learners predict, a scenario is played on real taps and measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from report import chromium

from classroom.in_class import PATIENCE, Learner, Teacher, browser_of
from classroom.running import started

LESSON = "the-operator-reads"
RIGHT = {"body@network": "hidden", "body@server": "exposed", "password@database": "hidden"}
ANSWERS = {
    "Ada": RIGHT,
    "Ben": {**RIGHT, "body@server": "hidden"},
    "Kim": {**RIGHT, "body@server": "hidden", "password@database": "exposed"},
}
REASON = {
    "en": "The S in HTTPS stands for secure, so the company sees nothing",
    "de": "Das S in HTTPS steht für sicher",
}
FOLDER = Path(__file__).resolve().parent


def draw(folder: Path, language: str, scheme: str, program: str) -> None:
    """Four moments: a prediction, the run on the stage view, and the reveal as a learner and the teacher see it."""
    with (
        TemporaryDirectory() as work,
        browser_of(program) as browser,
        started(Path(work), LESSON, f"--language={language}") as running,
    ):
        teacher = Teacher(browser, running, language, scheme)
        learners = [Learner(browser, name, language, scheme) for name in ANSWERS]
        for learner in learners:
            learner.join(running)
        teacher.pick(LESSON, 0, list(RIGHT))
        teacher.does("open_first", "first")
        ada, ben, kim = learners
        kim.page.locator("input[value=hidden]").first.check()
        kim.sees(kim.words("learner.saved"))
        kim.page.screenshot(path=folder / "vote.png")
        for learner in learners:
            learner.predict(ANSWERS[learner.name])
        ben.explain(REASON[language])
        teacher.does("close_first", "discuss")
        teacher.does("open_second", "second")
        kim.page.get_by_role("button", name=kim.words("learner.confirm_next"), exact=True).click()
        kim.page.locator('input[name="body@server"][value="exposed"]').check()
        kim.sees(kim.words("learner.saved"))
        teacher.does("close_second", "closed")
        teacher.does("do_run", "run")
        teacher.step(1, 2)
        for pane in teacher.stage.get_by_role("region").all()[1:3]:  # of the server, and of the database
            expect(pane.locator("mark", has_text="body").first).to_be_visible(timeout=PATIENCE)
        for mark in teacher.stage.locator("mark", has_text="body").all():
            mark.scroll_into_view_if_needed()
        teacher.stage.screenshot(path=folder / "stage.png")
        teacher.rest()
        teacher.does("do_reveal", "reveal")
        ada.sees(ada.words("learner.right"))
        ben.page.locator(".result.wrong").scroll_into_view_if_needed()
        ben.page.screenshot(path=folder / "reveal.png")
        teacher.page.locator("#wrong button").nth(1).click()
        teacher.page.screenshot(path=folder / "teacher.png")
        running.end()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pictures go (default: beside this file)")
    parser.add_argument("--language", choices=list(REASON), default="en")
    parser.add_argument("--scheme", choices=["light", "dark"], default="light")
    options = parser.parse_args(arguments)
    program = chromium.find()
    if program is None:
        sys.stderr.write("no Chromium on the path; on Debian: apt-get install chromium\n")
        return 2
    options.folder.mkdir(parents=True, exist_ok=True)
    draw(options.folder, options.language, options.scheme, program)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
