"""The director: plays one scenario on a stage and writes its capture. It knows the secrets; the service never does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lab.capture import Fact, Writer
from lab.e2ee.sealing import EnvelopeError
from lab.messenger.content import Content, File
from lab.messenger.participant import Person
from lab.messenger.wire import WireError
from lab.model import INFERRED_ONLY, Missing, Secret, SecretName, Story
from lab.scenario.casting import Company, Draw, draw_host, draw_password, observers_own, plant, tag, tagged
from lab.scenario.lesson import Lesson, Scenario, SendFile, SendText
from lab.scenario.lesson import Participant as Who
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.stage import Stage, Venue

LEAST_FILE_BYTES = 2000
"""A shorter text in a file is followed by dots up to this size: files are hardly ever as short as a text message."""


class _Cast:
    """Everybody and everything that is planted in one session."""

    def __init__(self, scenario: Scenario) -> None:
        self.sends = [step.action for step in scenario.steps if isinstance(step.action, SendText | SendFile)]
        self.senders = frozenset(action.sender for action in self.sends)
        self.recipients = frozenset(name for action in self.sends for name in action.recipients)
        self.planted: list[Secret] = []
        self.host = self._plant([SecretName.SERVICE], draw_host)
        in_order = [name for action in self.sends for name in (action.sender, *action.recipients)]
        self.people = {name: self._person(name) for name in dict.fromkeys(in_order)}
        self.contents = [self._content(action) for action in self.sends]

    def _person(self, who: Who) -> Person:
        roles = {SecretName.SENDER: who in self.senders, SecretName.RECIPIENT: who in self.recipients}
        account = self._plant([role for role, played in roles.items() if played], lambda: f"{who}-{tag()}")
        return Person(who, account, self._plant([SecretName.PASSWORD], draw_password))

    def _content(self, action: SendText | SendFile) -> Content:
        name = SecretName.BODY if isinstance(action, SendText) else SecretName.ATTACHMENT
        text = self._plant([name], lambda: tagged(action.text))
        if isinstance(action, SendText):
            return Content(text)
        stem, dot, ending = action.file_name.rpartition(".")
        file_name = f"{stem}-{tag()}.{ending}" if dot else f"{action.file_name}-{tag()}"
        return Content(file=File(file_name, text.encode().ljust(LEAST_FILE_BYTES, b".")))

    def _plant(self, names: list[SecretName], draw: Draw) -> str:
        value, planted = plant(names, draw)
        self.planted += planted
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
    with Company(venue, writer.add) as company:
        own = [] if INFERRED_ONLY.isdisjoint(scenario.secrets) else observers_own()
        progress(f"{' and '.join(cast.people)} join")
        joined = company.join([*cast.people.values(), *own])
        players = dict(zip(cast.people, joined, strict=False))
        if own:
            progress("the observers measure messages of their own")
            with_files = any(isinstance(action, SendFile) for action in cast.sends)
            company.calibrate(*joined[len(players) :], with_files=with_files)
        for name in cast.recipients:
            players[name].listen()
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
