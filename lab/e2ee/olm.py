"""The second engine behind the seam, and nothing of ours: Olm for pairs of devices, Megolm for groups, from vodozemac.

vodozemac 0.10 is the Rust library that Matrix clients use, made by other people after other papers ("Olm: A
Cryptographic Ratchet" and "Megolm group ratchet", matrix.org, no revisions). What an observer sees should not depend on
who wrote the ratchet, and that can be looked at. Olm is a triple Diffie-Hellman (no signature inside, no protection
from a quantum computer) and a double ratchet with AES-256-CBC and HMAC-SHA-256, of which 8 bytes are sent.

vodozemac leaves to its caller what stands here:

- Signatures: it agrees with any key. The fallback key (what a signed pre-key is elsewhere) and every one-time key are
  signed by the account of the device, with label and device, and verified before a session is begun.
- Associated data: there is none. Before each text goes a digest of the version, of whom it is from and of whom it is
  for (or the group): names, numbers and keys. Else a device that publishes another one's Curve25519 key as its own
  could have that one's messages shown as its own.
- One form for one message: vodozemac takes unknown fields, and Curve25519 keys in two forms, which gives a message that
  began a session with the fallback key a second name under which it would begin one again.
- Replay: a first message with the fallback key finds its key again, and Megolm opens everything as often as one likes,
  by design ("Limitations of Megolm"). So the sessions begun with the fallback key are remembered, and for a sender key
  which messages are still missing.
- Forward secrecy in groups: a Megolm reader keeps the ratchet that it was given. Here it moves on as messages are read.

All errors of vodozemac are ValueErrors, and become E2EEErrors where they come up.

States are pickles of vodozemac, with what has to be known besides. vodozemac only gives pickles out under a key; a key
that lies beside the lock protects nothing, so it is no secret here. States are private as they are in every engine:
whoever stores them encrypts them.

Left out: replacing the fallback key, since the seam has no call for it. Limits that are vodozemac's: of a chain, keys
for the last 40 messages that are missing are kept; 5,000 one-time keys are kept, so a service that hands them all out
to nobody makes the state of a device grow to about 800 kB. All randomness is drawn inside vodozemac.

Wire forms, lengths in bytes (blocks as in `codec`):

    signed        version 1 | Curve25519 key 32 | signature 64
    one-time      Curve25519 key 32 | signature 64
    envelope      version 1 | kind 1 (FIRST) | pre-key message of Olm
                  version 1 | kind 1 (MESSAGE) | message of Olm
    distribution  version 1 | blocks: label, group, sender's device | session key of Megolm 229
    message       version 1 | kind 1 (GROUP) | key id 32 | message of Megolm
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from vodozemac import (
    Account,
    AnyOlmMessage,
    Curve25519PublicKey,
    GroupSession,
    InboundGroupSession,
    MegolmMessage,
    PreKeyMessage,
    Session,
    SessionKey,
)

from lab.e2ee.codec import Reader, block, blocks, number
from lab.e2ee.engine import Opened, Published, Read, Sealed
from lab.e2ee.identity import PublicDevice
from lab.e2ee.keys import KEY, SIGNATURE, check_agreement_key, verify
from lab.e2ee.prekeys import Handed, OneTimeKeys
from lab.e2ee.protocol import (
    MAX_KEPT_KEYS,
    MAX_PLAINTEXT,
    MAX_REMEMBERED,
    MAX_SESSIONS,
    MAX_SKIP,
    MAX_STORED,
    MEGOLM_MESSAGE_LABEL,
    MEGOLM_SENDER_KEY_LABEL,
    OLM_FALLBACK_KEY_LABEL,
    OLM_MESSAGE_LABEL,
    OLM_ONE_TIME_KEY_LABEL,
    VERSION,
    E2EEError,
    Kind,
)

_KINDS = (Kind.FIRST, Kind.MESSAGE)
"""What Olm calls message types 0 and 1."""
_FIRST_KEYS = (3, 37, 71)
"""Where one-time key, base key and identity key stand in a pre-key message of Olm."""
_OVERHEAD = 512
"""More bytes than there are around the plaintext in any envelope or group message."""
_SESSION_KEY = 229
_DIGEST = 32
_COUNTER = 4
_END = 2 ** (8 * _COUNTER) - 1
"""Never the index of a message, so that the one after every message can still be written down."""
_PICKLE_KEY = bytes(32)
"""No secret, and not meant to be one: see above."""


class OlmEngine:
    """An `Engine`."""

    @property
    def groups(self) -> Megolm:
        return Megolm()

    def create(self, account: str, number: int) -> bytes:
        keys = Account()
        signing = _from_base64(keys.ed25519_key.to_base64())
        public = PublicDevice(account, number, keys.curve25519_key.to_bytes(), signing)
        # The type stub of 0.10 leaves these two out.
        keys.generate_fallback_key()  # type: ignore[attr-defined]
        (fallback,) = keys.fallback_key.values()  # type: ignore[attr-defined]
        signed = _signed(keys, public, OLM_FALLBACK_KEY_LABEL, fallback)
        return _Device(public, signed, _pickled(keys), ()).to_bytes()

    def public(self, device: bytes) -> PublicDevice:
        return _Device.from_bytes(device).public

    def publish(self, device: bytes, one_time: int) -> Published:
        """E2EEError beside what an `Engine` raises: `one_time` is more than MAX_KEPT_KEYS."""
        if not 0 <= one_time <= MAX_KEPT_KEYS:
            raise E2EEError("that many one-time keys are never kept")
        own = _Device.from_bytes(device)
        keys = own.account()
        keys.generate_one_time_keys(one_time)
        fresh = {int.from_bytes(_from_base64(id_)): key for id_, key in keys.one_time_keys.items()}
        keys.mark_keys_as_published()
        # vodozemac counts from 0, which stands for no key everywhere else.
        signed = ((id_ + 1, _signed(keys, own.public, OLM_ONE_TIME_KEY_LABEL, fresh[id_])) for id_ in sorted(fresh))
        state = replace(own, pickle=_pickled(keys)).to_bytes()
        return Published(state, number(VERSION, 1) + own.signed, OneTimeKeys(tuple(signed), ()))

    def begin(self, device: bytes, session: bytes | None, peer: PublicDevice, handed: Handed) -> bytes:
        own, sessions = _Device.from_bytes(device), _Sessions.with_peer(peer, session)
        key = _read_handed(peer, handed)
        with _refusing("a key is not acceptable"):
            begun = own.account().create_outbound_session(_curve(peer.identity), _curve(key))
        return sessions.in_front(begun).to_bytes()

    def seal(self, device: bytes, session: bytes, plaintext: bytes) -> Sealed:
        own, sessions = _Device.from_bytes(device), _Sessions.from_bytes(session)
        _check_length(plaintext)
        current = sessions.load(0)
        # The key that came with a message is looked at here, when the first answer to it is sealed.
        with _refusing("the other side has sent a key that is not acceptable"):
            olm_type, body = current.encrypt(_pair(own.public, sessions.peer) + plaintext).to_parts()
        return Sealed(sessions.in_front(current, instead_of=0).to_bytes(), bytes((VERSION, _KINDS[olm_type])) + body)

    def open(self, device: bytes, session: bytes | None, peer: PublicDevice, envelope: bytes) -> Opened:
        own, sessions = _Device.from_bytes(device), _Sessions.with_peer(peer, session)
        message = _read_envelope(envelope)
        known = {at: sessions.load(at) for at in range(len(sessions.pickles))}
        first = message.to_pre_key()
        if first is not None:
            one_time = _one_time_key(message, peer)
            # A further message of a session that its sender has read no answer in does not begin it once more.
            known = {at: each for at, each in known.items() if each.session_matches(first)}
            if not known:
                return _accept(own, sessions, first, one_time)
        for at, each in known.items():
            # A message does not say which session it belongs to. Under the keys of another one it is not authentic.
            with suppress(ValueError):
                plaintext = _unbound(_pair(peer, own.public), each.decrypt(message))
                return Opened(device, sessions.in_front(each, instead_of=at).to_bytes(), plaintext)
        raise E2EEError("no session opens this message")

    def overhear(self, device: bytes, session: bytes) -> bytes | None:
        """None: vodozemac gives no keys of a session out, so that none the other way round can be made from them. A
        copy of a device still opens all that the device itself could open."""
        return None


class Megolm:
    """A `GroupEngine`."""

    def create(self, device: bytes, group: bytes) -> bytes:
        return _SenderKey(group, _Device.from_bytes(device).public, GroupSession()).to_bytes()

    def distribution(self, sender_key: bytes) -> bytes:
        key = _SenderKey.from_bytes(sender_key)
        head = number(VERSION, 1) + blocks(MEGOLM_SENDER_KEY_LABEL, key.group, key.sender.to_bytes())
        return head + _from_base64(key.session.session_key.to_base64())

    def seal(self, sender_key: bytes, plaintext: bytes) -> Sealed:
        key = _SenderKey.from_bytes(sender_key)
        _check_length(plaintext)
        key_id = _from_base64(key.session.session_id)
        message = key.session.encrypt(_source(key.group, key.sender, key_id) + plaintext).to_bytes()
        return Sealed(key.to_bytes(), bytes((VERSION, Kind.GROUP)) + key_id + message)

    def learn(self, group: bytes, sender: PublicDevice, distribution: bytes) -> bytes:
        reader = Reader(distribution)
        _check_version(reader)
        label, for_group, of_sender, key = reader.block(), reader.block(), reader.block(), reader.take(_SESSION_KEY)
        reader.end()
        if not hmac.compare_digest(label, MEGOLM_SENDER_KEY_LABEL):
            raise E2EEError("this is no sender key")
        # A member who passes on another one's distribution as its own would have the other one's messages shown as its
        # own; one that is moved to another group would have them shown there.
        same = hmac.compare_digest(of_sender, sender.to_bytes())
        if not (hmac.compare_digest(for_group, group) and same):
            raise E2EEError("a sender key is for another group or of another device")
        with _refusing("a sender key is not acceptable"):
            session = InboundGroupSession(SessionKey(_to_base64(key)))
        return _GroupReader(group, sender, session, session.first_known_index, ()).to_bytes()

    def key_id(self, message: bytes) -> bytes:
        """E2EEError: not a group message of a known version."""
        return _read_group_message(message)[0]

    def reader_id(self, reader: bytes) -> bytes:
        return _GroupReader.from_bytes(reader).key_id

    def open(self, reader: bytes, message: bytes) -> Read:
        state = _GroupReader.from_bytes(reader)
        key_id, sealed = _read_group_message(message)
        if not hmac.compare_digest(key_id, state.key_id):
            raise E2EEError("a group message is under another sender key")
        following, missing = state.place(sealed.message_index())
        with _refusing("a group message is not authentic"):
            opened = state.session.decrypt(sealed)
        plaintext = _unbound(_source(state.group, state.sender, key_id), opened.plaintext)
        return Read(state.moved(following, missing).to_bytes(), plaintext)


@dataclass(frozen=True, slots=True, repr=False)
class _Device:
    """The state of a device."""

    public: PublicDevice
    signed: bytes
    """The fallback key and its signature."""
    pickle: bytes
    """All private keys: an Account."""
    remembered: tuple[bytes, ...]
    """The ids of the sessions that were begun with the fallback key."""

    def account(self) -> Account:
        with _refusing("the keys of a device are damaged"):
            return Account.from_pickle(self.pickle.decode(), _PICKLE_KEY)

    def to_bytes(self) -> bytes:
        head = number(VERSION, 1) + blocks(self.public.to_bytes(), self.signed, self.pickle)
        return head + number(len(self.remembered)) + b"".join(self.remembered)

    @classmethod
    def from_bytes(cls, data: bytes) -> _Device:
        reader = Reader(data)
        _check_version(reader)
        public, signed, pickle = PublicDevice.from_bytes(reader.block()), reader.block(), reader.block()
        remembered = tuple(reader.take(_DIGEST) for _ in range(reader.number()))
        reader.end()
        return cls(public, signed, pickle, remembered)


@dataclass(frozen=True, slots=True, repr=False)
class _Sessions:
    """All sessions with one other device."""

    peer: PublicDevice
    pickles: tuple[bytes, ...]
    """The one that was last begun or read in comes first: it is the one to write in."""

    @classmethod
    def with_peer(cls, peer: PublicDevice, state: bytes | None) -> _Sessions:
        """The sessions in `state`, none if there is none. E2EEError: they are those with another device."""
        if state is None:
            return cls(peer, ())
        sessions = cls.from_bytes(state)
        # Else what one device wrote could be read in its sessions and shown as another one's.
        if sessions.peer != peer:
            raise E2EEError("these are the sessions with another device")
        return sessions

    def load(self, at: int) -> Session:
        with _refusing("a session is damaged"):
            return Session.from_pickle(self.pickles[at].decode(), _PICKLE_KEY)

    def in_front(self, session: Session, instead_of: int | None = None) -> _Sessions:
        """`session` as the one to write in, with the others behind it; the one that was longest not read in may go."""
        others = (pickle for at, pickle in enumerate(self.pickles) if at != instead_of)
        return _Sessions(self.peer, (_pickled(session), *others)[:MAX_SESSIONS])

    def to_bytes(self) -> bytes:
        return (
            number(VERSION, 1)
            + block(self.peer.to_bytes())
            + number(len(self.pickles))
            + b"".join(map(block, self.pickles))
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> _Sessions:
        reader = Reader(data)
        _check_version(reader)
        peer = PublicDevice.from_bytes(reader.block())
        pickles = tuple(reader.block() for _ in range(reader.number()))
        reader.end()
        if not pickles:
            raise E2EEError("there are no sessions")
        return cls(peer, pickles)


@dataclass(frozen=True, slots=True, repr=False)
class _SenderKey:
    """The state of a device's own sender key."""

    group: bytes
    sender: PublicDevice
    session: GroupSession

    def to_bytes(self) -> bytes:
        return number(VERSION, 1) + blocks(self.group, self.sender.to_bytes(), _pickled(self.session))

    @classmethod
    def from_bytes(cls, data: bytes) -> _SenderKey:
        reader = Reader(data)
        _check_version(reader)
        group, sender, pickle = reader.block(), PublicDevice.from_bytes(reader.block()), reader.block()
        reader.end()
        with _refusing("a sender key is damaged"):
            return cls(group, sender, GroupSession.from_pickle(pickle.decode(), _PICKLE_KEY))


