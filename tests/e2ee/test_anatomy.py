"""An envelope is taken apart: every byte has a name and a reason, and what is no envelope is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.agreement import FirstHeader
from lab.e2ee.anatomy import Field, Who, anatomy, kind_of
from lab.e2ee.codec import Reader
from lab.e2ee.groups import SenderKey, key_id_of
from lab.e2ee.identity import DeviceKeys
from lab.e2ee.protocol import MAX_PLAINTEXT, E2EEError, Kind, Suite
from lab.e2ee.ratchet import LAB_FORM, OVERHEAD, Header
from tests.e2ee.test_session import Device

ENVELOPE = ["version", "kind"]
SET_UP = ["suite", "ephemeral key", "signed pre-key id", "one-time pre-key id"]
KEM = ["KEM pre-key id", "KEM ciphertext"]
RATCHET = ["ratchet key", "previous", "number"]
SEALED = ["ciphertext", "tag"]


class Pair:
    """Alice has begun to write to Bob."""

    def __init__(self, suite: Suite = Suite.PQXDH, one_time_keys: int = 3) -> None:
        self.alice, self.bob = Device("alice"), Device("bob", one_time_keys=one_time_keys)
        self.alice.begin(self.bob, suite)

    def first(self, text: bytes = b"Meet me at 5pm") -> bytes:
        return self.alice.write(self.bob, text)

    def answer(self, text: bytes = b"See you there") -> bytes:
        """What Bob writes once he has read a first message."""
        self.bob.read(self.alice, self.first())
        return self.bob.write(self.alice, text)


def group_message(text: bytes = b"Meet us at 5pm", before: int = 0) -> bytes:
    key = SenderKey.new(b"the old mill", DeviceKeys.new("alice", 1, os.urandom).public, os.urandom)
    for _ in range(before):
        key.encrypt(b"earlier")
    return key.encrypt(text)


MAKERS: dict[str, Callable[[bytes], bytes]] = {
    "first, PQXDH": Pair(Suite.PQXDH).first,
    "first, X3DH": Pair(Suite.X3DH).first,
    "message": Pair().answer,
    "group": group_message,
}


def of(envelope: bytes, name: str) -> bytes:
    field = the(envelope, name)
    return envelope[field.start : field.end]


def the(envelope: bytes, name: str) -> Field:
    (field,) = (each for each in anatomy(envelope) if each.name == name)
    return field


def names(envelope: bytes) -> list[str]:
    return [field.name for field in anatomy(envelope)]


def readers(envelope: bytes, name: str) -> dict[Who, bool]:
    return {access.who: access.reads for access in the(envelope, name).readers}


@pytest.mark.parametrize("kind", MAKERS)
@settings(max_examples=25)
@given(text=st.binary(max_size=300))
def test_every_byte_of_an_envelope_stands_in_exactly_one_field(kind: str, text: bytes) -> None:
    envelope = MAKERS[kind](text)
    fields = anatomy(envelope)
    assert fields[0].start == 0
    assert fields[-1].end == len(envelope)
    assert all(before.end == after.start for before, after in pairwise(fields))
    assert b"".join(envelope[each.start : each.end] for each in fields) == envelope
    assert the(envelope, "ciphertext").end - the(envelope, "ciphertext").start == len(text)


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"\x01\x01\x01" + rest))
def test_of_any_bytes_either_all_are_named_or_the_envelope_is_refused(data: bytes) -> None:
    try:
        fields = anatomy(data)
    except E2EEError:
        return
    assert b"".join(data[each.start : each.end] for each in fields) == data


def test_the_fields_of_a_first_message_are_those_that_its_reader_reads() -> None:
    envelope = Pair().first()
    assert names(envelope) == ENVELOPE + SET_UP + KEM + RATCHET + SEALED
    reader = Reader(envelope[2:])
    header = FirstHeader.from_reader(reader)
    ratchet = LAB_FORM.read(reader.rest())
    assert of(envelope, "suite") == bytes([Suite.PQXDH])
    assert of(envelope, "ephemeral key") == header.ephemeral
    assert int.from_bytes(of(envelope, "signed pre-key id"), "big") == header.signed_id
    assert int.from_bytes(of(envelope, "one-time pre-key id"), "big") == header.one_time_id
    assert int.from_bytes(of(envelope, "KEM pre-key id"), "big") == header.kem_id
    assert of(envelope, "KEM ciphertext") == header.ciphertext
    assert of(envelope, "ratchet key") == ratchet.key


def test_a_first_message_of_x3dh_has_nothing_of_a_kem() -> None:
    envelope = Pair(Suite.X3DH).first()
    assert names(envelope) == ENVELOPE + SET_UP + RATCHET + SEALED
    assert "quantum computer tomorrow can open it" in the(envelope, "suite").meaning
    assert "cannot open it with a quantum computer" in the(Pair().first(), "suite").meaning


def test_a_message_of_a_session_that_both_have_is_header_and_ciphertext() -> None:
    envelope = Pair().answer()
    assert names(envelope) == ENVELOPE + RATCHET + SEALED


def test_a_group_message_is_signed() -> None:
    envelope = group_message(before=7)
    assert names(envelope) == [*ENVELOPE, "key id", "iteration", *SEALED, "signature"]
    assert of(envelope, "key id") == key_id_of(envelope)
    assert the(envelope, "iteration").meaning.startswith("7: ")
    assert len(of(envelope, "signature")) == 64


def test_counters_and_ids_stand_in_the_meaning_as_numbers() -> None:
    pair = Pair()
    pair.first()
    envelope = pair.first()
    assert the(envelope, "number").meaning.startswith("1: ")
    assert the(envelope, "previous").meaning.startswith("0: ")
    assert the(envelope, "kind").meaning.startswith("1: a first message")
    one_time = int.from_bytes(of(envelope, "one-time pre-key id"), "big")
    assert the(envelope, "one-time pre-key id").meaning.startswith(f"{one_time}: which one-time pre-key")


def test_it_says_so_where_the_service_had_no_one_time_keys_left() -> None:
    envelope = Pair(one_time_keys=0).first()
    assert the(envelope, "one-time pre-key id").meaning.startswith("0: none was left")
    assert "last-resort" in the(envelope, "KEM pre-key id").meaning
    assert "last-resort" not in the(Pair().first(), "KEM pre-key id").meaning


@pytest.mark.parametrize("kind", MAKERS)
def test_of_each_field_it_is_said_who_can_read_it_and_why(kind: str) -> None:
    envelope = MAKERS[kind](b"Meet me at 5pm")
    for field in anatomy(envelope):
        assert [access.who for access in field.readers] == list(Who)
        assert not readers(envelope, field.name)[Who.NETWORK], "TLS is around it"
        assert readers(envelope, field.name)[Who.RECIPIENT]
        assert all(access.why for access in field.readers)
        assert field.meaning.endswith(".")


@pytest.mark.parametrize("kind", MAKERS)
def test_the_server_reads_what_is_in_front_of_the_ciphertext_and_nothing_else(kind: str) -> None:
    envelope = MAKERS[kind](b"Meet me at 5pm")
    closed = {name for name in names(envelope) if not readers(envelope, name)[Who.SERVER]}
    assert closed == {"KEM ciphertext", "ciphertext", "tag", "signature"} & set(names(envelope))


def test_the_kind_is_known_by_the_second_byte() -> None:
    assert kind_of(Pair().first()) is Kind.FIRST
    assert kind_of(Pair().answer()) is Kind.MESSAGE
    assert kind_of(group_message()) is Kind.GROUP


@pytest.mark.parametrize("start", [b"", b"\x01", b"\x00\x01", b"\x02\x01", b"\x01\x00", b"\x01\x04", b"\x01\xff"])
def test_another_version_or_kind_is_refused(start: bytes) -> None:
    with pytest.raises(E2EEError):
        anatomy(start + bytes(200) if len(start) == 2 else start)


@pytest.mark.parametrize("kind", MAKERS)
def test_an_envelope_that_is_cut_short_is_refused_until_its_fixed_fields_fit(kind: str) -> None:
    envelope = MAKERS[kind](b"")
    for size in (*range(58), len(envelope) - 1):
        with pytest.raises(E2EEError):
            anatomy(envelope[:size])
    assert anatomy(envelope)


def test_a_suite_that_nobody_knows_is_refused() -> None:
    envelope = Pair().first()
    with pytest.raises(E2EEError, match="suite is unknown"):
        anatomy(envelope[:2] + b"\x03" + envelope[3:])


def test_more_than_a_message_may_have_is_refused() -> None:
    message = LAB_FORM.seal(bytes(32), Header(bytes(32), 0, 0), b"", b"")
    assert len(message) == OVERHEAD
    assert anatomy(b"\x01\x02" + message + bytes(MAX_PLAINTEXT))
    with pytest.raises(E2EEError, match="longer than it may be"):
        anatomy(b"\x01\x02" + message + bytes(MAX_PLAINTEXT + 1))
