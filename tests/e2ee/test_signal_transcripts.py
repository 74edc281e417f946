"""Signal's own transcripts, byte for byte, through the state machine that the lab's messages go through.

The transcripts hold every private key, so what they send can be computed again. They are those of Signal's JavaScript
library, in all the orders that its tests make of them. Only the form of a message is Signal's (`signal_v3`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab.e2ee.protocol import E2EEError
from lab.e2ee.ratchet import Ratchet, step_chain
from tests.e2ee.signal_v3 import First, SignalForm, content, initiators_secret, key_in, message_keys, responders_secret

VECTORS = os.environ.get("LAB_VECTORS")
pytestmark = pytest.mark.skipif(VECTORS is None, reason="LAB_VECTORS names no folder with Signal's transcripts")

ORDERS = {
    "Alice": ("TwoPartyTestVectorsAlice", "01234"),
    "Alice shuffled": ("TwoPartyTestVectorsAlice", "01324"),
    "Bob": ("TwoPartyTestVectorsBob", "01234"),
    "Bob I": ("TwoPartyTestVectorsBob", "10234"),
    "Bob II": ("TwoPartyTestVectorsBob", "02134"),
    "Bob III": ("TwoPartyTestVectorsBob", "02341"),
    "Bob IV": ("TwoPartyTestVectorsBob", "12340"),
    "Alice ends a session": ("EndSessionTestVectorsAlice", "012345"),
    "Bob ends a session": ("EndSessionTestVectorsBob", "012345"),
    "Bob ends a session I": ("EndSessionTestVectorsBob", "021345"),
    "Bob ends a session II": ("EndSessionTestVectorsBob", "032145"),
    "Bob ends a session III": ("EndSessionTestVectorsBob", "013245"),
    "Bob ends a session IV": ("EndSessionTestVectorsBob", "013452"),
    "Bob ends a session V": ("EndSessionTestVectorsBob", "210345"),
    "Bob ends a session VI": ("EndSessionTestVectorsBob", "213045"),
}
"""Which transcript, and the places of its steps in the order in which they are taken."""

END_OF_SESSION = (bytes.fromhex("2001") + b"\x80").ljust(159, b"\x00")
STRANGER = X25519PrivateKey.from_private_bytes(b"\x09" * 32).public_key().public_bytes_raw()

type Step = tuple[str, dict[str, Any]]


def transcript(name: str) -> list[Step]:
    assert VECTORS is not None
    steps = json.loads((Path(VECTORS) / "signal-js" / "two-party-v3.json").read_text())[name]
    return [(kind, step) for kind, step in steps]


def steps_of(order: str) -> tuple[list[Step], list[Step]]:
    """The transcript, and its steps in this order."""
    name, places = ORDERS[order]
    steps = transcript(name)
    return steps, [steps[int(place)] for place in places]


def private(text: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(bytes.fromhex(text))


def public(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def outside(step: dict[str, Any]) -> bytes:
    return bytes.fromhex(step.get("message") or step["expectedCiphertext"])


def is_first(message: bytes) -> bool:
    return message[1] == 0x08  # the id of a one-time pre-key; others have a ratchet key there


def text_of(step: dict[str, Any], name: str) -> bytes:
    return content(step[name]) if name in step else END_OF_SESSION


def drawn(steps: list[dict[str, Any]]) -> dict[bytes, list[bytes]]:
    """The private ratchet keys of the transcript's owner, by the base key of the session."""
    found: dict[bytes, list[bytes]] = {}
    base = b""
    for step in steps:
        message = outside(step)
        base = First.from_bytes(message).base if is_first(message) else base
        names = [name for name in ("ourEphemeralKey", "newEphemeralKey") if name in step]
        found.setdefault(base, []).extend(bytes.fromhex(step[name]) for name in names)
    return found


