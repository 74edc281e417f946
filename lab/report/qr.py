"""QR codes for the terminal."""

from __future__ import annotations

import io

import segno
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

_BLOCKS = "\u2580\u2584\u2588"
"""Upper half, lower half and whole: what a code is drawn with."""


def print_code(code: bytes, console: Console, otherwise: str) -> None:
    """Draw it, or say `otherwise` where the terminal has no characters for it."""
    try:
        _BLOCKS.encode(console.encoding)
    except UnicodeEncodeError:
        console.print(Padding(Text(f"(This terminal cannot show it. {otherwise})"), (0, 2)))
        return
    drawn = io.StringIO()
    segno.make_qr(code, mode="byte").terminal(drawn, compact=True)
    # Light modules are drawn, dark ones left out. In colours of its own the code is right on light terminals, too.
    for line in drawn.getvalue().splitlines():
        console.print("  ", Text(line, style="bright_white on black"), sep="", soft_wrap=True)
