"""The participants of one session and their devices, who come and leave together."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

from lab.calibration import CALIBRATION_FILES, CALIBRATION_TEXTS, OBSERVERS_OWN
from lab.messenger.content import Content, File
from lab.messenger.participant import Participant, Person
from lab.model import Deed, Encryption, Mode, Statement, TlsKeys
from lab.scenario.casting import tag
from lab.scenario.habits import route_of
from lab.scenario.lesson import Habit
from lab.stage.stage import Venue


class Company:
    """Use as a context manager. `tell` gets what participants do, and at the end the keys that they alone hold.

    In E2EE mode they use `encryption`, and fill texts up if they are `padded`. All apps have the same `habits`; the
    authority of whoever intercepts may be `installed` on the devices. WireError and E2EEError as in Participant;
    LabError: the encryption is not installed.
    """

    def __init__(
        self,
        venue: Venue,
        tell: Callable[[Statement | TlsKeys], None],
        encryption: Encryption = Encryption.PQXDH,
        *,
        padded: bool = False,
        habits: Collection[Habit] = (),
        installed: bool = False,
    ) -> None:
        self._venue = venue
        self._route = route_of(venue, habits, installed=installed)
        self._habits = frozenset(habits)
        self._told = tell
        self._encryption = encryption if venue.mode is Mode.E2EE else None
        self._padded = padded
        self._turn = Lock()
        self._present = ExitStack()
        self._leaving: dict[Participant, ExitStack] = {}
        self._ahead = 0.0

    def __enter__(self) -> Company:
        return self

    def __exit__(self, *_: object) -> None:
        self._present.close()

    @property
    def believes(self) -> bool:
        """Whether the apps write to whoever the service calls a member of a group."""
        return Habit.BELIEVE in self._habits

    def join(self, people: Iterable[Person]) -> list[Participant]:
        """Bring them in, all at the same time: the service hashes each password, which is slow on purpose."""
        entered = [self._enter(person, 1) for person in people]
        with ThreadPoolExecutor(len(entered)) as doors:
            for joined in [doors.submit(participant.join) for participant in entered]:
                joined.result()
        return entered

    def link(self, first: Participant) -> Participant:
        """A further device of the same account, beside `first`."""
        second = self._enter(first.person, first.number + 1)
        first.link(second)
        return second

    def replace(self, lost: Participant) -> Participant:
        """A new device in place of `lost`, of which only name and password are left."""
        number = lost.number + 1
        self._leaving[lost].close()
        new = self._enter(lost.person, number)
        new.recover()
        return new

    def advance(self, seconds: float) -> None:
        """Let the clocks by which messages disappear from devices go forward. An app looks when it is opened."""
        self._ahead += seconds

    def key_log(self, person: Person, number: int = 1) -> Path | None:
        """Where the TLS keys of this device are written, if there are any."""
        return None if self._venue.mode is Mode.PLAINTEXT else self._venue.devices / f"{person.account}-{number}.keys"

    def calibrate(self, here: Participant, there: Participant, *, with_files: bool, with_answers: bool) -> None:
        """The observer's own messages, of known sizes, before the story begins (see lab/inference.py).

        Both participants are the observer's own accounts. `with_answers`: a second round after an answer, because
        end-to-end encrypted messages look different then.
        """
        account = there.person.account
        there.listen()
        conversation = here.start_conversation([account])
        contents = [Content("x" * size) for size in CALIBRATION_TEXTS]
        if with_files:
            contents += [Content(file=File("calibration.txt", b"x" * size)) for size in CALIBRATION_FILES]

        def send_all() -> None:
            for content in contents:
                here.send(conversation, [account], content)
                there.receive(confirm=False)

        send_all()
        if with_answers and self._encryption is not None:
            here.listen()
            there.send(conversation, [here.person.account], Content("An answer"))
            here.receive(confirm=False)
            send_all()

    def _enter(self, person: Person, number: int) -> Participant:
        venue = self._venue
        leaving = self._present.enter_context(ExitStack())
        key_log = self.key_log(person, number)
        if key_log is not None:
            leaving.callback(self._tell_keys, person, key_log)  # once the participant has left
        participant = leaving.enter_context(
            Participant(
                person,
                self._route,
                venue.devices / f"{person.account}-{number}.device",
                self._tell,
                encryption=self._encryption,
                padded=self._padded,
                transparency=Habit.LOGGED in self._habits,
                commits=Habit.COMMITTED in self._habits,
                one_key_per_file=Habit.ONE_KEY in self._habits,
                key_log=key_log,
                number=number,
                fall_back=lambda account: self._falls_back(person, account),
                opt_in=Habit.OPT_IN in self._habits,
                keeps=Habit.KEEP in self._habits,
                clock=lambda: time.time() + self._ahead,
            )
        )
        self._leaving[participant] = leaving
        return participant

    def _falls_back(self, person: Person, account: str) -> bool:
        """Whether the app of `person` goes on with `account` without encryption."""
        if Habit.ASK in self._habits:
            self._tell(Statement(person.who, Deed.ASKED, time.time(), person.account, peer=account))
            return True
        return Habit.FALL_BACK in self._habits

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
