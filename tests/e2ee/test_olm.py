"""What vodozemac leaves to its caller: signatures, who writes to whom, one form, no replay, groups that forget.

Whoever attacks here speaks Olm and Megolm, written down once more from their papers with every part exchangeable.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
import vodozemac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lab.e2ee.engine import Opened
from lab.e2ee.identity import PublicDevice
from lab.e2ee.keys import sign, verify
from lab.e2ee.olm import Megolm, OlmEngine
from lab.e2ee.prekeys import Handed
from lab.e2ee.protocol import MAX_KEPT_KEYS, MAX_SESSIONS, MAX_SKIP, E2EEError

TEXT = "Meet me at the old mill at 5pm — Grüße".encode()
GROUP = b"the old mill"
ENGINE, MEGOLM = OlmEngine(), Megolm()
FALLBACK_LABEL, ONE_TIME_LABEL = b"mitm-lab/1 Olm fallback key", b"mitm-lab/1 Olm one-time key"
LOW_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
]
low_order = pytest.mark.parametrize("key", LOW_ORDER, ids=["zero", "one", "minus one", "of order 8"])
SIGN_BIT = 0x80

NOT_SIGNED = "signature is not valid"
UNSUITED = "small order or not in canonical form"
FORM = "not in the form that it was made in"
AGAIN = "come again"
SOMEBODY_ELSE = "from or for somebody else"
NO_SESSION = "no session opens"
NOT_AUTHENTIC = "not authentic"
READ_BEFORE = "read before"


def raw(private: X25519PrivateKey | Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


def blocks(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def hkdf(material: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, None, info).derive(material)


def varint(value: int, more: int = 0) -> bytes:
    """As protocol buffers write a number; `more` bytes longer than needed."""
    digits = [value >> at & 0x7F for at in range(0, max(7, value.bit_length()), 7)] + [0] * more
    return bytes(digit | 0x80 for digit in digits[:-1]) + bytes(digits[-1:])


def entry(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + varint(len(data)) + data


def cbc(keys: bytes, text: bytes) -> bytes:
    padding = 16 - len(text) % 16
    cipher = Cipher(AES256(keys[:32]), CBC(keys[64:])).encryptor()
    return cipher.update(text + bytes([padding]) * padding) + cipher.finalize()


def mac(keys: bytes, body: bytes) -> bytes:
    return hmac.digest(keys[32:64], body, "sha256")[:8]


def binding(label: bytes, *parts: bytes) -> bytes:
    return hashlib.sha256(blocks(label, b"\x01", *parts)).digest()


def bound(sender: PublicDevice, recipient: PublicDevice) -> bytes:
    return binding(b"mitm-lab/1 Olm message", sender.to_bytes(), recipient.to_bytes())


@dataclass
class Olm:
    """A device that speaks Olm, and whose keys the test knows: it begins sessions with one message each."""

    account: str = "mallory"
    identity: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> PublicDevice:
        return PublicDevice(self.account, 1, raw(self.identity), raw(self.signing))

    def sign(self, label: bytes, key: bytes) -> bytes:
        return key + sign(self.signing, label, self.public.to_bytes(), key)

    def first(
        self,
        to: PublicDevice,
        one_time: bytes,
        plaintext: bytes,
        *,
        ratchet_key: bytes = b"",
        index: bytes = b"\x00",
        ciphertext: bytes | None = None,
    ) -> bytes:
        """An envelope. `index`: as it is written; the keys are those of 0."""
        base = X25519PrivateKey.generate()
        shared = (
            self.identity.exchange(X25519PublicKey.from_public_bytes(one_time)),
            base.exchange(X25519PublicKey.from_public_bytes(to.identity)),
            base.exchange(X25519PublicKey.from_public_bytes(one_time)),
        )
        chain = hkdf(b"".join(shared), b"OLM_ROOT", 64)[32:]
        keys = hkdf(hmac.digest(chain, b"\x01", "sha256"), b"OLM_KEYS", 80)
        sealed = cbc(keys, plaintext) if ciphertext is None else ciphertext
        ratchet = ratchet_key or raw(X25519PrivateKey.generate())
        body = b"\x03" + entry(0x0A, ratchet) + b"\x10" + index + entry(0x22, sealed)
        entries = (entry(0x0A, one_time), entry(0x12, raw(base)), entry(0x1A, raw(self.identity)))
        return b"\x01\x01\x03" + b"".join(entries) + entry(0x22, body + mac(keys, body))


class Device:
    """A device of the lab with its states, and what the service has of it."""

    def __init__(self, account: str, one_time_keys: int = 0) -> None:
        self.state = ENGINE.create(account, 1)
        self.public = ENGINE.public(self.state)
        published = ENGINE.publish(self.state, one_time_keys)
        self.state, self.signed = published.device, published.signed
        self.one_time = [data for _, data in published.one_time.one_time]
        self.sessions: dict[PublicDevice, bytes] = {}

    @property
    def fallback(self) -> bytes:
        return self.signed[1:33]

    def begin(self, other: Device) -> None:
        handed = Handed(other.signed, other.one_time.pop(0) if other.one_time else None, None)
        session = self.sessions.get(other.public)
        self.sessions[other.public] = ENGINE.begin(self.state, session, other.public, handed)

    def write(self, other: PublicDevice, text: bytes = TEXT) -> bytes:
        sealed = ENGINE.seal(self.state, self.sessions[other], text)
        self.sessions[other] = sealed.state
        return sealed.message

    def open(self, other: PublicDevice, envelope: bytes) -> Opened:
        return ENGINE.open(self.state, self.sessions.get(other), other, envelope)

    def read(self, other: PublicDevice, envelope: bytes) -> bytes:
        opened = self.open(other, envelope)
        self.state, self.sessions[other] = opened.device, opened.session
        return opened.plaintext

    def refuses(self, other: PublicDevice, envelope: bytes, because: str = ".") -> bool:
        with pytest.raises(E2EEError, match=because):
            self.open(other, envelope)
        return True


def strangers(one_time_keys: int = 1) -> tuple[Device, Device]:
    """Alice has begun a session with Bob, who does not know yet."""
    alice, bob = Device("alice"), Device("bob", one_time_keys)
    alice.begin(bob)
    return alice, bob


def acquainted() -> tuple[Device, Device]:
    alice, bob = strangers()
    assert bob.read(alice.public, alice.write(bob.public)) == TEXT
    assert alice.read(bob.public, bob.write(alice.public)) == TEXT
    return alice, bob


def flipped(data: bytes) -> Iterator[bytes]:
    """One bit flipped in every byte, cut short everywhere, or longer."""
    for at in range(len(data)):
        for bit in (0, 7):
            yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        yield data[:at]
    yield data + b"\x00"


class TestKeys:
    def test_keys_are_signed_with_label_and_device(self) -> None:
        bob = Device("bob", 2)
        assert (bob.signed[0], len(bob.signed), {len(key) for key in bob.one_time}) == (1, 97, {96})
        for label, signed in [(FALLBACK_LABEL, bob.signed[1:]), *((ONE_TIME_LABEL, key) for key in bob.one_time)]:
            verify(bob.public.signing, signed[32:], label, bob.public.to_bytes(), signed[:32])

    def test_no_session_begins_with_keys_that_were_changed_moved_or_not_signed(self) -> None:
        alice, bob, mallory = Device("alice"), Device("bob", 2), Device("mallory", 1)

        def refused(signed: bytes, one_time: bytes | None = None, because: str = NOT_SIGNED) -> bool:
            with pytest.raises(E2EEError, match=because):
                ENGINE.begin(alice.state, None, bob.public, Handed(signed, one_time, None))
            return True

        (one_time, *_), (others, *_) = bob.one_time, mallory.one_time
        assert all(refused(bad, because=".") for bad in flipped(bob.signed))
        assert all(refused(bob.signed, bad, ".") for bad in flipped(one_time))
        assert refused(mallory.signed)
        assert refused(bob.signed, others)
        assert refused(mallory.signed, one_time)
        # As another kind of key than it was signed for.
        assert refused(bob.signed, bob.signed[1:])
        assert refused(b"\x01" + one_time)

    def test_there_are_no_kem_keys(self) -> None:
        alice, bob = Device("alice"), Device("bob")
        with pytest.raises(E2EEError, match="no KEM keys"):
            ENGINE.begin(alice.state, None, bob.public, Handed(bob.signed, None, b"\x00"))

    @pytest.mark.parametrize("bad", [*LOW_ORDER, b"\x09" + bytes(30) + b"\x80", b"\xff" * 32], ids=bytes.hex)
    def test_keys_of_small_order_or_in_another_form_are_refused_though_signed(self, bad: bytes) -> None:
        alice, mallory = Device("alice"), Olm()
        good = raw(X25519PrivateKey.generate())
        fallback = b"\x01" + mallory.sign(FALLBACK_LABEL, good)
        assert ENGINE.begin(alice.state, None, mallory.public, Handed(fallback, None, None))
        for handed in (
            Handed(b"\x01" + mallory.sign(FALLBACK_LABEL, bad), None, None),
            Handed(fallback, mallory.sign(ONE_TIME_LABEL, bad), None),
        ):
            with pytest.raises(E2EEError, match=UNSUITED):
                ENGINE.begin(alice.state, None, mallory.public, handed)

    def test_one_time_keys_are_numbered_on(self) -> None:
        state, ids = ENGINE.create("alice", 1), []
        for count in (2, 0, MAX_KEPT_KEYS):
            published = ENGINE.publish(state, count)
            state = published.device
            ids += [id_ for id_, _ in published.one_time.one_time]
            assert published.one_time.one_time_kem == ()
        assert ids == list(range(1, MAX_KEPT_KEYS + 3))
        for count in (-1, MAX_KEPT_KEYS + 1):
            with pytest.raises(E2EEError, match="never kept"):
                ENGINE.publish(state, count)


class TestOlm:
    def test_what_goes_over_the_wire_is_olm(self) -> None:
        bob, carol = Device("bob", 1), Olm("carol")
        for one_time in (bob.one_time[0][:32], bob.fallback):
            first = carol.first(bob.public, one_time, bound(carol.public, bob.public) + TEXT)
            assert bob.read(carol.public, first) == TEXT

    def test_vodozemac_alone_opens_an_envelope_and_finds_the_text_behind_a_digest(self) -> None:
        alice = Device("alice")
        account = vodozemac.Account()
        account.generate_one_time_keys(1)
        (key,) = account.one_time_keys.values()
        signing = base64.b64decode(account.ed25519_key.to_base64() + "=")
        carol = PublicDevice("carol", 1, account.curve25519_key.to_bytes(), signing)
        public = key.to_bytes()

        def signed(label: bytes) -> bytes:
            signature = account.sign(blocks(label, carol.to_bytes(), public)).to_base64()
            return public + base64.b64decode(signature + "==")

        handed = Handed(b"\x01" + signed(FALLBACK_LABEL), signed(ONE_TIME_LABEL), None)
        alice.sessions[carol] = ENGINE.begin(alice.state, None, carol, handed)
        first = vodozemac.AnyOlmMessage.pre_key(alice.write(carol)[2:]).to_pre_key()
        assert first is not None
        _, opened = account.create_inbound_session(
            vodozemac.Curve25519PublicKey.from_bytes(alice.public.identity), first
        )
        assert opened == bound(alice.public, carol) + TEXT

    def test_what_sets_a_session_up_is_sent_until_an_answer_was_read(self) -> None:
        alice, bob = strangers()
        envelopes = [alice.write(bob.public) for _ in range(2)]
        assert [bob.read(alice.public, each) for each in envelopes] == [TEXT, TEXT]
        answer = bob.write(alice.public)
        envelopes.append(alice.write(bob.public))
        assert {each[:2] for each in envelopes} == {b"\x01\x01"}
        assert alice.read(bob.public, answer) == TEXT
        assert {answer[:2], alice.write(bob.public)[:2]} == {b"\x01\x02"}

    def test_no_byte_of_an_envelope_can_be_changed(self) -> None:
        alice, bob = strangers(one_time_keys=0)
        first = alice.write(bob.public)
        assert all(bob.refuses(alice.public, bad) for bad in flipped(first))
        assert bob.read(alice.public, first) == TEXT
        without_answer = alice.write(bob.public)
        assert all(bob.refuses(alice.public, bad) for bad in flipped(without_answer))
        assert bob.read(alice.public, without_answer) == TEXT
        assert alice.read(bob.public, bob.write(alice.public)) == TEXT
        later = alice.write(bob.public)
        assert all(bob.refuses(alice.public, bad) for bad in flipped(later))
        assert bob.read(alice.public, later) == TEXT

    @pytest.mark.parametrize("start", [b"", b"\x01", b"\x00\x02", b"\x02\x02", b"\x01\x00", b"\x01\x03", b"\x01\x04"])
    def test_another_version_or_kind_is_refused(self, start: bytes) -> None:
        alice, bob = acquainted()
        assert bob.refuses(alice.public, start and start + alice.write(bob.public)[2:])

    def test_a_message_of_one_kind_is_none_of_the_other(self) -> None:
        alice, bob = strangers()
        first = alice.write(bob.public)
        assert bob.refuses(alice.public, b"\x01\x02" + first[2:])
        assert bob.read(alice.public, first) == TEXT
        later = bob.write(alice.public)
        assert alice.refuses(bob.public, b"\x01\x01" + later[2:])

    @pytest.mark.parametrize(
        "respell",
        [
            lambda first: first + entry(0x2A, b"unknown"),
            lambda first: first[:3] + entry(0x2A, b"unknown") + first[3:],
            lambda first: first[:3] + first[3:37] * 2 + first[37:],
            lambda first: first[:3] + first[37:71] + first[3:37] + first[71:],
            lambda first: first[:4] + varint(32, more=1) + first[5:],
        ],
        ids=["something behind", "something before", "twice", "in another order", "a longer number"],
    )
    def test_another_way_to_write_the_same_message_is_refused(self, respell: Callable[[bytes], bytes]) -> None:
        alice, bob = strangers()
        first = alice.write(bob.public)
        # vodozemac has nothing against it.
        assert vodozemac.AnyOlmMessage.pre_key(respell(first)[2:]).to_parts()[1] == first[2:]
        assert bob.refuses(alice.public, respell(first), FORM)
        assert bob.read(alice.public, first) == TEXT

    @pytest.mark.parametrize("at", [36, 70, 104], ids=["one-time key", "base key", "identity key"])
    def test_another_way_to_write_a_key_does_not_begin_a_session_again(self, at: int) -> None:
        alice, bob = strangers(one_time_keys=0)
        first = alice.write(bob.public)
        respelt = first[:at] + bytes([first[at] | SIGN_BIT]) + first[at + 1 :]
        assert respelt != first
        assert bob.refuses(alice.public, respelt)
        assert bob.read(alice.public, first) == TEXT
        assert bob.refuses(alice.public, respelt)
        bob.sessions.clear()
        assert bob.refuses(alice.public, first, AGAIN)
        assert bob.refuses(alice.public, respelt)

    def test_the_fallback_key_does_not_begin_more_sessions_than_are_remembered(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lab.e2ee.olm.MAX_REMEMBERED", 2)
        bob = Device("bob", 1)
        one_time = bob.one_time[0][:32]
        for expected in (True, True, False):
            carol = Olm("carol")
            first = carol.first(bob.public, bob.fallback, bound(carol.public, bob.public) + TEXT)
            if expected:
                assert bob.read(carol.public, first) == TEXT
                assert bob.refuses(carol.public, first, NO_SESSION)
                bob.sessions.clear()
                assert bob.refuses(carol.public, first, AGAIN)
            else:
                assert bob.refuses(carol.public, first, "too many first messages")
        dave = Olm("dave")
        assert bob.read(dave.public, dave.first(bob.public, one_time, bound(dave.public, bob.public) + TEXT)) == TEXT

    def test_the_session_longest_not_read_in_is_forgotten(self) -> None:
        alice, bob = Device("alice"), Device("bob", MAX_SESSIONS + 1)
        late = []
        for _ in range(MAX_SESSIONS + 1):
            alice.begin(bob)
            assert bob.read(alice.public, alice.write(bob.public)) == TEXT
            late.append(alice.write(bob.public))
        assert bob.refuses(alice.public, late[0], "unknown or used up")
        assert [bob.read(alice.public, each) for each in late[1:]] == [TEXT] * MAX_SESSIONS


class TestWho:
    def test_who_publishes_anothers_key_as_its_own_does_not_get_its_messages(self) -> None:
        bob, alice = Device("bob"), Olm("alice")
        mallory = replace(alice, account="mallory", signing=Ed25519PrivateKey.generate())
        assert mallory.public.identity == alice.public.identity
        envelope = alice.first(bob.public, bob.fallback, bound(alice.public, bob.public) + TEXT)
        assert bob.refuses(mallory.public, envelope, SOMEBODY_ELSE)
        assert bob.read(alice.public, envelope) == TEXT

    def test_names_numbers_and_keys_of_both_sides_are_bound(self) -> None:
        bob, alice = Device("bob"), Olm("alice")
        senders = [replace(alice.public, account="Alice"), replace(alice.public, device=2), Olm().public]
        recipients = [replace(bob.public, account="Bob"), replace(bob.public, device=2), alice.public]
        for sender, recipient in [
            *((each, bob.public) for each in senders),
            *((alice.public, each) for each in recipients),
        ]:
            envelope = alice.first(bob.public, bob.fallback, bound(sender, recipient) + TEXT)
            assert bob.refuses(alice.public, envelope, SOMEBODY_ELSE)
        for plaintext in (b"", TEXT, bound(bob.public, alice.public) + TEXT, bound(alice.public, bob.public)[:31]):
            assert bob.refuses(alice.public, alice.first(bob.public, bob.fallback, plaintext), SOMEBODY_ELSE)
        for plaintext in (b"", TEXT):
            envelope = alice.first(bob.public, bob.fallback, bound(alice.public, bob.public) + plaintext)
            assert bob.read(alice.public, envelope) == plaintext

    def test_a_first_message_is_that_of_its_identity_key(self) -> None:
        bob, alice, mallory = Device("bob"), Olm("alice"), Olm()
        envelope = mallory.first(bob.public, bob.fallback, bound(alice.public, bob.public) + TEXT)
        assert bob.refuses(alice.public, envelope, "that of another device")

    def test_sessions_with_one_device_are_not_those_with_another(self) -> None:
        alice, bob = acquainted()
        carol = Device("carol")
        alice.sessions[carol.public] = alice.sessions[bob.public]
        with pytest.raises(E2EEError, match="with another device"):
            alice.begin(carol)
        assert alice.refuses(carol.public, bob.write(alice.public), "with another device")

    def test_a_session_gives_nothing_to_listen_with(self) -> None:
        alice, bob = acquainted()
        assert ENGINE.overhear(alice.state, alice.sessions[bob.public]) is None


class TestDishonestPartners:
    """Whoever has a session may send what it likes in it."""

    @pytest.mark.parametrize(
        "ciphertext", [b"", bytes(15), bytes(16), bytes(17), bytes(160)], ids=lambda each: f"{len(each)} bytes"
    )
    def test_a_ciphertext_that_is_none_is_refused(self, ciphertext: bytes) -> None:
        bob, mallory = Device("bob"), Olm()
        assert bob.refuses(mallory.public, mallory.first(bob.public, bob.fallback, b"", ciphertext=ciphertext))

    @pytest.mark.parametrize("index", [2001, 2**31, 2**32, 2**63, 2**64 - 1, 2**64, 2**70])
    def test_a_number_too_far_ahead_is_refused(self, index: int) -> None:
        bob, mallory = Device("bob"), Olm()
        text = bound(mallory.public, bob.public) + TEXT
        assert bob.refuses(mallory.public, mallory.first(bob.public, bob.fallback, text, index=varint(index)))

    @low_order
    def test_a_ratchet_key_of_small_order_is_noticed_before_anything_is_sealed_with_it(self, key: bytes) -> None:
        bob, mallory = Device("bob"), Olm()
        text = bound(mallory.public, bob.public) + TEXT
        assert bob.read(mallory.public, mallory.first(bob.public, bob.fallback, text, ratchet_key=key)) == TEXT
        with pytest.raises(E2EEError, match="sent a key"):
            bob.write(mallory.public)

    @pytest.mark.parametrize("size", [31, 33])
    def test_a_ratchet_key_of_another_length_is_refused(self, size: int) -> None:
        bob, mallory = Device("bob"), Olm()
        text = bound(mallory.public, bob.public) + TEXT
        assert bob.refuses(mallory.public, mallory.first(bob.public, bob.fallback, text, ratchet_key=os.urandom(size)))

    @low_order
    def test_a_base_key_of_small_order_is_refused(self, key: bytes) -> None:
        bob, mallory = Device("bob"), Olm()
        first = mallory.first(bob.public, bob.fallback, bound(mallory.public, bob.public) + TEXT)
        assert bob.refuses(mallory.public, first[:39] + key + first[71:], UNSUITED)

    def test_more_than_a_mebibyte_is_refused(self) -> None:
        bob, mallory = Device("bob"), Olm()
        text = bound(mallory.public, bob.public) + bytes((1 << 20) + 1)
        assert bob.refuses(mallory.public, mallory.first(bob.public, bob.fallback, text), "longer than it may be")
        # Not even looked at.
        assert bob.refuses(mallory.public, b"\x01\x02" + bytes((1 << 20) + 513), "longer than it may be")
        assert Group().refuses(b"\x01\x03" + bytes(32 + (1 << 20) + 513), "longer than it may be")


# Groups


@dataclass
class GroupSender:
    """A sender key of Megolm whose ratchet and signing key the test knows. It stays at index 0."""

    sender: PublicDevice
    group: bytes = GROUP
    ratchet: bytes = field(default_factory=lambda: os.urandom(128))
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def bound(self) -> bytes:
        return binding(b"mitm-lab/1 Megolm message", self.group, self.sender.to_bytes(), raw(self.signing))

    def distribution(self, sender: PublicDevice | None = None, session_key: bytes = b"", index: int = 0) -> bytes:
        unsigned = b"\x02" + index.to_bytes(4, "big") + self.ratchet + raw(self.signing)
        key = session_key or unsigned + self.signing.sign(unsigned)
        return b"\x01" + blocks(b"mitm-lab/1 Megolm sender key", self.group, (sender or self.sender).to_bytes()) + key

    def message(self, plaintext: bytes, *, index: bytes = b"\x00", ciphertext: bytes | None = None) -> bytes:
        keys = hkdf(self.ratchet, b"MEGOLM_KEYS", 80)
        body = b"\x03\x08" + index + entry(0x12, cbc(keys, plaintext) if ciphertext is None else ciphertext)
        body += mac(keys, body)
        return b"\x01\x03" + raw(self.signing) + body + self.signing.sign(body)


class Group:
    """Alice's own sender key, and what one reader has of it."""

    def __init__(self) -> None:
        device = ENGINE.create("alice", 1)
        self.alice = ENGINE.public(device)
        self.key = MEGOLM.create(device, GROUP)
        self.distribution = MEGOLM.distribution(self.key)
        self.reader = MEGOLM.learn(GROUP, self.alice, self.distribution)

    def write(self, text: bytes = TEXT) -> bytes:
        sealed = MEGOLM.seal(self.key, text)
        self.key = sealed.state
        return sealed.message

    def read(self, message: bytes) -> bytes:
        read = MEGOLM.open(self.reader, message)
        self.reader = read.reader
        return read.plaintext

    def refuses(self, message: bytes, because: str = ".") -> bool:
        return refuses(self.reader, message, because)


