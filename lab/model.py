"""The words of the lab as frozen data classes and closed enumerations: standard library only, no I/O.

Terms follow RFC 6973 (observer, participant), RFC 7624 (inference, disclosure) and the lesson files.
Every other module speaks in these types; nothing here knows how a thing is measured or shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Mode(StrEnum):
    """How the message service is run."""

    PLAINTEXT = "plaintext"
    TLS = "tls"
    E2EE = "e2ee"


class Encryption(StrEnum):
    """What participants encrypt with for each other in E2EE mode."""

    PQXDH = "pqxdh"
    """As deployed: PQXDH, Double Ratchet, sender keys."""
    X3DH = "x3dh"
    """The same, set up without protection from quantum computers."""
    OLM = "olm"
    """Olm and Megolm as Matrix uses them, by another implementation (vodozemac)."""
    STATIC = "static"
    """A bad example: keys that never change."""
    CTR = "ctr"
    """A bad example: the same, and nothing notices a change (AES-CTR without a tag)."""
    RSA = "rsa"
    """A bad example: RSA as in a school book."""


class Observer(StrEnum):
    """Who reads at a vantage point."""

    NETWORK = "network"
    """On the path between participants and service, without any key."""
    INTERCEPTOR = "interceptor"
    """On the path, ends TLS with an authority of its own."""
    SERVER = "server"
    """After TLS ends: the operator's own view of each request and response."""
    DATABASE = "database"
    """The operator's storage at rest: database file, write-ahead log, log file."""
    DEVICE = "device"
    """Whoever has a copy of a participant's device, made at a moment that the lesson names, and the server's record."""


class SecretName(StrEnum):
    """What a lesson can ask about."""

    BODY = "body"
    EARLIER = "earlier"
    LATER = "later"
    HEALED = "healed"
    REPORTED = "reported"
    GROUP = "group"
    ATTACHMENT = "attachment"
    PROFILE = "profile"
    SENDER = "sender"
    RECIPIENT = "recipient"
    PASSWORD = "password"  # noqa: S105 - the name of a secret, not one
    SERVICE = "service"
    SIZE = "size"
    TIME = "time"


TEXTS = frozenset({SecretName.BODY, SecretName.EARLIER, SecretName.LATER, SecretName.HEALED, SecretName.REPORTED})
"""Secrets that are the text of a message. Three of them say when: before somebody copied a device, after that, and
after the devices had time to replace their keys. `reported` is one that its recipient shows to the operator."""

INFERRED_ONLY = frozenset({SecretName.SIZE, SecretName.TIME})
"""Facts of a conversation that nobody types: they are never `exposed`, at most `inferred`."""


class Exposure(StrEnum):
    """The verdict on one secret at one observer. The word "secure" is never one."""

    EXPOSED = "exposed"
    INFERRED = "inferred"
    HIDDEN = "hidden"
    INCONCLUSIVE = "inconclusive"