@dataclass(frozen=True, slots=True, repr=False)
class _GroupReader:
    """The state of a reader: the session, and which messages it has not opened yet."""

    group: bytes
    sender: PublicDevice
    session: InboundGroupSession
    following: int
    """The index after the highest one that was read."""
    missing: tuple[int, ...]
    """Those before it that may still come, ascending."""

    @property
    def key_id(self) -> bytes:
        """The Ed25519 key that verifies its messages, which is what Megolm calls the id of a session."""
        return _from_base64(self.session.session_id)

    def place(self, index: int) -> tuple[int, tuple[int, ...]]:
        """What follows and what is missing once the message with this index was read.

        E2EEError: it was read before, or is too far ahead of those that were.
        """
        if index < self.following and index not in self.missing:
            raise E2EEError("a group message was read before, or is too old")
        if index - self.following > MAX_SKIP or index == _END:
            raise E2EEError("a group message is too far ahead of those that were read")
        missing = (*self.missing, *range(self.following, index))
        return max(self.following, index + 1), tuple(each for each in missing if each != index)[-MAX_STORED:]

    def moved(self, following: int, missing: tuple[int, ...]) -> _GroupReader:
        """The reader for what is missing and what follows, and for nothing that was read before all of that."""
        exported = self.session.export_at(min(missing, default=following))
        if exported is None:
            raise E2EEError("a reader is damaged")
        session = InboundGroupSession.import_session(exported)
        return _GroupReader(self.group, self.sender, session, following, missing)

    def to_bytes(self) -> bytes:
        head = number(VERSION, 1) + blocks(self.group, self.sender.to_bytes(), _pickled(self.session))
        missing = b"".join(number(each, _COUNTER) for each in self.missing)
        return head + number(self.following, _COUNTER) + number(len(self.missing)) + missing

    @classmethod
    def from_bytes(cls, data: bytes) -> _GroupReader:
        reader = Reader(data)
        _check_version(reader)
        group, sender, pickle = reader.block(), PublicDevice.from_bytes(reader.block()), reader.block()
        following = reader.number(_COUNTER)
        missing = tuple(reader.number(_COUNTER) for _ in range(reader.number()))
        reader.end()
        with _refusing("a reader is damaged"):
            return cls(group, sender, InboundGroupSession.from_pickle(pickle.decode(), _PICKLE_KEY), following, missing)


