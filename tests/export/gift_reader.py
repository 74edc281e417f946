"""A small reader of GIFT, as far as multiple choice goes, written from its description and not from our writer.

https://docs.moodle.org/en/GIFT_format: blocks are parted by blank lines, lines that begin with // are comments, a
backslash makes ~ = # { } : and itself literal, and with an n a line break.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    right: bool
    text: str
    feedback: str


@dataclass(frozen=True)
class Question:
    category: str
    name: str
    format: str
    text: str
    answers: tuple[Answer, ...]


type Chars = list[tuple[str, bool]]
"""Characters, and whether each is a sign of the format."""


def read(gift: str) -> Iterator[Question]:
    category = ""
    for block in blocks(gift):
        if block.startswith("$CATEGORY:"):
            category = block.removeprefix("$CATEGORY:").strip()
        else:
            yield question(category, marked(block))


def blocks(gift: str) -> Iterator[str]:
    lines: list[str] = []
    for line in [*gift.split("\n"), ""]:
        if line.strip() == "":
            if lines:
                yield "\n".join(lines)
            lines = []
        elif not line.strip().startswith("//"):
            lines.append(line)


def marked(text: str) -> Chars:
    found: Chars = []
    chars = iter(text)
    for char in chars:
        if char != "\\":
            found.append((char, char in "~=#{}:"))
            continue
        following = next(chars, "")
        if following == "n":
            found.append(("\n", False))
        elif following and following in "~=#{}:\\":
            found.append((following, False))
        else:
            raise ValueError(f"a backslash before {following!r}")
    return found


def question(category: str, chars: Chars) -> Question:
    nothing, _, chars = parted(chars, "::")
    assert not nothing
    name, _, chars = parted(chars, "::")
    asked, _, chars = parted(chars, "{")
    body, _, rest = parted(chars, "}")
    assert plain(rest) == ""
    form, text = formatted(asked)
    return Question(category, plain(name), form, text, tuple(answers(body)))


def answers(chars: Chars) -> Iterator[Answer]:
    starts = [place for place, char in enumerate(chars) if char in (("=", True), ("~", True))]
    assert starts
    assert plain(chars[: starts[0]]) == ""
    for start, end in zip(starts, [*starts[1:], len(chars)], strict=True):
        text, _, feedback = parted(chars[start + 1 : end], "#")
        yield Answer(chars[start][0] == "=", formatted(text)[1], formatted(feedback)[1])


def parted(chars: Chars, sign: str) -> tuple[Chars, str, Chars]:
    """What stands before and behind the first `sign` of the format."""
    wanted = [(char, True) for char in sign]
    for place in range(len(chars)):
        if chars[place : place + len(wanted)] == wanted:
            return chars[:place], sign, chars[place + len(wanted) :]
    raise ValueError(f"no {sign}")


def formatted(chars: Chars) -> tuple[str, str]:
    text = plain(chars)
    for form in ("moodle", "html", "plain", "markdown"):
        if text.startswith(f"[{form}]"):
            return form, text.removeprefix(f"[{form}]").strip()
    return "", text


def plain(chars: Chars) -> str:
    assert not any(sign for _, sign in chars), chars
    return "".join(char for char, _ in chars).strip()
