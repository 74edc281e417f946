"""The full-screen face: a page is laid out for the size of the terminal, and keys are read one by one.

Made with rich, which the lab needs anyway. Textual (8.2.8, MIT, with its own dependencies) has widgets, a mouse and
style sheets, none of which a page of text with a bar of keys needs, and it would have to be an extra: whoever installs
the lab for a class would get another face than the one in the README. Here a page is a list of lines that follows from
a view and a size, so a test draws it without any terminal; what rich does not do is read keys, which is `Keyboard`.
"""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import batched
from typing import Self

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markdown import Markdown
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from lab.guide.plain import amounts
from lab.guide.state import Event, Key, Page, Predict, State, Write
from lab.guide.view import COMMANDS, Block, Box, Dump, Grid, Listed, Mood, Picture, Prose, Say, View
from lab.guide.words import Words
from lab.model import Exposure
from lab.scenario.predictions import PREDICTABLE

LEAST = 40, 12
"""Columns and lines below which the linear face is the better one."""

_READABLE = 110
"""Columns: longer lines of prose are hard to follow."""

_STYLES = {
    Mood.PLAIN: "",
    Mood.SAID: "bold",
    Mood.RIGHT: "bold",
    Mood.WRONG: "bold",
    Mood.OPEN: "",
}
_VERDICTS = {Exposure.EXPOSED: "red", Exposure.INFERRED: "yellow", Exposure.HIDDEN: "green"}
_TITLE = "bold reverse"
_CHOSEN = "reverse"
_MARK = "▸"
_UNLIMITED = 1_000
"""Columns: more than any table needs."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A page as lines of one size. `scroll` is its first line that is shown; `more`: there are further lines below."""

    lines: list[list[Segment]]
    scroll: int
    more: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, line in enumerate(self.lines):
            if number:
                yield Segment.line()
            yield from line


def frame(view: View, words: Words, console: Console, scroll: int | None = None, typed: str = "") -> Frame:
    """`view` for the size of `console`, from line `scroll` on, or from the last one from which on it fills the page.

    None: from where the chosen cell is on the page. `typed` is what was typed so far, where a line is wanted.
    """
    width, height = console.size
    options = console.options.update(width=width, height=None)

    def drawn(what: RenderableType, at: ConsoleOptions = options) -> list[list[Segment]]:
        return console.render_lines(what, at, pad=True)

    title = Text(f" {view.title} ", style=_TITLE, no_wrap=True, overflow="ellipsis")
    title.truncate(width, overflow="ellipsis", pad=True)
    head = drawn(title)
    asked: list[RenderableType] = []
    if view.ask:
        asked.append(Padding(Text(view.ask, style="bold"), (0, 1)))
    if view.typing:
        asked.append(Text(f" > {typed}▏", style="bold"))
    foot = [*(drawn(Group(*asked)) if asked else []), *drawn(_keys(view, width))]
    inner = options.update(width=width - 2)
    room = max(1, height - len(head) - len(foot) - 2)
    body = drawn(_blocks(view, words, width - 2, roomy=True), inner)
    if len(body) > room:
        body = drawn(_blocks(view, words, width - 2, roomy=False), inner)
    body = [[Segment(" "), *line, Segment(" ")] for line in body]
    if scroll is None:
        chosen = (number for number, line in enumerate(body) if any(_MARK in segment.text for segment in line))
        scroll = next(chosen, 0) - room + 2  # with the line below it, which may say what was predicted
    scroll = max(0, min(scroll, len(body) - room))
    more = scroll + room < len(body)
    shown = body[scroll : scroll + room]
    shown += [[Segment(" " * width)]] * (room - len(shown))
    further = f"{' ▲ PgUp' if scroll else ''}{(' ▼ PgDn' if view.typing else ' ▼ Space') if more else ''}"
    rule = drawn(Text(f"{'─' * (width - len(further))}{further}", style="dim"))
    lines = [*head, [Segment(" " * width)], *shown, rule[0], *foot]
    return Frame([Segment.adjust_line_length(line, width) for line in lines[:height]], scroll, more)


def _keys(view: View, width: int) -> RenderableType:
    """All keys, in lines that end between two of them: a key is not parted from what it does."""
    lines = [Text(no_wrap=True)]
    for key, what in view.keys:
        one = Text.assemble((f" {key} ", "reverse"), f" {what}")
        if lines[-1] and lines[-1].cell_len + one.cell_len > width:
            lines.append(Text(no_wrap=True))
        lines[-1].append_text(one).append("  ")
    return Group(*lines)


def _blocks(view: View, words: Words, width: int, *, roomy: bool) -> RenderableType:
    """`roomy`: with empty lines between rows, to be read from afar."""
    parts: list[RenderableType] = []
    below_heading = True
    for block in view.blocks:
        if not below_heading:
            parts.append(Text())
        parts.append(_block(block, words, width, roomy=roomy))
        below_heading = isinstance(block, Say) and not block.text
    return Group(*parts)


