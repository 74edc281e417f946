"""What the steps of a scenario do: from a known phrase and the words in its fields to a typed action."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.model import Encryption, Mode, Observer, SecretName
from lab.scenario.claims import read_claims
from lab.scenario.errors import Problems
from lab.scenario.lesson import (
    AcceptIdentity,
    Action,
    AddGhost,
    AddGhostDevice,
    AddMember,
    Behave,
    BreakTls,
    Certificate,
    CompareEnds,
    CompareSafetyNumbers,
    CopyDevice,
    DelayText,
    DeliverAgain,
    DeliverDelayed,
    DenyKeys,
    Duration,
    Expect,
    Feature,
    ForkLog,
    GoForward,
    Habit,
    Intercept,
    LinkDevice,
    Meddling,
    MissFeature,
    NoticeFork,
    Overwrite,
    Pad,
    Participant,
    Plant,
    RefuseToConnect,
    RefuseToSend,
    RefuseToSendToGroup,
    RemoveMember,
    ReplaceDevice,
    ReportFace,
    ReportLie,
    ReportText,
    Review,
    SendChanged,
    SendFile,
    SendIntercepted,
    SendMeddled,
    SendOffline,
    SendText,
    SendToGroup,
    SendTwoFaces,
    Serve,
    SetProfile,
    SetTimer,
    StartGroup,
    StripTls,
    SubstituteKeys,
    SubstituteNearKeys,
    SwapKey,
    SwitchOnEncryption,
    SwitchOnVanishMode,
    Tap,
    WriteAs,
)
from lab.scenario.outline import RawStep
from lab.scenario.phrases import NAMED_TEXTS, Language, StepKind
from lab.scenario.vocabulary import read_word, split_list


@dataclass(frozen=True, slots=True)
class Matched:
    """A step whose phrase is known, with the text of its fields."""

    raw: RawStep
    kind: StepKind
    fields: Mapping[str, str]


def read_actions(
    steps: Sequence[Matched], observers: Sequence[Observer], language: Language, problems: Problems
) -> Iterator[tuple[RawStep, Action]]:
    """Each step with what it does; without those that have a problem. The claims are read for `observers`."""
    planted: tuple[SecretName, ...] = ()
    for step in steps:
        line = step.raw.line
        if step.kind is StepKind.EXPECT:
            # Without the planted secrets, each row would be reported for a slip in another line.
            if planted:
                yield step.raw, Expect(read_claims(step.raw, planted, observers, problems))
            continue
        reader = _Reader(line, language, problems)
        values = {field: reader.read(field, text) for field, text in step.fields.items()}
        reader.refuse_meeting_oneself(values.values())
        if problems.any_between(line, line):
            continue
        action = _ACTIONS[step.kind](**values)
        if isinstance(action, Plant):
            planted = action.secrets
        yield step.raw, action


_ACTIONS: Mapping[StepKind, Callable[..., Action]] = {
    StepKind.SERVE: lambda mode: Serve(mode),
    StepKind.SERVE_WITH: lambda mode, encryption: Serve(mode, encryption),
    StepKind.PAD: Pad,
    StepKind.INTERCEPTOR: lambda certificate: Intercept(certificate),
    StepKind.STRIP_TLS: StripTls,
    StepKind.PINNED: lambda: Behave(Habit.PINNED),
    StepKind.UNCHECKED: lambda: Behave(Habit.UNCHECKED),
    StepKind.HTTP_FIRST: lambda: Behave(Habit.HTTP_FIRST),
    StepKind.REMEMBERED: lambda: Behave(Habit.REMEMBERED),
    StepKind.FALL_BACK: lambda: Behave(Habit.FALL_BACK),
    StepKind.ASK: lambda: Behave(Habit.ASK),
    StepKind.LOGGED: lambda: Behave(Habit.LOGGED),
    StepKind.KEEP: lambda: Behave(Habit.KEEP),
    StepKind.OPT_IN: lambda: Behave(Habit.OPT_IN),
    StepKind.TEXT: lambda: Behave(Habit.TEXT),
    StepKind.OVERWRITE: Overwrite,
    StepKind.BELIEVE: lambda: Behave(Habit.BELIEVE),
    StepKind.COMMIT: lambda: Behave(Habit.COMMITTED),
    StepKind.ONE_KEY: lambda: Behave(Habit.ONE_KEY),
    StepKind.PLANT: lambda secrets: Plant(secrets),
    StepKind.SEND_TEXT: lambda participant, participants, text: SendText(participant, participants, text),
    StepKind.SEND_PART: lambda participant, participants, part, text: SendText(participant, participants, text, part),
    StepKind.SEND_FILE: lambda participant, participants, name, text: SendFile(participant, participants, name, text),
    StepKind.START_GROUP: lambda participant, participants, title: StartGroup(participant, participants, title),
    StepKind.SEND_GROUP: lambda participant, text: SendToGroup(participant, text),
    StepKind.SEND_GROUP_PART: lambda participant, part, text: SendToGroup(participant, text, part),
    StepKind.ADD: lambda participant, other: AddMember(participant, other),
    StepKind.REMOVE: lambda participant, other: RemoveMember(participant, other),
    StepKind.COMPARE: lambda participant, other: CompareSafetyNumbers(participant, other),
    StepKind.COMPARE_DIFFERENT: lambda participant, other: CompareSafetyNumbers(participant, other, same=False),
    StepKind.REFUSE_CONNECTION: lambda participant, certificate: RefuseToConnect(participant, certificate),
    StepKind.BREAK_TLS: lambda participant, meddling: BreakTls(participant, meddling),
    StepKind.MEDDLE: lambda participant, other, text, meddling: SendMeddled(
        participant, other, text, meddling, noticed=False
    ),
    StepKind.MEDDLE_NOTICED: lambda participant, other, text, meddling: SendMeddled(
        participant, other, text, meddling, noticed=True
    ),
    StepKind.CHANGE: lambda participant, other, text, old, new: SendChanged(
        participant, other, text, old, new, believed=True
    ),
    StepKind.CHANGE_REFUSED: lambda participant, other, text, old, new: SendChanged(
        participant, other, text, old, new, believed=False
    ),
    StepKind.DENY_KEYS: DenyKeys,
    StepKind.SUBSTITUTE_KEYS: SubstituteKeys,
    StepKind.SUBSTITUTE_NEAR: lambda participant, other: SubstituteNearKeys(participant, other),
    StepKind.COMPARE_ENDS: lambda participant, other: CompareEnds(participant, other),
    StepKind.FORK: lambda participant, other: ForkLog(participant, other),
    StepKind.NOTICE_FORK: lambda participant, other, text: NoticeFork(participant, other, text),
    StepKind.GHOST: AddGhost,
    StepKind.REFUSE_GROUP: lambda participant, text: RefuseToSendToGroup(participant, text),
    StepKind.GHOST_DEVICE: lambda participant: AddGhostDevice(participant),
    StepKind.COPY: lambda participant: CopyDevice(participant),
    StepKind.LINK: lambda participant: LinkDevice(participant),
    StepKind.REPLACE: lambda participant: ReplaceDevice(participant),
    StepKind.ACCEPT: lambda participant, other: AcceptIdentity(participant, other),
    StepKind.REFUSE: lambda participant, other, text: RefuseToSend(participant, other, text),
    StepKind.DELAY: lambda participant, other, text: DelayText(participant, other, text),
    StepKind.DELIVER: lambda other: DeliverDelayed(other),
    StepKind.REPEAT: lambda other: DeliverAgain(other, refused=True),
    StepKind.REPEAT_READ: lambda other: DeliverAgain(other, refused=False),
    StepKind.FORGE: lambda participant, other, text: WriteAs(participant, other, text, believed=True),
    StepKind.FORGE_REFUSED: lambda participant, other, text: WriteAs(participant, other, text, believed=False),
    StepKind.SWAP: lambda participant: SwapKey(participant),
    StepKind.INTERCEPT: lambda participant, other, text: SendIntercepted(participant, other, text),
    StepKind.SEND_OFFLINE: lambda participant, other, text: SendOffline(participant, other, text, waits=False),
    StepKind.SEND_OFFLINE_WAITS: lambda participant, other, text: SendOffline(participant, other, text, waits=True),
    StepKind.OPEN_DETAILS: lambda participant, other: SwitchOnEncryption(participant, other, Tap.DETAILS),
    StepKind.CHOOSE_ENCRYPTED: lambda participant, other: SwitchOnEncryption(participant, other, Tap.CHOOSE),
    StepKind.CONFIRM_ENCRYPTED: lambda participant, other: SwitchOnEncryption(participant, other, Tap.CONFIRM),
    StepKind.ACCEPT_ENCRYPTED: lambda participant, other: SwitchOnEncryption(participant, other, Tap.ACCEPT),
    StepKind.MISS_FEATURE: lambda participant, other, feature: MissFeature(participant, other, feature),
    StepKind.TIMER: lambda participant, other, duration: SetTimer(participant, other, duration),
    StepKind.VANISH: lambda participant, other: SwitchOnVanishMode(participant, other),
    StepKind.GO_FORWARD: lambda duration: GoForward(duration),
    StepKind.PROFILE: lambda participant, text: SetProfile(participant, text),
    StepKind.REPORT: lambda participant, other: ReportText(participant, other, checked=False),
    StepKind.REPORT_CHECKED: lambda participant, other: ReportText(participant, other, checked=True),
    StepKind.LIE_BELIEVED: lambda participant, other, text: ReportLie(participant, other, text, believed=True),
    StepKind.LIE_NOTICED: lambda participant, other, text: ReportLie(participant, other, text, believed=False),
    StepKind.TWO_FACES: lambda participant, other, first, second: SendTwoFaces(participant, other, first, second),
    StepKind.FACE_BELIEVED: lambda participant: ReportFace(participant, Review.BELIEVED),
    StepKind.FACE_NOTICED: lambda participant: ReportFace(participant, Review.NOTICED),
    StepKind.FACE_SHOWN: lambda participant: ReportFace(participant, Review.SHOWN),
}
"""For each kind of step but the claims: its action, from the words in the fields of its phrase."""


class _Reader:
    """Reads the fields of one step."""

    def __init__(self, line: int, language: Language, problems: Problems) -> None:
        self._line = line
        self._language = language
        self._problems = problems

    def read(self, field: str, text: str) -> object:
        """What is written in `field`, or a problem."""
        match field:
            case "participant" | "other":
                return self._word("participant", text, Participant)
            case "participants":
                return self._list("participant", text, Participant)
            case "secrets":
                return self._list("secret", text, SecretName)
            case "mode":
                return self._word("mode", text, Mode)
            case "certificate":
                return self._word("certificate", text, Certificate)
            case "meddling":
                return self._word("meddling", text, Meddling)
            case "encryption":
                return self._word("encryption", text, Encryption)
            case "feature":
                return self._word("feature", text, Feature)
            case "duration":
                return self._word("duration", text, Duration)
            case "part":
                return self._word("part of the story", text, NAMED_TEXTS)
            case "name":
                return self._file_name(text)
        return self._text(text)

    def refuse_meeting_oneself(self, values: Collection[object]) -> None:
        """A problem if a participant stands in two of these fields."""
        seen: set[Participant] = set()
        for value in values:
            names = {value} if isinstance(value, Participant) else set(value) if isinstance(value, tuple) else set()
            for name in sorted(seen & names):
                self._problems.add(self._line, f"{name} stands in this step twice")
            seen |= names

    def _word[Word: StrEnum](self, what: str, text: str, words: type[Word] | Sequence[Word]) -> Word | None:
        return read_word(what, text, words, self._line, self._problems)

    def _list[Word: StrEnum](self, what: str, text: str, words: type[Word]) -> tuple[Word, ...]:
        """The words of a list, each once."""
        items = split_list(text, self._language)
        known = [self._word(what, item, words) for item in items]
        if len(set(items)) < len(items):
            self._problems.add(self._line, f"each {what} stands in a list once")
        return tuple(word for word in known if word is not None)

    def _text(self, text: str) -> str:
        if not text.strip():
            self._problems.add(self._line, "there is no text between the quotation marks")
        return text

    def _file_name(self, text: str) -> str:
        if not re.fullmatch(r"\w([\w .-]*\w)?", text):
            wanted = "a file name has letters, digits, spaces, dots and hyphens, and no folder: plan.txt"
            self._problems.add(self._line, wanted)
        return text
