"""A conversation that a person types: two participants on a running stage, and the matrix of what was said so far."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from lab import capture
from lab.capture import Fact, Writer
from lab.e2ee.protocol import E2EEError
from lab.matrix import judge
from lab.messenger.content import Content
from lab.messenger.participant import Participant, Person
from lab.messenger.wire import WireError
from lab.model import Capture, LabError, LeakMatrix, Missing, Mode, Observer, Secret, SecretName, Story
from lab.scenario.casting import draw_host, draw_password, plant, tag, tagged
from lab.scenario.company import Company, observers_own
from lab.scenario.lesson import Certificate, Habit
from lab.scenario.opponents import FLAWS
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.attackers import INTERCEPTOR, NOBODY, Attackers
from lab.stage.process import ChildError
from lab.stage.stage import Stage, Venue

WHO = ("alice", "bob")

LONGEST = 1000
"""Characters that one message may have."""

SCENARIO = "lab-up"

IN_WORDS = {
    Mode.PLAINTEXT: "Plaintext: not encrypted anywhere",
    Mode.TLS: "TLS: encrypted up to the service",
    Mode.E2EE: "End-to-end encryption: encrypted from phone to phone, on top of TLS",
}

_ROWS = (
    SecretName.BODY,
    SecretName.SENDER,
    SecretName.RECIPIENT,
    SecretName.PASSWORD,
    SecretName.SERVICE,
)
_FACTS = (SecretName.SIZE, SecretName.TIME)


class TypingError(LabError):
    """What was typed cannot be sent, or nothing was typed yet: one sentence for the person who types."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message that the other phone has read, with its tag. `sender` is the account, `number` counts from 1."""

    number: int
    who: str
    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """Who stands between the phones and the service, and what the apps do.

    `interceptor` is the certificate of whoever stands in for the service, None if nobody does; it says something where
    there is TLS, as `pinned` does (the apps accept the key of the service alone). `padded` says something in E2EE mode.
    """

    interceptor: Certificate | None = None
    pinned: bool = False
    padded: bool = False

    @property
    def attackers(self) -> Attackers:
        return NOBODY if self.interceptor is None else Attackers(INTERCEPTOR, FLAWS[self.interceptor])

    @property
    def observers(self) -> tuple[Observer, ...]:
        reads = self.interceptor is Certificate.TRUSTED and not self.pinned
        return tuple(one for one in Observer if one in ON_STAGE or (reads and one is Observer.INTERCEPTOR))


PLAIN = Setting()


