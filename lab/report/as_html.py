"""The matrices as one HTML page, laid out by page.html.j2: every cell leads to what earned its verdict."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.model import (
    TEXTS,
    Cell,
    Control,
    Direction,
    Evidence,
    Exposure,
    Inference,
    LeakMatrix,
    Mode,
    Observer,
    SecretName,
)
from lab.report.page import STYLE, render
from lab.report.sentences import ENGLISH, in_language
from lab.report.words import CHECKED, amount, answer, summary

ROW = 16
"""Bytes in a row of a dump, in two halves, which stand below each other on narrow screens."""

VERDICTS = {
    Exposure.EXPOSED: "The observer’s own record holds it. The report shows where, byte by byte.",
    Exposure.INFERRED: "It was not read but worked out: the estimate is close to the truth, and closer than a guess.",
    Exposure.HIDDEN: "It was not found in this record, and every check of the search passed; "
    "or, for a size, messages of very different sizes look the same in it. "
    "Somebody with another method, or with the keys, may still read it.",
    Exposure.INCONCLUSIVE: "Nothing can be said, because a check failed. The report gives the reason.",
}

OBSERVERS = {
    Observer.NETWORK: "Somebody on the way who has no key, for example whoever runs the Wi-Fi.",
    Observer.INTERCEPTOR: "Somebody on the way who stands in for the service, with a certificate that they made.",
    Observer.SERVER: "The company that runs the message service, where messages arrive and TLS ends.",
    Observer.DATABASE: "Whoever gets a copy of what the company has stored: its tables and its log.",
    Observer.DEVICE: "Whoever has a copy of a participant’s device, and everything that the company recorded.",
}

BESIDE = {
    Observer.INTERCEPTOR: "Between network and server: somebody who answered in place of the service. "
    "For whoever believed that, TLS ended here, and began anew.",
    Observer.DEVICE: "Beside the path: somebody with a copy of a participant’s device, "
    "who tried its keys on everything that the server recorded.",
}
"""Observers who have no place of their own in the picture of the path."""

SECRETS = {
    SecretName.BODY: "The text of a message.",
    SecretName.EARLIER: "The text of a message that was sent before somebody copied a device, "
    "or switched on encryption.",
    SecretName.LATER: "The text of a message that was sent after somebody copied a device.",
    SecretName.HEALED: "The text of a message that was sent after that, once both sides had replaced their keys.",
    SecretName.REPORTED: "What its recipient showed to the operator: a text, or what stands in a picture.",
    SecretName.GROUP: "The title of a group.",
    SecretName.ATTACHMENT: "What is in a file that was sent.",
    SecretName.PROFILE: "What a person says about themselves, for all others to see.",
    SecretName.SENDER: "The account name of the person who writes.",
    SecretName.RECIPIENT: "The account name of the person who gets the message.",
    SecretName.PASSWORD: "What the participants log in with.",
    SecretName.SERVICE: "The host name of the message service: with whom the devices talk.",
    SecretName.SIZE: "How long each message is.",
    SecretName.TIME: "When each message was sent.",
}

PLACES = {
    "http.request_line": "in the first line of an HTTP request",
    "http.status_line": "in the first line of an HTTP answer",
    "http.header": "in the header of an HTTP {message}",
    "http.body": "in the body of an HTTP {message}",
    "http.trailer": "in the trailer of an HTTP {message}",
    "opened.envelope": "in a message that was opened with the keys that the observer had",
    "opened.file": "in a file that was opened with the keys that the observer had",
    "device.message": "in a message that the copied device keeps",
    "device.state": "among the keys and contacts that the copied device holds",
    "tls.sni": "in the greeting with which TLS begins, which names the service before anything is encrypted",
    "tls.record": "in a TLS record",
    "tcp.stream": "in the stream of bytes of a connection",
    "database.row": "in a row of the database",
    "database.file": "in the database file",
    "database.wal": "in the write-ahead log, where the database notes changes first",
    "service.log": "in the log file of the service",
}

DIRECTIONS = {
    Direction.TO_SERVICE: "on the way to the service",
    Direction.TO_CLIENT: "on the way from the service",
    Direction.AT_REST: "in storage",
}

ARRIVES = (*sorted(TEXTS), SecretName.GROUP, SecretName.ATTACHMENT, SecretName.PROFILE, SecretName.SENDER)
"""What a recipient reads; that the other secrets travelled is seen elsewhere."""


def to_html(matrices: Sequence[LeakMatrix], language: str = ENGLISH) -> str:
    """One HTML document: the matrices side by side, the path with what each observer held, and the evidence.

    `language` is one of lab/scenario/languages.py.
    """
    sessions = [Session(number, matrix) for number, matrix in enumerate(matrices, start=1)]
    lessons = [list(group) for _, group in itertools.groupby(sessions, lambda session: session.matrix.scenario)]
    return render(
        Path(__file__).with_name("page.html.j2"),
        [STYLE],
        lessons=lessons,
        language=language,
        say=partial(in_language, language=language),
        summary=summary(matrices, language),
        verdicts=VERDICTS,
        observers=_used(OBSERVERS, (name for matrix in matrices for name in matrix.columns)),
        secrets=_used(SECRETS, (name for matrix in matrices for name in matrix.rows)),
        inconclusive=Exposure.INCONCLUSIVE,
        BESIDE=BESIDE,
        CHECKED=CHECKED,
        amount=amount,
        answer=answer,
        direction=DIRECTIONS.__getitem__,
        dump=dump,
        goes_on=goes_on,
        off_by=off_by,
        place=place,
        quote=quote,
        size=size,
    )


@dataclass(frozen=True, slots=True)
class Session:
    """One matrix as the page needs it."""

    number: int
    matrix: LeakMatrix

    def name(self, cell: Cell) -> str:
        """The cell's anchor."""
        return f"s{self.number}-{cell.secret}-{cell.observer}"

    def cells(self, observer: Observer) -> list[Cell]:
        return [cell for cell in self.matrix.cells if cell.observer == observer]

    def held(self, observer: Observer) -> dict[Exposure, list[str]]:
        """The secrets in the lesson's order, by verdict."""
        cells = self.cells(observer)
        held = {verdict: [cell.secret for cell in cells if cell.exposure is verdict] for verdict in Exposure}
        return {verdict: secrets for verdict, secrets in held.items() if secrets}

    def controls(self, cell: Cell) -> list[Control]:
        """What was checked for this cell: the controls of its observer and its secret, and the general ones."""
        return [
            control
            for control in self.matrix.controls
            if control.observer in (None, cell.observer) and control.secret in (None, cell.secret)
        ]

    def answers(self, cell: Cell) -> list[Inference]:
        """The estimates of this cell, one for each message."""
        return [one for one in self.matrix.inferences if one.observer is cell.observer and one.secret is cell.secret]

    @property
    def arrived(self) -> list[SecretName]:
        """What the recipient is known to have got."""
        passed = {control.secret for control in self.matrix.controls if control.name == "travelled" and control.passed}
        return [secret for secret in ARRIVES if secret in passed]

    @property
    def sender(self) -> str:
        return self._who(SecretName.SENDER, "the sender")

    @property
    def recipient(self) -> str:
        return self._who(SecretName.RECIPIENT, "the recipient")

    def _who(self, secret: SecretName, otherwise: str) -> str:
        """The name in an account name such as alice-50f713cc64fd3f4a, where there is only one."""
        name = re.fullmatch(r"(\w+)-[0-9a-f]{16}", self.matrix.secrets.get(secret, ""))
        return name[1] if name else otherwise

    @property
    def legs(self) -> list[Leg]:
        """How the lab ran the service: what protects the message on which part of the picture's way."""
        if self.matrix.mode is Mode.PLAINTEXT:
            return [Leg("all", "open", "Not encrypted anywhere")]
        legs = [
            Leg("before", "tls", f"TLS: encrypted from {self.sender} to the server"),
            Leg("inside", "open", "TLS has ended: not encrypted"),
            Leg("after", "tls", f"TLS again, to {self.recipient}"),
        ]
        if self.matrix.mode is Mode.E2EE:
            what = f"End-to-end encryption: text and file are encrypted from {self.sender} to {self.recipient}"
            legs[1] = Leg("inside", "open", "TLS has ended: only the end-to-end encryption is left")
            legs.insert(0, Leg("all", "e2ee", what))
        return legs


