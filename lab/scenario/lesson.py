"""A lesson as data: what the author wrote, checked and typed. No I/O, and nothing here runs a step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lab.model import Claim, Encryption, Exposure, Mode, Observer, SecretName


class Participant(StrEnum):
    """Who can take part in a conversation."""

    ALICE = "alice"
    BOB = "bob"
    CAROL = "carol"
    DAVE = "dave"
    ERIN = "erin"


class Certificate(StrEnum):
    """What is wrong with the certificate that somebody shows in place of the service."""

    TRUSTED = "trusted"
    """Nothing that a device could notice: its authority was installed there."""
    UNTRUSTED = "untrusted"
    """No device knows its authority."""
    SELF_SIGNED = "self-signed"
    EXPIRED = "expired"
    MISNAMED = "misnamed"
    """It is for another name."""


class Habit(StrEnum):
    """How the apps of a scenario differ from others."""

    PINNED = "pinned"
    """They know the key of the service and accept no other one."""
    UNCHECKED = "unchecked"
    """They accept any certificate: a bad example."""
    HTTP_FIRST = "http-first"
    """They begin without TLS, and change to TLS when the service says so."""
    REMEMBERED = "remembered"
    """They begin so, but remember from an earlier visit that the service wants TLS (RFC 6797)."""
    FALL_BACK = "fall-back"
    """They send plaintext to whoever has no keys: a bad example."""
    ASK = "ask"
    """They ask before they do that, and people agree."""
    LOGGED = "logged"
    """They check keys against a public log."""
    KEEP = "keep"
    """They keep messages that were sent or read."""
    OPT_IN = "opt-in"
    """They encrypt nothing but chats for which both sides have switched it on: a bad example."""
    TEXT = "text"
    """They send a text message (SMS) instead to whoever they do not reach."""
    BELIEVE = "believe"
    """They write to whoever the service calls a member of a group: a bad example."""
    COMMITTED = "committed"
    """They commit to what they send, so that the operator can check a report of it."""
    ONE_KEY = "one-key"
    """They keep one key for each sealed file, and report that one: a bad example."""


class Meddling(StrEnum):
    """What somebody on the way does with a message."""

    CHANGES = "changes"
    REPEATS = "repeats"
    REORDERS = "reorders"
    DROPS = "drops"
    TRUNCATES = "truncates"
    MISDELIVERS = "misdelivers"


class Tap(StrEnum):
    """The steps in which two people switch on encryption for a chat."""

    DETAILS = "details"
    CHOOSE = "choose"
    CONFIRM = "confirm"
    ACCEPT = "accept"
    """By the other one."""


class Feature(StrEnum):
    """What an encrypted chat does not have, where encryption is something to be switched on."""

    FILES = "files"
    GROUPS = "groups"
    DEVICES = "devices"


class Duration(StrEnum):
    """How long a message is kept, or how far the clocks of a session go forward. The same words in each language."""

    SECONDS = "5 s"
    MINUTE = "1 min"
    HOUR = "1 h"
    DAY = "24 h"

    @property
    def seconds(self) -> int:
        return {"5 s": 5, "1 min": 60, "1 h": 60 * 60, "24 h": 24 * 60 * 60}[self]


class Review(StrEnum):
    """What comes of a report about the second face of a file with two."""

    BELIEVED = "believed"
    """The operator sees the first one, and has no reason to doubt it."""
    NOTICED = "noticed"
    """The operator sees the first one, and knows that it is not what was reported."""
    SHOWN = "shown"
    """The operator sees the second one."""


@dataclass(frozen=True, slots=True)
class Intercept:
    """Somebody on the path stands in for the service, with such a certificate."""

    certificate: Certificate


@dataclass(frozen=True, slots=True)
class StripTls:
    """Somebody on the path talks TLS to the service, and none to the apps."""


@dataclass(frozen=True, slots=True)
class Behave:
    """All apps have this habit."""

    habit: Habit


@dataclass(frozen=True, slots=True)
class Serve:
    """Start a message service in this mode; in E2EE mode participants encrypt with `encryption`."""

    mode: Mode
    encryption: Encryption = Encryption.PQXDH


@dataclass(frozen=True, slots=True)
class Pad:
    """Fill each text up to a multiple of some length before it is encrypted."""


@dataclass(frozen=True, slots=True)
class Plant:
    """Plant these secrets in the conversation, in the author's order, each once."""

    secrets: tuple[SecretName, ...]


