"""`lab guide`: a lesson, a face, and the stage behind it."""

from __future__ import annotations

import datetime
import os
import queue
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.control import Control

from lab import private
from lab.guide import plain, screen
from lab.guide.answers import Answers, as_markdown, as_typed, check, read_answers, reply, transcript
from lab.guide.play import Player, check_folder
from lab.guide.state import Event, Key, Plan, State, advance, begin, plan, wanted
from lab.guide.view import view
from lab.guide.words import words_for
from lab.model import LabError, exit_status
from lab.scenario.lesson import Lesson
from lab.scenario.predictions import place_named

_WIDTH = 100
"""Columns of the linear face at most, and without a terminal."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was told."""

    plain: bool = False
    cells: str = ""
    answers: Path | None = None
    transcript: Path | None = None
    captures: Path | None = None


def guide(lesson: Lesson, asked: Asked, console: Console) -> int:
    """Go through `lesson`, and return the exit status.

    0: left before the end; else as for `lab run`. LabError: wrong use, or what the lesson needs is missing.
    """
    from lab.scenario.director import acted

    chosen = tuple(place_named(one) for one in asked.cells.split(",") if one.strip())
    fixed = plan(lesson, tuple(acted(one) for one in lesson.scenarios), chosen)
    answers = _answers(asked.answers, fixed)
    if asked.captures is not None:
        check_folder(asked.captures)
    with ExitStack() as stack:
        keep = stack.enter_context(_kept(asked.transcript))
        run = _Run(fixed, asked.captures)
        stack.callback(lambda: keep(run.state))
        if answers is not None or _is_plain(asked, console):
            _linear(run, answers)
        else:
            _full_screen(run, console)
    return run.status


def show(path: Path) -> str:
    """A transcript for people. LabError: the file is none."""
    return as_markdown(_read(path), str(path))


class _Run:
    """The state, and what is told to it by the stage."""

    def __init__(self, fixed: Plan, captures: Path | None) -> None:
        self.state = begin(fixed)
        self.words = words_for(fixed.lesson.language)
        self._told: queue.SimpleQueue[Event | Exception] = queue.SimpleQueue()
        self._wake: Callable[[], None] = lambda: None
        self.player = Player(fixed.lesson, captures, self._tell)

    @property
    def status(self) -> int:
        """As for `lab run`, once the lesson was gone through; it is no failure to leave early."""
        matrices = [one.matrix for one in self.state.tries if one.matrix is not None]
        return exit_status(matrices) if self.state.finished and matrices else 0

    def happen(self, event: Event) -> None:
        self.state = advance(self.state, event)
        self.player.want(wanted(self.state))

    def listen(self, *, wait: bool) -> None:
        """Take what the stage has told; with `wait`, at least one thing. LabError: the stage cannot go on."""
        while wait or not self._told.empty():
            told = self._told.get()
            if isinstance(told, Exception):
                raise told
            self.happen(told)
            wait = False

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Whenever something is told, by any thread, call `wake`."""
        self._wake = wake
        try:
            yield
        finally:
            self._wake = lambda: None

    def _tell(self, told: Event | Exception) -> None:
        self._told.put(told)
        self._wake()


def _linear(run: _Run, answers: Answers | None) -> None:
    spot: tuple[object, ...] = ()
    page: tuple[object, ...] = ()
    """The last one that was read: after a look at the evidence it need not be read again."""
    width = min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH)
    with run.player:
        while not run.state.over:
            shown = view(run.state)
            if shown.spot != spot and (run.state.zoom is not None or shown.spot != page):
                _say(f"\n{plain.page(shown, run.words, width)}")
            spot, page = shown.spot, page if run.state.zoom is not None else shown.spot
            _say(plain.question(shown, run.words, width))
            if shown.busy:
                run.listen(wait=True)
                continue
            for event in _next_events(run.state, answers, run.words.not_understood):
                run.happen(event)
            run.listen(wait=False)


def _next_events(state: State, answers: Answers | None, complaint: str) -> tuple[Event, ...]:
    """From written answers, or else from a line of standard input, whose end is the end."""
    if answers is not None:
        said = reply(state, answers)
        _say(f"> {' '.join(map(as_typed, said))}")
        return said
    line = sys.stdin.readline()
    if not line:
        return (Key.QUIT,)
    events = plain.understood(line, state)
    if not events:
        _say(complaint.format(line=line.strip()))
    return events


def _full_screen(run: _Run, console: Console) -> None:
    reader = screen.Reader()
    # The terminal is given back before the stage has ended, which may take a moment.
    with run.player, screen.Keyboard() as keyboard, console.screen() as page, run.waking(keyboard.wake):
        while not run.state.over:
            shown = view(run.state)
            reader.turn(shown)
            drawn = screen.frame(shown, run.words, console, reader.scroll, reader.typed)
            console.control(Control.home())
            page.update(drawn)
            for key in keyboard.wait():
                _press(run, reader, key, console)
            run.listen(wait=False)


def _press(run: _Run, reader: screen.Reader, key: str, console: Console) -> None:
    """Each key is for the page that the one before it has led to."""
    shown = view(run.state)
    reader.turn(shown)
    drawn = screen.frame(shown, run.words, console, reader.scroll, reader.typed)
    event = reader.press(key, run.state, shown, drawn)
    if event is not None:
        run.happen(event)


def _is_plain(asked: Asked, console: Console) -> bool:
    """Whether there is no terminal, or none that can do more than print."""
    if asked.plain or not (console.is_terminal and sys.stdin.isatty()) or console.is_dumb_terminal:
        return True
    try:
        import termios  # noqa: F401
    except ImportError:
        return True
    return console.width < screen.LEAST[0] or console.height < screen.LEAST[1]


def _answers(path: Path | None, fixed: Plan) -> Answers | None:
    if path is None:
        return None
    answers = read_answers(_read(path), str(path))
    check(answers, fixed, str(path))
    return answers


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise LabError(f"{path}: this is not text; give a transcript, or a file of answers") from None
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from None


@contextmanager
def _kept(path: Path | None) -> Iterator[Callable[[State], None]]:
    """A way to keep the transcript. The file is made at once: nobody's answers are to be lost for a wrong name.

    LabError: there is such a file already, or it cannot be made.
    """
    if path is None:
        yield lambda _: None
        return
    try:
        descriptor = private.create(path)
    except OSError as error:
        raise LabError(f"{path}: no file for the transcript: {error.strerror}") from None
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yield lambda state: _write(file, transcript(state, started))


def _write(file: TextIO, text: str) -> None:
    file.write(text)


def _say(text: str) -> None:
    sys.stdout.write(f"{text.rstrip()}\n")
    sys.stdout.flush()