def _accept(own: _Device, sessions: _Sessions, first: PreKeyMessage, one_time: bytes) -> Opened:
    """The message of a session that the other side has begun, with the key `one_time` of this device."""
    peer, remembered = sessions.peer, own.remembered
    if hmac.compare_digest(one_time, own.signed[:KEY]):
        # A one-time key is gone when it was used. The fallback key is not, so the session must not begin again.
        remembered = _remember(remembered, _from_base64(first.session_id()))
    keys = own.account()
    with _refusing("a first message is not authentic, or the key it was made for is unknown or used up"):
        session, opened = keys.create_inbound_session(_curve(peer.identity), first)
    plaintext = _unbound(_pair(peer, own.public), opened)
    state = replace(own, pickle=_pickled(keys), remembered=remembered)
    return Opened(state.to_bytes(), sessions.in_front(session).to_bytes(), plaintext)


def _remember(remembered: tuple[bytes, ...], session_id: bytes) -> tuple[bytes, ...]:
    if session_id in remembered:
        raise E2EEError("a first message has come again")
    # Forgetting the oldest would let it in again.
    if len(remembered) >= MAX_REMEMBERED:
        raise E2EEError("too many first messages have come without a one-time key")
    return (*remembered, session_id)


def _signed(keys: Account, owner: PublicDevice, label: bytes, key: Curve25519PublicKey) -> bytes:
    """The key and the owner's signature, as `verify` has it, for the use in `label`."""
    public = key.to_bytes()
    return public + _from_base64(keys.sign(blocks(label, owner.to_bytes(), public)).to_base64())


