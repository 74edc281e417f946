"""The linear face: text from top to bottom, one question at a time, lines as answers.

For pipes, screen readers and terminals that can only print: no cursor is moved, no colour means anything, and the lab's
own signs are ASCII.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from lab.guide.lesson_path import Traffic
from lab.guide.state import Choose, Event, Key, Page, Predict, State, Write
from lab.guide.view import COMMANDS, Block, Box, Dump, Grid, Listed, Mood, Picture, Prose, Say, View
from lab.guide.words import Words
from lab.model import Exposure, LabError, Observer
from lab.scenario.predictions import PREDICTABLE, place_named

_AS_IS = ("-", "*", "|", ">", "#", "`", *"0123456789")
"""Blocks of Markdown that begin like this are kept line by line."""


_TYPED = {"Esc": "b", "Ctrl-D": "q"}
"""What is typed here for keys that make no letter."""


def page(view: View, words: Words, width: int) -> str:
    """All of a page but what it comes down to."""
    parts = [f"== {view.title} ==", *(text for block in view.blocks if (text := _block(block, words, width)))]
    return "\n\n".join(parts) + "\n"


def question(view: View, words: Words, width: int) -> str:
    """What a page comes down to, and what can be answered."""
    asked = [textwrap.fill(view.ask, width)] if view.ask else []
    if not view.busy:
        typed = ((_TYPED.get(key, key), what) for key, what in view.keys)
        keys = ", ".join(f"{key} = {what}" for key, what in typed if key.isascii())
        asked.append(textwrap.fill(f"{words.commands}{keys}", width))
    return "\n".join(asked) + "\n"


def understood(line: str, state: State) -> tuple[Event, ...]:
    """What somebody who types `line` wants; () for what is not understood.

    Besides the keys: the word of a verdict, "body@server", "body@server hidden" and "e body@server".
    """
    typed = line.strip()
    if typed in COMMANDS:
        return (COMMANDS[typed],)
    if state.page is Page.EXPLAIN and state.zoom is None:
        return (Write(typed),)
    *first, last = typed.split()
    try:
        match first:
            case []:
                exposure = _exposure(last)
                return (Predict(exposure),) if exposure else (Choose(place_named(last)),)
            case ["e"]:
                return Choose(place_named(last)), Key.LOOK
            case [place]:
                exposure = _exposure(last)
                return (Choose(place_named(place)), Predict(exposure)) if exposure else ()
    except LabError:
        pass
    return ()


def _exposure(word: str) -> Exposure | None:
    numbered = {str(number): one for number, one in enumerate(PREDICTABLE, start=1)}
    return numbered.get(word) or next((one for one in PREDICTABLE if one == word), None)


def _block(block: Block, words: Words, width: int) -> str:
    match block:
        case Prose(text):
            return "\n\n".join(_paragraph(one, width) for one in text.strip().split("\n\n"))
        case Say(text, heading):
            said = "\n".join(textwrap.fill(line, width) for line in text.splitlines())
            return "\n".join(part for part in (f"-- {heading} --" if heading else "", said) if part)
        case Listed(lines, here):
            return "\n".join(f"{_mark(number, here)} {line}" for number, line in enumerate(lines))
        case Grid():
            return "\n".join(_row(block, row) for row in block.rows)
        case Picture():
            return "\n".join(_picture(block, words))
        case Dump(lines):
            return "\n".join(lines)


def _paragraph(text: str, width: int) -> str:
    return text if text.lstrip().startswith(_AS_IS) else textwrap.fill(text, width)


def _mark(number: int, here: int | None) -> str:
    if here is None or number > here:
        return "-"
    return ">" if number == here else "x"


def _row(grid: Grid, row: str) -> str:
    cells = (f"{column} {_box(grid.boxes[row, column])}" for column in grid.columns if (row, column) in grid.boxes)
    return f"{row}: {', '.join(cells)}"


def _box(box: Box) -> str:
    match box.mood:
        case Mood.RIGHT:
            return f"{box.word} (=)"
        case _ if box.said:
            return f"{box.word} (!= {box.said})"
    return box.word


def _picture(picture: Picture, words: Words) -> Iterator[str]:
    path = picture.participants
    for stop in picture.stops:
        path += f" {'==>' if stop.encrypted else '-->'} [{stop.name or words.service}]"
    yield path
    yield f"{words.tls.replace('═▶', '==>')}, {words.no_tls.replace('─▶', '-->')}"
    if picture.during:
        yield f"\n{words.whole_story}: {picture.during}"
        yield from _recorded(picture.traffic, words)


def _recorded(traffic: Mapping[Observer, Traffic], words: Words) -> Iterator[str]:
    for observer, one in traffic.items():
        saw = f"; {words.sees}: {one.shown}" if one.shown else ""
        yield f"{observer}: {amounts(one, words)}{saw}"


def amounts(one: Traffic, words: Words) -> str:
    """How much an observer recorded, in words."""
    if not one.up and not one.down:
        return words.nothing_passed
    if one.observer is Observer.DATABASE:
        return words.grew.format(count=f"{one.up:,}")
    single, several = (words.request, words.requests) if one.requests else (words.piece, words.pieces)
    count = single if one.pieces == 1 else several.format(count=one.pieces)
    return f"{count}, {one.up:,} B {words.up}, {one.down:,} B {words.down}"
