"""One scenario: its steps in their order, what each of them does, and whether they make a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set

from lab.model import Claim, Exposure, Mode, Observer, SecretName
from lab.scenario.actions import Matched, read_actions
from lab.scenario.claims import opens_explanation, read_explanation
from lab.scenario.errors import Problems
from lab.scenario.lesson import (
    Action,
    Behave,
    DelayText,
    Expect,
    Explanation,
    Intercept,
    Pad,
    Plant,
    Scenario,
    SendFile,
    SendIntercepted,
    SendOffline,
    SendText,
    SendToGroup,
    SendTwoFaces,
    Serve,
    SetProfile,
    StartGroup,
    Step,
    StripTls,
)
from lab.scenario.outline import Outline, RawScenario, RawStep
from lab.scenario.phrases import Language, Part, StepKind
from lab.scenario.plot import check_plot
from lab.scenario.vocabulary import ON_STAGE, VocabularyError, match_step

_PURPOSES = {
    Part.STAGE: "prepares the stage",
    Part.STORY: "tells the story",
    Part.CLAIMS: "makes the claims",
}
_ONCE = (
    ("message service", {StepKind.SERVE, StepKind.SERVE_WITH}),
    ("list of secrets", {StepKind.PLANT}),
    ("table of claims", {StepKind.EXPECT}),
)
_SAID_ONCE = {kind for kind in StepKind if kind.part is Part.STAGE}.difference(*(kinds for _, kinds in _ONCE))
_SENDING = {
    StepKind.SEND_TEXT,
    StepKind.SEND_PART,
    StepKind.SEND_FILE,
    StepKind.SEND_GROUP,
    StepKind.SEND_GROUP_PART,
    StepKind.DELAY,
    StepKind.INTERCEPT,
    StepKind.SEND_OFFLINE,
    StepKind.SEND_OFFLINE_WAITS,
    StepKind.TWO_FACES,
}


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
    observers = _observers({step.kind for step in steps})
    actions = tuple(read_actions(steps, observers, language, problems))
    if problems.any_between(raw.line, raw.last):
        return None
    serve = next(action for _, action in actions if isinstance(action, Serve))
    plant, secrets = next((step, action.secrets) for step, action in actions if isinstance(action, Plant))
    claims = next(action.claims for _, action in actions if isinstance(action, Expect))
    _check_encryption(steps, serve.mode, problems)
    check_plot(actions, serve, problems)
    _check_secrets(plant.line, secrets, [action for _, action in actions], problems)
    explanations, prose = _read_prose(raw, outline, claims, language, problems)
    return Scenario(
        title=raw.title,
        line=raw.line,
        mode=serve.mode,
        encryption=serve.encryption,
        padded=any(isinstance(action, Pad) for _, action in actions),
        interceptor=next((action.certificate for _, action in actions if isinstance(action, Intercept)), None),
        strips_tls=any(isinstance(action, StripTls) for _, action in actions),
        habits=frozenset(action.habit for _, action in actions if isinstance(action, Behave)),
        observers=observers,
        secrets=secrets,
        steps=tuple(Step(step.line, step.keyword, step.text, action) for step, action in actions),
        claims=claims,
        explanations=explanations,
        prose=prose,
    )


def _match(steps: Sequence[RawStep], language: Language, problems: Problems) -> Iterator[Matched]:
    for step in steps:
        try:
            kind, fields = match_step(step.text, language)
        except VocabularyError as error:
            problems.add(step.line, str(error))
            continue
        if step.rows and kind is not StepKind.EXPECT:
            problems.add(step.rows[0].line, "the step above takes no table; only the claims do")
        yield Matched(step, kind, fields)


def _check_order(steps: Sequence[Matched], language: Language, problems: Problems) -> None:
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


def _check_completeness(raw: RawScenario, steps: Sequence[Matched], problems: Problems) -> None:
    for name, kinds in _ONCE:
        found = [step for step in steps if step.kind in kinds]
        if not found:
            problems.add(raw.line, f"this scenario has no {name}")
        for step in found[1:]:
            problems.add(step.raw.line, f"this scenario has a {name} already, in line {found[0].raw.line}")
    said: set[StepKind] = set()
    for step in steps:
        if step.kind in _SAID_ONCE and step.kind in said:
            problems.add(step.raw.line, "this scenario says that already")
        said.add(step.kind)
    if not any(step.kind in _SENDING for step in steps):
        problems.add(raw.line, "nobody sends anything in this scenario")


_BROUGHT_IN = {
    Observer.INTERCEPTOR: {StepKind.INTERCEPTOR, StepKind.STRIP_TLS, StepKind.REFUSE_CONNECTION},
    Observer.DEVICE: {StepKind.COPY},
}


def _observers(kinds: Set[StepKind]) -> tuple[Observer, ...]:
    """Who observes a scenario with such steps."""
    return tuple(
        observer for observer in Observer if observer in ON_STAGE or not kinds.isdisjoint(_BROUGHT_IN[observer])
    )


def _check_encryption(steps: Iterable[Matched], mode: Mode, problems: Problems) -> None:
    for step in steps:
        if step.kind is StepKind.SERVE_WITH and mode is not Mode.E2EE:
            problems.add(step.raw.line, f"in {mode} mode participants have nothing to encrypt with")


def _check_secrets(line: int, secrets: Iterable[SecretName], actions: Iterable[Action], problems: Problems) -> None:
    """Report each of `secrets` that no step plants; the list of them stands in `line`."""
    planted = {name for action in actions for name in _planted(action)}
    for secret in secrets:
        if secret in _NOBODY and secret not in planted:
            problems.add(line, f'nobody {_NOBODY[secret]} in this scenario, so it has no secret "{secret}"')


_NOBODY = {
    SecretName.BODY: "sends a text",
    SecretName.EARLIER: "sends an earlier text",
    SecretName.LATER: "sends a later text",
    SecretName.HEALED: "sends a healed text",
    SecretName.REPORTED: "sends a reported text",
    SecretName.PROFILE: "sets a profile",
    SecretName.ATTACHMENT: "sends a file",
    SecretName.GROUP: "starts a group",
}


def _planted(action: Action) -> tuple[SecretName, ...]:
    """What `action` brings into the story, beside the names and passwords of who takes part."""
    match action:
        case SendText() | SendToGroup():
            return (action.secret,)
        case DelayText() | SendIntercepted() | SendOffline():
            return (SecretName.BODY,)
        case SendFile():
            return (SecretName.ATTACHMENT,)
        case SendTwoFaces():
            return (SecretName.ATTACHMENT, SecretName.REPORTED)
        case StartGroup():
            return (SecretName.GROUP,)
        case SetProfile():
            return (SecretName.PROFILE,)
    return ()


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
