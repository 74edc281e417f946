"""Attackers as processes of a stage, and people who speak to the service through them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from lab import capture
from lab.capture import Writer
from lab.messenger.content import Content
from lab.messenger.participant import Participant, Person
from lab.messenger.wire import Route
from lab.model import Deed, Encryption, Event, Mode, Note, Observation, Statement, Story
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.certificates import Authority
from lab.stage.process import Child
from lab.stage.stage import Stage, Venue

HOST = "chat.lab.test"
PASSWORD = "correct horse battery staple"
SECRET = "Meet me at 5pm, 0123456789abcdef"
NUMBERS = count(1)

type Address = tuple[str, int]


@dataclass
class Attacker:
    """A tap with one of the attackers' addons."""

    tap: Child
    folder: Path
    recording: Path = Path()

    @classmethod
    def start(cls, stage: Stage, addon: str, *options: str, authority: Authority | None = None) -> Attacker:
        stage.ready()
        name = f"{addon} {next(NUMBERS)}"
        always = (f"ssl_verify_upstream_trusted_ca={stage.directory / 'authority.pem'}", "keep_host_header=true")
        lazily = ("connection_strategy=lazy", "upstream_cert=false")
        tap = stage.start_tap(name, addon, *always, *lazily, *options, authority=authority)
        tap.ready()
        return cls(tap, stage.directory / name.replace(" ", "-"))

    def stand_before(self, scheme: str, behind: Address, **options: Any) -> Address:
        """Pass on to `behind` from now on, and record anew; where to dial."""
        self.recording = self.folder / f"{next(NUMBERS)}.jsonl"
        self.tap.ask({"begin": str(self.recording)})
        mode = f"reverse:{scheme}://{behind[0]}:{behind[1]}@127.0.0.1:0"
        host, port = self.tap.ask({"listen": {"mode": [mode], **options}})["addresses"][0]
        return str(host), int(port)

    def act(self, **orders: Any) -> dict[str, Any]:
        return self.tap.ask({"act": orders})

    def recorded(self) -> tuple[list[Observation], list[Note]]:
        """What it got, once everybody has left."""
        self.tap.ask({"end": 10.0})
        items = [capture.decode(line) for line in self.recording.read_text("utf-8").splitlines()]
        observations = [item for item in items if isinstance(item, Observation)]
        notes = [item for item in items if isinstance(item, Note)]
        assert [note.detail for note in notes if note.event is Event.FAILED] == []
        return observations, notes

    def got(self) -> bytes:
        return b"".join(one.data for one in self.recorded()[0])


@contextmanager
def session(stage: Stage, mode: Mode, folder: Path) -> Iterator[Venue]:
    """The service in this mode; what its own observers get is not looked at."""
    story = Story("lesson", "A test", mode, ON_STAGE, 1_700_000_000.0)
    path = folder / f"{next(NUMBERS)}.capture"
    with Writer(path, story) as writer, stage.session(mode, HOST, writer) as venue:
        yield venue


@dataclass
class People:
    """Alice and Bob, who leave together."""

    venue: Venue
    leaving: ExitStack
    told: dict[str, list[Statement]] = field(default_factory=dict)

    def enter(
        self,
        who: str,
        dial: Address,
        encryption: Encryption | None = None,
        *,
        url: str = "",
        account: str = "",
        **careful: Any,
    ) -> Participant:
        """Somebody who has not joined yet. `careful`: further fields of the route, or `fall_back`."""
        told = self.told.setdefault(who, [])
        fall_back = {"fall_back": careful.pop("fall_back")} if "fall_back" in careful else {}
        account = account or f"{who.lower()}-{next(NUMBERS)}"
        route = Route(url or self.venue.url, dial, self.venue.authority, **careful)
        device = self.venue.devices / f"{account}.device"
        person = Person(who, account, PASSWORD)
        made = Participant(person, route, device, told.append, encryption=encryption, **fall_back)
        return self.leaving.enter_context(made)

    def join(self, who: str, dial: Address, encryption: Encryption | None = None, **careful: Any) -> Participant:
        joined = self.enter(who, dial, encryption, **careful)
        joined.join()
        joined.listen()
        return joined

    def again(
        self, old: Participant, dial: Address, encryption: Encryption | None = None, **careful: Any
    ) -> Participant:
        """The same person with the same device, by another way."""
        old.__exit__()
        person = old.person
        return self.enter(person.who, dial, encryption, account=person.account, **careful)

    def refused(self, who: str) -> list[str]:
        return [one.reason for one in self.told[who] if one.deed is Deed.REFUSED]


@contextmanager
def people(venue: Venue) -> Iterator[People]:
    with ExitStack() as leaving:
        yield People(venue, leaving)


def talk(alice: Participant, bob: Participant, text: str = SECRET) -> str:
    """Alice writes to Bob; what Bob reads."""
    conversation = alice.start_conversation([bob.person.account])
    alice.send(conversation, [bob.person.account], Content(text))
    return bob.receive().text
