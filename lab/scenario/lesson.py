"""A lesson as data: what the author wrote, checked and typed. No I/O, and nothing here runs a step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lab.model import Claim, Exposure, Mode, Observer, SecretName


class Participant(StrEnum):
    """Who can take part in a conversation."""

    ALICE = "alice"
    BOB = "bob"
    CAROL = "carol"
    DAVE = "dave"
    ERIN = "erin"


@dataclass(frozen=True, slots=True)
class Serve:
    """Start a message service in this mode."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class Plant:
    """Plant these secrets in the conversation, in the author's order, each once."""

    secrets: tuple[SecretName, ...]


@dataclass(frozen=True, slots=True)
class SendText:
    """One participant sends a text. `recipients` has at least one name, each once, and never the sender."""

    sender: Participant
    recipients: tuple[Participant, ...]
    text: str


@dataclass(frozen=True, slots=True)
class SendFile:
    """One participant sends a file with this text in it. `file_name` is a plain name without any folder."""

    sender: Participant
    recipients: tuple[Participant, ...]
    file_name: str
    text: str


@dataclass(frozen=True, slots=True)
class Expect:
    """Compare what the observers can read with these claims: one for each planted secret at each observer."""

    claims: tuple[Claim, ...]


type Action = Serve | Plant | SendText | SendFile | Expect


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

    `claims` are complete (each secret of `secrets` at each observer) and the same as those of the `Expect` step.
    `prose` is the Markdown around the steps, without the explanations.
    """

    title: str
    line: int
    mode: Mode
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
