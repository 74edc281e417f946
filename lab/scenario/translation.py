"""Whether two versions of a lesson in different languages are the same lesson: they may differ in their words alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import zip_longest

from lab.model import Exposure, Observer, SecretName
from lab.scenario.errors import Problems
from lab.scenario.lesson import Action, Expect, Explanation, Lesson, Scenario

_DATA = ("course", "minutes", "audience", "before", "misconceptions")
"""What the `toml` blocks of both have in common; hints are words, and only their number is."""


def compare(original: Lesson, translation: Lesson) -> None:
    """LessonErrors: where the translation tells, claims or explains something else."""
    problems = Problems(translation.path)
    file = original.path.name
    for key in _DATA:
        if getattr(original, key) != getattr(translation, key):
            problems.add(1, f"{key} in the toml block is not the same as in {file}")
    if len(original.hints) != len(translation.hints):
        problems.add(1, f"there are {len(translation.hints)} hints here and {len(original.hints)} in {file}")
    if len(original.scenarios) != len(translation.scenarios):
        problems.add(
            1, f"there are {len(translation.scenarios)} scenarios here and {len(original.scenarios)} in {file}"
        )
    for one, other in zip(original.scenarios, translation.scenarios, strict=False):
        _compare_scenarios(file, one, other, problems)
    if problems.found:
        raise problems.error()


def _compare_scenarios(file: str, original: Scenario, translation: Scenario, problems: Problems) -> None:
    for one, other in zip_longest(original.steps, translation.steps):
        if one is None:
            problems.add(other.line, f"this step is not in {file}")
        elif other is None:
            problems.add(translation.line, f"a step is missing, which is in {file}:{one.line}: {one.text}")
        elif _told(one.action) != _told(other.action):
            problems.add(other.line, f"this step is another one than in {file}:{one.line}: {one.text}")
        else:
            continue
        break  # what follows is moved by one line, and would be reported for it
    claimed = {(claim.secret, claim.observer): claim for claim in original.claims}
    for claim in translation.claims:
        wanted = claimed.get((claim.secret, claim.observer))
        if wanted is not None and wanted.exposure is not claim.exposure:
            what = f"{claim.secret} at {claim.observer} is {claim.exposure} here and {wanted.exposure}"
            problems.add(claim.line, f"{what} in {file}:{wanted.line}")
    explained, here = _cells(original.explanations), _cells(translation.explanations)
    for cell, missing in explained.items():
        if cell not in here:
            problems.add(translation.line, f"the explanation in {file}:{missing.line} is missing: {' '.join(cell)}")
    for cell, added in here.items():
        if cell not in explained:
            problems.add(added.line, f"{file} has no such explanation")


def _told(action: Action) -> tuple[object, ...]:
    """What a step does, without what people write: texts, names of files, titles. Claims are compared one by one."""
    if isinstance(action, Expect):
        return (Expect,)
    values = (getattr(action, field.name) for field in fields(action))
    return (type(action), *(value for value in values if type(value) is not str))


def _cells(explanations: Iterable[Explanation]) -> Mapping[tuple[SecretName, Observer, Exposure], Explanation]:
    return {(one.secret, one.observer, one.exposure): one for one in explanations}