@dataclass(frozen=True, slots=True)
class Leg:
    """A bar above the picture of the path: which part it spans, how it is drawn, what it says."""

    part: str
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive bytes of a dump that are all inside a match or all outside; a match may begin or end in it."""

    data: bytes
    match: bool
    first: bool
    last: bool

    @property
    def hex(self) -> str:
        return self.data.hex(" ")

    @property
    def text(self) -> str:
        return "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in self.data)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a dump: the offset of its first byte, and its halves."""

    offset: int
    halves: list[list[Run]]


def dump(evidence: Evidence) -> Iterator[Row]:
    """The window of a piece of evidence, ROW bytes in a row. The window may end before the match does."""
    for at in range(0, len(evidence.window), ROW):
        whole = range(at, min(at + ROW, len(evidence.window)))
        halves = [whole[: ROW // 2], whole[ROW // 2 :]]
        yield Row(evidence.window_start + at, [list(_runs(evidence, half)) for half in halves if half])


def _runs(evidence: Evidence, half: range) -> Iterator[Run]:
    start = evidence.window_start

    def match_at(at: int) -> tuple[int, int] | None:
        return next((span for span in evidence.spans if span[0] <= start + at < span[1]), None)

    for match, group in itertools.groupby(half, match_at):
        places = list(group)
        low, high = places[0], places[-1] + 1
        first, last = (match[0] == start + low, match[1] == start + high) if match else (False, False)
        yield Run(evidence.window[low:high], match is not None, first, last)


def goes_on(evidence: Evidence) -> bool:
    """Whether a match ends, or another begins, behind the bytes that are kept with the evidence."""
    return any(end > evidence.window_start + len(evidence.window) for _, end in evidence.spans)


def size(evidence: Evidence, say: Callable[[str], str]) -> str:
    """Where the match stands, in words: "33 bytes from offset 230"; `say` gives them in the language of the page."""
    pieces = [f"{say(_count(end - start, 'byte'))} {say('from offset')} {start}" for start, end in evidence.spans]
    return f" {say('and')} ".join(pieces)


def place(evidence: Evidence) -> str:
    """The place in words: "in the body of an HTTP request"."""
    message = "request" if evidence.direction is Direction.TO_SERVICE else "answer"
    return PLACES.get(evidence.place, "in " + evidence.place).replace("{message}", message)


def quote(matrix: LeakMatrix, secret: SecretName, evidence: Evidence) -> tuple[str, str, str]:
    """The excerpt: what stands before the secret, the secret, and what stands after it; ("", "", all) if it is cut."""
    planted = matrix.secrets.get(secret, "")
    # Several values under one name are one text here, with commas.
    for value in (planted, *planted.split(", ")):
        if value and value in evidence.excerpt:
            before, _, after = evidence.excerpt.partition(value)
            return before, value, after
    return "", "", evidence.excerpt


def off_by(inference: Inference, error: float) -> str:
    """An error in words."""
    if inference.secret is not SecretName.TIME:
        return f"{error:.0f} {inference.unit}"
    if error >= 3600:
        return _count(round(error / 3600), "hour")
    return f"{error:.3f}".rstrip("0").rstrip(".") + (" second" if error == 1 else " seconds")


def _used[K](words: dict[K, str], used: Iterator[K]) -> dict[K, str]:
    """The words for what is `used`, in their own order; all, if nothing is."""
    names = set(used)
    return {name: text for name, text in words.items() if not names or name in names}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