class Phones:
    """Get them from `open_phones`, or from `set_out_phones`. Any thread may send and ask; they take turns."""

    def __init__(self, stage: Stage, mode: Mode, setting: Setting = PLAIN) -> None:
        self.mode = mode
        self._stage = stage
        self._setting = setting
        self._turn = Lock()
        self._items: list[capture.Item] = []
        self._messages: list[Message] = []
        self._trouble = ""
        self._started = time.time()
        self.host, self._service = plant([SecretName.SERVICE], draw_host)
        self._bodies: list[Secret] = []
        self._passwords: list[Secret] = []
        self._names: dict[str, list[Secret]] = {}
        self.people = {who: self._person(who) for who in WHO}
        self._players: dict[str, Participant] = {}
        self._conversation = ""
        self._key_logs: dict[Path, int] = {}
        self.venue: Venue
        self.keys: Path | None = None
        """The TLS keys of both phones, as Wireshark reads them; None without TLS."""

    @property
    def story(self) -> Story:
        observers, padded = self._setting.observers, self._setting.padded and self.mode is Mode.E2EE
        return Story(SCENARIO, "What was typed so far", self.mode, observers, self._started, padded=padded)

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(self._messages)

    def join(self, company: Company) -> None:
        """Let the observers measure messages of their own, then Alice and Bob join. LabError: they could not."""
        try:
            self._join(company)
        except (WireError, E2EEError) as error:
            raise LabError(f"the phones could not join the service: {error}") from error

    def _join(self, company: Company) -> None:
        if self._stage.web:
            self._stage.mark(self._planted(set()))
        *players, here, there = company.join([*self.people.values(), *observers_own()])
        company.calibrate(here, there, with_files=False, with_answers=True)
        for (who, person), player in zip(self.people.items(), players, strict=True):
            player.listen()
            self._players[who] = player
            key_log = company.key_log(person)
            if key_log is not None:
                self._key_logs[key_log] = 0
                self.keys = self.venue.behind.directory / "phones.keys"
        first, second = self.people.values()
        self._conversation = self._players[first.who].start_conversation([second.account])
        self._gather_keys()

    def send(self, who: object, text: object) -> Message:
        """Send what `who` typed, with a tag of its own, and wait until the other has read it.

        TypingError: it cannot be sent. LabError: the conversation broke off, which stands in the record.
        """
        who, typed = check(who, text)
        return self.send_planted(who, *plant([SecretName.BODY], lambda: tagged(typed)))

    def send_planted(self, who: str, body: str, planted: Sequence[Secret]) -> Message:
        """The same for a text that has its tag, and that is `planted`. LabError."""
        with self._turn:
            if self._trouble:
                raise LabError(self._trouble)
            other = next(name for name in WHO if name != who)
            self._bodies += planted
            try:
                if self._stage.web:
                    self._stage.mark(self._planted({who, *self._talking}))
                self._players[who].send(self._conversation, [self.people[other].account], Content(body))
                read = self._players[other].receive()
            except (WireError, E2EEError, ChildError) as error:
                self._trouble = f"the conversation broke off: {error}; end lab up and start it again"
                self._items.append(Missing(f"the conversation broke off: {error}"))
                raise LabError(self._trouble) from error
            message = Message(len(self._messages) + 1, who, self.people[who].account, read.text)
            self._messages.append(message)
            self._gather_keys()
            return message

    def end(self) -> None:
        """Wait until whoever is sending is done; nobody can send any more."""
        with self._turn:
            self._trouble = self._trouble or "the conversation is over"

    def matrix(self) -> LeakMatrix:
        """Who could read what was typed so far. TypingError: nothing was."""
        return judge(self.so_far())

    def so_far(self) -> Capture:
        """A recording of what was typed so far, while the conversation goes on. TypingError: nothing was."""
        with TemporaryDirectory(dir=self._stage.directory) as folder:
            path = Path(folder) / "so-far"
            self.keep_so_far(path)
            return capture.read(path)

    def keep_so_far(self, path: Path) -> None:
        """The same in the new file `path`."""
        if not self._bodies:
            raise TypingError("Nothing was typed yet. Send a message first.")
        with self._turn, Writer(path, self.story) as writer:
            self.write(writer)
            self._stage.snapshot(self.venue, writer)

    @property
    def planted(self) -> tuple[Secret, ...]:
        """What is planted before anybody has typed anything, for whichever of them will be who writes."""
        return tuple(one for one in self._planted(set(WHO)) if one.name is not SecretName.BODY)

    def write(self, writer: Writer) -> None:
        """Write what was planted, said and done so far."""
        writer.add(*self._planted(self._talking), *(Fact(name) for name in _FACTS), *self._items)

    def tell(self, item: capture.Item) -> None:
        self._items.append(item)

    @property
    def _talking(self) -> set[str]:
        return {message.who for message in self._messages}

    def _planted(self, talking: set[str]) -> list[Secret]:
        """By secret in the order of the rows. A name is a sender's of those `talking`."""
        roles = {
            SecretName.SENDER: talking,
            SecretName.RECIPIENT: {who for who in WHO if talking - {who}},
        }
        planted = [*self._bodies, *self._passwords, *self._service]
        for role, players in roles.items():
            planted += [one for who in WHO if who in players for one in self._names[who] if one.name is role]
        return sorted(planted, key=lambda secret: _ROWS.index(secret.name))

    def _gather_keys(self) -> None:
        """Append what is new in the key logs of both phones to one file, which is what Wireshark takes."""
        for log, known in self._key_logs.items():
            lines = log.read_bytes()
            assert self.keys is not None  # noqa: S101 - there is a log, so there is TLS
            with os.fdopen(os.open(self.keys, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
                file.write(lines[known:])
            self._key_logs[log] = len(lines)

    def _person(self, who: str) -> Person:
        account, self._names[who] = plant([SecretName.SENDER, SecretName.RECIPIENT], lambda: f"{who}-{tag()}")
        password, planted = plant([SecretName.PASSWORD], draw_password)
        self._passwords += planted
        return Person(who, account, password)


@contextmanager
def open_phones(stage: Stage, mode: Mode, recording: Path) -> Iterator[Phones]:
    """Phones that have joined the service. On leaving, the whole conversation is recorded in the new file `recording`.

    LabError: they could not join.
    """
    with set_out_phones(stage, mode, recording) as (phones, company):
        phones.join(company)
        yield phones


@contextmanager
def set_out_phones(
    stage: Stage, mode: Mode, recording: Path, setting: Setting = PLAIN
) -> Iterator[tuple[Phones, Company]]:
    """The same phones before they join, which they do with this company."""
    phones = Phones(stage, mode, setting)
    with (
        Writer(recording, phones.story) as writer,
        stage.session(mode, phones.host, writer, setting.attackers) as venue,
    ):
        phones.venue = venue
        habits = {Habit.PINNED} if setting.pinned else set[Habit]()
        installed = setting.interceptor is Certificate.TRUSTED
        with Company(venue, phones.tell, padded=setting.padded, habits=habits, installed=installed) as company:
            yield phones, company
            phones.end()
        phones.write(writer)


def check(who: object, text: object) -> tuple[str, str]:
    """Who sends what, as it is sent. TypingError."""
    if not isinstance(who, str) or who not in WHO:
        raise TypingError(f"Only {' and '.join(WHO)} have a phone here.")
    if not isinstance(text, str) or not text.strip():
        raise TypingError("There is nothing to send: type a message first.")
    if len(text) > LONGEST:
        raise TypingError(f"This message has {len(text)} characters; {LONGEST} is the most that can be sent here.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TypingError("This is not text: it holds half of a character.") from None
    return who, text.strip()
