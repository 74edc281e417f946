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

from classroom.in_class import PATIENCE, Learner, Teacher, browser_of, started

LESSON = "the-operator-reads"
RIGHT = {"body@network": "hidden", "body@server": "exposed", "password@database": "hidden"}
ANSWERS = {
    "Ada": RIGHT,
    "Ben": {**RIGHT, "body@server": "hidden"},
    "Kim": {**RIGHT, "body@server": "hidden", "password@database": "exposed"},
}
FOLDER = Path(__file__).resolve().parent


def draw(folder: Path, language: str, scheme: str, program: str) -> None:
    """Each view in the moment that says most."""

    def keep(page: object, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png")  # type: ignore[attr-defined]

    with (
        TemporaryDirectory() as work,
        browser_of(program) as browser,
        started(Path(work), LESSON, f"--language={language}") as running,
    ):
        teacher = Teacher(browser, running, language, scheme)
        learners = [Learner(browser, name, language, scheme) for name in ANSWERS]
        for learner in learners:
            learner.join(running)
        keep(teacher.stage, "stage-lobby")
        teacher.pick(LESSON, 0, list(RIGHT))
        keep(teacher.stage, "stage-story")
        keep(learners[0].page, "learner-story")
        teacher.does("open_first", "first")
        learners[1].page.locator("input[value=hidden]").first.check()
        keep(learners[1].page, "learner-vote")
        for learner in learners:
            learner.predict(ANSWERS[learner.name])
        learners[1].explain(learner.words("common.lab"))
        keep(teacher.page, "teacher-vote")
        keep(teacher.stage, "stage-vote")
        teacher.does("close_first", "discuss")
        keep(teacher.stage, "stage-discuss")
        teacher.does("open_second", "second")
        kim = learners[2]
        kim.page.locator('input[name="body@network"]').first.wait_for()
        keep(kim.page, "learner-second")
        kim.page.get_by_role("button", name=kim.words("learner.confirm_next"), exact=True).click()
        kim.page.locator('input[name="body@server"][value="exposed"]').check()
        kim.sees(kim.words("learner.saved"))
        teacher.does("close_second", "closed")
        teacher.plays()
        expect(teacher.stage.locator("mark").first).to_be_visible(timeout=PATIENCE)
        keep(teacher.stage, "stage-run")
        teacher.does("do_reveal", "reveal")
        kim.sees(kim.words("learner.right"))
        keep(kim.page, "learner-reveal")
        keep(teacher.stage, "stage-reveal")
        teacher.page.locator("#wrong button").nth(1).click()
        keep(teacher.page, "teacher-reveal")
        running.end()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--language", default="en")
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
