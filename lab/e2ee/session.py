"""Sessions with one other device: set up with X3DH or PQXDH, continued with the Double Ratchet.

Implements how the two are put together: the initial message of X3DH revision 1 (sections 3.3 and 3.4) and of PQXDH
revision 3, and "Integration with X3DH" of the Double Ratchet revision 1 (section 5.1). As in Signal's Sesame (revision
2), there may be several sessions with one device; the one that a message was last read in is the one to write in. What
goes with a first message is repeated in every message until an answer was read, since the first may be lost.

Both sides may begin at the same time. Then there are two sessions, and both sides can read in both; as soon as one
message is read before the next one is written, both write in the same.

Left out: when to begin anew (the caller does, with `begin` and the sessions that there are), which devices there are
(`identity`), padding (`padding`), and hiding who writes to whom. That an envelope is FIRST shows: the other side has
not answered yet. Whoever carries a message of a known session can add or take away what makes it FIRST; it opens
the same, once.

Wire form, lengths in bytes:

    envelope   version 1 | kind 1 (FIRST) | header of `agreement` | message of `ratchet`
               version 1 | kind 1 (MESSAGE) | message of `ratchet`
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field, replace

from lab.e2ee.agreement import FirstHeader, initiate, respond
from lab.e2ee.codec import Reader, block, blocks, number
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.keys import Random
from lab.e2ee.prekeys import Bundle, PreKeys
from lab.e2ee.protocol import MAX_PLAINTEXT, MAX_SESSIONS, VERSION, E2EEError, Kind, Suite
from lab.e2ee.ratchet import OVERHEAD, Ratchet


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Session:
    suite: Suite
    ratchet: Ratchet
    """Never changed in place, since states share it: steps are made on a copy."""
    first: bytes = b""
    """The header to send along; empty if an answer was read, or if the other side began."""
    origin: bytes = b""
    """SHA-256 of the header that the other side began with; empty if this side began."""


@dataclass(slots=True, eq=False, repr=False)
class Sessions:
    """All sessions with one other device, at least one. Made by `begin`, `open_envelope` or `from_bytes`.

    Store `to_bytes` before an envelope that `encrypt` made leaves the device: an older state would use a key twice.
    """

    peer: PublicDevice
    _sessions: tuple[_Session, ...]
    """The one that was last begun or read in comes first: it is the one to write in. None is stronger than it."""

    @property
    def suite(self) -> Suite:
        """How the session to write in was set up; no weaker one is ever begun or accepted after it."""
        return self._sessions[0].suite

    def encrypt(self, plaintext: bytes, random: Random) -> bytes:
        """An envelope for the other device: 58 bytes longer, and until an answer was read by the header of `agreement`.

        Draws 32 bytes if the turn has changed. E2EEError: `plaintext` is longer than MAX_PLAINTEXT.
        """
        if len(plaintext) > MAX_PLAINTEXT:
            raise E2EEError("a message is longer than it may be")
        current, *others = self._sessions
        ratchet = current.ratchet.copy()
        message = ratchet.encrypt(plaintext, random)
        self._sessions = (replace(current, ratchet=ratchet), *others)
        kind = Kind.FIRST if current.first else Kind.MESSAGE
        return bytes((VERSION, kind)) + current.first + message

    def overheard(self, own: PublicDevice) -> Sessions | None:
        """What somebody who has copied this state of the device `own` can make of it to open what that device writes
        from here on: sessions for `open_envelope`, with `own` as the peer. None if that is nothing; see
        `Ratchet.overheard`."""
        sessions = tuple(
            _Session(each.suite, ratchet, origin=_digest(each.first))
            for each in self._sessions
            if (ratchet := each.ratchet.overheard()) is not None
        )
        return Sessions(own, sessions) if sessions else None

    def to_bytes(self) -> bytes:
        """The whole state: private, for the device's own store."""
        head = number(VERSION, 1) + block(self.peer.to_bytes()) + number(len(self._sessions), 1)
        sessions = (
            number(each.suite, 1) + blocks(each.ratchet.to_bytes(), each.first, each.origin) for each in self._sessions
        )
        return head + b"".join(sessions)

    @classmethod
    def from_bytes(cls, data: bytes) -> Sessions:
        """What `to_bytes` wrote. E2EEError: anything else."""
        reader = Reader(data)
        if reader.number(1) != VERSION:
            raise E2EEError("sessions are of another version")
        peer, count = PublicDevice.from_bytes(reader.block()), reader.number(1)
        if not 1 <= count <= MAX_SESSIONS:
            raise E2EEError("there are no sessions, or too many")
        sessions = tuple(_read_session(reader) for _ in range(count))
        reader.end()
        return cls(peer, sessions)


@dataclass(frozen=True, slots=True)
class Opened:
    """A message, and what to store before anybody sees it: else a restart would let it be read once more."""

    sessions: Sessions
    prekeys: PreKeys
    plaintext: bytes = field(repr=False)


