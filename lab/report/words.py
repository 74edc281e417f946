"""Words that all reports share."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from lab.model import Exposure, Inference, LeakMatrix, SecretName
from lab.report.sentences import ENGLISH, in_language

CHECKED = {
    "travelled": "the recipient did get it, so there was something to see",
    "recorded": "each observer recorded this very conversation, to its end",
    "searched": "the whole record was searched",
    "detects": "planted in a copy of the same record, it is found: whole and split, in each direction",
    "decoys": "values drawn alike but never planted are not found",
    "estimate": "the observer's method gets its own messages right, or shows which sizes look the same",
}
"""What each control makes sure of, when it passes."""


def summary(matrices: Sequence[LeakMatrix], language: str = ENGLISH) -> str:
    """One sentence over all sessions."""
    cells = [cell for matrix in matrices for cell in matrix.cells]
    claimed = [cell for cell in cells if cell.claimed is not None]
    failed = sum(cell.failed for cell in claimed)
    unclear = sum(cell.exposure is Exposure.INCONCLUSIVE for cell in cells)
    held = sum(cell.exposure is cell.claimed for cell in claimed)
    words = [f"{held} of {len(claimed)} claims hold" if claimed else "Nothing was claimed beforehand"]
    if failed:
        words.append(f"{failed} failed")
    if unclear:
        words.append(f"{unclear} could not be decided")
    broken = sum(bool(matrix.broken_off) for matrix in matrices)
    if broken:
        words.append(f"{broken} of {len(matrices)} stories broke off, so nothing is shown by it")
    return "; ".join(in_language(one, language) for one in words) + "."


def answer(inference: Inference) -> str:
    """What the observer worked out, in its unit: one value, or from where to where all look the same."""
    if inference.alike is not None:
        least, greatest = inference.alike
        return f"{least}–{greatest} {inference.unit}"
    return amount(inference, inference.estimate)


def amount(inference: Inference, value: float) -> str:
    """An estimate or the truth, in its unit; a time as the clock shows it."""
    if inference.secret is SecretName.TIME:
        return clock(value)
    return f"{value:.0f} {inference.unit}"


def clock(moment: float) -> str:
    """A time of day; `moment` is in seconds since the epoch."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%H:%M:%S.%f")[:-3] + " UTC"