@dataclass(frozen=True, slots=True)
class SendText:
    """One participant sends a text, which stands for `secret`. `recipients` has at least one name, each once, and never
    the sender."""

    sender: Participant
    recipients: tuple[Participant, ...]
    text: str
    secret: SecretName = SecretName.BODY


@dataclass(frozen=True, slots=True)
class SendFile:
    """One participant sends a file with this text in it. `file_name` is a plain name without any folder."""

    sender: Participant
    recipients: tuple[Participant, ...]
    file_name: str
    text: str


@dataclass(frozen=True, slots=True)
class StartGroup:
    """One participant starts the group of the scenario. `members` are all others, each once."""

    starter: Participant
    members: tuple[Participant, ...]
    title: str


@dataclass(frozen=True, slots=True)
class SendToGroup:
    """One member sends a text, which stands for `secret`, to whoever is in the group by then."""

    sender: Participant
    text: str
    secret: SecretName = SecretName.BODY


@dataclass(frozen=True, slots=True)
class AddMember:
    """One member adds somebody to the group."""

    member: Participant
    newcomer: Participant


@dataclass(frozen=True, slots=True)
class RemoveMember:
    """One member removes another one from the group."""

    member: Participant
    leaver: Participant


@dataclass(frozen=True, slots=True)
class CopyDevice:
    """Somebody copies everything that a participant's device holds at this moment: of several, the newest one."""

    owner: Participant


@dataclass(frozen=True, slots=True)
class LinkDevice:
    """A participant takes a second device beside the first one."""

    owner: Participant


@dataclass(frozen=True, slots=True)
class ReplaceDevice:
    """A participant loses the device and takes a new one, with a new identity."""

    owner: Participant


@dataclass(frozen=True, slots=True)
class AcceptIdentity:
    """A participant accepts the new identity of another one."""

    participant: Participant
    other: Participant


@dataclass(frozen=True, slots=True)
class CompareSafetyNumbers:
    """Two participants compare the safety numbers that their apps show, which must be the `same` or must differ."""

    participant: Participant
    other: Participant
    same: bool = True


@dataclass(frozen=True, slots=True)
class RefuseToConnect:
    """The app of a participant gets such a certificate in place of the service's, and must not go on."""

    participant: Participant
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class BreakTls:
    """Somebody on the path meddles with the bytes of a connection of this participant, which must break."""

    participant: Participant
    meddling: Meddling


@dataclass(frozen=True, slots=True)
class SendMeddled:
    """One participant sends a text, which somebody on the way meddles with: whether the recipient's app must notice."""

    sender: Participant
    recipient: Participant
    text: str
    meddling: Meddling
    noticed: bool


@dataclass(frozen=True, slots=True)
class SendChanged:
    """One participant sends a text, in which somebody on the way replaces `old` by `new`, of the same length, without
    any key: whether the recipient must read that."""

    sender: Participant
    recipient: Participant
    text: str
    old: str
    new: str
    believed: bool


@dataclass(frozen=True, slots=True)
class DenyKeys:
    """From now on, the operator says of everybody that there are no keys."""


@dataclass(frozen=True, slots=True)
class SubstituteKeys:
    """From now on, the operator stands between each two participants, with keys of its own."""


@dataclass(frozen=True, slots=True)
class SubstituteNearKeys:
    """The same for these two, with keys that were searched: on both phones, the first and the last digit of the safety
    number are the same."""

    participant: Participant
    other: Participant


