"""Bob reports a file that Alice has sent, to a moderator who believes nobody."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.e2ee.files import seal_file
from lab.e2ee.franking import (
    CiphertextReport,
    Delivery,
    Report,
    check,
    commit,
    file_content,
    review_ciphertexts,
    stamp,
    stamp_ciphertext,
    verify,
    verify_ciphertext,
)
from lab.e2ee.protocol import E2EEError

SERVICE_KEY = os.urandom(32)
TO_BOB = Delivery("alice", "bob")
PHOTO = b"the old mill at dusk " * 40
BLOB, KEY = seal_file("mill.jpg", "image/jpeg", PHOTO, os.urandom)
OTHER_BLOB, OTHER_KEY = seal_file("mill.jpg", "image/jpeg", PHOTO[::-1], os.urandom)


def report(content: bytes = file_content(KEY), blob: bytes = BLOB) -> Report:
    """Of a message that was really delivered."""
    opening, commitment = commit(content, os.urandom)
    return Report(TO_BOB, blob, content, opening, commitment, stamp(SERVICE_KEY, TO_BOB, commitment))


def refuses(bad: Report, service_key: bytes = SERVICE_KEY) -> bool:
    with pytest.raises(E2EEError):
        verify(bad, service_key)
    return True


def by_hand(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(len(part).to_bytes(4, "big") + part for part in parts), hashlib.sha256).digest()


def test_the_moderator_gets_the_file_that_was_sent() -> None:
    assert verify(report(), SERVICE_KEY) == PHOTO


def test_commitment_and_stamp_are_what_their_description_says() -> None:
    opening, commitment = commit(b"content", lambda size: bytes(range(size)))
    assert opening == bytes(range(32))
    assert commitment == by_hand(opening, b"mitm-lab/1 commitment to a message", b"content")
    label = b"mitm-lab/1 stamp over a commitment"
    assert stamp(SERVICE_KEY, TO_BOB, commitment) == by_hand(SERVICE_KEY, label, b"alice", b"bob", commitment)
    label, digest = b"mitm-lab/1 stamp over a sealed file", hashlib.sha256(BLOB).digest()
    assert stamp_ciphertext(SERVICE_KEY, TO_BOB, BLOB) == by_hand(SERVICE_KEY, label, b"alice", b"bob", digest)


def test_nothing_can_be_put_in_the_place_of_anything() -> None:
    good, other = report(), report(file_content(OTHER_KEY), OTHER_BLOB)
    assert refuses(replace(good, blob=other.blob))
    assert refuses(replace(good, content=other.content))
    assert refuses(replace(good, content=other.content, blob=other.blob))
    assert refuses(replace(good, content=other.content, blob=other.blob, opening=other.opening))
    assert refuses(replace(other, stamp=good.stamp))
    assert refuses(replace(good, opening=other.opening))
    assert refuses(replace(good, commitment=other.commitment))
    assert refuses(replace(good, stamp=bytes(32)))
    assert refuses(replace(good, stamp=b""))
    assert refuses(good, os.urandom(32))
    assert verify(other, SERVICE_KEY) == PHOTO[::-1]


@pytest.mark.parametrize("delivery", [Delivery("mallory", "bob"), Delivery("alice", "carol"), Delivery("bob", "alice")])
def test_nobody_else_can_be_accused_of_it(delivery: Delivery) -> None:
    assert refuses(replace(report(), delivery=delivery))
    sent = CiphertextReport(TO_BOB, BLOB, KEY, stamp_ciphertext(SERVICE_KEY, TO_BOB, BLOB))
    assert verify_ciphertext(sent, SERVICE_KEY) == PHOTO
    with pytest.raises(E2EEError):
        verify_ciphertext(replace(sent, delivery=delivery), SERVICE_KEY)


def test_an_opening_of_another_length_is_none() -> None:
    """HMAC takes a key with zeros behind it for the same key: there would be two openings."""
    short = bytes(31) + b"\x01"
    opening, commitment = commit(b"content", lambda size: short[::-1][:size])
    check(b"content", opening, commitment)
    for other in (opening + b"\0", opening.rstrip(b"\0"), b""):
        with pytest.raises(E2EEError):
            check(b"content", other, commitment)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"[" * 100_000, b"\xff", b'{"name":5}'])
def test_a_content_that_is_no_file_is_refused(content: bytes) -> None:
    assert refuses(report(content))


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_a_commitment_is_to_one_content_only(one: bytes, other: bytes) -> None:
    opening, commitment = commit(one, os.urandom)
    check(one, opening, commitment)
    if one != other:
        with pytest.raises(E2EEError):
            check(other, opening, commitment)


def test_commitments_to_the_same_content_do_not_look_alike() -> None:
    assert len({commit(b"content", os.urandom)[1] for _ in range(5)}) == 5


def test_in_the_bad_example_honest_files_are_seen_too_and_each_once() -> None:
    reports = [
        CiphertextReport(TO_BOB, blob, key, stamp_ciphertext(SERVICE_KEY, TO_BOB, blob))
        for blob, key in [(BLOB, KEY), (OTHER_BLOB, OTHER_KEY), (BLOB, KEY)]
    ]
    assert review_ciphertexts(reports, SERVICE_KEY) == (PHOTO, PHOTO[::-1])
    with pytest.raises(E2EEError):
        review_ciphertexts([replace(reports[0], stamp=reports[1].stamp)], SERVICE_KEY)
