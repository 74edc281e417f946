"""Who takes part in a session and what is planted in it, whether a lesson or a person at the keyboard directs it.

Every planted value carries a random tag of 64 bits, because a plain "bob" stands in most base64 noise by chance.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

from lab.inference import CALIBRATION_FILES, CALIBRATION_TEXTS, OBSERVERS_OWN
from lab.messenger.content import Content, File
from lab.messenger.participant import Participant, Person
from lab.messenger.wire import Route
from lab.model import Mode, Secret, SecretName, Statement, TlsKeys
from lab.stage.stage import Venue

DECOYS = 4
"""How many values are drawn like each secret and planted nowhere."""

TAG_BYTES = 8

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


class Company:
    """The participants of one session, who leave together. Use as a context manager.

    `tell` gets what they do, and at the end the keys that they alone hold. WireError and EnvelopeError as in
    Participant.
    """

    def __init__(self, venue: Venue, tell: Callable[[Statement | TlsKeys], None]) -> None:
        self._venue = venue
        self._told = tell
        self._turn = Lock()
        self._present = ExitStack()

    def __enter__(self) -> Company:
        return self

    def __exit__(self, *_: object) -> None:
        self._present.close()

    def join(self, people: Iterable[Person]) -> list[Participant]:
        """Bring them in, all at the same time: the service hashes each password, which is slow on purpose."""
        entered = [self._enter(person) for person in people]
        with ThreadPoolExecutor(len(entered)) as doors:
            for joined in [doors.submit(participant.join) for participant in entered]:
                joined.result()
        return entered

    def _enter(self, person: Person) -> Participant:
        venue = self._venue
        key_log = self.key_log(person)
        if key_log is not None:
            self._present.callback(self._tell_keys, person, key_log)  # once the participant has left
        return self._present.enter_context(
            Participant(
                person,
                Route(venue.url, venue.address, venue.authority),
                venue.devices / f"{person.account}.device",
                self._tell,
                sealed=venue.mode is Mode.E2EE,
                key_log=key_log,
            )
        )

    def key_log(self, person: Person) -> Path | None:
        """Where this participant's TLS keys are written, if there are any."""
        return None if self._venue.mode is Mode.PLAINTEXT else self._venue.devices / f"{person.account}.keys"

    def calibrate(self, here: Participant, there: Participant, *, with_files: bool) -> None:
        """The observer's own messages, of known sizes, before the story begins (see lab/inference.py).

        Both participants are the observer's own accounts.
        """
        account = there.person.account
        there.listen()
        conversation = here.start_conversation([account])
        contents = [Content("x" * size) for size in CALIBRATION_TEXTS]
        if with_files:
            contents += [Content(file=File("calibration.txt", b"x" * size)) for size in CALIBRATION_FILES]
        for content in contents:
            here.send(conversation, [account], content)
            there.receive(confirm=False)

    def _tell(self, what: Statement | TlsKeys) -> None:
        with self._turn:
            self._told(what)

    def _tell_keys(self, person: Person, key_log: Path) -> None:
        """What the participant alone holds; no observer gets it (see TlsKeys)."""
        if key_log.exists():
            lines = [line for line in key_log.read_text("ascii").splitlines() if line and not line.startswith("#")]
            self._tell(TlsKeys(person.who, "".join(f"{line}\n" for line in lines)))


def observers_own() -> list[Person]:
    """Two accounts through which the observer sends itself messages."""
    return [Person(OBSERVERS_OWN, f"{OBSERVERS_OWN}-{tag()}", tag() + tag()) for _ in range(2)]