def begin(
    device: DeviceKeys, bundle: Bundle, suite: Suite, random: Random, sessions: Sessions | None = None
) -> Sessions:
    """A new session with the device of `bundle`, to write in from now on; those of `sessions` can still be read in.

    Draws 32 bytes, and for PQXDH more inside `cryptography`. E2EEError: a key is not acceptable, `sessions` are those
    with another device, or there has been a session of a stronger suite.
    """
    _check(sessions, bundle.device)
    _check_strength(sessions, suite)
    agreed, header = initiate(device, bundle, suite, random)
    ratchet = Ratchet.initiator(agreed.secret, agreed.ratchet_key, agreed.associated_data)
    return _in_front(sessions, bundle.device, _Session(suite, ratchet, first=header.to_bytes()))


def open_envelope(
    sessions: Sessions | None, device: DeviceKeys, prekeys: PreKeys, peer: PublicDevice, envelope: bytes
) -> Opened:
    """What `peer` wrote to this device in `envelope`, and the state after it. Changes none of its arguments.

    `sessions` are those with `peer`, None if there are none yet. E2EEError: not from `peer`, not for this device, not
    as it was sent, read before, or a first message of a weaker suite than there has been.
    """
    _check(sessions, peer)
    reader = Reader(envelope)
    version, kind = reader.number(1), reader.number(1)
    if version != VERSION or kind not in (Kind.FIRST, Kind.MESSAGE):
        raise E2EEError("not an envelope of a known version and kind")
    header = FirstHeader.from_reader(reader) if kind == Kind.FIRST else None
    message = reader.rest()
    if len(message) > MAX_PLAINTEXT + OVERHEAD:
        raise E2EEError("a message is longer than it may be")
    known = () if sessions is None else sessions._sessions
    if header is not None:
        origin = _digest(header.to_bytes())
        known = tuple(each for each in known if each.origin == origin)
        if not known:
            return _accept(sessions, device, prekeys, peer, header, message)
    for session in known:
        # A message does not say which session it belongs to. Under the keys of another one it is not authentic.
        with suppress(E2EEError):
            ratchet = session.ratchet.copy()
            plaintext = ratchet.decrypt(message)
            # It was an answer, or this side did not begin: there is nothing to send along any more.
            read = replace(session, ratchet=ratchet, first=b"")
            return Opened(_in_front(sessions, peer, read, session), prekeys, plaintext)
    raise E2EEError("no session opens this message")


def _accept(
    sessions: Sessions | None,
    device: DeviceKeys,
    prekeys: PreKeys,
    peer: PublicDevice,
    header: FirstHeader,
    message: bytes,
) -> Opened:
    """The message of a session that `peer` has begun."""
    _check_strength(sessions, header.suite)
    agreed = respond(device, prekeys, peer, header)
    ratchet = Ratchet.responder(agreed.secret, agreed.ratchet_key, agreed.associated_data)
    plaintext = ratchet.decrypt(message)
    # Only now: else anybody could use up one-time keys, and push sessions out, with headers that nobody made.
    session = _Session(header.suite, ratchet, origin=_digest(header.to_bytes()))
    return Opened(_in_front(sessions, peer, session), prekeys.used(peer, header), plaintext)


def _in_front(
    sessions: Sessions | None, peer: PublicDevice, session: _Session, instead_of: _Session | None = None
) -> Sessions:
    """`session` as the one to write in, with the others behind it; the one that was longest not read in may go."""
    others = () if sessions is None else sessions._sessions
    if sessions is not None and session.suite < sessions.suite:
        # A late message is read, but nobody who holds one back decides that a weaker session is written in again.
        return Sessions(peer, tuple(session if each is instead_of else each for each in others))
    others = tuple(each for each in others if each is not instead_of)
    return Sessions(peer, (session, *others)[:MAX_SESSIONS])


def _check(sessions: Sessions | None, peer: PublicDevice) -> None:
    # The caller says whom an envelope is from, and the sessions whom they are with. Else what Mallory wrote could be
    # read in Mallory's sessions and shown as Alice's, and a device whose keys were replaced would go on as before.
    if sessions is not None and sessions.peer != peer:
        raise E2EEError("these are the sessions with another device")


def _check_strength(sessions: Sessions | None, suite: Suite) -> None:
    # The service hands out the pre-keys: it must not be the one who decides that PQXDH is over.
    if sessions is not None and suite < sessions.suite:
        raise E2EEError("there has been a session of a stronger suite with this device")


def _digest(header: bytes) -> bytes:
    return hashlib.sha256(header).digest()


def _read_session(reader: Reader) -> _Session:
    suite = reader.number(1)
    if suite not in Suite:
        raise E2EEError("a session is of an unknown suite")
    return _Session(Suite(suite), Ratchet.from_bytes(reader.block()), reader.block(), reader.block())