class Side:
    """One of the two: what it draws and what it has is known from its transcript."""

    def __init__(self, transcript: list[Step]) -> None:
        steps = [step for _, step in transcript]
        self.identity = private(steps[0]["ourIdentityKey"])
        self.drawn = drawn(steps)
        self.one_time = {step["preKeyId"]: private(step["ourPreKey"]) for step in steps if "preKeyId" in step}
        self.signed = {step["signedPreKeyId"]: private(step["ourSignedPreKey"]) for step in steps if "preKeyId" in step}
        self.other: bytes = b""
        self.sessions: dict[bytes, Ratchet] = {}
        """By base key, the newest one last."""
        self.first: First | None = None
        """What goes with everything that is sent, until the first answer."""

    @property
    def form(self) -> SignalForm:
        return SignalForm(public(self.identity), self.other)

    def random(self, count: int) -> bytes:
        """What the newest session draws next. Signal's library draws when it has received, the state machine here when
        it sends: the keys of one session are the same, in the same order."""
        assert count == 32
        return self.drawn[[*self.sessions][-1]].pop(0)

    def send(self, step: dict[str, Any]) -> bytes:
        if "getKeys" in step:
            self.begin(step)
        message = [*self.sessions.values()][-1].encrypt(text_of(step, "smsText"), self.random)
        if self.first is None:
            return message
        sent = First(**{**vars(self.first), "message": message})
        return sent.to_bytes()

    def begin(self, step: dict[str, Any]) -> None:
        base = private(step["ourBaseKey"])
        device = step["getKeys"]["devices"][0]
        keys = [step["getKeys"]["identityKey"], device["signedPreKey"]["publicKey"], device["preKey"]["publicKey"]]
        self.other, signed, one_time = (key_in(bytes.fromhex(key)) for key in keys)
        secret = initiators_secret(self.identity, base, self.other, signed, one_time)
        ids = device["preKey"]["keyId"], device["signedPreKey"]["keyId"]
        self.sessions[public(base)] = Ratchet.initiator(secret, signed, b"", self.form)
        self.first = First(ids[0], public(base), public(self.identity), b"", step["registrationId"], ids[1])

    def receive(self, message: bytes, kind: int) -> bytes:
        if kind == 3:
            first = First.from_bytes(message)
            session, message = self.sessions.get(first.base) or self.accept(first), first.message
            text = session.decrypt(message)
            self.sessions[first.base] = session
            return text
        text = [*self.sessions.values()][-1].decrypt(message)
        self.first = None
        return text

    def accept(self, first: First) -> Ratchet:
        self.other = first.identity
        keys = self.signed.get(first.signed_id), self.one_time.get(first.one_time_id)
        if keys[0] is None or keys[1] is None:
            raise E2EEError("a pre-key is unknown")
        secret = responders_secret(self.identity, *keys, first.identity, first.base)
        return Ratchet.responder(secret, keys[0], b"", self.form)

    def restart(self) -> None:
        """Nothing is left but what was stored."""
        stored = {base: session.to_bytes() for base, session in self.sessions.items()}
        self.sessions = {base: Ratchet.from_bytes(state, self.form) for base, state in stored.items()}

    def state(self) -> list[bytes]:
        return [session.to_bytes() for session in self.sessions.values()]

    def refuses(self, message: bytes, kind: int) -> bool:
        before = self.state()
        with pytest.raises(E2EEError):
            self.receive(message, kind)
        return self.state() == before


def take(side: Side, kind: str, step: dict[str, Any]) -> None:
    if kind == "sendMessage":
        assert side.send(step).hex() == step["expectedCiphertext"]
    else:
        assert side.receive(bytes.fromhex(step["message"]), step["type"]) == text_of(step, "expectedSmsText")


def changed(message: bytes) -> Iterator[bytes]:
    """The message with a bit flipped in each byte, cut short anywhere, and with something at either end."""
    for at in range(len(message)):
        yield message[:at] + bytes([message[at] ^ 1 << at % 8]) + message[at + 1 :]
        yield message[:at]
    yield message + b"\x00"
    yield b"\x33" + message


def inside(step: dict[str, Any]) -> bytes:
    """The message itself, without what goes with a first one."""
    message = outside(step)
    return First.from_bytes(message).message if is_first(message) else message


@pytest.mark.parametrize("order", ORDERS)
def test_every_byte_is_as_signal_sent_it_and_every_text_as_it_was_written(order: str) -> None:
    everything, steps = steps_of(order)
    side = Side(everything)
    for kind, step in steps:
        take(side, kind, step)


@pytest.mark.parametrize("order", ORDERS)
def test_a_restart_after_every_step_changes_nothing(order: str) -> None:
    everything, steps = steps_of(order)
    side = Side(everything)
    for kind, step in steps:
        take(side, kind, step)
        side.restart()