def refuses(reader: bytes, message: bytes, because: str = ".") -> bool:
    with pytest.raises(E2EEError, match=because):
        MEGOLM.open(reader, message)
    return True


class TestMegolm:
    def test_what_goes_to_a_group_is_megolm(self) -> None:
        carol = GroupSender(Olm("carol").public)
        reader = MEGOLM.learn(GROUP, carol.sender, carol.distribution())
        message = carol.message(carol.bound + TEXT)
        assert MEGOLM.open(reader, message).plaintext == TEXT
        assert MEGOLM.key_id(message) == MEGOLM.reader_id(reader) == raw(carol.signing)

    def test_vodozemac_alone_opens_a_group_message_and_again(self) -> None:
        group = Group()
        session = vodozemac.InboundGroupSession(
            vodozemac.SessionKey(base64.b64encode(group.distribution[-229:]).decode().rstrip("="))
        )
        message = group.write()
        assert base64.b64encode(message[2:34]).decode().rstrip("=") == session.session_id
        bare = vodozemac.MegolmMessage.from_bytes(message[34:])
        assert [session.decrypt(bare).plaintext[32:] for _ in range(2)] == [TEXT, TEXT]
        # Here it opens once.
        assert group.read(message) == TEXT
        assert group.refuses(message, READ_BEFORE)

    def test_no_byte_of_a_group_message_can_be_changed(self) -> None:
        group = Group()
        message = group.write()
        assert all(group.refuses(bad) for bad in flipped(message))
        assert group.read(message) == TEXT

    @pytest.mark.parametrize(
        "respell",
        [
            lambda message: message[:-72] + entry(0x1A, b"unknown") + message[-72:],
            lambda message: message[:35] + entry(0x1A, b"unknown") + message[35:],
            lambda message: message[:36] + varint(0, more=1) + message[37:],
            lambda message: message[:35] + message[37:-72] + b"\x08\x00" + message[-72:],
            lambda message: message[:35] + message[37:],
        ],
        ids=["something behind", "something before", "a longer number", "in another order", "no number for 0"],
    )
    def test_another_way_to_write_the_same_group_message_is_refused(self, respell: Callable[[bytes], bytes]) -> None:
        group = Group()
        message = group.write()
        assert vodozemac.MegolmMessage.from_bytes(respell(message)[34:]).to_bytes() == message[34:]
        assert group.refuses(respell(message), FORM)
        assert group.read(message) == TEXT

    def test_a_member_cannot_show_anothers_messages_as_its_own(self) -> None:
        group, mallory = Group(), Olm().public
        # Mallory may read Alice's sender key, and tells Bob that it is hers.
        stolen = GroupSender(mallory).distribution(session_key=group.distribution[-229:])
        reader = MEGOLM.learn(GROUP, mallory, stolen)
        assert refuses(reader, group.write(), SOMEBODY_ELSE)

    def test_a_member_who_can_read_cannot_write_as_another(self) -> None:
        group = Group()
        ratchet = group.distribution[-229:][5:133]
        forger = GroupSender(group.alice, ratchet=ratchet)
        genuine = group.write()
        forged = forger.message(genuine[2:34] + TEXT)
        assert group.refuses(forged, "under another sender key")
        assert group.refuses(genuine[:34] + forged[34:], NOT_AUTHENTIC)
        assert group.read(genuine) == TEXT

    def test_group_sender_and_key_are_bound(self) -> None:
        carol = GroupSender(Olm("carol").public)
        reader = MEGOLM.learn(GROUP, carol.sender, carol.distribution())
        for other in (
            replace(carol, group=b"the new mill"),
            replace(carol, sender=replace(carol.sender, device=2)),
            replace(carol, signing=Ed25519PrivateKey.generate()),
        ):
            assert refuses(reader, carol.message(other.bound + TEXT), SOMEBODY_ELSE)
        assert all(refuses(reader, carol.message(text), SOMEBODY_ELSE) for text in (b"", TEXT, carol.bound[:31]))

    @pytest.mark.parametrize(
        "ciphertext", [b"", bytes(15), bytes(16), bytes(17)], ids=lambda each: f"{len(each)} bytes"
    )
    def test_a_ciphertext_that_is_none_is_refused(self, ciphertext: bytes) -> None:
        carol = GroupSender(Olm("carol").public)
        reader = MEGOLM.learn(GROUP, carol.sender, carol.distribution())
        assert refuses(reader, carol.message(b"", ciphertext=ciphertext), NOT_AUTHENTIC)

    def test_a_number_too_far_ahead_is_refused(self) -> None:
        carol = GroupSender(Olm("carol").public)
        reader = MEGOLM.learn(GROUP, carol.sender, carol.distribution())
        for index in (MAX_SKIP + 1, 2**31, 2**32 - 1):
            assert refuses(reader, carol.message(carol.bound, index=varint(index)), "too far ahead")
        for index in (2**32, 2**64 - 1):
            assert refuses(reader, carol.message(carol.bound, index=varint(index)), FORM)
        last = MEGOLM.learn(GROUP, carol.sender, carol.distribution(index=2**32 - 1))
        assert refuses(last, carol.message(carol.bound, index=varint(2**32 - 1)), "too far ahead")

    @pytest.mark.parametrize(
        "key", [b"\x01" + bytes(31), bytes(32), b"\xec" + b"\xff" * 30 + b"\x7f", b"\x02" + bytes(31)], ids=bytes.hex
    )
    def test_a_sender_key_under_which_everybody_can_sign_is_not_learnt(self, key: bytes) -> None:
        carol = GroupSender(Olm("carol").public)
        # Valid for every text under the key that is the neutral point.
        signature = b"\x01" + bytes(63)
        session_key = b"\x02" + bytes(4) + carol.ratchet + key + signature
        with pytest.raises(E2EEError):
            MEGOLM.learn(GROUP, carol.sender, carol.distribution(session_key=session_key))

    def test_a_distribution_can_be_changed_nowhere(self) -> None:
        group = Group()
        for bad in flipped(group.distribution):
            with pytest.raises(E2EEError):
                MEGOLM.learn(GROUP, group.alice, bad)

    def test_what_is_missing_can_still_be_read_and_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("lab.e2ee.olm.MAX_STORED", 3)
        group = Group()
        messages = [group.write(bytes([at])) for at in range(6)]
        assert group.read(messages[5]) == b"\x05"
        assert all(group.refuses(message, READ_BEFORE) for message in (messages[0], messages[1], messages[5]))
        assert [group.read(messages[at]) for at in (3, 2, 4)] == [b"\x03", b"\x02", b"\x04"]
        assert all(group.refuses(message, READ_BEFORE) for message in messages)
        assert group.read(group.write()) == TEXT

    def test_a_copied_reader_opens_nothing_that_was_read(self) -> None:
        group = Group()
        messages = [group.write(bytes([at])) for at in range(4)]
        assert group.read(messages[1]) == b"\x01"
        assert first_index(group.reader) == 0
        assert [group.read(messages[at]) for at in (0, 2)] == [b"\x00", b"\x02"]
        # The ratchet itself has moved on: whoever has the reader asks nobody whether something was read before.
        assert first_index(group.reader) == 3


