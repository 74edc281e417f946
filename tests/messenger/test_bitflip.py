"""The operator makes "6pm" of "5pm" in an envelope that it cannot open."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from lab.attack.bitflip import flip, place
from lab.e2ee.protocol import E2EEError
from lab.e2ee.static_x3dh import HEADER
from lab.messenger.content import Content
from lab.model import Deed, Encryption

from .conftest import Enrol, Someone

TEXT = "Meet me at 5pm at the old mill"
BEFORE = "Meet me at "
LATER = TEXT.replace("5pm", "6pm")


def envelope_of(body: dict[str, Any]) -> bytes:
    (only,) = body["envelopes"]
    return base64.b64decode(only["data"])


def deliver(sender: Someone, conversation: str, body: dict[str, Any], envelope: bytes) -> None:
    """As the operator does it: the same message in the name of its sender, with this in place of the envelope."""
    (only,) = body["envelopes"]
    altered = {"envelopes": [{**only, "data": base64.b64encode(envelope).decode()}], "id": str(uuid4())}
    with sender.raw() as raw:
        raw.call("POST", f"/v1/conversations/{conversation}/messages", {**body, **altered})


@pytest.fixture
def written(enrol: Enrol, request: pytest.FixtureRequest) -> tuple[Someone, Someone, str, dict[str, Any]]:
    """Alice, Bob, their conversation, and what Alice posts in it."""
    encryption, padded = request.param
    if encryption is Encryption.OLM:
        pytest.importorskip("vodozemac")
    alice, bob = enrol("Alice", "Bob", encryption=encryption, padded=padded)
    conversation = alice.self.start_conversation([bob.account])
    return alice, bob, conversation, alice.self.prepare(conversation, [bob.account], Content(TEXT)).body


def altered(envelope: bytes, conversation: str) -> Iterator[bytes]:
    """With another hour, wherever the text may begin in envelopes of other forms: as far from the end as it is."""
    yield flip(envelope, place(conversation, BEFORE), b"5", b"6")
    from_end = len(TEXT) - len(BEFORE) + len('"}')
    for tag in (0, 16, 32):
        yield flip(envelope, len(envelope) - HEADER - tag - from_end, b"5", b"6")


@pytest.mark.parametrize("written", [(Encryption.CTR, False), (Encryption.CTR, True)], indirect=True)
def test_without_a_tag_the_app_shows_another_hour(written: tuple[Someone, Someone, str, dict[str, Any]]) -> None:
    alice, bob, conversation, body = written
    envelope = envelope_of(body)
    deliver(alice, conversation, body, flip(envelope, place(conversation, BEFORE), b"5pm", b"6pm"))
    assert bob.self.receive() == Content(LATER)
    assert [one.text for one in bob.told(Deed.READ)] == [LATER]
    assert bob.told(Deed.REFUSED) == []


@pytest.mark.parametrize(
    "written", [(one, False) for one in Encryption if one is not Encryption.CTR], indirect=True, ids=str
)
def test_with_every_other_encryption_it_refuses_it(written: tuple[Someone, Someone, str, dict[str, Any]]) -> None:
    alice, bob, conversation, body = written
    tried = list(altered(envelope_of(body), conversation))
    for envelope in tried:
        deliver(alice, conversation, body, envelope)
        with pytest.raises(E2EEError):
            bob.self.receive()
    assert len(tried) > 3
    assert bob.told(Deed.READ) == []
    deliver(alice, conversation, body, envelope_of(body))
    assert bob.self.receive() == Content(TEXT)


@pytest.mark.parametrize("written", [(Encryption.CTR, False)], indirect=True)
def test_a_wrong_guess_gives_a_wrong_letter_there_only(written: tuple[Someone, Someone, str, dict[str, Any]]) -> None:
    alice, bob, conversation, body = written
    deliver(alice, conversation, body, flip(envelope_of(body), place(conversation, BEFORE), b"4pm", b"6pm"))
    assert bob.self.receive() == Content(TEXT.replace("5pm", "7pm"))