@pytest.mark.parametrize("order", ORDERS)
def test_a_message_that_was_read_is_not_read_again(order: str) -> None:
    everything, steps = steps_of(order)
    side = Side(everything)
    read: list[tuple[bytes, int]] = []
    for kind, step in steps:
        take(side, kind, step)
        if kind == "receiveMessage":
            read.append((bytes.fromhex(step["message"]), step["type"]))
        assert all(side.refuses(*again) for again in read)
    assert read


@pytest.mark.parametrize("order", ["Alice", "Alice shuffled", "Bob", "Bob II", "Bob III", "Bob ends a session VI"])
def test_a_changed_message_is_refused_and_the_genuine_one_still_read(order: str) -> None:
    everything, steps = steps_of(order)
    side = Side(everything)
    for kind, step in steps:
        if kind == "receiveMessage" and side.sessions:
            message = inside(step)
            session = [*side.sessions.values()][-1]
            before = session.to_bytes()
            for bad in changed(message):
                with pytest.raises(E2EEError):
                    session.decrypt(bad)
            assert session.to_bytes() == before
        take(side, kind, step)


@pytest.mark.parametrize("order", ["Bob", "Bob I"])
def test_the_very_first_message_is_refused_when_anything_in_it_was_changed(order: str) -> None:
    everything, steps = steps_of(order)
    side = Side(everything)
    first = First.from_bytes(bytes.fromhex(steps[0][1]["message"]))
    for bad in changed(first.message):
        assert side.refuses(First(**{**vars(first), "message": bad}).to_bytes(), 3)
    for name in ("base", "identity"):
        assert side.refuses(First(**{**vars(first), name: STRANGER}).to_bytes(), 3)
    for name in ("one_time_id", "signed_id"):
        assert side.refuses(First(**{**vars(first), name: 1}).to_bytes(), 3)
    take(side, *steps[0])


def test_a_message_of_somebody_else_is_refused() -> None:
    """The right session, but the identity key is not the one that the sender put under the MAC."""
    everything, steps = steps_of("Alice")
    side = Side(everything)
    for kind, step in steps:
        if kind == "receiveMessage":
            stored = [*side.sessions.values()][-1].to_bytes()
            for form in (SignalForm(side.form.own, STRANGER), SignalForm(STRANGER, side.other)):
                with pytest.raises(E2EEError, match="not authentic"):
                    Ratchet.from_bytes(stored, form).decrypt(inside(step))
        take(side, kind, step)


@pytest.mark.parametrize("order", ["Alice", "Bob"])
def test_a_message_of_another_session_is_refused_and_so_is_ones_own(order: str) -> None:
    everything, steps = steps_of(order)
    side = Side(everything)
    others = [inside(step) for side_ in ("Alice", "Bob") for _, step in transcript(f"EndSessionTestVectors{side_}")]
    for kind, step in steps:
        take(side, kind, step)
        if kind == "sendMessage":
            others.append(inside(step))
        session = [*side.sessions.values()][-1]
        before = session.to_bytes()
        for message in others:
            with pytest.raises(E2EEError):
                session.decrypt(message)
        assert session.to_bytes() == before


def test_previous_is_a_number_and_not_a_count_in_signals_messages() -> None:
    """Read as a count, the key of the last message of the old chain is lost: the order Bob III asks for it."""

    class OneTooFew(SignalForm):
        def read(self, message: bytes) -> Any:
            header = super().read(message)
            return header._replace(previous=header.previous - 1)

    everything, steps = steps_of("Bob III")
    side = Side(everything)
    take(side, *steps[0])
    base, session = next(iter(side.sessions.items()))
    side.sessions[base] = Ratchet.from_bytes(session.to_bytes(), OneTooFew(side.form.own, side.other))
    for kind, step in steps[1:-1]:
        take(side, kind, step)
    with pytest.raises(E2EEError):
        take(side, *steps[-1])


def test_a_step_of_a_chain_is_libsignals() -> None:
    assert VECTORS is not None
    vector = json.loads((Path(VECTORS) / "libsignal" / "fingerprint.json").read_text())["chain_key"]
    seed, following = step_chain(bytes.fromhex(vector["seed"]))
    key, mac_key, _ = message_keys(seed)
    assert [key.hex(), mac_key.hex(), following.hex()] == [
        vector["cipher_key"],
        vector["mac_key"],
        vector["next_chain_key"],
    ]