class Direction(StrEnum):
    """Which way an observation travelled."""

    TO_SERVICE = "to service"
    TO_CLIENT = "to client"
    AT_REST = "at rest"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value planted by the lab, with values drawn in the same way that were planted nowhere.

    `value` and every decoy are bytes as the application would hold them (text in UTF-8).
    """

    name: SecretName
    value: bytes
    decoys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """One immutable thing an observer got.

    `connection` numbers the observer's own connections ("1", "2", …; "" at rest); `exchange` numbers the request
    within the connection where the observer can tell requests apart, else it is 0. `time` is in seconds since the
    epoch, by the observer's clock.
    """

    observer: Observer
    place: str
    connection: str
    direction: Direction
    time: float
    data: bytes
    exchange: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Secret `secret` is readable in `data` at `spans` once it is decoded by `decoders`, in this order.

    `spans` are half-open [start, end) offsets into the bytes of the stream or observation searched (`source`,
    an index into the searched sequence). Where a decoder does not keep positions (compression), the span is
    that of the whole encoded piece.
    """

    secret: str
    source: int
    place: str
    spans: tuple[tuple[int, int], ...]
    decoders: tuple[str, ...]
    excerpt: str
    decoy: bool = False
    """The value found is one of the secret's decoys, which were planted nowhere."""
    partial: int | None = None
    """So many bytes of the value can be read, one after the other; None: the whole value."""

    @property
    def sentence(self) -> str:
        """What was found where, in words."""
        via = f" through {' → '.join(self.decoders)}" if self.decoders else ""
        part = f" ({self.partial} bytes of it)" if self.partial else ""
        return f"{self.secret}{part} readable in {self.place}{via}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A finding with the observation it stands in, as reports show it.

    `window` is a piece of the observer's own bytes around the first span, beginning at offset `window_start`.
    """

    place: str
    connection: str
    direction: Direction
    spans: tuple[tuple[int, int], ...]
    decoders: tuple[str, ...]
    excerpt: str
    window_start: int = 0
    window: bytes = b""
    partial: int | None = None
    """As in Finding: so many bytes of the value, None for all of it."""
    exchange: int = 0
    """As in Observation."""


@dataclass(frozen=True, slots=True)
class Inference:
    """Something derived, not read: the observer's `estimate` beside the `truth`, in `unit`.

    `guess_error` is the error of the best answer without the record (the guess is named in `guess`); the inference
    holds when the estimate is within `tolerance` of the truth and its error is smaller than the guess's.

    `alike` is there when this observer could not have told: from the least to the greatest size of messages of its own
    that look exactly like this one, and are too far apart for any one answer to be within the tolerance of all. Then
    the estimate, the middle of them, comes near the truth by luck at most, and the inference never holds.
    """

    observer: Observer
    secret: SecretName
    estimate: float
    truth: float
    tolerance: float
    guess_error: float
    unit: str
    guess: str
    alike: tuple[int, int] | None = None
    about: str = ""
    """In an audit: the secret whose size or time it is."""

    @property
    def row(self) -> str:
        """What a matrix calls it."""
        return f"{self.secret} of {self.about}" if self.about else self.secret

    @property
    def holds(self) -> bool:
        error = abs(self.estimate - self.truth)
        return self.alike is None and error <= self.tolerance and error < self.guess_error

    @property
    def cannot_tell(self) -> bool:
        """Whether the truth is among the sizes that look the same to this observer."""
        return self.alike is not None and self.alike[0] <= self.truth <= self.alike[1]


@dataclass(frozen=True, slots=True)
class Control:
    """One check that must pass before `hidden` may be said.

    `observer` None: it concerns all observers; `secret` None: it concerns all secrets. In an audit of software that is
    not the lab's own, secrets have names of the user's choice, and paths that are watched are observers too.
    """

    name: str
    observer: str | None
    secret: str | None
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What a lesson says that an observer can read: one cell of its table. `line` is 1-based in the lesson file."""

    secret: SecretName
    observer: Observer
    exposure: Exposure
    line: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """The verdict on one secret at one observer, with what earned it. Names are as in `Control`."""

    secret: str
    observer: str
    exposure: Exposure
    reason: str
    evidence: tuple[Evidence, ...] = ()
    claimed: Exposure | None = None

    @property
    def failed(self) -> bool:
        """True if the lesson claims something else and the measurement did say something."""
        return self.claimed is not None and self.exposure not in (self.claimed, Exposure.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class LeakMatrix:
    """Secrets × observers → exposure, for one scenario in one mode."""

    scenario: str
    title: str
    mode: Mode
    cells: tuple[Cell, ...]
    inferences: tuple[Inference, ...] = ()
    controls: tuple[Control, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    """What was planted, as text for the screen."""
    broken_off: str = ""
    """Why the story did not go as told, in one sentence; empty if it did. What can be read is exposed all the same."""

    def cell(self, secret: str, observer: str) -> Cell:
        """The cell of one secret at one observer; KeyError where there is none."""
        cell = self.get(secret, observer)
        if cell is None:
            raise KeyError(f"{secret} at {observer}")
        return cell

    def get(self, secret: str, observer: str) -> Cell | None:
        """As `cell`. In an audit nobody works out from files how long something is, so there is no such cell."""
        return next((cell for cell in self.cells if (cell.secret, cell.observer) == (secret, observer)), None)

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.secret for cell in self.cells))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.observer for cell in self.cells))


def exit_status(matrices: Iterable[LeakMatrix]) -> int:
    """1 if any claim fails; else 3 if anything is inconclusive, a story broke off or a matrix is empty; else 0."""
    matrices = tuple(matrices)
    cells = [cell for matrix in matrices for cell in matrix.cells]
    if any(cell.failed for cell in cells):
        return 1
    open_cells = any(cell.exposure is Exposure.INCONCLUSIVE for cell in cells)
    return 3 if open_cells or any(matrix.broken_off or not matrix.cells for matrix in matrices) else 0


