"""The director: plays one scenario on a stage and writes its capture. It knows the secrets; the service never does.

Every planted value carries a random tag of 64 bits, because a plain "bob" stands in most base64 noise by chance.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from lab.capture import Fact, Writer
from lab.e2ee.sealing import EnvelopeError
from lab.inference import CALIBRATION_FILES, CALIBRATION_TEXTS, OBSERVERS_OWN
from lab.messenger.content import Content, File
from lab.messenger.participant import Participant, Person
from lab.messenger.wire import Route, WireError
from lab.model import INFERRED_ONLY, Missing, Mode, Secret, SecretName, Story, TlsKeys
from lab.scenario.lesson import Lesson, Scenario, SendFile, SendText
from lab.scenario.lesson import Participant as Who
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.stage import Stage, Venue

DECOYS = 4
"""How many values are drawn like each secret and planted nowhere."""

TAG_BYTES = 8

LEAST_FILE_BYTES = 2000
"""A shorter text in a file is followed by dots up to this size: files are hardly ever as short as a text message."""


class _Cast:
    """Everybody and everything that is planted in one session."""

    def __init__(self, scenario: Scenario) -> None:
        self.sends = [step.action for step in scenario.steps if isinstance(step.action, SendText | SendFile)]
        self.senders = frozenset(action.sender for action in self.sends)
        self.recipients = frozenset(name for action in self.sends for name in action.recipients)
        self.planted: list[Secret] = []
        self.host = self._plant([SecretName.SERVICE], lambda: f"chat-{_tag()}.lab.test")
        in_order = [name for action in self.sends for name in (action.sender, *action.recipients)]
        self.people = {name: self._person(name) for name in dict.fromkeys(in_order)}
        self.contents = [self._content(action) for action in self.sends]

    def _person(self, who: Who) -> Person:
        roles = {SecretName.SENDER: who in self.senders, SecretName.RECIPIENT: who in self.recipients}
        account = self._plant([role for role, played in roles.items() if played], lambda: f"{who}-{_tag()}")
        return Person(who, account, self._plant([SecretName.PASSWORD], lambda: f"pass-{_tag()}-{_tag()}"))

    def _content(self, action: SendText | SendFile) -> Content:
        name = SecretName.BODY if isinstance(action, SendText) else SecretName.ATTACHMENT
        text = self._plant([name], lambda: f"{action.text} [{_tag()}]")
        if isinstance(action, SendText):
            return Content(text)
        stem, dot, ending = action.file_name.rpartition(".")
        file_name = f"{stem}-{_tag()}.{ending}" if dot else f"{action.file_name}-{_tag()}"
        return Content(file=File(file_name, text.encode().ljust(LEAST_FILE_BYTES, b".")))

    def _plant(self, names: list[SecretName], draw: Callable[[], str]) -> str:
        """Draw a value, which stands for each of `names`, and decoys like it."""
        value = draw()
        for name in names:
            self.planted.append(Secret(name, value.encode(), tuple(draw().encode() for _ in range(DECOYS))))
        return value


def play(lesson: Lesson, scenario: Scenario, stage: Stage, capture: Path, progress: Callable[[str], None]) -> None:
    """Hold the conversation of `scenario` and write everything that was recorded into the new file `capture`.

    A conversation that breaks off, and an observer that fails, are part of the record and judged as such. ChildError:
    the stage could not be set up; OSError: the capture could not be written.
    """
    cast = _Cast(scenario)
    story = Story(lesson.name, scenario.title, scenario.mode, ON_STAGE, time.time())
    with Writer(capture, story) as writer:
        # By secret as the lesson lists them, so that the matrix reads in the lesson's order.
        for name in scenario.secrets:
            if name in INFERRED_ONLY:
                writer.add(Fact(name))
            else:
                writer.add(*(secret for secret in cast.planted if secret.name is name))
        writer.add(*scenario.claims)
        with stage.session(scenario.mode, cast.host, writer) as venue:
            try:
                _converse(scenario, cast, venue, writer, progress)
            except (WireError, EnvelopeError) as error:
                writer.add(Missing(f"the conversation broke off: {error}"))
            progress("collecting what the observers got")


def _converse(scenario: Scenario, cast: _Cast, venue: Venue, writer: Writer, progress: Callable[[str], None]) -> None:
    route = Route(venue.url, venue.address, venue.authority)
    devices = venue.devices
    with ExitStack() as present:

        def enter(person: Person, *, listening: bool) -> Participant:
            device = devices / f"{person.account}.device"
            key_log = None if scenario.mode is Mode.PLAINTEXT else devices / f"{person.account}.keys"
            if key_log is not None:
                present.callback(_keep_keys, writer, person, key_log)  # once the participant has left
            sealed = scenario.mode is Mode.E2EE
            participant = present.enter_context(
                Participant(person, route, device, writer.add, sealed=sealed, key_log=key_log)
            )
            participant.join(log_in=person.who != OBSERVERS_OWN)
            if listening:
                participant.listen()
            return participant

        if not INFERRED_ONLY.isdisjoint(scenario.secrets):
            progress("the observers measure messages of their own")
            _calibrate(enter, with_files=any(isinstance(action, SendFile) for action in cast.sends))
        players: dict[Who, Participant] = {}
        for name, person in cast.people.items():
            progress(f"{name} joins")
            players[name] = enter(person, listening=name in cast.recipients)
        conversations: dict[frozenset[Who], str] = {}
        for action, content in zip(cast.sends, cast.contents, strict=True):
            progress(f"{action.sender} sends a message to {' and '.join(action.recipients)}")
            accounts = [cast.people[name].account for name in action.recipients]
            members = frozenset([action.sender, *action.recipients])
            if members not in conversations:
                conversations[members] = players[action.sender].start_conversation(accounts)
            players[action.sender].send(conversations[members], accounts, content)
            for name in action.recipients:
                players[name].receive()


def _calibrate(enter: Callable[..., Participant], *, with_files: bool) -> None:
    """The observer's own messages, of known sizes, before the story begins (see lab/inference.py)."""
    here = enter(_own_account(), listening=False)
    there_person = _own_account()
    there = enter(there_person, listening=True)
    conversation = here.start_conversation([there_person.account])
    contents = [Content("x" * size) for size in CALIBRATION_TEXTS]
    if with_files:
        contents += [Content(file=File("calibration.txt", b"x" * size)) for size in CALIBRATION_FILES]
    for content in contents:
        here.send(conversation, [there_person.account], content)
        there.receive()


def _keep_keys(writer: Writer, person: Person, key_log: Path) -> None:
    """What the participant alone holds; no observer gets it (see TlsKeys)."""
    if key_log.exists():
        lines = [line for line in key_log.read_text("ascii").splitlines() if line and not line.startswith("#")]
        writer.add(TlsKeys(person.who, "".join(f"{line}\n" for line in lines)))


def _own_account() -> Person:
    return Person(OBSERVERS_OWN, f"{OBSERVERS_OWN}-{_tag()}", _tag() + _tag())


def _tag() -> str:
    return secrets.token_hex(TAG_BYTES)
