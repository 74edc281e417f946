"""An envelope taken apart, byte by byte: what each field is for, and who can read it.

It is not from a specification. It names the fields that `session`, `agreement`, `ratchet` and `groups` write, in their
order, and asks them whether the form is right. It has no key, so nothing is authenticated or decrypted: it shows what
the bytes say, whether it is true or not. That is also all that whoever carries the envelope gets to see.

Left out: the envelopes of `static_x3dh`, `unauthenticated`, `textbook_rsa` and `olm`. Nothing in those bytes says
whose they are, and by chance they may look like one of these forms, so whoever knows that they are does not ask here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from lab.e2ee.agreement import FirstHeader
from lab.e2ee.codec import Reader
from lab.e2ee.groups import key_id_of
from lab.e2ee.keys import KEM_CIPHERTEXT, KEY, SIGNATURE
from lab.e2ee.prekeys import NO_KEY
from lab.e2ee.protocol import MAX_PLAINTEXT, VERSION, E2EEError, Kind, Suite
from lab.e2ee.ratchet import LAB_FORM, OVERHEAD, TAG

_NUMBER = 4
"""Bytes of an id or of a counter."""


class Who(StrEnum):
    """Who comes across an envelope."""

    NETWORK = "network"
    """Whoever sits on the way to the service."""
    SERVER = "server"
    """The service that stores it and passes it on, and whoever has a copy of its database."""
    RECIPIENT = "recipient"
    """The device that it is for; with a sender key, every device of the group."""


@dataclass(frozen=True, slots=True)
class Access:
    """Whether one of them can read a field, that is make sense of it; `why` completes the sentence."""

    who: Who
    reads: bool
    why: str


@dataclass(frozen=True, slots=True)
class Field:
    """The bytes [start, end) of an envelope. `meaning` is a few plain sentences; `readers` has everyone, in order."""

    name: str
    start: int
    end: int
    meaning: str
    readers: tuple[Access, ...]


def kind_of(envelope: bytes) -> Kind:
    """What an envelope says that it is. E2EEError: of no known version and kind."""
    reader = Reader(envelope)
    version, kind = reader.number(1), reader.number(1)
    if version != VERSION or kind not in Kind:
        raise E2EEError("not an envelope of a known version and kind")
    return Kind(kind)


def anatomy(envelope: bytes) -> tuple[Field, ...]:
    """The fields of an envelope in their order; each byte stands in exactly one of them.

    E2EEError: it is of no known form, and no device would so much as try to decrypt it.
    """
    kind = kind_of(envelope)
    return tuple(_placed((*_head(kind), *_PARTS[kind](envelope))))


class _Part(NamedTuple):
    name: str
    size: int
    meaning: str
    readers: tuple[Access, ...]


def _placed(parts: Iterable[_Part]) -> Iterator[Field]:
    at = 0
    for part in parts:
        yield Field(part.name, at, at + part.size, part.meaning, part.readers)
        at += part.size


_ON_THE_WAY = Access(Who.NETWORK, False, "TLS encrypts the whole request")


def _clear(server: str, recipient: str) -> tuple[Access, ...]:
    return _ON_THE_WAY, Access(Who.SERVER, True, server), Access(Who.RECIPIENT, True, recipient)


def _sealed(server: str, recipient: str) -> tuple[Access, ...]:
    return _ON_THE_WAY, Access(Who.SERVER, False, server), Access(Who.RECIPIENT, True, recipient)


_KINDS = {
    Kind.FIRST: "a first message. The sender has read no answer yet, so what sets the session up comes along.",
    Kind.MESSAGE: "a message of a session that both sides have.",
    Kind.GROUP: "a message for a whole group, under a sender key: encrypted once, whatever the number of its readers.",
}
_SUITES = {
    Suite.X3DH: "X3DH: the session is set up with X25519 alone. Who records it today and has a quantum computer "
    "tomorrow can open it then.",
    Suite.PQXDH: "PQXDH: the session is set up with X25519 and ML-KEM-1024. Who records it today cannot open it with a "
    "quantum computer tomorrow.",
}


def _head(kind: Kind) -> Iterator[_Part]:
    yield _Part(
        "version",
        1,
        f"The form of all that follows. No other than {VERSION} is understood, so there is none to be talked down to.",
        _clear("it is not encrypted", "it must know the form before it has a key"),
    )
    yield _Part(
        "kind",
        1,
        f"{kind}: {_KINDS[kind]}",
        _clear("it is not encrypted, and shows how far the conversation has come", "it must know which keys to take"),
    )


def _first(envelope: bytes) -> Iterator[_Part]:
    header = FirstHeader.from_reader(Reader(envelope[2:]))
    chosen = _clear("it handed that key out itself", "it must know which of its private keys to take")
    yield _Part(
        "suite",
        1,
        f"{header.suite}, {_SUITES[header.suite]}",
        _clear("it is not encrypted", "it must know which secrets to compute"),
    )
    yield _Part(
        "ephemeral key",
        KEY,
        "The public half of a key made for this session alone. Both sides compute with it what the session begins "
        "with; the sender does not keep the private half.",
        _clear("it is public; without a private key nothing follows from it", "it computes the same secret with it"),
    )
    yield _Part(
        "signed pre-key id",
        _NUMBER,
        f"{header.signed_id}: which signed pre-key of the recipient was used. The recipient replaces it now and then.",
        chosen,
    )
    used_once = (
        f"{header.one_time_id}: which one-time pre-key of the recipient was used. It is deleted after that, so that "
        "whoever takes the device later cannot compute this secret."
        if header.one_time_id != NO_KEY
        else "0: none was left at the service. One that is deleted after its use would keep the session closed to "
        "whoever takes the recipient's device later."
    )
    yield _Part("one-time pre-key id", _NUMBER, used_once, chosen)
    if header.suite is Suite.PQXDH:
        yield from _kem(header, chosen)
    yield from _message(envelope[2 + len(header.to_bytes()) :])


def _kem(header: FirstHeader, chosen: tuple[Access, ...]) -> Iterator[_Part]:
    last_resort = header.kem_id == header.signed_id
    which = "the last-resort one, as no other was left" if last_resort else "one that is deleted after its use"
    yield _Part(
        "KEM pre-key id",
        _NUMBER,
        f"{header.kem_id}: which ML-KEM-1024 key of the recipient was used, {which}.",
        chosen,
    )
    yield _Part(
        "KEM ciphertext",
        KEM_CIPHERTEXT,
        "A fresh secret, wrapped for that key. It goes into what the session begins with, and it is the part that a "
        "quantum computer does not get.",
        _sealed("only the private ML-KEM key unwraps it", "it has the private key"),
    )


def _message(message: bytes) -> Iterator[_Part]:
    header = LAB_FORM.read(message)
    size = len(message) - OVERHEAD
    _check_size(size)
    yield _Part(
        "ratchet key",
        KEY,
        "The sender's current public key. It changes whenever the conversation changes direction, and each change "
        "brings a secret that whoever stole older keys does not have.",
        _clear("it is public, and shows which messages were written without an answer between them", "it needs it"),
    )
    yield _Part(
        "previous",
        _NUMBER,
        f"{header.previous}: how many messages the sender wrote under its ratchet key before this one. The recipient "
        "keeps the keys of those that are still on their way.",
        _clear("it is not encrypted, only protected from changes", "it must know it before it can decrypt"),
    )
    yield _Part(
        "number",
        _NUMBER,
        f"{header.number}: the place of the message under this ratchet key, counted from 0. Each has a key of its own.",
        _clear("it is not encrypted, only protected from changes", "it derives the key of this very message with it"),
    )
    yield from _ciphertext(size, "its session gives it the key, once; then the key is gone")


def _group(envelope: bytes) -> Iterator[_Part]:
    id_ = key_id_of(envelope)
    end = 2 + len(id_) + _NUMBER
    iteration = int.from_bytes(envelope[2 + len(id_) : end], "big")
    size = len(envelope) - end - TAG - SIGNATURE
    yield _Part(
        "key id",
        len(id_),
        "Which sender key it is under. Each device that writes to the group has one, and gave it to each other device "
        "in an envelope of their own.",
        _clear("it is not encrypted; the id says nothing about the key", "it finds the key by it"),
    )
    yield _Part(
        "iteration",
        _NUMBER,
        f"{iteration}: the place of the message in the chain of that key, counted from 0. Each has a key of its own.",
        _clear("it is not encrypted, only protected from changes", "it derives the key of this very message with it"),
    )
    yield from _ciphertext(size, "it was given the sender key, whose chain gives this key, once")
    yield _Part(
        "signature",
        SIGNATURE,
        "An Ed25519 signature over all of it. Every member has the key to decrypt and could encrypt, too; the "
        "signature shows which one wrote.",
        _sealed("the public key that checks it travels encrypted, too", "the public key came with the sender key"),
    )


def _ciphertext(size: int, key: str) -> Iterator[_Part]:
    yield _Part(
        "ciphertext",
        size,
        "What was written, with AES-256-GCM under a key that is used for nothing else.",
        _sealed("it has no key; only the length shows, which is that of the plaintext", key),
    )
    yield _Part(
        "tag",
        TAG,
        "Fits only if nothing was changed: neither the ciphertext, nor the keys and numbers in front of it, nor whom "
        "it is from and whom it is for.",
        _sealed("without the key it is 16 bytes that look random", "it compares them before it believes anything"),
    )


def _check_size(size: int) -> None:
    if size > MAX_PLAINTEXT:
        raise E2EEError("a message is longer than it may be")


_PARTS = {Kind.FIRST: _first, Kind.MESSAGE: lambda envelope: _message(envelope[2:]), Kind.GROUP: _group}