@dataclass(frozen=True, slots=True)
class CompareEnds:
    """Two participants compare nothing but the first and the last digit, which are the same on two other numbers."""

    participant: Participant
    other: Participant


@dataclass(frozen=True, slots=True)
class ForkLog:
    """From now on, the operator stands between these two, and shows them another log of keys, in which its own are."""

    participant: Participant
    other: Participant


@dataclass(frozen=True, slots=True)
class NoticeFork:
    """One participant sends a text to another one, whose app must notice that there is another log of keys."""

    sender: Participant
    recipient: Participant
    text: str


@dataclass(frozen=True, slots=True)
class AddGhost:
    """The operator adds a member to the group, whom no other member has asked in and who is nobody but the operator."""


@dataclass(frozen=True, slots=True)
class RefuseToSendToGroup:
    """The sender's app must not send this text to the group."""

    sender: Participant
    text: str


@dataclass(frozen=True, slots=True)
class AddGhostDevice:
    """The operator says from now on that an account has one more device, in a list that is signed with another key than
    the account's own."""

    owner: Participant


@dataclass(frozen=True, slots=True)
class DelayText:
    """One participant seals a text for another one; it is not delivered for now."""

    sender: Participant
    recipient: Participant
    text: str


@dataclass(frozen=True, slots=True)
class DeliverDelayed:
    """The message that was delayed reaches its recipient."""

    recipient: Participant


@dataclass(frozen=True, slots=True)
class DeliverAgain:
    """The delayed message that reached this participant last is delivered once more: whether the app must refuse it."""

    recipient: Participant
    refused: bool


@dataclass(frozen=True, slots=True)
class RefuseToSend:
    """The sender's app must not send this text."""

    sender: Participant
    recipient: Participant
    text: str


@dataclass(frozen=True, slots=True)
class WriteAs:
    """The operator writes to `recipient` in the name of `author`: whether the app must show it as from `author`."""

    author: Participant
    recipient: Participant
    text: str
    believed: bool


@dataclass(frozen=True, slots=True)
class SwapKey:
    """The operator hands out a public key of its own in place of the one of `owner`."""

    owner: Participant


@dataclass(frozen=True, slots=True)
class SendIntercepted:
    """One participant sends a text to another one whose public key was swapped; the operator reads it and passes it on
    before the recipient is back."""

    sender: Participant
    recipient: Participant
    text: str


@dataclass(frozen=True, slots=True)
class Overwrite:
    """The operator overwrites what the service deletes, in the database and in its write-ahead log."""


@dataclass(frozen=True, slots=True)
class SendOffline:
    """One participant sends a text to another one whose device has no internet at that moment: whether it goes as a
    text message (SMS), or waits."""

    sender: Participant
    recipient: Participant
    text: str
    waits: bool


@dataclass(frozen=True, slots=True)
class SwitchOnEncryption:
    """One step on the way to an encrypted chat, by `participant`."""

    participant: Participant
    other: Participant
    tap: Tap


@dataclass(frozen=True, slots=True)
class MissFeature:
    """These two try something in their encrypted chat, and it must not work."""

    participant: Participant
    other: Participant
    feature: Feature


@dataclass(frozen=True, slots=True)
class SetTimer:
    """One participant lets what these two write to each other from now on disappear after some time: with end-to-end
    encryption from the devices, without it from the service."""

    participant: Participant
    other: Participant
    after: Duration


@dataclass(frozen=True, slots=True)
class SwitchOnVanishMode:
    """One participant lets the service delete what these two write to each other from now on, once it was read."""

    participant: Participant
    other: Participant


@dataclass(frozen=True, slots=True)
class GoForward:
    """The clocks of the service and of all apps go forward; then everybody opens the app."""

    by: Duration


@dataclass(frozen=True, slots=True)
class SetProfile:
    """A participant says something about themselves, and all others look at it."""

    participant: Participant
    text: str


@dataclass(frozen=True, slots=True)
class ReportText:
    """A participant shows the operator the text of another one that is to be reported: whether it can be `checked`."""

    participant: Participant
    other: Participant
    checked: bool


