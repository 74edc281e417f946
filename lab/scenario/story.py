"""One scenario: its steps in their order, what each of them does, and whether they make a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.model import Claim, Exposure, Mode, Observer, SecretName
from lab.scenario.claims import opens_explanation, read_claims, read_explanation
from lab.scenario.errors import Problems
from lab.scenario.lesson import (
    Action,
    Expect,
    Explanation,
    Participant,
    Plant,
    Scenario,
    SendFile,
    SendText,
    Serve,
    Step,
)
from lab.scenario.outline import Outline, RawScenario, RawStep
from lab.scenario.vocabulary import Language, Part, StepKind, VocabularyError, match_step, read_word, split_list

_PURPOSES = {
    Part.STAGE: "prepares the stage",
    Part.STORY: "tells the story",
    Part.CLAIMS: "makes the claims",
}
_NEEDS = (
    (SecretName.BODY, SendText, "a text"),
    (SecretName.ATTACHMENT, SendFile, "a file"),
)
_ONLY_ONCE = {
    StepKind.SERVE: "message service",
    StepKind.PLANT: "list of secrets",
    StepKind.EXPECT: "table of claims",
}


@dataclass(frozen=True, slots=True)
class _Matched:
    """A step whose phrase is known, with the text of its fields."""

    raw: RawStep
    kind: StepKind
    fields: Mapping[str, str]


def read_scenario(raw: RawScenario, outline: Outline, language: Language, problems: Problems) -> Scenario | None:
    """The scenario; None if there is a problem in its lines.

    It is judged as a whole only once each of its lines is understood, or one slip would be reported several times.
    """
    steps = tuple(_match(raw.steps, language, problems))
    if problems.any_between(raw.line, raw.last):
        return None
    _check_order(steps, language, problems)
    _check_completeness(raw, steps, problems)
    if problems.any_between(raw.line, raw.last):
        return None
    actions = tuple(_read_actions(steps, language, problems))
    if problems.any_between(raw.line, raw.last):
        return None
    mode = next(action.mode for _, action in actions if isinstance(action, Serve))
    plant, secrets = next((step, action.secrets) for step, action in actions if isinstance(action, Plant))
    claims = next(action.claims for _, action in actions if isinstance(action, Expect))
    for secret, kind, what in _NEEDS:
        if secret in secrets and not any(isinstance(action, kind) for _, action in actions):
            problems.add(plant.line, f'nobody sends {what} in this scenario, so it has no secret "{secret}"')
    explanations, prose = _read_prose(raw, outline, claims, language, problems)
    return Scenario(
        title=raw.title,
        line=raw.line,
        mode=mode,
        secrets=secrets,
        steps=tuple(Step(step.line, step.keyword, step.text, action) for step, action in actions),
        claims=claims,
        explanations=explanations,
        prose=prose,
    )


def _match(steps: Sequence[RawStep], language: Language, problems: Problems) -> Iterator[_Matched]:
    for step in steps:
        try:
            kind, fields = match_step(step.text, language)
        except VocabularyError as error:
            problems.add(step.line, str(error))
            continue
        if step.rows and kind is not StepKind.EXPECT:
            problems.add(step.rows[0].line, "the step above takes no table; only the claims do")
        yield _Matched(step, kind, fields)


def _check_order(steps: Sequence[_Matched], language: Language, problems: Problems) -> None:
    reached = Part.STAGE
    for step in steps:
        part = step.kind.part
        if part < reached:
            first, then = _PURPOSES[part], _PURPOSES[reached]
            problems.add(step.raw.line, f"this step {first} and would come too late, after a step that {then}")
        elif step.raw.part is not part:
            keyword = language.keywords[part]
            problems.add(step.raw.line, f"this step {_PURPOSES[part]}: it stands below {keyword}")
        reached = max(reached, part)


def _check_completeness(raw: RawScenario, steps: Sequence[_Matched], problems: Problems) -> None:
    for kind, name in _ONLY_ONCE.items():
        found = [step for step in steps if step.kind is kind]
        if not found:
            problems.add(raw.line, f"this scenario has no {name}")
        for step in found[1:]:
            problems.add(step.raw.line, f"this scenario has a {name} already, in line {found[0].raw.line}")
    if not any(step.kind.part is Part.STORY for step in steps):
        problems.add(raw.line, "nobody sends anything in this scenario")


def _read_actions(
    steps: Sequence[_Matched], language: Language, problems: Problems
) -> Iterator[tuple[RawStep, Action]]:
    """Each step with what it does; without those that have a problem."""
    secrets: tuple[SecretName, ...] = ()
    for step in steps:
        action = _read_action(step, secrets, language, problems)
        if isinstance(action, Plant):
            secrets = action.secrets
        if action is not None:
            yield step.raw, action


def _read_action(
    step: _Matched, planted: Sequence[SecretName], language: Language, problems: Problems
) -> Action | None:
    line, fields = step.raw.line, step.fields
    match step.kind:
        case StepKind.SERVE:
            mode = read_word("mode", fields["mode"], Mode, line, problems)
            return None if mode is None else Serve(mode)
        case StepKind.PLANT:
            secrets = _read_list("secret", fields["secrets"], SecretName, line, language, problems)
            return Plant(secrets) if secrets else None
        case StepKind.EXPECT:
            # Without the planted secrets, each row would be reported for a slip in another line.
            return Expect(read_claims(step.raw, planted, problems)) if planted else None
        case StepKind.SEND_TEXT | StepKind.SEND_FILE:
            return _read_send(step, language, problems)


def _read_send(step: _Matched, language: Language, problems: Problems) -> Action | None:
    line, fields = step.raw.line, step.fields
    sender = read_word("participant", fields["participant"], Participant, line, problems)
    recipients = _read_list("participant", fields["participants"], Participant, line, language, problems)
    if sender in recipients:
        problems.add(line, f"{sender} cannot send to {sender}")
    if not fields["text"].strip():
        problems.add(line, "there is no text between the quotation marks")
    if sender is None:
        return None
    if step.kind is StepKind.SEND_TEXT:
        return SendText(sender, recipients, fields["text"])
    if not re.fullmatch(r"\w([\w .-]*\w)?", fields["name"]):
        problems.add(line, "a file name has letters, digits, spaces, dots and hyphens, and no folder: plan.txt")
    return SendFile(sender, recipients, fields["name"], fields["text"])


def _read_list[Word: StrEnum](
    what: str, text: str, words: type[Word], line: int, language: Language, problems: Problems
) -> tuple[Word, ...]:
    """The words of a list, each once; empty if there is a problem."""
    items = split_list(text, language)
    known = [read_word(what, item, words, line, problems) for item in items]
    if len(set(items)) < len(items):
        problems.add(line, f"each {what} stands in a list once")
        return ()
    found = tuple(word for word in known if word is not None)
    return found if len(found) == len(items) else ()


def _read_prose(
    raw: RawScenario, outline: Outline, claims: Sequence[Claim], language: Language, problems: Problems
) -> tuple[tuple[Explanation, ...], str]:
    """The explanations of the scenario, and its prose without them.

    An explanation reaches to the next heading or to the next line of Gherkin, whichever comes first.
    """
    headings = [heading for heading in outline.headings if raw.line < heading.line <= raw.last]
    found: dict[tuple[SecretName, Observer, Exposure], Explanation] = {}
    used: set[int] = set()
    for heading in headings:
        if not opens_explanation(heading, language):
            continue
        ends = [other.line for other in headings] + [step.line for step in raw.steps]
        last = min((line for line in ends if line > heading.line), default=raw.last + 1) - 1
        used.update(range(heading.line, last + 1))
        text = outline.prose_between(heading.line + 1, last)
        explanation = read_explanation(heading, text, claims, language, problems)
        if explanation is None:
            continue
        first = found.setdefault((explanation.secret, explanation.observer, explanation.exposure), explanation)
        if first is not explanation:
            problems.add(heading.line, f"line {first.line} explains the same prediction already")
    return tuple(found.values()), outline.prose_between(raw.line, raw.last, without=used)
