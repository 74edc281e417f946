"""What a case of the corpus is, and the values that are planted in it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.model import Direction, Observation, Observer


class Expect(StrEnum):
    """What the detector should say."""

    WHOLE = "whole"
    PARTIAL = "partial"
    DIGEST = "digest"
    NOTHING = "nothing"
    GAVE_UP = "gave up"
    """Nothing is found, and it is said that not everything was looked at."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A secret as the detector takes it."""

    name: str
    value: bytes
    decoys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """Observations in which `secret` is readable, or nothing is.

    `secrets` are all that is looked for: any other finding is a false alarm. The place of the finding has to be one
    of `places` or below one ("http.header" is satisfied by "http.header.cookie"); () is any. `digest` is the name of
    the digest that the chain has to end with.
    """

    name: str
    group: str
    secrets: tuple[Planted, ...]
    observations: tuple[Observation, ...]
    expect: Expect
    secret: str = ""
    salts: tuple[bytes, ...] = ()
    places: tuple[str, ...] = ()
    digest: str = ""

    @property
    def value(self) -> bytes:
        return next((one.value for one in self.secrets if one.name == self.secret), b"")


@dataclass(frozen=True, slots=True)
class Kit:
    """One value of each kind, all fresh."""

    email: bytes
    gmail: bytes
    phone: bytes
    person: bytes
    message: bytes
    key: bytes
    uuid: bytes
    iban: bytes
    path: bytes
    handle: bytes

    def secrets(self, decoys: Kit | None = None) -> tuple[Planted, ...]:
        return tuple(
            Planted(name, getattr(self, name), () if decoys is None else (getattr(decoys, name),)) for name in NAMES
        )


NAMES = ("email", "gmail", "phone", "person", "message", "key", "uuid", "iban", "path", "handle")
TEXTS = tuple(name for name in NAMES if name != "key")
DOMAIN = b"postfach-brink.example"
"""Shared by all addresses: it is no part of any secret."""

_CONSONANTS, _VOWELS = "bdfgklmnprstvwz", "aeiouäöü"


def draw(chance: random.Random) -> Kit:
    """Values that nobody could guess."""

    def letters(alphabet: str, count: int) -> str:
        return "".join(chance.choices(alphabet, k=count))

    def tag(count: int) -> str:
        return letters("0123456789abcdef", count)

    account = letters("0123456789", 18)
    check = 98 - int(account + "131400") % 97
    syllables = "".join(chance.choice(_CONSONANTS) + chance.choice(_VOWELS) for _ in range(6))
    alphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789"
    return Kit(
        email=b"nadia." + letters(alphanumeric, 12).encode() + b"@" + DOMAIN,
        gmail=f"Lena.M.{letters('abcdefghijklmnopqrstuvwxyz', 4)}.{tag(8)}+shop@gmail.com".encode(),
        phone=f"+49151{letters('0123456789', 8)}".encode(),
        person=f"Jürgen Straßenbäcker-{syllables.title()}".encode(),
        message=f"Treffen wir uns um fünf? {tag(16)}".encode(),
        key=chance.randbytes(16),
        uuid=str(uuid.UUID(bytes=chance.randbytes(16), version=4)).encode(),
        iban=f"DE{check:02}{account}".encode(),
        path=f"/u/{letters(alphanumeric, 10)}/inbox/{tag(8)}".encode(),
        handle=f"nadia-{letters(alphanumeric, 12)}".encode(),
    )


def observed(
    data: bytes,
    place: str = "http.body",
    *,
    connection: str = "1",
    direction: Direction = Direction.TO_SERVICE,
    exchange: int = 0,
) -> Observation:
    observer = Observer.DATABASE if place.startswith("database") else Observer.SERVER
    return Observation(observer, place, connection, direction, 0.0, data, exchange)


type Data = bytes | Observation | Sequence[bytes | Observation]


def observations_of(data: Data, place: str) -> tuple[Observation, ...]:
    """One or several, in this order; bytes are put at `place`."""
    several = [data] if isinstance(data, bytes | Observation) else data
    return tuple(one if isinstance(one, Observation) else observed(one, place) for one in several)