def _read_handed(peer: PublicDevice, handed: Handed) -> bytes:
    """The key of `peer` to begin a session with. E2EEError: one of those handed out is not one that `peer` signed."""
    reader = Reader(handed.signed)
    _check_version(reader)
    fallback = _read_signed(peer, OLM_FALLBACK_KEY_LABEL, reader)
    if handed.one_time_kem is not None:
        raise E2EEError("Olm has no KEM keys")
    if handed.one_time is None:
        return fallback
    return _read_signed(peer, OLM_ONE_TIME_KEY_LABEL, Reader(handed.one_time))


def _read_signed(peer: PublicDevice, label: bytes, reader: Reader) -> bytes:
    key, signature = reader.take(KEY), reader.take(SIGNATURE)
    reader.end()
    verify(peer.signing, signature, label, peer.to_bytes(), key)
    check_agreement_key(key)
    return key


def _read_envelope(envelope: bytes) -> AnyOlmMessage:
    reader = Reader(envelope)
    version, kind = reader.number(1), reader.number(1)
    if version != VERSION or kind not in _KINDS:
        raise E2EEError("not an envelope of a known version and kind")
    body = reader.rest()
    if len(body) > MAX_PLAINTEXT + _OVERHEAD:
        raise E2EEError("a message is longer than it may be")
    with _refusing("an envelope is malformed"):
        message = AnyOlmMessage.from_parts(_KINDS.index(Kind(kind)), body)
    _check_form(body, message.to_parts()[1])
    return message


