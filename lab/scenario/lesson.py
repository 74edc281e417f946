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
    """Two participants compare the safety numbers that their apps show."""

    participant: Participant
    other: Participant


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
class Expect:
    """Compare what the observers can read with these claims: one for each planted secret at each observer."""

    claims: tuple[Claim, ...]


type Action = (
    Serve
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
    `encryption` and `padded` say something in E2EE mode alone. `prose` is the Markdown around the steps, without the
    explanations.
    """

    title: str
    line: int
    mode: Mode
    encryption: Encryption
    padded: bool
    observers: tuple[Observer, ...]
    secrets: tuple[SecretName, ...]
    steps: tuple[Step, ...]
    claims: tuple[Claim, ...]
    explanations: tuple[Explanation, ...]
    prose: str


@dataclass(frozen=True, slots=True)
class Minutes:
    """How long a lesson takes: shown by a teacher, and worked through alone where the author says so."""

    demo: int
    self_study: int | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson file. `scenarios` is never empty; `prose` is the Markdown between the title and the first scenario.

    `name` is the file name without its endings: `tour` for `tour.feature.md` and for its German `tour.de.feature.md`.
    """

    name: str
    title: str
    path: Path
    language: str
    minutes: Minutes | None
    misconceptions: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    prose: str
