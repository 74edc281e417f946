"""The answer key of a scenario: the claim table, and the explanations for those who predicted something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from lab.model import INFERRED_ONLY, Claim, Exposure, Observer, SecretName
from lab.scenario.errors import Problems
from lab.scenario.lesson import Explanation
from lab.scenario.markdown import Heading
from lab.scenario.outline import RawStep, Row
from lab.scenario.phrases import Language
from lab.scenario.vocabulary import claimable, match_template, read_word


def read_claims(
    step: RawStep, planted: Sequence[SecretName], observers: Sequence[Observer], problems: Problems
) -> tuple[Claim, ...]:
    """The claims in the table below `step`, row by row: complete over `planted` and `observers`, unless a problem was
    added."""
    if not step.rows:
        problems.add(step.line, "the claims are missing: put a table below this step, indented with two spaces")
        return ()
    head, *body = step.rows
    if head.cells[:1] != ("",):
        problems.add(head.line, "the first cell of the table stays empty: observers go right of it, secrets below it")
        return ()
    columns = [read_word("observer", cell, Observer, head.line, problems) for cell in head.cells[1:]]
    rows = [(row, read_word("secret", row.cells[0], SecretName, row.line, problems)) for row in body]
    if None not in columns:
        for observer in _repeated(columns):
            problems.add(head.line, f'the observer "{observer}" has two columns')
        for observer in Observer:
            if observer in observers and observer not in columns:
                problems.add(head.line, f'the observer "{observer}" has no column; a table has one for each observer')
            elif observer in columns and observer not in observers:
                problems.add(head.line, f'no step of this scenario brings in the observer "{observer}"')
    return tuple(_claims(step.line, columns, rows, planted, problems))


def _claims(
    line: int,
    columns: Sequence[Observer | None],
    rows: Sequence[tuple[Row, SecretName | None]],
    planted: Sequence[SecretName],
    problems: Problems,
) -> Iterator[Claim]:
    seen: set[SecretName] = set()
    for row, secret in rows:
        if secret is None:
            continue
        if secret in seen:
            problems.add(row.line, f'the secret "{secret}" has two rows')
        elif secret not in planted:
            problems.add(row.line, f'the secret "{secret}" is not among those that the scenario names above')
        seen.add(secret)
        for observer, cell in zip(columns, row.cells[1:], strict=True):
            exposure = _read_exposure(cell, secret, row.line, problems)
            if observer is not None and exposure is not None:
                yield Claim(secret, observer, exposure, row.line)
    if all(secret for _, secret in rows):
        for secret in planted:
            if secret not in seen:
                problems.add(
                    line, f'the secret "{secret}" has no row; the table has one for each secret of the scenario'
                )


def _read_exposure(cell: str, secret: SecretName, line: int, problems: Problems) -> Exposure | None:
    if cell == Exposure.INCONCLUSIVE:
        problems.add(line, "inconclusive cannot be claimed: it says that a measurement failed")
        return None
    known = [exposure for exposure in Exposure if exposure is not Exposure.INCONCLUSIVE]
    exposure = read_word("exposure", cell, known, line, problems)
    if exposure is None or exposure in claimable(secret):
        return exposure
    kind = "is never sent as such, so it is worked out" if secret in INFERRED_ONLY else "is a value that is sent"
    wanted = " or ".join(claimable(secret))
    problems.add(line, f'the secret "{secret}" {kind}: claim {wanted}, not {exposure}')
    return None


def opens_explanation(heading: Heading, language: Language) -> bool:
    """Whether a heading is meant as that of an explanation, perhaps misspelt."""
    opening = language.explanation_opening.casefold()
    return SequenceMatcher(None, heading.text[: len(opening)].casefold(), opening).ratio() >= 0.8


def read_explanation(
    heading: Heading, text: str, claims: Iterable[Claim], language: Language, problems: Problems
) -> Explanation | None:
    """The explanation below `heading`; None if a problem was added."""
    words = match_template(language.explanation, heading.text)
    if words is None or heading.level != 3:
        problems.add(heading.line, f"the heading of an explanation has the form: ### {language.explanation}")
        return None
    secret = read_word("secret", words["secret"], SecretName, heading.line, problems)
    observer = read_word("observer", words["observer"], Observer, heading.line, problems)
    exposure = read_word("exposure", words["exposure"], Exposure, heading.line, problems)
    if secret is None or observer is None or exposure is None:
        return None
    claimed = next((claim.exposure for claim in claims if (claim.secret, claim.observer) == (secret, observer)), None)
    if claimed is None:
        problems.add(heading.line, f"the scenario claims nothing about {secret} at {observer}")
    elif claimed is exposure:
        problems.add(
            heading.line, f"the scenario claims that {secret} at {observer} is {exposure}: nobody is wrong here"
        )
    elif exposure not in claimable(secret):
        wanted = " or ".join(claimable(secret))
        problems.add(heading.line, f"nobody can predict that: {secret} is {wanted}")
    elif not text:
        problems.add(heading.line, "this explanation is empty; write it below its heading")
    else:
        return Explanation(secret, observer, exposure, text, heading.line)
    return None


def _repeated[Item](items: Sequence[Item]) -> Iterator[Item]:
    return (item for number, item in enumerate(items) if items.index(item) < number)
