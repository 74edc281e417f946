"""The pictures of the guide in the README, from a real run of the tour:

    python -m tests.guide.picture

It plays the part with TLS on a stage of its own and draws two pages, once the messages have really passed.
"""

from __future__ import annotations

import io
import queue
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from lab import resources
from lab.guide import screen
from lab.guide.answers import Answer, reply
from lab.guide.play import Player
from lab.guide.state import Event, Page, State, advance, begin, plan, wanted
from lab.guide.view import view
from lab.guide.words import words_for
from lab.model import Exposure
from lab.scenario import load
from lab.scenario.director import acted
from lab.scenario.lesson import Lesson
from lab.scenario.predictions import place_named

SIZE = 100, 26
PART = 1
"""From 0: the one with TLS."""

SAID = {
    "body@network": Exposure.HIDDEN,
    "body@server": Exposure.HIDDEN,
    "body@database": Exposure.EXPOSED,
    "service@network": Exposure.HIDDEN,
    "size@network": Exposure.INFERRED,
}

FOLDER = Path(__file__).parent

# What it is drawn with is the reader's own: nothing is fetched from elsewhere.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace("Fira Code, ", "")


def played(lesson: Lesson) -> Iterator[State]:
    """Every state of a run that says what `SAID` has."""
    answers = {PART: Answer({place_named(name): said for name, said in SAID.items()})}
    state = begin(plan(lesson, tuple(acted(one) for one in lesson.scenarios)))
    told: queue.SimpleQueue[Event | Exception] = queue.SimpleQueue()
    with Player(lesson, None, told.put) as player:
        while not state.over:
            yield state
            events = reply(state, answers) or (told.get(),)
            for event in events:
                if isinstance(event, Exception):
                    raise event
                state = advance(state, event)
            player.want(wanted(state))


def draw(state: State, file: Path) -> None:
    console = Console(file=io.StringIO(), record=True, width=SIZE[0], height=SIZE[1], force_terminal=True)
    console.print(screen.frame(view(state), words_for(state.plan.lesson.language), console))
    svg = console.export_svg(title=f"lab guide {state.plan.lesson.name}", code_format=_FORMAT, unique_id="guide")
    file.write_text(svg, encoding="utf-8")


def main() -> None:
    lesson = load(resources.folder("scenarios") / "tour.feature.md")
    for state in played(lesson):
        if state.page is Page.RUN and state.waiting and state.current.done == 1:
            draw(state, FOLDER / "run.svg")
        if state.page is Page.RESULT:
            draw(state, FOLDER / "result.svg")
    sys.stdout.write(f"drawn: {FOLDER / 'run.svg'}, {FOLDER / 'result.svg'}\n")


if __name__ == "__main__":
    main()
