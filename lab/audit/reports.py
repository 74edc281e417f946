"""Audits of many tests, as CI shows them: a record for each observation (plain data), Markdown, SARIF. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lab.model import Cell, Exposure, LeakMatrix
from lab.scan.as_sarif import descriptors, log, message, uri

LEAK, GONE, UNDECIDED = "leak", "no-longer-readable", "undecided"
_RULES = {
    LEAK: "A secret is readable where a test says that it is not.",
    GONE: "A secret is not found where a test says that it is readable.",
    UNDECIDED: "A test cannot say whether a secret is readable, because a control is missing.",
}


@dataclass(frozen=True, slots=True)
class Surprise:
    """A verdict that is not what a test says."""

    secret: str
    observer: str
    measured: str
    expected: str
    why: str

    @property
    def rule(self) -> str:
        if self.measured == Exposure.INCONCLUSIVE:
            return UNDECIDED
        return GONE if self.measured == Exposure.HIDDEN else LEAK


@dataclass(frozen=True, slots=True)
class Audited:
    """What one observation of a test came to. `file` and `line` (from 1) are those of the test."""

    test: str
    file: str
    line: int
    secrets: tuple[str, ...]
    observers: tuple[str, ...]
    verdicts: tuple[tuple[str, ...], ...]
    """A row for each secret, as long as there are observers."""
    surprises: tuple[Surprise, ...]

    def plain(self) -> dict[str, Any]:
        """For another process."""
        return asdict(self)


def audited(test: str, file: str, line: int, matrix: LeakMatrix, surprises: Sequence[tuple[Cell, Exposure]]) -> Audited:
    return Audited(
        test,
        file,
        line,
        matrix.rows,
        tuple(map(str, matrix.columns)),
        tuple(tuple(_word(matrix.get(secret, at)) for at in matrix.columns) for secret in matrix.rows),
        tuple(
            Surprise(cell.secret, str(cell.observer), str(cell.exposure), str(expected), cell.reason)
            for cell, expected in surprises
        ),
    )


def _word(cell: Cell | None) -> str:
    return str(cell.exposure) if cell else ""


def from_plain(fields: dict[str, Any]) -> Audited:
    """What `plain` gave, be it by way of JSON."""
    return Audited(
        fields["test"],
        fields["file"],
        fields["line"],
        tuple(fields["secrets"]),
        tuple(fields["observers"]),
        tuple(tuple(row) for row in fields["verdicts"]),
        tuple(Surprise(**one) for one in fields["surprises"]),
    )


def to_markdown(tests: Sequence[Audited]) -> str:
    """One table over all tests, as GitHub shows it in the summary of a step."""
    observers = tuple(dict.fromkeys(observer for one in tests for observer in one.observers))
    lines = ["### Who could read what", "", _row(["test", "secret", *observers]), _row(["---"] * (len(observers) + 2))]
    for one in tests:
        odd = {(surprise.secret, surprise.observer): surprise.expected for surprise in one.surprises}
        for secret, verdicts in zip(one.secrets, one.verdicts, strict=True):
            measured = dict(zip(one.observers, verdicts, strict=True))
            cells = [_verdict(measured.get(at, ""), odd.get((secret, at))) for at in observers]
            lines.append(_row([f"`{one.test}`", secret, *cells]))
    return "\n".join(lines) + "\n\n"


def _verdict(measured: str, expected: str | None) -> str:
    return measured if expected is None else f"**{measured}** (expected: {expected})"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def to_sarif(tests: Sequence[Audited], version: str) -> str:
    """What is not as the tests say, as SARIF 2.1.0 (OASIS), at the line of each test."""
    run = {
        "tool": {"driver": {"name": "leaklab", "version": version, "rules": descriptors(_RULES)}},
        "columnKind": "unicodeCodePoints",
        "results": [result for one in tests for result in _results(one)],
    }
    return log(run)


def _results(one: Audited) -> Iterator[dict[str, Any]]:
    for odd in one.surprises:
        text = f"{odd.secret} is {odd.measured} at {odd.observer}, expected: {odd.expected} ({one.test}): {odd.why}"
        yield {
            "ruleId": odd.rule,
            "ruleIndex": list(_RULES).index(odd.rule),
            "level": "error" if odd.rule == LEAK else "warning",
            "message": message(text),
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": uri(one.file)}, "region": {"startLine": one.line}}}
            ],
            "properties": {"secret": odd.secret, "observer": odd.observer},
        }
