"""Secrets for an audit: drawn, or given; in each case with decoys drawn alike, which are planted nowhere."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable

from lab.detect import ordinary
from lab.model import LabError
from lab.scan.wanted import Wanted

DECOYS = 4
"""How many values are drawn like each secret."""

_ATTEMPTS = 100
_KINDS = (string.digits, "0123456789abcdef", string.ascii_lowercase, string.ascii_uppercase)

type Draw = Callable[[], str]
"""Gives another value of the same kind at each call."""


class Canary(str):
    """A text that is planted, to be used like any other text; it knows its name and its decoys."""

    name: str
    decoys: tuple[str, ...]

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.name, self.encode(), tuple(decoy.encode() for decoy in self.decoys))


def canary(name: str, value: str | None = None, draw: Draw | None = None) -> Canary:
    """The secret `name`: `value`, else one drawn by `draw`, else the name with 64 random bits.

    LabError: the value is too short or too ordinary to be told from what others write, or nothing like it can be drawn.
    """
    if not name.isprintable() or not name.strip() or "|" in name:
        raise LabError(f"{name!r} is no name for a secret: take printable characters, and no |")
    draw = draw or ((lambda: like(value)) if value is not None else lambda: f"{name}-{secrets.token_hex(8)}")
    made = Canary(value if value is not None else draw())
    if why := ordinary.refusal(made.encode()):
        raise LabError(f"the secret {name!r} cannot be looked for: {why}")
    made.name = name
    made.decoys = _decoys(made, draw)
    return made


def like(value: str) -> str:
    """Another text of the same shape: a digit for each digit, a letter for each letter, the rest as it is."""
    hexadecimal = len(value) >= 8 and all(one in "0123456789abcdef-" for one in value)
    kinds = _KINDS[1:] if hexadecimal else (_KINDS[0], *_KINDS[2:])
    drawn = []
    for one in value:
        kind = next((kind for kind in kinds if one in kind), None)
        if kind is None and one.isalpha():
            kind = string.ascii_letters
        drawn.append(secrets.choice(kind) if kind else one)
    return "".join(drawn)


def _decoys(value: str, draw: Draw) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for _ in range(_ATTEMPTS):
        other = draw()
        if other != value:
            found[other] = None
        if len(found) == DECOYS:
            return tuple(found)
    raise LabError("no other values like this secret can be drawn: give one with letters or digits, or a better `draw`")
