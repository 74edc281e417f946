"""Safety numbers for the terminal: digits to read to each other, and the code to scan.

Only ASCII beside the code itself: the digits are to be seen on every terminal.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from lab.e2ee.fingerprint import groups
from lab.report.qr import print_code
from lab.safety import Comparison, Side

_IN_A_ROW = 4


def print_comparisons(found: Sequence[Comparison], console: Console) -> None:
    """The safety number and the code of each pair of keys; says so where somebody has had more than one key."""
    one, other = found[0].one.who, found[0].other.who
    console.print()
    console.print(Text(f"Safety number of {one} and {other}", style="bold"))
    for warning in _changes(found):
        console.print(Padding(Text(warning, style="bold"), (1, 0, 0, 2)))
    for number, comparison in enumerate(found, start=1):
        if len(found) > 1:
            console.print(Padding(Text(f"{number} of {len(found)}", style="underline"), (1, 0, 0, 2)))
        _print(comparison, console)


def _print(comparison: Comparison, console: Console) -> None:
    one, other = comparison.one, comparison.other
    digits = groups(comparison.number)
    rows = (" ".join(digits[at : at + _IN_A_ROW]) for at in range(0, len(digits), _IN_A_ROW))
    console.print(Padding(Text("\n".join(rows), style="bold"), (1, 0, 1, 6)))
    console.print(Padding(Text("Made from these account keys, and from the names of the two accounts:"), (0, 0, 0, 2)))
    width = max(len(one.who), len(other.who))
    for side in (one, other):
        console.print(f"  {side.who:<{width}}  {side.key.hex()}", markup=False, soft_wrap=True)
    console.print(
        Padding(
            Text(
                f"If {one.who} and {other.who} read the same digits on their phones, nobody stands between them. "
                f"Instead, {other.who} can scan the code that {one.who} shows:"
            ),
            (1, 0, 1, 2),
        )
    )
    print_code(comparison.code, console, f"Its {len(comparison.code)} bytes are {comparison.code.hex()}.")


def _changes(found: Sequence[Comparison]) -> list[str]:
    sides: dict[str, dict[Side, None]] = {}
    for comparison in found:
        for side in (comparison.one, comparison.other):
            sides.setdefault(side.who, {})[side] = None
    return [
        f"The recording shows {len(keys)} account keys of {who}: the identity changed. Either {who} began anew, as on "
        f"a new phone, or somebody handed out a key in the name of {who}. The record cannot tell; {who} can."
        for who, keys in sides.items()
        if len(keys) > 1
    ]
