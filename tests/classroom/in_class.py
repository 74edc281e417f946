"""The browsers of a class: for tests, and for the pictures in the README."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import APIResponse, Browser, BrowserContext, Page, Request, expect, sync_playwright
from playwright.sync_api import TimeoutError as TookTooLong

from classroom.running import Running
from lab.classroom.catalogue import catalogue

PHONE = {"width": 360, "height": 640}
LAPTOP = {"width": 1280, "height": 800}
PROJECTOR = {"width": 1280, "height": 720}
PATIENCE = 120_000
"""Milliseconds that a browser waits for something to appear, on a slow machine that does much else."""
A_MOMENT = 1_000
TRIES = 60


@contextmanager
def browser_of(program: str) -> Iterator[Browser]:
    """A Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=[
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        try:
            yield browser
        finally:
            browser.close()


class Person:
    """Somebody with a browser of their own. `complaints` is what its console had to say."""

    def __init__(self, browser: Browser, size: dict[str, int], language: str = "en", scheme: str = "light") -> None:
        self.context: BrowserContext = browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(PATIENCE)
        self.complaints: list[str] = []
        self._say = catalogue(language).say
        self.page = self.open()

    def open(self) -> Page:
        """One more page in the same browser."""
        page = self.context.new_page()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _note(self, kind: str, text: str) -> None:
        # While the command is not running, the browser says so again and again.
        if kind in ("error", "warning") and "net::ERR_" not in text:
            self.complaints.append(text)

    def words(self, name: str, **values: object) -> str:
        return self._say(name, **values)

    def sees(self, text: str) -> None:
        expect(self.page.get_by_text(text).locator("visible=true").first).to_be_visible(timeout=PATIENCE)


class Learner(Person):
    """A learner with a phone."""

    def __init__(self, browser: Browser, name: str, language: str = "en", scheme: str = "light") -> None:
        super().__init__(browser, PHONE, language, scheme)
        self.name = name

    def join(self, running: Running, address: str = "") -> None:
        self.page.goto(address or running.page)
        if not address:
            self.page.get_by_label(self.words("learner.code"), exact=True).fill(running.code)
        self.page.get_by_label(self.words("learner.nickname"), exact=True).fill(self.name)
        self.page.get_by_role("button", name=self.words("learner.join"), exact=True).click()
        self.sees(self.words("learner.lobby"))

    def asks(self, path: str) -> APIResponse:
        """What the class answers, with the cookie of this browser."""
        return self.context.request.get(urljoin(self.page.url, path))

    def predict(self, answers: dict[str, str]) -> None:
        """Say this of each cell, in the order in which they are asked."""
        for number, (cell, exposure) in enumerate(answers.items(), start=1):
            self.sees(self.words("learner.progress", number=number, of=len(answers)))
            secret, observer = cell.split("@")
            self.sees(self.words("learner.ask", observer=observer, secret=secret))
            self.page.locator(f'input[name="{cell}"][value="{exposure}"]').check()
            self.page.get_by_role("button", name=self.words("learner.next"), exact=True).click()
        self.sees(self.words("learner.saved"))

    def explain(self, reason: str) -> None:
        field = self.page.get_by_label(self.words("learner.reason"), exact=True)
        field.fill(reason)
        field.blur()
        self.sees(self.words("learner.saved"))


class Teacher(Person):
    """A teacher with a laptop, and the projector beside it."""

    def __init__(self, browser: Browser, running: Running, language: str = "en", scheme: str = "light") -> None:
        super().__init__(browser, LAPTOP, language, scheme)
        self.page.goto(running.teacher)
        self.stage = self.open()
        self.stage.set_viewport_size({"width": PROJECTOR["width"], "height": PROJECTOR["height"]})
        self.stage.goto(running.stage)

    def pick(self, lesson: str, scenario: int, cells: list[str]) -> None:
        if not self.page.locator("#lesson").is_visible():
            self.page.locator("#pick-box > summary").click()
        self.page.locator("#lesson").select_option(lesson)
        self.page.locator("#scenario").select_option(str(scenario))
        for box in self.page.locator("#pick-cells input").all():
            box.set_checked(box.get_attribute("data-cell") in cells)
        self.page.get_by_role("button", name=self.words("teacher.pick"), exact=True).click()
        self.sees(self.words("teacher.phase_story"))

    def does(self, button: str, phase: str) -> None:
        """Press this button until it is heard, and wait for this phase of the class: the main button takes no press
        that comes so soon after its words have changed that it may have been meant for those before."""
        now = self.page.locator("#phase")
        wanted = self.page.get_by_role("button", name=self.words(f"teacher.{button}"), exact=True)
        expect(wanted).to_be_enabled(timeout=PATIENCE)
        heard: list[Request] = []

        def note(request: Request) -> None:
            if request.method == "POST":
                heard.append(request)

        self.page.on("request", note)
        for _ in range(TRIES):
            with suppress(TookTooLong):  # it was heard while it was looked for, and the button is gone
                if not heard:
                    wanted.click(timeout=5 * A_MOMENT)
            with suppress(AssertionError):
                expect(now).to_have_text(self.words(f"teacher.phase_{phase}"), timeout=A_MOMENT)
                break
        self.page.remove_listener("request", note)
        expect(now).to_have_text(self.words(f"teacher.phase_{phase}"))

    def keeps(self, name: str) -> str:
        """One of the files to take home."""
        if not self.page.locator(f'a[download="{name}"]').is_visible():
            self.page.locator("#class-box > summary").click()
        with self.page.expect_download() as kept:
            self.page.locator(f'a[download="{name}"]').click()
        return Path(kept.value.path()).read_text(encoding="utf-8")

    def plays(self) -> None:
        """All steps, until it is measured."""
        self.does("do_run", "run")
        self.rest()

    def step(self, number: int, of: int) -> None:
        """Play step `number`, and wait until the next one can be played."""
        button = self.page.get_by_role("button", name=self.words("teacher.do_step"), exact=True)
        expect(button).to_be_enabled(timeout=PATIENCE)
        button.click()
        self.sees(self.words("teacher.run_next", step=number + 1, of=of, text="").strip())

    def rest(self) -> None:
        """All steps that are left, until it is measured."""
        self.page.get_by_role("button", name=self.words("teacher.do_rest"), exact=True).click()
        self.sees(self.words("teacher.next_run_measured"))