def _one_time_key(message: AnyOlmMessage, peer: PublicDevice) -> bytes:
    """The key of this device that a first message was made for. E2EEError: a key in it is not acceptable."""
    body = message.to_parts()[1]
    one_time, base, identity = (body[at : at + KEY] for at in _FIRST_KEYS)
    # Of the forms that X25519 takes for one key, only one names a session (see `_remember`).
    check_agreement_key(one_time)
    check_agreement_key(base)
    if not hmac.compare_digest(identity, peer.identity):
        raise E2EEError("a first message is that of another device")
    return one_time


def _read_group_message(message: bytes) -> tuple[bytes, MegolmMessage]:
    """The id of the sender key, and what Megolm made. E2EEError: it is neither."""
    reader = Reader(message)
    version, kind = reader.number(1), reader.number(1)
    if version != VERSION or kind != Kind.GROUP:
        raise E2EEError("not a group message of a known version")
    key_id, body = reader.take(KEY), reader.rest()
    if len(body) > MAX_PLAINTEXT + _OVERHEAD:
        raise E2EEError("a message is longer than it may be")
    with _refusing("a group message is malformed"):
        sealed = MegolmMessage.from_bytes(body)
    _check_form(body, sealed.to_bytes())
    return key_id, sealed


def _pair(sender: PublicDevice, recipient: PublicDevice) -> bytes:
    """What goes before a text from one device to the other."""
    return _digest(OLM_MESSAGE_LABEL, sender.to_bytes(), recipient.to_bytes())


