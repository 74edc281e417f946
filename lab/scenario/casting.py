"""Who takes part in a session and what is planted in it, whether a lesson or a person at the keyboard directs it.

Every planted value carries a random tag of 64 bits, because a plain "bob" stands in most base64 noise by chance.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

from lab.messenger.content import Content, File
from lab.messenger.participant import Person
from lab.model import Secret, SecretName
from lab.scenario.lesson import (
    Action,
    AddMember,
    DelayText,
    NoticeFork,
    RemoveMember,
    Scenario,
    SendChanged,
    SendFile,
    SendIntercepted,
    SendMeddled,
    SendOffline,
    SendText,
    SendToGroup,
    SendTwoFaces,
    SetProfile,
    StartGroup,
    Step,
    WriteAs,
)
from lab.scenario.lesson import Participant as Who

DECOYS = 4
"""How many values are drawn like each secret and planted nowhere."""

TAG_BYTES = 8

LEAST_FILE_BYTES = 2000
"""A shorter text in a file is followed by dots up to this size: files are hardly ever as short as a text message."""

type Draw = Callable[[], str]
"""Gives another value of the same kind at each call."""


def plant(names: Iterable[SecretName], draw: Draw) -> tuple[str, list[Secret]]:
    """Draw a value, which stands for each of `names`, and decoys like it."""
    value = draw()
    return value, [Secret(name, value.encode(), tuple(draw().encode() for _ in range(DECOYS))) for name in names]


def tag() -> str:
    return secrets.token_hex(TAG_BYTES)


def tagged(text: str) -> str:
    """A text as it is sent."""
    return f"{text} [{tag()}]"


def draw_host() -> str:
    return f"chat-{tag()}.lab.test"


def draw_password() -> str:
    return f"pass-{tag()}-{tag()}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the story: what is in it, who sends it, and who is to read it."""

    sender: Who
    recipients: tuple[Who, ...]
    content: Content
    to_group: bool = False

    @property
    def everybody(self) -> tuple[Who, ...]:
        return (self.sender, *self.recipients)


class Cast:
    """Everybody and everything that is planted in one session of a lesson.

    `messages` are those of the story, each by the line of the step that sends it; `title` is that of the group. By the
    line of their step as well: what `profiles` say, and what the two `faces` of a file say.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.planted: list[Secret] = []
        self.host = self._plant([SecretName.SERVICE], draw_host)
        sent = dict(_sent(scenario.steps))
        self.groups = groups_by_line(scenario.steps)
        """Who is in the group when a step begins, by its line."""
        self.senders = frozenset(sender for sender, _ in sent.values())
        self.recipients = frozenset(who for _, recipients in sent.values() for who in recipients)
        self.listeners = self.recipients.union(_reached_otherwise(scenario.steps))
        """Whose devices wait for messages."""
        self.people = {who: self._person(who) for who in dict.fromkeys(_named(scenario.steps))}
        self.title = ""
        self.messages: dict[int, Message] = {}
        self.profiles: dict[int, str] = {}
        self.faces: dict[int, tuple[str, str]] = {}
        for step in scenario.steps:
            action = step.action
            if isinstance(action, StartGroup):
                self.title = self._text(SecretName.GROUP, action.title)
            elif isinstance(action, SetProfile):
                self.profiles[step.line] = self._text(SecretName.PROFILE, action.text)
            elif isinstance(action, SendTwoFaces):
                first = self._text(SecretName.ATTACHMENT, action.first)
                self.faces[step.line] = first, self._text(SecretName.REPORTED, action.second)
            elif step.line in sent:
                to_group = isinstance(action, SendToGroup)
                self.messages[step.line] = Message(*sent[step.line], self._content(action), to_group)

    @property
    def with_files(self) -> bool:
        return bool(self.faces) or any(message.content.file for message in self.messages.values())

    def secrets(self, name: SecretName) -> list[Secret]:
        """What is planted under `name`."""
        return [secret for secret in self.planted if secret.name is name]

    def _person(self, who: Who) -> Person:
        roles = {SecretName.SENDER: who in self.senders, SecretName.RECIPIENT: who in self.recipients}
        account = self._plant([role for role, played in roles.items() if played], lambda: f"{who}-{tag()}")
        return Person(who, account, self._plant([SecretName.PASSWORD], draw_password))

    def _content(self, action: Action) -> Content:
        match action:
            case SendFile():
                text = self._text(SecretName.ATTACHMENT, action.text)
                stem, dot, ending = action.file_name.rpartition(".")
                file_name = f"{stem}-{tag()}.{ending}" if dot else f"{action.file_name}-{tag()}"
                return Content(file=File(file_name, text.encode().ljust(LEAST_FILE_BYTES, b".")))
            case SendText() | SendToGroup():
                return Content(self._text(action.secret, action.text))
            case DelayText() | SendIntercepted() | SendOffline():
                return Content(self._text(SecretName.BODY, action.text))
        raise TypeError(f"{type(action).__name__} sends nothing")

    def _text(self, name: SecretName, text: str) -> str:
        return self._plant([name], lambda: tagged(text))

    def _plant(self, names: Iterable[SecretName], draw: Draw) -> str:
        value, planted = plant(names, draw)
        self.planted += planted
        return value


def _sent(steps: Sequence[Step]) -> Iterator[tuple[int, tuple[Who, tuple[Who, ...]]]]:
    """The line of each step that sends a message, its sender, and its recipients."""
    groups = groups_by_line(steps)
    for step in steps:
        match step.action:
            case SendText() | SendFile() as action:
                yield step.line, (action.sender, action.recipients)
            case DelayText() | SendIntercepted() | SendOffline() | SendTwoFaces() as action:
                yield step.line, (action.sender, (action.recipient,))
            case SendToGroup(sender=sender):
                yield step.line, (sender, tuple(who for who in groups[step.line] if who != sender))


def groups_by_line(steps: Iterable[Step]) -> dict[int, tuple[Who, ...]]:
    """Who is in the group when a step begins, by its line."""
    found: dict[int, tuple[Who, ...]] = {}
    group: set[Who] = set()
    for step in steps:
        found[step.line] = tuple(who for who in Who if who in group)
        match step.action:
            case StartGroup() as action:
                group = {action.starter, *action.members}
            case AddMember(newcomer=newcomer):
                group.add(newcomer)
            case RemoveMember(leaver=leaver):
                group.discard(leaver)
    return found


def _reached_otherwise(steps: Iterable[Step]) -> Iterator[Who]:
    """Whose devices get something that is no message of the story.

    What the operator writes goes to the devices of whom it pretends to be, too.
    """
    for step in steps:
        match step.action:
            case WriteAs(author=author, recipient=recipient):
                yield from (author, recipient)
            case SendMeddled(recipient=recipient) | SendChanged(recipient=recipient) | NoticeFork(recipient=recipient):
                yield recipient


def _named(steps: Iterable[Step]) -> Iterator[Who]:
    """Everybody who stands in a step, in the order of the story."""
    for step in steps:
        for value in (getattr(step.action, field.name) for field in fields(step.action)):
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, Who):
                    yield one