class Event(StrEnum):
    """What a tap notes about its own record, beside the observations."""

    OPENED = "opened"
    """A connection began; the detail is the peer's address, "host:port"."""
    CLOSED = "closed"
    """A connection ended in good order."""
    BROKEN = "broken"
    """A connection ended with an error, which the detail names."""
    REFUSED = "refused"
    """A client that was offered TLS ended the connection before it said anything in it; the detail says how."""
    SEGMENT = "segment"
    """The tap was told that the conversation is over, and all its connections had ended; the detail is how many
    observations it handed to the record, so that one lost on a full disk is missed."""
    CHECKPOINT = "checkpoint"
    """Everything that passed this tap up to here is in the record, while connections go on; the detail is as in
    `SEGMENT`."""
    FAILED = "failed"
    """The tap itself failed; the detail says how. Nothing after it can be relied on."""


@dataclass(frozen=True, slots=True)
class Note:
    """One thing an observer says about its own record."""

    observer: Observer
    event: Event
    time: float
    connection: str = ""
    detail: str = ""


GHOST = "ghost"
"""The names of accounts that are nobody but the operator begin with this, and a hyphen; no participant is called so."""


class Deed(StrEnum):
    """What a participant can say that it did."""

    CONNECTED = "connected"
    LOGGED_IN = "logged in"
    SENT = "sent"
    READ = "read"
    ASKED = "asked"
    """The app asked its user whether to go on with `peer` without end-to-end encryption, and the user agreed."""
    TURNED_BACK = "turned back"
    """It ended a connection before it said anything there, because of the certificate that it was shown: `reason`."""
    SAW_PROFILE = "saw the profile"
    """The app has shown what `peer` says about themselves: `text`."""
    REPORTED = "reported"
    """It has shown the operator what `peer` wrote in `message`."""
    REFUSED = "refused"
    """What arrived was not authentic, came twice, or was from somebody whose identity has changed: see `reason`."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One line of the transcript: what a participant itself did, which is the ground truth.

    `who` is the participant's name in the lesson, `account` the name on the service. `peer` is the other account
    (for `read`, the sender as the app shows it). `size` is the content in bytes, text and file together.
    `address` is the local "host:port" of a new connection, `host` the name that it was made to. `group` is the title
    of the group that a message was sent to, as the app shows it; `reason` says why something was refused.
    """

    who: str
    deed: Deed
    time: float
    account: str = ""
    peer: str = ""
    message: str = ""
    text: str = ""
    file_name: str = ""
    file: bytes = b""
    size: int = 0
    password: str = ""
    host: str = ""
    address: str = ""
    reason: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class DeviceCopy:
    """A copy of everything that the device of participant `who` held at `time`: `state` as lab.e2ee.device writes it,
    and the `messages` that it keeps, as JSON.

    Only whoever is said to have it (the observer `device`) is judged by it.
    """

    who: str
    account: str
    number: int
    time: float
    state: bytes
    messages: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TlsKeys:
    """The secrets of the TLS connections of participant `who`: lines of an NSS key log, as browsers write it too.

    The participant holds them and no observer does, so judging looks at none of them. They are kept for whoever wants
    to open the recorded connections in a tool of their own.
    """

    who: str
    lines: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that the record lacks, in words; `observer` None: it concerns them all."""

    what: str
    observer: Observer | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """What a session was about: the head of a capture. `started` is in seconds since the epoch."""

    scenario: str
    title: str
    mode: Mode
    observers: tuple[Observer, ...]
    started: float
    encryption: Encryption = Encryption.PQXDH
    """In E2EE mode: what the participants used."""
    padded: bool = False
    """In E2EE mode: whether texts were filled up to a multiple of some length."""


@dataclass(frozen=True, slots=True)
class Capture:
    """Everything that was recorded in one session, to be judged now or later.

    `missing` is empty when the record is whole.
    """

    story: Story
    secrets: tuple[Secret, ...] = ()
    facts: tuple[SecretName, ...] = ()
    claims: tuple[Claim, ...] = ()
    statements: tuple[Statement, ...] = ()
    observations: tuple[Observation, ...] = ()
    notes: tuple[Note, ...] = ()
    missing: tuple[Missing, ...] = ()
    tls_keys: tuple[TlsKeys, ...] = ()
    copies: tuple[DeviceCopy, ...] = ()


class LabError(Exception):
    """Bad input or a missing condition: one line saying what, where and what to do. Faces exit with status 2."""
