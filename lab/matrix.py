"""Controls + findings + inferences → the leak matrix of one capture, beside what the lesson claims. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lab import controls, detect, device_copy, inference
from lab.model import (
    INFERRED_ONLY,
    Capture,
    Cell,
    Claim,
    Control,
    Evidence,
    Exposure,
    Finding,
    Inference,
    LabError,
    LeakMatrix,
    Observer,
    Secret,
    SecretName,
)
from lab.record import Record

EVIDENCE_SHOWN = 10
"""How many findings of one secret at one observer are kept as evidence."""

WINDOW_BEFORE, WINDOW_MATCH, WINDOW_AFTER = 48, 256, 48
"""Bytes kept with a piece of evidence: before the match, of it at most, and after it."""


def judge(capture: Capture) -> LeakMatrix:
    """Who could read what, according to `capture`. The same capture gives the same matrix.

    LabError: it cannot be judged. No observer's column depends on another one, so a capture whose story names fewer of
    them gives a part of the matrix.
    """
    if Observer.DEVICE in capture.story.observers:
        capture = device_copy.with_copies(capture)
    names = tuple(dict.fromkeys([secret.name for secret in capture.secrets] + list(capture.facts)))
    claims = {(claim.secret, claim.observer): claim.exposure for claim in capture.claims}
    arrival = {name: controls.travelled(capture, name) for name in names}
    cells: dict[tuple[SecretName, Observer], Cell] = {}
    made: list[Control] = list(arrival.values())
    inferences: list[Inference] = []
    try:
        detector = detect.Detector(capture.secrets, detect.RECORD)
    except ValueError as error:
        raise LabError(f"the capture of {capture.story.scenario} cannot be judged: {error}") from error
    alike, alike_copies = detect.Alike(), detect.Alike()
    for observer in capture.story.observers:
        record = Record(capture, observer)
        search = detector.search(record.observations, alike=alike)
        estimates = inference.estimate(capture, record)
        detected = controls.detects(record, capture.secrets, alike_copies)
        inferences += estimates.inferences
        general = [controls.recorded(capture, record), controls.searched(observer, search.gave_up)]
        made += general
        for name in names:
            claimed = claims.get((name, observer))
            if name in INFERRED_ONLY:
                special = [control for control in estimates.controls if control.secret is name]
                answers = [one for one in estimates.inferences if one.secret is name]
                checks = [*general, arrival[name], *special]
                cells[name, observer] = derived(name, observer, answers, checks, claimed)
            else:
                hits = [finding for finding in search.findings if finding.secret == name]
                special = [control for control in detected if control.secret is name]
                special.append(controls.decoys(observer, name, capture.secrets, hits))
                checks = [*general, arrival[name], *special]
                evidence = evidence_of(hits, search)
                cells[name, observer] = Cell(name, observer, *verdict(evidence, checks), evidence, claimed)
            made += special
    unseen = [claim for claim in capture.claims if (claim.secret, claim.observer) not in cells]
    return LeakMatrix(
        scenario=capture.story.scenario,
        title=capture.story.title,
        mode=capture.story.mode,
        cells=(
            *(cells[name, observer] for name in names for observer in capture.story.observers),
            *(_nothing_recorded(claim) for claim in unseen),
        ),
        inferences=tuple(inferences),
        controls=tuple(made),
        secrets={name: _shown(capture.secrets, name) for name in names if name not in INFERRED_ONLY},
        broken_off=next((one.what for one in capture.missing if one.observer is None), ""),
    )


def _nothing_recorded(claim: Claim) -> Cell:
    reason = "the recording holds nothing that this claim could be compared with"
    return Cell(claim.secret, claim.observer, Exposure.INCONCLUSIVE, reason, (), claim.exposure)


def evidence_of(hits: Sequence[Finding], search: detect.Search) -> tuple[Evidence, ...]:
    """What reports show of the hits on one secret: those on the whole value first, and none on a decoy."""
    planted = sorted((hit for hit in hits if not hit.decoy), key=lambda hit: hit.partial is not None)
    return tuple(_evidence(hit, search) for hit in planted[:EVIDENCE_SHOWN])


def verdict(evidence: Sequence[Evidence], checks: Sequence[Control]) -> tuple[Exposure, str]:
    """What can be said about a secret that is read or not, and why."""
    if evidence:
        # A hit needs no record of the whole exchange, but it means nothing where decoys hit too.
        doubt = next((check for check in checks if check.name == "decoys" and not check.passed), None)
        return (Exposure.EXPOSED, _readable(evidence)) if doubt is None else (Exposure.INCONCLUSIVE, _because(doubt))
    failed = next((check for check in checks if not check.passed), None)
    if failed is not None:
        return Exposure.INCONCLUSIVE, _because(failed)
    return Exposure.HIDDEN, f"not found, and all {len(checks)} controls passed"


def derived(
    name: str,
    observer: str,
    answers: Sequence[Inference],
    checks: Sequence[Control],
    claimed: Exposure | None = None,
) -> Cell:
    """Sizes and times. An estimate that misses proves nothing (a better one may hit): that alone is never `hidden`.

    What hides a size is that messages of very different sizes look exactly the same to this observer, and each message
    of the story looks like them (lab/inference.py).
    """
    failed = next((check for check in checks if not check.passed), None)
    if failed is not None:
        return Cell(name, observer, Exposure.INCONCLUSIVE, _because(failed), (), claimed)
    if answers and all(one.holds for one in answers):
        reason = f"every estimate is within its tolerance and beats the guess ({answers[0].guess})"
        return Cell(name, observer, Exposure.INFERRED, reason, (), claimed)
    alike = answers[0].alike if answers else None
    if alike is not None and all(one.cannot_tell for one in answers):
        reason = (
            f"messages of {alike[0]} and of {alike[1]} bytes look exactly the same from here, so does each message of "
            f"the story, and all {len(checks)} controls passed"
        )
        return Cell(name, observer, Exposure.HIDDEN, reason, (), claimed)
    missed = min(answers, key=lambda one: one.holds or one.cannot_tell, default=None)
    reason = "there was nothing to estimate"
    if missed is not None and missed.alike is not None:
        reason = f"looks like {missed.alike[0]} to {missed.alike[1]} where {missed.truth:.0f} is true ({missed.unit})"
    elif missed is not None:
        reason = f"estimated {missed.estimate:.0f} where {missed.truth:.0f} is true ({missed.unit})"
        if abs(missed.estimate - missed.truth) <= missed.tolerance:
            reason += f"; the guess without a record ({missed.guess}) comes as close"
    return Cell(name, observer, Exposure.INCONCLUSIVE, reason, (), claimed)


def _readable(evidence: Sequence[Evidence]) -> str:
    """Where the whole value can be read, or else how much of it."""
    whole = [one for one in evidence if one.partial is None]
    places = ", ".join(dict.fromkeys(one.place for one in whole or evidence))
    if whole:
        return f"readable in {places}"
    return f"{max(one.partial or 0 for one in evidence)} bytes of it, one after the other, readable in {places}"


def _because(check: Control) -> str:
    return f"control {check.name!r} failed: {check.detail}"


def _evidence(finding: Finding, search: detect.Search) -> Evidence:
    source = search.sources[finding.source]
    first, last = finding.spans[0]
    start = max(0, first - WINDOW_BEFORE)
    return Evidence(
        place=finding.place,
        connection=source.connection,
        direction=source.direction,
        spans=finding.spans,
        decoders=finding.decoders,
        excerpt=finding.excerpt,
        window_start=start,
        window=source.data[start : min(last, first + WINDOW_MATCH) + WINDOW_AFTER],
        partial=finding.partial,
        exchange=source.exchange,
    )


def _shown(secrets: Sequence[Secret], name: SecretName) -> str:
    return ", ".join(secret.value.decode("utf-8", errors="replace") for secret in secrets if secret.name is name)