def first_index(reader: bytes) -> int:
    """The first message that whoever has copied `reader` can open."""
    at = 1
    parts = []
    for _ in range(3):
        size = int.from_bytes(reader[at : at + 4], "big")
        parts.append(reader[at + 4 : at + 4 + size])
        at += 4 + size
    return vodozemac.InboundGroupSession.from_pickle(parts[2].decode(), bytes(32)).first_known_index


class TestStates:
    def test_damaged_states_are_refused(self) -> None:
        alice, bob = acquainted()
        group = Group()
        message, envelope = group.write(), alice.write(bob.public)
        session = bob.sessions[alice.public]
        uses: list[tuple[bytes, Callable[[bytes], object]]] = [
            (bob.state, lambda state: ENGINE.publish(state, 1)),
            (bob.state, lambda state: ENGINE.begin(state, None, alice.public, Handed(alice.signed, None, None))),
            (session, lambda state: ENGINE.open(bob.state, state, alice.public, envelope)),
            (alice.sessions[bob.public], lambda state: ENGINE.seal(alice.state, state, TEXT)),
            (group.key, lambda state: MEGOLM.seal(state, TEXT)),
            (group.key, MEGOLM.distribution),
            (group.reader, lambda state: MEGOLM.open(state, message)),
            (group.reader, MEGOLM.reader_id),
        ]
        for state, use in uses:
            use(state)
            for at in range(0, len(state), 7):
                with pytest.raises(E2EEError):
                    use(state[:at])
            for bad in (state + b"\x00", b"\x00" + state[1:], state[:-20] + b"\xff" * 20):
                with pytest.raises(E2EEError):
                    use(bad)

    def test_no_sessions_are_no_state(self) -> None:
        alice, bob = acquainted()
        none = alice.sessions[bob.public][: 1 + 4 + len(bob.public.to_bytes())] + bytes(4)
        with pytest.raises(E2EEError, match="no sessions"):
            ENGINE.seal(alice.state, none, TEXT)

    def test_a_reader_that_cannot_have_been_is_refused(self) -> None:
        group = Group()
        for _ in range(3):
            group.write()
        reader = MEGOLM.learn(GROUP, group.alice, MEGOLM.distribution(group.key))
        assert reader.endswith((3).to_bytes(4, "big") + bytes(4))
        message = group.write()
        assert MEGOLM.open(reader, message).plaintext == TEXT
        assert refuses(reader[:-8] + bytes(8), message, "damaged")

    def test_without_vodozemac_the_module_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "vodozemac", None)
        monkeypatch.delitem(sys.modules, "lab.e2ee.olm")
        with pytest.raises(ModuleNotFoundError, match="vodozemac"):
            importlib.import_module("lab.e2ee.olm")