def _source(group: bytes, sender: PublicDevice, key_id: bytes) -> bytes:
    """What goes before a text to a group."""
    return _digest(MEGOLM_MESSAGE_LABEL, group, sender.to_bytes(), key_id)


def _digest(label: bytes, *parts: bytes) -> bytes:
    return hashlib.sha256(blocks(label, number(VERSION, 1), *parts)).digest()


def _unbound(binding: bytes, opened: bytes) -> bytes:
    """The text in what was decrypted. E2EEError: it was sealed by, for or as something else."""
    if not hmac.compare_digest(opened[:_DIGEST], binding):
        raise E2EEError("a message is from or for somebody else than it seems")
    _check_length(opened[_DIGEST:])
    return opened[_DIGEST:]


def _check_length(plaintext: bytes) -> None:
    if len(plaintext) > MAX_PLAINTEXT:
        raise E2EEError("a message is longer than it may be")


def _check_form(received: bytes, written: bytes) -> None:
    # vodozemac passes over unknown fields, repeated ones and lengths written in more bytes than needed: a message with
    # such is another one to whoever compares messages, and opens the same.
    if not hmac.compare_digest(received, written):
        raise E2EEError("a message is not in the form that it was made in")


def _check_version(reader: Reader) -> None:
    if reader.number(1) != VERSION:
        raise E2EEError("this is of no known version")


def _pickled(state: Account | Session | GroupSession | InboundGroupSession) -> bytes:
    return state.pickle(_PICKLE_KEY).encode()


def _curve(public: bytes) -> Curve25519PublicKey:
    return Curve25519PublicKey.from_bytes(public)


def _from_base64(text: str) -> bytes:
    # vodozemac writes no padding, and takes none.
    return b64decode(text + "=" * (-len(text) % 4))


def _to_base64(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")


@contextmanager
def _refusing(sentence: str) -> Iterator[None]:
    """Whatever vodozemac refuses within is an E2EEError with this sentence."""
    try:
        yield
    except ValueError:
        raise E2EEError(sentence) from None