@dataclass(frozen=True, slots=True)
class ReportLie:
    """A participant reports a text that the other one never sent: whether the operator has to believe that."""

    participant: Participant
    other: Participant
    text: str
    believed: bool


@dataclass(frozen=True, slots=True)
class SendTwoFaces:
    """One participant sends one sealed file twice, with two keys: to a picture with the text `first`, and to another
    one with the text `second`."""

    sender: Participant
    recipient: Participant
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class ReportFace:
    """Who got a file with two faces reports the second one to the operator."""

    participant: Participant
    review: Review


@dataclass(frozen=True, slots=True)
class Expect:
    """Compare what the observers can read with these claims: one for each planted secret at each observer."""

    claims: tuple[Claim, ...]


type Action = (
    Serve
    | Intercept
    | StripTls
    | DenyKeys
    | SubstituteKeys
    | Behave
    | RefuseToConnect
    | BreakTls
    | SendMeddled
    | SendChanged
    | SubstituteNearKeys
    | CompareEnds
    | ForkLog
    | NoticeFork
    | AddGhost
    | AddGhostDevice
    | RefuseToSendToGroup
    | Pad
    | Plant
    | SendText
    | SendFile
    | StartGroup
    | SendToGroup
    | AddMember
    | RemoveMember
    | CopyDevice
    | LinkDevice
    | ReplaceDevice
    | AcceptIdentity
    | CompareSafetyNumbers
    | DelayText
    | DeliverDelayed
    | DeliverAgain
    | RefuseToSend
    | WriteAs
    | SwapKey
    | SendIntercepted
    | Overwrite
    | SendOffline
    | SwitchOnEncryption
    | MissFeature
    | SetTimer
    | SwitchOnVanishMode
    | GoForward
    | SetProfile
    | ReportText
    | ReportLie
    | SendTwoFaces
    | ReportFace
    | Expect
)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the story. `text` is the line without its bullet and its `keyword` ("Given", "And", …)."""

    line: int
    keyword: str
    text: str
    action: Action


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to tell somebody who predicted `exposure` where the lesson claims something else. `text` is Markdown."""

    secret: SecretName
    observer: Observer
    exposure: Exposure
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story in one mode, with its answer key.

    `claims` are complete (each secret of `secrets` at each of `observers`) and the same as those of the `Expect` step.
    `encryption` and `padded` say something in E2EE mode alone. `interceptor` is the certificate of whoever stands in
    for the service, None if nobody does. `prose` is the Markdown around the steps, without the explanations.
    """

    title: str
    line: int
    mode: Mode
    encryption: Encryption
    padded: bool
    interceptor: Certificate | None
    strips_tls: bool
    habits: frozenset[Habit]
    observers: tuple[Observer, ...]
    secrets: tuple[SecretName, ...]
    steps: tuple[Step, ...]
    claims: tuple[Claim, ...]
    explanations: tuple[Explanation, ...]
    prose: str


class Audience(StrEnum):
    """For whom a lesson is."""

    PUPILS = "pupils"
    STUDENTS = "students"
    ENGINEERS = "engineers"


@dataclass(frozen=True, slots=True)
class Minutes:
    """How long a lesson takes: shown by a teacher, and worked through alone where the author says so."""

    demo: int
    self_study: int | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson file. `scenarios` is never empty; `prose` is the Markdown between the title and the first scenario.

    `name` is the file name without its endings: `tour` for `tour.feature.md` and for its German `tour.de.feature.md`.
    `course` is its place in the course, from 1; None if it is beside the course. `before` are the names of lessons that
    come first, `misconceptions` slugs of lab/scenario/misconceptions.py, `hints` go from gentle to telling.
    """

    name: str
    title: str
    path: Path
    language: str
    course: int | None
    minutes: Minutes | None
    audience: tuple[Audience, ...]
    before: tuple[str, ...]
    misconceptions: tuple[str, ...]
    hints: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    prose: str