def _block(block: Block, words: Words, width: int, *, roomy: bool) -> RenderableType:
    match block:
        case Prose(text):
            return _narrow(Markdown(text), width)
        case Say(text, heading):
            parts = [Text(heading, style="bold")] if heading else []
            return _narrow(Group(*parts, *([Text(text)] if text else [])), width)
        case Listed(lines, here):
            between = [Text()] if roomy else []
            steps = [_step(number, line, here) for number, line in enumerate(lines)]
            if here is not None and not roomy:  # what comes next is said in full below
                for step in steps:
                    step.no_wrap, step.overflow = True, "ellipsis"
            return Group(*(part for step in steps for part in (step, *between)))
        case Grid():
            return _Grid(block, roomy)
        case Picture():
            return Group(*_picture(block, words, width, roomy=roomy))
        case Dump(lines):
            return Group(*(Text(line, overflow="fold") for line in lines))


def _narrow(what: RenderableType, width: int) -> RenderableType:
    table = Table.grid()
    table.add_column(width=min(width, _READABLE))
    table.add_row(what)
    return table


def _step(number: int, line: str, here: int | None) -> Text:
    if here is None or number > here:
        return Text(f"  {line}", style="" if here is None else "dim")
    if number == here:
        return Text(f"▶ {line}", style="bold")
    return Text(f"✓ {line}")


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table; where it is too wide, several below each other, with some of its columns each, so that none is cut."""

    grid: Grid
    roomy: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unlimited = options.update(max_width=_UNLIMITED)

        def tables(count: int) -> list[Table]:
            each = max(1, -(-len(self.grid.columns) // count))
            return [self._table(columns) for columns in batched(self.grid.columns, each)]

        def fit(count: int) -> bool:
            return all(Measurement.get(console, unlimited, one).maximum <= options.max_width for one in tables(count))

        most = max(1, len(self.grid.columns))
        for number, table in enumerate(tables(next(filter(fit, range(1, most)), most))):
            if number:
                yield Text()
            yield table

    def _table(self, columns: Sequence[str]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True, leading=int(self.roomy))
        table.add_column("", no_wrap=True)
        for column in columns:
            table.add_column(column, no_wrap=True)
        for row in self.grid.rows:
            boxes = (self.grid.boxes.get((row, column)) for column in columns)
            table.add_row(row, *(_box(one) if one is not None else Text() for one in boxes))
        return table


def _box(one: Box) -> Text:
    style = next((style for word, style in _VERDICTS.items() if word == one.word), "dim")
    chosen = f" {_CHOSEN}" if one.chosen else ""
    word = f"= {one.word}" if one.mood is Mood.RIGHT else one.word
    text = Text(f"{_MARK}{word}◂" if one.chosen else f" {word} ", style=f"{style} {_STYLES[one.mood]}{chosen}".strip())
    if one.said and one.mood is not Mood.RIGHT:
        sign = "≠" if one.mood is Mood.WRONG else "~"
        text.append(f"\n {sign} {one.said}", style="bold")
    return text


def _picture(picture: Picture, words: Words, width: int, *, roomy: bool) -> Iterator[RenderableType]:
    names = [picture.participants, *(stop.name or words.service for stop in picture.stops)]
    spare = width - sum(len(name) + 2 for name in names)
    each = spare // len(picture.stops)
    path, marks = Text(style="bold", no_wrap=True), ""
    for name, stop in zip(names, (None, *picture.stops), strict=True):
        if stop is not None:
            line = "═" if stop.encrypted else "─"
            # Where they do not fit side by side they stand one below the other.
            path.append(f"{line * (each - 1)}▶" if each > 1 else f"\n {line * 2}▶ ", style="dim")
        active = stop is not None and _some(picture, stop.observer)
        path.append(f"[{'● ' if active and each <= 1 else ''}{name}]")
        marks = marks.ljust(path.cell_len - len(name) // 2 - 2) + ("●" if active else "")
    yield path
    if each > 1 and marks.strip():
        yield Text(marks, style="bold")
    yield Text(f"{words.tls}   {words.no_tls}", style="dim")
    if picture.during:
        yield Text()
        yield Text(f"{words.whole_story}: {picture.during}", style="italic")
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold", ratio=1)  # all that is left: the amounts stay beside the names
        for observer, one in picture.traffic.items():
            table.add_row(observer, amounts(one, words))
            if one.shown:
                table.add_row("", Text(one.shown, no_wrap=True, overflow="ellipsis", style="cyan"))
            if roomy:
                table.add_row()
        yield table


def _some(picture: Picture, observer: object) -> bool:
    found = next((one for seen, one in picture.traffic.items() if seen is observer), None)
    return found is not None and bool(found.up or found.down)


# Keys

ENTER, ESCAPE, BACKSPACE, END_OF_INPUT, SPACE = "enter", "escape", "backspace", "ctrl-d", "space"
PAGE_UP, PAGE_DOWN = "page-up", "page-down"
_NAMED = {
    "\r": ENTER,
    "\n": ENTER,
    "\x7f": BACKSPACE,
    "\b": BACKSPACE,
    "\x04": END_OF_INPUT,
    " ": SPACE,
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1b[5~": PAGE_UP,
    "\x1b[6~": PAGE_DOWN,
}
_KEY = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.)|.", re.DOTALL)
_ARROWS = {"up": Key.UP, "down": Key.DOWN, "left": Key.LEFT, "right": Key.RIGHT}


def keys(text: str) -> list[str]:
    """The keys in what a terminal sent at once: characters as they are, others by name. Unknown ones are left out."""
    found = []
    for one in _KEY.findall(text):
        sequence = f"\x1b[{one[2:]}" if one.startswith("\x1bO") else one  # arrows of terminals in application mode
        name = _NAMED.get(sequence) or (ESCAPE if one == "\x1b" else one)
        if name.isprintable():  # no sequence that has no name here
            found.append(name)
    return found


@dataclass(slots=True)
class Reader:
    """How far a page is scrolled, and what was typed on it: what a face knows beside the state."""

    spot: tuple[object, ...] = ()
    scroll: int | None = None
    """None: the page follows the cell that is chosen."""
    typed: str = ""

    def press(self, key: str, state: State, view: View, shown: Frame) -> Event | None:
        """What `key` means on the page that is shown; None: it was for this page alone, or for nothing."""
        if view.typing and key not in (PAGE_UP, PAGE_DOWN, "up", "down"):
            return self._type(key)
        moves = state.zoom is None and state.page in (Page.PREDICT, Page.RESULT)
        match key:
            case "enter" if shown.more and any(isinstance(one, Prose) for one in view.blocks):
                self.scroll = shown.scroll + _step_of(shown)
            case "space" | "page-down":
                self.scroll = shown.scroll + _step_of(shown)
            case "page-up":
                self.scroll = max(0, shown.scroll - _step_of(shown))
            case "up" | "down" if not moves and state.zoom is None:
                self.scroll = max(0, shown.scroll + (1 if key == "down" else -1))
            case "enter":
                return Key.NEXT
            case "ctrl-d":
                return Key.QUIT
            case "escape" | "backspace":
                return Key.BACK
            case "1" | "2" | "3":
                return Predict(PREDICTABLE[int(key) - 1])
            case _:
                self.scroll = None if key in _ARROWS else self.scroll
                return _ARROWS.get(key) or (COMMANDS.get(key.lower()) if key else None)
        return None

    def _type(self, key: str) -> Event | None:
        match key:
            case "enter":
                typed, self.typed = self.typed, ""
                return Write(typed) if typed.strip() else Key.NEXT
            case "escape":
                return Key.BACK
            case "ctrl-d":
                return Key.QUIT
            case "backspace":
                self.typed = self.typed[:-1]
            case "space":
                self.typed += " "
            case _ if len(key) == 1:
                self.typed += key
        return None

    def turn(self, view: View) -> None:
        """Another page begins at its top."""
        if view.spot != self.spot:
            self.spot, self.scroll, self.typed = view.spot, None, ""


def _step_of(shown: Frame) -> int:
    return max(1, len(shown.lines) - 8)


class Keyboard:
    """Reads keys one by one, from the terminal that is standard input. Use as a context manager, which gives it back.

    `wake` may be called by any thread, and by a signal: whoever waits for keys then looks around.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stack = ExitStack()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        os.set_blocking(self._reader, False)

    def __enter__(self) -> Self:
        import termios  # not everywhere; where it is not, the linear face is used
        import tty

        self._stack.callback(os.close, self._reader)
        self._stack.callback(os.close, self._writer)
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        self._stack.enter_context(suppress(termios.error))  # the terminal may be gone by then
        self._stack.callback(termios.tcsetattr, terminal, termios.TCSADRAIN, before)
        tty.setcbreak(terminal)
        # By the descriptor, not by the handler alone: that runs in this thread, and a signal may come to another one.
        self._stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False))
        self._stack.callback(signal.signal, signal.SIGWINCH, signal.signal(signal.SIGWINCH, lambda *_: None))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def wake(self) -> None:
        with suppress(BlockingIOError, OSError):
            os.write(self._writer, b"\0")

    def wait(self) -> Sequence[str]:
        """The keys that were pressed; none if it was woken, and the key for the end if the terminal is gone."""
        terminal = sys.stdin.fileno()
        ready, _, _ = select.select([terminal, self._reader], [], [])
        if self._reader in ready:
            with suppress(BlockingIOError):
                os.read(self._reader, 4096)
        if terminal not in ready:
            return ()
        try:
            data = os.read(terminal, 4096)
        except OSError:  # somebody has closed the window
            data = b""
        return keys(self._decoder.decode(data)) if data else (END_OF_INPUT,)
