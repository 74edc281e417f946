"""The tour, held once on real taps: one recording per mode, which tests then break on purpose.

Held twice, in fact: as the lesson has it, and without the observers' own messages, which sizes and times need and which
make a record three times as long. What no size and no time is about is judged in the short ones.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lab import capture, resources
from lab.matrix import judge
from lab.model import INFERRED_ONLY, Capture, Cell, Exposure, LeakMatrix, Mode, Observer, Secret, SecretName
from lab.scenario import load
from lab.scenario.director import play
from lab.scenario.lesson import Lesson, Scenario
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.stage import Stage

TOUR = load(resources.folder("scenarios") / "tour.feature.md")
ENVELOPE = load(resources.folder("scenarios") / "what-the-envelope-says.feature.md")

HIDDEN = {
    (scenario.mode, observer): names
    for scenario in TOUR.scenarios
    for observer in ON_STAGE
    if (
        names := frozenset(
            claim.secret
            for claim in scenario.claims
            if claim.observer is observer and claim.exposure is Exposure.HIDDEN
        )
    )
}
"""What each observer cannot read, mode by mode, as the tour claims it; `test_matrix` shows that it is so."""


def recorded(stage: Stage) -> Mapping[Mode, Capture]:
    """The three recordings, made at the first call."""
    return {scenario.mode: recorded_in(stage, scenario.mode) for scenario in TOUR.scenarios}


@functools.cache
def recorded_in(stage: Stage, mode: Mode) -> Capture:
    """One of them."""
    return next(_played(scenario, stage) for scenario in TOUR.scenarios if scenario.mode is mode)


@functools.cache
def shortly_recorded(stage: Stage) -> Mapping[Mode, Capture]:
    """The same stories, in which nobody asks for sizes and times."""
    return {scenario.mode: _played(_without_inferences(scenario), stage) for scenario in TOUR.scenarios}


def _without_inferences(scenario: Scenario) -> Scenario:
    return replace(
        scenario,
        secrets=tuple(name for name in scenario.secrets if name not in INFERRED_ONLY),
        claims=tuple(claim for claim in scenario.claims if claim.secret not in INFERRED_ONLY),
    )


def _played(scenario: Scenario, stage: Stage, lesson: Lesson = TOUR) -> Capture:
    with TemporaryDirectory(prefix="lab-tests-") as folder:
        play(lesson, scenario, stage, Path(folder) / "capture", lambda _: None)
        return capture.read(Path(folder) / "capture")


@functools.cache
def padding_recorded(stage: Stage) -> Mapping[bool, Capture]:
    """The same two short messages, as they are (False) and padded (True)."""
    return {scenario.padded: _played(scenario, stage, ENVELOPE) for scenario in ENVELOPE.scenarios}


@functools.cache
def judged(stage: Stage) -> Mapping[Mode, LeakMatrix]:
    return {mode: judge(recording) for mode, recording in recorded(stage).items()}


def about(recording: Capture, observer: Observer, names: frozenset[SecretName]) -> Capture:
    """The part of a recording that one observer's verdicts on these secrets come from: quicker to judge."""
    return replace(
        recording,
        story=replace(recording.story, observers=(observer,)),
        secrets=tuple(secret for secret in recording.secrets if secret.name in names),
        facts=tuple(name for name in recording.facts if name in names),
        claims=tuple(one for one in recording.claims if one.observer is observer and one.secret in names),
    )


def cells(recording: Capture) -> dict[SecretName, Cell]:
    """The verdicts of a recording about one observer."""
    return {cell.secret: cell for cell in judge(recording).cells}


def planted(recording: Capture, name: SecretName) -> tuple[Secret, ...]:
    return tuple(secret for secret in recording.secrets if secret.name is name)
